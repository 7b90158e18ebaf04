"""Worked examples of an audit rule of the programme: rows on which it holds, fails, and stays undetermined.

A fixed series of rows is made of the rule's own constants, their neighbours and plain figures; the evaluator that checks real
data says what becomes of the rule on each, and the plainest row of every outcome is kept. An outcome without an example is
one the rule does not have (``nz`` and ``notnull`` are never unknown), or one the series did not meet.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from itertools import product
from random import Random

import polars as pl

from schemas import reserved
from schemas.chinese_text import to_chinese
from schemas.environment import Environment, environment_for
from schemas.expression import Binary, Call, Node, Number, expand, parse, rebuilt
from schemas.model import AuditRule, Edition, Indicator, Programme
from schemas.period import Period
from schemas.period_data import PeriodData
from schemas.polars_rows import aggregate_column, columns_of, dtype_of, row_of, with_missing_columns
from schemas.typed_expression import AGGREGATES, BOOLEAN, DATE, TEXT, Kind, Typed

Value = str | bool | int | Decimal | date | None
Row = Mapping[str, Value]

OUTCOMES: Mapping[str, bool | None] = {"holds": True, "fails": False, "undetermined": None}
IN_CHINESE: Mapping[str, str] = {"holds": "通过", "fails": "不符", "undetermined": "待核"}
SERIES = 3_000
VALID_CODE, WRONG_CODE = "91350100M000100Y43", "91350100M000100Y44"
PARK, ELSEWHERE = "LBGX", "LBBY"
_PLAIN_FIGURES = (0, 1, 2, 3, 5, 10, 20, 60, 100, 120, 1000, 3000, 30000)


@dataclass(frozen=True)
class Example:
    """The rows of one outcome: most often one; two where a rule compares rows with one another. Lagged figures stand
    under their column (``F01_yoy``), sums and counts under the text of the function."""

    outcome: str
    rows: tuple[Row, ...]


def examples_of(rule: AuditRule, programme: Programme, edition: Edition) -> dict[str, Example]:
    """Outcome (holds, fails, undetermined) → example; a condition ``applies_if`` holds on every row shown."""
    env = _environment(rule, programme, edition)
    typed = env.typed(rule.expression)
    applies = env.typed(rule.applies_if) if rule.applies_if else None
    asked = [typed, applies] if applies else [typed]
    candidates = _candidates(asked, env, edition)
    if any(node.op == "unique" for node in typed.walk()):
        return _of_pairs(typed, candidates, env)
    rows = list(_series(candidates, Random(rule.id)))
    frame = _frame(rows, asked)
    holds = frame.select(row_of(typed, env).alias("x"))["x"].to_list()
    exactly = env.typed(_without_tolerance(expand(parse(rule.expression), edition.derivations)))
    exact = frame.select(row_of(exactly, env).alias("x"))["x"].to_list()
    inside = frame.select(row_of(applies, env).alias("x"))["x"].to_list() if applies else [True] * len(rows)
    found: dict[str, Example] = {}
    for outcome, wanted in OUTCOMES.items():
        at = [n for n, (h, a) in enumerate(zip(holds, inside, strict=True)) if a and h is wanted]
        # A balance is shown balanced, not just within its tolerance.
        at = [n for n in at if exact[n] is wanted] or at
        if at:
            found[outcome] = Example(outcome, (min((rows[n] for n in at), key=_plainness),))
    return found


def _without_tolerance(node: Node) -> Node:
    """``abs(a - b) <= 5`` as ``abs(a - b) <= 0``."""
    match node:
        case Binary(op="<=", left=Call(function="abs"), right=Number()):
            return replace(node, right=Number(Decimal(0)))
    return rebuilt(node, _without_tolerance)


def example_text(example: Example, indicators: Mapping[str, Indicator]) -> str:
    """An example as a line: 营业收入(F01)=100,主营业务收入(F02)=120."""
    lines = [",".join(f"{_label(c, indicators)}={_shown(v)}" for c, v in row.items()) for row in example.rows]
    return ";另一行 ".join(lines)


def _label(column: str, indicators: Mapping[str, Indicator]) -> str:
    code, _, lag = column.partition("_")
    if column.startswith("="):
        return to_chinese(column.removeprefix("="), indicators)
    if code not in indicators:
        return {"park": "本园区", "answer_status": "回答状态"}.get(column, column)
    said = {"yoy": "上年同期", "prev": "上季", "last": "上期", "q4": "四季度"}.get(lag, "")
    return f"{said}{indicators[code].name}({code})"


def _shown(value: Value) -> str:
    match value:
        case None:
            return "空"
        case bool():
            return "是" if value else "否"
        case Decimal():
            return format(value.normalize() + 0, "f")
    return str(value)


def _environment(rule: AuditRule, programme: Programme, edition: Edition) -> Environment:
    last = edition.last_period or edition.first_period
    period = Period(last.year) if "A" in rule.rounds else Period(last.year, 2)
    roster = pl.DataFrame({"park": [PARK], reserved.UNIT: [VALID_CODE]})
    data = PeriodData(period, {"enterprise": roster}, pl.DataFrame({"park": [PARK]}), pl.DataFrame())
    env = environment_for(programme, period, edition=edition, units=pl.Series([VALID_CODE]))
    return replace(env, data=data)


def _candidates(asked: Iterable[Typed], env: Environment, edition: Edition) -> dict[str, list[Value]]:
    """Column → the values it takes in the series; blank last."""
    numbers = sorted({n.value for typed in asked for n in typed.walk() if isinstance(n.value, Decimal)})
    texts = sorted({t for typed in asked for n in typed.walk() for t in _texts(n)})
    found: dict[str, list[Value]] = {}
    for typed in asked:
        for (code, lag), kind in columns_of(typed).items():
            name = f"{code}_{lag}" if lag else code
            found[name] = [*_values(edition.indicators[code], kind, numbers, texts, env), None]
        for node in typed.walk():
            if node.op in AGGREGATES:
                found[aggregate_column(node.text)] = [*_figures(node.kind, numbers), None]
            elif node.op == "in_roster" or (node.op == "context" and node.value == "park_code"):
                found["park"] = [PARK]
            elif node.op == "context" and node.value == "answer_status":
                found["answer_status"] = ["2", None]
    return found


def _texts(node: Typed) -> Iterator[str]:
    if node.op == "text" and isinstance(node.value, str):
        yield node.value
    elif node.op == "in" and isinstance(node.value, tuple):
        yield from map(str, node.value)


def _values(
    indicator: Indicator, kind: Kind, numbers: Sequence[Decimal], texts: Sequence[str], env: Environment
) -> list[Value]:
    if kind == BOOLEAN:
        return [True, False]
    if kind == DATE:
        end = env.period.end
        return [end, end + timedelta(days=1), *(end.replace(year=end.year - n, day=28) for n in (1, 2, 3, 4, 9))]
    if kind != TEXT:
        return list(_figures(kind, numbers))
    if indicator.code == reserved.UNIT:
        return [VALID_CODE, WRONG_CODE]
    if indicator.code == reserved.PARK:
        return [PARK, ELSEWHERE, "99"]
    industries = ["3911", "6513", "0111"] if indicator.codelist.startswith("gbt4754") else []
    if indicator.codelist == "division_county":
        return [*sorted(env.keyed_codelists["park_counties"][PARK])[:1], "110101", "99"]
    listed = sorted(env.codelists.get(indicator.codelist, ()))
    keyed = sorted(env.keyed_codelists.get(indicator.codelist, {}).get(PARK, ()))
    return list(dict.fromkeys([*keyed[:2], *industries, *list(indicator.options)[:4], *texts[:8], *listed[:2], "99"]))


def _figures(kind: Kind, numbers: Sequence[Decimal]) -> Iterator[Value]:
    step = Decimal(1).scaleb(-kind.scale)
    found = dict.fromkeys(Decimal(n) for n in _PLAIN_FIGURES)
    for number in numbers:
        exact = number.quantize(step)
        found |= dict.fromkeys((exact, exact + step, exact - step, exact * 2))
        if 0 < number < 1:
            found |= dict.fromkeys(((number * 100).quantize(step), (number * 1000).quantize(step) + 1))
    for value in found:
        yield value.quantize(step) if kind.scale else int(value)


def _series(candidates: Mapping[str, Sequence[Value]], random: Random) -> Iterator[Row]:
    """Rows: all combinations where they are few, else a fixed scatter of rows with no blank, with one, and with several."""
    names = list(candidates)
    size = 1
    for values in candidates.values():
        size *= len(values)
    if size <= SERIES:
        yield from (dict(zip(names, values, strict=True)) for values in product(*candidates.values()))
        return
    filled: dict[str, list[Value]] = {n: [v for v in vs if v is not None] for n, vs in candidates.items()}
    for n in range(SERIES):
        row: dict[str, Value] = {name: random.choice(filled[name]) for name in names}
        if n % 3 == 1:
            row |= {k: _like(v, random.choice((0, 1, 10, 100))) for k, v in row.items() if random.random() < 0.8}
        if n % 3 == 2:
            blank: dict[str, Value] = dict.fromkeys(random.sample(names, min(len(names), random.choice((1, 1, 2)))))
            row |= {name: value for name, value in blank.items() if None in candidates[name]}
        yield row


def _like(value: Value, figure: int) -> Value:
    """A small figure where the value is one; relations between many terms hold among small figures."""
    if isinstance(value, Decimal):
        return Decimal(figure).quantize(value)
    return figure if isinstance(value, int) and not isinstance(value, bool) else value


def _frame(rows: Sequence[Row], asked: Sequence[Typed]) -> pl.DataFrame:
    schema: dict[str, pl.DataType] = {}
    for typed in asked:
        schema |= {(f"{c}_{lag}" if lag else c): dtype_of(kind) for (c, lag), kind in columns_of(typed).items()}
        schema |= {aggregate_column(n.text): dtype_of(n.kind) for n in typed.walk() if n.op in AGGREGATES}
    schema = {name: schema.get(name, pl.String()) for name in rows[0]}
    return with_missing_columns(pl.DataFrame(rows, schema=schema, orient="row"), asked)


def _plainness(row: Row) -> tuple[int, int, int]:
    """Few blanks first, then few zeros, then short figures."""
    shown = [_shown(v) for v in row.values()]
    zeros = sum(v == 0 and not isinstance(v, bool) for v in row.values() if v is not None)
    negative = sum(text.startswith("-") for text in shown)
    return sum(v is None for v in row.values()), zeros + 3 * negative, sum(map(len, shown))


def _of_pairs(typed: Typed, candidates: Mapping[str, Sequence[Value]], env: Environment) -> dict[str, Example]:
    """Rules on uniqueness: two rows with the same values, and two that differ in the last field."""
    first: dict[str, Value] = {name: values[0] for name, values in candidates.items()}
    last = list(candidates)[-1]
    other = {**first, last: next((v for v in candidates[last][1:] if v is not None), first[last])}
    blank: dict[str, Value] = dict.fromkeys(first)
    found: dict[str, Example] = {}
    for rows in ((first, other), (first, first), (blank, other)):
        frame = _frame(rows, [typed])
        outcome = frame.select(row_of(typed, env).alias("x"))["x"][0]
        name = next(n for n, wanted in OUTCOMES.items() if wanted is outcome)
        found.setdefault(name, Example(name, rows))
    return found
