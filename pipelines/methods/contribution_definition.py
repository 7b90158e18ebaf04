"""What ``contribution.toml`` says: items set against province and city, ratios set against an average."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from schemas.definitions import Definition

PROVINCE: Final = "province"
CITY: Final = "city"


@dataclass(frozen=True)
class Item:
    """One amount of an area beside the same amount of the whole it belongs to. ``deflator`` may be empty."""

    id: str
    name: str
    unit_measure: str
    decimals: int
    reference: str
    own: str
    whole: str
    deflator: str


@dataclass(frozen=True)
class Ratio:
    """One ratio of an area beside the average; ``whole`` is empty where province and city have no figure for it."""

    id: str
    name: str
    unit_measure: str
    decimals: int
    own: str
    whole: str


@dataclass(frozen=True)
class Contribution:
    """The definition of an edition. ``increment_minimum`` in percent of last year's whole."""

    increment_minimum: float
    base_year: int
    items: tuple[Item, ...]
    ratios: tuple[Ratio, ...]


def parse_contribution(definition: Definition) -> Contribution:
    """The definition as the method reads it (its format is checked when the edition is loaded)."""
    data = definition.data
    return Contribution(
        float(data["increment_minimum"]),
        int(data["base_year"]),
        tuple(
            Item(
                e["id"], e["name"], e["unit_measure"], int(e.get("decimals", 0)), e["reference"], e["own"], e["whole"],
                e.get("deflator", ""),
            )
            for e in data["item"]
        ),
        tuple(
            Ratio(e["id"], e["name"], e["unit_measure"], int(e.get("decimals", 2)), e["own"], e.get("whole", ""))
            for e in data.get("ratio", ())
        ),
    )  # fmt: skip
