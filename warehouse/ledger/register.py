"""The unit register 名录库: dated events of each unit, the state they add up to on a day, and its freeze for a period.

First in the register, then figures 先进库后有数. A unit belongs to one park at a time. Attributes go by the codes of the
basic form and are text. Source: survey_system.md section 2.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from typing import TypeAlias

import polars as pl
from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from schemas import reserved
from schemas.canonical import frame_bytes
from schemas.errors import RefusalError
from schemas.period import Period
from warehouse.ledger import trail
from warehouse.ledger.models import RegisterSnapshotRow, UnitEventRow
from warehouse.ledger.parks import parks, place_problem
from warehouse.vault import Vault

EVENT_KINDS = {"entry": "新增", "change": "变更", "move": "迁移", "exit": "退出"}
_BATCH = 5000
MOST_SAID = 20
_Unit: TypeAlias = dict[str, object]


@dataclass(frozen=True)
class UnitEvent:
    """One event. entry and move name the park (and sub-park) the unit belongs to from ``effective`` on; entry and change
    set ``attributes`` (code → text, None clears one); from the day of an exit on it is not in the register.
    ``basis`` is the evidence: licence, approval, certificate of removal."""

    unit_id: str
    kind: str
    effective: date
    park: str = ""
    sub_park: str = ""
    attributes: Mapping[str, str | None] = field(default_factory=dict)
    basis: str = ""


@dataclass(frozen=True)
class RegisterSnapshot:
    """The register frozen for a period, as a blob (Arrow) of the vault."""

    period: Period
    revision: int
    day: date
    units: int
    blob: str
    taken_at: datetime
    taken_by: str
    reason: str


def record_unit_events(session: Session, new: Sequence[UnitEvent], *, now: datetime, actor: str) -> int:
    """Enter events; one link in the trail for all. How many.

    Raises RefusalError, and enters none, where an event has no basis, names a park not in the register of parks, or does
    not fit the unit's life: entry of a unit that is in, anything else of one that is not.
    """
    if not new:
        return 0
    lives: dict[str, list[UnitEvent]] = {}
    for event in _recorded(session, {event.unit_id for event in new}):
        lives.setdefault(event.unit_id, []).append(event)
    for event in new:
        lives.setdefault(event.unit_id, []).append(event)
    _require_parks(session, new)
    for event in new:
        if not event.basis.strip():
            raise RefusalError(f"单位 {event.unit_id} 的{_kind(event)}须写明依据(营业执照、入区批复、迁移证明等)。")
    # Sorting is stable: of two events on one day the one recorded first comes first.
    changed = dict.fromkeys(event.unit_id for event in new)
    said = (_no_life(unit_id, sorted(lives[unit_id], key=lambda event: event.effective)) for unit_id in changed)
    if impossible := list(filter(None, said)):
        raise RefusalError("\n".join(impossible[:MOST_SAID]) + _more(len(impossible)))
    rows = [
        {
            "unit_id": event.unit_id,
            "effective": event.effective,
            "kind": event.kind,
            "park": event.park,
            "sub_park": event.sub_park,
            "attributes": dict(event.attributes),
            "basis": event.basis.strip(),
            "recorded_at": now,
            "recorded_by": actor,
        }
        for event in new
    ]
    counts = {kind: sum(event.kind == kind for event in new) for kind in EVENT_KINDS}
    trail.append(
        session,
        at=now,
        actor=actor,
        action="register_events",
        subject="register",
        payload=counts,
        rows=trail.Rows(UnitEventRow, rows),
    )
    return len(new)


def register_as_of(
    session: Session, day: date, *, park: str | None = None, known_at: datetime | None = None
) -> pl.DataFrame:
    """The units in the register on a day: (unit_id, park, sub_park, entered, then attribute codes in order), by unit_id.

    ``known_at``: by what had been recorded at that instant. ``entered`` is the day of the latest entry.
    """
    query = select(UnitEventRow).where(UnitEventRow.effective <= day)
    if known_at is not None:
        query = query.where(UnitEventRow.recorded_at <= known_at)
    if park is not None:  # a unit is in a park by an event that names it
        named = select(UnitEventRow.unit_id).where(UnitEventRow.park == park)
        query = query.where(UnitEventRow.unit_id.in_(named))
    units: dict[str, _Unit] = {}
    for event in _events(session, query):
        _live_through(units, event)
    return _as_frame({unit_id: unit for unit_id, unit in units.items() if park is None or unit["park"] == park})


def registers_as_of(
    session: Session, days: Iterable[date], *, known: datetime | None = None
) -> dict[date, pl.DataFrame]:
    """What ``register_as_of`` gives for each day; the events, many in a nation, are read once. ``known``: only those recorded before then."""
    wanted = sorted(set(days))
    query = select(UnitEventRow).where(UnitEventRow.effective <= wanted[-1]) if wanted else None
    if query is not None and known is not None:
        query = query.where(UnitEventRow.recorded_at < known)
    events = _events(session, query) if query is not None else iter(())
    following = next(events, None)
    units: dict[str, _Unit] = {}
    found = {}
    for day in wanted:
        while following is not None and following.effective <= day:
            _live_through(units, following)
            following = next(events, None)
        found[day] = _as_frame(units)
    return found


def _live_through(units: dict[str, _Unit], event: UnitEvent) -> None:
    if event.kind == "exit":
        units.pop(event.unit_id, None)
        return
    if event.kind == "entry":
        units[event.unit_id] = {"entered": event.effective}
    unit = units.get(event.unit_id)
    if unit is None:  # by what was known then, a clock set back can leave a change before its entry
        return
    if event.kind in ("entry", "move"):
        unit |= {"park": event.park, "sub_park": event.sub_park}
    unit |= event.attributes


def _as_frame(units: Mapping[str, _Unit]) -> pl.DataFrame:
    members = dict(sorted(units.items()))
    fixed = {"park": pl.String(), "sub_park": pl.String(), "entered": pl.Date()}
    codes = sorted({code for unit in members.values() for code in unit} - fixed.keys())
    columns = {"unit_id": pl.Series("unit_id", list(members), dtype=pl.String)}
    for name, dtype in {**fixed, **dict.fromkeys(codes, pl.String())}.items():
        columns[name] = pl.Series(name, [unit.get(name) for unit in members.values()], dtype=dtype)
    return pl.DataFrame(columns)


def newest_event(session: Session, unit_id: str) -> int | None:
    """The number of the event of a unit that was recorded last."""
    newest = select(UnitEventRow.id).where(UnitEventRow.unit_id == unit_id).order_by(UnitEventRow.id.desc())
    return session.scalar(newest.limit(1))


def unit_history(session: Session, unit_id: str) -> list[UnitEvent]:
    """The events of one unit in the order they take effect."""
    return list(_events(session, select(UnitEventRow).where(UnitEventRow.unit_id == unit_id)))


def park_of(session: Session, unit_id: str, day: date) -> str | None:
    """The park a unit belongs to on a day; None where it is not in the register then."""
    found: str | None = None
    for event in unit_history(session, unit_id):
        if event.effective <= day:
            found = None if event.kind == "exit" else event.park if event.kind in ("entry", "move") else found
    return found


def names_ever(session: Session) -> dict[str, set[str]]:
    """Name → the units that ever bore it, those no longer in the register among them."""
    found: dict[str, set[str]] = {}
    query = select(UnitEventRow.unit_id, UnitEventRow.attributes).where(UnitEventRow.kind.in_(("entry", "change")))
    for unit_id, attributes in session.execute(query):
        if name := attributes.get(reserved.NAME):
            found.setdefault(name, set()).add(unit_id)
    return found


def freeze_register(
    vault: Vault, session: Session, period: Period, *, now: datetime, actor: str, reason: str = ""
) -> RegisterSnapshot:
    """Freeze the register as of the last day of ``period``; the same content again is the same snapshot.

    Raises RefusalError where another content is frozen already and no reason is given.
    """
    frame = register_as_of(session, period.end)
    blob = vault.put(frame_bytes(frame)).sha256
    before = register_snapshot(session, period)
    if before is not None and before.blob == blob:
        return before
    if before is not None and not reason.strip():
        raise RefusalError(f"{period} 的名录已于 {before.taken_at:%Y-%m-%d} 冻结;重新冻结须写明原因。")
    row = {
        "period": str(period),
        "revision": before.revision + 1 if before else 1,
        "day": period.end,
        "units": frame.height,
        "blob": blob,
        "taken_at": now,
        "taken_by": actor,
        "reason": reason.strip(),
    }
    trail.append(
        session,
        at=now,
        actor=actor,
        action="register_frozen",
        subject=f"register/{period}",
        reason=reason.strip(),
        payload={"blob": blob, "units": frame.height},
        rows=trail.Rows(RegisterSnapshotRow, [row]),
    )
    frozen = register_snapshot(session, period)
    assert frozen is not None
    return frozen


def register_snapshot(session: Session, period: Period) -> RegisterSnapshot | None:
    """The snapshot of a period that counts; None where the register was not frozen."""
    newest = select(func.max(RegisterSnapshotRow.revision)).where(RegisterSnapshotRow.period == str(period))
    row = session.get(RegisterSnapshotRow, (str(period), session.scalar(newest) or 0))
    if row is None:
        return None
    return RegisterSnapshot(period, row.revision, row.day, row.units, row.blob, row.taken_at, row.taken_by, row.reason)


def frozen_register(vault: Vault, session: Session, period: Period) -> pl.DataFrame | None:
    """The frozen register of a period, as ``register_as_of``; None where it was not frozen."""
    snapshot = register_snapshot(session, period)
    return None if snapshot is None else pl.read_ipc(io.BytesIO(vault.read(snapshot.blob)))


def _recorded(session: Session, unit_ids: Iterable[str]) -> Iterator[UnitEvent]:
    wanted = sorted(unit_ids)
    for start in range(0, len(wanted), _BATCH):
        some = UnitEventRow.unit_id.in_(wanted[start : start + _BATCH])
        yield from _events(session, select(UnitEventRow).where(some))


def _events(session: Session, query: Select[tuple[UnitEventRow]]) -> Iterator[UnitEvent]:
    # Core rows: a register of a nation has hundreds of thousands of events, too many for mapped objects.
    columns = [getattr(UnitEventRow, item.name) for item in fields(UnitEvent)]
    ordered = query.with_only_columns(*columns).order_by(UnitEventRow.effective, UnitEventRow.id)
    for row in session.execute(ordered):
        yield UnitEvent(*row)


def _require_parks(session: Session, new: Sequence[UnitEvent]) -> None:
    known = parks(session)
    places = {(e.park, e.sub_park, e.effective) for e in new if e.kind in ("entry", "move")}
    if wrong := [said for place in sorted(places) if (said := place_problem(known, *place))]:
        raise RefusalError("\n".join(f"{one}。" for one in wrong[:MOST_SAID]) + _more(len(wrong)))


def _no_life(unit_id: str, events: Sequence[UnitEvent]) -> str:
    """Why events do not make the life of a unit, empty where they do."""
    is_in = False
    for event in events:
        if event.kind not in EVENT_KINDS:
            return f"单位 {unit_id}:没有“{event.kind}”这种名录变动。"
        if event.kind == "entry" and is_in:
            return f"单位 {unit_id} 在 {event.effective} 已在库,不能重复新增;迁移请用 move。"
        if event.kind != "entry" and not is_in:
            return f"单位 {unit_id} 在 {event.effective} 不在库,不能办理{_kind(event)}。"
        is_in = event.kind != "exit"
    return ""


def _more(count: int) -> str:
    return f"\n……另有 {count - MOST_SAID} 处" if count > MOST_SAID else ""


def _kind(event: UnitEvent) -> str:
    return EVENT_KINDS.get(event.kind, event.kind)
