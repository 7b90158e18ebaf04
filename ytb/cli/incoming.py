"""Files that a command takes in from outside: read once, looked at for viruses where the installation does so."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipelines.checking import IncomingBook
from schemas.errors import SubmissionError
from ytb.cli.session import CALL


def books_of(files: Sequence[Path], what: str = "文件") -> list[IncomingBook]:
    """The files with their bytes, for a command that keeps nothing. Raises SubmissionError for one that is not there."""
    found = []
    for path in files:
        if not path.is_file():
            raise SubmissionError("no_file", f"找不到{what} {path};请核对文件名。")
        try:
            found.append(IncomingBook(path.name, path.read_bytes()))
        except OSError as cause:
            raise SubmissionError("unreadable", f"{what} {path} 不能读取:{cause.strerror}。") from None
    return found


def taken_in(files: Sequence[Path], what: str = "文件") -> list[IncomingBook]:
    """The files with their bytes, for a command that takes them into this home: all of them have passed the scanner.

    Raises SubmissionError for one that is not there or not clean, StorageError where the scanner gives no verdict.
    """
    from pipelines.letting_in import let_in

    found = books_of(files, what)
    let_in(CALL.office, [(book.name, book.data) for book in found], now=CALL.now, actor=CALL.who)
    return found


def is_same(path: Path, data: bytes) -> bool:
    """Whether these bytes, and nothing else, stand in a file; it is not taken in."""
    return path.read_bytes() == data
