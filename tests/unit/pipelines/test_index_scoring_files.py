"""``score`` from files to files: same bytes, Chinese complaints with their place, a workbook that computes itself."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from python_calamine import CalamineWorkbook

from pipelines.scoring import score
from schemas.errors import DefinitionError

SYSTEM = """
title = "园区评价"
[data]
unit = "unit"
name = "name"
class = "kind"
[imputation]
method = "median"
[aggregation]
method = "arithmetic"
minimum_coverage = 0.6
[ranking]
within = "class"
minimum_class_size = 3
orders = ["borda", "copeland", "kemeny"]
[uncertainty]
normalisation = ["nominal", "rank"]
errors = { imputed = 0.2 }
[[group]]
id = "T"
name = "总指数"
aggregation = { method = "geometric" }
[[group]]
id = "D1"
name = "创新"
parent = "T"
weight = 60
[[group]]
id = "D2"
name = "绿色"
parent = "T"
weight = 40
weights = { method = "budget", file = "experts.csv" }
[[indicator]]
id = "rd"
name = "研发强度"
parent = "D1"
weight = 2
denominator = "revenue"
factor = 100
outliers = { method = "winsorise" }
[[indicator]]
id = "patents"
name = "专利"
parent = "D1"
weight = 1
normalisation = { method = "goalposts", by_class = { a = { worst = 0, best = 50 }, b = { worst = 0, best = 80 } } }
[[indicator]]
id = "energy"
name = "能耗"
parent = "D2"
direction = "negative"
normalisation = { method = "zscore" }
imputation = { method = "none" }
[[indicator]]
id = "land"
name = "用地"
parent = "D2"
normalisation = { method = "percentile" }
"""


def files(folder: Path, system: str = SYSTEM) -> tuple[Path, Path]:
    random = np.random.default_rng(4)
    rows = ["unit,name,kind,rd,revenue,patents,energy,land"]
    for k in range(12):
        cells = [
            f"P{k:02}", f"园区{k}", "a" if k < 7 else ("b" if k < 11 else "c"),
            f"{random.uniform(1, 9):.3f}", f"{random.uniform(50, 90):.3f}", str(int(random.integers(5, 90))),
            f"{random.uniform(0.2, 2):.4f}", f"{random.uniform(1, 20):.2f}",
        ]  # fmt: skip
        if k == 3:
            cells[3] = "400"  # an outlier
        if k == 5:
            cells[5] = ""  # imputed
        if k == 8:
            cells[6] = ""  # stays missing: D2 is below its minimum
        if k == 11:
            cells[2] = "a"
        rows.append(",".join(cells))
    (folder / "experts.csv").write_text("expert,energy,land\n甲,70,30\n乙,50,50\n", encoding="utf-8")
    (folder / "system.toml").write_text(system, encoding="utf-8")
    (folder / "data.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder / "system.toml", folder / "data.csv"


def test_results_are_complete_and_the_same_bytes_again(tmp_path: Path) -> None:
    system, data = files(tmp_path)
    first = score(system, data, draws=300, seed=7, out=tmp_path / "one")
    second = score(system, data, draws=300, seed=7, out=tmp_path / "two")
    assert first == second
    assert set(first.files) == {p.name for p in (tmp_path / "one").iterdir()}
    for name in first.files:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name
    assert first.units == 12
    assert json.loads((tmp_path / "one" / "summary.json").read_text(encoding="utf-8")) == first.to_json()


def test_the_files_agree_with_each_other(tmp_path: Path) -> None:
    system, data = files(tmp_path)
    score(system, data, draws=300, seed=7, out=tmp_path / "out")

    def table(name: str) -> pl.DataFrame:
        return pl.read_csv(tmp_path / "out" / f"{name}.csv")

    scores, cells = table("scores"), table("cells")
    top = scores.filter(node="T")
    assert top["rank_in_class"].drop_nulls().min() == 1
    assert top.filter(unit="P08")["score"].item() is not None  # D1 alone is 60 % of the weight
    assert scores.filter(node="D2", unit="P08")["score"].item() is None
    assert cells.filter(unit="P05", indicator="patents")["imputed"].item() == "median"
    assert cells.filter(unit="P03", indicator="rd")["treated"].item() == "截尾"
    parts = table("decomposition")
    sums = parts.group_by("unit_before", "unit_after").agg(pl.col("points").sum(), pl.col("total").first())
    assert (sums["points"] - sums["total"]).abs().max() < 1e-9  # type: ignore[operator]
    spread = table("uncertainty")
    assert (spread["rank_low"] <= spread["rank_median"]).all() and (spread["rank_median"] <= spread["rank_high"]).all()
    pairs = table("ahead")
    both = pairs.join(pairs, left_on=["a", "b"], right_on=["b", "a"])
    assert (both["probability"] + both["probability_right"] - 1).abs().max() < 1e-12  # type: ignore[operator]
    assert set(table("sobol")["factor"].unique()) == {"weights", "normalisation", "errors"}
    assert table("weights").filter(group="D2")["weight"].to_list() == [0.6, 0.4]
    orders = table("orders")
    assert set(orders["order"]) == {"borda", "copeland", "kemeny"}
    assert set(orders["unit_class"]) == {"a", "b"}  # ranks within the class, orders too


def test_a_previous_table_gives_change_from_year_to_year(tmp_path: Path) -> None:
    system, data = files(tmp_path)
    before = pl.read_csv(data, infer_schema=False).with_columns(land=pl.lit("7"))
    before.write_csv(tmp_path / "before.csv")
    summary = score(system, data, previous=tmp_path / "before.csv", out=tmp_path / "out")
    assert summary.years == ("上期", "本期")
    parts = pl.read_csv(tmp_path / "out" / "decomposition.csv").filter(year_before="上期", unit_after="P00")
    assert parts["points"].sum() == pytest.approx(parts["total"][0])
    moved = dict(parts.select("part", "points").iter_rows())
    assert moved["rd"] == pytest.approx(0.0)
    assert moved["land"] != 0.0


def test_a_revised_previous_table_is_told_from_the_published_one(tmp_path: Path) -> None:
    system, data = files(tmp_path)
    rows = pl.read_csv(data, infer_schema=False)
    rows.with_columns(land=pl.lit("7")).write_csv(tmp_path / "before.csv")
    rows.with_columns(land=pl.lit("7"), rd=pl.col("rd").replace({rows["rd"][0]: "3"})).write_csv(tmp_path / "old.csv")
    score(system, data, previous=tmp_path / "before.csv", published=tmp_path / "old.csv", out=tmp_path / "out")
    parts = pl.read_csv(tmp_path / "out" / "decomposition.csv").filter(year_before="上期", unit_after="P00")
    assert parts["points"].sum() == pytest.approx(parts["total"][0])
    kinds = {(r["kind"], r["part"]): r["points"] for r in parts.to_dicts()}
    assert kinds["revised", "rd"] != 0.0 and kinds["figures", "rd"] == pytest.approx(0.0)
    assert kinds["revised", "land"] == pytest.approx(0.0) and kinds["figures", "land"] != 0.0
    with pytest.raises(DefinitionError, match=r"old\.csv.*没有可比的上年"):
        score(system, data, published=tmp_path / "old.csv", out=tmp_path / "two")


def test_growth_from_a_previous_table_is_chained_on_its_level(tmp_path: Path) -> None:
    text = """
