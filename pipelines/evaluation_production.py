"""The evaluation of a year: every scheme of the edition in force, parks and enterprises, from facts and provided figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import polars as pl

from pipelines.evaluation_values import PROVIDED_COLUMNS, FourthQuarter, scheme_figures
from pipelines.methods.areas import Area
from pipelines.methods.disclosure.rules import Rules
from pipelines.methods.estimates import NORMAL
from pipelines.methods.evaluation import Evaluated, evaluate, standings, total_status
from pipelines.methods.evaluation_cells import evaluation_product, merged
from pipelines.methods.evaluation_scheme import UNIT, Scheme, parse_scheme
from pipelines.methods.evaluation_units import unit_cells
from pipelines.methods.product import Product, administrative_parts, product_of
from pipelines.methods.target_scores import SCORES, target_scores
from pipelines.population import Population
from schemas.environment import environment_for
from schemas.marts import PART_COLUMNS
from schemas.model import Edition
from schemas.period import Period

PUBLISHED = "evaluation_scores"
REFERENCE = "evaluation_reference"
UNITS = "evaluation_units"
Targets = Callable[[Period], Product]


def schemes_of(edition: Edition) -> tuple[Scheme, ...]:
    """The schemes of an edition in order of their ids. Raises DefinitionError for one that cannot be used."""
    return tuple(parse_scheme(edition.schemes[name]) for name in sorted(edition.schemes))


@dataclass(frozen=True)
class Sources:
    """What an evaluation is made from besides annual facts: rosters of fourth quarters, progress of the plans, figures by
    file (``FIGURE_COLUMNS``), doubts (``DOUBT_COLUMNS``)."""

    fourth_quarter: FourthQuarter
    targets: Targets
    provided: pl.DataFrame
    doubts: pl.DataFrame


@dataclass(frozen=True)
class Found:
    """A scheme scored for a year, with the register and the parts of its values."""

    evaluated: Evaluated
    areas: Mapping[str, Area]
    parts: pl.DataFrame


def evaluation_marts(population: Population, period: Period, sources: Sources) -> dict[str, Product]:
    """The marts of a year: published scores, internal reference schemes, internal figures of single units."""
    edition = population.edition(period)
    rules = Rules.of_programme(edition.parameters["thresholds"])
    by_mart: dict[str, list[Product]] = {PUBLISHED: [], REFERENCE: []}
    for one in evaluated_schemes(population, period, sources).values():
        product = evaluation_product(one.evaluated, one.areas, one.parts, rules)
        by_mart[REFERENCE if one.evaluated.scheme.is_internal else PUBLISHED].append(product)
    return {name: merged(products) for name, products in by_mart.items()} | {UNITS: _units(population, edition, period)}


def unchanged(scheme: Scheme, values: pl.DataFrame) -> pl.DataFrame:
    """The values as they are."""
    return values


def evaluated_schemes(
    population: Population,
    period: Period,
    sources: Sources,
    change: Callable[[Scheme, pl.DataFrame], pl.DataFrame] = unchanged,
    with_intervals: bool = True,
) -> dict[str, Found]:
    """Scheme id → what it says, for the schemes of parks due in the year; those that read the totals of others come last.

    ``change`` puts other values in the place of those found, for trials, which need no intervals.
    """
    found: dict[str, Found] = {}
    schemes = [s for s in schemes_of(population.edition(period)) if s.kind != UNIT and s.is_due(period.year)]
    for scheme in sorted(schemes, key=lambda s: bool(s.reads_totals)):
        scores, behind = plan_scores(scheme, population, period, sources.targets)
        by_file = sources.provided.with_columns(status=pl.lit(NORMAL))
        given = pl.concat([scores, _totals(scheme, found), by_file.select(list(PROVIDED_COLUMNS))])
        figures = scheme_figures(population, scheme, period, sources.fourth_quarter, given, sources.doubts)
        one = evaluate(scheme, change(scheme, figures.values), figures.subjects, with_intervals=with_intervals)
        if one is not None and int(one.latest.table.year) == period.year:
            parts = pl.concat([p for p in (figures.parts, behind) if p.height] or [behind], how="diagonal")
            found[scheme.id] = Found(one, figures.areas, parts)
    return found


def plan_scores(
    scheme: Scheme, population: Population, period: Period, targets: Targets
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Scores of plan targets for the indicators whose column asks for them (``PROVIDED_COLUMNS``), and what they are made of.

    The parts (area, year, indicator, ``PART_COLUMNS`` but the key) are those of the completion of every target in the mean.
    """
    wanted = {leaf.id: leaf.column for leaf in scheme.system.leaves if leaf.column in SCORES}
    statistics = {c: t for c, t in PART_COLUMNS.items() if c != "row_key"}
    frames = [pl.DataFrame(schema=PROVIDED_COLUMNS)]
    parts = [pl.DataFrame(schema={"area": pl.String, "year": pl.Int64, "indicator": pl.String, **statistics})]
    years = [y for y in range(period.year - scheme.years + 1, period.year + 1) if population.at(y) is not None]
    for year in years if wanted else ():
        progress, at = targets(Period(year)), pl.lit(year, dtype=pl.Int64)
        scores = target_scores(progress.cells, population.edition(Period(year)))
        for indicator, column in wanted.items():
            own = scores.filter(pl.col("score") == column)
            frames.append(
                own.select(
                    scheme=pl.lit(scheme.id),
                    unit="area",
                    year=at,
                    indicator=pl.lit(indicator),
                    value="value",
                    basis="basis",
                    status="status",
                )
            )
            keys = own.explode("targets").select("area", row_key=pl.format("{}|completion", "targets"))
            behind = progress.parts.drop("area").join(keys, on="row_key")
            parts.append(behind.select("area", at.alias("year"), pl.lit(indicator).alias("indicator"), *statistics))
    return pl.concat(frames), pl.concat(parts).unique(maintain_order=True)


def _totals(scheme: Scheme, found: Mapping[str, Found]) -> pl.DataFrame:
    """Totals of other schemes for the indicators whose column names them (``total:<scheme>``), for every year scored."""
    rows = []
    for indicator, other in scheme.reads_totals.items():
        if other in found:
            one = found[other].evaluated
            for at, year in enumerate(one.years):
                number = int(year.table.year)
                rows += [
                    (scheme.id, s.unit, number, indicator, s.score, f"{one.scheme.title}总分", total_status(one, at, k))
                    for k, s in enumerate(standings(one, at))
                    if s.score is not None
                ]
    return pl.DataFrame(rows, schema=PROVIDED_COLUMNS, orient="row")


def _units(population: Population, edition: Edition, period: Period) -> Product:
    cells = [
        unit_cells(
            scheme, population.of(period), environment_for(population.programme, period, edition=edition), edition
        )
        for scheme in schemes_of(edition)
        if scheme.kind == UNIT
    ]
    body = pl.concat(cells) if cells else pl.DataFrame(schema={"row_key": pl.String})
    return product_of([body], [administrative_parts(body.select("row_key"), "internal")])
