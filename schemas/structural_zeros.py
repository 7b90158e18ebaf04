"""Structural zeros 结构零: a unit that a form does not ask stands for zero there, not for a blank.

Source: survey_system.md 8.4, 聚合中的不适用: units outside ``rd`` have no R&D activity and count as zero in sums and
denominators; so do non-industrial units for the industrial indicators of ``operations``. Units outside ``innovation`` and
``energy_land`` are out of scope: they stay blank, in neither numerator nor denominator.
"""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from schemas.environment import Environment
from schemas.expression import LAGS, distributed, operand_column, parse
from schemas.model import ValueType
from schemas.period_data import PeriodData
from schemas.polars_rows import row_of, with_missing_columns

# Status 1 to 3: due, but their answer is missing (survey_system.md 2.1). They are represented by weights or estimates.
NON_RESPONSE = ("1", "2", "3")


def structural_zeros(frame: pl.DataFrame, env: Environment, roster: str = "enterprise") -> pl.DataFrame:
    """A wide roster frame with blanks filled by zero where an indicator does not apply to the unit.

    Only numbers of the forms marked ``zero``; only where ``applies_if`` is false, not where it is undetermined; not for
    units whose answer is missing. A lagged column takes the condition of its own period, else that of the report period.
    """
    conditions: dict[str, list[tuple[str, str]]] = {}
    for variable in env.variables.values():
        if variable.roster == roster and variable.absent == "zero" and variable.type is ValueType.NUMBER:
            for lag in ("", *LAGS):
                if operand_column(variable.code, lag) in frame.columns:
                    conditions.setdefault(variable.applies_if, []).append((variable.code, lag))
    answered = pl.lit(True)
    if "answer_status" in frame.columns:
        answered = ~pl.col("answer_status").is_in(NON_RESPONSE).fill_null(False)
    for text, columns in conditions.items():
        frame = _filled(frame, text, columns, answered, env)
    return frame


def _filled(
    frame: pl.DataFrame, text: str, columns: list[tuple[str, str]], answered: pl.Expr, env: Environment
) -> pl.DataFrame:
    lags = sorted({lag for _, lag in columns} | {""})
    applies = {lag: env.typed(distributed(parse(text), lag)) for lag in lags}
    rows = with_missing_columns(frame, applies.values())
    absent = {
        lag: ~pl.coalesce(row_of(condition, env), row_of(applies[""], env)) & answered
        for lag, condition in applies.items()
    }
    flags = rows.select(expr.alias(f"#absent{lag}") for lag, expr in absent.items())
    filled = [
        pl.when(pl.col(name).is_null() & pl.col(f"#absent{lag}").fill_null(False))
        .then(pl.lit(0).cast(frame.schema[name]))
        .otherwise(pl.col(name))
        .alias(name)
        for code, lag in columns
        for name in (operand_column(code, lag),)
    ]
    return frame.hstack(flags).with_columns(filled).drop(flags.columns)


def with_structural_zeros(data: PeriodData, env: Environment) -> PeriodData:
    """Period data whose enterprise roster has its structural zeros."""
    env = env.with_data(data)
    return replace(data, rosters={name: structural_zeros(f, env, name) for name, f in data.rosters.items()})
