"""``python -m bench.portal``: the portal at the deadline, on this machine's own loopback, with everything as ``ytb serve`` runs it.

``rush``: so many uploads at once, each from the signed-in browser of another park; every one must get a number of its own,
and the same files sent again, three at a time, the same number. ``stall``: connections that send nothing, half a head or no
body, while honest uploads go on. ``kill``: the server killed at random moments of a rush, and started again.
Tables go to stdout, progress to stderr, everything to ``--json FILE``. Exit status 1 where something was lost or doubled.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from bench.books import YEAR
from bench.deadline import Clerk, deadline_home
from bench.measure import ROOT, descendants, resident
from bench.rush import HOST, Ending, Portal, Stalled, together
from warehouse.home import open_home
from warehouse.ledger.migrate import open_ledger
from warehouse.ledger.states import State
from warehouse.ledger.submissions import Submission, submissions
from warehouse.ledger.verify import referenced_blobs, verify_ledger
from warehouse.vault import Vault

LONGEST_START = 120.0
#: ``ytb`` in a process of its own.
START = (sys.executable, "-c", "import sys; from ytb.cli.main import main; sys.exit(main(sys.argv[1:]))")


class Memory:
    """Peak resident memory of a process, in MiB, and of it with its children."""

    def __init__(self, pid: int) -> None:
        self.pid, self.own, self.together = pid, 0.0, 0.0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Memory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(0.1):
            own = resident(self.pid)
            self.own = max(self.own, own)
            self.together = max(self.together, own + sum(resident(child) for child in descendants(self.pid)))


def free_port() -> int:
    """A port that nobody has."""
    with socket.socket() as found:
        found.bind((HOST, 0))
        return int(found.getsockname()[1])


def start(root: Path, port: int) -> subprocess.Popen[bytes]:
    """``ytb serve`` on a home, once it answers. Its standard error goes to ours."""
    command = [*START, "--home", str(root), "serve", "--port", str(port)]
    process = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.DEVNULL
    )
    until = time.monotonic() + LONGEST_START
    while time.monotonic() < until:
        try:
            with urlopen(f"http://{HOST}:{port}/alive", timeout=5) as answer:
                if answer.status == 200:
                    return process
        except OSError:
            if process.poll() is not None:
                raise RuntimeError(f"ytb serve ended with {process.returncode}") from None
            time.sleep(0.1)
    process.kill()
    raise RuntimeError("ytb serve does not answer")


@contextmanager
def served(root: Path) -> Iterator[tuple[Portal, int]]:
    """A portal on a home and the process it is."""
    port = free_port()
    process = start(root, port)
    try:
        yield Portal(port), process.pid
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def processor_seconds(pid: int) -> float:
    """Processor time that a process has used, without its children."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def on_file(root: Path) -> list[Submission]:
    """Every submission of the round."""
    ledger = open_ledger(open_home(root))
    try:
        with ledger.read() as session:
            return submissions(session, period=YEAR)
    finally:
        ledger.engine.dispose()


def broken_promises(root: Path, clerks: Sequence[Clerk], numbers: Sequence[str]) -> list[str]:
    """What was acknowledged and is not there, is there twice, or is not what was sent; and what ``ytb verify`` says."""
    found = {one.number: one for one in on_file(root)}
    said = [f"{number} 已确认而不在台账" for number in numbers if number not in found]
    said += [f"{one.number} 重复登记" for one in found.values() if one.revision > 1]
    sent = {clerk.park: hashlib.sha256(clerk.data).hexdigest() for clerk in clerks}
    said += [f"{n} 内容不符" for n, one in found.items() if [f.sha256 for f in one.files] != [sent[one.park]]]
    home = open_home(root)
    ledger = open_ledger(home)
    with ledger.read() as session:
        said += verify_ledger(session).problems
        report = Vault(home.vault).scrub(referenced_blobs(session))
    ledger.engine.dispose()
    return said + ([] if report.is_sound else [f"文件库:{report}"])


def quantiles(endings: Sequence[Ending]) -> dict[str, float]:
    """Seconds: middle, 99 of a hundred, longest."""
    taken = sorted(one.seconds for one in endings)
    return {
        name: round(taken[min(len(taken) - 1, int(len(taken) * share))], 2)
        for name, share in (("p50", 0.5), ("p99", 0.99), ("max", 1.0))
    }


def rush(work: Path, clerks: int, wait: float) -> dict[str, Any]:
    """So many uploads at once, retries after them, and the queue of checks worked off (for at most ``wait`` seconds)."""
    root = work / "rush"
    people = deadline_home(root, clerks, datetime.now(UTC))
    with served(root) as (portal, pid), Memory(pid) as memory:
        found = asyncio.run(_rush(portal, pid, people))
        acknowledged = [str(number) for number in found.pop("numbers")]
        at_receipts, begun = round(memory.own), time.perf_counter()
        say(f"{len(acknowledged)} receipts; waiting for the checks")
        while (left := unchecked(root)) and time.perf_counter() - begun < wait:
            time.sleep(2)
        checks = {"checked": clerks - left, "seconds": round(time.perf_counter() - begun)}
    return found | {
        "uploads": clerks, "bytes_each": len(people[0].data), "distinct_numbers": len(set(acknowledged)),
        "server_mib_at_receipts": at_receipts, "server_mib": round(memory.own), "with_children_mib": round(memory.together),
        "checks_after": checks, "broken": broken_promises(root, people, acknowledged),
    }  # fmt: skip


