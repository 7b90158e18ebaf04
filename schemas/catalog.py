"""The only door to a programme: reads every definition once, merges editions, and complains with file and line."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl

from schemas.claims import read_claims
from schemas.definitions import Definition, read_codelist, read_csv_rows, read_toml, text_of
from schemas.errors import DefinitionError
from schemas.model import (
    AuditRule,
    Codelist,
    Edition,
    Form,
    FormKind,
    IndexIndicator,
    IndexSystem,
    Indicator,
    Programme,
    PublicationTable,
    Severity,
    ValueType,
    WarningIndicator,
)
from schemas.period import Period
from schemas.plan_files import read_changes, read_parts, read_targets

PROGRAMMES = Path(__file__).resolve().parent / "programmes"


NEEDED_LISTS = (
    "parks",
    "division_upper",
    "division_county",
    "gbt4754_upper",
    "plans",
    "reason_code",
    "size_class",
    "hightech_class",
)
"""Code lists that the products, the templates and the language itself read, whatever the forms ask."""


def programme(named: str = "park") -> Programme:
    """The shipped programme of that code, or the one in a folder given as an absolute path; loaded once a process."""
    return _loaded(Path(named) if Path(named).is_absolute() else PROGRAMMES / named)


def named_by(folder: Path) -> str:
    """What ``programme`` takes for a folder: the code where it is a shipped one, else its absolute path."""
    whole = folder.expanduser().resolve()
    return whole.name if whole.parent == PROGRAMMES else str(whole)


@cache
def _loaded(folder: Path) -> Programme:
    return load_programme(folder)


def is_as_loaded(source: Programme) -> bool:
    """Whether the files of a programme still say what was loaded: long-lived processes must not mix two wordings."""
    return _fingerprint(source.folder) == source.fingerprint


def load_programme(root: Path) -> Programme:
    """Read a programme folder: ``codelists/*.csv``, ``concordance.csv`` and one folder an edition.

    Raises DefinitionError naming file and line for the first definition that cannot be read.
    """
    if not root.is_dir():
        raise DefinitionError("制度目录不存在", where=str(root), remedy="请检查路径。")
    codelists = {
        path.stem: Codelist(path.stem, read_codelist(path)) for path in sorted((root / "codelists").glob("*.csv"))
    }
    folders = sorted(path.parent for path in root.glob("*/programme.toml"))
    _require_whole(root, folders, codelists)
    editions = {folder.name: _edition(root, folder.name, ()) for folder in folders}
    concordance_file = root / "concordance.csv"
    columns = ("from_edition", "from_code", "to_edition", "to_code", "kind", "rule", "note")
    concordance = pl.DataFrame(
        [row for _, row in read_csv_rows(concordance_file, columns)] if concordance_file.exists() else [],
        schema=dict.fromkeys(columns, pl.String()),
    )
    _refuse_changed_types(editions)
    title = next(reversed(editions.values())).title
    return Programme(root.name, title, editions, codelists, concordance, _fingerprint(root), root.resolve())


def _require_whole(root: Path, folders: Sequence[Path], codelists: Mapping[str, Codelist]) -> None:
    if not folders:
        edition = (root / "programme.toml").is_file()
        below = sorted(path.parent.parent.name for path in root.glob("*/*/programme.toml"))
        raise DefinitionError(
            "这是一个版次的目录,不是制度目录" if edition else "目录里没有任何版次(版次目录/programme.toml)",
            where=str(root),
            remedy=f"请给出上一级目录 {root.parent}。" if edition
            else f"请给出制度目录,如 {root / below[0]}。" if below else "请给出制度目录(其中有 codelists 与各版次)。",
        )  # fmt: skip
    if missing := [name for name in NEEDED_LISTS if name not in codelists]:
        raise DefinitionError(
            f"缺代码表 {'、'.join(f'{name}.csv' for name in missing)}",
            where=str(root / "codelists"),
            remedy="请从所附制度 schemas/programmes/park/codelists 复制过来再改。",
        )


