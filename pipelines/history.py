"""Importing history 历史数据导入: figures of earlier years out of foreign workbooks, by a mapping, dry run first.

What is loaded is a submission of its own kind (channel ``history``) with workbook and mapping in the vault and every cell traceable.
It goes through the same guard and the same checks; findings are listed and recorded, they do not stop it. It never takes the
place of anything a park submitted; what a park submits later takes its place when it is accepted.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import polars as pl
from sqlalchemy.orm import Session

from pipelines.checking import Checked, IncomingBook, check, tally
from pipelines.history_cells import Known, understood
from pipelines.history_rounds import CONFLICT_COLUMNS, by_round, cells_in, conflict, problem_row, round_reading
from pipelines.intake import HISTORY, Office, observations_of
from pipelines.operands import History
from schemas.canonical import frame_bytes
from schemas.errors import RefusalError, StatisticsError, SubmissionError
from schemas.findings import as_findings
from schemas.history_map import HistoryMap, history_map_of
from schemas.observations import ENTERPRISE_ROSTER, KEY_COLUMNS, Observations, merge
from schemas.period import Period
from sources.foreign import ForeignReading, read_foreign
from sources.measures import plain_text
from sources.pool import Pool
from sources.reader import READER_VERSION, FileReading
from warehouse.ledger import decisions
from warehouse.ledger.intake import IncomingFile, files_digest, record_received
from warehouse.ledger.parks import parks
from warehouse.ledger.register import names_ever
from warehouse.ledger.states import CLOSED, STANDING, State
from warehouse.ledger.steps import record_check, report
from warehouse.ledger.submissions import CheckResult, Submission, latest, submission


@dataclass(frozen=True)
class HistoryLoad:
    """What would be loaded for one park and period, checked; ``before`` is an earlier import that it adds to."""

    park: str
    period: Period
    reading: FileReading
    checked: Checked
    cells: int
    before: Submission | None = None

    @property
    def units(self) -> int:
        """Units with at least one figure."""
        return len({u for f in self.reading.observations.frames.values() for u in f["unit_id"]})


@dataclass(frozen=True)
class HistoryPlan:
    """A dry run: what would be loaded, what is not mapped, which units of measure were converted, what is there already.

    ``problems``: findings on cells that cannot be taken; ``skipped``: (sheet, row, label) of totals and notes left out.
    """

    book: IncomingBook
    mapping_file: IncomingBook
    title: str
    loads: tuple[HistoryLoad, ...]
    unmapped: pl.DataFrame
    conversions: pl.DataFrame
    conflicts: pl.DataFrame
    problems: pl.DataFrame
    skipped: tuple[tuple[str, int, str], ...]
    ignored: int

    @property
    def is_complete(self) -> bool:
        """Whether every label of the workbook is mapped or ignored by name."""
        return self.unmapped.is_empty()


def plan_history(
    office: Office, book: IncomingBook, mapping_file: IncomingBook, mapping: HistoryMap, pool: Pool,
    *, progress: Callable[[str], None] = lambda _: None,
) -> HistoryPlan:  # fmt: skip
    """Read a foreign workbook by its mapping and hold it against the ledger. Records nothing.

    Raises SubmissionError for a file the guard refuses, DefinitionError where the mapping does not fit the workbook.
    """
    progress("正在安全检查和读取")
    reading = _read(book, mapping, pool)
    with office.ledger.read() as session:
        found = understood(reading, mapping, office.programme, _known(office, session))
        conflicts: list[dict[str, object]] = []
        loads = []
        for (park, period), cells in sorted(by_round(found.cells).items()):
            progress(f"核对 {park} {period}")
            one = round_reading(office.programme, reading, park, period, cells, found, conflicts)
            load = _against_ledger(office, session, one, (book, mapping_file), conflicts)
            if load is not None:
                loads.append(load)
    problems = as_findings([problem_row(reading.name, *p) for p in found.problems])
    return HistoryPlan(
        book, mapping_file, mapping.title, tuple(loads), found.unmapped, found.conversions,
        pl.DataFrame(conflicts, schema=CONFLICT_COLUMNS), problems, reading.skipped, found.ignored,
    )  # fmt: skip


def commit_history(office: Office, plan: HistoryPlan, *, now: datetime, actor: str) -> list[Submission]:
    """Load what the plan would load: the submissions, accepted and marked as history. May be called again after an interruption.

    Raises RefusalError while anything in the workbook is not mapped, or for a park that the register does not have then.
    """
    if not plan.is_complete:
        raise RefusalError(f"还有 {plan.unmapped.height} 处没有对应,不能入库;请补全映射,不要的写在 [ignore] 里。")
    done = []
    for load in plan.loads:
        kept = (
            [IncomingFile(f.name, office.vault.read(f.sha256), f.role) for f in load.before.files]
            if load.before
            else []
        )
        files = [
            *kept,
            IncomingFile(plan.book.name, plan.book.data, "history"),
            IncomingFile(plan.mapping_file.name, plan.mapping_file.data, "map"),
        ]
        received = record_received(
            office.vault, office.ledger, files, park=load.park, period=load.period, edition=load.reading.edition or "",
            channel=HISTORY, now=now, actor=actor,
        ).submission  # fmt: skip
        done.append(_taken_over(office, received, load.checked, plan.title, now, actor))
    return done


def _taken_over(
    office: Office, received: Submission, checked: Checked, title: str, now: datetime, actor: str
) -> Submission:
    """On to acceptance, from wherever an earlier run stopped. Findings are recorded and counted, none of them blocks."""
    number, reason = received.number, f"历史数据导入:{title}"
    result = CheckResult(
        READER_VERSION, checked.rule_set_hash, checked.operand_hash, office.vault.put(checked.observations.to_bytes()).sha256,
        office.vault.put(frame_bytes(checked.findings)).sha256, checked.forms, tally(checked) | {"left_out": 0}, 0, 0,
    )  # fmt: skip
    with office.ledger.write() as session:
        state = received.state
        if state is State.RECEIVED:
            state = record_check(session, number, result, now=now, actor=actor).state
        if state is State.EXPLAINED:
            state = report(session, number, now=now, actor=actor, payload={"history": True}).state
        if state is State.REPORTED:
            decisions.accept(session, number, now=now, actor=actor, reason=reason)
        return submission(session, number)


def history_readings(office: Office, session: Session, found: Submission, pool: Pool) -> list[FileReading]:
    """The workbooks of an imported submission read again by the mappings they came with."""
    books = [IncomingBook(f.name, office.vault.read(f.sha256)) for f in found.files if f.role == "history"]
    maps = [office.vault.read(f.sha256) for f in found.files if f.role == "map"]
    readings = []
    for book, text in zip(books, maps, strict=True):
        mapping = history_map_of(tomllib.loads(text.decode("utf-8")))
        reading = _read(book, mapping, pool)
        told = understood(reading, mapping, office.programme, _known(office, session))
        cells = by_round(told.cells).get((found.park, found.period), [])
        readings.append(round_reading(office.programme, reading, found.park, found.period, cells, told, []))
    return readings


def _read(book: IncomingBook, mapping: HistoryMap, pool: Pool) -> ForeignReading:
    (result,) = pool.map(read_foreign, [(book.data, book.name, mapping)])
    if isinstance(result, StatisticsError):
        raise result
    if not isinstance(result, ForeignReading):
        raise SubmissionError("unreadable", f"《{book.name}》读取时出错,没有读出任何数据:{result}")
    return result


def _known(office: Office, session: Session) -> Known:
    """Names and codes of parks, and every name a unit of the register ever had."""
    by_park: dict[str, set[str]] = {}
    for one in parks(session):
        for text in (one.code, one.name, one.short_name):
            if text:
                by_park.setdefault(plain_text(text), set()).add(one.code)
    by_unit: dict[str, set[str]] = {}
    for name, units in names_ever(session).items():
        by_unit.setdefault(plain_text(name), set()).update(units)
    return Known({k: frozenset(v) for k, v in by_park.items()}, {k: frozenset(v) for k, v in by_unit.items()})


def _against_ledger(
    office: Office, session: Session, one: FileReading, files: Sequence[IncomingBook], conflicts: list[dict[str, object]]
) -> HistoryLoad | None:  # fmt: skip
    """What of a reading can be loaded, held against what the ledger has for the park and period; None where nothing is left."""
    park, period = one.park or "", one.period
    assert period is not None  # by_round gave both
    there = latest(session, park, period)
    before = None
    if there is not None and there.channel != HISTORY:
        equal, different = _compared(office, there, one.observations)
        message = f"园区已报送 {there.number}({there.state.label}),历史数据不覆盖报送。"
        conflicts.append(conflict(park, period, "submitted", message, there, equal=equal, different=different))
        return None
    if there is not None and there.state not in CLOSED:
        if there.files_digest == files_digest(f.sha256 for f in files):
            if there.state in STANDING:
                message = f"同一文件已按同一映射导入({there.number})。"
                conflicts.append(conflict(park, period, "imported", message, there))
                return None
        elif there.state in STANDING:
            before, one = there, _without_what_is_there(office, there, one, conflicts)
    if not any(f.height for f in one.observations.frames.values()):
        return None
    cells = sum(cells_in(frame) for frame in one.observations.frames.values())
    whole = one
    if before is not None:
        recorded = observations_of(office.vault, before)
        whole = replace(one, observations=merge([recorded, one.observations]))
    history = History(office.vault, session, office.programme)
    units = enterprises_in(office, [whole], period)
    checked = check([whole], office.programme, history, park=park, period=period, units=units)
    return HistoryLoad(park, period, one, checked, cells, before)


def enterprises_in(office: Office, readings: Sequence[FileReading], period: Period) -> set[str]:
    """The enterprises with figures: history asks no other to answer."""
    forms = office.programme.edition_for(period).forms
    return {
        unit
        for reading in readings
        for code, frame in reading.observations.frames.items()
        if forms[code].roster == ENTERPRISE_ROSTER
        for unit in frame["unit_id"]
    }


def _without_what_is_there(
    office: Office, there: Submission, one: FileReading, conflicts: list[dict[str, object]]
) -> FileReading:  # fmt: skip
    """A unit of a form that an earlier import has is not loaded again; the figures are compared."""
    recorded = observations_of(office.vault, there).frames
    frames: dict[str, pl.DataFrame] = {}
    for code, frame in one.observations.frames.items():
        known = recorded[code]["unit_id"].to_list() if code in recorded else []
        again = frame.filter(pl.col("unit_id").is_in(known))
        if again.height:
            equal, different = _compared(office, there, Observations({code: again}))
            message = f"表 {code} 的 {again.height} 个单位已导入过({there.number}),不再导入;要更正的请先撤销验收并退回那一份。"
            conflicts.append(
                conflict(
                    there.park, there.period, "imported", message, there, form=code, equal=equal, different=different
                )
            )
        if (rest := frame.filter(~pl.col("unit_id").is_in(known))).height:
            frames[code] = rest
    cell_map = one.observations.cell_map.filter(pl.col("form").is_in(list(frames)))
    return replace(one, observations=Observations(frames, cell_map))


def _compared(office: Office, there: Submission, ours: Observations) -> tuple[int, int]:
    """(cells that say the same, cells that say otherwise or nothing) in what is recorded."""
    if there.check is None or there.check.observations_blob is None:
        return 0, 0
    recorded = observations_of(office.vault, there).frames
    equal = different = 0
    for code, frame in ours.frames.items():
        known = {r["unit_id"]: r for r in recorded[code].iter_rows(named=True)} if code in recorded else {}
        for row in frame.iter_rows(named=True):
            for column, value in row.items():
                if column not in KEY_COLUMNS and value is not None:
                    is_same = known.get(row["unit_id"], {}).get(column) == value
                    equal, different = equal + is_same, different + (not is_same)
    return equal, different
