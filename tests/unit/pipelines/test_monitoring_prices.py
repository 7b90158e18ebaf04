"""Growth at constant prices and chains of published growth, by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from pipelines.methods.monitoring import monitoring_figures
from pipelines.methods.monitoring_chain import published_chains
from pipelines.methods.monitoring_sides import MonitoringRound
from pipelines.methods.product import Product
from schemas.catalog import programme
from schemas.marts import CELL_COLUMNS
from schemas.period import Period
from schemas.period_data import PeriodData

PROGRAMME = programme()
FOURTH = Period(2016, 4)


def quarter(context: dict[str, Any] | None) -> PeriodData:
    units = {
        "unit_id": ["a", "b", "c"],
        "park": ["LBXQ"] * 3,
        "B07": ["2710"] * 3,
        "B10": ["3"] * 3,
        "answer_status": ["0"] * 3,
    }
    figures = {"O01": [110, 220, 330], "O01_yoy": [100, 200, 300], "F01": [1, 2, 3], "F01_yoy": [1, 2, 3]}
    frame = pl.DataFrame({**units, **figures}).with_columns(weight=pl.lit(1.0), imputed=pl.lit(False))
    data = PeriodData(FOURTH, {"enterprise": frame}, pl.DataFrame({"park": ["LBXQ"]}))
    if context is None:
        return data
    schema = {"Y01": pl.String, "Y02": pl.Int64, "K50": pl.Float64, "K51": pl.Float64, "K52": pl.Float64}
    return replace(data, context=pl.DataFrame([{**dict.fromkeys(schema), **context}], schema=schema))


def cells(product: Product, measure: str, indicator: str = "O01", area: str = "LBXQ") -> list[Any]:
    return product.cells.filter(measure=measure, indicator=indicator, area=area).sort("breakdown").to_dicts()


def test_growth_at_constant_prices_by_hand() -> None:
    """660 against 600 is 10 %; prices of producers up 4 %: 1.1 / 1.04 − 1 = 5.77 %; at last year's prices 660 / 1.04."""
    made = monitoring_figures(MonitoringRound(quarter({"Y01": "620000", "Y02": 2016, "K51": 104.0})), PROGRAMME)
    (real,) = cells(made, "growth_real")
    assert real["value"] == pytest.approx((1.1 / 1.04 - 1) * 100) and real["note"] == "按K51缩减"
    assert cells(made, "cumulative_constant")[0]["value"] == pytest.approx(660 / 1.04)
    assert cells(made, "growth_real", "F01") == []  # no price index is named for revenue
    zone = [c for c in cells(made, "growth_real", area="LBSYQ") if c["breakdown"] == "zone"]
    assert [c["value"] for c in zone] == [real["value"]]
    # behind it stand the same sums as behind the growth at current prices
    key, plain = real["row_key"], cells(made, "growth_restated")[0]["row_key"]
    behind = [set(made.parts.filter(row_key=k)["part"]) for k in (key, plain)]
    assert behind[0] == behind[1] != set()


@pytest.mark.parametrize(
    "context", [None, {"Y01": "620000", "Y02": 2016}, {"Y01": "110000", "Y02": 2016, "K51": 104.0}]
)
def test_without_an_index_of_the_area_or_its_province_there_is_no_figure(context: dict[str, Any] | None) -> None:
    made = monitoring_figures(MonitoringRound(quarter(context)), PROGRAMME)
    assert cells(made, "growth_real") == [] == cells(made, "cumulative_constant")


def published(period: str, value: float | None, status: str = "P", measure: str = "growth_restated") -> pl.DataFrame:
    row = {
        **dict.fromkeys(CELL_COLUMNS, ""), "row_key": f"{period}{measure}", "period": period, "area": "LBXQ", "breakdown": "total", "category": "T",
        "indicator": "F01", "measure": measure, "value": value, "decimals": 1, "status": status,
    }  # fmt: skip
    return pl.DataFrame([row], schema=CELL_COLUMNS)


def test_a_chain_multiplies_what_was_published() -> None:
    """10 %, 20 %, 50 % in 2014, 2015, 2016: 100 in 2013, then 110, 132, 198; other quarters play no part."""
    earlier = pl.concat([published("2014-Q2", 10), published("2015-Q2", 20, "E"), published("2015-Q4", 900)])
    made = published_chains(published("2016-Q2", 50), earlier, Period(2016, 2)).row(0, named=True)
    assert made["value"] == pytest.approx(198) and made["note"] == "2013年同季为100"
    assert (made["measure"], made["status"]) == ("chained_index", "E")


def test_a_hidden_or_missing_year_ends_the_chain() -> None:
    """What was kept back in 2015 cannot be worked out of the chain of 2016."""
    earlier = pl.concat([published("2014-Q2", 10), published("2015-Q2", None, "C")])
    made = published_chains(published("2016-Q2", 50), earlier, Period(2016, 2)).row(0, named=True)
    assert made["value"] == pytest.approx(150) and made["note"] == "2015年同季为100"
    assert published_chains(published("2016-Q2", None, "C"), earlier, Period(2016, 2)).is_empty()
    assert published_chains(published("2016-Q2", 50), None, Period(2016, 2))["value"].to_list() == pytest.approx([150])


def test_real_growth_has_a_chain_of_its_own() -> None:
    now = published("2016-Q4", 5, measure="growth_real")
    earlier = published("2015-Q4", 4, measure="growth_real")
    made = published_chains(now, earlier, FOURTH)
    assert made["measure"].to_list() == ["chained_real"]
    assert made["value"][0] == pytest.approx(105 * 1.04)
