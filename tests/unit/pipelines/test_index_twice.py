"""The chained development index against a second computation by plain formulas, written from docs/methods/index.md, 2 to 6."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.methods.index.coverage import total_coverage
from pipelines.methods.index.development import development_chains, indicator_contributions
from schemas.model import IndexIndicator, IndexSystem

FIRST = 2014
Series = list[float | None]


@dataclass
class Told:
    """One area as the page makes it: index by year, dimensions, used weights and contributions in points."""

    levels: list[float | None] = field(default_factory=list)
    dimensions: list[dict[str, float]] = field(default_factory=list)
    weights: list[dict[str, float]] = field(default_factory=list)
    points: list[dict[str, float]] = field(default_factory=list)
    shares: list[float | None] = field(default_factory=list)


def growth_of(now: float, before: float, one: IndexIndicator) -> float:
    """V of section 2: bounded growth or difference, turned by direction, held within the cap."""
    if one.norm == "growth":
        v = 0.0 if now == before == 0 else (now - before) / ((now + before) / 2) * 100
    else:
        v = (now - before) / (one.scale or 1.0) * 100
    v = -v if one.direction == "negative" else v
    return max(-one.cap, min(one.cap, v))


def growths(series: Series, one: IndexIndicator) -> dict[int, float]:
    """Year → V of an indicator while it is in the chain (section 3)."""
    if one.norm == "growth" and any(x is not None and x < 0 for x in series):
        return {}  # refused in all years
    found: dict[int, float] = {}
    base: float | None = None
    carried = entered = False
    for t, x in enumerate(series):
        if x is not None:
            if base is not None:
                found[t], entered = growth_of(x, base, one), True
            base, carried = x, False
        elif base is not None and not carried:
            carried = True  # last year's value stands in
            if entered:
                found[t] = 0.0
        else:
            base, entered = None, False
    return found


def first_figure(series: Series, one: IndexIndicator) -> int | None:
    refused = one.norm == "growth" and any(x is not None and x < 0 for x in series)
    return None if refused else next((t for t, x in enumerate(series) if x is not None), None)


def by_the_page(table: dict[str, Series], indicators: list[IndexIndicator], years: int) -> Told:
    v = {i.id: growths(table[i.id], i) for i in indicators}
    begins = {i.id: first_figure(table[i.id], i) for i in indicators}
    start = min(t for t in begins.values() if t is not None)
    names = list(dict.fromkeys(i.dimension for i in indicators))
    told, level, own = Told(), 100.0, dict.fromkeys(names, 100.0)
    entered: set[str] = set()
    for t in range(years):
        inside = {d: [i for i in indicators if i.dimension == d and t in v[i.id]] for d in names}
        entered |= {i.id for rows in inside.values() for i in rows}
        whole = {d: sum(i.weight for i in indicators if i.dimension == d) for d in names if inside[d]}
        omega = {
            i.id: whole[d] / sum(whole.values()) * i.weight / sum(j.weight for j in inside[d])
            for d in whole
            for i in inside[d]
        }
        total = sum(omega[name] * v[name][t] for name in omega)
        told.weights.append(omega)
        told.points.append({name: level * 2 * w * v[name][t] / (200 - total) for name, w in omega.items()})
        if t >= start:
            level *= (200 + total) / (200 - total)
        told.levels.append(level if t >= start else None)
        for d in whole:
            mean = sum(i.weight * v[i.id][t] for i in inside[d]) / sum(i.weight for i in inside[d])
            own[d] *= (200 + mean) / (200 - mean)
        firsts = {d: [begins[i.id] for i in indicators if i.dimension == d and begins[i.id] is not None] for d in names}
        told.dimensions.append({d: own[d] for d in names if firsts[d] and min(t_ for t_ in firsts[d] if t_ is not None) <= t})  # fmt: skip
        weight = {i.id: i.weight for i in indicators}
        share = sum(weight[n] for n in omega) / sum(weight[n] for n in entered) if entered else None
        told.shares.append(share)
    return told


ONE = IndexIndicator("A1", "D1 资源", "甲", "%", "K01", "positive", 1.0, "A", "growth", None, 0, 1, 50.0, "")
VALUE = st.one_of(st.none(), st.sampled_from([0.0, 0.5, 1.0, 3.0, 10.0, 40.0, -2.0]), st.floats(0, 1000).map(lambda x: round(x, 2)))  # fmt: skip
INDICATOR = st.tuples(
    st.sampled_from(["D1 资源", "D2 产出", "D3 环境"]),
    st.sampled_from([1.0, 2.0, 6.0]),
    st.sampled_from(["positive", "negative"]),
    st.sampled_from(["growth", "diff"]),
    st.sampled_from([30.0, 50.0, 150.0]),
)


@settings(max_examples=150, deadline=None)
@given(st.data(), st.lists(INDICATOR, min_size=1, max_size=6), st.integers(2, 6))
def test_the_chain_is_what_plain_formulas_make_it(data: st.DataObject, drawn: list[tuple[str, float, str, str, float]], years: int) -> None:  # fmt: skip
    indicators = [
        replace(
            ONE, id=f"A{n}", dimension=d, weight=w, direction=way, norm=norm, cap=cap, scale=20.0 if norm == "diff" else None
        )
        for n, (d, w, way, norm, cap) in enumerate(sorted(drawn))
    ]  # fmt: skip
    table = {i.id: data.draw(st.lists(VALUE, min_size=years, max_size=years)) for i in indicators}
    rows = [("LB", FIRST + t, code, x) for code, series in table.items() for t, x in enumerate(series)]
    schema = {"area": pl.String, "year": pl.Int64, "indicator": pl.String, "value": pl.Float64}
    system = IndexSystem("t", "试", FIRST, tuple(indicators), {})
    chains = development_chains(pl.DataFrame(rows, schema=schema, orient="row"), system)
    if not chains:
        assert all(first_figure(table[i.id], i) is None for i in indicators)
        return
    (chain,) = chains
    told = by_the_page(table, indicators, len(chain.years))
    contributions = indicator_contributions(chain)
    dimensions = list(dict.fromkeys(i.dimension for i in indicators))
    for t in range(len(chain.years)):
        level = told.levels[t]
        assert chain.levels[t] == pytest.approx(np.nan if level is None else level, nan_ok=True)
        shown = {d: chain.dimension_levels[t, k] for k, d in enumerate(dimensions) if not np.isnan(chain.dimension_levels[t, k])}  # fmt: skip
        assert shown == pytest.approx(told.dimensions[t])
        for k, one in enumerate(indicators):
            assert np.nan_to_num(chain.weights[t, k]) == pytest.approx(told.weights[t].get(one.id, 0.0))
            assert np.nan_to_num(contributions[t, k]) == pytest.approx(told.points[t].get(one.id, 0.0), abs=1e-9)
        assert total_coverage(chain, system, t).share == (None if told.shares[t] is None else pytest.approx(told.shares[t]))  # fmt: skip
