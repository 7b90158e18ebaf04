"""Enterprise returns 企业自填表: what an enterprise handed in, what the check found, and whether it stands by it.

A return never touches its park's submission by itself: the park takes confirmed returns up when it collates.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import date, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from schemas.errors import RefusalError
from schemas.period import Period
from warehouse.ledger import trail
from warehouse.ledger.explanations import Explanation, NewExplanation
from warehouse.ledger.intake import IncomingFile, clean_file_name
from warehouse.ledger.parks import park as park_on
from warehouse.ledger.return_models import (
    EnterpriseReturnRow,
    ReturnCheckRow,
    ReturnConfirmationRow,
    ReturnExplanationRow,
    ReturnState,
)
from warehouse.ledger.session import Ledger
from warehouse.ledger.submissions import Check, CheckResult
from warehouse.vault import Vault

OWN, BY_PROGRAM, MAIL = "portal", "api", "mail"
"""Channels: the enterprise's own account, at a browser or by a program; received by the park by mail and entered for the enterprise."""
SUBJECT = "return/"
_BATCH = 5000

# The arrows back to RECEIVED are a new check of the same file; earlier checks stay.
TRANSITIONS: dict[ReturnState, frozenset[ReturnState]] = {
    ReturnState.RECEIVED: frozenset({ReturnState.FAULTY, ReturnState.CLEAN}),
    ReturnState.FAULTY: frozenset({ReturnState.RECEIVED}),
    ReturnState.CLEAN: frozenset({ReturnState.RECEIVED, ReturnState.CONFIRMED}),
    ReturnState.CONFIRMED: frozenset({ReturnState.TAKEN_UP}),
    ReturnState.TAKEN_UP: frozenset(),
}
#: The enterprise stands by it.
STANDS = frozenset({ReturnState.CONFIRMED, ReturnState.TAKEN_UP})


@dataclass(frozen=True)
class ReturnConfirmation:
    """Who answers for a return by name, on which day; ``basis`` and ``evidence`` where the park recorded it."""

    confirmed_by: str
    statistics_head: str
    filled_by: str
    telephone: str
    confirmed_on: date
    basis: str = ""
    evidence: str | None = None


@dataclass(frozen=True)
class EnterpriseReturn:
    """One return. ``check`` is the latest, None before any; ``confirmation`` None until there is one."""

    number: str
    park: str
    period: Period
    edition: str
    unit_id: str
    revision: int
    sha256: str
    size: int
    name: str
    channel: str
    received_at: datetime
    received_by: str
    state: ReturnState
    state_at: datetime
    check: Check | None
    confirmation: ReturnConfirmation | None

    @property
    def is_own(self) -> bool:
        """Whether the enterprise's own account handed it in."""
        return self.channel != MAIL


def return_number(park: str, period: Period | str, unit_id: str, revision: int) -> str:
    """The number of a return: 2025Q1-LBXQ-91620102900001092A-01."""
    return f"{str(period).replace('-', '')}-{park}-{unit_id}-{revision:02d}"


def record_return(
    vault: Vault,
    ledger: Ledger,
    file: IncomingFile,
    *,
    park: str,
    period: Period,
    edition: str,
    unit_id: str,
    channel: str,
    now: datetime,
    actor: str,
) -> tuple[EnterpriseReturn, bool]:
    """Keep the file and enter it as the enterprise's next return, and whether it is new: the same file as the newest return is
    that return. To return is to acknowledge: file, directories and ledger are durable by then."""
    blob = vault.put(file.content)
    with ledger.write() as session:
        park_on(session, park, period.end)
        before = newest_return(session, park, period, unit_id)
        if before is not None and before.sha256 == blob.sha256:
            return before, False
        revision = before.revision + 1 if before else 1
        number = return_number(park, period, unit_id, revision)
        seq = trail.head(session).seq + 1
        row = EnterpriseReturnRow(
            number=number, park=park, period=str(period), edition=edition, unit_id=unit_id, revision=revision,
            sha256=blob.sha256, size=blob.size, name=clean_file_name(file.name), channel=channel, received_at=now,
            received_by=actor, state=str(ReturnState.RECEIVED), state_at=now, state_seq=seq,
        )  # fmt: skip
        session.add(row)
        session.flush()
        trail.append(
            session, at=now, actor=actor, action="return_received", subject=SUBJECT + number,
            to_state=str(ReturnState.RECEIVED),
            payload={"sha256": blob.sha256, "bytes": blob.size, "edition": edition, "channel": channel},
        )  # fmt: skip
        entered = enterprise_return(session, number)
    return entered, True


