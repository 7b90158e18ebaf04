"""multipart/form-data as it streams in, a chunk at a time. Source: RFC 7578 with the boundary rules of RFC 2046.

No parser of this format is among the locked packages. This one holds at most one chunk, a delimiter and one header block.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from urllib.parse import unquote

_HEADERS_LONGEST = 8192
_PARAMETER = re.compile(r';\s*([A-Za-z*-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s]*))')


class BadFormError(Exception):
    """What came is not a form as browsers send it."""


@dataclass(frozen=True)
class Part:
    """The head of a part; ``filename`` is None for an ordinary field."""

    name: str
    filename: str | None


class _State(Enum):
    PREAMBLE = 0
    HEADERS = 1
    BODY = 2
    DONE = 3


class MultipartParser:
    """Feed it chunks; it gives a ``Part`` where one begins, bytes of its content, and None where it ends."""

    def __init__(self, boundary: str) -> None:
        if not 1 <= len(boundary) <= 70 or not boundary.isascii():
            raise BadFormError("boundary")
        self._delimiter = b"\r\n--" + boundary.encode()
        # The first delimiter has no line end before it; with this it looks like every other.
        self._buffer = b"\r\n"
        self._state = _State.PREAMBLE

    @property
    def is_complete(self) -> bool:
        """Whether the closing delimiter has come."""
        return self._state is _State.DONE

    def feed(self, chunk: bytes) -> Iterator[Part | bytes | None]:
        """What this chunk completes. Raises BadFormError."""
        self._buffer += chunk
        while True:
            match self._state:
                case _State.DONE:
                    self._buffer = b""
                    return
                case _State.HEADERS:
                    if (part := self._head()) is None:
                        return
                    self._state = _State.BODY
                    yield part
                case _:
                    is_body = self._state is _State.BODY
                    content, at_delimiter = self._content()
                    if is_body and content:
                        yield content
                    if not at_delimiter or not self._after_delimiter():
                        return
                    if is_body:
                        yield None

    def _content(self) -> tuple[bytes, bool]:
        at = self._buffer.find(self._delimiter)
        if at < 0:
            keep = len(self._delimiter) - 1
            content, self._buffer = self._buffer[:-keep], self._buffer[-keep:]
            return content, False
        content, self._buffer = self._buffer[:at], self._buffer[at:]
        return content, True

    def _after_delimiter(self) -> bool:
        end = len(self._delimiter) + 2
        if len(self._buffer) < end:
            return False
        following = self._buffer[end - 2 : end]
        if following not in (b"\r\n", b"--"):
            raise BadFormError("delimiter")
        self._state = _State.HEADERS if following == b"\r\n" else _State.DONE
        self._buffer = self._buffer[end:]
        return True

    def _head(self) -> Part | None:
        at = self._buffer.find(b"\r\n\r\n")
        if at < 0 or at > _HEADERS_LONGEST:
            if len(self._buffer) > _HEADERS_LONGEST:
                raise BadFormError("headers")
            return None
        head, self._buffer = self._buffer[:at], self._buffer[at + 4 :]
        return part_of(head)


def part_of(head: bytes) -> Part:
    """The part that a block of header lines announces."""
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-disposition":
            return _part(value.decode("utf-8", errors="replace").strip())
    raise BadFormError("disposition")


def _part(value: str) -> Part:
    if not value.lower().startswith("form-data"):
        raise BadFormError("disposition")
    found: dict[str, str] = {}
    for key, quoted, bare in _PARAMETER.findall(value):
        text = quoted.replace('\\"', '"') if quoted else bare
        if key.lower() == "filename*":
            _, _, text = text.partition("''")
            found["filename"] = unquote(text, errors="replace")
        elif key.lower() not in found:
            found[key.lower()] = re.sub("%(22|0D|0A)", lambda m: chr(int(m[1], 16)), text)
    if "name" not in found:
        raise BadFormError("name")
    return Part(found["name"], found.get("filename"))
