"""The park register 园区名录 of this installation: who files, and which parks belong to which area on a day."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from datetime import date, datetime

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from schemas.errors import RefusalError
from warehouse.ledger import trail
from warehouse.ledger.models import ParkRow

_CODE = re.compile(r"[A-Z][A-Z0-9]{1,15}")
KINDS = {"area": "汇总区域", "zone": "园区", "sub_park": "分园", "base": "基地"}
BELOW = ("sub_park", "base")
"""Kinds of the lines that are part of a park."""


@dataclass(frozen=True)
class Park:
    """One line of the register. ``kind`` is area, zone, sub_park or base; ``groups`` the areas it counts to,
    separated by ``;``. Dates are ISO text; empty: from the start, still there."""

    code: str
    name: str
    short_name: str = ""
    kind: str = "zone"
    class_: str = ""
    zone: str = ""
    province: str = ""
    city: str = ""
    division_code: str = ""
    groups: str = ""
    entry_date: str = ""
    exit_date: str = ""
    note: str = ""

    def is_there_on(self, day: date) -> bool:
        """Whether the line is in force on a day."""
        return self.entry_date <= day.isoformat() and (not self.exit_date or self.exit_date >= day.isoformat())


#: Asked for at every upload: a statement made once, and plain rows.
_OF_CODE = (
    select(*(ParkRow.__table__.c[field.name.rstrip("_")] for field in fields(Park)))
    .where(ParkRow.__table__.c.code == bindparam("of"))
    .order_by(ParkRow.__table__.c.entry_date.desc())
)


def add_parks(session: Session, parks: Iterable[Park], *, now: datetime, actor: str) -> int:
    """Record the lines not yet known (key: code and entry date); fill in exit date and note of the others.

    How many lines were new or changed; one link in the trail for all. Raises RefusalError for an impossible code or
    dates, or where another attribute of a known line differs: an upgrade or renaming is a new line.
    """
    known = {(row.code, row.entry_date): row for row in session.scalars(select(ParkRow))}
    changed = []
    for park in parks:
        _require_sound(park)
        row = known.get((park.code, park.entry_date))
        if row is None:
            row = ParkRow(**asdict(park), recorded_at=now, recorded_by=actor)
            session.add(row)
            known[park.code, park.entry_date] = row
        elif _park(row) == park:
            continue
        elif asdict(_park(row)) | {"exit_date": park.exit_date, "note": park.note} == asdict(park):
            row.exit_date, row.note = park.exit_date, park.note
        else:
            raise RefusalError(f"园区 {park.code} 已在名录中且内容不同:升级、更名请填写进入日期另起一行,不改旧行。")
        changed.append(park.code)
    session.flush()
    if changed:
        trail.append(
            session,
            at=now,
            actor=actor,
            action="parks_recorded",
            subject="parks",
            payload={"lines": len(changed), "parks": sorted(set(changed))},
        )
    return len(changed)


def parks(session: Session, day: date | None = None) -> list[Park]:
    """The lines in force on ``day``, or all, ordered by code and entry date."""
    rows = session.scalars(select(ParkRow).order_by(ParkRow.code, ParkRow.entry_date))
    return [park for park in map(_park, rows) if day is None or park.is_there_on(day)]


def park(session: Session, code: str, day: date) -> Park:
    """One park as it is on a day. Raises RefusalError where the register has none."""
    session.flush()  # a plain statement does not do it by itself
    for found in (Park(*row) for row in session.execute(_OF_CODE, {"of": code})):
        if found.is_there_on(day):
            return found
    raise RefusalError(
        f"园区代码“{code}”在 {day} 不在园区名录内,请核对代码。", command="新的园区先用 ytb park add 登记。"
    )


def place_problem(known: Iterable[Park], park: str, sub_park: str, day: date) -> str:
    """What is wrong with the park and sub-park a unit is put into on a day, in Chinese; empty where nothing is."""
    there = {one.code: one for one in known if one.is_there_on(day)}
    found = there.get(park)
    if found is None:
        return f"园区代码“{park}”在 {day} 不在园区名录内,请核对代码"
    if found.kind in BELOW:
        return f"园区代码“{park}”是 {found.zone} 的分园,园区请写 {found.zone},分园代码写在 sub_park"
    if found.kind != "zone":
        return f"园区代码“{park}”是汇总区域,不是园区,单位不能归入,请核对代码"
    below = there.get(sub_park)
    if sub_park and (below is None or below.kind not in BELOW or below.zone != park):
        return f"分园代码“{sub_park}”在 {day} 不是园区 {park} 的分园,请核对代码"
    return ""


def _require_sound(park: Park) -> None:
    if not _CODE.fullmatch(park.code):
        raise RefusalError(f"园区代码“{park.code}”无效:请用 2 至 16 位大写字母和数字,以字母开头。")
    if park.kind not in KINDS:
        raise RefusalError(f"园区 {park.code} 的类型“{park.kind}”不存在,可写 {'、'.join(KINDS)}。")
    for text in (park.entry_date, park.exit_date):
        try:
            _ = text and date.fromisoformat(text)
        except ValueError:
            raise RefusalError(f"园区 {park.code} 的日期“{text}”无效:请写成 2025-01-31。") from None
    if park.exit_date and park.exit_date < park.entry_date:
        raise RefusalError(f"园区 {park.code} 的退出日期早于进入日期。")


def _park(row: ParkRow) -> Park:
    return Park(**{field.name: getattr(row, field.name) for field in fields(Park)})
