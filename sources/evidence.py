"""Papers that prove something 证明文件: PDF, PNG, JPEG, XLSX, by name and by content. Run in ``sources.pool``.

They are kept and handed out as they came, never opened or shown by us. What is refused here is what is not the kind of file it
says, is cut off, carries something behind its end, or (a PDF) names a script or an attached file in clear; it is no virus scan.
"""

from __future__ import annotations

import re
import struct
import zlib
from pathlib import PurePosixPath

from schemas.errors import SubmissionError
from sources.guard import inspect
from sources.guard_limits import MIB
from sources.guard_refusals import megabytes

KINDS = {
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
LARGEST = 10 * MIB
_PNG = b"\x89PNG\r\n\x1a\n"
_ACTIVE = re.compile(rb"/(JavaScript|JS|Launch|EmbeddedFile|RichMedia)\b")
_TAIL = 2048
_STANDALONE = {0x01, *range(0xD0, 0xD8)}


def inspect_evidence(data: bytes, name: str) -> str:
    """The media type of a paper. Raises SubmissionError with a sentence for the clerk."""
    extension = PurePosixPath(name.replace("\\", "/")).suffix.lower()
    if extension not in KINDS:
        raise _refused(name, "不是可以收的证明文件,请用 PDF、PNG、JPG 或 XLSX")
    if not data:
        raise _refused(name, "是空文件,请重新扫描或导出")
    if len(data) > LARGEST:
        raise _refused(name, f"有 {megabytes(len(data))},超过 {megabytes(LARGEST)},请缩小后再传")
    match extension:
        case ".pdf":
            _require_pdf(data, name)
        case ".png":
            _require_png(data, name)
        case ".xlsx":
            if inspect(data, name).format != "xlsx":
                raise _refused(name, "内容不是 XLSX,请另存为 .xlsx 后再传")
        case _:
            _require_jpeg(data, name)
    return KINDS[extension]


def _refused(name: str, why: str) -> SubmissionError:
    shown = name.replace("\\", "/").rsplit("/", 1)[-1][:100]
    return SubmissionError("evidence", f"证明文件《{shown}》{why}。")


def _require_pdf(data: bytes, name: str) -> None:
    if not data.startswith(b"%PDF-") or b"%%EOF" not in data[-_TAIL:]:
        raise _refused(name, "内容不是完整的 PDF,请重新导出")
    if found := _ACTIVE.search(data):
        raise _refused(name, f"含有脚本或附件({found[1].decode()}),请打印成新的 PDF 或扫描后再传")


def _require_png(data: bytes, name: str) -> None:
    """Every chunk with its check sum, from the head to the end and nothing behind it. Source: PNG, third edition, section 5."""
    at, kind = len(_PNG), b""
    if not data.startswith(_PNG):
        raise _refused(name, "内容不是 PNG 图片")
    while kind != b"IEND":
        if at + 12 > len(data):
            raise _refused(name, "图片不完整,请重新扫描")
        (length,) = struct.unpack_from(">I", data, at)
        kind, end = data[at + 4 : at + 8], at + 8 + length
        if end + 4 > len(data) or struct.unpack_from(">I", data, end)[0] != zlib.crc32(data[at + 4 : end]):
            raise _refused(name, "图片不完整或已损坏,请重新扫描")
        at = end + 4
    if at != len(data):
        raise _refused(name, "图片末尾夹带了其他内容,请重新扫描")


def _require_jpeg(data: bytes, name: str) -> None:
    """Marker by marker from start to end of image. Source: ITU-T T.81, annex B."""
    if not data.startswith(b"\xff\xd8\xff"):
        raise _refused(name, "内容不是 JPG 图片")
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
        elif marker in _STANDALONE:
            at += 2
        elif marker == 0xD9:
            break
        else:
            (length,) = struct.unpack_from(">H", data, at + 2)
            at += 2 + length
            if marker == 0xDA:
                at = _after_scan(data, at)
    if data[at : at + 2] != b"\xff\xd9":
        raise _refused(name, "图片不完整或已损坏,请重新扫描")
    if data[at + 2 :].strip(b"\0"):
        raise _refused(name, "图片末尾夹带了其他内容,请重新扫描")


def _after_scan(data: bytes, at: int) -> int:
    """Where the coded data of a scan end: at the next marker that is neither a stuffed byte nor a restart."""
    while (at := data.find(b"\xff", at)) >= 0 and at + 1 < len(data):
        if data[at + 1] != 0 and not 0xD0 <= data[at + 1] <= 0xD7:
            return at
        at += 2
    return len(data)
