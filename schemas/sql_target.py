"""The rule language as DuckDB SQL text, with the same three values as the polars target.

Names of columns and literals are quoted; nothing else of an expression reaches the text. Guards: division by zero and
overflow become NULL, greatest and least skip NULL in DuckDB and are avoided, whole numbers are added in HUGEINT.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import cast

from schemas.aggregate_plan import Part, Plan
from schemas.classes import SIZES
from schemas.environment import SEPARATOR, Environment
from schemas.errors import DefinitionError
from schemas.expression import Node, functions, operand_column, parse
from schemas.typed_expression import BOOLEAN, TEXT, Family, Kind, Typed
from schemas.uscc import CHARACTERS, ORGANISATION_SHAPE, ORGANISATION_WEIGHTS, SHAPE, WEIGHTS

BASE36 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_YEARS_AND_PARKS = frozenset({"COUNT_PARK", "CUM", "BASE", "STAGE", "STAGE_DELTA", "CAGR"})
_UNSUPPORTED: Mapping[str, frozenset[str]] = {"polars": frozenset(), "sql": _YEARS_AND_PARKS | {"in_roster"}}


def unsupported(node: Node | str, target: str) -> list[str]:
    """The functions of an expression (derivations expanded) that a target cannot express: empty means it can.

    Raises DefinitionError for a target that has no compiler.
    """
    if target not in _UNSUPPORTED:
        raise DefinitionError(f"没有 {target} 编译器", remedy=f"现有:{'、'.join(_UNSUPPORTED)}。")
    return sorted(functions(parse(node) if isinstance(node, str) else node) & _UNSUPPORTED[target])


def to_sql(node: Node | str, env: Environment) -> str:
    """One row-level expression as a DuckDB scalar expression over the columns of a wide table.

    ``unique`` is a window function and so cannot stand in WHERE. Raises DefinitionError for what SQL cannot express.
    """
    return _sql(env.typed(node), env)


def to_sql_aggregate(node: Node | str, env: Environment) -> str:
    """An expression of SUM and COUNT over one roster as a DuckDB aggregate expression, under the same-unit rule.

    For use with GROUP BY over the roster's wide table. Raises DefinitionError where K or context codes, several rosters
    or other years are needed.
    """
    plan = Plan()
    plan.add("value", env.typed(node))
    if plan.specials or len({p.roster for p in plan.parts.values()}) != 1:
        raise DefinitionError(f"{node}:SQL 只汇总一个名册的本期数", remedy="请用 polars 汇总。")
    by_column = {part.column: part for part in plan.parts.values()}
    planned = plan.expressions["value"]
    if any(e.op == "column" and _name(e) not in by_column for e in planned.walk()):
        raise DefinitionError(f"{node}:SQL 汇总不能用园区表和背景表的代码", remedy="请用 polars 汇总。")
    return _sql(planned, env, {column: _part(part, env) for column, part in by_column.items()})


def quoted(name: str) -> str:
    """A name as a quoted identifier."""
    return '"' + name.replace('"', '""') + '"'


def text_literal(value: str) -> str:
    """A text as a quoted literal."""
    return "'" + value.replace("'", "''") + "'"


def _name(expression: Typed) -> str:
    return operand_column(*cast("tuple[str, str]", expression.value))


def _part(part: Part, env: Environment) -> str:
    tests = [f"{_sql(arg, env)} IS NOT NULL" for node in part.common for arg in node.args]
    if part.condition is not None:
        tests.append(_sql(part.condition, env))
    chosen = f" FILTER (WHERE {' AND '.join(tests)})" if tests else ""
    if part.value is None:
        return f"count(*){chosen}"
    value = _sql(part.value, env)
    if part.node.kind.family is Family.EXACT:
        value = f"CAST({value} AS DECIMAL(38, {part.node.kind.scale}))"
    return f"sum({value}){chosen}"


def _sql(expression: Typed, env: Environment, columns: Mapping[str, str] | None = None) -> str:
    if expression.op not in _OPERATIONS:
        raise DefinitionError(f"{expression.text or expression.op} 不能写成 SQL", remedy="请用 polars 求值。")
    if expression.op == "column":
        name = _name(expression)
        return (columns or {}).get(name, quoted(name))
    args = [_sql(arg, env, columns) for arg in expression.args]
    return _OPERATIONS[expression.op](expression, args, env)


def _number(expression: Typed, args: list[str], env: Environment) -> str:
    return format(cast(Decimal, expression.value), "f")


def _float(expression: Typed, args: list[str], env: Environment) -> str:
    if expression.args[0].op == "number":
        return f"{args[0]}e0"
    return f"CAST({args[0]} AS DOUBLE)"


def _context(expression: Typed, args: list[str], env: Environment) -> str:
    period = env.period
    match expression.value:
        case "period_year":
            return str(period.year)
        case "quarter":
            return str(period.quarter) if period.quarter else "CAST(NULL AS BIGINT)"
        case "months":
            return str(period.months)
        case "period_end":
            return f"DATE '{period.end.isoformat()}'"
        case "park_code":
            return quoted("park")
        case "answer_status":
            return quoted("answer_status")
    return text_literal(str(period))


def _wide(kind: Kind) -> str:
    return f"DECIMAL(38, {kind.scale})" if kind.scale else "HUGEINT"


def _sum(expression: Typed, args: list[str], env: Environment) -> str:
    if expression.kind.family is Family.EXACT:
        args = [f"CAST({arg} AS {_wide(expression.kind)})" for arg in args]
    return f"({args[0]} {'+' if expression.op == 'add' else '-'} {args[1]})"


def _product(expression: Typed, args: list[str], env: Environment) -> str:
    # nullif names each value that must not appear, so that the operands stand in the text once.
    text = f"{args[0]} {'*' if expression.op == 'mul' else '/'} {args[1]}"
    for strange in ("Infinity", "-Infinity", "NaN"):
        text = f"nullif({text}, '{strange}'::DOUBLE)"
    return text


def _common(expression: Typed, args: list[str]) -> list[str]:
    kinds = [arg.kind for arg in expression.args]
    if not all(k.family is Family.EXACT for k in kinds):
        return args
    kind = Kind(Family.EXACT, max(k.scale for k in kinds))
    return [f"CAST({arg} AS {_wide(kind)})" for arg in args] if kind.scale or expression.op in ("max", "min") else args


def _extreme(expression: Typed, args: list[str], env: Environment) -> str:
    order = "DESC" if expression.op == "max" else "ASC"
    return f"list_sort([{', '.join(_common(expression, args))}], '{order}', 'NULLS FIRST')[1]"


_COMPARISONS = {"eq": "=", "ne": "<>", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}


def _comparison(expression: Typed, args: list[str], env: Environment) -> str:
    left, right = _common(expression, args)
    return f"({left} {_COMPARISONS[expression.op]} {right})"


def _nz(expression: Typed, args: list[str], env: Environment) -> str:
    blank = {TEXT: "'0'", BOOLEAN: "FALSE"}.get(expression.kind, "0")
    return f"coalesce({args[0]}, {blank})"


def _is_in(value: str, codes: Iterable[str]) -> str:
    listed = ", ".join(text_literal(code) for code in codes)
    return f"({value} IN ({listed}))" if listed else f"(CASE WHEN {value} IS NOT NULL THEN FALSE END)"


def _in_codelist(expression: Typed, args: list[str], env: Environment) -> str:
    name = cast(str, expression.value)
    codes = env.keyed_codes(name) if len(args) > 1 else env.codes(name)
    if codes is None:
        return "CAST(NULL AS BOOLEAN)"
    value = f"({args[1]} || {text_literal(SEPARATOR)} || {args[0]})" if len(args) > 1 else args[0]
    return _is_in(value, sorted(codes))


def _unique(expression: Typed, args: list[str], env: Environment) -> str:
    some = " OR ".join(f"{arg} IS NOT NULL" for arg in args)
    return f"(CASE WHEN {some} THEN count(*) OVER (PARTITION BY {', '.join(args)}) = 1 END)"


def _section(code: str, env: Environment) -> str:
    cases = " ".join(
        f"WHEN {text_literal(division)} THEN {text_literal(letter)}" for division, letter in env.industries.items()
    )
    return f"(CASE substr({code}, 1, 2) {cases} END)" if cases else "CAST(NULL AS VARCHAR)"


def _in_industries(code: str, prefixes: Iterable[str], env: Environment) -> str:
    letter = _section(code, env)
    tests = [
        f"({letter} = '{p[0]}' AND starts_with({code}, '{p[1:]}'))" if p[1:] else f"({letter} = '{p[0]}')"
        for p in prefixes
    ]
    return f"({' OR '.join(tests)})"


def _hightech_class(expression: Typed, args: list[str], env: Environment) -> str:
    if not env.hightech:
        return "CAST(NULL AS VARCHAR)"
    cases = " ".join(f"WHEN {text_literal(c)} THEN {text_literal(k)}" for c, k in env.hightech.items())
    return f"(CASE {args[0]} {cases} ELSE CASE WHEN {_section(args[0], env)} IS NOT NULL THEN '0' END END)"


def _size_class(expression: Typed, args: list[str], env: Environment) -> str:
    code, *quantities = args
    cases = []
    for rule in env.sizes:
        asked = [(q, limit) for q, limit in zip(quantities, rule.limits, strict=True) if limit]
        sizes = " ".join(
            f"WHEN {' AND '.join(f'{q} >= {limit[at]}' for q, limit in asked)} THEN '{SIZES[at]}'" for at in range(3)
        )
        known = " AND ".join(f"{q} IS NOT NULL" for q, _ in asked)
        cases.append(
            f"WHEN {_in_industries(code, rule.industries, env)} THEN "
            f"CASE WHEN {known} THEN CASE {sizes} ELSE '{SIZES[3]}' END END"
        )
    return f"(CASE {' '.join(cases)} END)" if cases else "CAST(NULL AS VARCHAR)"


def _valid_uscc(expression: Typed, args: list[str], env: Environment) -> str:
    code = args[0]
    total = _weighted(code, CHARACTERS, (*WEIGHTS, 1), 1)
    organisation = f"{_weighted(code, BASE36, ORGANISATION_WEIGHTS, 9)} + {_position(code, 17, '0123456789X')}"
    # A character that cannot check (an A) is at place −1, which is 10 modulo 11.
    checks = f"instr('0123456789X', substr({code}, 17, 1)) > 0"
    holds = f"regexp_full_match({code}, '{SHAPE}') AND {checks} AND ({total}) % 31 = 0 AND ({organisation}) % 11 = 0"
    if env.organisation_codes:
        plain = f"regexp_replace({code}, '^(.{{8}})-(.)$', '\\1\\2')"
        short = f"{_weighted(plain, BASE36, ORGANISATION_WEIGHTS, 1)} + {_position(plain, 9, '0123456789X')}"
        holds = f"({holds}) OR (regexp_full_match({plain}, '{ORGANISATION_SHAPE}') AND ({short}) % 11 = 0)"
    return f"(CASE WHEN {code} IS NOT NULL THEN {holds} END)"


def _position(code: str, at: int, characters: str) -> str:
    return f"(instr('{characters}', substr({code}, {at}, 1)) - 1)"


def _weighted(code: str, characters: str, weights: Iterable[int], first: int) -> str:
    return " + ".join(f"{_position(code, first + i, characters)} * {w}" for i, w in enumerate(weights))


_Operation = Callable[[Typed, list[str], Environment], str]
_OPERATIONS: Mapping[str, _Operation] = {
    "number": _number,
    "text": lambda e, args, env: text_literal(cast(str, e.value)),
    "boolean": lambda e, args, env: "TRUE" if e.value else "FALSE",
    "date": lambda e, args, env: f"DATE '{cast(date, e.value).isoformat()}'",
    "column": lambda e, args, env: quoted(_name(e)),
    "context": _context,
    "float": _float,
    "neg": lambda e, args, env: f"(-{args[0]})",
    "abs": lambda e, args, env: f"abs({args[0]})",
    "add": _sum,
    "sub": _sum,
    "mul": _product,
    "div": _product,
    "max": _extreme,
    "min": _extreme,
    **dict.fromkeys(_COMPARISONS, _comparison),
    "and": lambda e, args, env: f"({' AND '.join(args)})",
    "or": lambda e, args, env: f"({' OR '.join(args)})",
    "not": lambda e, args, env: f"(NOT {args[0]})",
    "isnull": lambda e, args, env: f"({args[0]} IS NULL)",
    "notnull": lambda e, args, env: f"({args[0]} IS NOT NULL)",
    "nz": _nz,
    "code_number": lambda e, args, env: f"TRY_CAST(regexp_extract({args[0]}, '^(0|[1-9][0-9]{{0,14}})$') AS BIGINT)",
    "in": lambda e, args, env: _is_in(args[0], cast("tuple[str, ...]", e.value)),
    "year": lambda e, args, env: f"CAST(year({args[0]}) AS BIGINT)",
    "section": lambda e, args, env: _section(args[0], env),
    "industry": lambda e, args, env: _in_industries(args[0], cast("tuple[str, ...]", e.value), env),
    "in_codelist": _in_codelist,
    "unique": _unique,
    "valid_uscc": _valid_uscc,
    "size_class": _size_class,
    "hightech_class": _hightech_class,
}
