"""``ytb index score``: a definition and a table in, scores with their uncertainty, decomposition and audit out."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from exports.display import displayed, figure, number_of
from pipelines.csv_tables import csv_text, write_table
from pipelines.methods.index import audit
from pipelines.methods.index.bounded import Floats
from pipelines.methods.index.decompose import Difference, difference, standing
from pipelines.methods.index.definition import ScoringSystem, parse_system
from pipelines.methods.index.rank_spread import rank_spread, ranks_of
from pipelines.methods.index.results import (
    ahead_frame,
    chained_index,
    differences_frame,
    leave_one_out_frame,
    orders_frame,
    own_weights_frame,
    pairs_frame,
    peers_frame,
    sobol_frame,
    strengths_frame,
    uncertainty_frame,
)
from pipelines.methods.index.robustness import (
    Laboratory,
    RobustnessPlan,
    choices_of,
    laboratory,
    leave_one_out,
    on_nominal_scale,
    random_inputs,
    scores_of,
)
from pipelines.methods.index.score import ScoredYear, compared, places_of, prepare, score_years
from pipelines.methods.index.score_tables import (
    cells_frame,
    missing_findings,
    parameters_frame,
    plan_parameters,
    raised_findings,
    rank_display,
    scores_frame,
    weights_frame,
)
from pipelines.methods.index.sobol import sobol_indices
from pipelines.methods.index.statuses import doubtful_denominators, node_statuses
from pipelines.methods.index.steps import NOMINAL, Step
from pipelines.methods.index.table import UnitTable, unit_tables
from pipelines.scoring_draws import check_draws, said_of_draws
from pipelines.scoring_workbook import write_workbook
from schemas.definitions import read_toml
from schemas.errors import DefinitionError

FORMAT: Final = "index-system"
PREVIOUS: Final = "上期"
CURRENT: Final = "本期"
PREVIOUS_INDEX: Final = "previous_index"
MEAN_SHIFT: Final = "平均名次变动"
LEAST_SOBOL: Final = 64
BY_DRAW: Final = ("draws", "draw_choices")  # one row a draw, in the same order


@dataclass(frozen=True)
class Summary:
    """What a run of ``score`` did: the ranking of the latest year, sentences for people, files written (relative names)."""

    title: str
    years: tuple[str, ...]
    units: int
    indicators: int
    ranking: tuple[Mapping[str, Any], ...]
    findings: tuple[str, ...]
    files: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """As plain data for ``--json`` and ``summary.json``."""
        return {
            "title": self.title,
            "years": list(self.years),
            "units": self.units,
            "indicators": self.indicators,
            "ranking": [dict(row) for row in self.ranking],
            "findings": list(self.findings),
            "files": list(self.files),
        }


def score(
    system_path: Path,
    data_path: Path,
    previous: Path | None = None,
    draws: int = 0,
    seed: int = 0,
    out: Path = Path(),
    published: Path | None = None,
) -> Summary:
    """Score ``data_path`` by ``system_path`` and write the results to ``out`` (created; files of the same name replaced).

    ``previous`` is last year's table, for growth, carried values and the decomposition of change; ``published`` last year's table as
    it was when last year's index was published: revised data are a step of the decomposition then. ``draws`` > 0 adds the
    uncertainty: the same files, draws and seed give the same bytes. Raises DefinitionError, in Chinese with file, line and
    column, for a definition or a table that cannot be used; nothing is written then.
    """
    if draws < 0:
        raise DefinitionError("draws 不能为负", remedy="0 表示不做抽样。")
    system, experts = read_system(system_path)
    frame = csv_text(data_path)
    tables = tables_of(system, frame, data_path, previous)
    check_draws(system, tables[-1], draws)
    years = score_years(system, tables, experts)
    latest = years[-1]
    findings: list[str] = []
    frames = _plain_frames(system, years, findings)
    frames |= _audit_frames(system, latest, findings)
    frames |= _differences(system, years, _as_published(system, years, tables, published, experts))
    _chain(system, frame, latest, frames)
    spread = _uncertainty(system, tables, latest, draws, seed, frames, findings) if draws else {}
    summary = Summary(
        title=system.title,
        years=tuple(year.table.year for year in years),
        units=len(latest.table.units),
        indicators=len(system.leaves),
        ranking=tuple(_ranking(system, latest, spread)),
        findings=tuple(findings),
        files=tuple(sorted([*map(_file_name, frames), "audit.txt", "summary.json", "result.xlsx"])),
    )
    _write(out, system, latest, frames, summary)
    return summary


def tables_of(system: ScoringSystem, frame: pl.DataFrame, data: Path, previous: Path | None) -> tuple[UnitTable, ...]:
    """The tables of all years, oldest first, from the rows of ``data`` and last year's file."""
    now = unit_tables(frame, system, data.name)
    if previous is None:
        return now
    before = unit_tables(csv_text(previous), system, previous.name)
    if system.year_column and {t.year for t in before} & {t.year for t in now}:
        raise DefinitionError("上期数据与本期数据有相同的年份", where=previous.name, remedy="请检查年份列。")
    if not system.year_column:
        before = tuple(_named(table, PREVIOUS) for table in before)
        now = tuple(_named(table, CURRENT) for table in now)
    return tuple(sorted((*before, *now), key=lambda t: (t.year == CURRENT, t.year)))


