"""制度检查: what a programme author must know before a single park meets it. Problems carry file, line and remedy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import polars as pl

from schemas.environment import Environment, environment_for
from schemas.errors import DefinitionError
from schemas.expression import Call, Text, expand, operands, parse, walk
from schemas.lint_products import product_problems
from schemas.model import AuditRule, Edition, Form, Indicator, Programme, ValueType
from schemas.period import Period
from schemas.period_data import ENTERPRISE
from schemas.polars_target import evaluate_rows
from schemas.reserved import RESERVED
from schemas.roles import roles_of

DERIVED_LISTS = frozenset(
    {"park", "sub_park", "base", "area", "park_with_sub", "park_counties", "unit_register", "task"}
)
LONGEST_MESSAGE = 80
THRESHOLDS = (
    "same_unit_coverage", "disclosure_minimum", "disclosure_minimum_innovation", "dominance_one", "dominance_two", "p_percent",
)  # fmt: skip
BANNED_WORDS = ("Exception", "NaN", "null", "UTF-8", "非法", "Error")
REMEDIES = (
    "请核",
    "请改",
    "请更",
    "请补",
    "请填",
    "请办",
    "请只",
    "请对",
    "请说",
    "请合",
    "请按",
    "请由",
    "请先",
    "应",
    "须说明",
)


@dataclass(frozen=True)
class Problem:
    """One thing to mend. ``severity`` error stops, warning does not."""

    severity: str
    where: str
    message: str


@dataclass(frozen=True)
class LintReport:
    """Counts of one edition, its problems, and the burden by type of unit."""

    edition: str
    counts: dict[str, int]
    problems: tuple[Problem, ...]
    burden: tuple[tuple[str, str, int, int], ...]

    @property
    def ok(self) -> bool:
        """Whether nothing stops."""
        return not any(p.severity == "error" for p in self.problems)


def lint(programme: Programme, edition: Edition) -> LintReport:
    """Check one edition: every code used exists and is collected once, every expression can be computed."""
    problems = [
        *_forms(programme, edition),
        *_reserved(edition),
        *_head(edition),
        *_indicators(programme, edition),
        *_circles(edition),
        *_rules(programme, edition),
        *_claims(programme, edition),
        *_products(programme, edition),
        *(Problem("error", where, said) for where, said in product_problems(programme, edition)),
    ]
    counts = {
        "forms": len(edition.forms),
        "indicators": len(edition.indicators),
        "rules": len(edition.rules),
        "hard_rules": sum(r.severity == "hard" for r in edition.rules),
        "tables": len(edition.tables),
        "index_indicators": sum(len(s.indicators) for s in edition.indexes.values()),
        "schemes": len(edition.schemes),
        "warnings": len(edition.warnings),
        "targets": len(edition.targets),
        "codelists": len(programme.codelists),
    }
    return LintReport(edition.id, counts, tuple(problems), tuple(burden(programme, edition)))


def _period(edition: Edition, rounds: str) -> Period:
    last = edition.last_period or edition.first_period
    return Period(last.year) if "A" in rounds else Period(last.year, 2)


def _compiles(programme: Programme, edition: Edition, text: str, rounds: str, where: str) -> Iterator[Problem]:
    try:
        environment_for(programme, _period(edition, rounds), edition=edition).typed(text)
    except DefinitionError as error:
        yield Problem("error", where, f"“{text}”不能计算:{error}")


def _forms(programme: Programme, edition: Edition) -> Iterator[Problem]:
    numbers: dict[str, str] = {}
    for form in edition.forms.values():
        where = f"{edition.id}/forms/{form.code}.toml"
        other = numbers.setdefault(form.number, form.code)
        if other != form.code:
            yield Problem("error", where, f"表号 {form.number} 与 {other} 重复;请改用未用过的表号。")
        for code in form.key:
            if code not in edition.indicators:
                yield Problem("error", where, f"主键 {code} 不是指标;请改正 key。")
        if form.applies_if:
            yield from _compiles(programme, edition, form.applies_if, "A", where)
    del programme


def _reserved(edition: Edition) -> Iterator[Problem]:
    for code, asked in RESERVED.items():
        found = edition.indicators.get(code)
        where = f"{edition.id}/forms/{found.form if found else asked.form}.toml 的 {code}"
        if found is None:
            if asked.is_needed and asked.form in edition.forms:
                yield Problem("error", where, f"缺少 {code} {asked.meaning},名录与模板凭它认单位;请补上。")
        elif found.form != asked.form:
            yield Problem("error", where, f"{code} 保留给表 {asked.form} 的{asked.meaning};请改用别的代码。")
        elif found.type != asked.type:
            yield Problem(
                "error", where, f"{code} 保留给{asked.meaning},类型应为 {asked.type};请改 type 或改用别的代码。"
            )


def _head(edition: Edition) -> Iterator[Problem]:
    """The tables of ``programme.toml``: days, thresholds, deadlines, and that what they name is there."""
    where = f"{edition.id}/programme.toml"
    named = [*(("[roles] " + role, code) for role, code in roles_of(edition).codes)]
    if "roles" not in edition.parameters:
        said = "没有 [roles]:按什么指标排大小、任务表是哪几列都不知道,有关的不算;请按 docs/programme-author.md 补上。"
        yield Problem("warning", where, said)
    for kind in edition.parameters.get("burden", {}).get("units", ()):
        named += [(f"[burden] {kind['name']}", code) for code in kind if code != "name"]
    for name, day in (("valid_from", edition.valid_from), ("valid_to", edition.valid_to)):
        try:
            date.fromisoformat(day or "2000-01-01")
        except ValueError:
            yield Problem("error", where, f"{name} 的“{day}”不是日期;请改写为“2025-01-31”的样式。")
    given = edition.parameters
    named += [("[constant_prices]", c) for pair in given.get("constant_prices", {}).items() for c in pair]
    named += [
        (f"[{table}]", c)
        for table in ("early_estimates", "diagnosis")
        for c in given.get(table, {}).get("indicators", ())
    ]
    named += [("[clusters]", c) for c in [given.get("clusters", {}).get("indicator")] if c]
    for kind, forms in given.get("structural", {}).items():
        for form in set(forms) - edition.forms.keys():
            yield Problem("error", where, f"[structural] {kind} 的 {form} 不是报表;请改正。")
    for name in THRESHOLDS:
        if name not in given.get("thresholds", {}):
            yield Problem("error", where, f"[thresholds] 缺 {name},披露控制和覆盖率要用;请补上。")
    for letter, title in (("Q", "季报"), ("A", "年报")):
        if letter not in given.get("deadlines", {}) and any(letter in i.rounds for i in edition.indicators.values()):
            yield Problem("warning", where, f"[deadlines] 没有{title}的截止时间,每次开网都要写明;请补上 {letter}。")
    for place, code in named:
        if code not in edition.indicators:
            yield Problem("error", where, f"{place} 的 {code} 不是指标;请改正代码。")


def _indicators(programme: Programme, edition: Edition) -> Iterator[Problem]:
    for indicator in edition.indicators.values():
        where = f"{edition.id}/forms/{indicator.form}.toml 的 {indicator.code}"
        for text in filter(None, (indicator.applies_if, indicator.derived)):
            yield from _compiles(programme, edition, text, indicator.rounds, where)
            yield from _unknown_lists(programme, text, where)
        if indicator.codelist and indicator.codelist not in programme.codelists.keys() | DERIVED_LISTS:
            yield Problem(
                "error", where, f"代码表 {indicator.codelist} 不存在;请补建 codelists/{indicator.codelist}.csv。"
            )
        if indicator.codelist and indicator.type not in (ValueType.CODE, ValueType.TEXT):
            yield Problem("error", where, f"类型 {indicator.type} 没有代码表;请去掉 codelist,或改 type 为 code。")
        if indicator.additive and indicator.type is not ValueType.NUMBER:
            yield Problem("error", where, f"类型 {indicator.type} 不能相加;请去掉 additive。")
        if set(indicator.year_earlier) - set(indicator.rounds):
            yield Problem("error", where, "上年同期栏的轮次不在采集轮次之内;请改正 year_earlier。")
        if (
            indicator.type == "number"
            and indicator.unit_measure in ("", "-")
            and not indicator.codelist
            and indicator.code[0] not in "KG"
        ):
            yield Problem("warning", where, "数值指标没有计量单位;请补填 unit_measure。")


def _rules(programme: Programme, edition: Edition) -> Iterator[Problem]:
    ids = {r.id for r in edition.rules}
    for rule in edition.rules:
        where = rule.where or rule.id
        for text in filter(None, (rule.expression, rule.applies_if)):
            yield from _compiles(programme, edition, text, rule.rounds, where)
        yield from _unknown_lists(programme, rule.expression, where)
        if rule.form not in edition.forms:
            yield Problem("error", where, f"规则 {rule.id} 的表 {rule.form} 不存在;请改正文件名或 form。")
        yield from (
            Problem("error", where, f"规则 {rule.id} 的 absorbed_by 中 {other} 不存在;请改正。")
            for other in rule.absorbed_by
            if other not in ids
        )
        yield from _message(rule)
        yield from _collected(edition, rule)


def _unknown_lists(programme: Programme, text: str, where: str) -> Iterator[Problem]:
    known = programme.codelists.keys() | DERIVED_LISTS
    try:
        tree = parse(text)
    except DefinitionError:
        return  # said already
    for node in walk(tree):
        match node:
            case Call(function="in_codelist", arguments=(_, Text(value=name), *_)) if name not in known:
                yield Problem("error", where, f"代码表 {name} 不存在;请补建 codelists/{name}.csv,或改正名称。")


def _circles(edition: Edition) -> Iterator[Problem]:
    """Derived indicators that are computed from each other."""
    try:
        needs = {
            code: {c for c, lag in operands(expand(parse(i.derived), edition.derivations)) if not lag}
            for code, i in edition.indicators.items()
            if i.derived
        }
    except DefinitionError:
        return  # said already
    open_ = dict(needs)
    while settled := [code for code, of in open_.items() if not of & open_.keys()]:
        open_ = {code: of for code, of in open_.items() if code not in settled}
    if open_:
        first = edition.indicators[min(open_)]
        said = f"{'、'.join(sorted(open_))} 的 derived 互相引用成环,算不出;请改正一处。"
        yield Problem("error", f"{edition.id}/forms/{first.form}.toml 的 {first.code}", said)


def _claims(programme: Programme, edition: Edition) -> Iterator[Problem]:
    for claim in edition.claims.items.values():
        yield from _compiles(programme, edition, claim.expression, claim.rounds, claim.where)
        if claim.form not in edition.forms:
            yield Problem("error", claim.where, f"{claim.id} 的表 {claim.form} 不存在;请改正 form。")


def _message(rule: AuditRule) -> Iterator[Problem]:
    where = rule.where or rule.id
    if len(rule.message) > LONGEST_MESSAGE:
        yield Problem("warning", where, f"规则 {rule.id} 的提示超过 {LONGEST_MESSAGE} 字;请压缩。")
    for word in BANNED_WORDS:
        if word in rule.message:
            yield Problem("error", where, f"规则 {rule.id} 的提示含“{word}”;请改用填报人看得懂的说法。")
    if not any(word in rule.message for word in REMEDIES):
        yield Problem("warning", where, f"规则 {rule.id} 的提示没有写怎么改;请写明“请……”。")


def _collected(edition: Edition, rule: AuditRule) -> Iterator[Problem]:
    """Every operand of a rule is collected (or derived) in each round the rule runs in."""
    try:
        asked = operands(expand(parse(rule.expression), edition.derivations))
    except DefinitionError:
        return
    for code, lag in sorted(asked):
        indicator = edition.indicators.get(code)
        if indicator is None or (lag and lag != "yoy") or _guarded(rule, code):
            continue
        lacking = [letter for letter in rule.rounds if letter not in indicator.rounds]
        never = len(lacking) == len(rule.rounds)
        for letter in lacking:
            yield Problem(
                "error" if never else "warning",
                rule.where or rule.id,
                f"规则 {rule.id} 在{'年报' if letter == 'A' else '季报'}用到未采集的 {code},"
                f"{'永远不能判定' if never else '该轮次将不判定'};请核对 rounds。",
            )


def _guarded(rule: AuditRule, code: str) -> bool:
    return f"nz({code})" in rule.expression or f"isnull({code})" in rule.expression


def _products(programme: Programme, edition: Edition) -> Iterator[Problem]:
    for system in edition.indexes.values():
        for item in system.indicators:
            yield from _compiles(
                programme, edition, item.formula, "A", f"{edition.id}/index/{system.id}.toml 的 {item.id}"
            )
            if item.deflator and item.deflator not in edition.indicators:
                yield Problem(
                    "error",
                    f"{edition.id}/index/{system.id}.toml",
                    f"{item.id} 的缩减指数 {item.deflator} 不是指标;请改正。",
                )
    yield from _schemes(programme, edition)
    for figure in edition.ladder.data.get("figure", ()) if edition.ladder else ():
        yield from _compiles(programme, edition, figure["formula"], "A", f"{edition.id}/ladder.toml 的 {figure['id']}")
    known = {t.row_no for t in edition.targets}
    for change in edition.target_changes:
        if change.row_no not in known:
            yield Problem("error", f"{edition.id}/plans/changes", f"目标 {change.row_no} 不存在;请改正 row_no。")
    begins = dict(programme.codelists["plans"].rows.select("code", "first_year").iter_rows())
    for target in edition.targets:
        start = int(begins.get(target.plan_id) or 0) - 1 if target.baseline_year is None else target.baseline_year
        late = target.path == "compound" and (target.target_year or start + 1) <= start
        if late or (target.points and target.points[0][0] <= start):
            said = f"目标 {target.row_no} 的路径不晚于起点 {start} 年;请更正年份,或在 codelists/plans.csv 更正规划的起始年。"
            yield Problem("error", f"{edition.id}/plans/{target.plan_id}.csv", said)
    for part in edition.target_parts:
        if part.row_no not in known:
            yield Problem("error", f"{edition.id}/plans/breakdown", f"目标 {part.row_no} 不存在;请改正 row_no。")
        if part.area not in set(programme.codelists["parks"].rows["code"]):
            yield Problem("error", f"{edition.id}/plans/breakdown", f"{part.area} 不在园区名录内;请改正 area。")
    yield from _contribution(programme, edition)
    yield from _projects(programme, edition)
    for warning in edition.warnings:
        if warning.formula:
            yield from _compiles(
                programme, edition, warning.formula, "Q", f"{edition.id}/warnings.toml 的 {warning.id}"
            )
    for name, text in edition.derivations.items():
        if "(" not in name:
            yield from _compiles(programme, edition, text, "A", f"{edition.id}/derivations.toml 的 {name}")
    plans = set(programme.codelists["plans"].rows["code"])
    for plan in sorted({t.plan_id for t in edition.targets} - plans):
        yield Problem("error", f"{edition.id}/plans", f"规划 {plan} 不在 codelists/plans.csv 内;请补上它的起止年份。")
    for target in edition.targets:
        if target.tracking in ("computed", "threshold"):
            if target.formula:
                yield from _compiles(
                    programme, edition, target.formula, "A", f"plans/{target.plan_id}.csv 第 {target.row_no} 号"
                )
            else:
                yield Problem(
                    "error",
                    f"plans/{target.plan_id}.csv 第 {target.row_no} 号",
                    "可算目标没有公式;请补填 formula 或改 tracking。",
                )


def _schemes(programme: Programme, edition: Edition) -> Iterator[Problem]:
    """Index systems scored by the engine: every figure is either computed or provided, and every code exists."""
    for name, definition in edition.schemes.items():
        for code in definition.data.get("subject", {}).get("class", ()):
            if code not in edition.indicators:
                yield Problem("error", definition.line_of("id", name), f"{name} 的类别 {code} 不是指标;请改正 class。")
        for item in definition.data["indicator"]:
            where = definition.line_of("id", item["id"])
            if ("formula" in item) == bool(item.get("provided", False)):
                yield Problem("error", where, f"{item['id']} 应恰有 formula 或 provided = true 之一;请改正。")
            if "formula" in item:
                yield from _compiles(programme, edition, item["formula"], "A", where)
            if item.get("deflator") and item["deflator"] not in edition.indicators:
                yield Problem("error", where, f"{item['id']} 的缩减指数 {item['deflator']} 不是指标;请改正。")
        for entry in definition.data.get("list", ()):
            yield from _compiles(programme, edition, entry["condition"], "A", definition.line_of("id", entry["id"]))


def _contribution(programme: Programme, edition: Edition) -> Iterator[Problem]:
    """What is set against province and city can be computed, and its price indices exist."""
    definition = edition.contribution
    if definition is None:
        return
    for entry in (*definition.data["item"], *definition.data.get("ratio", ())):
        where = definition.line_of("id", entry["id"])
        for text in filter(None, (entry["own"], entry.get("whole", ""))):
            yield from _compiles(programme, edition, text, "A", where)
        if entry.get("deflator") and entry["deflator"] not in edition.indicators:
            yield Problem("error", where, f"{entry['id']} 的价格指数 {entry['deflator']} 不是指标;请改正。")


def _projects(programme: Programme, edition: Edition) -> Iterator[Problem]:
    """Rates and conditions of projects can be computed, and groups are indicators."""
    definition = edition.projects
    if definition is None:
        return
    for entry in (*definition.data["rate"], *definition.data.get("risk", ())):
        where = definition.line_of("id", entry["id"])
        yield from _compiles(programme, edition, entry.get("formula") or entry["condition"], "Q", where)
    for group in definition.data.get("group", ()):
        if group["code"] not in edition.indicators:
            where = definition.line_of("id", group["id"])
            yield Problem("error", where, f"{group['id']} 的代码 {group['code']} 不是指标;请改正 code。")


def burden(programme: Programme, edition: Edition) -> Iterator[tuple[str, str, int, int]]:
    """Cells to fill by kind of unit and round: (kind, round, required cells, all cells). The kinds are those of ``[burden]``.

    A form or indicator under a condition is owed where the condition holds for a unit with the figures of the kind; what
    the kind says nothing of is unknown, and so is the condition.
    """
    for kind in edition.parameters.get("burden", {}).get("units", ()):
        unit = {code: value for code, value in kind.items() if code in edition.indicators}
        for letter, title in (("A", "年报"), ("Q", "季报")):
            period = _period(edition, letter)
            env = environment_for(programme, period, edition=edition)
            row = pl.DataFrame({"#unit": [kind["name"]], **{code: [value] for code, value in unit.items()}})

            def owes(condition: str, row: pl.DataFrame = row, env: Environment = env) -> bool:
                return not condition or evaluate_rows(condition, row, env).fill_null(False).item() is True

            forms = [f for f in edition.forms.values() if f.roster == ENTERPRISE and owes(f.applies_if)]
            asked = [i for f in forms for i in f.asked(period) if owes(i.applies_if)]
            yield kind["name"], title, sum(i.required for i in asked), len(asked)


def form_by_title(edition: Edition, text: str) -> Form | None:
    """A form by code, number or title."""
    return next((f for f in edition.forms.values() if text in (f.code, f.number, f.title)), None)


def used_by(edition: Edition, code: str) -> dict[str, list[str]]:
    """Where an indicator is used: rules, index indicators, warnings, targets."""

    def mentions(text: str) -> bool:
        try:
            return any(c == code for c, _ in operands(expand(parse(text), edition.derivations)))
        except DefinitionError:
            return False

    return {
        "rules": [r.id for r in edition.rules if mentions(r.expression)],
        "index": [i.id for s in edition.indexes.values() for i in s.indicators if mentions(i.formula)],
        "warnings": [w.id for w in edition.warnings if w.formula and mentions(w.formula)],
        "targets": [str(t.row_no) for t in edition.targets if t.formula and mentions(t.formula)],
    }


def changes(old: Edition, new: Edition) -> list[tuple[str, str, str, str]]:
    """Differences between two editions: (kind, code, old, new), by kind and code."""
    found: list[tuple[str, str, str, str]] = []
    shown = ("name", "unit_measure", "rounds", "required", "definition", "applies_if", "derived", "decimals", "form")
    for code in sorted(old.indicators.keys() | new.indicators.keys()):
        before, after = old.indicators.get(code), new.indicators.get(code)
        if before is None or after is None:
            found.append(("indicator", code, before.name if before else "—", after.name if after else "—"))
        else:
            found += [
                ("indicator", f"{code}.{a}", str(getattr(before, a)), str(getattr(after, a)))
                for a in shown
                if getattr(before, a) != getattr(after, a)
            ]
    rules_before, rules_after = {r.id: r for r in old.rules}, {r.id: r for r in new.rules}
    for rule_id in sorted(rules_before.keys() | rules_after.keys()):
        b, a = rules_before.get(rule_id), rules_after.get(rule_id)
        if b is None or a is None:
            found.append(("rule", rule_id, b.expression if b else "—", a.expression if a else "—"))
        else:
            found += [
                ("rule", f"{rule_id}.{n}", str(getattr(b, n)), str(getattr(a, n)))
                for n in ("severity", "expression", "applies_if", "rounds", "message")
                if getattr(b, n) != getattr(a, n)
            ]
    return found


def indicator_line(indicator: Indicator) -> str:
    """One indicator for lists: code, name, unit, rounds."""
    rounds = "、".join({"A": "年报", "Q": "季报"}[r] for r in indicator.rounds)
    return f"{indicator.code} {indicator.label} {rounds}{' 必填' if indicator.required else ''}"
