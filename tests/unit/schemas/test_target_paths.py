"""Paths of targets as files: what can be read, and which contradictions are refused with what words."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.errors import DefinitionError
from schemas.plan_files import TARGET_COLUMNS, read_parts, read_targets

ROW = {
    "row_no": "1", "plan_id": "LB", "plan_name": "规划", "area": "LBXQ", "indicator_name": "产值", "unit": "亿元", "baseline_year": "2014",
    "baseline_value": "100", "target_year": "2020", "target_value": "400", "direction": "at_least", "tracking": "computed",
    "formula": "K04", "scope": "area", "path": "linear",
}  # fmt: skip


def plan(folder: Path, *paths: str, **row: str) -> Path:
    """An edition folder with one target, and path files with the lines given."""
    (folder / "plans" / "paths").mkdir(parents=True)
    full = {**dict.fromkeys(TARGET_COLUMNS, ""), **ROW, **row}
    lines = [",".join(full), ",".join(full.values())]
    (folder / "plans" / "LB.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    if paths:
        text = "\n".join(["row_no,year,value,document", *paths]) + "\n"
        (folder / "plans" / "paths" / "甲.csv").write_text(text, encoding="utf-8")
    return folder


def test_points_stand_in_the_row_or_in_a_path_file(tmp_path: Path) -> None:
    (in_row,) = read_targets(plan(tmp_path / "a", path="own:2016=150;2018=260.5"), None)
    assert in_row.points == ((2016, 150.0), (2018, 260.5)) and in_row.path_document == ""
    (in_file,) = read_targets(plan(tmp_path / "b", "1,2018,260.5,乙号", "1,2016,150,甲号"), None)
    assert (in_file.path, in_file.points, in_file.path_document) == ("own", in_row.points, "甲号、乙号")
    parent = type("Parent", (), {"targets": (in_row,)})
    empty = plan(tmp_path / "c", path="linear", row_no="2")
    assert [t.row_no for t in read_targets(empty, parent)] == [1, 2]  # type: ignore[arg-type]
    assert read_targets(plan(tmp_path / "d", path="compound"), None)[0].path == "compound"


@pytest.mark.parametrize(
    ("row", "paths", "said"),
    [
        ({"path": "wishful"}, (), "路径 wishful 无效;可写 linear、compound"),
        ({"path": "own:2016-150"}, (), "“2016-150”读不出年份和数值"),
        ({"path": "own"}, (), "没有路径点"),
        ({"path": "own:2018=260;2016=150"}, (), "没有从早到晚,或有重复"),
        ({"path": "own:2016=150;2021=410"}, (), "2021 年晚于目标年份 2020"),
        ({"path": "own:2014=100;2016=150"}, (), "2014 年不晚于基线年份 2014"),
        ({"path": "own:2016=150;2020=390"}, (), "目标年份值 390 与目标值 400 不一致"),
        ({"path": "own:2016=450"}, (), "2016 年值 450 已超过目标值 400"),
        ({"path": "own:2016=50", "direction": "at_most", "target_value": "60"}, (), "2016 年值 50 已超过目标值 60"),
        ({"path": "own:2016=150", "target_year": ""}, (), "要有目标年份和目标值"),
        ({"path": "compound", "baseline_value": ""}, (), "要有正的基线值和正的目标值"),
        ({"path": "compound", "target_value": "90"}, (), "与方向相反:基线值 100,目标值 90"),
        ({"path": "compound", "baseline_year": "2020"}, (), "基线年份 2020 不早于目标年份 2020"),
        ({"path": "own:2016=150"}, ("1,2017,200,甲号",), "已写明为 own:2016=150,又在路径文件中另给"),
        ({"path": "window:2016-2017"}, ("1,2017,200,甲号",), "又在路径文件中另给"),
        ({}, ("1,2017,200,甲号", "1,2017,210,乙号"), "2017 年有两个值"),
        ({}, ("9,2017,200,甲号",), "目标 9 不存在"),
        ({}, ("1,2017,200, ",), "没有依据文号"),
        ({}, ("1,2017,八百,甲号",), "value 列的“八百”不是数字;请只写阿拉伯数字"),
        ({}, ("1,2017,nan,甲号",), "value 列的“nan”不是数字"),
        ({}, ("1,前年,200,甲号",), "year 列的“前年”不是整数"),
        ({"target_value": "四百"}, (), "target_value 列的“四百”不是数字"),
    ],
)  # fmt: skip
def test_contradictions_are_refused(tmp_path: Path, row: dict[str, str], paths: tuple[str, ...], said: str) -> None:
    with pytest.raises(DefinitionError) as refused:
        read_targets(plan(tmp_path, *paths, **row), None)
    assert said in str(refused.value) and ".csv:" in str(refused.value)


def test_a_breakdown_said_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "plans" / "breakdown").mkdir(parents=True)
    line = "108,LBXQ,2016,160,2016-01-01,甲号"
    text = "\n".join(["row_no,area,year,value,effective,document", line, line]) + "\n"
    (tmp_path / "plans" / "breakdown" / "甲.csv").write_text(text, encoding="utf-8")
    with pytest.raises(DefinitionError, match=r"有两个\(另一个在 .*甲\.csv:2\)") as refused:
        read_parts(tmp_path, None)
    assert "甲.csv:3" in str(refused.value)


@pytest.mark.parametrize("day", ["2016-13-01", "2016-02-30", "二〇一六年"])
def test_a_day_that_is_none_is_told_in_chinese(tmp_path: Path, day: str) -> None:
    (tmp_path / "plans" / "breakdown").mkdir(parents=True)
    text = f"row_no,area,year,value,effective,document\n108,LBXQ,2016,160,{day},甲号\n"
    (tmp_path / "plans" / "breakdown" / "甲.csv").write_text(text, encoding="utf-8")
    with pytest.raises(DefinitionError, match=f"effective 列的“{day}”不是有效日期") as refused:
        read_parts(tmp_path, None)
    assert "month" not in str(refused.value) and "甲.csv:2" in str(refused.value)
