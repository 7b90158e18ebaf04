"""What a submission leaves out of its round 缺报: forms that are not in it, enterprises of the register that have no row.

Counted from what was read and from the register; nothing here judges whether the gap is excused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl
from sqlalchemy.orm import Session

from pipelines.office import Office, observations_of
from schemas import reserved
from schemas.catalog import edition_for_filer
from schemas.errors import RefusalError
from schemas.model import Form, FormKind
from schemas.observations import ENTERPRISE_ROSTER, Observations
from warehouse.ledger.answers import ANSWER_STATUSES, answer_statuses
from warehouse.ledger.register import frozen_register, register_as_of
from warehouse.ledger.report_gaps import GapStatement
from warehouse.ledger.submissions import Submission

NOT_OWING = (5, 6, 7, 8)
"""Answer statuses of units that owe nothing: closed, moved, duplicate, out of scope (survey_system 2.1)."""
SHORTEST_REASON = 10
UNSTATED = "报送时没有说明"
"""On record in place of a reason where a program, the command line or the drop folder gave none."""


@dataclass(frozen=True)
class AbsentUnit:
    """An enterprise of the register without a row. ``status``: what is on record of it, in words, else empty."""

    unit_id: str
    name: str
    status: str


@dataclass(frozen=True)
class FormShare:
    """A form of the round: whether it is in the submission, and of how many of the enterprises that owe it."""

    number: str
    title: str
    is_filed: bool


@dataclass(frozen=True)
class Gap:
    """``forms``: every form the round asks this park for, in printed order. ``absent``: by code. ``owing``: enterprises."""

    forms: Sequence[FormShare]
    absent: Sequence[AbsentUnit]
    owing: int

    @property
    def missing(self) -> list[FormShare]:
        """The forms that are not there."""
        return [form for form in self.forms if not form.is_filed]

    @property
    def is_open(self) -> bool:
        """Whether anything is left out."""
        return bool(self.missing or self.absent)

    def stated(self, reason: str) -> GapStatement:
        """The gap with the reason the park gives, for the trail."""
        return GapStatement(len(self.missing), len(self.forms), len(self.absent), self.owing, reason)

    @property
    def said(self) -> str:
        """What is left out, in a few words."""
        return self.stated("").said


def gap_of(office: Office, session: Session, found: Submission) -> Gap:
    """What a submission that was read leaves out of its round. Nothing is left out of a park without a register."""
    edition = edition_for_filer(office.programme, office.programme.edition_for(found.period), found.park)
    observations = observations_of(office.vault, found) if found.check and found.check.observations_blob else None
    frames = observations.frames if observations else {}
    asked = [form for form in edition.forms.values() if form.asked(found.period)]
    owing, absent = _absent(office, session, found, observations)
    is_any_there = len(absent) < owing
    forms = [
        FormShare(form.number, form.title, _is_filed(form, frames.get(form.code)))
        for form in asked
        if _is_owed(form, frames.get(form.code), is_any_there, owing)
    ]
    return Gap(sorted(forms, key=lambda form: form.number), absent, owing)


def _is_owed(form: Form, frame: pl.DataFrame | None, is_any_there: bool, owing: int) -> bool:
    """Whether the form is asked of somebody, as far as can be told from the files.

    An enterprise form without a row beside others with rows is one that nobody there owes: a row that is owed and missing is
    a hard finding, with which nothing is reported.
    """
    if form.roster != ENTERPRISE_ROSTER or (frame is not None and frame.height):
        return True
    return owing > 0 and not is_any_there


def _is_filed(form: Form, frame: pl.DataFrame | None) -> bool:
    """A roster of projects or incubators may be empty; the enterprises' forms and sheets of figures may not."""
    if frame is None:
        return False
    if form.kind is FormKind.ROSTER:
        return form.roster != ENTERPRISE_ROSTER or frame.height > 0
    codes = [i.code for i in form.indicators if i.code in frame.columns]
    return any(frame[code].null_count() < frame.height for code in codes)


def _absent(
    office: Office, session: Session, found: Submission, observations: Observations | None
) -> tuple[int, list[AbsentUnit]]:  # fmt: skip
    """How many enterprises of the register owe a report, and those without a row on any enterprise form."""
    frozen = frozen_register(office.vault, session, found.period)
    register = (frozen if frozen is not None else register_as_of(session, found.period.end)).filter(park=found.park)
    if register.is_empty():
        return 0, []
    status = dict(
        answer_statuses(session, found.period, register["unit_id"].to_list()).select("unit_id", "status").iter_rows()
    )
    names = dict(register.select("unit_id", reserved.NAME).iter_rows()) if reserved.NAME in register.columns else {}
    owing = [unit for unit in register["unit_id"].sort() if status.get(unit) not in NOT_OWING]
    frames = observations.frames.values() if observations else ()
    there = {unit for frame in frames if "unit_id" in frame.columns for unit in frame["unit_id"].drop_nulls()}
    return len(owing), [
        # 0 and 1 say that it was filed once; they do not explain an absence.
        AbsentUnit(unit, names.get(unit) or "", ANSWER_STATUSES[status[unit]] if status.get(unit, 0) > 1 else "")
        for unit in owing
        if unit not in there
    ]


def lacks_statement(gap: Gap, *, is_confirmed: bool, reason: str) -> str:
    """Why what is left out is not stated well enough to report, as a sentence; empty where it is, or nothing is left out."""
    if not gap.is_open:
        return ""
    if not is_confirmed:
        return f"本次报送不全({gap.said})。请补齐后重新报送;确需先报的,请确认缺报并写明原因。"
    if len("".join(reason.split())) < SHORTEST_REASON:
        return f"本次报送不全({gap.said}):请写明缺报的原因,不少于 {SHORTEST_REASON} 个字。"
    return ""


def require_stated(gap: Gap, *, is_confirmed: bool, reason: str) -> GapStatement | None:
    """The statement on what is left out; None where nothing is.

    Raises RefusalError where something is and the park has not said so itself, or gives no reason.
    """
    if lacking := lacks_statement(gap, is_confirmed=is_confirmed, reason=reason):
        raise RefusalError(lacking, page="" if is_confirmed else "请勾选“确认缺报”。")
    return gap.stated(reason) if gap.is_open else None
