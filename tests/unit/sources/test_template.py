from __future__ import annotations

import html
import io
import re
import zipfile
from dataclasses import replace
from datetime import date
from decimal import Decimal

import openpyxl
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl.worksheet.worksheet import Worksheet
from python_calamine import load_workbook

from schemas.catalog import programme
from schemas.errors import DefinitionError
from schemas.layout import (
    CODE_ROW,
    FIRST_ROW,
    FOOT,
    HEADER_ROW,
    INDEX_SHEET,
    META_SHEET,
    OPERANDS_SHEET,
    is_code_row,
    sheet_layout,
    workbook_layout,
)
from schemas.model import FormKind
from schemas.period import Period
from sources.template import deadline_text, write_template
from sources.template_prefill import Known, prefill
from sources.writer import Book, put, put_formula

PROGRAMME = programme()
EDITION = PROGRAMME.editions["2025"]
QUARTER, YEAR = Period.parse("2025-Q1"), Period.parse("2025")
FIRST, SECOND = "91620100MA0000001X", "91620100MA0000002X"
UNITS = pl.DataFrame(
    {"unit_id": [SECOND, FIRST], "name": ["乙公司", "=1+1"], "sub_park": ["LBGX02", "LBGX01"], "B07": ["2614", "0111"]}
)
FINANCE = pl.DataFrame({"unit_id": [FIRST], "F01": [1200], "F13": [-30]})
PARK = pl.DataFrame({"unit_id": ["LBGX"], "K04": [Decimal("10.50")], "K05": [7]})


def book_of(data: bytes) -> openpyxl.Workbook:
    return openpyxl.load_workbook(io.BytesIO(data))


@pytest.fixture(scope="module")
def quarterly() -> bytes:
    return write_template(
        EDITION,
        PROGRAMME,
        QUARTER,
        "LBGX",
        units=UNITS,
        previous={"finance": FINANCE, "park": PARK},
        year_earlier={"finance": FINANCE},
        as_of=date(2025, 3, 31),
        contact="0931-1",
    )


@pytest.fixture(scope="module")
def book(quarterly: bytes) -> openpyxl.Workbook:
    return book_of(quarterly)


def anchors(sheet: Worksheet) -> dict[str, int]:
    return {str(cell.value): cell.column for cell in sheet[CODE_ROW] if cell.value}


def test_the_same_input_gives_the_same_bytes(quarterly: bytes) -> None:
    again = write_template(
        EDITION,
        PROGRAMME,
        QUARTER,
        "LBGX",
        units=UNITS.reverse(),
        previous={"finance": FINANCE, "park": PARK},
        year_earlier={"finance": FINANCE},
        as_of=date(2025, 3, 31),
        contact="0931-1",
    )
    assert again == quarterly


@pytest.mark.parametrize("period", [QUARTER, YEAR, Period.parse("2014-Q2"), Period.parse("2014")], ids=str)
def test_a_template_has_the_sheets_of_its_round_with_their_code_rows(period: Period) -> None:
    edition = PROGRAMME.edition_for(period)
    found = load_workbook(io.BytesIO(write_template(edition, PROGRAMME, period, "LBGX", units=UNITS)))
    layouts = workbook_layout(edition, period)
    assert found.sheet_names[0] == INDEX_SHEET
    assert {layout.name for layout in layouts.values()} <= set(found.sheet_names)
    for layout in layouts.values():
        rows = found.get_sheet_by_name(layout.name).to_python(skip_empty_area=False)
        assert [n for n, row in enumerate(rows, start=1) if is_code_row(row)] == [CODE_ROW]
        assert [c for c in rows[CODE_ROW - 1] if c] == [column.anchor for column in layout.columns]


def test_units_stand_in_the_order_of_sub_park_and_the_register_is_stated(book: openpyxl.Workbook) -> None:
    basic, finance = book["调查单位基本情况"], book["财务状况"]
    assert [basic.cell(FIRST_ROW, c).value for c in range(1, 8)] == [
        FIRST, "=1+1", "2025Q1", "LBGX", "LBGX01", None, "0111"
    ]  # fmt: skip
    assert [finance.cell(FIRST_ROW + 1, c).value for c in (1, 2)] == [SECOND, "乙公司"]


