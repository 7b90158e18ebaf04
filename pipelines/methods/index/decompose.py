"""Why two index values differ: revised data, each indicator, changed weights, moved goalposts, and what is reported in only one of them.

The parts sum exactly to the difference. Coverage first: what the indicators reported on only one side do to that side's
value. Then, on the indicators all sides have, Shapley values of the steps (revised data where last year's figures are known
as published and as revised, figures, weights, scoring parameters), and the steps of revised data and of the figures split among
the indicators by Owen values in each of the contexts they were met in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import factorial
from typing import Final

import numpy as np

from pipelines.methods.index.aggregate import aggregated
from pipelines.methods.index.bounded import Flags, Floats
from pipelines.methods.index.definition import Leaf, ScoringSystem
from pipelines.methods.index.normalise import Reference, normalised
from pipelines.methods.index.outliers import Treatment
from pipelines.methods.index.score import ScoredYear
from pipelines.methods.index.shapley import owen_values, shapley_of
from pipelines.methods.index.steps import Step

FIGURES: Final = "figures"
REVISED: Final = "revised"
STEPS: Final = (FIGURES, "weights", "parameters")
# methods whose scores are points on a line, so that the parameters of one year can be applied to the figures of another
SEPARABLE: Final = {
    "minmax": "goalposts",
    "goalposts": "goalposts",
    "efficacy": "efficacy",
    "zscore": "zscore",
    "none": "none",
    "distance_to_target": "distance_to_target",
}


@dataclass(frozen=True)
class Standing:
    """All that makes one unit's index in one year: figures, how they were scored, and the weights."""

    unit: str
    year: str
    unit_class: str
    figures: Floats
    scores: Floats
    treatments: tuple[Treatment, ...]
    parameters: tuple[Mapping[str, float], ...]
    weights: Mapping[str, Floats]
    index: float


@dataclass(frozen=True)
class Difference:
    """``after`` minus ``before`` in parts. ``indicators``: effect of each indicator's figure, NaN where not split.

    ``total`` is ``revised + figures + weights + parameters + coverage``; ``figures`` is the sum of ``indicators``, ``revised``
    that of ``revisions``, which is None where no revised figures were given.
    """

    before: Standing
    after: Standing
    indicators: Floats
    figures: float
    weights: float
    parameters: float
    coverage: float
    note: str = ""
    revised: float = 0.0
    revisions: Floats | None = None

    @property
    def total(self) -> float:
        """The difference of the two index values."""
        return self.after.index - self.before.index


def standing(system: ScoringSystem, year: ScoredYear, unit: str) -> Standing:
    """The standing of one unit in a scored year."""
    row = year.table.units.index(unit)
    return Standing(
        unit=unit,
        year=year.table.year,
        unit_class=year.table.classes[row],
        figures=year.prepared.imputed.values[row],
        scores=year.scores[row],
        treatments=year.prepared.treatments,
        parameters=tuple({name: float(values[row]) for name, values in p.items()} for p in year.parameters),
        weights={g: (w.values[row] if w.values.ndim > 1 else w.values) for g, w in year.weights.items()},
        index=float(year.means[system.root.id].scores[row]),
    )


def difference(
    system: ScoringSystem, before: Standing, after: Standing, revised: Standing | None = None
) -> Difference | None:
    """The parts of ``after.index - before.index``; None where either has no index or they share no indicator.

    ``revised``: the standing of ``before`` on the data as they are known now, where ``before`` is the one published.
    """
    if np.isnan(before.index) or np.isnan(after.index):
        return None
    sides = (before, after) if revised is None else (before, revised, after)
    common = np.all([~np.isnan(side.scores) for side in sides], axis=0)
    if not common.any():
        return None
    # thresholds judge what is published, not how far apart two published values are
    free = _without_thresholds(system)
    start, end = _index(free, before.scores, before.weights, common), _index(free, after.scores, after.weights, common)
    if np.isnan(start) or np.isnan(end):
        return None
    coverage = (after.index - end) - (before.index - start)
    game = _Game(free, before, before if revised is None else revised, after, common)
    players = STEPS if revised is None else (REVISED, *STEPS)
    steps = shapley_of(lambda changed: _index(free, *game.context(changed), common), players)
    indicators, note = game.split(FIGURES, players)
    revisions = None if revised is None else game.split(REVISED, players)[0]
    return Difference(
        before, after, indicators, steps[FIGURES], steps["weights"], steps["parameters"], coverage, note,
        steps.get(REVISED, 0.0), revisions,
    )  # fmt: skip


def _without_thresholds(system: ScoringSystem) -> ScoringSystem:
    def freed(step: Step) -> Step:
        options = {k: v for k, v in step.options.items() if k != "minimum_coverage"}
        return Step(step.method, options | ({"missing": "redistribute"} if options.get("missing") == "null" else {}))

    return replace(system, groups=tuple(replace(g, aggregation=freed(g.aggregation)) for g in system.groups))


