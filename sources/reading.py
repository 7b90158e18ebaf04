"""What reading one workbook gathers: frames, the places of their columns, findings and normalised cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import polars as pl

from schemas.expected import expected_of
from schemas.findings import as_findings, no_findings
from schemas.layout import column_letter
from schemas.model import Edition
from schemas.observations import CELL_MAP_COLUMNS
from schemas.period import Period
from sources.cells import CellProblem, Normalised

NORMALISED_COLUMNS = {
    "file": pl.String(), "sheet": pl.String(), "cell": pl.String(), "form": pl.String(), "column": pl.String(), "unit_id": pl.String(), "code": pl.String(),
    "found": pl.String(), "value": pl.String(), "message": pl.String(),
}  # fmt: skip


FORENSICS_COLUMNS = {
    "file": pl.String(),
    "kind": pl.String(),
    "sheet": pl.String(),
    "place": pl.String(),
    "message": pl.String(),
}


RESTATED_COLUMNS = dict.fromkeys(("form", "unit_id", "column", "issued", "stated", "reason_code"), pl.String())


def no_restated() -> pl.DataFrame:
    """An empty list of changed figures of the year before."""
    return pl.DataFrame(schema=RESTATED_COLUMNS)


def no_forensics() -> pl.DataFrame:
    """An empty list of what was done to a file."""
    return pl.DataFrame(schema=FORENSICS_COLUMNS)


def no_normalised() -> pl.DataFrame:
    """An empty list of normalised cells."""
    return pl.DataFrame(schema=NORMALISED_COLUMNS)


@dataclass(frozen=True)
class Place:
    """Where something stands: form, sheet, and as far as known cell, column of the form frame, Excel row and unit."""

    form: str
    sheet: str | None
    cell: str | None = None
    column: str = ""
    row: int | None = None
    unit: str | None = None


@dataclass
class Reading:
    """One workbook while it is being read."""

    name: str
    sha256: str
    edition: Edition
    period: Period
    park: str
    programme: str = "park"
    seen: dict[str, str] = field(default_factory=dict)
    frames: dict[str, pl.DataFrame] = field(default_factory=dict)
    maps: list[tuple[str, str, str, str, str, int | None]] = field(default_factory=list)
    _findings: list[dict[str, object]] = field(default_factory=list)
    _complained: set[tuple[int | None, str]] = field(default_factory=set)
    _normalised: list[dict[str, object]] = field(default_factory=list)
    _forensics: list[dict[str, object]] = field(default_factory=list)
    _restated: list[dict[str, object]] = field(default_factory=list)

    def restated(self, place: Place, issued: object, stated: object, reason_code: str) -> None:
        """A figure of the year before that the park changed, with its reason."""
        told = (place.form, place.unit, place.column, issued, stated, reason_code)
        self._restated.append(
            {name: "" if v is None else str(v) for name, v in zip(RESTATED_COLUMNS, told, strict=True)}
        )

    @property
    def restated_figures(self) -> pl.DataFrame:
        """Every changed figure of the year before that has a reason code."""
        return pl.DataFrame(self._restated, schema=RESTATED_COLUMNS) if self._restated else no_restated()

    def finding(
        self,
        code: str,
        place: Place,
        problem: str,
        *,
        rule: str = "",
        found: str = "",
        expected: str = "",
        severity: str = "hard",
    ) -> None:
        """Something that is wrong or unclear; ``problem`` is the sentence without its place."""
        column = place.column
        self._complained.add((place.row, column))
        indicator = self.edition.indicators.get(column.split("_")[0]) if column else None
        named = f"“{indicator.name}{'上年同期' if column.endswith('_yoy') else ''}”({column})" if indicator else ""
        cell = f" {place.cell}" if place.cell else ""
        where = f"工作表“{place.sheet}”{cell}" if place.sheet else f"《{self.name}》"
        self._findings.append({
            "rule": rule or code, "severity": severity, "form": place.form or None, "unit_id": place.unit, "park": self.park, "file": self.name,
            "sheet": place.sheet, "cell": place.cell, "row": place.row, "column": column or None, "indicator": indicator.name if indicator else None,
            "found": found, "expected": expected, "message": f"{where}{named}:{problem}", "code": code, "outcome": "failed",
        })  # fmt: skip

    def normalised(self, place: Place, code: str, found: str, value: str, message: str) -> None:
        """A cell that was taken as something else than it literally says."""
        self._normalised.append({
            "file": self.name, "sheet": place.sheet, "cell": place.cell, "form": place.form, "column": place.column, "unit_id": place.unit, "code": code,
            "found": found, "value": value, "message": message,
        })  # fmt: skip

    def forensic(self, kind: str, sheet: str | None, place: str | None, told: str) -> None:
        """Something that was done to the file; ``told`` is the sentence without its place."""
        message = f"工作表“{sheet}”:{told}" if sheet else f"《{self.name}》:{told}"
        self._forensics.append({"file": self.name, "kind": kind, "sheet": sheet, "place": place, "message": message})

    def note_column(
        self,
        place: Place,
        position: int,
        rows: Sequence[int],
        units: Sequence[str | None] | pl.Series,
        problems: Sequence[CellProblem],
        normalised: Sequence[Normalised],
    ) -> None:
        """What typing one column had to tell; ``rows`` (0-based) and ``units`` say whose cells they are."""
        letter = column_letter(position)
        indicator = self.edition.indicators.get(place.column.split("_")[0]) if place.column else None
        expected = expected_of(indicator) if indicator else ""

        def at(index: int) -> Place:
            row = rows[index] + 1
            return Place(place.form, place.sheet, f"{letter}{row}", place.column, row, units[index])

        for p in problems:
            self.finding(p.code, at(p.position), p.message, found=p.found, expected=expected)
        for n in normalised:
            self.normalised(at(n.position), n.code, n.found, n.value, n.message)

    def complained_about(self, row: int, column: str) -> bool:
        """Whether there is a finding on this column of this Excel row already."""
        return (row, column) in self._complained

    def map_column(self, form: str, sheet: str, column: str, position: int, row: int | None = None) -> None:
        """Remember where a column stands (on a sheet form: one cell)."""
        self.maps.append((self.sha256, sheet, form, column, column_letter(position), row))

    @property
    def cell_map(self) -> pl.DataFrame:
        """Where each column stands."""
        return pl.DataFrame(self.maps, schema=CELL_MAP_COLUMNS, orient="row")

    @property
    def findings(self) -> pl.DataFrame:
        """Findings in the order they were made."""
        return as_findings(self._findings) if self._findings else no_findings()

    @property
    def forensics(self) -> pl.DataFrame:
        """What was done to the file, in the order it was noticed."""
        return pl.DataFrame(self._forensics, schema=FORENSICS_COLUMNS) if self._forensics else no_forensics()

    @property
    def normalised_cells(self) -> pl.DataFrame:
        """Normalised cells in the order they were met."""
        return pl.DataFrame(self._normalised, schema=NORMALISED_COLUMNS) if self._normalised else no_normalised()
