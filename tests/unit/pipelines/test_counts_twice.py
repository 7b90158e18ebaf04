"""Counts of findings and the breakdown of targets against a second computation by plain SQL, on arbitrary data."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.methods.target_breakdown import targets_breakdown
from pipelines.quality import quality_findings
from schemas.catalog import programme
from schemas.model import TargetPart
from schemas.period import Period
from schemas.period_data import PeriodData

ZONES = ("LBBY", "LBGX", "LBJJ", "LBXQ")
FINDING = st.tuples(st.sampled_from(["AF02", "XX9"]), st.sampled_from(["hard", "soft"]), st.sampled_from(["failed", "undetermined", "absorbed"]))  # fmt: skip
FILED = st.tuples(st.sampled_from(ZONES), st.sampled_from(["2015-Q1", "2015-Q2"]), st.lists(FINDING, max_size=5))


@settings(max_examples=15, deadline=None)
@given(st.lists(FILED, max_size=6))
def test_findings_are_counted_as_plain_sql_counts_them(filed: list[tuple[str, str, list[tuple[str, str, str]]]]) -> None:  # fmt: skip
    columns = ["rule", "severity", "outcome"]
    frames = {str(n): pl.DataFrame(f, schema=dict.fromkeys(columns, pl.String), orient="row") for n, (_, _, f) in enumerate(filed)}  # fmt: skip
    submissions: Any = {str(n): SimpleNamespace(park=park, period=Period.parse(p)) for n, (park, p, _) in enumerate(filed)}  # fmt: skip
    made = quality_findings(programme(), Period.parse("2015-Q2"), submissions, frames)
    told = {(r["area"], r["indicator"], r["category"], r["measure"]): r["value"] for r in made.to_dicts()}
    with duckdb.connect() as con:
        con.execute("CREATE TABLE f (park VARCHAR, period VARCHAR, rule VARCHAR, severity VARCHAR, outcome VARCHAR)")
        for park, period, own in filed:
            for row in own:
                con.execute("INSERT INTO f VALUES (?, ?, ?, ?, ?)", [park, period, *row])
        expected = con.sql(
            """SELECT coalesce(park, 'ALL'), rule, severity, outcome, count(*) FROM f WHERE period = '2015-Q2'
            GROUP BY GROUPING SETS ((park, rule, severity, outcome), (rule, severity, outcome))"""
        ).fetchall()
    assert told == {tuple(key): float(n) for *key, n in expected}


DAYS = (date(2016, 1, 1), date(2016, 6, 1), date(2016, 12, 31), date(2017, 1, 1))
PART = st.tuples(st.sampled_from([108, 130]), st.sampled_from(ZONES), st.sampled_from([2016, 2017]), st.integers(1, 90), st.sampled_from(DAYS))  # fmt: skip
LAND_AND_PRODUCT = st.lists(st.integers(1, 900), min_size=8, max_size=8)
BREAKDOWN = """
WITH valid AS (SELECT *, row_number() OVER (PARTITION BY row_no, area ORDER BY year, effective DESC) AS newest FROM parts
    WHERE year >= 2016 AND effective <= DATE '2016-12-31'),
standing AS (SELECT * FROM valid JOIN sheets USING (area) WHERE newest = 1)
SELECT row_no, area, 'part_target', value FROM standing
UNION ALL SELECT row_no, area, 'part_actual', CASE row_no WHEN 108 THEN K04 / 10000.0 ELSE K05 END FROM standing
UNION ALL SELECT row_no, area, 'part_completion', CASE row_no WHEN 108 THEN K04 / 10000.0 ELSE K05 END / value * 100 FROM standing
UNION ALL SELECT row_no, 'LBSYQ', 'parts_total', sum(value) FROM standing s
    WHERE year = (SELECT min(year) FROM standing t WHERE t.row_no = s.row_no) GROUP BY row_no
"""


@settings(max_examples=12, deadline=None)
@given(st.lists(PART, max_size=8, unique_by=lambda p: (p[0], p[1], p[2], p[4])), LAND_AND_PRODUCT)
def test_the_breakdown_of_targets_is_what_plain_sql_makes_it(
    drawn: list[tuple[int, str, int, int, date]], figures: list[int]
) -> None:
    parts = tuple(TargetPart(row, area, year, float(value), day, "甲号") for row, area, year, value, day in drawn)
    shipped = programme()
    editions = {**shipped.editions, "2015": replace(shipped.editions["2015"], target_parts=parts)}
    sheets = pl.DataFrame({"park": list(ZONES), "K04": [Decimal(f"{v}.00") for v in figures[:4]], "K05": figures[4:]})
    made = targets_breakdown(PeriodData(Period(2016), {}, sheets), replace(shipped, editions=editions)).cells
    told = {(r["indicator"], r["area"], r["measure"]): r["value"] for r in made.to_dicts()}
    with duckdb.connect() as con:
        con.execute("CREATE TABLE parts (row_no INT, area VARCHAR, year INT, value DOUBLE, effective DATE)")
        con.execute("CREATE TABLE sheets (area VARCHAR, K04 DOUBLE, K05 DOUBLE)")
        for row in drawn:
            con.execute("INSERT INTO parts VALUES (?, ?, ?, ?, ?)", list(row))
        for n, area in enumerate(ZONES):
            con.execute("INSERT INTO sheets VALUES (?, ?, ?)", [area, figures[n], figures[4 + n]])
        expected = {(f"LB.{row}", area, measure): value for row, area, measure, value in con.sql(BREAKDOWN).fetchall()}
    assert told == pytest.approx(expected)
