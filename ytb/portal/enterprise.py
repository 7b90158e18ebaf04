"""An enterprise's own pages: what is due, its workbook, what was found in it, and its confirmation. Nothing of anybody else."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from starlette.responses import JSONResponse, Response

from pipelines.carrying_over import Before, said_before_return
from pipelines.office import return_findings
from pipelines.own_returns import (
    confirm_own,
    explain_return,
    keys_to_explain,
    marked_return,
    receive_return,
    return_names,
)
from pipelines.receiving import hash_of
from pipelines.templates import template_for
from schemas import reserved
from schemas.errors import RefusalError
from schemas.observations import ENTERPRISE_ROSTER
from sources.causes import Cause
from warehouse.ledger.enterprise_returns import (
    STANDS,
    EnterpriseReturn,
    enterprise_returns,
    handed_in_since,
    newest_return,
    return_explanations_of,
)
from warehouse.ledger.intake import IncomingFile
from warehouse.ledger.parks import park as park_on
from warehouse.ledger.periods import rounds
from warehouse.ledger.register import park_of, register_as_of
from warehouse.ledger.return_models import ReturnState
from warehouse.ledger.signatories import Signatories
from ytb.portal import pages, problems
from ytb.portal.examining import Waiting
from ytb.portal.explaining import cause_forms, given_in, proposed
from ytb.portal.findings import HARD, Line, groups_of, worded
from ytb.portal.park import EXTENSIONS, day_of, incoming
from ytb.portal.visit import BEIJING, Visit


def due(visit: Visit) -> Response:
    """What is due, until when, in which state; only rounds in which the enterprise is in the register of its park."""
    code, unit = visit.who.park or "", visit.who.unit_id or ""
    with visit.office.ledger.read() as session:
        park = park_on(session, code, visit.now.date())
        every = rounds(session)
        mine = enterprise_returns(session, code, unit_id=unit)
        owing = {period for period in every if park_of(session, unit, period.end) == code}
        names = register_as_of(session, visit.now.date(), park=code).filter(unit_id=unit)
    newest = {one.period: one for one in mine}
    opened = sorted(
        (r for r in every.values() if r.is_open_for(code, visit.now) and r.period in owing),
        key=lambda r: r.deadline_of(code),
    )
    cards = [(r, newest.get(r.period)) for r in opened]
    past = [
        (every[p], one)
        for p, one in sorted(newest.items(), reverse=True)
        if p in every and not every[p].is_open_for(code, visit.now)
    ]
    name = names[reserved.NAME][0] if names.height and reserved.NAME in names.columns else None
    return pages.page(visit, "own_due", park=park, unit=unit, name=name or unit, cards=cards, past=past)


def one_round(visit: Visit) -> Response:
    """One period: the enterprise's workbook, the upload, everything it handed in."""
    (park, unit), period = visit.enterprise, visit.period
    assert period is not None
    with visit.office.ledger.read() as session:
        current = rounds(session).get(period)
        filed = enterprise_returns(session, park.code, period=period, unit_id=unit)
    if current is None:
        raise problems.NOT_FOUND
    edition = visit.office.programme.edition_for(period)
    asked = [form for form in edition.forms.values() if form.asked(period) and form.roster == ENTERPRISE_ROSTER]
    return pages.page(
        visit, "own_round", park=park, unit=unit, period=period, round=current, filed=filed[::-1], asked=asked,
        extensions=",".join(EXTENSIONS), place=place_of(visit), name=unit_name(visit),
        open=current.is_open_for(park.code, visit.now),
    )  # fmt: skip


def place_of(visit: Visit) -> str:
    """The address of the enterprise's page of the period."""
    park, unit = visit.enterprise
    return f"/enterprises/{park.code}/{unit}/{visit.period}"


def template(visit: Visit) -> Response:
    """The enterprise's own prefilled workbook."""
    (park, unit), period = visit.enterprise, visit.period
    assert period is not None
    day = visit.now.astimezone(BEIJING).date()
    data = template_for(visit.office, visit.office.programme, period, park.code, unit=unit, as_of=day)
    return pages.download(data, f"{period}_{unit}_企业填报.xlsx", pages.XLSX)


