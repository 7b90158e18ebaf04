"""Why a figure of the contribution table is missing although its sides are known, and what it is compared with, in words.

Source: index_system 8; docs/methods/contribution.md. A side of zero or below is no missing datum: the reason names it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

RESTATED: Final = "上年数取本年报表的上年同期(可比口径),与上年所报不同"
NO_MULTIPLE: Final = "{of}为零或为负,不计算倍数"
CALLED: Final = {
    "own_before": "本区上年数",
    "own_base": "本区{base}年数",
    "whole": "{whole}数",
    "whole_before": "{whole}上年数",
    "whole_base": "{whole}{base}年数",
}
DIVIDED_BY: Final = {
    "share": ("whole",),
    "share_change": ("whole", "whole_before"),
    "growth_own": ("own_before",),
    "growth_own_constant": ("own_before",),
    "growth_whole": ("whole_before",),
    "growth_whole_constant": ("whole_before",),
    "contribution_rate": ("whole_before",),
    "contribution_rate_constant": ("whole_before",),
    "contribution_points": ("whole_before",),
    "contribution_points_constant": ("whole_before",),
    "growth_since_base": ("own_base",),
    "growth_whole_since_base": ("whole_base",),
}
"""Measure → the sides it divides by."""
OF_LAST_YEAR: Final = tuple(m for m in DIVIDED_BY if m.startswith(("growth_own", "contribution", "share_change")))
"""Measures that read the area's own figure of last year."""


def not_positive(measure: str, side: str, value: float, words: Mapping[str, str]) -> str:
    """That a figure is not computed because what it divides by is zero or below: 本区上年数为零,不计算增速。"""
    what = "占比" if measure.startswith("share") else "增速" if "growth" in measure else "贡献"
    return f"{CALLED[side].format(**words)}{'为零' if value == 0 else '为负'},不计算{what}"
