"""Review 验收: what a reviewer sees and decides. Nobody here can change a number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl
from sqlalchemy.orm import Session

from pipelines.comparing import cell_changes
from pipelines.intake import Office, findings_of, observations_of
from pipelines.matters import park_effects, what_matters
from pipelines.querying import outcomes_of, settle
from pipelines.reminding import require_sendable
from pipelines.second_check import second_check
from schemas import reserved
from schemas.errors import RefusalError
from schemas.period import Period
from schemas.roles import roles_of
from warehouse.ledger import decisions
from warehouse.ledger.columns import shown_deadline
from warehouse.ledger.explanations import Explanation, explanations_of
from warehouse.ledger.parks import parks
from warehouse.ledger.periods import Timeliness, timeliness
from warehouse.ledger.proposals import NewProposal, record_proposals
from warehouse.ledger.register import register_as_of
from warehouse.ledger.second_checks import bound_of, first_opinion, record_first_opinion
from warehouse.ledger.sent_reminders import BY_SYSTEM, record_sent
from warehouse.ledger.states import STANDING, State, require_step
from warehouse.ledger.submissions import Submission, submission, submissions

CHANGE_COLUMNS = ("form", "unit_id", "column", "before", "after")


@dataclass(frozen=True)
class Dossier:
    """One submission on one page: findings with their explanations, decisions so far, changes against the revision before."""

    submission: Submission
    findings: pl.DataFrame
    explanations: Mapping[str, Explanation]
    decisions: Sequence[decisions.Decision]
    changes: pl.DataFrame


def dossier(office: Office, number: str) -> Dossier:
    """Everything recorded on a submission."""
    with office.ledger.read() as session:
        found = submission(session, number)
        given = explanations_of(session, number)
        decided = decisions.decisions_of(session, number)
        before = [
            s
            for s in submissions(session, park=found.park, period=found.period)
            if s.revision < found.revision and s.check and s.check.observations_blob
        ]
    changes = (
        differences(office, before[-1], found)
        if before and found.check and found.check.observations_blob
        else pl.DataFrame(schema=dict.fromkeys(CHANGE_COLUMNS, pl.String))
    )
    return Dossier(found, findings_of(office.vault, found), given, decided, changes)


def differences(office: Office, old: Submission, new: Submission) -> pl.DataFrame:
    """Cells that differ between two submissions: form, unit_id, column, before, after (text; null is not reported)."""
    before, after = observations_of(office.vault, old), observations_of(office.vault, new)
    return cell_changes(before, after).select(*CHANGE_COLUMNS)


def clashes(session: Session, office: Office, found: Submission) -> dict[str, str]:
    """Units of a submission that stand in another park's reported figures of the same period: unit → that park (AB28)."""
    others = [
        s
        for s in submissions(session, period=found.period, states=STANDING)
        if s.park != found.park and s.check and s.check.observations_blob
    ]
    mine = _units(office, found)
    return {unit: other.park for other in others for unit in sorted(mine & _units(office, other))}


def _units(office: Office, found: Submission) -> set[str]:
    basic = observations_of(office.vault, found).frames.get(reserved.BASIC)
    return set(basic["unit_id"].drop_nulls()) if basic is not None else set()


def accept(
    office: Office,
    number: str,
    *,
    now: datetime,
    actor: str,
    reason: str = "",
    effects: Mapping[str, Mapping[str, Any]] | None = None,
) -> Submission:
    """Accept a reported submission; where two people have to (``pipelines.second_check``), the first call enters the
    opinion of the first and the submission stays as it was: its state says which of the two has happened.

    Raises RefusalError where one of its units stands in another park's report, since a unit belongs to one park in a period,
    where a query of the park is not answered, where the same person would be both, or where the step is not permitted.
    Queries that are answered, or whose cell was corrected, end with the acceptance. ``effects`` as of ``second_check``.
    """
    with office.ledger.read() as session:
        found = submission(session, number)
        require_step(number, found.state, State.ACCEPTED)
        twice = clashes(session, office, found)
    if twice:
        listed = "、".join(f"{unit}(另见 {park})" for unit, park in list(twice.items())[:5])
        raise RefusalError(
            f"{number} 有 {len(twice)} 家单位同期出现在其他园区:{listed};请先确认归属,只保留一处(AB28)。"
        )
    check = second_check(office, found, effects)
    with office.ledger.write() as session:
        if check.needed:
            opinion = first_opinion(session, number)
            if opinion is None:
                decisions.require_newest(session, found)
                outcomes_of(office, session, found)
                record_first_opinion(session, number, reason, now=now, actor=actor)
                return submission(session, number)
            if opinion.by == actor:
                raise RefusalError(f"{number} 由您初审,须由另一人复核后验收({check.why})。")
        settle(office, session, found, now=now, actor=actor)
        accepted = decisions.accept(session, number, now=now, actor=actor, reason=reason)
        record_proposals(session, number, proposals_from(session, office, accepted), now=now, actor=actor)
        return accepted


