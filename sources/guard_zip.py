"""The zip container of a workbook, read by our own hand: no overlap, no lie, no second directory.

The standard library's zipfile tolerates prefixes, overlapping members (CPython < 3.11.8) and duplicate names; a guard must not.
Source of the format: PKWARE APPNOTE 6.3, sections 4.3.6 to 4.3.16.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from sources.guard_limits import MAX_ENTRIES, MAX_ENTRY, MAX_RATIO, MAX_TOTAL, RATIO_FLOOR
from sources.guard_refusals import megabytes, refusal

LOCAL, CENTRAL, END, END64, LOCATOR64 = b"PK\3\4", b"PK\1\2", b"PK\5\6", b"PK\6\6", b"PK\6\7"
STORED, DEFLATED = 0, 8
FEED = 1 << 17
CHUNK = 1 << 20
_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_DRIVE_OR_CONTROL = re.compile(r"[:\x00-\x1f]")


@dataclass(frozen=True)
class Entry:
    """One member: ``start`` and ``packed`` delimit its compressed bytes in the file, ``size`` is what it must inflate to."""

    name: str
    start: int
    packed: int
    size: int
    method: int
    crc: int


def directory(data: bytes) -> list[Entry]:
    """The members of a zip file, in the order of its directory, after every container rule has been checked."""
    if not data.startswith(LOCAL):
        raise refusal("zip_prefix")
    count, offset, end = _end_record(data)
    if count > MAX_ENTRIES:
        raise refusal("zip_entries", found=count, limit=MAX_ENTRIES)
    entries, headers = _central_directory(data, count, offset, end)
    _check_names(entries)
    _check_sizes(entries)
    _check_overlap(entries, headers, offset)
    return entries


def _end_record(data: bytes) -> tuple[int, int, int]:
    """(number of entries, offset of the directory, its end)."""
    at = data.rfind(END, max(0, len(data) - _END.size - 0xFFFF))
    if at < 0 or at + _END.size > len(data):
        raise refusal("truncated")
    _, disk, first_disk, here, count, size, offset, comment = _END.unpack_from(data, at)
    if at + _END.size + comment != len(data):
        raise refusal("truncated" if at + _END.size + comment > len(data) else "zip_trailing")
    if (
        data[at - 20 : at - 16] == LOCATOR64
        or 0xFFFF in (disk, first_disk, here, count)
        or 0xFFFFFFFF in (size, offset)
    ):
        return _end_record_64(data, at)
    if disk or first_disk or here != count:
        raise refusal("zip_multidisk")
    if offset + size != at:
        # more room between directory and end record than declared hides data; less is a truncated or patched file
        raise refusal("zip_size_lie", found="目录位置")
    return count, offset, at


def _end_record_64(data: bytes, at: int) -> tuple[int, int, int]:
    locator = at - 20
    if locator < 0 or data[locator : locator + 4] != LOCATOR64:
        raise refusal("zip_size_lie", found="目录位置")
    (where,) = struct.unpack_from("<Q", data, locator + 8)
    if where + _END64.size > locator or data[where : where + 4] != END64:
        raise refusal("zip_size_lie", found="目录位置")
    _, _, _, _, disk, first_disk, here, count, size, offset = _END64.unpack_from(data, where)
    if disk or first_disk or here != count:
        raise refusal("zip_multidisk")
    if offset + size != where:
        raise refusal("zip_size_lie", found="目录位置")
    return count, offset, where


def _central_directory(data: bytes, count: int, offset: int, end: int) -> tuple[list[Entry], list[int]]:
    entries: list[Entry] = []
    headers: list[int] = []
    at = offset
    for _ in range(count):
        if at + _CENTRAL.size > end or data[at : at + 4] != CENTRAL:
            raise refusal("zip_size_lie", found="目录条数")
        (_, _, _, flags, method, _, _, crc, packed, size, name_len, extra_len, comment_len, disk, _, _, header) = (
            _CENTRAL.unpack_from(data, at)
        )
        at += _CENTRAL.size
        raw_name, extra = data[at : at + name_len], data[at + name_len : at + name_len + extra_len]
        at += name_len + extra_len + comment_len
        name = raw_name.decode("utf-8" if flags & 0x800 else "cp437", errors="replace")
        if flags & 0x1 or flags & 0x40:
            raise refusal("encrypted", found="压缩包加密")
        if disk not in (0, 0xFFFF):
            raise refusal("zip_multidisk")
        if method not in (STORED, DEFLATED):
            raise refusal("zip_method", found=f"{name}:{method}")
        size, packed, header = _zip64_sizes(extra, size, packed, header)
        start = _data_start(data, header, name)
        if start + packed > offset:
            raise refusal("zip_overlap" if start + packed <= len(data) else "truncated", found=name)
        entries.append(Entry(name, start, packed, size, method, crc))
        headers.append(header)
    if at != end:
        raise refusal("zip_size_lie", found="目录长度")
    return entries, headers


def _zip64_sizes(extra: bytes, size: int, packed: int, header: int) -> tuple[int, int, int]:
    """Sizes and offset with those that only the zip64 extra field can hold."""
    values = [size, packed, header]
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        if kind == 1:
            field, used = extra[at + 4 : at + 4 + length], 0
            for i, value in enumerate(values):
                if value == 0xFFFFFFFF and used + 8 <= len(field):
                    (values[i],) = struct.unpack_from("<Q", field, used)
                    used += 8
        at += 4 + length
    return values[0], values[1], values[2]


def _data_start(data: bytes, header: int, name: str) -> int:
    if header + _LOCAL.size > len(data):
        raise refusal("truncated")
    signature, *_, name_len, extra_len = _LOCAL.unpack_from(data, header)
    if signature != LOCAL:
        raise refusal("damaged", found=f"部件 {name} 的开头")
    return header + _LOCAL.size + int(name_len) + int(extra_len)


def _check_names(entries: list[Entry]) -> None:
    seen: set[str] = set()
    for entry in entries:
        name = entry.name.replace("\\", "/")
        if name.startswith("/") or ".." in name.split("/") or _DRIVE_OR_CONTROL.search(name):
            raise refusal("zip_traversal", found=entry.name)
        folded = name.casefold()
        if folded in seen:
            raise refusal("zip_duplicate", found=entry.name)
        seen.add(folded)


def _check_sizes(entries: list[Entry]) -> None:
    total = sum(entry.size for entry in entries)
    if total > MAX_TOTAL:
        raise refusal("expands_too_much", found=megabytes(total), limit=megabytes(MAX_TOTAL))
    for entry in entries:
        if entry.size > MAX_ENTRY:
            raise refusal("expands_too_much", found=megabytes(entry.size), limit=megabytes(MAX_ENTRY))
        if entry.size > RATIO_FLOOR and entry.size > MAX_RATIO * entry.packed:
            raise refusal("ratio", found=entry.name)
        if entry.method == STORED and entry.size != entry.packed:
            raise refusal("zip_size_lie", found=entry.name)


def _check_overlap(entries: list[Entry], headers: list[int], directory_at: int) -> None:
    ranges = sorted(
        (header, entry.start + entry.packed, entry.name) for header, entry in zip(headers, entries, strict=True)
    )
    for (_, end, _), (begin, _, name) in pairwise(ranges):
        if begin < end:
            raise refusal("zip_overlap", found=name)
    if ranges and ranges[-1][1] > directory_at:
        raise refusal("zip_overlap", found=ranges[-1][2])


def chunks(data: bytes, entry: Entry) -> Iterator[bytes]:
    """The inflated bytes of one member, piecewise; its size and CRC are checked on the way, never more is inflated."""
    packed = memoryview(data)[entry.start : entry.start + entry.packed]
    crc = total = 0
    for chunk in _inflated(packed, entry) if entry.method == DEFLATED else _stored(packed):
        total += len(chunk)
        if total > entry.size:
            raise refusal("zip_size_lie", found=entry.name)
        crc = zlib.crc32(chunk, crc)
        yield chunk
    if total != entry.size:
        raise refusal("zip_size_lie", found=entry.name)
    if crc != entry.crc:
        raise refusal("damaged", found=f"部件 {entry.name} 校验不符")


def _stored(packed: memoryview) -> Iterator[bytes]:
    for at in range(0, len(packed), CHUNK):
        yield bytes(packed[at : at + CHUNK])


def _inflated(packed: memoryview, entry: Entry) -> Iterator[bytes]:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    fed = 0
    try:
        while not inflater.eof and fed < len(packed):
            rest: bytes | memoryview = packed[fed : fed + FEED]
            fed += len(rest)
            while rest and not inflater.eof:
                if chunk := inflater.decompress(rest, CHUNK):
                    yield chunk
                rest = inflater.unconsumed_tail
        if not inflater.eof and (chunk := inflater.flush()):
            yield chunk
    except zlib.error:
        raise refusal("damaged", found=f"部件 {entry.name} 无法解压") from None
    if not inflater.eof:
        raise refusal("damaged", found=f"部件 {entry.name} 不完整")
    if inflater.unused_data or fed < len(packed):
        raise refusal("zip_size_lie", found=entry.name)


def content(data: bytes, entry: Entry) -> bytes:
    """All of one member."""
    return b"".join(chunks(data, entry))
