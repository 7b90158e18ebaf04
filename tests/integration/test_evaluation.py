"""The evaluation of the demo's first year: against plain SQL and plain arithmetic, what is public, and the way of a decision."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from schemas.catalog import PROGRAMMES
from tests.integration import independent_figures as independent

SCHEME = tomllib.loads((PROGRAMMES / "park/2015/index/parks.toml").read_text(encoding="utf-8"))
RELEASE = "2014.r1"


@pytest.fixture
def own(province: Any, tmp_path: Path) -> Any:
    """A copy of the home, for steps that others must not see."""
    shutil.copytree(province.home, tmp_path / "home")
    return type(province)(tmp_path / "home", province.story)


@pytest.fixture(scope="module")
def scores(province: Any) -> pl.DataFrame:
    return pl.read_parquet(province.home / "releases" / RELEASE / "tables" / "evaluation_scores.parquet")


def plain_score(item: dict[str, Any], value: float) -> float:
    post = item["normalisation"]
    return float(min(max(60 + (value - post["worst"]) / (post["best"] - post["worst"]) * 40, 0), 120))


def test_values_are_what_plain_sql_makes_them_and_scores_what_plain_arithmetic_does(own: Any) -> None:
    assert own.ytb("run", "evaluation", "--period", "2014")[0] == 0
    with independent.snapshot(own.home) as con:
        internal = con.sql(
            "SELECT area, indicator, measure, value FROM mart.evaluation_scores WHERE \"table\" = 'parks'"
        ).fetchall()
        independent.annual_units(con, "2014")
        figures = {park: independent.index_figures(con, [park], "2014") for park in independent.PARKS}
    at = {(a, i, m): v for a, i, m, v in internal}
    weight = {g["id"]: g["weight"] for g in SCHEME["group"] if "weight" in g}
    checked = 0
    for park in independent.PARKS:
        sums: dict[str, list[tuple[float, float]]] = {}
        for item in SCHEME["indicator"]:
            value = figures[park][item["id"]]
            told = at[park, item["id"], "value"]
            if told is None or value is None:
                assert told is None, (park, item["id"], value)
                continue
            assert told == pytest.approx(value), (park, item["id"])
            assert at[park, item["id"], "score"] == pytest.approx(plain_score(item, value))
            sums.setdefault(item["parent"], []).append((item["weight"], plain_score(item, value)))
        groups = {g: sum(w * s for w, s in rows) / sum(w for w, _ in rows) for g, rows in sums.items()}
        for group, score in groups.items():
            if at[park, group, "score"] is not None:
                assert at[park, group, "score"] == pytest.approx(score)
                checked += 1
        shown = {g: s for g, s in groups.items() if at[park, g, "score"] is not None}
        if at[park, "T", "total"] is not None:
            assert at[park, "T", "total"] == pytest.approx(
                sum(weight[g] * s for g, s in shown.items()) / sum(weight[g] for g in shown)
            )
            checked += 1
    assert checked > len(independent.PARKS)


def test_nothing_internal_is_in_a_release(province: Any, scores: pl.DataFrame) -> None:
    folder = province.home / "releases" / RELEASE
    names = {p.stem for p in folder.rglob("*") if p.is_file()}
    assert not {n for n in names if n.startswith(("evaluation_reference", "evaluation_units"))}
    assert not {t for t in scores["table"].unique() if t.startswith(("national", "innovation_points"))}
    assert "innovation_points" not in (folder / "dictionary.json").read_text(encoding="utf-8")


def test_no_hidden_score_follows_from_what_is_public(scores: pl.DataFrame) -> None:
    mine = scores.filter(table="parks")
    weights = {i["id"]: (i["parent"], i["weight"]) for i in SCHEME["indicator"]}
    groups = {g["id"]: g["weight"] for g in SCHEME["group"] if "weight" in g}
    judged = 0
    for area in mine["area"].unique():
        rows = {(r["indicator"], r["measure"]): r for r in mine.filter(area=area).to_dicts()}
        hidden = [i for i in weights if rows[i, "score"]["status"] == "C"]
        known = [i for i in weights if rows[i, "score"]["status"] != "M"]
        total = {g: sum(weights[i][1] for i in known if weights[i][0] == g) for g in groups}
        equations = []
        for group in groups:
            if rows[group, "score"]["value"] is not None:
                equations.append([weights[i][1] / total[group] if weights[i][0] == group else 0.0 for i in hidden])
        if rows["T", "total"]["value"] is not None:
            equations.append([groups[weights[i][0]] * weights[i][1] / total[weights[i][0]] for i in hidden])
        if not hidden or not equations:
            continue
        matrix = np.array(equations)
        onto = np.linalg.pinv(matrix) @ matrix
        assert (np.diag(onto) < 1 - 1e-6).all(), area
        judged += 1
    assert judged > 0


def test_a_value_of_the_evaluation_is_traced_to_its_cells(province: Any, scores: pl.DataFrame) -> None:
    value = scores.filter(table="parks", indicator="X12", measure="value").row(0, named=True)
    code, found, said = province.ytb("trace", RELEASE, "evaluation_scores", f"{value['row_key']}:value")
    assert code == 0, said
    assert {c["column"] for c in found["sources"]} == {"K04", "K30"}
    assert {c["park"] for c in found["sources"]} == {value["area"]}


def test_a_park_is_moved_by_the_right_person_only_and_everything_stays_proven(own: Any) -> None:
    code, proposals, said = own.ytb("evaluation", "propose", "--period", "2014")
    assert code == 0, said
    assert {p["park"] for p in proposals} == set(independent.PARKS)
    words = (
        "evaluation",
        "decide",
        "LBGX",
        "watch",
        "--period",
        "2014",
        "--reason",
        "土地利用低效",
        "--document",
        "示统函1号",
    )
    assert own.ytb("--user", "reviewer", *words)[0] == 1
    assert own.ytb("user", "add", "wang", "province_statistician", "--title", "王")[0] == 0
    code, made, said = own.ytb("--user", "wang", *words)
    assert (code, made["to_rung"]) == (0, "watch"), said
    assert made["evidence"]
    (standing,) = own.ytb("evaluation", "standing", "LBGX")[1]
    assert (standing["rung"], standing["waiting"]["to_rung"]) == ("normal", "watch")  # until another person confirms it
    assert [one["park"] for one in own.ytb("evaluation", "standing")[1] if one["waiting"]] == ["LBGX"]
    assert own.ytb("--user", "wang", "evaluation", "confirm", "LBGX")[0] == 1
    assert own.ytb("user", "add", "li", "province_statistician", "--title", "李")[0] == 0
    code, moved, said = own.ytb("--user", "li", "evaluation", "confirm", "LBGX")
    assert (code, moved["to_rung"], moved["responsible"]) == (0, "watch", "wang"), said
    (standing,) = own.ytb("evaluation", "standing", "LBGX")[1]
    assert (standing["rung"], standing["waiting"]) == ("watch", None)
    assert own.ytb("verify")[0] == 0


def test_provided_figures_enter_the_next_release_and_it_can_be_made_again(
    own: Any, scores: pl.DataFrame, tmp_path: Path
) -> None:
    assert own.ytb("user", "add", "wang", "province_statistician", "--title", "王")[0] == 0
    file = tmp_path / "figures.csv"
    file.write_text(
        "scheme,unit,year,indicator,value,basis\nland,LBGX,2014,T3,1.3,自然资源局函\nland,LBGX,2014,T4,75,自然资源局函\n",
        encoding="utf-8",
    )
    code, made, said = own.ytb("--user", "wang", "evaluation", "provide", str(file), "--period", "2014")
    assert (code, made) == (0, {"recorded": 2}), said
    code, release, said = own.ytb("publish", "--period", "2014", "--reason", "补外部指标")
    assert code == 0, said
    table = pl.read_parquet(own.home / "releases" / release["release"] / "tables" / "evaluation_scores.parquet")
    key = "land|LBGX|2014|T|full_marks"
    before, after = (frame.filter(row_key=key)["value"].item() for frame in (scores, table))
    assert after == pytest.approx(before + 12.5 + 10.0)  # half of item 3 and all of item 4
    code, again, said = own.ytb("reproduce", release["release"])
    assert (code, again["identical"]) == (0, True), said
