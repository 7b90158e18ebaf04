"""Findings grouped by cause 原因: what has to be mended once is one group, however many findings it raised.

A whole column in the wrong unit of measure, one invalid code used by many units, one blank row, the same rule on many
units. Pure; nothing is left out: every finding that a park has to act on belongs to exactly one cause. What other findings
an error has silenced (``absorbed_by``) is counted with its cause.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import polars as pl

from schemas.model import AuditRule, Edition
from sources.problems import SOFT, kind_of, problem_and_remedy

MAGNITUDE, CODE = "unit_magnitude", "code_valid"
WHOLE_COLUMN, WHOLE_ROW, WHOLE_BOOK = 3, 3, 2
"""From so many units on a column is spoken of as one, from so many blanks on a row, from so many whole columns on the book."""

SLIP = "疑似差错:"
"""Behind a message: what slip the figure looks like (``pipelines.naming_slips``); 整列, 整表: a slip of more than one cell."""

_WIDE_SLIP = re.compile(rf"{SLIP}(?:“[^“”]*\((\w+)\)”)?((?:像是)?(?:整列|整表)[^。]+)。$")
_OPERAND = re.compile(r"([A-Z]\d{2,3})(?:_\w+)?=")
Key: TypeAlias = tuple[str, ...]
Row: TypeAlias = Mapping[str, str]


@dataclass(frozen=True)
class Cause:
    """One cause. ``members``: numbers of its findings in the list given, in that order; ``silenced``: further findings of
    the same units that were not raised on their own because this one explains them."""

    kind: str
    title: str
    remedy: str
    rules: tuple[str, ...]
    members: tuple[int, ...]
    units: int
    silenced: int = 0

    @property
    def count(self) -> int:
        """How many findings it raised."""
        return len(self.members)

    @property
    def size(self) -> str:
        """How much there is of it: 12 处,3 家."""
        more = f",另有 {self.silenced} 处随之而来未单列" if self.silenced else ""
        return f"{self.count} 处{f',{self.units} 家' if self.units > 1 else ''}{more}"


@dataclass
class _Names:
    """What forms, indicators and rules are called; codes stand for themselves without an edition."""

    edition: Edition | None
    rules: Mapping[str, AuditRule] = field(default_factory=dict)

    def indicator(self, code: str) -> str:
        known = self.edition.indicators.get(code) if self.edition else None
        return f"{known.name}({code})" if known else code

    def unit_measure(self, code: str) -> str:
        known = self.edition.indicators.get(code) if self.edition else None
        return known.unit_measure if known else ""

    def form_of(self, indicator: str, otherwise: str) -> str:
        known = self.edition.indicators.get(indicator) if self.edition else None
        return known.form if known else otherwise

    def form(self, code: str) -> str:
        return self.edition.forms[code].title if self.edition and code in self.edition.forms else code

    def is_key(self, form: str, column: str) -> bool:
        return bool(self.edition and form in self.edition.forms and column in self.edition.forms[form].key)

    def kind(self, rule: str) -> str:
        return self.rules[rule].kind if rule in self.rules else ""


def causes_of(findings: pl.DataFrame, edition: Edition | None = None) -> list[Cause]:
    """The causes of ``findings`` (schemas.findings), those that block first, then the most frequent.

    Only findings that ask for something are members: failed or undetermined, hard or soft. Absorbed ones are counted.
    """
    columns = ("rule", "severity", "form", "unit_id", "sheet", "column", "indicator", "found", "message", "code")
    text = findings.select(*(pl.col(c).fill_null("") for c in (*columns, "outcome", "absorbed_by")))
    rows: Sequence[Row] = text.to_dicts()
    own = [n for n, r in enumerate(rows) if r["severity"] in ("hard", "soft") and r["outcome"] != "absorbed"]
    names = _Names(edition, {r.id: r for r in edition.rules} if edition else {})
    keys = _keys(rows, own, names)
    silenced = Counter(
        (r["unit_id"], r["absorbed_by"]) for r in rows if r["outcome"] == "absorbed" and r["absorbed_by"]
    )
    groups: dict[Key, list[int]] = {}
    for n in own:
        groups.setdefault(keys[n], []).append(n)
    found = [_cause(key, members, rows, names, silenced) for key, members in groups.items()]
    return sorted(found, key=lambda c: (c.kind == SOFT, -c.count, c.rules, c.members))


def _keys(rows: Sequence[Row], own: Sequence[int], names: _Names) -> dict[int, Key]:
    """Finding → what names its cause."""
    roots = _wrong_units(rows, own, names)
    same_code = Counter(
        (r["rule"], r["form"], r["column"], r["found"]) for r in (rows[n] for n in own) if _is_code(r, names)
    )
    blanks = Counter((r["form"], r["unit_id"]) for r in (rows[n] for n in own) if r["code"] == "required")
    columns = Counter((r["code"], r["form"], r["column"]) for r in (rows[n] for n in own) if r["code"] != "rule")
    # A column most units left blank is a column nobody filled, not so many rows.
    units_of = {form: len({u for f, u in blanks if f == form}) for form, _ in blanks}
    found: dict[int, Key] = {}
    for n in own:
        row = rows[n]
        code, form, column = row["code"], row["form"], row["column"]
        root = roots.get((row["unit_id"], n))
        wide = _WIDE_SLIP.search(row["message"])
        if wide is not None:
            at, said = wide[1] or column, wide[2]
            found[n] = ("slip", names.form_of(at, form), "" if said.startswith("整表") else at, said)
        elif root is not None:
            found[n] = ("magnitude", *root)
        elif _is_code(row, names) and same_code[row["rule"], form, column, row["found"]] > 1:
            found[n] = ("same_code", row["rule"], form, column, row["found"])
        elif code == "required":
            in_column = columns[code, form, column]
            is_row = blanks[form, row["unit_id"]] >= WHOLE_ROW and in_column < max(WHOLE_COLUMN, units_of[form])
            found[n] = ("blank_row", form) if is_row else ("blank_column", form, column)
        elif code not in ("rule", "undetermined", "missing_row") and columns[code, form, column] >= WHOLE_COLUMN:
            found[n] = ("column", row["rule"] or code, form, column)
        else:
            found[n] = ("rule", row["severity"], row["rule"] or code, code if code == "undetermined" else "")
    return found


def _is_code(row: Row, names: _Names) -> bool:
    listed = names.kind(row["rule"]) == CODE or row["code"] == "domain"
    return listed and bool(row["found"]) and not names.is_key(row["form"], row["column"])


def _wrong_units(rows: Sequence[Row], own: Sequence[int], names: _Names) -> dict[tuple[str, int], Key]:
    """Findings a figure in the wrong unit of measure explains: (unit, finding) → what names the cause.

    Where a rule on the magnitude of a figure fails, other rules on the same figure of the same unit fail for the same reason.
    """
    suspects: dict[str, dict[str, str]] = {}
    hit: Counter[str] = Counter()
    for n in own:
        row = rows[n]
        if names.kind(row["rule"]) != MAGNITUDE or row["code"] != "rule":
            continue
        if row["column"] not in suspects.setdefault(row["unit_id"], {}):
            hit[row["column"]] += 1
            suspects[row["unit_id"]][row["column"]] = row["form"]
    many = {column for column, count in hit.items() if count >= WHOLE_COLUMN}
    # Several whole columns at once: the book as a whole was filled in another unit.
    book = ("", "|".join(sorted(many)), "book") if len(many) >= WHOLE_BOOK else None
    found: dict[tuple[str, int], Key] = {}
    for n in own:
        row = rows[n]
        of_unit = suspects.get(row["unit_id"], {})
        if not of_unit or row["code"] != "rule":
            continue
        operands = [row["column"], *_OPERAND.findall(row["found"])]
        column = next((c for c in operands if c in of_unit), None)
        if column is not None:
            whole = column in many
            found[row["unit_id"], n] = (
                book if book and whole else (of_unit[column], column, "column" if whole else "cell")
            )
    return found


def _cause(
    key: Key, members: Sequence[int], rows: Sequence[Row], names: _Names, silenced: Mapping[tuple[str, str], int]
) -> Cause:
    first = rows[members[0]]
    problem, remedy = problem_and_remedy(first["message"], first["found"])
    units = {rows[n]["unit_id"] for n in members} - {""}
    hard = any(rows[n]["severity"] == "hard" for n in members)
    rules = tuple(sorted({rows[n]["rule"] or rows[n]["code"] for n in members}))
    title, remedy = _words(key, first, problem, remedy, len(units), names)
    behind = sum(silenced.get(pair, 0) for pair in {(rows[n]["unit_id"], rows[n]["rule"]) for n in members})
    return Cause(kind_of("hard" if hard else "soft"), title, remedy, rules, tuple(members), len(units), behind)


def _words(key: Key, first: Row, problem: str, remedy: str, units: int, names: _Names) -> tuple[str, str]:
    """What the cause is called, and what to do about it."""
    match key:
        case ("slip", form, column, said):
            where = f"“{names.form(form)}”" + (f"的“{names.indicator(column)}”" if column else "")
            return f"{where}{said}({units} 家单位)", "请对照原始资料核对;确有误的一并更正,属实的逐家说明。"
        case ("magnitude", form, column, "column"):
            title = f"“{names.form(form)}”的“{names.indicator(column)}”整列疑似计量单位填错({units} 家单位)"
            measure = names.unit_measure(column)
            asked = f"本制度按{measure}填报;" if measure else ""
            return title, f"请核对整列的计量单位:{asked}确有误的整列更正,属实的逐家说明。"
        case ("magnitude", _, columns, "book"):
            listed = "、".join(names.indicator(c) for c in columns.split("|"))
            title = f"整本报表疑似计量单位填错({listed},{units} 家单位)"
            return title, "请核对本期报表是否统一用错了计量单位;确有误的整列更正,属实的逐家说明。"
        case ("magnitude", _, column, _):
            return f"“{names.indicator(column)}”的数量级异常,疑似计量单位填错", remedy
        case ("same_code", _, _, column, found):
            value = found.split("=", 1)[-1]
            return (
                f"“{names.indicator(column)}”填了同一个无效代码“{value}”",
                remedy or "请对照代码表核对后一并改填。",
            )
        case ("blank_row", form):
            return f"“{names.form(form)}”有整行没有填的单位", "请补填这些单位的必填项,没有发生额的填 0。"
        case ("blank_column", form, column):
            return f"“{names.form(form)}”的必填项“{names.indicator(column)}”没有填", remedy
        case ("column", _, form, column):
            return f"“{names.form(form)}”的“{names.indicator(column)}”列:{_general(problem, first)}", remedy
        case ("rule", _, _, "undetermined"):
            return _general(problem, first), remedy
    rule = names.rules.get(first["rule"])
    if rule is None:
        return _general(problem, first), remedy
    said, todo = problem_and_remedy(rule.message)
    return said, todo or remedy


def _general(problem: str, first: Row) -> str:
    """The problem without the figure of the one finding it is taken from."""
    found = first["found"]
    return problem.removeprefix(f"填报为“{found}”,").replace(f"“{found}”", "所填内容") if found else problem
