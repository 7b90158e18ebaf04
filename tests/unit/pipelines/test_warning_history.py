"""Episodes of warnings, by hand."""

from __future__ import annotations

import polars as pl

from pipelines.methods.warning_history import warning_episodes


def level(
    period: str, value: int | None, indicator: str = "W01", measure: str = "level", note: str = ""
) -> dict[str, object]:
    return {
        "area": "LBXQ", "area_name": "兰州新区", "indicator": indicator, "indicator_name": "营业收入同比", "period": period,
        "measure": measure, "value": None if value is None else float(value), "note": note,
    }  # fmt: skip


def test_a_warning_rises_pauses_and_is_lifted() -> None:
    rows = [level("2015-Q1", 1), level("2015-Q2", 2), level("2015-Q3", None), level("2015-Q4", 2), level("2016-Q1", 0)]
    rows += [level("2015-Q2", -3, measure="value", note="营业收入同比下降3%")]
    found = warning_episodes(pl.DataFrame(rows)).row(0, named=True)
    assert (found["began"], found["last"], found["lifted"], found["outcome"]) == (
        "2015-Q1",
        "2015-Q4",
        "2016-Q1",
        "已解除",
    )
    assert (found["levels"], found["quarters"], found["highest"]) == ("蓝→黄→黄", 3, 2)
    assert found["reason"] == "营业收入同比下降3%"


def test_one_that_stands_one_nobody_followed_and_a_second_episode() -> None:
    rows = [level("2014-Q1", 3), level("2015-Q1", 1), level("2015-Q2", 0), level("2015-Q3", 4)]
    found = warning_episodes(pl.DataFrame(rows)).select("began", "outcome", "levels").rows()
    assert found == [("2015-Q3", "仍在预警", "红"), ("2015-Q1", "已解除", "蓝"), ("2014-Q1", "其后一季没有数据", "橙")]


def test_quiet_areas_have_no_episodes() -> None:
    assert warning_episodes(pl.DataFrame([level("2015-Q1", 0), level("2015-Q2", None)])).is_empty()


def test_a_combined_level_is_told_by_its_own_note() -> None:
    rows = [level("2015-Q1", 3, indicator="W", note="红色1项。有红色指标:W15,综合等级至少橙色")]
    assert warning_episodes(pl.DataFrame(rows))["reason"][0] == "红色1项。有红色指标:W15,综合等级至少橙色"
