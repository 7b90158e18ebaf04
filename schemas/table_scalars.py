"""Operations on the values of one record: arithmetic, comparisons, texts, dates, codes, uniqueness."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import reduce
from operator import and_, or_
from typing import cast

import polars as pl

from schemas.polars_rows import ORDERINGS
from schemas.table_engine import (
    PRECISION,
    Engine,
    Operation,
    close_enough,
    combined,
    dtype_of,
    finite,
    glob_pattern,
    period_months,
    unscaled,
)
from schemas.table_terms import NO_TOLERANCE, Pattern, Tolerance
from schemas.typed_expression import Typed
from schemas.uscc import valid_uscc
from schemas.variables import FLOAT, INTEGER, Family, Kind


def _literal(e: Engine, t: Typed) -> pl.Series:
    value = t.value
    if t.kind == FLOAT:
        value = float(cast(Decimal, value))
    return pl.Series("v", [value], dtype=dtype_of(t.kind))


def _column(e: Engine, t: Typed) -> pl.Series:
    return e.table.values[str(t.value)]


def _raw(e: Engine, t: Typed) -> pl.Series:
    return e.table.raw[str(t.value)]


def _blank(e: Engine, t: Typed) -> pl.Series:
    return pl.Series("v", [None] * e.height, dtype=dtype_of(t.kind))


def _float(e: Engine, t: Typed) -> pl.Series:
    return e.series(t.args[0]).cast(pl.Float64)


def _exactly(values: list[pl.Series], kind: Kind) -> list[pl.Series]:
    return [v.cast(dtype_of(kind)) for v in values] if kind.family is Family.EXACT else values


def _arithmetic(e: Engine, t: Typed) -> pl.Series:
    values = _exactly(e.args(t), t.kind)
    operation: Callable[[pl.Expr, pl.Expr], pl.Expr] = {
        "add": lambda a, b: a + b,
        "sub": lambda a, b: a - b,
        "mul": lambda a, b: a * b,
    }[t.op]
    if t.kind.family is Family.EXACT:
        return combined(operation, *values)
    return combined(lambda a, b: finite(operation(a, b)), *values)


def _quotient(e: Engine, t: Typed) -> pl.Series:
    top, bottom = e.args(t)
    kinds = [a.kind for a in t.args]
    if all(k.family is Family.EXACT for k in kinds):
        common = Kind(Family.EXACT, max(k.scale for k in kinds))
        (top, _), (bottom, _) = (unscaled(v) for v in _exactly([top, bottom], common))
    return combined(lambda a, b: finite(a / b), top, bottom)


def _mod(e: Engine, t: Typed) -> pl.Series:
    values = _exactly(e.args(t), t.kind)
    if t.kind.family is not Family.EXACT:
        return combined(lambda a, b: finite(a - b * (a / b).floor()), *values)
    whole = [v.to_physical() for v in values]
    found = combined(lambda a, b: pl.when(b != 0).then(a % b), *whole)
    return _from_physical(found, t.kind.scale)


def _from_physical(column: pl.Series, scale: int) -> pl.Series:
    """Whole numbers of the last decimal as exact numbers."""
    if not scale:
        return column.cast(pl.Decimal(PRECISION, 0))
    unit = pl.Series("u", [Decimal(1).scaleb(-scale)], dtype=pl.Decimal(PRECISION, scale))
    return combined(lambda a, b: a * b, column.cast(pl.Decimal(PRECISION, 0)).cast(pl.Decimal(PRECISION, scale)), unit)


def _negative(e: Engine, t: Typed) -> pl.Series:
    return combined(lambda a: -a, e.series(t.args[0]))


def _absolute(e: Engine, t: Typed) -> pl.Series:
    return combined(lambda a: a.abs(), e.series(t.args[0]))


def _sign(e: Engine, t: Typed) -> pl.Series:
    value = e.series(t.args[0])
    found = combined(lambda a: pl.when(a > 0).then(1).when(a < 0).then(-1).when(a == 0).then(0), value)
    return found.cast(dtype_of(t.kind))


def _round(e: Engine, t: Typed) -> pl.Series:
    value, digits = e.series(t.args[0]), cast(int, t.value)
    if t.kind.family is not Family.EXACT:
        step = 10.0**digits
        return combined(lambda a: finite((a.abs() * step + 0.5).floor() / step * a.sign()), value)
    scale = t.args[0].kind.scale
    if digits >= scale:
        return value.cast(dtype_of(t.kind))
    unit = 10 ** (scale - digits)
    whole = value.to_physical()
    halves = combined(
        lambda a: pl.when(a >= 0).then((a + unit // 2) // unit).otherwise(0 - (unit // 2 - a) // unit), whole
    )
    return _from_physical(combined(lambda a, b: pl.when(b.is_not_null()).then(a), halves, whole), digits)


def _whole(e: Engine, t: Typed) -> pl.Series:
    """floor, ceil and trunc."""
    value = e.series(t.args[0])
    if t.kind.family is not Family.EXACT:
        steps: Mapping[str, Callable[[pl.Expr], pl.Expr]] = {
            "floor": lambda a: a.floor(),
            "ceil": lambda a: a.ceil(),
            "trunc": lambda a: pl.when(a >= 0).then(a.floor()).otherwise(a.ceil()),
        }
        return combined(steps[t.op], value)
    unit = 10 ** t.args[0].kind.scale
    whole = value.to_physical()
    exact: Mapping[str, Callable[[pl.Expr], pl.Expr]] = {
        "floor": lambda a: a // unit,
        "ceil": lambda a: 0 - (0 - a) // unit,
        "trunc": lambda a: pl.when(a >= 0).then(a // unit).otherwise(0 - (0 - a) // unit),
    }
    return combined(exact[t.op], whole).cast(pl.Decimal(PRECISION, 0))


def _float_function(e: Engine, t: Typed) -> pl.Series:
    values = e.args(t)
    match t.op, len(values):
        case "pow", _:
            return combined(lambda a, b: finite(a**b), *values)
        case "sqrt", _:
            return combined(lambda a: finite(a.sqrt()), *values)
        case "exp", _:
            return combined(lambda a: finite(a.exp()), *values)
        case "log10", _:
            return combined(lambda a: finite(a.log10()), *values)
        case _, 2:
            return combined(lambda a, b: finite(a.log() / b.log()), *values)
    return combined(lambda a: finite(a.log()), *values)


def _extreme(e: Engine, t: Typed) -> pl.Series:
    values = _exactly(e.args(t), t.kind)
    horizontal = pl.max_horizontal if t.op == "max" else pl.min_horizontal
    return combined(lambda *v: pl.when(reduce(and_, (x.is_not_null() for x in v))).then(horizontal(*v)), *values)


def _comparison(e: Engine, t: Typed) -> pl.Series:
    values = e.args(t)
    tolerance = t.value if isinstance(t.value, Tolerance) else NO_TOLERANCE
    scale: int | None = None
    if all(a.kind.family is Family.EXACT for a in t.args):
        scale = max(a.kind.scale for a in t.args)
        if tolerance:
            scale = max(scale, -int(tolerance.absolute.as_tuple().exponent))
        values = _exactly(values, Kind(Family.EXACT, scale))
    if not tolerance:
        return combined(ORDERINGS[t.op], *values)
    if t.op == "ne":
        return combined(lambda a, b: ~close_enough(a, b, tolerance, scale), *values)
    return combined(lambda a, b: ORDERINGS[t.op](a, b) | close_enough(a, b, tolerance, scale), *values)


def _choose(e: Engine, t: Typed) -> pl.Series:
    condition, *branches = e.args(t)
    branches = _exactly(branches, t.kind)
    return combined(lambda c, a, b: pl.when(c.is_null()).then(None).when(c).then(a).otherwise(b), condition, *branches)


def _nz(e: Engine, t: Typed) -> pl.Series:
    zero = pl.Series("z", [False if t.kind.family is Family.BOOLEAN else 0]).cast(dtype_of(t.kind))
    return combined(lambda a, b: a.fill_null(b), e.series(t.args[0]), zero)


def _coalesce(e: Engine, t: Typed) -> pl.Series:
    return combined(lambda *v: pl.coalesce(v), *_exactly(e.args(t), t.kind))


def _number_missing(e: Engine, t: Typed) -> pl.Series:
    found = combined(lambda *v: pl.sum_horizontal(x.is_null().cast(pl.Int64) for x in v), *e.args(t))
    return found.cast(dtype_of(INTEGER))


def pattern_of(pattern: Pattern) -> str:
    """The regular expression of a pattern of one text."""
    (text,) = pattern.texts
    if pattern.kind == "rx":
        return text
    if pattern.kind == "number":
        parts = [".*" if c == "*" else "[0-9]" if c == "d" else re.escape(c) for c in text]
        return "^" + "".join(parts) + "$"
    return glob_pattern(text)


def _matches(e: Engine, t: Typed) -> pl.Series:
    pattern = pattern_of(cast(Pattern, t.value))
    return combined(lambda a: a.str.contains(pattern), e.series(t.args[0]))


def _substr(e: Engine, t: Typed) -> pl.Series:
    start, *length = cast("tuple[int, ...]", t.value)
    return combined(lambda a: a.str.slice(start - 1, length[0] if length else None), e.series(t.args[0]))


def _to_number(e: Engine, t: Typed) -> pl.Series:
    return combined(
        lambda a: pl.when(a.str.contains(r"^\s*-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?\s*$")).then(
            a.str.strip_chars().cast(pl.Float64, strict=False)
        ),
        e.series(t.args[0]),
    )


def _to_date(e: Engine, t: Typed) -> pl.Series:
    return combined(lambda a: a.str.to_date("%Y-%m-%d", strict=False), e.series(t.args[0]))


def _as_text(e: Engine, t: Typed) -> pl.Series:
    return e.series(t.args[0]).cast(pl.String)


def _concat(e: Engine, t: Typed) -> pl.Series:
    return combined(lambda *v: pl.concat_str(v), *e.args(t))


def _date_part(e: Engine, t: Typed) -> pl.Series:
    parts: Mapping[str, Callable[[pl.Expr], pl.Expr]] = {
        "year": lambda a: a.dt.year(),
        "quarter": lambda a: a.dt.quarter(),
        "month": lambda a: a.dt.month(),
        "day": lambda a: a.dt.day(),
    }
    return combined(lambda a: parts[t.op](a).cast(pl.Int64), e.series(t.args[0])).cast(dtype_of(INTEGER))


def _days_between(e: Engine, t: Typed) -> pl.Series:
    return combined(lambda a, b: (b - a).dt.total_days(), *e.args(t)).cast(dtype_of(INTEGER))


def _day_number(e: Engine, t: Typed) -> pl.Series:
    return e.series(t.args[0]).to_physical().cast(dtype_of(INTEGER))


def _period_index(e: Engine, t: Typed) -> pl.Series:
    return combined(period_months, e.series(t.args[0])).cast(dtype_of(INTEGER))


def _in_codelist(e: Engine, t: Typed) -> pl.Series:
    codelist = e.tables.codelists[str(t.value)]
    value, *key = e.args(t)
    if not key:
        codes = pl.Series(list(codelist.codes), dtype=pl.String)
        return combined(lambda a: a.is_in(codes.implode()), value)
    pairs = pl.Series(
        [f"{k}\x1f{c}" for k, c in zip(codelist.columns["key"], codelist.codes, strict=True)], dtype=pl.String
    )
    return combined(lambda a, k: pl.concat_str(k, a, separator="\x1f").is_in(pairs.implode()), value, key[0])


def _is_unique(e: Engine, t: Typed) -> pl.Series:
    values = [e.full(v) for v in e.args(t)]
    return combined(
        lambda *v: pl.when(reduce(or_, (x.is_not_null() for x in v))).then(
            pl.struct(x.alias(f"f{n}") for n, x in enumerate(v)).is_unique()
        ),
        *values,
    )


def _all_unique(e: Engine, t: Typed) -> pl.Series:
    unique = _is_unique(e, t)
    holds = None if unique.null_count() and unique.all() else bool(unique.all())
    return pl.Series("v", [holds], dtype=pl.Boolean)


def _all_complete(e: Engine, t: Typed) -> pl.Series:
    return pl.Series("v", [all(v.null_count() == 0 for v in e.args(t))], dtype=pl.Boolean)


def _text(change: Callable[..., pl.Expr]) -> Operation:
    return lambda e, t: combined(change, *e.args(t))


SCALAR_OPERATIONS: Mapping[str, Operation] = {
    "number": _literal,
    "text": _literal,
    "boolean": _literal,
    "date": _literal,
    "column": _column,
    "raw": _raw,
    "blank": _blank,
    "float": _float,
    **dict.fromkeys(("add", "sub", "mul"), _arithmetic),
    "div": _quotient,
    "mod": _mod,
    "neg": _negative,
    "abs": _absolute,
    "sign": _sign,
    "round": _round,
    **dict.fromkeys(("floor", "ceil", "trunc"), _whole),
    **dict.fromkeys(("pow", "sqrt", "exp", "log", "log10"), _float_function),
    "max": _extreme,
    "min": _extreme,
    **dict.fromkeys(ORDERINGS, _comparison),
    "and": _text(lambda *v: reduce(and_, v)),
    "or": _text(lambda *v: reduce(or_, v)),
    "not": _text(lambda a: ~a),
    "choose": _choose,
    "isnull": _text(lambda a: a.is_null()),
    "notnull": _text(lambda a: a.is_not_null()),
    "complete": _text(lambda *v: reduce(and_, (x.is_not_null() for x in v))),
    "n_missing": _number_missing,
    "nz": _nz,
    "coalesce": _coalesce,
    "in": lambda e, t: combined(lambda a: a.is_in(list(cast("tuple[str, ...]", t.value))), e.series(t.args[0])),
    "in_codelist": _in_codelist,
    "matches": _matches,
    "length": lambda e, t: combined(lambda a: a.str.len_chars().cast(pl.Int64), e.series(t.args[0])).cast(
        dtype_of(INTEGER)
    ),
    "starts_with": _text(lambda a, b: a.str.starts_with(b)),
    "ends_with": _text(lambda a, b: a.str.ends_with(b)),
    "contains": _text(lambda a, b: a.str.contains(b, literal=True)),
    "upper": _text(lambda a: a.str.to_uppercase()),
    "lower": _text(lambda a: a.str.to_lowercase()),
    "trim": _text(lambda a: a.str.strip_chars()),
    "substr": _substr,
    "concat": _concat,
    "to_number": _to_number,
    "as_text": _as_text,
    "valid_uscc": _text(valid_uscc),
    "to_date": _to_date,
    **dict.fromkeys(("year", "quarter", "month", "day"), _date_part),
    "days_between": _days_between,
    "day_number": _day_number,
    "period_index": _period_index,
    "is_unique": _is_unique,
    "all_unique": _all_unique,
    "all_complete": _all_complete,
}
"""Operation → how it is computed; ``table_groups`` and ``table_relations`` have the others."""
