"""Access 登录: passwords, sessions, failed sign-ins, keys of programs. Secrets come as hashes; nothing here can be read back.

What a browser or program holds is random and long, so its plain SHA-256 is kept; passwords come hashed from the door.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, bindparam, delete, func, select, update
from sqlalchemy.orm import Session

from schemas.errors import RefusalError
from warehouse.ledger import trail
from warehouse.ledger.access_models import RecoveryCodeRow
from warehouse.ledger.models import ApiTokenRow, SessionRow, SignInFailureRow, UserRow
from warehouse.ledger.users import User, person_of

IDLE, LONGEST = timedelta(minutes=30), timedelta(hours=12)
LOCK_FOR = timedelta(minutes=15)
#: How long a one-time code on paper lets its holder in.
CODE_FOR = timedelta(days=14)
FAILURES_OF_ACCOUNT = 5
# A whole office stands behind one address: at the deadline five typing errors must not shut it out.
FAILURES_OF_ADDRESS = 20
_SEEN_EVERY = timedelta(seconds=60)
_LONGEST_TEXT = 200
# Asked for at every request: statements made once, and plain rows.
_SESSION = select(SessionRow.__table__).where(SessionRow.__table__.c.id == bindparam("of"))
_ACCOUNT = select(UserRow.__table__).where(UserRow.__table__.c.name == bindparam("of"))


@dataclass(frozen=True)
class Credentials:
    """What a sign-in is checked against. ``password_hash`` is None where no password was ever set."""

    user: User
    password_hash: str | None
    is_one_time: bool
    password_set_at: datetime | None
    totp_nonce: str | None
    totp_step: int | None

    def is_expired(self, now: datetime) -> bool:
        """Whether the password is a one-time code that was not used in time."""
        return self.is_one_time and self.password_set_at is not None and now - self.password_set_at > CODE_FOR


@dataclass(frozen=True)
class SignedIn:
    """A session. ``number`` is public: the beginning of its hash, enough to name it in a list."""

    id: str
    user: str
    created_at: datetime
    seen_at: datetime
    address: str
    agent: str
    ended_at: datetime | None
    end_reason: str | None

    @property
    def number(self) -> str:
        """What lists call it."""
        return self.id[:16]

    def is_over(self, now: datetime) -> bool:
        """Ended, idle too long, or too old."""
        return self.ended_at is not None or now - self.seen_at > IDLE or now - self.created_at > LONGEST


@dataclass(frozen=True)
class Lockout:
    """An account or an address that cannot sign in for now. ``name`` of an unknown account is a hash of what was typed."""

    kind: str
    name: str
    failures: int
    until: datetime


@dataclass(frozen=True)
class ApiToken:
    """A key of a program."""

    id: str
    user: str
    label: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None
    revoked_at: datetime | None

    def is_valid(self, now: datetime) -> bool:
        """Neither revoked nor expired."""
        return self.revoked_at is None and now < self.expires_at


def hash_of(secret: str) -> str:
    """What the ledger keeps of a random secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def credentials(session: Session, name: str) -> Credentials | None:
    """What is known of an account; None for an unknown one."""
    session.flush()
    row = session.execute(_ACCOUNT, {"of": name}).first()
    if row is None:
        return None
    return Credentials(
        person_of(row),
        row.password_hash,
        row.password_one_time,
        row.password_set_at,
        row.totp_nonce,
        row.totp_step,
    )


