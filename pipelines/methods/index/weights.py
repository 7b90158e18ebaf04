"""Weights 权重 of the children of one group, from their scores or from what experts said. All weights sum to 1.

Sources: OECD/JRC Handbook (2008), step 6; index_system 4.2 (entropy, combination). See docs/methods/index-engine.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import scipy

from exports.display import percent
from pipelines.methods.index.bounded import Floats
from pipelines.methods.index.steps import Step
from schemas.errors import DefinitionError

ENTROPY_SHIFT: Final = 1e-6


@dataclass(frozen=True)
class Weights:
    """Weights of the children (children), or of every unit (units × children, then multipliers that need not sum to one);
    ``notes`` says what to know about them."""

    values: Floats
    notes: tuple[str, ...] = ()
    shares: Floats | None = (
        None  # units × children: each child's part of the unit's score, where every unit has its own weights
    )
    reasons: Mapping[int, str] = field(default_factory=dict)  # row → why a unit has no weights
    details: Mapping[str, float] = field(default_factory=dict)


def normalised_weights(given: Sequence[float]) -> Floats:
    """Weights brought to a sum of one."""
    weights = np.array(given, dtype=np.float64)
    return np.asarray(weights / weights.sum(), dtype=np.float64)


def complete(scores: Floats) -> Floats:
    """The units that have a score in every child."""
    return np.asarray(scores[~np.isnan(scores).any(axis=1)], dtype=np.float64)


def entropy_weights(scores: Floats, step: Step, group: str) -> Weights:
    """Entropy weights 熵权: p = z / Σz, e = -Σ p ln p / ln n, w = (1 - e) / Σ(1 - e), on min-max values shifted by 1e-6.

    A child with the same score everywhere gets 0. Fewer than five units are refused: the weights would be noise.
    """
    rows = complete(scores)
    n = rows.shape[0]
    least = int(step.number("minimum_units"))
    if n < least:
        raise DefinitionError(f"{group} 用熵权,完整的单位只有 {n} 个,少于 {least} 个", remedy="请改用给定权重。")
    low, high = rows.min(axis=0), rows.max(axis=0)
    spread = np.where(high > low, high - low, 1.0)
    shares = np.where(high > low, (rows - low) / spread, 1.0) + ENTROPY_SHIFT
    shares = shares / shares.sum(axis=0)
    entropy = -(shares * np.log(shares)).sum(axis=0) / np.log(n)
    information = np.clip(1.0 - entropy, 0.0, None)
    if information.sum() <= 1e-12:
        raise DefinitionError(f"{group} 的各项得分都没有差异,熵权无定义", remedy="请改用给定权重。")
    return Weights(information / information.sum(), ("熵权逐年变动,只宜作敏感性分析。",))


def principal_component_weights(scores: Floats, group: str) -> Weights:
    """Squared loadings of the first principal component of the correlation matrix; they sum to one by construction."""
    values, vectors = _correlation_spectrum(scores, group)
    loadings = vectors[:, 0]
    notes = [f"第一主成分解释 {percent(values[0] / values.sum())} 的方差。"]
    if (loadings > 1e-9).any() and (loadings < -1e-9).any():
        notes.append("第一主成分的载荷有正有负:有指标与其余相反,平方后权重仍为正,请先审查该组。")
    return Weights(loadings**2, tuple(notes), details={"explained": float(values[0] / values.sum())})


def _correlation_spectrum(scores: Floats, group: str) -> tuple[Floats, Floats]:
    """Eigenvalues (descending) and eigenvectors of the correlation matrix, signs fixed so that the loadings sum to > 0."""
    rows = complete(scores)
    if rows.shape[0] < 3 or (rows.std(axis=0) == 0).any():
        raise DefinitionError(f"{group} 的单位太少或有指标没有差异,不能做主成分", remedy="请改用给定权重。")
    values, vectors = np.linalg.eigh(np.corrcoef(rows, rowvar=False).reshape(rows.shape[1], -1))
    order = np.argsort(values)[::-1]
    vectors = vectors[:, order] * np.where(vectors[:, order].sum(axis=0) < 0, -1.0, 1.0)
    return np.asarray(values[order], dtype=np.float64), np.asarray(vectors, dtype=np.float64)


def factor_weights(scores: Floats, step: Step, group: str) -> Weights:
    """Weights from rotated factors: principal components kept, varimax, then ``weights_from_loadings``.

    Kept are components with an eigenvalue of at least ``minimum_eigenvalue`` (1) that explain at least ``minimum_share`` (0)
    of the variance, or as many as ``factors`` says.
    """
    values, vectors = _correlation_spectrum(scores, group)
    large = (values >= step.number("minimum_eigenvalue")) & (values >= step.number("minimum_share") * values.sum())
    kept = min(int(step.limit("factors", 0)), values.size) or max(1, int(large.sum()))
    loadings = vectors[:, :kept] * np.sqrt(values[:kept])
    rotated = varimax(loadings)
    return Weights(
        weights_from_loadings(rotated),
        (f"保留 {kept} 个因子,解释 {percent(values[:kept].sum() / values.sum())} 的方差。",),
    )


def varimax(loadings: Floats, iterations: int = 500) -> Floats:
    """Loadings after Kaiser's varimax rotation (without row normalisation)."""
    p, k = loadings.shape
    rotation = np.eye(k)
    before = 0.0
    for _ in range(iterations):
        turned = loadings @ rotation
        gradient = loadings.T @ (turned**3 - turned * (turned**2).sum(axis=0) / p)
        u, s, vt = np.linalg.svd(gradient)
        rotation = u @ vt
        if s.sum() <= before * (1 + 1e-12):
            break
        before = float(s.sum())
    return np.asarray(loadings @ rotation, dtype=np.float64)


