"""The evaluation of a year: every scheme of the edition in force, parks and enterprises, from facts and provided figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import polars as pl

from pipelines.evaluation_values import PROVIDED_COLUMNS, FourthQuarter, scheme_figures
from pipelines.methods.disclosure.rules import Rules
from pipelines.methods.evaluation import Evaluated, evaluate
from pipelines.methods.evaluation_cells import evaluation_product, merged
from pipelines.methods.evaluation_enterprises import enterprise_cells
from pipelines.methods.evaluation_scheme import ENTERPRISE, Scheme, parse_scheme
from pipelines.methods.product import Product, administrative_parts, product_of
from pipelines.methods.target_scores import SCORES, target_scores
from pipelines.population import Population
from schemas.environment import environment_for
from schemas.model import Edition
from schemas.period import Period

PUBLISHED = "evaluation_scores"
REFERENCE = "evaluation_reference"
ENTERPRISES = "evaluation_enterprises"
Targets = Callable[[Period], Product]


def schemes_of(edition: Edition) -> tuple[Scheme, ...]:
    """The schemes of an edition in order of their ids. Raises DefinitionError for one that cannot be used."""
    return tuple(parse_scheme(edition.schemes[name]) for name in sorted(edition.schemes))


def evaluation_marts(
    population: Population,
    period: Period,
    fourth_quarter: FourthQuarter,
    targets: Targets,
    provided: pl.DataFrame,
    doubts: pl.DataFrame | None = None,
) -> dict[str, Product]:
    """The marts of a year: published scores, internal reference schemes, internal figures of enterprises."""
    edition = population.edition(period)
    rules = Rules.of_programme(edition.parameters["thresholds"])
    by_mart: dict[str, list[Product]] = {PUBLISHED: [], REFERENCE: []}
    for scheme in schemes_of(edition):
        if scheme.kind == ENTERPRISE:
            continue
        given = pl.concat([plan_scores(scheme, population, period, targets), provided])
        figures = scheme_figures(population, scheme, period, fourth_quarter, given, doubts)
        found = evaluate(scheme, figures.values, figures.subjects)
        if found is not None and int(found.latest.table.year) == period.year:
            product = evaluation_product(found, figures.areas, figures.parts, rules)
            by_mart[REFERENCE if scheme.is_internal else PUBLISHED].append(product)
    return {name: merged(products) for name, products in by_mart.items()} | {
        ENTERPRISES: _enterprises(population, edition, period)
    }


def evaluated_schemes(
    population: Population,
    period: Period,
    fourth_quarter: FourthQuarter,
    targets: Targets,
    provided: pl.DataFrame,
    doubts: pl.DataFrame | None = None,
) -> Mapping[str, Evaluated]:
    """Scheme id → what it says, for the schemes of parks: what the ladder takes its evidence from."""
    found = {}
    for scheme in schemes_of(population.edition(period)):
        if scheme.kind == ENTERPRISE or scheme.is_internal:
            continue
        given = pl.concat([plan_scores(scheme, population, period, targets), provided])
        figures = scheme_figures(population, scheme, period, fourth_quarter, given, doubts)
        if (one := evaluate(scheme, figures.values, figures.subjects)) is not None:
            found[scheme.id] = one
    return found


def plan_scores(scheme: Scheme, population: Population, period: Period, targets: Targets) -> pl.DataFrame:
    """Scores of plan targets and tasks, for the indicators of the scheme whose column asks for them (``PROVIDED_COLUMNS``)."""
    wanted = {leaf.id: leaf.column for leaf in scheme.system.leaves if leaf.column in SCORES}
    frames = [pl.DataFrame(schema=PROVIDED_COLUMNS)]
    years = [y for y in range(period.year - scheme.years + 1, period.year + 1) if population.at(y) is not None]
    for year in years if wanted else ():
        edition = population.edition(Period(year))
        scores = target_scores(targets(Period(year)).cells, edition)
        for indicator, column in wanted.items():
            frames.append(
                scores.filter(pl.col("score") == column).select(
                    scheme=pl.lit(scheme.id), unit=pl.col("area"), year=pl.lit(year, dtype=pl.Int64),
                    indicator=pl.lit(indicator), value="value", basis="basis",
                )
            )  # fmt: skip
    return pl.concat(frames)


def _enterprises(population: Population, edition: Edition, period: Period) -> Product:
    cells = [
        enterprise_cells(
            scheme, population.of(period), environment_for(population.programme, period, edition=edition), edition
        )
        for scheme in schemes_of(edition)
        if scheme.kind == ENTERPRISE
    ]
    body = pl.concat(cells) if cells else pl.DataFrame(schema={"row_key": pl.String})
    return product_of([body], [administrative_parts(body.select("row_key"), "internal")])
