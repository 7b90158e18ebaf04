"""Error cell, formula without result and blank are three things; addresses hold; the second reader steps in."""

from __future__ import annotations

import io
from datetime import date
from decimal import Decimal
from unittest.mock import patch

import openpyxl
import pytest
import xlsxwriter

from schemas.errors import SubmissionError
from sources import grid as grid_module
from sources.cells import UNCALCULATED, CellError, parse_column
from sources.grid import Grid, lay, read_grids
from sources.guard_facts import Area
from tests.unit.sources.books import book, ods, ordinary, package, sheet_xml, strings_xml


def test_cells_keep_their_address_whatever_is_empty_before_them() -> None:
    def fill(workbook: xlsxwriter.Workbook) -> None:
        workbook.add_worksheet("空")
        sheet = workbook.add_worksheet("表")
        sheet.write_number("C4", 7)
        sheet.write_string("E6", "末")

    empty, grid = read_grids(book(fill), "a.xlsx")
    assert empty.rows == []
    assert grid.sheet == "表"
    assert grid.rows[3][2] == 7.0
    assert grid.rows[5][4] == "末"
    assert {len(row) for row in grid.rows} == {5}
    assert grid.address(3, 2) == "C4"
    assert grid.column(2, 2, 4) == ["", 7.0, ""]


def test_error_uncalculated_and_blank_are_three_things() -> None:
    def fill(workbook: xlsxwriter.Workbook) -> None:
        sheet = workbook.add_worksheet("表")
        sheet.write_formula("A1", "=1/0", value="#DIV/0!")
        sheet.write_formula("B1", "=A2", value="")
        sheet.write_blank("C1", None, workbook.add_format({"bold": True}))
        sheet.write_number("D1", 1)
        sheet.write_formula("F3", "=NA()", value="#N/A")
        sheet.write_formula("H5", "=A2", value="")

    (grid,) = read_grids(book(fill), "a.xlsx")
    assert grid.rows[0][:4] == [CellError("#DIV/0!"), UNCALCULATED, "", 1.0]
    assert grid.rows[2][5] == CellError("#N/A")
    assert grid.rows[4][7] == UNCALCULATED
    assert grid.errors == {(0, 0): "#DIV/0!", (2, 5): "#N/A"}
    assert sum(value == UNCALCULATED for row in grid.rows for value in row) == 2


def test_one_spill_error_does_not_lose_the_sheet() -> None:
    rows = (
        '<row r="2"><c r="B2"><v>5</v></c><c r="C2" t="e"><v>#SPILL!</v></c><c r="D2" t="s"><v>0</v></c>'
        '<c r="E2" t="b"><v>1</v></c></row><row r="4"><c r="B4"><f>1+1</f></c></row>'
    )
    (grid,) = read_grids(package(sheet_xml(rows)), "a.xlsx")
    assert grid.rows[1] == ["", 5.0, CellError("#SPILL!"), "甲", True]
    assert grid.rows[3][1] == UNCALCULATED
    assert len(grid.rows) == 4


def test_both_readers_give_the_same_cells() -> None:
    def fill(workbook: xlsxwriter.Workbook) -> None:
        sheet = workbook.add_worksheet("表")
        day = workbook.add_format({"num_format": "yyyy-mm-dd"})
        sheet.write_row("B2", [1, 2.5, "文", True])
        sheet.write_number("F2", 45000, day)
        sheet.write_number("B5", 12345678901234)
        sheet.write_formula("C5", "=B2", value=8)

    data = book(fill)
    (first,) = read_grids(data, "a.xlsx")

    def broken(*_: object) -> None:
        raise grid_module.CalamineError("no")

    with patch.object(grid_module, "_rows", broken):
        (second,) = read_grids(data, "a.xlsx")
    assert second.rows == first.rows
    assert first.rows[1][5] == date(2023, 3, 15)


def test_where_no_reader_can_the_refusal_names_the_sheet() -> None:
    def broken(*_: object) -> None:
        raise grid_module.CalamineError("no")

    with patch.object(grid_module, "_rows", broken), pytest.raises(SubmissionError, match="工作表“表”") as refused:
        read_grids(ods('<table:table-row><table:table-cell office:value-type="float" office:value="1"/></table:table-row>'), "a.ods")  # fmt: skip
    assert refused.value.code == "unreadable"


