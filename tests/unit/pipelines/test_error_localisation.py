"""Error localisation: the examples of R editrules and errorlocate, and all subsets tried on a small world."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.correcting import CorrectionResult, correct_table, correction_report, correction_text
from pipelines.methods.error_localisation import Localisation, Localiser, Value
from pipelines.methods.rules_audit import ExactRule
from pipelines.methods.rules_audit_logic import meaning_of
from pipelines.methods.rules_audit_universe import universe_of
from schemas.rule_file import RuleFile
from schemas.table_model import Tables
from tests.unit.schemas.rule_tables import rules_of, table


def localiser(
    rules: RuleFile, weights: Mapping[str, int], names: Sequence[str], fixed: Sequence[str] = ()
) -> Localiser:
    universe = replace(universe_of(rules), optional=frozenset(names))
    exact = [ExactRule(r, *meaning_of(r, universe)) for r in rules.rules]
    return Localiser(exact, universe, {n: Decimal(w) for n, w in weights.items()}, fixed)


def located(
    expressions: Sequence[str], record: Mapping[str, object], weights: Mapping[str, int] | None = None, **others: object
) -> Localisation:
    rules = rules_of(*({"id": f"r{n}", "expression": e} for n, e in enumerate(expressions)), **others)
    values: dict[str, Value] = {
        n: v if isinstance(v, str | bool) else Fraction(str(v)) for n, v in record.items() if v is not None
    }
    return localiser(rules, weights or {}, list(record)).locate(values)


# ── editrules and errorlocate ───────────────────────────────────────────────────────────────────────────────────────
def test_profit_cost_turnover() -> None:
    found = located(["p + c == t", "c - 0.6 * t >= 0", "c >= 0", "p >= 0"], {"p": 755, "c": 125, "t": 200})
    assert (found.solutions, found.weight) == ((("p",),), 1)


@pytest.mark.parametrize(
    ("record", "weights", "expected"),
    [
        ({"x": 1, "y": 1, "z": 1}, {}, [("x",)]),
        ({"x": 0, "y": 1, "z": 1}, {}, [()]),
        ({"x": 2, "y": 1, "z": 1}, {}, [("x",)]),
        ({"x": 1, "y": 1, "z": 1}, {"x": 1, "y": 2, "z": 2}, [("x",)]),
    ],
)
def test_one_balance_and_a_bound(
    record: dict[str, int], weights: dict[str, int], expected: list[tuple[str, ...]]
) -> None:
    assert list(located(["x + y == z", "x < 1"], record, weights).solutions) == expected


@pytest.mark.parametrize("cheap", ["x", "y", "z"])
def test_weights_decide_between_equals(cheap: str) -> None:
    weights = {n: 1 if n == cheap else 2 for n in "xyz"}
    assert located(["x + y == z"], {"x": 1, "y": 1, "z": 1}, weights).solutions == ((cheap,),)


def test_all_equally_cheap_solutions_are_listed() -> None:
    found = located(["x + y == z"], {"x": 1, "y": 1, "z": 1})
    assert found.solutions == (("x",), ("y",), ("z",))
    assert found.complete


def test_the_weight_of_two() -> None:
    assert located(["x + y + z == w", "x > 0"], {"x": -1, "y": 1, "z": 0, "w": 0}).weight == 2


HOUSEHOLD = [
    "age in ('under aged', 'adult')",
    "marital in ('unmarried', 'married', 'widowed', 'divorced')",
    "position in ('marriage partner', 'child', 'other')",
    "if age == 'under aged' then marital == 'unmarried'",
    "if marital in ('married', 'widowed', 'divorced') then position not in ('marriage partner', 'child')",
]


def test_codes() -> None:
    record = {"age": "under aged", "marital": "married", "position": "child"}
    assert located(HOUSEHOLD, record).solutions == (("marital",),)
    outside = {"age": "under aged", "marital": "unmarried", "position": "out-of-range"}
    assert located(HOUSEHOLD, outside).solutions == (("position",),)


def test_age_and_income() -> None:
    # errorlocate, "Find errors in data": age > 0; income > 0 only above 16; trust in age decides
    rules = ["age > 0", "if income > 0 then age > 16"]
    assert located(rules, {"age": -10, "income": 0}).solutions == (("age",),)
    assert located(rules, {"age": 15, "income": 2000}).solutions == (("age",), ("income",))
    assert located(rules, {"age": 15, "income": 2000}, {"age": 2, "income": 1}).solutions == (("income",),)
    assert located(rules, {"age": None, "income": 1000}).solutions == ((),)
    assert located(["if a == 0 then b == 0"], {"a": 0, "b": 1}, {"a": 2, "b": 1}).solutions == (("b",),)


@pytest.mark.parametrize("cheap", ["p", "c", "t"])
def test_the_least_trusted_of_three(cheap: str) -> None:
    """R errorlocate, test-replace-errors.R, “works with weights”: profit 55, cost 125, turnover 200."""
    rules = ["p + c == t", "c - 0.6 * t >= 0", "c >= 0", "p >= 0"]
    weights = {n: 1 if n == cheap else 2 for n in "pct"}
    assert located(rules, {"p": 55, "c": 125, "t": 200}, weights).solutions == ((cheap,),)


TURNOVER = ["T == P + C", "P <= 0.5 * T", "-0.1 * T <= P", "T >= 0", "T <= 550 * N"]


def test_turnover_profit_costs_and_employees() -> None:
    """The edits with which de Waal introduces the problem (2003; Handbook 2011); the solutions worked by hand.

    T = 100 000 would need 182 employees; P and C a thousandth would do: two fields either way.
    """
    record = {"T": 100, "P": 40_000, "C": 60_000, "N": 5}
    assert located(TURNOVER, record).solutions == (("T", "N"), ("P", "C"))
    assert located(TURNOVER, record, {"T": 1, "P": 1, "C": 1, "N": 3}).solutions == (("P", "C"),)
    assert located(TURNOVER, {**record, "N": 200}).solutions == (("T",),)


CENSUS = ["if age == '0-14' then marital == 'single'", "if relation == 'spouse' then marital == 'married'"]
DOMAINS = [
    "age in ('0-14', '15+')",
    "marital in ('single', 'married', 'divorced')",
    "relation in ('head', 'spouse', 'other')",
]


def test_the_implied_edit_of_fellegi_and_holt() -> None:
    """Marital status fails both explicit edits, yet changing it alone mends nothing: under 15 and spouse is implied."""
    record = {"age": "0-14", "marital": "divorced", "relation": "spouse"}
    found = located([*DOMAINS, *CENSUS], record)
    assert found.weight == 2
    assert found.solutions == (("age", "marital"), ("age", "relation"), ("marital", "relation"))


def test_figures_from_ten_to_a_thousand_millions() -> None:
    record = {f"x{n}": 10**n for n in range(1, 10)}
    found = located(["x1 + x2 == x3", "x4 + x5 + x6 == x7", "x7 + x3 + x8 == x9"], record)
    # three balances fail, and whichever figure two of them share, the third is left
    assert found.weight == 3
    assert (len(found.solutions), found.complete) == (20, False)


def test_a_record_of_the_smoke_test() -> None:
    record = {
        "x1": -0.556503362667066, "x2": -0.0839342133749159, "x3": 0.775427129507229, "x4": -1.94883105542653,
        "x5": 1.11931659004076, "x6": -1.453437500466, "x7": 0.47278745357947,
    }  # fmt: skip
    rules = ["x1 + x2 == x3", "x3 + x4 == x5", "x3 + x5 == x7", *(f"0 <= x{n}" for n in range(1, 8))]
    # x1, x2, x4, x6 are negative and must change; then x1 + x2 = x3 and x4 = x5 - x3 can be met, and x7 is x3 + x5
    assert located(rules, record).weight == 5
    assert located(rules, record).solutions == (("x1", "x2", "x4", "x6", "x7"),)


def test_blanks_are_free_and_together_may_be_impossible() -> None:
    assert located(["x + y == z", "x >= 0"], {"x": None, "y": 5, "z": 7}).solutions == ((),)
    assert located(["x + y == z", "x >= 0"], {"x": None, "y": 5, "z": 3}).solutions == (("y",), ("z",))


def test_fields_that_must_not_change() -> None:
    rules = rules_of({"id": "r", "expression": "x + y == z"})
    values: dict[str, Value] = {"x": Fraction(1), "y": Fraction(1), "z": Fraction(1)}
    assert localiser(rules, {}, "xyz", ["x", "y"]).locate(values).solutions == (("z",),)
    assert localiser(rules, {}, "xyz", ["x", "y", "z"]).locate(values).impossible


# ── against all subsets of fields and all values ────────────────────────────────────────────────────────────────────
NAMES = ("x", "y", "z", "s")
WORLD = [f"in_range({n}, 0, 3)" for n in "xyz"]
COLUMNS = {
    **{n: {"type": "number", "decimals": 0} for n in "xyz"},
    "s": {"type": "text", "values": ["a", "b"]},
}
VALUES: dict[str, list[Value]] = {**{n: [Fraction(v) for v in range(4)] for n in "xyz"}, "s": ["a", "b"]}
edits = st.sampled_from(
    ["x + y == z", "x <= y", "x + y + z <= 5", "if s == 'a' then x == 0", "if s == 'b' then y > z", "2 * x == z", "abs(x - y) >= 1",
     "x != y", "if x > 1 then z > 1 else y == 0", "max(x, y) <= z", "s == 'a' or x + z == 3"]
)  # fmt: skip
fields_ = st.tuples(
    *(st.one_of(st.none(), st.integers(0, 4)) for _ in range(3)), st.sampled_from([None, "a", "b", "c"])
)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(edits, min_size=1, max_size=4, unique=True),
    fields_,
    st.tuples(*(st.integers(1, 3) for _ in NAMES)),
)
def test_localisation_agrees_with_all_subsets(
    texts: list[str], record: tuple[int | str | None, ...], weight: tuple[int, ...]
) -> None:
    rules = rules_of(*({"id": f"r{n}", "expression": e} for n, e in enumerate([*WORLD, *texts])), columns=COLUMNS)
    weights = dict(zip(NAMES, weight, strict=True))
    values: dict[str, Value] = {
        n: v if isinstance(v, str) else Fraction(v) for n, v in zip(NAMES, record, strict=True) if v is not None
    }
    mentioned = [n for n in NAMES if n != "s" or any("s ==" in t for t in texts)]
    universe = universe_of(rules)
    exact = [ExactRule(r, *meaning_of(r, universe)).satisfied for r in rules.rules]

    def holds(candidate: Mapping[str, Value]) -> bool:
        from pipelines.methods.rules_audit_solver import Record

        numbers = {n: v for n, v in candidate.items() if isinstance(v, Fraction)}
        texts_ = {n: v for n, v in candidate.items() if isinstance(v, str)}
        return all(Record(numbers, texts_).holds(f) for f in exact)

    def works(changed: frozenset[str]) -> bool:
        choices = [VALUES[n] if n in changed or n not in values else [values[n]] for n in NAMES]
        return any(holds(dict(zip(NAMES, c, strict=True))) for c in itertools.product(*choices))

    filled = [n for n in mentioned if n in values]
    subsets = [frozenset(c) for size in range(len(filled) + 1) for c in itertools.combinations(filled, size)]
    working = [s for s in subsets if works(s)]
    found = localiser(rules, weights, NAMES).locate(values)
    if not working:
        assert found.impossible
        return
    best = min(sum(weights[n] for n in s) for s in working)
    assert found.weight == best
    assert {frozenset(s) for s in found.solutions} == {s for s in working if sum(weights[n] for n in s) == best}


# ── proposals ───────────────────────────────────────────────────────────────────────────────────────────────────────
def corrected(rules: RuleFile, columns: Mapping[str, Sequence[object]], key: Sequence[str] = ()) -> CorrectionResult:
    data = table(columns, key=key, types={n: c.declared for n, c in rules.columns.items() if c.declared})
    return correct_table(rules, Tables(data))


def proposals(result: CorrectionResult) -> list[list[tuple[str, str, str]]]:
    return [
        [(p["field"], p["current"], p["proposed"]) for p in r["proposals"]]
        for r in correction_report(result)["records"]
    ]


def test_a_value_is_proposed_where_one_identity_fixes_it() -> None:
    rules = rules_of(
        {"id": "sum", "expression": "a + b == c"},
        {"id": "low", "expression": "c <= 50"},
        {"id": "share", "expression": "a == 0.5 * b"},
    )
    # a and b agree with each other, c is far off: only c can be wrong alone
    assert proposals(corrected(rules, {"a": [10, 10], "b": [20, 20], "c": [30, 77]})) == [[("c", "77", "30")]]


def test_equals_are_not_decided_but_listed() -> None:
    result = corrected(rules_of({"id": "sum", "expression": "a + b == c"}), {"a": [11], "b": [22], "c": [95]})
    assert proposals(result) == [[("a", "11", "须核实")]]
    (record,) = correction_report(result)["records"]
    assert [s["values"] for s in record["solutions"]] == [{"a": "73"}, {"b": "84"}, {"c": "33"}]
    assert record["alternatives"] == ["若错在 a 应为 73", "若错在 b 应为 84", "若错在 c 应为 33"]


def test_soft_rules_never_take_part() -> None:
    rules = rules_of(
        {"id": "soft", "expression": "a + b == c", "severity": "soft"},
        {"id": "trial", "expression": "a >= 100", "severity": "trial"},
        {"id": "range", "expression": "a <= 10"},
    )
    result = corrected(rules, {"a": [50, 5], "b": [1, 1], "c": [2, 9]})
    # no identity is hard: the field is named, no value is
    assert proposals(result) == [[("a", "50", "须核实")]]
    assert [s["values"] for s in correction_report(result)["records"][0]["solutions"]] == [{"a": None}]


def test_no_value_within_a_tolerance_or_beyond_the_decimals_of_a_column() -> None:
    loose = rules_of(
        {"id": "sum", "expression": "a == c", "tolerance": 1}, columns={"a": {"type": "number", "weight": 9}}
    )
    assert proposals(corrected(loose, {"a": [10], "c": [77]})) == [[("c", "77", "须核实")]]
    half = rules_of({"id": "half", "expression": "2 * c == a"}, columns={"a": {"type": "number", "weight": 9}})
    assert proposals(corrected(half, {"a": [11], "c": [77]})) == [[("c", "77", "须核实")]]


def test_keys_are_never_touched_and_rules_across_records_are_left_out() -> None:
    rules = rules_of(
        {"id": "unique", "expression": "is_unique(id)"},
        {"id": "cap", "expression": "id == 'A' or x <= 5"},
        table={"key": ["id"]},
    )
    result = corrected(rules, {"id": ["A", "A", "B"], "x": [9, 1, 9]}, key=["id"])
    assert result.left_out == ("unique",)
    assert proposals(result) == [[("x", "9", "须核实")]]
    assert "不能参与定位的强制性规则(跨记录或非线性):unique" in correction_text(correction_report(result))


def test_a_transposed_digit_is_preferred_to_other_changes() -> None:
    rules = rules_of({"id": "sum", "expression": "z == x + y"}, *({"id": n, "expression": f"{n} >= 0"} for n in "xyz"))
    result = corrected(rules, {"x": [123], "y": [192], "z": [252]})
    assert proposals(result) == [[("y", "192", "129")]]
    (record,) = correction_report(result)["records"]
    assert record["slips"][0]["changes"][0]["what"] == "相邻两位数字换位"
    assert [s["fields"] for s in record["solutions"]] == [["y"], ["x"], ["z"]]


def test_contradictory_rules_are_said_to_be() -> None:
    result = corrected(rules_of({"id": "a", "expression": "x > 1"}, {"id": "b", "expression": "x < 1"}), {"x": [0]})
    (record,) = correction_report(result)["records"]
    assert record["status"] == "impossible"
    assert any("ytb rules audit" in line for line in correction_text(correction_report(result)))


def test_conditional_identities_count_only_where_they_apply() -> None:
    rules = rules_of(
        {"id": "sum", "expression": "a + b == c", "applies_if": "kind == 'x'"},
        {"id": "cap", "expression": "c <= 40"},
        columns={
            "kind": {"type": "text", "weight": 5},
            "a": {"type": "number", "weight": 3},
            "b": {"type": "number", "weight": 3},
        },
    )
    result = corrected(rules, {"kind": ["x", "y"], "a": [10, 10], "b": [20, 20], "c": [77, 99]})
    assert proposals(result) == [[("c", "77", "30")], [("c", "99", "须核实")]]
