"""Notices, requests to correct after closing, handovers to a successor."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

MESSAGE = "the ledger keeps history: no update, no deletion"
INSTANT = sa.String(27)
TABLES = ("notices", "correction_requests", "correction_decisions", "handovers", "handover_decisions")


def upgrade() -> None:
    _table(
        "notices",
        sa.Column("withdraws", sa.Integer(), nullable=True),
        *_texts("period", "park", "title", "text"),
        sa.ForeignKeyConstraint(["withdraws"], ["notices.id"], name=op.f("fk_notices_withdraws_notices")),
    )
    _table("correction_requests", *_texts("park", "period", "reason", "evidence"))
    op.create_index(op.f("ix_correction_requests_period_park"), "correction_requests", ["period", "park"])
    _table(
        "correction_decisions",
        sa.Column("request", sa.Integer(), nullable=False),
        *_texts("decision", "reopened", "reason"),
        sa.Column("until", INSTANT, nullable=True),
        sa.CheckConstraint("decision IN ('granted', 'declined')", name=op.f("ck_correction_decisions_decision")),
        sa.ForeignKeyConstraint(
            ["request"], ["correction_requests.id"], name=op.f("fk_correction_decisions_request_correction_requests")
        ),
        sa.UniqueConstraint("request", name=op.f("uq_correction_decisions_request")),
    )
    _table(
        "handovers",
        *_texts("park", "from_user", "to_user", "to_title", "telephone", "reason"),
        sa.ForeignKeyConstraint(["from_user"], ["users.name"], name=op.f("fk_handovers_from_user_users")),
    )
    op.create_index(op.f("ix_handovers_park"), "handovers", ["park"])
    _table(
        "handover_decisions",
        sa.Column("handover", sa.Integer(), nullable=False),
        *_texts("decision", "reason"),
        sa.CheckConstraint("decision IN ('confirmed', 'declined')", name=op.f("ck_handover_decisions_decision")),
        sa.ForeignKeyConstraint(
            ["handover"], ["handovers.id"], name=op.f("fk_handover_decisions_handover_handovers")
        ),
        sa.UniqueConstraint("handover", name=op.f("uq_handover_decisions_handover")),
    )  # fmt: skip
    _guard()


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.String(), nullable=False) for name in names]


def _table(name: str, *own: sa.schema.SchemaItem) -> None:
    op.create_table(
        name,
        sa.Column("id", sa.Integer(), nullable=False),
        *own,
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("trail_seq", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{name}")),
    )
    op.create_index(op.f(f"ix_{name}_trail_seq"), name, ["trail_seq"])


def _guard() -> None:
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    refuse = (
        f"BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END" if is_sqlite else "FOR EACH ROW EXECUTE FUNCTION ledger_refuse()"
    )
    for table in TABLES:
        for name, event in (("no_update", "UPDATE"), ("no_delete", "DELETE")):
            op.execute(f"CREATE TRIGGER {table}_{name} BEFORE {event} ON {table} {refuse}")
        if not is_sqlite:
            op.execute(
                f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} FOR EACH STATEMENT "
                "EXECUTE FUNCTION ledger_refuse()"
            )
