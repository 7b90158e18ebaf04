"""Correcting after closing: the request with its papers, the decision, the time granted to the park, and the acceptance where it is withdrawn."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pipelines.intake import Office
from schemas.errors import RefusalError
from schemas.period import Period
from sources.evidence import inspect_evidence
from sources.pool import Pool
from warehouse.ledger import decisions
from warehouse.ledger.corrections import Correction, ask_correction, correction, decide_correction
from warehouse.ledger.periods import grant_time, round_of
from warehouse.ledger.states import State
from warehouse.ledger.submissions import submissions

MOST_PAPERS = 10


def ask(
    office: Office,
    park: str,
    period: Period,
    reason: str,
    evidence: Sequence[tuple[str, bytes]],
    pool: Pool,
    *,
    now: datetime,
    actor: str,
) -> Correction:
    """Put a request and its papers (name, bytes) on record; every paper is inspected in a limited process first.

    Raises RefusalError for what cannot be asked, SubmissionError for a paper.
    """
    if len(evidence) > MOST_PAPERS:
        raise RefusalError(f"证明文件不超过 {MOST_PAPERS} 个,请合并后再传。")
    for name, data in evidence:
        pool.run(inspect_evidence, data, name)
    with office.ledger.write() as session:
        return ask_correction(office.vault, session, park, period, reason, evidence, now=now, actor=actor)


def grant(
    office: Office, number: int, *, until: datetime, reason: str, withdraw: bool, now: datetime, actor: str
) -> Correction:
    """Let the park file a corrected revision until a time. Without ``withdraw`` what was accepted stays in force until the
    corrected revision is accepted; with it the acceptance is withdrawn at once, and its figures count no more.

    Raises RefusalError where there is nothing to withdraw, the round is open, or the request is decided.
    """
    with office.ledger.write() as session:
        asked = correction(session, number)
        accepted = submissions(session, park=asked.park, period=asked.period, states={State.ACCEPTED})
        if withdraw and not accepted:
            raise RefusalError(f"{asked.park} 的 {asked.period} 没有已验收的报送,不需要撤销验收。")
        why = reason.strip() or f"准予第 {number} 号更正申请:{asked.reason}"
        reopened = accepted[-1].number if withdraw else ""
        made = decide_correction(
            session, number, until=until, reason=reason, reopened=reopened, now=now, actor=actor
        )  # fmt: skip
        current = round_of(session, asked.period)
        if current is not None and not current.is_open:
            grant_time(session, asked.period, asked.park, until=until, reason=why, now=now, actor=actor)
        if reopened:
            decisions.reopen(session, reopened, now=now, actor=actor, reason=why)
        return made


def decline(office: Office, number: int, *, reason: str, now: datetime, actor: str) -> Correction:
    """Leave the round closed, and say why."""
    with office.ledger.write() as session:
        return decide_correction(session, number, until=None, reason=reason, now=now, actor=actor)
