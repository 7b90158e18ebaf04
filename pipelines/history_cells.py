"""Figures of foreign workbooks → figures of the programme: labels to codes, units of measure by exact factors. Guesses nothing.

What no rule settles is listed as not mapped, with what might be meant; it is never loaded.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

import polars as pl

from schemas.errors import DefinitionError
from schemas.history_map import HistoryMap, Named
from schemas.model import Edition, Form, FormKind, Indicator, Programme, ValueType
from schemas.observations import ENTERPRISE_ROSTER
from schemas.period import Period
from schemas.uscc import is_valid_uscc
from sources.cell_values import number
from sources.cells import PROBLEMS, CellValue, parse_column
from sources.code_names import codes_for_names, names_for
from sources.foreign import ForeignFigure, ForeignReading, label
from sources.measures import factor, plain_text, without_measure

UNMAPPED_COLUMNS = {
    "kind": pl.String(), "text": pl.String(), "cells": pl.Int64(), "first": pl.String(), "why": pl.String(), "suggestion": pl.String(),
}  # fmt: skip
"""``kind``: period, park, unit, indicator, unit_measure; ``first``: sheet and cell where it stands first."""
CONVERSION_COLUMNS = {
    "indicator": pl.String(), "name": pl.String(), "from": pl.String(), "to": pl.String(), "factor": pl.String(), "cells": pl.Int64(),
    "rounded": pl.Int64(), "example": pl.String(),
}  # fmt: skip
_PERIOD = re.compile(r"((?:19|20)\d\d)年?度?(.*)")
_PARTS = {
    "": None, "全年": None, "年报": None, "合计": None,
    **dict.fromkeys(("一季度", "1季度", "第一季度", "第1季度", "1-3月", "Q1"), 1),
    **dict.fromkeys(("二季度", "2季度", "第二季度", "第2季度", "1-6月", "上半年", "Q2"), 2),
    **dict.fromkeys(("三季度", "3季度", "第三季度", "第3季度", "1-9月", "前三季度", "Q3"), 3),
    **dict.fromkeys(("四季度", "4季度", "第四季度", "第4季度", "Q4"), 4),
}  # fmt: skip
_MOST_PLACES = 9


@dataclass(frozen=True)
class HistoryCell:
    """One figure as the programme knows it, and the cell it stands in."""

    period: Period
    park: str
    form: str
    unit_id: str
    column: str
    value: object
    sheet: str
    letter: str
    row: int


@dataclass(frozen=True)
class Known:
    """What labels are looked up in: ``parks`` and ``units`` from plain name or code to codes (several: ambiguous)."""

    parks: Mapping[str, frozenset[str]]
    units: Mapping[str, frozenset[str]]


@dataclass
class Understood:
    """What came of a foreign workbook. ``problems``: (cell, column, code, sentence) of cells that cannot be taken."""

    cells: list[HistoryCell] = field(default_factory=list)
    problems: list[tuple[HistoryCell, str, str, str]] = field(default_factory=list)
    ignored: int = 0
    _unmapped: dict[tuple[str, str], list[object]] = field(default_factory=dict)
    _conversions: dict[tuple[str, str], list[object]] = field(default_factory=dict)

    def not_mapped(self, kind: str, text: str, at: ForeignFigure, why: str, suggestion: str = "") -> None:
        """Count a figure whose label says nothing we know."""
        entry = self._unmapped.setdefault((kind, text), [0, f"{at.sheet}!{at.letter}{at.row}", why, suggestion])
        entry[0] += 1  # type: ignore[operator]

    def converted(self, indicator: Indicator, foreign: str, times: Fraction, told: str, *, is_rounded: bool) -> None:
        """Count a figure that was converted to our unit of measure."""
        key = (indicator.code, foreign)
        entry = self._conversions.setdefault(key, [indicator.name, indicator.unit_measure, str(times), 0, 0, told])
        entry[3] += 1  # type: ignore[operator]
        entry[4] += is_rounded  # type: ignore[operator]

    @property
    def unmapped(self) -> pl.DataFrame:
        """Labels that say nothing we know, the most frequent first."""
        rows = [(kind, text, *rest) for (kind, text), rest in self._unmapped.items()]
        return pl.DataFrame(rows, schema=UNMAPPED_COLUMNS, orient="row").sort(
            "cells", descending=True, maintain_order=True
        )

    @property
    def conversions(self) -> pl.DataFrame:
        """Conversions of units of measure, by indicator."""
        rows = [(code, e[0], foreign, *e[1:]) for (code, foreign), e in self._conversions.items()]
        return pl.DataFrame(rows, schema=CONVERSION_COLUMNS, orient="row")


def understood(reading: ForeignReading, mapping: HistoryMap, of: Programme, known: Known) -> Understood:
    """Every figure of a foreign workbook in the programme's terms."""
    found = Understood()
    labels = {d: {plain_text(k): v for k, v in by.items()} for d, by in mapping.labels.items()}
    ignored = {d: {plain_text(t) for t in texts} for d, texts in mapping.ignored.items()}
    dictionary = _Dictionary(of, mapping, labels, known, found)
    for figure in reading.figures:
        texts = {"period": figure.period, "park": figure.park, "unit": figure.unit, "indicator": figure.indicator}
        if any(plain_text(text) in ignored.get(d, ()) for d, text in texts.items() if text):
            found.ignored += 1
            continue
        for cell in dictionary.cells(figure):
            found.cells.append(cell)
    return found


