"""Rules on tables, worked by hand: types, blanks, tolerance, look-ups, groups, and what a rule author is told."""

from __future__ import annotations

from decimal import Decimal

import pytest

from schemas.errors import DefinitionError
from schemas.table_check import hits
from schemas.table_model import CodeList
from schemas.table_parser import parse_table, table_text
from schemas.table_values import Declared, read_column
from tests.unit.schemas.rule_tables import counts, result_of, rules_of, table, value


# ── cells ───────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("cells", "family", "scale", "values"),
    [
        (["1", "-2", None], "exact", 0, [Decimal(1), Decimal(-2), None]),
        (["1.10", "2"], "exact", 1, [Decimal("1.1"), Decimal(2)]),
        (["6e+05", "1.5E3"], "exact", 0, [Decimal(600000), Decimal(1500)]),
        (["03", "4"], "text", 0, ["03", "4"]),
        (["+5"], "text", 0, ["+5"]),
        (["1", "NA", "—"], "exact", 0, [Decimal(1), None, None]),
        (["a", "NA"], "text", 0, ["a", "NA"]),
        (["TRUE", "false"], "boolean", 0, [True, False]),
        (["0.1234567890123"], "float", 0, [0.1234567890123]),
        (["123456789012345678901234567890"], "exact", 0, [Decimal("123456789012345678901234567890")]),
    ],
)  # fmt: skip
def test_a_column_takes_the_narrowest_type_that_loses_nothing(
    cells: list[str | None], family: str, scale: int, values: list[object]
) -> None:
    found = read_column("x", cells)
    assert (found.column.kind.family.value, found.column.kind.scale) == (family, scale)
    assert found.values.to_list() == values


def test_a_declared_type_says_which_cells_are_wrong() -> None:
    found = read_column("x", ["1", "1,2o0", "2.55", "NA", None], Declared("number", 1))
    assert found.values.to_list() == [Decimal("1.0"), None, None, None, None]
    assert found.wrong == (1, 2)
    assert read_column("d", ["是", "0", "maybe"], Declared("boolean")).values.to_list() == [True, False, None]


# ── three outcomes, exactness, tolerance ────────────────────────────────────────────────────────────────────────────
def test_sums_and_products_are_exact() -> None:
    prices = table({"q": [3, 3, 7], "p": ["1.10", "0.10", "0.70"], "a": ["3.30", "0.30", "4.90"]})
    assert counts("q * p == a", prices) == (3, 3, 0, 0, 0)
    assert counts("a / q == p", prices) == (3, 3, 0, 0, 0)
    assert counts("mean(a) == (3.3 + 0.3 + 4.9) / 3", prices) == (1, 1, 0, 0, 0)
    tenths = table({"x": ["0.1", "0.2", "0.3"]})
    assert counts("mean(x) == 0.2", tenths) == (1, 1, 0, 0, 0)
    assert counts("sum(x) == 0.6", tenths) == (1, 1, 0, 0, 0)


def test_numbers_beyond_38_digits_are_computed_in_floating_point_and_said_so() -> None:
    big = table({"x": ["123456789012345678901234567890", "1"], "y": ["123456789012345678901234567890", "2"]})
    result = result_of(rules_of({"id": "r", "expression": "x * y > 0"}), big)
    assert tuple(result.outcomes[0].counts.values()) == (2, 2, 0, 0, 0)
    assert result.outcomes[0].reason == "数值过大,按浮点数计算"


