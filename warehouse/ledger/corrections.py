"""Requests to correct after closing 关网后更正申请: asked for with reason and evidence, granted with a time limit or declined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from schemas.errors import RefusalError
from schemas.period import Period
from warehouse.ledger import trail
from warehouse.ledger.columns import shown_instant
from warehouse.ledger.correspondence_models import CorrectionDecisionRow, CorrectionRequestRow
from warehouse.ledger.intake import clean_file_name
from warehouse.ledger.parks import park as park_on
from warehouse.ledger.periods import round_of
from warehouse.vault import Vault

SHORTEST_REASON, LONGEST_REASON = 10, 2000


@dataclass(frozen=True)
class Correction:
    """A request on record; ``evidence``: (hash, name). ``decision``: granted, declined, None while it waits."""

    id: int
    park: str
    period: Period
    reason: str
    evidence: tuple[tuple[str, str], ...]
    asked_at: datetime
    asked_by: str
    decision: str | None = None
    until: datetime | None = None
    reopened: str = ""
    answer: str = ""
    decided_at: datetime | None = None
    decided_by: str = ""


def ask_correction(
    vault: Vault,
    session: Session,
    park: str,
    period: Period,
    reason: str,
    evidence: Sequence[tuple[str, bytes]],
    *,
    now: datetime,
    actor: str,
) -> Correction:
    """Put a request and its evidence (name, bytes) on record. Raises RefusalError while the park can still file, where one
    waits already, or without reason and evidence."""
    reason = reason.strip()
    park_on(session, park, period.end)
    current = round_of(session, period)
    if current is None:
        raise RefusalError(f"{period} 尚未开网,没有可以更正的报表。")
    if current.is_open_for(park, now):
        raise RefusalError(f"{period} 现在可以报送:请直接改好工作簿重新上传,不必申请。")
    if not SHORTEST_REASON <= len(reason) <= LONGEST_REASON:
        raise RefusalError(f"请写清哪些数据有误、为什么({SHORTEST_REASON} 至 {LONGEST_REASON} 字)。")
    if not evidence or not all(data for _, data in evidence):
        raise RefusalError("申请须附证明材料(如企业的更正说明、凭证、文件)。")
    if any(one.decision is None for one in corrections(session, park=park, period=period)):
        raise RefusalError(f"{period} 的更正申请已经提交,正等待统计人员答复。")
    kept = [[vault.put(data).sha256, clean_file_name(name)] for name, data in evidence]
    row = {"park": park, "period": str(period), "reason": reason, "evidence": kept, "at": now, "by": actor}
    trail.append(
        session, at=now, actor=actor, action="correction_asked", subject=f"correction/{park}/{period}", reason=reason,
        payload={"evidence": [sha256 for sha256, _ in kept]}, rows=trail.Rows(CorrectionRequestRow, [row]),
    )  # fmt: skip
    return corrections(session, park=park, period=period)[0]


def decide_correction(
    session: Session,
    number: int,
    *,
    until: datetime | None,
    reason: str,
    reopened: str = "",
    now: datetime,
    actor: str,
) -> Correction:
    """Grant a request until a time, or decline it (``until`` None), which needs a reason. The round itself is moved by
    ``periods.grant_time``; ``pipelines.corrections`` does both."""
    found = correction(session, number)
    if found.decision is not None:
        raise RefusalError(f"第 {number} 号更正申请已处理。")
    if until is None and not reason.strip():
        raise RefusalError("不同意更正申请须写明原因。")
    if until is not None and until <= now:
        raise RefusalError(f"可以更正的期限 {shown_instant(until)} 已过,请另定。")
    decision = "declined" if until is None else "granted"
    row = {
        "request": number, "decision": decision, "until": until, "reopened": reopened, "reason": reason.strip(), "at": now, "by": actor,
    }  # fmt: skip
    trail.append(
        session, at=now, actor=actor, action=f"correction_{decision}", subject=f"correction/{found.park}/{found.period}",
        reason=reason.strip(), payload={"request": number, "reopened": reopened}, rows=trail.Rows(CorrectionDecisionRow, [row]),
    )  # fmt: skip
    return correction(session, number)


def correction(session: Session, number: int) -> Correction:
    """One request. Raises RefusalError for an unknown number."""
    for one in corrections(session):
        if one.id == number:
            return one
    raise RefusalError(f"没有第 {number} 号更正申请。")


def corrections(
    session: Session, *, park: str | None = None, period: Period | None = None, only_open: bool = False
) -> list[Correction]:
    """The requests asked for, the newest first."""
    query = select(CorrectionRequestRow).order_by(CorrectionRequestRow.id.desc())
    if park is not None:
        query = query.where(CorrectionRequestRow.park == park)
    if period is not None:
        query = query.where(CorrectionRequestRow.period == str(period))
    decided = {row.request: row for row in session.scalars(select(CorrectionDecisionRow))}
    found = [_correction(row, decided.get(row.id)) for row in session.scalars(query)]
    return [one for one in found if not only_open or one.decision is None]


def _correction(row: CorrectionRequestRow, decided: CorrectionDecisionRow | None) -> Correction:
    evidence = tuple((sha256, name) for sha256, name in row.evidence)
    asked = Correction(row.id, row.park, Period.parse(row.period), row.reason, evidence, row.at, row.by)
    if decided is None:
        return asked
    return Correction(
        asked.id, asked.park, asked.period, asked.reason, evidence, asked.asked_at, asked.asked_by, decided.decision,
        decided.until, decided.reopened, decided.reason, decided.at, decided.by,
    )  # fmt: skip
