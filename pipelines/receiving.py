"""Receiving first, checking after: at the deadline a park gets its acknowledgement at once, and the result when it is made.

``submit`` reads before it receives, since on the command line nothing says whose files they are. Behind an address that
names park and period the files can be on disk, and acknowledged, before anybody looks into them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from pipelines.checking import IncomingBook, named_apart, read_books
from pipelines.handing_back import typed_explanations
from pipelines.intake import COLLATED, Office, Outcome, carry_on, require_not_collated, require_open
from schemas.period import Period
from sources.pool import Pool
from warehouse.ledger.intake import IncomingFile, Received, record_received
from warehouse.ledger.periods import round_of
from warehouse.ledger.signatories import Signatories
from warehouse.ledger.states import STANDING, State
from warehouse.ledger.submissions import Submission, submission, submissions
from warehouse.vault import StagedFile


def receive(
    office: Office,
    files: Sequence[IncomingFile],
    *,
    park: str,
    period: Period,
    channel: str,
    now: datetime,
    actor: str,
    also: Callable[[Session, Sequence[Submission]], None] | None = None,
) -> Received:
    """Keep the files as a submission of this park and period; to return is to acknowledge. Nothing has been read yet.

    ``also``: what a channel requires besides, told in the same reading of the ledger and given what was filed before.
    Raises RefusalError outside the filling window, StorageError where it cannot be kept.
    """
    with office.ledger.read() as session:
        require_open(round_of(session, period), period, park, now)
        before = submissions(session, park=park, period=period)
        if any(one.channel == COLLATED for one in before):
            require_not_collated(session, park, period, [hash_of(file) for file in files])
        if also is not None:
            also(session, before)
    return record_received(
        office.vault, office.ledger, named_apart(files), park=park, period=period,
        edition=office.programme.edition_for(period).id, channel=channel, now=now, actor=actor,
    )  # fmt: skip


def examine(
    office: Office,
    number: str,
    pool: Pool,
    *,
    now: datetime,
    actor: str,
    explanations: Mapping[str, tuple[str, str]] | None = None,
    leave_out: bool = False,
    report_at_once: bool = False,
    signatories: Signatories | None = None,
    gaps_reason: str = "",
) -> Outcome:
    """Read and check what was received, from the vault, and take it as far as it can go. What was typed into marked
    workbooks counts as explained. Where this was done before, only the explanations are looked at.

    Raises StorageError where the files cannot be read; the submission stays received and can be examined again.
    """
    with office.ledger.read() as session:
        found = submission(session, number)
    if found.state in STANDING:
        return Outcome(found, None, is_new=False)
    books = [IncomingBook(file.name, office.vault.read(file.sha256)) for file in found.files]
    readings = read_books(books, office.programme, pool) if found.state in (State.RECEIVED, State.FAILED) else []
    given = typed_explanations([(book.name, book.data) for book in books], pool) | dict(explanations or {})
    return carry_on(
        office, Received(found, is_new=False), readings, now=now, actor=actor, explanations=given,
        leave_out=leave_out, report_at_once=report_at_once, signatories=signatories, gaps_reason=gaps_reason,
    )  # fmt: skip


def unexamined(session: Session, channels: Sequence[str]) -> list[Submission]:
    """What was acknowledged and not yet checked, of these channels, in the order of arrival."""
    waiting = submissions(session, states={State.RECEIVED})
    return sorted((one for one in waiting if one.channel in channels), key=lambda one: one.state_seq)


def hash_of(file: IncomingFile) -> str:
    """The hash the vault knows a file by."""
    if isinstance(file.content, StagedFile):
        return file.content.sha256
    if isinstance(file.content, bytes):
        return hashlib.sha256(file.content).hexdigest()
    found = hashlib.sha256()
    while chunk := file.content.read(1 << 20):
        found.update(chunk)
    file.content.seek(0)
    return found.hexdigest()
