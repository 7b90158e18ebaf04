"""Contribution to province and city 贡献测算: shares, contributions to growth, pulls, multiples of the average, growth since.

Own figures by formula over the area, the whole from the context form. Source: index_system 8; docs/methods/contribution.md.
The definition is data (``contribution.toml``); the arithmetic is ``contribution_measures``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isclose
from typing import Any, Final

import polars as pl

from pipelines.methods.area_figures import TOTAL, AreaFigures, area_figures
from pipelines.methods.areas import Area, lookups
from pipelines.methods.contribution_definition import CITY, Contribution, Item, Ratio
from pipelines.methods.contribution_measures import (
    at_last_years_prices,
    contribution_pct,
    growth_pct,
    multiple,
    pull_points,
    share_pct,
)
from pipelines.methods.contribution_reasons import DIVIDED_BY, NO_MULTIPLE, OF_LAST_YEAR, RESTATED, not_positive
from pipelines.methods.estimates import ESTIMATED, NORMAL, Estimates
from pipelines.methods.product import Product, administrative_parts, product_of, shaped_parts
from pipelines.methods.target_values import At, missing_data
from schemas import reserved
from schemas.environment import Environment
from schemas.marts import row_key
from schemas.period_data import PeriodData

AVERAGES: Final = "averages"
WHOLE_NAMES: Final = {"province": "全省", "city": "所在市"}
MEASURES: Final = {
    "own": "本区",
    "whole": "{whole}",
    "share": "占{whole}比重",
    "share_change": "占比变动",
    "growth_own": "本区增速",
    "growth_whole": "{whole}增速",
    "contribution_rate": "对{whole}增长的贡献率",
    "contribution_points": "拉动{whole}增长",
    "growth_own_constant": "本区增速(可比价)",
    "growth_whole_constant": "{whole}增速(可比价)",
    "contribution_rate_constant": "贡献率(可比价)",
    "contribution_points_constant": "拉动(可比价)",
    "growth_since_base": "本区比{base}年增长",
    "growth_whole_since_base": "{whole}比{base}年增长",
    "ratio_own": "本区",
    "ratio_whole": "全省平均",
    "multiple": "为全省平均的倍数",
    "ratio_group": "同组园区平均",
    "multiple_group": "为同组园区平均的倍数",
}
POINTS: Final = ("share_change", "contribution_points", "contribution_points_constant")
LEVELS: Final = ("own", "whole", "ratio_own", "ratio_whole", "ratio_group")
TIMES: Final = ("multiple", "multiple_group")
CONSTANT_NOTE: Final = "按上年价格,价格指数{deflator}"
HARDLY_MOVED: Final = "{whole}增量不足上年的{minimum:g}%,贡献率不定"

# measure → the sides it is computed from, for disclosure control and for what is said of a gap
SIDES: Final = {
    "own": ("own",),
    "whole": ("whole",),
    "share": ("own", "whole"),
    "share_change": ("own", "whole", "own_before", "whole_before"),
    "growth_own": ("own", "own_before"),
    "growth_whole": ("whole", "whole_before"),
    "contribution_rate": ("own", "own_before", "whole", "whole_before"),
    "contribution_points": ("own", "own_before", "whole_before"),
    "growth_own_constant": ("own", "own_before"),
    "growth_whole_constant": ("whole", "whole_before"),
    "contribution_rate_constant": ("own", "own_before", "whole", "whole_before"),
    "contribution_points_constant": ("own", "own_before", "whole_before"),
    "growth_since_base": ("own", "own_base"),
    "growth_whole_since_base": ("whole", "whole_base"),
    "ratio_own": ("own",),
    "ratio_whole": ("whole",),
    "multiple": ("own", "whole"),
    "ratio_group": ("own",),
    "multiple_group": ("own",),
}


@dataclass(frozen=True)
class Annual:
    """A year as the method needs it: its observations, other years by ``at``, the environment, the register, who takes part.

    Observations are weighted, surveyed and classified.
    """

    data: PeriodData
    at: At
    env: Environment
    areas: Mapping[str, Area]
    chosen: Sequence[str]
    labels: Mapping[str, str]


def contribution_figures(definition: Contribution, annual: Annual) -> Product:
    """Cells and parts of the mart ``contribution_figures``; a figure that cannot be computed says which data are missing."""
    year = annual.data.period.year
    texts = {
        f"{i.id}.{side}": text for i in definition.items for side, text in _item_texts(i, definition, year).items()
    }
    texts |= {f"{r.id}.{side}": t for r in definition.ratios for side, t in (("own", r.own), ("whole", r.whole)) if t}
    env = replace(annual.env.with_data(annual.data), at=annual.at, areas=lookups(annual.areas.values()))
    codes = sorted({*annual.chosen, *(z for c in annual.chosen for z in annual.areas[c].zones)})
    figures = area_figures(texts, annual.data, annual.areas, codes, ["total"], env)
    run = _Run(definition, replace(annual, env=env), texts, figures, _by_area(figures), Estimates(annual.at))
    rows = [row for code in annual.chosen for row in run.rows_of(annual.areas[code])]
    if not rows:
        return product_of([], [])
    made = pl.DataFrame([{k: v for k, v in r.items() if k != "behind"} for r in rows], infer_schema_length=None)
    cells = made.with_columns(row_key("area", "indicator", "measure"))
    return product_of([cells], [_parts(cells["row_key"].to_list(), rows, figures)])


def _by_area(figures: AreaFigures) -> dict[str, dict[str, float | None]]:
    return {row["area"]: row for row in figures.values.iter_rows(named=True)}


def _item_texts(item: Item, definition: Contribution, year: int) -> dict[str, str]:
    """What is evaluated of an item. Last year's whole: as this year's context form states it, else as last year's did."""
    return {
        "own": item.own,
        "own_before": f"yoy({item.own})",
        "own_before_then": f"BASE({item.own}, {year - 1})",
        "own_base": f"BASE({item.own}, {definition.base_year})",
        "whole": item.whole,
        "whole_before": f"yoy({item.whole})",
        "whole_before_then": f"BASE({item.whole}, {year - 1})",
        "whole_base": f"BASE({item.whole}, {definition.base_year})",
    }


