"""Cells of the development index for the marts ``index_scores`` and ``index_coverage`` (schemas/marts.py)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl

from exports.display import figure
from pipelines.methods.estimates import ESTIMATED, NORMAL, status_over
from pipelines.methods.index.chain_entry import ChainState
from pipelines.methods.index.coverage import Coverage, dimension_coverage, total_coverage
from pipelines.methods.index.development import AreaChain, dimension_growth, indicator_contributions
from schemas.marts import conform
from schemas.model import IndexIndicator, IndexSystem

TOTAL: Final = "TOTAL"
SCORES: Final = "scores"
COVERAGE: Final = "coverage"

MEASURES: Final[dict[str, tuple[str, str, int]]] = {
    # measure: (name, unit of measure, decimals)
    "index": ("指数", "base=100", 1),
    "value": ("指标值", "", 2),
    "growth": ("有界增速(截断后)", "%", 2),
    "growth_uncapped": ("有界增速(截断前)", "%", 2),
    "contribution": ("对总指数变动的贡献", "点", 2),
    "weight_used": ("当年实际权重", "%", 2),
    "weight": ("规定权重", "分", 2),
    "in_chain": ("是否在链(1 在,0 不在)", "", 0),
    "weight_entered": ("已进入链指标权重", "分", 2),
    "weight_available": ("当年可用权重", "分", 2),
    "weight_carried": ("其中结转权重", "分", 2),
    "available_share": ("可用权重占已进入链权重", "%", 1),
    "covered_share": ("可用权重占全部权重", "%", 1),
    "index_lower": ("指数区间下限", "base=100", 1),
    "index_median": ("指数区间中位数", "base=100", 1),
    "index_upper": ("指数区间上限", "base=100", 1),
}

STATE_NOTES: Final[dict[ChainState, str]] = {
    ChainState.ABSENT: "尚无数据,权重在维度内其余指标间按比例分配。",
    ChainState.BASE: "首年有数(或中断后重新有数),只作底数,下一年进入链。",
    ChainState.LINKED: "",
    ChainState.CARRIED: "本年缺数,结转上年值,增速按 0 计。",
    ChainState.LEFT: "连续缺数,退出链,权重在维度内其余指标间按比例分配。",
}
STRUCTURAL_ZEROS: Final = "含按零计的企业:没有该项活动、表中不问的,不是缺报。"


@dataclass(frozen=True)
class IndexRow:
    """Where a cell stands: area, year and code; ``cell`` fills in the rest."""

    area: str
    area_name: str
    year: int
    code: str
    name: str

    def cell(
        self, table: str, measure: str, value: float | None, status: str, note: str = "", **more: Any
    ) -> dict[str, Any]:
        title, unit, decimals = MEASURES[measure]
        known = value is not None and not np.isnan(value)
        return {
            "row_key": "|".join((self.area, str(self.year), self.code, measure)),
            "table": table,
            "period": str(self.year),
            "area": self.area,
            "area_name": self.area_name,
            "breakdown": "total",
            "category": "T",
            "category_name": "合计",
            "indicator": self.code,
            "indicator_name": self.name,
            "unit_measure": unit,
            "measure": measure,
            "measure_name": title,
            "value": float(value) if known and value is not None else None,
            "decimals": decimals,
            "status": status if known else (status if status in "MZ" else "M"),
            "note": note,
            **more,
        }


def dimension_code(dimension: str) -> tuple[str, str]:
    """``D1 创新资源`` as (``D1``, ``创新资源``); a dimension without a blank is its own code and name."""
    code, _, name = dimension.partition(" ")
    return code, name or code


def score_cells(chains: Sequence[AreaChain], system: IndexSystem, names: Mapping[str, str]) -> pl.DataFrame:
    """Mart ``index_scores``: index, growth and contribution of total, dimensions and indicators, and the values used.

    A withheld index is null with status M and the reason in ``note``; an indicator outside the chain has status Z.
    ``names``: area → Chinese name.
    """
    rows = [cell for chain in chains for cell in _scores(chain, chains, system, names.get(chain.area, chain.area))]
    return conform(pl.DataFrame(rows, infer_schema_length=None)) if rows else conform(_empty())


def coverage_cells(chains: Sequence[AreaChain], system: IndexSystem, names: Mapping[str, str]) -> pl.DataFrame:
    """Mart ``index_coverage``: per year which indicators stand in the chain with which weight, and the sums of weight."""
    rows = [cell for chain in chains for cell in _coverages(chain, system, names.get(chain.area, chain.area))]
    return conform(pl.DataFrame(rows, infer_schema_length=None)) if rows else conform(_empty())


def _empty() -> pl.DataFrame:
    return pl.DataFrame({"row_key": []}, schema={"row_key": pl.String})


def link_status(chain: AreaChain, system: IndexSystem, year: int, members: Iterable[int]) -> str:
    """The status of growth in a year over some indicators: E where a value on either side of a link is estimated or carried."""
    found = []
    for k in members:
        if not chain.state(k, year).in_chain:
            continue
        sides = [t for t in (year, year - 1) if t >= 0]
        found += [ESTIMATED for t in sides if chain.state(k, t) is ChainState.CARRIED]
        found += [chain.statuses.get((system.indicators[k].id, chain.years[t]), NORMAL) for t in sides]
    return status_over(found)


def level_status(
    chain: AreaChain, chains: Sequence[AreaChain], system: IndexSystem, year: int, members: Sequence[int]
) -> str:
    """The status of an index level: of all its links since the first year, and of the level that it was spliced to."""
    found = [link_status(chain, system, t, members) for t in range(chain.start, year + 1)]
    parent = next((c for c in chains if c.area == chain.spliced), None) if chain.spliced else None
    if parent is not None:
        found.append(level_status(parent, chains, system, chain.start, members))
    return status_over(found)


def members_of(system: IndexSystem, dimension: str = "") -> list[int]:
    """The indicators of a dimension, or all, by their place in the system."""
    return [k for k, i in enumerate(system.indicators) if dimension in ("", i.dimension)]


def _index_cell(row: IndexRow, level: float, cover: Coverage, status: str, note: str = "") -> dict[str, Any]:
    text = " ".join(part for part in (cover.reason(), note) if part)
    if cover.is_published:
        return row.cell(SCORES, "index", level, status, text)
    return row.cell(SCORES, "index", None, "Z" if cover.share is None else "M", text)


def _scores(chain: AreaChain, chains: Sequence[AreaChain], system: IndexSystem, name: str) -> Iterator[dict[str, Any]]:
    total_growth = np.nansum(chain.growth * chain.weights, axis=1)
    dimensions = dimension_growth(chain.growth, system)
    points = indicator_contributions(chain)
    for t in range(chain.start, len(chain.years)):
        year = chain.years[t]
        whole = IndexRow(chain.area, name, year, TOTAL, system.title)
        cover = total_coverage(chain, system, t)
        everything = members_of(system)
        status = level_status(chain, chains, system, t, everything)
        yield _index_cell(whole, chain.levels[t], cover, status, _beginning_note(chain, system, t))
        if t > chain.start and cover.available > 0:
            shown = cover.is_published
            grown = link_status(chain, system, t, everything)
            yield whole.cell(
                SCORES, "growth", total_growth[t] if shown else None, grown if shown else "M", cover.reason()
            )
        for k, dimension in enumerate(system.dimensions):
            code, title = dimension_code(dimension)
            row = IndexRow(chain.area, name, year, code, title)
            own = dimension_coverage(chain, system, dimension, t)
            members = members_of(system, dimension)
            level = level_status(chain, chains, system, t, members)
            yield _index_cell(row, chain.dimension_levels[t, k], own, level, _dimension_note(chain, own, t))
            if own.is_published and not own.is_base:
                yield row.cell(SCORES, "growth", dimensions[t, k], link_status(chain, system, t, members))
                share = float(np.nansum(points[t, members]))
                hidden = not cover.is_published
                # points of the total: its level a year earlier and its growth scale them
                yield row.cell(SCORES, "contribution", None if hidden else share, "M" if hidden else status)
        for k in everything:
            shown_by = status if cover.is_published else "M"
            yield from _indicator_scores(chain, system, k, t, name, points[t, k], shown_by)


def _beginning_note(chain: AreaChain, system: IndexSystem, year: int) -> str:
    if year != chain.start:
        return ""
    if chain.spliced:
        return f"首年按 {chain.spliced} 当年指数拼接,此后用自身链。"
    return "" if chain.years[year] == system.base_year else f"首年有数为 {chain.years[year]} 年,以该年=100。"


def _dimension_note(chain: AreaChain, cover: Coverage, year: int) -> str:
    return f"本维度自 {chain.years[year]} 年起有数,自该年起链。" if cover.is_base and year > chain.start else ""


def _indicator_scores(
    chain: AreaChain, system: IndexSystem, k: int, t: int, name: str, points: float, of_total: str
) -> Iterator[dict[str, Any]]:
    """``of_total``: the status of the total, M where it is withheld."""
    indicator, year, step = system.indicators[k], chain.years[t], chain.links[k][t]
    row = IndexRow(chain.area, name, year, indicator.id, indicator.name)
    note = _state_note(chain, indicator, k, t)
    if step.now is not None and step.state is not ChainState.CARRIED and (indicator.id, year) in chain.zeros:
        note = " ".join(filter(None, (note, STRUCTURAL_ZEROS)))
    status = ESTIMATED if step.state is ChainState.CARRIED else chain.statuses.get((indicator.id, year), NORMAL)
    more = {"formula": indicator.formula}
    missing = "Z" if step.state is ChainState.REFUSED else "M"
    yield {
        **row.cell(SCORES, "value", step.now, status if step.now is not None else missing, note, **more),
        "unit_measure": indicator.unit_measure,
    }
    if step.state.in_chain or step.state is ChainState.BASE:
        level = status_over(link_status(chain, system, s, [k]) for s in range(chain.start, t + 1))
        yield row.cell(SCORES, "index", chain.indicator_levels[t, k], level, note)
    if not step.state.in_chain:
        return
    raw, used = chain.raw[t, k], chain.growth[t, k]
    cut = f"截断前为 {figure(raw, 2)},上限 ±{indicator.cap:g}。" if raw != used else ""
    grown = link_status(chain, system, t, [k])
    yield row.cell(SCORES, "growth", used, grown, cut)
    if cut:
        yield row.cell(SCORES, "growth_uncapped", raw, grown)
    yield row.cell(SCORES, "contribution", None if of_total == "M" else points, of_total)


def _state_note(chain: AreaChain, indicator: IndexIndicator, k: int, t: int) -> str:
    if chain.state(k, t) is ChainState.REFUSED:
        return chain.refused[indicator.id]
    withheld = chain.withheld.get((indicator.id, chain.years[t]), "")
    return " ".join(
        part for part in (f"{withheld},按缺数处理。" if withheld else "", STATE_NOTES[chain.state(k, t)]) if part
    )


def _coverages(chain: AreaChain, system: IndexSystem, name: str) -> Iterator[dict[str, Any]]:
    for t in range(chain.start, len(chain.years)):
        year = chain.years[t]
        whole = IndexRow(chain.area, name, year, TOTAL, system.title)
        yield from _weights(whole, total_coverage(chain, system, t))
        for dimension in system.dimensions:
            code, title = dimension_code(dimension)
            cover = dimension_coverage(chain, system, dimension, t)
            yield from _weights(IndexRow(chain.area, name, year, code, title), cover)
        for k, indicator in enumerate(system.indicators):
            row = IndexRow(chain.area, name, year, indicator.id, indicator.name)
            state = chain.state(k, t)
            note = f"{state.value}。{_state_note(chain, indicator, k, t)}"
            yield row.cell(COVERAGE, "weight", indicator.weight, "A")
            yield row.cell(COVERAGE, "in_chain", float(state.in_chain), "A", note)
            yield row.cell(COVERAGE, "weight_used", float(chain.weights[t, k]) * 100.0, "A")


def _weights(row: IndexRow, cover: Coverage) -> Iterator[dict[str, Any]]:
    reason = cover.reason()
    yield row.cell(COVERAGE, "weight", cover.whole, "A")
    yield row.cell(COVERAGE, "weight_entered", cover.entered, "A")
    yield row.cell(COVERAGE, "weight_available", cover.available, "A", reason)
    yield row.cell(COVERAGE, "weight_carried", cover.carried, "A")
    share = cover.share
    yield row.cell(
        COVERAGE, "available_share", None if share is None else share * 100.0, "A" if share is not None else "Z"
    )
    yield row.cell(COVERAGE, "covered_share", cover.available / cover.whole * 100.0, "A")
