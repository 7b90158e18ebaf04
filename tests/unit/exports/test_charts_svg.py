"""Charts are XML that every reader of pages can use: parsed here, not looked at."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exports.charts_svg import (
    Bar,
    Interval,
    Point,
    Series,
    bar_chart,
    interval_chart,
    line_chart,
    nice_ticks,
    scatter_chart,
)

SVG = "{http://www.w3.org/2000/svg}"
NASTY = "<script>&\"'"


def parsed(text: str) -> ET.Element:
    root = ET.fromstring(text)
    assert root.get("role") == "img"
    ids = (root.get("aria-labelledby") or "").split()
    assert [root.find(f"{SVG}title").get("id"), root.find(f"{SVG}desc").get("id")] == ids  # type: ignore[union-attr]
    assert all("style" not in e.attrib for e in root.iter()) and "<style" not in text and "<script" not in text
    return root


def described(root: ET.Element) -> str:
    return root.findtext(f"{SVG}desc") or ""


def all_text(root: ET.Element) -> list[str]:
    return [e.text or "" for e in root.iter(f"{SVG}text")]


def test_a_line_breaks_where_a_value_is_missing_and_series_differ_by_more_than_colour() -> None:
    quarters = ["2014-Q1", "2014-Q2", "2014-Q3", "2014-Q4", "2015-Q1"]
    two = [Series("增速", [1.0, 2.0, None, 4.0, 5.0]), Series("全省", [3.0] * 5)]
    root = parsed(line_chart("g", "增速", quarters, two, "%"))
    lines = root.findall(f"{SVG}polyline")
    assert [len((e.get("points") or "").split()) for e in lines] == [2, 2, 5]
    assert {e.get("stroke-dasharray") for e in lines} == {None, "7 4"}
    assert len(root.findall(f"{SVG}circle")) == 4 + 1 and len(root.findall(f"{SVG}rect")) == 5 + 1
    assert "增速从 2014-Q1 的 1 到 2015-Q1 的 5,最高在 2015-Q1" in described(root) and "单位 %" in described(root)
    assert {"2014-Q1", "2015-Q1", "增速", "全省", "%"} <= set(all_text(root))


def test_a_higher_value_stands_higher_and_one_alone_is_drawn() -> None:
    root = parsed(line_chart("g", "t", ["a", "b"], [Series("s", [1.0, 9.0])]))
    (line,) = root.findall(f"{SVG}polyline")
    (_, low), (_, high) = (p.split(",") for p in (line.get("points") or "").split())
    assert float(high) < float(low)
    assert len(parsed(line_chart("g", "t", ["a"], [Series("s", [7.0])])).findall(f"{SVG}circle")) == 1


def test_bars_start_at_zero_on_either_side_and_a_missing_one_shows_its_mark() -> None:
    bars = [Bar("甲", 10.0, "10.0"), Bar("乙", -5.0, "-5.0", "黄灯"), Bar("丙", None, "*")]
    root = parsed(bar_chart("b", "t", bars, "%"))
    up, down = root.findall(f"{SVG}rect")
    zero = float(up.get("x") or 0)
    assert float(down.get("x") or 0) + float(down.get("width") or 0) == pytest.approx(zero, abs=0.02)
    assert float(up.get("width") or 0) == pytest.approx(2 * float(down.get("width") or 0), abs=0.02)
    assert {"10.0", "-5.0 黄灯", "*"} <= set(all_text(root)) and "丙 *" in described(root)
    assert down.get("stroke-width") and not up.get("stroke-width")


def test_an_interval_has_two_ends_and_the_words_say_them() -> None:
    root = parsed(interval_chart("i", "t", [Interval("甲", 2.0, 1.0, 3.0, "第 2"), Interval("乙", 4.0, None, None)]))
    assert "甲 第 2(1 至 3)" in described(root) and "乙 4" in described(root)
    assert len(root.findall(f"{SVG}path")) == 2  # the diamonds


def test_scatter_leaves_out_what_logarithms_cannot_show_and_says_so() -> None:
    points = [Point(100, 110, "甲"), Point(100, 9000, "乙", True), Point(0, 5, "丙")]
    root = parsed(scatter_chart("s", "t", points, "上年同期", "本期"))
    assert [e.findtext(f"{SVG}title") for e in root.findall(f"{SVG}g")] == ["甲", "乙"]
    assert "标出 1 点:乙" in described(root) and "另有 1 点为零或负" in described(root)
    assert "乙" in all_text(root) and "甲" not in all_text(root)


def test_names_that_would_stand_on_each_other_are_left_to_the_points() -> None:
    near = [Point(100, 100 + n, f"第{n}家", True) for n in range(3)] + [Point(100, 9000, "远处", True)]
    root = parsed(scatter_chart("s", "t", near, "x", "y"))
    assert {"第0家", "远处"} <= set(all_text(root)) and "第1家" not in all_text(root)
    assert len(root.findall(f"{SVG}g")) == 4


def test_nothing_to_draw_is_no_chart_and_names_never_become_markup() -> None:
    assert line_chart("k", "t", ["a"], [Series("s", [None])]) == ""
    assert bar_chart("k", "t", [Bar("a", None)]) == "" and interval_chart("k", "t", []) == ""
    assert scatter_chart("k", "t", [Point(-1, 1, "a")], "x", "y") == ""
    for text in (
        line_chart(NASTY, NASTY, [NASTY, "b"], [Series(NASTY, [1.0, 2.0]), Series("s", [1.0, 2.0])], NASTY),
        bar_chart("k", NASTY, [Bar(NASTY, 1.0, NASTY, NASTY)], NASTY),
        interval_chart("k", NASTY, [Interval(NASTY, 1.0, 0.0, 2.0, NASTY)], NASTY),
        scatter_chart("k", NASTY, [Point(1, 2, NASTY, True)], NASTY, NASTY),
    ):
        parsed(text)


@given(st.floats(-1e12, 1e12), st.floats(-1e12, 1e12))
def test_ticks_enclose_the_values_in_equal_steps(a: float, b: float) -> None:
    low, high = sorted((a, b))
    ticks = nice_ticks(low, high)
    slack = 1e-6 * max(abs(low), abs(high), 1e-6)
    assert ticks[0] <= low + slack and ticks[-1] >= high - slack and 2 <= len(ticks) <= 12
    assert ticks == sorted(set(ticks))


@given(st.lists(st.one_of(st.none(), st.floats(-1e9, 1e9)), min_size=1, max_size=30))
def test_any_values_draw_within_the_picture(values: list[float | None]) -> None:
    text = line_chart("k", "t", [str(n) for n in range(len(values))], [Series("s", values)])
    if not text:
        assert all(v is None for v in values)
        return
    root = parsed(text)
    for line in root.findall(f"{SVG}polyline"):
        for pair in (line.get("points") or "").split():
            x, y = map(float, pair.split(","))
            assert 0 <= x <= 760 and 0 <= y <= 300