def test_tolerance_is_explicit_and_does_not_reach_into_conditions() -> None:
    data = table({"a": [100, 100, 100, 1], "b": [101, 102, 98, 5]})
    assert counts("a == b", data) == (4, 0, 4, 0, 0)
    assert counts("a == b", data, tolerance=1) == (4, 1, 3, 0, 0)
    assert counts("a == b", data, tolerance={"relative": 0.02}) == (4, 3, 1, 0, 0)
    assert counts("a <= b", data, tolerance=2) == (4, 4, 0, 0, 0)
    assert counts("a < b", data, tolerance=2) == (4, 3, 1, 0, 0)
    assert counts("a != b", data, tolerance=1) == (4, 3, 1, 0, 0)
    assert counts("if a == 101 then b == 0", data, tolerance=1) == (4, 4, 0, 0, 0)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("x >= 0", [True, False, None]),
        ("x >= 0 or y > 0", [True, True, True]),
        ("x >= 0 and y > 5", [False, False, False]),
        ("not (x > 0)", [False, True, None]),
        ("if x > 0 then y > 1", [False, True, True]),
        ("if x > 0 then y > 1 else y == 2", [False, True, None]),
        ("x > 0 implies y > 0", [True, True, True]),
        ("x / 0 > 1", [None, None, None]),
        ("x in (1, 2)", [True, False, None]),
        ("x not in (1, 2)", [False, True, None]),
        ("is_missing(x)", [False, False, True]),
        ("is_complete(x, y)", [True, True, False]),
        ("nz(x) == 0 or x != 0", [True, True, True]),
        ("coalesce(x, y) == 3", [False, False, True]),
        ("max(x, y) >= y", [True, True, None]),
        ("(if x > 0 then x else y) == 2", [False, True, None]),
        ("round(y / 2, 0) == 2", [False, False, True]),
        ("n_missing(x, y) == 1", [False, False, True]),
        ("all(y > 0)", [True]),
        ("all(x > -9)", [None]),
        ("any(x > 0)", [True]),
        ("sum(x) == -1", [None]),
        ("sum(x, missing = 'skip') == -1", [True]),
        ("count() == 3", [True]),
        ("count(x > 0, missing = 'skip') == 1", [True]),
        ("count(x) == 2", [True]),
        ("true", [True]),
    ],
)
def test_three_outcomes(expression: str, expected: list[object]) -> None:
    assert value(expression, table({"x": [1, -2, None], "y": [1, 2, 3]})) == expected


def test_rounding_is_half_away_from_zero() -> None:
    data = table({"x": ["2.5", "-2.5", "0.05", "-0.05", "1.249"]})
    assert value("round(x, 1)", data) == [Decimal(t) for t in ("2.5", "-2.5", "0.1", "-0.1", "1.2")]
    assert value("round(x)", data) == [Decimal(t) for t in ("3", "-3", "0", "0", "1")]
    assert value("floor(x)", data) == [Decimal(t) for t in ("2", "-3", "0", "-1", "1")]
    assert value("ceil(x)", data) == [Decimal(t) for t in ("3", "-2", "1", "0", "2")]
    assert value("trunc(x)", data) == [Decimal(t) for t in ("2", "-2", "0", "0", "1")]
    assert value("mod(x, 1)", data) == [Decimal(t) for t in ("0.5", "0.5", "0.05", "0.95", "0.249")]


def test_a_column_of_digits_is_a_number_and_a_code() -> None:
    data = table({"code": ["1", "2", "12"], "size": ["01", "02", "x"]})
    assert value("code > 1", data) == [False, True, True]
    assert value("code == '2'", data) == [False, True, False]
    assert value("code in ('1', '12')", data) == [True, False, True]
    assert value("length(code) == 1", data) == [True, True, False]
    assert value("size == 1", data) == [False, False, False]
    assert value("in_codelist(code, 'c')", data, codelists=[CodeList("c", ("1", "2"))]) == [True, True, False]


def test_a_column_without_a_value_is_unknown_and_no_mistake() -> None:
    data = table({"x": [None, None], "y": [1, 2]})
    assert counts("x >= 0", data) == (2, 0, 0, 2, 0)
    assert counts("x + y == 1", data) == (2, 0, 0, 2, 0)
    assert counts("x == 'a'", data) == (2, 0, 0, 2, 0)


def test_applies_if_counts_what_is_not_true_as_not_applicable() -> None:
    data = table({"x": [1, 2, None, 4], "y": [5, None, 1, -1]})
    assert counts("y > 0", data, applies_if="x > 1") == (4, 0, 1, 1, 2)


# ── records, groups, other tables ───────────────────────────────────────────────────────────────────────────────────
def test_uniqueness_takes_blanks_as_equal_and_all_blank_as_unknown() -> None:
    data = table({"a": ["x", "x", "y", None, None], "b": [1, 1, 1, None, 2]})
    assert value("is_unique(a, b)", data) == [False, False, True, None, True]
    assert value("is_unique(a)", data) == [False, False, True, None, None]
    assert value("all_unique(b)", data) == [False]