def _fingerprint(root: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(p for p in root.rglob("*") if p.suffix in (".toml", ".csv")):
        digest.update(path.relative_to(root).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _refuse_changed_types(editions: Mapping[str, Edition]) -> None:
    # One warehouse table a form holds all editions, so a code keeps type, decimals and unit for ever.
    seen: dict[str, tuple[str, Indicator]] = {}
    for edition in editions.values():
        for code, indicator in edition.indicators.items():
            first_in, first = seen.setdefault(code, (edition.id, indicator))
            if (first.type, first.decimals, first.unit_measure) != (
                indicator.type,
                indicator.decimals,
                indicator.unit_measure,
            ):
                raise DefinitionError(
                    f"指标 {code} 在 {first_in} 版与 {edition.id} 版的类型、小数位或计量单位不同",
                    where=f"{edition.id}/forms/{indicator.form}.toml",
                    remedy="请换用新代码,并在 concordance.csv 写明对照。",
                )


def _edition(root: Path, name: str, below: tuple[str, ...]) -> Edition:
    if name in below:
        raise DefinitionError(f"版次 {' → '.join((*below, name))} 互相继承", where=name, remedy="请去掉一处 extends。")
    folder = root / name
    head = read_toml(folder / "programme.toml", "programme")
    if "extends" in head.data and not (root / head.data["extends"] / "programme.toml").is_file():
        raise DefinitionError(
            f"extends 的版次 {head.data['extends']} 不存在",
            where=head.line_of("extends", head.data["extends"]),
            remedy="请改为已有的版次(文件夹名),或去掉 extends。",
        )
    parent = _edition(root, head.data["extends"], (*below, name)) if "extends" in head.data else None

    def inherit(key: str) -> Any:
        if key in head.data:
            return head.data[key]
        value = getattr(parent, key, None) if parent else None
        if value is None:
            raise DefinitionError(f"缺 {key}", where=f"{name}/programme.toml", remedy="请补填。")
        return value

    first, last = _bounds(head)
    forms = _forms(folder, name, parent)
    parameters = {
        **(parent.parameters if parent else {}),
        **{k: v for k, v in head.data.items() if isinstance(v, dict)},
    }
    return Edition(
        id=name,
        title=inherit("title"),
        authority=inherit("authority"),
        document_number=inherit("document_number"),
        legal_basis=inherit("legal_basis"),
        valid_from=inherit("valid_from"),
        valid_to=inherit("valid_to"),
        first_period=first,
        last_period=last,
        parameters=parameters,
        forms=forms,
        rules=_rules(folder, forms, parent),
        tables=_tables(folder, parent),
        indexes=_indexes(folder, parent),
        warnings=_warnings(folder, parent),
        derivations=_derivations(folder, parent),
        targets=read_targets(folder, parent),
        target_changes=read_changes(folder, parent),
        target_parts=read_parts(folder, parent),
        schemes=_schemes(folder, parent),
        claims=read_claims(folder / "claims.toml", parent.claims if parent else None),
        ladder=_ladder(folder, parent),
        contribution=_contribution(folder, parent),
        projects=_projects(folder, parent),
    )


def _bounds(head: Definition) -> tuple[Period, Period | None]:
    """First and last period of an edition. Raises DefinitionError where one is none, or the first comes after the last."""

    def period(key: str) -> Period:
        try:
            return Period.parse(head.data[key])
        except DefinitionError as error:
            raise DefinitionError(
                f"{key}:{error.message}", where=head.line_of(key, head.data[key]), remedy=error.remedy
            ) from None

    first = period("first_period")
    last = period("last_period") if head.data.get("last_period") else None
    if last is not None and last.year < first.year:
        raise DefinitionError(
            f"last_period {last} 早于 first_period {first}",
            where=head.line_of("last_period", head.data["last_period"]),
            remedy="请更正起止报告期。",
        )
    return first, last


# ── forms ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def _forms(folder: Path, edition: str, parent: Edition | None) -> dict[str, Form]:
    forms: dict[str, Form] = {}
    for code, inherited in (parent.forms if parent else {}).items():
        forms[code] = _with_edition(inherited, edition)
    for path in sorted((folder / "forms").glob("*.toml")):
        definition = read_toml(path, "form")
        forms[path.stem] = _form(definition, path.stem, edition, forms.get(path.stem))
    seen: dict[str, str] = {}
    for form in forms.values():
        for indicator in form.indicators:
            other = seen.setdefault(indicator.code, form.code)
            if other != form.code:
                raise DefinitionError(
                    f"指标 {indicator.code} 在 {other} 与 {form.code} 两张表中重复采集",
                    where=f"{edition}/forms/{form.code}.toml",
                    remedy="一套表:一个指标只在一张表采集一次,请删去一处。",
                )
    return dict(sorted(forms.items(), key=lambda item: item[1].number))


def _with_edition(form: Form, edition: str) -> Form:
    return Form(**{**form.__dict__, "edition": edition})


def _form(definition: Definition, code: str, edition: str, base: Form | None) -> Form:
    data = definition.data
    dropped = set(data.get("drop", []))
    indicators = {i.code: i for i in (base.indicators if base else ()) if i.code not in dropped}
    for entry in data.get("indicator", []):
        where = definition.line_of("code", entry["code"])
        indicators[entry["code"]] = _indicator(entry, code, indicators.get(entry["code"]), where)
    fields = {
        key: data[key]
        for key in ("number", "title", "roster", "respondent", "applies_if", "blocks", "note")
        if key in data
    }
    if "kind" in data:
        fields["kind"] = FormKind(data["kind"])
    if "key" in data:
        fields["key"] = tuple(data["key"])
    start = {k: v for k, v in base.__dict__.items() if k in Form.__dataclass_fields__} if base else {}
    try:
        return Form(**{**start, **fields, "code": code, "edition": edition, "indicators": tuple(indicators.values())})
    except TypeError as error:
        raise DefinitionError(
            f"表头不全:{error}", where=str(definition.path), remedy="请补填表号、表名、类型与主键。"
        ) from None


def _indicator(entry: Mapping[str, Any], form: str, base: Indicator | None, where: str) -> Indicator:
    fields = dict(entry)
    if "type" in fields:
        fields["type"] = ValueType(fields["type"])
    start: dict[str, Any] = {"form": form, "name_en": "", "unit_measure": "-", "level": ""}
    if base is not None:
        start = {name: getattr(base, name) for name in Indicator.__dataclass_fields__}
    try:
        return Indicator(**{**start, **fields})
    except TypeError as error:
        raise DefinitionError(
            f"指标 {entry['code']} 定义不全:{error}", where=where, remedy="请补填 name、type、rounds。"
        ) from None


# ── rules, tables, systems ─────────────────────────────────────────────────────────────────────────────────────────
def _rules(folder: Path, forms: Mapping[str, Form], parent: Edition | None) -> tuple[AuditRule, ...]:
    rules = {rule.id: rule for rule in (parent.rules if parent else ())}
    stated: dict[str, str] = {}
    for path in sorted((folder / "rules").glob("*.toml")):
        definition = read_toml(path, "rules")
        for dropped in definition.data.get("drop", []):
            rules.pop(dropped, None)
        for entry, where in _stated_once(definition, stated):
            base = rules.get(entry["id"])
            if base is not None and base.form != entry.get("form", path.stem):
                raise DefinitionError(
                    f"规则号 {entry['id']} 在上一版属于 {base.form} 表({base.where})",
                    where=where,
                    remedy=f"重述它请写在 {base.form}.toml 里;新的规则请改用没有用过的编号。",
                )
            rules[entry["id"]] = _rule(entry, path.stem, base, where)
    order = {code: n for n, code in enumerate(forms)}
    return tuple(sorted(rules.values(), key=lambda rule: (order.get(rule.form, len(order)), rule.id)))


def _stated_once(definition: Definition, stated: dict[str, str]) -> Iterator[tuple[Mapping[str, Any], str]]:
    """The rules of a file with their ``file:line``; ``stated`` are those of the edition so far. A number is used once."""
    for entry in definition.data.get("rule", []):
        rule, where = entry["id"], definition.line_of("id", entry["id"])
        if (first := stated.get(rule)) is not None:
            again = definition.line_of("id", rule, 1) if first == where else where
            raise DefinitionError(f"规则号 {rule} 已经用过({first})", where=again, remedy="请改用没有用过的编号。")
        stated[rule] = where
        yield entry, where


def rules_in_file(path: Path, edition: Edition) -> tuple[AuditRule, ...]:
    """The rules of one file in the format of the programme (docs/formats/rules.schema.json), over those of ``edition``.

    A file that is not named for its form says ``form`` in each rule; a rule of the same id lends what is left out.
    Raises DefinitionError with file and line.
    """
    definition = read_toml(path, "rules")
    known = {rule.id: rule for rule in edition.rules}
    found = []
    for entry, where in _stated_once(definition, {}):
        base = known.get(entry["id"])
        form = base.form if base and path.stem not in edition.forms else path.stem
        rule = _rule(entry, form, base, where)
        if rule.form not in edition.forms:
            raise DefinitionError(
                f"规则 {rule.id} 的表“{rule.form}”不存在",
                where=where,
                remedy='请在规则里写 form = "表的代码",如 finance。',
            )
        found.append(rule)
    return tuple(found)


def _rule(entry: Mapping[str, Any], form: str, base: AuditRule | None, where: str) -> AuditRule:
    fields: dict[str, Any] = {"form": form, **entry, "where": where}
    if "severity" in fields:
        fields["severity"] = Severity(fields["severity"])
    if "absorbed_by" in fields:
        fields["absorbed_by"] = tuple(fields["absorbed_by"])
    start = (
        {name: getattr(base, name) for name in AuditRule.__dataclass_fields__}
        if base
        else {"rationale": "", "kind": ""}
    )
    if lacking := [name for name in ("severity", "rounds", "expression", "message") if name not in start | fields]:
        raise DefinitionError(f"规则 {entry['id']} 缺少 {'、'.join(lacking)}", where=where, remedy="请补填。")
    return AuditRule(**{**start, **fields})


def _tables(folder: Path, parent: Edition | None) -> tuple[PublicationTable, ...]:
    tables = {table.id: table for table in (parent.tables if parent else ())}
    stated: dict[str, str] = {}
    for path in sorted((folder / "tables").glob("*.toml")):
        definition = read_toml(path, "tables")
        shared = {k: v for k, v in definition.data.items() if k != "table"}
        for entry in definition.data["table"]:
            where = definition.line_of("id", entry["id"], nth=entry["id"] in stated)
            if entry["id"] in stated:
                raise DefinitionError(
                    f"表 {entry['id']} 已经写过({stated[entry['id']]})", where=where, remedy="请改用没有用过的编号。"
                )
            stated[entry["id"]] = where
            tables[entry["id"]] = PublicationTable(
                entry["id"],
                entry["title"],
                entry.get("product", shared.get("product", path.stem)),
                tuple(entry.get("rows", ())),
                tuple(entry.get("column", ())),
                {**shared, **entry},
            )
    return tuple(tables.values())


def _indexes(folder: Path, parent: Edition | None) -> dict[str, IndexSystem]:
    systems = dict(parent.indexes) if parent else {}
    for path in sorted((folder / "index").glob("*.toml")):
        if _is_scheme(path):
            continue
        data = read_toml(path, "index").data
        indicators = tuple(
            IndexIndicator(
                id=entry["id"],
                dimension=entry["dimension"],
                name=entry["name"],
                unit_measure=entry.get("unit_measure", "-"),
                formula=entry["formula"],
                direction=entry.get("direction", "positive"),
                weight=float(entry["weight"]),
                rounds=entry.get("rounds", "A"),
                norm=entry.get("norm", "growth"),
                scale=float(entry["scale"]) if "scale" in entry else None,
                min_contributors=entry.get("min_contributors", 0),
                window=entry.get("window", 1),
                cap=float(entry.get("cap", 200)),
                deflator=entry.get("deflator", ""),
            )
            for entry in data["indicator"]
        )
        systems[data["id"]] = IndexSystem(
            data["id"], data["title"], data["base_year"], indicators, data.get("parameters", {}), data.get("splice", {})
        )
    return systems


def _is_scheme(path: Path) -> bool:
    """Whether an index file is scored by the engine (it has a hierarchy) or chained over time."""
    return re.search(r"^\[\[group\]\]", text_of(path), re.MULTILINE) is not None


def _schemes(folder: Path, parent: Edition | None) -> dict[str, Definition]:
    schemes = dict(parent.schemes) if parent else {}
    for path in sorted((folder / "index").glob("*.toml")):
        if _is_scheme(path):
            definition = read_toml(path, "index-system")
            schemes[str(definition.data.get("id", path.stem))] = definition
    return schemes


def _ladder(folder: Path, parent: Edition | None) -> Definition | None:
    path = folder / "ladder.toml"
    return read_toml(path, "ladder") if path.exists() else parent.ladder if parent else None


def _contribution(folder: Path, parent: Edition | None) -> Definition | None:
    path = folder / "contribution.toml"
    return read_toml(path, "contribution") if path.exists() else parent.contribution if parent else None


def _projects(folder: Path, parent: Edition | None) -> Definition | None:
    path = folder / "projects.toml"
    return read_toml(path, "projects") if path.exists() else parent.projects if parent else None


def _warnings(folder: Path, parent: Edition | None) -> tuple[WarningIndicator, ...]:
    path = folder / "warnings.toml"
    if not path.exists():
        return parent.warnings if parent else ()
    data = read_toml(path, "warnings").data
    return tuple(
        WarningIndicator(
            entry["id"],
            entry["name"],
            entry.get("formula", ""),
            entry.get("unit", "%"),
            {level: (str(bound[0]), float(bound[1])) for level, bound in entry.get("levels", {}).items()},
            {"parameters": data.get("parameters", {}), **entry},
        )
        for entry in data["warning"]
    )


def _derivations(folder: Path, parent: Edition | None) -> dict[str, str]:
    path = folder / "derivations.toml"
    own = dict(read_toml(path, "derivations").data["derivation"]) if path.exists() else {}
    return {**(parent.derivations if parent else {}), **own}


# ── code lists in force ────────────────────────────────────────────────────────────────────────────────────────────
def register_of_parks(source: Programme) -> pl.DataFrame:
    """The park register as text columns: code, kind (area, zone, sub_park, base), zone, groups, entry and exit dates."""
    return source.codelists["parks"].rows


def edition_for_filer(source: Programme, edition: Edition, code: str) -> Edition:
    """The forms and rules that concern who files: areas and provinces the background forms, parks all others."""
    parks = source.codelists["parks"].rows.filter(code=code)
    is_area = code.isdigit() or (parks.height > 0 and (parks["kind"] == "area").all())
    forms = {c: f for c, f in edition.forms.items() if (f.kind is FormKind.CONTEXT) == is_area}
    return replace(edition, forms=forms, rules=tuple(r for r in edition.rules if r.form in forms))


def codelists_on(source: Programme, period: Period, units: pl.Series | None = None) -> dict[str, frozenset[str]]:
    """Every code list a rule may name, as the set of codes in force at the end of ``period`` (survey_system 8.8).

    ``units`` are the codes of the unit register of the period; without them ``unit_register`` is absent and rules that
    ask for it stay undetermined.
    """
    on = period.end
    lists = {name: frozenset(codelist.valid(on)["code"].to_list()) for name, codelist in source.codelists.items()}
    parks = source.codelists["parks"].valid(on)
    zones = parks.filter(kind="zone")
    below = parks.filter(pl.col("kind").is_in(["sub_park", "base"]))
    edition = source.edition_for(period)
    lists["park"] = frozenset(zones["code"])
    lists["sub_park"] = frozenset(below["code"])
    lists["base"] = frozenset(parks.filter(kind="base")["code"])
    lists["park_with_sub"] = frozenset(below["zone"]) & lists["park"]
    upper = source.codelists["division_upper"].valid(on)["code"]
    lists["area"] = frozenset(parks["code"]) | frozenset(upper)
    lists["division_county"] = lists["division_county"] | frozenset(
        c for c in parks["division_code"] if c and not c.endswith("00")
    )
    lists["task"] = frozenset(str(t.row_no) for t in edition.targets if t.tracking == "task_register")
    if units is not None:
        lists["unit_register"] = frozenset(units.to_list())
    return lists


def keyed_codelists_on(source: Programme, period: Period) -> dict[str, dict[str, frozenset[str]]]:
    """Code lists asked with a key (``in_codelist(B05, 'sub_park', B04)``): name → key → codes.

    A park whose register row names a whole city covers all its counties (survey_system 8.8, park_counties).
    """
    parks = source.codelists["parks"].valid(period.end)
    counties = source.codelists["division_county"].valid(period.end)
    by_parent = counties.group_by("parent").agg("code")
    children = {parent: frozenset(codes) for parent, codes in by_parent.iter_rows()}
    sub: dict[str, frozenset[str]] = {}
    where: dict[str, frozenset[str]] = {}
    for row in parks.iter_rows(named=True):
        if row["kind"] in ("sub_park", "base"):
            sub[row["zone"]] = sub.get(row["zone"], frozenset()) | {row["code"]}
        if row["kind"] in ("zone", "sub_park", "base") and row["division_code"]:
            code = row["division_code"]
            where[row["zone"]] = where.get(row["zone"], frozenset()) | {code} | children.get(code, frozenset())
    return {"sub_park": sub, "base": sub, "park_counties": where}
