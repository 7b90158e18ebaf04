"""Receipts 回执 as text, for terminal, file and printer."""

from __future__ import annotations

from warehouse.ledger.receipts import Receipt

COUNT_NAMES = {
    "units": "企业",
    "cells": "填报格",
    "hard": "强制性问题",
    "soft": "核实性问题",
    "normalised": "读取时规整",
    "left_out": "未报企业",
}


def receipt_text(slip: Receipt) -> str:
    """The receipt in lines; the same receipt gives the same text."""
    counts = ",".join(
        f"{COUNT_NAMES[k]} {v}" for k, v in slip.counts.items() if k in COUNT_NAMES and (v or k in ("units", "cells"))
    )
    files = [f"  文件 {f.name}  {f.size} 字节  校验值 {f.short_hash}" for f in slip.files]
    return "\n".join(
        [
            f"回执 {slip.receipt_number}",
            f"  {slip.park_name}({slip.park}) {slip.period} {slip.edition} 版 第 {slip.revision} 次  状态:{slip.state.label}",
            *files,
            f"  内容 {counts}",
            *_signed(slip),
            f"  接收 {slip.received_at} {slip.received_by}  状态时间 {slip.state_at}",
            f"  核验码 {slip.code}  链头 {slip.head.seq} {slip.head.hash[:12]}",
            f"  {slip.notice}",
        ]
    )


def _signed(slip: Receipt) -> list[str]:
    signed = slip.signed
    if signed is None:
        return []
    return [
        f"  单位负责人 {signed.unit_head}  统计负责人 {signed.statistics_head}  填表人 {signed.filled_by}  电话 {signed.telephone}"
    ]