def enterprise_return(session: Session, number: str) -> EnterpriseReturn:
    """One return. Raises RefusalError for an unknown number."""
    return _complete(session, [_row_of(session, number)])[0]


def enterprise_returns(
    session: Session, park: str, *, period: Period | None = None, unit_id: str | None = None
) -> list[EnterpriseReturn]:
    """The returns of a park's enterprises, by period, enterprise and revision."""
    query = select(EnterpriseReturnRow).where(EnterpriseReturnRow.park == park)
    if period is not None:
        query = query.where(EnterpriseReturnRow.period == str(period))
    if unit_id is not None:
        query = query.where(EnterpriseReturnRow.unit_id == unit_id)
    ordered = query.order_by(EnterpriseReturnRow.period, EnterpriseReturnRow.unit_id, EnterpriseReturnRow.revision)
    return _complete(session, session.scalars(ordered).all())


def newest_return(session: Session, park: str, period: Period, unit_id: str) -> EnterpriseReturn | None:
    """The newest return of an enterprise for a period, whatever its state."""
    found = enterprise_returns(session, park, period=period, unit_id=unit_id)
    return found[-1] if found else None


def handed_in_since(session: Session, park: str, unit_id: str, since: datetime) -> int:
    """How many returns an enterprise handed in itself from an instant on, of every period."""
    query = select(func.count()).where(
        EnterpriseReturnRow.park == park, EnterpriseReturnRow.unit_id == unit_id, EnterpriseReturnRow.received_at >= since,
        EnterpriseReturnRow.channel != MAIL,
    )  # fmt: skip
    return session.scalar(query) or 0


def unexamined_returns(session: Session) -> list[EnterpriseReturn]:
    """What was acknowledged and not yet checked, in the order of arrival."""
    waiting = select(EnterpriseReturnRow).where(EnterpriseReturnRow.state == str(ReturnState.RECEIVED))
    return _complete(session, session.scalars(waiting.order_by(EnterpriseReturnRow.state_seq)).all())


def standing_returns(session: Session, park: str, period: Period) -> list[EnterpriseReturn]:
    """Of each enterprise the newest return that it stands by, by enterprise: what the park may collate."""
    newest = {one.unit_id: one for one in enterprise_returns(session, park, period=period) if one.state in STANDS}
    return [newest[unit] for unit in sorted(newest)]


def last_contacts(session: Session, park: str) -> dict[str, str]:
    """Enterprise → who filled in its last confirmed return, and the telephone."""
    query = (
        select(EnterpriseReturnRow.unit_id, ReturnConfirmationRow.filled_by, ReturnConfirmationRow.telephone)
        .join(EnterpriseReturnRow, EnterpriseReturnRow.id == ReturnConfirmationRow.return_id)
        .where(EnterpriseReturnRow.park == park, ReturnConfirmationRow.telephone != "")
        .order_by(ReturnConfirmationRow.id)
    )
    return {unit: f"{name} {telephone}".strip() for unit, name, telephone in session.execute(query)}


