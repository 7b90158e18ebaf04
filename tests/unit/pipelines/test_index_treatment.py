"""Outlier treatment and imputation against published examples and by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pipelines.methods.index.definition import Leaf
from pipelines.methods.index.imputation import imputed
from pipelines.methods.index.outliers import excess_kurtosis, fitted, skewness
from pipelines.methods.index.steps import Step
from schemas.errors import DefinitionError

NAN = float("nan")
NONE = Step("none")


def leaf(outliers: Step = NONE, imputation: Step = NONE) -> Leaf:
    return Leaf("X", "甲", "T", "X", "", 1, 1.0, "", 1.0, imputation, outliers, NONE)


def treated(x: list[float], method: str, **options: Any) -> tuple[list[float], int]:
    values = np.array(x, dtype=np.float64)
    treatment = fitted(values, leaf(Step(method, options)))
    return treatment.apply(values).tolist(), treatment.points


def test_skewness_and_kurtosis_are_those_of_the_spreadsheet() -> None:
    x = np.array([3.0, 4, 5, 2, 3, 4, 5, 6, 4, 7])  # the example of Microsoft's pages on SKEW and KURT
    assert skewness(x) == pytest.approx(0.359543071)
    assert excess_kurtosis(x) == pytest.approx(-0.151799637)


def test_one_outlier_takes_the_next_value_as_in_the_tests_of_coinr() -> None:
    x, points = treated([*range(1, 11), 100], "winsorise")
    assert x == [*range(1, 11), 10]
    assert points == 1


def test_two_outliers_of_the_coinr_vignette_are_winsorised_in_two_steps() -> None:
    x, points = treated([*range(1, 11), 30, 100], "winsorise")
    assert x == [*range(1, 11), 30, 30]
    assert points == sum(a != b for a, b in zip(x, [*range(1, 11), 30, 100], strict=True))
    assert abs(skewness(np.array(x))) <= 2 or excess_kurtosis(np.array(x)) <= 3.5


def test_what_is_still_skewed_after_the_allowed_points_is_logged_if_so_defined() -> None:
    # COINr: c(1:20, 100, 200) with one point does not pass, and goes to the logarithm
    data = [*range(1, 21), 100, 200]
    x, points = treated(data, "winsorise", maximum_points=1, then="log")
    assert x == pytest.approx(np.log(data).tolist())
    assert points == 0
    values = np.array(data, dtype=np.float64)
    kept = fitted(values, leaf(Step("winsorise", {"maximum_points": 1})))
    assert "仍超过" in kept.note


def test_the_low_end_is_treated_where_the_skew_is_negative() -> None:
    x, _ = treated([*range(1, 11), -100], "winsorise")
    assert x == [*range(1, 11), 1]


def test_robust_bounds_logs_and_box_cox() -> None:
    # median 3, absolute deviations 2 1 0 1 97: MAD 1, bounds 3 ± 3·1.4826
    assert treated([1, 2, 3, 4, 100], "mad")[0][-1] == pytest.approx(3 + 3 * 1.4826)
    assert treated([1, np.e], "log")[0] == pytest.approx([0, 1])
    # ln(x - min + 0.01 range): smallest ln(0.1)
    assert treated([-5, 0, 5], "log_shifted")[0] == pytest.approx(np.log([0.1, 5.1, 10.1]).tolist())
    assert treated([1, 4, 9], "box_cox", power=0.5)[0] == pytest.approx([0, 2, 4])
    free = treated([1.0, 2, 4, 8, 16, 32, 64], "box_cox")[0]
    assert np.diff(free) == pytest.approx([free[1] - free[0]] * 6, rel=0.05)  # a geometric series wants the logarithm
    with pytest.raises(DefinitionError, match="对数"):
        treated([0, 1], "log")


def fill(
    values: list[list[float]], step: Step, classes: str = "", earlier: list[list[list[float]]] | None = None
) -> Any:
    table = np.array(values, dtype=np.float64)
    leaves = [leaf(imputation=step)] * table.shape[1]
    return imputed(
        table, leaves, list(classes or "x" * len(table)), [np.array(e, dtype=np.float64) for e in earlier or []]
    )


def test_group_means_medians_and_the_record_of_what_was_filled() -> None:
    found = fill([[1], [NAN], [3], [10], [NAN]], Step("mean", {"within": "class"}), "aaabb")
    assert found.values[:, 0].tolist() == [1, 2, 3, 10, 10]
    assert found.filled[:, 0].tolist() == [False, True, False, False, True]
    assert fill([[1], [NAN], [3], [100]], Step("median")).values[1, 0] == 3
    assert np.isnan(fill([[1], [NAN]], Step("mean", {"within": "class"}), "ab").values[1, 0])


def test_a_value_is_carried_from_the_latest_year_within_reach() -> None:
    earlier = [[[5.0], [7.0]], [[6.0], [NAN]]]
    assert fill([[NAN], [NAN]], Step("carry"), earlier=earlier).values[0, 0] == 6
    assert np.isnan(fill([[NAN], [NAN]], Step("carry"), earlier=earlier).values[1, 0])
    assert fill([[NAN], [NAN]], Step("carry", {"periods": 2}), earlier=earlier).values[1, 0] == 7


def test_regression_finds_an_exact_line_and_gives_up_without_predictors() -> None:
    rows = [[float(k), 3.0 + 2.0 * k] for k in range(12)]
    rows[4][1] = NAN
    assert fill(rows, Step("regression")).values[4, 1] == pytest.approx(11.0)
    assert np.isnan(fill(rows[:8], Step("regression")).values[4, 1])


def test_em_recovers_a_strong_relation_and_leaves_reported_figures_alone() -> None:
    random = np.random.default_rng(1)
    base = random.standard_normal(80)
    table = np.column_stack([base, 2 * base + 1 + 0.05 * random.standard_normal(80), random.standard_normal(80)])
    truth = table[7, 1]
    table[7, 1] = NAN
    found = fill(table.tolist(), Step("em"))
    assert found.values[7, 1] == pytest.approx(truth, abs=0.2)
    known = ~np.isnan(table)
    assert np.array_equal(found.values[known], table[known])
    assert not fill(table[:3].tolist(), Step("em")).filled.any()


@pytest.mark.parametrize("method", ["winsorise", "mad", "log", "log_shifted", "box_cox"])
def test_a_column_without_figures_or_without_spread_is_left_alone(method: str) -> None:
    assert np.isnan(treated([NAN, NAN, NAN], method)[0]).all()
    x, points = treated([7.0, 7.0, 7.0], method)
    assert points == 0 and len(set(x)) == 1
