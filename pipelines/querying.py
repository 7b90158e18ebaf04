"""Queries 查询 between reviewer and park, and how every finding ended. Nobody here changes a figure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

import polars as pl
from sqlalchemy.orm import Session

from pipelines.intake import Office, findings_of, observations_of
from schemas.errors import RefusalError
from schemas.period import Period
from warehouse.ledger import queries
from warehouse.ledger.explanations import explanations_of, finding_key
from warehouse.ledger.queries import Query, QueryState
from warehouse.ledger.states import State
from warehouse.ledger.submissions import Submission, submission, submissions

ENDINGS = ("corrected", "explained", "left_out", "open", "counted")
ENDING_TITLES = {
    "corrected": "已更正",
    "explained": "已说明",
    "left_out": "未报企业",
    "open": "未了结",
    "counted": "试行计数",
}


def ask(office: Office, number: str, about: str, question: str, *, due: date, now: datetime, actor: str) -> Query:
    """Ask the park about a cell of its submission. ``about``: a finding key, or ``form|unit|column``.

    Raises RefusalError where the submission has no such finding or cell, and as ``warehouse.ledger.queries.ask``.
    """
    with office.ledger.read() as session:
        found = submission(session, number)
    parts = about.split("|")
    if len(parts) == 4:
        keys = {finding_key(row) for row in findings_of(office.vault, found).iter_rows(named=True)}
        if about not in keys:
            raise RefusalError(
                f"{number} 没有“{about}”这一条问题。", command=f"各条问题见 ytb review show {number} --json。"
            )
        form, unit, column = parts[1:]
        key = about
    elif len(parts) == 3:
        form, unit, column = parts
        key = ""
        frame = observations_of(office.vault, found).frames.get(form)
        if frame is None or column not in frame.columns or unit not in set(frame["unit_id"].to_list()):
            raise RefusalError(
                f"{number} 没有“{about}”这一格,请核对。",
                command="写成 表|单位代码|指标代码,如 finance|9162…|F01。",
                page="单位代码和指标代码照报表所写。",
            )
    else:
        raise RefusalError("请写明问的是哪一格。", command="写成 规则|表|单位代码|指标代码,或 表|单位代码|指标代码。")
    with office.ledger.write() as session:
        return queries.ask(
            session, number, form=form, unit_id=unit, column=column, question=question, due=due, now=now, actor=actor,
            finding_key=key,
        )  # fmt: skip


def settle(office: Office, session: Session, found: Submission, *, now: datetime, actor: str) -> list[Query]:
    """Before an acceptance: end the queries of its park and period, saying how.

    A cell that changed since it was asked about was corrected; one that was answered and stayed was confirmed. Raises
    RefusalError while a query is neither answered nor its cell changed.
    """
    found_outcomes = outcomes_of(office, session, found)
    return [queries.close(session, one.id, how, now=now, actor=actor) for one, how in found_outcomes]


def outcomes_of(office: Office, session: Session, found: Submission) -> list[tuple[Query, str]]:
    """How the queries of a submission's park and period would end if it were accepted. Raises RefusalError as ``settle``."""
    going = [
        q for q in queries.queries(session, park=found.park, period=found.period) if q.state is not QueryState.CLOSED
    ]
    outcomes: list[tuple[Query, str]] = []
    waiting = []
    for one in going:
        if one.submission != found.number and _changed(office, session, one, found):
            outcomes.append((one, "corrected"))
        elif one.state is QueryState.ANSWERED:
            outcomes.append((one, "confirmed"))
        else:
            waiting.append(one)
    if waiting:
        listed = "、".join(f"{q.id}({q.unit_id} {q.column})" for q in waiting[:5])
        raise RefusalError(f"{found.number} 还有 {len(waiting)} 条查询园区没有答复:{listed};请等答复,或先了结查询。")
    return outcomes


def _changed(office: Office, session: Session, asked: Query, found: Submission) -> bool:
    then = observations_of(office.vault, submission(session, asked.submission)).frames.get(asked.form)
    now = observations_of(office.vault, found).frames.get(asked.form)
    return _cell(then, asked) != _cell(now, asked)


def _cell(frame: pl.DataFrame | None, asked: Query) -> str | None:
    if frame is None or asked.column not in frame.columns:
        return None
    values = frame.filter(unit_id=asked.unit_id)[asked.column]
    return None if values.is_empty() or values[0] is None else str(values[0])


def finding_endings(office: Office, period: Period | None = None, park: str | None = None) -> pl.DataFrame:
    """Every finding ever recorded and how it ended: ``period, park, rule, severity, form, unit_id, column, first, last, ending``.

    ``first`` and ``last`` are the revisions it stood in. corrected: gone in a later revision; explained: soft, and the
    newest revision has its explanation; left_out: hard, on an enterprise its park reported without; open: none of these
    yet; counted: of a rule on trial. Absorbed findings are not listed.
    """
    with office.ledger.read() as session:
        found = [s for s in submissions(session, period=period, park=park) if s.check and s.check.findings_blob]
        told = {s.number: set(explanations_of(session, s.number)) for s in found}
    rounds: dict[tuple[str, str], list[Submission]] = {}
    for one in found:
        rounds.setdefault((str(one.period), one.park), []).append(one)
    columns = ("period", "park", "rule", "severity", "form", "unit_id", "column")
    schema = {**dict.fromkeys(columns, pl.String), "first": pl.Int64, "last": pl.Int64, "ending": pl.String}
    rows = [row for revisions in rounds.values() for row in _of_a_round(office, revisions, told)]
    return pl.DataFrame(rows, schema=schema, orient="row").sort(*columns, nulls_last=True)


def _of_a_round(
    office: Office, revisions: Sequence[Submission], told: dict[str, set[str]]
) -> list[tuple[str | int | None, ...]]:
    seen: dict[str, tuple[int, int, dict[str, object]]] = {}
    newest = max(revisions, key=lambda s: s.revision)
    for one in sorted(revisions, key=lambda s: s.revision):
        for row in findings_of(office.vault, one).filter(pl.col("outcome") != "absorbed").iter_rows(named=True):
            key = finding_key(row)
            seen[key] = (seen[key][0] if key in seen else one.revision, one.revision, row)
    return [
        (
            str(newest.period), newest.park, str(row["rule"] or row["code"]), str(row["severity"]), _text(row["form"]),
            _text(row["unit_id"]), _text(row["column"]), first, last, _ending(newest, key, last, str(row["severity"]), told),
        )
        for key, (first, last, row) in seen.items()
    ]  # fmt: skip


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _ending(newest: Submission, key: str, last: int, severity: str, told: dict[str, set[str]]) -> str:
    if severity == "trial":
        return "counted"
    if last < newest.revision:
        return "corrected"
    if severity == "soft":
        return "explained" if key in told[newest.number] else "open"
    done = newest.state not in (State.FAILED, State.UNREADABLE, State.RECEIVED)
    return "left_out" if done else "open"


def ending_counts(endings: pl.DataFrame, by: Sequence[str]) -> pl.DataFrame:
    """Findings and how they ended, by any of rule, park, period, severity; the most frequent first."""
    sums = {name: (pl.col("ending") == name).sum() for name in ENDINGS}
    counted = endings.group_by(by).agg(findings=pl.len(), units=pl.col("unit_id").n_unique(), **sums)
    return counted.sort("findings", *by, descending=[True, *[False] * len(by)])
