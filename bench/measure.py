"""Measuring: a job in a process of its own, its seconds, and the memory of it and of the processes it starts.

Memory is resident memory (VmRSS, VmHWM of Linux) looked at every few hundredths of a second by a thread, so that the peak
of a stage and of children that have since ended is known. Pages several processes share are counted in each of them.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

ROOT = Path(__file__).parents[1]
INTERVAL = 0.03
KIB = 1024
ONE_CORE = "on-one-core"


def resident(pid: int | str, field: str = "VmRSS") -> float:
    """Resident memory of a process in MiB, now (VmRSS) or at most so far (VmHWM); 0 for one that is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return next((int(line.split()[1]) / KIB for line in lines if line.startswith(field)), 0.0)


def descendants(pid: int) -> list[int]:
    """The processes below one, whichever of its threads started them."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = [int(child) for child in task.read_text(encoding="ascii").split()]
        except (FileNotFoundError, ProcessLookupError):
            continue
        for child in children:
            found += [child, *descendants(child)]
    return found


def processor_seconds() -> float:
    """Processor time used so far by this process and by all below it that are still there."""
    ticks = 0
    for pid in ["self", *descendants(os.getpid())]:
        try:
            # After the name, which may hold anything but a closing bracket followed by these: user and system ticks.
            ticks += sum(int(t) for t in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13])
        except (FileNotFoundError, ProcessLookupError):
            continue
    return ticks / os.sysconf("SC_CLK_TCK")


class MemoryWatch:
    """Peaks while the block runs, in MiB: ``own``, ``largest_child``, ``together`` (all processes at one moment)."""

    def __init__(self) -> None:
        self.own = self.largest_child = self.together = 0.0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> MemoryWatch:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()
        self._look()

    def restart(self) -> dict[str, float]:
        """The peaks so far; they begin anew."""
        self._look()
        found = self.peaks()
        self.own = self.largest_child = self.together = 0.0
        return found

    def peaks(self) -> dict[str, float]:
        """The peaks since the start, or since ``restart``."""
        return {
            "own_mib": round(self.own, 1),
            "largest_child_mib": round(self.largest_child, 1),
            "together_mib": round(self.together, 1),
        }

    def _watch(self) -> None:
        while not self._done.wait(INTERVAL):
            self._look()

    def _look(self) -> None:
        own = resident("self")
        children = descendants(os.getpid())
        self.own = max(self.own, own)
        self.largest_child = max([self.largest_child, *(resident(child, "VmHWM") for child in children)])
        self.together = max(self.together, own + sum(resident(child) for child in children))


def in_child(job: str, arguments: Mapping[str, Any], *, on_one_core: bool = False) -> dict[str, Any]:
    """``module:function(**arguments)`` in a fresh process: its result (a dict for JSON), with seconds and peaks added.

    ``on_one_core`` binds it to the first core it may use, engines' threads included. What it says on stderr goes to
    ours. Raises RuntimeError where it fails.
    """
    program = [sys.executable, "-m", "bench.measure", job, json.dumps(arguments), *([ONE_CORE] if on_one_core else [])]
    threads = {"POLARS_MAX_THREADS": "1"} if on_one_core else {}
    env = os.environ | threads
    done = subprocess.run(program, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False, env=env)
    if done.returncode:
        raise RuntimeError(f"{job} → {done.returncode}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def whoami() -> dict[str, Any]:
    """Job: which process this is, how many are below it, and how many cores it may use."""
    return {
        "pid": os.getpid(),
        "descendants": len(descendants(os.getpid())),
        "cores": len(os.sched_getaffinity(0)),
    }


def main(job: str, arguments: str, cores: str = "") -> None:
    """The child: one job, its result as the last line of output."""
    if cores == ONE_CORE:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    module, name = job.split(":")
    function = getattr(importlib.import_module(module), name)
    with MemoryWatch() as watch:
        wall, processor = time.perf_counter(), time.process_time()
        result = function(**json.loads(arguments))
        taken = {"job_seconds": time.perf_counter() - wall, "job_cpu_seconds": time.process_time() - processor}
    print(json.dumps(result | taken | {"peak": watch.peaks()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
