"""Contribution of a year from facts: weighted observations by year, who takes part, and the definition of the edition."""

from __future__ import annotations

from pipelines.methods.area_figures import classified, surveyed
from pipelines.methods.areas import areas_of
from pipelines.methods.contribution import Annual, contribution_figures
from pipelines.methods.contribution_definition import parse_contribution
from pipelines.methods.monitoring import areas_present
from pipelines.methods.monitoring_sides import sub_park_codes
from pipelines.methods.product import Product
from pipelines.population import Population
from pipelines.weights import weighted
from schemas.environment import environment_for
from schemas.period import Period
from schemas.period_data import PeriodData

PUBLISHED = "contribution_figures"


def contribution_marts(population: Population, period: Period) -> dict[str, Product]:
    """The marts of a year; nothing where the edition has no ``contribution.toml``."""
    definition = population.edition(period).contribution
    if definition is None:
        return {}
    return {PUBLISHED: contribution_figures(parse_contribution(definition), annual(population, period))}


def annual(population: Population, period: Period) -> Annual:
    """A year as the method needs it, with the weights and estimates index and innovation tables use too."""
    edition = population.edition(period)
    areas = areas_of(population.programme.codelists["parks"].valid(period.end))
    chosen = areas_present(population.of(period), population.programme)
    labels = {code: f"{i.name}({code})" for code, i in edition.indicators.items()}
    labels |= {code: area.short_name for code, area in areas.items()}
    return Annual(
        _ready(population, period.year),
        lambda year: _ready(population, year) if population.at(year) is not None else None,
        environment_for(population.programme, period, edition=edition),
        areas,
        chosen,
        labels,
    )


def _ready(population: Population, year: int) -> PeriodData:
    period = Period(year)

    def make() -> PeriodData:
        edition = population.edition(period)
        env = environment_for(population.programme, period, edition=edition)
        return classified(surveyed(weighted(population, period)[0], env), env, sub_park_codes(edition))

    return population.once(("contribution", year), make)
