"""A table as the rule language sees it: columns with a kind, the cells as values and as they stood in the file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import polars as pl

from schemas.variables import Kind


@dataclass(frozen=True)
class Column:
    """One column. ``declared``: its type stands in the rule file, else it was read off the cells; ``blank``: no cell is filled."""

    name: str
    kind: Kind
    declared: bool = False
    blank: bool = False


@dataclass(frozen=True)
class Unreadable:
    """A cell that is not what its declared type says; it counts as a finding, its value as unknown."""

    row: int
    line: int
    column: str
    found: str
    expected: str


@dataclass(frozen=True)
class Table:
    """One table. ``values`` and ``raw`` have the same columns and rows; null is a blank cell in both.

    Exact numbers are Decimal(38, decimals) whatever their size, so that no sum can wrap around. ``lines`` is the line of each
    record in its file. ``key`` names the columns that identify a record, ``parent`` the column that holds the key of the
    record above it, ``period`` the column of the period in a table of several periods.
    """

    name: str
    columns: Mapping[str, Column]
    values: pl.DataFrame
    raw: pl.DataFrame
    lines: tuple[int, ...]
    key: tuple[str, ...] = ()
    parent: str = ""
    period: str = ""
    unreadable: tuple[Unreadable, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def height(self) -> int:
        """How many records."""
        return len(self.lines)


@dataclass(frozen=True)
class CodeList:
    """A code list: code → its other columns (``parent``, ``name``, a key); all text."""

    name: str
    codes: tuple[str, ...]
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @cached_property
    def members(self) -> frozenset[str]:
        """The codes as a set."""
        return frozenset(self.codes)

    @cached_property
    def parents(self) -> tuple[tuple[str, str], ...]:
        """(code, parent) of every code that has one."""
        above = self.columns.get("parent", ())
        return tuple((code, parent) for code, parent in zip(self.codes, above, strict=False) if parent)


PREVIOUS = "previous"
REGISTER = "register"


@dataclass(frozen=True)
class Tables:
    """The table that is checked and those it may be held against, by name (``previous``, ``register``, ``--other`` names)."""

    data: Table
    beside: Mapping[str, Table] = field(default_factory=dict)
    codelists: Mapping[str, CodeList] = field(default_factory=dict)
