"""Signing in and out, one's password and second factor, keys for programs, and the public pages."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import timedelta

from sqlalchemy.orm import Session
from starlette.responses import FileResponse, Response

from schemas.errors import RefusalError
from warehouse.home import receipt_key
from warehouse.ledger import access
from warehouse.ledger.receipts import verify_receipt
from ytb.portal import pages, passwords, problems
from ytb.portal.door import session_cookie, visitor_cookie
from ytb.portal.route import menu_of
from ytb.portal.visit import Visit

NOT_KNOWN = "用户名、口令或验证码不对。连续 5 次不对,账户将锁定 15 分钟;忘记口令请联系安全管理员重置。"
LOCKED = "尝试次数过多,已暂停登录。请 15 分钟后再试,或联系安全管理员解除。"
CODE_EXPIRED = f"一次性代码已超过 {access.CODE_FOR.days} 天,不再有效;请联系安全管理员重新生成。"
# What an unknown account is checked against, so that its answer takes as long as that of a known one.
_NOBODY = {"hash": ""}
SCOPES = {"submit": "报送", "read": "查看状态、问题和回执"}
NO_STEP = -1
RECOVERY_CODES = 10
CODE_JUST_SHOWN = timedelta(minutes=10)
STATIC_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


def home(visit: Visit) -> Response:
    """The first page of one's role."""
    return pages.go(first_page(visit))


def first_page(visit: Visit) -> str:
    """The address of the first page of one's role."""
    first = {
        "park_reporter": "/park",
        "park_approver": "/approvals",
        "enterprise": "/own",
        "administrator": "/health",
        "security_administrator": "/users",
        "auditor": "/trail",
        "publisher": "/releases",
        "analyst": "/releases",
        "assessor": "/figures",
    }
    if visit.who.role in first:
        return first[visit.who.role]
    mine = [route.path for route in menu_of(visit.portal.routes, visit.who)]
    return "/progress" if "/progress" in mine else mine[0] if mine else "/account"


def static(visit: Visit) -> Response:
    """Style and script. The address names a version, so they may be kept."""
    name = visit.request.path_params["name"]
    path = pages.STATIC / name
    if path.suffix not in STATIC_TYPES or path.parent != pages.STATIC or not path.is_file():
        raise problems.NOT_FOUND
    headers = {"Cache-Control": "public, max-age=31536000, immutable"}
    return FileResponse(path, media_type=STATIC_TYPES[path.suffix], headers=headers)


def sign_in_page(visit: Visit) -> Response:
    """The sign-in form. Its token is bound to a cookie of this browser."""
    if visit.user is not None and not visit.error:
        return pages.go("/")
    fresh = "" if visit.visitor else secrets.token_urlsafe(32)
    shown = replace(visit, visitor=visit.visitor or fresh, session=None)
    onward = visit.query("next") or visit.form.get("next")
    response = pages.page(
        shown,
        "sign_in",
        onward=inside(onward),
        name=visit.form.get("name"),
        provider=visit.portal.provider,
        ended=bool(visit.query("ended")),
    )
    if fresh:
        set_cookie(visit, response, visitor_cookie(visit.portal), fresh)
    return response


def inside(address: str) -> str:
    """An address of this portal, else the first page: no sign-in sends anybody elsewhere."""
    is_inside = address.startswith("/") and not address.startswith(("//", "/\\")) and "\n" not in address
    return address if is_inside and address.isprintable() else "/"


def sign_in(visit: Visit) -> Response:
    """Let a person in who knows the password and, where there is one, the code of the second factor."""
    name, password = visit.form.get("name"), visit.form.get("password")
    with visit.office.ledger.read() as session:
        if access.is_locked(session, name, visit.address, visit.now):
            raise RefusalError(LOCKED)
        known = access.credentials(session, name)
        spare = access.has_recovery_code(session, name, visit.form.get("code"))
    with visit.portal.hashing:
        is_right = passwords.matches(password[: passwords.LONGEST], _kept_of(visit, known))
    step = _second_step(visit, known) if is_right and known else None
    by_spare = step is None and is_right and spare
    step = NO_STEP if by_spare else step
    if known is None or not is_right or known.user.disabled or known.password_hash is None or step is None:
        with visit.office.ledger.write() as session:
            access.record_failure(session, name, visit.address, now=visit.now)
        raise RefusalError(NOT_KNOWN)
    if known.is_expired(visit.now):
        raise RefusalError(CODE_EXPIRED)
    token = secrets.token_urlsafe(32)
    agent = visit.request.headers.get("user-agent", "")
    renewed = ""
    if visit.portal.settings.hasher.is_outdated(known.password_hash):
        with visit.portal.hashing:
            renewed = visit.portal.settings.hasher.hash(password)
    with visit.office.ledger.write() as session:
        if step >= 0 and not access.use_second_factor(session, name, step):
            raise RefusalError(NOT_KNOWN)
        if by_spare and not access.use_recovery_code(session, name, visit.form.get("code"), now=visit.now):
            raise RefusalError(NOT_KNOWN)
        if renewed:
            access.improve_hash(session, name, renewed)
        # A new session at every sign-in: what another may have planted in the browser before is worth nothing.
        end_held(visit, session)
        access.start_session(session, token, name, address=visit.address, agent=agent, now=visit.now)
    response = pages.go(inside(visit.form.get("next")))
    set_cookie(visit, response, session_cookie(visit.portal), token)
    return response


