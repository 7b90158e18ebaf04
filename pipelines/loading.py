"""From ledger and vault into the warehouse: loads are idempotent, a rebuild gives the same content."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from typing import TypeVar

import duckdb
from sqlalchemy.orm import Session

from pipelines.intake import HISTORY, Office, observations_of
from warehouse import facts
from warehouse.facts import SubmissionRow
from warehouse.home import Home
from warehouse.ledger.states import STANDING, State
from warehouse.ledger.submissions import Submission, submissions
from warehouse.ledger.trail import events
from warehouse.snapshots import publish_snapshot

GATED_TOGETHER = 16
_One = TypeVar("_One")
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
        found.channel,
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
    from pipelines.gate import require_gate  # pandera takes a second to import, and most commands load nothing

    facts.create(con, office.programme)
    with office.ledger.read() as session:
        standing = [
            s for s in submissions(session) if s.check and s.check.observations_blob and _was_reported(session, s)
        ]
        rows = {s.number: warehouse_row(session, s) for s in standing}
    there = {stage: set() if again else facts.loaded_ids(con, stage) for stage in facts.STAGES}
    missing = {n: [stage for stage in _stages(row) if n not in there[stage]] for n, row in rows.items()}
    new = [s for s in standing if missing[s.number]]
    loaded = 0
    for period, own in groupby(sorted(new, key=lambda s: (s.period, s.number)), key=lambda s: s.period):
        # A transaction a period: what is not committed stays in memory, and a nation's rounds are many. Views show only
        # what the list of submissions names, and that is replaced last.
        with facts.transaction(con):
            for batch in _batches(list(own)):
                read = [(s, observations_of(office.vault, s)) for s in batch]
                # History is taken over with its findings, which are on record; what parks file passes the gate.
                filed = [r for r in read if r[0].channel != HISTORY]
                require_gate(office.programme, period, [r for r in filed if "accepted" in missing[r[0].number]])
                loaded += facts.load(con, office.programme, [(rows[s.number], o, missing[s.number]) for s, o in read])
                for submission, _ in read:
                    progress(f"入库 {submission.number}")
    with facts.transaction(con):
        facts.forget(con, office.programme, set.union(*there.values()) - rows.keys())
        facts.replace_submissions(con, rows.values())
    return Loaded(len(new), loaded, len(standing) - len(new))


def _stages(row: SubmissionRow) -> list[str]:
    return ["submitted"] + (["accepted"] if row.accepted_from is not None else [])


def _batches(own: Sequence[_One]) -> Iterator[Sequence[_One]]:
    """Few enough at a time that memory does not grow with the number of parks."""
    for first in range(0, len(own), GATED_TOGETHER):
        yield own[first : first + GATED_TOGETHER]


def _was_reported(session: Session, found: Submission) -> bool:
    return found.state in LOADED_STATES and any(
        state is State.REPORTED for _, state in state_history(session, found.number)
    )


def load_listed(office: Office, con: duckdb.DuckDBPyConnection, listed: Iterable[Submission]) -> None:
    """Load just these submissions into an empty warehouse, in the states they are given with."""
    facts.create(con, office.programme)
    with office.ledger.read() as session:
        given = [(s, _row_as_given(warehouse_row(session, s), s)) for s in listed]
    with facts.transaction(con):
        for batch in _batches(given):
            facts.load(
                con, office.programme, [(row, observations_of(office.vault, s), _stages(row)) for s, row in batch]
            )
        facts.replace_submissions(con, [row for _, row in given])


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


def refresh(
    office: Office,
    home: Home,
    *,
    progress: Callable[[str], None] = lambda _: None,
    besides: Callable[[duckdb.DuckDBPyConnection], object] = lambda _: None,
) -> Loaded:
    """Load what is new, and with ``besides`` whatever else belongs into the warehouse, and publish a snapshot."""
    with facts.writer(home.live) as con:
        loaded = load_all(office, con, progress=progress)
        besides(con)
        publish_snapshot(con, home.snapshots)
    return loaded


def rebuild(
    office: Office,
    home: Home,
    *,
    progress: Callable[[str], None] = lambda _: None,
    besides: Callable[[duckdb.DuckDBPyConnection], object] = lambda _: None,
) -> dict[str, str]:
    """Make the warehouse anew from the recorded observations beside the old one, then switch; returns content hashes.

    ``besides`` puts in what is not observations: the published tables, from the files of the releases.
    """
    fresh = home.live.with_name("rebuilding.duckdb")
    for leftover in (fresh, fresh.with_name(fresh.name + ".wal")):
        leftover.unlink(missing_ok=True)
    with facts.writer(fresh) as con:
        load_all(office, con, again=True, progress=progress)
        hashes = facts.content_hashes(con)
        besides(con)
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
