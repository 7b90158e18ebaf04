"""The park's list of its enterprises: who has filed, confirmed, is faulty or missing; whom to call; their accounts."""

from __future__ import annotations

import csv
import io

from starlette.responses import Response

from exports.safe_text import safe_csv
from pipelines.chasing import STANDINGS, Chased, chase_list
from schemas.errors import RefusalError
from schemas.period import Period
from sources.unit_list import unit_list
from warehouse.ledger import access
from warehouse.ledger.enterprise_accounts import add_enterprise_account, enterprise_accounts
from warehouse.ledger.parks import Park
from warehouse.ledger.periods import rounds
from warehouse.ledger.users import disable_user
from ytb.portal import pages, passwords, problems
from ytb.portal.enterprise import unit_name
from ytb.portal.visit import Visit

SHOWN = 300
MOST_CODES = 50
"""A code is hashed at the cost of a password: more at once would keep others from signing in."""
HEADS = (
    ("单位详细名称", 34), ("统一社会信用代码", 22), ("分园", 12), ("状态", 18), ("错误数", 8), ("交表时间", 18), ("逾期天数", 9),
    ("联系人", 26), ("账户", 24), ("催报文字", 70),
)  # fmt: skip


def entry(visit: Visit) -> Response:
    """To the newest open round, else the newest; without any there is nothing to chase."""
    with visit.office.ledger.read() as session:
        every = rounds(session)
    if not every:
        return pages.page(visit, "chase_none")
    period = max([p for p, one in every.items() if one.is_open] or every)
    return pages.go(f"/park/{visit.who.park}/{period}/enterprises")


def listing(visit: Visit) -> Response:
    """The list, filtered."""
    park, period = visit.of
    found, shown = _chosen(visit)
    with visit.office.ledger.read() as session:
        every = rounds(session)
    counts = {key: sum(one.standing == key for one in found) for key in STANDINGS}
    return pages.page(
        visit, "chase", park=park, period=period, round=every[period], periods=sorted(every, reverse=True), found=found,
        shown=shown[:SHOWN], count=len(shown), counts=counts, standings=STANDINGS, filters={n: visit.query(n) for n in ("standing", "unit")},
        query=str(visit.request.url.query), outstanding=sum(one.is_outstanding for one in found),
        without_account=sum(not one.accounts for one in found), most_codes=MOST_CODES, open=every[period].is_open_for(park.code, visit.now),
    )  # fmt: skip


def _chosen(visit: Visit) -> tuple[list[Chased], list[Chased]]:
    """All enterprises, and those that the filters leave."""
    park, period = visit.of
    try:
        found = chase_list(visit.office, park.code, period, now=visit.now)
    except RefusalError:
        raise problems.NOT_FOUND from None
    standing, unit = visit.query("standing"), visit.query("unit")
    return found, [
        one
        for one in found
        if (not standing or one.standing == standing or (standing == "outstanding" and one.is_outstanding))
        and (not unit or unit in one.name or unit.upper() in one.unit_id)
    ]


def listing_file(visit: Visit) -> Response:
    """The same as a file. Texts that a spreadsheet would take for a formula are made harmless."""
    park, period = visit.of
    kind = visit.request.path_params["kind"]
    rows = [_row(one) for one in _chosen(visit)[1]]
    name = f"{period}_{park.code}_企业催报"
    if kind == "xlsx":
        title = f"{park.name} {period.title} 企业填报情况({pages.beijing(visit.now)})"
        return pages.download(unit_list(title, HEADS, rows), f"{name}.xlsx", pages.XLSX)
    if kind != "csv":
        raise problems.NOT_FOUND
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([head for head, _ in HEADS])
    writer.writerows([[safe_csv(cell) if isinstance(cell, str) else cell for cell in row] for row in rows])
    return pages.download(("\ufeff" + out.getvalue()).encode(), f"{name}.csv", "text/csv; charset=utf-8")


def _row(one: Chased) -> list[str | int | None]:
    at = pages.beijing(one.found.received_at) if one.found else None
    errors = one.found.check.blocking if one.found and one.found.check else None
    names = "、".join(person.name for person in one.accounts)
    return [
        one.name, one.unit_id, one.sub_park, one.said, errors, at, one.days_late or None, one.contact, names, one.reminder
    ]  # fmt: skip


