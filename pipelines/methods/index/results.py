"""Results of a scored index as frames: scores and ranks per level, every cell's way, weights, strengths, peers, orders.

Every frame is sorted and its columns are fixed, so that the same input gives the same file. Missing is null, never 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import polars as pl

from pipelines.methods.index.aggregate import aggregated
from pipelines.methods.index.bounded import LIMIT, Floats, link
from pipelines.methods.index.decompose import Difference
from pipelines.methods.index.definition import ScoringSystem
from pipelines.methods.index.orders import (
    borda_scores,
    competition_ranks,
    copeland_scores,
    kemeny_order,
    outranking,
    tied_with,
)
from pipelines.methods.index.robustness import FACTOR_NAMES, RankSpread
from pipelines.methods.index.score import ScoredYear, effective_weights, nominal_weights, ranks
from pipelines.methods.index.sobol import SobolIndices

PEERS: Final = 3
STRENGTHS: Final = 3
CHAINED: Final = frozenset({"bounded_growth", "difference"})


def _frame(rows: Sequence[tuple[object, ...]], columns: Mapping[str, Any]) -> pl.DataFrame:
    frame = pl.DataFrame(rows, schema=dict(columns), orient="row") if rows else pl.DataFrame(schema=dict(columns))
    return frame.with_columns(pl.selectors.float().fill_nan(None))


def levels(system: ScoringSystem) -> dict[str, int]:
    """Depth of every group and indicator, the index itself being 0."""
    depth = {system.root.id: 0}
    for group in reversed(system.groups):
        depth.update(dict.fromkeys(group.children, depth[group.id] + 1))
    return depth


SCORE_COLUMNS: Final = {
    "year": pl.String, "unit": pl.String, "unit_name": pl.String, "unit_class": pl.String, "level": pl.Int64,
    "node": pl.String, "node_name": pl.String, "score": pl.Float64, "coverage": pl.Float64, "rank": pl.Int64,
    "tied": pl.Int64, "rank_in_class": pl.Int64, "class_size": pl.Int64, "note": pl.String,
}  # fmt: skip


def scores_frame(system: ScoringSystem, years: Sequence[ScoredYear]) -> pl.DataFrame:
    """Score, coverage, rank and ties of every unit at every node; ``tied`` is the number of units sharing the rank."""
    depth, rows = levels(system), []
    for year in years:
        sizes = {c: year.table.classes.count(c) for c in set(year.table.classes)}
        for node, level in sorted(depth.items(), key=lambda item: (item[1], list(depth).index(item[0]))):
            scores = year.node(system, node)
            coverage = year.means[node].coverage if node in year.means else np.where(np.isnan(scores), 0.0, 1.0)
            overall, within = ranks(system, year.table, scores)
            tied = tied_with(scores, system.tie_decimals)
            for k, unit in enumerate(year.table.units):
                size = sizes[year.table.classes[k]]
                small = system.rank_within_class and size < system.minimum_class_size
                note = "" if not np.isnan(scores[k]) else f"可用权重占 {coverage[k]:.0%},不足以计算。"
                if small and level == 0:
                    note = f"同类只有 {size} 个,不排名次。{note}"
                rows.append(
                    (year.table.year, unit, year.table.names[k], year.table.classes[k], level, node, system.name_of(node),
                     float(scores[k]), float(coverage[k]), None if small else overall[k], tied[k], within[k], size, note)
                )  # fmt: skip
    return _frame(rows, SCORE_COLUMNS)


CELL_COLUMNS: Final = {
    "year": pl.String, "unit": pl.String, "indicator": pl.String, "indicator_name": pl.String, "figure": pl.Float64,
    "denominator": pl.Float64, "status": pl.String, "value": pl.Float64, "imputed": pl.String, "value_used": pl.Float64,
    "treated": pl.String, "value_treated": pl.Float64, "score": pl.Float64, "weight": pl.Float64, "points": pl.Float64,
}  # fmt: skip


def cells_frame(system: ScoringSystem, years: Sequence[ScoredYear]) -> pl.DataFrame:
    """The way of every cell: figure, denominator, value, imputed by what, treated how, score, weight in the whole, points.

    ``points`` is weight × score, which adds up to the index only where all means are arithmetic and nothing is missing.
    """
    rows = []
    for year in years:
        whole = effective_weights(system, year)
        for k, leaf in enumerate(system.leaves):
            treatment = year.prepared.treatments[k]
            for row, unit in enumerate(year.table.units):
                used, treated = year.prepared.imputed.values[row, k], year.prepared.treated[row, k]
                filled = leaf.imputation.method if year.prepared.imputed.filled[row, k] else ""
                held = not np.isnan(used) and not treatment.low <= used <= treatment.high
                words = ("截尾" if held else "") + (
                    "" if treatment.kind == "none" or np.isnan(used) else treatment.kind
                )
                below = year.table.denominators[row, k] if leaf.denominator else np.nan
                rows.append(
                    (year.table.year, unit, leaf.id, leaf.name, float(year.table.figures[row, k]), float(below),
                     year.table.statuses[row][k], float(year.prepared.reported[row, k]), filled, float(used), words,
                     float(treated), float(year.scores[row, k]), float(whole[k]), float(whole[k] * year.scores[row, k]))
                )  # fmt: skip
    return _frame(rows, CELL_COLUMNS)


def weights_frame(system: ScoringSystem, years: Sequence[ScoredYear]) -> pl.DataFrame:
    """Weights of the children of every group, per unit where they differ, with the method and its notes."""
    columns = dict.fromkeys(("year", "group", "child", "child_name", "unit", "method"), pl.String) | {
        "weight": pl.Float64, "note": pl.String,
    }  # fmt: skip
    rows = []
    for year in years:
        for group in system.groups:
            weights = year.weights[group.id]
            note = " ".join(weights.notes)
            table = weights.values if weights.values.ndim > 1 else weights.values[np.newaxis]
            units = year.table.units if weights.values.ndim > 1 else ("",)
            for unit, own in zip(units, table, strict=True):
                rows += [
                    (
                        year.table.year,
                        group.id,
                        child,
                        system.name_of(child),
                        unit,
                        group.weights.method,
                        float(w),
                        note,
                    )
                    for child, w in zip(group.children, own, strict=True)
                ]
    return _frame(rows, columns)


def parameters_frame(system: ScoringSystem, years: Sequence[ScoredYear]) -> pl.DataFrame:
    """Parameters every indicator was treated and scored with: outlier bounds, moments, goalposts, by class where they differ."""
    columns = dict.fromkeys(("year", "indicator", "indicator_name", "step", "method", "unit_class", "parameter"), pl.String) | {
        "value": pl.Float64, "note": pl.String,
    }  # fmt: skip
    rows = []
    for year in years:
        for k, leaf in enumerate(system.leaves):
            treatment = year.prepared.treatments[k]
            head = (year.table.year, leaf.id, leaf.name)
            moments = {
                "skewness_before": treatment.skewness[0], "skewness_after": treatment.skewness[1],
                "kurtosis_before": treatment.kurtosis[0], "kurtosis_after": treatment.kurtosis[1],
                "low": treatment.low, "high": treatment.high, "points": float(treatment.points),
            }  # fmt: skip
            rows += [
                (*head, "outliers", leaf.outliers.method, "", name, value, treatment.note)
                for name, value in moments.items()
                if np.isfinite(value)
            ]
            for name, values in year.parameters[k].items():
                if name in ("previous", "base") and len(np.unique(values[~np.isnan(values)])) > 1:
                    continue  # one a unit: they stand in the cells of the year before
                seen = {}
                for unit_class, value in zip(year.table.classes, values, strict=True):
                    seen[unit_class] = float(value)
                if len(set(seen.values())) == 1:
                    seen = {"": next(iter(seen.values()))}
                rows += [
                    (*head, "normalisation", leaf.normalisation.method, c, name, v, "") for c, v in sorted(seen.items())
                ]
    return _frame(rows, columns)


def strengths_frame(system: ScoringSystem, year: ScoredYear) -> pl.DataFrame:
    """Each unit's strongest and weakest indicators against the median of its class, by weighted distance."""
    columns = dict.fromkeys(("year", "unit", "kind", "indicator", "indicator_name"), pl.String) | {
        "score": pl.Float64, "class_median": pl.Float64, "gap": pl.Float64, "weighted_gap": pl.Float64,
    }  # fmt: skip
    weights, rows = effective_weights(system, year), []
    medians = _class_medians(year)
    for row, unit in enumerate(year.table.units):
        median = medians[year.table.classes[row]]
        gaps = weights * (year.scores[row] - median)
        order = [int(k) for k in np.argsort(-gaps, kind="stable") if not np.isnan(gaps[k])]
        chosen = [("强项", k) for k in order[:STRENGTHS] if gaps[k] > 0]
        chosen += [("弱项", k) for k in order[::-1][:STRENGTHS] if gaps[k] < 0]
        rows += [
            (year.table.year, unit, kind, system.leaves[k].id, system.leaves[k].name, float(year.scores[row, k]),
             float(median[k]), float(year.scores[row, k] - median[k]), float(gaps[k]))
            for kind, k in chosen
        ]  # fmt: skip
    return _frame(rows, columns)


