"""Prices and volumes: deflation, chain-linking, a new reference period, benchmarking to annual totals.

Source: IMF, Quarterly National Accounts Manual (2017 edition), chapters 6 and 8: volume measures at prices of the previous year
(8.18 and following), annual, one-quarter and over-the-year overlap, proportional Denton; the 2008 SNA, chapter 15.
Documented in docs/methods/series.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final

import numpy as np
import polars as pl

from pipelines.methods.series.periods import Point, consecutive
from pipelines.methods.series.stl import Floats
from schemas.errors import DefinitionError

HUNDRED: Final = 100.0


class PriceBase(StrEnum):
    """What an index of prices is 100 at: a fixed period, the same period of the year before, or the period before."""

    FIXED = "fixed"
    YEAR_EARLIER = "year-earlier"
    PREVIOUS = "previous"


class Overlap(StrEnum):
    """Where the links of a quarterly chain are joined. Annual data know only ANNUAL."""

    ANNUAL = "annual"
    QUARTER = "quarter"
    YEAR = "year"


def fixed_base(index: Floats, lag: int) -> Floats:
    """An index of links (100 = ``lag`` periods earlier) as one on a fixed base: the first ``lag`` periods are 100 each.

    With lag 1 an annual 上年=100 series; with lag 4 a quarterly 上年同期=100 series, whose quarters then stand each on their own
    base: comparisons across quarters within a year say nothing about prices, those over a year are exact.
    """
    made = np.empty(index.size + lag)
    made[:lag] = HUNDRED
    for k, link in enumerate(index):
        made[k + lag] = made[k] * link / HUNDRED
    return made


def reference_price(values: Floats, prices: Floats, reference: Sequence[int]) -> float:
    """The index of the reference periods (positions): total value over total volume, so that over them the totals at constant
    and at current prices agree. ``prices``: fixed-base index, positive."""
    if not np.all(prices > 0):
        raise DefinitionError("价格指数须为正数", remedy="请检查价格指数列。")
    at = list(reference)
    volume = float((values[at] / prices[at]).sum())
    if volume == 0:
        raise DefinitionError("参考期的数值为零,不能定参考价格", remedy="请换一个参考期。")
    return float(values[at].sum()) / volume


def deflated(values: Floats, prices: Floats, reference: Sequence[int]) -> Floats:
    """``values`` at prices of the reference periods: value × reference price / index."""
    price = reference_price(values, prices, reference)  # refuses prices that are not positive before they divide
    return np.asarray(values / prices * price, dtype=np.float64)


def chained(links: Floats, lag: int = 1, base: float = HUNDRED) -> Floats:
    """A chain from links (100 = ``lag`` periods earlier): the first ``lag`` periods are ``base``."""
    return fixed_base(np.asarray(links, dtype=np.float64), lag) * (base / HUNDRED)


def rereferenced(index: Floats, reference: Sequence[int]) -> Floats:
    """The index with the mean over ``reference`` (positions) set to 100; growth rates do not change."""
    mean = float(np.mean(index[list(reference)]))
    if mean == 0:
        raise DefinitionError("参考期的指数为零", remedy="请换一个参考期。")
    return np.asarray(index / mean * HUNDRED, dtype=np.float64)


def reference_positions(points: Sequence[Point], wanted: str, texts: Sequence[str]) -> list[int]:
    """Positions of a period, or of all periods of a year. DefinitionError where there are none."""
    found = [k for k, text in enumerate(texts) if text == wanted]
    if not found and wanted.isdigit():
        found = [k for k, p in enumerate(points) if p.year == int(wanted)]
    if not found:
        raise DefinitionError(f"序列里没有参考期 {wanted}", remedy="请写序列里的一个报告期或年份。")
    return found


def chain_linked(frame: pl.DataFrame, overlap: Overlap = Overlap.ANNUAL, reference: str = "") -> pl.DataFrame:
    """(period, current, previous_prices, link, index, volume) of the total over items: a chain-linked Laspeyres volume.

    ``frame``: period (text), item, value (current prices), price (price or fixed-base price index of the item, positive), one
    row each; every item in every period (zero is a value). Weights are the average prices of the previous year, an item's
    value over its quantity. ``previous_prices``: the total at average prices of the previous year (null in the first year).
    ``link``: growth of volume in percent of what it is joined to. ``index``: mean of the reference year (default the first) =
    100; ``volume``: in money of the reference year. Annual overlap: quarters average to the annual chain exactly.
    """
    periods, points, value, quantity = _grid(frame)
    per_year = points[0].per_year
    if points[0].number != 1:
        raise DefinitionError("链式序列须从一年的第一期开始", remedy="请去掉开头不完整的一年。")
    if overlap is not Overlap.ANNUAL and per_year == 1:
        raise DefinitionError("年度序列只有年度重叠法", remedy="请去掉 --overlap。")
    total = value.sum(axis=1)
    starts = list(range(0, len(points), per_year))
    average = {k: _average_prices(value[k : k + per_year], quantity[k : k + per_year]) for k in starts}
    first = quantity[:per_year] @ average[0]
    index = np.empty(total.size)
    link = np.full(total.size, np.nan)
    at_previous = np.full(total.size, np.nan)
    index[:per_year] = first / first.mean() * HUNDRED
    annual = HUNDRED
    for start in starts[1:]:
        before = slice(start - per_year, start)
        now = slice(start, min(start + per_year, total.size))
        weights = average[start - per_year]
        volume, earlier = quantity[now] @ weights, quantity[before] @ weights
        at_previous[now] = volume
        if overlap is Overlap.ANNUAL:
            joined, base = np.full(volume.size, annual), np.full(volume.size, float(total[before].mean()))
        elif overlap is Overlap.QUARTER:
            joined, base = np.full(volume.size, index[start - 1]), np.full(volume.size, earlier[-1])
        else:
            joined, base = index[before][: volume.size], earlier[: volume.size]
        link[now] = volume / base * HUNDRED
        index[now] = joined * volume / base
        annual *= float(volume.mean() / total[before].mean())
    chosen = reference_positions(points, reference or str(points[0].year), periods)
    index = rereferenced(index, chosen)
    money = index / HUNDRED * float(total[chosen].mean())
    return pl.DataFrame(
        {"period": periods, "current": total, "previous_prices": at_previous, "link": link, "index": index, "volume": money}
    ).with_columns(pl.col(pl.Float64).fill_nan(None))  # fmt: skip


def _grid(frame: pl.DataFrame) -> tuple[list[str], list[Point], Floats, Floats]:
    """Periods in order, and values and quantities as periods × items."""
    if frame.select("period", "item").is_duplicated().any():
        raise DefinitionError("同一报告期、同一项目出现两次", remedy="请合并或删去重复的行。")
    texts = frame["period"].unique(maintain_order=True).to_list()
    periods = sorted(texts, key=lambda t: consecutive([t])[0].ordinal)
    points = consecutive(periods)
    items = frame["item"].unique(maintain_order=True).sort().to_list()
    cells: Mapping[tuple[str, str], tuple[float | None, float | None]] = {
        (p, i): (v, q) for p, i, v, q in frame.select("period", "item", "value", "price").iter_rows()
    }
    value, price = np.empty((len(periods), len(items))), np.empty((len(periods), len(items)))
    for r, p in enumerate(periods):
        for c, i in enumerate(items):
            v, q = cells.get((p, i), (None, None))
            if v is None or q is None or q <= 0:
                raise DefinitionError(
                    f"项目 {i} 在 {p} 缺数值或价格(价格须为正)", remedy="每个项目每期都要有数值和价格。"
                )
            value[r, c], price[r, c] = v, q
    return periods, points, value, value / price


def _average_prices(value: Floats, quantity: Floats) -> Floats:
    """Average price of each item over a year: its value over its quantity (IMF 8: annual weights)."""
    sold = quantity.sum(axis=0)
    if not np.all(sold > 0):
        raise DefinitionError("有项目全年数量为零,没有年平均价格", remedy="请把该项目并入别的项目。")
    return np.asarray(value.sum(axis=0) / sold, dtype=np.float64)


def denton(indicator: Floats, annual: Floats, per_year: int, *, mean: bool) -> Floats:
    """The series nearest to ``indicator`` in its movements whose years meet ``annual``: proportional first differences.

    Minimises Σ (x_t/i_t − x_{t−1}/i_{t−1})² subject to sums (or means) of whole years; periods after the last annual figure
    are carried by the last ratio. Source: IMF QNA 2017, 6.
    """
    n, years = indicator.size, annual.size
    if years * per_year > n:
        raise DefinitionError("年度数比序列长", remedy="请去掉没有季度数的年份。")
    if not np.all(indicator > 0):
        raise DefinitionError("按比例衔接要求指标序列为正数", remedy="请改用其他序列。")
    smooth = np.zeros((n - 1, n))
    for t in range(n - 1):
        smooth[t, t], smooth[t, t + 1] = -1 / indicator[t], 1 / indicator[t + 1]
    sums = np.zeros((years, n))
    for y in range(years):
        sums[y, y * per_year : (y + 1) * per_year] = 1 / per_year if mean else 1
    left = np.block([[smooth.T @ smooth, sums.T], [sums, np.zeros((years, years))]])
    solved = np.linalg.solve(left, np.concatenate([np.zeros(n), annual]))
    return np.asarray(solved[:n], dtype=np.float64)
