"""What was acknowledged is there, byte for byte, wherever the process was killed or the disk failed."""

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from schemas.period import Period
from warehouse.home import Home, create_home
from warehouse.ledger.columns import SHANGHAI
from warehouse.ledger.migrate import create_ledger, open_ledger
from warehouse.ledger.parks import Park, add_parks
from warehouse.ledger.submissions import submissions
from warehouse.ledger.verify import referenced_blobs, verify_ledger
from warehouse.vault import Vault

ROOT = Path(__file__).parents[2]
NOW = datetime(2025, 4, 1, tzinfo=SHANGHAI)
# An upload with its checkpoint writes the ledger some sixty times: every fourth is failed in the short run.
STEPS = [
    *((step, 1) for step in ("fsync", "fdatasync", "rename", "write", "ftruncate", "unlink", "mkdir")),
    ("pwrite64", 4),
    pytest.param("pwrite64", 1, marks=pytest.mark.slow),
]
LONGEST = 60.0


@dataclass
class Nursery:
    """The process that forks uploading children, and what they were told."""

    process: subprocess.Popen[str]
    started: int = 0
    refusals: list[str] = field(default_factory=list)

    def start(self, home: Home, count: int) -> int:
        """The pid of a child that waits for SIGUSR1."""
        self.started += 1
        order = {"home": str(home.root), "log": str(log_of(home)), "count": count, "seed": self.started}
        assert self.process.stdin
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return int(self._line())

    def end(self) -> int:
        """The exit status of the child; negative: the signal that killed it."""
        return int(self._line())

    def _line(self) -> str:
        assert self.process.stdout
        line = self.process.stdout.readline()
        assert line, "the nursery died"
        return line


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    yield from nursery_of("upload_nursery.py")


def nursery_of(script: str) -> Iterator[Nursery]:
    """A nursery at work."""
    command = [sys.executable, str(ROOT / "tests" / "integration" / script)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment
    ) as process:
        yield Nursery(process)
        assert process.stdin
        process.stdin.close()


@pytest.fixture(scope="module")
def blank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = create_home(tmp_path_factory.mktemp("blank") / "home", now=NOW)
    ledger = create_ledger(home)
    with ledger.write() as session:
        add_parks(session, [Park("LBXQ", "兰州新区")], now=NOW, actor="admin")
    ledger.engine.dispose()
    return home.root


@pytest.fixture
def home(blank: Path, tmp_path: Path) -> Home:
    shutil.copytree(blank, tmp_path / "home")
    return Home(tmp_path / "home")


def log_of(home: Home) -> Path:
    return home.root.parent / "acknowledged.jsonl"


def said(home: Home) -> list[dict[str, Any]]:
    # A kill within the write of a line leaves a half line: that one was not acknowledged.
    lines = log_of(home).read_text().splitlines(keepends=True) if log_of(home).exists() else []
    return [json.loads(line) for line in lines if line.endswith("\n")]


def acknowledged(home: Home) -> dict[str, list[str]]:
    return {line["number"]: line["files"] for line in said(home) if "number" in line}


def require_promise(home: Home) -> int:
    """Everything acknowledged is there with its bytes; whatever else is there is whole. How many submissions."""
    vault, ledger = Vault.open(home.vault), open_ledger(home)
    with ledger.read() as session:
        found = {one.number: one for one in submissions(session, period=Period(2025, quarter=1))}
        for number, files in acknowledged(home).items():
            assert [file.sha256 for file in found[number].files] == files
        for one in found.values():
            assert one.files, one.number
            for file in one.files:
                content = vault.read(file.sha256)
                assert (hashlib.sha256(content).hexdigest(), len(content)) == (file.sha256, file.size)
        assert sorted(one.revision for one in found.values()) == list(range(1, len(found) + 1))
        assert verify_ledger(session).problems == ()
        report = vault.scrub(referenced_blobs(session))
    ledger.engine.dispose()
    assert report.is_sound, report
    assert not list((home.vault / "tmp").iterdir())
    return len(found)


def kill_at_random(nursery: Nursery, home: Home, trials: int) -> None:
    chance = random.Random(trials)
    for _ in range(trials):
        pid = nursery.start(home, count=10_000)
        wanted = len(acknowledged(home)) + chance.randrange(4)
        os.kill(pid, signal.SIGUSR1)
        while len(acknowledged(home)) < wanted:
            time.sleep(0.002)
        time.sleep(chance.uniform(0.0, 0.03))
        os.kill(pid, signal.SIGKILL)
        assert nursery.end() == -signal.SIGKILL
        assert require_promise(home) >= len(acknowledged(home)) >= wanted


def test_uploads_killed_at_random_times_lose_nothing_acknowledged(nursery: Nursery, home: Home) -> None:
    kill_at_random(nursery, home, 24)


