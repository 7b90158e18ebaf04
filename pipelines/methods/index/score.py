"""From figures to scores: denominators, imputation, outliers, normalisation, weights, aggregation, year by year."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import polars as pl

from pipelines.methods.index.aggregate import Mean, children_of, group_mean
from pipelines.methods.index.benefit_of_doubt import best_case, share_bounds
from pipelines.methods.index.bounded import Floats
from pipelines.methods.index.definition import Group, ScoringSystem
from pipelines.methods.index.expert_weights import budget_weights, hierarchy_weights, pairwise_matrices
from pipelines.methods.index.imputation import Imputed, imputed
from pipelines.methods.index.normalise import Reference, Scores, normalised
from pipelines.methods.index.orders import competition_ranks
from pipelines.methods.index.outliers import Treatment, treatments
from pipelines.methods.index.steps import OVER_TIME, Step
from pipelines.methods.index.table import UnitTable, aligned
from pipelines.methods.index.weights import (
    Weights,
    combined_weights,
    entropy_weights,
    factor_weights,
    normalised_weights,
    principal_component_weights,
    target_importance_weights,
)
from schemas.errors import DefinitionError

FULL_MARKS: Final = 100.0
DATA_DRIVEN: Final = ("entropy", "pca", "factor")


@dataclass(frozen=True)
class Prepared:
    """The values of one year on the way to scores: reported (after denominators), imputed, treated (units × indicators)."""

    table: UnitTable
    reported: Floats
    imputed: Imputed
    treatments: tuple[Treatment, ...]
    treated: Floats
    reference: tuple[Reference, ...]
    before: tuple[tuple[str, ...], ...] | None = None  # status of every value of the year before, A where it has none


@dataclass(frozen=True)
class ScoredYear:
    """One scored year. ``scores``: units × indicators; ``means``: group → score and coverage of every unit."""

    prepared: Prepared
    scores: Floats
    parameters: tuple[Mapping[str, Floats], ...]
    weights: Mapping[str, Weights]
    means: Mapping[str, Mean]

    @property
    def table(self) -> UnitTable:
        """The figures the year was scored from."""
        return self.prepared.table

    def node(self, system: ScoringSystem, node: str) -> Floats:
        """The scores of a group or an indicator."""
        return self.means[node].scores if node in self.means else self.scores[:, system.position[node]]


def score_years(
    system: ScoringSystem, tables: Sequence[UnitTable], experts: Mapping[str, pl.DataFrame]
) -> tuple[ScoredYear, ...]:
    """Every year that can be scored, oldest first; a first year that growth is measured on only serves as base.

    ``experts``: file name as in the definition → its rows. Raises DefinitionError where a method cannot be used.
    """
    needs_before = any(
        leaf.normalisation.method in OVER_TIME and "base" not in leaf.normalisation.options for leaf in system.leaves
    )
    prepared = prepare(system, tables)
    if needs_before and len(prepared) > 1:
        prepared = prepared[1:]
    return tuple(_scored(system, year, experts) for year in prepared)


def prepare(system: ScoringSystem, tables: Sequence[UnitTable], imputation: Step | None = None) -> tuple[Prepared, ...]:
    """Values of every year up to the outlier treatment; ``imputation`` replaces the method of every indicator."""
    factors = np.array([leaf.factor for leaf in system.leaves])
    years: list[Prepared] = []
    for k, table in enumerate(tables):
        reported = table.values * factors
        earlier = [values * factors for values in aligned(tables[:k], table.units)]
        filled = imputed(reported, system.leaves, table.classes, earlier, imputation)
        treated_by = treatments(filled.values, system.leaves, table.places)
        treated = np.column_stack([t.apply(filled.values[:, i]) for i, t in enumerate(treated_by)])
        years.append(Prepared(table, reported, filled, treated_by, treated, ()))
    return tuple(_with_reference(system, years, k) for k in range(len(years)))


def _with_reference(system: ScoringSystem, years: Sequence[Prepared], k: int) -> Prepared:
    now = years[k]
    others = [year for j, year in enumerate(years) if j != k]
    before, statuses = None, None
    if k:
        statuses = _statuses_before(years[k - 1], now)
        place = {unit: row for row, unit in enumerate(years[k - 1].table.units)}
        empty = np.full(len(system.leaves), np.nan)
        before = np.array([years[k - 1].treated[place[u]] if u in place else empty for u in now.table.units])
    references = tuple(
        Reference(
            classes=now.table.classes,
            pool=np.concatenate([year.treated[:, i] for year in others]) if others else None,
            pool_classes=tuple(c for year in others for c in year.table.classes),
            previous=None if before is None else before[:, i],
            places=now.table.places,
        )
        for i in range(len(system.leaves))
    )
    return replace(now, reference=references, before=statuses)


def _statuses_before(year: Prepared, now: Prepared) -> tuple[tuple[str, ...], ...]:
    place = {unit: row for row, unit in enumerate(year.table.units)}
    columns = range(now.treated.shape[1])
    return tuple(
        tuple(
            "A" if u not in place else "E" if year.imputed.filled[place[u], k] else year.table.statuses[place[u]][k]
            for k in columns
        )
        for u in now.table.units
    )


@contextmanager
def placed(place: str) -> Iterator[None]:
    """Give a complaint that names no file the place in the definition it is about."""
    try:
        yield
    except DefinitionError as error:
        if error.where or not place:
            raise
        raise DefinitionError(error.message, where=place, remedy=error.remedy) from None


def leaf_scores(system: ScoringSystem, year: Prepared) -> tuple[Floats, tuple[Mapping[str, Floats], ...]]:
    """Scores of all indicators and the parameters they were computed with."""
    found: list[Scores] = []
    for k, leaf in enumerate(system.leaves):
        with placed(leaf.place):
            found.append(normalised(year.treated[:, k], leaf, year.reference[k]))
    return np.column_stack([s.values for s in found]), tuple(s.parameters for s in found)


def _scored(system: ScoringSystem, year: Prepared, experts: Mapping[str, pl.DataFrame]) -> ScoredYear:
    scores, parameters = leaf_scores(system, year)
    means: dict[str, Mean] = {}
    weights: dict[str, Weights] = {}
    for group in system.groups:
        below, coverage = children_of(system, group, scores, means)
        with placed(group.place):
            weights[group.id] = _weights(system, group, below, experts)
        means[group.id] = group_mean(group, below, coverage, weights[group.id].values)
    return ScoredYear(year, scores, parameters, weights, means)


def given_weights(system: ScoringSystem, group: Group) -> Floats:
    """The weights a group's children were given, brought to a sum of one."""
    node = {g.id: g.weight for g in system.groups} | {leaf.id: leaf.weight for leaf in system.leaves}
    return normalised_weights([node[child] or 0.0 for child in group.children])


