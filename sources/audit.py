"""The audit run 审核: every rule with three outcomes, every required cell, every bound, as findings with their cells.

Pure: observations, operands and register come in as frames. Nothing is changed, filled or rounded here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import polars as pl

from schemas.catalog import edition_for_filer
from schemas.environment import Environment, environment_for
from schemas.expression import Logic, Name, expand, functions, names, operand_column, operands, parse, walk
from schemas.findings import FINDING_COLUMNS, no_findings
from schemas.model import AuditRule, Edition, Form, FormKind, Indicator, Programme, Severity, ValueType
from schemas.observations import ENTERPRISE_ROSTER, Observations, wide_roster
from schemas.period import Period
from schemas.period_data import PeriodData
from schemas.polars_target import prepare_rows, row_expr

PROVINCE_FUNCTIONS = frozenset({"COUNT_PARK"})
UNITS_RULE_FUNCTION = "in_roster"


@dataclass(frozen=True)
class Operands:
    """Figures of other periods: roster → one row a unit with ``unit_id`` and columns such as ``F01_prev``.

    ``snapshot`` hashes where they came from (submission numbers and observation blobs), so that a check can be repeated.
    """

    frames: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    snapshot: str = ""
    known: bool = False


@dataclass(frozen=True)
class AuditResult:
    """``findings`` with every problem; ``outcomes``: rule, holds, failed, undetermined, not_applicable counts;
    ``not_run``: rules that need figures of other periods or the register, which a check without a home does not have."""

    findings: pl.DataFrame
    outcomes: pl.DataFrame
    not_run: tuple[str, ...]
    rule_set_hash: str


def rule_set_hash(edition: Edition, period: Period) -> str:
    """SHA-256 over the rules of the round as they are evaluated."""
    text = "\n".join(
        f"{r.id}\t{r.severity}\t{r.applies_if}\t{r.expression}\t{';'.join(r.absorbed_by)}"
        for r in edition.rules_for(period)
    )
    return hashlib.sha256(text.encode()).hexdigest()


def audit(
    observations: Observations,
    programme: Programme,
    period: Period,
    *,
    park: str,
    operands_of_other_periods: Operands | None = None,
    register: pl.DataFrame | None = None,
    known: pl.DataFrame | None = None,
    file_names: Mapping[str, str] | None = None,
) -> AuditResult:
    """Audit one submission of ``park`` for ``period``.

    ``register``: the units that owe a report, one row a unit with ``unit_id``, ``name`` and ``answer_status`` (null where
    nothing is recorded). ``known``: findings of the reader on the same cells; a cell the reader complained about is not
    reported again as missing. Findings are sorted by form, row, column, severity.
    """
    whole = programme.edition_for(period)
    edition = edition_for_filer(programme, whole, park)
    other = operands_of_other_periods or Operands()
    complete = observations.with_all_columns(edition, period)
    rosters = rosters_of(observations, edition, period, other)
    sheet = _sheet(complete, edition, period, other, park)
    data = PeriodData(
        period,
        {n: f for n, f in rosters.items() if n not in ("park", "context")},
        sheet,
        rosters.get("context", pl.DataFrame()),
    )
    units = register["unit_id"] if register is not None else None
    env = environment_for(programme, period, edition=whole, units=units, data=data)
    run = _Run(
        edition, period, env, complete, rosters, sheet, known if known is not None else no_findings(), file_names or {}
    )

    parts = [_missing_rows(run, register), _cells_out_of_bounds(run), _required(run)]
    missing = pl.concat(parts)
    failed, outcomes, not_run = _rules(run, missing, other.known, register)
    findings = _located(run, pl.concat([missing, failed]))
    return AuditResult(findings, outcomes, tuple(not_run), rule_set_hash(whole, period))


@dataclass(frozen=True)
class _Run:
    edition: Edition
    period: Period
    env: Environment
    observations: Observations
    rosters: Mapping[str, pl.DataFrame]
    sheet: pl.DataFrame
    known: pl.DataFrame
    file_names: Mapping[str, str]

    def frame_of(self, form: Form) -> pl.DataFrame:
        return self.sheet if form.kind is FormKind.SHEET else self.rosters[form.roster]

    def has_row(self, form: Form) -> pl.Expr:
        return pl.lit(True) if form.kind is FormKind.SHEET else pl.col(f"_in_{form.code}")


def rosters_of(
    observations: Observations, edition: Edition, period: Period, other: Operands | None = None
) -> dict[str, pl.DataFrame]:
    """Roster → wide frame of a submission, with operands where given, and ``_in_<form>``: whether the unit stands on it."""
    return {
        name: _roster(observations, edition, name, period, other or Operands()) for name in _rosters(edition, period)
    }


RAW = {
    "rule": pl.String, "severity": pl.String, "form": pl.String, "unit_id": pl.String, "column": pl.String,
    "problem": pl.String, "found": pl.String, "code": pl.String, "outcome": pl.String, "absorbed_by": pl.String,
}  # fmt: skip


def _raw(rows: Sequence[Mapping[str, object]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=RAW) if rows else pl.DataFrame(schema=RAW)


def _rosters(edition: Edition, period: Period) -> list[str]:
    return list(
        dict.fromkeys(f.roster for f in edition.forms.values() if f.kind is not FormKind.SHEET and f.shown(period))
    )


def _roster(observations: Observations, edition: Edition, roster: str, period: Period, other: Operands) -> pl.DataFrame:
    wide = wide_roster(observations, edition, roster, period)
    for form in edition.forms.values():
        if form.roster == roster and form.shown(period):
            frame = observations.frames.get(form.code)
            present = (
                frame["unit_id"].drop_nulls().implode()
                if frame is not None and frame.height
                else pl.Series([[]], dtype=pl.List(pl.String))
            )
            wide = wide.with_columns(pl.col("unit_id").is_in(present).alias(f"_in_{form.code}"))
    return _with_operands(wide, edition, other.frames.get(roster))


def _with_operands(wide: pl.DataFrame, edition: Edition, operands_frame: pl.DataFrame | None) -> pl.DataFrame:
    """Lagged columns; where the form has its own 上年同期 cell, what stands there counts before last year's figure."""
    if operands_frame is not None and operands_frame.height:
        joined = wide.join(operands_frame, on="unit_id", how="left", suffix="_from_file", maintain_order="left")
        for name in [c for c in joined.columns if c.endswith("_from_file")]:
            own = name.removesuffix("_from_file")
            joined = joined.with_columns(pl.coalesce(pl.col(own), pl.col(name).cast(wide.schema[own])).alias(own)).drop(
                name
            )
        wide = joined
    extra = {"answer_status": pl.String, "sub_park": pl.String}
    return wide.with_columns(pl.lit(None, dtype=t).alias(n) for n, t in extra.items() if n not in wide.columns)


