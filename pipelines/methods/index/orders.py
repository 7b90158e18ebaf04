"""Ranks and orders: standard competition ranks, Borda, outranking with Copeland scores, and Kemeny's order with all ties.

Sources: OECD/JRC Handbook (2008), step 6 (non-compensatory multi-criteria, after Munda and Nardo); J. Kemeny, Daedalus 88
(1959); M. Truchon, An Extension of the Condorcet Criterion and Kemeny Orders (1998) for splitting by components.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import scipy
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from pipelines.methods.index.bounded import Floats

TOLERANCE: Final = 1e-9
LARGEST_EXACT: Final = 15
MOST_LISTED: Final = 200


def competition_ranks(scores: Floats, decimals: int = 6) -> list[int | None]:
    """Ranks 1, 2, 2, 4: equal scores (after rounding to ``decimals``) share a rank; None for a missing score."""
    rounded = np.round(scores, decimals)
    places = iter(scipy.stats.rankdata(-rounded[~np.isnan(rounded)], method="min").astype(int).tolist())
    return [None if np.isnan(s) else next(places) for s in rounded]


def tied_with(scores: Floats, decimals: int = 6) -> list[int]:
    """How many units share each unit's score, itself included; 0 for a missing score."""
    rounded = np.round(scores, decimals)
    _, place, count = np.unique(rounded[~np.isnan(rounded)], return_inverse=True, return_counts=True)
    sizes = iter(count[place].tolist())
    return [0 if np.isnan(s) else next(sizes) for s in rounded]


def outranking(scores: Floats, weights: Floats) -> Floats:
    """Weight of the indicators in which the row unit is ahead of the column unit, half of it where they are equal.

    An indicator missing for either unit is left out and the rest scaled to one. The diagonal is 0; opposite cells sum to 1.
    """
    n = scores.shape[0]
    ahead, total = np.zeros((n, n)), np.zeros((n, n))
    for k, weight in enumerate(weights):
        column = scores[:, k]
        both = ~np.isnan(column)[:, np.newaxis] & ~np.isnan(column)[np.newaxis, :]
        gap = np.subtract.outer(column, column)
        ahead += weight * np.where(both, (gap > TOLERANCE) + 0.5 * (np.abs(gap) <= TOLERANCE), 0.0)
        total += weight * both
    share = np.divide(ahead, total, out=np.full((n, n), 0.5), where=total > 0)
    np.fill_diagonal(share, 0.0)
    return np.asarray(share, dtype=np.float64)


def copeland_scores(matrix: Floats) -> Floats:
    """Pairwise majorities won minus lost."""
    wins = (matrix > 0.5 + TOLERANCE).astype(np.float64)
    losses = (matrix < 0.5 - TOLERANCE).astype(np.float64)
    np.fill_diagonal(losses, 0.0)
    return np.asarray(wins.sum(axis=1) - losses.sum(axis=1), dtype=np.float64)


def borda_scores(scores: Floats, weights: Floats) -> Floats:
    """Weighted number of units beaten in each indicator, a tie counting one half; missing indicators score nothing."""
    n = scores.shape[0]
    total = np.zeros(n)
    for k, weight in enumerate(weights):
        gap = np.subtract.outer(scores[:, k], scores[:, k])
        beaten = (gap > TOLERANCE) + 0.5 * (np.abs(gap) <= TOLERANCE)
        np.fill_diagonal(beaten, 0.0)
        total += weight * beaten.sum(axis=1)
    return np.asarray(total / weights.sum(), dtype=np.float64)


@dataclass(frozen=True)
class KemenyOrder:
    """The order(s) that agree most with all pairwise comparisons; each is a tuple of positions, best first.

    ``count`` is the number of tied optima, of which ``orders`` lists at most 200 in lexicographic order. ``is_exact`` is
    false where a cycle of units was too large and local search was used: then ``orders`` is one good order, no more.
    """

    orders: tuple[tuple[int, ...], ...]
    agreement: float
    count: int
    is_exact: bool