@dataclass(frozen=True)
class _Run:
    definition: Contribution
    annual: Annual
    texts: Mapping[str, str]
    figures: AreaFigures
    values: Mapping[str, Mapping[str, float | None]]
    estimates: Estimates

    def rows_of(self, area: Area) -> list[dict[str, Any]]:
        rows = [row for item in self.definition.items for row in self._item(item, area)]
        return rows + [row for ratio in self.definition.ratios for row in self._ratio(ratio, area)]

    def _value(self, area: str, name: str) -> float | None:
        return self.values.get(area, {}).get(name)

    def _item(self, item: Item, area: Area) -> list[dict[str, Any]]:
        own, before = (self._value(area.code, f"{item.id}.{s}") for s in ("own", "own_before"))
        own_base = self._value(area.code, f"{item.id}.own_base")
        whole, whole_then = self._whole(item, area, "whole"), self._whole(item, area, "whole_before")
        if whole_then is None:
            whole_then = self._whole(item, area, "whole_before_then")
        whole_base = self._whole(item, area, "whole_base")
        minimum = self.definition.increment_minimum
        share, share_then = share_pct(own, whole), share_pct(before, whole_then)
        found = {
            "own": own,
            "whole": whole,
            "share": share,
            "share_change": None if share is None or share_then is None else share - share_then,
            "growth_own": growth_pct(own, before),
            "growth_whole": growth_pct(whole, whole_then),
            "contribution_rate": contribution_pct(own, before, whole, whole_then, minimum),
            "contribution_points": pull_points(own, before, whole_then),
        }
        hardly = {"contribution_rate": _hardly(found["contribution_points"], whole, found["contribution_rate"])}
        if item.deflator:
            real = at_last_years_prices(own, self._price(item, area.lookup))
            real_whole = at_last_years_prices(whole, self._price(item, _of_whole(item, area)))
            rate, points = (
                contribution_pct(real, before, real_whole, whole_then, minimum),
                pull_points(real, before, whole_then),
            )
            found |= {
                "growth_own_constant": growth_pct(real, before),
                "growth_whole_constant": growth_pct(real_whole, whole_then),
                "contribution_rate_constant": rate,
                "contribution_points_constant": points,
            }
            hardly["contribution_rate_constant"] = _hardly(points, real_whole, rate)
        if self.annual.data.period.year > self.definition.base_year:
            found |= {
                "growth_since_base": growth_pct(own, own_base),
                "growth_whole_since_base": growth_pct(whole, whole_base),
            }
        return [self._cell(item, area, m, v, undetermined=hardly.get(m, False)) for m, v in found.items()]

    def _whole(self, item: Item, area: Area, side: str) -> float | None:
        """The whole of an area; of an area whose zones lie in several cities the sum over those cities, each once."""
        name = f"{item.id}.{side}"
        own = self._value(area.code, name)
        if item.reference != CITY or own is not None or area.kind != "area":
            return own
        cities = {_city(self.annual.areas[z]): self._value(z, name) for z in area.zones}
        known = [v for v in cities.values() if v is not None]
        return sum(known) if known and len(known) == len(cities) else None

    def _price(self, item: Item, places: Sequence[str]) -> float | None:
        context = self.annual.data.context
        if item.deflator not in context.columns:
            return None
        rows = context.filter(
            pl.col(reserved.YEAR) == self.annual.data.period.year, pl.col(item.deflator).is_not_null()
        )
        known = dict(rows.select(reserved.AREA, pl.col(item.deflator).cast(pl.Float64)).iter_rows())
        return next((known[place] for place in places if place in known), None)

    def _ratio(self, ratio: Ratio, area: Area) -> list[dict[str, Any]]:
        own = self._value(area.code, f"{ratio.id}.own")
        found = {"ratio_own": own}
        if ratio.whole:
            whole = self._value(area.code, f"{ratio.id}.whole")
            found |= {"ratio_whole": whole, "multiple": multiple(own, whole)}
        group = self._group(area)
        if group is not None:
            average = self._value(group.code, f"{ratio.id}.own")
            found |= {"ratio_group": average, "multiple_group": multiple(own, average)}
        return [self._cell(ratio, area, m, v, group=group) for m, v in found.items()]

    def _group(self, area: Area) -> Area | None:
        """The area a zone is compared within: of those that hold it the one with the most zones, the first of equals."""
        if area.kind != "zone":
            return None
        holding = [a for c in self.annual.chosen if area.code in (a := self.annual.areas[c]).zones and a.kind == "area"]
        return max(holding, key=lambda a: len(a.zones), default=None)

    def _cell(
        self, entry: Item | Ratio, area: Area, measure: str, value: float | None, *, undetermined: bool = False,
        group: Area | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        reference = entry.reference if isinstance(entry, Item) else ""
        words = {"whole": WHOLE_NAMES.get(reference, ""), "base": str(self.definition.base_year)}
        behind = [(area.code, f"{entry.id}.{side}") for side in SIDES[measure] if f"{entry.id}.{side}" in self.texts]
        if group is not None and measure in ("ratio_group", "multiple_group"):
            behind = [(group.code, f"{entry.id}.own"), *(behind if measure == "multiple_group" else [])]
        note = self._note(entry, area, measure, value, undetermined=undetermined, group=group, words=words)
        return {
            "table": reference or AVERAGES,
            "period": str(self.annual.data.period),
            "area": area.code,
            "area_name": area.short_name,
            "breakdown": "total",
            "category": TOTAL,
            "category_name": "合计",
            "indicator": entry.id,
            "indicator_name": entry.name,
            "unit_measure": _unit(entry, measure),
            "measure": measure,
            "measure_name": MEASURES[measure].format(**words),
            "value": value,
            "decimals": entry.decimals if measure in LEVELS else 2,
            "status": self._status(behind, value, undetermined=undetermined),
            "note": note,
            "formula": _formula(entry, measure),
            "behind": behind,
        }

    def _status(self, behind: Sequence[tuple[str, str]], value: float | None, *, undetermined: bool) -> str:
        if value is None:
            return "Z" if undetermined else "M"
        year, areas, env = self.annual.data.period.year, self.annual.areas, self.annual.env
        estimated = any(self.estimates.behind(self.texts[n], areas[a], year, env) for a, n in behind)
        return ESTIMATED if estimated else NORMAL

    def _note(
        self, entry: Item | Ratio, area: Area, measure: str, value: float | None, *, undetermined: bool,
        group: Area | None, words: Mapping[str, str],
    ) -> str:  # fmt: skip
        if undetermined:
            return HARDLY_MOVED.format(minimum=self.definition.increment_minimum, **words)
        if value is None:
            return self._missing(entry, group if measure == "ratio_group" and group else area, measure, words)
        if isinstance(entry, Item):
            constant = [CONSTANT_NOTE.format(deflator=entry.deflator)] if measure.endswith("_constant") else []
            restated = [RESTATED] if measure in OF_LAST_YEAR and self._restated(entry, area) else []
            return "。".join(constant + restated)
        return f"同组:{group.short_name}" if group is not None and measure in ("ratio_group", "multiple_group") else ""

    def _side(self, item: Item, area: Area, side: str) -> float | None:
        """A side as the figures take it: a whole over its cities, last year's as this year's context has it, else as last year's."""
        if not side.startswith("whole"):
            return self._value(area.code, f"{item.id}.{side}")
        found = self._whole(item, area, side)
        return self._whole(item, area, "whole_before_then") if found is None and side == "whole_before" else found

    def _not_positive(self, item: Item, area: Area, measure: str) -> str:
        """The side a figure is divided by that is known and zero or below; empty where there is none such."""
        known = {side: self._side(item, area, side) for side in DIVIDED_BY.get(measure, ())}
        if any(v is None for v in known.values()):
            return ""
        return next((side for side, v in known.items() if v is not None and v <= 0), "")

    def _restated(self, item: Item, area: Area) -> bool:
        """Whether this year's form states last year's figure otherwise than last year's form did."""
        now, then = (self._value(area.code, f"{item.id}.{s}") for s in ("own_before", "own_before_then"))
        return now is not None and then is not None and not isclose(now, then, rel_tol=1e-9, abs_tol=1e-9)

    def _missing(self, entry: Item | Ratio, area: Area, measure: str, words: Mapping[str, str]) -> str:
        if measure.endswith("_constant") and isinstance(entry, Item) and self._price(entry, area.lookup) is None:
            return f"背景资料没有{self.annual.data.period.year}年的{self.annual.labels.get(entry.deflator, entry.deflator)}"
        if isinstance(entry, Item) and (side := self._not_positive(entry, area, measure)):
            return not_positive(measure, side, self._side(entry, area, side) or 0.0, words)
        if isinstance(entry, Ratio) and measure in TIMES and self._value(area.code, f"{entry.id}.own") is not None:
            average = f"{entry.id}.{'whole' if measure == 'multiple' else 'own'}"
            of = area if measure == "multiple" else self._group(area) or area
            if (size := self._value(of.code, average)) is not None and size <= 0:
                return NO_MULTIPLE.format(of="全省平均" if measure == "multiple" else "同组园区平均")
        for side in SIDES[measure]:
            name = f"{entry.id}.{side}"
            if name in self.texts and self._value(area.code, name) is None:
                years = self.figures.missing_years.get(name, ())
                said = missing_data(
                    self.texts[name], area, self.annual.data, self.annual.env, self.annual.labels, years
                )
                return f"缺上年数据:{said}" if side.endswith("before") else said
        return "所需数据不全"


def _hardly(points: float | None, whole: float | None, rate: float | None) -> bool:
    """Everything known, and still no rate: the whole hardly moved."""
    return rate is None and points is not None and whole is not None


def _city(area: Area) -> str:
    """The city a zone lies in, by its division code; its own code where there is none."""
    return next(
        (c for c in area.lookup if len(c) == 6 and c.isdigit() and c.endswith("00") and not c.endswith("0000")),
        area.code,
    )


def _of_whole(item: Item, area: Area) -> list[str]:
    """Where the price index of the whole is looked for: the place the whole is about first, then outwards."""
    province = [c for c in area.lookup if c.endswith("0000")]
    return [_city(area), *province] if item.reference == CITY else province or list(area.lookup)


def _unit(entry: Item | Ratio, measure: str) -> str:
    if measure in LEVELS:
        return entry.unit_measure
    return "百分点" if measure in POINTS else "倍" if measure in TIMES else "%"


def _formula(entry: Item | Ratio, measure: str) -> str:
    """The expression a figure rests on, for tracing; multiples of the group's average are not one expression."""
    own, whole = f"({entry.own})", f"({entry.whole})"
    texts = {
        "own": entry.own,
        "ratio_own": entry.own,
        "whole": entry.whole,
        "ratio_whole": entry.whole,
        "share": f"{own}/{whole}*100",
        "share_change": f"({own}/{whole}-yoy({own})/yoy({whole}))*100",
        "growth_own": f"({own}/yoy({own})-1)*100",
        "growth_whole": f"({whole}/yoy({whole})-1)*100",
        "contribution_rate": f"({own}-yoy({own}))/({whole}-yoy({whole}))*100",
        "contribution_points": f"({own}-yoy({own}))/yoy({whole})*100",
        "multiple": f"{own}/{whole}",
    }
    if isinstance(entry, Item) and entry.deflator:
        real, real_whole = f"{own}/({entry.deflator}/100)", f"{whole}/({entry.deflator}/100)"
        texts |= {
            "growth_own_constant": f"({real}/yoy({own})-1)*100",
            "growth_whole_constant": f"({real_whole}/yoy({whole})-1)*100",
            "contribution_rate_constant": f"({real}-yoy({own}))/({real_whole}-yoy({whole}))*100",
            "contribution_points_constant": f"({real}-yoy({own}))/yoy({whole})*100",
        }
    return texts.get(measure, "")


def _parts(keys: Sequence[str], rows: Sequence[Mapping[str, Any]], figures: AreaFigures) -> pl.DataFrame:
    """What stands behind a figure: every sum and sheet figure of its sides; those of another area say which."""
    links = pl.DataFrame(
        [(key, row["area"], place, name) for key, row in zip(keys, rows, strict=True) for place, name in row["behind"]],
        schema={"row_key": pl.String, "own_area": pl.String, "area": pl.String, "name": pl.String},
        orient="row",
    )
    joined = links.join(figures.parts.drop("breakdown", "category"), on=["area", "name"], how="inner")
    elsewhere = pl.when(pl.col("area") != pl.col("own_area")).then("area").otherwise(pl.lit(""))
    found = shaped_parts(joined.with_columns(area=elsewhere))
    # A whole added up over cities is an authority's figure like each of its parts.
    rest = pl.DataFrame({"row_key": keys}).join(found.select("row_key"), on="row_key", how="anti")
    return pl.concat([found, administrative_parts(rest, "context")])
