"""What was acknowledged is there after the power went, at whatever moment of an upload."""

import os
import random
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.power_loss import CALLS, Call, Disk, calls_of
from tests.integration.test_durability import LONGEST, Nursery, blank, home, log_of, nursery, require_promise
from warehouse.home import Home

__all__ = ["blank", "home", "nursery"]
# As many as are asked for: fifty take some minutes.
UPLOADS = int(os.environ.get("YTB_POWER_LOSS_UPLOADS", "2"))
TORN_EVERY = 4 if UPLOADS == 2 else 1


def recorded(nursery: Nursery, home: Home) -> list[Call]:
    """The calls of ``UPLOADS`` uploads one after another. Skips where a process may not be traced."""
    strace = shutil.which("strace")
    if not strace:
        pytest.skip("strace is not installed: nothing can be recorded")
    log = home.root.parent / "strace.log"
    pid = nursery.start(home, UPLOADS)
    command = [strace, "-f", "-y", "-xx", "-s", "1000000", "-e", f"trace={CALLS}", "-o", str(log), "-p", str(pid)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracer:
        assert tracer.stderr
        attached = tracer.stderr.readline()
        os.kill(pid, signal.SIGUSR1)
        assert nursery.end() == 0
        tracer.communicate(timeout=LONGEST)
    if "attached" not in attached:
        pytest.skip(f"processes may not be traced here: {attached.strip()}")
    return list(calls_of(log.read_text().splitlines()))


def survivors(calls: list[Call], disk: Disk, log: Path, place: Path) -> Iterator[tuple[int, Home]]:
    """After every call the homes that a loss of power may leave, with the acknowledgements given so far beside them."""
    chance, told, number = random.Random(UPLOADS), b"", 0
    for n, call in enumerate(calls):
        disk.play(call)
        if call.name == "write" and call.path == log:
            told += call.texts[0]
        is_sync = call.name.endswith("sync")
        for is_strict in (True, False):
            if (is_sync or n == len(calls) - 1) if is_strict else n % TORN_EVERY == 0:
                number += 1
                after = place / str(number)
                if is_strict:
                    disk.strict(after / "home")
                else:
                    disk.torn(after / "home", chance)
                (after / log.name).write_bytes(told)
                yield n, Home(after / "home")
                shutil.rmtree(after)


def test_an_upload_acknowledged_survives_the_loss_of_power_at_any_moment(
    nursery: Nursery, home: Home, tmp_path: Path
) -> None:
    disk = Disk.of(home.root)
    calls = recorded(nursery, home)
    homes = most = 0
    for n, after in survivors(calls, disk, log_of(home), tmp_path / "after"):
        try:
            most = max(most, require_promise(after))
        except AssertionError as broken:
            pytest.fail(f"after call {n}, {calls[n].name} {calls[n].path}: {broken}")
        homes += 1
    assert most == UPLOADS
    assert homes > 15 * UPLOADS