def unchecked(root: Path) -> int:
    """How many submissions wait for their check."""
    return sum(one.state is State.RECEIVED for one in on_file(root))


async def _rush(portal: Portal, pid: int, people: Sequence[Clerk]) -> dict[str, Any]:
    for clerk in people:
        await portal.learn_token(clerk)
    say(f"{len(people)} uploads at once")
    load, used, begun = round(os.getloadavg()[0], 1), processor_seconds(pid), time.perf_counter()
    first = await together([lambda c=clerk: portal.upload(c) for clerk in people])  # type: ignore[misc]
    whole, used = time.perf_counter() - begun, processor_seconds(pid) - used
    numbers = [one.location.removeprefix("/submissions/") for one in first if one.status == 303]
    say("retries")
    again = people[: len(people) // 5]
    retried = await together([lambda c=clerk: portal.upload(c) for clerk in again for _ in range(3)])  # type: ignore[misc]
    said_again = {one.location.removeprefix("/submissions/") for one in retried if one.status == 303}
    receipts = await together([lambda c=clerk, n=number: portal.look(c, f"/submissions/{n}/receipt") for clerk, number in zip(people, numbers, strict=False)])  # type: ignore[misc]  # fmt: skip
    return {
        "load_before": load, "statuses": _counted(first), "seconds": quantiles(first), "whole": round(whole, 2),
        "server_cpu_seconds": round(used, 2),
        "retries": _counted(retried), "numbers_new_on_retry": len(said_again - set(numbers)),
        "receipts": _counted(receipts), "numbers": numbers,
    }  # fmt: skip


def _counted(endings: Sequence[Ending]) -> dict[str, int]:
    found: dict[str, int] = {}
    for one in endings:
        found[str(one.status)] = found.get(str(one.status), 0) + 1
    return found


def stall(work: Path, connections: int, honest: int) -> dict[str, Any]:
    """Honest uploads, one after the other, while so many connections stall."""
    root = work / "stall"
    # Stalled uploads belong to accounts too: twenty at a time is what one account may have on its way.
    people = deadline_home(root, honest + max(connections // 40, 1), datetime.now(UTC), enterprises=20)
    with served(root) as (portal, pid), Memory(pid) as memory:
        found = asyncio.run(_stall(portal, people[:honest], people[honest:], connections))
    return found | {"server_mib": round(memory.own), "broken": broken_promises(root, people, found.pop("numbers"))}


async def _stall(
    portal: Portal, honest: Sequence[Clerk], stalling: Sequence[Clerk], connections: int
) -> dict[str, Any]:
    for clerk in honest:
        await portal.learn_token(clerk)
    load = round(os.getloadavg()[0], 1)
    pages, endings, at_once = [], [], []
    async with Stalled(portal.port, connections, stalling) as held:
        for clerk in honest:
            at_once.append(held.open)
            pages.append(await portal.look(clerk, "/park"))
            endings.append(await portal.upload(clerk))
        cut = held.cut
    return {
        "load_before": load, "connections": min(at_once), "cut_off_meanwhile": cut, "statuses": _counted(endings),
        "upload_with_result_seconds": quantiles(endings), "page_seconds": quantiles(pages),
        "numbers": [one.location.removeprefix("/submissions/") for one in endings if one.status == 303],
    }  # fmt: skip


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.portal", description=__doc__)
    parser.add_argument(
        "--only", choices=("rush", "stall", "kill"), action="append", help="one section; may be repeated"
    )
    parser.add_argument("--uploads", type=int, default=500, help="rush: how many at once")
    parser.add_argument("--wait", type=float, default=600, help="rush: seconds to wait for the checks, at most")
    parser.add_argument("--connections", type=int, default=1000, help="stall: how many stall")
    parser.add_argument("--honest", type=int, default=20, help="stall: honest uploads meanwhile")
    parser.add_argument("--kills", type=int, default=20, help="kill: how many")
    parser.add_argument("--json", type=Path, help="everything as JSON")
    asked = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 8192)), hard))
    work, found = Path(tempfile.mkdtemp(prefix="ytb-portal-")), dict[str, Any]()
    try:
        for name in asked.only or ("rush", "stall", "kill"):
            found[name] = _section(name, asked, work)
            print(f"## {name}\n{json.dumps(found[name], ensure_ascii=False, indent=1)}", flush=True)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    if asked.json:
        asked.json.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return int(any(one["broken"] for one in found.values()))


def _section(name: str, asked: argparse.Namespace, work: Path) -> dict[str, Any]:
    match name:
        case "rush":
            return rush(work, asked.uploads, asked.wait)
        case "stall":
            return stall(work, asked.connections, asked.honest)
        case "kill":
            from bench.portal_kills import kill

            return kill(work, asked.kills)
    raise ValueError(name)


def say(text: str) -> None:
    """Progress."""
    print(f"{text} …", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