title = "指数"
[normalisation]
method = "bounded_growth"
[[group]]
id = "T"
[[indicator]]
id = "a"
parent = "T"
weight = 1
"""
    (tmp_path / "s.toml").write_text(text, encoding="utf-8")
    (tmp_path / "now.csv").write_text("unit,a,previous_index\nU,12,150\nV,9,\n", encoding="utf-8")
    (tmp_path / "then.csv").write_text("unit,a\nU,10\nV,10\n", encoding="gb18030")
    score(tmp_path / "s.toml", tmp_path / "now.csv", previous=tmp_path / "then.csv", out=tmp_path / "out")
    found = pl.read_csv(tmp_path / "out" / "chained_index.csv")
    assert found["index"].to_list() == pytest.approx([180.0, 90.0])
    with pytest.raises(DefinitionError, match="上期数据"):
        score(tmp_path / "s.toml", tmp_path / "then.csv", out=tmp_path / "out")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('method = "budget"', 'method = "budgt"'), r"budgt"),
        (('file = "experts.csv"', 'file = "none.csv"'), r"none\.csv.*不存在"),
        (("weight = 2\n", ""), r"system\.toml:\d+.*rd 没有 weight"),
        (('title = "园区评价"', 'titel = "x"'), r"system\.toml"),
        (("weight = 2\n", "weight = inf\n"), r"system\.toml:indicator\.0\.weight:不能写 inf"),
        (("weight = 2\n", "weight = -2\n"), r"写的是 -2,不能小于 0"),
        (("minimum_coverage = 0.6", "minimum_coverage = 60"), r"写的是 60,不能大于 1"),
        (('method = "arithmetic"', 'method = "power"'), r"须给出 power"),
        (('method = "median"', 'method = "median"\nwithin = "kind"'), r"“kind”不在可用的值之中:all、class"),
        (("column", "column"), ""),
    ],
)
def test_faults_name_file_and_line_and_write_nothing(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    system, data = files(tmp_path, SYSTEM.replace(*change))
    if not message:
        data.write_text(data.read_text(encoding="utf-8").replace("P02,园区2,a,", "P02,园区2,a,一"), encoding="utf-8")
        message = r"data\.csv:4 列 rd.*不是数"
    with pytest.raises(DefinitionError, match=message):
        score(system, data, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_ragged_and_doubled_columns_are_refused(tmp_path: Path) -> None:
    system, data = files(tmp_path)
    data.write_text("unit,unit\nA,B\n", encoding="utf-8")
    with pytest.raises(DefinitionError, match="列名重复"):
        score(system, data, out=tmp_path / "out")
    data.write_text("unit,name\nA\n", encoding="utf-8")
    with pytest.raises(DefinitionError, match=r"data\.csv:2"):
        score(system, data, out=tmp_path / "out")


METHODS = """
title = "全部方法"
[data]
class = "kind"
year = "year"
[[group]]
id = "T"
[[group]]
id = "G"
parent = "T"
weight = 1
aggregation = { method = "geometric" }
[[group]]
id = "H"
parent = "T"
weight = 2
aggregation = { method = "power", power = 2, missing = "null" }
[[group]]
id = "B"
parent = "T"
weight = 1
weights = { method = "benefit_of_doubt" }
[[group]]
id = "M"
parent = "T"
weight = 1
aggregation = { method = "arithmetic", missing = "base" }
""" + "\n".join(
    f'[[indicator]]\nid = "x{k}"\nparent = "{parent}"\nweight = 1\ncolumn = "{column}"\n{more}'
    for k, (parent, column, more) in enumerate(
        [
            ("G", "a", 'normalisation = { method = "minmax", within = "class" }'),
            ("G", "b", 'direction = "negative"\nnormalisation = { method = "minmax", low = 1, high = 10 }'),
            ("G", "a", 'normalisation = { method = "goalposts", worst = 1, best = 200, log = true }'),
            ("G", "b", 'direction = "negative"\nnormalisation = { method = "efficacy", worst = 20, best = 2 }'),
            ("H", "a", 'normalisation = { method = "zscore" }\noutliers = { method = "log_shifted" }'),
            ("H", "b", 'direction = "negative"\nnormalisation = { method = "distance_to_best" }'),
            ("H", "a", 'normalisation = { method = "distance_to_target", target = 40, ceiling = 120 }'),
            ("B", "a", 'normalisation = { method = "percentile", within = "class" }'),
            ("B", "b", 'direction = "negative"\nnormalisation = { method = "rank" }'),
            ("B", "a", 'normalisation = { method = "borda" }\noutliers = { method = "winsorise" }'),
            ("M", "b", 'normalisation = { method = "base_growth" }\noutliers = { method = "box_cox", power = 0.5 }'),
            ("M", "a", 'normalisation = { method = "bounded_growth", cap = 60 }'),
            ("M", "b", 'direction = "negative"\nnormalisation = { method = "difference", scale = 4, cap = 90 }'),
        ]
    )
)


@pytest.mark.slow
@pytest.mark.libreoffice
@pytest.mark.parametrize("which", ["evaluation", "methods"])
def test_the_workbook_computes_every_score_itself(tmp_path: Path, which: str) -> None:
    if not shutil.which("soffice"):
        pytest.skip("没有 LibreOffice,不能重算工作簿")
    system, data = files(tmp_path)
    if which == "methods":
        system.write_text(METHODS, encoding="utf-8")
        random = np.random.default_rng(9)
        rows = ["unit,kind,year,a,b"]
        for year in (2015, 2016):
            for k in range(9):
                a = "" if (k, year) == (4, 2016) else f"{random.uniform(2, 90):.3f}"
                rows.append(
                    f"U{k},{'x' if k < 5 else 'y'},{year},{900 if (k, year) == (1, 2016) else a},{random.uniform(2, 20):.3f}"
                )
        data.write_text("\n".join(rows) + "\n", encoding="utf-8")
    out = tmp_path / "out"
    score(system, data, out=out)
    # values are recomputed on loading by way of a format that keeps no cached results of formulas
    for kind, source, folder in (
        ("fods", out / "result.xlsx", tmp_path / "f"),
        ("xlsx", tmp_path / "f" / "result.fods", tmp_path / "x"),
    ):
        if kind == "xlsx":
            text = source.read_text(encoding="utf-8")
            text = re.sub(r'(<table:table-cell[^>]*table:formula="[^"]*"[^>]*?) office:value="[^"]*"', r"\1", text)
            source.write_text(text, encoding="utf-8")
        subprocess.run(
            ["soffice", "--headless", f"-env:UserInstallation=file://{tmp_path}/profile", "--convert-to", kind, "--outdir", folder, source],
            check=True, capture_output=True, timeout=240,
        )  # fmt: skip
    ours, theirs = (CalamineWorkbook.from_path(str(p)) for p in (out / "result.xlsx", tmp_path / "x" / "result.xlsx"))
    for name in ("处理后", "参数", "标准化", "得分", "结果"):
        mine = ours.get_sheet_by_name(name).to_python(skip_empty_area=False)
        recalculated = theirs.get_sheet_by_name(name).to_python(skip_empty_area=False)
        compared = 0
        for row, line in enumerate(mine[4:], start=4):
            for column, value in enumerate(line[3:], start=3):
                other = recalculated[row][column] if column < len(recalculated[row]) else ""
                if isinstance(value, float | int):
                    assert other == pytest.approx(value, abs=1e-6, rel=1e-6), (name, row, column)
                    compared += 1
                else:
                    assert other == value, (name, row, column)
        assert compared > 10
