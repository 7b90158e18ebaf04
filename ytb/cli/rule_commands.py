"""``ytb rules check``, ``ytb rules audit``, ``ytb correct``: rules and any table, no home needed; ``ytb rules rehearse``."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from exports.display import figure
from exports.safe_text import safe_csv
from pipelines.rule_tables import read_rule_file, read_tables
from schemas.period import Period
from schemas.table_check import CheckResult, Hit, RuleOutcome, check_tables, hits
from schemas.table_parser import table_text
from ytb.cli.output import emit, progress, table
from ytb.cli.session import CALL

if TYPE_CHECKING:  # the rest of this module needs neither ledger nor vault
    from pipelines.rehearsing import Rehearsal

FINDINGS = 1
SHOWN = 20
CORRECTION_HEADS = ("row", "line", "key", "field", "current", "proposed", "reason", "rules", "alternatives")

RuleOption = Annotated[Path, typer.Option("--rules", help="规则文件(TOML),格式见 docs/formats/rule-file.md")]
DataOption = Annotated[Path, typer.Option("--data", help="要审核的表(CSV,UTF-8 或 GB18030)")]
SEVERITY = {"hard": "强制", "soft": "核实", "trial": "试行"}


def register(root: typer.Typer) -> None:
    """Hang ``rules`` and ``correct`` on the root."""
    rules = typer.Typer(no_args_is_help=True, help="任意表的规则:审核、体检。")
    rules.command("check")(check)
    rules.command("audit")(audit)
    rules.command("rehearse")(rehearse_command)
    root.add_typer(rules, name="rules")
    root.command("correct")(correct)


def check(
    rules: RuleOption,
    data: DataOption,
    previous: Annotated[Path | None, typer.Option("--previous", help="前期的同一张表,供 prev、yoy、growth")] = None,
    register_file: Annotated[Path | None, typer.Option("--register", help="名录,供 register、in_register")] = None,
    other: Annotated[list[str] | None, typer.Option("--other", help="另一张表,写成 名称=文件;可重复")] = None,
    records: Annotated[bool, typer.Option("--records", help="列出每条不成立、不判定的记录")] = False,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="结果另存为 CSV(有 --records 时存记录)")] = None,
) -> None:
    """规则对一张表逐条审核:成立、不成立、不判定、不适用各多少。退出码:0 没有强制性问题,1 有,2 文件或规则有误。"""
    defined = read_rule_file(rules)
    tables = read_tables(defined, data, previous=previous, register=register_file, others=_named(other or []))
    result = check_tables(defined, tables)
    for text in (*tables.data.notes, *(n for t in tables.beside.values() for n in t.notes), *result.notes):
        progress(text)
    rows = [_rule_row(o) for o in result.outcomes]
    listed = [_record_row(h) for h in hits(result)] if records else []
    answer: dict[str, Any] = {
        "ok": result.hard_failures == 0,
        "rules_file": str(rules),
        "data_file": str(data),
        "records_read": tables.data.height,
        "columns": {c.name: _type_of(c.kind) for c in tables.data.columns.values()},
        "rules": rows,
        "unreadable": [
            {"row": u.row, "line": u.line, "column": u.column, "found": u.found, "expected": u.expected}
            for u in tables.data.unreadable
        ],
        "notes": [*tables.data.notes, *result.notes],
    }
    if records:
        answer["records"] = listed
    if output is not None:
        _save(output, _flat(listed) if records else rows)
    emit(answer, _text(result, listed) if records else [])
    if not CALL.json:
        emit({}, _summary(result))
        _closing(result)
    if result.hard_failures:
        raise typer.Exit(FINDINGS)


def audit(rules: RuleOption) -> None:
    """不看数据,给规则本身体检:矛盾、多余、永不触发、永真、只能取一个值,并给每条规则造出成立、不成立、不判定的例子。"""
    from pipelines.rule_report import audit_report, audit_text

    report = audit_report(read_rule_file(rules))
    emit({"rules_file": str(rules), **report}, audit_text(report))
    if not report["ok"]:
        raise typer.Exit(FINDINGS)


def correct(
    rules: RuleOption,
    data: DataOption,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="建议另存为 CSV,一个字段一行")] = None,
) -> None:
    """找出每条不满足强制性规则的记录里最少要改哪些字段,认出常见差错;只列建议,不改数据。有建议时退出码为 1。"""
    from pipelines.correcting import correct_table, correction_report, correction_rows, correction_text

    defined = read_rule_file(rules)
    tables = read_tables(defined, data)
    for text in tables.data.notes:
        progress(text)
    report = correction_report(correct_table(defined, tables, progress))
    if output is not None:
        _save(output, correction_rows(report), CORRECTION_HEADS)
    emit({"rules_file": str(rules), "data_file": str(data), **report}, correction_text(report))
    if not report["ok"]:
        raise typer.Exit(FINDINGS)


def rehearse_command(
    rule: Annotated[str, typer.Argument(help="规则编号,如 AF15")],
    rules: Annotated[Path | None, typer.Option("--rules", help="新规则或改写的规则(制度的格式);不写用制度里的")] = None,
    first: Annotated[str, typer.Option("--from", help="从哪一期起")] = "",
    last: Annotated[str, typer.Option("--to", help="到哪一期止")] = "",
    examples: Annotated[int, typer.Option("--examples", min=0, help="列出几处命中")] = 10,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="全部命中另存为 CSV")] = None,
) -> None:
    """规则预演:用全部已验收的数据试一条新规则或改过的规则,不影响任何人。按报告期和园区列命中数、占比和例子。"""
    from pipelines.rehearsing import rehearse, rule_named

    chosen = rule_named(CALL.programme, rule, rules)
    found = rehearse(
        CALL.office, chosen, first=Period.parse(first) if first else None, last=Period.parse(last) if last else None,
        from_file=rules is not None,
    )  # fmt: skip
    if output is not None:
        _save(output, found.hits.to_dicts(), found.hits.columns)
    emit(
        {
            "rule": {
                "id": chosen.id, "form": chosen.form, "severity": chosen.severity.value, "expression": chosen.expression,
                "applies_if": chosen.applies_if, "message": chosen.message,
            },
            "totals": found.totals, "share": found.share, "by_period_and_park": found.table, "is_changed": found.is_changed,
            "new": found.new.height, "gone": found.gone.height, "examples": found.hits.head(examples),
            "examples_new": found.new.head(examples), "examples_gone": found.gone.head(examples), "not_run": found.not_run,
        },
        _rehearsed(found, examples),
    )  # fmt: skip


def _rehearsed(found: Rehearsal, examples: int) -> list[str]:
    """A rehearsal for people."""
    rule, totals = found.rule, found.totals
    share = "—" if found.share is None else f"{figure(100 * found.share, 2)}%"
    lines = [
        f"{rule.id}({SEVERITY[rule.severity.value]},{rule.form}):{rule.message}",
        f"  {rule.expression}" + (f"  适用:{rule.applies_if}" if rule.applies_if else ""),
        f"命中 {totals['hits']} 个,占能判定的 {share};成立 {totals['holds']},不判定 {totals['undetermined']},"
        f"不适用 {totals['not_applicable']},已由其他规则说明 {totals['silenced']}。",
    ]
    if found.is_changed:
        lines.append(f"与制度里的写法相比:新命中 {found.new.height} 处,不再命中 {found.gone.height} 处。")
    lines += [f"  {period} 没有执行:{why}。" for period, why in found.not_run.items()]
    if found.table.height:
        lines.append("报告期    园区      单位  命中   占比  不判定")
        for row in found.table.iter_rows(named=True):
            judged = row["holds"] + row["hits"] + row["silenced"]
            part = f"{figure(100 * row['hits'] / judged, 1)}%" if judged else "—"
            lines.append(
                f"{row['period']:<9} {row['park']:<8} {row['units']:>5} {row['hits']:>5} {part:>6} {row['undetermined']:>5}"
            )
    else:
        lines.append("没有可用来预演的已验收数据。")
    for title, listed in (("例", found.new if found.is_changed else found.hits), ("不再命中", found.gone)):
        lines += [f"{title} {h['period']} {h['park']} {h['message']}" for h in listed.head(examples).to_dicts()]
    return lines


def _named(pairs: Iterable[str]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for pair in pairs:
        name, equals, path = pair.partition("=")
        if not equals or not name or not path:
            raise typer.BadParameter(f"--other 要写成 名称=文件,写的是“{pair}”。")
        found[name] = Path(path)
    return found


def _type_of(kind: Any) -> str:
    match kind.family.value:
        case "exact":
            return f"number({kind.scale})" if kind.scale else "integer"
        case "float":
            return "float"
    return str(kind.family.value)


def _rule_row(outcome: RuleOutcome) -> dict[str, Any]:
    rule = outcome.rule
    return {
        "rule": rule.id,
        "severity": rule.severity.value,
        "group": rule.group,
        "level": outcome.level,
        **outcome.counts,
        "expression": table_text(rule.node),
        "applies_if": table_text(rule.applies) if rule.applies is not None else "",
        "message": rule.message,
        "reason": outcome.reason,
    }


def _record_row(hit: Hit) -> dict[str, Any]:
    rule = hit.outcome.rule
    return {
        "rule": rule.id,
        "severity": rule.severity.value,
        "outcome": hit.result,
        "row": hit.row,
        "line": hit.line,
        "key": dict(hit.key),
        "values": dict(hit.values),
        "message": rule.message
        or (f"不满足:{rule.expression}" if hit.result == "fails" else f"无法判定:{rule.expression}"),
    }


def _flat(records: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Records for a CSV: key and values as one text each."""
    return [
        {**r, "key": "; ".join(f"{k}={v or ''}" for k, v in r["key"].items()),
         "values": "; ".join(f"{k}={'' if v is None else v}" for k, v in r["values"].items())}
        for r in records
    ]  # fmt: skip


