"""Administrative records 部门行政记录: files of tax, market supervision and others, by a mapping, dry run first, kept as a source of their own.

They are compared with the forms and never enter, replace or change a figure. What is kept: the file, its mapping, the records as read, in the
vault and named in the ledger; the newest record of a kind, period, unit and indicator counts. Formats: docs/formats/administrative-map.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import duckdb
import polars as pl
from sqlalchemy.orm import Session

from pipelines.checking import IncomingBook
from pipelines.history_cells import HistoryCell, Known, Understood, understood
from pipelines.inputs import live_inputs, register_frames
from pipelines.intake import Office
from pipelines.methods.reconciliation import RECONCILED, RECORD_COLUMNS, reconciled
from pipelines.records_comparison import form_values, kept_records
from schemas.canonical import frame_bytes
from schemas.errors import RefusalError, StatisticsError, SubmissionError
from schemas.history_map import HistoryMap
from schemas.model import Programme
from schemas.observations import ENTERPRISE_ROSTER
from schemas.period import Period
from schemas.records_map import ANY_PARK, RecordsMap
from schemas.uscc import is_valid_uscc
from sources.foreign import ForeignFigure, ForeignReading, read_foreign
from sources.measures import plain_text
from sources.pool import Pool
from warehouse.ledger.administrative import AdministrativeImport, imports, record_import, withdraw_import
from warehouse.ledger.register import names_ever

PROBLEM_COLUMNS = {
    "sheet": pl.String(), "cell": pl.String(), "indicator": pl.String(), "unit_id": pl.String(), "found": pl.String(), "message": pl.String(),
}  # fmt: skip


@dataclass(frozen=True)
class RecordsPlan:
    """A dry run: the records that would be kept (``RECORD_COLUMNS``, without a number yet), labels that are not mapped, conversions,
    ``problems``: cells that cannot be taken; ``skipped``: totals and notes left out; ``ignored``: cells left out by name."""

    book: IncomingBook
    mapping_file: IncomingBook
    kind: str
    authority: str
    title: str
    records: pl.DataFrame
    unmapped: pl.DataFrame
    conversions: pl.DataFrame
    problems: pl.DataFrame
    skipped: tuple[tuple[str, int, str], ...]
    ignored: int

    @property
    def is_complete(self) -> bool:
        """Whether every label of the file is mapped or ignored by name."""
        return self.unmapped.is_empty()


def plan_records(
    office: Office, book: IncomingBook, mapping_file: IncomingBook, mapping: RecordsMap, pool: Pool,
    *, progress: Callable[[str], None] = lambda _: None,
) -> RecordsPlan:  # fmt: skip
    """Read a file of an authority by its mapping. Records nothing.

    Raises SubmissionError for a file the guard refuses, DefinitionError where the mapping does not fit the file.
    """
    progress("正在安全检查和读取")
    readings = [_read(book, m, pool) for m in (mapping.by_code, mapping.by_name) if m is not None]
    reading = _with_known_units(readings, mapping)
    labels = mapping.by_code or mapping.by_name
    assert labels is not None  # the format asks for one of them
    with office.ledger.read() as session:
        found = understood(reading, labels, office.programme, _known(session))
    names = _names(readings[-1]) if mapping.by_name is not None else {}
    rows, problems = _rows(found, mapping, names, office.programme)
    return RecordsPlan(
        book, mapping_file, mapping.kind, mapping.authority, mapping.title,
        pl.DataFrame(rows, schema=RECORD_COLUMNS, orient="row").sort("period", "unit_id", "indicator"),
        found.unmapped, found.conversions, pl.DataFrame(problems, schema=PROBLEM_COLUMNS, orient="row"), reading.skipped, found.ignored,
    )  # fmt: skip


def commit_records(office: Office, plan: RecordsPlan, *, now: datetime, actor: str) -> AdministrativeImport:
    """Keep what the plan read. Raises RefusalError while a label is not mapped, nothing was read, or the same file stands already."""
    if not plan.is_complete:
        raise RefusalError(f"还有 {plan.unmapped.height} 处没有对应,不能导入;请补全映射,不要的写在 [ignore] 里。")
    if plan.records.is_empty():
        raise RefusalError("按这个映射没有读出任何记录。")
    blobs = (plan.book.data, plan.mapping_file.data, frame_bytes(plan.records))
    book, mapping, records = (office.vault.put(content).sha256 for content in blobs)
    with office.ledger.write() as session:
        return record_import(
            session, plan.kind, plan.authority, plan.title, plan.book.name,
            book=book, mapping=mapping, records=records, now=now, actor=actor,
        )  # fmt: skip


def withdraw_records(office: Office, number: int, *, reason: str, now: datetime, actor: str) -> None:
    """Take an import back. Raises RefusalError where there is none or no reason."""
    with office.ledger.write() as session:
        withdraw_import(session, number, reason=reason, now=now, actor=actor)


def reconciliation(office: Office, con: duckdb.DuckDBPyConnection, period: Period) -> pl.DataFrame:
    """``RECONCILED``: the records of a period against its forms as they stand (accepted, else reported) in the loaded warehouse."""
    with office.ledger.read() as session:
        records = kept_records(office.vault, session).filter(period=str(period))
        register = register_frames(session, [period])
    if records.is_empty():
        return pl.DataFrame(schema=RECONCILED)
    inputs = live_inputs(office, con)
    population = replace(inputs, register={**inputs.register, **register}).population("effective")
    return reconciled(records, form_values(population, period, records["indicator"].unique().sort().to_list()))


def _read(book: IncomingBook, mapping: HistoryMap, pool: Pool) -> ForeignReading:
    (result,) = pool.map(read_foreign, [(book.data, book.name, mapping)])
    if isinstance(result, StatisticsError):
        raise result
    if not isinstance(result, ForeignReading):
        raise SubmissionError("unreadable", f"《{book.name}》读取时出错,没有读出任何数据:{result}")
    return result


def _with_known_units(readings: Sequence[ForeignReading], mapping: RecordsMap) -> ForeignReading:
    """The figures with the unit by its code where that is a valid one, else by its name; columns that name units are no figures."""
    columns = {plain_text(c) for c in mapping.unit_columns}
    first = readings[0]
    names = _names(readings[-1]) if len(readings) > 1 else {}

    def settled(figure: ForeignFigure) -> ForeignFigure:
        name = names.get((figure.sheet, figure.letter, figure.row), "")
        return replace(figure, unit=name) if name and not is_valid_uscc(plain_text(figure.unit)) else figure

    figures = [f for f in first.figures if f.letter not in columns and plain_text(f.indicator) not in columns]
    return replace(first, figures=tuple(settled(f) for f in figures))


def _names(reading: ForeignReading) -> dict[tuple[str, str, int], str]:
    return {(f.sheet, f.letter, f.row): f.unit for f in reading.figures}


def _known(session: Session) -> Known:
    by_unit: dict[str, set[str]] = {}
    for name, units in names_ever(session).items():
        by_unit.setdefault(plain_text(name), set()).update(units)
    return Known({ANY_PARK: frozenset({ANY_PARK})}, {k: frozenset(v) for k, v in by_unit.items()})


def _rows(
    found: Understood, mapping: RecordsMap, names: dict[tuple[str, str, int], str], of: Programme
) -> tuple[list[dict[str, object]], list[tuple[str, str, str, str, str, str]]]:
    """Records, and the cells that cannot be taken: unreadable ones, indicators of no enterprise, figures said twice differently."""
    rows: dict[tuple[str, str, str], dict[str, object]] = {}
    problems = [
        (c.sheet, f"{c.letter}{c.row}", c.column, c.unit_id, told, message) for c, _, told, message in found.problems
    ]

    def refuse(cell: HistoryCell, message: str) -> None:
        problems.append((cell.sheet, f"{cell.letter}{cell.row}", cell.column, cell.unit_id, str(cell.value), message))

    for cell in found.cells:
        edition = of.edition_for(cell.period)
        if edition.forms[cell.form].roster != ENTERPRISE_ROSTER:
            refuse(cell, f"{cell.column} 不是逐企业的指标,不能比对。")
            continue
        key = (str(cell.period), cell.unit_id, cell.column)
        value, text = _value(cell)
        if key in rows and (rows[key]["value"], rows[key]["text"]) != (value, text):
            refuse(cell, f"同一单位的 {cell.column} 出现两次而数值不同({rows[key]['sheet']}!{rows[key]['cell']})。")
            continue
        tolerance = mapping.tolerance_of(cell.column)
        rows.setdefault(key, {
            "import": None, "kind": mapping.kind, "authority": mapping.authority, "period": key[0], "unit_id": cell.unit_id,
            "unit_name": names.get((cell.sheet, cell.letter, cell.row), ""), "indicator": cell.column, "value": value, "text": text,
            "sheet": cell.sheet, "cell": f"{cell.letter}{cell.row}",
            "tolerance_percent": tolerance.percent, "tolerance_amount": tolerance.amount,
        })  # fmt: skip
    return list(rows.values()), problems


def _value(cell: HistoryCell) -> tuple[float | None, str | None]:
    """A number, or the text of a code or flag as polars prints it."""
    if isinstance(cell.value, bool):
        return None, str(cell.value).lower()
    try:
        return float(str(cell.value)) if not isinstance(cell.value, str) else None, cell.value if isinstance(
            cell.value, str
        ) else None
    except ValueError:
        return None, str(cell.value)


def listed(office: Office, *, withdrawn: bool = False) -> Iterable[AdministrativeImport]:
    """The imports on record, the newest first."""
    with office.ledger.read() as session:
        return imports(session, withdrawn=withdrawn)
