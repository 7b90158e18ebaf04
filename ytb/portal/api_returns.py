"""The interface for programs, for an enterprise: hand in its own workbook, explain, stand by it, and see how it stands."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from pipelines.office import return_findings
from pipelines.own_returns import keys_to_explain, receive_return
from schemas.errors import RefusalError
from warehouse.ledger.enterprise_returns import (
    BY_PROGRAM,
    STANDS,
    EnterpriseReturn,
    enterprise_return,
    enterprise_returns,
    return_explanations_of,
)
from warehouse.ledger.requests import remember_request, submission_of_request
from warehouse.ledger.return_models import ReturnState
from ytb.portal.api import answer, explanations_sent, finding_rows, idempotency_key, request_digest, signed, standing_of
from ytb.portal.enterprise import require_quota
from ytb.portal.examining import Waiting
from ytb.portal.park import incoming
from ytb.portal.visit import Visit


def status_of(visit: Visit, found: EnterpriseReturn) -> dict[str, Any]:
    """A return as programs see it; no figure in it."""
    asked = keys_to_explain(visit.office, found)
    with visit.office.ledger.read() as session:
        told = return_explanations_of(session, found.number)
    return {
        "return": found.number,
        "park": found.park,
        "period": str(found.period),
        "unit_id": found.unit_id,
        "edition": found.edition,
        "revision": found.revision,
        "confirmed": found.state in STANDS,
        "file": {"name": found.name, "sha256": found.sha256, "size": found.size},
        "unexplained": len(set(asked) - set(told)) if found.check else None,
        **standing_of(found),
    }


def listing(visit: Visit) -> Response:
    """What an enterprise handed in for a period, the newest first."""
    park, unit = visit.enterprise
    with visit.office.ledger.read() as session:
        found = enterprise_returns(session, park.code, period=visit.period, unit_id=unit)
    return answer(visit, {"returns": [status_of(visit, one) for one in found[::-1]]})


def hand_in(visit: Visit) -> Response:
    """Take the enterprise's workbook and check it; enter the explanations sent along; and where the persons who answer for it are
    named and nothing is in the way, the enterprise stands by it. Where many are waiting the answer comes before the check."""
    (park, unit), period = visit.enterprise, visit.period
    assert period is not None
    told, names = explanations_sent(visit), signed(visit)
    key, digest = idempotency_key(visit), request_digest(visit)
    with visit.office.ledger.read() as session:
        before = submission_of_request(session, visit.who.name, key, digest) if key else None
        found = enterprise_return(session, before) if before else None
    if found is not None and found.state is not ReturnState.RECEIVED:
        return _acknowledged(visit, found.number)
    if found is None:
        files = incoming(visit)
        if len(files) != 1:
            raise RefusalError("一次只交一个工作簿:请把本单位的数据填在同一个工作簿里。")
        require_quota(visit, files[0])
        found = receive_return(
            visit.office, files[0], park=park.code, period=period, unit=unit, now=visit.now, actor=visit.who.name,
            channel=BY_PROGRAM,
        )  # fmt: skip
    number = found.number
    if key:
        with visit.office.ledger.write() as session:
            remember_request(session, visit.who.name, key, digest, number, now=visit.now)
    until = visit.portal.examiner.examine_return(number, actor=visit.who.name, explanations=told, signatories=names)
    return Waiting(_acknowledged(visit, number), until, lambda: _acknowledged(visit, number))


def _acknowledged(visit: Visit, number: str) -> Response:
    with visit.office.ledger.read() as session:
        found = enterprise_return(session, number)
    return answer(visit, status_of(visit, found), 201, f"/api/v1/returns/{number}")


def status(visit: Visit) -> Response:
    """One return."""
    return answer(visit, status_of(visit, visit.handed_in))


def findings(visit: Visit) -> Response:
    """The findings the enterprise has to act on."""
    found = visit.handed_in
    rows: list[dict[str, Any]] = []
    if found.check and found.check.findings_blob:
        with visit.office.ledger.read() as session:
            told = return_explanations_of(session, found.number)
        rows = finding_rows(return_findings(visit.office, found), told)
    return answer(visit, {"return": found.number, "findings": rows})
