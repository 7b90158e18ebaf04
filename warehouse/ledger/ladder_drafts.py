"""Moves on the ladder of praise and warning that one person has put forward and another has yet to confirm.

A draft is a link of the trail with everything it says; it waits until the park is moved, or the draft is dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy.orm import Session

from warehouse.ledger import trail

DRAFTED, DROPPED, MOVED = "ladder_drafted", "ladder_dropped", "ladder_move"


@dataclass(frozen=True)
class Draft:
    """A move put forward; ``due`` the term it would set, counted anew when it is confirmed."""

    park: str
    year: int
    from_rung: str
    to_rung: str
    reason: str
    document: str
    due: date | None
    evidence: Sequence[str]
    definition: str
    at: datetime
    by: str


def record_draft(session: Session, draft: Draft) -> Draft:
    """Put a move forward. That it is allowed is for the caller, who has the definition of the ladder."""
    trail.append(
        session, at=draft.at, actor=draft.by, action=DRAFTED, subject=f"park/{draft.park}", reason=draft.reason,
        payload={
            "year": draft.year, "document": draft.document, "from": draft.from_rung, "to": draft.to_rung,
            "due": draft.due.isoformat() if draft.due else None, "evidence": list(draft.evidence), "definition": draft.definition,
        },
    )  # fmt: skip
    return draft


def drop_draft(session: Session, draft: Draft, *, reason: str, now: datetime, actor: str) -> None:
    """End a draft without a move."""
    trail.append(
        session, at=now, actor=actor, action=DROPPED, subject=f"park/{draft.park}", reason=reason,
        payload={"from": draft.from_rung, "to": draft.to_rung, "by": draft.by},
    )  # fmt: skip


def pending_draft(session: Session, park: str) -> Draft | None:
    """The draft that waits for a second person; None where none was put forward since the last move."""
    found: Draft | None = None
    for one in trail.events(session, f"park/{park}"):
        if one.action == DRAFTED:
            facts = one.payload
            due, evidence = facts["due"], facts["evidence"]
            found = Draft(
                park, int(str(facts["year"])), str(facts["from"]), str(facts["to"]), one.reason, str(facts["document"]),
                date.fromisoformat(str(due)) if due else None,
                tuple(evidence) if isinstance(evidence, list) else (), str(facts["definition"]), one.at, one.actor,
            )  # fmt: skip
        elif one.action in (DROPPED, MOVED):
            found = None
    return found
