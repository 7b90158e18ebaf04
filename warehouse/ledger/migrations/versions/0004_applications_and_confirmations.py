"""Applications to the unit register, and confirmations by enterprises for which their park filed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

MESSAGE = "the ledger keeps history: no update, no deletion"
ASKED = "id, kind, unit_id, park, to_park, sub_park, attributes, basis, evidence, applied_at, applied_by"
INSTANT = sa.String(27)


def upgrade() -> None:
    op.create_table(
        "register_applications",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("unit_id", sa.String(), nullable=False),
        sa.Column("park", sa.String(), nullable=False),
        sa.Column("to_park", sa.String(), nullable=False),
        sa.Column("sub_park", sa.String(), nullable=False),
        sa.Column("attributes", sa.String(), nullable=False),
        sa.Column("basis", sa.String(), nullable=False),
        sa.Column("evidence", sa.String(), nullable=False),
        sa.Column("applied_at", INSTANT, nullable=False),
        sa.Column("applied_by", sa.String(), nullable=False),
        sa.Column("decision", sa.String(), nullable=True),
        sa.Column("effective", sa.Date(), nullable=True),
        sa.Column("decided_at", INSTANT, nullable=True),
        sa.Column("decided_by", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("event_id", sa.Integer(), nullable=True),
        sa.CheckConstraint("kind IN ('entry', 'change', 'move', 'exit')", name=op.f("ck_register_applications_kind")),
        sa.CheckConstraint(
            "decision IS NULL OR decision IN ('approved', 'declined')", name=op.f("ck_register_applications_decision")
        ),
        sa.ForeignKeyConstraint(
            ["event_id"], ["unit_events.id"], name=op.f("fk_register_applications_event_id_unit_events")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_register_applications")),
    )
    op.create_index(op.f("ix_register_applications_unit_id"), "register_applications", ["unit_id"])
    op.create_index(op.f("ix_register_applications_park"), "register_applications", ["park"])
    op.create_table(
        "unit_confirmations",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("submission", sa.String(), nullable=False),
        sa.Column("unit_id", sa.String(), nullable=False),
        sa.Column("file", sa.String(64), nullable=False),
        sa.Column("confirmed_by", sa.String(), nullable=False),
        sa.Column("confirmed_on", sa.Date(), nullable=False),
        sa.Column("basis", sa.String(), nullable=False),
        sa.Column("evidence", sa.String(64), nullable=True),
        sa.Column("recorded_at", INSTANT, nullable=False),
        sa.Column("recorded_by", sa.String(), nullable=False),
        sa.Column("trail_seq", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["submission"], ["submissions.number"], name=op.f("fk_unit_confirmations_submission_submissions")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_unit_confirmations")),
    )
    op.create_index(op.f("ix_unit_confirmations_submission_unit_id"), "unit_confirmations", ["submission", "unit_id"])
    op.create_index(op.f("ix_unit_confirmations_trail_seq"), "unit_confirmations", ["trail_seq"])
    _guard()


def _guard() -> None:
    refusals = {
        "register_applications": {
            "no_update": f"UPDATE OF {ASKED}", "no_delete": "DELETE", "closed": "UPDATE",
        },
        "unit_confirmations": {"no_update": "UPDATE", "no_delete": "DELETE"},
    }  # fmt: skip
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    for table, events in refusals.items():
        for name, event in events.items():
            when = "WHEN OLD.decision IS NOT NULL" if name == "closed" else ""
            if is_sqlite:
                act = f"{when} BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END"
                op.execute(f"CREATE TRIGGER {table}_{name} BEFORE {event} ON {table} {act}")
            else:
                when = f"WHEN ({when.removeprefix('WHEN ')})" if when else ""
                act = f"FOR EACH ROW {when} EXECUTE FUNCTION ledger_refuse()"
                op.execute(f"CREATE TRIGGER {table}_{name} BEFORE {event} ON {table} {act}")
        if not is_sqlite:
            op.execute(
                f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} FOR EACH STATEMENT "
                "EXECUTE FUNCTION ledger_refuse()"
            )
