"""Production 加工: the products of a period computed from facts. One way for ``run``, ``publish`` and ``reproduce``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import duckdb

from pipelines.contribution_production import contribution_marts
from pipelines.evaluation_production import Sources, evaluation_marts
from pipelines.imputing_quarters import imputed_values, monitoring_imputations
from pipelines.index_production import index_marts
from pipelines.inputs import Inputs, doubts
from pipelines.methods.clusters import monitoring_clusters
from pipelines.methods.innovation import innovation_tables
from pipelines.methods.monitoring import monitoring_figures
from pipelines.methods.monitoring_diagnosis import monitoring_diagnosis
from pipelines.methods.monitoring_early import monitoring_estimates
from pipelines.methods.monitoring_perimeter import monitoring_perimeter
from pipelines.methods.monitoring_series import monitoring_series
from pipelines.methods.product import Product, composite_parts
from pipelines.methods.projects import listed_units, project_rates, project_risks
from pipelines.methods.response import monitoring_response
from pipelines.methods.revisions import monitoring_revisions
from pipelines.methods.target_breakdown import targets_breakdown
from pipelines.methods.targets import targets_progress, threshold_list
from pipelines.methods.warnings import monitoring_warnings
from pipelines.population import Population
from pipelines.quality import quality_findings
from pipelines.quarter_rounds import priced_round, quarters_back, round_of, warning_rounds
from pipelines.records_comparison import records_reconciliation
from pipelines.weights import weighted, weighted_at
from schemas.marts import MARTS
from schemas.model import Edition
from schemas.period import Period
from warehouse import facts

PRODUCTS = ("monitoring", "index", "evaluation", "innovation", "targets", "projects", "contribution", "quality")
DUE = {"Q": ("monitoring_figures", "monitoring_warnings", "monitoring_response", "monitoring_estimates", "monitoring_series", "monitoring_diagnosis", "monitoring_perimeter", "monitoring_imputations", "monitoring_clusters", "projects_rates", "projects_risks", "quality_findings", "records_reconciliation"),
       "A": ("monitoring_response", "monitoring_revisions", "index_scores", "index_coverage", "innovation_tables", "targets_progress", "targets_breakdown", "targets_lists", "contribution_figures", "evaluation_scores", "evaluation_reference", "evaluation_units", "quality_findings", "records_reconciliation")}  # fmt: skip

DECLARED_BY: Mapping[str, tuple[str, Callable[[Edition], object]]] = {
    "index": ("index/*.toml 的发展指数", lambda e: e.indexes),
    "evaluation": ("index/*.toml 的评价体系", lambda e: e.schemes),
    "innovation": (
        'tables/*.toml 中 product = "innovation" 的表',
        lambda e: [t for t in e.tables if t.product == "innovation"],
    ),
    "targets": ("plans/*.csv", lambda e: e.targets),
    "projects": ("projects.toml", lambda e: e.projects),
    "contribution": ("contribution.toml", lambda e: e.contribution),
}
"""Product → the definitions it needs, and whether an edition has them. Others need no definitions beyond the forms."""

STAND_FOR = (
    "提醒:{} 的年报还没有验收。按制度,未报单位由同行业同规模的其他单位代表(docs/methods/innovation.md),不分园区:"
    "已报园区自己的数也含这部分权数,全部验收后才与其填报一致。"
)
Maker = Callable[[Inputs, Period], dict[str, Product]]


def compute(
    inputs: Inputs,
    period: Period,
    products: Sequence[str] = PRODUCTS,
    progress: Callable[[str], None] = lambda _: None,
    *,
    to_publish: bool = False,
) -> dict[str, Product]:
    """The marts of ``products`` due in ``period``: mart → cells and parts. What is not due is not there.

    ``to_publish`` leaves out the internal ones. A product the edition has no definitions of is left out, too.
    """
    found: dict[str, Product] = {}
    edition = inputs.programme.edition_for(period)
    if period.round == "A" and inputs.population("in_force").has(period) and (silent := inputs.silent_parks(period)):
        progress(STAND_FOR.format("、".join(silent)))
    for name in DUE.get(period.round, ()):
        if MARTS[name].product not in products or name in found or (to_publish and MARTS[name].is_internal):
            continue
        if undeclared(edition, MARTS[name].product):
            continue
        progress(f"计算 {MARTS[name].title}")
        found |= _MAKERS[name](inputs, period)
    return {name: made for name, made in found.items() if not (to_publish and MARTS[name].is_internal)}


def undeclared(edition: Edition, product: str) -> str:
    """What an edition would have to define for a product, empty where it does."""
    file, defined = DECLARED_BY.get(product, ("", lambda _: True))
    return "" if defined(edition) else file


def _monitoring(inputs: Inputs, period: Period) -> dict[str, Product]:
    population, annual = inputs.population("effective"), inputs.population("in_force")
    round_ = priced_round(inputs, population, annual, period)
    return {"monitoring_figures": monitoring_figures(round_, inputs.programme)}


def _warnings(inputs: Inputs, period: Period) -> dict[str, Product]:
    population, annual = inputs.population("effective"), inputs.population("in_force")
    last_year = Period(period.year - 1)
    targets = _progress(inputs, annual, last_year) if annual.has(last_year) else None
    return {
        "monitoring_warnings": monitoring_warnings(
            warning_rounds(inputs, population, annual, period), inputs.programme, targets=targets
        )
    }


def _progress(inputs: Inputs, annual: Population, year: Period) -> Product:
    """Target progress at the end of a year; projects and the task register stand in its fourth quarter."""

    def progress() -> Product:
        data, _ = weighted(annual, year)
        return targets_progress(data, inputs.programme, weighted_at(annual), inputs.fourth_quarter, annual.of(year))

    return annual.once(("targets", year), progress)


def _annual(make: Callable[[Inputs, Population, Period], dict[str, Product]]) -> Maker:
    """A product of a year's accepted reports: nothing where there are none."""

    def made(inputs: Inputs, period: Period) -> dict[str, Product]:
        population = inputs.population("in_force")
        return make(inputs, population, period) if population.has(period) else {}

    return made


