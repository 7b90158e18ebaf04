"""Alembic's environment and every revision of the ledger's tables. ``HEAD`` is the newest; a test holds it to that."""

HEAD = "0016"
