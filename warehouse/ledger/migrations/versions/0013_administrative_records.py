"""Administrative records taken in."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

MESSAGE = "the ledger keeps history: no update, no deletion"
INSTANT = sa.String(27)
TABLE = "administrative_imports"
TEXTS = ("kind", "authority", "title", "name", "book", "mapping", "records", "reason")


def upgrade() -> None:
    op.create_table(
        TABLE,
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("withdraws", sa.Integer(), nullable=True),
        *(sa.Column(name, sa.String(), nullable=False) for name in TEXTS),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("trail_seq", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["withdraws"], [f"{TABLE}.id"], name=op.f(f"fk_{TABLE}_withdraws_administrative_imports")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{TABLE}")),
    )
    op.create_index(op.f(f"ix_{TABLE}_trail_seq"), TABLE, ["trail_seq"])
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    refuse = (
        f"BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END" if is_sqlite else "FOR EACH ROW EXECUTE FUNCTION ledger_refuse()"
    )
    for name, event in (("no_update", "UPDATE"), ("no_delete", "DELETE")):
        op.execute(f"CREATE TRIGGER {TABLE}_{name} BEFORE {event} ON {TABLE} {refuse}")
    if not is_sqlite:
        op.execute(
            f"CREATE TRIGGER {TABLE}_no_truncate BEFORE TRUNCATE ON {TABLE} FOR EACH STATEMENT "
            "EXECUTE FUNCTION ledger_refuse()"
        )
