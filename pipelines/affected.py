"""Which periods have to be computed again when figures of some periods come into force or lose it. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from schemas.period import Period
from warehouse.ledger.trail import Event

SETTLED: Final = timedelta(minutes=2)
AT_MOST: Final = timedelta(minutes=15)
IN_FORCE: Final = "accepted"
# A quarter is looked back at by the six after it: warnings compare three quarters, each with the one before and a year earlier.
QUARTERS_AFTER: Final = 6


@dataclass(frozen=True)
class Decisions:
    """Decisions of a batch: the submissions they are about, the number of the last link, the time of first and last."""

    submissions: tuple[str, ...]
    last_seq: int
    first_at: datetime
    last_at: datetime

    def is_settled(self, now: datetime) -> bool:
        """Whether no further decision is likely to follow at once: a reviewer accepts one park after another. A batch never
        waits longer than ``AT_MOST``; times in the future (a clock that was set back) do not make it wait."""
        return not timedelta(0) <= now - self.last_at < SETTLED or now - self.first_at >= AT_MOST


def decisions_in(events: Sequence[Event]) -> Decisions | None:
    """The steps by which a submission came into force or lost it; None where there is none."""
    steps = [e for e in events if IN_FORCE in (e.from_state, e.to_state)]
    if not steps:
        return None
    subjects = tuple(dict.fromkeys(e.subject for e in steps))
    return Decisions(subjects, steps[-1].seq, min(e.at for e in steps), max(e.at for e in steps))


def affected_periods(changed: Collection[Period], on_file: Collection[Period]) -> list[Period]:
    """``changed`` and those of ``on_file`` whose figures rest on them, in order.

    A quarter: up to ``QUARTERS_AFTER`` later ones, and for a fourth quarter the year (revision of the preliminary figure). A
    year: all later years (the index is a chain, targets are measured from a base), and the quarters of the year after
    (their warnings look at last year's progress).
    """
    found = set(changed)
    for period in changed:
        found |= {other for other in on_file if _rests_on(other, period)}
    # Of a fourth quarter and its year the quarter first: the year's revision table reads it.
    return sorted(found, key=lambda p: (p.end, p.round != "Q", str(p)))


def _rests_on(other: Period, changed: Period) -> bool:
    if changed.round == "Q" and other.round == "Q":
        return 0 < _number(other) - _number(changed) <= QUARTERS_AFTER
    if changed.round == "Q":
        return changed == other.fourth_quarter()
    if other.round == "A":
        return other.year > changed.year
    return other.year == changed.year + 1


def _number(period: Period) -> int:
    return 4 * period.year + (period.quarter or 0)
