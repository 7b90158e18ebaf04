from __future__ import annotations

import hashlib
import html
import json
import os
import re
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import openpyxl
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from python_calamine import CalamineWorkbook

from exports.addresses import find_figure
from exports.display import number_format, number_of
from exports.manifest import Manifest, ReleaseMeta, changed_files, feedback_text, list_again, read_manifest
from exports.release import SERIES, write_release
from schemas.errors import DefinitionError
from schemas.marts import MARTS, PUBLISHED_COLUMNS, STATUSES

Marts = dict[str, pl.DataFrame]


@pytest.fixture(scope="module")
def revised(marts: Marts, meta: ReleaseMeta) -> ReleaseMeta:
    return replace(meta, release="2015-Q2.r2", previous="2015-Q2.r1", reason="兰州新区更正报表。")


@pytest.fixture(scope="module")
def release(
    tmp_path_factory: pytest.TempPathFactory, marts: Marts, revised: ReleaseMeta, earlier: pl.DataFrame, previous: Marts
) -> tuple[Path, Manifest]:
    target = tmp_path_factory.mktemp("release") / "2015-Q2.r2"
    return target, write_release(marts, target, revised, previous=previous, earlier=earlier)


def hashes(folder: Path) -> dict[str, str]:
    return {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


def test_the_same_arguments_give_the_same_bytes(
    tmp_path: Path,
    release: tuple[Path, Manifest],
    marts: Marts,
    revised: ReleaseMeta,
    earlier: pl.DataFrame,
    previous: Marts,
) -> None:
    shuffled = {name: marts[name].sample(fraction=1.0, shuffle=True, seed=3) for name in reversed(list(marts))}
    again = tmp_path / "elsewhere" / "x"
    write_release(shuffled, again, revised, previous=previous, earlier=earlier)
    assert hashes(again) == hashes(release[0])


@pytest.mark.slow
def test_the_number_of_threads_changes_no_byte(tmp_path: Path, marts: Marts) -> None:
    # Many rows, since small frames never run on two threads.
    big = pl.concat(
        [marts["monitoring_figures"].with_columns(row_key=pl.format("{}|{}", "row_key", pl.lit(n))) for n in range(400)]
    )
    big.write_ipc(tmp_path / "big.arrow")
    code = (
        "import sys, hashlib, polars as pl\nfrom pathlib import Path\nfrom exports.tables import write_table\n"
        "folder = Path(sys.argv[2]); folder.mkdir()\n"
        "files = write_table(pl.read_ipc(sys.argv[1]).sort('row_key'), folder, 't')\n"
        "print([hashlib.sha256(f.read_bytes()).hexdigest() for f in files])"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / "big.arrow"), str(tmp_path / f"out{threads}")],
            env={**os.environ, "POLARS_MAX_THREADS": threads},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for threads in ("1", "2")
    }
    assert len(found) == 1


def test_nothing_of_machine_or_place_is_in_any_file(release: tuple[Path, Manifest]) -> None:
    folder, _ = release
    words = [str(folder.parent).encode(), os.uname().nodename.encode(), str(Path.home()).encode() + b"/"]
    for path in folder.rglob("*"):
        if not path.is_file() or "vendor" in path.parts:
            continue
        bodies = [path.read_bytes()]
        if path.suffix == ".xlsx":
            with zipfile.ZipFile(path) as parts:
                bodies = [parts.read(name) for name in parts.namelist()]
        for body in bodies:
            assert not any(word in body for word in words if len(word) > 3), path


def test_the_manifest_lists_every_file_with_its_hash(release: tuple[Path, Manifest]) -> None:
    folder, manifest = release
    assert read_manifest(folder).files == manifest.files
    assert {e.path: e.sha256 for e in manifest.files} == {
        k: v for k, v in hashes(folder).items() if k != "manifest.json"
    }
    document = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert document["release"] == "2015-Q2.r2" and document["edition"] == "2015"
    assert [s["park"] for s in document["submissions"]] == ["LBGX", "LBXQ"]
    assert document["parameters"] == {"disclosure_minimum": 3, "seed": 7}
    assert changed_files(folder, manifest) == ()


