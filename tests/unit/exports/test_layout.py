from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from exports.layout import Table, tables_of
from exports.ordering import Ordering, natural, ordering_of, period_title
from exports.publication_sheet import notes_of
from schemas.catalog import programme
from schemas.dictionary import of_which

Make = tuple[Callable[..., dict[str, Any]], Callable[..., pl.DataFrame]]
ORDER = ordering_of(programme())
PARENTS = of_which(programme().editions["2015"])


def tables(name: str, frame: pl.DataFrame) -> tuple[Table, ...]:
    return tables_of(name, frame, ORDER, PARENTS)


def keys(found: tuple[Table, ...]) -> list[str]:
    return [f.row_key for t in found for row in t.rows for f in row.figures if f is not None]


def test_every_cell_of_every_mart_stands_in_exactly_one_table(marts: dict[str, pl.DataFrame]) -> None:
    for name, frame in marts.items():
        assert sorted(keys(tables(name, frame))) == sorted(frame["row_key"])


def test_parks_follow_the_register_and_of_which_items_their_parent(marts: dict[str, pl.DataFrame]) -> None:
    main = tables("monitoring_figures", marts["monitoring_figures"])[0]
    assert [r.label for r in main.rows if r.is_heading] == [
        "兰白试验区", "兰州新区", "兰州高新技术产业开发区", "兰州经济技术开发区", "白银高新技术产业开发区",
    ]  # fmt: skip
    assert [(r.label, r.indent) for r in main.rows[:5]] == [
        ("兰白试验区", 0), ("营业收入", 1), ("实际上缴税费总额", 1), ("#增值税", 2), ("从业人员期末人数", 1),
    ]  # fmt: skip
    assert main.heads == (("本年累计",), ("本季",), ("同口径同比",), ("名义同比",), ("拉动",))
    assert main.head_units == ("", "", "%", "%", "百分点")
    assert main.rows[1].unit_measure == "千元" and main.unit_measure == ""
    assert main.tab == "季度监测指标"


def test_a_table_of_one_unit_says_it_once_and_constants_go_to_the_subtitle(marts: dict[str, pl.DataFrame]) -> None:
    by_section = tables("monitoring_figures", marts["monitoring_figures"])[1]
    assert by_section.unit_measure == "千元"
    assert by_section.subtitle == "兰白试验区  营业收入  2015年二季度"
    assert [r.label for r in by_section.rows] == ["合计", "制造业", "信息传输、软件和信息技术服务业"]
    assert by_section.rows[0].total


def test_each_innovation_table_has_its_sheet(marts: dict[str, pl.DataFrame]) -> None:
    found = tables("innovation_tables", marts["innovation_tables"])
    assert [t.tab for t in found] == ["创新调查表·T02", "创新调查表·T24"]
    assert [(r.label, r.is_heading) for r in found[0].rows[:3]] == [
        ("合计", False),
        ("企业规模", True),
        ("大型", False),
    ]


def test_years_are_columns_of_the_index_and_indicators_stand_below_their_dimension(
    marts: dict[str, pl.DataFrame],
) -> None:
    index = tables("index_scores", marts["index_scores"])[0]
    assert index.heads == (("2014年",), ("2015年",), ("2016年",))
    assert [(r.label, r.indent) for r in index.rows[:4]] == [
        ("兰白试验区", 0), ("兰白试验区发展指数", 1), ("创新资源", 1), ("R&D经费投入强度", 2),
    ]  # fmt: skip


def test_heads_of_two_levels_share_equal_neighbours() -> None:
    table = Table("m", "t", "t", "", "", (("2014", "a"), ("2014", "b"), ("2015", "a")), ("", "", ""), ())
    assert table.head_spans(0) == ((0, 1), (2, 2))
    assert table.head_spans(1) == ((0, 0), (1, 1), (2, 2))


def test_cells_no_dimension_tells_apart_both_stay(make: Make) -> None:
    cell, published = make
    frame = published([cell(row_key="a", value=1.0), cell(row_key="b", value=2.0)])
    assert sorted(keys(tables("monitoring_figures", frame))) == ["a", "b"]


