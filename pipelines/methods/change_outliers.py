"""Outliers among changes between two periods: Hidiroglou–Berthelot, and the robust z score. Pure; nothing is changed.

Sources: M. A. Hidiroglou and J.-M. Berthelot, Statistical editing and imputation for periodic business surveys, Survey
Methodology 12 (1986), 73–83; B. Iglewicz and D. Hoaglin, How to detect and handle outliers (ASQC 1993), section 3 (modified
z score). Documented in docs/methods/what-matters.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

CONSISTENT: Final = 1.4826
"""Median absolute deviation × this estimates the standard deviation of a normal distribution (1 / 0.6745)."""


@dataclass(frozen=True)
class HB:
    """Parameters of the method. ``u``: how much size counts (0 not at all, 1 fully); ``a``: least width of the interval,
    as a share of the median effect, where changes lie close together; ``c``: how many quartile distances are accepted."""

    u: float = 0.5
    a: float = 0.05
    c: float = 4.0
    least: int = 5


def hidiroglou_berthelot(changes: pl.DataFrame, by: Sequence[str] = (), parameters: HB | None = None) -> pl.DataFrame:
    """``changes`` (with ``now`` and ``before``) with ``ratio``, ``effect``, ``low``, ``high`` and ``is_outlier``, in the same order.

    Judged within the groups ``by``. Null where a side is missing or not positive, and where a group has fewer than ``least``
    units to compare. s = 1 − median/r below the median ratio, r/median − 1 above it; E = s · max(now, before)^u; accepted is
    [E_M − c·max(E_M − E_Q1, |a·E_M|), E_M + c·max(E_Q3 − E_M, |a·E_M|)].
    """
    p = parameters or HB()
    now, before = (pl.col(n).cast(pl.Float64) for n in ("now", "before"))
    ratio, effect = pl.col("ratio"), pl.col("effect")

    def of(expression: pl.Expr) -> pl.Expr:
        return expression.over(list(by)) if by else expression

    found = changes.with_columns(pl.when((now > 0) & (before > 0)).then(now / before).alias("ratio"))
    middle = of(ratio.median())
    turned = pl.when(ratio < middle).then(1 - middle / ratio).otherwise(ratio / middle - 1)
    size = pl.max_horizontal(now, before) ** p.u
    found = found.with_columns(
        pl.when(ratio.is_not_null() & (of(ratio.count()) >= p.least)).then(turned * size).alias("effect")
    )
    centre = of(effect.median())
    width = (p.a * centre).abs()
    low = centre - p.c * pl.max_horizontal(centre - of(effect.quantile(0.25, "linear")), width)
    high = centre + p.c * pl.max_horizontal(of(effect.quantile(0.75, "linear")) - centre, width)
    found = found.with_columns(
        pl.when(effect.is_not_null()).then(low).alias("low"), pl.when(effect.is_not_null()).then(high).alias("high")
    )
    return found.with_columns(is_outlier=(effect < pl.col("low")) | (effect > pl.col("high")))


def robust_z(values: pl.DataFrame, column: str, by: Sequence[str] = (), *, least: int = 5) -> pl.DataFrame:
    """``values`` with ``z`` = (x − median) / (1.4826 × median absolute deviation) of ``column`` within the groups ``by``.

    Null where the value is missing, where a group has fewer than ``least`` values, and where the deviation is zero.
    """

    def of(expression: pl.Expr) -> pl.Expr:
        return expression.over(list(by)) if by else expression

    value = pl.col(column).cast(pl.Float64)
    away = pl.col("_away")
    found = values.with_columns(_away=value - of(value.median()))
    spread = of(away.abs().median())
    enough = (of(value.count()) >= least) & (spread > 0)
    return found.with_columns(z=pl.when(enough).then(away / (CONSISTENT * spread))).drop("_away")
