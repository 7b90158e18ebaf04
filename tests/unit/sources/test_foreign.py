"""Foreign workbooks of every layout give the same figures, each with its labels and its cell."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import openpyxl
import pytest

from schemas.errors import DefinitionError, SubmissionError
from schemas.history_map import HistoryMap, history_map_of
from sources.foreign import read_foreign


def book(rows: Sequence[Sequence[object]], *, sheet: str = "汇总", merges: Sequence[str] = ()) -> bytes:
    workbook = openpyxl.Workbook()
    page = workbook.active
    assert page is not None
    page.title = sheet
    for row in rows:
        page.append(list(row))
    for area in merges:
        page.merge_cells(area)
    out = io.BytesIO()
    workbook.save(out)
    return out.getvalue()


def mapping(**table: Any) -> HistoryMap:
    return history_map_of({"title": "t", "table": [table]})


def read(rows: Sequence[Sequence[object]], of: HistoryMap, **more: Any) -> list[tuple[object, ...]]:
    found = read_foreign(book(rows, **more), "旧表.xlsx", of).figures
    return [(f.period, f.park, f.unit, f.indicator, f.unit_measure, f.value, f"{f.letter}{f.row}") for f in found]


def test_years_down_indicators_across() -> None:
    rows = [["年份", "产值(亿元)", "人数(人)"], [2013, 1.5, 20], [2014, 2.5, None]]
    of = mapping(head_rows=[1], period={"column": "年份"}, park={"value": "LBGX"}, indicator={"head": 1})
    assert read(rows, of) == [
        ("2013", "LBGX", "", "产值(亿元)", "", 1.5, "B2"),
        ("2013", "LBGX", "", "人数(人)", "", 20.0, "C2"),
        ("2014", "LBGX", "", "产值(亿元)", "", 2.5, "B3"),
    ]


def test_indicators_down_and_two_head_rows_of_year_over_park() -> None:
    rows = [
        ["单位:见各行"],
        ["指标", "计量单位", "2013年", None, "2014年", None],
        [None, None, "甲园", "乙园", "甲园", "乙园"],
        ["产值", "亿元", 1, 2, 3, 4],
        ["合计", None, 9, 9, 9, 9],
    ]
    of = mapping(
        head_rows=[2, 3],
        period={"head": 2},
        park={"head": 3},
        indicator={"column": "指标"},
        unit_measure={"column": "B"},
    )
    expected = [
        ("2013年", "甲园", "", "产值", "亿元", 1.0, "C4"),
        ("2013年", "乙园", "", "产值", "亿元", 2.0, "D4"),
        ("2014年", "甲园", "", "产值", "亿元", 3.0, "E4"),
        ("2014年", "乙园", "", "产值", "亿元", 4.0, "F4"),
    ]
    assert read(rows, of) == expected
    assert read(rows, of, merges=["C2:D2", "E2:F2", "A2:A3", "B2:B3"]) == expected


def test_a_long_table_names_everything_in_its_row() -> None:
    rows = [["园区", "年", "季", "指标", "单位", "数"], ["甲园", "2013年", "一季度", "产值", "万元", "1,234"]]
    of = mapping(
        head_rows=[1], period={"column": ["年", "季"]}, park={"column": "园区"}, indicator={"column": "指标"},
        unit_measure={"column": "单位"}, columns="F",
    )  # fmt: skip
    assert read(rows, of) == [("2013年一季度", "甲园", "", "产值", "万元", "1,234", "F2")]


def test_labels_written_once_for_the_rows_below_and_sheets_named_for_what_they_hold() -> None:
    rows = [["园区", "年", "产值"], ["甲园", 2013, 1], [None, 2014, 2], ["乙园", 2013, 3]]
    of = mapping(
        head_rows=[1],
        fill_down=True,
        period={"column": "B"},
        park={"column": "A"},
        indicator={"sheet": True},
        columns=["C"],
    )
    assert [(f[1], f[0], f[3], f[5]) for f in read(rows, of, sheet="产值")] == [
        ("甲园", "2013", "产值", 1.0), ("甲园", "2014", "产值", 2.0), ("乙园", "2013", "产值", 3.0),
    ]  # fmt: skip


def test_totals_and_notes_are_left_out_and_told() -> None:
    rows = [["年份", "产值"], [2013, 1], ["合 计", 1], ["注:本表不含乙园", None], ["平均", 1]]
    of = mapping(head_rows=[1], skip_rows=["平均"], period={"column": "A"}, park={"value": "P"}, indicator={"head": 1})
    found = read_foreign(book(rows), "旧表.xlsx", of)
    assert [f.value for f in found.figures] == [1.0]
    assert found.skipped == (("汇总", 3, "合 计"), ("汇总", 4, "注:本表不含乙园"), ("汇总", 5, "平均"))


def test_the_same_table_as_text() -> None:
    of = mapping(head_rows=[1], period={"column": "年份"}, park={"value": "P"}, indicator={"head": 1})
    found = read_foreign("年份,产值\n2013,1.5\n".encode(), "旧表.csv", of)
    assert [(f.period, f.indicator, f.value) for f in found.figures] == [("2013", "产值", "1.5")]


def test_a_mapping_that_does_not_fit_says_what_there_is() -> None:
    rows = [["年份", "产值"], [2013, 1]]
    head = {"head_rows": [1], "park": {"value": "P"}, "indicator": {"head": 1}}
    with pytest.raises(DefinitionError, match="汇总"):
        read(rows, mapping(sheet="没有", period={"column": "A"}, **head))
    with pytest.raises(DefinitionError, match="没有“年度”列"):
        read(rows, mapping(period={"column": "年度"}, **head))


def test_a_file_that_is_no_workbook_is_refused_by_the_guard() -> None:
    of = mapping(period={"value": "2013"}, park={"value": "P"}, indicator={"head": 1})
    with pytest.raises(SubmissionError):
        read_foreign(b"PK\x03\x04 broken", "旧表.xlsx", of)
