from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.methods.index.definition import Leaf
from pipelines.methods.index.normalise import METHODS, Reference, normalised
from pipelines.methods.index.steps import Step
from schemas.errors import DefinitionError

NAN = float("nan")


def leaf(method: str, direction: int = 1, **options: Any) -> Leaf:
    none = Step("none")
    return Leaf("X", "甲", "T", "X", "", direction, 1.0, "", 1.0, none, none, Step(method, options))


def scores(
    x: list[float], method: str, direction: int = 1, previous: list[float] | None = None, **options: Any
) -> list[float]:
    classes = options.pop("classes", ("",) * len(x))
    before = None if previous is None else np.array(previous)
    found = normalised(np.array(x), leaf(method, direction, **options), Reference(tuple(classes), previous=before))
    return np.asarray(found.values).tolist()


def test_minmax_and_its_reverse_and_the_middle_for_no_spread() -> None:
    assert scores([2, 4, 10], "minmax") == [0, 25, 100]
    assert scores([2, 4, 10], "minmax", -1) == [100, 75, 0]
    assert scores([3, 3], "minmax") == [50, 50]
    assert scores([2, NAN, 10], "minmax", low=1, high=10)[::2] == [1, 10]
    assert scores([0, 10, 5, 105], "minmax", within="class", classes="aabb") == [0, 100, 0, 100]


def test_goalposts_hold_within_their_bounds_and_follow_the_class() -> None:
    assert scores([0, 30, 70], "goalposts", worst=10, best=50) == [0, 50, 100]
    assert scores([5, 7], "goalposts", -1, worst=10, best=5) == [100, 60]
    posts = {"a": {"worst": 0, "best": 10}, "b": {"worst": 0, "best": 20}}
    assert scores([5, 5], "goalposts", by_class=posts, classes="ab") == [50, 25]
    with pytest.raises(DefinitionError, match="类别“c”"):
        scores([5], "goalposts", by_class=posts, classes="c")


def test_efficacy_coefficient_by_hand() -> None:
    # d = 60 + (x - 不容许)/(满意 - 不容许) × 40, held in [0, 120]
    assert scores([100, 150, 200, 275, 300, -100], "efficacy", worst=100, best=200) == [60, 80, 100, 120, 120, 0]


def test_zscore_uses_the_sample_deviation_and_wants_five_units() -> None:
    # mean 3, s = sqrt(10/4) = 1.5811
    assert scores([1, 2, 3, 4, 5], "zscore")[::4] == pytest.approx([50 - 20 / 2.5**0.5, 50 + 20 / 2.5**0.5])
    assert scores([4] * 5, "zscore") == [50] * 5
    with pytest.raises(DefinitionError, match="少于 5"):
        scores([1, 2, 3, 4], "zscore")


def test_distances() -> None:
    assert scores([5, 20], "distance_to_target", target=10) == [50, 200]
    assert scores([5, 20], "distance_to_target", -1, target=10) == [200, 50]
    assert scores([5, 20], "distance_to_best") == [25, 100]
    assert scores([5, 20], "distance_to_best", -1) == [100, 25]
    with pytest.raises(DefinitionError, match="倒数"):
        scores([0, 1], "distance_to_best", -1)


def test_ranks_percentiles_and_borda_share_ties() -> None:
    assert scores([10, 30, 20, 20], "rank") == [1, 4, 2.5, 2.5]
    assert scores([10, 30, 20], "rank", -1) == [3, 1, 2]
    assert scores([10, 30, 20, NAN], "percentile")[:3] == [0, 100, 50]
    assert scores([10, 30, 20, 20], "borda") == [0, 3, 1.5, 1.5]


def test_growth_methods_want_a_previous_value_and_refuse_negative_ones() -> None:
    assert scores([6], "base_growth", previous=[5]) == pytest.approx([120])
    assert scores([6], "base_growth", -1, previous=[5]) == pytest.approx([500 / 6])
    assert scores([3, 0], "bounded_growth", previous=[1, 0]) == [100, 0]
    assert scores([3], "bounded_growth", previous=[1], cap=50) == [50]
    assert scores([-4], "difference", previous=[-2], scale=10) == [-20]
    with pytest.raises(DefinitionError, match="负值"):
        scores([-4], "bounded_growth", previous=[-2])
    with pytest.raises(DefinitionError, match="上期"):
        scores([3], "bounded_growth")


def test_a_logarithmic_goalpost_as_in_the_income_index_of_the_hdi() -> None:
    # HDR technical note: ln(3,829/100) / ln(75,000/100) = 0.5506
    assert scores([3829], "goalposts", worst=100, best=75000, log=True, high=1) == pytest.approx([0.5506], abs=5e-5)


@given(
    st.sampled_from(sorted(set(METHODS) - {"bounded_growth", "difference", "base_growth"})),
    st.lists(st.floats(min_value=0.1, max_value=1e6), min_size=5, max_size=9),
    st.sampled_from([1, -1]),
)
def test_better_never_scores_less_and_missing_stays_missing(method: str, x: list[float], direction: int) -> None:
    options: dict[str, Any] = {
        "goalposts": {"worst": 1 if direction > 0 else 1000, "best": 1000 if direction > 0 else 1},
        "efficacy": {"worst": 1 if direction > 0 else 1000, "best": 1000 if direction > 0 else 1},
        "distance_to_target": {"target": 100},
    }.get(method, {})
    found = scores([*x, NAN], method, direction, **options)
    assert np.isnan(found[-1])
    order = np.argsort([direction * v for v in x], kind="stable")
    ordered = np.array(found)[order]
    assert (np.diff(ordered) >= -1e-9 * max(1.0, float(np.abs(ordered).max()))).all()


@given(st.sampled_from(["minmax", "zscore", "rank", "percentile", "distance_to_best"]))
def test_draws_along_leading_axes_are_scored_one_by_one(method: str) -> None:
    x = np.array([[1.0, 5, 2, 8, 4], [9.0, 1, 7, 7, 2]])
    together = normalised(x, leaf(method), Reference(("",) * 5)).values
    assert np.allclose(together[1], normalised(x[1], leaf(method), Reference(("",) * 5)).values)