def set_password(
    session: Session, name: str, password_hash: str, *, one_time: bool, now: datetime, actor: str, reason: str = ""
) -> None:
    """Give an account a password, end its sessions, lift its lock. The hash is not in the trail.

    ``one_time``: somebody else gives it, since it was lost or may be known: the keys of the account's programs end with it.
    Raises RefusalError where that takes the place of a password the account has and no reason is given.
    """
    row = session.get(UserRow, name)
    if row is None or row.disabled:
        raise RefusalError(f"用户“{name}”不存在或已停用。")
    if one_time and row.password_hash and not reason.strip():
        raise RefusalError("重置口令须写明原因:原口令作废,本人的登录退出,程序用的令牌作废。")
    row.password_hash, row.password_set_at, row.password_one_time = password_hash, now, one_time
    session.execute(delete(SignInFailureRow).where(SignInFailureRow.account == name))
    action = "password_reset" if one_time else "password_set"
    trail.append(session, at=now, actor=actor, action=action, subject=f"user/{name}", reason=reason.strip()[:200])
    end_sessions(session, user=name, now=now, actor=actor, reason="更换密码")
    if one_time:
        revoke_tokens(session, name, now=now, actor=actor)


def improve_hash(session: Session, name: str, password_hash: str) -> None:
    """Keep the same password under a stronger hash."""
    session.execute(update(UserRow).where(UserRow.name == name).values(password_hash=password_hash))


def set_second_factor(session: Session, name: str, nonce: str | None, *, now: datetime, actor: str) -> None:
    """Enter, replace or (None) take away the second factor of an account."""
    row = session.get_one(UserRow, name)
    row.totp_nonce, row.totp_step = nonce, None
    # They stood in for the factor that is gone.
    session.execute(delete(RecoveryCodeRow).where(RecoveryCodeRow.user == name))
    action = "second_factor_set" if nonce else "second_factor_removed"
    trail.append(session, at=now, actor=actor, action=action, subject=f"user/{name}")


def use_second_factor(session: Session, name: str, step: int) -> bool:
    """Take the time step of a code; False where this or a later one was used before."""
    row = session.get_one(UserRow, name)
    if row.totp_step is not None and step <= row.totp_step:
        return False
    row.totp_step = step
    return True


def is_locked(session: Session, account: str, address: str, now: datetime) -> bool:
    """Whether sign-in is barred for the account or the address, whatever the password."""
    since = SignInFailureRow.at > now - LOCK_FOR
    count = select(func.count()).select_from(SignInFailureRow).where(since)
    of_account = session.scalar(count.where(SignInFailureRow.account == account)) or 0
    of_address = session.scalar(count.where(SignInFailureRow.address == address)) or 0
    return of_account >= FAILURES_OF_ACCOUNT or of_address >= FAILURES_OF_ADDRESS


def lockouts(session: Session, now: datetime) -> list[Lockout]:
    """Which accounts and addresses are locked, and until when, the longest first."""
    found = []
    for kind, column, most in (
        ("account", SignInFailureRow.account, FAILURES_OF_ACCOUNT),
        ("address", SignInFailureRow.address, FAILURES_OF_ADDRESS),
    ):
        query = select(column, SignInFailureRow.at).where(SignInFailureRow.at > now - LOCK_FOR)
        times: dict[str, list[datetime]] = {}
        for name, at in session.execute(query.order_by(SignInFailureRow.at)):
            times.setdefault(name, []).append(at)
        # It ends when so many have aged that fewer than the limit are left.
        found += [Lockout(kind, name, len(at), at[-most] + LOCK_FOR) for name, at in times.items() if len(at) >= most]
    return sorted(found, key=lambda one: (one.until, one.kind, one.name), reverse=True)


def lift_lockout(session: Session, kind: str, name: str, *, reason: str, now: datetime, actor: str) -> None:
    """Let an account or address try again. Raises RefusalError where it is not locked, or without a reason."""
    if not reason.strip():
        raise RefusalError("解除锁定须写明原因,如怎样确认是本人。")
    if not any((one.kind, one.name) == (kind, name) for one in lockouts(session, now)):
        raise RefusalError("没有这个锁定,或已到期。")
    column = SignInFailureRow.account if kind == "account" else SignInFailureRow.address
    session.execute(delete(SignInFailureRow).where(column == name))
    trail.append(
        session, at=now, actor=actor, action="lockout_lifted", subject=f"access/{name}", reason=reason.strip()[:200],
        payload={"kind": kind},
    )  # fmt: skip


