"""The tables of the ledger."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "answer_statuses",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("period", sa.String(), nullable=False),
        sa.Column("unit_id", sa.String(), nullable=False),
        sa.Column("park", sa.String(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("evidence", sa.String(), nullable=False),
        sa.Column("recorded_at", sa.String(length=27), nullable=False),
        sa.Column("recorded_by", sa.String(), nullable=False),
        sa.Column("trail_seq", sa.Integer(), nullable=False),
        sa.CheckConstraint("status BETWEEN 0 AND 8", name=op.f("ck_answer_statuses_status")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_answer_statuses")),
    )
    op.create_index(op.f("ix_answer_statuses_period_unit_id"), "answer_statuses", ["period", "unit_id"])
    op.create_index(op.f("ix_answer_statuses_trail_seq"), "answer_statuses", ["trail_seq"])

    op.create_table(
        "parks",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("short_name", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("class", sa.String(), nullable=False),
        sa.Column("zone", sa.String(), nullable=False),
        sa.Column("province", sa.String(), nullable=False),
        sa.Column("city", sa.String(), nullable=False),
        sa.Column("division_code", sa.String(), nullable=False),
        sa.Column("groups", sa.String(), nullable=False),
        sa.Column("entry_date", sa.String(), nullable=False),
        sa.Column("exit_date", sa.String(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("recorded_at", sa.String(length=27), nullable=False),
        sa.Column("recorded_by", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_parks")),
        sa.UniqueConstraint("code", "entry_date", name=op.f("uq_parks_code_entry_date")),
    )
    op.create_table(
        "register_snapshots",
        sa.Column("period", sa.String(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("units", sa.Integer(), nullable=False),
        sa.Column("blob", sa.String(length=64), nullable=False),
        sa.Column("taken_at", sa.String(length=27), nullable=False),
        sa.Column("taken_by", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("trail_seq", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("period", "revision", name=op.f("pk_register_snapshots")),
    )
    op.create_index(op.f("ix_register_snapshots_trail_seq"), "register_snapshots", ["trail_seq"])

    op.create_table(
        "releases",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("period", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("manifest", sa.String(length=64), nullable=False),
        sa.Column("released_at", sa.String(length=27), nullable=False),
        sa.Column("released_by", sa.String(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("withdrawn_at", sa.String(length=27), nullable=True),
        sa.Column("withdrawn_by", sa.String(), nullable=True),
        sa.Column("withdrawal_reason", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_releases")),
        sa.UniqueConstraint("period", "number", name=op.f("uq_releases_period_number")),
    )
    op.create_table(
        "round_events",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("period", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("edition", sa.String(), nullable=False),
        sa.Column("park", sa.String(), nullable=True),
        sa.Column("deadline", sa.String(length=27), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("at", sa.String(length=27), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("trail_seq", sa.Integer(), nullable=False),
        sa.CheckConstraint("action IN ('open', 'close', 'extend')", name=op.f("ck_round_events_action")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_round_events")),
    )
    op.create_index(op.f("ix_round_events_period"), "round_events", ["period"])
    op.create_index(op.f("ix_round_events_trail_seq"), "round_events", ["trail_seq"])

    op.create_table(
        "submissions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("number", sa.String(), nullable=False),
        sa.Column("park", sa.String(), nullable=False),
        sa.Column("period", sa.String(), nullable=False),
        sa.Column("edition", sa.String(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("files_digest", sa.String(length=64), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("received_at", sa.String(length=27), nullable=False),
        sa.Column("received_by", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("state_at", sa.String(length=27), nullable=False),
        sa.Column("state_seq", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "state IN ('received', 'unreadable', 'checked', 'failed', 'explained', 'reported', 'returned', 'accepted', 'reopened', 'superseded')",
            name=op.f("ck_submissions_state"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_submissions")),
        sa.UniqueConstraint("number", name=op.f("uq_submissions_number")),
        sa.UniqueConstraint("park", "period", "revision", name=op.f("uq_submissions_park_period_revision")),
    )
    op.create_index(op.f("ix_submissions_period_state"), "submissions", ["period", "state"])

    op.create_table(
        "trail",
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("from_state", sa.String(), nullable=True),
        sa.Column("to_state", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("payload", sa.String(), nullable=False),
        sa.Column("prev_hash", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_trail")),
    )
    op.create_index(op.f("ix_trail_subject_seq"), "trail", ["subject", "seq"])

    op.create_table(
        "unit_events",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("unit_id", sa.String(), nullable=False),
        sa.Column("effective", sa.Date(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("park", sa.String(), nullable=False),
        sa.Column("sub_park", sa.String(), nullable=False),
        sa.Column("attributes", sa.String(), nullable=False),
        sa.Column("basis", sa.String(), nullable=False),
        sa.Column("recorded_at", sa.String(length=27), nullable=False),
        sa.Column("recorded_by", sa.String(), nullable=False),
        sa.Column("trail_seq", sa.Integer(), nullable=False),
        sa.CheckConstraint("kind IN ('entry', 'change', 'move', 'exit')", name=op.f("ck_unit_events_kind")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_unit_events")),
    )
    op.create_index(op.f("ix_unit_events_trail_seq"), "unit_events", ["trail_seq"])
    op.create_index(op.f("ix_unit_events_unit_id_effective"), "unit_events", ["unit_id", "effective"])

    op.create_table(
        "users",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("park", sa.String(), nullable=True),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("password_hash", sa.String(), nullable=True),
        sa.Column("password_set_at", sa.String(length=27), nullable=True),
        sa.Column("created_at", sa.String(length=27), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.CheckConstraint("role <> 'park_reporter' OR park IS NOT NULL", name=op.f("ck_users_reporter_has_park")),
        sa.CheckConstraint(
            "role IN ('province_statistician', 'reviewer', 'publisher', 'park_reporter', 'analyst', 'administrator', 'auditor')",
            name=op.f("ck_users_role"),
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_users")),
    )
    op.create_table(
        "checks",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("submission_id", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("checked_at", sa.String(length=27), nullable=False),
        sa.Column("reader_version", sa.String(), nullable=False),
        sa.Column("rule_set_hash", sa.String(), nullable=False),
        sa.Column("operand_hash", sa.String(), nullable=False),
        sa.Column("observations_blob", sa.String(length=64), nullable=True),
        sa.Column("findings_blob", sa.String(length=64), nullable=True),
        sa.Column("forms", sa.String(), nullable=False),
        sa.Column("counts", sa.String(), nullable=False),
        sa.Column("blocking", sa.Integer(), nullable=False),
        sa.Column("to_explain", sa.Integer(), nullable=False),
        sa.Column("unreadable", sa.String(), nullable=True),
        sa.Column("trail_seq", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["submission_id"], ["submissions.id"], name=op.f("fk_checks_submission_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_checks")),
        sa.UniqueConstraint("submission_id", "attempt", name=op.f("uq_checks_submission_id_attempt")),
    )
    op.create_index(op.f("ix_checks_trail_seq"), "checks", ["trail_seq"])

    op.create_table(
        "decisions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("submission_id", sa.Integer(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("at", sa.String(length=27), nullable=False),
        sa.Column("trail_seq", sa.Integer(), nullable=False),
        sa.CheckConstraint("action IN ('accept', 'return', 'reopen')", name=op.f("ck_decisions_action")),
        sa.ForeignKeyConstraint(["submission_id"], ["submissions.id"], name=op.f("fk_decisions_submission_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decisions")),
    )
    op.create_index(op.f("ix_decisions_submission_id"), "decisions", ["submission_id"])
    op.create_index(op.f("ix_decisions_trail_seq"), "decisions", ["trail_seq"])

    op.create_table(
        "explanations",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("submission_id", sa.Integer(), nullable=False),
        sa.Column("finding_key", sa.String(), nullable=False),
        sa.Column("reason_code", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("at", sa.String(length=27), nullable=False),
        sa.Column("trail_seq", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["submission_id"], ["submissions.id"], name=op.f("fk_explanations_submission_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_explanations")),
    )
    op.create_index(op.f("ix_explanations_submission_id_finding_key"), "explanations", ["submission_id", "finding_key"])
    op.create_index(op.f("ix_explanations_trail_seq"), "explanations", ["trail_seq"])

    op.create_table(
        "queries",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("submission_id", sa.Integer(), nullable=False),
        sa.Column("finding_key", sa.String(), nullable=False),
        sa.Column("question", sa.String(), nullable=False),
        sa.Column("asked_by", sa.String(), nullable=False),
        sa.Column("asked_at", sa.String(length=27), nullable=False),
        sa.Column("answer", sa.String(), nullable=True),
        sa.Column("answered_by", sa.String(), nullable=True),
        sa.Column("answered_at", sa.String(length=27), nullable=True),
        sa.ForeignKeyConstraint(["submission_id"], ["submissions.id"], name=op.f("fk_queries_submission_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_queries")),
    )
    op.create_index(op.f("ix_queries_submission_id"), "queries", ["submission_id"])

    op.create_table(
        "register_proposals",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("submission", sa.String(), nullable=False),
        sa.Column("period", sa.String(), nullable=False),
        sa.Column("park", sa.String(), nullable=False),
        sa.Column("unit_id", sa.String(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("register_value", sa.String(), nullable=True),
        sa.Column("reported_value", sa.String(), nullable=True),
        sa.Column("recorded_at", sa.String(length=27), nullable=False),
        sa.Column("decision", sa.String(), nullable=True),
        sa.Column("decided_at", sa.String(length=27), nullable=True),
        sa.Column("decided_by", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("event_id", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "decision IS NULL OR decision IN ('accepted', 'rejected')", name=op.f("ck_register_proposals_decision")
        ),
        sa.ForeignKeyConstraint(["event_id"], ["unit_events.id"], name=op.f("fk_register_proposals_event_id")),
        sa.ForeignKeyConstraint(["submission"], ["submissions.number"], name=op.f("fk_register_proposals_submission")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_register_proposals")),
        sa.UniqueConstraint(
            "submission", "unit_id", "code", name=op.f("uq_register_proposals_submission_unit_id_code")
        ),
    )
    op.create_index(op.f("ix_register_proposals_period"), "register_proposals", ["period"])

    op.create_table(
        "submission_files",
        sa.Column("submission_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("trail_seq", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["submission_id"], ["submissions.id"], name=op.f("fk_submission_files_submission_id")),
        sa.PrimaryKeyConstraint("submission_id", "position", name=op.f("pk_submission_files")),
    )
    op.create_index(op.f("ix_submission_files_sha256"), "submission_files", ["sha256"])
    op.create_index(op.f("ix_submission_files_trail_seq"), "submission_files", ["trail_seq"])
