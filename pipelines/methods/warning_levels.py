"""Levels of early warning 预警等级: which bound a value breaks, and what two quarters together make of it.

Source: index_system.md 5. 0 none, 1 blue, 2 yellow, 3 orange, 4 red; None is undetermined.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

from exports.display import displayed

LEVELS: Final = ("none", "blue", "yellow", "orange", "red")
NAMES: Final = {0: "正常", 1: "蓝色", 2: "黄色", 3: "橙色", 4: "红色"}
RED: Final = 4
MAD_TO_SIGMA: Final = 1.4826
_COMPARE: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_PRECISION: Final = 9


@dataclass(frozen=True)
class Parameters:
    """The parameters of ``warnings.toml``; the defaults are those of the method."""

    version: str = ""
    sample_minimum: int = 10
    comparable_minimum: float = 0.7
    escalate_after: int = 2
    recover_after: int = 2
    increment_minimum: float = 0.01
    history_quarters: int = 8
    robust_z_least_quarters: int = 4
    robust_z_yellow: float = 2.0
    robust_z_orange: float = 3.0
    combined_method: str = "score"
    combined_bounds: Mapping[str, float] | None = None
    combined_floor_if_red: str = ""
    counted: tuple[str, str] = ("家", "")

    @property
    def floor(self) -> int:
        """The least combined level where an indicator is red; 0 without such a rule."""
        return LEVELS.index(self.combined_floor_if_red) if self.combined_floor_if_red else 0

    @classmethod
    def of(cls, definition: Mapping[str, Any]) -> Parameters:
        """The parameters a warning indicator was loaded with, over them its own: its sample minimum, and what its sample counts."""
        given = dict(definition.get("parameters", {}))
        given |= {name: definition[name] for name in ("sample_minimum", "counted") if name in definition}
        if "counted" in given:
            given["counted"] = tuple(given["counted"])
        return cls(**{name: given[name] for name in cls.__dataclass_fields__ if name in given})


def raw_level(value: float | None, bounds: Mapping[str, tuple[str, float]]) -> int | None:
    """The worst level whose bound the value breaks; 0 where none; None for an unknown value.

    Compared at nine decimals, so that a ratio of exactly 60 % does not break a bound of 60 by its last binary digit.
    """
    if value is None:
        return None
    rounded = round(value, _PRECISION)
    broken = [LEVELS.index(name) for name, (sign, bound) in bounds.items() if _COMPARE[sign](rounded, bound)]
    return max(broken, default=0)


@dataclass(frozen=True)
class Settled:
    """The level that stands, and why it is not the one of the bound."""

    level: int | None
    raw: int | None
    note: str = ""


def settled(raws: Sequence[int | None], parameters: Parameters) -> list[Settled]:
    """The standing level of every quarter, oldest first, from the levels of the bounds of consecutive quarters.

    A level held for ``escalate_after`` quarters (this one and those before at it or above) is raised by one. A warning is
    lifted only after ``recover_after`` quarters within bounds; until then the last standing level stays. An undetermined
    quarter counts for neither: it gets no level, and what stood before it is still to be recovered from.
    """
    found: list[Settled] = []
    standing = 0
    within = parameters.recover_after
    for number, raw in enumerate(raws):
        if raw is None:
            found.append(Settled(None, None))
            within = 0
            continue
        within = within + 1 if raw == 0 else 0
        if raw == 0 and standing and within < parameters.recover_after:
            found.append(
                Settled(
                    standing,
                    raw,
                    f"本季已在界限内,须连续{parameters.recover_after}季达标才解除,暂维持{NAMES[standing]}",
                )
            )
            continue
        one = _escalated(raw, raws[: number + 1], parameters)
        standing = one.level or 0
        found.append(one)
    return found


def _escalated(raw: int, until_now: Sequence[int | None], parameters: Parameters) -> Settled:
    span = parameters.escalate_after
    last = until_now[-span:]
    if raw == 0 or span < 2 or len(last) < span or any(not level for level in last):
        return Settled(raw, raw)
    held = min(level for level in last if level)
    raised = min(held + 1, RED)
    if raised <= raw:
        return Settled(raw, raw)
    return Settled(raised, raw, f"连续{span}季达到{NAMES[held]}或以上,升为{NAMES[raised]}")


def robust_z(
    value: float | None, earlier: Sequence[float | None], parameters: Parameters, least_spread: float = 0.0
) -> float | None:
    """Distance from the median of the earlier quarters in robust standard deviations; None without enough of them.

    A deviation counts as ``least_spread`` at least: one unit of the last digit that is printed, below which nothing differs.

    A supplement: it points at values unusual for the area itself and decides no level.
    """
    known = [v for v in earlier[-parameters.history_quarters :] if v is not None]
    if value is None or len(known) < parameters.robust_z_least_quarters:
        return None
    middle = median(known)
    spread = MAD_TO_SIGMA * median(abs(v - middle) for v in known)
    return (value - middle) / max(spread, least_spread) if spread > 0 else None


def deviation(z: float, levels: Mapping[str, tuple[str, float]], parameters: Parameters) -> str:
    """How far a value lies from the area's own; a signal only on the side the levels warn of (either side without levels)."""
    far = "很大" if abs(z) > parameters.robust_z_orange else "较大" if abs(z) > parameters.robust_z_yellow else ""
    if not far:
        return ""
    warned_of_low = any(operator.startswith("<") for operator, _ in levels.values())
    if levels and (z < 0) is not warned_of_low:
        return f"偏离本区近期水平{far},在有利一侧"
    return f"偏离本区近期水平{far}(补充信号:{'橙色' if far == '很大' else '黄色'})"


