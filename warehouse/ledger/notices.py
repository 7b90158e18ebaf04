"""Notices 通知: a statistician tells parks something, for a period or for all; what was said stays on record."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from schemas.errors import RefusalError
from schemas.period import Period
from warehouse.ledger import trail
from warehouse.ledger.correspondence_models import NoticeRow

LONGEST_TITLE, LONGEST_TEXT = 100, 5000


@dataclass(frozen=True)
class Notice:
    """A notice on record; ``period`` None: for every period; ``park`` empty: for all parks."""

    id: int
    period: Period | None
    park: str
    title: str
    text: str
    at: datetime
    by: str
    is_withdrawn: bool = False


def post_notice(
    session: Session,
    title: str,
    text: str,
    *,
    period: Period | None = None,
    park: str = "",
    now: datetime,
    actor: str,
) -> Notice:
    """Post a notice. Raises RefusalError where title or text is missing or endless."""
    title, text = title.strip(), text.strip()
    if not title or not text:
        raise RefusalError("通知须写明标题和内容。")
    if len(title) > LONGEST_TITLE or len(text) > LONGEST_TEXT:
        raise RefusalError(f"通知的标题不超过 {LONGEST_TITLE} 字,内容不超过 {LONGEST_TEXT} 字。")
    _record(session, "notice_posted", None, str(period or ""), park, title, text, now=now, actor=actor)
    return notices(session)[0]


def withdraw_notice(session: Session, number: int, *, reason: str, now: datetime, actor: str) -> None:
    """Take a notice back, with the reason; parks do not see it any more, the record does."""
    standing = {one.id: one for one in notices(session)}
    if number not in standing:
        raise RefusalError(
            f"没有第 {number} 号通知,或已撤回。", command="编号见 ytb notice list。", page="现行的通知见“通知”页。"
        )
    if not reason.strip():
        raise RefusalError("撤回通知须写明原因。")
    of = standing[number]
    _record(
        session, "notice_withdrawn", number, str(of.period or ""), of.park, of.title, reason.strip(), now=now, actor=actor
    )  # fmt: skip


def notices(session: Session, *, park: str | None = None, withdrawn: bool = False) -> list[Notice]:
    """The notices that stand, the newest first. ``park``: only those for it; ``withdrawn``: also those taken back."""
    rows = session.scalars(select(NoticeRow).order_by(NoticeRow.id.desc())).all()
    gone = {row.withdraws for row in rows if row.withdraws is not None}
    return [
        Notice(
            row.id, Period.parse(row.period) if row.period else None, row.park, row.title, row.text, row.at, row.by,
            row.id in gone,
        )
        for row in rows
        if row.withdraws is None
        and (withdrawn or row.id not in gone)
        and (park is None or row.park in ("", park))
    ]  # fmt: skip


def _record(
    session: Session,
    action: str,
    withdraws: int | None,
    period: str,
    park: str,
    title: str,
    text: str,
    *,
    now: datetime,
    actor: str,
) -> None:
    row = {
        "withdraws": withdraws, "period": period, "park": park, "title": title, "text": text, "at": now, "by": actor,
    }  # fmt: skip
    trail.append(
        session, at=now, actor=actor, action=action, subject=f"notice/{park or 'all'}", reason=title,
        rows=trail.Rows(NoticeRow, [row]),
    )  # fmt: skip
