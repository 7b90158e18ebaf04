"""What ``score`` writes: scores can be computed again from the files alone, and nothing that was done stays unsaid."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from pipelines.scoring import Summary, score
from schemas.errors import DefinitionError

HEAD = 'title = "试"\n[data]\nclass = "kind"\n[normalisation]\nmethod = "none"\n[[group]]\nid = "T"\n'


def leaf(name: str, more: str = "weight = 1") -> str:
    return f'[[indicator]]\nid = "{name}"\nparent = "T"\n{more}\n'


def run(folder: Path, system: str, data: str, **more: Any) -> tuple[Summary, dict[str, pl.DataFrame]]:
    (folder / "s.toml").write_text(system, encoding="utf-8")
    (folder / "d.csv").write_text(data, encoding="utf-8")
    made = score(folder / "s.toml", folder / "d.csv", out=folder / "out", **more)
    return made, {p.stem: pl.read_csv(p, infer_schema_length=None) for p in (folder / "out").glob("*.csv")}


# ── from the files alone ────────────────────────────────────────────────────────────────────────────────────────────
EVERYTHING = """
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
weights = { method = "benefit_of_doubt", lower = 0.1 }
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
            ("H", "a", 'normalisation = { method = "zscore", centre = 3 }\noutliers = { method = "box_cox" }'),
            ("B", "a", 'normalisation = { method = "percentile", within = "class" }'),
            ("B", "b", 'direction = "negative"\nnormalisation = { method = "rank" }'),
            ("B", "a", 'normalisation = { method = "borda" }\noutliers = { method = "winsorise" }'),
            ("M", "b", 'normalisation = { method = "base_growth" }\noutliers = { method = "mad" }'),
            ("M", "a", 'normalisation = { method = "bounded_growth" }'),
            ("M", "b", 'direction = "negative"\nnormalisation = { method = "difference", scale = 4, cap = 90 }'),
        ]
    )
)


def again(p: dict[str, Any], x: float, before: float | None, peers: list[float]) -> float | None:
    """One score from the value, what growth is measured from, and the values of those it is compared with."""
    d = p["direction"]
    made: Any

    def line(low: float, high: float) -> float:
        return float(low + (x - p["worst"]) / (p["best"] - p["worst"]) * (high - low))

    place = sum((v - x) * d < 0 for v in peers) + (peers.count(x) + 1) / 2
    match p["method"]:
        case "minmax":
            made = line(p["low"], p["high"])
        case "goalposts":
            logs = {**p, "worst": math.log(p["worst"]), "best": math.log(p["best"])} if p["log"] else p
            z = math.log(x) if p["log"] else x
            made = p["low"] + (z - logs["worst"]) / (logs["best"] - logs["worst"]) * (p["high"] - p["low"])
        case "efficacy":
            made = line(p["base"], 100)
        case "zscore":
            made = p["centre"] + p["spread"] * d * (x - p["mean"]) / p["deviation"]
        case "distance_to_best":
            made = (x / p["best"] if d > 0 else p["best"] / x) * 100
        case "distance_to_target":
            made = (x / p["target"] if d > 0 else p["target"] / x) * 100
        case "rank" | "borda":
            made = place - (p["method"] == "borda")
        case "percentile":
            made = (place - 1) / (len(peers) - 1) * 100
        case "base_growth":
            made = None if before is None else x / before * 100
        case "bounded_growth":
            made = (
                None if before is None else max(-p["cap"], min(p["cap"], (x - before) / ((x + before) / 2) * 100)) * d
            )
        case _:
            made = None if before is None else max(-p["cap"], min(p["cap"], d * (x - before) / p["scale"] * 100))
    return None if made is None else float(max(p.get("floor", -math.inf), min(p.get("ceiling", math.inf), made)))


def treated_again(p: dict[str, Any], x: float) -> float:
    held = float(max(p.get("low", -math.inf), min(p.get("high", math.inf), x)))
    match p["transformation"]:
        case "log" | "log_shifted":
            return math.log(held + float(p["shift"]))
        case "box_cox":
            power = float(p["power"])
            return math.log(held) if power == 0 else float((held + float(p["shift"])) ** power - 1) / power
    return held


def group_again(p: dict[str, Any], scores: list[float | None], weights: list[float]) -> float | None:
    there = [(w, s) for w, s in zip(weights, scores, strict=True) if s is not None]
    total = sum(w for w, _ in there)
    if not there or (p["missing"] == "null" and len(there) < len(scores)):
        return None
    if p["missing"] == "base":
        return sum(w * s for w, s in there) / sum(weights)
    if p["power"] == 0:
        return math.exp(sum(w * math.log(max(s, p["floor"])) for w, s in there) / total)
    raised = [(w, s if p["power"] == 1 else max(s, p["floor"])) for w, s in there]
    return float((sum(w * s ** p["power"] for w, s in raised) / total) ** (1 / p["power"]))


