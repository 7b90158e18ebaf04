"""Who reviews what 分派: of a park and a round, whatever revision comes. The latest entry counts; nobody is an entry too."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from schemas.errors import RefusalError
from schemas.period import Period
from warehouse.ledger import trail
from warehouse.ledger.office_models import AssignmentRow
from warehouse.ledger.users import User, users

REVIEWING = frozenset({"province_statistician", "reviewer"})
"""Roles that review submissions."""


@dataclass(frozen=True)
class Assignment:
    """Who reviews a park in a round, since when, and who said so."""

    park: str
    period: Period
    reviewer: str
    reason: str
    at: datetime
    by: str


def reviewers(session: Session) -> list[User]:
    """The accounts that submissions can be assigned to."""
    return [one for one in users(session) if one.role in REVIEWING and not one.disabled]


def assign(
    session: Session, park: str, period: Period, reviewer: str, *, reason: str, now: datetime, actor: str
) -> Assignment:
    """Let somebody review a park in a round. Raises RefusalError for who does not review, or already has it."""
    if reviewer not in {one.name for one in reviewers(session)}:
        raise RefusalError(f"“{reviewer}”不是可以审核的账户(须为未停用的审核人员或省级统计人员)。")
    before = assignments(session, period).get((park, period))
    if before is not None and before.reviewer == reviewer:
        raise RefusalError(f"{park} {period} 已分派给 {reviewer}。")
    return _record(session, park, period, reviewer, reason=reason, now=now, actor=actor)


def release(session: Session, park: str, period: Period, *, reason: str, now: datetime, actor: str) -> Assignment:
    """Let nobody in particular review it any more. Raises RefusalError where nobody does."""
    if (park, period) not in assignments(session, period):
        raise RefusalError(f"{park} {period} 没有分派给任何人。")
    return _record(session, park, period, "", reason=reason, now=now, actor=actor)


def assignments(session: Session, period: Period | None = None) -> dict[tuple[str, Period], Assignment]:
    """(park, round) → who reviews it, of those that somebody does."""
    query = select(AssignmentRow).order_by(AssignmentRow.id)
    if period is not None:
        query = query.where(AssignmentRow.period == str(period))
    latest = {(row.park, Period.parse(row.period)): row for row in session.scalars(query)}
    return {
        key: Assignment(key[0], key[1], row.reviewer, row.reason, row.at, row.by)
        for key, row in latest.items()
        if row.reviewer
    }


def _record(
    session: Session, park: str, period: Period, reviewer: str, *, reason: str, now: datetime, actor: str
) -> Assignment:
    row = {"park": park, "period": str(period), "reviewer": reviewer, "reason": reason.strip(), "at": now, "by": actor}
    trail.append(
        session, at=now, actor=actor, action="review_assigned" if reviewer else "review_released",
        subject=f"review/{park}/{period}", reason=reason.strip(), payload={"reviewer": reviewer},
        rows=trail.Rows(AssignmentRow, [row]),
    )  # fmt: skip
    return Assignment(park, period, reviewer, reason.strip(), now, actor)
