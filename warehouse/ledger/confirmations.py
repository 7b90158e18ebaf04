"""Confirmations 企业确认: an enterprise stands by the figures that its park filed for it. They stay with their submission."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from schemas.errors import RefusalError
from warehouse.ledger import trail
from warehouse.ledger.submissions import row_of
from warehouse.ledger.unit_models import ConfirmationRow


@dataclass(frozen=True)
class Confirmation:
    """Who confirmed for which unit, on which day and how. ``file``: hash of the workbook with its figures;
    ``evidence``: hash of a paper in the vault (a signed print, a letter), None where there is none."""

    unit_id: str
    file: str
    confirmed_by: str
    confirmed_on: date
    basis: str
    evidence: str | None = None


def record_confirmations(
    session: Session, number: str, given: Iterable[Confirmation], *, now: datetime, actor: str
) -> int:
    """Enter confirmations for a submission; what is on record already is not entered again. How many were entered."""
    row_of(session, number)
    known = set(confirmations_of(session, number))
    fresh = [one for one in dict.fromkeys(given) if one not in known]
    for one in fresh:
        if not one.confirmed_by.strip() or not one.basis.strip():
            raise RefusalError(f"单位 {one.unit_id} 的企业确认须写明确认人和确认方式。")
    if fresh:
        rows = [{"submission": number, **asdict(one), "recorded_at": now, "recorded_by": actor} for one in fresh]
        trail.append(
            session,
            at=now,
            actor=actor,
            action="units_confirmed",
            subject=number,
            payload={"units": len(fresh)},
            rows=trail.Rows(ConfirmationRow, rows),
        )
    return len(fresh)


def confirmations_of(session: Session, number: str) -> list[Confirmation]:
    """The confirmations of a submission, in the order they were recorded."""
    query = select(ConfirmationRow).where(ConfirmationRow.submission == number).order_by(ConfirmationRow.id)
    return [
        Confirmation(row.unit_id, row.file, row.confirmed_by, row.confirmed_on, row.basis, row.evidence)
        for row in session.scalars(query)
    ]
