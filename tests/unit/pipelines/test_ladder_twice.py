"""The ladder against a second computation written from its page: plain SQL for the standing, plain arithmetic for proposals."""

from __future__ import annotations

import sqlite3
from datetime import date, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.methods.ladder import Kind, LadderEvent, Standing, Task, judged, proposal, standing_of
from pipelines.methods.ladder_definition import parse_ladder
from schemas.catalog import programme
from tests.integration import independent_ladder as independent

EDITION = programme().editions["2015"]
assert EDITION.ladder is not None
LADDER = parse_ladder(EDITION.ladder)
DAY = date(2017, 5, 31)
YEARS = (2014, 2015, 2016)
# every fact a trigger asks, on its bounds, beside them and unknown
VALUES = {
    "parks.quantile": (0.0, 0.1, 0.5, 0.75, 0.9, 1.0),
    "parks.grade": (1.0, 2.0, 3.0),
    "parks.rank_change": (-5.0, -4.0, 0.0, 3.0),
    "parks.score_change": (-10.0, -9.9, 0.0, 0.1),
    "parks.total": (69.9, 70.0, 90.0),
    "land.A2": (59.9, 60.0),
    "parks.X17": (59.9, 60.0),
    "parks.X18": (59.9, 60.0),
}
ONE_YEAR = st.fixed_dictionaries({}, optional={name: st.sampled_from(found) for name, found in VALUES.items()})
SOUND = {name: found[len(found) // 2] for name, found in VALUES.items()}
CALM = st.builds(lambda own: {**SOUND, "parks.total": 80.0, "land.A2": 80.0, **own}, ONE_YEAR)
POSITIONS = st.builds(
    independent.Position,
    st.sampled_from(sorted(independent.LEVELS)),
    st.sampled_from((None, 2013, 2014, 2015, 2016)),
    st.sampled_from((None, DAY - timedelta(days=1), DAY)),
    st.lists(st.sampled_from(("open", "reported", "verified")), max_size=2).map(tuple),
    st.booleans(),
)


def engine(at: independent.Position) -> Standing:
    """The same standing as the engine knows it."""
    move = None if at.moved is None else LadderEvent(1, Kind.MOVE, "P1", at.moved, DAY, "wang", to_rung=at.rung)
    appeal = LadderEvent(9, Kind.APPEAL, "P1", 2016, DAY, "sun", about=1) if at.appealed else None
    tasks = tuple(Task(n, "整改", at.due, "管委会", state) for n, state in enumerate(at.tasks, start=2))
    return Standing("P1", LADDER.rung(at.rung), move, at.due, tasks, appeal)


@settings(max_examples=400, deadline=None)
@given(POSITIONS, st.fixed_dictionaries({}, optional={y: st.one_of(ONE_YEAR, CALM) for y in YEARS}))
def test_proposals_and_triggers_are_what_the_page_makes_them(
    at: independent.Position, years: dict[int, dict[str, float]]
) -> None:
    made = proposal(engine(at), years, LADDER, 2016, DAY)
    assert made.to.id == independent.proposed(at, years, 2016, DAY)
    outcomes = {e.criterion.id: (e.criterion.proposes, e.outcome) for e in judged(LADDER.triggers, years, 2016)}
    assert outcomes == independent.triggers(years, 2016)


KINDS = ("move", "task", "move", "task", "report", "verify", "reject", "appeal", "upheld", "dismissed")
STEPS = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 5)), min_size=12, max_size=24)


def told(steps: list[tuple[str, int]]) -> list[LadderEvent]:
    """A life of a park: the steps that were possible when they came, each about the newest thing it can be about."""
    events: list[LadderEvent] = []
    con = recorded(events)
    for kind, choice in steps:
        at = independent.position(con, "P1")
        stands = con.execute(independent.STANDS, {"park": "P1"}).fetchone()
        tasks = {"report": "open", "verify": "reported", "reject": "reported"}
        numbers = [e.id for e in events if e.kind is Kind.TASK and stands and e.about == stands[0]]
        number, on = len(events) + 1, DAY + timedelta(days=len(events))
        one: LadderEvent | None = None
        if kind == "move" and not at.appealed:
            ways = independent.WAYS[at.rung]
            due = on + timedelta(days=365) if choice % 2 else None
            one = LadderEvent(number, Kind.MOVE, "P1", 2014 + choice % 3, on, "wang", at.rung, ways[choice % len(ways)], due=due)  # fmt: skip
        elif kind == "task" and stands and at.rung != "normal":
            one = LadderEvent(number, Kind.TASK, "P1", stands[2], on, "wang", about=stands[0], text="整改")
        elif kind in tasks and tasks[kind] in at.tasks:
            one = LadderEvent(number, Kind(kind), "P1", 2016, on, "wang", about=numbers[at.tasks.index(tasks[kind])])
        elif (kind == "appeal" and stands and not at.appealed) or (kind in ("upheld", "dismissed") and at.appealed):
            one = LadderEvent(number, Kind(kind), "P1", 2016, on, "li", about=stands[0])
        if one is not None:
            events.append(one)
            con = recorded(events)
    return events


def recorded(events: list[LadderEvent]) -> sqlite3.Connection:
    """The steps as the ledger keeps them."""
    con = sqlite3.connect(":memory:")
    con.execute("CREATE TABLE ladder_events (id, kind, park, year, from_rung, to_rung, about, due)")
    rows = [
        (e.id, e.kind.value, e.park, e.year, e.from_rung, e.to_rung, e.about, e.due.isoformat() if e.due else None)
        for e in events
    ]
    con.executemany("INSERT INTO ladder_events VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
    return con


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_standing_is_what_plain_sql_over_the_recorded_steps_makes_it(steps: list[tuple[str, int]]) -> None:
    events = told(steps)
    found = standing_of("P1", events, LADDER)
    again = independent.Position(
        found.rung.id, found.move.year if found.move else None, found.due, tuple(t.state for t in found.tasks), found.appeal is not None
    )  # fmt: skip
    assert again == independent.position(recorded(events), "P1")
