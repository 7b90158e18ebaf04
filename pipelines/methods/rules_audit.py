"""A rule set examined before it meets data: contradictions, rules implied by others, rules that can never fail or never fire.

Rules that are piecewise linear over numbers, dates, flags and code sets are decided exactly (``rules_audit_solver``); all
others are only searched (``rules_audit_examples``) and said to be. Questions asked of a complete record; a column may be blank
where a rule of the set tests it for blanks. Sources: R validatetools 0.5 (de Jonge and van der Loo); Fellegi and Holt (1976);
Chinneck, Feasibility and Infeasibility in Optimization (2008), deletion filter. Docs: docs/methods/rules-audit.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import scipy  # its parts are loaded when first asked for: a check that proposes nothing does not wait for them

from pipelines.methods.rules_audit_logic import (
    All,
    Any,
    Flag,
    Form,
    Formula,
    Linear,
    Meaning,
    Member,
    NotExactError,
    both,
    condition,
    either,
    formula_of,
    meaning_of,
    opposite,
)
from pipelines.methods.rules_audit_solver import Record, Verdict, extreme, satisfiable
from pipelines.methods.rules_audit_universe import Universe, universe_of
from schemas.model import Severity
from schemas.rule_file import RuleFile, TableRule
from schemas.syntax import Call
from schemas.table_parser import table_text

MAX_CORES = 20
_STRICTNESS = {Severity.HARD: 2, Severity.SOFT: 1, Severity.TRIAL: 0}


@dataclass(frozen=True)
class ExactRule:
    """A rule whose formulas are known: when its expression is true and false, and when it applies."""

    rule: TableRule
    expression: Meaning
    applies: Meaning

    @property
    def satisfied(self) -> Formula:
        """It holds or does not apply."""
        return either(opposite(self.applies.true), self.expression.true)

    @property
    def broken(self) -> Formula:
        """It applies and fails."""
        return both(self.applies.true, self.expression.false)

    @property
    def kind(self) -> str:
        """linear, categorical, conditional or mixed, by what its formulas are made of."""
        numeric = any(isinstance(a, Linear) for a in _atoms(self.satisfied))
        coded = any(not isinstance(a, Linear) for a in _atoms(self.satisfied))
        branched = isinstance(self.satisfied, Any)
        if numeric and coded:
            return "mixed"
        return "categorical" if coded else "conditional" if branched else "linear"


@dataclass(frozen=True)
class Issue:
    """One thing that is wrong with the set. ``kind`` is stable; ``proven`` tells a proof from a search that found nothing."""

    kind: str
    rules: tuple[str, ...]
    because: tuple[str, ...] = ()
    proven: bool = True
    detail: str = ""
    column: str = ""
    value: str = ""


@dataclass(frozen=True)
class Span:
    """The values a column can take when all rules hold; None where there is no bound. ``fixed``: it can take only one."""

    column: str
    least: Fraction | None
    most: Fraction | None
    texts: tuple[str, ...] = ()

    @property
    def fixed(self) -> bool:
        return (self.least is not None and self.least == self.most) or len(self.texts) == 1


@dataclass(frozen=True)
class Audit:
    """What was found. ``removable``: rules that can go, taken from the end, with nothing lost."""

    universe: Universe
    exact: tuple[ExactRule, ...]
    searched: tuple[TableRule, ...]
    issues: tuple[Issue, ...]
    removable: tuple[str, ...]
    least_removal: tuple[str, ...]
    spans: tuple[Span, ...]

    def of(self, kind: str) -> tuple[Issue, ...]:
        """The issues of one kind."""
        return tuple(i for i in self.issues if i.kind == kind)


def audit_rules(rules: RuleFile) -> Audit:
    """Examine a rule file without data."""
    universe = universe_of(rules)
    exact: list[ExactRule] = []
    searched: list[TableRule] = []
    for rule in rules.rules:
        try:
            exact.append(ExactRule(rule, *meaning_of(rule, universe)))
        except NotExactError:
            searched.append(rule)
    examination = _Examination(universe, tuple(exact))
    issues = examination.contradictions()
    removal = examination.removal
    examination.settle()
    for one in exact:
        issues += examination.alone(one)
    sound = [e for e in examination.sound if not any(e.rule.id in i.rules for i in issues if i.kind != "simplify")]
    for one in sound:
        issues += examination.beside(one)
    removable = examination.removable(issues)
    spans = examination.spans()
    issues += [_fixed(span, examination) for span in spans if span.fixed]
    return Audit(universe, tuple(exact), tuple(searched), tuple(issues), removable, removal, spans)


class _Examination:
    """The exact rules, first all of them, then (``settle``) those left when contradictions are removed."""

    def __init__(self, universe: Universe, rules: tuple[ExactRule, ...]) -> None:
        self.universe = universe
        self.rules = rules
        self.sound = rules
        self.removal: tuple[str, ...] = ()

    def possible(self, formulas: Iterable[Formula]) -> Verdict:
        return satisfiable(formulas, self.universe).verdict

    def contradictions(self) -> list[Issue]:
        """Minimal sets of rules that cannot hold together, and the least that must go; trial rules do not count."""
        issues: list[Issue] = []
        removed: list[str] = []
        counted = [r for r in self.rules if r.rule.severity is not Severity.TRIAL]
        for block in blocks(counted):
            cores: list[tuple[ExactRule, ...]] = []
            out: tuple[str, ...] = ()
            while len(cores) < MAX_CORES:
                left = [r for r in block if r.rule.id not in out]
                verdict = self.possible(r.satisfied for r in left)
                if verdict is Verdict.UNDECIDED:
                    issues.append(
                        Issue("contradiction", tuple(r.rule.id for r in left), proven=False, detail="未能判定")
                    )
                if verdict is not Verdict.IMPOSSIBLE:
                    break
                cores.append(tuple(self.core(left, ())))
                out = _least_removal(cores)
            removed += out
            issues += [
                Issue(
                    "contradiction",
                    tuple(r.rule.id for r in core),
                    detail="强制性规则相互矛盾"
                    if all(r.rule.severity is Severity.HARD for r in core)
                    else "规则相互矛盾",
                )
                for core in cores
            ]
        self.removal = tuple(r.rule.id for r in self.rules if r.rule.id in removed)
        return issues

    def settle(self) -> None:
        """Go on with what is consistent: among contradictory rules everything follows."""
        self.sound = tuple(r for r in self.rules if r.rule.id not in self.removal)

    def core(self, rules: Sequence[ExactRule], fixed: Sequence[Formula]) -> list[ExactRule]:
        """A smallest part of the rules (none can be left out) that cannot hold together with ``fixed``."""
        needed = list(rules)
        size = max(len(needed) // 2, 1)
        # Halves, quarters … first: most of a large set has nothing to do with it. The last round goes one by one.
        while size:
            place = 0
            while place < len(needed):
                fewer = needed[:place] + needed[place + size :]
                if self.possible([*fixed, *(r.satisfied for r in fewer)]) is Verdict.IMPOSSIBLE:
                    needed = fewer
                else:
                    place += size
            size //= 2
        return needed

    def alone(self, one: ExactRule) -> list[Issue]:
        """What is wrong with a rule by itself."""
        found = (one.rule.id,)
        if self.possible([one.applies.true]) is Verdict.IMPOSSIBLE:
            return [Issue("never_fires", found, detail="applies_if 永远不真")]
        if self.possible([one.broken]) is Verdict.IMPOSSIBLE:
            return [Issue("never_fails", found, detail="永远不会不成立")]
        if self.possible([one.applies.true, one.expression.true]) is Verdict.IMPOSSIBLE:
            return [Issue("never_holds", found, detail="永远不会成立")]
        return []

    def neighbours(self, one: ExactRule) -> list[ExactRule]:
        """The other rules of its block that are at least as strict: a soft rule takes nothing off a hard one."""
        block = next(b for b in blocks(self.sound) if one in b)
        return [
            r
            for r in block
            if r is not one and _STRICTNESS[r.rule.severity] >= _STRICTNESS[one.rule.severity]
        ]  # fmt: skip

    def beside(self, one: ExactRule) -> list[Issue]:
        """What the other rules make of a rule: implied, never firing, or simpler than it is written."""
        others = self.neighbours(one)
        context = [r.satisfied for r in others]
        if self.possible([*context, one.broken]) is Verdict.IMPOSSIBLE:
            because = tuple(r.rule.id for r in self.core(others, [one.broken]))
            return [
                Issue("redundant", (one.rule.id,), because, detail="其他规则成立时它必然成立"),
                *self._silent(one, others),
            ]
        return [*self._silent(one, others), *self._simpler(one, others)]

    def _silent(self, one: ExactRule, others: list[ExactRule]) -> list[Issue]:
        """Conditions that never become true when the other rules hold."""
        found = []
        for what, formula in self._conditions(one):
            if self.possible([*(r.satisfied for r in others), formula]) is Verdict.IMPOSSIBLE:
                because = tuple(r.rule.id for r in self.core(others, [formula]))
                found.append(Issue("never_fires", (one.rule.id,), because, detail=f"{what}在其他规则成立时永远不真"))
        return found

    def _conditions(self, one: ExactRule) -> list[tuple[str, Formula]]:
        found = [] if one.rule.applies is None else [("applies_if ", one.applies.true)]
        node = one.rule.node
        if isinstance(node, Call) and node.function == "if" and len(node.arguments) == 2:
            premise = formula_of(node.arguments[0], self.universe)
            found.append((f"条件 {table_text(node.arguments[0])} ", both(one.applies.true, premise.true)))
        return found

    def _simpler(self, one: ExactRule, others: list[ExactRule]) -> list[Issue]:
        """``if A then B`` where B can never hold (it says not A), or where it is always demanded (it says B)."""
        node = one.rule.node
        if not (isinstance(node, Call) and node.function == "if" and len(node.arguments) == 2):
            return []
        premise = formula_of(node.arguments[0], self.universe)
        then = formula_of(node.arguments[1], self.universe, one.rule.tolerance)
        context = [r.satisfied for r in others]
        if self.possible([*context, then.true]) is Verdict.IMPOSSIBLE:
            text = f"结论永远不成立,等于说 not ({table_text(node.arguments[0])})"
            return [
                Issue("simplify", (one.rule.id,), tuple(r.rule.id for r in self.core(others, [then.true])), detail=text)
            ]
        unless = both(premise.false, then.false)
        if self.possible([*context, one.satisfied, unless]) is Verdict.IMPOSSIBLE:
            because = tuple(r.rule.id for r in self.core(others, [one.satisfied, unless]))
            return [
                Issue("simplify", (one.rule.id,), because, detail=f"条件可省,等于说 {table_text(node.arguments[1])}")
            ]
        return []

    def removable(self, issues: Sequence[Issue]) -> tuple[str, ...]:
        """Rules that can go one after the other, from the last to the first, each implied by those that stay."""
        redundant = {r for i in issues if i.kind == "redundant" for r in i.rules}
        useless = {r for i in issues if i.kind == "never_fails" for r in i.rules}
        kept = list(self.sound)
        gone: list[str] = []
        for one in reversed(self.sound):
            if one.rule.id in useless:
                kept.remove(one)
                gone.append(one.rule.id)
            elif one.rule.id in redundant:
                strict = [
                    r for r in kept if r is not one and _STRICTNESS[r.rule.severity] >= _STRICTNESS[one.rule.severity]
                ]
                if self.possible([*(r.satisfied for r in strict), one.broken]) is Verdict.IMPOSSIBLE:
                    kept.remove(one)
                    gone.append(one.rule.id)
        return tuple(reversed(gone))

    def spans(self) -> tuple[Span, ...]:
        """What each column can be when all rules hold."""
        found: list[Span] = []
        for block in blocks([r for r in self.sound if r.rule.severity is not Severity.TRIAL]):
            formulas = [r.satisfied for r in block]
            if self.possible(formulas) is not Verdict.POSSIBLE:
                continue
            names = {n for f in formulas for n in variables(f)}
            for name in sorted(
                n for n in names if self.universe.kinds.get(n) in ("number", "date") and n not in self.universe.optional
            ):
                least, most = (extreme(formulas, name, sign, self.universe) for sign in (-1, 1))
                if not isinstance(least, Verdict) and not isinstance(most, Verdict):
                    found.append(Span(name, least, most))
            for name in sorted(
                n for n in names if self.universe.kinds.get(n) == "text" and n not in self.universe.optional
            ):
                texts = self._texts(name, formulas)
                if texts:
                    found.append(Span(name, None, None, texts))
        return tuple(found)

    def _texts(self, name: str, formulas: list[Formula]) -> tuple[str, ...]:
        """The codes a text can be; none where it may be anything else as well."""
        said = {t for f in formulas for a in _atoms(f) if isinstance(a, Member) and a.variable == name for t in a.texts}
        domain = self.universe.domains.get(name)
        listed = said if domain is None else domain
        if (
            domain is None
            and self.possible([*formulas, Member(name, frozenset(said), False)]) is not Verdict.IMPOSSIBLE
        ):
            return ()
        return tuple(
            t
            for t in sorted(listed)
            if self.possible([*formulas, Member(name, frozenset({t}))]) is not Verdict.IMPOSSIBLE
        )


def _fixed(span: Span, examination: _Examination) -> Issue:
    shown = span.texts[0] if span.texts else str(span.least)
    value = (
        Member(span.column, frozenset(span.texts))
        if span.texts
        else condition(Form({span.column: Fraction(1)}, -(span.least or Fraction(0))), "==")
    )
    block = next(b for b in blocks(examination.sound) if any(span.column in variables(r.satisfied) for r in b))
    because = tuple(r.rule.id for r in examination.core(block, [opposite(value)]))
    return Issue("fixed", because, detail=f"{span.column} 只能是 {shown}", column=span.column, value=shown)


def _atoms(formula: Formula) -> list[Formula]:
    return [a for p in formula.parts for a in _atoms(p)] if isinstance(formula, All | Any) else [formula]


def variables(formula: Formula) -> frozenset[str]:
    """The columns a formula speaks of."""
    match formula:
        case All(parts=parts) | Any(parts=parts):
            return frozenset[str]().union(*map(variables, parts))
        case Linear(terms=terms):
            return frozenset(v for v, _ in terms)
        case Member(variable=variable):
            return frozenset({variable})
        case Flag(name=name):
            return frozenset({name.partition(":")[2]})
    raise AssertionError(formula)


def blocks(rules: Sequence[ExactRule]) -> list[list[ExactRule]]:
    """The rules in groups that share no column: what one group says is nothing to another."""
    groups: list[tuple[set[str], list[ExactRule]]] = []
    for one in rules:
        names = set(variables(one.satisfied) | variables(one.broken))
        touching = [g for g in groups if g[0] & names]
        groups = [g for g in groups if not g[0] & names]
        merged = ({*names, *(n for g in touching for n in g[0])}, [*(r for g in touching for r in g[1]), one])
        groups.append(merged)
    order = {id(r): n for n, r in enumerate(rules)}
    return sorted((sorted(g, key=lambda r: order[id(r)]) for _, g in groups), key=lambda g: order[id(g[0])])


def _least_removal(cores: Sequence[Sequence[ExactRule]]) -> tuple[str, ...]:
    """The fewest rules that hit every core, softer and later ones first: a set cover by HiGHS."""
    names = list(dict.fromkeys(r.rule.id for core in cores for r in core))
    strict = {r.rule.id: _STRICTNESS[r.rule.severity] for core in cores for r in core}
    cover = np.array([[1.0 if n in {r.rule.id for r in core} else 0.0 for n in names] for core in cores])
    cost = np.array([1.0 + 0.1 * strict[n] - 0.0001 * i for i, n in enumerate(names)])
    found = scipy.optimize.milp(
        cost,
        constraints=scipy.optimize.LinearConstraint(cover, 1.0),
        integrality=np.ones(len(names), dtype=np.int64),
        bounds=scipy.optimize.Bounds(0, 1),
    )
    chosen = [] if found.x is None else found.x.tolist()
    return tuple(n for n, x in zip(names, chosen, strict=True) if x > 0.5)


def records_for(audit: Audit, one: ExactRule) -> tuple[Record | None, Record | None]:
    """(a record on which the rule holds, one on which it fails), the other rules holding where that can be."""
    block = next(b for b in blocks(audit.exact) if one in b)
    others = [r.satisfied for r in block if r.rule.id not in audit.least_removal and r.rule.id != one.rule.id]
    wanted = (both(one.applies.true, one.expression.true), one.broken)
    found: list[Record | None] = []
    for formula in wanted:
        answer = satisfiable([formula, *others], audit.universe)
        if answer.record is None:
            answer = satisfiable([formula], audit.universe)
        found.append(answer.record)
    return found[0], found[1]


def with_blank(record: Record, column: str) -> Record:
    """The record with one column blank."""
    return replace(record, flags={**record.flags, f"present:{column}": False})
