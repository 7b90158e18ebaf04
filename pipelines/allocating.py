"""Sharing out the queue 分派: who takes a submission, gives it back, or gets it from a statistician."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from pipelines.intake import Office
from schemas.errors import RefusalError
from schemas.period import Period
from warehouse.ledger import assignments
from warehouse.ledger.assignments import Assignment
from warehouse.ledger.submissions import submission
from warehouse.ledger.users import title_of


def take(office: Office, numbers: Sequence[str], *, now: datetime, actor: str) -> list[Assignment]:
    """Take submissions to review, with every later revision of the round. All or none.

    Raises RefusalError where another has one: only a statistician gives it to somebody else, with a reason.
    """
    with office.ledger.write() as session:
        held = assignments.assignments(session)
        made = []
        for park, period in _rounds(session, numbers):
            other = held.get((park, period))
            if other is not None and other.reviewer != actor:
                raise RefusalError(
                    f"{park} {period} 已由{title_of(session, other.reviewer)}审核;改由他人审核请省级统计人员分派。"
                )
            if other is None:
                made.append(assignments.assign(session, park, period, actor, reason="", now=now, actor=actor))
        return made


def release(office: Office, numbers: Sequence[str], *, now: datetime, actor: str, reason: str = "") -> list[Assignment]:
    """Give back what one has taken. All or none. Raises RefusalError for what is another's."""
    with office.ledger.write() as session:
        held = assignments.assignments(session)
        made = []
        for park, period in _rounds(session, numbers):
            mine = held.get((park, period))
            if mine is None or mine.reviewer != actor:
                raise RefusalError(f"{park} {period} 不在您({title_of(session, actor)})名下。")
            made.append(assignments.release(session, park, period, reason=reason, now=now, actor=actor))
        return made


def assign(
    office: Office, numbers: Sequence[str], reviewer: str, *, now: datetime, actor: str, reason: str = ""
) -> list[Assignment]:
    """Give submissions to a reviewer; what another has changes hands with a reason. All or none."""
    with office.ledger.write() as session:
        held = assignments.assignments(session)
        made = []
        for park, period in _rounds(session, numbers):
            other = held.get((park, period))
            if other is not None and other.reviewer != reviewer and not reason.strip():
                raise RefusalError(f"{park} {period} 已由{title_of(session, other.reviewer)}审核;改派须写明原因。")
            if other is None or other.reviewer != reviewer:
                made.append(assignments.assign(session, park, period, reviewer, reason=reason, now=now, actor=actor))
        return made


def _rounds(session: Session, numbers: Sequence[str]) -> list[tuple[str, Period]]:
    """Park and round of each submission, each once. Raises RefusalError for none."""
    if not numbers:
        raise RefusalError("没有选中任何报送。")
    found = (submission(session, number) for number in numbers)
    return list(dict.fromkeys((one.park, one.period) for one in found))
