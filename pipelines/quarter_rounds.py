"""The quarters a product looks at 监测的各季: one with its neighbours, and those before it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial

import polars as pl

from pipelines.imputing_quarters import imputed_quarter
from pipelines.inputs import Inputs
from pipelines.methods.monitoring_early import parameters_of
from pipelines.methods.monitoring_imputation import nothing_imputed
from pipelines.methods.monitoring_sides import MonitoringRound
from pipelines.methods.warning_levels import Parameters
from pipelines.population import Population
from schemas.period import Period
from schemas.period_data import PeriodData


def round_of(inputs: Inputs, population: Population, period: Period, *, with_imputed: bool = True) -> MonitoringRound:
    """The round of a quarter: other periods as they stand now, and as they stood when they were last released.

    ``with_imputed``: units without an answer are put in as the edition says, in this quarter, the one before, and what was
    published; the base of matched growth stays what was accepted.

    A period that was not released, or was released on reports of parks since accepted in another state, stands for itself:
    a correction is only shown against figures that were published.
    """

    def figures(of: Population, at: Period) -> PeriodData:
        return imputed_quarter(of, at)[0] if with_imputed else of.of(at)

    def there(other: Period | None) -> PeriodData | None:
        return figures(population, other) if other is not None and population.has(other) else None

    def as_published(other: Period | None) -> PeriodData | None:
        now = there(other)
        at = inputs.released_at.get(str(other))
        if now is None or at is None or other is None:
            return now
        then = inputs.population("in_force", at)
        same = then.has(other) and set(then.of(other).parks.filter("filed")["park"]) == set(
            now.parks.filter("filed")["park"]
        )
        return figures(then, other) if same else now

    previous, earlier = period.previous(), period.year_earlier()
    accepted = population.of(earlier) if population.has(earlier) else None
    found = imputed_quarter(population, period)[1] if with_imputed else nothing_imputed()
    return MonitoringRound(
        figures(population, period), there(previous), as_published(previous), accepted, as_published(earlier),
        found.filter(pl.col("value").is_not_null()).select("unit_id", "indicator", "method"),
        inputs.successions,
    )  # fmt: skip


def priced_round(inputs: Inputs, population: Population, annual: Population, quarter: Period) -> MonitoringRound:
    """The round with the year's context figures at its fourth quarter: price indices are annual, and so are that quarter's figures."""
    round_, year = round_of(inputs, population, quarter), Period(quarter.year)
    if quarter.quarter != 4 or not annual.has(year):
        return round_
    return replace(round_, now=replace(round_.now, context=annual.bare(year).context))


def warning_rounds(
    inputs: Inputs, population: Population, annual: Population, period: Period
) -> Mapping[str, MonitoringRound]:
    """The rounds warnings look at: this quarter and the ones before, as far back as they are on file without a gap."""

    found = [period]
    warnings = population.edition(period).warnings
    longest = 1 + max((Parameters.of(w.definition).history_quarters for w in warnings), default=0)
    while len(found) < longest:
        before = found[-1].previous() or Period(found[-1].year - 1, 4)
        if not population.has(before):
            break
        found.append(before)
    return _Rounds({str(p): partial(priced_round, inputs, population, annual, p) for p in found})


class _Rounds(Mapping[str, MonitoringRound]):
    """Rounds put together when they are asked for: two years of quarters at once need not fit into memory."""

    def __init__(self, make: Mapping[str, Callable[[], MonitoringRound]]) -> None:
        self._make = make

    def __getitem__(self, period: str) -> MonitoringRound:
        return self._make[period]()

    def __iter__(self) -> Iterator[str]:
        return iter(self._make)

    def __len__(self) -> int:
        return len(self._make)

    def __contains__(self, period: object) -> bool:
        return period in self._make


def quarters_back(inputs: Inputs, period: Period) -> Iterator[PeriodData]:
    """This quarter and those before it that are on file, one at a time; a gap does not end the search."""
    population, at = inputs.population("effective"), period
    _, _, quarters = parameters_of(population.edition(period))
    for _ in range(quarters + 1):
        if population.has(at):
            yield population.bare(at)
        at = at.previous() or Period(at.year - 1, 4)