def combined(
    levels: Mapping[str, int | None], weights: Mapping[str, float], parameters: Parameters
) -> tuple[int | None, float | None]:
    """(combined level, score) of one area over its determined indicators; None where none is determined.

    The score is the weighted mean level; ``combined_floor_if_red`` lifts the whole to at least that level where any
    indicator is red. With the method ``any_red`` only the floor counts.
    """
    known = {name: level for name, level in levels.items() if level is not None}
    whole = sum(weights.get(name, 1.0) for name in known)
    if not known or whole <= 0:
        return None, None
    score = sum(level * weights.get(name, 1.0) for name, level in known.items()) / whole
    level = 0
    if parameters.combined_method == "score":
        reached = [
            LEVELS.index(n)
            for n, bound in (parameters.combined_bounds or {}).items()
            if round(score, _PRECISION) >= bound
        ]
        level = max(reached, default=0)
    if RED in known.values():
        level = max(level, parameters.floor)
    return level, score


def floor_sentence(reds: Sequence[str], level: int | None, floor: int) -> str:
    """The red indicators that hold the combined level at its floor, in words; empty where it stands elsewhere or none is red."""
    if not reds or not floor or level != floor:
        return ""
    return f"有红色指标:{'、'.join(reds)},综合等级至少{NAMES[floor]}"


def number(value: float, decimals: int = 1) -> str:
    """A figure in a sentence: rounded as it is printed beside it, with the typographic minus sign; never a minus zero."""
    text = displayed(value, decimals, "A")
    return (f"{0:.{decimals}f}" if text == "0" else text).replace("-", "−")


def rounds_to_zero(value: float, decimals: int = 1) -> bool:
    """Whether nothing is left of a value as printed: a sentence then says neither up nor down."""
    return not displayed(value, decimals, "A").strip("-0.")


def bound_text(bound: float, unit: str) -> str:
    """A bound in a sentence: −5%, 0.5个百分点."""
    text = f"{bound:g}".replace("-", "−")
    return f"{text}%" if unit == "%" else f"{text}个百分点"


def sentence(
    definition: Mapping[str, Any], value: float, raw: int, bounds: Mapping[str, tuple[str, float]], unit: str
) -> str:
    """What the value says and which bound it breaks: 营业收入同比下降6.3%(同口径),低于橙色界限−5%。

    What rounds to zero is 持平 and not up or down by 0.0; a value printed as the bound it breaks is said to be 略低于 or 略高于 it.
    """
    subject, decimals = str(definition.get("subject", definition.get("name", ""))), int(definition.get("decimals", 1))
    size, level = number(abs(value), decimals), rounds_to_zero(value, decimals)
    match definition.get("wording", "level"):
        case "growth":
            moved = "持平" if level else f"{'下降' if value < 0 else '增长'}{size}%"
            said = f"{subject}同比{moved}(同口径)"
        case "change":
            moved = "持平" if level else f"{'下降' if value < 0 else '上升'}{size}个百分点"
            said = f"{subject}{'与' if level else '比'}上年同期{moved}"
        case _:
            said = f"{subject}为{number(value, decimals)}{'%' if unit == '%' else '个百分点'}"
    return f"{said},{bound_sentence(raw, bounds, unit, value, decimals)}"


def bound_sentence(
    raw: int, bounds: Mapping[str, tuple[str, float]], unit: str, value: float | None = None, decimals: int = 1
) -> str:
    """Which bound is broken; without ``value`` it may be printed where the value may not."""
    if raw == 0:
        return "在界限之内"
    sign, bound = bounds[LEVELS[raw]]
    barely = "略" if value is not None and number(value, decimals) == number(bound, decimals) else ""
    return f"{barely}{'低于' if sign.startswith('<') else '高于'}{NAMES[raw]}界限{bound_text(bound, unit)}"
