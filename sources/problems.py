"""What a finding says to a clerk, taken apart: what is wrong, and what to do.

A message is one full sentence with place, finding and remedy (``workbook … cell …: found. 请…``). Lists show the place in
columns of their own, so the sentence is split here, once.
"""

from __future__ import annotations

import re

HARD, SOFT = "错误", "核实"
KINDS = {"hard": HARD, "soft": SOFT}

_STOPS = "。;;,,"
_REMEDY = re.compile(r"[。;;,,]\s*(?=请)")
_PLACE = re.compile(
    # The name of an indicator may have a colon of its own (其中:博士); its code behind it ends the place.
    r"^[^。;;]{0,120}?(?:单元格|工作表|第\d+行)(?:[^。;;]{0,120}?”\([A-Z]\d\w*\)[::]|[^。;;::]{0,120}[::])\s*"
)


def problem_and_remedy(message: str, value: str = "") -> tuple[str, str]:
    """The message without its place and ``value``, split before the first 请: (what is wrong, what to do)."""
    text = _PLACE.sub("", message.strip())
    if value:
        text = text.removeprefix(f"填报 {value},")
    found = _REMEDY.search(text)
    if not found:
        return (text, "") if not text.startswith("请") else ("", text)
    return text[: found.start()].rstrip(_STOPS), text[found.end() :].strip()


def kind_of(severity: str | None) -> str:
    """错误 must be mended, 核实 may be explained."""
    return KINDS.get(severity or "", HARD)
