"""Read-only snapshots of the warehouse, switched by an atomic rename: everybody but the pipeline reads these."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from schemas.errors import StorageError
from warehouse.connection import connected

POINTER = "current"
KEPT = 3


def publish_snapshot(con: duckdb.DuckDBPyConnection, folder: Path) -> Path:
    """Copy the whole live warehouse into a new immutable file and make it the current snapshot.

    Readers of an older snapshot go on undisturbed; the newest ``KEPT`` files stay.
    """
    folder.mkdir(parents=True, exist_ok=True)
    number = 1 + max((int(p.stem) for p in folder.glob("*.duckdb") if p.stem.isdigit()), default=0)
    target, partial = folder / f"{number:08d}.duckdb", folder / f"{number:08d}.partial"
    partial.unlink(missing_ok=True)
    live = con.execute("SELECT path FROM duckdb_databases() WHERE database_name = current_database()").fetchone()
    if live is None or not live[0]:
        raise StorageError("数据仓库没有打开。")
    try:
        # After a checkpoint the file is the whole database, and this connection is the only writer.
        con.execute("CHECKPOINT")
        shutil.copyfile(live[0], partial)
    except (duckdb.Error, OSError) as error:
        partial.unlink(missing_ok=True)
        raise StorageError(f"写快照失败,原快照不变:{str(error).splitlines()[0]}") from error
    with partial.open("rb") as handle:
        os.fsync(handle.fileno())
    partial.rename(target)
    pointer = folder / f"{POINTER}.tmp"
    pointer.write_text(target.name, encoding="utf-8")
    with pointer.open("rb") as handle:
        os.fsync(handle.fileno())
    pointer.rename(folder / POINTER)
    for old in sorted(folder.glob("*.duckdb"))[:-KEPT]:
        old.unlink()
    return target


def current_snapshot(folder: Path) -> Path:
    """The file readers open. Raises StorageError where nothing has been computed yet."""
    pointer = folder / POINTER
    if not pointer.exists():
        raise StorageError(
            "还没有可读的快照。",
            command="请先执行 ytb run。",
            page="验收数据后由系统计算,请稍后再看,或与系统维护人员联系。",
        )
    return folder / pointer.read_text(encoding="utf-8").strip()


@contextmanager
def reader(folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A read-only connection to the current snapshot, without access to other files."""
    con = connected(current_snapshot(folder), read_only=True, other_files=False)
    try:
        yield con
    finally:
        con.close()
