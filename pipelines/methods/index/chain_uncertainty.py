"""How far the development index could be otherwise: draws over weights, caps and the error of uncertain values.

The interval answers one question: how much of the published level hangs on choices and on values that were estimated,
carried or preliminary. It is no sampling error. Seeded; the draws of an area do not depend on which other areas there are.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import polars as pl

from exports.display import figure, percent
from pipelines.methods.index.bounded import Floats, bounded_growth, capped, difference
from pipelines.methods.index.cells import SCORES, TOTAL, IndexRow, level_status, members_of
from pipelines.methods.index.chain_entry import ChainState
from pipelines.methods.index.coverage import total_coverage
from pipelines.methods.index.development import BASE, GROWTH, AreaChain, chain_weights, chained
from schemas.errors import DefinitionError
from schemas.marts import conform
from schemas.model import IndexSystem

CARRIED: Final = "carried"
SOURCES: Final = ("weights", "cap", "input")
SOURCE_NAMES: Final = {"weights": "权重", "cap": "上限", "input": "输入误差"}


@dataclass(frozen=True)
class UncertaintyPlan:
    """What is varied and by how much; ``[parameters.uncertainty]`` of the system.

    ``weights``: ``share`` draws each weight uniformly within ±``weight_share`` of its nominal value, ``dirichlet`` draws
    all from a Dirichlet with mean nominal and the given ``concentration``; both are brought back to the nominal sum.
    ``cap_range``: the caps are multiplied by one uniform factor a draw. ``errors``: relative standard error of a value
    by status (A, E, P) or ``carried``; log-normal with mean 1, one error for a value in both of its links.
    """

    draws: int = 2000
    seed: int = 20140101
    level: float = 0.9
    weights: str = "share"
    weight_share: float = 0.25
    concentration: float = 100.0
    cap_range: tuple[float, float] = (0.8, 1.2)
    errors: Mapping[str, float] = field(default_factory=lambda: {"A": 0.0, "E": 0.10, "P": 0.05, CARRIED: 0.10})

    @classmethod
    def of(cls, system: IndexSystem) -> UncertaintyPlan:
        """The plan a system states, the defaults where it is silent. Raises DefinitionError for what makes no sense."""
        given: dict[str, Any] = dict(system.parameters.get("uncertainty", {}))
        if unknown := given.keys() - cls.__dataclass_fields__.keys():
            raise DefinitionError(f"不确定性参数 {'、'.join(sorted(unknown))} 不存在", where=f"体系 {system.id}")
        if "cap_range" in given:
            given["cap_range"] = tuple(given["cap_range"])
        if "errors" in given:
            given["errors"] = {**cls().errors, **given["errors"]}
        plan = cls(**given)
        sound = plan.draws > 0 and 0 < plan.level < 1 and 0 <= plan.weight_share < 1 and plan.concentration > 0
        if not sound or plan.weights not in ("share", "dirichlet") or not 0 < plan.cap_range[0] <= plan.cap_range[1]:
            raise DefinitionError(
                "不确定性参数超出范围", where=f"体系 {system.id}", remedy="见 docs/methods/index.md。"
            )
        return plan


def total_draws(
    chains: Sequence[AreaChain], system: IndexSystem, plan: UncertaintyPlan, sources: Sequence[str] = SOURCES
) -> dict[str, Floats]:
    """Draws of the total index: area → draws × years, NaN before the area's first year.

    All areas share the draws of weights and caps, since these are one choice; errors of values are drawn area by area.
    """
    common = np.random.default_rng([plan.seed, 0])
    nominal = np.array([i.weight for i in system.indicators])
    weights = _weight_draws(nominal, plan, common)
    factors = common.uniform(*plan.cap_range, size=(plan.draws, 1, 1))
    weights = weights if "weights" in sources else np.tile(nominal, (plan.draws, 1))
    factors = factors if "cap" in sources else np.ones_like(factors)
    drawn: dict[str, Floats] = {}
    for chain in sorted(chains, key=lambda c: (bool(c.spliced), c.area)):
        _draw_area(chain, chains, system, plan, weights, factors, "input" in sources, drawn)
    return drawn


def _draw_area(
    chain: AreaChain,
    chains: Sequence[AreaChain],
    system: IndexSystem,
    plan: UncertaintyPlan,
    weights: Floats,
    factors: Floats,
    with_errors: bool,
    drawn: dict[str, Floats],
) -> None:
    if chain.area in drawn:
        return
    beginning: float | Floats = BASE
    if chain.spliced:
        parent = next(c for c in chains if c.area == chain.spliced)
        _draw_area(parent, chains, system, plan, weights, factors, with_errors, drawn)
        beginning = drawn[chain.spliced][:, chain.start]
    values = _value_draws(chain, system, plan) if with_errors else _values(chain)[np.newaxis]
    growth = capped(_growth_of(values, chain, system), factors * np.array([i.cap for i in system.indicators]))
    used = chain_weights(growth, system, weights)
    v = np.nansum(growth * used, axis=-1)
    drawn[chain.area] = chained(v, chain.start, beginning)


def _weight_draws(nominal: Floats, plan: UncertaintyPlan, random: np.random.Generator) -> Floats:
    total = float(nominal.sum())
    if plan.weights == "dirichlet":
        # gamma draws instead of numpy's dirichlet, which refuses an indicator of weight zero
        shares = random.standard_gamma(plan.concentration * nominal / total, size=(plan.draws, nominal.size))
        return np.asarray(shares / shares.sum(axis=1, keepdims=True) * total)
    spread = random.uniform(1.0 - plan.weight_share, 1.0 + plan.weight_share, size=(plan.draws, nominal.size))
    varied = nominal * spread
    return np.asarray(varied / varied.sum(axis=1, keepdims=True) * total)


def _values(chain: AreaChain) -> Floats:
    """Years × indicators: the value each link uses, carried ones included."""
    table = [[np.nan if step.now is None else step.now for step in row] for row in chain.links]
    return np.array(table, dtype=np.float64).T


def _value_draws(chain: AreaChain, system: IndexSystem, plan: UncertaintyPlan) -> Floats:
    values = _values(chain)
    spread = np.zeros_like(values)
    for k, indicator in enumerate(system.indicators):
        for t, year in enumerate(chain.years):
            state = chain.state(k, t)
            status = CARRIED if state is ChainState.CARRIED else chain.statuses.get((indicator.id, year), "A")
            spread[t, k] = plan.errors.get(status, 0.0)
    random = np.random.default_rng([plan.seed, 1, zlib.crc32(chain.area.encode())])
    noise = random.standard_normal((plan.draws, *values.shape))
    sigma = np.sqrt(np.log1p(spread**2))  # a log-normal of mean 1 whose coefficient of variation is the stated error
    return np.asarray(values * np.exp(sigma * noise - sigma**2 / 2.0), dtype=np.float64)


def _growth_of(values: Floats, chain: AreaChain, system: IndexSystem) -> Floats:
    before = np.concatenate([np.full_like(values[:, :1], np.nan), values[:, :-1]], axis=1)
    growth = np.empty_like(values)
    for k, indicator in enumerate(system.indicators):
        sign = -1.0 if indicator.direction == "negative" else 1.0
        now, base = values[..., k], before[..., k]
        growth[..., k] = sign * (
            bounded_growth(now, base) if indicator.norm == GROWTH else difference(now, base, indicator.scale or 1.0)
        )
    growth[:, np.isnan(chain.growth)] = np.nan
    return growth


def index_intervals(chains: Sequence[AreaChain], system: IndexSystem, plan: UncertaintyPlan) -> pl.DataFrame:
    """Intervals of the total index: (area, year, lower, median, upper, width_weights, width_cap, width_input).

    Quantiles of all sources together at ``plan.level``; the widths are of each source varied alone.
    """
    tails = [(1 - plan.level) / 2, 0.5, (1 + plan.level) / 2]
    together = total_draws(chains, system, plan)
    alone = {source: total_draws(chains, system, plan, (source,)) for source in SOURCES}
    rows: list[dict[str, Any]] = []
    for chain in chains:
        span = slice(chain.start, None)
        lower, median, upper = np.quantile(together[chain.area][:, span], tails, axis=0)
        widths = {s: np.quantile(alone[s][chain.area][:, span], tails, axis=0) for s in SOURCES}
        for k, year in enumerate(chain.years[span]):
            own = {f"width_{s}": float(q[2, k] - q[0, k]) for s, q in widths.items()}
            rows.append(
                {"area": chain.area, "year": year, "lower": lower[k], "median": median[k], "upper": upper[k], **own}
            )
    return pl.DataFrame(rows, infer_schema_length=None)


def interval_cells(
    chains: Sequence[AreaChain], system: IndexSystem, names: Mapping[str, str], plan: UncertaintyPlan | None = None
) -> pl.DataFrame:
    """Cells ``index_lower``, ``index_median``, ``index_upper`` of the total, for the mart ``index_scores``.

    Only for years whose total is published and that are not the base.
    """
    plan = plan or UncertaintyPlan.of(system)
    published = {
        (chain.area, year)
        for chain in chains
        for t, year in enumerate(chain.years)
        if t > chain.start and total_coverage(chain, system, t).is_published
    }
    by_area = {chain.area: chain for chain in chains}
    cells: list[dict[str, Any]] = []
    found = index_intervals(chains, system, plan) if chains else pl.DataFrame()
    for row in found.iter_rows(named=True):
        if (row["area"], row["year"]) not in published:
            continue
        widths = ";".join(f"单独变动{SOURCE_NAMES[s]}时区间宽 {figure(row[f'width_{s}'], 1)} 点" for s in SOURCES)
        note = f"{percent(plan.level)} 区间,{plan.draws} 次抽样,种子 {plan.seed}。{widths}。"
        where = IndexRow(row["area"], names.get(row["area"], row["area"]), row["year"], TOTAL, system.title)
        chain = by_area[row["area"]]
        status = level_status(chain, chains, system, chain.years.index(row["year"]), members_of(system))
        for measure in ("lower", "median", "upper"):
            cells.append(where.cell(SCORES, f"index_{measure}", row[measure], status, note))
    return conform(
        pl.DataFrame(cells, infer_schema_length=None) if cells else pl.DataFrame(schema={"row_key": pl.String})
    )
