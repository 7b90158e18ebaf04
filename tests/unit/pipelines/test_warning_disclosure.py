"""A hidden level of early warning does not follow from the score or from the count of levels beside it."""

from __future__ import annotations

import polars as pl

from pipelines.methods.warning_disclosure import with_scores_kept_back


def test_score_and_counts_go_with_a_hidden_level_and_stay_elsewhere() -> None:
    rows = [
        ("P1", "2015-Q4", "W01", "level", 0.0, "P", "在界限之内"),
        ("P1", "2015-Q4", "W02", "level", None, "C", "为保护单个单位资料而不公布"),
        ("P1", "2015-Q4", "W", "level", 1.0, "P", "蓝色1项"),
        ("P1", "2015-Q4", "W", "score", 0.5, "P", "参数版本 2015.1"),
        ("P2", "2015-Q4", "W01", "level", 0.0, "P", "在界限之内"),
        ("P2", "2015-Q4", "W02", "value", None, "C", "为保护单个单位资料而不公布"),
        ("P2", "2015-Q4", "W", "level", 0.0, "P", "蓝色1项"),
        ("P2", "2015-Q4", "W", "score", 0.1, "P", "参数版本 2015.1"),
    ]
    columns = ["area", "period", "indicator", "measure", "value", "status", "note"]
    cells = pl.DataFrame(rows, schema=columns, orient="row")
    found = with_scores_kept_back(cells, 3)
    assert found.row(2) == ("P1", "2015-Q4", "W", "level", 1.0, "P", "依据中有为保护单位资料不公布的数")
    assert found.row(3)[:6] == ("P1", "2015-Q4", "W", "score", None, "C")
    assert found.tail(4).equals(cells.tail(4)) and found.head(2).equals(cells.head(2))
    assert with_scores_kept_back(cells.tail(4), 3).equals(cells.tail(4))


def test_a_combined_level_at_its_floor_names_the_published_reds_only() -> None:
    rows = [
        ("P1", "2016-Q1", "W02", "level", None, "C", ""),
        ("P1", "2016-Q1", "W07", "level", 4.0, "C", ""),  # red, and hidden: its value never counts here
        ("P1", "2016-Q1", "W15", "level", 4.0, "P", "低于红色界限"),
        ("P1", "2016-Q1", "W", "level", 3.0, "P", "红色2项。有红色指标:W07、W15,综合等级至少橙色"),
    ]
    columns = ["area", "period", "indicator", "measure", "value", "status", "note"]
    cells = pl.DataFrame(rows, schema=columns, orient="row")
    hidden = "依据中有为保护单位资料不公布的数"
    assert with_scores_kept_back(cells, 3)["note"][3] == f"有红色指标:W15,综合等级至少橙色。{hidden}"
    assert with_scores_kept_back(cells, 0)["note"][3] == hidden  # no such rule
    at_four = cells.with_columns(value=pl.when(pl.col("indicator") == "W").then(4.0).otherwise("value"))
    assert with_scores_kept_back(at_four, 3)["note"][3] == hidden  # the score lifted it there
