"""Care of the store: backups made, backups checked, verifications. Each leaves a link on the trail with its result."""

from __future__ import annotations

from datetime import datetime

from warehouse.ledger import trail
from warehouse.ledger.session import Ledger

BACKED_UP, BACKUP_CHECKED, VERIFIED = "backed_up", "backup_verified", "verified"
SUBJECT = "care/store"


def note_care(ledger: Ledger, action: str, *, problems: int, now: datetime, actor: str, **counts: int) -> None:
    """Leave on the trail what was done and how many problems it found. Raises StorageError where that cannot be written."""
    with ledger.write() as session:
        trail.append(
            session, at=now, actor=actor, action=action, subject=SUBJECT, payload={"problems": problems, **counts}
        )
