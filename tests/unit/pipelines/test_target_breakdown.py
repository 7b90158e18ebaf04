"""Breakdown of targets to zones and years: versions, completion by zone, parts that do not add up are told."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from pipelines.methods.target_breakdown import parts_on, targets_breakdown
from schemas.catalog import programme
from schemas.errors import DefinitionError
from schemas.model import Programme, TargetPart
from schemas.period import Period
from schemas.period_data import PeriodData
from schemas.plan_files import read_parts

DAY = date(2016, 1, 1)
PARTS = (
    TargetPart(108, "LBGX", 2016, 200.0, DAY, "甲号"),
    TargetPart(108, "LBXQ", 2016, 160.0, DAY, "甲号"),
    TargetPart(108, "LBXQ", 2016, 150.0, date(2016, 6, 1), "乙号"),
    TargetPart(108, "LBXQ", 2017, 180.0, DAY, "甲号"),
    TargetPart(124, "LBGX", 2016, 5.0, DAY, "甲号"),
)


def source(*parts: TargetPart) -> Programme:
    shipped = programme()
    return replace(
        shipped, editions={**shipped.editions, "2015": replace(shipped.editions["2015"], target_parts=parts)}
    )


def data(year: int) -> PeriodData:
    zones = ["LBBY", "LBGX", "LBJJ", "LBXQ"]
    return PeriodData(Period(year), {}, pl.DataFrame({"park": zones, "K04": [Decimal("1650000.00")] * 4}))


def test_of_each_area_the_version_in_force() -> None:
    assert [p.value for p in parts_on(PARTS, 2016, date(2016, 5, 31))] == [200, 160, 5]
    assert [p.value for p in parts_on(PARTS, 2016, date(2016, 12, 31))] == [200, 150, 5]
    assert [p.value for p in parts_on(PARTS, 2017, date(2017, 12, 31))] == [180]
    assert parts_on(PARTS, 2018, date(2018, 12, 31)) == []


def test_each_zone_against_its_own_part() -> None:
    made = targets_breakdown(data(2016), source(*PARTS))
    found = {(r["area"], r["indicator"], r["measure"]): r for r in made.cells.iter_rows(named=True)}
    assert (
        found["LBXQ", "LB.108", "part_target"]["value"] == 150
        and "乙号" in found["LBXQ", "LB.108", "part_target"]["note"]
    )
    assert found["LBXQ", "LB.108", "part_actual"]["value"] == 165
    assert found["LBXQ", "LB.108", "part_completion"]["value"] == pytest.approx(110)
    assert found["LBGX", "LB.108", "part_completion"]["value"] == pytest.approx(82.5)
    assert (
        found["LBSYQ", "LB.108", "parts_total"]["value"] == 350
        and found["LBSYQ", "LB.108", "parts_total"]["note"] == "没有分解到白银高新区、兰州经济区"
    )
    assert found["LBGX", "LB.124", "part_actual"]["status"] == "M"  # tasks are not computed by zone
    assert set(made.parts["row_key"]) == set(made.cells["row_key"])


def test_parts_that_do_not_add_up_are_kept_and_told() -> None:
    zones = {"LBXQ": 400.0, "LBGX": 300.0, "LBJJ": 200.0}
    made = targets_breakdown(data(2020), source(*(TargetPart(108, z, 2020, v, DAY, "甲号") for z, v in zones.items())))
    (total,) = made.cells.filter(measure="parts_total").to_dicts()
    assert (total["area"], total["value"]) == ("LBSYQ", 900)
    assert total["note"] == "各区分解合计与目标值1377不一致,照录;没有分解到白银高新区"
    whole = TargetPart(108, "LBSYQ", 2020, 1000.0, DAY, "甲号")
    made = targets_breakdown(
        data(2020), source(whole, *(TargetPart(108, z, 2020, v, DAY, "甲号") for z, v in zones.items()))
    )
    (total,) = made.cells.filter(measure="parts_total").to_dicts()
    assert total["value"] == 900 and "各区分解合计与全区2020年分解值1000不一致,照录" in total["note"]


def test_before_its_year_the_next_part_is_shown_and_a_revision_names_what_it_replaces() -> None:
    made = targets_breakdown(data(2016), source(TargetPart(108, "LBGX", 2018, 300.0, DAY, "甲号"), *PARTS[1:3]))
    found = {(r["area"], r["measure"]): r for r in made.cells.iter_rows(named=True)}
    part = found["LBGX", "part_target"]
    assert (part["value"], part["indicator_name"]) == (300, "地区生产总值(2018年)")
    assert part["note"] == "2018年末数;依据甲号,自2016-01-01起"
    assert found["LBGX", "part_completion"]["value"] == pytest.approx(55)  # 165 of 300, two years before it is due
    revised = found["LBXQ", "part_target"]["note"]
    assert revised == "2016年末数;依据乙号,自2016-06-01起;原为160(依据甲号)"
    assert found["LBSYQ", "parts_total"]["value"] == 150  # of 2016, the year due first


def test_the_shipped_breakdown_adds_up_as_the_plan_says() -> None:
    """The plan's own numbers: 1000 + 3000 + 1200 + 1000 = 6,200 enterprises, and the stages added up to each target."""
    edition = programme().editions["2015"]
    targets = {t.row_no: t for t in edition.targets}
    by_name = {(t.area, t.name.removeprefix("其中:")): t.target_value for t in edition.targets}
    zones = {"LBXQ": "兰州新区", "LBGX": "兰州高新区", "LBJJ": "兰州经济区", "LBBY": "白银高新区"}
    called = {130: "入区企业", 131: "工业企业", 132: "规模以上工业企业", 134: "高新技术企业"}
    for row, name in called.items():
        own = {p.area: p.value for p in edition.target_parts if p.row_no == row}
        assert own == {code: by_name[zone, name] for code, zone in zones.items()}
        assert sum(own.values()) == targets[row].target_value
    for row in (118, 129, 133, 136, 143):
        stages = [targets[int(n)] for n in targets[row].path.removeprefix("stage:").split(";")]
        parts = [(p.year, p.value) for p in edition.target_parts if p.row_no == row]
        sums = [sum(t.target_value or 0 for t in stages[: n + 1]) for n in range(3)]
        assert parts == list(zip((2015, 2017, 2020), sums, strict=True)) and sums[-1] == targets[row].target_value
    assert {p.row_no for p in edition.target_parts} == {*called, 118, 129, 133, 136, 143}


def test_without_a_breakdown_there_is_nothing() -> None:
    assert targets_breakdown(data(2016), source()).cells.is_empty()


def test_a_part_needs_a_document(tmp_path: Path) -> None:
    folder = tmp_path / "plans" / "breakdown"
    folder.mkdir(parents=True)
    head = "row_no,area,year,value,effective,document\n"
    (folder / "LB.csv").write_text(f"{head}108,LBGX,2016,200,2016-01-01,甲号\n", encoding="utf-8")
    assert read_parts(tmp_path, None) == (PARTS[0],)
    (folder / "LB.csv").write_text(f"{head}108,LBGX,2016,200,2016-01-01,\n", encoding="utf-8")
    with pytest.raises(DefinitionError):
        read_parts(tmp_path, None)
