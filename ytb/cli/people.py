"""People: who may act, in which role, for which part of the tree of parks; their one-time codes."""

from __future__ import annotations

from typing import Annotated

import typer

from warehouse.ledger import scopes, users
from warehouse.ledger.enterprise_accounts import require_in_register
from warehouse.ledger.models import ROLES
from warehouse.ledger.role_changes import change_role
from ytb.cli.output import emit, table
from ytb.cli.session import CALL

user_app = typer.Typer(no_args_is_help=True, help="用户与角色。")


@user_app.command("add")
def user_add(
    name: str,
    title: Annotated[str, typer.Option(help="姓名")],
    role: str,
    park: Annotated[str | None, typer.Option(help="所属:园区、分园、区域的代码,或市、省的名称")] = None,
    email: Annotated[str, typer.Option(help="邮箱")] = "",
    telephone: Annotated[str, typer.Option(help="手机")] = "",
    unit: Annotated[str | None, typer.Option(help="企业填报人员:本企业的统一社会信用代码")] = None,
) -> None:
    """登记用户。角色见 ytb user list。"""
    with CALL.office.ledger.write() as session:
        if park:
            scopes.require_node(session, park, CALL.now.date())
        if unit:
            require_in_register(session, park or "", unit, CALL.now.date())
        made = users.add_user(
            session, name, title=title, role=role, park=park, email=email, telephone=telephone, unit_id=unit,
            now=CALL.now, actor=CALL.who,
        )  # fmt: skip
    emit(made, f"已登记 {made.title}({made.name},{made.role})。")


@user_app.command("list")
def user_list() -> None:
    """列出用户与可用角色。"""
    with CALL.office.ledger.read() as session:
        found = users.users(session)
    lines = table(
        f"可用角色:{'、'.join(f'{role}({label})' for role, label in ROLES.items())}",
        ["用户名", "姓名", "角色", "所属", "停用"],
        [(u.name, u.title, u.role, u.park, "是" if u.disabled else "") for u in found],
    )
    emit({"users": found, "roles": list(ROLES)}, lines)


@user_app.command("role")
def user_role(
    name: str,
    role: str,
    reason: Annotated[str, typer.Option(help="原因,记入留痕")],
    park: Annotated[str | None, typer.Option(help="所属:园区、分园、区域的代码,或市的名称;按角色须写或不写")] = None,
) -> None:
    """更改用户的角色或所属;本人须重新登录,程序用的令牌作废。不能改自己的,唯一的管理员不能改。"""
    with CALL.office.ledger.write() as session:
        made = change_role(session, name, role=role, park=park, reason=reason, now=CALL.now, actor=CALL.who)
    emit(made, f"{made.title}({made.name})的角色已改为{made.role_label}。")


@user_app.command("disable")
def user_disable(name: str, reason: Annotated[str, typer.Option(help="原因,记入留痕")]) -> None:
    """停用用户;不能停用自己,唯一的管理员、审计员、省级统计人员不能停用。"""
    with CALL.office.ledger.write() as session:
        users.disable_user(session, name, now=CALL.now, actor=CALL.who, reason=reason)
    emit({"disabled": name}, f"已停用 {name}。")


@user_app.command("contact")
def user_contact(
    name: str,
    email: Annotated[str, typer.Option(help="邮箱,空为不用")] = "",
    telephone: Annotated[str, typer.Option(help="手机,空为不用")] = "",
    reason: Annotated[str, typer.Option(help="原因,记入留痕;更改已登记的须写")] = "",
) -> None:
    """更改用户的邮箱和手机(发通知用)。"""
    with CALL.office.ledger.write() as session:
        users.set_contact(session, name, email=email, telephone=telephone, now=CALL.now, actor=CALL.who, reason=reason)
    emit({"user": name, "email": email, "telephone": telephone}, f"已更改 {name} 的联系方式。")


@user_app.command("code")
def user_code(
    name: str,
    reason: Annotated[str, typer.Option(help="原因,记入留痕;账户已有口令的须写:原口令、登录和程序用的令牌作废")] = "",
) -> None:
    """生成门户的一次性代码,交给本人;首次登录后须更改。"""
    # The hash costs a package of its own modules; other commands need not load it.
    from warehouse.ledger import access
    from ytb.portal.passwords import Hasher, one_time_code

    code = one_time_code()
    kept = Hasher().hash(code)
    with CALL.office.ledger.write() as session:
        access.set_password(session, name, kept, one_time=True, now=CALL.now, actor=CALL.who, reason=reason)
    emit({"user": name, "code": code}, f"{name} 的一次性代码(只显示这一次):{code}")
