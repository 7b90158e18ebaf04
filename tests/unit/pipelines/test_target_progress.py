"""Completion, paths and standings, by hand; and the arithmetic of the plan itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.methods.target_progress import (
    Standing,
    StillNeeded,
    completion_pct,
    due_value,
    expected_pct,
    final_score,
    is_about,
    is_reached,
    is_strict,
    path_words,
    period_score,
    progress_of,
    still_needed,
)
from schemas.catalog import programme
from schemas.errors import DefinitionError
from schemas.model import Target
from schemas.target_paths import window_of

TARGETS = {t.row_no: t for t in programme().editions["2015"].targets}
FIRST = {code: int(year) for code, year in programme().codelists["plans"].rows.select("code", "first_year").iter_rows()}


def due(row: int, year: int) -> float | None:
    return expected_pct(TARGETS[row], year, FIRST[TARGETS[row].plan_id], TARGETS)


def test_every_row_belongs_to_a_plan_and_has_a_path_that_can_be_read() -> None:
    assert len(TARGETS) == 331
    for target in TARGETS.values():
        for year in (2014, 2017, 2020, 2026):
            found = expected_pct(target, year, FIRST[target.plan_id], TARGETS)
            assert found is None or 0 <= found <= 100


def test_a_level_with_a_baseline_is_measured_from_it() -> None:
    assert completion_pct(TARGETS[108], 552.4) == 0  # GDP 552.4 → 1377
    assert completion_pct(TARGETS[108], 1377.0) == pytest.approx(100)
    assert completion_pct(TARGETS[108], 964.7) == pytest.approx(50)
    assert completion_pct(TARGETS[117], 2.17) == 0  # energy 2.17 → 1.7, at most
    assert completion_pct(TARGETS[117], 1.935) == pytest.approx(50)
    assert completion_pct(TARGETS[117], 2.264) == pytest.approx(-20)


def test_a_level_without_a_baseline_and_a_sum_are_shares_of_the_target() -> None:
    assert completion_pct(TARGETS[126], 20.0) == pytest.approx(80)
    assert completion_pct(TARGETS[55], 50.0) == pytest.approx(80)  # rank 40 at most
    assert completion_pct(TARGETS[129], 400.0) == pytest.approx(50)
    assert completion_pct(TARGETS[118], 300.0) == pytest.approx(37.5)
    assert completion_pct(TARGETS[126], None) is None
    assert completion_pct(TARGETS[55], 0.0) is None


def test_the_linear_path_starts_at_the_baseline_or_before_the_first_year() -> None:
    assert due(108, 2014) == 0 and due(108, 2017) == 50 and due(108, 2020) == 100 and due(108, 2023) == 100
    assert due(126, 2015) == pytest.approx(100 / 6)
    assert due(49, 2021) == pytest.approx(20)  # 2021 to 2025
    assert due(1, 2017) == pytest.approx(25) and due(7, 2017) == pytest.approx(100 / 14)
    assert due(22, 2016) == pytest.approx(100 / 3)  # 2014 = 1


def test_the_compound_path_grows_by_one_rate_a_year() -> None:
    """552.4 to 1,377 in six years is 16.4 % a year; half way in time sqrt(552.4 x 1377) = 872.16, 38.8 % of the way."""
    target = replace(TARGETS[108], path="compound")
    assert due_value(target, 2014, 2015) == 552.4 and due_value(target, 2020, 2015) == pytest.approx(1377)
    assert due_value(target, 2017, 2015) == pytest.approx((552.4 * 1377) ** 0.5) == pytest.approx(872.16, abs=0.005)
    assert expected_pct(target, 2017, 2015, {}) == pytest.approx(38.777, abs=0.001)
    assert expected_pct(target, 2013, 2015, {}) == 0 and expected_pct(target, 2025, 2015, {}) == pytest.approx(100)
    assert path_words(target, 2015) == "按年均增长16.4%推算(2014—2020年)"
    falling = replace(TARGETS[117], path="compound")  # energy 2.17 → 1.7, at most
    assert due_value(falling, 2017, 2015) == pytest.approx((2.17 * 1.7) ** 0.5)
    assert expected_pct(falling, 2017, 2015, {}) == pytest.approx((2.17 - (2.17 * 1.7) ** 0.5) / 0.47 * 100)
    assert path_words(falling, 2015) == "按年均下降4.0%推算(2014—2020年)"


def test_a_path_of_ones_own_runs_straight_between_its_points() -> None:
    target = replace(TARGETS[108], path="own", points=((2016, 700.0), (2018, 1000.0)), path_document="甲号")
    due = {year: due_value(target, year, 2015) for year in (2013, 2014, 2015, 2016, 2017, 2018, 2019, 2020, 2021)}
    assert due == {
        2013: 552.4, 2014: 552.4, 2015: pytest.approx(626.2), 2016: 700, 2017: 850, 2018: 1000, 2019: 1188.5, 2020: 1377, 2021: 1377,
    }  # fmt: skip
    assert expected_pct(target, 2018, 2015, {}) == pytest.approx((1000 - 552.4) / 824.6 * 100)
    assert path_words(target, 2015) == "按自定路径:2016年700、2018年1000(依据甲号)"
    without = replace(TARGETS[126], path="own:2018=10", points=((2018, 10.0),))  # 25 in 2020, from nothing in 2014
    assert due_value(without, 2016, 2015) == 5 and expected_pct(without, 2018, 2015, {}) == pytest.approx(40)
    # a target brought forward by a change: later points are passed over
    nearer = replace(target, target_year=2017, target_value=900.0)
    assert due_value(nearer, 2017, 2015) == 900 and due_value(nearer, 2019, 2015) == 900


def test_ahead_on_track_and_behind_go_by_the_path() -> None:
    """800 at the end of 2017: behind a straight line (964.7), behind compound growth (872.2), ahead of an own path (750)."""
    paths = {"linear": (), "compound": (), "own": ((2017, 750.0),)}
    found = {
        path: progress_of(replace(TARGETS[108], path=path, points=points), 800.0, 2017, 2015, TARGETS).standing
        for path, points in paths.items()
    }
    assert found == {"linear": Standing.FAR_BEHIND, "compound": Standing.BEHIND, "own": Standing.ON_TRACK}


def test_every_path_is_told_in_chinese_words() -> None:
    said = {t.path: path_words(t, FIRST[t.plan_id]) for t in TARGETS.values()}
    assert said["linear"].startswith("按直线推算(") and said["none"] == ""
    assert said["stage:272;278;284"] == "按阶段目标(第272、278、284号)累计"
    assert said["window:2016-2017"] == "限2016—2017年" and said["window:2015-2015"] == "限2015年"


@given(
    st.floats(1, 1e6), st.floats(1, 1e6), st.integers(2015, 2030),
    st.lists(st.tuples(st.integers(2015, 2029), st.floats(0, 1)), max_size=5),
)  # fmt: skip
def test_what_is_due_never_falls_and_ends_at_the_target(
    base: float, more: float, last: int, steps: list[tuple[int, float]]
) -> None:
    """A compound path, and one whose points rise from the baseline to the target."""
    points = tuple((y, base + more * s) for y, s in sorted({y: s for y, s in steps if y < last}.items()))
    rising = tuple((y, max(v for z, v in points if z <= y)) for y, _ in points)
    aim = replace(TARGETS[108], baseline_value=base, baseline_year=2014, target_year=last, target_value=base + more)
    for target in (replace(aim, path="compound"), replace(aim, path="own", points=rising)):
        due = [expected_pct(target, year, 2015, {}) for year in range(2013, 2033)]
        known = [d for d in due if d is not None]
        assert len(known) == len(due) and known == sorted(known)
        assert known[0] == 0 and known[-1] == pytest.approx(100)


def test_the_staged_path_adds_up_the_stages() -> None:
    # 100, 200, 500: 37.5 % at the end of 2017, where a straight line would say 50
    assert due(118, 2015) == pytest.approx(12.5)
    assert due(118, 2016) == pytest.approx(25)
    assert due(118, 2017) == pytest.approx(37.5)
    assert due(118, 2018) == pytest.approx((300 + 500 / 3) / 8)
    assert due(118, 2020) == 100
    assert due(136, 2017) == pytest.approx(6500 / 150)


def test_a_window_counts_only_within_its_years() -> None:
    assert [due(278, y) for y in (2015, 2016, 2017, 2018)] == [0, 50, 100, 100]
    early = progress_of(TARGETS[278], 0.0, 2015, 2015, TARGETS)
    assert early.standing is Standing.NONE and early.gap is None
    before = progress_of(TARGETS[108], 552.4, 2014, 2015, TARGETS)
    assert before.standing is Standing.NONE and before.completion == 0 and before.gap is None
    assert window_of(TARGETS[278]) == (2016, 2017) and window_of(TARGETS[108]) is None


def test_no_path_no_progress() -> None:
    assert due(174, 2017) is None


def test_a_path_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(DefinitionError, match="path"):
        expected_pct(replace(TARGETS[108], path="quadratic"), 2016, 2015, TARGETS)
    with pytest.raises(DefinitionError, match="阶段"):
        expected_pct(replace(TARGETS[118], path="stage:108"), 2016, 2015, TARGETS)


def test_wording_decides_whether_the_number_itself_is_enough() -> None:
    assert is_strict(TARGETS[52]) and is_strict(TARGETS[118]) and is_strict(TARGETS[44])
    assert not is_strict(TARGETS[66])  # 力争实现零突破: one is enough
    assert not is_strict(TARGETS[108])  # quotes another target's wording
    assert not is_strict(TARGETS[2])  # 以上
    assert not is_reached(TARGETS[52], 700) and is_reached(TARGETS[52], 701)
    assert is_reached(TARGETS[2], 30) and not is_reached(TARGETS[2], 29.999)
    assert is_about(TARGETS[129]) and is_about(TARGETS[136]) and not is_about(TARGETS[108])
    assert is_reached(TARGETS[129], 760) and not is_reached(TARGETS[129], 759.9)  # 800 左右
    assert is_reached(TARGETS[55], 40) and not is_reached(TARGETS[55], 41)


def test_standings() -> None:
    def standing(value: float | None, year: int) -> Standing | None:
        return progress_of(TARGETS[108], value, year, 2015, TARGETS).standing

    assert standing(1377.0, 2016) is Standing.REACHED
    assert standing(964.7, 2017) is Standing.ON_TRACK  # exactly what is due
    assert standing(960.0, 2017) is Standing.BEHIND
    assert standing(882.24, 2017) is Standing.BEHIND  # exactly ten points
    assert standing(880.0, 2017) is Standing.FAR_BEHIND
    assert standing(None, 2017) is None
    assert progress_of(TARGETS[174], 2448.65, 2017, 2015, TARGETS).standing is None


@given(st.floats(0, 1e6), st.floats(0, 1e6))
def test_more_is_never_less_complete(one: float, other: float) -> None:
    low, high = sorted((one, other))
    first, second = completion_pct(TARGETS[108], low), completion_pct(TARGETS[108], high)
    assert first is not None and second is not None and first <= second
    first, second = completion_pct(TARGETS[117], low), completion_pct(TARGETS[117], high)
    assert first is not None and second is not None and first >= second


def value(row: int) -> float:
    found = TARGETS[row].target_value
    assert found is not None
    return found


# requirements_from_seeds.md A: identities that hold in the plan's own figures
IDENTITIES = {
    "企业总数": (130, [151, 155, 159, 163], 6200),
    "工业企业": (131, [152, 156, 160, 164], 2400),
    "规模以上工业": (132, [153, 157, 161, 165], 780),
    "高新技术企业": (134, [154, 158, 162, 166], 250),
    "新增地区生产总值": (118, [272, 278, 284], 800),
    "特色优势产业产值": (136, [273, 279, 285], 15000),
    "税收": (129, [274, 280, 286], 800),
    "新增就业": (143, [275, 281, 287], 8),
    "创新型企业": (133, [277, 283, 289], 200),
    "研发平台": (123, [197, 233], 500),
    "联盟": (124, [199, 235], 160),
    "团队": (125, [198, 234], 400),
    "国家级新产品": (128, [200, 236], 100),
    "平台(传统)": (197, [177, 181, 185, 189, 193], 200),
    "联盟(传统)": (199, [178, 182, 186, 190, 194], 68),
    "新产品(传统)": (200, [180, 184, 188, 192, 196], 40),
    "平台(战新)": (233, [204, 208, 212, 216, 220, 224, 228], 300),
    "联盟(战新)": (235, [205, 209, 213, 217, 221, 225, 229], 92),
    "新产品(战新)": (236, [207, 211, 215, 219, 223, 227, 231], 60),
    "重大产业基地": (35, [32, 33, 34], 15),
    "成果转化分行业": (127, [179, 183, 187, 191, 195, 206, 210, 214, 218, 222, 226, 230], 2000),
}  # fmt: skip


@pytest.mark.parametrize("name", IDENTITIES)
def test_the_plan_adds_up_where_it_says_so(name: str) -> None:
    total, parts, expected = IDENTITIES[name]
    assert value(total) == expected == sum(value(row) for row in parts)


def test_the_inconsistencies_of_the_plan_are_kept() -> None:
    # 高技术产业占比 38.8 / 39; 战新占比 28.5 / 28; 平台和联盟 500 / 500 + 160; 产值 14800 / 15000; 成果 1120 / 1000, 880 / 800
    assert (value(111), value(119)) == (38.8, 39)
    assert (value(112), value(120)) == (28.5, 28)
    assert sum(value(r) for r in (276, 282, 288)) == 500 != value(123) + value(124)
    assert value(176) + value(203) == 14800 != value(136)
    assert sum(value(r) for r in (206, 210, 214, 218, 222, 226, 230)) == 1120 != value(238) == 1000
    assert sum(value(r) for r in (179, 183, 187, 191, 195)) == 880 != value(202) == 800
    assert (TARGETS[309].baseline_value, TARGETS[114].baseline_value) == (44, 63)
    assert (TARGETS[320].baseline_value, TARGETS[115].baseline_value) == (4.82, 6.6)
    assert (TARGETS[321].baseline_value, TARGETS[116].baseline_value) == (40.45, 24)
    assert value(108) - 552.4 == pytest.approx(824.6)


def target(**given: Any) -> Target:
    plain = {"baseline_value": None, "baseline_year": None, "direction": "at_least", "scope_note": "", "note": ""}
    return replace(TARGETS[126], **{**plain, **given})


def test_what_is_still_needed_of_a_level() -> None:
    aim = target(target_value=1210.0, target_year=2020)
    needed = still_needed(aim, 1000.0, 2018, is_level=True)
    assert (needed.amount, needed.per_year) == (210.0, 105.0)
    assert needed.growth_pct == pytest.approx(10)  # 1.1 squared is 1.21
    assert still_needed(aim, 1000.0, 2018, is_level=False).growth_pct is None
    assert still_needed(aim, 1210.0, 2018, is_level=True) == StillNeeded(0.0, None, None)
    assert still_needed(aim, 1000.0, 2021, is_level=True) == StillNeeded(210.0, None, None)
    assert still_needed(aim, None, 2018, is_level=True) == StillNeeded(None, None, None)


def test_less_is_needed_where_less_is_better() -> None:
    needed = still_needed(target(target_value=0.81, target_year=2020, direction="at_most"), 1.0, 2018, is_level=True)
    assert needed.amount == pytest.approx(0.19)
    assert needed.growth_pct == pytest.approx(-10)


def test_scores_in_the_middle_and_at_the_end_of_a_plan() -> None:
    aim = target(target_value=100.0, target_year=2020)
    assert period_score(30.0, 40.0) == 75
    assert (period_score(90.0, 40.0), period_score(-5.0, 40.0)) == (120, 0)
    assert (period_score(30.0, 0.0), period_score(None, 40.0)) == (None, None)
    assert final_score(aim, 130.0, 130.0, 2020) == 100
    assert final_score(aim, 87.5, 87.5, 2021) == 87.5
    assert final_score(aim, 87.5, 87.5, 2019) is None
    about = target(target_value=100.0, target_year=2020, scope_note="原文“左右”")
    assert (final_score(about, 95.0, 95.0, 2020), final_score(about, 94.0, 94.0, 2020)) == (100, 94)
