"""The unit register from a CSV: nothing enters from a file with a wrong line, and every wrong line is named."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from pipelines.register_file import RegisterFile, read_register_file
from pipelines.register_values import RegisterValues
from schemas.catalog import programme, register_of_parks
from schemas.errors import DefinitionError
from warehouse.ledger.parks import Park

VALID = "91620100MA7000018H"


PARKS = [
    Park(row["code"], row["name"], kind=row["kind"], zone=row["zone"])
    for row in register_of_parks(programme("park")).iter_rows(named=True)
]


def parsed(path: Path) -> RegisterFile:
    return read_register_file(path, programme("park"), PARKS, basis="批复", effective="2015-01-01")


def read(tmp_path: Path, text: str, encoding: str = "utf-8") -> list[tuple[str, str, str, str]]:
    (tmp_path / "名录.csv").write_bytes(text.encode(encoding))
    found = parsed(tmp_path / "名录.csv")
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


def test_every_value_that_is_in_no_code_list_is_named_with_line_column_and_remedy(tmp_path: Path) -> None:
    """Two wrong codes in one line, a name for a code, a lost zero, a code of another time, a sub-park of another park."""
    (tmp_path / "名录.csv").write_text(
        "unit_id,park,sub_park,B06,B07,B08,B09,B11,B12,B14,effective\n"
        f"{VALID},LBGX,LBGX01,620102,9999,110,国有,有,昨天,许多,\n"
        "A1,LBGX01,,,,,,,,,\n"
        "A2,LBSYQ,,,111,,,,,,\n"
        "A3,LBGX,LBJJ01,,,,,,,,\n"
        "A4,LBGX,,,3911,110,1,是,2014年5月6日,12,2022-12-31\n"
        "A5,LBGX,,,3911,110,1,否,20140506,1,2023-01-01\n"
        "A4,LBGX,,,,,,,,,2022-12-31\n",
        encoding="utf-8",
    )
    with pytest.raises(DefinitionError) as said:
        parsed(tmp_path / "名录.csv")
    lines = str(said.value).splitlines()
    expected = [
        (2, "行业小类代码(B07)的“9999”不在代码表 gbt4754_class4 内"),
        (2, "企业控股情况(B09)的“国有”不是代码,名称“国有”的代码是 1"),
        (2, "规模以上工业标志(B11)的“有”不是“是”或“否”"),
        (2, "注册(成立)时间(B12)的“昨天”不是日期"),
        (2, "注册资金(B14)的“许多”不能用作数字"),
        (3, "“LBGX01”是 LBGX 的分园,园区请写 LBGX"),
        (4, "“LBSYQ”是汇总区域"),
        (4, "是不是丢了前面的 0:0111"),
        (5, "“LBJJ01”在 2015-01-01 不是园区 LBGX 的分园"),
        (7, "“110”在 2023-01-01 不在用"),
        (8, "与第 6 行重复"),
    ]
    assert [(int(line.split(":")[1]), part in line) for line, (_, part) in zip(lines, expected, strict=True)] == [
        (number, True) for number, _ in expected
    ]
    assert "一条也没有登记" in lines[-1]


def test_values_are_kept_as_the_register_states_them(tmp_path: Path) -> None:
    (tmp_path / "名录.csv").write_text(
        f"unit_id,park,B11,B12,B14,B16\n{VALID},LBGX,否,2014年5月6日,1200,是\n", encoding="utf-8"
    )
    (event,) = parsed(tmp_path / "名录.csv").events
    assert event.attributes == {"B11": "0", "B12": "2014-05-06", "B14": "1200", "B16": "1"}


def test_a_unit_older_than_the_first_edition_is_judged_by_the_first(tmp_path: Path) -> None:
    assert RegisterValues(programme("park")).attributes({"B08": "110"}, date(1998, 1, 1)) == ({"B08": "110"}, [])


def test_the_column_of_the_form_and_the_column_of_the_file_may_not_disagree(tmp_path: Path) -> None:
    (tmp_path / "名录.csv").write_text(f"unit_id,park,B04\n{VALID},LBGX,LBJJ\n", encoding="utf-8")
    with pytest.raises(DefinitionError, match=r"名录.csv:2:B04 写的是“LBJJ”,与本行的单位、园区或分园“LBGX”不一致"):
        parsed(tmp_path / "名录.csv")


def test_mergers_and_splits_stand_in_a_file_with_the_units_before_and_after(tmp_path: Path) -> None:
    text = (
        "unit_id,park,kind,effective,predecessors,successors,B02\n"
        f"{VALID},LBGX,entry,2020-05-06,,,新厂\n{VALID},,merger,2020-05-06,a;b、c,,\nx,,split,2021-01-01,,x d,\n"
    )
    (tmp_path / "名录.csv").write_text(text, encoding="utf-8")
    found = parsed(tmp_path / "名录.csv")
    assert [e.kind for e in found.events] == ["entry"]
    assert [(m.kind, m.predecessors, m.successors, str(m.effective)) for m in found.restructurings] == [
        ("merger", ("a", "b", "c"), (VALID,), "2020-05-06"), ("split", ("x",), ("x", "d"), "2021-01-01"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("x,,merger,,x;y,,", "2:单位 x 的合并:被合并的单位中有它自己"),
        ("x,,split,,,y,", "2:单位 x 的分立:分立后的单位.*不足两个"),
        ("x,,split,,y,x;y,", "2:分立只写 successors,不写 predecessors"),
        ("x,,merger,,y,,甲", "2:合并不写登记事项 B02;请另写一行 entry 或 change"),
        ("x,LBGX,entry,,y,,甲", "2:kind“entry”不写 predecessors、successors;合并写 merger,分立写 split"),
    ],
)
def test_a_wrong_merger_or_split_is_named_by_its_line(tmp_path: Path, row: str, said: str) -> None:
    (tmp_path / "名录.csv").write_text(f"unit_id,park,kind,effective,predecessors,successors,B02\n{row}\n", "utf-8")
    with pytest.raises(DefinitionError, match=said):
        parsed(tmp_path / "名录.csv")
