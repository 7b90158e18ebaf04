"""Changed figures of the year before 上年同期改动: what a template was issued with, what the park states, and why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from warehouse.ledger import trail
from warehouse.ledger.models import RestatementRow
from warehouse.ledger.submissions import row_of


@dataclass(frozen=True)
class Restatement:
    """One changed cell; figures as text, empty where it was blank."""

    form: str
    unit_id: str
    column: str
    issued: str
    stated: str
    reason_code: str


def record_restatements(
    session: Session, number: str, cells: Iterable[tuple[str, ...]], *, now: datetime, actor: str
) -> int:
    """Enter the changes of a submission (form, unit, column, issued, stated, reason code). How many were entered.

    What is on record already, from an earlier check of the same files, is not entered again.
    """
    known = set(restatements_of(session, number))
    fresh = [one for one in dict.fromkeys(Restatement(*cell) for cell in cells) if one not in known]
    if fresh:
        rows = [
            {
                "submission_id": row_of(session, number).id, "form": one.form, "unit_id": one.unit_id, "column": one.column,
                "issued": one.issued, "stated": one.stated, "reason_code": one.reason_code, "at": now,
            }
            for one in fresh
        ]  # fmt: skip
        trail.append(
            session, at=now, actor=actor, action="restatements", subject=number, rows=trail.Rows(RestatementRow, rows)
        )
    return len(fresh)


def restatements_of(session: Session, number: str) -> list[Restatement]:
    """The changes of a submission, in the order of the workbook."""
    query = select(RestatementRow).where(RestatementRow.submission_id == row_of(session, number).id)
    return [
        Restatement(row.form, row.unit_id, row.column, row.issued, row.stated, row.reason_code)
        for row in session.scalars(query.order_by(RestatementRow.id))
    ]
