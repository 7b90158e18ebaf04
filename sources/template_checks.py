"""Audit relations as plain worksheet formulas that count the rows on which they fail.

Only for the self-check sheet of the template, and only what plain functions say exactly: comparisons of figures of one
form with ``nz abs isnull notnull and or not``. A row counts as failing when the relation is certainly false; a relation
that hangs on a blank cell is not counted, as in survey_system.md 8.3. What cannot be said this way is left out: the
server checks every rule and decides.
"""

from __future__ import annotations

from dataclasses import dataclass

from schemas.expression import Binary, Call, Logic, Name, Node, Number, Unary, parse
from schemas.layout import FIRST_ROW, SheetLayout
from schemas.model import AuditRule, FormKind, Severity, ValueType
from sources.writer import MAX_FORMULA, quoted

_OPERATORS = {"==": "=", "!=": "<>", "<=": "<=", ">=": ">=", "<": "<", ">": ">"}


class _BeyondPlainFunctionsError(Exception):
    """The relation needs more than plain functions over one form."""


@dataclass(frozen=True)
class _Truth:
    """Two arrays of 0 and 1: where a condition is certainly true, and where it is certainly false."""

    true: str
    false: str


@dataclass(frozen=True)
class _Amount:
    """An arithmetic text, and the cells that must hold numbers for it to be known."""

    text: str
    needs: frozenset[str]


def failing_rows(rule: AuditRule, layout: SheetLayout, rows: int) -> str | None:
    """The formula that counts the rows on which a hard rule fails; None where plain functions cannot say it."""
    if rule.severity is not Severity.HARD or not rule.in_template or layout.period.round not in rule.rounds:
        return None
    try:
        scope = _Scope(layout, rows)
        failing = scope.truth(parse(rule.expression)).false
        if rule.applies_if:
            failing = f"{scope.truth(parse(rule.applies_if)).true}*{failing}"
    except _BeyondPlainFunctionsError:
        return None
    formula = f'=IFERROR(SUMPRODUCT(1*({failing})),"有文字")'
    return formula if len(formula) <= MAX_FORMULA else None


class _Scope:
    """The figures of one form: code → range of cells."""

    def __init__(self, layout: SheetLayout, rows: int) -> None:
        sheet = quoted(layout.name)
        numbers = [i.code for i in layout.asked if i.type is ValueType.NUMBER]
        if layout.form.kind is FormKind.SHEET:
            self.cells = {code: f"{sheet}!{layout.cell(code)}" for code in numbers}
        else:
            last = layout.last_row(rows)
            letters = {code: layout.column(code).letter for code in numbers}
            self.cells = {code: f"{sheet}!${letter}${FIRST_ROW}:${letter}${last}" for code, letter in letters.items()}

    def cell(self, name: Node) -> str:
        if isinstance(name, Name) and not name.lag and name.code in self.cells:
            return self.cells[name.code]
        raise _BeyondPlainFunctionsError

    def truth(self, node: Node) -> _Truth:
        match node:
            case Unary(op="not", operand=operand):
                inner = self.truth(operand)
                return _Truth(inner.false, inner.true)
            case Logic(op=op, operands=operands):
                parts = [self.truth(operand) for operand in operands]
                if op == "and":
                    return _Truth(_all([p.true for p in parts]), _any([p.false for p in parts]))
                return _Truth(_any([p.true for p in parts]), _all([p.false for p in parts]))
            case Call(function="isnull" | "notnull" as function, arguments=(name,)):
                blank, filled = f"(LEN({self.cell(name)})=0)", f"(LEN({self.cell(name)})>0)"
                return _Truth(blank, filled) if function == "isnull" else _Truth(filled, blank)
            case Binary(op=op) if op in _OPERATORS:
                amount = self.amount(node)
                known = "".join(f"ISNUMBER({cell})*" for cell in sorted(amount.needs))
                return _Truth(f"({known}{amount.text})", f"({known}(1-{amount.text}))")
        raise _BeyondPlainFunctionsError

    def amount(self, node: Node) -> _Amount:
        match node:
            case Number(value=value):
                return _Amount(format(value, "f"), frozenset())
            case Name():
                return _Amount(self.cell(node), frozenset({self.cell(node)}))
            case Call(function="nz", arguments=(name,)):
                return _Amount(self.cell(name), frozenset())
            case Call(function="abs", arguments=(inner,)):
                amount = self.amount(inner)
                return _Amount(f"ABS({amount.text})", amount.needs)
            case Unary(op="-", operand=operand):
                amount = self.amount(operand)
                return _Amount(f"(-{amount.text})", amount.needs)
            case Binary(op=op, left=left, right=right):
                if op == "/" and not (isinstance(right, Number) and right.value):
                    raise _BeyondPlainFunctionsError
                first, second = self.amount(left), self.amount(right)
                return _Amount(f"({first.text}{_OPERATORS.get(op, op)}{second.text})", first.needs | second.needs)
        raise _BeyondPlainFunctionsError


def _all(parts: list[str]) -> str:
    return f"({'*'.join(parts)})"


def _any(parts: list[str]) -> str:
    return f"(({'+'.join(parts)})>0)"


def blank_required_cells(layout: SheetLayout, rows: int) -> str | None:
    """The formula that counts empty required cells; None where nothing is required unconditionally.

    On a form that every listed unit owes, all rows count; elsewhere (conditional forms, spare rows) a row counts once
    something is filled in it.
    """
    required = [i.code for i in layout.asked if i.required and not i.applies_if]
    if not required:
        return None
    sheet = quoted(layout.name)
    if layout.form.kind is FormKind.SHEET:
        return "=" + "+".join(f"COUNTBLANK({sheet}!{layout.cell(code)})" for code in required)
    last = layout.last_row(rows)
    areas = [f"{sheet}!${c}${FIRST_ROW}:${c}${last}" for c in (layout.column(code).letter for code in required)]
    if layout.is_enterprise and not layout.form.applies_if:
        return "=" + "+".join(f"COUNTBLANK({area})" for area in areas)
    begun = "+".join(f"(LEN({area})>0)" for area in areas)
    blank = "+".join(f"(LEN({area})=0)" for area in areas)
    return f"=SUMPRODUCT((({begun})>0)*({blank}))"
