"""The ladder of praise and warning worked out a second time: standing by plain SQL, proposals by plain arithmetic.

Written by hand from docs/methods/ladder.md (sections 2 to 5); nothing is read from the definition or the code that proposes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from datetime import date
from typing import NamedTuple

LEVELS = {"praise": 1, "normal": 0, "watch": -1, "warning": -2, "notice": -3, "rectify": -4, "leave": -5}
WAYS = {
    "praise": ("normal", "watch", "warning"),
    "normal": ("praise", "watch", "warning"),
    "watch": ("normal", "praise", "warning"),
    "warning": ("normal", "watch", "notice", "rectify"),
    "notice": ("watch", "warning", "rectify"),
    "rectify": ("watch", "normal", "leave"),
    "leave": ("rectify",),
}
ESCALATES = {"warning": "notice", "notice": "rectify"}
RECOVERS = {"praise": ("normal", 1), "watch": ("normal", 1), "warning": ("watch", 1), "notice": ("watch", 2), "rectify": ("watch", 1)}  # fmt: skip
HAIR = 1e-9  # a bound itself is reached

Found = float | None


def below(found: Found, bound: float) -> bool | None:
    return None if found is None else found < bound - HAIR


def at_most(found: Found, bound: float) -> bool | None:
    return None if found is None else found <= bound + HAIR


def at_least(found: Found, bound: float) -> bool | None:
    return None if found is None else found >= bound - HAIR


def all_of(answers: Iterable[bool | None]) -> bool | None:
    """Kleene: one no settles it, else one unknown leaves it open."""
    known = list(answers)
    return False if False in known else None if None in known else True


def triggers(years: Mapping[int, Mapping[str, float]], year: int) -> dict[str, tuple[str, bool | None]]:
    """Trigger → (rung it proposes, outcome), by the table of section 3."""
    own = years.get(year, {})
    lag = [at_least(years.get(y, {}).get("parks.quantile"), 0.75) for y in (year - 2, year - 1, year)]
    risen = own.get("parks.score_change")
    better = None if risen is None else risen > HAIR
    return {
        "top_tenth": ("praise", all_of((at_most(own.get("parks.quantile"), 0.1), at_most(own.get("parks.grade"), 2)))),
        "progress": ("praise", all_of((at_least(own.get("parks.rank_change"), 3), better))),
        "low_score": ("watch", below(own.get("parks.total"), 70)),
        "bottom_tenth": ("warning", at_least(own.get("parks.quantile"), 0.9)),
        "rank_fall": ("warning", at_most(own.get("parks.rank_change"), -5)),
        "score_fall": ("warning", at_most(own.get("parks.score_change"), -10)),
        "land": ("warning", below(own.get("land.A2"), 60)),
        "environment": ("warning", all_of((below(own.get("parks.X17"), 60), below(own.get("parks.X18"), 60)))),
        "long_lag": ("notice", all_of(lag)),
    }


class Position(NamedTuple):
    """Where a park stands: rung, year and term of the decision that stands, states of its tasks, whether an appeal is open."""

    rung: str = "normal"
    moved: int | None = None
    due: date | None = None
    tasks: tuple[str, ...] = ()
    appealed: bool = False

    def is_free(self) -> bool:
        return self.rung != "rectify" or (bool(self.tasks) and set(self.tasks) == {"verified"})

    def is_overdue(self, on: date) -> bool:
        return self.due is not None and on > self.due and set(self.tasks) != {"verified"}


def proposed(at: Position, years: Mapping[int, Mapping[str, float]], year: int, on: date) -> str:
    """The rung section 4 proposes, in its order (1) to (5)."""
    if at.appealed:
        return at.rung
    if at.rung == "rectify" and at.is_overdue(on):
        return "leave"
    fired = [rung for rung, holds in triggers(years, year).values() if holds]
    gravest = min((LEVELS[r] for r in fired if LEVELS[r] < 0), default=None)
    if gravest is not None:
        return _down(at, gravest, year)
    if "praise" in fired and at.rung in ("normal", "praise"):
        return "praise"
    return _up(at, years, year)


def _down(at: Position, gravest: int, year: int) -> str:
    if LEVELS[at.rung] > gravest:
        reached = [r for r in WAYS[at.rung] if gravest <= LEVELS[r] < LEVELS[at.rung]]
        return min(reached, key=lambda r: LEVELS[r], default=at.rung)
    return at.rung if at.moved == year else ESCALATES.get(at.rung, at.rung)


def _up(at: Position, years: Mapping[int, Mapping[str, float]], year: int) -> str:
    if at.rung not in RECOVERS or not at.is_free():
        return at.rung
    to, wait = RECOVERS[at.rung]
    since = year if at.moved is None else at.moved
    if year - since < wait:
        return at.rung
    for y in range(year - wait + 1, year + 1):
        warned = [holds for rung, holds in triggers(years, y).values() if LEVELS[rung] < 0]
        if True in warned or set(warned) == {None}:  # a warning, or a year that was not evaluated
            return at.rung
    return to


STANDS = """
SELECT m.id, m.to_rung, m.year, m.due FROM ladder_events m WHERE m.kind = 'move' AND m.park = :park
AND NOT EXISTS (SELECT 1 FROM ladder_events u WHERE u.kind = 'upheld' AND u.about = m.id) ORDER BY m.id DESC LIMIT 1
"""
TASKS = """
SELECT (SELECT s.kind FROM ladder_events s WHERE s.about = t.id AND s.kind IN ('report', 'verify', 'reject') ORDER BY s.id DESC LIMIT 1)
FROM ladder_events t WHERE t.kind = 'task' AND t.about = :move ORDER BY t.id
"""
APPEALS = """
SELECT count(*) FILTER (WHERE kind = 'appeal') - count(*) FILTER (WHERE kind IN ('upheld', 'dismissed')) FROM ladder_events WHERE park = :park
"""
STATES = {None: "open", "reject": "open", "report": "reported", "verify": "verified"}


def position(con: sqlite3.Connection, park: str) -> Position:
    """The standing of a park by plain SQL over the recorded steps: the newest move that no appeal has undone, and its tasks."""
    (open_appeals,) = con.execute(APPEALS, {"park": park}).fetchone()
    row = con.execute(STANDS, {"park": park}).fetchone()
    if row is None:
        return Position(appealed=open_appeals > 0)
    move, rung, year, due = row
    tasks = tuple(STATES[kind] for (kind,) in con.execute(TASKS, {"move": move}).fetchall())
    return Position(rung, year, date.fromisoformat(due) if due else None, tasks, open_appeals > 0)