@dataclass(frozen=True)
class Together:
    """What came of accepting in one stroke: ``accepted``, number → why not of those that could not be, and ``waiting``:
    those that a second person has to look at."""

    accepted: Sequence[str]
    refused: Mapping[str, str]
    waiting: Sequence[str] = ()


def accept_below(office: Office, period: Period, below: float, *, now: datetime, actor: str) -> Together:
    """Accept every submission of a round all of whose findings, and whose absent units together, have an effect under
    ``below`` (percent of the total, or percentage points of growth; see ``pipelines.matters``). One with a finding or a gap
    whose effect cannot be computed is left.

    Raises RefusalError for a limit that is not positive.
    """
    if not below > 0:
        raise RefusalError("影响的界限要写大于 0 的数,单位是百分比(占总量)或百分点(增速)。")
    weighed = what_matters(office, period).submissions
    small = (pl.col("unknown") == 0) & (pl.col("effect") < below) & (pl.col("gap") < below)
    chosen = weighed.filter(small)["number"].to_list()
    reason = f"各项问题和未报单位对总量和增速的影响均低于 {below:g},批量验收"
    return accept_all(
        office, sorted(chosen), {r["number"]: r for r in weighed.to_dicts()}, reason=reason, now=now, actor=actor
    )


def accept_clean(office: Office, chosen: Sequence[str], *, now: datetime, actor: str) -> Together:
    """Accept of the chosen submissions those that raised nothing to explain; why not, of the others."""
    found = {one.number: one for one in queue(office)}
    clean = [n for n in chosen if n in found and (check := found[n].check) is not None and not check.to_explain]
    effects: dict[str, Mapping[str, Any]] = {}
    with office.ledger.read() as session:
        bounds = {n: bound_of(session, n) for n in clean}
    # Only a bound above 0 asks for the effects of the round.
    for period in sorted({found[n].period for n, bound in bounds.items() if bound}):
        effects |= {row["number"]: row for row in what_matters(office, period).submissions.to_dicts()}
    done = accept_all(office, clean, effects, reason="无问题,批量验收", now=now, actor=actor)
    left = {n: "有核实性问题,请逐份审。" if n in found else "不在待审之列。" for n in chosen if n not in clean}
    return Together(done.accepted, {**done.refused, **left}, done.waiting)


def accept_all(
    office: Office,
    numbers: Sequence[str],
    effects: Mapping[str, Mapping[str, Any]],
    *,
    reason: str,
    now: datetime,
    actor: str,
) -> Together:
    """Accept one after the other; what refuses one does not stop the next."""
    accepted: list[str] = []
    waiting: list[str] = []
    refused: dict[str, str] = {}
    for number in numbers:
        try:
            done = accept(office, number, now=now, actor=actor, reason=reason, effects=effects)
            (accepted if done.state is State.ACCEPTED else waiting).append(number)
        except RefusalError as why:
            refused[number] = str(why)
    return Together(accepted, refused, waiting)


def proposals_from(session: Session, office: Office, found: Submission) -> list[NewProposal]:
    """Where the accepted basic form says otherwise than the register: for a statistician to date and decide."""
    basic = observations_of(office.vault, found).frames.get(reserved.BASIC)
    if basic is None:
        return []
    known = register_as_of(session, found.period.end, park=found.park)
    proposals: list[NewProposal] = []
    for code in roles_of(office.programme.edition_for(found.period)).compared:
        column = "sub_park" if code == reserved.SUB_PARK else code
        if code not in basic.columns or column not in known.columns:
            continue
        reported = (
            pl.col(code).cast(pl.Int8).cast(pl.String)
            if basic.schema[code] == pl.Boolean
            else pl.col(code).cast(pl.String)
        )
        both = basic.select("unit_id", reported=reported).join(
            known.select("unit_id", register=pl.col(column)), on="unit_id", how="inner"
        )
        differing = both.filter(
            pl.col("reported").is_not_null() & pl.col("register").fill_null("").ne(pl.col("reported"))
        )
        proposals += [NewProposal(u, column, reg, rep) for u, rep, reg in differing.iter_rows()]
    return proposals


