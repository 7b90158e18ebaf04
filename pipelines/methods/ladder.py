"""The ladder of praise and warning 等级与处置: where a park stands, what the evidence proposes, which decisions are allowed.

Pure: standing follows from the recorded events alone, proposals from standing and facts. The machine proposes; a person in
the right role decides, with reason and document. Source: index_system.md 9.6; docs/methods/ladder.md.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from enum import StrEnum
from typing import Final

from exports.display import figure
from pipelines.methods.ladder_definition import Condition, Criterion, Fact, Facts, Ladder, Rung
from schemas.errors import RefusalError

UNKNOWN: Final = "无数据"
_WHOLE: Final = frozenset({"rank", "rank_change", "grade"})
_WORDS: Final = {"<": "条件:低于", "<=": "条件:不高于", ">": "条件:高于", ">=": "条件:不低于", "==": "条件:为"}


class Kind(StrEnum):
    """What an event records."""

    MOVE = "move"  # a decision: from rung, to rung, perhaps a term
    TASK = "task"  # a rectification task 整改事项, with its term
    REPORT = "report"  # the park reports a task done, with evidence
    VERIFY = "verify"  # verified and struck off 销号
    REJECT = "reject"  # the report does not do
    APPEAL = "appeal"  # against a move
    UPHELD = "upheld"  # the appeal was right: the move is undone
    DISMISSED = "dismissed"


@dataclass(frozen=True)
class LadderEvent:
    """One recorded event; ``about`` is the number of the task or move it concerns; ``period`` the year of evaluation."""

    id: int
    kind: Kind
    park: str
    year: int
    on: date
    by: str
    from_rung: str = ""
    to_rung: str = ""
    about: int | None = None
    due: date | None = None
    text: str = ""
    document: str = ""
    responsible: str = ""


@dataclass(frozen=True)
class Task:
    """A rectification task: ``state`` is open, reported or verified."""

    id: int
    text: str
    due: date | None
    responsible: str
    state: str
    result: str = ""


@dataclass(frozen=True)
class Standing:
    """Where a park stands. ``move``: the decision that brought it there, None where none was made; ``tasks``: those set since."""

    park: str
    rung: Rung
    move: LadderEvent | None = None
    due: date | None = None
    tasks: tuple[Task, ...] = ()
    appeal: LadderEvent | None = None  # open
    moves: tuple[LadderEvent, ...] = ()  # that stand, oldest first
    dismissed: frozenset[int] = frozenset()
    tasks_before: Mapping[int, tuple[Task, ...]] = field(default_factory=dict)  # move → the tasks it put an end to

    @property
    def unverified(self) -> tuple[Task, ...]:
        """Tasks not struck off."""
        return tuple(t for t in self.tasks if t.state != "verified")

    def is_overdue(self, on: date) -> bool:
        """The term is over and something is not struck off (or nothing was ever set as a task)."""
        return self.due is not None and on > self.due and (bool(self.unverified) or not self.tasks)

    @property
    def may_rise(self) -> bool:
        """Whether the rung lets the park up: where tasks are required, at least one was set and all are verified."""
        return not self.rung.requires_tasks or (bool(self.tasks) and not self.unverified)


def standing_of(park: str, events: Iterable[LadderEvent], ladder: Ladder) -> Standing:
    """The standing that follows from the events of one park, oldest first."""
    found = Standing(park, ladder.normal)
    for event in events:
        match event.kind:
            case Kind.MOVE:
                found = replace(
                    found, rung=ladder.rung(event.to_rung), move=event, due=event.due, tasks=(),
                    moves=(*found.moves, event), tasks_before={**found.tasks_before, event.id: found.tasks},
                )  # fmt: skip
            case Kind.TASK:
                task = Task(event.id, event.text, event.due, event.responsible, "open")
                found = replace(found, tasks=(*found.tasks, task))
            case Kind.REPORT:
                found = _with_task(found, event, "reported", event.text)
            case Kind.VERIFY:
                found = _with_task(found, event, "verified", event.text)
            case Kind.REJECT:
                found = _with_task(found, event, "open", event.text)
            case Kind.APPEAL:
                found = replace(found, appeal=event)
            case Kind.DISMISSED:
                found = replace(found, appeal=None, dismissed=found.dismissed | {event.about or 0})
            case Kind.UPHELD:
                found = _undone(found, event, ladder)
    return found


def _with_task(found: Standing, event: LadderEvent, state: str, result: str) -> Standing:
    tasks = tuple(replace(t, state=state, result=result) if t.id == event.about else t for t in found.tasks)
    return replace(found, tasks=tasks)


def _undone(found: Standing, event: LadderEvent, ladder: Ladder) -> Standing:
    """The move the appeal was about no longer stands: the park is where it was before, with the term and tasks of that time."""
    undone = next((m for m in found.moves if m.id == event.about), None)
    kept = tuple(m for m in found.moves if m.id != event.about)
    last = kept[-1] if kept else None
    rung = ladder.rung(undone.from_rung) if undone else found.rung
    tasks = found.tasks_before.get(undone.id, ()) if undone else found.tasks
    return replace(found, rung=rung, move=last, due=last.due if last else None, tasks=tasks, appeal=None, moves=kept)


# -- evidence and proposals -------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Evidence:
    """One criterion judged: ``outcome`` True, False or None (a fact is missing); ``facts``: (year, condition, value found)."""

    criterion: Criterion
    outcome: bool | None
    facts: tuple[tuple[int, Condition, Fact | None], ...]
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def sentence(self) -> str:
        """The evidence in words: what was found in which year, and the bound it is held against."""
        said = [
            f"{year}年{self.labels.get(c.fact, c.fact)} {_found(c.fact, value)}({_WORDS[c.op]}{_bound(c.value)})"
            for year, c, value in self.facts
        ]
        return f"{self.criterion.name}:{'、'.join(said)}"


def _found(name: str, value: Fact | None) -> str:
    """A fact as people read it: ranks and levels whole, scores with two decimals, other figures with two where they are not whole."""
    if value is None:
        return UNKNOWN
    if not isinstance(value, float):
        return str(value)
    kind = name.rpartition(".")[2]
    other = kind == "value" or name.startswith(("figure.", "register.", "ladder."))
    return figure(value, 0 if kind in _WHOLE or (other and value.is_integer()) else 2)


def _bound(value: Fact) -> str:
    """A bound as the definition states it."""
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def judged(
    criteria: Sequence[Criterion], facts: Facts, year: int, labels: Mapping[str, str] | None = None
) -> tuple[Evidence, ...]:
    """Every criterion on the facts of a park up to ``year``; ``labels``: fact → what people call it."""
    return tuple(
        Evidence(
            c,
            c.outcome(facts, year),
            tuple(
                (y, condition, facts.get(y, {}).get(condition.fact))
                for y in range(year - c.years + 1, year + 1)
                for condition in c.conditions
            ),
            labels or {},
        )
        for c in criteria
    )


@dataclass(frozen=True)
class Proposal:
    """What the evidence of a year suggests for a park; ``to`` equals ``now`` where it suggests nothing."""

    park: str
    year: int
    now: Rung
    to: Rung
    reasons: tuple[str, ...]
    fired: tuple[Evidence, ...] = ()
    undetermined: tuple[Evidence, ...] = field(default=())

    @property
    def is_change(self) -> bool:
        """Whether a decision is suggested."""
        return self.to.id != self.now.id


def proposal(
    standing: Standing, facts: Facts, ladder: Ladder, year: int, on: date, labels: Mapping[str, str] | None = None
) -> Proposal:
    """The proposal for a park: warnings before praise, the gravest trigger first; never past an open appeal.

    A trigger that fires again while the park already stands at its rung or lower escalates; an overdue term proposes what
    the rung says; a park without any warning trigger for the years of recovery may rise, where tasks are verified.
    """
    evidence = judged(ladder.triggers, facts, year, labels)
    fired, open_ = tuple(e for e in evidence if e.outcome), tuple(e for e in evidence if e.outcome is None)
    now = standing.rung

    def made(to: Rung, *reasons: str) -> Proposal:
        return Proposal(standing.park, year, now, to, reasons, fired, open_)

    if standing.appeal is not None:
        return made(now, "申诉未办结,暂不建议变动。")
    if now.overdue and standing.is_overdue(on):
        left = "、".join(t.text for t in standing.unverified) or "没有登记整改事项"
        return made(ladder.rung(now.overdue), f"整改期限 {standing.due} 已过,未销号:{left}。")
    warnings = [e for e in fired if ladder.rung(e.criterion.proposes).level < 0]
    if warnings:
        return _downward(standing, warnings, ladder, made(now))
    praised = [e for e in fired if ladder.rung(e.criterion.proposes).level > 0]
    if praised and now.level >= 0:
        best = max((ladder.rung(e.criterion.proposes) for e in praised), key=lambda r: r.level)
        return made(best if best.id in now.to or best.id == now.id else now, *(e.sentence for e in praised))
    return _upward(standing, facts, ladder, year, made(now))


def _downward(standing: Standing, warnings: Sequence[Evidence], ladder: Ladder, bare: Proposal) -> Proposal:
    now = standing.rung
    worst = min((ladder.rung(e.criterion.proposes) for e in warnings), key=lambda r: r.level)
    reasons = tuple(e.sentence for e in warnings)
    if worst.level < now.level:
        reachable = [ladder.rung(r) for r in now.to if ladder.rung(r).level < now.level]
        # a grave trigger leads no further than the rung a decision may reach from here
        to = max((r for r in reachable if r.level <= worst.level), key=lambda r: r.level, default=None)
        to = to or min(reachable, key=lambda r: r.level, default=now)
        return replace(bare, to=to, reasons=reasons)
    new = standing.move is None or standing.move.year < bare.year
    if now.escalate and new:
        return replace(bare, to=ladder.rung(now.escalate), reasons=(*reasons, f"已在“{now.name}”,问题仍在,建议升级。"))
    return replace(bare, reasons=reasons)


def _upward(standing: Standing, facts: Facts, ladder: Ladder, year: int, bare: Proposal) -> Proposal:
    now = standing.rung
    if not now.recover:
        return bare
    if not standing.may_rise:
        return replace(bare, reasons=("整改事项未全部销号,暂不建议恢复。",))
    since = standing.move.year if standing.move else year
    years = range(max(since + 1, year - now.recovery_years + 1), year + 1)
    if len(years) < now.recovery_years:
        return bare
    for y in years:
        again = [e for e in judged(ladder.triggers, facts, y) if ladder.rung(e.criterion.proposes).level < 0]
        if any(e.outcome for e in again) or all(e.outcome is None for e in again):
            return bare
    words = "不再符合通报表扬条件" if now.level > 0 else f"{now.recovery_years}个年度没有警示条件触发"
    return replace(bare, to=ladder.rung(now.recover), reasons=(f"{words},建议转为“{ladder.rung(now.recover).name}”。",))


# -- what may be decided ----------------------------------------------------------------------------------------------
def checked_move(standing: Standing, to: Rung, ladder: Ladder, *, reason: str, document: str, on: date) -> date | None:
    """The term a decision sets, None where the rung sets none. Raises RefusalError for a decision the ladder forbids."""
    now = standing.rung
    if not reason.strip() or not document.strip():
        raise RefusalError("等级变动须写明理由和文号。")
    if standing.appeal is not None:
        raise RefusalError(f"{standing.park} 对第 {standing.appeal.about} 号处置的申诉未办结,先办结申诉。")
    if to.id not in now.to:
        allowed = "、".join(f"{ladder.rung(r).name}" for r in now.to)
        raise RefusalError(f"{standing.park} 现为“{now.name}”,不能转为“{to.name}”;可转为:{allowed}。")
    if to.level > now.level and not standing.may_rise:
        raise RefusalError(f"{standing.park} 的整改事项没有全部销号(或没有登记),不能恢复。")
    if now.overdue and to.id == now.overdue and not standing.is_overdue(on):
        raise RefusalError(f"{standing.park} 的整改期限到 {standing.due},期限未过或已全部销号,不能转为“{to.name}”。")
    return months_later(on, to.term_months) if to.term_months else None


def checked_appeal(standing: Standing, ladder: Ladder, on: date) -> LadderEvent:
    """The move an appeal may be filed against now. Raises RefusalError."""
    move = standing.move
    if move is None or ladder.rung(move.to_rung).level >= ladder.rung(move.from_rung).level:
        raise RefusalError(f"{standing.park} 没有可以申诉的处置。")
    if standing.appeal is not None or move.id in standing.dismissed:
        raise RefusalError(f"第 {move.id} 号处置已经申诉过。")
    if on > move.on + timedelta(days=ladder.appeal_days):
        raise RefusalError(f"申诉期为处置之日起 {ladder.appeal_days} 天,已过期。")
    return move


def task_of(standing: Standing, number: int, *states: str) -> Task:
    """A task of the park in one of ``states``. Raises RefusalError."""
    for task in standing.tasks:
        if task.id == number and task.state in states:
            return task
    raise RefusalError(f"{standing.park} 没有可以办理的第 {number} 号整改事项。")


def months_later(day: date, months: int) -> date:
    """The same day ``months`` later, or the last of that month."""
    month = day.month - 1 + months
    year, month = day.year + month // 12, month % 12 + 1
    return date(year, month, min(day.day, calendar.monthrange(year, month)[1]))


def cities_concerned(
    standings: Iterable[Standing], cities: Mapping[str, str], ladder: Ladder, year: int
) -> dict[str, tuple[LadderEvent, ...]]:
    """City → the decisions of the year for which it may not be called 成效明显 (those undone on appeal do not count)."""
    found: dict[str, list[LadderEvent]] = {}
    for standing in standings:
        for move in standing.moves:
            downward = ladder.rung(move.to_rung).level < ladder.rung(move.from_rung).level
            if move.year == year and downward and ladder.rung(move.to_rung).city:
                found.setdefault(cities.get(standing.park, ""), []).append(move)
    return {city: tuple(moves) for city, moves in sorted(found.items())}
