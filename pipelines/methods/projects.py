"""Investment projects 招商引资项目: rates by area and group, and the projects to be looked at. Definition: ``projects.toml``.

Rates are published under disclosure control like any sum or count of single projects; the list of projects is internal.
Source: requirements D4, D5, B6; docs/methods/projects.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import polars as pl

from exports.display import percent
from pipelines.methods.area_figures import TOTAL, UNKNOWN_CATEGORY, Breakdown, area_figures, classified
from pipelines.methods.areas import Area, areas_of, lookups
from pipelines.methods.monitoring import areas_present, coverage_minimum
from pipelines.methods.monitoring_sides import sub_park_codes
from pipelines.methods.product import Product, administrative_parts, product_of, shaped_parts
from schemas.environment import environment_for
from schemas.marts import row_key
from schemas.model import Edition, Programme
from schemas.period_data import PeriodData
from schemas.polars_target import evaluate_rows

ROSTER: Final = "projects"
NOTHING: Final = "没有项目填报所需的数,或分母为零"
LOW_COVERAGE: Final = "两项都报的项目占分母不足{share},不公布"
UNKNOWN_NAME: Final = "未填"


def project_rates(data: PeriodData, programme: Programme) -> Product:
    """Cells and parts of the mart ``projects_rates`` of a quarter; empty where the edition defines no projects."""
    edition = programme.edition_for(data.period)
    frame = data.rosters.get(ROSTER)
    if edition.projects is None or frame is None or frame.is_empty():
        return product_of([], [])
    definition = edition.projects.data
    areas = areas_of(programme.codelists["parks"].valid(data.period.end))
    env = replace(environment_for(programme, data.period, data=data), areas=lookups(areas.values()))
    groups = [g for g in definition.get("group", ()) if g["code"] in frame.columns]
    grouped = frame.with_columns(
        pl.col(g["code"]).cast(pl.String).fill_null(UNKNOWN_CATEGORY).alias(g["id"]) for g in groups
    )
    ready = classified(replace(data, rosters={**data.rosters, ROSTER: grouped}), env, sub_park_codes(edition))
    breakdowns: list[str | Breakdown] = ["total", "zone", "sub_park"]
    breakdowns += [Breakdown(g["id"], g["id"], ("area", "zone")) for g in groups]
    nodes = {r["id"]: r["formula"] for r in definition["rate"]}
    found = area_figures(nodes, ready, areas, areas_present(data, programme), breakdowns, env)
    minimum = coverage_minimum(edition)
    shares = {(r["area"], r["breakdown"], r["category"]): r for r in found.coverage.iter_rows(named=True)}
    rows = [
        _cell(rate, row, shares, areas, edition, {g["id"]: g["code"] for g in groups}, str(data.period), minimum)
        for row in found.values.iter_rows(named=True)
        for rate in definition["rate"]
    ]
    cells = pl.DataFrame(rows, infer_schema_length=None).with_columns(
        row_key("area", "breakdown", "category", "indicator")
    )
    keys = cells.select("row_key", "area", "breakdown", "category", name="indicator")
    joined = keys.join(found.parts, on=["area", "breakdown", "category", "name"], how="inner")
    return product_of([cells], [shaped_parts(joined.drop("area", "breakdown", "category"))])


def _cell(
    rate: Mapping[str, Any], row: Mapping[str, Any], shares: Mapping[tuple[str, str, str], Mapping[str, Any]],
    areas: Mapping[str, Area], edition: Edition, codes: Mapping[str, str], period: str, minimum: float,
) -> dict[str, Any]:  # fmt: skip
    value, category = row[rate["id"]], str(row["category"])
    share = shares[row["area"], row["breakdown"], category][rate["id"]]
    note = str(rate.get("note", "")) if value is not None else NOTHING
    if value is not None and share is not None and share < minimum:
        value, note = None, LOW_COVERAGE.format(share=percent(minimum))
    options = edition.indicators[codes[row["breakdown"]]].options if row["breakdown"] in codes else {}
    named = options.get(category) or (areas[category].short_name if category in areas else "")
    return {
        "table": "rates",
        "period": period,
        "area": row["area"],
        "area_name": areas[row["area"]].short_name,
        "breakdown": row["breakdown"],
        "category": category,
        "category_name": "合计" if category == TOTAL else named or UNKNOWN_NAME,
        "indicator": rate["id"],
        "indicator_name": rate["name"],
        "unit_measure": rate["unit_measure"],
        "measure": "value",
        "measure_name": "数值",
        "value": value,
        "decimals": int(rate.get("decimals", 0)),
        "status": "P" if value is not None else "M",
        "note": note,
        "formula": rate["formula"],
    }


def project_risks(data: PeriodData, programme: Programme) -> Product:
    """Internal cells: every project one of the conditions holds for, with its signing date and funds in the note."""
    edition = programme.edition_for(data.period)
    frame = data.rosters.get(ROSTER)
    if edition.projects is None or frame is None or frame.is_empty():
        return product_of([], [])
    env = environment_for(programme, data.period, data=data)
    names = {a.code: a.short_name for a in areas_of(programme.codelists["parks"].valid(data.period.end)).values()}
    rows: list[dict[str, Any]] = []
    for risk in edition.projects.data.get("risk", ()):
        held = frame.filter(evaluate_rows(risk["condition"], frame, env).fill_null(False))
        rows += [_risk(risk, project, names, str(data.period)) for project in held.iter_rows(named=True)]
    return _internal(rows)


def _risk(risk: Mapping[str, Any], project: Mapping[str, Any], names: Mapping[str, str], period: str) -> dict[str, Any]:
    return {
        "table": "risks", "period": period, "area": project["park"], "area_name": names.get(project["park"], project["park"]),
        "breakdown": "project", "category": project["unit_id"], "category_name": project["unit_id"], "indicator": risk["id"],
        "indicator_name": risk["name"], "unit_measure": "-", "measure": "holds", "measure_name": "成立", "value": 1.0,
        "decimals": 0, "status": "A", "note": risk["name"], "formula": risk["condition"],
    }  # fmt: skip


def listed_units(found: pl.DataFrame, programme: Programme, period: PeriodData) -> Product:
    """Internal cells of the lists of units and projects that meet a threshold (``targets.threshold_list``)."""
    names = {a.code: a.short_name for a in areas_of(programme.codelists["parks"].valid(period.period.end)).values()}
    rows = [
        {
            "table": "thresholds", "period": str(period.period), "area": row["area"], "area_name": names.get(row["area"], ""),
            "breakdown": "unit", "category": row["unit_id"], "category_name": row["unit_id"], "indicator": str(row["row_no"]),
            "indicator_name": row["name"], "unit_measure": "-", "measure": "value", "measure_name": "数值", "value": row["value"],
            "decimals": 2, "status": "A", "note": f"填报园区:{names.get(row['park'], row['park'])}", "formula": "",
        }
        for row in found.iter_rows(named=True)
    ]  # fmt: skip
    return _internal(rows)


def _internal(rows: Sequence[Mapping[str, Any]]) -> Product:
    if not rows:
        return product_of([], [])
    cells = pl.DataFrame(rows, infer_schema_length=None).with_columns(row_key("area", "indicator", "category"))
    return product_of([cells], [administrative_parts(cells, "internal")])
