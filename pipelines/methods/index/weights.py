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
from pipelines.methods.index.bounded import Floats, Integers
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
    """Entropy weights 熵权 of one table of scores, see ``entropy_shares``.

    A child with the same score everywhere gets 0. Fewer than five units are refused: the weights would be noise.
    """
    n, least = complete(scores).shape[0], int(step.number("minimum_units"))
    if n < least:
        raise DefinitionError(f"{group} 用熵权,完整的单位只有 {n} 个,少于 {least} 个", remedy="请改用给定权重。")
    weights = entropy_shares(complete(scores))
    if np.isnan(weights).any():
        raise DefinitionError(f"{group} 的各项得分都没有差异,熵权无定义", remedy="请改用给定权重。")
    return Weights(weights, ("熵权逐年变动,只宜作敏感性分析。",))


def entropy_shares(rows: Floats) -> Floats:
    """p = z / Σz, e = -Σ p ln p / ln n, w = (1 - e) / Σ(1 - e), on min-max values shifted by 1e-6.

    ``rows``: (…, units, children) without missing scores, any number of tables at once; weights (…, children), NaN for a
    table in which nothing differs.
    """
    low, high = rows.min(axis=-2, keepdims=True), rows.max(axis=-2, keepdims=True)
    spread = np.where(high > low, high - low, 1.0)
    shares = np.where(high > low, (rows - low) / spread, 1.0) + ENTROPY_SHIFT
    shares = shares / shares.sum(axis=-2, keepdims=True)
    entropy = -(shares * np.log(shares)).sum(axis=-2) / np.log(rows.shape[-2])
    information = np.clip(1.0 - entropy, 0.0, None)
    total = information.sum(axis=-1, keepdims=True)
    return np.asarray(np.divide(information, total, out=np.full_like(information, np.nan), where=total > 1e-12))


def principal_component_weights(scores: Floats, group: str) -> Weights:
    """Squared loadings of the first principal component of the correlation matrix; they sum to one by construction."""
    values, vectors = _spectrum_of_one(scores, group)
    loadings = vectors[:, 0]
    notes = [f"第一主成分解释 {percent(values[0] / values.sum())} 的方差。"]
    if (loadings > 1e-9).any() and (loadings < -1e-9).any():
        notes.append("第一主成分的载荷有正有负:有指标与其余相反,平方后权重仍为正,请先审查该组。")
    return Weights(loadings**2, tuple(notes), details={"explained": float(values[0] / values.sum())})


def component_shares(rows: Floats) -> Floats:
    """Squared loadings of the first component: (…, units, children) → (…, children), NaN where it has none."""
    return np.asarray(correlation_spectrum(rows)[1][..., 0] ** 2, dtype=np.float64)


def _spectrum_of_one(scores: Floats, group: str) -> tuple[Floats, Floats]:
    rows = complete(scores)
    if rows.shape[0] < 3 or (rows.std(axis=0) == 0).any():
        raise DefinitionError(f"{group} 的单位太少或有指标没有差异,不能做主成分", remedy="请改用给定权重。")
    return correlation_spectrum(rows)


def correlation_spectrum(rows: Floats) -> tuple[Floats, Floats]:
    """Eigenvalues (descending) and eigenvectors of the correlation matrix, signs fixed so that the loadings sum to > 0.

    ``rows``: (…, units, children) without missing scores; NaN for a table in which a child does not differ.
    """
    centred = rows - rows.mean(axis=-2, keepdims=True)
    length = np.sqrt((centred**2).sum(axis=-2, keepdims=True))
    sound = (length > 0).all(axis=-1, keepdims=True)
    unit = centred / np.where(sound, length, 1.0)
    values, vectors = np.linalg.eigh(np.swapaxes(unit, -1, -2) @ unit)
    order = np.argsort(values, axis=-1)[..., ::-1]
    values = np.take_along_axis(values, order, axis=-1)
    vectors = np.take_along_axis(vectors, order[..., np.newaxis, :], axis=-1)
    vectors = vectors * np.where(vectors.sum(axis=-2, keepdims=True) < 0, -1.0, 1.0)
    return np.where(sound[..., 0, :], values, np.nan), np.where(sound, vectors, np.nan)


