"""The figures of an index: one matrix units × indicators a year, read from a frame of texts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from pipelines.csv_tables import LINE, plain_number
from pipelines.methods.index.bounded import Floats
from pipelines.methods.index.definition import ScoringSystem
from schemas.errors import DefinitionError

BLANKS: Final = frozenset({"", "—", "…", "NA", "N/A", "null", "NULL"})
STATUS_SUFFIX: Final = ".status"


@dataclass(frozen=True)
class UnitTable:
    """The figures of one year: ``figures`` and ``denominators`` are units × indicators, NaN where nothing is reported."""

    year: str
    units: tuple[str, ...]
    names: tuple[str, ...]
    classes: tuple[str, ...]
    figures: Floats
    denominators: Floats
    statuses: tuple[tuple[str, ...], ...]

    @property
    def values(self) -> Floats:
        """Figure over denominator, not yet times the factor; NaN where either is missing or the denominator is zero."""
        usable = np.where(self.denominators == 0.0, np.nan, self.denominators)
        return np.asarray(self.figures / usable, dtype=np.float64)


def unit_tables(frame: pl.DataFrame, system: ScoringSystem, source: str) -> tuple[UnitTable, ...]:
    """One table a year, oldest first, from a frame of texts; a frame without a year column gives one table.

    Columns: the unit, and as named in the definition its name, class and year; every indicator's column and denominator;
    optionally ``<column>.status`` with the status of a figure (A, E, P …). Blank is not reported. Raises DefinitionError
    naming ``source``, line and column for anything else that is not a number, and for a unit that stands twice in a year.
    """
    _check_columns(frame, system, source)
    lines = frame if LINE in frame.columns else frame.with_row_index(LINE, offset=2)
    years = [""] if not system.year_column else sorted(lines[system.year_column].fill_null("").unique().to_list())
    tables = []
    for year in years:
        rows = lines if not system.year_column else lines.filter(pl.col(system.year_column).fill_null("") == year)
        tables.append(_table(rows, system, source, year))
    return tuple(tables)


def _check_columns(frame: pl.DataFrame, system: ScoringSystem, source: str) -> None:
    wanted = [system.unit_column, system.name_column, system.class_column, system.year_column]
    wanted += [name for leaf in system.leaves for name in (leaf.column, leaf.denominator)]
    missing = sorted({name for name in wanted if name and name not in frame.columns})
    if missing:
        raise DefinitionError(f"缺列 {'、'.join(missing)}", where=f"{source}:1", remedy="列名应与指标体系的定义一致。")
    if frame.is_empty():
        raise DefinitionError("没有数据行", where=source)


def _table(rows: pl.DataFrame, system: ScoringSystem, source: str, year: str) -> UnitTable:
    line = rows[LINE].to_list()
    units = _texts(rows, system.unit_column)
    for place, unit in zip(line, units, strict=True):
        if not unit:
            raise DefinitionError("单位代码为空", where=f"{source}:{place} 列 {system.unit_column}")
        if units.count(unit) > 1:
            raise DefinitionError(
                f"单位 {unit} 在{year or '表中'}出现多次", where=f"{source}:{place}", remedy="每个单位每年一行。"
            )
    order = sorted(range(len(units)), key=lambda k: units[k])
    cache: dict[str, list[float]] = {}

    def numbers(column: str) -> list[float]:
        if column not in cache:
            texts = _texts(rows, column)
            cache[column] = [_number(t, f"{source}:{p} 列 {column}") for t, p in zip(texts, line, strict=True)]
        return cache[column]

    figures = np.array([numbers(leaf.column) for leaf in system.leaves]).T[order]
    below = np.array(
        [numbers(leaf.denominator) if leaf.denominator else [1.0] * len(units) for leaf in system.leaves]
    ).T[order]
    statuses = [
        [s or "A" for s in _texts(rows, leaf.column + STATUS_SUFFIX)]
        if leaf.column + STATUS_SUFFIX in rows.columns
        else ["A"] * len(units)
        for leaf in system.leaves
    ]
    names = _texts(rows, system.name_column) if system.name_column else units
    classes = _texts(rows, system.class_column) if system.class_column else [""] * len(units)
    return UnitTable(
        year=year,
        units=tuple(units[k] for k in order),
        names=tuple(names[k] or units[k] for k in order),
        classes=tuple(classes[k] for k in order),
        figures=figures,
        denominators=below,
        statuses=tuple(tuple(column[k] for column in statuses) for k in order),
    )


def _texts(rows: pl.DataFrame, column: str) -> list[str]:
    return [(text or "").strip() for text in rows[column].cast(pl.String).to_list()]


def _number(text: str, place: str) -> float:
    if text in BLANKS:
        return math.nan
    value = plain_number(text)
    if value is None:
        raise DefinitionError(f"“{text}”不是数", where=place, remedy="请只写数字(不带千分位和单位),没有数就留空。")
    return value


def aligned(tables: Sequence[UnitTable], units: Sequence[str]) -> list[Floats]:
    """The values of every table for ``units`` in that order; NaN rows for a unit a table does not have."""
    result = []
    for table in tables:
        place = {unit: k for k, unit in enumerate(table.units)}
        values = table.values
        empty = np.full(values.shape[1], np.nan)
        result.append(np.array([values[place[u]] if u in place else empty for u in units]))
    return result