def _sheet(observations: Observations, edition: Edition, period: Period, other: Operands, park: str) -> pl.DataFrame:
    frame = pl.DataFrame({"park": [park], "unit_id": [park]})
    for form in edition.forms.values():
        if form.kind is FormKind.SHEET and form.shown(period):
            own = (
                observations.frames[form.code]
                .filter(pl.col("unit_id").is_not_null())
                .drop("park", "_file", "_sheet", "_row")
            )
            frame = frame.join(own.unique("unit_id", keep="first"), on="unit_id", how="left")
    return _with_operands(frame, edition, other.frames.get("park"))


def _operands_of(rule: AuditRule, edition: Edition) -> frozenset[tuple[str, str]]:
    return _operands_in((rule.expression, rule.applies_if), tuple(edition.derivations.items()))


@lru_cache(maxsize=4096)
def _operands_in(texts: tuple[str, ...], derivations: tuple[tuple[str, str], ...]) -> frozenset[tuple[str, str]]:
    return frozenset().union(*(operands(expand(parse(text), dict(derivations))) for text in texts if text))


# ── completeness and bounds ────────────────────────────────────────────────────────────────────────────────────────
def _applies(run: _Run, form: Form, indicator: Indicator | None = None) -> pl.Expr:
    """Where the form, and then the indicator, is owed; unknown counts as not owed (survey_system 8.3)."""
    owed = pl.lit(True)
    for condition in (form.applies_if, indicator.applies_if if indicator else ""):
        if condition:
            owed = owed & row_expr(condition, run.env).fill_null(False)
    return owed


