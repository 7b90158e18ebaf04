"""The fast scan of the shared strings: how many there are, and for each a length it cannot exceed."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import as_strided

from sources.guard_chunk import PAD, NotPlainError
from sources.guard_fast import is_plain_encoding
from sources.guard_xml import PackageFacts, PartScan, StringTableReader

LARGEST = 1 << 25  # read in one piece; larger tables go through expat piecewise

_OPEN_TABLE = re.compile(rb"<sst(?:\s[^<>]*)?>")
_ITEM = b"<si>"


def scan_strings_fast(scan: PartScan, facts: PackageFacts, part: bytes) -> None:
    """Read a shared string table of plain strings: ``<si><t>…</t></si>`` and nothing else.

    The distance from one item to the next bounds the length of its text. Raises NotPlainError where expat must decide.
    """
    opening = _OPEN_TABLE.search(part, 0, 1 << 16)
    end = part.rfind(b"</sst>")
    if opening is None or end < opening.end() or not is_plain_encoding(part):
        raise NotPlainError
    scan.feed(part[: opening.end()])
    scan.feed(part[end:], last=True)
    if scan.root != "sst" or not isinstance(scan.reader, StringTableReader):
        raise NotPlainError
    facts.know_strings(_lengths(part[opening.end() : end]))


def _lengths(items: bytes) -> npt.NDArray[np.int64]:
    padded = items + PAD
    starts = np.flatnonzero(np.frombuffer(padded, np.uint8, count=len(items)) == ord("<"))
    words = as_strided(np.frombuffer(padded, "<u4", count=1), shape=(len(items) + 12,), strides=(1,))[starts + 1]
    second, third = words & 0xFFFF, words & 0xFFFFFF
    is_item = third == int.from_bytes(b"si>", "little")
    is_text = (second == int.from_bytes(b"t>", "little")) | (words == int.from_bytes(b"t xm", "little"))
    is_closing = (words & 0xFF) == ord("/")
    if not (is_item | is_text | is_closing).all():
        raise NotPlainError
    bounds = np.append(starts[is_item], len(items))
    return np.diff(bounds).astype(np.int64) - len(_ITEM)
