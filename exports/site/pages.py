"""What stands on each page of the dashboard, from the published marts alone."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from exports.layout import Table
from exports.manifest import ReleaseMeta
from exports.site.charts import Chart, Series
from exports.site.cube import labelled
from exports.site.development import development
from exports.site.overview import overview
from exports.site.park_pages import parks, series
from exports.site.source import BREAKDOWN, EVALUATION, FIGURES, INNOVATION, TARGETS, Page, Source
from exports.site.warning_pages import warnings
from schemas.marts import MARTS


def pages_of(marts: Mapping[str, pl.DataFrame], meta: ReleaseMeta, revisions: pl.DataFrame | None) -> tuple[Page, ...]:
    """All pages in the order of the navigation; a page without figures says why."""
    source = Source.of(marts, meta)
    return (
        overview(source),
        parks(source),
        series(source),
        warnings(source),
        development(source),
        evaluation(source),
        targets(source),
        innovation(source),
        quality(source, revisions),
    )


def evaluation(source: Source) -> Page:
    """Scores, grades and ranks of every scheme, then items, strengths and weaknesses."""
    tables = source.tables(EVALUATION)
    return Page("evaluation.html", "综合评价", "evaluation.html.j2", {"tables": tables}, {}, bool(tables))


def targets(source: Source) -> Page:
    """Progress of every target of the plans, and what it is broken down to."""
    tables = (*source.tables(TARGETS), *source.tables(BREAKDOWN))
    return Page("targets.html", "目标进展", "targets.html.j2", {"tables": tables}, {}, bool(tables))


def innovation(source: Source) -> Page:
    """The tables of the innovation survey; a chart where a table has a total line of shares."""
    tables = source.tables(INNOVATION)
    charts = {table.tab: chart for n, table in enumerate(tables) if (chart := _shares(table, n))}
    return Page(
        "innovation.html",
        "创新调查",
        "innovation.html.j2",
        {"tables": tables, "charts": charts},
        {"charts": {chart.id: chart.to_json() for chart in charts.values()}},
        bool(tables),
    )


def _shares(table: Table, number: int) -> Chart | None:
    total = next((row for row in table.rows if row.total), None)
    if total is None:
        return None
    shares = [(n, f) for n, f in enumerate(total.figures) if f is not None and f.unit_measure == "%"]
    if len(shares) < 3:
        return None
    heads = tuple(table.heads[n][0] for n, _ in shares)
    return Chart(
        f"innovation-{number}", "hbar", f"{table.title}:{total.label}", "%", heads,
        (Series(total.label, tuple(f.display for _, f in shares)),),
    )  # fmt: skip


def quality(source: Source, revisions: pl.DataFrame | None) -> Page:
    """Where the figures come from and how far they can be trusted: sources, response, findings, suppression, revisions."""
    names = ("monitoring_response", "quality_findings", "monitoring_revisions")
    used = pl.concat([frame.select("measure", "measure_name") for frame in source.marts.values()] or [pl.DataFrame()])
    return Page(
        "quality.html",
        "方法与质量",
        "quality.html.j2",
        {
            "tables": [table for name in names for table in source.tables(name)],
            "files": [(name, MARTS[name].title) for name in MARTS if name in source.marts],
            "measures": set(used["measure"].unique()) if used.width else set(),
            "revisions": revisions,
            "revision_rows": revisions.head(200).to_dicts() if revisions is not None else [],
            "definitions": _definitions(source),
        },
    )


def _definitions(source: Source) -> list[dict[str, str]]:
    mart = source.mart(FIGURES)
    known = source.meta.edition.indicators
    return [
        {
            "code": code,
            "name": name,
            "unit": known[code].unit_measure.replace("-", ""),
            "definition": known[code].definition,
        }
        for code, name in labelled(mart.frame, "indicator", source.ordering)
        if code in known
    ]
