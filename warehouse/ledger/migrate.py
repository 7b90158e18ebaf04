"""Bringing the ledger's tables to the newest revision, and refusing to work on any other."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import inspect, text

from schemas.errors import StorageError
from warehouse.durable import disk_faults, fsync_directory
from warehouse.home import Home
from warehouse.ledger.migrations import HEAD
from warehouse.ledger.session import Ledger, ledger_of

_MIGRATIONS = Path(__file__).parent / "migrations"


def upgrade(ledger: Ledger, revision: str = HEAD) -> None:
    """Run every revision still missing, all in one transaction: an interrupted upgrade leaves the old tables.

    Raises StorageError for tables made by a later version.
    """
    if (current_revision(ledger) or "") > HEAD:
        raise StorageError("台账由更新的程序版本建立:请先升级程序。")
    # Imported here: only init and upgrade need it, and it costs every other command a fifth of a second.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    with ledger.write() as session:
        config.attributes["connection"] = session.connection()
        command.upgrade(config, revision)


def current_revision(ledger: Ledger) -> str | None:
    """The revision the tables have; None for an empty database."""
    with ledger.read() as session:
        if not inspect(session.connection()).has_table("alembic_version"):
            return None
        found: str | None = session.scalar(text("SELECT version_num FROM alembic_version"))
        return found


def create_ledger(home: Home) -> Ledger:
    """The ledger of a new home with all tables; an existing one is upgraded."""
    ledger = ledger_of(home)
    upgrade(ledger)
    if ledger.engine.dialect.name == "sqlite":
        with disk_faults("建立台账"):
            home.ledger.chmod(0o600)
            fsync_directory(home.root)
    return ledger


def existing_ledger(home: Home) -> Ledger:
    """The ledger of ``home`` in whatever revision. Raises StorageError where it is missing: an empty one must not take its place."""
    ledger = ledger_of(home)
    if ledger.engine.dialect.name == "sqlite" and not home.ledger.is_file():
        raise StorageError(f"{home.root} 中没有台账 ledger.db:请从备份恢复,或运行 ytb init 建立新的数据目录。")
    return ledger


def open_ledger(home: Home) -> Ledger:
    """The ledger of ``home``, ready for work. Raises StorageError where it is missing, too old or too new."""
    ledger = existing_ledger(home)
    found = current_revision(ledger)
    if found is None or found < HEAD:
        raise StorageError("台账的结构早于程序版本:请先备份,然后运行 ytb upgrade。")
    if found > HEAD:
        raise StorageError("台账由更新的程序版本建立:请先升级程序。")
    return ledger