class _Dictionary:
    """Looks labels up; each text once."""

    def __init__(
        self,
        of: Programme,
        mapping: HistoryMap,
        labels: Mapping[str, Mapping[str, Named]],
        known: Known,
        told: Understood,
    ) -> None:
        self.of, self.mapping, self.labels, self.known, self.told = of, mapping, labels, known, told

    def cells(self, at: ForeignFigure) -> Iterator[HistoryCell]:
        """The figure, or nothing where it is not settled what it is; why not is noted."""
        period, edition = self._period(at)
        park = self._park(at)
        found = self._indicator(at, edition, period)
        if period is None or edition is None or park is None or found is None:
            return
        indicator, measure = found
        form = edition.forms[indicator.form]
        unit = self._unit(at, form, park, period)
        if unit is None:
            return
        empty = HistoryCell(period, park, form.code, unit, indicator.code, None, at.sheet, at.letter, at.row)
        if indicator.type is ValueType.NUMBER:
            yield from self._number(at, empty, indicator, measure)
        else:
            yield from self._other(at, empty, indicator)

    def _period(self, at: ForeignFigure) -> tuple[Period | None, Edition | None]:
        text = plain_text(at.period)
        named = self.labels["period"].get(text)
        period = Period.parse(named.code) if named else period_of_text(text)
        if period is None:
            self.told.not_mapped("period", at.period, at, "不知道是哪个报告期;请写在 [periods] 里。")
            return None, None
        try:
            return period, self.of.edition_for(period)
        except DefinitionError:
            self.told.not_mapped("period", at.period, at, f"{period} 没有适用的制度,不能入库。")
            return None, None

    def _park(self, at: ForeignFigure) -> str | None:
        text = plain_text(at.park)
        named = self.labels["park"].get(text)
        found = frozenset({named.code}) if named else self.known.parks.get(text, frozenset())
        if len(found) == 1:
            return next(iter(found))
        why = f"可能是 {'、'.join(sorted(found))}" if found else "园区名录里没有这个名称"
        self.told.not_mapped("park", at.park, at, f"{why};请写在 [parks] 里。", "、".join(sorted(found)))
        return None

    def _indicator(
        self, at: ForeignFigure, edition: Edition | None, period: Period | None
    ) -> tuple[Indicator, str] | None:
        """The indicator, and the unit of measure that the table states for it (empty: none)."""
        bare, bracketed = without_measure(at.indicator)
        named = self.labels["indicator"].get(plain_text(at.indicator)) or self.labels["indicator"].get(bare)
        editions = [edition] if edition else list(self.of.editions.values())
        if named is None:
            direct = next((e.indicators[bare] for e in editions if bare in e.indicators), None)
            if direct is None:
                alike = sorted({i.code for e in editions for i in e.indicators.values() if plain_text(i.name) == bare})
                why = "不知道是哪个指标;请写在 [indicators] 里,不要的写在 [ignore] 里。"
                self.told.not_mapped("indicator", at.indicator, at, why, "、".join(alike))
                return None
            named = Named(direct.code)
        indicator = next((e.indicators[named.code] for e in editions if named.code in e.indicators), None)
        if indicator is None:
            self.told.not_mapped("indicator", at.indicator, at, f"本期制度没有指标 {named.code}。")
            return None
        if period is not None and period.round not in indicator.rounds:
            self.told.not_mapped("indicator", at.indicator, at, f"{named.code} 在 {period.round} 轮次({period})不收。")
            return None
        return indicator, plain_text(at.unit_measure) or bracketed or named.unit_measure

    def _unit(self, at: ForeignFigure, form: Form, park: str, period: Period) -> str | None:
        if form.kind is FormKind.SHEET:
            if at.unit:
                why = "是园区的指标,表里却是企业的数;请核对映射。"
                self.told.not_mapped("indicator", at.indicator, at, why)
                return None
            return park
        if form.kind is FormKind.CONTEXT:
            return f"{park}|{period.year}"
        if not at.unit:
            why = f"是“{form.title}”逐单位填报的指标,表里没有写明单位,园区合计不能入库。"
            self.told.not_mapped("indicator", at.indicator, at, why)
            return None
        text = plain_text(at.unit)
        named = self.labels["unit"].get(text)
        if named is not None:
            return named.code
        if form.roster != ENTERPRISE_ROSTER or is_valid_uscc(text):
            return at.unit.strip() if form.roster != ENTERPRISE_ROSTER else text
        found = self.known.units.get(text, frozenset())
        if len(found) == 1:
            return next(iter(found))
        why = f"名录里有 {len(found)} 个同名单位" if found else "名录里没有这个名称"
        self.told.not_mapped("unit", at.unit, at, f"{why};请写在 [units] 里。", "、".join(sorted(found)))
        return None

    def _number(
        self, at: ForeignFigure, empty: HistoryCell, indicator: Indicator, measure: str
    ) -> Iterator[HistoryCell]:
        times = (
            Fraction(1)
            if indicator.unit_measure in ("", "-")
            else factor(measure, indicator.unit_measure)
            if measure
            else None
        )
        if times is None:
            why = (
                f"计量单位“{measure}”不能换算成“{indicator.unit_measure}”。"
                if measure
                else "表里没有写明计量单位;请在映射里写明。"
            )
            self.told.not_mapped("unit_measure", f"{at.indicator}:{measure}", at, why, indicator.unit_measure)
            return
        value, code = exact(at.value, measure)
        if value is None:
            if code and code != "missing_mark" and code != "spaces":
                self._refused(
                    at,
                    empty,
                    code,
                    PROBLEMS[code].format(found=label(at.value), decimals=indicator.decimals, unit=measure),
                )
            return
        ours, is_rounded = converted(value * times, indicator.decimals, rounds=self.mapping.rounds)
        told = (
            f"{label(at.value)}{measure} = {ours if ours is not None else float(value * times)}{indicator.unit_measure}"
        )
        if ours is None:
            problem = f'换算成{indicator.unit_measure}后小数位数超过规定的 {indicator.decimals} 位({told});确需四舍五入的,在映射里写 rounding = "nearest"。'
            self._refused(at, empty, "decimals", problem)
            return
        if abs(ours) >= 10**15:
            self._refused(at, empty, "digits", f"换算后数字过长({told});请核对计量单位。")
            return
        if times != 1 or is_rounded:
            self.told.converted(indicator, measure, times, told, is_rounded=is_rounded)
        yield _with(empty, ours if indicator.decimals else int(ours))

    def _other(self, at: ForeignFigure, empty: HistoryCell, indicator: Indicator) -> Iterator[HistoryCell]:
        values: list[CellValue] = [at.value]
        if indicator.type is ValueType.CODE:
            if isinstance(at.value, float) and at.value.is_integer():
                values = [label(at.value)]
            values, asked, _ = codes_for_names(
                values, names_for(indicator, str(self.of.folder), empty.period, empty.park)
            )
            for one in asked:
                self._refused(at, empty, one.code, one.message)
        kind = indicator.type.value
        series, problems, _ = parse_column(values, kind, code_widths=sorted({len(k) for k in indicator.options}) or [1])
        for one in problems:
            self._refused(at, empty, one.code, one.message)
        if series[0] is not None:
            yield _with(empty, series[0])

    def _refused(self, at: ForeignFigure, empty: HistoryCell, code: str, problem: str) -> None:
        self.told.problems.append((empty, code, label(at.value), problem))


