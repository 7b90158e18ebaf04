"""``ytb rules check`` as it is called: outcomes, exit codes, JSON, files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ytb.cli.main import main

RULES = """
[table]
key = ["id"]
[[rule]]
id = "nonneg"
expression = "x >= 0"
message = "x 不能为负"
[[rule]]
id = "growth"
severity = "soft"
expression = "x <= 2 * prev(x)"
[[rule]]
id = "known"
expression = "in_other('list', id)"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "rules.toml").write_text(RULES, encoding="utf-8")
    (tmp_path / "data.csv").write_text("id,x\nA,1\nB,-2\nC,\nD,9\n", encoding="utf-8")
    (tmp_path / "before.csv").write_text("id,x\nA,1\nD,2\n", encoding="utf-8")
    (tmp_path / "list.csv").write_text("id\nA\nB\nC\nD\n", encoding="utf-8")
    return tmp_path


def called(folder: Path, *words: str) -> int:
    return main(["rules", "check", "--rules", str(folder / "rules.toml"), "--data", str(folder / "data.csv"), *words])


def test_json_gives_counts_and_records(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    beside = ["--previous", str(folder / "before.csv"), "--other", f"list={folder / 'list.csv'}"]
    code = called(folder, *beside, "--records", "--json")
    answer = json.loads(capsys.readouterr().out)
    assert code == 1
    assert not answer["ok"]
    assert answer["columns"] == {"id": "text", "x": "integer"}
    kept = ("rule", "items", "holds", "fails", "undetermined", "not_applicable")
    assert [[r[k] for k in kept] for r in answer["rules"]] == [
        ["nonneg", 4, 2, 1, 1, 0],
        ["growth", 4, 1, 1, 2, 0],
        ["known", 4, 4, 0, 0, 0],
    ]
    assert answer["records"][0] == {
        "rule": "nonneg",
        "severity": "hard",
        "outcome": "fails",
        "row": 2,
        "line": 3,
        "key": {"id": "B"},
        "values": {"x": "-2"},
        "message": "x 不能为负",
    }
    assert [(r["rule"], r["outcome"], r["row"]) for r in answer["records"]] == [
        ("nonneg", "fails", 2),
        ("nonneg", "undetermined", 3),
        ("growth", "undetermined", 2),
        ("growth", "undetermined", 3),
        ("growth", "fails", 4),
    ]


def test_tables_not_given_leave_rules_undetermined(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert called(folder, "--json") == 1
    answer = json.loads(capsys.readouterr().out)
    assert [r["reason"] for r in answer["rules"]] == [
        "",
        "未运行:没有提供 --previous",
        "未运行:没有提供 --other list=文件",
    ]


def test_soft_findings_are_no_failure(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "data.csv").write_text("id,x\nA,1\nD,9\n", encoding="utf-8")
    assert called(folder, "--previous", str(folder / "before.csv")) == 0
    shown = capsys.readouterr().out
    assert "没有强制性问题" in shown
    assert "核实" in shown


def test_people_read_each_record(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert called(folder, "--records") == 1
    assert "nonneg 不成立 第 2 条(文件第 3 行) id=B | x=-2 | x 不能为负" in capsys.readouterr().out


def test_results_are_saved(folder: Path) -> None:
    called(folder, "--records", "-o", str(folder / "out.csv"))
    lines = (folder / "out.csv").read_text(encoding="utf-8-sig").splitlines()
    assert lines[0] == "rule,severity,outcome,row,line,key,values,message"
    assert lines[1] == "nonneg,hard,fails,2,3,id=B,x=-2,x 不能为负"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--other", "list"], "名称=文件"),
        (["--previous", "nowhere.csv"], "文件不存在"),
    ],
)
def test_usage_and_unreadable_files_are_2(
    folder: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert called(folder, *words) == 2
    assert said in capsys.readouterr().err


def test_a_wrong_rule_is_2_and_names_its_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "rules.toml").write_text('[[rule]]\nid = "a"\nexpression = "y > 1"\n', encoding="utf-8")
    assert called(folder) == 2
    shown = capsys.readouterr().err
    assert "rules.toml:2" in shown
    assert "数据里没有列“y”" in shown


def test_audit_says_what_is_wrong_and_shows_examples(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rules = folder / "audit.toml"
    rules.write_text(
        '[[rule]]\nid = "a"\nexpression = "x > 1"\n[[rule]]\nid = "b"\nexpression = "x > 2"\n', encoding="utf-8"
    )
    assert main(["rules", "audit", "--rules", str(rules), "--json"]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert answer["redundant"] == [{"rule": "a", "implied_by": ["b"]}]
    assert answer["removable"] == ["a"]
    assert answer["rules"][1]["examples"]["fails"]["rows"] == [{"x": "2"}]
    assert main(["rules", "audit", "--rules", str(rules)]) == 1
    assert "多余:a 其他规则成立时它必然成立(因 b)" in capsys.readouterr().out
    rules.write_text('[[rule]]\nid = "a"\nexpression = "x > 1"\n', encoding="utf-8")
    assert main(["rules", "audit", "--rules", str(rules)]) == 0


BALANCE = """
[table]
key = ["id"]
[[rule]]
id = "sum"
expression = "z == x + y"
[[rule]]
id = "nn"
columns = ["x", "y", "z"]
expression = "it >= 0"
"""


def test_correct_lists_proposals_and_changes_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rules, data, out = folder / "balance.toml", folder / "balance.csv", folder / "out.csv"
    rules.write_text(BALANCE, encoding="utf-8")
    data.write_text("id,x,y,z\nA,1,2,3\nB,123,192,252\nC,11,22,95\n", encoding="utf-8")
    words = ["correct", "--rules", str(rules), "--data", str(data)]
    assert main([*words, "--json", "-o", str(out)]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert answer["counts"] == {"records": 2, "proposals": 2, "with_value": 1}
    assert [(r["key"], r["rules"], r["proposals"]) for r in answer["records"]] == [
        (
            {"id": "B"},
            ["sum"],
            [{"field": "y", "current": "192", "proposed": "129", "kind": "typo", "reason": "相邻两位数字换位"}],
        ),
        (
            {"id": "C"},
            ["sum"],
            [
                {
                    "field": "x",
                    "current": "11",
                    "proposed": "须核实",
                    "kind": "localised",
                    "reason": "改动最少的字段之一,另有 2 种同样少的改法",
                }
            ],
        ),
    ]
    assert out.read_text(encoding="utf-8-sig").splitlines()[1].startswith("2,3,id=B,y,192,129,相邻两位数字换位,sum,")
    assert data.read_text(encoding="utf-8") == "id,x,y,z\nA,1,2,3\nB,123,192,252\nC,11,22,95\n"
    assert main(words) == 1
    assert "y:现为 192,建议 129(相邻两位数字换位)" in capsys.readouterr().out
    data.write_text("id,x,y,z\nA,1,2,3\n", encoding="utf-8")
    assert main(words) == 0


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("foo(a) > 1", "没有函数“foo”"),
        ("round(a, 1, 2) > 1", "round 要"),
        ("sum(a, colour = b) > 1", "sum 没有选项“colour”"),
        ("a + b", "表达式不是条件"),
        ("matches(a, '[')", "正则表达式“[”写错了"),
    ],
)
def test_an_audit_refuses_what_makes_no_sense_on_any_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], expression: str, said: str
) -> None:
    (tmp_path / "r.toml").write_text(f'[[rule]]\nid = "R1"\nexpression = "{expression}"\n')
    assert main(["rules", "audit", "--rules", str(tmp_path / "r.toml")]) == 2
    found = capsys.readouterr()
    assert found.out == "" and "r.toml:2:规则 R1:" in found.err and said in found.err


def test_a_figure_beyond_all_numbers_is_no_number(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "r.toml").write_text('[columns.a]\ntype = "number"\n[[rule]]\nid = "R1"\nexpression = "a <= 5"\n')
    (tmp_path / "d.csv").write_text("a,b\n1e400,1\n7,2\n,3\n")
    words = ["--rules", str(tmp_path / "r.toml"), "--data", str(tmp_path / "d.csv"), "--json"]
    assert main(["rules", "check", *words]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [(c["line"], c["found"]) for c in found["unreadable"]] == [(2, "1e400")]
    assert (found["rules"][0]["fails"], found["rules"][0]["undetermined"]) == (1, 2)
    assert main(["correct", *words]) == 1
    assert [r["line"] for r in json.loads(capsys.readouterr().out)["records"]] == [3]
