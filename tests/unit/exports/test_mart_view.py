"""One published mart as a page: choices, rows, chart. Four areas-by-periods cells written out by hand."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import polars as pl
import pytest

from exports.mart_view import ALL, mart_view
from exports.ordering import Ordering
from schemas.marts import PUBLISHED_COLUMNS

SVG = "{http://www.w3.org/2000/svg}"
ORDER = Ordering({"area": {"B": 0, "A": 1}, "measure": {"index": 0, "value": 1}}, {"period": {}})


def cell(area: str, period: str, indicator: str, measure: str, value: float | None, display: str) -> dict[str, object]:
    names = {"area_name": f"{area}区", "indicator_name": f"{indicator}名", "measure_name": measure, "unit_measure": "%"}
    row = dict.fromkeys(PUBLISHED_COLUMNS, "") | names
    return row | {
        "row_key": f"{area}|{period}|{indicator}|{measure}", "period": period, "area": area, "breakdown": "total", "category": "T",
        "indicator": indicator, "measure": measure, "value": value, "decimals": 1, "display": display, "status": "A" if value is not None else "C",
    }  # fmt: skip


@pytest.fixture
def cells() -> pl.DataFrame:
    rows = [
        cell(a, p, "TOTAL", "index", v, str(v))
        for a, p, v in (("A", "2015", 100.0), ("A", "2016", 104.0), ("B", "2015", 100.0), ("B", "2016", 98.0))
    ]
    rows += [cell("A", "2016", "X1", "value", 3.0, "3.0"), cell("B", "2016", "X1", "value", None, "*")]
    rows += [
        cell("A", "2016", "TOTAL", "index_lower", 103.0, "103.0"),
        cell("A", "2016", "TOTAL", "index_upper", 106.0, "106.0"),
    ]
    return pl.DataFrame(rows, schema=PUBLISHED_COLUMNS)


def test_at_first_all_areas_of_the_total_are_shown_over_time_in_the_order_of_the_register(cells: pl.DataFrame) -> None:
    view = mart_view(cells, {}, ORDER, "指数")
    assert [(c.name, c.chosen) for c in view.choices] == [
        ("table", ""), ("area", ALL), ("breakdown", "total"), ("indicator", "TOTAL"), ("measure", "index"),
    ]  # fmt: skip
    assert [code for code, _ in view.choices[1].options] == ["B", "A"]
    assert list(view.varying) == ["period", "area"]
    assert view.rows["area"].to_list() == ["B", "A", "B", "A"] and view.rows["display"][0] == "100.0"
    root = ET.fromstring(view.chart)
    assert len(root.findall(f"{SVG}polyline")) == 2 and "A区从 2015年 的 100 到 2016年 的 104" in (
        root.findtext(f"{SVG}desc") or ""
    )


def test_one_area_and_one_period_has_its_interval(cells: pl.DataFrame) -> None:
    view = mart_view(cells.filter(period="2016"), {"area": "A", "indicator": "TOTAL"}, ORDER, "指数")
    assert view.rows.height == 1
    assert "(103 至 106)" in (ET.fromstring(view.chart).findtext(f"{SVG}desc") or "")


def test_a_hidden_figure_keeps_its_mark_in_rows_and_chart(cells: pl.DataFrame) -> None:
    view = mart_view(cells, {"indicator": "X1"}, ORDER, "指数")
    assert view.rows["display"].to_list() == ["*", "3.0"]
    assert "B区 *" in (ET.fromstring(view.chart).findtext(f"{SVG}desc") or "")


def test_what_does_not_exist_is_not_chosen_and_units_are_not_mixed(cells: pl.DataFrame) -> None:
    view = mart_view(cells, {"area": "<x>", "measure": ALL, "indicator": ALL}, ORDER, "指数")
    chosen = {c.name: c.chosen for c in view.choices}
    assert (chosen["area"], chosen["indicator"], chosen["measure"]) == (ALL, "TOTAL", "index")
    every = mart_view(cells, {"area": "A", "indicator": ALL, "measure": "value"}, ORDER, "指数")
    assert every.rows["indicator"].to_list() == ["X1"]


def test_a_mart_read_by_indicator_shows_one_area_with_all_of_them(cells: pl.DataFrame) -> None:
    view = mart_view(cells.filter(period="2016"), {}, ORDER, "目标", by_indicator=True)
    chosen = {c.name: c.chosen for c in view.choices}
    assert (chosen["area"], chosen["indicator"]) == ("A", ALL) and set(view.rows["area"]) == {
        "A"
    }  # B has fewer figures


def test_figures_of_several_units_are_not_drawn_on_one_axis_and_nothing_asked_is_no_area_without_code(
    cells: pl.DataFrame,
) -> None:
    is_index = pl.col("indicator") == "TOTAL"
    mixed = cells.filter(period="2016", area="A").filter(pl.col("measure").is_in(["index", "value"]))
    mixed = mixed.with_columns(
        measure=pl.lit("value"), unit_measure=pl.when(is_index).then(pl.lit("点")).otherwise(pl.lit("%"))
    )
    blank = mixed.with_columns(area=pl.lit(""), row_key=pl.lit("x") + pl.col("row_key")).head(1)
    view = mart_view(pl.concat([mixed, blank]), {"area": ""}, ORDER, "目标", by_indicator=True)
    assert view.rows["area"].to_list() == ["A", "A"] and view.chart == ""


def test_an_empty_mart_is_an_empty_page(cells: pl.DataFrame) -> None:
    view = mart_view(cells.clear(), {}, ORDER, "指数")
    assert view.rows.is_empty() and view.chart == ""
