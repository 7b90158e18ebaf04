"""The rule language as worksheet formulas with plain functions: no LET, no LAMBDA, no dynamic array.

``to_excel`` gives a formula whose value is 1 (holds), 0 (fails) or 0.5 (unknown), with the semantics of the other targets
(survey_system.md 8.3): blank is unknown and not zero, division by zero is unknown, logic is Kleene's. What a worksheet
does differently is met so:

- exact numbers with decimals are rounded to their decimals on both sides of a comparison, since cells hold binary numbers;
- quotients and products are compared as the worksheet compares, to 15 significant digits, not to the last bit;
- a cell that holds what its column does not take (text in a number column, a flag other than 是 and 否) is unknown, and
  not blank: the reader of the system may still make sense of it. An error cell makes the whole rule unknown.

A workbook shows; the server decides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import cast

from schemas.environment import Environment
from schemas.errors import DefinitionError
from schemas.excel_cells import Cells, not_expressible
from schemas.excel_codes import in_industries, listed, section_in, section_letter, valid_uscc
from schemas.excel_values import UNKNOWN, Amount, Words, calls_of, guarded, joined, one_of, text_literal
from schemas.expression import Node
from schemas.typed_expression import BOOLEAN, TEXT, Family, Typed

__all__ = ["MAX_FORMULA", "Cells", "to_excel", "to_excel_rule"]

MAX_FORMULA = 8_192
MAX_NESTING = 64
YES, NO = "是", "否"
FIRST_DAY = date(1899, 12, 30)
_REASONS = {
    "in_roster": "要查本园区名册",
    "COUNT_PARK": "要查各园区的报表",
    "size_class": "要查企业规模划分表",
    "hightech_class": "要查高技术产业分类表",
    **dict.fromkeys(("CUM", "BASE", "STAGE", "STAGE_DELTA", "CAGR"), "要用其他年份的数据"),
}


def to_excel(node: Node | str, env: Environment, cells: Cells) -> str:
    """One condition as a formula without its equals sign: 1, 0, or 0.5 for unknown.

    Raises DefinitionError with the reason where plain functions over these cells cannot say it.
    """
    return _within_limits(f"IFERROR({_compiled(node, env, cells)},{UNKNOWN})")


def to_excel_rule(expression: Node | str, applies_if: Node | str, env: Environment, cells: Cells) -> str:
    """A rule with its condition: 1 where it holds or does not apply, 0 where it fails, 0.5 unknown."""
    if not applies_if:
        return to_excel(expression, env, cells)
    applies, holds = _compiled(applies_if, env, cells), _compiled(expression, env, cells)
    return _within_limits(f"IFERROR(IF({applies}=1,{holds},1),{UNKNOWN})")


def _compiled(node: Node | str, env: Environment, cells: Cells) -> str:
    typed = env.typed(node)
    if typed.kind != BOOLEAN:
        raise not_expressible("算式是数值,不是判断")
    return _Compiler(env, cells).condition(typed)


def _within_limits(formula: str) -> str:
    if len(formula) >= MAX_FORMULA:
        raise not_expressible(f"公式超过 {MAX_FORMULA} 个字符")
    depth = deepest = 0
    for character in formula:
        depth += (character == "(") - (character == ")")
        deepest = max(deepest, depth)
    if deepest > MAX_NESTING:
        raise not_expressible(f"公式嵌套超过 {MAX_NESTING} 层")
    return formula


_COMPARISONS = {"eq": "=", "ne": "<>", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}


class _Compiler:
    """One expression over one set of cells: ``condition``, ``amount`` and ``words`` by what a value is."""

    def __init__(self, env: Environment, cells: Cells) -> None:
        self.env = env
        self.cells = cells
        self.conditions: Mapping[str, Callable[[Typed], str]] = {
            "column": self._flag,
            "boolean": lambda e: "1" if e.value else "0",
            "and": lambda e: calls_of("MIN", [self.condition(a) for a in e.args]),
            "or": lambda e: calls_of("MAX", [self.condition(a) for a in e.args]),
            "not": lambda e: _opposite(self.condition(e.args[0])),
            **dict.fromkeys(_COMPARISONS, self._comparison),
            "isnull": self._is_blank,
            "notnull": lambda e: _opposite(self._is_blank(e)),
            "nz": self._flag_or_no,
            "in": self._in,
            "in_codelist": self._in_codelist,
            "industry": self._industry,
            "unique": self._unique,
            "valid_uscc": self._valid_uscc,
        }
        self.amounts: Mapping[str, Callable[[Typed], Amount]] = {
            "number": lambda e: _constant(cast(Decimal, e.value)),
            "date": lambda e: _constant(Decimal((cast(date, e.value) - FIRST_DAY).days)),
            "column": self._figure,
            "context": self._context_amount,
            "float": lambda e: self.amount(e.args[0]),
            "neg": self._negative,
            "abs": lambda e: self._call("ABS", e),
            "max": lambda e: self._call("MAX", e),
            "min": lambda e: self._call("MIN", e),
            "add": lambda e: self._arithmetic(e, "+", 1),
            "sub": lambda e: self._arithmetic(e, "-", 1),
            "mul": lambda e: self._arithmetic(e, "*", 2),
            "div": lambda e: self._arithmetic(e, "/", 2),
            "nz": self._amount_or_zero,
            "year": lambda e: self._call("YEAR", e),
            "code_number": self._code_number,
            "SUM": self._column_sum,
            "COUNT": self._column_count,
        }

    def condition(self, node: Typed) -> str:
        """1, 0 or 0.5. The text can stand as an argument or behind a sign."""
        if node.op not in self.conditions:
            raise _unknown_operation(node)
        return self.conditions[node.op](node)

    def amount(self, node: Typed) -> Amount:
        """A number or a day."""
        if node.op not in self.amounts:
            raise _unknown_operation(node)
        return self.amounts[node.op](node)

    def words(self, node: Typed) -> Words:
        """A code or text."""
        match node.op:
            case "text":
                return Words(text_literal(cast(str, node.value)), always=True)
            case "column":
                return Words(f"TRIM({self._cell(node)})")
            case "nz":
                inner = self.words(node.args[0])
                return inner if inner.always else Words(f'IF({inner.text}="","0",{inner.text})', always=True)
            case "section":
                return Words(section_letter(self.words(node.args[0]).text, self.env.industries))
            case "context" if node.value == "park_code":
                return Words(text_literal(self.cells.park), always=bool(self.cells.park))
            case "context" if node.value == "answer_status":
                raise not_expressible("要看单位的回答状态")
            case "context":
                return Words(text_literal(str(self.env.period)), always=True)
        raise _unknown_operation(node)

    def _cell(self, node: Typed) -> str:
        return self.cells.cell(*cast("tuple[str, str]", node.value))

    def _area(self, node: Typed) -> str:
        return self.cells.area(*cast("tuple[str, str]", node.value))

    # Conditions.

    def _flag(self, node: Typed) -> str:
        cell = self._cell(node)
        return f'({UNKNOWN}+(({cell}="{YES}")-({cell}="{NO}"))/2)'

    def _flag_or_no(self, node: Typed) -> str:
        (inner,) = node.args
        if inner.op != "column":
            return f"INT({self.condition(inner)})"
        cell = self._cell(inner)
        return f'(({cell}="{YES}")+(LEN({cell})>0)*({cell}<>"{YES}")*({cell}<>"{NO}")/2)'

    def _comparison(self, node: Typed) -> str:
        left, right = node.args
        if left.kind == BOOLEAN:
            sign = "+" if node.op == "eq" else "-"
            return f"({UNKNOWN}{sign}2*({self.condition(left)}-0.5)*({self.condition(right)}-0.5))"
        if left.kind == TEXT:
            return self._same_text(node)
        first, second = self.amount(left), self.amount(right)
        scale = max(left.kind.scale, right.kind.scale)
        sides = [_rounded(a, scale) if left.kind.family is Family.EXACT else a.text for a in (first, second)]
        both = joined((first, second), "")
        return guarded(both, f"--({sides[0]}{_COMPARISONS[node.op]}{sides[1]})")

    def _same_text(self, node: Typed) -> str:
        left, right = node.args
        if left.op == "text":
            left, right = right, left
        if left.op == "section" and right.op == "text":
            found = self._section_in(left, [cast(str, right.value)])
            return found if node.op == "eq" else _opposite(found)
        first, second = self.words(left), self.words(right)
        same = f"EXACT({first.text},{second.text})"
        return _if_known([first, second], f"--{same}" if node.op == "eq" else f"1-{same}")

    def _in(self, node: Typed) -> str:
        (operand,) = node.args
        choices = cast("tuple[str, ...]", node.value)
        if operand.op == "section":
            return self._section_in(operand, choices)
        text = self.words(operand)
        return _if_known([text], f"--{one_of(text.text, choices)}")

    def _section_in(self, node: Typed, letters: tuple[str, ...] | list[str]) -> str:
        text = self.words(node.args[0])
        return _if_known([text], section_in(text.text, letters, self.env.industries))

    def _industry(self, node: Typed) -> str:
        text = self.words(node.args[0])
        return _if_known([text], in_industries(text.text, cast("tuple[str, ...]", node.value), self.env.industries))

    def _in_codelist(self, node: Typed) -> str:
        name = cast(str, node.value)
        text = self.words(node.args[0])
        if len(node.args) == 1:
            if name not in self.cells.lists:
                raise not_expressible(f"工作簿中没有代码表 {name}")
            return _if_known([text], f"--{listed(text.text, self.cells.lists[name])}")
        if name not in self.cells.keyed:
            raise not_expressible(f"工作簿中没有代码表 {name}")
        key, found = self.words(node.args[1]), UNKNOWN
        for value, area in self.cells.keyed[name].items():
            found = f"IF(EXACT({key.text},{text_literal(value)}),--{listed(text.text, area)},{found})"
        return _if_known([text, key], found)

    def _valid_uscc(self, node: Typed) -> str:
        text = self.words(node.args[0])
        return _if_known([text], f"--{valid_uscc(text.text, organisation_codes=self.env.organisation_codes)}")

    def _unique(self, node: Typed) -> str:
        """Whether no other row has the same values. Rows that are blank in all fields are no records."""
        fields = [arg for arg in node.args if arg.op != "context"]
        if not fields or any(arg.op != "column" for arg in fields):
            raise not_expressible("unique 只能用于指标")
        # Figures as text: LibreOffice finds no number of a range EXACT to anything.
        areas, own = ('&"|"&'.join(map(where, fields)) for where in (self._area, self._cell))
        if len(fields) == 1 and fields[0].kind != TEXT:
            areas, own = f'{areas}&""', f'{own}&""'
        counted = f"SUMPRODUCT(--EXACT({areas},{own}))=1"
        filled = "&".join(self._cell(f) for f in fields)
        return f'IF({filled}="",{UNKNOWN},--({counted}))'

    def _is_blank(self, node: Typed) -> str:
        (inner,) = node.args
        if inner.op == "column":
            cell = self._cell(inner)
            match inner.kind.family:
                case Family.TEXT:
                    return f'--(TRIM({cell})="")'
                case Family.BOOLEAN:
                    return f'IF(LEN({cell})=0,1,IF(OR({cell}="{YES}",{cell}="{NO}"),0,{UNKNOWN}))'
            return f"IF(ISNUMBER({cell}),0,IF(LEN({cell})=0,1,{UNKNOWN}))"
        if inner.kind == BOOLEAN:
            return f"--({self.condition(inner)}={UNKNOWN})"
        if inner.kind == TEXT:
            words = self.words(inner)
            return "0" if words.always else f'--({words.text}="")'
        amount = self.amount(inner)
        known = Amount("", amount.needs, frozenset(), amount.tests)
        blank = guarded(known, f"--ISERROR({amount.text})" if amount.risky else "0", "1")
        return guarded(_typed_cells(amount), blank)

    # Amounts.

    def _figure(self, node: Typed) -> Amount:
        cell = self._cell(node)
        return Amount(f"INT({cell})" if node.kind.family is Family.DATE else cell, frozenset({cell}))

    def _context_amount(self, node: Typed) -> Amount:
        period = self.env.period
        match node.value:
            case "period_year":
                return _constant(Decimal(period.year))
            case "quarter" if not period.quarter:
                return Amount("0", tests=("FALSE",))
            case "quarter":
                return _constant(Decimal(period.quarter or 0))
            case "months":
                return _constant(Decimal(period.months))
        return _constant(Decimal((period.end - FIRST_DAY).days))

    def _call(self, function: str, node: Typed) -> Amount:
        args = [self.amount(a) for a in node.args]
        # MAX and MIN skip what a blank reference holds; as a sum it is the number it stands for.
        return joined(args, calls_of(function, [a.text for a in args]))

    def _negative(self, node: Typed) -> Amount:
        inner = self.amount(node.args[0])
        return joined([inner], f"(-{inner.within(3)})")

    def _arithmetic(self, node: Typed, sign: str, strength: int) -> Amount:
        left, right = (self.amount(a) for a in node.args)
        text = f"{left.within(strength)}{sign}{right.within(strength + 1)}"
        return joined((left, right), text, risky=sign in "*/", strength=strength)

    def _amount_or_zero(self, node: Typed) -> Amount:
        (inner,) = node.args
        if inner.op == "column":
            cell = self._cell(inner)
            return Amount(f"N({cell})", clean=frozenset({cell}))
        amount = self.amount(inner)
        return Amount(guarded(amount, amount.text, "0"), clean=amount.clean | amount.needs)

    def _code_number(self, node: Typed) -> Amount:
        words = self.words(node.args[0]).text
        same = f'IFERROR(EXACT(TEXT(VALUE({words}),"0"),{words}),FALSE)'
        return Amount(f"VALUE({words})", tests=(same, f'LEFT({words})<>"-"', f"LEN({words})<16"))

    def _column_sum(self, node: Typed) -> Amount:
        value = node.args[0]
        if len(node.args) > 1 or value.op != "column":
            raise not_expressible(f"{node.text} 不是一列的合计")
        area = self._area(value)
        return Amount(f"SUM({area})", tests=(f"COUNT({area})>0", f"COUNT({area})=COUNTA({area})"))

    def _column_count(self, node: Typed) -> Amount:
        (condition,) = node.args
        if condition.op == "column":
            return Amount(f'COUNTIF({self._area(condition)},"{YES}")')
        if condition.op == "notnull" and condition.args[0].op == "column":
            return Amount(f"SUMPRODUCT(--(LEN({self._area(condition.args[0])})>0))")
        raise not_expressible(f"{node.text} 不是一列的计数")


def _unknown_operation(node: Typed) -> DefinitionError:
    return not_expressible(_REASONS.get(node.op, f"没有与 {node.text or node.op} 相当的普通函数"))


def _opposite(condition: str) -> str:
    """``not``: 1 becomes 0, unknown stays."""
    return f"(1-{condition.removeprefix('--')})"


def _constant(value: Decimal) -> Amount:
    text = format(value, "f")
    return Amount(text if value >= 0 else f"({text})")


def _rounded(amount: Amount, scale: int) -> str:
    return f"ROUND({amount.text},{scale})" if scale and not amount.is_plain else amount.text


def _typed_cells(amount: Amount) -> Amount:
    """The condition that no cell of an amount holds what is no number."""
    return Amount("", clean=amount.clean | amount.needs)


def _if_known(texts: list[Words], found: str) -> str:
    open_ones = list(dict.fromkeys(t.text for t in texts if not t.always))
    if not open_ones:
        return f"({found})"
    tests = [f'{text}=""' for text in open_ones]
    return f"IF({tests[0] if len(tests) == 1 else f'OR({chr(44).join(tests)})'},{UNKNOWN},{found})"
