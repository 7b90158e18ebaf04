"""Row-level expressions as polars expressions: no Python a row, so that many rules run in one select.

Three values throughout; the engine's own ideas are guarded against: NaN and infinity become unknown, max and min of a
null are unknown, exact numbers stay exact (sums of Int64 are taken in Int128, of Decimal in Decimal(38, scale)).
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from decimal import Decimal
from functools import reduce
from operator import and_, or_
from typing import cast

import polars as pl

from schemas import reserved
from schemas.classes import hightech_class, in_industries, section, size_class
from schemas.environment import SEPARATOR, Environment
from schemas.expression import operand_column
from schemas.period_data import ENTERPRISE
from schemas.typed_expression import AGGREGATES, BOOLEAN, ROSTER_AGGREGATES, TEXT, Family, Kind, Typed
from schemas.uscc import valid_organisation_code, valid_uscc

UNKNOWN = pl.lit(None, dtype=pl.Boolean)


def dtype_of(kind: Kind) -> pl.DataType:
    """The polars type a value of this kind is stored in."""
    match kind.family:
        case Family.EXACT:
            return pl.Decimal(38, kind.scale) if kind.scale else pl.Int64()
        case Family.FLOAT:
            return pl.Float64()
        case Family.BOOLEAN:
            return pl.Boolean()
        case Family.DATE:
            return pl.Date()
    return pl.String()


def columns_of(expression: Typed) -> dict[tuple[str, str], Kind]:
    """(code, lag) → kind of the columns an expression reads from its own frame, so not those inside SUM and COUNT."""
    if expression.op in ROSTER_AGGREGATES:
        return {}
    if expression.op == "column":
        return {cast("tuple[str, str]", expression.value): expression.kind}
    return {name: kind for arg in expression.args for name, kind in columns_of(arg).items()}


def with_missing_columns(frame: pl.DataFrame, expressions: Iterable[Typed]) -> pl.DataFrame:
    """The frame with every column the expressions read; what is not there (no history) as nulls of its type."""
    missing: dict[str, pl.DataType] = {}
    there = set(frame.columns)
    for expression in expressions:
        wanted = {operand_column(*name): dtype_of(kind) for name, kind in columns_of(expression).items()}
        for inner in expression.walk():
            if inner.op == "in_roster" or (inner.op == "context" and inner.value == "park_code"):
                wanted["park"] = pl.String()
            elif inner.op == "context" and inner.value == "answer_status":
                wanted["answer_status"] = pl.String()
        missing |= {name: dtype for name, dtype in wanted.items() if name not in there}
    return frame.with_columns(pl.lit(None, dtype=dtype).alias(name) for name, dtype in sorted(missing.items()))


def aggregate_column(text: str) -> str:
    """The column the value of an aggregate stands in, once computed for the row's park or area."""
    return f"={text}"


def row_of(expression: Typed, env: Environment) -> pl.Expr:
    """One typed expression over the columns of a frame. Aggregates are read from ``aggregate_column(text)``."""
    if expression.op in AGGREGATES:
        return pl.col(aggregate_column(expression.text))
    return _OPERATIONS[expression.op](expression, env)


def _args(expression: Typed, env: Environment) -> list[pl.Expr]:
    return [row_of(arg, env) for arg in expression.args]


def _number(expression: Typed, env: Environment) -> pl.Expr:
    value = cast(Decimal, expression.value)
    return pl.lit(value) if expression.kind.scale else pl.lit(int(value), dtype=pl.Int64)


def _float(expression: Typed, env: Environment) -> pl.Expr:
    (inner,) = expression.args
    if inner.op == "number":
        return pl.lit(float(cast(Decimal, inner.value)), dtype=pl.Float64)
    return row_of(inner, env).cast(pl.Float64)


def _column(expression: Typed, env: Environment) -> pl.Expr:
    code, lag = cast("tuple[str, str]", expression.value)
    return pl.col(operand_column(code, lag))


