"""What an edition does not define is not computed; parks without an accepted report of a year are named."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import duckdb
import polars as pl
import pytest

from pipelines.inputs import Inputs
from pipelines.production import DECLARED_BY, DUE, PRODUCTS, compute, undeclared
from schemas.catalog import programme
from schemas.marts import MARTS
from schemas.model import Edition
from schemas.period import Period
from warehouse import facts
from warehouse.ledger.states import State

PROGRAMME = programme()
EDITION = PROGRAMME.editions["2025"]
YEAR = Period(2025)
WITHOUT: dict[str, dict[str, Any]] = {
    "index": {"indexes": {}},
    "evaluation": {"schemes": {}},
    "innovation": {"tables": tuple(t for t in EDITION.tables if t.product != "innovation")},
    "targets": {"targets": ()},
    "projects": {"projects": None},
    "contribution": {"contribution": None},
}


@pytest.mark.parametrize("product", DECLARED_BY)
def test_a_product_without_definitions_says_what_it_needs(product: str) -> None:
    assert undeclared(EDITION, product) == ""
    assert undeclared(replace(EDITION, **WITHOUT[product]), product).split(" ")[0] in DECLARED_BY[product][0]


def inputs(edition: Edition, submissions: tuple[Any, ...] = ()) -> Inputs:
    own = replace(PROGRAMME, editions={**PROGRAMME.editions, edition.id: edition})
    con = duckdb.connect()
    facts.create(con, own)
    register = pl.DataFrame(
        {"unit_id": ["1", "2", "3"], "park": ["LBGX", "LBXQ", "LBXQ"], "sub_park": [None] * 3, "status": [0] * 3},
        schema_overrides={"sub_park": pl.String},
    )
    return Inputs(con, own, {str(YEAR): register}, {}, cast("Any", submissions))


def test_a_programme_of_monitoring_alone_computes_the_rest_of_nothing() -> None:
    bare = replace(EDITION, **{k: v for changes in WITHOUT.values() for k, v in changes.items()})
    left = {name for name in DUE["A"] if not undeclared(bare, MARTS[name].product)}
    assert {MARTS[name].product for name in left} == {"monitoring", "quality"}
    assert compute(inputs(bare), YEAR, [p for p in PRODUCTS if p in DECLARED_BY]) == {}


def test_parks_without_an_accepted_report_are_named() -> None:
    def report(park: str, state: State) -> Any:
        return SimpleNamespace(park=park, period=YEAR, state=state)

    found = inputs(EDITION, (report("LBGX", State.ACCEPTED), report("LBXQ", State.REPORTED)))
    assert found.silent_parks(YEAR) == ["LBXQ"]