def _with(cell: HistoryCell, value: object) -> HistoryCell:
    return HistoryCell(
        cell.period, cell.park, cell.form, cell.unit_id, cell.column, value, cell.sheet, cell.letter, cell.row
    )


def period_of_text(text: str) -> Period | None:
    """The report period a label means: 2013, 2013年, 2013年度, 2013年一季度, 2013年1-6月 (cumulative, as the second quarter).

    None for anything else; 1-12月 may be the fourth quarter or the year.
    """
    found = _PERIOD.fullmatch(plain_text(text).replace("—", "-").replace("–", "-").replace("~", "-"))
    if found is None:
        return None
    part = found[2].strip("()-").upper()
    if part not in _PARTS:
        return None
    return Period(int(found[1]), quarter=_PARTS[part])


def exact(value: CellValue, measure: str) -> tuple[Fraction | None, str]:
    """A cell as an exact number, however many places it has, or why it is none (a code of ``sources.cells.PROBLEMS``)."""
    reading = number(value, 0, measure)
    places = 0
    while reading.is_problem and reading.code == "decimals" and places < _MOST_PLACES:
        places += 1
        reading = number(value, places, measure)
    if isinstance(reading.value, Decimal):
        return Fraction(reading.value), ""
    return None, reading.code


def converted(value: Fraction, decimals: int, *, rounds: bool) -> tuple[Decimal | None, bool]:
    """A figure with ``decimals`` places, and whether it was rounded (half up, away from zero); None where it would have to be."""
    scaled = value * 10**decimals
    if scaled.denominator != 1 and not rounds:
        return None, False
    whole = int(abs(scaled) + Fraction(1, 2)) * (1 if scaled >= 0 else -1)
    return Decimal(whole).scaleb(-decimals), scaled.denominator != 1


def counted(cells: list[HistoryCell]) -> Counter[tuple[str, str, str]]:
    """(park, period, form) → cells."""
    return Counter((c.park, str(c.period), c.form) for c in cells)
