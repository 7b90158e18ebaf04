"""What the development index and the evaluations of a year would be with some indicator values or reported figures changed.

A trial 试算 for the statistical office: read from the warehouse, computed twice by the same methods, nothing stored, no release
reads it. Scores of internal schemes may be in it, so its files stay inside.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from pipelines.csv_tables import LINE, csv_text, plain_number, write_table
from pipelines.evaluation_production import Found, evaluated_schemes, schemes_of
from pipelines.index_production import IndexChains, index_chains
from pipelines.inputs import Inputs
from pipelines.intake import Office
from pipelines.methods.areas import Area
from pipelines.methods.evaluation import standings
from pipelines.methods.evaluation_scheme import UNIT, Scheme
from pipelines.methods.index.bounded import Floats
from pipelines.methods.index.cells import dimension_code
from pipelines.methods.index.decompose import difference, standing
from pipelines.methods.index.development import AreaChain, indicator_contributions
from pipelines.methods.index.results import differences_frame
from pipelines.methods.index.score_tables import frame_of
from pipelines.methods.index.table import MARKS
from pipelines.population import Population
from pipelines.production import evaluation_sources
from pipelines.trial_figures import standing_figure, with_figures
from schemas.errors import DefinitionError, RefusalError
from schemas.model import Edition
from schemas.period import Period
from warehouse.ledger import trail
from warehouse.ledger.evaluations import permitted

TRIAL: Final = "试算"
INDEX: Final = "index"
INDEX_TITLE: Final = "发展指数"
PROVINCE: Final = ("province_statistician", "analyst")
NEEDED: Final = ("unit", "indicator", "value")
NOISE: Final = 1e-9
SAME: Final = "与原值相同,不算改动"
FIGURES: Final = "figures"  # the product of a row that changes a reported figure
NOT_ADDED_UP: Final = "汇总数中含 {changed}:所改的是指标值(比率),分子、分母各变了多少并不知道,本区域的数不能跟着重算"


@dataclass(frozen=True)
class ParkChange:
    """One changed indicator value; ``products``: where it was used; none: ``problem`` says why."""

    line: int
    unit: str
    indicator: str
    year: int
    value: float | None
    product: str
    reason: str
    products: tuple[str, ...] = ()
    before: float | None = None
    problem: str = ""


@dataclass(frozen=True)
class ParkTrial:
    """A finished trial of a year. ``results``: index and evaluation before and after; ``parts`` sum to every change of a total."""

    period: str
    changes: tuple[ParkChange, ...]
    results: pl.DataFrame
    parts: pl.DataFrame
    findings: tuple[str, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """As plain data: the changes, and the totals that moved."""
        return {
            "mark": TRIAL, "period": self.period, "changes": [c.__dict__ for c in self.changes],
            "moved": self.results.filter(is_total=True).filter(moved()).to_dicts(), "findings": list(self.findings),
        }  # fmt: skip


def moved() -> pl.Expr:
    """Whether a figure of the results is another after the changes."""
    return (pl.col("before") != pl.col("after")).fill_null(pl.col("before").is_null() != pl.col("after").is_null())


def trial_for(office: Office, inputs: Inputs, period: Period, path: Path, *, now: datetime, actor: str) -> ParkTrial:
    """``park_what_if`` for a person of the province; that it was asked goes to the trail. Raises RefusalError for anybody else,
    and as ``park_what_if``."""
    with office.ledger.write() as session:
        permitted(session, actor, PROVINCE, "试算园区指数")
        trail.append(session, at=now, actor=actor, action="trial_asked", subject=f"index/{period}")
    return park_what_if(inputs, period, path)


def park_what_if(inputs: Inputs, period: Period, path: Path) -> ParkTrial:
    """Compute the year as it is and with the changes of ``path``. Raises RefusalError where the year has no accepted annual reports,
    DefinitionError for a file that cannot be read or of which nothing can be used."""
    read = _read(path, period)
    population = inputs.population("in_force")
    if period.round != "A" or not population.has(period):
        raise RefusalError(f"{period} 没有已验收的年报,不能试算。")
    sources = evaluation_sources(inputs, population)
    index = index_chains(population, inputs.programme, period)
    schemes = {s.id: s for s in schemes_of(population.edition(period)) if s.kind != UNIT}
    seen: dict[str, pl.DataFrame] = {}

    def noting(scheme: Scheme, values: pl.DataFrame) -> pl.DataFrame:
        seen[scheme.id] = values
        return values

    before = evaluated_schemes(population, period, sources, noting, with_intervals=False)
    tables = {INDEX: index.values.rename({"area": "unit"})} | {name: seen[name] for name in before}
    known = {INDEX: {i.id for i in index.system.indicators}} | {
        name: {leaf.id for leaf in schemes[name].system.leaves} for name in before
    }
    edition = population.edition(period)
    changes = tuple(
        _placed_figure(c, population) if _is_figure(c, known, edition) else _placed(c, tables, known) for c in read
    )
    if not any(c.products for c in changes):
        raise DefinitionError(
            "没有一行改动能用", where=path.name, remedy=";".join(f"第 {c.line} 行:{c.problem}" for c in changes[:5])
        )
    written = [(c.unit, c.indicator, c.year, c.value) for c in changes if FIGURES in c.products]
    values = index.values
    if written:
        population = with_figures(population, written)
        sources = evaluation_sources(inputs, population)
        values = index_chains(population, inputs.programme, period).values
    chains = index.again(_put(values, changes, INDEX, "area"))
    after = evaluated_schemes(
        population,
        period,
        sources,
        lambda scheme, values: _put(values, changes, scheme.id, "unit"),
        with_intervals=False,
    )
    rows = [*_index_rows(index, chains, period.year), *_scheme_rows(before, after, index.areas)]
    parts = pl.concat([_index_parts(index, chains, period.year), _scheme_parts(before, after)])
    said = [f"第 {c.line} 行未采用:{c.problem}。" for c in changes if c.problem]
    stale = not_added_up(changes, index.areas)
    results = frame_of(rows, RESULT_COLUMNS).with_columns(note=pl.col("area").replace_strict(stale, default=""))
    shown = {a for a in results["area"].unique() if a in stale}
    said += [
        f"{index.areas[a].short_name or a}({a})的{stale[a]};要看其影响,请改填报数(product 写 {FIGURES},如 K04、F01),"
        "或在文件中同时写本区域的指标值。"
        for a in sorted(shown)
    ]
    return ParkTrial(str(period), changes, results, parts, tuple(said))


def indicators_of(edition: Edition) -> list[tuple[str, str, tuple[str, ...]]]:
    """Code and name of every indicator a trial may change, by code, with the products that use it."""
    found: dict[tuple[str, str], list[str]] = {}
    if system := edition.indexes.get("development"):
        for one in system.indicators:
            found.setdefault((one.id, one.name), []).append(INDEX_TITLE)
    for scheme in schemes_of(edition):
        for leaf in scheme.system.leaves if scheme.kind != UNIT else ():
            found.setdefault((leaf.id, leaf.name), []).append(scheme.title)
    return [(code, name, tuple(dict.fromkeys(titles))) for (code, name), titles in sorted(found.items())]


def not_added_up(changes: Sequence[ParkChange], areas: Mapping[str, Area]) -> dict[str, str]:
    """Areas whose figures are added up from a park that was changed (zone → area, sub-park → zone), with what is to be said.

    Values of indicators are no sums: what a changed ratio of a park would make the ratio of a larger area hangs on which side of
    it has changed. Changed figures (``FIGURES``) are added up anew and need no such word.
    """
    changed = {c.unit for c in changes if c.products and FIGURES not in c.products and c.unit in areas}
    found = {}
    for code, area in areas.items():
        parts = {*area.zones, *(s.code for s in areas.values() if s.is_sub_park and s.zone == code)} - {code}
        if inside := sorted(parts & changed):
            found[code] = NOT_ADDED_UP.format(changed="、".join(inside))
    return found


def _read(path: Path, period: Period) -> tuple[ParkChange, ...]:
    rows = csv_text(path)
    if missing := [c for c in NEEDED if c not in rows.columns]:
        raise DefinitionError(
            f"缺列 {'、'.join(missing)}",
            where=f"{path.name}:1",
            remedy="列:unit,indicator,value[,year,product,reason]。",
        )
    found: dict[tuple[str, str, int, str], ParkChange] = {}
    for row in rows.iter_rows(named=True):
        text = {c: (row.get(c) or "").strip() for c in (*NEEDED, "year", "product", "reason")}
        where = f"{path.name}:{row[LINE]}"
        value = None if text["value"] in MARKS else plain_number(text["value"])
        if value is None and text["value"] not in MARKS:
            raise DefinitionError(f"“{text['value']}”不是数", where=where, remedy="请只写数字,撤去一个数就留空。")
        if text["year"] and not (text["year"].isdigit() and len(text["year"]) == 4):
            raise DefinitionError(
                f"年份“{text['year']}”不是四位数字", where=where, remedy="如 2016,不写时为试算的年份。"
            )
        year = int(text["year"] or period.year)
        change = ParkChange(row[LINE], text["unit"], text["indicator"], year, value, text["product"], text["reason"])
        key = (change.unit, change.indicator, year, change.product)
        if key in found:
            raise DefinitionError(f"与第 {found[key].line} 行改的是同一个数", where=where, remedy="每个数只改一次。")
        found[key] = change
    return tuple(found.values())


def _placed(change: ParkChange, tables: Mapping[str, pl.DataFrame], known: Mapping[str, set[str]]) -> ParkChange:
    """The change with the products it is used in and the value that stands there now."""
    wanted = [n for n in tables if change.product in ("", n)]
    having = [n for n in wanted if change.indicator in known[n]]
    there = [n for n in having if change.unit in set(tables[n]["unit"]) and change.year in set(tables[n]["year"])]
    problem = ""
    if not wanted:
        problem = f"没有产品“{change.product}”,可写 {'、'.join((*tables, FIGURES))}"
    elif not having:
        problem = f"没有指标“{change.indicator}”"
    elif not there:
        problem = f"没有“{change.unit}”的 {change.year} 年"
    now, moved_in = None, []
    for name in there:
        own = tables[name].filter(unit=change.unit, indicator=change.indicator, year=change.year)["value"].drop_nulls()
        stands = float(own[0]) if len(own) else None
        now = stands if now is None else now
        if change.value != stands:
            moved_in.append(name)
    if there and not moved_in:
        problem = SAME
    return ParkChange(
        change.line, change.unit, change.indicator, change.year, change.value, change.product, change.reason, tuple(moved_in), now, problem
    )  # fmt: skip


def _is_figure(change: ParkChange, known: Mapping[str, set[str]], edition: Edition) -> bool:
    """Whether a row is about a reported figure: it says so, or its code is of a form and no product has an indicator of it."""
    free = not change.product and not any(change.indicator in ids for ids in known.values())
    return change.product == FIGURES or (free and change.indicator in edition.indicators)


def _placed_figure(change: ParkChange, population: Population) -> ParkChange:
    found = standing_figure(population, change.unit, change.indicator, change.year, change.value)
    problem = found.problem or (SAME if found.value == change.value else "")
    products = () if problem else (FIGURES,)
    return replace(change, products=products, before=found.value, problem=problem)


def _put(values: pl.DataFrame, changes: Sequence[ParkChange], product: str, unit: str) -> pl.DataFrame:
    """The values with the changes of a product in their place, plain figures without note or doubt."""
    own = [c for c in changes if product in c.products]
    if not own:
        return values
    rows = pl.DataFrame(
        {unit: [c.unit for c in own], "year": [c.year for c in own], "indicator": [c.indicator for c in own],
         "value": [c.value for c in own]},
        schema={unit: pl.String, "year": pl.Int64, "indicator": pl.String, "value": pl.Float64},
    )  # fmt: skip
    keys = [unit, "year", "indicator"]
    rest = values.join(rows.select(keys), on=keys, how="anti")
    plain = {c: v for c, v in (("status", "A"), ("note", ""), ("error", "A")) if c in values.columns}
    put = rows.with_columns(pl.lit(v).alias(c) for c, v in plain.items())
    return pl.concat([rest, put], how="diagonal").select(values.columns).sort(keys)


RESULT_COLUMNS: Final = dict.fromkeys(("mark", "product", "product_name", "area", "area_name", "node", "node_name"), pl.String) | {
    "is_total": pl.Boolean, "before": pl.Float64, "after": pl.Float64, "change": pl.Float64, "rank_before": pl.Int64,
    "rank_after": pl.Int64, "rank_change": pl.Int64,
}  # fmt: skip
PART_COLUMNS: Final = dict.fromkeys(("mark", "product", "area", "part", "part_name", "kind"), pl.String) | {
    "points": pl.Float64, "total": pl.Float64, "note": pl.String,
}  # fmt: skip


def _number(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _row(
    head: tuple[str, ...],
    node: tuple[str, str],
    is_total: bool,
    before: float,
    after: float,
    ranks: tuple[int | None, int | None],
) -> tuple[object, ...]:
    step = after - before
    better = None if ranks[0] is None or ranks[1] is None else ranks[0] - ranks[1]
    still = abs(step) < NOISE
    return (
        TRIAL, *head, *node, is_total, _number(before), _number(before if still else after), 0.0 if still else _number(step), *ranks, better
    )  # fmt: skip


def _index_rows(index: IndexChains, chains: Sequence[AreaChain], year: int) -> Iterator[tuple[object, ...]]:
    after = {c.area: c for c in chains}
    for old in index.chains:
        new = after.get(old.area)
        if new is None or year not in old.years:
            continue
        at, head = old.years.index(year), (INDEX, "发展指数", old.area, index.areas[old.area].short_name)
        yield _row(head, ("TOTAL", "总指数"), True, float(old.levels[at]), float(new.levels[at]), (None, None))
        for k, name in enumerate(index.system.dimensions):
            yield _row(head, dimension_code(name), False, float(old.dimension_levels[at, k]), float(new.dimension_levels[at, k]), (None, None))  # fmt: skip
        for k, one in enumerate(index.system.indicators):
            yield _row(head, (one.id, one.name), False, float(old.indicator_levels[at, k]), float(new.indicator_levels[at, k]), (None, None))  # fmt: skip


def _index_parts(index: IndexChains, chains: Sequence[AreaChain], year: int) -> pl.DataFrame:
    """The change of an area's index: of the points every indicator adds in the year, and of the level the year started from."""
    rows: list[tuple[object, ...]] = []
    after = {c.area: c for c in chains}
    for old in index.chains:
        new = after.get(old.area)
        if new is None or year not in old.years:
            continue
        at = old.years.index(year)
        total = float(new.levels[at] - old.levels[at])
        if math.isnan(total) or abs(total) < NOISE:
            continue
        was, is_ = (np.nan_to_num(indicator_contributions(c)[at]) for c in (old, new))
        start = float(new.levels[at] - is_.sum()) - float(old.levels[at] - was.sum())
        rows += [
            (TRIAL, INDEX, old.area, one.id, one.name, "contribution", float(is_[k] - was[k]), total, "")
            for k, one in enumerate(index.system.indicators)
        ]
        rows.append((TRIAL, INDEX, old.area, "earlier", "以前年份的水平", "level", start, total, ""))
    return frame_of(rows, PART_COLUMNS)


