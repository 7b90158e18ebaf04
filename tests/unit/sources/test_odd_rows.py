"""Rows that number the columns, also after columns were moved; and rows that do not."""

from __future__ import annotations

import pytest

from sources.cells import CellValue
from sources.odd_rows import is_numbering

HEADERS = {n: frozenset({f"项目{n}"}) for n in range(8)}


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["甲", "乙", 1.0, 2.0, 3.0, 4.0, 5.0, 6.0], True),
        (["乙", 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, "甲"], True),
        (["甲", "乙", 3.0, 1.0, 2.0, "(4)", 5.0, 6.0], True),
        (["甲", "甲", 1.0, 2.0, 3.0, 4.0, 5.0, 6.0], False),
        (["甲", "乙", 1.0, 1.0, 2.0, 3.0, 4.0, 5.0], False),
        (["甲", "乙", 120.0, 7.0, 33.0, 4.0, 5.0, 6.0], False),
        (["91330100M000100Y43", "示例公司", 1.0, 2.0, 3.0, 4.0, 5.0, 6.0], False),
        (["甲", "乙", 1.0, None, None, None, None, None], False),
    ],
)
def test_a_row_of_column_numbers(cells: list[CellValue], expected: bool) -> None:
    assert is_numbering(cells, HEADERS) is expected
