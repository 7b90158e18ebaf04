"""The one door of this folder to xlsxwriter: text stays text, the same input gives the same bytes.

No text of data becomes a formula or a link; formulas are written by ``put_formula`` only, and without a cached value, so
that nobody reads a result that was never calculated.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TypeAlias
from unicodedata import east_asian_width

import xlsxwriter

from schemas.errors import DefinitionError
from sources.shared_formulas import SharedFormulaSheet

CREATED = datetime(2014, 1, 1)
"""The stamp of every workbook: a clock inside would make equal content differ."""

TEXT_LIMIT = 32_000
EXACT_DIGITS = 15
MAX_FORMULA = 8_192
FONT = "宋体"

Value: TypeAlias = str | bool | int | float | Decimal | date | None
Sheet: TypeAlias = Any
Format: TypeAlias = Any

_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff\u202a-\u202e\u2066-\u2069]")


class Book:
    """A workbook being written in memory. ``style`` hands out one format for equal properties."""

    def __init__(self, *, title: str, author: str = "一套表", created: datetime = CREATED) -> None:
        self._buffer = io.BytesIO()
        options = {
            "in_memory": True,
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "strings_to_numbers": False,
            "nan_inf_to_errors": False,
        }
        self.workbook = xlsxwriter.Workbook(self._buffer, options)
        self.workbook.set_properties({"title": clean(title), "author": clean(author), "created": created})
        self.workbook.set_calc_mode("auto")
        self._styles: dict[tuple[tuple[str, Any], ...], Format] = {}

    def sheet(self, name: str) -> Sheet:
        """A new worksheet at the end."""
        return self.workbook.add_worksheet(name, SharedFormulaSheet)

    def style(self, properties: Mapping[str, Any]) -> Format:
        """The format with these xlsxwriter properties, on the house font at size 10 unless they say otherwise."""
        complete = {"font_name": FONT, "font_size": 10, "valign": "vcenter", **properties}
        key = tuple(sorted(complete.items()))
        if key not in self._styles:
            self._styles[key] = self.workbook.add_format(complete)
        return self._styles[key]

    def define(self, name: str, sheet: str, area: str) -> None:
        """A defined name for an absolute area such as ``$A$7:$F$20``."""
        if self.workbook.define_name(name, f"={quoted(sheet)}!{area}"):
            raise DefinitionError(f"名称“{name}”不能用作区域名")

    def to_bytes(self) -> bytes:
        """Close the workbook; afterwards nothing more can be written."""
        self.workbook.close()
        return self._buffer.getvalue()


def clean(text: str) -> str:
    """Text that Excel can hold: no control or direction characters, at most 32,000 UTF-16 units (marked where cut)."""
    text = _UNPRINTABLE.sub("", text)
    if len(text) > TEXT_LIMIT // 2 and len(text.encode("utf-16-le")) > 2 * TEXT_LIMIT:
        kept = text.encode("utf-16-le")[: 2 * TEXT_LIMIT].decode("utf-16-le", "ignore")
        return kept + "……(过长,以下略)"
    return text


def quoted(sheet: str) -> str:
    """A sheet name as formulas spell it."""
    return "'" + sheet.replace("'", "''") + "'"


def lines_of(text: str, width: float) -> int:
    """How many lines a text takes in a column of so many characters; a Chinese character takes two."""
    taken = sum(2 if east_asian_width(c) in "WF" else 1 for c in text)
    return max(1, math.ceil(taken / (width - 1)))


def put(sheet: Sheet, row: int, column: int, value: Value, style: Format = None) -> None:
    """Write one value as what it is; ``row`` and ``column`` count from 0. Blank keeps the format only.

    A number of more than 15 digits is written as text: Excel would change its last digits without a word.
    """
    match value:
        case None:
            result = sheet.write_blank(row, column, None, style)
        case bool():
            result = sheet.write_boolean(row, column, value, style)
        case int() | float() | Decimal():
            result = _put_number(sheet, row, column, value, style)
        case date():
            result = sheet.write_datetime(row, column, value, style)
        case "":
            result = sheet.write_blank(row, column, None, style)
        case _:
            result = sheet.write_string(row, column, clean(value), style)
    if result:
        raise DefinitionError(f"单元格({row + 1} 行 {column + 1} 列)不能写入", remedy="请减少行数或列数。")


def _put_number(sheet: Sheet, row: int, column: int, value: float | Decimal, style: Format) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        raise DefinitionError("不能把非数字写入单元格")
    if not isinstance(value, float):
        digits = str(abs(value)).replace(".", "").strip("0")
        if len(digits) > EXACT_DIGITS:
            return sheet.write_string(row, column, str(value), style)
    return sheet.write_number(row, column, value, style)


def put_formula(sheet: Sheet, row: int, column: int, formula: str, style: Format = None) -> None:
    """Write a formula of ours with an empty cached value. Raises DefinitionError beyond 8,192 characters."""
    sheet.write_formula(row, column, _short_enough(formula), style, "")


def fill_formula(sheet: Sheet, rows: tuple[int, int], column: int, formula: str, style: Format = None) -> None:
    """A formula of ours filled down from the first row to the last, its relative references moved; as ``put_formula``."""
    sheet.share_formula(*rows, column, _short_enough(formula), style)


def _short_enough(formula: str) -> str:
    if len(formula) > MAX_FORMULA:
        raise DefinitionError(f"公式超过 {MAX_FORMULA} 个字符", remedy="请拆分审核关系。")
    return formula


def put_link(sheet: Sheet, row: int, column: int, place: str, text: str, style: Format = None) -> None:
    """A link to a place in the same workbook, such as ``'财务状况'!C8``."""
    if sheet.write_url(row, column, f"internal:{place}", style, clean(text)):
        raise DefinitionError(f"不能写入指向 {place} 的链接")


def validate(sheet: Sheet, area: tuple[int, int, int, int], options: Mapping[str, Any]) -> None:
    """A data validation on (first row, first column, last row, last column); texts are cut to what Excel holds."""
    limits = {"input_title": 32, "input_message": 255, "error_title": 32, "error_message": 255}
    cut = {name: clipped(str(text), limits[name]) if name in limits else text for name, text in options.items()}
    if sheet.data_validation(*area, cut):
        raise DefinitionError("数据有效性规则不能写入", remedy="请检查指标的类型与代码表。")


def clipped(text: str, limit: int) -> str:
    """At most ``limit`` UTF-16 units of ``text``, the last one an ellipsis where something was cut."""
    if len(text.encode("utf-16-le")) <= 2 * limit:
        return text
    return text.encode("utf-16-le")[: 2 * (limit - 1)].decode("utf-16-le", "ignore") + "…"
