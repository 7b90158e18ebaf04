"""From the cells of a file to typed columns, without loss: whole numbers, exact decimals, dates, flags, else text.

A column takes the narrowest type that gives every filled cell back: ``03`` and ``+5`` keep a column text, ``6e+05`` is the
whole number 600000, decimals are exact. ``NA`` and the like count as blank in a column whose other cells are numbers, dates
or flags; in a text column only where the rule file says so, since NA is also a code.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Context, Decimal

import polars as pl

from schemas.table_model import Column
from schemas.variables import BOOLEAN, DATE, FLOAT, TEXT, Family, Kind

UNAMBIGUOUS_BLANKS = frozenset({"NA", "N/A", "NaN", "nan", "NULL", "null", "None", "-", "—", "…", ".."})
MAX_DIGITS = 30
MAX_SCALE = 12
# Wide enough that no cell is rounded while it is read.
_EXACT = Context(prec=200)

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]{1,3})?")
_TRUE = frozenset({"true", "TRUE", "True"})
_FALSE = frozenset({"false", "FALSE", "False"})
_DECLARED_TRUE = _TRUE | {"1", "是", "T", "Y", "yes", "Yes", "YES", "t", "y"}
_DECLARED_FALSE = _FALSE | {"0", "否", "F", "N", "no", "No", "NO", "f", "n"}


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
    return Decimal(text) if _NUMBER.fullmatch(text) else None


def date_of(text: str) -> date | None:
    """The date a cell holds as YYYY-MM-DD, or None."""
    if len(text) != 10 or text[4] != "-":
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def boolean_of(text: str) -> bool | None:
    """The flag a cell holds as true or false, or None."""
    return True if text in _TRUE else False if text in _FALSE else None


def _declared_boolean(text: str) -> bool | None:
    return True if text in _DECLARED_TRUE else False if text in _DECLARED_FALSE else None


def read_column(name: str, cells: Sequence[str | None], declared: Declared | None = None) -> ReadColumn:
    """A column from its cells (null where blank), by its declaration or by what the cells are."""
    if declared is None:
        return _inferred(name, cells)
    if declared.type == "text":
        return ReadColumn(Column(name, TEXT, True, not any(cells)), _texts(name, cells))
    read: Callable[[str], object] = {"number": number_of, "date": date_of, "boolean": _declared_boolean}[declared.type]
    distinct = {cell: read(cell.strip()) for cell in set(cells) if cell is not None}
    blanks = {c for c, v in distinct.items() if v is None and c.strip() in UNAMBIGUOUS_BLANKS}
    wrong = {c for c, v in distinct.items() if v is None and c not in blanks}
    if declared.type == "number" and declared.decimals is not None:
        wrong |= {c for c, v in distinct.items() if isinstance(v, Decimal) and _scale(v) > declared.decimals}
    for cell in wrong:
        distinct[cell] = None
    made = _made(name, cells, distinct, declared.type, True, declared.decimals or 0)
    rows = tuple(row for row, cell in enumerate(cells) if cell in wrong) if wrong else ()
    return ReadColumn(made.column, made.values, rows, tuple(sorted(blanks)), made.inexact)


def _inferred(name: str, cells: Sequence[str | None]) -> ReadColumn:
    distinct = {cell for cell in cells if cell is not None}
    if not distinct:
        return ReadColumn(Column(name, TEXT, False, True), _texts(name, cells))
    blanks = {c for c in distinct if c.strip() in UNAMBIGUOUS_BLANKS}
    filled = distinct - blanks
    for type_, read in (("number", number_of), ("date", date_of), ("boolean", boolean_of)):
        found = {c: read(c.strip()) for c in filled}
        if filled and all(v is not None for v in found.values()):
            made = _made(name, cells, {**found, **dict.fromkeys(blanks)}, type_, False, 0)
            return ReadColumn(made.column, made.values, (), tuple(sorted(blanks)), made.inexact)
    return ReadColumn(Column(name, TEXT), _texts(name, cells))


def _texts(name: str, cells: Sequence[str | None]) -> pl.Series:
    return pl.Series(name, cells, dtype=pl.String)


def _scale(value: Decimal) -> int:
    exponent = _EXACT.normalize(value).as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _digits(value: Decimal) -> int:
    return max(value.adjusted() + 1, 1) if value else 1


def _made(
    name: str, cells: Sequence[str | None], meaning: dict[str, object | None], type_: str, declared: bool, least: int
) -> ReadColumn:
    """The series of a column whose cells have been read; ``meaning`` holds each distinct cell once."""
    blank = not any(v is not None for v in meaning.values())
    meant = [None if cell is None else meaning[cell] for cell in cells]
    if type_ == "date":
        return ReadColumn(Column(name, DATE, declared, blank), pl.Series(name, meant, dtype=pl.Date))
    if type_ == "boolean":
        return ReadColumn(Column(name, BOOLEAN, declared, blank), pl.Series(name, meant, dtype=pl.Boolean))
    numbers = [v for v in meaning.values() if isinstance(v, Decimal)]
    scale = max([least, *map(_scale, numbers)])
    if scale > MAX_SCALE or any(_digits(v) + scale > MAX_DIGITS for v in numbers):
        floats = [float(v) if isinstance(v, Decimal) else None for v in meant]
        return ReadColumn(Column(name, FLOAT, declared, blank), pl.Series(name, floats, dtype=pl.Float64), inexact=True)
    unit = Decimal(1).scaleb(-scale)
    exact = {cell: v.quantize(unit, context=_EXACT) for cell, v in meaning.items() if isinstance(v, Decimal)}
    values = [None if cell is None else exact.get(cell) for cell in cells]
    series = pl.Series(name, values, dtype=pl.Decimal(38, scale))
    return ReadColumn(Column(name, Kind(Family.EXACT, scale), declared, blank), series)
