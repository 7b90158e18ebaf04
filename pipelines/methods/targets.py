"""Progress of the plans 规划目标进展: every row of every plan, none left out.

computed rows by formula for their area, task_register rows from the task register, threshold rows as the number of units
that meet them, context rows as the background they are. A row that cannot be computed says which data are missing.
Source: index_system.md 5; docs/methods/targets.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import polars as pl

from pipelines.methods.area_figures import TOTAL, classified, surveyed
from pipelines.methods.areas import Area, Resolution, areas_of, resolve
from pipelines.methods.monitoring import coverage_minimum
from pipelines.methods.monitoring_sides import sub_park_codes
from pipelines.methods.product import Product, administrative_parts, product_of, shaped_parts
from pipelines.methods.target_progress import (
    STANDING_NAMES,
    STANDING_VALUES,
    Progress,
    Standing,
    completion_pct,
    final_score,
    path_words,
    period_score,
    progress_of,
    still_needed,
)
from pipelines.methods.target_values import (
    COUNT_UNITS,
    NOT_ADDED_UP,
    At,
    TargetValue,
    computed_values,
    first_years,
    task_values,
    threshold_units,
    with_quarterly_rosters,
)
from pipelines.methods.target_versions import basis_of, changed, changes_on
from schemas.environment import environment_for
from schemas.expression import functions, parse
from schemas.marts import row_key
from schemas.model import Programme, Target, TargetChange
from schemas.period_data import PeriodData
from schemas.roles import roles_of

TABLE: Final = "targets"
PERCENT: Final = "%"
POINTS: Final = "百分点"
MEASURES: Final = {
    "baseline": "基线值",
    "target": "目标值",
    "actual": "完成值",
    "completion": "完成率",
    "expected": "应达进度",
    "gap": "进度差",
    "standing": "状态",
    "target_planned": "调整前目标值",
    "completion_planned": "完成率(按调整前)",
    "remaining": "尚需完成",
    "needed_per_year": "尚需年均完成",
    "needed_growth": "尚需年均增长",
    "score_period": "期中得分",
    "score_final": "期末得分",
    "units_meeting": "达到门槛的单位数",
}
# Measures a value stands behind, for disclosure control: each of them would give it away.
DERIVED: Final = ("actual", "completion", "completion_planned", "gap", "standing", "remaining", "needed_per_year", "needed_growth", "score_period", "score_final")  # fmt: skip
OVER_YEARS: Final = frozenset({"CUM", "STAGE", "STAGE_DELTA", "BASE", "CAGR"})
TASKS_HOLD: Final = "任务表填报数"
ONLY_BACKGROUND: Final = "仅作背景,不计完成情况"
NOT_BEGUN: Final = "规划或阶段尚未开始"
NO_TARGET: Final = "原文没有目标值"
NO_COMPLETION: Final = "目标值与基线值相同或完成值为零,不计算完成率"
LEVEL_OF_TIME: Final = "取目标年份的数"

FROM_THE_PLAN: Final = ("baseline", "target", "expected", "target_planned")
ESTIMATED: Final = "含估算或按权数推算"


def targets_progress(
    data: PeriodData,
    programme: Programme,
    at: At | None = None,
    fourth_quarter: At | None = None,
    as_filed: PeriodData | None = None,
) -> Product:
    """Cells and parts of the mart ``targets_progress`` at the end of a year.

    ``data``: the year's annual observations; ``at``: year → annual observations of other years (CUM, BASE, STAGE, CAGR);
    ``fourth_quarter``: year → observations of its last quarter, which hold the projects and the task register.
    ``as_filed``: the year without weights and estimates, where ``data`` has them: thresholds are met by units that said so.
    """
    year = data.period.year
    edition = programme.edition_for(data.period)
    plan = {t.row_no: t for t in edition.targets}
    changes = changes_on(edition.target_changes, data.period.end)
    in_force = [changed(t, changes[t.row_no]) if t.row_no in changes else t for t in edition.targets]
    register = areas_of(programme.codelists["parks"].valid(data.period.end))
    env = environment_for(programme, data.period)
    firsts = first_years(programme.codelists["plans"].rows)
    subs = sub_park_codes(edition)

    def complete(other: int) -> PeriodData | None:
        found = data if other == year else at(other) if at else None
        return with_quarterly_rosters(found, fourth_quarter(other) if fourth_quarter else None) if found else None

    now = complete(year)
    assert now is not None
    places = {t.row_no: resolve(t.area, register) for t in in_force}
    area_of = {row: place.code for row, place in places.items() if place.code}
    by_kind: dict[str, list[Target]] = {}
    for target in in_force:
        by_kind.setdefault(target.tracking, []).append(target)
    values: dict[int, TargetValue] = {}
    known = [t for t in by_kind.get("computed", []) if t.row_no in area_of]
    labels = {code: f"{i.name}({code})" for code, i in edition.indicators.items()}
    labels |= {code: area.short_name for code, area in register.items()}
    values |= computed_values(
        known, area_of, register, year, complete, env, firsts, subs, coverage_minimum(edition), labels
    )
    values |= {
        t.row_no: TargetValue(None, places[t.row_no].problem) for t in by_kind.get("computed", []) if t not in known
    }
    values |= task_values(by_kind.get("task_register", []), now.rosters.get("tasks"), roles_of(edition))
    rows: list[dict[str, Any]] = []
    all_targets = {t.row_no: t for t in in_force}
    for target in in_force:
        place = places[target.row_no]
        if target.tracking in ("computed", "task_register"):
            progress = progress_of(target, values[target.row_no].value, year, firsts[target.plan_id], all_targets)
            words = path_words(target, firsts[target.plan_id])
            measured = _measured(target, place, register, str(data.period), values[target.row_no], progress, words)
            rows += [_marked(row) for row in measured] if values[target.row_no].is_estimated else measured
            if target.row_no in changes:
                change = changes[target.row_no]
                rows += _as_planned(
                    plan[target.row_no], change, place, register, str(data.period), values[target.row_no]
                )
        else:
            rows += _unmeasured(target, place, register, str(data.period))
    filed = with_quarterly_rosters(as_filed, fourth_quarter(year) if fourth_quarter else None) if as_filed else now
    ready = classified(surveyed(filed, env), env, subs)
    thresholds = [t for t in by_kind.get("threshold", []) if t.row_no in area_of]
    met = threshold_units(thresholds, area_of, register, ready, env, roles_of(edition).project_company)
    counted = [_threshold(t, places[t.row_no], register, str(data.period), met) for t in thresholds]
    cells = _frame([*rows, *counted])
    return product_of([cells], [_parts(cells, values, met)])


def _marked(row: dict[str, Any]) -> dict[str, Any]:
    """A cell that rests on estimates or weights says so; what the plan itself states does not."""
    if row["status"] != "A" or row["measure"] in FROM_THE_PLAN:
        return row
    note = ";".join(filter(None, (row["note"], ESTIMATED))) if row["measure"] == "actual" else row["note"]
    return {**row, "status": "E", "note": note}


def threshold_list(data: PeriodData, programme: Programme, fourth_quarter: PeriodData | None = None) -> pl.DataFrame:
    """The units and projects that meet a threshold, for the statistical office only: row_no, name, area, park, unit_id, value."""
    edition = programme.edition_for(data.period)
    register = areas_of(programme.codelists["parks"].valid(data.period.end))
    env = environment_for(programme, data.period)
    ready = classified(surveyed(with_quarterly_rosters(data, fourth_quarter), env), env, sub_park_codes(edition))
    wanted = [t for t in edition.targets if t.tracking == "threshold"]
    area_of = {t.row_no: resolve(t.area, register).code for t in wanted}
    asked = [t for t in wanted if area_of[t.row_no]]
    found = threshold_units(asked, area_of, register, ready, env, roles_of(edition).project_company)
    names = pl.DataFrame(
        {"row_no": [t.row_no for t in wanted], "name": [t.name for t in wanted]},
        schema={"row_no": pl.Int64, "name": pl.String},
    )
    return (
        found.filter("meets")
        .join(names, on="row_no", maintain_order="left")
        .select("row_no", "name", "area", "park", "unit_id", "value")
    )


def _digits(value: float | None) -> int:
    """Decimals a plan value was written with."""
    if value is None:
        return 0
    exponent = Decimal(repr(value)).normalize().as_tuple().exponent
    return max(0, -int(exponent))


def _decimals(target: Target) -> int:
    """Decimals of a result: none for counts, at least two for ratios, never fewer than the plan's own figures."""
    own = max(_digits(target.target_value), _digits(target.baseline_value))
    return own if target.unit_measure in COUNT_UNITS else max(2, own)


