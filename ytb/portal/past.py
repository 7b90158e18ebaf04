"""Past periods of a park: everything it ever filed, with receipts, decisions and requests; nothing of it goes away."""

from __future__ import annotations

from starlette.responses import Response

from warehouse.ledger.corrections import corrections
from warehouse.ledger.decisions import decisions_of
from warehouse.ledger.parks import park as park_on
from warehouse.ledger.periods import first_reports, rounds
from warehouse.ledger.signatories import signatories_of
from warehouse.ledger.states import STANDING, State
from warehouse.ledger.submissions import submissions
from ytb.portal import pages
from ytb.portal.naming import awaiting
from ytb.portal.visit import Visit

#: These say that somebody signed for them once.
REPORTED = STANDING | {State.RETURNED, State.SUPERSEDED}


def periods(visit: Visit) -> Response:
    """Every round with the park's submissions, the newest first."""
    code = visit.who.park or ""
    with visit.office.ledger.read() as session:
        park = park_on(session, code, visit.now.date())
        every = rounds(session)
        mine = submissions(session, park=code)
        asked = corrections(session, park=code)
        signed = {one.number: signatories_of(session, one.number) for one in mine if one.state in REPORTED}
        decided = {one.number: decisions_of(session, one.number) for one in mine if one.state in REPORTED}
        awaits = awaiting(session, mine)
        first = {period: first_reports(session, period).get(code) for period in every}
    known = sorted({*every, *(one.period for one in mine)}, reverse=True)
    cards = [
        (
            period,
            every.get(period),
            [one for one in mine if one.period == period][::-1],
            [one for one in asked if one.period == period],
        )
        for period in known
    ]
    return pages.page(
        visit,
        "past",
        park=park,
        cards=cards,
        signed=signed,
        decided=decided,
        first=first,
        REPORTED=REPORTED,
        awaits=awaits,
    )