def test_every_page_cover_and_document_says_whom_to_tell_of_an_error(release: tuple[Path, Manifest], meta: ReleaseMeta) -> None:  # fmt: skip
    folder, manifest = release
    said = str(manifest.document["feedback"])
    declared = meta.edition.parameters["feedback"]
    assert f"发布号{manifest.release}" in said and declared["contact"] in said and declared["email"] in said
    assert f"{declared['days']}个工作日" in said
    pages = [*(folder / "site").glob("*.html"), *(folder / "documents").glob("*.html")]
    assert len(pages) > 5
    assert [p.name for p in pages if said not in html.unescape(p.read_text(encoding="utf-8"))] == []
    for book in (folder / "documents").glob("*.docx"):
        with zipfile.ZipFile(book) as parts:
            assert said in "".join(ElementTree.fromstring(parts.read("word/document.xml")).itertext()), book.name
    for book in (b for b in (folder / "publication").glob("*.xlsx") if b.stem != "修订对照"):  # has no cover
        cover = CalamineWorkbook.from_path(str(book)).get_sheet_by_index(0).to_python()
        assert any(said in row for row in cover), book.name


def test_an_edition_that_names_nobody_promises_nothing() -> None:
    assert feedback_text({}, "R") == ""
    short = feedback_text({"contact": "统计处", "telephone": "12345"}, "2015.r1")
    assert "统计处(电话12345)" in short and "工作日" not in short


def test_a_changed_or_added_file_is_found(tmp_path: Path, marts: Marts, meta: ReleaseMeta) -> None:
    manifest = write_release({"monitoring_warnings": marts["monitoring_warnings"]}, tmp_path / "r", meta)
    (tmp_path / "r/tables/monitoring_warnings.csv").write_text("x")
    (tmp_path / "r/more.txt").write_text("x")
    assert changed_files(tmp_path / "r", manifest) == ("more.txt", "tables/monitoring_warnings.csv")


def test_files_put_beside_a_release_are_listed_and_leave_its_content_hash(
    tmp_path: Path, marts: Marts, meta: ReleaseMeta
) -> None:
    before = write_release({"monitoring_warnings": marts["monitoring_warnings"]}, tmp_path / "r", meta)
    (tmp_path / "r/catalog.duckdb").write_bytes(b"differs every time")
    after = list_again(tmp_path / "r", ["catalog.duckdb"])
    assert [e.path for e in after.files if not e.reproducible] == ["catalog.duckdb"]
    assert after.content_sha256 == before.content_sha256 and len(after.files) == len(before.files) + 1
    assert read_manifest(tmp_path / "r").files == after.files


def test_tables_come_back_as_they_were_published(release: tuple[Path, Manifest], marts: Marts) -> None:
    folder, _ = release
    for name, frame in marts.items():
        parquet = pl.read_parquet(folder / f"tables/{name}.parquet")
        assert_frame_equal(parquet, frame.select(list(PUBLISHED_COLUMNS)).sort("row_key"))
        schema = {c: pl.String() if dtype == pl.String else dtype for c, dtype in PUBLISHED_COLUMNS.items()}
        csv = pl.read_csv(folder / f"tables/{name}.csv", schema=schema)
        assert_frame_equal(csv, parquet)


def sheet_values(folder: Path) -> dict[tuple[str, str, str], Any]:
    found = {}
    for path in sorted((folder / "publication").glob("*.xlsx")):
        for sheet in openpyxl.load_workbook(path).worksheets:
            for row in sheet.iter_rows():
                for cell in row:
                    if cell.value is not None:
                        found[f"publication/{path.name}", sheet.title, cell.coordinate] = cell
    return found


def test_every_published_figure_stands_in_the_workbook_as_it_is_displayed(
    release: tuple[Path, Manifest], marts: Marts
) -> None:
    folder, _ = release
    index = pl.read_parquet(folder / "cells.parquet")
    cells = sheet_values(folder)
    expected = {(name, row["row_key"]): row["display"] for name, frame in marts.items() for row in frame.to_dicts()}
    found = {}
    for row in index.to_dicts():
        cell = cells[row["workbook"], row["sheet"], row["cell"]]
        number = number_of(row["display"])
        if number is None:
            assert cell.value == row["display"] and cell.data_type == "s"
        else:
            digits = len(number_format(row["display"]).partition(".")[2])
            assert f"{cell.value:.{digits}f}" == row["display"] and cell.number_format == number_format(row["display"])
        found[row["mart"], row["row_key"]] = row["display"]
    assert {key: shown for key, shown in found.items() if key[0] != SERIES} == expected