def _reader_complained(run: _Run, form: Form) -> set[tuple[str, str]]:
    rows = run.known.filter(pl.col("form") == form.code).select("unit_id", "column").drop_nulls()
    return set(rows.iter_rows())


def _required(run: _Run) -> pl.DataFrame:
    rows: list[dict[str, object]] = []
    for form in run.edition.forms.values():
        asked = [i for i in form.asked(run.period) if i.required]
        if not asked or not form.shown(run.period):
            continue
        frame = run.frame_of(form)
        masks = frame.select(
            ((pl.col(i.code).is_null()) & run.has_row(form) & _applies(run, form, i)).alias(i.code) for i in asked
        )
        known = _reader_complained(run, form)
        some = masks.select(pl.all().any()).row(0, named=True) if frame.height else {}
        for i in asked:
            if not some.get(i.code):
                continue
            for unit in frame["unit_id"].filter(masks[i.code]):
                if (unit, i.code) not in known:
                    rows.append(
                        _cell(
                            form,
                            unit,
                            i,
                            "required",
                            "必填项未填;请补填,没有发生额的填 0。"
                            if i.type is ValueType.NUMBER
                            else "必填项未填;请补填。",
                        )
                    )
    return _raw(rows) if rows else _raw([])


def _cell(
    form: Form, unit: str, indicator: Indicator, code: str, problem: str, found: str = "", severity: str = "hard"
) -> dict[str, object]:
    return {
        "rule": code, "severity": severity, "form": form.code, "unit_id": unit, "column": indicator.code, "problem": problem,
        "found": found, "code": code, "outcome": "failed", "absorbed_by": "",
    }  # fmt: skip


def _cells_out_of_bounds(run: _Run) -> pl.DataFrame:
    """Signs and code options that no rule of its own checks: one cause, one finding."""
    ruled_sign = {
        c for r in run.edition.rules_for(run.period) if r.kind == "sign" for c, _ in _operands_of(r, run.edition)
    }
    ruled_code = {
        c for r in run.edition.rules_for(run.period) if r.kind == "code_valid" for c, _ in _operands_of(r, run.edition)
    }
    rows: list[dict[str, object]] = []
    for form in run.edition.forms.values():
        asked = form.asked(run.period)
        checks: list[tuple[Indicator, str, str, pl.Expr]] = []
        for i in asked:
            if i.nonneg and i.code not in ruled_sign:
                checks.append((i, "sign", "不能为负数;请核对后更正。", pl.col(i.code) < 0))
            if i.options and i.code not in ruled_code:
                listed = "、".join(f"{k}{v}" for k, v in i.options.items())
                checks.append(
                    (i, "domain", f"代码无效;请从下列代码中选填:{listed}。", ~pl.col(i.code).is_in(list(i.options)))
                )
        if not checks:
            continue
        frame = run.frame_of(form)
        masks = frame.select(
            (c.fill_null(False) & run.has_row(form)).alias(str(n)) for n, (_, _, _, c) in enumerate(checks)
        )
        some = masks.select(pl.all().any()).row(0, named=True)
        for n, (i, code, problem, _) in enumerate(checks):
            if not some[str(n)]:
                continue
            hits = frame.filter(masks[str(n)]).select("unit_id", i.code)
            rows += [_cell(form, unit, i, code, problem, str(value)) for unit, value in hits.iter_rows()]
    return _raw(rows)


