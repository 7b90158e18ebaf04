"""报表校验表 and 情况说明表 as PDF, for stamp and signature: what was filed, what the rules found, what the park said to it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from exports.pdf import document, paragraph, qr, table
from schemas.model import Edition
from warehouse.ledger.receipts import Receipt

_BETWEEN = re.compile(r"(?<=,)(?=[^\d])|(?=\([A-Z]\d{2,3}\)(?:_\w+)?=)")


@dataclass(frozen=True)
class FormLine:
    """One form of the round: its number and title, how many findings it has, and whether it was filed."""

    number: str
    title: str
    hard: int
    soft: int
    is_filed: bool = True

    @property
    def shown(self) -> str:
        """The title as printed."""
        return self.title if self.is_filed else f"{self.title}(没有填报)"


@dataclass(frozen=True)
class ToldLine:
    """One soft finding and what the park said to it; ``told`` is empty where it said nothing."""

    place: str
    unit: str
    indicator: str
    found: str
    problem: str
    told: str


@dataclass(frozen=True)
class CheckTable:
    """Everything the two tables print."""

    slip: Receipt
    edition: Edition
    forms: Sequence[FormLine]
    lines: Sequence[ToldLine]


def _one_a_line(found: str) -> str:
    """Figures under one another, the code at the start of a line: a line of the column holds one without breaking it."""
    return _BETWEEN.sub("\n", found).strip()


def check_table_pdf(made: CheckTable, *, address: str) -> bytes:
    """The two tables. ``address``: where the QR code leads. Equal arguments, equal bytes."""
    slip, edition, signed = made.slip, made.edition, made.slip.signed
    told = [
        (one.place, one.unit, one.indicator, _one_a_line(one.found), one.problem, one.told or "—") for one in made.lines
    ]
    signature = [
        [f"单位负责人:{signed.unit_head if signed else ''}", f"统计负责人:{signed.statistics_head if signed else ''}"],
        ["签字:\n ", "签字:\n "],
        [f"填表人:{signed.filled_by if signed else ''}", f"联系电话:{signed.telephone if signed else ''}"],
        ["签字:\n ", "报出日期:        年    月    日"],
        ["(单位盖章)", ""],
    ]
    heading = [
        paragraph("报表校验表", 16, bold=True, centred=True),
        paragraph(f"填报单位:{slip.park_name}({slip.park})    报告期:{slip.period.title}"),
        paragraph(f"编号:{slip.receipt_number}    状态:{slip.state.label},{slip.state_at}    核验码:{slip.code}"),
    ]
    statutory = [
        paragraph(f"制定机关:{edition.authority}", 9),
        paragraph(f"文号:{edition.document_number}", 9),
        paragraph(f"有效期至:{edition.valid_to or '—'}", 9),
        qr(address, 26),
    ]
    story = [
        table([[heading, statutory]], (190, 66), ruled=False),
        table(
            [("表号", "表名", "错误", "核实"), *((f.number, f.shown, f.hard, f.soft) for f in made.forms)],
            (40, 160, 28, 28),
            head=1,
        ),
        paragraph("情况说明表", 13, bold=True),
        table([("位置", "单位", "指标", "填报值", "问题", "说明"), *told], (32, 46, 34, 34, 56, 54), head=1)
        if told
        else paragraph("没有需要说明的问题。"),
        paragraph(" ", 12),
        table(signature, (128, 128), ruled=False),
    ]
    return document(
        f"报表校验表 {slip.number}", story, foot=f"{slip.receipt_number}  核验码 {slip.code}", wide=True
    )  # fmt: skip
