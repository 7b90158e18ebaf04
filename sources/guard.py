"""The guard: is this file safe to read, and what does it hold besides values? Cheapest checks first, nothing is executed.

What it refuses, and why in this order: docs/decisions/guard-and-reading.md. Limits stand in guard_limits, sentences in guard_refusals.
It bounds what a file can make a reader allocate, but a reader may still die: read only in ``sources.pool``.
"""

from __future__ import annotations

import io
import re
import struct
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from xml.parsers.expat import ExpatError

import msoffcrypto
from msoffcrypto.exceptions import DecryptionError, EncryptionError, FileFormatError, InvalidKeyError, ParseError

from schemas.errors import SubmissionError
from sources.guard_biff import scan_biff
from sources.guard_facts import SheetFacts
from sources.guard_limits import MAX_FILE
from sources.guard_ods import scan_ods
from sources.guard_ole import MAGIC as COMPOUND
from sources.guard_ole import CompoundFile
from sources.guard_package import Package
from sources.guard_refusals import megabytes, refusal
from sources.guard_xml import PackageFacts
from sources.guard_zip import CENTRAL, END, LOCAL, directory

WORKBOOKS = (".xlsx", ".xlsm", ".xls", ".xlsb", ".ods", ".et")
TEXTS = (".csv", ".txt")
EXPECTED = {".xlsx": "xlsx", ".xlsm": "xlsx", ".xls": "xls", ".et": "xls", ".xlsb": "xlsb", ".ods": "ods"}

# Excel encrypts a workbook whose structure is protected with this password and opens it without asking.
PASSWORD_OF_PROTECTION = "VelvetSweatshop"
MOST_ROUNDS = 200_000  # Excel writes 100,000

NOTES = {
    "macros": "文件含有宏,已忽略;只读取单元格的值。",
    "external_links": "文件引用了其他工作簿,只读取其中已保存的值,请核对是否为最新。",
    "embeddings": "文件嵌有其他对象,已忽略。",
    "activex": "文件含有 ActiveX 控件,已忽略。",
    "connections": "文件含有外部数据连接,已忽略;只读取已保存的值。",
    "comments": "文件含有批注,批注内容不作为填报数据。",
    "images": "文件含有图片,图片内容不读取。",
    "wrong_extension": "文件扩展名与实际格式不符,已按实际格式读取;下次请用 WPS/Excel 另存为 .xlsx。",
    "workbook_protection": "工作簿设有结构保护,不影响读取。",
}


@dataclass(frozen=True)
class Inspection:
    """What is known of a file that may be read. ``content`` is what to read: the file itself, or what Excel would open
    without asking for a password. ``format`` is xlsx (with xlsm), xlsb, xls (with et), ods or text.
    """

    name: str
    format: str
    content: bytes = field(repr=False)
    sheets: tuple[SheetFacts, ...] = ()
    is_1904: bool = False
    features: frozenset[str] = frozenset()

    @property
    def notes(self) -> tuple[str, ...]:
        """What was found, accepted and ignored, as sentences for the clerk."""
        return tuple(NOTES[feature] for feature in sorted(self.features) if feature in NOTES)

    @property
    def worksheets(self) -> tuple[SheetFacts, ...]:
        """The sheets that have cells (charts have none)."""
        return tuple(sheet for sheet in self.sheets if sheet.is_worksheet)


def inspect(data: bytes, name: str) -> Inspection:
    """The guard's verdict on one file. Raises SubmissionError with a stable code for a file that is not taken."""
    if not data:
        raise refusal("empty")
    if len(data) > MAX_FILE:
        raise refusal("too_large", size=megabytes(len(data)))
    extension = PurePosixPath(name.replace("\\", "/")).suffix.lower()
    if data.startswith(LOCAL):
        check_extension(extension)
        return _zip(data, name, extension)
    if data.startswith(COMPOUND):
        check_extension(extension)
        return _compound(data, name, extension)
    check_is_text(data, extension)
    return Inspection(name, "text", data)


def check_extension(extension: str) -> None:
    """Refuse what is no spreadsheet by name."""
    if extension not in WORKBOOKS + TEXTS:
        raise refusal("wrong_type", found=extension or "没有扩展名")


