"""Investment projects: rates worked by hand over five projects of two zones, groups, conditions, lists."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from pipelines.methods.product import Product
from pipelines.methods.projects import listed_units, project_rates, project_risks
from schemas.catalog import programme
from schemas.period import Period
from schemas.period_data import PeriodData

SCHEMA = {
    "unit_id": pl.String, "park": pl.String, "J02": pl.String, "J03": pl.Date, "J04": pl.Decimal(18, 2), "J05": pl.Decimal(18, 2),
    "J06": pl.Decimal(18, 2), "J07": pl.Boolean, "J08": pl.Boolean, "J09": pl.Boolean, "J10": pl.String, "J12": pl.String, "J14": pl.String,
}  # fmt: skip


def project(unit: str, park: str, **given: Any) -> dict[str, Any]:
    return {**dict.fromkeys(SCHEMA), "unit_id": unit, "park": park, "J02": "1", **given}


ROWS = [
    project("p1", "LBGX", J03=date(2014, 5, 1), J04=1000, J05=400, J06=100, J07=False, J08=False, J09=False, J14="1"),
    project(
        "p2",
        "LBGX",
        J03=date(2016, 5, 1),
        J04=1000,
        J05=500,
        J06=500,
        J07=True,
        J08=True,
        J09=False,
        J14="3",
        J12="LBGX01",
    ),
    project("p3", "LBGX", J03=date(2016, 6, 1), J04=2000, J06=300, J07=True, J08=False, J09=False, J14="2", J10="1"),
    project(
        "p4", "LBBY", J03=date(2013, 6, 1), J04=500, J05=500, J06=600, J07=True, J08=True, J09=True, J14="5", J02="2"
    ),
    project("p5", "LBBY", J14="0"),
]


def data() -> PeriodData:
    money = ("J04", "J05", "J06")
    rows = [{k: Decimal(v) if k in money and v is not None else v for k, v in row.items()} for row in ROWS]
    parks = pl.DataFrame({"park": ["LBBY", "LBGX"]})
    return PeriodData(Period(2016, 4), {"projects": pl.DataFrame(rows, schema=SCHEMA, orient="row")}, parks)


RATES = project_rates(data(), programme())


def value(area: str, indicator: str, breakdown: str = "total", category: str = "T", made: Product = RATES) -> Any:
    found = made.cells.filter(area=area, indicator=indicator, breakdown=breakdown, category=category)
    assert found.height == 1, (area, indicator, breakdown, category)
    return found["value"][0]


def test_rates_of_signed_projects() -> None:
    assert (value("LBSYQ", "P01"), value("LBSYQ", "P02")) == (1, 4)  # the reserve project is not signed
    assert value("LBSYQ", "P03") == pytest.approx(75)  # 履约率 3 of 4
    assert value("LBSYQ", "P04") == pytest.approx(50)  # 开工率 2 of 4
    assert value("LBSYQ", "P05") == pytest.approx(25)
    assert value("LBSYQ", "P06") == pytest.approx(1200 / 1400 * 100)  # p3 has no schedule: its funds do not count
    assert value("LBSYQ", "P07") == pytest.approx(1500 / 4500 * 100)
    assert value("LBSYQ", "P08") == pytest.approx(25)
    assert value("LBGX", "P03") == pytest.approx(200 / 3)


def test_groups_by_base_type_and_investor() -> None:
    assert value("LBGX", "P02", "project_base", "LBGX01") == 1
    assert value("LBGX", "P02", "project_base", "_") == 2
    assert value("LBSYQ", "P03", "project_type", "2") == 100
    names = dict(RATES.cells.filter(breakdown="project_type").select("category", "category_name").iter_rows())
    assert names["1"] == "招商"
    assert set(RATES.cells.filter(breakdown="project_base", area="LBGX")["category_name"]) == {"雁滩园区", "未填"}


def test_sums_and_counts_of_projects_are_judged_by_disclosure_control() -> None:
    parts = RATES.parts.filter(pl.col("row_key") == "LBGX|total|T|P06")
    assert parts.height == 2 and not parts["administrative"].any()
    assert set(parts["role"]) == {"numerator", "denominator"}
    assert parts.filter(role="numerator")["max1"].to_list() == [500.0]


def test_projects_to_be_looked_at() -> None:
    found = project_risks(data(), programme()).cells.select("category", "indicator").rows()
    assert found == [("p4", "R4"), ("p1", "R1"), ("p1", "R2"), ("p1", "R3")]


def test_lists_of_units_name_the_park() -> None:
    units = pl.DataFrame(
        {"row_no": [45], "name": ["亩均税收"], "area": ["LBSYQ"], "park": ["LBGX"], "unit_id": ["p1"], "value": [31.5]}
    )
    made = listed_units(units, programme(), data()).cells.row(0, named=True)
    assert (made["category"], made["value"], made["note"]) == ("p1", 31.5, "填报园区:兰州高新区")


def test_without_projects_there_is_nothing() -> None:
    bare = PeriodData(Period(2016, 4), {}, pl.DataFrame({"park": ["LBGX"]}))
    assert project_rates(bare, programme()).cells.is_empty() and project_risks(bare, programme()).cells.is_empty()
