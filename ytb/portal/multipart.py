"""multipart/form-data as it streams in, a chunk at a time: python-multipart's parser, and what we ask beyond it.

Source: RFC 7578. A part must say that it is form data and have a name; names of files are text to show, never a path.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser as StreamParser
from python_multipart.multipart import parse_options_header

_PER_CENT = re.compile("%(22|0D|0A)")
_EXTENDED = re.compile(r";\s*filename\*\s*=\s*utf-8''([^;\s]+)", re.IGNORECASE)


class BadFormError(Exception):
    """What came is not a form as browsers send it."""


@dataclass(frozen=True)
class Part:
    """The head of a part; ``filename`` is None for an ordinary field."""

    name: str
    filename: str | None


class MultipartParser:
    """Feed it chunks; it gives a ``Part`` where one begins, bytes of its content, and None where it ends."""

    def __init__(self, boundary: str) -> None:
        if not 1 <= len(boundary) <= 70 or not boundary.isascii():
            raise BadFormError("boundary")
        self._items: list[Part | bytes | None] = []
        self._headers: dict[bytes, bytes] = {}
        self._field, self._value = b"", b""
        self.is_complete = False
        """Whether the closing delimiter has come."""
        self._parser = StreamParser(
            boundary,
            {
                "on_part_begin": self._headers.clear,
                "on_header_field": self._on_field,
                "on_header_value": self._on_value,
                "on_header_end": self._on_header_end,
                "on_headers_finished": self._on_headers_finished,
                "on_part_data": self._on_data,
                "on_part_end": lambda: self._items.append(None),
                "on_end": self._on_end,
            },
        )

    def feed(self, chunk: bytes) -> Iterator[Part | bytes | None]:
        """What this chunk completes. Raises BadFormError."""
        try:
            self._parser.write(chunk)
        except FormParserError as fault:
            raise BadFormError(type(fault).__name__) from None
        found, self._items = self._items, []
        yield from found

    def _on_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        # The first of two headers with one name counts.
        self._headers.setdefault(self._field.lower(), self._value)
        self._field = self._value = b""

    def _on_headers_finished(self) -> None:
        self._items.append(part_of(self._headers.get(b"content-disposition", b"")))

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        if end > start:
            self._items.append(data[start:end])

    def _on_end(self) -> None:
        self.is_complete = True


def part_of(disposition: bytes) -> Part:
    """The part that a Content-Disposition announces. Raises BadFormError for one that announces none.

    RFC 7578 section 4.2 forbids ``filename*``; programs that send nothing else still mean it, so it counts where it
    stands alone.
    """
    kind, found = parse_options_header(disposition)
    if kind != b"form-data" or b"name" not in found:
        raise BadFormError("disposition")
    name = _text(found[b"name"])
    if b"filename" in found:
        return Part(name, _text(found[b"filename"]))
    extended = _EXTENDED.search(disposition.decode("latin-1"))
    return Part(name, unquote(extended[1], errors="replace") if extended else None)


def _text(value: bytes) -> str:
    # Browsers write quotes and line ends in names as %22, %0D, %0A, and nothing else in this way.
    return _PER_CENT.sub(lambda m: chr(int(m[1], 16)), value.decode("utf-8", errors="replace"))