def test_text_of_the_register_never_becomes_a_formula_or_a_link(book: openpyxl.Workbook) -> None:
    assert book["调查单位基本情况"].cell(FIRST_ROW, 2).data_type == "s"
    for sheet in book.worksheets:
        audit = anchors(sheet).get("audit") if sheet.max_row >= CODE_ROW else None
        formulas = [c for row in sheet.iter_rows() for c in row if c.data_type == "f"]
        assert sheet.title == INDEX_SHEET or all(cell.column == audit for cell in formulas)
        links = [c.hyperlink for row in sheet.iter_rows() for c in row if c.hyperlink]
        assert all(link.location and not link.target for link in links) and bool(links) == (sheet.title == INDEX_SHEET)


def test_year_earlier_is_prefilled_and_editable_and_last_period_locked_and_hidden(book: openpyxl.Workbook) -> None:
    sheet = book["财务状况"]
    at = anchors(sheet)
    assert sheet.cell(FIRST_ROW, at["F01_yoy"]).value == 1200 and sheet.cell(FIRST_ROW, at["F13_yoy"]).value == -30
    assert sheet.cell(FIRST_ROW + 1, at["F01_yoy"]).value is None
    assert sheet.cell(FIRST_ROW, at["F01_last"]).value == 1200
    assert not sheet.cell(FIRST_ROW, at["F01"]).protection.locked
    assert not sheet.cell(FIRST_ROW + 1, at["F01_yoy"]).protection.locked
    assert not sheet.cell(FIRST_ROW, at["yoy_reason"]).protection.locked
    assert sheet.cell(FIRST_ROW, at["F01_last"]).protection.locked and sheet.cell(FIRST_ROW, 1).protection.locked
    hidden = {letter for letter, d in sheet.column_dimensions.items() if d.hidden}
    assert sheet.cell(1, at["F01_last"]).column_letter in hidden and "C" not in hidden


def test_dates_of_the_register_are_dates_in_the_template() -> None:
    units = pl.DataFrame({"unit_id": [FIRST, SECOND], "name": ["甲", "乙"], "B12": ["2010-03-01", "约2010年"]})
    stated = prefill(sheet_layout(EDITION, EDITION.forms["basic"], QUARTER), "LBGX", Known(units=units))
    assert stated.columns["B12"] == [date(2010, 3, 1), "约2010年"]


def test_every_form_is_protected_without_password_frozen_and_prints_on_landscape_a4(book: openpyxl.Workbook) -> None:
    for layout in workbook_layout(EDITION, QUARTER).values():
        sheet = book[layout.name]
        assert sheet.protection.sheet and not sheet.protection.password
        assert sheet.freeze_panes == f"{layout.columns[layout.frozen].letter}{FIRST_ROW}"
        assert (sheet.page_setup.orientation, str(sheet.page_setup.paperSize)) == ("landscape", "9")
        assert sheet.sheet_properties.pageSetUpPr.fitToPage and sheet.print_title_rows == f"$1:${CODE_ROW}"
        assert "第 &P 页 共 &N 页" in str(sheet.oddFooter.center.text)
        assert book.defined_names[layout.table_name].attr_text.startswith(f"'{layout.name}'!$A${CODE_ROW}:")


def test_the_statutory_head_and_foot_are_there(book: openpyxl.Workbook) -> None:
    sheet = book["财务状况"]
    head = " ".join(str(c.value) for row in sheet.iter_rows(max_row=5) for c in row if c.value)
    for text in (
        "财务状况",
        "园企103表",
        EDITION.authority,
        EDITION.document_number,
        "2028年12月",
        "LBGX",
        "2025年1—3月",
        "千元",
    ):
        assert text in head
    foot = [str(c.value) for row in sheet.iter_rows(min_row=FIRST_ROW + 2) for c in row if c.value]
    assert foot == [f"{label}:" for label in FOOT]


def test_explanations_stand_in_notes_on_the_header(book: openpyxl.Workbook) -> None:
    sheet = book["财务状况"]
    note = sheet.cell(HEADER_ROW, anchors(sheet)["F01"]).comment
    assert note is not None and EDITION.indicators["F01"].definition in note.text


def validation_at(sheet: Worksheet, cell: str) -> openpyxl.worksheet.datavalidation.DataValidation:
    return next(v for v in sheet.data_validations.dataValidation if cell in v.cells)


