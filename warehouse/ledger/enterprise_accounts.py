"""Accounts of enterprises: bound to one park and one unit of its register; several people of an enterprise have one each."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy.orm import Session

from schemas.errors import RefusalError
from warehouse.ledger.register import park_of
from warehouse.ledger.users import ENTERPRISE, User, add_user, users


def add_enterprise_account(
    session: Session, *, park: str, unit_id: str, title: str, telephone: str = "", now: datetime, actor: str
) -> User:
    """Enter a person of an enterprise; the name is the credit code, for a second person with a number behind it.

    Raises RefusalError for an enterprise that is not in the park's register today, or a person without a name.
    """
    if not title.strip():
        raise RefusalError("请填写企业填报人员的姓名。")
    require_in_register(session, park, unit_id, now.date())
    taken = {one.name for one in users(session)}
    name, number = unit_id, 1
    while name in taken:
        number += 1
        name = f"{unit_id}-{number}"
    return add_user(
        session,
        name,
        title=title,
        role=ENTERPRISE,
        park=park,
        unit_id=unit_id,
        telephone=telephone,
        now=now,
        actor=actor,
    )


def require_in_register(session: Session, park: str, unit_id: str, day: date) -> None:
    """Raise RefusalError for an enterprise that is not in a park's register on a day."""
    if park_of(session, unit_id, day) != park:
        raise RefusalError(f"{unit_id[:30]} 现在不在 {park} 的名录库,不能开户;请先办理名录变动。")


def enterprise_accounts(session: Session, park: str) -> dict[str, list[User]]:
    """Enterprise → its accounts of this park that are not disabled, in the order they were made."""
    found: dict[str, list[User]] = {}
    for one in sorted(users(session), key=lambda one: (one.created_at, one.name)):
        if one.role == ENTERPRISE and one.park == park and one.unit_id and not one.disabled:
            found.setdefault(one.unit_id, []).append(one)
    return found
