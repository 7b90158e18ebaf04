"""What an expression on a table means: names, types and groups are settled here, once, before anything is computed.

Exact numbers stay exact through ``+ - * abs round min max sum``; division, roots and statistics are Float64. A tolerance
relaxes ``== != <= >=`` of numbers everywhere but in the condition of ``if``. Functions: ``schemas.table_vocabulary``.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import NoReturn, TypeAlias

import polars as pl

from schemas.syntax import COMPARISONS, Binary, Call, In, Logic, Name, Node, Number, Place, Text, Unary, fault, walk
from schemas.table_model import Column, Table, Tables
from schemas.table_parser import LIST, OPTION, table_text
from schemas.table_terms import BLANK, NO_TOLERANCE, TableMissingError, Tolerance
from schemas.table_values import UNAMBIGUOUS_BLANKS, number_of
from schemas.table_vocabulary import BY, GROUPED, MISSING, SYNONYMS, TABLE_FUNCTIONS, TableFunction
from schemas.typed_expression import Typed
from schemas.variables import BOOLEAN, DATE, FLOAT, INTEGER, TEXT, Family, Kind

MAX_SCALE = 12
_IN_CHINESE = {"exact": "数值", "float": "数值", "boolean": "真假", "text": "文字", "date": "日期"}
_COMPARE = {"==": "eq", "!=": "ne", "<": "lt", "<=": "le", ">": "gt", ">=": "ge"}


@dataclass(frozen=True)
class Given:
    """The arguments of a call: positional, groups, and the other options."""

    call: Call
    function: TableFunction
    values: tuple[Node, ...]
    by: tuple[Node, ...]
    options: Mapping[str, Node]

    @property
    def place(self) -> Place:
        return self.call.place


Calls: TypeAlias = Mapping[str, Callable[["Typing", Given], Typed]]


class Typing:
    """One walk over a tree; ``table`` is the table whose rows are meant (``prev(x)`` means those of the earlier one).

    ``calls`` says what each function means (``schemas.table_calls``); ``exact`` whether products stay exact.
    """

    def __init__(self, tables: Tables, table: Table, tolerance: Tolerance, exact: bool, calls: Calls) -> None:
        self.tables, self.table, self.tolerance, self.exact, self.calls = tables, table, tolerance, exact, calls

    def of(self, node: Node) -> Typed:
        match node:
            case Number(value=value):
                return self._literal(value, node.place)
            case Text(value=text):
                return Typed("text", TEXT, value=text)
            case Name(code=name):
                return self._column(name, node.place)
            case Unary(op="not", operand=operand):
                return Typed("not", BOOLEAN, (self.condition(operand),))
            case Unary(operand=operand):
                inner = self.number(operand)
                return Typed("neg", inner.kind, (inner,))
            case Binary(op=op) if op in COMPARISONS:
                return self._comparison(node)
            case Binary(op=op) if op == OPTION:
                fault(f"“{table_text(node)}”只能写在函数的参数里", node.place)
            case Binary():
                return self._arithmetic(node)
            case Logic(op=op, operands=operands):
                return Typed(op, BOOLEAN, tuple(map(self.condition, operands)))
            case In():
                return self._in(node)
            case Call(function="true" | "false" as word):
                return Typed("boolean", BOOLEAN, value=word == "true")
            case Call(function="if"):
                return self._if(node)
        return self._call(node)

    # ── names, literals, operators ────────────────────────────────────────────────────────────────────────────────
    def _literal(self, value: Decimal, place: Place) -> Typed:
        scale = max(0, -int(value.as_tuple().exponent))
        return Typed("number", Kind(Family.EXACT, scale) if scale <= MAX_SCALE else FLOAT, value=value)

    def _column(self, name: str, place: Place) -> Typed:
        column = self.table.columns.get(name)
        if column is None:
            near = _nearest(name, self.table.columns)
            hint = f"是否指“{near}”?" if near else ""
            where = "数据" if self.table is self.tables.data else f"表 {self.table.name}"
            fault(f"{where}里没有列“{name}”", place, f"{hint}请核对列名;文字要用引号括起。")
        return Typed("column", column.kind, value=name, roster=BLANK if column.blank and not column.declared else "")

    def _is_blank(self, found: Typed) -> bool:
        return found.roster == BLANK

    def _spec(self, found: Typed) -> Column:
        return self.table.columns[str(found.value)]

    def number(self, node: Node) -> Typed:
        found = self.of(node)
        if self._is_blank(found):
            return Typed("blank", INTEGER)
        if not found.kind.is_number:
            self._wrong(node, found, "数值")
        return found

    def condition(self, node: Node) -> Typed:
        found = self.of(node)
        if self._is_blank(found):
            return Typed("blank", BOOLEAN)
        if found.kind != BOOLEAN:
            self._wrong(node, found, "条件")
        return found

    def text(self, node: Node) -> Typed:
        """A text; a column of numbers stands for its cells as written."""
        found = self.of(node)
        if found.op == "column" and found.kind != TEXT:
            return Typed("raw", TEXT, value=found.value)
        if found.kind != TEXT:
            self._wrong(node, found, "文字")
        return found

    def date(self, node: Node) -> Typed:
        found = self.of(node)
        if self._is_blank(found):
            return Typed("blank", DATE)
        if found.kind == TEXT:
            return Typed("to_date", DATE, (found,))
        if found.kind != DATE:
            self._wrong(node, found, "日期")
        return found

    def _wrong(self, node: Node, found: Typed, wanted: str) -> NoReturn:
        remedy = ""
        if found.op == "column" and found.kind == TEXT and not self._spec(found).declared:
            remedy = self._why_text(str(found.value))
        fault(f"{table_text(node)} 是{_IN_CHINESE[found.kind.family]},此处要{wanted}", node.place, remedy)

    def _why_text(self, name: str) -> str:
        raw = self.table.raw[name].to_list()
        for row, cell in enumerate(raw):
            if cell is not None and number_of(cell.strip()) is None and cell.strip() not in UNAMBIGUOUS_BLANKS:
                return (
                    f"列“{name}”第 {self.table.lines[row]} 行是“{cell}”,所以整列按文字读;"
                    f'请更正数据,或在规则文件写 [columns.{name}] type = "number",或把它列入 [table] missing。'
                )
        return ""

    def _arithmetic(self, node: Binary) -> Typed:
        left, right = self.number(node.left), self.number(node.right)
        if node.op == "/":
            return Typed("div", FLOAT, common((left, right))[1])
        if node.op == "*":
            scale = left.kind.scale + right.kind.scale
            if self.exact and left.kind.family is right.kind.family is Family.EXACT and scale <= MAX_SCALE:
                return Typed("mul", Kind(Family.EXACT, scale), (left, right))
            return Typed("mul", FLOAT, (as_float(left), as_float(right)))
        kind, args = common((left, right))
        return Typed("add" if node.op == "+" else "sub", kind, args)

    def _comparison(self, node: Binary) -> Typed:
        return self.compared(_COMPARE[node.op], *self.partners(node.left, node.right), node.place)

    def compared(self, op: str, left: Typed, right: Typed, place: Place) -> Typed:
        if left.kind.is_number and right.kind.is_number:
            _, pair = common((left, right))
            return Typed(op, BOOLEAN, pair, value=self.tolerance if op not in ("lt", "gt") else NO_TOLERANCE)
        if left.kind.family != right.kind.family:
            fault(
                f"{_IN_CHINESE[left.kind.family]}不能与{_IN_CHINESE[right.kind.family]}比较",
                place,
                self._clash_remedy(left, right),
            )
        if left.kind in (BOOLEAN, TEXT) and op not in ("eq", "ne"):
            fault(
                f"{_IN_CHINESE[left.kind.family]}不能比大小",
                place,
                self._clash_remedy(left, right) or "数字用 number(x),期别用 period_index(x),日期用 date(x)。",
            )
        return Typed(op, BOOLEAN, (left, right))

    def _clash_remedy(self, *sides: Typed) -> str:
        return next(
            (
                text
                for side in sides
                if side.op == "column" and side.kind == TEXT and (text := self._why_text(str(side.value)))
            ),
            "",
        )

    def partners(self, left: Node, right: Node) -> tuple[Typed, Typed]:
        """Both sides; a literal, and a column without any value, take the type of the other side."""
        first, second = self.of(left), self.of(right)
        if self._is_blank(first) and self._is_blank(second):
            return Typed("blank", INTEGER), Typed("blank", INTEGER)
        first, second = self._adapted(first, second)
        second, first = self._adapted(second, first)
        return first, second

    def _adapted(self, value: Typed, partner: Typed) -> tuple[Typed, Typed]:
        if self._is_blank(value) and partner.kind != TEXT:
            return Typed("blank", partner.kind), partner
        match value.kind.family, partner.op:
            case Family.BOOLEAN, "number" if partner.value in (0, 1):
                return value, Typed("boolean", BOOLEAN, value=partner.value == 1)
            case Family.TEXT, "number" if value.op != "text" and partner.value == int(_decimal(partner)):
                return value, Typed("text", TEXT, value=str(int(_decimal(partner))))
            case Family.DATE, "text":
                try:
                    return value, Typed("date", DATE, value=date.fromisoformat(str(partner.value)))
                except ValueError:
                    return value, partner
            case Family.EXACT | Family.FLOAT | Family.BOOLEAN, "text" if value.op == "column":
                return Typed("raw", TEXT, value=value.value), partner
        return value, partner

    def _in(self, node: In) -> Typed:
        tests = [self.compared("eq", *self.partners(node.operand, c), node.place) for c in node.choices]
        operand = tests[0].args[0]
        if operand.kind == TEXT and all(t.args[1].op == "text" for t in tests):
            return Typed("in", BOOLEAN, (operand,), value=tuple(str(t.args[1].value) for t in tests))
        return tests[0] if len(tests) == 1 else Typed("or", BOOLEAN, tuple(tests))

    def _if(self, node: Call) -> Typed:
        if len(node.arguments) not in (2, 3):
            fault("if 要有条件和结果", node.place, "写成 if A then B,或 if A then B else C。")
        condition = Typing(self.tables, self.table, NO_TOLERANCE, self.exact, self.calls).condition(node.arguments[0])
        branches = tuple(map(self.of, node.arguments[1:]))
        if len(branches) == 2 and not all(b.kind == BOOLEAN or self._is_blank(b) for b in branches):
            kind, values = self.alike(node.arguments[1:], node.place)
            return Typed("choose", kind, (condition, *values))
        then, *other = tuple(map(self.condition, node.arguments[1:]))
        holds = Typed("or", BOOLEAN, (Typed("not", BOOLEAN, (condition,)), then))
        if not other:
            return holds
        return Typed("and", BOOLEAN, (holds, Typed("or", BOOLEAN, (condition, other[0]))))

    def alike(self, nodes: tuple[Node, ...], place: Place) -> tuple[Kind, tuple[Typed, ...]]:
        """Values of one kind: all numbers, all dates, all texts or all flags."""
        found = tuple(map(self.of, nodes))
        known = [f for f in found if not self._is_blank(f)]
        if not known or known[0].kind.is_number:
            return common(tuple(map(self.number, nodes)))
        if all(f.kind == known[0].kind for f in known):
            return known[0].kind, tuple(Typed("blank", known[0].kind) if self._is_blank(f) else f for f in found)
        return fault("几个参数的类型不同", place, "请都用数值、都用文字或都用日期。")

    # ── calls ─────────────────────────────────────────────────────────────────────────────────────────────────────
    def _call(self, node: Call) -> Typed:
        given = given_of(node)
        return self.calls[given.function.name](self, given)

    def skips(self, given: Given) -> bool:
        """Whether ``missing = 'skip'`` was written; without it a blank leaves an aggregate undetermined."""
        option = given.options.get(MISSING)
        if option is None:
            return False
        if not isinstance(option, Text) or option.value not in ("skip", "unknown"):
            fault("missing 只能是 'skip'(略去空值)或 'unknown'(有空即不定)", given.place)
        return option.value == "skip"

    def keys(self, nodes: tuple[Node, ...]) -> tuple[Typed, ...]:
        """Group columns or expressions, of any type."""
        return tuple(map(self.of, nodes))

    def plain_text(self, node: Node, what: str) -> str:
        if not isinstance(node, Text):
            fault(f"{what}要写成引号内的文字,不是 {table_text(node)}", getattr(node, "place", (0, 0)))
        return node.value

    def plain_number(self, node: Node, what: str) -> Decimal:
        if isinstance(node, Number):
            return node.value
        if isinstance(node, Unary) and node.op == "-" and isinstance(node.operand, Number):
            return -node.operand.value
        return fault(f"{what}要写成数字,不是 {table_text(node)}", getattr(node, "place", (0, 0)))

    def on(self, name: str) -> Typing:
        """The same typing on another table. Raises TableMissingError where it was not given."""
        table = self.tables.beside.get(name)
        if table is None:
            raise TableMissingError(name)
        return Typing(self.tables, table, self.tolerance, self.exact, self.calls)


def given_of(node: Call) -> Given:
    """The arguments of a call sorted. Raises DefinitionError for a function, an option or a number of arguments there is not."""
    name, grouped = _base(SYNONYMS.get(node.function, node.function))
    function = TABLE_FUNCTIONS.get(name)
    if node.function == "circle":
        fault(f"[definitions] 循环引用:{node.arguments[0].value}", node.place)  # type: ignore[union-attr]
    if node.function in (LIST, "rx", "glob"):
        fault(f"此处不能写 {table_text(node)}", node.place, "列表只用于 by、标签;rx、glob 只用于 part_whole。")
    if function is None:
        near = _nearest(node.function, TABLE_FUNCTIONS)
        fault(
            f"没有函数“{node.function}”",
            node.place,
            f"{f'是否指 {near}?' if near else ''}可用的函数见 docs/rules.md。",
        )
    options = {
        a.left.code: a.right
        for a in node.arguments
        if isinstance(a, Binary) and a.op == OPTION and isinstance(a.left, Name)
    }
    values = tuple(a for a in node.arguments if not (isinstance(a, Binary) and a.op == OPTION))
    strange = options.keys() - set(function.options)
    if strange:
        allowed = f"可用的选项:{'、'.join(function.options)}。" if function.options else "它没有选项。"
        fault(f"{node.function} 没有选项“{'、'.join(sorted(strange))}”", node.place, allowed)
    by = _listed(options.pop(BY)) if BY in options else ()
    if grouped:
        values, by = values[: function.least], (*values[function.least :], *by)
        if not by:
            fault(f"{node.function} 要写出按什么分组", node.place, f"例如 {node.function}(x, region)。")
    if len(values) < function.least or (function.most is not None and len(values) > function.most):
        wanted = (
            str(function.least) if function.least == function.most else f"{function.least} 到 {function.most or '任意'}"
        )
        fault(f"{node.function} 要 {wanted} 个参数,写了 {len(values)} 个", node.place, f"例如 {function.example}。")
    return Given(node, function, values, by, options)


def require_vocabulary(node: Node) -> None:
    """What can be said of an expression without a table: every call is one of the language, and it is a condition.

    Raises DefinitionError for the first that is not.
    """
    for part in walk(node):
        if isinstance(part, Call) and part.function not in (LIST, "rx", "glob", "if", "true", "false"):
            given = given_of(part)
            pattern = given.values[1] if given.function.name == "matches" and len(given.values) > 1 else None
            if isinstance(pattern, Text):
                _require_pattern(pattern)
    if isinstance(node, Number | Text) or (isinstance(node, Binary) and node.op in "+-*/"):
        fault("表达式不是条件", node.place, "规则要写成能判真假的式子,例如 a >= 0。")


def _require_pattern(pattern: Text) -> None:
    try:
        pl.Series([""]).str.contains(pattern.value)
    except pl.exceptions.ComputeError:
        fault(f"正则表达式“{pattern.value}”写错了", pattern.place, "请核对括号。")


def _base(name: str) -> tuple[str, bool]:
    for core in GROUPED:
        if name in (f"group_{core}", f"{core}_by"):
            return core, True
    return name, False


def _listed(node: Node) -> tuple[Node, ...]:
    return node.arguments if isinstance(node, Call) and node.function == LIST else (node,)


def _decimal(literal: Typed) -> Decimal:
    return literal.value if isinstance(literal.value, Decimal) else Decimal(0)


Handler: TypeAlias = Callable[[Typing, Given], Typed]


def as_float(expression: Typed) -> Typed:
    return expression if expression.kind == FLOAT else Typed("float", FLOAT, (expression,))


def common(values: tuple[Typed, ...]) -> tuple[Kind, tuple[Typed, ...]]:
    """Numbers brought to one kind: exact if all are, else Float64."""
    if all(v.kind.family is Family.EXACT for v in values):
        return Kind(Family.EXACT, max(v.kind.scale for v in values)), values
    return FLOAT, tuple(map(as_float, values))


def _nearest(name: str, known: Mapping[str, object]) -> str:
    found = difflib.get_close_matches(name, list(known), 1, 0.75)
    return found[0] if found else ""
