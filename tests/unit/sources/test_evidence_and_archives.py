"""Papers and archives that come from outside: what they say they are, whole, and nothing behind their end."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import SubmissionError
from sources.book_archive import members
from sources.evidence import LARGEST, inspect_evidence


def png() -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0\0")) + chunk(b"IEND", b"")


def jpeg() -> bytes:
    app0 = b"\xff\xe0" + struct.pack(">H", 4) + b"JF"
    scan = b"\xff\xda" + struct.pack(">H", 3) + b"\1" + b"\x12\xff\x00\x34\xff\xd0\x56"
    return b"\xff\xd8" + app0 + scan + b"\xff\xd9"


def xlsx() -> bytes:
    out = io.BytesIO()
    openpyxl.Workbook().save(out)
    return out.getvalue()


PDF = b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\ntrailer\n%%EOF\n"


def test_papers_that_are_what_they_say_are_taken() -> None:
    assert inspect_evidence(PDF, "批复.PDF") == "application/pdf"
    assert inspect_evidence(png(), "a/执照.png") == "image/png"
    assert inspect_evidence(jpeg(), "执照.jpeg") == "image/jpeg"
    assert inspect_evidence(xlsx(), "名单.xlsx").endswith("spreadsheetml.sheet")


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.exe", PDF, "不是可以收的"),
        ("a.pdf", b"", "空文件"),
        ("a.pdf", b"%PDF-1.4" + b" " * LARGEST, "超过"),
        ("a.pdf", PDF[:-8], "完整的 PDF"),
        ("a.pdf", png(), "完整的 PDF"),
        ("a.pdf", PDF.replace(b"<<>>", b"<</S/JavaScript>>"), "脚本"),
        ("a.png", PDF, "不是 PNG"),
        ("a.png", png()[:-3], "不完整"),
        ("a.png", png() + b"PK", "末尾"),
        ("a.png", png()[:40] + b"\0" + png()[41:], "损坏"),
        ("a.jpg", png(), "不是 JPG"),
        ("a.jpg", jpeg()[:-2], "不完整"),
        ("a.jpg", jpeg() + b"<script>", "末尾"),
    ],
)
def test_other_papers_are_refused_with_a_reason(name: str, data: bytes, said: str) -> None:
    with pytest.raises(SubmissionError, match=said):
        inspect_evidence(data, name)


@given(st.binary(max_size=300), st.sampled_from(["a.pdf", "a.png", "a.jpg", "a.xlsx"]))
def test_no_bytes_break_the_inspection(data: bytes, name: str) -> None:
    for content in (data, png()[: len(data)] + data, jpeg()[: len(data) % 20] + data):
        try:
            inspect_evidence(content, name)
        except SubmissionError:
            continue


def archive(*files: tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in files:
            made.writestr(name, data)
    return out.getvalue()


def test_an_archive_gives_its_files_without_folders_and_without_what_systems_add() -> None:
    found = members(
        archive(("企业/甲.xlsx", b"a"), ("__MACOSX/._甲.xlsx", b"b"), ("企业/~$乙.xlsx", b"c"), ("x/", b""))
    )
    assert found == [("甲.xlsx", b"a")]


def test_names_written_by_chinese_windows_are_read() -> None:
    # zipfile writes UTF-8 names with a flag; take the flag away and put GBK bytes of the same length there
    data = archive(("abcd.xlsx", b"a")).replace(b"abcd.xlsx", "甲乙".encode("gbk") + b".xlsx")
    assert members(data) == [("甲乙.xlsx", b"a")]


def test_archives_that_hold_too_much_or_lie_are_refused() -> None:
    with pytest.raises(SubmissionError, match="请分几次"):
        members(archive(*((f"{n}.xlsx", b"") for n in range(601))))
    with pytest.raises(SubmissionError):
        members(archive(("../a.xlsx", b"a")))
    with pytest.raises(SubmissionError):
        members(archive(("a.xlsx", b"a"))[:-5])
    with pytest.raises(SubmissionError):
        members(archive(("a.xlsx", b"\0" * (60 << 20))))
