"""One table on one sheet in the layout of Chinese statistical publications."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

from exports.display import number_format, number_of
from exports.layout import Figure, Row, Table
from exports.writer import BODY_FONT, HEAD_FONT, Sheet, Style, address, lines_of, width_of
from schemas.marts import STATUSES

INK: Final = "#1a1a1a"
BLUE: Final = "#1f3a5f"
GREY: Final = "#66707a"
HEAD_FILL: Final = "#e9eff5"
DIGITS: Final = "Times New Roman"

TITLE: Final = Style(font=HEAD_FONT, size=16, colour=BLUE, align="center")
SIDE: Final = Style(size=10, colour=INK)
HEAD: Final = Style(
    font=BODY_FONT, bold=True, size=10, align="center", wrap=True, fill=HEAD_FILL, top=1, bottom=1, left=1, right=1
)
STUB: Final = Style(size=10, wrap=True)
GROUP: Final = Style(size=10.5, bold=True, colour=BLUE)
UNIT: Final = Style(size=9.5, align="center", colour=GREY, wrap=True)
FIGURE: Final = Style(font=DIGITS, size=10.5, align="right")
NOTE: Final = Style(size=9.5, wrap=True, indent=1)
FOOT: Final = Style(size=9, colour=INK, wrap=True, valign="top")
TRACE: Final = Style(size=8, colour=GREY)

STUB_WIDTH: Final = (14, 40)
COLUMN_WIDTH: Final = (9, 22)
NOTE_WIDTH: Final = 46
UNIT_WIDTH: Final = 13
LINE: Final = 14.5  # points a line of text takes
PORTRAIT_COLUMNS: Final = 5
NARROWEST: Final = 52  # width of a table below which its notes would be a tall column of text
WIDEST_LINE: Final = 90

ROUNDING_NOTE: Final = "合计数与分项之和不等系修约误差,未作机械调整。"
OF_WHICH_NOTE: Final = "“#”表示其中的主要项。"
ESTIMATED_NOTE: Final = "斜体数字含估算(对未报单位的估算或加权)。"
ALL_ESTIMATED_NOTE: Final = "本表数字含估算(对未报单位的估算或加权)。"
PRELIMINARY_NOTE: Final = "带下划线的数字为快报数(初步数),以年报核定数为准。"
MOSTLY_PRELIMINARY_NOTE: Final = "本表价值量与比率为快报数(初步数),以年报核定数为准。"
ZERO_NOTE: Final = "“0”表示数值为零,“0.0”等表示不足所列小数位。"
BLANK_NOTE: Final = "空格表示没有该项数据。"


@dataclass(frozen=True)
class Placed:
    """A figure and the cell it went to."""

    cell: str
    figure: Figure


def write_table(sheet: Sheet, table: Table, number: str, release: str, extra_notes: tuple[str, ...]) -> list[Placed]:
    """Write ``table`` and return where its figures stand. ``number`` is its number in the book, as in 表 3."""
    columns = _Columns.of(table)
    sheet.plain_look()
    _widths(sheet, columns)
    sheet.row(0, 30)
    sheet.merged(0, 0, 0, columns.last, f"表{number} {table.title}", TITLE)
    _subtitle(sheet, table, columns)
    body = _heads(sheet, table, columns)
    placed: list[Placed] = []
    marked = marked_statuses(table)
    for n, row in enumerate(table.rows):
        placed += _line(sheet, body + n, row, columns, marked, is_last=n == len(table.rows) - 1)
    end = _feet(sheet, body + len(table.rows), table, columns, extra_notes)
    sheet.merged(end, 0, end, columns.last, f"{release} · 数据表 {table.mart} · 工作表 {table.tab}", TRACE)
    sheet.freeze(body, 1)
    sheet.print_on_a4(
        landscape=columns.last >= PORTRAIT_COLUMNS, repeat=(0, body - 1), last=(end, columns.last), footer=release
    )
    return placed


@dataclass(frozen=True)
class _Columns:
    """Sheet columns: heading, unit of the line where lines have one, the figures, the note where there is one."""

    unit: int | None
    first: int
    note: int | None
    last: int
    stub: float
    widths: tuple[float, ...]

    @property
    def whole(self) -> float:
        """Width of the table."""
        return sum(self.width(column) for column in range(self.last + 1))

    def width(self, column: int) -> float:
        """Width of one column of the sheet."""
        if column in (0, self.unit, self.note):
            return self.stub if column == 0 else UNIT_WIDTH if column == self.unit else NOTE_WIDTH
        return self.widths[column - self.first]

    @classmethod
    def of(cls, table: Table) -> _Columns:
        unit = 1 if table.has_line_units else None
        first = 2 if unit else 1
        after = first + len(table.heads)
        note = after if table.note_head else None
        low, high = STUB_WIDTH
        longest = max((width_of(row.label) + 2 * row.indent + 2 for row in table.rows if row.figures), default=low)
        stub = float(min(high, max(low, longest)))
        columns = cls(unit, first, note, after if note else after - 1, stub, tuple(_column_widths(table)))
        # Title, subtitle and notes stand over and under the table: a narrow one is widened until they fit.
        line = width_of(table.subtitle) + width_of(_unit_text(table)) + 4
        wanted = max(width_of(f"表00 {table.title}") * TITLE.size / 11 + 2, min(line, WIDEST_LINE), NARROWEST)
        lacking = wanted - columns.whole
        return replace(columns, stub=stub + lacking) if lacking > 0 else columns


def _column_widths(table: Table) -> Iterator[float]:
    low, high = COLUMN_WIDTH
    for n, head in enumerate(table.heads):
        shown = [width_of(f.display) + 3 for row in table.rows if row.figures and (f := row.figures[n]) is not None]
        # A head may take two lines, its unit stands on one of its own.
        wanted = max(*(width_of(part) / 2 + 3 for part in head), width_of(table.head_units[n]) + 4)
        alone = width_of(_unit_text(table)) + 2 if len(table.heads) == 1 else low
        yield min(high, max(low, max(shown, default=low), wanted, alone))


def _unit_text(table: Table) -> str:
    return f"单位:{table.unit_measure}" if table.unit_measure else ""


def _head_text(table: Table, column: int) -> str:
    text, unit = table.heads[column][-1], table.head_units[column]
    return f"{text}\n({unit})" if unit and unit not in text else text


def _widths(sheet: Sheet, columns: _Columns) -> None:
    for column in range(columns.last + 1):
        sheet.column(column, column, columns.width(column))


def _subtitle(sheet: Sheet, table: Table, columns: _Columns) -> None:
    sheet.row(1, 18)
    unit = _unit_text(table)
    first = columns.last + 1
    if unit:
        # As many columns from the right as the text needs, but never the first one.
        first, room = columns.last, columns.width(columns.last)
        while first > 1 and room < width_of(unit) + 2:
            first -= 1
            room += columns.width(first)
        sheet.merged(1, first, 1, columns.last, unit, replace(SIDE, align="right"))
    sheet.merged(1, 0, 1, first - 1, table.subtitle, SIDE)


def _heads(sheet: Sheet, table: Table, columns: _Columns) -> int:
    """Write the heads; returns the first row of the body. Equal neighbours of an upper head share one merged cell."""
    levels = len(table.heads[0]) if table.heads else 1
    top, bottom = 2, 2 + levels - 1
    for column, text in ((0, "项目"), (columns.unit, "计量单位"), (columns.note, table.note_head)):
        if column is not None:
            style = replace(HEAD, top=2, left=0 if column == 0 else 1, right=0 if column == columns.last else 1)
            sheet.merged(top, column, bottom, column, text, style)
    for level in range(levels):
        for start, stop in table.head_spans(level):
            text = _head_text(table, start) if level == levels - 1 else table.heads[start][level]
            last = columns.first + stop == columns.last
            style = replace(HEAD, top=2 if level == 0 else 1, right=0 if last else 1)
            sheet.merged(top + level, columns.first + start, top + level, columns.first + stop, text, style)
        deepest = max(
            (
                lines_of(_head_text(table, n), width, 10)
                for n, width in enumerate(columns.widths)
                if level == levels - 1
            ),
            default=1,
        )
        sheet.row(top + level, 8 + LINE * deepest)
    return bottom + 1


def _line(sheet: Sheet, at: int, row: Row, columns: _Columns, marked: frozenset[str], *, is_last: bool) -> list[Placed]:
    edge = 2 if is_last else 0
    if row.is_heading:
        style = replace(GROUP, indent=row.indent, size=10.5 if row.indent == 0 else 10, bottom=edge)
        sheet.row(at, 20 if row.indent == 0 else 17)
        sheet.text(at, 0, row.label, style)
        for column in range(1, columns.last + 1):
            sheet.text(at, column, "", Style(bottom=edge))
        return []
    sheet.text(at, 0, row.label, _style(STUB, indent=row.indent, bold=row.total, bottom=edge))
    high = lines_of(row.label, columns.stub - 2 * row.indent)
    if columns.unit:
        sheet.text(at, columns.unit, row.unit_measure, _style(UNIT, bottom=edge))
        high = max(high, lines_of(row.unit_measure, UNIT_WIDTH))
    placed = []
    for n, figure in enumerate(row.figures):
        column = columns.first + n
        if figure is None:
            sheet.text(at, column, "", _style(FIGURE, bottom=edge))
            continue
        number = number_of(figure.display)
        style = _style(
            FIGURE,
            bold=row.total,
            bottom=edge,
            italic=figure.status == "E" and "E" in marked,
            underline=figure.status == "P" and "P" in marked,
            number_format="" if number is None else number_format(figure.display),
        )
        if number is None:
            sheet.text(at, column, figure.display, style)
        else:
            sheet.number(at, column, number, style)
        placed.append(Placed(address(at, column), figure))
    if columns.note:
        sheet.text(at, columns.note, row.note, _style(NOTE, bottom=edge))
        high = max(high, lines_of(row.note, NOTE_WIDTH - 2, 9.5))
    sheet.row(at, 3 + LINE * high)
    return placed


@cache
def _style(base: Style, **changes: bool | int | str) -> Style:
    """``replace`` for a sheet of a hundred thousand cells."""
    return replace(base, **changes)  # type: ignore[arg-type]


def marked_statuses(table: Table) -> frozenset[str]:
    """Statuses shown cell by cell: E in italics, P underlined. A status of all figures (P: of a fifth) is said in a note."""
    count = {"A": 0, "E": 0, "P": 0}
    for row in table.rows:
        for figure in row.figures:
            if figure is not None and figure.status in count:
                count[figure.status] += 1
    whole = sum(count.values())
    estimated = {"E"} if 0 < count["E"] < whole else set()
    return frozenset(estimated | ({"P"} if 0 < 5 * count["P"] < whole else set()))


def notes_of(table: Table) -> tuple[str, ...]:
    """The notes at the foot: only those the table gives occasion for."""
    marks = [f"“{mark}”表示{meaning}" for code, (mark, meaning) in STATUSES.items() if mark and code in table.statuses]
    figures = [figure for row in table.rows for figure in row.figures]
    shown = {figure.display for figure in figures if figure is not None}
    marked = marked_statuses(table)
    notes = [ROUNDING_NOTE]
    if marks:
        notes.append(";".join(marks) + "。")
    if any(text == "0" or (text.startswith("0.") and not text.strip("0.")) for text in shown):
        notes.append(ZERO_NOTE)
    if any(row.label.startswith("#") for row in table.rows):
        notes.append(OF_WHICH_NOTE)
    if "E" in table.statuses:
        notes.append(ESTIMATED_NOTE if "E" in marked else ALL_ESTIMATED_NOTE)
    if "P" in table.statuses:
        notes.append(PRELIMINARY_NOTE if "P" in marked else MOSTLY_PRELIMINARY_NOTE)
    if any(figure is None for figure in figures):
        notes.append(BLANK_NOTE)
    return tuple(notes)


def _feet(sheet: Sheet, at: int, table: Table, columns: _Columns, extra: tuple[str, ...]) -> int:
    notes = (*notes_of(table), *table.notes, *extra)
    for n, note in enumerate(notes):
        text = f"{'注:' if n == 0 else '   '}{n + 1}. {note}"
        sheet.merged(at, 0, at, columns.last, text, FOOT)
        sheet.row(at, 2 + 13 * lines_of(text, columns.whole, FOOT.size))
        at += 1
    return at
