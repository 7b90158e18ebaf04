"""The trail 留痕: every step as a link of a chain, so that an edit, a deletion or a new order of links shows.

hash = SHA-256 of the canonical JSON list of all other columns, the hash of the link before among them. What a chain
alone cannot show is that its end was cut off, or that it was forged anew from some link on: for that the head printed
on receipts, or kept elsewhere, is compared (``expected``). Payloads hold hashes and counts, never a unit's figure.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import RowMapping, Select, func, insert, select
from sqlalchemy.orm import Session

from warehouse.ledger.columns import canonical_json, read_instant, stored_instant
from warehouse.ledger.models import Base, TrailRow

GENESIS = "0" * 64
_HASHED = ("seq", "at", "actor", "action", "subject", "from_state", "to_state", "reason", "payload", "prev_hash")
_LINKS = Base.metadata.tables[TrailRow.__tablename__]
# Statements of every step: made once, and on tables, without mapped objects.
_HEAD = select(_LINKS.c.seq, _LINKS.c.hash).order_by(_LINKS.c.seq.desc()).limit(1)
_LINK = insert(_LINKS)
_PLAIN = frozenset({str, int})
PayloadValue = str | int | bool | None | Sequence[str]


@dataclass(frozen=True, order=True)
class Head:
    """The last link: its number and hash."""

    seq: int
    hash: str


@dataclass(frozen=True)
class Event:
    """One link, as read."""

    seq: int
    at: datetime
    actor: str
    action: str
    subject: str
    from_state: str | None
    to_state: str | None
    reason: str
    payload: Mapping[str, PayloadValue]
    hash: str


@dataclass(frozen=True)
class TrailReport:
    """Result of a verification: how many links were read, the head found, and every problem as a sentence."""

    links: int
    head: Head
    problems: tuple[str, ...]

    @property
    def is_sound(self) -> bool:
        """No problem was found."""
        return not self.problems


@dataclass(frozen=True)
class Rows:
    """Rows that a link records, of a table with a column ``trail_seq``; ``append`` inserts them."""

    model: type[Base]
    values: Sequence[Mapping[str, object]]

    @property
    def sha256(self) -> str:
        """The hash of what the rows say, whatever their order: every column but the row's own number."""
        names = sorted({name for row in self.values for name in row} - {"id", "trail_seq"})
        lines = sorted(canonical_json([[name, _storable(row[name])] for name in names]) for row in self.values)
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def link_hash(link: Mapping[str, object] | RowMapping) -> str:
    """The hash a link must have."""
    return hashlib.sha256(canonical_json([link[name] for name in _HASHED]).encode()).hexdigest()


def head(session: Session) -> Head:
    """The end of the chain; ``Head(0, GENESIS)`` for an empty one."""
    last = session.execute(_HEAD).first()
    return Head(last.seq, last.hash) if last else Head(0, GENESIS)


def last_instant(session: Session) -> datetime | None:
    """When the last link was added; None in an empty trail."""
    at = session.scalar(select(TrailRow.at).order_by(TrailRow.seq.desc()).limit(1))
    return read_instant(at) if at else None


def hash_at(session: Session, seq: int) -> str | None:
    """The hash of one link as it stands; None where there is no such link."""
    return session.scalar(select(TrailRow.hash).where(TrailRow.seq == seq))


def last_change(session: Session) -> Head:
    """The last link that changed something but who may come in: not a view, not a sign-in, no account, no backup, no message."""
    is_change = TrailRow.action != "viewed"
    for aside in ("access/%", "user/%", "care/%", "message/%"):
        is_change &= ~TrailRow.subject.like(aside)
    query = select(TrailRow.seq, TrailRow.hash).where(is_change).order_by(TrailRow.seq.desc()).limit(1)
    last = session.execute(query).first()
    return Head(last.seq, last.hash) if last else Head(0, GENESIS)


def append(
    session: Session,
    *,
    at: datetime,
    actor: str,
    action: str,
    subject: str,
    from_state: str | None = None,
    to_state: str | None = None,
    reason: str = "",
    payload: Mapping[str, PayloadValue] | None = None,
    rows: Rows | None = None,
    after: Head | None = None,
) -> Head:
    """Add a link, and the rows it records, in the transaction of the step; return the link as the new head. ``after``: the
    head, where this transaction has read it already."""
    before = after or head(session)
    facts = dict(payload or {})
    if rows is not None:
        facts |= {"table": rows.model.__tablename__, "rows": len(rows.values), "sha256": rows.sha256}
    link: dict[str, object] = {
        "seq": before.seq + 1,
        "at": stored_instant(at),
        "actor": actor,
        "action": action,
        "subject": subject,
        "from_state": from_state,
        "to_state": to_state,
        "reason": reason,
        "payload": canonical_json(facts),
        "prev_hash": before.hash,
    }
    link["hash"] = link_hash(link)
    session.execute(_LINK, link)
    if rows is not None and rows.values:
        # Core, not mapped objects: a register of a nation comes in one batch.
        values = [{**row, "trail_seq": before.seq + 1} for row in rows.values]
        session.execute(insert(Base.metadata.tables[rows.model.__tablename__]), values)
    return Head(before.seq + 1, str(link["hash"]))


def events(session: Session, subject: str | None = None, *, after: int = 0, most: int | None = None) -> list[Event]:
    """The links after number ``after``, of one subject or of all, in order; at most so many."""
    query = select(TrailRow).where(TrailRow.seq > after).order_by(TrailRow.seq)
    if subject is not None:
        query = query.where(TrailRow.subject == subject)
    return [_event(row) for row in session.scalars(query.limit(most))]


