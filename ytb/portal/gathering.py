"""Collating in the portal: the park's submission out of what its enterprises stand by; workbooks that came by mail; leaving out."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import replace
from datetime import date
from pathlib import PurePosixPath
from typing import TypeVar

from starlette.responses import Response

from pipelines.checking import IncomingBook
from pipelines.collating import CONFIRMATION_HEADS, GivenConfirmation, read_confirmations
from pipelines.collating_returns import collate_returns, enter_mail, gathered
from pipelines.handing_back import typed_explanations
from pipelines.own_returns import confirm_for as put_on_record
from schemas.errors import DefinitionError, RefusalError, SubmissionError
from sources.book_archive import members
from sources.evidence import inspect_evidence
from warehouse.ledger.enterprise_returns import last_mail
from warehouse.ledger.intake import clean_file_name
from warehouse.ledger.periods import rounds
from warehouse.ledger.states import State
from ytb.portal import pages, problems
from ytb.portal.examining import Waiting
from ytb.portal.park import EXTENSIONS
from ytb.portal.visit import BEIJING, Visit

T = TypeVar("T")
PAPERS = (".pdf", ".png", ".jpg", ".jpeg")
_OWN_HEADS = {"unit_id", CONFIRMATION_HEADS["unit_id"]}


def page(visit: Visit) -> Response:
    """Who is in, who is missing, who is in two parks; and the one click."""
    park, period = visit.of
    with visit.office.ledger.read() as session:
        current = rounds(session).get(period)
        last = last_mail(session, park.code, period)
    if current is None:
        raise problems.NOT_FOUND
    found = gathered(visit.office, park.code, period)
    return pages.page(
        visit, "collate", park=park, period=period, round=current, ready=found, State=State, mail=last, open=current.is_open_for(park.code, visit.now),
        extensions=",".join(EXTENSIONS),
    )  # fmt: skip


def _uploaded(visit: Visit) -> list[tuple[str, bytes]]:
    return [(clean_file_name(one.name), one.read()) for one in visit.form.files]


def collate(visit: Visit) -> Response:
    """The park's submission of the returns that stand; then findings, explanations and report as always."""
    park, period = visit.of
    books = [IncomingBook(name, data) for name, data in _uploaded(visit)]
    for book in books:
        if not book.name.lower().endswith(EXTENSIONS):
            raise RefusalError(f"《{book.name}》不是表格文件。请上传填好园区自己各表的工作簿。")
    given = typed_explanations([(b.name, b.data) for b in books], visit.portal.pool)
    leave_out = bool(visit.form.get("leave_out"))
    if leave_out and not visit.form.get("confirmed"):
        raise RefusalError("请勾选确认:有错误的企业本次不报,按未报列名。")
    future = visit.portal.examiner.run(
        f"collate/{park.code}/{period}",
        lambda: collate_returns(
            visit.office, books, visit.portal.pool, park=park.code, period=period, now=visit.now, actor=visit.who.name,
            explanations=given, leave_out=leave_out,
        ),
    )  # fmt: skip
    return _once_done(visit, future, lambda made: pages.go(f"/submissions/{made.outcome.submission.number}"))


def _once_done(visit: Visit, future: Future[T], answer: Callable[[T], Response]) -> Waiting:
    """What came of the work, or why it was refused; where that takes long, the page that says it is under way."""
    park, period = visit.of

    def then() -> Response:
        try:
            return answer(future.result())
        except (RefusalError, SubmissionError, DefinitionError) as refused:
            return page(replace(visit, error=str(refused)))

    return Waiting(pages.go(f"/park/{park.code}/{period}/collate", "under_way"), future, then)


