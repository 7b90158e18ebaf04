"""Backup and restore: ledger, vault, keys, configuration and releases. The warehouse is derived and not copied."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from schemas.errors import RefusalError, StorageError
from warehouse.durable import disk_faults
from warehouse.home import Home, load_config, open_home, remember_programme
from warehouse.ledger.session import ledger_of
from warehouse.ledger.trail import head

INVENTORY = "backup.json"
PROGRAMME = "programme"
DEFINITIONS = (".toml", ".csv")
COPIED = ("vault", "keys", "releases", "config.toml")


@dataclass(frozen=True)
class Backup:
    """What a backup holds and up to which link of the trail it reaches."""

    files: int
    head_seq: int
    head_hash: str


def make_backup(home: Home, folder: Path) -> Backup:
    """Copy everything that cannot be derived into ``folder``, which must be empty or an earlier backup of the same home.

    The ledger is copied first, so that every blob it names is in the vault copied after it. A PostgreSQL ledger is dumped
    with its own tools (pg_dump), not here. Raises StorageError, RefusalError.
    """
    if load_config(home).ledger_url:
        raise RefusalError("台账在 PostgreSQL 中,请用 pg_dump 备份;文件库、密钥与发布目录可直接复制。")
    with disk_faults("备份"):
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()) and not (folder / INVENTORY).exists():
            raise RefusalError(f"{folder} 不是空目录,也不是先前的备份;请换一个目录。")
        with ledger_of(home).read() as session:
            last = head(session)
        _copy_sqlite(home.ledger, folder / "ledger.db")
        _copy_programme(Path(load_config(home).programme), folder)
        for name in COPIED:
            source, target = home.root / name, folder / name
            if source.is_dir():
                _copy_new(source, target)
            elif source.exists():
                shutil.copy2(source, target)
        listed = {
            p.relative_to(folder).as_posix(): _sha256(p)
            for p in sorted(folder.rglob("*"))
            if p.is_file() and p.name != INVENTORY
        }
        (folder / INVENTORY).write_text(
            json.dumps({"head": [last.seq, last.hash], "files": listed}, indent=1), encoding="utf-8"
        )
    return Backup(len(listed), last.seq, last.hash)


def _copy_programme(source: Path, folder: Path) -> None:
    """The definitions of a programme that stands in a folder of its own: a home is worth nothing without them."""
    if not source.is_absolute():
        return
    if not source.is_dir():
        raise RefusalError(
            f"制度目录 {source} 不存在,没有它备份不能用;请放回,或用 ytb upgrade --programme 指明新位置。"
        )
    kept = folder / PROGRAMME / source.name
    if kept.parent.exists():  # definitions change in place, unlike files of the vault
        shutil.rmtree(kept.parent)
    for path in sorted(p for p in source.rglob("*") if p.suffix in DEFINITIONS):
        copy = kept / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, copy)


def damaged_in_backup(folder: Path) -> list[str]:
    """The files of a backup that are missing or not as they were made, by name; empty: it can be restored."""
    inventory = folder / INVENTORY
    if not inventory.exists():
        raise RefusalError(f"{folder} 不是备份目录(缺 {INVENTORY});请指明 ytb backup 写出的目录。")
    with disk_faults("核对备份"):
        listed = json.loads(inventory.read_text(encoding="utf-8"))["files"]
        return sorted(
            name for name, expected in listed.items()
            if not (folder / name).is_file() or _sha256(folder / name) != expected
        )  # fmt: skip


def restore_backup(folder: Path, root: Path) -> Home:
    """Put a backup back into ``root``, which must not exist or be empty; every file is checked against the inventory.

    A programme that stood in a folder of its own is restored into ``root`` as it was then, and the home uses that.
    """
    inventory = folder / INVENTORY
    if not inventory.exists():
        raise RefusalError(f"{folder} 不是备份目录(缺 {INVENTORY});请指明 ytb backup 写出的目录。")
    if root.exists() and any(root.iterdir()):
        raise RefusalError(f"{root} 不是空目录,不覆盖;请用 --home 指明一个空目录。")
    listed = json.loads(inventory.read_text(encoding="utf-8"))["files"]
    with disk_faults("恢复"):
        root.mkdir(parents=True, exist_ok=True)
        for name, expected in listed.items():
            source, target = folder / name, root / name
            if not source.exists() or _sha256(source) != expected:
                raise StorageError(f"备份文件 {name} 缺失或损坏,没有恢复完成;请换一份备份。")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
        for empty in ("warehouse/snapshots", "inbox", "outbox", "quarantine", "dagster", "vault", "releases"):
            (root / empty).mkdir(parents=True, exist_ok=True)
        (root / "keys").chmod(0o700)
    home = open_home(root)
    if (copied := next(iter(sorted((root / PROGRAMME).glob("*"))), None)) is not None:
        remember_programme(home, str(copied.resolve()))
    return home


def _copy_sqlite(source: Path, target: Path) -> None:
    partial = target.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    origin, copy = sqlite3.connect(source), sqlite3.connect(partial)
    try:
        origin.backup(copy)
    finally:
        origin.close()
        copy.close()
    partial.replace(target)


def _copy_new(source: Path, target: Path) -> None:
    # Vault files never change, so what is there already is not copied again. What lies in the vault's tmp is not kept yet.
    unfinished = source / "tmp"
    for path in sorted(p for p in source.rglob("*") if p.is_file() and not p.is_relative_to(unfinished)):
        copy = target / path.relative_to(source)
        if not copy.exists() or copy.stat().st_size != path.stat().st_size:
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, copy)


def _sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
