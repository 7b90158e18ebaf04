"""Tables on what enterprises hand in under their own accounts, before their park takes it up.

As in ``models``: columns that may change are said so, triggers refuse every other update and every deletion.
"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from warehouse.ledger.columns import CanonicalJson
from warehouse.ledger.models import Base


class ReturnState(StrEnum):
    """Where an enterprise's return stands; the value is what the ledger keeps."""

    RECEIVED = "received"
    FAULTY = "faulty"
    CLEAN = "clean"
    CONFIRMED = "confirmed"
    TAKEN_UP = "taken_up"

    @property
    def label(self) -> str:
        """As a clerk reads it."""
        return _LABELS[self]


_LABELS = {
    ReturnState.RECEIVED: "已收到,审核中",
    ReturnState.FAULTY: "有错误,须改正",
    ReturnState.CLEAN: "没有错误,待确认",
    ReturnState.CONFIRMED: "企业已确认",
    ReturnState.TAKEN_UP: "园区已汇集",
}


class EnterpriseReturnRow(Base):
    """One workbook of one enterprise for a period 企业自填表. Only ``state``, ``state_at`` and ``state_seq`` change."""

    __tablename__ = "enterprise_returns"
    __table_args__ = (
        # Two uploads at once count the same next revision; one of them must lose.
        UniqueConstraint("park", "period", "unit_id", "revision"),
        CheckConstraint(f"state IN ({', '.join(repr(str(state)) for state in ReturnState)})", name="state"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(unique=True)
    park: Mapped[str]
    period: Mapped[str]
    edition: Mapped[str]
    unit_id: Mapped[str]
    revision: Mapped[int]
    sha256: Mapped[str] = mapped_column(String(64))
    size: Mapped[int]
    name: Mapped[str]
    channel: Mapped[str]
    received_at: Mapped[datetime]
    received_by: Mapped[str]
    state: Mapped[str]
    state_at: Mapped[datetime]
    state_seq: Mapped[int]


class ReturnCheckRow(Base):
    """One run of reader and rules over an enterprise's return. A new check is another row."""

    __tablename__ = "return_checks"
    __table_args__ = (UniqueConstraint("return_id", "attempt"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    return_id: Mapped[int] = mapped_column(ForeignKey("enterprise_returns.id"))
    attempt: Mapped[int]
    checked_at: Mapped[datetime]
    reader_version: Mapped[str]
    rule_set_hash: Mapped[str]
    operand_hash: Mapped[str]
    observations_blob: Mapped[str | None] = mapped_column(String(64))
    findings_blob: Mapped[str | None] = mapped_column(String(64))
    forms: Mapped[Any] = mapped_column(CanonicalJson)
    counts: Mapped[Any] = mapped_column(CanonicalJson)
    blocking: Mapped[int]
    to_explain: Mapped[int]
    unreadable: Mapped[str | None]
    trail_seq: Mapped[int] = mapped_column(index=True)


class ReturnExplanationRow(Base):
    """Why a soft finding on an enterprise's return is right as it stands; the latest of a finding counts."""

    __tablename__ = "return_explanations"
    id: Mapped[int] = mapped_column(primary_key=True)
    return_id: Mapped[int] = mapped_column(ForeignKey("enterprise_returns.id"), index=True)
    finding_key: Mapped[str]
    reason_code: Mapped[str]
    text: Mapped[str]
    by: Mapped[str]
    at: Mapped[datetime]
    trail_seq: Mapped[int] = mapped_column(index=True)


class ReturnConfirmationRow(Base):
    """An enterprise stands by its return, in the names of those who answer for it.

    ``basis``: how it confirmed, where its park recorded that for it; empty where it confirmed under its own account.
    ``evidence``: hash of a paper in the vault."""

    __tablename__ = "return_confirmations"
    id: Mapped[int] = mapped_column(primary_key=True)
    return_id: Mapped[int] = mapped_column(ForeignKey("enterprise_returns.id"), unique=True)
    confirmed_by: Mapped[str]
    statistics_head: Mapped[str]
    filled_by: Mapped[str]
    telephone: Mapped[str]
    confirmed_on: Mapped[date]
    basis: Mapped[str]
    evidence: Mapped[str | None] = mapped_column(String(64))
    recorded_at: Mapped[datetime]
    recorded_by: Mapped[str]
    trail_seq: Mapped[int] = mapped_column(index=True)
