"""Every attack gets its own refusal; ordinary workbooks pass; the fast scan says what the exact one says."""

from __future__ import annotations

import io
import re
import struct
import subprocess
import zipfile
from pathlib import Path
from shutil import which

import openpyxl
import pytest
import xlsxwriter
from msoffcrypto.format.ooxml import OOXMLFile

from schemas.errors import SubmissionError
from sources import guard_package, guard_xml
from sources.grid import read_grids
from sources.guard import Inspection, inspect
from sources.guard_facts import Area, address, area, column_index, column_letters, position
from sources.guard_refusals import REFUSALS
from tests.unit.sources.attacks import ATTACKS, record12, row12, xlsb
from tests.unit.sources.books import (
    AWAITING,
    biff,
    book,
    ods,
    ordinary,
    package,
    record,
    sheet_xml,
    strings_xml,
    zipped,
)

CHINESE = re.compile(r"[\u4e00-\u9fff]{4}")


@pytest.mark.parametrize("name", sorted(ATTACKS))
def test_an_attack_is_refused_with_its_own_code(name: str) -> None:
    file_name, data, code = ATTACKS[name]()
    with pytest.raises(SubmissionError) as refused:
        # a text file is refused where it is decoded, everything else before a reader sees it
        (read_grids if file_name.endswith(".csv") else inspect)(data, file_name)
    assert refused.value.code == code
    assert refused.value.code in REFUSALS
    assert CHINESE.search(str(refused.value))
    assert "{" not in str(refused.value)


def facts_of(data: bytes, name: str = "a.xlsx") -> Inspection:
    return inspect(data, name)


def test_an_ordinary_workbook_passes_and_shows_what_readers_hide() -> None:
    found = facts_of(ordinary())
    money, meta = found.sheets
    assert found.format == "xlsx"
    assert found.features == {"comments"}
    assert (money.name, money.visibility, money.is_protected) == ("财务状况", "visible", True)
    assert (meta.name, meta.visibility) == ("_meta", "very hidden")
    assert money.merges == [Area(0, 0, 0, 11)]
    assert money.formulas == 30
    assert not money.errors
    assert not money.uncalculated


def test_error_cells_and_uncalculated_formulas_are_found_by_address() -> None:
    def fill(workbook: xlsxwriter.Workbook) -> None:
        sheet = workbook.add_worksheet()
        sheet.write_formula("B2", "=1/0", value="#DIV/0!")
        sheet.write_formula("C2", "=A1", value="#REF!")
        sheet.write_formula("D2", "=A1", value="")
        sheet.write_formula("E2", "=A1", value=5)
        sheet.write_formula("F2", "=A1")

    sheet = facts_of(book(fill)).sheets[0]
    assert sheet.errors == {(1, 1): "#DIV/0!", (1, 2): "#REF!"}
    assert sheet.formulas == 5
    assert sheet.uncalculated == {(1, 3)}


def never_calculated(*results: object) -> set[tuple[int, int]]:
    """Uncalculated cells of a workbook that xlsxwriter wrote with these results of formulas, one a row."""

    def fill(workbook: xlsxwriter.Workbook) -> None:
        sheet = workbook.add_worksheet()
        for row, result in enumerate(results):
            sheet.write_formula(row, 0, "=B1", value=result)

    return facts_of(book(fill)).sheets[0].uncalculated


def test_empty_and_zero_results_are_doubted_only_where_nothing_was_ever_calculated() -> None:
    """xlsxwriter asks for a calculation on load; whether WPS takes that request back when it saves is not known."""
    assert never_calculated("", 0, "") == {(0, 0), (1, 0), (2, 0)}
    assert never_calculated("", 0, 7) == {(0, 0)}
    assert never_calculated("通过", 0, 0) == set()
    empty_text = '<c r="A1" t="str"><f>B1</f><v></v></c>'
    for more, expected in (("", {(0, 0)}), ('<c r="C1"><f>1</f><v>1</v></c>', set())):
        data = package(sheet_xml(f'<row r="1">{empty_text}{more}</row>'), workbook=AWAITING)
        assert facts_of(data).sheets[0].uncalculated == expected


def test_a_formula_saved_by_excel_with_an_empty_text_is_not_uncalculated() -> None:
    data = '<row r="1"><c r="A1" t="str"><f>IF(1,"","")</f><v></v></c><c r="B1"><f>C1</f></c><c r="C1"><f>1</f><v>0</v></c></row>'
    sheet = facts_of(package(sheet_xml(data))).sheets[0]
    assert sheet.uncalculated == {(0, 1)}


def test_an_empty_value_of_string_type_is_a_blank() -> None:
    assert (
        not facts_of(package(sheet_xml('<row r="1"><c r="A1" t="s"><v/></c><c r="B1" t="s"><v></v></c></row>')))
        .sheets[0]
        .errors
    )


