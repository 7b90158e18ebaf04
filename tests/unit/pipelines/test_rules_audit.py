"""Rule sets examined: the examples R validatetools publishes, rule sets worked by hand, and verdicts against enumeration."""

from __future__ import annotations

import itertools
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.methods.rules_audit import Audit, audit_rules
from pipelines.methods.rules_audit_examples import examples_of
from pipelines.methods.rules_audit_logic import formula_of
from pipelines.methods.rules_audit_solver import Verdict, extreme, satisfiable
from pipelines.methods.rules_audit_universe import universe_of
from schemas.table_parser import parse_table
from tests.unit.schemas.rule_tables import result_of, rules_of, table


def audited(*expressions: str | dict[str, object], **others: object) -> Audit:
    entries = [
        {"id": f"r{n + 1}", **({"expression": e} if isinstance(e, str) else e)} for n, e in enumerate(expressions)
    ]
    return audit_rules(rules_of(*entries, **others))


def said(audit: Audit) -> set[tuple[str, tuple[str, ...]]]:
    return {(i.kind, i.rules) for i in audit.issues}


# ── README of validatetools (E. de Jonge, M. van der Loo) ───────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("expressions", "expected"),
    [
        (["x > 0"], set()),
        (["x > 0", "x < 0"], {("contradiction", ("r1", "r2"))}),
        (["x >= 0", "x <= 0"], {("fixed", ("r1", "r2"))}),
        (["x1 + x2 + x3 == 0", "x1 + x2 >= 0", "x3 >= 0"], {("fixed", ("r1", "r2", "r3"))}),
        (["if x > 1 then y > 3", "y < 2"], {("simplify", ("r1",))}),
        (["if x > 0 then y > 0", "if x < 1 then y > 1"], {("simplify", ("r1",))}),
        (["x > 1", "x > 2"], {("redundant", ("r1",))}),
        (["x > 2", "x > 2"], {("redundant", ("r1",)), ("redundant", ("r2",))}),
    ],
)
def test_published_examples(expressions: list[str], expected: set[tuple[str, tuple[str, ...]]]) -> None:
    assert said(audited(*expressions)) == expected


def test_of_two_equal_rules_the_older_stays() -> None:
    assert audited("x > 2", "x > 2").removable == ("r2",)


def test_a_conclusion_that_cannot_hold_says_the_condition_is_false() -> None:
    (issue,) = audited("if x > 1 then y > 3", "y < 2").issues
    assert issue.detail == "结论永远不成立,等于说 not (x > 1)"
    assert issue.because == ("r2",)


def test_implied_edits_are_redundant() -> None:
    """Fellegi and Holt (1976): under 15 is single, a spouse is married; so under 15 is no spouse. Winkler and Draper (SPEER):
    of two ratio edits the product bounds the third ratio, x / z <= 3 · 2, and any wider bound."""
    status = {"marital": {"type": "text", "values": ["single", "married", "divorced"]}}
    explicit = ("if age < 15 then marital == 'single'", "if relation == 'spouse' then marital == 'married'")
    audit = audited(*explicit, "if age < 15 then relation != 'spouse'", columns=status)
    assert said(audit) == {("redundant", ("r3",))}
    ratios = ("x > 0", "x <= 3 * y", "y <= 2 * z")  # y and z are positive then, too
    assert said(audited(*ratios, "x <= 6 * z")) == {("redundant", ("r4",))}
    assert said(audited(*ratios, "x <= 5 * z")) == set()
    quotients = audited("x > 0", "y > 0", "z > 0", "x / y <= 3", "y / z <= 2", "x / z <= 6")
    assert said(quotients) == {("redundant", ("r6",))}


# ── by hand ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_the_smallest_contradiction_and_the_least_that_must_go() -> None:
    audit = audited("a + b == c", "a >= 10", "b >= 0", "c <= 5", "d > 0", {"expression": "e > f", "severity": "soft"})
    assert said(audit) == {("contradiction", ("r1", "r2", "r3", "r4"))}
    assert len(audit.least_removal) == 1


def test_the_soft_rule_goes_before_the_hard_one() -> None:
    audit = audited("x >= 10", {"expression": "x <= 5", "severity": "soft"})
    assert audit.least_removal == ("r2",)


def test_a_hard_rule_is_not_implied_by_a_soft_one() -> None:
    audit = audited("x >= 0", {"expression": "x >= 1", "severity": "soft"})
    assert said(audit) == set()
    assert said(audited({"expression": "x >= 0", "severity": "soft"}, "x >= 1")) == {("redundant", ("r1",))}


