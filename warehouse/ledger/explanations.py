"""Explanations 情况说明: why a soft finding is right as it stands. They stay with their submission."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from schemas.errors import RefusalError
from warehouse.ledger import trail
from warehouse.ledger.models import ExplanationRow
from warehouse.ledger.states import State
from warehouse.ledger.submissions import row_of


@dataclass(frozen=True)
class NewExplanation:
    """An explanation as given: a reason code of the programme and the words."""

    finding_key: str
    reason_code: str
    text: str


@dataclass(frozen=True)
class Explanation(NewExplanation):
    """An explanation on record."""

    by: str
    at: datetime


def finding_key(finding: Mapping[str, object]) -> str:
    """What tells one row of a findings frame (``schemas.findings``) from another, whichever cell it stood in:
    rule (its code where no rule found it), form, unit and column, joined by ``|``."""
    parts = (finding["rule"] or finding["code"], finding["form"], finding["unit_id"], finding["column"])
    return "|".join("" if part is None else str(part) for part in parts)


def record_explanations(
    session: Session, number: str, given: Iterable[NewExplanation], *, now: datetime, actor: str, taken_over: int = 0
) -> int:
    """Enter explanations for a checked submission; a later one of the same finding takes the place of the earlier.

    Whether a reason code exists and the words say something is for the caller, who has the programme; none without a
    code is taken. What is on record word for word is not entered again. How many were entered. ``taken_over``: how many of
    them the park confirmed word for word as it gave them for an earlier revision; the trail says so.
    """
    row = row_of(session, number)
    if row.state != State.CHECKED:
        raise RefusalError(f"{number} 当前状态为“{State(row.state).label}”,只有待说明的报送可以填写情况说明。")
    on_record = explanations_of(session, number)
    fresh: dict[str, NewExplanation] = {}
    for one in given:
        if not one.reason_code.strip():
            raise RefusalError("情况说明须选择原因码。")
        before = on_record.get(one.finding_key)
        if before is None or (before.reason_code, before.text) != (one.reason_code, one.text):
            fresh[one.finding_key] = one
    if not fresh:
        return 0
    # The words may hold figures: the trail gets their hash only.
    rows = [
        {
            "submission_id": row.id,
            "finding_key": one.finding_key,
            "reason_code": one.reason_code,
            "text": one.text,
            "by": actor,
            "at": now,
        }
        for one in fresh.values()
    ]
    trail.append(
        session,
        at=now,
        actor=actor,
        action="explanations_given",
        subject=number,
        payload={"taken_over": taken_over} if taken_over else None,
        rows=trail.Rows(ExplanationRow, rows),
    )
    return len(fresh)


def explanations_of(session: Session, number: str) -> dict[str, Explanation]:
    """Finding key → the explanation that counts."""
    query = select(ExplanationRow).where(ExplanationRow.submission_id == row_of(session, number).id)
    return {
        row.finding_key: Explanation(row.finding_key, row.reason_code, row.text, row.by, row.at)
        for row in session.scalars(query.order_by(ExplanationRow.id))
    }