def _index(inputs: Inputs, population: Population, period: Period) -> dict[str, Product]:
    return index_marts(population, inputs.programme, period)


def _innovation(inputs: Inputs, population: Population, period: Period) -> dict[str, Product]:
    data, strata = weighted(population, period)
    return {"innovation_tables": innovation_tables(data, inputs.programme, strata=strata).product}


def _targets(inputs: Inputs, population: Population, period: Period) -> dict[str, Product]:
    return {"targets_progress": _progress(inputs, population, period)}


def _evaluation(inputs: Inputs, population: Population, period: Period) -> dict[str, Product]:
    return evaluation_marts(population, period, evaluation_sources(inputs, population))


def evaluation_sources(inputs: Inputs, annual: Population) -> Sources:
    """What an evaluation asks besides annual facts."""
    targets = partial(_progress, inputs, annual)
    return Sources(inputs.fourth_quarter, targets, inputs.provided, doubts(inputs))


def _breakdown(inputs: Inputs, population: Population, period: Period) -> dict[str, Product]:
    found = targets_breakdown(
        weighted(population, period)[0], inputs.programme, weighted_at(population), inputs.fourth_quarter
    )
    return {"targets_breakdown": found}


def _lists(inputs: Inputs, population: Population, period: Period) -> dict[str, Product]:
    data = population.of(period)
    found = threshold_list(data, inputs.programme, inputs.fourth_quarter(period.year))
    return {"targets_lists": listed_units(found, inputs.programme, data)}


def _projects(inputs: Inputs, period: Period) -> dict[str, Product]:
    data = inputs.population("effective").of(period)
    rates, risks = project_rates(data, inputs.programme), project_risks(data, inputs.programme)
    return {"projects_rates": rates, "projects_risks": risks}


def _contribution(_inputs: Inputs, population: Population, period: Period) -> dict[str, Product]:
    return contribution_marts(population, period)


