"""A published mart as one page: what can be chosen, the figures chosen, and a chart that fits what varies among them. Pure.

Only published cells enter; a hidden figure shows its mark in table and chart. The chart is drawn from the same rows as the
table below it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from exports.charts_svg import Bar, Interval, Series, bar_chart, interval_chart, line_chart
from exports.ordering import INDEX_TOTAL, TOTAL, Ordering, publication

ALL: Final = "*"
CHOICES: Final = ("table", "area", "breakdown", "indicator", "measure")
TITLES: Final = {"table": "表", "area": "区域", "breakdown": "分组", "indicator": "指标", "measure": "口径"}
MIXED: Final = ("area", "indicator")
"""What may be shown all at once; several tables, groupings or measures beside each other would mix units."""
SIZE: Final = "[roles] size"  # stands for the indicator the programme measures size by
FIRST: Final[Mapping[str, Sequence[str]]] = {
    "table": ("parks",),
    "breakdown": ("total",),
    "indicator": (INDEX_TOTAL, TOTAL, SIZE, "units"),
    "measure": ("growth_restated", "level", "response_rate", "index", "score", "total", "completion", "share", "value"),
}
BOUNDS: Final = {
    "index": ("index_lower", "index_upper"),
    "score": ("score_lower", "score_upper"),
    "total": ("score_lower", "score_upper"),
}
SERIES_DRAWN: Final = 6
BARS_DRAWN: Final = 40


@dataclass(frozen=True)
class Choice:
    """One thing to choose: its codes with their labels in order, what is chosen ("*": all), whether all may be shown."""

    name: str
    title: str
    options: Sequence[tuple[str, str]]
    chosen: str
    may_be_all: bool


@dataclass(frozen=True)
class MartView:
    """A mart as chosen. ``rows``: published cells with ``labels`` added (column a dimension); ``varying``: the dimensions
    that differ among them, which the table needs as columns; ``chart``: SVG, empty where there is nothing to draw."""

    choices: Sequence[Choice]
    rows: pl.DataFrame
    varying: Sequence[str]
    heading: str
    chart: str


def mart_view(
    cells: pl.DataFrame, asked: Mapping[str, str], ordering: Ordering, title: str, *, by_indicator: bool = False
) -> MartView:
    """The cells of one published mart as asked for; what is not asked for, or does not exist, is chosen sensibly.

    ``by_indicator``: a mart that readers look at one area after the other, all its indicators together.
    """
    choices: list[Choice] = []
    rows = cells
    for name in CHOICES:
        options = _options(rows, name, ordering)
        wants = asked.get(name, "")
        several_areas = any(c.name == "area" and c.chosen == ALL for c in choices)
        if wants == ALL and name in MIXED and not (name == "indicator" and several_areas):
            chosen = ALL
        elif wants and wants in dict(options):
            chosen = wants
        else:
            chosen = _first(name, [code for code, _ in options], rows, by_indicator, ordering)
        if chosen != ALL:
            rows = rows.filter(pl.col(name) == chosen)
        choices.append(Choice(name, TITLES[name], options, chosen, name in MIXED and len(options) > 1))
    varying = [d for d in ("period", "area", "category", "indicator") if rows.height and rows[d].n_unique() > 1]
    shown = _in_order(_with_labels(rows, ordering), varying, ordering)
    fixed = [
        dict(c.options)[c.chosen] for c in choices if c.chosen != ALL and len(c.options) > 1 and c.name != "breakdown"
    ]
    heading = f"{title}:{' '.join(fixed)}" if fixed else title
    return MartView(choices, shown, varying or ["area"], heading, _chart(shown, cells, varying, heading))


def _options(rows: pl.DataFrame, name: str, ordering: Ordering) -> list[tuple[str, str]]:
    label = f"{name}_name"
    pairs = rows.select(name, label if label in rows.columns else pl.lit("").alias(label)).unique().rows()
    named = {code: ordering.label(name, code, text) for code, text in pairs}
    return sorted(named.items(), key=lambda pair: ordering.rank(name, pair[0]))


def _first(name: str, codes: Sequence[str], rows: pl.DataFrame, by_indicator: bool, ordering: Ordering) -> str:
    """What is shown at first: all areas (or all indicators of the area with most figures); else what readers look for
    first; else the first of all."""
    if name == ("indicator" if by_indicator else "area") and len(codes) > 1:
        return ALL
    if name == "area" and codes:
        count = dict(rows.filter(pl.col("value").is_not_null())["area"].value_counts().iter_rows())
        return max(codes, key=lambda code: count.get(code, 0))
    for code in (ordering.roles.size if one == SIZE else one for one in FIRST.get(name, ())):
        if code in codes:
            return code
    return codes[0] if codes else ALL


def _with_labels(rows: pl.DataFrame, ordering: Ordering) -> pl.DataFrame:
    labels = []
    for name in ("period", "area", "breakdown", "category", "indicator", "measure"):
        label = f"{name}_name"
        texts = rows[label].to_list() if label in rows.columns else [""] * rows.height
        found = [ordering.label(name, code, text) for code, text in zip(rows[name].to_list(), texts, strict=True)]
        labels.append(pl.Series(f"label_{name}", found, dtype=pl.String))
    units = publication()["label"]["unit"]
    shown = [units.get(unit, "" if unit in ("-", "—") else unit) for unit in rows["unit_measure"].to_list()]
    return rows.with_columns(*labels, pl.Series("label_unit", shown, dtype=pl.String))


def _in_order(rows: pl.DataFrame, varying: Sequence[str], ordering: Ordering) -> pl.DataFrame:
    if not rows.height:
        return rows
    ranks = [tuple(ordering.rank(d, row[d]) for d in varying) for row in rows.to_dicts()]
    order = sorted(range(rows.height), key=lambda n: (ranks[n], rows["row_key"][n]))
    return rows[order]


def _chart(rows: pl.DataFrame, cells: pl.DataFrame, varying: Sequence[str], title: str) -> str:
    """Lines where periods differ, intervals where the mart has bounds, else bars; nothing where too much differs at once,
    or figures of several units would stand on one axis."""
    if not rows.height or rows["label_unit"].n_unique() > 1:
        return ""
    unit = rows["label_unit"][0]
    if "period" in varying and len(varying) <= 2:
        other = next((d for d in varying if d != "period"), "area")
        return _lines(rows, other, title, unit)
    if len(varying) > 2 or rows.height > BARS_DRAWN:
        return ""
    measure = rows["measure"][0]
    if measure in BOUNDS and (cells["measure"].is_in(list(BOUNDS[measure]))).any():
        return _intervals(rows, cells, BOUNDS[measure], varying, title, unit)
    bars = [Bar(_label(r, varying), r["value"], r["display"]) for r in rows.to_dicts()]
    return bar_chart("figures", title, bars, unit)


def _lines(rows: pl.DataFrame, other: str, title: str, unit: str) -> str:
    periods = list(dict.fromkeys(zip(rows["period"].to_list(), rows["label_period"].to_list(), strict=True)))
    values = {(r["period"], r[other]): r["value"] for r in rows.to_dicts()}
    names = dict(zip(rows[other].to_list(), rows[f"label_{other}"].to_list(), strict=True))
    series = [Series(label, [values.get((p, code)) for p, _ in periods]) for code, label in names.items()]
    return line_chart("figures", title, [label for _, label in periods], series[:SERIES_DRAWN], unit)


def _intervals(
    rows: pl.DataFrame, cells: pl.DataFrame, bounds: tuple[str, str], varying: Sequence[str], title: str, unit: str
) -> str:
    keys = ("table", "period", "area", "breakdown", "category", "indicator")
    ends = [
        {tuple(r[k] for k in keys): r["value"] for r in cells.filter(measure=name).select(*keys, "value").to_dicts()}
        for name in bounds
    ]
    found = []
    for r in rows.to_dicts():
        low, high = (end.get(tuple(r[k] for k in keys)) for end in ends)
        found.append(Interval(_label(r, varying), r["value"], low, high, r["display"]))
    return interval_chart("figures", title, found, unit)


def _label(row: Mapping[str, str], varying: Sequence[str]) -> str:
    return " ".join(row[f"label_{d}"] for d in varying or ("area",))