def test_rules_alone() -> None:
    audit = audited("abs(x) >= 0", "y > y + 1", {"expression": "z > 1", "applies_if": "z > 3 and z < 2"}, "w != w + 1")
    assert said(audit) == {
        ("contradiction", ("r2",)),
        ("never_fails", ("r1",)),
        ("never_holds", ("r2",)),
        ("never_fires", ("r3",)),
        ("never_fails", ("r4",)),
    }


def test_codes_and_numbers_together() -> None:
    audit = audited(
        "job in ('yes', 'no')",
        "if job == 'no' then income == 0",
        "if age < 16 then job == 'no'",
        "income > 0",
        "age >= 0",
        "if job == 'yes' then age >= 16",
    )
    # income > 0 leaves job = yes only, and with it nobody under 16
    assert ("fixed", ("r1", "r2", "r4")) in said(audit)
    assert ("never_fires", ("r3",)) in said(audit)
    assert ("redundant", ("r6",)) in said(audit)


def test_closed_code_sets_are_used() -> None:
    declared = {"columns": {"sex": {"type": "text", "values": ["m", "f"]}}}
    assert said(audited("sex in ('m', 'f')", **declared)) == {("never_fails", ("r1",))}
    assert ("contradiction", ("r1", "r2")) in said(audited("sex != 'm'", "sex != 'f'", **declared))


def test_whole_numbers_only_where_declared() -> None:
    assert said(audited("x > 1", "x < 2")) == set()
    assert said(audited("x > 1", "x < 2", columns={"x": {"type": "number", "decimals": 0}})) == {
        ("contradiction", ("r1", "r2"))
    }


def test_ratios_tolerances_dates_and_blanks_are_exact() -> None:
    assert said(audited("p / t <= 0.6", "t > 0", "p > t")) == {("contradiction", ("r1", "r2", "r3"))}
    assert said(audited({"expression": "a == b", "tolerance": 1}, "a >= b + 2")) == {("contradiction", ("r1", "r2"))}
    assert said(audited({"expression": "a == b", "tolerance": 2}, "a >= b + 2")) == set()
    assert said(audited("d >= date('2025-01-01')", "d <= '2024-12-31'")) == {("contradiction", ("r1", "r2"))}
    assert said(audited("if is_missing(x) then y > 3", "is_missing(x)", "y <= 3")) == {
        ("contradiction", ("r1", "r2", "r3"))
    }
    assert said(audited("max(a, b) <= 3", "a + b > 6")) == {("contradiction", ("r1", "r2"))}
    assert said(audited("growth_rate == prev(x)", "prev(x) > 3", "growth_rate < 2")) == {
        ("contradiction", ("r1", "r2", "r3"))
    }


def test_what_is_not_linear_is_only_searched() -> None:
    audit = audited("x * y > 3", "mean(x) > 1", "x > 0")
    assert [r.id for r in audit.searched] == ["r1", "r2"]
    assert [e.kind for e in audit.exact] == ["linear"]


def test_bounds_of_columns() -> None:
    audit = audited("x >= 1", "x <= 10", "if y > 0 then x < 3", "y > 1")
    assert {(s.column, s.least, s.most) for s in audit.spans} == {
        ("x", Fraction(1), Fraction(3)),
        ("y", Fraction(1), None),
    }


def test_large_and_small_figures_do_not_disturb() -> None:
    assert ("contradiction", ("r1", "r2")) in said(audited("x == 1", "x == 1.0001"))
    assert ("contradiction", ("r1", "r2")) in said(audited("x >= 1e12", "x <= 1e11"))
    balance = ["a + b == c", "a == 999999999999", "b == 0.01"]
    assert not audited(*balance, "c == 999999999999.01").of("contradiction")
    assert audited(*balance, "c == 999999999999.02").of("contradiction")


