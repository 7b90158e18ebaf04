"""Findings that look like a typical slip say so: ``疑似差错:…`` behind the message, no value, no bound, no finding more.

The words stand in the recorded findings, so that the marked workbook, the portal and ``ytb check`` say the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import polars as pl

from pipelines.methods.named_slips import Figures, Sheet, named_slips
from schemas.expression import operand_column
from schemas.model import Edition, FormKind, Indicator, ValueType
from schemas.observations import Observations
from schemas.period import Period
from sources.audit import AuditResult
from sources.causes import SLIP

_OPERAND = re.compile(r"([A-Z]\d{2,3})=")


def with_slips_named(result: AuditResult, observations: Observations, edition: Edition, period: Period) -> pl.DataFrame:
    """The findings of an audit in the same order, those that look like a slip with the words of it behind their message."""
    findings = result.findings
    is_asked = (pl.col("outcome") == "failed") & (pl.col("code") == "rule") & pl.col("unit_id").is_not_null()
    asked = findings.with_row_index("n").filter(is_asked & (pl.col("severity") != "trial"))
    if asked.is_empty():
        return findings
    questioned = _questioned(asked)
    said = _named(questioned, result, observations, edition, period)
    words: dict[int, str] = {}
    for number, unit, cells in questioned:
        at = next((column for column in cells if (unit, column) in said), None)
        if at is not None:
            of = "" if at == cells[0] else f"“{edition.indicators[at].name}({at})”"
            words[number] = f"{SLIP}{of}{said[unit, at]}。"
    if not words:
        return findings
    extra = pl.Series("words", [words.get(n, "") for n in range(findings.height)], dtype=pl.String)
    return findings.with_columns(message=pl.concat_str("message", extra))


def _questioned(asked: pl.DataFrame) -> list[tuple[int, str, list[str]]]:
    """Number of the finding, unit, and its cells: the marked one first, then the other operands."""
    return [
        (number, unit, list(dict.fromkeys([column or "", *_OPERAND.findall(found or "")])))
        for number, unit, column, found in asked.select("n", "unit_id", "column", "found").iter_rows()
    ]


def _named(
    questioned: list[tuple[int, str, list[str]]],
    result: AuditResult,
    observations: Observations,
    edition: Edition,
    period: Period,
) -> dict[tuple[str, str], str]:
    cells = {(unit, column) for _, unit, columns in questioned for column in columns}
    codes = {column for _, column in cells}
    found: dict[tuple[str, str], str] = {}
    for form in edition.forms.values():
        numbers = [i for i in form.shown(period) if i.type is ValueType.NUMBER]
        if form.kind is FormKind.CONTEXT or not codes & {i.code for i in numbers}:
            continue
        own = observations.frames.get(form.code)
        if form.kind is FormKind.SHEET:
            frame = result.sheet
            units = frame.select("unit_id").with_row_index("row")
        elif own is not None and form.roster in result.rosters:
            frame = result.rosters[form.roster]
            units = _in_printed_order(frame, own)
        else:
            continue
        columns = _Columns(frame, units["row"], {i.code: i for i in numbers if i.code in frame.columns})
        names = {i.code: i.name for i in numbers}
        sheet = Sheet(units["unit_id"].to_list(), columns, period.quarter or 0, names)
        found |= named_slips(sheet, [cell for cell in cells if cell[1] in columns])
    return found


class _Columns(Mapping[str, Figures]):
    """The columns of a form, each made when it is looked at: of a wide form few are questioned."""

    def __init__(self, frame: pl.DataFrame, rows: pl.Series, indicators: Mapping[str, Indicator]) -> None:
        self._frame, self._rows, self._indicators = frame, rows, indicators
        self._made: dict[str, Figures] = {}

    def __getitem__(self, code: str) -> Figures:
        if code not in self._made:
            self._made[code] = self._figures(self._indicators[code])
        return self._made[code]

    def __contains__(self, code: object) -> bool:
        return code in self._indicators

    def __iter__(self) -> Iterator[str]:
        return iter(self._indicators)

    def __len__(self) -> int:
        return len(self._indicators)

    def _figures(self, indicator: Indicator) -> Figures:
        year, quarter, last = (self._floats(operand_column(indicator.code, lag)) for lag in ("yoy", "prev", "last"))
        now = self._floats(indicator.code)
        return Figures(now, year, quarter, last, indicator.unit_measure, is_flow=indicator.flow)

    def _floats(self, column: str) -> list[float | None]:
        if column not in self._frame.columns:
            return []
        return self._frame[column].gather(self._rows).cast(pl.Float64).to_list()


def _in_printed_order(wide: pl.DataFrame, form: pl.DataFrame) -> pl.DataFrame:
    """unit_id and its ``row`` in ``wide``, as the rows of the form stand in the book; a unit that stands twice is left out."""
    own = form.select("unit_id", "_file", "_sheet", "_row").drop_nulls("unit_id").unique("unit_id", keep="none")
    known = wide.select("unit_id").with_row_index("row").unique("unit_id", keep="none")
    return own.sort("_file", "_sheet", "_row").select("unit_id").join(known, on="unit_id", maintain_order="left")
