"""Proposals to parks 更正建议, within the red lines: for failing hard identities only, from the unit's own cells, never applied.

Where several explanations are equally good, the cells to look at are named, all of them, and no value.

What is shown is what the ledger has on record, and nothing else is. No value is ever proposed for a soft, growth or
plausibility finding: only findings of hard rules that state an identity are looked at, whatever else is wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import polars as pl

from pipelines.methods.identities import Identity
from pipelines.methods.identity_choices import tied_choices
from pipelines.methods.identity_proposals import Proposed, identity_in, proposals
from pipelines.methods.slips import figure_text
from schemas.expression import Node, expand, parse
from schemas.findings import BLOCKING
from schemas.model import AuditRule, Edition, Indicator, Programme, Severity, ValueType
from schemas.observations import Observations, wide_roster
from schemas.period import Period
from sources.audit import audit
from warehouse.ledger.proposed_values import ProposedValue

CHOICE = "choice"
MOST_UNITS = 40


def proposed_values(
    programme: Programme, observations: Observations, findings: pl.DataFrame, period: Period, park: str
) -> list[ProposedValue]:
    """What is proposed for a checked submission: one row a field, ordered by form, unit and field.

    A proposal under which another hard rule of the unit fails that held before is dropped, together with the others of its unit.
    """
    edition = programme.edition_for(period)
    rules = _asked_rules(edition, period)
    wanted = _failing_identities(edition, rules, findings)
    made: list[ProposedValue] = []
    for roster in sorted({roster for roster, _ in wanted}):
        units = {unit: asked for (r, unit), asked in wanted.items() if r == roster}
        made += _of_roster(edition, observations, period, park, roster, units, rules)
    return _verified(programme, observations, findings, period, park, edition, made)


def choices_to_look_at(
    programme: Programme,
    observations: Observations,
    findings: pl.DataFrame,
    period: Period,
    park: str,
    made: Iterable[ProposedValue],
) -> list[ProposedValue]:
    """For units whose failing identities name no single figure: the equally small sets of cells that may be wrong.

    Rows without a value, ``kind`` ``choice n/m``; none for units with a value in ``made``, and for at most
    ``MOST_UNITS`` units of a submission, the first by roster and unit.
    """
    edition = programme.edition_for(period)
    rules = _asked_rules(edition, period)
    done = {one.unit_id for one in made}
    wanted = sorted(
        (key, asked) for key, asked in _failing_identities(edition, rules, findings).items() if key[1] not in done
    )
    found: list[ProposedValue] = []
    for roster in sorted({roster for (roster, _), _ in wanted}):
        units = {unit: asked for (r, unit), asked in wanted[:MOST_UNITS] if r == roster}
        frame = _rows(edition, observations, period, park, roster).filter(pl.col("unit_id").is_in(list(units)))
        for row in frame.sort("unit_id").iter_rows(named=True):
            found += _choices(row, units[row["unit_id"]], rules, edition)
    return found


def _choices(
    row: Mapping[str, object], failed: set[str], rules: Mapping[str, AuditRule], edition: Edition
) -> list[ProposedValue]:
    numbers = {c: i for c in row if (i := edition.indicators.get(c)) and i.type is ValueType.NUMBER}
    figures = {c: _fraction(row[c]) if row[c] is not None else None for c in numbers}
    blank = frozenset(c for c, v in figures.items() if v is None)
    nodes = {r.id: _node(r, edition) for r in rules.values()}
    identities = [stated for r, node in nodes.items() if (stated := identity_in(r, node, blank)) is not None]
    decimals = {c: i.decimals for c, i in numbers.items()}
    not_negative = [c for c, i in numbers.items() if i.nonneg]
    choices = tied_choices(nodes, figures, failed, identities, decimals, not_negative)
    return [
        ProposedValue(
            edition.indicators[c].form, str(row["unit_id"]), c, _written(figures[c], decimals[c]), "",
            f"{CHOICE} {n}/{len(choices)}", choice.slips.get(c, ""), tuple(sorted(failed)),
        )
        for n, choice in enumerate(choices, start=1) for c in choice.fields
    ]  # fmt: skip


def _written(value: Fraction | None, decimals: int) -> str:
    return "" if value is None else figure_text(value, decimals) or ""


def _asked_rules(edition: Edition, period: Period) -> dict[str, AuditRule]:
    return {r.id: r for r in edition.rules_for(period) if r.severity is Severity.HARD and not r.applies_if}


def _failing_identities(
    edition: Edition, rules: Mapping[str, AuditRule], findings: pl.DataFrame
) -> dict[tuple[str, str], set[str]]:
    """(roster, unit) → its failing hard rules that state an identity."""
    failed = findings.filter(BLOCKING & (pl.col("code") == "rule") & pl.col("rule").is_in(list(rules)))
    wanted: dict[tuple[str, str], set[str]] = {}
    for rule, form, unit in failed.select("rule", "form", "unit_id").iter_rows():
        if unit and identity_in(rule, _node(rules[rule], edition), frozenset()) is not None:
            wanted.setdefault((edition.forms[form].roster or "park", unit), set()).add(rule)
    return wanted


def _node(rule: AuditRule, edition: Edition) -> Node:
    return expand(parse(rule.expression), edition.derivations)


def _of_roster(
    edition: Edition, observations: Observations, period: Period, park: str, roster: str, units: Mapping[str, set[str]],
    rules: Mapping[str, AuditRule],
) -> list[ProposedValue]:  # fmt: skip
    frame = _rows(edition, observations, period, park, roster)
    found = []
    for row in frame.filter(pl.col("unit_id").is_in(list(units))).iter_rows(named=True):
        numbers = {c: i for c in row if (i := edition.indicators.get(c)) and i.type is ValueType.NUMBER}
        figures = {c: _fraction(row[c]) for c in numbers if row[c] is not None}
        blank = frozenset(c for c in numbers if row[c] is None)
        nodes = {r.id: identity_in(r.id, _node(r, edition), blank) for r in rules.values()}
        identities = [i for i in nodes.values() if i is not None and i.gap(figures) is not None]
        # An identity that fails without a finding does not apply to this record, whatever the reason.
        asked = [i for i in identities if i.rule in units[row["unit_id"]] or not i.fails(figures)]
        found += _shown(asked, figures, numbers, row["unit_id"], edition)
    return found


def _shown(
    identities: list[Identity], figures: Mapping[str, Fraction], numbers: Mapping[str, Indicator], unit: str, edition: Edition
) -> list[ProposedValue]:  # fmt: skip
    decimals = {c: i.decimals for c, i in numbers.items()}

    def acceptable(after: Mapping[str, Fraction]) -> bool:
        return all(after[c] >= 0 for c, i in numbers.items() if i.nonneg and c in after)

    return [_row(p, figures, decimals, unit, edition) for p in proposals(identities, figures, decimals, acceptable)]


def _row(
    made: Proposed, figures: Mapping[str, Fraction], decimals: Mapping[str, int], unit: str, edition: Edition
) -> ProposedValue:
    places = decimals.get(made.field, 0)
    current = figures.get(made.field)
    return ProposedValue(
        edition.indicators[made.field].form, unit, made.field, "" if current is None else figure_text(current, places) or "",
        figure_text(made.value, places) or "", made.kind, made.reason, tuple(sorted(made.rules)),
    )  # fmt: skip


def _rows(edition: Edition, observations: Observations, period: Period, park: str, roster: str) -> pl.DataFrame:
    if roster != "park":
        return wide_roster(observations, edition, roster, period)
    frame = pl.DataFrame({"park": [park], "unit_id": [park]})
    for form in edition.forms.values():
        if form.kind.value == "sheet" and form.code in observations.frames:
            own = observations.frames[form.code].drop("park", "_file", "_sheet", "_row")
            frame = frame.join(own.unique("unit_id", keep="first"), on="unit_id", how="left")
    return frame


def _fraction(value: object) -> Fraction:
    return Fraction(value) if isinstance(value, int | Decimal) else Fraction(str(value))


def _verified(
    programme: Programme, observations: Observations, findings: pl.DataFrame, period: Period, park: str, edition: Edition,
    made: list[ProposedValue],
) -> list[ProposedValue]:  # fmt: skip
    """Those under which the identities hold and nothing fails that held: the rules decide, on a copy nobody keeps."""
    if not made:
        return []
    frames = dict(observations.frames)
    for one in made:
        frame, dtype = frames[one.form], edition.indicators[one.column].dtype
        value = pl.lit(one.proposed).cast(dtype)
        hit = pl.col("unit_id") == one.unit_id
        frames[one.form] = frame.with_columns(pl.when(hit).then(value).otherwise(one.column).alias(one.column))
    hard = replace(edition, rules=tuple(r for r in edition.rules if r.severity is Severity.HARD))
    alone = replace(programme, editions={**programme.editions, edition.id: hard})
    after = _failing(audit(Observations(frames, observations.cell_map), alone, period, park=park).findings)
    before = _failing(audit(observations, alone, period, park=park).findings)
    asked = {(one.unit_id, rule) for one in made for rule in one.rules}
    bad = {unit for unit, _ in (after - before) | (after & asked)}
    return sorted((one for one in made if one.unit_id not in bad), key=lambda p: (p.form, p.unit_id, p.column))


def _failing(findings: pl.DataFrame) -> set[tuple[str, str]]:
    return set(findings.filter(BLOCKING).select("unit_id", "rule").drop_nulls().iter_rows())


def proposal_texts(made: Iterable[ProposedValue], edition: Edition) -> dict[tuple[str, str], str]:
    """(rule, unit) → what the list and the portal say beside the finding of that rule."""
    by_finding: dict[tuple[str, str], list[str]] = {}
    choices: dict[tuple[str, str], dict[str, list[str]]] = {}
    for one in made:
        known = edition.indicators.get(one.column)
        name = f"{known.name}({one.column})" if known else one.column
        for rule in one.rules:
            if one.kind.startswith(CHOICE):
                said = f"“{name}”{f'({one.reason})' if one.reason else ''}"
                choices.setdefault((rule, one.unit_id), {}).setdefault(one.kind, []).append(said)
            else:
                said = f"“{name}”现填 {one.current or '空'},若为 {one.proposed} 则审核关系成立({one.reason})"
                by_finding.setdefault((rule, one.unit_id), []).append(said)
    texts = {key: f"建议核对:{';'.join(said)}。系统不改数,以原始资料为准。" for key, said in by_finding.items()}
    for key, kinds in choices.items():
        parts = [f"{n}. {'与'.join(cells)}" for n, cells in enumerate(kinds.values(), start=1)]
        texts[key] = (
            f"改动最少的可能有 {len(parts)} 种,请逐一对照原始资料:{';'.join(parts)}。系统不改数,也不断定错在哪一格。"
        )
    return texts
