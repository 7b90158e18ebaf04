"""A park's own published results: figures, index with its interval and what moved it, warnings, targets; a table below each chart."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup
from starlette.responses import Response

from exports import own_results
from exports.charts_svg import Bar, Interval, Series, bar_chart, interval_chart, line_chart
from exports.ordering import publication
from exports.own_results import IndexYear, Moved, Row
from schemas.period import Period
from warehouse.ledger.parks import park as park_on
from warehouse.ledger.releases import Release, releases
from ytb.portal import pages
from ytb.portal.visit import Visit

MOST_BARS = 12


def own(visit: Visit) -> Response:
    """The newest quarter and the newest year published, or those chosen."""
    area = visit.who.park or ""
    with visit.office.ledger.read() as session:
        park = park_on(session, area, visit.now.date())
        current = _current(releases(session))
    root = visit.portal.home.releases
    quarters = [one for one in current if _has(root, one, own_results.QUARTERLY)]
    years = [one for one in current if _has(root, one, own_results.ANNUAL)]
    quarter, year = _chosen(quarters, visit.query("quarter")), _chosen(years, visit.query("year"))
    of_quarter = _tables(root, quarter, (*own_results.QUARTERLY, own_results.SERIES))
    of_year = _tables(root, year, own_results.ANNUAL)
    figures = own_results.figures(of_quarter, area)
    wanted = visit.query("indicator")
    indicator = next((row for row in figures if row.code == wanted), figures[0] if figures else None)
    over_time = own_results.series(of_quarter, area, indicator.code) if indicator else []
    index, moved = own_results.index_years(of_year, area), own_results.moved(of_year, area)
    return pages.page(
        visit, "results", park=park, quarters=quarters, years=years, quarter=quarter, year=year, figures=figures,
        ratios=own_results.ratios(of_quarter, area), indicator=indicator, over_time=over_time,
        growth_chart=growth_chart(figures), series_chart=series_chart(indicator, over_time) if indicator else "",
        warnings=own_results.warnings(of_quarter, area), annual=own_results.annual_figures(of_year, area), index=index,
        index_chart=index_chart(index), moved=moved, moved_chart=moved_chart(moved),
        evaluations=own_results.evaluations(of_year, area), targets=own_results.targets(of_year, area),
        area_targets=_of_wider_areas(visit, of_year, area), levels=publication()["words"]["level"],
    )  # fmt: skip


def _current(found: Sequence[Release]) -> list[Release]:
    """Of each period the newest release that stands, the newest period first."""
    newest: dict[Period, Release] = {}
    for one in found:
        if not one.is_withdrawn and (one.period not in newest or newest[one.period].number < one.number):
            newest[one.period] = one
    return sorted(newest.values(), key=lambda one: one.period, reverse=True)


def _has(root: Path, one: Release, names: Sequence[str]) -> bool:
    return (root / one.id / "manifest.json").is_file() and own_results.has_any(root / one.id, names)


def _chosen(found: Sequence[Release], wanted: str) -> Release | None:
    return next((one for one in found if one.id == wanted), found[0] if found else None)


def _tables(root: Path, one: Release | None, names: Sequence[str]) -> own_results.Tables:
    return own_results.released_tables(root / one.id, names) if one else {}


def _of_wider_areas(visit: Visit, tables: own_results.Tables, area: str) -> list[tuple[str, list[Row]]]:
    """Targets of the areas that a park belongs to, by their names."""
    rows = visit.office.programme.codelists["parks"].rows
    mine = rows.filter(code=area)
    groups = [part for text in mine["groups"].to_list() for part in (text or "").replace(";", " ").split()]
    names = dict(rows.select("code", "name").iter_rows())
    found = ((names.get(code, code), own_results.targets(tables, code)) for code in dict.fromkeys(groups))
    return [(name, targets) for name, targets in found if targets]


def growth_chart(figures: Sequence[Row]) -> Markup:
    """Growth on the same period of the year before, indicator by indicator."""
    shown = [row for row in figures if "growth_restated" in row.cells][:MOST_BARS]
    bars = [Bar(row.name, row.value("growth_restated"), row.shown("growth_restated")) for row in shown]
    return Markup(bar_chart("growth", "主要指标同比", bars, "%"))


def series_chart(indicator: Row, over_time: Sequence[tuple[str, Row]]) -> Markup:
    """One indicator over the quarters published."""
    values = [row.value("discrete_quarter") for _, row in over_time]
    name, lines = "本季", values
    if not any(value is not None for value in values):
        name, lines = "本年累计", [row.value("cumulative") for _, row in over_time]
    periods = [period for period, _ in over_time]
    return Markup(line_chart("series", f"{indicator.name}各季", periods, [Series(name, lines)], indicator.unit))


def index_chart(index: Sequence[IndexYear]) -> Markup:
    """The development index with its interval, year by year."""
    rows = [
        Interval(
            one.year, one.total.value("index"), one.total.value("index_lower"), one.total.value("index_upper"),
            one.total.shown("index"),
        )
        for one in index
    ]  # fmt: skip
    return Markup(interval_chart("index", "发展指数及 90% 区间", rows, "基年=100"))


def moved_chart(moved: Moved | None) -> Markup:
    """The indicators that moved the index most."""
    if moved is None:
        return Markup("")
    bars = [Bar(row.name, row.value("contribution"), row.shown("contribution")) for row in moved.indicators[:MOST_BARS]]
    return Markup(bar_chart("moved", f"{moved.year} 年各指标对总指数变动的贡献", bars, "点"))
