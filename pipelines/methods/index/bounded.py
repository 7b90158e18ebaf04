"""Bounded growth 有界增速: the arithmetic of a chained index, on plain numpy arrays.

Source: National Bureau of Statistics of China, method of the China Innovation Index (CII): growth of neighbouring years
over the mean of both, weighted, then chained. ``V = (x_t - x_{t-1}) / ((x_t + x_{t-1}) / 2) * 100`` lies in [-200, 200];
``I_t = I_{t-1} * (200 + V) / (200 - V)``. See docs/methods/index.md.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.int64]

LIMIT = 200.0


def bounded_growth(now: npt.ArrayLike, before: npt.ArrayLike) -> Floats:
    """V in percent of the mean of both years, not yet capped or turned; NaN where either is missing or negative.

    Two zeros give 0: nothing changed. A negative value gives NaN and never a figure: with V = (x2-x1)/((x1+x2)/2) a fall
    from 2 to -1 reads as -600, a worsening from -2 to -4 as +67. ``is_refused`` says where, so that it can be reported.
    """
    x, base = np.asarray(now, dtype=np.float64), np.asarray(before, dtype=np.float64)
    total = x + base
    with np.errstate(divide="ignore", invalid="ignore"):
        growth = np.where(total == 0.0, 0.0, (x - base) / (total / 2.0) * 100.0)
    return np.asarray(np.where(is_refused(x) | is_refused(base) | np.isnan(total), np.nan, growth), dtype=np.float64)


def difference(now: npt.ArrayLike, before: npt.ArrayLike, scale: npt.ArrayLike) -> Floats:
    """V of an indicator that may be negative: the change in units of ``scale``, in percent."""
    change = np.asarray(now, dtype=np.float64) - np.asarray(before, dtype=np.float64)
    return np.asarray(change / np.asarray(scale, dtype=np.float64) * 100.0, dtype=np.float64)


def is_refused(values: npt.ArrayLike) -> Flags:
    """Where bounded growth may not be used at all: a negative value."""
    return np.asarray(np.asarray(values, dtype=np.float64) < 0.0, dtype=np.bool_)


def capped(growth: npt.ArrayLike, cap: npt.ArrayLike) -> Floats:
    """V held within ±cap, so that a start from zero (V = 200) cannot move the index by itself."""
    limit = np.asarray(cap, dtype=np.float64)
    return np.asarray(np.clip(np.asarray(growth, dtype=np.float64), -limit, limit), dtype=np.float64)


def link(growth: npt.ArrayLike) -> Floats:
    """The factor from one year's index to the next, (200 + V) / (200 - V)."""
    v = np.asarray(growth, dtype=np.float64)
    return np.asarray((LIMIT + v) / (LIMIT - v), dtype=np.float64)


def contributions(level_before: npt.ArrayLike, weighted_growth: npt.ArrayLike) -> Floats:
    """Points each indicator adds to the index; along the last axis they sum exactly to the change of the index.

    ``weighted_growth`` holds w_i * V_i with the weights of the year summing to 1, so V is their sum and
    I_t - I_{t-1} = I_{t-1} * 2V / (200 - V). Each indicator takes its part of V: I_{t-1} * 2 * w_i * V_i / (200 - V).
    """
    parts = np.asarray(weighted_growth, dtype=np.float64)
    v = parts.sum(axis=-1, keepdims=True)
    before = np.asarray(level_before, dtype=np.float64)[..., np.newaxis]
    return np.asarray(before * 2.0 * parts / (LIMIT - v), dtype=np.float64)
