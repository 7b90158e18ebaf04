"""Decisions on parks: moves on the ladder, by two people, rectification tasks, appeals. Only people in the roles of the ladder decide."""

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
from warehouse.ledger.ladder_drafts import Draft, drop_draft, pending_draft, record_draft
from warehouse.ledger.users import title_of

REPORTER = "park_reporter"


def draft(
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
) -> Draft:
    """Put a move forward, with what the machine found at the time. It counts for nothing until another person confirms it.

    Raises RefusalError for a person who is not in a role of the ladder, a park that was not evaluated, a move the ladder forbids,
    or where another draft of the park waits.
    """
    ladder = judgement.ladder
    made = next((p for p in judgement.proposals if p.park == park), None)
    if made is None:
        raise RefusalError(f"{park} 不在 {year} 年评价之内。")
    target, today = ladder.rung(to), now.astimezone(SHANGHAI).date()
    with office.ledger.write() as session:
        permitted(session, actor, ladder.roles, "园区等级变动")
        if (before := pending_draft(session, park)) is not None:
            by = title_of(session, before.by)
            raise RefusalError(f"{park} 有{by}提出的处置等待复核,先复核或撤下。")
        standing = standing_of(park, events_of(ladder_records(session, park)), ladder)
        due = checked_move(standing, target, ladder, reason=reason, document=document, on=today)
        said = (f"建议:{made.to.name}", *made.reasons, *(f"无数据:{e.criterion.name}" for e in made.undetermined))
        return record_draft(
            session,
            Draft(park, year, standing.rung.id, target.id, reason.strip(), document.strip(), due, said, ladder.version, now, actor),
        )  # fmt: skip


def confirm(office: Office, ladder: Ladder, park: str, *, now: datetime, actor: str) -> LadderRecord:
    """Move a park as another person put forward; its term runs from now. Both are on record: who put it forward as ``responsible``.

    Raises RefusalError where nothing waits, for who put it forward, or where the ladder no longer allows the move.
    """
    today = now.astimezone(SHANGHAI).date()
    with office.ledger.write() as session:
        permitted(session, actor, ladder.roles, "园区等级变动")
        waiting = _waiting(session, park)
        if waiting.by == actor:
            raise RefusalError(f"{park} 的处置由您提出,须由另一人复核后生效。")
        standing = standing_of(park, events_of(ladder_records(session, park)), ladder)
        if standing.rung.id != waiting.from_rung or waiting.definition != ladder.version:
            raise RefusalError(f"{park} 的等级或规则在提出以后有变化,请撤下后重新提出。")
        due = checked_move(
            standing, ladder.rung(waiting.to_rung), ladder, reason=waiting.reason, document=waiting.document, on=today
        )
        step = LadderStep(
            Kind.MOVE, park, waiting.year, today, waiting.from_rung, waiting.to_rung, None, due, waiting.reason,
            waiting.document, responsible=waiting.by, evidence=waiting.evidence, definition=ladder.version,
        )  # fmt: skip
        return record_ladder_step(session, step, now=now, actor=actor)


def drop(office: Office, ladder: Ladder, park: str, *, reason: str, now: datetime, actor: str) -> Draft:
    """Take back a move that was put forward, or do not agree to it, with the reason."""
    if not reason.strip():
        raise RefusalError("撤下处置须写明原因。")
    with office.ledger.write() as session:
        permitted(session, actor, ladder.roles, "园区等级变动")
        waiting = _waiting(session, park)
        drop_draft(session, waiting, reason=reason.strip(), now=now, actor=actor)
        return waiting


def _waiting(session: Session, park: str) -> Draft:
    found = pending_draft(session, park)
    if found is None:
        raise RefusalError(f"{park} 没有等待复核的处置。")
    return found


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
    """Uphold an appeal, which undoes the move and what followed for the city, or dismiss it. By neither of the two who moved the
    park."""
    if not reason.strip() or not document.strip():
        raise RefusalError("申诉处理须写明理由和文号。")
    with office.ledger.write() as session:
        permitted(session, actor, ladder.roles, "申诉处理")
        standing = standing_of(park, events_of(ladder_records(session, park)), ladder)
        if standing.appeal is None:
            raise RefusalError(f"{park} 没有未办结的申诉。")
        move = next(m for m in standing.moves if m.id == standing.appeal.about)
        if actor in (move.by, move.responsible):
            raise RefusalError("申诉须由作出处置以外的人办理:提出的和复核的都不能办。")
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
