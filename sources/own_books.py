"""Workbooks of enterprises and of their park, told apart: each enterprise speaks for itself, the park for no enterprise.

Red line: enterprises report themselves, nobody fills in for them. What a park's workbook says of an enterprise counts only
where the enterprise confirmed it and handed in no workbook of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import polars as pl

from schemas.findings import as_findings
from schemas.model import Edition, Programme
from schemas.observations import ENTERPRISE_ROSTER, KEY_COLUMNS, Observations
from schemas.period import Period
from sources.reader import FileReading
from sources.reading import FORENSICS_COLUMNS

FILED_FOR_COLUMNS = {
    "unit_id": pl.String(),
    "file": pl.String(),
    "sha256": pl.String(),
    "verdict": pl.String(),
}
"""``verdict``: confirmed (counts), refused, repeated (says what the enterprise said), changed (says something else or more)."""


@dataclass(frozen=True)
class SortedBooks:
    """``readings`` without what nobody may say for an enterprise, with the findings on it; ``owners``: file hash → enterprise;
    ``filed_for``: the enterprises on a park's workbooks."""

    readings: tuple[FileReading, ...]
    owners: Mapping[str, str]
    filed_for: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=FILED_FOR_COLUMNS))


def owner_of(reading: FileReading, edition: Edition) -> str | None:
    """The enterprise whose own workbook this is: as its identity says, else the only one it has figures of, where it holds
    nothing of the park."""
    if reading.unit is not None or reading.status == "unreadable":
        return reading.unit
    frames = {code: frame for code, frame in reading.observations.frames.items() if frame.height}
    if not frames or any(edition.forms[code].roster != ENTERPRISE_ROSTER for code in frames):
        return None
    units = {unit for frame in frames.values() for unit in frame["unit_id"]}
    return next(iter(units)) if len(units) == 1 else None


def stray(reading: FileReading, of: Programme, park: str, period: Period) -> FileReading:
    """An enterprise's own workbook of another park or period without its figures, with a finding that says so; any other
    reading as it is."""
    if reading.status == "unreadable" or reading.period is None or (reading.park, reading.period) == (park, period):
        return reading
    owner = owner_of(reading, of.edition_for(reading.period))
    is_elsewhere = reading.park not in (None, "", park)
    if owner is None or not (is_elsewhere or reading.period != period):
        return reading
    if is_elsewhere:
        code, why = (
            "other_park",
            f"是 {reading.park} 的企业 {owner} 的工作簿,不能由 {park} 汇集;请按名录核对归属,不要带这个文件。",
        )
    else:
        code, why = "other_period", f"是企业 {owner} {reading.period} 的工作簿,这次汇集的是 {period};请换成本期的。"
    form = next(code for code, form in of.edition_for(period).forms.items() if form.roster == ENTERPRISE_ROSTER)
    told: dict[str, object] = {
        "rule": code, "severity": "hard", "form": form, "unit_id": owner, "park": park, "file": reading.name, "code": code,
        "outcome": "failed", "message": f"《{reading.name}》{why}", "found": reading.park if is_elsewhere else str(reading.period),
    }  # fmt: skip
    return replace(
        reading, park=park, period=period, forms=(), observations=Observations({}), findings=as_findings([told]), unit=owner
    )  # fmt: skip


def sort_books(readings: Sequence[FileReading], edition: Edition, confirmed: Mapping[str, str]) -> SortedBooks:
    """Tell the books apart. ``confirmed``: enterprise → (beginning of the) hash of the workbook it confirmed, or empty where
    it confirmed without naming one."""
    owners = {r.sha256: unit for r in readings if (unit := owner_of(r, edition)) is not None}
    own = {unit: r for r in readings if (unit := owners.get(r.sha256)) is not None}
    kept: list[FileReading] = []
    filed: list[tuple[str, str, str, str]] = []
    for reading in readings:
        if reading.sha256 in owners or reading.status == "unreadable":
            kept.append(reading)
            continue
        cut, verdicts = _without_others(reading, edition, own, confirmed)
        kept.append(cut)
        filed += [(unit, reading.name, reading.sha256, verdict) for unit, verdict in verdicts.items()]
    return SortedBooks(tuple(kept), owners, pl.DataFrame(filed, schema=FILED_FOR_COLUMNS, orient="row"))


