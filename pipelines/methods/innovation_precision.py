"""Standard errors of the innovation tables under stratified random sampling with finite population correction.

A figure is a total Σ w y or a ratio Σ w y / Σ w x. Variance of a total of a domain: Σ_h N_h² (1 - n_h/N_h) s_h² / n_h, where
s_h² is taken over all answered units of the stratum, with zero for those outside the domain; a ratio R has the variance of
the total of its residuals (y - R x) over the estimated denominator. Certain units and strata with one unit answered add
nothing or are not known. Source: Cochran, Sampling Techniques, 3rd ed., 2.13 (domains), 5.9 (FPC), 6.11 (ratios).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import polars as pl

from pipelines.methods.innovation_definition import Column, RowGroup
from pipelines.methods.weighting import CERTAIN
from schemas.environment import Environment
from schemas.polars_target import prepare_rows, row_expr

Precision: Final[dict[str, pl.DataType]] = {
    "row_key": pl.String(),
    "standard_error": pl.Float64(),
    "cv_pct": pl.Float64(),
    "grade": pl.String(),
}
GRADES: Final = (
    (5.0, "A"),
    (10.0, "B"),
    (20.0, "C"),
    (35.0, "D"),
)  # coefficient of variation in percent, up to; E above


def group_column(row_id: str) -> str:
    """The column that holds a unit's category of one row group."""
    return f"group:{row_id}"


def precision_of(
    columns: Sequence[Column],
    frame: pl.DataFrame,
    strata: pl.DataFrame,
    by: Sequence[str],
    category: pl.Expr,
    row: RowGroup,
    env: Environment,
) -> pl.DataFrame:
    """``Precision`` rows of some columns for one row group. ``strata``: unit_id, stratum, population (N), sample (n)."""
    asked = [c for c in columns if c.kind in ("percent", "count", "sum", "ratio", "mean")]
    if not asked:
        return pl.DataFrame(schema=Precision)
    texts = [t for c in asked for t in (c.numerator, c.numerator_where, c.denominator, c.denominator_where) if t]
    ready = prepare_rows(frame, texts, env).join(strata, on="unit_id", how="left", maintain_order="left")
    values = [e for number, c in enumerate(asked) for e in _sides(number, c, env)]
    units = ready.select(
        "area",
        category.alias("category"),
        pl.col("weight").fill_null(1.0),
        pl.col("stratum").fill_null(CERTAIN),
        pl.col("population", "sample").cast(pl.Float64),
        *values,
    ).filter(pl.col("area").is_not_null() & pl.col("category").is_not_null())
    return _errors(units, asked, row)


def _sides(number: int, column: Column, env: Environment) -> list[pl.Expr]:
    """y and x of every unit: zero outside, null where the unit does not take part because a side is not known."""

    def amount(value: str, where: str) -> pl.Expr:
        found = row_expr(value, env).cast(pl.Float64)
        if not where:
            return found
        holds = row_expr(where, env)
        return pl.when(holds.is_null()).then(None).when(holds).then(found).otherwise(0.0)

    if column.kind in ("percent", "count"):
        y = row_expr(column.numerator, env).fill_null(False).cast(pl.Float64)
        x = row_expr(column.denominator, env).fill_null(False).cast(pl.Float64) if column.denominator else pl.lit(None)
        return [y.alias(f"y{number}"), x.cast(pl.Float64).alias(f"x{number}")]
    y = amount(column.numerator, column.numerator_where)
    if column.kind == "sum":
        return [y.fill_null(0.0).alias(f"y{number}"), pl.lit(None, dtype=pl.Float64).alias(f"x{number}")]
    if column.kind == "mean":
        x = row_expr(column.denominator, env).fill_null(False).cast(pl.Float64)
    else:
        x = amount(column.denominator, column.denominator_where)
    both = y.is_not_null() & x.is_not_null()
    return [
        pl.when(both).then(y).otherwise(0.0).alias(f"y{number}"),
        pl.when(both).then(x).otherwise(0.0).alias(f"x{number}"),
    ]


def _errors(units: pl.DataFrame, columns: Sequence[Column], row: RowGroup) -> pl.DataFrame:
    keys, w = ["area", "category"], pl.col("weight")
    numbers = range(len(columns))
    totals = units.group_by(keys).agg(
        *((w * pl.col(f"y{i}")).sum().alias(f"Y{i}") for i in numbers),
        *((w * pl.col(f"x{i}")).sum().alias(f"X{i}") for i in numbers),
    )
    # What a figure's error is made of: the residual of a ratio, the amount itself of a total.
    joined = units.join(totals, on=keys, how="left", maintain_order="left").with_columns(
        (
            pl.col(f"y{i}") - pl.col(f"Y{i}") / pl.col(f"X{i}") * pl.col(f"x{i}") if c.is_ratio else pl.col(f"y{i}")
        ).alias(f"e{i}")
        for i, c in enumerate(columns)
    )
    n, population = pl.col("n"), pl.col("N")
    by_stratum = joined.group_by(*keys, "stratum").agg(
        pl.col("population").first().alias("N"),
        pl.col("sample").first().alias("n"),
        *(pl.col(f"e{i}").sum().alias(f"e{i}") for i in numbers),
        *((pl.col(f"e{i}") ** 2).sum().alias(f"s{i}") for i in numbers),
    )
    certain = (pl.col("stratum") == CERTAIN) | (population <= n) | population.is_null()
    factor = population**2 * (1 - n / population) / n
    added = by_stratum.select(
        *keys,
        *(
            pl.when(certain)
            .then(0.0)
            .when(n > 1)
            .then(factor * (pl.col(f"s{i}") - pl.col(f"e{i}") ** 2 / n) / (n - 1))
            .alias(f"v{i}")
            for i in numbers
        ),
    )
    # A stratum with one answered unit leaves the error unknown, not zero.
    known = added.group_by(keys).agg(
        pl.when(pl.col(f"v{i}").is_null().any()).then(None).otherwise(pl.col(f"v{i}").sum()).alias(f"v{i}")
        for i in numbers
    )
    whole = known.join(totals, on=keys, how="left").lazy()
    return pl.concat([_graded(whole, i, c, row) for i, c in enumerate(columns)]).collect()


def _graded(whole: pl.LazyFrame, number: int, column: Column, row: RowGroup) -> pl.LazyFrame:
    above, below = pl.col(f"Y{number}"), pl.col(f"X{number}")
    divisor = below if column.is_ratio else pl.lit(1.0)
    error = pl.col(f"v{number}").clip(lower_bound=0).sqrt() / divisor * column.scale
    figure = (above / divisor * column.scale).abs()
    cv = pl.when(figure > 0).then(100 * error / figure)
    letters = [pl.when(pl.col("cv_pct") <= limit).then(pl.lit(letter)) for limit, letter in GRADES]
    key = [pl.lit(column.indicator), pl.col("area"), pl.lit(row.breakdown), pl.col("category")]
    # Float sums depend on the order of the threads in their last digits, and a residual sum that is zero in truth is a
    # few of them.
    found = whole.select(
        pl.concat_str(key, separator="|").alias("row_key"),
        standard_error=pl.when(error.is_finite()).then(pl.when(cv < 1e-6).then(0.0).otherwise(error.round_sig_figs(8))),
        cv_pct=pl.when(cv.is_finite()).then(pl.when(cv < 1e-6).then(0.0).otherwise(cv.round_sig_figs(8))),
    )
    grade = pl.when(pl.col("cv_pct").is_not_null()).then(pl.coalesce(*letters, pl.lit("E"))).otherwise(pl.lit(""))
    return found.with_columns(grade=grade)
