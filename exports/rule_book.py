"""The rules in the programme book: each hard rule as a sentence with worked examples; for the office also the others.

The bounds of soft rules are not for respondents (survey_system 8.5): sentence and examples of a soft rule stand only in the
internal pages, with what can carry a rule out and the rules as VTL.
"""

from __future__ import annotations

from collections.abc import Iterable

from schemas.chinese_text import to_chinese
from schemas.compile_targets import TARGETS, targets_of
from schemas.environment import environment_for
from schemas.model import AuditRule, Edition, Programme, Severity
from schemas.period import Period
from schemas.rule_examples import IN_CHINESE, example_text, examples_of
from schemas.vtl_target import vtl_ruleset

ROUNDS = {"A": "年报", "Q": "季报", "AQ": "年报、季报"}
SEVERITIES = {Severity.HARD: "强制性", Severity.SOFT: "核实性", Severity.TRIAL: "试行"}
NO_EXAMPLE = "—"


def sentence(rule: AuditRule, edition: Edition) -> str:
    """What a rule asks, with its condition: 当 …:…"""
    said = to_chinese(rule.expression, edition.indicators, edition.derivations)
    if not rule.applies_if:
        return said
    return f"当 {to_chinese(rule.applies_if, edition.indicators, edition.derivations)}:{said}"


def hard_rules(edition: Edition, form: str) -> list[AuditRule]:
    """The hard rules of a form, in printed order."""
    return [r for r in edition.rules if r.form == form and r.severity is Severity.HARD]


def relation_rows(edition: Edition, form: str) -> list[list[str]]:
    """Number, round, sentence, expression and message of each hard rule of a form."""
    return [
        [r.id, ROUNDS[r.rounds], sentence(r, edition), f"`{r.expression}`", r.message]
        for r in hard_rules(edition, form)
    ]


def example_rows(programme: Programme, edition: Edition, rules: Iterable[AuditRule]) -> list[list[str]]:
    """Number, and a passing, a failing and an undetermined row of each rule."""
    rows = []
    for rule in rules:
        found = examples_of(rule, programme, edition)
        shown = (example_text(found[o], edition.indicators) if o in found else NO_EXAMPLE for o in IN_CHINESE)
        rows.append([rule.id, *shown])
    return rows


def internal_page(programme: Programme, edition: Edition) -> str:
    """Every rule of the edition with sentence, expression, examples and what cannot carry it out; for the office only."""
    parts = [
        f"# 审核规则手册({edition.id} 版,内部)\n",
        "含核实性界限,不得发给填报单位。“待核”一格为“—”的,该规则总能判定。\n",
    ]
    for form in edition.forms.values():
        rules = [r for r in edition.rules if r.form == form.code]
        if rules:
            parts.append(f"## {form.number} {form.title}\n")
        for rule, examples in zip(rules, example_rows(programme, edition, rules), strict=True):
            beyond = {t: why for t, why in targets_of(rule, programme, edition).items() if why}
            parts += [
                f"### {rule.id} {SEVERITIES[rule.severity]} {ROUNDS[rule.rounds]}\n",
                f"- 关系:{sentence(rule, edition)}",
                f"- 表达式:`{rule.expression}`" + (f";适用:`{rule.applies_if}`" if rule.applies_if else ""),
                f"- 提示:{rule.message}",
                f"- 依据:{rule.rationale}",
                *(f"- {word}:{text}" for word, text in zip(IN_CHINESE.values(), examples[1:], strict=True)),
                f"- 可由 {'、'.join(t for t in TARGETS if t not in beyond)} 执行"
                + (f";{';'.join(f'{t}:{why}' for t, why in beyond.items())}" if beyond else ""),
                "",
            ]
    return "\n".join(parts)


def vtl_page(programme: Programme, edition: Edition) -> str:
    """The rules as VTL data point rulesets, one a form; what VTL cannot say is listed in comments. For the office only."""
    last = edition.last_period or edition.first_period
    env = environment_for(programme, Period(last.year), edition=edition)
    parts = [
        f"// {edition.title} {edition.id}: data point rulesets in VTL 2.1. Operands of other periods are components.\n"
    ]
    for form in edition.forms.values():
        text, left_out = vtl_ruleset(f"{form.code}_rules", [r for r in edition.rules if r.form == form.code], env)
        parts += [text, *(f"// {rule}: {why}\n" for rule, why in left_out.items())]
    return "\n".join(part for part in parts if part)
