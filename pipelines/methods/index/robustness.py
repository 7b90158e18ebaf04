"""How far ranks depend on choices and on uncertain figures: draws over weights, methods, imputation and input error.

Sources: OECD/JRC Handbook (2008), step 7; M. Saisana, A. Saltelli, S. Tarantola, J. Royal Statistical Society A 168 (2005).
All random numbers come from one seeded generator; the same definition, data, draws and seed give the same results.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np

from pipelines.methods.index.aggregate import Weigh, aggregated
from pipelines.methods.index.bounded import Flags, Floats, Integers
from pipelines.methods.index.definition import Leaf, ScoringSystem
from pipelines.methods.index.drawn_weights import WEIGHTING, weights_in_draws
from pipelines.methods.index.normalise import UNIT_BY_UNIT, normalised, of_rows
from pipelines.methods.index.score import Prepared, ScoredYear, nominal_weights
from pipelines.methods.index.steps import IMPUTATIONS, NOMINAL, NORMALISATIONS, OVER_TIME, POWERS, Step
from schemas.errors import DefinitionError

FACTORS: Final = ("weights", "weighting", "normalisation", "aggregation", "imputation", "errors")
FACTOR_NAMES: Final = {
    "weights": "权重",
    "weighting": "赋权方法",
    "normalisation": "无量纲化",
    "aggregation": "合成方法",
    "imputation": "插补方法",
    "errors": "输入误差",
}
CHOICES: Final = ("normalisation", "aggregation", "imputation", "weighting")
CELLS_A_CHUNK: Final = 2_000_000
BLOCK: Final = 128  # draws of noise made at once
IMPUTED: Final = "imputed"


@dataclass(frozen=True)
class RobustnessPlan:
    """What is varied, ``[uncertainty]`` of the definition; what is not named keeps its nominal value.

    ``weights``: ``share`` varies each weight within ±``weight_share``, ``dirichlet`` draws the weights of a group with
    the nominal mean and ``concentration``, ``none`` leaves them. ``normalisation``, ``aggregation``, ``imputation``,
    ``weighting`` list the methods drawn with equal odds, ``nominal`` standing for the definition's own; weights that
    come from the scores come from those of the draw. ``errors``: relative standard error
    of a figure by status; ``imputed`` for cells filled here. Errors are log-normal with mean 1 (additive normal where a
    figure is not positive).
    """

    weights: str = "share"
    weight_share: float = 0.25
    concentration: float = 100.0
    normalisation: tuple[str, ...] = (NOMINAL,)
    aggregation: tuple[str, ...] = (NOMINAL,)
    imputation: tuple[str, ...] = (NOMINAL,)
    weighting: tuple[str, ...] = (NOMINAL,)
    errors: Mapping[str, float] = field(default_factory=lambda: {IMPUTED: 0.10, "E": 0.10, "P": 0.05})
    level: float = 0.9
    bootstrap: int = 500
    export_draws: bool = True

    @classmethod
    def of(cls, system: ScoringSystem) -> RobustnessPlan:
        """The plan of a definition. Raises DefinitionError for an unknown or senseless entry."""
        given: dict[str, Any] = dict(system.uncertainty)
        if unknown := given.keys() - cls.__dataclass_fields__.keys():
            raise DefinitionError(
                f"[uncertainty] 没有 {'、'.join(sorted(unknown))}",
                where=system.places.get("uncertainty", ""),
                remedy="见 docs/formats/index-system.md。",
            )
        for name, known in (
            ("normalisation", NORMALISATIONS.keys() - OVER_TIME - {"goalposts", "efficacy", "distance_to_target"}),
            ("aggregation", POWERS.keys()),
            ("imputation", IMPUTATIONS.keys()),
            ("weighting", WEIGHTING),
        ):
            if name in given:
                given[name] = tuple(given[name])
                if wrong := set(given[name]) - set(known) - {NOMINAL}:
                    raise DefinitionError(
                        f"[uncertainty] {name} 不能抽取 {'、'.join(sorted(wrong))}",
                        where=system.places.get("uncertainty", ""),
                        remedy=f"可用:{'、'.join([NOMINAL, *sorted(set(known) - {NOMINAL})])}。",
                    )
        plan = cls(**given)
        if (
            plan.weights not in ("share", "dirichlet", "none")
            or not 0 <= plan.weight_share < 1
            or not 0 < plan.level < 1
        ):
            raise DefinitionError(
                "[uncertainty] 的 weights、weight_share(0 到 1,不含 1)或 level(0 到 1 之间)超出范围",
                where=system.places.get("uncertainty", ""),
                remedy="见 docs/formats/index-system.md。",
            )
        return plan


@dataclass(frozen=True)
class Inputs:
    """The random numbers of a set of draws, one block a factor; draws along the first axis.

    ``weights``: group → what each child's weight is multiplied by (draws × children), 1 in the mean.
    ``errors`` gives the standard normal numbers of some draws (draws × uncertain cells): they are made when needed,
    since ten thousand draws of ten thousand cells do not fit in memory.
    """

    weights: Mapping[str, Floats]
    normalisation: Floats
    aggregation: Floats
    imputation: Floats
    weighting: Floats
    errors: Callable[[Integers], Floats]

    def with_block(self, factor: str, other: Inputs) -> Inputs:
        """These inputs with one factor's numbers taken from ``other``."""
        return replace(self, **{factor: getattr(other, factor)})


