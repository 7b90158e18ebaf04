"""Random expressions of the rule language, random rows with gaps, and a small interpreter written from the text of
survey_system.md 8.3 and 8.4, which every compiler is held to."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl
from hypothesis import strategies as st

from schemas.environment import Environment
from schemas.expression import Binary, Call, In, Logic, Name, Node, Number, Text, Unary
from schemas.model import ValueType
from schemas.period import Period
from schemas.typed_expression import Variable

N, B, C, D = ValueType.NUMBER, ValueType.BOOLEAN, ValueType.CODE, ValueType.DATE
VARIABLES = {
    v.code: v
    for v in (
        Variable("F01", N, "enterprise"),
        Variable("F02", N, "enterprise"),
        Variable("P01", N, "enterprise"),
        Variable("R03", N, "enterprise", decimals=2),
        Variable("L01", N, "enterprise", decimals=4),
        Variable("B11", B, "enterprise"),
        Variable("B16", B, "enterprise"),
        Variable("B01", C, "enterprise"),
        Variable("B04", C, "enterprise"),
        Variable("B07", C, "enterprise"),
        Variable("B09", C, "enterprise"),
        Variable("B12", D, "enterprise"),
        Variable("B13", D, "enterprise"),
        Variable("K07", N, "park"),
        Variable("K09", N, "park"),
        Variable("K01", C, "park"),
        Variable("J01", C, "projects"),
    )
}
CODELISTS = {"owner": ("1", "2", "03"), "none": ()}
KEYED = {"sub_park": {"A": ("A1", "A2"), "B": ("B1",)}}
INDUSTRIES = {"39": "C", "63": "I", "01": "A"}
ENV = Environment(
    Period(2025, 2),
    VARIABLES,
    codelists=CODELISTS,
    keyed_codelists=KEYED,
    industries=INDUSTRIES,
    hightech={"3911": "1"},
)
LAGS = ("", "yoy", "prev")
DTYPES = {N: pl.Int64(), B: pl.Boolean(), C: pl.String(), D: pl.Date()}


def dtype(variable: Variable) -> pl.DataType:
    return pl.Decimal(18, variable.decimals) if variable.decimals else DTYPES[variable.type]


SCHEMA = {
    f"{v.code}_{lag}".rstrip("_"): dtype(v) for v in VARIABLES.values() if v.roster == "enterprise" for lag in LAGS
}


# ── the interpreter: one row, plain Python, three values ────────────────────────────────────────────────────────────
def value_of(node: Node, row: Mapping[str, Any]) -> Any:
    match node:
        case Number(value=value):
            return int(value) if value == int(value) else value
        case Text(value=value):
            return value
        case Name(code=code, lag=lag):
            return {"period_year": 2025, "quarter": 2, "months": 6}.get(code) or row.get(f"{code}_{lag}".rstrip("_"))
        case Unary(op="not", operand=operand):
            holds = value_of(operand, row)
            return None if holds is None else not holds
        case Unary(operand=operand):
            value = value_of(operand, row)
            return None if value is None else -value
        case Logic(op=op, operands=operands):
            values = [value_of(o, row) for o in operands]
            decisive = op == "or"
            if decisive in [v for v in values if v is not None]:
                return decisive
            return None if None in values else not decisive
        case In(operand=operand, choices=choices):
            value = value_of(operand, row)
            return None if value is None else any(equal(value, value_of(c, row)) for c in choices)
        case Binary(op=op, left=left, right=right):
            a, b = value_of(left, row), value_of(right, row)
            if a is None or b is None:
                return None
            return compared(op, a, b) if op in ("==", "!=", "<", "<=", ">", ">=") else calculated(op, a, b)
        case Call(function=function, arguments=arguments):
            return called(function, [value_of(a, row) for a in arguments])


def equal(a: Any, b: Any) -> bool:
    if isinstance(a, bool) and not isinstance(b, bool):
        return a == (b == 1)
    if isinstance(a, str) != isinstance(b, str):
        return str(a) == str(b)
    return bool(a == b)


def compared(op: str, a: Any, b: Any) -> Any:
    if op in ("==", "!="):
        return equal(a, b) == (op == "==")
    if isinstance(a, str):
        if not a.isdigit() or (len(a) > 1 and a[0] == "0"):
            return None
        a = int(a)
    if isinstance(a, float) or isinstance(b, float):
        a, b = float(a), float(b)
    return {"<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[op]


def calculated(op: str, a: Any, b: Any) -> Any:
    if op in ("*", "/") or isinstance(a, float) or isinstance(b, float):
        a, b = float(a), float(b)
    if op == "/" and b == 0:
        return None
    result = {"+": lambda: a + b, "-": lambda: a - b, "*": lambda: a * b, "/": lambda: a / b}[op]()
    return result if not isinstance(result, float) or math.isfinite(result) else None


def called(function: str, values: list[Any]) -> Any:
    if function in ("isnull", "notnull"):
        return (values[0] is None) == (function == "isnull")
    if function == "nz":
        return 0 if values[0] is None else values[0]
    if None in values:
        return None
    match function:
        case "abs":
            return abs(values[0])
        case "max" | "min":
            if any(isinstance(v, float) for v in values):
                values = [float(v) for v in values]
            return max(values) if function == "max" else min(values)
        case "year":
            return values[0].year
        case "section":
            return INDUSTRIES.get(values[0][:2])
        case "in_codelist":
            return values[0] in CODELISTS[values[1]]
    raise AssertionError(function)


# ── random expressions, well typed by construction ──────────────────────────────────────────────────────────────────
def names(*codes: str) -> st.SearchStrategy[Node]:
    return st.builds(
        lambda code, lag: Call(lag, (Name(code),)) if lag else Name(code), st.sampled_from(codes), st.sampled_from(LAGS)
    )


literals = st.one_of(
    st.integers(0, 120).map(lambda i: Number(Decimal(i))),
    st.sampled_from(["0.5", "0.05", "1.2", "0.125", "666.67", "99.99"]).map(lambda t: Number(Decimal(t))),
)
amounts = names("F01", "F02", "P01", "R03", "L01")
codes = names("B01", "B09")
flags = names("B11", "B16")
dates = names("B12", "B13")


def of_numbers(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    return st.one_of(
        st.builds(Binary, st.sampled_from("+-*/"), inner, inner),
        inner.map(lambda n: Unary("-", n)),
        inner.map(lambda n: Call("abs", (n,))),
        inner.map(lambda n: Call("nz", (n,))),
        st.builds(
            lambda f, args: Call(f, tuple(args)),
            st.sampled_from(["max", "min"]),
            st.lists(inner, min_size=2, max_size=3),
        ),
    )


numbers = st.recursive(
    st.one_of(amounts, literals, st.just(Name("months")), dates.map(lambda d: Call("year", (d,)))),
    of_numbers,
    max_leaves=6,
)
comparison = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
code_values = st.one_of(codes, codes.map(lambda c: Call("nz", (c,))), st.just(Call("section", (Name("B07"),))))
small = st.integers(0, 4).map(lambda i: Number(Decimal(i)))
texts = st.sampled_from(["1", "2", "03", "C", ""]).map(Text)
tests = st.one_of(
    st.builds(Binary, comparison, numbers, numbers),
    st.builds(Binary, st.sampled_from(["==", "!="]), flags, st.integers(0, 1).map(lambda i: Number(Decimal(i)))),
    st.builds(Binary, st.sampled_from(["==", "!="]), code_values, st.one_of(small, texts, codes)),
    st.builds(Binary, st.sampled_from(["<", ">=", ">", "<="]), codes, small),
    st.builds(Binary, comparison, dates, dates),
    st.builds(
        lambda c, many: In(c, tuple(many)), code_values, st.lists(st.one_of(small, texts), min_size=1, max_size=3)
    ),
    st.builds(lambda c, many: In(c, tuple(many)), amounts, st.lists(literals, min_size=1, max_size=3)),
    st.builds(
        lambda f, n: Call(f, (n,)), st.sampled_from(["isnull", "notnull"]), st.one_of(numbers, codes, flags, dates)
    ),
    codes.map(lambda c: Call("in_codelist", (c, Text("owner")))),
    flags,
    flags.map(lambda f: Call("nz", (f,))),
)
conditions = st.recursive(
    tests,
    lambda inner: st.one_of(
        inner.map(lambda n: Unary("not", n)),
        st.builds(
            lambda op, many: Logic(op, tuple(many)),
            st.sampled_from(["and", "or"]),
            st.lists(inner, min_size=2, max_size=3),
        ),
        st.builds(Binary, st.sampled_from(["==", "!="]), inner, inner),
    ),
    max_leaves=5,
)


def cell(name: str) -> st.SearchStrategy[Any]:
    variable = VARIABLES[name.partition("_")[0]]
    match variable.type:
        case ValueType.NUMBER:
            values = st.one_of(st.sampled_from([0, 1, -1, 2, 50, 100]), st.integers(-(10**7), 10**7))
            return st.none() | values.map(lambda v: Decimal(v).scaleb(-variable.decimals) if variable.decimals else v)
        case ValueType.BOOLEAN:
            return st.none() | st.booleans()
        case ValueType.DATE:
            return st.none() | st.dates(date(2010, 1, 1), date(2026, 1, 1))
    return st.sampled_from([None, "0", "1", "2", "03", "3", "3911", "6300", "9999", "x", ""])


rows = st.lists(st.fixed_dictionaries({name: cell(name) for name in SCHEMA}), min_size=1, max_size=6)


def plain(value: Any) -> Any:
    """Numbers as Float64, which is how a value leaves an expression; −0 is 0."""
    return float(value) + 0.0 if isinstance(value, int | float | Decimal) and not isinstance(value, bool) else value