def test_earlier_periods_from_a_file() -> None:
    now = table({"id": ["A", "B", "C", "D"], "x": [110, 300, 5, 1]}, key=["id"])
    before = table({"id": ["A", "B", "D", "D"], "x": [100, 100, 1, 1]}, "previous", key=["id"])
    assert value("x <= 2 * prev(x)", now, before) == [True, False, None, None]
    assert value("growth(x) <= 0.1", now, before) == [True, False, None, None]
    assert value("in_previous()", now, before) == [True, True, False, True]


def test_earlier_periods_in_the_table_itself() -> None:
    data = table(
        {"id": ["A"] * 5, "t": ["2023Q4", "2024Q1", "2024Q2", "2024Q4", "2024"], "x": [1, 2, None, 4, 9]},
        key=["id", "t"],
        period="t",
    )
    assert value("prev(x)", data) == [None, Decimal(1), Decimal(2), None, None]
    assert value("yoy(x)", data) == [None, None, None, Decimal(1), None]
    assert value("last(x)", data) == [None, Decimal(1), Decimal(2), Decimal(2), None]
    earlier = table({"id": ["A", "A"], "t": ["2023Q3", "2023"], "x": [7, 8]}, "previous", key=["id", "t"], period="t")
    assert value("prev(x)", data, earlier) == [Decimal(7), Decimal(1), Decimal(2), None, Decimal(8)]


def test_parents_grandparents_and_children() -> None:
    data = table(
        {
            "id": ["top", "mid", "low", "low2", "stray"],
            "above": [None, "top", "mid", "mid", "none"],
            "n": [10, 6, 3, 3, 1],
        },
        key=["id"],
        parent="above",
    )
    assert value("parent(n)", data) == [None, Decimal(10), Decimal(6), Decimal(6), None]
    assert value("parent(parent(n))", data) == [None, None, Decimal(10), Decimal(10), None]
    assert value("has_parent()", data) == [False, True, True, True, False]
    assert value("children_sum(n)", data) == [Decimal(6), Decimal(6), Decimal(0), Decimal(0), Decimal(0)]
    assert value("children_count()", data) == [Decimal(v) for v in (1, 2, 0, 0, 0)]
    assert value("children_count() == 0 or n >= children_sum(n)", data) == [True, True, True, True, True]
    assert value("children_mean(n)", data) == [6.0, 3.0, None, None, None]


def test_other_tables_by_key() -> None:
    data = table({"id": ["03", "3", "x"], "total": [7, 5, 0]}, key=["id"])
    lines = table({"id": ["03", "03", "3"], "v": [3, 4, None]}, "lines", key=["id"])
    assert value("other_sum('lines', 'v')", data, lines) == [Decimal(7), None, Decimal(0)]
    assert value("other_sum('lines', 'v', missing = 'skip')", data, lines) == [Decimal(7), None, Decimal(0)]
    assert value("other_count('lines', id)", data, lines) == [Decimal(2), Decimal(1), Decimal(0)]
    assert value("in_other('lines')", data, lines) == [True, True, False]
    assert value("other('lines', 'v', id)", data, lines) == [None, None, None]
    register = table({"id": ["03"], "size": ["big"]}, "register", key=["id"])
    assert value("register('size') == 'big'", data, register) == [True, None, None]


def test_a_table_not_given_leaves_a_rule_undetermined_and_says_so() -> None:
    data = table({"id": ["A", "B"], "x": [1, 2]}, key=["id"])
    result = result_of(rules_of({"id": "g", "expression": "x <= 2 * prev(x)"}), data)
    assert tuple(result.outcomes[0].counts.values()) == (2, 0, 0, 2, 0)
    assert result.outcomes[0].reason == "未运行:没有提供 --previous"
    assert list(hits(result)) == []


