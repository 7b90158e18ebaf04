"""Requests for unit data 个体数据使用申请: asked for with a purpose, approved by another person until a time, taken back any time.

Nothing is changed or deleted: every step is another row, and what a request is worth follows from them and the clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from schemas.errors import RefusalError
from schemas.period import Period
from warehouse.ledger import trail
from warehouse.ledger.office_models import DataRequestRow, DataRequestStepRow

SHORTEST_PURPOSE = 10
LONGEST = timedelta(days=31)
"""No approval lasts longer; who still needs the data asks again."""


class Standing(StrEnum):
    """What a request is worth at a time."""

    WAITING = "waiting"
    APPROVED = "approved"
    EXPIRED = "expired"
    DECLINED = "declined"
    REVOKED = "revoked"

    @property
    def label(self) -> str:
        """As people read it."""
        return {
            "waiting": "待批准",
            "approved": "已批准",
            "expired": "已到期",
            "declined": "未批准",
            "revoked": "已收回",
        }[self.value]


@dataclass(frozen=True)
class DataRequest:
    """One request. ``park`` empty: of all parks. ``until``: how long the approval holds, where there is one."""

    id: int
    period: Period
    park: str
    forms: tuple[str, ...]
    purpose: str
    at: datetime
    by: str
    step: str
    until: datetime | None
    reason: str
    decided_by: str
    decided_at: datetime | None

    def standing(self, now: datetime) -> Standing:
        """What it is worth now."""
        match self.step:
            case "":
                return Standing.WAITING
            case "approve":
                return Standing.APPROVED if self.until is not None and now < self.until else Standing.EXPIRED
            case "decline":
                return Standing.DECLINED
        return Standing.REVOKED


def ask(
    session: Session, period: Period, park: str, forms: Sequence[str], purpose: str, *, now: datetime, actor: str
) -> DataRequest:
    """Ask for unit data. Whether forms and park exist is for the caller. Raises RefusalError without a real purpose or forms."""
    said = purpose.strip()
    if len(said) < SHORTEST_PURPOSE:
        raise RefusalError(f"请写明用途(不少于 {SHORTEST_PURPOSE} 字):做什么研究或工作,结果怎样使用。")
    if not forms:
        raise RefusalError("请至少选一张表:只申请用得着的。")
    row = {
        "period": str(period), "park": park, "forms": " ".join(dict.fromkeys(forms)), "purpose": said, "at": now, "by": actor,
    }  # fmt: skip
    head = trail.append(
        session, at=now, actor=actor, action="unit_data_asked", subject=f"unit_data/{period}/{park or '*'}", reason=said,
        payload={"forms": list(dict.fromkeys(forms))}, rows=trail.Rows(DataRequestRow, [row]),
    )  # fmt: skip
    made = session.scalar(select(DataRequestRow.id).where(DataRequestRow.trail_seq == head.seq))
    assert made is not None
    return data_request(session, made)


def approve(
    session: Session, number: int, until: datetime, *, reason: str = "", now: datetime, actor: str
) -> DataRequest:
    """Approve a request until a time. Raises RefusalError for the person who asked, for a request that is decided, and for a
    time that is past or further off than ``LONGEST``."""
    found = data_request(session, number)
    if found.by == actor:
        raise RefusalError("个体数据须由另一人批准,申请人不能批准自己的申请。")
    _require(found, now, (Standing.WAITING,))
    if not now < until <= now + LONGEST:
        raise RefusalError(f"批准的期限应在现在之后、{LONGEST.days} 天以内。")
    return _step(session, found, "approve", until, reason, now=now, actor=actor)


def decline(session: Session, number: int, *, reason: str, now: datetime, actor: str) -> DataRequest:
    """Decline a request, with a reason."""
    found = data_request(session, number)
    _require(found, now, (Standing.WAITING,))
    return _step(session, found, "decline", None, _said(reason, "不批准"), now=now, actor=actor)


def revoke(session: Session, number: int, *, reason: str, now: datetime, actor: str) -> DataRequest:
    """Take an approval back, with a reason."""
    found = data_request(session, number)
    _require(found, now, (Standing.APPROVED,))
    return _step(session, found, "revoke", None, _said(reason, "收回批准"), now=now, actor=actor)


def data_request(session: Session, number: int) -> DataRequest:
    """One request. Raises RefusalError for an unknown number."""
    row = session.get(DataRequestRow, number)
    if row is None:
        raise RefusalError(f"没有编号为 {number} 的个体数据申请。")
    return _request(session, row)


def data_requests(session: Session, by: str | None = None) -> list[DataRequest]:
    """The requests of one person or all, the newest first."""
    query = select(DataRequestRow).order_by(DataRequestRow.id.desc())
    if by is not None:
        query = query.where(DataRequestRow.by == by)
    return [_request(session, row) for row in session.scalars(query)]


def _require(found: DataRequest, now: datetime, states: Sequence[Standing]) -> None:
    if found.standing(now) not in states:
        raise RefusalError(f"申请 {found.id} 现在是“{found.standing(now).label}”,不能这样办理。")


def _said(reason: str, what: str) -> str:
    if not reason.strip():
        raise RefusalError(f"{what}须写明原因。")
    return reason.strip()


def _step(
    session: Session, found: DataRequest, step: str, until: datetime | None, reason: str, *, now: datetime, actor: str
) -> DataRequest:
    row = {"request_id": found.id, "step": step, "until": until, "reason": reason.strip(), "at": now, "by": actor}
    trail.append(
        session, at=now, actor=actor, action=f"unit_data_{step}d",
        subject=f"unit_data/{found.period}/{found.park or '*'}", reason=reason.strip(), payload={"request": found.id},
        rows=trail.Rows(DataRequestStepRow, [row]),
    )  # fmt: skip
    return data_request(session, found.id)


def _request(session: Session, row: DataRequestRow) -> DataRequest:
    last = session.scalars(
        select(DataRequestStepRow).where(DataRequestStepRow.request_id == row.id).order_by(DataRequestStepRow.id.desc())
    ).first()
    return DataRequest(
        row.id, Period.parse(row.period), row.park, tuple(row.forms.split()), row.purpose, row.at, row.by,
        last.step if last else "", last.until if last else None, last.reason if last else "", last.by if last else "",
        last.at if last else None,
    )  # fmt: skip
