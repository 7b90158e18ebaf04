"""Intake 报送: keep, read, check, explain, report. Acknowledged means on disk; every step is in the trail."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import polars as pl
from sqlalchemy.orm import Session

from pipelines.checking import Checked, IncomingBook, check, named_apart, read_books, tally
from pipelines.explaining import evidence_of, weak_explanations
from pipelines.gaps import UNSTATED, gap_of, lacks_statement
from pipelines.office import Office, findings_of, observations_of
from pipelines.operands import History
from pipelines.proposing import choices_to_look_at, proposed_values
from schemas import reserved
from schemas.canonical import frame_bytes
from schemas.errors import RefusalError, SubmissionError
from schemas.findings import NEEDS_EXPLANATION
from schemas.observations import Observations
from schemas.period import Period
from sources.pool import Pool
from sources.reader import READER_VERSION, FileReading
from warehouse.ledger.answers import AnswerStatus, record_answer_statuses
from warehouse.ledger.approvals import ask_approval, has_approver
from warehouse.ledger.explanations import NewExplanation, explanations_of, finding_key, record_explanations
from warehouse.ledger.intake import IncomingFile, Received, files_digest, record_received
from warehouse.ledger.periods import Round, round_of
from warehouse.ledger.proposed_values import ProposedValue, record_proposed_values
from warehouse.ledger.report_gaps import GapStatement
from warehouse.ledger.restatements import record_restatements
from warehouse.ledger.signatories import Signatories
from warehouse.ledger.states import STANDING, State
from warehouse.ledger.steps import check_again, mark_explained, record_check, report
from warehouse.ledger.submissions import CheckResult, Submission, latest, submission, submissions
from warehouse.vault import Vault

__all__ = ["COLLATED", "HISTORY", "Office", "Outcome", "findings_of", "observations_of", "submit"]

COLLATED = "collate"
"""The channel of submissions made of workbooks that the enterprises filled in themselves."""
HISTORY = "history"
"""The channel of figures of earlier years that the statistician took over from foreign workbooks (``pipelines.history``)."""


@dataclass(frozen=True)
class Outcome:
    """A submission as it stands after ``submit``, what the check found, and whether the files were new. ``weak``: finding key →
    why the explanation given for it does not do. ``gap``: it leaves something out of the round and no
    reason was given, or one that says nothing and it was not reported; as a sentence."""

    submission: Submission
    checked: Checked | None
    is_new: bool
    unexplained: int = 0
    weak: Mapping[str, str] = field(default_factory=dict)
    gap: str = ""


def submit(
    office: Office,
    books: Sequence[IncomingBook],
    pool: Pool,
    *,
    now: datetime,
    actor: str,
    park: str | None = None,
    period: Period | None = None,
    explanations: Mapping[str, tuple[str, str]] | None = None,
    leave_out: bool = False,
    channel: str = "cli",
    report_at_once: bool = True,
    signatories: Signatories | None = None,
    gaps_reason: str = "",
    progress: Callable[[str], None] = lambda _: None,
) -> Outcome:
    """Take the books of one park and period all the way they can go.

    ``explanations``: finding key → (reason code, text). ``leave_out``: report without the enterprises that hard findings
    keep back; they are listed and count as not answered. ``report_at_once``: False where the park reports in a step of its
    own (``pipelines.reporting``), after it has seen the findings. ``signatories``: who answers for the report by name, where
    a program says so; a park that reports on the pages always does. ``gaps_reason``: why something is left out of the round;
    where it is empty the report says that none was given, where it says nothing the submission is kept, checked, and not
    reported (``Outcome.gap`` tells either). Raises SubmissionError where the files cannot be attributed to a park and period
    (nothing to keep a receipt for), RefusalError outside the filling window, StorageError.
    """
    progress("正在安全检查和读取")
    books = named_apart(books)
    readings = read_books(books, office.programme, pool)
    the_park, the_period = attributed(readings, park, period)
    with office.ledger.read() as session:
        require_open(round_of(session, the_period), the_period, the_park, now)
        require_not_collated(session, the_park, the_period, [book.sha256 for book in books])
    received = take_in(office, books, park=the_park, period=the_period, channel=channel, now=now, actor=actor)
    return carry_on(
        office, received, readings, now=now, actor=actor, explanations=explanations, leave_out=leave_out,
        report_at_once=report_at_once, signatories=signatories, gaps_reason=gaps_reason, progress=progress,
    )  # fmt: skip


def take_in(
    office: Office,
    books: Sequence[IncomingBook],
    *,
    park: str,
    period: Period,
    channel: str,
    now: datetime,
    actor: str,
    owners: Mapping[str, str] | None = None,
) -> Received:
    """The files in the vault and the submission in the ledger. ``owners``: file hash → the enterprise whose own it is."""
    of = owners or {}
    return record_received(
        office.vault,
        office.ledger,
        [IncomingFile(book.name, book.data, of.get(book.sha256, "")) for book in books],
        park=park,
        period=period,
        edition=office.programme.edition_for(period).id,
        channel=channel,
        now=now,
        actor=actor,
    )


def carry_on(
    office: Office,
    received: Received,
    readings: Sequence[FileReading],
    *,
    now: datetime,
    actor: str,
    explanations: Mapping[str, tuple[str, str]] | None = None,
    leave_out: bool = False,
    report_at_once: bool = True,
    signatories: Signatories | None = None,
    gaps_reason: str = "",
    progress: Callable[[str], None] = lambda _: None,
) -> Outcome:
    """Take what was received as far as it can go: check, explain, report."""
    found = received.submission
    if found.state in STANDING:
        return Outcome(found, None, received.is_new)
    if found.state is State.FAILED and leave_out:
        with office.ledger.write() as session:
            found = check_again(session, found.number, reason="有强制性问题的企业不报", now=now, actor=actor)
    checked: Checked | None = None
    if found.state is State.RECEIVED:
        progress("正在审核")
        with office.ledger.read() as session:
            history = History(office.vault, session, office.programme)
            checked = check(readings, office.programme, history, park=found.park, period=found.period)
        left_out = checked.separable if leave_out else ()
        result = _as_recorded(office.vault, checked, left_out)
        proposed = _proposed(office, checked, found) if checked.status == "failed" else []
        with office.ledger.write() as session:
            found = record_check(session, found.number, result, now=now, actor=actor)
            _answers(session, checked, left_out, found, now, actor)
            # On record before anybody sees them: what is shown to the park is what stands in the ledger.
            record_proposed_values(session, found.number, proposed, now=now, actor=actor)
            record_restatements(session, found.number, checked.restated.iter_rows(), now=now, actor=actor)
    if found.state in (State.CHECKED, State.EXPLAINED):
        found, unexplained, weak = _explain(office, found, explanations or {}, now, actor)
        ready = Outcome(found, checked, received.is_new, unexplained, weak)
        if report_at_once and found.state is State.EXPLAINED:
            return _report(office, ready, signatories, gaps_reason, now, actor)
        return ready
    return Outcome(found, checked, received.is_new)


def _proposed(office: Office, checked: Checked, found: Submission) -> list[ProposedValue]:
    """What a failed submission is shown beside its findings: values that are fixed, else the cells that may be wrong."""
    of = (office.programme, checked.observations, checked.findings, found.period, found.park)
    made = proposed_values(*of)
    return [*made, *choices_to_look_at(*of, made)]


def require_not_collated(session: Session, park: str, period: Period, hashes: Sequence[str]) -> None:
    """What enterprises filled in themselves is not filed over by their park, nor checked again as if the park had filled it in.
    For the files of what stands there is the receipt again."""
    digest = files_digest(hashes)
    before = submissions(session, park=park, period=period)
    stands = any(s.files_digest == digest and s.state in STANDING for s in before)
    if any(s.channel == COLLATED for s in before) and not stands:
        raise RefusalError(
            f"{park} 的 {period} 由企业自行填报、园区汇集,园区不能另报一份;改正的请企业改自己的工作簿,再汇集一次。",
            command="汇集用 ytb collate。",
            page="汇集在“企业”页办理。",
        )


def require_open(
    current: Round | None, period: Period, park: str | None = None, now: datetime | None = None, *, to: str = "报送"
) -> None:
    """Raise RefusalError where the round is not open; for a ``park`` it may be, ``now``, though it is closed for others.
    ``to``: what cannot be done then."""
    if current is None:
        raise RefusalError(f"{period} 尚未开网,不能{to};请与统计机构联系。")
    granted = park is not None and now is not None and current.is_open_for(park, now)
    if not current.is_open and not granted:
        raise RefusalError(
            f"{period} 已关网,不能{to};确需补报、更正的,请提出关网后更正申请,或与统计机构联系。",
            page="申请在“我的报表”的该期页面提出。",
        )


def attributed(readings: Sequence[FileReading], park: str | None, period: Period | None) -> tuple[str, Period]:
    """The one park and period of the files and of what the sender says. Raises SubmissionError where they are not one."""
    parks = {r.park for r in readings if r.park} | ({park} if park else set())
    periods = {r.period for r in readings if r.period} | ({period} if period else set())
    if (broken := [r.message for r in readings if r.message]) and (len(parks) != 1 or len(periods) != 1):
        raise SubmissionError("unattributed", "\n".join(broken))
    if len(parks) > 1:
        said = f",报送时写的是 {park}" if park else ""
        raise SubmissionError(
            "unattributed",
            f"这些文件是 {len(parks)} 个园区的({'、'.join(sorted(parks))}{said});一次只能报送一个园区,请核对后分开报送。",
        )
    if len(periods) > 1:
        said = f",报送时写的是 {period}" if period else ""
        raise SubmissionError(
            "unattributed",
            f"这些文件是 {len(periods)} 个报告期的({'、'.join(sorted(map(str, periods)))}{said});一次只能报送一期,请核对后分开报送。",
        )
    if not parks or not periods:
        raise SubmissionError(
            "unattributed",
            "文件里找不到园区代码或报告期;请用本期下发的模板填报,或在报送时写明园区和报告期。",
            command="园区和报告期写在 --park、--period。",
        )
    return parks.pop(), periods.pop()


def _as_recorded(vault: Vault, checked: Checked, left_out: Sequence[str]) -> CheckResult:
    kept = without_units(checked.observations, left_out)
    readable = checked.status != "unreadable"
    return CheckResult(
        reader_version=READER_VERSION,
        rule_set_hash=checked.rule_set_hash,
        operand_hash=checked.operand_hash,
        observations_blob=vault.put(kept.to_bytes()).sha256 if readable else None,
        findings_blob=vault.put(frame_bytes(checked.findings)).sha256,
        forms=checked.forms,
        counts=tally(checked) | {"left_out": len(left_out)},
        blocking=checked.blocking(left_out),
        to_explain=checked.to_explain,
        unreadable=None if readable else checked.message,
    )


def without_units(observations: Observations, units: Sequence[str]) -> Observations:
    """The observations without the rows of some enterprises."""
    if not units:
        return observations
    frames = {
        code: frame.filter(~pl.col("unit_id").is_in(list(units)).fill_null(False))
        for code, frame in observations.frames.items()
    }
    return Observations(frames, observations.cell_map)


def _answers(
    session: object, checked: Checked, left_out: Sequence[str], found: Submission, now: datetime, actor: str
) -> None:
    if checked.period is None or reserved.BASIC not in checked.observations.frames:
        return
    units = checked.observations.frames[reserved.BASIC]["unit_id"].drop_nulls().unique(maintain_order=True)
    entries = [
        AnswerStatus(unit, found.park, 1 if unit in left_out or checked.blocking(left_out) else 0, found.number)
        for unit in units
    ]
    record_answer_statuses(session, checked.period, entries, now=now, actor=actor)  # type: ignore[arg-type]


def _explain(
    office: Office, found: Submission, explanations: Mapping[str, tuple[str, str]], now: datetime, actor: str
) -> tuple[Submission, int, Mapping[str, str]]:
    """Enter explanations; the submission, how many findings lack one, and why those that were not taken do not do."""
    findings = findings_of(office.vault, found).filter(NEEDS_EXPLANATION)
    keys = [finding_key(row) for row in findings.iter_rows(named=True)]
    mine = {k: explanations[k] for k in keys if k in explanations}
    weak: Mapping[str, str] = {}
    if mine and found.state is State.CHECKED:
        weak = weak_among(office, found, mine)
    with office.ledger.write() as session:
        given = [NewExplanation(k, *told) for k, told in mine.items() if k not in weak]
        if given and found.state is State.CHECKED:
            record_explanations(session, found.number, given, now=now, actor=actor)
        on_record = explanations_of(session, found.number)
        unexplained = len({k for k in keys if k not in on_record})
        if not unexplained and found.state is State.CHECKED:
            mark_explained(session, found.number, now=now, actor=actor)
        return submission(session, found.number), unexplained, weak


def _report(
    office: Office, ready: Outcome, signatories: Signatories | None, gaps_reason: str, now: datetime, actor: str
) -> Outcome:
    """Report what is ready. What it leaves out of the round is on record with the reason, or that none was given (a program
    cannot be asked as a page asks); a reason that says nothing is refused, and the submission stays as it is."""
    with office.ledger.write() as session:
        gap = gap_of(office, session, ready.submission)
        reason = gaps_reason.strip()
        if reason and (lacking := lacks_statement(gap, is_confirmed=True, reason=reason)):
            return replace(ready, gap=lacking)
        stated = gap.stated(reason or UNSTATED) if gap.is_open else None
        found = report_or_ask(session, ready.submission, signatories, now=now, actor=actor, gap=stated)
        unsaid = (
            f"本次报送不全({gap.said}),没有说明原因;审核人员看得到,可能退回。" if gap.is_open and not reason else ""
        )
        return replace(ready, submission=found, gap=unsaid)


def report_or_ask(
    session: Session,
    found: Submission,
    signatories: Signatories | None,
    *,
    now: datetime,
    actor: str,
    gap: GapStatement | None = None,
) -> Submission:
    """Report what is ready; where the park has an approver, put it before them instead: then it stays explained.

    ``gap``: what the report leaves out, as the park stated it.
    """
    if has_approver(session, found.park, found.period.end):
        return ask_approval(session, found.number, signatories, now=now, actor=actor, gap=gap)
    payload = {**(signatories.payload() if signatories else {}), **(gap.payload() if gap else {})}
    return report(session, found.number, now=now, actor=actor, payload=payload or None)


def weak_among(office: Office, found: Submission, given: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    """Finding key → why the explanation given does not do (``pipelines.explaining``); sound ones are absent."""
    with office.ledger.read() as session:
        evidence = evidence_of(office.vault, session, office.programme, found)
        told = {k: (e.reason_code, e.text) for k, e in explanations_of(session, found.number).items()}
    return weak_explanations(
        office.programme, office.programme.edition_for(found.period), evidence, given, on_record=told
    )


def newest(office: Office, park: str, period: Period) -> Submission | None:
    """The newest revision a park filed."""
    with office.ledger.read() as session:
        return latest(session, park, period)
