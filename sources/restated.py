"""上年同期 as the park left it, held against what the template was issued with (survey_system 8.6).

A figure that was changed needs a reason code, an entrant needs a figure; both are findings. Every change with its reason is listed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from functools import cached_property

from schemas.layout import OPERANDS_SHEET
from sources.cells import CellValue
from sources.grid import Grid

HEAD_ROW = 2


@dataclass(frozen=True)
class IssuedFigures:
    """The hidden sheet ``_ops``: ``rows[roster, unit]`` are its cells as they stand, ``places`` the position of each column.

    A figure is only read where something is compared with it: most of them stand in the forms as they were issued.
    """

    rows: Mapping[tuple[str, str], Sequence[CellValue]] = field(default_factory=dict)
    places: Mapping[str, int] = field(default_factory=dict)

    @cached_property
    def columns(self) -> frozenset[str]:
        """Columns in which any unit has a figure."""
        return frozenset(
            column
            for column, place in self.places.items()
            if any(_figure(cells[place]) is not None for cells in self.rows.values())
        )

    def has_figures(self, roster: str, unit: str) -> bool:
        """Whether the unit has a figure in any column."""
        cells = self.rows.get((roster, unit))
        return cells is not None and any(_figure(cells[place]) is not None for place in self.places.values())


def issued_figures(grids: Iterable[Grid]) -> IssuedFigures:
    """What the template stated; empty where the sheet was deleted or held nothing."""
    grid = next((g for g in grids if g.sheet == OPERANDS_SHEET), None)
    if grid is None or len(grid.rows) <= HEAD_ROW:
        return IssuedFigures()
    places = {
        c.strip(): n for n, c in enumerate(grid.rows[HEAD_ROW]) if isinstance(c, str) and c.strip().endswith("_yoy")
    }
    rows: dict[tuple[str, str], Sequence[CellValue]] = {}
    for cells in grid.rows[HEAD_ROW + 1 :]:
        key = str(cells[0] or "").strip(), str(cells[1] or "").strip()
        if key[1]:
            before = rows.get(key)
            # a unit in two rows: what is blank in the second one stands in the first
            rows[key] = (
                cells
                if before is None
                else [n if _figure(n) is not None else b for b, n in zip(before, cells, strict=True)]
            )
    return IssuedFigures(rows, places)


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
    reason_of: Callable[[int], str],
) -> list[tuple[int, Restated]]:
    """(row in the frame, cell) for every 上年同期 cell that was changed; ``reason_of`` gives the code beside a row."""
    found: list[tuple[int, Restated]] = []
    known = [issued.rows.get((roster, unit)) if unit is not None else None for unit in units]
    for column, values in columns.items():
        if column not in issued.columns:
            continue
        place = issued.places[column]
        stated: list[CellValue] = [None if cells is None else cells[place] for cells in known]
        if stated == values:
            continue  # as they were issued, all of them
        for n, (cell, value) in enumerate(zip(stated, values, strict=True)):
            if cell is None or cell == "" or cell == value:
                continue
            before, unit = _figure(cell), units[n]
            if before is not None and unit is not None and (value is None or value != before):
                found.append((n, Restated(roster, unit, column, before, value, reason_of(n))))
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
    found: list[tuple[int, str]] = []
    for column, values in columns.items():
        reported = current.get(column.removesuffix("_yoy"))
        if column not in issued.columns or reported is None or None not in values:
            continue
        found += [
            (n, column)
            for n, (unit, value, now) in enumerate(zip(units, values, reported, strict=True))
            if value is None and now is not None and unit is not None and not issued.has_figures(roster, unit)
        ]
    return found
