"""The sums and counts of one roster by area: one group_by for all parts, with what disclosure control asks of each.

Sums are exact and do not depend on the order of rows: Int64 in Int128, Decimal in Decimal(38), Float64 contributions
(weights, products) in fixed point of 2^-50.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import and_

import polars as pl

from schemas.aggregate_plan import Part, Ratio
from schemas.environment import Environment
from schemas.expression import operand_column
from schemas.polars_rows import columns_of, dtype_of, row_of, with_missing_columns
from schemas.typed_expression import Family, Typed

FIXED_POINT = float(2**50)
DUE_STATUS = ("0", "1", "2", "3", "4")
EARLIER = ("last", "prev", "yoy")  # the nearest earlier figure there is, for the size of a unit
STATISTICS = ("n", "max1", "max2", "total", "absolute_total", "weighted_total")


def sums(
    frame: pl.DataFrame, parts: Sequence[Part], keys: Sequence[str], env: Environment, *, weighted: bool
) -> pl.DataFrame:
    """keys…, then for each part its value (``part.column``) and ``part.column:n``, ``:max1`` … (``STATISTICS``)."""
    needed = [p.node for p in parts] + [c for p in parts for c in p.common]
    rows = with_missing_columns(frame, [arg for node in needed for arg in node.args])
    has_weight = "weight" in frame.columns
    rows = rows.select(
        *keys,
        *([pl.col("weight").fill_null(1.0).alias("#weight")] if has_weight else []),
        *(_contribution(p, env).alias(p.column) for p in parts),
    )
    statistics = [e for p in parts for e in _statistics(p, has_weight=has_weight)]
    table = rows.group_by(keys).agg(statistics)
    return table.with_columns(_value(p, weighted=weighted and has_weight).alias(p.column) for p in parts)


def _common(sums_needed: Sequence[Typed], env: Environment) -> list[pl.Expr]:
    """Tests that hold for the units of which every needed sum is known: its value, and whether its condition holds."""
    return [row_of(arg, env).is_not_null() for node in sums_needed for arg in node.args]


def _contribution(part: Part, env: Environment) -> pl.Expr:
    tests = _common(part.common, env)
    if part.condition is not None:
        tests.append(row_of(part.condition, env))
    value = pl.lit(1, dtype=pl.Int64) if part.value is None else row_of(part.value, env)
    if part.node.kind.family is Family.EXACT:
        value = value.cast(pl.Decimal(38, part.node.kind.scale) if part.node.kind.scale else pl.Int128)
    if not tests:
        return value
    return pl.when(reduce(and_, tests).fill_null(False)).then(value)


def _fixed(value: pl.Expr) -> pl.Expr:
    """Float64 as whole multiples of 2^-50, which add up to the same whatever the order."""
    return (value * FIXED_POINT).round().cast(pl.Int128)


def _total(value: pl.Expr, exact: bool) -> pl.Expr:
    return value.sum() if exact else _fixed(value).sum()


def _from_total(total: pl.Expr, exact: bool) -> pl.Expr:
    return total.cast(pl.Float64) if exact else total.cast(pl.Float64) / FIXED_POINT


def _statistics(part: Part, *, has_weight: bool) -> list[pl.Expr]:
    value, exact = pl.col(part.column), part.node.kind.family is Family.EXACT
    size = value.abs()
    weighted = _fixed(value.cast(pl.Float64) * pl.col("#weight")).sum() if has_weight else pl.lit(None, dtype=pl.Int128)
    found = {
        "exact": _total(value, exact),
        "known": value.count(),
        "n": (value != 0).sum(),
        "max1": size.max().cast(pl.Float64),
        # top_k promises no order among the k it returns.
        "max2": pl.when(value.count() > 1).then(size.top_k(2).min()).cast(pl.Float64),
        "total": _from_total(_total(value, exact), exact),
        "absolute_total": _from_total(_total(size, exact), exact),
        "weighted_total": _from_total(weighted, exact=False),
    }
    return [expr.alias(f"{part.column}:{name}") for name, expr in found.items()]


def _value(part: Part, *, weighted: bool) -> pl.Expr:
    exact = part.node.kind.family is Family.EXACT
    if weighted:
        value = pl.col(f"{part.column}:weighted_total")
    else:
        value = pl.col(f"{part.column}:exact") if exact else pl.col(f"{part.column}:total")
    # A count of no row is 0; a sum of no row is undetermined.
    return value if part.value is None else pl.when(pl.col(f"{part.column}:known") > 0).then(value)


def empty_sums(parts: Sequence[Part], *, weighted: bool) -> list[pl.Expr]:
    """The columns of ``sums`` for a roster that is not there: everything undetermined."""
    value = [pl.lit(None, dtype=pl.Float64 if weighted else dtype_of(p.node.kind)).alias(p.column) for p in parts]
    rest = [
        pl.lit(None, dtype=pl.Int64 if name == "n" else pl.Float64).alias(f"{p.column}:{name}")
        for p in parts
        for name in STATISTICS
    ]
    return value + rest


def earlier_sizes(env: Environment) -> list[str]:
    """Columns of the earlier figures of the indicator of size, nearest first; none where the programme names none."""
    return [operand_column(env.size, lag) for lag in EARLIER] if env.size else []


def coverage(frame: pl.DataFrame, ratios: Sequence[Ratio], keys: Sequence[str], env: Environment) -> pl.DataFrame:
    """keys…, a column a ratio, "0", "1", …: the share of the due units' denominator that its common units hold.

    The least of several denominators. Where a due unit did not report the denominator, its weight is the
    earlier figure of the indicator of size; without that, each counts one. Source: survey_system.md 8.4: below 70 % a ratio is not published.
    """
    scopes = [_scopes(ratio, env) for ratio in ratios]
    rows = with_missing_columns(
        frame,
        [
            *(a for r in ratios for n in (*r.denominators, *r.common) for a in n.args),
            *(s for own in scopes for s in own),
        ],
    )
    due = [pl.col("answer_status").is_in(DUE_STATUS).fill_null(True)] if "answer_status" in frame.columns else []
    earlier = next((c for c in earlier_sizes(env) if c in frame.columns), None)
    size = pl.col(earlier).cast(pl.Float64).abs() if earlier else pl.lit(None, dtype=pl.Float64)
    columns, shares = [size.alias("w")], []
    for i, (ratio, own) in enumerate(zip(ratios, scopes, strict=True)):
        columns.append(reduce(and_, _common(ratio.common, env)).fill_null(False).alias(f"c{i}"))
        least = []
        for j, node in enumerate(ratio.denominators):
            inside = [*(row_of(scope, env).fill_null(True) for scope in own), *due]
            if node.op == "COUNT" or len(node.args) > 1:
                inside.append(row_of(node.args[-1], env).fill_null(True))
            value = row_of(node.args[0], env).cast(pl.Float64).abs() if node.op == "SUM" else pl.lit(None, pl.Float64)
            columns += [reduce(and_, inside, pl.lit(True)).alias(f"s{i}.{j}"), value.alias(f"v{i}.{j}")]
            least.append(_share(pl.col(f"s{i}.{j}"), pl.col(f"c{i}"), pl.col(f"v{i}.{j}")))
        shares.append(pl.min_horizontal(least).alias(str(i)))
    return rows.select(*keys, *columns).group_by(keys).agg(shares)


def _scopes(ratio: Ratio, env: Environment) -> list[Typed]:
    """Of whom the indicators of a ratio are asked at all."""
    asked = {code for node in (*ratio.denominators, *ratio.common) for arg in node.args for code, _ in columns_of(arg)}
    conditions = [env.variables[code] for code in sorted(asked)]
    return list(dict.fromkeys(env.typed(v.applies_if) for v in conditions if v.absent == "outside" and v.applies_if))


def _share(inside: pl.Expr, common: pl.Expr, value: pl.Expr) -> pl.Expr:
    both = inside & common

    def share(column: pl.Expr) -> pl.Expr:
        held, whole = (_fixed(column.filter(f)).sum().cast(pl.Float64) for f in (both, inside))
        return pl.when(whole > 0).then(held / whole)

    by_value = pl.when((inside & value.is_null()).sum() == 0).then(share(value))
    by_count = pl.when(inside.sum() > 0).then(both.sum() / inside.sum())
    return pl.coalesce(by_value, share(pl.col("w")), by_count)
