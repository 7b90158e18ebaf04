"""Enterprise returns 企业自填: an enterprise hands in its own workbook, sees what was found, explains, and stands by it.

As every file it goes to the vault, through the guard and the limited processes; it is checked as the park's submission would be,
but alone. What it says counts for nothing until the park collates it (``pipelines.collating_returns``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import polars as pl
from sqlalchemy.orm import Session

from pipelines.carrying_over import said_before_return, taken_over
from pipelines.checking import Checked, IncomingBook, check, read_books, register_of, tally
from pipelines.explaining import Evidence, evidence_of, weak_explanations
from pipelines.handing_back import marked_book, typed_explanations
from pipelines.intake import require_open
from pipelines.office import Office, return_findings
from pipelines.operands import History
from schemas import reserved
from schemas.canonical import frame_bytes
from schemas.errors import RefusalError
from schemas.findings import BLOCKING, NEEDS_EXPLANATION, as_findings
from schemas.model import Edition
from schemas.observations import ENTERPRISE_ROSTER, Observations, names_of_units
from schemas.period import Period
from sources.own_books import owner_of
from sources.pool import Pool
from sources.reader import READER_VERSION, FileReading
from warehouse.ledger.columns import SHANGHAI
from warehouse.ledger.enterprise_returns import (
    OWN,
    STANDS,
    EnterpriseReturn,
    ReturnConfirmation,
    check_return_again,
    confirm_return,
    enterprise_return,
    record_return,
    record_return_check,
    record_return_explanations,
    return_explanations_of,
)
from warehouse.ledger.explanations import NewExplanation, finding_key
from warehouse.ledger.intake import IncomingFile
from warehouse.ledger.periods import round_of
from warehouse.ledger.return_models import ReturnState
from warehouse.ledger.signatories import Signatories
from warehouse.ledger.states import State
from warehouse.ledger.submissions import CheckResult, Submission, SubmittedFile


@dataclass(frozen=True)
class ReturnExplained:
    """What came of a set of explanations: ``weak`` is finding key → why that one does not do; ``left`` how many lack one."""

    weak: Mapping[str, str]
    left: int


def hand_in(
    office: Office, book: IncomingBook, pool: Pool, *, park: str, period: Period, unit: str, now: datetime, actor: str
) -> EnterpriseReturn:
    """The workbook of an enterprise, kept and checked. Raises as ``receive_return`` and ``examine_return``."""
    file = IncomingFile(book.name, book.data)
    found = receive_return(office, file, park=park, period=period, unit=unit, now=now, actor=actor)
    return examine_return(office, found.number, pool, now=now, actor=actor)


def receive_return(
    office: Office,
    file: IncomingFile,
    *,
    park: str,
    period: Period,
    unit: str,
    now: datetime,
    actor: str,
    channel: str = OWN,
) -> EnterpriseReturn:
    """The workbook of an enterprise on disk and acknowledged, not read yet.

    Raises RefusalError outside the filling window and for an enterprise that is not in the park's register, StorageError.
    """
    with office.ledger.read() as session:
        require_open(round_of(session, period), period, park, now)
        require_registered(office, session, park, period, unit)
    return received(office, file, park=park, period=period, unit=unit, channel=channel, now=now, actor=actor)


def examine_return(office: Office, number: str, pool: Pool, *, now: datetime, actor: str) -> EnterpriseReturn:
    """Read and check what was received, from the vault; explanations typed in a marked workbook count. Where this was done
    before, nothing happens. Raises StorageError; the return stays received and can be examined again."""
    with office.ledger.read() as session:
        found = enterprise_return(session, number)
    if found.state is not ReturnState.RECEIVED:
        return found
    book = IncomingBook(found.name, office.vault.read(found.sha256))
    (reading,) = read_books([book], office.programme, pool)
    found = checked_returns(office, [(found, reading)], now=now, actor=actor)[0]
    if found.state is ReturnState.CLEAN and found.check and found.check.to_explain:
        told = typed_explanations([(book.name, book.data)], pool)
        if told:
            _explained(office, found.number, told, now=now, actor=actor)
    return found


def settle_return(
    office: Office,
    number: str,
    pool: Pool,
    *,
    explanations: Mapping[str, tuple[str, str]],
    signatories: Signatories | None,
    now: datetime,
    actor: str,
) -> EnterpriseReturn:
    """Take a return as far as what a program sent along can take it: check, explain, and where everybody who answers for it is
    named and nothing is in the way, confirm. Raises as ``examine_return`` and ``confirm_own``."""
    found = examine_return(office, number, pool, now=now, actor=actor)
    if found.state is not ReturnState.CLEAN:
        return found
    left = 0
    if found.check and found.check.to_explain:
        left = _explained(office, number, explanations, now=now, actor=actor).left
    if left or signatories is None:
        return found
    return confirm_own(office, number, signatories, on=now.astimezone(SHANGHAI).date(), now=now, actor=actor)


def require_registered(office: Office, session: Session, park: str, period: Period, unit: str) -> None:
    """Raise RefusalError for an enterprise that is not in the park's register at the end of the period."""
    if unit not in set(register_of(History(office.vault, session, office.programme), period, park)["unit_id"]):
        raise RefusalError(f"{unit} 在 {period} 期末不在 {park} 的名录库;先进库,后有数,请与园区联系。")


