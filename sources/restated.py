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
            if any(_is_figure(cells[place]) for cells in self.rows.values())
        )

    def of_units(self, roster: str, units: Sequence[str | None]) -> list[Sequence[CellValue] | None]:
        """The cells of each unit in turn; None for a unit the template did not know."""
        return [self.rows.get((roster, unit)) if unit is not None else None for unit in units]

    def has_figures(self, roster: str, unit: str) -> bool:
        """Whether the unit has a figure in any column."""
        cells = self.rows.get((roster, unit))
        return cells is not None and any(_is_figure(cells[place]) for place in self.places.values())


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
                cells if before is None else [n if _is_figure(n) else b for b, n in zip(before, cells, strict=True)]
            )
    return IssuedFigures(rows, places)


def _figure(cell: CellValue) -> Decimal | None:
    if isinstance(cell, bool) or not isinstance(cell, float | int | str) or cell == "":
        return None
    try:
        return Decimal(f"{cell:.15g}" if isinstance(cell, float) else str(cell).strip())
    except InvalidOperation:
        return None


def _is_figure(cell: CellValue) -> bool:
    return type(cell) is float or (cell not in ("", None) and _figure(cell) is not None)


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


def left_as_issued(
    issued: IssuedFigures, roster: str, units: Sequence[str | None], cells: Mapping[str, Sequence[CellValue]]
) -> frozenset[str]:
    """Those 上年同期 columns of a form in which every raw cell is what the template put there; ``cells`` are in the order of ``units``."""
    known = issued.of_units(roster, units)
    return frozenset(
        column
        for column, standing in cells.items()
        if column in issued.columns
        and list(standing) == ["" if row is None else row[issued.places[column]] for row in known]
    )


def restated_cells(
    issued: IssuedFigures,
    roster: str,
    units: Sequence[str | None],
    columns: Mapping[str, Sequence[Decimal | int | None]],
    reason_of: Callable[[int], str],
) -> list[tuple[int, Restated]]:
    """(row in the frame, cell) for every 上年同期 cell that was changed; ``reason_of`` gives the code beside a row."""
    found: list[tuple[int, Restated]] = []
    if not columns:
        return found
    known = issued.of_units(roster, units)
    for column, values in columns.items():
        if column not in issued.columns:
            continue
        place = issued.places[column]
        for n, (cells, value) in enumerate(zip(known, values, strict=True)):
            cell = None if cells is None else cells[place]
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
    was_there: dict[str, bool] = {}
    for column, values in columns.items():
        reported = current.get(column.removesuffix("_yoy"))
        if column not in issued.columns or reported is None:
            continue
        for n, value in enumerate(values):
            unit = units[n]
            if value is None and reported[n] is not None and unit is not None:
                if unit not in was_there:
                    was_there[unit] = issued.has_figures(roster, unit)
                if not was_there[unit]:
                    found.append((n, column))
    return found
