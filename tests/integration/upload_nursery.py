"""Forks processes that upload, for test_durability to kill: one line of JSON on stdin, the child's pid and end on stdout.

A fork costs milliseconds where a new interpreter costs a second. Each child waits for SIGUSR1, so that a tracer can
attach first, and writes every acknowledgement as a line of its own, with one write, before it begins the next upload.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from schemas.errors import StorageError
from schemas.period import Period
from warehouse.home import open_home
from warehouse.ledger.columns import SHANGHAI
from warehouse.ledger.intake import IncomingFile, record_received
from warehouse.ledger.migrate import open_ledger
from warehouse.vault import Vault

NOW = datetime(2025, 4, 1, 9, 0, tzinfo=SHANGHAI)


def upload(order: dict[str, Any]) -> None:
    """Upload ``count`` random sets of files; after a refusal the same set once more."""
    chance = random.Random(order["seed"])
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    home = open_home(Path(order["home"]))
    opened = None
    for _ in range(order["count"]):
        files = [chance.randbytes(chance.randrange(1, 200_000)) for _ in range(chance.randrange(1, 3))]
        for _attempt in range(3):
            try:
                opened = opened or (Vault.open(home.vault), open_ledger(home))
                received = record_received(
                    *opened,
                    [IncomingFile(f"{n}.xlsx", content) for n, content in enumerate(files)],
                    park="LBXQ",
                    period=Period(2025, quarter=1),
                    edition="2025",
                    channel="test",
                    now=NOW,
                    actor="liu",
                )
            except StorageError as refusal:
                say(log, {"refused": str(refusal)})
            else:
                found = received.submission
                say(log, {"number": found.number, "files": [file.sha256 for file in found.files]})
                break
    if opened:
        opened[1].engine.dispose()


def say(log: int, line: dict[str, object]) -> None:
    os.write(log, (json.dumps(line, ensure_ascii=False) + "\n").encode())


def main(upload: Callable[[dict[str, Any]], None] = upload) -> None:
    """Fork a child for each order; it runs ``upload``."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    for line in sys.stdin:
        pid = os.fork()
        if not pid:
            signal.sigwait({signal.SIGUSR1})
            status = 70
            try:
                upload(json.loads(line))
                status = 0
            finally:
                os._exit(status)
        print(pid, flush=True)  # noqa: T201
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
