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

# what may stand in place of a number, and the status it says: not reported, not applicable, kept back (schemas.marts.STATUSES)
MARKS: Final = dict.fromkeys(("", "—", "NA", "N/A", "null", "NULL"), "M") | {"…": "Z", "*": "C"}
NO_FIGURE: Final = ("C", "Z", "M")  # the first that either side of a ratio has is the status of the ratio
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
    statuses: tuple[
        tuple[str, ...], ...
    ]  # of the value; M, Z or C where there is none: not reported, not applicable, kept back
    places: tuple[str, ...] = ()  # file and line of every unit

    @property
    def values(self) -> Floats:
        """Figure over denominator, not yet times the factor; NaN where either is missing or the denominator is zero."""
        usable = np.where(self.denominators == 0.0, np.nan, self.denominators)
        return np.asarray(self.figures / usable, dtype=np.float64)


def unit_tables(frame: pl.DataFrame, system: ScoringSystem, source: str) -> tuple[UnitTable, ...]:
    """One table a year, oldest first, from a frame of texts; a frame without a year column gives one table.

    Columns: the unit, and as named in the definition its name, class and year; every indicator's column and denominator;
    optionally ``<column>.status`` with the status of a figure (A, E, P …). ``MARKS`` stand for no figure. Raises
    DefinitionError naming ``source``, line and column for anything else that is not a number, for a figure whose status says
    that there is none, and for a unit that stands twice in a year.
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
        raise DefinitionError("没有数据行", where=f"{source}:1", remedy="列名之下每个单位一行。")


def _table(rows: pl.DataFrame, system: ScoringSystem, source: str, year: str) -> UnitTable:
    line = rows[LINE].to_list()
    units = _texts(rows, system.unit_column)
    for place, unit in zip(line, units, strict=True):
        if not unit:
            raise DefinitionError(
                "单位代码为空", where=f"{source}:{place} 列 {system.unit_column}", remedy="请填代码,或删去这一行。"
            )
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
    marks = {c: _statuses(rows, c, source) for leaf in system.leaves for c in (leaf.column, leaf.denominator) if c}
    statuses = [
        [_of_ratio(*both) for both in zip(marks[leaf.column], marks[leaf.denominator], strict=True)]
        if leaf.denominator
        else marks[leaf.column]
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
        places=tuple(f"{source}:{line[k]}" for k in order),
    )


def _statuses(rows: pl.DataFrame, column: str, source: str) -> list[str]:
    """The status of every figure of a column: as said in its status column, by its mark where there is no figure."""
    texts = _texts(rows, column)
    said = _texts(rows, column + STATUS_SUFFIX) if column + STATUS_SUFFIX in rows.columns else [""] * len(texts)
    found = []
    for text, status, line in zip(texts, said, rows[LINE].to_list(), strict=True):
        if text in MARKS:
            found.append(status if MARKS[text] == "M" and status in NO_FIGURE else MARKS[text])
        elif status in ("M", "Z"):
            raise DefinitionError(
                f"状态为 {status}(没有数),却填了 {text}",
                where=f"{source}:{line} 列 {column}{STATUS_SUFFIX}",
                remedy="请改状态,或删去数字。",
            )
        else:
            found.append(status or "A")
    return found


def _of_ratio(above: str, below: str) -> str:
    """The status of figure over denominator: of the side without a figure, else of the less certain side."""
    for status in NO_FIGURE:
        if status in (above, below):
            return status
    return above if above != "A" else below


def _texts(rows: pl.DataFrame, column: str) -> list[str]:
    return [(text or "").strip() for text in rows[column].cast(pl.String).to_list()]


def _number(text: str, place: str) -> float:
    if text in MARKS:
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
