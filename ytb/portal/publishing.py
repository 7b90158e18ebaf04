"""Making a release in a process of its own: the portal never opens the live warehouse, and outlives whatever happens there."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import datetime

from pipelines.intake import Office
from schemas.period import Period
from warehouse.home import Home
from warehouse.ledger.release_requests import finish_release, release_requests
from warehouse.ledger.releases import releases

LONGEST_SECONDS = 4 * 3600
COMMAND = "import sys; from ytb.cli.main import main; sys.exit(main(sys.argv[1:]))"
_ROOT = __file__.rsplit("/ytb/", 1)[0]


def publisher(office: Office, home: Home, clock: Callable[[], datetime]) -> Callable[[int, Period, str, str], None]:
    """What starts a release and enters in the ledger what came of it."""

    def start(number: int, period: Period, reason: str, actors: str) -> None:
        work = threading.Thread(
            target=run, args=(number, period, reason, actors), name=f"release-{number}", daemon=True
        )
        work.start()

    def run(number: int, period: Period, reason: str, actors: str) -> None:
        message = make(home, period, reason, actors)
        with office.ledger.write() as session:
            made = None if message else releases(session, period)[-1].id
            finish_release(session, number, release=made, message=message, now=clock(), actor=actors)

    return start


def make(home: Home, period: Period, reason: str, actors: str) -> str:
    """Run ``ytb publish``: why there is no release, empty where there is one. What it prints is for people, not for us."""
    return run_ytb(home, actors, ["publish", "--period", str(period), *([f"--reason={reason}"] if reason else [])])


def run_ytb(home: Home, actors: str, words: list[str]) -> str:
    """Run one command of ``ytb`` in a process of its own: why it did not do it, empty where it did."""
    command = [sys.executable, "-c", COMMAND, "--home", str(home.root), "--user", actors, *words]
    try:
        done = subprocess.run(
            command, cwd=_ROOT, capture_output=True, text=True, errors="replace", timeout=LONGEST_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return "计算超过规定时间,已停止。"
    except OSError as cause:
        return f"不能启动计算:{cause.strerror}。"
    if not done.returncode:
        return ""
    lines = [line for line in done.stderr.splitlines() if line.startswith("错误:") or "系统内部错误" in line]
    return (lines[-1] if lines else "没有完成,请交维护人员查看日志。")[:300]


def fail_interrupted(office: Office, now: datetime) -> None:
    """What ran when the portal was stopped is entered as not done; it can be asked for again."""
    with office.ledger.read() as session:
        running = release_requests(session, state="running")
    if running:
        with office.ledger.write() as session:
            for one in running:
                finish_release(
                    session, one.id, release=None, message="系统重新启动,发布中断,请重新申请。", now=now, actor="系统"
                )
