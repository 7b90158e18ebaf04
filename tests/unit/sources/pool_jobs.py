"""Functions for the tests of the pool: a child imports them by name."""

from __future__ import annotations

import os
from pathlib import Path


class PanicException(BaseException):
    """Named and derived as the one of Rust's Python bindings."""


def panic() -> None:
    """As a parser written in Rust does."""
    raise PanicException


def write_a_large_file() -> int:
    """Write two MiB."""
    return Path("large").write_bytes(bytes(2 << 20))


def leave_a_file() -> list[str]:
    """What was left in the working directory before; leaves a file."""
    found = [left.name for left in Path.cwd().iterdir()]
    Path("left").write_text("x", encoding="utf-8")
    return found


def die_if_odd(number: int) -> int:
    """End the process without a word."""
    if number % 2:
        os._exit(3)
    return number
