"""Published figures on pages: monitoring, index, evaluation, targets, innovation. Read from the files of releases only; a
preview is shown by the same pages, marked, to province roles."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import polars as pl
from starlette.responses import Response

from exports.manifest import read_manifest
from exports.mart_view import MartView, mart_view
from exports.ordering import Ordering, mart_title, ordering_of
from exports.safe_text import safe_csv
from pipelines.previewing import preview_folder, read_preview
from schemas.marts import MARTS, STATUSES
from schemas.model import Programme
from schemas.period import Period
from warehouse.ledger.releases import releases
from ytb.portal import pages, problems
from ytb.portal.visit import Visit

PRODUCTS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "monitoring": (
        "季度监测",
        ("monitoring_figures", "monitoring_series", "monitoring_warnings", "monitoring_response"),
    ),
    "index": ("发展指数", ("index_scores", "index_coverage")),
    "evaluation": ("综合评价", ("evaluation_scores",)),
    "targets": ("规划目标", ("targets_progress", "targets_breakdown")),
    "innovation": ("创新调查", ("innovation_tables",)),
    "contribution": ("贡献", ("contribution_figures",)),
    "projects": ("招商引资项目", ("projects_rates",)),
}
BY_INDICATOR = frozenset(
    {"monitoring_warnings", "targets_progress", "targets_breakdown", "contribution_figures", "projects_rates"}
)
ROWS_SHOWN = 300
CSV_COLUMNS = (
    "release", "table", "label_period", "area", "label_area", "label_breakdown", "category", "label_category", "indicator",
    "label_indicator", "label_unit", "label_measure", "display", "status", "note",
)  # fmt: skip
CSV_HEADS = (
    "发布", "表", "报告期", "区域代码", "区域", "分组", "类别代码", "类别", "指标代码", "指标", "计量单位", "口径", "数值", "状态", "说明",
)  # fmt: skip


@dataclass(frozen=True)
class Shelf:
    """Published marts that are there: mart → the releases that have it, the newest first."""

    marts: Mapping[str, list[str]]


def shelf(visit: Visit) -> Shelf:
    """Which mart stands in which release; withdrawn releases are not read."""
    with visit.office.ledger.read() as session:
        found = [one.id for one in releases(session) if not one.is_withdrawn]
    marts: dict[str, list[str]] = {}
    for release in reversed(found):
        folder = visit.portal.home.releases / release
        if folder.is_dir():
            for mart in _marts_of(folder):
                marts.setdefault(mart, []).append(release)
    return Shelf(marts)


@lru_cache(maxsize=256)  # the manifest of a release never changes
def _marts_of(folder: Path) -> tuple[str, ...]:
    return tuple(read_manifest(folder).document["marts"])


@lru_cache(maxsize=2)
def _mart(path: Path) -> pl.DataFrame:
    return pl.read_parquet(path)


_ORDERINGS: dict[str, Ordering] = {}


def _ordering(programme: Programme) -> Ordering:
    if programme.fingerprint not in _ORDERINGS:
        _ORDERINGS.clear()
        _ORDERINGS[programme.fingerprint] = ordering_of(programme)
    return _ORDERINGS[programme.fingerprint]


def overview(visit: Visit) -> Response:
    """What can be looked at."""
    there = shelf(visit).marts
    found = [
        (key, title, next((there[m][0] for m in marts if m in there), ""), [mart_title(m) for m in marts if m in there])
        for key, (title, marts) in PRODUCTS.items()
    ]
    return pages.page(visit, "figures", products=found)


def product(visit: Visit) -> Response:
    """One product: choose release, table, area, indicator; a chart and the table below it."""
    chosen, view = _chosen(visit)
    if view is None:
        return pages.page(visit, "figures_of", product=chosen, view=None, preview="")
    return pages.page(
        visit, "figures_of", product=chosen, view=view, rows=view.rows.head(ROWS_SHOWN).to_dicts(), count=view.rows.height,
        statuses=STATUSES, may_trace=visit.who.role in TRACERS, preview="", form=f"/figures/{chosen.key}",
    )  # fmt: skip


TRACERS = frozenset({"province_statistician", "reviewer"})


@dataclass(frozen=True)
class Chosen:
    """Which product, mart and release a page shows."""

    key: str
    title: str
    mart: str
    marts: list[tuple[str, str]]
    release: str
    releases: list[str]


def _chosen(visit: Visit) -> tuple[Chosen, MartView | None]:
    key = visit.request.path_params["product"]
    if key not in PRODUCTS:
        raise problems.NOT_FOUND
    title, wanted = PRODUCTS[key]
    there = shelf(visit).marts
    marts = [(m, mart_title(m)) for m in wanted if m in there]
    if not marts:
        return Chosen(key, title, "", [], "", []), None
    asked = visit.query("mart")
    mart = asked if asked in dict(marts) else marts[0][0]
    release = visit.query("release") if visit.query("release") in there[mart] else there[mart][0]
    folder = visit.portal.home.releases / release
    cells = _mart(folder / read_manifest(folder).document["marts"][mart]["parquet"])
    chosen = Chosen(key, title, mart, marts, release, there[mart])
    return chosen, _view(visit, cells, mart)


def _view(visit: Visit, cells: pl.DataFrame, mart: str) -> MartView:
    asked = {name: visit.query(name) for name in ("table", "area", "breakdown", "indicator", "measure")}
    return mart_view(
        cells, asked, _ordering(visit.office.programme), mart_title(mart), by_indicator=mart in BY_INDICATOR
    )


def product_csv(visit: Visit) -> Response:
    """The chosen figures as a file."""
    chosen, view = _chosen(visit)
    if view is None:
        raise problems.NOT_FOUND
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(CSV_HEADS)
    for row in view.rows.select(CSV_COLUMNS).iter_rows():
        writer.writerow([safe_csv(value or "") for value in row])
    name = f"{chosen.release}_{chosen.mart}.csv"
    return pages.download(text.getvalue().encode("utf-8-sig"), name, "text/csv; charset=utf-8")


def preview(visit: Visit) -> Response:
    """The preview of a release, on the same pages, marked as not published."""
    period = Period.parse(visit.request.path_params["period"])
    found = read_preview(visit.portal.home, period)
    if found is None:
        raise problems.NOT_FOUND
    marts = [(m, MARTS[m].title if m in MARTS else m) for m in found.marts]
    asked = visit.query("mart")
    mart = asked if asked in dict(marts) else marts[0][0]
    cells = pl.read_parquet(preview_folder(visit.portal.home, period) / "tables" / f"{mart}.parquet")
    view = _view(visit, cells, mart)
    name = f"{period}.preview"
    chosen = Chosen("preview", f"{period.title} 预览", mart, marts, name, [name])
    return pages.page(
        visit, "figures_of", product=chosen, view=view, rows=view.rows.head(ROWS_SHOWN).to_dicts(), count=view.rows.height,
        statuses=STATUSES, may_trace=False, preview=found, form=f"/release-preview/{period}",
    )  # fmt: skip
