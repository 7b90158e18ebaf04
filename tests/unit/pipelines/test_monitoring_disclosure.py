"""What a reader of a protected quarter can put together from measures that stand side by side."""

from __future__ import annotations

import polars as pl
import pytest

from pipelines.methods.disclosure import Rules, Spec, attacked, protect
from pipelines.methods.disclosure.layouts import release_layout
from pipelines.methods.monitoring import monitoring_figures
from pipelines.methods.monitoring_sides import MonitoringRound
from tests.unit.pipelines.test_monitoring import PARK_PROGRAMME, quarter

GROUP = ["area", "breakdown", "category", "indicator"]
# (size, figure, whether it reported the year before). One firm alone in size 4 makes size 2 hidden for its sake; all of size 2
# reported the year before, and two of size 3 did not.
FIRMS = [
    ("4", 237, True), ("2", 854, True), ("2", 837, True), ("2", 885, True), ("2", 919, True),
    ("3", 783, True), ("3", 726, True), ("3", 703, False), ("3", 749, True), ("3", 797, False),
]  # fmt: skip


def test_growth_of_the_matched_gives_no_hidden_sum() -> None:
    """Where every unit is matched, base and growth of the matched give this quarter's sum: it is as hidden as the sum itself."""
    now = [{"unit_id": f"u{n}", "B10": s, "F01": x, "F01_yoy": x // 2} for n, (s, x, _) in enumerate(FIRMS)]
    then = [{"unit_id": f"u{n}", "F01": x // 2} for n, (_, x, was_there) in enumerate(FIRMS) if was_there]
    earlier = quarter("2015-Q1", then)
    made = monitoring_figures(
        MonitoringRound(quarter("2016-Q1", now), None, None, earlier, earlier), PARK_PROGRAMME
    )  # fmt: skip
    spec = Spec(Rules(), release_layout(PARK_PROGRAMME, earlier.period))
    found = protect(made.cells, made.parts, spec)
    assert not attacked(found, spec).filter(pl.col("reason") != "complement")["recovered"].any()

    of = {
        (row["area"], row["category"], row["measure"]): row
        for row in found.cells.filter(breakdown="size").iter_rows(named=True)
    }
    hidden = [(area, size) for area, size, m in of if m == "cumulative" and of[area, size, m]["status"] == "C"]
    assert ("LBXQ", "2") in hidden or ("LBXQ", "3") in hidden
    for area, size in hidden:
        base, growth = (of[area, size, m]["value"] for m in ("year_earlier_matched", "growth_matched"))
        true = made.cells.filter(area=area, category=size, measure="cumulative")["value"][0]
        if base is not None and growth is not None:
            assert base * (1 + growth / 100) != pytest.approx(true, rel=0.05)
