"""Why two index values differ: coverage, revised data, each indicator's figure, changed weights, moved goalposts.

The parts sum exactly to the difference. They are Shapley values of five steps: coverage (which indicators count), revised data
(where last year's figures are known as published and as revised), figures, weights, scoring parameters. The steps of revised data
and of the figures are split among the indicators by Owen values in each of the contexts they were met in.

*Coverage changed, all else not*: the indicators that count are those of the later side, the weights of the others fall away as the
definition says, and an indicator that only one side has stands with the one figure that is known, in every context in which it
counts: it has no figure to move between, only its being counted.
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
COVERAGE: Final = "coverage"
WEIGHTS: Final = "weights"
PARAMETERS: Final = "parameters"
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
    """All that makes one unit's index in one year: figures, how they were scored, the weights, and which indicators count.

    ``counted``: the indicators that have a score and whose groups, up to the index, have one: a group below its minimum coverage
    takes its indicators out.
    """

    unit: str
    year: str
    unit_class: str
    figures: Floats
    scores: Floats
    treatments: tuple[Treatment, ...]
    parameters: tuple[Mapping[str, float], ...]
    weights: Mapping[str, Floats]
    index: float
    counted: Flags


@dataclass(frozen=True)
class Difference:
    """``after`` minus ``before`` in parts. ``indicators``: effect of each indicator's figure, NaN where not split.

    ``total`` is ``coverage + revised + figures + weights + parameters``; ``figures`` is the sum of ``indicators``, ``revised``
    that of ``revisions``, which is None where no revised figures were given. A step that is the same on both sides is exactly 0.
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
        counted=_counted(system, year, row),
    )


def _counted(system: ScoringSystem, year: ScoredYear, row: int) -> Flags:
    counts = {system.root.id: not np.isnan(year.means[system.root.id].scores[row])}
    for group in reversed(system.groups):
        for child in group.children:
            counts[child] = counts[group.id] and not np.isnan(year.node(system, child)[row])
    return np.array([counts[leaf.id] for leaf in system.leaves])


def difference(
    system: ScoringSystem, before: Standing, after: Standing, revised: Standing | None = None
) -> Difference | None:
    """The parts of ``after.index - before.index``; None where either has no index, or a mixture of the two has none.

    ``revised``: the standing of ``before`` on the data as they are known now, where ``before`` is the one published. Which
    indicators count is taken from the two that are compared: a figure that only the revised data have stands for both.
    """
    if np.isnan(before.index) or np.isnan(after.index):
        return None
    game = _game(system, before, before if revised is None else revised, after)
    players = (*game.players, FIGURES) if revised is None else (REVISED, *game.players, FIGURES)
    steps = shapley_of(game.index, players)
    if any(np.isnan(value) for value in steps.values()):
        return None
    indicators, note = game.split(FIGURES, players)
    revisions = None if revised is None else game.split(REVISED, players)[0]
    return Difference(
        before, after, indicators, steps[FIGURES], steps.get(WEIGHTS, 0.0), steps.get(PARAMETERS, 0.0), steps.get(COVERAGE, 0.0),
        note, steps.get(REVISED, 0.0), revisions,
    )  # fmt: skip


def without_thresholds(system: ScoringSystem) -> ScoringSystem:
    """The system with every minimum of coverage taken out: what is missing falls away and the rest takes its weight over."""

    def freed(step: Step) -> Step:
        options = {k: v for k, v in step.options.items() if k != "minimum_coverage"}
        return Step(step.method, options | ({"missing": "redistribute"} if options.get("missing") == "null" else {}))

    return replace(system, groups=tuple(replace(g, aggregation=freed(g.aggregation)) for g in system.groups))


