"""Rows among the data that are no data: totals, heads written again, rows of units of measure, rows of column numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise

from sources.cells import CellValue
from sources.form_finding import heading
from sources.measures import is_measure, plain_text

LONGEST_LABEL = 18
"""A credit code has as many characters; what is shorter may be a label."""
_TOTAL = re.compile(
    r".{0,4}(?:合计|总计|小计|共计|累计|总合计)(?:数|行)?(?:\(.{0,12}\))?:?"
)  # 合计, 全区合计, 本页小计, 合计(千元): but no longer names of companies that begin or end so
_NO_MEASURE = frozenset({"计量单位", "单位", "-", "—", "/"})
_STEMS = "甲乙丙丁戊己庚辛壬癸"
_LABEL_COLUMNS = 4
_FEWEST = 4
_MOVED = 2
"""So many times the numbers may turn back: columns that were moved after they were numbered."""


def total_label(cells: Sequence[CellValue], key: CellValue) -> str | None:
    """What names a row a total, among its first cells; None for a row with a code of a unit."""
    if isinstance(key, str) and len(key.strip()) >= LONGEST_LABEL:
        return None
    return next((c for c in cells[:_LABEL_COLUMNS] if isinstance(c, str) and _TOTAL.fullmatch(plain_text(c))), None)


def is_header(cells: Sequence[CellValue], headers: Mapping[int, frozenset[str]]) -> bool:
    """Whether a row below the code row repeats the head: everything in it is the heading of its column, two columns at least."""
    filled = _filled(cells, headers)
    return len(filled) > 1 and all(isinstance(c, str) and heading(c) in headers[n] for n, c in filled)


def is_measures(cells: Sequence[CellValue], headers: Mapping[int, frozenset[str]]) -> bool:
    """Whether a row only says in what its columns are measured; a label 计量单位 may stand before. A single unit of measure
    must be that of its column."""
    said: list[tuple[int, str]] = []
    for n, cell in _filled(cells, headers):
        if not isinstance(cell, str):
            return False
        text = plain_text(cell)
        text = text[1:-1] if text.startswith("(") and text.endswith(")") else text
        if text in _NO_MEASURE:
            continue
        if not is_measure(text):
            return False
        said.append((n, text))
    return len(said) > 1 or any(f"({text})" in plain_text(head) for n, text in said for head in headers[n])


def is_numbering(cells: Sequence[CellValue], headers: Mapping[int, frozenset[str]]) -> bool:
    """Whether a row numbers its columns as printed forms do: 甲 乙 1 2 3 …, over most of them."""
    filled = [c for _, c in sorted(_filled(cells, headers))]
    if len(filled) < max(_FEWEST, 0.8 * len(headers)):
        return False
    rest = [plain_text(c) if isinstance(c, str) else c for c in filled]
    # A column that was moved took its 甲 or its number along.
    stems = [c for c in rest if isinstance(c, str) and len(c) == 1 and c in _STEMS]
    numbers = [_number(c) for c in rest if c not in stems]
    if len(set(stems)) < len(stems) or len(numbers) < 2 or any(n is None for n in numbers):
        return False
    whole = [n for n in numbers if n is not None]
    turns = sum(later <= n for n, later in pairwise(whole))
    return (
        turns <= _MOVED
        and len(set(whole)) == len(whole)
        and max(whole) - min(whole) <= 2 * len(whole)
        and min(whole) <= _LABEL_COLUMNS
    )


def _number(cell: CellValue) -> int | None:
    if isinstance(cell, float) and cell.is_integer():
        return int(cell)
    text = str(cell).strip("()") if isinstance(cell, str) else ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 4 else None


def _filled(cells: Sequence[CellValue], headers: Mapping[int, frozenset[str]]) -> list[tuple[int, CellValue]]:
    return [(n, cells[n]) for n in headers if cells[n] is not None and cells[n] != ""]
