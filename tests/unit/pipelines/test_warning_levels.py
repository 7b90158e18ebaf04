"""Warning levels: bounds, escalation, recovery, the combined level, the sentences."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.methods.warning_levels import (
    NAMES,
    Parameters,
    bound_sentence,
    combined,
    deviation,
    raw_level,
    robust_z,
    sentence,
    settled,
)
from schemas.catalog import programme

WARNINGS = {w.id: w for w in programme().editions["2015"].warnings}
PARAMETERS = Parameters.of(WARNINGS["W01"].definition)


def test_the_sixteen_indicators_are_there_with_four_bounds_that_get_worse() -> None:
    assert sorted(WARNINGS) == [f"W{n:02}" for n in range(1, 17)]
    for warning in WARNINGS.values():
        assert list(warning.levels) == ["blue", "yellow", "orange", "red"]
        signs = {sign for sign, _ in warning.levels.values()}
        bounds = [bound for _, bound in warning.levels.values()]
        assert signs in ({"<"}, {">"})
        assert bounds == sorted(bounds, reverse=signs == {"<"})


@pytest.mark.parametrize(
    ("indicator", "value", "level"),
    [
        ("W01", 5.0, 0), ("W01", 4.99, 1), ("W01", 0.0, 1), ("W01", -0.01, 2), ("W01", -5.0, 2), ("W01", -6.3, 3),
        ("W01", -10.01, 4), ("W05", 0.0, 0), ("W05", -0.1, 1), ("W10", 60.0, 0), ("W10", 60.00000000000001, 0),
        ("W10", 65.5, 2), ("W10", 81.0, 4), ("W03", -0.8, 1), ("W14", 99.9, 1), ("W14", 100.0, 0), ("W16", 95.0, 4),
        ("W12", 64.9, 3), ("W15", -5.0, 1),
    ],
)  # fmt: skip
def test_the_worst_bound_broken_counts_and_bounds_themselves_do_not(indicator: str, value: float, level: int) -> None:
    assert raw_level(value, WARNINGS[indicator].levels) == level


def test_an_unknown_value_has_no_level() -> None:
    assert raw_level(None, WARNINGS["W01"].levels) is None


@pytest.mark.parametrize(
    ("raws", "levels"),
    [
        ([2, 2], [2, 3]),  # held two quarters: one up
        ([2, 2, 2], [2, 3, 3]),  # not up again every quarter
        ([2, 3], [2, 3]),  # yellow was held, its raise is what orange already is
        ([4, 2], [4, 3]),  # yellow held for two quarters, raised
        ([4, 4], [4, 4]),
        ([1, 0], [1, 1]),  # recovery takes two quarters within bounds
        ([1, 0, 0], [1, 1, 0]),
        ([2, 2, 0, 0, 0], [2, 3, 3, 0, 0]),
        ([2, 0, 2], [2, 2, 2]),
        ([2, None, 0, 0], [2, None, 2, 0]),  # an undetermined quarter neither recovers nor escalates
        ([2, None, 2], [2, None, 2]),
        ([0, 0], [0, 0]),
        ([None, 0], [None, 0]),
    ],
)
def test_escalation_and_recovery(raws: list[int | None], levels: list[int | None]) -> None:
    assert [s.level for s in settled(raws, PARAMETERS)] == levels


@given(st.lists(st.one_of(st.none(), st.integers(0, 4)), max_size=12))
def test_a_standing_level_is_never_below_the_bound_and_at_most_one_above_or_held(raws: list[int | None]) -> None:
    standing = 0
    for one, raw in zip(settled(raws, PARAMETERS), raws, strict=True):
        assert one.raw == raw
        if raw is None:
            assert one.level is None
            continue
        assert one.level is not None and raw <= one.level <= 4
        if one.level != raw:
            assert one.note
            assert one.level == standing if raw == 0 else one.level > raw
        standing = one.level


def test_the_reason_says_the_figure_and_the_bound() -> None:
    warning = WARNINGS["W01"]
    assert sentence(warning.definition, -6.3, 3, warning.levels, "%") == "营业收入同比下降6.3%(同口径),低于橙色界限−5%"
    assert sentence(warning.definition, 8.24, 0, warning.levels, "%") == "营业收入同比增长8.2%(同口径),在界限之内"
    debt = WARNINGS["W10"]
    assert sentence(debt.definition, 72.34, 3, debt.levels, "%") == "资产负债率为72.3%,高于橙色界限70%"
    profit = WARNINGS["W03"]
    said = sentence(profit.definition, -0.8, 1, profit.levels, "百分点")
    assert said == "营业收入利润率比上年同期下降0.80个百分点,低于蓝色界限−0.5个百分点"
    assert bound_sentence(4, warning.levels, "%") == "低于红色界限−10%" and NAMES[4] == "红色"


def test_what_rounds_to_zero_is_level_and_never_up_or_down_by_nothing() -> None:
    revenue, losses, profit = WARNINGS["W01"], WARNINGS["W04"], WARNINGS["W03"]
    assert sentence(revenue.definition, 0.0, 1, revenue.levels, "%") == "营业收入同比持平(同口径),低于蓝色界限5%"
    assert sentence(revenue.definition, -0.04, 2, revenue.levels, "%") == "营业收入同比持平(同口径),略低于黄色界限0%"
    assert sentence(losses.definition, 0.0, 0, losses.levels, "百分点") == "亏损面与上年同期持平,在界限之内"
    assert sentence(losses.definition, -0.04, 0, losses.levels, "百分点") == "亏损面与上年同期持平,在界限之内"
    assert "下降0.04个百分点" in sentence(profit.definition, -0.04, 0, profit.levels, "百分点")
    assert "与上年同期持平" in sentence(profit.definition, 0.004, 0, profit.levels, "百分点")


def test_a_sentence_rounds_as_the_figure_beside_it_and_tells_a_bound_just_broken() -> None:
    revenue = WARNINGS["W01"]
    assert "增长2.3%" in sentence(revenue.definition, 2.25, 1, revenue.levels, "%")  # half up, not to the even digit
    said = sentence(revenue.definition, -5.03, 3, revenue.levels, "%")
    assert said == "营业收入同比下降5.0%(同口径),略低于橙色界限−5%"
    debt = WARNINGS["W10"]
    assert sentence(debt.definition, 0.0, 0, debt.levels, "%") == "资产负债率为0.0%,在界限之内"


def test_combined_level_by_score_and_by_floor() -> None:
    weights = {"a": 2.0, "b": 1.0, "c": 1.0}
    assert combined({"a": 2, "b": 0, "c": None}, weights, PARAMETERS) == (2, pytest.approx(4 / 3))
    assert combined({"a": 0, "b": 4, "c": 0}, weights, PARAMETERS) == (3, 1.0)  # red lifts to orange
    assert combined({"a": 0, "b": 1, "c": 0}, weights, PARAMETERS) == (0, 0.25)
    assert combined({"a": None}, weights, PARAMETERS) == (None, None)
    only_floor = Parameters(combined_method="any_red", combined_floor_if_red="orange")
    assert combined({"a": 3, "b": 3}, weights, only_floor) == (0, 3.0)


def test_robust_z_is_a_supplement_that_needs_quarters_and_spread() -> None:
    earlier = [10.0, 12.0, 11.0, 13.0, 9.0]  # median 11, MAD 1
    assert robust_z(14.0, earlier, PARAMETERS) == pytest.approx(3 / 1.4826)
    assert robust_z(14.0, earlier[:3], PARAMETERS) is None
    assert robust_z(14.0, [5.0] * 6, PARAMETERS) is None
    assert robust_z(None, earlier, PARAMETERS) is None
    assert robust_z(6.0, [5.0, 5.001, 4.999, 5.0, 5.002], PARAMETERS, 0.1) == pytest.approx(10)  # printed to one digit


def test_a_deviation_is_a_signal_on_the_side_that_is_warned_of() -> None:
    low, high = {"blue": ("<", 5.0)}, {"blue": (">", 90.0)}
    assert deviation(-3.5, low, PARAMETERS) == "偏离本区近期水平很大(补充信号:橙色)"
    assert deviation(-2.5, high, PARAMETERS) == "偏离本区近期水平较大,在有利一侧"
    assert deviation(2.5, high, PARAMETERS) == "偏离本区近期水平较大(补充信号:黄色)"
    assert deviation(2.5, low, PARAMETERS) == "偏离本区近期水平较大,在有利一侧"
    assert deviation(2.5, {}, PARAMETERS) == "偏离本区近期水平较大(补充信号:黄色)"
    assert deviation(1.0, low, PARAMETERS) == ""