def record_return_check(
    session: Session, number: str, check: CheckResult, *, now: datetime, actor: str
) -> EnterpriseReturn:
    """Enter the result of a check: faulty where findings block or the file cannot be read, else clean."""
    row = _row_of(session, number)
    attempts = session.scalar(select(func.max(ReturnCheckRow.attempt)).where(ReturnCheckRow.return_id == row.id))
    attempt = (attempts or 0) + 1
    values = {field.name: getattr(check, field.name) for field in fields(CheckResult)}
    values |= {"forms": list(check.forms), "counts": dict(check.counts)}
    rows = trail.Rows(ReturnCheckRow, [{"return_id": row.id, "attempt": attempt, "checked_at": now, **values}])
    is_faulty = check.unreadable is not None or bool(check.blocking)
    wanted = ReturnState.FAULTY if is_faulty else ReturnState.CLEAN
    payload: dict[str, trail.PayloadValue] = {
        "attempt": attempt, "rule_set_hash": check.rule_set_hash, "operand_hash": check.operand_hash,
        "findings": check.findings_blob, "blocking": check.blocking, "to_explain": check.to_explain,
    }  # fmt: skip
    _step(session, row, wanted, action="return_checked", now=now, actor=actor, payload=payload, rows=rows)
    return enterprise_return(session, number)


def check_return_again(session: Session, number: str, *, now: datetime, actor: str) -> EnterpriseReturn:
    """Send the same file through reader and rules once more: the register or earlier figures may have changed."""
    _step(session, _row_of(session, number), ReturnState.RECEIVED, action="return_check_again", now=now, actor=actor)
    return enterprise_return(session, number)


def record_return_explanations(
    session: Session, number: str, given: Iterable[NewExplanation], *, now: datetime, actor: str, taken_over: int = 0
) -> int:
    """Enter explanations for a clean return; a later one of the same finding takes the place of the earlier. How many.
    ``taken_over``: how many of them stand word for word as given for an earlier revision; the trail says so."""
    row = _row_of(session, number)
    if row.state != ReturnState.CLEAN:
        raise RefusalError(f"{number} 当前状态为“{ReturnState(row.state).label}”,不能填写情况说明。")
    on_record = return_explanations_of(session, number)
    fresh: dict[str, NewExplanation] = {}
    for one in given:
        before = on_record.get(one.finding_key)
        if before is None or (before.reason_code, before.text) != (one.reason_code, one.text):
            fresh[one.finding_key] = one
    if fresh:
        # The words may hold figures: the trail gets their hash only.
        rows = [{"return_id": row.id, **asdict(one), "by": actor, "at": now} for one in fresh.values()]
        trail.append(
            session, at=now, actor=actor, action="return_explained", subject=SUBJECT + number,
            payload={"explanations": len(rows)} | ({"taken_over": taken_over} if taken_over else {}), rows=trail.Rows(ReturnExplanationRow, rows),
        )  # fmt: skip
    return len(fresh)


def return_explanations_of(session: Session, number: str) -> dict[str, Explanation]:
    """Finding key → the explanation of a return that counts."""
    row = _row_of(session, number)
    query = select(ReturnExplanationRow).where(ReturnExplanationRow.return_id == row.id)
    return {
        one.finding_key: Explanation(one.finding_key, one.reason_code, one.text, one.by, one.at)
        for one in session.scalars(query.order_by(ReturnExplanationRow.id))
    }


def confirm_return(
    session: Session, number: str, given: ReturnConfirmation, *, now: datetime, actor: str
) -> EnterpriseReturn:
    """clean → confirmed. Raises RefusalError where a name is missing, a newer return is there, or the state does not allow it."""
    row = _row_of(session, number)
    if not given.confirmed_by.strip():
        raise RefusalError("确认须写明单位负责人姓名。")
    newest = newest_return(session, row.park, Period.parse(row.period), row.unit_id)
    if newest is not None and newest.revision > row.revision:
        raise RefusalError(f"已有更新的 {newest.number},请在那一份上确认。")
    values = asdict(given) | {"return_id": row.id, "recorded_at": now, "recorded_by": actor}
    rows = trail.Rows(ReturnConfirmationRow, [values])
    _step(session, row, ReturnState.CONFIRMED, action="return_confirmed", now=now, actor=actor, rows=rows)
    return enterprise_return(session, number)


def take_up(session: Session, numbers: Sequence[str], submission: str, *, now: datetime, actor: str) -> None:
    """confirmed → taken up: these returns are part of a submission of the park. What was taken up before stays so."""
    for number in numbers:
        row = _row_of(session, number)
        if row.state != ReturnState.TAKEN_UP:
            payload: dict[str, trail.PayloadValue] = {"submission": submission}
            _step(session, row, ReturnState.TAKEN_UP, action="return_taken_up", now=now, actor=actor, payload=payload)


