"""The pages on which a reader chooses: parks side by side and within, one park over the quarters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from exports.layout import Figure
from exports.ordering import TOTAL
from exports.site.cube import groups_cube, totals_cube
from exports.site.figures import Mart
from exports.site.source import FIGURES, SERIES, Page, Source, figure_or_none, headlines


def parks(source: Source) -> Page:
    """All parks side by side for one indicator, and one park by breakdown."""
    mart, level, _ = source.main()
    purposes = ("level", "annual_level", "quarter", "growth", "pull", "beside")
    wanted = [measure for purpose in purposes for measure in source.spec[purpose]]
    cube = totals_cube(mart.frame, source.ordering, source.kinds, wanted) if not mart.frame.is_empty() else {}
    codes = headlines(source, mart, source.top_area(mart), level) if level else []
    first = next((code for code in codes), "")
    groups = groups_cube(mart.frame, source.ordering, wanted)
    return Page(
        "parks.html",
        "园区比较",
        "parks.html.j2",
        {
            "cube": cube,
            "first": first,
            "mart": mart.name,
            "incomplete": source.incomplete(),
            "level": level,
            "table": _park_rows(source, mart, cube, first),
            "groups": groups,
        },
        {"cube": cube, "groups": groups, "first": first, "level": level},
        bool(cube),
    )


def _park_rows(
    source: Source, mart: Mart, cube: Mapping[str, Any], indicator: str
) -> list[tuple[str, list[Figure | None]]]:
    if not cube:
        return []
    own = mart.frame.filter(indicator=indicator, breakdown="total", category=TOTAL)
    figures = {(row["area"], row["measure"]): row for row in own.to_dicts()}
    return [
        (name, [figure_or_none(figures.get((code, measure))) for measure, _ in cube["measures"]])
        for code, name, _ in cube["areas"]
    ]


def series(source: Source) -> Page:
    """One indicator of one area over the quarters published so far."""
    mart = source.mart(SERIES if SERIES in source.marts else FIGURES)
    periods = mart.frame["period"].n_unique()
    cube = totals_cube(mart.frame, source.ordering, source.kinds, _series_measures(source)) if periods > 1 else {}
    area = source.top_area(mart) if cube else ""
    level = source.measure(mart, "level")
    codes = headlines(source, mart, area, level) if cube and level else []
    return Page(
        "series.html",
        "季度走势",
        "series.html.j2",
        {"cube": cube, "area": area, "first": next(iter(codes), ""), "mart": mart.name},
        {
            "cube": cube,
            "area": area,
            "first": next(iter(codes), ""),
            "bars": [m for p in ("quarter", "level") for m in source.spec[p]],
            "lines": list(source.spec["growth"]),
        },
        bool(cube),
    )


def _series_measures(source: Source) -> list[str]:
    return [m for p in ("level", "quarter", "growth") for m in source.spec[p]]
