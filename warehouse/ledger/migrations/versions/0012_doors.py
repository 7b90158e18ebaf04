"""What stands behind the doors: recovery codes, messages on their way out, requests of programs that came before."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

INSTANT = sa.String(27)


def upgrade() -> None:
    op.create_table(
        "recovery_codes",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("user", sa.String(), nullable=False),
        sa.Column("made_at", INSTANT, nullable=False),
        sa.Column("used_at", INSTANT, nullable=True),
        sa.ForeignKeyConstraint(["user"], ["users.name"], name=op.f("fk_recovery_codes_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recovery_codes")),
    )
    op.create_index(op.f("ix_recovery_codes_user"), "recovery_codes", ["user"])
    texts = ("key", "channel", "user", "address", "subject", "body", "created_by", "state", "fault")
    op.create_table(
        "outbox",
        sa.Column("id", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in texts),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("next_at", INSTANT, nullable=False),
        sa.Column("done_at", INSTANT, nullable=True),
        sa.CheckConstraint("channel IN ('mail', 'sms')", name=op.f("ck_outbox_channel")),
        sa.CheckConstraint("state IN ('waiting', 'sending', 'sent', 'failed', 'unsure')", name=op.f("ck_outbox_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sa.UniqueConstraint("key", name=op.f("uq_outbox_key")),
    )
    op.create_index(op.f("ix_outbox_state_next_at"), "outbox", ["state", "next_at"])
    op.create_table(
        "api_requests",
        sa.Column("user", sa.String(), nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("submission", sa.String(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["user"], ["users.name"], name=op.f("fk_api_requests_user")),
        sa.PrimaryKeyConstraint("user", "key", name=op.f("pk_api_requests")),
    )
