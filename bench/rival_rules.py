"""The programme's rules as pandas would run them: nullable columns follow the same three-valued logic, expression by expression."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any

import pandas as pd

from schemas.catalog import codelists_on, keyed_codelists_on
from schemas.classes import sections_by_division, size_rules
from schemas.expression import (
    Binary,
    Call,
    In,
    Logic,
    Name,
    Node,
    Number,
    Text,
    Unary,
    distributed,
    expand,
    operands,
    parse,
    walk,
)
from schemas.model import Edition, Programme, ValueType
from schemas.period import Period
from schemas.uscc import is_valid_uscc, organisation_check_character

TYPES = {ValueType.NUMBER: "Float64", ValueType.BOOLEAN: "boolean", ValueType.DATE: "datetime64[ns]"}
OPERATORS: Mapping[str, Callable[[Any, Any], Any]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "==": operator.eq, "!=": operator.ne,
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


class RuleSet:
    """The rule language over one frame."""

    def __init__(self, programme: Programme, edition: Edition, period: Period, wide: pd.DataFrame) -> None:
        self.edition, self.period, self.wide = edition, period, wide
        self.lists = codelists_on(programme, period)
        self.keyed = keyed_codelists_on(programme, period)
        valid = {
            name: programme.codelists[name].valid(period.end)
            for name in ("gbt4754_class4", "size_class", "hightech_class")
        }
        self.sections = sections_by_division(valid["gbt4754_class4"])
        self.sizes = size_rules(valid["size_class"])
        self.hightech = dict(valid["hightech_class"].select("code", "hightech_class").iter_rows())
        self.restated = {f"{i.code}_yoy" for f in edition.forms.values() for i in f.with_year_earlier(period)}

    def tree(self, text: str) -> Node:
        return distributed(expand(parse(text), self.edition.derivations))

    def can_ask(self, text: str) -> bool:
        """Whether the rule needs nothing but this workbook's enterprise forms."""

        def asks(node: Node) -> bool:
            match node:
                case Name(code=code, lag=lag) if lag:
                    return f"{code}_{lag}" in self.restated
                case Name(code="answer_status"):
                    return False
                case Call(function=f) if f in ("in_roster", "COUNT_PARK", "SUM", "COUNT"):
                    return False
                case Text(value="unit_register"):
                    return False
            return True

        return all(asks(node) for node in walk(self.tree(text)))

    def codes_of_kind(self, kind: str) -> set[str]:
        rules = [r for r in self.edition.rules_for(self.period) if r.kind == kind]
        texts = [t for r in rules for t in (r.expression, r.applies_if) if t]
        return {code for t in texts for code, _ in operands(expand(parse(t), self.edition.derivations))}

    def truth(self, text: str) -> Any:
        """A condition, unknown as false; no condition is true."""
        return self.value(text).fillna(False) if text else pd.Series(True, index=self.wide.index, dtype="boolean")

    def value(self, text: str) -> Any:
        found = self.of(self.tree(text))
        return (
            found.astype("boolean")
            if isinstance(found, pd.Series)
            else pd.Series(found, index=self.wide.index, dtype="boolean")
        )

    def nothing(self, code: str) -> Any:
        kind = self.edition.indicators[code].type
        return pd.Series(
            pd.NA if kind is not ValueType.DATE else pd.NaT, index=self.wide.index, dtype=TYPES.get(kind, "string")
        )

    def of(self, node: Node) -> Any:
        match node:
            case Number(value=value):
                return float(value)
            case Text(value=value):
                return value
            case Name(code="period_year"):
                return float(self.period.year)
            case Name(code="months"):
                return float(self.period.months)
            case Name(code="quarter"):
                return float(self.period.quarter or 0)
            case Name(code=code, lag=lag):
                column = f"{code}_{lag}" if lag else code
                return self.wide[column] if column in self.wide else self.nothing(code)
            case Unary(op="not", operand=operand):
                return ~self.of(operand)
            case Unary(operand=operand):
                return -self.of(operand)
            case Logic(op=op, operands=parts):
                return reduce(
                    operator.and_ if op == "and" else operator.or_, [self.of(p).astype("boolean") for p in parts]
                )
            case In(operand=operand, choices=choices):
                column = self.of(operand)
                listed = [self.literal(column, self.of(c)) for c in choices]
                return column.isin(listed).astype("boolean").mask(column.isna())
            case Binary(op=op, left=left, right=right):
                return self.binary(op, self.of(left), self.of(right))
            case Call(function=name, arguments=arguments):
                return getattr(self, f"f_{name}")(*(self.of(a) for a in arguments))
        raise TypeError(node)

    def literal(self, column: Any, value: Any) -> Any:
        """A number as the code or flag it is compared with."""
        if not isinstance(column, pd.Series) or isinstance(value, pd.Series) or not isinstance(value, float):
            return value
        if column.dtype == "boolean":
            return bool(value)
        return str(int(value)) if column.dtype == "string" else value

    def binary(self, op: str, left: Any, right: Any) -> Any:
        if op == "/":
            quotient = left / right
            if not isinstance(quotient, pd.Series):
                return quotient
            return quotient.replace([float("inf"), float("-inf")], pd.NA).mask(lambda q: q.isna())
        left, right = self.literal(right, left), self.literal(left, right)
        found = OPERATORS[op](left, right)
        if isinstance(found, pd.Series) and found.dtype == bool:  # dates compare to False where one is missing
            unknown = [side.isna() for side in (left, right) if isinstance(side, pd.Series)]
            found = found.astype("boolean").mask(reduce(operator.or_, unknown))
        return found

    def f_nz(self, value: Any) -> Any:
        return value.fillna({"boolean": False, "string": "0"}.get(str(value.dtype), 0))

    def f_abs(self, value: Any) -> Any:
        return value.abs()

    def _extreme(self, values: tuple[Any, ...], name: str) -> Any:
        table = pd.concat(
            [v if isinstance(v, pd.Series) else pd.Series(v, index=self.wide.index) for v in values], axis=1
        )
        return getattr(table, name)(axis=1, skipna=False).astype("Float64")

    def f_max(self, *values: Any) -> Any:
        return self._extreme(values, "max")

    def f_min(self, *values: Any) -> Any:
        return self._extreme(values, "min")

    def f_isnull(self, value: Any) -> Any:
        return value.isna().astype("boolean")

    def f_notnull(self, value: Any) -> Any:
        return value.notna().astype("boolean")

    def f_year(self, value: Any) -> Any:
        return value.dt.year.astype("Float64")

    def f_section(self, code: Any) -> Any:
        return code.str[:2].map(self.sections).astype("string")

    def f_industry(self, code: Any, *prefixes: str) -> Any:
        full = self.f_section(code) + code
        return reduce(operator.or_, [full.str.startswith(p) for p in prefixes])

    def f_in_codelist(self, value: Any, name: str, key: Any = None) -> Any:
        if key is None:
            return value.isin(self.lists[name]).astype("boolean").mask(value.isna())
        pairs = {(k, c) for k, codes in self.keyed[name].items() for c in codes}
        found = pd.Series([p in pairs for p in zip(key, value, strict=True)], index=value.index, dtype="boolean")
        return found.mask(value.isna() | key.isna())

    def f_unique(self, *values: Any) -> Any:
        return (~pd.concat(values, axis=1).duplicated(keep=False)).astype("boolean")

    def f_valid_uscc(self, code: Any) -> Any:
        def holds(text: str) -> bool:
            plain = text.replace("-", "")
            is_old = len(plain) == 9 and plain[:8].isalnum() and organisation_check_character(plain[:8]) == plain[8]
            return is_valid_uscc(text) or is_old

        return code.map(holds, na_action="ignore").astype("boolean")

    def f_hightech_class(self, code: Any) -> Any:
        return (
            code.map(self.hightech).astype("string").fillna(self.f_section(code).map(lambda _: "0", na_action="ignore"))
        )

    def f_size_class(self, code: Any, staff: Any, revenue: Any, assets: Any) -> Any:
        full = self.f_section(code) + code
        result = pd.Series(pd.NA, index=code.index, dtype="string")
        for rule in reversed(self.sizes):
            here = reduce(operator.or_, [full.str.startswith(p) for p in rule.industries]).fillna(False)
            asked = [(q, limit) for q, limit in zip((staff, revenue, assets), rule.limits, strict=True) if limit]
            known = reduce(operator.and_, [q.notna() for q, _ in asked])
            size = pd.Series("4", index=code.index, dtype="string")
            for at, name in ((2, "3"), (1, "2"), (0, "1")):
                size = size.mask(reduce(operator.and_, [q >= limit[at] for q, limit in asked]).fillna(False), name)
            result = result.mask(here, size.where(known))
        return result