def _scheme_rows(
    before: Mapping[str, Found], after: Mapping[str, Found], areas: Mapping[str, Area]
) -> Iterator[tuple[object, ...]]:
    for name in sorted(before.keys() & after.keys()):
        old, new = before[name].evaluated, after[name].evaluated
        places = {s.unit: s.rank for s in standings(old)}, {s.unit: s.rank for s in standings(new)}
        system = old.scheme.system
        place = {unit: k for k, unit in enumerate(new.latest.table.units)}
        for row, unit in enumerate(old.latest.table.units):
            head = (name, old.scheme.title, unit, areas[unit].short_name if unit in areas else unit)
            for group in reversed(system.groups):
                is_total = group.id == system.root.id
                ranks = (places[0].get(unit), places[1].get(unit)) if is_total else (None, None)
                was, is_ = _both(
                    old.latest.means[group.id].scores, new.latest.means[group.id].scores, row, place.get(unit)
                )
                yield _row(head, (group.id, group.name), is_total, was, is_, ranks)
            for k, leaf in enumerate(system.leaves):
                was, is_ = _both(old.latest.scores[:, k], new.latest.scores[:, k], row, place.get(unit))
                yield _row(head, (leaf.id, leaf.name), False, was, is_, (None, None))


def _both(old: Floats, new: Floats, row: int, there: int | None) -> tuple[float, float]:
    """A score before and after; none after where the unit has no figure left."""
    return float(old[row]), math.nan if there is None else float(new[there])


