"""Proposals shown to parks: what was proposed for which cell, and why."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

MESSAGE = "the ledger keeps history: no update, no deletion"


def upgrade() -> None:
    texts = ("form", "unit_id", "column", "current", "proposed", "kind", "reason", "rules")
    op.create_table(
        "proposed_values",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("submission_id", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in texts),
        sa.Column("at", sa.String(27), nullable=False),
        sa.Column("trail_seq", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["submission_id"], ["submissions.id"], name=op.f("fk_proposed_values_submission_id_submissions")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_proposed_values")),
    )
    op.create_index(op.f("ix_proposed_values_submission_id"), "proposed_values", ["submission_id"])
    op.create_index(op.f("ix_proposed_values_trail_seq"), "proposed_values", ["trail_seq"])
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    refuse = (
        f"BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END" if is_sqlite else "FOR EACH ROW EXECUTE FUNCTION ledger_refuse()"
    )
    for name, event in (("no_update", "UPDATE"), ("no_delete", "DELETE")):
        op.execute(f"CREATE TRIGGER proposed_values_{name} BEFORE {event} ON proposed_values {refuse}")
    if not is_sqlite:
        op.execute(
            "CREATE TRIGGER proposed_values_no_truncate BEFORE TRUNCATE ON proposed_values FOR EACH STATEMENT "
            "EXECUTE FUNCTION ledger_refuse()"
        )
