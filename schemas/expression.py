"""The rule language: one grammar for rules, applicability, derivations, indices, targets, warnings and tables.

``parse`` gives a tree of frozen nodes, ``to_text`` writes it back. The tree is pure syntax: what names mean, and which
types meet, is settled in ``schemas.typed_expression``; ``polars_target`` and ``sql_target`` carry it out.
Source: survey_system.md 8.2 (grammar) and 8.4 (vocabulary); the vocabulary is closed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import lru_cache
from typing import NoReturn, TypeAlias

from schemas.errors import DefinitionError

LAGS = ("prev", "last", "yoy", "q4")
CONTEXT_VARIABLES = frozenset({"period_year", "quarter", "months", "period_end", "park_code", "answer_status"})
COMPARISONS = ("==", "!=", "<=", ">=", "<", ">")
PERIOD_CODE = "B03"
INDUSTRY_CODE = "B07"

MAX_LENGTH = 8000
MAX_DEPTH = 40
MAX_HEIGHT = 120
MAX_DIGITS = 15


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


_TOKEN = re.compile(
    r"""(?P<space>\s+)
      | (?P<number>\d+(?:\.\d+)?)
      | (?P<text>'[^'\n]*')
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<op>==|!=|<=|>=|[-+*/<>(),])""",
    re.VERBOSE | re.ASCII,
)


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    place: Place


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    offset, line, start = 0, 1, 0
    while offset < len(text):
        place = (line, offset - start + 1)
        found = _TOKEN.match(text, offset)
        if not found:
            _unreadable(text[offset], place)
        kind = found.lastgroup or ""
        if kind == "number" and found.end() < len(text) and (text[found.end()].isalnum() or text[found.end()] in "._"):
            fault(
                f"数字“{found.group()}”后不能直接接“{text[found.end()]}”",
                place,
                "代码以字母开头;请检查是否漏写运算符。",
            )
        if kind != "space":
            tokens.append(_Token(kind, found.group(), place))
        for at, character in enumerate(found.group()):
            if character == "\n":
                line, start = line + 1, offset + at + 1
        offset = found.end()
    tokens.append(_Token("end", "", (line, offset - start + 1)))
    return tokens


def _unreadable(character: str, place: Place) -> NoReturn:
    if character == "=":
        fault("“=”不是比较符", place, "相等写“==”。")
    if character == "'":
        fault("字符串缺右引号", place, "字符串用一对半角单引号括起,不换行。")
    if character == '"':
        fault("字符串不用双引号", place, "请改用半角单引号。")
    fault(f"不认识的符号“{character}”", place, "表达式只用半角字母、数字和运算符。")


class _Parser:
    """Recursive descent over the grammar of 8.2; one method a precedence level."""

    def __init__(self, text: str) -> None:
        self.tokens = _tokens(text)
        self.next = 0
        self.depth = 0

    @property
    def token(self) -> _Token:
        return self.tokens[self.next]

    def at(self, *texts: str) -> bool:
        return self.token.kind in ("op", "name") and self.token.text in texts

    def take(self) -> _Token:
        token = self.token
        if token.kind != "end":
            self.next += 1
        return token

    def expect(self, text: str, after: str) -> _Token:
        if not self.at(text):
            found = f"“{self.token.text}”" if self.token.text else "结尾"
            fault(f"{after}之后应有“{text}”,实为{found}", self.token.place, "请检查括号与逗号。")
        return self.take()

    def whole(self) -> Node:
        node = self.disjunction()
        if self.token.kind != "end":
            fault(f"多余的“{self.token.text}”", self.token.place, "请检查前后是否漏写运算符。")
        return node

    def disjunction(self) -> Node:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            fault("括号嵌套过深", self.token.place, "请拆成派生变量。")
        node = self._chain("or", lambda: self._chain("and", self.negation))
        self.depth -= 1
        return node

    def _chain(self, word: str, operand: Callable[[], Node]) -> Node:
        operands = [operand()]
        place = self.token.place
        while self.at(word):
            self.take()
            operands.append(operand())
        return Logic(word, tuple(operands), place) if len(operands) > 1 else operands[0]

    def negation(self) -> Node:
        if not self.at("not"):
            return self.comparison()
        token = self.take()
        self.depth += 1
        if self.depth > MAX_DEPTH:
            fault("not 嵌套过深", token.place)
        operand = self.negation()
        self.depth -= 1
        return Unary("not", operand, token.place)

    def comparison(self) -> Node:
        node = self.sum()
        if self.at(*COMPARISONS):
            token = self.take()
            node = Binary(token.text, node, self.sum(), token.place)
        elif self.at("in"):
            token = self.take()
            node = In(node, self.choices(), token.place)
        if self.at(*COMPARISONS, "in"):
            fault("比较不能连写", self.token.place, "请写成“a <= b and b <= c”,或加括号。")
        if self.at("not"):
            fault("没有 not in", self.token.place, "请写成“not (x in (…))”。")
        return node

    def choices(self) -> tuple[Number | Text, ...]:
        self.expect("(", "in ")
        found: list[Number | Text] = []
        while True:
            token = self.take()
            sign = 1
            if token.kind == "op" and token.text == "-":
                sign, token = -1, self.take()
            if token.kind == "number":
                found.append(Number(sign * _number(token), token.place))
            elif token.kind == "text" and sign == 1:
                found.append(Text(token.text[1:-1], token.place))
            else:
                fault("in 的右边只能是常量", token.place, "请列出数字或单引号字符串。")
            if not self.at(","):
                break
            self.take()
        self.expect(")", "常量列表")
        return tuple(found)

    def sum(self) -> Node:
        return self._left(("+", "-"), lambda: self._left(("*", "/"), self.signed))

    def _left(self, ops: tuple[str, ...], operand: Callable[[], Node]) -> Node:
        node = operand()
        while self.at(*ops):
            token = self.take()
            node = Binary(token.text, node, operand(), token.place)
        return node

    def signed(self) -> Node:
        if not self.at("-"):
            return self.atom()
        token = self.take()
        self.depth += 1
        if self.depth > MAX_DEPTH:
            fault("负号过多", token.place)
        operand = self.signed()
        self.depth -= 1
        return Unary("-", operand, token.place)

    def atom(self) -> Node:
        token = self.take()
        if token.kind == "number":
            return Number(_number(token), token.place)
        if token.kind == "text":
            return Text(token.text[1:-1], token.place)
        if token.kind == "op" and token.text == "(":
            node = self.disjunction()
            self.expect(")", "括号内")
            return node
        if token.kind == "name" and token.text not in ("and", "or", "not", "in"):
            return self.call(token) if self.at("(") else Name(token.text, "", token.place)
        found = f"“{token.text}”" if token.text else "结尾"
        return fault(f"此处应为代码、数字、函数或括号,实为{found}", token.place)

    def call(self, name: _Token) -> Node:
        self.take()
        arguments: list[Node] = []
        while not self.at(")") or arguments:
            arguments.append(self.disjunction())
            if not self.at(","):
                break
            self.take()
        self.expect(")", f"{name.text} 的参数")
        return Call(name.text, tuple(arguments), name.place)


def _number(token: _Token) -> Decimal:
    if len(token.text.replace(".", "").lstrip("0")) > MAX_DIGITS or len(token.text) > 2 * MAX_DIGITS:
        fault(f"数字“{token.text}”超过 {MAX_DIGITS} 位有效数字", token.place)
    return Decimal(token.text)


@lru_cache(maxsize=8192)
def parse(text: str) -> Node:
    """The tree of one expression. Raises DefinitionError with line and column, in Chinese."""
    if not text.strip():
        fault("表达式为空", (1, 1))
    if len(text) > MAX_LENGTH:
        fault(f"表达式超过 {MAX_LENGTH} 个字符", (1, 1), "请拆成派生变量。")
    node = _Parser(text).whole()
    if _height(node) > MAX_HEIGHT:
        fault(f"算式超过 {MAX_HEIGHT} 层", (1, 1), "请拆成派生变量。")
    return node


def _height(node: Node) -> int:
    # Iterative: a sum of a thousand terms is a thousand levels, and must be refused without recursing into it.
    height, level = 0, [node]
    while level:
        height, level = height + 1, [child for n in level for child in children(n)]
    return height


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


def names(node: Node) -> frozenset[str]:
    """Every name in the expression as written: codes, context variables, derivations."""
    return frozenset(n.code for n in walk(node) if isinstance(n, Name))


def functions(node: Node) -> frozenset[str]:
    """Every function the expression uses."""
    return frozenset(n.function for n in walk(node) if isinstance(n, Call))


def operand_column(code: str, lag: str = "") -> str:
    """The column an operand stands in: ``F01``, ``F01_yoy``. The only place that spells it (architecture.md, contract 2)."""
    return f"{code}_{lag}" if lag else code


def operands(node: Node) -> frozenset[tuple[str, str]]:
    """(code, lag) of every indicator needed, lag in "", prev, last, yoy, q4; expand derivations first.

    Without context variables and the period code B03, which need no column; with the industry code where
    ``industry(…)`` reads it.
    """
    return frozenset(
        (n.code, n.lag)
        for n in walk(distributed(node))
        if isinstance(n, Name) and n.code not in CONTEXT_VARIABLES and n.code != PERIOD_CODE
    )


def distributed(node: Node, lag: str = "") -> Node:
    """The tree with every lag moved down to the names: ``yoy(a/b)`` becomes ``yoy(a)/yoy(b)``; idempotent.

    ``industry('C39')`` receives the industry code of the row as its first argument, so that it can be lagged too.
    """
    match node:
        case Name():
            return _lagged(node, lag)
        case Call(function=function, arguments=arguments) if function in LAGS:
            if lag and lag != function:
                fault(f"{lag}() 之内不能再用 {function}()", node.place)
            if lag:
                fault(f"{function}() 不能嵌套", node.place)
            if len(arguments) != 1:
                fault(f"{function}() 要 1 个参数,写了 {len(arguments)} 个", node.place)
            return distributed(arguments[0], function)
        case Call(function="industry", arguments=arguments) if not any(isinstance(a, Name) for a in arguments):
            own = _lagged(Name(INDUSTRY_CODE, "", node.place), lag)
            return replace(node, arguments=(own, *arguments))
    return rebuilt(node, lambda child: distributed(child, lag))


def _lagged(name: Name, lag: str) -> Node:
    if not lag or name.code in ("park_code", PERIOD_CODE):
        return name
    if name.code in CONTEXT_VARIABLES:
        if name.code == "period_year" and lag in ("yoy", "q4"):
            return Binary("-", name, Number(Decimal(1)), name.place) if lag == "yoy" else name
        fault(f"{lag}() 之内不能用 {name.code}", name.place, "请把它移到括号之外。")
    if name.lag:
        fault(f"{lag}() 之内不能再用 {name.lag}()", name.place)
    return replace(name, lag=lag)


_HEAD = re.compile(r"\s*([A-Za-z_]\w*)\s*(?:\(([^)]*)\))?\s*", re.ASCII)


@dataclass(frozen=True)
class Derivation:
    """A named expression, used like a macro; ``parameters`` for the style ``HAMP(x)``."""

    name: str
    parameters: tuple[str, ...]
    body: Node


@lru_cache(maxsize=64)
def _derivations(items: tuple[tuple[str, str], ...]) -> Mapping[str, Derivation]:
    found: dict[str, Derivation] = {}
    for head, body in items:
        read = _HEAD.fullmatch(head)
        if not read or read[1] in FUNCTIONS or read[1] in CONTEXT_VARIABLES:
            raise DefinitionError(f"派生变量名“{head}”无效", remedy="名称用字母和数字,不与函数或上下文变量同名。")
        parameters = tuple(p.strip() for p in (read[2] or "").split(",") if p.strip())
        found[read[1]] = Derivation(read[1], parameters, parse(body))
    return found


def expand(node: Node, derivations: Mapping[str, str]) -> Node:
    """The tree with every derivation (``INNO``, ``HAMP(N32)``) replaced by its meaning, however deep.

    Raises DefinitionError where derivations refer to each other in a circle.
    """
    return _expanded(node, _derivations(tuple(derivations.items())), {}, ()) if derivations else node


def _expanded(node: Node, known: Mapping[str, Derivation], bound: Mapping[str, Node], inside: tuple[str, ...]) -> Node:
    match node:
        case Name(code=code) if code in bound:
            return bound[code]
        case Name(code=code) | Call(function=code) if code in known:
            derivation = known[code]
            if code in inside:
                fault(f"派生变量循环引用:{' → '.join((*inside, code))}", node.place)
            given = node.arguments if isinstance(node, Call) else ()
            if len(given) != len(derivation.parameters):
                fault(f"{code} 要 {len(derivation.parameters)} 个参数,写了 {len(given)} 个", node.place)
            values = (_expanded(g, known, bound, inside) for g in given)
            return _expanded(
                derivation.body, known, dict(zip(derivation.parameters, values, strict=True)), (*inside, code)
            )
    return rebuilt(node, lambda child: _expanded(child, known, bound, inside))
