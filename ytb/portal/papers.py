"""What a park signs, prints and keeps: the statutory confirmation, the receipt, the check table; on the page and as PDF."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from starlette.responses import Response

from exports.check_table import CheckTable, FormLine, ToldLine, check_table_pdf
from exports.pdf import modules
from exports.receipt_pdf import receipt_pdf, verification_address
from pipelines.gaps import gap_of
from pipelines.reporting import report_submission
from schemas.catalog import edition_for_filer
from schemas.errors import RefusalError
from warehouse.home import receipt_key
from warehouse.ledger.receipts import Receipt
from warehouse.ledger.receipts import receipt as receipt_of
from warehouse.ledger.signatories import LONGEST_NAME, NAMES, Signatories, last_signatories
from warehouse.ledger.states import State
from ytb.portal import pages
from ytb.portal.findings import is_closed, lines_of
from ytb.portal.naming import awaiting
from ytb.portal.people import People
from ytb.portal.visit import Visit

PDF = "application/pdf"


def reporting(visit: Visit) -> Response:
    """The last look before reporting: what, by whom, with which words of the law. The names are those given last time."""
    with visit.office.ledger.read() as session:
        before = last_signatories(session, visit.found.park)
        gap = gap_of(visit.office, session, visit.found)
        awaits = bool(awaiting(session, [visit.found]))
    names = {name: visit.form.get(name) or (getattr(before, name) if before else "") for name in NAMES}
    names["filled_by"] = visit.form.get("filled_by") or visit.who.title
    return pages.page(
        visit,
        "report",
        found=visit.found,
        names=names,
        park=visit.park,
        gap=gap,
        typed=visit.form,
        awaits=awaits,
        closed=is_closed(visit),
    )


def report(visit: Visit) -> Response:
    """Report in the names of those who answer for it."""
    form = visit.form
    if not form.get("confirmed"):
        raise RefusalError("请勾选声明后再报送。")
    signed = Signatories(*(form.get(name)[:LONGEST_NAME] for name in NAMES))
    found = report_submission(
        visit.office, visit.found.number, signed, now=visit.now, actor=visit.who.name,
        gap_confirmed=bool(form.get("gap_confirmed")), gap_reason=form.get("gap_reason"),
    )  # fmt: skip
    if found.state is State.EXPLAINED:  # the park's approver has the next word
        return pages.go(f"/submissions/{found.number}", "approval_asked")
    return pages.go(f"/submissions/{found.number}/receipt", "reported")


def slip_of(visit: Visit) -> Receipt:
    """The receipt of the submission the address names. Raises RefusalError for files that could not be read: there is nothing to
    sign for, and the number that was given stands on the page of the submission."""
    if visit.found.state is State.UNREADABLE:
        raise RefusalError("文件无法读取,没有回执和报表校验表。请按审核结果页所说处理后重新上传。")
    with visit.office.ledger.read() as session:
        return receipt_of(session, visit.found.number, receipt_key(visit.portal.home))


def verify_at(visit: Visit) -> str:
    """The address of the verification page, as this visitor reaches it."""
    scheme = "https" if visit.portal.settings.is_https else visit.request.url.scheme
    return f"{scheme}://{visit.request.headers['host']}/verify"


def receipt(visit: Visit) -> Response:
    """The receipt, to keep and to print."""
    slip, at = slip_of(visit), verify_at(visit)
    side, path = modules(verification_address(at, slip))
    titles = pages.form_titles(visit, visit.found.period)
    return pages.page(
        visit, "receipt", slip=slip, found=visit.found, verify_at=at, titles=titles, qr_side=side, qr_path=path
    )  # fmt: skip


def receipt_file(visit: Visit) -> Response:
    """The receipt as PDF."""
    slip = slip_of(visit)
    named = replace(slip, received_by=People(visit.office.ledger).title(slip.received_by))
    data = receipt_pdf(
        named,
        organisation=visit.portal.organisation,
        titles=pages.form_titles(visit, visit.found.period),
        verify_at=verify_at(visit),
    )
    return pages.download(data, f"回执_{slip.receipt_number}.pdf", PDF)


def check_table(visit: Visit) -> Response:
    """报表校验表 and 情况说明表 for stamp and signature."""
    made = _check_table(visit)
    side, path = modules(verification_address(verify_at(visit), made.slip))
    return pages.page(
        visit, "check_table", found=visit.found, made=made, slip=made.slip, edition=made.edition, qr_side=side, qr_path=path
    )  # fmt: skip


def check_table_file(visit: Visit) -> Response:
    """The same as PDF."""
    made = _check_table(visit)
    data = check_table_pdf(made, address=verification_address(verify_at(visit), made.slip))
    return pages.download(data, f"报表校验表_{visit.found.number}.pdf", PDF)


def _check_table(visit: Visit) -> CheckTable:
    found = visit.found
    edition = visit.office.programme.edition_for(found.period)
    reasons = dict(visit.office.programme.codelists["reason_code"].rows.select("code", "name").iter_rows())
    lines = lines_of(visit, found)
    filed, asked = (
        set(found.check.forms if found.check else ()),
        edition_for_filer(visit.office.programme, edition, found.park).forms,
    )
    counted: Counter[tuple[str, bool]] = Counter((line.words.key[1], line.is_hard) for line in lines)
    # Every form of the round, filed or not: what is signed says what is missing, and no finding goes uncounted.
    forms = [
        FormLine(form.number, form.title, counted[code, True], counted[code, False], is_filed=code in filed)
        for code, form in edition.forms.items()
        if code in filed or (code in asked and form.asked(found.period)) or counted[code, True] or counted[code, False]
    ]
    told = [
        ToldLine(
            line.words.place, line.words.unit, line.words.indicator, line.shown, line.words.problem,
            f"{reasons.get(line.told.reason_code, line.told.reason_code)}:{line.told.text}" if line.told else "",
        )
        for line in lines
        if not line.is_hard
    ]  # fmt: skip
    return CheckTable(slip_of(visit), edition, sorted(forms, key=lambda form: form.number), told)
