"""What draws say of ranks and scores: ranks of every draw, intervals, and the odds that one unit is ahead of another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy

from pipelines.methods.index.bounded import Flags, Floats
from pipelines.methods.index.robustness import chunks


def ranks_of(scores: Floats, classes: Sequence[str] | None = None, decimals: int = 6) -> Floats:
    """Competition ranks of every draw (draws × units), within classes where these are given; NaN where no score."""
    result = np.full(scores.shape, np.nan)
    for name in sorted(set(classes)) if classes is not None else [""]:
        inside = np.ones(scores.shape[1], bool) if classes is None else np.array([c == name for c in classes])
        part = np.round(scores[:, inside], decimals)
        place = scipy.stats.rankdata(np.where(np.isnan(part), np.inf, -part), method="min", axis=1)
        result[:, inside] = np.where(np.isnan(part), np.nan, place)
    return result


@dataclass(frozen=True)
class RankSpread:
    """What the draws say about each unit: quantiles and median of rank and score, share of draws in first place.

    ``ahead[a, b]``: share of draws in which unit a has the higher score, a tie counting one half.
    """

    rank_low: Floats
    rank_median: Floats
    rank_high: Floats
    score_low: Floats
    score_median: Floats
    score_high: Floats
    first: Floats
    ahead: Floats
    score_draws: int = 0  # how many draws the quantiles of the score rest on


def rank_spread(scores: Floats, ranks: Floats, level: float, on_scale: Flags | None = None) -> RankSpread:
    """Summaries of draws × units. Rank quantiles are ranks that occur (no interpolation).

    ``on_scale``: the draws that count for quantiles of the score; without any these are NaN.
    """
    counted = scores if on_scale is None else scores[on_scale]
    tails = [(1 - level) / 2, 0.5, (1 + level) / 2]
    with np.errstate(invalid="ignore"):
        low, median, high = (
            _quantile(ranks, q, kind) for q, kind in zip(tails, ("lower", "lower", "higher"), strict=True)
        )
        worst, middle, best = (_quantile(counted, q, "linear") for q in tails)
    first = np.nanmean(ranks == 1, axis=0)
    return RankSpread(low, median, high, worst, middle, best, first, _ahead(scores), len(counted))


def _quantile(values: Floats, q: float, kind: Any) -> Floats:
    if not len(values):
        return np.full(values.shape[1], np.nan)
    empty = np.isnan(values).all(axis=0)
    safe = np.where(empty, 0.0, values)
    return np.where(empty, np.nan, np.nanquantile(safe, q, axis=0, method=kind))


def _ahead(scores: Floats) -> Floats:
    draws, units = scores.shape
    total = np.zeros((units, units))
    for chunk in chunks(np.arange(draws), units * units):
        part = np.round(scores[chunk], 9).astype(np.float64)
        total += (part[:, :, np.newaxis] > part[:, np.newaxis, :]).sum(axis=0)
    share = total / draws
    return np.asarray(share + (1.0 - share - share.T) / 2.0, dtype=np.float64)
