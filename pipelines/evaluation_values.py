"""From facts to what a scheme is scored on: the values of its indicators by subject and year, and the class of each subject."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from exports.display import percent
from pipelines.index_values import index_values
from pipelines.methods.area_figures import classified
from pipelines.methods.areas import Area, areas_of
from pipelines.methods.estimates import NORMAL
from pipelines.methods.evaluation import SUBJECT_COLUMNS, VALUE_COLUMNS
from pipelines.methods.evaluation_doubts import DOUBT_COLUMNS, doubted
from pipelines.methods.evaluation_scheme import SUB_PARK, ZONE, Scheme
from pipelines.methods.monitoring import areas_present
from pipelines.methods.monitoring_sides import sub_park_codes
from pipelines.methods.target_values import with_quarterly_rosters
from pipelines.population import Population
from pipelines.weights import weighted
from schemas.environment import environment_for
from schemas.expression import functions, operands, parse
from schemas.model import Edition
from schemas.period import Period
from schemas.period_data import ENTERPRISE, PeriodData
from warehouse.ledger.evaluations import FIGURE_COLUMNS

UNCLASSED = "未分类"
PROVIDED_COLUMNS = FIGURE_COLUMNS | {"status": pl.String()}
FourthQuarter = Callable[[int], PeriodData | None]


@dataclass(frozen=True)
class SchemeFigures:
    """``values``: ``VALUE_COLUMNS``; ``subjects``: ``SUBJECT_COLUMNS``; ``parts``: area, year, indicator and what the
    values are made of; ``areas``: the register as of the period."""

    values: pl.DataFrame
    subjects: pl.DataFrame
    parts: pl.DataFrame
    areas: Mapping[str, Area]


def scheme_figures(
    population: Population,
    scheme: Scheme,
    period: Period,
    fourth_quarter: FourthQuarter,
    provided: pl.DataFrame,
    doubts: pl.DataFrame | None = None,
) -> SchemeFigures:
    """Figures of a scheme whose subjects are zones or sub-parks, for the years it looks back on that are on file.

    ``provided``: ``PROVIDED_COLUMNS``, figures from files (A) and of other products (as published there); ``fourth_quarter``: year → observations of
    its last quarter, which hold projects and tasks; ``doubts``: ``evaluation_doubts.DOUBT_COLUMNS``.
    """
    areas = areas_of(population.programme.codelists["parks"].valid(period.end))
    zones = [c for c in areas_present(population.of(period), population.programme) if areas[c].kind == "zone"]
    codes = zones if scheme.kind == ZONE else [a.code for a in areas.values() if a.is_sub_park and a.zone in zones]
    years = [y for y in range(period.year - scheme.years + 1, period.year + 1) if population.at(y) is not None]
    doubts = pl.DataFrame(schema=DOUBT_COLUMNS) if doubts is None else doubts
    computed, parts = _computed(population, scheme, areas, codes, years, period.year, fourth_quarter, doubts)
    given = (
        provided.filter(
            pl.col("scheme") == scheme.id,
            pl.col("unit").is_in(codes),
            pl.col("year").is_in(years),
            pl.col("indicator").is_in(list(scheme.provided)),
        )
        # what a person gave comes after what another product computed, and counts
        .unique(["unit", "year", "indicator"], keep="last", maintain_order=True)
        .select("unit", "year", "indicator", "value", "status", note=pl.col("basis"), error=pl.lit(NORMAL))
        .select(pl.col(c).cast(t) for c, t in VALUE_COLUMNS.items())
    )
    values = pl.concat([computed, given]).sort("unit", "year", "indicator")
    return SchemeFigures(values, _subjects(population, scheme, areas, codes, years, values), parts, areas)


def _classified(population: Population, data: PeriodData, fourth_quarter: FourthQuarter) -> PeriodData:
    edition = population.edition(data.period)
    env = environment_for(population.programme, data.period, edition=edition)
    whole = with_quarterly_rosters(data, fourth_quarter(data.period.year))
    return classified(whole, env, sub_park_codes(edition))


def _computed(
    population: Population,
    scheme: Scheme,
    areas: Mapping[str, Area],
    codes: Sequence[str],
    years: Sequence[int],
    last: int,
    fourth_quarter: FourthQuarter,
    doubts: pl.DataFrame,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    system = scheme.index_system(last)
    nothing = pl.DataFrame(schema=VALUE_COLUMNS)
    if system is None or not years or not codes:
        return nothing, pl.DataFrame()

    def completed(data: PeriodData) -> PeriodData:
        return population.once(("classified", data.period), lambda: _classified(population, data, fourth_quarter))

    table, parts = index_values(population, system, areas, codes, last, first=years[0], completed=completed)
    certainty = _certainty(population, scheme, codes, areas, years, doubts)
    least = {i.id: i.min_contributors for i in system.indicators}
    rows = table.filter(pl.col("year").is_in(list(years))).with_columns(
        least=pl.col("indicator").replace_strict(least, return_dtype=pl.Int64)
    )
    too_few = (
        (pl.col("contributors") > 0) & (pl.col("contributors") < pl.col("least"))
        if scheme.kind == SUB_PARK
        else pl.lit(False)
    )
    thin = pl.col("coverage").is_not_null() & (pl.col("coverage") < scheme.coverage_ratio)
    note = (
        pl.when(thin)
        .then(
            pl.format(
                "两项都报的单位占分母{},不足以计算", pl.col("coverage").map_elements(percent, return_dtype=pl.String)
            )
        )
        .when(too_few)
        .then(
            pl.format("有数单位少于{}个,不计算", "least")
        )  # how few is not said: of a count it would be the figure itself
        .otherwise(pl.lit(""))
    )
    return rows.join(certainty, on=["area", "year", "indicator"], how="left").select(
        pl.col("area").alias("unit"), "year", "indicator",
        value=pl.when(~too_few.fill_null(False)).then("value"),
        status=pl.col("status").fill_null(NORMAL), note=note, error=pl.col("error").fill_null(NORMAL),
    ).select(pl.col(c).cast(t) for c, t in VALUE_COLUMNS.items()), parts  # fmt: skip


def _certainty(
    population: Population,
    scheme: Scheme,
    codes: Sequence[str],
    areas: Mapping[str, Area],
    years: Sequence[int],
    doubts: pl.DataFrame,
) -> pl.DataFrame:
    """(area, year, indicator, error): the doubts about indicators that read a roster."""
    read = {
        name: frozenset(c for c, _ in operands(parse(formula)))
        for name, formula in scheme.formulas.items()
        if functions(parse(formula)) & {"SUM", "COUNT"}
    }
    frames = []
    for year in years:
        roster = weighted(population, Period(year))[0].rosters[ENTERPRISE]
        filled = pl.col("imputed").fill_null(False) | (pl.col("weight") != 1.0)
        units = roster.select("unit_id", "park", "sub_park", estimated=filled)
        found = doubted(units, doubts, year, read, areas, codes, scheme.doubt_share)
        frames.append(found.with_columns(year=pl.lit(year, dtype=pl.Int64)))
    return pl.concat(frames)


def _subjects(
    population: Population,
    scheme: Scheme,
    areas: Mapping[str, Area],
    codes: Sequence[str],
    years: Sequence[int],
    values: pl.DataFrame,
) -> pl.DataFrame:
    """One row a subject and year with at least one figure; the class from the park form of that year."""
    there = set(values.filter(pl.col("value").is_not_null()).select("unit", "year").iter_rows())
    rows = []
    for year in years:
        period = Period(year)
        parks = {row["park"]: row for row in population.of(period).parks.iter_rows(named=True)}
        edition = population.edition(period)
        rows += [
            (code, year, areas[code].short_name, class_of(scheme, edition, parks.get(areas[code].zone or code, {})))
            for code in codes
            if (code, year) in there
        ]
    return pl.DataFrame(rows, schema=SUBJECT_COLUMNS, orient="row")


def class_of(scheme: Scheme, edition: Edition, figures: Mapping[str, object]) -> str:
    """The class of a subject: the scheme's one class, or the options of its class codes joined; unknown ones said so."""
    if not scheme.class_codes:
        return scheme.class_name
    words = []
    for code in scheme.class_codes:
        value = figures.get(code)
        options = edition.indicators[code].options
        words.append(UNCLASSED if value is None else str(options.get(str(value), value)))
    return "·".join(words)
