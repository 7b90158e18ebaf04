"""Tables of the evaluation: what was decided on parks, and figures that somebody provided. Both only grow.

As in ``models``: triggers refuse every update and every deletion.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from warehouse.ledger.columns import CanonicalJson
from warehouse.ledger.models import Base

LADDER_EVENTS = ("move", "task", "report", "verify", "reject", "appeal", "upheld", "dismissed")
_KINDS = ", ".join(f"'{kind}'" for kind in LADDER_EVENTS)


class LadderEventRow(Base):
    """One step on the ladder of praise and warning 等级与处置. ``about``: the task or move it concerns; ``evidence``: what the
    machine had found when the step was taken; ``definition``: version of the ladder."""

    __tablename__ = "ladder_events"
    __table_args__ = (CheckConstraint(f"kind IN ({_KINDS})", name="kind"), Index(None, "park", "id"))
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    park: Mapped[str]
    year: Mapped[int]
    day: Mapped[date]
    from_rung: Mapped[str]
    to_rung: Mapped[str]
    about: Mapped[int | None] = mapped_column(ForeignKey("ladder_events.id"))
    due: Mapped[date | None]
    text: Mapped[str]
    document: Mapped[str]
    responsible: Mapped[str]
    evidence: Mapped[Any] = mapped_column(CanonicalJson)
    definition: Mapped[str]
    recorded_at: Mapped[datetime]
    recorded_by: Mapped[str]
    trail_seq: Mapped[int] = mapped_column(index=True)


class ProvidedFigureRow(Base):
    """A figure of an evaluation scheme that is not computed: an expert's score, an external number, with its basis.

    ``value`` is the number as written, empty where an earlier one is withdrawn; the latest of a key counts. ``file``: the
    file it came in, a blob of the vault.
    """

    __tablename__ = "evaluation_figures"
    __table_args__ = (Index(None, "scheme", "unit", "year"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    scheme: Mapped[str]
    unit: Mapped[str]
    year: Mapped[int]
    indicator: Mapped[str]
    value: Mapped[str]
    basis: Mapped[str]
    file: Mapped[str] = mapped_column(String(64))
    recorded_at: Mapped[datetime]
    recorded_by: Mapped[str]
    trail_seq: Mapped[int] = mapped_column(index=True)
