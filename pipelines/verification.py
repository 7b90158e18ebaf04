"""Verification 核验: that nothing kept here has been altered since, from the trail down to the files of releases."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from exports.manifest import changed_files, read_manifest
from pipelines.intake import Office
from pipelines.loading import missing_from_warehouse
from schemas.errors import RefusalError
from warehouse import facts
from warehouse.home import Home
from warehouse.ledger.releases import releases
from warehouse.ledger.trail import Head, head
from warehouse.ledger.verify import referenced_blobs, verify_ledger

_MARK_OF_WITHDRAWAL = "WITHDRAWN.txt"


@dataclass(frozen=True)
class Proof:
    """The problems found, one sentence each; the end of the trail, to be kept elsewhere; files checked."""

    problems: tuple[str, ...]
    head_seq: int
    head_hash: str
    blobs: int


def kept_head(text: str) -> Head:
    """A head as it was noted down, ``41:9f86d081884c7d65…``: number and hash, of which the first sixteen characters do.

    Raises RefusalError for what is none.
    """
    number, _, found = text.strip().partition(":")
    if not (number.isascii() and number.isdigit() and re.fullmatch(r"[0-9a-f]{16,64}", found.lower())):
        raise RefusalError(f"“{text[:80]}”不是链头;请写成 序号:校验值,校验值至少前 16 位,如 41:9f86d081884c7d65。")
    return Head(int(number), found.lower())


def problems_of(office: Office, home: Home, expected: Sequence[Head] = ()) -> Proof:
    """Check the chain and that it has the ``expected`` heads, every file of the vault, the warehouse against the ledger, and the files of every release."""
    problems: list[str] = []
    with office.ledger.read() as session:
        problems += [f"台账:{p}" for p in verify_ledger(session, expected=expected).problems]
        scrubbed = office.vault.scrub(referenced_blobs(session))
        last, issued = head(session), [r.id for r in releases(session)]
    for kind, items in (("损坏", scrubbed.damaged), ("缺失", scrubbed.missing), ("外来", scrubbed.foreign)):
        problems += [f"文件库:{kind} {item}" for item in items]
    if home.live.exists():
        with facts.writer(home.live) as con:
            facts.create(con, office.programme)
            problems += [f"仓库:{line}" for line in missing_from_warehouse(office, con)]
    for name in issued:
        folder = home.releases / name
        changed = changed_files(folder, read_manifest(folder)) if folder.is_dir() else ("整个目录",)
        problems += [f"发布 {name}:{path} 已变动" for path in changed if path != _MARK_OF_WITHDRAWAL]
    return Proof(tuple(problems), last.seq, last.hash, scrubbed.checked)
