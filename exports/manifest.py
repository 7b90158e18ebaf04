"""What a release says about itself: who it is, what it was made from, and the hash of every file in it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Final

from schemas.model import Edition, Programme
from schemas.period import Period

MANIFEST: Final = "manifest.json"
FORMAT: Final = "yitaobiao-release/1"
CHINA: Final = timezone(timedelta(hours=8))

WAYS: Final = {"telephone": "电话", "email": "电子邮件", "address": "地址"}
STAGES: Final = {"flash": "快报", "preliminary": "初步数", "final": "最终数"}


@dataclass(frozen=True)
class SubmissionRef:
    """One submission a release was computed from. ``state`` is accepted, or reported where figures are preliminary."""

    id: str
    park: str
    period: str
    revision: int
    state: str
    files: tuple[str, ...]  # SHA-256 of the workbooks in the vault


@dataclass(frozen=True)
class ReleaseMeta:
    """All a release is told about itself; nothing in a release comes from a clock, a host or a path.

    ``released_at`` is aware. ``parameters`` must be plain JSON values. ``previous`` is the release of the same period
    that this one revises, "" for a first one.
    """

    release: str
    period: Period
    programme: Programme
    released_at: datetime
    code_version: str
    title: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    submissions: Sequence[SubmissionRef] = ()
    previous: str = ""
    reason: str = ""  # why a revision was made
    publisher: str = ""
    licence_name: str = "CC-BY-4.0"
    licence_title: str = "知识共享署名 4.0 国际许可协议"
    not_reproducible: tuple[str, ...] = ()  # files the caller adds whose bytes differ from run to run

    @property
    def edition(self) -> Edition:
        """The edition of the programme that governs the period."""
        return self.programme.edition_for(self.period)

    @property
    def heading(self) -> str:
        """Title of the whole release."""
        return self.title or f"{self.programme.title}统计发布"

    @property
    def issuer(self) -> str:
        """Who publishes."""
        return self.publisher or self.edition.authority

    @property
    def feedback_text(self) -> str:
        """How a reader reports an error in this release and what becomes of it; empty where the edition names nobody."""
        return feedback_text(self.edition.parameters.get("feedback", {}), self.release)

    @property
    def standing_text(self) -> str:
        """How firm the figures are, with who had filed; empty where the release does not say."""
        return standing_text(self.parameters.get("standing", {}))

    @property
    def released_text(self) -> str:
        """Release time as printed, China standard time."""
        return self.released_at.astimezone(CHINA).strftime("%Y-%m-%d %H:%M")


@dataclass(frozen=True)
class FileEntry:
    """One file of a release; ``path`` is relative, with forward slashes."""

    path: str
    sha256: str
    bytes: int
    reproducible: bool = True


@dataclass(frozen=True)
class Manifest:
    """The manifest as written; ``content_sha256`` is over the reproducible files only, so two runs can be compared."""

    release: str
    files: tuple[FileEntry, ...]
    content_sha256: str
    document: Mapping[str, Any]


def feedback_text(feedback: Mapping[str, Any], release: str) -> str:
    """``[feedback]`` of an edition as a sentence for readers of one release."""
    if not feedback:
        return ""
    ways = [f"{name}{feedback[key]}" for key, name in WAYS.items() if feedback.get(key)]
    answered = f"收到后{feedback['days']}个工作日内答复;" if "days" in feedback else ""
    return (
        f"发现差错或有疑问,请告知{feedback['contact']}({','.join(ways)}),写明发布号{release}、表名和单元格(或页面上的地区、指标、报告期)"
        f"以及理由。{answered}属实的以修订发布更正,改动逐项列入修订对照。请勿寄送单个企业的资料。"
    )


def standing_text(standing: Mapping[str, Any]) -> str:
    """``parameters.standing`` of a manifest as a phrase."""
    if not standing:
        return ""
    rate = standing.get("response_rate")
    told = f"{STAGES[standing['stage']]}(应报园区{standing['parks_due']}个,已报{standing['parks_filed']}个,已验收{standing['parks_accepted']}个"
    return told + (f";单位报送率{rate}%)" if rate is not None else ")")


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, read in pieces."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def list_files(folder: Path, not_reproducible: Sequence[str] = ()) -> tuple[FileEntry, ...]:
    """Every file below ``folder`` but the manifest, sorted by path."""
    entries = []
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        name = path.relative_to(folder).as_posix()
        if name != MANIFEST:
            entries.append(FileEntry(name, file_sha256(path), path.stat().st_size, name not in not_reproducible))
    return tuple(sorted(entries, key=lambda entry: entry.path))


def content_hash(files: Sequence[FileEntry]) -> str:
    """One hash over path and content of the reproducible files."""
    digest = hashlib.sha256()
    for entry in files:
        if entry.reproducible:
            digest.update(f"{entry.sha256}  {entry.path}\n".encode())
    return digest.hexdigest()


def dump_json(value: Any, path: Path) -> None:
    """``value`` as JSON with fixed layout and order of keys as given: same value, same bytes."""
    path.write_text(json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def write_manifest(
    folder: Path, meta: ReleaseMeta, marts: Mapping[str, Mapping[str, Any]], earlier: Sequence[str] = ()
) -> Manifest:
    """Write ``manifest.json`` over what stands in ``folder``.

    ``marts`` holds rows and file names a mart; ``earlier`` the releases whose figures the series repeats: a reproduction
    must take those and not what has come out since.
    """
    files = list_files(folder, meta.not_reproducible)
    document: dict[str, Any] = {
        "format": FORMAT,
        "release": meta.release,
        "period": str(meta.period),
        "title": meta.heading,
        "publisher": meta.issuer,
        "feedback": meta.feedback_text,
        "released_at": meta.released_at.isoformat(),
        "programme": meta.programme.code,
        "programme_sha256": meta.programme.fingerprint,
        "edition": meta.edition.id,
        "code_version": meta.code_version,
        "parameters": dict(sorted(meta.parameters.items())),
        "previous": meta.previous or None,
        "reason": meta.reason or None,
        "earlier_releases": list(earlier),
        "submissions": [
            asdict(s) for s in sorted(meta.submissions, key=lambda s: (s.park, s.period, s.revision, s.id))
        ],
        "marts": {name: dict(marts[name]) for name in sorted(marts)},
        "content_sha256": content_hash(files),
        "files": [asdict(entry) for entry in files],
    }
    dump_json(document, folder / MANIFEST)
    return Manifest(meta.release, files, document["content_sha256"], document)


def list_again(folder: Path, not_reproducible: Sequence[str]) -> Manifest:
    """Rewrite the manifest after files were put beside the release's own, for example a database or Data Docs.

    ``not_reproducible`` are the paths whose bytes differ from run to run; they stay out of ``content_sha256``.
    """
    document = dict(read_manifest(folder).document)
    files = list_files(folder, not_reproducible)
    document |= {"content_sha256": content_hash(files), "files": [asdict(entry) for entry in files]}
    dump_json(document, folder / MANIFEST)
    return Manifest(document["release"], files, document["content_sha256"], document)


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a release folder, as it stands on disk."""
    document = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    files = tuple(FileEntry(**entry) for entry in document["files"])
    return Manifest(document["release"], files, document["content_sha256"], document)


def changed_files(folder: Path, manifest: Manifest) -> tuple[str, ...]:
    """Paths whose bytes are no longer those of the manifest, that are gone, or that nobody listed; empty when intact."""
    listed = {entry.path: entry.sha256 for entry in manifest.files}
    present = {entry.path: entry.sha256 for entry in list_files(folder)}
    return tuple(sorted(path for path in listed.keys() | present.keys() if listed.get(path) != present.get(path)))
