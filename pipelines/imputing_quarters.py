"""Imputed quarters 估算后的季度: one quarter with values put in for due units that did not answer, and the list of those values."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import polars as pl

from pipelines.inputs import Inputs
from pipelines.methods.areas import areas_of
from pipelines.methods.monitoring_imputation import (
    ImputationRules,
    imputations,
    nothing_imputed,
    with_imputations,
)
from pipelines.methods.monitoring_names import names_of
from pipelines.methods.product import Product, administrative_parts, product_of
from pipelines.methods.series.imputing import METHODS
from pipelines.population import Population
from schemas.environment import environment_for
from schemas.marts import row_key
from schemas.model import Programme
from schemas.period import Period
from schemas.period_data import ENTERPRISE, PeriodData

TABLE: Final = "imputations"
MEASURES: Final = {
    "imputed_value": "估算值",
    "by_ratio": "按同类比率",
    "by_trend": "按自身趋势",
    "by_donor": "按供体",
}


def imputed_list(releases: Path, release: str) -> Path:
    """Where the values put in for a release are kept: confidential, beside the releases and not in them."""
    return releases / ".internal" / f"{release}.imputed.arrow"


def imputed_quarter(population: Population, period: Period) -> tuple[PeriodData, pl.DataFrame]:
    """(the quarter with values put in as its edition says, the values with what made them). Made once a run.

    Where everybody answered, or the edition does not impute, the data are the population's own.
    """
    if period.round != "Q" or not ImputationRules.of(population.edition(period)).enabled or not population.has(period):
        return population.of(period), nothing_imputed()
    found = population.once(("imputations", period), lambda: _found(population, period))
    if found["value"].null_count() == found.height:
        return population.of(period), found
    return population.once(("imputed", period), lambda: with_imputations(population.of(period), found)), found


def _found(population: Population, period: Period) -> pl.DataFrame:
    edition = population.edition(period)
    env = environment_for(population.programme, period, edition=edition)
    two_years_ago = population.bare(period.year_earlier().year_earlier()).rosters[ENTERPRISE]
    earlier = {"yoy": two_years_ago}
    if (previous := period.previous()) is not None and (before := previous.previous()) is not None:
        earlier["prev"] = population.bare(before).rosters[ENTERPRISE]
    return imputations(population.of(period), earlier, edition, env, ImputationRules.of(edition))


def imputed_values(inputs: Inputs, period: Period) -> pl.DataFrame:
    """The values put in for the quarter of a release; none for a year."""
    return imputed_quarter(inputs.population("effective"), period)[1] if period.round == "Q" else nothing_imputed()


def monitoring_imputations(found: pl.DataFrame, programme: Programme, period: Period) -> Product:
    """Cells of the internal mart ``monitoring_imputations``: each value put in, and for large units every proposal.

    ``category`` is the unit; a value no method reached is missing."""
    if found.is_empty():
        return product_of([], [])
    edition = programme.edition_for(period)
    described = pl.DataFrame(
        [(i.code, i.name, i.unit_measure, i.decimals) for i in edition.indicators.values()],
        schema=["indicator", "indicator_name", "unit_measure", "decimals"], orient="row",
    )  # fmt: skip
    rows = found.join(described, on="indicator", how="left", maintain_order="left")
    tables = [
        _cells(
            rows if measure == "imputed_value" else rows.filter(pl.col(measure).is_not_null() & pl.col("is_single")),
            measure,
            name,
        )
        for measure, name in MEASURES.items()
    ]
    cells = pl.concat(tables).with_columns(
        pl.lit(str(period)).alias("period"), row_key("area", "category", "indicator", "measure")
    )
    areas = areas_of(programme.codelists["parks"].valid(period.end))
    named = names_of(programme, edition, areas, period).named(cells)
    return product_of([named], [administrative_parts(named, "internal")])


def _cells(rows: pl.DataFrame, measure: str, name: str) -> pl.DataFrame:
    value = pl.col("value" if measure == "imputed_value" else measure)
    method = pl.col("method").replace_strict(METHODS, default="")
    how = pl.concat_str(
        method,
        pl.when(pl.col("base_of") != "").then(pl.format(",{}为底", "base_of")).otherwise(pl.lit("")),
        pl.when(pl.col("level").is_not_null()).then(pl.format(",{}", "level")).otherwise(pl.lit("")),
        pl.when(pl.col("donor").is_not_null()).then(pl.format(",供体{}", "donor")).otherwise(pl.lit("")),
        pl.when(pl.col("is_single").fill_null(False)).then(pl.lit(",逐户估算")).otherwise(pl.lit("")),
    )
    note = pl.when(value.is_null()).then(pl.lit("各种方法都不能估算")).otherwise(how)
    return rows.select(
        pl.lit(TABLE).alias("table"),
        pl.col("park").alias("area"),
        pl.lit("unit").alias("breakdown"),
        pl.col("unit_id").alias("category"),
        "indicator",
        "indicator_name",
        "unit_measure",
        pl.lit(measure).alias("measure"),
        pl.lit(name).alias("measure_name"),
        value.cast(pl.Float64).alias("value"),
        pl.col("decimals").cast(pl.Int8),
        pl.when(value.is_null()).then(pl.lit("M")).otherwise(pl.lit("E")).alias("status"),
        (note if measure == "imputed_value" else pl.lit("")).alias("note"),
    )