def table_of_two_years() -> str:
    random = np.random.default_rng(9)
    rows = ["unit,kind,year,a,b"]
    for year in (2015, 2016):
        for k in range(9):
            a = "" if (k, year) == (4, 2016) else f"{random.uniform(2, 90):.3f}"
            a = "900" if (k, year) == (1, 2016) else a
            rows.append(f"U{k},{'x' if k < 5 else 'y'},{year},{a},{random.uniform(2, 20):.3f}")
    return "\n".join(rows) + "\n"


def test_every_score_can_be_computed_again_from_the_files_alone(tmp_path: Path) -> None:
    _, files = run(tmp_path, EVERYTHING, table_of_two_years())
    kind = dict(files["scores"].select("unit", "unit_class").iter_rows())
    p: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    for row in files["parameters"].iter_rows(named=True):
        for c in ("x", "y") if not row["unit_class"] else (row["unit_class"],):
            own = p.setdefault((row["node"], row["step"]), {}).setdefault(c, {"method": row["method"]})
            own[row["parameter"]] = row["text"] if row["value"] is None else row["value"]
    cells = {(r["unit"], r["indicator"]): r for r in files["cells"].iter_rows(named=True)}
    found: dict[tuple[str, str], float | None] = {}
    compared = 0
    for (unit, name), cell in cells.items():
        c = kind[unit]
        one = p[name, "normalisation"][c]
        if cell["value_used"] is None:
            assert cell["score"] is None
            found[unit, name] = None
            continue
        assert treated_again(p[name, "outliers"][c], cell["value_used"]) == pytest.approx(cell["value_treated"])
        peers = [r["value_treated"] for (u, n), r in cells.items() if n == name and r["value_treated"] is not None
                 and (one.get("within") != "class" or kind[u] == c)]  # fmt: skip
        made = again(one, cell["value_treated"], cell["previous"], peers)
        assert made == (None if cell["score"] is None else pytest.approx(cell["score"])), (unit, name)
        found[unit, name] = made
        compared += made is not None
    assert compared > 100
    nodes = {(r["unit"], r["node"]): r["score"] for r in files["scores"].iter_rows(named=True)}
    weights = files["weights"].to_dicts()
    for group in ("G", "H", "B", "M", "T"):
        for unit, c in kind.items():
            mine = [w for w in weights if w["group"] == group and (w["unit"] or unit) == unit]
            scores = [found[unit, w["child"]] for w in mine]
            if (
                group == "B" and mine[0]["multiplier"] is None
            ):  # the worst of a ranking has no score to take a tenth from
                made = None
                assert "没有合乎份额界限的权重" in mine[0]["note"]
            elif group == "B":
                made = sum(w["multiplier"] * s for w, s in zip(mine, scores, strict=True) if s is not None)
                shares = [w["weight"] for w in mine]
                assert sum(shares) == pytest.approx(1.0)
                assert [
                    w["multiplier"] * (s or 0.0) / made for w, s in zip(mine, scores, strict=True)
                ] == pytest.approx(shares)
            else:
                made = group_again(p[group, "aggregation"][c], scores, [w["weight"] for w in mine])
            expected = nodes[unit, group]
            assert made == (None if expected is None else pytest.approx(expected)), (unit, group)
            found[unit, group] = made


# ── what was done is said ───────────────────────────────────────────────────────────────────────────────────────────
def test_scores_raised_to_the_floor_are_listed_one_by_one(tmp_path: Path) -> None:
    system = HEAD + 'aggregation = { method = "geometric" }\n' + leaf("a") + leaf("b")
    made, files = run(tmp_path, system, "unit,kind,a,b\nU,x,-1,4\nV,x,1,4\n")
    top = dict(files["scores"].filter(node="T").select("unit", "score").iter_rows())
    assert top == {"U": pytest.approx(0.2), "V": pytest.approx(2.0)}  # √(0.01 · 4), √(1 · 4)
    raised = files["scores"].filter(pl.col("raised_to").is_not_null()).select("unit", "node", "raised_to").rows()
    assert raised == [("U", "a", 0.01)]
    assert files["cells"].filter(unit="U", indicator="a")["score_used"].item() == 0.01
    assert any("1 个得分低于下限 0.01" in f and "U 的 a -1" in f for f in made.findings)
    _, files = run(tmp_path, system.replace('"geometric"', '"geometric", floor = 1'), "unit,kind,a,b\nU,x,-1,4\n")
    assert files["scores"].filter(node="T")["score"].item() == pytest.approx(2.0)
    assert files["parameters"].filter(node="T", parameter="floor")["value"].item() == 1.0
    with pytest.raises(DefinitionError, match=r"s\.toml:7.*floor 为 0,应大于 0"):
        run(tmp_path, system.replace('"geometric"', '"geometric", floor = 0'), "unit,kind,a,b\nU,x,-1,4\n")


