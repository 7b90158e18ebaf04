"""What an audit run needs to know before it has seen a figure: rules compiled, cells they are put on, bounds to check.

A plan belongs to a programme, a period and the forms a filer owes; it is made once and serves every workbook of the round.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import polars as pl

from schemas.environment import Environment, Same, environment_for
from schemas.expected import Expectation, expectations
from schemas.expression import Logic, Name, expand, functions, names, operand_column, operands, parse, walk
from schemas.model import AuditRule, Edition, Form, Indicator, Programme, Severity
from schemas.period import Period
from schemas.polars_rows import row_of, with_missing_columns
from schemas.syntax import to_text
from schemas.typed_expression import AGGREGATES, Typed

PROVINCE_FUNCTIONS = frozenset({"COUNT_PARK"})
REGISTER_LIST = "unit_register"
ANSWER_STATUS = "answer_status"
_OF_THE_DATA = AGGREGATES | {"in_roster"}


@dataclass(frozen=True)
class Condition:
    """One expression ready to run. ``compiled`` is None where it looks at the submission or the register as a whole."""

    text: str
    typed: Typed
    compiled: pl.Expr | None

    def on(self, env: Environment) -> pl.Expr:
        """The expression over the rows of a prepared frame."""
        return self.compiled if self.compiled is not None else row_of(self.typed, env)


@dataclass(frozen=True)
class PlannedExpectation:
    """What one part of a hard rule expects: whether the part holds (None: the rule as a whole), and the figures to put in."""

    of: Expectation
    holds: Condition | None
    values: tuple[Condition, ...]


@dataclass(frozen=True)
class PlannedRule:
    """A rule with what is known of it: ``codes`` are its operands of the period itself, ``lagged`` those of other periods.

    ``parts``: where one rule checks the codes of several cells, each cell's column with its own condition.
    ``expected``: of hard rules only; the bounds of soft ones are told to nobody.
    """

    rule: AuditRule
    holds: Condition
    applies: Condition | None
    codes: tuple[str, ...]
    lagged: frozenset[str]
    column: str
    over_all_parks: bool
    asks_register: bool
    asks_answers: bool
    parts: tuple[tuple[str, Condition], ...] = ()
    expected: tuple[PlannedExpectation, ...] = ()


@dataclass(frozen=True)
class Bound:
    """A sign or a list of codes that no rule checks; one cause, one finding."""

    indicator: Indicator
    code: str
    problem: str
    broken: pl.Expr
    expected: str


@dataclass(frozen=True)
class PlannedForm:
    """A form due in the round. ``asked`` is what is collected, ``needed`` the columns its expressions read, with types."""

    form: Form
    asked: tuple[Indicator, ...]
    is_shown: bool
    applies: Condition | None
    indicator_applies: Mapping[str, Condition]
    bounds: tuple[Bound, ...]
    needed: Mapping[str, pl.DataType]
    has_aggregates: bool


@dataclass(frozen=True)
class AuditPlan:
    """Rules in printed order and forms in theirs."""

    edition: Edition
    period: Period
    rules: tuple[PlannedRule, ...]
    forms: Mapping[str, PlannedForm]
    own_lags: frozenset[str]


def plan_for(programme: Programme, whole: Edition, edition: Edition, period: Period) -> AuditPlan:
    """The plan of one period; ``edition`` holds the forms and rules of ``whole`` that concern the filer."""
    return _plan(Same(programme), Same(whole), tuple(edition.forms), period)


@lru_cache(maxsize=64)
def _plan(programme: Same[Programme], whole: Same[Edition], codes: tuple[str, ...], period: Period) -> AuditPlan:
    edition = whole.item
    forms = {code: edition.forms[code] for code in codes}
    rules = [rule for rule in edition.rules_for(period) if rule.form in forms]
    env = environment_for(programme.item, period, edition=edition)
    planned = tuple(_planned_rule(rule, edition, env) for rule in rules)
    # A rule on trial asks nothing of anybody: it does not take the place of the bounds the form itself sets.
    asking = [p for p in planned if p.rule.severity is not Severity.TRIAL]
    signed = {code for p in asking if p.rule.kind == "sign" for code in _all_codes(p, edition)}
    listed = {code for p in asking if p.rule.kind == "code_valid" for code in _all_codes(p, edition)}
    by_form = {
        code: _planned_form(form, period, env, [p for p in planned if p.rule.form == code], signed, listed)
        for code, form in forms.items()
    }
    own_lags = frozenset(f"{i.code}_yoy" for form in forms.values() for i in form.with_year_earlier(period))
    return AuditPlan(edition, period, planned, by_form, own_lags)


def _condition(text: str, env: Environment) -> Condition:
    typed = env.typed(text)
    looks_around = any(
        e.op in _OF_THE_DATA or (e.op == "in_codelist" and e.value == REGISTER_LIST) for e in typed.walk()
    )
    return Condition(text, typed, None if looks_around else row_of(typed, env))


def _planned_rule(rule: AuditRule, edition: Edition, env: Environment) -> PlannedRule:
    used = _operands_of(rule, edition)
    return PlannedRule(
        rule,
        _condition(rule.expression, env),
        _condition(rule.applies_if, env) if rule.applies_if else None,
        tuple(sorted(code for code, lag in used if not lag)),
        frozenset(operand_column(code, lag) for code, lag in used if lag),
        marked_column(rule, edition.forms[rule.form], edition),
        bool(functions(parse(rule.expression)) & PROVINCE_FUNCTIONS),
        REGISTER_LIST in rule.expression,
        ANSWER_STATUS in names(parse(rule.expression)),
        _parts(rule, edition, env),
        _expected(rule, edition, env),
    )


def _expected(rule: AuditRule, edition: Edition, env: Environment) -> tuple[PlannedExpectation, ...]:
    if rule.severity is not Severity.HARD:
        return ()
    return tuple(
        PlannedExpectation(
            one, _condition(one.part, env) if one.part else None, tuple(_condition(v, env) for v in one.values)
        )
        for one in expectations(rule, edition)
    )


def _parts(rule: AuditRule, edition: Edition, env: Environment) -> tuple[tuple[str, Condition], ...]:
    """A list of code checks joined by "and", cell by cell: the finding belongs on the cell whose code is wrong."""
    node = expand(parse(rule.expression), edition.derivations)
    if rule.kind != "code_valid" or not (isinstance(node, Logic) and node.op == "and"):
        return ()
    own = {i.code for i in edition.forms[rule.form].indicators}
    named = [[n.code for n in walk(part) if isinstance(n, Name) and n.code in own] for part in node.operands]
    if any(len(set(codes)) != 1 for codes in named):
        return ()
    return tuple((codes[0], _condition(to_text(part), env)) for codes, part in zip(named, node.operands, strict=True))


def _planned_form(
    form: Form, period: Period, env: Environment, rules: list[PlannedRule], signed: set[str], listed: set[str]
) -> PlannedForm:
    asked = form.asked(period)
    applies = _condition(form.applies_if, env) if form.applies_if else None
    of_indicators = {i.code: _condition(i.applies_if, env) for i in asked if i.applies_if}
    asked_here = [p for p in rules if not p.over_all_parks]
    conditions = [c for p in asked_here for c in (p.holds, p.applies) if c is not None] + ([applies] if applies else [])
    typed = [c.typed for c in conditions]
    return PlannedForm(
        form,
        asked,
        bool(form.shown(period)),
        applies,
        of_indicators,
        tuple(_bounds(asked, signed, listed)),
        dict(with_missing_columns(pl.DataFrame(), typed).schema),
        any(e.op in AGGREGATES for t in typed for e in t.walk()),
    )


def _bounds(asked: tuple[Indicator, ...], signed: set[str], listed: set[str]) -> list[Bound]:
    bounds: list[Bound] = []
    for i in asked:
        if i.nonneg and i.code not in signed:
            bounds.append(Bound(i, "sign", "不能为负数;请核对后更正。", pl.col(i.code) < 0, "应不小于 0"))
        if i.options and i.code not in listed:
            options = "、".join(f"{k}{v}" for k, v in i.options.items())
            problem = f"代码无效;请从下列代码中选填:{options}。"
            wanted = f"应为 {options} 之一"
            bounds.append(Bound(i, "domain", problem, ~pl.col(i.code).is_in(list(i.options)), wanted))
    return bounds


def _all_codes(planned: PlannedRule, edition: Edition) -> set[str]:
    return {code for code, _ in _operands_of(planned.rule, edition)}


def _operands_of(rule: AuditRule, edition: Edition) -> frozenset[tuple[str, str]]:
    texts = [text for text in (rule.expression, rule.applies_if) if text]
    return frozenset[tuple[str, str]]().union(*(operands(expand(parse(t), edition.derivations)) for t in texts))


def marked_column(rule: AuditRule, form: Form, edition: Edition) -> str:
    """The cell a finding of the rule is put on: the first indicator of the rule's own form that the assertion names.

    A conditional rule reads "condition does not hold or assertion": what is to be mended stands in the last alternative.
    """
    own = {i.code for i in form.indicators}
    node = expand(parse(rule.expression), edition.derivations)
    assertion = node.operands[-1] if isinstance(node, Logic) and node.op == "or" else node
    for part in (assertion, node):
        named = [n.code for n in walk(part) if isinstance(n, Name) and n.code in own]
        if named:
            return named[0]
    return next((n.code for n in walk(node) if isinstance(n, Name)), form.indicators[0].code)
