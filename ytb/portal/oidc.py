"""Signing in through the office's own identity provider: OpenID Connect, authorization code with PKCE, state and nonce.

Nothing is asked of anybody but the configured issuer: every endpoint must lie at its host, no redirect is followed.
Source: OpenID Connect Core 1.0 section 3.1, RFC 7636, RFC 9700.
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from http.client import HTTPException
from typing import Any
from urllib.error import URLError
from urllib.parse import quote_plus, urlsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

from schemas.errors import RefusalError, StorageError
from warehouse.home import OidcConfig

ALGORITHMS = ("RS256", "PS256", "ES256")
SECONDS, LARGEST, LEEWAY = 5.0, 1 << 20, 60
LOOPBACK = ("127.0.0.1", "localhost", "::1")
UNREACHABLE = "统一身份认证暂时不能使用,请稍后再试,或用用户名和口令登录。"
NOT_SOUND = "统一身份认证的答复没有通过核验,没有登录。请重新登录;仍不行请联系系统管理员。"


@dataclass(frozen=True)
class Attempt:
    """What is remembered between leaving for the provider and coming back."""

    state: str
    nonce: str
    verifier: str
    onward: str


@dataclass(frozen=True)
class Metadata:
    """Where the provider does what."""

    authorization: str
    token: str
    keys: str


Fetch = Callable[[Request], bytes]


class _NoRedirect(HTTPRedirectHandler):
    """The code and the secret go to the issuer and nowhere else."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def fetched(request: Request) -> bytes:
    """The answer to a request, without proxies and redirects. Raises StorageError where there is none in time."""
    try:
        with build_opener(ProxyHandler({}), _NoRedirect()).open(request, timeout=SECONDS) as answer:
            found: bytes = answer.read(LARGEST)
            return found
    except (URLError, HTTPException, TimeoutError, ConnectionError, ValueError) as cause:
        raise StorageError(UNREACHABLE) from cause


def new_attempt(onward: str) -> Attempt:
    """Fresh secrets for one way there and back."""
    return Attempt(secrets.token_urlsafe(24), secrets.token_urlsafe(24), secrets.token_urlsafe(48), onward)


class Provider:
    """The configured provider. Its metadata is asked for once in ten minutes at most."""

    KEEP_SECONDS = 600

    def __init__(self, config: OidcConfig, secret: str, fetch: Fetch = fetched) -> None:
        require_safe(config.issuer, config.issuer)
        self.config, self._secret, self._fetch = config, secret, fetch
        self._known: tuple[datetime, Metadata] | None = None

    def metadata(self, now: datetime) -> Metadata:
        """The provider's endpoints. Raises StorageError where it does not answer, RefusalError where they lie elsewhere."""
        if self._known is not None and abs((now - self._known[0]).total_seconds()) < self.KEEP_SECONDS:
            return self._known[1]
        found = self._json(Request(f"{self.config.issuer.rstrip('/')}/.well-known/openid-configuration"))
        if found.get("issuer") != self.config.issuer:
            raise RefusalError(NOT_SOUND)
        named = [str(found.get(name, "")) for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")]
        for address in named:
            require_safe(address, self.config.issuer)
        self._known = (now, Metadata(*named))
        return self._known[1]

    def leave_for(self, attempt: Attempt, back: str, now: datetime) -> str:
        """Where the browser is sent to sign in."""
        from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
        from authlib.oauth2.rfc7636 import create_s256_code_challenge

        return str(
            prepare_grant_uri(
                self.metadata(now).authorization, client_id=self.config.client_id, response_type="code",
                redirect_uri=back, scope=self.config.scope, state=attempt.state, nonce=attempt.nonce,
                code_challenge=create_s256_code_challenge(attempt.verifier), code_challenge_method="S256",
            )
        )  # fmt: skip

    def come_back(self, attempt: Attempt, address: str, back: str, now: datetime) -> Mapping[str, Any]:
        """The claims of the ID token that the code of the returning address is worth. Raises RefusalError, StorageError."""
        from authlib.common.errors import AuthlibBaseError
        from authlib.oauth2.rfc6749.parameters import parse_authorization_code_response, prepare_token_request

        try:
            code = parse_authorization_code_response(address, attempt.state)["code"]
        except AuthlibBaseError:
            raise RefusalError(NOT_SOUND) from None
        body = prepare_token_request(
            "authorization_code", redirect_uri=back, code=code, code_verifier=attempt.verifier,
            client_id="" if self._secret else self.config.client_id,
        )  # fmt: skip
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        if self._secret:
            pair = f"{quote_plus(self.config.client_id)}:{quote_plus(self._secret)}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        where = self.metadata(now)
        answer = self._json(Request(where.token, str(body).encode(), headers, method="POST"))
        return self._claims(str(answer.get("id_token", "")), where, attempt.nonce, now)

    def _claims(self, token: str, where: Metadata, nonce: str, now: datetime) -> Mapping[str, Any]:
        from joserfc import jwt
        from joserfc.errors import JoseError
        from joserfc.jwk import KeySet

        keys = self._json(Request(where.keys))
        rules = jwt.JWTClaimsRegistry(
            now=int(now.timestamp()), leeway=LEEWAY,
            iss={"essential": True, "value": self.config.issuer},
            aud={"essential": True, "value": self.config.client_id},
            sub={"essential": True}, exp={"essential": True}, iat={"essential": True},
            nonce={"essential": True, "value": nonce},
        )  # fmt: skip
        try:
            claims = jwt.decode(token, KeySet.import_key_set(keys), algorithms=list(ALGORITHMS)).claims
            rules.validate(claims)
        except (JoseError, ValueError, TypeError, KeyError):
            raise RefusalError(NOT_SOUND) from None
        several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if (several or "azp" in claims) and claims.get("azp") != self.config.client_id:
            raise RefusalError(NOT_SOUND)
        found: Mapping[str, Any] = claims
        return found

    def _json(self, request: Request) -> Any:
        try:
            found = json.loads(self._fetch(request))
        except (ValueError, RecursionError):
            raise RefusalError(NOT_SOUND) from None
        if not isinstance(found, dict):
            raise RefusalError(NOT_SOUND)
        return found


def require_safe(address: str, issuer: str) -> None:
    """Raise RefusalError for an address that is not https (but for this machine) or not at the issuer's host."""
    at, home = urlsplit(address), urlsplit(issuer)
    is_open = at.scheme == "http" and at.hostname in LOOPBACK
    if not (at.scheme == "https" or is_open) or (at.scheme, at.netloc) != (home.scheme, home.netloc) or at.username:
        raise RefusalError("统一身份认证的地址须为 https,并且都在 config.toml 所写的 issuer 主机上。")


def has_second_factor(claims: Mapping[str, Any]) -> bool:
    """Whether the provider says that more than a password was shown. Source: RFC 8176 (amr)."""
    said = claims.get("amr")
    return isinstance(said, list) and bool({"mfa", "otp", "hwk", "sc", "fpt"} & {str(one) for one in said})
