"""The tables of the ledger. Migrations make them; a test compares both.

Columns that may change are said so; triggers refuse every other update and every deletion (``migrations``).
``trail_seq`` is the link of the trail that recorded the row and holds the hash of what it says.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, Date, ForeignKey, Index, MetaData, String, UniqueConstraint, false
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from warehouse.ledger.columns import CanonicalJson, Instant
from warehouse.ledger.states import State

ROLES = {
    "province_statistician": "省级统计人员",
    "reviewer": "审核人员",
    "publisher": "发布人员",
    "park_reporter": "园区填报人员",
    "park_approver": "园区审核人",
    "enterprise": "企业填报人员",
    "city": "市级管理人员",
    "analyst": "查询分析人员",
    "assessor": "第三方评估人员",
    "administrator": "系统管理员",
    "security_administrator": "安全管理员",
    "auditor": "审计管理员",
}
SCOPED_ROLES = ("park_reporter", "park_approver", "city")
"""Who acts for one node of the tree of parks (``scopes``) and for no more; others may be given one."""
UNIT_EVENTS = ("entry", "change", "move", "exit")
ROUND_ACTIONS = ("open", "close", "extend")
REQUEST_STATES = ("waiting", "running", "done", "failed", "declined")


def _one_of(column: str, values: tuple[str, ...]) -> str:
    return f"{column} IN ({', '.join(repr(value) for value in values)})"


class Base(DeclarativeBase):
    """All tables."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: Instant(), date: Date(), str: String()}  # noqa: RUF012 (SQLAlchemy reads it)


