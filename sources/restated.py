"""上年同期 as the park left it, held against what the template was issued with (survey_system 8.6).

A figure that was changed needs a reason code, an entrant needs a figure; both are findings. Every change with its reason is listed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation

from schemas.layout import OPERANDS_SHEET
from sources.cells import CellValue
from sources.grid import Grid

HEAD_ROW = 2
Issued = Mapping[tuple[str, str, str], Decimal]


@dataclass(frozen=True)
class IssuedFigures:
    """``figures[roster, unit, column]`` of the hidden sheet ``_ops``; ``units`` and ``columns`` that have any, by roster."""

    figures: Issued = field(default_factory=dict)
    units: frozenset[tuple[str, str]] = frozenset()
    columns: frozenset[str] = frozenset()


def issued_figures(grids: Iterable[Grid]) -> IssuedFigures:
    """What the template stated; empty where the sheet was deleted or held nothing."""
    grid = next((g for g in grids if g.sheet == OPERANDS_SHEET), None)
    if grid is None or len(grid.rows) <= HEAD_ROW:
        return IssuedFigures()
    heads = {
        n: c.strip() for n, c in enumerate(grid.rows[HEAD_ROW]) if isinstance(c, str) and c.strip().endswith("_yoy")
    }
    figures: dict[tuple[str, str, str], Decimal] = {}
    for cells in grid.rows[HEAD_ROW + 1 :]:
        roster, unit = str(cells[0] or "").strip(), str(cells[1] or "").strip()
        for n, column in heads.items():
            value = _figure(cells[n])
            if value is not None and unit:
                figures[roster, unit, column] = value
    return IssuedFigures(figures, frozenset((r, u) for r, u, _ in figures), frozenset(c for _, _, c in figures))


def _figure(cell: CellValue) -> Decimal | None:
    if isinstance(cell, bool) or not isinstance(cell, float | int | str) or cell == "":
        return None
    try:
        return Decimal(f"{cell:.15g}" if isinstance(cell, float) else str(cell).strip())
    except InvalidOperation:
        return None


@dataclass(frozen=True)
class Restated:
    """One 上年同期 cell: what was issued, what stands there, the reason code beside it."""

    roster: str
    unit: str
    column: str
    issued: Decimal | None
    now: Decimal | int | None
    reason: str

    @property
    def is_changed(self) -> bool:
        """Whether the issued figure was changed or deleted."""
        return self.issued is not None and (self.now is None or Decimal(self.now) != self.issued)


def restated_cells(
    issued: IssuedFigures,
    roster: str,
    units: Sequence[str | None],
    columns: Mapping[str, Sequence[Decimal | int | None]],
    reasons: Sequence[str],
) -> list[tuple[int, Restated]]:
    """(row in the frame, cell) for every 上年同期 cell that was changed."""
    found: list[tuple[int, Restated]] = []
    for column, values in columns.items():
        if column not in issued.columns:
            continue
        for n, (unit, value) in enumerate(zip(units, values, strict=True)):
            if unit is None:
                continue
            before = issued.figures.get((roster, unit, column))
            if before is not None and (value is None or value != before):
                found.append((n, Restated(roster, unit, column, before, value, reasons[n])))
    return found


def entrants_without_figure(
    issued: IssuedFigures,
    roster: str,
    units: Sequence[str | None],
    current: Mapping[str, Sequence[object]],
    columns: Mapping[str, Sequence[Decimal | int | None]],
) -> list[tuple[int, str]]:
    """(row, column) where a unit that had no figure of the year before reports this year's but leaves 上年同期 blank.

    Only where the template stated figures of other units in that column: else nothing tells who is an entrant.
    """
    return [
        (n, column)
        for column, values in columns.items()
        if column in issued.columns
        for n, (unit, value) in enumerate(zip(units, values, strict=True))
        if unit is not None
        and value is None
        and (roster, unit) not in issued.units
        and current.get(column.removesuffix("_yoy"), [None] * len(units))[n] is not None
    ]
