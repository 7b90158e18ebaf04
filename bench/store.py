"""The store: loading rounds into the warehouse, the products of a quarter and of a year, disclosure control, publication.

Jobs for processes of their own (``bench.measure.in_child``). The stages of a publication are told apart by what it says of
its progress; nothing is measured that ``ytb publish`` does not do. Rivals: a bare DuckDB, given the same frames.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import duckdb
import polars as pl

from bench.area import QUARTER, SCALES, YEAR, Area
from bench.filing import NOW, WHO, file_everything, office_at
from bench.measure import MemoryWatch
from pipelines.intake import Office, observations_of
from pipelines.loading import load_all
from pipelines.publishing import publish
from schemas.marts import MARTS
from schemas.model import Form
from schemas.period import Period
from warehouse import facts
from warehouse.ledger.submissions import submissions
from warehouse.snapshots import publish_snapshot

SAID = {
    **{f"计算 {mart.title}": f"{mart.product}: {name}" for name, mart in MARTS.items()},
    "披露控制": "disclosure control, all marts",
    "写发布文件": "files of the release, marts kept, snapshot",
}
INPUTS = "register, findings and submissions from the ledger"


class Clock:
    """Seconds, of the wall and of the processor, spent in its blocks."""

    def __init__(self, name: str) -> None:
        self.name, self.seconds, self.cpu_seconds = name, 0.0, 0.0

    def __enter__(self) -> None:
        self._begun, self._used = time.perf_counter(), time.process_time()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.seconds += time.perf_counter() - self._begun
        self.cpu_seconds += time.process_time() - self._used

    def stage(self) -> dict[str, Any]:
        """What was spent, under its name."""
        return {"stage": self.name, "seconds": self.seconds, "cpu_seconds": self.cpu_seconds}


class Stages:
    """Seconds and peak memory between one word of progress and the next."""

    def __init__(self, watch: MemoryWatch, first: str) -> None:
        self.watch, self.now, self.found = watch, first, list[dict[str, Any]]()
        self.begun, self.used = time.perf_counter(), time.process_time()

    def say(self, word: str) -> None:
        """A new stage begins, where the word is one of a stage."""
        if word in SAID:
            self.end()
            self.now = SAID[word]

    def end(self) -> list[dict[str, Any]]:
        """Close the stage at hand; all stages so far."""
        peak = self.watch.restart()["own_mib"]
        taken, used = time.perf_counter() - self.begun, time.process_time() - self.used
        print(f"  {self.now}: {taken:.1f} s, {used:.1f} CPU s, {peak:.0f} MiB", file=sys.stderr, flush=True)
        self.found.append({"stage": self.now, "seconds": taken, "cpu_seconds": used, "peak_mib": peak})
        self.begun, self.used = time.perf_counter(), time.process_time()
        return self.found


def filing(root: str, size: str) -> dict[str, Any]:
    """Job: the home everything else works on."""
    return file_everything(Path(root), Area(SCALES[size]), lambda line: print(line, file=sys.stderr, flush=True))


def loading(root: str, size: str) -> dict[str, Any]:
    """Job: every submission from the vault through the gate into an empty warehouse, both stages, and a snapshot."""
    office, home = office_at(Path(root), Area(SCALES[size]))
    with MemoryWatch() as watch, facts.writer(home.live) as con:
        stages = Stages(watch, "load: gate, submitted and accepted")
        loaded = load_all(office, con)
        stages.end()
        stages.now = "load again, nothing new"
        load_all(office, con)
        stages.end()
        stages.now = "snapshot"
        publish_snapshot(con, home.snapshots)
        found = stages.end()
    return {
        "stages": found,
        "submissions": loaded.new,
        "rows": loaded.rows,
        "warehouse_mib": home.live.stat().st_size / 2**20,
    }


def bare_loading(root: str, size: str) -> dict[str, Any]:
    """Job, the rival: the same frames from the vault, each put into a bare DuckDB table by one INSERT; once, no gate."""
    office, home = office_at(Path(root), Area(SCALES[size]))
    path = home.root / "bare.duckdb"
    path.unlink(missing_ok=True)
    reading, inserting = Clock("reading the vault"), Clock("insert and checkpoint")
    with office.ledger.read() as session:
        listed = submissions(session)
    with duckdb.connect(str(path)) as con:
        for code in facts.form_codes(office.programme):
            names = facts.columns_of(office.programme, code)
            empty = pl.DataFrame(schema={"submission_id": pl.String(), "period": pl.String(), **names}).to_arrow()
            con.register("empty", empty)
            con.execute(f'CREATE TABLE "{code}" AS SELECT * FROM empty')
            con.unregister("empty")
        con.execute("BEGIN")
        for found in listed:
            with reading:
                frames = observations_of(office.vault, found).frames
            with inserting:
                for code, frame in frames.items():
                    keyed = frame.with_columns(submission_id=pl.lit(found.number), period=pl.lit(str(found.period)))
                    con.register("incoming", keyed.to_arrow())
                    con.execute(f'INSERT INTO "{code}" BY NAME SELECT * FROM incoming')
                    con.unregister("incoming")
        with inserting:
            con.execute("COMMIT")
            con.execute("CHECKPOINT")
    path.unlink()
    return {"stages": [reading.stage(), inserting.stage()]}


def quarter(root: str, size: str) -> dict[str, Any]:
    """Job: ``ytb publish`` of a quarter that has its year before on file."""
    return _publication(root, size, QUARTER)


def year(root: str, size: str) -> dict[str, Any]:
    """Job: ``ytb publish`` of a year."""
    return _publication(root, size, YEAR)


def _publication(root: str, size: str, period: Period) -> dict[str, Any]:
    office, home = office_at(Path(root), Area(SCALES[size]))
    with MemoryWatch() as watch:
        stages = Stages(watch, INPUTS)
        made, manifest = publish(office, home, period, now=NOW, actor=WHO, progress=stages.say)
        found = stages.end()
    marts = {name: entry["rows"] for name, entry in manifest.document["marts"].items()}
    return {"stages": found, "release": made.id, "cells": marts, "files": len(manifest.files)}


def plain_sums(root: str, size: str) -> dict[str, Any]:
    """Job, the rival of the products: DuckDB alone sums every figure of a quarter and of a year by park and industry."""
    office, home = office_at(Path(root), Area(SCALES[size]))
    found = []
    with facts.writer(home.live) as con:
        for period in (QUARTER, YEAR):
            summing = Clock("")
            with summing:
                sums = _sums(con, office, period)
            found.append(summing.stage() | {"stage": f"SELECT sum(…) GROUP BY, {period}, {sums} sums"})
    return {"stages": found}


def _sums(con: duckdb.DuckDBPyConnection, office: Office, period: Period) -> int:
    """Sums of every additive figure of the enterprise forms by park and division; how many."""
    edition = office.programme.edition_for(period)
    made = 0
    for form in edition.forms.values():
        figures = _figures(form, period)
        if form.roster == "enterprise" and figures:
            sums = ", ".join(f'sum(f."{c}")' for c in figures)
            rows = con.execute(
                f"""SELECT f.park, left(b."B07", 2), {sums} FROM in_force."{form.code}" f
                LEFT JOIN in_force.basic b ON b.unit_id = f.unit_id AND b.period = f.period
                WHERE f.period = ? GROUP BY ALL""",
                [str(period)],
            ).fetchall()
            made += len(rows) * len(figures)
    return made


def _figures(form: Form, period: Period) -> list[str]:
    return [i.code for i in form.asked(period) if i.additive]


JOBS: dict[str, Callable[[str, str], dict[str, Any]]] = {
    "filing": filing,
    "loading": loading,
    "bare_loading": bare_loading,
    "plain_sums": plain_sums,
    "quarter": quarter,
    "year": year,
}
