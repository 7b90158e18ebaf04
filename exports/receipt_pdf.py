"""A receipt 回执 on paper: number, state, counts, hashes, who signed, and a QR code to the page that verifies it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from exports.pdf import document, paragraph, qr, table
from warehouse.ledger.receipts import Receipt


def verification_address(verify_at: str, slip: Receipt) -> str:
    """Where this receipt is verified: number and code in the address, nothing else of it."""
    return f"{verify_at}?{urlencode({'number': slip.receipt_number, 'code': slip.code})}"


def counted(slip: Receipt) -> str:
    """What the receipt counts, in words."""
    found = slip.counts
    words = [
        f"企业 {found.get('units', 0)} 家,填报 {found.get('cells', 0)} 格",
        f"错误 {found.get('hard', 0)},核实 {found.get('soft', 0)}",
    ]
    if found.get("left_out"):
        words.append(f"未报企业 {found['left_out']} 家")
    return ";".join(words)


def receipt_pdf(slip: Receipt, *, organisation: str, titles: Mapping[str, str], verify_at: str) -> bytes:
    """The receipt as PDF. ``titles``: form → title; ``verify_at``: address of the verification page. Equal arguments, equal bytes."""
    address = verification_address(verify_at, slip)
    signed = slip.signed
    facts: list[tuple[str, Any]] = [
        ("填报单位", f"{slip.park_name}({slip.park})"),
        ("报告期", f"{slip.period.title}({slip.edition} 版制度),第 {slip.revision} 次"),
        ("报表", "、".join(titles.get(code, code) for code in slip.forms) or "—"),
        ("内容", counted(slip)),
        *([("缺报", f"{slip.gap.said}。原因:{slip.gap.reason}")] if slip.gap else []),
        ("接收", f"{slip.received_at}(北京时间),{slip.received_by}"),
        ("状态时间", slip.state_at),
        ("单位负责人", signed.unit_head if signed else "—"),
        ("统计负责人", signed.statistics_head if signed else "—"),
        ("填表人", signed.filled_by if signed else "—"),
        ("联系电话", signed.telephone if signed else "—"),
        ("核验码", paragraph(slip.code, 10, mono=True)),
        ("留痕", paragraph(f"{slip.head.seq} {slip.head.hash[:16]}", 10, mono=True)),
    ]
    files = [(f.name, f"{f.size:,}", paragraph(f"{f.sha256[:32]}\n{f.sha256[32:]}", 8, mono=True)) for f in slip.files]
    story = [
        paragraph(f"{organisation or '统计机构'} 报送回执", 16, bold=True, centred=True),
        table(
            [
                [
                    [
                        paragraph(slip.receipt_number, 15, bold=True, mono=True),
                        paragraph(f"状态:{slip.state.label}", 12),
                        paragraph(slip.notice, 10),
                    ],
                    [qr(address), paragraph("扫码核验", 8, centred=True, quiet=True)],
                ]
            ],
            (134, 40),
            ruled=False,
        ),
        table([[paragraph(name, 9.5, quiet=True), value] for name, value in facts], (28, 146), ruled=False),
        paragraph("文件", 11, bold=True),
        table([("文件名", "字节", "SHA-256"), *files], (62, 20, 92), head=1),
        paragraph(" ", 3),
        paragraph(f"凭回执编号和核验码可在 {verify_at} 核验真伪;或扫描二维码。", 8.5, quiet=True),
    ]
    return document(f"回执 {slip.receipt_number}", story, foot=f"回执 {slip.receipt_number}  核验码 {slip.code}")
