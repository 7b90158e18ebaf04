"""Computing a preview in a process of its own, as a release is made: the portal never opens the live warehouse."""

from __future__ import annotations

import threading
from collections.abc import Callable

from schemas.errors import RefusalError
from schemas.period import Period
from warehouse.home import Home
from ytb.portal.publishing import run_ytb

RUNNING = "running"


class Previews:
    """One preview at a time; how the last one of each period ended. ``make`` says why there is none, "" where there is."""

    def __init__(self, make: Callable[[Period, str], str]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._said: dict[str, str] = {}

    def start(self, period: Period, actor: str) -> None:
        """Start computing. Raises RefusalError while one is computed."""
        with self._lock:
            if RUNNING in self._said.values():
                raise RefusalError("正在计算另一个预览,请稍后再试。")
            self._said[str(period)] = RUNNING
        threading.Thread(target=self._run, args=(period, actor), name=f"preview-{period}", daemon=True).start()

    def said(self, period: Period) -> str:
        """``running``, why the last one failed, or ""."""
        return self._said.get(str(period), "")

    def _run(self, period: Period, actor: str) -> None:
        message = "没有完成,请交维护人员查看日志。"
        try:
            message = self._make(period, actor)
        finally:
            self._said[str(period)] = message


def previews(home: Home) -> Previews:
    """Previews of a home, made by ``ytb publish --preview``."""
    return Previews(lambda period, actor: run_ytb(home, actor, ["publish", "--preview", "--period", str(period)]))