def received(
    office: Office, file: IncomingFile, *, park: str, period: Period, unit: str, channel: str, now: datetime, actor: str
) -> EnterpriseReturn:
    """The return of a file, to be checked. The same file as a faulty return is checked again: the register may have been mended."""
    found, _ = record_return(
        office.vault, office.ledger, file, park=park, period=period, edition=office.programme.edition_for(period).id, unit_id=unit, channel=channel, now=now, actor=actor,
    )  # fmt: skip
    if found.state is ReturnState.FAULTY:
        with office.ledger.write() as session:
            found = check_return_again(session, found.number, now=now, actor=actor)
    return found


def checked_returns(
    office: Office, given: Sequence[tuple[EnterpriseReturn, FileReading]], *, now: datetime, actor: str
) -> list[EnterpriseReturn]:
    """Returns of one park and period with the result of their check entered. Each is told of itself only."""
    results: dict[str, CheckResult] = {}
    own: list[tuple[EnterpriseReturn, FileReading]] = []
    for found, reading in given:
        edition = office.programme.edition_for(found.period)
        if reading.status == "unreadable":
            results[found.number] = _unreadable(office, reading)
        elif told := not_own(reading, edition, office.programme.edition_for(reading.period or found.period), found):
            results[found.number] = _refused(office, edition, found, reading, told)
        else:
            own.append((found, reading))
    if own:
        first, units = own[0][0], [found.unit_id for found, _ in own]
        with office.ledger.read() as session:
            history = History(office.vault, session, office.programme)
            whole = check(
                [r for _, r in own], office.programme, history, park=first.park, period=first.period, units=units
            )
        for found, reading in own:
            results[found.number] = _of_one(office, whole, found, reading)
    with office.ledger.write() as session:
        return [record_return_check(session, f.number, results[f.number], now=now, actor=actor) for f, _ in given]


def not_own(reading: FileReading, edition: Edition, read_as: Edition, found: EnterpriseReturn) -> str:
    """Why a workbook is not the enterprise's own of this park and period, as a sentence; empty where it is."""
    if reading.period is not None and reading.period != found.period:
        return f"是 {reading.period.title} 的报表,这里报的是 {found.period.title};请换成本期的工作簿。"
    if reading.park not in (None, "", found.park):
        return f"写的园区是 {reading.park},您单位属 {found.park};请用从本系统下载的本单位工作簿填报。"
    owner = owner_of(reading, read_as)
    if owner is None:
        return "不是一家企业自己的工作簿(没有本单位的数据,或有别家企业、园区的表);请用从本系统下载的本单位工作簿填报。"
    if owner != found.unit_id:
        return f"是 {owner} 的工作簿,不是您单位({found.unit_id})的;请核对文件,或更正统一社会信用代码。"
    rosters = [c for c, f in reading.observations.frames.items() if f.height and c in edition.forms]
    if not any(edition.forms[code].roster == ENTERPRISE_ROSTER for code in rosters):
        return "里没有填写任何数据;请填好后再上传。"
    return ""


