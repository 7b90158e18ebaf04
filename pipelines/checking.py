"""Checking workbooks: read in limited child processes, audited against whatever is known around them. Keeps nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import TypeVar

import polars as pl

from pipelines.naming_slips import with_slips_named
from pipelines.operands import History, operands_for
from schemas import reserved
from schemas.catalog import is_as_loaded
from schemas.errors import StorageError, SubmissionError
from schemas.findings import BLOCKING, NEEDS_EXPLANATION, as_findings
from schemas.model import FormKind, Programme
from schemas.observations import Observations
from schemas.period import Period
from sources.audit import AuditResult, Operands, audit
from sources.pool import Pool
from sources.reader import FileReading, no_forensics, no_normalised, read_file
from sources.reading import no_restated
from sources.several_books import PutTogether, put_together
from warehouse.ledger.answers import answer_statuses
from warehouse.ledger.intake import IncomingFile
from warehouse.ledger.register import frozen_register, register_as_of


@dataclass(frozen=True)
class IncomingBook:
    """A file as it came: its name and its bytes."""

    name: str
    data: bytes

    @property
    def sha256(self) -> str:
        """The hash the vault knows it by."""
        return hashlib.sha256(self.data).hexdigest()


_Named = TypeVar("_Named", IncomingBook, IncomingFile)


@dataclass(frozen=True)
class Checked:
    """What a check found about one submission (one file for ``ytb check``, all files of a park for ``submit``).

    ``status``: unreadable, failed (hard findings), to_explain (soft ones), clean. ``separable`` are units all of whose
    hard findings stand on forms with ``blocks = "unit"``: the park may report without them, if it says so.
    ``forensics``: what was done to the files since they were handed out.
    """

    status: str
    park: str | None
    period: Period | None
    edition: str | None
    forms: tuple[str, ...]
    observations: Observations
    findings: pl.DataFrame
    normalised: pl.DataFrame
    outcomes: pl.DataFrame
    not_run: tuple[str, ...] = ()
    rule_set_hash: str = ""
    operand_hash: str = ""
    readings: tuple[FileReading, ...] = ()
    separable: tuple[str, ...] = ()
    message: str = ""
    forensics: pl.DataFrame = field(default_factory=no_forensics)

    def blocking(self, left_out: Sequence[str] = ()) -> int:
        """Findings that stop the submission, the units ``left_out`` aside."""
        return self.findings.filter(BLOCKING & ~pl.col("unit_id").is_in(list(left_out)).fill_null(False)).height

    @property
    def restated(self) -> pl.DataFrame:
        """Figures of the year before that the park changed with a reason code."""
        return pl.concat([no_restated(), *(r.restated for r in _once(self.readings))]).unique(maintain_order=True)

    @property
    def to_explain(self) -> int:
        """Findings that need an explanation."""
        return self.findings.filter(NEEDS_EXPLANATION).height


def named_apart(books: Sequence[_Named]) -> list[_Named]:
    """The books under names of their own: findings name their file, and many enterprises call it 报表.xlsx."""
    taken: set[str] = set()
    found: list[_Named] = []
    for book in books:
        path, name, number = PurePath(book.name), book.name, 1
        while name in taken:
            number += 1
            name = f"{path.stem}({number}){path.suffix}"
        taken.add(name)
        found.append(book if name == book.name else replace(book, name=name))
    return found


def read_books(books: Sequence[IncomingBook], programme: Programme, pool: Pool) -> list[FileReading]:
    """Every book through guard and reader, in parallel where the pool has more than one worker, in the order given."""
    if not is_as_loaded(programme):
        raise StorageError(
            f"制度目录 {programme.folder} 里的定义在本程序启动之后改动过:为免前后口径不一,请重新启动后再试。"
        )
    results = pool.map(read_file, [(book.data, book.name, str(programme.folder)) for book in books])
    readings = []
    for book, result in zip(books, results, strict=True):
        if isinstance(result, FileReading):
            readings.append(result)
        elif isinstance(result, SubmissionError):
            readings.append(FileReading.unreadable(book.name, book.sha256, result.code, str(result)))
        else:
            raise result
    return readings


def check(
    readings: Sequence[FileReading],
    programme: Programme,
    history: History | None = None,
    *,
    park: str | None = None,
    period: Period | None = None,
    units: Collection[str] | None = None,
) -> Checked:
    """Audit what was read as one submission. ``park`` and ``period`` are what the sender says; the files must agree.

    ``units``: who had to answer in these files, where that is not every enterprise of the park (own workbooks). Without ``history`` (no home) rules on other periods and on the register are counted as not run.
    """
    broken = [r for r in readings if r.status == "unreadable"]
    if broken:
        return _unreadable(readings, broken)
    parks, periods = {r.park for r in readings if r.park}, {r.period for r in readings if r.period}
    disagreement = _elsewhere(readings, park, period) or _disagreement(
        readings, parks | ({park} if park else set()), periods | ({period} if period else set())
    )
    if disagreement:
        return _refused(readings, *disagreement)
    the_park, the_period = next(iter(parks)), next(iter(periods))
    edition = programme.edition_for(the_period)
    together = put_together(readings, edition, the_park)
    observations = together.observations
    read_findings = pl.concat([*(r.findings for r in _once(readings)), together.findings])
    register, operands = None, None
    if history is not None:
        register = register_of(history, the_period, the_park)
        if units is not None:
            register = register.filter(pl.col("unit_id").is_in(list(units)))
        rosters = {
            name: pl.concat(
                [f["unit_id"] for c, f in observations.frames.items() if edition.forms[c].roster == name and f.height]
            )
            for name in {
                edition.forms[c].roster
                for c, f in observations.frames.items()
                if f.height and edition.forms[c].kind is FormKind.ROSTER
            }
        }
        operands = operands_for(history, the_period, the_park, rosters | {"park": pl.Series([the_park])})
    result = audit(
        observations,
        programme,
        the_period,
        park=the_park,
        operands_of_other_periods=operands,
        register=register,
        known=read_findings,
        file_names={r.sha256: r.name for r in readings},
    )
    if units is not None:
        # Own workbooks of enterprises do not owe the forms of their park.
        of_park = {c for c, f in edition.forms.items() if f.kind is FormKind.SHEET} - observations.frames.keys()
        result = replace(result, findings=result.findings.filter(~pl.col("form").is_in(list(of_park))))
    return _judged(readings, programme, the_park, the_period, together, read_findings, result, operands)


def _once(readings: Sequence[FileReading]) -> list[FileReading]:
    """The same file given twice, under one name or two, is read once."""
    return list({r.sha256: r for r in readings}.values())


def register_of(history: History, period: Period, park: str) -> pl.DataFrame:
    """The units of ``park`` that owe a report for ``period``: unit_id, name, sub_park, answer_status (null: none yet)."""
    frozen = frozen_register(history.vault, history.session, period)
    known = frozen if frozen is not None else register_as_of(history.session, period.end, park=park)
    units = known.filter(park=park)
    statuses = answer_statuses(history.session, period, units["unit_id"].to_list()).select(
        "unit_id", answer_status=pl.col("status").cast(pl.String)
    )
    # 0 and 1 come from an earlier check of the same round; they do not explain an absence.
    statuses = statuses.filter(~pl.col("answer_status").is_in(["0", "1"]))
    name = pl.col(reserved.NAME) if reserved.NAME in units.columns else pl.lit(None, dtype=pl.String)
    return units.with_columns(name=name).join(statuses, on="unit_id", how="left")


def _judged(
    readings: Sequence[FileReading],
    programme: Programme,
    park: str,
    period: Period,
    together: PutTogether,
    read_findings: pl.DataFrame,
    result: AuditResult,
    operands: Operands | None,
) -> Checked:
    observations = together.observations
    edition = programme.edition_for(period)
    named = with_slips_named(result, observations, edition, period)
    findings = pl.concat([read_findings, named])
    by_unit = [f.code for f in edition.forms.values() if f.blocks == "unit"]
    hard = findings.filter(BLOCKING)
    whole = hard.filter(~pl.col("form").is_in(by_unit))["unit_id"].implode()
    separable = tuple(
        sorted(hard.filter(pl.col("unit_id").is_not_null() & ~pl.col("unit_id").is_in(whole))["unit_id"].unique())
    )
    status = "failed" if hard.height else "to_explain" if findings.filter(NEEDS_EXPLANATION).height else "clean"
    return Checked(
        status, park, period, edition.id, tuple(c for c in edition.forms if c in observations.frames and observations.frames[c].height),
        observations, findings, pl.concat([r.normalised for r in _once(readings)] or [no_normalised()]), result.outcomes, result.not_run,
        result.rule_set_hash, operands.snapshot if operands else "", tuple(readings), separable,
        forensics=pl.concat([*(r.forensics for r in _once(readings)), together.forensics]),
    )  # fmt: skip


def _elsewhere(readings: Sequence[FileReading], park: str | None, period: Period | None) -> tuple[str, str] | None:
    """Files of another period or park than where they were sent: which ones, and of what."""
    others = [(r, r.period) for r in readings if period and r.period and r.period != period]
    if others:
        named = "、".join(f"《{r.name}》是 {of} 的报表" for r, of in others)
        return "several_periods", f"{named},这里报送的是 {period};请改用 {period} 的模板,或到那一期报送。"
    strangers = [(r, r.park) for r in readings if park and r.park and r.park != park]
    if strangers:
        named = "、".join(f"《{r.name}》是园区 {of} 的报表" for r, of in strangers)
        return "several_parks", f"{named},这里报送的是 {park};请核对文件,只报本园区的。"
    return None


def _disagreement(readings: Sequence[FileReading], parks: set[str], periods: set[Period]) -> tuple[str, str] | None:
    names = "、".join(f"《{r.name}》" for r in readings)
    if not periods:
        return "no_period", f"{names}里找不到报告期;请用本期下发的模板填报,或在报送时写明报告期。"
    if len(periods) > 1:
        return (
            "several_periods",
            f"{names}里有 {len(periods)} 个报告期({'、'.join(sorted(map(str, periods)))});一次只能报送一个报告期,请分开报送。",
        )
    if not parks:
        return "no_park", f"{names}里找不到园区代码;请用本园区的模板填报,或在报送时写明园区。"
    if len(parks) > 1:
        return (
            "several_parks",
            f"{names}里有 {len(parks)} 个园区代码({'、'.join(sorted(parks))});一次只能报送一个园区,请核对后分开报送。",
        )
    return None


def _refused(readings: Sequence[FileReading], code: str, message: str) -> Checked:
    findings = as_findings([{"rule": code, "severity": "hard", "code": code, "message": message, "outcome": "failed"}])
    period = next((r.period for r in readings if r.period), None)
    return Checked(
        "unreadable",
        next((r.park for r in readings if r.park), None),
        period,
        None,
        (),
        Observations({}),
        findings,
        no_normalised(),
        _no_outcomes(),
        readings=tuple(readings),
        message=message,
    )


def _unreadable(readings: Sequence[FileReading], broken: Sequence[FileReading]) -> Checked:
    rows: list[dict[str, object]] = [
        {"rule": r.code, "severity": "hard", "code": r.code, "file": r.name, "message": r.message, "outcome": "failed"}
        for r in broken
    ]
    first = next((r for r in readings if r.period), None)
    return Checked(
        "unreadable", first.park if first else None, first.period if first else None, None, (), Observations({}), as_findings(rows), no_normalised(),
        _no_outcomes(), readings=tuple(readings), message=";".join(r.message for r in broken),
    )  # fmt: skip


def _no_outcomes() -> pl.DataFrame:
    return pl.DataFrame(
        schema={
            "rule": pl.String,
            "holds": pl.Int64,
            "failed": pl.Int64,
            "undetermined": pl.Int64,
            "not_applicable": pl.Int64,
        }
    )


def tally(checked: Checked) -> dict[str, int]:
    """Units, filled cells, hard and soft findings, normalised cells."""
    frames = checked.observations.frames.values()
    return {
        "units": checked.observations.frames[reserved.BASIC].height
        if reserved.BASIC in checked.observations.frames
        else 0,
        "cells": sum(f.height * f.width - sum(f.null_count().row(0)) for f in frames if f.height),
        "hard": checked.findings.filter(BLOCKING).height,
        "soft": checked.findings.filter(NEEDS_EXPLANATION).height,
        "normalised": checked.normalised.height,
    }
