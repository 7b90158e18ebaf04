"""``ytb correct``: proposals for the records of a table that break hard rules. Nothing is applied, nothing is written but the list.

Only hard rules take part, and of them those that are piecewise linear over one record; no value is ever proposed for a soft,
growth or plausibility rule. Docs: docs/methods/error-localisation.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from pipelines.methods.error_localisation import Localiser, Value
from pipelines.methods.identities import identity_of
from pipelines.methods.record_correction import VERIFY, Correctable, Corrector
from pipelines.methods.rules_audit import ExactRule, variables
from pipelines.methods.rules_audit_logic import NotExactError, meaning_of
from pipelines.methods.rules_audit_universe import Universe, universe_of
from pipelines.methods.slips import figure_text
from schemas.errors import DefinitionError
from schemas.model import Severity
from schemas.rule_file import RuleFile, TableRule
from schemas.table_check import FAILS, UNDETERMINED, CheckResult, check_tables
from schemas.table_model import Table, Tables
from schemas.variables import Family

MAX_UNDETERMINED = 5000
_KINDS = {"exact": "number", "float": "number", "boolean": "boolean", "text": "text", "date": "date"}


@dataclass(frozen=True)
class CorrectedRecord:
    """One record with its proposals."""

    row: int
    line: int
    key: Mapping[str, str | None]
    current: Mapping[str, str | None]
    found: Correctable


@dataclass(frozen=True)
class CorrectionResult:
    """All records with something to correct, and the hard rules that could not take part."""

    records: tuple[CorrectedRecord, ...]
    left_out: tuple[str, ...]
    notes: tuple[str, ...]
    decimals: Mapping[str, int]


def correct_table(
    rules: RuleFile, tables: Tables, progress: Callable[[str], None] = lambda text: None
) -> CorrectionResult:
    """Proposals for every record that breaks a hard rule, or whose blanks cannot be filled so that all hold."""
    checked = check_tables(rules, tables)
    table = tables.data
    universe = _universe(rules, table)
    exact, left_out = _exact(rules, universe, table)
    decimals = {c.name: c.kind.scale if c.kind.family is Family.EXACT else 6 for c in table.columns.values()}
    weights = {n: rules.columns[n].weight if n in rules.columns else Decimal(1) for n in table.columns}
    untouched = frozenset(table.key) | rules.correction.fixate
    strange = sorted(rules.correction.fixate - table.columns.keys())
    if strange:
        raise DefinitionError(f"[correct] fixate 里的列 {'、'.join(strange)} 不在数据里", remedy="请核对列名。")
    localiser = Localiser(exact, universe, weights, untouched)
    identities = tuple((i, e) for e in exact if (i := identity_of(e.rule, universe)) is not None)
    corrector = Corrector(localiser, identities, decimals, rules.correction)
    rows, notes = _rows(checked, {e.rule.id for e in exact})
    names = [n for n in table.columns if any(n in localiser.fields[e.rule.id] for e in exact)]
    records = []
    for count, row in enumerate(rows):
        if count and not count % 200:
            progress(f"已查 {count}/{len(rows)} 条")
        found = corrector.correct(_values(table, names, row))
        if found is not None:
            key = {k: table.raw[k][row] for k in table.key}
            current = {n: table.raw[n][row] for n in names}
            records.append(CorrectedRecord(row + 1, table.lines[row], key, current, found))
    return CorrectionResult(tuple(records), tuple(r.id for r in left_out), notes, decimals)


def _universe(rules: RuleFile, table: Table) -> Universe:
    """The columns as the data have them; every one may be blank."""
    said = universe_of(rules)
    kinds = {n: _KINDS[c.kind.family.value] for n, c in table.columns.items()}
    for name, column in table.columns.items():
        # A column of digits that the rules compare with texts is a code, and a blank one is what the rules take it for.
        if (said.kinds.get(name) == "text" and not column.declared) or column.blank:
            kinds[name] = said.kinds.get(name, "text")
    return replace(said, kinds=kinds, optional=frozenset(table.columns))


def _exact(rules: RuleFile, universe: Universe, table: Table) -> tuple[list[ExactRule], list[TableRule]]:
    exact: list[ExactRule] = []
    left_out: list[TableRule] = []
    for rule in rules.rules:
        if rule.severity is not Severity.HARD:
            continue
        try:
            found = ExactRule(rule, *meaning_of(rule, universe))
        except NotExactError:
            left_out.append(rule)
            continue
        own = all(n in table.columns for n in variables(found.satisfied) | variables(found.broken))
        (exact if own else left_out).append(found if own else rule)  # type: ignore[arg-type]
    return exact, left_out


def _rows(checked: CheckResult, exact: set[str]) -> tuple[list[int], tuple[str, ...]]:
    """The records to look at: those that fail, and those a blank leaves undetermined."""
    failing: set[int] = set()
    open_: set[int] = set()
    for outcome in checked.outcomes:
        if outcome.rule.id in exact and outcome.level == "record":
            failing |= set((outcome.outcomes == FAILS).arg_true().to_list())
            open_ |= set((outcome.outcomes == UNDETERMINED).arg_true().to_list())
    more = sorted(open_ - failing)
    notes: tuple[str, ...] = ()
    if len(more) > MAX_UNDETERMINED:
        notes = (f"有空值而不判定的记录 {len(more)} 条,只查了前 {MAX_UNDETERMINED} 条能否填齐",)
    return sorted(failing | set(more[:MAX_UNDETERMINED])), notes


def _values(table: Table, names: list[str], row: int) -> dict[str, Value]:
    """The filled fields of a record as the solver knows them."""
    found: dict[str, Value] = {}
    for name in names:
        value = table.values[name][row]
        raw = table.raw[name][row]
        match value:
            case None:
                continue
            case bool() | str():
                found[name] = value
            case date():
                found[name] = Fraction(value.toordinal())
            case _:
                found[name] = Fraction(value)
        if raw is None:
            del found[name]
    return found


def correction_report(result: CorrectionResult) -> dict[str, Any]:
    """The proposals as a document. Format: docs/methods/error-localisation.md."""
    return {
        "ok": not result.records,
        "counts": {
            "records": len(result.records),
            "proposals": sum(len(r.found.proposals) for r in result.records),
            "with_value": sum(1 for r in result.records for p in r.found.proposals if p.value is not None),
        },
        "left_out": list(result.left_out),
        "notes": list(result.notes),
        "records": [_record(r, result.decimals) for r in result.records],
    }


def _record(record: CorrectedRecord, decimals: Mapping[str, int]) -> dict[str, Any]:
    found = record.found

    def shown(name: str, value: Fraction | None) -> str | None:
        return None if value is None else figure_text(value, decimals.get(name, 0))

    return {
        "row": record.row,
        "line": record.line,
        "key": dict(record.key),
        "rules": list(found.broken),
        "weight": float(found.weight),
        "status": "impossible" if found.impossible else "located" if found.complete else "incomplete",
        "proposals": [
            {
                "field": p.field,
                "current": record.current.get(p.field),
                "proposed": shown(p.field, p.value) or VERIFY,
                "kind": p.kind,
                "reason": p.reason,
            }
            for p in found.proposals
        ],
        "solutions": [
            {"fields": list(s.fields), "values": {n: shown(n, s.values.get(n)) for n in s.fields}}
            for s in found.solutions
        ],
        "slips": [
            {
                "kind": s.kind,
                "complete": s.complete,
                "resolves": list(s.resolves),
                "changes": [
                    {
                        "field": c.field,
                        "current": record.current.get(c.field),
                        "proposed": shown(c.field, c.value),
                        "what": c.what,
                    }
                    for c in s.changes
                ],
            }
            for s in found.slips
        ],
        "alternatives": list(found.alternatives),
    }


def correction_rows(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One line a proposal, for a CSV."""
    return [
        {
            "row": r["row"],
            "line": r["line"],
            "key": "; ".join(f"{k}={v or ''}" for k, v in r["key"].items()),
            "field": p["field"],
            "current": p["current"],
            "proposed": p["proposed"],
            "reason": p["reason"],
            "rules": "; ".join(r["rules"]),
            "alternatives": "; ".join(r["alternatives"]),
        }
        for r in report["records"]
        for p in r["proposals"]
    ]


def correction_text(report: Mapping[str, Any]) -> list[str]:
    """The proposals for people."""
    lines = []
    for record in report["records"]:
        key = " ".join(f"{k}={v or ''}" for k, v in record["key"].items())
        lines.append(
            f"第 {record['row']} 条(文件第 {record['line']} 行){key}:不满足 {'、'.join(record['rules']) or '(空值怎样填都不满足)'}"
        )
        if record["status"] == "impossible":
            lines.append("  在允许改动的字段里没有解;请先用 ytb rules audit 检查规则是否矛盾。")
        for p in record["proposals"]:
            current = "空" if p["current"] is None else p["current"]
            lines.append(f"  {p['field']}:现为 {current},建议 {p['proposed']}({p['reason']})")
        lines += [f"    或:{text}" for text in record["alternatives"]]
    if report["left_out"]:
        lines.append(f"不能参与定位的强制性规则(跨记录或非线性):{'、'.join(report['left_out'])}")
    lines += report["notes"]
    counts = report["counts"]
    lines.append(
        f"共 {counts['records']} 条记录有建议,{counts['proposals']} 个字段,其中 {counts['with_value']} 个有建议值。数据没有改动。"
    )
    return lines
