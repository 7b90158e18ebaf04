"""Mergers and splits of units, recorded and applied for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"

MESSAGE = "the ledger keeps history: no update, no deletion"
KINDS = "kind IN ('entry', 'change', 'move', 'exit', 'merger', 'split')"
ASKED = "id, kind, unit_id, park, to_park, sub_park, attributes, basis, evidence, applied_at, applied_by"
REST = "decision, effective, decided_at, decided_by, reason, event_id"
INSTANT = sa.String(27)
TABLE = "register_applications"


def upgrade() -> None:
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    op.create_table(
        "unit_restructurings",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("effective", sa.Date(), nullable=False),
        sa.Column("predecessors", sa.String(), nullable=False),
        sa.Column("successors", sa.String(), nullable=False),
        sa.Column("basis", sa.String(), nullable=False),
        sa.Column("recorded_at", INSTANT, nullable=False),
        sa.Column("recorded_by", sa.String(), nullable=False),
        sa.Column("trail_seq", sa.Integer(), nullable=False),
        sa.CheckConstraint("kind IN ('merger', 'split')", name=op.f("ck_unit_restructurings_kind")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_unit_restructurings")),
    )
    op.create_index(op.f("ix_unit_restructurings_effective"), "unit_restructurings", ["effective"])
    op.create_index(op.f("ix_unit_restructurings_trail_seq"), "unit_restructurings", ["trail_seq"])
    _refuse("unit_restructurings", {"no_update": "UPDATE", "no_delete": "DELETE"}, is_sqlite)
    if is_sqlite:
        _copied()
        _refuse(
            TABLE, {"no_update": f"UPDATE OF {ASKED}, others", "no_delete": "DELETE", "closed": "UPDATE"}, is_sqlite
        )
        return
    op.execute(f"ALTER TABLE {TABLE} ADD COLUMN others VARCHAR NOT NULL DEFAULT '[]'")
    op.execute(f"ALTER TABLE {TABLE} ALTER COLUMN others DROP DEFAULT")
    op.execute(f"ALTER TABLE {TABLE} DROP CONSTRAINT ck_register_applications_kind")
    op.execute(f"ALTER TABLE {TABLE} ADD CONSTRAINT ck_register_applications_kind CHECK ({KINDS})")
    op.execute(f"DROP TRIGGER {TABLE}_no_update ON {TABLE}")
    op.execute(
        f"CREATE TRIGGER {TABLE}_no_update BEFORE UPDATE OF {ASKED}, others ON {TABLE} FOR EACH ROW EXECUTE FUNCTION ledger_refuse()"
    )


def _copied() -> None:
    """SQLite cannot change a check: a table of the new form takes the rows over; its triggers went with the old one."""
    texts = ("kind", "unit_id", "park", "to_park", "sub_park", "attributes", "basis", "evidence")
    op.create_table(
        f"{TABLE}_new",
        sa.Column("id", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in texts),
        sa.Column("applied_at", INSTANT, nullable=False),
        sa.Column("applied_by", sa.String(), nullable=False),
        sa.Column("decision", sa.String(), nullable=True),
        sa.Column("effective", sa.Date(), nullable=True),
        sa.Column("decided_at", INSTANT, nullable=True),
        sa.Column("decided_by", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("event_id", sa.Integer(), nullable=True),
        sa.Column("others", sa.String(), nullable=False),
        sa.CheckConstraint(KINDS, name=op.f("ck_register_applications_kind")),
        sa.CheckConstraint(
            "decision IS NULL OR decision IN ('approved', 'declined')", name=op.f("ck_register_applications_decision")
        ),
        sa.ForeignKeyConstraint(
            ["event_id"], ["unit_events.id"], name=op.f("fk_register_applications_event_id_unit_events")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_register_applications")),
    )
    op.execute(f"INSERT INTO {TABLE}_new ({ASKED}, {REST}, others) SELECT {ASKED}, {REST}, '[]' FROM {TABLE}")
    op.drop_table(TABLE)
    op.rename_table(f"{TABLE}_new", TABLE)
    op.create_index(op.f("ix_register_applications_unit_id"), TABLE, ["unit_id"])
    op.create_index(op.f("ix_register_applications_park"), TABLE, ["park"])


def _refuse(table: str, events: dict[str, str], is_sqlite: bool) -> None:
    for name, event in events.items():
        when = "WHEN OLD.decision IS NOT NULL" if name == "closed" else ""
        act = (
            f"{when} BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END"
            if is_sqlite
            else "FOR EACH ROW EXECUTE FUNCTION ledger_refuse()"
        )
        op.execute(f"CREATE TRIGGER {table}_{name} BEFORE {event} ON {table} {act}")
    if not is_sqlite:
        op.execute(
            f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse()"
        )
