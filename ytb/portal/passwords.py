"""Passwords, one-time codes and the second factor. Hashes are scrypt of the standard library, behind ``Hasher``.

argon2id would need a package that is not locked; scrypt with these parameters (64 MiB, OWASP 2025 equal choice) serves,
and a hash names its own parameters, so that a later ``Hasher`` can read and replace it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import struct
from dataclasses import dataclass
from datetime import datetime

from schemas.errors import RefusalError

SHORTEST, LONG_ENOUGH, LONGEST = 10, 16, 128
STEP_SECONDS, DIGITS = 30, 6
_CODE_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_COMMON = ("password", "123456", "qwerty", "abc123", "admin", "111111", "yitaobiao", "tongji", "iloveyou", "woaini")


@dataclass(frozen=True)
class Hasher:
    """scrypt with its cost: memory is ``128 * n * r`` bytes."""

    n: int = 1 << 16
    r: int = 8
    p: int = 2

    def hash(self, password: str, salt: bytes | None = None) -> str:
        """The hash as kept: ``scrypt$n$r$p$salt$key``."""
        salt = secrets.token_bytes(16) if salt is None else salt
        key = _scrypt(password, salt, self.n, self.r, self.p)
        return f"scrypt${self.n}${self.r}${self.p}${salt.hex()}${key.hex()}"

    def is_outdated(self, kept: str) -> bool:
        """Whether a hash was made with other parameters."""
        return kept.split("$")[1:4] != [str(self.n), str(self.r), str(self.p)]


def matches(password: str, kept: str) -> bool:
    """Whether a password has this hash."""
    _, n, r, p, salt, key = kept.split("$")
    found = _scrypt(password, bytes.fromhex(salt), int(n), int(r), int(p))
    return hmac.compare_digest(found, bytes.fromhex(key))


def _scrypt(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=n, r=r, p=p, maxmem=256 * n * r + (1 << 20), dklen=32)


def require_good_password(password: str, name: str) -> None:
    """Raise RefusalError for a password that is short, of few kinds, common, or contains the name."""
    lower = password.lower()
    kinds = sum((any(c.islower() for c in password), any(c.isupper() for c in password),
                 any(c.isdigit() for c in password), any(not c.isalnum() for c in password)))  # fmt: skip
    if len(password) > LONGEST:
        raise RefusalError(f"口令过长,请不超过 {LONGEST} 个字符。")
    if len(password) < SHORTEST or (kinds < 3 and len(password) < LONG_ENOUGH):
        raise RefusalError(
            f"口令太弱:至少 {SHORTEST} 个字符并含大写、小写、数字、符号中的三类;或不少于 {LONG_ENOUGH} 个字符。"
        )
    if name.lower() in lower or any(word in lower for word in _COMMON) or len(set(password)) < 5:
        raise RefusalError("口令太容易猜到:请不要包含用户名或常见词,不要重复同一字符。")


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
