"""Production 加工: the products of a period computed from facts. One way for ``run``, ``publish`` and ``reproduce``."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

import duckdb
import polars as pl
from sqlalchemy.orm import Session

from pipelines.contribution_production import contribution_marts
from pipelines.evaluation_production import Sources, evaluation_marts
from pipelines.evaluation_values import PROVIDED_COLUMNS
from pipelines.index_values import index_values
from pipelines.intake import Office, observations_of
from pipelines.loading import LOADED_STATES, warehouse_row
from pipelines.methods.areas import Area, areas_of
from pipelines.methods.evaluation_doubts import DOUBT_COLUMNS, LATE, SOFT
from pipelines.methods.index.cells import coverage_cells, score_cells
from pipelines.methods.index.chain_uncertainty import interval_cells
from pipelines.methods.index.development import AreaChain, development_chains
from pipelines.methods.innovation import innovation_tables
from pipelines.methods.monitoring import areas_present, monitoring_figures
from pipelines.methods.monitoring_diagnosis import monitoring_diagnosis
from pipelines.methods.monitoring_early import monitoring_estimates, parameters_of
from pipelines.methods.monitoring_series import monitoring_series
from pipelines.methods.monitoring_sides import MonitoringRound
from pipelines.methods.product import Product
from pipelines.methods.projects import listed_units, project_rates, project_risks
from pipelines.methods.response import monitoring_response
from pipelines.methods.revisions import monitoring_revisions
from pipelines.methods.target_breakdown import targets_breakdown
from pipelines.methods.targets import targets_progress, threshold_list
from pipelines.methods.warning_levels import Parameters
from pipelines.methods.warnings import monitoring_warnings
from pipelines.population import Population
from pipelines.quality import quality_findings
from pipelines.weights import weighted
from schemas.findings import NEEDS_EXPLANATION
from schemas.marts import MARTS, PART_COLUMNS, conform
from schemas.model import IndexSystem, Programme
from schemas.period import Period
from schemas.period_data import PeriodData
from warehouse import facts
from warehouse.facts import SubmissionRow
from warehouse.ledger.answers import answer_statuses
from warehouse.ledger.evaluations import last_figure, provided_figures
from warehouse.ledger.periods import rounds
from warehouse.ledger.register import registers_as_of
from warehouse.ledger.releases import releases
from warehouse.ledger.states import State
from warehouse.ledger.submissions import Submission, submissions
from warehouse.vault import Vault

PRODUCTS = ("monitoring", "index", "evaluation", "innovation", "targets", "projects", "contribution", "quality")
DUE = {"Q": ("monitoring_figures", "monitoring_warnings", "monitoring_response", "monitoring_estimates", "monitoring_series", "monitoring_diagnosis", "projects_rates", "projects_risks", "quality_findings"),
       "A": ("monitoring_response", "monitoring_revisions", "index_scores", "index_coverage", "innovation_tables", "targets_progress", "targets_breakdown", "targets_lists", "contribution_figures", "evaluation_scores", "evaluation_reference", "evaluation_units", "quality_findings")}  # fmt: skip


@dataclass
class Inputs:
    """What products are computed from, and nothing else: loaded facts, the register by period, findings by submission."""

    con: duckdb.DuckDBPyConnection
    programme: Programme
    register: Mapping[str, pl.DataFrame]
    findings: Mapping[str, pl.DataFrame]
    submissions: tuple[Submission, ...] = ()
    deadlines: Mapping[str, Mapping[str, datetime]] = field(default_factory=dict)
    released_at: Mapping[str, datetime] = field(default_factory=dict)
    provided: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=PROVIDED_COLUMNS))
    provided_through: int = 0
    _populations: dict[tuple[str, datetime | None], Population] = field(default_factory=dict, repr=False)

    def population(self, source: str, as_of: datetime | None = None) -> Population:
        """Facts of ``source`` (``in_force`` or ``effective``), shared by the products of one run."""
        key = (source, as_of)
        if key not in self._populations:
            self._populations[key] = Population(self.con, self.programme, source, as_of, self._register)
        return self._populations[key]

    def _register(self, period: Period) -> pl.DataFrame:
        return self.register.get(
            str(period),
            pl.DataFrame(schema={"unit_id": pl.String, "park": pl.String, "sub_park": pl.String, "status": pl.Int64}),
        )


def register_frames(session: Session, periods: Iterable[Period]) -> dict[str, pl.DataFrame]:
    """Period → register at its end with the answer status that counts: unit_id, park, sub_park, status, B codes."""
    found = {}
    wanted = list(periods)
    registers = registers_as_of(session, [period.end for period in wanted])
    for period in wanted:
        statuses = answer_statuses(session, period).select("unit_id", "status")
        found[str(period)] = registers[period.end].join(statuses, on="unit_id", how="left", maintain_order="left")
    return found


def live_inputs(office: Office, con: duckdb.DuckDBPyConnection) -> Inputs:
    """Inputs from the ledger as it stands and the loaded warehouse."""
    with office.ledger.read() as session:
        standing = tuple(s for s in submissions(session) if s.state in LOADED_STATES and s.check)
        register = register_frames(session, sorted({s.period for s in standing}, key=str))
        deadlines = {
            str(p): {s.park: r.deadline_of(s.park) for s in standing if s.period == p}
            for p, r in rounds(session).items()
        }
        released = {str(r.period): r.released_at for r in releases(session) if not r.is_withdrawn}
        provided, through = provided_figures(session), last_figure(session)
    findings = {s.number: _findings(office.vault, s) for s in standing}
    kept = {p: d for p, d in deadlines.items() if d}
    return Inputs(con, office.programme, register, findings, standing, kept, released, provided, through)


def _findings(vault: Vault, submission: Submission) -> pl.DataFrame:
    assert submission.check is not None and submission.check.findings_blob is not None
    return pl.read_ipc(io.BytesIO(vault.read(submission.check.findings_blob)))


def compute(
    inputs: Inputs,
    period: Period,
    products: Sequence[str] = PRODUCTS,
    progress: Callable[[str], None] = lambda _: None,
    *,
    to_publish: bool = False,
) -> dict[str, Product]:
    """The marts of ``products`` due in ``period``: mart → cells and parts. What is not due is not there.

    ``to_publish`` leaves out the internal ones.
    """
    found: dict[str, Product] = {}
    for name in DUE.get(period.round, ()):
        if MARTS[name].product not in products or name in found or (to_publish and MARTS[name].is_internal):
            continue
        progress(f"计算 {MARTS[name].title}")
        found |= _MAKERS[name](inputs, period)
    return {name: made for name, made in found.items() if not (to_publish and MARTS[name].is_internal)}


def _monitoring(inputs: Inputs, period: Period) -> dict[str, Product]:
    population = inputs.population("effective")
    round_ = _round(inputs, population, period)
    return {"monitoring_figures": monitoring_figures(round_, inputs.programme)}


def _round(inputs: Inputs, population: Population, period: Period) -> MonitoringRound:
    """The round of a quarter: other periods as they stand now, and as they stood when they were last released.

    A period that was not released, or was released on reports of parks since accepted in another state, stands for itself:
    a correction is only shown against figures that were published.
    """

    def there(other: Period | None) -> PeriodData | None:
        return population.of(other) if other is not None and population.has(other) else None

    def as_published(other: Period | None) -> PeriodData | None:
        now = there(other)
        at = inputs.released_at.get(str(other))
        if now is None or at is None or other is None:
            return now
        then = inputs.population("in_force", at)
        same = then.has(other) and set(then.of(other).parks.filter("filed")["park"]) == set(
            now.parks.filter("filed")["park"]
        )
        return then.of(other) if same else now

    previous, earlier = period.previous(), period.year_earlier()
    return MonitoringRound(
        population.of(period), there(previous), as_published(previous), there(earlier), as_published(earlier)
    )


def _warnings(inputs: Inputs, period: Period) -> dict[str, Product]:
    population, annual = inputs.population("effective"), inputs.population("in_force")
    last_year = Period(period.year - 1)
    targets = _progress(inputs, annual, last_year) if annual.has(last_year) else None
    return {
        "monitoring_warnings": monitoring_warnings(
            population_rounds(inputs, population, annual, period), inputs.programme, targets=targets
        )
    }


def _progress(inputs: Inputs, annual: Population, year: Period) -> Product:
    """Target progress at the end of a year; projects and the task register stand in its fourth quarter."""
    quarters = inputs.population("effective")

    def fourth_quarter(of: int) -> PeriodData | None:
        period = Period(of, 4)
        return quarters.bare(period) if quarters.has(period) else None

    def progress() -> Product:
        return targets_progress(annual.of(year), inputs.programme, annual.at, fourth_quarter)

    return annual.once(("targets", year), progress)


def population_rounds(
    inputs: Inputs, population: Population, annual: Population, period: Period
) -> Mapping[str, MonitoringRound]:
    """The rounds warnings look at: this quarter and the ones before, as far back as they are on file without a gap."""

    def round_of(quarter: Period) -> MonitoringRound:
        """Price indices are annual: once they are on file they deflate the fourth quarter, whose figures are the year's."""
        round_, year = _round(inputs, population, quarter), Period(quarter.year)
        if quarter.quarter != 4 or not annual.has(year):
            return round_
        return replace(round_, now=replace(round_.now, context=annual.bare(year).context))

    found = [period]
    warnings = population.edition(period).warnings
    longest = 1 + max((Parameters.of(w.definition).history_quarters for w in warnings), default=0)
    while len(found) < longest:
        before = found[-1].previous() or Period(found[-1].year - 1, 4)
        if not population.has(before):
            break
        found.append(before)
    return _Rounds({str(p): partial(round_of, p) for p in found})


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


