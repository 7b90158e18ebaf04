from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from exports.manifest import ReleaseMeta
from exports.release import write_release
from exports.site.charts import Chart, Series
from exports.site.figures import grouped

PAGES = ("index", "parks", "series", "warnings", "development", "evaluation", "targets", "innovation", "quality")


class Reader(HTMLParser):
    """Texts of the figures of a page (class v), the links and sources it names, its charts, its ids."""

    def __init__(self) -> None:
        super().__init__()
        self.figures: list[tuple[str, str, str]] = []  # mart, row_key, text
        self.loads: list[str] = []
        self.links: list[str] = []
        self.charts: dict[str, str] = {}
        self.ids: list[str] = []
        self.scripts_with_text = 0
        self._open: list[tuple[str, dict[str, str]]] = []
        self._chart = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {k: v or "" for k, v in attrs}
        self.ids += [given["id"]] if "id" in given else []
        if tag in ("script", "img", "link", "iframe"):
            self.loads += [given[k] for k in ("src", "href") if k in given]
        if tag == "a":
            self.links.append(given["href"])
        if "data-chart" in given:
            self._chart = given["data-chart"]
        if given.get("role") == "img":
            self.charts[self._chart] = given.get("aria-label", "")
        if "v" in given.get("class", "").split():
            self.figures.append((given.get("data-m", ""), given.get("data-k", ""), ""))
        if tag not in ("meta", "link", "input", "br", "i"):
            self._open.append((tag, given))

    def handle_endtag(self, tag: str) -> None:
        if tag != "i":
            self._open.pop()

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1][0] == "script" and data.strip():
            self.scripts_with_text += 1
        if self._open and "v" in self._open[-1][1].get("class", "").split():
            mart, key, text = self.figures[-1]
            self.figures[-1] = (mart, key, text + data)


def read(path: Path) -> Reader:
    reader = Reader()
    reader.feed(path.read_text(encoding="utf-8"))
    return reader


def data_of(path: Path) -> dict[str, Any]:
    text = path.read_text(encoding="utf-8")
    assert text.startswith("window.YTB = ") and text.endswith(";\n")
    return dict(json.loads(text[len("window.YTB = ") : -2]))


@pytest.fixture(scope="module")
def folder(
    tmp_path_factory: pytest.TempPathFactory,
    marts: dict[str, pl.DataFrame],
    meta: ReleaseMeta,
    earlier: pl.DataFrame,
    previous: dict[str, pl.DataFrame],
) -> Path:
    target = tmp_path_factory.mktemp("site") / "r"
    write_release(marts, target, meta, previous=previous, earlier=earlier)
    return target


def parquet(folder: Path, mart: str) -> pl.DataFrame:
    return pl.read_parquet(folder / f"tables/{mart}.parquet")


def test_every_number_of_every_page_is_the_display_in_parquet(folder: Path, marts: dict[str, pl.DataFrame]) -> None:
    seen: set[str] = set()
    for page in PAGES:
        for mart, key, text in read(folder / f"site/{page}.html").figures:
            if not key:
                continue
            row = parquet(folder, mart).filter(row_key=key)
            assert row["display"].to_list() == [text], (page, mart, key)
            seen.add(mart)
    assert seen == {name for name, frame in marts.items() if not frame.is_empty()}


def cube_cells(cube: dict[str, Any]) -> Iterator[tuple[dict[str, str], str]]:
    periods = [code for code, _ in cube["periods"]]
    for area, indicators in cube["cells"].items():
        for indicator, measures in indicators.items():
            for measure, shown in measures.items():
                for period, display in zip(periods, shown, strict=True):
                    yield (
                        {
                            "area": area,
                            "indicator": indicator,
                            "measure": measure,
                            "period": period,
                            "breakdown": "total",
                        },
                        display,
                    )


@pytest.mark.parametrize(("page", "mart"), [("parks", "monitoring_figures"), ("series", "monitoring_series")])
def test_every_number_a_reader_may_choose_is_the_display_in_parquet(folder: Path, page: str, mart: str) -> None:
    frame = parquet(folder, mart)
    cells = list(cube_cells(data_of(folder / f"site/data/{page}.js")["cube"]))
    assert len(cells) == frame.filter(breakdown="total", category="T").height
    for dimensions, display in cells:
        assert frame.filter(**dimensions)["display"].to_list() == [display], dimensions


def test_every_number_by_breakdown_is_the_display_in_parquet(folder: Path) -> None:
    frame = parquet(folder, "monitoring_figures")
    count = 0
    for breakdown, areas in data_of(folder / "site/data/parks.js")["groups"]["cells"].items():
        for area, indicators in areas.items():
            for indicator, measures in indicators.items():
                for measure, shown in measures.items():
                    for category, display in shown.items():
                        where = {"breakdown": breakdown, "area": area, "indicator": indicator, "measure": measure}
                        assert frame.filter(**where, category=category)["display"].to_list() == [display]
                        count += 1
    assert count == frame.filter(pl.col("breakdown") != "total").height


def test_every_number_in_a_chart_is_published(folder: Path, marts: dict[str, pl.DataFrame]) -> None:
    displays = {text for frame in marts.values() for text in frame["display"]}
    charts = [c for page in PAGES for c in data_of(folder / f"site/data/{page}.js").get("charts", {}).values()]
    assert {c["kind"] for c in charts} == {"line", "hbar"}
    for chart in charts:
        for series in chart["series"]:
            assert set(series["shown"]) <= displays
            assert len(series["shown"]) == len(chart["categories"])


