"""What happens to a submission between its arrival and the decision: check, explanations, report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from schemas.errors import RefusalError
from warehouse.ledger.explanations import explanations_of
from warehouse.ledger.models import CheckRow
from warehouse.ledger.states import State
from warehouse.ledger.submissions import CheckResult, Submission, row_of, step, submission
from warehouse.ledger.trail import PayloadValue, Rows


def record_check(session: Session, number: str, check: CheckResult, *, now: datetime, actor: str) -> Submission:
    """Enter the result of a check and move on as far as it allows.

    received → unreadable; or checked, and from there failed where findings block, explained where nothing needs an
    explanation. The blobs that ``check`` names are in the vault already.
    """
    row = row_of(session, number)
    attempts = session.scalar(select(func.max(CheckRow.attempt)).where(CheckRow.submission_id == row.id))
    attempt = (attempts or 0) + 1
    values = {field.name: getattr(check, field.name) for field in fields(CheckResult)}
    values |= {"forms": list(check.forms), "counts": dict(check.counts)}
    rows = Rows(CheckRow, [{"submission_id": row.id, "attempt": attempt, "checked_at": now, **values}])
    payload: dict[str, PayloadValue] = {
        "attempt": attempt,
        "rule_set_hash": check.rule_set_hash,
        "operand_hash": check.operand_hash,
        "observations": check.observations_blob,
        "findings": check.findings_blob,
        "blocking": check.blocking,
        "to_explain": check.to_explain,
    }
    if check.unreadable is not None:
        step(session, number, State.UNREADABLE, action="read", now=now, actor=actor, payload=payload, rows=rows)
        return submission(session, number)
    step(session, number, State.CHECKED, action="checked", now=now, actor=actor, payload=payload, rows=rows)
    if check.blocking:
        step(session, number, State.FAILED, action="failed", now=now, actor=actor)
    elif not check.to_explain:
        step(session, number, State.EXPLAINED, action="explained", now=now, actor=actor, payload={"explanations": 0})
    return submission(session, number)


def check_again(session: Session, number: str, *, reason: str, now: datetime, actor: str) -> Submission:
    """Send the same files through reader and rules once more; the checks made so far stay on record."""
    if not reason.strip():
        raise RefusalError(f"重新审核 {number} 须写明原因。")
    step(session, number, State.RECEIVED, action="check_again", now=now, actor=actor, reason=reason.strip())
    return submission(session, number)


def mark_explained(session: Session, number: str, *, now: datetime, actor: str) -> Submission:
    """checked → explained. Raises RefusalError while there are fewer explanations than findings that need one.

    That each finding has its own is for the caller to see, who has the findings.
    """
    found = submission(session, number)
    given = len(explanations_of(session, number))
    wanted = found.check.to_explain if found.check else 0
    if given < wanted:
        raise RefusalError(f"{number} 还有 {wanted - given} 条核实性问题没有情况说明,请逐条说明后再报送。")
    step(session, number, State.EXPLAINED, action="explained", now=now, actor=actor, payload={"explanations": given})
    return submission(session, number)


def report(
    session: Session, number: str, *, now: datetime, actor: str, payload: Mapping[str, PayloadValue] | None = None
) -> Submission:
    """explained → reported 已报送: the park stands by these figures, and the receipt says so. ``payload``: who signed."""
    step(session, number, State.REPORTED, action="reported", now=now, actor=actor, payload=payload)
    return submission(session, number)