@dataclass(frozen=True)
class Laboratory:
    """Everything needed to score many draws: values per imputation method, and where the uncertain cells are."""

    system: ScoringSystem
    year: ScoredYear
    plan: RobustnessPlan
    prepared: tuple[Prepared, ...]  # one an imputation method of the plan
    spread: tuple[Floats, ...]  # relative error of every cell, one an imputation method
    cells: Integers  # rows, columns of cells that are uncertain under any imputation

    @property
    def active(self) -> tuple[str, ...]:
        """The factors that really vary."""
        varied = {
            "weights": self._weights_vary,
            "weighting": len(set(self.plan.weighting)) > 1 and bool(_varied_groups(self.system)),
            "normalisation": len(set(self.plan.normalisation)) > 1,
            "aggregation": len(set(self.plan.aggregation)) > 1,
            "imputation": len(set(self.plan.imputation)) > 1,
            "errors": len(self.cells) > 0,
        }
        return tuple(f for f in FACTORS if varied[f])

    @property
    def _weights_vary(self) -> bool:
        still = self.plan.weights == "none" or (self.plan.weights == "share" and self.plan.weight_share == 0.0)
        return not still and bool(_varied_groups(self.system))


def laboratory(
    system: ScoringSystem, year: ScoredYear, alternatives: Mapping[str, Prepared], plan: RobustnessPlan
) -> Laboratory:
    """Set up draws for one scored year. ``alternatives``: imputation method → the year prepared with it."""
    prepared = tuple(year.prepared if name == NOMINAL else alternatives[name] for name in plan.imputation)
    spread = tuple(_spread(p, plan) for p in prepared)
    cells = np.argwhere(np.max(spread, axis=0) > 0)
    return Laboratory(system, year, plan, prepared, spread, cells)


def _spread(prepared: Prepared, plan: RobustnessPlan) -> Floats:
    spread = np.array([[plan.errors.get(s, 0.0) for s in row] for row in prepared.table.statuses], dtype=np.float64)
    return np.where(
        prepared.imputed.filled, plan.errors.get(IMPUTED, 0.0), np.where(np.isnan(prepared.reported), 0.0, spread)
    )


def _varied_groups(system: ScoringSystem) -> list[str]:
    return [g.id for g in system.groups if len(g.children) > 1 and not g.is_best_case]


def random_inputs(lab: Laboratory, draws: int, random: np.random.Generator) -> Inputs:
    """A set of draws. Blocks are drawn in fixed order, so a plan with one factor fewer keeps the other numbers."""
    plan, nominal = lab.plan, nominal_weights(lab.year)
    weights: dict[str, Floats] = {}
    for group in _varied_groups(lab.system):
        own = nominal[group]
        if plan.weights == "dirichlet":
            shape = plan.concentration * own / own.sum()
            drawn = random.standard_gamma(shape, size=(draws, own.size))
            weights[group] = np.divide(drawn, shape, out=np.ones_like(drawn), where=shape > 0)
        elif plan.weights == "share":
            weights[group] = random.uniform(1 - plan.weight_share, 1 + plan.weight_share, size=(draws, own.size))
    first, second, third = (random.random(draws) for _ in range(3))
    noise = _noise(int(random.integers(2**63)), len(lab.cells))
    fourth = random.random(draws) if "weighting" in lab.active else np.zeros(draws)
    return Inputs(weights, first, second, third, fourth, noise)


