"""From ledger and vault into the warehouse: loads are idempotent, a rebuild gives the same content."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

import duckdb
import pandera.errors as pe
import polars as pl
from sqlalchemy.orm import Session

from pipelines.intake import Office, observations_of
from schemas.environment import environment_for
from schemas.errors import StorageError
from schemas.expression import expand, functions, operands, parse
from schemas.frame import frame_schema
from schemas.model import Edition, Severity
from schemas.observations import Observations
from schemas.polars_target import prepare_rows, row_expr
from sources.audit import rosters_of
from warehouse import facts
from warehouse.facts import SubmissionRow
from warehouse.home import Home
from warehouse.ledger.states import STANDING, State
from warehouse.ledger.submissions import Submission, submissions
from warehouse.ledger.trail import events
from warehouse.snapshots import publish_snapshot

LOADED_STATES = STANDING | {State.SUPERSEDED}


@dataclass(frozen=True)
class Loaded:
    """What a load did: submissions newly put in, rows, submissions already there, units the gate refused."""

    new: int
    rows: int
    kept: int


def state_history(session: Session, number: str) -> list[tuple[datetime, State]]:
    """When a submission entered which state, oldest first."""
    return [(event.at, State(event.to_state)) for event in events(session, number) if event.to_state]


def acceptance(session: Session, number: str) -> tuple[datetime | None, datetime | None]:
    """From when until when a submission was in force (the last such time); None where it never was, or still is."""
    start: datetime | None = None
    end: datetime | None = None
    for at, state in state_history(session, number):
        if state is State.ACCEPTED:
            start, end = at, None
        elif start is not None and end is None and state in (State.REOPENED, State.SUPERSEDED, State.RETURNED):
            end = at
    return start, end


def warehouse_row(session: Session, found: Submission) -> SubmissionRow:
    """What the warehouse keeps of a submission."""
    start, end = acceptance(session, found.number)
    reported = next((at for at, state in state_history(session, found.number) if state is State.REPORTED), None)
    return SubmissionRow(
        found.number,
        found.number,
        found.park,
        str(found.period),
        found.edition,
        found.revision,
        found.state.value,
        reported,
        start,
        end,
    )


def load_all(
    office: Office,
    con: duckdb.DuckDBPyConnection,
    *,
    again: bool = False,
    progress: Callable[[str], None] = lambda _: None,
) -> Loaded:
    """Bring the warehouse up to the ledger. ``again`` loads every submission anew.

    A submission's observations never change, so one that is there is not loaded twice; its acceptance is mirrored anew.
    """
    facts.create(con, office.programme)
    with office.ledger.read() as session:
        standing = [
            s for s in submissions(session) if s.check and s.check.observations_blob and _was_reported(session, s)
        ]
        rows = {s.number: warehouse_row(session, s) for s in standing}
    there = {stage: set() if again else facts.loaded_ids(con, stage) for stage in facts.STAGES}
    new = loaded = 0
    with facts.transaction(con):
        for submission in standing:
            row = rows[submission.number]
            wanted = ["submitted"] + (["accepted"] if row.accepted_from is not None else [])
            missing = [stage for stage in wanted if submission.number not in there[stage]]
            if not missing:
                continue
            observations = observations_of(office.vault, submission)
            if "accepted" in missing:
                require_gate(office, submission, observations)
            loaded += facts.load(con, office.programme, row, observations, missing)
            new += 1
            progress(f"入库 {submission.number}")
        for gone in set.union(*there.values()) - rows.keys():
            facts.forget(con, office.programme, gone)
        facts.replace_submissions(con, rows.values())
    return Loaded(new, loaded, len(standing) - new)


def _was_reported(session: Session, found: Submission) -> bool:
    return found.state in LOADED_STATES and any(
        state is State.REPORTED for _, state in state_history(session, found.number)
    )


def require_gate(office: Office, found: Submission, observations: Observations) -> None:
    """Nothing enters ``accepted`` without passing the generated schema of its form, hard rules included.

    Raises StorageError: findings were reported long before; what fails here is a fault of ours, and is not loaded.
    """
    edition, period = office.programme.edition_for(found.period), found.period
    codelists = {
        n: frozenset(c.valid(period.end)["code"].to_list())
        for n, c in office.programme.codelists.items()
        if n in ("gbt4754_class4", "reg_category")
    }
    complete = observations.with_all_columns(edition, period)
    held = _row_rules(office, edition, found, observations)
    for code, frame in complete.frames.items():
        rules = held.get(code, {})
        schema = frame_schema(edition.forms[code], period, codelists, tuple(rules))
        gated = frame.filter(pl.col("unit_id").is_not_null()).with_columns(
            *(s.alias(f"rule:{r}") for r, s in rules.items() if s.len() == frame.height)
        )
        try:
            schema.validate(gated, lazy=True)
        except (pe.SchemaErrors, pe.SchemaError) as error:
            cases = getattr(error, "failure_cases", None)
            first = cases.head(3).to_dicts() if isinstance(cases, pl.DataFrame) else str(error)[:200]
            raise StorageError(f"{found.number} 的 {code} 表没有通过入库检验,未入库:{first}") from None


def _row_rules(
    office: Office, edition: Edition, found: Submission, observations: Observations
) -> dict[str, dict[str, pl.Series]]:
    """Form → hard rule → holds (null where it does not apply) by row, for rules over the unit's own figures."""
    rosters = rosters_of(observations, edition, found.period)
    env = environment_for(office.programme, found.period, edition=edition)
    complete = observations.with_all_columns(edition, found.period)
    result: dict[str, dict[str, pl.Series]] = {}
    for rule in edition.rules_for(found.period):
        form = edition.forms[rule.form]
        node = expand(parse(rule.expression), edition.derivations)
        used = functions(node)
        if (
            rule.severity is not Severity.HARD
            or form.roster not in rosters
            or any(lag for _, lag in operands(node))
            or used & {"SUM", "COUNT", "COUNT_PARK", "in_codelist", "in_roster", "unique"}
        ):
            continue
        texts = [t for t in (rule.expression, rule.applies_if, form.applies_if) if t]
        frame = prepare_rows(rosters[form.roster], texts, env)
        applies = pl.lit(True)
        for text in (rule.applies_if, form.applies_if):
            if text:
                applies = applies & row_expr(text, env).fill_null(False)
        held = frame.select("unit_id", holds=pl.when(applies).then(row_expr(rule.expression, env)))
        rows = complete.frames[rule.form].filter(pl.col("unit_id").is_not_null()).select("unit_id")
        series = rows.join(held, on="unit_id", how="left", maintain_order="left")["holds"]
        if series.len() == complete.frames[rule.form].height:
            result.setdefault(rule.form, {})[rule.id] = series
    return result


