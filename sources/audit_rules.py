"""Rules over the rows of a submission: three outcomes, one pass over all rules of a form; one cause, one finding."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from schemas import reserved
from schemas.chinese_text import said_of_lag
from schemas.model import Edition, Form, FormKind, Severity
from schemas.observations import ENTERPRISE_ROSTER
from schemas.polars_target import prepare_rows
from sources.audit_expected import on_cell_of, wanted, with_expected
from sources.audit_plan import Condition, PlannedForm, PlannedRule
from sources.audit_run import Run, raw_findings

OUTCOME_COLUMNS: dict[str, pl.DataType] = {
    "rule": pl.String(),
    "holds": pl.Int64(),
    "failed": pl.Int64(),
    "undetermined": pl.Int64(),
    "not_applicable": pl.Int64(),
}


@dataclass
class RuleResults:
    """Raw findings, the outcomes of each rule that was run, and the ids of those that could not be."""

    findings: pl.DataFrame = field(default_factory=lambda: raw_findings([]))
    outcomes: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=OUTCOME_COLUMNS))
    not_run: tuple[str, ...] = ()


def rule_results(
    run: Run, missing: pl.DataFrame, *, operands_known: bool, register: pl.DataFrame | None
) -> RuleResults:
    """Every rule on every row. ``missing``: raw findings on cells that are blank, which nothing else shall say again."""
    by_form, absent, not_run = _chosen(run, operands_known=operands_known, register=register)
    blank = set(missing.select("unit_id", "column").iter_rows())
    blank |= set(run.known.select("unit_id", "column").drop_nulls().iter_rows())
    outcomes: list[dict[str, object]] = []
    found: list[dict[str, object]] = []
    evaluated = _evaluated(run, by_form)
    for code, rules in by_form.items():
        counts = _counts(rules, evaluated[code])
        outcomes += counts
        open_or_failed = [r for r, count in zip(rules, counts, strict=True) if count["failed"] or count["undetermined"]]
        places = _places(open_or_failed, evaluated[code])
        for planned in open_or_failed:
            found += _found(run, run.plan.forms[code].form, planned, places, blank)
    for planned in absent:
        found += _absent_units(run, planned, register)
    findings = _absorbed(run.plan.edition, raw_findings(found))
    return RuleResults(findings, pl.DataFrame(outcomes, schema=OUTCOME_COLUMNS), tuple(not_run))


def _chosen(
    run: Run, *, operands_known: bool, register: pl.DataFrame | None
) -> tuple[dict[str, list[PlannedRule]], list[PlannedRule], list[str]]:
    """Form → rules to ask of its rows, rules to ask of the register's units, ids of rules that lack what they ask."""
    by_form: dict[str, list[PlannedRule]] = {}
    absent: list[PlannedRule] = []
    not_run: list[str] = []
    unread = {i.code for code in run.unread for i in run.plan.edition.forms[code].indicators}
    for planned in run.plan.rules:
        form = run.plan.forms[planned.rule.form]
        lacks_operands = bool(planned.lagged) and not operands_known and not planned.lagged <= run.plan.own_lags
        if planned.over_all_parks:
            continue  # evaluated over all parks at acceptance, pipelines.review
        lacks_operands |= not unread.isdisjoint(planned.codes)
        if lacks_operands or (planned.asks_register and register is None):
            not_run.append(planned.rule.id)
        elif not form.is_shown and form.form.code not in run.observations.frames:
            continue
        elif not planned.asks_answers:
            by_form.setdefault(form.form.code, []).append(planned)
        elif register is None:
            not_run.append(planned.rule.id)
        else:
            absent.append(planned)  # a rule on the answer status asks the register's units, not the rows of the form
    return by_form, absent, not_run


def _evaluated(run: Run, by_form: Mapping[str, Sequence[PlannedRule]]) -> dict[str, pl.DataFrame]:
    """Form → one row a unit of its roster: ``<id>`` whether each rule holds, ``<id>?`` whether it applies where it has a
    condition of its own, ``#owed:<form>`` whether the unit stands on the form and owes it. Forms of one roster share one frame."""
    together: dict[str, list[str]] = {}
    for code in by_form:
        form = run.plan.forms[code].form
        together.setdefault("" if form.kind is FormKind.SHEET else form.roster, []).append(code)
    found: dict[str, pl.DataFrame] = {}
    for codes in together.values():
        answers = _evaluated_together(run, {code: by_form[code] for code in codes})
        found |= dict.fromkeys(codes, answers)
    return found