def _missing_rows(run: _Run, register: pl.DataFrame | None) -> pl.DataFrame:
    """A unit that stands on one form of the roster but has no row on another it owes."""
    rows: list[dict[str, object]] = []
    for roster, frame in run.rosters.items():
        if roster != ENTERPRISE_ROSTER or frame.is_empty():
            continue
        for form in (f for f in run.edition.forms.values() if f.roster == roster and f.asked(run.period)):
            absent = frame.filter(~pl.col(f"_in_{form.code}") & _applies(run, form))
            # Forms without a single required indicator ask nothing of most units; a blank row would be no row.
            if any(i.required for i in form.asked(run.period)):
                first = form.asked(run.period)[0]
                rows += [
                    _cell(form, unit, first, "missing_row", f"表“{form.title}”中没有这家单位的行;请补报该行。")
                    for unit in absent["unit_id"]
                ]
    del register
    return _raw(rows)


# ── rules ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def _rules(
    run: _Run, missing: pl.DataFrame, operands_known: bool, register: pl.DataFrame | None
) -> tuple[pl.DataFrame, pl.DataFrame, list[str]]:
    not_run: list[str] = []
    failures: dict[str, pl.DataFrame] = {}
    by_form: dict[str, list[AuditRule]] = {}
    for rule in run.edition.rules_for(run.period):
        form = run.edition.forms[rule.form]
        used = functions(parse(rule.expression))
        lags = {lag for _, lag in _operands_of(rule, run.edition) if lag}
        if used & PROVINCE_FUNCTIONS:
            continue  # evaluated over all parks at acceptance, pipelines.review
        if (lags and not operands_known and not _has_own_lag(run, rule)) or (
            "unit_register" in rule.expression and register is None
        ):
            not_run.append(rule.id)
            continue
        if not form.shown(run.period) and form.code not in run.observations.frames:
            continue
        # a rule on the answer status asks the register's units, not the rows of the form
        if "answer_status" in names(parse(rule.expression)):
            if register is None:
                not_run.append(rule.id)
            else:
                failures[rule.id] = _absent_units(run, rule, register)
            continue
        by_form.setdefault(rule.form, []).append(rule)
    evaluated = {code: _evaluate(run, run.edition.forms[code], rules) for code, rules in by_form.items()}
    outcomes = [row for code, rules in by_form.items() for row in _counts(rules, evaluated[code])]
    clean = {row["rule"] for row in outcomes if not row["failed"] and not row["undetermined"]}
    blank = {(u, c) for u, c in missing.select("unit_id", "column").iter_rows()} | {
        (u, c) for u, c in run.known.select("unit_id", "column").drop_nulls().iter_rows()
    }
    rows = [
        _failures(run, run.edition.forms[code], rule, evaluated[code], blank)
        for code, rules in by_form.items()
        for rule in rules
        if rule.id not in clean
    ]
    frames = [f for f in [*rows, *failures.values()] if f.height]
    found = pl.concat(frames) if frames else _raw([])
    schema = {
        "rule": pl.String,
        "holds": pl.Int64,
        "failed": pl.Int64,
        "undetermined": pl.Int64,
        "not_applicable": pl.Int64,
    }
    return _absorbed(run, found), pl.DataFrame(outcomes, schema=schema), not_run


def _has_own_lag(run: _Run, rule: AuditRule) -> bool:
    """Whether every lagged operand is a 上年同期 cell of the form itself."""
    own = {f"{i.code}_yoy" for form in run.edition.forms.values() for i in form.with_year_earlier(run.period)}
    return all(operand_column(c, lag) in own for c, lag in _operands_of(rule, run.edition) if lag)


def _evaluate(run: _Run, form: Form, rules: list[AuditRule]) -> pl.DataFrame:
    """One row a unit: for each rule ``<id>`` (holds) and ``<id>?`` (applies)."""
    asked = [e for rule in rules for e in (rule.expression, rule.applies_if) if e] + [form.applies_if] * bool(
        form.applies_if
    )
    frame = prepare_rows(run.frame_of(form), asked, run.env)
    columns: list[pl.Expr] = []
    for rule in rules:
        applies = run.has_row(form) & _applies(run, form)
        if rule.applies_if:
            applies = applies & row_expr(rule.applies_if, run.env).fill_null(False)
        columns += [applies.alias(f"{rule.id}?"), row_expr(rule.expression, run.env).alias(rule.id)]
    return frame.select("unit_id", *columns)


