"""The rule language on polars frames: the calls other folders use.

    env = environment_for(programme, period, units=register["B01"], data=period_data)
    ready = prepare_rows(frame, rules, env)                                  # operand columns, sums for sheet rules
    ready.select(row_expr(rule, env).alias(rule_id) for rule_id, rule in …)  # all rules in one select

``evaluate_rows`` is the two lines in one for a single expression.
"""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from schemas.environment import Environment, environment_for
from schemas.expression import Node, operand_column
from schemas.polars_rows import dtype_of, row_of
from schemas.typed_expression import ROSTER_AGGREGATES, Typed

__all__ = ["Environment", "environment_for", "evaluate_rows", "prepare_rows", "row_expr"]


def row_expr(node: Node | str, env: Environment) -> pl.Expr:
    """One expression over the rows of a frame: true, false, or null where it hangs on something not reported.

    A value (Int64, Decimal, Float64, String) for an expression that is no condition. The frame must have the operand
    columns (``F01``, ``F01_yoy``); ``prepare_rows`` supplies what is missing. Raises DefinitionError.
    """
    return row_of(env.typed(node), env)


def prepare_rows(frame: pl.DataFrame, nodes: Iterable[Node | str], env: Environment) -> pl.DataFrame:
    """The frame with every column the expressions read: operands nobody has (no history) as nulls of their type."""
    expressions = [env.typed(node) for node in nodes]
    missing: dict[str, pl.DataType] = {}
    for expression in expressions:
        for name, dtype in _columns(expression).items():
            if name not in frame.columns:
                missing[name] = dtype
    return frame.with_columns(pl.lit(None, dtype=dtype).alias(name) for name, dtype in sorted(missing.items()))


def _columns(expression: Typed) -> dict[str, pl.DataType]:
    """Name → type of the columns of the frame itself, so not those inside SUM and COUNT."""
    if expression.op in ROSTER_AGGREGATES:
        return {}
    found: dict[str, pl.DataType] = {}
    if expression.op == "column":
        assert isinstance(expression.value, tuple)
        found[operand_column(*expression.value)] = dtype_of(expression.kind)
    if expression.op == "context" and expression.value in ("park_code", "answer_status"):
        found["park" if expression.value == "park_code" else "answer_status"] = pl.String()
    if expression.op == "in_roster":
        found["park"] = pl.String()
    for arg in expression.args:
        found |= _columns(arg)
    return found


def evaluate_rows(node: Node | str, frame: pl.DataFrame, env: Environment) -> pl.Series:
    """The value of one expression on every row of a frame, in its order: Boolean for a condition."""
    ready = prepare_rows(frame, [node], env)
    return ready.with_columns(row_expr(node, env).alias("value"))["value"]