def _cell(
    target: Target,
    place: Resolution,
    register: Mapping[str, Area],
    period: str,
    measure: str,
    value: float | None,
    status: str,
    note: str,
    **more: Any,
) -> dict[str, Any]:
    known = register.get(place.code)
    name = f"{place.qualifier}:{target.name}" if place.qualifier else target.name
    due = f"({target.target_year}年)" if target.target_year is not None else ""
    return {
        "table": TABLE,
        "period": period,
        "area": place.code,
        "area_name": known.short_name if known else target.area,
        "breakdown": "total",
        "category": TOTAL,
        "category_name": "合计",
        "indicator": f"{target.plan_id}.{target.row_no}",
        "indicator_name": f"{name}{due}",
        "unit_measure": target.unit_measure,
        "measure": measure,
        "measure_name": MEASURES[measure],
        "value": value,
        "decimals": _decimals(target),
        "status": status,
        "note": note,
        "formula": "",
        **more,
    }


def _plan_cells(target: Target, place: Resolution, register: Mapping[str, Area], period: str) -> list[dict[str, Any]]:
    """Baseline and target as the plan has them, word for word in the note; a plan without one has no such cell."""
    found = []
    for measure, value, year in (
        ("baseline", target.baseline_value, target.baseline_year),
        ("target", target.target_value, target.target_year),
    ):
        if value is not None:
            when = f"{year}年" if year is not None else "年份未写明"
            note = ";".join(filter(None, (when, target.scope_note)))
            found.append(_cell(target, place, register, period, measure, value, "A", note, decimals=_digits(value)))
    return found


