"""Tables of the statisticians' own work: who reviews what, first opinions, reminders sent, release dates, requests for unit data.

They only grow: what is taken back is another row. As in ``models``: triggers refuse every update and every deletion.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from warehouse.ledger.models import Base

DATA_REQUEST_STEPS = ("approve", "decline", "revoke")
_STEPS = ", ".join(f"'{step}'" for step in DATA_REQUEST_STEPS)


class AssignmentRow(Base):
    """Who reviews a park in a round 分派; the latest entry counts, an empty ``reviewer`` is nobody."""

    __tablename__ = "review_assignments"
    __table_args__ = (Index(None, "period", "park"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    park: Mapped[str]
    period: Mapped[str]
    reviewer: Mapped[str]
    reason: Mapped[str]
    at: Mapped[datetime]
    by: Mapped[str]
    trail_seq: Mapped[int] = mapped_column(index=True)


class SecondCheckRuleRow(Base):
    """From which effect on an acceptance needs two people 复核界限; of a park, or of all where ``park`` is empty. The latest
    entry counts. ``above``: the number as written, empty where no second person is asked for."""

    __tablename__ = "second_check_rules"
    id: Mapped[int] = mapped_column(primary_key=True)
    park: Mapped[str]
    above: Mapped[str]
    reason: Mapped[str]
    at: Mapped[datetime]
    by: Mapped[str]
    trail_seq: Mapped[int] = mapped_column(index=True)


class FirstOpinionRow(Base):
    """A reviewer's opinion 初审意见 that a submission can be accepted, where another person has to agree."""

    __tablename__ = "first_opinions"
    id: Mapped[int] = mapped_column(primary_key=True)
    submission_id: Mapped[int] = mapped_column(ForeignKey("submissions.id"), index=True)
    text: Mapped[str]
    at: Mapped[datetime]
    by: Mapped[str]
    trail_seq: Mapped[int] = mapped_column(index=True)


class SentReminderRow(Base):
    """A reminder 催报 that somebody says was sent, and how; the words hold no figure."""

    __tablename__ = "sent_reminders"
    __table_args__ = (Index(None, "period", "park"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    period: Mapped[str]
    park: Mapped[str]
    way: Mapped[str]
    text: Mapped[str]
    at: Mapped[datetime]
    by: Mapped[str]
    trail_seq: Mapped[int] = mapped_column(index=True)


class ReleaseDateRow(Base):
    """When a release is announced for 发布日程; the latest entry of a period counts, a change says why."""

    __tablename__ = "release_dates"
    id: Mapped[int] = mapped_column(primary_key=True)
    period: Mapped[str] = mapped_column(index=True)
    due: Mapped[datetime]
    reason: Mapped[str]
    at: Mapped[datetime]
    by: Mapped[str]
    trail_seq: Mapped[int] = mapped_column(index=True)


class DataRequestRow(Base):
    """A request for unit data 个体数据使用申请: whose, which forms, what for, until when it is needed."""

    __tablename__ = "data_requests"
    id: Mapped[int] = mapped_column(primary_key=True)
    period: Mapped[str]
    park: Mapped[str]
    forms: Mapped[str]
    purpose: Mapped[str]
    at: Mapped[datetime]
    by: Mapped[str]
    trail_seq: Mapped[int] = mapped_column(index=True)


class DataRequestStepRow(Base):
    """What became of a request: approved until a time, declined, or an approval taken back."""

    __tablename__ = "data_request_steps"
    __table_args__ = (CheckConstraint(f"step IN ({_STEPS})", name="step"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    request_id: Mapped[int] = mapped_column(ForeignKey("data_requests.id"), index=True)
    step: Mapped[str]
    until: Mapped[datetime | None]
    reason: Mapped[str]
    at: Mapped[datetime]
    by: Mapped[str]
    trail_seq: Mapped[int] = mapped_column(index=True)
