"""What a rule asks of the figures it failed on 应为: read off its own expression, so that nothing is declared twice.

    F02 <= F01                      不大于 {F01}(营业收入)
    abs(F22 - (F25 + F26)) <= 5     等于 {F25 + F26}(=负债合计 + 所有者权益合计,容许相差 5)
    B16 != 1 or notnull(B17)        填写
    B09 in (1, 2)                   为 1国有、2集体 之一

Pure syntax: which figures are to be put in is named here, the audit run evaluates them. A rule that several alternatives
would satisfy, or that looks at more than one row, expects no single thing: of it nothing is said.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from schemas.chinese_text import LISTS, is_exception, to_chinese
from schemas.expression import (
    COMPARISONS,
    LAGS,
    Binary,
    Call,
    In,
    Logic,
    Name,
    Node,
    Number,
    Text,
    Unary,
    expand,
    parse,
    rebuilt,
    to_text,
    walk,
)
from schemas.model import AuditRule, Edition, Indicator, ValueType
from schemas.syntax import FUNCTIONS

_BOUNDS = {"<=": "不大于", ">=": "不小于", "<": "小于", ">": "大于"}
_DATES = {"<=": "不晚于", ">=": "不早于", "<": "早于", ">": "晚于"}
_TURNED = {"<=": ">=", ">=": "<=", "<": ">", ">": "<"}
MOST_NAMED = 4
"""So many parts of a sum are called by their names; of more their number is said."""


@dataclass(frozen=True)
class Expectation:
    """What one part of a rule expects. ``subject``: the column it speaks of, empty where it is more than one figure, then
    named by ``said``. ``words`` follow 应 and have a place ``{0}`` for each expression of ``values``. ``part``: the
    expression that says whether this part holds; empty where the whole rule is this part. ``tells``: words of it are not
    those of every rule of its kind."""

    subject: str
    said: str
    words: str
    values: tuple[str, ...] = ()
    part: str = ""
    tells: bool = True

    @property
    def adds(self) -> bool:
        """Whether it tells more than the sentence of the rule: a figure, the codes, or which of several cells it is."""
        return self.tells or bool(self.part)


def expectations(rule: AuditRule, edition: Edition) -> tuple[Expectation, ...]:
    """What the rule expects, part by part; empty where no single thing can be said."""
    node = expand(parse(rule.expression), edition.derivations)
    if any(isinstance(n, Call) and _level(n.function) == "aggregate" for n in walk(node)):
        return ()
    reader = _Reader(edition.indicators)
    asserted = _assertion(node)
    if isinstance(asserted, Binary) and asserted.op == "==" and not _follows(node):
        return ()
    if not (isinstance(asserted, Logic) and asserted.op == "and"):
        return tuple(reader.of(asserted, ""))
    return tuple(one for part in asserted.operands for one in reader.of(_assertion(part), to_text(part)))


def _level(function: str) -> str:
    return FUNCTIONS[function].level if function in FUNCTIONS else "row"


def _assertion(node: Node) -> Node:
    """What has to hold where the premises of a conditional rule do: ``a`` of ``isnull(x) or a``."""
    if not (isinstance(node, Logic) and node.op == "or"):
        return node
    rest = [o for o in node.operands if not is_exception(o)]
    return rest[0] if len(rest) == 1 else node.operands[-1] if not rest else node


def _follows(node: Node) -> bool:
    """Whether an answer is asked because of others that were given, and not one of two ways out of a contradiction."""
    premises = node.operands[:-1] if isinstance(node, Logic) else ()
    return all(isinstance(o, Binary) and o.op == "!=" for o in premises)


@dataclass(frozen=True)
class _Reader:
    indicators: Mapping[str, Indicator]

    def of(self, node: Node, part: str) -> Iterator[Expectation]:
        """None or one expectation."""
        match node:
            case Binary(
                op="<=", left=Call(function="abs", arguments=(Binary(op="-") as sides,)), right=Number() as slack
            ):
                yield from self._equal(sides.left, sides.right, slack, part)
            case Binary(op=op, left=left, right=right) if op in _BOUNDS and not (_asks(left) or _asks(right)):
                if isinstance(left, Number):
                    op, left, right = _TURNED[op], right, left
                yield self._bound(op, left, right, part)
            case Binary(op="==", left=left, right=Number() as right) if code := self._code(left, right):
                yield self._about(left, f"为{code}", (), part)
            case In(operand=operand, choices=choices):
                said = "、".join(self._choice(operand, c.value) for c in choices)
                yield self._about(operand, f"为 {said} 之一", (), part)
            case Call(function="notnull", arguments=(asked,)):
                yield replace(self._about(asked, "填写", (), part), tells=False)
            case Call(function="isnull", arguments=(asked,)):
                yield replace(self._about(asked, "留空", (), part), tells=False)
            case Call(function="valid_uscc", arguments=(asked,)):
                yield self._about(asked, "为 18 位统一社会信用代码,末位与前 17 位算出的校验码相符", (), part)
            case Call(function="in_codelist", arguments=(asked, Text(value=name), *_)):
                yield replace(self._about(asked, f"在{LISTS.get(name, '代码表')}内", (), part), tells=False)
            case Call(function="unique", arguments=(asked, *_)):
                yield replace(self._about(asked, "在表内只出现一次", (), part), tells=False)

    def _about(self, node: Node, words: str, values: tuple[str, ...], part: str) -> Expectation:
        plain = _without_nz(node)
        subject = plain.code if isinstance(plain, Name) and not plain.lag else ""
        return Expectation(subject, self._say(plain), words, values, part)

    def _bound(self, op: str, left: Node, right: Node, part: str) -> Expectation:
        words = (_DATES if self._is_date(left) else _BOUNDS)[op]
        about = self._about(left, "", (), part)
        now = "" if about.subject else ",现为 {%d}"
        no_figure: tuple[str, ...] = ()
        if isinstance(right, Number):
            shown, values = f" {right.value:f}", no_figure
        else:
            shown, values = f" {{0}}({self._say(_without_nz(right))})", (to_text(right),)
        extra = (to_text(left),) if now else ()
        text = f"{words}{shown}{now % len(values) if now else ''}"
        return Expectation(about.subject, about.said, text, (*values, *extra), part)

    def _equal(self, left: Node, right: Node, slack: Number, part: str) -> Iterator[Expectation]:
        within = f"容许相差 {slack.value:f}" if slack.value else ""
        about = self._about(left, "", (), part)
        if isinstance(right, Number):
            told = f"({within})" if within else ""
            yield Expectation(
                about.subject, about.said, f"等于 {right.value:f}{told},现为 {{0}}", (to_text(left),), part
            )
            return
        source = f"={self._sum(_without_nz(right))}" + (f",{within}" if within else "")
        now = "" if about.subject else ",现为 {1}"
        values = (to_text(right),) if about.subject else (to_text(right), to_text(left))
        yield Expectation(about.subject, about.said, f"等于 {{0}}({source}){now}", values, part)

    def _sum(self, node: Node) -> str:
        terms = _terms(node)
        return f"{len(terms)} 项分项之和" if len(terms) > MOST_NAMED and all(terms) else self._say(node)

    def _say(self, node: Node) -> str:
        # 其中 is where a figure stands on its form, not part of its name in a sentence.
        return to_chinese(node, self.indicators).replace("其中:", "")

    def _indicator(self, node: Node) -> Indicator | None:
        plain = _without_nz(node)
        return self.indicators.get(plain.code) if isinstance(plain, Name) else None

    def _is_date(self, node: Node) -> bool:
        found = self._indicator(node)
        return found is not None and found.type is ValueType.DATE

    def _code(self, node: Node, value: Number) -> str:
        """A flag's or code's value as people write it; nothing for figures."""
        found = self._indicator(node)
        if found is None or found.type not in (ValueType.BOOLEAN, ValueType.CODE):
            return ""
        if found.type is ValueType.BOOLEAN:
            return {Decimal(1): "“是”", Decimal(0): "“否”"}.get(value.value, "")
        return f" {self._choice(node, value.value)}"

    def _choice(self, node: Node, value: Decimal | str) -> str:
        code = value if isinstance(value, str) else f"{value:f}"
        found = self._indicator(node)
        return f"{code}{found.options.get(code, '') if found else ''}"


def _asks(node: Node) -> bool:
    """Whether it is itself a question, so that no figure stands on this side."""
    asking = {"in_codelist", "in_roster", "isnull", "notnull", "unique", "valid_uscc", "industry"}
    return any(
        isinstance(n, Logic | In)
        or (isinstance(n, Binary) and n.op in COMPARISONS)
        or (isinstance(n, Unary) and n.op == "not")
        or (isinstance(n, Call) and n.function in asking)
        for n in walk(node)
    )


def _without_nz(node: Node) -> Node:
    """For reading aloud: a blank counted as 0 is not spoken of."""
    if isinstance(node, Call) and node.function == "nz":
        return _without_nz(node.arguments[0])
    return rebuilt(node, _without_nz)


def _terms(node: Node) -> list[bool]:
    """Of each part of a sum whether it is a figure that is added."""
    if isinstance(node, Binary) and node.op == "+":
        return _terms(node.left) + _terms(node.right)
    return [isinstance(node, Name) or (isinstance(node, Call) and node.function in LAGS)]


def expected_of(indicator: Indicator) -> str:
    """What any cell of an indicator should hold, whatever the figure; empty where anything may be written."""
    match indicator.type:
        case ValueType.NUMBER:
            measure = f"({indicator.unit_measure})" if indicator.unit_measure not in ("", "-") else ""
            return f"应为数字{measure}" + (
                f",小数不超过 {indicator.decimals} 位" if indicator.decimals else ",没有小数"
            )
        case ValueType.BOOLEAN:
            return "应为“是”或“否”"
        case ValueType.DATE:
            return "应为日期"
        case ValueType.CODE:
            return "应为文本格式的代码"
    return ""
