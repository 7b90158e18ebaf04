"""A compound file (.xls, .et, and the wrapper of encrypted workbooks): header and chains checked, root streams read.

Source: [MS-CFB] 2.2 (header), 2.3 to 2.5 (allocation tables), 2.6 (directory).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sources.guard_refusals import refusal

MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_FIRST_SPECIAL = 0xFFFFFFFA


@dataclass(frozen=True)
class _Item:
    name: str
    kind: int
    left: int
    right: int
    child: int
    start: int
    size: int


class CompoundFile:
    """The streams below the root of a compound file. Raises SubmissionError where counts or chains cannot be."""

    def __init__(self, data: bytes) -> None:
        if len(data) < 1536:
            raise refusal("truncated")
        self.data = data
        _, major, order, shift, mini_shift = struct.unpack_from("<5H", data, 24)
        _, fat_count, directory, _, self._cutoff, mini_fat, mini_count, difat, difat_count = struct.unpack_from(
            "<9L", data, 40
        )
        if order != 0xFFFE or major not in (3, 4) or shift != (9 if major == 3 else 12) or mini_shift != 6:
            raise refusal("damaged", found="文件头")
        self._sector = 1 << shift
        self._sectors = (len(data) - self._sector + self._sector - 1) // self._sector
        if fat_count > self._sectors or mini_count > self._sectors or difat_count > self._sectors:
            raise refusal("truncated")
        self._fat = self._allocation_table(self._fat_sectors(fat_count, difat, difat_count))
        self._items = self._directory(directory)
        self._mini_fat = np.frombuffer(self._chain(mini_fat), "<u4") if mini_count else np.zeros(0, "<u4")
        self._mini = self._chain(self._items[0].start) if self._items[0].start < _FIRST_SPECIAL else b""
        self.streams = {item.name: item for item in self._below_root()}

    def read(self, name: str) -> bytes:
        """The bytes of a stream below the root."""
        item = self.streams[name]
        if item.size > len(self.data):
            raise refusal("truncated")
        if item.size < self._cutoff:
            return self._mini_chain(item.start)[: item.size]
        stream = self._chain(item.start)
        if len(stream) < item.size:
            raise refusal("truncated")
        return stream[: item.size]

    def _fat_sectors(self, count: int, difat: int, difat_count: int) -> list[int]:
        sectors = list(struct.unpack_from("<109L", self.data, 76))
        per_sector = self._sector // 4 - 1
        for _ in range(difat_count):
            if difat >= _FIRST_SPECIAL:
                break
            block = self._at(difat)
            if len(block) < self._sector:
                raise refusal("truncated")
            entries = struct.unpack(f"<{per_sector + 1}L", block)
            sectors.extend(entries[:per_sector])
            difat = entries[per_sector]
        return [s for s in sectors if s < _FIRST_SPECIAL][:count]

    def _allocation_table(self, sectors: list[int]) -> npt.NDArray[np.uint32]:
        blocks = [self._at(sector) for sector in sectors]
        if any(len(block) < self._sector for block in blocks):
            raise refusal("truncated")
        return np.frombuffer(b"".join(blocks), "<u4")

    def _at(self, sector: int) -> bytes:
        start = (sector + 1) * self._sector
        if start >= len(self.data):
            raise refusal("truncated")
        return self.data[start : start + self._sector]

    def _chain(self, sector: int) -> bytes:
        """The sectors of a chain in their order; a chain longer than the file is a loop."""
        blocks: list[bytes] = []
        while sector < _FIRST_SPECIAL:
            if len(blocks) > self._sectors:
                raise refusal("damaged", found="扇区链成环")
            if sector >= len(self._fat):
                raise refusal("truncated")
            blocks.append(self._at(sector))
            sector = int(self._fat[sector])
        return b"".join(blocks)

    def _mini_chain(self, sector: int) -> bytes:
        blocks: list[bytes] = []
        while sector < _FIRST_SPECIAL:
            if len(blocks) > len(self._mini_fat) or sector >= len(self._mini_fat):
                raise refusal("damaged", found="小扇区链")
            blocks.append(self._mini[64 * sector : 64 * sector + 64])
            sector = int(self._mini_fat[sector])
        return b"".join(blocks)

    def _directory(self, sector: int) -> list[_Item]:
        raw = self._chain(sector)
        items = [_item(raw, at) for at in range(0, len(raw) - 127, 128)]
        if not items or items[0].kind != 5:
            raise refusal("damaged", found="目录")
        return items

    def _below_root(self) -> list[_Item]:
        """The root's own children; embedded workbooks lie deeper and are left alone."""
        found: list[_Item] = []
        seen: set[int] = set()
        pending = [self._items[0].child]
        while pending:
            index = pending.pop()
            if index >= len(self._items) or index in seen:
                continue
            seen.add(index)
            item = self._items[index]
            found.append(item)
            pending += [item.left, item.right]
        return found


def _item(raw: bytes, at: int) -> _Item:
    (length,) = struct.unpack_from("<H", raw, at + 64)
    name = raw[at : at + max(min(length, 64) - 2, 0)].decode("utf-16-le", "replace")
    left, right, child = struct.unpack_from("<3L", raw, at + 68)
    start, size = struct.unpack_from("<LL", raw, at + 116)
    return _Item(name, raw[at + 66], left, right, child, start, size)
