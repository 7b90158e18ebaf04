"""Early warning, revisions, clusters and administrative records a second time, by plain SQL and plain arithmetic (issue 4, 5)."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.integration import independent_cards as cards
from tests.integration import independent_figures as independent
from tests.integration import independent_quarter as quarter

pytestmark = pytest.mark.slow
AREAS = quarter.areas(independent.PARKS)


@pytest.fixture(scope="module")
def run(province: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A copy of the home in which the quarter and the year were computed, internal marts included."""
    home: Path = tmp_path_factory.mktemp("run") / "home"
    shutil.copytree(province.home, home)
    own = type(province)(home, province.story)
    for period in (
        "2014",
        "2015-Q2",
    ):  # whoever used the home before may have rebuilt its warehouse, without the computed marts
        code, _, said = own.ytb("run", "monitoring", "--period", period)
        assert code == 0, said
    return own


def _stored(run: Any, mart: str, period: str) -> dict[tuple[str, str, str, str], dict[str, Any]]:
    with independent.snapshot(run.home) as con:
        rows = con.execute(f"SELECT * FROM mart.{mart} WHERE period = ?", [period]).pl().to_dicts()
    return {(r["area"], r["category"], r["indicator"], r["measure"]): r for r in rows}


def test_warnings_and_their_levels_are_what_plain_sql_makes_them(run: Any) -> None:
    told = _stored(run, "monitoring_warnings", "2015-Q2")
    raised = 0
    with independent.snapshot(run.home) as con:
        quarter.quarters(con)
        for area, parks in AREAS:
            history = [quarter.readings(con, parks, one) for one in quarter.QUARTERS]
            levels: dict[str, int | None] = {}
            for code, now in history[-1].items():
                value = told[area, "T", code, "value"]["value"]
                assert value == (None if now.value is None else pytest.approx(now.value)), (area, code)
                assert told[area, "T", code, "sample"]["value"] == now.units, (area, code)
                by_bound = [quarter.level(code, found[code]) for found in history]
                levels[code] = quarter.standing(by_bound)
                assert told[area, "T", code, "raw_level"]["value"] == by_bound[-1], (area, code)
                assert told[area, "T", code, "level"]["value"] == levels[code], (area, code)
                raised += levels[code] is not None and levels[code] != by_bound[-1]
            # response and targets are worked out a second time in test_main_job; their levels enter the whole as told
            levels |= {code: told[area, "T", code, "level"]["value"] for code in ("W08", "W09", "W14", "W15")}
            level, score = quarter.whole(levels)
            assert told[area, "T", "W", "level"]["value"] == level, area
            assert told[area, "T", "W", "score"]["value"] == pytest.approx(score), area
    assert raised > 0


def test_revisions_are_the_year_less_the_fourth_quarter(run: Any) -> None:
    told = _stored(run, "monitoring_revisions", "2014")
    compared = 0
    with independent.snapshot(run.home) as con:
        columns = independent.quarterly_columns(con, {indicator for _, _, indicator, _ in told})
        for area, parks in AREAS:
            for code, (form, _) in columns.items():
                for measure, value in quarter.revisions(con, code, form, parks).items():
                    cell = told[area, "T", code, measure]["value"]
                    assert cell == (None if value is None else pytest.approx(value)), (area, code, measure)
                    compared += value is not None
            percents = [
                r["value"] for (a, c, i, m), r in told.items() if (a, c, m) == (area, "T", "revision_pct") and r["value"] is not None
            ]  # fmt: skip
            mean = told[area, "T", "mean", "mean_absolute_revision"]["value"]
            assert mean == pytest.approx(quarter.mean_revision(percents))
    assert compared > 300


def test_clusters_are_kept_by_the_run_and_are_what_plain_sql_makes_them(run: Any) -> None:
    told = _stored(run, "monitoring_clusters", "2015-Q2")
    compared, absent = 0, 0
    with independent.snapshot(run.home) as con:
        quarter.quarters(con)
        for area, parks in AREAS:
            for name, test in quarter.CLUSTERS.items():
                expected = quarter.cluster(con, test, parks, independent.PARKS)
                absent += not expected
                assert bool(expected) == ((area, name, "F01", "cluster_units") in told), (area, name)
                for measure, value in expected.items():
                    cell = told[area, name, "F01", measure]["value"]
                    if area == independent.AREA and measure == "location_quotient":
                        assert cell is None  # there is no wider area to compare with
                    else:
                        assert cell == (None if value is None else pytest.approx(value)), (area, name, measure)
                        compared += 1
    assert compared > 100 and absent < 10


