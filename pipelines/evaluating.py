"""Evaluation as a use case: evidence and proposals of a year, provided figures and goalposts. The machine moves nobody: see ladder_decisions."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
from sqlalchemy.orm import Session

from pipelines.evaluation_production import evaluated_schemes, schemes_of
from pipelines.index_values import index_values
from pipelines.inputs import Inputs, live_inputs
from pipelines.intake import Office
from pipelines.methods.areas import areas_of
from pipelines.methods.evaluation import Evaluated
from pipelines.methods.evaluation_scheme import Scheme
from pipelines.methods.ladder import Kind, LadderEvent, Proposal, Standing, judged, proposal, standing_of
from pipelines.methods.ladder_definition import Fact, Ladder, parse_ladder
from pipelines.methods.ladder_facts import decision_facts, evaluation_facts, fact_labels
from pipelines.methods.monitoring import areas_present
from pipelines.population import Population
from pipelines.production import evaluation_sources
from schemas.errors import DefinitionError, RefusalError, SubmissionError
from schemas.model import Edition, IndexIndicator, IndexSystem
from schemas.period import Period
from warehouse.ledger.columns import SHANGHAI
from warehouse.ledger.evaluations import LadderRecord, ladder_records, permitted, record_figures

FIGURE_COLUMNS = ("scheme", "unit", "year", "indicator", "value", "basis")


@dataclass(frozen=True)
class Judgement:
    """What a year's evidence says: facts by park and year, standings before any decision, proposals, upgrade conditions."""

    ladder: Ladder
    facts: Mapping[str, Mapping[int, Mapping[str, Fact]]]
    standings: Mapping[str, Standing]
    proposals: tuple[Proposal, ...]
    names: Mapping[str, str]
    labels: Mapping[str, str]
    cities: Mapping[str, str]


def ladder_of(edition: Edition) -> Ladder:
    """The ladder of an edition. Raises DefinitionError where it has none."""
    if edition.ladder is None:
        raise DefinitionError("本版制度没有 ladder.toml", remedy="请在制度目录中补上等级与处置的定义。")
    return parse_ladder(edition.ladder)


def events_of(records: Sequence[LadderRecord]) -> list[LadderEvent]:
    """Recorded steps as the method knows them."""
    return [
        LadderEvent(
            r.id, Kind(r.step.kind), r.step.park, r.step.year, r.step.day, r.recorded_by, r.step.from_rung,
            r.step.to_rung, r.step.about, r.step.due, r.step.text, r.step.document, r.step.responsible,
        )
        for r in records
    ]  # fmt: skip


def standings_on_file(session: Session, ladder: Ladder) -> dict[str, Standing]:
    """The standing of every park something was ever decided on."""
    by_park: dict[str, list[LadderEvent]] = {}
    for event in events_of(ladder_records(session)):
        by_park.setdefault(event.park, []).append(event)
    return {park: standing_of(park, events, ladder) for park, events in sorted(by_park.items())}


def judge(office: Office, con: duckdb.DuckDBPyConnection, period: Period, now: datetime) -> Judgement:
    """Evidence and proposals of a year for every park that takes part. Raises RefusalError without accepted annual reports."""
    inputs = live_inputs(office, con)
    population = inputs.population("in_force")
    if period.round != "A" or not population.has(period):
        raise RefusalError(f"{period} 没有已验收的年报,不能评价。请先验收该年年报,或换年份。")
    ladder = ladder_of(population.edition(period))
    with office.ledger.read() as session:
        on_file = standings_on_file(session, ladder)
    areas = areas_of(office.programme.codelists["parks"].valid(period.end))
    zones = [c for c in areas_present(population.of(period), office.programme) if areas[c].kind == "zone"]
    standings = {park: on_file.get(park, Standing(park, ladder.normal)) for park in zones}
    facts = _facts(inputs, population, ladder, period, standings)
    today = now.astimezone(SHANGHAI).date()
    labels = fact_labels(schemes_of(population.edition(period)), ladder)
    rows = {r["code"]: r for r in office.programme.codelists["parks"].valid(period.end).iter_rows(named=True)}
    return Judgement(
        ladder,
        facts,
        standings,
        tuple(proposal(standings[p], facts[p], ladder, period.year, today, labels) for p in zones),
        {p: areas[p].short_name for p in areas},
        labels,
        {p: str(rows[p]["city"]) for p in rows},
    )


def _facts(
    inputs: Inputs, population: Population, ladder: Ladder, period: Period, standings: Mapping[str, Standing]
) -> dict[str, dict[int, dict[str, Fact]]]:
    found = evaluated_schemes(population, period, evaluation_sources(inputs, population))
    scored = evaluation_facts({name: one.evaluated for name, one in found.items()})
    facts = {park: {year: dict(found) for year, found in scored.get(park, {}).items()} for park in standings}
    register = population.programme.codelists["parks"].valid(period.end)
    rows = {row["code"]: row for row in register.iter_rows(named=True)}
    first = min(e.first_period.year for e in population.programme.editions.values())
    figures = _figures(population, ladder, period, list(standings))
    for park, standing in standings.items():
        own = facts[park].setdefault(period.year, {})
        own["register.class"] = rows[park]["class"]
        # without a date of entry a park was there when the programme began: at least so many years
        since = int(rows[park]["valid_from"][:4]) if rows[park]["valid_from"] else first
        own["register.years"] = float(period.year - since)
        own.update(decision_facts(standing, ladder, period.year))
        own.update(figures.get(park, {}))
    return facts