RETURN_REASONS = {
    "R1": "个别指标与上年同期差异较大,情况说明不充分,请核实并补充说明。",
    "R2": "分项与合计口径不一致,请核对后重新报送。",
    "R3": "企业名单与名录库不一致,请先办理名录变更申请。",
    "R4": "计量单位疑似有误,请核对后重新报送。",
    "R5": "应报企业缺报较多,请补报或说明原因。",
    "R6": "现场核查发现报表与原始记录不符,请按原始记录核实更正。",
}
"""Coded reasons of a return: the code stands in front of the words, so that returns can be counted by reason."""


def return_to_park(
    office: Office, number: str, *, reason: str, now: datetime, actor: str, codes: Sequence[str] = ()
) -> Submission:
    """Return a submission with a reason that names no figure. ``codes``: of ``RETURN_REASONS``, put before the words.

    Raises RefusalError for a code there is not.
    """
    unknown = [code for code in codes if code not in RETURN_REASONS]
    if unknown:
        listed = "、".join(RETURN_REASONS)
        raise RefusalError(f"没有退回原因“{unknown[0][:20]}”,可选:{listed}。")
    words = " ".join([*(f"[{code}] {RETURN_REASONS[code]}" for code in dict.fromkeys(codes)), reason.strip()]).strip()
    with office.ledger.write() as session:
        return decisions.return_to_park(session, number, now=now, actor=actor, reason=words)


def reopen(office: Office, number: str, *, reason: str, now: datetime, actor: str) -> Submission:
    """Withdraw an acceptance."""
    with office.ledger.write() as session:
        return decisions.reopen(session, number, now=now, actor=actor, reason=reason)


def queue(office: Office, period: Period | None = None) -> list[Submission]:
    """What awaits a decision."""
    with office.ledger.read() as session:
        return decisions.awaiting_decision(session, period)


def missing_effects(office: Office, period: Period) -> dict[str, dict[str, object]]:
    """Park → what its missing units do to the total (``pipelines.matters.park_effects``), the largest effect first."""
    return {row["park"]: row for row in park_effects(what_matters(office, period)).to_dicts()}


def by_effect(
    found: Sequence[tuple[Timeliness, str]], effects: Mapping[str, Mapping[str, object]]
) -> list[tuple[Timeliness, str]]:
    """Reminders with the parks first whose figures the total misses most; the words stay as they are."""
    order = {park: n for n, park in enumerate(effects)}
    return sorted(found, key=lambda one: (order.get(one[0].park, len(order)), one[0].park))


def record_reminders(
    office: Office,
    period: Period,
    chosen: Sequence[str],
    way: str,
    *,
    owing: Sequence[str],
    now: datetime,
    actor: str,
) -> int:
    """Enter the reminders of the chosen parks as sent by hand, or (``BY_SYSTEM``) send them, with the words of this moment. How many.

    Raises RefusalError for a park that owes nothing any more, as ``record_sent``, and where the system cannot reach a park or has
    done so today (``pipelines.reminding``).
    """
    texts = {one.park: text for one, text in reminders(office, period, now=now, owing=owing)}
    done = [park for park in chosen if park not in texts]
    if done:
        raise RefusalError(f"{'、'.join(done[:5])} 已报送或不应报,不必催报。")
    with office.ledger.write() as session:
        sent = [(park, texts[park]) for park in dict.fromkeys(chosen)]
        if way == BY_SYSTEM:
            require_sendable(session, period, [park for park, _ in sent], now)
        return record_sent(session, period, sent, way, now=now, actor=actor)


def reminders(office: Office, period: Period, *, now: datetime, owing: Sequence[str]) -> list[tuple[Timeliness, str]]:
    """A reminder 催报 for every park that owes something: no figure of any unit appears in it."""
    with office.ledger.read() as session:
        standing = timeliness(session, period, now=now, owing=owing)
        names = {p.code: p.name for p in parks(session, period.end)}
    found = []
    for one in standing:
        state = one.latest.state if one.latest else None
        if state in STANDING:
            continue
        done = {
            None: "尚未报送",
            State.FAILED: "报送后审核未通过",
            State.CHECKED: "还有核实性问题待说明",
            State.RETURNED: "已退回待修订",
        }.get(state, "尚未完成报送")
        left = one.deadline - now
        when = (
            f"已逾期 {-left.days} 天"
            if left.total_seconds() < 0
            else f"距截止还有 {left.days} 天"
            if left.days
            else "今天截止"
        )
        found.append(
            (
                one,
                f"{names.get(one.park, one.park)}:您单位 {period.title}报表{done},{when}(截止 {shown_deadline(one.deadline)})。请登录系统或联系统计机构办理。",
            )
        )
    return found
