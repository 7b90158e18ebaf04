"""An expression of the rule language as a Chinese sentence with the names of its indicators, for rule book and readers.

    F02 <= F01                      主营业务收入 ≤ 营业收入
    B16 != 1 or notnull(B17)        若 高新技术企业 为“是”,则 高企证书编号 已填
    abs(F22 - (F25 + F26)) <= 5     资产总计 = 负债合计 + 所有者权益合计(容许相差 5)

Every expression of the language can be said. Reading aids only: where text and expression differ, the expression rules.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

from schemas import reserved
from schemas.expression import COMPARISONS, LAGS, Binary, Call, In, Logic, Name, Node, Number, Text, Unary, parse
from schemas.model import Indicator, ValueType

_CONTEXT = {
    "period_year": "报告年",
    "quarter": "报告季",
    "months": "报告期月数",
    "period_end": "报告期末",
    "park_code": "本园区代码",
    "answer_status": "回答状态",
    reserved.PERIOD: "报告期",
}
LISTS = {
    "unit_register": "单位名录库",
    "park": "园区名录",
    "sub_park": "分园名录",
    "base": "产业基地名录",
    "park_counties": "园区所在县区",
    "division_county": "县级行政区划代码表",
    "gbt4754_class4": "国民经济行业小类代码表",
    "reg_category": "登记注册统计类别代码表",
    "task": "计划任务清单",
    "area": "区域代码表",
    "innovation_sample": "创新调查样本",
}
_LAGGED = {"yoy": "上年同期", "prev": "上季", "last": "上期", "q4": "四季度"}
_SIGNS = {"==": "=", "!=": "≠", "<=": "≤", ">=": "≥", "<": "<", ">": ">", "+": "+", "-": "−", "*": "×", "/": "÷"}
_OPPOSITE = {"==": "!=", "!=": "==", "<=": ">", ">=": "<", "<": ">=", ">": "<="}
_YES_NO = {Decimal(1): "是", Decimal(0): "否"}


def said_of_lag(column: str) -> str:
    """An operand of another period (``operand_column``) as its reader names it: 上季O12."""
    code, _, lag = column.rpartition("_")
    return f"{_LAGGED[lag]}{code}"


def to_chinese(
    node: Node | str, indicators: Mapping[str, Indicator], derivations: Mapping[str, str] | None = None
) -> str:
    """The sentence of one expression; ``derivations`` are named and not written out."""
    return _Sentence(indicators, derivations or {}).say(parse(node) if isinstance(node, str) else node)


class _Sentence:
    def __init__(self, indicators: Mapping[str, Indicator], derivations: Mapping[str, str]) -> None:
        self.indicators = indicators
        self.derivations = derivations
        self.functions: Mapping[str, Callable[[tuple[Node, ...]], str]] = {
            "nz": lambda a: f"{self.operand(a[0])}(空作{'否' if self._is_flag(a[0]) else '0'})",
            "isnull": lambda a: f"{self.operand(a[0])} 为空",
            "notnull": lambda a: f"{self.operand(a[0])} 已填",
            "abs": lambda a: f"|{self.say(a[0])}|",
            "max": lambda a: f"{self.listed(a)} 中的最大者",
            "min": lambda a: f"{self.listed(a)} 中的最小者",
            "year": lambda a: f"{self.operand(a[0])} 的年份",
            "section": lambda a: f"{self.operand(a[0])} 的行业门类",
            "industry": self._industry,
            "in_codelist": self._in_codelist,
            "in_roster": lambda a: f"{self.operand(a[0])} 在本园区本期名册内",
            "unique": lambda a: f"{self.listed(a)}{' 的组合' if len(a) > 1 else ''} 在表内不重复",
            "valid_uscc": lambda a: f"{self.operand(a[0])} 校验位正确",
            "size_class": lambda a: f"按 {self.listed(a)} 划分的企业规模",
            "hightech_class": lambda a: f"{self.operand(a[0])} 对应的高技术产业类别",
            "SUM": self._sum,
            "COUNT": lambda a: f"“{self.say(a[0])}”的单位数",
            "COUNT_PARK": lambda a: f"“{self.say(a[0])}”的园区数",
            "CUM": lambda a: f"计划起始年以来 {self.operand(a[0])} 的累计",
            "BASE": lambda a: f"{self.say(a[1])} 年的 {self.operand(a[0])}",
            "STAGE": lambda a: f"本阶段 {self.operand(a[0])} 的累计",
            "STAGE_DELTA": lambda a: f"本阶段 {self.operand(a[0])} 的增量",
            "CAGR": lambda a: f"{self.say(a[1])} 年以来 {self.operand(a[0])} 的年均增长",
        }

    def say(self, node: Node) -> str:
        match node:
            case Number(value=value):
                return format(value, "f")
            case Text(value=value):
                return value
            case Name():
                return self.name(node)
            case Unary(op="not", operand=operand):
                return self.denied(operand)
            case Unary(operand=operand):
                return f"−{self.operand(operand)}"
            case Logic():
                return self._logic(node)
            case In():
                return self._in(node)
            case Binary(op=op) if op in COMPARISONS:
                return self._comparison(node)
            case Binary(op=op, left=left, right=right):
                first = self.say(left) if _binds(left) >= _binds(node) else self.operand(left)
                second = self.say(right) if _binds(right) > _binds(node) else self.operand(right)
                if op == "+" and _binds(right) == _binds(node):
                    second = self.say(right)
                return f"{first} {_SIGNS[op]} {second}"
            case Call(function=function, arguments=arguments) if function in LAGS:
                return self._lagged(function, arguments[0])
            case Call(function=function, arguments=arguments) if function in self.functions:
                return self.functions[function](arguments)
            case Call(function=function, arguments=arguments):
                return f"{function}({self.listed(arguments)})"

    def operand(self, node: Node) -> str:
        """As ``say``, in brackets where it is more than one thing."""
        loose = (
            isinstance(node, Binary | Logic | In) or (isinstance(node, Unary) and node.op == "not") or _is_phrase(node)
        )
        return f"({self.say(node)})" if loose else self.say(node)

    def listed(self, nodes: tuple[Node, ...]) -> str:
        return "、".join(self.say(node) for node in nodes)

    def name(self, name: Name) -> str:
        if name.code in _CONTEXT and name.code not in self.indicators:
            return _CONTEXT[name.code]
        indicator = self.indicators.get(name.code)
        said = indicator.name if indicator else name.code
        return f"{_LAGGED[name.lag]}{said}" if name.lag else said

    def denied(self, node: Node) -> str:
        """The sentence that a condition does not hold."""
        match node:
            case Binary(op=op) if op in _OPPOSITE:
                return self._comparison(Binary(_OPPOSITE[op], node.left, node.right, node.place))
            case Unary(op="not", operand=operand):
                return self.say(operand)
            case Call(function="isnull", arguments=arguments):
                return f"{self.operand(arguments[0])} 已填"
            case Call(function="notnull", arguments=arguments):
                return f"{self.operand(arguments[0])} 为空"
            case Name():
                return f"{self.name(node)} 为“否”"
        return f"并非({self.say(node)})"

    def _logic(self, node: Logic) -> str:
        if node.op == "and":
            return " 且 ".join(f"({self.say(o)})" if isinstance(o, Logic) else self.said_flag(o) for o in node.operands)
        conditions = [o for o in node.operands[:-1] if is_exception(o)]
        rest = [o for o in node.operands if o not in conditions]
        if not conditions:
            return " 或 ".join(f"({self.say(o)})" if isinstance(o, Logic) else self.said_flag(o) for o in node.operands)
        premise = " 且 ".join(self.opposed(o) for o in conditions)
        if len(conditions) == 1 and isinstance(conditions[0], Logic):
            premise = premise[1:-1]
        said = [f"({self.say(o)})" if isinstance(o, Logic) and len(rest) > 1 else self.said_flag(o) for o in rest]
        return f"若 {premise},则 {' 或 '.join(said)}"

    def opposed(self, node: Node) -> str:
        """The opposite of a condition, de Morgan's way for those joined by ``and``."""
        if isinstance(node, Logic) and node.op == "and":
            return f"({' 或 '.join(self.opposed(o) for o in node.operands)})"
        return self.denied(node)

    def said_flag(self, node: Node) -> str:
        """As ``say``; a flag standing for itself is said to be 是."""
        if isinstance(node, Name) and node.code not in self.derivations:
            return f"{self.name(node)} 为“是”"
        return self.say(node)

    def _is_flag(self, node: Node) -> bool:
        indicator = self.indicators.get(node.code) if isinstance(node, Name) else None
        return indicator is not None and indicator.type is ValueType.BOOLEAN

    def _comparison(self, node: Binary) -> str:
        shown = self._as_code(node.left, node.right)
        if shown and node.op in ("==", "!="):
            return f"{self.say(node.left)} {'为' if node.op == '==' else '不为'}{shown}"
        if node.op == "<=" and isinstance(node.right, Number) and (sides := _difference(node.left)):
            return f"{self.say(sides[0])} = {self.say(sides[1])}(容许相差 {self.say(node.right)})"
        sides_said = (
            self.operand(n) if isinstance(n, Logic) or _compares(n) else self.say(n) for n in (node.left, node.right)
        )
        return f" {_SIGNS[node.op]} ".join(sides_said)

    def _as_code(self, left: Node, right: Node) -> str:
        """A constant as the indicator beside it writes it: “是”, 1国有."""
        while isinstance(left, Call) and left.function in ("nz", *LAGS):
            left = left.arguments[0]
        if not isinstance(right, Number | Text):
            return ""
        indicator = self.indicators.get(left.code) if isinstance(left, Name) else None
        if isinstance(left, Call) and left.function == "section":
            return f"“{right.value}”"
        if indicator is None or indicator.type not in (ValueType.BOOLEAN, ValueType.CODE):
            return ""
        if indicator.type is ValueType.BOOLEAN and isinstance(right, Number):
            return f"“{_YES_NO.get(right.value, right.value)}”"
        code = format(right.value, "f") if isinstance(right, Number) else right.value
        return f"“{code}{indicator.options.get(code, '')}”"

    def _in(self, node: In) -> str:
        choices = [self._as_code(node.operand, c) or self.say(c) for c in node.choices]
        return f"{self.say(node.operand)} 为 {'、'.join(choices)} 之一"

    def _lagged(self, lag: str, inner: Node) -> str:
        said = self.say(inner)
        return f"{_LAGGED[lag]}{said}" if isinstance(inner, Name) else f"{_LAGGED[lag]}的({said})"

    def _industry(self, arguments: tuple[Node, ...]) -> str:
        prefixes = [a.value for a in arguments if isinstance(a, Text)]
        return f"行业属于 {'、'.join(prefixes)}"

    def _in_codelist(self, arguments: tuple[Node, ...]) -> str:
        key = f"({self.operand(arguments[2])} 之下)" if len(arguments) > 2 else ""
        name = self.say(arguments[1])
        return f"{self.operand(arguments[0])} 在{LISTS.get(name, f'代码表“{name}”')}{key}内"

    def _sum(self, arguments: tuple[Node, ...]) -> str:
        condition = f"“{self.say(arguments[1])}”的" if len(arguments) > 1 else "各"
        return f"{condition}单位 {self.operand(arguments[0])} 的合计"


