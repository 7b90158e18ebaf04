"""Requests of programs that came before: the same key and content is answered as the first time, other content is refused.

Source: draft-ietf-httpapi-idempotency-key-header.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from schemas.errors import RefusalError
from warehouse.ledger.access_models import RequestRow


def submission_of_request(session: Session, user: str, key: str, digest: str) -> str | None:
    """The submission that a request with this key made; None for a new key. Raises RefusalError for other content."""
    row = session.get(RequestRow, (user, key))
    if row is None:
        return None
    if row.digest != digest:
        raise RefusalError("这个 Idempotency-Key 已用于内容不同的另一次报送,没有办理;请换一个新的。")
    return row.submission


def remember_request(session: Session, user: str, key: str, digest: str, submission: str, *, now: datetime) -> None:
    """Keep what a request made; the first one counts."""
    if session.get(RequestRow, (user, key)) is None:
        session.add(RequestRow(user=user, key=key, digest=digest, submission=submission, at=now))
        session.flush()
