"""The evaluation: steps on the ladder of praise and warning, and provided figures."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

MESSAGE = "the ledger keeps history: no update, no deletion"
INSTANT = sa.String(27)


def upgrade() -> None:
    op.create_table(
        "ladder_events",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("park", sa.String(), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("from_rung", sa.String(), nullable=False),
        sa.Column("to_rung", sa.String(), nullable=False),
        sa.Column("about", sa.Integer(), nullable=True),
        sa.Column("due", sa.Date(), nullable=True),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("document", sa.String(), nullable=False),
        sa.Column("responsible", sa.String(), nullable=False),
        sa.Column("evidence", sa.String(), nullable=False),
        sa.Column("definition", sa.String(), nullable=False),
        sa.Column("recorded_at", INSTANT, nullable=False),
        sa.Column("recorded_by", sa.String(), nullable=False),
        sa.Column("trail_seq", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('move', 'task', 'report', 'verify', 'reject', 'appeal', 'upheld', 'dismissed')",
            name=op.f("ck_ladder_events_kind"),
        ),
        sa.ForeignKeyConstraint(["about"], ["ladder_events.id"], name=op.f("fk_ladder_events_about_ladder_events")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ladder_events")),
    )
    op.create_index(op.f("ix_ladder_events_park_id"), "ladder_events", ["park", "id"])
    op.create_index(op.f("ix_ladder_events_trail_seq"), "ladder_events", ["trail_seq"])
    op.create_table(
        "evaluation_figures",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("scheme", sa.String(), nullable=False),
        sa.Column("unit", sa.String(), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("indicator", sa.String(), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.Column("basis", sa.String(), nullable=False),
        sa.Column("file", sa.String(64), nullable=False),
        sa.Column("recorded_at", INSTANT, nullable=False),
        sa.Column("recorded_by", sa.String(), nullable=False),
        sa.Column("trail_seq", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evaluation_figures")),
    )
    op.create_index(op.f("ix_evaluation_figures_scheme_unit_year"), "evaluation_figures", ["scheme", "unit", "year"])
    op.create_index(op.f("ix_evaluation_figures_trail_seq"), "evaluation_figures", ["trail_seq"])
    for table in ("ladder_events", "evaluation_figures"):
        _guard(table)


def _guard(table: str) -> None:
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    for name, event in (("no_update", "UPDATE"), ("no_delete", "DELETE")):
        act = (
            f"BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END"
            if is_sqlite
            else "FOR EACH ROW EXECUTE FUNCTION ledger_refuse()"
        )
        op.execute(f"CREATE TRIGGER {table}_{name} BEFORE {event} ON {table} {act}")
    if not is_sqlite:
        op.execute(
            f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse()"
        )
