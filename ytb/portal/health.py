"""The health of the installation 运行状态: whether it can work, when it was last backed up and verified. Numbers, no content."""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from starlette.responses import JSONResponse, Response

from warehouse.ledger import access, outbox, trail
from warehouse.ledger.care import BACKED_UP, BACKUP_CHECKED, VERIFIED
from warehouse.ledger.migrate import current_revision
from ytb.portal import pages
from ytb.portal.visit import BEIJING, Visit

LOW_DISK = 2 << 30
BACKUP_AGE, VERIFY_AGE = timedelta(days=2), timedelta(days=8)


@dataclass(frozen=True)
class Care:
    """The last time something was done for the store, and whether it went well."""

    at: datetime
    by: str
    is_sound: bool
    links: int


@dataclass(frozen=True)
class Health:
    """``ok``: it can take files and what was looked at last is sound. ``warnings``: what the operator should see to."""

    ok: bool
    warnings: tuple[str, ...]
    ledger_revision: str
    trail_links: int
    disk_free: int
    disk_low: bool
    sessions: int
    checks_waiting: int
    workers: int
    snapshot: str
    snapshot_at: str
    last_backup: str
    last_backup_check: str
    last_verification: str
    verification_sound: bool | None
    messages_waiting: int


def health_of(visit: Visit) -> Health:
    """What the health page and its JSON say."""
    free = shutil.disk_usage(visit.portal.home.root).free
    with visit.office.ledger.read() as session:
        head = trail.head(session)
        unsent = outbox.waiting(session)
        signed_in = len(access.open_sessions(session, visit.now))
        done = {action: _care(trail.last_of(session, action)) for action in (BACKED_UP, BACKUP_CHECKED, VERIFIED)}
    snapshots = sorted(visit.portal.home.snapshots.glob("*.duckdb"))
    made = datetime.fromtimestamp(snapshots[-1].stat().st_mtime, BEIJING) if snapshots else None
    verified = done[VERIFIED]
    warnings = list(_warnings(done[BACKED_UP], verified, free, visit.now))
    return Health(
        ok=free >= LOW_DISK and (verified is None or verified.is_sound),
        warnings=tuple(warnings),
        ledger_revision=current_revision(visit.office.ledger) or "",
        trail_links=head.seq,
        disk_free=free,
        disk_low=free < LOW_DISK,
        sessions=signed_in,
        checks_waiting=visit.portal.examiner.length,
        workers=visit.portal.examiner.workers,
        snapshot=snapshots[-1].name if snapshots else "",
        snapshot_at=_shown(made),
        last_backup=_shown(done[BACKED_UP]),
        last_backup_check=_shown(done[BACKUP_CHECKED]),
        last_verification=_shown(verified),
        messages_waiting=unsent,
        verification_sound=verified.is_sound if verified else None,
    )


def _care(event: trail.Event | None) -> Care | None:
    if event is None:
        return None
    return Care(event.at, event.actor, event.payload.get("problems") == 0, event.seq)


def _shown(what: Care | datetime | None) -> str:
    at = what.at if isinstance(what, Care) else what
    return pages.beijing(at) if at else ""


def _warnings(backup: Care | None, verified: Care | None, free: int, now: datetime) -> list[str]:
    found = []
    if free < LOW_DISK:
        found.append("磁盘剩余空间不足,请清理或扩容,否则不能接收文件。")
    if verified is not None and not verified.is_sound:
        found.append("上一次核验发现问题:请在服务器上执行 ytb verify 查看,必要时从备份恢复。")
    if backup is None:
        found.append("还没有备份过:请在服务器上执行 ytb backup。")
    elif now - backup.at > BACKUP_AGE:
        found.append(f"上一次备份在 {pages.beijing(backup.at)},已超过 {BACKUP_AGE.days} 天。")
    if verified is None or now - verified.at > VERIFY_AGE:
        found.append(f"最近 {VERIFY_AGE.days} 天没有核验过:请在服务器上执行 ytb verify。")
    return found


def health_page(visit: Visit) -> Response:
    """The health of the installation."""
    return pages.page(visit, "health", health=health_of(visit))


def health_json(visit: Visit) -> Response:
    """The same for a monitor: 503 where something is wrong."""
    found = health_of(visit)
    return JSONResponse(asdict(found), 200 if found.ok else 503)


def alive(visit: Visit) -> Response:
    """For a load balancer: that the process answers and the ledger can be read. No content."""
    with visit.office.ledger.read() as session:
        trail.head(session)
    return JSONResponse({"ok": True})
