"""The nodes of the rule language, the closed vocabulary of functions, and the way back from a tree to text.

Source: survey_system.md 8.2 (grammar) and 8.4 (vocabulary).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import NoReturn, TypeAlias

from schemas.errors import DefinitionError

LAGS = ("prev", "last", "yoy", "q4")
CONTEXT_VARIABLES = frozenset({"period_year", "quarter", "months", "period_end", "park_code", "answer_status"})
COMPARISONS = ("==", "!=", "<=", ">=", "<", ">")


@dataclass(frozen=True)
class Function:
    """One function of the vocabulary: how many arguments, and where it may stand (row, aggregate, lag)."""

    name: str
    least: int
    most: int | None
    level: str
    meaning: str


FUNCTIONS: Mapping[str, Function] = {
    f.name: f
    for f in (
        Function("nz", 1, 1, "row", "空作 0"),
        Function("isnull", 1, 1, "row", "为空"),
        Function("notnull", 1, 1, "row", "不为空"),
        Function("abs", 1, 1, "row", "绝对值"),
        Function("max", 2, None, "row", "最大值"),
        Function("min", 2, None, "row", "最小值"),
        Function("year", 1, 1, "row", "日期的年份"),
        Function("section", 1, 1, "row", "行业门类"),
        Function("industry", 1, None, "row", "本单位行业属于所列门类与数字前缀"),
        Function("in_codelist", 2, 3, "row", "在代码表中"),
        Function("in_roster", 1, 1, "row", "在本园区本期企业名册中"),
        Function("unique", 1, None, "row", "字段组合只出现一次"),
        Function("valid_uscc", 1, 1, "row", "统一社会信用代码校验位正确"),
        Function("size_class", 4, 4, "row", "企业规模"),
        Function("hightech_class", 1, 1, "row", "高技术产业类别"),
        Function("prev", 1, 1, "lag", "同一年上一季"),
        Function("last", 1, 1, "lag", "以前任一期最近一次"),
        Function("yoy", 1, 1, "lag", "上年同期"),
        Function("q4", 1, 1, "lag", "同年四季度"),
        Function("SUM", 1, 2, "aggregate", "合计"),
        Function("COUNT", 1, 1, "aggregate", "计数"),
        Function("COUNT_PARK", 1, 1, "aggregate", "园区数"),
        Function("CUM", 1, 1, "aggregate", "计划起始年以来累计"),
        Function("BASE", 2, 2, "aggregate", "某一年的值"),
        Function("STAGE", 1, 1, "aggregate", "阶段累计"),
        Function("STAGE_DELTA", 1, 1, "aggregate", "阶段增量"),
        Function("CAGR", 2, 2, "aggregate", "年均增长"),
    )
}

Place: TypeAlias = tuple[int, int]
NOWHERE: Place = (0, 0)


def _place() -> Place:
    return NOWHERE


@dataclass(frozen=True)
class Number:
    """A number as written; exact."""

    value: Decimal
    place: Place = field(default_factory=_place, compare=False, repr=False)


@dataclass(frozen=True)
class Text:
    """A text in single quotes."""

    value: str
    place: Place = field(default_factory=_place, compare=False, repr=False)


@dataclass(frozen=True)
class Name:
    """An indicator code, a context variable or the name of a derivation; ``lag`` is set once lags are distributed."""

    code: str
    lag: str = ""
    place: Place = field(default_factory=_place, compare=False, repr=False)


@dataclass(frozen=True)
class Unary:
    """``-x`` or ``not x``."""

    op: str
    operand: Node
    place: Place = field(default_factory=_place, compare=False, repr=False)


@dataclass(frozen=True)
class Binary:
    """Arithmetic ``+ - * /`` or one comparison."""

    op: str
    left: Node
    right: Node
    place: Place = field(default_factory=_place, compare=False, repr=False)


@dataclass(frozen=True)
class Logic:
    """``and`` or ``or`` over two or more operands."""

    op: str
    operands: tuple[Node, ...]
    place: Place = field(default_factory=_place, compare=False, repr=False)


@dataclass(frozen=True)
class In:
    """``x in (constants)``."""

    operand: Node
    choices: tuple[Number | Text, ...]
    place: Place = field(default_factory=_place, compare=False, repr=False)


@dataclass(frozen=True)
class Call:
    """A function of the vocabulary, or of the derivations where it takes an argument (``HAMP(N32)``)."""

    function: str
    arguments: tuple[Node, ...]
    place: Place = field(default_factory=_place, compare=False, repr=False)


Node: TypeAlias = Number | Text | Name | Unary | Binary | Logic | In | Call


def fault(message: str, place: Place, remedy: str = "") -> NoReturn:
    """Raise the DefinitionError for one place in an expression."""
    where = f"第{place[0]}行第{place[1]}列" if place != NOWHERE else ""
    raise DefinitionError(f"表达式有误:{message}", where=where, remedy=remedy)


_PRECEDENCE = {"or": 1, "and": 2, "not": 3, "compare": 4, "+": 5, "-": 5, "*": 6, "/": 6, "sign": 7, "atom": 8}


def _strength(node: Node) -> int:
    match node:
        case Logic(op=op):
            return _PRECEDENCE[op]
        case Unary(op="not"):
            return _PRECEDENCE["not"]
        case Unary():
            return _PRECEDENCE["sign"]
        case Binary(op=op):
            return _PRECEDENCE.get(op, _PRECEDENCE["compare"])
        case In():
            return _PRECEDENCE["compare"]
    return _PRECEDENCE["atom"]


def to_text(node: Node) -> str:
    """The expression as text; ``parse(to_text(n)) == n`` for every parsed n. A lagged name prints as ``yoy(F01)``."""

    def within(child: Node, least: int) -> str:
        return to_text(child) if _strength(child) >= least else f"({to_text(child)})"

    match node:
        case Number(value=value):
            return format(value, "f")
        case Text(value=value):
            return f"'{value}'"
        case Name(code=code, lag=lag):
            return f"{lag}({code})" if lag else code
        case Unary(op="not", operand=operand):
            return f"not {within(operand, _PRECEDENCE['not'])}"
        case Unary(operand=operand):
            return f"-{within(operand, _PRECEDENCE['sign'])}"
        case Binary(op=op, left=left, right=right):
            own = _strength(node)
            bound = own + 1 if op in COMPARISONS else own
            return f"{within(left, bound)} {op} {within(right, own + 1)}"
        case Logic(op=op, operands=operands):
            return f" {op} ".join(within(o, _strength(node) + 1) for o in operands)
        case In(operand=operand, choices=choices):
            return f"{within(operand, _PRECEDENCE['+'])} in ({', '.join(map(to_text, choices))})"
        case Call(function=function, arguments=arguments):
            return f"{function}({', '.join(map(to_text, arguments))})"


def children(node: Node) -> tuple[Node, ...]:
    """The direct operands of a node, in written order."""
    match node:
        case Unary(operand=operand):
            return (operand,)
        case Binary(left=left, right=right):
            return (left, right)
        case Logic(operands=operands):
            return operands
        case In(operand=operand, choices=choices):
            return (operand, *choices)
        case Call(arguments=arguments):
            return arguments
    return ()


def rebuilt(node: Node, change: Callable[[Node], Node]) -> Node:
    """The node with ``change`` applied to its direct operands."""
    match node:
        case Unary():
            return replace(node, operand=change(node.operand))
        case Binary():
            return replace(node, left=change(node.left), right=change(node.right))
        case Logic():
            return replace(node, operands=tuple(map(change, node.operands)))
        case In():
            return replace(node, operand=change(node.operand))
        case Call():
            return replace(node, arguments=tuple(map(change, node.arguments)))
    return node


def walk(node: Node) -> Iterator[Node]:
    """The node and everything below it, parents first."""
    yield node
    for child in children(node):
        yield from walk(child)
