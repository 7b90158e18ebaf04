"""Quarterly monitoring 季度监测: every additive indicator of the quarterly forms, and the programme's ratios.

By area, zone, sub-park, industry section, manufacturing division and size. No indicator is named here: the forms say what
is additive and asked every quarter, ``tables/monitoring.toml`` which breakdowns and ratios are published.
Source: survey_system.md 8.6, index_system.md 5; documented in docs/methods/monitoring.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import polars as pl

from pipelines.methods.area_figures import BREAKDOWNS, TOTAL, area_figures, classified, surveyed
from pipelines.methods.areas import Area, areas_of, lookups
from pipelines.methods.monitoring_imputation import ImputationRules
from pipelines.methods.monitoring_measures import (
    BESIDE,
    MEASURES,
    NO_PRICES,
    Frame,
    cells_of_indicators,
)
from pipelines.methods.monitoring_names import names_of
from pipelines.methods.monitoring_parts import parts_of_indicators
from pipelines.methods.monitoring_ratios import ratio_product
from pipelines.methods.monitoring_sides import (
    MonitoringRound,
    additive_indicators,
    portions_of,
    sides_of,
    sub_park_codes,
)
from pipelines.methods.monitoring_terms import estimated_cells, joined, silent_cells, terms_of
from pipelines.methods.product import Product, product_of
from schemas.environment import Environment, environment_for
from schemas.errors import RefusalError
from schemas.model import Edition, Programme
from schemas.period_data import PARK, PeriodData

PRODUCT: Final = "monitoring"
DEFAULT_COVERAGE: Final = 0.7


def monitoring_figures(
    round_: MonitoringRound, programme: Programme, areas_wanted: Sequence[str] | None = None
) -> Product:
    """Cells and parts of the mart ``monitoring_figures`` for one quarter.

    ``areas_wanted``: codes of areas and zones; without them, those with a member park in the observations. Quarterly
    figures are preliminary (status P), with estimates E. Raises DefinitionError for a definition that cannot be computed,
    RefusalError where there is nothing to compute from.
    """
    period = round_.now.period
    edition = programme.edition_for(period)
    areas = areas_of(programme.codelists["parks"].valid(period.end))
    env = replace(environment_for(programme, period), areas=lookups(areas.values()))
    chosen = list(areas_wanted) if areas_wanted is not None else areas_present(round_.now, programme)
    rosters = additive_indicators(edition)
    indicators = [i for found in rosters.values() for i in found]
    published = measures_by_breakdown(edition)
    others: set[str] = set()
    portions, weighted = [], False
    for portion in portions_of(round_.now, edition):
        sides = sides_of(round_, edition, env, portion)
        own = [i for found in portion.values() for i in found]
        if sides.units.height or any(f.height for f in sides.others.values()):
            portions.append(terms_of(sides, own, areas, chosen, list(published)))
        others |= sides.others.keys()
        weighted |= sides.weighted
    if not portions:
        raise RefusalError(f"{period} 没有任何单位的数据,算不出监测指标。请先接收本期的报送,或换报告期。")
    terms = joined(portions)
    frame = Frame(
        first_quarter=period.previous() is None,
        has_previous="previous" in others,
        has_previous_published="printed" in others,
        has_year_earlier=round_.year_earlier is not None,
        has_year_earlier_published="published" in others,
        weighted=weighted,
        coverage_minimum=coverage_minimum(edition),
        most_imputed=ImputationRules.of(edition).most_imputed,
        sheet_codes=frozenset(i.code for i in rosters.get(PARK, ())),
    )
    shown = pl.DataFrame(
        [(b, m) for b, measures in published.items() for m in measures], schema=["breakdown", "measure"], orient="row"
    )
    prices = price_levels(round_.now, edition, areas, chosen, env)
    cells = cells_of_indicators(terms, indicators, frame, str(period), prices).join(
        shown, on=["breakdown", "measure"], how="semi"
    )
    parts = [parts_of_indicators(cells, terms, frame)]
    ready = classified(surveyed(round_.now, env), env, sub_park_codes(edition))
    estimated = estimated_cells(terms, frame.most_imputed, weighted=frame.weighted)
    silent = silent_cells(terms)
    tables = [cells]
    for table in edition.tables:
        if table.product == PRODUCT and table.columns:
            more, behind = ratio_product(table, ready, areas, chosen, env, frame.coverage_minimum, estimated, silent)
            tables.append(more)
            parts.append(behind)
    names = names_of(programme, edition, areas, period)
    return product_of([names.named(t) for t in tables], parts)


def price_levels(
    data: PeriodData, edition: Edition, areas: Mapping[str, Area], chosen: Sequence[str], env: Environment
) -> pl.DataFrame:
    """Price level against last year (1 = unchanged) by area, total or zone, and indicator of ``[constant_prices]``; nothing where the
    context has no index. An index of the area counts, else of its city or province (``Environment.areas``)."""
    deflators: Mapping[str, str] = edition.parameters.get("constant_prices", {})
    if not deflators or data.context.is_empty():
        return NO_PRICES
    found = area_figures({c: c for c in sorted(set(deflators.values()))}, data, areas, chosen, ["total"], env).values
    tables = [NO_PRICES]
    for code, deflator in deflators.items():
        known = found.filter(pl.col(deflator) > 0).select(
            "area", indicator=pl.lit(code), price=pl.col(deflator) / 100, deflator=pl.lit(deflator)
        )
        total = known.with_columns(breakdown=pl.lit("total"), category=pl.lit(TOTAL))
        zones = [
            total.filter(area=zone).with_columns(area=pl.lit(area), breakdown=pl.lit("zone"), category=pl.lit(zone))
            for area in chosen
            if areas[area].kind == "area"
            for zone in areas[area].zones
        ]
        tables += [t.select(NO_PRICES.columns) for t in (total, *zones)]
    return pl.concat(tables)


def measures_by_breakdown(edition: Edition) -> dict[str, tuple[str, ...]]:
    """Breakdown → the measures published of it, from the monitoring tables without columns of their own.

    A table that names no ``measures`` publishes all; without any such table every breakdown has every measure. What says how much
    is imputed always stands beside.
    """
    found = {
        row: tuple(dict.fromkeys((*table.definition.get("measures", MEASURES), *BESIDE)))
        for table in edition.tables
        if table.product == PRODUCT and not table.columns
        for row in table.rows
    }
    return found or {name: tuple(MEASURES) for name in BREAKDOWNS}


def coverage_minimum(edition: Edition) -> float:
    """Least share of the denominator that comparable units must hold (``thresholds.same_unit_coverage``)."""
    return float(edition.parameters.get("thresholds", {}).get("same_unit_coverage", DEFAULT_COVERAGE))


def areas_present(data: PeriodData, programme: Programme) -> list[str]:
    """The areas and zones that take part in the round, in register order: a zone that filed or has units to answer.

    Without a column ``filed`` every park of the observations takes part.
    """
    areas = areas_of(programme.codelists["parks"].valid(data.period.end))
    filed = data.parks.filter("filed") if "filed" in data.parks.columns else data.parks
    parks = set(filed["park"].to_list())
    for roster in data.rosters.values():
        parks |= set(roster["park"].unique().to_list())
    return [a.code for a in areas.values() if a.kind in ("area", "zone") and parks & set(a.zones)]
