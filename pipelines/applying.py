"""Applying to the register 名录变动申请: what a park may ask for, with papers that are what they say. A statistician decides.

First in the register, then figures 先进库后有数. Source: survey_system.md section 2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime

from pipelines.intake import Office
from pipelines.register_values import RegisterValues, period_of
from schemas import reserved
from schemas.errors import RefusalError
from schemas.model import Edition, Programme
from schemas.roles import roles_of
from sources.evidence import inspect_evidence
from sources.pool import Pool
from warehouse.ledger.applications import Application, NewApplication, apply_to_register
from warehouse.ledger.columns import SHANGHAI
from warehouse.ledger.register import park_of
from warehouse.ledger.restructurings import RESTRUCTURING_KINDS

MOST_PAPERS = 10


def apply_for(
    office: Office,
    asked: NewApplication,
    evidence: Sequence[tuple[str, bytes]],
    pool: Pool,
    *,
    now: datetime,
    actor: str,
    of_park: str | None = None,
) -> Application:
    """Put an application and its papers (name, bytes) on record; every paper is inspected in a limited process first.

    ``of_park``: the park whose clerk asks: only for enterprises of its own register, or one that moves to it.
    Raises RefusalError for what can never be approved or is not the park's to ask, SubmissionError for a paper.
    """
    day = now.astimezone(SHANGHAI).date()
    if len(evidence) > MOST_PAPERS:
        raise RefusalError(f"证明文件不超过 {MOST_PAPERS} 个,请合并后再传。")
    asked = replace(asked, attributes=require_attributes(office.programme, asked.attributes, day))
    for name, data in evidence:
        pool.run(inspect_evidence, data, name)
    with office.ledger.write() as session:
        if of_park is not None:
            others_in = [park_of(session, unit, day) for unit in asked.others]
            _require_own(asked, of_park, park_of(session, asked.unit_id, day), others_in)
        return apply_to_register(office.vault, session, asked, evidence, now=now, actor=actor)


def _require_own(asked: NewApplication, of_park: str, now_in: str | None, others_in: Sequence[str | None] = ()) -> None:
    if asked.park != of_park:
        raise RefusalError("只能为本园区申请。")
    if asked.kind == "entry" and asked.to_park != of_park:
        raise RefusalError("新增的企业只能归入本园区。")
    if asked.kind in ("change", "exit") and now_in != of_park:
        raise RefusalError(f"{asked.unit_id[:30]} 现在不在本园区的名录库,不能由本园区申请。")
    if asked.kind in RESTRUCTURING_KINDS and of_park not in (now_in, *others_in):
        raise RefusalError(f"{asked.unit_id[:30]} 和所写的单位都不在本园区的名录库,不能由本园区申请。")
    if asked.kind == "move" and of_park not in (now_in, asked.to_park):
        raise RefusalError(f"{asked.unit_id[:30]} 不在本园区的名录库,也不迁入本园区,不能由本园区申请。")


def edition_of(programme: Programme, day: date) -> Edition:
    """The edition by which an application of a day is written."""
    return programme.edition_for(period_of(day))


def stated_of(programme: Programme, day: date) -> tuple[str, ...]:
    """Codes of what a park states of an enterprise when it applies, the name first; the others come with the forms."""
    return tuple(dict.fromkeys((reserved.NAME, *roles_of(edition_of(programme, day)).stated)))


def require_attributes(programme: Programme, attributes: Mapping[str, str | None], day: date) -> dict[str, str | None]:
    """The values as the register keeps them. Raises RefusalError for every code that it does not hold and every value that is
    not of its type or not in its code list on the day."""
    kept, problems = RegisterValues(programme).attributes(attributes, day)
    if problems:
        raise RefusalError("\n".join(f"{one}。" for one in problems))
    return kept
