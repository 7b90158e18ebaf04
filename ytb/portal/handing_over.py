"""Handing over to a successor: the reporter asks, who keeps the accounts confirms; what each did stays in their own name."""

from __future__ import annotations

from starlette.responses import Response

from warehouse.ledger import access
from warehouse.ledger.handovers import ask_handover, confirm_handover, decline_handover, handovers
from warehouse.ledger.parks import parks
from ytb.portal import pages, passwords
from ytb.portal.visit import Visit


def own(visit: Visit) -> Response:
    """One's own handovers, and the form to name a successor."""
    with visit.office.ledger.read() as session:
        found = handovers(session, park=visit.who.park or "")
    waiting = any(one.decision is None and one.from_user == visit.who.name for one in found)
    typed = {name: visit.form.get(name) for name in ("to_title", "to_user", "telephone", "reason")}
    return pages.page(visit, "handover", found=found, waiting=waiting, typed=typed)


def ask(visit: Visit) -> Response:
    """Name a successor."""
    form = visit.form
    with visit.office.ledger.write() as session:
        ask_handover(
            session, visit.who, to_user=form.get("to_user"), to_title=form.get("to_title"), telephone=form.get("telephone"),
            reason=form.get("reason"), now=visit.now,
        )  # fmt: skip
    return pages.go("/handover", "handover_asked")


def every(visit: Visit, code: str = "", of: str = "") -> Response:
    """Every handover, those that wait first; ``code``: the one-time code of an account just made, shown this once."""
    with visit.office.ledger.read() as session:
        found = sorted(handovers(session), key=lambda one: (one.decision is not None, -one.id))
        names = {one.code: one.name for one in parks(session)}
    return pages.page(visit, "handovers", found=found, names=names, code=code, of=of)


def decide(visit: Visit) -> Response:
    """Confirm or turn down; a new account gets a printed code."""
    text = str(visit.request.path_params["number"])
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 12 else 0
    if visit.form.get("decision") != "confirm":
        with visit.office.ledger.write() as session:
            decline_handover(session, number, reason=visit.form.get("reason"), now=visit.now, actor=visit.who.name)
        return pages.go("/handovers", "handover_declined")
    code = passwords.one_time_code()
    with visit.portal.hashing:
        kept = visit.portal.settings.hasher.hash(code)
    with visit.office.ledger.write() as session:
        made, is_new = confirm_handover(session, number, now=visit.now, actor=visit.who.name)
        if is_new:
            access.set_password(session, made.to_user, kept, one_time=True, now=visit.now, actor=visit.who.name)
    return every(visit, code, made.to_user) if is_new else pages.go("/handovers", "handover_confirmed")
