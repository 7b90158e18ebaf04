"""Worked examples of a rule: a record on which it holds, one on which it fails, one on which it stays undetermined.

Where the rule is exact the records come from the solver; for all others a fixed series of small tables is tried, made of the
rule's own constants and their neighbours. Either way the evaluator that checks real data says what becomes of the rule on
the record: an example it does not confirm is not shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction

import polars as pl

from pipelines.methods.rules_audit import Audit, records_for
from pipelines.methods.rules_audit_logic import ELSEWHERE
from pipelines.methods.rules_audit_solver import OTHER_TEXT, Record
from pipelines.methods.rules_audit_universe import Universe
from schemas.errors import DefinitionError
from schemas.rule_file import RuleFile, TableRule
from schemas.syntax import Call, Name, Node, Number, Text, walk
from schemas.table_check import FAILS, HOLDS, UNDETERMINED, check_tables
from schemas.table_model import PREVIOUS, REGISTER, Table, Tables
from schemas.table_parser import column_names, parse_table, table_text
from schemas.table_values import Declared, read_column

RECORDS = 600
TABLES = 120
ROWS_OF_A_TABLE = 3
CROWD = 8
VALID_USCC = "91350100M000100Y43"
_STRIDE = 2654435761
_GROUPED = frozenset(
    """count sum mean median quantile sd var mad n_distinct any all exists_any exists_one share cor rank top_share value_of lag
    z_score robust_z within_fences hb hb_effect hb_within is_linear_sequence in_linear_sequence no_gaps part_whole hierarchy
    contains_exactly contains_at_least is_unique all_unique all_complete parent has_parent children_sum children_count
    children_mean children_max children_min""".split()  # noqa: SIM905
)
Cells = Mapping[str, str | None]


@dataclass(frozen=True)
class Example:
    """One worked example: the rows of the table (most often one), and of the tables beside it."""

    outcome: str
    rows: tuple[Cells, ...]
    beside: Mapping[str, tuple[Cells, ...]] = field(default_factory=dict)
    source: str = "exact"


def examples_of(rules: RuleFile, audit: Audit) -> dict[str, dict[str, Example]]:
    """Rule id → outcome (holds, fails, undetermined) → example; what could not be made is absent."""
    exact = {e.rule.id: e for e in audit.exact}
    found: dict[str, dict[str, Example]] = {}
    for rule in rules.rules:
        trial = _Trial(rules, rule, audit.universe)
        if rule.id in exact:
            for record in records_for(audit, exact[rule.id]):
                if record is not None:
                    trial.take(*trial.of_record(record), source="exact")
        trial.blank_out()
        if len(trial.found) < 3:
            trial.search()
        found[rule.id] = trial.found
    return found


class _Trial:
    """Tries records on one rule and keeps the first of each outcome."""

    def __init__(self, rules: RuleFile, rule: TableRule, universe: Universe) -> None:
        self.rule, self.universe, self.codelists = rule, universe, rules.codelists
        own = RuleFile((rule,), rules.key, rules.parent, rules.period, codelists=rules.codelists)
        self.file = own
        self.keyset_rows = {k.name: k for k in rules.keysets}
        self.found: dict[str, Example] = {}
        nodes = (rule.node,) if rule.applies is None else (rule.node, rule.applies)
        self.calls = [n for node in nodes for n in walk(node) if isinstance(n, Call)]
        self.keyed: dict[str, set[str]] = {}
        for call in self.calls:
            first = call.arguments[0] if call.arguments else None
            if call.function.startswith(("contains_", "does_not_")) and isinstance(first, Text):
                keys = self.keyset_rows.get(first.value)
                for place, column in enumerate(keys.columns if keys else ()):
                    self.keyed.setdefault(column, set()).update(row[place] for row in (keys.rows if keys else ()))
        looked_up = {
            n
            for c in self.calls
            if c.function in ("register", "other")
            for a in c.arguments[:2]
            for n in column_names(a)
        }
        self.names = sorted((rule.names | self.keyed.keys()) - (looked_up - set(rules.key)))
        self.own = {table_text(c) for c in self.calls if c.function in ELSEWHERE}
        self.key = rules.key
        self.parent, self.period = rules.parent, rules.period

    # ── evaluation ────────────────────────────────────────────────────────────────────────────────────────────────
    def outcomes(self, rows: Sequence[Cells], beside: Mapping[str, Sequence[Cells]]) -> list[str]:
        """What the evaluator says, item by item."""
        tables = Tables(
            self.table("data", rows),
            {name: self.table(name, other) for name, other in beside.items() if other}
            | {name: _keyset_table(k.name, k.columns, k.rows) for name, k in self.keyset_rows.items()},
            self.codelists,
        )
        try:
            outcome = check_tables(self.file, tables).outcomes[0]
        except DefinitionError:
            return []
        return [] if outcome.reason.startswith("未运行") else outcome.outcomes.to_list()

    def table(self, name: str, rows: Sequence[Cells]) -> Table:
        columns = list(dict.fromkeys([*(c for row in rows for c in row)]))
        if name == "data":
            columns = list(
                dict.fromkeys(
                    [
                        *columns,
                        *self.key,
                        *([self.parent] if self.parent else []),
                        *([self.period] if self.period else []),
                    ]
                )
            )
        read = {
            c: read_column(c, [row.get(c) for row in rows], Declared(self.universe.kinds.get(c, "text")))
            for c in columns
        }
        return Table(
            name,
            {c: r.column for c, r in read.items()},
            pl.DataFrame([r.values for r in read.values()]),
            pl.DataFrame(
                {c: [row.get(c) for row in rows] for c in columns}, schema=dict.fromkeys(columns, pl.String())
            ),
            tuple(range(2, len(rows) + 2)),
            self.key if name in ("data", PREVIOUS) else tuple(k for k in self.key if k in columns),
            self.parent if name == "data" else "",
            self.period if name in ("data", PREVIOUS) and self.period in columns else "",
        )

    def take(self, rows: Sequence[Cells], beside: Mapping[str, Sequence[Cells]], source: str) -> None:
        """Keep the table as the example of its outcome, if there is none yet."""
        outcomes = self.outcomes(rows, beside)
        for outcome in (FAILS, UNDETERMINED, HOLDS):
            if outcome in outcomes and (outcome != HOLDS or set(outcomes) == {HOLDS}):
                if outcome not in self.found:
                    shown = tuple(dict(row) for row in rows)
                    self.found[outcome] = Example(outcome, shown, {n: tuple(r) for n, r in beside.items()}, source)
                return

    # ── records from the solver ───────────────────────────────────────────────────────────────────────────────────
    def of_record(self, record: Record) -> tuple[list[dict[str, str | None]], dict[str, list[dict[str, str | None]]]]:
        """A record as rows of text: one of the table, one of each table that is looked into."""
        row: dict[str, str | None] = dict(self.identity(0))
        for name in self.names:
            row.setdefault(name, self.cell(name, record))
        beside: dict[str, list[dict[str, str | None]]] = {}
        for text, value in record.numbers.items():
            node = parse_table(text) if "(" in text else None
            if isinstance(node, Call) and text in self.own:
                self.place(node, _number_text(value), beside)
        return [row], beside

    def cell(self, name: str, record: Record) -> str | None:
        if not record.flags.get(f"present:{name}", True):
            return None
        kind = self.universe.kinds.get(name, "number")
        if kind == "boolean":
            return "true" if record.flags.get(f"is:{name}", False) else "false"
        if kind == "text":
            return record.texts.get(name, OTHER_TEXT)
        value = record.numbers.get(name, Fraction(0))
        return date.fromordinal(max(1, int(value) or 730000)).isoformat() if kind == "date" else _number_text(value)

    def identity(self, number: int) -> dict[str, str | None]:
        return {k: f"例{number + 1}" for k in self.key if k != self.period and k not in self.names}

    def place(self, call: Call, value: str, beside: dict[str, list[dict[str, str | None]]]) -> None:
        """Put a looked-up value where the evaluator looks for it."""
        arguments = list(call.arguments)
        table = {"register": REGISTER, "other": ""}.get(call.function, PREVIOUS)
        if not table:
            first = arguments.pop(0)
            table = first.value if isinstance(first, Text) else ""
        column = arguments[0] if arguments else None
        name = column.value if isinstance(column, Text) else column.code if isinstance(column, Name) else ""
        if table and name and not self.period:
            row = beside.setdefault(table, [dict(self.identity(0))])[0]
            row[name] = value

    # ── blanks and search ─────────────────────────────────────────────────────────────────────────────────────────
    def blank_out(self) -> None:
        """From the examples at hand, undetermined ones: one cell blank after the other, then all."""
        for example in list(self.found.values()):
            if UNDETERMINED in self.found:
                return
            first, *rest = example.rows
            own = [n for n in self.names if n not in self.key]
            for gone in [*([n] for n in own), own]:
                blanked = {c: None if c in gone else v for c, v in first.items()}
                self.take([blanked, *rest], example.beside, example.source)
            for name, rows in example.beside.items():
                emptied = {c: None if c not in self.key else v for c, v in rows[0].items()}
                self.take(example.rows, {**example.beside, name: [emptied]}, example.source)

    def search(self) -> None:
        """A fixed series of records, then of small tables, until each outcome has been seen."""
        if not any(
            c.function in _GROUPED or c.function.startswith(("group_",)) or c.function.endswith("_by")
            for c in self.calls
        ):
            rows = list(self.rows(RECORDS))
            beside = self.beside_for(RECORDS)
            outcomes = self.outcomes(rows, beside)
            for place, outcome in enumerate(outcomes if len(outcomes) == len(rows) else []):
                if outcome not in self.found and outcome in (HOLDS, FAILS, UNDETERMINED):
                    near = {n: [r[place]] for n, r in beside.items() if place < len(r)}
                    self.take([rows[place]], near, "search")
        for number in range(TABLES):
            if len(self.found) == 3:
                return
            size = 1 + number % ROWS_OF_A_TABLE
            series = self.rows(size, number * 7 + 1)
            self.take(list(series), self.beside_for(size), "search")
        for name in [None, *self.names]:
            self.take(self.crowd(name), self.beside_for(CROWD), "search")

    def crowd(self, outlier: str | None) -> list[dict[str, str | None]]:
        """Records that are much alike, but for one figure of the last."""
        rows = []
        for number in range(CROWD):
            row = dict(self.identity(number))
            for name in self.names:
                kind = self.universe.kinds.get(name, "number")
                fixed = self.candidates(name)[0]
                row[name] = str(100 + number) if kind == "number" else fixed
                if name == outlier and kind == "number" and number == CROWD - 1:
                    row[name] = "100000"
                if name in self.keyed:
                    row[name] = sorted(self.keyed[name])[number % len(self.keyed[name])]
                elif name in self.key:
                    row[name] = f"例{number + 1}"
            rows.append(row)
        return rows

    def beside_for(self, count: int) -> dict[str, list[dict[str, str | None]]]:
        """Tables that are looked into, with a row for each record."""
        wanted: dict[str, set[str]] = {}
        for call in self.calls:
            if call.function in ("prev", "yoy", "last", "growth", "in_previous"):
                wanted.setdefault(PREVIOUS, set()).update(*(column_names(a) for a in call.arguments))
            elif call.function in ("register", "in_register"):
                wanted.setdefault(REGISTER, set()).update(_column_texts(call.arguments[:1]))
            elif (
                call.function.startswith(("other", "in_other"))
                and call.arguments
                and isinstance(call.arguments[0], Text)
            ):
                wanted.setdefault(call.arguments[0].value, set()).update(_column_texts(call.arguments[1:2]))
        found: dict[str, list[dict[str, str | None]]] = {}
        for salt, (table, columns) in enumerate(sorted(wanted.items())):
            rows = [dict(self.identity(n)) for n in range(count)]
            for place, column in enumerate(sorted(columns - set(self.key))):
                values = self.candidates(column)
                for n, row in enumerate(rows):
                    row[column] = values[_spread(n, 31 * salt + place + 17) % len(values)]
            found[table] = rows
        return found

    def rows(self, count: int, start: int = 0) -> Iterator[dict[str, str | None]]:
        """Records from the candidates of each column, spread over their combinations."""
        lists = {n: self.candidates(n) for n in self.names}
        for number in range(count):
            row = dict(self.identity(number))
            for place, (name, values) in enumerate(lists.items()):
                row[name] = values[_spread(number + start, place) % len(values)]
            yield row

    def candidates(self, name: str) -> list[str | None]:
        """What a column may hold: the rule's constants and their neighbours, its texts, a blank."""
        kind = self.universe.kinds.get(name, "number")
        nodes: list[Node] = [self.rule.node, *([self.rule.applies] if self.rule.applies is not None else [])]
        constants = [n for node in nodes for n in walk(node) if isinstance(n, Number | Text)]
        if name in self.keyed:
            return [*sorted(self.keyed[name]), OTHER_TEXT, None]
        if kind == "boolean":
            return ["true", "false", None]
        if kind == "date":
            return [
                "2000-01-01",
                "2024-12-31",
                "2030-06-30",
                *(c.value for c in constants if isinstance(c, Text) and len(c.value) == 10),
                None,
            ]
        if kind == "text":
            texts = [t for c in constants if isinstance(c, Text) for t in (c.value, _sample_of(c.value))]
            texts += [
                "A" * int(c.value)
                for c in constants
                if isinstance(c, Number) and 0 < c.value <= 40 and c.value == int(c.value)
            ]
            texts += [VALID_USCC] if any(c.function == "valid_uscc" for c in self.calls) else []
            codes = [c for listed in self.codelists.values() for c in listed.codes[:3]]
            return [
                *dict.fromkeys([*texts, *codes, *sorted(self.universe.domains.get(name, ())), OTHER_TEXT, "1"]),
                None,
            ]
        numbers = [Fraction(c.value) for c in constants if isinstance(c, Number)]
        near = {v + d for v in (*numbers, Fraction(0)) for d in (-1, 0, 1)} | {Fraction(v) for v in (10, 100, 1000)}
        return [*(_number_text(v) for v in sorted(near)), None]


