"""People: who may act, in which role, for which part of the tree of parks. Passwords come with the portal."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, func, select
from sqlalchemy.orm import Session

from schemas.errors import RefusalError
from warehouse.ledger import trail
from warehouse.ledger.models import ROLES, SCOPED_ROLES, UserRow

ENTERPRISE = "enterprise"
"""The role of an enterprise's own account."""
KEPT: Final = ("security_administrator", "administrator", "auditor", "province_statistician")
"""Roles an installation is never without, once it has somebody in them."""
NOBODY: Final = "没有用户“{name}”。"
HOW_TO_NAME: Final = (
    "请用 --user 写明以谁的名义办理(不写时是操作系统的用户名);现有账户见 ytb user list,新账户用 ytb user add。"
)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{1,63}")
_EMAIL = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
_TELEPHONE = re.compile(r"\+?[0-9]{5,20}")


@dataclass(frozen=True)
class User:
    """A person; ``park`` is the node of the tree of parks (``scopes``) beyond which nothing exists for them, None for all."""

    name: str
    title: str
    role: str
    park: str | None
    disabled: bool
    created_at: datetime
    email: str = ""
    telephone: str = ""
    unit_id: str | None = None
    """The only enterprise an enterprise's account sees; None for every other role."""

    @property
    def role_label(self) -> str:
        """The role as people read it."""
        return ROLES[self.role]


def add_user(
    session: Session,
    name: str,
    *,
    title: str,
    role: str,
    park: str | None = None,
    email: str = "",
    telephone: str = "",
    unit_id: str | None = None,
    now: datetime,
    actor: str,
) -> User:
    """Enter a person. Raises RefusalError for a name taken or impossible, an unknown role, a reporter, approver or city
    without a node. Whether the register knows the node is asked by ``scopes.require_node``.
    """
    require_user_name(name)
    if session.get(UserRow, name) is not None:
        raise RefusalError(f"用户“{name}”已存在;停用的用户名不再分配给他人。")
    if role not in ROLES:
        choices = "、".join(f"{code}({label})" for code, label in ROLES.items())
        raise RefusalError(f"没有角色“{role}”,可选:{choices}。")
    if role in SCOPED_ROLES and not park:
        raise RefusalError(f"{ROLES[role]}须指定所属园区或市(--park)。")
    if park and role not in (*SCOPED_ROLES, ENTERPRISE):
        # Their lists and steps range over all parks: a node would promise a limit that is not there.
        raise RefusalError(f"{ROLES[role]}不分园区,请不要指定园区。")
    if (role == ENTERPRISE) != bool(unit_id) or (unit_id and not park):
        raise RefusalError("企业填报人员须指定所属园区和一家企业,其他角色不指定企业。")
    session.add(
        UserRow(
            name=name,
            title=title.strip() or name,
            role=role,
            park=park,
            unit_id=unit_id,
            disabled=False,
            email=_email(email) or None,
            telephone=_telephone(telephone) or None,
            created_at=now,
            created_by=actor,
        )
    )
    session.flush()
    trail.append(
        session,
        at=now,
        actor=actor,
        action="user_added",
        subject=f"user/{name}",
        payload={"role": role, "park": park} | ({"unit_id": unit_id} if unit_id else {}),
    )
    return user(session, name)


def require_user_name(name: str) -> None:
    """Raise RefusalError for what can be no name of an account."""
    if not _NAME.fullmatch(name):
        raise RefusalError(f"用户名“{name}”无效:请用 2 至 64 位字母、数字和 . _ @ -。")


def disable_user(session: Session, name: str, *, now: datetime, actor: str, reason: str) -> User:
    """Bar a person from acting; what they did stays theirs. Twice is once.

    Raises RefusalError for oneself, without a reason, and for the last active account of ``KEPT``.
    """
    row = session.get(UserRow, name)
    if row is None:
        raise RefusalError(NOBODY.format(name=name), command=HOW_TO_NAME)
    if not row.disabled:
        if name == actor:
            raise RefusalError("不能停用自己,请由另一位安全管理员办理。")
        if not reason.strip():
            raise RefusalError("停用账户须写明原因。")
        require_another(session, row, "停用")
        row.disabled = True
        session.flush()
        told = reason.strip()[:200]
        trail.append(session, at=now, actor=actor, action="user_disabled", subject=f"user/{name}", reason=told)
    return person_of(row)


def require_another(session: Session, row: UserRow, what: str) -> None:
    """Raise RefusalError for the last active account in a role of ``KEPT``; ``what`` is about to happen to it."""
    query = select(func.count()).select_from(UserRow).where(UserRow.role == row.role, UserRow.disabled.is_(False))
    if row.role in KEPT and (session.scalar(query) or 0) < 2:
        raise RefusalError(f"{row.name} 是唯一在用的{ROLES[row.role]},须先登记另一位,再{what}。")


def set_contact(
    session: Session, name: str, *, email: str, telephone: str, now: datetime, actor: str, reason: str = ""
) -> User:
    """Where mail and short messages for a person go; empty: nowhere. The trail says that it changed and why, not to what.

    Raises RefusalError where an address or number on file is replaced or taken away without a reason: codes go there.
    """
    row = session.get(UserRow, name)
    if row is None or row.disabled:
        raise RefusalError(
            f"用户“{name}”不存在或已停用。", command="现有账户见 ytb user list。", page="现有账户见“用户”页。"
        )
    after = (_email(email) or None, _telephone(telephone) or None)
    if not reason.strip() and any(
        was and was != now_ for was, now_ in zip((row.email, row.telephone), after, strict=True)
    ):
        raise RefusalError("更改或删去已登记的邮箱、手机须写明原因:一次性代码和通知发到那里。")
    row.email, row.telephone = after
    session.flush()
    trail.append(
        session, at=now, actor=actor, action="contact_set", subject=f"user/{name}", reason=reason.strip()[:200]
    )
    return person_of(row)


def _email(text: str) -> str:
    if text and (len(text) > 254 or not _EMAIL.fullmatch(text)):
        raise RefusalError(f"邮箱“{text[:60]}”无效。")
    return text


def _telephone(text: str) -> str:
    if text and not _TELEPHONE.fullmatch(text):
        raise RefusalError(f"手机号码“{text[:30]}”无效:请只用数字,可以 + 开头。")
    return text


def user(session: Session, name: str) -> User:
    """One person. Raises RefusalError for an unknown name."""
    row = session.get(UserRow, name)
    if row is None:
        raise RefusalError(NOBODY.format(name=name), command=HOW_TO_NAME)
    return person_of(row)


def title_of(session: Session, name: str) -> str:
    """What a person is called; the name itself where it is no account."""
    row = session.get(UserRow, name)
    return row.title if row is not None else name


def users(session: Session) -> list[User]:
    """Everybody, by name."""
    return [person_of(row) for row in session.scalars(select(UserRow).order_by(UserRow.name))]


def person_of(row: UserRow | Row[Any]) -> User:
    """The person a row of the accounts stands for."""
    return User(
        row.name,
        row.title,
        row.role,
        row.park,
        row.disabled,
        row.created_at,
        row.email or "",
        row.telephone or "",
        row.unit_id,
    )
