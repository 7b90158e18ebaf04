from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Mapping

import openpyxl
import polars as pl
import pytest
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from python_calamine import load_workbook

from schemas.errors import SubmissionError
from schemas.findings import as_findings
from sources.marked import explanations_in, list_of_findings, mark
from sources.marked_sheet import SheetPart, place_of
from sources.marked_styles import EMPTY, Styles
from sources.problems import problem_and_remedy

HARD, SOFT = "FFFFC8CE", "FFFFEB9D"
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def finding(cell: str | None, severity: str = "hard", **more: object) -> dict[str, object]:
    sheet = more.get("sheet", "财务")
    row = {
        "rule": "AF01", "severity": severity, "form": "finance", "unit_id": "甲", "park": "LBGX", "sheet": sheet, "cell": cell,
        "row": place_of(cell)[0] if cell and place_of(cell) else None, "column": "F01", "indicator": "营业收入", "found": "-5",
        "message": f"工作表“{sheet}” {cell}“营业收入”(F01):填报 -5,营业收入为负;请更正。", "code": "rule", "outcome": "failed",
    }  # fmt: skip
    return {**row, **more}


def found(*rows: dict[str, object]) -> pl.DataFrame:
    return as_findings(list(rows))


def parts(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as container:
        assert container.testzip() is None
        return {name: container.read(name) for name in container.namelist()}


def book_of(data: bytes) -> openpyxl.Workbook:
    return openpyxl.load_workbook(io.BytesIO(data))


def fills(data: bytes, sheet: str = "财务") -> dict[str, str]:
    cells = (c for row in book_of(data)[sheet].iter_rows() for c in row)
    return {
        c.coordinate: c.fill.fgColor.rgb for c in cells if c.fill.patternType and c.fill.fgColor.rgb in (HARD, SOFT)
    }


def notes(data: bytes, sheet: str = "财务") -> dict[str, str]:
    return {c.coordinate: c.comment.text for row in book_of(data)[sheet].iter_rows() for c in row if c.comment}


def values(data: bytes) -> dict[str, list[list[object]]]:
    book = load_workbook(io.BytesIO(data))
    return {name: book.get_sheet_by_name(name).to_python(skip_empty_area=False) for name in book.sheet_names}


@pytest.fixture(scope="module")
def rich() -> bytes:
    """A workbook with everything that must survive: cached results, notes, validations, a chart, names, protection."""
    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(buffer, {"in_memory": True})
    sheet, other = book.add_worksheet("财务"), book.add_worksheet("其他")
    grey = book.add_format({"bg_color": "#F2F2F2", "num_format": "#,##0", "border": 1})
    bold = book.add_format({"bold": True})
    sheet.set_column("E:E", 12, grey)
    sheet.write_row("A1", ["名称", "本期", "合计"])
    sheet.write("A2", "甲")
    sheet.write("B2", 5, grey)
    sheet.write_formula("C2", "=B2*2", grey, 10)
    sheet.write_formula("C3", '=IF(B2>1,"是","否")', None, "是")
    sheet.write_rich_string("A4", bold, "粗", " 细 ")
    sheet.merge_range("A6:B7", "合并", grey)
    sheet.write_comment("B2", "园区自己的批注", {"author": "园区"})
    sheet.data_validation("B2:B9", {"validate": "integer", "criteria": ">=", "value": 0})
    sheet.conditional_format("B2:B9", {"type": "cell", "criteria": "<", "value": 0, "format": bold})
    sheet.conditional_format("C2:C9", {"type": "data_bar", "data_bar_2010": True})
    sheet.protect()
    sheet.repeat_rows(0)
    sheet.freeze_panes(1, 1)
    chart = book.add_chart({"type": "column"})
    chart.add_series({"values": "=财务!$B$2:$B$3"})
    sheet.insert_chart("G2", chart)
    other.write("A1", "=1+1")
    other.write_comment("A1", "另一张表的批注")
    other.repeat_rows(0)
    other.activate()
    book.define_name("区域", "=财务!$A$1:$C$3")
    book.close()
    return buffer.getvalue()


def test_marks_and_notes_stand_on_the_cells(rich: bytes) -> None:
    result = mark(rich, found(finding("B2"), finding("C2", "soft", rule="AF02"), finding("B2", "soft", rule="AF09")))
    assert (result.marked, result.unplaced.height) == (2, 0)
    assert fills(result.data) == {"B2": HARD, "C2": SOFT}
    there = notes(result.data)
    assert there["B2"].startswith("园区自己的批注\n【一套表审核】\n错误:营业收入为负。请更正。\n核实:")
    assert there["C2"] == "【一套表审核】\n核实:营业收入为负。请更正。"
    kept = book_of(result.data)["财务"]["B2"]
    assert kept.number_format == "#,##0" and kept.border.left.style == "thin"


def test_values_and_cached_results_stay(rich: bytes) -> None:
    data = mark(rich, found(finding("B2"), finding("C2"), finding("C3"), finding("D9"))).data
    before, after = values(rich), values(data)
    assert {name: after[name] for name in before} == before
    cached = openpyxl.load_workbook(io.BytesIO(data), data_only=True)["财务"]
    formulas = book_of(data)["财务"]
    assert (cached["C2"].value, cached["C3"].value) == (10, "是")
    assert (formulas["C2"].value, formulas["C3"].value) == ("=B2*2", '=IF(B2>1,"是","否")')


def test_untouched_parts_are_byte_identical(rich: bytes) -> None:
    before, after = parts(rich), parts(mark(rich, found(finding("B2"))).data)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {
        "[Content_Types].xml", "xl/workbook.xml", "xl/_rels/workbook.xml.rels", "xl/styles.xml", "xl/comments1.xml",
        "xl/worksheets/sheet1.xml",
        "xl/worksheets/sheet2.xml",  # its tab was selected
    }  # fmt: skip
    assert after.keys() - before.keys() == {"xl/worksheets/ytbFindings1.xml"}
    assert after["xl/worksheets/sheet2.xml"] == before["xl/worksheets/sheet2.xml"].replace(b' tabSelected="1"', b"")


def without_styles(xml: bytes) -> bytes:
    root = etree.fromstring(xml)
    for cell in root.iter(f"{{{MAIN}}}c"):
        cell.attrib.pop("s", None)
    return etree.tostring(root)


def test_of_a_marked_sheet_only_the_format_numbers_change(rich: bytes) -> None:
    before, after = parts(rich), parts(mark(rich, found(finding("B2"), finding("C2"))).data)
    name = "xl/worksheets/sheet1.xml"
    assert before[name] != after[name] and without_styles(before[name]) == without_styles(after[name])


def test_missing_cells_and_rows_are_put_in_with_the_look_of_their_column(rich: bytes) -> None:
    data = mark(rich, found(finding("D2"), finding("E3"), finding("A30"), finding("B5"))).data
    sheet = book_of(data)["财务"]
    assert fills(data) == {"D2": HARD, "E3": HARD, "A30": HARD, "B5": HARD}
    assert sheet["E3"].number_format == "#,##0"
    root = etree.fromstring(parts(data)["xl/worksheets/sheet1.xml"])
    rows = [int(row.get("r")) for row in root.iter(f"{{{MAIN}}}row")]
    assert rows == sorted(set(rows))
    for row in root.iter(f"{{{MAIN}}}row"):
        columns = [place_of(cell.get("r")) for cell in row]
        assert columns == sorted(columns)


def test_a_mark_in_a_merged_area_stands_on_its_first_cell(rich: bytes) -> None:
    result = mark(rich, found(finding("B7")))
    assert fills(result.data) == {"A6": HARD} and "A6" in notes(result.data)


def test_names_of_single_sheets_follow_their_sheet_and_one_tab_is_selected(rich: bytes) -> None:
    book = book_of(mark(rich, found(finding("B2"))).data)
    assert book.sheetnames == ["审核结果", "财务", "其他"]
    assert book["财务"].print_title_rows == "$1:$1" and book["其他"].print_title_rows == "$1:$1"
    assert book.active.title == "审核结果"
    assert [bool(s.sheet_view.tabSelected) for s in book.worksheets] == [True, False, False]
    assert book["财务"].protection.sheet and len(book["财务"]._charts) == 1
    assert [v.sqref for v in book["财务"].data_validations.dataValidation]


def test_the_list_shows_every_finding_with_a_link_to_its_cell(rich: bytes) -> None:
    findings = found(
        finding("C2", "soft", rule="AF02"),
        finding("B2"),
        finding(None, sheet=None, message="《a.xlsx》:缺少“从业人员情况”;请补齐。"),
        finding("B2", rule="AF07", outcome="absorbed", absorbed_by="AF01"),
        finding("B2", "trial"),
    )
    result = mark(rich, findings, heading="标题", forms={"finance": "财务状况"}, names={"甲": "甲公司"})
    sheet = book_of(result.data)["审核结果"]
    lines = [[c.value for c in row[:10]] for row in sheet.iter_rows(min_row=6)]
    one, two = "1. 营业收入为负", "2. 营业收入为负"
    firm = ["财务状况", "甲公司(甲)", "营业收入", "-5"]
    assert lines == [
        [None, "错误", one, "2 处,另有 1 处随之而来未单列", None, None, None, None, "营业收入为负", "请更正。"],
        ["1", "错误", one, "财务 B2", *firm, "营业收入为负", "请更正。"],
        ["2", "错误", one, None, *firm, "《a.xlsx》:缺少“从业人员情况”", "请补齐。"],
        ["3", "核实", two, "财务 C2", *firm, "营业收入为负", "请更正。"],
    ]
    assert sheet["A1"].value == "标题" and "错误 2 条" in sheet["A2"].value and "核实 1 条" in sheet["A2"].value
    links = {c.coordinate: c.hyperlink.location for row in sheet.iter_rows() for c in row if c.hyperlink}
    assert links == {"D7": "'财务'!B2", "D9": "'财务'!C2"}
    assert sheet.auto_filter.ref == "A5:L9"
    assert result.unplaced["message"].to_list() == ["《a.xlsx》:缺少“从业人员情况”;请补齐。"]


def test_no_findings_say_so(rich: bytes) -> None:
    result = mark(rich, found())
    assert result.marked == 0 and "审核通过" in book_of(result.data)["审核结果"]["A2"].value


def test_marking_twice_changes_nothing_and_new_findings_replace_old_marks(rich: bytes) -> None:
    first = mark(rich, found(finding("B2"), finding("C2", "soft"), finding("D9"))).data
    assert mark(first, found(finding("B2"), finding("C2", "soft"), finding("D9"))).data == first
    second = mark(first, found(finding("C3"))).data
    assert fills(second) == {"C3": HARD}
    assert notes(second) == {"B2": "园区自己的批注", "C3": "【一套表审核】\n错误:营业收入为负。请更正。"}
    sheet = book_of(second)["财务"]
    assert sheet["B2"].fill.fgColor.rgb == "FFF2F2F2" and sheet["C2"].fill.fgColor.rgb == "FFF2F2F2"
    assert sheet["D9"].fill.patternType is None
    cleared = mark(second, found()).data
    assert fills(cleared) == {} and notes(cleared) == {"B2": "园区自己的批注"}
    assert book_of(cleared).sheetnames == ["审核结果", "财务", "其他"]


def test_old_marks_go_after_another_program_has_saved_the_workbook(rich: bytes) -> None:
    """The usual round: the park opens the marked workbook, corrects one of two cells, saves, and sends all of it again."""
    book = book_of(mark(rich, found(finding("B2"), finding("C2", "soft"), finding("D9"))).data)
    book["财务"]["D9"].value = 7
    buffer = io.BytesIO()
    book.save(buffer)
    again = mark(buffer.getvalue(), found(finding("B2", "soft", rule="AF09"))).data
    assert fills(again) == {"B2": SOFT}
    assert notes(again) == {"B2": "园区自己的批注\n【一套表审核】\n核实:营业收入为负。请更正。"}
    sheet = book_of(again)["审核结果"]
    assert [row[0].value for row in sheet.iter_rows(min_row=6)] == ["1"]
    assert book_of(again)["财务"]["C2"].fill.fgColor.rgb == "FFF2F2F2"
    assert book_of(again)["财务"]["D9"].fill.patternType is None and book_of(again)["财务"]["D9"].value == 7


def test_shapes_follow_their_notes(rich: bytes) -> None:
    first = parts(mark(rich, found(finding("B2"), finding("C2"))).data)["xl/drawings/vmlDrawing1.vml"]
    assert first.count(b'ObjectType="Note"') == 2
    again = mark(mark(rich, found(finding("B2"), finding("C2"))).data, found()).data
    assert parts(again)["xl/drawings/vmlDrawing1.vml"].count(b'ObjectType="Note"') == 1
    numbers = re.findall(rb'id="_x0000_s(\d+)"', first)
    assert len(set(numbers)) == 2


def test_shape_numbers_are_unique_in_the_workbook(rich: bytes) -> None:
    findings = [finding(f"B{row}") for row in range(10, 1300)] + [finding("A1", sheet="其他")]
    after = parts(mark(rich, found(*findings)).data)
    numbers = [
        n for name, part in after.items() if name.endswith(".vml") for n in re.findall(rb'id="_x0000_s(\d+)"', part)
    ]
    assert len(numbers) == len(set(numbers)) == 1292
    blocks = [
        re.search(rb'data="([\d,]*)"', part)[1].split(b",") for name, part in after.items() if name.endswith(".vml")
    ]  # type: ignore[index]
    assert not set(blocks[0]) & set(blocks[1])


def test_explanations_typed_on_the_list_are_read_and_kept(rich: bytes) -> None:
    findings = found(finding("B2"), finding("C2", "soft", rule="AF02", column="F02"))
    book = book_of(mark(rich, findings).data)
    sheet = book["审核结果"]
    sheet["K7"], sheet["L7"] = "07", " 订单集中交付 "
    buffer = io.BytesIO()
    book.save(buffer)
    told = explanations_in(buffer.getvalue())
    assert told.rows() == [("AF02", "finance", "甲", "F02", "07", "订单集中交付")]
    again = mark(buffer.getvalue(), findings).data
    assert explanations_in(again).rows() == told.rows()
    assert explanations_in(rich).is_empty()


def test_a_sheet_of_that_name_of_the_parks_own_stays() -> None:
    data = simple({"审核结果": [["我的"]], "财务": [["x"]]})
    book = book_of(mark(data, found(finding("A1"))).data)
    assert book.sheetnames == ["审核结果(2)", "审核结果", "财务"] and book["审核结果"]["A1"].value == "我的"


def simple(sheets: Mapping[str, list[list[object]]]) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


RELATIONSHIPS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def by_hand(sheet: str, *, styles: bool = False, extra: Mapping[str, str] | None = None, main: str = MAIN) -> bytes:
    """A package as other programs write it: prefixes, absolute targets, parts left out."""
    types = "http://schemas.openxmlformats.org/package/2006/content-types"
    package = "http://schemas.openxmlformats.org/package/2006/relationships"
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    style = f'<Relationship Id="r2" Type="{RELATIONSHIPS}/styles" Target="/xl/styles.xml"/>' if styles else ""
    members = {
        "[Content_Types].xml": f'<Types xmlns="{types}"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Default Extension="xml" ContentType="application/xml"/><Override PartName="/xl/workbook.xml" ContentType="{kind}.sheet.main+xml"/>'
        f'<Override PartName="/xl/sheet.xml" ContentType="{kind}.worksheet+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{package}"><Relationship Id="r1" Type="{RELATIONSHIPS}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<x:workbook xmlns:x="{main}" xmlns:r="{RELATIONSHIPS}"><x:sheets><x:sheet name="财务" sheetId="4" r:id="r1"/></x:sheets></x:workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}"><Relationship Id="r1" Type="{RELATIONSHIPS}/worksheet" Target="/xl/sheet.xml"/>{style}</Relationships>',
        "xl/sheet.xml": sheet,
        **(extra or {}),
    }  # fmt: skip
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as container:
        for name, text in members.items():
            container.writestr(name, text)
    return buffer.getvalue()


def test_prefixed_names_cells_without_address_and_a_workbook_without_styles() -> None:
    sheet = (
        f"<?xml version='1.0'?><x:worksheet xmlns:x='{MAIN}'><x:sheetData><x:row><x:c><x:v>1</x:v></x:c>"
        "<x:c t='inlineStr'><x:is><x:t xml:space='preserve'> 二 </x:t></x:is></x:c></x:row><x:row/>"
        "<x:row r='5' spans='1:2'><x:c r='B5' s='0'><x:f>1+1</x:f><x:v>2</x:v></x:c></x:row></x:sheetData></x:worksheet>"
    )
    data = by_hand(sheet)
    marked = mark(data, found(finding("B1"), finding("C1"), finding("B2"), finding("A5"), finding("B5"), finding("A3")))
    assert values(marked.data)["财务"] == [[1.0, " 二 "], ["", ""], ["", ""], ["", ""], ["", 2.0]]
    assert set(fills(marked.data)) == {"B1", "C1", "B2", "A5", "B5", "A3"} == set(notes(marked.data))
    xml = parts(marked.data)["xl/sheet.xml"]
    assert b"<x:t xml:space='preserve'> \xe4\xba\x8c </x:t>" in xml and b"spans" not in xml
    assert b'<x:legacyDrawing xmlns:r="' in xml and xml.startswith(b"<?xml version='1.0'?>")
    assert mark(marked.data, found()).marked == 0


def test_an_empty_sheet_takes_marks() -> None:
    for empty in ("<sheetData/>", "<sheetData></sheetData>"):
        data = mark(by_hand(f'<worksheet xmlns="{MAIN}">{empty}</worksheet>'), found(finding("C3"))).data
        assert fills(data) == {"C3": HARD}


def test_rows_out_of_order_are_not_put_in_twice() -> None:
    sheet = f'<worksheet xmlns="{MAIN}"><sheetData><row r="5"><c r="A5"/></row><row r="3"><c r="B3"/><c r="A3"/></row></sheetData></worksheet>'
    xml = parts(mark(by_hand(sheet), found(finding("A3"), finding("A4"))).data)["xl/sheet.xml"]
    assert xml.count(b'r="3"') == 1 and xml.count(b'r="A3"') == 1 and xml.count(b'r="A4"') == 1


def test_the_reference_to_the_notes_stands_where_the_schema_wants_it() -> None:
    tail = (
        '<pageMargins left="1" right="1" top="1" bottom="1" header="1" footer="1"/>'
        '<mc:AlternateContent xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"><mc:Choice Requires="x14">'
        '<controls><control shapeId="1" name="按钮"/></controls></mc:Choice></mc:AlternateContent>'
        '<extLst><ext uri="{1}"><legacyDrawing/></ext></extLst>'
    )
    sheet = f'<worksheet xmlns="{MAIN}"><sheetData><row r="1"><c r="A1"/></row></sheetData>{tail}</worksheet>'
    xml = parts(mark(by_hand(sheet), found(finding("A1"))).data)["xl/sheet.xml"].decode()
    assert tail.replace("<mc:Alt", "|<mc:Alt", 1).split("|")[1] in xml
    assert re.search(r'footer="1"/><legacyDrawing xmlns:r="[^"]*" r:id="rIdYtb\d+"/><mc:AlternateContent', xml)


def test_comments_in_the_xml_do_not_lead_astray() -> None:
    sheet = f'<worksheet xmlns="{MAIN}"><sheetData><!-- <row r="1"><c r="A1"/></row> --><row r="1"><c r="A1" t="str"><v><![CDATA[<c r="B1">]]></v></c></row></sheetData></worksheet>'
    data = mark(by_hand(sheet), found(finding("A1"), finding("B1"))).data
    assert set(fills(data)) == {"A1", "B1"} and values(data)["财务"] == [['<c r="B1">']]


def test_cells_with_a_thread_keep_it_and_get_the_fill_only() -> None:
    package = "http://schemas.openxmlformats.org/package/2006/relationships"
    thread = "http://schemas.microsoft.com/office/spreadsheetml/2018/threadedcomments"
    data = by_hand(
        f'<worksheet xmlns="{MAIN}"><sheetData><row r="1"><c r="A1"/><c r="B1"/></row></sheetData></worksheet>',
        extra={
            "xl/_rels/sheet.xml.rels": f'<Relationships xmlns="{package}"><Relationship Id="r1" Type="http://schemas.microsoft.com/office/2017/10/relationships/threadedComment" Target="thread.xml"/></Relationships>',
            "xl/thread.xml": f'<ThreadedComments xmlns="{thread}"><threadedComment ref="A1"><text>谈</text></threadedComment></ThreadedComments>',
        },
    )
    result = mark(data, found(finding("A1"), finding("B1")))
    assert set(fills(result.data)) == {"A1", "B1"} and set(notes(result.data)) == {"B1"}


@pytest.mark.parametrize("name", ["_xmlsignatures/sig1.xml", "xl/revisions/revisionHeaders.xml"])
def test_signed_and_shared_workbooks_are_refused(name: str) -> None:
    data = by_hand(f'<worksheet xmlns="{MAIN}"><sheetData/></worksheet>', extra={name: "<a/>"})
    refused(data, "签名")


def refused(data: bytes, word: str) -> None:
    with pytest.raises(SubmissionError) as error:
        mark(data, found(finding("A1")))
    assert error.value.code == "cannot_mark" and "请" in str(error.value) and re.search(word, str(error.value))


def test_what_cannot_be_edited_safely_is_refused_with_a_word() -> None:
    refused(b"\xd0\xcf\x11\xe0" + b"\0" * 600, "不是 .xlsx")
    refused(by_hand("<worksheet/>"), "不是常用的")
    strict = "http://purl.oclc.org/ooxml/spreadsheetml/main"
    refused(by_hand(f'<worksheet xmlns="{strict}"><sheetData/></worksheet>', main=strict), "严格")
    refused(by_hand(f'<!DOCTYPE a><worksheet xmlns="{MAIN}"><sheetData/></worksheet>'), "文档类型")
    refused(by_hand(f'<worksheet xmlns="{MAIN}"><sheetData><row r="1"><c r="A1"></row>'), "不完整|有效")


@pytest.mark.parametrize("cut", [0.3, 0.6, 0.9, 0.99])
def test_a_damaged_container_is_refused(rich: bytes, cut: float) -> None:
    refused(rich[: int(len(rich) * cut)], "")


def test_findings_at_impossible_places_are_only_listed(rich: bytes) -> None:
    result = mark(rich, found(finding("B0"), finding("AAAA1"), finding("B2", sheet="没有"), finding("")))
    assert result.marked == 0 and result.unplaced.height == 4


def test_hostile_text_stays_text(rich: bytes) -> None:
    texts = ["=1+1", "<b>&", "]]>", "\x00\x1b", "_x0041_", "@x", "'", "a\u202eb"]
    data = mark(
        rich, found(*(finding("B2", found=t, message=f"{t};请更正。", rule=f"R{n}") for n, t in enumerate(texts)))
    ).data
    sheet = book_of(data)["审核结果"]
    assert {c.data_type for row in sheet.iter_rows() for c in row if c.value} == {"s"}
    assert "=1+1" in notes(data)["B2"] and "\u202e" not in notes(data)["B2"]


def test_the_list_alone_is_a_workbook_with_the_same_lines_and_the_same_bytes() -> None:
    findings = found(finding("C2", "soft"), finding("B2"), finding("B2", found="=cmd"))
    data = list_of_findings(findings, title="问题清单")
    assert data == list_of_findings(findings, title="问题清单")
    rows = values(data)["审核结果"]
    assert rows[1][0].startswith("错误 2 条")
    assert [(row[0], row[1]) for row in rows[5:]] == [
        ("", "错误"),
        ("1", "错误"),
        ("2", "错误"),
        ("3", "核实"),
    ]
    assert all(c.data_type != "f" for row in book_of(data)["审核结果"].iter_rows() for c in row)


@pytest.mark.parametrize(
    ("message", "value", "parts_of_it"),
    [
        ("工作表“财务” C8“营业收入”(F01):填报 -5,营业收入为负;请更正。", "-5", ("营业收入为负", "请更正。")),
        (
            "工作表“财务” C8“营业收入”(F01):填报为“1,2o0”,不是数字。请填数字。",
            "1,2o0",
            ("填报为“1,2o0”,不是数字", "请填数字。"),
        ),
        # The name of an indicator has a colon of its own.
        ("工作表“人员” C8“其中:博士”(P07):填报 9,博士大于研究生;请核对。", "9", ("博士大于研究生", "请核对。")),
        ("出口大于进出口总额", "", ("出口大于进出口总额", "")),
        ("请核实", "", ("", "请核实")),
    ],
)
def test_a_message_is_taken_apart(message: str, value: str, parts_of_it: tuple[str, str]) -> None:
    assert problem_and_remedy(message, value) == parts_of_it


@settings(max_examples=60, deadline=None)
@given(
    written=st.sets(st.tuples(st.integers(1, 6), st.integers(0, 5)), max_size=14),
    wanted=st.sets(st.tuples(st.integers(1, 8), st.integers(0, 7)), min_size=1, max_size=10),
    quote=st.sampled_from("\"'"),
)
def test_whatever_is_written_the_wanted_cells_are_styled_once_and_in_order(
    written: set[tuple[int, int]], wanted: set[tuple[int, int]], quote: str
) -> None:
    rows = ""
    for row in sorted({r for r, _ in written}):
        cells = "".join(
            f"<c r={quote}{chr(65 + c)}{r}{quote}><v>{r}{c}</v></c>" for r, c in sorted(written) if r == row
        )
        rows += f"<row r={quote}{row}{quote}>{cells}</row>"
    part = SheetPart.of(f'<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData></worksheet>'.encode())
    by_row = {row: frozenset(c for r, c in wanted if r == row) for row, _ in wanted}
    root = etree.fromstring(part.restyled(by_row, frozenset(), lambda row, column, style: 7))
    cells = [(*place_of(c.get("r")), c.get("s"), c.findtext(f"{{{MAIN}}}v")) for c in root.iter(f"{{{MAIN}}}c")]  # type: ignore[misc]
    assert [c[:2] for c in cells] == sorted(written | wanted)
    assert {c[:2] for c in cells if c[2] == "7"} == wanted
    assert {c[:2]: c[3] for c in cells if c[3]} == {(r, c): f"{r}{c}" for r, c in written}


def test_a_format_that_offers_a_choice_is_marked_in_its_usual_form() -> None:
    """As Hancom writes formats: its own or the usual one, which alone can carry a fill."""
    choice = (
        b'<mc:AlternateContent xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"><mc:Choice Requires="hs"/>'
        b'<mc:Fallback><xf numFmtId="4" fontId="0" fillId="0" borderId="0" xfId="0"/></mc:Fallback></mc:AlternateContent>'
    )
    styles = Styles(EMPTY.replace(b"</cellXfs>", choice + b"</cellXfs>"))
    style = styles.marked(1, "hard")
    formats = etree.fromstring(styles.to_bytes()).findall(f".//{{{MAIN}}}cellXfs/*")
    assert formats[style].get("numFmtId") == "4"
    assert formats[style].get("applyFill") == "1"
