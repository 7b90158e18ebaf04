"""Codes a programme cannot give another meaning: what the register, templates and methods know a unit, its place and its kind by.

Everything else in a programme is its own choice; lint says where one of these stands for something else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

UNIT: Final = "B01"
NAME: Final = "B02"
PERIOD: Final = "B03"
PARK: Final = "B04"
SUB_PARK: Final = "B05"
INDUSTRY: Final = "B07"
SIZE: Final = "B10"
ABOVE_SCALE: Final = "B11"
CONTACT: Final = "B30"
AREA: Final = "Y01"
YEAR: Final = "Y02"


@dataclass(frozen=True)
class Reserved:
    """One reserved code: what it means, of which type it is, the form it stands on, and whether a programme needs it."""

    meaning: str
    type: str
    form: str
    is_needed: bool = False


BASIC: Final = "basic"
CONTEXT: Final = "context"
RESERVED: Final[Mapping[str, Reserved]] = {
    UNIT: Reserved("统一社会信用代码", "code", BASIC, is_needed=True),
    NAME: Reserved("单位名称", "text", BASIC, is_needed=True),
    PERIOD: Reserved("报告期", "text", BASIC),
    PARK: Reserved("所属园区", "code", BASIC),
    SUB_PARK: Reserved("所属分园", "code", BASIC),
    INDUSTRY: Reserved("行业代码", "code", BASIC),
    SIZE: Reserved("规模类型", "code", BASIC),
    ABOVE_SCALE: Reserved("规模以上", "boolean", BASIC),
    CONTACT: Reserved("统计负责人与联系方式", "text", BASIC),
    AREA: Reserved("背景资料的区域", "code", CONTEXT),
    YEAR: Reserved("背景资料的年份", "number", CONTEXT),
}
