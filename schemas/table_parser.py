"""The rule language for any table: the grammar of ``schemas.parser``, widened.

More than the programme's grammar: column names in any script, with dots, or anything in backticks; both kinds of quotes;
``1e6``; ``true`` and ``false``; ``not in``; ``if … then … else …`` and ``implies``; lists in parentheses and named options
in calls (``sum(x, by = (region, year))``). The programme's own grammar (survey_system.md 8.2) is untouched.
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache

from schemas.parser import MAX_DEPTH, MAX_DIGITS, MAX_LENGTH, Parser, Token, checked_height, tokens_of
from schemas.syntax import (
    COMPARISONS,
    Binary,
    Call,
    In,
    Logic,
    Name,
    Node,
    Number,
    Text,
    Unary,
    children,
    fault,
    rebuilt,
)

KEYWORDS = frozenset({"and", "or", "not", "in", "if", "then", "else", "implies", "true", "false"})
LIST = "list"
OPTION = "="

_TOKEN = re.compile(
    r"""(?P<space>\s+)
      | (?P<number>[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)
      | (?P<text>'(?:[^'\n]|'')*'|"(?:[^"\n]|"")*")
      | (?P<column>`(?:[^`\n]|``)+`)
      | (?P<name>[^\W\d][\w.]*)
      | (?P<op>==|!=|<=|>=|[-+*/<>(),=])""",
    re.VERBOSE,
)
_PLAIN = re.compile(r"[^\W\d][\w.]*")


class TableParser(Parser):
    """One expression over the columns of a table."""

    words = KEYWORDS

    def __init__(self, text: str) -> None:
        self.tokens = tokens_of(text, _TOKEN)
        self.next = 0
        self.depth = 0

    def disjunction(self) -> Node:
        if self.at("if") and not self.is_called():
            return self.conditional()
        node = super().disjunction()
        if self.at("implies"):
            token = self.take()
            return Call("if", (node, self.disjunction()), token.place)
        return node

    def is_called(self) -> bool:
        """Whether ``if`` stands as a function, ``if(A, B, C)``: a comma at the first level of its parentheses."""
        depth = 0
        for token in self.tokens[self.next + 1 :]:
            if token.kind == "op" and token.text == "(":
                depth += 1
            elif token.kind == "op" and token.text == ")":
                depth -= 1
            elif token.kind == "op" and token.text == "," and depth == 1:
                return True
            if depth <= 0:
                return False
        return False

    def conditional(self) -> Node:
        """``if A then B``, ``if A then B else C``; also ``if (A) B``."""
        token = self.take()
        self.depth += 1
        if self.depth > MAX_DEPTH:
            fault("if 嵌套过深", token.place, "请拆成几条规则,或写进 [definitions]。")
        parts = [self.disjunction()]
        if self.at("then"):
            self.take()
        parts.append(self.disjunction())
        if self.at("else"):
            self.take()
            parts.append(self.disjunction())
        self.depth -= 1
        return Call("if", tuple(parts), token.place)

    def comparison(self) -> Node:
        node = self.sum()
        if self.at("not") and self.tokens[self.next + 1].text == "in":
            token = self.take()
            self.take()
            node = Unary("not", In(node, self.choices(), token.place), token.place)
        elif self.at(*COMPARISONS):
            token = self.take()
            node = Binary(token.text, node, self.sum(), token.place)
        elif self.at("in"):
            token = self.take()
            node = In(node, self.choices(), token.place)
        if self.at(*COMPARISONS, "in"):
            fault("比较不能连写", self.token.place, "请写成“a <= b and b <= c”,或用 in_range(b, a, c)。")
        if self.at(OPTION):
            fault("“=”不是比较符", self.token.place, "相等写“==”;“=”只用于函数的选项,如 by = region。")
        return node

    def constant(self, token: Token) -> Number | Text | None:
        if token.kind == "number":
            return Number(_decimal(token), token.place)
        if token.kind == "text":
            return Text(_unquoted(token.text), token.place)
        return None

    def choices(self) -> tuple[Number | Text, ...]:
        self.expect("(", "in ")
        found: list[Number | Text] = []
        while True:
            token = self.take()
            negative = token.kind == "op" and token.text == "-"
            if negative:
                token = self.take()
            value = self.constant(token)
            if value is None or (negative and isinstance(value, Text)):
                fault("in 的右边只能是常量", token.place, "请列出数字或引号内的文字;长的清单请用 in_codelist。")
            if negative and isinstance(value, Number):
                value = Number(-value.value, token.place)
            found.append(value)
            if not self.at(","):
                break
            self.take()
        self.expect(")", "常量列表")
        return tuple(found)

    def atom(self) -> Node:
        token = self.take()
        constant = self.constant(token)
        if constant is not None:
            return constant
        if token.kind == "column":
            return Name(token.text[1:-1].replace("``", "`"), "", token.place)
        if token.kind == "op" and token.text == "(":
            return self.parenthesis(token)
        if token.kind == "name" and token.text in ("true", "false"):
            return Call(token.text, (), token.place)
        if token.kind == "name" and token.text == "if" and self.at("("):
            return self.call(token)
        if token.kind == "name" and token.text not in self.words:
            return self.call(token) if self.at("(") else Name(token.text, "", token.place)
        found = f"“{token.text}”" if token.text else "结尾"
        return fault(f"此处应为列名、数字、文字、函数或括号,实为{found}", token.place, "特别的列名用反引号括起。")

    def parenthesis(self, opening: Token) -> Node:
        items = [self.disjunction()]
        while self.at(","):
            self.take()
            items.append(self.disjunction())
        self.expect(")", "括号内")
        return items[0] if len(items) == 1 else Call(LIST, tuple(items), opening.place)

    def call(self, name: Token) -> Node:
        self.take()
        arguments: list[Node] = []
        while not self.at(")") or arguments:
            arguments.append(self.argument())
            if not self.at(","):
                break
            self.take()
        self.expect(")", f"{name.text} 的参数")
        return Call(name.text, tuple(arguments), name.place)

    def argument(self) -> Node:
        if self.token.kind == "name" and self.tokens[self.next + 1].text == OPTION:
            option = self.take()
            self.take()
            return Binary(OPTION, Name(option.text, "", option.place), self.disjunction(), option.place)
        return self.disjunction()


