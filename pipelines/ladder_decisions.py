"""Decisions on parks: moves on the ladder, rectification tasks, appeals. Only people in the roles of the ladder decide."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy.orm import Session

from pipelines.evaluating import Judgement, events_of
from pipelines.intake import Office
from pipelines.methods.ladder import Kind, checked_appeal, checked_move, standing_of, task_of
from pipelines.methods.ladder_definition import Ladder
from schemas.errors import RefusalError
from warehouse.ledger.columns import SHANGHAI
from warehouse.ledger.evaluations import LadderRecord, LadderStep, ladder_records, permitted, record_ladder_step

REPORTER = "park_reporter"


def decide(
    office: Office,
    judgement: Judgement,
    park: str,
    to: str,
    *,
    year: int,
    reason: str,
    document: str,
    now: datetime,
    actor: str,
) -> LadderRecord:
    """Move a park. Only for the roles of the ladder; what the machine found is recorded beside the reason of the person.

    Raises RefusalError for a person in another role, a park that was not evaluated, or a move the ladder forbids.
    """
    ladder = judgement.ladder
    made = next((p for p in judgement.proposals if p.park == park), None)
    if made is None:
        raise RefusalError(f"{park} 不在 {year} 年评价之内。")
    target, today = ladder.rung(to), now.astimezone(SHANGHAI).date()
    with office.ledger.write() as session:
        permitted(session, actor, ladder.roles, "园区等级变动")
        standing = standing_of(park, events_of(ladder_records(session, park)), ladder)
        due = checked_move(standing, target, ladder, reason=reason, document=document, on=today)
        said = [f"建议:{made.to.name}", *made.reasons, *(f"无数据:{e.criterion.name}" for e in made.undetermined)]
        step = LadderStep(
            Kind.MOVE, park, year, today, standing.rung.id, target.id, None, due, reason.strip(), document.strip(),
            evidence=said, definition=ladder.version,
        )  # fmt: skip
        return record_ladder_step(session, step, now=now, actor=actor)


def set_task(
    office: Office,
    ladder: Ladder,
    park: str,
    text: str,
    *,
    due: date | None,
    responsible: str,
    now: datetime,
    actor: str,
) -> LadderRecord:
    """Set a rectification task 整改事项, due with the term of the rung where no other day is said."""
    if not text.strip() or not responsible.strip():
        raise RefusalError("整改事项须写明内容和责任单位。")
    with office.ledger.write() as session:
        permitted(session, actor, ladder.roles, "登记整改事项")
        standing = standing_of(park, events_of(ladder_records(session, park)), ladder)
        if standing.move is None or standing.rung.level >= 0:
            raise RefusalError(f"{park} 现为“{standing.rung.name}”,没有整改可以登记。")
        if due is None and standing.due is None:
            raise RefusalError(f"“{standing.rung.name}”没有规定期限,整改事项须写明期限。")
        step = LadderStep(
            Kind.TASK, park, standing.move.year, now.astimezone(SHANGHAI).date(), due=due or standing.due,
            text=text.strip(), responsible=responsible.strip(), about=standing.move.id, definition=ladder.version,
        )  # fmt: skip
        return record_ladder_step(session, step, now=now, actor=actor)


def handle_task(
    office: Office,
    ladder: Ladder,
    park: str,
    number: int,
    kind: Kind,
    *,
    text: str,
    document: str,
    now: datetime,
    actor: str,
) -> LadderRecord:
    """Report a task done (the park or the office), verify it or send it back (the office)."""
    if not text.strip():
        raise RefusalError("须写明整改结果或意见。")
    with office.ledger.write() as session:
        _of_park_or_office(session, ladder, park, actor, kind is Kind.REPORT, "整改事项")
        standing = standing_of(park, events_of(ladder_records(session, park)), ladder)
        task = task_of(standing, number, "open") if kind is Kind.REPORT else task_of(standing, number, "reported")
        year = standing.move.year if standing.move else now.astimezone(SHANGHAI).year
        step = LadderStep(
            kind, park, year, now.astimezone(SHANGHAI).date(), about=task.id, text=text.strip(), document=document.strip(),
            definition=ladder.version,
        )  # fmt: skip
        return record_ladder_step(session, step, now=now, actor=actor)


def appeal(
    office: Office, ladder: Ladder, park: str, *, text: str, document: str, now: datetime, actor: str
) -> LadderRecord:
    """The park appeals against the last move, within the days of the ladder. While it is open the park is not moved."""
    if not text.strip():
        raise RefusalError("申诉须写明理由。")
    with office.ledger.write() as session:
        _of_park_or_office(session, ladder, park, actor, True, "申诉")
        standing = standing_of(park, events_of(ladder_records(session, park)), ladder)
        today = now.astimezone(SHANGHAI).date()
        move = checked_appeal(standing, ladder, today)
        step = LadderStep(
            Kind.APPEAL, park, move.year, today, about=move.id, text=text.strip(), document=document.strip(),
            definition=ladder.version,
        )  # fmt: skip
        return record_ladder_step(session, step, now=now, actor=actor)


def decide_appeal(
    office: Office, ladder: Ladder, park: str, *, upheld: bool, reason: str, document: str, now: datetime, actor: str
) -> LadderRecord:
    """Uphold an appeal, which undoes the move and what followed for the city, or dismiss it. Not by the person who moved the park."""
    if not reason.strip() or not document.strip():
        raise RefusalError("申诉处理须写明理由和文号。")
    with office.ledger.write() as session:
        permitted(session, actor, ladder.roles, "申诉处理")
        standing = standing_of(park, events_of(ladder_records(session, park)), ladder)
        if standing.appeal is None:
            raise RefusalError(f"{park} 没有未办结的申诉。")
        move = next(m for m in standing.moves if m.id == standing.appeal.about)
        if move.by == actor:
            raise RefusalError("申诉须由作出处置以外的人办理。")
        back = (standing.rung.id, move.from_rung) if upheld else ("", "")
        step = LadderStep(
            Kind.UPHELD if upheld else Kind.DISMISSED, park, move.year, now.astimezone(SHANGHAI).date(), *back, move.id,
            text=reason.strip(), document=document.strip(), definition=ladder.version,
        )  # fmt: skip
        return record_ladder_step(session, step, now=now, actor=actor)


def _of_park_or_office(session: Session, ladder: Ladder, park: str, actor: str, park_may: bool, what: str) -> None:
    roles = {*ladder.roles, REPORTER} if park_may else set(ladder.roles)
    found = permitted(session, actor, roles, what)
    if found.role == REPORTER and found.park != park:
        raise RefusalError(f"“{actor}”只能办理 {found.park} 的事项。")
