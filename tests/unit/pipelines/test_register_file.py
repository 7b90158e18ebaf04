"""The unit register from a CSV: nothing enters from a file with a wrong line, and every wrong line is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.register_file import read_register_file
from schemas.catalog import programme
from schemas.errors import DefinitionError

VALID = "91620100MA7000018H"


def read(tmp_path: Path, text: str, encoding: str = "utf-8") -> list[tuple[str, str, str, str]]:
    (tmp_path / "名录.csv").write_bytes(text.encode(encoding))
    found = read_register_file(tmp_path / "名录.csv", programme("park"), basis="批复", effective="2015-01-01")
    assert found.doubtful == tuple(dict.fromkeys(e.unit_id for e in found.events if e.unit_id != VALID))
    return [(e.unit_id, e.park, str(e.effective), e.attributes.get("B02") or "") for e in found.events]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_a_register_of_any_office_program(tmp_path: Path, encoding: str) -> None:
    text = f"unit_id,park,B02,effective\n{VALID},LBGX,甲厂,2020-05-06\n\n91620100MA7000001T,LBGX,乙厂,\n"
    assert read(tmp_path, text, encoding) == [
        (VALID, "LBGX", "2020-05-06", "甲厂"),
        ("91620100MA7000001T", "LBGX", "2015-01-01", "乙厂"),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("unit_id,B02\nx,y\n", "缺列 park"),
        ("unit_id,park,name,valid_from\nx,LBGX,y,z\n", "不认识列 name、valid_from"),
        (
            "unit_id,park,effective\nx,LBGX,2020-13-01\ny,LBGX,\n,LBGX,\nz,,\n",
            r"名录\.csv:2:生效日期“2020-13-01”.*\n名录\.csv:4:缺单位代码 unit_id\n名录\.csv:5:缺园区代码",
        ),
        ("unit_id,park,kind\nx,LBGX,arrive\n", "kind“arrive”不存在,可写 entry"),
        ("unit_id,park\n", "没有数据行"),
        ("", "文件是空的"),
    ],
)
def test_a_wrong_line_is_named_and_nothing_enters(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DefinitionError, match=said):
        read(tmp_path, text)


def test_an_exit_needs_no_park(tmp_path: Path) -> None:
    assert read(tmp_path, f"unit_id,park,kind,effective\n{VALID},,exit,2020-05-06\n") == [(VALID, "", "2020-05-06", "")]
