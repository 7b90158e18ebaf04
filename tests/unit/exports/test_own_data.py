"""A park's own figures as files: every figure once and exact, blanks blank, national columns only where they mean the same."""

from __future__ import annotations

import csv
import io
import zipfile
from datetime import date
from decimal import Decimal

import polars as pl
import pytest
from python_calamine import CalamineWorkbook

from exports import own_data
from exports.own_data import OwnPeriod, national_book, own_book, own_csv, text_of
from schemas.catalog import programme
from schemas.errors import RefusalError
from schemas.national import national_layout
from schemas.observations import KEY_COLUMNS
from schemas.period import Period

PROGRAMME = programme()
UNITS = ("91620102900001092A", "91620102900002092A")


def frame(edition: object, rows: list[dict[str, object]]) -> pl.DataFrame:
    codes = [c for c in rows[0] if c != "unit_id"]
    types = {c: PROGRAMME.editions["2015"].indicators[c.removesuffix("_yoy")].dtype for c in codes}
    full = [{"park": "LBGX", "_file": "f", "_sheet": "s", "_row": 8, **row} for row in rows]
    return pl.DataFrame(full, schema=KEY_COLUMNS | types)


def of(period: Period, revenue: int | None) -> OwnPeriod:
    edition = PROGRAMME.edition_for(period)
    basic = frame(edition, [
        {"unit_id": UNITS[1], "B01": UNITS[1], "B02": "=乙公司", "B16": False, "B12": date(2001, 2, 3)},
        {"unit_id": UNITS[0], "B01": UNITS[0], "B02": "甲公司", "B16": True, "B12": None},
    ])  # fmt: skip
    finance = frame(
        edition, [{"unit_id": UNITS[0], "F01": revenue, "F01_yoy": 7}, {"unit_id": UNITS[1], "F01": 0, "F01_yoy": None}]
    )
    land = frame(edition, [{"unit_id": UNITS[0], "L01": Decimal("12.34")}])
    return OwnPeriod(period, f"{period}-X", "LBGX", edition, {"basic": basic, "finance": finance, "energy_land": land})


def sheets(data: bytes) -> dict[str, list[list[object]]]:
    book = CalamineWorkbook.from_filelike(io.BytesIO(data))
    return {name: book.get_sheet_by_name(name).to_python() for name in book.sheet_names}


def test_the_workbook_holds_every_figure_of_every_period_and_the_same_bytes() -> None:
    periods = [of(Period(2014), 900), of(Period(2015, quarter=1), None)]
    data = own_book(periods, "=标题")
    assert data == own_book(periods, "=标题")
    rows = sheets(data)["财务状况"]
    assert rows[4][4:6] == ["F01", "F01_yoy"] and rows[2][:4] == ["报告期", "报送编号", "单位代码", "单位名称"]
    assert rows[5] == ["2014", "2014-X", UNITS[0], "甲公司", 900.0, 7.0]
    assert rows[6] == ["2014", "2014-X", UNITS[1], "=乙公司", 0.0, ""]
    assert rows[7][4] == "" and len(rows) == 9
    assert sheets(data)["调查单位基本情况"][5][6:8] == ["", "是"]
    assert "企业创新调查" not in sheets(data)


def test_csv_is_exact_and_no_cell_of_it_runs() -> None:
    periods = [of(Period(2014), 900)]
    data = own_csv(periods)
    assert data == own_csv(periods)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = archive.namelist()
        text = archive.read("园企103_财务状况.csv").decode("utf-8-sig")
        land = archive.read(next(n for n in names if "能源" in n)).decode("utf-8-sig")
    rows = list(csv.reader(io.StringIO(text)))
    assert rows[0] == [
        "报告期",
        "报送编号",
        "单位代码",
        "单位名称",
        "F01 营业收入(千元)",
        "F01_yoy 营业收入(上年同期)(千元)",
    ]
    assert rows[1][3:] == ["甲公司", "900", "7"] and rows[2][3:] == ["'=乙公司", "0", ""]
    assert list(csv.reader(io.StringIO(land)))[1][4] == "12.34"


def test_a_book_too_large_to_open_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_data, "MOST_CELLS", 10)
    with pytest.raises(RefusalError, match="下载 CSV"):
        own_book([of(Period(2014), 900)], "t")


def test_national_forms_take_only_equal_columns_and_say_why_others_are_blank() -> None:
    layout = national_layout(PROGRAMME.folder)
    data = national_book(of(Period(2014), 900), layout, "兰州高新区")
    found = sheets(data)
    economy = found["GQ-002 经济概况"]
    codes = economy[4]
    first = economy[5]
    assert first[:2] == [UNITS[0], "甲公司"]
    assert first[codes.index("QC05_0")] == 900.0 and first[codes.index("QC41")] == 12.34
    assert all(row[codes.index("QC09")] == "" for row in economy[5:])
    assert economy[6][codes.index("QC05_0")] == 0.0 and economy[6][codes.index("QC41")] == ""
    notes = {row[1]: row[4:] for row in found["说明"][8:]}
    assert notes["QC05_0"][0] == "F01 营业收入" and notes["QC09"] == ["(空列)", "本制度的 O08 含服务收入,口径不同"]
    assert found["GQ-001 企业概况"][5][codes_of(found, "GQ-001 企业概况").index("QB11")] == "是"
    with pytest.raises(RefusalError, match="年报"):
        national_book(of(Period(2015, quarter=1), 900), layout, "x")


def codes_of(found: dict[str, list[list[object]]], sheet: str) -> list[object]:
    return found[sheet][4]


@pytest.mark.parametrize("edition", ["2015", "2025"])
def test_every_mapped_column_is_collected_with_the_same_unit_and_every_blank_one_has_a_reason(edition: str) -> None:
    layout = national_layout(PROGRAMME.folder)
    assert layout.problems(PROGRAMME.editions[edition]) == []
    sources = [c.source for form in layout.forms for c in form.columns if c.source]
    assert len(sources) == len(set(sources)) > 100  # no figure goes to two columns


def test_values_as_text() -> None:
    assert [text_of(v) for v in (None, True, False, Decimal("1.50"), 0, date(2015, 1, 2), "x")] == ["", "是", "否", "1.50", "0", "2015-01-02", "x"]  # fmt: skip
