"""Sharing out the queue on the portal, and the rule for a second person; what may be done is decided in ``pipelines``."""

from __future__ import annotations

from starlette.responses import Response

from pipelines import allocating
from warehouse.ledger.parks import park as park_on
from warehouse.ledger.second_checks import set_second_check
from ytb.portal import pages
from ytb.portal.visit import Visit


def take(visit: Visit) -> Response:
    """Take the chosen submissions to review."""
    allocating.take(visit.office, visit.form.all("number"), now=visit.now, actor=visit.who.name)
    return pages.go("/queue", "taken")


def give_back(visit: Visit) -> Response:
    """Give back the chosen submissions."""
    allocating.release(visit.office, visit.form.all("number"), now=visit.now, actor=visit.who.name)
    return pages.go("/queue", "given_back")


def assign(visit: Visit) -> Response:
    """Give the chosen submissions to a reviewer."""
    form = visit.form
    allocating.assign(
        visit.office, form.all("number"), form.get("reviewer"), now=visit.now, actor=visit.who.name,
        reason=form.get("reason"),
    )  # fmt: skip
    return pages.go("/queue", "assigned")


def set_rule(visit: Visit) -> Response:
    """State from which effect on two people accept."""
    form = visit.form
    with visit.office.ledger.write() as session:
        if form.get("park"):
            park_on(session, form.get("park"), visit.now.date())
        set_second_check(
            session, form.get("above").replace(",", "."), park=form.get("park"), reason=form.get("reason"),
            now=visit.now, actor=visit.who.name,
        )  # fmt: skip
    return pages.go("/queue", "rule_set")