def _counts(rules: Sequence[AuditRule], evaluated: pl.DataFrame) -> list[dict[str, object]]:
    """How often each rule held, failed, stayed undetermined or did not apply; one pass over all rules of a form."""
    if not rules:
        return []
    sums = evaluated.select(
        expr
        for r in rules
        for applies, holds in [(pl.col(f"{r.id}?"), pl.col(r.id))]
        for expr in (
            (applies & holds).sum().alias(f"{r.id} holds"),
            (applies & ~holds).sum().alias(f"{r.id} failed"),
            (applies & holds.is_null()).sum().alias(f"{r.id} undetermined"),
            (~applies).sum().alias(f"{r.id} not_applicable"),
        )
    ).row(0, named=True)
    kinds = ("holds", "failed", "undetermined", "not_applicable")
    return [{"rule": r.id} | {kind: int(sums[f"{r.id} {kind}"] or 0) for kind in kinds} for r in rules]


def marked_column(rule: AuditRule, form: Form, edition: Edition) -> str:
    """The cell a finding of the rule is put on: the first indicator of the rule's own form that the assertion names.

    A conditional rule reads "condition does not hold or assertion": what is to be mended stands in the last alternative.
    """
    own = {i.code for i in form.indicators}
    node = expand(parse(rule.expression), edition.derivations)
    assertion = node.operands[-1] if isinstance(node, Logic) and node.op == "or" else node
    for part in (assertion, node):
        named = [n.code for n in walk(part) if isinstance(n, Name) and n.code in own]
        if named:
            return named[0]
    return next((n.code for n in walk(node) if isinstance(n, Name)), form.indicators[0].code)


def _failures(
    run: _Run, form: Form, rule: AuditRule, evaluated: pl.DataFrame, blank: set[tuple[str, str]]
) -> pl.DataFrame:
    column = marked_column(rule, form, run.edition)
    applies = evaluated.filter(pl.col(f"{rule.id}?"))
    frame = run.frame_of(form)
    codes = [c for c, lag in sorted(_operands_of(rule, run.edition)) if not lag and c in frame.columns]
    rows: list[dict[str, object]] = []
    base = {"rule": rule.id, "form": form.code, "column": column, "code": "rule", "absorbed_by": ""}
    failing = applies.filter(~pl.col(rule.id))["unit_id"].to_list()
    if failing:
        shown = (
            frame.filter(pl.col("unit_id").is_in(failing))
            .select("unit_id", *codes)
            .unique("unit_id", keep="first", maintain_order=True)
        )
        for row in shown.iter_rows(named=True):
            found = ",".join(f"{c}={_plain(row[c])}" for c in codes)
            rows.append(
                base
                | {
                    "severity": rule.severity.value,
                    "unit_id": row["unit_id"],
                    "problem": rule.message + "。",
                    "found": found,
                    "outcome": "failed",
                }
            )
    if rule.severity is Severity.HARD and codes and rule.kind != "conditional_required":
        unknown = applies.filter(pl.col(rule.id).is_null())["unit_id"].to_list()
        if unknown:
            shown = frame.filter(pl.col("unit_id").is_in(unknown)).select("unit_id", *codes)
            for row in shown.iter_rows(named=True):
                empty = [c for c in codes if row[c] is None]
                if len(empty) == len(codes) or any((row["unit_id"], c) in blank for c in empty):
                    continue
                named = "、".join(
                    f"{run.edition.indicators[c].name}({c})" for c in empty if c in run.edition.indicators
                )
                problem = f"无法审核:{named or '有关项目'}未填,不能判断“{rule.message.split(';')[0]}”;请补填,确实没有的请说明。"
                rows.append(
                    base
                    | {
                        "severity": "soft",
                        "unit_id": row["unit_id"],
                        "problem": problem,
                        "found": "",
                        "code": "undetermined",
                        "outcome": "undetermined",
                    }
                )
    return _raw(rows)


def _plain(value: object) -> str:
    if value is None:
        return "空"
    if isinstance(value, bool):
        return "1" if value else "0"
    return str(value)