def test_hidden_sheets_rows_columns_and_merges_come_with_the_grid() -> None:
    def fill(workbook: xlsxwriter.Workbook) -> None:
        sheet = workbook.add_worksheet("表")
        for row in range(6):
            sheet.write_row(row, 0, [row, row, row])
        sheet.merge_range("A1:B2", "合")
        sheet.write_number("B2", 99)
        sheet.set_row(4, None, None, {"hidden": True})
        sheet.set_column("C:C", None, None, {"hidden": True})
        workbook.add_worksheet("藏").hide()

    shown, hidden = read_grids(book(fill), "a.xlsx")
    assert (shown.visible, hidden.visible) == (True, False)
    assert shown.merges == (Area(0, 0, 1, 1),)
    assert shown.hidden_rows == {4}
    assert shown.hidden_columns == {2}
    assert shown.covered_by_merges() == [(0, 1, "A1:B2"), (1, 0, "A1:B2"), (1, 1, "A1:B2")]
    assert [note[:14] for note in shown.notes] == [
        "工作表“表”有 1 行隐藏,",
        "工作表“表”有 1 列隐藏,",
        "工作表“表”的合并单元格下面",
    ]
    assert "B1、A2、B2" in shown.notes[2]
    assert hidden.notes == ("工作表“藏”是隐藏的,已照常读取。",)


def test_dates_of_1904_are_read_as_the_workbook_means_them() -> None:
    buffer = io.BytesIO()
    workbook = openpyxl.Workbook()
    workbook.epoch = openpyxl.utils.datetime.CALENDAR_MAC_1904
    sheet = workbook.active
    assert sheet is not None
    sheet["A1"] = date(2027, 3, 16)
    workbook.save(buffer)
    (grid,) = read_grids(buffer.getvalue(), "a.xlsx")
    assert grid.is_1904
    assert grid.rows[0][0] == date(2027, 3, 16)


def test_an_ods_error_cell_is_told_from_a_blank() -> None:
    cells = (
        '<table:table-cell office:value-type="float" office:value="4"><text:p>4</text:p></table:table-cell>'
        '<table:table-cell table:formula="of:=1/0" office:value-type="string" calcext:value-type="error"><text:p>#DIV/0!</text:p></table:table-cell>'
        '<table:table-cell/><table:table-cell table:formula="of:=1"/>'
    )
    (grid,) = read_grids(ods(f"<table:table-row>{cells}</table:table-row>"), "a.ods")
    assert grid.rows[0] == [4.0, CellError("#DIV/0!"), "", UNCALCULATED]


def test_a_mark_outside_the_cells_enlarges_the_rectangle() -> None:
    rows: grid_module.Rows = [[1.0]]
    lay(rows, [((2, 3), UNCALCULATED)])
    assert rows == [[1.0, "", "", ""], ["", "", "", ""], ["", "", "", UNCALCULATED]]
    nothing: grid_module.Rows = []
    lay(nothing, [((0, 0), CellError("#REF!"))])
    assert nothing == [[CellError("#REF!")]]


def test_an_ordinary_workbook_reads_whole() -> None:
    money, meta = read_grids(ordinary(), "a.xlsx")
    assert isinstance(money, Grid)
    assert money.rows[2][:3] == ["91620100MA00000002", 2001.0, 2002.0]
    assert money.rows[31][11] == 62_003.0
    assert meta.rows == [["2025-Q1"]]


def test_figures_that_no_spreadsheet_shows_reach_the_column_as_they_are() -> None:
    """calamine takes 1e999, NaN, text in a number cell and escapes; the column says what is wrong with each."""
    rows = (
        '<row r="1"><c r="A1"><v>1e999</v></c><c r="B1"><v>NaN</v></c><c r="C1"><v>-0</v></c><c r="D1" t="s"><v>0</v></c>'
        '<c r="E1"><v>12345678901234567890</v></c><c r="F1"><v>0.30000000000000004</v></c></row>'
    )
    (grid,) = read_grids(package(sheet_xml(rows), strings_xml("_x0000_甲")), "a.xlsx")
    series, problems, _ = parse_column([*grid.rows[0][:3], *grid.rows[0][4:]], "number", 1)
    assert [p.code for p in problems] == ["not_finite", "not_finite", "digits"]
    assert series.to_list() == [None, None, 0, None, Decimal("0.3")]
    assert parse_column([grid.rows[0][3]], "text")[0].to_list() == ["甲"]
