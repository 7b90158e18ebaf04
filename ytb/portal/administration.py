"""Pages of the three administrators: people, sessions, lockouts, the trail. (The health of the installation: ``health``.)"""

from __future__ import annotations

from starlette.responses import Response

from exports.code_slip import code_slip
from pipelines.notifying import write_code
from schemas.errors import RefusalError
from warehouse.ledger import access
from warehouse.ledger.columns import shown_instant
from warehouse.ledger.enterprise_accounts import require_in_register
from warehouse.ledger.models import SCOPED_ROLES
from warehouse.ledger.role_changes import change_role
from warehouse.ledger.scopes import nodes, require_node
from warehouse.ledger.users import ENTERPRISE, add_user, disable_user, set_contact, users
from ytb.portal import pages, passwords
from ytb.portal.visit import Visit

USERS_SHOWN = 300
NODE_KINDS = {"province": "省", "city": "市", "area": "区域", "zone": "园区", "sub_park": "分园", "base": "分园"}


def users_page(visit: Visit, code: str = "", of: str = "") -> Response:
    """Everybody, with their roles; ``code`` is the one-time code just made, shown this once."""
    with visit.office.ledger.read() as session:
        every = users(session)
        # Thousands of enterprises would bury everybody else.
        role, who = visit.query("role"), visit.query("who")
        found = [one for one in every if (one.role == role if role else one.role != ENTERPRISE)]
        found = [one for one in found if who in one.name or who in one.title][:USERS_SHOWN]
        known = {one.name: access.credentials(session, one.name) for one in found}
        places = nodes(session, visit.now.date())
    wanted = visit.request.path_params.get("name", "") if visit.route.name == "change_role" else visit.query("change")
    changing = next((one for one in every if one.name == wanted and one.role != ENTERPRISE and not one.disabled), None)
    return pages.page(
        visit,
        "users",
        found=found,
        count=len(every),
        filters={"role": role, "who": who},
        known=known,
        places=places,
        changing=changing if changing and changing.name != visit.who.name else None,
        kinds=NODE_KINDS,
        code=code,
        of=of,
        may_mail=visit.portal.courier is not None and "mail" in visit.portal.courier.messengers,
    )


def add(visit: Visit) -> Response:
    """Enter a person and make the code to hand over."""
    form, name = visit.form, visit.form.get("name")
    role = form.get("role")
    is_enterprise = role == ENTERPRISE
    park = form.get("park") if is_enterprise or role in SCOPED_ROLES else None
    with visit.office.ledger.write() as session:
        if park:
            require_node(session, park, visit.now.date())
        if is_enterprise:
            require_in_register(session, park or "", form.get("unit_id"), visit.now.date())
        add_user(
            session, name, title=form.get("title"), role=role, park=park, email=form.get("email"),
            unit_id=form.get("unit_id") if is_enterprise else None, telephone=form.get("telephone"), now=visit.now, actor=visit.who.name,
        )  # fmt: skip
    return _with_code(visit, name)


def reset(visit: Visit) -> Response:
    """A new one-time code for somebody who forgot the password; the second factor goes with it. The reason is on the trail."""
    name, reason = visit.request.path_params["name"], visit.form.get("reason").strip()
    if name == visit.who.name:
        raise RefusalError("不能重置自己的口令,请用“更改口令”。")
    if not visit.form.get("confirmed") or not reason:
        raise RefusalError("重置口令须写明原因,并勾选确认:原口令和两步验证作废,本人的登录退出。")
    with visit.office.ledger.write() as session:
        known = access.credentials(session, name)
        if known is not None and known.totp_nonce is not None:
            access.set_second_factor(session, name, None, now=visit.now, actor=visit.who.name)
    return _with_code(visit, name, reason)


