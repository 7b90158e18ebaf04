"""What became of every unit that had to answer in a period 回答状态, with evidence. Source: survey_system.md section 2.1."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl
from sqlalchemy import Row, func, select
from sqlalchemy.orm import Session

from schemas.errors import RefusalError
from schemas.period import Period
from warehouse.ledger import trail
from warehouse.ledger.models import AnswerStatusRow

ANSWER_STATUSES = {
    0: "已报有效",
    1: "已报未通过",
    2: "拒报",
    3: "联系不上",
    4: "停业未报",
    5: "已关闭、破产、注销或吊销",
    6: "已迁出",
    7: "重复单位",
    8: "不属调查范围",
}
_BATCH = 5000


@dataclass(frozen=True)
class AnswerStatus:
    """One entry. ``evidence``: for 0 and 1 the number of the submission, for the others what proves it."""

    unit_id: str
    park: str
    status: int
    evidence: str


def record_answer_statuses(
    session: Session, period: Period, entries: Iterable[AnswerStatus], *, now: datetime, actor: str
) -> int:
    """Enter statuses; a later entry of a unit takes the place of the earlier, which stays on record.

    What is on record already is not entered again. How many were entered; one link in the trail for all.
    """
    given = list(entries)
    known = {
        unit_id: (park, status, evidence)
        for unit_id, park, status, evidence in answer_statuses(session, period, {e.unit_id for e in given}).iter_rows()
    }
    fresh: dict[str, AnswerStatus] = {}
    for one in given:
        if one.status not in ANSWER_STATUSES:
            raise RefusalError(f"单位 {one.unit_id} 的回答状态“{one.status}”无效,应为 0 至 8。")
        if not one.evidence.strip():
            raise RefusalError(f"单位 {one.unit_id} 的回答状态“{ANSWER_STATUSES[one.status]}”须附依据。")
        if known.get(one.unit_id) == (one.park, one.status, one.evidence):
            fresh.pop(one.unit_id, None)
        else:
            fresh[one.unit_id] = one
    rows = [
        {
            "period": str(period),
            "unit_id": one.unit_id,
            "park": one.park,
            "status": one.status,
            "evidence": one.evidence,
            "recorded_at": now,
            "recorded_by": actor,
        }
        for one in fresh.values()
    ]
    if rows:
        trail.append(
            session,
            at=now,
            actor=actor,
            action="answer_statuses",
            subject=f"answers/{period}",
            rows=trail.Rows(AnswerStatusRow, rows),
        )
    return len(rows)


def answer_statuses(
    session: Session, period: Period, units: Collection[str] | None = None, *, known: datetime | None = None
) -> pl.DataFrame:
    """Of each unit, or of ``units``, the status that counts: (unit_id, park, status, evidence), by unit_id. A unit
    without an entry has not been dealt with and is not listed. ``known``: only entries recorded before then."""
    newest = select(func.max(AnswerStatusRow.id)).where(AnswerStatusRow.period == str(period))
    if known is not None:
        newest = newest.where(AnswerStatusRow.recorded_at < known)
    query = select(AnswerStatusRow.unit_id, AnswerStatusRow.park, AnswerStatusRow.status, AnswerStatusRow.evidence)
    rows: list[Row[tuple[str, str, int, str]]] = []
    # The units of one park are looked up by the index, not read out of a nation's.
    for some in [None] if units is None else _batches(sorted(units)):
        of_these = newest if some is None else newest.where(AnswerStatusRow.unit_id.in_(some))
        counted = query.where(AnswerStatusRow.id.in_(of_these.group_by(AnswerStatusRow.unit_id)))
        rows += session.execute(counted.order_by(AnswerStatusRow.unit_id)).all()
    schema = {"unit_id": pl.String(), "park": pl.String(), "status": pl.Int64(), "evidence": pl.String()}
    return pl.DataFrame([tuple(row) for row in rows], schema=schema, orient="row")


def _batches(units: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(units), _BATCH):
        yield units[start : start + _BATCH]
