"""Benefit of the doubt: each unit with the weights that suit it best, within stated bounds.

Sources: Cherchye, Moesen, Rogge, Van Puyenbroeck, Social Indicators Research 82 (2007); OECD/JRC Handbook (2008), step 6;
missing scores as T. Kuosmanen, J. Operational Research Society 60 (2009): a missing score counts as 0, so that its weight
falls to 0 in the unit's own case, and a peer is no better than what is known of it.
For unit c: max Σ w_i z_ci subject to Σ w_i z_ji <= 1 for every unit j and w >= 0; with pie-share bounds
L_i <= w_i z_ci / Σ w z_c <= U_i on the scores the unit has. The score is 1 for a unit no other beats under its own best
weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import scipy

from pipelines.methods.index.bounded import Flags, Floats
from pipelines.methods.index.steps import Step
from schemas.errors import DefinitionError

NOTHING = 1e-9


@dataclass(frozen=True)
class BestCase:
    """Score of every unit (0…1), its weights and its pie shares (units × children).

    Weights are the multipliers of the scores; shares (w_i z_i / Σ w z) sum to one and do not hang on the scale. The weight of
    a missing score is 0. ``reasons``: row → why a unit that has scores has no weights; its score is NaN then.
    """

    scores: Floats
    weights: Floats
    shares: Floats
    reasons: Mapping[int, str] = field(default_factory=dict)


def share_bounds(step: Step, children: Sequence[str]) -> tuple[Floats, Floats]:
    """Lower and upper bound of every child's share of a unit's total."""
    bounds = []
    for name, otherwise in (("lower", 0.0), ("upper", 1.0)):
        given = step.effective[name]
        by_child = given if isinstance(given, Mapping) else {}
        common = otherwise if isinstance(given, Mapping) else step.number(name)
        bounds.append(np.array([float(by_child.get(c, common)) for c in children]))
    return bounds[0], bounds[1]


def check_share_bounds(step: Step, children: Sequence[str], group: str, place: str) -> None:
    """Raise DefinitionError for bounds that name no child of the group or that no set of weights can keep."""
    for name in ("lower", "upper"):
        given = step.effective[name]
        if isinstance(given, Mapping) and (strange := given.keys() - set(children)):
            raise DefinitionError(
                f"{group} 的 {name} 写了不在该组的 {'、'.join(sorted(strange))}",
                where=place,
                remedy=f"该组下级:{'、'.join(children)}。",
            )
    lower, upper = share_bounds(step, children)
    crossed = [c for c, low, high in zip(children, lower, upper, strict=True) if not 0 <= low <= high]
    said = ""
    if crossed:
        said = f"{'、'.join(crossed)} 的份额下限为负或高于上限"
    elif lower.sum() > 1 + NOTHING:
        said = f"份额下限合计 {lower.sum():g},超过 1"
    elif upper.sum() < 1 - NOTHING:
        said = f"份额上限合计 {upper.sum():g},不足 1"
    if said:
        raise DefinitionError(
            f"{group} 的 benefit_of_doubt {said},没有任何权重合乎界限",
            where=place,
            remedy="份额是各项得分占本单位总分的比重:下限合计不得超过 1,上限合计不得少于 1。",
        )


def best_case(
    scores: Floats, lower: Floats, upper: Floats, group: str, children: Sequence[str] = (), place: str = ""
) -> BestCase:
    """Benefit-of-the-doubt scores of all units, each on the scores it has.

    ``lower`` and ``upper`` bound each child's share of the unit's total; ``children`` names them in reasons. Raises
    DefinitionError for negative scores, which the method does not know.
    """
    n, m = scores.shape
    if np.nanmin(scores, initial=0.0) < 0:
        raise DefinitionError(
            f"{group} 有负的得分,不能用 benefit_of_doubt", where=place, remedy="请改用 0 到 100 的无量纲化。"
        )
    names = list(children) or [str(k + 1) for k in range(m)]
    peers = np.nan_to_num(scores)
    result, reasons = np.full(n, np.nan), {}
    weights, shares = np.full((n, m), np.nan), np.full((n, m), np.nan)
    for unit in range(n):
        has = ~np.isnan(scores[unit])
        own = scores[unit, has]
        if not own.size:
            continue
        weights[unit], shares[unit] = 0.0, 0.0
        if not (own > 0).any():  # nothing earned is nothing under any weights
            result[unit], shares[unit] = 0.0, np.nan
            continue
        # what a missing score could have had goes to the others, as weights do elsewhere: shares must be able to sum to one
        room = upper / min(1.0, float(upper[has].sum()))
        found = _best_weights(own, peers[:, has], lower[has], room[has])
        if found is None:
            reasons[unit] = _why_none(scores[unit], has, lower, room, names)
            weights[unit], shares[unit] = np.nan, np.nan
            continue
        weights[unit, has] = found
        result[unit] = float(own @ found)
        shares[unit, has] = own * found / result[unit]
    return BestCase(result, weights, shares, reasons)


def _best_weights(own: Floats, peers: Floats, lower: Floats, upper: Floats) -> Floats | None:
    """The weights best for ``own``; None where only weights that earn nothing keep the bounds."""
    bounds = np.vstack([np.outer(lower, own) - np.diag(own), np.diag(own) - np.outer(upper, own)])
    found = scipy.optimize.linprog(
        -own,
        A_ub=np.vstack([peers, bounds]),
        b_ub=np.concatenate([np.ones(len(peers)), np.zeros(len(bounds))]),
        bounds=(0, None),
        method="highs",
    )
    best = np.zeros_like(own) if found.x is None else np.asarray(found.x, dtype=np.float64)
    return None if found.status != 0 or float(own @ best) <= NOTHING else best


def _why_none(own: Floats, has: Flags, lower: Floats, upper: Floats, names: Sequence[str]) -> str:
    zero = has & (own == 0)
    bound = [
        f"{names[k]} 的份额不得低于 {lower[k]:g},而其得分为 0" for k in np.flatnonzero(zero & (lower > 0)).tolist()
    ]
    if not bound:
        earning = has & ~zero
        bound = [f"得分大于 0 的各项({'、'.join(names[k] for k in np.flatnonzero(earning).tolist())})份额上限合计 {upper[earning].sum():g},不足 1"]  # fmt: skip
    return f"没有合乎份额界限的权重:{';'.join(bound)}。"
