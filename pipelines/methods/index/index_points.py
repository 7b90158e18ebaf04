"""What every indicator counts for in a unit's own index: its weight after redistribution, and the points it adds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipelines.methods.index.bounded import Floats
from pipelines.methods.index.definition import Group, ScoringSystem
from pipelines.methods.index.score import ScoredYear


@dataclass(frozen=True)
class IndexParts:
    """Units × indicators. ``weights``: what a score counts with in the unit's index; ``points``: what it adds to the index.

    Weights of missing scores have gone to the others, so they sum to one; with ``missing = "base"`` to less, with benefit of the
    doubt they are multipliers. A score that does not enter (it, or a group above it, is missing) has weight 0 and adds nothing.
    Both are NaN where the unit has no index; points also where there is no score, and below a mean that is no sum (geometric,
    harmonic, power), where what one score adds hangs on the others.
    """

    weights: Floats
    points: Floats


def index_parts(system: ScoringSystem, year: ScoredYear) -> IndexParts:
    """The weights and points of a scored year. Where all means above are sums, the points of a unit sum to its index."""
    index = year.means[system.root.id].scores
    share = {system.root.id: np.where(np.isnan(index), np.nan, 1.0)}
    is_sum = {system.root.id: True}
    for group in reversed(system.groups):
        own = _weights_used(system, group, year)
        share.update({child: share[group.id] * own[:, k] for k, child in enumerate(group.children)})
        adds = is_sum[group.id] and (group.is_best_case or group.power == 1.0)
        is_sum.update(dict.fromkeys(group.children, adds))
    weights = np.column_stack([share[leaf.id] for leaf in system.leaves])
    known = np.array([is_sum[leaf.id] for leaf in system.leaves])
    return IndexParts(weights, np.where(known, weights * year.scores + 0.0, np.nan))


def _weights_used(system: ScoringSystem, group: Group, year: ScoredYear) -> Floats:
    """Units × children: what a child's score is multiplied by in the mean of its group, 0 where nothing of it enters."""
    present = np.column_stack([~np.isnan(year.node(system, child)) for child in group.children])
    present &= ~np.isnan(year.means[group.id].scores)[:, np.newaxis]
    used = np.where(present, year.weights[group.id].values, 0.0)
    if group.is_best_case:  # absolute: they already carry the unit's score
        return used
    counts_missing = group.aggregation.effective["missing"] == "base"
    total = np.full(len(used), year.weights[group.id].values.sum()) if counts_missing else used.sum(axis=1)
    below = total[:, np.newaxis]
    return np.asarray(np.divide(used, below, out=np.zeros_like(used), where=below > 0), dtype=np.float64)
