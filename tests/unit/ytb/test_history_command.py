"""``ytb import-history``: exit codes and the JSON of docs/formats/history-map.md."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ytb.cli.main import main

TABLE = "指标,单位,2013年,2014年\n园区生产总值,亿元,101.23,120\n注册企业数,家,300,340\n"
MAP = """
title = "旧表"
[[table]]
head_rows = [1]
period = {head = 1}
park = {value = "LBGX"}
indicator = {column = "A"}
unit_measure = {column = "B"}
[indicators]
"园区生产总值" = "K04"
"""


def ytb(capsys: pytest.CaptureFixture[str], home: Path, *words: str) -> tuple[int, dict[str, object], str]:
    code = main(["--home", str(home), "--json", *words])
    out = capsys.readouterr()
    return code, json.loads(out.out) if out.out.strip() else {}, out.err


def test_dry_run_then_commit(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    home, table, mapping = tmp_path / "home", tmp_path / "旧表.csv", tmp_path / "映射.toml"
    assert main(["--home", str(home), "init"]) == 0
    capsys.readouterr()
    table.write_text(TABLE, encoding="utf-8")
    mapping.write_text(MAP, encoding="utf-8")
    code, told, _ = ytb(capsys, home, "import-history", str(table), "--map", str(mapping))
    assert (code, told["committed"], told["submissions"]) == (1, False, [])
    assert [u["suggestion"] for u in told["unmapped"]] == [""]  # type: ignore[attr-defined]
    code, _, said = ytb(capsys, home, "import-history", str(table), "--map", str(mapping), "--commit")
    assert code == 1 and "没有对应" in said
    mapping.write_text(MAP + '"注册企业数" = "K05"\n', encoding="utf-8")
    code, told, _ = ytb(capsys, home, "import-history", str(table), "--map", str(mapping), "--commit")
    assert (code, told["submissions"]) == (0, ["2013-LBGX-0001", "2014-LBGX-0001"])
    assert [load["cells"] for load in told["loads"]] == [2, 2]  # type: ignore[attr-defined]
    assert main(["--home", str(home), "import-history", str(table), "--map", str(mapping)]) == 0
    assert "同一文件已按同一映射导入" in capsys.readouterr().out


def test_a_mapping_that_breaks_the_format_is_told_with_its_place(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    table, mapping = tmp_path / "旧表.csv", tmp_path / "映射.toml"
    table.write_text(TABLE, encoding="utf-8")
    mapping.write_text(MAP.replace("park = ", "garden = "), encoding="utf-8")
    code, _, said = ytb(capsys, tmp_path / "none", "import-history", str(table), "--map", str(mapping))
    assert code == 2 and "映射.toml" in said and "history-map" in said
