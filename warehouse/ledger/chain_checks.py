"""Verifications of the whole trail 全链核验 that were made on request: when, by whom, up to which link, with which result.

Each is a link of the trail itself. It says what was found at its time: a link altered later, below the one that was reached, shows
only at the next verification of the whole. What came behind it is cheap to verify at every look (``trail.verify_trail`` with ``after``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from warehouse.ledger import trail
from warehouse.ledger.session import Ledger
from warehouse.ledger.trail import Head

VERIFIED_TRAIL = "trail_verified"
SUBJECT = "care/trail"
_NOTED = 5


@dataclass(frozen=True)
class ChainCheck:
    """One verification: ``head`` is the link it reached, ``found`` its first problems as sentences, ``problems`` how many."""

    at: datetime
    by: str
    links: int
    head: Head
    problems: int
    found: tuple[str, ...]


def check_whole_trail(ledger: Ledger, *, now: datetime, actor: str) -> ChainCheck:
    """Recompute the whole chain and leave the result on it. Raises StorageError where that cannot be written."""
    with ledger.read() as session:
        report = trail.verify_trail(session)
    found = report.problems[:_NOTED]
    with ledger.write() as session:
        trail.append(
            session, at=now, actor=actor, action=VERIFIED_TRAIL, subject=SUBJECT,
            payload={
                "links": report.links, "head_seq": report.head.seq, "head_hash": report.head.hash,
                "problems": len(report.problems), "found": list(found),
            },
        )  # fmt: skip
    return ChainCheck(now, actor, report.links, report.head, len(report.problems), found)


def last_check(session: Session) -> ChainCheck | None:
    """The newest verification of the whole; None before the first."""
    event = trail.last_of(session, VERIFIED_TRAIL)
    if event is None:
        return None
    told = event.payload
    found = told.get("found")
    return ChainCheck(
        event.at, event.actor, _count(told.get("links")), Head(_count(told.get("head_seq")), str(told.get("head_hash"))),
        _count(told.get("problems")), tuple(found) if isinstance(found, list) else (),
    )  # fmt: skip


def _count(value: object) -> int:
    return value if isinstance(value, int) else 0
