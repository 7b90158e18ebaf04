"""The periods a refused run names."""

from __future__ import annotations

from ytb.cli.production import PERIODS_LISTED, _reported


def test_all_periods_with_reports_are_named_and_a_cut_is_said() -> None:
    few = ["2014", "2015", "2015-Q1", "2015-Q2", "2015-Q3", "2015-Q4", "2016", "2016-Q1", "2025-Q1"]
    assert _reported(few) == f"有报送的报告期:{'、'.join(few)}。"
    many = [f"{year}-Q1" for year in range(2000, 2025)]
    said = _reported(many)
    assert (
        said.startswith("有报送的报告期(只列最近 20 个,更早的还有 5 个):2005-Q1、")
        and said.count("、") == PERIODS_LISTED - 1
    )
    assert _reported([]) == "还没有任何报告期的报送。"
