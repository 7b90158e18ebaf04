"""Which forms a workbook holds, for which period and park: by ``_meta`` and code rows, never by sheet name or place."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from schemas import reserved
from schemas.errors import DefinitionError
from schemas.layout import (
    AUDIT,
    META_SHEET,
    PARK_HEAD,
    PERIOD_HEAD,
    SHEET_ANCHORS,
    YEAR_EARLIER_REASON,
    Anchor,
    Role,
    SheetLayout,
    is_code_row,
)
from schemas.model import Edition, Form
from schemas.period import Period
from sources.cells import CellValue
from sources.grid import Grid

SCANNED_ROWS = 60
MOST_NOTES = 3
_PRINTED_PERIOD = re.compile(r"20\d\d(?:-?Q[1-4])?(?=\s*$)")
_PARK_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_-]{1,19}")
_PRINTED_PARK = re.compile(r"[((]([A-Z][A-Z0-9_-]{1,19})[))]$")
_HEADS = frozenset({*SHEET_ANCHORS, YEAR_EARLIER_REASON, AUDIT})

Located = tuple[Grid, int]


def code_rows(grid: Grid) -> list[int]:
    """0-based rows that are code rows, looking at the top of the sheet; one that is only repeated further down counts once."""
    found: list[int] = []
    for n in _code_rows(grid):
        if all(anchors_of(grid.rows[n]) != anchors_of(grid.rows[m]) or not anchors_of(grid.rows[n]) for m in found):
            found.append(n)
    return found


def _code_rows(grid: Grid) -> list[int]:
    return [
        n
        for n, cells in enumerate(grid.rows[:SCANNED_ROWS])
        if _begins_as_one(cells) and (is_code_row(cells) or _is_code_row_with_notes(cells))
    ]


def _is_code_row_with_notes(cells: Sequence[CellValue]) -> bool:
    """A code row into which somebody wrote the head of a column of their own: hardly anything else in it is no anchor."""
    filled = [c for c in cells if isinstance(c, str) and c.strip()]
    anchors = sum(c.strip() in _HEADS or Anchor.parse(c) is not None for c in filled)
    return 5 <= anchors < len(filled) <= anchors + MOST_NOTES and is_code_row(
        [c for c in filled if c.strip() in _HEADS or Anchor.parse(c) is not None]
    )


def _begins_as_one(cells: Sequence[CellValue]) -> bool:
    """Whether the first filled cell could stand in a code row: most rows are told apart by it alone."""
    first = next((c for c in cells if c is not None and c != "" and not (isinstance(c, str) and not c.strip())), None)
    return isinstance(first, str) and (first.strip() in _HEADS or Anchor.parse(first) is not None)


def meta_of(grids: Iterable[Grid]) -> dict[str, str]:
    """What the hidden sheet of a template says of itself; empty where it was deleted."""
    for grid in grids:
        if grid.sheet == META_SHEET:
            return {
                str(r[0]).strip(): str(r[1]).strip()
                for r in grid.rows
                if len(r) > 1 and _filled(r[0]) and _filled(r[1])
            }
    return {}


def anchors_of(cells: Sequence[CellValue]) -> dict[int, Anchor]:
    """Position → anchor of the cells of a code row."""
    return {n: anchor for n, cell in enumerate(cells) if (anchor := Anchor.parse(cell)) is not None}


def form_of(grid: Grid, row: int, edition: Edition) -> Form | None:
    """The form most of whose codes stand in the code row; identification columns do not count."""
    if any(isinstance(c, str) and c.strip() == "value" for c in grid.rows[row]):
        column = next(n for n, c in enumerate(grid.rows[row]) if isinstance(c, str) and c.strip() == "code")
        codes = [str(r[column]).strip() for r in grid.rows[row + 1 :] if len(r) > column and isinstance(r[column], str)]
    else:
        codes = [a.code for a in anchors_of(grid.rows[row]).values()]
    votes: dict[str, int] = {}
    for code in set(codes):
        indicator = edition.indicators.get(code)
        if indicator is not None:
            votes[indicator.form] = votes.get(indicator.form, 0) + 1
    if reserved.BASIC in votes and len(votes) > 1:
        votes[reserved.BASIC] -= len({reserved.UNIT, reserved.NAME} & set(codes))
    return edition.forms[max(votes, key=lambda f: votes[f])] if votes else None


def heading(text: str) -> str:
    """A column head without blanks, line breaks and the star of a required column."""
    return "".join(text.split()).lstrip("*")


def looks_like(grid: Grid, layout: SheetLayout) -> bool:
    """Whether some row of a sheet without a code row is the printed head of this form: most heads of its own columns stand in it."""
    shared = {column.header for column in layout.columns if column.role in (Role.KEY, Role.REASON, Role.AUDIT)}
    heads = {heading(column.header) for column in layout.columns if column.header not in shared}
    for cells in grid.rows[:SCANNED_ROWS]:
        standing = {heading(c) for c in cells if isinstance(c, str) and c}
        if len(heads & standing) > len(heads) / 2:
            return True
    return False


def period_of(meta: dict[str, str], located: Sequence[Located]) -> Period | None:
    """The period ``_meta`` names, else the first one that column B03 or a line of a form's head states, as code or in words."""
    for text in _period_texts(meta, located):
        try:
            return Period.parse(text)
        except DefinitionError:
            continue
    return None


def _period_texts(meta: dict[str, str], located: Sequence[Located]) -> Iterator[str]:
    if meta.get("period"):
        yield meta["period"]
    for grid, row in located:
        for n, anchor in anchors_of(grid.rows[row]).items():
            if anchor.code == reserved.PERIOD and not anchor.lag:
                below = grid.rows[row + 1 : row + 20]
                yield from (str(r[n]).removesuffix(".0") for r in below if len(r) > n and _filled(r[n]))
        for cells in grid.rows[:row]:
            for cell in cells:
                if isinstance(cell, str):
                    yield from _PRINTED_PERIOD.findall(cell)
                    named = Period.of_title(cell) if cell.strip().startswith(PERIOD_HEAD) else None
                    yield from [str(named)] if named else []


def park_in_cells(located: Sequence[Located]) -> str | None:
    """The one park that column B04 of a form names, where ``_meta`` is lost, else the one all heads name; a head that is
    repeated in its column names none."""
    for grid, row in located:
        for n, anchor in anchors_of(grid.rows[row]).items():
            if anchor.code == reserved.PARK and not anchor.lag:
                stated = (str(r[n]).strip() for r in grid.rows[row + 1 :] if len(r) > n and _filled(r[n]))
                found = {text for text in stated if _PARK_CODE.fullmatch(text) and Anchor.parse(text) is None}
                if len(found) == 1:
                    return found.pop()
    heads = (
        cell.strip() for grid, row in located for cells in grid.rows[:row] for cell in cells if isinstance(cell, str)
    )
    printed = {named[1] for head in heads if head.startswith(PARK_HEAD) and (named := _PRINTED_PARK.search(head))}
    return printed.pop() if len(printed) == 1 else None


def _filled(cell: CellValue) -> bool:
    return cell is not None and cell != ""
