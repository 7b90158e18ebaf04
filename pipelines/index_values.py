"""From facts to the indicator values of the development index: every formula by area and year, windows and deflation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import polars as pl

from pipelines.methods.areas import Area, areawise, lookups
from pipelines.methods.estimates import ESTIMATED, NORMAL, places_with_estimates, years_read
from pipelines.methods.index.parts import (
    DENOMINATOR,
    NUMERATOR,
    chained_prices,
    deflated,
    price_side,
    ratio_parts,
    window_values,
    years_needed,
)
from pipelines.population import Population
from pipelines.weights import weighted
from schemas import reserved
from schemas.marts import PART_COLUMNS
from schemas.model import IndexSystem
from schemas.period import Period
from schemas.period_data import PeriodData
from schemas.polars_target import Aggregation, aggregate_many, environment_for

MONEY = ("千元", "万元")


Completed = Callable[[PeriodData], PeriodData]


def index_values(
    population: Population,
    system: IndexSystem,
    areas: Mapping[str, Area],
    codes: Sequence[str],
    last: int,
    *,
    first: int | None = None,
    completed: Completed = lambda data: data,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(values, parts) of every area of ``codes`` and year up to ``last``, from the base year or from ``first`` on.

    values: ``pipelines.methods.index.development.VALUE_COLUMNS``. parts: area, year, indicator and ``PART_COLUMNS`` without
    the row key, for disclosure control. A year that is not on file has no rows; a ratio whose common units hold less than
    the system's ``coverage_ratio`` of the denominator is missing (survey_system 8.4). ``completed`` adds to a year's weighted
    observations what stands elsewhere (rosters kept by quarter). Prices are chained from the base year in any case.
    """
    yearly: list[pl.DataFrame] = []
    parts: list[pl.DataFrame] = []
    context: list[pl.DataFrame] = []
    reach = max(i.window for i in system.indicators) - 1
    for year in years_needed(system, last):
        if not population.has(Period(year)):
            continue
        context.append(population.bare(Period(year)).context)
        if first is None or year >= first - reach:
            found, pieces = _year(population, system, areas, codes, year, completed)
            yearly.append(found)
            parts.append(pieces)
    if not yearly:
        return pl.DataFrame(
            schema={"area": pl.String, "year": pl.Int64, "indicator": pl.String, "value": pl.Float64}
        ), pl.DataFrame()
    table = pl.concat(yearly)
    edition = population.edition(Period(last))
    prices, price_area = _prices(context, system, areas, codes)
    money = [c for c, i in edition.indicators.items() if i.unit_measure in MONEY]
    sides = {i.id: price_side(i, money) for i in system.indicators if i.deflator}
    at_base = deflated(
        table.select("area", "year", "indicator", "numerator", "denominator"), system, prices, sides, price_area
    )
    values = window_values(at_base, system)
    covered = table.select("area", "year", "indicator", "contributors", "coverage")
    keys = ["area", "year", "indicator"]
    joined = values.join(covered, on=keys, how="left").join(_statuses(table, system), on=keys, how="left")
    floor = float(system.parameters.get("coverage_ratio", 0.7))
    enough = pl.col("coverage").is_null() | (pl.col("coverage") >= floor)
    return joined.with_columns(value=pl.when(enough).then("value")).sort("area", "year", "indicator"), pl.concat(parts)


def at_base_prices(
    population: Population, system: IndexSystem, areas: Mapping[str, Area], codes: Sequence[str], last: int
) -> dict[tuple[int, str, str], float]:
    """(year, indicator, side) → what brings that side of the first of ``codes`` to base-year prices, where an indicator is deflated."""
    years = [y for y in years_needed(system, last) if population.has(Period(y))]
    context = [population.bare(Period(y)).context for y in years]
    prices, price_area = _prices(context, system, areas, codes)
    edition = population.edition(Period(last))
    money = [c for c, i in edition.indicators.items() if i.unit_measure in MONEY]
    sides = {i.id: price_side(i, money) for i in system.indicators if i.deflator}
    ones = pl.DataFrame(
        [(codes[0], y, i, 1.0, 1.0) for y in years for i in sides],
        schema={"area": pl.String, "year": pl.Int64, "indicator": pl.String, NUMERATOR: pl.Float64, DENOMINATOR: pl.Float64},
        orient="row",
    )  # fmt: skip
    found = deflated(ones, system, prices, sides, price_area)
    return {
        (year, indicator, side): factor
        for year, indicator, *both in found.select("year", "indicator", NUMERATOR, DENOMINATOR).iter_rows()
        for side, factor in zip((NUMERATOR, DENOMINATOR), both, strict=True)
        if factor is not None
    }


