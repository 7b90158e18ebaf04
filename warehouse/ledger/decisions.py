"""Decisions on what parks reported: acceptance 验收, return 退回, withdrawal of an acceptance 撤销验收."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from schemas.errors import RefusalError
from schemas.period import Period
from warehouse.ledger.models import DecisionRow
from warehouse.ledger.states import STANDING, TRANSITIONS, State
from warehouse.ledger.submissions import Submission, row_of, step, submission, submissions
from warehouse.ledger.trail import Rows

# A reason may say what is wrong, never which figure to put: only the enterprise corrects its figures.
# Source: survey_system.md section 9, first row.
_NAMES_A_FIGURE = re.compile(
    r"(改为|改成|改到|调整为|调整到|调到|应为|应填|填为|填成|填报为|修改为|不低于|不高于|不少于|控制在|做到|达到)"
    r"\s*[::]?\s*[-−]?[\d0-9一二三四五六七八九十百千万亿.]+"
)


@dataclass(frozen=True)
class Decision:
    """One decision; ``action`` is accept, return or reopen."""

    number: str
    action: str
    reason: str
    by: str
    at: datetime


def accept(session: Session, number: str, *, now: datetime, actor: str, reason: str = "") -> Submission:
    """Accept a reported submission: it is in force, and every earlier revision is superseded.

    Raises RefusalError where a later revision has been reported: the newest is to be reviewed.
    """
    found = submission(session, number)
    require_newest(session, found)
    revisions = submissions(session, park=found.park, period=found.period)
    _decide(session, number, State.ACCEPTED, "accept", now=now, actor=actor, reason=reason)
    for one in revisions:
        if one.revision < found.revision and State.SUPERSEDED in TRANSITIONS[one.state]:
            step(
                session,
                one.number,
                State.SUPERSEDED,
                action="superseded",
                now=now,
                actor=actor,
                reason=f"被 {number} 替代",
            )
    return submission(session, number)


def require_newest(session: Session, found: Submission) -> None:
    """Raise RefusalError where a later revision has been reported: the newest is to be reviewed."""
    later = [
        one
        for one in submissions(session, park=found.park, period=found.period)
        if one.revision > found.revision and one.state in STANDING
    ]
    if later:
        raise RefusalError(f"{found.park} 已报送更新的修订 {later[-1].number},请审核这一份。")


def return_to_park(session: Session, number: str, *, now: datetime, actor: str, reason: str) -> Submission:
    """Return 退回 a reported submission, saying what is wrong; the park corrects by a new revision.

    Raises RefusalError without a reason, or for one that names the figure to put.
    """
    _require_reason(reason, "退回")
    if names_a_figure(reason):
        raise RefusalError("退回原因只能说明问题,不得写明要填报的数值:数据由填报单位自行核实更正。")
    _decide(session, number, State.RETURNED, "return", now=now, actor=actor, reason=reason)
    return submission(session, number)


def reopen(session: Session, number: str, *, now: datetime, actor: str, reason: str) -> Submission:
    """Withdraw an acceptance 撤销验收. The submission is not in force any more; it can be accepted again or returned."""
    _require_reason(reason, "撤销验收")
    _decide(session, number, State.REOPENED, "reopen", now=now, actor=actor, reason=reason)
    return submission(session, number)


def decisions_of(session: Session, number: str) -> list[Decision]:
    """The decisions on a submission, oldest first."""
    query = select(DecisionRow).where(DecisionRow.submission_id == row_of(session, number).id).order_by(DecisionRow.id)
    return [Decision(number, row.action, row.reason, row.by, row.at) for row in session.scalars(query)]


def awaiting_decision(session: Session, period: Period | None = None) -> list[Submission]:
    """What a reviewer has to decide: of each park and period the newest revision reported, where not yet accepted."""
    newest: dict[tuple[str, str], Submission] = {}
    for one in submissions(session, period=period, states=STANDING):
        newest[one.park, str(one.period)] = one
    return [one for one in newest.values() if one.state != State.ACCEPTED]


def _decide(
    session: Session, number: str, wanted: State, action: str, *, now: datetime, actor: str, reason: str
) -> None:
    decision = {
        "submission_id": row_of(session, number).id,
        "action": action,
        "reason": reason.strip(),
        "by": actor,
        "at": now,
    }
    step(
        session,
        number,
        wanted,
        action=action,
        now=now,
        actor=actor,
        reason=reason.strip(),
        rows=Rows(DecisionRow, [decision]),
    )


def names_a_figure(text: str) -> bool:
    """Whether words to a park name the figure to put, which nobody may do for it."""
    return bool(_NAMES_A_FIGURE.search(text))


def _require_reason(reason: str, what: str) -> None:
    if not reason.strip():
        raise RefusalError(f"{what}须写明原因。")
