"""Before and after a release on the portal: calendar, checklist, preview, what changed, and from a figure down to its cells."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from starlette.responses import Response

from exports.manifest import read_manifest
from exports.ordering import mart_title
from exports.revision import KINDS, revision_table
from pipelines.previewing import read_preview
from pipelines.publishing import released_marts
from pipelines.release_checklist import is_ready, release_checklist
from pipelines.tracing import CELLS_SHOWN, trace
from schemas.errors import RefusalError, StatisticsError
from schemas.period import Period
from warehouse.ledger import trail
from warehouse.ledger.periods import rounds
from warehouse.ledger.release_dates import announce_release
from warehouse.ledger.releases import releases
from warehouse.ledger.submissions import submission
from warehouse.snapshots import reader
from ytb.portal import pages, problems
from ytb.portal.collection import chosen_period
from ytb.portal.naming import unit_names
from ytb.portal.releasing import RELEASERS, readable_release
from ytb.portal.visit import BEIJING, Visit
from ytb.portal.weighing import weighed

CHANGES_SHOWN = 300


def announce(visit: Visit) -> Response:
    """Announce a release, or move its date."""
    form = visit.form
    try:
        due = datetime.fromisoformat(form.get("due"))
    except ValueError:
        raise RefusalError("请填写发布时间,如 2025-04-20T10:00。") from None
    with visit.office.ledger.write() as session:
        announce_release(
            session, Period.parse(form.get("period")), due.replace(tzinfo=BEIJING), reason=form.get("reason"),
            now=visit.now, actor=visit.who.name,
        )  # fmt: skip
    return pages.go("/releases", "announced")


def checklist(visit: Visit) -> Response:
    """What is done and what is open before a release, and its preview."""
    with visit.office.ledger.read() as session:
        every = rounds(session)
    period = chosen_period(visit, every)
    home = visit.portal.home
    items = (
        release_checklist(visit.office, home, period, now=visit.now, matters=weighed(visit, period)) if period else []
    )
    return pages.page(
        visit, "release_check", period=period, periods=sorted(every, reverse=True), items=items, ready=is_ready(items),
        preview=read_preview(home, period) if period else None, said_of_preview=visit.portal.previews.said(period) if period else "",
    )  # fmt: skip


def start_preview(visit: Visit) -> Response:
    """Compute the preview of a release."""
    period = Period.parse(visit.form.get("period"))
    visit.portal.previews.start(period, visit.who.name)
    with visit.office.ledger.write() as session:
        trail.append(session, at=visit.now, actor=visit.who.name, action="preview_asked", subject=f"preview/{period}")
    return pages.go(f"/release-check?period={period}", "previewing")


def changes(visit: Visit) -> Response:
    """What a release changed against another of the same period."""
    wanted, may = readable_release(visit).id, visit.who.role in RELEASERS
    with visit.office.ledger.read() as session:
        known = {one.id: one for one in releases(session) if may or not one.is_withdrawn}
    others = [one.id for one in known.values() if one.period == known[wanted].period and one.id != wanted]
    asked = visit.query("against")
    earlier = [one for one in others if known[one].number < known[wanted].number]
    against = asked if asked in others else earlier[-1] if earlier else ""
    folders = [visit.portal.home.releases / one for one in (against, wanted)]
    frame = None
    if against and all(folder.is_dir() for folder in folders):
        frame = revision_table(*(released_marts(folder) for folder in folders))
    return pages.page(
        visit, "release_changes", release=wanted, against=against, others=others, kinds=KINDS, mart_title=mart_title,
        rows=frame.head(pages.most_rows(visit, CHANGES_SHOWN)).to_dicts() if frame is not None else [], count=frame.height if frame is not None else 0,
    )  # fmt: skip


def trace_figure(visit: Visit) -> Response:
    """From a published figure to submissions, sheets and cells: figures of units, so the trail says who looked."""
    release = readable_release(visit).id
    folder = visit.portal.home.releases / release
    if not folder.is_dir():
        raise problems.NOT_FOUND
    marts = [(name, mart_title(name)) for name in read_manifest(folder).document["marts"]]
    table, cell = visit.query("table"), visit.query("cell")
    shared: dict[str, Any] = {"release": release, "marts": marts, "table": table, "cell": cell}
    if not table or not cell:
        return pages.page(visit, "trace", **shared, found=None, why="", rows=[], names={}, submissions=[])
    try:
        with reader(visit.portal.home.snapshots) as con:
            found = trace(con, visit.office.programme, folder, table, cell)
    except StatisticsError as why:
        return pages.page(visit, "trace", **shared, found=None, why=why.on_a_page, rows=[], names={}, submissions=[])
    with visit.office.ledger.read() as session:
        listed = [submission(session, number) for number in found.submissions]
    places = {file.sha256: (one.number, n, file.name) for one in listed for n, file in enumerate(one.files, start=1)}
    return pages.page(
        visit, "trace", **shared, found=found, why="", rows=found.sources.head(pages.most_rows(visit, CELLS_SHOWN)).to_dicts(), names=places,
        submissions=listed, units=unit_names(visit, visit.now.date()),
    )  # fmt: skip
