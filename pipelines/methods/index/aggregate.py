"""Aggregation 合成: generalised means of weighted scores up the hierarchy, with missing scores handled by rule."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from pipelines.methods.index.bounded import Floats
from pipelines.methods.index.definition import Group, ScoringSystem
from pipelines.methods.index.steps import FLOOR

Weigh = Callable[[Floats], Floats]
"""Scores of a group's children (…, units, children) → its weights, shaped to broadcast over the units."""
FULL: Final = 1.0 - 1e-12


@dataclass(frozen=True)
class Mean:
    """Scores of one group (…, units) and the share of its weight that was there (0…1)."""

    scores: Floats
    coverage: Floats


def weighted_sum(weights: Floats, values: Floats) -> Floats:
    """Σ weights × values over the last axis, both broadcast; one matrix product where the weights are common to all units.

    Many draws of weights over one set of values, or over values that differ by draw, are the cases that must be fast.
    """
    if weights.ndim == 3 and weights.shape[1] == 1 and values.ndim == 3:
        if values.shape[0] == 1:
            return np.asarray(weights[:, 0, :] @ values[0].T, dtype=np.float64)
        return np.asarray(np.matmul(values, weights[:, 0, :, np.newaxis])[..., 0], dtype=np.float64)
    if weights.ndim == 1:
        return np.asarray(values @ weights, dtype=np.float64)
    return np.asarray((weights * values).sum(axis=-1), dtype=np.float64)


def power_mean(scores: Floats, weights: Floats, power: float, floor: float = FLOOR) -> Floats:
    """Generalised mean over the last axis, (Σ w s^p / Σ w)^(1/p), geometric at p = 0; weights of missing scores fall away.

    For p ≠ 1 scores not above ``floor`` are raised to it: a geometric mean knows no zero.
    """
    present = ~np.isnan(scores)
    total = weighted_sum(weights, present.astype(np.float64))
    summed = weighted_sum(weights, np.where(present, _transformed(np.where(present, scores, 1.0), power, floor), 0.0))
    mean = np.divide(summed, total, out=np.full_like(total, np.nan), where=total > 0)
    return np.asarray(np.where(total > 0, _inverse(np.where(total > 0, mean, 1.0), power), np.nan), dtype=np.float64)


def _transformed(scores: Floats, power: float, floor: float) -> Floats:
    if power == 1.0:
        return scores
    raised = np.maximum(scores, floor)
    return np.asarray(np.log(raised) if power == 0.0 else raised**power, dtype=np.float64)


def _inverse(mean: Floats, power: float) -> Floats:
    if power == 1.0:
        return mean
    with np.errstate(divide="ignore"):
        return np.asarray(np.exp(mean) if power == 0.0 else mean ** (1.0 / power), dtype=np.float64)


def group_mean(group: Group, scores: Floats, coverage: Floats, weights: Floats, power: float | None = None) -> Mean:
    """One group from its children: ``scores`` and ``coverage`` are (…, units, children), ``weights`` broadcast to them.

    Coverage is the share of the weight of the indicators below that has a score, level by level (where every unit has its
    own best weights, each child counts the same: the weight of a missing one is not known). Below the minimum the
    score is missing. ``missing`` says what an absent child does: its weight goes to the others (redistribute), the group
    is missing too (null), or the weight counts and earns nothing (base: the score is out of less than full marks).
    """
    options = group.aggregation.effective
    exponent = group.power if power is None else power
    present = ~np.isnan(scores)
    counted = np.ones(scores.shape[-1]) if group.is_best_case else weights  # no weight is known of what is missing
    total = weighted_sum(counted, np.ones_like(scores))
    there = weighted_sum(counted, np.where(present, coverage, 0.0))
    share = np.divide(there, total, out=np.zeros_like(total), where=total > 0)
    rule = options["missing"]
    if group.is_best_case:
        # its weights are absolute: they already carry the unit's score
        result = np.where(present.any(axis=-1), weighted_sum(weights, np.where(present, scores, 0.0)), np.nan)
    elif rule == "base":
        earned = weighted_sum(weights, np.where(present, scores, 0.0))
        result = np.divide(earned, total, out=np.full_like(total, np.nan), where=(total > 0) & present.any(axis=-1))
    else:
        result = power_mean(scores, weights, exponent, float(options["floor"]))
    least = FULL if rule == "null" else float(options["minimum_coverage"])
    return Mean(np.where(share >= least - 1e-12, result, np.nan), share)


def aggregated(
    system: ScoringSystem, leaf_scores: Floats, weights: Mapping[str, Floats | Weigh], power: float | None = None
) -> dict[str, Mean]:
    """Every group of the system from the scores of the indicators (…, units, indicators).

    ``weights``: group → (…, children), broadcast over units, or how they follow from the scores of its children; for draws
    shape them (draws, 1, children). ``power`` replaces the exponent of every group.
    """
    means: dict[str, Mean] = {}
    for group in system.groups:
        columns = _columns(system, group, leaf_scores, means)
        own = weights[group.id]
        if callable(own):
            own = own(children_of(system, group, leaf_scores, means)[0])
        if not any(np.isnan(column).any() for column in columns):
            means[group.id] = _complete_mean(group, columns, own, power)
            continue
        scores, coverage = children_of(system, group, leaf_scores, means)
        means[group.id] = group_mean(group, scores, coverage, own, power)
    return means


def _columns(system: ScoringSystem, group: Group, leaf_scores: Floats, means: Mapping[str, Mean]) -> list[Floats]:
    return [means[c].scores if c in means else leaf_scores[..., system.position[c]] for c in group.children]


def _complete_mean(group: Group, columns: list[Floats], weights: Floats, power: float | None) -> Mean:
    """``group_mean`` where no score is missing: child by child, without a table of all of them. Many draws pass here."""
    exponent = 1.0 if group.is_best_case else group.power if power is None else power
    floor = group.aggregation.number("floor")
    total = weights.sum(axis=-1)
    summed = np.zeros(1)
    for k, column in enumerate(columns):
        summed = summed + weights[..., k] * _transformed(column, exponent, floor)
    if group.is_best_case:
        scores = summed
    else:
        mean = np.divide(summed, total, out=np.full(np.broadcast(summed, total).shape, np.nan), where=total > 0)
        scores = np.asarray(np.where(total > 0, _inverse(np.where(total > 0, mean, 1.0), exponent), np.nan))
    return Mean(scores, np.ones(scores.shape))


def children_of(
    system: ScoringSystem, group: Group, leaf_scores: Floats, means: Mapping[str, Mean]
) -> tuple[Floats, Floats]:
    """Scores and coverage of a group's children, (…, units, children)."""
    columns, covers = [], []
    for child in group.children:
        if child in means:
            columns.append(means[child].scores)
            covers.append(means[child].coverage)
        else:
            column = leaf_scores[..., system.position[child]]
            columns.append(column)
            covers.append(np.where(np.isnan(column), 0.0, 1.0))
    shape = np.broadcast_shapes(*(c.shape for c in columns))
    return (
        np.stack([np.broadcast_to(c, shape) for c in columns], axis=-1),
        np.stack([np.broadcast_to(c, shape) for c in covers], axis=-1),
    )