def _decimal(token: Token) -> Decimal:
    value = Decimal(token.text)
    if len(value.normalize().as_tuple().digits) > MAX_DIGITS or abs(value.adjusted()) > 2 * MAX_DIGITS:
        fault(f"数字“{token.text}”超过 {MAX_DIGITS} 位有效数字", token.place)
    # 1e6 is the integer 1000000: no exponent stays, so that the scale says how many decimals there are.
    return value if "e" not in token.text.lower() else Decimal(format(value, "f"))


def _unquoted(text: str) -> str:
    return text[1:-1].replace(text[0] * 2, text[0])


@lru_cache(maxsize=8192)
def parse_table(text: str) -> Node:
    """The tree of one expression on a table. Raises DefinitionError with line and column, in Chinese."""
    if not text.strip():
        fault("表达式为空", (1, 1))
    if len(text) > MAX_LENGTH:
        fault(f"表达式超过 {MAX_LENGTH} 个字符", (1, 1), "请拆成几条规则,或写进 [definitions]。")
    return checked_height(TableParser(text).whole())


def column_text(name: str) -> str:
    """A column name as it is written in an expression: in backticks where it is no plain identifier."""
    return name if _PLAIN.fullmatch(name) and name not in KEYWORDS else "`" + name.replace("`", "``") + "`"


_STRENGTH = {"or": 1, "and": 2, "not": 3, "compare": 4, "+": 5, "-": 5, "*": 6, "/": 6, "sign": 7, "atom": 8}


def _strength(node: Node) -> int:
    match node:
        case Call(function="if"):
            return 0
        case Logic(op=op):
            return _STRENGTH[op]
        case Unary(op="not", operand=In()):
            return _STRENGTH["compare"]
        case Unary(op="not"):
            return _STRENGTH["not"]
        case Unary():
            return _STRENGTH["sign"]
        case Binary(op=op):
            return _STRENGTH.get(op, _STRENGTH["compare"])
        case In():
            return _STRENGTH["compare"]
    return _STRENGTH["atom"]


def table_text(node: Node) -> str:
    """The expression as text; ``parse_table(table_text(n)) == n`` for every parsed n."""

    def within(child: Node, least: int) -> str:
        return table_text(child) if _strength(child) >= least else f"({table_text(child)})"

    match node:
        case Number(value=value):
            return format(value, "f")
        case Text(value=value):
            return "'" + value.replace("'", "''") + "'"
        case Name(code=code):
            return column_text(code)
        case Unary(op="not", operand=In(operand=operand, choices=choices)):
            return f"{within(operand, 5)} not in ({', '.join(map(table_text, choices))})"
        case Unary(op="not", operand=operand):
            return f"not {within(operand, 3)}"
        case Unary(operand=operand):
            return f"-{within(operand, 7)}"
        case Binary(op=op, left=left, right=right) if op == OPTION:
            return f"{table_text(left)} = {table_text(right)}"
        case Binary(op=op, left=left, right=right):
            own = _strength(node)
            return f"{within(left, own + (op in COMPARISONS))} {op} {within(right, own + 1)}"
        case Logic(op=op, operands=operands):
            return f" {op} ".join(within(o, _strength(node) + 1) for o in operands)
        case In(operand=operand, choices=choices):
            return f"{within(operand, 5)} in ({', '.join(map(table_text, choices))})"
        case Call(function="true" | "false" as word):
            return word
        case Call(function="if", arguments=(condition, then, *rest)):
            text = f"if {within(condition, 1)} then {within(then, 1)}"
            return f"{text} else {within(rest[0], 1)}" if rest else text
        case Call(function=function, arguments=arguments):
            inside = ", ".join(within(a, 1) if function == LIST else table_text(a) for a in arguments)
            return f"({inside})" if function == LIST else f"{function}({inside})"


def column_names(node: Node) -> frozenset[str]:
    """Every name in the expression: columns, parameters and definitions, without the names of options."""
    match node:
        case Name(code=code):
            return frozenset({code})
        case Binary(op=op, right=right) if op == OPTION:
            return column_names(right)
    return frozenset[str]().union(*(column_names(child) for child in children(node)))


def substituted(node: Node, meaning: dict[str, Node]) -> Node:
    """The tree with names replaced by what they stand for (``it``, parameters, definitions); options keep their names."""
    match node:
        case Name(code=code) if code in meaning:
            return meaning[code]
        case Binary(op=op, left=left, right=right, place=place) if op == OPTION:
            return Binary(op, left, substituted(right, meaning), place)
    return rebuilt(node, lambda child: substituted(child, meaning))
