"""Commands that work on any table, without home or programme."""

from __future__ import annotations

import typer


def register(root: typer.Typer) -> None:
    """Hang the commands on the root."""
    del root
