"""Files → grids of raw cell values, every sheet from A1, with error cells and uncalculated formulas told from blanks.

calamine reads; it turns an error cell and a formula without a result into a blank, so what the guard found is laid over.
openpyxl reads a sheet that calamine refuses (one #SPILL! is enough). Call these functions only inside ``sources.pool``:
both parsers can be made to abort or to hang.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from xml.etree.ElementTree import ParseError

from python_calamine import CalamineError, CalamineWorkbook

from sources.cells import UNCALCULATED, CellError, CellValue
from sources.delimited import read_table
from sources.guard import Inspection, inspect
from sources.guard_facts import Area, Position, SheetFacts, address
from sources.guard_refusals import refusal

if TYPE_CHECKING:
    from openpyxl import Workbook

Rows = list[list[CellValue]]

# What openpyxl raises on a damaged or unusual file; it documents none of it.
OPENPYXL_ERRORS = (
    zipfile.BadZipFile,
    ParseError,
    KeyError,
    IndexError,
    ValueError,
    TypeError,
    AttributeError,
    OverflowError,
)


@dataclass(frozen=True)
class Grid:
    """One sheet. ``rows[r][c]`` is the cell r rows below and c columns right of A1; all rows are of the same length.

    Blank is "" (or None); an error cell is a CellError, in ``rows`` as well as in ``errors``; a formula without a result is
    UNCALCULATED. All positions count from 0.
    """

    sheet: str
    visible: bool
    rows: Rows = field(repr=False)
    errors: dict[Position, str] = field(default_factory=dict)
    merges: tuple[Area, ...] = ()
    hidden_rows: frozenset[int] = frozenset()
    hidden_columns: frozenset[int] = frozenset()
    has_filter: bool = False
    is_1904: bool = False
    is_text_file: bool = False

    def column(self, index: int, first_row: int = 0, last_row: int | None = None) -> list[CellValue]:
        """The values of one column, between two rows (the last one included)."""
        return [row[index] for row in self.rows[first_row : None if last_row is None else last_row + 1]]

    def covered_by_merges(self) -> list[tuple[int, int, str]]:
        """Row and column of every cell that a merged area covers, all but its first, and the area: nobody sees them, and readers read them."""
        return [
            (row, column, name)
            for area in self.merges
            for name in (f"{address(area.first_row, area.first_column)}:{address(area.last_row, area.last_column)}",)
            for row in range(area.first_row, min(area.last_row + 1, len(self.rows)))
            for column in range(area.first_column, min(area.last_column + 1, len(self.rows[row])))
            if (row, column) != (area.first_row, area.first_column)
        ]

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader would pass over in silence, as sentences for the clerk: hidden things are read like all others."""
        where = f"工作表“{self.sheet}”"
        found = [] if self.visible else [f"{where}是隐藏的,已照常读取。"]
        if self.hidden_rows:
            found.append(
                f"{where}有 {len(self.hidden_rows)} 行隐藏{'(筛选中)' if self.has_filter else ''},已照常读取。"
            )
        if self.hidden_columns:
            found.append(f"{where}有 {len(self.hidden_columns)} 列隐藏,已照常读取。")
        if covered := [(r, c) for r, c, _ in self.covered_by_merges() if self.rows[r][c] not in ("", None)]:
            places = "、".join(address(*place) for place in covered[:10])
            found.append(f"{where}的合并单元格下面还盖有数据({places}),已照常读取,请核对或清除。")
        return tuple(found)

    def address(self, row: int, column: int) -> str:
        """The A1 address of a cell."""
        return address(row, column)


def read_grids(data: bytes, name: str, *, leave_out: Collection[str] = ()) -> list[Grid]:
    """All sheets of a file, hidden ones too, in their order, but those named in ``leave_out``.

    Raises SubmissionError; may panic or abort: see ``sources.pool``. The guard looks at every sheet, left out or not.
    """
    return read_inspected(inspect(data, name), leave_out=leave_out)