def set_recovery_codes(session: Session, name: str, codes: Collection[str], *, now: datetime) -> None:
    """Replace the recovery codes of a person who has a second factor."""
    if session.get_one(UserRow, name).totp_nonce is None:
        raise RefusalError("请先启用两步验证。")
    session.execute(delete(RecoveryCodeRow).where(RecoveryCodeRow.user == name))
    session.add_all(RecoveryCodeRow(id=_recovery_hash(name, code), user=name, made_at=now) for code in codes)
    session.flush()
    trail.append(session, at=now, actor=name, action="recovery_codes_made", subject=f"user/{name}")


def recovery_codes_left(session: Session, name: str) -> int:
    """How many codes of a person are not used."""
    query = select(func.count()).where(RecoveryCodeRow.user == name, RecoveryCodeRow.used_at.is_(None))
    return session.scalar(query) or 0


def use_recovery_code(session: Session, name: str, code: str, *, now: datetime) -> bool:
    """Take a code; False where it is none of the person's, or was used."""
    row = session.get(RecoveryCodeRow, _recovery_hash(name, code))
    if row is None or row.used_at is not None:
        return False
    row.used_at = now
    trail.append(session, at=now, actor=name, action="recovery_code_used", subject=f"access/{name}")
    return True


def has_recovery_code(session: Session, name: str, code: str) -> bool:
    """Whether a code would be taken."""
    row = session.get(RecoveryCodeRow, _recovery_hash(name, code))
    return row is not None and row.used_at is None


def _recovery_hash(name: str, code: str) -> str:
    typed = "".join(c for c in code.upper() if c.isalnum())
    return hash_of(f"recovery|{name}|{typed}")


def record_failure(session: Session, account: str, address: str, *, now: datetime) -> None:
    """Count a failed sign-in. What was typed as the name may be a password: only a known name enters the trail."""
    session.execute(delete(SignInFailureRow).where(SignInFailureRow.at <= now - LOCK_FOR))
    known = session.get(UserRow, account) is not None
    kept = account if known else f"?{hash_of(account)[:12]}"
    session.add(SignInFailureRow(account=account if known else kept, address=address, at=now))
    session.flush()
    trail.append(
        session, at=now, actor=kept, action="sign_in_failed", subject=f"access/{kept}", payload={"address": address}
    )


def start_session(
    session: Session, token: str, name: str, *, address: str, agent: str, now: datetime, by: str = ""
) -> SignedIn:
    """Let a person in; the failures of the account are forgiven. ``by``: the identity provider that vouched, if any."""
    session.execute(delete(SignInFailureRow).where(SignInFailureRow.account == name))
    row = SessionRow(
        id=hash_of(token), user=name, created_at=now, seen_at=now, address=address, agent=agent[:_LONGEST_TEXT]
    )
    session.add(row)
    session.flush()
    how: dict[str, trail.PayloadValue] = {"address": address}
    if by:
        how["by"] = by
    trail.append(session, at=now, actor=name, action="signed_in", subject=f"access/{name}", payload=how)
    return _signed_in(row)


def session_of(session: Session, token: str, now: datetime) -> SignedIn | None:
    """The session a browser shows, where it is not over."""
    session.flush()  # a plain statement does not do it by itself
    row = session.execute(_SESSION, {"of": hash_of(token)}).first()
    found = _signed_in(row) if row else None
    return None if found is None or found.is_over(now) else found


def is_worth_noting(found: SignedIn, now: datetime) -> bool:
    """Whether enough time has gone by to write down that the person is still there."""
    return now - found.seen_at >= _SEEN_EVERY


def note_seen(session: Session, found: SignedIn, now: datetime) -> None:
    """Write down that the person is still there."""
    session.execute(update(SessionRow).where(SessionRow.id == found.id).values(seen_at=now))