@dataclass(frozen=True)
class IndexChains:
    """The development index of a year: the chain of every area, with the system, the areas and the parts of the values."""

    chains: Sequence[AreaChain]
    system: IndexSystem
    areas: Mapping[str, Area]
    parts: pl.DataFrame


def index_chains(population: Population, programme: Programme, period: Period) -> IndexChains:
    """The chains of every area that takes part up to the year of ``period``, with those of its sub-parks."""
    system = population.edition(period).indexes["development"]
    areas = areas_of(programme.codelists["parks"].valid(period.end))
    chosen = areas_present(population.of(period), programme)
    chosen += [a.code for a in areas.values() if a.is_sub_park and a.zone in chosen]
    values, parts = index_values(population, system, areas, chosen, period.year)
    subs = {a.code for a in areas.values() if a.is_sub_park}
    splice = {s: areas[s].zone for s in subs if s in chosen}
    return IndexChains(development_chains(values, system, sub_parks=subs, splice=splice), system, areas, parts)


def _index(inputs: Inputs, period: Period) -> dict[str, Product]:
    population = inputs.population("in_force")
    if not population.has(period):
        return {}
    found = index_chains(population, inputs.programme, period)
    chains, system, areas, parts = found.chains, found.system, found.areas, found.parts
    names = {a.code: a.short_name or a.name for a in areas.values()}
    scores = pl.concat(
        [score_cells(chains, system, names), interval_cells(chains, system, names)], how="diagonal_relaxed"
    )
    scores, coverage = conform(scores), coverage_cells(chains, system, names)
    return {
        "index_scores": Product(scores, _index_parts(scores, parts)),
        "index_coverage": Product(coverage, composite_parts(coverage)),
    }


