"""Columns of raw cell values → typed columns, with what was normalised and what cannot be taken, cell by cell.

Homogeneous columns of numbers or clean text are converted as vectors; Python looks at single cells only where it must.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import partial

import numpy as np
import polars as pl

from schemas.errors import DefinitionError
from sources.cell_values import (
    EARLIEST_YEAR,
    LARGEST,
    LATEST_YEAR,
    MISSING,
    UNCALCULATED,
    CellError,
    CellValue,
    Reading,
    Uncalculated,
    boolean,
    code,
    credit_code,
    day,
    free_text,
    number,
    suggest_credit_code,
)
from sources.guard_refusals import shown

__all__ = [
    "NORMALISED",
    "PROBLEMS",
    "UNCALCULATED",
    "CellError",
    "CellProblem",
    "CellValue",
    "Normalised",
    "Uncalculated",
    "parse_column",
    "plain_codes",
    "suggest_credit_code",
]

# What is wrong and what to do; {found} is what stands in the cell, {decimals} and {unit} what the indicator declares.
PROBLEMS = {
    "type": "填报为“{found}”,不是数字。请只填数字,不带文字和符号。",
    "decimals": "填报为“{found}”,小数位数超过规定的 {decimals} 位。请按规定的位数填写,不要由系统舍入。",
    "digits": "填报为“{found}”,数字过长(超过 15 位),表格软件不能准确保存。请核对数值和计量单位。",
    "not_finite": "填报为“{found}”,不是有效数字。请改为数字,没有数据的留空。",
    "scientific": "填报为“{found}”,是科学计数法的文本,可能已丢失尾数。请改填完整的数字。",
    "unit_in_cell": "填报为“{found}”,带有“万”“亿”等单位。请换算成规定的计量单位{unit}后只填数字。",
    "percent_in_cell": "填报为“{found}”,带有百分号,而本指标的计量单位是{unit}。请按规定的计量单位填写数字。",
    "date_in_number": "单元格显示为日期或时间({found}),不能确定原来的数字。请把单元格格式改为“数值”后重新填写。",
    "error_cell": "单元格显示错误值 {found}。请修正公式,或直接填写数字;没有数据的留空。",
    "uncalculated": "公式未计算,没有结果。请用 WPS 或 Excel 打开本文件,保存后重新上传。",
    "code_numeric": "代码以数字形式填写(现为 {found}),可能已丢失开头的 0 或末尾的数字。请把单元格格式改为“文本”后重新填写代码。",
    "code_type": "填报为“{found}”,不是代码。请按代码表填写。",
    "boolean": "填报为“{found}”。请填“是”或“否”。",
    "date": "填报为“{found}”,不是明确的日期。请按“2026-09-01”的样式填写。",
}

NORMALISED = {
    "full_width": "全角字符已改为半角",
    "thousands": "千位分隔符已去掉",
    "parentheses": "括号表示的负数已改为负号",
    "currency": "货币符号已去掉",
    "unit_text": "数字后的计量单位已去掉",
    "text_number": "文本形式的数字已按数字读取",
    "missing_mark": "按未填报处理",
    "spaces": "空格已去掉",
    "invisible": "不可见字符已去掉",
    "number_to_text": "数字已按文本读取",
    "boolean_to_text": "逻辑值已按文本读取",
    "date_to_text": "日期已按文本读取",
    "credit_code": "统一社会信用代码已去掉空格、连字符并改为大写",
    "number_to_boolean": "1/0 已按是/否读取",
    "text_to_boolean": "已按是/否读取",
    "date_serial": "日期序号已按日期读取",
    "code_name": "是名称,已按代码表取代码",
    "quoted_text": "外面的等号和引号已去掉",
    "compact_date": "已按年月日读取",
    "text_date": "文本形式的日期已按日期读取",
    "year_month": "只有年月,已按当月 1 日读取",
}


_TEXT_OR_NOTHING = frozenset({str, type(None)})
_FLOATS = frozenset({float})
_FLOATS_OR_BLANKS = _TEXT_OR_NOTHING | _FLOATS
_BLANKS = frozenset({"", None})
_NO_FLOAT = float("nan")
_DAY_ZERO = date(1970, 1, 1).toordinal()


@dataclass(frozen=True)
class CellProblem:
    """A cell that cannot be taken: ``position`` in the column, a stable ``code``, what stands there, what to do."""

    position: int
    code: str
    found: str
    message: str


@dataclass(frozen=True)
class Normalised:
    """A cell taken as something else than it literally says; ``code`` may join several steps with ``+``."""

    position: int
    code: str
    found: str
    value: str

    @property
    def message(self) -> str:
        """What was done, for the clerk."""
        steps = ",".join(NORMALISED[step] for step in self.code.split("+"))
        return f"“{self.found}”{steps}" + (f",读作“{self.value}”" if self.value else "")


Parsed = tuple[pl.Series, list[CellProblem], list[Normalised]]


def parse_column(
    values: Sequence[CellValue],
    kind: str,
    decimals: int = 0,
    *,
    unit_measure: str = "",
    code_widths: Collection[int] = (1,),
    is_1904: bool = False,
    is_text_file: bool = False,
) -> Parsed:
    """One column as its exact type: Int64 or Decimal(18, decimals), String, Boolean, Date; null where blank or a problem.

    ``kind`` is number, code, credit_code, text, boolean or date; DefinitionError for another. ``unit_measure`` may stand behind a
    figure, ``code_widths`` are the lengths of the codes of the list. In a text file every figure is text, and that is not reported.
    """
    read: Callable[[CellValue], Reading]
    dtype: pl.DataType
    clean: pl.Series | None = None
    match kind:
        case "number":
            return _numbers(values, _Book(decimals, unit_measure, is_text_file=is_text_file))
        case "text":
            read, dtype, clean = free_text, pl.String(), _clean_text(values)
        case "code":
            read, dtype, clean = partial(code, widths=code_widths), pl.String(), plain_codes(values)
        case "credit_code":
            read, dtype, clean = credit_code, pl.String(), plain_codes(values, are_credit_codes=True)
        case "boolean":
            read, dtype = boolean, pl.Boolean()
        case "date":
            read, dtype, clean = partial(day, is_1904=is_1904), pl.Date(), _clean_dates(values)
        case _:
            raise DefinitionError(
                f"没有“{kind}”这种数据类型", remedy="可用:number、code、credit_code、text、boolean、date。"
            )
    if clean is not None:
        return clean, [], []
    keys = _keys(values)
    known = {key: read(key[1] if isinstance(key, tuple) else key) for key in dict.fromkeys(keys)}
    if not any(reading.code for reading in known.values()):
        plain = {key: reading.value for key, reading in known.items()}
        return pl.Series(values=[plain[key] for key in keys], dtype=dtype), [], []
    readings = [known[key] for key in keys]
    book = _Book(decimals, unit_measure, is_text_file=is_text_file)
    for position, reading in enumerate(readings):
        if reading.code:
            book.note(position, values[position], reading)
    return pl.Series(values=[r.value for r in readings], dtype=dtype), book.problems, book.normalised


def _keys(values: Sequence[CellValue]) -> Sequence[CellValue | tuple[type, CellValue]]:
    """What tells different cells apart, so that equal ones are read once; 1, 1.0 and True are equal, but not the same in a cell.

    Only text equals text: where all that differs is text, no other type hides behind it.
    """
    is_text = set(map(type, dict.fromkeys(values))) <= _TEXT_OR_NOTHING
    return values if is_text else list(zip(map(type, values), values, strict=True))


class _Book:
    """Collects what is to be told about a column."""

    def __init__(self, decimals: int, unit_measure: str, *, is_text_file: bool) -> None:
        self.decimals, self.unit_measure, self.is_text_file = decimals, unit_measure, is_text_file
        self.problems: list[CellProblem] = []
        self.normalised: list[Normalised] = []

    def note(self, position: int, value: CellValue, reading: Reading) -> None:
        """One cell with something to tell."""
        found = shown(_as_typed(value))
        if reading.is_problem:
            unit = f"“{self.unit_measure}”" if self.unit_measure not in ("", "-") else "(见指标说明)"
            message = PROBLEMS[reading.code].format(found=found, decimals=self.decimals, unit=unit)
            self.problems.append(CellProblem(position, reading.code, found, message))
        elif not (self.is_text_file and reading.code == "text_number"):
            value_text = "" if reading.value is None else _written(reading.value)
            self.normalised.append(Normalised(position, reading.code, found, value_text))


def _as_typed(value: CellValue) -> object:
    """A value as the clerk sees it in the cell."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        return f"{value:.0f}" if value.is_integer() and abs(value) < 1e18 else f"{value:.15g}"
    return value