def test_cells_say_what_became_of_every_figure(tmp_path: Path) -> None:
    system = (
        HEAD + leaf("a", 'weight = 1\ndenominator = "d"') + leaf("b", 'weight = 1\nimputation = { method = "mean" }')
    )
    data = "unit,kind,a,d,b,b.status\nU,x,6,2,5,P\nV,x,6,0,,\nW,x,6,-2,7,A\nX,x,…,2,*,\nY,x,,…,1,\nZ,x,0,2,3,\n"
    made, files = run(tmp_path, system, data)
    told = {
        (r["unit"], r["indicator"]): (r["status"], r["display"], r["note"] or "")
        for r in files["cells"].iter_rows(named=True)
    }
    assert told["U", "a"] == ("A", "3.0000", "") and told["U", "b"][:2] == ("P", "5.0000")
    assert told["V", "a"] == ("M", "—", "分母为 0,没有值。")
    assert told["V", "b"] == ("E", "4.0000", "未报;按 mean 插补。")
    assert told["W", "a"] == ("A", "-3.0000", "分母为负(-2),请核对。")
    assert told["X", "a"] == ("Z", "…", "数据不适用。")
    assert told["X", "b"][::2] == ("E", "不公布;按 mean 插补。")
    assert told["Y", "a"] == ("Z", "…", "数据和分母不适用。")
    assert told["Z", "a"][:2] == ("A", "0")
    totals = {r["unit"]: (r["status"], r["display"]) for r in files["scores"].filter(node="T").iter_rows(named=True)}
    assert totals == {
        "U": ("P", "4.00"),
        "V": ("E", "4.00"),
        "W": ("A", "2.00"),
        "X": ("E", "4.00"),
        "Y": ("A", "1.00"),
        "Z": ("A", "1.50"),
    }
    assert any("V 为 0" in f for f in made.findings) and any("W 为负" in f for f in made.findings)
    with pytest.raises(DefinitionError, match=r"d\.csv:2 列 b\.status.*状态为 M"):
        run(tmp_path, system, "unit,kind,a,d,b,b.status\nU,x,6,2,5,M\n")


def test_a_class_too_small_has_no_place_anywhere(tmp_path: Path) -> None:
    system = HEAD.replace(
        "[[group]]", '[ranking]\nwithin = "class"\nminimum_class_size = 3\norders = ["borda"]\n[[group]]'
    )
    data = "unit,kind,a,b\nU,x,1,2\nV,x,5,1\nW,x,3,3\nX,y,9,9\nY,y,8,8\nZ,y,,\n"
    made, files = run(tmp_path, system + leaf("a") + leaf("b"), data, draws=50)
    top = files["scores"].filter(node="T")
    assert top.select("unit", "rank", "rank_display").rows() == [
        ("U", 3, "3"), ("V", 1, "1"), ("W", 1, "1"), ("X", None, "…"), ("Y", None, "…"), ("Z", None, "—"),
    ]  # fmt: skip
    assert top["tied"].to_list()[:3] == [1, 2, 2]
    assert "有得分的只有 2 个" in top.filter(unit="X")["note"].item()
    assert files["orders"]["unit"].to_list() == ["U", "V", "W"]
    assert files["uncertainty"].filter(unit="X").select("rank", "rank_low", "first").row(0) == (None, None, None)
    assert set(files["ahead"]["a"]) == {"U", "V", "W"}
    assert files["leave_one_out"].filter(pl.col("unit").is_in(["X", "Y"]))["rank"].null_count() == 4
    assert [(r["unit"], r["rank"]) for r in made.ranking if r["class"] == "y"] == [
        ("X", None),
        ("Y", None),
        ("Z", None),
    ]


DRAWN = HEAD + leaf("a") + leaf("b", "weight = 2")
SIX = "unit,kind,a,b\n" + "".join(f"U{k},x,{k * 7 % 5 + 1000},{k + 2000}\n" for k in range(6))


def test_intervals_of_scores_keep_to_the_scale_of_the_definition(tmp_path: Path) -> None:
    plan = '[uncertainty]\nnormalisation = ["nominal", "zscore", "minmax"]\n'
    made, files = run(tmp_path, DRAWN + plan, SIX, draws=300)
    spread = files["uncertainty"]
    assert (spread["score_low"] > 1000).all() and 60 < spread["score_draws"][0] < 140  # z-scores would lie about 50
    assert any("得分区间只取用本定义无量纲化的" in f for f in made.findings)
    made, files = run(tmp_path, DRAWN + plan.replace('"nominal", ', ""), SIX, draws=60)
    assert files["uncertainty"]["score_low"].null_count() == 6 and files["uncertainty"]["rank_low"].null_count() == 0
    assert any("不给得分区间" in f for f in made.findings)


