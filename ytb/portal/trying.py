"""Trials of indices 试算: what index and evaluations of a year would be with some values changed. Nothing of it is kept or published."""

from __future__ import annotations

import tempfile
import threading
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from starlette.responses import Response

from pipelines.index_what_if import ParkTrial, indicators_of, moved, park_what_if
from pipelines.inputs import live_inputs
from schemas.errors import RefusalError, StatisticsError
from schemas.period import Period
from warehouse.ledger import trail
from warehouse.ledger.intake import clean_file_name
from warehouse.ledger.submissions import submissions
from warehouse.snapshots import reader
from ytb.portal import pages
from ytb.portal.visit import Visit

ROWS_SHOWN = 100
LARGEST = 1 << 20
_LOCK = threading.Lock()


@dataclass(frozen=True)
class Tried:
    """The last trial of a person: what came of it, or why nothing did."""

    name: str
    period: str
    at: datetime
    trial: ParkTrial | None
    why: str = ""


#: Home and person → their last trial, until the portal stops.
_TRIED: dict[tuple[str, str], Tried] = {}


def _work(visit: Visit) -> str:
    return f"trial/{visit.who.name}"


def page(visit: Visit) -> Response:
    """The form, and the last trial of this person."""
    # Asked first: a trial that ends in between is shown, not an older one without a word that another was on its way.
    is_running = visit.portal.examiner.place(_work(visit)) is not None
    with _LOCK:
        tried = _TRIED.get((str(visit.portal.home.root), visit.who.name))
    rows = (
        tried.trial.results.filter(is_total=True).filter(moved()).sort("product", "area")
        if tried and tried.trial
        else None
    )
    periods = _periods(visit)
    return pages.page(
        visit, "what_if", tried=tried, rows=rows.head(pages.most_rows(visit, ROWS_SHOWN)).to_dicts() if rows is not None else [],
        count=rows.height if rows is not None else 0, periods=periods,
        indicators=indicators_of(visit.office.programme.edition_for(periods[0])) if periods else [],
        parts=_parts(tried.trial) if tried and tried.trial else [], is_running=is_running,
    )  # fmt: skip


def _parts(trial: ParkTrial) -> list[dict[str, object]]:
    """What the changes of the totals are made of, the largest first, with the names of products and areas; parts without any
    effect are left out."""
    found = trial.parts.filter(trial.parts["points"].abs() > 0)
    rows = found.sort(found["points"].abs(), descending=True).head(ROWS_SHOWN).to_dicts()
    named = {row["product"]: row["product_name"] for row in trial.results.iter_rows(named=True)}
    areas = {row["area"]: row["area_name"] for row in trial.results.iter_rows(named=True)}
    return [
        row | {"product": named.get(row["product"]) or row["product"], "area": areas.get(row["area"]) or row["area"]}
        for row in rows
    ]


def _periods(visit: Visit) -> list[Period]:
    with visit.office.ledger.read() as session:
        return sorted({one.period for one in submissions(session) if one.period.round == "A"}, reverse=True)


def start(visit: Visit) -> Response:
    """Compute a trial behind the page: index and evaluations are computed twice."""
    files, period, portal, who = visit.form.files, Period.parse(visit.form.get("period")), visit.portal, visit.who.name
    if len(files) != 1 or not files[0].name.lower().endswith(".csv"):
        raise RefusalError("请选择一个 CSV 文件。")
    if files[0].staged.size > LARGEST:
        raise RefusalError("试算的文件不超过 1 MB。")
    if portal.examiner.place(_work(visit)) is not None:
        raise RefusalError("您的上一次试算还没有算完,请稍后再试。")
    name, data = clean_file_name(files[0].name), files[0].read()
    with visit.office.ledger.write() as session:
        trail.append(session, at=visit.now, actor=who, action="trial_asked", subject=f"index/{period}")

    def work() -> None:
        trial, why = None, ""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "改动.csv"
            path.write_bytes(data)
            try:
                with reader(portal.home.snapshots) as con:
                    trial = park_what_if(live_inputs(portal.office, con), period, path)
            except StatisticsError as error:
                why = error.on_a_page.replace(str(path), name).replace(path.name, name)
        with _LOCK:
            _TRIED[str(portal.home.root), who] = Tried(name, period.title, portal.clock(), trial, why)

    portal.examiner.run(_work(visit), work)
    return pages.go("/what-if", "trying")
