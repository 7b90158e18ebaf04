"""The only place that writes .xlsx here: text stays text, no clock, no author, the same bytes for the same content."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import xlsxwriter
from xlsxwriter.utility import xl_rowcol_to_cell

from exports.safe_text import for_xml, is_dangerous

CREATED: Final = datetime(2000, 1, 1)  # a fixed stamp: the time of release stands on the cover, not in the file
MAX_TEXT: Final = 32_767  # characters a cell may hold
BODY_FONT: Final = "宋体"
HEAD_FONT: Final = "黑体"


@dataclass(frozen=True)
class Style:
    """How a cell looks; equal styles share one format of the workbook. Border weights: 0 none, 1 thin, 2 medium, 7 hair."""

    bold: bool = False
    italic: bool = False
    size: float = 10.5
    font: str = BODY_FONT
    colour: str = "#1a1a1a"
    fill: str = ""
    align: str = "left"
    valign: str = "vcenter"
    wrap: bool = False
    indent: int = 0
    number_format: str = ""
    top: int = 0
    bottom: int = 0
    left: int = 0
    right: int = 0
    underline: bool = False


class Book:
    """A workbook under way. Use as a context manager; the file is complete when it closes without an error."""

    def __init__(self, path: Path, title: str) -> None:
        self._book = xlsxwriter.Workbook(
            str(path),
            {
                "strings_to_formulas": False,
                "strings_to_urls": False,
                "strings_to_numbers": False,
                "in_memory": True,
                "default_date_format": "yyyy-mm-dd",
            },
        )
        self._book.set_properties({"title": title, "author": "", "company": "", "created": CREATED})
        self._book.set_size(2400, 1600)
        self._formats: dict[tuple[Style, bool], Any] = {}

    def __enter__(self) -> Book:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._book.close()

    def sheet(self, name: str) -> Sheet:
        """A new sheet behind the others."""
        return Sheet(self, self._book.add_worksheet(name), name)

    def format(self, style: Style, *, quoted: bool = False) -> Any:
        """The workbook's format for a style; ``quoted`` keeps dangerous text text even when somebody edits the cell."""
        key = (style, quoted)
        if key not in self._formats:
            self._formats[key] = self._book.add_format(_properties(style) | ({"quote_prefix": True} if quoted else {}))
        return self._formats[key]


def _properties(style: Style) -> dict[str, Any]:
    given: dict[str, Any] = {
        "font_name": style.font,
        "font_size": style.size,
        "font_color": style.colour,
        "align": style.align,
        "valign": style.valign,
        "border_color": "#5b6770",
    }
    if style.fill:
        given |= {"bg_color": style.fill, "pattern": 1}
    if style.number_format:
        given["num_format"] = style.number_format
    for name, key in (("bold", "bold"), ("italic", "italic"), ("wrap", "text_wrap"), ("underline", "underline")):
        if getattr(style, name):
            given[key] = 1 if name == "underline" else True
    for name in ("indent", "top", "bottom", "left", "right"):
        if getattr(style, name):
            given[name] = getattr(style, name)
    return given


class Sheet:
    """One sheet; rows and columns count from 0."""

    def __init__(self, book: Book, sheet: Any, name: str) -> None:
        self._book, self._sheet, self.name = book, sheet, name

    def text(self, row: int, column: int, text: str, style: Style) -> None:
        """Text as text, whatever it begins with."""
        clean = for_xml(text)[:MAX_TEXT]
        if clean:
            self._sheet.write_string(row, column, clean, self._book.format(style, quoted=is_dangerous(clean)))
        else:
            self._sheet.write_blank(row, column, None, self._book.format(style))

    def number(self, row: int, column: int, value: float, style: Style) -> None:
        """A number shown under the style's number format."""
        self._sheet.write_number(row, column, value, self._book.format(style))

    def merged(self, row: int, column: int, last_row: int, last_column: int, text: str, style: Style) -> None:
        """Text over a block of cells; a single cell is written plainly."""
        if (row, column) == (last_row, last_column):
            self.text(row, column, text, style)
            return
        clean = for_xml(text)[:MAX_TEXT]
        shape = self._book.format(style, quoted=is_dangerous(clean))
        # merge_range would guess a type from the text; blanks first, then the text as text.
        self._sheet.merge_range(row, column, last_row, last_column, "", shape)
        self._sheet.write_string(row, column, clean, shape)

    def link(self, row: int, column: int, sheet: str, text: str, style: Style) -> None:
        """A link to another sheet of this workbook; the only links a publication has."""
        target = sheet.replace("'", "''")
        self._sheet.write_url(row, column, f"internal:'{target}'!A1", self._book.format(style), for_xml(text))

    def column(self, first: int, last: int, width: float) -> None:
        """Width of columns, in characters of the default font."""
        self._sheet.set_column(first, last, width)

    def row(self, row: int, height: float) -> None:
        """Height of a row in points."""
        self._sheet.set_row(row, height)

    def freeze(self, row: int, column: int) -> None:
        """Keep the rows above and the columns left of the cell in sight."""
        self._sheet.freeze_panes(row, column)

    def print_on_a4(
        self, *, landscape: bool, repeat: tuple[int, int] | None, last: tuple[int, int], footer: str
    ) -> None:
        """A4, one page wide, heads repeated on every page, page numbers at the foot; ``last``: last row and column."""
        self._sheet.set_paper(9)
        if landscape:
            self._sheet.set_landscape()
        self._sheet.set_margins(left=0.6, right=0.6, top=0.75, bottom=0.75)
        self._sheet.center_horizontally()
        self._sheet.fit_to_pages(1, 0)
        self._sheet.print_area(0, 0, *last)
        self._sheet.set_footer(f"&L&9 {_footer(footer)}&R&9 第 &P 页 共 &N 页")
        if repeat:
            self._sheet.repeat_rows(*repeat)

    def plain_look(self) -> None:
        """No grid lines on the screen or on paper."""
        self._sheet.hide_gridlines(2)


def _footer(text: str) -> str:
    return for_xml(text).replace("&", "&&")[:120]


def address(row: int, column: int) -> str:
    """The A1 address of a cell counted from 0."""
    return str(xl_rowcol_to_cell(row, column))


@lru_cache(maxsize=65_536)
def width_of(text: str) -> int:
    """Columns of a fixed-width font that ``text`` takes: a Chinese character takes two."""
    if text.isascii():
        return len(text)
    return sum(2 if ord(c) > 0x2E80 or c in "—…“”‘’·" else 1 for c in text)


def lines_of(text: str, width: float, size: float = 10.5) -> int:
    """Lines ``text`` takes at ``size`` points in a wrapped cell of ``width`` (counted in characters of 11 points)."""
    usable = max(int(width * 11 / size) - 1, 2)
    if "\n" not in text:
        return max(1, -(-width_of(text) // usable))
    return sum(max(1, -(-width_of(part) // usable)) for part in text.split("\n"))
