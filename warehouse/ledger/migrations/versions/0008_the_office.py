"""The statisticians' own work: assignments, second person, reminders sent, release dates, requests for unit data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

MESSAGE = "the ledger keeps history: no update, no deletion"
INSTANT = sa.String(27)


def upgrade() -> None:
    _table("review_assignments", _texts("park", "period", "reviewer", "reason"), index=["period", "park"])
    _table("second_check_rules", _texts("park", "above", "reason"))
    _table("first_opinions", [_reference("submission_id"), *_texts("text")], of=("submission_id", "submissions"))
    _table("sent_reminders", _texts("period", "park", "way", "text"), index=["period", "park"])
    _table(
        "release_dates",
        [*_texts("period"), sa.Column("due", INSTANT, nullable=False), *_texts("reason")],
        index=["period"],
    )
    _table("data_requests", _texts("period", "park", "forms", "purpose"))
    _table(
        "data_request_steps",
        [_reference("request_id"), *_texts("step"), sa.Column("until", INSTANT, nullable=True), *_texts("reason")],
        of=("request_id", "data_requests"),
        checks=[
            sa.CheckConstraint("step IN ('approve', 'decline', 'revoke')", name=op.f("ck_data_request_steps_step"))
        ],
    )


def _texts(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.String(), nullable=False) for name in names]


def _reference(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Integer(), nullable=False)


def _table(
    table: str,
    columns: Sequence[sa.Column[Any]],
    *,
    of: tuple[str, str] | None = None,
    index: list[str] | None = None,
    checks: list[sa.CheckConstraint] | None = None,
) -> None:
    keys = []
    if of is not None:
        column, other = of
        keys = [sa.ForeignKeyConstraint([column], [f"{other}.id"], name=op.f(f"fk_{table}_{column}_{other}"))]
    op.create_table(
        table,
        sa.Column("id", sa.Integer(), nullable=False),
        *columns,
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("trail_seq", sa.Integer(), nullable=False),
        *keys,
        *(checks or []),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
    )
    for names in filter(None, (index, [of[0]] if of else None, ["trail_seq"])):
        op.create_index(op.f(f"ix_{table}_{'_'.join(names)}"), table, names)
    _guard(table)


def _guard(table: str) -> None:
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    refuse = (
        f"BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END" if is_sqlite else "FOR EACH ROW EXECUTE FUNCTION ledger_refuse()"
    )
    for name, event in (("no_update", "UPDATE"), ("no_delete", "DELETE")):
        op.execute(f"CREATE TRIGGER {table}_{name} BEFORE {event} ON {table} {refuse}")
    if not is_sqlite:
        op.execute(
            f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} FOR EACH STATEMENT "
            "EXECUTE FUNCTION ledger_refuse()"
        )
