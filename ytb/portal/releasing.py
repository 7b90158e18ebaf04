"""Releases: asking for one, confirming another's, withdrawing; and the published pages, files of the release as they are."""

from __future__ import annotations

import re
from pathlib import Path

from markupsafe import Markup
from starlette.responses import FileResponse, Response

from exports.manifest import read_manifest
from pipelines.release_checklist import Item, Standing, gaps, release_checklist
from schemas.errors import RefusalError
from schemas.period import Period
from warehouse.ledger.columns import shown_instant
from warehouse.ledger.periods import rounds
from warehouse.ledger.release_dates import release_dates
from warehouse.ledger.release_requests import confirm_release, decline_release, release_requests, request_release
from warehouse.ledger.releases import Release, releases, withdraw_release
from ytb.portal import pages, problems
from ytb.portal.visit import Visit
from ytb.portal.weighing import weighed

RELEASERS = frozenset({"province_statistician", "publisher"})
INSIDE = frozenset({"province_statistician", "reviewer", "publisher", "analyst"})
SHOWN_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".json": "application/json",
}
# The pages of a release draw their charts with styles of their own; they still load nothing from outside.
SITE_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
_BODY = re.compile(r"<body\b[^>]*>", re.IGNORECASE)
_MARK_STYLE = "margin:0;padding:12px 16px;background:#a3171f;color:#fff;font-size:16px"


def releases_page(visit: Visit) -> Response:
    """What is published, what waits for a second person, and the form to ask for a release."""
    may = visit.who.role in RELEASERS
    with visit.office.ledger.read() as session:
        found = releases(session)[::-1]
        asked = release_requests(session)[:20] if may else []
        periods = sorted(rounds(session), reverse=True) if may else []
        dates = list(release_dates(session).values())
    waiting = {one.period for one in asked if one.state == "waiting"}
    lacking = {period: _lacking(visit, period) for period in sorted(waiting)}
    sites = {one.id for one in found if (visit.portal.home.releases / one.id / "site" / "index.html").is_file()}
    out = {one.period for one in found if not one.is_withdrawn}
    return pages.page(
        visit, "releases", found=found, asked=asked, periods=periods, may=may, sites=sites, dates=dates, out=out,
        inside=visit.who.role in INSIDE, lacking=lacking,
    )  # fmt: skip


def _lacking(visit: Visit, period: Period) -> list[Item]:
    """What a release of the period would lack if it were made now."""
    of = weighed(visit, period)
    return gaps(
        release_checklist(visit.office, visit.portal.home, period, now=visit.now, matters=of, with_ledger=False)
    )


def one(visit: Visit) -> Response:
    """The files of a release, with their hashes."""
    kept = readable_release(visit)
    folder = visit.portal.home.releases / kept.id
    manifest = read_manifest(folder)
    files = [file for file in manifest.files if file.path.startswith(("publication/", "tables/", "sdmx/"))]
    return pages.page(
        visit, "release", kept=kept, files=files, manifest=manifest, inside=visit.who.role in INSIDE,
        has_site=(folder / "site" / "index.html").is_file(),
    )  # fmt: skip


def readable_release(visit: Visit, wanted: str = "") -> Release:
    """The release asked for (by default the one in the address). A withdrawn one is closed to everybody but those who release.

    Raises PortalError: 404 for one that never was, 410 with the reason for one that was withdrawn.
    """
    wanted = wanted or visit.request.path_params["release"]
    with visit.office.ledger.read() as session:
        kept = next((one for one in releases(session) if one.id == wanted), None)
    if kept is None:
        raise problems.NOT_FOUND
    if kept.withdrawn_at is not None and visit.who.role not in RELEASERS:
        raise problems.withdrawn(kept.id, shown_instant(kept.withdrawn_at), kept.withdrawal_reason or "")
    return kept