def _index(system: ScoringSystem, scores: Floats, weights: Mapping[str, Floats], common: Flags) -> float:
    used = np.where(common, scores, np.nan)[np.newaxis, :]
    wide = {g: w[np.newaxis, :] for g, w in weights.items()}
    return float(aggregated(system, used, wide)[system.root.id].scores[0])


@dataclass(frozen=True)
class _Game:
    """The steps as players: ``before`` as published, ``revised`` the same on the data of now, ``after``."""

    system: ScoringSystem
    before: Standing
    revised: Standing
    after: Standing
    common: Flags

    def context(self, changed: frozenset[str]) -> tuple[Floats, Mapping[str, Floats]]:
        """Scores and weights when only the steps in ``changed`` have moved.

        Figures that moved on a base that was not revised are a case nobody observed: its scores are those before plus the
        movement from the revised figures to the later ones, all with the same parameters.
        """
        parameters = self.after if "parameters" in changed else self.before
        weights = self.after.weights if "weights" in changed else self.before.weights
        if FIGURES in changed and REVISED not in changed and self.revised is not self.before:
            old, base, new = (self._scores(s, parameters) for s in (self.before, self.revised, self.after))
            return old + new - base, weights
        figures = self.after if FIGURES in changed else self.revised if REVISED in changed else self.before
        return self._scores(figures, parameters), weights

    def _scores(self, figures: Standing, parameters: Standing) -> Floats:
        if figures is parameters or _scored_alike(figures, parameters):
            return figures.scores
        leaves = self.system.leaves
        return np.array([_rescored(leaf, k, figures, parameters) for k, leaf in enumerate(leaves)], dtype=np.float64)

    def split(self, step: str, players: Sequence[str]) -> tuple[Floats, str]:
        """The Shapley value of a step of figures split among the indicators, context by context; NaN where it cannot be."""
        others = [p for p in players if p != step]
        n = len(players)
        total = np.zeros(len(self.system.leaves))
        for mask in range(1 << len(others)):
            changed = frozenset(s for k, s in enumerate(others) if mask >> k & 1)
            odds = factorial(len(changed)) * factorial(n - 1 - len(changed)) / factorial(n)
            low, weights = self.context(changed)
            high, _ = self.context(changed | {step})
            kept = _restricted(self.system, weights, self.common)
            low, high = (np.where(self.common, scores, np.nan) for scores in (low, high))
            part = owen_values(self.system, low, high, kept)
            if part is None:
                return np.full(len(total), np.nan), "某组下级超过 16 个且不是算术合成,不再分解到指标。"
            total += odds * part
        return total, ""


def _scored_alike(before: Standing, after: Standing) -> bool:
    """Whether both sides were treated and scored with the same parameters: two units of one class in one year."""
    return before.treatments is after.treatments and before.parameters == after.parameters


def _rescored(leaf: Leaf, k: int, figures: Standing, parameters: Standing) -> float:
    """One side's figure scored with the other side's treatment and parameters.

    Ranks, percentiles and growth have no parameters apart from the figures: their scores move with the figures.
    """
    method = SEPARABLE.get(leaf.normalisation.method)
    if method is None or np.isnan(figures.figures[k]):
        return float(figures.scores[k])
    value = parameters.treatments[k].apply(np.array([figures.figures[k]]))
    given = parameters.parameters[k]
    if method == "zscore":
        centre, spread = leaf.normalisation.number("centre"), leaf.normalisation.number("spread")
        z = (float(value[0]) - given["mean"]) / given["deviation"] if given["deviation"] > 0 else 0.0
        score = centre + spread * leaf.direction * z
        low, high = leaf.normalisation.limit("floor", -np.inf), leaf.normalisation.limit("ceiling", np.inf)
        return float(np.clip(score, low, high))
    options = {k: v for k, v in leaf.normalisation.options.items() if k not in ("by_class", "within", "reference")}
    if leaf.normalisation.method == "minmax":
        options |= {"floor": -np.inf, "ceiling": np.inf}  # beyond the other year's extremes it runs on
    if "worst" in given:
        if given["worst"] == given["best"]:
            return float(figures.scores[k])
        options |= {"worst": given["worst"], "best": given["best"]}
    step = Step(method, options)
    return float(normalised(value, replace(leaf, normalisation=step), Reference(classes=("",))).values[0])


def _restricted(system: ScoringSystem, weights: Mapping[str, Floats], common: Flags) -> dict[str, Floats]:
    """Weights with 0 for what is not in the comparison, so that the rest takes it over."""
    alive = {leaf.id: bool(common[k]) for k, leaf in enumerate(system.leaves)}
    kept = {}
    for group in system.groups:
        kept[group.id] = np.array(
            [w if alive[c] else 0.0 for c, w in zip(group.children, weights[group.id], strict=True)]
        )
        alive[group.id] = any(alive[c] for c in group.children)
    return kept