def _noise(seed: int, cells: int) -> Callable[[Integers], Floats]:
    """Normal numbers by draw, the same for a draw whenever and with whatever others it is asked for."""

    def rows(draws: Integers) -> Floats:
        numbers = np.empty((len(draws), cells))
        for block in np.unique(draws // BLOCK):
            mine = draws // BLOCK == block
            whole = np.random.default_rng([seed, int(block)]).standard_normal((BLOCK, cells))
            numbers[mine] = whole[draws[mine] % BLOCK]
        return numbers

    return rows


def scores_of(lab: Laboratory, inputs: Inputs) -> Floats:
    """Index of every unit for every draw (draws × units), in chunks of bounded memory."""
    draws, units = inputs.normalisation.size, len(lab.year.table.units)
    result = np.full((draws, units), np.nan)
    schemes = [_weights_by(lab, method) for method in lab.plan.weighting]
    wide = len(lab.cells) > 0 or any(callable(own) for scheme in schemes for own in scheme.values())
    cells = units * (len(lab.system.leaves) if wide else 4)
    for chunk in chunks(np.arange(draws), cells):
        noise = inputs.errors(chunk) if len(lab.cells) else None
        choice = {name: _choice(getattr(inputs, name)[chunk], getattr(lab.plan, name)) for name in CHOICES}
        for i, n in sorted(set(zip(choice["imputation"].tolist(), choice["normalisation"].tolist(), strict=True))):
            inside = (choice["imputation"] == i) & (choice["normalisation"] == n)
            scores = _leaf_scores(lab, i, lab.plan.normalisation[n], None if noise is None else noise[inside])
            pairs = zip(choice["aggregation"][inside].tolist(), choice["weighting"][inside].tolist(), strict=True)
            for k, w in sorted(set(pairs)):
                same = (choice["aggregation"][inside] == k) & (choice["weighting"][inside] == w)
                own = scores[same] if noise is not None else scores[np.newaxis]
                power = _power(lab.plan.aggregation[k])
                result[chunk[inside][same]] = _aggregate(lab, own, inputs, chunk[inside][same], power, schemes[w])
    return result


def choices_of(lab: Laboratory, inputs: Inputs) -> dict[str, list[str]]:
    """Which normalisation, aggregation, imputation and method of weighting every draw used."""
    return {
        name: [getattr(lab.plan, name)[k] for k in _choice(getattr(inputs, name), getattr(lab.plan, name)).tolist()]
        for name in CHOICES
    }


def _choice(numbers: Floats, options: Sequence[str]) -> Integers:
    """Which option a uniform number stands for."""
    return np.minimum((numbers * len(options)).astype(np.int64), len(options) - 1)


def chunks(rows: Integers, cells: int) -> Iterator[Integers]:
    """Some draws at a time, so many that their cells stay within bounded memory."""
    size = max(BLOCK, CELLS_A_CHUNK // max(1, cells) // BLOCK * BLOCK)
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def _alternative(leaf: Leaf, method: str) -> Leaf:
    keeps_its_own = method == NOMINAL or leaf.normalisation.method in OVER_TIME
    return leaf if keeps_its_own else replace(leaf, normalisation=Step(method))


def _leaf_scores(lab: Laboratory, imputation: int, method: str, noise: Floats | None) -> Floats:
    """Scores of the indicators (units × indicators), disturbed by ``noise`` (draws × units × indicators)."""
    prepared = lab.prepared[imputation]
    columns = [
        normalised(prepared.treated[:, k], _alternative(leaf, method), prepared.reference[k]).values
        for k, leaf in enumerate(lab.system.leaves)
    ]
    fixed = np.stack(columns, axis=-1)
    return fixed if noise is None else _with_errors(lab, prepared, lab.spread[imputation], fixed, method, noise)


def _with_errors(
    lab: Laboratory, prepared: Prepared, spread: Floats, fixed: Floats, method: str, noise: Floats
) -> Floats:
    """Scores (draws × units × indicators) with the uncertain figures disturbed and their indicators scored anew."""
    draws, (units, leaves) = len(noise), fixed.shape
    scores = np.empty((leaves, draws, units))  # indicators first: one indicator of all draws lies together in memory
    scores[:] = fixed.T[:, np.newaxis, :]
    for column in np.unique(lab.cells[:, 1]):
        at = np.flatnonzero(lab.cells[:, 1] == column)
        rows = lab.cells[at, 0]
        base, error = prepared.imputed.values[rows, column], spread[rows, column]
        sigma = np.sqrt(np.log1p(error**2))
        own = noise[:, at]
        moved = base * np.exp(sigma * own - sigma**2 / 2)
        if (base <= 0).any():
            moved = np.where(base > 0, moved, base + np.abs(base) * error * own)
        leaf, treatment = _alternative(lab.system.leaves[column], method), prepared.treatments[column]
        reference = prepared.reference[column]
        if leaf.normalisation.method in UNIT_BY_UNIT:
            scores[column][:, rows] = normalised(treatment.apply(moved), leaf, of_rows(reference, rows)).values
            continue
        figures = np.empty((draws, units))
        figures[:] = prepared.imputed.values[:, column]
        figures[:, rows] = moved
        scores[column] = normalised(treatment.apply(figures), leaf, reference).values
    return np.moveaxis(scores, 0, -1)


def _weights_by(lab: Laboratory, method: str) -> dict[str, Floats | Weigh]:
    nominal = nominal_weights(lab.year)
    return {g.id: weights_in_draws(lab.system, g, nominal[g.id], method) for g in lab.system.groups}


def _power(name: str) -> float | None:
    return None if name == NOMINAL else POWERS[name]


def _aggregate(
    lab: Laboratory,
    scores: Floats,
    inputs: Inputs,
    rows: Integers,
    power: float | None,
    scheme: Mapping[str, Floats | Weigh],
) -> Floats:
    weights = {group: _varied(own, inputs.weights.get(group), rows) for group, own in scheme.items()}
    found = aggregated(lab.system, scores, weights, power)[lab.system.root.id].scores
    return np.broadcast_to(found, (len(rows), found.shape[-1]))


def _varied(own: Floats | Weigh, factors: Floats | None, rows: Integers) -> Floats | Weigh:
    """The weights of some draws, each multiplied by its factor; also where they follow from the scores of the draw."""
    if factors is None:
        return own
    drawn = factors[rows][:, np.newaxis, :]
    if callable(own):
        weigh = own
        return lambda scores: weigh(scores) * drawn
    return own * drawn


def on_nominal_scale(lab: Laboratory, inputs: Inputs) -> Flags:
    """The draws whose scores stand on the definition's own scale: another normalisation gives scores of another meaning.

    Ranks compare units within a draw and need no common scale; intervals of scores do.
    """
    methods = np.array([name == NOMINAL for name in lab.plan.normalisation])
    if all(leaf.normalisation.method in OVER_TIME for leaf in lab.system.leaves):
        return np.ones(inputs.normalisation.size, dtype=np.bool_)
    return np.asarray(methods[_choice(inputs.normalisation, lab.plan.normalisation)], dtype=np.bool_)


def leave_one_out(system: ScoringSystem, year: ScoredYear) -> dict[str, Floats]:
    """Index of every unit without one node at a time: every indicator, and every group right below the index."""
    nominal = nominal_weights(year)
    dropped = [(leaf.parent, leaf.id) for leaf in system.leaves]
    dropped += [(system.root.id, child) for child in system.root.children if child in system.by_id]
    found = {}
    for group, child in dropped:
        if len(system.by_id[group].children) < 2 or system.by_id[group].is_best_case:
            continue
        place = system.by_id[group].children.index(child)
        own = nominal[group].copy()
        own[..., place] = 0.0
        found[child] = aggregated(system, year.scores, {**nominal, group: own})[system.root.id].scores
    return found
