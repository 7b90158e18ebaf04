"""制度读本: the programme as a readable document in Markdown, generated from its definitions."""

from __future__ import annotations

from pathlib import Path

from exports.rule_book import ROUNDS, SEVERITIES, example_rows, hard_rules, internal_page, relation_rows, vtl_page
from schemas.model import Edition, Form, Programme, Severity


def write_book(programme: Programme, edition: Edition, folder: Path, *, internal: bool = False) -> list[Path]:
    """Write ``README.md``, one page a form, the code lists and the products into ``folder``; returns the files.

    The bounds of soft rules are not printed (survey_system 8.5): respondents see what is asked, not the band. ``internal``
    adds all rules with their examples, and as VTL, for the office.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pages = {"README.md": _cover(programme, edition)}
    pages |= {f"form_{form.code}.md": _form_page(programme, edition, form) for form in edition.forms.values()}
    if internal:
        pages |= {
            "rules_internal.md": internal_page(programme, edition),
            "rules_internal.vtl": vtl_page(programme, edition),
        }
    pages["codelists.md"] = _codelists(programme)
    pages["products.md"] = _products(edition)
    for name, text in pages.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in pages]


def _table(heads: list[str], rows: list[list[str]]) -> str:
    clean = [[cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows]
    lines = [
        "| " + " | ".join(heads) + " |",
        "|" + "---|" * len(heads),
        *("| " + " | ".join(row) + " |" for row in clean),
    ]
    return "\n".join(lines) + "\n"


def _cover(programme: Programme, edition: Edition) -> str:
    rows = [
        [
            f.number,
            f"[{f.title}](form_{f.code}.md)",
            f.respondent,
            str(sum("A" in i.rounds for i in f.indicators)),
            str(sum("Q" in i.rounds for i in f.indicators)),
        ]
        for f in edition.forms.values()
    ]
    last = str(edition.last_period) if edition.last_period else "现行"
    return "\n".join(
        [
            f"# {edition.title}({edition.id} 版)",
            "",
            f"制定机关:{edition.authority}  文号:{edition.document_number}  有效期至:{edition.valid_to}",
            f"适用报告期:{edition.first_period} 至 {last}  法律依据:{edition.legal_basis}",
            "",
            f"指标 {len(edition.indicators)} 项,审核关系 {len(edition.rules)} 条,规划目标 {len(edition.targets)} 项。",
            "",
            "## 报表目录",
            "",
            _table(["表号", "表名", "填报单位", "年报指标", "季报指标"], rows),
            "其他:[代码表](codelists.md) · [产品与指标体系](products.md)",
            "",
        ]
    )


def _form_page(programme: Programme, edition: Edition, form: Form) -> str:
    indicators = [
        [
            i.code, i.name, i.unit_measure, ROUNDS[i.rounds], "是" if i.required else "", i.definition,
            i.codelist or "、".join(f"{k}{v}" for k, v in i.options.items()), i.applies_if or (f"系统计算:{i.derived}" if i.derived else ""),
        ]
        for i in form.indicators
    ]  # fmt: skip
    rules = [r for r in edition.rules if r.form == form.code]
    soft = [
        [r.id, SEVERITIES[r.severity], ROUNDS[r.rounds], r.message] for r in rules if r.severity is not Severity.HARD
    ]
    head = f"# {form.number} {form.title}\n\n填报单位:{form.respondent}"
    if form.applies_if:
        head += f"\n\n填报范围:`{form.applies_if}`"
    parts = [
        head,
        "\n## 指标\n",
        _table(["代码", "指标", "计量单位", "轮次", "必填", "指标解释", "代码", "适用条件"], indicators),
    ]
    if relations := relation_rows(edition, form.code):
        examples = example_rows(programme, edition, hard_rules(edition, form.code))
        parts += [
            "\n## 强制性审核关系\n",
            _table(["编号", "轮次", "关系", "表达式", "提示"], relations),
            "\n每条关系各举一例:通过、不符、待核(有空格,还不能判断;“—”是总能判定)。\n",
            _table(["编号", "通过", "不符", "待核"], examples),
        ]
    if soft:
        parts += [
            "\n## 核实性审核关系\n",
            "界限不公布;提示后请核实,属实请说明。\n",
            _table(["编号", "性质", "轮次", "提示"], soft),
        ]
    return "\n".join(parts)


def _codelists(programme: Programme) -> str:
    parts = ["# 代码表\n"]
    for name, codelist in programme.codelists.items():
        parts.append(f"## {name}({codelist.rows.height} 条)\n")
        if 0 < codelist.rows.height <= 60:
            columns = [c for c in codelist.rows.columns if c not in ("note",)][:6]
            parts.append(_table(columns, [list(map(str, r)) for r in codelist.rows.select(columns).iter_rows()]))
        else:
            parts.append(f"全文见 codelists/{name}.csv。\n")
    return "\n".join(parts)


def _products(edition: Edition) -> str:
    parts = ["# 产品与指标体系\n"]
    for system in edition.indexes.values():
        rows = [
            [i.id, i.dimension, i.name, i.unit_measure, f"`{i.formula}`", i.direction, f"{i.weight:g}"]
            for i in system.indicators
        ]
        parts += [
            f"## {system.title}({system.base_year}=100)\n",
            _table(["编号", "维度", "指标", "单位", "公式", "方向", "权重"], rows),
        ]
    for scheme in edition.schemes.values():
        data = scheme.data
        rows = [
            [i["id"], i["parent"], i.get("name", ""), i.get("unit_measure", "-"), f"`{i['formula']}`" if "formula" in i else "由文件提供",
             f"{i.get('weight', 1):g}", {"official": "官方", "design": "设计"}.get(i.get("weight_source", ""), "")]
            for i in data["indicator"]
        ]  # fmt: skip
        inside = "(内部,不发布)" if data.get("internal", False) else ""
        parts += [
            f"## {data['title']}{inside}\n",
            f"{data.get('source', '')}\n\n{data.get('note', '')}\n",
            _table(["编号", "上级", "指标", "单位", "公式", "权重", "权重来源"], rows),
        ]
    if edition.warnings:
        rows = [
            [
                w.id,
                w.name,
                f"`{w.formula}`",
                *(" ".join(map(str, w.levels.get(c, ("—",)))) for c in ("blue", "yellow", "orange", "red")),
            ]
            for w in edition.warnings
        ]
        parts += ["## 预警指标\n", _table(["编号", "指标", "公式", "蓝", "黄", "橙", "红"], rows)]
    if edition.tables:
        parts += ["## 输出表\n", _table(["表号", "表名", "产品"], [[t.id, t.title, t.product] for t in edition.tables])]
    plans: dict[str, int] = {}
    for target in edition.targets:
        plans[target.plan_name] = plans.get(target.plan_name, 0) + 1
    parts += ["## 规划目标\n", _table(["规划", "目标数"], [[name, str(n)] for name, n in plans.items()])]
    return "\n".join(parts)