def test_input_cells_are_validated_by_type_in_chinese(book: openpyxl.Workbook) -> None:
    finance, basic, park = book["财务状况"], book["调查单位基本情况"], book["园区综合情况"]
    at = anchors(finance)
    whole = validation_at(finance, finance.cell(FIRST_ROW, at["F01"]).coordinate)
    # No operator is written for "between": it is the default of the file format.
    assert (whole.type, whole.operator, whole.formula1) == ("whole", None, "0")
    assert "不得为负" in whole.error and whole.promptTitle == "F01 营业收入"
    signed = validation_at(finance, finance.cell(FIRST_ROW, at["F13"]).coordinate)
    assert signed.formula1.startswith("-")
    layout = sheet_layout(EDITION, EDITION.forms["park"], QUARTER)
    assert validation_at(park, layout.cell("K04")).type == "decimal"
    at = anchors(basic)
    assert validation_at(basic, basic.cell(FIRST_ROW, at["B12"]).coordinate).type == "date"
    assert basic.cell(FIRST_ROW, at["B07"]).number_format == "@"
    assert all(len(v.prompt or "") <= 255 and len(v.error or "") <= 255 for v in basic.data_validations.dataValidation)


def listed(book: openpyxl.Workbook, formula: str) -> list[str]:
    found = re.fullmatch(r"'?(\w+)'?!\$([A-Z]+)\$(\d+):\$[A-Z]+\$(\d+)", formula.lstrip("="))
    assert found is not None
    sheet = book[found[1]]
    assert sheet.sheet_state == "hidden"
    return [str(row[0].value) for row in sheet[f"{found[2]}{found[3]}:{found[2]}{found[4]}"]]


def test_drop_downs_refer_to_hidden_lists_of_the_codes_in_force(book: openpyxl.Workbook) -> None:
    sheet = book["调查单位基本情况"]
    at = anchors(sheet)
    own = validation_at(sheet, sheet.cell(FIRST_ROW, at["B05"]).coordinate)
    assert listed(book, own.formula1) == ["LBGX01", "LBGX02", "LBGX03", "LBGX04", "LBGX05"]
    holding = validation_at(sheet, sheet.cell(FIRST_ROW, at["B09"]).coordinate)
    assert listed(book, holding.formula1) == ["1", "2", "3", "4", "5", "9"] and "1国有" in holding.prompt
    flag = validation_at(sheet, sheet.cell(FIRST_ROW, at["B11"]).coordinate)
    assert listed(book, flag.formula1) == ["是", "否"]
    industry = validation_at(sheet, sheet.cell(FIRST_ROW, at["B07"]).coordinate)
    assert "0111" in listed(book, industry.formula1)


def test_registration_categories_follow_the_period() -> None:
    old, new = choices("2014", "B08"), choices("2025", "B08")
    assert "110" in old and "110" not in new and "111" in new and "111" not in old


def choices(period: str, code: str) -> list[str]:
    at = Period.parse(period)
    book = book_of(write_template(PROGRAMME.edition_for(at), PROGRAMME, at, "LBGX", units=UNITS))
    sheet = book["调查单位基本情况"]
    cell = sheet.cell(FIRST_ROW, anchors(sheet)[code]).coordinate
    return listed(book, validation_at(sheet, cell).formula1)


def test_identity_and_operands_are_kept_hidden_and_as_properties(book: openpyxl.Workbook) -> None:
    meta = {row[0].value: row[1].value for row in book[META_SHEET].iter_rows()}
    assert (meta["programme"], meta["edition"], meta["period"], meta["park"]) == ("park", "2025", "2025-Q1", "LBGX")
    assert meta["form.finance"] == "财务状况" and meta["as_of"] == "2025-03-31"
    assert book[META_SHEET].sheet_state == book[OPERANDS_SHEET].sheet_state == "hidden"
    properties = {p.name: p.value for p in book.custom_doc_props.props}
    assert properties["ytb_template_id"] == meta["template_id"] and properties["ytb_period"] == "2025-Q1"
    rows = [[c.value for c in row] for row in book[OPERANDS_SHEET].iter_rows()]
    assert rows[0][:2] == ["as_of", "2025-03-31"]
    assert rows[2] == ["roster", "unit_id", "F01_yoy", "F13_yoy"]
    assert rows[3] == ["enterprise", FIRST, 1200, -30] and len(rows) == 4


