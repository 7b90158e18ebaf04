"""Which enterprises moved the indicators of an area's development index between two years. Internal: figures of single units.

Read from the warehouse, nothing stored, no release reads it. The values are rebuilt from the enterprises and held against the
index's own; an indicator whose value does not come out, or is no ratio of sums over units, is listed with the reason.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final

import polars as pl

from pipelines.index_production import IndexChains, index_chains
from pipelines.index_revisions import index_parts
from pipelines.index_values import at_base_prices
from pipelines.inputs import Inputs
from pipelines.intake import Office
from pipelines.methods.areas import areawise, lookups
from pipelines.methods.index.development import AreaChain, indicator_contributions
from pipelines.methods.index.movers import PARK, Moved, Side, linear_terms, moved_by
from pipelines.methods.index.parts import DENOMINATOR, NUMERATOR, ratio_parts, window_years
from pipelines.methods.index.score_tables import frame_of
from pipelines.population import Population
from pipelines.weights import weighted
from schemas.environment import environment_for
from schemas.errors import RefusalError
from schemas.model import IndexIndicator
from schemas.observations import names_of_units
from schemas.period import Period
from schemas.period_data import ENTERPRISE
from schemas.polars_target import aggregate_many
from warehouse.ledger import trail
from warehouse.ledger.evaluations import permitted
from warehouse.ledger.releases import current_release

CLOSE: Final = 1e-9
PROVINCE: Final = ("province_statistician", "analyst")
KINDS: Final = {(True, True): "留存", (False, True): "新进", (True, False): "退出"}

UNIT_COLUMNS: Final = dict.fromkeys(("area", "indicator", "indicator_name", "unit_id", "unit_name", "kind"), pl.String) | dict.fromkeys(
    ("numerator_before", "numerator_after", "denominator_before", "denominator_after", "by_numerator", "by_denominator", "effect",
     "index_points"), pl.Float64,
) | {"estimated": pl.Boolean}  # fmt: skip
TOTAL_COLUMNS: Final = dict.fromkeys(("area", "indicator", "indicator_name"), pl.String) | {
    "year_before": pl.Int64, "year_after": pl.Int64, "value_before": pl.Float64, "value_after": pl.Float64, "change": pl.Float64,
    "units": pl.Int64, "sum_of_effects": pl.Float64, "index_points": pl.Float64, "note": pl.String,
}  # fmt: skip


@dataclass(frozen=True)
class Movers:
    """``parts``: from last year's index to this year's (``index_revisions``); ``totals``: one row an indicator, with what its units
    sum to; ``units``: one row a unit and indicator, largest effect first."""

    units: pl.DataFrame
    totals: pl.DataFrame
    parts: pl.DataFrame


def movers_for(
    office: Office,
    inputs: Inputs,
    releases: Path,
    period: Period,
    area: str,
    indicators: Sequence[str],
    *,
    now: datetime,
    actor: str,
) -> Movers:
    """``index_movers`` for a person of the province, with last year's standing release beside; that it was read goes to the trail.

    Raises RefusalError for anybody else, and as ``index_movers``.
    """
    with office.ledger.read() as session:
        permitted(session, actor, PROVINCE, "查看企业对指标的影响")
        release = None if period.quarter else current_release(session, Period(period.year - 1))
    path = releases / release.id / "tables" / "index_scores.parquet" if release else None
    published = pl.read_parquet(path) if path and path.exists() else None
    found = index_movers(inputs, period, area, indicators, published)
    with office.ledger.write() as session:
        trail.append(
            session, at=now, actor=actor, action="index_movers_served", subject=f"index/{period}/{area}",
            payload={"indicators": sorted(indicators), "units": found.units["unit_id"].n_unique()},
        )  # fmt: skip
    return found


@dataclass(frozen=True)
class _Year:
    """One year's pieces by unit: expression → aggregate text → unit → total; and both sides for the whole area."""

    pieces: Mapping[tuple[str, str], Mapping[str, float]]
    sides: Mapping[tuple[str, str], float | None]
    names: Mapping[str, str]
    estimated: frozenset[str]