def _weights(system: ScoringSystem, group: Group, scores: Floats, experts: Mapping[str, pl.DataFrame]) -> Weights:
    step, children = group.weights, group.children
    match step.method:
        case "given":
            return Weights(given_weights(system, group))
        case "equal":
            return Weights(normalised_weights([1.0] * len(children)))
        case "budget":
            return budget_weights(experts[_file(group)], children, _file(group))
        case "ahp":
            matrices = pairwise_matrices(experts[_file(group)], children, _file(group), frozenset(system.nodes))
            return hierarchy_weights(matrices, step.number("maximum_ratio"), _file(group))
        case "target_importance":
            aims = step.effective["importance"] or {}
            return target_importance_weights(scores, [float(aims.get(c, 1.0)) for c in children], group.id)
        case "benefit_of_doubt":
            found = best_case(scores, *share_bounds(step, children), group.id, children, group.place)
            said = (
                "每个单位用对自己最有利的权重,满分 100 表示没有单位在该权重下超过它;weight 是各项占本单位得分的份额。"
            )
            return Weights(found.weights * FULL_MARKS, (said,), found.shares, found.reasons)
        case "combined":
            other = _data_driven(str(step.effective["with"]), scores, step, group)
            mixed = combined_weights(given_weights(system, group), other.values, step.number("share"))
            return Weights(mixed, other.notes)
        case _:
            return _data_driven(step.method, scores, step, group)


