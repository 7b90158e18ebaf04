"""Which parks and sub-parks make an area, and which area a plan means.

The park register (code list ``parks``) is the only source: ``kind`` area, zone, sub_park or base; ``groups`` names the
areas a zone is added up into, ``zone`` the zone of a sub-park. Source: survey_system.md 2.2 and 8.4.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import polars as pl

from schemas.period_data import PeriodData

SUB_KINDS: Final = ("sub_park", "base")
QUALIFIER: Final = "-"


@dataclass(frozen=True)
class Area:
    """One area of the register. ``zones`` are its member zones (itself for a zone, none for a sub-park);
    ``zone`` the zone a sub-park lies in; ``lookup`` where context figures are looked for: itself, its city, its province.
    """

    code: str
    name: str
    short_name: str
    kind: str
    zones: tuple[str, ...]
    zone: str
    lookup: tuple[str, ...]

    @property
    def is_sub_park(self) -> bool:
        """A sub-park or an industrial base: units are found by their sub-park code, not by who files."""
        return self.kind in SUB_KINDS


def areas_of(parks: pl.DataFrame) -> dict[str, Area]:
    """Every area of the register rows in force (``Codelist.valid(period.end)``), in register order.

    An area whose code stands in no ``groups`` column has no members: nothing is added up for it, only context figures
    and the plan's own values can be shown (两市 and 核心创新区 overlap other parks and must not be added).
    """
    rows = parks.to_dicts()
    members: dict[str, list[str]] = {}
    for row in rows:
        if row["kind"] == "zone":
            for group in filter(None, row["groups"].split(";")):
                members.setdefault(group, []).append(row["code"])
    return {row["code"]: _area(row, members) for row in rows}


def _area(row: Mapping[str, str], members: Mapping[str, list[str]]) -> Area:
    code, kind = row["code"], row["kind"]
    zones = {"zone": (code,), "area": tuple(sorted(members.get(code, ())))}.get(kind, ())
    return Area(
        code=code,
        name=row["name"],
        short_name=row["short_name"] or row["name"],
        kind=kind,
        zones=zones,
        zone=row["zone"],
        lookup=tuple(dict.fromkeys((code, *divisions_above(row["division_code"])))),
    )


def divisions_above(division: str) -> tuple[str, ...]:
    """City and province of a county code, province of a city code (GB/T 2260: two digits a level)."""
    if len(division) != 6:
        return ()
    city, province = division[:4] + "00", division[:2] + "0000"
    return tuple(code for code in dict.fromkeys((city, province)) if code != division or division.endswith("00"))


def memberships(areas: Iterable[Area]) -> pl.DataFrame:
    """(area, kind, park) of every area that has member zones: the frame units are joined to by the park that files."""
    pairs = [(a.code, a.kind, zone) for a in areas for zone in a.zones]
    return pl.DataFrame(sorted(pairs), schema={"area": pl.String, "kind": pl.String, "park": pl.String}, orient="row")


def lookups(areas: Iterable[Area]) -> dict[str, tuple[str, ...]]:
    """Area code → codes to look up in the context form, nearest first (``Environment.areas``)."""
    return {a.code: a.lookup for a in areas}


@dataclass(frozen=True)
class Resolution:
    """What the area text of a plan stands for. ``code`` is empty where the register has no such name, or two;
    ``qualifier`` is what follows the area (``化工产业`` in 兰白试验区-化工产业): a part that no park reports."""

    text: str
    code: str
    qualifier: str = ""
    problem: str = ""


def resolve(text: str, areas: Mapping[str, Area]) -> Resolution:
    """The area a plan names by code, name or short name; a qualifier after the last ``-`` is split off.

    A whole match comes before a split one; among equal names an area or zone comes before a sub-park.
    """
    text = text.strip()
    whole = _matches(text, areas)
    if len(whole) == 1:
        return Resolution(text, whole[0])
    if len(whole) > 1:
        return Resolution(text, "", problem=f"“{text}”在园区名录中对应 {'、'.join(whole)},不能确定是哪一个")
    head, dash, qualifier = text.rpartition(QUALIFIER)
    if dash:
        found = resolve(head, areas)
        if found.code:
            return Resolution(text, found.code, qualifier)
    return Resolution(text, "", problem=f"“{text}”不在园区名录内")


def _matches(text: str, areas: Mapping[str, Area]) -> list[str]:
    if text in areas:
        return [text]
    named = [a for a in areas.values() if text in (a.name, a.short_name)]
    above = [a.code for a in named if not a.is_sub_park]
    return above or [a.code for a in named]


def unresolved(texts: Iterable[str], areas: Mapping[str, Area]) -> dict[str, str]:
    """Area text → problem, for every text the register does not know; sorted, so that a lint prints it the same way."""
    found = {text: resolve(text, areas) for text in texts}
    return {text: found[text].problem for text in sorted(found) if not found[text].code}


def areawise(data: PeriodData, areas: Mapping[str, Area], codes: Iterable[str]) -> PeriodData:
    """The observations with a column ``area``, one copy of a row for every area of ``codes`` it belongs to.

    For ``aggregate(…, by=["area"])``: the total of an area and of its zones comes out of one call. A unit belongs to the
    areas its zone is a member of, and to its own sub-park.
    """
    wanted = [areas[code] for code in codes]
    by_park = memberships(wanted).select("park", "area")
    subs = pl.DataFrame(
        {"sub_park": [a.code for a in wanted if a.is_sub_park]}, schema={"sub_park": pl.String}
    ).with_columns(area=pl.col("sub_park"))

    def spread(frame: pl.DataFrame) -> pl.DataFrame:
        plain = frame.drop("area", strict=False)
        zones = plain.join(by_park, on="park", how="inner", maintain_order="left")
        if "sub_park" not in plain.columns or not subs.height:
            return zones
        below = plain.join(subs, on="sub_park", how="inner", maintain_order="left")
        return pl.concat([zones, below.select(zones.columns)])

    return replace(
        data, rosters={name: spread(frame) for name, frame in data.rosters.items()}, parks=spread(data.parks)
    )