def test_ratios_shares_and_contributions_of_the_release_are_what_plain_sql_makes_them(run: Any) -> None:
    published = pl.read_parquet(run.home / "releases" / "2015-Q2.r1" / "tables" / "monitoring_figures.parquet")
    told = {(r["area"], r["breakdown"], r["category"], r["indicator"], r["measure"]): r for r in published.to_dicts()}
    compared, hidden = 0, 0

    def check(key: tuple[str, str, str, str, str], value: float | None) -> None:
        nonlocal compared, hidden
        if told[key]["status"] == "C":
            hidden += 1
        else:
            assert told[key]["value"] == (None if value is None else pytest.approx(value, abs=1e-9)), key
            compared += 1

    with independent.snapshot(run.home) as con:
        quarter.quarters(con)
        for area, parks in AREAS:
            for letter in (None, "C", "I"):
                place = ("total", "T") if letter is None else ("section", letter)
                for (indicator, measure), value in quarter.ratios(con, parks, letter).items():
                    if (area, *place, indicator, measure) in told:  # a section in which nobody has it is no row
                        check((area, *place, indicator, measure), value)
                    else:
                        assert value is None, (area, place, indicator)
            for code in ("F01", "P01", "O12"):
                for (letter, measure), value in quarter.parts_of_growth(con, code, parks).items():
                    check((area, "section", letter, code, measure), value)
    assert compared > 150 and hidden > 20


def test_diagnosis_cards_are_what_plain_sql_makes_them(run: Any) -> None:
    with independent.snapshot(run.home) as con:
        rows = con.sql("SELECT * FROM mart.monitoring_diagnosis WHERE period = '2015-Q2'").pl().to_dicts()
        pairs = {code: cards.unit_pairs(con, code, "2015-Q2") for code in cards.CARDS}
        size_of = cards.sizes(con, "2014")  # a quarter takes the size of the year before
    assert len(set(size_of.values())) == 4
    told = {(r["area"], r["breakdown"], r["category"], r["indicator"], r["measure"]): r for r in rows}
    compared = far = 0
    for code, everybody in pairs.items():
        for area, parks in AREAS:
            own = [p for p in everybody if p[0] in parks]
            moved, shifted = cards.shifts(own), cards.shifts(own, size_of)
            places = {("total", "T"): own}
            places |= {("section", letter): [p for p in own if p[2] == letter] for letter in {p[2] for p in own}}
            classes = {size_of.get(p[1], "_") for p in own}
            places |= {("size", size): [p for p in own if size_of.get(p[1], "_") == size] for size in classes}
            assert {r["category"] for r in rows if (r["area"], r["breakdown"]) == (area, "size")} == {*classes, "T"}
            for place, units in places.items():
                expected = cards.card_of_group(units)
                if place[0] != "total":
                    expected["share_shift"] = (moved if place[0] == "section" else shifted)[place[1]]
                for measure, value in expected.items():
                    cell = told[area, *place, code, measure]["value"]
                    assert cell == (None if value is None else pytest.approx(value, abs=1e-9)), (
                        area,
                        place,
                        code,
                        measure,
                    )
                    compared += 1
            change = told[area, "section", "T", code, "structure_change"]["value"]
            assert change == (None if moved[""] is None else pytest.approx(moved[""], abs=1e-9))
            change = told[area, "size", "T", code, "structure_change"]["value"]
            assert change == (None if shifted[""] is None else pytest.approx(shifted[""], abs=1e-9))
        found = cards.cards_of_units(everybody)
        assert {(r["area"], r["category"]) for r in rows if r["breakdown"] == "unit" and r["indicator"] == code} == set(
            found
        )
        for (park, unit), card in found.items():
            said = told[park, "unit", unit, code, "unit_growth"]["note"]
            assert card.pop("far") == ("同行业" in said), said
            far += "同行业" in said
            for measure, value in card.items():
                cell = told[park, "unit", unit, code, measure]["value"]
                assert cell == (None if value is None else pytest.approx(value)), (park, unit, measure)
    assert compared > 500 and far > 0


def test_response_is_what_plain_sql_on_the_ledger_makes_it(run: Any) -> None:
    told = _stored(run, "monitoring_response", "2015-Q2")
    with independent.snapshot(run.home) as con:
        by_park = cards.statuses(run.home, con, "2015-Q2", "2015-06-30")
    for area, parks in AREAS:
        expected = cards.response([code for park in parks for code in by_park[park]])
        for measure, value in expected.items():
            assert told[area, "T", "units", measure]["value"] == pytest.approx(value), (area, measure)
        # the round is open until the end of 15 July in Beijing
        for measure, value in cards.filing(run.home, "2015-Q2", parks, "2015-07-15T16:00:00").items():
            assert told[area, "T", "parks", measure]["value"] == pytest.approx(value), (area, measure)
    assert told[independent.AREA, "T", "units", "units_refused"]["value"] > 0


