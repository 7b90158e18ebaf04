"""Decompositions are exact, symmetric and agree with published Shapley values."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.methods.index.aggregate import aggregated
from pipelines.methods.index.decompose import Difference, Standing, difference, standing, without_thresholds
from pipelines.methods.index.definition import ScoringSystem, parse_system
from pipelines.methods.index.results import differences_frame
from pipelines.methods.index.score import ScoredYear, score_years
from pipelines.methods.index.shapley import owen_values, shapley_of, shapley_values
from pipelines.methods.index.table import unit_tables


def test_the_glove_game_and_the_airport_game_have_their_known_values() -> None:
    gloves = shapley_of(lambda s: float("3" in s and len(s) > 1), ["1", "2", "3"])
    assert gloves == pytest.approx({"1": 1 / 6, "2": 1 / 6, "3": 4 / 6})
    cost = {"1": 100.0, "2": 160.0, "3": 200.0}
    airport = shapley_of(lambda s: max((cost[p] for p in s), default=0.0), list(cost))
    assert airport == pytest.approx({"1": 100 / 3, "2": 190 / 3, "3": 310 / 3})
    pilots = [40, 50, 60, 70, 80, 90]
    worth = np.array([max([pilots[k] for k in range(6) if m >> k & 1], default=0) for m in range(64)], dtype=float)
    assert (shapley_values(worth, 6) * 6).tolist() == pytest.approx([40, 52, 67, 87, 117, 177])


def system(text: str) -> ScoringSystem:
    return parse_system(tomllib.loads(text), lambda key, value: "t.toml")


def tree(method: str) -> ScoringSystem:
    return system(
        f"""
title = "树"
[data]
year = "year"
[normalisation]
method = "minmax"
[aggregation]
method = "{method}"
[[group]]
id = "T"
[[group]]
id = "D1"
parent = "T"
weight = 2
[[group]]
id = "D2"
parent = "T"
weight = 1
[[indicator]]
id = "a"
parent = "D1"
weight = 1
[[indicator]]
id = "b"
parent = "D1"
weight = 3
direction = "negative"
[[indicator]]
id = "c"
parent = "D2"
weight = 1
[[indicator]]
id = "d"
parent = "D2"
weight = 1
normalisation = {{ method = "zscore" }}
"""
    )


def owen_by_orders(
    own: ScoringSystem, low: np.ndarray, high: np.ndarray, weights: dict[str, np.ndarray]
) -> list[float]:
    """Average gain over all orders in which the members of a group stand together."""

    def worth(members: set[int]) -> float:
        scores = np.array([high[k] if k in members else low[k] for k in range(4)])[np.newaxis]
        return float(aggregated(own, scores, weights)["T"].scores[0])

    orders = [
        [*first, *second]
        for groups in permutations([[0, 1], [2, 3]])
        for first in permutations(groups[0])
        for second in permutations(groups[1])
    ]
    gain = np.zeros(4)
    for order in orders:
        members: set[int] = set()
        for k in order:
            before = worth(members)
            members.add(k)
            gain[k] += worth(members) - before
    return list(gain / len(orders))


@pytest.mark.parametrize("method", ["arithmetic", "geometric", "harmonic"])
def test_owen_values_are_averages_over_the_orders_that_keep_groups_together(method: str) -> None:
    own = tree(method)
    weights = {"T": np.array([2 / 3, 1 / 3]), "D1": np.array([0.25, 0.75]), "D2": np.array([0.5, 0.5])}
    low, high = np.array([20.0, 50, 80, 10]), np.array([60.0, 30, 90, 40])
    found = owen_values(own, low, high, weights)
    assert found is not None
    assert found.tolist() == pytest.approx(owen_by_orders(own, low, high, weights))


figure = st.floats(min_value=1, max_value=100).map(lambda x: round(x, 2))
maybe = st.one_of(figure, figure, figure, st.none())


def parts(found: Difference) -> float:
    return found.figures + found.weights + found.parameters + found.coverage


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["arithmetic", "geometric", "harmonic"]),
    st.lists(st.tuples(maybe, maybe, maybe, figure), min_size=12, max_size=12),
)
def test_the_parts_of_any_difference_sum_to_it(method: str, rows: list[tuple[float | None, ...]]) -> None:
    own = tree(method)
    frame = pl.DataFrame(
        {
            "unit": [f"U{k % 6}" for k in range(12)],
            "year": ["2015"] * 6 + ["2016"] * 6,
            **{c: [None if r[k] is None else str(r[k]) for r in rows] for k, c in enumerate("abcd")},
        },
        schema_overrides=dict.fromkeys("abcd", pl.String),
    )
    before, after = score_years(own, unit_tables(frame, own, "d.csv"), {})
    for unit in ("U0", "U1"):
        found = difference(own, standing(own, before, unit), standing(own, after, unit))
        if found is not None:
            assert parts(found) == pytest.approx(found.total, abs=1e-8)
            assert found.indicators.sum() == pytest.approx(found.figures, abs=1e-8)
    across = difference(own, standing(own, after, "U2"), standing(own, after, "U3"))
    back = difference(own, standing(own, after, "U3"), standing(own, after, "U2"))
    if across is not None and back is not None:
        assert parts(across) == pytest.approx(across.total, abs=1e-8)
        assert across.indicators == pytest.approx(-back.indicators, abs=1e-8)
        assert across.weights == pytest.approx(0.0, abs=1e-9)
        assert across.parameters == pytest.approx(0.0, abs=1e-9)


def test_moved_goalposts_and_a_figure_by_hand() -> None:
    text = """
