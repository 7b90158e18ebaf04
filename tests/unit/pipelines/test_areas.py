"""Areas of the register and the area texts of the plans."""

from __future__ import annotations

from datetime import date

import polars as pl

from pipelines.methods.areas import areas_of, areawise, divisions_above, lookups, memberships, resolve, unresolved
from schemas.catalog import programme
from schemas.period import Period
from schemas.period_data import PeriodData

PARKS = programme().codelists["parks"].valid(date(2016, 12, 31))
AREAS = areas_of(PARKS)


def test_an_area_is_added_up_from_the_zones_that_name_it_as_their_group() -> None:
    assert AREAS["LBSYQ"].zones == ("LBBY", "LBGX", "LBJJ", "LBXQ")
    assert AREAS["QHZD"].zones == ("QHCD", "QHHD", "QHXN")
    assert AREAS["LBXQ"].zones == ("LBXQ",)
    assert AREAS["LBXQ01"].zones == () and AREAS["LBXQ01"].zone == "LBXQ"


def test_areas_that_overlap_others_have_no_members() -> None:
    assert AREAS["LBHX"].zones == () and AREAS["LZBY"].zones == ()


def test_context_is_looked_up_nearest_first() -> None:
    looked = lookups(AREAS.values())
    assert looked["LBGX"] == ("LBGX", "620100", "620000")
    assert looked["LBXQ"] == ("LBXQ", "620100", "620000")
    assert looked["LBSYQ"] == ("LBSYQ", "620000")
    assert looked["LBBY05"] == ("LBBY05", "620400", "620000")
    assert looked["NATHT"] == ("NATHT",)
    assert divisions_above("520602") == ("520600", "520000")


def test_plan_texts_resolve_by_name_and_short_name_and_split_a_qualifier() -> None:
    assert resolve("兰州高新区", AREAS).code == "LBGX"
    assert resolve("兰白试验区", AREAS).code == "LBSYQ"
    assert resolve("国家高新区(贵州)", AREAS).code == "GZGJ"
    found = resolve("兰白试验区-化工产业", AREAS)
    assert (found.code, found.qualifier) == ("LBSYQ", "化工产业")
    assert resolve("LBBY", AREAS).code == "LBBY"


def test_texts_outside_the_register_are_reported_and_only_background_rows_have_them() -> None:
    targets = programme().editions["2015"].targets
    missing = unresolved({t.area for t in targets}, AREAS)
    assert list(missing) == sorted(["4区", "上海张江", "中关村", "兰白地区", "武汉东湖"])
    assert {t.tracking for t in targets if t.area in missing} == {"context"}


def test_a_name_that_two_parks_bear_is_not_guessed() -> None:
    twice = PARKS.filter(pl.col("code").is_in(["LBXQ", "LBGX"])).with_columns(short_name=pl.lit("高新区"))
    found = resolve("高新区", areas_of(twice))
    assert found.code == "" and "不能确定" in found.problem


def test_a_row_stands_once_in_every_area_it_belongs_to() -> None:
    roster = pl.DataFrame(
        {"unit_id": ["u1", "u2", "u3"], "park": ["LBXQ", "LBGX", "QHGX"], "sub_park": ["LBXQ01", None, None]}
    )
    data = PeriodData(Period(2016, 1), {"enterprise": roster}, roster.select("park").unique())
    spread = areawise(data, AREAS, ["LBSYQ", "LBXQ", "LBGX", "LBXQ01"])
    pairs = set(spread.rosters["enterprise"].select("area", "unit_id").iter_rows())
    assert pairs == {
        ("LBSYQ", "u1"), ("LBSYQ", "u2"), ("LBXQ", "u1"), ("LBGX", "u2"), ("LBXQ01", "u1"),
    }  # fmt: skip
    assert set(memberships([AREAS["LBSYQ"]])["park"]) == set(AREAS["LBSYQ"].zones)