def test_hidden_rows_columns_filters_and_dates_of_1904() -> None:
    def fill(workbook: xlsxwriter.Workbook) -> None:
        sheet = workbook.add_worksheet()
        for row in range(9):
            sheet.write_number(row, 0, row)
        sheet.set_row(3, None, None, {"hidden": True})
        sheet.set_column(1, 2, None, None, {"hidden": True})
        sheet.autofilter("A1:A9")

    data = book(fill)
    sheet = facts_of(data).sheets[0]
    assert (sheet.hidden_rows, sheet.hidden_columns, sheet.has_filter) == ({3}, {1, 2}, True)
    buffer = io.BytesIO()
    workbook = xlsxwriter.Workbook(buffer, {"date_1904": True, "in_memory": True})
    workbook.add_worksheet().write_number(0, 0, 1)
    workbook.close()
    assert facts_of(buffer.getvalue()).is_1904
    assert not facts_of(data).is_1904


def test_macros_links_and_objects_are_accepted_and_reported() -> None:
    extra = {
        "xl/vbaProject.bin": b"\xd0\xcf",
        "xl/externalLinks/externalLink1.xml": "<externalLink><externalBook/></externalLink>",
        "xl/embeddings/oleObject1.bin": b"x",
        "xl/activeX/activeX1.xml": "<x/>",
        "xl/connections.xml": "<connections/>",
        "xl/media/image1.png": b"\x89PNG",
    }
    found = facts_of(package(extra=extra), "a.xlsm")
    assert found.features == {"macros", "external_links", "embeddings", "activex", "connections", "images"}
    assert all(CHINESE.search(note) for note in found.notes)
    assert len(found.notes) == 6


def test_a_picture_with_a_doctype_is_not_parsed() -> None:
    svg = '<?xml version="1.0"?><!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "svg11.dtd"><svg/>'
    assert "images" in facts_of(package(extra={"xl/media/image1.svg": svg})).features


def test_vml_that_is_no_xml_is_read_and_not_parsed() -> None:
    vml = '<xml xmlns:v="urn:v"><v:textbox><div><font>批注<br></font></div></v:textbox></xml>'
    assert facts_of(package(extra={"xl/drawings/vmlDrawing1.vml": vml})).sheets


def test_a_malformed_part_that_holds_no_values_is_let_through() -> None:
    assert facts_of(package(extra={"docProps/custom.xml": "<a><b></a>"})).sheets


@pytest.mark.parametrize("name", ["a.xls", "a.csv", "a.et"])
def test_a_workbook_under_another_extension_is_read_and_said_so(name: str) -> None:
    found = facts_of(ordinary(), name)
    assert found.format == "xlsx"
    assert "wrong_extension" in found.features


def test_backslashes_in_part_names_are_taken_for_slashes() -> None:
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(ordinary())) as source,
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for item in source.infolist():
            target.writestr(item.filename, source.read(item))
    data = buffer.getvalue().replace(b"xl/worksheets/sheet1.xml", b"xl\\worksheets\\sheet1.xml")
    assert facts_of(data).sheets[0].cells > 100


def test_formatted_empty_cells_do_not_make_a_sheet_too_large() -> None:
    rows = '<row r="1"><c r="A1"><v>1</v></c></row>' + "".join(
        f'<row r="{r}"><c r="A{r}" s="1"/><c r="XFD{r}" s="1"/></row>' for r in range(2, 1500)
    )
    sheet = facts_of(package(sheet_xml(rows))).sheets[0]
    assert (sheet.rows, sheet.columns, sheet.cells) == (1, 1, 2997)


def test_a_bar_inside_a_text_or_a_sheet_name_is_no_dde() -> None:
    data = '<row r="1"><c r="A1" t="str"><f>"a|b"&amp;\'x|y\'!B1&amp;T[a|b]</f><v>k</v></c></row>'
    assert facts_of(package(sheet_xml(data))).sheets[0].formulas == 1


def test_the_reader_is_not_asked_to_believe_a_dimension() -> None:
    data = sheet_xml('<row r="1"><c r="A1"><v>1</v></c></row>', head='<dimension ref="A1:XFD1048576"/>')
    assert facts_of(package(data)).sheets[0].cells == 1