title = "柱"
[data]
year = "year"
[[group]]
id = "T"
[[indicator]]
id = "a"
parent = "T"
weight = 1
"""
    own = system(text)
    frame = pl.DataFrame(
        {"unit": ["L", "U", "H"] * 2, "year": ["2015"] * 3 + ["2016"] * 3, "a": ["0", "5", "10", "0", "8", "20"]}
    )
    before, after = score_years(own, unit_tables(frame, own, "d.csv"), {})
    found = difference(own, standing(own, before, "U"), standing(own, after, "U"))
    assert found is not None
    # 50 → 40; figures 5 → 8 under posts (0,10): +30, under (0,20): +15, mean 22.5; posts: -25 at 5, -40 at 8: -32.5
    assert (found.total, found.figures, found.parameters, found.weights) == pytest.approx((-10, 22.5, -32.5, 0))


def test_an_indicator_that_counts_on_one_side_only_is_a_step_by_hand() -> None:
    own = tree("arithmetic")
    rows = {
        "a": ["0", "10", "4", "5", "6"],
        "b": ["9", "1", "", "5", "6"],
        "c": ["0", "10", "5", "5", "6"],
        "d": ["1", "2", "3", "3", "3"],
    }
    frame = pl.DataFrame({"unit": ["L", "H", "U", "V", "W"], "year": ["2015"] * 5, **rows})
    (year,) = score_years(own, unit_tables(frame, own, "d.csv"), {})
    found = difference(own, standing(own, year, "U"), standing(own, year, "V"))
    assert found is not None
    # U has a = 40 alone in D1 (weight 2/3 of the whole), V a = 50 and b = 50, weights 1 and 3. Adding b = 50 to a = 40 makes
    # (40 + 150)/4 = 47.5: +7.5; to a = 50: 50, +0. Coverage 2/3 · 3.75; a: 2/3 of the mean of 10 (alone) and 2.5 (of a quarter)
    assert found.coverage == pytest.approx(2.5)
    assert found.indicators.tolist() == pytest.approx([2 / 3 * 6.25, 0, 0, 0])
    other = difference(own, standing(own, year, "U"), standing(own, year, "W"))
    assert other is not None
    # W: a = 60, b = (9-6)/8 = 37.5; b takes 40 to 38.125 (-1.875) and 60 to 43.125 (-16.875)
    assert other.coverage == pytest.approx(2 / 3 * (-1.875 - 16.875) / 2)
    assert other.indicators[0] == pytest.approx(2 / 3 * (20 + 5) / 2) and parts(other) == pytest.approx(other.total)
    written = differences_frame(own, [other]).filter(kind="coverage")
    assert written["note"].to_list() == ["只有后者计入:b"]
    back = difference(own, standing(own, year, "W"), standing(own, year, "U"))
    assert back is not None and back.coverage == pytest.approx(-other.coverage)
    assert differences_frame(own, [back]).filter(kind="coverage")["note"].to_list() == ["只有前者计入:b"]


def test_a_group_below_its_minimum_coverage_takes_its_indicators_out() -> None:
    text = POSTS.replace('title = "修订"', 'title = "柱"') + (
        '[[group]]\nid = "G"\nparent = "T"\nweight = 4\naggregation = { method = "arithmetic", minimum_coverage = 0.6 }\n'
        '[[indicator]]\nid = "c"\nparent = "G"\nweight = 1\n[[indicator]]\nid = "d"\nparent = "G"\nweight = 1\n'
    )
    own = system(text)
    frame = pl.DataFrame(
        {"unit": ["U", "U"], "year": ["2015", "2016"], "a": ["100", "100"], "b": ["100", "100"], "c": ["20", "20"], "d": ["", "60"]}
    )  # fmt: skip
    before, after = (standing(own, y, "U") for y in score_years(own, unit_tables(frame, own, "d.csv"), {}))
    assert before.counted.tolist() == [True, True, False, False]
    found = difference(own, before, after)
    # 50 without G, of which c and d make 10 and 30: 20 in half of the weight; no figure moved
    assert found is not None and found.coverage == pytest.approx(-15.0) == found.total
    assert found.figures == found.weights == found.parameters == 0.0


def by_orders(own: ScoringSystem, before: Standing, after: Standing) -> dict[str, float]:
    """The steps computed again for indicators on fixed goalposts: presence, figures and weights moved in every order, plain loops."""
    players = ("coverage", "figures", "weights")
    free = without_thresholds(own)

    def worth(moved: Sequence[str]) -> float:
        side = {p: after if p in moved else before for p in players}
        other = {id(before): after, id(after): before}
        scores = []
        for k in range(len(own.leaves)):
            known = side["figures"] if not np.isnan(side["figures"].scores[k]) else other[id(side["figures"])]
            scores.append(known.scores[k] if side["coverage"].counted[k] else np.nan)
        wide = {g: w[np.newaxis] for g, w in side["weights"].weights.items()}
        return float(aggregated(free, np.array(scores)[np.newaxis], wide)[own.root.id].scores[0])

    gains = dict.fromkeys(players, 0.0)
    for order in permutations(players):
        for k, player in enumerate(order):
            gains[player] += (worth(order[: k + 1]) - worth(order[:k])) / 6
    return gains


FIXED = """
title = "固定"
[data]
year = "year"
[normalisation]
method = "goalposts"
worst = 0
best = 100
[aggregation]
method = "{method}"
{rule}
[[group]]
id = "T"
[[group]]
id = "D1"
parent = "T"
weight = {w[4]}
[[group]]
id = "D2"
parent = "T"
weight = {w[5]}
[[indicator]]
id = "a"
parent = "D1"
weight = {w[0]}
[[indicator]]
id = "b"
parent = "D1"
weight = {w[1]}
[[indicator]]
id = "c"
parent = "D2"
weight = {w[2]}
[[indicator]]
id = "d"
parent = "D2"
weight = {w[3]}
"""
RULES = ('missing = "redistribute"', 'missing = "null"', 'missing = "base"', "minimum_coverage = 0.4")


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["arithmetic", "geometric", "harmonic"]),
    st.sampled_from(RULES),
    st.lists(maybe, min_size=4, max_size=4),
    st.lists(maybe, min_size=4, max_size=4),
    st.tuples(*[st.integers(1, 9)] * 6),
)
def test_steps_sum_swap_sign_and_vanish_where_nothing_differs(
    method: str, rule: str, one: list[float | None], two: list[float | None], drawn: tuple[int, ...]
) -> None:
    if 'missing = "base"' in rule:
        method = "arithmetic"
    own, other = (system(FIXED.format(method=method, rule=rule, w=w)) for w in ((1, 3, 1, 1, 2, 1), drawn))
    frame = pl.DataFrame(
        {"unit": ["U", "V"], "year": ["2015", "2015"]} | {c: [None if v is None else str(v) for v in (one[k], two[k])] for k, c in enumerate("abcd")},
        schema_overrides=dict.fromkeys("abcd", pl.String),
    )  # fmt: skip
    (mine,), (theirs,) = (score_years(s, unit_tables(frame, s, "d.csv"), {}) for s in (own, other))
    first, second = standing(own, mine, "U"), standing(other, theirs, "V")
    found, back = difference(own, first, second), difference(own, second, first)
    assert (found is None) == bool(np.isnan(first.index) or np.isnan(second.index)) == (back is None)
    if found is None or back is None:
        return
    assert parts(found) == pytest.approx(found.total, abs=1e-9)
    assert found.indicators.sum() == pytest.approx(found.figures, abs=1e-9)
    again = by_orders(own, first, second)
    told = {"coverage": found.coverage, "figures": found.figures, "weights": found.weights}
    assert told == pytest.approx(again, abs=1e-9)
    for step in ("coverage", "figures", "weights", "parameters"):
        assert getattr(found, step) == pytest.approx(-getattr(back, step), abs=1e-9)
    assert found.indicators == pytest.approx(-back.indicators, abs=1e-9)
    if np.array_equal(first.counted, second.counted):
        assert found.coverage == 0.0
    gone = np.array([u is None or v is None for u, v in zip(one, two, strict=True)])
    assert np.abs(found.indicators[gone]).max(initial=0.0) < 1e-9  # one figure alone does not move
    alone = difference(own, first, replace(first, unit="X"))
    assert alone is not None
    assert (alone.coverage, alone.weights, alone.parameters, alone.figures) == (0.0, 0.0, 0.0, 0.0)


POSTS = """
title = "修订"
[data]
year = "year"
[normalisation]
method = "goalposts"
worst = 0
best = 200
[[group]]
id = "T"
[[indicator]]
id = "a"
parent = "T"
weight = 3
[[indicator]]
id = "b"
parent = "T"
weight = 1
"""


def years_of(own: ScoringSystem, a: Sequence[object], b: Sequence[object]) -> list[ScoredYear]:
    frame = pl.DataFrame({"unit": ["U"] * len(a), "year": [str(2010 + k) for k in range(len(a))], "a": [str(v) for v in a], "b": [str(v) for v in b]})  # fmt: skip
    return list(score_years(own, unit_tables(frame, own, "d.csv"), {}))


def test_revised_data_are_a_step_of_their_own_by_hand() -> None:
    own = system(POSTS)
    # as published 100 and 40; revised 104 and 40; now 120 and 80
    published, revised, now = years_of(own, [100, 104, 120], [40, 40, 80])
    found = difference(own, *(standing(own, y, "U") for y in (published, now, revised)))
    assert found is not None and found.revisions is not None
    # ¾ · 4/2 = 1.5 of the revision; ¾ · 16/2 = 6 and ¼ · 40/2 = 5 of the movement from the revised figures
    assert found.revised == pytest.approx(1.5) and found.revisions.tolist() == pytest.approx([1.5, 0.0])
    assert found.figures == pytest.approx(11.0) and found.indicators.tolist() == pytest.approx([6.0, 5.0])
    assert found.total == pytest.approx(12.5)


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(["arithmetic", "geometric", "harmonic"]),
    st.lists(st.tuples(maybe, maybe, maybe, figure), min_size=15, max_size=15),
)
def test_parts_with_revised_data_sum_to_the_difference(method: str, rows: list[tuple[float | None, ...]]) -> None:
    own = tree(method)
    frame = pl.DataFrame(
        {
            "unit": [f"U{k % 5}" for k in range(15)],
            "year": [str(2010 + k // 5) for k in range(15)],
            **{c: [None if r[k] is None else str(r[k]) for r in rows] for k, c in enumerate("abcd")},
        },
        schema_overrides=dict.fromkeys("abcd", pl.String),
    )
    years = score_years(own, unit_tables(frame, own, "d.csv"), {})
    published, revised, now = (standing(own, y, "U0") for y in years)
    found = difference(own, published, now, revised)
    if found is None:
        return
    assert found.revisions is not None
    assert parts(found) + found.revised == pytest.approx(found.total, abs=1e-8)
    assert found.revisions.sum() == pytest.approx(found.revised, abs=1e-8)
    assert found.indicators.sum() == pytest.approx(found.figures, abs=1e-8)
    same = difference(own, published, now, published)
    plain = difference(own, published, now)
    if same is not None and plain is not None:  # a revision that changed nothing leaves the other parts as they were
        assert same.revised == pytest.approx(0.0, abs=1e-9)
        assert same.indicators == pytest.approx(plain.indicators, abs=1e-8)


def test_best_weights_of_what_a_unit_lacks_are_those_of_the_other_side() -> None:
    own = system(
        """
title = "最有利"
[normalisation]
method = "goalposts"
worst = 0
best = 100
[[group]]
id = "T"
weights = { method = "benefit_of_doubt" }
[[indicator]]
id = "a"
parent = "T"
[[indicator]]
id = "b"
parent = "T"
"""
    )
    frame = pl.DataFrame({"unit": ["P", "Q", "U"], "a": ["100", "40", "50"], "b": ["50", "100", ""]})
    (year,) = score_years(own, unit_tables(frame, own, "d.csv"), {})
    lacking, whole = (standing(own, year, u) for u in ("U", "P"))
    found, back = difference(own, lacking, whole), difference(own, whole, lacking)
    assert found is not None and back is not None and lacking.index == pytest.approx(50)
    assert parts(found) == pytest.approx(found.total) and found.coverage == pytest.approx(-back.coverage)
    # U's own weight of b, which it lacks, is of no consequence: P's stands for it
    free = replace(lacking, weights={"T": np.array([lacking.weights["T"][0], 77.0])})
    again = difference(own, free, whole)
    assert again is not None and again.coverage == pytest.approx(found.coverage)
