"""The unit register from a CSV: every line checked before any event is entered, all problems said at once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from pipelines.csv_tables import csv_cells
from pipelines.register_values import RegisterValues, register_codes
from schemas import reserved
from schemas.errors import DefinitionError
from schemas.model import Programme
from schemas.uscc import is_valid_uscc
from warehouse.ledger.parks import Park, place_problem
from warehouse.ledger.register import UnitEvent
from warehouse.ledger.restructurings import (
    MERGER,
    REGISTER_KINDS,
    RESTRUCTURING_KINDS,
    Restructuring,
    list_problem,
    restructuring,
)

OWN: Final = ("unit_id", "park", "sub_park", "kind", "effective", "basis", "predecessors", "successors")
LISTED: Final = re.compile(r"[;;、,,\s]+")
MOST_SAID: Final = 20


@dataclass(frozen=True)
class RegisterFile:
    """The events of a file in its order, its mergers and splits apart. ``doubtful``: units whose credit code fails its check characters: an audit of what
    they report will refuse it, but an old organisation code may stand in a register."""

    events: tuple[UnitEvent, ...]
    doubtful: tuple[str, ...]
    restructurings: tuple[Restructuring, ...] = ()


def read_register_file(
    path: Path, programme: Programme, parks: Sequence[Park], *, basis: str, effective: str
) -> RegisterFile:
    """Columns unit_id, park, optionally sub_park, kind, effective, basis, predecessors (of a merger into the unit), successors (of a
    split of the unit; several codes with ; between them); all others are codes of the basic form.

    UTF-8, UTF-16 or GB18030; comma, semicolon or tab. ``basis`` and ``effective`` hold where a line has none of its own;
    ``parks`` is the park register. Values are judged on the day they take effect (``pipelines.register_values``).
    Raises DefinitionError with line, column and remedy for everything that is wrong (up to twenty); nothing is entered here.
    """
    header, rows, lines = csv_cells(path)
    _require_columns(header, path, programme)
    values = RegisterValues(programme)
    problems: list[str] = []
    events: list[UnitEvent] = []
    restructured: list[Restructuring] = []
    begun: dict[tuple[str, str, date], int] = {}
    for row, line in zip(rows, lines, strict=True):
        entry = {name: cell.strip() for name, cell in zip(header, row, strict=True)}
        if not any(entry.values()):
            continue
        made, wrong = _made(entry, values, parks, basis, effective)
        if made is not None:
            events += [made] if isinstance(made, UnitEvent) else []
            restructured += [made] if isinstance(made, Restructuring) else []
            first = begun.setdefault((entry["unit_id"], made.kind, made.effective), line)
            if first != line:
                wrong.append(f"单位 {entry['unit_id']} 同日同类的变动与第 {first} 行重复,请删去一行")
        problems += [f"{path.name}:{line}:{one}" for one in wrong]
    if problems:
        more = f"\n……另有 {len(problems) - MOST_SAID} 处" if len(problems) > MOST_SAID else ""
        raise DefinitionError("\n".join(problems[:MOST_SAID]) + more + "。", remedy="一条也没有登记;请更正后再导入。")
    if not events and not restructured:
        raise DefinitionError("没有数据行", where=str(path), remedy="每行一个单位。")
    doubtful = dict.fromkeys(event.unit_id for event in events if not is_valid_uscc(event.unit_id))
    return RegisterFile(tuple(events), tuple(doubtful), tuple(restructured))


def _require_columns(header: list[str], path: Path, programme: Programme) -> None:
    if missing := [name for name in ("unit_id", "park") if name not in header]:
        raise DefinitionError(
            f"缺列 {'、'.join(missing)}", where=f"{path}:1", remedy="名录文件须有 unit_id 与 park 列。"
        )
    codes = register_codes(programme)
    if strange := [name for name in header if name not in OWN and name not in codes]:
        raise DefinitionError(
            f"不认识列 {'、'.join(n or '(空)' for n in strange)}",
            where=f"{path}:1",
            remedy=f"可写 {'、'.join(OWN)},其余列为基本情况代码(如 B02 单位详细名称)。",
        )


def _made(
    entry: dict[str, str], values: RegisterValues, parks: Sequence[Park], basis: str, effective: str
) -> tuple[UnitEvent | Restructuring | None, list[str]]:
    """The event of one line, None where it cannot be made, and everything that is wrong with the line."""
    if not entry["unit_id"]:
        return None, ["缺单位代码 unit_id"]
    kind = entry.get("kind") or "entry"
    if kind not in REGISTER_KINDS:
        return None, [f"kind“{kind}”不存在,可写 {'、'.join(REGISTER_KINDS)}"]
    written = entry.get("effective") or effective
    try:
        day = date.fromisoformat(written)
    except ValueError:
        return None, [f"生效日期“{written}”不是日期,请写 2025-01-31"]
    lists = {name: tuple(filter(None, LISTED.split(entry.get(name, "")))) for name in ("predecessors", "successors")}
    if kind in RESTRUCTURING_KINDS:
        return _restructured(entry, kind, lists, day, entry.get("basis") or basis)
    if any(lists.values()):
        return None, [f"kind“{kind}”不写 predecessors、successors;合并写 merger,分立写 split"]
    park, sub_park = entry["park"], entry.get("sub_park", "")
    given = {k: (v or None) for k, v in entry.items() if k not in OWN}
    wrong = _said_twice(given, {reserved.UNIT: entry["unit_id"], reserved.PARK: park, reserved.SUB_PARK: sub_park})
    if kind in ("entry", "move"):
        placed = place_problem(parks, park, sub_park, day) if park else "缺园区代码 park"
        wrong += [placed] if placed else []
    attributes, refused = values.attributes(given, day)
    return UnitEvent(entry["unit_id"], kind, day, park, sub_park, attributes, entry.get("basis") or basis), [
        *wrong,
        *refused,
    ]


def _restructured(
    entry: dict[str, str], kind: str, lists: dict[str, tuple[str, ...]], day: date, basis: str
) -> tuple[Restructuring | None, list[str]]:
    used, unused = ("predecessors", "successors") if kind == MERGER else ("successors", "predecessors")
    wrong = []
    if lists[unused]:
        wrong.append(f"{RESTRUCTURING_KINDS[kind]}只写 {used},不写 {unused}")
    if filled := [name for name in entry if name not in OWN and entry[name]]:
        wrong.append(f"{RESTRUCTURING_KINDS[kind]}不写登记事项 {'、'.join(filled)};请另写一行 entry 或 change")
    if problem := list_problem(kind, entry["unit_id"], lists[used]):
        wrong.append(problem)
    if wrong:
        return None, wrong
    return restructuring(kind, entry["unit_id"], lists[used], day, basis), []


def _said_twice(given: dict[str, str | None], own: dict[str, str]) -> list[str]:
    """Codes of the form that say what a column of the file says, and say another thing."""
    return [
        f"{code} 写的是“{given[code]}”,与本行的单位、园区或分园“{said}”不一致,请更正其中一处"
        for code, said in own.items()
        if given.get(code) and said and given[code] != said
    ]
