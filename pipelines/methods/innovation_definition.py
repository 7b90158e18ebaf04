"""The innovation tables as data: row groups, columns with their bases, and the formulas they stand for.

Reads ``tables/innovation.toml`` as loaded by the catalog; names no table and no indicator. Source: innovation_survey.md 4, 5.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pipelines.methods.disclosure.atoms import Identity, Term
from schemas.environment import Environment
from schemas.errors import DefinitionError
from schemas.expression import Binary, Call, In, Name, Node, children, distributed, expand, parse, to_text
from schemas.model import Edition, PublicationTable

PRODUCT = "innovation"
_UNITS = {"percent": ("%", 1), "count": ("个", 0), "response": ("个", 0), "mean": ("", 2), "weight_cv": ("", 3)}


@dataclass(frozen=True)
class Category:
    """One category of a row group; ``when`` is its condition, empty where the code itself says it."""

    code: str
    name: str
    when: str = ""


@dataclass(frozen=True)
class RowGroup:
    """One way to divide the units. Exactly one of ``column``, ``code``, conditions, ``cross`` or ``factor`` says how;
    none of them: all units in one row."""

    id: str
    name: str
    breakdown: str
    column: str = ""
    code: str = ""
    digits: int = 0
    codelist: str = ""
    categories: tuple[Category, ...] = ()
    cross: tuple[str, ...] = ()
    factor: tuple[str, ...] = ()
    part_of: str = ""
    within: str = ""


@dataclass(frozen=True)
class Column:
    """One column. Empty expressions mean: not needed by this ``kind``.

    ``numerator`` and ``denominator`` are row-level: for counts a condition, for sums ``value`` on the rows of ``*_where``.
    ``formula`` is the same as one aggregate expression of the rule language: what the cell states and trace follows.
    """

    table: str
    id: str
    name: str
    kind: str
    unit_measure: str
    decimals: int
    formula: str
    numerator: str
    numerator_where: str
    denominator: str
    denominator_where: str
    scale: float

    @property
    def indicator(self) -> str:
        """``T02.c3``."""
        return f"{self.table}.{self.id}"

    @property
    def is_ratio(self) -> bool:
        """Whether the figure is a quotient of two estimated totals."""
        return bool(self.denominator)


@dataclass(frozen=True)
class InnovationTable:
    """One output table: its row groups, resolved, and its columns."""

    id: str
    title: str
    rows: tuple[str, ...]
    columns: tuple[Column, ...]
    note: str


@dataclass(frozen=True)
class Definitions:
    """All tables of the product, their row groups by id, and the columns whose numerators add up to their denominator."""

    tables: tuple[InnovationTable, ...]
    rows: Mapping[str, RowGroup]
    sums: tuple[tuple[Column, ...], ...]


def conjunction(*conditions: str) -> str:
    """All conditions together; empty ones ask nothing, equal ones are asked once."""
    asked = list(dict.fromkeys(c for c in conditions if c))
    return asked[0] if len(asked) == 1 else " and ".join(f"({c})" for c in asked)


def innovation_definitions(edition: Edition) -> Definitions:
    """The tables of the product ``innovation`` of one edition. Raises DefinitionError for a column or row it cannot read."""
    tables = [t for t in edition.tables if t.product == PRODUCT]
    if not tables:
        raise DefinitionError(
            f"{edition.id} 版没有创新调查表",
            where="tables/innovation.toml",
            remedy='请补上 product = "innovation" 的表。',
        )
    head = tables[0].definition
    rows = {name: _row(name, entry) for name, entry in head.get("row", {}).items()}
    found = tuple(_table(t, head.get("groups", {}), rows) for t in tables)
    columns = {c.indicator: c for t in found for c in t.columns}
    sums = tuple(
        tuple(_known(columns, f"{entry['table']}.{c}") for c in entry["columns"]) for entry in head.get("identity", [])
    )
    return Definitions(found, rows, sums)


def _known(columns: Mapping[str, Column], indicator: str) -> Column:
    if indicator not in columns:
        raise DefinitionError(
            f"identity 里的列 {indicator} 不存在", where="tables/innovation.toml", remedy="请核对列号。"
        )
    return columns[indicator]


def _row(name: str, entry: Mapping[str, Any]) -> RowGroup:
    fields = dict(entry)
    fields["categories"] = tuple(Category(**c) for c in fields.pop("category", ()))
    for key in ("cross", "factor"):
        fields[key] = tuple(fields.get(key, ()))
    return RowGroup(name, **fields)


def _table(
    table: PublicationTable, groups: Mapping[str, Sequence[str]], rows: Mapping[str, RowGroup]
) -> InnovationTable:
    named = tuple(dict.fromkeys(r for name in table.rows for r in groups.get(name, [name])))
    for name in named:
        if name not in rows:
            raise DefinitionError(
                f"{table.id} 的行组 {name} 没有定义", where="tables/innovation.toml", remedy="请在 [row] 中补上。"
            )
    columns = tuple(_column(table, entry) for entry in table.columns)
    return InnovationTable(table.id, table.title, named, columns, table.definition.get("note", ""))


def _column(table: PublicationTable, entry: Mapping[str, Any]) -> Column:
    kind = entry.get("kind", "")
    if kind not in ("percent", "count", "sum", "ratio", "mean", "response", "weight_cv"):
        raise DefinitionError(f"{table.id}.{entry['id']} 的 kind “{kind}”不存在", where="tables/innovation.toml")
    base = entry.get("base", table.definition.get("base", ""))
    sides = _sides(kind, entry, base)
    scale = float(entry.get("scale", 100.0 if kind == "percent" or (kind == "response" and "over" in entry) else 1.0))
    unit, decimals = _UNITS.get(kind, ("", 0))
    if kind == "response" and "over" in entry:
        unit, decimals = "%", 1
    return Column(
        table=table.id,
        id=entry["id"],
        name=entry["name"],
        kind=kind,
        unit_measure=entry.get("unit_measure", unit),
        decimals=int(entry.get("decimals", decimals)),
        formula=_formula(kind, sides, scale),
        numerator=sides[0],
        numerator_where=sides[1],
        denominator=sides[2],
        denominator_where=sides[3],
        scale=scale,
    )


def _sides(kind: str, entry: Mapping[str, Any], base: str) -> tuple[str, str, str, str]:
    """(numerator, its condition, denominator, its condition)."""
    match kind:
        case "percent":
            answered = entry.get("answered") or f"notnull({entry['share']})"
            # A condition the share implies is not said again: one count has one text in every product, and what hides
            # it in one hides it in all (X24 of the index is T21.c2).
            more = "" if _implied(answered, entry["share"]) else entry.get("answered", "")
            return conjunction(base, more, entry["share"]), "", conjunction(base, answered), ""
        case "count":
            return conjunction(base, entry["count"]), "", "", ""
        case "sum":
            return entry["value"], conjunction(base, entry.get("where", "")), "", ""
        case "ratio":
            over_where = entry.get("over_where", "")
            where = entry.get("where", over_where)
            return entry["value"], conjunction(base, where), entry["over"], conjunction(base, over_where)
        case "mean":
            return entry["value"], base, base or f"notnull({entry['value']})", ""
        case "response":
            return (
                conjunction(base, entry["count"]),
                "",
                conjunction(base, entry["over"]) if "over" in entry else "",
                "",
            )
    return conjunction(base, entry["count"]), "", "", ""


def _implied(answered: str, share: str) -> bool:
    """Whether ``share`` is one comparison of the one code that ``answered`` asks to be known: it then holds only there."""
    if "{" in answered + share:
        return False
    compared = parse(share)
    return (
        isinstance(compared, Binary | In)
        and isinstance(code := compared.left if isinstance(compared, Binary) else compared.operand, Name)
        and parse(answered) == parse(f"notnull({code.code})")
    )


def _formula(kind: str, sides: tuple[str, str, str, str], scale: float) -> str:
    numerator, where, denominator, over_where = sides
    summed = f"SUM({numerator}, {where})" if where else f"SUM({numerator})"
    match kind:
        case "percent" | "count" | "response":
            text = f"COUNT({numerator})" + (f"/COUNT({denominator})" if denominator else "")
        case "sum":
            text = summed
        case "mean":
            text = f"{summed}/COUNT({denominator})"
        case "ratio":
            text = f"{summed}/SUM({denominator}, {over_where})" if over_where else f"{summed}/SUM({denominator})"
        case _:
            return ""
    if scale != 1:
        text = f"{text}*{_plain(scale)}" if scale > 1 else f"{text}/{_plain(1 / scale)}"
    return text if "{" in text else to_text(parse(text))


def _plain(number: float) -> str:
    rounded = round(number, 9)
    return str(int(rounded)) if rounded == int(rounded) else repr(rounded)


def for_factor(column: Column, code: str) -> Column:
    """The column with ``{factor}`` replaced by one question's code."""
    texts = ("formula", "numerator", "numerator_where", "denominator", "denominator_where")
    named = {t: getattr(column, t).replace("{factor}", code) for t in texts}
    return replace(column, **{**named, "formula": to_text(parse(named["formula"]))})


