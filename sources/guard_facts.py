"""What a guard finds in a workbook besides its values, and how cell addresses are read. Rows and columns count from 0."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache

from sources.guard_limits import SHEET_COLUMNS, SHEET_ROWS

Position = tuple[int, int]
REFERENCE = re.compile(r"([A-Za-z]{1,3})([0-9]{1,7})")


@dataclass(frozen=True)
class Area:
    """A rectangle of cells, first and last included, counted from 0."""

    first_row: int
    first_column: int
    last_row: int
    last_column: int

    @property
    def size(self) -> int:
        """Number of cells."""
        return (self.last_row - self.first_row + 1) * (self.last_column - self.first_column + 1)


@dataclass
class SheetFacts:
    """One sheet: what readers hide, or would trip over.

    ``errors`` maps a cell to the error it shows (``#REF!``), ``uncalculated`` are formulas saved without a result, ``doubtful``
    those whose result is empty or 0 in a workbook that asks to be calculated (used while scanning; see guard_sheet.settle).
    ``visibility`` is visible, hidden or very hidden. ``rows`` and ``columns`` bound the cells that hold something;
    after a fast scan they are upper bounds. ``formula_places`` are row × ``SHEET_COLUMNS`` + column of the formulas of an .xlsx.
    """

    name: str = ""
    visibility: str = "visible"
    part: str = ""
    cells: int = 0
    rows: int = 0
    columns: int = 0
    formulas: int = 0
    formula_places: list[int] = field(default_factory=list)
    errors: dict[Position, str] = field(default_factory=dict)
    uncalculated: set[Position] = field(default_factory=set)
    doubtful: set[Position] = field(default_factory=set)
    merges: list[Area] = field(default_factory=list)
    hidden_rows: set[int] = field(default_factory=set)
    hidden_columns: set[int] = field(default_factory=set)
    has_filter: bool = False
    is_protected: bool = False
    is_worksheet: bool = True


@lru_cache(maxsize=4096)
def column_index(letters: str) -> int:
    """Column letters → index from 0: A is 0, XFD is 16,383."""
    number = 0
    for letter in letters.upper():
        number = number * 26 + ord(letter) - 64
    return number - 1


@lru_cache(maxsize=4096)
def column_letters(index: int) -> str:
    """Index from 0 → column letters."""
    letters = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def address(row: int, column: int) -> str:
    """The A1 address of a cell counted from 0."""
    return f"{column_letters(column)}{row + 1}"


def position(reference: str) -> Position | None:
    """(row, column) from 0 of an A1 reference; None where no such cell exists on a sheet."""
    match = REFERENCE.fullmatch(reference)
    if match is None:
        return None
    row, column = int(match[2]) - 1, column_index(match[1])
    return (row, column) if 0 <= row < SHEET_ROWS and column < SHEET_COLUMNS else None


def area(reference: str) -> Area | None:
    """The area of ``A1:B2`` or ``A1``; None where it does not lie on a sheet."""
    first, _, last = reference.partition(":")
    start, end = position(first), position(last or first)
    if start is None or end is None or end[0] < start[0] or end[1] < start[1]:
        return None
    return Area(start[0], start[1], end[0], end[1])