def kemeny_order(matrix: Floats, largest_exact: int = LARGEST_EXACT) -> KemenyOrder:
    """Kemeny's order of an outranking (or vote) matrix: maximises Σ matrix[a, b] over all pairs a before b.

    Units are first split into components of the majority relation (ties join): every optimal order keeps the components
    in their order, so each is solved alone, exactly by dynamic programming over subsets up to ``largest_exact`` units.
    """
    parts = _components(matrix)
    solved = [_solved(matrix, part, largest_exact) for part in parts]
    count = 1
    for _, number, _ in solved:
        count *= number
    orders = tuple(sorted(_joined([orders for orders, _, _ in solved])))
    exact = all(is_exact for _, _, is_exact in solved)
    return KemenyOrder(orders, _agreement(matrix, orders[0]), count if exact else 1, exact)


def _agreement(matrix: Floats, order: Sequence[int]) -> float:
    arranged = matrix[np.ix_(order, order)]
    return float(np.triu(arranged, 1).sum())


def _components(matrix: Floats) -> list[list[int]]:
    """Strong components of "at least as good by majority", best component first."""
    at_least = matrix >= matrix.T - TOLERANCE
    number, label = connected_components(csr_matrix(at_least.astype(np.int8)), directed=True, connection="strong")
    parts = [np.flatnonzero(label == k).tolist() for k in range(number)]
    return sorted(parts, key=lambda part: -int(at_least[part[0]].sum()))


def _solved(matrix: Floats, part: list[int], largest: int) -> tuple[list[tuple[int, ...]], int, bool]:
    if len(part) == 1:
        return [(part[0],)], 1, True
    own = matrix[np.ix_(part, part)]
    if len(part) <= largest:
        orders, count = _by_subsets(own)
        return [tuple(part[k] for k in order) for order in orders], count, True
    order = _local_search(own)
    return [tuple(part[k] for k in order)], 1, False


def _by_subsets(matrix: Floats) -> tuple[list[list[int]], int]:
    """All optimal orders of a small matrix: best[S] is the most agreement among the units of S placed last."""
    n = len(matrix)
    masks = np.arange(1 << n)
    # gain[a, S]: agreement of putting a before all of S, built from S without its lowest unit
    gain = np.zeros((n, 1 << n))
    for bit in range(n):
        block = slice(1 << bit, 1 << (bit + 1))
        gain[:, block] = gain[:, : 1 << bit] + matrix[:, bit][:, np.newaxis]
    best = np.full(1 << n, -np.inf)
    best[0] = 0.0
    sizes = np.array([int(m).bit_count() for m in masks])
    for size in range(1, n + 1):
        sets = masks[sizes == size]
        values = np.full((n, sets.size), -np.inf)
        for a in range(n):
            inside = (sets >> a & 1).astype(bool)
            rest = sets[inside] ^ (1 << a)
            values[a, inside] = best[rest] + gain[a, rest]
        best[sets] = values.max(axis=0)
    counts: dict[int, int] = {0: 1}

    def firsts(subset: int) -> list[int]:
        rests = [(a, subset ^ (1 << a)) for a in range(n) if subset >> a & 1]
        return [a for a, rest in rests if best[rest] + gain[a, rest] >= best[subset] - TOLERANCE]

    def number(subset: int) -> int:
        if subset not in counts:
            counts[subset] = sum(number(subset ^ (1 << a)) for a in firsts(subset))
        return counts[subset]

    def walk(subset: int) -> Iterator[list[int]]:
        if not subset:
            yield []
        for a in firsts(subset):
            for rest in walk(subset ^ (1 << a)):
                yield [a, *rest]

    whole = (1 << n) - 1
    listed = [order for order, _ in zip(walk(whole), range(MOST_LISTED), strict=False)]
    return listed, number(whole)


def _local_search(matrix: Floats) -> list[int]:
    """Copeland order improved by moving single units to their best place until nothing improves."""
    order = sorted(range(len(matrix)), key=lambda a: (-float(copeland_scores(matrix)[a]), a))
    improved = True
    while improved:
        improved = False
        for unit in list(order):
            rest = [u for u in order if u != unit]
            before = np.concatenate([[0.0], np.cumsum(matrix[rest, unit])])
            after = np.concatenate([np.cumsum(matrix[unit, rest][::-1])[::-1], [0.0]])
            values = before + after
            place = int(values.argmax())
            if values[place] > values[order.index(unit)] + TOLERANCE:
                order = [*rest[:place], unit, *rest[place:]]
                improved = True
    return order


def _joined(parts: list[list[tuple[int, ...]]]) -> list[tuple[int, ...]]:
    joined: list[tuple[int, ...]] = [()]
    for options in parts:
        joined = [(*before, *after) for before in joined for after in options][:MOST_LISTED]
    return joined
