"""Figures of one park and period out of a foreign workbook, as a reading with an address for every cell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from pipelines.history_cells import HistoryCell, Understood
from schemas import reserved
from schemas.findings import as_findings
from schemas.model import Edition, FormKind, Programme
from schemas.observations import CELL_MAP_COLUMNS, KEY_COLUMNS, Observations
from schemas.period import Period
from sources.foreign import ForeignReading
from sources.reader import FileReading
from warehouse.ledger.submissions import Submission

CONFLICT_COLUMNS = {
    "park": pl.String(), "period": pl.String(), "form": pl.String(), "unit_id": pl.String(), "kind": pl.String(), "submission": pl.String(),
    "equal": pl.Int64(), "different": pl.Int64(), "message": pl.String(),
}  # fmt: skip
"""``kind``: submitted (the park filed), imported (taken over before), said_twice, two_places. ``equal`` and ``different`` count
cells compared with what is there."""


def by_round(cells: Iterable[HistoryCell]) -> dict[tuple[str, Period], list[HistoryCell]]:
    found: dict[tuple[str, Period], list[HistoryCell]] = {}
    for cell in cells:
        found.setdefault((cell.park, cell.period), []).append(cell)
    return found


def round_reading(
    of: Programme, reading: ForeignReading, park: str, period: Period, cells: Sequence[HistoryCell], told: Understood,
    conflicts: list[dict[str, object]],
) -> FileReading:  # fmt: skip
    """The figures of one park and period as a reading; what is said twice or cannot keep its place is listed."""
    edition = of.edition_for(period)
    frames, maps = {}, []
    by_form: dict[str, list[HistoryCell]] = {code: [] for code in edition.forms}
    for cell in cells:
        by_form[cell.form].append(cell)
    for code, on_form in by_form.items():
        own = _once(on_form, conflicts)
        if not own:
            continue
        placed = _placed(own)
        if placed is None:
            message = "一家单位的数分在几行或几张工作表,入库后不能追溯到格;请先整理成一家单位一行。"
            conflicts.append(conflict(park, period, "two_places", message, form=code))
            continue
        frames[code] = _frame(edition, code, park, reading.sha256, own, placed)
        maps += [
            (reading.sha256, placed.sheet or c.sheet, code, c.column, placed.letter(c), placed.row(c)) for c in own
        ]
    cell_map = pl.DataFrame(maps, schema=CELL_MAP_COLUMNS, orient="row").unique(maintain_order=True)
    findings = as_findings(
        [problem_row(reading.name, *p) for p in told.problems if (p[0].park, p[0].period) == (park, period)]
    )
    return FileReading(
        reading.name, reading.sha256, "readable", park, period, edition.id, tuple(frames), Observations(frames, cell_map), findings
    )  # fmt: skip


@dataclass(frozen=True)
class _Placing:
    """How cells keep their place: each unit in a row of its own, or (``sheet`` given) each column of the one unit in its own cell."""

    sheet: str = ""

    def letter(self, cell: HistoryCell) -> str:
        return cell.letter if cell.sheet == self.sheet or not self.sheet else f"'{cell.sheet}'!{cell.letter}"

    def row(self, cell: HistoryCell) -> int | None:
        return cell.row if self.sheet else None


def _placed(cells: Sequence[HistoryCell]) -> _Placing | None:
    """How all of these cells can keep their places; None where a unit of several stands in more than one row."""
    rows: dict[str, set[tuple[str, int]]] = {}
    letters: dict[tuple[str, str], set[str]] = {}
    for cell in cells:
        rows.setdefault(cell.unit_id, set()).add((cell.sheet, cell.row))
        letters.setdefault((cell.sheet, cell.column), set()).add(cell.letter)
    if len(rows) == 1:
        return _Placing(cells[0].sheet)
    is_plain = all(len(at) == 1 for at in rows.values()) and all(len(at) == 1 for at in letters.values())
    return _Placing() if is_plain else None


def _once(cells: Sequence[HistoryCell], conflicts: list[dict[str, object]]) -> list[HistoryCell]:
    """Each figure once: what is said again the same way is dropped, what is said otherwise is listed and dropped on both sides."""
    said: dict[tuple[str, str], HistoryCell] = {}
    unclear: set[tuple[str, str]] = set()
    for cell in cells:
        key = (cell.unit_id, cell.column)
        before = said.setdefault(key, cell)
        if before.value != cell.value and key not in unclear:
            unclear.add(key)
            where = f"“{before.sheet}”{before.letter}{before.row} 为 {before.value},“{cell.sheet}”{cell.letter}{cell.row} 为 {cell.value}"
            message = f"{cell.column} 说了两个数:{where};两个都不入库,请在映射里限定。"
            conflicts.append(
                conflict(cell.park, cell.period, "said_twice", message, form=cell.form, unit_id=cell.unit_id)
            )
    return [cell for key, cell in said.items() if key not in unclear]


def _frame(
    edition: Edition, code: str, park: str, sha256: str, cells: Sequence[HistoryCell], placed: _Placing
) -> pl.DataFrame:
    form = edition.forms[code]
    rows: dict[str, dict[str, object]] = {}
    for cell in cells:
        empty = {
            "park": park,
            "unit_id": cell.unit_id,
            "_file": sha256,
            "_sheet": placed.sheet or cell.sheet,
            "_row": None if placed.sheet else cell.row,
        }
        row = rows.setdefault(cell.unit_id, {**empty, **_keys(edition, code, cell)})
        row[cell.column] = cell.value
    columns = {i.code: i.dtype for i in form.indicators if any(i.code in row for row in rows.values())}
    return pl.DataFrame(list(rows.values()), schema=KEY_COLUMNS | columns)


def _keys(edition: Edition, code: str, cell: HistoryCell) -> Mapping[str, object]:
    """What identifies a row, as figures of the form where it asks for them."""
    form = edition.forms[code]
    if form.kind is FormKind.CONTEXT:
        return {reserved.AREA: cell.park, reserved.YEAR: cell.period.year}
    own = {i.code for i in form.indicators}
    return dict(zip(form.key, cell.unit_id.split("|"), strict=False)) if form.key and set(form.key) <= own else {}


def cells_in(frame: pl.DataFrame) -> int:
    own = frame.drop(KEY_COLUMNS, strict=False)
    return own.height * own.width - sum(own.null_count().row(0)) if own.width else 0


def conflict(
    park: str, period: Period, kind: str, message: str, there: Submission | None = None, *, form: str | None = None,
    unit_id: str | None = None, equal: int = 0, different: int = 0,
) -> dict[str, object]:  # fmt: skip
    return {
        "park": park, "period": str(period), "form": form, "unit_id": unit_id, "kind": kind, "submission": there.number if there else None,
        "equal": equal, "different": different, "message": f"{park} {period}:{message}",
    }  # fmt: skip


def problem_row(name: str, cell: HistoryCell, code: str, found: str, problem: str) -> dict[str, object]:
    place = f"{cell.letter}{cell.row}"
    return {
        "rule": code, "severity": "hard", "form": cell.form, "unit_id": cell.unit_id, "park": cell.park, "file": name, "sheet": cell.sheet,
        "cell": place, "row": cell.row, "column": cell.column, "found": found, "code": code, "outcome": "failed",
        "message": f"《{name}》工作表“{cell.sheet}” {place}({cell.column}):{problem}",
    }  # fmt: skip
