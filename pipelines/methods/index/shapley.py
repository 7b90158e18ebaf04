"""Exact additive decomposition of a difference: Shapley values over steps, Owen values over the hierarchy.

Sources: L. Shapley, A Value for n-Person Games (1953); G. Owen, Values of Games with a Priori Unions (1977); A. Shorrocks,
Decomposition procedures for distributional analysis, J. Economic Inequality 11 (2013).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import factorial
from typing import Final

import numpy as np

from pipelines.methods.index.aggregate import power_mean
from pipelines.methods.index.bounded import Floats
from pipelines.methods.index.definition import Group, ScoringSystem

MOST_PLAYERS: Final = 16


def shapley_weights(players: int) -> Floats:
    """Weight of a coalition of size s in a player's value: s! (n-1-s)! / n!."""
    n = players
    return np.array([factorial(s) * factorial(n - 1 - s) / factorial(n) for s in range(n)])


def shapley_values(worth: Floats, players: int) -> Floats:
    """Values from the worth of all 2^n coalitions along the last axis; bit k of the position says whether k is in.

    They sum to worth(all) - worth(none).
    """
    masks = np.arange(1 << players)
    sizes = np.array([int(m).bit_count() for m in masks])
    weights = shapley_weights(players)
    values = []
    for player in range(players):
        without = masks[(masks >> player & 1) == 0]
        gain = worth[..., without | 1 << player] - worth[..., without]
        values.append((gain * weights[sizes[without]]).sum(axis=-1))
    return np.stack(values, axis=-1)


def shapley_of(worth: Callable[[frozenset[str]], float], players: Sequence[str]) -> dict[str, float]:
    """Values of named players of a game given as a function of the coalition."""
    masks = range(1 << len(players))
    table = np.array([worth(frozenset(p for k, p in enumerate(players) if m >> k & 1)) for m in masks])
    return dict(zip(players, shapley_values(table, len(players)).tolist(), strict=True))


def owen_values(system: ScoringSystem, before: Floats, after: Floats, weights: Mapping[str, Floats]) -> Floats | None:
    """What each indicator's score adds to the difference of the index between two complete sets of scores.

    The hierarchy is the a priori union structure: a group moves as one while another is being looked into. For weighted
    sums this is w (after - before). ``weights``: group → (children), already of the indicators that count. None where a
    group that is not a plain sum has more than sixteen children.
    """
    means_before, means_after = _means(system, before, weights), _means(system, after, weights)
    if all(g.power == 1.0 for g in system.groups):
        return _linear(system, before, after, weights)
    values = np.zeros(len(system.leaves))
    parents = {child: group for group in system.groups for child in group.children}
    for group in system.groups:
        own = [c for c in group.children if c in system.position]
        if not own:
            continue
        if len(group.children) > MOST_PLAYERS:
            return None
        worth = _own_coalitions(system, group, means_before, means_after, weights)
        context = np.ones(1)
        node = group
        while node.id in parents:
            above = parents[node.id]
            if len(above.children) > MOST_PLAYERS:
                return None
            worth, context = _seen_from(system, above, node.id, worth, context, means_before, means_after, weights)
            node = above
        shares = context @ shapley_values(worth, len(group.children))
        for place, child in enumerate(group.children):
            if child in system.position:
                values[system.position[child]] = shares[place]
    return values


def _means(system: ScoringSystem, scores: Floats, weights: Mapping[str, Floats]) -> dict[str, float]:
    means = {leaf.id: float(scores[k]) for k, leaf in enumerate(system.leaves)}
    for group in system.groups:
        below = np.array([means[c] for c in group.children])
        means[group.id] = float(_mean(group, below, weights[group.id]))
    return means


def _mean(group: Group, scores: Floats, weights: Floats) -> Floats:
    if group.is_best_case or group.aggregation.options.get("missing") == "base":
        return np.asarray((np.nan_to_num(scores) * weights).sum(axis=-1), dtype=np.float64)
    return power_mean(
        scores,
        np.broadcast_to(weights, scores.shape),
        group.power,
        group.aggregation.number("floor"),
    )


def _linear(system: ScoringSystem, before: Floats, after: Floats, weights: Mapping[str, Floats]) -> Floats:
    share = {system.root.id: 1.0}
    for group in reversed(system.groups):
        own = weights[group.id]
        absolute = group.is_best_case or group.aggregation.options.get("missing") == "base"
        total = 1.0 if absolute or own.sum() == 0 else own.sum()
        share.update({c: share[group.id] * float(w) / total for c, w in zip(group.children, own, strict=True)})
    gap = np.where(np.isnan(after) | np.isnan(before), 0.0, after - before)
    return np.array([share[leaf.id] for leaf in system.leaves]) * gap


def _members(width: int) -> Floats:
    masks = np.arange(1 << width)[:, np.newaxis]
    return np.asarray(masks >> np.arange(width) & 1, dtype=np.float64)


def _own_coalitions(
    system: ScoringSystem,
    group: Group,
    before: Mapping[str, float],
    after: Mapping[str, float],
    weights: Mapping[str, Floats],
) -> Floats:
    """Score of the group for every coalition of its children, (1, 2^m)."""
    low, high = (np.array([m[c] for c in group.children]) for m in (before, after))
    inside = _members(len(low))
    mixed = np.where(inside > 0, high, low)
    return _mean(group, mixed, weights[group.id])[np.newaxis, :]


def _seen_from(
    system: ScoringSystem,
    above: Group,
    child: str,
    worth: Floats,
    context: Floats,
    before: Mapping[str, float],
    after: Mapping[str, float],
    weights: Mapping[str, Floats],
) -> tuple[Floats, Floats]:
    """The coalitions' worth one level up, for every coalition of the child's siblings; contexts multiply."""
    place = above.children.index(child)
    others = [k for k in range(len(above.children)) if k != place]
    low, high = (np.array([m[c] for c in above.children]) for m in (before, after))
    inside = _members(len(others))
    siblings = np.where(inside > 0, high[others], low[others])
    scores = np.empty((len(inside), *worth.shape, len(above.children)))
    scores[..., place] = worth
    scores[..., others] = siblings[:, np.newaxis, np.newaxis, :]
    lifted = _mean(above, scores, weights[above.id])
    odds = shapley_weights(len(above.children))[inside.sum(axis=1).astype(np.int64)]
    return lifted.reshape(-1, worth.shape[-1]), np.multiply.outer(odds, context).ravel()
