"""What ``ytb rules audit`` says, as a document for programs and as lines for people. Format: docs/methods/rules-audit.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipelines.methods.rules_audit import Issue, audit_rules
from pipelines.methods.rules_audit_examples import Example, examples_of
from schemas.errors import DefinitionError
from schemas.rule_file import RuleFile
from schemas.table_check import FAILS, HOLDS, UNDETERMINED
from schemas.table_parser import table_text
from schemas.table_typing import require_vocabulary

KINDS = {
    "contradiction": "矛盾",
    "never_fails": "永不不成立",
    "never_holds": "永不成立",
    "never_fires": "永不触发",
    "redundant": "多余",
    "simplify": "可简化",
    "fixed": "只能取一个值",
}
EXACT_KINDS = {"linear": "线性", "conditional": "条件", "categorical": "代码", "mixed": "混合"}
OUTCOMES = {HOLDS: "成立", FAILS: "不成立", UNDETERMINED: "不判定"}


def audit_report(rules: RuleFile) -> dict[str, Any]:
    """The audit of a rule file with an example of every outcome of every rule.

    Raises one DefinitionError that names every rule that makes no sense on any table: functions there are none of, wrong
    options or numbers of arguments, what is no condition.
    """
    _require_sense(rules)
    found = audit_rules(rules)
    examples = examples_of(rules, found)
    kinds = {e.rule.id: e.kind for e in found.exact}
    return {
        "ok": not found.issues,
        "counts": {"rules": len(rules.rules), "exact": len(found.exact), "searched": len(found.searched)}
        | {kind: len(found.of(kind)) for kind in KINDS},
        "infeasible": bool([i for i in found.of("contradiction") if i.proven]),
        "contradictions": [list(i.rules) for i in found.of("contradiction") if i.proven],
        "least_removal": list(found.least_removal),
        "redundant": [{"rule": i.rules[0], "implied_by": list(i.because)} for i in found.of("redundant")],
        "removable": list(found.removable),
        "never_fires": [_single(i) for i in found.of("never_fires")],
        "never_fails": [_single(i) for i in found.of("never_fails")],
        "never_holds": [_single(i) for i in found.of("never_holds")],
        "simplify": [_single(i) for i in found.of("simplify")],
        "fixed": [{"column": i.column, "value": i.value, "because": list(i.rules)} for i in found.of("fixed")],
        "bounds": [
            {
                "column": s.column,
                "least": None if s.least is None else float(s.least),
                "most": None if s.most is None else float(s.most),
                "texts": list(s.texts),
            }
            for s in found.spans
        ],
        "issues": [_issue(i) for i in found.issues],
        "rules": [
            {
                "rule": r.id,
                "severity": r.severity.value,
                "expression": table_text(r.node),
                "applies_if": table_text(r.applies) if r.applies is not None else "",
                "kind": kinds.get(r.id, "searched"),
                "exact": r.id in kinds,
                "issues": [KINDS[i.kind] for i in found.issues if r.id in i.rules],
                "examples": {o: _example(examples[r.id].get(o)) for o in OUTCOMES},
            }
            for r in rules.rules
        ],
    }  # fmt: skip


def _require_sense(rules: RuleFile) -> None:
    problems = []
    for rule in rules.rules:
        try:
            for node in (rule.node, rule.applies):
                if node is not None:
                    require_vocabulary(node)
        except DefinitionError as error:
            problems.append(f"{rule.where}:规则 {rule.id}:{error}")
    if problems:
        raise DefinitionError("\n".join(problems))


def _single(issue: Issue) -> dict[str, Any]:
    return {"rule": issue.rules[0], "because": list(issue.because), "detail": issue.detail}


def _issue(issue: Issue) -> dict[str, Any]:
    return {
        "kind": issue.kind,
        "rules": list(issue.rules),
        "because": list(issue.because),
        "proven": issue.proven,
        "detail": issue.detail,
    }


def _example(example: Example | None) -> dict[str, Any] | None:
    if example is None:
        return None
    return {
        "rows": [dict(row) for row in example.rows],
        "beside": {name: [dict(row) for row in rows] for name, rows in example.beside.items() if rows},
        "source": example.source,
    }


def audit_text(report: Mapping[str, Any]) -> list[str]:
    """The report for people: what is wrong first, then each rule with its examples."""
    counts = report["counts"]
    lines = [
        f"规则 {counts['rules']} 条:{counts['exact']} 条精确判定(线性、条件、代码),{counts['searched']} 条只作搜索(查过,未证明)。"
    ]
    lines += ["没有发现问题。"] if report["ok"] else [f"发现 {len(report['issues'])} 处问题:"]
    for issue in report["issues"]:
        because = f"(因 {'、'.join(issue['because'])})" if issue["because"] else ""
        lines.append(f"  {KINDS[issue['kind']]}:{'、'.join(issue['rules'])} {issue['detail']}{because}")
    if report["least_removal"]:
        lines.append(f"  最少去掉这些规则就不再矛盾:{'、'.join(report['least_removal'])}")
    if report["removable"]:
        lines.append(f"  可以去掉而不损失什么:{'、'.join(report['removable'])}")
    lines += ["", "每条规则的例子:"]
    for rule in report["rules"]:
        kind = EXACT_KINDS.get(rule["kind"], rule["kind"]) if rule["exact"] else "搜索"
        lines.append(f"{rule['rule']}({kind}) {rule['expression']}")
        for outcome, name in OUTCOMES.items():
            example = rule["examples"][outcome]
            lines.append(f"  {name}:{_rows(example) if example else '没有造出'}")
    return lines


def _rows(example: Mapping[str, Any]) -> str:
    def shown(rows: list[dict[str, Any]]) -> str:
        return " / ".join(" ".join(f"{k}={'空' if v is None else v}" for k, v in row.items()) for row in rows)

    beside = "".join(f";{name}:{shown(rows)}" for name, rows in example["beside"].items())
    return shown(example["rows"]) + beside