def _written(value: object) -> str:
    match value:
        case bool():
            return "是" if value else "否"
        case Decimal():
            return f"{value:f}"
    return str(value)


def _numbers(values: Sequence[CellValue], book: _Book) -> Parsed:
    """Floats as a vector: a float is taken there if it is the double nearest to a decimal of at most 15 digits."""
    decimals = book.decimals
    kinds = set(map(type, values))
    others = [] if kinds == _FLOATS else [v for v in values if type(v) is not float]
    # of text and nothing, only the empty text and nothing are false
    are_blank = not others or (kinds <= _FLOATS_OR_BLANKS and not any(others))
    if are_blank and len(others) == len(values):
        return pl.Series(values=[None], dtype=_number_type(decimals)).new_from_index(0, len(values)), [], []
    floats = np.array([v if type(v) is float else _NO_FLOAT for v in values] if others else values, dtype=np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        # numpy divides; polars multiplies by the reciprocal, and 0.07 would not be 7/100
        whole = np.rint(floats * 10.0**decimals) if decimals else np.rint(floats)
        is_exact = (whole / 10.0**decimals == floats) if decimals else whole == floats
        is_exact &= np.abs(whole) < LARGEST
    if is_exact.all():
        return _exact(pl.Series(values=whole.astype(np.int64)), decimals), [], []
    # below 10**15 a float holds every whole number
    scaled = pl.Series(values=np.where(is_exact, whole, _NO_FLOAT), nan_to_null=True).cast(pl.Int64)
    if are_blank and len(others) == len(values) - int(np.count_nonzero(is_exact)):
        return _exact(scaled, decimals), [], []
    places: list[int] = []
    figures: list[int] = []
    for position in np.flatnonzero(~is_exact).tolist():
        if values[position] is None or values[position] == "":
            continue
        reading = number(values[position], decimals, book.unit_measure)
        if reading.code:
            book.note(position, values[position], reading)
        if isinstance(reading.value, Decimal):
            places.append(position)
            figures.append(int(reading.value.scaleb(decimals)))
    if places:
        scaled = scaled.scatter(places, figures)
    return _exact(scaled, decimals), book.problems, book.normalised


def _number_type(decimals: int) -> pl.DataType:
    return pl.Decimal(18, decimals) if decimals else pl.Int64()


def _exact(scaled: pl.Series, decimals: int) -> pl.Series:
    """Figures from whole numbers of their last decimal place; integer arithmetic only."""
    if decimals == 0:
        return scaled
    step = pl.Series(values=[Decimal(1).scaleb(-decimals)], dtype=pl.Decimal(38, decimals))
    return (scaled.cast(pl.Decimal(38, 0)) * step).cast(pl.Decimal(18, decimals))


def _clean_text(values: Sequence[CellValue]) -> pl.Series | None:
    """A column of text in which nothing needs a look, blank as null; None where something does.

    All characters are printable and there are no spaces at the edges.
    """
    texts = _texts(values)
    return None if texts is None else _as_it_stands(texts, "".join(texts))


def _as_it_stands(texts: Sequence[str], together: str) -> pl.Series | None:
    # The only space among the printable characters is the plain one.
    if not together.isprintable() or "_x00" in together:
        return None
    if " " in together and any(t != t.strip() for t in texts):
        return None
    return pl.Series(values=[t or None for t in texts] if "" in texts else texts, dtype=pl.String)


def plain_codes(values: Sequence[CellValue], *, are_credit_codes: bool = False) -> pl.Series | None:
    """A column of codes in which nothing needs a look, blank as null; None where something does.

    All is ASCII text, nothing marks "missing" or is a formula's text; credit codes are in capitals without hyphens.
    """
    texts = _texts(values)
    if texts is None:
        return None
    together = "".join(texts)
    if not together.isascii() or '="' in together or not MISSING.isdisjoint(texts):
        return None
    if are_credit_codes and ("-" in together or " " in together or together.upper() != together):
        return None
    return _as_it_stands(texts, together)


def _texts(values: Sequence[CellValue]) -> Sequence[str] | None:
    """The values, nothing as the empty text; None if there is anything but text among them."""
    kinds = set(map(type, values))
    if kinds <= {str}:
        return values  # type: ignore[return-value]
    return [v if isinstance(v, str) else "" for v in values] if kinds <= _TEXT_OR_NOTHING else None


def _clean_dates(values: Sequence[CellValue]) -> pl.Series | None:
    """A column of blanks and date cells of plausible years, or None."""
    if not set(map(type, values)) <= {date, *_TEXT_OR_NOTHING}:
        return None
    dates = [v for v in values if type(v) is date]
    if not _BLANKS.issuperset(v for v in values if type(v) is not date):
        return None
    if dates and not (min(dates).year >= EARLIEST_YEAR and max(dates).year <= LATEST_YEAR):
        return None
    days = [v.toordinal() - _DAY_ZERO if type(v) is date else None for v in values]
    return pl.Series(values=days, dtype=pl.Int32).cast(pl.Date)
