"""Connections to DuckDB as the whole project uses them: UTC, no extensions from outside, silent."""

from __future__ import annotations

from pathlib import Path

import duckdb

_CONFIG = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}


def connected(
    path: Path | None = None, *, read_only: bool = False, other_files: bool = True
) -> duckdb.DuckDBPyConnection:
    """A connection to the database at ``path``, or to one in memory. ``other_files``: whether SQL may open files.

    Raises duckdb.IOException where the file is held by another process.
    """
    config: dict[str, str | bool | int | float | list[str]] = {**_CONFIG}
    if not other_files:
        config["enable_external_access"] = "false"
    con = duckdb.connect(str(path) if path else ":memory:", read_only=read_only, config=config)
    con.execute("SET TimeZone = 'UTC'")
    # It is drawn on standard output once a statement takes two seconds, in the middle of what programs read as JSON.
    con.execute("SET enable_progress_bar = false")
    return con