def _measured(
    target: Target, place: Resolution, register: Mapping[str, Area], period: str, value: TargetValue, progress: Progress,
    path: str,
) -> list[dict[str, Any]]:  # fmt: skip
    def cell(measure: str, number: float | None, note: str, **more: Any) -> dict[str, Any]:
        return _cell(target, place, register, period, measure, number, "M" if number is None else "A", note, **more)

    about = [target.note]
    if target.tracking == "task_register":
        about.append(TASKS_HOLD)
    if value.year is not None and value.year != int(period):
        about.append(f"{value.year}年数,{LEVEL_OF_TIME}")
    said = ";".join(filter(None, about)) if value.value is not None else value.problem
    found = _plan_cells(target, place, register, period)
    found.append(cell("actual", value.value, said, formula=target.formula))
    if target.target_value is None:
        return found
    why = value.problem if value.value is None else NO_COMPLETION
    found.append(
        cell(
            "completion",
            progress.completion,
            "" if progress.completion is not None else why,
            unit_measure=PERCENT,
            decimals=1,
        )
    )
    if progress.expected is not None:
        found.append(cell("expected", progress.expected, path, unit_measure=PERCENT, decimals=1))
        waiting = NOT_BEGUN if progress.standing is Standing.NONE else why
        found.append(
            cell("gap", progress.gap, "" if progress.gap is not None else waiting, unit_measure=POINTS, decimals=1)
        )
    found.append(_standing_cell(target, place, register, period, progress, value.problem))
    return found + _scored(target, place, register, period, value, progress)


def _as_planned(
    target: Target,
    change: TargetChange,
    place: Resolution,
    register: Mapping[str, Area],
    period: str,
    value: TargetValue,
) -> list[dict[str, Any]]:
    """The plan's own figure and the completion by it, beside those of the version in force (index_system 9.2)."""
    found = [
        _cell(
            target, place, register, period, "target_planned", target.target_value, "A", basis_of(change),
            decimals=_digits(target.target_value),
        )
    ]  # fmt: skip
    if (completion := completion_pct(target, value.value)) is not None:
        found.append(
            _cell(
                target, place, register, period, "completion_planned", completion, "A", "", unit_measure=PERCENT, decimals=1
            )
        )  # fmt: skip
    return found


