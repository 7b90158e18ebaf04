"""Roles kept apart: accounts are the security administrator's; approvers, cities, enterprises, assessors. Ways to reach a person."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

MESSAGE = "the ledger keeps history: no update, no deletion"
FIXED = '"name", "role", "park", "created_at", "created_by"'
ROLES = (
    "role IN ('province_statistician', 'reviewer', 'publisher', 'park_reporter', 'park_approver', 'enterprise', 'city', "
    "'analyst', 'assessor', 'administrator', 'security_administrator', 'auditor')"
)
SCOPED = "NOT (role IN ('park_reporter', 'park_approver', 'city')) OR park IS NOT NULL"


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        _rebuild()
    else:
        for old in ("ck_users_role", "ck_users_reporter_has_park"):
            op.drop_constraint(op.f(old), "users", type_="check")
        op.create_check_constraint(op.f("ck_users_role"), "users", ROLES)
        op.create_check_constraint(op.f("ck_users_scoped_role_has_park"), "users", SCOPED)
    for name in ("email", "telephone"):
        op.add_column("users", sa.Column(name, sa.String(), nullable=True))


def _rebuild() -> None:
    # SQLite changes no constraint in place. The old rows go aside and come back under the same names before the
    # transaction ends, so what points at them (sessions, tokens) is whole again when that is looked at.
    op.execute("PRAGMA defer_foreign_keys = ON")
    op.execute("CREATE TABLE users_before AS SELECT * FROM users")
    op.execute("DROP TABLE users")
    columns: tuple[sa.Column[Any], ...] = (
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("park", sa.String(), nullable=True),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("password_hash", sa.String(), nullable=True),
        sa.Column("password_set_at", sa.String(length=27), nullable=True),
        sa.Column("created_at", sa.String(length=27), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("password_one_time", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("totp_nonce", sa.String(), nullable=True),
        sa.Column("totp_step", sa.Integer(), nullable=True),
    )
    op.create_table(
        "users",
        *columns,
        sa.CheckConstraint(ROLES, name=op.f("ck_users_role")),
        sa.CheckConstraint(SCOPED, name=op.f("ck_users_scoped_role_has_park")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_users")),
    )
    names = ", ".join(column.name for column in columns)
    op.execute(f"INSERT INTO users ({names}) SELECT {names} FROM users_before")
    op.execute("DROP TABLE users_before")
    refuse = f"BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END"
    op.execute(f"CREATE TRIGGER users_no_update BEFORE UPDATE OF {FIXED} ON users {refuse}")
    op.execute(f"CREATE TRIGGER users_no_delete BEFORE DELETE ON users {refuse}")
    known = "WHEN EXISTS (SELECT 1 FROM users WHERE name = NEW.name)"
    op.execute(f"CREATE TRIGGER users_no_replace BEFORE INSERT ON users {known} {refuse}")