def weights_from_loadings(loadings: Floats) -> Floats:
    """Weights of the Handbook's step 6: each indicator's squared loading on the factor it loads most on.

    Squared loadings are scaled to sum to one within a factor, each indicator is given to the factor where this share is
    largest, and the share is multiplied by the factor's part of the explained variance; the result is scaled to one.
    """
    squared = loadings**2
    explained = squared.sum(axis=0)
    within = squared / explained
    owner = within.argmax(axis=1)
    raw = within[np.arange(len(owner)), owner] * explained[owner] / explained.sum()
    return np.asarray(raw / raw.sum(), dtype=np.float64)


def target_importance_weights(scores: Floats, targets: Sequence[float], group: str) -> Weights:
    """Weights under which each child explains its target share of the group's variance.

    Minimises Σ (S_i / ΣS - target_i)² over the simplex, S_i the squared correlation of child and weighted mean. Source:
    Becker, Saisana, Paruolo, Vandecasteele, Ecological Indicators 80 (2017). Deterministic: started at the targets.
    """
    rows = complete(scores)
    aim = normalised_weights(targets)
    if rows.shape[0] < 3 or (rows.std(axis=0) == 0).any():
        raise DefinitionError(f"{group} 的单位太少或有指标没有差异,不能按目标重要性定权")
    centred = rows - rows.mean(axis=0)
    covariance = centred.T @ centred / rows.shape[0]
    deviations = np.sqrt(np.diag(covariance))

    def shares(logits: Floats) -> tuple[Floats, Floats]:
        w = np.exp(logits - logits.max())
        w = w / w.sum()
        projected = covariance @ w
        strength = (projected / deviations) ** 2
        return w, strength / strength.sum()

    def loss(logits: Floats) -> float:
        return float(((shares(logits)[1] - aim) ** 2).sum())

    start = np.log(np.clip(aim, 1e-6, None))
    best = scipy.optimize.minimize(
        loss, start, method="Nelder-Mead", options={"maxiter": 20000, "maxfev": 20000, "xatol": 1e-9, "fatol": 1e-14}
    )
    best = scipy.optimize.minimize(loss, best.x, method="BFGS", options={"gtol": 1e-12})
    weights, reached = shares(best.x)
    gap = float(np.abs(reached - aim).max())
    note = f"实际重要性与目标最大相差 {percent(gap)}。" if gap > 0.005 else "实际重要性与目标一致。"
    return Weights(weights, (note,), details={"gap": gap})


def combined_weights(given: Floats, data_driven: Floats, share: float) -> Floats:
    """α·given + (1-α)·data driven (index_system 4.2; α = 0.7 where nothing is said)."""
    return share * given + (1.0 - share) * data_driven
