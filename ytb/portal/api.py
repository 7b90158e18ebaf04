"""The interface for programs: the same steps as the pages, with tokens, JSON, conditional requests and problem+json."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any

import polars as pl
from starlette.responses import Response

from exports.receipt import receipt_text
from pipelines.intake import Outcome, findings_of
from sources.marked_list import to_be_listed
from warehouse.home import receipt_key
from warehouse.ledger.enterprise_returns import EnterpriseReturn
from warehouse.ledger.explanations import Explanation, explanations_of, finding_key
from warehouse.ledger.receipts import receipt as receipt_of
from warehouse.ledger.requests import remember_request, submission_of_request
from warehouse.ledger.signatories import NAMES, Signatories
from warehouse.ledger.states import STANDING, State
from warehouse.ledger.submissions import Submission, submission, submissions
from ytb.portal import openapi, park, problems
from ytb.portal.examining import API, Waiting
from ytb.portal.multipart import BadFormError
from ytb.portal.problems import PortalError
from ytb.portal.visit import BEIJING, Visit

FINDING_COLUMNS = (
    "rule", "severity", "form", "unit_id", "sheet", "cell", "row", "column", "indicator", "found", "expected", "message", "code", "outcome",
)  # fmt: skip


def answer(visit: Visit, document: Any, status: int = 200, location: str = "") -> Response:
    """A JSON document with its ETag; 304 where the program has it already."""
    body = json.dumps(document, ensure_ascii=False, indent=1).encode()
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"} | ({"Location": location} if location else {})
    if status == 200 and tag in visit.request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(body, status, headers, media_type="application/json")


def status_of(found: Submission) -> dict[str, Any]:
    """A submission as programs see it; no figure in it."""
    return {
        "submission": found.number,
        "park": found.park,
        "period": str(found.period),
        "edition": found.edition,
        "revision": found.revision,
        "reported": found.state in STANDING,
        "files": [{"name": file.name, "sha256": file.sha256, "size": file.size} for file in found.files],
        **standing_of(found),
    }


def standing_of(found: Submission | EnterpriseReturn) -> dict[str, Any]:
    """State, times and what the check counted, of a submission or of an enterprise's return."""
    check = found.check
    return {
        "state": found.state.value,
        "state_label": found.state.label,
        "received_at": found.received_at.astimezone(BEIJING).isoformat(),
        "state_at": found.state_at.astimezone(BEIJING).isoformat(),
        "forms": list(check.forms) if check else [],
        "counts": dict(check.counts) if check else {},
        "blocking": check.blocking if check else None,
        "to_explain": check.to_explain if check else None,
        "unreadable": check.unreadable if check else None,
    }


def listing(visit: Visit) -> Response:
    """The submissions of a park and period, the newest first."""
    the_park, period = visit.of
    with visit.office.ledger.read() as session:
        found = submissions(session, park=the_park.code, period=period)
    return answer(visit, {"submissions": [status_of(one) for one in found[::-1]]})


def submit(visit: Visit) -> Response:
    """Take files of a park and period, check them, and report at once where nothing is in the way. Where many are waiting
    the answer comes before the check: its state is ``received``, and the address in ``Location`` says how it went on.

    A program that files has nobody to look at the findings in between: what is clean counts as reported, in the name of the
    holder of the token, as with ``ytb submit``.
    """
    the_park, period = visit.of
    told, names = explanations_sent(visit), signed(visit)
    key, digest = idempotency_key(visit), request_digest(visit)
    with visit.office.ledger.read() as session:
        before = submission_of_request(session, visit.who.name, key, digest) if key else None
        found = submission(session, before) if before else None
    if found is not None and found.state is not State.RECEIVED:
        return _acknowledged(visit, found)
    if found is None:
        found = park.take(visit, the_park.code, period, API)
    if key:
        with visit.office.ledger.write() as session:
            remember_request(session, visit.who.name, key, digest, found.number, now=visit.now)
    until = visit.portal.examiner.examine(
        found, actor=visit.who.name, explanations=told, report_at_once=True, signatories=names,
        gaps_reason=visit.form.get("gaps_reason"),
    )  # fmt: skip
    return Waiting(_acknowledged(visit, found), until, lambda: _settled(visit, found, until))