@pytest.mark.parametrize("cut", range(1, 64))
def test_a_file_cut_anywhere_is_refused_in_words(cut: int) -> None:
    data = ordinary()
    with pytest.raises(SubmissionError) as refused:
        inspect(data[: len(data) * cut // 64], "a.xlsx")
    assert refused.value.code in {"truncated", "zip_size_lie"}


@pytest.mark.parametrize("cut", range(1, 32))
def test_a_cut_compound_file_is_refused_in_words(cut: int) -> None:
    cells = b"".join(record(0x203, struct.pack("<HHHd", r, 0, 0, 1.0)) for r in range(1000))
    data = biff(cells)
    with pytest.raises(SubmissionError) as refused:
        inspect(data[: len(data) * cut // 32], "a.xls")
    assert refused.value.code in {"truncated", "damaged"}


def test_error_cells_and_formulas_in_xls_xlsb_and_ods() -> None:
    formula = struct.pack("<HHH", 1, 1, 0) + bytes([2, 0, 0x17, 0, 0, 0, 0xFF, 0xFF]) + struct.pack("<HLH", 0, 0, 0)
    pending = struct.pack("<HHH", 2, 1, 0) + bytes([3, 0, 0, 0, 0, 0, 0xFF, 0xFF]) + struct.pack("<HLH", 3, 0, 0)
    cells = record(0x205, struct.pack("<HHHBB", 0, 0, 0, 0x07, 1)) + record(0x06, formula) + record(0x06, pending)
    sheet = inspect(biff(cells + record(0x208, struct.pack("<HHHHHHHH", 5, 0, 1, 300, 0, 0, 0x20, 0))), "a.et").sheets[
        0
    ]
    assert sheet.name == "表"
    assert sheet.errors == {(0, 0): "#DIV/0!", (1, 1): "#REF!"}
    assert sheet.uncalculated == {(2, 1)}
    assert sheet.hidden_rows == {5}

    binary = inspect(xlsb(row12(0) + record12(3, struct.pack("<IIB", 2, 0, 0x2A))), "a.xlsb")
    assert binary.format == "xlsb"
    assert binary.sheets[0].errors == {(0, 2): "#N/A"}

    error = '<table:table-cell table:formula="of:=1/0" office:value-type="string" calcext:value-type="error"><text:p>#DIV/0!</text:p></table:table-cell>'  # fmt: skip
    row = f'<table:table-row><table:table-cell/>{error}<table:table-cell table:formula="of:=1"/></table:table-row>'
    tail = '<table:table-row table:number-rows-repeated="1048575"><table:table-cell table:number-columns-repeated="16384"/></table:table-row>'  # fmt: skip
    sheet = inspect(ods(row + tail), "a.ods").sheets[0]
    assert sheet.errors == {(0, 1): "#DIV/0!"}
    assert sheet.uncalculated == {(0, 2)}
    assert (sheet.rows, sheet.columns) == (1, 3)


CHART = (
    '<?xml version="1.0"?><office:document-content xmlns:office="o" xmlns:table="t"><office:body>'
    '<table:table table:name="local-table"><table:table-row>{}</table:table-row></table:table>'
    "</office:body></office:document-content>"
)
MODULE = '<!DOCTYPE script:module PUBLIC "-//OpenOffice.org//DTD OfficeDocument 1.0//EN" "module.dtd"{}><script:module xmlns:script="s"/>'
CELL = '<table:table-row><table:table-cell office:value-type="float" office:value="1"/></table:table-row>'


def test_the_table_of_a_chart_is_no_sheet_of_its_ods_workbook() -> None:
    found = inspect(ods(CELL, extra={"Object 1/content.xml": CHART.format("<table:table-cell/>")}), "a.ods")
    assert [sheet.name for sheet in found.sheets] == ["表"]
    with pytest.raises(SubmissionError) as refused:
        inspect(ods(CELL, extra={"Object 1/content.xml": CHART.format("<office:dde-source/>")}), "a.ods")
    assert refused.value.code == "dde"


def test_a_macro_part_of_an_ods_workbook_may_name_its_dtd_and_nothing_more() -> None:
    found = inspect(ods(CELL, extra={"Basic/Standard/Module1.xml": MODULE.format("")}), "a.ods")
    assert "macros" in found.features
    bomb = MODULE.format(' [<!ENTITY a "aaaa">]')
    for part in ({"Basic/Standard/Module1.xml": bomb}, {"styles.xml": MODULE.format("")}):
        with pytest.raises(SubmissionError) as refused:
            inspect(ods(CELL, extra=part), "a.ods")
        assert refused.value.code == "doctype"


def test_the_macro_module_of_an_old_excel_is_no_worksheet() -> None:
    with zipfile.ZipFile(io.BytesIO(ordinary())) as container:
        parts = {name: container.read(name) for name in container.namelist()}
    parts["xl/workbook.xml"] = parts["xl/workbook.xml"].replace(
        b"</sheets>", b'<sheet name="Module1" sheetId="99" state="veryHidden" r:id=""/></sheets>'
    )
    found = inspect(zipped(parts), "a.xlsx")
    assert [sheet.name for sheet in found.sheets][-1] == "Module1"
    assert "Module1" not in [sheet.name for sheet in found.worksheets]
    assert [grid.sheet for grid in read_grids(zipped(parts), "a.xlsx")] == [sheet.name for sheet in found.worksheets]


def test_a_workbook_with_a_protected_structure_is_opened_as_excel_does() -> None:
    for password, is_readable in (("VelvetSweatshop", True), ("geheim", False)):
        locked = io.BytesIO()
        OOXMLFile(io.BytesIO(ordinary())).encrypt(password, locked)
        if is_readable:
            assert inspect(locked.getvalue(), "a.xlsx").sheets[0].name == "财务状况"
        else:
            with pytest.raises(SubmissionError, match="取消密码"):
                inspect(locked.getvalue(), "a.xlsx")


def test_openpyxl_writes_what_the_guard_passes() -> None:
    workbook = openpyxl.Workbook()
    sheet = workbook.active
    assert sheet is not None
    for row in range(600):
        sheet.append([f"企业{row}", row, row / 3, row % 2 == 0, "=A1"])
    sheet.merge_cells("H1:J4")
    buffer = io.BytesIO()
    workbook.save(buffer)
    facts = facts_of(buffer.getvalue()).sheets[0]
    assert facts.merges == [Area(0, 7, 3, 9)]
    assert len(facts.uncalculated) == 600


@pytest.mark.libreoffice
@pytest.mark.parametrize("target", ["xlsx", "xls", "ods"])
def test_what_libreoffice_saves_passes(target: str, tmp_path: Path) -> None:
    if which("soffice") is None:
        pytest.skip("LibreOffice is not installed")

    def fill(workbook: xlsxwriter.Workbook) -> None:
        sheet = workbook.add_worksheet("表")
        for row in range(300):
            sheet.write_string(row, 0, f"企业{row}")
            for column in range(1, 20):
                sheet.write_number(row, column, row * column)
        sheet.write_formula("V1", "=1/0", value="#DIV/0!")
        sheet.write_formula("V2", "=B2+C2", value=3)
        sheet.write_formula("V3", "=NA()", value="#N/A")
        sheet.merge_range("X1:Y2", "合并")
        sheet.set_row(5, None, None, {"hidden": True})
        workbook.add_worksheet("藏").hide()

    source = tmp_path / "in" / "book.xlsx"
    source.parent.mkdir()
    source.write_bytes(book(fill))
    home = f"-env:UserInstallation=file://{tmp_path}/home"
    command = ["soffice", home, "--headless", "--convert-to", target, "--outdir", str(tmp_path), str(source)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    data = (tmp_path / f"book.{target}").read_bytes()
    found = inspect(data, f"book.{target}")
    sheet = found.sheets[0]
    assert [s.name for s in found.sheets] == ["表", "藏"]
    assert found.sheets[1].visibility == "hidden"
    assert sheet.errors == {(0, 21): "#DIV/0!", (2, 21): "#N/A"}
    assert sheet.uncalculated == set()
    assert sheet.hidden_rows == {5}
    assert Area(0, 23, 1, 24) in sheet.merges
    grid = read_grids(data, f"book.{target}")[0]
    assert str(grid.rows[0][21]) == "#DIV/0!"
    assert grid.rows[1][21] == 3.0
    assert grid.rows[7][:4] == ["企业7", 7.0, 14.0, 21.0]


def test_addresses() -> None:
    assert [column_letters(i) for i in (0, 25, 26, 701, 702, 16_383)] == ["A", "Z", "AA", "ZZ", "AAA", "XFD"]
    assert all(column_index(column_letters(i)) == i for i in range(16_384))
    assert address(9, 27) == "AB10"
    assert position("AB10") == (9, 27)
    assert [position(t) for t in ("A0", "XFE1", "A1048577", "1A", "", "A1 ")] == [None] * 6
    assert area("B2:C4") == Area(1, 1, 3, 2)
    assert area("B2") == Area(1, 1, 1, 1)
    assert area("C4:B2") is None


def test_a_shared_string_table_is_scanned_alike_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"文字{i}&amp;{'长' * (i % 50)}" for i in range(3000)]
    cells = "".join(f'<row r="{i + 1}"><c r="A{i + 1}" t="s"><v>{i}</v></c></row>' for i in range(3000))
    data = package(sheet_xml(cells), strings_xml(*texts))
    assert inspect(data, "a.xlsx").sheets[0].cells == 3000
    monkeypatch.setattr(guard_package, "SMALL", 1 << 40)
    assert inspect(data, "a.xlsx").sheets[0].cells == 3000


@pytest.mark.parametrize("small", [0, 1 << 40])
def test_too_many_cells_are_refused_over_all_sheets(small: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard_package, "SMALL", small)
    monkeypatch.setattr(guard_xml, "MAX_CELLS", 300)
    assert inspect(ordinary(20), "a.xlsx").sheets
    with pytest.raises(SubmissionError, match="单元格超过") as refused:
        inspect(ordinary(30), "a.xlsx")
    assert refused.value.code == "too_many_cells"