def refresh(office: Office, home: Home, *, progress: Callable[[str], None] = lambda _: None) -> Loaded:
    """Load what is new and publish a snapshot."""
    with facts.writer(home.live) as con:
        loaded = load_all(office, con, progress=progress)
        publish_snapshot(con, home.snapshots)
    return loaded


def rebuild(office: Office, home: Home, *, progress: Callable[[str], None] = lambda _: None) -> dict[str, str]:
    """Make the warehouse anew from the recorded observations beside the old one, then switch; returns content hashes."""
    fresh = home.live.with_name("rebuilding.duckdb")
    for leftover in (fresh, fresh.with_name(fresh.name + ".wal")):
        leftover.unlink(missing_ok=True)
    with facts.writer(fresh) as con:
        load_all(office, con, again=True, progress=progress)
        hashes = facts.content_hashes(con)
        publish_snapshot(con, home.snapshots)
    home.live.with_name(home.live.name + ".wal").unlink(missing_ok=True)
    fresh.rename(home.live)
    return hashes


def live_hashes(home: Home) -> dict[str, str]:
    """Content hashes of the live warehouse."""
    with facts.writer(home.live) as con:
        return facts.content_hashes(con)


def differences(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """Tables whose content differs."""
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))


def missing_from_warehouse(office: Office, con: duckdb.DuckDBPyConnection) -> Iterable[str]:
    """Submissions of the ledger that the warehouse lacks or holds in another state, one sentence each."""
    with office.ledger.read() as session:
        wanted = {
            s.number: s.state.value
            for s in submissions(session)
            if s.check and s.check.observations_blob and _was_reported(session, s)
        }
    held = facts.held_submissions(con)
    for number in sorted(wanted.keys() | held.keys()):
        if wanted.get(number) != held.get(number):
            yield f"{number}:台账为 {wanted.get(number, '无')},仓库为 {held.get(number, '无')}"
