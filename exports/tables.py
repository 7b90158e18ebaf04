"""Tidy tables of a release: one Parquet and one CSV file a mart, the same bytes for the same rows."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import polars as pl

from exports.safe_text import safe_csv_columns

# Fixed, since defaults change with the library and with it the bytes.
ZSTD_LEVEL: Final = 9
ROW_GROUP: Final = 262_144


def write_parquet(table: pl.DataFrame, path: Path) -> None:
    """``table`` in its given row order as zstd Parquet, without any metadata of the writer's machine or clock."""
    # One chunk: where pages are cut must not hang on how many threads made the frame.
    table.rechunk().write_parquet(
        path, compression="zstd", compression_level=ZSTD_LEVEL, statistics=True, row_group_size=ROW_GROUP
    )


def write_csv(table: pl.DataFrame, path: Path) -> None:
    """``table`` as RFC 4180 CSV: UTF-8 with BOM (spreadsheet programs look for it), CRLF, null empty, no live formula."""
    safe_csv_columns(table).write_csv(
        path, include_bom=True, line_terminator="\r\n", quote_style="necessary", float_scientific=False
    )


def write_table(table: pl.DataFrame, folder: Path, name: str) -> tuple[Path, Path]:
    """Both files of one table in ``folder``; returns their paths."""
    parquet, csv = folder / f"{name}.parquet", folder / f"{name}.csv"
    write_parquet(table, parquet)
    write_csv(table, csv)
    return parquet, csv
