"""Tables of what passes between office and parks besides reports: notices, requests to correct after closing, handovers.

They only grow: what is decided or taken back is another row. As in ``models``: triggers refuse every update and deletion.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from warehouse.ledger.columns import CanonicalJson
from warehouse.ledger.models import Base


class NoticeRow(Base):
    """A notice 通知 to parks; ``period`` and ``park`` empty: for every period, for all. ``withdraws``: the notice that this
    row takes back, None where it posts one."""

    __tablename__ = "notices"
    id: Mapped[int] = mapped_column(primary_key=True)
    withdraws: Mapped[int | None] = mapped_column(ForeignKey("notices.id"))
    period: Mapped[str]
    park: Mapped[str]
    title: Mapped[str]
    text: Mapped[str]
    at: Mapped[datetime]
    by: Mapped[str]
    trail_seq: Mapped[int] = mapped_column(index=True)


class CorrectionRequestRow(Base):
    """A park asks to correct, or to file late, after the round was closed 关网后更正申请. ``evidence``: [hash, name] of files."""

    __tablename__ = "correction_requests"
    __table_args__ = (Index(None, "period", "park"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    park: Mapped[str]
    period: Mapped[str]
    reason: Mapped[str]
    evidence: Mapped[Any] = mapped_column(CanonicalJson)
    at: Mapped[datetime]
    by: Mapped[str]
    trail_seq: Mapped[int] = mapped_column(index=True)


class CorrectionDecisionRow(Base):
    """How a request to correct was decided; ``until``: the park may file until then; ``reopened``: the submission whose
    acceptance was withdrawn with it, empty where it stays in force until the corrected one is accepted."""

    __tablename__ = "correction_decisions"
    __table_args__ = (CheckConstraint("decision IN ('granted', 'declined')", name="decision"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    request: Mapped[int] = mapped_column(ForeignKey("correction_requests.id"), unique=True)
    decision: Mapped[str]
    until: Mapped[datetime | None]
    reopened: Mapped[str]
    reason: Mapped[str]
    at: Mapped[datetime]
    by: Mapped[str]
    trail_seq: Mapped[int] = mapped_column(index=True)


class HandoverRow(Base):
    """A park reporter hands the duties to a successor 交接: who, why, to which account. The account's history stays its own."""

    __tablename__ = "handovers"
    id: Mapped[int] = mapped_column(primary_key=True)
    park: Mapped[str] = mapped_column(index=True)
    from_user: Mapped[str] = mapped_column(ForeignKey("users.name"))
    to_user: Mapped[str]
    to_title: Mapped[str]
    telephone: Mapped[str]
    reason: Mapped[str]
    at: Mapped[datetime]
    by: Mapped[str]
    trail_seq: Mapped[int] = mapped_column(index=True)


class HandoverDecisionRow(Base):
    """How a handover was decided by an administrator, or taken back by who asked for it."""

    __tablename__ = "handover_decisions"
    __table_args__ = (CheckConstraint("decision IN ('confirmed', 'declined')", name="decision"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    handover: Mapped[int] = mapped_column(ForeignKey("handovers.id"), unique=True)
    decision: Mapped[str]
    reason: Mapped[str]
    at: Mapped[datetime]
    by: Mapped[str]
    trail_seq: Mapped[int] = mapped_column(index=True)