def _response(inputs: Inputs, period: Period) -> dict[str, Product]:
    standing = [s for s in inputs.submissions if s.period == period]
    data = inputs.population("effective").bare(period)  # who answered, of this period alone
    return {
        "monitoring_response": monitoring_response(data, inputs.programme, standing, inputs.deadlines.get(str(period)))
    }


def _estimates(inputs: Inputs, period: Period) -> dict[str, Product]:
    return {"monitoring_estimates": monitoring_estimates(quarters_back(inputs, period), inputs.programme)}


def _series(inputs: Inputs, period: Period) -> dict[str, Product]:
    return {"monitoring_series": monitoring_series(quarters_back(inputs, period), inputs.programme)}


def _diagnosis(inputs: Inputs, period: Period) -> dict[str, Product]:
    round_ = round_of(inputs, inputs.population("effective"), period, with_imputed=False)
    return {"monitoring_diagnosis": monitoring_diagnosis(round_, inputs.programme)}


def _perimeter(inputs: Inputs, period: Period) -> dict[str, Product]:
    population, annual = inputs.population("effective"), inputs.population("in_force")
    return {
        "monitoring_perimeter": monitoring_perimeter(priced_round(inputs, population, annual, period), inputs.programme)
    }


def _imputations(inputs: Inputs, period: Period) -> dict[str, Product]:
    found = monitoring_imputations(imputed_values(inputs, period), inputs.programme, period)
    return {"monitoring_imputations": found}


def _clusters(inputs: Inputs, period: Period) -> dict[str, Product]:
    return {"monitoring_clusters": monitoring_clusters(inputs.population("effective").of(period), inputs.programme)}


def _revisions(inputs: Inputs, population: Population, period: Period) -> dict[str, Product]:
    effective, quarter = inputs.population("effective"), period.fourth_quarter()
    if not effective.has(quarter):
        return {}
    return {
        "monitoring_revisions": monitoring_revisions(population.bare(period), effective.bare(quarter), inputs.programme)
    }


def _quality(inputs: Inputs, period: Period) -> dict[str, Product]:
    cells = quality_findings(inputs.programme, period, {s.number: s for s in inputs.submissions}, inputs.findings)
    return {"quality_findings": Product(cells, composite_parts(cells))}


def _records(inputs: Inputs, period: Period) -> dict[str, Product]:
    found = records_reconciliation(inputs.records, inputs.population("effective"), period)
    return {"records_reconciliation": found}


_MAKERS: dict[str, Maker] = {
    "monitoring_figures": _monitoring,
    "monitoring_warnings": _warnings,
    "monitoring_response": _response,
    "monitoring_revisions": _annual(_revisions),
    "monitoring_estimates": _estimates,
    "monitoring_series": _series,
    "monitoring_diagnosis": _diagnosis,
    "monitoring_perimeter": _perimeter,
    "monitoring_imputations": _imputations,
    "monitoring_clusters": _clusters,
    "index_scores": _annual(_index),
    "index_coverage": lambda _inputs, _period: {},
    "innovation_tables": _annual(_innovation),
    "targets_progress": _annual(_targets),
    "targets_breakdown": _annual(_breakdown),
    "targets_lists": _annual(_lists),
    "projects_rates": _projects,
    "projects_risks": _projects,
    "contribution_figures": _annual(_contribution),
    "evaluation_scores": _annual(_evaluation),
    "evaluation_reference": lambda _inputs, _period: {},
    "evaluation_units": lambda _inputs, _period: {},
    "quality_findings": _quality,
    "records_reconciliation": _records,
}


def store(con: duckdb.DuckDBPyConnection, period: Period, found: Mapping[str, Product]) -> None:
    """Keep computed marts in ``mart``, cells and parts apart."""
    for name, product in found.items():
        facts.write_mart(con, "mart", name, product.cells, str(period))
        facts.write_mart(con, "mart", f"{name}_parts", product.parts, str(period))
