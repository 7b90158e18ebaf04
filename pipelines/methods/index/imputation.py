"""Imputation 插补 of missing indicator values; every filled cell is named with the method that filled it.

Source: OECD/JRC Handbook (2008), step 3. A method that cannot find a value leaves the cell missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from pipelines.methods.index.bounded import Flags, Floats
from pipelines.methods.index.definition import Leaf
from pipelines.methods.index.steps import Step

RIDGE: Final = 1e-6


@dataclass(frozen=True)
class Imputed:
    """Values after imputation (units × indicators) and where they were filled."""

    values: Floats
    filled: Flags


def imputed(
    values: Floats,
    leaves: Sequence[Leaf],
    classes: Sequence[str],
    earlier: Sequence[Floats],
    method: Step | None = None,
) -> Imputed:
    """Each indicator by its own method (or all by ``method``). ``earlier``: the same units in earlier years, oldest first.

    Regression and EM look at the reported values of the other indicators, never at imputed ones.
    """
    result = values.copy()
    steps = [method or leaf.imputation for leaf in leaves]
    for k, step in enumerate(steps):
        gaps = np.isnan(values[:, k])
        if not gaps.any():
            continue
        if step.method in ("mean", "median"):
            result[:, k] = _group_centre(values[:, k], classes, step)
        elif step.method == "carry":
            result[:, k] = _carried(values[:, k], [e[:, k] for e in earlier], int(step.number("periods")))
        elif step.method == "regression":
            result[:, k] = _regressed(values, k, step)
    together = [k for k, step in enumerate(steps) if step.method == "em"]
    if together and np.isnan(values[:, together]).any():
        result[:, together] = _expectation_maximisation(values[:, together], steps[together[0]])
    return Imputed(result, np.isnan(values) & ~np.isnan(result))


def _group_centre(column: Floats, classes: Sequence[str], step: Step) -> Floats:
    centre = np.nanmedian if step.method == "median" else np.nanmean
    within = step.effective["within"] == "class"
    names = np.array(classes if within else [""] * len(column))
    filled = column.copy()
    for name in np.unique(names):
        inside = names == name
        known = column[inside & ~np.isnan(column)]
        if known.size:
            filled[inside & np.isnan(column)] = centre(known)
    return filled


def _carried(column: Floats, earlier: Sequence[Floats], periods: int) -> Floats:
    filled = column.copy()
    for before in reversed(list(earlier)[-periods:] if periods else []):
        filled = np.where(np.isnan(filled), before, filled)
    return filled


def _regressed(values: Floats, target: int, step: Step) -> Floats:
    """Least squares on the indicators most correlated with the target, among units that report them all.

    Predictors must be reported wherever they are needed; at most one for every ten complete units (at least one).
    """
    column = values[:, target]
    gaps = np.isnan(column)
    least = int(step.number("minimum_units"))
    candidates = [k for k in range(values.shape[1]) if k != target and not np.isnan(values[gaps, k]).any()]
    scored = []
    for k in candidates:
        both = ~gaps & ~np.isnan(values[:, k])
        if both.sum() >= least and np.std(values[both, k]) > 0 and np.std(column[both]) > 0:
            scored.append((-abs(float(np.corrcoef(column[both], values[both, k])[0, 1])), k))
    filled = column.copy()
    for size in range(int(step.number("predictors")), 0, -1):
        chosen = [k for _, k in sorted(scored)[:size]]
        complete = ~gaps & ~np.isnan(values[:, chosen]).any(axis=1)
        if chosen and len(chosen) == size and complete.sum() >= max(least, 10 * size):
            design = np.column_stack([np.ones(complete.sum()), values[complete][:, chosen]])
            beta, *_ = np.linalg.lstsq(design, column[complete], rcond=None)
            filled[gaps] = np.column_stack([np.ones(gaps.sum()), values[gaps][:, chosen]]) @ beta
            break
    return filled


def _expectation_maximisation(values: Floats, step: Step) -> Floats:
    """Conditional means of a multivariate normal fitted by EM (Dempster, Laird, Rubin 1977), on standardised columns.

    Needs more units than indicators; else nothing is filled. A small ridge keeps the covariance invertible.
    """
    n, p = values.shape
    known = ~np.isnan(values)
    if n <= p + 1 or bool(np.any(known.sum(axis=0) < 2)):
        return values
    mean0, scale = np.nanmean(values, axis=0), np.nanstd(values, axis=0)
    scale[scale == 0] = 1.0
    z = (values - mean0) / scale
    mean, cov = np.zeros(p), np.diag(np.nanvar(z, axis=0) + RIDGE)
    filled = np.where(known, z, 0.0)
    for _ in range(int(step.number("iterations"))):
        extra = np.zeros((p, p))
        for row in range(n):
            here, gone = known[row], ~known[row]
            if not gone.any():
                continue
            if not here.any():
                filled[row], extra = mean, extra + cov
                continue
            gain = np.linalg.solve(cov[np.ix_(here, here)], cov[np.ix_(here, gone)]).T
            filled[row, gone] = mean[gone] + gain @ (z[row, here] - mean[here])
            extra[np.ix_(gone, gone)] += cov[np.ix_(gone, gone)] - gain @ cov[np.ix_(here, gone)]
        new_mean = filled.mean(axis=0)
        centred = filled - new_mean
        new_cov = (centred.T @ centred + extra) / n + RIDGE * np.eye(p)
        moved = max(float(np.abs(new_mean - mean).max()), float(np.abs(new_cov - cov).max()))
        mean, cov = new_mean, new_cov
        if moved < step.number("tolerance"):
            break
    filled_back = np.where(known, values, filled * scale + mean0)
    has_any = np.asarray(known.any(axis=1))
    return np.asarray(np.where(has_any[:, np.newaxis], filled_back, values), dtype=np.float64)