def read_system(path: Path) -> tuple[ScoringSystem, dict[str, pl.DataFrame]]:
    """A definition and the expert files beside it."""
    definition = read_toml(path, FORMAT)
    system = parse_system(definition.data, definition.line_of)
    return system, {name: csv_text(path.parent / name) for name in sorted(system.files)}


def _named(table: UnitTable, year: str) -> UnitTable:
    return replace(table, year=year)


def _plain_frames(system: ScoringSystem, years: Sequence[ScoredYear], findings: list[str]) -> dict[str, pl.DataFrame]:
    latest = years[-1]
    frames = {
        "scores": scores_frame(system, years),
        "cells": cells_frame(system, years),
        "weights": weights_frame(system, years),
        "parameters": parameters_frame(system, years),
        "strengths": strengths_frame(system, latest),
        "peers": peers_frame(system, latest),
        "leave_one_out": leave_one_out_frame(system, latest, leave_one_out(system, latest)),
    }
    filled = frames["cells"].filter((pl.col("imputed") != "") & (pl.col("year") == latest.table.year)).height
    treated = (
        frames["cells"].filter(pl.col("treated").str.contains("截尾") & (pl.col("year") == latest.table.year)).height
    )
    missing = int(np.isnan(latest.scores).sum())
    findings += doubtful_denominators(system, latest)
    findings += [*missing_findings(system, latest), *raised_findings(system, latest)]
    if filled or treated or missing:
        findings.append(f"插补 {filled} 格,截尾 {treated} 格,仍缺 {missing} 格,逐格见 cells.csv。")
    for group, weights in latest.weights.items():
        findings += [f"{group} 权重:{note}" for note in weights.notes]
    findings += [
        f"{leaf.id}:{t.note}" for leaf, t in zip(system.leaves, latest.prepared.treatments, strict=True) if t.note
    ]
    if any(system.own_weights.values()):
        frames["own_weights"] = own_weights_frame(system, latest)
    if system.orders:
        frames["orders"], said = orders_frame(system, latest)
        frames["outranking"] = pairs_frame(system, latest)
        findings += said
    return frames


def _audit_frames(system: ScoringSystem, latest: ScoredYear, findings: list[str]) -> dict[str, pl.DataFrame]:
    pairs, children = audit.correlations(system, latest), audit.children_audit(system, latest)
    findings += audit.in_words(system, latest, children, pairs)
    return {"audit_correlations": pairs, "audit_groups": children, "audit_components": audit.components(system, latest)}


