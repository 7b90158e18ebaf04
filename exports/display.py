"""The one place where a value becomes what a reader sees: rounded half up once, or a mark.

Marks come from ``schemas.marts.STATUSES``. ``0`` stands for a true zero only; a figure that merely rounds to zero keeps
its decimals (``0.0``). No separators of thousands, as in Chinese statistical yearbooks.
"""

from __future__ import annotations

import math
import re
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Final

import polars as pl

from schemas.errors import DefinitionError
from schemas.marts import STATUSES

_NUMBER: Final = re.compile(r"-?\d+(?:\.(\d+))?")
# Digits a Float64 surely carries; a figure printed with more is taken digit by digit as it is.
_SURE_DIGITS: Final = 15
# A difference of equal figures leaves noise of the last binary digits; it is no "less than the last decimal".
_NOISE: Final = 1e-9
_WIDE: Final = Context(prec=400, rounding=ROUND_HALF_UP)  # any Float64 fits


def displayed(value: float | None, decimals: int | None, status: str) -> str:
    """What is printed for one cell: the mark of its status, else the figure rounded half up (away from zero).

    Rounding looks at 15 significant digits, as spreadsheet programs do, so that 2.675 prints 2.68 although no Float64
    is exactly 2.675. A missing or non-finite value prints the mark of a missing one, whatever its status says.
    """
    if status not in STATUSES:
        raise DefinitionError(f"数据状态“{status}”不存在", remedy="状态见 schemas/marts.py 的 STATUSES。")
    mark = STATUSES[status][0]
    if mark:
        return mark
    if value is None or not math.isfinite(value):
        return STATUSES["M"][0]
    if abs(value) < _NOISE:
        return "0"
    digits = decimals or 0
    exact = Decimal(f"{value:.{_SURE_DIGITS}g}" if abs(value) < 10.0 ** (_SURE_DIGITS - 1 - digits) else repr(value))
    rounded = exact.quantize(Decimal(1).scaleb(-digits), context=_WIDE)
    return f"{abs(rounded) if rounded == 0 else rounded:f}"


def figure(value: float | None, decimals: int) -> str:
    """A figure within a sentence, rounded by the rule of all figures; the mark of a missing one where there is none."""
    return displayed(value, decimals, "A")


def signed(value: float | None, decimals: int) -> str:
    """A change within a sentence: as ``figure``, with a plus sign where it is above zero."""
    text = figure(value, decimals)
    return f"+{text}" if value is not None and value > 0 and text != "0" else text


def grouped(value: float | None, decimals: int = 0) -> str:
    """As ``figure`` with separators of thousands: on working pages and the command line, never in a publication."""
    text = figure(value, decimals)
    found = re.fullmatch(r"(-?)(\d+)(.*)", text)
    return f"{found[1]}{int(found[2]):,}{found[3]}" if found else text


def significant(value: float | None, digits: int = 4) -> str:
    """A figure of unknown size to so many significant digits, never as a power of ten; whole digits are all kept."""
    if value is None or not math.isfinite(value) or value == 0:
        return figure(value, 0)
    return figure(value, max(0, digits - 1 - math.floor(math.log10(abs(value)))))


def percent(share: float) -> str:
    """A share of 1 as a percentage with one decimal where it has one: 0.625 is 62.5%."""
    return f"{figure(100.0 * share, 1).removesuffix('.0')}%"


def with_display(cells: pl.DataFrame) -> pl.DataFrame:
    """``cells`` with the column ``display``; takes ``value``, ``decimals``, ``status`` and changes nothing else."""
    shown = [displayed(*row) for row in cells.select("value", "decimals", "status").iter_rows()]
    return cells.with_columns(pl.Series("display", shown, dtype=pl.String))


def number_of(display: str) -> float | None:
    """The number a display shows, null for a mark or a word: what a published workbook holds in its cell.

    Not the unrounded value: a workbook never tells more digits than were released.
    """
    return float(display) if _NUMBER.fullmatch(display) else None


def number_format(display: str) -> str:
    """The spreadsheet number format under which ``number_of(display)`` shows exactly ``display``."""
    found = _NUMBER.fullmatch(display)
    digits = len(found[1]) if found and found[1] else 0
    return "0." + "0" * digits if digits else "0"
