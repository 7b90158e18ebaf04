"""The tree of parks and who acts for which part of it: province, city or area, zone, sub-park where it reports itself.

A node is the code of a line of the park register, or the name of a city or a province as the register has it. Null is
the whole installation. The tree of a day follows from the register alone, so nothing has to be kept in step with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy.orm import Session

from schemas.errors import RefusalError
from warehouse.ledger.parks import Park, parks


@dataclass(frozen=True)
class Node:
    """A place in the tree: what is written in an account, how people read it, and what kind of place it is."""

    key: str
    name: str
    kind: str


def nodes(session: Session, day: date) -> list[Node]:
    """Every node there is on a day: provinces, cities, areas, zones, sub-parks; each kind in order of its key."""
    there = parks(session, day)
    zones = [one for one in there if one.kind == "zone"]
    provinces = sorted({one.province for one in zones if one.province})
    cities = sorted({one.city for one in zones if one.city})
    found = [Node(name, name, "province") for name in provinces] + [Node(name, name, "city") for name in cities]
    for kind in ("area", "zone", "sub_park", "base"):
        found += [Node(one.code, one.short_name or one.name, kind) for one in there if one.kind == kind]
    return found


def within(register: Sequence[Park], node: str) -> frozenset[str]:
    """The codes of all parks at or below a node; empty where the register does not know it."""
    if not node:  # an attribute that the register leaves open is nobody's node
        return frozenset()
    zones = {
        one.code
        for one in register
        if one.kind == "zone" and (node in (one.code, one.province, one.city) or node in one.groups.split(";"))
    }
    below = {one.code for one in register if one.zone in zones and one.kind in ("sub_park", "base")}
    itself = {one.code for one in register if one.code == node}
    return frozenset(zones | below | itself)


def parks_within(session: Session, node: str | None, day: date) -> frozenset[str] | None:
    """The parks somebody who acts for ``node`` sees on a day; None: all."""
    return None if node is None else within(parks(session, day), node)


def covers(session: Session, node: str | None, park: str, day: date) -> bool:
    """Whether a park lies at or below a node on a day."""
    found = parks_within(session, node, day)
    return found is None or park in found


def require_node(session: Session, node: str, day: date) -> None:
    """Raise RefusalError for a node the register does not know on a day."""
    if not within(parks(session, day), node):
        raise RefusalError(f"园区名录中没有“{node[:40]}”:请用园区、分园、区域的代码,或市、省的名称。")
