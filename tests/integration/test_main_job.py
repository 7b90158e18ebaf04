"""The main job end to end: what the issue promises of it, on a home made by real workbooks and the user's commands."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import openpyxl
import polars as pl
import pytest

from pipelines.checking import IncomingBook, check, read_books
from schemas.catalog import programme
from sources.pool import Pool
from tests.integration import independent_figures as independent
from tests.integration.conftest import Province
from ytb.cli.demo import BOX_ROWS, box_figures
from ytb.cli.session import CALL

pytestmark = pytest.mark.slow
SOFFICE = shutil.which("soffice")


def test_every_planted_fault_is_found_at_its_cell_and_nothing_else(province: Province) -> None:
    planted = {(p.fault.rule, p.sheet, p.cell) for p in province.story.planted}
    assert len(planted) == len(province.story.planted) == 20
    assert province.story.found == planted
    assert province.story.beyond == []


def test_box_1_of_the_plan_comes_out_for_2014(province: Province) -> None:
    CALL.home_option = province.home
    rows = box_figures(province.story)
    assert len(rows) == len(BOX_ROWS)
    assert [r["name"] for r in rows if not r["agrees"]] == []


def test_chain_vault_ledger_warehouse_and_releases_agree(province: Province) -> None:
    code, found, said = province.ytb("verify")
    assert (code, found["problems"]) == (0, []), said


def test_a_changed_byte_in_the_vault_is_found(province: Province, tmp_path: Path) -> None:
    copy = tmp_path / "home"
    shutil.copytree(province.home, copy)
    blob = sorted(p for p in (copy / "vault").rglob("*") if p.is_file())[0]
    blob.chmod(0o644)
    data = bytearray(blob.read_bytes())
    data[len(data) // 2] ^= 1
    blob.write_bytes(bytes(data))
    code, found, _ = Province(copy, province.story).ytb("verify")
    assert code == 1
    assert any("文件库" in p for p in found["problems"])


def test_a_rebuilt_warehouse_has_the_same_content(province: Province) -> None:
    count = "select release, count(*) n, count(value) shown from published.monitoring_figures group by 1 order by 1"
    code, before, said = province.ytb("sql", count)
    assert code == 0 and before, said
    code, found, said = province.ytb("rebuild")
    assert (code, found["differing"]) == (0, []), said
    assert found["hashes"]
    code, after, said = province.ytb("sql", count)
    assert (code, after) == (0, before), said


@pytest.mark.parametrize("release", ["2014.r1", "2015-Q2.r1"])
def test_a_release_is_reproduced_byte_for_byte(province: Province, release: str) -> None:
    code, found, said = province.ytb("reproduce", release)
    assert (code, found["differing"]) == (0, []), said


def test_a_monitoring_total_is_the_sum_of_the_cells_it_is_traced_to(province: Province) -> None:
    figures = pl.read_parquet(province.home / "releases" / "2015-Q2.r1" / "tables" / "monitoring_figures.parquet")
    total = figures.filter(area="LBSYQ", breakdown="total", indicator="F01", measure="cumulative").row(0, named=True)
    code, found, said = province.ytb("trace", "2015-Q2.r1", "monitoring_figures", f"{total['row_key']}:value")
    assert code == 0, said
    cells = [s for s in found["sources"] if s["column"] == "F01" and s["period"] == "2015-Q2"]
    assert sum(int(c["value"]) for c in cells) == total["value"]
    assert all(c["sheet"] == "财务状况" and c["cell"] and c["file_name"].endswith(".xlsx") for c in cells)


def test_an_address_in_the_publication_workbook_leads_to_the_same_figure(province: Province) -> None:
    release = province.home / "releases" / "2015-Q2.r1"
    index = (
        pl.read_parquet(release / "cells.parquet")
        .filter(mart="monitoring_figures", column="display")
        .sort("sheet_no", "cell")
    )
    index = index if index.height else pl.read_parquet(release / "cells.parquet").filter(mart="monitoring_figures")
    figures = pl.read_parquet(release / "tables" / "monitoring_figures.parquet")
    total = figures.filter(area="LBSYQ", breakdown="total", indicator="P01", measure="cumulative")["row_key"][0]
    place = index.filter(row_key=total).row(0, named=True)
    code, found, said = province.ytb("trace", "2015-Q2.r1", place["sheet"], place["cell"])
    assert code == 0, said
    assert found["cell"]["row_key"] == total
    workbook = openpyxl.load_workbook(release / place["workbook"], read_only=True)
    assert workbook[place["sheet"]][place["cell"]].value == found["cell"]["value"]


def test_an_index_value_is_traced_to_its_cells(province: Province) -> None:
    scores = pl.read_parquet(province.home / "releases" / "2014.r1" / "tables" / "index_scores.parquet")
    value = scores.filter(area="LBSYQ", indicator="X12", measure="value").row(0, named=True)
    code, found, said = province.ytb("trace", "2014.r1", "index_scores", f"{value['row_key']}:value")
    assert code == 0, said
    assert {c["column"] for c in found["sources"]} == {"K04", "K30"}
    top = sum(float(c["value"]) for c in found["sources"] if c["column"] == "K30")
    below = sum(float(c["value"]) for c in found["sources"] if c["column"] == "K04")
    assert value["value"] == pytest.approx(top / below * 100)


def test_sql_reads_the_snapshot_and_nothing_else(province: Province, tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    code, rows, said = province.ytb(
        "sql", "select count(distinct unit_id) as n from in_force.basic where period = '2014'"
    )
    assert (code, rows) == (0, [{"n": 200}]), said
    code, _, _ = province.ytb("sql", f"copy (select 1) to '{target}'")
    assert code == 1
    assert not target.exists()


def test_a_backup_brings_everything_back(province: Province, tmp_path: Path) -> None:
    code, made, said = province.ytb("backup", str(tmp_path / "backup"))
    assert code == 0 and made["files"] > 10, said
    again = Province(tmp_path / "again", province.story)
    code, _, said = again.ytb("restore", str(tmp_path / "backup"))
    assert code == 0, said
    code, found, said = again.ytb("verify")
    assert (code, found["problems"]) == (0, []), said


def test_the_same_files_again_give_the_same_receipt(province: Province) -> None:
    code, _, _ = province.ytb("period", "open", "2015-Q2", "--reason", "核对", "--deadline", "2100-01-01")
    assert code == 0
    path = sorted((province.home / "demo").glob("2015-Q2_LBGX.xlsx"))[0]
    first = province.ytb("submit", str(path))
    second = province.ytb("submit", str(path))
    assert first[0] == second[0] == 0
    assert first[1]["receipt"] == second[1]["receipt"]
    assert not second[1]["is_new"]
    province.ytb("period", "close", "2015-Q2", "--reason", "核对完毕")


@pytest.mark.libreoffice
@pytest.mark.skipif(SOFFICE is None, reason="LibreOffice is not installed")
@pytest.mark.parametrize("ending", ["xlsx", "xls", "ods"])
def test_a_workbook_saved_by_libreoffice_reads_the_same(province: Province, tmp_path: Path, ending: str) -> None:
    original = province.home / "demo" / "2014_LBGX.xlsx"
    profile = f"-env:UserInstallation=file://{tmp_path}/profile"
    subprocess.run(
        [str(SOFFICE), profile, "--headless", "--convert-to", ending, "--outdir", str(tmp_path), str(original)],
        check=True,
        capture_output=True,
        timeout=180,
    )
    books = [
        IncomingBook(original.name, original.read_bytes()),
        IncomingBook(f"2014_LBGX.{ending}", (tmp_path / f"2014_LBGX.{ending}").read_bytes()),
    ]
    with Pool(workers=1, preload=("sources.reader",)) as pool:
        before, after = read_books(books, programme(), pool)
    assert after.status == "readable", after.message
    for form, frame in before.observations.frames.items():
        values = [c for c in frame.columns if not c.startswith("_")]
        assert after.observations.frames[form].select(values).equals(frame.select(values)), form
    assert check([after], programme()).status == "clean"


# ── the figures worked out a second time (tests/integration/independent_figures.py) ────────────────────────────────
def _published(province: Province, release: str, mart: str) -> pl.DataFrame:
    return pl.read_parquet(province.home / "releases" / release / "tables" / f"{mart}.parquet")


def _agrees(row: dict[str, Any], expected: float | None) -> bool:
    """A published cell and what it should be; a hidden cell must have no value at all."""
    if row["status"] == "C":
        return row["value"] is None and row["display"] == "*"
    if expected is None or row["value"] is None:
        return expected is None and row["value"] is None and row["status"] in ("M", "Z")
    return bool(row["value"] == pytest.approx(expected, rel=1e-9, abs=1e-9))


def test_quarterly_figures_are_what_plain_sql_makes_them(province: Province) -> None:
    cells = _published(province, "2015-Q2.r1", "monitoring_figures")
    at = {(r["area"], r["breakdown"], r["category"], r["indicator"], r["measure"]): r for r in cells.to_dicts()}
    wrong, compared, few = [], 0, 0
    with independent.snapshot(province.home) as con:
        columns = independent.quarterly_columns(con, set(cells["indicator"]))
        assert len(columns) == 21
        for code, (form, has_yoy) in columns.items():
            for place, units in independent.quarter_groups(con, code, form, has_yoy, "2015-Q2", "2015-Q1").items():
                for measure, expected in independent.quarter_figures(code, units).items():
                    row = at.get((*place, code, measure))
                    if row is None:
                        # a category in which nobody has a figure is no row
                        assert place.breakdown == "section" and all(u.now is None for u in units), (place, code)
                        continue
                    compared += row["value"] is not None
                    wrong += [] if _agrees(row, expected) else [(place, code, measure, expected, row["value"])]
                behind = sum(u.now not in (None, 0.0) for u in units)
                if 0 < behind < 3:
                    few += 1
                    assert at[(*place, code, "cumulative")]["status"] == "C", (place, code, behind)
    assert wrong == []
    assert compared > 2000 and few > 20


def test_contributions_of_the_zones_add_up_to_the_growth_of_the_area(province: Province) -> None:
    cells = _published(province, "2015-Q2.r1", "monitoring_figures").filter(area=independent.AREA)
    growth = dict(cells.filter(breakdown="total", measure="growth_restated").select("indicator", "value").iter_rows())
    added = 0
    for breakdown in ("zone", "section"):
        points = cells.filter(breakdown=breakdown, measure="contribution_points")
        for (indicator,), group in points.group_by("indicator"):
            if growth[indicator] is not None and group["value"].null_count() == 0:
                assert group["value"].sum() == pytest.approx(growth[indicator], abs=1e-9), (breakdown, indicator)
                added += 1
    assert added >= 3


def test_a_difference_in_which_nothing_changed_is_exactly_zero(province: Province) -> None:
    cells = _published(province, "2015-Q2.r1", "monitoring_figures")
    nothing = cells.filter(pl.col("measure").is_in(["perimeter", "correction"]), pl.col("value").abs() < 1e-3)
    assert nothing.height > 100
    assert nothing.filter(pl.col("value") != 0).height == 0


def test_response_rates_are_the_register_against_the_filed_units(province: Province) -> None:
    cells = _published(province, "2015-Q2.r1", "monitoring_response").filter(breakdown="total", indicator="units")
    with independent.snapshot(province.home) as con:
        filed = con.execute("SELECT park, count(*) FROM effective.basic WHERE period = '2015-Q2' GROUP BY park")
        units = {str(park): int(n) for park, n in filed.fetchall()}
    with (province.home / "demo" / "名录.csv").open(encoding="utf-8-sig") as handle:
        events = [e for e in csv.DictReader(handle) if e["effective"] <= "2015-06-30"]
    where: dict[str, str] = {}
    for event in events:
        where[event["unit_id"]] = "" if event["kind"] == "exit" else event["park"]
    due = Counter(where.values())
    for area, parks in [(independent.AREA, independent.PARKS), *((p, (p,)) for p in independent.PARKS)]:
        found = dict(cells.filter(area=area).select("measure", "value").iter_rows())
        n, m = sum(units[p] for p in parks), sum(due[p] for p in parks)
        assert (found["units_due"], found["units_valid"], found["units_refused"]) == (m, n, m - n), area
        assert found["response_rate"] == found["valid_rate"] == pytest.approx(n / m * 100)


def test_index_values_are_what_plain_sql_makes_them(province: Province) -> None:
    cells = _published(province, "2014.r1", "index_scores").filter(measure="value")
    at = {(r["area"], r["indicator"]): r for r in cells.to_dicts()}
    with independent.snapshot(province.home) as con:
        independent.annual_units(con, "2014")
        for area, parks in [(independent.AREA, list(independent.PARKS)), *((p, [p]) for p in independent.PARKS)]:
            figures = independent.index_figures(con, parks, "2014")
            assert len(figures) == 24
            wrong = [(x, v, at[area, x]["value"]) for x, v in figures.items() if not _agrees(at[area, x], v)]
            assert wrong == [], area
    assert cells.filter(area=independent.AREA)["value"].count() >= 20


def test_innovation_tables_are_what_plain_sql_makes_them(province: Province) -> None:
    cells = _published(province, "2014.r1", "innovation_tables").filter(area=independent.AREA)
    at = {(r["indicator"], r["breakdown"], r["category"]): r for r in cells.to_dicts()}
    with independent.snapshot(province.home) as con:
        independent.annual_units(con, "2014")
        found = list(independent.innovation_figures(con))
    wrong = [
        (*key, v, at[key[0], key[1], key[2]]["value"])
        for *key, v in found
        if not _agrees(at[key[0], key[1], key[2]], v)
    ]
    assert wrong == []
    assert sum(at[key[0], key[1], key[2]]["value"] is not None for *key, _ in found) > 60


def test_progress_of_targets_is_what_plain_sql_makes_it(province: Province) -> None:
    cells = _published(province, "2014.r1", "targets_progress")
    at = {(r["indicator"], r["measure"]): r for r in cells.to_dicts()}
    with independent.snapshot(province.home) as con:
        independent.annual_units(con, "2014")
        found = list(independent.target_figures(con, "2014"))
    assert len(found) == 12
    for row, value, completion in found:
        assert _agrees(at[row, "actual"], value), (row, value)
        assert _agrees(at[row, "completion"], completion), (row, completion)
        assert at[row, "expected"]["value"] == 0  # the plan begins in 2015
        assert at[row, "standing"]["status"] == "Z"


def test_what_is_hidden_is_hidden_in_every_product_and_file(province: Province) -> None:
    for release in ("2014.r1", "2015-Q2.r1"):
        folder = province.home / "releases" / release
        hidden = 0
        for path in sorted((folder / "tables").glob("*.parquet")):
            secret = pl.read_parquet(path).filter(status="C")
            assert secret["value"].count() == 0 and set(secret["display"]) <= {"*"}, path
            text = pl.read_csv(path.with_suffix(".csv"), infer_schema=False).filter(status="C")
            assert text.height == secret.height and text.filter(pl.col("value").fill_null("") != "").is_empty()
            sdmx = pl.read_csv(folder / "sdmx" / f"{path.stem}.csv", infer_schema=False)
            assert sdmx.filter(pl.col("CONF_STATUS") != "F", pl.col("OBS_VALUE").fill_null("") != "").is_empty()
            assert sdmx.filter(pl.col("CONF_STATUS") != "F").height == secret.height
            hidden += secret.height
        assert hidden > 100


def test_the_workbook_and_the_site_show_a_star_where_a_figure_is_hidden(province: Province) -> None:
    folder = province.home / "releases" / "2015-Q2.r1"
    secret = _published(province, "2015-Q2.r1", "monitoring_figures").filter(status="C")
    places = pl.read_parquet(folder / "cells.parquet").join(secret.select("row_key"), on="row_key", how="semi")
    places = places.filter(mart="monitoring_figures", column="value")
    assert places.height > 100
    for (name,), cells in places.group_by("workbook"):
        book = openpyxl.load_workbook(folder / str(name))
        for sheet, cell in cells.select("sheet", "cell").iter_rows():
            assert book[sheet][cell].value == "*", (sheet, cell)
    script = (folder / "site" / "data" / "parks.js").read_text(encoding="utf-8")
    cube = json.loads(script.removeprefix("window.YTB = ").rstrip().rstrip(";"))["cube"]["cells"]
    totals = secret.filter(breakdown="total")
    shown = [
        cube[area][indicator][measure]
        for area, indicator, measure in totals.select("area", "indicator", "measure").iter_rows()
        if measure in cube.get(area, {}).get(indicator, {})
    ]
    assert len(shown) > 20
    assert all(one == ["*"] for one in shown)


def test_no_hidden_category_is_alone_beside_a_published_total(province: Province) -> None:
    cells = _published(province, "2015-Q2.r1", "monitoring_figures").filter(
        pl.col("measure").is_in(["cumulative", "discrete_quarter", "year_earlier_restated"])
    )
    asked = ["area", "indicator", "measure"]
    totals = cells.filter(breakdown="total").filter(pl.col("status") != "C").select(asked)
    rows = cells.filter(pl.col("breakdown").is_in(["zone", "sub_park", "section", "size"]))
    hidden = rows.group_by(*asked, "breakdown").agg(n=(pl.col("status") == "C").sum()).join(totals, on=asked)
    assert hidden.filter(pl.col("n") > 1).height > 20
    assert hidden.filter(n=1).to_dicts() == []
    # and down the other margin: one zone's section beside the same section of the area and of the other zones
    asked = ["breakdown", "category", "indicator", "measure"]
    above = cells.filter(area=independent.AREA).filter(pl.col("status") != "C").select(asked)
    below = cells.filter(
        pl.col("area").is_in(list(independent.PARKS)), pl.col("breakdown").is_in(["total", "section", "size"])
    )
    hidden = below.group_by(asked).agg(n=(pl.col("status") == "C").sum()).join(above, on=asked)
    assert hidden.filter(n=1).to_dicts() == []


def test_the_share_of_cooperators_is_shown_in_index_and_survey_or_in_neither(province: Province) -> None:
    index = _published(province, "2014.r1", "index_scores").filter(measure="value", indicator="X24")
    survey = _published(province, "2014.r1", "innovation_tables").filter(indicator="T21.c2")
    at = {r["area"]: r for r in survey.filter(breakdown="total").to_dicts()}
    at |= {r["category"]: r for r in survey.filter(breakdown="zone").to_dicts()}
    compared = [row for row in index.to_dicts() if row["area"] in at]
    assert len(compared) == 5
    for row in compared:
        assert (row["status"] == "C") == (at[row["area"]]["status"] == "C"), row["area"]
        assert row["value"] == at[row["area"]]["value"]
