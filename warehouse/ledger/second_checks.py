"""Acceptance by two people 复核: from which effect on it is asked for, and the opinion of the first of them.

A bound that is lowered, or stated for the first time, counts at once; one that is raised or taken away only for what is
received after it, so that nobody who would accept alone can do away with the second person by a new bound.

An opinion is on one submission. It counts until a decision is made on it: after a withdrawn acceptance both start again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from schemas.errors import RefusalError
from warehouse.ledger import trail
from warehouse.ledger.models import DecisionRow, SubmittedFileRow
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
    """State from which effect on two people accept; an empty ``above`` asks for one only. 0 is every submission. For what has been
    received already only a stricter bound counts (``bound_of``).

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


def bound_of(session: Session, number: str) -> Decimal | None:
    """From which effect on a submission needs two people; None: never.

    The rule of its park, else that of all, as it stood when the submission was received; where it has been made stricter since,
    the strictest. The order is that of the trail, never of the clock.
    """
    found = row_of(session, number)
    received = session.scalar(
        select(func.min(SubmittedFileRow.trail_seq)).where(SubmittedFileRow.submission_id == found.id)
    )
    rules: dict[str, SecondCheckRuleRow] = {}
    bounds: list[Decimal | None] = [None]
    for row in session.scalars(select(SecondCheckRuleRow).order_by(SecondCheckRuleRow.id)):
        rules[row.park] = row
        rule = rules.get(found.park) or rules.get("")
        bound = Decimal(rule.above) if rule and rule.above else None
        if received is None or row.trail_seq > received:
            bounds.append(bound)
        else:
            bounds = [bound]
    return min((one for one in bounds if one is not None), default=None)


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
