"""How the groups of this programme's marts nest: areas, zones, sub-parks; industry sections and divisions."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.methods.areas import areas_of
from pipelines.methods.disclosure.atoms import Identity, Layout
from schemas.model import Programme
from schemas.period import Period

AREA_BREAKDOWNS = frozenset({"zone", "park", "sub_park"})


def programme_layout(programme: Programme, period: Period, identities: Sequence[Identity] = ()) -> Layout:
    """The layout of all marts of a period: zones add up to their areas, sub-parks to their zone, divisions to sections.

    Source: park register (survey_system.md 2.2), GB/T 4754 (codelist ``gbt4754_upper``).
    """
    areas = areas_of(programme.codelists["parks"].valid(period.end))
    up: dict[str, list[str]] = {}
    for area in areas.values():
        if area.kind == "area":
            for zone in area.zones:
                up.setdefault(zone, []).append(area.code)
        elif area.is_sub_park and area.zone:
            up.setdefault(area.code, []).append(area.zone)
    upper = programme.codelists["gbt4754_upper"].valid(period.end)
    sections = {row["code"]: row["parent"] for row in upper.iter_rows(named=True) if row.get("level") == "division"}
    return Layout(
        area_parents={code: tuple(parents) for code, parents in up.items()},
        area_breakdowns=AREA_BREAKDOWNS,
        parents={("division", code): ("section", parent) for code, parent in sections.items() if parent},
        identities=tuple(identities),
    )
