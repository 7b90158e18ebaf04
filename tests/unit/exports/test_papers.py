"""Receipts and check tables as PDF: what they say, that they say it in the same bytes, and that the QR code is the address."""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Iterator
from dataclasses import replace

import pytest
import segno
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exports import font_file, pdf
from exports.check_table import CheckTable, FormLine, ToldLine, check_table_pdf
from exports.pdf import document, modules, paragraph, printable
from exports.receipt_pdf import receipt_pdf, verification_address
from schemas.catalog import programme
from schemas.period import Period
from warehouse.ledger.receipts import Receipt, ReceiptFile
from warehouse.ledger.report_gaps import GapStatement
from warehouse.ledger.signatories import Signatories, typed_signatories
from warehouse.ledger.states import State
from warehouse.ledger.trail import Head

SLIP = Receipt(
    "2025Q1-LBXQ-0003", "2025Q1-LBXQ-0003-K", "LBXQ", "兰州新区<b>&", Period(2025, quarter=1), "2025", 3,
    (ReceiptFile("财务<i>𬭊.xlsx", "ab" * 32, 1234),), ("basic", "finance"), {"units": 7, "cells": 90, "hard": 0, "soft": 2},
    State.REPORTED, "2025-04-01 09:01:00", "zhang", "2025-04-02 10:00:00", Head(12, "f" * 64), "ABCD-EFGH-JKMN-PQRS",
    Signatories("张三", "李四", "王五", "0931-1"),
)  # fmt: skip
AT = "https://stats.example/verify"
UNESCAPED = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}


HAS_FONT = font_file.system_font() is not None