@dataclass(frozen=True)
class MailEntered:
    """One batch of workbooks that came by mail: how many were taken, and what was not, with the reason."""

    taken: int
    refused: Sequence[str]
    at: datetime
    by: str


def record_mail(
    session: Session, park: str, period: Period, taken: int, refused: Sequence[str], *, now: datetime, actor: str
) -> None:
    """Put on the trail what became of a batch: who walked away while it was read finds it again."""
    payload: dict[str, trail.PayloadValue] = {"taken": taken, "refused": list(refused)}
    trail.append(session, at=now, actor=actor, action="mail_entered", subject=f"mail/{park}/{period}", payload=payload)


def last_mail(session: Session, park: str, period: Period) -> MailEntered | None:
    """The last batch of a round; None where there was none."""
    found = trail.events(session, f"mail/{park}/{period}")
    if not found:
        return None
    taken, refused = found[-1].payload["taken"], found[-1].payload["refused"]
    assert isinstance(taken, int) and not isinstance(refused, str | int | None)
    return MailEntered(taken, tuple(refused), found[-1].at, found[-1].actor)


def _step(
    session: Session,
    row: EnterpriseReturnRow,
    wanted: ReturnState,
    *,
    action: str,
    now: datetime,
    actor: str,
    payload: Mapping[str, trail.PayloadValue] | None = None,
    rows: trail.Rows | None = None,
) -> None:
    current = ReturnState(row.state)
    if wanted not in TRANSITIONS[current]:
        raise RefusalError(f"{row.number} 当前状态为“{current.label}”,不能转为“{wanted.label}”。")
    head = trail.append(
        session, at=now, actor=actor, action=action, subject=SUBJECT + row.number, from_state=str(current),
        to_state=str(wanted), payload=payload, rows=rows,
    )  # fmt: skip
    row.state, row.state_at, row.state_seq = str(wanted), now, head.seq
    session.flush()


def _row_of(session: Session, number: str) -> EnterpriseReturnRow:
    row = session.scalar(select(EnterpriseReturnRow).where(EnterpriseReturnRow.number == number))
    if row is None:
        raise RefusalError(f"没有编号为“{number}”的企业自填表,请核对编号。")
    return row


def _complete(session: Session, rows: Sequence[EnterpriseReturnRow]) -> list[EnterpriseReturn]:
    checks: dict[int, Check] = {}
    confirmed: dict[int, ReturnConfirmation] = {}
    for start in range(0, len(rows), _BATCH):
        ids = [row.id for row in rows[start : start + _BATCH]]
        of_these = select(ReturnCheckRow).where(ReturnCheckRow.return_id.in_(ids)).order_by(ReturnCheckRow.attempt)
        checks |= {check.return_id: _check(check) for check in session.scalars(of_these)}
        for one in session.scalars(select(ReturnConfirmationRow).where(ReturnConfirmationRow.return_id.in_(ids))):
            confirmed[one.return_id] = ReturnConfirmation(
                one.confirmed_by, one.statistics_head, one.filled_by, one.telephone, one.confirmed_on, one.basis, one.evidence
            )  # fmt: skip
    return [
        EnterpriseReturn(
            row.number, row.park, Period.parse(row.period), row.edition, row.unit_id, row.revision, row.sha256, row.size,
            row.name, row.channel, row.received_at, row.received_by, ReturnState(row.state), row.state_at,
            checks.get(row.id), confirmed.get(row.id),
        )
        for row in rows
    ]  # fmt: skip


def _check(row: ReturnCheckRow) -> Check:
    return Check(
        reader_version=row.reader_version, rule_set_hash=row.rule_set_hash, operand_hash=row.operand_hash,
        observations_blob=row.observations_blob, findings_blob=row.findings_blob, forms=tuple(row.forms), counts=row.counts,
        blocking=row.blocking, to_explain=row.to_explain, unreadable=row.unreadable, checked_at=row.checked_at,
        attempt=row.attempt,
    )  # fmt: skip
