"""Target progress over small annual observations of the four zones, worked by hand."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from pipelines.methods.product import Product
from pipelines.methods.targets import targets_progress, threshold_list
from schemas.catalog import programme
from schemas.period import Period
from schemas.period_data import PeriodData

ZONES = ("LBBY", "LBGX", "LBJJ", "LBXQ")
SHEET = {
    "park": pl.String,
    "K04": pl.Decimal(18, 2),
    "K05": pl.Int64,
    "K23": pl.Decimal(18, 2),
    "K26": pl.Decimal(18, 2),
}
ENTERPRISE = {
    "unit_id": pl.String, "park": pl.String, "B07": pl.String, "F01": pl.Int64, "O01": pl.Int64, "R17": pl.Int64,
    "F16": pl.Int64, "L07": pl.Int64, "I08": pl.Int64, "B20": pl.Boolean,
}  # fmt: skip
TASKS = {
    "unit_id": pl.String, "park": pl.String, "K39": pl.String, "K40": pl.Decimal(18, 4), "G02": pl.String, "G06": pl.String,
}  # fmt: skip
PROJECTS = {
    "unit_id": pl.String, "park": pl.String, "J04": pl.Decimal(18, 2), "J11": pl.Decimal(18, 2), "J15": pl.String,
}  # fmt: skip


def year(number: int, gdp: float, revenue: int = 400_000, **more: Any) -> PeriodData:
    """Four zones with ``gdp`` (万元) each, two enterprises in each zone, and what ``more`` says of the sheet."""
    sheet = [{"park": z, "K04": Decimal(str(gdp)), "K05": 1000, "K23": Decimal(100_000), **more} for z in ZONES]
    units = [
        {"unit_id": f"{z}{n}", "park": z, "B07": "2710", "F01": revenue, "O01": 10_000_000, "R17": 30_000 if n else 0,
         "F16": 100, "L07": 667, "I08": 5, "B20": bool(n)}
        for z in ZONES
        for n in (0, 1)
    ]  # fmt: skip
    frames = {"enterprise": pl.DataFrame(units, schema=ENTERPRISE, orient="row")}
    parks = pl.DataFrame([{**dict.fromkeys(SHEET), **row} for row in sheet], schema=SHEET, orient="row")
    return PeriodData(Period(number), frames, parks)


def quarter(number: int) -> PeriodData:
    tasks = [
        {"unit_id": "124|", "park": "LBXQ", "K39": "124", "K40": Decimal(20), "G02": "个", "G06": ""},
        {"unit_id": "124|LBGX01", "park": "LBGX", "K39": "124", "K40": Decimal("12.5"), "G02": "个", "G06": "LBGX01"},
        {"unit_id": "31|", "park": "QHHD", "K39": "31", "K40": Decimal(1), "G02": "个", "G06": ""},
        {"unit_id": "138|", "park": "LBXQ", "K39": "138", "K40": Decimal(3), "G02": "家", "G06": ""},
        {"unit_id": "122|a", "park": "LBXQ", "K39": "122", "K40": Decimal(70), "G02": "%", "G06": ""},
        {"unit_id": "122|b", "park": "LBGX", "K39": "122", "K40": Decimal(75), "G02": "%", "G06": ""},
    ]
    projects = [{"unit_id": "p1", "park": "QHXN", "J04": Decimal(60_000), "J11": Decimal(100), "J15": "x"},
                {"unit_id": "p2", "park": "QHXN", "J04": Decimal(50_000), "J11": Decimal(100), "J15": "y"}]  # fmt: skip
    return PeriodData(
        Period(number, 4),
        {
            "tasks": pl.DataFrame(tasks, schema=TASKS, orient="row"),
            "projects": pl.DataFrame(projects, schema=PROJECTS, orient="row"),
        },
    )


# 2014: 552.4 亿元 = 4 x 1,381,000 万元; 2015: 580 亿元; 2016: 660 亿元
YEARS = {2014: year(2014, 1_381_000), 2015: year(2015, 1_450_000), 2016: year(2016, 1_650_000)}
PRODUCT = targets_progress(YEARS[2016], programme(), YEARS.get, lambda y: quarter(y) if y == 2016 else None)


def cell(row: int, measure: str, product: Product = PRODUCT) -> dict[str, Any]:
    plan = next(t.plan_id for t in programme().editions["2015"].targets if t.row_no == row)
    found = product.cells.filter(indicator=f"{plan}.{row}", measure=measure)
    assert found.height == 1, (row, measure)
    return found.row(0, named=True)


def test_every_row_of_every_plan_is_there() -> None:
    assert PRODUCT.cells["indicator"].n_unique() == 331


def test_a_level_with_a_baseline() -> None:
    assert cell(108, "actual")["value"] == pytest.approx(660)
    assert cell(108, "baseline")["value"] == 552.4 and cell(108, "target")["value"] == 1377
    assert cell(108, "completion")["value"] == pytest.approx((660 - 552.4) / (1377 - 552.4) * 100)
    assert cell(108, "expected")["value"] == pytest.approx(100 / 3)
    assert cell(108, "standing")["note"] == "严重滞后" and cell(108, "standing")["value"] == 1


def test_an_increment_against_its_staged_path() -> None:
    # 新增 107.6 of 800; due at the end of 2016: (100 + 200/2) / 800
    assert cell(118, "actual")["value"] == pytest.approx(107.6)
    assert cell(118, "expected")["value"] == pytest.approx(25)
    assert cell(118, "gap")["value"] == pytest.approx(107.6 / 8 - 25)
    assert cell(118, "standing")["note"] == "严重滞后"


def test_stages_count_within_their_own_years() -> None:
    # 2015: 580 - 552.4, judged as of 2015 although the report is for 2016
    assert cell(272, "actual")["value"] == pytest.approx(27.6)
    assert "2015年数" in cell(272, "actual")["note"]
    # 2016-2017 so far: 660 - 580
    assert cell(278, "actual")["value"] == pytest.approx(80)
    assert cell(278, "expected")["value"] == 50
    assert (cell(284, "actual")["value"], cell(284, "standing")["note"]) == (None, "不计进度")
    assert "开始之前" in cell(284, "actual")["note"]


def test_sums_run_from_the_first_year_of_the_plan() -> None:
    # taxes 4 x 100,000 万元 a year = 40 亿元; 2015 and 2016
    assert cell(129, "actual")["value"] == pytest.approx(80)
    assert cell(129, "completion")["value"] == pytest.approx(10)
    # output 8 x 10,000,000 千元 = 800 亿元 a year
    assert cell(136, "actual")["value"] == pytest.approx(1600)


def test_a_gap_in_the_years_is_not_filled() -> None:
    product = targets_progress(YEARS[2016], programme(), {2014: YEARS[2014]}.get)
    row = cell(129, "actual", product)
    assert (row["value"], row["status"]) == (None, "M")
    assert row["note"].startswith("缺2015年数据")
    assert cell(129, "standing", product)["status"] == "M"


def test_before_the_plan_nothing_is_measured() -> None:
    product = targets_progress(YEARS[2014], programme(), YEARS.get)
    assert cell(108, "actual", product)["value"] == pytest.approx(552.4)
    assert cell(108, "standing", product)["note"] == "不计进度"
    assert cell(108, "gap", product)["note"] == "规划或阶段尚未开始"
    assert cell(129, "actual", product)["note"] == "2014年在规划或阶段开始之前,没有累计数"


def test_what_is_missing_is_named() -> None:
    assert cell(109, "actual")["note"] == "没有园区报送全社会R&D经费(K26)"
    some = YEARS[2016].parks.with_columns(K26=pl.when(pl.col("park") != "LBGX").then(pl.lit(Decimal(5))))
    product = targets_progress(PeriodData(Period(2016), YEARS[2016].rosters, some), programme(), YEARS.get)
    assert cell(109, "actual", product)["note"] == "兰州高新区未报全社会R&D经费(K26)"
    assert cell(116, "actual")["note"] == "没有单位报送认定登记技术合同成交金额(I17)"
    assert "背景资料没有2016年的全省高新技术企业数(K35)" in cell(2, "actual")["note"]
    assert "没有成员园区" in cell(79, "actual")["note"]


def test_a_count_of_what_nobody_reported_is_missing_not_zero() -> None:
    row = cell(135, "actual")
    assert (row["value"], row["note"]) == (None, "没有单位报送知识产权优势企业标志(B23)")
    parks = cell(49, "actual")
    assert parks["value"] is None and parks["note"].startswith("没有园区报送")


def test_counts_and_zones() -> None:
    assert cell(130, "actual")["value"] == 4000 and cell(130, "actual")["decimals"] == 0
    assert cell(151, "actual")["value"] == 1000 and cell(151, "standing")["note"] == "已达成"
    assert cell(151, "actual")["area"] == "LBXQ"
    assert cell(133, "actual")["value"] == 4


def test_the_task_register() -> None:
    assert cell(124, "actual")["value"] == 32.5  # two bodies added up
    assert cell(124, "completion")["value"] == pytest.approx(32.5 / 160 * 100)
    assert cell(31, "standing")["note"] == "已达成"  # a milestone
    assert cell(138, "actual")["note"] == "任务表的计量单位“家”与目标的“个”不同"
    assert cell(122, "actual")["note"] == "有2个责任单位填报,%不能相加"
    assert cell(125, "actual")["note"] == "任务表没有第125号任务的报送"
    assert cell(177, "actual")["area"] == "LBSYQ" and cell(177, "actual")["indicator_name"].startswith("化工产业:")


def test_background_rows_are_shown_and_not_measured() -> None:
    assert cell(290, "baseline")["value"] == 2449
    assert cell(290, "actual")["status"] == "Z" and cell(290, "actual")["note"].startswith("仅作背景")
    assert PRODUCT.cells.filter(indicator="LB.290", measure="completion").is_empty()
    assert cell(105, "actual")["area"] == "" and "不在园区名录内" in cell(105, "actual")["note"]


def test_thresholds_are_counted_and_listed_for_the_office_only() -> None:
    # 投资强度 600 and 500 万元/亩: above 500 is one
    assert cell(44, "units_meeting")["value"] == 1
    assert threshold_list(YEARS[2016], programme(), quarter(2016)).select("row_no", "unit_id").rows() == [(44, "p1")]
    ids = set(threshold_list(YEARS[2016], programme(), quarter(2016))["unit_id"])
    assert not any(unit in text for unit in ids for text in PRODUCT.cells["note"].to_list())
    assert PRODUCT.parts.filter(row_key="QH-PARK.44|units_meeting").select("n", "administrative").row(0) == (1, False)


def test_a_pair_of_thresholds_is_met_together() -> None:
    # revenue 4 亿元, R&D 7.5 % in every second enterprise; 5 and 3 are to be exceeded, both
    guizhou = year(2024, 1_000_000)
    frame = guizhou.rosters["enterprise"].with_columns(park=pl.lit("GZGY"))
    exact = frame.with_columns(F01=pl.when(pl.col("unit_id") == "LBBY1").then(300_000).otherwise("F01"))
    data = PeriodData(Period(2024), {"enterprise": exact}, guizhou.parks.with_columns(park=pl.lit("GZGY")).head(1))
    product = targets_progress(data, programme())
    assert cell(67, "units_meeting", product)["value"] == 3
    assert cell(68, "units_meeting", product)["value"] == 3


def test_levels_past_their_target_year_are_taken_as_of_that_year() -> None:
    late = {2020: year(2020, 3_500_000), 2022: year(2022, 3_000_000), 2014: YEARS[2014]}
    product = targets_progress(late[2022], programme(), late.get)
    assert cell(108, "actual", product)["value"] == pytest.approx(1400)
    assert cell(108, "standing", product)["note"] == "已达成"


def test_parts_stand_behind_every_figure_made_of_answers() -> None:
    assert set(PRODUCT.cells["row_key"]) == set(PRODUCT.parts["row_key"])
    behind = PRODUCT.parts.filter(row_key="LB.136|completion")
    assert behind["administrative"].to_list() == [False, False]
    assert sorted(behind["part"].to_list()) == ["SUM(O01)", "SUM(O01)@2015"]
    assert PRODUCT.parts.filter(row_key="LB.129|actual")["administrative"].all()


def test_what_is_left_and_the_score_of_the_year() -> None:
    assert cell(108, "remaining")["value"] == pytest.approx(1377 - 660)
    assert cell(108, "needed_per_year")["value"] == pytest.approx((1377 - 660) / 4)
    assert cell(108, "needed_growth")["value"] == pytest.approx(((1377 / 660) ** 0.25 - 1) * 100)
    assert cell(118, "score_period")["value"] == pytest.approx(107.6 / 8 / 25 * 100)
    assert PRODUCT.cells.filter(indicator="LB.118", measure="needed_growth").is_empty()  # an increment has no growth
    assert PRODUCT.cells.filter(indicator="LB.108", measure="score_final").is_empty()  # 2020 is not over
    behind = PRODUCT.parts.filter(pl.col("row_key") == "LB.136|remaining")
    assert behind.filter(~pl.col("administrative")).height


def test_figures_of_enterprises_are_weighted_and_say_so() -> None:
    """Four enterprises that each stand for one and a half are six, marked E; sheet figures do not change."""
    plain = year(2020, 500_000)
    frame = plain.rosters["enterprise"].with_columns(weight=pl.lit(1.0), imputed=pl.lit(False))
    even = PeriodData(plain.period, {"enterprise": frame}, plain.parks)
    standing_for = frame.with_columns(weight=pl.lit(1.5))
    heavy = PeriodData(plain.period, {"enterprise": standing_for}, plain.parks)
    before, after = (
        targets_progress(data, programme(), as_filed=even).cells.filter(pl.col("value").is_not_null())
        for data in (even, heavy)
    )
    assert before.filter(status="E").is_empty()
    both = before.join(after, on="row_key", suffix="_after")
    sums = both.filter((pl.col("measure") == "actual") & (pl.col("formula") == "COUNT(B20==1)"))
    assert sums.select("value", "value_after", "status_after").rows() == [(4, 6, "E")]
    assert all("按权数" in note for note in sums["note_after"])
    sheet = both.filter((pl.col("measure") == "actual") & pl.col("formula").str.contains(r"^K04"))
    assert sheet.height and sheet["status_after"].unique().to_list() == ["A"]
