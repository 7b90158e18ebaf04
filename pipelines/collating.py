"""Collating 汇集: a park's submission out of the workbooks that its enterprises filled in themselves.

Each file goes to the vault with the enterprise whose own it is; each row keeps its file and cell; the park adds and changes no
figure of an enterprise. Where the park filed for one, the enterprise's confirmation is put on record with the submission.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

import polars as pl
from sqlalchemy.orm import Session

from pipelines.checking import IncomingBook, named_apart, read_books, register_of
from pipelines.intake import COLLATED, Office, Outcome, attributed, carry_on, require_open, take_in
from pipelines.operands import History
from schemas import reserved
from schemas.errors import RefusalError, SubmissionError
from schemas.findings import as_findings
from schemas.model import Edition
from schemas.observations import ENTERPRISE_ROSTER
from schemas.period import Period
from sources.own_books import SortedBooks, sort_books, stray
from sources.pool import Pool
from sources.reader import FileReading
from warehouse.ledger.answers import answer_statuses
from warehouse.ledger.confirmations import Confirmation, confirmations_of, record_confirmations
from warehouse.ledger.periods import round_of
from warehouse.ledger.register import register_as_of
from warehouse.ledger.states import CLOSED, STANDING, State
from warehouse.ledger.steps import check_again
from warehouse.ledger.submissions import Submission, latest, submissions

UNIT_COLUMNS = {"unit_id": pl.String(), "name": pl.String()}
BOOK_COLUMNS = {
    "file": pl.String(), "sha256": pl.String(), "kind": pl.String(), "unit_id": pl.String(), "name": pl.String(),
    "park": pl.String(), "replaces": pl.String(),
}  # fmt: skip
"""``kind``: own (an enterprise's), park, unreadable; ``park``: where the register has the enterprise, null where it has not;
``replaces``: the submission in which this enterprise's workbook was another file, null where it was none or the same."""


@dataclass(frozen=True)
class GivenConfirmation:
    """What a park says of an enterprise's confirmation. ``code``: the beginning of the hash of the workbook the enterprise saw,
    empty where none was named; ``evidence``: a paper (name, bytes), None where there is none."""

    unit_id: str
    confirmed_by: str
    confirmed_on: date
    basis: str
    code: str = ""
    evidence: tuple[str, bytes] | None = None


@dataclass(frozen=True)
class Collation:
    """The submission, and who is in it: ``books`` (BOOK_COLUMNS), ``missing`` enterprises of the register without figures and
    without a recorded answer, ``two_parks`` (unit_id, name, park, submission) that another park filed as well, ``filed_for``
    (FILED_FOR_COLUMNS) enterprises on the park's own workbooks."""

    outcome: Outcome
    park: str
    period: Period
    registered: int
    books: pl.DataFrame
    missing: pl.DataFrame
    two_parks: pl.DataFrame
    filed_for: pl.DataFrame


def collate(
    office: Office,
    books: Sequence[IncomingBook],
    pool: Pool,
    *,
    now: datetime,
    actor: str,
    park: str | None = None,
    period: Period | None = None,
    confirmations: Sequence[GivenConfirmation] = (),
    explanations: Mapping[str, tuple[str, str]] | None = None,
    leave_out: bool = False,
    report_at_once: bool = True,
    gaps_reason: str = "",
    progress: Callable[[str], None] = lambda _: None,
) -> Collation:
    """Take in the workbooks of a park's enterprises, and its own for the park's forms, all the way they can go.

    Raises as ``pipelines.intake.submit``; RefusalError also for a confirmation of an enterprise that no park's workbook names.
    """
    progress(f"正在安全检查和读取 {len(books)} 个文件")
    books = named_apart(books)
    readings = read_books(books, office.programme, pool)
    the_park, the_period = _round_of(office, readings, park, period)
    readings = [stray(r, office.programme, the_park, the_period) for r in readings]
    edition = office.programme.edition_for(the_period)
    said = {c.unit_id: c.code.lower() for c in confirmations}
    sorted_books = sort_books(readings, edition, said)
    _require_used(confirmations, sorted_books)
    with office.ledger.read() as session:
        require_open(round_of(session, the_period), the_period, the_park, now)
        before = [s for s in submissions(session, park=the_park, period=the_period) if s.channel == COLLATED]
    received = take_in(
        office, books, park=the_park, period=the_period, channel=COLLATED, now=now, actor=actor, owners=sorted_books.owners
    )  # fmt: skip
    with office.ledger.write() as session:
        found = received.submission
        kept = [*_carried(session, before, books), *_kept(office, confirmations, sorted_books)]
        entered = record_confirmations(session, found.number, kept, now=now, actor=actor)
        if entered and found.state not in STANDING | {State.RECEIVED}:
            again = check_again(session, found.number, reason="登记了企业确认", now=now, actor=actor)
            received = replace(received, submission=again)
    with office.ledger.read() as session:
        prepared = _prepared(office, session, found, readings, said)
        two_parks = _two_parks(session, prepared, the_park, the_period)
    ready = _with_findings(prepared, _on_two_parks(two_parks, prepared, edition, the_park), the_park)
    outcome = carry_on(
        office, received, ready, now=now, actor=actor, explanations=explanations, leave_out=leave_out,
        report_at_once=report_at_once, gaps_reason=gaps_reason, progress=progress,
    )  # fmt: skip
    return _told(office, outcome, prepared, two_parks, before)


def _round_of(
    office: Office, readings: Sequence[FileReading], park: str | None, period: Period | None
) -> tuple[str, Period]:
    """Park and period as the sender says, else as most of the files say; a single stray file does not stop all others."""
    sound = [r for r in readings if r.status != "unreadable"]
    parks, periods = Counter(r.park for r in sound if r.park), Counter(r.period for r in sound if r.period)
    if park is None and parks and parks.most_common(1)[0][1] > len(sound) / 2:
        park = parks.most_common(1)[0][0]
    if period is None and periods and periods.most_common(1)[0][1] > len(sound) / 2:
        period = periods.most_common(1)[0][0]
    if park and period:
        sound = [stray(r, office.programme, park, period) for r in sound]
    return attributed(sound or readings, park, period)


def collated_readings(
    office: Office, session: Session, found: Submission, readings: Sequence[FileReading]
) -> list[FileReading]:
    """What counts of the files of a collated submission, by the confirmations on record: to read it again as it was read."""
    return _with_findings(_prepared(office, session, found, readings, {}), [], found.park)


def _prepared(
    office: Office, session: Session, found: Submission, readings: Sequence[FileReading], said: Mapping[str, str]
) -> SortedBooks:
    readings = [stray(r, office.programme, found.park, found.period) for r in readings]
    confirmed = {**said, **{c.unit_id: c.file for c in confirmations_of(session, found.number)}}
    return sort_books(readings, office.programme.edition_for(found.period), confirmed)


def _require_used(confirmations: Sequence[GivenConfirmation], books: SortedBooks) -> None:
    there = set(books.filed_for.filter(pl.col("verdict").is_in(["confirmed", "refused"]))["unit_id"])
    if useless := sorted({c.unit_id for c in confirmations} - there):
        own = [unit for unit in useless if unit in set(books.owners.values())]
        why = "已交来自己的工作簿,不需要确认" if own else "不在园区填报的工作簿里"
        raise RefusalError(f"企业确认里的 {'、'.join(useless[:5])}{why};请核对确认登记表。")


def _kept(office: Office, confirmations: Sequence[GivenConfirmation], books: SortedBooks) -> Iterable[Confirmation]:
    """The confirmations that hold for a file, with their papers in the vault."""
    stands = {u: sha for u, sha, v in books.filed_for.select("unit_id", "sha256", "verdict").rows() if v == "confirmed"}
    for one in confirmations:
        if one.unit_id in stands:
            paper = office.vault.put(one.evidence[1]).sha256 if one.evidence else None
            yield Confirmation(one.unit_id, stands[one.unit_id], one.confirmed_by, one.confirmed_on, one.basis, paper)


def _carried(session: Session, before: Sequence[Submission], books: Sequence[IncomingBook]) -> list[Confirmation]:
    """What enterprises confirmed on an earlier collation of the round holds for the same file again."""
    given = {book.sha256 for book in books}
    return [c for s in before for c in confirmations_of(session, s.number) if c.file in given]


def _two_parks(session: Session, books: SortedBooks, park: str, period: Period) -> pl.DataFrame:
    """Enterprises in these files that another park has filed in this period and not taken back."""
    units = _units_in(books)
    elsewhere = answer_statuses(session, period).filter(
        pl.col("status").is_in([0, 1]), pl.col("unit_id").is_in(list(units)), pl.col("park") != park
    )
    rows = []
    for unit, other, number in elsewhere.select("unit_id", "park", "evidence").iter_rows():
        newest = latest(session, other, period)
        if newest is not None and newest.number == number and newest.state not in CLOSED:
            rows.append((unit, units[unit], other, number))
    schema = UNIT_COLUMNS | {"park": pl.String(), "submission": pl.String()}
    return pl.DataFrame(rows, schema=schema, orient="row").sort("unit_id")


def _units_in(books: SortedBooks) -> dict[str, str | None]:
    """Unit → name as filed, of every unit with a row that counts."""
    found: dict[str, str | None] = {}
    for reading in books.readings:
        for frame in reading.observations.frames.values():
            for unit in frame["unit_id"]:
                found.setdefault(unit, None)
            if reserved.NAME in frame.columns:
                found |= dict(frame.select("unit_id", reserved.NAME).iter_rows())
    return {unit: name for unit, name in found.items() if unit is not None}


def _on_two_parks(two_parks: pl.DataFrame, books: SortedBooks, edition: Edition, park: str) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    names = {owner: r.name for r in books.readings if (owner := books.owners.get(r.sha256))}
    form = next(code for code, form in edition.forms.items() if form.roster == ENTERPRISE_ROSTER)
    for unit, _, other, number in two_parks.iter_rows():
        told = f"企业 {unit} 本期已由 {other} 报送({number}),一家企业只能归一个园区;请按名录确认归属,另一个园区的须先退回。"
        rows.append({
            "rule": "two_parks", "severity": "hard", "form": form, "unit_id": unit, "park": park, "file": names.get(unit),
            "found": other, "message": told, "code": "two_parks", "outcome": "failed",
        })  # fmt: skip
    return rows


def _with_findings(books: SortedBooks, more: list[dict[str, object]], park: str) -> list[FileReading]:
    """The readings that can be checked, with the findings on the others and on the whole at the first of them."""
    broken = [r for r in books.readings if r.status == "unreadable"]
    sound = [r for r in books.readings if r.status != "unreadable"]
    if not sound:
        return broken
    for r in broken:
        told = f"{r.message}请企业重新交一份,或不带这个文件汇集。"
        row = {
            "rule": r.code,
            "severity": "hard",
            "park": park,
            "file": r.name,
            "code": r.code,
            "outcome": "failed",
            "message": told,
        }
        more = [*more, dict[str, object](row)]
    first = replace(sound[0], findings=pl.concat([sound[0].findings, as_findings(more)]))
    return [first, *sound[1:]]


def _told(
    office: Office, outcome: Outcome, books: SortedBooks, two_parks: pl.DataFrame, before: Sequence[Submission]
) -> Collation:
    found = outcome.submission
    with office.ledger.read() as session:
        history = History(office.vault, session, office.programme)
        listed = register_of(history, found.period, found.park)
        whole = register_as_of(session, found.period.end)
    there = _units_in(books)
    missing = listed.filter(pl.col("answer_status").is_null() & ~pl.col("unit_id").is_in(list(there)))
    belongs = dict(whole.select("unit_id", "park").iter_rows())
    names = dict(whole.select("unit_id", reserved.NAME).iter_rows()) if reserved.NAME in whole.columns else {}
    earlier = _earlier_files(before, found)
    rows: list[dict[str, object]] = []
    for r in books.readings:
        unit = books.owners.get(r.sha256)
        kind = "unreadable" if r.status == "unreadable" else "own" if unit else "park"
        other = earlier.get(unit) if unit else None
        rows.append({
            "file": r.name, "sha256": r.sha256, "kind": kind, "unit_id": unit, "name": (there.get(unit) or names.get(unit)) if unit else None,
            "park": belongs.get(unit) if unit else None, "replaces": other[1] if other and other[0] != r.sha256 else None,
        })  # fmt: skip
    return Collation(
        outcome, found.park, found.period, listed.height, pl.DataFrame(rows, schema=BOOK_COLUMNS),
        missing.select(list(UNIT_COLUMNS)).sort("unit_id"), two_parks, books.filed_for,
    )  # fmt: skip


def _earlier_files(before: Sequence[Submission], now: Submission) -> dict[str, tuple[str, str]]:
    """Enterprise → (hash, submission) of the workbook it last handed in before this submission."""
    return {f.role: (f.sha256, s.number) for s in before if s.revision < now.revision for f in s.files if f.role}


def read_confirmations(
    name: str, rows: Iterable[Mapping[str, str]], paper: Callable[[str], bytes]
) -> list[GivenConfirmation]:
    """Confirmations as listed by a park; ``paper`` gives the bytes of a paper by its name. Raises SubmissionError."""
    found = []
    for number, row in enumerate(rows, start=2):
        of = {code: (row.get(code) or row.get(chinese) or "").strip() for code, chinese in CONFIRMATION_HEADS.items()}
        lacking = [CONFIRMATION_HEADS[c] for c in ("unit_id", "confirmed_by", "confirmed_on", "basis") if not of[c]]
        if lacking:
            raise SubmissionError("confirmations", f"《{name}》第 {number} 行缺 {'、'.join(lacking)};请补填。")
        try:
            day = date.fromisoformat(of["confirmed_on"])
        except ValueError:
            told = f"《{name}》第 {number} 行的确认日期“{of['confirmed_on']}”无效;请写成 2025-04-08。"
            raise SubmissionError("confirmations", told) from None
        evidence = (of["evidence"], paper(of["evidence"])) if of["evidence"] else None
        found.append(GivenConfirmation(of["unit_id"], of["confirmed_by"], day, of["basis"], of["code"], evidence))
    return found


CONFIRMATION_HEADS = {
    "unit_id": "统一社会信用代码",
    "confirmed_by": "确认人",
    "confirmed_on": "确认日期",
    "basis": "确认方式",
    "evidence": "证明文件",
    "code": "校验码",
}
