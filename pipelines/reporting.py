"""Reporting step by step 说明、报送: for a door where the park looks at the findings before it stands by the figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import polars as pl
from sqlalchemy.orm import Session

from pipelines.carrying_over import said_before, taken_over
from pipelines.gaps import gap_of, require_stated
from pipelines.intake import Office, findings_of, report_or_ask, require_open, weak_among
from schemas.errors import RefusalError
from schemas.findings import NEEDS_EXPLANATION
from warehouse.ledger.approvals import approval_of
from warehouse.ledger.explanations import NewExplanation, explanations_of, finding_key, record_explanations
from warehouse.ledger.periods import round_of
from warehouse.ledger.report_gaps import gap_statement_of
from warehouse.ledger.signatories import Signatories
from warehouse.ledger.states import State
from warehouse.ledger.steps import mark_explained, report
from warehouse.ledger.submissions import Submission, latest, submission


@dataclass(frozen=True)
class Explained:
    """What came of a set of explanations: ``weak`` is finding key → why that one does not do; ``left`` how many lack one."""

    submission: Submission
    taken: int
    weak: Mapping[str, str]
    left: int


def to_explain(office: Office, found: Submission) -> pl.DataFrame:
    """The findings of the latest check that need an explanation, one a finding key."""
    if found.check is None or found.check.findings_blob is None:
        return pl.DataFrame()
    soft = findings_of(office.vault, found).filter(NEEDS_EXPLANATION)
    keys = [finding_key(row) for row in soft.iter_rows(named=True)]
    return soft.with_columns(key=pl.Series(keys, dtype=pl.String)).unique("key", keep="first", maintain_order=True)


def explain(
    office: Office, number: str, given: Mapping[str, tuple[str, str]], *, now: datetime, actor: str
) -> Explained:
    """Enter explanations (finding key → reason code and words); those that say nothing are not taken.

    Keys that are no finding of this submission are ignored. When the last one has its explanation the submission is
    ready to be reported. Raises RefusalError where it is not waiting for explanations, or the round is closed for the park.
    """
    with office.ledger.read() as session:
        found = submission(session, number)
        require_open(round_of(session, found.period), found.period, found.park, now, to="再填写情况说明")
    keys = to_explain(office, found)["key"].to_list() if found.check and found.check.to_explain else []
    mine = {key: told for key, told in given.items() if key in keys}
    weak = weak_among(office, found, mine) if mine else {}
    sound = [NewExplanation(key, *given[key]) for key in keys if key in given and key not in weak]
    with office.ledger.read() as session:
        on_record = explanations_of(session, number)
    fresh = {one.finding_key: (one.reason_code, one.text) for one in sound if one.finding_key not in on_record}
    again = taken_over(said_before(office, found), fresh) if fresh else 0
    with office.ledger.write() as session:
        _require_newest(session, found)
        taken = record_explanations(session, number, sound, now=now, actor=actor, taken_over=again)
        left = len(set(keys) - set(explanations_of(session, number)))
        if not left:
            mark_explained(session, number, now=now, actor=actor)
        return Explained(submission(session, number), taken, weak, left)


def report_submission(
    office: Office,
    number: str,
    signatories: Signatories,
    *,
    now: datetime,
    actor: str,
    gap_confirmed: bool = False,
    gap_reason: str = "",
) -> Submission:
    """Report 报送 a submission that has passed, in the names of those who answer for it; where the park has an approver,
    put it before them (then the state stays as it is). What it leaves out of the round the park confirms, with the reason.

    Raises RefusalError where a name is missing, where something is left out and not confirmed, the round is closed, the state does not allow it, or a newer revision
    has been uploaded: what is reported is what was looked at last.
    """
    signatories.require_complete("报送")
    with office.ledger.write() as session:
        found = submission(session, number)
        require_open(round_of(session, found.period), found.period, found.park, now)
        _require_newest(session, found)
        if found.state is not State.EXPLAINED:
            raise RefusalError(f"{number} 当前状态为“{found.state.label}”,不能报送。")
        gap = require_stated(gap_of(office, session, found), is_confirmed=gap_confirmed, reason=gap_reason)
        return report_or_ask(session, found, signatories, now=now, actor=actor, gap=gap)


def approve_report(office: Office, number: str, *, now: datetime, actor: str) -> Submission:
    """The approver confirms 审核同意: what was put before them is reported, in the names it was put in.

    Raises RefusalError where nothing waits, the round is closed, a newer revision has been uploaded, or the one who asked
    would answer: the confirmation is a second person's.
    """
    with office.ledger.write() as session:
        found = submission(session, number)
        require_open(round_of(session, found.period), found.period, found.park, now)
        _require_newest(session, found)
        asked = approval_of(session, number)
        if found.state is not State.EXPLAINED or asked is None or not asked.is_waiting:
            raise RefusalError(f"{number} 没有等待审核的报送。")
        if asked.asked_by == actor:
            raise RefusalError("审核须由另一人办理。")
        signed = asked.signatories.payload() if asked.signatories else {}
        gap = gap_statement_of(session, number)
        payload = {**signed, **(gap.payload() if gap else {}), "asked_by": asked.asked_by}
        return report(session, number, now=now, actor=actor, payload=payload)


def _require_newest(session: Session, found: Submission) -> None:
    newest = latest(session, found.park, found.period)
    if newest is not None and newest.revision > found.revision:
        raise RefusalError(f"您单位已上传更新的 {newest.number},请在那一份上继续。")