def test_figures_of_data_scripts_stand_in_the_publication_workbook(folder: Path) -> None:
    index = pl.read_parquet(folder / "cells.parquet")
    for mart in index["mart"].unique():
        joined = parquet(folder, mart).join(index.filter(mart=mart), on="row_key", how="full", suffix="_book")
        assert joined["display"].eq_missing(joined["display_book"]).all()


def test_nothing_is_loaded_from_outside_or_run_inline(folder: Path) -> None:
    for page in PAGES:
        found = read(folder / f"site/{page}.html")
        assert found.scripts_with_text == 0
        for address in (*found.loads, *found.links):
            assert not re.match(r"(?:[a-z]+:)?//|https?:", address), address
            if address.startswith(("data:", "#")) or "#" in address:
                continue
            assert (folder / "site" / address).resolve().is_file() or address.endswith("manifest.json"), address
    assert (folder / "manifest.json").is_file()
    own = "".join((folder / f"site/assets/{name}").read_text() for name in ("site.js", "site.css"))
    assert "http" not in own and "fetch(" not in own and "innerHTML" not in own


def test_links_within_a_page_find_their_place(folder: Path) -> None:
    for page in PAGES:
        found = read(folder / f"site/{page}.html")
        assert len(set(found.ids)) == len(found.ids)
        assert {link[1:] for link in found.links if link.startswith("#")} <= set(found.ids)


def test_every_chart_has_words(folder: Path) -> None:
    for page in PAGES:
        for name, alt in read(folder / f"site/{page}.html").charts.items():
            assert len(alt) > 10, (page, name)


def test_the_alt_text_says_what_the_chart_shows() -> None:
    line = Chart("x", "line", "指数", "", ("2014年", "2015年", "2016年"), (Series("总指数", ("100.0", "—", "108.1")),))
    assert line.alt == "折线图:指数。 总指数:2014年为100.0,2016年为108.1。"
    hidden = Chart("y", "hbar", "增速", "%", ("甲",), (Series("同比", ("*",)),))
    assert not hidden.has_figures and "没有可公布的数字" in hidden.alt


@pytest.mark.parametrize(
    ("display", "html"),
    [
        ("1234", "1234"),
        ("12345", "12<i></i>345"),
        ("-1234567.8", "-1<i></i>234<i></i>567.8"),
        ("*", "*"),
        ("<b>", "&lt;b&gt;"),
    ],
)
def test_gaps_between_thousands_are_style_and_not_text(display: str, html: str) -> None:
    assert str(grouped(display)) == html


def test_text_from_data_cannot_become_markup(tmp_path: Path, make: Any, meta: ReleaseMeta) -> None:
    cell, published = make
    evil = "</script><img src=x onerror=alert(1)>"
    rows = [
        cell(area_name=evil, indicator_name=evil, note=evil, table="warnings", measure=m, measure_name=evil, value=2.0)
        for m in ("value", "level")
    ]
    figures = [{**r, "table": "figures", "measure": "cumulative", "row_key": "f"} for r in rows[:1]]
    write_release(
        {"monitoring_warnings": published(rows), "monitoring_figures": published(figures)}, tmp_path / "r", meta
    )
    for page in PAGES:
        assert "<img" not in (tmp_path / f"r/site/{page}.html").read_text(encoding="utf-8")
    # In a script file a tag is text; the browser code puts it into the page as text only (no innerHTML).
    assert evil in json.dumps(data_of(tmp_path / "r/site/data/parks.js"), ensure_ascii=False)


def test_a_page_without_figures_says_why(tmp_path: Path, marts: dict[str, pl.DataFrame], meta: ReleaseMeta) -> None:
    write_release({"index_scores": marts["index_scores"]}, tmp_path / "r", meta)
    texts = {page: (tmp_path / f"r/site/{page}.html").read_text(encoding="utf-8") for page in PAGES}
    assert all(
        "本次发布不含" in texts[p] for p in ("parks", "series", "evaluation", "targets", "warnings", "innovation")
    )
    assert "本次发布不含" not in texts["development"] + texts["index"]


def test_pages_say_whose_figures_are_missing_from_the_totals(tmp_path: Path, make: Any, meta: ReleaseMeta) -> None:
    cell, published = make
    rows = [
        cell(measure="cumulative", note="未含3个未报单位", status="P"),
        cell(measure="units_unknown", measure_name="未报未估单位数", unit_measure="户", value=3.0),
    ]
    write_release({"monitoring_figures": published(rows)}, tmp_path / "r", meta)
    for page in ("index", "parks"):
        text = (tmp_path / f"r/site/{page}.html").read_text(encoding="utf-8")
        assert "有应报单位未报送、也没有作估算" in text and "|units_unknown" in text
    assert "未含3个未报单位" in (tmp_path / "r/site/index.html").read_text(encoding="utf-8")
    write_release({"monitoring_figures": published(rows[:1])}, tmp_path / "whole", meta)
    assert "应报单位未报送" not in (tmp_path / "whole/site/index.html").read_text(encoding="utf-8")
