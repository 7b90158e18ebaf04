"""Accounts of enterprises: bound to one park and one unit of its register; several people of an enterprise have one each."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from schemas.errors import RefusalError
from warehouse.ledger.models import UserRow
from warehouse.ledger.register import park_of
from warehouse.ledger.users import ENTERPRISE, User, add_user, user


def add_enterprise_account(
    session: Session, *, park: str, unit_id: str, title: str, telephone: str = "", now: datetime, actor: str
) -> User:
    """Enter a person of an enterprise; the name is the credit code, for a second person with a number behind it.

    Raises RefusalError for an enterprise that is not in the park's register today, or a person without a name.
    """
    if not title.strip():
        raise RefusalError("请填写企业填报人员的姓名。")
    require_in_register(session, park, unit_id, now.date())
    name, number = unit_id, 1
    while session.get(UserRow, name) is not None:
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
    query = select(UserRow.name).where(
        UserRow.role == ENTERPRISE, UserRow.park == park, UserRow.disabled.is_(False), UserRow.unit_id.is_not(None)
    )
    for name in session.scalars(query.order_by(UserRow.created_at, UserRow.name)).all():
        one = user(session, name)
        found.setdefault(one.unit_id or "", []).append(one)
    return found