# ── against enumeration ─────────────────────────────────────────────────────────────────────────────────────────────
RANGE = range(4)
TEXTS = ("a", "b")
atoms = st.one_of(
    st.tuples(st.sampled_from(["x", "y", "x + y", "x - y", "2 * x", "max(x, y)", "abs(x - y)"]),
              st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), st.integers(-1, 5)).map(lambda t: f"{t[0]} {t[1]} {t[2]}"),
    st.sampled_from(["s == 'a'", "s != 'a'", "s in ('b', 'c')"]),
)  # fmt: skip
conditions = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        inner.map(lambda c: f"not ({c})"),
        st.tuples(inner, inner).map(lambda t: f"(if {t[0]} then {t[1]})"),
    ),
    max_leaves=3,
)
DOMAIN = ["x >= 0", "x <= 3", "y >= 0", "y <= 3"]
COLUMNS = {
    "x": {"type": "number", "decimals": 0},
    "y": {"type": "number", "decimals": 0},
    "s": {"type": "text", "values": list(TEXTS)},
}
RECORDS = list(itertools.product(RANGE, RANGE, TEXTS))
EVERYTHING = table({"x": [r[0] for r in RECORDS], "y": [r[1] for r in RECORDS], "s": [r[2] for r in RECORDS]})


@settings(max_examples=25, deadline=None)
@given(st.lists(conditions, min_size=1, max_size=4))
def test_verdicts_agree_with_all_records_of_a_small_world(texts: list[str]) -> None:
    rules = rules_of(*({"id": f"r{n}", "expression": e} for n, e in enumerate([*DOMAIN, *texts])), columns=COLUMNS)
    outcomes = [o.outcomes.to_list() for o in result_of(rules, EVERYTHING).outcomes]
    holds = [{n for n, o in enumerate(column) if o == "holds"} for column in outcomes]
    everything = set(range(len(RECORDS)))
    audit = audit_rules(rules)
    together = everything.intersection(*holds)
    assert bool([i for i in audit.issues if i.kind == "contradiction"]) == (not together)
    assert all(i.proven for i in audit.issues)
    universe = universe_of(rules)
    for number, text in enumerate(texts):
        meaning = formula_of(parse_table(text), universe)
        world = [formula_of(parse_table(d), universe).true for d in DOMAIN]
        for formula, expected in ((meaning.true, holds[4 + number]), (meaning.false, everything - holds[4 + number])):
            answer = satisfiable([*world, formula], universe)
            assert answer.verdict is (Verdict.POSSIBLE if expected else Verdict.IMPOSSIBLE)
    if together:
        removed = {i.rules[0] for i in audit.issues if i.kind in ("redundant", "never_fails")}
        for number, column in enumerate(holds):
            others = everything.intersection(*(c for n, c in enumerate(holds) if n != number))
            if number >= 4:
                assert (f"r{number}" in removed) == (others <= column), texts
        kept = [h for n, h in enumerate(holds) if f"r{n}" not in audit.removable]
        assert everything.intersection(*kept) == together
        least = extreme([formula_of(r.node, universe).true for r in rules.rules], "x", -1, universe)
        assert least == min(RECORDS[n][0] for n in together)


@settings(max_examples=15, deadline=None)
@given(st.lists(conditions, min_size=1, max_size=3))
def test_every_example_is_confirmed_by_the_evaluator(texts: list[str]) -> None:
    rules = rules_of(*({"id": f"r{n}", "expression": e} for n, e in enumerate([*DOMAIN, *texts])), columns=COLUMNS)
    found = examples_of(rules, audit_rules(rules))
    for rule in rules.rules:
        for outcome, example in found[rule.id].items():
            (row,) = example.rows
            data = table(
                {c: [v] for c, v in row.items()},
                types={c: d for c, d in ((n, k.declared) for n, k in rules.columns.items()) if d},
            )
            judged = next(o for o in result_of(rules_of({"id": "r", "expression": rule.expression}), data).outcomes)
            assert judged.outcomes.to_list() == [outcome]


@pytest.mark.parametrize(
    "expression",
    ["is_unique(id)", "mean(v) >= 1", "x <= 3 * prev(x)", "growth(x) <= 0.5", "hb_within(x, y, by = g)", "matches(id, '^A')",
     "exists_one(role == 'h', by = hh)", "part_whole(v, l, 'T', by = g)", "share(v) <= 0.5", "x * y > 3",
     "contains_at_least('ks', by = g)", "valid_uscc(u)", "children_sum(n) <= n", "d <= '2025-01-01'", "size == register('size')"],
)  # fmt: skip
def test_examples_of_all_outcomes_are_found_for_rules_of_every_kind(expression: str) -> None:
    rules = rules_of(
        {"id": "r", "expression": expression},
        table={"key": ["id"], "parent": "up"},
        keys=[{"name": "ks", "columns": ["k"], "rows": [["a"], ["b"]]}],
    )
    assert set(examples_of(rules, audit_rules(rules))["r"]) == {"holds", "fails", "undetermined"}