def _save(path: Path, rows: list[dict[str, Any]], heads: Sequence[str] = ("rule",)) -> None:
    with path.open("w", encoding="utf-8-sig", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(list(rows[0]) if rows else heads)
        for row in rows:
            writer.writerow(["" if v is None else safe_csv(v) if isinstance(v, str) else v for v in row.values()])


def _summary(result: CheckResult) -> Any:
    heads = ("规则", "级别", "项数", "成立", "不成立", "不判定", "不适用", "表达式")
    rows = [
        (
            o.rule.id, SEVERITY[o.rule.severity.value], *o.counts.values(),
            table_text(o.rule.node) + (f"({o.reason})" if o.reason else ""),
        )
        for o in result.outcomes
    ]  # fmt: skip
    return table("", heads, rows)


def _text(result: CheckResult, listed: list[dict[str, Any]]) -> list[str]:
    lines = []
    for record in listed:
        where = f"第 {record['row']} 条(文件第 {record['line']} 行)" if record["row"] else "整表"
        key = " ".join(f"{k}={v or ''}" for k, v in record["key"].items())
        values = " ".join(f"{k}={'空' if v is None else v}" for k, v in record["values"].items())
        kind = "不成立" if record["outcome"] == "fails" else "不判定"
        lines.append(f"{record['rule']} {kind} {where} {key} | {values} | {record['message']}")
    return lines


def _closing(result: CheckResult) -> None:
    wrong = result.tables.data.unreadable
    for cell in wrong[:SHOWN]:
        sys.stdout.write(f"文件第 {cell.line} 行 {cell.column}:“{cell.found}”不是{cell.expected}\n")
    if len(wrong) > SHOWN:
        sys.stdout.write(f"……另有 {len(wrong) - SHOWN} 个单元格无法读取\n")
    hard = result.hard_failures
    sys.stdout.write(
        f"共 {result.tables.data.height} 条记录;" + (f"强制性问题 {hard} 个。\n" if hard else "没有强制性问题。\n")
    )
