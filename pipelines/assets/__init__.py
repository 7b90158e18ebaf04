"""Dagster assets, thin."""
