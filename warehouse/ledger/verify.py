"""Proof that the ledger says what was recorded: the chain holds, and every table agrees with the chain."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

from sqlalchemy import Date, String, TypeDecorator, select, type_coerce
from sqlalchemy.orm import Session

from warehouse.ledger.correspondence_models import (
    CorrectionDecisionRow,
    CorrectionRequestRow,
    HandoverDecisionRow,
    HandoverRow,
    NoticeRow,
)
from warehouse.ledger.enterprise_returns import SUBJECT, return_number
from warehouse.ledger.evaluation_models import LadderEventRow, ProvidedFigureRow
from warehouse.ledger.intake import files_digest
from warehouse.ledger.models import (
    AnswerStatusRow,
    Base,
    CheckRow,
    DecisionRow,
    ExplanationRow,
    ProposedValueRow,
    QueryMessageRow,
    QueryThreadRow,
    RegisterSnapshotRow,
    ReleaseRow,
    RestatementRow,
    RoundEventRow,
    SubmissionRow,
    SubmittedFileRow,
    TrailRow,
    UnitEventRow,
    UserRow,
)
from warehouse.ledger.office_models import (
    AssignmentRow,
    DataRequestRow,
    DataRequestStepRow,
    FirstOpinionRow,
    ReleaseDateRow,
    SecondCheckRuleRow,
    SentReminderRow,
)
from warehouse.ledger.record_models import AdministrativeImportRow
from warehouse.ledger.return_models import (
    EnterpriseReturnRow,
    ReturnCheckRow,
    ReturnConfirmationRow,
)
from warehouse.ledger.submissions import submission_number_of
from warehouse.ledger.trail import Head, Rows, TrailReport, verify_trail
from warehouse.ledger.unit_models import ApplicationRow, ConfirmationRow, RestructuringRow

_RECORDED: tuple[type[Base], ...] = (
    SubmittedFileRow,
    CheckRow,
    ExplanationRow,
    DecisionRow,
    UnitEventRow,
    RestructuringRow,
    RegisterSnapshotRow,
    AnswerStatusRow,
    RoundEventRow,
    ConfirmationRow,
    QueryThreadRow,
    QueryMessageRow,
    RestatementRow,
    LadderEventRow,
    ProvidedFigureRow,
    ProposedValueRow,
    AssignmentRow,
    SecondCheckRuleRow,
    FirstOpinionRow,
    SentReminderRow,
    ReleaseDateRow,
    DataRequestRow,
    DataRequestStepRow,
    NoticeRow,
    CorrectionRequestRow,
    CorrectionDecisionRow,
    HandoverRow,
    HandoverDecisionRow,
    AdministrativeImportRow,
)


@dataclass(frozen=True)
class LedgerReport:
    """Result of a verification; every problem is a sentence."""

    trail: TrailReport
    problems: tuple[str, ...]

    @property
    def is_sound(self) -> bool:
        """No problem was found."""
        return not self.problems


def verify_ledger(session: Session, *, expected: Iterable[Head] = ()) -> LedgerReport:
    """Verify the trail, then every submission, release, user and recorded row against it.

    ``expected``: heads kept outside, such as on receipts. That the blobs exist is for ``Vault.scrub`` with
    ``referenced_blobs``.
    """
    chained = verify_trail(session, expected=expected)
    compare = (_rows_problems, _submission_problems, _return_problems, _release_problems, _user_problems)
    problems = chain(chained.problems, *(found(session) for found in compare))
    return LedgerReport(chained, tuple(problems))


def referenced_blobs(session: Session) -> set[str]:
    """The hashes of all files that the ledger says the vault holds."""
    columns = (
        SubmittedFileRow.sha256,
        CheckRow.observations_blob,
        CheckRow.findings_blob,
        RegisterSnapshotRow.blob,
        ConfirmationRow.evidence,
        EnterpriseReturnRow.sha256,
        ReturnCheckRow.observations_blob,
        ReturnCheckRow.findings_blob,
        ReturnConfirmationRow.evidence,
        ProvidedFigureRow.file,
        AdministrativeImportRow.book,
        AdministrativeImportRow.mapping,
        AdministrativeImportRow.records,
    )
    papers_of = (ApplicationRow.evidence, CorrectionRequestRow.evidence)
    evidence = {sha256 for column in papers_of for papers in session.scalars(select(column)) for sha256, _ in papers}
    return evidence | {sha256 for column in columns for sha256 in session.scalars(select(column).distinct()) if sha256}


def _rows_problems(session: Session) -> Iterator[str]:
    links: dict[str, dict[int, Mapping[str, Any]]] = defaultdict(dict)
    for seq, payload in session.execute(select(TrailRow.seq, TrailRow.payload).order_by(TrailRow.seq)):
        facts = _facts(payload)
        if "table" in facts:
            links[str(facts["table"])][seq] = facts
    for model in _RECORDED:
        table = model.__tablename__
        rows: dict[int, list[dict[str, object]]] = defaultdict(list)
        for values in _raw(session, model):
            rows[values["trail_seq"]].append(values)
        for seq in sorted(rows.keys() | links[table].keys()):
            facts = links[table].get(seq, {})
            if facts.get("rows") != len(rows[seq]) or facts.get("sha256") != Rows(model, rows[seq]).sha256:
                yield f"表 {table} 中由留痕第 {seq} 条记录的内容与留痕不符"


def _submission_problems(session: Session) -> Iterator[str]:
    links: dict[str, list[TrailRow]] = defaultdict(list)
    stated = select(TrailRow).where(TrailRow.to_state.is_not(None)).order_by(TrailRow.seq)
    for link in session.scalars(stated):
        if not link.subject.startswith(("release/", SUBJECT)):
            links[link.subject].append(link)
    files: dict[int, list[str]] = defaultdict(list)
    for file in _raw(session, SubmittedFileRow):
        files[file["submission_id"]].append(file["sha256"])
    found = {one["number"]: one for one in _raw(session, SubmissionRow)}
    for number in sorted(links.keys() - found.keys()):
        yield f"留痕中的报送 {number} 不在台账中"
    for number, one in found.items():
        steps = links.get(number)
        if not steps:
            yield f"报送 {number} 没有留痕"
            continue
        first, last = steps[0], steps[-1]
        facts = _facts(first.payload)
        told = (facts.get("files_digest"), facts.get("edition"), facts.get("channel"), first.actor, first.at)
        is_as_received = (
            told == tuple(one[name] for name in ("files_digest", "edition", "channel", "received_by", "received_at"))
            and number == submission_number_of(one["park"], one["period"], one["revision"])
            and files_digest(files[one["id"]]) == one["files_digest"]
        )
        if not is_as_received:
            yield f"报送 {number} 的内容与接收时的留痕不符"
        if (last.to_state, last.seq, last.at) != (one["state"], one["state_seq"], one["state_at"]):
            yield f"报送 {number} 的状态与留痕不符"


def _return_problems(session: Session) -> Iterator[str]:
    links: dict[str, list[TrailRow]] = defaultdict(list)
    for link in session.scalars(select(TrailRow).where(TrailRow.subject.like(f"{SUBJECT}%")).order_by(TrailRow.seq)):
        if link.to_state is not None:
            links[link.subject.removeprefix(SUBJECT)].append(link)
    found = {one["number"]: one for one in _raw(session, EnterpriseReturnRow)}
    for number in sorted(links.keys() | found.keys()):
        one, steps = found.get(number), links.get(number)
        if one is None or steps is None:
            yield f"企业自填表 {number} 与留痕不符:{'不在台账中' if one is None else '没有留痕'}"
            continue
        first, last = steps[0], steps[-1]
        facts = _facts(first.payload)
        told = (facts.get("sha256"), facts.get("edition"), facts.get("channel"), first.actor, first.at)
        is_as_received = told == tuple(
            one[name] for name in ("sha256", "edition", "channel", "received_by", "received_at")
        ) and number == return_number(one["park"], one["period"], one["unit_id"], one["revision"])
        if not is_as_received:
            yield f"企业自填表 {number} 的内容与接收时的留痕不符"
        if (last.to_state, last.seq, last.at) != (one["state"], one["state_seq"], one["state_at"]):
            yield f"企业自填表 {number} 的状态与留痕不符"


def _release_problems(session: Session) -> Iterator[str]:
    links = select(TrailRow).where(TrailRow.subject.like("release/%")).order_by(TrailRow.seq)
    told: dict[str, tuple[object, bool]] = {}
    for link in session.scalars(links):
        name = link.subject.removeprefix("release/")
        manifest = _facts(link.payload).get("manifest") if link.action == "released" else told.get(name, (None,))[0]
        told[name] = (manifest, link.to_state == "withdrawn")
    kept = {row["id"]: (row["manifest"], row["withdrawn_at"] is not None) for row in _raw(session, ReleaseRow)}
    for name in sorted(told.keys() | kept.keys()):
        if told.get(name) != kept.get(name):
            yield f"发布 {name} 与留痕不符"


def _user_problems(session: Session) -> Iterator[str]:
    told: dict[str, tuple[object, object, object, bool]] = {}
    links = select(TrailRow).where(TrailRow.subject.like("user/%")).order_by(TrailRow.seq)
    for link in session.scalars(links):
        name, facts = link.subject.removeprefix("user/"), _facts(link.payload)
        if link.action == "user_added":
            told[name] = (facts.get("role"), facts.get("park"), facts.get("unit_id"), False)
        elif link.action == "role_changed" and name in told:
            told[name] = (facts.get("role"), facts.get("park"), *told[name][2:])
        elif link.action == "user_disabled" and name in told:
            told[name] = (*told[name][:3], True)
    kept = {
        row["name"]: (row["role"], row["park"], row["unit_id"], bool(row["disabled"])) for row in _raw(session, UserRow)
    }
    for name in sorted(told.keys() | kept.keys()):
        if told.get(name) != kept.get(name):
            yield f"用户 {name} 的角色、园区或停用状态与留痕不符"


def _raw(session: Session, model: type[Base]) -> Iterator[dict[str, Any]]:
    """The rows as they stand in the database: what was tampered with must not stop the reading."""
    names = [column.name for column in model.__table__.columns]
    columns = [
        type_coerce(column, String) if isinstance(column.type, TypeDecorator | Date) else column
        for column in model.__table__.columns
    ]
    for row in session.execute(select(*columns)):
        yield dict(zip(names, row, strict=True))


def _facts(payload: object) -> Mapping[str, Any]:
    # A tampered payload is reported by the chain; here it just says nothing.
    try:
        facts = json.loads(payload) if isinstance(payload, str) else {}
    except ValueError:
        return {}
    return facts if isinstance(facts, dict) else {}