def check_is_text(data: bytes, extension: str) -> None:
    """Refuse what is neither a workbook nor a text file, and say what it seems to be."""
    head = data[:1024].lstrip(b"\xef\xbb\xbf\xff\xfe\0 \t\r\n").lower()
    code = ""
    if head.startswith(b"%pdf"):
        code = "pdf"
    elif head.startswith((b"rar!", b"7z\xbc\xaf", b"\x1f\x8b")):
        raise refusal("archive", found="RAR、7z 或 GZ")
    elif head.startswith((b"<!doctype html", b"<html", b"<table", b"<meta", b"<head", b"mime-version")):
        code = "html_as_xls"
    elif head.startswith((b"<?xml", b"<workbook")):
        code = "html_as_xls" if b"<html" in head else "xml_as_xls"
    elif data.startswith(END):
        code = "not_a_workbook"
    elif LOCAL.startswith(data[:4]) or COMPOUND.startswith(data[:8]):
        code = "truncated"
    elif END in data and CENTRAL in data:
        code = "zip_prefix"
    if code:
        raise refusal(code)
    check_extension(extension)
    if extension in TEXTS:
        return
    if is_text(data[:4096]):
        raise refusal("text_as_workbook", extension=extension)
    raise refusal("wrong_type", found="内容不是电子表格")


def is_text(head: bytes) -> bool:
    """Whether bytes look like text in UTF-8, UTF-16 or GB18030: no control characters but those of lines and columns."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return True
    return not any(octet < 32 and octet not in b"\t\r\n\f" for octet in head)


def _zip(data: bytes, name: str, extension: str) -> Inspection:
    entries = directory(data)
    names = {entry.name.lower() for entry in entries}
    if "content.xml" in names and "[content_types].xml" not in names:
        facts, sheets = scan_ods(data, entries)
        return _found(data, name, extension, "ods", facts, sheets)
    if "[content_types].xml" not in names:
        if any(entry.endswith(WORKBOOKS + TEXTS) for entry in names):
            raise refusal("archive", found="ZIP")
        raise refusal("not_a_workbook")
    package = Package(data, entries)
    sheets = package.scan()
    kind = "xlsb" if "xl/workbook.bin" in names else "xlsx"
    return _found(data, name, extension, kind, package.facts, sheets)


def _compound(data: bytes, name: str, extension: str) -> Inspection:
    compound = CompoundFile(data)
    if "EncryptedPackage" in compound.streams:
        info = compound.read("EncryptionInfo") if "EncryptionInfo" in compound.streams else b""
        inner = without_protection(data) if is_cheap_to_try(info) else None
        if inner is None or not inner.startswith(LOCAL):
            raise refusal("encrypted", found="加密的工作簿")
        return _zip(inner, name, extension)
    stream = next((name for name in ("Workbook", "Book", "WORKBOOK", "BOOK") if name in compound.streams), None)
    if stream is None:
        raise refusal("not_a_workbook")
    try:
        facts, sheets = scan_biff(compound.read(stream))
    except SubmissionError as error:
        inner = without_protection(data) if error.code == "encrypted" else None
        if inner is None:
            raise
        data, compound = inner, CompoundFile(inner)
        facts, sheets = scan_biff(compound.read(stream))
    if "_VBA_PROJECT_CUR" in compound.streams:
        facts.features.add("macros")
    if any(stream.startswith("MBD") for stream in compound.streams):
        facts.features.add("embeddings")
    return _found(data, name, extension, "xls", facts, sheets)


def _found(
    data: bytes, name: str, extension: str, kind: str, facts: PackageFacts, sheets: list[SheetFacts]
) -> Inspection:
    if not any(sheet.is_worksheet for sheet in sheets):
        raise refusal("not_a_workbook")
    features = set(facts.features)
    if EXPECTED.get(extension) != kind:
        features.add("wrong_extension")
    return Inspection(name, kind, data, tuple(sheets), facts.is_1904, frozenset(features))


def is_cheap_to_try(info: bytes) -> bool:
    """Whether one password may be tried: the file says how many rounds of hashing that takes, and may say billions."""
    rounds = [int(found[:10]) for found in re.findall(rb'spinCount\s*=\s*"(\d+)"', info)]
    return b"<!" not in info and all(count <= MOST_ROUNDS for count in rounds)


def without_protection(data: bytes) -> bytes | None:
    """The workbook as Excel opens it where only its structure is protected; None where a real password is set."""
    plain = io.BytesIO()
    try:
        file = msoffcrypto.OfficeFile(io.BytesIO(data))
        file.load_key(password=PASSWORD_OF_PROTECTION, verify_password=True)
        file.decrypt(plain)
    except (DecryptionError, EncryptionError, FileFormatError, InvalidKeyError, ParseError):
        return None
    except (OSError, ValueError, LookupError, AttributeError, TypeError, struct.error, NotImplementedError, ExpatError):
        # msoffcrypto trusts what a file says of itself
        return None
    return plain.getvalue()