def test_no_workbook_holds_a_formula(release: tuple[Path, Manifest]) -> None:
    assert not [key for key, cell in sheet_values(release[0]).items() if cell.data_type == "f"]


def test_an_address_finds_its_figure(release: tuple[Path, Manifest], marts: Marts) -> None:
    index = pl.read_parquet(release[0] / "cells.parquet")
    row = index.filter(mart="monitoring_figures", sheet_no=1).row(0, named=True)
    expected = ("monitoring_figures", row["row_key"], "value")
    assert find_figure(index, "monitoring_figures", row["cell"]) == expected
    assert find_figure(index, "季度监测指标", f"${row['cell'][0]}${row['cell'][1:]}") == expected
    assert find_figure(index, "monitoring_figures", f"{row['sheet']}!{row['cell'].lower()}") == expected
    assert find_figure(index, "monitoring_figures", f"{row['row_key']}:display") == (*expected[:2], "display")
    other = index.filter(mart="innovation_tables", sheet_no=2).row(0, named=True)
    assert find_figure(index, other["sheet"], other["cell"])[1] == other["row_key"]


@pytest.mark.parametrize(
    ("table", "cell", "says"),
    [
        ("nothing", "A1", "没有结果表"),
        ("monitoring_figures", "A1", "没有发布的数字"),
        ("monitoring_figures", "无此表!B7", "没有工作表"),
        ("monitoring_figures", "无此行:value", "没有 row_key"),
    ],
)
def test_an_address_without_a_figure_says_so(release: tuple[Path, Manifest], table: str, cell: str, says: str) -> None:
    with pytest.raises(DefinitionError, match=says):
        find_figure(pl.read_parquet(release[0] / "cells.parquet"), table, cell)


def test_the_series_holds_every_period_as_it_was_released(
    release: tuple[Path, Manifest], marts: Marts, earlier: pl.DataFrame
) -> None:
    series = pl.read_parquet(release[0] / f"tables/{SERIES}.parquet")
    assert series["period"].unique().sort().to_list() == ["2014-Q2", "2014-Q3", "2014-Q4", "2015-Q1", "2015-Q2"]
    assert set(series.filter(period="2014-Q3")["release"]) == {"2014-Q3.r1"}
    assert series.filter(breakdown="section").is_empty() and "contribution_points" not in set(series["measure"])


def test_a_revision_shows_what_changed_and_what_went(release: tuple[Path, Manifest]) -> None:
    revisions = pl.read_parquet(release[0] / "tables/revisions.parquet")
    dropped = revisions.filter(kind="dropped").row(0, named=True)
    assert (dropped["indicator"], dropped["display_before"], dropped["display_after"]) == ("F99", "5", "")
    changed = revisions.filter(kind="changed", indicator="F01", area="LBSYQ", measure="cumulative").row(0, named=True)
    assert (changed["display_before"], changed["display_after"], changed["difference"]) == (
        "117328762",
        "117328765",
        "3",
    )
    assert (release[0] / "publication/修订对照.xlsx").exists()


def test_marts_that_passed_no_disclosure_control_do_not_leave(tmp_path: Path, marts: Marts, meta: ReleaseMeta) -> None:
    frame = marts["monitoring_figures"]
    leaking = frame.with_columns(value=pl.when(pl.col("status") == "C").then(7.0).otherwise("value"))
    for bad in (
        leaking,
        frame.drop("display"),
        frame.with_columns(secret=pl.lit(1)),
        pl.concat([frame, frame.head(1)]),
    ):
        with pytest.raises(DefinitionError):
            write_release({"monitoring_figures": bad}, tmp_path / "r", meta)
        assert not (tmp_path / "r").exists()


def test_a_directory_in_use_is_refused(tmp_path: Path, marts: Marts, meta: ReleaseMeta) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(DefinitionError, match="不是空的"):
        write_release(marts, tmp_path, meta)


def test_a_release_of_empty_marts_is_still_whole(tmp_path: Path, marts: Marts, meta: ReleaseMeta) -> None:
    manifest = write_release({name: frame.clear() for name, frame in marts.items()}, tmp_path / "r", meta)
    paths = {e.path for e in manifest.files}
    assert "site/index.html" in paths and "tables/monitoring_figures.csv" in paths
    assert "本次发布不含" in (tmp_path / "r/site/index.html").read_text(encoding="utf-8")