def index_movers(
    inputs: Inputs, period: Period, area: str, indicators: Sequence[str] = (), published: pl.DataFrame | None = None
) -> Movers:
    """The enterprises behind the change of every indicator (or of those named) of ``area`` from the year before to ``period``.

    ``index_points`` shares the indicator's contribution to the index of the year in proportion to the effects. ``published``:
    the index as last year's release shows it, to tell revised data apart. Raises
    RefusalError for a quarter, a year without accepted reports, an area that takes no part, an unknown indicator.
    """
    population = inputs.population("in_force")
    if period.round != "A" or not population.has(period):
        raise RefusalError(f"{period} 没有已验收的年报。")
    index = index_chains(population, inputs.programme, period)
    chain = next((c for c in index.chains if c.area == area), None)
    if chain is None:
        raise RefusalError(f"{area} 没有 {period} 的发展指数。")
    if strange := sorted(set(indicators) - {i.id for i in index.system.indicators}):
        raise RefusalError(f"发展指数没有指标 {'、'.join(strange)}。")
    chosen = [i for i in index.system.indicators if not indicators or i.id in indicators]
    wanted = sorted({y for i in chosen for year in (period.year - 1, period.year) for y in window_years(i, year)})
    years = {y: _year(population, index, area, chosen, y) for y in wanted if population.has(Period(y))}
    prices = at_base_prices(population, index.system, index.areas, [area], period.year)
    units: list[tuple[object, ...]] = []
    totals: list[tuple[object, ...]] = []
    for one in chosen:
        own, total = _indicator(index, chain, years, prices, one, period.year)
        units += own
        totals.append(total)
    listed = frame_of(units, UNIT_COLUMNS).sort(
        "indicator", pl.col("effect").abs(), "unit_id", descending=[False, True, False]
    )
    return Movers(listed, frame_of(totals, TOTAL_COLUMNS), index_parts(index, chain, period.year, published))


def _year(population: Population, index: IndexChains, area: str, chosen: Sequence[IndexIndicator], year: int) -> _Year:
    period = Period(year)
    env = environment_for(population.programme, period, edition=population.edition(period))
    data = population.zeroed(weighted(population, period)[0])
    spread = areawise(data, index.areas, [area])
    env = replace(env, data=spread, areas=lookups(index.areas.values()))
    sides = {
        f"{i.id} {side}": text
        for i in chosen
        for side, text in zip((NUMERATOR, DENOMINATOR), ratio_parts(i.formula), strict=True)
    }
    whole = aggregate_many(sides, spread, ["area"], env, weighted=True).values.filter(area=area)
    nodes = {i.id: i.formula for i in chosen} | {n: t for n, t in sides.items() if linear_terms(t)}
    by_unit = aggregate_many(nodes, spread, ["area", "unit_id"], env, weighted=True).parts
    pieces: dict[tuple[str, str], dict[str, float]] = {}
    for expression, text, unit, total, own in by_unit.select(
        "expression", "text", "unit_id", "total", "weighted_total"
    ).iter_rows():
        value = total if own is None else own
        if unit is not None and value:
            pieces.setdefault((expression, text), {})[unit] = float(value)
    roster = spread.rosters[ENTERPRISE]
    marks = [c for c in ("imputed", "weight") if c in roster.columns]
    put_in = roster.filter(pl.any_horizontal([pl.col(c) != (1.0 if c == "weight" else False) for c in marks])) if marks else roster.clear()  # fmt: skip
    names = names_of_units(roster)
    row = whole.row(0, named=True) if whole.height else {}
    return _Year(
        pieces,
        {(i.id, side): row.get(f"{i.id} {side}") for i in chosen for side in (NUMERATOR, DENOMINATOR)},
        names,
        frozenset(put_in["unit_id"].to_list()),
    )


