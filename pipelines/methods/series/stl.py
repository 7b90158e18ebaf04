"""STL: a series taken apart into seasonal, trend and remainder by loess.

Source: R. B. Cleveland, W. S. Cleveland, J. E. McRae and I. Terpenning, STL: A Seasonal-Trend Decomposition Procedure Based
on Loess, Journal of Official Statistics 6 (1990), 3–73; steps and end treatment as in the authors' Fortran programme, whose
figures for the Mauna Loa series the test reproduces. Documented in docs/methods/series.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class StlPlan:
    """Parameters by the names of the paper. ``n_s`` None: one fixed seasonal pattern (periodic). ``n_t``, ``n_l`` and the
    jumps None: the defaults of the paper (n_t the next odd number from 1.5 n_p / (1 − 1.5 / n_s), n_l from n_p, jumps a
    tenth of the window). ``inner`` and ``outer`` None: 2 and 0, robust 1 and 15."""

    n_p: int
    n_s: int | None = None
    n_t: int | None = None
    n_l: int | None = None
    seasonal_degree: int = 0
    trend_degree: int = 1
    low_pass_degree: int | None = None
    seasonal_jump: int | None = None
    trend_jump: int | None = None
    low_pass_jump: int | None = None
    robust: bool = False
    inner: int | None = None
    outer: int | None = None


@dataclass(frozen=True)
class Decomposition:
    """value = seasonal + trend + remainder, point by point; ``weights`` are the last robustness weights."""

    seasonal: Floats
    trend: Floats
    remainder: Floats
    weights: Floats


@dataclass(frozen=True)
class _Smoother:
    window: int
    degree: int
    jump: int


def next_odd(value: float) -> int:
    """The least odd whole number that is not below ``value``."""
    whole = math.ceil(value)
    return whole if whole % 2 else whole + 1


def stl(values: Floats, plan: StlPlan) -> Decomposition:
    """The decomposition of equally spaced ``values`` without gaps. At least two full cycles (the caller refuses less)."""
    y = np.asarray(values, dtype=np.float64)
    n = y.size
    seasonal, trend_by, low = _smoothers(n, plan)
    inner = plan.inner if plan.inner is not None else (1 if plan.robust else 2)
    outer = plan.outer if plan.outer is not None else (15 if plan.robust else 0)
    trend, season, weights = np.zeros(n), np.zeros(n), np.ones(n)
    for round_ in range(outer + 1):
        known = weights if round_ else None
        for _ in range(inner):
            cycles = _cycle_subseries(y - trend, plan.n_p, seasonal, known)
            passed = _moving_average(_moving_average(_moving_average(cycles, plan.n_p), plan.n_p), 3)
            season = cycles[plan.n_p : plan.n_p + n] - _loess(passed, low, None)
            trend = _loess(y - season, trend_by, known)
        if outer and round_ < outer:
            weights = robustness_weights(y - trend - season)
    if plan.n_s is None:
        for k in range(plan.n_p):
            season[k :: plan.n_p] = season[k :: plan.n_p].mean()
    return Decomposition(season, trend, y - season - trend, weights)


def _smoothers(n: int, plan: StlPlan) -> tuple[_Smoother, _Smoother, _Smoother]:
    n_s = plan.n_s if plan.n_s is not None else 10 * n + 1
    degree = plan.seasonal_degree if plan.n_s is not None else 0
    n_t = plan.n_t if plan.n_t is not None else next_odd(1.5 * plan.n_p / (1 - 1.5 / n_s))
    n_l = plan.n_l if plan.n_l is not None else next_odd(plan.n_p)
    low_degree = plan.low_pass_degree if plan.low_pass_degree is not None else plan.trend_degree

    def jump(given: int | None, window: int) -> int:
        return given if given is not None else math.ceil(window / 10)

    return (
        _Smoother(n_s, degree, jump(plan.seasonal_jump, n_s)),
        _Smoother(n_t, plan.trend_degree, jump(plan.trend_jump, n_t)),
        _Smoother(n_l, low_degree, jump(plan.low_pass_jump, n_l)),
    )


def robustness_weights(remainder: Floats) -> Floats:
    """Bisquare weights of the remainder, over six times its median absolute value."""
    size = np.abs(remainder)
    six = 6 * float(np.median(size))
    with np.errstate(divide="ignore", invalid="ignore"):
        weights = (1 - (size / six) ** 2) ** 2
    weights = np.where(size <= 0.001 * six, 1.0, weights)
    return np.where(size > 0.999 * six, 0.0, weights) if six > 0 else np.ones(size.size)


def _moving_average(values: Floats, length: int) -> Floats:
    return np.convolve(values, np.full(length, 1.0 / length), mode="valid")


def _cycle_subseries(values: Floats, n_p: int, smoother: _Smoother, weights: Floats | None) -> Floats:
    """Every January, every February … smoothed on its own and carried one cycle beyond both ends: n + 2 n_p values."""
    made = np.zeros(values.size + 2 * n_p)
    for k in range(n_p):
        own = values[k::n_p]
        by = weights[k::n_p] if weights is not None else None
        m = own.size
        smooth = np.empty(m + 2)
        smooth[1:-1] = _loess(own, smoother, by)
        reach = min(smoother.window, m)
        before = _fitted(own, smoother, 0.0, 1, reach, by)
        after = _fitted(own, smoother, m + 1.0, max(1, m - smoother.window + 1), m, by)
        smooth[0] = smooth[1] if before is None else before
        smooth[-1] = smooth[-2] if after is None else after
        made[k::n_p] = smooth
    return made


def _loess(values: Floats, smoother: _Smoother, weights: Floats | None) -> Floats:
    """Loess at every ``jump``-th point and the last, straight lines between them. Positions count from 1 as in the source."""
    n, length = values.size, smoother.window
    if n < 2:
        return values.copy()
    step = min(smoother.jump, n - 1)
    half = (length + 1) // 2
    made = np.empty(n)
    left, right = 1, min(length, n)

    def put(position: int) -> None:
        fit = _fitted(values, smoother, float(position), left, right, weights)
        made[position - 1] = values[position - 1] if fit is None else fit

    fitted = list(range(1, n + 1, step))
    for position in fitted:
        if length < n:
            if step == 1:
                if position > half and right != n:
                    left, right = left + 1, right + 1
            elif position < half:
                left, right = 1, length
            elif position >= n - half + 1:
                left, right = n - length + 1, n
            else:
                left, right = position - half + 1, length + position - half
        put(position)
    if fitted[-1] != n:
        put(n)
        fitted.append(n)
    at = np.arange(1, n + 1)
    return np.interp(at, fitted, made[np.asarray(fitted) - 1]) if step > 1 else made


def _fitted(
    values: Floats, smoother: _Smoother, at: float, left: int, right: int, weights: Floats | None
) -> float | None:
    """The local fit at ``at`` over positions ``left`` … ``right``; None where all weights are zero."""
    n = values.size
    reach = max(at - left, right - at)
    if smoother.window > n:
        reach += (smoother.window - n) // 2
    positions = np.arange(left, right + 1, dtype=np.float64)
    away = np.abs(positions - at)
    if reach > 0:
        tricube = np.where(away <= 0.001 * reach, 1.0, (1 - np.minimum(away / reach, 1.0) ** 3) ** 3)
    else:
        tricube = np.ones(positions.size)
    tricube = np.where(away <= 0.999 * reach, tricube, 0.0) if reach > 0 else tricube
    if weights is not None:
        tricube = tricube * weights[left - 1 : right]
    total = float(tricube.sum())
    if total <= 0:
        return None
    w = tricube / total
    if reach > 0 and smoother.degree > 0:
        centre = float((w * positions).sum())
        spread = float((w * (positions - centre) ** 2).sum())
        if math.sqrt(spread) > 0.001 * (n - 1):
            w = w * ((at - centre) / spread * (positions - centre) + 1)
    return float((w * values[left - 1 : right]).sum())
