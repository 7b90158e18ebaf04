"""What a disk holds after the power went: a recorded run of system calls, replayed with all or some of what was not synced lost.

After Pillai et al., *All File Systems Are Not Created Equal* (OSDI 2014): a write is only certain after fsync of its file, a name only
after fsync of its directory. Two losses of every moment: ``strict`` keeps nothing but what is certain; ``torn`` keeps, as a journalling
file system may, the names up to some moment after the last sync and any part of the writes, in sectors.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

CALLS = "openat,write,pwrite64,ftruncate,fsync,fdatasync,rename,unlink,mkdir,lseek"
SECTOR = 512
_LINE = re.compile(r"^(?:\d+\s+)?(\w+)\((.*)\)\s+=\s+(-?\d+)")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_OPENED = re.compile(r"^(\d+)<([^>]*)>")


@dataclass(frozen=True)
class Call:
    """One call that went well: its name, the descriptor and path it names, its strings, its last number."""

    name: str
    descriptor: int
    path: Path
    texts: tuple[bytes, ...]
    number: int
    result: int
    flags: str


def calls_of(log: Sequence[str]) -> Iterator[Call]:
    """The calls of a log of ``strace -y -xx`` that changed something; one thread at a time only."""
    for line in log:
        assert "<unfinished" not in line, "several threads write: their order is not known"
        found = _LINE.match(line)
        if not found or int(found[3]) < 0:
            continue
        name, inside, result = found[1], found[2], int(found[3])
        texts = tuple(_plain(text) for text in _TEXT.findall(inside))
        opened = _OPENED.match(inside)
        descriptor = result if name == "openat" else int(opened[1]) if opened else -1
        named = _plain(opened[2]).decode() if opened and opened[2].startswith("\\x") else ""
        path = Path(texts[0].decode()) if name in ("openat", "rename", "unlink", "mkdir") else Path(named)
        last = re.search(r"(\d+)$", inside)
        yield Call(name, descriptor, path, texts, int(last[1]) if last else 0, result, inside)


def _plain(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


@dataclass
class File:
    """``synced``: what is certain; ``pending``: (offset, bytes) written since, None for bytes: cut to that length."""

    synced: bytes = b""
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)


@dataclass
class Disk:
    """A directory tree as it is, as it is certain to be, and every change of its names in order."""

    root: Path
    names: dict[Path, File | None] = field(default_factory=dict)
    certain: dict[Path, File | None] = field(default_factory=dict)
    changes: list[dict[Path, File | None]] = field(default_factory=list)
    journalled: int = 0
    _places: dict[int, int] = field(default_factory=dict)

    @classmethod
    def of(cls, root: Path) -> Disk:
        """The tree as it lies there now, all of it certain. A directory is a name without a file."""
        names = {path: File(path.read_bytes()) if path.is_file() else None for path in sorted(root.rglob("*"))}
        return cls(root, dict(names), dict(names), [dict(names)])

    def play(self, call: Call) -> None:
        """Let one call happen."""
        if call.name == "openat":
            self._places[call.descriptor] = 0
            if "O_CREAT" in call.flags and self.root in call.path.parents and call.path not in self.names:
                self._become({call.path: File()})
        elif self.root not in (call.path, *call.path.parents):
            return
        elif call.name in ("write", "pwrite64"):
            at = call.number if call.name == "pwrite64" else self._places[call.descriptor]
            self._file(call).pending.append((at, call.texts[0][: call.result]))
            if call.name == "write":
                self._places[call.descriptor] = at + call.result
        elif call.name == "ftruncate":
            self._file(call).pending.append((call.number, None))
        elif call.name in ("fsync", "fdatasync"):
            self._sync(call.path)
        elif call.name == "rename":
            self._become({Path(call.texts[1].decode()): self.names[call.path]}, gone=call.path)
        elif call.name == "unlink":
            self._become({}, gone=call.path)
        elif call.name == "mkdir":
            self._become({call.path: None})

    def _file(self, call: Call) -> File:
        return self.names.get(call.path) or File()  # a file without a name any more is nobody's

    def _become(self, there: Mapping[Path, File | None], gone: Path | None = None) -> None:
        """The tree with the names ``there`` and without ``gone``, in one step."""
        self.names = {**{path: file for path, file in self.names.items() if path != gone}, **there}
        self.changes.append(dict(self.names))

    def _sync(self, path: Path) -> None:
        self.journalled = len(self.changes) - 1
        file = self.names.get(path)
        if file is not None:
            file.synced, file.pending = _applied(file.synced, file.pending), []
            return
        for known in [p for p in self.certain if p.parent == path and p not in self.names]:
            del self.certain[known]
        self.certain |= {p: f for p, f in self.names.items() if p.parent == path}

    def strict(self, target: Path) -> None:
        """Lay out what is certain, and nothing else."""
        _lay(self.root, target, {path: file.synced if file else None for path, file in self.certain.items()})

    def torn(self, target: Path, chance: random.Random) -> None:
        """Lay out what a journalling file system may hold: names up to a moment, writes in part."""
        names = self.changes[chance.randrange(self.journalled, len(self.changes))]
        held = {}
        for path, file in names.items():
            kept = (
                [piece for change in file.pending for piece in _sectors(*change) if chance.random() < 0.5]
                if file
                else []
            )
            held[path] = _applied(file.synced, kept) if file else None
        _lay(self.root, target, held)


def _sectors(at: int, content: bytes | None) -> Iterator[tuple[int, bytes | None]]:
    if content is None:
        yield at, None
        return
    for start in range(0, len(content), SECTOR):
        yield at + start, content[start : start + SECTOR]


def _applied(content: bytes, changes: Sequence[tuple[int, bytes | None]]) -> bytes:
    found = bytearray(content)
    for at, piece in changes:
        if len(found) < at:
            found.extend(bytes(at - len(found)))
        if piece is None:
            del found[at:]
        else:
            found[at : at + len(piece)] = piece
    return bytes(found)


def _lay(root: Path, target: Path, held: dict[Path, bytes | None]) -> None:
    target.mkdir(parents=True)
    for path, content in sorted(held.items()):
        place = target / path.relative_to(root)
        if not place.parent.is_dir():
            continue  # a name in a directory that is not there is not there either
        if content is None:
            place.mkdir()
        else:
            place.write_bytes(content)