def composite_parts(cells: pl.DataFrame) -> pl.DataFrame:
    """Parts for figures no unit's figure can be read from (weights, counts of rules, composite indices)."""
    return cells.select(
        "row_key", part=pl.lit("composite"), role=pl.lit("level"), n=pl.lit(None, dtype=pl.Int64), max1=pl.lit(None, dtype=pl.Float64),
        max2=pl.lit(None, dtype=pl.Float64), total=pl.lit(None, dtype=pl.Float64), administrative=pl.lit(True),
    ).select(pl.col(c).cast(t) for c, t in PART_COLUMNS.items())  # fmt: skip


TWO_YEARS = ("growth", "growth_uncapped", "contribution", "index")


def _index_parts(cells: pl.DataFrame, parts: pl.DataFrame) -> pl.DataFrame:
    """An indicator's value carries the parts of its year; growth, contribution and level those of the year before too."""
    if parts.is_empty():
        return composite_parts(cells)
    keyed = cells.select("row_key", "area", "indicator", "measure", year=pl.col("period").cast(pl.Int64, strict=False))
    own = keyed.join(parts, on=["area", "indicator", "year"], how="inner")
    before = (
        keyed.filter(pl.col("measure").is_in(TWO_YEARS))
        .with_columns(pl.col("year") - 1)
        .join(parts, on=["area", "indicator", "year"], how="inner")
        .with_columns(role=pl.lit("base"))
    )
    found = pl.concat([f.select(pl.col(c).cast(t) for c, t in PART_COLUMNS.items()) for f in (own, before)])
    rest = composite_parts(cells.join(found.select("row_key").unique(), on="row_key", how="anti"))
    return pl.concat([found, rest]).unique().sort("row_key", "role", "part")


