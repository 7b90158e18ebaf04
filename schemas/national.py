"""Layouts of national forms 国家表式 as data: which of their columns we collect under an equal definition, and which not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from schemas.definitions import read_toml
from schemas.errors import DefinitionError
from schemas.model import Edition


@dataclass(frozen=True)
class NationalColumn:
    """A column of a national form; ``source`` is our indicator of the same definition and unit, empty where there is none."""

    code: str
    name: str
    unit_measure: str
    source: str
    note: str


@dataclass(frozen=True)
class NationalForm:
    """One national form."""

    number: str
    title: str
    columns: Sequence[NationalColumn]


@dataclass(frozen=True)
class NationalLayout:
    """The forms of one national survey, with what their head prints."""

    id: str
    title: str
    authority: str
    document_number: str
    note: str
    forms: Sequence[NationalForm]

    def problems(self, edition: Edition) -> list[str]:
        """What is wrong with the mapping under an edition: unknown indicators, other units, blanks without a reason."""
        found = []
        for form in self.forms:
            for column in form.columns:
                indicator = edition.indicators.get(column.source)
                if not column.source and not column.note:
                    found.append(f"{form.number} {column.code} 没有对应指标,也没有写明原因")
                elif column.source and indicator is None:
                    found.append(f"{form.number} {column.code} 的 {column.source} 不在 {edition.id} 版制度内")
                elif indicator is not None and indicator.unit_measure != column.unit_measure:
                    found.append(f"{form.number} {column.code} 与 {column.source} 的计量单位不同")
        return found


@cache
def national_layout(programme: Path, name: str = "torch") -> NationalLayout:
    """A layout in ``national/`` of a programme's folder. Raises DefinitionError for one that does not read or repeats a
    column."""
    definition = read_toml(programme / "national" / f"{name}.toml", "national")
    data = definition.data
    forms = [
        NationalForm(one["number"], one["title"], tuple(NationalColumn(*column) for column in one["column"]))
        for one in data["form"]
    ]
    for form in forms:
        codes = [column.code for column in form.columns]
        if len(set(codes)) != len(codes):
            raise DefinitionError(f"{form.number} 有重复的列", where=str(definition.path.name), remedy="请去掉一处。")
    return NationalLayout(name, data["title"], data["authority"], data["document_number"], data["note"], forms)
