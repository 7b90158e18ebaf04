"""A foreign workbook → its figures, each with the labels that say what it is and the cell it stands in. Guesses nothing.

Where labels stand is told by a mapping (``schemas.history_map``). Runs inside a limited child process (``sources.pool``), behind
the same guard as every workbook.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from schemas.errors import DefinitionError
from schemas.history_map import ForeignTable, HistoryMap, Where
from schemas.layout import column_letter
from sources.cell_values import CellValue
from sources.grid import Grid, read_grids
from sources.measures import plain_text

TOTALS = ("合计", "总计", "小计", "注:", "注:", "说明:", "备注:", "资料来源")
_LETTERS = re.compile(r"[A-Z]{1,3}")
_RANGE = re.compile(r"([A-Z]{1,3}):([A-Z]{1,3})")


@dataclass(frozen=True)
class ForeignFigure:
    """One filled cell with its labels as they stand; empty where the mapping names no place for one. ``row`` as Excel counts."""

    sheet: str
    letter: str
    row: int
    period: str
    park: str
    unit: str
    indicator: str
    unit_measure: str
    value: CellValue


@dataclass(frozen=True)
class ForeignReading:
    """What a foreign workbook says. ``skipped``: (sheet, row, label) of totals and notes that were left out."""

    name: str
    sha256: str
    figures: tuple[ForeignFigure, ...] = field(repr=False)
    skipped: tuple[tuple[str, int, str], ...] = ()


def read_foreign(data: bytes, name: str, mapping: HistoryMap) -> ForeignReading:
    """Guard and read one file. Raises SubmissionError for a file that cannot be taken in, DefinitionError where the mapping
    names a sheet, row or column that it does not have."""
    grids = read_grids(data, name)
    figures: list[ForeignFigure] = []
    skipped: list[tuple[str, int, str]] = []
    for table in mapping.tables:
        grid = _sheet_of(grids, table, name)
        found, left_out = _figures(grid, table)
        figures += found
        skipped += left_out
    return ForeignReading(name, hashlib.sha256(data).hexdigest(), tuple(figures), tuple(skipped))


def _sheet_of(grids: Sequence[Grid], table: ForeignTable, name: str) -> Grid:
    if isinstance(table.sheet, int):
        if table.sheet <= len(grids):
            return grids[table.sheet - 1]
    elif grids and grids[0].is_text_file:
        return grids[0]
    else:
        for grid in grids:
            if plain_text(grid.sheet) == plain_text(table.sheet):
                return grid
    listed = "、".join(grid.sheet for grid in grids)
    raise DefinitionError(f"《{name}》没有工作表“{table.sheet}”", remedy=f"可用的有:{listed}。")


def _figures(grid: Grid, table: ForeignTable) -> tuple[list[ForeignFigure], list[tuple[str, int, str]]]:
    rows = _spread(grid, table)
    width = len(rows[0]) if rows else 0
    roles = {
        d: replace(w, columns=tuple(_letter(grid, table, rows, c) for c in w.columns)) for d, w in table.at.items()
    }
    labels = {_index(letter) for where in roles.values() for letter in where.columns}
    if table.fill_down:
        _fill_down(rows, labels, table.first_row)
    places = _chosen(table, width) if table.columns else [n for n in range(width) if n not in labels]
    last = min(table.last_row or len(rows), len(rows))
    found: list[ForeignFigure] = []
    skipped: list[tuple[str, int, str]] = []
    for n in range(table.first_row - 1, last):
        first = next((c for c in rows[n] if c not in (None, "")), None)
        if isinstance(first, str) and _is_left_out(first, table):
            skipped.append((grid.sheet, n + 1, first.strip()))
            continue
        for place in places:
            value = grid.rows[n][place]
            if value is None or value == "" or (isinstance(value, str) and not value.strip()):
                continue
            texts = {d: _text(grid, rows, where, n, place) for d, where in roles.items()}
            if not texts["indicator"]:
                continue  # a column without a head, a row without a label: no figure of the table
            found.append(ForeignFigure(
                grid.sheet, column_letter(place), n + 1, texts["period"], texts["park"], texts.get("unit", ""),
                texts["indicator"], texts.get("unit_measure", ""), value,
            ))  # fmt: skip
    return found, skipped


def _is_left_out(first: str, table: ForeignTable) -> bool:
    text = plain_text(first)
    return text.startswith(tuple(plain_text(t) for t in (*TOTALS, *table.skip_rows)))


def _spread(grid: Grid, table: ForeignTable) -> list[list[CellValue]]:
    """The cells with what merged areas show in every cell they cover, and heads that stand for the columns beside them."""
    rows = [list(cells) for cells in grid.rows]
    for merged in grid.merges:
        if merged.first_row < len(rows):
            shown = rows[merged.first_row][merged.first_column]
            for r in range(merged.first_row, min(merged.last_row + 1, len(rows))):
                for c in range(merged.first_column, min(merged.last_column + 1, len(rows[r]))):
                    rows[r][c] = shown
    for head in table.head_rows[:-1]:
        if head <= len(rows):
            cells = rows[head - 1]
            for c in range(1, len(cells)):
                cells[c] = cells[c - 1] if cells[c] in (None, "") else cells[c]
    return rows


def _fill_down(rows: list[list[CellValue]], columns: set[int], first_row: int) -> None:
    """A label that is written once for the rows below it."""
    for n in range(first_row, len(rows)):
        for c in columns:
            if c < len(rows[n]) and rows[n][c] in (None, ""):
                rows[n][c] = rows[n - 1][c]


def _letter(grid: Grid, table: ForeignTable, rows: Sequence[Sequence[CellValue]], named: str) -> str:
    """The letter of a column named by its letter or by what one of its head cells says."""
    if _LETTERS.fullmatch(named):
        return named
    wanted = plain_text(named)
    for head in table.head_rows:
        for n, cell in enumerate(rows[head - 1] if head <= len(rows) else ()):
            if cell not in (None, "") and plain_text(cell) == wanted:
                return column_letter(n)
    raise DefinitionError(f"工作表“{grid.sheet}”的表头里没有“{named}”列", remedy="请核对 head_rows,或改写列的字母。")


def _index(letter: str) -> int:
    number = 0
    for c in letter:
        number = number * 26 + ord(c) - 64
    return number - 1


def _chosen(table: ForeignTable, width: int) -> list[int]:
    found: list[int] = []
    for one in table.columns:
        span = _RANGE.fullmatch(one)
        ends = (_index(span[1]), _index(span[2])) if span else (_index(one), _index(one))
        found += [n for n in range(ends[0], ends[1] + 1) if n < width]
    return found


def _text(grid: Grid, rows: Sequence[Sequence[CellValue]], where: Where, row: int, column: int) -> str:
    """A label of one figure as text."""
    if where.value:
        return where.value
    if where.is_sheet:
        return grid.sheet
    cells = [rows[row][_index(c)] for c in where.columns if _index(c) < len(rows[row])]
    cells += [rows[head - 1][column] for head in where.head if head <= len(rows)]
    return "".join(label(cell) for cell in cells)


def label(cell: CellValue) -> str:
    """A cell as a label: 2013.0 is 2013."""
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip()