def test_a_mart_nobody_laid_out_still_gets_tables(make: Make) -> None:
    cell, published = make
    rows = [cell(indicator=i, indicator_name=i, area=a) for i in ("A1", "A10", "A2") for a in ("LBGX", "LBXQ")]
    found = tables("something_new", published(rows))
    assert len(found) == 1 and [r.label for r in found[0].rows] == [
        "兰州新区",
        "A1",
        "A2",
        "A10",
        "兰州高新技术产业开发区",
        "A1",
        "A2",
        "A10",
    ]


def test_sheet_names_fit_a_workbook_and_differ(make: Make) -> None:
    cell, published = make
    rows = [
        cell(table=f"T{n:02}", indicator=f"c{n}", measure="很长的数据项" * 5 + str(n), measure_name="[x]/长" * 9)
        for n in range(3)
    ]  # fmt: skip
    found = tables("index_scores", published(rows))
    tabs = [t.tab for t in found]
    assert len({t.lower() for t in tabs}) == len(tabs) == 3
    assert all(len(t) <= 31 and not set(t) & set("[]:*?/\\'") for t in tabs)


def test_a_column_named_differently_carries_both_names(make: Make) -> None:
    cell, published = make
    rows = [cell(), cell(indicator="P01", indicator_name="从业人员期末人数", unit_measure="人", measure_name="期末数")]
    assert tables("monitoring_figures", published(rows))[0].heads == (("本年累计/期末数",),)


def test_notes_say_only_what_the_table_gives_occasion_for(make: Make) -> None:
    cell, published = make
    plain = tables("monitoring_figures", published([cell()]))[0]
    assert len(notes_of(plain)) == 1
    marked = tables(
        "monitoring_figures",
        published(
            [
                cell(indicator="F01", status="P"),
                cell(indicator="F03", indicator_name="营业成本", status="C", value=None),
                cell(indicator="F13", indicator_name="利润总额", value=0.0),
                cell(indicator="F15", indicator_name="净利润", status="E"),
            ]
        ),
    )[0]
    text = "\n".join(notes_of(marked))
    assert "“*”表示为保护单个单位资料而不公布" in text and "“—”" not in text
    assert "“0”表示数值为零" in text and "斜体" in text and "快报数" in text


def test_a_line_of_monitoring_says_what_its_figures_leave_out_and_not_why_they_are_hidden(make: Make) -> None:
    cell, published = make
    rows = [
        cell(measure="cumulative", note="未含2个未报单位", status="P"),
        cell(measure="growth_restated", note="为保护单个单位资料而不公布", status="C", value=None),
        cell(measure="growth_nominal", note="上年同期未发布", status="M", value=None),
    ]
    found = tables("monitoring_figures", published(rows))[0]
    assert found.note_head == "说明"
    assert [row.note for row in found.rows if row.figures] == ["未含2个未报单位。上年同期未发布。"]


def test_order_is_the_readers_order() -> None:
    assert sorted(["X10", "X2", "X1"], key=natural) == ["X1", "X2", "X10"]
    order = Ordering({"area": {"b": 0, "a": 1}}, {})
    assert sorted(["z", "a", "b"], key=lambda c: order.rank("area", c)) == ["b", "a", "z"]
    assert sorted(["C", "T", "A"], key=lambda c: order.rank("category", c)) == ["T", "A", "C"]
    assert [period_title(p) for p in ("2015", "2015-Q3", "2015-H1", "x")] == [
        "2015年",
        "2015年三季度",
        "2015年上半年",
        "x",
    ]


def test_a_table_too_long_for_print_is_named_and_not_laid_out(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    cell, published = make
    monkeypatch.setattr("exports.layout.SHEET_ROWS", 2)
    rows = [cell(indicator=f"F{n:02}", indicator_name=f"指标{n}") for n in range(3)]
    long = tables("monitoring_figures", published(rows))[0]
    assert long.left_out == 3 and long.rows == ()
