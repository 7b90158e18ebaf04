"""The unit register from a CSV: every line checked before any event is entered, all problems said at once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from pipelines.csv_tables import csv_cells
from schemas.errors import DefinitionError
from schemas.model import Programme
from schemas.uscc import is_valid_uscc
from warehouse.ledger.register import EVENT_KINDS, UnitEvent

OWN: Final = ("unit_id", "park", "sub_park", "kind", "effective", "basis")
MOST_SAID: Final = 20


@dataclass(frozen=True)
class RegisterFile:
    """The events of a file in its order. ``doubtful``: units whose credit code fails its check characters: an audit of what
    they report will refuse it, but an old organisation code may stand in a register."""

    events: tuple[UnitEvent, ...]
    doubtful: tuple[str, ...]


def read_register_file(path: Path, programme: Programme, *, basis: str, effective: str) -> RegisterFile:
    """Columns unit_id, park, optionally sub_park, kind, effective, basis; all others are codes of the programme.

    UTF-8, UTF-16 or GB18030; comma, semicolon or tab. ``basis`` and ``effective`` hold where a line has none of its own.
    Raises DefinitionError with line and remedy for every line that is wrong (up to twenty); nothing is entered here.
    """
    header, rows, lines = csv_cells(path)
    _require_columns(header, path, programme)
    problems, events = [], []
    for row, line in zip(rows, lines, strict=True):
        entry = {name: cell.strip() for name, cell in zip(header, row, strict=True)}
        if not any(entry.values()):
            continue
        made = _event(entry, basis, effective)
        if isinstance(made, UnitEvent):
            events.append(made)
        else:
            problems.append(f"{path.name}:{line}:{made}")
    if problems:
        more = f"\n……另有 {len(problems) - MOST_SAID} 行" if len(problems) > MOST_SAID else ""
        raise DefinitionError("\n".join(problems[:MOST_SAID]) + more, remedy="一条也没有登记;请更正后再导入。")
    if not events:
        raise DefinitionError("没有数据行", where=str(path), remedy="每行一个单位。")
    doubtful = dict.fromkeys(event.unit_id for event in events if not is_valid_uscc(event.unit_id))
    return RegisterFile(tuple(events), tuple(doubtful))


def _require_columns(header: list[str], path: Path, programme: Programme) -> None:
    if missing := [name for name in ("unit_id", "park") if name not in header]:
        raise DefinitionError(
            f"缺列 {'、'.join(missing)}", where=f"{path}:1", remedy="名录文件须有 unit_id 与 park 列。"
        )
    codes = {code for edition in programme.editions.values() for code in edition.indicators}
    if strange := [name for name in header if name not in OWN and name not in codes]:
        raise DefinitionError(
            f"不认识列 {'、'.join(strange)}",
            where=f"{path}:1",
            remedy=f"可写 {'、'.join(OWN)},其余列为基本情况代码(如 B02 单位详细名称)。",
        )


def _event(entry: dict[str, str], basis: str, effective: str) -> UnitEvent | str:
    """The event of one line, or what is wrong with it."""
    if not entry["unit_id"]:
        return "缺单位代码 unit_id"
    kind = entry.get("kind") or "entry"
    if kind not in EVENT_KINDS:
        return f"kind“{kind}”不存在,可写 {'、'.join(EVENT_KINDS)}"
    if kind in ("entry", "move") and not entry["park"]:
        return "缺园区代码 park"
    written = entry.get("effective") or effective
    try:
        day = date.fromisoformat(written)
    except ValueError:
        return f"生效日期“{written}”不是日期,请写 2025-01-31"
    return UnitEvent(
        entry["unit_id"], kind, day, entry["park"], entry.get("sub_park", ""),
        {k: (v or None) for k, v in entry.items() if k not in OWN}, entry.get("basis") or basis,
    )  # fmt: skip
