"""Accounts for the demo, one a role, with passwords printed once; and a round to try them on."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from pipelines.intake import Office
from schemas.period import Period
from warehouse.ledger import access, periods
from warehouse.ledger.enterprise_accounts import add_enterprise_account
from warehouse.ledger.models import ROLES
from warehouse.ledger.parks import parks
from warehouse.ledger.register import register_as_of
from warehouse.ledger.users import ENTERPRISE, add_user, users
from ytb.portal.passwords import Hasher

ACTOR = "演示"
#: Login → role and name. The names are made up; people are shown by them on every page.
OTHERS = {
    "province": ("province_statistician", "陈统计"),
    "reviewer": ("reviewer", "王审核"),
    "reviewer2": ("reviewer", "周复核"),
    "publisher": ("publisher", "刘发布"),
    "admin": ("administrator", "赵系统"),
    "security": ("security_administrator", "钱安全"),
    "auditor": ("auditor", "孙审计"),
    "analyst": ("analyst", "李分析"),
    "assessor": ("assessor", "郑评估"),
}


def seed_demo_accounts(office: Office, now: datetime) -> list[tuple[str, str, str]]:
    """Make an account for every park with units, for every role, an approver for one park, and one for one enterprise: (role as
    people read it, name, password).

    The passwords are random and known to nobody else; accounts that exist are left alone and not listed. Opens the
    round of the last quarter before ``now`` for a month where no round is open, so that there is something to file.
    """
    with office.ledger.write() as session:
        zones = [one for one in parks(session, now.date()) if one.kind == "zone"]
        units = register_as_of(session, now.date())
        with_units = set(units["park"]) if units.height else set()
        wanted: list[tuple[str, str, str, str | None]] = [
            (f"park-{one.code.lower()}", f"{one.short_name or one.name}填报员", "park_reporter", one.code)
            for one in zones
            if one.code in with_units
        ]
        wanted += [(name, title, role, None) for name, (role, title) in OTHERS.items()]
        # One park reports through an approver, the others alone: both ways can be tried.
        if reporters := [code for _, _, role, code in wanted if role == "park_reporter"]:
            wanted.append((f"approver-{str(reporters[-1]).lower()}", "吴负责", "park_approver", reporters[-1]))
        if cities := sorted({one.city for one in zones if one.city and one.code in with_units}):
            wanted.append(("city", f"{cities[0]}统计局冯某", "city", cities[0]))
        firms = [
            row
            for row in units.sort("unit_id").select("unit_id", "park").iter_rows()
            if row[1] in {z.code for z in zones}
        ]
        known = {one.name for one in users(session)}
        if not any(one.is_open for one in periods.rounds(session).values()):
            _open(session, office, now)
    made = []
    for name, title, role, park in wanted:
        if name in known:
            continue
        with office.ledger.write() as session:
            add_user(session, name, title=title, role=role, park=park, now=now, actor=ACTOR)
        made.append((f"{ROLES[role]}({title}{f',{park}' if park else ''})", name, _open_door(office, name, now)))
    if firms and firms[0][0] not in known:
        unit, park = firms[0]
        with office.ledger.write() as session:
            add_enterprise_account(session, park=park, unit_id=unit, title="企业填报员", now=now, actor=ACTOR)
        made.append((f"{ROLES[ENTERPRISE]}({park} {unit})", unit, _open_door(office, unit, now)))
    return made


def _open_door(office: Office, name: str, now: datetime) -> str:
    """A password for a new account."""
    password = _readable_password()
    kept = Hasher().hash(password)
    with office.ledger.write() as session:
        access.set_password(session, name, kept, one_time=False, now=now, actor=ACTOR)
    return password


def _open(session: Session, office: Office, now: datetime) -> None:
    quarter = (now.month - 1) // 3
    period = Period(now.year, quarter=quarter) if quarter else Period(now.year - 1, quarter=4)
    edition = office.programme.edition_for(period).id
    periods.open_round(
        session, period, edition=edition, deadline=now + timedelta(days=30), now=now, actor=ACTOR, reason="演示"
    )  # fmt: skip


def _readable_password() -> str:
    letters = "abcdefghjkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(letters) for _ in range(5)) for _ in range(4))