class ParkRow(Base):
    """One line of the park register 园区名录; an upgrade or renaming is another line. Only ``exit_date`` and ``note`` change.

    Dates are ISO text and empty where the register says "from the start" or "still there": so they can be a key.
    """

    __tablename__ = "parks"
    __table_args__ = (UniqueConstraint("code", "entry_date"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str]
    name: Mapped[str]
    short_name: Mapped[str]
    kind: Mapped[str]
    class_: Mapped[str] = mapped_column("class")
    zone: Mapped[str]
    province: Mapped[str]
    city: Mapped[str]
    division_code: Mapped[str]
    groups: Mapped[str]
    entry_date: Mapped[str]
    exit_date: Mapped[str]
    note: Mapped[str]
    recorded_at: Mapped[datetime]
    recorded_by: Mapped[str]


class UserRow(Base):
    """A person. ``disabled``, ``email``, ``telephone``, the password fields and those of the second factor change; ``role`` and
    ``park`` where the newest link of the trail says so (``role_changes``).

    ``park`` is the node of the tree of parks the person acts for: a park, an area, or a city or province by name; null: all.

    ``unit_id`` is the enterprise of that park whose account it is, null for all other roles.
    ``password_one_time``: the password is a printed code that only lets its holder choose another. ``totp_nonce`` is what
    the secret of the second factor is derived from; ``totp_step`` the last time step used, so that no code serves twice.
    """

    __tablename__ = "users"
    __table_args__ = (
        CheckConstraint(_one_of("role", tuple(ROLES)), name="role"),
        CheckConstraint(f"NOT ({_one_of('role', SCOPED_ROLES)}) OR park IS NOT NULL", name="scoped_role_has_park"),
    )
    name: Mapped[str] = mapped_column(primary_key=True)
    title: Mapped[str]
    role: Mapped[str]
    park: Mapped[str | None]
    unit_id: Mapped[str | None]
    disabled: Mapped[bool]
    password_hash: Mapped[str | None]
    password_set_at: Mapped[datetime | None]
    password_one_time: Mapped[bool] = mapped_column(server_default=false())
    totp_nonce: Mapped[str | None]
    totp_step: Mapped[int | None]
    email: Mapped[str | None]
    telephone: Mapped[str | None]
    created_at: Mapped[datetime]
    created_by: Mapped[str]


class UnitEventRow(Base):
    """One dated event in the life of a unit of the register 名录库. ``attributes`` holds the codes that it sets."""

    __tablename__ = "unit_events"
    __table_args__ = (
        CheckConstraint(_one_of("kind", UNIT_EVENTS), name="kind"),
        Index(None, "unit_id", "effective"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    unit_id: Mapped[str]
    effective: Mapped[date]
    kind: Mapped[str]
    park: Mapped[str]
    sub_park: Mapped[str]
    attributes: Mapped[Any] = mapped_column(CanonicalJson)
    basis: Mapped[str]
    recorded_at: Mapped[datetime]
    recorded_by: Mapped[str]
    trail_seq: Mapped[int] = mapped_column(index=True)


class ProposalRow(Base):
    """A difference between a basic form and the register, for a statistician to decide. The decision is filled in once."""

    __tablename__ = "register_proposals"
    __table_args__ = (
        UniqueConstraint("submission", "unit_id", "code"),
        CheckConstraint("decision IS NULL OR decision IN ('accepted', 'rejected')", name="decision"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    submission: Mapped[str] = mapped_column(ForeignKey("submissions.number"))
    period: Mapped[str] = mapped_column(index=True)
    park: Mapped[str]
    unit_id: Mapped[str]
    code: Mapped[str]
    register_value: Mapped[str | None]
    reported_value: Mapped[str | None]
    recorded_at: Mapped[datetime]
    decision: Mapped[str | None]
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[str | None]
    reason: Mapped[str | None]
    event_id: Mapped[int | None] = mapped_column(ForeignKey("unit_events.id"))


class RegisterSnapshotRow(Base):
    """The register frozen for a period: a blob of the vault. The highest revision counts."""

    __tablename__ = "register_snapshots"
    period: Mapped[str] = mapped_column(primary_key=True)
    revision: Mapped[int] = mapped_column(primary_key=True)
    day: Mapped[date]
    units: Mapped[int]
    blob: Mapped[str] = mapped_column(String(64))
    taken_at: Mapped[datetime]
    taken_by: Mapped[str]
    reason: Mapped[str]
    trail_seq: Mapped[int] = mapped_column(index=True)


class AnswerStatusRow(Base):
    """What became of a unit that had to answer, with evidence; the latest entry of a unit and period counts."""

    __tablename__ = "answer_statuses"
    __table_args__ = (CheckConstraint("status BETWEEN 0 AND 8", name="status"), Index(None, "period", "unit_id"))
    id: Mapped[int] = mapped_column(primary_key=True)
    period: Mapped[str]
    unit_id: Mapped[str]
    park: Mapped[str]
    status: Mapped[int]
    evidence: Mapped[str]
    recorded_at: Mapped[datetime]
    recorded_by: Mapped[str]
    trail_seq: Mapped[int] = mapped_column(index=True)


class RoundEventRow(Base):
    """Opening, closing and extending a round of collection; ``park`` where an extension is for one park only."""

    __tablename__ = "round_events"
    __table_args__ = (CheckConstraint(_one_of("action", ROUND_ACTIONS), name="action"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    period: Mapped[str] = mapped_column(index=True)
    action: Mapped[str]
    edition: Mapped[str]
    park: Mapped[str | None]
    deadline: Mapped[datetime | None]
    reason: Mapped[str]
    at: Mapped[datetime]
    by: Mapped[str]
    trail_seq: Mapped[int] = mapped_column(index=True)


class SubmissionRow(Base):
    """A set of files of a park for a period. Only ``state``, ``state_at`` and ``state_seq`` change, by steps of ``states``."""

    __tablename__ = "submissions"
    __table_args__ = (
        # Two uploads at once count the same next revision; one of them must lose.
        UniqueConstraint("park", "period", "revision"),
        CheckConstraint(_one_of("state", tuple(str(state) for state in State)), name="state"),
        Index(None, "period", "state"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(unique=True)
    park: Mapped[str]
    period: Mapped[str]
    edition: Mapped[str]
    revision: Mapped[int]
    files_digest: Mapped[str] = mapped_column(String(64))
    channel: Mapped[str]
    received_at: Mapped[datetime]
    received_by: Mapped[str]
    state: Mapped[str]
    state_at: Mapped[datetime]
    state_seq: Mapped[int]


class SubmittedFileRow(Base):
    """One file of a submission under the name it came with; the bytes are a blob of the vault."""

    __tablename__ = "submission_files"
    submission_id: Mapped[int] = mapped_column(ForeignKey("submissions.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    size: Mapped[int]
    name: Mapped[str]
    role: Mapped[str]
    trail_seq: Mapped[int] = mapped_column(index=True)


class CheckRow(Base):
    """One run of reader and rules over a submission, with what it rested on. A new check is another row."""

    __tablename__ = "checks"
    __table_args__ = (UniqueConstraint("submission_id", "attempt"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    submission_id: Mapped[int] = mapped_column(ForeignKey("submissions.id"))
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


class ExplanationRow(Base):
    """Why a soft finding is right as it stands 情况说明; the latest of a finding counts."""

    __tablename__ = "explanations"
    __table_args__ = (Index(None, "submission_id", "finding_key"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    submission_id: Mapped[int] = mapped_column(ForeignKey("submissions.id"))
    finding_key: Mapped[str]
    reason_code: Mapped[str]
    text: Mapped[str]
    by: Mapped[str]
    at: Mapped[datetime]
    trail_seq: Mapped[int] = mapped_column(index=True)


class DecisionRow(Base):
    """What a reviewer decided on a submission, and why."""

    __tablename__ = "decisions"
    __table_args__ = (CheckConstraint(_one_of("action", ("accept", "return", "reopen")), name="action"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    submission_id: Mapped[int] = mapped_column(ForeignKey("submissions.id"), index=True)
    action: Mapped[str]
    reason: Mapped[str]
    by: Mapped[str]
    at: Mapped[datetime]
    trail_seq: Mapped[int] = mapped_column(index=True)


class QueryRow(Base):
    """A question on a finding 查询 and the written answer, which is filled in once."""

    __tablename__ = "queries"
    id: Mapped[int] = mapped_column(primary_key=True)
    submission_id: Mapped[int] = mapped_column(ForeignKey("submissions.id"), index=True)
    finding_key: Mapped[str]
    question: Mapped[str]
    asked_by: Mapped[str]
    asked_at: Mapped[datetime]
    answer: Mapped[str | None]
    answered_by: Mapped[str | None]
    answered_at: Mapped[datetime | None]


class QueryThreadRow(Base):
    """A question of a reviewer on one cell 查询, by when it is to be answered. What follows stands in its messages."""

    __tablename__ = "query_threads"
    __table_args__ = (Index(None, "park", "period"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    park: Mapped[str]
    period: Mapped[str]
    submission: Mapped[str] = mapped_column(ForeignKey("submissions.number"))
    finding_key: Mapped[str]
    form: Mapped[str]
    unit_id: Mapped[str]
    column: Mapped[str]
    question: Mapped[str]
    due: Mapped[date]
    asked_at: Mapped[datetime]
    asked_by: Mapped[str]
    trail_seq: Mapped[int] = mapped_column(index=True)


class QueryMessageRow(Base):
    """What was said on a query after the question; ``outcome`` is how it ended, where the message closes it."""

    __tablename__ = "query_messages"
    __table_args__ = (CheckConstraint(_one_of("kind", ("ask", "answer", "close")), name="kind"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    thread_id: Mapped[int] = mapped_column(ForeignKey("query_threads.id"), index=True)
    kind: Mapped[str]
    outcome: Mapped[str]
    text: Mapped[str]
    at: Mapped[datetime]
    by: Mapped[str]
    trail_seq: Mapped[int] = mapped_column(index=True)


class RestatementRow(Base):
    """A figure of the year before that a park changed 上年同期改动, with its reason code; figures as text, empty where blank."""

    __tablename__ = "restatements"
    id: Mapped[int] = mapped_column(primary_key=True)
    submission_id: Mapped[int] = mapped_column(ForeignKey("submissions.id"), index=True)
    form: Mapped[str]
    unit_id: Mapped[str]
    column: Mapped[str]
    issued: Mapped[str]
    stated: Mapped[str]
    reason_code: Mapped[str]
    at: Mapped[datetime]
    trail_seq: Mapped[int] = mapped_column(index=True)


class ProposedValueRow(Base):
    """A value proposed to a park for one cell, shown with its finding; ``rules`` are those that would hold, by blanks."""

    __tablename__ = "proposed_values"
    id: Mapped[int] = mapped_column(primary_key=True)
    submission_id: Mapped[int] = mapped_column(ForeignKey("submissions.id"), index=True)
    form: Mapped[str]
    unit_id: Mapped[str]
    column: Mapped[str]
    current: Mapped[str]
    proposed: Mapped[str]
    kind: Mapped[str]
    reason: Mapped[str]
    rules: Mapped[str]
    at: Mapped[datetime]
    trail_seq: Mapped[int] = mapped_column(index=True)


class ReleaseRow(Base):
    """A release of a period. Only the withdrawal is filled in later, once."""

    __tablename__ = "releases"
    __table_args__ = (UniqueConstraint("period", "number"),)
    id: Mapped[str] = mapped_column(primary_key=True)
    period: Mapped[str]
    number: Mapped[int]
    manifest: Mapped[str] = mapped_column(String(64))
    released_at: Mapped[datetime]
    released_by: Mapped[str]
    note: Mapped[str]
    withdrawn_at: Mapped[datetime | None]
    withdrawn_by: Mapped[str | None]
    withdrawal_reason: Mapped[str | None]


class TrailRow(Base):
    """One link of the chain. Every column but ``seq`` is text as it was hashed, so that no spelling can change unseen."""

    __tablename__ = "trail"
    __table_args__ = (Index(None, "subject", "seq"),)
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[str]
    actor: Mapped[str]
    action: Mapped[str]
    subject: Mapped[str]
    from_state: Mapped[str | None]
    to_state: Mapped[str | None]
    reason: Mapped[str]
    payload: Mapped[str]
    prev_hash: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))


class SessionRow(Base):
    """A person signed in. The number is the hash of what the browser holds. ``seen_at`` and the end change."""

    __tablename__ = "sessions"
    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    user: Mapped[str] = mapped_column(ForeignKey("users.name"), index=True)
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    address: Mapped[str]
    agent: Mapped[str]
    ended_at: Mapped[datetime | None]
    end_reason: Mapped[str | None]


class SignInFailureRow(Base):
    """A sign-in that failed: what locks an account or an address for a while. Old ones are dropped; the trail keeps them."""

    __tablename__ = "sign_in_failures"
    id: Mapped[int] = mapped_column(primary_key=True)
    account: Mapped[str] = mapped_column(index=True)
    address: Mapped[str] = mapped_column(index=True)
    at: Mapped[datetime]


class ApiTokenRow(Base):
    """A key for programs; the number is the hash of the token. ``revoked_at`` and ``used_at`` change."""

    __tablename__ = "api_tokens"
    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    user: Mapped[str] = mapped_column(ForeignKey("users.name"), index=True)
    label: Mapped[str]
    scopes: Mapped[Any] = mapped_column(CanonicalJson)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class ReleaseRequestRow(Base):
    """One person asks for a release, another confirms or declines it. What was asked for never changes."""

    __tablename__ = "release_requests"
    __table_args__ = (CheckConstraint(_one_of("state", REQUEST_STATES), name="state"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    period: Mapped[str]
    reason: Mapped[str]
    requested_by: Mapped[str]
    requested_at: Mapped[datetime]
    state: Mapped[str]
    decided_by: Mapped[str | None]
    decided_at: Mapped[datetime | None]
    release: Mapped[str | None]
    message: Mapped[str | None]
