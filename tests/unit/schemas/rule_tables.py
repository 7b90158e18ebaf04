"""Tables written into a test: columns of cells as a CSV holds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from schemas.rule_file import RuleFile, rule_file
from schemas.table_check import CheckResult, check_tables, evaluate
from schemas.table_model import CodeList, Table, Tables
from schemas.table_values import Declared, read_column


def table(
    columns: Mapping[str, Sequence[object]],
    name: str = "data",
    *,
    key: Sequence[str] = (),
    parent: str = "",
    period: str = "",
    types: Mapping[str, Declared] | None = None,
) -> Table:
    """A table of cells; None is a blank cell."""
    cells = {n: [None if v is None else str(v) for v in values] for n, values in columns.items()}
    read = {n: read_column(n, values, (types or {}).get(n)) for n, values in cells.items()}
    height = len(next(iter(cells.values())))
    return Table(
        name,
        {n: c.column for n, c in read.items()},
        pl.DataFrame([c.values for c in read.values()]),
        pl.DataFrame([pl.Series(n, values, dtype=pl.String) for n, values in cells.items()]),
        tuple(range(2, height + 2)),
        tuple(key),
        parent,
        period,
    )


def value(expression: str, data: Table, *beside: Table, codelists: Sequence[CodeList] = ()) -> list[object]:
    """The values of one expression, as Python has them."""
    tables = Tables(data, {t.name: t for t in beside}, {c.name: c for c in codelists})
    return evaluate(expression, tables).to_list()


def rules_of(*entries: Mapping[str, Any], **others: Any) -> RuleFile:
    """A rule file from parsed entries."""
    return rule_file({"rule": list(entries), **others}, lambda rule_id: f"rules.toml:{rule_id}", lambda name: [])


def counts(expression: str, data: Table, *beside: Table, **entry: Any) -> tuple[int, ...]:
    """items, holds, fails, undetermined, not applicable of one rule."""
    result = result_of(rules_of({"id": "r", "expression": expression, **entry}), data, *beside)
    return tuple(result.outcomes[0].counts.values())


def result_of(rules: RuleFile, data: Table, *beside: Table) -> CheckResult:
    """All rules held against a table."""
    return check_tables(rules, Tables(data, {t.name: t for t in beside}, rules.codelists))
