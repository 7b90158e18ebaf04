"""A pool of limited, disposable child processes: whatever a file does to a parser, the caller lives.

Each child is a fresh interpreter with its own temporary directory, no network where the kernel allows that, and limits on
memory, processor time, file size and open files. It is used again until it dies, has done its share of jobs, or was too slow.
What comes back is data: Arrow IPC for frames, and otherwise a pickle that may name only plain values and our own dataclasses.
Needs a POSIX system (resource limits); works in threads, in daemonic processes and beside any event loop.
"""

from __future__ import annotations

import json
import os
import pickle
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TypeVar

import polars as pl

from schemas.errors import StatisticsError, SubmissionError
from sources.guard_refusals import refusal
from sources.pool_wire import HEADER, LARGEST_REPLY, Status, function_path, unpack

T = TypeVar("T")

_BOOT = (
    "import json,sys; sys.path[:]=json.loads(sys.argv[1]); from sources.pool_child import serve; serve(*sys.argv[2:])"
)
# One thread a child: the pool itself uses the cores.
_ONE_THREAD = dict.fromkeys(
    ("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"), "1"
)


class ChildError(StatisticsError):
    """The function failed in a way that is our fault, not the file's; the message ends with the child's traceback."""


@dataclass(frozen=True)
class Limits:
    """What one job may use. ``memory`` comes on top of what the libraries themselves have mapped (polars reserves 0.6 GiB)."""

    memory: int = 1 << 30
    cpu_seconds: int = 20
    wall_seconds: float = 30.0
    file_size: int = 64 << 20
    open_files: int = 64
    jobs: int = 200


class _Child:
    """One process and its temporary directory."""

    def __init__(self, limits: Limits, preload: tuple[str, ...]) -> None:
        self.limits = limits
        self.jobs = 0
        self.directory = tempfile.mkdtemp(prefix="ytb-read-")
        settings = [str(limits.memory), str(limits.cpu_seconds), str(limits.file_size), str(limits.open_files)]
        paths = json.dumps([os.path.abspath(path) for path in sys.path])  # noqa: PTH100
        self.process = subprocess.Popen(
            [sys.executable, "-c", _BOOT, paths, *settings, ",".join(preload)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # a panic message may hold a figure
            cwd=self.directory,
            env=self._environment(),
            start_new_session=True,
        )

    def _environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "LD_LIBRARY_PATH") if name in os.environ}
        own = {"TMPDIR": self.directory, "HOME": self.directory, "LC_ALL": "C.UTF-8", "PYTHONUTF8": "1"}
        return kept | own | _ONE_THREAD

    def ask(self, job: bytes) -> tuple[Status, bytes]:
        """Send a job and wait for its reply, at most ``wall_seconds``. Raises EOFError where the child is gone."""
        self.jobs += 1
        stdin, stdout = self.process.stdin, self.process.stdout
        if stdin is None or stdout is None:
            raise EOFError
        watchdog = threading.Timer(self.limits.wall_seconds, self.process.kill)
        watchdog.daemon = True
        watchdog.start()
        try:
            stdin.write(HEADER.pack(0, len(job)))
            stdin.write(job)
            stdin.flush()
            head = stdout.read(HEADER.size)
            if len(head) < HEADER.size:
                raise EOFError
            status, length = HEADER.unpack(head)
            if length > LARGEST_REPLY:
                raise EOFError
            reply = stdout.read(length)
            if len(reply) < length:
                raise EOFError
            return Status(status), reply
        except (BrokenPipeError, ValueError):
            raise EOFError from None
        finally:
            watchdog.cancel()

    def end(self) -> int:
        """Kill the process, remove its directory; the exit status."""
        self.process.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:
                    continue
        status = self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)
        return status


class Pool:
    """``workers`` children (as many as cores where not said); use as a context manager. Safe to call from many threads."""

    def __init__(
        self, workers: int | None = None, limits: Limits | None = None, preload: tuple[str, ...] = ("sources.grid",)
    ) -> None:
        self.workers = workers or len(os.sched_getaffinity(0))
        self.limits = limits or Limits()
        self.preload = preload
        self._idle: queue.LifoQueue[_Child | None] = queue.LifoQueue()
        self._is_closed = False
        for _ in range(self.workers):
            self._idle.put(None)

    def __enter__(self) -> Pool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all children, waiting for those at work. Twice is once."""
        if self._is_closed:
            return
        self._is_closed = True
        for _ in range(self.workers):
            if child := self._idle.get():
                child.end()

    def run(self, function: Callable[..., T] | str, *args: Any) -> T:
        """``function(*args)`` in a child: an importable function, or its path ``module:name``.

        Raises SubmissionError where the function does, and where the file killed, choked or outlasted the child;
        ChildError for any other exception of the function.
        """
        job = pickle.dumps((function_path(function), args), protocol=5)
        if self._is_closed:
            raise ChildError("读取进程池已关闭")
        child = self._idle.get()
        kept: _Child | None = None
        try:
            child = child or _Child(self.limits, self.preload)
            try:
                status, reply = child.ask(job)
            except EOFError:
                raise _obituary(child.end()) from None
            if status in (Status.RESULT, Status.REFUSED, Status.FAILED) and child.jobs < self.limits.jobs:
                kept = child
            else:
                child.end()
            result: T = _opened(status, reply)
            return result
        except BaseException:
            if child is not None and kept is None:
                child.end()
            raise
        finally:
            self._idle.put(kept)

    def map(
        self, function: Callable[..., T] | str, jobs: Iterable[tuple[Any, ...]]
    ) -> Iterator[T | SubmissionError | ChildError]:
        """``function(*job)`` for each job, on all children at once: results in the order of the jobs, refusals as values.

        ``jobs`` is consumed as needed, so a thousand files need not be in memory.
        """
        waiting: deque[Future[T | SubmissionError | ChildError]] = deque()
        with ThreadPoolExecutor(self.workers, thread_name_prefix="ytb-pool") as threads:
            for job in jobs:
                waiting.append(threads.submit(self._settled, function, job))
                if len(waiting) > 2 * self.workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

    def _settled(self, function: Callable[..., T] | str, job: tuple[Any, ...]) -> T | SubmissionError | ChildError:
        try:
            result: T = self.run(function, *job)
        except (SubmissionError, ChildError) as error:
            return error
        return result


def _opened(status: Status, reply: bytes) -> Any:
    match status:
        case Status.RESULT:
            try:
                return unpack(reply)
            except (pickle.UnpicklingError, EOFError, ValueError, pl.exceptions.PolarsError) as error:
                raise ChildError(f"读取进程的回复不可信:{error}") from None
        case Status.REFUSED:
            code, message = json.loads(reply)
            raise SubmissionError(str(code), str(message))
        case Status.EXHAUSTED:
            raise refusal("too_costly")
        case Status.PANICKED:
            raise refusal("unreadable", found="E-PANIC")
    raise ChildError(reply.decode("utf-8", "replace"))


def _obituary(status: int) -> SubmissionError:
    """Why a child is gone: too slow (killed by us or by its processor limit), or taken down by the file."""
    if status in (-signal.SIGKILL, -signal.SIGXCPU):
        return refusal("too_costly")
    name = signal.Signals(-status).name if status < 0 else str(status)
    return refusal("unreadable", found=f"E-{name}")
