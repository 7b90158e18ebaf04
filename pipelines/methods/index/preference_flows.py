"""Outranking of units by pairwise preferences: PROMETHEE II, with a preference function an indicator.

Sources: J.-P. Brans, P. Vincke, B. Mareschal, How to select and how to rank projects: the PROMETHEE method, European Journal of
Operational Research 24 (1986); J.-P. Brans, P. Vincke, Management Science 31 (1985). Differences are taken between scores, so
thresholds are in points of the score (in the indicator's own unit of measure where it is not normalised).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from pipelines.methods.index.bounded import Floats
from pipelines.methods.index.steps import Step
from schemas.errors import DefinitionError

TOLERANCE: Final = 1e-9  # scores that differ by less are equal


@dataclass(frozen=True)
class Flows:
    """``preference``: π(a, b), row over column, 0 on the diagonal; flows are means over the other units.

    ``leaving`` φ⁺ says how far a unit is ahead of the others, ``entering`` φ⁻ how far they are ahead of it, ``net`` is φ⁺ − φ⁻.
    """

    preference: Floats
    leaving: Floats
    entering: Floats
    net: Floats


Preference = Callable[[Floats, Step], Floats]


def _usual(gap: Floats, step: Step) -> Floats:
    return (gap > TOLERANCE).astype(np.float64)


def _u_shape(gap: Floats, step: Step) -> Floats:
    return (gap > step.number("indifference") + TOLERANCE).astype(np.float64)


def _v_shape(gap: Floats, step: Step) -> Floats:
    return np.asarray(np.clip(gap / step.number("preference"), 0.0, 1.0), dtype=np.float64)


def _level(gap: Floats, step: Step) -> Floats:
    beyond = (gap > step.number("indifference") + TOLERANCE) * 0.5 + (gap > step.number("preference") + TOLERANCE) * 0.5
    return np.asarray(beyond, dtype=np.float64)


def _linear(gap: Floats, step: Step) -> Floats:
    q, p = step.number("indifference"), step.number("preference")
    return np.asarray(np.clip((gap - q) / (p - q), 0.0, 1.0), dtype=np.float64)


def _gaussian(gap: Floats, step: Step) -> Floats:
    s = step.number("deviation")
    return np.asarray(np.where(gap > 0, 1.0 - np.exp(-(gap**2) / (2 * s**2)), 0.0), dtype=np.float64)


FUNCTIONS: Final[dict[str, Preference]] = {
    "usual": _usual,
    "u_shape": _u_shape,
    "v_shape": _v_shape,
    "level": _level,
    "linear": _linear,
    "gaussian": _gaussian,
}
THRESHOLDS: Final = {
    "usual": (),
    "u_shape": ("indifference",),
    "v_shape": ("preference",),
    "level": ("indifference", "preference"),
    "linear": ("indifference", "preference"),
    "gaussian": ("deviation",),
}


def check_preference(step: Step, name: str, place: str) -> None:
    """Raise DefinitionError for a preference function without its thresholds, or with thresholds the wrong way round."""
    needed = THRESHOLDS[step.method]
    given = {n: step.effective[n] for n in needed}
    lowest = {n: 0.0 if n == "indifference" else 1e-12 for n in needed}
    if wrong := [n for n, v in given.items() if v is None or float(v) < lowest[n]]:
        raise DefinitionError(
            f"{name} 的偏好函数 {step.method} 缺 {'、'.join(wrong)},或其值不合",
            where=place,
            remedy="indifference 不能为负,preference 与 deviation 应大于 0,单位为得分的分数。",
        )
    if {"indifference", "preference"} <= set(needed) and float(given["indifference"]) >= float(given["preference"]):
        raise DefinitionError(
            f"{name} 的 indifference 应小于 preference", where=place, remedy="无差异阈值小于偏好阈值。"
        )


def preference_flows(scores: Floats, weights: Floats, functions: Sequence[Step]) -> Flows:
    """PROMETHEE II of units × indicators, higher being better: π(a, b) = Σ w_k P_k(s_ak − s_bk) / Σ w_k.

    An indicator missing for either unit of a pair is left out of that pair and the rest scaled to one; a pair with nothing in
    common has no preference either way.
    """
    n = scores.shape[0]
    preferred, total = np.zeros((n, n)), np.zeros((n, n))
    for k, weight in enumerate(weights):
        gap = np.subtract.outer(scores[:, k], scores[:, k])
        both = ~np.isnan(gap)
        preferred += weight * np.where(
            both, FUNCTIONS[functions[k].method](np.where(both, gap, 0.0), functions[k]), 0.0
        )
        total += weight * both
    matrix = np.divide(preferred, total, out=np.zeros((n, n)), where=total > 0)
    np.fill_diagonal(matrix, 0.0)
    others = max(n - 1, 1)
    leaving, entering = matrix.sum(axis=1) / others, matrix.sum(axis=0) / others
    return Flows(matrix, leaving, entering, leaving - entering)
