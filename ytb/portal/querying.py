"""Queries 查询 on the portal: the reviewer asks about a cell, the park answers in writing, and it is said how it ended."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from starlette.responses import Response

from pipelines import querying
from schemas.errors import RefusalError
from warehouse.ledger import queries
from warehouse.ledger.queries import OUTCOMES, Query, QueryState
from warehouse.ledger.submissions import Submission
from ytb.portal import pages, problems
from ytb.portal.findings import lines_of
from ytb.portal.naming import park_names, unit_names
from ytb.portal.visit import BEIJING, Visit

DAYS_TO_ANSWER = 5
ASKABLE = 300


def listing(visit: Visit) -> Response:
    """Every query: of one's own park for those who report, of all for reviewers; those waiting first."""
    with visit.office.ledger.read() as session:
        found = queries.queries(session, park=visit.who.park or None)
    names: dict[str, str] = {}
    for one in {query.period: query for query in found}.values():
        edition = visit.office.programme.edition_for(one.period)
        names |= {code: indicator.name for code, indicator in edition.indicators.items()}
    units = unit_names(visit, visit.now.date(), visit.who.park) if found else {}
    found.sort(key=lambda q: (q.state is QueryState.CLOSED, q.state is not QueryState.OPEN, q.due, q.id))
    return pages.page(
        visit, "query_list", found=found, today=_today(visit), outcomes=OUTCOMES, names=names, units=units, parks=park_names(visit),
    )  # fmt: skip


def of_submission(visit: Visit) -> Response:
    """The queries of a submission's park and period, with the forms that the visitor may use."""
    found = visit.found
    edition = visit.office.programme.edition_for(found.period)
    is_park = visit.who.role == "park_reporter"
    lines = [] if is_park else lines_of(visit, found)[:ASKABLE]
    return pages.page(
        visit, "queries", found=found, park=visit.park, queries=_of(visit), is_park=is_park, lines=lines, outcomes=OUTCOMES,
        forms={code: title for code, title in pages.form_titles(visit, found.period).items() if code in _forms_in(found)},
        names={code: i.name for code, i in edition.indicators.items()}, today=_today(visit),
        units=unit_names(visit, found.period.end, found.park), due=_today(visit) + timedelta(days=DAYS_TO_ANSWER), QueryState=QueryState,
    )  # fmt: skip


def _forms_in(found: Submission) -> Sequence[str]:
    return found.check.forms if found.check else ()


def ask(visit: Visit) -> Response:
    """Ask about a finding of the submission, or about any of its cells."""
    try:
        due = date.fromisoformat(visit.form.get("due"))
    except ValueError:
        raise RefusalError("请填写答复期限,如 2025-04-20。") from None
    form = visit.form
    cell = "|".join(form.get(name) for name in ("form", "unit", "column"))
    if not form.get("about") and "" in cell.split("|"):
        raise RefusalError("请写明问的是哪一格:表、单位代码和指标代码。")
    querying.ask(
        visit.office, visit.found.number, form.get("about") or cell, visit.form.get("question"), due=due, now=visit.now,
        actor=visit.who.name,
    )  # fmt: skip
    return pages.go(f"/submissions/{visit.found.number}/queries", "asked")


def answer(visit: Visit) -> Response:
    """The park answers."""
    number = _chosen(visit)
    with visit.office.ledger.write() as session:
        queries.answer(session, number, visit.form.get("text"), now=visit.now, actor=visit.who.name)
    return pages.go(f"/submissions/{visit.found.number}/queries", "answered")


def follow(visit: Visit) -> Response:
    """The reviewer asks further, or says how the query ended."""
    number, outcome = _chosen(visit), visit.form.get("outcome")
    with visit.office.ledger.write() as session:
        if outcome:
            text = visit.form.get("text")
            queries.close(session, number, outcome, now=visit.now, actor=visit.who.name, text=text)
        else:
            queries.ask_again(session, number, visit.form.get("text"), now=visit.now, actor=visit.who.name)
    return pages.go(f"/submissions/{visit.found.number}/queries", "followed")


def _of(visit: Visit) -> list[Query]:
    with visit.office.ledger.read() as session:
        return queries.queries(session, park=visit.found.park, period=visit.found.period)


def _chosen(visit: Visit) -> int:
    """The query the form names; one of another park or period does not exist here."""
    text = visit.form.get("query")
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 12 else 0
    if number not in {q.id for q in _of(visit)}:
        raise problems.NOT_FOUND
    return number


def _today(visit: Visit) -> date:
    return visit.now.astimezone(BEIJING).date()
