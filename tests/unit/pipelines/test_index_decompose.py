"""Decompositions are exact, symmetric and agree with published Shapley values."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from itertools import permutations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.methods.index.decompose import Difference, difference, standing
from pipelines.methods.index.definition import ScoringSystem, parse_system
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
    from pipelines.methods.index.aggregate import aggregated

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


def test_an_indicator_reported_only_once_is_coverage() -> None:
    own = tree("arithmetic")
    rows = {
        "a": ["0", "10", "4", "5", "6"],
        "b": ["9", "1", "", "5", "6"],
        "c": ["0", "10", "5", "5", "6"],
        "d": ["1", "2", "3", "4", "5"],
    }
    frame = pl.DataFrame({"unit": ["L", "H", "U", "V", "W"], "year": ["2015"] * 5, **rows})
    (year,) = score_years(own, unit_tables(frame, own, "d.csv"), {})
    found = difference(own, standing(own, year, "U"), standing(own, year, "V"))
    assert found is not None
    # V has b = 50 (reversed): D1 is (50 + 3·50)/4 = 50 with it and a = 50 without it; U has a alone
    assert found.coverage == pytest.approx(0.0)
    other = difference(own, standing(own, year, "U"), standing(own, year, "W"))
    assert other is not None
    # W: a = 60, b = (9-6)/8 = 37.5: D1 = 43.125, without b 60; 2/3 of the loss
    assert other.coverage == pytest.approx(2 / 3 * (43.125 - 60))
    assert parts(other) == pytest.approx(other.total)


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
