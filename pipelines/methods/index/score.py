"""From figures to scores: denominators, imputation, outliers, normalisation, weights, aggregation, year by year."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from pipelines.methods.index.aggregate import Mean, children_of, group_mean
from pipelines.methods.index.benefit_of_doubt import best_case
from pipelines.methods.index.bounded import Floats
from pipelines.methods.index.definition import OVER_TIME, Group, ScoringSystem, Step
from pipelines.methods.index.expert_weights import budget_weights, hierarchy_weights, pairwise_matrices
from pipelines.methods.index.imputation import Imputed, imputed
from pipelines.methods.index.normalise import Reference, Scores, normalised
from pipelines.methods.index.orders import competition_ranks
from pipelines.methods.index.outliers import Treatment, treatments
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
        treated_by = treatments(filled.values, system.leaves)
        treated = np.column_stack([t.apply(filled.values[:, i]) for i, t in enumerate(treated_by)])
        years.append(Prepared(table, reported, filled, treated_by, treated, ()))
    return tuple(_with_reference(system, years, k) for k in range(len(years)))


def _with_reference(system: ScoringSystem, years: Sequence[Prepared], k: int) -> Prepared:
    now = years[k]
    others = [year for j, year in enumerate(years) if j != k]
    before = None
    if k:
        place = {unit: row for row, unit in enumerate(years[k - 1].table.units)}
        empty = np.full(len(system.leaves), np.nan)
        before = np.array([years[k - 1].treated[place[u]] if u in place else empty for u in now.table.units])
    references = tuple(
        Reference(
            classes=now.table.classes,
            pool=np.concatenate([year.treated[:, i] for year in others]) if others else None,
            pool_classes=tuple(c for year in others for c in year.table.classes),
            previous=None if before is None else before[:, i],
        )
        for i in range(len(system.leaves))
    )
    return Prepared(now.table, now.reported, now.imputed, now.treatments, now.treated, references)


def leaf_scores(system: ScoringSystem, year: Prepared) -> tuple[Floats, tuple[Mapping[str, Floats], ...]]:
    """Scores of all indicators and the parameters they were computed with."""
    found: list[Scores] = [
        normalised(year.treated[:, k], leaf, year.reference[k]) for k, leaf in enumerate(system.leaves)
    ]
    return np.column_stack([s.values for s in found]), tuple(s.parameters for s in found)


def _scored(system: ScoringSystem, year: Prepared, experts: Mapping[str, pl.DataFrame]) -> ScoredYear:
    scores, parameters = leaf_scores(system, year)
    means: dict[str, Mean] = {}
    weights: dict[str, Weights] = {}
    for group in system.groups:
        below, coverage = children_of(system, group, scores, means)
        weights[group.id] = _weights(system, group, below, experts)
        means[group.id] = group_mean(group, below, coverage, weights[group.id].values)
    return ScoredYear(year, scores, parameters, weights, means)


def _given(system: ScoringSystem, group: Group) -> Floats:
    node = {g.id: g.weight for g in system.groups} | {leaf.id: leaf.weight for leaf in system.leaves}
    return normalised_weights([node[child] or 0.0 for child in group.children])


def _weights(system: ScoringSystem, group: Group, scores: Floats, experts: Mapping[str, pl.DataFrame]) -> Weights:
    step, children = group.weights, group.children
    match step.method:
        case "given":
            return Weights(_given(system, group))
        case "equal":
            return Weights(normalised_weights([1.0] * len(children)))
        case "budget":
            return budget_weights(experts[_file(group)], children, _file(group))
        case "ahp":
            matrices = pairwise_matrices(experts[_file(group)], children, _file(group))
            return hierarchy_weights(matrices, step.number("maximum_ratio", 0.1), _file(group))
        case "target_importance":
            aims = step.options.get("importance", {})
            return target_importance_weights(scores, [float(aims.get(c, 1.0)) for c in children], group.id)
        case "benefit_of_doubt":
            found = best_case(
                scores, _bounds(step, children, "lower", 0.0), _bounds(step, children, "upper", 1.0), group.id
            )
            return Weights(
                found.weights * FULL_MARKS, ("每个单位用对自己最有利的权重,满分 100 表示没有单位在该权重下超过它。",)
            )
        case "combined":
            other = _data_driven(str(step.options.get("with", "entropy")), scores, step, group.id)
            mixed = combined_weights(_given(system, group), other.values, step.number("share", 0.7))
            return Weights(mixed, other.notes)
        case _:
            return _data_driven(step.method, scores, step, group.id)


def _data_driven(method: str, scores: Floats, step: Step, group: str) -> Weights:
    if method == "entropy":
        return entropy_weights(scores, step, group)
    if method == "pca":
        return principal_component_weights(scores, group)
    if method == "factor":
        return factor_weights(scores, step, group)
    raise DefinitionError(f'{group} 的 combined 不认识 with = "{method}"', remedy=f"可用:{'、'.join(DATA_DRIVEN)}。")


def _file(group: Group) -> str:
    if "file" not in group.weights.options:
        raise DefinitionError(f"{group.id} 的 {group.weights.method} 权重须给出 file", remedy="写明专家文件的路径。")
    return str(group.weights.options["file"])


def _bounds(step: Step, children: Sequence[str], name: str, default: float) -> Floats:
    given = step.options.get(name, default)
    if isinstance(given, Mapping):
        return np.array([float(given.get(child, default)) for child in children])
    return np.full(len(children), float(given))


def nominal_weights(year: ScoredYear) -> dict[str, Floats]:
    """Group → weights of its children, as ``aggregated`` takes them."""
    return {group: weights.values for group, weights in year.weights.items()}


def effective_weights(system: ScoringSystem, year: ScoredYear) -> Floats:
    """Weight of every indicator in the whole, the product of the weights above it; means over units where they differ."""
    share = {system.root.id: 1.0}
    for group in reversed(system.groups):
        weights = year.weights[group.id].values
        own = np.nanmean(weights, axis=0) if weights.ndim > 1 else weights
        own = own / own.sum()
        share.update({child: share[group.id] * float(w) for child, w in zip(group.children, own, strict=True)})
    return np.array([share[leaf.id] for leaf in system.leaves])


def ranks(system: ScoringSystem, table: UnitTable, scores: Floats) -> tuple[list[int | None], list[int | None]]:
    """Rank among all units and rank within the class; the latter None in a class smaller than the stated minimum."""
    overall = competition_ranks(scores, system.tie_decimals)
    within: list[int | None] = [None] * len(scores)
    for name in sorted(set(table.classes)):
        inside = [k for k, c in enumerate(table.classes) if c == name]
        if len(inside) >= system.minimum_class_size:
            for k, rank in zip(inside, competition_ranks(scores[inside], system.tie_decimals), strict=True):
                within[k] = rank
    return overall, within
