"""Revision 快报与年报修订: what the fourth quarter's preliminary figures were worth once the annual ones were final.

For every additive indicator that both rounds collect, by area, zone and sub-park. Source: design.md 3, Periods.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import polars as pl

from pipelines.methods.area_figures import TOTAL
from pipelines.methods.areas import Area, areas_of
from pipelines.methods.growth import net_changes
from pipelines.methods.monitoring import areas_present
from pipelines.methods.monitoring_names import names_of
from pipelines.methods.monitoring_notes import SILENT
from pipelines.methods.monitoring_sides import (
    AMOUNTS,
    GROUPS,
    MonitoringRound,
    additive_indicators,
    portions_of,
    sides_of,
)
from pipelines.methods.monitoring_terms import DIMENSIONS, Terms, joined, silent_units, sums_by_area
from pipelines.methods.product import Product, administrative_parts, product_of, shaped_parts
from schemas.environment import environment_for
from schemas.errors import DefinitionError
from schemas.marts import row_key
from schemas.model import Indicator, Programme
from schemas.period_data import PeriodData

TABLE: Final = "revisions"
BREAKDOWNS: Final = ("total", "zone", "sub_park")
MEAN: Final = "mean"
MEASURES: Final[dict[str, tuple[str, str, int | None]]] = {
    "preliminary": ("四季度快报数", "", None),
    "final": ("年报数", "", None),
    "revision": ("修订额", "", None),
    "revision_pct": ("修订幅度", "%", 1),
}
SILENT_IN: Final = ("silent_final", "silent_early")
NO_QUARTER: Final = "四季度没有报送"
NO_YEAR: Final = "年报没有报送"
BASE_NOT_POSITIVE: Final = "快报数为零或为负,不计算修订幅度"


def monitoring_revisions(
    annual: PeriodData, fourth_quarter: PeriodData, programme: Programme, areas_wanted: Sequence[str] | None = None
) -> Product:
    """Cells and parts of the mart ``monitoring_revisions`` for one year.

    revision = final less preliminary, over all units of either round; ``revision_pct`` over the preliminary figure. The
    indicator ``mean`` carries the mean absolute revision of an area over its indicators. Raises DefinitionError where the
    two periods are not a year and its fourth quarter.
    """
    period = annual.period
    if period.round != "A" or fourth_quarter.period != period.fourth_quarter():
        raise DefinitionError(
            f"{annual.period} 与 {fourth_quarter.period} 不是同一年的年报与四季报",
            remedy="请给出年报和当年四季度的数据。",
        )
    edition = programme.edition_for(period)
    areas = areas_of(programme.codelists["parks"].valid(period.end))
    chosen = list(areas_wanted) if areas_wanted is not None else areas_present(annual, programme)
    both = [i for found in additive_indicators(edition).values() for i in found if {"A", "Q"} <= set(i.rounds)]
    wanted = {i.code for i in both}
    portions: list[Terms] = []
    missing: tuple[list[pl.DataFrame], list[pl.DataFrame]] = ([], [])  # in the annual round, in the fourth quarter
    for portion in portions_of(annual, edition):
        own = {roster: [i for i in found if i.code in wanted] for roster, found in portion.items()}
        final, early = _units(annual, programme, own), _units(fourth_quarter, programme, own)
        places, indicators = [areas[c] for c in chosen], [i for found in own.values() for i in found]
        portions.append(_terms(final.select(*AMOUNTS), early.select(*AMOUNTS), indicators, places))
        for silent, units in zip(missing, (final, early), strict=True):
            silent.append(silent_units(units, places, BREAKDOWNS))
    terms = joined(portions)
    values = terms.values
    for name, silent in zip(SILENT_IN, missing, strict=True):
        values = values.join(pl.concat(silent).rename({"silent": name}), on=list(DIMENSIONS), how="left")
    cells = _cells(values.sort(DIMENSIONS), both, str(period))
    means = _means(cells, str(period))
    named = [names_of(programme, edition, areas, period).named(c) for c in (cells, means) if c.height]
    return product_of(named, [_parts(cells, terms), administrative_parts(means, MEAN)])


def _terms(final: pl.DataFrame, early: pl.DataFrame, indicators: Sequence[Indicator], areas: Sequence[Area]) -> Terms:
    by = [*GROUPS, "indicator", "sheet", "flow"]
    summed = ~pl.col("sheet")
    nets = net_changes(final.filter(summed), early.filter(summed), by).with_columns(pl.lit(1.0).alias("weight"))
    amounts = {"level": final, "previous": early, "correction": nets.select(*AMOUNTS)}
    return sums_by_area(amounts, indicators, areas, BREAKDOWNS)


def _units(data: PeriodData, programme: Programme, indicators: Mapping[str, Sequence[Indicator]]) -> pl.DataFrame:
    """The figures of one round as exact amounts, one row a unit and indicator; also of units that did not answer."""
    edition = programme.edition_for(data.period)
    env = environment_for(programme, data.period)
    return sides_of(MonitoringRound(data), edition, env, indicators).units


def _cells(values: pl.DataFrame, indicators: Sequence[Indicator], period: str) -> pl.DataFrame:
    described = pl.DataFrame(
        [(i.code, i.name, i.unit_measure, i.decimals) for i in indicators],
        schema=["indicator", "indicator_name", "indicator_unit", "indicator_decimals"],
        orient="row",
    )
    final, early = pl.col("level"), pl.col("previous")
    change = final - early
    rows = values.filter(final.is_not_null() | early.is_not_null()).join(described, on="indicator")
    expressions = {
        "preliminary": (early, pl.lit(NO_QUARTER)),
        "final": (final, pl.lit(NO_YEAR)),
        "revision": (change, _missing(pl.lit(""))),
        "revision_pct": (pl.when(early > 0).then(change / early * 100), _missing(pl.lit(BASE_NOT_POSITIVE))),
    }
    tables = []
    for measure, (value, why) in expressions.items():
        name, unit, decimals = MEASURES[measure]
        preliminary = measure == "preliminary"
        tables.append(
            rows.with_columns(value=value, why=why).select(
                *DIMENSIONS,
                "indicator_name",
                pl.lit(TABLE).alias("table"),
                pl.lit(period).alias("period"),
                pl.lit(measure).alias("measure"),
                pl.lit(name).alias("measure_name"),
                (pl.lit(unit) if unit else pl.col("indicator_unit")).alias("unit_measure"),
                (pl.lit(decimals) if decimals is not None else pl.col("indicator_decimals"))
                .cast(pl.Int8)
                .alias("decimals"),
                "value",
                pl.when(pl.col("value").is_null())
                .then(pl.lit("M"))
                .otherwise(pl.lit("P" if preliminary else "A"))
                .alias("status"),
                pl.when(pl.col("value").is_null()).then("why").otherwise(_who_is_missing(measure)).alias("note"),
            )
        )
    return pl.concat(tables).with_columns(row_key(*DIMENSIONS, "measure"))


def _who_is_missing(measure: str) -> pl.Expr:
    """Due units without a report are in neither figure: said of the figure itself, of both in a revision."""
    said = {
        "final": pl.when(pl.col("silent_final") > 0).then(pl.format(SILENT, "silent_final")),
        "preliminary": pl.when(pl.col("silent_early") > 0).then(pl.format(SILENT, "silent_early")),
    }
    if measure in said:
        return said[measure].fill_null("")
    both = [pl.concat_str(pl.lit(MEASURES[m][0]), note) for m, note in said.items()]
    return pl.concat_str(both, separator=",", ignore_nulls=True)


def _missing(otherwise: pl.Expr) -> pl.Expr:
    return (
        pl.when(pl.col("previous").is_null())
        .then(pl.lit(NO_QUARTER))
        .when(pl.col("level").is_null())
        .then(pl.lit(NO_YEAR))
        .otherwise(otherwise)
    )


def _means(cells: pl.DataFrame, period: str) -> pl.DataFrame:
    """Mean absolute revision of every area over its indicators, in percent."""
    percent = cells.filter((pl.col("measure") == "revision_pct") & (pl.col("breakdown") == "total"))
    known = percent.filter(pl.col("value").is_not_null())
    means = (
        known.sort("indicator")
        .group_by("area", maintain_order=True)
        .agg(pl.col("value").abs().mean(), pl.len().alias("count"))
    )
    return (
        means.with_columns(
            pl.lit("total").alias("breakdown"),
            pl.lit(TOTAL).alias("category"),
            pl.lit(MEAN).alias("indicator"),
            pl.lit("平均绝对修订幅度").alias("indicator_name"),
            pl.lit(TABLE).alias("table"),
            pl.lit(period).alias("period"),
            pl.lit("mean_absolute_revision").alias("measure"),
            pl.lit("平均绝对修订幅度").alias("measure_name"),
            pl.lit("%").alias("unit_measure"),
            pl.lit(1).cast(pl.Int8).alias("decimals"),
            pl.lit("A").alias("status"),
            pl.format("{}项指标的平均", pl.col("count")).alias("note"),
        )
        .drop("count")
        .with_columns(row_key(*DIMENSIONS, "measure"))
    )


def _parts(cells: pl.DataFrame, terms: Terms) -> pl.DataFrame:
    """Final and preliminary sums; behind a revision also the units that changed: one of them alone must not show."""
    sides = {
        "preliminary": (("previous", "level"),),
        "final": (("level", "level"),),
        "revision": (("correction", "level"), ("level", "level"), ("previous", "base")),
        "revision_pct": (("correction", "numerator"), ("level", "level"), ("previous", "base")),
    }
    named = terms.parts.with_columns(
        pl.when(pl.col("term") == "previous")
        .then(pl.col("part").str.replace("prev(", "q4(", literal=True))
        .when(pl.col("term") == "correction")
        .then(pl.format("revision({})", "indicator"))
        .otherwise("part")
        .alias("part")
    )
    tables = []
    for measure, behind in sides.items():
        own = cells.filter(pl.col("measure") == measure).select("row_key", *DIMENSIONS)
        for term, role in behind:
            found = own.join(named.filter(pl.col("term") == term), on=DIMENSIONS)
            tables.append(shaped_parts(found.with_columns(pl.lit(role).alias("role"))))
    return pl.concat(tables)
