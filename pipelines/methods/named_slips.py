"""Typical slips in figures that were asked about, recognised by the unit's own figures of other periods; named, never valued.

Last year's or last quarter's figure copied, the quarter instead of the year so far, a lost sign, the unit of measure, two
neighbouring columns or units exchanged, a column that slid by one row. Pure. Only cells that a rule already questions are
looked at, so that nothing here makes a finding; words carry neither a value nor a bound. Docs: docs/methods/error-localisation.md.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

COPIED_YEAR = "与上年同期完全相同,像是照抄了上年数"
COPIED_QUARTER = "与上季累计完全相同,像是照抄了上季数,或本季没有发生额"
QUARTER_ALONE = "像是只填了本季发生额,应填年初至本季末的累计数"
SIGN = "像是正负号填反"
LONGEST_PART, SAME, ALIKE = 3.0, 1.3, 3.0
"""A quarter is at most so many times an average earlier one; figures of one unit in two periods are the same, alike."""

DISTINCT = 100
"""From here on two figures are not equal by chance."""
SHORTEST_RUN = 3
WHOLE_COLUMN, WHOLE_BOOK = 3, 2
MAGNITUDE_WINDOW = 0.2
"""How far the logarithm of a ratio may lie from a whole number: a factor of 1.6."""

_FACTORS = {1: "一位", 2: "两位", 3: "三位", 4: "四位"}
_MEASURES = {("千元", 3): "元", ("千元", -1): "万元", ("万元", 4): "元", ("万元", 1): "千元", ("万元", -4): "亿元"}

Cell = tuple[str, str]
"""Unit, column."""


@dataclass(frozen=True)
class Figures:
    """One column: the figures of the units in the order of the book, and what other periods say of them.

    ``year``, ``quarter``: the same period a year ago, the cumulative figure of the last quarter; ``last``: any earlier one.
    """

    now: Sequence[float | None]
    year: Sequence[float | None] = ()
    quarter: Sequence[float | None] = ()
    last: Sequence[float | None] = ()
    unit_measure: str = ""
    is_flow: bool = False

    @cached_property
    def references(self) -> list[float | None]:
        """The figure to compare each row with: a year ago, else the latest earlier one."""
        found: list[float | None] = [None] * len(self.now)
        for figures in (self.quarter, self.last, self.year):
            for row, figure in enumerate(figures):
                if figure is not None:
                    found[row] = figure
        return found

    def reference(self, row: int) -> float | None:
        """What one row is compared with."""
        return self.references[row]


@dataclass(frozen=True)
class Sheet:
    """The columns of one form in printed order, over the same units."""

    units: Sequence[str]
    columns: Mapping[str, Figures]
    quarter: int = 0
    names: Mapping[str, str] = field(default_factory=dict)


def named_slips(sheet: Sheet, asked: Iterable[Cell]) -> dict[Cell, str]:
    """Cell → the slip it looks like, for the questioned cells of one form that look like one. The most telling one each."""
    row_of = {unit: n for n, unit in enumerate(sheet.units)}
    cells = [(unit, column) for unit, column in asked if unit in row_of and column in sheet.columns]
    wanted = {(row_of[unit], column) for unit, column in cells}
    found: dict[Cell, str] = {}
    for words in (_slid(sheet, wanted), _magnitudes(sheet, wanted), dict(_single(sheet, wanted))):
        for (row, column), said in words.items():
            found.setdefault((sheet.units[row], column), said)
    return found


def _single(sheet: Sheet, asked: set[tuple[int, str]]) -> Iterator[tuple[tuple[int, str], str]]:
    """What one cell tells by itself, or with its neighbour."""
    order = list(sheet.columns)
    for row, column in sorted(asked):
        said = _cell_slip(sheet.columns[column], row, sheet.quarter) or _exchanged(sheet, order, row, column)
        if said:
            yield (row, column), said


def _cell_slip(figures: Figures, row: int, quarter: int) -> str:
    now = figures.now[row]
    if not now:
        return ""
    year, before = (s[row] if row < len(s) else None for s in (figures.year, figures.quarter))
    if year == now and abs(now) >= DISTINCT:
        return COPIED_YEAR
    if before == now and abs(now) >= DISTINCT:
        return COPIED_QUARTER
    if figures.is_flow and quarter > 1 and before and 0 < now < before:
        usual = before / (quarter - 1)
        if usual / LONGEST_PART <= now <= usual * LONGEST_PART:
            return QUARTER_ALONE
    reference = figures.reference(row)
    if reference and reference > 0 > now and _alike(-now, reference, ALIKE):
        return SIGN
    return ""


def _alike(first: float, second: float, factor: float) -> bool:
    return bool(second) and 1 / factor <= first / second <= factor


def _exchanged(sheet: Sheet, order: Sequence[str], row: int, column: str) -> str:
    """Two neighbouring columns of a unit, or one column of two neighbouring units, each with what the other one used to have."""
    at = order.index(column)
    for other in (order[n] for n in (at - 1, at + 1) if 0 <= n < len(order)):
        if _crossed(sheet.columns[column], row, sheet.columns[other], row):
            return f"像是与相邻的“{sheet.names.get(other, other)}({other})”填反"
    for n, said in ((row - 1, "上"), (row + 1, "下")):
        if 0 <= n < len(sheet.units) and _crossed(sheet.columns[column], row, sheet.columns[column], n):
            return f"像是与{said}一行的单位填反"
    return ""


def _crossed(first: Figures, row: int, second: Figures, other: int) -> bool:
    a, b, old_a, old_b = first.now[row], second.now[other], first.reference(row), second.reference(other)
    if not (a and b and old_a and old_b) or _alike(old_a, old_b, SAME**2):
        return False
    return _alike(a, old_b, SAME) and _alike(b, old_a, SAME)


# ── the unit of measure ─────────────────────────────────────────────────────────────────────────────────────────────
def _magnitudes(sheet: Sheet, asked: set[tuple[int, str]]) -> dict[tuple[int, str], str]:
    """Powers of ten between a figure and what the unit reported before: one cell, a whole column, the whole form."""
    apart = {(row, column): power for row, column in asked if (power := _power(sheet.columns[column], row))}
    whole = {column: _power_of_most(sheet.columns[column]) for _, column in apart}
    if any(whole.values()):  # only then does the rest of the form matter
        whole = {c: whole[c] if c in whole else _power_of_most(figures) for c, figures in sheet.columns.items()}
    together = Counter(power for power in whole.values() if power).most_common(1)
    book = together[0][0] if together and together[0][1] >= WHOLE_BOOK else 0
    found = {}
    for (row, column), power in apart.items():
        whole_column = whole[column] == power
        scope = "整表" if whole_column and power == book else "整列" if whole_column else ""
        found[row, column] = f"{scope}{_magnitude_words(sheet.columns[column].unit_measure, power)}"
    return found


def _power(figures: Figures, row: int) -> int | None:
    """How many powers of ten a figure lies from the unit's own earlier one; 0 for none, None where that cannot be said."""
    now, reference = figures.now[row], figures.reference(row)
    if not now or not reference or not 0 < now / reference < math.inf:
        return None
    apart = math.log10(now / reference)
    nearest = round(apart)
    return nearest if abs(nearest) <= max(_FACTORS) and abs(apart - nearest) <= MAGNITUDE_WINDOW else 0