def _unreadable(office: Office, reading: FileReading) -> CheckResult:
    row: dict[str, object] = {
        "rule": reading.code, "severity": "hard", "code": reading.code, "file": reading.name, "message": reading.message,
        "outcome": "failed",
    }  # fmt: skip
    blob = office.vault.put(frame_bytes(as_findings([row]))).sha256
    return CheckResult(READER_VERSION, "", "", None, blob, (), {"hard": 1, "soft": 0}, 1, 0, reading.message)


def _refused(office: Office, edition: Edition, found: EnterpriseReturn, reading: FileReading, why: str) -> CheckResult:
    """Nothing of a foreign workbook is checked: findings on it would tell of others."""
    form = next(code for code, form in edition.forms.items() if form.roster == ENTERPRISE_ROSTER)
    row: dict[str, object] = {
        "rule": "not_own_book", "severity": "hard", "form": form, "unit_id": found.unit_id, "park": found.park,
        "file": reading.name, "message": f"《{reading.name}》{why}", "code": "not_own_book", "outcome": "failed",
    }  # fmt: skip
    blob = office.vault.put(frame_bytes(as_findings([row]))).sha256
    return CheckResult(READER_VERSION, "", "", None, blob, (), {"hard": 1, "soft": 0}, 1, 0)


def _of_one(office: Office, whole: Checked, found: EnterpriseReturn, reading: FileReading) -> CheckResult:
    """What a check of several own workbooks says of one of them."""
    if whole.status == "unreadable":
        blob = office.vault.put(frame_bytes(whole.findings)).sha256
        return CheckResult(READER_VERSION, "", "", None, blob, (), {"hard": 1, "soft": 0}, 1, 0, whole.message)
    of_file = pl.col("unit_id").is_null() & pl.col("file").is_in([reading.name, reading.sha256])
    findings = whole.findings.filter((pl.col("unit_id") == found.unit_id) | of_file)
    frames = {code: frame.filter(unit_id=found.unit_id) for code, frame in whole.observations.frames.items()}
    cells = whole.observations.cell_map.filter(_file=reading.sha256)
    observations = Observations({code: frame for code, frame in frames.items() if frame.height}, cells)
    counts = tally(whole) | {
        "units": 1,
        "cells": sum(f.height * f.width - sum(f.null_count().row(0)) for f in observations.frames.values()),
        "hard": findings.filter(BLOCKING).height,
        "soft": findings.filter(NEEDS_EXPLANATION).height,
        "normalised": reading.normalised.height,
    }
    return CheckResult(
        READER_VERSION, whole.rule_set_hash, whole.operand_hash, office.vault.put(observations.to_bytes()).sha256,
        office.vault.put(frame_bytes(findings)).sha256, tuple(observations.frames), counts, counts["hard"], counts["soft"],
    )  # fmt: skip


def return_names(office: Office, found: EnterpriseReturn) -> dict[str, str]:
    """The enterprise → its name as filed."""
    if found.check is None or found.check.observations_blob is None:
        return {}
    frames = Observations.from_bytes(office.vault.read(found.check.observations_blob)).frames
    return names_of_units(frames.get(reserved.BASIC))


def marked_return(office: Office, found: EnterpriseReturn) -> tuple[str, bytes]:
    """(file name, workbook): the enterprise's own workbook with its findings in the cells, else a list of them."""
    original = office.vault.read(found.sha256) if found.check and not found.check.unreadable else b""
    findings = return_findings(office, found)
    return marked_book(found.name, original, findings, office.programme, found.period, return_names(office, found))


def explain_return(
    office: Office, number: str, given: Mapping[str, tuple[str, str]], *, now: datetime, actor: str
) -> ReturnExplained:
    """Enter explanations (finding key → reason code and words); those that say nothing are not taken. Keys that are no finding
    of this return are ignored. Raises RefusalError where it is not waiting for explanations, or the round is closed."""
    with office.ledger.read() as session:
        found = enterprise_return(session, number)
        require_open(round_of(session, found.period), found.period, found.park, now, to="再填写情况说明")
    return _explained(office, number, given, now=now, actor=actor)


