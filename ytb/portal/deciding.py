"""Decisions on parks 等级与处置: what the evidence suggests, moves, rectification, appeals; and the park's own side of it.

The system suggests, people decide. Every rule (who may, which move, which term) is that of ``pipelines.ladder_decisions``.
"""

from __future__ import annotations

import threading
from datetime import date
from urllib.parse import quote

from starlette.responses import Response

from pipelines import ladder_decisions
from pipelines.evaluating import Judgement, judge, ladder_of, standings_on_file
from pipelines.methods.ladder import Kind, Standing
from pipelines.methods.ladder_definition import Ladder
from schemas.errors import RefusalError, StatisticsError
from schemas.period import Period
from warehouse.ledger.evaluations import ladder_records
from warehouse.ledger.ladder_drafts import pending_draft
from warehouse.ledger.parks import park as park_on
from warehouse.ledger.submissions import submissions
from warehouse.snapshots import current_snapshot, reader
from ytb.portal import pages, problems
from ytb.portal.beside import KINDS, TASK_STATES
from ytb.portal.visit import Visit

WORK = "ladder"
_LOCK = threading.Lock()
#: Home and year → the snapshot it was computed from, and what was found, or why nothing was.
_FOUND: dict[tuple[str, int], tuple[str, Judgement | str]] = {}


def ladder_in_force(visit: Visit) -> Ladder:
    """The ladder of the edition of the day. Raises DefinitionError where it has none."""
    return ladder_of(visit.office.programme.edition_for(Period(visit.now.year)))


def _years(visit: Visit) -> list[int]:
    """Years with an annual report on file, the newest first."""
    with visit.office.ledger.read() as session:
        return sorted({one.period.year for one in submissions(session) if one.period.round == "A"}, reverse=True)


def _judgement(visit: Visit, year: int) -> Judgement | str:
    """What has been computed of a year from the present snapshot; "" where nothing has, else why nothing could be."""
    with _LOCK:
        kept = _FOUND.get((str(visit.portal.home.root), year))
    try:
        now = current_snapshot(visit.portal.home.snapshots).name
    except StatisticsError:
        return ""
    return kept[1] if kept and kept[0] == now else ""


def start(visit: Visit) -> Response:
    """Compute what the evidence of a year suggests, behind the page."""
    year, portal = _year(visit), visit.portal
    if portal.examiner.place(WORK) is not None:
        raise RefusalError("正在计算,请稍后刷新本页。")

    def work() -> None:
        found: Judgement | str
        snapshot = ""
        try:
            snapshot = current_snapshot(portal.home.snapshots).name
            with reader(portal.home.snapshots) as con:
                found = judge(portal.office, con, Period(year), portal.clock())
        except StatisticsError as why:
            found = str(why)
        with _LOCK:
            _FOUND[str(portal.home.root), year] = (snapshot, found)

    portal.examiner.run(WORK, work)
    park = visit.form.get("park")
    return pages.go(f"/ladder/{quote(park, safe='')}?year={year}" if park else "/ladder", "judging")


def _year(visit: Visit) -> int:
    text = visit.form.get("year") or visit.query("year")
    if not (text.isascii() and text.isdigit() and len(text) == 4):
        raise RefusalError("请选择评价年度。")
    return int(text)


def one(visit: Visit) -> Response:
    """One park on the ladder: where it stands, what is suggested, everything that was decided, the steps that can be taken."""
    park = visit.park
    assert park is not None
    is_running = visit.portal.examiner.place(WORK) is not None  # before what has been found is read
    ladder, years = ladder_in_force(visit), _years(visit)
    asked = visit.form.get("year") or visit.query("year")
    year = int(asked) if asked.isascii() and asked.isdigit() and int(asked) in years else years[0] if years else None
    found = _judgement(visit, year) if year else ""
    proposal = next((p for p in found.proposals if p.park == park.code), None) if isinstance(found, Judgement) else None
    with visit.office.ledger.read() as session:
        standing = standings_on_file(session, ladder).get(park.code, Standing(park.code, ladder.normal))
        steps = ladder_records(session, park.code)
        waiting = pending_draft(session, park.code)
    return pages.page(
        visit, "ladder_park", waiting=waiting, park=park, ladder=ladder, standing=standing, records=steps[::-1], years=years, year=year,
        proposal=proposal, judged=isinstance(found, Judgement), why=found if isinstance(found, str) else "",
        is_running=is_running, kinds={k.value: v for k, v in KINDS.items()},
        states=TASK_STATES, rungs={rung.id: rung.name for rung in ladder.rungs}, today=visit.now.date(), typed=visit.form,
    )  # fmt: skip