def mail(visit: Visit) -> Response:
    """Workbooks that came by mail, one by one or in a zip, with a list of confirmations and their papers where there are any."""
    park, period = visit.of
    books, lists, papers = _sorted(visit)
    if not books:
        raise RefusalError("没有选择企业的工作簿。请选择工作簿(可多选)或一个 zip 压缩包。")
    given: list[GivenConfirmation] = []
    for name, rows in lists:
        given += read_confirmations(name, rows, lambda paper: _paper(visit, papers, paper))
    future = visit.portal.examiner.run(
        f"mail/{park.code}/{period}",
        lambda: enter_mail(
            visit.office, books, visit.portal.pool, park=park.code, period=period, confirmations=given,
            today=visit.now.astimezone(BEIJING).date(), now=visit.now, actor=visit.who.name,
        ),
    )  # fmt: skip
    return _once_done(
        visit, future, lambda entered: pages.page(visit, "mail_entered", park=park, period=period, entered=entered)
    )


def _sorted(visit: Visit) -> tuple[list[IncomingBook], list[tuple[str, list[dict[str, str]]]], dict[str, bytes]]:
    """The uploaded files as workbooks, lists of confirmations, and papers by name; archives unpacked in a limited process."""
    files: list[tuple[str, bytes]] = []
    for name, data in _uploaded(visit):
        is_archive = name.lower().endswith(".zip")
        files += visit.portal.pool.run(members, data) if is_archive else [(name, data)]
    books: list[IncomingBook] = []
    lists: list[tuple[str, list[dict[str, str]]]] = []
    papers: dict[str, bytes] = {}
    for name, data in files:
        shown, kind = clean_file_name(name), PurePosixPath(name).suffix.lower()
        if kind in PAPERS:
            papers[shown] = data
        elif kind == ".csv" and (rows := _confirmation_rows(data)) is not None:
            lists.append((shown, rows))
        elif kind in EXTENSIONS:
            books.append(IncomingBook(shown, data))
        else:
            raise RefusalError(f"《{shown}》不是工作簿、确认登记表或证明文件(PDF、PNG、JPG);请去掉后再传。")
    return books, lists, papers


def _confirmation_rows(data: bytes) -> list[dict[str, str]] | None:
    """The rows of a list of confirmations; None where a CSV is something else."""
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            reader = csv.DictReader(io.StringIO(data.decode(encoding)))
            heads = {head.strip() for head in reader.fieldnames or () if head}
            is_one = heads & _OWN_HEADS and heads & {"confirmed_by", CONFIRMATION_HEADS["confirmed_by"]}
            return [{k.strip(): v or "" for k, v in row.items() if k} for row in reader] if is_one else None
        except (UnicodeDecodeError, csv.Error):
            continue
    return None


def _paper(visit: Visit, papers: Mapping[str, bytes], name: str) -> bytes:
    if name not in papers:
        raise SubmissionError("no_file", f"登记表里的证明文件《{clean_file_name(name)}》没有一起上传。")
    visit.portal.pool.run(inspect_evidence, papers[name], name)
    return papers[name]


def confirm_for(visit: Visit) -> Response:
    """How an enterprise confirmed a workbook that came by mail, put on record by the park."""
    found, form = visit.handed_in, visit.form
    try:
        on = date.fromisoformat(form.get("confirmed_on"))
    except ValueError:
        raise RefusalError("请填写确认日期,如 2025-04-08。") from None
    files = _uploaded(visit)
    if len(files) > 1:
        raise RefusalError("证明文件只能附一个,请合并后再传。")
    for name, data in files:
        visit.portal.pool.run(inspect_evidence, data, name)
    put_on_record(
        visit.office, found.number, form.get("confirmed_by")[:50], on, form.get("basis")[:100], files[0] if files else None,
        today=visit.now.astimezone(BEIJING).date(), now=visit.now, actor=visit.who.name,
    )  # fmt: skip
    return pages.go(f"/returns/{found.number}", "confirmed_for")


def evidence(visit: Visit) -> Response:
    """The paper of a confirmation that the park recorded."""
    given = visit.handed_in.confirmation
    if given is None or given.evidence is None:
        raise problems.NOT_FOUND
    data = visit.office.vault.read(given.evidence)
    kind = "pdf" if data.startswith(b"%PDF") else "png" if data.startswith(b"\x89PNG") else "jpg" if data.startswith(b"\xff\xd8") else "xlsx"  # fmt: skip
    return pages.download(data, f"{visit.handed_in.number}_确认.{kind}", "application/octet-stream")
