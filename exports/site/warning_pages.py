"""The page of the early warnings: levels at a glance, what fired and why, everything."""

from __future__ import annotations

from typing import Any

import polars as pl

from exports.layout import word_of
from exports.ordering import publication
from exports.site.cube import labelled
from exports.site.source import WARNINGS, Page, Source, figure_or_none


def warnings(source: Source) -> Page:
    """Every early-warning indicator of every area with its level and the reason."""
    tables = source.tables(WARNINGS)
    fired: dict[str, list[dict[str, Any]]] = {}
    for row in sorted(fired_warnings(source), key=lambda r: source.ordering.rank("area", r["area"])):
        fired.setdefault(row["area_name"], []).append(row)
    context = {
        "tables": tables,
        "fired": list(fired.items()),
        "matrix": _matrix(source),
        "words": publication()["words"]["level"],
    }
    return Page("warnings.html", "预警", "warnings.html.j2", context, {}, bool(tables))


def _matrix(source: Source) -> dict[str, Any]:
    """Levels, areas by indicators; an area without any level is left to the table below."""
    levels = source.mart(WARNINGS).frame.filter(measure="level")
    heads = labelled(levels, "indicator", source.ordering)
    found = {(row["area"], row["indicator"]): row for row in levels.to_dicts()}
    judged = set(levels.filter(pl.col("status") != "M")["area"])
    areas = [pair for pair in labelled(levels, "area", source.ordering) if pair[0] in judged]
    return {
        "heads": heads,
        "rows": [(name, [figure_or_none(found.get((code, i))) for i, _ in heads]) for code, name in areas],
    }


def fired_warnings(source: Source) -> list[dict[str, Any]]:
    """The warnings with a level above none, worst first, then in printed order."""
    mart = source.mart(WARNINGS)
    fired = mart.frame.filter(pl.col("measure") == "level", pl.col("value") > 0)
    order = source.ordering
    rows = sorted(
        fired.to_dicts(),
        key=lambda r: (-r["value"], order.rank("area", r["area"]), order.rank("indicator", r["indicator"])),
    )
    return [{**row, "word": word_of("level", row["display"]) or row["display"]} for row in rows]
