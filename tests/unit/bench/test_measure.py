"""What the bench measures with: memory of this process and of those below it, stages told apart by their words, tables."""

from __future__ import annotations

import os
import subprocess
import sys

from bench.measure import MemoryWatch, descendants, in_child, resident
from bench.store import SAID, Stages
from bench.tables import reading_table
from schemas.marts import MARTS

HELD = 64 << 20


def test_a_peak_is_seen_though_the_memory_is_given_back() -> None:
    with MemoryWatch() as watch:
        before = watch.restart()["own_mib"]
        block = bytearray(b"x") * HELD
        held = watch.restart()["own_mib"]
        assert len(block) == HELD
        del block
    assert held - before > 0.9 * HELD / 2**20


def test_processes_below_are_found_and_their_memory_counted() -> None:
    waiting = "import sys; block = bytearray(b'x') * (64 << 20); print('ready', flush=True); sys.stdin.read()"
    with (
        MemoryWatch() as watch,
        subprocess.Popen([sys.executable, "-c", waiting], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child,
    ):
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        assert child.pid in descendants(os.getpid())
        found = watch.restart()
        child.communicate()
    assert found["largest_child_mib"] > HELD / 2**20
    assert found["together_mib"] > found["own_mib"] + HELD / 2**20
    assert resident(child.pid) == 0


def test_a_job_runs_in_a_process_of_its_own() -> None:
    found = in_child("bench.measure:whoami", {})
    assert found["descendants"] == 0
    assert found["pid"] != os.getpid()
    assert found["peak"]["own_mib"] > 0
    assert in_child("bench.measure:whoami", {}, on_one_core=True)["cores"] == 1


def test_stages_begin_with_their_words_and_every_mart_has_one() -> None:
    assert set(MARTS) == {said.partition(": ")[2] for said in SAID.values()} - {""}
    with MemoryWatch() as watch:
        stages = Stages(watch, "before")
        stages.say("入库 2014-LBXQ-0001")
        stages.say("披露控制")
        found = stages.end()
    assert [stage["stage"] for stage in found] == ["before", SAID["披露控制"]]


def test_ratios_are_to_calamine_with_as_many_at_work() -> None:
    made = {"books": 4, "enterprises": 8, "filled_cells": 9, "megabytes": 1.0, "planted": 0, "rules": 2}
    peak = {"own_mib": 1.0, "largest_child_mib": 2.0, "together_mib": 3.0}
    runs = [
        {"who": "calamine", "workers": 1, "seconds": 1.0, "cpu_seconds": 1.0, "peak": peak},
        {"who": "calamine", "workers": 2, "seconds": 0.5, "cpu_seconds": 2.0, "peak": peak},
        {"who": "product", "workers": 2, "seconds": 2.0, "cpu_seconds": 5.0, "peak": peak},
    ]
    shown = reading_table({"made": made | {"rules_of_the_script": 1}, "runs": runs}).splitlines()
    assert shown[-1].endswith("| 2.00 | 2.0 | 5.00 | 2.50 | 1 | 2 | 3 |")
