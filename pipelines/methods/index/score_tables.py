"""Scores, cells, weights and parameters as frames: everything needed to compute the scores again, nothing defaulted in silence.

Every frame is sorted and its columns are fixed, so that the same input gives the same file. Missing is null, never 0, and its
status says why; ``display`` is what a reader sees: the figure, or one of the marks of ``schemas.marts.STATUSES``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import polars as pl

from exports.display import displayed, percent, significant
from pipelines.methods.index.bounded import Floats
from pipelines.methods.index.definition import Group, Leaf, ScoringSystem
from pipelines.methods.index.index_points import IndexParts, index_parts
from pipelines.methods.index.orders import tied_with
from pipelines.methods.index.robustness import RobustnessPlan
from pipelines.methods.index.score import ScoredYear, compared, large_classes, places_of, ranks
from pipelines.methods.index.statuses import cell_note, node_statuses, published, value_status
from pipelines.methods.index.steps import Step

DECIMALS: Final = 4  # of displayed values, whose own number of decimals is not known here
FULL: Final = 1.0 - 1e-12
NOT_APPLICABLE: Final = "Z"
BY_UNIT: Final = ("previous", "base")  # parameters that differ by unit: they stand in cells.csv


def frame_of(rows: Sequence[tuple[object, ...]], columns: Mapping[str, Any]) -> pl.DataFrame:
    """The rows as a frame of exactly these columns; NaN is null."""
    frame = pl.DataFrame(rows, schema=dict(columns), orient="row") if rows else pl.DataFrame(schema=dict(columns))
    return frame.with_columns(pl.selectors.float().fill_nan(None))


def levels(system: ScoringSystem) -> dict[str, int]:
    """Depth of every group and indicator, the index itself being 0."""
    depth = {system.root.id: 0}
    for group in reversed(system.groups):
        depth.update(dict.fromkeys(group.children, depth[group.id] + 1))
    return depth


def rank_display(rank: int | None, score: float) -> str:
    """A rank as a reader sees it: the mark of a missing figure without a score, of what does not apply where nothing is ranked."""
    if rank is not None:
        return str(rank)
    return displayed(None, 0, "M" if np.isnan(score) else NOT_APPLICABLE)


SCORE_COLUMNS: Final = {
    "year": pl.String, "unit": pl.String, "unit_name": pl.String, "unit_class": pl.String, "level": pl.Int64,
    "node": pl.String, "node_name": pl.String, "score": pl.Float64, "status": pl.String, "display": pl.String,
    "coverage": pl.Float64, "rank": pl.Int64, "rank_display": pl.String, "tied": pl.Int64, "rank_in_class": pl.Int64,
    "class_size": pl.Int64, "raised_to": pl.Float64, "note": pl.String,
}  # fmt: skip


def scores_frame(system: ScoringSystem, years: Sequence[ScoredYear]) -> pl.DataFrame:
    """Score, coverage, rank and ties of every unit at every node.

    ``rank`` is within the class where the definition ranks by class; ``tied`` is the number of units sharing it; ``raised_to``
    is what the score counted as in the mean above, where that mean raises it to its floor.
    """
    depth, rows = levels(system), []
    for year in years:
        statuses = node_statuses(system, year)
        for node, level in sorted(depth.items(), key=lambda item: (item[1], list(depth).index(item[0]))):
            rows += _node_rows(system, year, node, level, statuses[node])
    return frame_of(rows, SCORE_COLUMNS)


def _node_rows(
    system: ScoringSystem, year: ScoredYear, node: str, level: int, statuses: Sequence[str]
) -> list[tuple[object, ...]]:
    table, scores = year.table, year.node(system, node)
    sizes = {c: table.classes.count(c) for c in set(table.classes)}
    coverage = year.means[node].coverage if node in year.means else np.where(np.isnan(scores), 0.0, 1.0)
    within, shown = ranks(system, table, scores)[1], places_of(system, table, scores)
    tied = [0] * len(scores)
    for inside in compared(system, table, scores).values():
        for k, count in zip(inside, tied_with(scores[inside], system.tie_decimals), strict=True):
            tied[k] = count
    large = large_classes(system, table, scores)
    raised = _raised(system, year, node)
    rows: list[tuple[object, ...]] = []
    for k, unit in enumerate(table.units):
        note = _why_no_score(system, year, node, k, float(coverage[k])) if np.isnan(scores[k]) else ""
        if system.rank_within_class and level == 0 and table.classes[k] not in large:
            count = sum(c == table.classes[k] and not np.isnan(s) for c, s in zip(table.classes, scores, strict=True))
            note = f"同类有得分的只有 {count} 个,不排名次。{note}"
        rows.append(
            (table.year, unit, table.names[k], table.classes[k], level, node, system.name_of(node), float(scores[k]), statuses[k],
             displayed(float(scores[k]), system.decimals, statuses[k]), float(coverage[k]), shown[k],
             rank_display(shown[k], float(scores[k])), tied[k], within[k], sizes[table.classes[k]], float(raised[k]), note)
        )  # fmt: skip
    return rows


def parent_of(system: ScoringSystem, node: str) -> Group | None:
    """The group a node belongs to; None for the index itself."""
    return next((g for g in system.groups if node in g.children), None)


def _raised(system: ScoringSystem, year: ScoredYear, node: str) -> Floats:
    """The floor where a score lies below the floor of the mean it went into, else NaN; into a mean that is missing went nothing."""
    scores, above = year.node(system, node), parent_of(system, node)
    if above is None or above.floor is None:
        return np.full(len(scores), np.nan)
    counts = year.weights[above.id].values[..., above.children.index(node)] > 0
    entered = counts & ~np.isnan(year.means[above.id].scores)
    return np.asarray(np.where(entered & (scores < above.floor), above.floor, np.nan), dtype=np.float64)


def raised_findings(system: ScoringSystem, year: ScoredYear) -> list[str]:
    """One sentence a group in whose mean scores were raised to the floor, with the cases."""
    said = []
    for group in system.groups:
        raised = {child: _raised(system, year, child) for child in group.children}
        cases = [
            f"{unit} 的 {child} {significant(float(year.node(system, child)[row]))}"
            for child in group.children
            for row, unit in enumerate(year.table.units)
            if not np.isnan(raised[child][row])
        ]
        if cases:
            said.append(
                f"{group.id} 按 {group.aggregation.method} 合成,有 {len(cases)} 个得分低于下限 {group.floor:g},按下限计入"
                f"({_some(cases)};逐格见 scores.csv 的 raised_to)。"
            )
    return said


def missing_findings(system: ScoringSystem, year: ScoredYear) -> list[str]:
    """Who has no index and why, and whom no weights suit in a group where every unit has its own."""
    said = []
    for group in system.groups:
        cases = [
            f"{year.table.units[row]}({why.rstrip('。')})"
            for row, why in sorted(year.weights[group.id].reasons.items())
        ]
        if cases:
            said.append(
                f"{group.id}:{_some(cases)}没有得分;无量纲化不出 0 分(如 minmax 用 low = 1)或放宽份额界限可避免。"
            )
    root = system.root.id
    scores, coverage = year.means[root].scores, year.means[root].coverage
    rows = [k for k in range(len(scores)) if np.isnan(scores[k]) and k not in year.weights[root].reasons]
    cases = [
        f"{year.table.units[k]}({_why_no_score(system, year, root, k, float(coverage[k])).rstrip('。')})" for k in rows
    ]
    return [*said, f"没有总得分:{_some(cases)}。"] if cases else said


def _some(cases: Sequence[str]) -> str:
    return "、".join(cases[:5]) + (f" 等 {len(cases)} 个" if len(cases) > 5 else "")


def _why_no_score(system: ScoringSystem, year: ScoredYear, node: str, row: int, coverage: float) -> str:
    if node in system.position:
        return cell_note(system, year, row, system.position[node])
    group = system.by_id[node]
    if row in year.weights[node].reasons:
        return year.weights[node].reasons[row]
    if coverage == 0.0:
        return "下级都没有得分。"
    if group.aggregation.effective["missing"] == "null" and coverage < FULL:
        return f"可用权重占 {percent(coverage)},有下级缺数即不计算(missing = null)。"
    return f"可用权重占 {percent(coverage)},低于 {percent(group.aggregation.number('minimum_coverage'))},不足以计算。"


CELL_COLUMNS: Final = {
    "year": pl.String, "unit": pl.String, "indicator": pl.String, "indicator_name": pl.String, "figure": pl.Float64,
    "denominator": pl.Float64, "value": pl.Float64, "status": pl.String, "display": pl.String, "imputed": pl.String,
    "value_used": pl.Float64, "treated": pl.String, "value_treated": pl.Float64, "previous": pl.Float64, "score": pl.Float64,
    "score_used": pl.Float64, "weight": pl.Float64, "points": pl.Float64, "note": pl.String,
}  # fmt: skip


def cells_frame(system: ScoringSystem, years: Sequence[ScoredYear]) -> pl.DataFrame:
    """The way of every cell: figure, denominator, value and its status, imputed by what, treated how, what growth is measured
    from, score, the score as it counts in the mean above, weight in the unit's index, points.

    ``weight`` and ``points`` are those of ``index_parts``: the points of a unit sum to its index where all its means are sums.
    """
    rows: list[tuple[object, ...]] = []
    for year in years:
        parts = index_parts(system, year)
        for k, leaf in enumerate(system.leaves):
            raised = _raised(system, year, leaf.id)
            rows += [_cell(system, year, leaf, k, row, parts, float(raised[row])) for row in range(len(raised))]
    return frame_of(rows, CELL_COLUMNS)


def _cell(
    system: ScoringSystem, year: ScoredYear, leaf: Leaf, k: int, row: int, parts: IndexParts, raised: float
) -> tuple[object, ...]:
    prepared, treatment = year.prepared, year.prepared.treatments[k]
    used, score = prepared.imputed.values[row, k], float(year.scores[row, k])
    held = not np.isnan(used) and not treatment.low <= used <= treatment.high
    words = ("截尾" if held else "") + ("" if treatment.kind == "none" or np.isnan(used) else treatment.kind)
    below = year.table.denominators[row, k] if leaf.denominator else np.nan
    before = next((float(year.parameters[k][name][row]) for name in BY_UNIT if name in year.parameters[k]), np.nan)
    status = value_status(prepared, row, k)
    return (
        year.table.year, year.table.units[row], leaf.id, leaf.name, float(year.table.figures[row, k]), float(below),
        float(prepared.reported[row, k]), status, displayed(float(used), DECIMALS, published(status)),
        leaf.imputation.method if prepared.imputed.filled[row, k] else "", float(used), words, float(prepared.treated[row, k]),
        before, score, score if np.isnan(raised) else raised, float(parts.weights[row, k]), float(parts.points[row, k]),
        cell_note(system, year, row, k),
    )  # fmt: skip


WEIGHT_COLUMNS: Final = dict.fromkeys(("year", "group", "child", "child_name", "unit", "method"), pl.String) | {
    "weight": pl.Float64, "multiplier": pl.Float64, "note": pl.String,
}  # fmt: skip


def weights_frame(system: ScoringSystem, years: Sequence[ScoredYear]) -> pl.DataFrame:
    """Weight of every child in its group, summing to one; by unit where every unit has its own weights.

    There ``weight`` is the child's share of the unit's score (pie share), which does not hang on scales, and ``multiplier`` what
    its score was multiplied by.
    """
    rows: list[tuple[object, ...]] = []
    for year in years:
        for group in reversed(system.groups):
            weights, head = year.weights[group.id], (year.table.year, group.id)
            said = " ".join(weights.notes)
            if weights.shares is None:
                shares = weights.values / weights.values.sum()
                rows += [
                    (*head, child, system.name_of(child), "", group.weights.method, float(w), None, said)
                    for child, w in zip(group.children, shares, strict=True)
                ]
                continue
            for row, unit in enumerate(year.table.units):
                note = weights.reasons.get(row, said)
                rows += [
                    (*head, child, system.name_of(child), unit, group.weights.method, float(weights.shares[row, k]),
                     float(weights.values[row, k]), note)
                    for k, child in enumerate(group.children)
                ]  # fmt: skip
    return frame_of(rows, WEIGHT_COLUMNS)


PARAMETER_COLUMNS: Final = dict.fromkeys(
    ("year", "node", "node_name", "step", "method", "unit_class", "parameter"), pl.String
) | {"value": pl.Float64, "text": pl.String, "note": pl.String}


def parameters_frame(system: ScoringSystem, years: Sequence[ScoredYear]) -> pl.DataFrame:
    """Every parameter the scores were computed with, given, defaulted or found in the data: options of every step of every
    indicator and group, outlier bounds, moments, goalposts (by class where they differ), rules of ranking."""
    rows: list[tuple[object, ...]] = []
    for year in years:
        head = (year.table.year, system.root.id, system.root.name)
        ranking = {
            "within": "class" if system.rank_within_class else "all", "minimum_class_size": system.minimum_class_size,
            "tie_decimals": system.tie_decimals, "decimals": system.decimals,
        }  # fmt: skip
        rows += [(*head, "ranking", "competition", *row, "") for row in _options(ranking)]
        for k, leaf in enumerate(system.leaves):
            rows += _leaf_parameters(system, year, leaf, k)
        for group in reversed(system.groups):
            rows += _group_parameters(year, group)
    return frame_of(rows, PARAMETER_COLUMNS)


def _options(options: Mapping[str, Any]) -> Iterator[tuple[str, str, float | None, str]]:
    """(class, parameter, number, text) of every option that is used."""
    for name, value in options.items():
        if isinstance(value, Mapping):
            yield from (("", f"{name}[{key}]", float(v), "") for key, v in value.items())
        elif isinstance(value, str):
            yield "", name, None, value
        elif value is not None:
            yield "", name, float(value), ""


def _leaf_parameters(system: ScoringSystem, year: ScoredYear, leaf: Leaf, k: int) -> Iterator[tuple[object, ...]]:
    head = (year.table.year, leaf.id, leaf.name)
    value = {
        "column": leaf.column, "denominator": leaf.denominator or None, "factor": leaf.factor,
    }  # fmt: skip
    yield from ((*head, "value", "", *row, "") for row in _options(value))
    yield from ((*head, "imputation", leaf.imputation.method, *row, "") for row in _options(leaf.imputation.effective))
    treatment = year.prepared.treatments[k]
    found = {
        "skewness_before": treatment.skewness[0], "skewness_after": treatment.skewness[1],
        "kurtosis_before": treatment.kurtosis[0], "kurtosis_after": treatment.kurtosis[1],
        "low": treatment.low, "high": treatment.high, "points": float(treatment.points), "transformation": treatment.kind,
        "shift": treatment.shift if treatment.kind != "none" else None,
        "power": treatment.power if treatment.kind == "box_cox" else None,
    }  # fmt: skip
    known = {n: v for n, v in found.items() if not isinstance(v, float) or np.isfinite(v)}
    for row in _options(dict(leaf.outliers.effective) | known):
        yield *head, "outliers", leaf.outliers.method, *row, treatment.note
    if "outranking" in system.orders:
        yield *head, "preference", leaf.preference.method, "", "function", None, leaf.preference.method, ""
        yield from (
            (*head, "preference", leaf.preference.method, *row, "") for row in _options(leaf.preference.effective)
        )
    yield *head, "normalisation", leaf.normalisation.method, "", "direction", float(leaf.direction), "", ""
    yield from (
        (*head, "normalisation", leaf.normalisation.method, *row, "") for row in _normalisation(year, leaf.normalisation, k)
    )  # fmt: skip


def _normalisation(year: ScoredYear, step: Step, k: int) -> Iterator[tuple[str, str, float | None, str]]:
    parameters = year.parameters[k]
    yield from _options({n: v for n, v in step.effective.items() if n not in parameters and n != "by_class"})
    for name, values in parameters.items():
        if name in BY_UNIT and len(np.unique(values[~np.isnan(values)])) > 1:
            continue
        by_class = {c: float(v) for c, v in zip(year.table.classes, values, strict=True) if np.isfinite(v)}
        if len(set(by_class.values())) == 1:
            by_class = {"": next(iter(by_class.values()))}
        yield from ((c, name, v, "") for c, v in sorted(by_class.items()))


def _group_parameters(year: ScoredYear, group: Group) -> Iterator[tuple[object, ...]]:
    head, weights = (year.table.year, group.id, group.name), group.weights
    own = dict(weights.effective)
    if weights.method == "target_importance":
        own["importance"] = {c: (own["importance"] or {}).get(c, 1.0) for c in group.children}
    yield from (
        (*head, "weights", weights.method, *row, "")
        for row in _options(own | dict(year.weights[group.id].details))
    )  # fmt: skip
    means = {**group.aggregation.effective, "power": group.power, "floor": group.floor}
    yield from ((*head, "aggregation", group.aggregation.method, *row, "") for row in _options(means))


def plan_parameters(
    system: ScoringSystem, year: ScoredYear, plan: RobustnessPlan, draws: int, seed: int
) -> pl.DataFrame:
    """The parameters of the draws, in the columns of ``parameters_frame``."""
    head = (year.table.year, system.root.id, system.root.name, "uncertainty", "monte_carlo")
    own = {
        "draws": draws, "seed": seed, "weights": plan.weights,
        "weight_share": plan.weight_share if plan.weights == "share" else None,
        "concentration": plan.concentration if plan.weights == "dirichlet" else None,
        "normalisation": "、".join(plan.normalisation), "aggregation": "、".join(plan.aggregation),
        "imputation": "、".join(plan.imputation), "weighting": "、".join(plan.weighting), "errors": plan.errors, "level": plan.level, "bootstrap": plan.bootstrap,
    }  # fmt: skip
    return frame_of([(*head, *row, "") for row in _options(own)], PARAMETER_COLUMNS)
