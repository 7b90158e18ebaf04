"""Templates and marked workbooks opened, calculated and saved again by another program."""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path

import openpyxl
import polars as pl
import pytest
from python_calamine import load_workbook

from schemas.catalog import programme
from schemas.findings import as_findings
from schemas.layout import INDEX_SHEET, is_code_row, sheet_layout, workbook_layout
from schemas.period import Period
from sources.marked import mark
from sources.template import write_template

pytestmark = [
    pytest.mark.libreoffice,
    pytest.mark.skipif(shutil.which("soffice") is None, reason="LibreOffice (soffice) is not installed"),
]

PROGRAMME = programme()
EDITION = PROGRAMME.editions["2025"]
YEAR = Period.parse("2025")
FIRST, SECOND = "91620100MA0000001X", "91620100MA0000002X"
UNITS = pl.DataFrame({"unit_id": [FIRST, SECOND], "name": ["甲公司", "乙公司"], "sub_park": ["LBGX01", "LBGX02"]})
FINANCE = EDITION.forms["finance"]
LAYOUT = sheet_layout(EDITION, FINANCE, YEAR)
AUTHOR_LINE = "【一套表审核】"


def saved(data: bytes, folder: Path, kind: str) -> bytes:
    """What LibreOffice makes of a workbook."""
    source = folder / "in" / "book.xlsx"
    source.parent.mkdir(exist_ok=True)
    source.write_bytes(data)
    command = ["soffice", f"-env:UserInstallation=file://{folder}/profile", "--headless", "--convert-to", kind]
    subprocess.run([*command, "--outdir", str(folder), str(source)], check=True, capture_output=True, timeout=180)
    return (folder / f"book.{kind}").read_bytes()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("libreoffice")


@pytest.fixture(scope="module")
def template() -> bytes:
    # 甲: F02 > F01 (AF02 fails) and F15 missing; 乙: everything required, all relations hold.
    numbers = {i.code: [0, 0] for i in FINANCE.asked(YEAR) if i.required}
    filed = pl.DataFrame({"unit_id": [FIRST, SECOND], **numbers, "F02": [7, 0], "F15": [None, 0]})
    return write_template(EDITION, PROGRAMME, YEAR, "LBGX", units=UNITS, values={"finance": filed})


def test_the_self_check_counts_what_is_missing_and_what_fails(template: bytes, folder: Path) -> None:
    book = load_workbook(io.BytesIO(saved(template, folder, "xlsx")))
    rows = book.get_sheet_by_name(INDEX_SHEET).to_python()
    forms = {row[1]: row for row in rows if str(row[0]).startswith("园")}
    relations = {row[0]: row[3] for row in rows}
    assert (forms["财务状况"][4], forms["财务状况"][5]) == (1, 1)
    assert (relations["AF02"], relations["AF01"], relations["AF05"]) == (1, 0, 0)
    required = [i for i in EDITION.forms["personnel"].asked(YEAR) if i.required and not i.applies_if]
    assert forms["从业人员情况"][4] == 2 * len(required)
    assert forms["研究开发活动情况"][4] == 0, "nobody has begun this conditional form"


def test_a_saved_template_keeps_code_rows_and_validations(template: bytes, folder: Path) -> None:
    data = saved(template, folder, "xlsx")
    book = openpyxl.load_workbook(io.BytesIO(data))
    for layout in workbook_layout(EDITION, YEAR).values():
        rows = list(book[layout.name].iter_rows(max_row=20, values_only=True))
        assert sum(is_code_row(row) for row in rows) == 1
        assert book[layout.name].data_validations.dataValidation and book[layout.name].protection.sheet
    assert {"ytb_finance", "ytb_park"} <= set(book.defined_names)
    assert {p.name for p in book.custom_doc_props.props} >= {"ytb_template_id", "ytb_period"}


def finding(cell: str, severity: str = "hard") -> dict[str, object]:
    return {
        "rule": "AF02", "severity": severity, "form": "finance", "unit_id": FIRST, "sheet": LAYOUT.name, "cell": cell, "column": "F02",
        "message": f"工作表“{LAYOUT.name}” {cell}“主营业务收入”(F02):主营业务收入大于营业收入;请核对两项后更正。", "outcome": "failed",
    }  # fmt: skip


def marks(data: bytes) -> dict[str, str]:
    sheet = openpyxl.load_workbook(io.BytesIO(data))[LAYOUT.name]
    cells = [c for row in sheet.iter_rows() for c in row if c.fill.patternType == "solid"]
    return {c.coordinate: c.fill.fgColor.rgb for c in cells if c.fill.fgColor.rgb in ("FFFFC8CE", "FFFFEB9D")}


def noted(data: bytes) -> set[str]:
    sheet = openpyxl.load_workbook(io.BytesIO(data))[LAYOUT.name]
    return {c.coordinate for row in sheet.iter_rows() for c in row if c.comment and AUTHOR_LINE in c.comment.text}


def test_marks_survive_saving_and_are_replaced_when_the_workbook_comes_back(template: bytes, folder: Path) -> None:
    key, figure, other = LAYOUT.address("B01", 8), LAYOUT.address("F02", 8), LAYOUT.address("F03", 9)
    marked = mark(template, as_findings([finding(key), finding(figure), finding(other, "soft")])).data
    again = saved(marked, folder, "xlsx")
    assert set(marks(again)) == noted(again) == {key, figure, other}
    before, after = (load_workbook(io.BytesIO(d)).get_sheet_by_name(LAYOUT.name).to_python() for d in (template, again))
    audit = LAYOUT.column("audit").index
    assert [r[:audit] for r in before] == [r[:audit] for r in after]
    remarked = mark(again, as_findings([finding(other, "soft")])).data
    assert marks(remarked) == {other: "FFFFEB9D"} and noted(remarked) == {other}
    locked = openpyxl.load_workbook(io.BytesIO(remarked))[LAYOUT.name][key]
    assert locked.fill.fgColor.rgb == "FFF2F2F2" and locked.protection.locked
    headers = openpyxl.load_workbook(io.BytesIO(remarked))[LAYOUT.name]["C6"]
    assert headers.comment is not None and "F01" in headers.comment.text


def test_a_marked_workbook_prints(template: bytes, folder: Path) -> None:
    marked = mark(template, as_findings([finding(LAYOUT.address("F02", 8))])).data
    assert saved(marked, folder, "pdf").startswith(b"%PDF")