def _year(
    population: Population,
    system: IndexSystem,
    areas: Mapping[str, Area],
    codes: Sequence[str],
    year: int,
    completed: Completed,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    period = Period(year)
    edition = population.edition(period)
    env = environment_for(population.programme, period, edition=edition)
    data = population.zeroed(completed(weighted(population, period)[0]))
    spread = areawise(data, areas, codes)
    area_env = replace(env, data=spread, areas=lookups(areas.values()))
    formulas = {i.id: i.formula for i in system.indicators}
    found = aggregate_many(formulas, spread, ["area"], area_env, weighted=True)
    below = aggregate_many(
        {i.id: ratio_parts(i.formula)[1] for i in system.indicators}, spread, ["area"], area_env, weighted=True
    )
    long = found.values.unpivot(index="area", on=list(formulas), variable_name="indicator", value_name="value")
    denominators = below.values.unpivot(
        index="area", on=list(formulas), variable_name="indicator", value_name="denominator"
    )
    coverage = found.coverage.unpivot(index="area", on=list(formulas), variable_name="indicator", value_name="coverage")
    keys = ["area", "indicator"]
    table = (
        long.join(denominators, on=keys, how="left")
        .join(coverage, on=keys, how="left")
        .join(_contributors(found), on=keys, how="left")
    )
    # Numerator as ratio × denominator: the ratio runs over units reporting both sides, its denominator weighs the year.
    touched = places_with_estimates(data)
    estimated = [c for c in codes if touched.touch(areas[c])]
    of_units = [name for name, formula in formulas.items() if year in years_read(formula, year, env)]
    rests = pl.col("area").is_in(estimated) & pl.col("indicator").is_in(of_units)
    table = table.with_columns(
        pl.lit(year, dtype=pl.Int64).alias("year"),
        numerator=pl.col("value") * pl.col("denominator"),
        status=pl.when(rests).then(pl.lit(ESTIMATED)).otherwise(pl.lit(NORMAL)),
    )
    return table.select(
        "area", "year", "indicator", "numerator", "denominator", "contributors", "coverage", "status"
    ), _parts(found, year)


def _statuses(table: pl.DataFrame, system: IndexSystem) -> pl.DataFrame:
    """(area, year, indicator, status) of values over their whole window: one estimated year makes the moving sum an estimate."""
    spans = [
        table.filter(pl.col("indicator") == i.id, status=ESTIMATED).with_columns(pl.col("year") + back)
        for i in system.indicators
        for back in range(i.window)
    ]
    keys = ["area", "year", "indicator"]
    touched = pl.concat(spans).select(keys).unique() if spans else table.select(keys).clear()
    return (
        table.select(keys)
        .join(touched.with_columns(status=pl.lit(ESTIMATED)), on=keys, how="left")
        .with_columns(pl.col("status").fill_null(NORMAL))
    )


def _contributors(found: Aggregation) -> pl.DataFrame:
    """Units with a contribution to the numerator: the first sum of the formula."""
    first = found.parts.sort("area", "expression", "part").group_by("area", "expression", maintain_order=True).first()
    return first.select("area", indicator="expression", contributors=pl.col("n").cast(pl.Int64))


def _parts(found: Aggregation, year: int) -> pl.DataFrame:
    """Parts of the ratios as ``PART_COLUMNS`` (but the row key), with area, year and indicator."""
    roles = (
        pl.when(pl.col("part") == pl.col("part").min().over("area", "expression"))
        .then(pl.lit("numerator"))
        .otherwise(pl.lit("denominator"))
    )
    table = found.parts.select(
        "area",
        pl.lit(year, dtype=pl.Int64).alias("year"),
        indicator="expression",
        part=pl.col("text"),
        role=roles,
        n=pl.col("n"),
        max1=pl.col("max1"),
        max2=pl.col("max2"),
        total=pl.col("total"),
        administrative=pl.col("roster").is_in(["park", "parks", "context"]),
    )
    own = [c for c in PART_COLUMNS if c != "row_key"]
    return table.select("area", "year", "indicator", *(pl.col(c).cast(PART_COLUMNS[c]) for c in own))


def _prices(
    context: Sequence[pl.DataFrame], system: IndexSystem, areas: Mapping[str, Area], codes: Sequence[str]
) -> tuple[pl.DataFrame, dict[str, str]]:
    """Chained price levels from the context form, and which area's series serves each area: the nearest that has one."""
    series = sorted({i.deflator for i in system.indicators if i.deflator})
    frames = [
        c.select(
            area=reserved.AREA,
            year=pl.col(reserved.YEAR).cast(pl.Int64),
            **{s: pl.col(s).cast(pl.Float64) for s in series if s in c.columns},
        )
        for c in context
        if c.height and reserved.AREA in c.columns
    ]
    empty = pl.DataFrame(schema={"area": pl.String, "year": pl.Int64, "series": pl.String, "value": pl.Float64})
    if not frames:
        return chained_prices(empty, system.base_year), {}
    table = pl.concat(frames, how="diagonal").unique(["area", "year"], keep="last", maintain_order=True)
    long = table.unpivot(index=["area", "year"], variable_name="series", value_name="value").drop_nulls("value")
    having = set(long["area"])
    looked_up = lookups(areas.values())
    price_area = {code: next((a for a in looked_up.get(code, ()) if a in having), code) for code in codes}
    return chained_prices(long, system.base_year), price_area
