"""Breakdown of targets to areas and years 目标年度分解: what each area is to have reached, has reached, and how the parts add up.

Source: 兰白规划 保障(二), 滚动编制年度计划并分解到两市4区和部门; requirements A10. A value says what is to be reached by the end of its year, in
the target's own unit (cumulative where the target is). Parts that do not add up to the target are kept as they are and told.
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
NOT_EQUAL: Final = "各区分解合计与目标值{target:g}不一致,照录"
BY_TASKS: Final = "按任务表填报,不按区计算"


def parts_on(parts: Iterable[TargetPart], year: int, day: date) -> list[TargetPart]:
    """The parts due by the end of ``year``, of each row and area the latest version in force on ``day``."""
    found: dict[tuple[int, str], TargetPart] = {}
    for part in sorted(parts, key=lambda p: p.effective):
        if part.year == year and part.effective <= day:
            found[part.row_no, part.area] = part
    return [found[key] for key in sorted(found)]


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
    rows = [cell for p in chosen for cell in _cells(p, targets[p.row_no], areas, values.get((p.row_no, p.area)), data)]
    rows += _totals(chosen, targets, areas, data)
    cells = pl.DataFrame(rows, infer_schema_length=None).with_columns(row_key("area", "indicator", "measure"))
    return product_of([cells], [_parts(cells, values)])


def _cells(
    part: TargetPart, target: Target, areas: Mapping[str, Area], value: TargetValue | None, data: PeriodData
) -> list[dict[str, Any]]:
    reached = value.value if value is not None else None
    # Measured against the part itself: a part has no baseline of its own.
    due = replace(target, target_value=part.value, baseline_value=None, baseline_year=None)
    problem = BY_TASKS if value is None else value.problem
    basis = f"依据{part.document},自{part.effective.isoformat()}起"
    figures = (
        ("part_target", part.value, target.unit_measure, basis),
        ("part_actual", reached, target.unit_measure, "" if reached is not None else problem),
        ("part_completion", completion_pct(due, reached), "%", "" if reached is not None else problem),
    )
    made = [_cell(target, areas[part.area], m, v, unit, note, data) for m, v, unit, note in figures]
    if value is None or not value.is_estimated:
        return made
    return [{**c, "status": "E"} if c["status"] == "A" and c["measure"] != "part_target" else c for c in made]


def _cell(
    target: Target, area: Area, measure: str, value: float | None, unit: str, note: str, data: PeriodData
) -> dict[str, Any]:
    return {
        "table": "breakdown", "period": str(data.period), "area": area.code, "area_name": area.short_name,
        "breakdown": "total", "category": TOTAL, "category_name": "合计", "indicator": f"{target.plan_id}.{target.row_no}",
        "indicator_name": target.name, "unit_measure": unit, "measure": measure, "measure_name": NAMES[measure],
        "value": value, "decimals": 1 if measure == "part_completion" else 2, "status": "A" if value is not None else "M",
        "note": note, "formula": target.formula if measure == "part_actual" else "",
    }  # fmt: skip


def _totals(
    chosen: Iterable[TargetPart], targets: Mapping[int, Target], areas: Mapping[str, Area], data: PeriodData
) -> list[dict[str, Any]]:
    """The parts of a row added up where its unit can be, at the target's own area; against the target in its own year."""
    sums: dict[int, float] = {}
    for part in chosen:
        if targets[part.row_no].unit_measure not in NOT_ADDED_UP:
            sums[part.row_no] = sums.get(part.row_no, 0.0) + part.value
    found = []
    for row, total in sorted(sums.items()):
        target = targets[row]
        code, aim = resolve(target.area, areas).code, target.target_value
        if not code or aim is None:
            continue
        differs = target.target_year == data.period.year and round(total - aim, 6) != 0
        note = NOT_EQUAL.format(target=aim) if differs else ""
        found.append(_cell(target, areas[code], "parts_total", total, target.unit_measure, note, data))
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