def _data_driven(method: str, scores: Floats, step: Step, group: Group) -> Weights:
    own = Step(method, {k: v for k, v in step.options.items() if k not in ("share", "with")})
    if method == "entropy":
        return entropy_weights(scores, own, group.id)
    if method == "pca":
        return principal_component_weights(scores, group.id)
    if method == "factor":
        return factor_weights(scores, own, group.id)
    raise DefinitionError(
        f'{group.id} 的 combined 不认识 with = "{method}"', where=group.place, remedy=f"可用:{'、'.join(DATA_DRIVEN)}。"
    )


def _file(group: Group) -> str:
    return str(group.weights.options["file"])


def nominal_weights(year: ScoredYear) -> dict[str, Floats]:
    """Group → weights of its children, as ``aggregated`` takes them."""
    return {group: weights.values for group, weights in year.weights.items()}


def effective_weights(system: ScoringSystem, year: ScoredYear) -> Floats:
    """Weight of every indicator in the whole, the product of the weights above it; means over units where they differ."""
    share = {system.root.id: 1.0}
    for group in reversed(system.groups):
        own = common_weights(year.weights[group.id])
        share.update({child: share[group.id] * float(w) for child, w in zip(group.children, own, strict=True)})
    return np.array([share[leaf.id] for leaf in system.leaves])


def common_weights(weights: Weights) -> Floats:
    """Weights of a group's children that sum to one; the mean share over the units where every unit has its own weights."""
    if weights.shares is None:
        return np.asarray(weights.values / weights.values.sum(), dtype=np.float64)
    known = weights.shares[~np.isnan(weights.shares).any(axis=1)]
    if not len(known):
        return np.full(weights.shares.shape[1], 1.0 / weights.shares.shape[1])
    return np.asarray(known.mean(axis=0), dtype=np.float64)


def ranks(system: ScoringSystem, table: UnitTable, scores: Floats) -> tuple[list[int | None], list[int | None]]:
    """Rank among all units and rank within the class; the latter None in a class with fewer scores than the stated minimum."""
    overall = competition_ranks(scores, system.tie_decimals)
    within: list[int | None] = [None] * len(scores)
    for inside in large_classes(system, table, scores).values():
        for k, rank in zip(inside, competition_ranks(scores[inside], system.tie_decimals), strict=True):
            within[k] = rank
    return overall, within


def large_classes(system: ScoringSystem, table: UnitTable, scores: Floats) -> dict[str, list[int]]:
    """Class → rows of its units, of the classes in which enough units have a score to be ranked among themselves."""
    found = {}
    for name in sorted(set(table.classes)):
        inside = [k for k, c in enumerate(table.classes) if c == name]
        if int((~np.isnan(scores[inside])).sum()) >= system.minimum_class_size:
            found[name] = inside
    return found


def compared(system: ScoringSystem, table: UnitTable, scores: Floats) -> dict[str, list[int]]:
    """Sets of rows that are ranked among themselves: the large classes, or all units where nothing is ranked by class."""
    return large_classes(system, table, scores) if system.rank_within_class else {"": list(range(len(scores)))}


def places_of(system: ScoringSystem, table: UnitTable, scores: Floats) -> list[int | None]:
    """The one rank a unit is given: within its class where the definition ranks by class, else among all."""
    overall, within = ranks(system, table, scores)
    return within if system.rank_within_class else overall
