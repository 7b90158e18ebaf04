"""What a figure would have been, had it moved as those of its industry and size did: base × ratio. For reviewers only.

A prediction orders a reviewer's work. It is never a value for a cell, never shown to a park and never put in place of a figure.
Source: selective editing with ratio predictions: M. Latouche and J.-M. Berthelot, Use of a score function to prioritize and
limit recontacts in editing business surveys, Journal of Official Statistics 8 (1992), 389–400; D. Hedlin, Score functions to
reduce business survey editing at the U.K. Office for National Statistics, JOS 19 (2003), 177–199. docs/methods/what-matters.md.
"""

from __future__ import annotations

from typing import Final

import polars as pl

BASES: Final = ("before", "year_earlier", "last_year")
"""What is carried forward, the nearer first: the quarter before of the same year (of an annual report its fourth quarter),
the same period of the year before, the whole of the year before."""

LEVELS: Final = (("industry", "size"), ("industry",), ())
DONORS: Final = 5
CUT: Final = 5.0
LEAST_SPREAD: Final = 0.05


def predicted(values: pl.DataFrame, *, donors: int = DONORS) -> pl.DataFrame:
    """``values`` (unit_id, code, industry, size, now and ``BASES``, one row a unit and code) with ``predicted``, ``basis``,
    ``ratio``, ``level`` (which group the ratio comes from) and ``donors``, in the same order.

    The ratio is Σ now / Σ base over the other units of industry and size with both figures positive, those aside whose own
    ratio lies far out (robust z of its logarithm among all units of the code beyond ``CUT``) and those ``is_suspicious`` (where
    the column is given). Where fewer than ``donors`` are left, the industry
    as a whole, then all units serve; where even they do not, the base is carried forward. A base that is zero or negative
    is carried forward, too. No base, no prediction.
    """
    found = values.with_columns(pl.col(c).cast(pl.Float64) for c in ("now", *BASES))
    for base in BASES:
        found = _from(found, base, donors)

    def first(name: str) -> pl.Expr:
        return pl.coalesce(pl.when(pl.col(f"{b}#predicted").is_not_null()).then(f"{b}#{name}") for b in BASES)

    basis = [pl.when(pl.col(f"{b}#predicted").is_not_null()).then(pl.lit(b)) for b in BASES]
    return found.with_columns(
        predicted=first("predicted"),
        ratio=first("ratio"),
        level=first("level"),
        donors=first("donors"),
        basis=pl.coalesce(*basis, pl.lit("")),
    ).drop(f"{b}#{n}" for b in BASES for n in ("predicted", "ratio", "level", "donors"))


def _from(values: pl.DataFrame, base: str, donors: int) -> pl.DataFrame:
    """Columns ``base#…`` with the prediction from one base."""
    now, then = pl.col("now"), pl.col(base)
    ratio = pl.when((now > 0) & (then > 0)).then(now / then)
    away = pl.col("_log") - pl.col("_log").median().over("code")
    spread = pl.max_horizontal(away.abs().median().over("code") * 1.4826, LEAST_SPREAD)
    found = values.with_columns(_log=ratio.log()).with_columns(_gives=(away.abs() <= CUT * spread).fill_null(False))
    if "is_suspicious" in found.columns:
        found = found.with_columns(pl.col("_gives") & ~pl.col("is_suspicious"))
    own = [pl.when("_gives").then(c).otherwise(0.0) for c in (now, then)]
    found = found.with_columns(_now=own[0], _then=own[1], _one=pl.col("_gives").cast(pl.Int64))
    ratios, levels, counts = [], [], []
    for level in LEVELS:
        by = ["code", *level]
        others = pl.col("_one").sum().over(by) - pl.col("_one")
        sums = [pl.col(c).sum().over(by) - pl.col(c) for c in ("_now", "_then")]
        enough = (others >= donors) & (sums[1] > 0)
        ratios.append(pl.when(enough).then(sums[0] / sums[1]))
        levels.append(pl.when(enough).then(pl.lit("×".join(level) or "all")))
        counts.append(pl.when(enough).then(others))
    carried = then.is_not_null() & (then <= 0)
    chosen = pl.when(carried).then(1.0).otherwise(pl.coalesce(*ratios, pl.lit(1.0)))
    return found.with_columns(
        (then * chosen).alias(f"{base}#predicted"),
        pl.when(then.is_not_null()).then(chosen).alias(f"{base}#ratio"),
        pl.when(carried).then(pl.lit("carried")).otherwise(pl.coalesce(*levels, pl.lit("carried"))).alias(f"{base}#level"),
        pl.when(carried).then(0).otherwise(pl.coalesce(*counts, pl.lit(0))).alias(f"{base}#donors"),
    ).drop("_log", "_gives", "_now", "_then", "_one")  # fmt: skip
