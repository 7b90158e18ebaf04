"""Rules for any table as frozen values. ``pipelines.rule_tables`` reads them; format: docs/formats/rule-file.md."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from schemas.errors import DefinitionError
from schemas.model import Severity
from schemas.syntax import Name, Node, Number, Text
from schemas.table_model import CodeList
from schemas.table_parser import column_names, parse_table, substituted
from schemas.table_terms import NO_TOLERANCE, Scope, Tolerance, resolved
from schemas.table_values import Declared
from schemas.table_vocabulary import TABLE_FUNCTIONS

IT = "it"


@dataclass(frozen=True)
class TableRule:
    """One rule. ``node`` and ``applies`` have parameters and definitions put in; ``where`` is file and line.

    ``each`` names the columns of a group that counts as one item; without it an item is a record, or the table where the
    expression has one value for all of it.
    """

    id: str
    expression: str
    node: Node
    severity: Severity = Severity.HARD
    applies_if: str = ""
    applies: Node | None = None
    message: str = ""
    group: str = ""
    name: str = ""
    tolerance: Tolerance = NO_TOLERANCE
    each: tuple[str, ...] = ()
    where: str = ""

    @property
    def names(self) -> frozenset[str]:
        """Every column name the rule mentions, its condition included."""
        return column_names(self.node) | (column_names(self.applies) if self.applies is not None else frozenset())


@dataclass(frozen=True)
class ColumnRule:
    """What a rule file says of a column beside its type.

    ``weight``: how much it is trusted when errors are located; ``values``: the codes a text may take; ``least``, ``most``:
    bounds used where examples are made up, not a rule.
    """

    declared: Declared | None = None
    weight: Decimal = Decimal(1)
    values: tuple[str, ...] = ()
    least: Decimal | None = None
    most: Decimal | None = None


@dataclass(frozen=True)
class KeySet:
    """A small table written into the rule file: rows of texts under the names of columns."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Correction:
    """How ``ytb correct`` looks for slips. ``None`` leaves the choice to it: every figure of a failing identity may have lost
    its sign, every two with opposite signs in one identity may have been swapped.

    ``fixate``: columns that are never touched; ``rounding``: a gap up to this is a rounding error; ``typos``: how many digits may
    be wrong; ``actions``: how many signs and swaps at once.
    """

    fixate: frozenset[str] = frozenset()
    sign: tuple[str, ...] | None = None
    swap: tuple[tuple[str, str], ...] | None = None
    rounding: Decimal = Decimal(0)
    typos: int = 1
    actions: int = 4


@dataclass(frozen=True)
class RuleFile:
    """A rule file: what identifies a record, what the columns are, and the rules in written order."""

    rules: tuple[TableRule, ...]
    key: tuple[str, ...] = ()
    parent: str = ""
    period: str = ""
    missing: tuple[str, ...] = ()
    columns: Mapping[str, ColumnRule] = field(default_factory=dict)
    codelists: Mapping[str, CodeList] = field(default_factory=dict)
    keysets: tuple[KeySet, ...] = ()
    other_keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    title: str = ""
    correction: Correction = field(default_factory=Correction)


def rule_file(
    data: Mapping[str, Any], where_of: Callable[[str], str], read_rows: Callable[[str], list[dict[str, str]]]
) -> RuleFile:
    """The rule file in parsed TOML. ``where_of`` gives file and line of a rule id, ``read_rows`` a CSV beside the file.

    Raises one DefinitionError that names every rule that is wrong.
    """
    table = data.get("table", {})
    scope = _scope(data)
    tolerance = _tolerance(data.get("tolerance", {}))
    rules: list[TableRule] = []
    problems: list[str] = []
    for entry in data.get("rule", []):
        try:
            rules.extend(_rules(entry, scope, tolerance, where_of(entry["id"])))
        except DefinitionError as error:
            problems.append(f"{where_of(entry['id'])}:规则 {entry['id']}:{error}")
    doubled = sorted({r.id for r in rules if sum(o.id == r.id for o in rules) > 1})
    problems += [f"{where_of(rule_id)}:规则号 {rule_id} 在这个文件里用了不止一次;请改号。" for rule_id in doubled]
    if problems:
        raise DefinitionError("\n".join(problems))
    return RuleFile(
        tuple(rules),
        tuple(table.get("key", ())),
        table.get("parent", ""),
        table.get("period", ""),
        tuple(table.get("missing", ())),
        {name: _column(entry) for name, entry in data.get("columns", {}).items()},
        {entry["name"]: _codelist(entry, read_rows) for entry in data.get("codelist", [])},
        tuple(_keyset(entry, read_rows) for entry in data.get("keys", [])),
        {name: tuple(entry["key"]) for name, entry in data.get("other", {}).items()},
        data.get("title", ""),
        _correction(data.get("correct", {})),
    )


def _correction(entry: Mapping[str, Any]) -> Correction:
    return Correction(
        frozenset(entry.get("fixate", ())),
        tuple(entry["sign"]) if "sign" in entry else None,
        tuple((a, b) for a, b in entry["swap"]) if "swap" in entry else None,
        Decimal(str(entry.get("rounding", 0))),
        entry.get("typos", 1),
        entry.get("actions", 4),
    )


