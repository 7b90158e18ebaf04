"""The reviewer's side of a submission: the queue, one submission on one screen, the decision. Nobody here changes a figure."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from starlette.responses import Response

from pipelines import review
from pipelines.gaps import gap_of
from pipelines.second_check import second_check
from schemas.errors import RefusalError
from schemas.period import Period
from warehouse.ledger import assignments, queries
from warehouse.ledger.parks import parks
from warehouse.ledger.periods import timeliness
from warehouse.ledger.report_gaps import gap_statement_of
from warehouse.ledger.second_checks import first_opinion, opinions_of, second_check_rules
from warehouse.ledger.states import State
from warehouse.ledger.submissions import Submission, submissions
from ytb.portal import pages
from ytb.portal.casefile import case_of
from ytb.portal.findings import groups_of, lines_and_causes
from ytb.portal.naming import park_names, unit_names
from ytb.portal.visit import Visit
from ytb.portal.weighing import missing_forms, weighed

CHANGES_SHOWN = 200
MATTERS_SHOWN = 200
HEAVY_SHOWN = 15


def queue(visit: Visit) -> Response:
    """What awaits a decision, the largest effect on total and growth first; the clean ones with a tick to accept together."""
    found = review.queue(visit.office)
    effects: dict[str, dict[str, Any]] = {}
    for period in sorted({one.period for one in found}):
        effects |= {row["number"]: row for row in weighed(visit, period).submissions.to_dicts()}

    def first(one: Submission) -> tuple[float, int, datetime]:
        row = effects.get(one.number, {})
        unsure = int(row.get("unknown") or 0) + (row.get("gap", 0.0) is None)
        return -max(row.get("effect") or 0.0, row.get("gap") or 0.0), -unsure, one.state_at

    mine = visit.query("mine") == "1"
    with visit.office.ledger.read() as session:
        names = {one.code: one.name for one in parks(session)}
        held = assignments.assignments(session)
        people = {one.name: one.title for one in assignments.reviewers(session)}
        opinions = {one.number: o for one in found if (o := first_opinion(session, one.number))}
        rules = list(second_check_rules(session).values())
    held_by = {one.number: held[one.park, one.period].reviewer for one in found if (one.park, one.period) in held}
    shown = [one for one in sorted(found, key=first) if not mine or held_by.get(one.number) == visit.who.name]
    return pages.page(
        visit, "queue", found=shown, count=len(found), names=names, effects=effects, held_by=held_by, people=people,
        opinions=opinions, rules=rules, missing={one.number: missing_forms(visit, one) for one in shown}, mine=mine, may_assign=visit.who.role == "province_statistician",
        periods=sorted({one.period for one in found}, reverse=True),
    )  # fmt: skip


def accept_below(visit: Visit) -> Response:
    """Accept in one stroke what lies below a stated effect."""
    text = visit.form.get("below").replace(",", ".")
    try:
        below = float(text)
    except ValueError:
        raise RefusalError(f"影响的界限“{text[:20]}”不是数字,请写如 0.1。") from None
    done = review.accept_below(
        visit.office, Period.parse(visit.form.get("period")), below, now=visit.now, actor=visit.who.name
    )
    if not done.accepted and not done.waiting:
        raise RefusalError("没有影响低于这个界限、可以一起验收的报送。" + ";".join(done.refused.values()))
    return pages.go("/queue", "waiting" if done.waiting else "accepted")


def matters(visit: Visit) -> Response:
    """Every soft finding and every missing unit of a round by its effect."""
    asked = visit.query("period")
    periods = sorted({one.period for one in review.queue(visit.office)}, reverse=True)
    period = Period.parse(asked) if asked else (periods[0] if periods else None)
    found = weighed(visit, period) if period else None
    names = {}
    if period:
        names = {c: i.name for c, i in visit.office.programme.edition_for(period).indicators.items()}
    return pages.page(
        visit, "matters", period=period, periods=periods, names=names,
        findings=found.findings.head(MATTERS_SHOWN).to_dicts() if found else [],
        finding_count=found.findings.height if found else 0,
        missing=found.missing.head(MATTERS_SHOWN).to_dicts() if found else [],
        missing_count=found.missing.height if found else 0,
        units=unit_names(visit, period.end) if period else {}, parks=park_names(visit),
    )  # fmt: skip


def one(visit: Visit) -> Response:
    """One submission on one screen: findings with explanations, changes against the revision before, decisions."""
    found = visit.found
    file = review.dossier(visit.office, found.number) if found.check and found.check.findings_blob else None
    lines, causes = lines_and_causes(visit, found)
    edition = visit.office.programme.edition_for(found.period)
    names = {code: one.name for code, one in edition.indicators.items()}
    with visit.office.ledger.read() as session:
        history = submissions(session, park=found.park, period=found.period)
        asked = queries.queries(session, park=found.park, period=found.period)
        when = timeliness(session, found.period, now=visit.now, owing=[found.park])[0]
        held = assignments.assignments(session, found.period).get((found.park, found.period))
        gap = gap_of(visit.office, session, found) if found.check and found.check.observations_blob else None
        stated = gap_statement_of(session, found.number)
        opinions = opinions_of(session, found.number)
        people = {one.name: one.title for one in assignments.reviewers(session)}
    decidable = found.state in (State.REPORTED, State.REOPENED)
    weights = weighed(visit, found.period) if file else None
    effects = {row["number"]: row for row in weights.submissions.to_dicts()} if weights else {}
    heavy = weights.findings.filter(number=found.number).to_dicts() if weights else []
    changes = file.changes.head(CHANGES_SHOWN).to_dicts() if file else []
    return pages.page(
        visit, "review", found=found, park=visit.park, lines=lines, titles=pages.form_titles(visit, found.period),
        causes=groups_of(lines, causes, all_of=visit.query("all")), names=names,
        gap=gap, stated=stated, row=effects.get(found.number, {}), decisions=file.decisions if file else [], opinions=opinions, changes=changes, change_count=file.changes.height if file else 0,
        check=second_check(visit.office, found, effects) if decidable else None, people=people, held=held, history=history, when=when, queries=asked, codes=review.RETURN_REASONS, heavy=heavy[:HEAVY_SHOWN], heavy_count=len(heavy),
        units=unit_names(visit, found.period.end, found.park) if heavy or changes else {},
        case=case_of(visit, found, names) if file else None, decidable=decidable, reopenable=found.state is State.ACCEPTED,
    )  # fmt: skip


def accept(visit: Visit) -> Response:
    """Accept, or give the first of two opinions where two people have to agree."""
    effects = {row["number"]: row for row in weighed(visit, visit.found.period).submissions.to_dicts()}
    done = review.accept(
        visit.office, visit.found.number, now=visit.now, actor=visit.who.name, reason=visit.form.get("reason"),
        effects=effects,
    )  # fmt: skip
    return pages.go(f"/review/{visit.found.number}", "accepted" if done.state is State.ACCEPTED else "waiting")


def return_to_park(visit: Visit) -> Response:
    """Return, with a reason that names no figure."""
    review.return_to_park(
        visit.office, visit.found.number, reason=visit.form.get("reason"), codes=visit.form.all("code"),
        now=visit.now, actor=visit.who.name,
    )  # fmt: skip
    return pages.go(f"/review/{visit.found.number}", "returned")


def reopen(visit: Visit) -> Response:
    """Withdraw an acceptance."""
    review.reopen(
        visit.office, visit.found.number, reason=visit.form.get("reason"), now=visit.now, actor=visit.who.name
    )
    return pages.go(f"/review/{visit.found.number}", "reopened")


def accept_clean(visit: Visit) -> Response:
    """Accept several at once, of those that raised nothing; those that cannot be are named with the reason."""
    chosen = list(dict.fromkeys(visit.form.all("number")))
    if not chosen:
        raise RefusalError("没有选中任何报送。")
    done = review.accept_clean(visit.office, chosen, now=visit.now, actor=visit.who.name)
    if done.refused and not done.accepted and not done.waiting:
        raise RefusalError(";".join(f"{number} {why}" for number, why in list(done.refused.items())[:5]))
    return pages.go("/queue", "accepted_some" if done.refused else "waiting" if done.waiting else "accepted")
