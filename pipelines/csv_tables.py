"""A CSV file of any origin as a frame of text: the tables that commands outside the programme work on."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path

import polars as pl

from schemas.errors import DefinitionError

MISSING = frozenset(("", "—", "-", "NA", "NaN", "nan", "null", "..", "…"))


def csv_text(path: Path) -> pl.DataFrame:
    """All columns as text. UTF-8 (with or without mark) or GB18030; DefinitionError for what is no table."""
    try:
        raw = path.read_bytes()
    except OSError:
        raise DefinitionError("文件不存在或读不出", where=str(path), remedy="请检查路径。") from None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        try:
            text = raw.decode("gb18030")
        except UnicodeDecodeError:
            raise DefinitionError(
                "文件编码不是 UTF-8 或 GB18030", where=path.name, remedy="请另存为 UTF-8 的 CSV。"
            ) from None
    rows = [row for row in csv.reader(io.StringIO(text, newline="")) if any(cell.strip() for cell in row)]
    if not rows:
        raise DefinitionError("文件是空的", where=path.name)
    header = [name.strip() for name in rows[0]]
    if twice := sorted({name for name in header if header.count(name) > 1}):
        raise DefinitionError(f"列名重复:{'、'.join(twice)}", where=f"{path.name}:1")
    for line, row in enumerate(rows[1:], start=2):
        if len(row) != len(header):
            raise DefinitionError(f"应有 {len(header)} 列,现有 {len(row)} 列", where=f"{path.name}:{line}")
    return pl.DataFrame(rows[1:], schema=dict.fromkeys(header, pl.String), orient="row")


def typed_table(
    path: Path, wanted: Mapping[str, pl.DataType], named: Mapping[str, str], optional: frozenset[str] = frozenset()
) -> pl.DataFrame:
    """The columns ``wanted`` of a CSV, typed; ``named`` gives the header of a column where it is not the column's own name.

    Numbers may have thousands separators; blank, ``—``, ``NA`` are null. An ``optional`` column that is not there is left out.
    Raises DefinitionError naming file, line and column for a header that is missing or a cell that is no number.
    """
    text = csv_text(path)
    made = []
    for column, dtype in wanted.items():
        header = named.get(column, column)
        if header not in text.columns:
            if column in optional and column not in named:
                continue
            raise DefinitionError(
                f"没有“{header}”列",
                where=path.name,
                remedy=f"现有列:{'、'.join(text.columns)};列名见 docs/formats/series.md。",
            )
        made.append(_typed(text[header].to_list(), column, header, dtype, path))
    return pl.DataFrame(made)


def _typed(cells: list[str], column: str, header: str, dtype: pl.DataType, path: Path) -> pl.Series:
    words = [None if c.strip() in MISSING else c.strip() for c in cells]
    if dtype == pl.String():
        return pl.Series(column, words, dtype=dtype)
    if dtype == pl.Boolean():
        return pl.Series(column, [None if w is None else w in ("1", "true", "True", "TRUE", "是") for w in words])
    found: list[float | None] = []
    for line, word in enumerate(words, start=2):
        try:
            found.append(None if word is None else float(word.replace(",", "")))
        except ValueError:
            raise DefinitionError(
                f"“{header}”列填的是“{word}”,不是数字", where=f"{path.name}:{line}", remedy="请填数字,没有数就留空。"
            ) from None
    return pl.Series(column, found, dtype=pl.Float64())
