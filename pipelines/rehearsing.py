"""Rehearsal of a rule 规则预演: what it would have found in everything that was accepted so far. Nothing is kept, nobody is blocked.

The rule runs exactly as in a check (same operands, register and applicability), alone with the rules that silence it. A
rule of the programme is rehearsed as it stands; one from a file takes the place of its namesake or joins the others, in
every edition that has its form. ``valid_from`` does not hold it back here: the point is to see it on figures of the past.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import polars as pl
from sqlalchemy.orm import Session

from pipelines.checking import register_of
from pipelines.explaining import rosters_in
from pipelines.intake import Office
from pipelines.operands import History, operands_for
from schemas.catalog import rules_in_file
from schemas.environment import environment_for
from schemas.errors import DefinitionError
from schemas.model import AuditRule, Edition, Programme
from schemas.period import Period
from sources.audit import audit
from warehouse.ledger.states import State
from warehouse.ledger.submissions import Submission, in_force, submissions

COUNTS = ("units", "hits", "silenced", "undetermined", "holds", "not_applicable")
EXAMPLES = 10


@dataclass(frozen=True)
class Rehearsal:
    """``table``: one row a period and park (``period, park, edition`` and ``COUNTS``); ``hits``: the findings, with period.

    ``before``: of the rule as it stands in the programme, hits of (period, unit) that the new wording loses (``gone``) and
    finds (``new``); empty where nothing is changed. ``not_run``: periods in which it could not be judged, and why.
    """

    rule: AuditRule
    table: pl.DataFrame
    hits: pl.DataFrame
    new: pl.DataFrame
    gone: pl.DataFrame
    is_changed: bool
    not_run: Mapping[str, str] = field(default_factory=dict)

    @property
    def totals(self) -> dict[str, int]:
        """Sums over all periods and parks; ``units`` counts a unit once a period."""
        return {name: int(self.table[name].sum() or 0) for name in COUNTS}

    @property
    def share(self) -> float | None:
        """Hits among the cases it was judged on (held, failed or silenced), 0 to 1."""
        found = self.totals
        judged = found["holds"] + found["hits"] + found["silenced"]
        return found["hits"] / judged if judged else None


def rule_named(programme: Programme, name: str, path: Path | None = None) -> AuditRule:
    """The rule to rehearse: from a file where one is given, else from the newest edition that has it.

    Raises DefinitionError where there is none of that name.
    """
    editions = list(programme.editions.values())
    if path is not None:
        found = {rule.id: rule for rule in rules_in_file(path, editions[-1])}
        if name not in found:
            listed = "、".join(found) or "无"
            raise DefinitionError(f"{path.name} 里没有规则 {name}", remedy=f"其中有:{listed}。")
        return found[name]
    for edition in reversed(editions):
        for rule in edition.rules:
            if rule.id == name:
                return rule
    raise DefinitionError(f"制度里没有规则 {name}", remedy="请核对规则编号,或用 --rules 指明规则文件。")


def rehearse(
    office: Office, rule: AuditRule, *, first: Period | None = None, last: Period | None = None, from_file: bool = False
) -> Rehearsal:
    """Run ``rule`` over every submission in force between two periods. ``from_file``: it may differ from the programme's.

    Raises DefinitionError where it cannot be computed in any edition with accepted figures.
    """
    tables: list[dict[str, object]] = []
    hits: list[pl.DataFrame] = []
    before: list[pl.DataFrame] = []
    not_run: dict[str, str] = {}
    other_round: list[str] = []
    if first is not None and last is not None and last.end < first.end:
        raise DefinitionError(f"{first} 在 {last} 之后", where="--from、--to", remedy="请把先后改过来。")
    changed = from_file and any(_differs(rule, e) for e in office.programme.editions.values())
    with office.ledger.read() as session:
        for period in _periods(session, first, last):
            edition = office.programme.edition_for(period)
            if period.round not in rule.rounds:
                other_round.append(str(period))
                continue
            if rule.form not in edition.forms:
                not_run[str(period)] = f"{edition.id} 版没有表 {rule.form}"
                continue
            trying = _with_rule(office.programme, edition, rule)
            environment_for(trying, period, edition=trying.editions[edition.id]).typed(rule.expression)
            old = next((r for r in edition.rules if r.id == rule.id), None) if changed else None
            here = len(tables)
            for found in in_force(session, period):
                if found.check is None or found.check.observations_blob is None:
                    continue
                counts, findings = _once(office, session, trying, found, rule)
                if counts is None:
                    continue
                tables.append({"period": str(period), "park": found.park, "edition": edition.id, **counts})
                hits.append(findings)
                if old is not None:
                    then = _with_rule(office.programme, edition, old)
                    before.append(_once(office, session, then, found, old)[1])
            if len(tables) == here:
                not_run[str(period)] = _why_not(rule)
    if not tables:  # said only then: of many quarters and one annual rule it would be most lines
        kind = "年报" if rule.rounds == "A" else "季报"
        not_run |= dict.fromkeys(other_round, f"这条规则只用于{kind}(rounds = {rule.rounds})")
    schema = {"period": pl.String, "park": pl.String, "edition": pl.String, **dict.fromkeys(COUNTS, pl.Int64)}
    all_hits, were = _stacked(hits), _stacked(before)
    keys = ["period", "unit_id", "column"]
    return Rehearsal(
        rule, pl.DataFrame(tables, schema=schema), all_hits,
        all_hits.join(were, on=keys, how="anti", nulls_equal=True) if changed else all_hits.clear(),
        were.join(all_hits, on=keys, how="anti", nulls_equal=True) if changed else all_hits.clear(), changed, not_run,
    )  # fmt: skip


def _why_not(rule: AuditRule) -> str:
    if "COUNT_PARK" in rule.expression:
        return "这条规则要各园区的报表一起才能判定,在验收时执行"
    return "没有园区报这张表,或缺少它要的名录库、往期数据"


HIT_COLUMNS = ("period", "park", "form", "unit_id", "sheet", "cell", "column", "found", "message")


def _stacked(frames: list[pl.DataFrame]) -> pl.DataFrame:
    return pl.concat([pl.DataFrame(schema=dict.fromkeys(HIT_COLUMNS, pl.String)), *frames])


def _periods(session: Session, first: Period | None, last: Period | None) -> list[Period]:
    """Every period with something accepted, oldest first."""
    there = {s.period for s in submissions(session, states={State.ACCEPTED})}
    return sorted(p for p in there if (first is None or p >= first) and (last is None or p <= last))


def _differs(rule: AuditRule, edition: Edition) -> bool:
    old = next((r for r in edition.rules if r.id == rule.id), None)
    return old is not None and (old.expression, old.applies_if, old.absorbed_by) != (
        rule.expression,
        rule.applies_if,
        rule.absorbed_by,
    )


def _with_rule(programme: Programme, edition: Edition, rule: AuditRule) -> Programme:
    """The programme with nothing but this rule and those that silence it, in one edition."""
    absorbers = tuple(r for r in edition.rules if r.id in rule.absorbed_by)
    alone = replace(edition, rules=(*absorbers, replace(rule, valid_from="")))
    return replace(programme, editions={**programme.editions, edition.id: alone})


def _once(
    office: Office, session: Session, trying: Programme, found: Submission, rule: AuditRule
) -> tuple[dict[str, int] | None, pl.DataFrame]:
    """Counts and findings of the rule in one submission; no counts where it did not run."""
    history = History(office.vault, session, trying)
    observations = history.observations(found)
    edition = trying.edition_for(found.period)
    register = register_of(history, found.period, found.park)
    operands = operands_for(history, found.period, found.park, rosters_in(observations, edition, found.park))
    names = {file.sha256: file.name for file in found.files}
    result = audit(
        observations, trying, found.period, park=found.park, operands_of_other_periods=operands, register=register,
        file_names=names,
    )  # fmt: skip
    mine = result.findings.filter(pl.col("rule") == rule.id)
    failed = mine.filter(outcome="failed")
    outcomes = result.outcomes.filter(rule=rule.id)
    asks_register = "answer_status" in rule.expression
    if rule.id in result.not_run or (outcomes.is_empty() and not asks_register) or "COUNT_PARK" in rule.expression:
        return None, _hits(failed.clear(), found.period)
    silenced = mine.filter(outcome="absorbed")["unit_id"].n_unique()
    # A rule on the answer status asks the units of the register, not the rows of the form.
    others = {
        "holds": register.height - failed["unit_id"].n_unique() - silenced,
        "undetermined": 0,
        "not_applicable": 0,
    }
    counted = outcomes.row(0, named=True) if outcomes.height else {"failed": 0, **others}
    units = register.height if asks_register else sum(v for k, v in counted.items() if k != "rule")
    return {
        "units": units,
        "hits": failed["unit_id"].n_unique(),
        "silenced": silenced,
        "undetermined": counted["undetermined"],
        "holds": counted["holds"],
        "not_applicable": counted["not_applicable"],
    }, _hits(failed, found.period)


def _hits(findings: pl.DataFrame, period: Period) -> pl.DataFrame:
    return findings.with_columns(period=pl.lit(str(period))).select(HIT_COLUMNS)
