"""Tables on what enterprises and parks hand in about a unit: applications to the register, confirmations of figures.

As in ``models``: columns that may change are said so, triggers refuse every other update and every deletion.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from warehouse.ledger.columns import CanonicalJson
from warehouse.ledger.models import UNIT_EVENTS, Base

RESTRUCTURINGS = ("merger", "split")
_KINDS = ", ".join(f"'{kind}'" for kind in (*UNIT_EVENTS, *RESTRUCTURINGS))
_MADE = ", ".join(f"'{kind}'" for kind in RESTRUCTURINGS)


class ApplicationRow(Base):
    """An application to the register 名录变动申请 with its evidence. The decision is filled in once, by the statistician.

    ``evidence``: [hash, name] of each file in the vault. ``attributes`` as of the event it asks for.
    """

    __tablename__ = "register_applications"
    __table_args__ = (
        CheckConstraint(f"kind IN ({_KINDS})", name="kind"),
        CheckConstraint("decision IS NULL OR decision IN ('approved', 'declined')", name="decision"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    unit_id: Mapped[str] = mapped_column(index=True)
    park: Mapped[str] = mapped_column(index=True)
    to_park: Mapped[str]
    sub_park: Mapped[str]
    attributes: Mapped[Any] = mapped_column(CanonicalJson)
    basis: Mapped[str]
    evidence: Mapped[Any] = mapped_column(CanonicalJson)
    applied_at: Mapped[datetime]
    applied_by: Mapped[str]
    decision: Mapped[str | None]
    effective: Mapped[date | None]
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[str | None]
    reason: Mapped[str | None]
    event_id: Mapped[int | None] = mapped_column(ForeignKey("unit_events.id"))
    others: Mapped[Any] = mapped_column(CanonicalJson)  # the other units of a merger or split


class RestructuringRow(Base):
    """A merger or split of units of the register. ``predecessors`` and ``successors``: lists of unit ids."""

    __tablename__ = "unit_restructurings"
    __table_args__ = (CheckConstraint(f"kind IN ({_MADE})", name="kind"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    effective: Mapped[date] = mapped_column(index=True)
    predecessors: Mapped[Any] = mapped_column(CanonicalJson)
    successors: Mapped[Any] = mapped_column(CanonicalJson)
    basis: Mapped[str]
    recorded_at: Mapped[datetime]
    recorded_by: Mapped[str]
    trail_seq: Mapped[int] = mapped_column(index=True)


class ConfirmationRow(Base):
    """An enterprise confirmed the figures that its park filed for it 企业确认. ``file``: hash of the workbook it saw."""

    __tablename__ = "unit_confirmations"
    __table_args__ = (Index(None, "submission", "unit_id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    submission: Mapped[str] = mapped_column(ForeignKey("submissions.number"))
    unit_id: Mapped[str]
    file: Mapped[str] = mapped_column(String(64))
    confirmed_by: Mapped[str]
    confirmed_on: Mapped[date]
    basis: Mapped[str]
    evidence: Mapped[str | None] = mapped_column(String(64))
    recorded_at: Mapped[datetime]
    recorded_by: Mapped[str]
    trail_seq: Mapped[int] = mapped_column(index=True)