def _scheme_parts(before: Mapping[str, Found], after: Mapping[str, Found]) -> pl.DataFrame:
    frames = [frame_of([], PART_COLUMNS)]
    for name in sorted(before.keys() & after.keys()):
        old, new = before[name].evaluated, after[name].evaluated
        system, found = old.scheme.system, []
        place = {unit: k for k, unit in enumerate(new.latest.table.units)}
        for row, unit in enumerate(old.latest.table.units):
            root = system.root.id
            was, is_ = _both(old.latest.means[root].scores, new.latest.means[root].scores, row, place.get(unit))
            if not math.isnan(was + is_) and abs(is_ - was) >= NOISE:
                found.append(difference(system, standing(system, old.latest, unit), standing(system, new.latest, unit)))
        parts = differences_frame(system, [d for d in found if d is not None])
        frames.append(
            parts.select(
                mark=pl.lit(TRIAL), product=pl.lit(name), area="unit_before", part="part", part_name="part_name", kind="kind",
                points="points", total="total", note="note",
            )
        )  # fmt: skip
    return pl.concat(frames)


def write_trial(out: Path, trial: ParkTrial) -> None:
    """Write the comparison, its parts and the changes as CSV; every row carries the mark of a trial."""
    out.mkdir(parents=True, exist_ok=True)
    rows = [
        (TRIAL, c.line, c.unit, c.indicator, c.year, c.before, c.value, c.reason, " ".join(c.products), c.problem)
        for c in trial.changes
    ]
    columns = {
        "mark": pl.String, "line": pl.Int64, "unit": pl.String, "indicator": pl.String, "year": pl.Int64, "before": pl.Float64,
        "value": pl.Float64, "reason": pl.String, "products": pl.String, "problem": pl.String,
    }  # fmt: skip
    for name, frame in (
        ("what_if", trial.results), ("what_if_decomposition", trial.parts), ("what_if_changes", frame_of(rows, columns)),
    ):  # fmt: skip
        write_table(out / f"{name}.csv", frame)
