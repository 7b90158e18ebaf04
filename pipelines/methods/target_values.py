"""What a target stands at: its formula for its area, the task register, or the units that meet a threshold.

Source: index_system.md 5 and 8.4 of survey_system.md. A value that cannot be computed says which data are missing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import polars as pl

from exports.display import percent
from pipelines.methods.area_figures import area_figures, classified, surveyed
from pipelines.methods.areas import Area, lookups
from pipelines.methods.estimates import Estimates
from pipelines.methods.target_progress import is_strict
from schemas import reserved
from schemas.environment import Environment
from schemas.expression import functions, operand_column, operands, parse
from schemas.model import Target
from schemas.period_data import CONTEXT, ENTERPRISE, PARK, PeriodData
from schemas.polars_target import evaluate_rows
from schemas.roles import Roles
from schemas.target_paths import window_of
from schemas.typed_expression import rosters_of

At = Callable[[int], PeriodData | None]
MILESTONE: Final = "里程碑"
COUNT_UNITS: Final = ("个", "户", "家", "名", "件", "项", "位")
NOT_ADDED_UP: Final = ("%", "倍", "—", "位")  # units of measure whose figures are not added up over responsible bodies
WITH_NEXT: Final = "与下一行同时满足"
ABOVE: Final = ">"
THRESHOLD_COLUMNS: Final = {
    "row_no": pl.Int64(),
    "area": pl.String(),
    "park": pl.String(),
    "unit_id": pl.String(),
    "value": pl.Float64(),
    "meets": pl.Boolean(),
}


@dataclass(frozen=True)
class TargetValue:
    """``value`` with why it is missing. ``parts``: (part, role, n, max1, max2, total, absolute_total, administrative).
    ``is_estimated``: units stand for others in it, or are estimated."""

    value: float | None
    problem: str = ""
    parts: pl.DataFrame | None = None
    year: int | None = None
    is_estimated: bool = False


def with_quarterly_rosters(annual: PeriodData, quarter: PeriodData | None) -> PeriodData:
    """Annual observations with the rosters that are only kept by quarter (projects, tasks) as they stood at year end."""
    if quarter is None:
        return annual
    taken = {
        name: frame
        for name, frame in quarter.rosters.items()
        if name != ENTERPRISE and (name not in annual.rosters or annual.rosters[name].is_empty())
    }
    return replace(annual, rosters={**annual.rosters, **taken})


def computed_values(
    targets: Sequence[Target],
    area_of: Mapping[int, str],
    areas: Mapping[str, Area],
    year: int,
    at: At,
    env: Environment,
    first_years: Mapping[str, int],
    sub_parks: Mapping[str, str],
    coverage_minimum: float,
    labels: Mapping[str, str],
) -> dict[int, TargetValue]:
    """row_no → value for the targets tracked by formula; ``labels`` names indicators and parks in what is said of gaps.

    A target whose year is past is taken as of its own year: a level reached in 2020 is not judged by 2023. ``at``: year →
    annual observations with their quarterly rosters; they are prepared here, once a year.
    """
    prepared = _Prepared(at, env, sub_parks)
    estimates = Estimates(prepared.of)
    found: dict[int, TargetValue] = {}
    groups: dict[tuple[int, int, tuple[int, int] | None], list[Target]] = {}
    for target in targets:
        when = min(year, target.target_year) if target.target_year is not None else year
        groups.setdefault((when, first_years[target.plan_id], window_of(target)), []).append(target)
    for (when, first, stage), members in sorted(
        groups.items(), key=lambda item: (item[0][0], item[0][1], item[0][2] or (0, 0))
    ):
        data = prepared.of(when)
        if data is None:
            found |= {t.row_no: TargetValue(None, f"缺{when}年年报数据", year=when) for t in members}
            continue
        own = replace(env.with_data(data), at=prepared.of, plan_start=first, stage=stage, areas=lookups(areas.values()))
        found |= _evaluated(members, area_of, areas, data, own, coverage_minimum, labels, estimates)
    return found


class _Prepared:
    """Annual observations as they count, prepared once a year."""

    def __init__(self, at: At, env: Environment, sub_parks: Mapping[str, str]) -> None:
        self.at, self.env, self.sub_parks = at, env, sub_parks
        self.kept: dict[int, PeriodData | None] = {}

    def of(self, year: int) -> PeriodData | None:
        if year not in self.kept:
            data = self.at(year)
            self.kept[year] = (
                classified(surveyed(data, self.env), self.env, self.sub_parks) if data is not None else None
            )
        return self.kept[year]


def _evaluated(
    targets: Sequence[Target],
    area_of: Mapping[int, str],
    areas: Mapping[str, Area],
    data: PeriodData,
    env: Environment,
    coverage_minimum: float,
    labels: Mapping[str, str],
    estimates: Estimates,
) -> dict[int, TargetValue]:
    year = data.period.year
    possible = [t for t in targets if areas[area_of[t.row_no]].zones or areas[area_of[t.row_no]].is_sub_park]
    found = {
        t.row_no: TargetValue(
            None, f"{areas[area_of[t.row_no]].short_name}在园区名录中没有成员园区,不能汇总", year=year
        )
        for t in targets
        if t not in possible
    }
    if not possible:
        return found
    nodes = {str(t.row_no): t.formula for t in possible}
    codes = sorted({area_of[t.row_no] for t in possible})
    figures = area_figures(nodes, data, areas, codes, ["total"], env)
    values = {row["area"]: row for row in figures.values.iter_rows(named=True)}
    shares = {row["area"]: row for row in figures.coverage.iter_rows(named=True)}
    for target in possible:
        name, area = str(target.row_no), areas[area_of[target.row_no]]
        value = values.get(area.code, {}).get(name)
        share = shares.get(area.code, {}).get(name)
        parts = figures.parts.filter((pl.col("area") == area.code) & (pl.col("name") == name))
        problem = ""
        if value == 0 and all(said for _, said in _codes(target.formula, area, data, env, labels)):
            value = None  # a count of nothing reported is 0 in the language; of a target it would be a finding
        if (
            value is None
            and year < (env.stage[0] if env.stage else env.plan_start or year)
            and _over_years(target.formula)
        ):
            problem = f"{year}年在规划或阶段开始之前,没有累计数"
        elif value is None:
            problem = missing_data(target.formula, area, data, env, labels, figures.missing_years.get(name, ()))
        elif share is not None and share < coverage_minimum:
            value, problem = None, f"可比单位占{percent(share)},不足{percent(coverage_minimum)},不公布"
        estimated = value is not None and estimates.behind(target.formula, area, year, env)
        found[target.row_no] = TargetValue(value, problem, parts, year, estimated)
    return found


def _over_years(formula: str) -> bool:
    """Whether a formula adds up the years of the plan or of a stage."""
    return bool(functions(parse(formula)) & {"CUM", "STAGE", "STAGE_DELTA"})


def missing_data(
    formula: str,
    area: Area,
    data: PeriodData,
    env: Environment,
    labels: Mapping[str, str],
    missing_years: Iterable[int] = (),
) -> str:
    """Why a formula has no value for an area: years not on file, parks or units that did not report an indicator."""
    years = sorted(set(missing_years))
    reasons = [f"缺{'、'.join(map(str, years))}年数据"] if years else []
    reasons += [said for _, said in _codes(formula, area, data, env, labels) if said]
    return ";".join(reasons) or "分母为零或所需数据不全"


def _codes(
    formula: str, area: Area, data: PeriodData, env: Environment, labels: Mapping[str, str]
) -> list[tuple[str, str]]:
    """(code, what is missing of it, empty if nothing) of every indicator a formula reads."""
    codes = sorted({code for code, _ in operands(parse(formula)) if code in env.variables})
    return [(code, _missing_code(code, area, data, env, labels)) for code in codes]


def _missing_code(code: str, area: Area, data: PeriodData, env: Environment, labels: Mapping[str, str]) -> str:
    roster, label = env.variables[code].roster, labels.get(code, code)
    if roster == PARK:
        own = data.parks.filter(pl.col("park").is_in(area.zones))
        if code not in own.columns or own[code].null_count() == own.height:
            return f"没有园区报送{label}"
        silent = {*own.filter(pl.col(code).is_null())["park"].to_list(), *(set(area.zones) - set(own["park"]))}
        return f"{'、'.join(labels.get(p, p) for p in sorted(silent))}未报{label}" if silent else ""
    if roster == CONTEXT:
        year = data.period.year
        rows = data.context.filter((pl.col(reserved.YEAR) == year) & pl.col(reserved.AREA).is_in(area.lookup))
        known = code in rows.columns and rows[code].drop_nulls().len() > 0
        return "" if known else f"背景资料没有{year}年的{label}"
    frame = data.rosters.get(roster)
    if frame is None or code not in frame.columns:
        return f"没有单位报送{label}"
    at_home = pl.col("sub_park") == area.code if area.is_sub_park else pl.col("park").is_in(area.zones)
    return "" if frame.filter(at_home)[code].drop_nulls().len() else f"没有单位报送{label}"


def task_values(targets: Sequence[Target], tasks: pl.DataFrame | None, roles: Roles) -> dict[int, TargetValue]:
    """row_no → cumulative figure of the task register, over the responsible bodies that report the task.

    A milestone is reached when one of them reports it; shares and ranks of several bodies are not added up. Where a body
    did not report this time its last figure stands (the column of ``roles.task_value`` that ends in ``_last``).
    """
    # A year without its fourth quarter on file has a roster of tasks without their figures: tasks report quarterly only.
    if tasks is None or not roles.has_tasks or roles.task_value not in tasks.columns:
        return {t.row_no: _task_value(t, None, roles) for t in targets}
    value, before = roles.task_value, operand_column(roles.task_value, "last")
    latest = pl.coalesce(value, before) if before in tasks.columns else pl.col(value)
    reported = tasks.with_columns(latest.cast(pl.Decimal(38, 4)).alias(value)).filter(pl.col(value).is_not_null())
    by_task = {str(key): group for (key,), group in reported.group_by(roles.task)}
    return {t.row_no: _task_value(t, by_task.get(str(t.row_no)), roles) for t in targets}


def _task_value(target: Target, rows: pl.DataFrame | None, roles: Roles) -> TargetValue:
    if rows is None or rows.is_empty():
        return TargetValue(None, f"任务表没有第{target.row_no}号任务的报送")
    units = set(rows[roles.task_unit].drop_nulls().to_list()) if roles.task_unit in rows.columns else set()
    if strange := sorted(units - {target.unit_measure}):
        return TargetValue(None, f"任务表的计量单位“{'、'.join(strange)}”与目标的“{target.unit_measure}”不同")
    if MILESTONE in target.scope_note:
        return TargetValue(max(float(v) for v in rows[roles.task_value].to_list()))
    if rows.height > 1 and target.unit_measure in NOT_ADDED_UP:
        return TargetValue(None, f"有{rows.height}个责任单位填报,{target.unit_measure}不能相加")
    return TargetValue(float(rows[roles.task_value].sum()))


def threshold_units(
    targets: Sequence[Target],
    area_of: Mapping[int, str],
    areas: Mapping[str, Area],
    data: PeriodData,
    env: Environment,
    company: str = "",
) -> pl.DataFrame:
    """(row_no, area, park, unit_id, value, meets) of every unit or project a threshold can be asked of.

    Internal: it names units. A pair whose first row says so must be met together (``与下一行同时满足``): ``meets`` then
    stands for both. A threshold of enterprises asked of projects goes by the company that took the project over (``company``:
    the code that names it on the project, ``[roles] project_company``).
    """
    more = {t.row_no for t in targets if is_strict(t) or ABOVE in t.scope_note}
    more |= {t.row_no + 1 for t in targets if t.row_no in more and WITH_NEXT in t.note}
    tables = [_asked(t, areas[area_of[t.row_no]], data, env, company, strict=t.row_no in more) for t in targets]
    table = pl.concat([pl.DataFrame(schema=THRESHOLD_COLUMNS), *tables])
    for target in targets:
        if WITH_NEXT in target.note:
            pair = [target.row_no, target.row_no + 1]
            together = (pl.col("meets").all() & (pl.len() == 2)).over("area", "unit_id")
            both = table.filter(pl.col("row_no").is_in(pair)).with_columns(together.alias("meets"))
            table = pl.concat([table.filter(~pl.col("row_no").is_in(pair)), both])
    return table.sort("row_no", "area", "unit_id")


def _asked(
    target: Target, area: Area, data: PeriodData, env: Environment, company: str, *, strict: bool
) -> pl.DataFrame:
    roster = next(iter(rosters_of(env.typed(target.formula))), ENTERPRISE)
    frame = data.rosters.get(roster)
    empty = pl.DataFrame(schema=THRESHOLD_COLUMNS)
    if frame is None or target.target_value is None:
        return empty
    values = frame.select("unit_id", "park").with_columns(
        evaluate_rows(target.formula, frame, env.with_data(data)).cast(pl.Float64).alias("value")
    )
    if target.scope == "project" and roster == ENTERPRISE:
        projects = data.rosters.get("projects")
        if projects is None or company not in projects.columns:
            return empty
        of_company = values.select(pl.col("unit_id").alias(company), "value")
        values = projects.select("unit_id", "park", company).join(of_company, on=company).drop(company)
    inside = values.filter(pl.col("park").is_in(area.zones) & pl.col("value").is_not_null())
    bound = target.target_value
    above = pl.col("value") > bound if strict else pl.col("value") >= bound
    return inside.select(
        pl.lit(target.row_no, dtype=pl.Int64).alias("row_no"),
        pl.lit(area.code).alias("area"),
        "park",
        "unit_id",
        "value",
        above.alias("meets"),
    )


def first_years(plans: pl.DataFrame) -> dict[str, int]:
    """Plan → first year, from the code list ``plans``."""
    return {
        code: int(year) for code, year in plans.select("code", "first_year").iter_rows() if re.fullmatch(r"\d{4}", year)
    }
