"""The park's approver 审核人: what waits for them, one submission on one screen, the answer. Nobody here changes a figure."""

from __future__ import annotations

from starlette.responses import Response

from pipelines.gaps import gap_of
from pipelines.reporting import approve_report
from schemas.errors import RefusalError
from warehouse.ledger.approvals import approval_of, awaiting_approval, decline_approval
from warehouse.ledger.parks import parks
from warehouse.ledger.report_gaps import gap_statement_of
from warehouse.ledger.signatories import NAMES
from warehouse.ledger.submissions import submissions
from ytb.portal import pages
from ytb.portal.findings import groups_of, lines_and_causes
from ytb.portal.naming import awaiting
from ytb.portal.visit import Visit


def listing(visit: Visit) -> Response:
    """What waits for this approver, the oldest first, and what their parks have filed."""
    mine = visit.parks_in_scope(visit.now.date())
    with visit.office.ledger.read() as session:
        waiting = awaiting_approval(session, mine)
        filed = [one for one in submissions(session) if mine is None or one.park in mine][::-1][:50]
        awaits = awaiting(session, filed)
        names = {one.code: one.name for one in parks(session)}
    return pages.page(visit, "approvals", waiting=waiting, filed=filed, names=names, awaits=awaits)


def one(visit: Visit) -> Response:
    """One submission with its findings, explanations and files, and the question put to the approver."""
    found = visit.found
    lines, causes = lines_and_causes(visit, found)
    with visit.office.ledger.read() as session:
        asked = approval_of(session, found.number)
        newest = submissions(session, park=found.park, period=found.period)[-1]
        gap = gap_of(visit.office, session, found) if found.check and found.check.observations_blob else None
        stated = gap_statement_of(session, found.number)
    return pages.page(
        visit, "approval", found=found, park=visit.park, asked=asked, labels=NAMES, newest=newest, lines=lines,
        gap=gap, stated=stated,
        causes=groups_of(lines, causes, lines, all_of=visit.query("all")),
    )  # fmt: skip


def approve(visit: Visit) -> Response:
    """Confirm: the submission is reported."""
    if not visit.form.get("confirmed"):
        raise RefusalError("请勾选确认后再同意报送。")
    approve_report(visit.office, visit.found.number, now=visit.now, actor=visit.who.name)
    return pages.go("/approvals", "approved")


def decline(visit: Visit) -> Response:
    """Send it back to the reporter with the reason."""
    with visit.office.ledger.write() as session:
        decline_approval(
            session, visit.found.number, reason=visit.form.get("reason"), now=visit.now, actor=visit.who.name
        )
    return pages.go("/approvals", "approval_declined")
