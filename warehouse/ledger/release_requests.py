"""Releases that two people make: one asks, another confirms. Source: four-eyes principle of the programme, issue 5 section 2."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from schemas.errors import RefusalError
from schemas.period import Period
from warehouse.ledger import trail
from warehouse.ledger.models import ReleaseRequestRow


@dataclass(frozen=True)
class ReleaseRequest:
    """What was asked for, and what became of it. ``state``: waiting, running, done, failed, declined."""

    id: int
    period: Period
    reason: str
    requested_by: str
    requested_at: datetime
    state: str
    decided_by: str | None
    decided_at: datetime | None
    release: str | None
    message: str | None


def request_release(session: Session, period: Period, *, reason: str, now: datetime, actor: str) -> ReleaseRequest:
    """Ask for a release. Raises RefusalError where one of the period waits or runs."""
    query = select(ReleaseRequestRow.id).where(
        ReleaseRequestRow.period == str(period), ReleaseRequestRow.state.in_(("waiting", "running"))
    )
    if session.scalar(query.limit(1)) is not None:
        raise RefusalError(f"{period} 已有待确认或正在进行的发布。")
    row = ReleaseRequestRow(
        period=str(period), reason=reason.strip(), requested_by=actor, requested_at=now, state="waiting"
    )
    session.add(row)
    session.flush()
    trail.append(
        session, at=now, actor=actor, action="release_requested", subject=f"release_request/{row.id}",
        reason=reason.strip(), payload={"period": str(period)},
    )  # fmt: skip
    return _request(row)


def confirm_release(session: Session, number: int, *, now: datetime, actor: str) -> ReleaseRequest:
    """Let a waiting request run. Raises RefusalError for the person who asked: another must look."""
    row = _waiting(session, number)
    if row.requested_by == actor:
        raise RefusalError("发布须由另一人确认,申请人不能确认自己的申请。")
    row.state, row.decided_by, row.decided_at = "running", actor, now
    trail.append(session, at=now, actor=actor, action="release_confirmed", subject=f"release_request/{number}")
    return _request(row)


def decline_release(session: Session, number: int, *, reason: str, now: datetime, actor: str) -> ReleaseRequest:
    """Turn a request down, with a reason; who asked may take it back so."""
    if not reason.strip():
        raise RefusalError("不同意发布须写明原因。")
    row = _waiting(session, number)
    row.state, row.decided_by, row.decided_at, row.message = "declined", actor, now, reason.strip()
    trail.append(
        session, at=now, actor=actor, action="release_declined", subject=f"release_request/{number}",
        reason=reason.strip(),
    )  # fmt: skip
    return _request(row)


def finish_release(
    session: Session, number: int, *, release: str | None, message: str, now: datetime, actor: str
) -> ReleaseRequest:
    """Enter what came of a running request: the release, or why there is none."""
    row = session.get_one(ReleaseRequestRow, number)
    row.state, row.release, row.message = "done" if release else "failed", release, message
    trail.append(
        session, at=now, actor=actor, action="release_made" if release else "release_failed",
        subject=f"release_request/{number}", payload={"release": release},
    )  # fmt: skip
    return _request(row)


def release_requests(session: Session, *, state: str | None = None) -> list[ReleaseRequest]:
    """All requests, or those in a state, the newest first."""
    query = select(ReleaseRequestRow).order_by(ReleaseRequestRow.id.desc())
    if state is not None:
        query = query.where(ReleaseRequestRow.state == state)
    return [_request(row) for row in session.scalars(query)]


def _waiting(session: Session, number: int) -> ReleaseRequestRow:
    row = session.get(ReleaseRequestRow, number)
    if row is None or row.state != "waiting":
        raise RefusalError("没有这一待确认的发布申请,或已处理。")
    return row


def _request(row: ReleaseRequestRow) -> ReleaseRequest:
    return ReleaseRequest(
        row.id, Period.parse(row.period), row.reason, row.requested_by, row.requested_at, row.state, row.decided_by,
        row.decided_at, row.release, row.message,
    )  # fmt: skip
