"""Enterprises under accounts of their own: whose account it is, what they hand in, what was found, and their confirmation."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

MESSAGE = "the ledger keeps history: no update, no deletion"
INSTANT = sa.String(27)
FIXED = "id, number, park, period, edition, unit_id, revision, sha256, size, name, channel, received_at, received_by"
RECORDED = ("return_checks", "return_explanations", "return_confirmations")


def upgrade() -> None:
    op.add_column("users", sa.Column("unit_id", sa.String(), nullable=True))
    op.create_table(
        "enterprise_returns",
        sa.Column("id", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("number", "park", "period", "edition", "unit_id")),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("received_at", INSTANT, nullable=False),
        sa.Column("received_by", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("state_at", INSTANT, nullable=False),
        sa.Column("state_seq", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "state IN ('received', 'faulty', 'clean', 'confirmed', 'taken_up')",
            name=op.f("ck_enterprise_returns_state"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_enterprise_returns")),
        sa.UniqueConstraint("number", name=op.f("uq_enterprise_returns_number")),
        sa.UniqueConstraint(
            "park", "period", "unit_id", "revision", name=op.f("uq_enterprise_returns_park_period_unit_id_revision")
        ),
    )
    _on_returns()
    _guard()


def _on_returns() -> None:
    def of_return(table: str) -> sa.ForeignKeyConstraint:
        name = op.f(f"fk_{table}_return_id_enterprise_returns")
        return sa.ForeignKeyConstraint(["return_id"], ["enterprise_returns.id"], name=name)

    op.create_table(
        "return_checks",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("return_id", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("checked_at", INSTANT, nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("reader_version", "rule_set_hash", "operand_hash")),
        sa.Column("observations_blob", sa.String(64), nullable=True),
        sa.Column("findings_blob", sa.String(64), nullable=True),
        sa.Column("forms", sa.String(), nullable=False),
        sa.Column("counts", sa.String(), nullable=False),
        sa.Column("blocking", sa.Integer(), nullable=False),
        sa.Column("to_explain", sa.Integer(), nullable=False),
        sa.Column("unreadable", sa.String(), nullable=True),
        sa.Column("trail_seq", sa.Integer(), nullable=False),
        of_return("return_checks"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_return_checks")),
        sa.UniqueConstraint("return_id", "attempt", name=op.f("uq_return_checks_return_id_attempt")),
    )
    op.create_table(
        "return_explanations",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("return_id", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("finding_key", "reason_code", "text", "by")),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("trail_seq", sa.Integer(), nullable=False),
        of_return("return_explanations"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_return_explanations")),
    )
    op.create_index(op.f("ix_return_explanations_return_id"), "return_explanations", ["return_id"])
    op.create_table(
        "return_confirmations",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("return_id", sa.Integer(), nullable=False),
        *(
            sa.Column(name, sa.String(), nullable=False)
            for name in ("confirmed_by", "statistics_head", "filled_by", "telephone")
        ),
        sa.Column("confirmed_on", sa.Date(), nullable=False),
        sa.Column("basis", sa.String(), nullable=False),
        sa.Column("evidence", sa.String(64), nullable=True),
        sa.Column("recorded_at", INSTANT, nullable=False),
        sa.Column("recorded_by", sa.String(), nullable=False),
        sa.Column("trail_seq", sa.Integer(), nullable=False),
        of_return("return_confirmations"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_return_confirmations")),
        sa.UniqueConstraint("return_id", name=op.f("uq_return_confirmations_return_id")),
    )
    for table in RECORDED:
        op.create_index(op.f(f"ix_{table}_trail_seq"), table, ["trail_seq"])


def _guard() -> None:
    refusals = [("enterprise_returns", "no_update", f"UPDATE OF {FIXED}"), ("users", "unit_fixed", "UPDATE OF unit_id")]
    refusals += [("enterprise_returns", "no_delete", "DELETE")]
    refusals += [
        (table, name, event) for table in RECORDED for name, event in (("no_update", "UPDATE"), ("no_delete", "DELETE"))
    ]
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    act = (
        f"BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END" if is_sqlite else "FOR EACH ROW EXECUTE FUNCTION ledger_refuse()"
    )
    for table, name, event in refusals:
        op.execute(f"CREATE TRIGGER {table}_{name} BEFORE {event} ON {table} {act}")
    if not is_sqlite:
        for table in ("enterprise_returns", *RECORDED):
            op.execute(
                f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} FOR EACH STATEMENT "
                "EXECUTE FUNCTION ledger_refuse()"
            )
