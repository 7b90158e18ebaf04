"""The park's own pages: what is due, one round, uploading, past periods."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy.orm import Session
from starlette.responses import Response

from pipelines.intake import COLLATED, require_open
from pipelines.receiving import hash_of, receive
from pipelines.reminding import standing_reminders
from pipelines.templates import template_for
from schemas.errors import RefusalError
from schemas.period import Period
from warehouse.ledger import queries
from warehouse.ledger.corrections import corrections
from warehouse.ledger.intake import IncomingFile, clean_file_name, files_digest
from warehouse.ledger.notices import notices
from warehouse.ledger.parks import park as park_on
from warehouse.ledger.periods import round_of, rounds
from warehouse.ledger.states import STANDING, State
from warehouse.ledger.steps import check_again
from warehouse.ledger.submissions import Submission, begun_since, latest, submission, submissions
from ytb.portal import pages, problems
from ytb.portal.examining import CHANNELS, PORTAL, Waiting
from ytb.portal.naming import awaiting
from ytb.portal.visit import BEIJING, UploadedFile, Visit

EXTENSIONS = (".xlsx", ".xlsm", ".xls", ".xlsb", ".ods", ".et", ".csv")
LARGEST_FILE = 20 << 20


def due(visit: Visit) -> Response:
    """What is due, until when, in which state; the open rounds first, the nearest deadline on top."""
    code = visit.who.park or ""
    with visit.office.ledger.read() as session:
        park = park_on(session, code, visit.now.date())
        mine = submissions(session, park=code)
        every = rounds(session)
        told = notices(session, park=code)[:3]
        urged = standing_reminders(session, code)
        awaits = awaiting(session, mine)
        asked = queries.queries(session, park=code)
    newest = {one.period: one for one in mine}
    standing = {one.period: one for one in mine if one.state in STANDING}
    may = {period for period, r in every.items() if r.is_open_for(code, visit.now)}
    opened = sorted((every[period] for period in may), key=lambda r: (r.deadline_of(code), r.period))
    cards = [(r, newest.get(r.period), standing.get(r.period)) for r in opened]
    past = [
        (r, newest.get(r.period))
        for r in sorted(every.values(), key=lambda r: r.period, reverse=True)
        if r.period not in may
    ]
    waiting = sorted((one for one in asked if one.state is queries.QueryState.OPEN), key=lambda one: (one.due, one.id))
    return pages.page(
        visit, "park_due", park=park, cards=cards, past=past, notices=told, urged=urged, awaits=awaits, queries=waiting,
        today=visit.now.astimezone(BEIJING).date(),
    )  # fmt: skip


def one_round(visit: Visit) -> Response:
    """One round of the park: template, upload, everything filed for it."""
    park, period = visit.of
    with visit.office.ledger.read() as session:
        current = rounds(session).get(period)
        filed = submissions(session, park=park.code, period=period)
        awaits = awaiting(session, filed)
        asked_to_correct = corrections(session, park=park.code, period=period)
        told = [one for one in notices(session, park=park.code) if one.period == period]
        urged = [one for one in standing_reminders(session, park.code) if one.period == period]
    if current is None:
        raise problems.NOT_FOUND
    edition = visit.office.programme.edition_for(period)
    asked = [form for form in edition.forms.values() if form.asked(period) and form.kind.value != "context"]
    return pages.page(
        visit, "park_round", park=park, period=period, round=current, filed=filed[::-1], edition=edition, asked=asked,
        extensions=",".join(EXTENSIONS), open=current.is_open_for(park.code, visit.now), corrections=asked_to_correct,
        notices=told, urged=urged, awaits=awaits,
    )  # fmt: skip


def template(visit: Visit) -> Response:
    """The prefilled template."""
    park, period = visit.of
    day = visit.now.astimezone(BEIJING).date()
    data = template_for(visit.office, visit.office.programme, period, park.code, as_of=day)
    return pages.download(data, f"{period}_{park.code}_填报模板.xlsx", pages.XLSX)


def upload(visit: Visit) -> Response:
    """Take the files, check them, show what was found. Nothing is reported by uploading."""
    park, period = visit.of
    found = take(visit, park.code, period, PORTAL)
    page = pages.go(f"/submissions/{found.number}")
    return Waiting(page, visit.portal.examiner.examine(found, actor=visit.who.name), lambda: page)


def take(visit: Visit, park: str, period: Period, channel: str) -> Submission:
    """The uploaded files as a submission, on disk and acknowledged, not read yet.

    Raises RefusalError with a sentence for the clerk.
    """
    files = incoming(visit)
    files += _sent_along(visit, park, period, {file.name for file in files})
    return receive(
        visit.office, files, park=park, period=period, channel=channel, now=visit.now, actor=visit.who.name,
        also=lambda session, before: require_quota(visit, park, files, session, before),
    ).submission  # fmt: skip


def _sent_along(visit: Visit, park: str, period: Period, names: Collection[str]) -> list[IncomingFile]:
    """Files of the last upload that go along unchanged: departments file at different times. A new file of the same name
    takes the place of the old one."""
    wanted = set(visit.form.all("keep"))
    if not wanted:
        return []
    with visit.office.ledger.read() as session:
        before = latest(session, park, period)
    if before is None or before.channel == COLLATED:
        raise RefusalError("没有上一次上传的文件可以一并提交,请重新选择全部文件。")
    kept = [file for file in before.files if file.sha256 in wanted and file.name not in names]
    return [IncomingFile(file.name, visit.office.vault.read(file.sha256)) for file in kept]


def incoming(visit: Visit) -> list[IncomingFile]:
    """The uploaded workbooks, unread. Raises RefusalError where there is none, or one that is none by its size or name."""
    files = [_incoming(one) for one in visit.form.files]
    if not files:
        raise RefusalError("没有选择文件。请先选择填好的工作簿,再点“上传并审核”。")
    return files


def require_quota(
    visit: Visit, park: str, files: Sequence[IncomingFile], session: Session, before: Sequence[Submission]
) -> None:
    """Raise PortalError where the park has begun too many submissions today; the newest one again is none more."""
    quota = visit.portal.daily_quota
    midnight, left = day_of(visit.now)
    again = bool(before) and before[-1].files_digest == files_digest(map(hash_of, files))
    if quota and not again and begun_since(session, park, midnight, CHANNELS) >= quota:
        raise problems.used_up(quota, left)


def day_of(now: datetime) -> tuple[datetime, int]:
    """When the day began in Beijing, and how many seconds are left of it, rounded up."""
    local = now.astimezone(BEIJING)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight, int((midnight + timedelta(days=1) - local).total_seconds()) + 1


def _incoming(file: UploadedFile) -> IncomingFile:
    shown = clean_file_name(file.name)
    if not file.staged.size:
        raise RefusalError(f"《{shown}》是空文件。请用 WPS 或 Excel 打开原工作簿,保存后再上传。")
    if file.staged.size > LARGEST_FILE:
        raise RefusalError(f"《{shown}》超过 20 MB。请删除图片和多余的空白行后再上传。")
    if not shown.lower().endswith(EXTENSIONS):
        raise RefusalError(f"《{shown}》不是表格文件。请上传填好的模板({'、'.join(EXTENSIONS[:4])} 等)。")
    return IncomingFile(file.name, file.staged)


def leave_out(visit: Visit) -> Response:
    """The same files once more, without the enterprises that stand in the way; they count as not reported, by name."""
    found = visit.found
    if found.state is not State.FAILED:
        raise RefusalError(f"{found.number} 当前状态为“{found.state.label}”,不能这样办理。")
    if found.channel == COLLATED:
        raise RefusalError("企业自行填报、园区汇集的报送,请在“汇集”页勾选“这次不报有错误的企业”后再汇集。")
    with visit.office.ledger.read() as session:
        if submissions(session, park=found.park, period=found.period)[-1].number != found.number:
            raise RefusalError("您单位已上传更新的修订,请在那一份上继续。")
        require_open(round_of(session, found.period), found.period, found.park, visit.now)
    if not visit.form.get("confirmed"):
        raise RefusalError("请勾选确认:有错误的企业本次不报,按未报列名。")
    with visit.office.ledger.write() as session:
        check_again(session, found.number, reason="有错误的企业本次不报", now=visit.now, actor=visit.who.name)
    page = pages.go(f"/submissions/{found.number}")
    until = visit.portal.examiner.examine(found, actor=visit.who.name, leave_out=True)
    return Waiting(page, until, lambda: _left_out(visit, page))


def _left_out(visit: Visit, page: Response) -> Response:
    with visit.office.ledger.read() as session:
        found = submission(session, visit.found.number)
    if found.state is not State.FAILED:
        return page
    from ytb.portal.findings import one

    return one(replace(visit, submission=found, error="其余错误不在单个企业的表上,须先改正。"))
