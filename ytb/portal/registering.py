"""Applications to the register 名录变动申请: the park asks with papers, the statistician decides with a date and a reason."""

from __future__ import annotations

from datetime import date

from starlette.responses import Response

from pipelines.applying import apply_for, stated_of
from pipelines.register_file import LISTED
from schemas import reserved
from schemas.errors import RefusalError
from schemas.observations import names_of_units
from sources.evidence import KINDS
from warehouse.ledger.applications import (
    NewApplication,
    applications,
    approve_application,
    decline_application,
)
from warehouse.ledger.intake import clean_file_name
from warehouse.ledger.parks import park as park_on
from warehouse.ledger.parks import parks
from warehouse.ledger.register import register_as_of
from warehouse.ledger.restructurings import REGISTER_KINDS, RESTRUCTURING_KINDS
from ytb.portal import pages, problems
from ytb.portal.proposing import attribute_names
from ytb.portal.visit import BEIJING, Visit

MOST_CHANGES = 3
FIELDS = ("kind", "unit_id", "basis", "to_park", "sub_park", "others")
MOST_OTHERS = 50


def listing(visit: Visit) -> Response:
    """What the park asked for and what became of it, and the forms to ask."""
    code, day = visit.who.park or "", visit.now.astimezone(BEIJING).date()
    with visit.office.ledger.read() as session:
        park = park_on(session, code, day)
        mine = applications(session, park=code, only_open=False)
        every = parks(session, day)
        listed = register_as_of(session, day, park=code)
    names = names_of_units(listed)
    form, stated = visit.form, stated_of(visit.office.programme, day)
    typed = {name: form.get(name) for name in (*FIELDS, *stated)}
    typed["unit_id"] = typed["unit_id"] or visit.query("unit")
    typed["kind"] = typed["kind"] or visit.query("kind")
    return pages.page(
        visit, "applications", park=park, found=mine[::-1], kinds=REGISTER_KINDS, names=names, labels=attribute_names(visit),
        zones=[one for one in every if one.kind == "zone"], below=[one for one in every if one.zone == code],
        asked=stated, name_code=reserved.NAME, typed=typed, most_changes=MOST_CHANGES, accept=",".join(KINDS),
    )  # fmt: skip


def apply(visit: Visit) -> Response:
    """Put an application with its papers on record."""
    form, park = visit.form, visit.who.park or ""
    kind = form.get("kind")
    to_park = park if kind == "entry" else form.get("to_park") if kind == "move" else ""
    asked = NewApplication(
        kind, form.get("unit_id").upper(), park, form.get("basis")[:300], to_park,
        form.get("sub_park") if kind in ("entry", "move") else "", _attributes(visit, kind),
        _others(form.get("others")) if kind in RESTRUCTURING_KINDS else (),
    )  # fmt: skip
    papers = [(clean_file_name(one.name), one.read()) for one in form.files]
    apply_for(visit.office, asked, papers, visit.portal.pool, now=visit.now, actor=visit.who.name, of_park=park)
    return pages.go("/applications", "applied")


def _others(text: str) -> tuple[str, ...]:
    """The codes of the other units of a merger or split, one a line or with marks between them."""
    found = tuple(code.upper() for code in LISTED.split(text.strip()) if code)
    if len(found) > MOST_OTHERS:
        raise RefusalError(f"一次最多写 {MOST_OTHERS} 个单位。")
    return found


def _attributes(visit: Visit, kind: str) -> dict[str, str | None]:
    """Entry: what was filled in; change: code and new value of each line."""
    form = visit.form
    if kind == "entry":
        if not form.get(reserved.NAME):
            raise RefusalError("新增须填写单位详细名称。")
        return {
            code: form.get(code)[:200]
            for code in stated_of(visit.office.programme, visit.now.astimezone(BEIJING).date())
            if form.get(code)
        }
    if kind != "change":
        return {}
    codes, values = form.all("code"), form.all("value")
    if len(codes) != len(values):
        raise problems.BAD_FORM
    lines = [(code.strip(), value.strip()[:200]) for code, value in zip(codes, values, strict=True) if code.strip()]
    if any(not value for _, value in lines):
        raise RefusalError("请填写变更后的内容。")
    return dict(lines)


def evidence(visit: Visit) -> Response:
    """A paper of an application, to keep; never shown in the browser."""
    text, papers = visit.request.path_params["position"], visit.asked.evidence
    at = int(text) - 1 if text.isascii() and text.isdigit() and len(text) < 4 else -1
    if not 0 <= at < len(papers):
        raise problems.NOT_FOUND
    sha256, name = papers[at]
    return pages.download(visit.office.vault.read(sha256), name, "application/octet-stream")


def decide(visit: Visit) -> Response:
    """Take what was asked for into the register from a day on, or decline it with a reason."""
    form, number = visit.form, visit.asked.id
    with visit.office.ledger.write() as session:
        match form.get("decision"):
            case "approve":
                try:
                    effective = date.fromisoformat(form.get("effective"))
                except ValueError:
                    raise RefusalError("同意须填写生效日期,如 2025-01-01。") from None
                approve_application(
                    session, number, effective, now=visit.now, actor=visit.who.name, reason=form.get("reason")[:300]
                )
            case "decline":
                decline_application(
                    session, number, now=visit.now, actor=visit.who.name, reason=form.get("reason")[:300]
                )
            case _:
                raise problems.BAD_FORM
    return pages.go("/register", "decided")
