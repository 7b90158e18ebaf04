"""The role of an account may change, where the newest link of the trail says so; everything else of the guard stays."""

from __future__ import annotations

from alembic import op

revision = "0015"
down_revision = "0014"

MESSAGE = "the ledger keeps history: no update, no deletion"
FIXED = '"name", "created_at", "created_by"'
TOLD = (
    "EXISTS (SELECT 1 FROM trail WHERE seq = (SELECT max(seq) FROM trail) AND action = 'role_changed' "
    "AND subject = 'user/' || NEW.name)"
)


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        refuse = f"BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END"
        op.execute("DROP TRIGGER users_no_update")
        op.execute(f"CREATE TRIGGER users_no_update BEFORE UPDATE OF {FIXED} ON users {refuse}")
        op.execute(f'CREATE TRIGGER users_role_told BEFORE UPDATE OF "role", "park" ON users WHEN NOT {TOLD} {refuse}')
        return
    op.execute("DROP TRIGGER users_no_update ON users")
    op.execute(
        f"CREATE TRIGGER users_no_update BEFORE UPDATE OF {FIXED} ON users FOR EACH ROW EXECUTE FUNCTION ledger_refuse()"
    )
    # No subqueries in WHEN: the check is in the function.
    op.execute(
        "CREATE FUNCTION ledger_role_told() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF NOT {TOLD} THEN RAISE EXCEPTION '{MESSAGE}' USING ERRCODE = 'integrity_constraint_violation'; "
        "END IF; RETURN NEW; END $$"
    )
    op.execute(
        'CREATE TRIGGER users_role_told BEFORE UPDATE OF "role", "park" ON users FOR EACH ROW EXECUTE FUNCTION ledger_role_told()'
    )