def read_inspected(inspection: Inspection, *, leave_out: Collection[str] = ()) -> list[Grid]:
    """As ``read_grids``, for a file the guard has passed."""
    if inspection.format == "text":
        return [_text_grid(inspection)]
    try:
        workbook = CalamineWorkbook.from_filelike(io.BytesIO(inspection.content))
    except CalamineError as error:
        if inspection.format != "xlsx":
            raise refusal("unreadable", found="E-READ") from error
        workbook = None
    second = _SecondReader(inspection)
    grids: list[Grid] = []
    for facts in inspection.worksheets:
        if facts.name in leave_out:
            continue
        try:
            rows: Rows = second.rows(facts) if workbook is None else _rows(workbook, facts)
        except CalamineError:
            rows = second.rows(facts)
        grids.append(_grid(facts, rows, inspection))
    return grids


def _rows(workbook: CalamineWorkbook, facts: SheetFacts) -> Rows:
    rows: Rows = workbook.get_sheet_by_name(facts.name).to_python(skip_empty_area=False)
    return rows


def _grid(facts: SheetFacts, rows: Rows, inspection: Inspection) -> Grid:
    lay(rows, ((place, CellError(text)) for place, text in facts.errors.items()))
    lay(rows, ((place, UNCALCULATED) for place in facts.uncalculated))
    return Grid(
        facts.name,
        facts.visibility == "visible",
        rows,
        dict(facts.errors),
        tuple(facts.merges),
        frozenset(facts.hidden_rows),
        frozenset(facts.hidden_columns),
        facts.has_filter,
        inspection.is_1904,
    )


def lay(rows: Rows, marks: Iterable[tuple[Position, CellValue]]) -> None:
    """Put marks over ``rows``; a mark outside enlarges the rectangle."""
    width = len(rows[0]) if rows else 0
    for (row, column), mark in marks:
        if column >= width:
            for cells in rows:
                cells.extend([""] * (column + 1 - width))
            width = column + 1
        while row >= len(rows):
            rows.append([""] * width)
        rows[row][column] = mark


class _SecondReader:
    """openpyxl, opened when it is first needed."""

    def __init__(self, inspection: Inspection) -> None:
        self.inspection = inspection
        self._workbook: Workbook | None = None

    def rows(self, facts: SheetFacts) -> Rows:
        """One sheet as calamine would give it. Raises SubmissionError where this reader fails too."""
        if self.inspection.format != "xlsx":
            raise refusal("unreadable", found=f"工作表“{facts.name}”")
        import openpyxl  # 0.4 s that hardly any file needs

        try:
            if self._workbook is None:
                content = io.BytesIO(self.inspection.content)
                self._workbook = openpyxl.load_workbook(content, read_only=True, data_only=True, keep_links=False)
            sheet = self._workbook[facts.name]
            # the extent a file declares is not to be believed; the guard has bounded the real one
            sheet.reset_dimensions()
            rows: Rows = [[_as_calamine(value) for value in row] for row in sheet.iter_rows(values_only=True)]
        except OPENPYXL_ERRORS as error:
            raise refusal("unreadable", found=f"工作表“{facts.name}”") from error
        width = max((len(row) for row in rows), default=0)
        for row in rows:
            row.extend([""] * (width - len(row)))
        return rows


def _as_calamine(value: object) -> CellValue:
    """A value of openpyxl as calamine gives it: floats, "" for blank, a date without a time as a date."""
    match value:
        case None:
            return ""
        case bool() | str() | float():
            return value
        case int():
            return float(value)
        case datetime() if value == datetime(value.year, value.month, value.day):
            return date(value.year, value.month, value.day)
    return value  # type: ignore[return-value]


def _text_grid(inspection: Inspection) -> Grid:
    table = read_table(inspection.content)
    return Grid(
        PurePosixPath(inspection.name.replace("\\", "/")).stem,
        visible=True,
        rows=table.rows,
        errors=table.errors,
        is_text_file=True,
    )
