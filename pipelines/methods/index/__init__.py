"""Composite indices: the annual development index, and the generic engine behind ``ytb index score``. Pure functions only."""
