"""Passwords, one-time codes and the second factor. Hashes are argon2id, behind ``Hasher``.

A hash names its own parameters: those of scrypt, which earlier versions made, still verify and are renewed at sign-in.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import struct
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from schemas.errors import RefusalError

SHORTEST, LONG_ENOUGH, LONGEST = 10, 16, 128
STEP_SECONDS, DIGITS = 30, 6
_CODE_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
#: Beside the list: what people here would type first.
_NEAR_AT_HAND = ("yitaobiao", "tongji", "woaini", "wodemima", "mima", "qwer", "asdf", "admin", "5201314", "123456")
_AS_LETTERS = str.maketrans("@013457$!", "aoleastsi")


@dataclass(frozen=True)
class Hasher:
    """argon2id. Source: RFC 9106 section 4, second recommended option: 3 passes, 64 MiB, 4 lanes."""

    passes: int = 3
    memory_kib: int = 64 * 1024
    lanes: int = 4

    def _argon(self) -> PasswordHasher:
        return PasswordHasher(time_cost=self.passes, memory_cost=self.memory_kib, parallelism=self.lanes)

    def hash(self, password: str) -> str:
        """The hash as kept, with its parameters and salt (PHC string)."""
        return self._argon().hash(password)

    def is_outdated(self, kept: str) -> bool:
        """Whether a hash was made in another way or with other parameters."""
        if not kept.startswith("$argon2id$"):
            return True
        return self._argon().check_needs_rehash(kept)


def matches(password: str, kept: str) -> bool:
    """Whether a password has this hash, of argon2id or of scrypt."""
    if kept.startswith("scrypt$"):
        return _matches_scrypt(password, kept)
    try:
        return PasswordHasher().verify(kept, password)
    except (VerificationError, InvalidHashError):
        return False


def _matches_scrypt(password: str, kept: str) -> bool:
    _, *cost, salt, key = kept.split("$")
    n, r, p = map(int, cost)
    found = hashlib.scrypt(
        password.encode(), salt=bytes.fromhex(salt), n=n, r=r, p=p, maxmem=256 * n * r + (1 << 20), dklen=32
    )
    return hmac.compare_digest(found, bytes.fromhex(key))


@cache
def common_passwords() -> frozenset[str]:
    """What everybody tries first: the list beside this module."""
    lines = (Path(__file__).parent / "common_passwords.txt").read_text(encoding="ascii").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))


def is_common(password: str) -> bool:
    """Whether a password is one of the common ones, also with signs for letters or figures and marks around it."""
    whole = password.lower()
    letters = [at for at, c in enumerate(whole) if c.isalpha()]
    inner = whole[letters[0] : letters[-1] + 1] if letters else ""
    spellings = {whole, inner, whole.translate(_AS_LETTERS), inner.translate(_AS_LETTERS)}
    return any(word in whole for word in _NEAR_AT_HAND) or not spellings.isdisjoint(common_passwords())


def require_good_password(password: str, name: str) -> None:
    """Raise RefusalError for a password that is short, of few kinds, common, or contains the name."""
    kinds = sum((any(c.islower() for c in password), any(c.isupper() for c in password),
                 any(c.isdigit() for c in password), any(not c.isalnum() for c in password)))  # fmt: skip
    if len(password) > LONGEST:
        raise RefusalError(f"口令过长,请不超过 {LONGEST} 个字符。")
    if len(password) < SHORTEST or (kinds < 3 and len(password) < LONG_ENOUGH):
        raise RefusalError(
            f"口令太弱:至少 {SHORTEST} 个字符并含大写、小写、数字、符号中的三类;或不少于 {LONG_ENOUGH} 个字符。"
        )
    if name.lower() in password.lower() or is_common(password) or len(set(password)) < 5:
        raise RefusalError("口令太容易猜到:请不要包含用户名或常见口令,不要重复同一字符。")


def one_time_code() -> str:
    """A code to print and hand over: 80 bits, without letters that are misread."""
    letters = "".join(secrets.choice(_CODE_LETTERS) for _ in range(16))
    return "-".join(letters[start : start + 4] for start in range(0, 16, 4))


def totp_secret(key: bytes, name: str, nonce: str) -> str:
    """The secret of a second factor as an authenticator takes it (base32). It is derived, so that the ledger alone, or a
    copy of it, does not give it away."""
    return base64.b32encode(hmac.new(key, f"totp|{name}|{nonce}".encode(), hashlib.sha256).digest()[:20]).decode()


def totp_code(secret: str, step: int) -> str:
    """The code of one time step. Source: RFC 6238 (SHA-1, 30 seconds, 6 digits)."""
    digest = hmac.new(base64.b32decode(secret), struct.pack(">Q", step), hashlib.sha1).digest()
    offset = digest[-1] & 15
    number = struct.unpack(">I", digest[offset : offset + 4])[0] & 0x7FFFFFFF
    return f"{number % 10**DIGITS:0{DIGITS}d}"


def matching_step(secret: str, code: str, now: datetime) -> int | None:
    """The time step whose code was given, one before and one after allowed for clocks that differ; None for none."""
    typed = "".join(c for c in code if c.isdigit())
    current = int(now.timestamp()) // STEP_SECONDS
    for step in (current, current - 1, current + 1):
        if hmac.compare_digest(totp_code(secret, step), typed):
            return step
    return None