def test_projects_to_be_looked_at_are_those_plain_sql_finds(run: Any) -> None:
    code, _, said = run.ytb("run", "projects", "--period", "2015-Q2")
    assert code == 0, said
    with independent.snapshot(run.home) as con:
        told = con.sql("SELECT indicator, area, category FROM mart.projects_risks WHERE period = '2015-Q2'").fetchall()
        expected = cards.risks(con, "2015-Q2")
    assert set(told) == expected and len(told) == len(expected) > 0


MAP = """
kind = "tax"
authority = "税务局"
title = "2015年上半年入库税额"
[tolerance]
percent = 1.0
amount = 5
[[table]]
head_rows = [1]
period = {value = "2015-Q2"}
unit = {column = "统一社会信用代码"}
indicator = {head = 1}
[indicators]
"应交税金总额" = "F16"
"""
# what was reported, plus so much, is the record; within: 1 % or 5, whichever is more
ALTERED = {"equal": 0, "within": 4, "beyond": 1_000_000}


def test_records_of_an_authority_are_compared_in_the_store_and_no_release_reads_them(run: Any, tmp_path: Path) -> None:
    with independent.snapshot(run.home) as con:
        units = con.sql("SELECT unit_id, park, F16 FROM effective.finance WHERE period = '2015-Q2' AND F16 > 0 ORDER BY unit_id LIMIT 3").fetchall()  # fmt: skip
    mapping, file = tmp_path / "m.toml", tmp_path / "税务.csv"
    mapping.write_text(MAP, encoding="utf-8")
    records = [(unit, int(tax) + more) for (unit, _, tax), more in zip(units, ALTERED.values(), strict=True)]
    lines = [f"{unit},{tax}" for unit, tax in records]
    file.write_text("\n".join(["统一社会信用代码,应交税金总额(千元)", *lines]) + "\n", encoding="utf-8")
    code, kept, said = run.ytb("records", "import", str(file), "--map", str(mapping), "--commit")
    assert code == 0 and kept["import"], said
    assert run.ytb("run", "quality", "--period", "2015-Q2")[0] == 0
    with independent.snapshot(run.home) as con:
        told = con.execute(
            """SELECT category, measure, value FROM mart.records_reconciliation WHERE "table" = 'units' AND indicator = 'F16'
            AND period = '2015-Q2' AND category IN (SELECT unnest(?))""",
            [[unit for unit, *_ in units]],
        ).fetchall()
        counts = con.sql(
            """SELECT measure, CAST(sum(value) AS INT) FROM mart.records_reconciliation WHERE "table" = 'counts' AND indicator = 'F16'
            GROUP BY measure"""
        ).fetchall()
        # everybody else who reported a figure other than zero in a park the records speak of
        silent = con.execute(
            """SELECT count(*) FROM effective.finance WHERE period = '2015-Q2' AND F16 <> 0 AND unit_id NOT IN (SELECT unnest(?))
            AND park IN (SELECT unnest(?))""",
            [[unit for unit, *_ in units], [park for _, park, _ in units]],
        ).fetchone()
    assert silent is not None
    expected = dict.fromkeys(ALTERED, 1) | {"not_on_record": silent[0]}
    assert {name: n for name, n in counts if n} == expected
    found = {(unit, measure): value for unit, measure, value in told}
    (_, within), (_, beyond) = list(ALTERED.items())[1:]
    assert [found[units[n][0], "record_difference"] for n in (1, 2)] == [-within, -beyond]
    assert (units[0][0], "record_difference") not in found  # equal ones are not listed
    code, release, said = run.ytb("publish", "--period", "2015-Q2", "--reason", "行政记录入库后")
    assert code == 0, said
    old, new = (run.home / "releases" / name / "tables" for name in ("2015-Q2.r1", release["release"]))
    assert {t.name for t in old.iterdir()} | {"revisions.csv", "revisions.parquet"} == {t.name for t in new.iterdir()}
    for table in sorted(old.glob("*.parquet")):
        before, after = (pl.read_parquet(folder / table.name).drop("release") for folder in (old, new))
        assert before.equals(after), table.name
    for name in ("clusters", "records", "diagnosis", "estimates"):
        assert not [p.name for p in new.parent.rglob("*") if name in p.name]
