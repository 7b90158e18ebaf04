"""Progress of one target: completion, what is due by now, and how it stands.

Source: index_system.md 5, 目标完成度. Level with a baseline (x-b)/(T-b), mirrored for at_most; without one x/T (at_most T/x);
cumulative figures and increments x/T, since their formulas already give the sum or the increment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from exports.display import displayed
from schemas.errors import DefinitionError
from schemas.model import Target
from schemas.target_paths import COMPOUND, LINEAR, NONE, OWN, STAGE, WAYS, window_of

PERCENT: Final = 100.0
TOLERANCE: Final = 0.05  # “左右”, a design value
SERIOUS: Final = -10.0  # percentage points
PERIOD_CEILING: Final = 120.0
_PRECISION: Final = 9
_STRICT: Final = ("“突破”", "“超过”")
_ABOUT: Final = "“左右”"


class Standing(StrEnum):
    """How a target stands; ``NONE`` has no path to be measured by."""

    REACHED = "reached"
    ON_TRACK = "on_track"
    BEHIND = "behind"
    FAR_BEHIND = "far_behind"
    NONE = "none"


STANDING_NAMES: Final = {
    Standing.REACHED: "已达成",
    Standing.ON_TRACK: "正常",
    Standing.BEHIND: "滞后",
    Standing.FAR_BEHIND: "严重滞后",
    Standing.NONE: "不计进度",
}
STANDING_VALUES: Final = {
    Standing.FAR_BEHIND: 1,
    Standing.BEHIND: 2,
    Standing.ON_TRACK: 3,
    Standing.REACHED: 4,
}


def is_strict(target: Target) -> bool:
    """“突破” and “超过” ask for more than the number; “以上” includes it.

    Only the bare word in quotation marks counts: 力争实现零突破 is one, and 新增超过800亿元 speaks of another target.
    """
    return any(word in target.scope_note for word in _STRICT)


def is_about(target: Target) -> bool:
    """“左右”: within five percent is reached."""
    return _ABOUT in target.scope_note or _ABOUT in target.note


def completion_pct(target: Target, value: float | None) -> float | None:
    """Completion in percent, not capped; None where it has no meaning (target equals baseline, or nothing to divide by)."""
    aim, base = target.target_value, target.baseline_value
    if value is None or aim is None:
        return None
    lower_is_better = target.direction == "at_most"
    if base is not None:
        span = base - aim if lower_is_better else aim - base
        gone = base - value if lower_is_better else value - base
        return gone / span * PERCENT if span else None
    if lower_is_better:
        return aim / value * PERCENT if value > 0 else None
    return value / aim * PERCENT if aim else None


def is_reached(target: Target, value: float) -> bool:
    """Whether the value meets the target: at least or at most, strictly for “突破”, within 5 % for “左右”."""
    assert target.target_value is not None
    aim = target.target_value
    lower_is_better = target.direction == "at_most"
    if is_about(target):
        aim *= 1 + TOLERANCE if lower_is_better else 1 - TOLERANCE
    distance = round(aim - value if lower_is_better else value - aim, _PRECISION)
    return distance > 0 if is_strict(target) else distance >= 0


def start_year(target: Target, plan_first_year: int) -> int:
    """The year a linear path starts from: that of the baseline, else the one before the plan's first year."""
    return target.baseline_year if target.baseline_year is not None else plan_first_year - 1


def expected_pct(target: Target, year: int, plan_first_year: int, targets: Mapping[int, Target]) -> float | None:
    """Progress due at the end of ``year`` in percent; None without a path or a target year.

    linear: from the start year; compound and own: the completion of what is due (``due_value``); ``stage:rows``: stage targets
    added up, linear within each; ``window:a-b``: only within its own years. Raises DefinitionError for a path that is none of these or
    names rows without a window and a value.
    """
    if target.path == NONE or target.target_year is None:
        return None
    if target.path == LINEAR:
        start = start_year(target, plan_first_year)
        return _share(year - start, target.target_year - start)
    if target.path == COMPOUND or target.path.startswith(OWN):
        due = completion_pct(target, due_value(target, year, plan_first_year))
        return None if due is None else min(max(due, 0.0), PERCENT)
    window = window_of(target)
    if window is not None:
        return _within(window, year) * PERCENT
    if target.path.startswith(STAGE):
        return _staged(target, year, targets)
    raise DefinitionError(f"目标 {target.row_no} 的 path “{target.path}”无效", remedy=WAYS)


def due_value(target: Target, year: int, plan_first_year: int) -> float | None:
    """What is to be reached by the end of ``year`` on a compound path or one of its own; None for other paths.

    compound: b (T/b)^(gone/whole), the same growth every year. own: straight between the points, from the baseline (without one from
    zero, for at_most from the first point on) to the target; points after a target year that was brought forward are passed over.
    """
    base, aim, last = target.baseline_value, target.target_value, target.target_year
    if aim is None or last is None:
        return None
    start = start_year(target, plan_first_year)
    if target.path == COMPOUND:
        if base is None or base <= 0 or aim <= 0:
            return None
        return float(base * (aim / base) ** (_share(year - start, last - start) / PERCENT))
    if not target.path.startswith(OWN):
        return None
    points = [*((y, v) for y, v in target.points if y < last), (last, aim)]
    first = base if base is not None else points[0][1] if target.direction == "at_most" else 0.0
    before = (min(start, points[0][0] - 1), first)
    for after in points:
        if year <= after[0]:
            gone = _share(year - before[0], after[0] - before[0]) / PERCENT
            return before[1] + (after[1] - before[1]) * gone
        before = after
    return aim


