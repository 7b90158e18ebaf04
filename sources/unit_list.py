"""A plain list as a workbook: one head, one line an enterprise, filters on, text as text."""

from __future__ import annotations

from collections.abc import Sequence

from sources.writer import Book, Value, put


def unit_list(title: str, heads: Sequence[tuple[str, int]], rows: Sequence[Sequence[Value]]) -> bytes:
    """The workbook. ``heads``: (name, width in characters) of each column."""
    book = Book(title=title)
    sheet = book.sheet("名单")
    head = book.style({"bold": True, "bg_color": "#E9EFF5", "border": 1, "text_wrap": True})
    body = book.style({"border": 1, "text_wrap": True, "valign": "top"})
    put(sheet, 0, 0, title, book.style({"bold": True, "font_size": 14}))
    for column, (name, width) in enumerate(heads):
        sheet.set_column(column, column, width)
        put(sheet, 1, column, name, head)
    for number, row in enumerate(rows, start=2):
        for column, value in enumerate(row):
            put(sheet, number, column, value, body)
    sheet.freeze_panes(2, 0)
    if rows:
        sheet.autofilter(1, 0, len(rows) + 1, len(heads) - 1)
    return book.to_bytes()