def end_held(visit: Visit, session: Session) -> None:
    """End the session this browser still holds."""
    if visit.session is not None:
        access.end_sessions(
            session, number=visit.session.id, now=visit.now, actor=visit.session.user, reason="重新登录"
        )  # fmt: skip


def _kept_of(visit: Visit, known: access.Credentials | None) -> str:
    if known is not None and known.password_hash:
        return known.password_hash
    if not _NOBODY["hash"]:
        _NOBODY["hash"] = visit.portal.settings.hasher.hash(secrets.token_urlsafe(16))
    return _NOBODY["hash"]


def _second_step(visit: Visit, known: access.Credentials) -> int | None:
    """The time step of the code given; NO_STEP where the account has no second factor; None for a wrong code."""
    if known.totp_nonce is None:
        return NO_STEP
    secret = passwords.totp_secret(visit.portal.key, known.user.name, known.totp_nonce)
    return passwords.matching_step(secret, visit.form.get("code"), visit.now)


def sign_out(visit: Visit) -> Response:
    """End this session."""
    if visit.session is not None:
        with visit.office.ledger.write() as session:
            access.end_sessions(session, number=visit.session.id, now=visit.now, actor=visit.who.name, reason="退出")
    response = pages.go("/sign-in", "out")
    response.delete_cookie(session_cookie(visit.portal), path="/", secure=visit.portal.settings.is_https)
    return response


def set_cookie(visit: Visit, response: Response, name: str, value: str) -> None:
    """A cookie that no script reads and no other site sends with a form."""
    response.set_cookie(name, value, path="/", httponly=True, samesite="lax", secure=visit.portal.settings.is_https)


def password(visit: Visit) -> Response:
    """The form for a new password."""
    with visit.office.ledger.read() as session:
        known = access.credentials(session, visit.who.name)
    is_one_time = known is not None and known.is_one_time
    return pages.page(visit, "password", is_one_time=is_one_time, asks_old=not _just_shown(visit, known))


def _just_shown(visit: Visit, known: access.Credentials | None) -> bool:
    """Whether the one-time code was typed to get in a moment ago, so that it need not be typed a second time.

    Only while every session begins with a password: who comes from an identity provider has shown no code.
    """
    if known is None or not known.is_one_time or visit.session is None or visit.portal.provider is not None:
        return False
    is_of_this_code = known.password_set_at is not None and visit.session.created_at >= known.password_set_at
    return is_of_this_code and visit.now - visit.session.created_at <= CODE_JUST_SHOWN


def change_password(visit: Visit) -> Response:
    """Another password; all sessions end and a new one begins."""
    name, new = visit.who.name, visit.form.get("new")
    with visit.office.ledger.read() as session:
        known = access.credentials(session, name)
        if access.is_locked(session, name, visit.address, visit.now):
            raise RefusalError(LOCKED)
    typed, kept_now = visit.form.get("old")[: passwords.LONGEST], _kept_of(visit, known)
    with visit.portal.hashing:
        is_right = (not typed and _just_shown(visit, known)) or passwords.matches(typed, kept_now)
    if not is_right:
        with visit.office.ledger.write() as session:
            access.record_failure(session, name, visit.address, now=visit.now)
        raise RefusalError("现在的口令不对。")
    if new != visit.form.get("again"):
        raise RefusalError("两次输入的新口令不一致。")
    with visit.portal.hashing:
        is_same = passwords.matches(new[: passwords.LONGEST], kept_now)
    if is_same:
        raise RefusalError("新口令不能与现在的口令相同。")
    passwords.require_good_password(new, name)
    with visit.portal.hashing:
        kept = visit.portal.settings.hasher.hash(new)
    token = secrets.token_urlsafe(32)
    agent = visit.request.headers.get("user-agent", "")
    with visit.office.ledger.write() as session:
        access.set_password(session, name, kept, one_time=False, now=visit.now, actor=name)
        access.start_session(session, token, name, address=visit.address, agent=agent, now=visit.now)
    # Who changed a one-time code has just begun: their work waits, not the page of keys.
    is_first = known is not None and known.is_one_time
    response = pages.go(first_page(visit) if is_first else "/account", "password")
    set_cookie(visit, response, session_cookie(visit.portal), token)
    return response


