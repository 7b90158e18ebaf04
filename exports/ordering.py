"""The order readers expect: parks as in the register, indicators as printed, totals first, codes by their numbers."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

from schemas.errors import DefinitionError
from schemas.marts import MARTS
from schemas.model import Edition, Programme, PublicationTable
from schemas.period import Period
from schemas.roles import Roles, roles_of

DIMENSIONS: Final = ("table", "period", "area", "breakdown", "category", "indicator", "measure")
TOTAL: Final = "T"
INDEX_TOTAL: Final = "TOTAL"
_QUARTERS: Final = ("一", "二", "三", "四")
_DIGITS: Final = re.compile(r"(\d+)")

Rank = tuple[Any, ...]


@cache
def publication() -> Mapping[str, Any]:
    """The parsed ``publication.toml`` beside this file."""
    return tomllib.loads((Path(__file__).parent / "publication.toml").read_text(encoding="utf-8"))


def natural(text: str) -> Rank:
    """Key under which X2 comes before X10."""
    return tuple((1, int(part), "") if part.isdigit() else (0, 0, part) for part in _DIGITS.split(text) if part)


def period_title(text: str) -> str:
    """A period as a head of a column: 2015年, 2015年二季度, 2015年上半年; other text as it is."""
    try:
        period = Period.parse(text)
    except DefinitionError:
        return text
    if period.quarter:
        return f"{period.year}年{_QUARTERS[period.quarter - 1]}季度"
    return f"{period.year}年{'上' if period.half == 1 else '下'}半年" if period.half else f"{period.year}年"


@dataclass(frozen=True)
class Ordering:
    """Ranks and labels of the dimension values of one programme."""

    ranks: Mapping[str, Mapping[str, int]]
    labels: Mapping[str, Mapping[str, str]]
    depths: Mapping[str, int] = field(default_factory=dict)  # indicator → indent below the item it belongs to
    table_notes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # table → what its definition says of it
    roles: Roles = field(default_factory=Roles)  # of the newest edition: what readers look for first

    def rank(self, dimension: str, code: str) -> Rank:
        """Sort key of ``code``: known codes in their order, then the others by natural order."""
        if dimension == "category" and code == TOTAL:
            return (0,)
        known = self.ranks.get(dimension, {}).get(code)
        if known is None and dimension == "category":
            known = self.ranks.get("area", {}).get(code)  # parks as categories follow the register too
        return (1, known) if known is not None else (2, natural(code))

    def label(self, dimension: str, code: str, name: str = "") -> str:
        """What a reader sees for ``code``; the mart's own name goes first."""
        if name:
            return name
        if dimension == "period":
            return period_title(code)
        return self.labels.get(dimension, {}).get(code, code)


def ordering_of(programme: Programme) -> Ordering:
    """Order and labels from the register, the forms, the systems and the tables of all editions."""
    spec = publication()
    parks = programme.codelists["parks"].rows["code"].to_list() if "parks" in programme.codelists else []
    tables: dict[str, int] = {name: n for n, name in enumerate(spec["order"]["table"])}
    titles: dict[str, str] = dict(spec["label"]["table"])
    indicators: dict[str, int] = {code: n for n, code in enumerate(spec["order"]["indicator"])}
    depths: dict[str, int] = {}
    notes: dict[str, tuple[str, ...]] = {}
    for edition in programme.editions.values():
        for code, depth in _indicators(edition):
            indicators.setdefault(code, len(indicators))
            depths.setdefault(code, depth)
        for table in edition.tables:
            tables.setdefault(table.id, len(tables))
            titles.setdefault(table.id, f"{table.id} {table.title}")
            notes[table.id] = _table_notes(table)
        for scheme in sorted(edition.schemes.values(), key=lambda s: str(s.data.get("purpose", "")) != "evaluation"):
            tables.setdefault(scheme.data["id"], len(tables))
            titles.setdefault(scheme.data["id"], scheme.data["title"])
            said = {"来源": scheme.data.get("source"), "说明": scheme.data.get("note")}
            notes[scheme.data["id"]] = tuple(f"{name}:{text}" for name, text in said.items() if text)
    return Ordering(
        ranks={
            "area": {code: n for n, code in enumerate([*spec["order"]["area"], *parks])},
            "indicator": indicators,
            "table": tables,
            "breakdown": {code: n for n, code in enumerate(spec["order"]["breakdown"])},
            "measure": {code: n for n, code in enumerate(spec["order"]["measure"])},
        },
        labels={"table": titles, "breakdown": dict(spec["label"]["breakdown"])},
        depths=depths,
        table_notes=notes,
        roles=roles_of(list(programme.editions.values())[-1]),
    )


def _table_notes(table: PublicationTable) -> tuple[str, ...]:
    """Reference period, population and the note of a table, as its definition has them."""
    said = {"参考期": table.definition.get("reference"), "总体": table.definition.get("population")}
    own = table.definition.get("note")
    return (*(f"{name}:{text}。" for name, text in said.items() if text), *([str(own)] if own else []))


def _indicators(edition: Edition) -> Iterator[tuple[str, int]]:
    """Codes as printed with their indent: forms, then each index as total, dimension, its indicators, then warnings."""
    for code in edition.indicators:
        yield code, 0
    for system in edition.indexes.values():
        yield INDEX_TOTAL, 0
        for dimension in system.dimensions:
            yield dimension.partition(" ")[0], 0
            for indicator in system.indicators:
                if indicator.dimension == dimension:
                    yield indicator.id, 1
    for scheme in edition.schemes.values():
        yield from _of_scheme(scheme.data)
    for warning in edition.warnings:
        yield warning.id, 0


def _of_scheme(data: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """Groups of a scheme, each with its indicators below it, in printed order."""
    for group in data["group"]:
        yield group["id"], 0
        for item in data["indicator"]:
            if item["parent"] == group["id"]:
                yield item["id"], 1


def mart_title(name: str) -> str:
    """Chinese title of a mart or of a table a release makes itself; the name where it is neither."""
    # A table a release makes itself goes before an internal mart of the same name, which no release holds.
    made = publication()["made"].get(name, {}).get("title")
    return str(made) if made else MARTS[name].title if name in MARTS else name


def mart_product(name: str) -> str:
    """The product a mart belongs to; a product of its own where nobody says."""
    return MARTS[name].product if name in MARTS else str(publication()["made"].get(name, {}).get("product", name))
