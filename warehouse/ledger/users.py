"""People: who may act, in which role, for which park. Passwords come with the portal."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from schemas.errors import RefusalError
from warehouse.ledger import trail
from warehouse.ledger.models import ROLES, UserRow

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{1,63}")


@dataclass(frozen=True)
class User:
    """A person; ``park`` is the only park a reporter sees, None for all."""

    name: str
    title: str
    role: str
    park: str | None
    disabled: bool
    created_at: datetime

    @property
    def role_label(self) -> str:
        """The role as people read it."""
        return ROLES[self.role]


def add_user(
    session: Session, name: str, *, title: str, role: str, park: str | None = None, now: datetime, actor: str
) -> User:
    """Enter a person. Raises RefusalError for a name taken or impossible, an unknown role, a reporter without a park."""
    if not _NAME.fullmatch(name):
        raise RefusalError(f"用户名“{name}”无效:请用 2 至 64 位字母、数字和 . _ @ -。")
    if session.get(UserRow, name) is not None:
        raise RefusalError(f"用户“{name}”已存在;停用的用户名不再分配给他人。")
    if role not in ROLES:
        choices = "、".join(f"{code}({label})" for code, label in ROLES.items())
        raise RefusalError(f"没有角色“{role}”,可选:{choices}。")
    if role == "park_reporter" and not park:
        raise RefusalError("园区填报人员须指定所属园区(--park)。")
    session.add(
        UserRow(
            name=name,
            title=title.strip() or name,
            role=role,
            park=park,
            disabled=False,
            created_at=now,
            created_by=actor,
        )
    )
    session.flush()
    trail.append(
        session, at=now, actor=actor, action="user_added", subject=f"user/{name}", payload={"role": role, "park": park}
    )
    return user(session, name)


def disable_user(session: Session, name: str, *, now: datetime, actor: str, reason: str = "") -> User:
    """Bar a person from acting; what they did stays theirs. Twice is once."""
    row = session.get(UserRow, name)
    if row is None:
        raise RefusalError(f"没有用户“{name}”。")
    if not row.disabled:
        row.disabled = True
        session.flush()
        trail.append(session, at=now, actor=actor, action="user_disabled", subject=f"user/{name}", reason=reason)
    return _user(row)


def user(session: Session, name: str) -> User:
    """One person. Raises RefusalError for an unknown name."""
    row = session.get(UserRow, name)
    if row is None:
        raise RefusalError(f"没有用户“{name}”。")
    return _user(row)


def users(session: Session) -> list[User]:
    """Everybody, by name."""
    return [_user(row) for row in session.scalars(select(UserRow).order_by(UserRow.name))]


def _user(row: UserRow) -> User:
    return User(row.name, row.title, row.role, row.park, row.disabled, row.created_at)
