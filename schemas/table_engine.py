"""Typed expressions on a table, computed column by column: no Python a row, every intermediate once.

A value for the whole table is a column of length 1, a value a record a column as long as the table; ``combined`` brings them
together, so that no engine's ideas about literals come in. Unknown is null throughout: NaN and infinity become unknown.
Exact numbers are Decimal(38, scale); overflow is an error and never wraps around.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import polars as pl

from schemas.table_model import Table, Tables
from schemas.table_terms import Tolerance
from schemas.typed_expression import Typed
from schemas.variables import Family, Kind

PRECISION = 38
MONTHS = {"A": 12, "H": 6, "Q": 3, "M": 1}
_PERIOD = (
    (r"^([0-9]{4})$", "A", None),
    (r"^([0-9]{4})-?H([12])$", "H", 6),
    (r"^([0-9]{4})-?Q([1-4])$", "Q", 3),
    (r"^([0-9]{4})(?:M|-)(0[1-9]|1[0-2])$", "M", 1),
)


def dtype_of(kind: Kind) -> pl.DataType:
    """The polars type a value of this kind is computed in."""
    match kind.family:
        case Family.EXACT:
            return pl.Decimal(PRECISION, kind.scale)
        case Family.FLOAT:
            return pl.Float64()
        case Family.BOOLEAN:
            return pl.Boolean()
        case Family.DATE:
            return pl.Date()
    return pl.String()


def combined(compute: Callable[..., pl.Expr], *columns: pl.Series) -> pl.Series:
    """One column from several, each repeated to the common length where it is a single value."""
    height = next((len(c) for c in columns if len(c) != 1), 1)
    return frame_of(columns, height).select(compute(*(pl.col(f"c{n}") for n in range(len(columns)))).alias("v"))["v"]


def frame_of(columns: tuple[pl.Series, ...] | list[pl.Series], height: int) -> pl.DataFrame:
    """The columns as ``c0``, ``c1`` …, single values repeated to ``height``."""
    return pl.DataFrame(
        [(c if len(c) == height else c.new_from_index(0, height)).alias(f"c{n}") for n, c in enumerate(columns)]
    )


def finite(value: pl.Expr) -> pl.Expr:
    """NaN and infinity become unknown."""
    return pl.when(value.is_finite()).then(value)


def unscaled(column: pl.Series) -> tuple[pl.Series, int]:
    """Float64 of a number without its decimal point, and how many decimals that left out.

    0.6 / 3 is 0.19999999999999998 in Float64, 6 / 30 is 0.2: whole numbers are exact, and their quotient correctly rounded.
    """
    if isinstance(column.dtype, pl.Decimal):
        return column.to_physical().cast(pl.Float64), column.dtype.scale
    return column.cast(pl.Float64), 0


def close_enough(left: pl.Expr, right: pl.Expr, tolerance: Tolerance, scale: int | None) -> pl.Expr:
    """Whether two numbers are equal within the tolerance; ``scale`` of the exact type both have, None for Float64."""
    gap = (left - right).abs()
    if scale is None:
        larger = pl.max_horizontal(left.abs(), right.abs())
        return (gap <= float(tolerance.absolute)) | (gap <= larger * float(tolerance.relative))
    within = gap <= pl.lit(tolerance.absolute)
    if not tolerance.relative:
        return within
    larger = pl.max_horizontal(left.abs(), right.abs())
    # Relative bounds in Float64: they are bounds of judgement, an ulp more or less is none.
    return within | (gap.cast(pl.Float64) <= larger.cast(pl.Float64) * float(tolerance.relative))


class Engine:
    """Values of typed expressions on one table; each is computed once and kept."""

    def __init__(
        self,
        tables: Tables,
        operations: Mapping[str, Operation],
        table: Table | None = None,
        shared: dict[str, Engine] | None = None,
    ) -> None:
        self.tables = tables
        self.operations = operations
        self.table = tables.data if table is None else table
        self.height = self.table.height
        self.known: dict[Typed, pl.Series] = {}
        self.shared = {} if shared is None else shared
        self.shared.setdefault(self.table.name, self)
        self.notes: list[str] = []

    def on(self, name: str) -> Engine:
        """The engine of another table."""
        if name not in self.shared:
            Engine(self.tables, self.operations, self.tables.beside[name], self.shared)
        return self.shared[name]

    def series(self, expression: Typed) -> pl.Series:
        """The value of an expression: one for the table, or one a record. Raises polars' errors on overflow."""
        if expression not in self.known:
            self.known[expression] = self.operations[expression.op](self, expression)
        return self.known[expression]

    def args(self, expression: Typed) -> list[pl.Series]:
        return [self.series(a) for a in expression.args]

    def full(self, column: pl.Series) -> pl.Series:
        """A column as long as the table."""
        return column if len(column) == self.height else column.new_from_index(0, self.height)

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)


Operation = Callable[[Engine, Typed], pl.Series]


def glob_pattern(text: str) -> str:
    """``*`` stands for any characters, everything else for itself, from end to end."""
    return "^" + ".*".join(map(re.escape, text.split("*"))) + "$"


def period_months(text: pl.Expr) -> pl.Expr:
    """The month a period begins with, counted from the year 0; null for what is no period."""
    found = pl.lit(None, dtype=pl.Int64)
    for pattern, _, months in _PERIOD:
        year = text.str.extract(pattern, 1).cast(pl.Int64) * 12
        part = (text.str.extract(pattern, 2).cast(pl.Int64) - 1) * months if months else pl.lit(0)
        found = pl.coalesce(found, year + part)
    return found


def period_step(text: pl.Expr) -> pl.Expr:
    """How many months a period covers: 12, 6, 3 or 1; null for what is no period."""
    found = pl.lit(None, dtype=pl.Int64)
    for pattern, frequency, _ in _PERIOD:
        found = pl.coalesce(found, pl.when(text.str.contains(pattern)).then(MONTHS[frequency]))
    return found