def test_the_first_sheet_says_how_to_fill_and_counts_with_uncalculated_plain_formulas(quarterly: bytes) -> None:
    book = book_of(quarterly)
    sheet = book[INDEX_SHEET]
    text = " ".join(str(c.value) for row in sheet.iter_rows() for c in row if c.data_type == "s")
    assert "2025年4月15日24时前" in text and "0931-1" in text and "先办理名录入库" in text
    formulas = [str(c.value) for row in sheet.iter_rows() for c in row if c.data_type == "f"]
    assert any(f.startswith("=COUNTIF(") and "*AF01 *" in f for f in formulas)
    assert any("COUNTBLANK(" in f for f in formulas)
    with zipfile.ZipFile(io.BytesIO(quarterly)) as container:
        xml = container.read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" in xml and not re.search(r"</f><v>[^<]", xml)


def test_no_rule_with_a_soft_bound_is_printed_in_the_template(quarterly: bytes) -> None:
    sheet = book_of(quarterly)[INDEX_SHEET]
    printed = {str(row[0].value) for row in sheet.iter_rows()}
    soft = {rule.id for rule in EDITION.rules if rule.severity == "soft"}
    assert soft and not soft & printed and "AO03" in printed


def test_projects_are_stated_again_with_spare_rows_and_their_figures_beside() -> None:
    earlier = pl.DataFrame(
        {
            "unit_id": ["P2", "P1"],
            "J01": ["P2", "P1"],
            "J02": ["1", "2"],
            "J07": [True, None],
            "J04": [Decimal("5.00"), None],
        }
    )
    book = book_of(write_template(EDITION, PROGRAMME, QUARTER, "LBGX", units=UNITS, previous={"projects": earlier}))
    sheet = book["招商引资项目情况"]
    at = anchors(sheet)
    values = [[sheet.cell(row, at[a]).value for a in ("J01", "J02", "J07", "J04", "J04_last")] for row in (8, 9, 10)]
    assert values == [["P1", "2", None, None, None], ["P2", "1", "是", None, 5], [None] * 5]
    assert not sheet.cell(40, at["J01"]).protection.locked


def test_the_park_sheet_has_a_row_an_indicator_and_asks_no_derived_one(book: openpyxl.Workbook) -> None:
    sheet = book["园区综合情况"]
    rows = {sheet.cell(r, 1).value: r for r in range(FIRST_ROW, sheet.max_row + 1)}
    assert "K15" not in rows and "K04" in rows
    layout = sheet_layout(EDITION, EDITION.forms["park"], QUARTER)
    assert sheet[layout.cell("K04", lag="last")].value == 10.5 and sheet[layout.cell("K04")].value is None


def test_an_area_gets_the_background_form_only() -> None:
    book = book_of(write_template(EDITION, PROGRAMME, YEAR, "620000"))
    assert [s for s in book.sheetnames if not s.startswith("_")] == [INDEX_SHEET, "区域背景资料", "代码表"]


def test_values_of_a_submission_are_put_back_into_a_fresh_template() -> None:
    filed = pl.DataFrame(
        {
            "unit_id": [FIRST, "91620100MA0000009X"],
            "B01": [FIRST, "91620100MA0000009X"],
            "B02": ["甲", "丙"],
            "F01": [5, 6],
            "F01_yoy": [4, None],
        }
    )
    book = book_of(
        write_template(
            EDITION,
            PROGRAMME,
            QUARTER,
            "LBGX",
            units=UNITS,
            year_earlier={"finance": FINANCE},
            values={"finance": filed},
        )
    )
    sheet = book["财务状况"]
    at = anchors(sheet)
    rows = [[sheet.cell(r, at[a]).value for a in ("B01", "F01", "F01_yoy", "F13_yoy")] for r in (8, 9, 10)]
    assert rows == [[FIRST, 5, 4, -30], [SECOND, None, None, None], ["91620100MA0000009X", 6, None, None]]


