"""What passes between office and parks besides reports: notices, and requests to correct after a round was closed."""

from __future__ import annotations

from datetime import datetime, time, timedelta

from starlette.responses import Response

from pipelines import corrections as deciding
from pipelines.reminding import standing_reminders
from schemas.errors import RefusalError
from schemas.period import Period
from sources.evidence import KINDS
from warehouse.ledger.corrections import corrections
from warehouse.ledger.notices import notices, post_notice, withdraw_notice
from warehouse.ledger.parks import parks
from warehouse.ledger.periods import rounds
from ytb.portal import pages, problems
from ytb.portal.visit import BEIJING, Visit


def notices_page(visit: Visit) -> Response:
    """The notices for who looks; a statistician posts and takes back."""
    may = visit.who.role == "province_statistician"
    with visit.office.ledger.read() as session:
        found = notices(session, park=visit.who.park, withdrawn=may)
        periods = sorted(rounds(session), reverse=True) if may else []
        names = {one.code: one.name for one in parks(session, visit.now.date()) if one.kind == "zone"}
        urged = standing_reminders(session, visit.who.park or "")
    wanted = visit.query("period")
    shown = [one for one in found if not wanted or one.period is None or str(one.period) == wanted]
    return pages.page(
        visit, "notices", found=shown, may=may, periods=periods, names=names, wanted=wanted, urged=urged,
        typed={name: visit.form.get(name) for name in ("title", "text", "period", "park")},
    )  # fmt: skip


def post(visit: Visit) -> Response:
    """Post a notice for a period or for all."""
    form = visit.form
    period = Period.parse(form.get("period")) if form.get("period") else None
    park = form.get("park")
    with visit.office.ledger.write() as session:
        if park and park not in {one.code for one in parks(session, visit.now.date())}:
            raise RefusalError(f"没有园区“{park}”。")
        post_notice(
            session, form.get("title"), form.get("text"), period=period, park=park, now=visit.now, actor=visit.who.name
        )  # fmt: skip
    return pages.go("/notices", "posted")


def withdraw(visit: Visit) -> Response:
    """Take a notice back."""
    with visit.office.ledger.write() as session:
        withdraw_notice(
            session, _number(visit), reason=visit.form.get("reason"), now=visit.now, actor=visit.who.name
        )  # fmt: skip
    return pages.go("/notices", "notice_withdrawn")


def _number(visit: Visit) -> int:
    text = str(visit.request.path_params["number"])
    return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else 0


def correction_page(visit: Visit) -> Response:
    """A park's requests to correct one period after it was closed, and the form for another."""
    park, period = visit.of
    with visit.office.ledger.read() as session:
        current = rounds(session).get(period)
        mine = corrections(session, park=park.code, period=period)
    if current is None:
        raise problems.NOT_FOUND
    return pages.page(
        visit, "correction", park=park, period=period, round=current, found=mine, reason=visit.form.get("reason"),
        extensions=",".join(KINDS), open=current.is_open_for(park.code, visit.now),
        waiting=any(one.decision is None for one in mine),
    )  # fmt: skip


def ask(visit: Visit) -> Response:
    """Ask to correct, with reason and evidence."""
    park, period = visit.of
    papers = [(one.name.replace("\\", "/").rsplit("/", 1)[-1][:200], one.read()) for one in visit.form.files]
    deciding.ask(
        visit.office, park.code, period, visit.form.get("reason"), papers, visit.portal.pool, now=visit.now,
        actor=visit.who.name,
    )  # fmt: skip
    return pages.go(f"/park/{park.code}/{period}/correction", "correction_asked")


def evidence(visit: Visit) -> Response:
    """A paper that came with a request of this park and period."""
    park, period = visit.of
    with visit.office.ledger.read() as session:
        mine = {one.id: one for one in corrections(session, park=park.code, period=period)}
    one, position = mine.get(_number(visit)), str(visit.request.path_params["position"])
    at = int(position) - 1 if position.isascii() and position.isdigit() and len(position) < 3 else -1
    if one is None or not 0 <= at < len(one.evidence):
        raise problems.NOT_FOUND
    sha256, name = one.evidence[at]
    return pages.download(visit.office.vault.read(sha256), name, "application/octet-stream")


def corrections_page(visit: Visit) -> Response:
    """Every request, those that wait first."""
    with visit.office.ledger.read() as session:
        found = corrections(session)
        names = {one.code: one.name for one in parks(session)}
    found.sort(key=lambda one: (one.decision is not None, -one.id))
    week = (visit.now.astimezone(BEIJING) + timedelta(days=7)).date().isoformat()
    return pages.page(visit, "corrections", found=found, names=names, week=week)


def decide(visit: Visit) -> Response:
    """Grant until the end of a day, or decline."""
    form, number = visit.form, _number(visit)
    if form.get("decision") != "grant":
        deciding.decline(visit.office, number, reason=form.get("reason"), now=visit.now, actor=visit.who.name)
        return pages.go("/corrections", "correction_declined")
    deciding.grant(
        visit.office, number, until=end_of_day(form.get("until")), reason=form.get("reason"),
        withdraw=bool(form.get("withdraw")), now=visit.now, actor=visit.who.name,
    )  # fmt: skip
    return pages.go("/corrections", "correction_granted")


def end_of_day(text: str) -> datetime:
    """24:00 Beijing time of a day as typed. Raises RefusalError for what is no day."""
    try:
        day = datetime.strptime(text, "%Y-%m-%d").date()
    except ValueError:
        raise RefusalError(f"日期“{text[:20]}”无效,请写成 2025-04-20。") from None
    return datetime.combine(day + timedelta(days=1), time(0), BEIJING)
