"""How the groups of this programme's marts nest: areas, zones, sub-parks; industry sections and divisions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from pipelines.methods.areas import areas_of
from pipelines.methods.disclosure.atoms import Identity, Layout, Term
from pipelines.methods.innovation_definition import PRODUCT, identities_of, innovation_definitions
from pipelines.methods.monitoring_terms import NAMES
from schemas.environment import environment_for
from schemas.model import Programme
from schemas.period import Period

AREA_BREAKDOWNS = frozenset({"zone", "park", "sub_park"})


# Terms of monitoring that add up (docs/methods/monitoring.md); "previous" is the same sum in the quarter before.
_MONITORING: Final = (
    ("level", (("comparable", ""), ("rest", ""))),
    ("level", (("matched", ""), ("unmatched", ""))),
    ("level", (("answered", ""), ("estimates", ""))),
    ("comparable", (("answered_now", ""), ("estimates_now", ""))),
    ("published", (("matched_base", ""), ("leavers", ""))),
    ("level", (("printed", ""), ("correction", ""), ("discrete", ""), ("perimeter", ""))),
    ("kept", (("kept_before", ""), ("discrete", ""))),
    ("previous", (("printed", ""), ("correction", ""))),
    ("printed", (("level", "previous"),)),
)


def monitoring_identities(codes: Iterable[str]) -> tuple[Identity, ...]:
    """What adds up in quarterly monitoring for each additive indicator: levels, discrete quarters, perimeter, corrections."""
    return tuple(
        Identity(
            Term(NAMES[total].format(x=code)), tuple(Term(NAMES[term].format(x=code), back) for term, back in parts)
        )
        for code in codes
        for total, parts in _MONITORING
    )


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


def release_layout(programme: Programme, period: Period) -> Layout:
    """The layout of a whole release: the nesting of its groups and every sum its products say adds up."""
    edition = programme.edition_for(period)
    additive = [i.code for form in edition.forms.values() for i in form.shown(period) if i.additive]
    found: list[Identity] = list(monitoring_identities(additive)) if period.round == "Q" else []
    if period.round == "A" and any(t.product == PRODUCT for t in edition.tables):
        env = environment_for(programme, period, edition=edition)
        found += identities_of(innovation_definitions(edition), env)
    return programme_layout(programme, period, found)
