"""Another role for an account 角色更改: said on the trail first, nobody for themselves, never the last of an administrator's kind."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from schemas.errors import RefusalError
from warehouse.ledger import access, trail
from warehouse.ledger.models import ROLES, SCOPED_ROLES, UserRow
from warehouse.ledger.scopes import require_node
from warehouse.ledger.users import ENTERPRISE, User, person_of, require_another


def change_role(
    session: Session, name: str, *, role: str, park: str | None, reason: str, now: datetime, actor: str
) -> User:
    """Give an account another role or another node of the tree of parks.

    Its sessions end and the keys of its programs with them; what it did stays its own. A role with a second factor asks for it
    at the next sign-in. Raises RefusalError for oneself, for enterprises (their account is bound to one unit), without a
    reason, where nothing would change, and for the last active account of ``users.KEPT``.
    """
    row = session.get(UserRow, name)
    if row is None or row.disabled:
        raise RefusalError(f"用户“{name}”不存在或已停用。")
    if name == actor:
        raise RefusalError("不能更改自己的角色,请由另一位安全管理员办理。")
    if role not in ROLES:
        raise RefusalError(f"没有角色“{role[:40]}”。")
    if ENTERPRISE in (role, row.role):
        raise RefusalError("企业填报人员的账户与企业绑定,不能改成别的角色,也不能由别的角色改成;请停用后另行登记。")
    node = park or None
    if (role in SCOPED_ROLES) != (node is not None):
        raise RefusalError(
            f"{ROLES[role]}须选所属。" if role in SCOPED_ROLES else f"{ROLES[role]}不分园区,请不要选所属。"
        )
    if node is not None:
        require_node(session, node, now.date())
    if (role, node) == (row.role, row.park):
        raise RefusalError("角色和所属没有变化。")
    if not reason.strip():
        raise RefusalError("更改角色须写明原因。")
    if role != row.role:
        require_another(session, row, "更改")
    before = {"role_before": row.role, "park_before": row.park}
    trail.append(
        session, at=now, actor=actor, action="role_changed", subject=f"user/{name}", reason=reason.strip()[:200],
        payload={"role": role, "park": node, **before},
    )  # fmt: skip
    row.role, row.park = role, node
    session.flush()  # while the link is the newest: the guard of the table asks for it
    access.end_sessions(session, user=name, now=now, actor=actor, reason="角色更改")
    access.revoke_tokens(session, name, now=now, actor=actor)
    return person_of(row)