def _figures(
    population: Population, ladder: Ladder, period: Period, parks: Sequence[str]
) -> dict[str, dict[str, Fact]]:
    if not ladder.figures:
        return {}
    items = tuple(
        IndexIndicator(name, "", name, "-", formula, "positive", 1.0, "A", "growth", None, 0, 1, 200.0, "")
        for name, formula in ladder.figures.items()
    )
    areas = areas_of(population.programme.codelists["parks"].valid(period.end))
    system = IndexSystem("figures", "", period.year, items, {})
    values, _ = index_values(population, system, areas, parks, period.year, first=period.year)
    found: dict[str, dict[str, Fact]] = {}
    for row in values.filter(pl.col("value").is_not_null(), pl.col("year") == period.year).iter_rows(named=True):
        found.setdefault(row["area"], {})[f"figure.{row['indicator']}"] = float(row["value"])
    return found


def upgrade_table(judgement: Judgement, year: int) -> pl.DataFrame:
    """(park, name, condition, outcome, evidence): every upgrade condition of every park, met 符合, not met 不符合, or no data."""
    words = {True: "符合", False: "不符合", None: "无数据"}
    rows = [
        (park, judgement.names[park], e.criterion.name, words[e.outcome], e.sentence)
        for park in judgement.standings
        for e in judged(judgement.ladder.upgrades, judgement.facts[park], year, judgement.labels)
    ]
    return pl.DataFrame(rows, schema=["park", "name", "condition", "outcome", "evidence"], orient="row")


# -- provided figures and goalposts -----------------------------------------------------------------------------------
def provide(office: Office, path: Path, edition: Edition, *, now: datetime, actor: str) -> int:
    """Record the provided figures of a CSV (scheme, unit, year, indicator, value, basis); how many were new or changed.

    Every row is checked before anything is kept: scheme and indicator exist and are provided ones, the unit stands in the
    park register, the value is a number (empty withdraws), the basis is said. Raises SubmissionError with the line.
    """
    raw = path.read_bytes()
    try:
        rows = list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline="")))
    except UnicodeDecodeError:
        raise SubmissionError("encoding", f"{path.name} 不是 UTF-8 编码,请另存为 UTF-8 的 CSV。") from None
    if not rows or set(FIGURE_COLUMNS) - set(rows[0]):
        raise SubmissionError("columns", f"{path.name} 应有列 {'、'.join(FIGURE_COLUMNS)},且至少一行。")
    schemes = {s.id: s for s in schemes_of(edition)}
    parks = set(office.programme.codelists["parks"].rows["code"])
    checked = [_figure(row, f"{path.name}:{n}", schemes, parks) for n, row in enumerate(rows, start=2)]
    with office.ledger.write() as session:
        permitted(session, actor, ladder_of(edition).roles, "提供评价数据")
        file = office.vault.put(raw).sha256
        return record_figures(session, checked, file=file, now=now, actor=actor)


def _figure(
    row: Mapping[str, str | None], place: str, schemes: Mapping[str, Scheme], parks: set[str]
) -> dict[str, str | int]:
    text = {name: (row[name] or "").strip() for name in FIGURE_COLUMNS}
    scheme = schemes.get(text["scheme"])
    if scheme is None or text["indicator"] not in scheme.provided:
        raise SubmissionError("unknown", f"{place}:方案 {text['scheme']} 没有由文件提供的指标 {text['indicator']}。")
    if text["unit"] not in parks:
        raise SubmissionError("unknown", f"{place}:{text['unit']} 不在园区名录内。")
    if not text["year"].isdigit() or len(text["year"]) != 4 or not text["basis"]:
        raise SubmissionError("incomplete", f"{place}:年份应为四位数字,依据不能为空。")
    try:
        number = math.inf if text["value"] == "" else float(text["value"])
    except ValueError:
        number = math.nan
    if math.isnan(number) or (math.isinf(number) and text["value"] != ""):
        raise SubmissionError("number", f"{place}:“{text['value']}”不是数;没有数就留空。")
    return {**text, "year": int(text["year"])}


def goalposts(evaluated: Evaluated, *, low: float = 0.1, high: float = 0.9) -> pl.DataFrame:
    """(indicator, name, class, units, worst, best): deciles of the latest year by class, for an author to fix at the start of a plan.

    Source: index_system.md 4: 不容许值 = 10 % point, 满意值 = 90 % point of the class at the beginning (where no plan target).
    """
    scheme, year = evaluated.scheme, evaluated.latest
    rows = []
    for n, leaf in enumerate(scheme.system.leaves):
        for unit_class in sorted(set(year.table.classes)):
            inside = [k for k, c in enumerate(year.table.classes) if c == unit_class]
            values = year.prepared.reported[inside, n]
            known = values[~np.isnan(values)]
            bounds = np.quantile(known, [low, high]) if known.size else np.array([np.nan, np.nan])
            worst, best = bounds if leaf.direction > 0 else bounds[::-1]
            rows.append((leaf.id, leaf.name, unit_class, int(known.size), float(worst), float(best)))
    columns = {
        "indicator": pl.String,
        "name": pl.String,
        "class": pl.String,
        "units": pl.Int64,
        "worst": pl.Float64,
        "best": pl.Float64,
    }
    return pl.DataFrame(rows, schema=columns, orient="row").with_columns(pl.selectors.float().fill_nan(None))