def _class_medians(year: ScoredYear) -> dict[str, Floats]:
    medians = {}
    for name in set(year.table.classes):
        part = year.scores[[k for k, c in enumerate(year.table.classes) if c == name]]
        known = ~np.isnan(part).all(axis=0)
        median = np.full(part.shape[1], np.nan)
        median[known] = np.nanmedian(part[:, known], axis=0)
        medians[name] = median
    return medians


def peers_frame(system: ScoringSystem, year: ScoredYear) -> pl.DataFrame:
    """The three units of the same class most alike: weighted Euclidean distance over indicators both have."""
    columns = {"year": pl.String, "unit": pl.String, "place": pl.Int64, "peer": pl.String, "distance": pl.Float64}
    weights, rows = effective_weights(system, year), []
    for row, unit in enumerate(year.table.units):
        gaps = year.scores - year.scores[row]
        known = ~np.isnan(gaps)
        total = known @ weights
        summed = np.where(known, gaps, 0.0) ** 2 @ weights
        distance = np.sqrt(np.divide(summed, total, out=np.full_like(total, np.nan), where=total > 0))
        others = [
            k
            for k in range(len(year.table.units))
            if k != row and year.table.classes[k] == year.table.classes[row] and not np.isnan(distance[k])
        ]
        nearest = sorted(others, key=lambda k: (round(float(distance[k]), 9), year.table.units[k]))[:PEERS]
        rows += [
            (year.table.year, unit, p, year.table.units[k], float(distance[k])) for p, k in enumerate(nearest, start=1)
        ]
    return _frame(rows, columns)