def _sides(
    one: IndexIndicator, years: Mapping[int, _Year], prices: Mapping[tuple[int, str, str], float], last: int
) -> tuple[Side, Side] | str:
    """Numerator and denominator by unit over the window that ends in ``last``; or why there are none."""
    texts = dict(zip((NUMERATOR, DENOMINATOR), ratio_parts(one.formula), strict=True))
    terms = {side: linear_terms(text) for side, text in texts.items()}
    if not any(terms.values()):
        return "不是由企业数汇总的指标,没有企业可分解。"
    above, below = Side(), Side()
    for year in window_years(one, last):
        if year not in years:
            return f"{year} 年没有数。"
        own = years[year]
        found: dict[str, Side] = {}
        for side in (NUMERATOR, DENOMINATOR):
            whole = own.sides[one.id, side]
            if (linear := terms[side]) is not None:
                found[side] = _summed(own, one.id, linear)
            elif whole is None:
                return f"{year} 年的园区数未报。"
            elif "SUM(" in texts[side] or "COUNT(" in texts[side]:
                return "公式不是企业数的线性式,不能逐户分解。"
            else:
                found[side] = Side({PARK: float(whole)})
        if one.window > 1 and terms[DENOMINATOR] and found[DENOMINATOR].total:
            # years are weighed by their whole denominator, which also counts units without a numerator
            everyone = _summed(own, f"{one.id} {DENOMINATOR}", terms[DENOMINATOR] or {})
            found[NUMERATOR] = found[NUMERATOR].times(everyone.total / found[DENOMINATOR].total)
            found[DENOMINATOR] = everyone
        above = above.plus(found[NUMERATOR].times(prices.get((year, one.id, NUMERATOR), 1.0)))
        below = below.plus(found[DENOMINATOR].times(prices.get((year, one.id, DENOMINATOR), 1.0)))
    return above, below


def _summed(year: _Year, expression: str, terms: Mapping[str, float]) -> Side:
    found = Side()
    for text, factor in terms.items():
        found = found.plus(Side(year.pieces.get((expression, text), {})).times(factor))
    return found


def _indicator(
    index: IndexChains, chain: AreaChain, years: Mapping[int, _Year], prices: Mapping[tuple[int, str, str], float],
    one: IndexIndicator, year: int,
) -> tuple[list[tuple[object, ...]], tuple[object, ...]]:  # fmt: skip
    head = (chain.area, one.id, one.name)
    values = {
        y: v for y, v in index.values.filter(area=chain.area, indicator=one.id).select("year", "value").iter_rows() if v is not None
    }  # fmt: skip
    before, after = values.get(year - 1), values.get(year)
    if before is None or after is None:
        return [], (*head, year - 1, year, before, after, None, 0, None, None, "两年中有一年没有值。")
    sides = [_sides(one, years, prices, y) for y in (year - 1, year)]
    moved = None
    note = next((s for s in sides if isinstance(s, str)), "")
    first, second = sides
    if not isinstance(first, str) and not isinstance(second, str):
        moved = moved_by(first, second)
        if moved is None or not all(
            math.isclose(s[0].total / s[1].total, v, rel_tol=CLOSE, abs_tol=CLOSE)
            for s, v in ((first, before), (second, after))
        ):
            moved, note = None, "由企业数重算的值与指标值不符,不分解。"
    if moved is None:
        return [], (*head, year - 1, year, before, after, after - before, 0, None, None, note)
    change = after - before
    points = float(
        indicator_contributions(chain)[chain.years.index(year), [i.id for i in index.system.indicators].index(one.id)]
    )
    rows = list(
        _rows(
            head,
            moved,
            years[year - 1],
            years[year],
            None if math.isnan(points) or abs(change) < CLOSE else points / change,
        )
    )
    total = sum(m.effect for m in moved)
    return rows, (*head, year - 1, year, before, after, change, len(moved), total, points, "")


def _rows(
    head: tuple[str, ...], moved: Sequence[Moved], before: _Year, after: _Year, points: float | None
) -> Iterator[tuple[object, ...]]:
    for one in moved:
        here = (any((one.numerator[0], one.denominator[0])), any((one.numerator[1], one.denominator[1])))
        kind = "园区或背景数" if one.unit == PARK else KINDS[here]
        yield (
            *head, one.unit, after.names.get(one.unit) or before.names.get(one.unit) or "", kind, *one.numerator, *one.denominator,
            one.by_numerator, one.by_denominator, one.effect, None if points is None else points * one.effect,
            one.unit in before.estimated or one.unit in after.estimated,
        )  # fmt: skip
