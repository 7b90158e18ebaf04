"""Reading published marts for a document: figures as displayed, and where each of them stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from exports.ordering import Ordering
from schemas.marts import STATUSES

SHOWN: Final = tuple(status for status, (mark, _) in STATUSES.items() if not mark)
ESTIMATED: Final = "E"
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Figure:
    """A figure in a sentence: its cell, and the text it is printed with in the workbook."""

    mart: str
    row_key: str
    display: str


@dataclass(frozen=True)
class Sentence:
    """One sentence and every figure in it."""

    text: str
    figures: tuple[Figure, ...] = ()


@dataclass(frozen=True)
class Grid:
    """A small table of a document; its figures are texts as displayed."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    figures: tuple[Figure, ...] = ()


@dataclass(frozen=True)
class Section:
    """A heading, sentences and tables; a section with neither is left out."""

    title: str
    sentences: tuple[Sentence, ...] = ()
    grids: tuple[Grid, ...] = ()

    @property
    def is_empty(self) -> bool:
        return not self.sentences and not self.grids


@dataclass(frozen=True)
class Document:
    """``name`` is the file, without its ending."""

    name: str
    title: str
    subtitle: str
    sections: tuple[Section, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Published:
    """The marts of one release, after disclosure control. What is not shown has no text here either."""

    marts: Mapping[str, pl.DataFrame]
    ordering: Ordering

    def rows(self, mart: str, **where: str | tuple[str, ...]) -> list[Row]:
        """The cells of a mart with these dimension values, in order of their keys; none where the mart is not there."""
        if mart not in self.marts:
            return []
        found = self.marts[mart]
        for name, wanted in where.items():
            found = found.filter(pl.col(name).is_in([wanted] if isinstance(wanted, str) else list(wanted)))
        return list(found.iter_rows(named=True))

    def one(self, mart: str, **where: str | tuple[str, ...]) -> Row | None:
        """The one cell with these dimension values; None where there is none or more than one."""
        found = self.rows(mart, **where)
        return found[0] if len(found) == 1 else None

    def areas(self, mart: str) -> list[tuple[str, str]]:
        """(code, name) of the areas of a mart, in the order of the register."""
        if mart not in self.marts:
            return []
        found = set(self.marts[mart].select("area", "area_name").iter_rows())
        return sorted(found, key=lambda area: (self.ordering.rank("area", area[0]), area))


def is_shown(row: Row | None) -> bool:
    """Whether a cell has a figure a reader may see."""
    return row is not None and row["status"] in SHOWN


def text_of(row: Row) -> str:
    """The figure with its unit, as a sentence has it: 12.3%, 3.4亿元; estimates say so."""
    unit = "" if row["unit_measure"] in ("-", "—", "base=100") else str(row["unit_measure"])
    return f"{row['display']}{unit}" + ("(含估算)" if row["status"] == ESTIMATED else "")


def figure_of(mart: str, row: Row) -> Figure:
    """Where the figure stands."""
    return Figure(mart, str(row["row_key"]), str(row["display"]))


def growth_text(row: Row, up: str = "增长", down: str = "下降") -> str:
    """增长3.2%, 下降1.0%, 持平: the sign of the printed figure in words."""
    display, unit = str(row["display"]), str(row["unit_measure"])
    if is_zero(row):
        return "持平"
    return f"{down}{display[1:]}{unit}" if display.startswith("-") else f"{up}{display}{unit}"


def is_zero(row: Row) -> bool:
    """Whether the printed figure is nothing: 0, 0.0, -0.00."""
    return not str(row["display"]).strip("-0.")


def capitals(number: int) -> str:
    """一、二、…十一、…一百零一: the number of a section, up to 9,999 (GB/T 15835-2011, 4.2)."""
    digits = "零一二三四五六七八九"
    said = ""
    for place, word in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit = number // place % 10
        if digit:
            said += f"{digits[digit]}{word}"
        elif said and not said.endswith("零"):
            said += "零"
    said = said.rstrip("零") or "零"
    return said.removeprefix("一") if said.startswith("一十") else said
