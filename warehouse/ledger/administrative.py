"""Administrative records 部门行政记录 in the ledger: which files of which authority were taken in, and which were taken back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from schemas.errors import RefusalError
from warehouse.ledger import trail
from warehouse.ledger.record_models import AdministrativeImportRow


@dataclass(frozen=True)
class AdministrativeImport:
    """One import that stands, or was withdrawn. ``book``, ``mapping``, ``records``: hashes of files in the vault."""

    id: int
    kind: str
    authority: str
    title: str
    name: str
    book: str
    mapping: str
    records: str
    at: datetime
    by: str
    is_withdrawn: bool = False


def record_import(
    session: Session, kind: str, authority: str, title: str, name: str, *, book: str, mapping: str, records: str,
    now: datetime, actor: str,
) -> AdministrativeImport:  # fmt: skip
    """Enter a file. Raises RefusalError where the same file stands under the same mapping already."""
    for one in imports(session):
        if (one.book, one.mapping) == (book, mapping):
            raise RefusalError(f"同一文件已按同一映射导入(第 {one.id} 号);要重导请先撤回。")
    _record(session, "records_imported", None, (kind, authority, title, name, book, mapping, records), "", now, actor)
    return imports(session)[0]


def withdraw_import(session: Session, number: int, *, reason: str, now: datetime, actor: str) -> None:
    """Take an import back, with the reason; its files stay."""
    standing = {one.id: one for one in imports(session)}
    if number not in standing:
        raise RefusalError(
            f"没有第 {number} 号导入,或已撤回。", command="编号见 ytb records list。", page="已导入的见“部门记录”页。"
        )
    if not reason.strip():
        raise RefusalError("撤回须写明原因。")
    of = standing[number]
    told = (of.kind, of.authority, of.title, of.name, "", "", "")
    _record(session, "records_withdrawn", number, told, reason.strip(), now, actor)


def imports(session: Session, *, withdrawn: bool = False) -> list[AdministrativeImport]:
    """The imports that stand, the newest first; ``withdrawn``: also those taken back."""
    rows = session.scalars(select(AdministrativeImportRow).order_by(AdministrativeImportRow.id.desc())).all()
    gone = {row.withdraws for row in rows if row.withdraws is not None}
    return [
        AdministrativeImport(
            row.id, row.kind, row.authority, row.title, row.name, row.book, row.mapping, row.records, row.at, row.by,
            row.id in gone,
        )
        for row in rows
        if row.withdraws is None and (withdrawn or row.id not in gone)
    ]  # fmt: skip


def _record(
    session: Session, action: str, withdraws: int | None, told: tuple[str, ...], reason: str, now: datetime, actor: str
) -> None:
    names = ("kind", "authority", "title", "name", "book", "mapping", "records")
    row = {"withdraws": withdraws, **dict(zip(names, told, strict=True)), "reason": reason, "at": now, "by": actor}
    trail.append(
        session, at=now, actor=actor, action=action, subject=f"records/{told[0]}", reason=reason or told[2],
        rows=trail.Rows(AdministrativeImportRow, [row]),
    )  # fmt: skip
