"""Audit of an index: do the indicators of a group belong together, and does each weigh what it was meant to weigh?

Sources: OECD/JRC Handbook (2008), steps 4 and 8; L. Cronbach, Psychometrika 16 (1951); W. Becker et al., Ecological
Indicators 80 (2017) for importance against nominal weight.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from exports.display import figure, percent
from pipelines.methods.index.bounded import Floats
from pipelines.methods.index.definition import ScoringSystem
from pipelines.methods.index.score import ScoredYear, common_weights
from pipelines.methods.index.weights import complete

LEAST_UNITS: Final = 5
REDUNDANT: Final = 0.92
AGAINST: Final = -0.1  # weaker than that is noise, not a direction
LOW_ALPHA: Final = 0.6
MISWEIGHTED: Final = 2.0


@dataclass(frozen=True)
class Reliability:
    """Cronbach's alpha of a set of items, on standardised items too, and without each item in turn."""

    alpha: float
    standardised: float
    without: Floats


def reliability(scores: Floats) -> Reliability:
    """Alpha of complete rows (units × items); NaN for fewer than two items or no variation."""
    rows = complete(scores)
    if rows.shape[1] < 2 or rows.shape[0] < 2:
        return Reliability(np.nan, np.nan, np.full(scores.shape[1], np.nan))
    return reliability_of(np.cov(rows, rowvar=False))


def reliability_of(covariance: Floats) -> Reliability:
    """Alpha from a covariance matrix: k/(k-1) (1 - Σ variances / variance of the sum)."""
    deviations = np.sqrt(np.diag(covariance))
    usable = np.all(deviations > 0)
    correlations = covariance / np.outer(deviations, deviations) if usable else np.full_like(covariance, np.nan)
    k = len(covariance)
    without = [_alpha(np.delete(np.delete(covariance, i, 0), i, 1)) for i in range(k)]
    return Reliability(_alpha(covariance), _alpha(correlations), np.array(without))


def _alpha(covariance: Floats) -> float:
    k, total = len(covariance), float(covariance.sum())
    if k < 2 or not total > 0:
        return float("nan")
    return k / (k - 1) * (1.0 - float(np.trace(covariance)) / total)


def correlation(a: Floats, b: Floats) -> float:
    """Pearson's r over units that have both; NaN for fewer than five such units or no variation."""
    both = ~np.isnan(a) & ~np.isnan(b)
    if both.sum() < LEAST_UNITS or np.std(a[both]) < 1e-12 or np.std(b[both]) < 1e-12:
        return float("nan")
    return float(np.corrcoef(a[both], b[both])[0, 1])


def correlation_ratio(x: Floats, y: Floats) -> float:
    """Share of the variance of y that a curve in x explains: R² of a cubic (of a line below twelve units)."""
    both = ~np.isnan(x) & ~np.isnan(y)
    n = int(both.sum())
    if n < LEAST_UNITS or np.std(x[both]) < 1e-12 or np.std(y[both]) < 1e-12:
        return float("nan")
    z = (x[both] - x[both].mean()) / x[both].std()
    design = np.vander(z, 4 if n >= 12 else 2)
    fit, *_ = np.linalg.lstsq(design, y[both], rcond=None)
    return float(1.0 - np.var(y[both] - design @ fit) / np.var(y[both]))


