"""Triggers that keep history: what was recorded is neither changed nor deleted, whoever asks."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"

APPEND_ONLY = (
    "trail",
    "unit_events",
    "register_snapshots",
    "answer_statuses",
    "round_events",
    "submission_files",
    "checks",
    "explanations",
    "decisions",
)
# Table → columns that never change, and the column that, once filled in, closes the row (or none).
FIXED = {
    "submissions": (
        "id number park period edition revision files_digest channel received_at received_by",
        None,
    ),
    "parks": (
        "id code name short_name kind class zone province city division_code groups entry_date recorded_at recorded_by",
        None,
    ),
    "users": ("name role park created_at created_by", None),
    "register_proposals": (
        "id submission period park unit_id code register_value reported_value recorded_at",
        "decision",
    ),
    "queries": ("id submission_id finding_key question asked_by asked_at", "answered_at"),
    "releases": ("id period number manifest released_at released_by note", "withdrawn_at"),
}
MESSAGE = "the ledger keeps history: no update, no deletion"


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        _sqlite()
    else:
        _postgresql()


def _sqlite() -> None:
    def refuse(name: str, event: str, table: str, when: str = "") -> None:
        op.execute(
            f"CREATE TRIGGER {table}_{name} BEFORE {event} ON {table} {when} BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END"
        )

    for table in APPEND_ONLY:
        refuse("no_update", "UPDATE", table)
        refuse("no_delete", "DELETE", table)
    for table, (columns, closing) in FIXED.items():
        refuse("no_update", f"UPDATE OF {', '.join(_quoted(columns))}", table)
        refuse("no_delete", "DELETE", table)
        if closing:
            refuse("closed", "UPDATE", table, f"WHEN OLD.{closing} IS NOT NULL")
    # INSERT OR REPLACE would delete without firing the trigger above.
    refuse("in_order", "INSERT", "trail", "WHEN NEW.seq <> (SELECT coalesce(max(seq), 0) + 1 FROM trail)")
    for table in ("submissions", "releases", "users"):
        key = {"submissions": "number", "releases": "id", "users": "name"}[table]
        refuse("no_replace", "INSERT", table, f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {key} = NEW.{key})")


def _postgresql() -> None:
    op.execute(
        "CREATE FUNCTION ledger_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{MESSAGE}' USING ERRCODE = 'integrity_constraint_violation'; END $$"
    )

    def refuse(name: str, event: str, table: str, when: str = "", each: str = "ROW") -> None:
        op.execute(
            f"CREATE TRIGGER {table}_{name} BEFORE {event} ON {table} FOR EACH {each} {when} "
            "EXECUTE FUNCTION ledger_refuse()"
        )

    # No subqueries in WHEN: the check is in the function.
    op.execute(
        "CREATE FUNCTION ledger_in_order() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF NEW.seq <> (SELECT coalesce(max(seq), 0) + 1 FROM trail) THEN "
        f"RAISE EXCEPTION '{MESSAGE}' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$"
    )
    op.execute("CREATE TRIGGER trail_in_order BEFORE INSERT ON trail FOR EACH ROW EXECUTE FUNCTION ledger_in_order()")
    for table in (*APPEND_ONLY, *FIXED):
        refuse("no_truncate", "TRUNCATE", table, each="STATEMENT")
        refuse("no_delete", "DELETE", table)
    for table in APPEND_ONLY:
        refuse("no_update", "UPDATE", table)
    for table, (columns, closing) in FIXED.items():
        refuse("no_update", f"UPDATE OF {', '.join(_quoted(columns))}", table)
        if closing:
            refuse("closed", "UPDATE", table, f"WHEN (OLD.{closing} IS NOT NULL)")


def _quoted(columns: str) -> list[str]:
    return [f'"{column}"' for column in columns.split()]