def _context(expression: Typed, env: Environment) -> pl.Expr:
    period = env.period
    match expression.value:
        case "period_year":
            return pl.lit(period.year, dtype=pl.Int64)
        case "quarter":
            return pl.lit(period.quarter, dtype=pl.Int64)
        case "months":
            return pl.lit(period.months, dtype=pl.Int64)
        case "period_end":
            return pl.lit(period.end, dtype=pl.Date)
        case "park_code":
            return pl.col("park")
        case "answer_status":
            return pl.col("answer_status")
    return pl.lit(str(period))  # B03, the period code


def _wide(kind: Kind) -> pl.DataType:
    return pl.Decimal(38, kind.scale) if kind.scale else pl.Int128()


def _sum(expression: Typed, env: Environment) -> pl.Expr:
    left, right = _args(expression, env)
    if expression.kind.family is Family.EXACT:
        # A sum of two Int64 wraps around in silence; Int128 cannot, with at most 15 digits a literal.
        left, right = left.cast(_wide(expression.kind)), right.cast(_wide(expression.kind))
    return left + right if expression.op == "add" else left - right


def _negative(expression: Typed, env: Environment) -> pl.Expr:
    (value,) = _args(expression, env)
    # polars has no minus sign for Int128.
    return 0 - value.cast(_wide(expression.kind)) if expression.kind.family is Family.EXACT else -value


def _finite(value: pl.Expr) -> pl.Expr:
    return pl.when(value.is_finite()).then(value)


def _product(expression: Typed, env: Environment) -> pl.Expr:
    left, right = _args(expression, env)
    # Division by zero gives inf or NaN, and NaN >= 0.05 is true in polars; both become unknown here.
    # polars multiplies by the reciprocal where the divisor is one value for all rows, so that 53 / 6 differs in the last
    # bit from one row to a thousand; a divisor as long as the column is divided by.
    return _finite(left * right if expression.op == "mul" else left / (left * 0.0 + right))


def _common(expression: Typed, env: Environment) -> list[pl.Expr]:
    """The arguments; exact ones of different scales brought to one type, which polars would take to Float64."""
    values = _args(expression, env)
    kinds = [arg.kind for arg in expression.args]
    if all(k.family is Family.EXACT for k in kinds) and any(k.scale for k in kinds):
        wide = pl.Decimal(38, max(k.scale for k in kinds))
        return [v.cast(wide) for v in values]
    return values


def _extreme(expression: Typed, env: Environment) -> pl.Expr:
    values = _common(expression, env)
    known = reduce(and_, (v.is_not_null() for v in values))
    if expression.kind.family is Family.EXACT and not expression.kind.scale:
        values = [v.cast(pl.Int128) for v in values]
    extreme = pl.max_horizontal(values) if expression.op == "max" else pl.min_horizontal(values)
    return pl.when(known).then(extreme)


ORDERINGS: Mapping[str, Callable[[pl.Expr, pl.Expr], pl.Expr]] = {
    name: getattr(operator, name) for name in ("eq", "ne", "lt", "le", "gt", "ge")
}


def _comparison(expression: Typed, env: Environment) -> pl.Expr:
    left, right = _common(expression, env)
    if _is_constant(expression.args[0]):
        # polars gives one row instead of all for a literal compared with a column that fill_null made one value.
        return ORDERINGS[_FLIPPED.get(expression.op, expression.op)](right, left)
    return ORDERINGS[expression.op](left, right)


_FLIPPED = {"lt": "gt", "le": "ge", "gt": "lt", "ge": "le"}


def _is_constant(expression: Typed) -> bool:
    """Whether a value does not come from the row."""
    reads_row = {"column", "in_roster", *AGGREGATES}
    return not any(
        e.op in reads_row or (e.op == "context" and e.value in ("park_code", "answer_status"))
        for e in expression.walk()
    )


def _nz(expression: Typed, env: Environment) -> pl.Expr:
    (value,) = _args(expression, env)
    match expression.kind:
        case k if k == TEXT:
            return value.fill_null("0")
        case k if k == BOOLEAN:
            return value.fill_null(False)
    return value.fill_null(0)


