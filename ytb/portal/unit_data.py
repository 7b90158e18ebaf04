"""Requests for unit data on the portal: asked for, approved by another person, downloaded by who asked while it lasts."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

from starlette.responses import Response

from pipelines import unit_data
from schemas.errors import RefusalError
from schemas.model import FormKind
from schemas.period import Period
from warehouse.ledger import data_requests
from warehouse.ledger.data_requests import DataRequest, Standing
from warehouse.ledger.parks import parks
from warehouse.ledger.periods import rounds
from ytb.portal import pages, problems
from ytb.portal.visit import BEIJING, Visit

APPROVERS = frozenset({"province_statistician"})
DAYS = 7


def listing(visit: Visit) -> Response:
    """One's own requests, for approvers everybody's; and the form to ask."""
    may_approve = visit.who.role in APPROVERS
    with visit.office.ledger.read() as session:
        found = data_requests.data_requests(session, None if may_approve else visit.who.name)
        zones = [one for one in parks(session, visit.now.date()) if one.kind == "zone"]
        periods = sorted(rounds(session), reverse=True)
    edition = visit.office.programme.edition_for(periods[0]) if periods else None
    forms = [f for f in edition.forms.values() if f.kind is not FormKind.CONTEXT] if edition else []
    today = visit.now.astimezone(BEIJING).date()
    return pages.page(
        visit, "unit_data", found=found, zones=zones, periods=periods, forms=forms, may_approve=may_approve,
        titles={f.code: f.title for f in forms}, until=today + timedelta(days=DAYS), Standing=Standing,
        chosen=visit.form.all("form"),
    )  # fmt: skip


def ask(visit: Visit) -> Response:
    """Ask for unit data."""
    form = visit.form
    unit_data.ask(
        visit.office, Period.parse(form.get("period")), form.get("park"), form.all("form"), form.get("purpose"),
        now=visit.now, actor=visit.who.name,
    )  # fmt: skip
    return pages.go("/unit-data", "unit_data_asked")


def decide(visit: Visit) -> Response:
    """Approve until a day, decline, or take an approval back."""
    form, number, now, actor = visit.form, _known(visit).id, visit.now, visit.who.name
    reason = form.get("reason")
    with visit.office.ledger.write() as session:
        match form.get("decision"):
            case "approve":
                data_requests.approve(session, number, _end_of(form.get("until")), reason=reason, now=now, actor=actor)
            case "revoke":
                data_requests.revoke(session, number, reason=reason, now=now, actor=actor)
            case _:
                data_requests.decline(session, number, reason=reason, now=now, actor=actor)
    return pages.go("/unit-data", "decided")


def download(visit: Visit) -> Response:
    """The files of an approved request, for who asked."""
    found = _known(visit)
    if found.by != visit.who.name or found.standing(visit.now) is not Standing.APPROVED:
        raise problems.NOT_FOUND
    data = unit_data.serve(visit.office, found.id, now=visit.now, actor=visit.who.name)
    return pages.download(data, f"个体数据_申请{found.id}.zip", "application/zip")


def _known(visit: Visit) -> DataRequest:
    text = visit.request.path_params["number"]
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 12 else 0
    with visit.office.ledger.read() as session:
        try:
            return data_requests.data_request(session, number)
        except RefusalError:
            raise problems.NOT_FOUND from None


def _end_of(text: str) -> datetime:
    try:
        return datetime.combine(date.fromisoformat(text) + timedelta(days=1), time(0), BEIJING)
    except ValueError:
        raise RefusalError("请填写批准的期限,如 2025-04-20。") from None
