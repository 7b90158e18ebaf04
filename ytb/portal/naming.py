"""Names beside codes: what the register calls an enterprise."""

from __future__ import annotations

from datetime import date

from warehouse.ledger.parks import parks
from warehouse.ledger.register import register_as_of
from ytb.portal.visit import Visit


def unit_names(visit: Visit, day: date, park: str | None = None) -> dict[str, str]:
    """Enterprise → its name in the register on a day, of one park or of all; those without a name are absent."""
    with visit.office.ledger.read() as session:
        listed = register_as_of(session, day, park=park)
    if listed.is_empty() or "B02" not in listed.columns:
        return {}
    return dict(listed.select("unit_id", "B02").drop_nulls().iter_rows())


def park_names(visit: Visit) -> dict[str, str]:
    """Park → its name."""
    with visit.office.ledger.read() as session:
        return {one.code: one.name for one in parks(session)}
