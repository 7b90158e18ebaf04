"""Filling a template the way a clerk does: figures typed into the input cells of the workbook that was handed out."""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import date
from decimal import Decimal

import openpyxl
import polars as pl
from openpyxl.workbook import Workbook
from openpyxl.worksheet.worksheet import Worksheet

from schemas.layout import FOOT, Anchor, is_code_row

Figures = Mapping[str, pl.DataFrame]


def fill(template: bytes, figures: Figures, sheet: Mapping[str, object]) -> Workbook:
    """The template with the figures of every roster form and of the park's own form; saved by the caller."""
    book = openpyxl.load_workbook(io.BytesIO(template))
    by_unit = {code: {row["unit_id"]: row for row in frame.iter_rows(named=True)} for code, frame in figures.items()}
    for page in book.worksheets:
        heads = _code_row(page)
        if heads is None:
            continue
        row, cells = heads
        if "value" in cells:
            _fill_sheet(page, row, cells, sheet)
            continue
        form = _form(cells, figures)
        if form is not None:
            _fill_roster(page, row, cells, by_unit[form])
    return book


def _code_row(page: Worksheet) -> tuple[int, dict[str, int]] | None:
    for row in page.iter_rows(min_row=1, max_row=20):
        values = [c.value for c in row]
        if is_code_row(values):
            return int(row[0].row or 0), {str(c.value).strip(): int(c.column) for c in row if c.value not in (None, "")}
    return None


def _form(cells: Mapping[str, int], figures: Figures) -> str | None:
    best: tuple[int, str] | None = None
    for code, frame in figures.items():
        hits = len(
            set(frame.columns) & {a.column for c in cells if (a := Anchor.parse(c)) and a.code not in ("B01", "B02")}
        )
        if hits and (best is None or hits > best[0]):
            best = (hits, code)
    return best[1] if best else None


def _plain(value: object) -> object:
    match value:
        case bool():
            return "是" if value else "否"
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
    return value


def _fill_sheet(page: Worksheet, head: int, cells: Mapping[str, int], values: Mapping[str, object]) -> None:
    for row in range(head + 1, page.max_row + 1):
        code = page.cell(row, cells["code"]).value
        if isinstance(code, str) and code in values:
            page.cell(row, cells["value"]).value = _plain(values[code])  # type: ignore[assignment]
            if (
                f"{code}_yoy" in values
                and "value_yoy" in cells
                and page.cell(row, cells["value_yoy"]).value in (None, "")
            ):
                page.cell(row, cells["value_yoy"]).value = _plain(values[f"{code}_yoy"])  # type: ignore[assignment]


def _fill_roster(
    page: Worksheet, head: int, cells: Mapping[str, int], rows: Mapping[str, Mapping[str, object]]
) -> None:
    key = min(cells.values())
    pending = dict(rows)
    for row in range(head + 1, head + 1 + len(rows) + 4000):
        first = page.cell(row, key).value
        if isinstance(first, str) and first.startswith(FOOT):
            break
        if row > page.max_row:
            break
        unit = str(first) if first not in (None, "") else None
        if unit is None:
            unit = next(iter(pending), None) if "B01" not in cells else None
            if unit is None:
                continue
        # a key of several columns: the template shows the first one
        known = unit if unit in pending else next((k for k in pending if k.split("|")[0] == unit), "")
        values = pending.pop(known, None)
        if values is not None:
            _fill_row(page, row, cells, values)


def _fill_row(page: Worksheet, row: int, cells: Mapping[str, int], values: Mapping[str, object]) -> None:
    for code, column in cells.items():
        value = values.get(code)
        if value is None:
            continue
        cell = page.cell(row, column)
        if code.endswith("_yoy") and cell.value not in (None, ""):
            continue  # prefilled from last year's accepted figures; a clerk leaves it
        cell.value = _plain(value)  # type: ignore[assignment]
        if isinstance(value, date):
            cell.number_format = "yyyy-mm-dd"


def saved(book: Workbook) -> bytes:
    """The bytes a clerk's program writes."""
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()