def account(visit: Visit) -> Response:
    """What one has: password, second factor, keys of programs."""
    with visit.office.ledger.read() as session:
        known = access.credentials(session, visit.who.name)
        mine = access.tokens(session, visit.who.name)
        left = access.recovery_codes_left(session, visit.who.name)
    has_factor = known is not None and known.totp_nonce is not None
    return pages.page(
        visit, "account", tokens=mine, scopes=SCOPES, has_factor=has_factor, made="", codes_left=left, codes=()
    )


def make_recovery_codes(visit: Visit) -> Response:
    """Ten codes that each stand in once for the authenticator, shown once. The password is asked for again."""
    name = visit.who.name
    with visit.office.ledger.read() as session:
        known = access.credentials(session, name)
        mine = access.tokens(session, name)
        if access.is_locked(session, name, visit.address, visit.now):
            raise RefusalError(LOCKED)
    with visit.portal.hashing:
        is_right = passwords.matches(visit.form.get("password")[: passwords.LONGEST], _kept_of(visit, known))
    if not is_right:
        with visit.office.ledger.write() as session:
            access.record_failure(session, name, visit.address, now=visit.now)
        raise RefusalError("现在的口令不对。")
    codes = [passwords.one_time_code() for _ in range(RECOVERY_CODES)]
    with visit.office.ledger.write() as session:
        access.set_recovery_codes(session, name, codes, now=visit.now)
    return pages.page(
        visit, "account", tokens=mine, scopes=SCOPES, has_factor=True, made="", codes_left=len(codes), codes=codes
    )


def second_factor(visit: Visit) -> Response:
    """A new secret to type into an authenticator; it counts once a code of it was given."""
    nonce = visit.form.get("nonce") or secrets.token_hex(16)
    secret = passwords.totp_secret(visit.portal.key, visit.who.name, nonce)
    spaced = " ".join(secret[start : start + 4] for start in range(0, len(secret), 4))
    return pages.page(visit, "second_factor", nonce=nonce, secret=spaced)


def set_second_factor(visit: Visit) -> Response:
    """Take the second factor into use. Who has one already shows the password again, as for every change of it."""
    nonce, name = visit.form.get("nonce"), visit.who.name
    secret = passwords.totp_secret(visit.portal.key, name, nonce)
    with visit.office.ledger.read() as session:
        known = access.credentials(session, name)
        if access.is_locked(session, name, visit.address, visit.now):
            raise RefusalError(LOCKED)
    with visit.portal.hashing:
        is_right = passwords.matches(visit.form.get("password")[: passwords.LONGEST], _kept_of(visit, known))
    step = passwords.matching_step(secret, visit.form.get("code"), visit.now)
    if not is_right or step is None or len(nonce) != 32:
        with visit.office.ledger.write() as session:
            access.record_failure(session, name, visit.address, now=visit.now)
        raise RefusalError("口令或验证码不对,请重新输入验证器上显示的 6 位数字。")
    with visit.office.ledger.write() as session:
        access.set_second_factor(session, name, nonce, now=visit.now, actor=name)
        access.use_second_factor(session, name, step)
    return pages.go("/account", "factor")


def add_token(visit: Visit) -> Response:
    """A key for a program, shown once."""
    scopes = [scope for scope in visit.form.all("scope") if scope in SCOPES]
    token = f"ytb_{secrets.token_urlsafe(32)}"
    with visit.office.ledger.write() as session:
        access.add_token(
            session, token, visit.who.name, label=visit.form.get("label"), scopes=scopes,
            expires_at=visit.now + timedelta(days=180), now=visit.now,
        )  # fmt: skip
        mine = access.tokens(session, visit.who.name)
        known = access.credentials(session, visit.who.name)
        left = access.recovery_codes_left(session, visit.who.name)
    has_factor = known is not None and known.totp_nonce is not None
    return pages.page(
        visit, "account", tokens=mine, scopes=SCOPES, has_factor=has_factor, made=token, codes_left=left, codes=()
    )


def revoke_token(visit: Visit) -> Response:
    """End a key of one's own."""
    with visit.office.ledger.write() as session:
        access.revoke_token(session, visit.who.name, visit.form.get("number"), now=visit.now)
    return pages.go("/account", "revoked")


def verify(visit: Visit) -> Response:
    """Whether a receipt is ours: number and verification code, for anybody who holds the paper."""
    number, code, found = visit.query("number"), visit.query("code"), None
    if number and code:
        with visit.office.ledger.read() as session:
            found = verify_receipt(session, number, code, receipt_key(visit.portal.home))
    # Without the right code nothing is told, not even whether the number exists.
    message = found.message if found and found.is_genuine else "编号或核验码不符:请核对是否抄错;回执也可能被改动过。"
    return pages.page(visit, "verify", number=number, code=code, found=found, message=message)


def help_page(visit: Visit) -> Response:
    """How to file, in one page."""
    return pages.page(visit, "help")
