"""Whether an explanation says something 情况说明的核对: empty words, copies, and claims that the unit's own figures contradict.

What does not do comes back with a sentence for the park. No figure to put is ever named, no bound shown. Documented in
docs/formats/explanations.md.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import polars as pl
from sqlalchemy.orm import Session

from pipelines.operands import History, operands_for
from schemas.expression import operands, parse
from schemas.findings import NEEDS_EXPLANATION
from schemas.model import AuditRule, Edition, FormKind, Programme, Severity, ValueType
from schemas.observations import Observations
from schemas.period import Period
from sources.audit import audit
from sources.problems import problem_and_remedy
from warehouse.ledger.explanations import Explanation, explanations_of, finding_key
from warehouse.ledger.submissions import Submission, in_force
from warehouse.vault import Vault

EMPTY_PHRASES = (
    "核实无误", "情况属实", "数据无误", "经核实无误", "属实", "无误", "正确", "已核实", "无", "没有问题", "同上", "真实有效", "如实填报",
    "真实准确", "与实际相符", "符合实际", "确认无误", "情况真实", "数据真实", "数据准确", "填报正确", "以上", "经核实", "经核对", "核实",
    "核对", "确认", "数据", "情况", "该企业", "该单位", "企业", "单位", "我们", "实际", "特此说明", "说明", "均", "经", "与", "为", "是", "的",
)  # fmt: skip
"""What is left of an explanation without these has to say something."""

SHORTEST_EXPLANATION = 10
SHORTEST_CORE = 5
LEAST_DIFFERENT = 5
COPIED_RULES, COPIED_UNITS = 2, 4


def weakness(programme: Programme, reason_code: str, text: str) -> str:
    """Why an explanation does not do by its words and reason code alone, both said at once; empty where it does."""
    return _empty(text) + _no_reason(programme, reason_code)


def _no_reason(programme: Programme, reason_code: str) -> str:
    rows = programme.codelists["reason_code"].rows
    if reason_code in rows["code"].to_list():
        return ""
    listed = "、".join(f"{code}{name}" for code, name in rows.select("code", "name").iter_rows())
    said = f"原因码“{reason_code}”无效" if reason_code else "没有选原因"
    return f"{said},请从下列中选填:{listed}。"


def _empty(text: str) -> str:
    words = _letters(text)
    if len(words) < SHORTEST_EXPLANATION or len(_core(words)) < SHORTEST_CORE or len(set(words)) < LEAST_DIFFERENT:
        return f"说明“{text}”没有写明原因;请写清发生了什么(不少于 {SHORTEST_EXPLANATION} 个字)。"
    return ""


def _letters(text: str) -> str:
    return "".join(ch for ch in text if ch.isalnum())


def _core(words: str) -> str:
    """The words without the phrases that say nothing."""
    for phrase in sorted(EMPTY_PHRASES, key=len, reverse=True):
        words = words.replace(phrase, "")
    return re.sub(r"[0-9A-Za-z]", "", words)


@dataclass(frozen=True)
class Evidence:
    """What explanations of a submission are held against.

    ``problems``: finding key → what the finding says; ``refuted``: unit → claims its figures contradict; ``moves``: (unit,
    column) → 1 or −1 where the figure rose or fell; ``earlier``: finding key → the explanation of the year before or the
    period before.
    """

    problems: Mapping[str, str]
    refuted: Mapping[str, frozenset[str]]
    moves: Mapping[tuple[str, str], int]
    earlier: Mapping[str, Explanation]


def weak_explanations(
    programme: Programme,
    edition: Edition,
    evidence: Evidence,
    given: Mapping[str, tuple[str, str]],
    on_record: Mapping[str, tuple[str, str]] | None = None,
) -> dict[str, str]:
    """Finding key → why its explanation does not do; sound ones are absent. ``on_record`` count for copies."""
    copied = _copied({**(on_record or {}), **given})
    found = {}
    for key, (code, text) in given.items():
        why = _empty(text) or _repeats(key, text, evidence) or _contradiction(key, text, edition, evidence)
        if not why and _letters(text) in copied:
            why = "同一段说明用在了多家单位的不同问题上;请逐家、逐项写明各自的原因。"
        why += _no_reason(programme, code)
        if why:
            found[key] = why
    return found


NOT_SAID_WHY = "待核实:说明未提到原因或数字"


def leaves_open(edition: Edition, key: str, text: str) -> bool:
    """Whether an explanation of a figure that a rule asks about names neither a cause nor a figure, day, document or other body.

    For the reviewer to look at (``NOT_SAID_WHY``), never refused: the words of causes are a list, and lists have gaps. Whether an
    indicator is left empty, and what is text or code, may be explained in any words. Source: survey_system.md section 7 (a soft
    finding takes a reason code and an explanation); the national practice of 情况说明 asks for cause and figures.
    """
    indicator = edition.indicators.get(_parts(key)[3])
    return indicator is not None and indicator.type is ValueType.NUMBER and not edition.claims.says_why(text)


def not_said_why(
    edition: Edition, rows: Iterable[Mapping[str, object]], told: Mapping[str, Explanation]
) -> frozenset[str]:
    """The keys of findings of rules whose explanation leaves open why (``leaves_open``)."""
    keys = (finding_key(row) for row in rows if row["code"] == "rule" and row["outcome"] == "failed")
    return frozenset(key for key in keys if key in told and leaves_open(edition, key, told[key].text))


def _parts(key: str) -> tuple[str, str, str, str]:
    """Rule, form, unit and column of a finding key."""
    rule, form, unit, column = [*key.split("|"), "", "", ""][:4]
    return rule, form, unit, column


def _copied(told: Mapping[str, tuple[str, str]]) -> set[str]:
    """Texts that explain different rules of many units: one cause may hit many units, or one unit in many rules, not both."""
    places: dict[str, tuple[set[str], set[str]]] = {}
    for key, (_, text) in told.items():
        rule, _, unit, _ = _parts(key)
        rules, units = places.setdefault(_letters(text), (set(), set()))
        rules.add(rule)
        units.add(unit)
    return {t for t, (rules, units) in places.items() if len(rules) >= COPIED_RULES and len(units) >= COPIED_UNITS}


def _repeats(key: str, text: str, evidence: Evidence) -> str:
    words = _letters(text)
    problem = _letters(evidence.problems.get(key, ""))
    if problem and (words in problem or (problem in words and len(words) < len(problem) + SHORTEST_CORE)):
        return "说明只是重复了提示的问题;请写明发生了什么。"
    before = evidence.earlier.get(key)
    if before is not None and _letters(before.text) == words:
        return "说明与以前报告期的完全相同;请写明本期的情况,原因没有变的也请写明变到什么程度、还要多久。"
    return ""


def _contradiction(key: str, text: str, edition: Edition, evidence: Evidence) -> str:
    _, _, unit, column = _parts(key)
    for name in sorted(evidence.refuted.get(unit, ())):
        claim = edition.claims.items.get(name)
        if claim is not None and claim.is_made(text):
            return f"{claim.message};请核对:数据有误的请更正,无误的请写明与数据相符的原因。"
    said, moved = edition.claims.direction(text), evidence.moves.get((unit, column), 0)
    if said and moved and said != moved:
        words = ("增加", "减少") if said > 0 else ("减少", "增加")
        return f"说明写的是{words[0]},填报数与往期相比却是{words[1]};请核对说明或数据。"
    return ""


# ── evidence ───────────────────────────────────────────────────────────────────────────────────────────────────────
def evidence_of(vault: Vault, session: Session, programme: Programme, found: Submission) -> Evidence:
    """The evidence of one checked submission, from ledger and vault."""
    assert found.check is not None and found.check.findings_blob is not None
    soft = pl.read_ipc(io.BytesIO(vault.read(found.check.findings_blob))).filter(NEEDS_EXPLANATION)
    keyed = {finding_key(row): row for row in soft.iter_rows(named=True)}
    problems = {
        key: problem_and_remedy(row["message"] or "", row["found"] or "")[0].split(":")[-1]
        for key, row in keyed.items()
    }
    if not keyed or found.check.observations_blob is None:
        return Evidence(problems, {}, {}, {})
    edition = programme.edition_for(found.period)
    history = History(vault, session, programme)
    observations = history.observations(found)
    return Evidence(
        problems,
        _refuted(programme, edition, History(vault, session, _claiming(programme, edition)), observations, found),
        _moves(edition, history, observations, found, keyed.values()),
        earlier_explanations(session, found.park, found.period),
    )


def earlier_explanations(session: Session, park: str, period: Period) -> dict[str, Explanation]:
    """Finding key → how the park explained the same finding last: in the period before of the year, else a year before."""
    found: dict[str, Explanation] = {}
    for other in (period.year_earlier(), period.previous()):
        for one in in_force(session, other) if other else ():
            if one.park == park:
                found |= explanations_of(session, one.number)
    return found


def _claiming(programme: Programme, edition: Edition) -> Programme:
    """The programme with the claims of an edition for rules: so they run with the operands and outcomes of any rule."""
    rules = tuple(
        AuditRule(c.id, c.form, Severity.TRIAL, "claim", c.expression, c.message, "", c.rounds)
        for c in edition.claims.items.values()
        if c.form in edition.forms
    )
    return replace(programme, editions={**programme.editions, edition.id: replace(edition, rules=rules)})


def _refuted(
    programme: Programme, edition: Edition, history: History, observations: Observations, found: Submission
) -> dict[str, frozenset[str]]:
    if not edition.claims.items:
        return {}
    operands_ = operands_for(history, found.period, found.park, rosters_in(observations, edition, found.park))
    result = audit(
        observations, history.programme, found.period, park=found.park, operands_of_other_periods=operands_
    ).findings.filter((pl.col("code") == "rule") & (pl.col("outcome") == "failed"))
    refuted: dict[str, set[str]] = {}
    for unit, rule in result.select("unit_id", "rule").iter_rows():
        refuted.setdefault(unit, set()).add(rule)
    del programme
    return {unit: frozenset(rules) for unit, rules in refuted.items()}


def rosters_in(observations: Observations, edition: Edition, park: str) -> dict[str, pl.Series]:
    """Roster → the units of a submission, and the park itself."""
    found: dict[str, list[pl.Series]] = {}
    for code, frame in observations.frames.items():
        form = edition.forms[code]
        if frame.height and form.kind is FormKind.ROSTER:
            found.setdefault(form.roster, []).append(frame["unit_id"])
    return {name: pl.concat(units) for name, units in found.items()} | {"park": pl.Series([park])}


def _moves(
    edition: Edition,
    history: History,
    observations: Observations,
    found: Submission,
    rows: Iterable[Mapping[str, object]],
) -> dict[tuple[str, str], int]:
    """(unit, column) → whether the figure of a finding rose or fell against the base its rule compares it with.

    Only for rules that compare one figure with itself in another period; anything else says nothing about a direction.
    """
    rules = {rule.id: rule for rule in edition.rules}
    wanted: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for row in rows:
        rule = rules.get(str(row["rule"]))
        column = str(row["column"] or "")
        if rule is None or column not in edition.indicators:
            continue
        asked = operands(parse(rule.expression))
        lags = {lag for code, lag in asked if code == column and lag in ("prev", "yoy")}
        if {code for code, _ in asked} == {column} and len(lags) == 1:
            wanted.setdefault((edition.indicators[column].form, lags.pop()), []).append((str(row["unit_id"]), column))
    moves: dict[tuple[str, str], int] = {}
    for (form, lag), cells in wanted.items():
        moves |= _compared(edition, history, observations, found, form, lag, cells)
    return moves


def _compared(
    edition: Edition, history: History, observations: Observations, found: Submission, form: str, lag: str,
    cells: list[tuple[str, str]],
) -> dict[tuple[str, str], int]:  # fmt: skip
    frame = observations.frames.get(form)
    other = found.period.previous() if lag == "prev" else found.period.year_earlier()
    if frame is None or other is None:
        return {}
    roster = "park" if edition.forms[form].kind is FormKind.SHEET else edition.forms[form].roster
    units = pl.Series([unit for unit, _ in cells], dtype=pl.String).unique()
    then = history.units_at(other, found.park, roster, units)
    now = {row["unit_id"]: row for row in frame.filter(pl.col("unit_id").is_in(units.implode())).iter_rows(named=True)}
    before = {} if then is None else {row["unit_id"]: row for row in then.iter_rows(named=True)}
    moves = {}
    for unit, column in cells:
        value = now.get(unit, {}).get(column)
        restated = now.get(unit, {}).get(f"{column}_yoy") if lag == "yoy" else None
        base = restated if restated is not None else before.get(unit, {}).get(column)
        if value is not None and base is not None and value != base:
            moves[unit, column] = 1 if value > base else -1
    return moves