@dataclass(frozen=True)
class Wanted:
    """What to look for; an empty text, or None, asks for nothing. ``subject`` is a part of the subject; of ``actors`` any."""

    actor: str = ""
    action: str = ""
    subject: str = ""
    since: datetime | None = None
    before: datetime | None = None
    actors: Collection[str] = ()


def search(
    session: Session, wanted: Wanted, *, most: int | None = None, below: int | None = None
) -> tuple[list[Event], int]:
    """The links that are wanted, the newest first and at most so many, all before link ``below``; and how many there are in
    all, whatever ``below`` is."""
    found = _wanted(wanted)
    count = session.scalar(select(func.count()).select_from(found.subquery())) or 0
    if below is not None:
        found = found.where(TrailRow.seq < below)
    return [_event(row) for row in session.scalars(found.order_by(TrailRow.seq.desc()).limit(most))], count


def wanted_below(session: Session, wanted: Wanted, below: int, most: int) -> list[Event]:
    """The next links that are wanted, the newest first, at most so many, all of them before link ``below``."""
    found = _wanted(wanted).where(TrailRow.seq < below)
    return [_event(row) for row in session.scalars(found.order_by(TrailRow.seq.desc()).limit(most))]


def _wanted(wanted: Wanted) -> Select[tuple[TrailRow]]:
    found = select(TrailRow)
    if wanted.actor:
        found = found.where(TrailRow.actor == wanted.actor)
    if wanted.actors:
        found = found.where(TrailRow.actor.in_(list(wanted.actors)))
    if wanted.action:
        found = found.where(TrailRow.action == wanted.action)
    if wanted.subject:
        found = found.where(TrailRow.subject.contains(wanted.subject, autoescape=True))
    if wanted.since is not None:
        found = found.where(TrailRow.at >= stored_instant(wanted.since))
    if wanted.before is not None:
        found = found.where(TrailRow.at < stored_instant(wanted.before))
    return found


def last_of(session: Session, action: str) -> Event | None:
    """The last link with an action; None where there is none."""
    query = select(TrailRow).where(TrailRow.action == action).order_by(TrailRow.seq.desc()).limit(1)
    row = session.scalar(query)
    return _event(row) if row else None


def _event(row: TrailRow) -> Event:
    return Event(
        seq=row.seq,
        at=read_instant(row.at),
        actor=row.actor,
        action=row.action,
        subject=row.subject,
        from_state=row.from_state,
        to_state=row.to_state,
        reason=row.reason,
        payload=json.loads(row.payload),
        hash=row.hash,
    )


def verify_trail(
    session: Session, *, expected: Iterable[Head] = (), after: Head | None = None, most: int | None = None
) -> TrailReport:
    """Recompute the chain and compare the heads kept elsewhere with it (a hash may be the beginning of one, as papers print it): the whole, or ``after`` a link that was verified before
    the links behind it, at most so many. That link itself is only compared with what it was."""
    problems: list[str] = []
    wanted: dict[int, set[str]] = {}
    for kept in expected:
        wanted.setdefault(kept.seq, set()).add(kept.hash)
    links, before = 0, after or Head(0, GENESIS)
    if after is not None and session.scalar(select(TrailRow.hash).where(TrailRow.seq == after.seq)) != after.hash:
        problems.append(f"留痕第 {after.seq} 条与核验时的不同,核验之后被改动或删除")
    columns = [getattr(TrailRow, name) for name in (*_HASHED, "hash")]
    query = select(*columns).where(TrailRow.seq > before.seq).order_by(TrailRow.seq).limit(most)
    for link in session.execute(query.execution_options(yield_per=1000)).mappings():
        links += 1
        seq = link["seq"]
        if seq != before.seq + 1:
            problems.append(f"留痕第 {before.seq + 1} 条至第 {seq - 1} 条缺失")
        if link["prev_hash"] != before.hash:
            problems.append(f"留痕第 {seq} 条与前一条不衔接")
        if not _hash_agrees(link):
            problems.append(f"留痕第 {seq} 条内容与校验值不符,已被改动")
        if any(not str(link["hash"]).startswith(kept) for kept in wanted.pop(seq, ())):
            problems.append(f"留痕第 {seq} 条与另存的校验值不符,此条或之前的记录已被改动")
        before = Head(seq, link["hash"])
    # A head before the first link (0) has nothing in the chain to be compared with but the start itself.
    wanted.pop(0, None)
    problems += [f"留痕缺少第 {seq} 条:末尾记录已被删除" for seq in sorted(wanted)]
    return TrailReport(links, before, tuple(problems))


def _hash_agrees(link: RowMapping) -> bool:
    # A tampered cell may hold bytes, which no JSON has; that is a changed link, not an error of ours.
    if not all(isinstance(link[name], str | int | None) for name in _HASHED):
        return False
    return bool(link_hash(link) == link["hash"])


def _storable(value: object) -> object:
    """A value as it stands in the database, so that reading back needs no interpretation."""
    if value is None or type(value) in _PLAIN:  # nearly all of them, in millions
        return value
    match value:
        case datetime():
            return stored_instant(value)
        case date():
            return value.isoformat()
        case tuple() | list() | Mapping():
            return canonical_json(value)
        case bytes():
            return f"bytes:{value.hex()}"
    return value
