"""Vault, ledger, facts, marts and snapshots: the only folder that runs SQL. Imports schemas."""
