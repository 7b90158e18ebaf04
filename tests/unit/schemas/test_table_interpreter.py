"""The compiled rules against an interpreter of the definition: one record at a time, exact fractions, three values."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.syntax import Binary, Call, In, Logic, Name, Node, Number, Text, Unary
from schemas.table_parser import parse_table, table_text
from tests.unit.schemas.rule_tables import table, value

NUMBERS = ("a", "b", "c")


def meaning(node: Node, row: Mapping[str, Any]) -> Any:
    """The value of an expression on one record, from docs/rules.md."""
    match node:
        case Number(value=number):
            return Fraction(number)
        case Text(value=text):
            return text
        case Name(code=name):
            return row[name]
        case Unary(op="not", operand=operand):
            holds = meaning(operand, row)
            return None if holds is None else not holds
        case Unary(operand=operand):
            number_ = meaning(operand, row)
            return None if number_ is None else -number_
        case Logic(op=op, operands=operands):
            values = [meaning(o, row) for o in operands]
            return kleene(op, values)
        case In(operand=operand, choices=choices):
            found = meaning(operand, row)
            return None if found is None else found in [meaning(c, row) for c in choices]
        case Call(function="if", arguments=(condition, then, *other)):
            premise = meaning(condition, row)
            holds = kleene("or", [None if premise is None else not premise, meaning(then, row)])
            return kleene("and", [holds, kleene("or", [premise, meaning(other[0], row)])]) if other else holds
        case Binary(op=op, left=left, right=right):
            a, b = meaning(left, row), meaning(right, row)
            return None if a is None or b is None else applied(op, a, b)
        case Call(function=function, arguments=arguments):
            return called(function, [meaning(x, row) for x in arguments])
    raise AssertionError(node)


def kleene(op: str, values: list[Any]) -> bool | None:
    decisive = op == "or"
    if decisive in values:
        return decisive
    return None if None in values else not decisive


def applied(op: str, a: Any, b: Any) -> Any:
    match op:
        case "+":
            return a + b
        case "-":
            return a - b
        case "*":
            return a * b
    return {"==": a == b, "!=": a != b, "<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[op]


def called(function: str, values: list[Any]) -> Any:
    match function:
        case "is_missing":
            return values[0] is None
        case "is_complete":
            return None not in values
        case "nz":
            return values[0] if values[0] is not None else Fraction(0)
        case "coalesce":
            return next((v for v in values if v is not None), None)
        case "n_missing":
            return Fraction(values.count(None))
        case "in_range":
            x, low, high = values
            return kleene("and", [None if None in (x, low) else low <= x, None if None in (x, high) else x <= high])
    if None in values:
        return None
    match function:
        case "abs":
            return abs(values[0])
        case "max" | "min":
            return max(values) if function == "max" else min(values)
        case "round":
            scaled = abs(values[0]) * 10 ** int(values[1]) + Fraction(1, 2)
            return (
                (scaled.numerator // scaled.denominator)
                * (1 if values[0] >= 0 else -1)
                / Fraction(10 ** int(values[1]))
            )
    raise AssertionError(function)


cells = st.one_of(
    st.none(), st.decimals(-99, 99, places=2).map(lambda d: format(d, "f")), st.integers(-20, 20).map(str)
)
constants = st.sampled_from(["0", "1", "2.5", "0.1", "7"])
sums = st.recursive(
    st.one_of(st.sampled_from(NUMBERS), constants),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-*"), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        inner.map(lambda x: f"abs({x})"),
        inner.map(lambda x: f"nz({x})"),
        inner.map(lambda x: f"-({x})"),
        inner.map(lambda x: f"round({x}, 1)"),
        st.tuples(st.sampled_from(["max", "min", "coalesce"]), inner, inner).map(lambda t: f"{t[0]}({t[1]}, {t[2]})"),
    ),
    max_leaves=4,
)
atoms = st.one_of(
    st.tuples(sums, st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), sums).map(lambda t: f"{t[0]} {t[1]} {t[2]}"),
    st.sampled_from(NUMBERS).map(lambda n: f"is_missing({n})"),
    st.sampled_from(NUMBERS).map(lambda n: f"{n} in (0, 1, 2.5, -3)"),
    st.sampled_from(["is_complete(a, b)", "n_missing(a, b, c) <= 1", "in_range(a, b, c)", "s == 'x'", "s in ('x', 'y')", "s != 'z'"]),
)  # fmt: skip
conditions = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        inner.map(lambda x: f"not ({x})"),
        st.tuples(inner, inner).map(lambda t: f"(if {t[0]} then {t[1]})"),
        st.tuples(inner, inner, inner).map(lambda t: f"(if {t[0]} then {t[1]} else {t[2]})"),
    ),
    max_leaves=5,
)
rows = st.lists(st.tuples(cells, cells, cells, st.sampled_from([None, "x", "y", "z"])), min_size=1, max_size=6)


@settings(max_examples=300, deadline=None)
@given(conditions, rows)
def test_compiled_rules_say_what_the_definition_says(text: str, records: list[tuple[str | None, ...]]) -> None:
    node = parse_table(text)
    assert parse_table(table_text(node)) == node
    data = table({**{n: [r[i] for r in records] for i, n in enumerate(NUMBERS)}, "s": [r[3] for r in records]})
    found = value(text, data)
    expected = [
        meaning(node, {**{n: None if r[i] is None else Fraction(str(r[i])) for i, n in enumerate(NUMBERS)}, "s": r[3]})
        for r in records
    ]
    assert (found * len(records) if len(found) == 1 else found) == expected


groups = st.lists(
    st.tuples(st.sampled_from([None, "x", "y"]), st.one_of(st.none(), st.integers(-5, 5))), min_size=1, max_size=8
)


@settings(max_examples=150, deadline=None)
@given(groups)
def test_group_aggregates_say_what_a_loop_says(records: list[tuple[str | None, int | None]]) -> None:
    data = table({"g": [g for g, _ in records], "v": [v for _, v in records]})
    blank = all(v is None for _, v in records)

    def looped(function: Any, skip: bool) -> list[Any]:
        answers = []
        for own, _ in records:
            members = [v for g, v in records if g == own]
            known = [v for v in members if v is not None]
            usable = own is not None and known and (skip or len(known) == len(members))
            answers.append(function(known) if usable else None)
        return answers

    for name, function in {"sum": sum, "max": max, "min": min, "mean": lambda v: sum(v) / len(v)}.items():
        for skip in (True, False):
            found = value(f"group_{name}(v, g, missing = '{'skip' if skip else 'unknown'}')", data)
            expected = [None] * len(records) if blank else looped(function, skip)
            assert [None if v is None else float(str(v)) for v in found] == [
                None if v is None else float(v) for v in expected
            ]