def _without_others(
    reading: FileReading, edition: Edition, own: Mapping[str, FileReading], confirmed: Mapping[str, str]
) -> tuple[FileReading, dict[str, str]]:
    """A park's workbook without the enterprises that did not confirm, and what became of each."""
    verdicts: dict[str, str] = {}
    findings: list[dict[str, object]] = []
    for code, frame in reading.observations.frames.items():
        if edition.forms[code].roster != ENTERPRISE_ROSTER:
            continue
        for row in frame.filter(pl.col("unit_id").is_not_null()).iter_rows(named=True):
            unit = row["unit_id"]
            if unit in own:
                column = _said_otherwise(row, own[unit].observations.frames.get(code), unit)
                if column is not None and verdicts.get(unit) != "changed":
                    findings.append(_changed(reading, edition, code, row, column, own[unit]))
                verdicts[unit] = "changed" if column is not None else verdicts.get(unit, "repeated")
            elif unit not in verdicts:
                named = confirmed.get(unit)
                verdicts[unit] = "confirmed" if named is not None and reading.sha256.startswith(named) else "refused"
                if verdicts[unit] == "refused":
                    findings.append(_refused(reading, edition, code, row, is_confirmed=named is not None))
    out = [unit for unit, verdict in verdicts.items() if verdict != "confirmed"]
    frames = {
        code: frame.filter(~pl.col("unit_id").is_in(out).fill_null(False))
        if edition.forms[code].roster == ENTERPRISE_ROSTER
        else frame
        for code, frame in reading.observations.frames.items()
    }
    repeated = sorted(unit for unit, verdict in verdicts.items() if verdict == "repeated")
    told = f"《{reading.name}》:{len(repeated)} 家企业已交来自己的工作簿,以企业的为准,园区填的不取。"
    note = [{"file": reading.name, "kind": "repeated_rows", "sheet": None, "place": None, "message": told}]
    forensics = pl.DataFrame(note if repeated else [], schema=FORENSICS_COLUMNS)
    return replace(
        reading,
        observations=Observations(frames, reading.observations.cell_map),
        # What the reader said of rows that do not count needs no mending.
        findings=pl.concat(
            [reading.findings.filter(~pl.col("unit_id").is_in(out).fill_null(False)), as_findings(findings)]
        ),
        forensics=pl.concat([reading.forensics, forensics]),
    ), verdicts


def _said_otherwise(row: Mapping[str, object], of_enterprise: pl.DataFrame | None, unit: str) -> str | None:
    """The first column in which the park says something that the enterprise did not say; None where there is none."""
    found = of_enterprise.filter(unit_id=unit) if of_enterprise is not None else None
    own = found.row(0, named=True) if found is not None and found.height else {}
    return next((c for c, v in row.items() if c not in KEY_COLUMNS and v is not None and own.get(c) != v), None)


def _cell(reading: FileReading, form: str, row: Mapping[str, object], column: str) -> str:
    letters = reading.observations.cell_map.filter(form=form, column=column, _sheet=row["_sheet"])["letter"]
    return f"{letters[0]}{row['_row']}" if letters.len() else ""


def _finding(
    reading: FileReading, edition: Edition, form: str, row: Mapping[str, object], column: str, code: str, problem: str
) -> dict[str, object]:
    cell, indicator = _cell(reading, form, row, column), edition.indicators[column.split("_")[0]]
    lag = "上年同期" if column.endswith("_yoy") else ""
    return {
        "rule": code, "severity": "hard", "form": form, "unit_id": row["unit_id"], "park": reading.park, "file": reading.name, "sheet": row["_sheet"],
        "cell": cell or None, "row": row["_row"], "column": column, "indicator": indicator.name, "code": code, "outcome": "failed",
        "found": "" if row.get(column) is None else str(row[column]),
        "message": f"《{reading.name}》工作表“{row['_sheet']}” {cell}“{indicator.name}{lag}”({column}):{problem}",
    }  # fmt: skip


def _refused(
    reading: FileReading, edition: Edition, form: str, row: Mapping[str, object], *, is_confirmed: bool
) -> dict[str, object]:
    why = "企业确认的不是这个文件" if is_confirmed else f"企业 {row['unit_id']} 没有交来自己的工作簿,也没有登记企业确认"
    problem = f"{why},园区不能代填;请收取该企业自填的工作簿,或登记企业对这个文件的确认。"
    return _finding(reading, edition, form, row, edition.forms[form].key[0], "not_own", problem)


def _changed(
    reading: FileReading, edition: Edition, form: str, row: Mapping[str, object], column: str, own: FileReading
) -> dict[str, object]:
    there = own.observations.frames.get(form)
    found = there.filter(unit_id=row["unit_id"]) if there is not None else None
    said = found.row(0, named=True) if found is not None and found.height else {}
    value = "没有填" if said.get(column) is None else f"填报 {said[column]}"
    where = f"《{own.name}》" + (f"工作表“{said['_sheet']}” {_cell(own, form, said, column)}" if said else "")
    problem = (
        f"与企业自己的工作簿不同({where}{value}),园区不能增改企业的数;请删去园区填的这一行,要改的由企业改自己的工作簿。"
    )
    return _finding(reading, edition, form, row, column, "park_changed", problem)