def _as_published(
    system: ScoringSystem,
    years: Sequence[ScoredYear],
    tables: Sequence[UnitTable],
    published: Path | None,
    experts: Mapping[str, pl.DataFrame],
) -> ScoredYear | None:
    """Last year scored on the table it was published from; None where there is none. Raises DefinitionError where there is no last year."""
    if published is None:
        return None
    if len(years) < 2:
        raise DefinitionError(
            "没有可比的上年得分,不能单列修订", where=published.name, remedy="请给出 --previous,或在数据中含上一年。"
        )
    last = years[-2].table.year
    found = unit_tables(csv_text(published), system, published.name)
    if system.year_column and [t.year for t in found] != [last]:
        raise DefinitionError(
            f"应只有 {last} 年的数据", where=f"{published.name}:1", remedy="公布时的上年数据只写上一年。"
        )
    then = _named(found[0], last)
    return score_years(system, [*(t for t in tables if t.year not in (last, years[-1].table.year)), then], experts)[-1]


def _differences(
    system: ScoringSystem, years: Sequence[ScoredYear], published: ScoredYear | None
) -> dict[str, pl.DataFrame]:
    """Every unit against the year before, the stated pairs (or every unit against the first of its class)."""
    latest = years[-1]
    found: list[Difference | None] = []
    if len(years) > 1:
        first = years[-2] if published is None else published
        for u in [u for u in latest.table.units if u in first.table.units]:
            revised = None
            if published is not None and u in years[-2].table.units:
                revised = standing(system, years[-2], u)
            found.append(difference(system, standing(system, first, u), standing(system, latest, u), revised))
    pairs = system.pairs or tuple(_against_the_first(system, latest))
    for a, b in pairs:
        for unit in (a, b):
            if unit not in latest.table.units:
                raise DefinitionError(
                    f"compare.pairs 中的 {unit} 不在数据中",
                    where=system.places.get("compare", ""),
                    remedy="请写数据中的单位代码。",
                )
        found.append(difference(system, standing(system, latest, a), standing(system, latest, b)))
    return {"decomposition": differences_frame(system, [d for d in found if d is not None])}


def _against_the_first(system: ScoringSystem, latest: ScoredYear) -> list[tuple[str, str]]:
    scores = latest.means[system.root.id].scores
    pairs = []
    for name in sorted(set(latest.table.classes)):
        inside = [k for k, c in enumerate(latest.table.classes) if c == name and not np.isnan(scores[k])]
        if inside:
            first = max(inside, key=lambda k: (scores[k], -k))
            pairs += [(latest.table.units[k], latest.table.units[first]) for k in inside if k != first]
    return pairs


def _chain(system: ScoringSystem, frame: pl.DataFrame, latest: ScoredYear, frames: dict[str, pl.DataFrame]) -> None:
    """Add ``chained_index`` where all indicators are growth; the level before from column ``previous_index``, else 100."""
    before: dict[str, float] = {}
    if PREVIOUS_INDEX in frame.columns:
        rows = frame.select(system.unit_column, pl.col(PREVIOUS_INDEX).cast(pl.Float64, strict=False))
        before = {unit: level for unit, level in rows.iter_rows() if level is not None}
    found = chained_index(system, latest, before)
    if found:
        frames["chained_index"] = pl.DataFrame(
            {"unit": list(found), "before": [before.get(u, 100.0) for u in found], "index": list(found.values())}
        )


def _uncertainty(
    system: ScoringSystem,
    tables: Sequence[UnitTable],
    latest: ScoredYear,
    draws: int,
    seed: int,
    frames: dict[str, pl.DataFrame],
    findings: list[str],
) -> dict[str, tuple[float, float]]:
    plan = RobustnessPlan.of(system)
    frames["parameters"] = pl.concat([frames["parameters"], plan_parameters(system, latest, plan, draws, seed)])
    alternatives = {m: prepare(system, tables, Step(m))[-1] for m in plan.imputation if m != NOMINAL}
    lab = laboratory(system, latest, alternatives, plan)
    if not lab.active:
        findings.append("权重、方法、插补和数据误差都没有可变的,抽样不改变任何结果:不给名次区间。")
        return {}
    random = np.random.default_rng(seed)
    inputs = random_inputs(lab, draws, random)
    scores = scores_of(lab, inputs)
    classes = latest.table.classes if system.rank_within_class else None
    places = ranks_of(scores, classes, system.tie_decimals)
    spread = rank_spread(scores, places, plan.level, on_nominal_scale(lab, inputs))
    frames["uncertainty"] = uncertainty_frame(system, latest, spread, plan.level)
    frames["ahead"] = ahead_frame(system, latest, spread)
    if plan.export_draws:
        frames["draws"] = pl.DataFrame(scores, schema=list(latest.table.units)).with_columns(pl.all().fill_nan(None))
        frames["draw_choices"] = pl.DataFrame(choices_of(lab, inputs))
    if len(lab.active) > 1:
        frames["sobol"] = _sobol(lab, classes, draws, random, system.tie_decimals)
    findings += said_of_draws(system, frames["uncertainty"], spread, plan, draws, seed)
    told = frames["uncertainty"].select("unit", "rank_low", "rank_high").drop_nulls()
    return {unit: (float(low), float(high)) for unit, low, high in told.iter_rows()}


