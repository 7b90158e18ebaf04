"""The plans of an edition as files: targets, their paths, changes and breakdown (``plans/**/*.csv``), read and checked."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path

from schemas.definitions import read_csv_rows
from schemas.errors import DefinitionError
from schemas.model import Edition, Target, TargetChange, TargetPart
from schemas.target_paths import OWN, PathPoint, points_by_row, points_in_row, require_path

PART_COLUMNS = ("row_no", "area", "year", "value", "effective", "document")
CHANGE_COLUMNS = ("row_no", "effective", "target_year", "target_value", "document", "reason")
PATH_COLUMNS = ("row_no", "year", "value", "document")
TARGET_COLUMNS = (
    "row_no", "plan_id", "plan_name", "area", "indicator_name", "unit", "baseline_year", "baseline_value", "target_year",
    "target_value", "direction", "scope_note", "seed_section", "tracking", "formula", "scope", "path", "note",
)  # fmt: skip


def read_targets(folder: Path, parent: Edition | None) -> tuple[Target, ...]:
    """The targets of ``plans/*.csv`` over those of the parent edition; a row of the same number replaces the parent's.

    A path file (``plans/paths/*.csv``) gives a target, also one of the parent, a path of its own. Raises DefinitionError for what
    cannot be read and for a path that contradicts its target.
    """
    own: dict[int, Target] = {}
    places: dict[int, str] = {}
    for path in sorted((folder / "plans").glob("*.csv")):
        for where, row in read_csv_rows(path, TARGET_COLUMNS):
            target = _target(where, row)
            if target.row_no in own:
                raise DefinitionError(f"目标 {target.row_no} 有两行", where=where, remedy="请删去一行或换一个 row_no。")
            own[target.row_no], places[target.row_no] = target, where
    merged = {t.row_no: t for t in (parent.targets if parent else ())} | own
    listed = list(_path_points(folder))
    for row_no, (points, document) in points_by_row(listed, merged).items():
        merged[row_no] = replace(merged[row_no], path=OWN, points=points, path_document=document)
        places[row_no] = next(p.where for p in listed if p.row_no == row_no)
    for row_no, where in places.items():
        require_path(merged[row_no], where)
    return tuple(merged[number] for number in sorted(merged))


def read_changes(folder: Path, parent: Edition | None) -> tuple[TargetChange, ...]:
    """Versions of targets in ``plans/changes/*.csv``, on top of those of the parent edition."""
    own = [
        _change(where, row)
        for p in sorted((folder / "plans" / "changes").glob("*.csv"))
        for where, row in read_csv_rows(p, CHANGE_COLUMNS)
    ]
    before = parent.target_changes if parent else ()
    return tuple(sorted((*before, *own), key=lambda c: (c.row_no, c.effective)))


def read_parts(folder: Path, parent: Edition | None) -> tuple[TargetPart, ...]:
    """Breakdown of targets in ``plans/breakdown/*.csv``, on top of that of the parent edition."""
    said: dict[tuple[int, str, int, date], str] = {}
    own = []
    for path in sorted((folder / "plans" / "breakdown").glob("*.csv")):
        for where, row in read_csv_rows(path, PART_COLUMNS):
            part = _part(where, row)
            key = (part.row_no, part.area, part.year, part.effective)
            if key in said:
                raise DefinitionError(
                    f"目标 {part.row_no} 对 {part.area} {part.year} 年的分解值自 {part.effective} 起有两个(另一个在 {said[key]})",
                    where=where, remedy="请只留一个,或写明不同的 effective。",
                )  # fmt: skip
            said[key] = where
            own.append(part)
    before = parent.target_parts if parent else ()
    return tuple(sorted((*before, *own), key=lambda t: (t.row_no, t.area, t.year, t.effective)))


def _number(row: Mapping[str, str], name: str, where: str) -> float:
    """A figure of a column. Raises DefinitionError that names column and text where it is none (what Python says is English)."""
    try:
        found = float(row[name])
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise DefinitionError(
            f"{name} 列的“{row[name]}”不是数字", where=where, remedy="请只写阿拉伯数字,如 800 或 12.5。"
        )
    return found


def _whole(row: Mapping[str, str], name: str, where: str) -> int:
    """A whole number of a column: a row number or a year."""
    try:
        return int(row[name])
    except ValueError:
        raise DefinitionError(f"{name} 列的“{row[name]}”不是整数", where=where, remedy="请只写整数,如 2018。") from None


def _day(row: Mapping[str, str], name: str, where: str) -> date:
    try:
        return date.fromisoformat(row[name])
    except ValueError:
        raise DefinitionError(
            f"{name} 列的“{row[name]}”不是有效日期",
            where=where,
            remedy="请写成 2018-01-31 的样子,月份 01—12、日期在当月之内。",
        ) from None


def _path_points(folder: Path) -> Iterator[PathPoint]:
    for path in sorted((folder / "plans" / "paths").glob("*.csv")):
        for where, row in read_csv_rows(path, PATH_COLUMNS):
            if not row["document"].strip():
                raise DefinitionError("自定路径没有依据文号", where=where, remedy="请写明 document。")
            yield PathPoint(
                where, _whole(row, "row_no", where), _whole(row, "year", where), _number(row, "value", where),
                row["document"].strip(),
            )  # fmt: skip


def _change(where: str, row: Mapping[str, str]) -> TargetChange:
    if not row["document"].strip() or not row["reason"].strip():
        raise DefinitionError("目标调整没有依据文号或理由", where=where, remedy="请写明 document 与 reason。")
    return TargetChange(
        _whole(row, "row_no", where), _day(row, "effective", where), _whole(row, "target_year", where),
        _number(row, "target_value", where), row["document"], row["reason"],
    )  # fmt: skip


def _part(where: str, row: Mapping[str, str]) -> TargetPart:
    if not row["document"].strip():
        raise DefinitionError("年度分解值没有依据文号", where=where, remedy="请写明 document。")
    return TargetPart(
        _whole(row, "row_no", where), row["area"], _whole(row, "year", where), _number(row, "value", where),
        _day(row, "effective", where), row["document"],
    )  # fmt: skip


def _target(where: str, row: Mapping[str, str]) -> Target:
    def number(name: str) -> float | None:
        return _number(row, name, where) if row[name] else None

    def year(name: str) -> int | None:
        return _whole(row, name, where) if row[name] else None

    return Target(
        row_no=_whole(row, "row_no", where),
        plan_id=row["plan_id"],
        plan_name=row["plan_name"],
        area=row["area"],
        name=row["indicator_name"],
        unit_measure=row["unit"],
        baseline_year=year("baseline_year"),
        baseline_value=number("baseline_value"),
        target_year=year("target_year"),
        target_value=number("target_value"),
        direction=row["direction"],
        scope_note=row["scope_note"],
        source=row["seed_section"],
        tracking=row["tracking"],
        formula=row["formula"],
        scope=row["scope"],
        path=row["path"].strip(),
        note=row["note"],
        points=points_in_row(row["path"].strip(), where),
    )