def _scored(
    target: Target, place: Resolution, register: Mapping[str, Area], period: str, value: TargetValue, progress: Progress
) -> list[dict[str, Any]]:
    """What is still needed, and the scores in the middle and at the end of the plan; only where there is something to say."""
    year = int(period)
    # An increment or a sum over years has no growth of its own, nor has a share, a rank or a multiple.
    is_level = not functions(parse(target.formula)) & OVER_YEARS if target.formula else False
    needed = still_needed(target, value.value, year, is_level=is_level and target.unit_measure not in NOT_ADDED_UP)
    begun = progress.standing is not Standing.NONE
    middle = period_score(progress.completion, progress.expected) if begun else None
    final = final_score(target, value.value, progress.completion, year)
    figures = (
        ("remaining", needed.amount, target.unit_measure, _decimals(target)),
        ("needed_per_year", needed.per_year, target.unit_measure, 2),
        ("needed_growth", needed.growth_pct, PERCENT, 2),
        ("score_period", middle, "分", 1),
        ("score_final", final, "分", 1),
    )
    return [
        _cell(target, place, register, period, measure, number, "A", "", unit_measure=unit, decimals=decimals)
        for measure, number, unit, decimals in figures
        if number is not None
    ]


def _standing_cell(
    target: Target, place: Resolution, register: Mapping[str, Area], period: str, progress: Progress, problem: str
) -> dict[str, Any]:
    standing = progress.standing
    number = STANDING_VALUES.get(standing) if standing is not None else None
    note = STANDING_NAMES[standing] if standing is not None else problem
    status = "A" if number is not None else "Z" if standing is Standing.NONE else "M"
    given = None if number is None else float(number)
    return _cell(target, place, register, period, "standing", given, status, note, unit_measure="-", decimals=0)


def _unmeasured(target: Target, place: Resolution, register: Mapping[str, Area], period: str) -> list[dict[str, Any]]:
    found = _plan_cells(target, place, register, period)
    if target.tracking == "context":
        note = ";".join(filter(None, (ONLY_BACKGROUND, target.note, place.problem)))
        found.append(_cell(target, place, register, period, "actual", None, "Z", note))
    return found


def _threshold(
    target: Target, place: Resolution, register: Mapping[str, Area], period: str, met: pl.DataFrame
) -> dict[str, Any]:
    asked = met.filter(row_no=target.row_no)
    count = float(asked["meets"].sum()) if asked.height else None
    note = target.note if asked.height else "没有可以判断的单位或项目"
    unit = "个" if target.scope == "project" else "户"
    status = "M" if count is None else "A"
    return _cell(
        target, place, register, period, "units_meeting", count, status, note,
        unit_measure=unit, decimals=0, formula=target.formula,
    )  # fmt: skip


def _frame(rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(rows, infer_schema_length=None).with_columns(row_key("indicator", "measure"))


def _parts(cells: pl.DataFrame, values: Mapping[int, TargetValue], met: pl.DataFrame) -> pl.DataFrame:
    """What stands behind a value stands behind its completion, gap and standing; plan figures are administrative."""
    tables = []
    derived = cells.filter(pl.col("measure").is_in(list(DERIVED)))
    for row in derived.select("row_key", "indicator").iter_rows(named=True):
        value = values.get(int(row["indicator"].rpartition(".")[2]))
        if value is not None and value.parts is not None and value.parts.height:
            own = value.parts.drop("area", "breakdown", "category", "name")
            tables.append(shaped_parts(own.with_columns(pl.lit(row["row_key"]).alias("row_key"))))
    counts = met.filter("meets").group_by("row_no").agg(pl.len().cast(pl.Int64).alias("n"))
    numbers: dict[int, int] = dict(counts.iter_rows())
    for row in cells.filter(pl.col("measure") == "units_meeting").select("row_key", "indicator").iter_rows(named=True):
        number = numbers.get(int(row["indicator"].rpartition(".")[2]), 0)
        tables.append(
            shaped_parts(
                pl.DataFrame(
                    {"row_key": [row["row_key"]], "part": [f"COUNT({row['indicator']})"], "role": ["level"], "n": [number],
                     "total": [float(number)], "max1": [1.0 if number else 0.0], "administrative": [False]}
                )
            )
        )  # fmt: skip
    known = (
        pl.concat([t.select("row_key") for t in tables])
        if tables
        else pl.DataFrame({"row_key": []}, schema={"row_key": pl.String})
    )
    rest = cells.join(known, on="row_key", how="anti")
    return pl.concat([*tables, administrative_parts(rest, "plan")])