def test_only_units_that_owe_a_form_stand_on_it() -> None:
    book = book_of(write_template(EDITION, PROGRAMME, YEAR, "LBGX", units=UNITS, owing={"rd": [SECOND]}))
    assert [book["研究开发活动情况"].cell(r, 1).value for r in (8, 9)] == [SECOND, None]
    assert [book["财务状况"].cell(r, 1).value for r in (8, 9)] == [FIRST, SECOND]


def test_a_doubled_unit_is_refused() -> None:
    with pytest.raises(DefinitionError, match="重复"):
        write_template(EDITION, PROGRAMME, QUARTER, "LBGX", units=pl.concat([UNITS, UNITS]))


def test_the_audit_cell_of_every_row_names_the_hard_rules_of_its_sheet_and_no_soft_one(quarterly: bytes) -> None:
    book = book_of(quarterly)
    finance, operations = book["财务状况"], book["生产经营情况"]
    at = anchors(finance)["audit"]
    texts = [finance.cell(row, at).value for row in (FIRST_ROW, FIRST_ROW + 1)]
    assert all(str(text).startswith("=IF(COUNTA(") and "AF01 营业收入为负;" in str(text) for text in texts)
    assert texts[1] == str(texts[0]).replace(str(FIRST_ROW), str(FIRST_ROW + 1))
    assert "AO03 " in str(operations.cell(FIRST_ROW, anchors(operations)["audit"]).value)
    soft = {rule.id for rule in EDITION.rules if rule.severity != "hard"}
    written = " ".join(formulas_of(quarterly))
    assert soft and not [rule for rule in soft if re.search(rf"\b{rule}\b", written)]


def test_the_park_sheet_tells_a_rule_in_the_row_of_its_indicator(book: openpyxl.Workbook) -> None:
    sheet = book["园区综合情况"]
    layout = sheet_layout(EDITION, EDITION.forms["park"], QUARTER)
    row = layout.indicator_rows["K07"]
    assert "AK01 " in str(sheet.cell(row, anchors(sheet)["audit"]).value)
    assert "AK01 " not in str(sheet.cell(layout.indicator_rows["K05"], anchors(sheet)["audit"]).value)


def test_a_formula_of_a_column_is_written_once(quarterly: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(quarterly)) as container:
        names = [n for n in container.namelist() if n.startswith("xl/worksheets/sheet")]
        parts = {name: container.read(name).decode() for name in names}
    xml = next(part for part in parts.values() if "AF01 营业收入" in part)
    assert xml.count("AF01 ") == 1 and len(re.findall(r'<f t="shared" si="0"/><v></v>', xml)) == UNITS.height - 1
    # Array constants and references to other sheets are not for formulas that are filled down; names are.
    for part in parts.values():
        for formula in re.findall(r'<f t="shared"[^>]*>([^<]*)</f>', part):
            assert "{" not in re.sub(r'"[^"]*"', "", html.unescape(formula))
            assert "!" not in re.sub(r'"[^"]*"', "", html.unescape(formula))


def formulas_of(data: bytes) -> list[str]:
    cells = (c for sheet in book_of(data).worksheets for row in sheet.iter_rows() for c in row if c.data_type == "f")
    return [str(cell.value) for cell in cells]


PLAIN = {
    "ABS", "AND", "CHOOSE", "COUNT", "COUNTA", "COUNTBLANK", "COUNTIF", "EXACT", "FIND", "IF", "IFERROR", "INDEX", "INT", "ISERROR",
    "ISNUMBER", "LEFT", "LEN", "MATCH", "MAX", "MID", "MIN", "MOD", "N", "OR", "RIGHT", "ROUND", "SUM", "SUMPRODUCT", "SUBSTITUTE",
    "TEXT", "TRIM", "VALUE", "YEAR",
}  # fmt: skip


@pytest.mark.parametrize("period", ["2025-Q1", "2025", "2014-Q2", "2014"])
def test_every_formula_is_made_of_plain_functions_within_the_limits_of_a_worksheet(period: str) -> None:
    at = Period.parse(period)
    data = write_template(PROGRAMME.edition_for(at), PROGRAMME, at, "LBGX", units=UNITS)
    for formula in formulas_of(data):
        called = re.findall(r"([A-Z][A-Z.]*)\(", re.sub(r'"[^"]*"', "", formula))
        assert set(called) <= PLAIN and len(formula) <= 8192, formula[:200]


