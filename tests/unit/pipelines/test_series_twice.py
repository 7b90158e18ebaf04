"""Series against a second computation by plain formulas: loess as least squares, chains and benchmarks by their definitions.

Written from docs/methods/series.md and the paper it names (Cleveland et al. 1990, 2 and 3), with none of the engine's own steps.
"""

from __future__ import annotations

import statistics

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.methods.series.adjustment import discrete, seasonally_adjusted
from pipelines.methods.series.links import Overlap, chain_linked, denton
from pipelines.methods.series.stl import StlPlan, stl

Column = list[float]


# ── STL ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def loess(y: Column, window: int, degree: int, at: float, rho: Column) -> float:
    """The value at ``at`` of the polynomial fitted by weighted least squares to the ``window`` nearest points."""
    n = len(y)
    near = sorted(range(1, n + 1), key=lambda x: (abs(x - at), x))[: min(window, n)]
    reach = max(abs(x - at) for x in near) + (max(window - n, 0) // 2)
    rows, figures = [], []
    for x in near:
        u = abs(x - at) / reach
        weight = (0.0 if u > 0.999 else 1.0 if u <= 0.001 else (1 - u**3) ** 3) * rho[x - 1]
        rows.append([weight**0.5 * (x - at) ** power for power in range(degree + 1)])
        figures.append(weight**0.5 * y[x - 1])
    return float(np.linalg.lstsq(np.array(rows), np.array(figures), rcond=None)[0][0])


def averages(y: Column, length: int) -> Column:
    return [sum(y[k : k + length]) / length for k in range(len(y) - length + 1)]


def taken_apart(y: Column, n_p: int, n_s: int, degree: int, inner: int, outer: int) -> tuple[Column, Column]:
    """(seasonal, trend) by the steps of the paper, every loess at every point."""
    n = len(y)
    n_t = next(k for k in range(3, 10 * n, 2) if k >= 1.5 * n_p / (1 - 1.5 / n_s))
    n_l = next(k for k in range(3, 10 * n, 2) if k >= n_p)
    trend, season, rho = [0.0] * n, [0.0] * n, [1.0] * n
    for round_ in range(outer + 1):
        for _ in range(inner):
            cycles = [0.0] * (n + 2 * n_p)
            for k in range(n_p):
                own = [y[t] - trend[t] for t in range(k, n, n_p)]
                mine = [rho[t] for t in range(k, n, n_p)]
                for place in range(len(own) + 2):
                    cycles[k + place * n_p] = loess(own, n_s, degree, float(place), mine)
            low = averages(averages(averages(cycles, n_p), n_p), 3)
            season = [cycles[n_p + t] - loess(low, n_l, 1, t + 1.0, [1.0] * n) for t in range(n)]
            rest = [a - b for a, b in zip(y, season, strict=True)]
            trend = [loess(rest, n_t, 1, t + 1.0, rho) for t in range(n)]
        if round_ < outer:
            size = [abs(y[t] - trend[t] - season[t]) for t in range(n)]
            six = 6 * statistics.median(size)
            rho = [1.0 if s <= 0.001 * six else 0.0 if s > 0.999 * six else (1 - (s / six) ** 2) ** 2 for s in size]
    return season, trend


NOISE = st.lists(st.floats(-9, 9).map(lambda v: round(v, 3)), min_size=13, max_size=26)


@settings(max_examples=12, deadline=None)
@given(NOISE, st.sampled_from([7, 9, 13]), st.sampled_from([0, 1]))
def test_parts_are_what_least_squares_at_every_point_makes_them(noise: Column, n_s: int, degree: int) -> None:
    y = [50 + 0.7 * t + (4.0, -1.0, 2.0, -5.0)[t % 4] + e for t, e in enumerate(noise)]
    plan = StlPlan(4, n_s, seasonal_degree=degree, seasonal_jump=1, trend_jump=1, low_pass_jump=1)
    made = stl(np.array(y), plan)
    season, trend = taken_apart(y, 4, n_s, degree, inner=2, outer=0)
    assert made.seasonal.tolist() == pytest.approx(season, abs=1e-8)
    assert made.trend.tolist() == pytest.approx(trend, abs=1e-8)


def test_outlying_quarters_are_weighed_down_as_the_paper_says() -> None:
    y = [50 + 0.7 * t + (4.0, -1.0, 2.0, -5.0)[t % 4] + ((t * 7919) % 13 - 6) / 10 for t in range(24)]
    y[9] += 30
    made = stl(
        np.array(y), StlPlan(4, 9, seasonal_jump=1, trend_jump=1, low_pass_jump=1, robust=True, inner=1, outer=3)
    )
    season, trend = taken_apart(y, 4, 9, 0, inner=1, outer=3)
    assert made.seasonal.tolist() == pytest.approx(season, abs=1e-8)
    assert made.trend.tolist() == pytest.approx(trend, abs=1e-8)
    assert made.weights[9] == 0


@settings(max_examples=15, deadline=None)
@given(NOISE)
def test_a_fixed_pattern_is_the_mean_of_each_quarter_of_flat_fits(noise: Column) -> None:
    """Window of ten times the series: weights of a flat cycle fit are all but equal; then the mean of each quarter."""
    cumulative, periods, running = [], [], 0.0
    for t, e in enumerate(noise):
        figure = 100 + t + (8.0, -2.0, 3.0, -9.0)[t % 4] + e
        running = figure if t % 4 == 0 else running + figure
        cumulative.append(running)
        periods.append(f"{2010 + t // 4}-Q{t % 4 + 1}")
    quarters = [
        v - (cumulative[t - 1] if t % 4 else 0.0) for t, v in enumerate(cumulative)
    ]  # figures since January taken apart
    assert discrete(periods, cumulative) == pytest.approx(quarters)
    n_s, n = 10 * len(noise) + 1, len(noise)
    season, trend = taken_apart(quarters, 4, n_s, 0, inner=2, outer=0)
    flat = [statistics.fmean(season[t % 4 :: 4]) for t in range(n)]
    plan = StlPlan(4, seasonal_jump=1, trend_jump=1, low_pass_jump=1)
    made = seasonally_adjusted(periods, quarters, plan)
    assert made.series["adjusted"].to_list() == pytest.approx([v - s for v, s in zip(quarters, flat, strict=True)])
    assert made.series["trend"].to_list() == pytest.approx(trend)
    # strength = 1 − Var(R) / Var(R + S), not below zero
    left = [v - s - t for v, s, t in zip(quarters, flat, trend, strict=True)]
    whole = statistics.pvariance([r + s for r, s in zip(left, flat, strict=True)])
    assert made.seasonal_strength == pytest.approx(max(0.0, 1 - statistics.pvariance(left) / whole))


# ── chains and benchmarks ───────────────────────────────────────────────────────────────────────────────────────────
POSITIVE = st.integers(1, 90).map(float)


def chain(cells: dict[tuple[int, int, str], tuple[float, float]], years: int, items: str, way: str) -> Column:
    """Index of every quarter, first year 100, from (year, quarter, item) → (value, price) and the formulas of the page."""

    def quantity(y: int, q: int, i: str) -> float:
        return cells[y, q, i][0] / cells[y, q, i][1]

    def mean_price(y: int, i: str) -> float:
        return sum(cells[y, q, i][0] for q in range(4)) / sum(quantity(y, q, i) for q in range(4))

    def at_prices(year: int, y: int, q: int) -> float:  # K: the total of a quarter at the average prices of ``year``
        return sum(mean_price(year, i) * quantity(y, q, i) for i in items)

    def current(y: int) -> float:  # V of a year
        return sum(cells[y, q, i][0] for q in range(4) for i in items)

    annual = [100.0]
    for y in range(1, years):
        annual.append(annual[-1] * sum(at_prices(y - 1, y, q) for q in range(4)) / current(y - 1))
    found = [100 * at_prices(0, 0, q) / (sum(at_prices(0, 0, k) for k in range(4)) / 4) for q in range(4)]
    for y in range(1, years):
        for q in range(4):
            k = at_prices(y - 1, y, q)
            if way == "annual":
                found.append(annual[y - 1] * k / (current(y - 1) / 4))
            elif way == "quarter":
                found.append(found[4 * y - 1] * k / at_prices(y - 1, y - 1, 3))
            else:
                found.append(found[4 * (y - 1) + q] * k / at_prices(y - 1, y - 1, q))
    return found


@settings(max_examples=25, deadline=None)
@given(st.data(), st.integers(2, 4), st.sampled_from(["annual", "quarter", "year"]))
def test_chains_are_what_their_definitions_make_them(data: st.DataObject, years: int, way: str) -> None:
    items = "abc"
    keys = [(y, q, i) for y in range(years) for q in range(4) for i in items]
    drawn = data.draw(st.lists(st.tuples(POSITIVE, POSITIVE), min_size=len(keys), max_size=len(keys)))
    cells = dict(zip(keys, drawn, strict=True))
    frame = pl.DataFrame(
        [(f"{2010 + y}Q{q + 1}", i, v, p) for (y, q, i), (v, p) in cells.items()],
        schema=["period", "item", "value", "price"],
        orient="row",
    )
    made = chain_linked(frame, Overlap(way))
    expected = chain(cells, years, items, way)
    assert made["index"].to_list() == pytest.approx(expected)
    # volume: in money of the reference year, whose four quarters are worth what they were
    first = sum(v for (y, _, _), (v, _) in cells.items() if y == 0)
    assert sum(made["volume"].to_list()[:4]) == pytest.approx(first)
    if way == "annual":  # the quarters average to the annual chain
        for y in range(1, years):
            links = [
                statistics.fmean(made["previous_prices"].to_list()[4 * k : 4 * k + 4])
                / (sum(v for (z, _, _), (v, _) in cells.items() if z == k - 1) / 4)
                for k in range(1, y + 1)
            ]
            mean = statistics.fmean(made["index"].to_list()[4 * y : 4 * y + 4])
            assert mean == pytest.approx(100 * float(np.prod(links)))


@settings(max_examples=40, deadline=None)
@given(st.lists(POSITIVE, min_size=8, max_size=14), st.booleans(), st.data())
def test_a_benchmarked_series_is_the_least_of_all_that_meet_the_years(
    indicator: Column, mean: bool, data: st.DataObject
) -> None:
    years = len(indicator) // 4
    annual = data.draw(st.lists(st.integers(50, 900).map(float), min_size=years, max_size=years))
    made = denton(np.array(indicator), np.array(annual), 4, mean=mean)
    for y in range(years):
        assert made[4 * y : 4 * y + 4].sum() / (4 if mean else 1) == pytest.approx(annual[y])

    def cost(x: np.ndarray) -> float:
        ratio = x / np.array(indicator)
        return float(((ratio[1:] - ratio[:-1]) ** 2).sum())

    # a convex function is least where it is level along every direction that changes no year
    free = [(t, t + 1) for t in range(len(indicator) - 1) if t % 4 != 3 and t // 4 < years]
    for a, b in free:
        either = []
        for step in (0.5, -0.5):
            other = made.copy()
            other[a], other[b] = other[a] + step, other[b] - step
            either.append(cost(other))
        assert either[0] == pytest.approx(either[1], rel=1e-6, abs=1e-9)
    tail = (made / np.array(indicator))[4 * years - 1 :]
    assert tail.tolist() == pytest.approx([float(tail[0])] * len(tail))  # later quarters follow the last ratio
