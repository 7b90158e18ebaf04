"""A trial with changed figures: before beside after, exact parts, nothing else touched."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from pipelines.scoring import score
from pipelines.scoring_what_if import what_if
from schemas.errors import DefinitionError
from ytb.cli.main import main

SYSTEM = """
title = "试"
[data]
year = "year"
[normalisation]
method = "minmax"
[[group]]
id = "T"
[[indicator]]
id = "a"
parent = "T"
weight = 1
column = "x"
denominator = "d"
[[indicator]]
id = "b"
parent = "T"
weight = 3
[[indicator]]
id = "c"
parent = "T"
weight = 1
denominator = "d"
"""
DATA = "unit,year,x,d,b,c,x.status\nU,2015,2,1,10,4,A\nV,2015,4,1,20,4,E\nW,2015,6,2,30,1,A\n" + (
    "U,2016,2,1,15,4,A\nV,2016,4,1,20,4,E\nW,2016,6,2,,1,A\n"
)


def files(folder: Path, changes: str) -> tuple[Path, Path, Path]:
    for name, text in (("s.toml", SYSTEM), ("d.csv", DATA), ("c.csv", changes)):
        (folder / name).write_text(text, encoding="utf-8")
    return folder / "s.toml", folder / "d.csv", folder / "c.csv"


def test_before_and_after_are_those_of_two_plain_runs(tmp_path: Path) -> None:
    system, data, changes = files(
        tmp_path, "unit,indicator,value,year,reason\nV,a,8,,核实\nU,d,2,2015,更正\nW,b,12,2016,补报\n"
    )
    trial = what_if(system, data, changes, None, tmp_path / "out")
    score(system, data, out=tmp_path / "one")
    text = DATA.replace("V,2016,4,1,20,4,E", "V,2016,8,1,20,4,").replace("U,2015,2,1,", "U,2015,2,2,")
    data.write_text(text.replace("W,2016,6,2,,", "W,2016,6,2,12,"), encoding="utf-8")
    score(system, data, out=tmp_path / "two")
    old, new = (
        pl.read_csv(tmp_path / n / "scores.csv").select("year", "unit", "node", "score", "rank_display", "status")
        for n in ("one", "two")
    )
    keys = ["year", "unit", "node"]
    told = pl.read_csv(tmp_path / "out" / "what_if.csv").join(old, on=keys).join(new, on=keys, suffix="_two")
    assert told.height == 2 * 3 * 4
    for ours, theirs in (
        ("score_before", "score"), ("score_after", "score_two"), ("rank_before", "rank_display"), ("rank_after", "rank_display_two"),
        ("status_before", "status"), ("status_after", "status_two"),
    ):  # fmt: skip
        assert told[ours].cast(pl.String).to_list() == told[theirs].cast(pl.String).to_list(), ours
    assert set(told["mark"]) == {"试算"}
    sums = trial.parts.group_by("unit", "year").agg(pl.col("points").sum(), pl.col("total").first())
    assert sums.height == 4 and (sums["points"] - sums["total"]).abs().max() < 1e-9  # type: ignore[operator]
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "what_if.csv", "what_if.json", "what_if_changes.csv", "what_if_decomposition.csv",
    ]  # fmt: skip
    assert json.loads((tmp_path / "out" / "what_if.json").read_text(encoding="utf-8"))["mark"] == "试算"


def test_rows_about_nothing_in_the_data_are_said_and_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = "unit,indicator,value,year\nQ,a,1,\nU,z,1,\nU,a,1,2011\nU,b,,2016\n"
    system, data, changes = files(tmp_path, rows)
    words = ("index", "score", "--system", system, "--data", data, "--what-if", changes, "-o", tmp_path / "out")
    code, told_on_screen = main([str(w) for w in words]), capsys.readouterr().out
    assert code == 0 and "试算(不保存、不发布)" in told_on_screen
    for said in ("第 2 行未采用:数据中没有单位“Q”的 2016 年", "第 3 行未采用:指标体系中没有“z”", "第 4 行未采用"):
        assert said in told_on_screen
    told = pl.read_csv(tmp_path / "out" / "what_if_changes.csv")
    assert told["outcome"].to_list() == ["未采用", "未采用", "未采用", "已采用"]
    withdrawn = pl.read_csv(tmp_path / "out" / "what_if.csv").filter(unit="U", year=2016, node="b")
    assert withdrawn["score_after"].item() is None and withdrawn["status_after"].item() == "M"


def test_a_row_that_repeats_the_figure_is_no_change_and_leaves_its_status(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    system, data, changes = files(tmp_path, "unit,indicator,value\nV,x,4.0\nW,b,\nU,b,25\n")
    words = ("index", "score", "--system", system, "--data", data, "--what-if", changes, "-o", tmp_path / "out")
    code, told = main([str(w) for w in words]), capsys.readouterr().out
    assert code == 0 and "采用 1 处改动" in told and "第 2、3 行与原值相同,不算改动" in told
    assert "V 的数据改了" not in told and "W 的数据改了" not in told
    outcomes = pl.read_csv(tmp_path / "out" / "what_if_changes.csv")["outcome"].to_list()
    assert outcomes == ["与原值相同", "与原值相同", "已采用"]
    statuses = pl.read_csv(tmp_path / "out" / "what_if.csv").filter(unit="V", year=2016, node="a")
    assert statuses.select("status_before", "status_after").rows() == [("E", "E")]
    changes.write_text("unit,indicator,value\nV,x,4.0\n", encoding="utf-8")
    with pytest.raises(DefinitionError, match=r"没有一行改动能用.*第 2 行:与原值相同"):
        what_if(system, data, changes, None, tmp_path / "two")


def test_a_unit_that_is_passed_by_another_is_named_and_scores_are_rounded_as_in_the_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = 'title = "试"\n[normalisation]\nmethod = "none"\n[[group]]\nid = "T"\n[[indicator]]\nid = "a"\nparent = "T"\nweight = 1\n'
    system, data, changes = files(tmp_path, "unit,indicator,value\nC,a,30.625\n")
    system.write_text(plain, encoding="utf-8")
    data.write_text("unit,a\nA,2.675\nB,1.005\nC,0.5\n", encoding="utf-8")
    trial = what_if(system, data, changes, None, tmp_path / "out")
    assert any(f == "得分没有变、名次因其他单位而变:A 1 → 2、B 2 → 3。" for f in trial.findings)
    words = ("index", "score", "--system", system, "--data", data)
    assert main([str(w) for w in (*words, "--what-if", changes, "-o", tmp_path / "out")]) == 0
    assert "C  0.50 → 30.63(+30.13),名次 3 → 1" in capsys.readouterr().out
    assert main([str(w) for w in (*words, "-o", tmp_path / "plain")]) == 0
    told, shown = capsys.readouterr().out, pl.read_csv(tmp_path / "plain" / "scores.csv", infer_schema=False)
    for unit, score_shown in shown.filter(node="T").select("unit", "display").iter_rows():
        assert f"{unit}  {score_shown}\n" in told
    ranking = json.loads((tmp_path / "plain" / "summary.json").read_text(encoding="utf-8"))["ranking"]
    assert [r["score"] for r in ranking] == [2.68, 1.01, 0.5]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("unit,indicator\nU,a\n", r"c\.csv:1.*缺列 value"),
        ("unit,indicator,value\nU,a,一\n", r"c\.csv:2.*不是数"),
        ("unit,indicator,value,year\nU,a,1,2016\nU,x,2,\n", r"c\.csv:3.*与第 2 行改的是同一个数"),
        ("unit,indicator,value\n", r"c\.csv:1.*没有改动"),
        ("unit,indicator,value\nQ,a,1\n", r"c\.csv.*没有一行改动能用.*第 2 行"),
    ],
)
def test_files_that_cannot_be_used_are_refused(tmp_path: Path, rows: str, said: str) -> None:
    system, data, changes = files(tmp_path, rows)
    with pytest.raises(DefinitionError, match=said):
        what_if(system, data, changes, None, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_text_of_a_table_does_not_run_as_a_formula(tmp_path: Path) -> None:
    system, data, _ = files(tmp_path, "")
    data.write_text(DATA.replace("\nU,", "\n=1+1,"), encoding="utf-8")
    score(system, data, out=tmp_path / "out")
    assert "'=1+1" in pl.read_csv(tmp_path / "out" / "scores.csv")["unit"].to_list()