def orders_frame(system: ScoringSystem, year: ScoredYear) -> tuple[pl.DataFrame, list[str]]:
    """Non-compensatory orders as asked for: (order, alternative, unit, score, rank), and what must be said about them."""
    columns = {"order": pl.String, "alternative": pl.Int64, "unit": pl.String, "score": pl.Float64, "rank": pl.Int64}
    weights, units = effective_weights(system, year), year.table.units
    rows: list[tuple[object, ...]] = []
    said: list[str] = []
    matrix = outranking(year.scores, weights)
    for name in system.orders:
        if name == "kemeny":
            found = kemeny_order(matrix)
            if not found.is_exact:
                said.append("Kemeny 次序:循环中的单位过多,用局部搜索求得,是较好次序,不保证最优。")
            elif found.count > 1:
                said.append(f"Kemeny 次序:有 {found.count} 个同为最优,列出前 {len(found.orders)} 个。")
            else:
                said.append("Kemeny 次序:唯一最优,已精确求解。")
            for alternative, order in enumerate(found.orders, start=1):
                rows += [
                    (name, alternative, units[k], found.agreement, place) for place, k in enumerate(order, start=1)
                ]
            continue
        scores = borda_scores(year.scores, weights) if name == "borda" else copeland_scores(matrix)
        rows += [
            (name, 1, unit, float(s), r)
            for unit, s, r in zip(units, scores, competition_ranks(scores, system.tie_decimals), strict=True)
        ]
    return _frame(rows, columns), said


def chained_index(system: ScoringSystem, year: ScoredYear, before: Mapping[str, float]) -> dict[str, float]:
    """Index on last year's level where all indicators are growth: I = I_before (200 + V) / (200 - V); else nothing.

    A unit that ``before`` does not name starts at 100.
    """
    if any(leaf.normalisation.method not in CHAINED for leaf in system.leaves):
        return {}
    growth = year.means[system.root.id].scores
    return {
        unit: before.get(unit, 100.0) * float(link(v))
        for unit, v in zip(year.table.units, growth, strict=True)
        if not np.isnan(v) and abs(v) < LIMIT
    }


def differences_frame(system: ScoringSystem, found: Sequence[Difference]) -> pl.DataFrame:
    """Decompositions, one row a part: indicators, weights, goalposts and parameters, coverage; they sum to ``total``."""
    columns = dict.fromkeys(("unit_before", "year_before", "unit_after", "year_after", "part", "part_name", "kind"), pl.String) | {
        "points": pl.Float64, "total": pl.Float64, "note": pl.String,
    }  # fmt: skip
    rows = []
    for item in found:
        head = (item.before.unit, item.before.year, item.after.unit, item.after.year)
        if np.isnan(item.indicators).any():
            rows.append((*head, "figures", "全部指标的数据", "figures", item.figures, item.total, item.note))
        else:
            rows += [
                (*head, leaf.id, leaf.name, "figures", float(item.indicators[k]), item.total, "")
                for k, leaf in enumerate(system.leaves)
            ]
        rows += [
            (*head, "weights", "权重变动", "weights", item.weights, item.total, ""),
            (*head, "parameters", "目标柱与无量纲化参数变动", "parameters", item.parameters, item.total, ""),
            (*head, "coverage", "只有一方有数的指标", "coverage", item.coverage, item.total, ""),
        ]
    return _frame(rows, columns)


