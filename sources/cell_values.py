"""One cell value → one typed value, with what was normalised or is wrong. Nothing is guessed: what could mean two things is asked.

Blank is None or the empty text. An error cell and a formula without a result are values of their own and never blank.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache

LARGEST = 10**15  # a spreadsheet holds 15 digits exactly
CAPACITY = 18  # digits of Decimal(18, d)

# What people type for "no figure". The list is declared; 0 and 零 are not on it.
MISSING = frozenset(
    {
        "—", "——", "–", "-", "--", "---", "/", "／", "\\", "…", "……", "...", "无", "無", "暂无", "空", "缺", "未统计",
        "不适用", "N.A.", "N.A", "N/A", "NA", "#N/A", "n.a.", "n/a", "na", "null", "NULL", "None", "nil",
    }
)  # fmt: skip

# Deleted wherever they stand: zero-width, byte-order mark, bidirectional overrides, soft hyphen, control characters.
INVISIBLE = re.compile(
    r"[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]"
)
ESCAPE = re.compile(r"_x00(?:0[0-8bcefBCEF]|1[0-9a-fA-F]|7[fF])_")
MINUS = str.maketrans({"\u2212": "-", "\u2012": "-", "\ufe63": "-"})

_PLAIN = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)")
_GROUPED = re.compile(r"[+-]?\d{1,3}(?:([, ])\d{3})(?:\1\d{3})*(?:\.\d*)?")
_SCIENTIFIC = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)[eE][+-]?\d+")
_NOT_FINITE = re.compile(r"[+-]?(?:inf|infinity|nan|∞)", re.IGNORECASE)
_MAGNITUDE = re.compile(r"[万亿萬億千百]")
_HAS_DIGIT = re.compile(r"\d")

_YEAR_MONTH_DAY = re.compile(
    r"(\d{4})\s*[-./年]\s*(\d{1,2})\s*[-./月]\s*(\d{1,2})\s*日?(?:\s+\d{1,2}:\d{2}(?::\d{2})?)?"
)
_YEAR_MONTH = re.compile(r"(\d{4})\s*[-./年]\s*(\d{1,2})\s*月?")
_COMPACT_DATE = re.compile(r"(\d{4})(\d{2})(\d{2})?")
_DAY_ONE_1900, _DAY_ONE_1904 = date(1899, 12, 30), date(1904, 1, 1)
EARLIEST_YEAR, LATEST_YEAR = 1900, 2100

YES = frozenset({"是", "1", "√", "✓", "✔", "☑", "TRUE", "T", "YES", "Y", "对"})
NO = frozenset({"否", "0", "×", "✗", "✘", "☒", "FALSE", "F", "NO", "N", "错"})


@dataclass(frozen=True)
class CellError:
    """A cell that shows an error such as ``#REF!``."""

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Uncalculated:
    """A formula saved without a result."""

    def __str__(self) -> str:
        return "未计算的公式"


UNCALCULATED = Uncalculated()

CellValue = float | int | str | bool | date | datetime | time | timedelta | CellError | Uncalculated | None


@dataclass(frozen=True)
class Reading:
    """What one cell says. ``code`` names what was normalised, or what is wrong where ``is_problem``; the value is then None."""

    value: object
    code: str = ""
    is_problem: bool = False


def problem(code: str) -> Reading:
    """A value that cannot be taken."""
    return Reading(None, code, is_problem=True)


BLANK = Reading(None)


def lie(value: object) -> Reading | None:
    """The reading of what is neither a value nor blank: an error cell, a formula without a result."""
    if isinstance(value, CellError):
        return problem("error_cell")
    if isinstance(value, Uncalculated):
        return problem("uncalculated")
    return None


def clean(text: str) -> str:
    """Text without what nobody sees: control and zero-width characters, their ``_x0000_`` escapes, outer spaces."""
    return INVISIBLE.sub("", ESCAPE.sub("", text)).strip()


def number(value: CellValue, decimals: int, unit_measure: str = "") -> Reading:
    """A figure as a Decimal with at most ``decimals`` places."""
    if value is None or value == "":
        return BLANK
    match value:
        case CellError() | Uncalculated():
            return lie(value) or BLANK
        case bool():
            return problem("type")
        case datetime() | date() | time() | timedelta():
            return problem("date_in_number")
        case float():
            return _checked(_from_float(value), decimals, "")
        case int():
            return _checked(Decimal(value), decimals, "")
    return _number_from_text(value, decimals, unit_measure)


