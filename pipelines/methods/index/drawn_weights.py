"""Weights in a draw: of the definition, by another method, and estimated again where they come from the scores.

Source: OECD/JRC Handbook (2008), step 7 (weighting schemes as an uncertain choice); Saisana, Saltelli, Tarantola (2005).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from pipelines.methods.index.aggregate import Weigh
from pipelines.methods.index.bounded import Flags, Floats
from pipelines.methods.index.definition import Group, ScoringSystem
from pipelines.methods.index.score import DATA_DRIVEN, given_weights
from pipelines.methods.index.steps import NOMINAL, Step
from pipelines.methods.index.weights import combined_weights, component_shares, entropy_shares, factor_shares

WEIGHTING: Final = (NOMINAL, "equal", *DATA_DRIVEN)  # what a draw can weigh by
LEAST_UNITS: Final = 3  # for components and factors; entropy states its own
HELD: Final = ("target_importance", "benefit_of_doubt")  # too slow, or each unit's own: not estimated again


def weights_in_draws(system: ScoringSystem, group: Group, nominal: Floats, method: str) -> Floats | Weigh:
    """The weights of a group in draws that weigh by ``method``: fixed ones, or how they follow from the draw's scores.

    ``nominal``: the weights of the scored year, kept where each unit has its own, and in a draw whose scores give none
    (too few complete units, no difference).
    """
    if group.is_best_case or len(group.children) < 2:
        return nominal
    if method == "equal":
        return np.full(len(group.children), 1.0 / len(group.children))
    step = group.weights if method == NOMINAL else Step(method)
    if step.method in DATA_DRIVEN:
        return _estimated(step, nominal, lambda found: found)
    if step.method == "combined":
        given, share = given_weights(system, group), step.number("share")
        inner = Step(str(step.effective["with"]), {k: v for k, v in step.options.items() if k not in ("share", "with")})
        return _estimated(inner, nominal, lambda found: combined_weights(given, found, share))
    return nominal


def held_groups(system: ScoringSystem) -> list[str]:
    """Groups whose weights come from the scores and are not estimated again in a draw."""
    return [g.id for g in system.groups if g.weights.method in HELD and len(g.children) > 1]


def _estimated(step: Step, nominal: Floats, finished: Callable[[Floats], Floats]) -> Weigh:
    least = int(step.number("minimum_units")) if step.method == "entropy" else LEAST_UNITS

    def weigh(scores: Floats) -> Floats:
        tables = scores.reshape(-1, *scores.shape[-2:])
        weights = np.tile(nominal, (len(tables), 1))
        for mine, units in _by_complete_units(tables):
            if units.sum() >= least:
                found = finished(_shares(step, tables[mine][:, units]))
                weights[mine] = np.where(np.isnan(found), weights[mine], found)
        return weights.reshape(*scores.shape[:-2], 1, scores.shape[-1])

    return weigh


def _shares(step: Step, rows: Floats) -> Floats:
    match step.method:
        case "entropy":
            return entropy_shares(rows)
        case "pca":
            return component_shares(rows)
        case _:
            return factor_shares(rows, step)


def _by_complete_units(tables: Floats) -> list[tuple[Flags, Flags]]:
    """Which tables have the same complete units: (tables, units) as flags."""
    present = np.asarray(~np.isnan(tables).any(axis=-1), dtype=np.bool_)
    if (present == present[0]).all():
        return [(np.ones(len(tables), dtype=np.bool_), present[0])]
    patterns, which = np.unique(present, axis=0, return_inverse=True)
    return [(np.asarray(which.reshape(-1) == k), pattern) for k, pattern in enumerate(patterns)]
