"""Tables behind the doors: recovery codes of a second factor, messages on their way out, requests of programs that came before.

As in ``models``: columns that may change are said so. Nothing here is a record of what was decided; the trail is.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from warehouse.ledger.models import Base, _one_of

CHANNELS = ("mail", "sms")
MESSAGE_STATES = ("waiting", "sending", "sent", "failed", "unsure")


class RecoveryCodeRow(Base):
    """A code that stands in once for the second factor; the number is its hash. ``used_at`` is filled in once."""

    __tablename__ = "recovery_codes"
    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    user: Mapped[str] = mapped_column(ForeignKey("users.name"), index=True)
    made_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class MessageRow(Base):
    """A message on its way out. ``key`` names its cause, so that one cause makes one message.

    ``state``, ``attempts``, ``next_at``, ``done_at`` and ``fault`` change; ``body`` is emptied once it is out or given up,
    since a code may stand in it.
    """

    __tablename__ = "outbox"
    __table_args__ = (
        UniqueConstraint("key"),
        CheckConstraint(_one_of("channel", CHANNELS), name="channel"),
        CheckConstraint(_one_of("state", MESSAGE_STATES), name="state"),
        Index(None, "state", "next_at"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str]
    channel: Mapped[str]
    user: Mapped[str]
    address: Mapped[str]
    subject: Mapped[str]
    body: Mapped[str]
    created_at: Mapped[datetime]
    created_by: Mapped[str]
    state: Mapped[str]
    attempts: Mapped[int]
    next_at: Mapped[datetime]
    done_at: Mapped[datetime | None]
    fault: Mapped[str]


class RequestRow(Base):
    """A request of a program under a key of its own (Idempotency-Key): what it was, and what came of it."""

    __tablename__ = "api_requests"
    user: Mapped[str] = mapped_column(ForeignKey("users.name"), primary_key=True)
    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64))
    submission: Mapped[str]
    at: Mapped[datetime]


class CursorRow(Base):
    """Up to which link of the trail messages have been written. One row; ``seq`` changes."""

    __tablename__ = "outbox_cursor"
    id: Mapped[int] = mapped_column(primary_key=True)
    seq: Mapped[int]
