"""Row level: polars and DuckDB agree with a small interpreter written from the text of survey_system.md 8.3 and 8.4."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.environment import Environment
from schemas.errors import DefinitionError
from schemas.expression import Call, Name, Node, Text, distributed, parse, to_text
from schemas.model import ValueType
from schemas.period import Period
from schemas.period_data import PeriodData
from schemas.polars_target import evaluate_rows, prepare_rows, row_expr, unavailable
from schemas.sql_target import to_sql, unsupported
from schemas.typed_expression import Variable
from tests.generated_expressions import ENV, SCHEMA, VARIABLES, conditions, numbers, plain, rows, value_of

DUCKDB = duckdb.connect()


@settings(max_examples=200, deadline=None)
@given(st.one_of(conditions, numbers), rows)
def test_polars_duckdb_and_the_interpreter_agree(node: Node, data: list[dict[str, Any]]) -> None:
    text = to_text(node)
    assert parse(text) == node
    frame = pl.DataFrame(data, schema=SCHEMA, orient="row")
    tree = distributed(node)
    expected = [plain(value_of(tree, row)) for row in data]
    assert [plain(v) for v in evaluate_rows(text, frame, ENV)] == expected, text
    DUCKDB.register("frame", frame)
    found = DUCKDB.sql(f"select {to_sql(text, ENV)} as v from frame").fetchall()
    assert [plain(v) for (v,) in found] == expected, text


# ── literal rows ─────────────────────────────────────────────────────────────────────────────────────────────────────
def both(text: str, frame: pl.DataFrame, env: Environment = ENV) -> list[Any]:
    """The value on every row, which polars and DuckDB must agree on."""
    found = evaluate_rows(text, frame, env).to_list()
    ready = prepare_rows(frame, [text], env).with_row_index("#row")
    DUCKDB.register("ready", ready)
    query = f'select v from (select "#row", {to_sql(text, env)} as v from ready) order by "#row"'
    assert [v for (v,) in DUCKDB.sql(query).fetchall()] == found
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("F01 > 0", [True, None, False]),
        ("not F01 > 0", [False, None, True]),
        ("F01 > 0 or 1 == 1", [True, True, True]),
        ("F01 > 0 and 1 == 2", [False, False, False]),
        ("F02 / F01 >= 0.05", [True, None, None]),
        ("F01 / F01 >= 0.05", [True, None, None]),
        ("nz(F01) == 0", [False, True, True]),
        ("isnull(F01)", [False, True, False]),
        ("max(F01, F02) >= 100", [True, None, False]),
        ("min(F01, F02) <= 5", [True, None, True]),
        ("F01 in (100, 7)", [True, None, False]),
        ("quarter == 1 or F01 >= prev(F01)", [None, None, None]),
        ("nz(prev(F01)) == 0", [True, True, True]),
        ("months == 6 and period_year == 2025 and quarter == 2", [True, True, True]),
    ],
)
def test_a_blank_is_unknown_and_not_zero(text: str, expected: list[bool | None]) -> None:
    frame = pl.DataFrame({"F01": [100, None, 0], "F02": [5, 5, 5]}, schema={"F01": pl.Int64, "F02": pl.Int64})
    assert both(text, frame) == expected


def test_codes_are_text_and_flags_are_flags() -> None:
    frame = pl.DataFrame({"B09": ["1", "03", "3", None], "B11": [True, False, None, True]})
    assert both("B09 == 3", frame) == [False, False, True, None]
    assert both("B09 == '03'", frame) == [False, True, False, None]
    assert both("B09 in (1, 2, 3)", frame) == [True, False, True, None]
    assert both("nz(B09) in (0, 1)", frame) == [True, False, False, True]
    assert both("nz(B09) != 0", frame) == [True, True, True, False]
    assert both("B09 > 0", frame) == [True, None, True, None]
    assert both("B11 == 1", frame) == [True, False, None, True]
    assert both("B11 != 1", frame) == [False, True, None, False]
    assert both("nz(B11) != 1", frame) == [False, True, True, False]
    assert both("B11 in (0, 1)", frame) == [True, True, None, True]


def test_exact_figures_compare_exactly() -> None:
    # 0.1 + 0.2 is 0.30000000000000004 in Float64; on the form it is 0.3.
    frame = pl.DataFrame(
        {"R03": [Decimal("0.10"), Decimal("9007199254740.93")], "L01": [Decimal("0.2000"), Decimal("0.0000")]},
        schema={"R03": pl.Decimal(18, 2), "L01": pl.Decimal(18, 4)},
    )
    assert both("R03 + L01 == 0.3", frame) == [True, False]
    assert both("R03 + L01 <= 9007199254740.92", frame) == [True, False]
    assert both("abs(R03 - L01) <= 0.1", frame) == [True, False]


def test_a_sum_beyond_64_bits_does_not_wrap_around() -> None:
    largest = 2**63 - 1
    frame = pl.DataFrame({"F01": [largest], "F02": [largest]})
    assert both("F01 + F02 > 0", frame) == [True]
    assert both("max(F01, F02) == F01", frame) == [True]


def test_dates() -> None:
    frame = pl.DataFrame({"B12": [date(2025, 7, 1), date(2024, 2, 29), None], "B13": [date(2025, 7, 2), None, None]})
    assert both("B12 <= period_end", frame) == [False, True, None]
    assert both("year(B12) == 2024", frame) == [False, True, None]
    assert both("isnull(B13) or B13 >= B12", frame) == [True, True, True]
    assert both("B12 < '2025-01-01'", frame) == [False, True, None]


def test_code_lists_with_and_without_key() -> None:
    frame = pl.DataFrame({"B09": ["A1", "B1", None, "A1"], "B04": ["A", "A", "A", None], "B01": ["1", "x", None, "03"]})
    assert both("in_codelist(B09, 'sub_park', B04)", frame) == [True, False, None, None]
    assert both("in_codelist(B01, 'owner')", frame) == [True, False, None, True]
    assert both("in_codelist(B01, 'none')", frame) == [False, False, None, False]
    assert both("in_codelist(B01, 'unit_register')", frame) == [None, None, None, None]
    assert unavailable("in_codelist(B01, 'unit_register')", ENV) == ("代码表 unit_register",)
    assert unavailable("in_codelist(B01, 'owner')", ENV) == ()


def test_industries() -> None:
    frame = pl.DataFrame({"B07": ["3911", "6300", "0111", "9911", None]})
    assert both("section(B07) in ('B', 'C', 'D')", frame) == [True, False, False, None, None]
    assert both("industry('C39', 'I63')", frame) == [True, True, False, False, None]
    assert both("industry('C')", frame) == [True, False, False, None, None]
    assert both("hightech_class(B07)", frame) == ["1", "0", "0", None, None]


def test_uniqueness_takes_blanks_as_equal() -> None:
    frame = pl.DataFrame({"B01": ["a", "a", "b", None, None], "B04": ["A", "B", "A", "A", "A"]})
    assert both("unique(B01, B04)", frame) == [True, True, True, False, False]
    assert both("unique(B01)", frame) == [False, False, True, None, None]
    # The period is a value like any other, so rows without a code are equal to one another.
    assert both("unique(B01, B03)", frame) == [False, False, True, False, False]


def test_credit_codes() -> None:
    codes = ["91440300192317458F", "91440300192317458E", "", None, "19231745-8", "9110000010000018AJ"]
    frame = pl.DataFrame({"B01": codes})
    assert both("valid_uscc(B01)", frame) == [True, False, False, None, False, False]
    early = Environment(Period(2014), VARIABLES, organisation_codes=True)
    assert both("valid_uscc(B01)", frame, early) == [True, False, False, None, True, False]


def test_lags_are_columns_and_move_to_the_names() -> None:
    frame = pl.DataFrame({"F01": [10], "F02": [5], "F01_yoy": [4], "F02_yoy": [2], "B09_last": ["1"], "B09": ["1"]})
    assert both("F01 / F02 == yoy(F01 / F02)", frame) == [True]
    assert both("B09 == last(B09)", frame) == [True]
    assert both("yoy(industry('C39'))", frame) == [None]


def test_the_roster_of_the_park() -> None:
    enterprise = pl.DataFrame({"park": ["A", "A", "B"], "B01": ["u", "v", "u"], "B11": [True, None, True]})
    parks = pl.DataFrame({"park": ["A", "B"], "K07": [1, 2], "K09": [5, None]})
    data = PeriodData(Period(2025, 2), {"enterprise": enterprise}, parks)
    env = ENV.with_data(data)
    register = pl.DataFrame(
        {"park": ["A", "A", "B", "B"], "B01": ["u", "w", "v", None], "answer_status": [None, None, "2", None]}
    )
    assert evaluate_rows("in_roster(B01)", register, env).to_list() == [True, False, False, False]
    asked = "in_roster(B01) or notnull(answer_status)"
    assert evaluate_rows(asked, register, env).to_list() == [True, False, True, False]
    assert evaluate_rows("COUNT_PARK(in_roster(B01)) <= 1", enterprise, env).to_list() == [False, True, False]
    assert evaluate_rows("K07 == COUNT(B11 == 1)", parks, env).to_list() == [True, False]
    assert evaluate_rows("K09 >= SUM(F01)", parks, env).to_list() == [None, None]
    assert evaluate_rows("K07 == COUNT(B11 == 1)", parks, ENV).to_list() == [None, None]
    assert unavailable("K07 == COUNT(B11 == 1)", ENV) == ("本期名册",)
    third = pl.DataFrame({"park": ["C"], "K07": [0]})
    assert evaluate_rows("K07 == COUNT(B11 == 1)", third, env).to_list() == [True]


def test_many_rules_in_one_select_keep_the_order_of_the_rows() -> None:
    frame = pl.DataFrame({"F01": [3, 1, 2], "park": ["B", "A", "B"]})
    rules = {"a": "F01 > 1", "b": "quarter == 2", "c": "F01 >= prev(F01)"}
    ready = prepare_rows(frame, rules.values(), ENV)
    found = ready.select(row_expr(text, ENV).alias(name) for name, text in rules.items())
    assert found.to_dict(as_series=False) == {"a": [True, False, True], "b": [True] * 3, "c": [None] * 3}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("F99 > 1", "没有代码或派生变量“F99”"),
        ("median(F01) > 1", "没有函数“median”"),
        ("abs(F01, F02) > 1", "参数个数不对"),
        ("F01 == 'a'", "数值不能与代码或文字比较"),
        ("B09 == 1.5", "代码不能与 1.5 比较"),
        ("B09 < B01", "不能比大小"),
        ("B11 == 2", "只能与 0、1 比较"),
        ("B11 + 1 > 0", "此处要数值"),
        ("F01 and F02 > 1", "此处要真假"),
        ("nz(B12) > 0", "日期没有 0"),
        ("SUM(SUM(F01)) > 1", "不能再有汇总函数"),
        ("SUM(K07) > 1", "要在一个名册上汇总"),
        ("COUNT(B11 == 1 and J01 == '1') > 1", "要在一个名册上汇总"),
        ("F01 > K07", "混用了"),
        ("yoy(prev(F01)) > 1", "之内不能再用 prev"),
        ("industry('39')", "不是门类字母加数字前缀"),
        ("in_codelist(B01, B04)", "应为单引号字符串"),
        ("BASE(K07, 14) > 1", "四位年份"),
        ("F01 > 0.1234567891", "小数超过"),
        ("B12 > '2025-13-01'", "不是日期"),
    ],
)
def test_what_is_meaningless_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(DefinitionError, match=complaint):
        ENV.typed(text)


def test_what_sql_cannot_say_is_listed() -> None:
    assert unsupported("COUNT_PARK(in_roster(B01)) <= 1", "sql") == ["COUNT_PARK", "in_roster"]
    assert unsupported("F01 >= 0", "sql") == []
    assert unsupported("CUM(K07) > 1", "polars") == []
    with pytest.raises(DefinitionError, match="不能写成 SQL"):
        to_sql("in_roster(B01)", ENV)
    with pytest.raises(DefinitionError, match="没有 vtl 编译器"):
        unsupported("F01 >= 0", "vtl")


def test_names_and_texts_cannot_leave_their_quotes() -> None:
    env = Environment(Period(2025), {'F"1': Variable('F"1', ValueType.CODE, "enterprise")}, codelists={"x": ("a'b",)})
    assert to_sql(Call("in_codelist", (Name('F"1'), Text("x"))), env) == "(\"F\"\"1\" IN ('a''b'))"
