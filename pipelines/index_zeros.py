"""Which values of the development index count enterprises as structural zeros 按零计: those the forms do not ask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import polars as pl

from pipelines.methods.areas import Area, areawise
from pipelines.methods.index.parts import years_needed
from pipelines.population import Population
from pipelines.weights import weighted
from schemas.environment import Environment, environment_for
from schemas.expression import expand, operands, parse
from schemas.model import IndexSystem
from schemas.period import Period
from schemas.period_data import ENTERPRISE, PeriodData

ZEROS = {"area": pl.String, "year": pl.Int64, "indicator": pl.String, "zeros": pl.Boolean}


def with_zeros(
    values: pl.DataFrame, population: Population, system: IndexSystem, areas: Mapping[str, Area], codes: Sequence[str], last: int
) -> pl.DataFrame:  # fmt: skip
    """``values`` of the index with ``zeros``: whether some enterprise of the area counts as zero in a year of the value's window."""
    formulas = {i.id: i.formula for i in system.indicators}
    found = [pl.DataFrame(schema=ZEROS)]
    for year in years_needed(system, last):
        period = Period(year)
        if not population.has(period):
            continue
        env = environment_for(population.programme, period, edition=population.edition(period))
        asked = weighted(population, period)[0]
        own = resting_on_zeros(asked, population.zeroed(asked), formulas, areas, codes, env)
        rows = own.filter("zeros").with_columns(pl.lit(year, dtype=pl.Int64).alias("year"))
        windows = {i.id: list(range(i.window)) for i in system.indicators}
        found += [
            rows.filter(indicator=name).select("area", pl.col("year") + back, "indicator", "zeros")
            for name, span in windows.items()
            for back in span
        ]
    marked = pl.concat(found).unique()
    keys = ["area", "year", "indicator"]
    joined = values.join(marked, on=keys, how="left", validate="1:1", maintain_order="left")
    return joined.with_columns(pl.col("zeros").fill_null(False))


def resting_on_zeros(
    asked: PeriodData,
    zeroed: PeriodData,
    formulas: Mapping[str, str],
    areas: Mapping[str, Area],
    codes: Sequence[str],
    env: Environment,
) -> pl.DataFrame:
    """(area, indicator, zeros) of the indicators that read a figure which some enterprise of the area has only as a structural zero."""
    raw, full = asked.rosters[ENTERPRISE], zeroed.rosters[ENTERPRISE]
    read = {
        name: {c for c, lag in operands(expand(parse(text), env.derivations)) if not lag}
        for name, text in formulas.items()
    }
    put = [
        c for c in sorted(set().union(*read.values()))
        if c in raw.columns and c in env.variables and env.variables[c].absent == "zero"
    ]  # fmt: skip
    places = [c for c in ("unit_id", "park", "sub_park") if c in full.columns]
    flags = full.select(places).with_columns((raw[c].is_null() & full[c].is_not_null()).alias(c) for c in put)
    spread = areawise(replace(zeroed, rosters={ENTERPRISE: flags}), areas, codes).rosters[ENTERPRISE]
    some = spread.group_by("area").agg(pl.col(c).any() for c in put)
    rows = [
        (row["area"], name, any(row[c] for c in own if c in put))
        for row in some.iter_rows(named=True)
        for name, own in read.items()
    ]
    return pl.DataFrame(rows, schema={"area": pl.String, "indicator": pl.String, "zeros": pl.Boolean}, orient="row")
