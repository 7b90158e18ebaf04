"""Who answers for a report by name 单位负责人、统计负责人、填表人: kept on the trail with the step that reported it."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from schemas.errors import RefusalError
from warehouse.ledger.models import SubmissionRow, TrailRow
from warehouse.ledger.states import State

NAMES = {
    "unit_head": "单位负责人",
    "statistics_head": "统计负责人",
    "filled_by": "填表人",
    "telephone": "联系电话",
}
LONGEST_NAME = 50
_TELEPHONE = re.compile(r"[0-9+\- ()()转]*[0-9][0-9+\- ()()转]*")


@dataclass(frozen=True)
class Signatories:
    """Who answers for a report by name. Source: Statistics Law, signing by 单位负责人, 统计负责人, 填表人."""

    unit_head: str
    statistics_head: str
    filled_by: str
    telephone: str

    def missing(self) -> list[str]:
        """The names that are not given, as the form calls them."""
        return [label for name, label in NAMES.items() if not getattr(self, name).strip()]

    def require_complete(self, step: str) -> None:
        """Raise RefusalError where a name is missing, or the telephone is none; ``step``: what they sign for."""
        if missing := self.missing():
            raise RefusalError(f"{step}须填写{'、'.join(missing)}。")
        if not _TELEPHONE.fullmatch(self.telephone.strip()):
            raise RefusalError(
                f"联系电话“{self.telephone.strip()[:30]}”无效:请只用数字、+、-、空格、括号和“转”,如 0931-1234567转801。"
            )

    def payload(self) -> dict[str, str]:
        """As the trail keeps it."""
        return {name: " ".join(text.split())[:LONGEST_NAME] for name, text in asdict(self).items()}


def signatories_of(session: Session, number: str) -> Signatories | None:
    """Who signed a submission when it was last reported; None where it was not, or a program reported it without names."""
    query = (
        select(TrailRow.payload)
        .where(TrailRow.subject == number, TrailRow.to_state == str(State.REPORTED))
        .order_by(TrailRow.seq.desc())
    )
    kept = session.scalar(query.limit(1))
    said = json.loads(kept) if kept else {}
    if not said.get("unit_head"):
        return None
    return Signatories(*(str(said.get(name, "")) for name in NAMES))


def last_signatories(session: Session, park: str) -> Signatories | None:
    """Who signed for a park last, to offer the names again; None where nobody did."""
    query = (
        select(TrailRow.payload)
        .join(SubmissionRow, SubmissionRow.number == TrailRow.subject)
        .where(SubmissionRow.park == park, TrailRow.to_state == str(State.REPORTED))
        .order_by(TrailRow.seq.desc())
    )
    said = next((one for one in map(json.loads, session.scalars(query)) if one.get("unit_head")), None)
    return Signatories(*(str(said.get(name, "")) for name in NAMES)) if said else None


def typed_signatories(text: str) -> Signatories:
    """The four names as typed on a command line, by commas. Raises RefusalError where one is missing."""
    names = [part.strip() for part in text.replace(",", ",").replace("、", ",").split(",")]
    if len(names) != len(NAMES) or not all(names):
        raise RefusalError(f"签署人请依次写明{'、'.join(NAMES.values())},用逗号分开,如 张三,李四,王五,0931-1234567。")
    typed = Signatories(*names)
    typed.require_complete("报送")
    return typed
