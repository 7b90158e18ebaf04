"""What stands on each page of the dashboard, from the published marts alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import polars as pl

from exports.layout import Figure, Table, tables_of
from exports.manifest import ReleaseMeta
from exports.ordering import INDEX_TOTAL, TOTAL, Ordering, ordering_of, publication
from exports.site.charts import Chart, Series
from exports.site.cube import groups_cube, labelled, totals_cube
from exports.site.figures import Mart
from schemas.dictionary import of_which
from schemas.marts import CELL_COLUMNS, MARTS

FIGURES: Final = "monitoring_figures"
SERIES: Final = "monitoring_series"
WARNINGS: Final = "monitoring_warnings"
SCORES: Final = "index_scores"
HEADLINES: Final = 8
FOREMOST: Final = 8
AREA: Final = "area"


@dataclass(frozen=True)
class Page:
    """One page: file, title in the navigation, template, what the template gets, what the browser gets."""

    file: str
    title: str
    template: str
    context: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    has_figures: bool = True


@dataclass(frozen=True)
class Source:
    """The marts of a release with what is needed to read them."""

    marts: Mapping[str, pl.DataFrame]
    meta: ReleaseMeta
    ordering: Ordering
    parents: Mapping[str, str]
    kinds: Mapping[str, str]  # area → area, zone, sub_park, base
    spec: Mapping[str, Any]

    @classmethod
    def of(cls, marts: Mapping[str, pl.DataFrame], meta: ReleaseMeta) -> Source:
        """A source over the published marts; the register tells an aggregate area from a park."""
        parks = meta.programme.codelists["parks"].rows
        return cls(
            marts,
            meta,
            ordering_of(meta.programme),
            of_which(meta.edition),
            dict(parks.select("code", "kind").iter_rows()),
            publication()["site"],
        )

    def mart(self, name: str) -> Mart:
        """The mart ``name``, without a cell where the release does not have it."""
        return Mart(name, self.marts.get(name, pl.DataFrame(schema={**CELL_COLUMNS, "display": pl.String()})))

    def tables(self, name: str) -> tuple[Table, ...]:
        """The mart laid out as in the publication workbook."""
        mart = self.mart(name)
        return () if mart.frame.is_empty() else tables_of(name, mart.frame, self.ordering, self.parents)

    def measure(self, mart: Mart, purpose: str) -> str:
        """The first measure of ``[site]`` that the mart has for this purpose; empty where it has none."""
        present = set(mart.frame["measure"].unique())
        return next((m for m in self.spec[purpose] if m in present), "")

    def top_area(self, mart: Mart) -> str:
        """The area a reader starts with: the first aggregate of the register, else the first area."""
        codes = [code for code, _ in labelled(mart.frame, "area", self.ordering)]
        return next((c for c in codes if self.kinds.get(c) == AREA), codes[0] if codes else "")


@dataclass(frozen=True)
class Card:
    """One headline figure with its growth."""

    name: str
    unit: str
    level: Figure
    growth: Figure | None
    growth_name: str


def pages_of(marts: Mapping[str, pl.DataFrame], meta: ReleaseMeta, revisions: pl.DataFrame | None) -> tuple[Page, ...]:
    """All pages in the order of the navigation; a page without figures says why."""
    source = Source.of(marts, meta)
    return (
        overview(source),
        parks(source),
        series(source),
        warnings(source),
        development(source),
        targets(source),
        innovation(source),
        quality(source, revisions),
    )


def headlines(source: Source, mart: Mart, area: str, level: str) -> list[str]:
    """The indicators shown first: those of ``[site] headline`` that the area has, filled up in printed order."""
    own = mart.frame.filter(area=area, breakdown="total", category=TOTAL, measure=level)
    present = [code for code, _ in labelled(own, "indicator", source.ordering)]
    first = [code for code in source.spec["headline"] if code in present]
    others = (code for code in present if code not in first and code not in source.parents)
    return [*first, *others][:HEADLINES]


def overview(source: Source) -> Page:
    """Key figures with growth, all parks at a glance, warnings that fired, the index."""
    mart = source.mart(FIGURES)
    area, level, growth = source.top_area(mart), source.measure(mart, "level"), source.measure(mart, "growth")
    codes = headlines(source, mart, area, level) if level else []
    cards = [card for code in codes if (card := _card(mart, area, code, level, growth))]
    index = _index_chart(source, source.mart(SCORES), "index-total")
    charts = [c for c in (_growth_chart(source, mart, area, codes, growth), index) if c and c.has_figures]
    names = dict(labelled(mart.frame, "area", source.ordering))
    return Page(
        "index.html",
        "总览",
        "overview.html.j2",
        {
            "area_name": names.get(area, ""),
            "cards": cards,
            "growth": _growth_table(source, mart, codes, growth),
            "charts": {chart.id: chart for chart in charts},
            "warnings": _foremost(source),
            "index_tables": list(source.tables(SCORES)[:1]),
        },
        {"charts": {chart.id: chart.to_json() for chart in charts}},
        bool(cards or index),
    )


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


def _growth_chart(source: Source, mart: Mart, area: str, codes: Sequence[str], growth: str) -> Chart | None:
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


def _fired(source: Source) -> list[dict[str, Any]]:
    """The warnings with a level above none, worst first, then in printed order."""
    mart = source.mart(WARNINGS)
    fired = mart.frame.filter(pl.col("measure") == "level", pl.col("value") > 0)
    order = source.ordering
    rows = sorted(
        fired.to_dicts(),
        key=lambda r: (-r["value"], order.rank("area", r["area"]), order.rank("indicator", r["indicator"])),
    )
    return [{**row, "word": _level_word(source, row["display"])} for row in rows]


def _level_word(source: Source, display: str) -> str:
    words = source.spec["levels"]
    return words[int(display)] if display.isdigit() and int(display) < len(words) else display


def _foremost(source: Source) -> list[dict[str, Any]]:
    """What the overview shows of the warnings: the worst of areas and zones, sub-parks left to their page."""
    fired = [w for w in _fired(source) if source.kinds.get(w["area"]) not in ("sub_park", "base")]
    return fired[:FOREMOST]


def parks(source: Source) -> Page:
    """All parks side by side for one indicator, and one park by breakdown."""
    mart = source.mart(FIGURES)
    wanted = [m for p in ("level", "quarter", "growth", "pull") for m in source.spec[p]] + [
        "share",
        "coverage",
        "ratio",
    ]
    cube = totals_cube(mart.frame, source.ordering, source.kinds, wanted) if not mart.frame.is_empty() else {}
    level = source.measure(mart, "level")
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
        (name, [_figure(figures.get((code, measure))) for measure, _ in cube["measures"]])
        for code, name, _ in cube["areas"]
    ]


def _figure(row: dict[str, Any] | None) -> Figure | None:
    return Figure(row["row_key"], row["display"], row["status"], row["unit_measure"]) if row else None


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


def development(source: Source) -> Page:
    """The index of every area over time, its dimensions, and what moved it last year."""
    mart = source.mart(SCORES)
    if mart.frame.is_empty():
        return Page("development.html", "发展指数", "development.html.j2", {"charts": {}, "tables": ()}, {}, False)
    area = source.top_area(mart)
    charts = [
        chart
        for chart in (
            _index_chart(source, mart, "index-total"),
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


def _index_chart(source: Source, mart: Mart, identifier: str) -> Chart | None:
    cells = mart.frame.filter(indicator=INDEX_TOTAL, measure="index", breakdown="total")
    zones = cells.filter(~pl.col("area").is_in([a for a, kind in source.kinds.items() if kind in ("sub_park", "base")]))
    if zones.is_empty():
        return None
    periods, lines = _lines(source, zones, "area")
    return Chart(identifier, "line", "发展指数(基期=100)", "", periods, lines, from_zero=False)


def _dimension_chart(source: Source, mart: Mart, area: str, name: str) -> Chart | None:
    dimensions = [d.partition(" ")[0] for s in source.meta.edition.indexes.values() for d in s.dimensions]
    cells = mart.frame.filter(
        pl.col("indicator").is_in([INDEX_TOTAL, *dimensions]), area=area, measure="index", breakdown="total"
    )
    if cells.is_empty():
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


def targets(source: Source) -> Page:
    """Progress of every target of the plans."""
    tables = source.tables("targets_progress")
    return Page("targets.html", "目标进展", "targets.html.j2", {"tables": tables}, {}, bool(tables))


def warnings(source: Source) -> Page:
    """Every early-warning indicator of every area with its level and the reason."""
    tables = source.tables(WARNINGS)
    fired: dict[str, list[dict[str, Any]]] = {}
    for row in sorted(_fired(source), key=lambda r: source.ordering.rank("area", r["area"])):
        fired.setdefault(row["area_name"], []).append(row)
    context = {
        "tables": tables,
        "fired": list(fired.items()),
        "matrix": _matrix(source),
        "words": source.spec["levels"],
    }
    return Page("warnings.html", "预警", "warnings.html.j2", context, {}, bool(tables))


def _matrix(source: Source) -> dict[str, Any]:
    """Levels, areas by indicators."""
    levels = source.mart(WARNINGS).frame.filter(measure="level")
    heads = labelled(levels, "indicator", source.ordering)
    found = {(row["area"], row["indicator"]): row for row in levels.to_dicts()}
    areas = labelled(levels, "area", source.ordering)
    return {
        "heads": heads,
        "rows": [(name, [_figure(found.get((code, i))) for i, _ in heads]) for code, name in areas],
    }


def innovation(source: Source) -> Page:
    """The tables of the innovation survey; a chart where a table has a total line of shares."""
    tables = source.tables("innovation_tables")
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
    if len(shares) < 2:
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