def _evaluated_together(run: Run, by_form: Mapping[str, Sequence[PlannedRule]]) -> pl.DataFrame:
    """``_evaluated`` for forms of one roster: every rule of all of them in one select."""
    forms = [run.plan.forms[code] for code in by_form]
    frame = run.frame_of(forms[0].form)
    asked = [c.text for planned in forms if planned.has_aggregates for c in _conditions(planned, by_form)]
    if asked:
        frame = prepare_rows(frame, asked, run.env)
    missing = {n: t for planned in forms for n, t in planned.needed.items() if n not in frame.columns}
    nothing = [pl.Series(n, [None], dtype=t).new_from_index(0, frame.height) for n, t in missing.items()]
    owed = [(run.has_row(p.form) & run.is_owed(p)).alias(_owed(p.form.code)) for p in forms]
    frame = frame.with_columns(nothing).with_columns(owed)
    columns = [pl.col("unit_id"), *(pl.col(_owed(code)) for code in by_form)]
    for r in (r for rules in by_form.values() for r in rules):
        columns.append(r.holds.on(run.env).alias(r.rule.id))
        if r.applies is not None:
            applies = pl.col(_owed(r.rule.form)) & r.applies.on(run.env).fill_null(False)
            columns.append(applies.alias(f"{r.rule.id}?"))
    return frame.select(columns)


def _conditions(planned: PlannedForm, by_form: Mapping[str, Sequence[PlannedRule]]) -> list[Condition]:
    of_rules = [c for r in by_form[planned.form.code] for c in (r.holds, r.applies) if c]
    return of_rules + ([planned.applies] if planned.applies else [])


def _owed(code: str) -> str:
    return f"#owed:{code}"


def _applies(planned: PlannedRule) -> str:
    return f"{planned.rule.id}?" if planned.applies is not None else _owed(planned.rule.form)


def _counts(rules: Sequence[PlannedRule], evaluated: pl.DataFrame) -> list[dict[str, object]]:
    """How often each rule held, failed, stayed undetermined or did not apply."""
    counts: list[dict[str, object]] = []
    asked_of: dict[str, int] = {}
    for r in rules:
        name = _applies(r)
        applies, holds = evaluated[name], evaluated[r.rule.id]
        if name not in asked_of:
            asked_of[name] = int(applies.sum())
        asked = asked_of[name]
        if asked < evaluated.height:
            holds = holds.filter(applies)
        unknown, held = holds.null_count(), int(holds.sum())
        counts.append(
            {
                "rule": r.rule.id,
                "holds": held,
                "failed": asked - held - unknown,
                "undetermined": unknown,
                "not_applicable": evaluated.height - asked,
            }
        )
    return counts


@dataclass(frozen=True)
class _Places:
    """Rule → rows of the roster on which it failed, and on which it stayed undetermined."""

    failed: Mapping[str, Sequence[int]]
    undetermined: Mapping[str, Sequence[int]]


def _places(rules: Sequence[PlannedRule], evaluated: pl.DataFrame) -> _Places:
    if not rules:
        return _Places({}, {})
    asked = [(r.rule.id, pl.col(r.rule.id), pl.col(_applies(r))) for r in rules]
    found = evaluated.select(
        *((applies & ~holds).arg_true().implode().alias(f"{rule} failed") for rule, holds, applies in asked),
        *((applies & holds.is_null()).arg_true().implode().alias(f"{rule} open") for rule, holds, applies in asked),
    ).row(0)
    ids = [rule for rule, *_ in asked]
    return _Places(dict(zip(ids, found[: len(ids)], strict=True)), dict(zip(ids, found[len(ids) :], strict=True)))


def _found(
    run: Run, form: Form, planned: PlannedRule, places: _Places, blank: set[tuple[str, str]]
) -> Iterable[dict[str, object]]:
    """The findings of one rule on the units of one form."""
    frame = run.frame_of(form)
    codes = [c for c in planned.codes if c in frame.columns]
    failing = places.failed[planned.rule.id]
    wrong = _wrong_cells(run, planned, frame, failing)
    shown = frame[["unit_id", *codes]]
    lagged = sorted(planned.lagged & set(frame.columns))
    expected = wanted(planned, frame[failing], run.env)
    rows = _failures(planned, frame[failing].select("unit_id", *codes, *lagged), codes, lagged)
    for n, finding in enumerate(rows):
        for column in wrong.get(str(finding["unit_id"]), ()) or (planned.column,):
            words, told = on_cell_of(expected[n], column, cell_by_cell=bool(planned.parts))
            problem = with_expected(planned.rule.message, told)
            yield {**finding, "column": column, "expected": words, "problem": problem}
    if planned.rule.severity is Severity.HARD and codes and planned.rule.kind != "conditional_required":
        unknown = places.undetermined[planned.rule.id]
        yield from _undetermined(planned, shown[unknown], codes, run.plan.edition, blank)


