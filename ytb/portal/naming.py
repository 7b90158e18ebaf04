"""Names beside codes: what the register calls an enterprise."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from sqlalchemy.orm import Session

from schemas.observations import names_of_units
from warehouse.ledger.approvals import approval_of
from warehouse.ledger.parks import parks
from warehouse.ledger.register import register_as_of
from warehouse.ledger.states import State
from warehouse.ledger.submissions import Submission
from ytb.portal.visit import Visit


def unit_names(visit: Visit, day: date, park: str | None = None) -> dict[str, str]:
    """Enterprise → its name in the register on a day, of one park or of all; those without a name are absent."""
    with visit.office.ledger.read() as session:
        listed = register_as_of(session, day, park=park)
    return names_of_units(listed)


def awaiting(session: Session, found: Iterable[Submission]) -> frozenset[str]:
    """The numbers of those that wait for the approver of their park."""
    ready = (one.number for one in found if one.state is State.EXPLAINED)
    asked = ((number, approval_of(session, number)) for number in ready)
    return frozenset(number for number, approval in asked if approval is not None and approval.is_waiting)


def park_names(visit: Visit) -> dict[str, str]:
    """Park → its name."""
    with visit.office.ledger.read() as session:
        return {one.code: one.name for one in parks(session)}
