"""What an expression means: names and types are settled here, once, for every target.

``typed`` turns the syntax tree into a tree of few, explicit operations. Literals have taken the type of their partner
(``B09 in (1, 2)`` compares texts, ``B16 == 1`` is the flag itself, so that "03" is never 3), exact and Float64 arithmetic
are told apart, and every SUM, COUNT … is an operation of its own. The targets translate operation by operation.

Exactness (design.md 3): sums, differences, abs, max and min of Int64 and Decimal columns stay exact; ``*`` and ``/`` are
taken in Float64. Source of the semantics: survey_system.md 8.3 and 8.4.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import NoReturn

from schemas import reserved
from schemas.errors import DefinitionError
from schemas.expression import (
    COMPARISONS,
    FUNCTIONS,
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
    distributed,
    expand,
    fault,
    to_text,
)
from schemas.period_data import CONTEXT, PARK
from schemas.variables import BOOLEAN, DATE, FLOAT, INTEGER, TEXT, Family, Kind, Variable, variables_of

__all__ = [
    "AGGREGATES",
    "BOOLEAN",
    "DATE",
    "FLOAT",
    "INTEGER",
    "ROSTER_AGGREGATES",
    "TEXT",
    "YEAR_FUNCTIONS",
    "Family",
    "Kind",
    "Typed",
    "Variable",
    "require_aggregate_level",
    "require_row_level",
    "rosters_of",
    "typed",
    "variables_of",
]

MAX_SCALE = 9
_IN_CHINESE = {"exact": "数值", "float": "数值", "boolean": "真假", "text": "代码或文字", "date": "日期"}


@dataclass(frozen=True)
class Typed:
    """One operation with typed operands. ``value`` holds what is no operand: a literal, (code, lag), a list's name.

    ``roster`` is the frame a column stands in, and the one SUM and COUNT run over. ``text`` is the normal text of an
    aggregate: equal texts are computed once.
    """

    op: str
    kind: Kind
    args: tuple[Typed, ...] = ()
    value: object = None
    roster: str = ""
    text: str = ""

    def walk(self) -> Iterator[Typed]:
        """The operation and everything below it, parents first."""
        yield self
        for arg in self.args:
            yield from arg.walk()


ROSTER_AGGREGATES = frozenset({"SUM", "COUNT"})
#: Functions of rules on any table that the smaller language of a programme spells otherwise.
OF_ANY_TABLE = {
    "is_missing": "isnull(x)", "is_present": "notnull(x)", "is_na": "isnull(x)", "in_range": "x >= 下限 and x <= 上限",
    "growth": "x / prev(x) - 1", "sum": "SUM(x)", "count": "COUNT()",
}  # fmt: skip
YEAR_FUNCTIONS = frozenset({"CUM", "BASE", "STAGE", "STAGE_DELTA", "CAGR"})
AGGREGATES = ROSTER_AGGREGATES | YEAR_FUNCTIONS | {"COUNT_PARK"}
_CONTEXT_KINDS = {
    "period_year": INTEGER,
    "quarter": INTEGER,
    "months": INTEGER,
    "period_end": DATE,
    "park_code": TEXT,
    "answer_status": TEXT,
    reserved.PERIOD: TEXT,
}
_COMPARE = {"==": "eq", "!=": "ne", "<": "lt", "<=": "le", ">": "gt", ">=": "ge"}


def typed(node: Node, variables: Mapping[str, Variable], derivations: Mapping[str, str] | None = None) -> Typed:
    """The typed operations of one expression.

    Raises DefinitionError (with line and column) for a name or function that does not exist, a wrong number of
    arguments, types that do not meet, an aggregate inside a row of SUM or COUNT, or rows of two rosters mixed.
    """
    found = _Typing(variables).of(distributed(expand(node, derivations or {})))
    _one_roster(found, "表达式")
    return found


def rosters_of(expression: Typed) -> frozenset[str]:
    """The frames whose columns an expression reads outside SUM and COUNT."""
    if expression.op in ROSTER_AGGREGATES:
        return frozenset()
    own = frozenset({expression.roster} - {""})
    return own.union(*(rosters_of(arg) for arg in expression.args))


def require_row_level(expression: Typed, roster: str, text: str = "") -> None:
    """Raise DefinitionError unless the expression can be asked of one row of ``roster``.

    A row of a sheet (``park``) may use SUM and COUNT over its own rosters; any row may use COUNT_PARK.
    """
    strange = rosters_of(expression) - {roster}
    if strange:
        raise DefinitionError(
            f"表达式 {text} 在 {roster} 的一行上求值,却用了 {'、'.join(sorted(strange))} 的代码",
            remedy="其他名册的代码只能出现在 SUM、COUNT 之内。",
        )
    allowed = {"COUNT_PARK"} | (ROSTER_AGGREGATES if roster in (PARK, "") else set())
    below = {e.op for e in expression.walk()} & (AGGREGATES - allowed)
    if below:
        raise DefinitionError(f"表达式 {text} 在一行上求值,不能用 {'、'.join(sorted(below))}")


def require_aggregate_level(expression: Typed, text: str = "") -> None:
    """Raise DefinitionError unless the expression can be asked of an area: roster codes only inside SUM and COUNT."""
    strange = rosters_of(expression) - {PARK, CONTEXT}
    if strange:
        raise DefinitionError(
            f"表达式 {text} 在区域上求值,{'、'.join(sorted(strange))} 的代码要放在 SUM、COUNT 之内",
            remedy="例如写成 SUM(F01)。",
        )


def _one_roster(expression: Typed, what: str) -> None:
    found = rosters_of(expression)
    if len(found) > 1 and not found <= {PARK, CONTEXT}:
        raise DefinitionError(
            f"{what}的同一行混用了 {'、'.join(sorted(found))} 的代码",
            remedy="企业、项目、载体、任务的代码在其他表里只能出现在 SUM、COUNT 之内。",
        )


class _Typing:
    def __init__(self, variables: Mapping[str, Variable]) -> None:
        self.variables = variables
        self.functions: Mapping[str, Callable[[Call], Typed]] = {
            "nz": self._nz,
            "isnull": self._null_test,
            "notnull": self._null_test,
            "abs": self._abs,
            "max": self._extreme,
            "min": self._extreme,
            "year": lambda call: Typed("year", INTEGER, (self._expect(call.arguments[0], Family.DATE),)),
            "section": lambda call: Typed("section", TEXT, self._texts(call.arguments)),
            "industry": self._industry,
            "in_codelist": self._in_codelist,
            "in_roster": lambda call: Typed("in_roster", BOOLEAN, self._texts(call.arguments)),
            "unique": lambda call: Typed("unique", BOOLEAN, tuple(map(self.of, call.arguments))),
            "valid_uscc": lambda call: Typed("valid_uscc", BOOLEAN, self._texts(call.arguments)),
            "size_class": self._size_class,
            "hightech_class": lambda call: Typed("hightech_class", TEXT, self._texts(call.arguments)),
            "SUM": self._sum,
            "COUNT": self._count,
        }

    def of(self, node: Node) -> Typed:
        match node:
            case Number(value=value):
                return _literal(value, node.place)
            case Text(value=text):
                return Typed("text", TEXT, value=text)
            case Name():
                return self._name(node)
            case Unary(op="not", operand=operand):
                return Typed("not", BOOLEAN, (self._expect(operand, Family.BOOLEAN),))
            case Unary(operand=operand):
                inner = self._number(operand)
                return Typed("neg", inner.kind, (inner,))
            case Binary(op=op) if op in COMPARISONS:
                return self._comparison(node)
            case Binary():
                return self._arithmetic(node)
            case Logic(op=op, operands=operands):
                return Typed(op, BOOLEAN, tuple(self._expect(o, Family.BOOLEAN) for o in operands))
            case In():
                return self._in(node)
            case Call():
                return self._call(node)

    def _name(self, node: Name) -> Typed:
        if node.code in _CONTEXT_KINDS:
            return Typed("context", _CONTEXT_KINDS[node.code], value=node.code)
        variable = self.variables.get(node.code)
        if variable is None:
            fault(f"没有代码或派生变量“{node.code}”", node.place, "请核对指标代码;字符串要用单引号括起。")
        return Typed("column", variable.kind, value=(node.code, node.lag), roster=variable.roster)

    def _arithmetic(self, node: Binary) -> Typed:
        left, right = self._number(node.left), self._number(node.right)
        if node.op in ("*", "/"):
            return Typed("mul" if node.op == "*" else "div", FLOAT, (_as_float(left), _as_float(right)))
        kind, args = _common((left, right))
        return Typed("add" if node.op == "+" else "sub", kind, args)

    def _comparison(self, node: Binary) -> Typed:
        op = _COMPARE[node.op]
        left, right = self._partners(node.left, node.right, op)
        if left.kind.is_number and right.kind.is_number:
            _, (left, right) = _common((left, right))
        elif left.kind.family != right.kind.family:
            self._clash(left, right, node.place)
        elif left.kind in (BOOLEAN, TEXT) and op not in ("eq", "ne"):
            fault(f"{_IN_CHINESE[left.kind.family]}不能比大小", node.place, "请用 ==、!= 或 in。")
        if left.kind == BOOLEAN and right.op == "boolean":
            return left if (op == "eq") == bool(right.value) else Typed("not", BOOLEAN, (left,))
        return Typed(op, BOOLEAN, (left, right))

    def _partners(self, left: Node, right: Node, op: str) -> tuple[Typed, Typed]:
        """Both sides, a literal taking the type of the other side."""
        first = self.of(left)
        second = self.of(right)
        if isinstance(right, Number | Text):
            return self._adapt(first, right, second, op)
        if isinstance(left, Number | Text):
            second, first = self._adapt(second, left, first, op)
        return first, second

    def _adapt(self, value: Typed, literal: Number | Text, plain: Typed, op: str) -> tuple[Typed, Typed]:
        match value.kind.family, literal:
            case Family.BOOLEAN, Number(value=number):
                if number not in (0, 1):
                    fault("是否型指标只能与 0、1 比较", literal.place)
                return value, Typed("boolean", BOOLEAN, value=bool(number))
            case Family.TEXT, Number(value=number) if op in ("eq", "ne"):
                return value, Typed("text", TEXT, value=_code_text(number, literal.place))
            case Family.TEXT, Number() if value.op != "text":
                return Typed("code_number", INTEGER, (value,)), plain
            case Family.DATE, Text(value=text):
                try:
                    return value, Typed("date", DATE, value=date.fromisoformat(text))
                except ValueError:
                    fault(f"“{text}”不是日期", literal.place, "日期写成 '2025-03-31'。")
        return value, plain

    def _in(self, node: In) -> Typed:
        operand = self.of(node.operand)
        if operand.kind.family is Family.DATE:
            fault("日期不能用 in", node.place, "请写成两个比较。")
        choices = [self._adapt(operand, c, self.of(c), "eq")[1] for c in node.choices]
        for choice in choices:
            if choice.kind.family != operand.kind.family and not (choice.kind.is_number and operand.kind.is_number):
                self._clash(operand, choice, node.place)
        if operand.kind == TEXT:
            return Typed("in", BOOLEAN, (operand,), value=tuple(str(c.value) for c in choices))
        tests: list[Typed] = []
        for choice in choices:
            _, pair = _common((operand, choice)) if operand.kind.is_number else (BOOLEAN, (operand, choice))
            tests.append(Typed("eq", BOOLEAN, pair))
        return tests[0] if len(tests) == 1 else Typed("or", BOOLEAN, tuple(tests))

    def _call(self, node: Call) -> Typed:
        function = FUNCTIONS.get(node.function)
        if function is None:
            other = OF_ANY_TABLE.get(node.function)
            remedy = f"制度的规则请写 {other}。" if other else "可用的函数见 docs/formats/expression.md。"
            fault(f"没有函数“{node.function}”", node.place, remedy)
        count = len(node.arguments)
        if count < function.least or (function.most is not None and count > function.most):
            fault(f"{function.name} 的参数个数不对,写了 {count} 个", node.place)
        if node.function == "COUNT_PARK" or node.function in YEAR_FUNCTIONS:
            return self._over_parks_or_years(node)
        return self.functions[node.function](node)

    def _nz(self, call: Call) -> Typed:
        inner = self.of(call.arguments[0])
        if inner.kind == DATE:
            fault("日期没有 0,不能用 nz", call.place, "请用 notnull。")
        return Typed("nz", inner.kind, (inner,))

    def _null_test(self, call: Call) -> Typed:
        return Typed(call.function, BOOLEAN, (self.of(call.arguments[0]),))

    def _abs(self, call: Call) -> Typed:
        inner = self._number(call.arguments[0])
        return Typed("abs", inner.kind, (inner,))

    def _extreme(self, call: Call) -> Typed:
        values = tuple(map(self.of, call.arguments))
        if all(v.kind == DATE for v in values):
            return Typed(call.function, DATE, values)
        kind, args = _common(tuple(map(self._number, call.arguments)))
        return Typed(call.function, kind, args)

    def _industry(self, call: Call) -> Typed:
        own, *prefixes = call.arguments
        if not prefixes:
            fault("industry 要列出至少一个门类加数字前缀", call.place)
        wanted = []
        for prefix in prefixes:
            text = self._plain_text(prefix)
            if not (
                text[:1].isalpha() and text[:1].isupper() and text.isascii() and text[1:].isdigit() | (text[1:] == "")
            ):
                fault(f"“{text}”不是门类字母加数字前缀", prefix.place, "例如 'C39'。")
            wanted.append(text)
        return Typed("industry", BOOLEAN, self._texts((own,)), value=tuple(wanted))

    def _in_codelist(self, call: Call) -> Typed:
        value, name, *key = call.arguments
        return Typed("in_codelist", BOOLEAN, self._texts((value, *key)), value=self._plain_text(name))

    def _size_class(self, call: Call) -> Typed:
        industry, *amounts = call.arguments
        return Typed("size_class", TEXT, (*self._texts((industry,)), *map(self._number, amounts)))

    def _sum(self, call: Call) -> Typed:
        value = self._number(call.arguments[0])
        conditions = tuple(self._expect(c, Family.BOOLEAN) for c in call.arguments[1:])
        return self._over_roster(call, value.kind, (value, *conditions))

    def _count(self, call: Call) -> Typed:
        return self._over_roster(call, INTEGER, (self._expect(call.arguments[0], Family.BOOLEAN),))

    def _over_roster(self, call: Call, kind: Kind, args: tuple[Typed, ...]) -> Typed:
        if any(e.op in AGGREGATES for arg in args for e in arg.walk()):
            fault(f"{call.function} 之内不能再有汇总函数", call.place)
        if any(e.op == "unique" for arg in args for e in arg.walk()):
            fault(f"{call.function} 之内不能用 unique", call.place)
        rosters = frozenset[str]().union(*map(rosters_of, args))
        if len(rosters) != 1 or rosters & {PARK, CONTEXT}:
            fault(
                f"{call.function} 要在一个名册上汇总,此处用了 {'、'.join(sorted(rosters)) or '零个指标'}",
                call.place,
                "园区表代码直接写;不同名册分开汇总。",
            )
        return Typed(call.function, kind, args, roster=next(iter(rosters)), text=to_text(call))

    def _over_parks_or_years(self, call: Call) -> Typed:
        text = to_text(call)
        if call.function == "COUNT_PARK":
            return Typed("COUNT_PARK", INTEGER, (self._expect(call.arguments[0], Family.BOOLEAN),), text=text)
        value = self._number(call.arguments[0])
        if any(e.op in YEAR_FUNCTIONS for e in value.walk()):
            fault(f"{call.function} 之内不能再有 {'、'.join(sorted(YEAR_FUNCTIONS))}", call.place)
        year: int | None = None
        if len(call.arguments) == 2:
            written = call.arguments[1]
            if (
                not isinstance(written, Number)
                or written.value != int(written.value)
                or not 1900 < written.value < 2100
            ):
                fault(f"{call.function} 的第二个参数要写四位年份", call.place)
            year = int(written.value)
        return Typed(call.function, FLOAT, (_as_float(value),), value=year, text=text)

    def _number(self, node: Node) -> Typed:
        found = self.of(node)
        if not found.kind.is_number:
            fault(f"{to_text(node)} 是{_IN_CHINESE[found.kind.family]},此处要数值", node.place)
        return found

    def _expect(self, node: Node, family: Family) -> Typed:
        found = self.of(node)
        if found.kind.family is not family:
            fault(f"{to_text(node)} 是{_IN_CHINESE[found.kind.family]},此处要{_IN_CHINESE[family]}", node.place)
        return found

    def _texts(self, nodes: tuple[Node, ...]) -> tuple[Typed, ...]:
        return tuple(self._expect(n, Family.TEXT) for n in nodes)

    def _plain_text(self, node: Node) -> str:
        if not isinstance(node, Text):
            fault(f"{to_text(node)} 应为单引号字符串", node.place)
        return node.value

    def _clash(self, left: Typed, right: Typed, place: Place) -> NoReturn:
        fault(f"{_IN_CHINESE[left.kind.family]}不能与{_IN_CHINESE[right.kind.family]}比较", place, "请核对指标类型。")


def _literal(value: Decimal, place: Place) -> Typed:
    scale = max(0, -int(value.as_tuple().exponent))
    if scale > MAX_SCALE:
        fault(f"小数超过 {MAX_SCALE} 位", place)
    return Typed("number", Kind(Family.EXACT, scale), value=value)


def _code_text(number: Decimal, place: Place) -> str:
    if number != int(number) or number < 0 or int(number.as_tuple().exponent) < 0:
        fault(f"代码不能与 {number} 比较", place, "代码是文字,例如 1 或 '03'。")
    return str(int(number))


def _as_float(expression: Typed) -> Typed:
    return expression if expression.kind == FLOAT else Typed("float", FLOAT, (expression,))


def _common(values: tuple[Typed, ...]) -> tuple[Kind, tuple[Typed, ...]]:
    """Numbers brought to one kind: exact if all are, else Float64."""
    if all(v.kind.family is Family.EXACT for v in values):
        return Kind(Family.EXACT, max(v.kind.scale for v in values)), values
    return FLOAT, tuple(map(_as_float, values))
