"""Queries 查询: questions of a reviewer on a cell, the park's written answers, and how each ended.

A thread belongs to a park, a period and a cell, whatever revision it was asked on. Nothing is changed or deleted: what is
said later is another message. Words may hold figures, so the trail gets their hash only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from schemas.errors import RefusalError
from schemas.period import Period
from warehouse.ledger import trail
from warehouse.ledger.decisions import names_a_figure
from warehouse.ledger.models import QueryMessageRow, QueryThreadRow
from warehouse.ledger.submissions import submission

LONGEST = 1000


class QueryState(StrEnum):
    """Where a query stands: open until it is answered, answered until it is closed."""

    OPEN = "open"
    ANSWERED = "answered"
    CLOSED = "closed"

    @property
    def label(self) -> str:
        """As people read it."""
        return {"open": "待答复", "answered": "已答复", "closed": "已了结"}[self.value]


OUTCOMES = {"corrected": "已更正", "confirmed": "核实属实", "withdrawn": "撤回", "unanswered": "未答复"}
"""How a query ended."""


@dataclass(frozen=True)
class Message:
    """One message after the question; ``kind`` is ask, answer or close."""

    kind: str
    text: str
    outcome: str
    at: datetime
    by: str


@dataclass(frozen=True)
class Query:
    """One thread. ``column`` is the indicator code of the cell, ``unit_id`` the enterprise (or the park itself)."""

    id: int
    park: str
    period: Period
    submission: str
    finding_key: str
    form: str
    unit_id: str
    column: str
    question: str
    due: date
    asked_at: datetime
    asked_by: str
    messages: tuple[Message, ...] = ()

    @property
    def state(self) -> QueryState:
        """From the last message."""
        last = self.messages[-1].kind if self.messages else "ask"
        return {"ask": QueryState.OPEN, "answer": QueryState.ANSWERED, "close": QueryState.CLOSED}[last]

    @property
    def outcome(self) -> str:
        """How it ended, empty while it goes on."""
        return self.messages[-1].outcome if self.messages else ""

    def is_overdue(self, today: date) -> bool:
        """Whether the answer is late."""
        return self.state is QueryState.OPEN and today > self.due


def ask(
    session: Session, number: str, *, form: str, unit_id: str, column: str, question: str, due: date, now: datetime,
    actor: str, finding_key: str = "",
) -> Query:  # fmt: skip
    """Open a query on a cell of a submission.

    Raises RefusalError without words, for words that name the figure to put, for a date in the past, and where one on the
    same cell is still going on.
    """
    found = submission(session, number)
    text = _words(question, "查询")
    if names_a_figure(text):
        raise RefusalError("查询只能问情况,不得写明要填报的数值:数据由填报单位自行核实更正。")
    if due < now.date():
        raise RefusalError(f"答复期限 {due} 已过,请另定。")
    for other in queries(session, park=found.park, period=found.period):
        if (other.form, other.unit_id, other.column) == (
            form,
            unit_id,
            column,
        ) and other.state is not QueryState.CLOSED:
            raise RefusalError(f"这一格已有未了结的查询(编号 {other.id}),请在其中继续。")
    row = {
        "park": found.park, "period": str(found.period), "submission": number, "finding_key": finding_key, "form": form,
        "unit_id": unit_id, "column": column, "question": text, "due": due, "asked_at": now, "asked_by": actor,
    }  # fmt: skip
    head = trail.append(
        session, at=now, actor=actor, action="query_asked", subject=number, rows=trail.Rows(QueryThreadRow, [row])
    )
    made = session.scalar(select(QueryThreadRow.id).where(QueryThreadRow.trail_seq == head.seq))
    assert made is not None
    return query(session, made)


def answer(session: Session, number: int, text: str, *, now: datetime, actor: str) -> Query:
    """The park's answer. Raises RefusalError where the query is closed or the words are missing."""
    return _say(session, number, "answer", text, "", now=now, actor=actor)


def ask_again(session: Session, number: int, text: str, *, now: datetime, actor: str) -> Query:
    """A further question of the reviewer on an answer. Raises RefusalError as ``ask``."""
    if names_a_figure(text):
        raise RefusalError("查询只能问情况,不得写明要填报的数值:数据由填报单位自行核实更正。")
    return _say(session, number, "ask", text, "", now=now, actor=actor)


def close(session: Session, number: int, outcome: str, *, now: datetime, actor: str, text: str = "") -> Query:
    """End a query, saying how it ended (``OUTCOMES``)."""
    if outcome not in OUTCOMES:
        listed = "、".join(f"{k}({v})" for k, v in OUTCOMES.items())
        raise RefusalError(f"了结方式“{outcome}”无效,应为 {listed}。")
    return _say(session, number, "close", text or OUTCOMES[outcome], outcome, now=now, actor=actor)


def query(session: Session, number: int) -> Query:
    """One thread with its messages. Raises RefusalError for an unknown number."""
    row = session.get(QueryThreadRow, number)
    if row is None:
        raise RefusalError(
            f"没有编号为 {number} 的查询。", command="编号见 ytb query list。", page="各条查询见“查询”页。"
        )
    return _complete(session, [row])[0]


def queries(session: Session, *, park: str | None = None, period: Period | None = None) -> list[Query]:
    """The threads of a park or period or all, oldest first."""
    wanted = select(QueryThreadRow).order_by(QueryThreadRow.id)
    if park is not None:
        wanted = wanted.where(QueryThreadRow.park == park)
    if period is not None:
        wanted = wanted.where(QueryThreadRow.period == str(period))
    return _complete(session, session.scalars(wanted).all())


def open_queries(session: Session, park: str) -> int:
    """How many queries wait for the answer of a park."""
    return sum(one.state is QueryState.OPEN for one in queries(session, park=park))


def _say(session: Session, number: int, kind: str, text: str, outcome: str, *, now: datetime, actor: str) -> Query:
    found = query(session, number)
    if found.state is QueryState.CLOSED:
        raise RefusalError(f"查询 {number} 已了结({OUTCOMES.get(found.outcome, found.outcome)}),不能再写。")
    row = {"thread_id": number, "kind": kind, "outcome": outcome, "text": _words(text, "答复"), "at": now, "by": actor}
    trail.append(
        session, at=now, actor=actor, action=f"query_{kind}", subject=found.submission, payload={"query": number},
        rows=trail.Rows(QueryMessageRow, [row]),
    )  # fmt: skip
    return query(session, number)


def _words(text: str, what: str) -> str:
    said = text.strip()
    if not said:
        raise RefusalError(f"{what}不能是空的,请写明内容。")
    if len(said) > LONGEST:
        raise RefusalError(f"{what}超过 {LONGEST} 字,请压缩。")
    return said


def _complete(session: Session, rows: Sequence[QueryThreadRow]) -> list[Query]:
    messages: dict[int, list[Message]] = {row.id: [] for row in rows}
    wanted = select(QueryMessageRow).where(QueryMessageRow.thread_id.in_(list(messages))).order_by(QueryMessageRow.id)
    for m in session.scalars(wanted):
        messages[m.thread_id].append(Message(m.kind, m.text, m.outcome, m.at, m.by))
    return [
        Query(
            r.id, r.park, Period.parse(r.period), r.submission, r.finding_key, r.form, r.unit_id, r.column, r.question,
            r.due, r.asked_at, r.asked_by, tuple(messages[r.id]),
        )
        for r in rows
    ]  # fmt: skip
