"""Table of administrative records taken in: tax, market supervision, lists of recognised enterprises. It only grows."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from warehouse.ledger.models import Base


class AdministrativeImportRow(Base):
    """One file of an authority taken in 部门行政记录. ``book``, ``mapping``, ``records`` are files of the vault (the records as a
    frame). ``withdraws``: the import that this row takes back, None where it takes one in; ``reason`` says why."""

    __tablename__ = "administrative_imports"
    id: Mapped[int] = mapped_column(primary_key=True)
    withdraws: Mapped[int | None] = mapped_column(ForeignKey("administrative_imports.id"))
    kind: Mapped[str]
    authority: Mapped[str]
    title: Mapped[str]
    name: Mapped[str]
    book: Mapped[str]
    mapping: Mapped[str]
    records: Mapped[str]
    reason: Mapped[str]
    at: Mapped[datetime]
    by: Mapped[str]
    trail_seq: Mapped[int] = mapped_column(index=True)
