"""``ytb serve`` killed with SIGKILL at random moments of a rush, started again, killed again: what was answered is kept.

(At the exact system calls of one upload: ``tests/integration/test_portal_kills.py``, with strace.)
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.deadline import Clerk, deadline_home
from bench.measure import ROOT
from bench.portal import START, broken_promises, free_port, say, served, start, unchecked
from bench.rush import Ending, Portal

AT_ONCE = 6
#: The longest that a server lives in a round after the uploads begin, into the checks; most die among the acknowledgements.
LONGEST_LIFE = 4.0


def kill(work: Path, kills: int, seed: int = 20251122) -> dict[str, Any]:
    """So many rounds of uploads at once, each ended by a kill; then the queue of checks worked off and ``ytb verify``."""
    root, chance = work / "kill", random.Random(seed)
    people = deadline_home(root, kills * AT_ONCE, datetime.now(UTC), enterprises=20)
    numbers, problems, unanswered = list[str](), list[str](), 0
    for n in range(kills):
        mine = people[n * AT_ONCE : (n + 1) * AT_ONCE]
        endings = asyncio.run(_round(root, mine, LONGEST_LIFE * chance.random() ** 3))
        numbers += [one.location.removeprefix("/submissions/") for one in endings if one.status == 303]
        unanswered += sum(one.status == 0 for one in endings)
        problems += broken_promises(root, people, numbers)
        say(
            f"kill {n + 1}: {len(numbers)} acknowledged so far, {unchecked(root)} not checked, {len(problems)} problems"
        )
    with served(root):
        begun = time.perf_counter()
        while (left := unchecked(root)) and time.perf_counter() - begun < 600:
            time.sleep(1)
    verified = subprocess.run(
        [*START, "--home", str(root), "verify"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if verified.returncode:
        problems.append(f"ytb verify: {verified.stdout[-500:]}")
    return {
        "kills": kills, "uploads": len(people), "acknowledged": len(numbers), "unanswered": unanswered,
        "unchecked_after_restart": left, "verify": verified.returncode,
        "broken": problems + broken_promises(root, people, numbers),
    }  # fmt: skip


async def _round(root: Path, clerks: Sequence[Clerk], life: float) -> list[Ending]:
    port = free_port()
    process = await asyncio.to_thread(start, root, port)
    portal = Portal(port)
    for clerk in clerks:
        await portal.learn_token(clerk)
    uploads = [asyncio.create_task(portal.upload(clerk)) for clerk in clerks]
    await asyncio.sleep(life)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    return list(await asyncio.gather(*uploads))
