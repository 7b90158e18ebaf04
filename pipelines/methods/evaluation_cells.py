"""Cells of an evaluation for the marts (schemas/marts.py), with the parts disclosure control judges them by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import polars as pl

from exports.display import percent
from pipelines.methods.areas import Area
from pipelines.methods.disclosure.rules import Rules
from pipelines.methods.estimates import NORMAL, status_over
from pipelines.methods.evaluation import Evaluated, Standing, class_statuses, standings, total_status
from pipelines.methods.evaluation_disclosure import sensitive
from pipelines.methods.index.aggregate import aggregated
from pipelines.methods.index.results import strengths_frame
from pipelines.methods.index.score import nominal_weights
from pipelines.methods.product import Product, administrative_parts, product_of, shaped_parts

MEASURES: Final[dict[str, tuple[str, str, int]]] = {
    # measure: (name, unit of measure, decimals)
    "total": ("总分", "分", 2),
    "value": ("指标值", "", 2),
    "score": ("得分", "分", 2),
    "rank": ("同类名次", "位", 0),
    "rank_lower": ("名次区间(较好端)", "位", 0),
    "rank_upper": ("名次区间(较差端)", "位", 0),
    "class_size": ("同类有得分个数", "个", 0),
    "grade": ("等级", "-", 0),
    "score_lower": ("得分区间下限", "分", 2),
    "score_upper": ("得分区间上限", "分", 2),
    "score_own": ("按本区权重得分", "分", 2),
    "rank_before": ("上年同类名次", "位", 0),
    "rank_change": ("增比进位", "位", 0),
    "score_before": ("上年得分", "分", 2),
    "score_change": ("得分变动", "分", 2),
    "full_marks": ("满分基数", "分", 1),
    "weight_share": ("有数指标权重占比", "%", 1),
    "strength": ("强项(次序)", "-", 0),
    "weakness": ("弱项(次序)", "-", 0),
}
MISSING: Final = "缺"
NOT_RANKED: Final = "Z"
SMALL_CLASS: Final = "同类只有{size}个有得分,少于{least}个,只列等级不列名次。"


def evaluation_product(evaluated: Evaluated, areas: Mapping[str, Area], parts: pl.DataFrame, rules: Rules) -> Product:
    """Cells of the latest year of a scheme and their parts.

    ``parts``: area, year, indicator and ``PART_COLUMNS`` but the key, as ``index_values`` gives them. Cells of single
    indicators carry the parts of their value; sums of scores are judged after disclosure control, when it is known what is
    hidden (``evaluation_disclosure.with_sums_kept_back``); ranks and grades are decisions on order and carry none.
    """
    rows = list(_rows(evaluated, areas))
    if not rows:
        return product_of([], [])
    cells = pl.DataFrame(rows, infer_schema_length=None)
    behind = _parts_behind(evaluated, parts, rules)
    owned = cells.select("row_key", "area", "indicator", "measure")
    pieces = []
    if behind.height:
        pieces.append(
            shaped_parts(owned.join(behind, on=["area", "indicator", "measure"]).drop("area", "indicator", "measure"))
        )
    known = pl.concat([p.select("row_key") for p in pieces]) if pieces else pl.DataFrame(schema={"row_key": pl.String})
    rest = administrative_parts(cells.join(known, on="row_key", how="anti"), "composite")
    return product_of([cells], [*pieces, rest])


def _parts_behind(evaluated: Evaluated, parts: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """area, indicator (a leaf or a node), measure and the statistics of the parts behind it."""
    if parts.is_empty():
        return parts
    scheme, latest = evaluated.scheme, evaluated.latest
    year = int(latest.table.year)
    statistics = [c for c in parts.columns if c not in ("area", "year", "indicator")]
    own = parts.filter(pl.col("year") == year)
    leaf_measures = pl.DataFrame({"measure": ["value", "score", "strength", "weakness"]})
    frames = [own.join(leaf_measures, how="cross").select("area", "indicator", "measure", *statistics)]
    # Last year's total is a sum over last year's figures, which this release does not show.
    root, hidden = scheme.system.root.id, sensitive(parts, rules)
    before = parts.filter(pl.col("year") == year - 1).join(
        pl.DataFrame(
            sorted(hidden), schema={"area": pl.String, "year": pl.Int64, "indicator": pl.String}, orient="row"
        ),
        on=["area", "year", "indicator"],
        how="semi",
    )
    frames.append(
        before.with_columns(indicator=pl.lit(root), part=pl.format("{}@{}", "part", pl.lit(str(year - 1))))
        .join(pl.DataFrame({"measure": ["score_before", "score_change"]}), how="cross")
        .select("area", "indicator", "measure", *statistics)
    )
    return pl.concat(frames)


class _Cells:
    """Makes the cells of one scheme."""

    def __init__(self, evaluated: Evaluated, areas: Mapping[str, Area]) -> None:
        self.evaluated, self.areas = evaluated, areas
        self.scheme = evaluated.scheme
        self.year = int(evaluated.latest.table.year)
        self.placed = class_statuses(evaluated, -1)
        before = evaluated.before
        self.before_at = next((n for n, year in enumerate(evaluated.years) if year is before), None)
        self.placed_before = {} if self.before_at is None else class_statuses(evaluated, self.before_at)

    def cell(
        self,
        unit: str,
        node: str,
        measure: str,
        value: float | None,
        note: str = "",
        status: str = "A",
        absent: str = "M",
        **more: Any,
    ) -> dict[str, Any]:
        title, unit_measure, decimals = MEASURES[measure]
        area = self.areas.get(unit)
        known = value is not None and not np.isnan(value)
        return {
            "row_key": "|".join((self.scheme.id, unit, str(self.year), node, measure)),
            "table": self.scheme.id,
            "period": str(self.year),
            "area": unit,
            "area_name": area.short_name if area else unit,
            "breakdown": "total",
            "category": "T",
            "category_name": "合计",
            "indicator": node,
            "indicator_name": self.scheme.system.name_of(node),
            "unit_measure": unit_measure,
            "measure": measure,
            "measure_name": title,
            "value": float(value) if known and value is not None else None,
            "decimals": decimals,
            "status": status if known else absent,
            "note": note,
            **more,
        }


def _rows(evaluated: Evaluated, areas: Mapping[str, Area]) -> Iterator[dict[str, Any]]:
    make = _Cells(evaluated, areas)
    for k, standing in enumerate(standings(evaluated)):
        yield from _total(make, k, standing)
        yield from _nodes(make, k, standing.unit)
    yield from _strengths(make)


def _total(make: _Cells, k: int, standing: Standing) -> Iterator[dict[str, Any]]:
    scheme, latest = make.scheme, make.evaluated.latest
    unit, root, system = standing.unit, scheme.system.root.id, scheme.system
    status = total_status(make.evaluated, -1, k)
    placed = make.placed[standing.unit_class]
    small = SMALL_CLASS.format(size=standing.class_size, least=system.minimum_class_size)
    said = small if standing.class_size < system.minimum_class_size else ""
    about = f"{standing.unit_class};{scheme.title}第{scheme.version}版。" if standing.unit_class else ""
    short = "" if standing.score is not None else f"有数指标权重占{percent(standing.coverage)},不足以计算。"
    yield make.cell(unit, root, "total", standing.score, about + short, status)
    yield make.cell(unit, root, "weight_share", standing.coverage * 100.0)
    if scheme.shows_missing:
        yield make.cell(unit, root, "full_marks", standing.coverage * 100.0, _missing_items(make, k))
    if scheme.grades:
        place = float(standing.grade) if standing.grade else None
        yield make.cell(unit, root, "grade", place, standing.grade_note, status)
    yield make.cell(unit, root, "class_size", float(standing.class_size), standing.unit_class)
    yield make.cell(unit, root, "rank", standing.rank, said, placed, absent=NOT_RANKED if said else "M")
    yield from _interval(make, k, standing, status, placed)
    yield from _against_last_year(make, standing, status, placed)
    own = system.own_weights["by_unit"].get(unit) or system.own_weights["by_class"].get(standing.unit_class)
    if own is not None:
        weights = dict(nominal_weights(latest))
        weights[root] = np.array([own[c] for c in system.root.children]) / 100.0
        score = float(aggregated(system, latest.scores, weights)[root].scores[k])
        shares = "、".join(f"{system.name_of(c)}{own[c]:g}" for c in system.root.children)
        yield make.cell(unit, root, "score_own", score, f"本区权重:{shares};排名只用通用权重。", status)


def _missing_items(make: _Cells, k: int) -> str:
    """The items without any figure, named."""
    system, latest = make.scheme.system, make.evaluated.latest
    absent = [c for c in system.root.children if np.isnan(latest.node(system, c)[k])]
    return f"缺:{'、'.join(system.name_of(c) for c in absent)},其权重不再分配。" if absent else ""


def _interval(make: _Cells, k: int, standing: Standing, status: str, placed: str) -> Iterator[dict[str, Any]]:
    spread, root = make.evaluated.spread, make.scheme.system.root.id
    if spread is None or standing.score is None:
        return
    note = f"{make.scheme.draws}次抽样的区间,随权重、合成方法与输入误差变动。"
    yield make.cell(standing.unit, root, "score_lower", float(spread.score_low[k]), note, status)
    yield make.cell(standing.unit, root, "score_upper", float(spread.score_high[k]), note, status)
    if standing.rank is not None:
        yield make.cell(standing.unit, root, "rank_lower", float(spread.rank_low[k]), note, placed)
        yield make.cell(standing.unit, root, "rank_upper", float(spread.rank_high[k]), note, placed)


def _against_last_year(make: _Cells, standing: Standing, status: str, placed: str) -> Iterator[dict[str, Any]]:
    root, before = make.scheme.system.root.id, make.evaluated.before
    if before is None or make.before_at is None:
        return
    then, placed_then = NORMAL, make.placed_before.get(standing.class_before, NORMAL)
    if standing.unit in before.table.units:
        then = total_status(make.evaluated, make.before_at, before.table.units.index(standing.unit))
    yield make.cell(standing.unit, root, "score_before", standing.score_before, status=then)
    yield make.cell(standing.unit, root, "score_change", standing.score_change, status=status_over((status, then)))
    absent = NOT_RANKED if standing.class_size < make.scheme.system.minimum_class_size else "M"
    yield make.cell(standing.unit, root, "rank_before", standing.rank_before, "", placed_then, absent)
    moved = standing.rank_before is not None and standing.class_before != standing.unit_class
    yield make.cell(
        standing.unit, root, "rank_change", standing.rank_change,
        f"类别由{standing.class_before}变为{standing.unit_class},不比名次。" if moved else "上年名次减本年名次,正数为进位。",
        status_over((placed, placed_then)), absent,
    )  # fmt: skip


def _nodes(make: _Cells, k: int, unit: str) -> Iterator[dict[str, Any]]:
    system, latest, scheme = make.scheme.system, make.evaluated.latest, make.scheme
    for group in reversed(system.groups):
        if group.id == system.root.id:
            continue
        score, cover = latest.means[group.id].scores[k], float(np.nan_to_num(latest.means[group.id].coverage[k]))
        partly = f"有数指标权重占{percent(cover)}。" if cover < 1.0 - 1e-9 else ""
        status = total_status(make.evaluated, -1, k, group.id)
        yield make.cell(unit, group.id, "score", float(score), MISSING if cover == 0 else partly, status)
    for n, leaf in enumerate(system.leaves):
        said = make.evaluated.notes.get((unit, make.year, leaf.id), "")
        note = ";".join(filter(None, (said, scheme.notes.get(leaf.id, ""))))
        value, score = float(latest.prepared.reported[k, n]), float(latest.scores[k, n])
        absent = MISSING if np.isnan(value) else ""
        status = make.evaluated.status(-1, k, n)
        more = {"unit_measure": leaf.unit_measure or "-", "formula": scheme.formulas.get(leaf.id, "")}
        yield make.cell(unit, leaf.id, "value", value, ";".join(filter(None, (absent, note))), status, **more)
        yield make.cell(unit, leaf.id, "score", score, absent, status)


def _strengths(make: _Cells) -> Iterator[dict[str, Any]]:
    """The three strongest and weakest indicators of a unit against its class: their order, not the distance.

    The distance to the median of the class would give away the score of the unit in the middle.
    """
    found = strengths_frame(make.scheme.system, make.evaluated.latest)
    table = make.evaluated.latest.table
    classes = dict(zip(table.units, table.classes, strict=True))
    place: dict[tuple[str, str], int] = {}
    for row in found.iter_rows(named=True):
        measure = "strength" if row["kind"] == "强项" else "weakness"
        at = place[row["unit"], measure] = place.get((row["unit"], measure), 0) + 1
        status = make.placed[classes[row["unit"]]]
        yield make.cell(row["unit"], row["indicator"], measure, float(at), "按权重与同类中位数之差排序。", status)


def merged(products: Sequence[Product]) -> Product:
    """The products of several schemes as one mart."""
    return product_of([p.cells for p in products], [p.parts for p in products])