def accounts(visit: Visit, code: str = "", of: str = "") -> Response:
    """The accounts of one enterprise; ``code`` is the one-time code just made, shown this once."""
    park, unit = visit.enterprise
    with visit.office.ledger.read() as session:
        found = enterprise_accounts(session, park.code).get(unit, [])
        known = {one.name: access.credentials(session, one.name) for one in found}
    return pages.page(
        visit, "enterprise_accounts", park=park, unit=unit, name=unit_name(visit), found=found, known=known, code=code, of=of,
        typed={n: visit.form.get(n) for n in ("title", "telephone")},
    )  # fmt: skip


def add_account(visit: Visit) -> Response:
    """Enter a person of the enterprise and make the code to hand over."""
    park, unit = visit.enterprise
    with visit.office.ledger.write() as session:
        made = add_enterprise_account(
            session, park=park.code, unit_id=unit, title=visit.form.get("title"), telephone=visit.form.get("telephone"),
            now=visit.now, actor=visit.who.name,
        )  # fmt: skip
    return accounts(visit, _new_code(visit, made.name), made.name)


def _new_code(visit: Visit, name: str, reason: str = "") -> str:
    code = passwords.one_time_code()
    with visit.portal.hashing:
        kept = visit.portal.settings.hasher.hash(code)
    with visit.office.ledger.write() as session:
        access.set_password(session, name, kept, one_time=True, now=visit.now, actor=visit.who.name, reason=reason)
    return code


def _own_account(visit: Visit) -> str:
    """The account named in the form, where it is one of this enterprise and park. What is not does not exist."""
    park, unit = visit.enterprise
    name = visit.form.get("name")
    with visit.office.ledger.read() as session:
        if name not in {one.name for one in enterprise_accounts(session, park.code).get(unit, [])}:
            raise problems.NOT_FOUND
    return name


def reset_account(visit: Visit) -> Response:
    """A new one-time code for somebody of the enterprise who forgot the password; a second factor goes with it. The reason is on
    the trail."""
    name, reason = _own_account(visit), visit.form.get("reason").strip()
    if not visit.form.get("confirmed") or not reason:
        raise RefusalError("重置口令须写明原因,并勾选确认:原口令和两步验证作废,本人的登录退出。")
    with visit.office.ledger.write() as session:
        known = access.credentials(session, name)
        if known is not None and known.totp_nonce is not None:
            access.set_second_factor(session, name, None, now=visit.now, actor=visit.who.name)
    return accounts(visit, _new_code(visit, name, reason), name)


def disable_account(visit: Visit) -> Response:
    """Bar somebody of the enterprise; what they did stays theirs."""
    name = _own_account(visit)
    park, unit = visit.enterprise
    with visit.office.ledger.write() as session:
        disable_user(session, name, now=visit.now, actor=visit.who.name, reason=visit.form.get("reason"))
        access.end_sessions(session, user=name, now=visit.now, actor=visit.who.name, reason="停用")
    return pages.go(f"/enterprises/{park.code}/{unit}", "disabled")


def add_accounts(visit: Visit) -> Response:
    """An account for each enterprise that has none, some at a time, with slips to cut out and hand over."""
    park, period = visit.of
    lacking = [one for one in chase_list(visit.office, park.code, period, now=visit.now) if not one.accounts]
    slips = [(one, *_opened(visit, park, period, one)) for one in lacking[:MOST_CODES]]
    if not slips:
        raise RefusalError("所有企业都已开户。")
    return pages.page(visit, "account_slips", park=park, period=period, slips=slips, left=len(lacking) - len(slips))


def _opened(visit: Visit, park: Park, period: Period, one: Chased) -> tuple[str, str]:
    """The name and the code of a new account, or the name empty and why there is none."""
    title = one.contact.split(" ")[0][:30] or "统计负责人"
    try:
        with visit.office.ledger.write() as session:
            made = add_enterprise_account(
                session, park=park.code, unit_id=one.unit_id, title=title, now=visit.now, actor=visit.who.name
            )
    except RefusalError as refused:
        return "", str(refused)
    return made.name, _new_code(visit, made.name)
