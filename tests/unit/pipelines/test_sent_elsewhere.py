"""A file of another period or park than where it is sent: the park reads which one it is, and where it belongs."""

from __future__ import annotations

import pytest

from pipelines.checking import check
from schemas.catalog import programme
from schemas.period import Period
from sources.reader import read_file
from tests.unit.sources.filled_books import A, book

SHEET = {"从业人员情况": [("从业人员情况",), ("代码", "名称", "期末人数"), ("B01", "B02", "P01"), (A, "甲公司", 120)]}


@pytest.mark.parametrize(
    ("park", "period", "code", "said"),
    [
        ("LBGX", "2015-Q3", "several_periods", "《旧表.xlsx》是 2015-Q2 的报表,这里报送的是 2015-Q3;请改用 2015-Q3 的模板,或到那一期报送。"),
        ("LBXQ", "2015-Q2", "several_parks", "《旧表.xlsx》是园区 LBGX 的报表,这里报送的是 LBXQ;请核对文件,只报本园区的。"),
    ],
)  # fmt: skip
def test_a_file_of_elsewhere_is_told_as_what_it_is(park: str, period: str, code: str, said: str) -> None:
    found = check([read_file(book(SHEET), "旧表.xlsx")], programme(), park=park, period=Period.parse(period))
    assert found.status == "unreadable"
    assert found.findings.select("code", "message").rows() == [(code, said)]