def _wrong_cells(
    run: Run, planned: PlannedRule, frame: pl.DataFrame, failing: Sequence[int]
) -> dict[str, tuple[str, ...]]:
    """Unit → the cells that break a rule which checks several cells one by one; nothing for other rules."""
    parts = [(column, condition) for column, condition in planned.parts if column in frame.columns]
    if not failing or not parts:
        return {}
    broken = frame[failing].select(
        "unit_id", *((~condition.on(run.env)).fill_null(False).alias(c) for c, condition in parts)
    )
    return {row["unit_id"]: tuple(c for c, _ in parts if row[c]) for row in broken.iter_rows(named=True)}


def _base(planned: PlannedRule) -> dict[str, object]:
    rule = planned.rule
    return {"rule": rule.id, "form": rule.form, "column": planned.column, "absorbed_by": ""}


def _failures(
    planned: PlannedRule, failing: pl.DataFrame, codes: Sequence[str], lagged: Sequence[str]
) -> Iterable[dict[str, object]]:
    """What was filed, and the unit's own figures of other periods that it was held against."""
    failed = {"severity": planned.rule.severity.value, "code": "rule", "outcome": "failed"}
    names = {c: c for c in codes} | {c: said_of_lag(c) for c in lagged}
    for row in failing.iter_rows(named=True):
        found = ",".join(f"{said}={_plain(row[c])}" for c, said in names.items() if c in codes or row[c] is not None)
        yield (
            _base(planned)
            | failed
            | {
                "unit_id": row["unit_id"],
                "found": found,
            }
        )


def _undetermined(
    planned: PlannedRule,
    unknown: pl.DataFrame,
    codes: Sequence[str],
    edition: Edition,
    blank: set[tuple[str, str]],
) -> Iterable[dict[str, object]]:
    """A hard rule left open although an operand is reported: a soft finding, unless the blank cell is a finding itself."""
    told = {"severity": "soft", "code": "undetermined", "outcome": "undetermined", "found": ""}
    for row in unknown.iter_rows(named=True):
        empty = [c for c in codes if row[c] is None]
        if len(empty) == len(codes) or any((row["unit_id"], c) in blank for c in empty):
            continue
        named = "、".join(f"{edition.indicators[c].name}({c})" for c in empty if c in edition.indicators)
        asked = planned.rule.message.split(";")[0]
        problem = f"无法审核:{named or '有关项目'}未填,不能判断“{asked}”;请补填,确实没有的请说明。"
        yield _base(planned) | told | {"unit_id": row["unit_id"], "problem": problem}


def _plain(value: object) -> str:
    if value is None:
        return "空"
    if isinstance(value, bool):
        return "1" if value else "0"
    return str(value)


def _absent_units(run: Run, planned: PlannedRule, register: pl.DataFrame | None) -> list[dict[str, object]]:
    """AB27: each unit that owes a report either has figures or a recorded answer status."""
    rule = planned.rule
    if register is None:
        return []
    roster = run.rosters.get(ENTERPRISE_ROSTER)
    present = roster["unit_id"] if roster is not None else pl.Series([], dtype=pl.String)
    absent = register.filter(~pl.col("unit_id").is_in(present.implode()) & pl.col("answer_status").is_null())
    return [
        {"rule": rule.id, "severity": rule.severity.value, "form": rule.form, "unit_id": unit, "column": reserved.UNIT, "problem": f"{rule.message}。",
         "found": "", "code": "rule", "outcome": "failed", "absorbed_by": ""}
        for unit in absent["unit_id"]
    ]  # fmt: skip


def _absorbed(edition: Edition, found: pl.DataFrame) -> pl.DataFrame:
    """One cause, one finding: a rule is silent where one of its absorbing rules failed for the same unit.

    A rule on trial silences nothing that has to be acted on."""
    absorbers: Mapping[str, list[str]] = {r.id: sorted(r.absorbed_by) for r in edition.rules if r.absorbed_by}
    asking = found.filter((pl.col("outcome") == "failed") & (pl.col("severity") != Severity.TRIAL))
    failed = set(asking.select("unit_id", "rule").iter_rows())
    by = [
        next((a for a in absorbers.get(rule, ()) if (unit, a) in failed), "")
        for unit, rule in found.select("unit_id", "rule").iter_rows()
    ]
    marked = found.with_columns(pl.Series("absorbed_by", by, dtype=pl.String))
    return marked.with_columns(
        outcome=pl.when(pl.col("absorbed_by") != "").then(pl.lit("absorbed")).otherwise("outcome")
    )