def test_a_hard_rule_on_an_earlier_period_looks_its_figures_up_on_the_hidden_sheet() -> None:
    rule = next(r for r in EDITION.rules if r.id == "AF01")
    asked = replace(EDITION, rules=(*EDITION.rules, replace(rule, id="AF90", expression="F01 >= prev(F01)")))
    known = pl.DataFrame({"unit_id": [FIRST, "91620100MA0000009X"], "F01_prev": [7, 8], "P01_prev": [1, 1]})
    at = Period.parse("2025-Q2")
    book = book_of(write_template(asked, PROGRAMME, at, "LBGX", units=UNITS, other_periods={"enterprise": known}))
    rows = [[c.value for c in row] for row in book[OPERANDS_SHEET].iter_rows()]
    # only the figure that is asked for, and only of units that stand on the forms
    assert rows[2:] == [["roster", "unit_id", "F01_prev"], ["enterprise", FIRST, 7], ["enterprise", SECOND, None]]
    sheet = book["财务状况"]
    text = str(sheet.cell(FIRST_ROW, anchors(sheet)["audit"]).value)
    assert "AF90 " in text and "INDEX(ytb_ops_enterprise_F01_prev,MATCH($A8,ytb_ops_enterprise_unit_id,0))" in text
    assert book.defined_names["ytb_ops_enterprise_F01_prev"].attr_text == "'_ops'!$C$4:$C$5"


@pytest.mark.parametrize("period", ["2025-Q1", "2025", "2014-Q2", "2014"])
def test_every_rule_marked_for_the_template_is_told_in_it(period: str) -> None:
    at = Period.parse(period)
    edition = PROGRAMME.edition_for(at)
    text = " ".join(formulas_of(write_template(edition, PROGRAMME, at, "LBGX", units=UNITS)))
    due = workbook_layout(edition, at).keys()
    marked = [r for r in edition.rules_for(at) if r.in_template and r.form in due]
    assert marked and [r.id for r in marked if f'"{r.id} ' not in text] == []


@pytest.mark.parametrize(("period", "text"), [("2025", "2026年3月10日24时前"), ("2025-Q2", "2025年7月15日24时前")])
def test_the_deadline_is_worked_out_from_the_programme(period: str, text: str) -> None:
    assert deadline_text(EDITION, Period.parse(period)) == text


def test_kinds_of_forms_can_be_chosen() -> None:
    data = write_template(EDITION, PROGRAMME, YEAR, "LBGX", kinds=(FormKind.SHEET,))
    assert [s for s in book_of(data).sheetnames if not s.startswith("_")] == [INDEX_SHEET, "园区综合情况", "代码表"]


HOSTILE = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        ["=1+1", "=HYPERLINK(\"http://x\")", "+cmd|' /C calc'!A0", "@SUM(1)", "http://example.org", "mailto:a@b", "{=1}", "_x0041_", "\t=1", "internal:A1"]
    ),
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(texts=st.lists(HOSTILE, min_size=1, max_size=5))
def test_whatever_the_text_it_is_written_as_text(texts: list[str]) -> None:
    book = Book(title=texts[0])
    sheet = book.sheet("s")
    for n, text in enumerate(texts):
        put(sheet, n, 0, text)
    data = book.to_bytes()
    with zipfile.ZipFile(io.BytesIO(data)) as container:
        xml = container.read("xl/worksheets/sheet1.xml").decode()
        assert "<f>" not in xml and "hyperlink" not in xml
        assert "xl/worksheets/_rels/sheet1.xml.rels" not in container.namelist()


def test_a_number_that_excel_cannot_hold_is_written_as_text_and_none_that_is_no_number() -> None:
    book = Book(title="t")
    sheet = book.sheet("s")
    put(sheet, 0, 0, 123456789012345678)
    put(sheet, 1, 0, Decimal("123456789012345.67"))
    put(sheet, 2, 0, 123456789012345)
    with pytest.raises(DefinitionError):
        put(sheet, 3, 0, float("nan"))
    with pytest.raises(DefinitionError, match="8192"):
        put_formula(sheet, 3, 0, "=" + "1+" * 5000 + "1")
    found = book_of(book.to_bytes())["s"]
    assert [found.cell(r, 1).value for r in (1, 2, 3)] == ["123456789012345678", "123456789012345.67", 123456789012345]
