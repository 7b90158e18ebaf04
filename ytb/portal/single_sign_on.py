"""The way to the identity provider and back. Accounts are never made here: the claim names one that exists, or nobody comes in."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from dataclasses import asdict, replace

from starlette.responses import Response

from schemas.errors import RefusalError, StatisticsError
from warehouse.ledger import access
from ytb.portal import pages, problems
from ytb.portal.account import end_held, inside, set_cookie, sign_in_page
from ytb.portal.door import STRONG_ROLES, session_cookie
from ytb.portal.oidc import NOT_SOUND, Attempt, Provider, has_second_factor, new_attempt
from ytb.portal.visit import Visit

MINUTES = 10
NO_ACCOUNT = "身份认证成功,但没有为您开通账户或账户已停用;请联系安全管理员。"
NEEDS_FACTOR = "您的账户须两步验证,而统一身份认证没有说明已做两步验证;请用用户名、口令和验证码登录。"
BACK = "/oidc/return"


def cookie_name(visit: Visit) -> str:
    """The cookie that holds the attempt."""
    return "__Host-ytb-oidc" if visit.portal.settings.is_https else "ytb_oidc"


def leave(visit: Visit) -> Response:
    """To the provider."""
    attempt = new_attempt(inside(visit.query("next")))
    try:
        onward = _provider(visit).leave_for(attempt, _back(visit), visit.now)
    except StatisticsError as refused:
        return sign_in_page(replace(visit, error=str(refused)))
    response = pages.go(onward)
    set_cookie(visit, response, cookie_name(visit), _sealed(visit, attempt))
    return response


def come_back(visit: Visit) -> Response:
    """From the provider: let the person in whose account the claim names."""
    try:
        response = _let_in(visit)
    except StatisticsError as refused:
        response = sign_in_page(replace(visit, error=str(refused)))
    response.delete_cookie(cookie_name(visit), path="/", secure=visit.portal.settings.is_https)
    return response


def _let_in(visit: Visit) -> Response:
    provider, attempt = _provider(visit), _opened(visit)
    if visit.query("error"):
        raise RefusalError("统一身份认证没有同意登录,或您取消了登录。")
    claims = provider.come_back(attempt, str(visit.request.url), _back(visit), visit.now)
    named = claims.get(provider.config.claim)
    name = named if isinstance(named, str) else ""
    with visit.office.ledger.read() as session:
        known = access.credentials(session, name)
    if known is None or known.user.disabled:
        raise RefusalError(NO_ACCOUNT)
    is_strong = visit.portal.settings.second_factor and known.user.role in STRONG_ROLES
    wants_factor = known.totp_nonce is not None or is_strong
    if wants_factor and not (provider.config.second_factor or has_second_factor(claims)):
        raise RefusalError(NEEDS_FACTOR)
    token, agent = secrets.token_urlsafe(32), visit.request.headers.get("user-agent", "")
    with visit.office.ledger.write() as session:
        end_held(visit, session)
        access.start_session(
            session, token, name, address=visit.address, agent=agent, now=visit.now, by=provider.config.issuer
        )
    response = pages.go(attempt.onward)
    set_cookie(visit, response, session_cookie(visit.portal), token)
    return response


def _provider(visit: Visit) -> Provider:
    if visit.portal.provider is None:
        raise problems.NOT_FOUND
    return visit.portal.provider


def _back(visit: Visit) -> str:
    scheme = "https" if visit.portal.settings.is_https else visit.request.url.scheme
    return f"{scheme}://{visit.request.headers['host']}{BACK}"


def _sealed(visit: Visit, attempt: Attempt) -> str:
    body = json.dumps(asdict(attempt) | {"until": int(visit.now.timestamp()) + MINUTES * 60}).encode()
    return f"{base64.urlsafe_b64encode(body).decode()}.{_seal(visit, body)}"


def _opened(visit: Visit) -> Attempt:
    text, _, seal = visit.request.cookies.get(cookie_name(visit), "").partition(".")
    try:
        body = base64.urlsafe_b64decode(text.encode("ascii"))
    except ValueError:
        raise RefusalError(NOT_SOUND) from None
    if not hmac.compare_digest(seal.encode(), _seal(visit, body).encode()):
        raise RefusalError(NOT_SOUND)
    found = json.loads(body)
    if found.pop("until") < visit.now.timestamp():
        raise RefusalError("登录用时太长,请重新登录。")
    return Attempt(**found)


def _seal(visit: Visit, body: bytes) -> str:
    return hmac.new(visit.portal.key, b"oidc|" + body, hashlib.sha256).hexdigest()