def _power_of_most(figures: Figures) -> int:
    """The power that most units of a column share, 0 where they share none."""
    powers = [power for row in range(len(figures.now)) if (power := _power(figures, row)) is not None]
    counted = Counter(powers).most_common(1)
    if not counted:
        return 0
    power, count = counted[0]
    return power if count >= WHOLE_COLUMN and 2 * count > len(powers) else 0


def _magnitude_words(measure: str, power: int) -> str:
    used = _MEASURES.get((measure, power))
    if used:
        return f"像是按{used}填报,应按{measure}填报"
    return f"像是{'多' if power > 0 else '少'}了{_FACTORS[abs(power)]}数,请核对计量单位和小数点"


# ── a column that slid ──────────────────────────────────────────────────────────────────────────────────────────────
def _slid(sheet: Sheet, asked: set[tuple[int, str]]) -> dict[tuple[int, str], str]:
    """Rows in which a column carries what the unit one row above, or below, used to have: a run of them, or the whole column."""
    found: dict[tuple[int, str], str] = {}
    rows = len(sheet.units)
    for column in {c for _, c in asked}:
        figures = sheet.columns[column]
        if not any(figures.references):
            continue
        for step, said in ((1, "像是整列下移了一行,与单位对不上"), (-1, "像是整列上移了一行,与单位对不上")):
            of_neighbour = [_is_of_neighbour(figures, row, row - step, rows) for row in range(rows)]
            if sum(of_neighbour) < SHORTEST_RUN:
                continue
            slid = {row for run in _runs(of_neighbour) for row in run}
            if _is_whole(figures, of_neighbour, step):
                slid = set(range(rows))
            found |= {(row, column): said for row in sorted(slid) if (row, column) in asked}
    return found


def _is_whole(figures: Figures, of_neighbour: Sequence[bool], step: int) -> bool:
    """Whether most figures that can be compared are the neighbour's and few the unit's own, growth left aside."""
    rows = len(of_neighbour)
    apart = [row for row in range(rows) if _tells(figures, row, row - step, rows)]
    theirs = sum(of_neighbour[row] for row in apart)
    own = sum(_alike(figures.now[row] or 0, figures.reference(row) or 0, SAME) for row in apart)
    return theirs >= SHORTEST_RUN and 2 * theirs > len(apart) and 4 * own < len(apart)


def _tells(figures: Figures, row: int, other: int, rows: int) -> bool:
    """Whether a unit and its neighbour used to differ enough to tell whose figure this is."""
    if not (0 <= other < rows and figures.now[row]):
        return False
    own, theirs = figures.reference(row), figures.reference(other)
    return bool(own and theirs and not _alike(own, theirs, SAME**2))


def _runs(of_neighbour: Sequence[bool]) -> Iterator[list[int]]:
    run: list[int] = []
    for row, is_theirs in enumerate((*of_neighbour, False)):
        if is_theirs:
            run.append(row)
            continue
        if len(run) >= SHORTEST_RUN:
            yield run
        run = []


def _is_of_neighbour(figures: Figures, row: int, other: int, rows: int) -> bool:
    if not 0 <= other < rows:
        return False
    now, own, theirs = figures.now[row], figures.reference(row), figures.reference(other)
    if not (now and own and theirs):
        return False
    return _alike(now, theirs, SAME) and not _alike(now, own, SAME)
