"""Size and high-tech classes from the shipped code lists; the 2017 table at its limits."""

from __future__ import annotations

import duckdb
import polars as pl
import pytest

from schemas.catalog import programme
from schemas.classes import sections_by_division, size_rules
from schemas.environment import environment_for
from schemas.errors import DefinitionError
from schemas.period import Period
from schemas.polars_target import evaluate_rows
from schemas.sql_target import to_sql

PARK = programme("park")
ENV = environment_for(PARK, Period.parse("2025"))
SCHEMA = {"B07": pl.String, "P02": pl.Int64, "F01": pl.Int64, "F22": pl.Int64}


def sizes(*rows: tuple[str | None, int | None, int | None, int | None]) -> list[str | None]:
    frame = pl.DataFrame(list(rows), schema=SCHEMA, orient="row")
    text = "size_class(B07, P02, F01, F22)"
    found = evaluate_rows(text, frame, ENV).to_list()
    with duckdb.connect() as con:
        con.register("numbered", frame.with_row_index("#row"))
        query = f'select v from (select "#row", {to_sql(text, ENV)} as v from numbered) order by "#row"'
        assert [v for (v,) in con.sql(query).fetchall()] == found
    return found


def test_industry_needs_both_staff_and_revenue() -> None:
    # 工业: large from 1,000 persons and 40,000 万元; amounts on the form are in 千元.
    assert sizes(
        ("3911", 1000, 400_000, None),
        ("3911", 999, 400_000, None),
        ("3911", 1000, 399_999, None),
        ("3911", 300, 20_000, None),
        ("3911", 20, 3_000, None),
        ("3911", 19, 900_000, None),
        ("3911", 5_000, 2_999, None),
    ) == ["1", "2", "2", "2", "3", "4", "4"]


def test_every_line_of_the_table_has_its_own_quantities() -> None:
    assert sizes(
        ("0111", None, 200_000, None),  # farming: revenue alone
        ("4710", None, 800_000, 800_000),  # construction: revenue and assets
        ("5111", 200, 400_000, None),  # wholesale
        ("5211", 300, 200_000, None),  # retail
        ("5910", 200, 300_000, None),  # loading and removal counts as transport: medium at 300 persons
        ("5920", 200, 300_000, None),  # storage
        ("6510", 300, 100_000, None),  # software
        ("6311", 300, 100_000, None),  # telecommunication: large from 2,000 persons
        ("7010", None, 2_000_000, 100_000),  # real estate development
        ("7020", 1000, 50_000, None),  # property management
        ("7211", 300, None, 1_200_000),  # leasing and business services: staff and assets
        ("7310", 300, None, None),  # others: staff alone
    ) == ["1", "1", "1", "1", "3", "1", "1", "2", "1", "1", "1", "1"]


def test_unknown_quantities_and_industries_outside_the_method() -> None:
    assert (
        sizes(
            (None, 1000, 400_000, 1),
            ("3911", None, 400_000, 1),
            ("3911", 1000, None, 1),
            ("6610", 1000, 400_000, 1),  # finance
            ("5310", 1000, 400_000, 1),  # railways
            ("9999", 1000, 400_000, 1),
        )
        == [None] * 6
    )


def test_hightech_class_and_section_come_from_the_lists() -> None:
    frame = pl.DataFrame({"B07": ["2664", "6513", "0111", "2710", None, "9911"]})
    listed = dict(PARK.codelists["hightech_class"].rows.select("code", "hightech_class").iter_rows())
    assert evaluate_rows("hightech_class(B07)", frame, ENV).to_list() == [
        listed["2664"],
        listed["6513"],
        "0",
        listed["2710"],
        None,
        None,
    ]
    assert evaluate_rows("section(B07)", frame, ENV).to_list() == ["C", "I", "A", "C", None, None]


def test_every_class_has_one_section_and_the_divisions_are_those_of_the_standard() -> None:
    divisions = sections_by_division(PARK.codelists["gbt4754_class4"].rows)
    assert len(divisions) == 97
    assert set(divisions.values()) == set("ABCDEFGHIJKLMNOPQRST")
    assert [divisions[d] for d in ("05", "06", "12", "13", "43", "44", "46", "47", "97")] == list("ABBCCDDET")


def test_no_industry_class_stands_on_two_lines_of_the_size_table() -> None:
    rules = size_rules(PARK.codelists["size_class"].rows)
    assert len(rules) == 16
    for code, letter in PARK.codelists["gbt4754_class4"].rows.select("code", "section").iter_rows():
        lines = [r.name for r in rules if any(p[0] == letter and code.startswith(p[1:]) for p in r.industries)]
        assert len(lines) <= 1, (code, lines)
        assert lines or letter in "GJKPQST", code


def test_a_table_with_a_gap_is_refused() -> None:
    row = PARK.codelists["size_class"].rows.head(1).with_columns(revenue_2=pl.lit(""))
    with pytest.raises(DefinitionError, match="门槛不全"):
        size_rules(row)
