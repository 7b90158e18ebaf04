"""The park's own approval 园区审核: where a park has an approver 审核人, nothing of it is reported before they confirm.

What was asked and answered stands on the trail of the submission; a new upload is another submission and asks anew.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from schemas.errors import RefusalError
from warehouse.ledger import trail
from warehouse.ledger.columns import read_instant
from warehouse.ledger.models import TrailRow, UserRow
from warehouse.ledger.parks import parks
from warehouse.ledger.report_gaps import GapStatement, gap_statement_of
from warehouse.ledger.scopes import within
from warehouse.ledger.signatories import NAMES, Signatories
from warehouse.ledger.states import State
from warehouse.ledger.submissions import Submission, submission, submissions

APPROVER = "park_approver"
ASKED, DECLINED = "approval_asked", "approval_declined"


@dataclass(frozen=True)
class Approval:
    """The last question on a submission: in whose names, who asked, and what the approver said against it, if anything.

    ``signatories`` is None where a program filed without names.
    """

    number: str
    signatories: Signatories | None
    asked_by: str
    asked_at: datetime
    declined_by: str = ""
    declined_at: datetime | None = None
    reason: str = ""

    @property
    def is_waiting(self) -> bool:
        """Whether the approver has not answered."""
        return self.declined_at is None


def has_approver(session: Session, park: str, day: date) -> bool:
    """Whether somebody confirms the reports of a park: an approver at its node or above, who is not barred."""
    query = select(UserRow.park).where(UserRow.role == APPROVER, UserRow.disabled.is_(False))
    register = parks(session, day)
    return any(park in within(register, node or "") for node in session.scalars(query))


def approval_of(session: Session, number: str) -> Approval | None:
    """The last question and its answer; None where nobody asked."""
    query = (
        select(TrailRow)
        .where(TrailRow.subject == number, TrailRow.action.in_((ASKED, DECLINED)))
        .order_by(TrailRow.seq.desc())
        .limit(2)
    )
    links = list(session.scalars(query))
    asked = next((link for link in links if link.action == ASKED), None)
    if asked is None:
        return None
    said = json.loads(asked.payload)
    names = Signatories(*(str(said.get(name, "")) for name in NAMES)) if said.get("unit_head") else None
    found = Approval(number, names, asked.actor, read_instant(asked.at))
    if links[0].action == DECLINED:
        return Approval(
            number, names, asked.actor, found.asked_at, links[0].actor, read_instant(links[0].at), links[0].reason
        )
    return found


def ask_approval(
    session: Session,
    number: str,
    signatories: Signatories | None,
    *,
    now: datetime,
    actor: str,
    gap: GapStatement | None = None,
) -> Submission:
    """Put a submission that may be reported before the approver, with what it leaves out. Where it is there already with the
    same words, nothing changes."""
    found = _ready(session, number)
    before = approval_of(session, number)
    is_other = (signatories and before and signatories != before.signatories) or (
        gap is not None and gap != gap_statement_of(session, number)
    )
    if before is None or not before.is_waiting or is_other:
        payload = {**(signatories.payload() if signatories else {}), **(gap.payload() if gap else {})}
        trail.append(session, at=now, actor=actor, action=ASKED, subject=number, payload=payload)
    return found


def decline_approval(session: Session, number: str, *, reason: str, now: datetime, actor: str) -> Submission:
    """Send it back within the park. Raises RefusalError without a reason, or where nothing waits."""
    found = _ready(session, number)
    waiting = approval_of(session, number)
    if waiting is None or not waiting.is_waiting:
        raise RefusalError(f"{number} 没有等待审核的报送。")
    if not reason.strip():
        raise RefusalError("请写明不同意的原因,填报人员据此更正。")
    trail.append(session, at=now, actor=actor, action=DECLINED, subject=number, reason=reason.strip()[:500])
    return found


def awaiting_approval(session: Session, of: Collection[str] | None) -> list[tuple[Submission, Approval]]:
    """What waits for an approver, of these parks (None: of all), the oldest question first."""
    found = []
    for one in submissions(session, states={State.EXPLAINED}):
        if of is None or one.park in of:
            asked = approval_of(session, one.number)
            if asked is not None and asked.is_waiting:
                found.append((one, asked))
    return sorted(found, key=lambda pair: (pair[1].asked_at, pair[0].number))


def _ready(session: Session, number: str) -> Submission:
    found = submission(session, number)
    if found.state is not State.EXPLAINED:
        raise RefusalError(f"{number} 当前状态为“{found.state.label}”,不能这样办理。")
    return found
