"""The reader on little workbooks: whatever clerks do to a template, figures come from the right cell or a finding says why not."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl.workbook import Workbook

from schemas.period import Period
from sources.reader import FileReading, read_file
from tests.unit.sources.filled_books import FOOT, QUARTER, A, B, C, ErrorCell, Formula, Row, book

TITLE: Row = ("从业人员情况",)
HEADER: Row = ("统一社会信用代码", "单位详细名称", "从业人员期末人数(人)", "从业人员期末人数上年同期", "平均人数(人)")
CODES: Row = ("B01", "B02", "P01", "P01_yoy", "P02")
FIRST: Row = (A, "甲公司", 120, 110, 118)
SECOND: Row = (B, "乙公司", 30, 28, 29)


def read(*rows: Row, name: str = "从业人员情况", **kwargs: object) -> FileReading:
    return read_file(book({name: rows}, **kwargs), "报表.xlsx")  # type: ignore[arg-type]


def figures(reading: FileReading, form: str = "personnel") -> list[tuple[object, ...]]:
    frame = reading.observations.frames[form]
    return frame.select("unit_id", "P01", "P01_yoy", "P02").rows()


def told(reading: FileReading) -> list[tuple[str, str | None, str | None]]:
    """(code, cell, unit) of every finding but that on a lost ``_meta``."""
    return [f for f in reading.findings.select("code", "cell", "unit_id").rows() if f[0] != "no_meta"]


def taken(reading: FileReading) -> list[tuple[str, str | None]]:
    return reading.normalised.select("code", "cell").rows()


PLAIN = [(A, 120, 110, 118), (B, 30, 28, 29)]


def test_a_form_as_it_was_handed_out() -> None:
    reading = read(TITLE, HEADER, CODES, FIRST, SECOND, FOOT)
    assert (reading.status, reading.park, reading.period, reading.edition) == (
        "readable", "LBGX", Period.parse("2015-Q2"), "2015",
    )  # fmt: skip
    assert reading.forms == ("personnel",)
    assert figures(reading) == PLAIN
    assert told(reading) == [] and taken(reading) == []
    frame = reading.observations.frames["personnel"]
    assert frame.select("park", "_file", "_sheet", "_row").rows() == [
        ("LBGX", reading.sha256, "从业人员情况", 4),
        ("LBGX", reading.sha256, "从业人员情况", 5),
    ]
    assert "B02" not in frame.columns  # collected on the basic form only
    assert reading.observations.cell_map.select("column", "letter", "row").rows() == [
        ("B01", "A", None), ("B02", "B", None), ("P01", "C", None), ("P01_yoy", "D", None), ("P02", "E", None),
    ]  # fmt: skip


def test_a_renamed_sheet_is_known_by_its_code_row() -> None:
    reading = read(TITLE, HEADER, CODES, FIRST, SECOND, FOOT, name="Sheet1 (2)")
    assert figures(reading) == PLAIN
    assert reading.observations.frames["personnel"]["_sheet"].to_list() == ["Sheet1 (2)"] * 2


def test_rows_inserted_above_the_code_row_move_the_addresses() -> None:
    reading = read(("请各单位注意",), (), TITLE, HEADER, CODES, FIRST, SECOND, FOOT)
    assert figures(reading) == PLAIN
    assert reading.observations.frames["personnel"]["_row"].to_list() == [6, 7]


def test_blank_rows_and_rows_of_remarks_between_the_units_are_passed_over() -> None:
    note: Row = (None, None, None, None, None, "以下为二期企业")
    reading = read(TITLE, HEADER, CODES, FIRST, (), note, SECOND, FOOT)
    assert figures(reading) == PLAIN
    assert reading.observations.frames["personnel"]["_row"].to_list() == [4, 7]
    assert told(reading) == []


def test_columns_inserted_and_moved_are_found_by_their_codes() -> None:
    codes: Row = (None, "P02", "B01", None, "P01_yoy", "P01", "B02")
    first: Row = (1, 118, A, "在库", 110, 120, "甲公司")
    second: Row = (2, 29, B, "在库", 28, 30, "乙公司")
    reading = read(TITLE, (), codes, first, second, FOOT)
    assert figures(reading) == PLAIN
    letters = dict(reading.observations.cell_map.select("column", "letter").rows())
    assert letters == {"P02": "B", "B01": "C", "P01_yoy": "E", "P01": "F", "B02": "G"}


def test_a_header_in_two_rows_does_not_matter() -> None:
    upper: Row = ("单位", None, "从业人员期末人数", None, "平均人数")
    assert figures(read(TITLE, upper, HEADER, CODES, FIRST, SECOND, FOOT)) == PLAIN


def test_a_header_between_code_row_and_data_gives_no_figures() -> None:
    reading = read(TITLE, CODES, HEADER, FIRST, SECOND, FOOT)
    assert [f for f in figures(reading) if f[0] in (A, B)] == PLAIN
    # at most it is said that words stand where figures belong
    assert all(f[1:] == (None, None, None) for f in figures(reading) if f[0] not in (A, B))
    assert all(cell and cell.endswith("3") for _, cell, _ in told(reading))


@pytest.mark.parametrize(
    "label",
    ["合计", "合  计", "总计", "小计:", "本页合计", "累计", "共计", "全区合计", "本页小计", "合计(千元)", "合计数"],
)
def test_total_rows_are_left_out_and_that_is_said(label: str) -> None:
    reading = read(TITLE, HEADER, CODES, FIRST, SECOND, (label, None, 150, 138, 147), FOOT)
    assert figures(reading) == PLAIN
    assert taken(reading) == [("total_row", "A6")]
    assert told(reading) == []


def test_a_total_in_the_second_column_is_one_too() -> None:
    reading = read(TITLE, HEADER, CODES, (None, "合计", 150, 138, 147), FIRST, SECOND, FOOT)
    assert figures(reading) == PLAIN
    assert taken(reading) == [("total_row", "A4")]


def test_a_total_behind_a_running_number_is_one_too() -> None:
    codes: Row = (None, "B01", "B02", "P01", "P01_yoy", "P02")
    rows: list[Row] = [(1, A, "甲公司", 120, 110, 118), (2, B, "乙公司", 30, 28, 29), (3, None, "合计", 150, 138, 147)]
    reading = read(TITLE, ("序号", *HEADER), codes, *rows, FOOT)
    assert figures(reading) == PLAIN
    assert taken(reading) == [("total_row", "B6")]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (("计量单位", None, "人", "人", "人"), "只写了计量单位"),
        ((None, None, "(人)", "人", "人"), "只写了计量单位"),
        (("甲", "乙", 1, 2, 3), "栏目序号"),
        ((1, 2, 3, 4, 5), "栏目序号"),
        (("(1)", "(2)", "(3)", "(4)", "(5)"), "栏目序号"),
        (HEADER, "重复了表头"),
        (CODES, "重复了表头"),
    ],
)
@pytest.mark.parametrize("after", [0, 1])
def test_rows_that_belong_above_the_data_are_no_data_and_that_is_said(row: Row, said: str, after: int) -> None:
    data = [FIRST, SECOND]
    reading = read(TITLE, HEADER, CODES, *data[:after], row, *data[after:], FOOT)
    assert figures(reading) == PLAIN
    (told_,) = reading.forensics.filter(kind="second_header")["message"]
    assert said in told_ and f"第 {4 + after} 行" in told_
    assert told(reading) == []


def test_data_above_the_code_row_is_not_lost_in_silence() -> None:
    reading = read(TITLE, HEADER, FIRST, CODES, SECOND, FOOT)
    assert figures(reading) == PLAIN[1:]
    assert told(reading) == [("data_above", "A3", None)]
    assert "移到所有数据行的上方" in reading.findings.filter(code="data_above")["message"][0]


@pytest.mark.parametrize("row", [("甲", "乙", 1, 2, 3), (1, 2, 3, 4, 5), (None, None, 2015, 2014, 2015)])
def test_numbers_in_the_head_are_no_data(row: Row) -> None:
    reading = read(TITLE, HEADER, row, CODES, FIRST, SECOND, FOOT)
    assert figures(reading) == PLAIN and told(reading) == []


def test_figures_that_happen_to_rise_are_figures() -> None:
    reading = read(TITLE, HEADER, CODES, (A, "甲公司", 3, 4, 5), FOOT)
    assert figures(reading) == [(A, 3, 4, 5)]


@pytest.mark.parametrize(
    ("typed", "said"), [("没问题", "被改写"), (1, "被改写"), ("通过", "换成数值"), ("AP03 期末人数…;", "换成数值")]
)
def test_a_typed_audit_cell_is_told(typed: object, said: str) -> None:
    reading = read(TITLE, (*HEADER, "校验"), (*CODES, "audit"), (*FIRST, typed), (*SECOND, "=1+1"), FOOT)
    (message,) = reading.forensics.filter(kind="formula_overwritten")["message"]
    assert said in message and "(F4)" in message


def test_a_sheet_pasted_as_values_has_lost_its_formulas() -> None:
    reading = read(TITLE, (*HEADER, "校验"), (*CODES, "audit"), (*FIRST, "通过"), (*SECOND, "通过"), FOOT)
    (message,) = reading.forensics.filter(kind="formula_overwritten")["message"]
    assert "F4、F5" in message


def test_audit_cells_pasted_beside_formulas_are_told_cell_by_cell() -> None:
    first, second = (A, "甲公司", Formula("=60*2"), 110, 118, "通过"), (*SECOND, Formula("=1+1"))
    reading = read(TITLE, (*HEADER, "校验"), (*CODES, "audit"), first, second, FOOT)
    (message,) = reading.forensics.filter(kind="formula_overwritten")["message"]
    assert "(F4)" in message


def test_cells_under_a_merged_area_are_asked_whether_filled_or_blank() -> None:
    def merge(workbook: Workbook) -> None:
        workbook["从业人员情况"].merge_cells("C4:C5")

    reading = read(TITLE, HEADER, CODES, FIRST, SECOND, FOOT, change=merge)
    (finding,) = reading.findings.filter(code="merged_blank").iter_rows(named=True)
    assert (finding["cell"], finding["unit_id"]) == ("C5", B)
    assert "C4:C5" in finding["message"] and "取消合并" in finding["message"]
    assert reading.forensics.filter(kind="merged")["place"].to_list() == ["C4:C5"]


def test_a_company_that_is_called_total_is_a_company() -> None:
    reading = read(TITLE, HEADER, CODES, (A, "合计科技有限公司", 120, 110, 118), SECOND, FOOT)
    assert figures(reading) == PLAIN


def test_what_stands_below_the_foot_is_not_read() -> None:
    reading = read(TITLE, HEADER, CODES, FIRST, FOOT, SECOND)
    assert figures(reading) == PLAIN[:1]


def test_hidden_rows_columns_and_sheets_are_read_like_all_others() -> None:
    def hide(workbook: Workbook) -> None:
        sheet = workbook["从业人员情况"]
        sheet.row_dimensions[5].hidden = True
        sheet.column_dimensions["C"].hidden = True
        sheet.sheet_state = "hidden"
        workbook.create_sheet("说明")

    assert figures(read(TITLE, HEADER, CODES, FIRST, SECOND, FOOT, change=hide)) == PLAIN


# ── what the workbook says of itself ───────────────────────────────────────────────────────────────────────────────
BASIC: Row = ("B01", "B02", "B03", "B04", "B07")


def test_without_meta_period_and_park_come_from_the_basic_form_and_that_is_noted() -> None:
    rows = [BASIC, (A, "甲公司", "2015-Q2", "LBGX", "3921"), (B, "乙公司", "2015-Q2", "LBGX", "6513")]
    reading = read_file(book({"基本": rows}, meta=None), "报表.xlsx")
    assert (reading.park, reading.period) == ("LBGX", Period.parse("2015-Q2"))
    assert reading.findings.select("code", "severity").rows() == [("no_meta", "trial")]
    assert reading.observations.frames["basic"]["B07"].to_list() == ["3921", "6513"]


def test_without_meta_and_basic_form_period_and_park_come_from_the_statutory_heads() -> None:
    head: Row = ("填报单位:兰州高新技术产业开发区(LBGX)", "报告期:2015年1—6月")
    reading = read_file(book({"从业人员情况": [head, CODES, FIRST]}, meta=None), "报表.xlsx")
    assert (reading.park, reading.period) == ("LBGX", Period.parse("2015-Q2"))
    assert figures(reading) == PLAIN[:1]


def test_without_meta_heads_that_name_two_parks_name_none() -> None:
    heads: list[Row] = [("填报单位:甲(LBGX)", "报告期:2015年1—6月"), ("填报单位:乙(LBJJ)",)]
    assert read_file(book({"从业人员情况": [*heads, CODES, FIRST]}, meta=None), "报表.xlsx").park is None


def test_without_meta_a_repeated_head_and_the_foot_name_no_park() -> None:
    head: Row = ("信用代码", "名称", "报告期", "所属园区", "行业代码")
    rows = [BASIC, head, BASIC, (A, "甲公司", "2015-Q2", "LBGX", "3921"), ("联系电话", None, None, "0931-0000000")]
    reading = read_file(book({"基本": rows}, meta=None), "报表.xlsx")
    assert (reading.park, reading.period) == ("LBGX", Period.parse("2015-Q2"))


def test_without_meta_a_period_in_the_head_of_a_form_is_taken() -> None:
    reading = read(("从业人员情况", "报告期:2015-Q2"), HEADER, CODES, FIRST, meta=None)
    assert (reading.period, reading.park) == (Period.parse("2015-Q2"), None)
    assert reading.observations.frames["personnel"]["park"].to_list() == [None]


def test_without_any_period_the_file_is_refused() -> None:
    reading = read(TITLE, HEADER, CODES, FIRST, meta=None)
    assert (reading.status, reading.code) == ("unreadable", "no_period")
    assert "报告期" in reading.message and "《报表.xlsx》" in reading.message


def test_a_workbook_without_a_code_row_is_refused() -> None:
    reading = read(TITLE, HEADER, FIRST)
    assert (reading.status, reading.code) == ("unreadable", "no_form")


def test_a_period_no_edition_covers_is_refused() -> None:
    reading = read(TITLE, CODES, FIRST, meta={**QUARTER, "period": "1999"})
    assert (reading.status, reading.code) == ("unreadable", "no_edition")


def test_a_template_of_another_edition_is_a_finding() -> None:
    reading = read(TITLE, CODES, FIRST, meta={**QUARTER, "edition": "2009"})
    assert told(reading) == [("old_edition", None, None)]
    assert "2009 版" in reading.findings["message"][0]


def test_an_unreadable_file_comes_back_with_a_reason_and_no_exception() -> None:
    reading = read_file(b"PK\3\4 not really", "坏.xlsx")
    assert reading.status == "unreadable" and reading.code and "坏.xlsx" in reading.message


# ── what is ambiguous is asked ─────────────────────────────────────────────────────────────────────────────────────
def test_a_code_twice_in_the_code_row_is_asked_and_the_sheet_left() -> None:
    reading = read(TITLE, HEADER, (*CODES, "P01"), (*FIRST, 5), FOOT)
    assert told(reading) == [("code_twice", "F3", None)]
    assert "另一处在 C3" in reading.findings["message"][0]
    assert "personnel" not in reading.observations.frames


def test_a_code_row_without_its_key_is_asked() -> None:
    reading = read(TITLE, ("B02", "P01", "P02"), ("甲公司", 120, 118))
    assert [code for code, _, _ in told(reading)] == ["no_key"]
    assert reading.observations.frames == {}


def test_a_form_twice_is_asked_and_the_first_one_kept() -> None:
    rows = [TITLE, HEADER, CODES, FIRST]
    reading = read_file(book({"一": rows, "二": [TITLE, HEADER, CODES, SECOND]}), "报表.xlsx")
    assert told(reading) == [("form_twice", "A3", None)]
    assert reading.findings["sheet"].to_list() == ["二"] and "“一”" in reading.findings["message"][0]
    assert figures(reading) == PLAIN[:1]


def test_a_unit_twice_is_a_finding_on_its_second_row() -> None:
    reading = read(TITLE, HEADER, CODES, FIRST, SECOND, (A, "甲公司", 1, 1, 1), FOOT)
    assert told(reading) == [("duplicate", "A6", A)]
    assert "第 4 行" in reading.findings["message"][0]
    assert [f[0] for f in figures(reading)] == [A, B, A]


def test_on_the_basic_form_a_duplicate_carries_the_id_of_the_rule() -> None:
    rows = [BASIC, *[(A, "甲公司", "2015-Q2", "LBGX", "3921")] * 2]
    reading = read_file(book({"基本": rows}), "报表.xlsx")
    assert reading.findings.select("rule", "code", "cell").rows() == [("AB02", "duplicate", "A3")]


def test_figures_without_a_unit_are_asked() -> None:
    reading = read(TITLE, HEADER, CODES, (None, "丙公司", 5, 5, 5), FIRST, FOOT)
    assert told(reading) == [("key_missing", "A4", None)]
    assert figures(reading)[0] == (None, 5, 5, 5)


def test_a_numeric_credit_code_is_refused_and_not_complained_about_twice() -> None:
    reading = read(TITLE, HEADER, CODES, (916201002243692.0, "甲公司", 120, 110, 118), FOOT)
    assert told(reading) == [("code_numeric", "A4", None)]


def test_a_code_of_no_form_is_mentioned_and_a_code_of_another_round_passed_over() -> None:
    reading = read(TITLE, HEADER, (*CODES, "P99", "P06"), (*FIRST, 7, 8), FOOT)
    assert told(reading) == [("unknown_code", "F3", None)]
    assert reading.findings["severity"].to_list() == ["soft"]
    assert "P06" not in reading.observations.frames["personnel"].columns  # annual only


def test_a_sheet_whose_codes_belong_to_no_form_is_a_finding() -> None:
    reading = read_file(book({"甲": [TITLE, HEADER, CODES, FIRST], "乙": [("X01", "X02"), (1, 2)]}), "报表.xlsx")
    assert told(reading) == [("unknown_form", "A1", None)]


def test_last_periods_figures_are_never_read_back() -> None:
    reading = read(TITLE, HEADER, (*CODES, "P01_last", "audit"), (*FIRST, 999, "通过"), FOOT)
    assert figures(reading) == PLAIN[:1]
    assert told(reading) == []


# ── cells ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_blank_error_cell_and_uncalculated_formula_are_three_things() -> None:
    rows = [(A, "甲", None, 1, 1), (B, "乙", ErrorCell("#REF!"), 1, 1), (C, "丙", Formula("=1+1"), 1, 1)]
    reading = read(TITLE, HEADER, CODES, *rows, FOOT)
    assert [f[1] for f in figures(reading)] == [None, None, None]
    assert told(reading) == [("error_cell", "C5", B), ("uncalculated", "C6", C)]
    assert reading.findings["found"][0] == "#REF!"


def test_figures_written_as_text_are_taken_and_that_is_said() -> None:
    rows = [(A, "甲", "1,200", "１２０", "(5)"), (B, "乙", " 30 ", "—", "30人")]
    reading = read(TITLE, HEADER, CODES, *rows, FOOT)
    assert figures(reading) == [(A, 1200, 120, -5), (B, 30, None, 30)]
    assert {cell: code for code, cell in taken(reading)} == {
        "C4": "thousands", "D4": "full_width", "E4": "parentheses", "C5": "text_number", "D5": "missing_mark", "E5": "unit_text",
    }  # fmt: skip
    assert told(reading) == []


def test_a_bracketed_figure_is_taken_as_negative_and_the_park_is_told() -> None:
    reading = read(TITLE, HEADER, CODES, (A, "甲公司", "(3)", "¥4", 5), FOOT)
    assert figures(reading) == [(A, -3, 4, 5)]
    said = dict(reading.forensics.select("kind", "message").iter_rows())
    assert "按负数读取" in said["parentheses"] and "货币符号" in said["currency"]


@pytest.mark.parametrize(
    ("value", "code"),
    [("1,2O0", "type"), ("3.5万", "unit_in_cell"), ("12%", "percent_in_cell"), (12.5, "decimals"), (1e17, "digits"),
     (date(2015, 4, 1), "date_in_number"), (True, "type"), ("1e5", "scientific")],
)  # fmt: skip
def test_what_is_no_figure_is_a_finding_at_its_cell(value: object, code: str) -> None:
    reading = read(TITLE, HEADER, CODES, (A, "甲公司", value, 110, 118), SECOND, FOOT)
    assert told(reading) == [(code, "C4", A)]
    assert figures(reading)[0] == (A, None, 110, 118)
    message = reading.findings["message"][0]
    assert message.startswith("工作表“从业人员情况” C4“从业人员期末人数”(P01):")


def test_a_finding_on_last_years_column_says_so() -> None:
    reading = read(TITLE, HEADER, CODES, (A, "甲公司", 120, "?", 118), FOOT)
    assert told(reading) == [("type", "D4", A)]
    assert "“从业人员期末人数上年同期”(P01_yoy)" in reading.findings["message"][0]


def test_codes_flags_dates_and_decimals_keep_their_types() -> None:
    codes = ("B01", "B02", "B03", "B04", "B07", "B09", "B12", "B16")
    rows = [codes, (A, "甲公司", "2015-Q2", "LBGX", "0111", "1", date(2001, 2, 3), "否")]
    energy = [("B01", "B02", "L01"), (A, "甲公司", 12.25)]
    frames = read_file(book({"基本": rows, "能源": energy}), "报表.xlsx").observations.frames
    assert frames["basic"].select("B07", "B09", "B12", "B16").rows() == [("0111", "1", date(2001, 2, 3), False)]
    assert frames["energy_land"]["L01"].to_list() == [Decimal("12.25")]
    assert frames["energy_land"].schema["L01"] == pl.Decimal(18, 2)


def test_in_a_text_file_figures_are_text_and_nobody_is_told() -> None:
    text = "\n".join([",".join(map(str, CODES)), f"{A},甲公司,120,110,118", "报告期,2015-Q2"])
    reading = read_file(f"从业人员,2015-Q2\n{text}".encode("gb18030"), "从业人员.csv")
    assert figures(reading)[0] == (A, 120, 110, 118)
    assert all(code != "text_number" for code, _ in taken(reading))


# ── prefilled rows ─────────────────────────────────────────────────────────────────────────────────────────────────
def test_prefilled_rows_nobody_filled_in_are_no_answer() -> None:
    basic = [BASIC, (A, "甲公司", "2015-Q2", "LBGX", "3921"), (B, "乙公司", "2015-Q2", "LBGX", "6513")]
    silent: Row = (B, "乙公司", None, 28, None)  # the register and last year's figure were prefilled
    reading = read_file(book({"基本": basic, "人员": [CODES, FIRST, silent]}), "报表.xlsx")
    assert figures(reading) == PLAIN[:1]
    assert reading.observations.frames["basic"]["unit_id"].to_list() == [A]
    assert told(reading) == []


def test_where_only_the_basic_form_is_filed_its_rows_are_answers() -> None:
    rows = [BASIC, (A, "甲公司", "2015-Q2", "LBGX", "3921"), (B, "乙公司", "2015-Q2", "LBGX", "6513")]
    reading = read_file(book({"基本": rows}), "报表.xlsx")
    assert reading.observations.frames["basic"]["unit_id"].to_list() == [A, B]


def test_projects_whose_text_alone_was_prefilled_are_no_answer() -> None:
    codes: Row = ("J01", "J02", "J04", "J06", "J14")
    rows = [codes, ("P-1", "1", 500, 20, "1"), ("P-2", None, None, None, None)]
    frame = read_file(book({"项目": rows}), "报表.xlsx").observations.frames["projects"]
    assert frame["unit_id"].to_list() == ["P-1"]


def test_a_key_of_two_columns_is_joined() -> None:
    codes: Row = ("K39", "G06", "K40", "G01")
    rows = [codes, ("12", "A1", 3, "1"), ("12", None, 4, "1")]
    frame = read_file(book({"任务": rows}), "报表.xlsx").observations.frames["tasks"]
    assert frame["unit_id"].to_list() == ["12|A1", "12|"]


# ── the park's own form ────────────────────────────────────────────────────────────────────────────────────────────
PARK_HEAD: Row = ("code", "name", "unit_measure", "value", "value_last", "audit")


def park_book(*rows: Row) -> FileReading:
    return read_file(book({"园区综合情况": [("园区综合情况",), PARK_HEAD, *rows]}), "报表.xlsx")


def test_on_the_park_form_every_indicator_has_its_own_row() -> None:
    reading = park_book(("K04", "总产值", "亿元", 12.5, 11, None), ("K05", "企业数", "个", 20, None, None))
    frame = reading.observations.frames["park"]
    assert frame.select("unit_id", "_row", "K04", "K05").rows() == [("LBGX", None, Decimal("12.50"), 20)]
    places = reading.observations.cell_map.select("column", "letter", "row").rows()
    assert places == [("K04", "D", 3), ("K05", "D", 4)]


def test_a_park_form_with_columns_moved_and_rows_inserted() -> None:
    head: Row = (None, "value", "code", "name")
    rows = [head, (None, None, None, "一、经济"), (1, 20, "K05", "企业数"), (2, "1,000", "K06", "工业企业数")]
    reading = read_file(book({"表": rows}), "报表.xlsx")
    assert reading.observations.frames["park"].select("K05", "K06").rows() == [(20, 1000)]
    assert taken(reading) == [("thousands", "B4")]
    assert reading.observations.cell_map.select("column", "letter", "row").rows() == [("K05", "B", 3), ("K06", "B", 4)]


def test_an_indicator_twice_on_the_park_form_is_asked() -> None:
    reading = park_book(("K05", "", "", 20), ("K05", "", "", 21))
    assert told(reading) == [("code_twice", "D4", "LBGX")]
    assert reading.observations.frames["park"]["K05"].to_list() == [20]


def test_a_park_form_nobody_filled_in_is_no_answer() -> None:
    assert park_book(("K04", "总产值", "亿元", None), ("K05", "企业数", "个", None)).observations.frames == {}


# ── any arrangement ────────────────────────────────────────────────────────────────────────────────────────────────
@settings(max_examples=25, deadline=None)
@given(
    order=st.permutations(list(range(5))),
    above=st.integers(0, 4),
    left=st.integers(0, 3),
    figures_of=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6)), min_size=1, max_size=4),
    gaps=st.lists(st.booleans(), min_size=4, max_size=4),
)  # fmt: skip
def test_no_arrangement_of_rows_and_columns_changes_a_figure_or_loses_its_cell(
    order: Sequence[int], above: int, left: int, figures_of: list[tuple[int, int, int]], gaps: list[bool]
) -> None:
    def placed(row: Row) -> Row:
        return (*[None] * left, *(row[n] for n in order))

    units = [f"91620100MA{n:08d}" for n in range(len(figures_of))]
    rows: list[Row] = [("抬头",)] * above + [placed(CODES)]
    expected = []
    for unit, (p01, yoy, p02), gap in zip(units, figures_of, gaps, strict=False):
        rows += [()] if gap else []
        rows.append(placed((unit, "公司", p01, yoy, p02)))
        expected.append((unit, len(rows), p01, yoy, p02))
    reading = read_file(book({"表": rows}), "报表.xlsx")
    frame = reading.observations.frames["personnel"]
    assert frame.select("unit_id", "_row", "P01", "P01_yoy", "P02").rows() == expected
    letters = dict(reading.observations.cell_map.select("column", "letter").rows())
    assert letters == {code: "ABCDEFGH"[left + place] for place, code in enumerate(placed(CODES)[left:])}
    assert told(reading) == []
