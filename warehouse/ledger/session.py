"""The ledger's database, SQLite or PostgreSQL by one URL: transactions that are durable, and one writer at a time."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from schemas.errors import RefusalError, StorageError
from warehouse.home import Home, load_config

_WRITE = "ledger_write"
# Any number will do as long as nobody else takes it for another lock in the same database.
_POSTGRESQL_LOCK = 7_207_201
_BUSY_SECONDS = 30

_SQLITE_CAUSES = {
    "SQLITE_BUSY": "台账正被其他任务占用,请稍后重新提交",
    "SQLITE_LOCKED": "台账正被其他任务占用,请稍后重新提交",
    "SQLITE_FULL": "磁盘空间已满,请清理磁盘后重新提交",
    "SQLITE_IOERR": "磁盘读写出错,请立即检查磁盘,确认无误后重新启动系统并重新提交",
    "SQLITE_READONLY": "台账为只读,请检查目录权限",
    "SQLITE_CANTOPEN": "台账无法打开,请检查数据目录及其权限",
    "SQLITE_CORRUPT": "台账文件已损坏,请停止使用并从备份恢复",
    "SQLITE_NOTADB": "台账文件已损坏,请停止使用并从备份恢复",
    "SQLITE_CONSTRAINT": "改动与台账的既有记录相抵触,没有执行",
}


@dataclass(frozen=True)
class Ledger:
    """The engine and its two kinds of transaction."""

    engine: Engine
    # SQLite lets writers poll for their turn, with pauses that grow: of many threads some wait for seconds. Those of one
    # process take turns here instead; other processes still poll. PostgreSQL has a queue of its own.
    _turn: AbstractContextManager[object] = field(default_factory=nullcontext, repr=False, compare=False)

    @cached_property
    def _writer(self) -> Engine:
        return self.engine.execution_options(**{_WRITE: True})

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A transaction that sees the newest state, excludes other writers, and is on disk when the block is left.

        Raises StorageError where the database cannot do it; then nothing was written.
        """
        with self._turn, self._transaction(self._writer) as session:
            yield session

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A transaction on one consistent state; never waits for a writer."""
        with self._transaction(self.engine) as session:
            yield session

    @contextmanager
    def _transaction(self, engine: Engine) -> Iterator[Session]:
        try:
            with Session(engine, expire_on_commit=False) as session, session.begin():
                yield session
        except DBAPIError as fault:
            # A connection that met a fault is not used again: its next fsync could hide what the last one lost.
            self.engine.dispose()
            raise ledger_error(fault) from fault


def ledger_error(fault: DBAPIError) -> StorageError:
    """What the operator reads; no statement and no value of it."""
    name = getattr(fault.orig, "sqlite_errorname", "")
    for prefix, remedy in _SQLITE_CAUSES.items():
        if name.startswith(prefix):
            return StorageError(f"写入或读取台账失败:{remedy}({name})。")
    if isinstance(fault, IntegrityError):
        return StorageError(f"写入或读取台账失败:{_SQLITE_CAUSES['SQLITE_CONSTRAINT']}。")
    return StorageError(f"写入或读取台账失败:请检查数据库服务({type(fault.orig).__name__})。")


def connect(url: str) -> Ledger:
    """The ledger behind a SQLAlchemy URL, whatever revision it has (``migrate.open_ledger`` checks that)."""
    engine = create_engine(url, hide_parameters=True, pool_pre_ping=not url.startswith("sqlite"))
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin)
    return Ledger(engine, threading.Lock() if engine.dialect.name == "sqlite" else nullcontext())


def reachable(url: str) -> str:
    """The URL of a PostgreSQL database as it is kept, once it has answered. Raises RefusalError for another one, StorageError where
    nobody answers. Nothing has been written by then."""
    try:
        asked = make_url(url)
    except ArgumentError:
        raise RefusalError("台账数据库地址无法识别:请写成 postgresql+psycopg://用户@主机/库。") from None
    if asked.drivername not in ("postgresql", "postgresql+psycopg"):
        raise RefusalError(
            f"台账不能放在 {asked.drivername} 中:请写成 postgresql+psycopg://用户@主机/库;不写则用数据目录里的 SQLite。"
        )
    kept = asked.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
    ledger = connect(kept)
    with ledger.read() as session:
        session.execute(text("SELECT 1"))
    ledger.engine.dispose()
    return kept


def ledger_of(home: Home) -> Ledger:
    """The ledger that the configuration of ``home`` names."""
    return connect(load_config(home).ledger_url or f"sqlite:///{home.ledger}")


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # the driver must not begin transactions of its own: _begin does
    for pragma in (
        f"busy_timeout = {_BUSY_SECONDS * 1000}",
        "journal_mode = WAL",
        "synchronous = FULL",
        "fullfsync = ON",
        "foreign_keys = ON",
        "trusted_schema = OFF",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    is_writer = connection.get_execution_options().get(_WRITE, False)
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"PRAGMA query_only = {'OFF' if is_writer else 'ON'}")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writer else "BEGIN")
    elif is_writer:
        # What is acknowledged is on disk, also on a server that was tuned to say so earlier.
        connection.exec_driver_sql(
            "SELECT set_config('synchronous_commit', replace(current_setting('synchronous_commit'), 'off', 'on'), true)"
        )
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_POSTGRESQL_LOCK})")
    else:
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
