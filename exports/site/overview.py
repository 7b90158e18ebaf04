"""The first page: key figures with growth, all parks at a glance, warnings, index, targets, innovation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from exports.layout import Figure
from exports.ordering import INDEX_TOTAL, TOTAL
from exports.site.charts import Chart, Series
from exports.site.cube import labelled
from exports.site.development import index_chart
from exports.site.figures import Mart, figure_of
from exports.site.source import (
    FOREMOST,
    INNOVATION,
    PROGRESS,
    SCORES,
    TARGETS,
    WARNINGS,
    Page,
    Source,
    figure_or_none,
    headlines,
)
from exports.site.warning_pages import fired_warnings


@dataclass(frozen=True)
class Card:
    """One headline figure with its growth."""

    name: str
    unit: str
    level: Figure
    growth: Figure | None
    growth_name: str


def overview(source: Source) -> Page:
    """Key figures with growth, all parks at a glance, warnings that fired, the index, targets, innovation."""
    mart, level, growth = source.main()
    area = source.top_area(mart)
    codes = headlines(source, mart, area, level) if level else []
    cards = [card for code in codes if (card := _card(mart, area, code, level, growth))]
    index = index_chart(source, source.mart(SCORES), "index-total")
    charts = [c for c in (_growth_chart(mart, area, codes, growth), index) if c and c.has_figures]
    progress, highlights = _progress(source), _highlights(source)
    return Page(
        "index.html",
        "总览",
        "overview.html.j2",
        {
            "area_name": dict(labelled(mart.frame, "area", source.ordering)).get(area, ""),
            "mart": mart.name,
            "incomplete": source.incomplete(),
            "cards": cards,
            "growth": _growth_table(source, mart, codes, growth),
            "charts": {chart.id: chart for chart in charts},
            "warned": not source.mart(WARNINGS).frame.is_empty(),
            "warnings": _foremost(source),
            "index": _index_levels(source),
            "progress": progress,
            "highlights": highlights,
        },
        {"charts": {chart.id: chart.to_json() for chart in charts}},
        bool(cards or index or progress["rows"] or highlights),
    )


def _index_levels(source: Source) -> list[tuple[str, str, Figure]]:
    """Area, year and level of the total index, last year each has one."""
    mart = source.mart(SCORES)
    cells = mart.frame.filter(indicator=INDEX_TOTAL, measure="index", breakdown="total")
    rows = cells.filter(period=cells["period"].max()).to_dicts() if cells.height else []
    rows = [row for row in rows if source.kinds.get(row["area"]) not in ("sub_park", "base")]
    rows.sort(key=lambda row: source.ordering.rank("area", row["area"]))
    return [(row["area_name"], source.ordering.label("period", row["period"]), figure_of(row)) for row in rows]


def _progress(source: Source) -> dict[str, Any]:
    """The first targets of the foremost area that have a figure: target, actual, completion, standing."""
    mart = source.mart(TARGETS)
    area = source.top_area(mart)
    own = mart.frame.filter(area=area)
    known = set(own.filter(pl.col("measure") == "completion", pl.col("value").is_not_null())["indicator"])
    listed = [pair for pair in labelled(own, "indicator", source.ordering) if pair[0] in known][:FOREMOST]
    cells = {(row["indicator"], row["measure"]): row for row in own.to_dicts()}
    heads = [pair for pair in labelled(own, "measure", source.ordering) if pair[0] in PROGRESS]
    return {
        "heads": [(name, _one_unit(own, code)) for code, name in heads],
        "rows": [
            (
                name,
                cells[code, "completion"]["area_name"],
                _unit_of(cells, code),
                [figure_or_none(cells.get((code, m))) for m, _ in heads],
            )
            for code, name in listed
        ],
    }


def _one_unit(cells: pl.DataFrame, measure: str) -> str:
    units = cells.filter(measure=measure)["unit_measure"].unique().to_list()
    return str(units[0]).replace("-", "") if len(units) == 1 else ""


def _unit_of(cells: Mapping[tuple[str, str], Mapping[str, Any]], code: str) -> str:
    return str(next((cells[code, m]["unit_measure"] for m in ("actual", "target") if (code, m) in cells), ""))


def _highlights(source: Source) -> list[tuple[str, list[tuple[str, Figure]]]]:
    """Of the tables named in ``[roles] highlights``: title and the shares of the total line."""
    found = []
    for table in source.tables(INNOVATION):
        total = next((row for row in table.rows if row.total), None)
        if total is None or not table.title.startswith(source.ordering.roles.highlights):
            continue
        shares = [
            (table.heads[n][0], f) for n, f in enumerate(total.figures) if f is not None and f.unit_measure == "%"
        ]
        if shares:
            found.append((table.title.partition(" ")[2] or table.title, shares))
    return found


def _card(mart: Mart, area: str, code: str, level: str, growth: str) -> Card | None:
    whole = {"area": area, "breakdown": "total", "category": TOTAL, "indicator": code}
    rows = mart.rows(**whole, measure=level)
    figure = mart.one(**whole, measure=level)
    if figure is None:
        return None
    grown = mart.rows(**whole, measure=growth) if growth else []
    return Card(
        rows[0]["indicator_name"],
        figure.unit_measure,
        figure,
        mart.one(**whole, measure=growth) if grown else None,
        grown[0]["measure_name"] if grown else "",
    )


def _growth_table(source: Source, mart: Mart, codes: Sequence[str], growth: str) -> dict[str, Any]:
    """Growth of the headline indicators in every area but the sub-parks."""
    cells = mart.frame.filter(
        pl.col("indicator").is_in(list(codes)), pl.col("measure") == growth, breakdown="total", category=TOTAL
    )
    areas = [a for a in labelled(cells, "area", source.ordering) if source.kinds.get(a[0]) not in ("sub_park", "base")]
    names = dict(labelled(cells, "indicator", source.ordering))
    heads = [(code, names[code]) for code in codes if code in names]
    return {
        "heads": heads,
        "measure": next(iter(cells["measure_name"]), ""),
        "unit": next(iter(cells["unit_measure"]), ""),
        "rows": [(name, [mart.one(**_total(code, i, growth)) for i, _ in heads]) for code, name in areas],
    }


def _total(area: str, indicator: str, measure: str) -> dict[str, str]:
    return {"area": area, "breakdown": "total", "category": TOTAL, "indicator": indicator, "measure": measure}


def _growth_chart(mart: Mart, area: str, codes: Sequence[str], growth: str) -> Chart | None:
    cells = mart.frame.filter(
        pl.col("indicator").is_in(list(codes)),
        pl.col("measure") == growth,
        area=area,
        breakdown="total",
        category=TOTAL,
    )
    if cells.is_empty():
        return None
    shown = {row["indicator"]: row for row in cells.to_dicts()}
    order = [code for code in codes if code in shown]
    first = shown[order[0]]
    return Chart(
        "headline-growth",
        "hbar",
        f"{first['area_name']}主要指标{first['measure_name']}",
        first["unit_measure"],
        tuple(shown[code]["indicator_name"] for code in order),
        (Series(first["measure_name"], tuple(shown[code]["display"] for code in order)),),
    )


def _foremost(source: Source) -> list[dict[str, Any]]:
    """What the overview shows of the warnings: the worst of areas and zones, sub-parks left to their page."""
    fired = [w for w in fired_warnings(source) if source.kinds.get(w["area"]) not in ("sub_park", "base")]
    return fired[:FOREMOST]
