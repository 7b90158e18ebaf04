"""Text files: BOM, else UTF-8 strictly, else GB18030 strictly, else refused. No statistics, no guess about the encoding:
15 bytes of GBK pass for Korean with the usual detector."""

from __future__ import annotations

import codecs
import csv
import io
import re
from dataclasses import dataclass, field

from sources.cells import UNCALCULATED, CellError, CellValue
from sources.guard_facts import Position
from sources.guard_limits import MAX_BOX, MAX_COLUMNS, MAX_ROWS
from sources.guard_refusals import refusal

DELIMITERS = (",", "\t", ";", "，")
BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
ERRORS = frozenset({"#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#SPILL!", "#CALC!"})
LONGEST_FIELD = 32_767

_SEPARATOR_LINE = re.compile(r"sep=(.)\r?\n", re.IGNORECASE)
_TEXT_FORMULA = re.compile(r'="([^"]*)"')
_CONVERSATION = re.compile(r"\s*[=+\-@＝＋－＠][^|]*\|[^!]*!")


@dataclass
class Table:
    """The cells of a text file; all text but for errors and formulas."""

    rows: list[list[CellValue]]
    errors: dict[Position, str] = field(default_factory=dict)


def decode(data: bytes) -> str:
    """The text of a file. Raises SubmissionError where it is in none of the encodings, or is no text."""
    encodings = [name for bom, name in BOMS if data.startswith(bom)] or ["utf-8", "gb18030"]
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" in text:
            raise refusal("binary_text", found="空字符")
        if any(control in text for control in ("\x01", "\x02", "\x03", "\x04", "\x1a")):
            raise refusal("binary_text", found="控制字符")
        return text
    raise refusal("encoding")


def delimiter_of(text: str) -> str:
    """The separator that splits the first lines into the most columns, as many in each; the comma where none does."""
    lines = _first_records(text)

    def fit(delimiter: str) -> tuple[int, int]:
        counts = [line.count(delimiter) for line in lines]
        return (min(counts), sum(counts)) if counts else (0, 0)

    best = max(DELIMITERS, key=fit)
    if fit(best)[1]:
        return best
    return ","


def _first_records(text: str) -> list[str]:
    """The first lines that are not blank, without what stands in quotation marks."""
    bare = re.sub(r'"(?:[^"]|"")*"', "", text[:100_000])
    return [line for line in bare.splitlines() if line.strip()][:50]


def read_table(data: bytes) -> Table:
    """The cells of a delimited file, from A1, rows padded to one length. Raises SubmissionError."""
    text = decode(data)
    if separator := _SEPARATOR_LINE.match(text):
        delimiter, text = separator[1], text[separator.end() :]
    else:
        delimiter = delimiter_of(text)
    rows = _records(text, delimiter)
    if not any(value.strip() for row in rows for value in row):
        raise refusal("empty")
    width = max(map(len, rows))
    table = Table([])
    for number, row in enumerate(rows):
        cells: list[CellValue] = [_cell(table, (number, column), value) for column, value in enumerate(row)]
        cells.extend([""] * (width - len(row)))
        table.rows.append(cells)
    return table


def _records(text: str, delimiter: str) -> list[list[str]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[list[str]] = []
    width = 0
    try:
        for row in reader:
            rows.append(row)
            width = max(width, len(row))
            if len(rows) > MAX_ROWS:
                raise refusal("too_many_rows", sheet="CSV", found=len(rows), limit=MAX_ROWS)
            if width > MAX_COLUMNS:
                raise refusal("too_many_columns", sheet="CSV", found=width, limit=MAX_COLUMNS)
            if len(rows) * width > MAX_BOX:
                raise refusal("sparse_box", sheet="CSV", found=f"第 {len(rows)} 行、第 {width} 列")
    except csv.Error:
        raise refusal("csv_shape", found=f"第 {reader.line_num} 行附近,引号没有成对或内容过长") from None
    return rows


def _cell(table: Table, place: Position, value: str) -> CellValue:
    """One cell: ``="0012"`` is the text 0012; a formula has no result here; an error name is an error."""
    if value[:1] in "=+-@＝＋－＠" and value:
        if match := _TEXT_FORMULA.fullmatch(value):
            return match[1]
        if _CONVERSATION.match(value):
            raise refusal("dde", found=value)
        if value[0] == "=" and len(value) > 1:
            return UNCALCULATED
    elif value[:1] == "#" and value.strip() in ERRORS:
        table.errors[place] = value.strip()
        return CellError(value.strip())
    return value
