"""``ytb register apply`` … ``approve``: first in the register, then figures; the template of one enterprise follows the register."""

from __future__ import annotations

import io
import json
from pathlib import Path

import openpyxl
import pytest

from ytb.cli.main import main

UNIT = "91620102790000100X"


def ytb(capsys: pytest.CaptureFixture[str], home: Path, *words: str) -> tuple[int, object, str]:
    code = main(["--home", str(home), "--json", *words])
    out = capsys.readouterr()
    return code, json.loads(out.out) if out.out.strip() else None, out.err


def test_from_application_to_the_workbook_of_the_enterprise(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    home, paper, book = tmp_path / "home", tmp_path / "执照.pdf", tmp_path / "甲.xlsx"
    assert main(["--home", str(home), "init"]) == 0
    capsys.readouterr()
    paper.write_bytes(b"%PDF-1.4\n%%EOF\n")
    apply = ("register", "apply", "entry", UNIT, "--park", "LBGX", "--basis", "入区批复", "--evidence", str(paper))
    code, made, said = ytb(capsys, home, *apply, "--set", "B02=甲公司", "--set", "B07=3921")
    assert code == 0 and isinstance(made, dict) and made["decision"] is None, said
    template = ("template", "--unit", UNIT, "--period", "2025-Q1", "-o", str(book))
    code, _, said = ytb(capsys, home, *template)
    assert code == 1 and "先进库" in said
    code, _, said = ytb(capsys, home, "register", "approve", str(made["id"]), "--effective", "2025-01-15")
    assert code == 0, said
    code, waiting, _ = ytb(capsys, home, "register", "applications")
    assert (code, waiting) == (0, [])
    code, _, said = ytb(capsys, home, *template)
    assert code == 0, said
    pages = openpyxl.load_workbook(io.BytesIO(book.read_bytes()))
    meta = {r[0].value: r[1].value for r in pages["_meta"].iter_rows(max_col=2)}
    assert (meta["unit"], meta["park"]) == (UNIT, "LBGX")
    assert "园区综合情况" not in pages.sheetnames
    code, checked, said = ytb(capsys, home, "check", str(book))
    assert code in (0, 1) and isinstance(checked, dict), said
    others = [f for f in checked["files"][0]["findings"] if f["unit_id"] not in (UNIT, None)]
    assert others == []


def test_a_day_nobody_can_read_is_wrong_usage(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert main(["--home", str(home), "init"]) == 0
    capsys.readouterr()
    code, _, said = ytb(capsys, home, "register", "approve", "1", "--effective", "1月15日")
    assert code == 2 and "2025-01-31" in said


def test_the_workbook_of_one_enterprise_without_a_home(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    book = tmp_path / "甲.xlsx"
    words = ("template", "--park", "LBGX", "--unit", UNIT, "--period", "2015-Q2", "-o", str(book))
    code, _, said = ytb(capsys, tmp_path / "none", *words)
    assert code == 0, said
    sheet = openpyxl.load_workbook(book)["财务状况"]
    assert UNIT in [row[0].value for row in sheet.iter_rows(max_col=1)]


def test_a_merger_by_command_by_application_and_in_the_history(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    home, paper, units = tmp_path / "home", tmp_path / "协议.pdf", tmp_path / "名录.csv"
    assert main(["--home", str(home), "init"]) == 0
    capsys.readouterr()
    paper.write_bytes(b"%PDF-1.4\n%%EOF\n")
    one, two, three = "91620100MA7000018H", "91620100MA7000026C", "91620100MA70000347"
    rows = [f"{u},LBGX,entry,2020-01-01,," for u in (UNIT, one, two, three)] + [f"{one},,merger,2021-01-01,{two},"]
    units.write_text("unit_id,park,kind,effective,predecessors,successors\n" + "\n".join(rows) + "\n", "utf-8")
    code, made, said = ytb(capsys, home, "register", "import", str(units), "--basis", "批复")
    assert code == 0 and made == {"entered": 5, "doubtful": []}, said
    dated = ("--effective", "2022-01-01", "--basis", "协议")
    code, _, said = ytb(capsys, home, "register", "merge", UNIT, "--predecessor", two, *dated)
    assert code == 1 and f"被合并的单位 {two} 在 2022-01-01 之前不在名录库" in said
    code, _, said = ytb(capsys, home, "register", "split", one, "--successor", three, *dated)
    assert code == 1 and "只有一个承继单位的不是分立" in said
    code, made, said = ytb(capsys, home, "register", "merge", UNIT, "--predecessor", one, *dated)
    assert code == 0 and isinstance(made, dict) and made["predecessors"] == [one], said
    words = ("register", "apply", "split", UNIT, "--park", "LBGX", "--basis", "协议", "--evidence", str(paper))
    code, asked, said = ytb(capsys, home, *words, "--other", UNIT, "--other", three)
    assert code == 0 and isinstance(asked, dict) and asked["others"] == [UNIT, three], said
    code, _, said = ytb(capsys, home, "register", "approve", str(asked["id"]), "--effective", "2023-01-01")
    assert code == 0, said
    assert main(["--home", str(home), "register", "history", UNIT]) == 0
    told = capsys.readouterr().out
    assert f"{one}、{UNIT} → {UNIT}" in told and f"{UNIT} → {UNIT}、{three}" in told
