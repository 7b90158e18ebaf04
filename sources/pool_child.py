"""The child's side of ``sources.pool``: limits itself, then answers one job after another until its input ends."""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import pickle
import resource
import shutil
import sys
import traceback
from pathlib import Path
from typing import BinaryIO

CLONE_NEWNET, CLONE_NEWUSER = 0x40000000, 0x10000000
PR_SET_NO_NEW_PRIVS = 38


def serve(memory: str, cpu_seconds: str, file_size: str, open_files: str, preload: str) -> None:
    """Answer jobs from standard input on standard output."""
    jobs = os.fdopen(os.dup(0), "rb")
    replies = os.fdopen(os.dup(1), "wb")
    silence = os.open(os.devnull, os.O_RDWR)
    os.dup2(silence, 0)
    os.dup2(silence, 1)  # whatever a parser prints must not look like a reply
    cut_off_network()
    for kind, limit in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, int(file_size)),
        (resource.RLIMIT_NOFILE, int(open_files)),
    ):
        soften(kind, limit)
    for module in filter(None, preload.split(",")):
        importlib.import_module(module)
    from sources.pool_wire import HEADER  # after the limits: it imports polars

    while len(head := jobs.read(HEADER.size)) == HEADER.size:
        job = jobs.read(HEADER.unpack(head)[1])
        status, reply = answer(job, int(memory), int(cpu_seconds))
        send(replies, status, reply)
        if status in (4, 5):  # memory exhausted or a panic: this process has seen enough
            return
        tidy()


def cut_off_network() -> None:
    """No network and no new privileges, as far as the kernel lets an ordinary user say so."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if libc.unshare(CLONE_NEWNET) != 0:
        libc.unshare(CLONE_NEWUSER | CLONE_NEWNET)


def allow(memory: int, cpu_seconds: int) -> None:
    """Limits for the next job, counted from what the process has used so far."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    soften(resource.RLIMIT_AS, pages * resource.getpagesize() + memory)
    used = resource.getrusage(resource.RUSAGE_SELF)
    soften(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime) + 1 + cpu_seconds)


def soften(kind: int, limit: int) -> None:
    """Set a soft limit; a stricter hard limit of the machine stands."""
    _, hard = resource.getrlimit(kind)
    resource.setrlimit(kind, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))


def answer(job: bytes, memory: int, cpu_seconds: int) -> tuple[int, bytes]:
    """Run one job; how it ended and what it gave. The limits are set once the function's module is imported."""
    from schemas.errors import SubmissionError
    from sources.pool_wire import Status, pack, resolved

    try:
        path, args = pickle.loads(job)
        function = resolved(path)
        allow(memory, cpu_seconds)
        return Status.RESULT, pack(function(*args))
    except SubmissionError as error:
        return Status.REFUSED, json.dumps([error.code, str(error)]).encode()
    except (MemoryError, RecursionError):
        return Status.EXHAUSTED, b""
    except BaseException as error:
        # A panic of a Rust parser derives from BaseException; it is the file's doing, everything else is ours.
        if type(error).__name__ == "PanicException":
            return Status.PANICKED, b""
        return Status.FAILED, traceback.format_exc().encode("utf-8", "replace")


def send(replies: BinaryIO, status: int, reply: bytes) -> None:
    """One reply."""
    from sources.pool_wire import HEADER

    replies.write(HEADER.pack(status, len(reply)))
    replies.write(reply)
    replies.flush()


def tidy() -> None:
    """Remove what a job left in the temporary directory."""
    for left in Path.cwd().iterdir():
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


if sys.platform == "win32":
    raise ImportError("sources.pool needs a POSIX system: Windows has no resource limits; use WSL")
