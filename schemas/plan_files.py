"""The plans of an edition as files: targets, their paths, changes and breakdown (``plans/**/*.csv``), read and checked."""

from __future__ import annotations

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
    own = [
        _part(where, row)
        for p in sorted((folder / "plans" / "breakdown").glob("*.csv"))
        for where, row in read_csv_rows(p, PART_COLUMNS)
    ]
    said: set[tuple[int, str, int, date]] = set()
    for part in own:
        if (key := (part.row_no, part.area, part.year, part.effective)) in said:
            raise DefinitionError(
                f"目标 {part.row_no} 对 {part.area} {part.year} 年的分解值自 {part.effective} 起有两个",
                where=f"{folder.name}/plans/breakdown", remedy="请只留一个,或写明不同的 effective。",
            )  # fmt: skip
        said.add(key)
    before = parent.target_parts if parent else ()
    return tuple(sorted((*before, *own), key=lambda t: (t.row_no, t.area, t.year, t.effective)))


def _path_points(folder: Path) -> Iterator[PathPoint]:
    for path in sorted((folder / "plans" / "paths").glob("*.csv")):
        for where, row in read_csv_rows(path, PATH_COLUMNS):
            if not row["document"].strip():
                raise DefinitionError("自定路径没有依据文号", where=where, remedy="请写明 document。")
            try:
                yield PathPoint(
                    where, int(row["row_no"]), int(row["year"]), float(row["value"]), row["document"].strip()
                )
            except ValueError as error:
                raise DefinitionError(f"数值无效:{error}", where=where, remedy="行号、年份与数值应为数字。") from None


def _change(where: str, row: Mapping[str, str]) -> TargetChange:
    if not row["document"].strip() or not row["reason"].strip():
        raise DefinitionError("目标调整没有依据文号或理由", where=where, remedy="请写明 document 与 reason。")
    try:
        return TargetChange(
            int(row["row_no"]), date.fromisoformat(row["effective"]), int(row["target_year"]), float(row["target_value"]),
            row["document"], row["reason"],
        )  # fmt: skip
    except ValueError as error:
        raise DefinitionError(
            f"数值或日期无效:{error}", where=where, remedy="日期写 2018-01-31,行号、年份与目标值应为数字。"
        ) from None


def _part(where: str, row: Mapping[str, str]) -> TargetPart:
    if not row["document"].strip():
        raise DefinitionError("年度分解值没有依据文号", where=where, remedy="请写明 document。")
    try:
        effective = date.fromisoformat(row["effective"])
        return TargetPart(
            int(row["row_no"]), row["area"], int(row["year"]), float(row["value"]), effective, row["document"]
        )
    except ValueError as error:
        raise DefinitionError(
            f"数值或日期无效:{error}", where=where, remedy="日期写 2018-01-31,行号、年份与分解值应为数字。"
        ) from None


def _target(where: str, row: Mapping[str, str]) -> Target:
    def number(name: str) -> float | None:
        return float(row[name]) if row[name] else None

    try:
        return Target(
            row_no=int(row["row_no"]),
            plan_id=row["plan_id"],
            plan_name=row["plan_name"],
            area=row["area"],
            name=row["indicator_name"],
            unit_measure=row["unit"],
            baseline_year=int(row["baseline_year"]) if row["baseline_year"] else None,
            baseline_value=number("baseline_value"),
            target_year=int(row["target_year"]) if row["target_year"] else None,
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
    except ValueError as error:
        raise DefinitionError(f"数值无效:{error}", where=where, remedy="行号、年份、基线与目标值应为数字。") from None
