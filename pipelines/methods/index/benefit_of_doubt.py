"""Benefit of the doubt: each unit with the weights that suit it best, within stated bounds.

Source: Cherchye, Moesen, Rogge, Van Puyenbroeck, Social Indicators Research 82 (2007); OECD/JRC Handbook (2008), step 6.
For unit c: max Σ w_i z_ci subject to Σ w_i z_ji <= 1 for every unit j and w >= 0; with pie-share bounds
L_i <= w_i z_ci / Σ w z_c <= U_i. The score is 1 for a unit no other beats under its own best weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy

from pipelines.methods.index.bounded import Floats
from schemas.errors import DefinitionError


@dataclass(frozen=True)
class BestCase:
    """Score of every unit (0…1), its weights and its pie shares (units × children); NaN where a score is missing."""

    scores: Floats
    weights: Floats
    shares: Floats


def best_case(scores: Floats, lower: Floats, upper: Floats, group: str) -> BestCase:
    """Benefit-of-the-doubt scores of all units that have every score. Scores must not be negative.

    ``lower`` and ``upper`` bound each child's share of the unit's total. Raises DefinitionError where no weights fit the
    bounds, and for negative scores.
    """
    n, m = scores.shape
    if lower.sum() > 1 + 1e-9 or upper.sum() < 1 - 1e-9 or (lower > upper).any():
        raise DefinitionError(f"{group} 的份额上下限互相矛盾", remedy="下限合计不得超过 1,上限合计不得少于 1。")
    if np.nanmin(scores, initial=0.0) < 0:
        raise DefinitionError(f"{group} 有负的得分,不能用 benefit_of_doubt", remedy="请改用 0 到 100 的无量纲化。")
    known = ~np.isnan(scores).any(axis=1)
    peers = scores[known]
    result = np.full(n, np.nan)
    weights, shares = np.full((n, m), np.nan), np.full((n, m), np.nan)
    for unit in np.flatnonzero(known):
        own = scores[unit]
        bounds_rows = np.vstack([np.outer(lower, own) - np.diag(own), np.diag(own) - np.outer(upper, own)])
        found = scipy.optimize.linprog(
            -own,
            A_ub=np.vstack([peers, bounds_rows]),
            b_ub=np.concatenate([np.ones(len(peers)), np.zeros(2 * m)]),
            bounds=(0, None),
            method="highs",
        )
        if found.status != 0:
            raise DefinitionError(
                f"{group} 的 benefit_of_doubt 对第 {unit + 1} 个单位无解", remedy="请放宽份额上下限。"
            )
        weights[unit] = found.x
        result[unit] = float(own @ found.x)
        shares[unit] = own * found.x / result[unit] if result[unit] > 0 else np.nan
    return BestCase(result, weights, shares)
