"""``ytb programme …``: the programme for its authors and readers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from exports.programme_book import write_book
from exports.rule_book import sentence
from pipelines.programme_check import programme_check
from schemas.compile_targets import TARGETS, targets_of
from schemas.errors import DefinitionError
from schemas.lint import changes, form_by_title, indicator_line, used_by
from schemas.model import Edition
from ytb.cli.output import emit, table
from ytb.cli.session import CALL

app = typer.Typer(no_args_is_help=True, help="调查制度:检查、查看、比较、成书。")


def register(root: typer.Typer) -> None:
    """Hang the commands on the root."""
    root.add_typer(app, name="programme")


def edition_named(name: str | None) -> Edition:
    """An edition by its name; the newest without one. Raises DefinitionError for an unknown one."""
    editions = CALL.programme.editions
    if name is None:
        return list(editions.values())[-1]
    if name not in editions:
        raise DefinitionError(f"没有 {name} 版", remedy=f"现有版次:{'、'.join(editions)}。")
    return editions[name]


@app.command("lint")
def lint_command(
    edition: Annotated[str | None, typer.Argument(help="版次,缺省检查全部")] = None,
    targets: Annotated[bool, typer.Option("--targets", help="逐条列出不能编译的规则及原因")] = False,
) -> None:
    """制度检查:指标只采集一次,代码都存在,规则、表、指数、目标都能算出,每条规则可由什么执行。"""
    editions = [edition_named(edition)] if edition else list(CALL.programme.editions.values())
    reports = [programme_check(CALL.programme, e) for e in editions]
    newest = reports[-1]
    reasons = {rule.id: targets_of(rule, CALL.programme, editions[-1]) for rule in editions[-1].rules}
    data = {
        "ok": all(r.ok for r in reports),
        "counts": newest.counts,
        "problems": [{"edition": r.edition, **p.__dict__} for r in reports for p in r.problems],
        "editions": {r.edition: r.counts for r in reports},
        "burden": [{"unit": u, "round": r, "required": q, "cells": n} for u, r, q, n in newest.burden],
        "compile_targets": {rule: [t for t in TARGETS if not of[t]] for rule, of in reasons.items()},
        "not_expressible": {
            rule: beyond for rule, of in reasons.items() if (beyond := {t: w for t, w in of.items() if w})
        },
    }
    lines = []
    for report in reports:
        counts = report.counts
        lines.append(
            f"{report.edition} 版:{counts['forms']} 张表,{counts['indicators']} 项指标,{counts['rules']} 条规则(强制 {counts['hard_rules']}),"
            f"{counts['tables']} 张输出表,{counts['index_indicators']} 项指数指标,{counts['warnings']} 项预警,{counts['targets']} 项目标"
        )
        lines += [f"  {'错误' if p.severity == 'error' else '提醒'} {p.where}:{p.message}" for p in report.problems]
    lines += ["填报负担(格数):"] if newest.burden else []
    lines += [f"  {unit} {title}:必填 {required},共 {cells}" for unit, title, required, cells in newest.burden]
    lines += _target_lines(reasons, listed=targets)
    lines += [
        f"  提醒 {rule.where}:规则 {rule.id} 要写进模板(in_template),但工作表公式不能表达:{why};请去掉 in_template。"
        for rule in editions[-1].rules
        if rule.in_template and (why := reasons[rule.id]["excel"])
    ]
    lines.append("通过。" if data["ok"] else "未通过。")
    emit(data, lines)
    raise typer.Exit(0 if data["ok"] else 1)


def _target_lines(reasons: Mapping[str, Mapping[str, str]], *, listed: bool) -> list[str]:
    """How many rules each target can carry out; with ``listed`` each that it cannot, and why."""
    counts = (f"{t} {sum(not of[t] for of in reasons.values())}" for t in TARGETS)
    lines = [f"规则 {len(reasons)} 条,可编译为:{','.join(counts)}" + ("" if listed else "(原因见 --targets)")]
    if listed:
        lines += [f"  {rule} 不能编译为 {t}:{why}" for rule, of in reasons.items() for t, why in of.items() if why]
    return lines


@app.command()
def show(
    code: Annotated[
        str, typer.Argument(help="指标、规则、表的代码,或表名、表号;指标名称或其中的字;不写则列出各表")
    ] = "",
    edition: Annotated[str | None, typer.Option("--edition")] = None,
) -> None:
    """查看一个指标、规则或报表;按名称查指标;不写代码则列出各表。"""
    of = edition_named(edition)
    if not code:
        _show_forms(of)
        return
    if code in of.indicators:
        indicator = of.indicators[code]
        used = used_by(of, code)
        rows = [("名称", indicator.name), ("计量单位", indicator.unit_measure), ("报表", f"{of.forms[indicator.form].number} {of.forms[indicator.form].title}"),
                ("轮次", indicator.rounds), ("必填", "是" if indicator.required else "否"), ("解释", indicator.definition), ("来源", indicator.origin),
                ("适用", indicator.applies_if or of.forms[indicator.form].applies_if or "全部"), ("计算", indicator.derived),
                *((k, "、".join(v)) for k, v in used.items())]  # fmt: skip
        emit(
            {"kind": "indicator", **indicator.__dict__, "used_by": used},
            table(f"{code}({of.id} 版)", ["项目", "内容"], rows),
        )
        return
    rule = next((r for r in of.rules if r.id == code), None)
    if rule is not None:
        rows = [("报表", rule.form), ("性质", rule.severity.value), ("类别", rule.kind), ("轮次", rule.rounds), ("起用", rule.valid_from), ("关系", rule.expression), ("适用", rule.applies_if),
                ("提示", rule.message), ("依据", rule.rationale), ("并入", "、".join(rule.absorbed_by)), ("定义于", rule.where)]  # fmt: skip
        reasons = targets_of(rule, CALL.programme, of)
        rows.insert(4, ("读作", sentence(rule, of)))
        rows += [(f"不能编译为 {t}", why) for t, why in reasons.items() if why]
        emit(
            {
                "kind": "rule",
                **rule.__dict__,
                "text": sentence(rule, of),
                "targets": [t for t in TARGETS if not reasons[t]],
                "not_expressible": {t: why for t, why in reasons.items() if why},
            },
            table(f"{code}({of.id} 版)", ["项目", "内容"], rows),
        )
        return
    form = form_by_title(of, code)
    if form is not None:
        emit({"kind": "form", "code": form.code, "number": form.number, "title": form.title, "indicators": [i.code for i in form.indicators]},
             [f"{form.number} {form.title}({form.respondent}) 代码 {form.code}", *("  " + indicator_line(i) for i in form.indicators)])  # fmt: skip
        return
    named = [i for i in of.indicators.values() if code in i.name]
    if named:
        emit(
            {"kind": "search", "indicators": [{"code": i.code, "name": i.name, "form": i.form} for i in named]},
            [
                f"名称含“{code}”的指标({of.id} 版):",
                *(f"  {indicator_line(i)}  [{of.forms[i.form].title}]" for i in named),
            ],
        )
        return
    raise DefinitionError(
        f"{of.id} 版没有代码或名称 {code}", remedy="可用指标代码或名称、规则编号、表号或表名;不写则列出各表。"
    )


def _show_forms(of: Edition) -> None:
    rules = Counter(rule.form for rule in of.rules)
    rows = [
        (f.number, f.title, f.code, f.respondent, str(len(f.indicators)), str(rules[f.code])) for f in of.forms.values()
    ]
    emit(
        {"kind": "forms", "forms": [{"code": f.code, "number": f.number, "title": f.title, "rules": rules[f.code]} for f in of.forms.values()]},
        table(f"{of.id} 版各表;规则写在 rules/代码.toml", ["表号", "表名", "代码", "填报单位", "指标", "规则"], rows),
    )  # fmt: skip


@app.command()
def diff(old: str, new: str) -> None:
    """比较两个版次。"""
    found = changes(edition_named(old), edition_named(new))
    rows = [{"kind": k, "code": c, "old": a, "new": b} for k, c, a, b in found]
    concordance = CALL.programme.concordance.filter(from_edition=old, to_edition=new)
    emit({"changes": rows, "concordance": concordance}, table(f"{old} → {new}", ["类别", "代码", old, new], found))


@app.command()
def doc(
    folder: Path,
    edition: Annotated[str | None, typer.Option("--edition")] = None,
    internal: Annotated[bool, typer.Option("--internal", help="加上全部规则的例子与 VTL;含核实性界限,不外发")] = False,
) -> None:
    """把制度写成读本(报表、指标解释、审核关系及例子、代码表)。"""
    files = write_book(CALL.programme, edition_named(edition), folder, internal=internal)
    emit({"files": files}, f"已写 {len(files)} 个文件到 {folder}。")
