"""Growth accounting 增长核算, a trial: what capital, labour and the rest contributed to growth, and how much that hangs on assumptions.

For internal analysis only: never the result of a plan target, never part of an evaluation. Source: index_system 8; Solow,
Technical Change and the Aggregate Production Function, 1957; Young, The Tyranny of Numbers, 1995 (worked example).
ΔlnY = α·ΔlnK + (1 − α)·ΔlnL + ΔlnA, α the elasticity of output with respect to capital.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

from schemas.errors import DefinitionError

PERCENT: Final = 100.0
TRIAL: Final = "试算,只作内部分析,不作计划目标的完成值,不进入评价"


@dataclass(frozen=True)
class Assumptions:
    """Elasticity of capital, yearly depreciation, and the growth of investment before the first year on file."""

    capital_share: float
    depreciation: float
    initial_growth: float


@dataclass(frozen=True)
class Contributions:
    """Growth rates a year in percent (logarithmic), points of growth of each, and the shares of growth in percent.

    ``residual_share`` (科技进步贡献率) is None where output hardly grew.
    """

    output: float
    capital: float
    labour: float
    capital_points: float
    labour_points: float
    residual: float
    residual_share: float | None


@dataclass(frozen=True)
class Sensitivity:
    """The residual's share under every combination of assumptions, and its range; ``undetermined`` counts those without one."""

    outcomes: tuple[tuple[Assumptions, float | None], ...]
    lowest: float | None
    highest: float | None
    undetermined: int


def decomposed(
    output: float, capital: float, labour: float, capital_share: float, *, growth_minimum: float = 1.0
) -> Contributions:
    """Contributions from growth rates in percent. Raises DefinitionError for an elasticity outside (0, 1).

    Source: Young 1995, tables V to VIII: Hong Kong 7.3, 8.0, 3.2 with a capital share of 0.372 leaves 2.3.
    """
    if not 0 < capital_share < 1:
        raise DefinitionError(f"资本弹性 {capital_share} 不在0与1之间", remedy="请改正 capital_share。")
    of_capital, of_labour = capital_share * capital, (1 - capital_share) * labour
    rest = output - of_capital - of_labour
    share = rest / output * PERCENT if abs(output) >= growth_minimum else None
    return Contributions(output, capital, labour, of_capital, of_labour, rest, share)


def capital_stock(investment: Mapping[int, float], assumptions: Assumptions) -> dict[int, float]:
    """Capital at the end of each year by perpetual inventory 永续盘存: K = (1 − δ)·K₋₁ + I, investment at constant prices.

    Before the first year K₀ = I₁/(g + δ), the stock that investment growing by g for ever would have left. Years without a
    gap. Raises DefinitionError where g + δ is not positive, a year is missing or investment is negative.
    """
    years = sorted(investment)
    if not years or years != list(range(years[0], years[-1] + 1)):
        raise DefinitionError("投资序列有缺年", remedy="请补齐各年投资额。")
    if min(investment.values()) < 0:
        raise DefinitionError("投资额为负", remedy="请核对投资序列。")
    rate = assumptions.initial_growth + assumptions.depreciation
    if rate <= 0:
        raise DefinitionError("折旧率与初始增速之和须大于0", remedy="请改正 depreciation 或 initial_growth。")
    stock, found = investment[years[0]] / rate, {}
    for year in years:
        stock = (1 - assumptions.depreciation) * stock + investment[year]
        found[year] = stock
    return found


def log_growth(series: Mapping[int, float], first: int, last: int) -> float:
    """Growth a year in percent between two years, logarithmic. Raises DefinitionError for a figure that is not positive."""
    if last <= first or series.get(first, 0.0) <= 0 or series.get(last, 0.0) <= 0:
        raise DefinitionError(f"{first}—{last}年的序列缺数或不为正", remedy="增长核算须有窗口首末两年的正数。")
    return math.log(series[last] / series[first]) / (last - first) * PERCENT


def accounted(
    output: Mapping[int, float], investment: Mapping[int, float], labour: Mapping[int, float], last: int, window: int,
    assumptions: Assumptions, *, growth_minimum: float = 1.0,
) -> Contributions:  # fmt: skip
    """Contributions over ``window`` years up to ``last``; output and investment at constant prices of one year.

    Capital is that of the beginning of a year, so the stock of the end of the year before works in it.
    """
    first = last - window
    stock = capital_stock({y: v for y, v in investment.items() if y <= last}, assumptions)
    begun = {year + 1: value for year, value in stock.items()}
    return decomposed(
        log_growth(output, first, last), log_growth(begun, first, last), log_growth(labour, first, last),
        assumptions.capital_share, growth_minimum=growth_minimum,
    )  # fmt: skip


def sensitivity(
    output: Mapping[int, float], investment: Mapping[int, float], labour: Mapping[int, float], last: int, window: int,
    capital_shares: Sequence[float], depreciations: Sequence[float], initial_growths: Sequence[float],
    *, growth_minimum: float = 1.0,
) -> Sensitivity:  # fmt: skip
    """The residual's share for every combination of the assumptions: the headline is the range, never one figure."""
    outcomes = []
    for combination in product(capital_shares, depreciations, initial_growths):
        assumed = Assumptions(*combination)
        found = accounted(output, investment, labour, last, window, assumed, growth_minimum=growth_minimum)
        outcomes.append((assumed, found.residual_share))
    known = [share for _, share in outcomes if share is not None]
    return Sensitivity(tuple(outcomes), min(known, default=None), max(known, default=None), len(outcomes) - len(known))


def at_constant_prices(nominal: Mapping[int, float], index: Mapping[int, float], base: int) -> dict[int, float]:
    """A nominal series at prices of ``base``, by an index with the year before = 100; years the index does not reach are left out."""
    level, levels = 1.0, {base: 1.0}
    for year in range(base + 1, max(nominal, default=base) + 1):
        if year not in index or index[year] <= 0:
            break
        level *= index[year] / PERCENT
        levels[year] = level
    level = 1.0
    for year in range(base, min(nominal, default=base), -1):
        if year not in index or index[year] <= 0:
            break
        level /= index[year] / PERCENT
        levels[year - 1] = level
    return {year: value / levels[year] for year, value in nominal.items() if year in levels}
