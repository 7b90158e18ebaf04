"""The main job end to end: what the issue promises of it, on a home made by real workbooks and the user's commands."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import openpyxl
import polars as pl
import pytest

from pipelines.checking import IncomingBook, check, read_books
from schemas.catalog import programme
from sources.pool import Pool
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
    code, found, said = province.ytb("rebuild")
    assert (code, found["differing"]) == (0, []), said
    assert found["hashes"]


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
    workbook = openpyxl.load_workbook(release / "publication" / place["workbook"], read_only=True)
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
