"""Query threads between reviewer and park, and the reasons for figures of the year before that were changed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

MESSAGE = "the ledger keeps history: no update, no deletion"
INSTANT = sa.String(27)
TABLES = ("query_threads", "query_messages", "restatements")


def upgrade() -> None:
    op.create_table(
        "query_threads",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("park", sa.String(), nullable=False),
        sa.Column("period", sa.String(), nullable=False),
        sa.Column("submission", sa.String(), nullable=False),
        sa.Column("finding_key", sa.String(), nullable=False),
        sa.Column("form", sa.String(), nullable=False),
        sa.Column("unit_id", sa.String(), nullable=False),
        sa.Column("column", sa.String(), nullable=False),
        sa.Column("question", sa.String(), nullable=False),
        sa.Column("due", sa.Date(), nullable=False),
        sa.Column("asked_at", INSTANT, nullable=False),
        sa.Column("asked_by", sa.String(), nullable=False),
        sa.Column("trail_seq", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["submission"], ["submissions.number"], name=op.f("fk_query_threads_submission_submissions")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_query_threads")),
    )
    op.create_index(op.f("ix_query_threads_park_period"), "query_threads", ["park", "period"])
    op.create_index(op.f("ix_query_threads_trail_seq"), "query_threads", ["trail_seq"])
    op.create_table(
        "query_messages",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("thread_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("trail_seq", sa.Integer(), nullable=False),
        sa.CheckConstraint("kind IN ('ask', 'answer', 'close')", name=op.f("ck_query_messages_kind")),
        sa.ForeignKeyConstraint(
            ["thread_id"], ["query_threads.id"], name=op.f("fk_query_messages_thread_id_query_threads")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_query_messages")),
    )
    op.create_index(op.f("ix_query_messages_thread_id"), "query_messages", ["thread_id"])
    op.create_index(op.f("ix_query_messages_trail_seq"), "query_messages", ["trail_seq"])
    op.create_table(
        "restatements",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("submission_id", sa.Integer(), nullable=False),
        sa.Column("form", sa.String(), nullable=False),
        sa.Column("unit_id", sa.String(), nullable=False),
        sa.Column("column", sa.String(), nullable=False),
        sa.Column("issued", sa.String(), nullable=False),
        sa.Column("stated", sa.String(), nullable=False),
        sa.Column("reason_code", sa.String(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("trail_seq", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["submission_id"], ["submissions.id"], name=op.f("fk_restatements_submission_id_submissions")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_restatements")),
    )
    op.create_index(op.f("ix_restatements_submission_id"), "restatements", ["submission_id"])
    op.create_index(op.f("ix_restatements_trail_seq"), "restatements", ["trail_seq"])
    _guard()


def _guard() -> None:
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    for table in TABLES:
        for name, event in (("no_update", "UPDATE"), ("no_delete", "DELETE")):
            if is_sqlite:
                act = f"BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END"
            else:
                act = "FOR EACH ROW EXECUTE FUNCTION ledger_refuse()"
            op.execute(f"CREATE TRIGGER {table}_{name} BEFORE {event} ON {table} {act}")
        if not is_sqlite:
            op.execute(
                f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} FOR EACH STATEMENT "
                "EXECUTE FUNCTION ledger_refuse()"
            )