def test_where_nothing_varies_there_are_no_intervals(tmp_path: Path) -> None:
    made, files = run(tmp_path, DRAWN + '[uncertainty]\nweights = "none"\n', SIX, draws=60)
    assert "uncertainty" not in files and "ahead" not in files
    assert any("没有可变的" in f for f in made.findings)
    assert made.ranking[0]["rank_low"] is None
    assert files["parameters"].filter(step="uncertainty", parameter="draws")["value"].item() == 60


@pytest.mark.parametrize(
    ("system", "data", "said"),
    [
        (DRAWN + '[ranking]\norders = ["borda"]\n[compare]\npairs = [["U0", "Q"]]\n', SIX, r"s\.toml:18.*Q 不在数据中"),
        (DRAWN + '[uncertainty]\nlevel = 2\n', SIX, r"s\.toml:16.*超出范围"),
        (DRAWN + '[uncertainty]\nnormalisation = ["goalposts"]\n', SIX, r"s\.toml:16.*不能抽取 goalposts"),
        (DRAWN.replace('"none"', '"zscore"'), "unit,kind,a,b\nU,x,1,2\n", r"s\.toml:9.*少于 5"),
        (DRAWN.replace('"none"', '"base_growth"'), SIX, r"s\.toml:9.*需要 base 或上期"),
        (DRAWN + 'outliers = { method = "log" }\n', SIX.replace("2003", "-3"), r"s\.toml:13.*d\.csv:5"),
        (DRAWN.replace('"none"', '"distance_to_best"') + 'direction = "negative"\n', SIX.replace("2003", "-3"), r"s\.toml:13.*d\.csv:5"),
        (DRAWN.replace('id = "T"\n', 'id = "T"\nweights = { method = "entropy" }\n'), "unit,kind,a,b\nU,x,1,2\n", r"s\.toml:7.*熵权"),
        (DRAWN.replace('id = "T"\n', 'id = "T"\nweights = { method = "ahp", file = "e.csv" }\n'), SIX, r"e\.csv:3.*没有 c"),
        (DRAWN.replace('id = "T"\n', 'id = "T"\nweights = { method = "target_importance", importance = { z = 1 } }\n'), SIX, r"s\.toml:7.*不在该组的 z"),
        (DRAWN, "unit,kind,a,b\n", r"d\.csv:1.*没有数据行"),
        (DRAWN, "unit,kind,a,b\n,x,1,2\n", r"d\.csv:2 列 unit.*请填代码"),
        ('title = "试"\n[aggregation]\nfloor = 1\n[[group]]\nid = "T"\n' + leaf("a"), SIX, r"s\.toml:2.*aggregation.*缺少 method"),
    ],
)  # fmt: skip
def test_every_complaint_names_its_file_and_line(tmp_path: Path, system: str, data: str, said: str) -> None:
    (tmp_path / "e.csv").write_text("expert,left,right,ratio\n甲,a,b,2\n甲,a,c,2\n", encoding="utf-8")
    with pytest.raises(DefinitionError, match=said):
        run(tmp_path, system, data, draws=10)
    assert not (tmp_path / "out").exists()


def test_who_has_no_score_is_told_why(tmp_path: Path) -> None:
    system = HEAD + 'aggregation = { method = "arithmetic", minimum_coverage = 0.6 }\n' + leaf("a") + leaf("b")
    made, files = run(tmp_path, system, "unit,kind,a,b\nU,x,1,2\nV,x,,2\nW,x,,\n")
    assert "没有总得分:V(可用权重占 50%,低于 60%,不足以计算)、W(下级都没有得分)。" in made.findings
    best = HEAD.replace('id = "T"\n', 'id = "T"\nweights = { method = "benefit_of_doubt", lower = 0.2 }\n')
    made, files = run(tmp_path, best + leaf("a") + leaf("b"), "unit,kind,a,b\nU,x,1,2\nV,x,0,2\nW,x,,2\n")
    assert any(
        f.startswith("T:V(没有合乎份额界限的权重:a 的份额不得低于 0.2,而其得分为 0)没有得分") for f in made.findings
    )
    assert files["scores"].filter(node="T", unit="V")["note"].item().startswith("没有合乎份额界限的权重")
    own = files["weights"].filter(unit="U")
    assert own["weight"].sum() == pytest.approx(1.0) and (own["multiplier"] > 0).all()
