"""The figures a reader chooses from (area, indicator, measure, period), packed for the pages that let them choose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import polars as pl

from exports.ordering import TOTAL, Ordering

GROUP_CELLS: Final = 60_000  # more would make the page heavy; the breakdowns are then left to the tables


def labelled(cells: pl.DataFrame, dimension: str, ordering: Ordering) -> list[tuple[str, str]]:
    """(code, label) of what occurs in one dimension, in reading order; two labels of one code are joined by ``/``."""
    name = f"{dimension}_name"
    columns = [dimension, name] if name in cells.columns else [dimension]
    labels: dict[str, list[str]] = {}
    for code, *given in cells.select(columns).unique().sort(columns).iter_rows():
        label = ordering.label(dimension, code, given[0] if given else "")
        if label not in labels.setdefault(code, []):
            labels[code].append(label)
    return [(code, "/".join(labels[code])) for code in sorted(labels, key=lambda c: ordering.rank(dimension, c))]


def units_of(cells: pl.DataFrame) -> dict[str, dict[str, str]]:
    """indicator → measure → unit of measure."""
    units: dict[str, dict[str, str]] = {}
    for indicator, measure, unit in (
        cells.select("indicator", "measure", "unit_measure").unique().sort("indicator", "measure").iter_rows()
    ):
        units.setdefault(indicator, {})[measure] = "" if unit in ("-", "") else unit
    return units


def own_names(cells: pl.DataFrame) -> dict[str, dict[str, str]]:
    """indicator → measure → name, for measures that are not named alike for all indicators (本年累计, for stocks 期末数)."""
    names = cells.select("indicator", "measure", "measure_name").unique().sort("indicator", "measure", "measure_name")
    mixed = (
        names.group_by("measure").agg(pl.col("measure_name").n_unique()).filter(pl.col("measure_name") > 1)["measure"]
    )
    own: dict[str, dict[str, str]] = {}
    for indicator, measure, name in names.filter(pl.col("measure").is_in(mixed.implode())).iter_rows():
        own.setdefault(indicator, {})[measure] = name
    return own


def totals_cube(
    cells: pl.DataFrame, ordering: Ordering, kinds: Mapping[str, str], measures: Sequence[str]
) -> dict[str, Any]:
    """Totals of every area: ``cells[area][indicator][measure]`` is a list of displays, one a period."""
    totals = cells.filter(
        pl.col("breakdown") == "total", pl.col("category") == TOTAL, pl.col("measure").is_in(list(measures))
    )
    periods = labelled(totals, "period", ordering)
    at = {code: n for n, (code, _) in enumerate(periods)}
    body: dict[str, Any] = {}
    for area, indicator, measure, period, display in (
        totals.sort("area", "indicator", "measure", "period")
        .select("area", "indicator", "measure", "period", "display")
        .iter_rows()
    ):
        shown = body.setdefault(area, {}).setdefault(indicator, {}).setdefault(measure, [""] * len(periods))
        shown[at[period]] = display
    return {
        "areas": [[code, name, kinds.get(code, "")] for code, name in labelled(totals, "area", ordering)],
        "indicators": labelled(totals, "indicator", ordering),
        "measures": labelled(totals, "measure", ordering),
        "periods": periods,
        "units": units_of(totals),
        "own": own_names(totals),
        "cells": body,
    }


def groups_cube(cells: pl.DataFrame, ordering: Ordering, measures: Sequence[str]) -> dict[str, Any]:
    """Figures by breakdown: ``cells[breakdown][area][indicator][measure]`` is {category: display}; empty when too many."""
    parts = cells.filter(pl.col("breakdown") != "total", pl.col("measure").is_in(list(measures)))
    if parts.is_empty() or parts.height > GROUP_CELLS:
        return {}
    body: dict[str, Any] = {}
    for breakdown, area, indicator, measure, category, display in (
        parts.sort("breakdown", "area", "indicator", "measure", "category")
        .select("breakdown", "area", "indicator", "measure", "category", "display")
        .iter_rows()
    ):
        group = body.setdefault(breakdown, {}).setdefault(area, {}).setdefault(indicator, {})
        group.setdefault(measure, {})[category] = display
    return {
        "breakdowns": labelled(parts, "breakdown", ordering),
        "areas": labelled(parts, "area", ordering),
        "indicators": labelled(parts, "indicator", ordering),
        "measures": labelled(parts, "measure", ordering),
        "categories": {
            code: labelled(parts.filter(pl.col("breakdown") == code), "category", ordering)
            for code, _ in labelled(parts, "breakdown", ordering)
        },
        "units": units_of(parts),
        "own": own_names(parts),
        "cells": body,
    }