def test_outliers_within_groups() -> None:
    data = table({"g": list("aaaaab"), "x": [10, 11, 9, 10, 1000, 5], "y": [10, 10, 10, 10, 10, 10]})
    assert value("within_fences(x, by = g)", data) == [True, True, True, True, False, True]
    assert value("abs(robust_z(x, by = g)) <= 5", data) == [True, True, True, True, False, None]
    assert value("hb(x, by = g)", data)[4] == 99.0
    assert value("hb(x, 20)", data)[:2] == [1.0, 20 / 11 - 1]
    # ratios x/y: median 1, effects s·sqrt(max): 0, 0.1·sqrt 11, -(1/9)·sqrt 10, 0, 99·sqrt 1000; quartiles 0 and 0.3317
    effects = value("hb_effect(x, y, by = g)", data)
    assert [round(float(str(v)), 4) for v in effects[:5]] == [0.0, 0.3317, -0.3514, 0.0, 3130.6549]
    assert value("hb_within(x, y, by = g)", data)[:5] == [True, True, False, True, False]
    assert value("hb_within(x, y, by = g, a = 0, c = 4)", data)[:5] == [True, True, False, True, False]


def test_values_of_other_records_of_the_group() -> None:
    data = table({"g": list("aabb"), "m": ["t", "p", "p", "p"], "v": [10, 4, 5, 6], "o": [2, 1, 1, 2]})
    assert value("value_of(v, m == 't', by = g)", data) == [Decimal(10), Decimal(10), None, None]
    assert value("lag(v, by = g, order = o)", data) == [Decimal(4), None, None, Decimal(5)]
    assert value("share(v, by = g) <= 0.5", data) == [False, True, True, False]
    assert value("rank(v, by = g)", data) == [Decimal(n) for n in (1, 2, 2, 1)]
    assert value("top_share(v, 1, by = g) > 0.6", data) == [True, True, False, False]


def test_one_rule_for_many_columns() -> None:
    rules = rules_of({"id": "nn", "expression": "it >= 0", "columns": ["a", "b c"], "applies_if": "is_present(it)"})
    assert [(r.id, table_text(r.node)) for r in rules.rules] == [("nn:a", "a >= 0"), ("nn:b c", "`b c` >= 0")]
    result = result_of(rules, table({"a": [1, -1], "b c": [None, 2]}))
    assert [tuple(o.counts.values()) for o in result.outcomes] == [(2, 1, 1, 0, 0), (2, 1, 0, 0, 1)]


def test_parameters_and_definitions() -> None:
    rules = rules_of(
        {"id": "r", "expression": "per_head <= limit"},
        parameters={"limit": 2.5},
        definitions={"per_head": "costs / staff"},
    )
    assert rules.rules[0].names == {"costs", "staff"}
    assert result_of(rules, table({"costs": [5, 6], "staff": [2, 2]})).outcomes[0].counts["fails"] == 1


# ── what a rule author is told ──────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("turnver >= 0", "是否指“turnover”"),
        ("size >= 3", "列“size”第 2 行是“sc0”"),
        ("turnover", "表达式不是条件"),
        ("meen(turnover) > 1", "没有函数“meen”"),
        ("mean(turnover, na = 1) > 1", "没有选项“na”"),
        ("mean(turnover, missing = 'x') > 1", "missing 只能是"),
        ("turnover = 3", "相等写“==”"),
        ("parent(turnover) > 1", "要知道上级"),
        ("prev(turnover) > 1", "请在规则文件写 [table] key"),
        ("in_codelist(size, 'no')", "没有代码表“no”"),
        ("matches(size, '[')", "无法计算"),
        ("turnover in (size)", "只能是常量"),
    ],
)
def test_mistakes_are_named_with_rule_place_and_remedy(expression: str, said: str) -> None:
    with pytest.raises(DefinitionError, match=r"规则 r") as caught:
        counts(expression, table({"turnover": [1], "size": ["sc0"]}))
    assert said in str(caught.value)


def test_definitions_in_a_circle_are_refused() -> None:
    rules = rules_of({"id": "r", "expression": "a > 0"}, definitions={"a": "b + 1", "b": "a + 1"})
    with pytest.raises(DefinitionError, match="循环引用:a → b → a"):
        result_of(rules, table({"x": [1]}))


def test_names_of_any_script_and_odd_names() -> None:
    data = table({"营业收入": [5], "其他 (千元)": [2], "a`b": [7]})
    assert value("营业收入 + `其他 (千元)` == `a``b`", data) == [True]
    assert table_text(parse_table("`a``b` > `in`")) == "`a``b` > `in`"
