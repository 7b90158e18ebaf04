"""From the cells of a file to typed columns, without loss: whole numbers, exact decimals, dates, flags, else text.

A column takes the narrowest type that gives every filled cell back: ``03`` and ``+5`` keep a column text, ``6e+05`` is the
whole number 600000, decimals are exact. ``NA`` and the like count as blank in a column whose other cells are numbers, dates
or flags; in a text column only where the rule file says so, since NA is also a code.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Context, Decimal

import polars as pl

from schemas.table_model import Column
from schemas.variables import BOOLEAN, DATE, FLOAT, TEXT, Family, Kind

UNAMBIGUOUS_BLANKS = frozenset({"NA", "N/A", "NaN", "nan", "NULL", "null", "None", "-", "—", "…", ".."})
MAX_DIGITS = 30
MAX_SCALE = 12

_NUMBER = r"^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]{1,3})?$"
_PATTERN = re.compile(_NUMBER)
# Wide enough that no cell is rounded while it is read.
_EXACT = Context(prec=200)
_TRUE = ("true", "TRUE", "True")
_FALSE = ("false", "FALSE", "False")
_DECLARED_TRUE = (*_TRUE, "1", "是", "T", "Y", "yes", "Yes", "YES", "t", "y")
_DECLARED_FALSE = (*_FALSE, "0", "否", "F", "N", "no", "No", "NO", "f", "n")


@dataclass(frozen=True)
class Declared:
    """What a rule file says of a column: ``number`` (with decimals), ``text``, ``date`` or ``boolean``."""

    type: str
    decimals: int | None = None


@dataclass(frozen=True)
class ReadColumn:
    """A typed column, the rows whose cell is not what was declared, and what was noticed."""

    column: Column
    values: pl.Series
    wrong: tuple[int, ...] = ()
    blanks_read: tuple[str, ...] = ()
    inexact: bool = False


def number_of(text: str) -> Decimal | None:
    """The exact number a cell holds, or None."""
    return Decimal(text) if _PATTERN.fullmatch(text) else None


def read_column(name: str, cells: Sequence[str | None], declared: Declared | None = None) -> ReadColumn:
    """A column from its cells (null where blank), by its declaration or by what the cells are."""
    raw = pl.Series(name, cells, dtype=pl.String)
    if declared is not None and declared.type == "text":
        return ReadColumn(Column(name, TEXT, True, raw.null_count() == len(raw)), raw)
    trimmed = raw.str.strip_chars()
    stands_for_blank = trimmed.is_in(list(UNAMBIGUOUS_BLANKS)).fill_null(False)
    filled = trimmed.set(stands_for_blank, None)
    blanks = tuple(sorted(raw.filter(stands_for_blank).unique().to_list()))
    if declared is not None:
        return _declared(name, filled, declared, blanks)
    if filled.null_count() == len(filled):
        return ReadColumn(Column(name, TEXT, False, True), filled, (), blanks)
    for type_ in ("number", "date", "boolean"):
        fits = _fits(filled, type_, declared=False)
        if fits.all():
            return _made(name, filled, type_, False, 0, (), blanks)
    return ReadColumn(Column(name, TEXT), raw)


def _declared(name: str, filled: pl.Series, declared: Declared, blanks: tuple[str, ...]) -> ReadColumn:
    wrong = ~_fits(filled, declared.type, declared=True).fill_null(True)
    if declared.type == "number" and declared.decimals is not None:
        wrong = wrong | (_decimals(filled.set(wrong, None)) > declared.decimals).fill_null(False)
    rows = tuple(wrong.arg_true().to_list())
    return _made(name, filled.set(wrong, None), declared.type, True, declared.decimals or 0, rows, blanks)


def _fits(filled: pl.Series, type_: str, *, declared: bool) -> pl.Series:
    """Whether each cell is of a type; null where it is blank."""
    if type_ == "number":
        shaped = filled.str.contains(_NUMBER)
        finite = (
            filled.cast(pl.Float64, strict=False).is_finite().fill_null(False)
        )  # 1e400 is written, but is no figure
        return shaped & (finite | shaped.is_null())
    if type_ == "date":
        shaped = filled.str.contains(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")
        return shaped & filled.str.to_date("%Y-%m-%d", strict=False).is_not_null()
    yes, no = (_DECLARED_TRUE, _DECLARED_FALSE) if declared else (_TRUE, _FALSE)
    return filled.is_in([*yes, *no])


def _decimals(numbers: pl.Series) -> pl.Series:
    """How many decimals each number has, without closing zeros."""
    if numbers.str.contains("[eE]").any():
        return pl.Series([None if v is None else _scale(Decimal(v)) for v in numbers.to_list()], dtype=pl.Int64)
    return numbers.str.extract(r"\.([0-9]*?)0*$", 1).str.len_chars().fill_null(0).cast(pl.Int64)


def _scale(value: Decimal) -> int:
    exponent = _EXACT.normalize(value).as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _made(
    name: str,
    filled: pl.Series,
    type_: str,
    declared: bool,
    least: int,
    wrong: tuple[int, ...],
    blanks: tuple[str, ...],
) -> ReadColumn:
    """The column of cells that have been found to be of a type."""
    blank = filled.null_count() == len(filled)
    if type_ == "date":
        values = filled.str.to_date("%Y-%m-%d", strict=False)
        return ReadColumn(Column(name, DATE, declared, blank), values, wrong, blanks)
    if type_ == "boolean":
        values = filled.is_in(list(_DECLARED_TRUE if declared else _TRUE))
        return ReadColumn(Column(name, BOOLEAN, declared, blank), values.set(filled.is_null(), None), wrong, blanks)
    if filled.str.contains("[eE]").any():
        filled = pl.Series(name, [None if v is None else _written_out(v) for v in filled.to_list()], dtype=pl.String)
    scale = max(least, int(_decimals(filled).max() or 0))  # type: ignore[arg-type]
    whole = int(filled.str.extract(r"^-?([0-9]+)", 1).str.len_chars().max() or 0)  # type: ignore[arg-type]
    if scale > MAX_SCALE or whole + scale > MAX_DIGITS:
        return ReadColumn(Column(name, FLOAT, declared, blank), filled.cast(pl.Float64), wrong, blanks, inexact=True)
    exact = filled.cast(pl.Decimal(38, scale))
    return ReadColumn(Column(name, Kind(Family.EXACT, scale), declared, blank), exact, wrong, blanks)


def _written_out(text: str) -> str:
    """``6e+05`` as 600000."""
    return format(_EXACT.create_decimal(text), "f")
