"""The statistician's side of a round: who has reported, what the reminders say, opening and closing, the register."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from starlette.responses import Response

from exports.charts_svg import Bar, bar_chart
from pipelines.intake import findings_of
from pipelines.matters import park_effects
from pipelines.querying import ENDING_TITLES, ending_counts, finding_endings
from pipelines.reminding import reach
from pipelines.review import by_effect, record_reminders, reminders
from schemas.errors import RefusalError
from schemas.findings import BLOCKING, NEEDS_EXPLANATION, shown_rule
from schemas.model import Edition
from schemas.period import Period
from warehouse.ledger import periods
from warehouse.ledger import register as unit_register
from warehouse.ledger.parks import park as park_on
from warehouse.ledger.parks import parks
from warehouse.ledger.periods import Round, Timeliness, rounds, timeliness
from warehouse.ledger.sent_reminders import BY_SYSTEM, WAYS, sent_reminders
from warehouse.ledger.states import STANDING, State
from warehouse.ledger.submissions import Submission
from ytb.portal import pages
from ytb.portal.naming import awaiting
from ytb.portal.punctuality import ROUNDS_SHOWN, across_rounds, punctuality
from ytb.portal.visit import BEIJING, Visit
from ytb.portal.weighing import weighed

RULES_DRAWN = 15


@dataclass(frozen=True)
class Standing:
    """One row of the heat map: how a park stands, and of each form the findings of its newest upload."""

    timeliness: Timeliness
    forms: Mapping[str, tuple[int, int]]
    """Form → hard, soft; forms that were not in the upload are missing."""


def chosen_period(visit: Visit, every: Mapping[Period, Round]) -> Period | None:
    """The period asked for, else the newest open one, else the newest."""
    asked = visit.query("period") or visit.form.get("period")
    if asked and (found := Period.parse(asked)) in every:
        return found
    opened = [period for period, one in every.items() if one.is_open]
    return max(opened or every, default=None)


def owing_parks(visit: Visit, period: Period) -> list[str]:
    """Zones that have a unit in the register at the end of the period, else all zones; of them those the visitor may see."""
    mine = visit.parks_in_scope(period.end)
    with visit.office.ledger.read() as session:
        units = unit_register.register_as_of(session, period.end)
        zones = [one.code for one in parks(session, period.end) if one.kind == "zone"]
    with_units = set(units["park"].to_list()) if units.height else set()
    owing = [zone for zone in zones if zone in with_units] or zones
    return owing if mine is None else [zone for zone in owing if zone in mine]


def progress(visit: Visit) -> Response:
    """Who has not reported, who has problems: park × form."""
    with visit.office.ledger.read() as session:
        every = rounds(session)
    period = chosen_period(visit, every)
    if period is None:
        return pages.page(
            visit, "progress", period=None, periods=[], rows=[], forms=[], counts={}, round=None, across=[]
        )
    with visit.office.ledger.read() as session:
        found = timeliness(session, period, now=visit.now, owing=owing_parks(visit, period))
        awaits = awaiting(session, [one.latest for one in found if one.latest])
    rows = [Standing(one, _by_form(visit, one.latest)) for one in found]
    rows.sort(key=_worst_first)
    edition = visit.office.programme.edition_for(period)
    forms = [form for form in edition.forms.values() if form.asked(period) and form.kind.value != "context"]
    counts = {
        "all": len(found),
        "reported": sum(one.latest is not None and one.latest.state in STANDING for one in found),
        "accepted": sum(one.latest is not None and one.latest.state is State.ACCEPTED for one in found),
        "problems": sum(one.latest is not None and one.latest.state in (State.FAILED, State.CHECKED, State.UNREADABLE, State.RETURNED) for one in found),
        "missing": sum(one.latest is None for one in found),
    }  # fmt: skip
    shown = sorted(every, reverse=True)[:ROUNDS_SHOWN]
    shown = sorted({*shown, period})
    across = across_rounds(visit, {p: every[p] for p in shown}, {p: owing_parks(visit, p) for p in shown})
    return pages.page(
        visit, "progress", period=period, periods=sorted(every, reverse=True), rows=rows, forms=forms, counts=counts,
        round=every[period], across=across, shown=shown, punctuality=punctuality, awaits=awaits,
    )  # fmt: skip


def _worst_first(row: Standing) -> tuple[int, str]:
    latest = row.timeliness.latest
    state = latest.state if latest else None
    order = {None: 0, State.UNREADABLE: 1, State.FAILED: 1, State.RETURNED: 1, State.CHECKED: 2, State.EXPLAINED: 2}
    return order.get(state, 4 if state is State.ACCEPTED else 3), row.timeliness.park


def _by_form(visit: Visit, found: Submission | None) -> dict[str, tuple[int, int]]:
    if found is None or found.check is None or found.check.findings_blob is None:
        return {}
    if not found.check.blocking and not found.check.to_explain:
        return dict.fromkeys(found.check.forms, (0, 0))
    counted = (
        findings_of(visit.office.vault, found)
        .group_by("form")
        .agg(BLOCKING.sum().alias("hard"), NEEDS_EXPLANATION.sum().alias("soft"))
    )
    by_form = {form: (hard, soft) for form, hard, soft in counted.select("form", "hard", "soft").iter_rows()}
    return {form: by_form.get(form, (0, 0)) for form in {*found.check.forms, *by_form} if form}


def reminder_texts(visit: Visit) -> Response:
    """What to send to whom has not finished; no figure stands in it."""
    with visit.office.ledger.read() as session:
        every = rounds(session)
    period = chosen_period(visit, every)
    found = (
        []
        if period is None
        else reminders(visit.office, period, now=visit.now.astimezone(BEIJING), owing=owing_parks(visit, period))
    )
    # How much a park weighs follows from figures of all parks: not for a city.
    if period is not None and found and visit.who.park is None:
        effects = {row["park"]: row for row in park_effects(weighed(visit, period)).to_dicts()}
        found = by_effect(found, effects)
    with visit.office.ledger.read() as session:
        sent = sent_reminders(session, period) if period is not None else {}
        reached = reach(session, [one.park for one, _ in found], visit.now.astimezone(BEIJING).date())
    return pages.page(
        visit, "reminders", period=period, periods=sorted(every, reverse=True), found=found, sent=sent, ways=WAYS,
        offered=[BY_SYSTEM, *(way for way in WAYS if way != BY_SYSTEM)], chosen=visit.form.all("park"), reached=reached,
        channels=tuple(visit.portal.courier.messengers) if visit.portal.courier else (),
    )  # fmt: skip


def log_reminders(visit: Visit) -> Response:
    """Enter the chosen reminders as sent by hand, or send them: to the notices of the park, and by mail where that is set up."""
    period = Period.parse(visit.form.get("period"))
    record_reminders(
        visit.office, period, visit.form.all("park"), visit.form.get("way"), owing=owing_parks(visit, period),
        now=visit.now.astimezone(BEIJING), actor=visit.who.name,
    )  # fmt: skip
    done = "reminded_by_system" if visit.form.get("way") == BY_SYSTEM else "reminded"
    return pages.go(f"/reminders?period={period}", done)


def rules_that_fire(visit: Visit) -> Response:
    """How often each rule fired in a round, in which parks, and how its findings ended."""
    with visit.office.ledger.read() as session:
        every = rounds(session)
        names = {one.code: one.name for one in parks(session)}
    period = chosen_period(visit, every)
    endings = finding_endings(visit.office, period) if period is not None else None
    by = "park" if visit.query("by") == "park" else "rule"
    counted = ending_counts(endings, [by]).to_dicts() if endings is not None and endings.height else []
    rules = {}
    if period is not None:
        rules = {one.id: one.message for one in visit.office.programme.edition_for(period).rules}
    bars = [
        Bar(
            names.get(row[by], row[by]) if by == "park" else shown_rule(row[by]),
            float(row["findings"]),
            str(row["findings"]),
        )
        for row in counted[:RULES_DRAWN]
    ]
    chart = bar_chart("fired", "问题最多的园区" if by == "park" else "问题最多的规则", bars, "处")
    return pages.page(
        visit, "rules_fired", period=period, periods=sorted(every, reverse=True), counted=counted, by=by, names=names,
        rules=rules, endings=ENDING_TITLES, chart=chart,
    )  # fmt: skip


def rounds_page(visit: Visit) -> Response:
    """The rounds, and the forms to open, extend and close them."""
    with visit.office.ledger.read() as session:
        every = rounds(session)
        zones = [one for one in parks(session, visit.now.date()) if one.kind == "zone"]
    return pages.page(visit, "rounds", rounds=sorted(every.values(), key=lambda r: r.period, reverse=True), zones=zones)


def statutory_deadline(edition: Edition, period: Period) -> datetime:
    """The deadline the edition sets; 24时 of a day is 00:00 of the next. Raises RefusalError where it sets none."""
    rule = edition.parameters.get("deadlines", {}).get(period.round)
    if not rule:
        raise RefusalError(f"{edition.id} 版没有这一类报告期的截止时间,请填写截止日期。")
    is_dated = "month" in rule
    day = (
        date(period.year + 1, rule["month"], rule["day"])
        if is_dated
        else period.end + timedelta(days=int(rule["days"]))
    )
    return datetime.combine(day, time(0), BEIJING) + timedelta(hours=int(rule.get("hour", 24)))


def _deadline_of(visit: Visit) -> datetime | None:
    text = visit.form.get("deadline")
    if not text:
        return None
    try:
        return datetime.combine(date.fromisoformat(text), time(0), BEIJING) + timedelta(days=1)
    except ValueError:
        raise RefusalError(f"日期“{text[:20]}”无效,请写成 2025-04-15。") from None


def open_round(visit: Visit) -> Response:
    """Open a round, by default until the statutory deadline."""
    period = Period.parse(visit.form.get("period"))
    edition = visit.office.programme.edition_for(period)
    deadline = _deadline_of(visit) or statutory_deadline(edition, period)
    with visit.office.ledger.write() as session:
        periods.open_round(
            session, period, edition=edition.id, deadline=deadline, now=visit.now, actor=visit.who.name,
            reason=visit.form.get("reason"),
        )  # fmt: skip
    return pages.go("/periods", "opened")


def extend_round(visit: Visit) -> Response:
    """Move the deadline of all or of one park."""
    period, deadline, code = Period.parse(visit.form.get("period")), _deadline_of(visit), visit.form.get("park")
    if deadline is None:
        raise RefusalError("请填写新的截止日期。")
    with visit.office.ledger.write() as session:
        if code:
            park_on(session, code, period.end)
        periods.extend_round(
            session, period, deadline=deadline, reason=visit.form.get("reason"), park=code or None, now=visit.now,
            actor=visit.who.name,
        )  # fmt: skip
    return pages.go("/periods", "extended")


def close_round(visit: Visit) -> Response:
    """Close a round."""
    period = Period.parse(visit.form.get("period"))
    if not visit.form.get("confirmed"):
        raise RefusalError("关网后园区不能再报送:请勾选确认。")
    with visit.office.ledger.write() as session:
        periods.close_round(session, period, now=visit.now, actor=visit.who.name, reason=visit.form.get("reason"))
    return pages.go("/periods", "closed")