def is_exception(node: Node) -> bool:
    """Whether an alternative reads as "unless": what follows is asked only where it does not hold."""
    match node:
        case Unary(op="not") | Binary(op="!=") | Call(function="isnull"):
            return True
        case Binary(op="==", right=Number(value=value)):
            return value == 0
        case Logic(op="and", operands=operands):
            return all(is_exception(o) for o in operands)
    return False


def _difference(node: Node) -> tuple[Node, Node] | None:
    """The two sides of ``abs(a - b)``."""
    match node:
        case Call(function="abs", arguments=(Binary(op="-", left=left, right=right),)):
            return left, right
    return None


def _binds(node: Node) -> int:
    """How strongly an operand of arithmetic holds together: sums 1, products 2, one thing 3, anything else 0."""
    match node:
        case Binary(op="+" | "-"):
            return 1
        case Binary(op="*" | "/"):
            return 2
        case Binary() | Logic() | In() | Unary(op="not"):
            return 0
    return 0 if _is_phrase(node) else 3


def _is_phrase(node: Node) -> bool:
    """Whether a call is said in several words, which arithmetic must not tear apart."""
    return isinstance(node, Call) and node.function in ("max", "min", "SUM", "COUNT", "CUM", "STAGE", "STAGE_DELTA")


def _compares(node: Node) -> bool:
    return isinstance(node, In) or (isinstance(node, Binary) and node.op in COMPARISONS)
