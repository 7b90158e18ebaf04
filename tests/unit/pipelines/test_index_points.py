"""``weight`` and ``points`` of cells.csv: what a score counts with in its unit's index; points sum to the index where it is a sum."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.methods.index.definition import ScoringSystem, parse_system
from pipelines.methods.index.index_points import index_parts
from pipelines.methods.index.score import ScoredYear, score_years
from pipelines.methods.index.score_tables import raised_findings, scores_frame
from pipelines.methods.index.table import unit_tables

NODES = (("T", "", 1), ("G", "T", 60), ("H", "T", 40))
LEAVES = (("a", "G", 2), ("b", "G", 1), ("c", "H", 1), ("d", "H", 3))


def system(**rules: str) -> ScoringSystem:
    """Two groups of two indicators, values taken as scores; ``rules``: group → its aggregation."""
    groups = [
        {
            "id": i,
            "weight": w,
            **({"parent": p} if p else {}),
            **({"aggregation": RULES[rules[i]]} if i in rules else {}),
        }
        for i, p, w in NODES
    ]
    leaves = [{"id": i, "parent": p, "weight": w} for i, p, w in LEAVES]
    return parse_system(
        {"title": "试", "normalisation": {"method": "none"}, "group": groups, "indicator": leaves}, lambda *_: ""
    )


RULES: dict[str, dict[str, object]] = {
    "half": {"method": "arithmetic", "minimum_coverage": 0.5},
    "null": {"method": "arithmetic", "missing": "null"},
    "base": {"method": "arithmetic", "missing": "base"},
    "geometric": {"method": "geometric"},
    "covered": {"method": "geometric", "minimum_coverage": 0.6},
}


def scored(own: ScoringSystem, *rows: str) -> ScoredYear:
    cells = [f"U{k},{row}".split(",") for k, row in enumerate(rows)]
    frame = pl.DataFrame(cells, schema=["unit", "a", "b", "c", "d"], orient="row")
    return score_years(own, unit_tables(frame, own, "d.csv"), {})[-1]


def test_the_weight_of_a_missing_score_has_gone_to_the_others() -> None:
    own = system()
    parts = index_parts(own, scored(own, "10,20,30,40", "10,,30,40", ",,30,40", ",,,"))
    assert parts.weights[:3].tolist() == [
        pytest.approx(row) for row in ([0.4, 0.2, 0.1, 0.3], [0.6, 0, 0.1, 0.3], [0, 0, 0.25, 0.75])
    ]
    assert parts.points[1].tolist() == pytest.approx([6.0, math.nan, 3.0, 12.0], nan_ok=True)
    assert np.isnan(parts.weights[3]).all() and np.isnan(parts.points[3]).all()


def test_with_missing_as_base_the_weights_sum_to_less_than_one() -> None:
    own = system(T="base", G="base")
    year = scored(own, "10,,30,40", ",,30,40")
    parts = index_parts(own, year)
    assert parts.weights.sum(axis=1).tolist() == pytest.approx([0.8, 0.4])
    assert np.nansum(parts.points, axis=1).tolist() == pytest.approx(year.means["T"].scores.tolist())


def test_a_group_that_is_missing_brings_nothing_in() -> None:
    own = system(G="null")
    parts = index_parts(own, scored(own, "10,,30,40"))
    assert parts.weights[0].tolist() == pytest.approx([0.0, 0.0, 0.25, 0.75])
    assert parts.points[0].tolist() == pytest.approx([0.0, math.nan, 7.5, 30.0], nan_ok=True)


def test_below_a_mean_that_is_no_sum_there_are_no_points() -> None:
    own = system(G="geometric")
    year = scored(own, "10,20,30,40")
    parts = index_parts(own, year)
    assert np.isnan(parts.points[0, :2]).all() and parts.weights[0].sum() == pytest.approx(1.0)
    assert parts.points[0, 2:].sum() == pytest.approx(0.4 * year.means["H"].scores[0])
    assert np.isnan(index_parts(system(T="geometric"), scored(system(T="geometric"), "1,2,3,4")).points).all()


CELL = st.one_of(st.just(""), st.integers(-50, 100).map(str))
ROW = st.tuples(CELL, CELL, CELL, CELL).map(",".join)
RULE = st.sampled_from(["half", "null", "base"])


@settings(max_examples=60, deadline=None)
@given(st.fixed_dictionaries({"T": RULE, "G": RULE, "H": RULE}), st.lists(ROW, min_size=1, max_size=4))
def test_points_sum_to_the_index_whatever_is_missing(rules: dict[str, str], rows: list[str]) -> None:
    own = system(**rules)
    year = scored(own, *rows)
    parts, index = index_parts(own, year), year.means["T"].scores
    there = ~np.isnan(index)
    assert np.nansum(parts.points[there], axis=1).tolist() == pytest.approx(index[there].tolist(), abs=1e-9)
    assert np.isnan(parts.weights[~there]).all() and np.isnan(parts.points[~there]).all()
    if "base" not in rules.values():
        assert parts.weights[there].sum(axis=1).tolist() == pytest.approx([1.0] * int(there.sum()))


def test_only_scores_that_entered_a_mean_count_as_raised_to_its_floor() -> None:
    own = system(G="covered")
    year = scored(own, "-5,20,30,40", ",-6,30,40")  # of the second unit G has a third of its weight: it is missing
    assert [s.split(")")[0] for s in raised_findings(own, year)] == [
        "G 按 geometric 合成,有 1 个得分低于下限 0.01,按下限计入(U0 的 a -5.000;逐格见 scores.csv 的 raised_to"
    ]
    raised = scores_frame(own, [year]).filter(pl.col("raised_to").is_not_null())
    assert raised.select("unit", "node").rows() == [("U0", "a")]
