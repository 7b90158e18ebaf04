"""Reminders 催报 that went out, as those who sent them say: to whom, how, with which words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from schemas.errors import RefusalError
from schemas.period import Period
from warehouse.ledger import trail
from warehouse.ledger.office_models import SentReminderRow

BY_SYSTEM = "system"
WAYS = {
    "telephone": "电话",
    "sms": "短信",
    "letter": "公函",
    "message": "即时通信",
    "other": "其他",
    BY_SYSTEM: "本系统通知",
}
"""How a reminder can have gone out by hand; or (``BY_SYSTEM``) that the park reads it in the portal and the outbox sends it."""


@dataclass(frozen=True)
class SentReminder:
    """One reminder that went out."""

    period: Period
    park: str
    way: str
    text: str
    at: datetime
    by: str


def record_sent(
    session: Session, period: Period, sent: Sequence[tuple[str, str]], way: str, *, now: datetime, actor: str
) -> int:
    """Enter reminders (park, words) as sent. How many. Raises RefusalError for none, or for an unknown way."""
    if way not in WAYS:
        raise RefusalError(f"没有催报方式“{way[:20]}”,可选:{'、'.join(f'{k}({v})' for k, v in WAYS.items())}。")
    if not sent:
        raise RefusalError("没有选中任何园区。")
    rows = [
        {"period": str(period), "park": park, "way": way, "text": text, "at": now, "by": actor} for park, text in sent
    ]
    trail.append(
        session, at=now, actor=actor, action="reminded", subject=f"round/{period}",
        payload={"way": way, "parks": [park for park, _ in sent]}, rows=trail.Rows(SentReminderRow, rows),
    )  # fmt: skip
    return len(rows)


def sent_reminders(session: Session, period: Period) -> dict[str, list[SentReminder]]:
    """Park → the reminders of a round that went out, the newest first."""
    query = select(SentReminderRow).where(SentReminderRow.period == str(period)).order_by(SentReminderRow.id.desc())
    found: dict[str, list[SentReminder]] = {}
    for row in session.scalars(query):
        found.setdefault(row.park, []).append(SentReminder(period, row.park, row.way, row.text, row.at, row.by))
    return found


def sent_to(session: Session, park: str, way: str) -> list[SentReminder]:
    """The reminders of a park that went out in one way, of every period, the newest first."""
    query = (
        select(SentReminderRow)
        .where(SentReminderRow.park == park, SentReminderRow.way == way)
        .order_by(SentReminderRow.id.desc())
    )
    return [
        SentReminder(Period.parse(row.period), row.park, row.way, row.text, row.at, row.by)
        for row in session.scalars(query)
    ]