@dataclass(frozen=True)
class _Game:
    """The steps as players. ``scores``: by the side of the figures (0 before, 1 revised, 2 after) and that of the parameters (0, 1)."""

    system: ScoringSystem
    scores: Mapping[tuple[int, int], Floats]
    weights: tuple[Mapping[str, Floats], Mapping[str, Floats]]
    counted: tuple[Flags, Flags]
    is_revised: bool

    @property
    def players(self) -> tuple[str, ...]:
        """The steps beside those of the figures in which the two sides differ; the others are null players, their value is 0."""
        differ = {
            COVERAGE: not np.array_equal(*self.counted),
            WEIGHTS: any(not np.array_equal(w, self.weights[1][g], equal_nan=True) for g, w in self.weights[0].items()),
            PARAMETERS: any(
                not np.array_equal(self.scores[f, 0], self.scores[f, 1], equal_nan=True) for f in (0, 1, 2)
            ),
        }
        return tuple(step for step, moves in differ.items() if moves)

    def context(self, changed: frozenset[str]) -> tuple[Floats, Mapping[str, Floats], Flags]:
        """Scores, weights and the indicators that count when only the steps in ``changed`` have moved.

        Figures that moved on a base that was not revised are a case nobody observed: its scores are those before plus the
        movement from the revised figures to the later ones, all with the same parameters.
        """
        by = int(PARAMETERS in changed)
        counted = self.counted[int(COVERAGE in changed)]
        old, base, new = (self.scores[f, by] for f in (0, 1, 2))
        if FIGURES in changed:
            scores = old + new - base if self.is_revised and REVISED not in changed else new
        else:
            scores = base if REVISED in changed else old
        return np.where(counted, scores, np.nan), self.weights[int(WEIGHTS in changed)], counted

    def index(self, changed: frozenset[str]) -> float:
        """The index when only the steps in ``changed`` have moved: the worth of the coalition."""
        scores, weights, _ = self.context(changed)
        wide = {g: w[np.newaxis, :] for g, w in weights.items()}
        return float(aggregated(self.system, scores[np.newaxis, :], wide)[self.system.root.id].scores[0])

    def split(self, step: str, players: Sequence[str]) -> tuple[Floats, str]:
        """The Shapley value of a step of figures split among the indicators, context by context; NaN where it cannot be."""
        others = [p for p in players if p != step]
        n = len(players)
        total = np.zeros(len(self.system.leaves))
        for mask in range(1 << len(others)):
            changed = frozenset(s for k, s in enumerate(others) if mask >> k & 1)
            odds = factorial(len(changed)) * factorial(n - 1 - len(changed)) / factorial(n)
            low, weights, counted = self.context(changed)
            high, _, _ = self.context(changed | {step})
            kept = _restricted(self.system, weights, counted)
            part = owen_values(self.system, low, high, kept)
            if part is None:
                return np.full(len(total), np.nan), "某组下级超过 16 个且不是算术合成,不再分解到指标。"
            total += odds * part
        return total, ""


def _game(system: ScoringSystem, before: Standing, revised: Standing, after: Standing) -> _Game:
    # thresholds decide which indicators count, and that is the step of coverage: within it they do not act a second time
    order = ((before, revised, after), (revised, before, after), (after, revised, before))
    return _Game(
        system=without_thresholds(system),
        scores={
            (f, by): _scores(system, order[f], parameters) for f in (0, 1, 2) for by, parameters in enumerate((before, after))
        },
        weights=(_known(system, before, after), _known(system, after, before)),
        counted=(before.counted, after.counted),
        is_revised=revised is not before,
    )  # fmt: skip


def _known(system: ScoringSystem, own: Standing, other: Standing) -> dict[str, Floats]:
    """The weights of one side. A unit's own best weights say nothing of what it lacks: there those of the other side stand."""
    known = dict(own.weights)
    alive, theirs = _alive(system, own.counted), _alive(system, other.counted)
    for group in system.groups:
        if group.is_best_case:
            unknown = [not alive[c] and theirs[c] for c in group.children]
            weights = np.where(unknown, other.weights[group.id], own.weights[group.id])
            known[group.id] = other.weights[group.id] if np.isnan(weights).any() else weights
    return known


def _alive(system: ScoringSystem, counted: Flags) -> dict[str, bool]:
    alive = {leaf.id: bool(counted[k]) for k, leaf in enumerate(system.leaves)}
    for group in system.groups:
        alive[group.id] = any(alive[c] for c in group.children)
    return alive


def _scores(system: ScoringSystem, order: Sequence[Standing], parameters: Standing) -> Floats:
    """The figures of ``order[0]`` scored with the parameters of a side; where it has none, those of the next that has one."""
    scores = np.full(len(system.leaves), np.nan)
    for k, leaf in enumerate(system.leaves):
        owner = next((side for side in order if not np.isnan(side.scores[k])), None)
        if owner is None:
            continue
        alike = owner is parameters or _scored_alike(owner, parameters)
        scores[k] = owner.scores[k] if alike else _rescored(leaf, k, owner, parameters)
    return scores


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
    score = float(normalised(value, replace(leaf, normalisation=step), Reference(classes=("",))).values[0])
    return float(figures.scores[k]) if np.isnan(score) else score


def _restricted(system: ScoringSystem, weights: Mapping[str, Floats], counted: Flags) -> dict[str, Floats]:
    """Weights with 0 for what does not count, so that the rest takes it over."""
    alive = {leaf.id: bool(counted[k]) for k, leaf in enumerate(system.leaves)}
    kept = {}
    for group in system.groups:
        kept[group.id] = np.array(
            [w if alive[c] else 0.0 for c, w in zip(group.children, weights[group.id], strict=True)]
        )
        there = any(alive[c] for c in group.children)
        # a mean over weights of 0 has no value and counts no more than a missing one; absolute weights of 0 earn nothing
        alive[group.id] = there and (group.is_best_case or float(kept[group.id].sum()) > 0)
    return kept