def file(visit: Visit) -> Response:
    """A file of a release: only what its manifest lists, and only from its folder."""
    kept, wanted = readable_release(visit), visit.request.path_params["path"]
    folder = visit.portal.home.releases / kept.id
    listed = {one.path for one in read_manifest(folder).files}
    path = folder / wanted
    if wanted not in listed or not path.resolve().is_relative_to(folder.resolve()) or not path.is_file():
        raise problems.NOT_FOUND
    kind = SHOWN_TYPES.get(Path(wanted).suffix)
    if wanted.startswith("site/") and kind:
        headers = {"Content-Security-Policy": SITE_CSP, "Cache-Control": "private, no-cache"}
        if kept.is_withdrawn and path.suffix == ".html":
            return Response(_marked(path.read_text(encoding="utf-8"), kept), media_type=kind, headers=headers)
        return FileResponse(path, media_type=kind, headers=headers)
    name = f"已撤回_{path.name}" if kept.is_withdrawn else path.name
    return pages.download(path.read_bytes(), name, "application/octet-stream")


def _marked(text: str, kept: Release) -> str:
    """A page of a withdrawn release with the mark on top; the file itself stays as it was published."""
    said = f"本发布({kept.id})已撤回,不得引用。原因:{kept.withdrawal_reason}"
    mark = Markup('<p role="alert" style="{}"><strong>{}</strong></p>').format(_MARK_STYLE, said)
    return _BODY.sub(lambda found: f"{found[0]}{mark}", text, count=1)


def ask(visit: Visit) -> Response:
    """Ask for a release."""
    period, reason = Period.parse(visit.form.get("period")), visit.form.get("reason").strip()
    if not reason:
        _require_ready(visit, period)
    with visit.office.ledger.write() as session:
        request_release(session, period, reason=reason, now=visit.now, actor=visit.who.name)
    return pages.go("/releases", "requested")


def _require_ready(visit: Visit, period: Period) -> None:
    """Raise RefusalError where the checklist has open items: who publishes all the same says why."""
    items = release_checklist(visit.office, visit.portal.home, period, now=visit.now, matters=weighed(visit, period))
    if left := [item.title for item in items if item.standing is Standing.OPEN]:
        raise RefusalError(
            f"{period} 的核对表还有 {len(left)} 项没有完成({'、'.join(left)});请先完成,或在说明里写明为什么现在发布。"
        )


def decide(visit: Visit) -> Response:
    """Confirm another's request, which starts it, or turn one down."""
    text = visit.request.path_params["number"]
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 12 else 0
    confirms = visit.form.get("decision") == "confirm"
    if confirms and not visit.form.get("seen"):
        with visit.office.ledger.read() as session:
            asked_for = next((one.period for one in release_requests(session) if one.id == number), None)
        if asked_for is not None and (left := [item.title for item in _lacking(visit, asked_for)]):
            raise RefusalError(f"{asked_for} 还有缺口({'、'.join(left)}):请看过核对表,勾选“已看过以上缺口”后再确认。")
    with visit.office.ledger.write() as session:
        if not confirms:
            decline_release(session, number, reason=visit.form.get("reason"), now=visit.now, actor=visit.who.name)
            return pages.go("/releases", "declined")
        asked = confirm_release(session, number, now=visit.now, actor=visit.who.name)
    visit.portal.publish(asked.id, asked.period, asked.reason, f"{asked.requested_by},{visit.who.name}")
    return pages.go("/releases", "confirmed")


def withdraw(visit: Visit) -> Response:
    """Withdraw a release, with a reason; its files stay, marked."""
    release_id, reason = readable_release(visit).id, visit.form.get("reason")
    if not visit.form.get("confirmed"):
        raise RefusalError("撤回发布须勾选确认并写明原因。")
    with visit.office.ledger.write() as session:
        withdraw_release(session, release_id, reason=reason, now=visit.now, actor=visit.who.name)
    folder = visit.portal.home.releases / release_id
    if folder.is_dir():
        (folder / "WITHDRAWN.txt").write_text(f"{release_id} 已撤回:{reason}\n", encoding="utf-8")
    return pages.go("/releases", "withdrawn")