def upload(visit: Visit) -> Response:
    """Take the workbook, check it, show what was found. Nothing is confirmed by uploading."""
    (park, unit), period = visit.enterprise, visit.period
    assert period is not None
    files = incoming(visit)
    if len(files) != 1:
        raise RefusalError("一次只交一个工作簿:请把本单位的数据填在同一个工作簿里。")
    require_quota(visit, files[0])
    found = receive_return(
        visit.office, files[0], park=park.code, period=period, unit=unit, now=visit.now, actor=visit.who.name
    )
    page = pages.go(f"/returns/{found.number}")
    return Waiting(page, visit.portal.examiner.examine_return(found.number, actor=visit.who.name), lambda: page)


def require_quota(visit: Visit, file: IncomingFile) -> None:
    """Raise PortalError where the enterprise has handed in too many workbooks today; the newest one again is none more."""
    (park, unit), period = visit.enterprise, visit.period
    assert period is not None
    quota, (midnight, left) = visit.portal.daily_quota, day_of(visit.now)
    with visit.office.ledger.read() as session:
        begun = handed_in_since(session, park.code, unit, midnight)
        newest = newest_return(session, park.code, period, unit)
    again = newest is not None and newest.sha256 == hash_of(file)
    if quota and begun >= quota and not again:
        raise problems.used_up(quota, left, "企业")


def may_act(visit: Visit, found: EnterpriseReturn) -> bool:
    """The enterprise on what it handed in itself, the park on what came to it by mail; nobody for the other."""
    return (visit.who.unit_id is not None) == found.is_own


def lines_and_causes(visit: Visit, found: EnterpriseReturn) -> tuple[list[Line], list[Cause]]:
    """What the enterprise has to act on, hard findings first, and the causes."""
    if found.check is None or found.check.findings_blob is None:
        return [], []
    with visit.office.ledger.read() as session:
        told = return_explanations_of(session, found.number)
    findings = return_findings(visit.office, found)
    return worded(visit, found.period, findings, return_names(visit.office, found), told)


def one(visit: Visit) -> Response:
    """One return: its state, its findings, the next step."""
    found = visit.handed_in
    with visit.office.ledger.read() as session:
        told = return_explanations_of(session, found.number)
        newest = newest_return(session, found.park, found.period, found.unit_id)
        current = rounds(session).get(found.period)
    lines, causes = lines_and_causes(visit, found)
    asked = keys_to_explain(visit.office, found)
    offered = sum(one.is_unchanged for one in _said_before(visit, found, told).values())
    form = visit.form
    given = {name: form.get(name) for name in ("unit_head", "statistics_head", "filled_by", "telephone", "basis")}
    given["filled_by"] = given["filled_by"] or (visit.who.title if visit.who.unit_id else "")
    return pages.page(
        visit, "return", found=found, lines=lines, causes=groups_of(lines, causes, all_of=visit.query("all")),
        hard=sum(line.words.kind == HARD for line in lines), asked=len(asked), told=len(set(asked) & set(told)),
        offered=offered, newest=newest or found, place=place_of(visit), park=visit.park, may_act=may_act(visit, found), given=given,
        is_open=current is not None and current.is_open_for(found.park, visit.now), stands=found.state in STANDS,
        today=visit.now.astimezone(BEIJING).date(), name=unit_name(visit),
        before=visit.portal.examiner.place(found.number), has_marks=any(line.words.cell for line in lines),
    )  # fmt: skip


def state(visit: Visit) -> Response:
    """How far a return is, for the page that waits for its check: no figure, no finding."""
    found = visit.handed_in
    return JSONResponse({"state": found.state.value, "before": visit.portal.examiner.place(found.number)})


