"""What a report leaves out, as the park stated it 缺报说明: kept on the trail with the step that put the report forward."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from warehouse.ledger.models import TrailRow
from warehouse.ledger.states import State

KEY = "gap"
ASKED = "approval_asked"
LONGEST_REASON = 500


@dataclass(frozen=True)
class GapStatement:
    """How much a report leaves out, and why: ``missing_forms`` of ``asked_forms``, ``absent_units`` of ``owing_units``."""

    missing_forms: int
    asked_forms: int
    absent_units: int
    owing_units: int
    reason: str

    def payload(self) -> dict[str, str]:
        """As the trail keeps it."""
        short = {**asdict(self), "reason": " ".join(self.reason.split())[:LONGEST_REASON]}
        return {KEY: json.dumps(short, ensure_ascii=False, sort_keys=True)}

    @property
    def said(self) -> str:
        """What is left out, in a few words."""
        filed = self.asked_forms - self.missing_forms
        parts = [f"应报{self.asked_forms}张表,只含{filed}张"] if self.missing_forms else []
        parts += [f"应报企业{self.owing_units}家,未报{self.absent_units}家"] if self.absent_units else []
        return ";".join(parts)


def gap_statement_of(session: Session, number: str) -> GapStatement | None:
    """What the park stated when it last put a submission forward; None where it left nothing out, or said nothing."""
    query = (
        select(TrailRow.payload)
        .where(
            TrailRow.subject == number, (TrailRow.to_state == str(State.REPORTED)) | (TrailRow.action == ASKED)
        )
        .order_by(TrailRow.seq.desc())
    )  # fmt: skip
    kept = session.scalar(query.limit(1))
    said = json.loads(kept).get(KEY) if kept else None
    return GapStatement(**json.loads(said)) if said else None
