"""Gate rules on literal marts: each holds, and each fails where it must."""

from __future__ import annotations

import math

import polars as pl
import pytest

from exports.display import with_display
from pipelines.gate_rules import (
    cells_are_sound,
    published_cells_are_sound,
    response_is_stated,
    totals_equal_zones,
)
from schemas.marts import CELL_COLUMNS, PUBLISHED_COLUMNS


def cells(*rows: dict[str, object]) -> pl.DataFrame:
    blank: dict[str, object] = {n: "" if t == pl.String() else None for n, t in CELL_COLUMNS.items()}
    full = [
        blank | {"row_key": f"k{n}", "status": "A", "value": 1.0, "decimals": 0} | row for n, row in enumerate(rows)
    ]
    return pl.DataFrame(full, schema=CELL_COLUMNS)


def test_sound_cells_hold() -> None:
    found = cells_are_sound(cells({}, {"status": "M", "value": None}, {"status": "P", "value": 0.0}))
    assert found.holds and found.checked == 3


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"row_key": "k0"}, "row_key 重复"),
        ({"value": math.nan}, "不是有限数"),
        ({"value": math.inf}, "不是有限数"),
        ({"value": None}, "没有值"),
        ({"status": "C"}, "有值"),
        ({"status": "X"}, "没有定义"),
    ],
)
def test_an_unsound_cell_is_named_without_its_value(row: dict[str, object], words: str) -> None:
    found = cells_are_sound(cells({}, {"value": 4711.0, **row}))
    assert not found.holds
    assert any(words in p for p in found.problems) and not any("4711" in p for p in found.problems)


def total_and_zones(total: float | None, *zones: float | None) -> pl.DataFrame:
    common = {"table": "figures", "area": "LBSYQ", "indicator": "F01", "measure": "cumulative"}
    rows = [{**common, "breakdown": "total", "category": "T", "value": total, "status": "A" if total else "M"}]
    rows += [
        {**common, "breakdown": "zone", "category": f"Z{n}", "value": z, "status": "M" if z is None else "A"}
        for n, z in enumerate(zones)
    ]
    return cells(*rows)


@pytest.mark.parametrize(
    ("frame", "holds", "checked"),
    [
        (total_and_zones(3.0, 1.0, 2.0), True, 1),
        (total_and_zones(3.0, 3.0, None), True, 1),
        (total_and_zones(0.30000000000000004, 0.1, 0.2), True, 1),
        (total_and_zones(4.0, 1.0, 2.0), False, 1),
        (total_and_zones(None, None, None), True, 0),
        (total_and_zones(5.0), True, 0),  # a zone has no zones
        (total_and_zones(5.0, None), True, 0),
    ],
)
def test_a_total_is_the_sum_of_its_zones(frame: pl.DataFrame, holds: bool, checked: int) -> None:
    found = totals_equal_zones(frame)
    assert (found.holds, found.checked) == (holds, checked)


def test_ratios_are_not_summed() -> None:
    frame = total_and_zones(50.0, 40.0, 60.0).with_columns(measure=pl.lit("ratio"))
    assert totals_equal_zones(frame).checked == 0


def test_every_area_states_its_response_rate() -> None:
    rate = {"measure": "response_rate", "breakdown": "total", "area": "LBSYQ"}
    assert response_is_stated(cells(rate)).holds
    missing = response_is_stated(cells(rate, {"measure": "units_due", "breakdown": "total", "area": "LBXQ"}))
    assert missing.problems == ("LBXQ:没有报送率",)
    assert not response_is_stated(cells()).holds


def published(frame: pl.DataFrame) -> pl.DataFrame:
    shown = with_display(frame).with_columns(release=pl.lit("2015-Q1.r1"))
    return shown.select(pl.col(c).cast(t) for c, t in PUBLISHED_COLUMNS.items())


def test_published_cells_show_something_and_hide_what_is_hidden() -> None:
    good = published(cells({}, {"status": "C", "value": None}, {"status": "M", "value": None}))
    assert all(v.holds and v.checked == 3 for v in published_cells_are_sound({"m": good}).values())
    blank = good.with_columns(display=pl.lit(""))
    assert published_cells_are_sound({"m": blank})["every_cell_is_displayed"].count == 3
    leak = good.with_columns(value=pl.lit(7.0))
    found = published_cells_are_sound({"m": leak})["suppressed_cells_are_empty"]
    assert found.problems == ("m k1:不公布的数仍可见",)
    shown = good.with_columns(display=pl.lit("12"))
    assert not published_cells_are_sound({"m": shown})["suppressed_cells_are_empty"].holds