def unit_name(visit: Visit) -> str:
    """The enterprise of the address by its name in the register, else its code."""
    park, unit = visit.enterprise
    with visit.office.ledger.read() as session:
        listed = register_as_of(session, visit.now.date(), park=park.code).filter(unit_id=unit)
    name = listed[reserved.NAME][0] if listed.height and reserved.NAME in listed.columns else None
    return str(name or unit)


def marked(visit: Visit) -> Response:
    """The workbook with its findings marked in the cells."""
    found = visit.handed_in
    if found.check is None or not (found.check.blocking + found.check.to_explain):
        raise problems.NOT_FOUND
    name, data = marked_return(visit.office, found)
    return pages.download(data, name, pages.XLSX)


def original(visit: Visit) -> Response:
    """The file as it came."""
    found = visit.handed_in
    return pages.download(visit.office.vault.read(found.sha256), found.name, "application/octet-stream")


def explanations(visit: Visit) -> Response:
    """The form for explanations."""
    return _explanations(visit, {})


def _explanations(visit: Visit, weak: Mapping[str, str]) -> Response:
    found = visit.handed_in
    lines, causes = lines_and_causes(visit, found)
    said = _said_before(visit, found, {line.key for line in lines if line.told is not None})
    groups = cause_forms(lines, causes, visit, weak, proposed(said))
    codes = visit.office.programme.codelists["reason_code"].rows.select("code", "name").rows()
    closed = not _is_open(visit, found)
    is_open = found.state is ReturnState.CLEAN and may_act(visit, found) and not closed
    return pages.page(
        visit, "explanations", status=422 if weak else 200, found=found, groups=groups, codes=codes, weak=weak,
        is_open=is_open, park=visit.park, before={}, said_before=said, closed=closed, base=f"/returns/{found.number}", start=start_of(visit),
    )  # fmt: skip


def _said_before(visit: Visit, found: EnterpriseReturn, told: Collection[str]) -> dict[str, Before]:
    """What was said of findings of an earlier revision, for those that are not explained in this one."""
    if found.state is not ReturnState.CLEAN:
        return {}
    return {key: one for key, one in said_before_return(visit.office, found).items() if key not in told}


def _is_open(visit: Visit, found: EnterpriseReturn) -> bool:
    with visit.office.ledger.read() as session:
        current = rounds(session).get(found.period)
    return current is not None and current.is_open_for(found.park, visit.now)


def start_of(visit: Visit) -> tuple[str, str]:
    """Where the trail of crumbs begins: the enterprise's first page, or the park's list."""
    if visit.who.unit_id is not None:
        return "/own", "我的报表"
    park, _ = visit.enterprise
    return f"/park/{park.code}/{visit.period}/enterprises", "企业"


def give_explanations(visit: Visit) -> Response:
    """Enter the explanations; those that say nothing come back with the reason, the others are kept."""
    found = visit.handed_in
    require_may_act(visit, found)
    given = given_in(visit.form, *lines_and_causes(visit, found))
    result = explain_return(visit.office, found.number, given, now=visit.now, actor=visit.who.name)
    if result.weak:
        return _explanations(visit, result.weak)
    return pages.go(f"/returns/{found.number}" + ("/explanations" if result.left else ""), "explained")


def require_may_act(visit: Visit, found: EnterpriseReturn) -> None:
    """Raise RefusalError where the return is not the visitor's to act on."""
    if not may_act(visit, found):
        raise RefusalError("企业用自己的账户交来的由企业自己办理,邮件收来的由园区办理。")


def confirm(visit: Visit) -> Response:
    """The enterprise stands by its figures, in the names of those who answer for it."""
    form, found = visit.form, visit.handed_in
    require_may_act(visit, found)
    if not form.get("confirmed"):
        raise RefusalError("请勾选声明后再确认。")
    signed = Signatories(*(form.get(name)[:50] for name in ("unit_head", "statistics_head", "filled_by", "telephone")))
    on = visit.now.astimezone(BEIJING).date()
    confirm_own(visit.office, found.number, signed, on=on, now=visit.now, actor=visit.who.name)
    return pages.go(f"/returns/{found.number}", "confirmed_own")
