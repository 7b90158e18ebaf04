"""Response: units by answer status, parks by state of their newest submission."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from pipelines.methods.areas import areas_of
from pipelines.methods.response import monitoring_response, park_counts, response_rates
from schemas.catalog import programme
from schemas.period import Period
from schemas.period_data import PeriodData
from warehouse.ledger.states import State

DEADLINE = datetime(2016, 7, 16, tzinfo=UTC)


@dataclass(frozen=True)
class Filed:
    park: str
    revision: int
    state: str
    received_at: datetime


def data(statuses: dict[str, str | None]) -> PeriodData:
    roster = pl.DataFrame(
        {
            "unit_id": list(statuses),
            "park": ["LBXQ"] * len(statuses),
            "B07": ["2710"] * len(statuses),
            "answer_status": list(statuses.values()),
        },
        schema={"unit_id": pl.String, "park": pl.String, "B07": pl.String, "answer_status": pl.String},
    )
    return PeriodData(Period(2016, 2), {"enterprise": roster}, pl.DataFrame({"park": ["LBXQ", "LBGX"]}))


def values(product: Any, area: str, indicator: str) -> dict[str, float | None]:
    rows = product.cells.filter(area=area, indicator=indicator, breakdown="total")
    return dict(rows.select("measure", "value").iter_rows())


STATUSES = {"a": "0", "b": "0", "c": "1", "d": "2", "e": "3", "f": "4", "g": "5", "h": "6", "i": None}


def test_units_by_answer_status_and_the_two_rates() -> None:
    found = values(monitoring_response(data(STATUSES), programme()), "LBXQ", "units")
    assert (found["units_due"], found["units_reported"], found["units_valid"]) == (7, 3, 2)
    assert found["units_unreachable"] == 2  # 3, and the one nobody dealt with
    assert (found["units_closed"], found["units_moved"], found["units_refused"]) == (1, 1, 1)
    assert found["response_rate"] == pytest.approx(300 / 7)
    assert found["valid_rate"] == pytest.approx(200 / 7)
    areas = areas_of(programme().codelists["parks"].rows)
    assert response_rates(data(STATUSES), [areas["LBSYQ"]]) == {"LBSYQ": (pytest.approx(300 / 7), 7)}


def test_without_anybody_due_the_rate_is_missing() -> None:
    product = monitoring_response(data({"g": "5"}), programme())
    row = product.cells.filter(area="LBXQ", measure="response_rate", breakdown="total").row(0, named=True)
    assert (row["value"], row["status"], row["note"]) == (None, "M", "没有应报单位")


def test_the_newest_revision_says_where_a_park_stands_and_the_first_whether_it_was_late() -> None:
    filings = [
        Filed("LBXQ", 1, "returned", DEADLINE - timedelta(days=1)),
        Filed("LBXQ", 2, "accepted", DEADLINE + timedelta(days=3)),
        Filed("LBGX", 1, "returned", DEADLINE + timedelta(seconds=1)),
    ]
    deadlines = {"LBXQ": DEADLINE, "LBGX": DEADLINE, "LBBY": DEADLINE}
    found = park_counts(["LBXQ", "LBGX", "LBBY"], filings, deadlines)
    assert found == {
        "parks_due": 3, "parks_reported": 1, "parks_accepted": 1, "parks_returned": 1, "parks_missing": 1,
        "parks_late": 1, "park_response_rate": pytest.approx(100 / 3),
    }  # fmt: skip
    assert park_counts(["LBXQ"], filings, None)["parks_late"] is None


def test_states_are_those_of_the_ledger() -> None:
    known = {str(s) for s in State}
    assert {"reported", "reopened", "accepted", "returned"} <= known


def test_response_is_administrative_throughout() -> None:
    product = monitoring_response(data(STATUSES), programme(), [Filed("LBXQ", 1, "reported", DEADLINE)])
    assert product.parts["administrative"].all()
    assert set(product.parts["row_key"]) == set(product.cells["row_key"])
    parks = values(product, "LBSYQ", "parks")
    assert (parks["parks_due"], parks["parks_reported"], parks["parks_late"]) == (2, 1, None)
