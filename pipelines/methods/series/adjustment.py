"""Seasonally adjusted series: STL where a series allows it, a refusal in words where it does not.

Source: Cleveland et al. 1990 (see ``stl``); strength of the seasonal: X. Wang, K. Smith and R. Hyndman, Data Mining and
Knowledge Discovery 13 (2006), 335–364. Documented in docs/methods/series.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from exports.display import figure
from pipelines.methods.series.periods import NAMES, Point, consecutive
from pipelines.methods.series.stl import Floats, StlPlan, stl
from schemas.errors import DefinitionError

LEAST_YEARS: Final = 3
STEADY_YEARS: Final = 5
WEAK: Final = 0.3
LEAST_WINDOW: Final = 7


@dataclass(frozen=True)
class Adjusted:
    """``series``: period, value, seasonal, trend, remainder, adjusted, weight. ``seasonal_strength`` and ``trend_strength``
    in 0 … 1; ``notes``: what a reader must know, in Chinese."""

    series: pl.DataFrame
    seasonal_strength: float
    trend_strength: float
    notes: tuple[str, ...]


def seasonally_adjusted(
    periods: Sequence[str],
    values: Sequence[float | None],
    plan: StlPlan,
    *,
    multiplicative: bool = False,
    name: str = "",
) -> Adjusted:
    """One series adjusted; ``multiplicative``: on logarithms, so that seasonal and remainder are factors about 1.

    Refused with a sentence: annual data, gaps, fewer than three full years, zero or negative values on logarithms, an even
    or too small window. Nothing is filled in.
    """
    points = consecutive(periods, f"{name}:" if name else "")
    _check(points, values, plan, multiplicative, name)
    y = np.asarray(values, dtype=np.float64)
    made = stl(np.log(y) if multiplicative else y, plan)
    adjusted = made.trend + made.remainder
    parts = {"seasonal": made.seasonal, "trend": made.trend, "remainder": made.remainder, "adjusted": adjusted}
    if multiplicative:
        parts = {k: np.exp(v) for k, v in parts.items()}
    strengths = _strength(made.remainder, made.seasonal), _strength(made.remainder, made.trend)
    notes = []
    if y.size < STEADY_YEARS * plan.n_p:
        notes.append(f"序列不足 {STEADY_YEARS} 年,新数据到来后季节因子会有较大修订。")
    if strengths[0] < WEAK:
        notes.append(f"季节强度只有 {figure(strengths[0], 2)},看不出稳定的季节变动,季调意义不大。")
    frame = pl.DataFrame({"period": list(periods), "value": y, **parts, "weight": made.weights})
    return Adjusted(frame, *strengths, tuple(notes))


def _check(
    points: Sequence[Point], values: Sequence[float | None], plan: StlPlan, multiplicative: bool, name: str
) -> None:
    whose = f"{name}:" if name else ""
    if not points:
        raise DefinitionError(f"{whose}序列里没有数值", remedy="请检查数据。")
    if plan.n_p < 2:
        raise DefinitionError(f"{whose}年度序列没有季节,不作季节调整", remedy="请给季度或月度序列。")
    missing = [k for k, v in enumerate(values) if v is None]
    if missing:
        raise DefinitionError(
            f"{whose}有 {len(missing)} 期没有数值(第 {missing[0] + 1} 期起),不作季节调整",
            remedy="季节调整不填补缺数;请先补齐或截短序列。",
        )
    least = LEAST_YEARS * plan.n_p
    if len(points) < least:
        raise DefinitionError(
            f"{whose}序列只有 {len(points)} 期,少于 {LEAST_YEARS} 个整年({least} {NAMES.get(plan.n_p, '期')}),不作季节调整",
            remedy="序列太短,季节因子估不出来;可改看同比。",
        )
    if plan.n_s is not None and (plan.n_s < LEAST_WINDOW or plan.n_s % 2 == 0):
        raise DefinitionError(
            f"{whose}季节窗口 {plan.n_s} 须为不小于 {LEAST_WINDOW} 的奇数", remedy="请写 7、9、…… 或 periodic。"
        )
    if multiplicative and any(v is not None and v <= 0 for v in values):
        raise DefinitionError(f"{whose}有零或负数,不能用乘法模型", remedy="请用加法模型(去掉 --log)。")


def _strength(remainder: Floats, part: Floats) -> float:
    whole = float(np.var(remainder + part))
    return max(0.0, 1 - float(np.var(remainder)) / whole) if whole > 0 else 0.0


def discrete(periods: Sequence[str], cumulative: Sequence[float | None]) -> list[float | None]:
    """Figures since January (累计) as figures of single periods; the first period of a year is its own. Null where a side is
    unknown. A series that starts within a year has no figure for its first period."""
    points = consecutive(periods)
    made: list[float | None] = []
    for k, (p, v) in enumerate(zip(points, cumulative, strict=True)):
        if p.number == 1:
            made.append(v)
            continue
        before = cumulative[k - 1] if k else None
        made.append(None if v is None or before is None else v - before)
    return made