def _absent_units(run: _Run, rule: AuditRule, register: pl.DataFrame) -> pl.DataFrame:
    """AB27: each unit that owes a report either has figures or a recorded answer status."""
    present = (
        run.rosters[ENTERPRISE_ROSTER]["unit_id"].implode()
        if ENTERPRISE_ROSTER in run.rosters
        else pl.Series([[]], dtype=pl.List(pl.String))
    )
    absent = register.filter(~pl.col("unit_id").is_in(present) & pl.col("answer_status").is_null())
    return _raw([
        {"rule": rule.id, "severity": rule.severity.value, "form": rule.form, "unit_id": unit, "column": "B01", "problem": f"{rule.message}。",
         "found": name or "", "code": "rule", "outcome": "failed", "absorbed_by": ""}
        for unit, name in absent.select("unit_id", "name").iter_rows()
    ])  # fmt: skip


def _absorbed(run: _Run, found: pl.DataFrame) -> pl.DataFrame:
    """One cause, one finding: a rule is silent where one of its absorbing rules failed for the same unit."""
    absorbers = {r.id: set(r.absorbed_by) for r in run.edition.rules if r.absorbed_by}
    failed = set(found.filter(outcome="failed").select("unit_id", "rule").iter_rows())
    by = [
        next((a for a in sorted(absorbers.get(rule, ())) if (unit, a) in failed), "")
        for unit, rule in found.select("unit_id", "rule").iter_rows()
    ]
    marked = found.with_columns(pl.Series("absorbed_by", by, dtype=pl.String))
    return marked.with_columns(
        outcome=pl.when(pl.col("absorbed_by") != "").then(pl.lit("absorbed")).otherwise("outcome")
    )


# ── places ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def _located(run: _Run, raw: pl.DataFrame) -> pl.DataFrame:
    """Raw findings with file, sheet, cell and the full Chinese sentence."""
    if raw.is_empty():
        return no_findings()
    rows = pl.concat(
        [
            frame.select(pl.lit(code).alias("form"), "park", "unit_id", "_file", "_sheet", "_row").unique(
                "unit_id", keep="first", maintain_order=True
            )
            for code, frame in run.observations.frames.items()
        ]
    )
    placed = raw.join(rows, on=["form", "unit_id"], how="left", maintain_order="left").join(
        run.observations.cell_map.unique(["_file", "_sheet", "form", "column"], keep="first"),
        on=["_file", "_sheet", "form", "column"],
        how="left",
        maintain_order="left",
    )
    placed = placed.with_columns(row=pl.coalesce("row", "_row"))
    placed = placed.with_columns(
        cell=pl.when(pl.col("letter").is_not_null() & pl.col("row").is_not_null()).then(
            pl.col("letter") + pl.col("row").cast(pl.String)
        )
    )
    names = {c: i.name for c, i in run.edition.indicators.items()}
    titles = {c: f.title for c, f in run.edition.forms.items()}
    finished = placed.with_columns(
        file=pl.col("_file").replace(dict(run.file_names)) if run.file_names else pl.col("_file"),
        sheet=pl.col("_sheet"),
        indicator=pl.col("column").replace_strict(names, default=None),
        title=pl.col("form").replace_strict(titles, default=""),
    ).with_columns(
        message=pl.concat_str(
            pl.lit("工作表“"), pl.coalesce("sheet", "title"), pl.lit("”"), pl.coalesce(pl.concat_str(pl.lit(" "), "cell"), pl.lit("")),
            pl.lit("“"), pl.coalesce("indicator", "column"), pl.lit("”("), "column", pl.lit("):"),
            pl.when(pl.col("found").fill_null("") != "").then(pl.concat_str(pl.lit("填报 "), "found", pl.lit(","))).otherwise(pl.lit("")),
            "problem",
        )
    )  # fmt: skip
    order = {code: n for n, code in enumerate(run.edition.forms)}
    return (
        finished.with_columns(_order=pl.col("form").replace_strict(order, default=99, return_dtype=pl.Int64))
        .sort("_order", "row", "unit_id", "column", "rule", nulls_last=True)
        .select(pl.col(n).cast(t) for n, t in FINDING_COLUMNS.items())
    )
