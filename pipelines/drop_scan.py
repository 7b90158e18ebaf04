"""Looking into the drop folder: which files have come to rest and can be taken. Touches nothing.

Files are laid into ``HOME/inbox`` by people and programs we do not control, often over a network: a file may be half
copied, open in a spreadsheet program, or stamped by a clock that is wrong.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from schemas.errors import DefinitionError
from schemas.period import Period
from sources.guard_limits import MAX_FILE
from warehouse.home import Home

PROCESSED = "processed"
SETTLE = timedelta(seconds=10)
# A file stamped later than now came from a machine whose clock is wrong: its stamp proves nothing, so it must lie still longer.
SETTLE_UNSURE = timedelta(minutes=5)
# Excel removes its lock on closing; one this old was left behind by a crash.
STALE_LOCK = timedelta(hours=24)
# How long a ready file in a shared folder waits for companions that are still being copied.
PATIENCE = timedelta(minutes=2)

_PARTIAL_SUFFIXES = frozenset(
    (".part", ".partial", ".filepart", ".tmp", ".temp", ".crdownload", ".download", ".opdownload", ".!ut", ".swp")
)
_SYSTEM_NAMES = frozenset(("thumbs.db", "desktop.ini", "ehthumbs.db", "ehthumbs_vista.db"))
_LOCK_PREFIX, _LIBREOFFICE_LOCK = "~$", ".~lock."
_PARK = re.compile(r"[A-Z][A-Z0-9]{1,15}")


@dataclass(frozen=True)
class Seen:
    """A file as one look saw it; ``path`` is relative to the inbox, ``since`` when size and time were first as they are."""

    path: str
    size: int
    mtime_ns: int
    since: datetime

    def is_same(self, size: int, mtime_ns: int) -> bool:
        """Whether size and time of change are still those."""
        return (self.size, self.mtime_ns) == (size, mtime_ns)


@dataclass(frozen=True)
class Look:
    """All files of the inbox at one time; handed to the next ``scan`` so that it can tell what has come to rest."""

    files: Mapping[str, Seen] = field(default_factory=dict)

    def as_plain(self) -> dict[str, list[Any]]:
        """For JSON."""
        return {p: [s.size, s.mtime_ns, s.since.isoformat()] for p, s in sorted(self.files.items())}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Sequence[Any]]) -> Look:
        """From JSON."""
        return cls({p: Seen(p, int(v[0]), int(v[1]), datetime.fromisoformat(v[2])) for p, v in plain.items()})


@dataclass(frozen=True)
class Group:
    """Files that are looked at together. ``park`` and ``period`` are what the folder names say; where both are there, the
    files are one submission, otherwise the files themselves say whose they are."""

    folder: str
    files: tuple[Seen, ...]
    park: str | None = None
    period: Period | None = None

    @property
    def is_submission(self) -> bool:
        """Whether the folder says park and period."""
        return self.park is not None and self.period is not None


@dataclass(frozen=True)
class Batch:
    """What one look found: groups that can be taken, files that must wait (with the reason), and the look itself."""

    groups: tuple[Group, ...]
    waiting: Mapping[str, str]
    look: Look

    @property
    def files(self) -> int:
        """How many files can be taken."""
        return sum(len(g.files) for g in self.groups)

    def as_plain(self) -> list[dict[str, Any]]:
        """The groups, for JSON."""
        return [
            {"folder": g.folder, "files": [[s.path, s.size, s.mtime_ns, s.since.isoformat()] for s in g.files]}
            for g in self.groups
        ]

    @classmethod
    def from_plain(cls, plain: Iterable[Mapping[str, Any]]) -> Batch:
        """From JSON."""
        groups = tuple(
            group_of(
                str(g["folder"]),
                tuple(Seen(str(f[0]), int(f[1]), int(f[2]), datetime.fromisoformat(f[3])) for f in g["files"]),
            )
            for g in plain
        )
        return cls(groups, {}, Look())


def scan(home: Home, now: datetime, before: Look | None = None) -> Batch:
    """What lies in the inbox at ``now``, compared with the look ``before``. Touches nothing.

    A file can be taken when size and time of change have been the same for ``SETTLE`` (over two looks at least), no office
    program holds it open, and its name is not that of an unfinished copy. Links and special files are never followed.
    """
    seen: dict[str, Seen] = {}
    waiting: dict[str, str] = {}
    earlier = before.files if before else {}
    entries = list(_entries(home.inbox))
    locked = _locked(entries, now)
    for path, info in entries:
        name = path.relative_to(home.inbox).as_posix()
        if _is_lock(path.name):
            continue
        if not stat.S_ISREG(info.st_mode):
            waiting[name] = "不是普通文件(链接或设备),不接收"
            continue
        past = earlier.get(name)
        kept = past is not None and past.is_same(info.st_size, info.st_mtime_ns)
        # A clock that was set back must not make a file look older or younger than the looks themselves say.
        since = min(past.since, now) if past is not None and kept else now
        seen[name] = Seen(name, info.st_size, info.st_mtime_ns, since)
        reason = _unready(path, seen[name], now, locked, kept)
        if reason:
            waiting[name] = reason
    return Batch(_groups(seen, waiting, now), waiting, Look(seen))


def _entries(inbox: Path) -> Iterator[tuple[Path, os.stat_result]]:
    for folder, folders, names in os.walk(inbox):
        here = Path(folder)
        folders[:] = sorted(
            f for f in folders if not f.startswith((".", "$RECYCLE")) and (here, f) != (inbox, PROCESSED)
        )
        for name in sorted(names):
            # Names with a leading dot are those of synchronising programs and desktops, never a clerk's.
            if (name.startswith(".") and not _is_lock(name)) or name.lower() in _SYSTEM_NAMES:
                continue
            with contextlib.suppress(FileNotFoundError):  # gone between listing and looking
                yield here / name, (here / name).lstat()


def _is_lock(name: str) -> bool:
    return name.startswith((_LOCK_PREFIX, _LIBREOFFICE_LOCK))


def _locked(entries: Sequence[tuple[Path, os.stat_result]], now: datetime) -> set[Path]:
    """Files an office program has open. Excel drops the first two characters of a long name: ``~$度报表.xlsx``."""
    held: set[Path] = set()
    fresh = [
        p
        for p, info in entries
        if _is_lock(p.name) and now - datetime.fromtimestamp(info.st_mtime, now.tzinfo) < STALE_LOCK
    ]
    for lock in fresh:
        if lock.name.startswith(_LIBREOFFICE_LOCK):
            held.add(lock.with_name(lock.name.removeprefix(_LIBREOFFICE_LOCK).removesuffix("#")))
            continue
        tail = lock.name.removeprefix(_LOCK_PREFIX)
        held |= {p for p, _ in entries if p.parent == lock.parent and p.name in (tail, p.name[:2] + tail)}
    return held


def _unready(path: Path, seen: Seen, now: datetime, locked: set[Path], kept: bool) -> str:
    """Why a file cannot be taken yet; empty where it can."""
    if path in locked:
        return "文件正被打开,关闭后接收"
    if path.name.startswith("~") or path.suffix.lower() in _PARTIAL_SUFFIXES:
        return "文件名是未完成的副本,完成并改名后接收"
    changed = datetime.fromtimestamp(seen.mtime_ns / 1e9, now.tzinfo)
    still = SETTLE_UNSURE if changed > now or not seen.size else SETTLE
    if not kept or now - seen.since < still or (changed <= now and now - changed < SETTLE):
        return "文件还在变化,稳定后接收"
    return ""


def _groups(seen: Mapping[str, Seen], waiting: Mapping[str, str], now: datetime) -> tuple[Group, ...]:
    folders: dict[str, list[Seen]] = {}
    for name, one in sorted(seen.items()):
        folders.setdefault(name.rpartition("/")[0], []).append(one)
    groups = []
    for folder, files in sorted(folders.items()):
        ready = tuple(f for f in files if f.path not in waiting)
        group = group_of(folder, ready)
        arriving = [f for f in files if f.path in waiting and now - f.since < STALE_LOCK]
        patient = all(now - f.since < PATIENCE for f in ready)
        if ready and not (arriving and (group.is_submission or patient)):
            groups.append(group)
    return tuple(groups)


def group_of(folder: str, files: tuple[Seen, ...]) -> Group:
    """The group of a folder: the innermost names that look like a park code and a period. Whether there is such a park
    is for the taker to see."""
    park: str | None = None
    period: Period | None = None
    for part in folder.split("/") if folder else ():
        try:
            period = Period.parse(part)
        except DefinitionError:
            park = part if _PARK.fullmatch(part) else park
    return Group(folder, files, park, period)


def is_too_large(one: Seen) -> bool:
    """Whether a file is beyond what any workbook may be; it is not even read."""
    return one.size > MAX_FILE