def correlations(system: ScoringSystem, year: ScoredYear) -> pl.DataFrame:
    """Pearson's r of every indicator and group with every other one: (a, b, r, units), a before b in written order."""
    nodes = [leaf.id for leaf in system.leaves] + [g.id for g in system.groups]
    columns = {node: year.node(system, node) for node in nodes}
    rows = [
        (a, b, correlation(columns[a], columns[b]), int((~np.isnan(columns[a]) & ~np.isnan(columns[b])).sum()))
        for k, a in enumerate(nodes)
        for b in nodes[k + 1 :]
    ]
    schema = {"a": pl.String, "b": pl.String, "r": pl.Float64, "units": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row").with_columns(pl.col("r").fill_nan(None))


def children_audit(system: ScoringSystem, year: ScoredYear) -> pl.DataFrame:
    """One row a group and child: correlation with the rest of the group, with the group and the index, alpha without it,
    nominal weight, and the shares of the group's variance it explains along a line and along a curve."""
    rows = []
    for group in system.groups:
        scores = np.column_stack([year.node(system, c) for c in group.children])
        alpha = reliability(scores)
        weights = common_weights(year.weights[group.id])
        own, index = year.means[group.id].scores, year.means[system.root.id].scores
        linear = np.array([correlation(scores[:, k], own) ** 2 for k in range(len(group.children))])
        curved = np.array([correlation_ratio(scores[:, k], own) for k in range(len(group.children))])
        for k, child in enumerate(group.children):
            rest = _mean_of_others(scores, k)
            rows.append(
                {
                    "group": group.id,
                    "child": child,
                    "name": system.name_of(child),
                    "r_rest": correlation(scores[:, k], rest),
                    "r_group": correlation(scores[:, k], own),
                    "r_index": correlation(scores[:, k], index),
                    "alpha": alpha.alpha,
                    "alpha_standardised": alpha.standardised,
                    "alpha_without": float(alpha.without[k]),
                    "weight": float(weights[k]),
                    "importance_linear": _share(linear, k),
                    "importance_curve": _share(curved, k),
                }
            )
    return pl.DataFrame(rows, infer_schema_length=None).with_columns(pl.selectors.float().fill_nan(None))


def _mean_of_others(scores: Floats, k: int) -> Floats:
    """Mean score of the other children of every unit; NaN where a unit has none of them."""
    others = np.delete(scores, k, 1)
    known = ~np.isnan(others)
    count = known.sum(axis=1)
    summed = np.where(known, others, 0.0).sum(axis=1)
    return np.asarray(np.divide(summed, count, out=np.full(len(scores), np.nan), where=count > 0), dtype=np.float64)


def _share(strengths: Floats, k: int) -> float:
    total = float(np.nansum(strengths))
    return float(strengths[k] / total) if total > 0 else float("nan")


def components(system: ScoringSystem, year: ScoredYear) -> pl.DataFrame:
    """Principal components of every group's children: (group, component, eigenvalue, share, cumulative)."""
    rows = []
    for group in system.groups:
        scores = complete(np.column_stack([year.node(system, c) for c in group.children]))
        if scores.shape[1] < 2 or scores.shape[0] < LEAST_UNITS or (scores.std(axis=0) < 1e-12).any():
            continue
        values = np.linalg.eigvalsh(np.corrcoef(scores, rowvar=False))[::-1]
        shares = values / values.sum()
        rows += [
            (group.id, k + 1, float(v), float(s), float(c))
            for k, (v, s, c) in enumerate(zip(values, shares, np.cumsum(shares), strict=True))
        ]
    schema = {
        "group": pl.String,
        "component": pl.Int64,
        "eigenvalue": pl.Float64,
        "share": pl.Float64,
        "cumulative": pl.Float64,
    }
    return pl.DataFrame(rows, schema=schema, orient="row")


def in_words(system: ScoringSystem, year: ScoredYear, children: pl.DataFrame, pairs: pl.DataFrame) -> list[str]:
    """What the audit found, as Chinese sentences with figures; worst first. Empty findings are said, too."""
    units = len(year.table.units)
    if units < LEAST_UNITS:
        return [f"只有 {units} 个单位,少于 {LEAST_UNITS} 个,不能审查相关、信度和实际权重。"]
    if units < 10:
        warning = [f"只有 {units} 个单位,相关和信度只供参考。"]
    else:
        warning = []
    found = [*_against(children), *_misweighted(children), *_loose(system, children), *_redundant(system, pairs)]
    return warning + (found or ["未发现与所在维度相反、重复或实际影响明显偏离权重的指标。"])


def _called(code: str, name: str) -> str:
    return code if name == code else f"{code} {name}"


def _against(children: pl.DataFrame) -> Iterator[str]:
    for row in children.filter(pl.col("r_rest") < AGAINST).sort("r_rest").iter_rows(named=True):
        yield f"{_called(row['child'], row['name'])}与 {row['group']} 组内其余指标反向(相关 {figure(row['r_rest'], 2)}):它升高时该组其他指标往往降低,请核对方向或移出该组。"
    for row in children.filter(
        (pl.col("r_index") < AGAINST) & ~(pl.col("r_rest") < AGAINST).fill_null(False)
    ).iter_rows(named=True):
        yield f"{_called(row['child'], row['name'])}与总指数负相关({figure(row['r_index'], 2)}):得分高的单位总指数反而低。"


def _misweighted(children: pl.DataFrame) -> Iterator[str]:
    rated = children.filter((pl.col("weight") > 0) & pl.col("importance_linear").is_not_null()).with_columns(
        ratio=pl.col("importance_linear") / pl.col("weight")
    )
    for row in rated.filter(pl.col("ratio") > MISWEIGHTED).sort("ratio", descending=True).iter_rows(named=True):
        yield f"{_called(row['child'], row['name'])}的名义权重为 {percent(row['weight'])},实际影响占 {percent(row['importance_linear'])}:它比设想的更左右 {row['group']} 的结果。"
    for row in rated.filter(pl.col("ratio") < 1 / MISWEIGHTED).sort("ratio").iter_rows(named=True):
        yield f"{_called(row['child'], row['name'])}的名义权重为 {percent(row['weight'])},实际影响只占 {percent(row['importance_linear'])}:它对 {row['group']} 的作用明显小于设想。"


def _loose(system: ScoringSystem, children: pl.DataFrame) -> Iterator[str]:
    for group in system.groups:
        own = children.filter(group=group.id)
        alpha = own["alpha_standardised"][0]
        if alpha is None or len(group.children) < 3 or group.id == system.root.id:
            continue
        if alpha < LOW_ALPHA:
            best = own.sort("alpha_without", descending=True, nulls_last=True).row(0, named=True)
            better = best["alpha_without"] is not None and best["alpha_without"] > (own["alpha"][0] or 0.0)
            more = (
                f",去掉 {_called(best['child'], best['name'])}后为 {figure(best['alpha_without'], 2)}" if better else ""
            )
            yield f"{_called(group.id, group.name)}的内部一致性较低(标准化 α={figure(alpha, 2)}){more}:各指标可能并不反映同一方面。"


def _redundant(system: ScoringSystem, pairs: pl.DataFrame) -> Iterator[str]:
    leaves = [leaf.id for leaf in system.leaves]
    close = pairs.filter(pl.col("a").is_in(leaves) & pl.col("b").is_in(leaves) & (pl.col("r").abs() > REDUNDANT))
    for row in close.sort("r", descending=True).iter_rows(named=True):
        yield f"{_called(row['a'], system.name_of(row['a']))}与 {_called(row['b'], system.name_of(row['b']))}几乎重复(相关 {figure(row['r'], 2)}),等于给同一内容双份权重。"


def words(sentences: Sequence[str]) -> str:
    """The sentences as a text, one a line."""
    return "\n".join(f"{k}. {sentence}" for k, sentence in enumerate(sentences, start=1)) + "\n"