def decide(visit: Visit) -> Response:
    """Put a move forward. What was suggested, and on which evidence, is recorded beside the reason."""
    year, code = _year(visit), _code(visit)
    found = _judgement(visit, year)
    if not isinstance(found, Judgement):
        raise RefusalError(f"请先计算 {year} 年的建议和证据,再作处置:当时的证据要与处置一并留存。")
    form = visit.form
    ladder_decisions.draft(
        visit.office, found, code, form.get("rung"), year=year, reason=form.get("reason"), document=form.get("document"),
        now=visit.now, actor=visit.who.name,
    )  # fmt: skip
    return pages.go(f"/ladder/{code}?year={year}", "ladder_drafted")


def confirm(visit: Visit) -> Response:
    """Move the park as another person put forward."""
    if not visit.form.get("confirmed"):
        raise RefusalError("请先核对理由、文号和证据,勾选后再复核同意。")
    ladder_decisions.confirm(visit.office, ladder_in_force(visit), _code(visit), now=visit.now, actor=visit.who.name)
    return pages.go(f"/ladder/{_code(visit)}", "ladder_moved")


def drop(visit: Visit) -> Response:
    """Do not move the park as was put forward, with the reason."""
    ladder_decisions.drop(
        visit.office, ladder_in_force(visit), _code(visit), reason=visit.form.get("reason"), now=visit.now,
        actor=visit.who.name,
    )  # fmt: skip
    return pages.go(f"/ladder/{_code(visit)}", "ladder_dropped")


def _code(visit: Visit) -> str:
    assert visit.park is not None
    return visit.park.code


def set_task(visit: Visit) -> Response:
    """A matter to rectify, with who is responsible and until when."""
    form = visit.form
    ladder_decisions.set_task(
        visit.office, ladder_in_force(visit), _code(visit), form.get("text"), due=_day(form.get("due")),
        responsible=form.get("responsible"), now=visit.now, actor=visit.who.name,
    )  # fmt: skip
    return pages.go(f"/ladder/{_code(visit)}", "ladder_task")


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise RefusalError(f"日期“{text[:20]}”无效,请写成 2025-04-15。") from None


OUTCOMES = {"report": Kind.REPORT, "verify": Kind.VERIFY, "reject": Kind.REJECT}


def handle_task(visit: Visit) -> Response:
    """Strike a matter off, send it back, or enter what the park reported on paper."""
    kind = OUTCOMES.get(visit.form.get("outcome"))
    if kind is None:
        raise problems.BAD_FORM
    _handle(visit, _code(visit), kind)
    return pages.go(f"/ladder/{_code(visit)}", "ladder_task")


def _handle(visit: Visit, park: str, kind: Kind) -> None:
    text = visit.request.path_params["number"]
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 12 else 0
    ladder_decisions.handle_task(
        visit.office, ladder_in_force(visit), park, number, kind, text=visit.form.get("text"),
        document=visit.form.get("document"), now=visit.now, actor=visit.who.name,
    )  # fmt: skip


def appeal(visit: Visit) -> Response:
    """Enter an appeal that came on paper."""
    _appeal(visit, _code(visit))
    return pages.go(f"/ladder/{_code(visit)}", "ladder_appeal")


def _appeal(visit: Visit, park: str) -> None:
    ladder_decisions.appeal(
        visit.office, ladder_in_force(visit), park, text=visit.form.get("text"), document=visit.form.get("document"),
        now=visit.now, actor=visit.who.name,
    )  # fmt: skip


def decide_appeal(visit: Visit) -> Response:
    """Uphold an appeal, which undoes the move, or dismiss it."""
    outcome = visit.form.get("outcome")
    if outcome not in ("uphold", "dismiss"):
        raise problems.BAD_FORM
    ladder_decisions.decide_appeal(
        visit.office, ladder_in_force(visit), _code(visit), upheld=outcome == "uphold", reason=visit.form.get("reason"),
        document=visit.form.get("document"), now=visit.now, actor=visit.who.name,
    )  # fmt: skip
    return pages.go(f"/ladder/{_code(visit)}", "ladder_appeal")


# ── the park's own side ────────────────────────────────────────────────────────────────────────────────────────────
def own(visit: Visit) -> Response:
    """Where the own park stands, what is to be rectified, and the way to appeal."""
    code = visit.who.park or ""
    ladder = ladder_in_force(visit)
    with visit.office.ledger.read() as session:
        park = park_on(session, code, visit.now.date())
        standing = standings_on_file(session, ladder).get(code, Standing(code, ladder.normal))
        steps = ladder_records(session, code)
    return pages.page(
        visit, "own_standing", park=park, ladder=ladder, standing=standing, records=steps[::-1],
        kinds={k.value: v for k, v in KINDS.items()}, states=TASK_STATES, rungs={r.id: r.name for r in ladder.rungs},
        today=visit.now.date(), typed=visit.form,
    )  # fmt: skip


def own_task(visit: Visit) -> Response:
    """The park reports a matter rectified."""
    _handle(visit, visit.who.park or "", Kind.REPORT)
    return pages.go("/standing", "ladder_task")


def own_appeal(visit: Visit) -> Response:
    """The park appeals against the last decision."""
    _appeal(visit, visit.who.park or "")
    return pages.go("/standing", "ladder_appeal")
