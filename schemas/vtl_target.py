"""The rule language as VTL 2.1 (Validation and Transformation Language, SDMX): one condition over the components of a row.

VTL knows null as we do, and its ``and``, ``or``, ``not`` are Kleene's. Division by zero is made null, numbers with decimals
are rounded to them on both sides of a comparison, ``max`` and ``min`` of several values and the year of a date are spelled out.
Operands of other periods are components of their own (``F01_yoy``), as everywhere. Source: VTL 2.1 reference manual.

Not expressible in a rule over one row: check characters, uniqueness, sums over a roster, other parks and years, the size table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import cast

from schemas.environment import Environment
from schemas.errors import DefinitionError
from schemas.expression import Node, operand_column
from schemas.model import AuditRule, Severity
from schemas.polars_rows import columns_of
from schemas.typed_expression import BOOLEAN, TEXT, Family, Typed

__all__ = ["to_vtl", "vtl_ruleset"]

MOST_CODES = 200
_REASONS = {
    "unique": "要与其他行比较",
    "code_number": "代码不能逐行读成数",
    "valid_uscc": "没有校验位的算法",
    "in_roster": "要查名册",
    "SUM": "要对名册求和",
    "COUNT": "要对名册计数",
    "COUNT_PARK": "要查各园区的报表",
    "size_class": "要查企业规模划分表",
    "hightech_class": "要查高技术产业分类表",
    **dict.fromkeys(("CUM", "BASE", "STAGE", "STAGE_DELTA", "CAGR"), "要用其他年份的数据"),
}


def to_vtl(node: Node | str, env: Environment) -> str:
    """One expression as a VTL scalar expression. Raises DefinitionError with the reason where VTL cannot say it."""
    return _vtl(env.typed(node), env)


def vtl_ruleset(name: str, rules: Iterable[AuditRule], env: Environment) -> tuple[str, dict[str, str]]:
    """A data point ruleset of the rules VTL can say, and rule id → reason for the others.

    ``errorlevel`` is 1 for hard rules, 2 for soft and 3 for trial ones; the condition of a rule is its ``when``.
    """
    lines: list[str] = []
    left_out: dict[str, str] = {}
    variables: dict[str, None] = {}
    levels = {Severity.HARD: 1, Severity.SOFT: 2, Severity.TRIAL: 3}
    for rule in rules:
        try:
            condition = to_vtl(rule.expression, env)
            applies = f"when {to_vtl(rule.applies_if, env)} then " if rule.applies_if else ""
        except DefinitionError as error:
            left_out[rule.id] = error.message
            continue
        for text in filter(None, (rule.expression, rule.applies_if)):
            variables |= dict.fromkeys(operand_column(*at) for at in columns_of(env.typed(text)))
        message = rule.message.replace('"', "'")
        lines.append(f'  {rule.id}: {applies}{condition} errorcode "{message}" errorlevel {levels[rule.severity]}')
    if not lines:
        return "", left_out
    head = f"define datapoint ruleset {name} (variable {', '.join(sorted(variables))}) is\n"
    return head + ";\n".join(lines) + "\nend datapoint ruleset;\n", left_out


def _not_expressible(reason: str) -> DefinitionError:
    return DefinitionError(f"不能写成 VTL:{reason}", remedy="由系统在报送时审核。")


def _vtl(node: Typed, env: Environment) -> str:
    if node.op not in _OPERATIONS:
        raise _not_expressible(_REASONS.get(node.op, f"没有与 {node.text or node.op} 相当的运算"))
    return _OPERATIONS[node.op](node, env)


def _args(node: Typed, env: Environment) -> list[str]:
    return [_vtl(arg, env) for arg in node.args]


def _text(value: str) -> str:
    if '"' in value:
        raise _not_expressible("文字中有双引号")
    return f'"{value}"'


def _set(codes: Iterable[str]) -> str:
    return "{" + ", ".join(map(_text, dict.fromkeys(codes))) + "}"


def _joined(sign: str) -> Callable[[Typed, Environment], str]:
    return lambda node, env: f"({f' {sign} '.join(_args(node, env))})"


def _quotient(node: Typed, env: Environment) -> str:
    left, right = _args(node, env)
    divisor = node.args[1].args[0] if node.args[1].op == "float" else node.args[1]
    if divisor.op == "number" and divisor.value:
        return f"({left} / {right})"
    return f"(if {right} = 0 then null else {left} / {right})"


def _extreme(node: Typed, env: Environment) -> str:
    sign = ">=" if node.op == "max" else "<="
    first, *others = _args(node, env)
    for other in others:
        # A condition that is null takes the else branch; there the difference of a value with itself brings the null back.
        first = f"(if {first} {sign} {other} then {first} else {other} + ({first} - {first}))"
    return first


_SIGNS = {"eq": "=", "ne": "<>", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}


def _comparison(node: Typed, env: Environment) -> str:
    left, right = node.args
    if left.op == "text":
        left, right = right, left
    if left.op == "section" and right.op == "text":
        found = _section_in(left, [cast(str, right.value)], env)
        return found if node.op == "eq" else f"(not {found})"
    sides = _args(node, env)
    scale = max(left.kind.scale, right.kind.scale)
    if left.kind.family is Family.EXACT and scale:
        plain = ("number", "column")
        sides = [t if a.op in plain else f"round({t}, {scale})" for a, t in zip((left, right), sides, strict=True)]
    return f"({sides[0]} {_SIGNS[node.op]} {sides[1]})"


def _section_in(node: Typed, letters: Sequence[str], env: Environment) -> str:
    division = f"substr({_vtl(node.args[0], env)}, 1, 2)"
    inside = [d for d, letter in env.industries.items() if letter in letters]
    known = f"({division} in {_set(env.industries)})"
    other = f"((not {known}) and cast(null, boolean))"  # of no section: false or null is null
    return f"(({division} in {_set(inside)}) or {other})" if inside else f"((not {known}) and cast(null, boolean))"


def _in(node: Typed, env: Environment) -> str:
    (operand,) = node.args
    choices = cast("tuple[str, ...]", node.value)
    if operand.op == "section":
        return _section_in(operand, choices, env)
    return f"({_vtl(operand, env)} in {_set(choices)})"


def _in_codelist(node: Typed, env: Environment) -> str:
    name = cast(str, node.value)
    codes = env.codelists.get(name)
    if len(node.args) > 1 or codes is None:
        raise _not_expressible(f"要查代码表 {name}")
    if len(codes) > MOST_CODES:
        raise _not_expressible(f"代码表 {name} 有 {len(codes)} 个代码,要另作值域")
    value = _vtl(node.args[0], env)
    return f"({value} in {_set(sorted(codes))})" if codes else f"(if isnull({value}) then null else false)"


def _industry(node: Typed, env: Environment) -> str:
    value = _vtl(node.args[0], env)
    tests = []
    for prefix in cast("tuple[str, ...]", node.value):
        digits = prefix[1:]
        if not digits:
            tests.append(_section_in(node, [prefix], env))
        elif len(digits) == 1:
            raise _not_expressible(f"行业前缀 {prefix} 只有一位数字")
        elif env.industries.get(digits[:2]) == prefix[0]:
            tests.append(f"(substr({value}, 1, {len(digits)}) = {_text(digits)})")
        else:
            tests.append(f"(if isnull({value}) then null else false)")
    return f"({' or '.join(tests)})"


def _nz(node: Typed, env: Environment) -> str:
    blank = {TEXT: '"0"', BOOLEAN: "false"}.get(node.kind, "0")
    return f"nvl({_vtl(node.args[0], env)}, {blank})"


def _context(node: Typed, env: Environment) -> str:
    period = env.period
    match node.value:
        case "period_year":
            return str(period.year)
        case "quarter":
            return str(period.quarter) if period.quarter else "cast(null, integer)"
        case "months":
            return str(period.months)
        case "period_end":
            return _day(period.end)
        case "park_code" | "answer_status":
            return "park" if node.value == "park_code" else "answer_status"
    return _text(str(period))


def _day(day: date) -> str:
    return f'cast("{day.isoformat()}", date)'


def _section(node: Typed, env: Environment) -> str:
    raise _not_expressible("行业门类只能与常量比较")


_OPERATIONS: Mapping[str, Callable[[Typed, Environment], str]] = {
    "number": lambda e, env: format(cast(Decimal, e.value), "f"),
    "text": lambda e, env: _text(cast(str, e.value)),
    "boolean": lambda e, env: "true" if e.value else "false",
    "date": lambda e, env: _day(cast(date, e.value)),
    "column": lambda e, env: operand_column(*cast("tuple[str, str]", e.value)),
    "context": _context,
    "float": lambda e, env: _vtl(e.args[0], env),
    "neg": lambda e, env: f"(-{_vtl(e.args[0], env)})",
    "abs": lambda e, env: f"abs({_vtl(e.args[0], env)})",
    "add": _joined("+"),
    "sub": _joined("-"),
    "mul": _joined("*"),
    "div": _quotient,
    "max": _extreme,
    "min": _extreme,
    **dict.fromkeys(_SIGNS, _comparison),
    "and": _joined("and"),
    "or": _joined("or"),
    "not": lambda e, env: f"(not {_vtl(e.args[0], env)})",
    "isnull": lambda e, env: f"isnull({_vtl(e.args[0], env)})",
    "notnull": lambda e, env: f"(not isnull({_vtl(e.args[0], env)}))",
    "nz": _nz,
    "in": _in,
    "year": lambda e, env: f"cast(substr(cast({_vtl(e.args[0], env)}, string), 1, 4), integer)",
    "section": _section,
    "industry": _industry,
    "in_codelist": _in_codelist,
}
