"""The arithmetic of bounded growth against published figures and the worked dangers of index_system 4.0."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.methods.index.bounded import bounded_growth, capped, contributions, difference, link

# China Innovation Index, sub-indices of 创新环境 2005-2012 as published; tests/golden/index/README.md
CII = np.loadtxt(Path("tests/golden/index/cii_environment.csv"), delimiter=",", skiprows=1)
CII_PUBLISHED, CII_ENVIRONMENT = CII[:, 1].tolist(), CII[:, 2:].T


def test_the_published_innovation_environment_index_comes_out() -> None:
    v = bounded_growth(CII_ENVIRONMENT[:, 1:], CII_ENVIRONMENT[:, :-1]).mean(axis=0)
    levels = np.concatenate([[100.0], 100.0 * np.cumprod(link(v))])
    assert np.round(levels, 1).tolist() == [100, 106.4, 112.1, 114.5, 121.7, 131.0, 138.1, 144.1]
    # the inputs are printed to one digit, so the last printed digit of the result may differ by one
    assert np.abs(np.round(levels, 1) - CII_PUBLISHED).max() <= 0.1 + 1e-9
    assert round(float(CII_ENVIRONMENT[:, -1].mean()), 1) == 148.7  # the plain mean is another index


def test_one_leap_and_ten_steps_to_the_same_value_give_different_indices() -> None:
    def index(path: list[float]) -> float:
        v = 0.5 * bounded_growth(path[1:], path[:-1])
        return 100.0 * float(np.prod(link(v)))

    assert round(index([1.0, 10.0])) == 238
    assert round(index([10.0 ** (k / 10) for k in range(11)])) == 315


@pytest.mark.parametrize(
    ("before", "now", "naive"), [(2.0, -1.0, -600), (-2.0, -4.0, 67), (2.0, -3.0, 1000)], ids=["fall", "worse", "turn"]
)
def test_negative_values_have_no_bounded_growth(before: float, now: float, naive: int) -> None:
    assert round((now - before) / ((now + before) / 2) * 100) == naive  # what the formula would say
    assert np.isnan(bounded_growth(now, before))


def test_zero_to_zero_is_no_change_and_a_start_from_zero_is_the_bound() -> None:
    assert bounded_growth(0.0, 0.0) == 0.0
    assert bounded_growth(7.0, 0.0) == 200.0
    assert bounded_growth(0.0, 7.0) == -200.0
    assert capped(bounded_growth(7.0, 0.0), 50.0) == 50.0


def test_an_uncapped_start_from_zero_moves_the_dimension_by_54_and_the_total_by_6_percent() -> None:
    assert round((float(link(3 / 14 * 200.0)) - 1) * 100, 1) == 54.5
    assert round((float(link(3 / 100 * 200.0)) - 1) * 100, 1) == 6.2


def test_a_difference_is_measured_in_its_scale() -> None:
    assert difference(-1.0, 2.0, 10.0) == pytest.approx(-30.0)


def test_contributions_add_up_by_hand() -> None:
    # w = 1/2 each, V = (20, -10): V_t = 5, I_t = 100 * 205/195 = 105.128; split 10 : -5 of 5
    points = contributions(100.0, np.array([10.0, -5.0]))
    assert points.tolist() == pytest.approx([100 * 20 / 195, -100 * 10 / 195])
    assert points.sum() == pytest.approx(100 * 205 / 195 - 100)


positive = st.floats(min_value=1e-6, max_value=1e9)


@given(positive, positive)
def test_a_single_indicator_chains_back_to_its_own_ratio(before: float, now: float) -> None:
    v = float(bounded_growth(now, before))
    assert -200.0 <= v <= 200.0
    if abs(v) < 199.0:
        assert float(link(v)) == pytest.approx(now / before, rel=1e-6)


@given(positive, positive)
def test_growth_and_its_reversal_cancel(before: float, now: float) -> None:
    assert float(bounded_growth(now, before)) == -float(bounded_growth(before, now))


@given(st.lists(st.floats(min_value=-50, max_value=50), min_size=1, max_size=24), st.floats(min_value=1, max_value=1e4))
def test_contributions_sum_to_the_change_of_the_index(growth: list[float], level: float) -> None:
    parts = np.array(growth) / len(growth)
    change = level * float(link(parts.sum())) - level
    assert math.isclose(float(contributions(level, parts).sum()), change, rel_tol=1e-9, abs_tol=1e-7)