def _scope(data: Mapping[str, Any]) -> Scope:
    definitions = dict(data.get("definitions", {}))
    parameters = {name: _constant(value) for name, value in data.get("parameters", {}).items()}
    doubled = sorted((definitions.keys() & parameters.keys()) | (definitions.keys() & TABLE_FUNCTIONS.keys()))
    if doubled:
        raise DefinitionError(f"名称 {'、'.join(doubled)} 用了两次", remedy="参数、定义和函数不能同名。")
    return Scope(parameters, definitions)


def _constant(value: object) -> Node:
    if isinstance(value, bool):
        return parse_table("true" if value else "false")
    if isinstance(value, int | float | Decimal):
        number = Decimal(str(value))
        return Number(number) if number >= 0 else parse_table(format(number, "f"))
    return Text(str(value))


def _tolerance(entry: Mapping[str, Any] | float | int) -> Tolerance:
    if not isinstance(entry, Mapping):
        entry = {"absolute": entry}
    return Tolerance(Decimal(str(entry.get("absolute", 0))), Decimal(str(entry.get("relative", 0))))


def _rules(entry: Mapping[str, Any], scope: Scope, tolerance: Tolerance, where: str) -> list[TableRule]:
    """One rule, or one for each of ``columns`` with ``it`` standing for the column."""
    node = parse_table(entry["expression"])
    applies = parse_table(entry["applies_if"]) if entry.get("applies_if") else None
    base = {
        "severity": Severity(entry.get("severity", "hard")),
        "message": entry.get("message", ""),
        "group": entry.get("group", ""),
        "name": entry.get("name", ""),
        "tolerance": _tolerance(entry["tolerance"]) if "tolerance" in entry else tolerance,
        "each": tuple(entry.get("each", ())),
        "where": where,
    }
    columns: Sequence[str] = entry.get("columns", ())
    if not columns:
        return [_one(entry["id"], entry, node, applies, scope, base)]
    if IT not in column_names(node):
        raise DefinitionError(
            "写了 columns,表达式里却没有 it", remedy='例如 columns = ["a", "b"]、expression = "it >= 0"。'
        )
    found = []
    for column in columns:
        stands_for: dict[str, Node] = {IT: Name(column)}
        own = substituted(applies, stands_for) if applies is not None else None
        found.append(_one(f"{entry['id']}:{column}", entry, substituted(node, stands_for), own, scope, base))
    return found


def _one(
    rule_id: str, entry: Mapping[str, Any], node: Node, applies: Node | None, scope: Scope, base: Mapping[str, Any]
) -> TableRule:
    return TableRule(
        id=rule_id,
        expression=entry["expression"],
        node=resolved(node, scope),
        applies_if=entry.get("applies_if", ""),
        applies=resolved(applies, scope) if applies is not None else None,
        **base,
    )


def _column(entry: Mapping[str, Any]) -> ColumnRule:
    declared = Declared(entry["type"], entry.get("decimals")) if "type" in entry else None
    return ColumnRule(
        declared,
        Decimal(str(entry.get("weight", 1))),
        tuple(map(str, entry.get("values", ()))),
        Decimal(str(entry["min"])) if "min" in entry else None,
        Decimal(str(entry["max"])) if "max" in entry else None,
    )


def _codelist(entry: Mapping[str, Any], read_rows: Callable[[str], list[dict[str, str]]]) -> CodeList:
    name = entry["name"]
    if "file" in entry:
        rows = read_rows(entry["file"])
        code = entry.get("code", "code")
        if rows and code not in rows[0]:
            raise DefinitionError(
                f"代码表 {name} 的文件 {entry['file']} 没有列 {code}", remedy='请用 code = "列名" 指明。'
            )
        renamed = {entry.get(role, role): role for role in ("parent", "key")}
        columns = {renamed.get(c, c): tuple(row[c] for row in rows) for c in (rows[0] if rows else ()) if c != code}
        return CodeList(name, tuple(row[code] for row in rows), columns)
    if "codes" in entry:
        return CodeList(name, tuple(map(str, entry["codes"])))
    pairs = [(str(child), str(parent)) for parent, children in entry["children"].items() for child in children]
    return CodeList(name, tuple(c for c, _ in pairs), {"parent": tuple(p for _, p in pairs)})


def _keyset(entry: Mapping[str, Any], read_rows: Callable[[str], list[dict[str, str]]]) -> KeySet:
    if "file" in entry:
        found = read_rows(entry["file"])
        names = tuple(entry.get("columns", found[0] if found else ()))
        return KeySet(entry["name"], names, tuple(tuple(row[c] for c in names) for row in found))
    columns = tuple(entry["columns"])
    rows = tuple(tuple(map(str, row)) for row in entry.get("rows", ()))
    if any(len(row) != len(columns) for row in rows):
        raise DefinitionError(f"[[keys]] {entry['name']} 各行的个数与 columns 不同", remedy="每行与 columns 一样多。")
    return KeySet(entry["name"], columns, rows)