def _innovation(inputs: Inputs, period: Period) -> dict[str, Product]:
    population = inputs.population("in_force")
    if not population.has(period):
        return {}
    data, strata = weighted(population, period)
    return {"innovation_tables": innovation_tables(data, inputs.programme, strata=strata).product}


def _targets(inputs: Inputs, period: Period) -> dict[str, Product]:
    population = inputs.population("in_force")
    return {"targets_progress": _progress(inputs, population, period)} if population.has(period) else {}


def _evaluation(inputs: Inputs, period: Period) -> dict[str, Product]:
    population = inputs.population("in_force")
    if not population.has(period):
        return {}
    return evaluation_marts(population, period, evaluation_sources(inputs, population))


def doubts(inputs: Inputs) -> pl.DataFrame:
    """What is doubtful in the annual reports in force: soft findings that were explained, reports after the deadline."""
    frames = [pl.DataFrame(schema=DOUBT_COLUMNS)]
    first: dict[tuple[str, Period], datetime] = {}
    for one in inputs.submissions:
        key = (one.park, one.period)
        first[key] = min(first.get(key, one.received_at), one.received_at)
    for one in inputs.submissions:
        if one.period.round != "A" or one.state is not State.ACCEPTED:
            continue
        of = {"park": pl.lit(one.park), "year": pl.lit(one.period.year, dtype=pl.Int64)}
        findings = inputs.findings[one.number].filter(NEEDS_EXPLANATION)
        code = pl.col("column").fill_null("").str.strip_suffix("_yoy")
        frames.append(findings.select(**of, unit_id=pl.col("unit_id").fill_null(""), code=code, kind=pl.lit(SOFT)))
        closed = inputs.deadlines.get(str(one.period), {}).get(one.park)
        if closed is not None and first[one.park, one.period] > closed:
            row = (one.park, one.period.year, "", "", LATE)
            frames.append(pl.DataFrame([row], schema=DOUBT_COLUMNS, orient="row"))
    return pl.concat(frames)


def evaluation_sources(inputs: Inputs, annual: Population) -> Sources:
    """What an evaluation asks besides annual facts."""
    quarters = inputs.population("effective")

    def fourth_quarter(year: int) -> PeriodData | None:
        period = Period(year, 4)
        return quarters.bare(period) if quarters.has(period) else None

    return Sources(fourth_quarter, lambda year: _progress(inputs, annual, year), inputs.provided, doubts(inputs))


def _breakdown(inputs: Inputs, period: Period) -> dict[str, Product]:
    population, quarters = inputs.population("in_force"), inputs.population("effective")
    if not population.has(period):
        return {}

    def fourth_quarter(of: int) -> PeriodData | None:
        return quarters.bare(Period(of, 4)) if quarters.has(Period(of, 4)) else None

    found = targets_breakdown(population.of(period), inputs.programme, population.at, fourth_quarter)
    return {"targets_breakdown": found}


def _lists(inputs: Inputs, period: Period) -> dict[str, Product]:
    population, quarters, quarter = (
        inputs.population("in_force"),
        inputs.population("effective"),
        Period(period.year, 4),
    )
    if not population.has(period):
        return {}
    data = population.of(period)
    found = threshold_list(data, inputs.programme, quarters.bare(quarter) if quarters.has(quarter) else None)
    return {"targets_lists": listed_units(found, inputs.programme, data)}


def _projects(inputs: Inputs, period: Period) -> dict[str, Product]:
    data = inputs.population("effective").of(period)
    rates, risks = project_rates(data, inputs.programme), project_risks(data, inputs.programme)
    return {"projects_rates": rates, "projects_risks": risks}


def _contribution(inputs: Inputs, period: Period) -> dict[str, Product]:
    population = inputs.population("in_force")
    return contribution_marts(population, period) if population.has(period) else {}


