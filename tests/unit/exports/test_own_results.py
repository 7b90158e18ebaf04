"""What is published of one park, read from the tables of a release: nothing of another, nothing that was suppressed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from exports import own_results
from exports.manifest import ReleaseMeta, write_manifest
from schemas.catalog import programme
from schemas.errors import StorageError
from schemas.period import Period

COLUMNS = ("table", "period", "area", "breakdown", "category", "indicator", "indicator_name", "unit_measure", "measure", "value", "display", "note")  # fmt: skip


def table(*rows: tuple[object, ...]) -> pl.DataFrame:
    """Rows of (table, period, area, indicator, measure, value, display, note)."""
    return pl.DataFrame(
        [(t, p, a, "total", "T", i, f"{i}名", "千元", m, v, d, n) for t, p, a, i, m, v, d, n in rows],
        schema=dict(zip(COLUMNS, [*[pl.String] * 9, pl.Float64, pl.String, pl.String], strict=True)), orient="row",
    )  # fmt: skip


INDEX = table(
    ("scores", "2015", "LBGX", "TOTAL", "index", 100.0, "100.0", ""),
    ("scores", "2016", "LBGX", "TOTAL", "index", 103.0, "103.0", ""),
    ("scores", "2016", "LBGX", "TOTAL", "index_lower", 102.5, "102.5", "90% 区间"),
    ("scores", "2016", "LBGX", "TOTAL", "index_upper", 103.5, "103.5", "90% 区间"),
    ("scores", "2016", "LBGX", "D1", "index", 101.0, "101.0", ""),
    ("scores", "2016", "LBGX", "D1", "contribution", 3.0, "3.00", ""),
    ("scores", "2016", "LBGX", "X01", "contribution", 0.5, "0.50", ""),
    ("scores", "2016", "LBGX", "X02", "contribution", None, "*", "为保护单个单位资料而不公布"),
    ("scores", "2016", "LBGX", "X03", "contribution", -2.0, "-2.00", ""),
    ("scores", "2016", "LBJJ", "X01", "contribution", 9.0, "9.00", ""),
)
EVALUATION = table(
    ("parks", "2016", "LBGX", "T", "total", 74.2, "74.20", ""),
    ("parks", "2016", "LBGX", "T", "rank", 3.0, "3", ""),
    ("parks", "2016", "LBGX", "T", "rank_lower", 2.0, "2", ""),
    ("parks", "2016", "LBGX", "T", "rank_upper", 5.0, "5", ""),
    ("parks", "2016", "LBGX", "D1", "score", 70.0, "70.00", ""),
    ("parks", "2016", "LBGX", "X01", "score", 60.0, "60.00", ""),
    ("land", "2016", "LBGX", "T", "total", None, "*", "为保护单个单位资料而不公布"),
)


def release(root: Path, name: str, period: Period, tables: dict[str, pl.DataFrame]) -> Path:
    """A release folder with these tables and its manifest."""
    folder = root / name
    (folder / "tables").mkdir(parents=True)
    for mart, frame in tables.items():
        frame.write_parquet(folder / "tables" / f"{mart}.parquet")
    meta = ReleaseMeta(name, period, programme(), datetime(2017, 5, 1, tzinfo=UTC), "test")
    write_manifest(folder, meta, {})
    return folder


def test_the_index_has_its_interval_where_published_and_what_moved_it_the_largest_first() -> None:
    tables = {own_results.INDEX: INDEX}
    years = own_results.index_years(tables, "LBGX")
    assert [(y.year, y.total.shown("index"), y.total.shown("index_lower")) for y in years] == [
        ("2015", "100.0", "…"),
        ("2016", "103.0", "102.5"),
    ]
    assert [d.code for d in years[1].dimensions] == ["D1"]
    moved = own_results.moved(tables, "LBGX")
    assert moved is not None and moved.year == "2016"
    assert [(r.code, r.shown("contribution"), r.value("contribution")) for r in moved.indicators] == [
        ("X03", "-2.00", -2.0),
        ("X01", "0.50", 0.5),
        ("X02", "*", None),
    ]
    assert [r.code for r in moved.dimensions] == ["D1"]
    assert own_results.moved(tables, "LBXQ") is None and own_results.index_years({}, "LBGX") == []


def test_evaluations_give_rank_and_interval_the_general_one_first() -> None:
    found = own_results.evaluations({own_results.EVALUATION: EVALUATION}, "LBGX")
    assert [one.table for one in found] == ["parks", "land"]
    row = found[0].overall
    assert [row.shown(m) for m in ("total", "rank", "rank_lower", "rank_upper", "grade")] == [
        "74.20",
        "3",
        "2",
        "5",
        "…",
    ]
    assert [d.code for d in found[0].dimensions] == ["D1"]
    assert found[1].overall.shown("total") == "*" and found[1].overall.value("total") is None


def test_figures_series_warnings_and_targets_are_the_parks_own_totals() -> None:
    quarter = table(
        ("f", "2016-Q1", "LBGX", "F01", "cumulative", 5.0, "5", ""),
        ("f", "2016-Q1", "LBGX", "F01", "growth_restated", 8.8, "8.8", ""),
        ("f", "2016-Q1", "LBGX", "R1", "ratio", 1.0, "1.0", ""),
        ("f", "2016-Q1", "LBJJ", "F01", "cumulative", 7.0, "7", ""),
    )
    parts = quarter.with_columns(breakdown=pl.lit("section"), category=pl.lit("C"))
    tables = {own_results.FIGURES: pl.concat([quarter, parts])}
    assert [(r.code, r.unit, r.shown("cumulative"), r.shown("growth_restated")) for r in own_results.figures(tables, "LBGX")] == [("F01", "千元", "5", "8.8")]  # fmt: skip
    assert [r.code for r in own_results.ratios(tables, "LBGX")] == ["R1"]
    over = table(
        ("s", "2016-Q1", "LBGX", "F01", "cumulative", 5.0, "5", ""),
        ("s", "2015-Q4", "LBGX", "F01", "cumulative", 4.0, "4", ""),
    )
    assert [(p, r.shown("cumulative")) for p, r in own_results.series({own_results.SERIES: over}, "LBGX", "F01")] == [("2015-Q4", "4"), ("2016-Q1", "5")]  # fmt: skip
    warned = table(("w", "2016-Q1", "LBGX", "W01", "level", 2.0, "2", "低于界限"))
    assert own_results.warnings({own_results.WARNINGS: warned}, "LBGX")[0].note("level") == "低于界限"
    aims = table(
        ("t", "2016", "LBGX", "LB.1", "target", 9.0, "9", "2020年"),
        ("t", "2016", "LBGX", "LB.1", "standing", 2.0, "2", "滞后"),
    )
    assert own_results.targets({own_results.TARGETS: aims}, "LBGX")[0].note("standing") == "滞后"


def test_tables_are_read_as_the_manifest_lists_them_and_a_changed_file_is_refused(tmp_path: Path) -> None:
    folder = release(tmp_path, "2016.r1", Period(2016), {own_results.INDEX: INDEX, "quality_findings": INDEX})
    assert own_results.has_any(folder, own_results.ANNUAL) and not own_results.has_any(folder, own_results.QUARTERLY)
    assert own_results.released_tables(folder, own_results.ANNUAL).keys() == {own_results.INDEX}
    INDEX.head(3).write_parquet(folder / "tables" / "index_scores.parquet")
    with pytest.raises(StorageError, match="已被改动"):
        own_results.released_tables(folder, own_results.ANNUAL)
