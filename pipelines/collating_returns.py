"""Collating what enterprises handed in under their own accounts or by mail: the same use case as ``ytb collate``.

Only returns that their enterprises stand by go in. The park chooses none, adds none and changes none of their figures; it gives
the workbook with its own forms along.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

import polars as pl
from sqlalchemy.orm import Session

from pipelines.checking import IncomingBook, named_apart, read_books, register_of
from pipelines.collating import Collation, GivenConfirmation, collate
from pipelines.intake import COLLATED, Office, require_open
from pipelines.operands import History
from pipelines.own_returns import checked_returns, confirm_for, received
from schemas.errors import RefusalError
from schemas.model import Edition, Programme
from schemas.period import Period
from sources.own_books import owner_of
from sources.pool import Pool
from sources.reader import FileReading
from warehouse.ledger.answers import answer_statuses
from warehouse.ledger.enterprise_returns import (
    MAIL,
    STANDS,
    EnterpriseReturn,
    enterprise_returns,
    record_mail,
    return_explanations_of,
    standing_returns,
    take_up,
)
from warehouse.ledger.intake import IncomingFile
from warehouse.ledger.periods import round_of
from warehouse.ledger.return_models import ReturnState
from warehouse.ledger.states import CLOSED
from warehouse.ledger.submissions import Submission, latest, submissions


@dataclass(frozen=True)
class Gathered:
    """What a collation would be made of. ``standing``: one confirmed return an enterprise; ``waiting``: newer or only returns
    that nobody stands by yet; ``missing`` (unit_id, name): owing enterprises without a return that stands; ``elsewhere``
    (unit_id, name, park, submission): enterprises that another park has filed; ``names``: enterprise → name in the register; ``own_files``: (name, hash) of the park's own
    workbooks in its last collation; ``registered``: how many owe a report; ``strayed``: returns that
    stand of enterprises that are not in the register of the period, which stay out."""

    registered: int
    standing: Sequence[EnterpriseReturn]
    waiting: Sequence[EnterpriseReturn]
    missing: pl.DataFrame
    elsewhere: pl.DataFrame
    own_files: Sequence[tuple[str, str]]
    names: Mapping[str, str]
    strayed: Sequence[EnterpriseReturn]
    last: Submission | None


def gathered(office: Office, park: str, period: Period) -> Gathered:
    """Who is ready to be collated and who is not."""
    with office.ledger.read() as session:
        history = History(office.vault, session, office.programme)
        listed = register_of(history, period, park)
        owing = listed.filter(pl.col("answer_status").is_null())
        returns = enterprise_returns(session, park, period=period)
        every = standing_returns(session, park, period)
        before = [s for s in submissions(session, park=park, period=period) if s.channel == COLLATED]
        units = owing.select("unit_id", "name")
        elsewhere = _filed_elsewhere(session, units, park, period)
    inside = set(listed["unit_id"])
    standing = [one for one in every if one.unit_id in inside]
    stands = {one.unit_id: one.revision for one in every}
    newest = {one.unit_id: one for one in returns}
    waiting = [one for one in newest.values() if one.revision > stands.get(one.unit_id, 0)]
    last = before[-1] if before else None
    return Gathered(
        units.height, standing, waiting, units.filter(~pl.col("unit_id").is_in(list(stands))).sort("unit_id"), elsewhere,
        [(f.name, f.sha256) for f in last.files if not f.role] if last else [],
        dict(listed.select("unit_id", "name").drop_nulls().iter_rows()),
        [one for one in every if one.unit_id not in inside], last,
    )  # fmt: skip


def _filed_elsewhere(session: Session, units: pl.DataFrame, park: str, period: Period) -> pl.DataFrame:
    """Enterprises of this park that another park has filed in the period and not taken back."""
    answered = answer_statuses(session, period, units["unit_id"].to_list()).filter(
        pl.col("status").is_in([0, 1]), pl.col("park") != park
    )
    names = dict(units.iter_rows())
    rows = []
    for unit, other, number in answered.select("unit_id", "park", "evidence").iter_rows():
        newest = latest(session, other, period)
        if newest is not None and newest.number == number and newest.state not in CLOSED:
            rows.append((unit, names.get(unit), other, number))
    schema = {"unit_id": pl.String(), "name": pl.String(), "park": pl.String(), "submission": pl.String()}
    return pl.DataFrame(rows, schema=schema, orient="row").sort("unit_id")


def collate_returns(
    office: Office,
    own_books: Sequence[IncomingBook],
    pool: Pool,
    *,
    park: str,
    period: Period,
    now: datetime,
    actor: str,
    explanations: Mapping[str, tuple[str, str]] | None = None,
    leave_out: bool = False,
) -> Collation:
    """The park's submission out of every return that stands, checked and not yet reported.

    ``own_books``: workbooks with the park's own forms; none: those of its last collation. What enterprises explained counts,
    ``explanations`` of the park beside it. Raises as ``pipelines.collating.collate``; RefusalError where nothing stands.
    """
    found = gathered(office, park, period)
    if not found.standing:
        raise RefusalError(f"{period.title}还没有企业确认过的自填表,不能汇集。")
    given = list(own_books) or [IncomingBook(name, office.vault.read(sha256)) for name, sha256 in found.own_files]
    books = [IncomingBook(one.name, office.vault.read(one.sha256)) for one in found.standing]
    told: dict[str, tuple[str, str]] = dict(explanations or {})
    with office.ledger.read() as session:
        for one in found.standing:
            # An enterprise speaks for its own findings; the park does not speak over it.
            told |= {k: (e.reason_code, e.text) for k, e in return_explanations_of(session, one.number).items()}
    made = collate(
        office, [*books, *given], pool, now=now, actor=actor, park=park, period=period, explanations=told,
        leave_out=leave_out, report_at_once=False,
    )  # fmt: skip
    number = made.outcome.submission.number
    owners = {(file.role, file.sha256) for file in made.outcome.submission.files}
    with office.ledger.write() as session:
        taken = [one.number for one in found.standing if (one.unit_id, one.sha256) in owners]
        take_up(session, taken, number, now=now, actor=actor)
    return made


@dataclass(frozen=True)
class Entered:
    """What became of one workbook that came by mail: the return, or why it was not taken in. ``said``: what else to know."""

    name: str
    found: EnterpriseReturn | None
    said: str


def enter_mail(
    office: Office,
    books: Sequence[IncomingBook],
    pool: Pool,
    *,
    park: str,
    period: Period,
    confirmations: Sequence[GivenConfirmation] = (),
    today: date,
    now: datetime,
    actor: str,
) -> list[Entered]:
    """Workbooks that enterprises sent to their park, entered as their returns and checked, in the order given.

    A workbook is not taken in that cannot be read, is not one enterprise's own, is of another park or period, or whose
    enterprise has confirmed under an account of its own. ``confirmations`` go on record for those that may be confirmed.
    """
    books = named_apart(books)
    with office.ledger.read() as session:
        require_open(round_of(session, period), period, park, now)
        history = History(office.vault, session, office.programme)
        registered = set(register_of(history, period, park)["unit_id"])
        stands = {one.unit_id for one in standing_returns(session, park, period) if one.is_own}
    edition = office.programme.edition_for(period)
    entered: list[Entered] = []
    waiting: list[tuple[EnterpriseReturn, FileReading]] = []
    seen: set[str] = set()
    for book, reading in zip(books, read_books(books, office.programme, pool), strict=True):
        unit = _owner(reading, edition, office.programme)
        if why := _not_taken(reading, unit, park, period, registered, stands, seen):
            entered.append(Entered(book.name, None, why))
            continue
        assert unit is not None
        seen.add(unit)
        file = IncomingFile(book.name, book.data)
        found = received(office, file, park=park, period=period, unit=unit, channel=MAIL, now=now, actor=actor)
        entered.append(Entered(book.name, found, ""))
        if found.state is ReturnState.RECEIVED:
            waiting.append((found, reading))
    done = {one.number: one for one in checked_returns(office, waiting, now=now, actor=actor)} if waiting else {}
    entered = [replace(e, found=done.get(e.found.number, e.found)) if e.found else e for e in entered]
    told = _confirmed(office, entered, confirmations, today, now, actor)
    refused = [f"《{one.name}》{one.said}" for one in told if one.found is None]
    with office.ledger.write() as session:
        record_mail(session, park, period, len(told) - len(refused), refused, now=now, actor=actor)
    return told


def _owner(reading: FileReading, edition: Edition, programme: Programme) -> str | None:
    return owner_of(reading, programme.edition_for(reading.period) if reading.period else edition)


def _not_taken(
    reading: FileReading, unit: str | None, park: str, period: Period, registered: set[str], stands: set[str], seen: set[str]
) -> str:  # fmt: skip
    if reading.status == "unreadable":
        return reading.message
    if unit is None:
        return "不是一家企业自己的工作簿;园区自己的表请在汇集时上传。"
    if reading.period is not None and reading.period != period:
        return f"是 {unit} {reading.period.title}的工作簿,不是{period.title}的。"
    if reading.park not in (None, "", park):
        return f"是 {reading.park} 的企业 {unit} 的工作簿,请按名录核对归属。"
    if unit not in registered:
        return f"{unit} 在 {period} 期末不在 {park} 的名录库;先进库,后有数。"
    if unit in stands:
        return f"{unit} 已用自己的账户交来并确认,以企业的为准。"
    return f"{unit} 在这一批里有不止一个工作簿,只收第一个。" if unit in seen else ""


def _confirmed(
    office: Office,
    entered: Sequence[Entered],
    confirmations: Sequence[GivenConfirmation],
    today: date,
    now: datetime,
    actor: str,
) -> list[Entered]:
    of = {one.unit_id: one for one in confirmations}
    told = []
    for one in entered:
        given = of.pop(one.found.unit_id, None) if one.found else None
        if one.found is None or given is None:
            told.append(one)
        elif given.code and not one.found.sha256.startswith(given.code.lower()):
            told.append(replace(one, said="登记表里的校验码与这个文件不符,没有登记确认。"))
        else:
            told.append(_confirm(office, one, one.found, given, today, now, actor))
    told += [Entered(unit, None, "登记表里有这家企业的确认,但没有它的工作簿。") for unit in sorted(of)]
    return told


def _confirm(
    office: Office,
    one: Entered,
    found: EnterpriseReturn,
    given: GivenConfirmation,
    today: date,
    now: datetime,
    actor: str,
) -> Entered:
    if found.state in STANDS:
        return one
    try:
        confirmed = confirm_for(
            office, found.number, given.confirmed_by, given.confirmed_on, given.basis, given.evidence, today=today, now=now,
            actor=actor,
        )  # fmt: skip
    except RefusalError as refused:
        return replace(one, said=str(refused))
    return replace(one, found=confirmed)