def path_words(target: Target, plan_first_year: int) -> str:
    """The path of a target as a reader is told: 按年均增长16.4%推算(2014—2020年)."""
    start, last, base, aim = (
        start_year(target, plan_first_year),
        target.target_year,
        target.baseline_value,
        target.target_value,
    )
    if target.path == LINEAR:
        return f"按直线推算({start}—{last}年)"
    if target.path == COMPOUND and base and aim and last is not None:
        rate = ((aim / base) ** (1 / max(last - start, 1)) - 1) * PERCENT
        return f"按年均{'增长' if rate >= 0 else '下降'}{displayed(abs(rate), 1, 'A')}%推算({start}—{last}年)"
    if target.path.startswith(OWN):
        said = "、".join(f"{year}年{value:.15g}" for year, value in target.points)
        return f"按自定路径:{said}" + (f"(依据{target.path_document})" if target.path_document else "")
    if (window := window_of(target)) is not None:
        return f"限{window[0]}—{window[1]}年" if window[0] != window[1] else f"限{window[0]}年"
    if target.path.startswith(STAGE):
        return f"按阶段目标(第{target.path.removeprefix(STAGE).replace(';', '、')}号)累计"
    return ""


def _share(gone: int, whole: int) -> float:
    if whole <= 0:
        return PERCENT
    return min(max(gone / whole, 0.0), 1.0) * PERCENT


def _within(window: tuple[int, int], year: int) -> float:
    first, last = window
    return min(max((year - first + 1) / (last - first + 1), 0.0), 1.0)


def _staged(target: Target, year: int, targets: Mapping[int, Target]) -> float:
    stages = []
    for row in target.path.removeprefix("stage:").split(";"):
        stage = targets.get(int(row))
        window = window_of(stage) if stage is not None else None
        if stage is None or window is None or stage.target_value is None:
            raise DefinitionError(
                f"目标 {target.row_no} 的阶段行 {row} 没有阶段年份或目标值", remedy="阶段行的 path 应写 window:起-止。"
            )
        stages.append((window, stage.target_value))
    whole = sum(value for _, value in stages)
    due = sum(value * _within(window, year) for window, value in stages)
    return due / whole * PERCENT if whole else PERCENT


@dataclass(frozen=True)
class StillNeeded:
    """What is left to the target: the amount, the amount a year, and for levels the growth a year in percent.

    Nothing is left once the target is reached; without years left only the amount is told.
    """

    amount: float | None
    per_year: float | None
    growth_pct: float | None


def still_needed(target: Target, value: float | None, year: int, *, is_level: bool) -> StillNeeded:
    """What is left from the end of ``year`` to the target year (尚需完成、尚需年均完成、尚需年均增长).

    Growth is compound, ((T/x)^(1/n) - 1) x 100, negative where less is better; only a level (``is_level``) grows: of a sum over
    years or an increment the amount a year is the answer.
    """
    aim = target.target_value
    if value is None or aim is None:
        return StillNeeded(None, None, None)
    if is_reached(target, value):
        return StillNeeded(0.0, None, None)
    left = target.target_year - year if target.target_year is not None else 0
    amount = value - aim if target.direction == "at_most" else aim - value
    if left <= 0:
        return StillNeeded(amount, None, None)
    growth = ((aim / value) ** (1 / left) - 1) * PERCENT if is_level and value > 0 and aim > 0 else None
    return StillNeeded(amount, amount / left, growth)


def period_score(completion: float | None, expected: float | None) -> float | None:
    """期中得分: completion over what is due, in percent, held in [0, 120]; None before anything is due (index_system 9.2)."""
    if completion is None or expected is None or expected <= 0:
        return None
    return min(max(completion / expected * PERCENT, 0.0), PERIOD_CEILING)


def final_score(target: Target, value: float | None, completion: float | None, year: int) -> float | None:
    """期末得分: completion held in [0, 100] from the target year on; what is within the tolerance of “左右” is 100 (9.2)."""
    if target.target_year is None or year < target.target_year or value is None or completion is None:
        return None
    if is_about(target) and is_reached(target, value):
        return PERCENT
    return min(max(completion, 0.0), PERCENT)


@dataclass(frozen=True)
class Progress:
    """One target at the end of a year; percentages, and the gap in percentage points."""

    value: float | None
    completion: float | None
    expected: float | None
    gap: float | None
    standing: Standing | None  # None: cannot be told


def progress_of(
    target: Target, value: float | None, year: int, plan_first_year: int, targets: Mapping[int, Target]
) -> Progress:
    """Completion against what is due. Before the plan, or before the window of a stage target, nothing is measured yet."""
    completion = completion_pct(target, value)
    expected = expected_pct(target, year, plan_first_year, targets)
    window = window_of(target)
    if year < (window[0] if window is not None else plan_first_year):
        return Progress(value, completion, expected, None, Standing.NONE)
    gap = completion - expected if completion is not None and expected is not None else None
    return Progress(value, completion, expected, gap, _standing(target, value, expected, gap))


def _standing(target: Target, value: float | None, expected: float | None, gap: float | None) -> Standing | None:
    if value is None or target.target_value is None:
        return None
    if is_reached(target, value):
        return Standing.REACHED
    if expected is None:
        return Standing.NONE
    if gap is None:
        return None
    distance = round(gap, _PRECISION)
    if distance >= 0:
        return Standing.ON_TRACK
    return Standing.FAR_BEHIND if distance < SERIOUS else Standing.BEHIND
