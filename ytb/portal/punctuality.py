"""How early or late parks report, round after round: words and signs for the heat map. Nothing here decides anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from schemas.period import Period
from warehouse.ledger.periods import Round, Timeliness, timeliness
from ytb.portal.pages import Chip
from ytb.portal.visit import BEIJING, Visit

ROUNDS_SHOWN = 8


@dataclass(frozen=True)
class ParkRow:
    """One park across rounds; a round in which it owed nothing is missing."""

    park: str
    name: str
    rounds: Mapping[Period, Timeliness]
    late: int
    """In how many of the rounds shown it was late or has not reported in time."""


def days_between(earlier: datetime, later: datetime) -> int:
    """Whole days from one time to a later one, a day begun not counted."""
    return (later - earlier) // timedelta(days=1)


def punctuality(one: Timeliness, now: datetime) -> Chip:
    """When a park first reported, against its deadline: sign, words, tone."""
    if one.reported_at is not None and one.is_late:
        days = days_between(one.deadline, one.reported_at)
        return Chip("!", f"迟 {days} 天" if days else "迟不足 1 天", "bad")
    if one.reported_at is not None:
        # The deadline of a day is its 24:00; what comes on that day is neither early nor late.
        last_day = (one.deadline - timedelta(microseconds=1)).astimezone(BEIJING).date()
        days = (last_day - one.reported_at.astimezone(BEIJING).date()).days
        return Chip("✓", f"早 {days} 天" if days else "当天", "good")
    if one.is_overdue:
        days = days_between(one.deadline, now)
        return Chip("✕", f"逾期 {days} 天未报" if days else "逾期未报", "bad")
    days = days_between(now, one.deadline)
    return Chip("○", f"未报,还有 {days} 天" if days else "未报,今天截止", "none")


def across_rounds(visit: Visit, every: Mapping[Period, Round], owing: Mapping[Period, Sequence[str]]) -> list[ParkRow]:
    """Every park that owed a report in any of the rounds, the most often late first."""
    names: dict[str, str] = {}
    by_park: dict[str, dict[Period, Timeliness]] = {}
    with visit.office.ledger.read() as session:
        for period in every:
            for one in timeliness(session, period, now=visit.now, owing=owing[period]):
                names[one.park] = one.name
                by_park.setdefault(one.park, {})[period] = one
    rows = [
        ParkRow(park, names[park], found, sum(t.is_late or t.is_overdue for t in found.values()))
        for park, found in by_park.items()
    ]
    return sorted(rows, key=lambda row: (-row.late, row.park))
