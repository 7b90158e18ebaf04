"""The mapping file of ``ytb import-history`` (docs/formats/history-map.md): where a foreign workbook says what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from schemas.definitions import read_toml

DIMENSIONS = ("period", "park", "unit", "indicator", "unit_measure")


@dataclass(frozen=True)
class Where:
    """Where a dimension of a figure stands: the same everywhere (``value``), in columns of its row (``columns``: letters or
    heads), in head rows above it (``head``: Excel rows), or as the name of the sheet. Several texts are put together."""

    value: str = ""
    columns: tuple[str, ...] = ()
    head: tuple[int, ...] = ()
    is_sheet: bool = False


@dataclass(frozen=True)
class ForeignTable:
    """One table of a foreign workbook. Rows are Excel rows; ``columns`` limits the columns with figures (letters)."""

    sheet: str | int
    head_rows: tuple[int, ...]
    first_row: int
    last_row: int | None
    columns: tuple[str, ...]
    skip_rows: tuple[str, ...]
    fill_down: bool
    at: Mapping[str, Where]


@dataclass(frozen=True)
class Named:
    """What a foreign label means: a code, and the unit of measure of its figures where the table does not say."""

    code: str
    unit_measure: str = ""


@dataclass(frozen=True)
class HistoryMap:
    """A whole mapping. ``labels``: dimension → foreign label → what it means; ``ignored``: dimension → labels to leave out."""

    title: str
    rounds: bool
    tables: tuple[ForeignTable, ...]
    labels: Mapping[str, Mapping[str, Named]] = field(default_factory=dict)
    ignored: Mapping[str, frozenset[str]] = field(default_factory=dict)


def read_history_map(path: Path) -> HistoryMap:
    """Read a mapping file. Raises DefinitionError with the line where it breaks the format."""
    return history_map_of(read_toml(path, "history-map").data)


def history_map_of(data: Mapping[str, Any]) -> HistoryMap:
    """A mapping from its parsed TOML."""
    sections = {"period": "periods", "park": "parks", "unit": "units", "indicator": "indicators"}
    labels = {d: {k: _named(v) for k, v in data.get(name, {}).items()} for d, name in sections.items()}
    ignored = {d: frozenset(data.get("ignore", {}).get(name, ())) for d, name in sections.items()}
    tables = tuple(_table(one) for one in data["table"])
    return HistoryMap(data.get("title", ""), data.get("rounding", "refuse") == "nearest", tables, labels, ignored)


def _named(given: str | Mapping[str, str]) -> Named:
    return Named(given) if isinstance(given, str) else Named(given["code"], given.get("unit_measure", ""))


def _table(one: Mapping[str, Any]) -> ForeignTable:
    head = tuple(one.get("head_rows", ()))
    return ForeignTable(
        one.get("sheet", 1),
        head,
        one.get("first_row", max(head, default=0) + 1),
        one.get("last_row"),
        _listed(one.get("columns", ())),
        tuple(one.get("skip_rows", ())),
        one.get("fill_down", False),
        {dimension: _where(one[dimension]) for dimension in DIMENSIONS if dimension in one},
    )


def _where(given: Mapping[str, Any]) -> Where:
    return Where(
        str(given.get("value", "")),
        _listed(given.get("column", ())),
        tuple(given["head"]) if isinstance(given.get("head"), list) else (given["head"],) if "head" in given else (),
        bool(given.get("sheet", False)),
    )


def _listed(given: str | list[str] | tuple[str, ...]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)
