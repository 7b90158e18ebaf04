"""The early-warning table 预警: 16 indicators an area, each with value, level and reason, and the combined level.

Indicators, bounds and parameters are data (``warnings.toml``). Source: index_system.md 5; docs/methods/warnings.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import polars as pl

from exports.display import figure
from pipelines.methods.area_figures import KEYS, TOTAL, area_figures, classified, surveyed
from pipelines.methods.areas import Area, areas_of, lookups, memberships
from pipelines.methods.disclosure.protect import BAND
from pipelines.methods.monitoring import areas_present
from pipelines.methods.monitoring_notes import SILENT
from pipelines.methods.monitoring_sides import MonitoringRound, additive_indicators, sides_of, sub_park_codes
from pipelines.methods.product import Product, administrative_parts, product_of, shaped_parts
from pipelines.methods.response import response_rates, silent_and_estimated
from pipelines.methods.warning_levels import (
    NAMES,
    RED,
    Parameters,
    Settled,
    bound_sentence,
    combined,
    deviation,
    floor_sentence,
    raw_level,
    robust_z,
    sentence,
    settled,
)
from pipelines.methods.warning_targets import last_years, target_gap
from schemas.environment import environment_for
from schemas.marts import row_key
from schemas.model import Edition, Programme, WarningIndicator
from schemas.period import Period
from schemas.period_data import ENTERPRISE

TABLE: Final = "warnings"
COMBINED: Final = "W"
COMBINED_NAME: Final = "综合等级"
PERCENT: Final = "%"

MEASURES: Final[dict[str, tuple[str, str, int]]] = {
    # measure: (name, unit, decimals); "" takes the indicator's
    "value": ("指标值", "", 1),
    "level": ("预警等级", "级", 0),
    "raw_level": ("按界限的等级", "级", 0),
    "sample": ("样本单位数", "户", 0),
    "comparable": ("可比单位份额", PERCENT, 1),
    "value_constant": ("不变价同比", PERCENT, 1),
    "robust_z": ("稳健z值", "", 2),
    "score": ("信号分", "分", 2),
}
NOT_COMPUTABLE: Final = "数据不全,不能计算"
NO_PRICES: Final = "价格指数未公布,不计算不变价同比"
INCREMENT_SMALL: Final = "增量的绝对值不足上年同期总量的1%,不定级"
EARLY: Final = "以前季度不足,不计算"


@dataclass(frozen=True)
class Reading:
    """One indicator of one area in one quarter. ``problem`` says why there is no level although there may be a value;
    ``sample`` and ``comparable`` (share, 0 to 1) are None where the rule on them does not apply. ``silent``, ``estimated``: due units
    without a report that are not in it, and those in it with estimates. ``rests_on``: what the value was made from, in words."""

    value: float | None
    sample: int | None = None
    comparable: float | None = None
    problem: str = ""
    constant: float | None = None
    silent: int = 0
    estimated: int = 0
    rests_on: str = ""


@dataclass(frozen=True)
class Readings:
    """(area, indicator) → reading of one quarter, and the parts behind the values: area, indicator, then part columns."""

    period: Period
    found: Mapping[tuple[str, str], Reading]
    parts: pl.DataFrame = field(default_factory=lambda: shaped_parts(pl.DataFrame({"row_key": []})))


def monitoring_warnings(
    rounds: Mapping[str, MonitoringRound],
    programme: Programme,
    *,
    targets: Product | None = None,
    areas_wanted: Sequence[str] | None = None,
) -> Product:
    """Cells and parts of the mart ``monitoring_warnings`` for the newest quarter of ``rounds`` (period → round).

    Earlier consecutive quarters settle escalation and recovery and feed the robust z; without them every level is that of
    its bound. ``targets``: progress of the plans as last computed (measure ``gap``), for W15.
    """
    newest = max(Period.parse(p) for p in rounds)
    edition = programme.edition_for(newest)
    areas = areas_of(programme.codelists["parks"].valid(newest.end))
    chosen = list(areas_wanted) if areas_wanted is not None else areas_present(rounds[str(newest)].now, programme)
    history = [
        warning_readings(rounds[str(p)], programme, chosen, targets if p == newest else None)
        if str(p) in rounds
        else None
        for p in _consecutive(rounds, newest)
    ]
    cells, parts = [], []
    for code in chosen:
        own, behind = _area_cells(areas[code], history, edition)
        cells.append(own)
        parts.append(behind)
    return product_of(cells, parts)


def _consecutive(rounds: Iterable[str], newest: Period) -> list[Period]:
    """Every quarter from the oldest one given to the newest, gaps included."""
    oldest = min(Period.parse(p) for p in rounds)
    found = [newest]
    while found[0] > oldest:
        found.insert(0, found[0].previous() or Period(found[0].year - 1, 4))
    return found


def warning_readings(
    round_: MonitoringRound, programme: Programme, chosen: Sequence[str], targets: Product | None = None
) -> Readings:
    """The value of every warning indicator for every area of one quarter."""
    period = round_.now.period
    edition = programme.edition_for(period)
    areas = areas_of(programme.codelists["parks"].valid(period.end))
    found: dict[tuple[str, str], Reading] = {}
    known = [c for c in chosen if c in areas]
    parts = [_formula_readings(round_, programme, edition, areas, known, found)]
    for warning in edition.warnings:
        match warning.definition.get("kind", "formula"):
            case "response":
                rates = response_rates(round_.now, [areas[c] for c in known])
                found |= {(c, warning.id): Reading(rates.get(c, (None, 0))[0]) for c in known}
            case "targets":
                ends = last_years(edition, period)
                for code in known:
                    gap = target_gap(targets, code, ends, period)
                    found[code, warning.id] = Reading(gap.value, gap.count, problem=gap.problem, rests_on=gap.rests_on)
            case "concentration":
                parts.append(_concentration(round_, programme, edition, warning, [areas[c] for c in known], found))
    return Readings(period, found, pl.concat(parts))


def _formula_readings(
    round_: MonitoringRound,
    programme: Programme,
    edition: Edition,
    areas: Mapping[str, Area],
    chosen: Sequence[str],
    found: dict[tuple[str, str], Reading],
) -> pl.DataFrame:
    period = round_.now.period
    env = replace(environment_for(programme, period), areas=lookups(areas.values()))
    nodes = {w.id: w.formula for w in edition.warnings if w.formula}
    for warning in edition.warnings:
        if warning.formula and (price := warning.definition.get("deflator")):
            nodes[f"{warning.id}@{price}"] = f"((({warning.formula})/100+1)/({price}/100)-1)*100"
    data = classified(surveyed(round_.now, env), env, sub_park_codes(edition))
    figures = area_figures(nodes, data, areas, chosen, ["total"], env)
    sizes = figures.parts.group_by("area", "name").agg(pl.col("n").max())
    sample = {(area, name): n for area, name, n in sizes.iter_rows()}
    shares = {row["area"]: row for row in figures.coverage.iter_rows(named=True)}
    values = {row["area"]: row for row in figures.values.iter_rows(named=True)}
    unheard = silent_and_estimated(round_.now, [areas[c] for c in chosen])
    rosters = {w.id: {e.roster for e in env.typed(w.formula).walk()} for w in edition.warnings if w.formula}
    for code in chosen:
        for warning in (w for w in edition.warnings if w.formula):
            silent, estimated = unheard.get(code, (0, 0)) if ENTERPRISE in rosters[warning.id] else (0, 0)
            deflated = f"{warning.id}@{warning.definition.get('deflator', '')}"
            ruled = warning.definition.get("sample", True)
            found[code, warning.id] = Reading(
                value=values.get(code, {}).get(warning.id),
                sample=sample.get((code, warning.id)) if ruled else None,
                comparable=shares.get(code, {}).get(warning.id) if ruled else None,
                constant=values.get(code, {}).get(deflated),
                silent=silent,
                estimated=estimated,
            )
    return figures.parts.rename({"name": "indicator"}).drop("breakdown", "category")


def _concentration(
    round_: MonitoringRound,
    programme: Programme,
    edition: Edition,
    warning: WarningIndicator,
    areas: Sequence[Area],
    found: dict[tuple[str, str], Reading],
) -> pl.DataFrame:
    """Largest contribution of one unit to the increment of the area, in percent (W16)."""
    parameters, code = Parameters.of(warning.definition), str(warning.definition["code"])
    only = {r: [i for i in found if i.code == code] for r, found in additive_indicators(edition).items()}
    units = sides_of(round_, edition, environment_for(programme, round_.now.period), only).units
    both = pl.col("amount").is_not_null() & pl.col("restated").is_not_null()
    pairs = units.filter(both).with_columns(change=pl.col("amount") - pl.col("restated"))
    rows = pairs.join(memberships(areas).select("park", "area"), on="park", how="inner")
    scale = float(10 ** edition.indicators[code].decimals)
    size = pl.col("change").abs()
    sums = rows.group_by("area").agg(
        n=(pl.col("change") != 0).sum().cast(pl.Int64),
        units=pl.len(),
        total=pl.col("change").sum().cast(pl.Float64) / scale,
        base=pl.col("restated").sum().cast(pl.Float64) / scale,
        up=pl.col("change").max().cast(pl.Float64) / scale,
        down=pl.col("change").min().cast(pl.Float64) / scale,
        max1=size.max().cast(pl.Float64) / scale,
        max2=pl.when(size.count() > 1).then(size.top_k(2).min()).cast(pl.Float64) / scale,
        absolute_total=size.sum().cast(pl.Float64) / scale,
    )
    reached, unheard = rows.select("area").unique(), silent_and_estimated(round_.now, areas)
    for row in sums.iter_rows(named=True):
        moved = abs(row["total"])
        small = moved < parameters.increment_minimum * abs(row["base"]) or moved == 0
        leader = row["up"] if row["total"] > 0 else row["down"]
        value = None if small else leader / row["total"] * 100
        problem = INCREMENT_SMALL if small else ""
        silent, estimated = unheard.get(row["area"], (0, 0))
        found[row["area"], warning.id] = Reading(value, row["units"], None, problem, None, silent, estimated)
    for area in areas:
        found.setdefault((area.code, warning.id), Reading(None))
    text = f"SUM({code} - yoy({code}))"
    whole = sums.with_columns(part=pl.lit(text), role=pl.lit("denominator"))
    # The largest change is the figure of one unit: it stands behind the value, and behind every level but the normal one.
    single = sums.filter(pl.col("n") > 0).with_columns(
        part=pl.lit(f"max({text})"), role=pl.lit("numerator"), n=pl.lit(1, dtype=pl.Int64),
        total=pl.col("max1"), max2=pl.lit(None, dtype=pl.Float64), absolute_total=pl.col("max1"),
    )  # fmt: skip
    columns = ["area", "part", "role", "n", "max1", "max2", "total", "absolute_total"]
    table = pl.concat([whole.select(columns), single.select(columns)]).join(reached, on="area", how="semi")
    return table.with_columns(indicator=pl.lit(warning.id), administrative=pl.lit(False)).select(
        "area", "indicator", "part", "role", "n", "max1", "max2", "total", "absolute_total", "administrative"
    )


def _judged(reading: Reading, warning: WarningIndicator, parameters: Parameters) -> tuple[int | None, str]:
    """(level of the bound, why there is none)."""
    if reading.value is None:
        return None, reading.problem or NOT_COMPUTABLE
    if reading.sample is not None and reading.sample < parameters.sample_minimum:
        number, of_what = parameters.counted
        few = f"样本只有{reading.sample}{number}{of_what},不足{parameters.sample_minimum}{number}"
        return None, f"{few},只提示不定级"
    if reading.comparable is not None and reading.comparable < parameters.comparable_minimum:
        least = parameters.comparable_minimum * 100
        return None, f"可比单位占{figure(reading.comparable * 100, 0)}%,不足{figure(least, 0)}%,只提示不定级"
    return raw_level(reading.value, warning.levels), reading.problem


def _area_cells(area: Area, history: Sequence[Readings | None], edition: Edition) -> tuple[pl.DataFrame, pl.DataFrame]:
    newest = history[-1]
    assert newest is not None
    rows: list[dict[str, Any]] = []
    levels: dict[str, int | None] = {}
    weights: dict[str, float] = {}
    for warning in edition.warnings:
        parameters = Parameters.of(warning.definition)
        reading = newest.found.get((area.code, warning.id), Reading(None))
        earlier = [r.found.get((area.code, warning.id)) if r else None for r in history[:-1]]
        raws = [_judged(e, warning, parameters)[0] if e else None for e in earlier]
        raw, problem = _judged(reading, warning, parameters)
        standing = settled([*raws, raw], parameters)[-1]
        levels[warning.id] = standing.level
        weights[warning.id] = float(warning.definition.get("weight", 1))
        before = [e.value if e else None for e in earlier]
        z = robust_z(reading.value, before, parameters, 10.0 ** -_decimals(warning))
        rows += _rows(area, newest.period, warning, reading, standing, problem, z, parameters)
    rows += _combined_rows(area, newest.period, levels, weights, edition)
    cells = pl.DataFrame(rows, infer_schema_length=None).with_columns(row_key("area", "indicator", "measure"))
    return cells, _parts(cells, newest)


def _rows(
    area: Area,
    period: Period,
    warning: WarningIndicator,
    reading: Reading,
    standing: Settled,
    problem: str,
    z: float | None,
    parameters: Parameters,
) -> list[dict[str, Any]]:
    def cell(
        measure: str, value: float | None, note: str, missing: str = "M", known: str = "P", **more: Any
    ) -> dict[str, Any]:
        row = _cell(area, period, warning.id, warning.name, measure, value, note, missing, known)
        return {**row, "unit_measure": row["unit_measure"] or warning.unit, **more}

    raw = standing.raw
    said = _said(reading.value, raw, warning) if reading.value is not None else ""
    about = "。".join(filter(None, (said, reading.rests_on, problem, _of_whom(reading))))
    firm = "E" if reading.estimated else "P"
    reason = problem if raw is None else bound_sentence(raw, warning.levels, warning.unit)
    decimals = _decimals(warning)
    unset = "M" if reading.value is None else "Z"
    found = [
        cell("value", reading.value, about, known=firm, decimals=decimals, formula=warning.formula),
        cell("level", standing.level, "。".join(filter(None, (reason, standing.note))), unset, firm),
        cell("raw_level", raw, problem, unset, firm),
    ]
    if reading.sample is not None:
        number, of_what = parameters.counted
        named = {"unit_measure": number, "measure_name": f"样本{of_what}数"} if of_what else {}
        found.append(cell("sample", reading.sample, "", known="A", **named))
    if reading.comparable is not None:
        found.append(cell("comparable", reading.comparable * 100, ""))
    if "deflator" in warning.definition:
        note = f"按{warning.definition['deflator']}缩减" if reading.constant is not None else NO_PRICES
        found.append(cell("value_constant", reading.constant, note, known=firm))
    found.append(
        cell("robust_z", z, EARLY if z is None else deviation(z, warning.levels, parameters), "Z", unit_measure="-")
    )
    return found


def _of_whom(reading: Reading) -> str:
    """Who is missing from the value, and for whom something was put in; empty where every due unit answered."""
    if reading.value is None:
        return ""
    said = [f"含{reading.estimated}户估算数"] if reading.estimated else []
    return "。".join(said + ([SILENT.format(reading.silent)] if reading.silent else []))


def _said(value: float, raw: int | None, warning: WarningIndicator) -> str:
    """The reason in a sentence; without a level only what the value is."""
    full = sentence(warning.definition, value, raw or 0, warning.levels, warning.unit)
    return full if raw is not None else full.rpartition(",")[0]


def _decimals(warning: WarningIndicator) -> int:
    return int(warning.definition.get("decimals", 1))


def _combined_rows(
    area: Area, period: Period, levels: Mapping[str, int | None], weights: Mapping[str, float], edition: Edition
) -> list[dict[str, Any]]:
    parameters = Parameters.of(edition.warnings[0].definition) if edition.warnings else Parameters()
    level, score = combined(levels, weights, parameters)
    fired = [f"{NAMES[n]}{sum(v == n for v in levels.values())}项" for n in (4, 3, 2, 1) if n in levels.values()]
    unset = sum(v is None for v in levels.values())
    counts = "、".join([*fired, *([f"不定{unset}项"] if unset else [])]) or "各项均在界限之内"
    held = floor_sentence([i for i, n in levels.items() if n == RED], level, parameters.floor)
    note = "。".join(filter(None, (counts, held)))
    return [
        _cell(area, period, COMBINED, COMBINED_NAME, "level", level, note, "M", "P"),
        _cell(area, period, COMBINED, COMBINED_NAME, "score", score, f"参数版本 {parameters.version}", "M", "P"),
    ]


def _cell(
    area: Area,
    period: Period,
    indicator: str,
    indicator_name: str,
    measure: str,
    value: float | None,
    note: str,
    missing: str,
    known: str,
) -> dict[str, Any]:
    name, unit, decimals = MEASURES[measure]
    return {
        "table": TABLE,
        "period": str(period),
        "area": area.code,
        "area_name": area.short_name,
        "breakdown": "total",
        "category": TOTAL,
        "category_name": "合计",
        "indicator": indicator,
        "indicator_name": indicator_name,
        "unit_measure": unit,
        "measure": measure,
        "measure_name": name,
        "value": None if value is None else float(value),
        "decimals": decimals,
        "status": missing if value is None else known,
        "note": note,
        "formula": "",
    }


def _parts(cells: pl.DataFrame, newest: Readings) -> pl.DataFrame:
    """Sums behind value and levels; a normal level of concentration without the single unit; everything else administrative."""
    measured = cells.filter(pl.col("measure").is_in(["value", "level", "raw_level", "value_constant", "robust_z"]))
    keys = measured.select("row_key", "area", "indicator", "measure", "value")
    plain = newest.parts.filter(~pl.col("indicator").str.contains("@", literal=True))
    is_band = pl.col("measure").is_in(["level", "raw_level"])
    # A level above the normal says that the largest change of one unit lies between so and so many percent of the published increment.
    is_wide = is_band & (pl.col("value").fill_null(0) == 0)
    single = pl.col("part").str.starts_with("max(") & is_wide
    behind = keys.join(plain, on=["area", "indicator"]).filter(~single).drop("value")
    behind = behind.with_columns(role=pl.when(is_band).then(pl.lit(BAND)).otherwise("role"))
    rest = cells.join(behind.select("row_key").unique(), on="row_key", how="anti")
    return pl.concat(
        [shaped_parts(behind.drop(*(k for k in KEYS if k in behind.columns))), administrative_parts(rest, TABLE)]
    )