def _column_texts(arguments: Sequence[Node]) -> set[str]:
    return {a.value if isinstance(a, Text) else a.code for a in arguments if isinstance(a, Text | Name)}


def _sample_of(pattern: str) -> str:
    """A text that a simple regular expression or wildcard matches; the pattern itself where it is none."""
    text = pattern.strip("^$").replace("\\d", "[0-9]").replace("*", "").replace(".", "A")
    text = re.sub(r"\[([^\]^])[^\]]*\]", r"\1", text)
    return re.sub(r"(.)\{(\d+)[^}]*\}", lambda m: m[1] * int(m[2]), text).replace("+", "").replace("?", "")


def _spread(number: int, place: int) -> int:
    """A fixed scatter of indices: neighbours differ in every column."""
    mixed = (number + 1) * _STRIDE + (place + 1) * 40503 * (number + 7)
    return (mixed ^ (mixed >> 13) ^ (mixed >> 7)) & 0x7FFFFFFF


def _number_text(value: Fraction) -> str:
    """A number as a cell holds it; what has no end in decimals to six places."""
    if value.denominator == 1:
        return str(value.numerator)
    return format(round(float(value), 6), "f").rstrip("0").rstrip(".")


def _keyset_table(name: str, columns: tuple[str, ...], rows: tuple[tuple[str, ...], ...]) -> Table:
    read = {c: read_column(c, [row[n] or None for row in rows], Declared("text")) for n, c in enumerate(columns)}
    frame = pl.DataFrame([r.values for r in read.values()])
    return Table(name, {c: r.column for c, r in read.items()}, frame, frame, tuple(range(1, len(rows) + 1)), columns)
