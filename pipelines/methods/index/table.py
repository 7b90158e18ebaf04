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
from schemas.marts import STATUSES
from schemas.period import Period

# what may stand in place of a number, and the status it says: not reported, not applicable, kept back (schemas.marts.STATUSES)
MARKS: Final = dict.fromkeys(("", "—", "NA", "N/A", "null", "NULL"), "M") | {"…": "Z", "*": "C"}
NO_FIGURE: Final = ("C", "Z", "M")  # the first that either side of a ratio has is the status of the ratio
STATUS_SUFFIX: Final = ".status"
FILLED_HERE: Final = "imputed"  # in the errors of a definition: cells the engine fills in itself; no status of a table


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
    optionally ``<column>.status`` with the status of a figure (``allowed_statuses``). ``MARKS`` stand for no figure. Raises
    DefinitionError naming ``source``, line and column for anything else that is not a number, for a status that does not exist
    or says that there is no figure where there is one, for a year that is no period, and for a unit that stands twice in a year.
    """
    _check_columns(frame, system, source)
    lines = frame if LINE in frame.columns else frame.with_row_index(LINE, offset=2)
    if not system.year_column:
        return (_table(lines, system, source, ""),)
    years = _years(lines, system.year_column, source)
    return tuple(
        _table(lines.filter(pl.Series([y == year for y in years], dtype=pl.Boolean)), system, source, year)
        for year in sorted(set(years))
    )


def _years(lines: pl.DataFrame, column: str, source: str) -> list[str]:
    """The period of every row as ``Period`` writes it. Raises DefinitionError with line and column for what is none."""
    found = []
    for text, line in zip(_texts(lines, column), lines[LINE].to_list(), strict=True):
        try:
            found.append(str(Period.parse(text)))
        except DefinitionError:
            raise DefinitionError(
                f"“{text}”不是年份" if text else "年份为空",
                where=f"{source}:{line} 列 {column}",
                remedy="请写四位年份,如 2016;季度写 2016-Q1,半年写 2016-H1。",
            ) from None
    return found


def allowed_statuses(system: ScoringSystem) -> tuple[str, ...]:
    """What may stand in a column of statuses: those of every table, and the kinds of doubt the definition gives an error for."""
    own = dict(system.uncertainty.get("errors", {})).keys() - STATUSES.keys() - {FILLED_HERE}
    return (*STATUSES, *sorted(own))


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
    first: dict[str, int] = {}
    for place, unit in zip(line, units, strict=True):
        if not unit:
            raise DefinitionError(
                "单位代码为空", where=f"{source}:{place} 列 {system.unit_column}", remedy="请填代码,或删去这一行。"
            )
        if unit in first:
            raise DefinitionError(
                f"单位 {unit} 在{f' {year} 年' if year.isdigit() else year or '表中'}出现多次:第 {first[unit]} 行和第 {place} 行",
                where=f"{source}:{place} 列 {system.unit_column}",
                remedy="每个单位每年一行。",
            )
        first[unit] = place
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
    allowed = allowed_statuses(system)
    marks = {
        c: _statuses(rows, c, source, allowed) for leaf in system.leaves for c in (leaf.column, leaf.denominator) if c
    }
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


def _statuses(rows: pl.DataFrame, column: str, source: str, allowed: Sequence[str]) -> list[str]:
    """The status of every figure of a column: as said in its status column, by its mark where there is no figure.

    A status that is not ``allowed`` is refused, also one in lower case: its doubt would be lost without a word.
    """
    texts = _texts(rows, column)
    said = _texts(rows, column + STATUS_SUFFIX) if column + STATUS_SUFFIX in rows.columns else [""] * len(texts)
    found = []
    for text, status, line in zip(texts, said, rows[LINE].to_list(), strict=True):
        if status and status not in allowed:
            raise DefinitionError(
                f"没有“{status}”这种状态",
                where=f"{source}:{line} 列 {column}{STATUS_SUFFIX}",
                remedy=f"可用(区分大小写):{'、'.join(allowed)};正常的数可留空。",
            )
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