def columns_of(definitions: Definitions) -> Iterator[Column]:
    """Every column of every table, in printed order."""
    for table in definitions.tables:
        yield from table.columns


def part_texts(formula: str, env: Environment) -> tuple[str, str]:
    """Texts of the numerator and the denominator of a formula, as the aggregation names its parts; "" without the latter."""

    def aggregates(node: Node) -> Iterable[Node]:
        if isinstance(node, Call) and node.function in ("SUM", "COUNT"):
            yield node
            return
        for child in children(node):
            yield from aggregates(child)

    texts = [to_text(n) for n in aggregates(distributed(expand(parse(formula), env.derivations)))]
    return texts[0], texts[1] if len(texts) > 1 else ""


def identities_of(definitions: Definitions, env: Environment) -> tuple[Identity, ...]:
    """The sums of the definition as part texts: numerators that add up to the denominator they share."""
    found = []
    factors = {
        t.id: next((definitions.rows[r].factor for r in t.rows if definitions.rows[r].factor), ("",))
        for t in definitions.tables
    }
    for columns in definitions.sums:
        for factor in factors.get(columns[0].table, ()):
            asked = [for_factor(c, factor) for c in columns] if factor else list(columns)
            sides = [part_texts(c.formula, env) for c in asked]
            found.append(Identity(Term(sides[0][1]), tuple(Term(numerator) for numerator, _ in sides)))
    return tuple(found)
