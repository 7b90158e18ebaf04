"""The mapping file of ``ytb records import`` (docs/formats/administrative-map.md): what a file of an authority says of which enterprise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.definitions import read_toml
from schemas.history_map import HistoryMap, history_map_of

ANY_PARK = "*"


@dataclass(frozen=True)
class Tolerance:
    """How far a record and a form may lie apart: percent of the record, or an amount in the indicator's unit; the wider counts."""

    percent: float = 0.0
    amount: float = 0.0


@dataclass(frozen=True)
class RecordsMap:
    """``by_code`` and ``by_name`` read the same cells, with the unit by its credit code and by its name; None where the file
    has no such column. ``unit_columns``: letters or heads of those columns, which hold no figures. ``tolerances``: code → its own, else ``tolerance``."""

    kind: str
    authority: str
    title: str
    by_code: HistoryMap | None
    by_name: HistoryMap | None
    unit_columns: frozenset[str]
    tolerance: Tolerance
    tolerances: Mapping[str, Tolerance]

    def tolerance_of(self, code: str) -> Tolerance:
        """The tolerance of an indicator."""
        return self.tolerances.get(code, self.tolerance)


def read_records_map(path: Path) -> RecordsMap:
    """Read a mapping file. Raises DefinitionError with the line where it breaks the format."""
    return records_map_of(read_toml(path, "administrative-map").data)


def records_map_of(data: Mapping[str, Any]) -> RecordsMap:
    """A mapping from its parsed TOML."""
    general = _tolerance(data.get("tolerance", {}), Tolerance())
    own = {
        str(named["code"]): _tolerance(named, general)
        for named in data["indicators"].values()
        if isinstance(named, Mapping)
    }
    columns = {c for table in data["table"] for key in ("unit", "unit_name") for c in _columns(table.get(key, {}))}
    return RecordsMap(
        data["kind"], data["authority"], data["title"], _with_units(data, "unit"), _with_units(data, "unit_name"),
        frozenset(columns), general, own,
    )  # fmt: skip


def _with_units(data: Mapping[str, Any], key: str) -> HistoryMap | None:
    """The tables as the history import reads them, the unit by ``key``; which park an enterprise is in the register knows."""
    if not all(key in table for table in data["table"]):
        return None
    places = [
        {
            **{k: v for k, v in table.items() if k not in ("unit", "unit_name")},
            "unit": table[key],
            "park": {"value": ANY_PARK},
        }
        for table in data["table"]
    ]
    return history_map_of({**data, "rounding": "nearest", "table": places})


def _columns(where: Mapping[str, Any]) -> tuple[str, ...]:
    given = where.get("column", ())
    return (given,) if isinstance(given, str) else tuple(given)


def _tolerance(given: Mapping[str, Any], otherwise: Tolerance) -> Tolerance:
    return Tolerance(
        float(given.get("percent", given.get("tolerance_percent", otherwise.percent))),
        float(given.get("amount", given.get("tolerance_amount", otherwise.amount))),
    )
