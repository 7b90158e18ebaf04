"""From the text of an expression to its tree: tokens with line and column, recursive descent, complaints in Chinese.

Source: survey_system.md 8.2. ``or`` < ``and`` < ``not`` < comparison < ``+ -`` < ``* /`` < sign < parentheses.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import NoReturn

from schemas.syntax import (
    COMPARISONS,
    Binary,
    Call,
    In,
    Logic,
    Name,
    Node,
    Number,
    Place,
    Text,
    Unary,
    children,
    fault,
)

MAX_LENGTH = 8000
MAX_DEPTH = 40
MAX_HEIGHT = 120
MAX_DIGITS = 15

_TOKEN = re.compile(
    r"""(?P<space>\s+)
      | (?P<number>\d+(?:\.\d+)?)
      | (?P<text>'[^'\n]*')
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<op>==|!=|<=|>=|[-+*/<>(),])""",
    re.VERBOSE | re.ASCII,
)


@dataclass(frozen=True)
class Token:
    kind: str
    text: str
    place: Place


def tokens_of(text: str, pattern: re.Pattern[str] = _TOKEN) -> list[Token]:
    """The tokens of an expression, with line and column; ``pattern`` names the kinds (space, number, text, name, op)."""
    tokens: list[Token] = []
    offset, line, start = 0, 1, 0
    while offset < len(text):
        place = (line, offset - start + 1)
        found = pattern.match(text, offset)
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
            tokens.append(Token(kind, found.group(), place))
        for at, character in enumerate(found.group()):
            if character == "\n":
                line, start = line + 1, offset + at + 1
        offset = found.end()
    tokens.append(Token("end", "", (line, offset - start + 1)))
    return tokens


def _unreadable(character: str, place: Place) -> NoReturn:
    if character == "=":
        fault("“=”不是比较符", place, "相等写“==”。")
    if character == "'":
        fault("字符串缺右引号", place, "字符串用一对半角单引号括起,不换行。")
    if character == '"':
        fault("字符串不用双引号", place, "请改用半角单引号。")
    fault(f"不认识的符号“{character}”", place, "表达式只用半角字母、数字和运算符。")


class Parser:
    """Recursive descent over the grammar of 8.2; one method a precedence level. ``schemas.table_parser`` widens it."""

    words = frozenset({"and", "or", "not", "in"})

    def __init__(self, text: str) -> None:
        self.tokens = tokens_of(text)
        self.next = 0
        self.depth = 0

    @property
    def token(self) -> Token:
        return self.tokens[self.next]

    def at(self, *texts: str) -> bool:
        return self.token.kind in ("op", "name") and self.token.text in texts

    def take(self) -> Token:
        token = self.token
        if token.kind != "end":
            self.next += 1
        return token

    def expect(self, text: str, after: str) -> Token:
        if not self.at(text):
            found = f"“{self.token.text}”" if self.token.text else "结尾"
            fault(f"{after}之后应有“{text}”,实为{found}", self.token.place, "请检查括号与逗号。")
        return self.take()

    def whole(self) -> Node:
        node = self.disjunction()
        if self.token.kind != "end":
            self._unknown_words()
            fault(f"多余的“{self.token.text}”", self.token.place, "请检查前后是否漏写运算符。")
        return node

    def _unknown_words(self) -> None:
        """Words that rules on any table have and the smaller language of a programme has not."""
        said = {t.text: t for t in self.tokens if t.kind == "name" and t.text not in self.words}
        for word in ("if", "implies"):
            if word in said:
                fault(f"制度的规则没有 {word}", said[word].place, "如果 A 则 B 请写成“not (A) or (B)”。")

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
        if token.kind == "name" and token.text not in self.words:
            return self.call(token) if self.at("(") else Name(token.text, "", token.place)
        found = f"“{token.text}”" if token.text else "结尾"
        return fault(f"此处应为代码、数字、函数或括号,实为{found}", token.place)

    def call(self, name: Token) -> Node:
        self.take()
        arguments: list[Node] = []
        while not self.at(")") or arguments:
            arguments.append(self.disjunction())
            if not self.at(","):
                break
            self.take()
        self.expect(")", f"{name.text} 的参数")
        return Call(name.text, tuple(arguments), name.place)


def _number(token: Token) -> Decimal:
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
    return checked_height(Parser(text).whole())


def checked_height(node: Node) -> Node:
    """The tree itself. Raises DefinitionError where it is too high to be walked."""
    if _height(node) > MAX_HEIGHT:
        fault(f"算式超过 {MAX_HEIGHT} 层", (1, 1), "请拆成派生变量。")
    return node


def _height(node: Node) -> int:
    # Iterative: a sum of a thousand terms is a thousand levels, and must be refused without recursing into it.
    height, level = 0, [node]
    while level:
        height, level = height + 1, [child for n in level for child in children(n)]
    return height
