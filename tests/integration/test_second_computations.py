"""Projects and contribution a second time, by plain SQL on the facts and plain arithmetic, without the engine (issue 4, 5).

The other products: monitoring, index, innovation and targets in ``test_main_job.py``, evaluation in ``test_evaluation.py``,
imputed totals in ``test_imputed_release.py``; the formulas here are written by hand from index_system 8 and requirement D5.
"""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from tests.integration import independent_figures as independent

pytestmark = pytest.mark.slow
PROJECTS = """
SELECT count(*) FILTER (J14 = '0') AS P01, count(J03) AS P02,
    count(*) FILTER (J07 = '1') * 100.0 / nullif(count(*) FILTER (J03 IS NOT NULL), 0) AS P03,
    count(*) FILTER (J08 = '1') * 100.0 / nullif(count(*) FILTER (J03 IS NOT NULL), 0) AS P04,
    count(*) FILTER (J09 = '1') * 100.0 / nullif(count(*) FILTER (J03 IS NOT NULL), 0) AS P05,
    sum(J06) FILTER (J03 IS NOT NULL AND J05 IS NOT NULL) * 100.0
        / nullif(sum(J05) FILTER (J03 IS NOT NULL AND J06 IS NOT NULL), 0) AS P06,
    sum(J06) FILTER (J03 IS NOT NULL AND J04 IS NOT NULL) * 100.0
        / nullif(sum(J04) FILTER (J03 IS NOT NULL AND J06 IS NOT NULL), 0) AS P07,
    count(*) FILTER (J14 = '5') * 100.0 / nullif(count(*) FILTER (J03 IS NOT NULL), 0) AS P08, sum(J04) AS P09, sum(J06) AS P10
FROM (SELECT * REPLACE (J07::INT::VARCHAR AS J07, J08::INT::VARCHAR AS J08, J09::INT::VARCHAR AS J09, J14::VARCHAR AS J14)
    FROM effective.projects WHERE period = '2015-Q2' AND park IN (SELECT unnest(?)))
"""
# item → (own of the areas, last year's own as the forms restate it, the province's figure, its price index)
ITEMS = {
    "C01": ("sum(K04)", "sum(K04_yoy)", "K45", "K50"),
    "C03": ("sum(K23)", "sum(K23_yoy)", "K46", None),
    "C04": ("sum(K24)", "sum(K24_yoy)", "K47", "K52"),
    "C05": ("sum(K26)", "NULL", "K48", "K50"),
}


def released(province: Any, release: str, mart: str) -> pl.DataFrame:
    return pl.read_parquet(province.home / "releases" / release / "tables" / f"{mart}.parquet")


def test_project_rates_are_what_plain_sql_makes_them(province: Any) -> None:
    published = released(province, "2015-Q2.r1", "projects_rates").filter(breakdown="total")
    told = {(r["area"], r["indicator"]): r for r in published.iter_rows(named=True)}
    checked = 0
    with independent.snapshot(province.home) as con:
        for area, parks in ((independent.AREA, list(independent.PARKS)), *((p, [p]) for p in independent.PARKS)):
            row = con.execute(PROJECTS, [parks]).fetchone()
            assert row is not None
            for code, value in zip((f"P{n:02d}" for n in range(1, 11)), row, strict=True):
                cell = told[area, code]
                if cell["status"] != "C":
                    assert cell["value"] == (None if value is None else pytest.approx(float(value))), (area, code)
                    checked += 1
    assert checked >= 10


def test_contribution_is_what_plain_sql_and_arithmetic_make_it(province: Any) -> None:
    """share = own / whole; growth = own / last year's; at last year's prices own is divided by the index first."""
    published = released(province, "2014.r1", "contribution_figures").filter(table="province", breakdown="total")
    told = {(r["area"], r["indicator"], r["measure"]): r for r in published.iter_rows(named=True)}
    checked = 0
    with independent.snapshot(province.home) as con:
        context = con.sql("SELECT * FROM in_force.context WHERE Y01 = '620000' AND Y02 = 2014").pl().row(0, named=True)
        for area, parks in ((independent.AREA, list(independent.PARKS)), *((p, [p]) for p in independent.PARKS)):
            for item, (own, before, whole, price) in ITEMS.items():
                query = (
                    f"SELECT {own}, {before} FROM in_force.park WHERE period = '2014' AND park IN (SELECT unnest(?))"
                )
                now, then = con.execute(query, [parks]).fetchone() or (None, None)
                expected = {
                    "own": float(now),
                    "whole": float(context[whole]),
                    "share": float(now) / float(context[whole]) * 100,
                }
                if then is not None:
                    expected["growth_own"] = (float(now) / float(then) - 1) * 100
                    if price:
                        deflated = float(now) / (float(context[price]) / 100)
                        expected["growth_own_constant"] = (deflated / float(then) - 1) * 100
                for measure, value in expected.items():
                    assert told[area, item, measure]["value"] == pytest.approx(value), (area, item, measure)
                    checked += 1
    assert checked == 5 * (5 + 4 + 5 + 3)