def _response(inputs: Inputs, period: Period) -> dict[str, Product]:
    standing = [s for s in inputs.submissions if s.period == period]
    data = inputs.population("effective").bare(period)  # who answered, of this period alone
    return {
        "monitoring_response": monitoring_response(data, inputs.programme, standing, inputs.deadlines.get(str(period)))
    }


def _quarters_back(inputs: Inputs, period: Period) -> Iterator[PeriodData]:
    """This quarter and those before it that are on file, one at a time; a gap does not end the search."""
    population, at = inputs.population("effective"), period
    for _ in range(parameters_of(population.edition(period))[2] + 1):
        try:
            found = population.bare(at) if population.has(at) else None
        except LookupError:  # before the first edition of the programme
            return
        if found is not None:
            yield found
        at = at.previous() or Period(at.year - 1, 4)


def _estimates(inputs: Inputs, period: Period) -> dict[str, Product]:
    return {"monitoring_estimates": monitoring_estimates(_quarters_back(inputs, period), inputs.programme)}


def _series(inputs: Inputs, period: Period) -> dict[str, Product]:
    return {"monitoring_series": monitoring_series(_quarters_back(inputs, period), inputs.programme)}


def _diagnosis(inputs: Inputs, period: Period) -> dict[str, Product]:
    round_ = _round(inputs, inputs.population("effective"), period)
    return {"monitoring_diagnosis": monitoring_diagnosis(round_, inputs.programme)}


def _revisions(inputs: Inputs, period: Period) -> dict[str, Product]:
    population = inputs.population("in_force")
    quarter = period.fourth_quarter()
    effective = inputs.population("effective")
    if not (population.has(period) and effective.has(quarter)):
        return {}
    return {
        "monitoring_revisions": monitoring_revisions(population.of(period), effective.of(quarter), inputs.programme)
    }


def _quality(inputs: Inputs, period: Period) -> dict[str, Product]:
    cells = quality_findings(inputs.programme, period, {s.number: s for s in inputs.submissions}, inputs.findings)
    return {"quality_findings": Product(cells, composite_parts(cells))}


_MAKERS: dict[str, Callable[[Inputs, Period], dict[str, Product]]] = {
    "monitoring_figures": _monitoring,
    "monitoring_warnings": _warnings,
    "monitoring_response": _response,
    "monitoring_revisions": _revisions,
    "monitoring_estimates": _estimates,
    "monitoring_series": _series,
    "monitoring_diagnosis": _diagnosis,
    "index_scores": _index,
    "index_coverage": lambda _inputs, _period: {},
    "innovation_tables": _innovation,
    "targets_progress": _targets,
    "targets_breakdown": _breakdown,
    "targets_lists": _lists,
    "projects_rates": _projects,
    "projects_risks": _projects,
    "contribution_figures": _contribution,
    "evaluation_scores": _evaluation,
    "evaluation_reference": lambda _inputs, _period: {},
    "evaluation_units": lambda _inputs, _period: {},
    "quality_findings": _quality,
}


def load_listed(office: Office, con: duckdb.DuckDBPyConnection, listed: Iterable[Submission]) -> None:
    """Load just these submissions into an empty warehouse, in the states they are given with."""
    facts.create(con, office.programme)
    rows = []
    with office.ledger.read() as session, facts.transaction(con):
        for submission in listed:
            row = _row_as_given(warehouse_row(session, submission), submission)
            rows.append(row)
            stages = ["submitted"] + (["accepted"] if row.accepted_from is not None else [])
            facts.load(con, office.programme, row, observations_of(office.vault, submission), stages)
        facts.replace_submissions(con, rows)


def _row_as_given(row: SubmissionRow, given: Submission) -> SubmissionRow:
    """The row in the state the submission is given with, whatever became of it later."""
    match given.state:
        case State.ACCEPTED:
            return replace(
                row, state=given.state.value, accepted_from=row.accepted_from or given.state_at, accepted_to=None
            )
        case State.SUPERSEDED:
            return replace(row, state=given.state.value)
    return replace(row, state=given.state.value, accepted_from=None, accepted_to=None)


def store(con: duckdb.DuckDBPyConnection, period: Period, found: Mapping[str, Product]) -> None:
    """Keep computed marts in ``mart``, cells and parts apart."""
    for name, product in found.items():
        facts.write_mart(con, "mart", name, product.cells, str(period))
        facts.write_mart(con, "mart", f"{name}_parts", product.parts, str(period))
