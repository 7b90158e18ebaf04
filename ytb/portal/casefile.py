"""What a reviewer sees of one submission beside its findings: last year, outliers, a scatter, one unit's history, the visit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from exports.charts_svg import Point, scatter_chart
from pipelines.casefile import against_last_year, first_code, is_weighed, on_site, points, unit_history
from pipelines.methods.signs import SIGNS
from pipelines.signs_of_round import signs_of
from warehouse.ledger.submissions import Submission
from ytb.portal import pages, problems
from ytb.portal.findings import unit_names
from ytb.portal.visit import Visit
from ytb.portal.weighing import weighed

OUTLIERS_SHOWN = 100
POINTS_LISTED = 200


@dataclass(frozen=True)
class Case:
    """The figures of a submission in context. ``chart`` is SVG made here, empty where there is nothing to draw."""

    growth: list[dict[str, Any]]
    outliers: list[dict[str, Any]]
    outlier_count: int
    code: str
    codes: list[str]
    chart: str
    points: list[dict[str, Any]]
    point_count: int


def case_of(visit: Visit, found: Submission, names: dict[str, str]) -> Case | None:
    """The case of the newest reported submission of a park; None for any other, whose figures nothing is weighed on."""
    if found.check is None or found.check.observations_blob is None or not is_weighed(visit.office, found):
        return None
    matters = weighed(visit, found.period)
    growth = against_last_year(matters, found.park).to_dicts()
    outliers = matters.outliers().filter(park=found.park)
    codes = [row["code"] for row in growth if row["base"]]
    asked = visit.query("code")
    code = asked if asked in codes else first_code(matters, found.park)
    frame = points(matters, found.park, code)
    units = unit_names(visit, found)
    dots = [
        Point(r["base"], r["now"], units.get(r["unit_id"], r["unit_id"]), bool(r["is_outlier"] or r["is_suspicious"]))
        for r in frame.to_dicts()
    ]
    title = f"{names.get(code, code)}:本期与上年同期"
    listed = [{**r, "name": units.get(r["unit_id"], "")} for r in frame.head(POINTS_LISTED).to_dicts()]
    shown = [
        {**r, "name": units.get(r["unit_id"], "")}
        for r in outliers.head(pages.most_rows(visit, OUTLIERS_SHOWN)).to_dicts()
    ]
    return Case(
        growth, shown, outliers.height, code, codes,
        scatter_chart("scatter", title, dots, "上年同期", "本期"), listed, frame.height,
    )  # fmt: skip


def unit(visit: Visit) -> Response:
    """One unit of the submission through its rounds."""
    history = unit_history(visit.office, visit.request.path_params["unit"], visit.found)
    if history is None:
        raise problems.NOT_FOUND
    edition = visit.office.programme.edition_for(visit.found.period)
    return pages.page(
        visit, "unit_history", found=visit.found, park=visit.park, history=history, indicators=edition.indicators
    )


def visit_list(visit: Visit) -> Response:
    """The list for a visit on the spot 现场核查表, to print."""
    found = visit.found
    if not is_weighed(visit.office, found):
        return pages.page(visit, "on_site", found=found, park=visit.park, units=None, names={}, edition=None)
    matters = weighed(visit, found.period)
    edition = visit.office.programme.edition_for(found.period)
    units = on_site(matters, edition, found.park, signs_of(visit.office, found.period, matters))
    return pages.page(
        visit, "on_site", found=found, park=visit.park, units=units, names=unit_names(visit, found), edition=edition,
        SIGNS=SIGNS,
    )  # fmt: skip
