"""Proposals shown to parks 更正建议: what was proposed for which cell of a submission, and why. Shown is what stands here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from warehouse.ledger import trail
from warehouse.ledger.models import ProposedValueRow
from warehouse.ledger.submissions import row_of


@dataclass(frozen=True)
class ProposedValue:
    """One cell: what stands there and what is proposed, as text; the kind of slip, its words, and the rules it would satisfy."""

    form: str
    unit_id: str
    column: str
    current: str
    proposed: str
    kind: str
    reason: str
    rules: tuple[str, ...]


def record_proposed_values(
    session: Session, number: str, made: Iterable[ProposedValue], *, now: datetime, actor: str
) -> int:
    """Enter what is about to be shown, with one link in the trail. What is on record is not entered again. How many were."""
    known = set(proposed_values_of(session, number))
    fresh = [one for one in dict.fromkeys(made) if one not in known]
    if fresh:
        rows = [
            {
                "submission_id": row_of(session, number).id, "form": one.form, "unit_id": one.unit_id, "column": one.column,
                "current": one.current, "proposed": one.proposed, "kind": one.kind, "reason": one.reason,
                "rules": " ".join(one.rules), "at": now,
            }
            for one in fresh
        ]  # fmt: skip
        trail.append(
            session, at=now, actor=actor, action="values_proposed", subject=number,
            rows=trail.Rows(ProposedValueRow, rows),
        )  # fmt: skip
    return len(fresh)


def proposed_values_of(session: Session, number: str) -> list[ProposedValue]:
    """What was proposed for a submission, in the order it was entered."""
    query = select(ProposedValueRow).where(ProposedValueRow.submission_id == row_of(session, number).id)
    return [
        ProposedValue(r.form, r.unit_id, r.column, r.current, r.proposed, r.kind, r.reason, tuple(r.rules.split()))
        for r in session.scalars(query.order_by(ProposedValueRow.id))
    ]