def factor_weights(scores: Floats, step: Step, group: str) -> Weights:
    """Weights from rotated factors of one table of scores, see ``factor_shares``."""
    values, vectors = _spectrum_of_one(scores, group)
    kept = int(_kept_factors(values, step))
    return Weights(
        _from_factors(values, vectors, kept),
        (f"保留 {kept} 个因子,解释 {percent(values[:kept].sum() / values.sum())} 的方差。",),
    )


def factor_shares(rows: Floats, step: Step) -> Floats:
    """Principal components kept, varimax, ``weights_from_loadings``: (…, units, children) → (…, children), NaN where undefined.

    Kept are components with an eigenvalue of at least ``minimum_eigenvalue`` (1) that explain at least ``minimum_share`` (0)
    of the variance, or as many as ``factors`` says.
    """
    values, vectors = correlation_spectrum(rows)
    kept = _kept_factors(values, step)
    weights = np.full(values.shape, np.nan)
    for many in np.unique(kept):
        same = (kept == many) & ~np.isnan(values).any(axis=-1)
        weights[same] = _from_factors(values[same], vectors[same], int(many))
    return weights


def _kept_factors(values: Floats, step: Step) -> Integers:
    total = values.sum(axis=-1, keepdims=True)
    large = (values >= step.number("minimum_eigenvalue")) & (values >= step.number("minimum_share") * total)
    stated = min(int(step.limit("factors", 0)), values.shape[-1])
    return np.asarray(np.full(values.shape[:-1], stated) if stated else np.maximum(1, large.sum(axis=-1)))


def _from_factors(values: Floats, vectors: Floats, kept: int) -> Floats:
    loadings = vectors[..., :kept] * np.sqrt(np.clip(values[..., np.newaxis, :kept], 0.0, None))
    return weights_from_loadings(varimax(loadings))


def varimax(loadings: Floats, iterations: int = 500) -> Floats:
    """Loadings (…, children, factors) after Kaiser's varimax rotation (without row normalisation)."""
    p, k = loadings.shape[-2:]
    tables = loadings.reshape(-1, p, k)
    rotation = np.tile(np.eye(k), (len(tables), 1, 1))
    before, turning = np.zeros(len(tables)), np.arange(len(tables))
    for _ in range(iterations):
        own = tables[turning]
        turned = own @ rotation[turning]
        gradient = np.swapaxes(own, -1, -2) @ (turned**3 - turned * (turned**2).sum(axis=-2, keepdims=True) / p)
        u, s, vt = np.linalg.svd(gradient)
        rotation[turning] = u @ vt
        reached = s.sum(axis=-1)
        gained = reached > before[turning] * (1 + 1e-12)
        before[turning] = reached
        turning = turning[gained]
        if not turning.size:
            break
    return np.asarray((tables @ rotation).reshape(loadings.shape), dtype=np.float64)


def weights_from_loadings(loadings: Floats) -> Floats:
    """Weights of the Handbook's step 6 from loadings (…, children, factors): squared loading on the factor loaded most.

    Squared loadings are scaled to sum to one within a factor, each indicator is given to the factor where this share is
    largest, and the share is multiplied by the factor's part of the explained variance; the result is scaled to one.
    """
    squared = loadings**2
    explained = squared.sum(axis=-2, keepdims=True)
    within = squared / explained
    owner = within.argmax(axis=-1)[..., np.newaxis]
    part = explained / explained.sum(axis=-1, keepdims=True)
    raw = np.take_along_axis(within * part, owner, axis=-1)[..., 0]
    return np.asarray(raw / raw.sum(axis=-1, keepdims=True), dtype=np.float64)


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
