"""Weights and orders against published examples."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.methods.index.benefit_of_doubt import best_case, check_share_bounds
from pipelines.methods.index.expert_weights import (
    budget_weights,
    consistency_ratio,
    hierarchy_weights,
    pairwise_matrices,
    principal_priorities,
)
from pipelines.methods.index.orders import (
    borda_scores,
    competition_ranks,
    copeland_scores,
    kemeny_order,
    outranking,
    tied_with,
)
from pipelines.methods.index.steps import Step
from pipelines.methods.index.weights import (
    entropy_weights,
    principal_component_weights,
    target_importance_weights,
    varimax,
    weights_from_loadings,
)
from schemas.errors import DefinitionError

# Saaty, How to make a decision: the AHP, EJOR 48 (1990): buying a house, eight criteria
HOUSE = np.array(
    [
        [1, 5, 3, 7, 6, 6, 1 / 3, 1 / 4],
        [1 / 5, 1, 1 / 3, 5, 3, 3, 1 / 5, 1 / 7],
        [1 / 3, 3, 1, 6, 3, 4, 6, 1 / 5],
        [1 / 7, 1 / 5, 1 / 6, 1, 1 / 3, 1 / 4, 1 / 7, 1 / 8],
        [1 / 6, 1 / 3, 1 / 3, 3, 1, 1 / 2, 1 / 5, 1 / 6],
        [1 / 6, 1 / 3, 1 / 4, 4, 2, 1, 1 / 5, 1 / 6],
        [3, 5, 1 / 6, 7, 5, 5, 1, 1 / 2],
        [4, 7, 5, 8, 6, 6, 2, 1],
    ]
)


def test_saatys_house_gives_his_priorities_eigenvalue_and_inconsistency() -> None:
    weights, largest = principal_priorities(HOUSE)
    assert np.round(weights, 3).tolist() == [0.173, 0.054, 0.188, 0.018, 0.031, 0.036, 0.167, 0.333]
    assert round(largest, 3) == 9.669
    assert round(consistency_ratio(largest, 8), 3) == 0.169
    with pytest.raises(DefinitionError, match=r"0\.169"):
        hierarchy_weights({"家庭": HOUSE}, 0.1, "ahp.csv")


def test_consistent_comparisons_return_the_ratios_they_were_made_from() -> None:
    answers = pl.DataFrame(
        {"expert": "甲", "left": ["A", "A", "B"], "right": ["B", "C", "C"], "ratio": ["2", "6", "3"]}
    )
    found = hierarchy_weights(pairwise_matrices(answers, ["A", "B", "C"], "ahp.csv"), 0.1, "ahp.csv")
    assert found.values.tolist() == pytest.approx([0.6, 0.3, 0.1])
    with pytest.raises(DefinitionError, match="没有比较"):
        pairwise_matrices(answers[:2], ["A", "B", "C"], "ahp.csv")
    with pytest.raises(DefinitionError, match="1/9"):
        pairwise_matrices(answers.with_columns(ratio=pl.lit("12")), ["A", "B", "C"], "ahp.csv")


def test_budgets_must_spend_one_hundred_points() -> None:
    answers = pl.DataFrame({"expert": ["甲", "乙"], "A": ["60", "40"], "B": ["40", "60"]})
    assert budget_weights(answers, ["A", "B"], "b.csv").values.tolist() == [0.5, 0.5]
    with pytest.raises(DefinitionError, match=r"b\.csv:3"):
        budget_weights(answers.with_columns(B=pl.Series(["40", "50"])), ["A", "B"], "b.csv")


def test_factor_loadings_of_the_technology_achievement_index_give_the_handbooks_weights() -> None:
    # OECD/JRC Handbook (2008), table 17: rotated loadings of patents, royalties, internet, exports, telephones,
    # electricity, schooling, university on four factors
    loadings = np.array(
        [
            [0.07, 0.97, 0.06, 0.06],
            [0.13, 0.07, -0.07, 0.93],
            [0.79, -0.21, 0.21, 0.42],
            [-0.64, 0.56, -0.04, 0.36],
            [0.37, 0.17, 0.38, 0.68],
            [0.82, -0.04, 0.25, 0.35],
            [0.88, 0.23, -0.09, 0.09],
            [0.08, 0.04, 0.96, 0.04],
        ]
    )
    explained = (loadings**2).sum(axis=0)
    assert np.abs(explained - [2.64, 1.39, 1.19, 1.76]).max() < 0.01  # printed below the table
    assert np.round(explained / explained.sum(), 2).tolist() == [0.38, 0.20, 0.17, 0.25]
    weights = weights_from_loadings(loadings)
    assert np.round(loadings[0] ** 2 / explained, 2).tolist() == [0.00, 0.68, 0.00, 0.00]
    # the book works on from these two-digit loadings, so its last digit may differ by one
    assert np.abs(weights - [0.17, 0.15, 0.11, 0.06, 0.08, 0.12, 0.14, 0.17]).max() < 0.01


def test_varimax_finds_a_simple_structure_that_was_turned_away() -> None:
    simple = np.array([[0.9, 0.0], [0.8, 0.0], [0.0, 0.7], [0.0, 0.6]])
    angle = 0.6
    turned = simple @ np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    found = np.abs(varimax(turned))
    assert np.sort(found.max(axis=1)).tolist() == pytest.approx([0.6, 0.7, 0.8, 0.9], abs=1e-6)
    assert np.abs(found.min(axis=1)).max() < 1e-6


def test_entropy_weights_by_hand_and_their_conditions() -> None:
    # z = (0,1,1,1,1) has p = (≈0, ¼ × 4), e = ln 4 / ln 5; a constant has e = 1 and weight 0
    scores = np.array([[0.0, 3, 0], [1, 3, 1], [1, 3, 1], [1, 3, 1], [1, 3, 1]])
    found = entropy_weights(scores, Step("entropy"), "D1")
    assert found.values.tolist() == pytest.approx([0.5, 0.0, 0.5], abs=1e-9)
    with pytest.raises(DefinitionError, match="少于 5"):
        entropy_weights(scores[:4], Step("entropy"), "D1")
    with pytest.raises(DefinitionError, match="没有差异"):
        entropy_weights(np.ones((6, 2)), Step("entropy"), "D1")


def test_entropy_weights_of_the_hospital_departments() -> None:
    """The usual Chinese textbook case of 熵权法: eleven departments, nine kinds of nursing; weights and scores to the two printed digits."""
    departments = np.array(
        [
            [100, 90, 100, 84, 90, 100, 100, 100, 100], [100, 100, 78.6, 100, 90, 100, 100, 100, 100], [75, 100, 85.7, 100, 90, 100, 100, 100, 100],
            [100, 100, 78.6, 100, 90, 100, 94.4, 100, 100], [100, 90, 100, 100, 100, 90, 100, 100, 80], [100, 100, 100, 100, 90, 100, 100, 85.7, 100],
            [100, 100, 78.6, 100, 90, 100, 55.6, 100, 100], [87.5, 100, 85.7, 100, 100, 100, 100, 100, 100], [100, 100, 92.9, 100, 80, 100, 100, 100, 100],
            [100, 90, 100, 100, 100, 100, 100, 100, 100], [100, 100, 92.9, 100, 90, 100, 100, 100, 100],
        ]
    )  # fmt: skip
    weights = entropy_weights(departments, Step("entropy"), "D1").values
    assert np.round(weights, 2).tolist() == [0.08, 0.22, 0.27, 0.07, 0.11, 0.07, 0.07, 0.07, 0.07]
    scores = np.round(departments @ weights, 2)
    assert scores.tolist() == [95.71, 93.14, 93.17, 92.77, 95.84, 98.01, 90.21, 95.17, 95.97, 97.81, 97.02]


def test_the_first_component_of_fishers_irises() -> None:
    """Correlations and first component of the 150 irises as R prints them (cor, prcomp): weights are the squared loadings."""
    printed = np.array(
        [
            [1.0, -0.1175698, 0.8717538, 0.8179411], [-0.1175698, 1.0, -0.4284401, -0.3661259],
            [0.8717538, -0.4284401, 1.0, 0.9628654], [0.8179411, -0.3661259, 0.9628654, 1.0],
        ]
    )  # fmt: skip
    drawn = np.random.default_rng(1).standard_normal((150, 4))
    apart, _ = np.linalg.qr(drawn - drawn.mean(axis=0))  # uncorrelated columns, then given the printed correlations
    found = principal_component_weights(apart @ np.linalg.cholesky(printed).T, "D1")
    loadings = [0.5210659, 0.2693474, 0.5804131, 0.5648565]
    assert np.sqrt(found.values).tolist() == pytest.approx(loadings, abs=1e-6)  # from correlations of seven digits
    assert round(found.details["explained"], 4) == 0.7296
    assert any("相反" in note for note in found.notes)  # the width of the sepal goes against the rest


def test_equal_correlations_make_the_first_component_weigh_equally() -> None:
    base = np.array([1.0, 2, 3, 4, 5, 6])
    scores = np.column_stack([base, base * 2, base + 1])
    assert principal_component_weights(scores, "D1").values.tolist() == pytest.approx([1 / 3] * 3)
    opposed = principal_component_weights(np.column_stack([base, -base]), "D1")
    assert any("相反" in note for note in opposed.notes)


def test_weights_for_target_importance_reach_it() -> None:
    random = np.random.default_rng(3)
    scores = random.standard_normal((200, 3)) * [1.0, 5.0, 2.0]
    weights = target_importance_weights(scores, [1, 1, 1], "D1").values
    index = scores @ weights
    strength = np.array([np.corrcoef(scores[:, k], index)[0, 1] ** 2 for k in range(3)])
    assert (strength / strength.sum()).tolist() == pytest.approx([1 / 3] * 3, abs=1e-3)
    assert weights[1] < weights[2] < weights[0]  # what varies more needs less weight


def test_benefit_of_the_doubt_by_hand() -> None:
    # A (1, 0.5) and B (0.5, 1) each lead; C (0.6, 0.6) does best with w1 = w2 = 2/3: 0.8
    scores = np.array([[1.0, 0.5], [0.5, 1.0], [0.6, 0.6]])
    free = best_case(scores, np.zeros(2), np.ones(2), "T")
    assert free.scores.tolist() == pytest.approx([1.0, 1.0, 0.8])
    # with shares held at one half each, A needs w = (a, 2a): A scores 2a, B 0.5a + 2a = 2.5a <= 1, so A gets 0.8
    bound = best_case(scores, np.array([0.5, 0.5]), np.array([0.5, 0.5]), "T")
    assert bound.scores.tolist() == pytest.approx([0.8, 0.8, 0.8])
    assert bound.shares.ravel().tolist() == pytest.approx([0.5] * 6)
    for options, said in (
        ({"lower": 0.6}, "下限合计 1.2,超过 1"),
        ({"upper": {"a": 0.5, "b": 0.4}}, "上限合计 0.9,不足 1"),
        ({"lower": {"a": 0.6}, "upper": 0.5}, "a 的份额下限为负或高于上限"),
        ({"lower": {"c": 0.1}}, "不在该组的 c"),
    ):
        with pytest.raises(DefinitionError, match=said) as caught:
            check_share_bounds(Step("benefit_of_doubt", options), ["a", "b"], "T", "s.toml:3")
        assert caught.value.where == "s.toml:3"


def test_a_unit_that_no_weights_suit_is_told_why() -> None:
    scores = np.array([[1.0, 0.5], [0.0, 1.0], [0.0, 0.0], [np.nan, 0.8]])
    found = best_case(scores, np.array([0.3, 0.0]), np.ones(2), "T", ["a", "b"])
    assert found.scores[0] == pytest.approx(1.0)
    assert np.isnan(found.scores[1]) and "a 的份额不得低于 0.3,而其得分为 0" in found.reasons[1]
    assert found.scores[2] == 0.0  # nothing earned is nothing under any weights
    assert found.scores[3] == pytest.approx(0.8)  # on b alone, where the second unit has 1
    assert found.weights[3].tolist() == pytest.approx([0.0, 1.0])
    capped = best_case(scores, np.zeros(2), np.array([0.8, 0.8]), "T", ["a", "b"])
    assert set(capped.reasons) == {1} and "份额上限合计 0.8,不足 1" in capped.reasons[1]
    assert capped.scores[3] == pytest.approx(0.8)  # the bound of what is missing goes to what is there


def test_benefit_of_the_doubt_of_the_seven_branch_offices() -> None:
    """Cooper, Seiford and Tone, *Data Envelopment Analysis*, table 1.4 (one input, two outputs): D 0.75, A 0.714, B E F G 1."""
    offices = {"A": (1, 5), "B": (2, 7), "C": (3, 4), "D": (4, 3), "E": (4, 6), "F": (5, 5), "G": (6, 2)}
    found = best_case(np.array(list(offices.values()), dtype=float), np.zeros(2), np.ones(2), "T")
    scores = dict(zip(offices, found.scores, strict=True))
    assert [name for name in offices if scores[name] > 1 - 1e-9] == ["B", "E", "F", "G"]
    assert (round(scores["A"], 3), round(scores["D"], 2)) == (0.714, 0.75)
    assert scores["C"] == pytest.approx(0.7)  # on the ray (3, 4) the line from E to F is met at (30, 40)/7


def votes(ballots: dict[str, int]) -> tuple[list[str], np.ndarray]:
    names = sorted(next(iter(ballots)))
    place = {name: k for k, name in enumerate(names)}
    matrix = np.zeros((len(names), len(names)))
    for ballot, number in ballots.items():
        for k, first in enumerate(ballot):
            for later in ballot[k + 1 :]:
                matrix[place[first], place[later]] += number
    return names, matrix


def test_the_tennessee_election_has_the_known_kemeny_order() -> None:
    # Memphis, Nashville, Chattanooga, Knoxville; 42, 26, 15 and 17 % of the voters
    names, matrix = votes({"MNCK": 42, "NCKM": 26, "CKNM": 15, "KCNM": 17})
    found = kemeny_order(matrix)
    assert "".join(names[k] for k in found.orders[0]) == "NCKM"
    assert (found.count, found.is_exact, found.agreement) == (1, True, 393.0)  # 600 pairs less the distance of 207


def test_a_cycle_is_broken_where_it_costs_least() -> None:
    # electowiki: 25 A>B>C, 40 B>C>A, 35 C>A>B gives B>C>A at a distance of 120
    names, matrix = votes({"ABC": 25, "BCA": 40, "CAB": 35})
    found = kemeny_order(matrix)
    assert "".join(names[k] for k in found.orders[0]) == "BCA"
    assert 300 - found.agreement == 120


def test_all_tied_kemeny_orders_are_listed_and_counted() -> None:
    names, matrix = votes({"ABC": 1, "BCA": 1, "CAB": 1})
    found = kemeny_order(matrix)
    assert ["".join(names[k] for k in order) for order in found.orders] == ["ABC", "BCA", "CAB"]
    assert found.count == 3
    assert kemeny_order(np.full((5, 5), 0.5) - 0.5 * np.eye(5)).count == 120


@settings(max_examples=30)
@given(st.integers(min_value=0, max_value=2**32 - 1), st.integers(min_value=2, max_value=6))
def test_kemeny_orders_are_exactly_those_full_search_finds(seed: int, n: int) -> None:
    random = np.random.default_rng(seed)
    matrix = random.integers(0, 5, (n, n)).astype(float)
    matrix = np.triu(matrix, 1) + np.tril(4 - matrix.T, -1)
    values = {order: float(np.triu(matrix[np.ix_(order, order)], 1).sum()) for order in permutations(range(n))}
    best = max(values.values())
    wanted = sorted(order for order, value in values.items() if value == best)
    found = kemeny_order(matrix)
    assert found.agreement == best
    assert found.count == len(wanted)
    assert list(found.orders) == wanted[:200] or len(wanted) > 200
    heuristic = kemeny_order(matrix, largest_exact=0)
    assert heuristic.agreement <= best


def test_outranking_copeland_and_borda_by_hand() -> None:
    # weights ½, ¼, ¼; A beats B in the first, loses the second, ties the third: ½ + ⅛
    scores = np.array([[3.0, 1, 5], [2, 2, 5], [1, 3, 4]])
    weights = np.array([0.5, 0.25, 0.25])
    matrix = outranking(scores, weights)
    assert matrix[0].tolist() == [0.0, 0.625, 0.75]
    assert (matrix + matrix.T + np.eye(3)).ravel().tolist() == [1.0] * 9
    assert copeland_scores(matrix).tolist() == [2.0, 0.0, -2.0]
    assert borda_scores(scores, weights).tolist() == pytest.approx([0.5 * 2 + 0.25 * 1.5, 1 * 0.5 + 0.25 + 0.375, 0.5])


def test_ties_share_a_rank_and_the_next_is_skipped() -> None:
    scores = np.array([90.0, 80.0, 80.0 + 1e-9, 70.0, float("nan")])
    assert competition_ranks(scores) == [1, 2, 2, 4, None]
    assert tied_with(scores) == [1, 2, 2, 1, 0]
