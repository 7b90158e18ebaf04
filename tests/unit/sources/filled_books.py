"""Little workbooks as parks send them, cell by cell, for the tests of reader and audit."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import openpyxl
from openpyxl.workbook import Workbook

A, B, C = "91620100224369270Y", "91620100MA72PQRT0X", "91620100MA71ABCD6U"
QUARTER = {"programme": "park", "edition": "2015", "period": "2015-Q2", "park": "LBGX"}
FOOT = ("单位负责人:", None, "统计负责人:", None, "报出日期:")

Row = Sequence[object]


@dataclass(frozen=True)
class ErrorCell:
    """A cell that shows an error."""

    text: str


@dataclass(frozen=True)
class Formula:
    """A formula nobody has calculated."""

    text: str


def book(
    sheets: Mapping[str, Sequence[Row]],
    *,
    meta: Mapping[str, str] | None = QUARTER,
    change: Callable[[Workbook], None] = lambda _: None,
) -> bytes:
    """An .xlsx of these sheets, row by row from A1; ``meta`` None leaves the hidden sheet out."""
    workbook = Workbook()
    workbook.remove(workbook.worksheets[0])
    for name, rows in sheets.items():
        sheet = workbook.create_sheet(name)
        for r, row in enumerate(rows, 1):
            for c, value in enumerate(row, 1):
                cell = sheet.cell(r, c)
                if isinstance(value, ErrorCell):
                    cell.value, cell.data_type = value.text, "e"
                elif isinstance(value, Formula):
                    cell.value = value.text
                else:
                    cell.value = value  # type: ignore[assignment]
    if meta is not None:
        hidden = workbook.create_sheet("_meta")
        hidden.sheet_state = "veryHidden"
        for pair in meta.items():
            hidden.append(pair)
    change(workbook)
    buffer = io.BytesIO()
    workbook.save(buffer)
    return buffer.getvalue()


def resaved(data: bytes, change: Callable[[Workbook], None]) -> bytes:
    """A workbook after somebody worked on it."""
    workbook = openpyxl.load_workbook(io.BytesIO(data))
    change(workbook)
    buffer = io.BytesIO()
    workbook.save(buffer)
    return buffer.getvalue()