def uncertainty_frame(system: ScoringSystem, year: ScoredYear, spread: RankSpread, level: float) -> pl.DataFrame:
    """Rank interval, score interval and share of draws in first place of every unit, in order of the nominal rank."""
    columns = {
        "unit": pl.String, "unit_name": pl.String, "unit_class": pl.String, "score": pl.Float64, "rank": pl.Int64,
        "rank_low": pl.Float64, "rank_median": pl.Float64, "rank_high": pl.Float64, "score_low": pl.Float64,
        "score_median": pl.Float64, "score_high": pl.Float64, "first": pl.Float64, "level": pl.Float64,
    }  # fmt: skip
    scores = year.means[system.root.id].scores
    overall, within = ranks(system, year.table, scores)
    shown = within if system.rank_within_class else overall
    rows = [
        (unit, year.table.names[k], year.table.classes[k], float(scores[k]), shown[k], float(spread.rank_low[k]),
         float(spread.rank_median[k]), float(spread.rank_high[k]), float(spread.score_low[k]),
         float(spread.score_median[k]), float(spread.score_high[k]), float(spread.first[k]), level)
        for k, unit in enumerate(year.table.units)
    ]  # fmt: skip
    return _frame(rows, columns).sort("unit_class", "rank", "unit", nulls_last=True)


def ahead_frame(year: ScoredYear, spread: RankSpread) -> pl.DataFrame:
    """Probability that unit ``a`` scores above unit ``b``, for every ordered pair."""
    units = year.table.units
    count = len(units)
    return pl.DataFrame(
        {
            "a": [a for a in units for _ in range(count)],
            "b": list(units) * count,
            "probability": spread.ahead.ravel(),
        }
    ).filter(pl.col("a") != pl.col("b"))


def sobol_frame(outputs: Sequence[str], found: SobolIndices) -> pl.DataFrame:
    """First-order and total indices of every factor for every output, with bootstrap intervals."""
    rows = [
        (output, factor, FACTOR_NAMES[factor], *(float(values[i, o]) for values in (
            found.first, found.first_low, found.first_high, found.total, found.total_low, found.total_high)))
        for o, output in enumerate(outputs)
        for i, factor in enumerate(found.factors)
    ]  # fmt: skip
    columns = dict.fromkeys(("output", "factor", "factor_name"), pl.String) | dict.fromkeys(
        ("first", "first_low", "first_high", "total", "total_low", "total_high"), pl.Float64
    )
    return _frame(rows, columns)


def leave_one_out_frame(system: ScoringSystem, year: ScoredYear, found: Mapping[str, Floats]) -> pl.DataFrame:
    """Rank of every unit without one node: (left_out, name, unit, score, rank, shift); shift > 0 is a better place."""
    columns = {
        "left_out": pl.String, "left_out_name": pl.String, "unit": pl.String, "score": pl.Float64, "rank": pl.Int64,
        "shift": pl.Int64,
    }  # fmt: skip
    nominal, within = ranks(system, year.table, year.means[system.root.id].scores)
    before = within if system.rank_within_class else nominal
    rows = []
    for node, scores in found.items():
        both = ranks(system, year.table, scores)
        after = both[1] if system.rank_within_class else both[0]
        for k, unit in enumerate(year.table.units):
            old, new = before[k], after[k]
            shift = None if old is None or new is None else old - new
            rows.append((node, system.name_of(node), unit, float(scores[k]), new, shift))
    return _frame(rows, columns)


def own_weights_frame(system: ScoringSystem, year: ScoredYear) -> pl.DataFrame:
    """The index by a unit's own weights beside the common one; ranks are by the common weights only (index_system 9.1)."""
    columns = {
        "unit": pl.String,
        "unit_name": pl.String,
        "score": pl.Float64,
        "score_own": pl.Float64,
        "rank": pl.Int64,
    }
    scores = year.means[system.root.id].scores
    overall, within = ranks(system, year.table, scores)
    rows: list[tuple[object, ...]] = []
    for k, unit in enumerate(year.table.units):
        own = system.own_weights["by_unit"].get(unit) or system.own_weights["by_class"].get(year.table.classes[k])
        if own is None:
            continue
        weights = dict(nominal_weights(year))
        weights[system.root.id] = np.array([own[c] for c in system.root.children]) / 100.0
        by_own = aggregated(system, year.scores, weights)[system.root.id].scores[k]
        rank = within[k] if system.rank_within_class else overall[k]
        rows.append((unit, year.table.names[k], float(scores[k]), float(by_own), rank))
    return _frame(rows, columns)
