"""A release in which one zone is missing: its units are estimated, said so everywhere, traced, and made again byte for byte."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.integration import independent_figures as independent

pytestmark = pytest.mark.slow
MISSING = "LBBY"
SHOWN = "F28"


@pytest.fixture(scope="module")
def without_a_zone(province: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, pl.DataFrame]:
    """A copy of the home in which one zone's second quarter went back, and what is published of it now."""
    home = tmp_path_factory.mktemp("silent") / "home"
    shutil.copytree(province.home, home)
    own = type(province)(home, province.story)
    query = f"SELECT number FROM meta.effective WHERE period = '2015-Q2' AND park = '{MISSING}'"
    code, found, said = own.ytb("sql", query)
    assert code == 0, said
    number = found[0]["number"]
    assert own.ytb("review", "reopen", number, "--reason", "数据有误")[0] == 0
    assert own.ytb("review", "return", number, "--reason", "请重新填报")[0] == 0
    code, found, said = own.ytb("publish", "--period", "2015-Q2", "--reason", "白银退回重报")
    assert code == 0, said
    return own, pl.read_parquet(home / "releases" / found["release"] / "tables" / "monitoring_figures.parquet")


def figure(figures: pl.DataFrame, area: str, measure: str, indicator: str = "F01") -> dict[str, Any]:
    keys = {"area": area, "breakdown": "total", "indicator": indicator, "measure": measure}
    return figures.filter(**keys).row(0, named=True)


def test_the_total_is_respondents_by_plain_sql_and_the_estimates_beside_the_release(without_a_zone: Any) -> None:
    """No figures of 2014-Q2 are on file: every silent unit is carried from its own first quarter, and never below it."""
    own, figures = without_a_zone
    # Revenue of the respondents is kept back: it would give the total of the silent zone, which protects two of its sub-parks.
    assert figure(figures, "LBSYQ", "cumulative_reported")["status"] == "C"
    total, answered = (figure(figures, "LBSYQ", m, SHOWN) for m in ("cumulative", "cumulative_reported"))
    assert total["status"] == "E" and "户估算数" in total["note"] and answered["status"] == "P"
    listed = pl.read_ipc(own.home / "releases" / ".internal" / f"{total['release']}.imputed.arrow")
    put = listed.filter(pl.col("indicator").eq(SHOWN) & pl.col("value").is_not_null())
    with independent.snapshot(own.home) as con:
        plain = con.sql(f"SELECT sum({SHOWN}) FROM effective.finance WHERE period = '2015-Q2'").fetchone()
        query = f"SELECT unit_id, {SHOWN} FROM effective.finance WHERE period = '2015-Q1' AND park = '{MISSING}'"
        first = dict(con.sql(query).fetchall())
    assert plain and answered["value"] == plain[0]
    assert total["value"] == plain[0] + put["value"].sum()
    assert figure(figures, "LBSYQ", "imputed_share", SHOWN)["value"] == pytest.approx(
        put["value"].sum() / total["value"] * 100
    )
    assert dict(put.select("unit_id", "base").iter_rows()) == first
    assert all(value >= base for value, base in put.select("value", "base").iter_rows())


def test_a_zone_nobody_answered_for_has_no_level(without_a_zone: Any) -> None:
    _, figures = without_a_zone
    gone = figure(figures, MISSING, "cumulative")
    assert (gone["value"], gone["status"]) == (None, "M") and "不公布" in gone["note"]
    assert figure(figures, MISSING, "growth_restated")["value"] is None
    imputed, unknown = (figure(figures, MISSING, m)["value"] for m in ("units_imputed", "units_unknown"))
    assert imputed + unknown == figure(figures, MISSING, "units_due")["value"] and unknown == 1  # it never answered


def test_trace_names_the_estimates_as_such(without_a_zone: Any) -> None:
    own, figures = without_a_zone
    total = figure(figures, "LBSYQ", "cumulative")
    code, found, said = own.ytb("trace", total["release"], "monitoring_figures", f"{total['row_key']}:value")
    assert code == 0, said
    filed = sum(int(s["value"]) for s in found["sources"] if s["column"] == "F01" and s["period"] == "2015-Q2")
    put = [r for r in found["imputed"] if r["indicator"] == "F01"]
    assert {r["park"] for r in put} == {MISSING} and all(r["method"] for r in put)
    assert filed + sum(r["value"] for r in put) == total["value"]


def test_the_release_is_reproduced_and_its_manifest_says_what_was_put_in(without_a_zone: Any) -> None:
    own, figures = without_a_zone
    release = figures["release"][0]
    code, found, said = own.ytb("reproduce", release)
    assert (code, found["differing"]) == (0, []), said
    manifest = (own.home / "releases" / release / "manifest.json").read_text(encoding="utf-8")
    assert '"imputed"' in manifest and '"by_method"' in manifest
    assert not list(Path(own.home / "releases" / release).rglob("*imputed*"))


def test_as_known_before_the_return_everything_is_there_and_nothing_stored_changes(
    without_a_zone: Any, tmp_path: Path
) -> None:
    own, figures = without_a_zone
    then = tmp_path / "then"
    code, found, said = own.ytb("run", "monitoring", "--period", "2015-Q2", "--as-of", "2016-01-01", "-o", str(then))
    assert code == 0 and found["as_of"] == "2016-01-01", said
    known = pl.read_csv(then / "monitoring_figures.csv", infer_schema_length=None)
    first = pl.read_parquet(own.home / "releases" / "2015-Q2.r1" / "tables" / "monitoring_figures.parquet")
    assert figure(known, "LBSYQ", "cumulative")["value"] == figure(first, "LBSYQ", "cumulative")["value"]
    assert (
        figure(known, MISSING, "cumulative")["status"] == "P"
        and figure(known, MISSING, "units_reported")["value"] == 49
    )
    assert figure(known, "LBSYQ", "cumulative")["value"] != figure(figures, "LBSYQ", "cumulative")["value"]
    code, _, said = own.ytb("run", "monitoring", "--period", "2015-Q2", "--as-of", "2015-01-01", "-o", str(then))
    assert code == 1 and "还没有报送" in said


def test_the_manifest_says_how_firm_a_release_is(without_a_zone: Any) -> None:
    own, figures = without_a_zone
    code, listed, said = own.ytb("releases")
    assert code == 0, said
    standing = {r["id"]: r["standing"] for r in listed}
    assert standing["2015-Q2.r1"]["stage"] == "final" and standing["2015-Q2.r1"]["parks_filed"] == 4
    now = standing[figures["release"][0]]
    assert (now["stage"], now["parks_due"], now["parks_filed"]) == ("flash", 4, 3)
    assert now["units_reported"] < now["units_due"] and now["response_rate"] < 75


def test_the_full_release_before_it_had_nothing_put_in(province: Any) -> None:
    figures = pl.read_parquet(province.home / "releases" / "2015-Q2.r1" / "tables" / "monitoring_figures.parquet")
    assert figures.filter(pl.col("measure").is_in(["imputed_share", "cumulative_reported"])).is_empty()
    assert figures.filter(status="E").is_empty()
