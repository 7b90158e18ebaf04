"""The data of a receipt 回执, and the check that a receipt shown to us is ours and was not altered."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from schemas.errors import RefusalError
from schemas.period import Period
from warehouse.ledger import trail
from warehouse.ledger.columns import canonical_json, read_instant, shown_instant
from warehouse.ledger.models import TrailRow
from warehouse.ledger.parks import park as park_on
from warehouse.ledger.report_gaps import GapStatement, gap_statement_of
from warehouse.ledger.signatories import Signatories, signatories_of
from warehouse.ledger.states import STANDING, State
from warehouse.ledger.submissions import Submission, submission

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
# Base32 letters without those that are misread on paper (Crockford: no I, L, O, U).
_BASE32 = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", "0123456789ABCDEFGHJKMNPQRSTVWXYZ")
_MISREAD = str.maketrans("OIL", "011")
_CODE_BYTES = 10
#: Nobody has signed yet: a submission sent back to be checked again stands behind its own report, too.
BEFORE_REPORT = frozenset({State.RECEIVED, State.UNREADABLE, State.CHECKED, State.FAILED, State.EXPLAINED})


@dataclass(frozen=True)
class ReceiptFile:
    """One file on a receipt."""

    name: str
    sha256: str
    size: int

    @property
    def short_hash(self) -> str:
        """The hash as printed: its first twelve digits in groups of four."""
        return " ".join(self.sha256[start : start + 4] for start in (0, 4, 8))


@dataclass(frozen=True)
class Receipt:
    """Everything a receipt prints. It attests the state reached at ``state_at``; ``head`` is the end of the trail then.

    Times are printed in Beijing time. The same submission in the same state gives the same receipt.
    """

    number: str
    receipt_number: str
    park: str
    park_name: str
    period: Period
    edition: str
    revision: int
    files: tuple[ReceiptFile, ...]
    forms: tuple[str, ...]
    counts: Mapping[str, int]
    state: State
    received_at: str
    received_by: str
    state_at: str
    head: trail.Head
    code: str
    signed: Signatories | None = None
    gap: GapStatement | None = None

    @property
    def notice(self) -> str:
        """What the receipt does not mean."""
        match self.state:
            case State.ACCEPTED:
                return "本回执表示报送的数据已通过验收。"
            case state if state in STANDING:
                return "本回执表示数据已报送,尚未验收。"
            case State.RETURNED | State.SUPERSEDED:
                return "本回执表示该份报送已不再有效,仅供留存。"
        return "本回执仅表示收到文件,不代表审核通过,也不代表已报送。"


@dataclass(frozen=True)
class Verification:
    """Whether a receipt is ours. ``attested``: the state it was issued for, and since when; None where it is not."""

    is_genuine: bool
    message: str
    submission: Submission | None = None
    attested: State | None = None
    attested_at: datetime | None = None


def check_character(number: str) -> str:
    """The check character of a receipt number: ISO 7064 MOD 37,36 over its letters and digits. It shows every single
    wrong character and every swap of neighbours."""
    product = 36
    for character in number:
        if character in _ALPHABET:
            product = (product + _ALPHABET.index(character)) % 36 or 36
            product = product * 2 % 37
    return _ALPHABET[(37 - product) % 36]


def receipt_number(number: str) -> str:
    """The number of a submission with its check character: 2025Q1-LBXQ-0003-K."""
    return f"{number}-{check_character(number)}"


def submission_number(text: str) -> str:
    """The number of a submission as typed from a receipt, with or without check character.

    Raises RefusalError for a check character that does not fit.
    """
    typed = re.sub(r"\s", "", unicodedata.normalize("NFKC", text)).upper().replace("—", "-")
    if re.fullmatch(r"[0-9A-Z]+-[0-9A-Z]+-\d{4,}-[0-9A-Z]", typed):
        number, check = typed.rsplit("-", 1)
        if check != check_character(number):
            raise RefusalError(f"回执编号“{typed}”的校验位不符,请核对是否抄错。")
        return number
    return typed


def receipt(session: Session, number: str, key: bytes) -> Receipt:
    """The receipt of a submission as it stands. ``key`` is ``warehouse.home.receipt_key``."""
    found = submission(session, number)
    link = session.get_one(TrailRow, found.state_seq)
    check = found.check
    return Receipt(
        number=number,
        receipt_number=receipt_number(number),
        park=found.park,
        park_name=park_on(session, found.park, found.period.end).name,
        period=found.period,
        edition=found.edition,
        revision=found.revision,
        files=tuple(ReceiptFile(file.name, file.sha256, file.size) for file in found.files),
        forms=check.forms if check else (),
        counts=check.counts if check else {},
        state=found.state,
        received_at=shown_instant(found.received_at),
        received_by=found.received_by,
        state_at=shown_instant(found.state_at),
        head=trail.Head(link.seq, link.hash),
        code=_code(found, found.state, link.seq, link.hash, key),
        signed=signatories_of(session, number) if found.state not in BEFORE_REPORT else None,
        gap=gap_statement_of(session, number) if found.state not in BEFORE_REPORT else None,
    )


def verify_receipt(session: Session, number: str, code: str, key: bytes) -> Verification:
    """Compare number and verification code of a receipt with the ledger. A wrong number is an answer, not an error."""
    try:
        found = submission(session, submission_number(number))
    except RefusalError as refusal:
        return Verification(False, str(refusal))
    typed = re.sub(r"[^0-9A-Z]", "", unicodedata.normalize("NFKC", code).upper()).translate(_MISREAD)
    links = select(TrailRow).where(TrailRow.subject == found.number, TrailRow.to_state.is_not(None))
    for link in session.scalars(links.order_by(TrailRow.seq.desc())):
        state = State(link.to_state or "")
        ours = _code(found, state, link.seq, link.hash, key).replace("-", "")
        if hmac.compare_digest(ours.encode(), typed.encode()):
            at = read_instant(link.at)
            now = "" if state == found.state else f",现状态为“{found.state.label}”"
            message = f"回执属实:{found.number} 于 {shown_instant(at)} 为“{state.label}”{now}。"
            return Verification(True, message, found, state, at)
    return Verification(False, f"验证码与 {found.number} 的记录不符:回执可能被改动,或验证码抄错。", found)


def _code(found: Submission, state: State, seq: int, link_hash: str, key: bytes) -> str:
    facts = canonical_json([found.number, found.files_digest, str(state), seq, link_hash])
    digest = hmac.new(key, facts.encode(), hashlib.sha256).digest()[:_CODE_BYTES]
    letters = base64.b32encode(digest).decode().translate(_BASE32)
    return "-".join(letters[start : start + 4] for start in range(0, len(letters), 4))