def _settled(visit: Visit, found: Submission, until: Future[Outcome]) -> Response:
    """How it went on; a problem where the files are kept and checked, but leave something out and nobody said why."""
    if until.exception() is None and until.result().gap and visit.form.get("gaps_reason").strip():
        said = (
            f"{until.result().gap}文件已收到并审核,编号 {found.number};写明原因(gaps_reason)把同样的文件再报一次即可。"
        )
        return problems.answer(visit, PortalError(409, "gaps", "没有报送:缺报的原因没有写明白", said))
    return _acknowledged(visit, _again(visit, found))


def idempotency_key(visit: Visit) -> str:
    """The key a program gives its request, empty where it gives none."""
    key = visit.request.headers.get("idempotency-key")
    if key is None:
        return ""
    if not 1 <= len(key) <= 64 or not all("!" <= c <= "~" for c in key):
        raise problems.BAD_KEY
    return key


def request_digest(visit: Visit) -> str:
    """What identifies a request: its address, the bytes and names of its files, its fields."""
    files = [[one.name, one.staged.sha256] for one in visit.form.files]
    fields = {name: list(values) for name, values in visit.form.fields.items()}
    return hashlib.sha256(json.dumps([visit.request.url.path, files, fields], sort_keys=True).encode()).hexdigest()


def _again(visit: Visit, found: Submission) -> Submission:
    with visit.office.ledger.read() as session:
        return submission(session, found.number)


def _acknowledged(visit: Visit, found: Submission) -> Response:
    said = status_of(found) | {"receipt": _receipt(visit, found)}
    return answer(visit, said, 201, f"/api/v1/submissions/{found.number}")


def signed(visit: Visit) -> Signatories | None:
    """Who answers for the report, where the program says all of it."""
    names = Signatories(*(visit.form.get(name) for name in NAMES))
    if len(names.missing()) == len(NAMES):
        return None
    names.require_complete("报送")
    return names


def explanations_sent(visit: Visit) -> dict[str, tuple[str, str]]:
    """Explanations as sent: a JSON object, finding key (rule|form|unit|column) → [reason code, words]."""
    text = visit.form.get("explanations")
    if not text:
        return {}
    try:
        return {str(key): (str(code), str(words)) for key, (code, words) in json.loads(text).items()}
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise BadFormError("explanations") from None


def status(visit: Visit) -> Response:
    """One submission."""
    return answer(visit, status_of(visit.found))


def findings(visit: Visit) -> Response:
    """The findings a park has to act on."""
    found = visit.found
    rows: list[dict[str, Any]] = []
    if found.check and found.check.findings_blob:
        with visit.office.ledger.read() as session:
            told = explanations_of(session, found.number)
        rows = finding_rows(findings_of(visit.office.vault, found), told)
    return answer(visit, {"submission": found.number, "findings": rows})


def finding_rows(found: pl.DataFrame, told: Mapping[str, Explanation]) -> list[dict[str, Any]]:
    """Findings as programs see them, each with the explanation given for it."""
    rows = []
    for row in to_be_listed(found).iter_rows(named=True):
        given = told.get(finding_key(row))
        explanation = {"reason_code": given.reason_code, "text": given.text} if given else None
        rows.append({name: row[name] for name in FINDING_COLUMNS} | {"explanation": explanation})
    return rows


def receipt(visit: Visit) -> Response:
    """The receipt."""
    return answer(visit, _receipt(visit, visit.found))


def _receipt(visit: Visit, found: Submission) -> dict[str, Any]:
    with visit.office.ledger.read() as session:
        slip = receipt_of(session, found.number, receipt_key(visit.portal.home))
    return {
        "receipt": slip.receipt_number, "code": slip.code, "state": slip.state.value, "state_at": slip.state_at,
        "head": {"seq": slip.head.seq, "hash": slip.head.hash}, "notice": slip.notice, "text": receipt_text(slip),
    }  # fmt: skip


def document(visit: Visit) -> Response:
    """The OpenAPI document of this interface, made from the route table."""
    return answer(visit, openapi.document([route for route in visit.portal.routes if route.is_api]))