def _from_float(value: float) -> Decimal | str:
    """The figure as a spreadsheet shows it: 15 significant digits, so 0.1+0.2 is 0.3."""
    if value != value or value in (float("inf"), float("-inf")):
        return "not_finite"
    return Decimal(f"{value:.15g}")


def _checked(figure: Decimal | str, decimals: int, code: str) -> Reading:
    if isinstance(figure, str):
        return problem(figure)
    if abs(figure) >= LARGEST or len(str(abs(int(figure)))) + decimals > CAPACITY:
        return problem("digits")
    figure = figure.normalize()
    exponent = figure.as_tuple().exponent
    if isinstance(exponent, int) and -exponent > decimals:
        return problem("decimals")
    return Reading(figure + 0, code)  # + 0 turns -0 into 0


def _number_from_text(text: str, decimals: int, unit_measure: str) -> Reading:
    visible = clean(text)
    if not visible:
        return Reading(None, "spaces")
    if visible in MISSING:
        return Reading(None, "missing_mark")
    folded = unicodedata.normalize("NFKC", visible.translate(MINUS))
    steps = ["full_width"] if folded != visible else []
    folded = folded.strip()
    if folded.startswith("(") and folded.endswith(")") and folded[1:2] not in ("-", "+"):
        folded = "-" + folded[1:-1].strip()
        steps.append("parentheses")
    if folded.lstrip("-")[:1] == "¥":
        folded = folded.replace("¥", "", 1).replace("- ", "-").strip()
        steps.append("currency")
    unit = unicodedata.normalize("NFKC", unit_measure)
    if unit and unit != "-" and folded.endswith(unit):
        folded = folded[: -len(unit)].strip()
        steps.append("unit_text")
    if _GROUPED.fullmatch(folded):
        folded = folded.replace(",", "").replace(" ", "")
        steps.append("thousands")
    if not _PLAIN.fullmatch(folded):
        return problem(_why_not(folded))
    if len(folded.replace(".", "").lstrip("+-0").rstrip("0")) > 15:
        return problem("digits")
    return _checked(Decimal(folded), decimals, "+".join(steps) or "text_number")


def _why_not(text: str) -> str:
    """The kind of thing that stands where a plain number should."""
    if _NOT_FINITE.fullmatch(text):
        return "not_finite"
    if _SCIENTIFIC.fullmatch(text):
        return "scientific"
    if _HAS_DIGIT.search(text):
        if text.endswith(("%", "‰")):
            return "percent_in_cell"
        if _MAGNITUDE.search(text):
            return "unit_in_cell"
    return "type"


def free_text(value: CellValue) -> Reading:
    """Text as it was typed, without invisible characters; a number is written out."""
    if value is None or value == "":
        return BLANK
    if isinstance(value, str):
        cleaned = clean(value)
        return Reading(
            cleaned or None, "" if cleaned == value else "spaces" if cleaned == value.strip() else "invisible"
        )
    if found := lie(value):
        return found
    if isinstance(value, bool):
        return Reading("是" if value else "否", "boolean_to_text")
    if isinstance(value, float | int):
        return _digits_of(value)
    return Reading(value.isoformat(sep=" ") if isinstance(value, datetime) else str(value), "date_to_text")


def _digits_of(value: float) -> Reading:
    if abs(value) >= LARGEST or value != value:
        return problem("code_numeric")
    return Reading(f"{value:.15g}", "number_to_text")


def code(value: CellValue, widths: Collection[int] = (1,)) -> Reading:
    """A code as text: NFKC, no spaces around, no invisible characters.

    A numeric cell has lost its leading zeros, and beyond 15 digits its end. It is taken only where nothing can have been lost:
    a whole number with as many digits as the longest code of the list has (``widths``).
    """
    if isinstance(value, str):
        visible = clean(value)
        if not visible:
            return Reading(None, "spaces") if value else BLANK
        if visible in MISSING and visible != "*":
            return Reading(None, "missing_mark")
        folded = unicodedata.normalize("NFKC", visible).strip()
        return Reading(folded, "" if folded == value else "full_width" if folded != visible else "spaces")
    if value is None:
        return BLANK
    if found := lie(value):
        return found
    if isinstance(value, float | int) and not isinstance(value, bool):
        digits = f"{value:.15g}"
        if digits.isdigit() and widths and len(digits) == max(widths) <= 15:
            return Reading(digits, "number_to_text")
        return problem("code_numeric")
    return problem("code_type")


