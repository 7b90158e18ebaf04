"""Weights and estimates of an annual round: one set for the development index and the innovation tables (survey_system 2.1)."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from pipelines.methods.weighting import UNIT_COLUMNS, sampling, weigh, with_weights
from pipelines.population import Population
from schemas import reserved
from schemas.environment import environment_for
from schemas.expression import operand_column
from schemas.model import ValueType
from schemas.period import Period
from schemas.period_data import ENTERPRISE, PeriodData
from schemas.polars_target import prepare_rows, row_expr

INDUSTRY = f"section({reserved.INDUSTRY})"


def weighted(population: Population, period: Period) -> tuple[PeriodData, pl.DataFrame]:
    """(observations with weights and estimates of certain units that did not answer, strata for standard errors)."""
    return population.once(("weights", period), lambda: _weighted(population, period))


def weighted_at(population: Population) -> Callable[[int], PeriodData | None]:
    """Year → its annual observations with weights and estimates; None where that year is not on file."""

    def at(year: int) -> PeriodData | None:
        return weighted(population, Period(year))[0] if population.has(Period(year)) else None

    return at


def _weighted(population: Population, period: Period) -> tuple[PeriodData, pl.DataFrame]:
    data = population.of(period)
    roster = data.rosters[ENTERPRISE]
    edition = population.edition(period)
    env = environment_for(population.programme, period, edition=edition)
    before = population.bare(period.year_earlier()).rosters[ENTERPRISE]
    size_before = before.select("unit_id", size_before=_column(before, reserved.SIZE, pl.String())).unique(
        "unit_id", keep="first"
    )
    ready = prepare_rows(roster, [INDUSTRY], env).join(size_before, on="unit_id", how="left", maintain_order="left")
    units = ready.with_columns(
        industry=row_expr(INDUSTRY, env),
        size=pl.coalesce(_column(ready, reserved.SIZE, pl.String()), "size_before"),
        above_scale=_column(ready, reserved.ABOVE_SCALE, pl.Boolean()).fill_null(False),
        revenue_before=_column(ready, operand_column(env.size, "yoy") if env.size else "", pl.Float64()),
    )
    weights = weigh(units.select(pl.col(c).cast(t) for c, t in UNIT_COLUMNS.items()))
    amounts = [
        i.code
        for f in edition.forms.values()
        if f.roster == ENTERPRISE
        for i in f.shown(period)
        if i.additive and i.type is ValueType.NUMBER
    ]
    return with_weights(data, units, weights, [c for c in amounts if c in roster.columns]), sampling(weights)


def _column(frame: pl.DataFrame, code: str, dtype: pl.DataType) -> pl.Expr:
    return pl.col(code).cast(dtype) if code in frame.columns else pl.lit(None, dtype=dtype)