def _explained(
    office: Office, number: str, given: Mapping[str, tuple[str, str]], *, now: datetime, actor: str
) -> ReturnExplained:
    """As ``explain_return``, for what came with the workbook: it was there in time, whenever it is looked at."""
    with office.ledger.read() as session:
        found = enterprise_return(session, number)
        on_record = {k: (e.reason_code, e.text) for k, e in return_explanations_of(session, number).items()}
        keys = keys_to_explain(office, found)
        mine = {key: told for key, told in given.items() if key in keys}
        evidence = _evidence(office, session, found) if mine else Evidence({}, {}, {}, {})
    edition = office.programme.edition_for(found.period)
    weak = weak_explanations(office.programme, edition, evidence, mine, on_record=on_record)
    sound = [NewExplanation(key, *told) for key, told in mine.items() if key not in weak]
    fresh = {one.finding_key: (one.reason_code, one.text) for one in sound if one.finding_key not in on_record}
    again = taken_over(said_before_return(office, found), fresh) if fresh else 0
    with office.ledger.write() as session:
        record_return_explanations(session, number, sound, now=now, actor=actor, taken_over=again)
        left = len(set(keys) - set(return_explanations_of(session, number)))
    return ReturnExplained(weak, left)


def keys_to_explain(office: Office, found: EnterpriseReturn) -> list[str]:
    """The keys of the findings that need an explanation, each once."""
    if found.check is None or not found.check.to_explain:
        return []
    soft = return_findings(office, found).filter(NEEDS_EXPLANATION)
    return list(dict.fromkeys(finding_key(row) for row in soft.iter_rows(named=True)))


def _evidence(office: Office, session: Session, found: EnterpriseReturn) -> Evidence:
    """What explanations are held against: the enterprise's own figures, as for a submission of this file alone."""
    alone = Submission(
        found.number, found.park, found.period, found.edition, found.revision,
        (SubmittedFile(found.sha256, found.size, found.name, found.unit_id),), "", found.channel, found.received_at,
        found.received_by, State.CHECKED, found.state_at, 0, found.check,
    )  # fmt: skip
    return evidence_of(office.vault, session, office.programme, alone)


def confirm_own(
    office: Office, number: str, signed: Signatories, *, on: date, now: datetime, actor: str
) -> EnterpriseReturn:
    """The enterprise stands by its return, in the names of those who answer for it.

    Raises RefusalError where a name or an explanation is missing, the round is closed, or the state does not allow it.
    """
    signed.require_complete("确认")
    with office.ledger.read() as session:
        found = enterprise_return(session, number)
        left = set(keys_to_explain(office, found)) - set(return_explanations_of(session, number))
    if left:
        raise RefusalError(f"还有 {len(left)} 处需要核实的没有情况说明,请逐条说明后再确认。")
    given = ReturnConfirmation(
        signed.unit_head.strip(), signed.statistics_head.strip(), signed.filled_by.strip(), signed.telephone.strip(), on
    )
    with office.ledger.write() as session:
        require_open(round_of(session, found.period), found.period, found.park, now)
        return confirm_return(session, number, given, now=now, actor=actor)


def confirm_for(
    office: Office,
    number: str,
    confirmed_by: str,
    confirmed_on: date,
    basis: str,
    evidence: tuple[str, bytes] | None,
    *,
    today: date,
    now: datetime,
    actor: str,
) -> EnterpriseReturn:
    """The park puts on record how an enterprise confirmed a workbook that came by mail.

    Raises RefusalError for a return of the enterprise's own account, a day to come, no words on how it confirmed.
    """
    with office.ledger.read() as session:
        found = enterprise_return(session, number)
        require_open(round_of(session, found.period), found.period, found.park, now)
    if found.is_own:
        raise RefusalError("企业用自己的账户交来的,由企业自己确认,园区不能代为确认。")
    if found.state in STANDS:
        raise RefusalError(f"{number} 已经确认。")
    if not basis.strip():
        raise RefusalError("请写明确认方式(打印盖章、电话、函等)。")
    if confirmed_on > today:
        raise RefusalError(f"确认日期 {confirmed_on} 还没有到,请核对。")
    paper = office.vault.put(evidence[1]).sha256 if evidence else None
    given = ReturnConfirmation(confirmed_by.strip(), "", "", "", confirmed_on, basis.strip(), paper)
    with office.ledger.write() as session:
        return confirm_return(session, number, given, now=now, actor=actor)
