"""Variance-based sensitivity: which choice moves the result, first-order and total Sobol indices with bootstrap intervals.

Sources: I. Sobol (1993); M. Jansen, Computer Physics Communications 117 (1999); A. Saltelli et al., ibid. 181 (2010), whose
design of two samples A, B and the mixed samples AB_i is used with blocks of inputs in place of single ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipelines.methods.index.bounded import Floats


@dataclass(frozen=True)
class SobolIndices:
    """First-order and total indices of every factor (factors × outputs), and their bootstrap intervals."""

    factors: tuple[str, ...]
    first: Floats
    total: Floats
    first_low: Floats
    first_high: Floats
    total_low: Floats
    total_high: Floats


def sobol_indices(
    a: Floats, b: Floats, mixed: Mapping[str, Floats], level: float, resamples: int, random: np.random.Generator
) -> SobolIndices:
    """Jansen's estimators from model outputs (draws × outputs): f(A), f(B) and f(AB_i), A with block i taken from B.

    S_i = 1 - mean (f(B) - f(AB_i))² / 2V, T_i = mean (f(A) - f(AB_i))² / 2V, V the variance over A and B together.
    Intervals by resampling draws. NaN for an output that does not vary.
    """
    factors = tuple(mixed)
    from_b = np.stack([(b - mixed[f]) ** 2 for f in factors])
    from_a = np.stack([(a - mixed[f]) ** 2 for f in factors])

    def indices(counts: Floats) -> tuple[Floats, Floats]:
        """Indices with every draw counted so many times, (resamples, factors, outputs)."""
        n = counts.sum(axis=1)[:, np.newaxis]
        mean = (counts @ a + counts @ b) / (2 * n)
        variance = (counts @ (a**2) + counts @ (b**2)) / (2 * n) - mean**2
        variance = np.where(variance > 1e-12, variance, np.nan)[:, np.newaxis, :]
        within_b = np.stack([counts @ block for block in from_b], axis=1) / n[:, np.newaxis, :]
        within_a = np.stack([counts @ block for block in from_a], axis=1) / n[:, np.newaxis, :]
        return 1.0 - within_b / (2 * variance), within_a / (2 * variance)

    draws = len(a)
    first, total = indices(np.ones((1, draws)))
    counts = random.multinomial(draws, np.full(draws, 1 / draws), size=resamples).astype(np.float64)
    first_again, total_again = indices(counts)
    tails = [(1 - level) / 2, (1 + level) / 2]
    first_low, first_high = np.quantile(first_again, tails, axis=0)
    total_low, total_high = np.quantile(total_again, tails, axis=0)
    return SobolIndices(factors, first[0], total[0], first_low, first_high, total_low, total_high)


def sample_indices(
    model: Callable[[Floats], Floats],
    inputs: Sequence[str],
    draws: int,
    seed: int,
    resamples: int = 200,
    level: float = 0.9,
) -> SobolIndices:
    """Indices of a function of independent uniform inputs on [0, 1]: the check against functions with known indices."""
    random = np.random.default_rng(seed)
    a, b = random.random((draws, len(inputs))), random.random((draws, len(inputs)))
    mixed = {}
    for k, name in enumerate(inputs):
        swapped = a.copy()
        swapped[:, k] = b[:, k]
        mixed[name] = model(swapped).reshape(draws, -1)
    return sobol_indices(model(a).reshape(draws, -1), model(b).reshape(draws, -1), mixed, level, resamples, random)
