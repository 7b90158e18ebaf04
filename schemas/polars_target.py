"""The rule language on polars frames: the calls other folders use.

    env = environment_for(programme, period, units=register[reserved.UNIT], data=period_data)
    ready = prepare_rows(frame, rules, env)                                  # operand columns, sums for sheet rules
    ready.select(row_expr(rule, env).alias(rule_id) for rule_id, rule in …)  # all rules in one select

``evaluate_rows`` is the two lines in one for a single expression; ``aggregate`` and ``aggregate_many`` ask areas.
"""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from schemas import reserved
from schemas.environment import Environment, environment_for
from schemas.expression import Node
from schemas.period_data import ENTERPRISE
from schemas.polars_aggregates import Aggregation, aggregate, aggregate_many, area_values
from schemas.polars_rows import aggregate_column, dtype_of, row_of, with_missing_columns
from schemas.structural_zeros import structural_zeros, with_structural_zeros
from schemas.typed_expression import AGGREGATES, ROSTER_AGGREGATES, Typed

__all__ = [
    "Aggregation",
    "Environment",
    "aggregate",
    "aggregate_many",
    "environment_for",
    "evaluate_rows",
    "prepare_rows",
    "row_expr",
    "structural_zeros",
    "unavailable",
    "with_structural_zeros",
]


def row_expr(node: Node | str, env: Environment) -> pl.Expr:
    """One expression over the rows of a frame: true, false, or null where it hangs on something not reported.

    A value (Int64, Decimal, Float64, String) for an expression that is no condition. The frame must have the operand
    columns (``F01``, ``F01_yoy``), and the values of SUM and COUNT in columns of their own; ``prepare_rows`` supplies
    both. Raises DefinitionError.
    """
    return row_of(env.typed(node), env)


def prepare_rows(frame: pl.DataFrame, nodes: Iterable[Node | str], env: Environment) -> pl.DataFrame:
    """The frame, in its order, with every column the expressions read.

    Operands nobody has (no history) are nulls of their type. Every SUM and COUNT is taken over ``env.data`` for the row's
    ``park``, unweighted; without data it is undetermined.
    """
    expressions = [env.typed(node) for node in nodes]
    found = {e.text: e for expression in expressions for e in _outermost_aggregates(expression)}
    ready = with_missing_columns(
        frame, [*expressions, *(a for e in found.values() if _asks_the_row(e) for a in e.args)]
    )
    by_park = [e for e in found.values() if e.op in ROSTER_AGGREGATES]
    if by_park:
        ready = _joined(with_park(ready), by_park, ["park"], env)
    for expression in found.values():
        if expression.op == "COUNT_PARK":
            ready = _with_park_count(ready, expression, env)
    return ready


def with_park(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with a ``park`` column, null where there was none."""
    return frame if "park" in frame.columns else frame.with_columns(pl.lit(None, dtype=pl.String).alias("park"))


def _outermost_aggregates(expression: Typed) -> list[Typed]:
    if expression.op in ROSTER_AGGREGATES or expression.op == "COUNT_PARK":
        return [expression]
    return [found for arg in expression.args for found in _outermost_aggregates(arg)]


def _joined(frame: pl.DataFrame, nodes: list[Typed], by: list[str], env: Environment) -> pl.DataFrame:
    if env.data is None:
        return frame.with_columns(
            pl.lit(None, dtype=dtype_of(node.kind)).alias(aggregate_column(node.text)) for node in nodes
        )
    values = area_values(nodes, env.data, by, env)
    if not by:
        return frame.join(values, how="cross", maintain_order="left")
    joined = frame.join(values, on=by, how="left", maintain_order="left")
    listed = [n for n in nodes if n.op == "COUNT" and "park" in env.data.rosters.get(n.roster, pl.DataFrame()).columns]
    return joined.with_columns(pl.col(aggregate_column(n.text)).fill_null(0) for n in listed)


def _asks_the_row(expression: Typed) -> bool:
    """COUNT_PARK(in_roster(B01)): in how many parks the row's own unit is listed."""
    return expression.op == "COUNT_PARK" and expression.args[0].op == "in_roster"


def _with_park_count(frame: pl.DataFrame, expression: Typed, env: Environment) -> pl.DataFrame:
    if not _asks_the_row(expression):
        return _joined(frame, [expression], [], env)
    column = aggregate_column(expression.text)
    if env.data is None or ENTERPRISE not in env.data.rosters:
        return frame.with_columns(pl.lit(None, dtype=pl.Int64).alias(column))
    listed = env.data.rosters[ENTERPRISE].select(pl.col(reserved.UNIT).alias("#unit"), "park").drop_nulls().unique()
    if "kind" in env.data.parks.columns:
        listed = listed.join(env.data.parks.filter(kind="zone").select("park").unique(), on="park")
    counts = listed.group_by("#unit").agg(pl.len().cast(pl.Int64).alias(column))
    asked = frame.with_columns(row_of(expression.args[0].args[0], env).alias("#unit"))
    return (
        asked.join(counts, on="#unit", how="left", maintain_order="left")
        .with_columns(pl.col(column).fill_null(0))
        .drop("#unit")
    )


def evaluate_rows(node: Node | str, frame: pl.DataFrame, env: Environment) -> pl.Series:
    """The value of one expression on every row of a frame, in its order: Boolean for a condition."""
    ready = prepare_rows(frame, [node], env)
    return ready.with_columns(row_expr(node, env).alias("#value"))["#value"].alias("value")


def unavailable(node: Node | str, env: Environment) -> tuple[str, ...]:
    """What an expression needs and ``env`` does not have: code lists and observations, named in Chinese.

    Such an expression is undetermined everywhere; a check without a home counts these as not run.
    """
    lacking: set[str] = set()
    for inner in env.typed(node).walk():
        if inner.op == "in_codelist":
            lists = env.keyed_codelists if len(inner.args) > 1 else env.codelists
            if inner.value not in lists:
                lacking.add(f"代码表 {inner.value}")
        if (inner.op == "in_roster" or inner.op in AGGREGATES) and env.data is None:
            lacking.add("本期名册")
    return tuple(sorted(lacking))
