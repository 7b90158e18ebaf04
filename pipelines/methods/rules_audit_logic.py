"""From a rule to a formula over linear inequalities, code sets and flags, exact in the three values of the language.

``formula_of`` gives two classical formulas of a condition: when it is true and when it is false; elsewhere it is unknown
(a blank, a division by zero). A numeric expression is a list of pieces, each a linear form with the guard under which it is
the value: ``abs``, ``max``, ``min``, ``nz``, ``coalesce`` and ``if`` split cases, a quotient compared with a constant is
multiplied out by the sign of its denominator. What is not piecewise linear raises NotExactError and is left to search.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import reduce
from typing import TypeAlias

from pipelines.methods.rules_audit_universe import Universe
from schemas.rule_file import TableRule
from schemas.syntax import COMPARISONS, Binary, Call, In, Logic, Name, Node, Number, Text, Unary, children, walk
from schemas.table_parser import LIST, table_text
from schemas.table_terms import NO_TOLERANCE, Tolerance
from schemas.table_vocabulary import SYNONYMS

MAX_PIECES = 64
ELSEWHERE = frozenset({"prev", "yoy", "last", "register", "other"})


class NotExactError(Exception):
    """The condition is not piecewise linear over numbers and code sets."""


@dataclass(frozen=True)
class Linear:
    """Σ coefficient · variable + constant ``op`` 0, with op in ``< <= ==``."""

    terms: tuple[tuple[str, Fraction], ...]
    constant: Fraction
    op: str

    def value(self, values: Mapping[str, Fraction]) -> Fraction:
        return sum((c * values.get(v, Fraction(0)) for v, c in self.terms), self.constant)

    def holds(self, values: Mapping[str, Fraction]) -> bool:
        found = self.value(values)
        return found < 0 if self.op == "<" else found <= 0 if self.op == "<=" else found == 0


@dataclass(frozen=True)
class Member:
    """A text is one of ``texts``, or is not."""

    variable: str
    texts: frozenset[str]
    inside: bool = True


@dataclass(frozen=True)
class Flag:
    """A yes or no: a flag column, or (``present:x``) whether a column is filled."""

    name: str
    value: bool = True


@dataclass(frozen=True)
class All:
    """Every part; none is the truth."""

    parts: tuple[Formula, ...] = ()


@dataclass(frozen=True)
class Any:
    """One part at least; none is a contradiction."""

    parts: tuple[Formula, ...] = ()


Formula: TypeAlias = Linear | Member | Flag | All | Any
TRUE, FALSE = All(), Any()


@dataclass(frozen=True)
class Form:
    """A linear form: coefficients and constant."""

    terms: Mapping[str, Fraction]
    constant: Fraction = Fraction(0)

    def plus(self, other: Form, factor: Fraction = Fraction(1)) -> Form:
        names = self.terms.keys() | other.terms.keys()
        terms = {n: self.terms.get(n, Fraction(0)) + factor * other.terms.get(n, Fraction(0)) for n in names}
        return Form({n: c for n, c in terms.items() if c}, self.constant + factor * other.constant)

    def times(self, factor: Fraction) -> Form:
        return Form({n: c * factor for n, c in self.terms.items() if factor}, self.constant * factor)

    @property
    def is_constant(self) -> bool:
        return not self.terms


Piece: TypeAlias = tuple[Formula, Form]


def both(*parts: Formula) -> Formula:
    """All of them, flattened."""
    flat = [q for p in parts for q in (p.parts if isinstance(p, All) else (p,))]
    if any(isinstance(p, Any) and not p.parts for p in flat):
        return FALSE
    return flat[0] if len(flat) == 1 else All(tuple(dict.fromkeys(flat)))


def either(*parts: Formula) -> Formula:
    """One of them at least, flattened."""
    flat = [q for p in parts for q in (p.parts if isinstance(p, Any) else (p,))]
    if any(isinstance(p, All) and not p.parts for p in flat):
        return TRUE
    return flat[0] if len(flat) == 1 else Any(tuple(dict.fromkeys(flat)))


def opposite(formula: Formula) -> Formula:
    """The classical negation."""
    match formula:
        case All(parts=parts):
            return either(*map(opposite, parts))
        case Any(parts=parts):
            return both(*map(opposite, parts))
        case Member(variable=variable, texts=texts, inside=inside):
            return Member(variable, texts, not inside)
        case Flag(name=name, value=value):
            return Flag(name, not value)
        case Linear(terms=terms, constant=constant, op="=="):
            return either(_less(terms, constant, "<"), _less(_turned(terms), -constant, "<"))
        case Linear(terms=terms, constant=constant, op=op):
            return _less(_turned(terms), -constant, "<=" if op == "<" else "<")
    raise AssertionError(formula)


def _turned(terms: tuple[tuple[str, Fraction], ...]) -> tuple[tuple[str, Fraction], ...]:
    return tuple((v, -c) for v, c in terms)


def _less(terms: tuple[tuple[str, Fraction], ...], constant: Fraction, op: str) -> Formula:
    if not terms:
        return TRUE if Linear((), constant, op).holds({}) else FALSE
    return Linear(terms, constant, op)


def condition(form: Form, op: str) -> Formula:
    """form ``op`` 0 for any comparison."""
    terms = tuple(sorted(form.terms.items()))
    match op:
        case "<" | "<=" | "==":
            return _less(terms, form.constant, op)
        case ">" | ">=":
            return _less(_turned(terms), -form.constant, "<" if op == ">" else "<=")
    return opposite(_less(terms, form.constant, "=="))


def present(universe: Universe, name: str) -> Formula:
    """That a column is filled: a fact where it is never blank."""
    return Flag(f"present:{name}") if name in universe.optional else TRUE


@dataclass(frozen=True)
class Meaning:
    """When a condition is true and when it is false; in all other cases it is unknown."""

    true: Formula
    false: Formula

    @property
    def turned(self) -> Meaning:
        return Meaning(self.false, self.true)


def formula_of(node: Node, universe: Universe, tolerance: Tolerance = NO_TOLERANCE) -> Meaning:
    """When a condition is true and when false. Raises NotExactError."""
    if tolerance.relative:
        raise NotExactError("relative tolerance")
    return _Translation(universe, Fraction(tolerance.absolute)).condition(node)


def meaning_of(rule: TableRule, universe: Universe) -> tuple[Meaning, Meaning]:
    """(the expression, its applies_if) of a rule. Raises NotExactError."""
    applies = Meaning(TRUE, FALSE) if rule.applies is None else formula_of(rule.applies, universe)
    return formula_of(rule.node, universe, rule.tolerance), applies


class _Translation:
    def __init__(self, universe: Universe, tolerance: Fraction) -> None:
        self.universe, self.tolerance = universe, tolerance

    def condition(self, node: Node) -> Meaning:
        match node:
            case Unary(op="not", operand=operand):
                return self.condition(operand).turned
            case Logic(op=op, operands=operands):
                found = [self.condition(o) for o in operands]
                if op == "and":
                    return Meaning(both(*(m.true for m in found)), either(*(m.false for m in found)))
                return Meaning(either(*(m.true for m in found)), both(*(m.false for m in found)))
            case Name(code=name) if self.universe.kinds.get(name) == "boolean":
                return self._literal(name, Flag(f"is:{name}"))
            case Binary(op=op) if op in COMPARISONS:
                return self._comparison(node)
            case In():
                return self._in(node)
            case Call(function="if"):
                return self._if(node)
            case Call():
                return self._call(node)
        raise NotExactError(table_text(node))

    def _literal(self, name: str, literal: Formula) -> Meaning:
        filled = present(self.universe, name)
        return Meaning(both(filled, literal), both(filled, opposite(literal)))

    def _if(self, node: Call) -> Meaning:
        premise, *rest = node.arguments
        test = _Translation(self.universe, Fraction(0)).condition(premise)
        then = self.condition(rest[0])
        holds = Meaning(either(test.false, then.true), both(test.true, then.false))
        if len(rest) == 1:
            return holds
        other = self.condition(rest[1])
        second = Meaning(either(test.true, other.true), both(test.false, other.false))
        return Meaning(both(holds.true, second.true), either(holds.false, second.false))

    def _call(self, node: Call) -> Meaning:
        function = SYNONYMS.get(node.function, node.function)
        match function:
            case "true" | "false":
                return Meaning(TRUE, FALSE) if function == "true" else Meaning(FALSE, TRUE)
            case "is_present" | "is_missing" | "is_complete" if all(isinstance(a, Name) for a in node.arguments):
                filled = both(*(present(self.universe, a.code) for a in node.arguments if isinstance(a, Name)))
                found = Meaning(filled, opposite(filled))
                return found.turned if function == "is_missing" else found
            case "in_range":
                value, low, high, *strict = node.arguments
                op = "<" if strict and table_text(strict[0]) == "strict = true" else "<="
                return self.condition(Logic("and", (Binary(op, low, value), Binary(op, value, high))))
            case "in_codelist" if len(node.arguments) == 2 and isinstance(node.arguments[0], Name):
                name = node.arguments[1]
                codes = self.universe.codelists.get(name.value) if isinstance(name, Text) else None
                if codes is not None and self.universe.kinds.get(node.arguments[0].code) == "text":
                    return self._literal(node.arguments[0].code, Member(node.arguments[0].code, codes))
        raise NotExactError(table_text(node))

    def _in(self, node: In) -> Meaning:
        if isinstance(node.operand, Name) and self.universe.kinds.get(node.operand.code) == "text":
            texts = frozenset(str(c.value) for c in node.choices)
            return self._literal(node.operand.code, Member(node.operand.code, texts))
        tests = [self._numeric("==", node.operand, c) for c in node.choices]
        return Meaning(either(*(t.true for t in tests)), both(*(t.false for t in tests)))

    def _comparison(self, node: Binary) -> Meaning:
        left, right = node.left, node.right
        if isinstance(left, Text | Number | Call) and isinstance(right, Name):
            turned = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
            return self._comparison(Binary(turned.get(node.op, node.op), right, left))
        if isinstance(left, Name):
            kind = self.universe.kinds.get(left.code)
            if kind == "text" and isinstance(right, Text | Number) and node.op in ("==", "!="):
                return self._literal(left.code, Member(left.code, frozenset({str(right.value)}), node.op == "=="))
            if kind == "boolean" and node.op in ("==", "!="):
                said = _flag_value(right)
                if said is not None:
                    return self._literal(left.code, Flag(f"is:{left.code}", said == (node.op == "==")))
            if kind == "date" and (day := _day(right)) is not None:
                return self._numeric(node.op, left, Number(Decimal(day)))
            if kind in ("text", "boolean"):
                raise NotExactError(table_text(node))
        return self._numeric(node.op, left, right)

    def _numeric(self, op: str, left: Node, right: Node) -> Meaning:
        true: list[Formula] = []
        false: list[Formula] = []
        for guard, form, sign in self._difference(left, right):
            actual = op if sign > 0 else {"<": ">", "<=": ">=", ">": "<", ">=": "<="}.get(op, op)
            holds = self._relaxed(form, actual, op) if sign else TRUE
            true.append(both(guard, holds))
            false.append(both(guard, opposite(holds)))
            if len(true) > MAX_PIECES:
                raise NotExactError("too many cases")
        return Meaning(either(*true), either(*false))

    def _relaxed(self, form: Form, op: str, written: str) -> Formula:
        """The comparison with its tolerance; ``==`` is a band."""
        slack = self.tolerance
        if not slack or op in ("<", ">"):
            return condition(form, op)
        widened = Form(form.terms, form.constant - slack), Form(form.terms, form.constant + slack)
        match op:
            case "<=":
                return condition(widened[0], "<=")
            case ">=":
                return condition(widened[1], ">=")
        band = both(condition(widened[0], "<="), condition(widened[1], ">="))
        return band if op == "==" else opposite(band)

    def _difference(self, left: Node, right: Node) -> list[tuple[Formula, Form, int]]:
        """(guard, form, sign): the comparison is ``form op 0``, turned round where the sign is −1."""
        ratio, other, order = (left, right, 1) if _is_quotient(left) else (right, left, -1)
        if isinstance(ratio, Binary) and _is_quotient(ratio):
            if self.tolerance:
                raise NotExactError("quotient with tolerance")
            found = []
            for above, top in self.pieces(ratio.left):
                for below, bottom in self.pieces(ratio.right):
                    for beside, value in self.pieces(other):
                        crossed = top.plus(_product(value, bottom), Fraction(-1)).times(Fraction(order))
                        guard = both(above, below, beside)
                        found.append((both(guard, condition(bottom, ">")), crossed, 1))
                        found.append((both(guard, condition(bottom, "<")), crossed, -1))
            return found
        return [
            (both(a, b), first.plus(second, Fraction(-1)), 1)
            for a, first in self.pieces(left)
            for b, second in self.pieces(right)
        ]

    def pieces(self, node: Node) -> list[Piece]:
        """The value of a numeric expression, case by case."""
        found = self._pieces(node)
        if len(found) > MAX_PIECES:
            raise NotExactError("too many cases")
        return found

    def _pieces(self, node: Node) -> list[Piece]:
        match node:
            case Number(value=value):
                return [(TRUE, Form({}, Fraction(value)))]
            case Name(code=name) if self.universe.kinds.get(name, "number") in ("number", "date"):
                return [(present(self.universe, name), Form({name: Fraction(1)}))]
            case Unary(op="-", operand=operand):
                return [(g, f.times(Fraction(-1))) for g, f in self.pieces(operand)]
            case Binary(op="+" | "-" as op, left=left, right=right):
                sign = Fraction(1 if op == "+" else -1)
                return [(both(g, h), a.plus(b, sign)) for g, a in self.pieces(left) for h, b in self.pieces(right)]
            case Binary(op="*", left=left, right=right):
                return [(both(g, h), _product(a, b)) for g, a in self.pieces(left) for h, b in self.pieces(right)]
            case Binary(op="/", left=left, right=right):
                return [
                    (both(g, h), a.times(1 / b.constant))
                    for g, a in self.pieces(left)
                    for h, b in self.pieces(right)
                    if _usable(b)
                ]
            case Call(function="if", arguments=(test, then, other)):
                when = _Translation(self.universe, Fraction(0)).condition(test)
                return [(both(when.true, g), f) for g, f in self.pieces(then)] + [
                    (both(when.false, g), f) for g, f in self.pieces(other)
                ]
            case Call(function=function, arguments=arguments):
                return self._function(SYNONYMS.get(function, function), arguments, node)
        raise NotExactError(table_text(node))

    def _function(self, function: str, arguments: tuple[Node, ...], node: Call) -> list[Piece]:
        match function:
            case "abs":
                return [
                    piece
                    for g, f in self.pieces(arguments[0])
                    for piece in ((both(g, condition(f, ">=")), f), (both(g, condition(f, "<")), f.times(Fraction(-1))))
                ]
            case "max" | "min" if len(arguments) >= 2 and not any(
                isinstance(a, Binary) and a.op == "=" for a in arguments
            ):
                return reduce(lambda a, b: _larger(a, b, function), map(self.pieces, arguments))
            case "nz" if isinstance(arguments[0], Name):
                absent = opposite(present(self.universe, arguments[0].code))
                return [*self.pieces(arguments[0]), (absent, Form({}))]
            case "coalesce" if all(isinstance(a, Name) for a in arguments[:-1]):
                found: list[Piece] = []
                absent = TRUE
                for argument in arguments:
                    found += [(both(absent, g), f) for g, f in self.pieces(argument)]
                    if isinstance(argument, Name):
                        absent = both(absent, opposite(present(self.universe, argument.code)))
                return found
            case _ if function in ELSEWHERE and not any(
                isinstance(a, Call) and a.function == LIST for a in children(node)
            ):
                return [(TRUE, Form({table_text(node): Fraction(1)}))]
        raise NotExactError(table_text(node))


def _larger(first: list[Piece], second: list[Piece], function: str) -> list[Piece]:
    found: list[Piece] = []
    for g, a in first:
        for h, b in second:
            gap = a.plus(b, Fraction(-1)) if function == "max" else b.plus(a, Fraction(-1))
            found.append((both(g, h, condition(gap, ">=")), a))
            found.append((both(g, h, condition(gap, "<")), b))
    return found


def _is_quotient(node: Node) -> bool:
    return isinstance(node, Binary) and node.op == "/" and any(isinstance(n, Name | Call) for n in walk(node.right))


def _product(a: Form, b: Form) -> Form:
    if a.is_constant:
        return b.times(a.constant)
    if b.is_constant:
        return a.times(b.constant)
    raise NotExactError("product of two columns")


def _usable(divisor: Form) -> bool:
    """Whether a constant divisor gives a value; a variable one is no linear form."""
    if not divisor.is_constant:
        raise NotExactError("quotient inside a sum")
    return divisor.constant != 0


def _flag_value(node: Node) -> bool | None:
    if isinstance(node, Call) and node.function in ("true", "false"):
        return node.function == "true"
    return bool(node.value) if isinstance(node, Number) and node.value in (0, 1) else None


def _day(node: Node) -> int | None:
    text = node.arguments[0] if isinstance(node, Call) and node.function == "date" else node
    if not isinstance(text, Text):
        return None
    try:
        return date.fromisoformat(text.value).toordinal()
    except ValueError:
        raise NotExactError(text.value) from None


def pieces_of(node: Node, universe: Universe) -> list[Piece]:
    """The value of a numeric expression, case by case. Raises NotExactError."""
    return _Translation(universe, Fraction(0)).pieces(node)
