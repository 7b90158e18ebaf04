"""The page of the development index: over time, by dimension, and what moved it."""

from __future__ import annotations

import polars as pl

from exports.ordering import INDEX_TOTAL
from exports.site.charts import Chart, Series
from exports.site.cube import labelled
from exports.site.figures import Mart
from exports.site.source import SCORES, Page, Source


def development(source: Source) -> Page:
    """The index of every area over time, its dimensions, and what moved it last year."""
    mart = source.mart(SCORES)
    if mart.frame.is_empty():
        return Page("development.html", "发展指数", "development.html.j2", {"charts": {}, "tables": ()}, {}, False)
    area = source.top_area(mart)
    charts = [
        chart
        for chart in (
            index_chart(source, mart, "index-total"),
            *(
                _dimension_chart(source, mart, code, name)
                for code, name in labelled(mart.frame, "area", source.ordering)
            ),
            *(_contributions(source, mart, code, name) for code, name in labelled(mart.frame, "area", source.ordering)),
        )
        if chart and chart.has_figures
    ]
    tables = [*source.tables(SCORES), *source.tables("index_coverage")]
    return Page(
        "development.html",
        "发展指数",
        "development.html.j2",
        {
            "charts": {c.id: c for c in charts},
            "tables": tables,
            "areas": labelled(mart.frame, "area", source.ordering),
            "area": area,
        },
        {"charts": {c.id: c.to_json() for c in charts}},
    )


def _lines(source: Source, cells: pl.DataFrame, by: str) -> tuple[tuple[str, ...], tuple[Series, ...]]:
    periods = labelled(cells, "period", source.ordering)
    shown = {(row[by], row["period"]): row["display"] for row in cells.to_dicts()}
    lines = tuple(
        Series(name, tuple(shown.get((code, period), "") for period, _ in periods))
        for code, name in labelled(cells, by, source.ordering)
    )
    return tuple(name for _, name in periods), lines


def index_chart(source: Source, mart: Mart, identifier: str) -> Chart | None:
    cells = mart.frame.filter(indicator=INDEX_TOTAL, measure="index", breakdown="total")
    zones = cells.filter(~pl.col("area").is_in([a for a, kind in source.kinds.items() if kind in ("sub_park", "base")]))
    if zones["period"].n_unique() < 2:  # the base year alone makes no line
        return None
    periods, lines = _lines(source, zones, "area")
    return Chart(identifier, "line", "发展指数(基期=100)", "", periods, lines, from_zero=False)


def _dimension_chart(source: Source, mart: Mart, area: str, name: str) -> Chart | None:
    dimensions = [d.partition(" ")[0] for s in source.meta.edition.indexes.values() for d in s.dimensions]
    cells = mart.frame.filter(
        pl.col("indicator").is_in([INDEX_TOTAL, *dimensions]), area=area, measure="index", breakdown="total"
    )
    if cells["period"].n_unique() < 2:
        return None
    periods, lines = _lines(source, cells, "indicator")
    return Chart(f"dimensions-{area}", "line", f"{name}分维度指数(基期=100)", "", periods, lines, from_zero=False)


def _contributions(source: Source, mart: Mart, area: str, name: str) -> Chart | None:
    indicators = {i.id for s in source.meta.edition.indexes.values() for i in s.indicators}
    cells = mart.frame.filter(area=area, measure="contribution").filter(pl.col("indicator").is_in(sorted(indicators)))
    if cells.is_empty():
        return None
    last = labelled(cells, "period", source.ordering)[-1]
    rows = cells.filter(period=last[0]).to_dicts()
    rows.sort(key=lambda row: source.ordering.rank("indicator", row["indicator"]))
    return Chart(
        f"contributions-{area}",
        "hbar",
        f"{last[1]}{name}各指标对总指数变动的贡献",
        rows[0]["unit_measure"],
        tuple(row["indicator_name"] for row in rows),
        (Series("贡献", tuple(row["display"] for row in rows)),),
    )
