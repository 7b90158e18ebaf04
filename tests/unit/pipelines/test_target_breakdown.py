"""Breakdown of targets to zones and years: versions, completion by zone, parts that do not add up are told."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from pipelines.methods.target_breakdown import parts_on, targets_breakdown
from schemas.catalog import _target_parts, programme
from schemas.errors import DefinitionError
from schemas.model import Programme, TargetPart
from schemas.period import Period
from schemas.period_data import PeriodData

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
        found["LBSYQ", "LB.108", "parts_total"]["value"] == 350 and not found["LBSYQ", "LB.108", "parts_total"]["note"]
    )
    assert found["LBGX", "LB.124", "part_actual"]["status"] == "M"  # tasks are not computed by zone
    assert set(made.parts["row_key"]) == set(made.cells["row_key"])


def test_parts_that_do_not_add_up_are_kept_and_told() -> None:
    made = targets_breakdown(data(2020), source(TargetPart(108, "LBXQ", 2020, 400.0, DAY, "甲号")))
    assert made.cells.filter(measure="parts_total")["note"].to_list() == ["各区分解合计与目标值1377不一致,照录"]


def test_without_a_breakdown_there_is_nothing() -> None:
    assert targets_breakdown(data(2016), programme()).cells.is_empty()


def test_a_part_needs_a_document(tmp_path: Path) -> None:
    folder = tmp_path / "plans" / "breakdown"
    folder.mkdir(parents=True)
    head = "row_no,area,year,value,effective,document\n"
    (folder / "LB.csv").write_text(f"{head}108,LBGX,2016,200,2016-01-01,甲号\n", encoding="utf-8")
    assert _target_parts(tmp_path, None) == (PARTS[0],)
    (folder / "LB.csv").write_text(f"{head}108,LBGX,2016,200,2016-01-01,\n", encoding="utf-8")
    with pytest.raises(DefinitionError):
        _target_parts(tmp_path, None)
