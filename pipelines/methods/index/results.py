"""What follows from the scores of an index, as frames: strengths, peers, orders, decompositions, intervals, leave-one-out.

Every frame is sorted and its columns are fixed, so that the same input gives the same file. Missing is null, never 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import polars as pl

from pipelines.methods.index.aggregate import aggregated
from pipelines.methods.index.bounded import LIMIT, Floats, link
from pipelines.methods.index.decompose import Difference
from pipelines.methods.index.definition import ScoringSystem
from pipelines.methods.index.orders import (
    KemenyOrder,
    borda_scores,
    competition_ranks,
    copeland_scores,
    kemeny_order,
    outranking,
)
from pipelines.methods.index.preference_flows import Flows, preference_flows
from pipelines.methods.index.rank_spread import RankSpread
from pipelines.methods.index.robustness import FACTOR_NAMES
from pipelines.methods.index.score import (
    ScoredYear,
    compared,
    effective_weights,
    nominal_weights,
    places_of,
)
from pipelines.methods.index.score_tables import frame_of, rank_display
from pipelines.methods.index.sobol import SobolIndices

PEERS: Final = 3
STRENGTHS: Final = 3
CHAINED: Final = frozenset({"bounded_growth", "difference"})


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
    return frame_of(rows, columns)


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
    return frame_of(rows, columns)


ORDER_COLUMNS: Final = {
    "unit_class": pl.String, "order": pl.String, "alternative": pl.Int64, "unit": pl.String, "score": pl.Float64, "rank": pl.Int64,
    "leaving": pl.Float64, "entering": pl.Float64,
}  # fmt: skip
PAIR_COLUMNS: Final = {
    "unit_class": pl.String, "a": pl.String, "b": pl.String, "preference": pl.Float64, "concordance": pl.Float64,
}  # fmt: skip


def orders_frame(system: ScoringSystem, year: ScoredYear) -> tuple[pl.DataFrame, list[str]]:
    """Non-compensatory orders as asked for, and what must be said about them; within the class where ranks are."""
    weights, scores = effective_weights(system, year), year.means[system.root.id].scores
    rows: list[tuple[object, ...]] = []
    said: list[str] = []
    for name, inside in compared(system, year.table, scores).items():
        units = [year.table.units[k] for k in inside]
        matrix = outranking(year.scores[inside], weights)
        for order in system.orders:
            if order == "kemeny":
                found = kemeny_order(matrix)
                said.append(_said_of(found, name))
                for alternative, places in enumerate(found.orders, start=1):
                    rows += [
                        (name, order, alternative, units[k], found.agreement, p, None, None)
                        for p, k in enumerate(places, 1)
                    ]
                continue
            if order == "outranking":
                rows += [(name, order, 1, *row) for row in _flows(system, year, inside)]
                continue
            points = borda_scores(year.scores[inside], weights) if order == "borda" else copeland_scores(matrix)
            rows += [
                (name, order, 1, unit, float(s), r, None, None)
                for unit, s, r in zip(units, points, competition_ranks(points, system.tie_decimals), strict=True)
            ]
    return frame_of(rows, ORDER_COLUMNS), said


def _flows(system: ScoringSystem, year: ScoredYear, inside: Sequence[int]) -> list[tuple[object, ...]]:
    flows = flows_of(system, year, inside)
    ranked = competition_ranks(flows.net, system.tie_decimals)
    return [
        (year.table.units[row], float(flows.net[k]), ranked[k], float(flows.leaving[k]), float(flows.entering[k]))
        for k, row in enumerate(inside)
    ]


def flows_of(system: ScoringSystem, year: ScoredYear, inside: Sequence[int]) -> Flows:
    """Preference flows among some units (rows of the year), each indicator by the preference function of the definition."""
    functions = [leaf.preference for leaf in system.leaves]
    return preference_flows(year.scores[inside], effective_weights(system, year), functions)


def pairs_frame(system: ScoringSystem, year: ScoredYear) -> pl.DataFrame:
    """The pairwise matrices of the orders, one row an ordered pair of units that are ranked together.

    ``preference``: how far a outranks b by the preference functions (PROMETHEE); ``concordance``: weight of the indicators in
    which a is ahead of b, ties half, from which Copeland's and Kemeny's orders come.
    """
    rows: list[tuple[object, ...]] = []
    weights, scores = effective_weights(system, year), year.means[system.root.id].scores
    for name, inside in compared(system, year.table, scores).items():
        matrix, flows = outranking(year.scores[inside], weights), flows_of(system, year, inside)
        rows += [
            (name, year.table.units[a], year.table.units[b], float(flows.preference[i, j]), float(matrix[i, j]))
            for i, a in enumerate(inside)
            for j, b in enumerate(inside)
            if a != b
        ]
    return frame_of(rows, PAIR_COLUMNS)


def _said_of(found: KemenyOrder, unit_class: str) -> str:
    head = f"Kemeny 次序{f'({unit_class})' if unit_class else ''}:"
    if not found.is_exact:
        return head + "循环中的单位过多,用局部搜索求得,是较好次序,不保证最优。"
    if found.count > 1:
        return head + f"有 {found.count} 个同为最优,列出前 {len(found.orders)} 个。"
    return head + "唯一最优,已精确求解。"


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
    """Decompositions, one row a part: revised data and figures by indicator, weights, goalposts and parameters, coverage; they sum to
    ``total``."""
    columns = dict.fromkeys(("unit_before", "year_before", "unit_after", "year_after", "part", "part_name", "kind"), pl.String) | {
        "points": pl.Float64, "total": pl.Float64, "note": pl.String,
    }  # fmt: skip
    rows = []
    for item in found:
        head = (item.before.unit, item.before.year, item.after.unit, item.after.year)
        steps = [("figures", "全部指标的数据", item.figures, item.indicators)]
        if item.revisions is not None:
            steps.insert(0, ("revised", "上年数据的修订", item.revised, item.revisions))
        for kind, name, points, parts in steps:
            if np.isnan(parts).any():
                rows.append((*head, kind, name, kind, points, item.total, item.note))
                continue
            rows += [
                (*head, leaf.id, leaf.name, kind, float(parts[k]), item.total, "")
                for k, leaf in enumerate(system.leaves)
            ]
        rows += [
            (*head, "weights", "权重变动", "weights", item.weights, item.total, ""),
            (*head, "parameters", "目标柱与无量纲化参数变动", "parameters", item.parameters, item.total, ""),
            (*head, "coverage", "计入的指标不同", "coverage", item.coverage, item.total, _one_sided(system, item)),
        ]
    return frame_of(rows, columns)


def _one_sided(system: ScoringSystem, item: Difference) -> str:
    """The indicators that count on one side only, as a note: what the step of coverage is made of."""
    sides = (("只有前者计入", item.before, item.after), ("只有后者计入", item.after, item.before))
    said = []
    for words, own, other in sides:
        if names := [leaf.id for k, leaf in enumerate(system.leaves) if own.counted[k] and not other.counted[k]]:
            said.append(f"{words}:{'、'.join(names)}")
    return ";".join(said)


def uncertainty_frame(system: ScoringSystem, year: ScoredYear, spread: RankSpread, level: float) -> pl.DataFrame:
    """Rank interval, score interval and share of draws in first place of every unit, in order of the nominal rank.

    Units of a class too small to be ranked have no ranks here either; ``score_draws`` draws carry the score interval.
    """
    columns = {
        "unit": pl.String, "unit_name": pl.String, "unit_class": pl.String, "score": pl.Float64, "rank": pl.Int64,
        "rank_display": pl.String, "rank_low": pl.Float64, "rank_median": pl.Float64, "rank_high": pl.Float64,
        "score_low": pl.Float64, "score_median": pl.Float64, "score_high": pl.Float64, "score_draws": pl.Int64,
        "first": pl.Float64, "level": pl.Float64,
    }  # fmt: skip
    scores = year.means[system.root.id].scores
    shown = places_of(system, year.table, scores)
    ranked = {k for inside in compared(system, year.table, scores).values() for k in inside}
    nothing = (None,) * 4
    rows = []
    for k, unit in enumerate(year.table.units):
        placed = (
            (
                float(spread.rank_low[k]),
                float(spread.rank_median[k]),
                float(spread.rank_high[k]),
                float(spread.first[k]),
            )
            if k in ranked
            else nothing
        )
        rows.append(
            (unit, year.table.names[k], year.table.classes[k], float(scores[k]), shown[k], rank_display(shown[k], float(scores[k])),
             *placed[:3], float(spread.score_low[k]), float(spread.score_median[k]), float(spread.score_high[k]),
             spread.score_draws, placed[3], level)
        )  # fmt: skip
    return frame_of(rows, columns).sort("unit_class", "rank", "unit", nulls_last=True)


def ahead_frame(system: ScoringSystem, year: ScoredYear, spread: RankSpread) -> pl.DataFrame:
    """Probability that unit ``a`` scores above unit ``b``, for every ordered pair of units that are ranked together."""
    units = year.table.units
    rows = [
        (units[a], units[b], float(spread.ahead[a, b]))
        for inside in compared(system, year.table, year.means[system.root.id].scores).values()
        for a in inside
        for b in inside
        if a != b
    ]
    return frame_of(rows, {"a": pl.String, "b": pl.String, "probability": pl.Float64}).sort("a", "b")


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
    return frame_of(rows, columns)


def leave_one_out_frame(system: ScoringSystem, year: ScoredYear, found: Mapping[str, Floats]) -> pl.DataFrame:
    """Rank of every unit without one node: (left_out, name, unit, score, rank, shift); shift > 0 is a better place."""
    columns = {
        "left_out": pl.String, "left_out_name": pl.String, "unit": pl.String, "score": pl.Float64, "rank": pl.Int64,
        "rank_display": pl.String, "shift": pl.Int64,
    }  # fmt: skip
    before = places_of(system, year.table, year.means[system.root.id].scores)
    rows = []
    for node, scores in found.items():
        after = places_of(system, year.table, scores)
        for k, unit in enumerate(year.table.units):
            old, new = before[k], after[k]
            shift = None if old is None or new is None else old - new
            rows.append(
                (node, system.name_of(node), unit, float(scores[k]), new, rank_display(new, float(scores[k])), shift)
            )
    return frame_of(rows, columns)


def own_weights_frame(system: ScoringSystem, year: ScoredYear) -> pl.DataFrame:
    """The index by a unit's own weights beside the common one; ranks are by the common weights only (index_system 9.1)."""
    columns = {
        "unit": pl.String,
        "unit_name": pl.String,
        "score": pl.Float64,
        "score_own": pl.Float64,
        "rank": pl.Int64,
        "rank_display": pl.String,
    }
    scores = year.means[system.root.id].scores
    places = places_of(system, year.table, scores)
    rows: list[tuple[object, ...]] = []
    for k, unit in enumerate(year.table.units):
        own = system.own_weights["by_unit"].get(unit) or system.own_weights["by_class"].get(year.table.classes[k])
        if own is None:
            continue
        weights = dict(nominal_weights(year))
        weights[system.root.id] = np.array([own[c] for c in system.root.children]) / 100.0
        by_own = aggregated(system, year.scores, weights)[system.root.id].scores[k]
        shown = rank_display(places[k], float(scores[k]))
        rows.append((unit, year.table.names[k], float(scores[k]), float(by_own), places[k], shown))
    return frame_of(rows, columns)
