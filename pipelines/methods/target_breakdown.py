"""Breakdown of targets to areas and years 目标年度分解: what each area is to have reached, has reached, and how the parts add up.

Source: 兰白规划 保障(二), 滚动编制年度计划并分解到两市4区和部门; requirements A10. A value says what is to be reached by the end of its year, in
the target's own unit (cumulative where the target is). Parts that do not add up to the target, or to the part of the whole area of the
same year, are kept as they are and told, as are areas that have none and versions that were replaced.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date
from typing import Any, Final

import polars as pl

from pipelines.methods.area_figures import TOTAL
from pipelines.methods.areas import Area, areas_of, resolve
from pipelines.methods.monitoring import coverage_minimum
from pipelines.methods.monitoring_sides import sub_park_codes
from pipelines.methods.product import Product, administrative_parts, product_of, shaped_parts
from pipelines.methods.target_progress import completion_pct
from pipelines.methods.target_values import (
    COUNT_UNITS,
    NOT_ADDED_UP,
    At,
    TargetValue,
    computed_values,
    first_years,
    with_quarterly_rosters,
)
from pipelines.methods.target_versions import changed, changes_on
from schemas.environment import environment_for
from schemas.marts import row_key
from schemas.model import Programme, Target, TargetPart
from schemas.period_data import PeriodData

NAMES: Final = {
    "part_target": "年度分解值",
    "part_actual": "完成值",
    "part_completion": "完成率",
    "parts_total": "各区分解合计",
}
NOT_EQUAL: Final = "各区分解合计与目标值{target:.15g}不一致,照录"
EQUAL: Final = "与目标值{target:.15g}一致"
NOT_THE_PART: Final = "各区分解合计与全区{year}年分解值{part:.15g}不一致,照录"
WITHOUT: Final = "没有分解到{areas}"
BEFORE: Final = "原为{value:.15g}(依据{document})"
BY_TASKS: Final = "按任务表填报,不按区计算"


def parts_on(parts: Iterable[TargetPart], year: int, day: date) -> list[TargetPart]:
    """Of each row and area the part due next, at the end of ``year`` or of the first later year that has one, in the latest version
    in force on ``day``."""
    found: dict[tuple[int, str], TargetPart] = {}
    for part in sorted(parts, key=lambda p: p.effective):
        if part.year < year or part.effective > day:
            continue
        key = part.row_no, part.area
        if key not in found or part.year <= found[key].year:
            found[key] = part
    return [found[key] for key in sorted(found)]


def replaced_by(part: TargetPart, parts: Iterable[TargetPart]) -> TargetPart | None:
    """The version of a part that was in force before it; None for a first one."""
    older = [
        p
        for p in parts
        if (p.row_no, p.area, p.year) == (part.row_no, part.area, part.year) and p.effective < part.effective
    ]
    return max(older, key=lambda p: p.effective, default=None)


def targets_breakdown(
    data: PeriodData, programme: Programme, at: At | None = None, fourth_quarter: At | None = None
) -> Product:
    """Cells and parts of the mart ``targets_breakdown`` at the end of a year; empty without a breakdown for it."""
    edition, year = programme.edition_for(data.period), data.period.year
    chosen = parts_on(edition.target_parts, year, data.period.end)
    if not chosen:
        return product_of([], [])
    changes = changes_on(edition.target_changes, data.period.end)
    targets = {t.row_no: changed(t, changes[t.row_no]) if t.row_no in changes else t for t in edition.targets}
    areas = areas_of(programme.codelists["parks"].valid(data.period.end))
    labels = {code: f"{i.name}({code})" for code, i in edition.indicators.items()}
    labels |= {code: area.short_name for code, area in areas.items()}
    env, firsts = environment_for(programme, data.period), first_years(programme.codelists["plans"].rows)

    def complete(other: int) -> PeriodData | None:
        found = data if other == year else at(other) if at else None
        return with_quarterly_rosters(found, fourth_quarter(other) if fourth_quarter else None) if found else None

    values: dict[tuple[int, str], TargetValue] = {}
    for area in sorted({p.area for p in chosen}):
        own = [targets[p.row_no] for p in chosen if p.area == area and targets[p.row_no].tracking == "computed"]
        found = computed_values(
            own, {t.row_no: area for t in own}, areas, year, complete, env, firsts, sub_park_codes(edition),
            coverage_minimum(edition), labels,
        )  # fmt: skip
        values |= {(row, area): value for row, value in found.items()}
    rows = [
        cell
        for p in chosen
        for cell in _cells(
            p, replaced_by(p, edition.target_parts), targets[p.row_no], areas, values.get((p.row_no, p.area)), data
        )
    ]
    rows += _totals(chosen, targets, areas, data)
    cells = pl.DataFrame(rows, infer_schema_length=None).with_columns(row_key("area", "indicator", "measure"))
    return product_of([cells], [_parts(cells, values)])


def _cells(
    part: TargetPart,
    before: TargetPart | None,
    target: Target,
    areas: Mapping[str, Area],
    value: TargetValue | None,
    data: PeriodData,
) -> list[dict[str, Any]]:
    reached = value.value if value is not None else None
    # Measured against the part itself: a part has no baseline of its own.
    due = replace(target, target_value=part.value, baseline_value=None, baseline_year=None)
    problem = BY_TASKS if value is None else value.problem
    basis = f"{part.year}年末数;依据{part.document},自{part.effective.isoformat()}起"
    if before is not None:
        basis += ";" + BEFORE.format(value=before.value, document=before.document)
    figures = (
        ("part_target", part.value, target.unit_measure, basis),
        ("part_actual", reached, target.unit_measure, "" if reached is not None else problem),
        ("part_completion", completion_pct(due, reached), "%", "" if reached is not None else problem),
    )
    made = [_cell(target, areas[part.area], m, v, unit, note, data, part.year) for m, v, unit, note in figures]
    if value is None or not value.is_estimated:
        return made
    return [{**c, "status": "E"} if c["status"] == "A" and c["measure"] != "part_target" else c for c in made]


def _cell(
    target: Target, area: Area, measure: str, value: float | None, unit: str, note: str, data: PeriodData, due: int
) -> dict[str, Any]:
    return {
        "table": "breakdown", "period": str(data.period), "area": area.code, "area_name": area.short_name,
        "breakdown": "total", "category": TOTAL, "category_name": "合计", "indicator": f"{target.plan_id}.{target.row_no}",
        "indicator_name": f"{target.name}({due}年)", "unit_measure": unit, "measure": measure, "measure_name": NAMES[measure],
        "value": value, "decimals": 1 if measure == "part_completion" else 0 if unit in COUNT_UNITS else 2, "status": "A" if value is not None else "M",
        "note": note, "formula": target.formula if measure == "part_actual" else "",
    }  # fmt: skip


def _totals(
    chosen: Iterable[TargetPart], targets: Mapping[int, Target], areas: Mapping[str, Area], data: PeriodData
) -> list[dict[str, Any]]:
    """The parts of a row added up where its unit can be, at the target's own area; held against the target in its own year, and
    against what the whole area is to have reached in that year."""
    by_row: dict[int, list[TargetPart]] = {}
    for part in chosen:
        if targets[part.row_no].unit_measure not in NOT_ADDED_UP:
            by_row.setdefault(part.row_no, []).append(part)
    found = []
    for row, parts in sorted(by_row.items()):
        target = targets[row]
        code, aim = resolve(target.area, areas).code, target.target_value
        within = [p for p in parts if p.area != code]
        if not code or not within:
            continue
        due = min(p.year for p in within)
        children = {p.area: p.value for p in within if p.year == due}
        total = sum(children[a] for a in sorted(children))
        whole = next((p.value for p in parts if p.area == code and p.year == due), None)
        said = []
        if aim is not None and target.target_year == due:
            said.append((EQUAL if round(total - aim, 6) == 0 else NOT_EQUAL).format(target=aim))
        if whole is not None and round(total - whole, 6) != 0:
            said.append(NOT_THE_PART.format(year=due, part=whole))
        if lacking := [z for z in areas[code].zones if z not in children and areas[code].kind == "area"]:
            said.append(WITHOUT.format(areas="、".join(areas[z].short_name for z in lacking)))
        found.append(_cell(target, areas[code], "parts_total", total, target.unit_measure, ";".join(said), data, due))
    return found


def _parts(cells: pl.DataFrame, values: Mapping[tuple[int, str], TargetValue]) -> pl.DataFrame:
    tables = []
    derived = cells.filter(pl.col("measure").is_in(["part_actual", "part_completion"]))
    for key, area, indicator in derived.select("row_key", "area", "indicator").iter_rows():
        value = values.get((int(indicator.rpartition(".")[2]), area))
        if value is not None and value.parts is not None and value.parts.height:
            own = value.parts.drop("area", "breakdown", "category", "name")
            tables.append(shaped_parts(own.with_columns(row_key=pl.lit(key))))
    known = pl.concat([t.select("row_key") for t in tables]) if tables else cells.select("row_key").clear()
    return pl.concat([*tables, administrative_parts(cells.join(known, on="row_key", how="anti"), "plan")])
