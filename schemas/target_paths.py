"""Paths of plan targets 目标路径: how much of a target is due when. The words of the column ``path``, read and checked.

``none``; ``linear`` from the baseline; ``compound`` at one rate of growth a year; ``stage:rows`` the stage targets added up;
``window:a-b`` a stage target's own years; ``own:2016=650;2018=900`` values of one's own in the target's unit, in the row or in
``plans/paths/*.csv``. Source: issue-level requirement "by stage, linear, compound or own"; docs/methods/targets.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from schemas.errors import DefinitionError
from schemas.model import Target

NONE, LINEAR, COMPOUND, OWN, STAGE = "none", "linear", "compound", "own", "stage:"
OWN_IN_ROW: Final = "own:"
WINDOW: Final = re.compile(r"window:(\d{4})-(\d{4})")
_POINT: Final = re.compile(r"(\d{4})=(-?\d+(?:\.\d+)?)")
_STAGES: Final = re.compile(r"stage:\d+(?:;\d+)*")
WAYS: Final = "可写 linear、compound、stage:行号;…、window:起-止、own:年=值;…、none。"
Points = tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class PathPoint:
    """One line of a path file: what is to be reached by the end of ``year``, by the document that says so."""

    where: str
    row_no: int
    year: int
    value: float
    document: str


def window_of(target: Target) -> tuple[int, int] | None:
    """First and last year of a stage target's own window."""
    found = WINDOW.fullmatch(target.path)
    return (int(found[1]), int(found[2])) if found else None


def points_in_row(path: str, where: str) -> Points:
    """The points of ``own:2016=650;2018=900``; none for any other path. Raises DefinitionError for what cannot be read."""
    if not path.startswith(OWN_IN_ROW):
        return ()
    found = []
    for text in path.removeprefix(OWN_IN_ROW).split(";"):
        point = _POINT.fullmatch(text.strip())
        if point is None:
            raise DefinitionError(
                f"自定路径的“{text.strip()}”读不出年份和数值", where=where, remedy="请写成 own:2016=650;2018=900。"
            )
        found.append((int(point[1]), float(point[2])))
    return tuple(found)


def points_by_row(points: Iterable[PathPoint], targets: Mapping[int, Target]) -> dict[int, tuple[Points, str]]:
    """Row → its points of the path files and the documents they rest on.

    Raises DefinitionError for a row that is no target, a year said twice, or a target whose own row already says the path.
    """
    found: dict[int, dict[int, PathPoint]] = {}
    for point in points:
        target = targets.get(point.row_no)
        if target is None:
            raise DefinitionError(f"目标 {point.row_no} 不存在", where=point.where, remedy="请改正 row_no。")
        if target.points or target.path.startswith((STAGE, "window:")):
            raise DefinitionError(
                f"目标 {point.row_no} 的路径已写明为 {target.path},又在路径文件中另给", where=point.where,
                remedy="两处只留一处。",
            )  # fmt: skip
        own = found.setdefault(point.row_no, {})
        if point.year in own:
            raise DefinitionError(
                f"目标 {point.row_no} 的 {point.year} 年有两个值", where=point.where, remedy="请只留一个。"
            )
        own[point.year] = point
    return {
        row: (
            tuple((year, own[year].value) for year in sorted(own)),
            "、".join(dict.fromkeys(own[year].document for year in sorted(own))),
        )
        for row, own in found.items()
    }


def require_path(target: Target, where: str) -> None:
    """Raise DefinitionError for a path that cannot be read or that contradicts the target itself."""
    path = target.path
    if path in (NONE, LINEAR) or WINDOW.fullmatch(path) or _STAGES.fullmatch(path):
        return
    own = path == OWN or path.startswith(OWN_IN_ROW)
    problem, remedy = (
        _faults_of_compound(target) if path == COMPOUND else _faults_of_points(target) if own else ("无效", WAYS)
    )
    if problem:
        raise DefinitionError(f"目标 {target.row_no} 的路径 {path} {problem}", where=where, remedy=remedy)


NO_AIM: Final = ("要有目标年份和目标值", "请补上 target_year 和 target_value,或改 path。")


def _faults_of_compound(target: Target) -> tuple[str, str]:
    base, aim, year = target.baseline_value, target.target_value, target.target_year
    if aim is None or year is None:
        return NO_AIM
    if base is None or base <= 0 or aim <= 0:
        return "按年均增速推算,要有正的基线值和正的目标值", "请补上 baseline_value,或改为 linear。"
    if (aim <= base) if target.direction != "at_most" else (aim >= base):
        return (
            f"与方向相反:基线值 {base:g},目标值 {aim:g},方向 {target.direction}",
            "请核对基线值、目标值和 direction。",
        )
    if target.baseline_year is not None and target.baseline_year >= year:
        return f"的基线年份 {target.baseline_year} 不早于目标年份 {year}", "请更正年份。"
    return "", ""


def _faults_of_points(target: Target) -> tuple[str, str]:
    aim, last, years = target.target_value, target.target_year, [year for year, _ in target.points]
    if aim is None or last is None:
        return NO_AIM
    if not target.points:
        return "没有路径点", "请在 path 写 own:2016=650;2018=900,或在 plans/paths/*.csv 给出。"
    if any(later <= earlier for earlier, later in pairwise(years)):
        return "的年份没有从早到晚,或有重复", "请按年份先后各写一次。"
    if years[-1] > last:
        return f"的 {years[-1]} 年晚于目标年份 {last}", "请删去目标年份以后的点。"
    if target.baseline_year is not None and years[0] <= target.baseline_year:
        return f"的 {years[0]} 年不晚于基线年份 {target.baseline_year}", "基线年份的数写在 baseline_value。"
    if years[-1] == last and target.points[-1][1] != aim:
        return f"的目标年份值 {target.points[-1][1]:g} 与目标值 {aim:g} 不一致", "请更正其一;目标年份的点可以不写。"
    beyond = [(y, v) for y, v in target.points if (v < aim if target.direction == "at_most" else v > aim)]
    if beyond:
        return f"的 {beyond[0][0]} 年值 {beyond[0][1]:g} 已超过目标值 {aim:g}", "请核对路径点和目标值。"
    return "", ""
