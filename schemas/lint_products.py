"""制度检查, products: tables, warnings and plan targets that would be computed of nothing, or not as their author means."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Final

import polars as pl

from schemas.environment import environment_for
from schemas.errors import DefinitionError
from schemas.model import Edition, Programme, PublicationTable, WarningIndicator
from schemas.period import Period
from schemas.period_data import CONTEXT, PARK
from schemas.typed_expression import rosters_of

KINDS: Final = ("area", "zone", "sub_park", "base")
READ: Final = (
    "programme.toml", "forms", "rules", "tables", "index", "plans", "warnings.toml", "derivations.toml", "claims.toml", "ladder.toml",
    "projects.toml", "contribution.toml",
)  # fmt: skip
ROWS: Final = ("total", "zone", "sub_park", "section", "division", "size")  # of tables of areas
LEVELS: Final = ("blue", "yellow", "orange", "red")
NORMS: Final = ("growth", "diff")
DIRECTIONS: Final = ("at_least", "at_most", "")
TRACKINGS: Final = ("computed", "task_register", "threshold", "context")

Said = tuple[str, str]
"""(where, what is wrong and what to do)."""


def product_problems(programme: Programme, edition: Edition) -> Iterator[Said]:
    """What is wrong with the tables, warnings and targets of an edition."""
    yield from _parks(programme)
    yield from _stray_files(programme, edition)
    yield from _tables(programme, edition)
    yield from _warnings(edition)
    yield from _indexes(programme, edition)
    yield from _targets(programme, edition)


def _parks(programme: Programme) -> Iterator[Said]:
    where, rows = "codelists/parks.csv", programme.codelists["parks"].rows
    zones = set(rows.filter(pl.col("kind") == "zone")["code"])
    for code, kind, zone in rows.select("code", "kind", "zone").iter_rows():
        if kind not in KINDS:
            yield where, f"{code} 的 kind 不认识“{kind}”,可写 {'、'.join(KINDS)};请改正。"
        if kind == "sub_park" and zone not in zones:
            yield where, f"分园 {code} 所属的 {zone} 不是名录中的 zone;请改正 zone。"


def _stray_files(programme: Programme, edition: Edition) -> Iterator[Said]:
    folder = programme.folder / edition.id
    if folder.is_dir():
        for path in sorted(p for p in folder.iterdir() if p.name not in READ and not p.name.startswith(".")):
            yield f"{edition.id}/{path.name}", f"没有什么读这个文件;可用的名称是 {'、'.join(READ)},请改名或移走。"


def _tables(programme: Programme, edition: Edition) -> Iterator[Said]:
    where = f"{edition.id}/tables"
    areas = [t for t in edition.tables if t.product == "monitoring"]
    every = [str(c["indicator"]) for t in areas for c in t.columns if "indicator" in c]
    for code in sorted(c for c, n in Counter(every).items() if n > 1):
        yield where, f"两列用同一个指标代码 {code};请改用没有用过的代码。"
    for table in areas:
        for row in table.rows:
            if row not in ROWS:
                yield f"{where} 的 {table.id}", f"不认识行 {row},可写 {'、'.join(ROWS)};请改正 rows。"
        yield from _columns(programme, edition, table, f"{where} 的 {table.id}")


def _columns(programme: Programme, edition: Edition, table: PublicationTable, where: str) -> Iterator[Said]:
    last = edition.last_period or edition.first_period
    env = environment_for(programme, Period(last.year, 2), edition=edition)
    for column in table.columns:
        if lacking := [name for name in ("indicator", "name", "formula") if not column.get(name)]:
            yield where, f"一列缺少 {'、'.join(lacking)};请补填。"
            continue
        for text in filter(None, (column["formula"], column.get("earlier", ""))):
            try:
                typed = env.typed(text)
            except DefinitionError as error:
                yield where, f"{column['indicator']} 的“{text}”不能计算:{error}"
                continue
            if rosters_of(typed) - {PARK, CONTEXT}:
                yield where, f"{column['indicator']} 的“{text}”是逐户的,区域的表要写 SUM( ) 或 COUNT( );请改公式。"


def _warnings(edition: Edition) -> Iterator[Said]:
    file = f"{edition.id}/warnings.toml"
    for name, count in Counter(w.id for w in edition.warnings).items():
        if count > 1:
            yield f"{file} 的 {name}", f"预警 {name} 写了 {count} 次;请改用没有用过的编号。"
    for warning in edition.warnings:
        yield from ((f"{file} 的 {warning.id}", said) for said in _of_warning(warning, edition))


def _of_warning(warning: WarningIndicator, edition: Edition) -> Iterator[str]:
    deflator = warning.definition.get("deflator")
    if deflator and deflator not in edition.indicators:
        yield f"缩减指数 {deflator} 不是指标;请改正 deflator。"
    if warning.definition.get("kind", "formula") == "formula" and not warning.formula:
        yield "没有 formula,算不出值;请补填,或写明 kind。"
    bounds = [(name, *warning.levels[name]) for name in LEVELS if name in warning.levels]
    if len({operator[0] for _, operator, _ in bounds}) > 1:
        yield "各级界限的方向不一致;请统一用 < 或 >。"
        return
    for (milder, operator, one), (graver, _, other) in pairwise(bounds):
        if (other >= one) if operator[0] == "<" else (other <= one):
            yield f"{graver} 的界限 {other:g} 没有比 {milder} 的 {one:g} 更严重;请核对各级界限的次序。"


def _indexes(programme: Programme, edition: Edition) -> Iterator[Said]:
    first = min(e.first_period.year for e in programme.editions.values())
    areas = set(programme.codelists["parks"].rows["code"])
    for system in edition.indexes.values():
        where = f"{edition.id}/index/{system.id}.toml"
        for name, count in Counter(i.id for i in system.indicators).items():
            if count > 1:
                yield f"{where} 的 {name}", f"指数指标 {name} 写了 {count} 次;请改用没有用过的编号。"
        for item in system.indicators:
            if item.norm not in NORMS or (item.norm == "diff" and not item.scale):
                yield f"{where} 的 {item.id}", f"norm 写的是“{item.norm}”;请写 growth,或 diff 并给出 scale。"
        if not any(item.weight for item in system.indicators):
            yield where, "各指标的权重都是 0,算不出指数;请改正 weight。"
        if system.base_year < first - 1:
            yield where, f"base_year {system.base_year} 早于制度的第一期 {first} 年;请更正。"
        for area in sorted({*system.splice, *system.splice.values()} - areas):
            yield where, f"splice 的 {area} 不在园区名录内;请改正代码。"


def _targets(programme: Programme, edition: Edition) -> Iterator[Said]:
    parks = programme.codelists["parks"].rows
    known = {name for column in ("code", "name", "short_name") if column in parks.columns for name in parks[column]}
    spans = _spans(programme)
    for plan, (first, last) in spans.items():
        if first and last and last < first:
            yield "codelists/plans.csv", f"规划 {plan} 止于 {last} 年,早于起始的 {first} 年;请更正年份。"
    for target in edition.targets:
        where = f"{edition.id}/plans/{target.plan_id}.csv 第 {target.row_no} 号"
        if target.direction not in DIRECTIONS:
            yield where, f"direction 不认识“{target.direction}”,可写 at_least 或 at_most;请改正。"
        if target.tracking not in TRACKINGS:
            yield where, f"tracking 不认识“{target.tracking}”,可写 {'、'.join(TRACKINGS)};请改正。"
        if target.tracking == "computed" and not {target.area, target.area.rpartition("-")[0]} & known:
            yield where, f"区域“{target.area}”不在园区名录内,这项目标算不出;请写名录中的名称。"
        if target.baseline_year and target.target_year and target.target_year < target.baseline_year:
            yield where, f"目标年 {target.target_year} 早于基年 {target.baseline_year};请更正年份。"


def _spans(programme: Programme) -> Mapping[str, tuple[int, int]]:
    rows = programme.codelists["plans"].rows.select("code", "first_year", "last_year").iter_rows()
    return {code: (int(first or 0), int(last or 0)) for code, first, last in rows}