def test_the_data_package_describes_the_files(release: tuple[Path, Manifest], marts: Marts) -> None:
    folder, _ = release
    package = json.loads((folder / "datapackage.json").read_text(encoding="utf-8"))
    resources = {r["name"]: r for r in package["resources"]}
    assert resources.keys() == {n.replace("_", "-") for n in (*marts, SERIES, "revisions", "cells")}
    for resource in resources.values():
        body = (folder / resource["path"]).read_bytes()
        assert resource["hash"] == f"sha256:{hashlib.sha256(body).hexdigest()}" and resource["bytes"] == len(body)
        header = body.decode("utf-8-sig").split("\r\n")[0].split(",")
        assert header == [f["name"] for f in resource["schema"]["fields"]]
        assert all(f["title"] and f["description"] for f in resource["schema"]["fields"])
        assert set(resource["schema"]["primaryKey"]) <= set(header)
    assert package["missing_codes"]["C"] == {"mark": "*", "meaning": "为保护单个单位资料而不公布"}


def test_sdmx_observations_and_their_structure_agree(release: tuple[Path, Manifest], marts: Marts) -> None:
    folder, _ = release
    data = json.loads((folder / "sdmx/structure.json").read_text(encoding="utf-8"))["data"]
    lists = {c["id"]: {code["id"] for code in c["codes"]} for c in data["codelists"]}
    parts = data["dataStructures"][0]["dataStructureComponents"]
    dimensions = [d["id"] for d in parts["dimensionList"]["dimensions"]]
    flows = {f"YTB:{f['id']}({f['version']})" for f in data["dataflows"]}
    columns = ["STRUCTURE", "STRUCTURE_ID", "ACTION", *dimensions, "TIME_PERIOD", "OBS_VALUE"]
    for name, frame in marts.items():
        path = folder / f"sdmx/{name}.csv"
        assert path.exists() == (not frame.is_empty())
        if frame.is_empty():
            continue
        rows = pl.read_csv(path, infer_schema=False)
        assert rows.columns == [*columns, *(a["id"] for a in parts["attributeList"]["attributes"])]
        assert set(rows["STRUCTURE_ID"]) <= flows and rows.height == frame.height
        for coded in (*dimensions, "OBS_STATUS", "CONF_STATUS"):
            assert set(rows[coded]) <= lists[f"CL_{coded}"]
        assert all(re.fullmatch(r"[A-Za-z0-9_@$\-]+", code) for code in set(rows["INDICATOR"]))
    hidden = pl.read_csv(folder / "sdmx/innovation_tables.csv", infer_schema=False).filter(CONF_STATUS="C")
    assert hidden.height == 4 and hidden["OBS_VALUE"].null_count() == 4 and set(hidden["OBS_STATUS"]) == {"Q"}


def test_two_cells_of_one_sdmx_key_are_refused(tmp_path: Path, make: Any, meta: ReleaseMeta) -> None:
    cell, published = make
    frame = published([cell(row_key="a"), cell(row_key="b")])
    with pytest.raises(DefinitionError, match="维度完全相同"):
        write_release({"monitoring_figures": frame}, tmp_path / "r", meta)


def test_the_dictionary_tells_every_indicator(release: tuple[Path, Manifest], meta: ReleaseMeta) -> None:
    document = json.loads((release[0] / "dictionary.json").read_text(encoding="utf-8"))
    assert [i["code"] for i in document["indicators"]] == list(meta.edition.indicators)
    assert {c["column"] for c in document["columns"]} == set(PUBLISHED_COLUMNS)
    assert all(c["meaning"] for c in document["columns"])
    book = openpyxl.load_workbook(release[0] / "dictionary.xlsx", read_only=True)
    assert book.sheetnames == ["结果表", "结果表的列", "数据状态", "采集指标", "计算指标与目标", "代码表"]


def test_the_format_documents_name_every_column_mart_and_manifest_key(release: tuple[Path, Manifest]) -> None:
    formats = Path(__file__).resolve().parents[3] / "docs" / "formats"
    marts_page, release_page = ((formats / name).read_text(encoding="utf-8") for name in ("marts.md", "release.md"))
    assert all(f"`{name}`" in marts_page for name in (*MARTS, *PUBLISHED_COLUMNS, *STATUSES))
    index = pl.read_parquet(release[0] / "cells.parquet")
    assert all(f"`{name}`" in release_page for name in (*release[1].document, *index.columns))
