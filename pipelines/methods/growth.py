"""Growth, discrete quarters and contributions: the arithmetic of quarterly monitoring, nothing else.

Expressions over columns already summed exactly; every ratio is taken in Float64 after the last sum. Null is "unknown"
and never becomes infinite. Source: survey_system.md 8.6 (three growth rates, discrete quarters), index_system.md 5 and 8
(contributions undetermined where the increment is under 1 % of the base).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import polars as pl

PERCENT: Final = 100.0
SMALL_INCREMENT: Final = 0.01  # of the base in absolute value; below it shares of the increment say nothing

TURNED_POSITIVE: Final = "由负转正(扭亏),不计算增速"
TURNED_NEGATIVE: Final = "由正转负(转亏)"
BASE_ZERO: Final = "上年同期为零,不计算增速"
BASE_NEGATIVE: Final = "上年同期为负,不计算增速"
BASE_MISSING: Final = "没有可比的上年同期数"
INCREMENT_SMALL: Final = "总增量的绝对值不足上年同期总量的1%,不计算贡献率"


def growth_pct(now: pl.Expr, base: pl.Expr) -> pl.Expr:
    """Growth in percent; null where either side is unknown or the base is zero or negative."""
    current, earlier = now.cast(pl.Float64), base.cast(pl.Float64)
    return pl.when(earlier > 0).then((current / earlier - 1) * PERCENT)


def growth_note(now: pl.Expr, base: pl.Expr) -> pl.Expr:
    """Why a growth rate is missing, or that the sign changed; empty where the rate speaks for itself."""
    return (
        pl.when(now.is_null() | base.is_null())
        .then(pl.lit(BASE_MISSING))
        .when((base < 0) & (now > 0))
        .then(pl.lit(TURNED_POSITIVE))
        .when(base < 0)
        .then(pl.lit(BASE_NEGATIVE))
        .when(base == 0)
        .then(pl.lit(BASE_ZERO))
        .when(now < 0)
        .then(pl.lit(TURNED_NEGATIVE))
        .otherwise(pl.lit(""))
    )


def share_pct(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
    """Share of a whole in percent; null where the whole is unknown, zero or negative."""
    value, total = part.cast(pl.Float64), whole.cast(pl.Float64)
    return pl.when(total > 0).then(value / total * PERCENT)


def increment_speaks(now_total: pl.Expr, base_total: pl.Expr, least: float = SMALL_INCREMENT) -> pl.Expr:
    """Whether the total moved enough for shares of its increment to mean something; null where a side is unknown."""
    total, base = now_total.cast(pl.Float64), base_total.cast(pl.Float64)
    moved = (total - base).abs()
    return (moved >= least * base.abs()) & (moved > 0)


def contribution_rate_pct(
    now: pl.Expr, base: pl.Expr, now_total: pl.Expr, base_total: pl.Expr, least: float = SMALL_INCREMENT
) -> pl.Expr:
    """Contribution rate 贡献率: increment of the part as percent of the increment of the total.

    Null where the total's increment is under ``least`` of its base: the rates of a sum of parts then explode.
    The rates of a complete set of parts add up to 100.
    """
    increment = now.cast(pl.Float64) - base.cast(pl.Float64)
    total = now_total.cast(pl.Float64) - base_total.cast(pl.Float64)
    return pl.when(increment_speaks(now_total, base_total, least)).then(increment / total * PERCENT)


def contribution_points(now: pl.Expr, base: pl.Expr, base_total: pl.Expr) -> pl.Expr:
    """Pull 拉动 in percentage points: increment of the part over the base of the total.

    The points of a complete set of parts add up to the growth of the total. Null where the base is not positive.
    """
    whole = base_total.cast(pl.Float64)
    return pl.when(whole > 0).then((now.cast(pl.Float64) - base.cast(pl.Float64)) / whole * PERCENT)


def carried_over(now: pl.Expr, before: pl.Expr) -> pl.Expr:
    """What a unit brings into this quarter's groups beside its discrete quarter: its figure of the earlier quarter where
    it has both, its whole cumulative figure where it has none before, nothing where it did not report."""
    return pl.when(now.is_not_null()).then(pl.coalesce(before, now))


def net_changes(plus: pl.DataFrame, minus: pl.DataFrame, by: Sequence[str]) -> pl.DataFrame:
    """Each unit's ``plus`` less its ``minus`` in each group: what stands behind the difference of two totals.

    Both frames: (unit_id, *by, amount), amounts exact. Returns (unit_id, *by, amount) without zeros, sorted. The change of
    perimeter 范围变动 is what ``carried_over`` gives less the previous quarter: entrants come in with their cumulative
    figure, leavers go out with theirs, a unit that changed its group does both. Hence for every group, exactly:
    cumulative = previous as published + correction + discrete quarter + perimeter.
    """
    keys = ["unit_id", *by]
    signed = [plus.select(*keys, "amount"), minus.select(*keys, pl.col("amount") * -1)]
    known = pl.concat(signed, how="vertical_relaxed").filter(pl.col("amount").is_not_null())
    sums = known.group_by(keys).agg(pl.col("amount").sum())
    return sums.filter(pl.col("amount") != 0).sort(keys, nulls_last=True)
