"""The vault 文件库: files named by the SHA-256 of their bytes, written once, never changed.

A file is complete or absent: bytes go to ``vault/tmp``, are hashed on the way, made durable, renamed to
``vault/ab/cdef…``, and the directory is made durable, in this order; only then does ``put`` return. Nothing is ever
fsynced twice after a failure: a repeated ``put`` writes every byte again into a new file, since after a failed fsync
the kernel may call pages clean that never reached the disk.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import io
import os
import re
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import BinaryIO

from schemas.errors import StorageError
from warehouse.durable import disk_faults, fsync_directory, write_all

_SHA256 = re.compile(r"[0-9a-f]{64}")
_CHUNK = 1 << 20
_DOING = "写入文件库"


@dataclass(frozen=True, order=True)
class BlobRef:
    """One file of the vault: the hash that names it, and its size in bytes."""

    sha256: str
    size: int


@dataclass(frozen=True)
class ScrubReport:
    """What a full check of the vault found. ``damaged``, ``missing`` and ``unreferenced`` hold hashes, ``foreign`` relative paths."""

    checked: int
    size: int
    damaged: tuple[str, ...]
    missing: tuple[str, ...]
    foreign: tuple[str, ...]
    unreferenced: tuple[str, ...]

    @property
    def is_sound(self) -> bool:
        """Every file expected is there with its bytes, and nothing else is. Unreferenced files are no fault:
        an upload that stopped before the ledger leaves one."""
        return not (self.damaged or self.missing or self.foreign)


class StagedFile:
    """Bytes on their way into the vault: written and hashed as they come, in a file of ``tmp`` that nobody else sees.

    ``keep`` makes them a file of the vault, once; ``close`` without it leaves nothing behind. A process that dies in
    between leaves a file that the next start sweeps.
    """

    def __init__(self, vault: Vault, descriptor: int, part: Path) -> None:
        self._vault, self._descriptor, self._part = vault, descriptor, part
        self._hasher = hashlib.sha256()
        self._state = _Staging.OPEN
        self.size = 0

    @property
    def sha256(self) -> str:
        """The hash of the bytes so far."""
        return self._hasher.hexdigest()

    @property
    def path(self) -> Path:
        """Where the bytes lie until they are kept, for a program that has to look at them first."""
        return self._part

    def write(self, chunk: bytes) -> None:
        """Take more bytes. Raises StorageError."""
        if self._state is not _Staging.OPEN:
            raise ValueError("the file is not open for writing any more")
        self._hasher.update(chunk)
        self.size += len(chunk)
        with disk_faults(_DOING):
            write_all(self._descriptor, chunk)

    def read(self) -> bytes:
        """All bytes so far, compared with their hash: what is checked is what is kept. Raises StorageError."""
        found = bytearray()
        with disk_faults("读取文件库"):
            while piece := os.pread(self._descriptor, _CHUNK, len(found)):
                found += piece
        if hashlib.sha256(found).hexdigest() != self.sha256:
            raise StorageError("收到的文件写入磁盘后与原文不符:请检查磁盘,确认无误后重新提交。")
        return bytes(found)

    def keep(self) -> BlobRef:
        """Make the bytes a file of the vault; when this returns they survive a crash. Twice is once.

        Raises StorageError with nothing visible. After that the file is spent: nothing is fsynced a second time.
        """
        if self._state is _Staging.KEPT:
            return BlobRef(self.sha256, self.size)
        if self._state is not _Staging.OPEN:
            raise StorageError(f"{_DOING}没有完成,请重新提交。")
        self._state = _Staging.SPENT
        with disk_faults(_DOING):
            self._vault._keep(self._descriptor, self._part, self.sha256)
        self._state = _Staging.KEPT
        return BlobRef(self.sha256, self.size)

    def close(self) -> None:
        """Let go; bytes that were not kept vanish. May be called again."""
        if self._descriptor < 0:
            return
        if self._state is not _Staging.KEPT:
            self._state = _Staging.SPENT
            with contextlib.suppress(OSError):  # what remains is swept at the next start
                self._part.unlink(missing_ok=True)
        os.close(self._descriptor)
        self._descriptor = -1


class _Staging(Enum):
    OPEN = "open"
    KEPT = "kept"
    SPENT = "spent"


class Vault:
    """A content-addressed, write-once store in one directory. Safe for many threads and processes at a time."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._parts = root / "tmp"
        self._durable_shards: set[str] = set()

    @classmethod
    def open(cls, root: Path) -> Vault:
        """The vault, after sweeping what interrupted uploads left behind. This is how a door opens it at start."""
        vault = cls(root)
        vault.sweep()
        return vault

    def path(self, sha256: str) -> Path:
        """Where the bytes with this hash lie, or would lie."""
        if not _SHA256.fullmatch(sha256):
            raise StorageError(f"“{sha256[:80]}”不是有效的文件校验值(SHA-256)。")
        return self.root / sha256[:2] / sha256[2:]

    def has(self, sha256: str) -> bool:
        """Whether the vault holds these bytes (not whether they are undamaged)."""
        return self.path(sha256).is_file()

    def stage(self) -> StagedFile:
        """A new file on its way into the vault, for bytes that come in pieces. Raises StorageError."""
        return StagedFile(self, *self._new_part())

    def put(self, content: bytes | BinaryIO | StagedFile) -> BlobRef:
        """Keep these bytes; when this returns they survive a crash. Bytes that are there already stay as they are.

        Raises StorageError (disk full, fault, no permission) with nothing visible; an error of the stream itself
        passes through, likewise with nothing visible.
        """
        if isinstance(content, StagedFile):
            return content.keep()
        stream = io.BytesIO(content) if isinstance(content, bytes) else content
        staged = self.stage()
        try:
            # Reading stays outside disk_faults: a client that hangs up is no fault of our disk.
            while chunk := stream.read(_CHUNK):
                staged.write(chunk)
            return staged.keep()
        finally:
            staged.close()

    def put_file(self, path: Path) -> BlobRef:
        """Keep the bytes of a file outside the vault."""
        with path.open("rb") as stream:
            return self.put(stream)

    def open_blob(self, sha256: str) -> BinaryIO:
        """The bytes as a stream, unverified. Raises StorageError where they are missing."""
        try:
            return self.path(sha256).open("rb")
        except FileNotFoundError as cause:
            raise StorageError(f"文件库中缺少文件 {sha256[:12]}…:请从备份恢复 vault 目录。") from cause
        except OSError as cause:
            raise StorageError(f"文件 {sha256[:12]}… 无法读取:请检查磁盘(系统错误 {cause.errno})。") from cause

    def read(self, sha256: str, *, verify: bool = True) -> bytes:
        """All bytes, compared with their hash. Raises StorageError where they are missing or damaged."""
        with self.open_blob(sha256) as stream, disk_faults("读取文件库"):
            content = stream.read()
        if verify and hashlib.sha256(content).hexdigest() != sha256:
            raise StorageError(f"文件 {sha256[:12]}… 与校验值不符,已损坏:请从备份恢复 vault 目录。")
        return content

    def blobs(self) -> Iterator[str]:
        """The hashes of all files held, sorted."""
        for shard in sorted(p for p in self.root.iterdir() if p.is_dir() and len(p.name) == 2):
            for file in sorted(shard.iterdir()):
                if _SHA256.fullmatch(shard.name + file.name):
                    yield shard.name + file.name

    def scrub(self, expected: Iterable[str] = ()) -> ScrubReport:
        """Hash every file again; ``expected`` are the hashes the ledger names. Changes nothing."""
        held, size, damaged = set[str](), 0, []
        for sha256 in self.blobs():
            held.add(sha256)
            found, length = self._hash_of(sha256)
            size += length
            if found != sha256:
                damaged.append(sha256)
        wanted = set(expected)
        return ScrubReport(
            checked=len(held),
            size=size,
            damaged=tuple(damaged),
            missing=tuple(sorted(wanted - held)),
            foreign=tuple(self._foreign()),
            unreferenced=tuple(sorted(held - wanted)),
        )

    def sweep(self) -> int:
        """Remove what interrupted uploads left in ``tmp``; files being written now are left alone. How many went."""
        swept = 0
        with disk_faults("清理文件库"):
            self._parts.mkdir(parents=True, exist_ok=True)
            for part in sorted(self._parts.glob("*.part")):
                swept += _remove_if_abandoned(part)
        return swept

    def _new_part(self) -> tuple[int, Path]:
        """A new file in ``tmp``, locked by us for as long as it is open, so that a sweep knows it is alive."""
        with disk_faults(_DOING):
            self._parts.mkdir(parents=True, exist_ok=True)
            while True:
                part = self._parts / f"{secrets.token_hex(16)}.part"
                descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX)
                    # A sweep may have come between creating and locking: then the file has no name any more.
                    if os.fstat(descriptor).st_nlink:
                        return descriptor, part
                except OSError:
                    part.unlink(missing_ok=True)
                    os.close(descriptor)
                    raise
                os.close(descriptor)

    def _keep(self, descriptor: int, part: Path, sha256: str) -> None:
        os.fchmod(descriptor, 0o440)
        os.fsync(descriptor)
        target = self.path(sha256)
        target.parent.mkdir(exist_ok=True)
        if sha256[:2] not in self._durable_shards:
            # Also where another process made the shard: it may not have come to its fsync.
            fsync_directory(self.root)
            self._durable_shards.add(sha256[:2])
        # Also where the file is there already: identical bytes take its place in one step, which mends damage
        # and makes the entry durable whatever became of the upload that wrote it first.
        part.rename(target)
        fsync_directory(target.parent)

    def _hash_of(self, sha256: str) -> tuple[str, int]:
        try:
            with self.path(sha256).open("rb") as stream:
                found = hashlib.file_digest(stream, "sha256").hexdigest()
                return found, stream.tell()
        except OSError:  # unreadable sectors are damage, and the check goes on to the other files
            return "", 0

    def _foreign(self) -> Iterator[str]:
        for path in sorted(self.root.rglob("*")):
            parts = path.relative_to(self.root).parts
            is_shard = len(parts) == 1 and path.is_dir() and re.fullmatch(r"[0-9a-f]{2}", parts[0])
            is_blob = len(parts) == 2 and path.is_file() and not path.is_symlink() and _SHA256.fullmatch("".join(parts))
            if not (is_shard or is_blob or parts[0] == "tmp"):
                yield path.relative_to(self.root).as_posix()


def _remove_if_abandoned(part: Path) -> bool:
    try:
        descriptor = os.open(part, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        part.unlink()
    except (BlockingIOError, FileNotFoundError):
        return False
    else:
        return True
    finally:
        os.close(descriptor)
