"""Proposals to the register: what a basic form states otherwise than the register, for a statistician to date or reject.

A report never changes the register by itself. Source: survey_system.md section 2, 变更须先申请.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from schemas.errors import RefusalError
from schemas.period import Period
from warehouse.ledger import trail
from warehouse.ledger.models import ProposalRow, UnitEventRow
from warehouse.ledger.register import UnitEvent, newest_event, record_unit_events
from warehouse.ledger.submissions import submission

# The register keeps where a unit belongs apart from its attributes; a proposal names these two so.
PARK, SUB_PARK = "park", "sub_park"


@dataclass(frozen=True)
class NewProposal:
    """One difference; ``code`` is a code of the basic form, or ``park`` or ``sub_park``."""

    unit_id: str
    code: str
    register_value: str | None
    reported_value: str | None


@dataclass(frozen=True)
class Proposal(NewProposal):
    """A proposal on record; ``decision`` is accepted, rejected or None while it is open."""

    id: int
    number: str
    period: Period
    park: str
    recorded_at: datetime
    decision: str | None
    decided_at: datetime | None
    decided_by: str | None
    reason: str | None


def record_proposals(session: Session, number: str, found: Iterable[NewProposal], *, now: datetime, actor: str) -> int:
    """Enter the differences of a submission that are not on record yet. How many."""
    filed = submission(session, number)
    query = select(ProposalRow.unit_id, ProposalRow.code).where(ProposalRow.submission == number)
    known = {tuple(row) for row in session.execute(query)}
    fresh = {(one.unit_id, one.code): one for one in found if (one.unit_id, one.code) not in known}
    session.add_all(
        ProposalRow(
            submission=number,
            period=str(filed.period),
            park=filed.park,
            unit_id=one.unit_id,
            code=one.code,
            register_value=one.register_value,
            reported_value=one.reported_value,
            recorded_at=now,
        )
        for one in fresh.values()
    )
    session.flush()
    if fresh:
        trail.append(
            session,
            at=now,
            actor=actor,
            action="proposals_recorded",
            subject=number,
            payload={"proposals": len(fresh)},
        )
    return len(fresh)


def proposals(
    session: Session,
    *,
    period: Period | None = None,
    park: str | None = None,
    only_open: bool = True,
    code: str | None = None,
) -> list[Proposal]:
    """The proposals asked for, oldest first. ``code``: what is to change."""
    query = select(ProposalRow).order_by(ProposalRow.id)
    if period is not None:
        query = query.where(ProposalRow.period == str(period))
    if park is not None:
        query = query.where(ProposalRow.park == park)
    if code is not None:
        query = query.where(ProposalRow.code == code)
    if only_open:
        query = query.where(ProposalRow.decision.is_(None))
    return [_proposal(row) for row in session.scalars(query)]


def accept_proposal(
    session: Session, proposal_id: int, effective: date, *, now: datetime, actor: str, reason: str = ""
) -> Proposal:
    """Take a proposal into the register from a day on. A park or sub-park makes a move, a code a change."""
    row = _open_row(session, proposal_id)
    if row.code in (PARK, SUB_PARK):
        event = _move(session, row, effective)
    else:
        attributes = {row.code: row.reported_value}
        event = UnitEvent(row.unit_id, "change", effective, attributes=attributes, basis=f"报送 {row.submission}")
    record_unit_events(session, [event], now=now, actor=actor)
    row.event_id = newest_event(session, row.unit_id)
    return _decide(session, row, "accepted", now=now, actor=actor, reason=reason)


def reject_proposal(session: Session, proposal_id: int, *, now: datetime, actor: str, reason: str) -> Proposal:
    """Leave the register as it is, and say why."""
    if not reason.strip():
        raise RefusalError("不采纳名录变更申请须写明原因。")
    return _decide(session, _open_row(session, proposal_id), "rejected", now=now, actor=actor, reason=reason)


def _move(session: Session, row: ProposalRow, effective: date) -> UnitEvent:
    # Where a form moves both, the statistician accepts the park first; the sub-park then joins the park in force.
    if row.code == PARK:
        return UnitEvent(row.unit_id, "move", effective, park=row.reported_value or "", basis=f"报送 {row.submission}")
    place = select(UnitEventRow.park).where(
        UnitEventRow.unit_id == row.unit_id,
        UnitEventRow.kind.in_(("entry", "move")),
        UnitEventRow.effective <= effective,
    )
    park = session.scalar(place.order_by(UnitEventRow.effective.desc(), UnitEventRow.id.desc()).limit(1))
    sub_park = row.reported_value or ""
    return UnitEvent(row.unit_id, "move", effective, park or "", sub_park, basis=f"报送 {row.submission}")


def _open_row(session: Session, proposal_id: int) -> ProposalRow:
    row = session.get(ProposalRow, proposal_id)
    if row is None:
        raise RefusalError(f"没有第 {proposal_id} 号名录变更申请。")
    if row.decision is not None:
        raise RefusalError(f"第 {proposal_id} 号名录变更申请已处理。")
    return row


def _decide(session: Session, row: ProposalRow, decision: str, *, now: datetime, actor: str, reason: str) -> Proposal:
    row.decision, row.decided_at, row.decided_by, row.reason = decision, now, actor, reason.strip()
    session.flush()
    trail.append(
        session,
        at=now,
        actor=actor,
        action=f"proposal_{decision}",
        subject=f"register/{row.unit_id}",
        reason=reason.strip(),
        payload={"proposal": row.id, "submission": row.submission, "code": row.code},
    )
    return _proposal(row)


def _proposal(row: ProposalRow) -> Proposal:
    return Proposal(
        unit_id=row.unit_id,
        code=row.code,
        register_value=row.register_value,
        reported_value=row.reported_value,
        id=row.id,
        number=row.submission,
        period=Period.parse(row.period),
        park=row.park,
        recorded_at=row.recorded_at,
        decision=row.decision,
        decided_at=row.decided_at,
        decided_by=row.decided_by,
        reason=row.reason,
    )
