"""The generated suites and the pages made from them; the library itself runs in tests/integration/test_dagster.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.expectations_run import local_page, outside, sentence
from schemas.expectations import CRITICAL, WARNING, suite_of, suites
from schemas.marts import MARTS
from schemas.period import Period

PAGE = """<!DOCTYPE html><html><head><meta charset="UTF-8"/>
<link rel="stylesheet" href="https://maxcdn.example.com/bootstrap.min.css"/>
<link rel="shortcut icon" href="../static/images/favicon.ico"/>
<style>@import url("https://fonts.example.com/x.css"); .a { background: url('https://s3.example.com/logo.png') 0 0; }</style>
<script src="https://code.example.com/jquery.js" integrity="sha384-x"></script><script>var here = 1;</script>
</head><body><img
 src="//s3.example.com/logo.png?dataContextId=42" /><source srcset="https://s3.example.com/dark.png">
<a href="https://example.com/newsletter">Subscribe</a><a href="../index.html">Home</a></body></html>"""


def test_the_same_mart_and_period_give_the_same_suite() -> None:
    for name, mart in MARTS.items():
        for period in (Period(2015, 1), Period(2015)):
            first, again = suite_of(mart, period), suite_of(mart, period)
            assert first == again and first.name == f"{name}-{period}"
            assert {e.severity for e in first.expectations} == {CRITICAL, WARNING}
            assert all(e.note for e in first.expectations)


def test_suites_are_those_of_the_marts_due() -> None:
    assert set(suites(Period(2015, 1))) == {n for n, m in MARTS.items() if "Q" in m.rounds}
    assert set(suites(Period(2015))) == {n for n, m in MARTS.items() if "A" in m.rounds}


def test_no_suite_names_an_indicator() -> None:
    for suite in suites(Period(2015)).values():
        assert all(e.kwargs.get("column") != "indicator" or "value_set" not in e.kwargs for e in suite.expectations)


def test_a_failed_expectation_is_said_without_a_value() -> None:
    (hidden,) = [
        e
        for e in suite_of(MARTS["index_scores"], Period(2015)).expectations
        if e.type.endswith("be_null") and "not" not in e.type
    ]
    assert sentence(hidden) == (
        "标为无数、不适用、不公布的单元格不得有数(status 为 M、Z、C 的行):不符合 expect_column_values_to_be_null(value)"
    )


def test_a_page_loads_nothing_from_outside(tmp_path: Path) -> None:
    made = local_page(PAGE, "../static/data_docs.css")
    assert "https://" not in made
    assert "s3.example.com" not in made and "jquery" not in made
    assert '<link rel="stylesheet" href="../static/data_docs.css">' in made
    assert "var here = 1;" in made and '<a href="../index.html">' in made and "favicon.ico" in made
    assert "Content-Security-Policy" in made
    (tmp_path / "page.html").write_text(made, encoding="utf-8")
    assert outside(tmp_path) == []


@pytest.mark.parametrize("part", ["<script src='http://x.example/a.js'></script>", '<img alt=a src="//x.example/b">'])
def test_what_would_be_loaded_is_found(tmp_path: Path, part: str) -> None:
    (tmp_path / "page.html").write_text(f"<html>{part}</html>", encoding="utf-8")
    assert len(outside(tmp_path)) == 1