def _sobol(
    lab: Laboratory, classes: Sequence[str] | None, draws: int, random: np.random.Generator, decimals: int
) -> pl.DataFrame:
    """Sobol indices of every unit's rank and of the mean absolute shift in rank, at about ``draws`` evaluations."""
    size = max(LEAST_SOBOL, draws // (len(lab.active) + 2))
    a, b = random_inputs(lab, size, random), random_inputs(lab, size, random)
    nominal, table = lab.year.means[lab.system.root.id].scores, lab.year.table
    ranked = sorted(k for inside in compared(lab.system, table, nominal).values() for k in inside)
    usual = np.nan_to_num(ranks_of(nominal[np.newaxis], classes, decimals)[0, ranked])

    def outputs(scores: Floats) -> Floats:
        places = np.nan_to_num(ranks_of(scores, classes, decimals)[:, ranked])
        return np.column_stack([np.abs(places - usual).mean(axis=1), places])

    mixed = {factor: outputs(scores_of(lab, a.with_block(factor, b))) for factor in lab.active}
    found = sobol_indices(
        outputs(scores_of(lab, a)), outputs(scores_of(lab, b)), mixed, lab.plan.level, lab.plan.bootstrap, random
    )
    return sobol_frame([MEAN_SHIFT, *(table.units[k] for k in ranked)], found)


def _ranking(
    system: ScoringSystem, latest: ScoredYear, spread: Mapping[str, tuple[float, float]]
) -> list[dict[str, Any]]:
    scores = latest.means[system.root.id].scores
    places, statuses = places_of(system, latest.table, scores), node_statuses(system, latest)[system.root.id]
    rows = []
    for k, unit in enumerate(latest.table.units):
        low, high = spread.get(unit, (math.nan, math.nan))
        rows.append(
            {
                "unit": unit,
                "name": latest.table.names[k],
                "class": latest.table.classes[k],
                "score": None if np.isnan(scores[k]) else number_of(figure(float(scores[k]), system.decimals)),
                "status": statuses[k],
                "display": displayed(float(scores[k]), system.decimals, statuses[k]),
                "rank": places[k],
                "rank_display": rank_display(places[k], float(scores[k])),
                "rank_low": None if math.isnan(low) else int(low),
                "rank_high": None if math.isnan(high) else int(high),
            }
        )
    return sorted(
        rows, key=lambda r: (str(r["class"]) if system.rank_within_class else "", r["rank"] or math.inf, str(r["unit"]))
    )


def _file_name(name: str) -> str:
    return f"{name}.parquet" if name in BY_DRAW else f"{name}.csv"


def _write(
    out: Path, system: ScoringSystem, latest: ScoredYear, frames: Mapping[str, pl.DataFrame], summary: Summary
) -> None:
    out.mkdir(parents=True, exist_ok=True)
    for name, frame in sorted(frames.items()):
        if name in BY_DRAW:
            frame.write_parquet(out / _file_name(name), compression="zstd", statistics=False)
        else:
            write_table(out / _file_name(name), frame)
    (out / "audit.txt").write_text(audit.words(summary.findings), encoding="utf-8")
    text = json.dumps(summary.to_json(), ensure_ascii=False, indent=2, allow_nan=False)
    (out / "summary.json").write_text(text + "\n", encoding="utf-8")
    write_workbook(out / "result.xlsx", system, latest)
