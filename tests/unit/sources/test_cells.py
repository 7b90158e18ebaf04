"""What a cell says, and what is never guessed."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import DefinitionError
from sources.cell_values import MISSING
from sources.cells import NORMALISED, PROBLEMS, UNCALCULATED, CellError, parse_column, suggest_credit_code


def one(value: Any, kind: str = "number", decimals: int = 0, **more: Any) -> tuple[Any, str, str]:
    """(value, code of the problem, code of what was normalised) of a single cell."""
    series, problems, normalised = parse_column([value], kind, decimals, **more)
    return series[0], problems[0].code if problems else "", normalised[0].code if normalised else ""


@pytest.mark.parametrize(
    ("typed", "decimals", "expected", "code"),
    [
        (1234.0, 0, 1234, ""),
        (-0.0, 0, 0, ""),
        (1234.5, 1, Decimal("1234.5"), ""),
        (0.1 + 0.2, 1, Decimal("0.3"), ""),
        (2.9999999999999996, 0, 3, ""),
        (1.1 * 3, 2, Decimal("3.30"), ""),
        (99999999999999.0, 0, 99_999_999_999_999, ""),
        (7, 0, 7, ""),
        ("12", 0, 12, "text_number"),
        (" 12 ", 0, 12, "text_number"),
        ("１２３４", 0, 1234, "full_width"),
        ("1,234,567", 0, 1_234_567, "thousands"),
        ("1，234", 0, 1234, "full_width+thousands"),
        ("1 234", 0, 1234, "thousands"),
        ("1\u00a0234", 0, 1234, "full_width+thousands"),
        ("12\u200b34", 0, 1234, "text_number"),
        ("\ufeff5", 0, 5, "text_number"),
        ("￥1,200.50", 2, Decimal("1200.50"), "full_width+currency+thousands"),
        ("¥-5", 0, -5, "currency"),
        ("(123)", 0, -123, "parentheses"),
        ("（1,234）", 0, -1234, "full_width+parentheses+thousands"),
        ("\u22125", 0, -5, "full_width"),
        ("－5", 0, -5, "full_width"),
        ("+5", 0, 5, "text_number"),
        ("0.50", 2, Decimal("0.50"), "text_number"),
        ("1.000", 0, 1, "text_number"),
        ("-0", 0, 0, "text_number"),
        ("_x0000_7", 0, 7, "text_number"),
        ("\u202e7", 0, 7, "text_number"),
        ("", 0, None, ""),
        (None, 0, None, ""),
        ("   ", 0, None, "spaces"),
        ("—", 0, None, "missing_mark"),
        ("–", 0, None, "missing_mark"),
        ("/", 0, None, "missing_mark"),
        ("／", 0, None, "missing_mark"),
        ("…", 0, None, "missing_mark"),
        ("无", 0, None, "missing_mark"),
        ("N.A.", 0, None, "missing_mark"),
    ],
)  # fmt: skip
def test_a_figure_is_read(typed: Any, decimals: int, expected: Any, code: str) -> None:
    assert one(typed, "number", decimals) == (expected, "", code)


@pytest.mark.parametrize(
    ("typed", "decimals", "code"),
    [
        (12.5, 0, "decimals"),
        ("12.345", 2, "decimals"),
        (12.345, 2, "decimals"),
        (float("inf"), 0, "not_finite"),
        (1e999, 0, "not_finite"),
        (float("nan"), 2, "not_finite"),
        ("NaN", 0, "not_finite"),
        ("-inf", 0, "not_finite"),
        (1e15, 0, "digits"),
        ("1234567890123456", 0, "digits"),
        ("0." + "9" * 40, 0, "digits"),
        (99_999_999_999_999.0, 5, "digits"),
        ("1.2E+5", 0, "scientific"),
        ("3万", 0, "unit_in_cell"),
        ("1.2亿元", 0, "unit_in_cell"),
        ("五百", 0, "type"),
        ("12%", 0, "percent_in_cell"),
        ("1,23", 0, "type"),
        ("1,2345", 0, "type"),
        ("12 3", 0, "type"),
        ("1,234 567", 0, "type"),
        ("((5))", 0, "type"),
        ("(-5)", 0, "type"),
        ("1o0", 0, "type"),
        ("12。5", 1, "type"),
        ("—5", 0, "type"),
        ("$5", 0, "type"),
        (True, 0, "type"),
        (date(2023, 3, 15), 0, "date_in_number"),
        (datetime(2023, 3, 15, 12), 0, "date_in_number"),
        (time(0, 0), 0, "date_in_number"),
        (timedelta(days=1), 0, "date_in_number"),
        (CellError("#REF!"), 0, "error_cell"),
        (UNCALCULATED, 0, "uncalculated"),
    ],
)  # fmt: skip
def test_a_figure_is_asked_about(typed: Any, decimals: int, code: str) -> None:
    assert one(typed, "number", decimals) == (None, code, "")


def test_the_unit_of_the_indicator_may_stand_behind_the_figure() -> None:
    assert one("12.5%", decimals=1, unit_measure="%") == (Decimal("12.5"), "", "unit_text")
    assert one("12％", unit_measure="%") == (12, "", "full_width+unit_text")
    assert one("120千元", unit_measure="千元") == (120, "", "unit_text")
    assert one("35 人", unit_measure="人") == (35, "", "unit_text")
    assert one("3万元", unit_measure="元")[1] == "unit_in_cell"
    assert one("3万元", unit_measure="千元")[1] == "unit_in_cell"


def test_messages_say_what_stands_there_and_what_to_do() -> None:
    _, problems, normalised = parse_column(["1,2o0", "１2", 3.0, "", CellError("#REF!"), 0.5], "number")
    assert [p.position for p in problems] == [0, 4, 5]
    assert problems[0].message == "填报为“1,2o0”,不是数字。请只填数字,不带文字和符号。"
    assert problems[1].found == "#REF!"
    assert "0 位" in problems[2].message
    assert normalised[0].message == "“１2”全角字符已改为半角,读作“12”"
    assert set(PROBLEMS).isdisjoint(NORMALISED)


def test_a_column_keeps_its_exact_type_even_if_empty() -> None:
    for values in ([], [None, ""], ["x"]):
        assert parse_column(values, "number")[0].dtype == pl.Int64
        assert parse_column(values, "number", 2)[0].dtype == pl.Decimal(18, 2)
    assert parse_column([], "text")[0].dtype == pl.String
    assert parse_column([], "boolean")[0].dtype == pl.Boolean
    assert parse_column([], "date")[0].dtype == pl.Date
    with pytest.raises(DefinitionError):
        parse_column([], "money")


def test_a_column_of_figures_and_blanks_is_read_as_one() -> None:
    series, problems, normalised = parse_column([1.0, "", 3.25, None, "5", -7.5, 0.07], "number", 2)
    assert series.to_list() == [
        Decimal("1.00"), None, Decimal("3.25"), None, Decimal("5.00"), Decimal("-7.50"), Decimal("0.07"),
    ]  # fmt: skip
    assert not problems
    assert [n.position for n in normalised] == [4]


@given(st.integers(-(10**15) + 1, 10**15 - 1), st.integers(0, 3))
def test_every_figure_of_fifteen_digits_comes_through_exactly(digits: int, decimals: int) -> None:
    figure = Decimal(digits).scaleb(-decimals)
    expected = int(figure) if decimals == 0 else figure
    assert one(float(figure), "number", decimals)[0] == expected
    assert one(f"{figure:f}", "number", decimals)[0] == expected
    assert one(f"{figure:,f}", "number", decimals)[0] == expected


@given(st.lists(st.one_of(st.none(), st.just(""), st.floats(), st.floats(-1e6, 1e6).map(lambda x: round(x, 2)), st.text(max_size=9), st.booleans(), st.integers())), st.integers(0, 4))  # fmt: skip
def test_a_cell_is_blank_read_or_a_problem_and_the_company_does_not_matter(values: list[Any], decimals: int) -> None:
    series, problems, normalised = parse_column(values, "number", decimals)
    refused = {p.position for p in problems}
    assert len(series) == len(values)
    for position, value in enumerate(values):
        assert one(value, "number", decimals)[0] == series[position]
        if series[position] is None and value is not None and value != "":
            assert position in refused | {n.position for n in normalised}
        if position in refused:
            assert series[position] is None


@given(st.text())
def test_any_text_ends_in_a_value_or_a_problem_for_every_kind(text: str) -> None:
    for kind in ("number", "code", "credit_code", "text", "boolean", "date"):
        series, problems, normalised = parse_column([text], kind, unit_measure="千元")
        assert len(series) == 1
        assert len(problems) <= 1
        assert all(n.message for n in normalised)


@pytest.mark.parametrize("mark", sorted(MISSING))
def test_marks_for_missing_are_blank_in_figures_and_dates(mark: str) -> None:
    assert one(mark) == (None, "", "missing_mark")
    assert one(mark, "date") == (None, "", "missing_mark")


def test_codes_are_text_and_numeric_cells_are_refused() -> None:
    assert one("01", "code") == ("01", "", "")
    assert one("Ｃ３９", "code") == ("C39", "", "full_width")
    assert one(" C39\u200b", "code") == ("C39", "", "spaces")
    assert one(1.0, "code") == ("1", "", "number_to_text")
    assert one(3.0, "code", code_widths=(2,)) == (None, "code_numeric", "")
    assert one(39.0, "code", code_widths=(1, 2)) == ("39", "", "number_to_text")
    assert one(9.0, "code", code_widths=(1, 2)) == (None, "code_numeric", "")
    assert one(9.162e17, "code", code_widths=(18,)) == (None, "code_numeric", "")
    assert one(1.5, "code", code_widths=(3,)) == (None, "code_numeric", "")
    assert one(True, "code") == (None, "code_type", "")
    assert one(CellError("#N/A"), "code")[1] == "error_cell"
    assert one("—", "code") == (None, "", "missing_mark")
    series, problems, normalised = parse_column(["01", "02", ""], "code")
    assert (series.to_list(), problems, normalised) == (["01", "02", None], [], [])


def test_credit_codes_are_tidied_and_a_fix_is_only_offered() -> None:
    assert one("91620100ma00000001", "credit_code") == ("91620100MA00000001", "", "credit_code")
    assert one("\ufeff9162 0100-MA00000001\u00a0", "credit_code")[0] == "91620100MA00000001"
    assert one("９１620100MA00000001", "credit_code") == ("91620100MA00000001", "", "full_width")
    assert one(9.1620100e17, "credit_code") == (None, "code_numeric", "")
    right = "91620100MA00000001"
    assert suggest_credit_code("9162O1OOMA0000000I", lambda text: text == right) == right
    assert suggest_credit_code("9162O1OOMA0000000I", lambda text: False) is None
    assert suggest_credit_code(right, lambda text: text == right) is None
    assert suggest_credit_code("916", lambda text: True) is None


def test_text_keeps_what_people_see_and_loses_what_they_do_not() -> None:
    assert one("甲方\n乙方", "text") == ("甲方\n乙方", "", "")
    assert one(" 兰州 ", "text") == ("兰州", "", "spaces")
    assert one("兰\u200b州\x00", "text") == ("兰州", "", "invisible")
    assert one("兰_x0000_州", "text") == ("兰州", "", "invisible")
    assert one("无", "text") == ("无", "", "")
    assert one("𠮷野家", "text") == ("𠮷野家", "", "")
    assert one(13_912_345_678.0, "text") == ("13912345678", "", "number_to_text")
    assert one(1e17, "text") == (None, "code_numeric", "")
    assert one(True, "text") == ("是", "", "boolean_to_text")
    assert one(date(2025, 1, 2), "text") == ("2025-01-02", "", "date_to_text")
    assert one(UNCALCULATED, "text") == (None, "uncalculated", "")
    assert parse_column(["甲", "", None], "text")[0].to_list() == ["甲", None, None]


@pytest.mark.parametrize(
    ("typed", "expected", "problem"),
    [
        ("是", True, ""), ("否", False, ""), (1.0, True, ""), (0.0, False, ""), ("√", True, ""), ("×", False, ""),
        ("true", True, ""), ("FALSE", False, ""), (True, True, ""), ("１", True, ""), ("", None, ""), ("—", None, ""),
        ("无", None, "boolean"), ("有", None, "boolean"), (2.0, None, "boolean"), (date(2025, 1, 1), None, "boolean"),
        (CellError("#REF!"), None, "error_cell"),
    ],
)  # fmt: skip
def test_yes_and_no(typed: Any, expected: bool | None, problem: str) -> None:
    assert one(typed, "boolean")[:2] == (expected, problem)


@pytest.mark.parametrize(
    ("typed", "expected", "code"),
    [
        (date(2026, 9, 1), date(2026, 9, 1), ""),
        (datetime(2026, 9, 1, 8, 30), date(2026, 9, 1), ""),
        ("2026-09-01", date(2026, 9, 1), "text_date"),
        ("2026/9/1", date(2026, 9, 1), "text_date"),
        ("2026.9.1", date(2026, 9, 1), "text_date"),
        ("2026年9月1日", date(2026, 9, 1), "text_date"),
        ("２０２６年９月１日", date(2026, 9, 1), "text_date"),
        ("2026年9月", date(2026, 9, 1), "year_month"),
        ("2026.9", date(2026, 9, 1), "year_month"),
        ("20260901", date(2026, 9, 1), "compact_date"),
        (20260901.0, date(2026, 9, 1), "compact_date"),
        (202609.0, date(2026, 9, 1), "year_month"),
        (45_000.0, date(2023, 3, 15), "date_serial"),
        (None, None, ""),
        ("", None, ""),
    ],
)
def test_dates(typed: Any, expected: date | None, code: str) -> None:
    assert one(typed, "date") == (expected, "", code)


@pytest.mark.parametrize(
    "typed",
    [
        2026.9,
        2026.0,
        20269.5,
        "2026",
        "去年",
        "2026-13-01",
        "2026-02-30",
        60.0,
        -5.0,
        0.0,
        True,
        time(0, 0),
        "1850-01-01",
        1e300,
    ],
)
def test_a_date_that_could_be_another_is_asked_about(typed: Any) -> None:
    assert one(typed, "date") == (None, "date", "")


def test_serials_of_the_1904_system() -> None:
    assert one(45_000.0, "date", is_1904=True)[0] == date(2027, 3, 16)


def test_in_a_text_file_a_plain_figure_is_not_worth_a_word() -> None:
    assert one("12", is_text_file=True) == (12, "", "")
    assert one("1,200", is_text_file=True) == (1200, "", "thousands")