def _with_code(visit: Visit, name: str, reason: str = "") -> Response:
    code = passwords.one_time_code()
    with visit.portal.hashing:
        kept = visit.portal.settings.hasher.hash(code)
    with visit.office.ledger.write() as session:
        access.set_password(
            session, name, kept, one_time=True, now=visit.now, actor=visit.who.name, reason=reason
        )  # fmt: skip
        is_mailed = (
            visit.portal.courier is not None
            and bool(visit.form.get("by_mail"))
            and write_code(
                session, name, code, f"{_base(visit)}/sign-in", sender=visit.portal.courier.sender, now=visit.now,
                actor=visit.who.name,
            )
        )  # fmt: skip
    # A code that travels by mail is not shown as well.
    return pages.go("/users", "mailed") if is_mailed else users_page(visit, code, name)


def _base(visit: Visit) -> str:
    scheme = "https" if visit.portal.settings.is_https else visit.request.url.scheme
    return f"{scheme}://{visit.request.headers['host']}"


def contact(visit: Visit) -> Response:
    """Change where messages for a person go."""
    form = visit.form
    with visit.office.ledger.write() as session:
        set_contact(
            session, visit.request.path_params["name"], email=form.get("email"), telephone=form.get("telephone"),
            now=visit.now, actor=visit.who.name, reason=form.get("reason"),
        )  # fmt: skip
    return pages.go("/users", "contact")


def role(visit: Visit) -> Response:
    """Another role for somebody who has an account; the person signs in anew."""
    form = visit.form
    with visit.office.ledger.write() as session:
        change_role(
            session, visit.request.path_params["name"], role=form.get("role"), park=form.get("park"),
            reason=form.get("reason"), now=visit.now, actor=visit.who.name,
        )  # fmt: skip
    return pages.go("/users", "role")


def disable(visit: Visit) -> Response:
    """Bar a person; what they did stays theirs."""
    name = visit.request.path_params["name"]
    with visit.office.ledger.write() as session:
        disable_user(session, name, now=visit.now, actor=visit.who.name, reason=visit.form.get("reason"))
        access.end_sessions(session, user=name, now=visit.now, actor=visit.who.name, reason="停用")
    return pages.go("/users", "disabled")


def sessions_page(visit: Visit) -> Response:
    """Who is signed in."""
    with visit.office.ledger.read() as session:
        found = access.open_sessions(session, visit.now)
    return pages.page(visit, "sessions", found=found)


def end_session(visit: Visit) -> Response:
    """End a session."""
    number = visit.form.get("number")
    if len(number) < 16:
        raise RefusalError("没有这个会话。")
    with visit.office.ledger.write() as session:
        access.end_sessions(session, number=number, now=visit.now, actor=visit.who.name, reason="管理员结束")
    return pages.go("/sessions", "ended")


def lockouts_page(visit: Visit) -> Response:
    """Which accounts and addresses are locked."""
    with visit.office.ledger.read() as session:
        found = access.lockouts(session, visit.now)
    return pages.page(
        visit, "lockouts", found=found, of_account=access.FAILURES_OF_ACCOUNT, of_address=access.FAILURES_OF_ADDRESS
    )


def lift_lockout(visit: Visit) -> Response:
    """Let somebody try again before the time is over."""
    kind, name = visit.form.get("kind"), visit.form.get("of")
    with visit.office.ledger.write() as session:
        access.lift_lockout(session, kind, name, reason=visit.form.get("reason"), now=visit.now, actor=visit.who.name)
    return pages.go("/lockouts", "lifted")


def code_file(visit: Visit) -> Response:
    """The slip as PDF. The code is not kept anywhere: it comes back from the page that shows it, and must be the one in force."""
    name, code = visit.request.path_params["name"], visit.form.get("code")
    with visit.office.ledger.read() as session:
        known = access.credentials(session, name)
    with visit.portal.hashing:
        is_it = bool(known and known.is_one_time and known.password_hash) and passwords.matches(
            code[: passwords.LONGEST], str(known.password_hash if known else "")
        )
    if known is None or not is_it:
        raise RefusalError("这个一次性代码已经失效,请重新生成。")
    data = code_slip(
        organisation=visit.portal.organisation, name=name, title=known.user.title, role=known.user.role_label,
        place=known.user.park or "", code=code, address=f"{_base(visit)}/sign-in",
        made_at=shown_instant(known.password_set_at or visit.now),
    )  # fmt: skip
    return pages.download(data, f"账户交接单_{name}.pdf", "application/pdf")
