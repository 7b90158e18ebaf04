"""An author's copy of the programme with an indicator, a rule, a table, a target and a warning more, through a small round
of the command line: nothing but data files differs from what is shipped."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import openpyxl
import polars as pl
import pytest

from schemas.catalog import PROGRAMMES, programme
from schemas.period import Period
from ytb.cli.main import main
from ytb.demo.figures import Figures
from ytb.demo.filling import fill, saved
from ytb.demo.panel import Size, draw

Q1 = Period.parse("2016-Q1")
PARK = "LBGX"
ADDED = {
    "2015/forms/finance.toml": """
[[indicator]]
code = "F33"
name = "数据资产账面价值"
unit_measure = "千元"
type = "number"
rounds = "AQ"
nonneg = true
additive = true
""",
    "2015/rules/finance.toml": """
[[rule]]
id = "AF99"
severity = "hard"
kind = "part_le_whole"
rounds = "AQ"
expression = "nz(F33) <= F22"
message = "数据资产大于资产总计;请核对两项后更正"
rationale = "其中项"
""",
    "2015/tables/data_assets.toml": """
product = "monitoring"

[[table]]
id = "M90"
title = "数据资产"
rows = ["total"]

[[table.column]]
indicator = "M90.share"
name = "数据资产占资产总计比重"
formula = "SUM(F33)/SUM(F22)*100"
unit_measure = "%"
decimals = 2
""",
    "2015/warnings.toml": """
[[warning]]
id = "W99"
name = "数据资产占比"
subject = "数据资产占资产总计比重"
formula = "SUM(F33)/SUM(F22)*100"
unit = "%"
wording = "level"
weight = 1
levels = { blue = ["<", 5], yellow = ["<", 3], orange = ["<", 2], red = ["<", 1] }
""",
    "2015/plans/LB.csv": "9001,LB,数据资产,兰州高新区,数据资产,亿元,2014,0,2020,10,at_least,,自拟,computed,SUM(F33)/100000,enterprise,linear,\n",
}


def own_programme(folder: Path) -> Path:
    root = Path(shutil.copytree(PROGRAMMES / "park", folder / "mypark"))
    for name, text in ADDED.items():
        with (root / name).open("a", encoding="utf-8") as handle:
            handle.write(text)
    return root


def test_a_round_with_an_authors_own_programme(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root, home = own_programme(tmp_path), tmp_path / "home"

    def ytb(*words: str, code: int = 0) -> str:
        found = main(["--home", str(home), "--user", "测试", *words])
        said = capsys.readouterr()
        assert found == code, said.err + said.out
        return said.out

    lint = json.loads(ytb("programme", "lint", "--json", "--programme", str(root)))
    assert lint["ok"] and lint["counts"]["targets"] == len(programme().editions["2025"].targets) + 1
    ytb("init", "--programme", str(root))
    of = programme(str(root))
    figures = Figures(of, draw(of, Size.of(16), 2016, 7), {})
    firms = figures.year(2014).filter(park=PARK)
    register = tmp_path / "名录.csv"
    with register.open("w", encoding="gb18030", newline="") as handle:
        rows = csv.writer(handle)
        rows.writerow(["unit_id", "park", "sub_park", "B02", "B07", "B11"])
        rows.writerows(firms.select("B01", "park", "B05", "B02", "B07", pl.col("B11").cast(int)).iter_rows())
    ytb("register", "import", str(register), "--basis", "批复")
    ytb("period", "open", str(Q1), "--deadline", "2099-01-01")
    book = tmp_path / "报表.xlsx"
    ytb("template", "--park", PARK, "--period", str(Q1), "-o", str(book))
    assert any(c.value == "F33" for page in openpyxl.load_workbook(book) for row in page.iter_rows() for c in row)

    template = book.read_bytes()
    known = pl.col("unit_id").is_in(firms["B01"].to_list())
    forms = {code: frame.filter(known) for code, frame in figures.enterprises(PARK, Q1).items()}
    sheet = figures.sheet(PARK, Q1)
    for share, found in ((2.0, {"AF99"}), (0.04, set())):
        held = forms["finance"].with_columns(F33=(pl.col("F22") * share).floor().cast(pl.Int64))
        book.write_bytes(saved(fill(template, {**forms, "finance": held}, sheet)))
        checked = json.loads(ytb("check", str(book), "--json", code=1 if found else 0))["files"][0]
        assert {f["rule"] for f in checked["findings"] if f["severity"] == "hard"} == found
    told = json.loads(ytb("submit", str(book), "--json"))
    ytb("review", "accept", told["submission"])
    ytb("run", "monitoring", "--period", str(Q1))
    own, assets = int(held["F33"].sum()), int(held["F22"].sum())
    share_of = f"select value from mart.monitoring_figures where row_key = '{PARK}|total|T|M90.share|ratio'"
    (row,) = json.loads(ytb("sql", share_of, "--json"))
    assert row["value"] == pytest.approx(own / assets * 100)
    (row,) = json.loads(ytb("sql", "select sum(F33)::bigint as own from in_force.finance", "--json"))
    assert row["own"] == own
    ytb("publish", "--period", str(Q1))
    tables = home / "releases" / f"{Q1}.r1" / "tables"
    assert "M90.share" in pl.read_parquet(tables / "monitoring_figures.parquet")["indicator"].to_list()
    assert "W99" in pl.read_parquet(tables / "monitoring_warnings.parquet")["indicator"].to_list()