@pytest.fixture(
    autouse=True, params=[pytest.param(True, marks=pytest.mark.skipif(not HAS_FONT, reason="no fonts-noto-cjk")), False],
    ids=["embedded", "the reader's own"],
)  # fmt: skip
def is_embedded(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[bool]:
    """Every paper with the font of the system in it, and without one."""
    if not request.param:
        monkeypatch.setattr(font_file, "system_font", lambda: None)
    for cached in (pdf._font, pdf.style):
        cached.cache_clear()
    yield bool(request.param)
    for cached in (pdf._font, pdf.style):
        cached.cache_clear()


def text_of(made: bytes) -> str:
    """The words of a PDF of ours: streams unpacked, strings read by the document's own map of glyphs to characters, else as the
    UCS-2 that the reader's font takes."""
    words = []
    streams, known = list(unpacked(made)), {}
    for plain in streams:
        if b"beginbfchar" in plain:
            known = {
                int(g, 16): bytes.fromhex(c.decode()).decode("utf-16-be")
                for g, c in re.findall(rb"<(\w{4})> <(\w+)>", plain)
            }
    for plain in streams:
        for raw in re.findall(rb"\(((?:\\.|[^\\()])*)\) Tj", plain, re.S):
            shown = re.sub(rb"\\([0-7]{3})", lambda m: bytes([int(m[1], 8)]), raw)
            shown = re.sub(rb"\\(.)", lambda m: UNESCAPED.get(m[1].decode(), m[1].decode("latin-1")).encode("latin-1"), shown, flags=re.S)  # fmt: skip
            if known and len(shown) % 2 == 0:
                words.append(
                    "".join(known.get(int.from_bytes(shown[n : n + 2], "big"), "") for n in range(0, len(shown), 2))
                )
            elif not known:
                words.append(shown.decode("utf-16-be", "replace"))
            words += [shown.decode()] if shown.isascii() else []  # the fixed font takes plain ASCII
    return "".join(words)


def unpacked(made: bytes) -> Iterator[bytes]:
    """The streams of a PDF that are text: written as letters and packed, or packed alone."""
    for stream in re.findall(rb"stream\r?\n(.*?)endstream", made, re.S):
        letters = stream.strip()
        try:
            yield zlib.decompressobj().decompress(
                base64.a85decode(b"<~" + letters, adobe=True) if letters.endswith(b"~>") else stream
            )
        except (ValueError, zlib.error):
            continue


def test_the_receipt_says_everything_once_and_in_the_same_bytes(is_embedded: bool) -> None:
    first = receipt_pdf(
        SLIP, organisation="测试统计局", titles={"basic": "基本情况", "finance": "财务状况"}, verify_at=AT
    )
    again = receipt_pdf(
        SLIP, organisation="测试统计局", titles={"basic": "基本情况", "finance": "财务状况"}, verify_at=AT
    )
    assert first == again and first.startswith(b"%PDF-")
    text = text_of(first)
    for word in ("2025Q1-LBXQ-0003-K", "已报送", "兰州新区<b>&(LBXQ)", "企业 7 家,填报 90 格", "错误 0,核实 2", "ab" * 16,
                 "张三", "李四", "王五", "0931-1", "ABCD-EFGH-JKMN-PQRS", "基本情况、财务状况", "测试统计局 报送回执"):  # fmt: skip
        assert word in text, word
    assert f"财务<i>{'𬭊' if is_embedded else '〓'}.xlsx" in text
    assert (b"/CIDFontType0C" in first) is is_embedded and (b"/STSong-Light" in first) is not is_embedded
    assert receipt_pdf(replace(SLIP, code="ZZZZ"), organisation="", titles={}, verify_at=AT) != first


def test_what_was_left_out_stands_on_the_receipt_with_the_reason() -> None:
    partial = replace(SLIP, gap=GapStatement(7, 11, 53, 53, "企业报表系统更换,先报园区综合情况"))
    text = text_of(receipt_pdf(partial, organisation="", titles={}, verify_at=AT))
    assert "应报11张表,只含4张;应报企业53家,未报53家" in text and "先报园区综合情况" in text


def test_a_receipt_nobody_signed_and_one_of_many_files_are_printed() -> None:
    many = replace(SLIP, signed=None, files=tuple(ReceiptFile(f"企业{n}.xlsx", "0" * 64, n) for n in range(300)))
    made = receipt_pdf(many, organisation="", titles={}, verify_at=AT)
    assert "企业299.xlsx" in text_of(made) and "张三" not in text_of(made)
    assert len(re.findall(rb"/Type /Page\b", made)) > 3


def test_the_check_table_carries_number_authority_and_validity() -> None:
    edition = programme().edition_for(SLIP.period)
    lines = [
        ToldLine("财务状况 E8", "甲公司", "营业收入", "F01=1", "增长过快", "新厂投产:合同附后"),
        ToldLine("x", "乙", "", "", "y", ""),
    ]
    made = CheckTable(SLIP, edition, [FormLine("监测2表", "财务状况", 0, 2)], lines)
    text = text_of(check_table_pdf(made, address=AT))
    for word in (
        edition.authority,
        edition.document_number,
        edition.valid_to,
        "监测2表",
        "新厂投产:合同附后",
        "单位盖章",
        "单位负责人:张三",
    ):
        assert word in text.replace("\n", ""), word
    empty = text_of(check_table_pdf(replace(made, lines=[], slip=replace(SLIP, signed=None)), address=AT))
    assert "没有需要说明的问题" in empty and "张三" not in empty


def test_the_qr_code_drawn_is_the_matrix_of_the_address() -> None:
    address = verification_address(AT, SLIP)
    assert address == f"{AT}?number=2025Q1-LBXQ-0003-K&code=ABCD-EFGH-JKMN-PQRS"
    side, path = modules(address)
    drawn = {
        (int(x) + k, int(y)) for x, y, width in re.findall(r"M(\d+) (\d+)h(\d+)v1h-\d+z", path) for k in range(int(width))
    }  # fmt: skip
    wanted = list(segno.make(address, error="m", micro=False).matrix_iter(border=4))
    assert drawn == {(x, y) for y, row in enumerate(wanted) for x, dark in enumerate(row) if dark}
    assert side == len(wanted) and all(4 <= x < side - 4 for x, _ in drawn)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text())
def test_any_text_can_be_printed_as_plain_text(text: str, is_embedded: bool) -> None:
    shown = printable(text)
    assert len(shown) == len(text)
    assert all(c == "\n" or ord(c) <= 0xFFFF or is_embedded for c in shown)
    assert document("x", [paragraph(text)], foot="y") == document("x", [paragraph(text)], foot="y")


def test_names_typed_on_a_command_line_are_four_or_refused() -> None:
    assert typed_signatories("张三, 李四,王五、0931-1") == Signatories("张三", "李四", "王五", "0931-1")
    with pytest.raises(Exception, match="单位负责人、统计负责人、填表人、联系电话"):
        typed_signatories("张三,李四,,1")
    for telephone in ("abc", "0931-1234567 Li", "转", "1;2"):
        with pytest.raises(Exception, match="联系电话"):
            typed_signatories(f"张三,李四,王五,{telephone}")
    assert typed_signatories("张三,李四,王五,+86 (0931) 1234567转801").telephone == "+86 (0931) 1234567转801"