def credit_code(value: CellValue) -> Reading:
    """A unified social credit code: as ``code``, in capitals, without spaces or hyphens inside. Its check digit is for the rules."""
    return _credit_code_text(value) if isinstance(value, str) else code(value, widths=())


@lru_cache(maxsize=65536)
def _credit_code_text(value: str) -> Reading:
    # The same codes head every form of a workbook.
    reading = code(value, widths=())
    if not isinstance(reading.value, str):
        return reading
    tidy = re.sub(r"[\s\-]", "", reading.value).upper()
    return Reading(tidy, reading.code if tidy == reading.value else "credit_code")


LOOK_ALIKES = {"O": "0", "I": "1", "Z": "2", "S": "5", "V": "U"}


def suggest_credit_code(text: str, is_valid: Callable[[str], bool]) -> str | None:
    """The one code with look-alike characters replaced (GB 32100 uses no I, O, S, V, Z) that ``is_valid``, else None.

    It is offered, never applied.
    """
    tidy = credit_code(text).value
    if not isinstance(tidy, str) or len(tidy) != 18 or is_valid(tidy):
        return None
    candidate = "".join(LOOK_ALIKES.get(character, character) for character in tidy)
    return candidate if candidate != tidy and is_valid(candidate) else None


def boolean(value: CellValue) -> Reading:
    """Yes or no."""
    if value is None or value == "":
        return BLANK
    if isinstance(value, bool):
        return Reading(value)
    if found := lie(value):
        return found
    if isinstance(value, float | int):
        return Reading(bool(value), "number_to_boolean") if value in (0, 1) else problem("boolean")
    if not isinstance(value, str):
        return problem("boolean")
    visible = clean(value)
    if not visible:
        return Reading(None, "spaces")
    word = unicodedata.normalize("NFKC", visible).upper()
    if word in YES or word in NO:
        return Reading(word in YES, "" if visible in ("是", "否") else "text_to_boolean")
    if visible in MISSING and visible not in ("无", "無"):
        return Reading(None, "missing_mark")
    return problem("boolean")


def day(value: CellValue, *, is_1904: bool = False) -> Reading:
    """A date. A year and month stand for the first of the month, and that is reported."""
    if value is None or value == "":
        return BLANK
    if found := lie(value):
        return found
    match value:
        case bool() | time() | timedelta():
            return problem("date")
        case datetime():
            return _plausible(value.year, value.month, value.day, "")
        case date():
            return _plausible(value.year, value.month, value.day, "")
        case float() | int():
            return _day_from_number(float(value), is_1904=is_1904)
        case str():
            return _day_from_text(value)
    return problem("date")


def _plausible(year: int, month: int, day_: int, code_: str) -> Reading:
    try:
        found = date(year, month, day_)
    except ValueError:
        return problem("date")
    return Reading(found, code_) if EARLIEST_YEAR <= year <= LATEST_YEAR else problem("date")


def _day_from_number(value: float, *, is_1904: bool) -> Reading:
    """20260901 and 202609 as they read; a serial only in the range in which no one would write a year (1950 to 2100)."""
    if value != int(value):
        return problem("date")  # 2026.1 is January, or October with its zero lost
    if match := _COMPACT_DATE.fullmatch(str(int(value))):
        return _plausible(
            int(match[1]), int(match[2]), int(match[3] or 1), "compact_date" if match[3] else "year_month"
        )
    if 18_264 <= value <= 73_415:
        return Reading((_DAY_ONE_1904 if is_1904 else _DAY_ONE_1900) + timedelta(days=int(value)), "date_serial")
    return problem("date")


def _day_from_text(text: str) -> Reading:
    visible = clean(text)
    if not visible:
        return Reading(None, "spaces")
    if visible in MISSING:
        return Reading(None, "missing_mark")
    folded = unicodedata.normalize("NFKC", visible).strip()
    if match := _YEAR_MONTH_DAY.fullmatch(folded):
        return _plausible(int(match[1]), int(match[2]), int(match[3]), "text_date")
    if match := _YEAR_MONTH.fullmatch(folded):
        return _plausible(int(match[1]), int(match[2]), 1, "year_month")
    if match := _COMPACT_DATE.fullmatch(folded):
        return _plausible(
            int(match[1]), int(match[2]), int(match[3] or 1), "compact_date" if match[3] else "year_month"
        )
    return problem("date")
