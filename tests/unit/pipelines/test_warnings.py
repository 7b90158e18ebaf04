"""The early-warning table on rosters whose figures are worked out by hand."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from pipelines.methods.monitoring import monitoring_figures
from pipelines.methods.monitoring_sides import MonitoringRound
from pipelines.methods.product import Product
from pipelines.methods.warnings import monitoring_warnings
from schemas.catalog import programme
from schemas.period import Period
from schemas.period_data import PeriodData

SCHEMA = {
    "unit_id": pl.String, "park": pl.String, "B07": pl.String, "answer_status": pl.String, "imputed": pl.Boolean,
    "weight": pl.Float64, "F01": pl.Int64, "F01_yoy": pl.Int64, "F13": pl.Int64, "F13_yoy": pl.Int64,
    "F22": pl.Int64, "F25": pl.Int64, "O01": pl.Int64, "O01_yoy": pl.Int64,
}  # fmt: skip


def round_of(period: str, revenue: int, units: int = 12, base: int = 1000, **more: Any) -> MonitoringRound:
    """``units`` equal enterprises, each with ``revenue`` after ``base`` a year before."""
    rows = [
        {
            "unit_id": f"u{n}", "park": "LBXQ", "B07": "2710", "answer_status": "0", "imputed": False, "weight": 1.0,
            "F01": revenue, "F01_yoy": base, "F13": 50, "F13_yoy": 60, "F22": 1000, "F25": 660,
            "O01": revenue, "O01_yoy": base, **more,
        }
        for n in range(units)
    ]  # fmt: skip
    frame = pl.DataFrame([{**dict.fromkeys(SCHEMA), **r} for r in rows], schema=SCHEMA, orient="row")
    context = pl.DataFrame({"Y01": ["620000"], "Y02": [2016], "K51": [95.0]})
    parks = pl.DataFrame({"park": ["LBXQ"]})
    return MonitoringRound(PeriodData(Period.parse(period), {"enterprise": frame}, parks, context))


def rows_of(product: Product, area: str = "LBXQ") -> dict[tuple[str, str], dict[str, Any]]:
    return {(r["indicator"], r["measure"]): r for r in product.cells.filter(area=area).iter_rows(named=True)}


def test_value_level_and_reason() -> None:
    found = rows_of(monitoring_warnings({"2016-Q2": round_of("2016-Q2", 937)}, programme()))
    assert found["W01", "value"]["value"] == pytest.approx(-6.3)
    assert found["W01", "value"]["note"] == "营业收入同比下降6.3%(同口径),低于橙色界限−5%"
    assert (found["W01", "level"]["value"], found["W01", "level"]["note"]) == (3, "低于橙色界限−5%")
    # 50/937 - 60/1000 = -0.664 points
    assert found["W03", "value"]["note"].startswith("营业收入利润率比上年同期下降0.66个百分点")
    assert found["W03", "level"]["value"] == 1
    assert found["W10", "value"]["value"] == pytest.approx(66.0) and found["W10", "level"]["value"] == 2
    assert found["W14", "value"]["value"] == 100 and found["W14", "level"]["value"] == 0
    assert found["W01", "sample"]["value"] == 12
    missing = found["W07", "level"]
    assert (missing["value"], missing["status"], missing["note"]) == (None, "M", "数据不全,不能计算")


def test_the_growth_judged_is_the_growth_published() -> None:
    round_ = round_of("2016-Q2", 937)
    figures = monitoring_figures(round_, programme()).cells
    published = figures.filter(area="LBXQ", breakdown="total", indicator="F01", measure="growth_restated")["value"][0]
    assert rows_of(monitoring_warnings({"2016-Q2": round_}, programme()))["W01", "value"]["value"] == published


def test_constant_prices_stand_beside_and_do_not_decide() -> None:
    found = rows_of(monitoring_warnings({"2016-Q2": round_of("2016-Q2", 937)}, programme()))
    assert found["W02", "value_constant"]["value"] == pytest.approx((0.937 / 0.95 - 1) * 100)
    assert found["W02", "level"]["value"] == 3
    assert found["W06", "value_constant"]["status"] == "M"


def test_small_samples_and_few_comparable_units_get_no_level() -> None:
    few = rows_of(monitoring_warnings({"2016-Q2": round_of("2016-Q2", 937, units=9)}, programme()))
    assert few["W01", "value"]["value"] == pytest.approx(-6.3)
    assert (few["W01", "level"]["value"], few["W01", "level"]["status"]) == (None, "Z")
    assert few["W01", "level"]["note"] == "样本只有9家,不足10家,只提示不定级"
    assert few["W14", "level"]["value"] == 0  # response is judged whatever the number
    whole = round_of("2016-Q2", 937, units=30)
    frame = whole.now.rosters["enterprise"].with_columns(
        F01_yoy=pl.when(pl.col("unit_id").is_in([f"u{n}" for n in range(20)])).then("F01_yoy"), F01_last=pl.lit(900)
    )
    thin = MonitoringRound(PeriodData(whole.now.period, {"enterprise": frame}, whole.now.parks, whole.now.context))
    found = rows_of(monitoring_warnings({"2016-Q2": thin}, programme()))
    assert found["W01", "level"]["note"] == "可比单位占67%,不足70%,只提示不定级"


def test_a_value_says_who_is_missing_from_it_and_what_was_estimated() -> None:
    whole = round_of("2016-Q2", 937, units=20)
    status = pl.when(pl.col("unit_id") == "u19").then(pl.lit("2")).otherwise("answer_status").alias("answer_status")
    silent = whole.now.rosters["enterprise"].with_columns(status)

    def value_of(frame: pl.DataFrame, indicator: str) -> dict[str, Any]:
        round_ = MonitoringRound(
            PeriodData(whole.now.period, {"enterprise": frame}, whole.now.parks, whole.now.context)
        )
        return rows_of(monitoring_warnings({"2016-Q2": round_}, programme()))[indicator, "value"]

    missing = value_of(silent, "W01")
    assert (
        missing["note"] == "营业收入同比下降6.3%(同口径),低于橙色界限−5%。未含1个未报单位" and missing["status"] == "P"
    )
    assert "未报单位" not in value_of(silent, "W14")["note"]  # the response rate is about them
    put = silent.with_columns(imputed=pl.col("unit_id") == "u19")
    assert (value_of(put, "W01")["status"], value_of(put, "W10")["status"]) == ("E", "E")
    assert value_of(put, "W01")["note"].endswith("低于橙色界限−5%。含1户估算数")


def test_two_quarters_raise_a_level_and_lift_a_warning() -> None:
    twice = {"2016-Q1": round_of("2016-Q1", 960), "2016-Q2": round_of("2016-Q2", 970)}
    found = rows_of(monitoring_warnings(twice, programme()))
    assert (found["W01", "raw_level"]["value"], found["W01", "level"]["value"]) == (2, 3)
    assert found["W01", "level"]["note"] == "低于黄色界限0%。连续2季达到黄色或以上,升为橙色"
    better = {"2015-Q4": round_of("2015-Q4", 960), "2016-Q1": round_of("2016-Q1", 1200)}
    found = rows_of(monitoring_warnings(better, programme()))
    assert (found["W01", "raw_level"]["value"], found["W01", "level"]["value"]) == (0, 2)
    assert "暂维持黄色" in found["W01", "level"]["note"]
    gap = {"2015-Q3": round_of("2015-Q3", 960), "2016-Q1": round_of("2016-Q1", 960)}
    assert rows_of(monitoring_warnings(gap, programme()))["W01", "level"]["value"] == 2


def concentrated(changes: list[int]) -> dict[str, MonitoringRound]:
    whole = round_of("2016-Q2", 1000, units=len(changes))
    frame = whole.now.rosters["enterprise"].with_columns(F01=pl.Series(changes, dtype=pl.Int64) + 1000)
    return {"2016-Q2": MonitoringRound(PeriodData(whole.now.period, {"enterprise": frame}, whole.now.parks))}


def test_dependence_on_the_largest_unit() -> None:
    product = monitoring_warnings(concentrated([800, *[20] * 10]), programme())
    found = rows_of(product)
    assert found["W16", "value"]["value"] == pytest.approx(80.0) and found["W16", "level"]["value"] == 3
    falling = rows_of(monitoring_warnings(concentrated([-950, *[-5] * 10]), programme()))
    assert falling["W16", "value"]["value"] == pytest.approx(95.0) and falling["W16", "level"]["value"] == 4
    # the largest unit's own change stands behind the value and behind a level that bounds it: one unit, so neither is published
    for measure in ("value", "level"):
        behind = product.parts.filter(row_key=f"LBXQ|W16|{measure}", part="max(SUM(F01 - yoy(F01)))")
        assert behind.select("n", "max1").row(0) == (1, 800.0)
    even = monitoring_warnings(concentrated([100] * 11), programme())
    assert rows_of(even)["W16", "level"]["value"] == 0
    assert even.parts.filter(row_key="LBXQ|W16|level")["part"].to_list() == ["SUM(F01 - yoy(F01))"]
    assert "800" not in found["W16", "level"]["note"] and "80.0" not in found["W16", "level"]["note"]


def test_a_small_increment_leaves_dependence_undetermined() -> None:
    found = rows_of(monitoring_warnings(concentrated([100, *[0] * 10]), programme()))  # 100 of 11,000: under 1 %
    assert found["W16", "value"]["value"] is None
    assert found["W16", "level"]["note"] == "增量的绝对值不足上年同期总量的1%,不定级"


def progress_of(rows: list[tuple[str, int, str, float | None]]) -> Product:
    """Cells of targets_progress at the end of 2015: area, row of plan LB, measure, value."""
    cells = [{"area": a, "indicator": f"LB.{n}", "measure": m, "value": v, "period": "2015"} for a, n, m, v in rows]
    schema = {"area": pl.String, "indicator": pl.String, "measure": pl.String, "value": pl.Float64, "period": pl.String}
    return Product(pl.DataFrame(cells, schema=schema), pl.DataFrame())


def target_warning(targets: Product | None, period: str = "2016-Q2") -> dict[tuple[str, str], dict[str, Any]]:
    return rows_of(monitoring_warnings({period: round_of(period, 937)}, programme(), targets=targets))


RUNNING = [t.row_no for t in programme().editions["2015"].targets if t.plan_id == "LB" and t.target_year == 2020]


def test_target_progress_is_the_median_gap_of_the_targets_that_still_run() -> None:
    gaps = [4.0, -12.0, -6.0, -7.0, 1.0]
    running = [("LBXQ", row, "gap", gap) for row, gap in zip(RUNNING, gaps, strict=False)]
    stages = [("LBXQ", row, "gap", -90.0) for row in (272, 273, 274, 275)]  # of the year 2015: finished in 2016
    found = target_warning(progress_of([*running, *stages]))
    assert found["W15", "value"]["value"] == -6.0 and found["W15", "level"]["value"] == 2
    assert found["W15", "value"]["note"] == (
        "未到期规划目标完成率与应达进度之差(各目标的中位数)为−6.0个百分点,低于黄色界限−5个百分点。依据截至2015年底的5项未到期目标"
    )
    sample = found["W15", "sample"]
    assert (sample["value"], sample["unit_measure"], sample["measure_name"]) == (5, "项", "样本目标数")
    # in 2015 itself the stage is not over: seven more such targets would decide the median
    assert target_warning(progress_of([*running, *stages]), "2015-Q2")["W15", "value"]["value"] == -12.0


def test_too_few_targets_give_no_level_and_finished_plans_no_value() -> None:
    few = target_warning(progress_of([("LBXQ", row, "gap", -30.0) for row in RUNNING[:4]]))
    assert few["W15", "value"]["value"] == -30.0
    level = few["W15", "level"]
    assert (level["value"], level["status"], level["note"]) == (None, "Z", "样本只有4项目标,不足5项,只提示不定级")
    over = progress_of(
        [("LBXQ", row, m, -32.0) for row in (272, 273, 274, 275, *RUNNING[:3]) for m in ("gap", "expected")]
    )
    found = target_warning(over, "2025-Q1")
    assert found["W15", "value"]["value"] is None and "sample" not in {m for i, m in found if i == "W15"}
    assert found["W15", "level"]["note"] == "本区规划目标均已到期(最晚2020年),不再预警"


def test_without_target_progress_the_reason_is_said() -> None:
    assert target_warning(None)["W15", "level"]["note"] == "上年没有年报,目标进展未计算"
    row = RUNNING[0]
    reasons = {
        "没有本区的规划目标": [("LBGX", row, "expected", 50.0)],
        "本区规划目标均未到起算时间": [("LBXQ", row, "expected", 0.0), ("LBXQ", row, "gap", None)],
        "本区规划目标缺少计算进度的数据": [("LBXQ", row, "expected", 20.0), ("LBXQ", row, "gap", None)],
    }
    for said, rows in reasons.items():
        assert target_warning(progress_of(rows))["W15", "level"]["note"] == said


def test_a_sample_of_projects_is_told_in_projects() -> None:
    whole = round_of("2016-Q2", 937)
    projects = pl.DataFrame(
        {
            "unit_id": [f"p{n}" for n in range(6)], "park": ["LBXQ"] * 6, "J03": [1] * 6, "J05": [100] * 6,
            "J06": [40] * 6, "J08": [True] * 6,
        }
    )  # fmt: skip
    data = PeriodData(whole.now.period, {**whole.now.rosters, "projects": projects}, whole.now.parks)
    found = rows_of(monitoring_warnings({"2016-Q2": MonitoringRound(data)}, programme()))
    assert found["W12", "value"]["value"] == pytest.approx(40.0)
    assert found["W12", "level"]["note"] == "样本只有6个项目,不足10个,只提示不定级"
    assert (found["W12", "sample"]["unit_measure"], found["W12", "sample"]["measure_name"]) == ("个", "样本项目数")
    assert found["W13", "level"]["note"] == "样本只有6个项目,不足10个,只提示不定级"


def test_the_combined_level_says_what_fired() -> None:
    found = rows_of(monitoring_warnings({"2016-Q2": round_of("2016-Q2", 850)}, programme()))
    assert found["W01", "level"]["value"] == 4
    assert found["W", "level"]["value"] >= 3  # any red is at least orange
    assert found["W", "level"]["value"] == 3 and found["W", "level"]["note"].startswith("红色2项")
    assert found["W", "level"]["note"].endswith("。有红色指标:W01、W02,综合等级至少橙色")


def test_every_cell_has_parts_and_growth_carries_both_sides() -> None:
    product = monitoring_warnings({"2016-Q2": round_of("2016-Q2", 937)}, programme())
    assert set(product.cells["row_key"]) == set(product.parts["row_key"])
    sides = product.parts.filter(row_key="LBXQ|W01|value").select("part", "role", "n", "max1", "total").rows()
    assert sides == [("SUM(F01)", "numerator", 12, 937.0, 11244.0), ("SUM(yoy(F01))", "base", 12, 1000.0, 12000.0)]
