"""Rules held against a table: per rule how many items hold, fail, stay undetermined, and which."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import polars as pl

from schemas.errors import DefinitionError
from schemas.model import Severity
from schemas.rule_file import RuleFile, TableRule
from schemas.syntax import Node
from schemas.table_calls import typed_table
from schemas.table_engine import Engine
from schemas.table_groups import GROUP_OPERATIONS
from schemas.table_model import Tables
from schemas.table_relations import RELATION_OPERATIONS
from schemas.table_scalars import SCALAR_OPERATIONS
from schemas.table_terms import NO_TOLERANCE, TableMissingError, is_scalar
from schemas.variables import BOOLEAN

HOLDS, FAILS, UNDETERMINED, NOT_APPLICABLE = "holds", "fails", "undetermined", "not_applicable"
ALL_OPERATIONS = {**SCALAR_OPERATIONS, **GROUP_OPERATIONS, **RELATION_OPERATIONS}


@dataclass(frozen=True)
class RuleOutcome:
    """What one rule says. ``outcomes`` has one entry an item; ``rows`` the record an item stands for, -1 for the table.

    ``reason`` says why a rule could not be run, or ran with less than full precision; empty otherwise.
    """

    rule: TableRule
    outcomes: pl.Series
    rows: tuple[int, ...]
    level: str
    reason: str = ""

    def count(self, outcome: str) -> int:
        """How many items came out so."""
        return int((self.outcomes == outcome).sum())

    @property
    def counts(self) -> Mapping[str, int]:
        """items, holds, fails, undetermined, not_applicable."""
        return {"items": len(self.outcomes), **{o: self.count(o) for o in (HOLDS, FAILS, UNDETERMINED, NOT_APPLICABLE)}}


@dataclass(frozen=True)
class CheckResult:
    """All rules held against one table, in written order."""

    tables: Tables
    outcomes: tuple[RuleOutcome, ...]
    notes: tuple[str, ...] = ()

    @property
    def hard_failures(self) -> int:
        """Items that break a hard rule, and cells that are not what they are declared to be."""
        broken = sum(o.count(FAILS) for o in self.outcomes if o.rule.severity is Severity.HARD)
        return broken + len(self.tables.data.unreadable)


@dataclass(frozen=True)
class Hit:
    """One item that does not hold: the record with its key and the columns the rule reads, as written in the file."""

    outcome: RuleOutcome
    result: str
    row: int | None
    line: int | None
    key: Mapping[str, str | None]
    values: Mapping[str, str | None]


def check_tables(rules: RuleFile, tables: Tables) -> CheckResult:
    """Hold every rule against the table. Raises one DefinitionError that names every rule that makes no sense on it."""
    engine = Engine(tables, ALL_OPERATIONS)
    outcomes: list[RuleOutcome] = []
    problems: list[str] = []
    for rule in rules.rules:
        try:
            outcomes.append(_outcome(rule, tables, engine))
        except DefinitionError as error:
            problems.append(f"{rule.where}:规则 {rule.id}:{error}")
    if problems:
        raise DefinitionError("\n".join(problems))
    return CheckResult(tables, tuple(outcomes), tuple(engine.notes))


def evaluate(node: Node | str, tables: Tables) -> pl.Series:
    """The value of one expression: one for the table, or one a record."""
    return Engine(tables, ALL_OPERATIONS).series(typed_table(node, tables))


def _outcome(rule: TableRule, tables: Tables, engine: Engine) -> RuleOutcome:
    missing = [c for c in rule.each if c not in tables.data.columns]
    if missing:
        raise DefinitionError(f"each 里的列 {'、'.join(missing)} 不在数据里", remedy="请核对列名。")
    try:
        return _judged(rule, tables, engine, exact=True)
    except TableMissingError as error:
        rows = tuple(range(engine.height))
        unknown = pl.Series("o", [UNDETERMINED] * len(rows), dtype=pl.String)
        return RuleOutcome(rule, unknown, rows, "record", f"未运行:{error}")
    except pl.exceptions.PolarsError:
        # More than 38 digits: such numbers are no statistics, but a rule must not stop on them.
        try:
            found = _judged(rule, tables, engine, exact=False)
        except pl.exceptions.PolarsError as error:
            raise DefinitionError(
                f"无法计算:{str(error).splitlines()[0]}", remedy="请检查正则表达式与数值的大小。"
            ) from None
        return RuleOutcome(found.rule, found.outcomes, found.rows, found.level, "数值过大,按浮点数计算")


def _judged(rule: TableRule, tables: Tables, engine: Engine, *, exact: bool) -> RuleOutcome:
    condition = typed_table(rule.node, tables, rule.tolerance, exact=exact)
    if condition.kind != BOOLEAN:
        raise DefinitionError("表达式不是条件", remedy="规则要写成能判真假的式子,例如 a >= 0。")
    applies = typed_table(rule.applies, tables, NO_TOLERANCE, exact=exact) if rule.applies is not None else None
    if applies is not None and applies.kind != BOOLEAN:
        raise DefinitionError("applies_if 不是条件", remedy="请写成能判真假的式子。")
    columns = [engine.series(condition), *([engine.series(applies)] if applies is not None else [])]
    scalar = is_scalar(condition) and (applies is None or is_scalar(applies)) and not rule.each
    height = 1 if scalar else engine.height
    frame = pl.DataFrame(
        [(c if len(c) == height else c.new_from_index(0, height)).alias(n) for c, n in zip(columns, "va", strict=False)]
    )
    value = pl.col("v")
    outcome = (
        pl.when(value).then(pl.lit(HOLDS)).when(value.is_null()).then(pl.lit(UNDETERMINED)).otherwise(pl.lit(FAILS))
    )
    if applies is not None:
        outcome = pl.when(pl.col("a").fill_null(False)).then(outcome).otherwise(pl.lit(NOT_APPLICABLE))
    found = frame.select(outcome.alias("o"))["o"].cast(pl.String)
    if scalar:
        return RuleOutcome(rule, found, (-1,), "table")
    rows = tuple(range(height))
    return _by_group(rule, tables, found) if rule.each else RuleOutcome(rule, found, rows, "record")


def _by_group(rule: TableRule, tables: Tables, outcomes: pl.Series) -> RuleOutcome:
    """One item a group: it fails if a record fails, is undetermined if one is, and holds if any holds."""
    order = {FAILS: 0, UNDETERMINED: 1, HOLDS: 2, NOT_APPLICABLE: 3}
    frame = tables.data.raw.select(rule.each).with_columns(
        outcomes.replace_strict(order, return_dtype=pl.Int64).alias("#rank")
    )
    worst = (
        frame.with_row_index("#row")
        .sort("#rank", "#row")
        .unique(rule.each, keep="first", maintain_order=True)
        .sort("#row")
    )
    names = {rank: outcome for outcome, rank in order.items()}
    found = worst["#rank"].replace_strict(names, return_dtype=pl.String)
    return RuleOutcome(rule, found.alias("o"), tuple(worst["#row"].to_list()), "group")


def hits(result: CheckResult, results: Iterable[str] = (FAILS, UNDETERMINED)) -> Iterator[Hit]:
    """Every item that fails or stays undetermined, rule by rule, in the order of the file."""
    wanted = frozenset(results)
    table = result.tables.data
    for outcome in result.outcomes:
        if outcome.reason.startswith("未运行"):
            continue
        names = [c for c in table.columns if c in outcome.rule.names and c not in table.key]
        chosen = outcome.outcomes.is_in(list(wanted)).arg_true().to_list()
        for place in chosen:
            row = outcome.rows[place]
            if row < 0:
                yield Hit(outcome, outcome.outcomes[place], None, None, {}, {})
                continue
            key = {k: table.raw[k][row] for k in (outcome.rule.each or table.key) if k in table.columns}
            shown = {} if outcome.level == "group" else {c: table.raw[c][row] for c in names}
            yield Hit(outcome, outcome.outcomes[place], row + 1, table.lines[row], key, shown)
