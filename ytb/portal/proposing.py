"""The register as it changes 名录变更: what parks apply for, and what reports state otherwise; filtered, a page at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from urllib.parse import parse_qs, urlencode

import polars as pl
from starlette.responses import Response

from pipelines.applying import edition_of
from schemas import reserved
from schemas.errors import RefusalError
from schemas.observations import names_of_units
from warehouse.ledger import proposals
from warehouse.ledger import register as unit_register
from warehouse.ledger.applications import applications as every_application
from warehouse.ledger.proposals import Proposal
from warehouse.ledger.restructurings import REGISTER_KINDS
from ytb.portal import pages
from ytb.portal.naming import park_names
from ytb.portal.visit import BEIJING, Visit

PER_PAGE = 50
OPEN = "open"
STATES = {OPEN: "待认定", "accepted": "已采纳", "rejected": "未采纳", "all": "全部"}
FILTERS = ("park", "code", "state", "text", "page")


@dataclass(frozen=True)
class Asked:
    """The filters of the page. ``text``: a part of name, credit code or either value."""

    park: str = ""
    code: str = ""
    state: str = OPEN
    text: str = ""
    page: int = 1

    @property
    def query(self) -> str:
        """The filters as an address carries them, without the page."""
        given = {
            "park": self.park,
            "code": self.code,
            "state": self.state if self.state != OPEN else "",
            "text": self.text,
        }
        return urlencode({name: value for name, value in given.items() if value})

    def at(self, page: int) -> str:
        """The address of a page of the list."""
        return f"/register?{self.query}{'&' if self.query else ''}page={page}"


def _asked(visit: Visit) -> Asked:
    """From the address; after a step from what its form carried along."""
    if visit.request.method == "POST":
        carried = {name: values[0] for name, values in parse_qs(visit.form.get("filters")[:500]).items()}
    else:
        carried = {name: visit.query(name) for name in FILTERS}
    page = carried.get("page", "")
    state = carried.get("state", "")
    return Asked(
        carried.get("park", ""), carried.get("code", ""), state if state in STATES else OPEN, carried.get("text", "").strip(),
        max(int(page), 1) if page.isascii() and page.isdigit() and len(page) < 6 else 1,
    )  # fmt: skip


def listing(visit: Visit) -> Response:
    """What parks apply for, and what basic forms state otherwise than the register: both wait for a date or a refusal."""
    asked = _asked(visit)
    with visit.office.ledger.read() as session:
        every = proposals.proposals(session, only_open=False)
        applied = every_application(session, only_open=False)
        register = unit_register.register_as_of(session, visit.now.date())
    names = names_of_units(register)
    found = _filtered(every, asked, names)
    pages_in_all = max((len(found) + PER_PAGE - 1) // PER_PAGE, 1)
    at = min(asked.page, pages_in_all)
    edition = visit.office.programme.edition_for(every[-1].period) if every else None
    labels = {code: one.name for code, one in edition.indicators.items()} if edition else {}
    labels = attribute_names(visit) | labels | {"sub_park": "分园", "park": "园区"}
    held = {
        row["unit_id"]: row for row in register.filter(pl.col("unit_id").is_in([a.unit_id for a in applied])).to_dicts()
    }
    return pages.page(
        visit, "proposals", name_code=reserved.NAME, shown=found[(at - 1) * PER_PAGE : at * PER_PAGE], count=len(found),
        open_count=sum(one.decision is None for one in every), names=names, labels=labels, parks=park_names(visit),
        filed_by=sorted({one.park for one in every}), codes=sorted({one.code for one in every}), asking=asked, at_page=at,
        page_count=pages_in_all, states=STATES, asked=[one for one in applied if one.decision is None],
        decided=[one for one in applied if one.decision][::-1][:20], kinds=REGISTER_KINDS, held=held,
        typed={n: visit.form.get(n) for n in ("effective", "reason")}, at=visit.application.id if visit.application else 0,
        at_proposal=visit.request.path_params.get("number", "") if visit.route.name == "decide_proposal" else "",
    )  # fmt: skip


def _filtered(every: Sequence[Proposal], asked: Asked, names: Mapping[str, str]) -> list[Proposal]:
    """Those that are asked for: open ones oldest first, decided ones newest first."""
    decision = None if asked.state == OPEN else asked.state
    found = [
        one
        for one in every
        if (asked.state == "all" or one.decision == decision)
        and (not asked.park or one.park == asked.park)
        and (not asked.code or one.code == asked.code)
        and (not asked.text or any(asked.text in (text or "") for text in (
            names.get(one.unit_id), one.unit_id, one.register_value, one.reported_value, one.number
        )))
    ]  # fmt: skip
    return found if asked.state == OPEN else found[::-1]


def attribute_names(visit: Visit) -> dict[str, str]:
    """Code → name of what the register holds of a unit, as the form of the day calls it."""
    edition = edition_of(visit.office.programme, visit.now.astimezone(BEIJING).date())
    return {code: one.name for code, one in edition.indicators.items()} | {"sub_park": "分园", "park": "园区"}


def decide(visit: Visit) -> Response:
    """Take a proposal into the register from a day on, or refuse it with a reason; back to the same page of the list."""
    text = visit.request.path_params["number"]
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 12 else 0
    form = visit.form
    with visit.office.ledger.write() as session:
        if form.get("decision") == "accept":
            try:
                effective = date.fromisoformat(form.get("effective"))
            except ValueError:
                raise RefusalError("采纳须填写生效日期,如 2025-01-01。") from None
            proposals.accept_proposal(
                session, number, effective, now=visit.now, actor=visit.who.name, reason=form.get("reason")
            )
        else:
            proposals.reject_proposal(session, number, now=visit.now, actor=visit.who.name, reason=form.get("reason"))
    asked = _asked(visit)
    return pages.go(asked.at(asked.page), "decided")
