"""Submissions 报送: as they stand, as they stood at an instant, and which of them count."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from schemas.errors import RefusalError
from schemas.period import Period
from warehouse.ledger import trail
from warehouse.ledger.columns import read_instant, stored_instant
from warehouse.ledger.models import CheckRow, SubmissionRow, SubmittedFileRow, TrailRow
from warehouse.ledger.states import STANDING, State, require_step

_BATCH = 5000


@dataclass(frozen=True)
class SubmittedFile:
    """One file: its blob, and the name and role (which department, which enterprise) it came with."""

    sha256: str
    size: int
    name: str
    role: str


@dataclass(frozen=True)
class CheckResult:
    """What a check of a submission found and rested on. ``counts`` are numbers of units, cells and findings, no figures.

    ``blocking`` counts the findings that stop the submission, ``to_explain`` those that need an explanation;
    ``unreadable`` is the sentence for the park where no check was possible, else None. The blobs are in the vault.
    """

    reader_version: str
    rule_set_hash: str
    operand_hash: str
    observations_blob: str | None
    findings_blob: str | None
    forms: tuple[str, ...]
    counts: Mapping[str, int]
    blocking: int
    to_explain: int
    unreadable: str | None = None


@dataclass(frozen=True, kw_only=True)
class Check(CheckResult):
    """A check as entered; ``attempt`` 1 is the first of its submission."""

    checked_at: datetime
    attempt: int


@dataclass(frozen=True)
class Submission:
    """A set of files of a park for a period; ``revision`` 1 is the first. ``check`` is the latest, None before any."""

    number: str
    park: str
    period: Period
    edition: str
    revision: int
    files: tuple[SubmittedFile, ...]
    files_digest: str
    channel: str
    received_at: datetime
    received_by: str
    state: State
    state_at: datetime
    state_seq: int
    check: Check | None


def submission(session: Session, number: str) -> Submission:
    """One submission. Raises RefusalError for an unknown number."""
    return _complete(session, [row_of(session, number)])[0]


def submissions(
    session: Session,
    *,
    period: Period | None = None,
    park: str | None = None,
    states: Collection[State] | None = None,
) -> list[Submission]:
    """The submissions asked for, ordered by period, park and revision."""
    query = select(SubmissionRow).order_by(SubmissionRow.period, SubmissionRow.park, SubmissionRow.revision)
    if period is not None:
        query = query.where(SubmissionRow.period == str(period))
    if park is not None:
        query = query.where(SubmissionRow.park == park)
    if states is not None:
        query = query.where(SubmissionRow.state.in_([str(state) for state in states]))
    return _complete(session, session.scalars(query).all())


def begun_since(session: Session, park: str, since: datetime, channels: Collection[str]) -> int:
    """How many submissions of a park arrived through these channels from an instant on."""
    query = select(func.count()).where(
        SubmissionRow.park == park, SubmissionRow.received_at >= since, SubmissionRow.channel.in_(channels)
    )
    return session.scalar(query) or 0


def latest(session: Session, park: str, period: Period) -> Submission | None:
    """The newest revision of a park for a period, whatever its state; None where it never filed."""
    found = submissions(session, park=park, period=period)
    return found[-1] if found else None


def in_force(session: Session, period: Period) -> list[Submission]:
    """Of each park the latest accepted submission, ordered by park."""
    return _newest_by_park(submissions(session, period=period, states={State.ACCEPTED}))


def latest_reported(session: Session, period: Period) -> list[Submission]:
    """Of each park the newest submission reported and not taken back, accepted or not yet; ordered by park."""
    return _newest_by_park(submissions(session, period=period, states=STANDING))


def accepted_else_reported(session: Session, period: Period) -> list[Submission]:
    """Of each park the submission in force, else the newest reported: where operands of other periods come from."""
    reported = {found.park: found for found in latest_reported(session, period)}
    return _newest_by_park([*(reported | {found.park: found for found in in_force(session, period)}).values()])


def as_of(
    session: Session, period: Period, instant: datetime, states: Collection[State] = frozenset({State.ACCEPTED})
) -> list[Submission]:
    """Of each park the newest submission that stood in one of ``states`` at an instant, with the state it had then.

    The order of steps is that of the trail; a clock that was set back does not change it.
    """
    rows = session.scalars(select(SubmissionRow).where(SubmissionRow.period == str(period))).all()
    links = session.execute(
        select(TrailRow.subject, TrailRow.seq, TrailRow.at, TrailRow.to_state)
        .join(SubmissionRow, SubmissionRow.number == TrailRow.subject)
        .where(
            SubmissionRow.period == str(period), TrailRow.to_state.is_not(None), TrailRow.at <= stored_instant(instant)
        )
        .order_by(TrailRow.seq)
    )
    stood = {link.subject: link for link in links}
    then = []
    for found in _complete(session, [row for row in rows if row.number in stood], until=instant):
        link = stood[found.number]
        if (state := State(link.to_state)) in states:
            then.append(replace(found, state=state, state_at=read_instant(link.at), state_seq=link.seq))
    return _newest_by_park(then)


def submission_number_of(park: str, period: Period | str, revision: int) -> str:
    """The number of a submission: 2025Q1-LBXQ-0003."""
    return f"{str(period).replace('-', '')}-{park}-{revision:04d}"


def row_of(session: Session, number: str) -> SubmissionRow:
    """The row of a submission, for the modules of the ledger. Raises RefusalError for an unknown number."""
    row = session.scalar(select(SubmissionRow).where(SubmissionRow.number == number))
    if row is None:
        raise RefusalError(f"没有编号为“{number}”的报送,请核对编号。")
    return row


def step(
    session: Session,
    number: str,
    wanted: State,
    *,
    action: str,
    now: datetime,
    actor: str,
    reason: str = "",
    payload: Mapping[str, trail.PayloadValue] | None = None,
    rows: trail.Rows | None = None,
) -> trail.Head:
    """Move a submission to another state and record the step with the rows it makes. Raises RefusalError where its life has no such step."""
    row = row_of(session, number)
    require_step(number, State(row.state), wanted)
    head = trail.append(
        session,
        at=now,
        actor=actor,
        action=action,
        subject=number,
        from_state=row.state,
        to_state=str(wanted),
        reason=reason,
        payload=payload,
        rows=rows,
    )
    row.state, row.state_at, row.state_seq = str(wanted), now, head.seq
    session.flush()
    return head


def _newest_by_park(found: Sequence[Submission]) -> list[Submission]:
    newest: dict[str, Submission] = {}
    for one in sorted(found, key=lambda one: (one.park, one.revision)):
        newest[one.park] = one
    return list(newest.values())


def _complete(session: Session, rows: Sequence[SubmissionRow], until: datetime | None = None) -> list[Submission]:
    """Rows with their files and latest check (of those made ``until`` then), in the order of ``rows``."""
    files: dict[int, list[SubmittedFile]] = {}
    checks: dict[int, Check] = {}
    for ids in _batches([row.id for row in rows]):
        of_these = SubmittedFileRow.submission_id.in_(ids)
        for file in session.scalars(select(SubmittedFileRow).where(of_these).order_by(SubmittedFileRow.position)):
            one = SubmittedFile(file.sha256, file.size, file.name, file.role)
            files.setdefault(file.submission_id, []).append(one)
        query = select(CheckRow).where(CheckRow.submission_id.in_(ids)).order_by(CheckRow.attempt)
        if until is not None:
            query = query.where(CheckRow.checked_at <= until)
        checks |= {check.submission_id: _check(check) for check in session.scalars(query)}
    return [
        Submission(
            number=row.number,
            park=row.park,
            period=Period.parse(row.period),
            edition=row.edition,
            revision=row.revision,
            files=tuple(files.get(row.id, ())),
            files_digest=row.files_digest,
            channel=row.channel,
            received_at=row.received_at,
            received_by=row.received_by,
            state=State(row.state),
            state_at=row.state_at,
            state_seq=row.state_seq,
            check=checks.get(row.id),
        )
        for row in rows
    ]


def _check(row: CheckRow) -> Check:
    return Check(
        reader_version=row.reader_version,
        rule_set_hash=row.rule_set_hash,
        operand_hash=row.operand_hash,
        observations_blob=row.observations_blob,
        findings_blob=row.findings_blob,
        forms=tuple(row.forms),
        counts=row.counts,
        blocking=row.blocking,
        to_explain=row.to_explain,
        unreadable=row.unreadable,
        checked_at=row.checked_at,
        attempt=row.attempt,
    )


def _batches(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), _BATCH):
        yield ids[start : start + _BATCH]