@pytest.mark.slow
def test_many_more_uploads_killed_at_random_times(nursery: Nursery, home: Home) -> None:
    kill_at_random(nursery, home, 120)


@dataclass(frozen=True)
class Trace:
    """One upload under strace: how it ended, whether the fault was injected, and the calls in order."""

    status: int
    was_hit: bool
    calls: list[str]


def traced(nursery: Nursery, home: Home, *options: str, count: int = 1) -> Trace:
    """Run one child under strace. Skips where a process may not be traced."""
    strace = shutil.which("strace")
    if not strace:
        pytest.skip("strace is not installed: faults at exact system calls are not tested")
    log = home.root.parent / "strace.log"
    log.unlink(missing_ok=True)
    pid = nursery.start(home, count)
    command = [strace, "-f", "-y", "-s", "0", "-o", str(log), "-p", str(pid), *options]
    tracer = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert tracer.stderr
    attached = tracer.stderr.readline()
    os.kill(pid, signal.SIGUSR1)
    status = nursery.end()
    tracer.communicate(timeout=LONGEST)
    if "attached" not in attached:
        pytest.skip(f"processes may not be traced here: {attached.strip()}")
    calls = log.read_text().splitlines()
    return Trace(status, status == -signal.SIGKILL or any("(INJECTED)" in call for call in calls), calls)


def test_an_upload_is_acknowledged_only_after_file_directory_and_ledger_are_synced(
    nursery: Nursery, home: Home
) -> None:
    trace = traced(nursery, home, "-e", "trace=write,pwrite64,fsync,fdatasync,rename", count=2)
    assert trace.status == 0
    # The second upload: files written, synced, renamed, their directories synced; ledger written and synced; only
    # then the acknowledgement.
    places = [n for n, call in enumerate(trace.calls) if "acknowledged.jsonl" in call]
    assert len(places) == len(acknowledged(home)) == 2
    upload = trace.calls[places[0] + 1 : places[1]]
    files = acknowledged(home)["2025Q1-LBXQ-0002"]
    renames = [n for n, call in enumerate(upload) if "rename(" in call]
    assert len(renames) == len(files)
    for n, sha256 in zip(renames, files, strict=True):
        assert sha256[2:] in upload[n]
        part = upload[n].split("/vault/tmp/")[1].split(".part")[0]
        synced = max(m for m, call in enumerate(upload[:n]) if " fsync(" in call and part in call)
        written = max(m for m, call in enumerate(upload[:n]) if " write(" in call and part in call)
        assert written < synced < n
        shard = f"/vault/{sha256[:2]}>"
        assert any(" fsync(" in call and shard in call for call in upload[n + 1 :])
    ledger_written = max(m for m, call in enumerate(upload) if "pwrite64(" in call and "ledger.db-wal" in call)
    ledger_synced = max(m for m, call in enumerate(upload) if "sync(" in call and "ledger.db-wal" in call)
    assert renames[-1] < ledger_written < ledger_synced


@pytest.mark.parametrize(("step", "stride"), STEPS)
def test_an_upload_killed_at_any_system_call_loses_nothing_acknowledged(
    nursery: Nursery, home: Home, step: str, stride: int
) -> None:
    for n in range(1, 400, stride):
        trace = traced(nursery, home, "-e", f"trace={step}", "-e", f"inject={step}:signal=SIGKILL:when={n}")
        require_promise(home)
        if not trace.was_hit:
            assert trace.status == 0
            break
    else:
        pytest.fail("the upload did not come to an end")
    assert acknowledged(home)


@pytest.mark.parametrize("fault", ["ENOSPC", "EIO"])
@pytest.mark.parametrize(("step", "stride"), STEPS)
def test_an_upload_that_meets_a_disk_fault_is_refused_whole_and_succeeds_afterwards(
    nursery: Nursery, home: Home, step: str, stride: int, fault: str
) -> None:
    refused = 0
    for n in range(1, 400, stride):
        # Not the acknowledgement itself: that is the test's own file.
        before = len(said(home))
        trace = traced(nursery, home, "-e", f"trace={step}", "-e", f"inject={step}:error={fault}:when={n}")
        require_promise(home)
        hit_own_file = any("(INJECTED)" in call and "acknowledged.jsonl" in call for call in trace.calls)
        if hit_own_file:
            continue
        assert trace.status == 0, trace.calls[-5:]
        *refusals, last = said(home)[before:]
        assert "number" in last
        for line in refusals:
            refused += 1
            assert any("\u4e00" <= character <= "\u9fff" for character in line["refused"]), line
        if not trace.was_hit:
            break
    else:
        pytest.fail("the upload did not come to an end")
    if step in ("fsync", "fdatasync", "rename", "pwrite64"):
        assert refused, "no fault was noticed"