def end_sessions(
    session: Session,
    *,
    now: datetime,
    actor: str,
    reason: str,
    user: str | None = None,
    number: str | None = None,
) -> int:
    """End the sessions of a person, or one by its number or hash; how many were still open."""
    query = select(SessionRow).where(SessionRow.ended_at.is_(None))
    if user is not None:
        query = query.where(SessionRow.user == user)
    if number is not None:
        query = query.where(SessionRow.id.startswith(number, autoescape=True))
    ended = 0
    for row in session.scalars(query):
        row.ended_at, row.end_reason = now, reason
        ended += 1
        trail.append(session, at=now, actor=actor, action="signed_out", subject=f"access/{row.user}", reason=reason)
    return ended


def open_sessions(session: Session, now: datetime) -> list[SignedIn]:
    """Who is signed in, the newest first."""
    rows = session.scalars(
        select(SessionRow)
        .where(SessionRow.ended_at.is_(None), SessionRow.seen_at > now - IDLE)
        .order_by(SessionRow.created_at.desc())
    )
    return [one for one in map(_signed_in, rows) if not one.is_over(now)]


def add_token(
    session: Session,
    token: str,
    name: str,
    *,
    label: str,
    scopes: Collection[str],
    expires_at: datetime,
    now: datetime,
) -> ApiToken:
    """Enter a key of a program for the person who asks."""
    if not label.strip():
        raise RefusalError("请写明令牌的用途。")
    if not scopes:
        raise RefusalError("请至少选择一项权限。")
    row = ApiTokenRow(
        id=hash_of(token), user=name, label=label.strip()[:_LONGEST_TEXT], scopes=sorted(scopes), created_at=now,
        expires_at=expires_at,
    )  # fmt: skip
    session.add(row)
    session.flush()
    trail.append(
        session, at=now, actor=name, action="token_added", subject=f"access/{name}", payload={"scopes": sorted(scopes)}
    )
    return _token(row)


def token_of(session: Session, token: str, now: datetime) -> ApiToken | None:
    """The key a program shows, where it is valid."""
    row = session.get(ApiTokenRow, hash_of(token))
    found = _token(row) if row else None
    return found if found is not None and found.is_valid(now) else None


def tokens(session: Session, name: str) -> list[ApiToken]:
    """The keys of a person, the newest first."""
    query = select(ApiTokenRow).where(ApiTokenRow.user == name).order_by(ApiTokenRow.created_at.desc())
    return [_token(row) for row in session.scalars(query)]


def revoke_tokens(session: Session, name: str, *, now: datetime, actor: str) -> None:
    """End every key of the programs of an account."""
    query = select(ApiTokenRow).where(ApiTokenRow.user == name, ApiTokenRow.revoked_at.is_(None))
    for row in session.scalars(query):
        row.revoked_at = now
        trail.append(session, at=now, actor=actor, action="token_revoked", subject=f"access/{name}")


def revoke_token(session: Session, name: str, number: str, *, now: datetime) -> None:
    """End a key of one's own. Raises RefusalError where there is none of that number."""
    query = select(ApiTokenRow).where(ApiTokenRow.user == name, ApiTokenRow.revoked_at.is_(None))
    row = session.scalar(query.where(ApiTokenRow.id.startswith(number, autoescape=True)))
    if row is None or len(number) < 16:
        raise RefusalError("没有这个令牌,或已作废。")
    row.revoked_at = now
    trail.append(session, at=now, actor=name, action="token_revoked", subject=f"access/{name}")


def _signed_in(row: SessionRow | Row[Any]) -> SignedIn:
    return SignedIn(row.id, row.user, row.created_at, row.seen_at, row.address, row.agent, row.ended_at, row.end_reason)


def _token(row: ApiTokenRow) -> ApiToken:
    return ApiToken(
        row.id, row.user, row.label, tuple(row.scopes), row.created_at, row.expires_at, row.used_at, row.revoked_at
    )
