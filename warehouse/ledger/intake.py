"""Taking files in 接收: what is acknowledged is on disk, for ever."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import BinaryIO

from sqlalchemy import insert
from sqlalchemy.orm import Session

from schemas.errors import RefusalError
from schemas.period import Period
from warehouse.ledger import trail
from warehouse.ledger.columns import read_instant, stored_instant
from warehouse.ledger.models import Base, SubmissionRow, SubmittedFileRow
from warehouse.ledger.parks import park as park_on
from warehouse.ledger.session import Ledger
from warehouse.ledger.states import CLOSED, State
from warehouse.ledger.submissions import Submission, SubmittedFile, latest, submission_number_of
from warehouse.vault import StagedFile, Vault

_LONGEST_NAME = 200
_NEW = insert(Base.metadata.tables[SubmissionRow.__tablename__])


@dataclass(frozen=True)
class IncomingFile:
    """A file as it arrives. ``role`` says whose part it is (a department, an enterprise) where that is known."""

    name: str
    content: bytes | BinaryIO | StagedFile
    role: str = ""


@dataclass(frozen=True)
class Received:
    """What was acknowledged; ``is_new`` is False where the same files had been taken in already."""

    submission: Submission
    is_new: bool


def record_received(
    vault: Vault,
    ledger: Ledger,
    files: Sequence[IncomingFile],
    *,
    park: str,
    period: Period,
    edition: str,
    channel: str,
    now: datetime,
    actor: str,
) -> Received:
    """Keep the files and enter them as a submission. To return is to acknowledge: files, directories and ledger are
    durable by then. A crash before leaves either nothing visible or the whole submission, never a part of it.

    The same set of files as the newest revision of that park and period, unless it was returned, is that submission
    again. Otherwise it is the next revision. Raises StorageError (nothing acknowledged, try again) or RefusalError.
    """
    if not files:
        raise RefusalError("没有收到文件,请选择要报送的工作簿。")
    kept = []
    for file in files:
        blob = vault.put(file.content)
        kept.append(SubmittedFile(blob.sha256, blob.size, clean_file_name(file.name), file.role))
    with ledger.write() as session:
        park_on(session, park, period.end)
        before = latest(session, park, period)
        digest = files_digest(file.sha256 for file in kept)
        if before is not None and before.files_digest == digest and before.state not in CLOSED:
            return Received(before, is_new=False)
        revision = before.revision + 1 if before else 1
        number = submission_number_of(park, period, revision)
        # As it would be read back; at the deadline three queries for each of hundreds count.
        before_it, at = trail.head(session), read_instant(stored_instant(now))
        entered = Submission(
            number, park, period, edition, revision, tuple(kept), digest, channel, at, actor, State.RECEIVED, at,
            before_it.seq + 1, None,
        )  # fmt: skip
        _enter(session, entered, before_it)
    # Only here, after the commit, is it acknowledged.
    return Received(entered, is_new=True)


def files_digest(hashes: Iterable[str]) -> str:
    """What identifies a set of files: their bytes, whatever their names and order."""
    return hashlib.sha256("\n".join(sorted(set(hashes))).encode()).hexdigest()


def clean_file_name(name: str) -> str:
    """The name as shown: no folders, no control or direction characters, not endless."""
    base = name.replace("\\", "/").rsplit("/", 1)[-1]
    visible = "".join(c for c in base if unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")).strip()
    return visible[-_LONGEST_NAME:] or "未命名"


def _enter(session: Session, new: Submission, after: trail.Head) -> None:
    values = {
        "number": new.number,
        "park": new.park,
        "period": str(new.period),
        "edition": new.edition,
        "revision": new.revision,
        "files_digest": new.files_digest,
        "channel": new.channel,
        "received_at": new.received_at,
        "received_by": new.received_by,
        "state": str(new.state),
        "state_at": new.state_at,
        "state_seq": new.state_seq,
    }
    key = session.connection().execute(_NEW, values).inserted_primary_key
    assert key is not None
    trail.append(
        session,
        at=new.received_at,
        actor=new.received_by,
        action="received",
        subject=new.number,
        to_state=str(new.state),
        payload={
            "files": [file.sha256 for file in new.files],
            "bytes": sum(file.size for file in new.files),
            "files_digest": new.files_digest,
            "edition": new.edition,
            "channel": new.channel,
        },
        rows=trail.Rows(
            SubmittedFileRow,
            [{"submission_id": key[0], "position": n, **asdict(file)} for n, file in enumerate(new.files, 1)],
        ),
        after=after,
    )
