"""Moving the files of one submission out of the inbox, whole or not at all as far as the next start can see.

What is to be done is written down durably first; every step can be repeated. An interruption leaves a note that ``finish``
carries out, so that the second of two files is never taken for a submission of its own.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from warehouse.durable import disk_faults, fsync_directory
from warehouse.home import Home

_DOING = "整理投递箱"


@dataclass(frozen=True)
class Move:
    """One file: where it lies (relative to the inbox), the hash of the bytes that were read, its name afterwards."""

    source: str
    sha256: str
    name: str


@dataclass(frozen=True)
class Clearing:
    """What becomes of the files of one submission. ``target`` is a folder relative to HOME, ``texts`` are written there
    (file name → text), then the files are moved there."""

    id: str
    target: str
    texts: Mapping[str, str]
    moves: tuple[Move, ...]


def notes_folder(home: Home) -> Path:
    """Where the notes lie: not in the inbox, which may be a share that others can write to."""
    return home.quarantine / ".clearing"


def clear(home: Home, clearing: Clearing) -> None:
    """Note down, carry out, remove the note. Raises StorageError; what was begun is finished by the next ``finish``."""
    note = notes_folder(home) / f"{clearing.id}.json"
    with disk_faults(_DOING):
        note.parent.mkdir(parents=True, exist_ok=True)
        write_durably(note, json.dumps(asdict(clearing), ensure_ascii=False, indent=1).encode())
    _carry_out(home, clearing)
    with disk_faults(_DOING):
        note.unlink(missing_ok=True)
        fsync_directory(note.parent)


def finish(home: Home) -> list[str]:
    """Carry out every note an interruption left; their ids."""
    done = []
    for note in sorted(notes_folder(home).glob("*.json")):
        plain = json.loads(note.read_text(encoding="utf-8"))
        moves = tuple(Move(**m) for m in plain["moves"])
        clear(home, Clearing(plain["id"], plain["target"], plain["texts"], moves))
        done.append(str(plain["id"]))
    return done


def write_durably(path: Path, content: bytes) -> None:
    """Put a file in place whole, over an earlier one; it survives a crash once this returns."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(6)}.part")
    try:
        with part.open("wb") as handle:
            handle.write(content)
            handle.flush()
            os.fsync(handle.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    fsync_directory(path.parent)


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _carry_out(home: Home, clearing: Clearing) -> None:
    target = home.root / clearing.target
    with disk_faults(_DOING):
        target.mkdir(parents=True, exist_ok=True)
        for name, text in clearing.texts.items():
            write_durably(target / name, text.encode())
        for move in clearing.moves:
            _move(home.inbox / move.source, target / move.name, move.sha256)
        fsync_directory(target)


def _move(source: Path, target: Path, sha256: str) -> None:
    """Move the bytes that were read and no others: a file that has been replaced since stays, to be looked at anew."""
    if not source.is_file() or source.is_symlink() or file_hash(source) != sha256:
        return
    place = _free(target, sha256)
    if place.exists():  # moved by an earlier attempt across file systems, or laid in twice
        source.unlink()
        return
    try:
        source.rename(place)
    except OSError as cause:
        if cause.errno != errno.EXDEV:
            raise
        _copy_over(source, place, sha256)
        return
    fsync_directory(source.parent)
    if file_hash(place) != sha256:  # replaced between the hash and the rename: it goes back under its own name
        place.rename(source if not source.exists() else source.with_name(f"{sha256[:8]}_{source.name}"))


def _copy_over(source: Path, place: Path, sha256: str) -> None:
    """Across file systems: copy, compare, and only then remove."""
    part = place.with_name(f".{place.name}.{secrets.token_hex(6)}.part")
    try:
        with source.open("rb") as read, part.open("wb") as write:
            shutil.copyfileobj(read, write)
            write.flush()
            os.fsync(write.fileno())
        if file_hash(part) == sha256:
            part.rename(place)
            fsync_directory(place.parent)
            source.unlink()
    finally:
        part.unlink(missing_ok=True)


def _free(target: Path, sha256: str) -> Path:
    """``target``, or the same name with a piece of the hash where other bytes have that name already."""
    if not target.exists() or file_hash(target) == sha256:
        return target
    return target.with_name(f"{target.stem}_{sha256[:8]}{target.suffix}")
