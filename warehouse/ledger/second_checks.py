"""Acceptance by two people 复核: from which effect on it is asked for, and the opinion of the first of them.

An opinion is on one submission. It counts until a decision is made on it: after a withdrawn acceptance both start again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation

from sqlalchemy import select
from sqlalchemy.orm import Session

from schemas.errors import RefusalError
from warehouse.ledger import trail
from warehouse.ledger.models import DecisionRow
from warehouse.ledger.office_models import FirstOpinionRow, SecondCheckRuleRow
from warehouse.ledger.states import State, require_step
from warehouse.ledger.submissions import row_of
from warehouse.ledger.users import title_of


@dataclass(frozen=True)
class SecondCheckRule:
    """From which effect on an acceptance needs two people; ``above`` None: never. ``park`` empty: of all parks."""

    park: str
    above: Decimal | None
    reason: str
    at: datetime
    by: str


@dataclass(frozen=True)
class FirstOpinion:
    """That a submission can be accepted, in the opinion of one person."""

    number: str
    text: str
    at: datetime
    by: str


def set_second_check(
    session: Session, above: str, *, park: str = "", reason: str, now: datetime, actor: str
) -> SecondCheckRule:
    """State from which effect on two people accept; an empty ``above`` asks for one only. 0 is every submission.

    Raises RefusalError without a reason, or for what is no number of 0 or more.
    """
    if not reason.strip():
        raise RefusalError("更改复核界限须写明原因。")
    bound = _bound(above.strip())
    row = {
        "park": park, "above": "" if bound is None else str(bound), "reason": reason.strip(), "at": now, "by": actor,
    }  # fmt: skip
    trail.append(
        session, at=now, actor=actor, action="second_check_set", subject=f"second_check/{park or '*'}",
        reason=reason.strip(), payload={"above": "" if bound is None else str(bound)}, rows=trail.Rows(SecondCheckRuleRow, [row]),
    )  # fmt: skip
    return SecondCheckRule(park, bound, reason.strip(), now, actor)


def _bound(text: str) -> Decimal | None:
    if not text:
        return None
    try:
        bound = Decimal(text)
    except InvalidOperation:
        raise RefusalError(f"复核界限“{text[:20]}”不是数字,请写如 0.5;留空为不要求复核。") from None
    if not bound.is_finite() or bound < 0:
        raise RefusalError("复核界限应为 0 或大于 0 的数;0 为每一份都要复核,留空为不要求复核。")
    return bound


def second_check_rules(session: Session) -> dict[str, SecondCheckRule]:
    """Park (empty: all) → the rule that counts."""
    query = select(SecondCheckRuleRow).order_by(SecondCheckRuleRow.id)
    return {
        row.park: SecondCheckRule(row.park, Decimal(row.above) if row.above else None, row.reason, row.at, row.by)
        for row in session.scalars(query)
    }


def bound_of(session: Session, park: str) -> Decimal | None:
    """From which effect on the submissions of a park need two people: its own rule, else that of all; None: never."""
    rules = second_check_rules(session)
    rule = rules.get(park) or rules.get("")
    return rule.above if rule else None


def record_first_opinion(session: Session, number: str, text: str, *, now: datetime, actor: str) -> FirstOpinion:
    """Enter that a submission can be accepted. Raises RefusalError where it cannot be accepted now, or somebody has said so."""
    row = row_of(session, number)
    require_step(number, State(row.state), State.ACCEPTED)
    if (before := first_opinion(session, number)) is not None:
        raise RefusalError(f"{number} 已由{title_of(session, before.by)}初审,须由另一人复核。")
    opinion = {"submission_id": row.id, "text": text.strip(), "at": now, "by": actor}
    trail.append(
        session, at=now, actor=actor, action="first_opinion", subject=number, reason=text.strip(),
        rows=trail.Rows(FirstOpinionRow, [opinion]),
    )  # fmt: skip
    return FirstOpinion(number, text.strip(), now, actor)


def first_opinion(session: Session, number: str) -> FirstOpinion | None:
    """The opinion that waits for a second person; None where there is none, or a decision has come after it."""
    row_id = row_of(session, number).id
    last = session.scalars(
        select(FirstOpinionRow).where(FirstOpinionRow.submission_id == row_id).order_by(FirstOpinionRow.id.desc())
    ).first()
    if last is None:
        return None
    decided = select(DecisionRow.id).where(DecisionRow.submission_id == row_id, DecisionRow.trail_seq > last.trail_seq)
    if session.scalar(decided.limit(1)) is not None:
        return None
    return FirstOpinion(number, last.text, last.at, last.by)


def opinions_of(session: Session, number: str) -> list[FirstOpinion]:
    """Every first opinion on a submission, also those a decision has come after, in order."""
    rows = session.scalars(
        select(FirstOpinionRow)
        .where(FirstOpinionRow.submission_id == row_of(session, number).id)
        .order_by(FirstOpinionRow.id)
    )
    return [FirstOpinion(number, row.text, row.at, row.by) for row in rows]
