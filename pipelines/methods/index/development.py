"""The development index 发展指数: each area against its own past, base year = 100, never ranked.

Source: index_system 4.0 and 4.3 with the bounded growth of the CII (docs/methods/index.md). For one area and year, over
the indicators in the chain: V_d = Σ w_i V_i / Σ w_i within dimension d; V = Σ W_d V_d / Σ W_d over the dimensions that
have one, W_d being the whole weight of the dimension (the weight of an absent indicator goes to its neighbours in the
dimension); I_t = I_{t-1} (200 + V) / (200 - V).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import polars as pl

from exports.display import percent
from pipelines.methods.index.bounded import Floats, bounded_growth, capped, contributions, difference, link
from pipelines.methods.index.chain_entry import ChainLink, ChainState, chain_links
from schemas.errors import DefinitionError
from schemas.model import IndexIndicator, IndexSystem

BASE: Final = 100.0
GROWTH: Final = "growth"
DIFF: Final = "diff"

VALUE_COLUMNS: Final[dict[str, pl.DataType]] = {
    "area": pl.String(),
    "year": pl.Int64(),
    "indicator": pl.String(),
    "value": pl.Float64(),
    "contributors": pl.Int64(),  # units with a non-zero numerator; null where nobody counted
    "coverage": pl.Float64(),  # share of the denominator held by units reporting both sides; null: not applicable
    "status": pl.String(),  # A, E or P as in the marts
    "zeros": pl.Boolean(),  # whether units count as zero that the forms do not ask (structural zeros)
}
OPTIONAL: Final = {"contributors": None, "coverage": None, "status": "A", "zeros": False}


@dataclass(frozen=True)
class Thresholds:
    """The parameters of 4.3, from ``[parameters]`` of the system."""

    coverage_ratio: float = 0.7
    dimension_minimum: float = 0.6
    total_minimum: float = 0.8
    low_coverage: float = 0.5
    carry_periods: int = 1

    @classmethod
    def of(cls, system: IndexSystem) -> Thresholds:
        """The thresholds a system states, the defaults of the method where it is silent."""
        known = {name: system.parameters[name] for name in cls.__dataclass_fields__ if name in system.parameters}
        return cls(**known)


@dataclass(frozen=True)
class AreaChain:
    """The chain of one area as arrays: years × indicators in the system's order. NaN is "not in the chain".

    ``start`` is the position of the area's first year. ``weights`` sum to 1 over each year that has a link.
    """

    area: str
    years: tuple[int, ...]
    start: int
    links: tuple[tuple[ChainLink, ...], ...]  # indicators × years
    raw: Floats  # growth, turned by direction, before the cap
    growth: Floats  # after the cap
    weights: Floats
    levels: Floats  # total index
    dimension_levels: Floats  # years × dimensions
    indicator_levels: Floats
    refused: Mapping[str, str] = field(default_factory=dict)
    withheld: Mapping[tuple[str, int], str] = field(default_factory=dict)
    statuses: Mapping[tuple[str, int], str] = field(default_factory=dict)
    zeros: frozenset[tuple[str, int]] = frozenset()  # indicator, year whose value rests on structural zeros
    spliced: str = ""

    def state(self, indicator: int, year: int) -> ChainState:
        """The state at the given positions."""
        return self.links[indicator][year].state

    def entered_by(self, indicator: int, year: int) -> bool:
        """Whether the indicator has ever been in the chain up to the year at this position."""
        return any(step.state.in_chain for step in self.links[indicator][: year + 1])


def complete_values(values: pl.DataFrame, system: IndexSystem) -> pl.DataFrame:
    """``values`` with all ``VALUE_COLUMNS``, typed and sorted. Raises DefinitionError for duplicates, unknown indicators, NaN."""
    if missing := [c for c in VALUE_COLUMNS if c not in values.columns and c not in OPTIONAL]:
        raise DefinitionError(f"指标值表缺列 {'、'.join(missing)}")
    typed = values.with_columns(
        pl.lit(default, dtype=VALUE_COLUMNS[name]).alias(name)
        for name, default in OPTIONAL.items()
        if name not in values.columns
    ).select(pl.col(name).cast(dtype) for name, dtype in VALUE_COLUMNS.items())
    typed = typed.with_columns(pl.col("status").fill_null("A"))
    unknown = set(typed["indicator"].unique()) - {i.id for i in system.indicators}
    if unknown:
        raise DefinitionError(f"指标值表有体系 {system.id} 没有的指标 {'、'.join(sorted(unknown))}")
    if typed.select("area", "year", "indicator").is_duplicated().any():
        raise DefinitionError("指标值表中同一区域、年份、指标有两行", remedy="每个值只能出现一次。")
    if not typed["value"].drop_nulls().is_finite().all():
        raise DefinitionError("指标值表有非有限的数(NaN 或无穷大)", remedy="算不出的值应为空。")
    return typed.sort("area", "year", "indicator")


def refusals(values: pl.DataFrame, system: IndexSystem) -> pl.DataFrame:
    """Every series bounded growth may not be used on: (area, indicator, year, value, message), first offence of each.

    A negative value is enough: V would lie outside [-200, 200], a worsening from -2 to -4 would count as progress, and a
    change from -1 to 1 as nothing. The series is kept out of the chain altogether, and the message is a finding.
    """
    bounded = {i.id: i.name for i in system.indicators if i.norm == GROWTH}
    found = (
        complete_values(values, system)
        .filter(pl.col("indicator").is_in(list(bounded)), pl.col("value") < 0, pl.col("year") >= system.base_year)
        .group_by("area", "indicator", maintain_order=True)
        .first()
    )
    message = pl.format(
        "指标 {} {} {}年的值为 {},是负数:有界增速法不适用,该区域的这一指标全程不进入指数。请改用 norm=diff 并给出 scale,或核实原始数据。",
        "indicator",
        pl.col("indicator").replace_strict(bounded, return_dtype=pl.String),
        "year",
        "value",
    ).alias("message")
    return found.select("area", "indicator", "year", "value", message).sort("area", "indicator")


def check_bounded(values: pl.DataFrame, system: IndexSystem) -> None:
    """Raise DefinitionError for the first series of ``refusals``; for callers that must not go on with one left out."""
    found = refusals(values, system)
    if found.height:
        raise DefinitionError(f"{found['area'][0]}:{found['message'][0]}")


def development_chains(
    values: pl.DataFrame,
    system: IndexSystem,
    *,
    sub_parks: Collection[str] = (),
    splice: Mapping[str, str] | None = None,
) -> tuple[AreaChain, ...]:
    """The chain of every area that has at least one value, areas it is spliced to first.

    ``values`` as ``VALUE_COLUMNS`` (contributors, coverage and status optional). For ``sub_parks`` a value with fewer
    contributors than the indicator asks is missing. ``splice`` maps an area to the area whose index it starts from, added
    to the system's own; a cycle is a DefinitionError. Years before the base year are not indexed.
    """
    table = complete_values(values, system).filter(pl.col("year") >= system.base_year)
    refused = {(r["area"], r["indicator"]): r["message"] for r in refusals(values, system).iter_rows(named=True)}
    if table.is_empty():
        return ()
    years = tuple(range(system.base_year, int(str(table["year"].max())) + 1))
    parents = {**system.splice, **(splice or {})}
    by_area = {str(key[0]): group for key, group in table.group_by(["area"], maintain_order=True)}
    chains: dict[str, AreaChain] = {}
    for area in _parents_first(sorted(by_area), parents):
        parent = chains.get(parents.get(area, ""))
        chain = _area_chain(area, by_area[area], system, years, refused, area in set(sub_parks), parent)
        if chain is not None:
            chains[area] = chain
    return tuple(chains[area] for area in sorted(chains))


def _parents_first(areas: list[str], parents: Mapping[str, str]) -> list[str]:
    ordered: list[str] = []
    for area in areas:
        path = [area]
        while (above := parents.get(path[-1])) is not None and above not in ordered:
            if above in path:
                raise DefinitionError(f"拼接关系成环:{'→'.join([*path, above])}", remedy="请检查 splice。")
            path.append(above)
        ordered.extend(a for a in reversed(path) if a in areas and a not in ordered)
    return ordered


def _area_chain(
    area: str,
    table: pl.DataFrame,
    system: IndexSystem,
    years: tuple[int, ...],
    refused: Mapping[tuple[str, str], str],
    is_sub_park: bool,
    parent: AreaChain | None,
) -> AreaChain | None:
    thresholds = Thresholds.of(system)
    usable, withheld = _usable(table, system, thresholds, is_sub_park)
    links: list[tuple[ChainLink, ...]] = []
    for i in system.indicators:
        if (area, i.id) in refused:
            links.append((ChainLink(ChainState.REFUSED),) * len(years))
        else:
            links.append(chain_links([usable.get((i.id, y)) for y in years], thresholds.carry_periods))
    first = [next((t for t, s in enumerate(row) if s.state is ChainState.BASE), None) for row in links]
    known = [t for t in first if t is not None]
    if not known:
        return None
    raw = np.array([_growth(i, row) for i, row in zip(system.indicators, links, strict=True)]).T
    growth = capped(raw, [i.cap for i in system.indicators])
    weights = chain_weights(growth, system)
    start = min(known)
    return AreaChain(
        area=area,
        years=years,
        start=start,
        links=tuple(links),
        raw=raw,
        growth=growth,
        weights=weights,
        levels=chained(_weighted(growth, weights), start, BASE if parent is None else _level(parent.levels[start])),
        dimension_levels=_dimension_levels(growth, system, first, parent),
        indicator_levels=_indicator_levels(growth, first),
        refused={i.id: refused[area, i.id] for i in system.indicators if (area, i.id) in refused},
        withheld=withheld,
        statuses={(i, y): s for i, y, s in table.select("indicator", "year", "status").iter_rows()},
        zeros=frozenset(table.filter(pl.col("zeros").fill_null(False)).select("indicator", "year").iter_rows()),
        spliced=parent.area if parent is not None and start >= parent.start else "",
    )


def _usable(
    table: pl.DataFrame, system: IndexSystem, thresholds: Thresholds, is_sub_park: bool
) -> tuple[dict[tuple[str, int], float], dict[tuple[str, int], str]]:
    """The values that may be used, and why the others may not."""
    minimum = {i.id: i.min_contributors for i in system.indicators}
    usable: dict[tuple[str, int], float] = {}
    withheld: dict[tuple[str, int], str] = {}
    for row in table.iter_rows(named=True):
        key, value, n, covered = (row["indicator"], row["year"]), row["value"], row["contributors"], row["coverage"]
        if value is None:
            continue
        if is_sub_park and n is not None and n < minimum[row["indicator"]]:
            # how few is not said: of a count it would be the figure that disclosure control hides elsewhere
            withheld[key] = f"分子非零的单位少于 {minimum[row['indicator']]} 个"
        elif covered is not None and covered < thresholds.coverage_ratio:
            withheld[key] = f"分子分母同时有数的单位只占 {percent(covered)},低于 {percent(thresholds.coverage_ratio)}"
        else:
            usable[key] = value
    return usable, withheld


def _growth(indicator: IndexIndicator, links: tuple[ChainLink, ...]) -> Floats:
    now = np.array([s.now if s.state.in_chain else np.nan for s in links], dtype=np.float64)
    before = np.array([s.before if s.state.in_chain else np.nan for s in links], dtype=np.float64)
    sign = -1.0 if indicator.direction == "negative" else 1.0
    if indicator.norm == GROWTH:
        return sign * bounded_growth(now, before)
    if indicator.norm == DIFF and indicator.scale:
        return sign * difference(now, before, indicator.scale)
    raise DefinitionError(
        f"指标 {indicator.id} 的 norm={indicator.norm} 不能用于发展指数", remedy="请写 growth,或 diff 并给出 scale。"
    )


def membership(system: IndexSystem) -> Floats:
    """Indicators × dimensions, 1 where the indicator belongs to the dimension."""
    order = {name: k for k, name in enumerate(system.dimensions)}
    table = np.zeros((len(system.indicators), len(order)))
    for row, indicator in enumerate(system.indicators):
        table[row, order[indicator.dimension]] = 1.0
    return table


def chain_weights(growth: Floats, system: IndexSystem, nominal: Floats | None = None) -> Floats:
    """The weight of every indicator in every year, summing to 1 over a year with links and 0 over one without.

    What an absent indicator weighs goes to its neighbours in the dimension in proportion; a dimension with none leaves
    its weight to the other dimensions in proportion. ``nominal`` (… × indicators) replaces the system's weights;
    leading axes broadcast, so that many draws are computed at once.
    """
    belongs = membership(system)
    weights = np.array([i.weight for i in system.indicators]) if nominal is None else nominal
    present = ~np.isnan(growth)
    own = np.where(present, weights[..., np.newaxis, :], 0.0)
    within = own @ belongs  # … × years × dimensions: weight present
    whole = np.where(within > 0, (weights @ belongs)[..., np.newaxis, :], 0.0)
    total = whole.sum(axis=-1, keepdims=True)
    factor = np.divide(whole, within * total, out=np.zeros_like(within), where=(within > 0) & (total > 0))
    return np.asarray(own * (factor @ belongs.T), dtype=np.float64)


def _weighted(growth: Floats, weights: Floats) -> Floats:
    """V of the total: NaN in a year without a link."""
    v = np.nansum(growth * weights, axis=-1)
    return np.where(weights.sum(axis=-1) > 0, v, np.nan)


def chained(growth: Floats, start: int, beginning: float | Floats = BASE) -> Floats:
    """Levels over the last axis: ``beginning`` at ``start``, NaN before; a year without growth keeps the level."""
    factors = link(np.nan_to_num(growth, nan=0.0))
    factors[..., : start + 1] = 1.0
    levels = np.cumprod(factors, axis=-1) * np.asarray(beginning)[..., np.newaxis]
    levels[..., :start] = np.nan
    return np.asarray(levels, dtype=np.float64)


def _level(above: float) -> float:
    return BASE if np.isnan(above) else float(above)


def dimension_growth(growth: Floats, system: IndexSystem, nominal: Floats | None = None) -> Floats:
    """V of every dimension (… × years × dimensions); NaN where none of its indicators is in the chain."""
    belongs = membership(system)
    weights = np.array([i.weight for i in system.indicators]) if nominal is None else nominal
    own = np.where(np.isnan(growth), 0.0, weights[..., np.newaxis, :])
    within = own @ belongs
    summed = (own * np.nan_to_num(growth)) @ belongs
    return np.divide(summed, within, out=np.full_like(within, np.nan), where=within > 0)


def _dimension_levels(growth: Floats, system: IndexSystem, first: list[int | None], parent: AreaChain | None) -> Floats:
    v = dimension_growth(growth, system)
    levels = np.full_like(v, np.nan)
    for k, name in enumerate(system.dimensions):
        own = [t for t, i in zip(first, system.indicators, strict=True) if i.dimension == name and t is not None]
        if not own:
            continue
        begin = BASE if parent is None else _level(parent.dimension_levels[min(own), k])
        levels[:, k] = chained(v[:, k], min(own), begin)
    return levels


def _indicator_levels(growth: Floats, first: list[int | None]) -> Floats:
    levels = np.full_like(growth, np.nan)
    for k, begin in enumerate(first):
        if begin is not None:
            levels[:, k] = chained(growth[:, k], begin)
    return levels


def indicator_contributions(chain: AreaChain) -> Floats:
    """Points every indicator adds to the total index of its area (years × indicators); NaN outside the chain."""
    parts = np.nan_to_num(chain.growth * chain.weights)
    before = np.concatenate([[np.nan], chain.levels[:-1]])
    points = contributions(before, parts)
    return np.where(np.isnan(chain.growth) | np.isnan(before)[:, np.newaxis], np.nan, points)
