"""The outbox 待发消息: mail and short messages on their way, so that none is lost and none goes out twice by itself.

A message is marked as being sent before it is handed over. If the process ends in between, nobody knows whether it went
out: then it is ``unsure`` and waits for a person, who sends it again or lets it be.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from schemas.errors import RefusalError
from warehouse.ledger import trail
from warehouse.ledger.access_models import CursorRow, MessageRow

PAUSES = tuple(timedelta(minutes=n) for n in (1, 5, 15, 60, 180, 360, 720))
"""How long to wait after each attempt that failed for now; after the last the message is given up."""
_LONGEST_FAULT = 200


@dataclass(frozen=True)
class Message:
    """A message. ``key`` names its cause; ``body`` is empty once it is out."""

    id: int
    key: str
    channel: str
    user: str
    address: str
    subject: str
    body: str
    created_at: datetime
    state: str
    attempts: int
    done_at: datetime | None
    fault: str


def enqueue(
    session: Session,
    *,
    key: str,
    channel: str,
    user: str,
    address: str,
    subject: str,
    body: str,
    now: datetime,
    actor: str,
) -> bool:
    """Put a message in the outbox; False where one of this key was there before."""
    if session.scalar(select(MessageRow.id).where(MessageRow.key == key)) is not None:
        return False
    session.add(
        MessageRow(
            key=key, channel=channel, user=user, address=address, subject=subject, body=body, created_at=now,
            created_by=actor, state="waiting", attempts=0, next_at=now, fault="",
        )
    )  # fmt: skip
    session.flush()
    return True


def claim(session: Session, now: datetime, channels: tuple[str, ...]) -> Message | None:
    """The next message that is due on one of these channels, marked as being sent; None where none is."""
    query = (
        select(MessageRow)
        .where(MessageRow.state == "waiting", MessageRow.next_at <= now, MessageRow.channel.in_(channels))
        .order_by(MessageRow.id)
        .limit(1)
    )
    row = session.scalar(query)
    if row is None:
        return None
    row.state, row.attempts = "sending", row.attempts + 1
    session.flush()
    return _message(row)


def sent(session: Session, number: int, *, now: datetime) -> None:
    """It went out."""
    row = _sending(session, number)
    row.state, row.done_at, row.body, row.fault = "sent", now, "", ""
    _note(session, row, "message_sent", now)


def put_off(session: Session, number: int, fault: str, *, now: datetime) -> None:
    """It did not go out and may the next time; after the last attempt it is given up."""
    row = _sending(session, number)
    row.fault = fault[:_LONGEST_FAULT]
    if row.attempts > len(PAUSES):
        row.state, row.done_at = "failed", now
        _note(session, row, "message_failed", now)
    else:
        row.state, row.next_at = "waiting", now + PAUSES[row.attempts - 1]


def give_up(session: Session, number: int, fault: str, *, now: datetime, is_sure: bool = True) -> None:
    """It will never go out; or (not ``is_sure``) nobody knows whether it did."""
    row = _sending(session, number)
    row.state, row.done_at, row.fault = "failed" if is_sure else "unsure", now, fault[:_LONGEST_FAULT]
    _note(session, row, "message_failed" if is_sure else "message_unsure", now)


def interrupted(session: Session, *, now: datetime) -> int:
    """At the start of the one process that sends: what was being sent when the last one ended is unsure. How many."""
    rows = list(session.scalars(select(MessageRow).where(MessageRow.state == "sending")))
    for row in rows:
        row.state, row.done_at, row.fault = "unsure", now, "发送时系统中断"
        _note(session, row, "message_unsure", now)
    return len(rows)


def send_again(session: Session, number: int, *, now: datetime, actor: str) -> None:
    """A person decides that a message goes out (again). Raises RefusalError where it is not failed or unsure."""
    row = _undecided(session, number)
    row.state, row.attempts, row.next_at, row.done_at = "waiting", 0, now, None
    trail.append(session, at=now, actor=actor, action="message_again", subject=f"message/{number}")


def let_be(session: Session, number: int, *, now: datetime, actor: str) -> None:
    """A person decides that a message does not go out; its words vanish."""
    row = _undecided(session, number)
    row.state, row.body, row.done_at, row.fault = "failed", "", now, "已作废"
    trail.append(session, at=now, actor=actor, action="message_dropped", subject=f"message/{number}")


def messages(session: Session, most: int = 200) -> list[Message]:
    """The newest messages."""
    return [_message(row) for row in session.scalars(select(MessageRow).order_by(MessageRow.id.desc()).limit(most))]


def waiting(session: Session) -> int:
    """How many are not out yet."""
    return session.scalar(select(func.count()).where(MessageRow.state.in_(("waiting", "sending")))) or 0


def cursor(session: Session) -> int | None:
    """Up to which link of the trail messages have been written; None before the first time."""
    row = session.get(CursorRow, 1)
    return row.seq if row else None


def move_cursor(session: Session, seq: int) -> None:
    """Messages have been written up to this link."""
    session.merge(CursorRow(id=1, seq=seq))
    session.flush()


def _sending(session: Session, number: int) -> MessageRow:
    row = session.get_one(MessageRow, number)
    if row.state != "sending":
        raise RefusalError(f"消息 {number} 不在发送中。")
    return row


def _undecided(session: Session, number: int) -> MessageRow:
    row = session.get(MessageRow, number)
    if row is None or row.state not in ("failed", "unsure") or not row.body:
        raise RefusalError("没有这条消息,或它不需要处理。")
    return row


def _note(session: Session, row: MessageRow, action: str, now: datetime) -> None:
    trail.append(
        session, at=now, actor="系统", action=action, subject=f"message/{row.id}",
        payload={"channel": row.channel, "user": row.user, "attempts": row.attempts},
    )  # fmt: skip


def _message(row: MessageRow) -> Message:
    return Message(
        row.id, row.key, row.channel, row.user, row.address, row.subject, row.body, row.created_at, row.state,
        row.attempts, row.done_at, row.fault,
    )  # fmt: skip