def _code_number(expression: Typed, env: Environment) -> pl.Expr:
    (text,) = _args(expression, env)
    return pl.when(text.str.contains(r"^(?:0|[1-9][0-9]{0,14})$")).then(text.cast(pl.Int64, strict=False))


def _in(expression: Typed, env: Environment) -> pl.Expr:
    (text,) = _args(expression, env)
    return text.is_in(list(cast("tuple[str, ...]", expression.value)))


def _in_codelist(expression: Typed, env: Environment) -> pl.Expr:
    name = cast(str, expression.value)
    value, *key = _args(expression, env)
    codes = env.keyed_codes(name) if key else env.codes(name)
    if codes is None:
        return UNKNOWN
    asked = pl.concat_str([key[0], value], separator=SEPARATOR) if key else value
    return asked.is_in(codes.implode())


def _in_roster(expression: Typed, env: Environment) -> pl.Expr:
    if env.data is None or ENTERPRISE not in env.data.rosters:
        return UNKNOWN
    roster = env.data.rosters[ENTERPRISE]
    pairs = roster.select(pl.concat_str(["park", reserved.UNIT], separator=SEPARATOR).drop_nulls()).to_series()
    (value,) = _args(expression, env)
    return pl.concat_str([pl.col("park"), value], separator=SEPARATOR).is_in(pairs.implode()).fill_null(False)


def _unique(expression: Typed, env: Environment) -> pl.Expr:
    values = _args(expression, env)
    some = reduce(or_, (v.is_not_null() for v in values))
    fields = [v.alias(f"f{i}") for i, v in enumerate(values)]
    return pl.when(some).then(pl.struct(fields).is_unique())


def _valid_uscc(expression: Typed, env: Environment) -> pl.Expr:
    (code,) = _args(expression, env)
    return valid_uscc(code) | valid_organisation_code(code) if env.organisation_codes else valid_uscc(code)


def _section(expression: Typed, env: Environment) -> pl.Expr:
    return section(_args(expression, env)[0], env.industries)


def _industry(expression: Typed, env: Environment) -> pl.Expr:
    return in_industries(_args(expression, env)[0], cast("tuple[str, ...]", expression.value), env.industries)


def _size_class(expression: Typed, env: Environment) -> pl.Expr:
    code, staff, revenue, assets = _args(expression, env)
    return size_class(code, staff, revenue, assets, env.sizes, env.industries)


def _hightech_class(expression: Typed, env: Environment) -> pl.Expr:
    if not env.hightech:
        return pl.lit(None, dtype=pl.String)
    return hightech_class(_args(expression, env)[0], env.hightech, env.industries)


_OPERATIONS: Mapping[str, Callable[[Typed, Environment], pl.Expr]] = {
    "number": _number,
    "text": lambda e, env: pl.lit(cast(str, e.value)),
    "boolean": lambda e, env: pl.lit(cast(bool, e.value)),
    "date": lambda e, env: pl.lit(cast(date, e.value)),
    "column": _column,
    "context": _context,
    "float": _float,
    "neg": _negative,
    "abs": lambda e, env: row_of(e.args[0], env).abs(),
    "add": _sum,
    "sub": _sum,
    "mul": _product,
    "div": _product,
    "max": _extreme,
    "min": _extreme,
    **dict.fromkeys(ORDERINGS, _comparison),
    "and": lambda e, env: reduce(and_, _args(e, env)),
    "or": lambda e, env: reduce(or_, _args(e, env)),
    "not": lambda e, env: ~row_of(e.args[0], env),
    "isnull": lambda e, env: row_of(e.args[0], env).is_null(),
    "notnull": lambda e, env: row_of(e.args[0], env).is_not_null(),
    "nz": _nz,
    "code_number": _code_number,
    "in": _in,
    "year": lambda e, env: row_of(e.args[0], env).dt.year().cast(pl.Int64),
    "section": _section,
    "industry": _industry,
    "in_codelist": _in_codelist,
    "in_roster": _in_roster,
    "unique": _unique,
    "valid_uscc": _valid_uscc,
    "size_class": _size_class,
    "hightech_class": _hightech_class,
}
