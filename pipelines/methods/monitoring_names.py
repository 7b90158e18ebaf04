"""Chinese names of areas, categories and indicators, from the programme."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from pipelines.methods.area_figures import TOTAL, UNKNOWN_CATEGORY
from pipelines.methods.areas import Area
from schemas import reserved
from schemas.model import Edition, Programme
from schemas.period import Period


@dataclass(frozen=True)
class Names:
    """``areas``: area code → short name; ``categories``: (breakdown, category) → name."""

    areas: Mapping[str, str]
    categories: Mapping[tuple[str, str], str]

    def named(self, cells: pl.DataFrame) -> pl.DataFrame:
        """The cells with ``area_name`` and ``category_name``; a code without a name stands for itself."""
        pairs = [(b, c, name) for (b, c), name in self.categories.items()]
        table = pl.DataFrame(pairs, schema=["breakdown", "category", "category_name"], orient="row")
        return cells.join(table, on=["breakdown", "category"], how="left", maintain_order="left").with_columns(
            pl.col("area").replace_strict(dict(self.areas), default=pl.col("area")).alias("area_name"),
            pl.coalesce("category_name", "category").alias("category_name"),
        )


def names_of(programme: Programme, edition: Edition, areas: Mapping[str, Area], period: Period) -> Names:
    """The names in force at the end of the period."""
    short = {code: area.short_name for code, area in areas.items()}
    industries = programme.codelists["gbt4754_upper"].valid(period.end)
    categories = {("total", TOTAL): "合计"}
    for breakdown in ("zone", "sub_park"):
        categories |= {(breakdown, code): name for code, name in short.items()}
        categories[breakdown, UNKNOWN_CATEGORY] = "未分园"
    for breakdown in ("section", "division"):
        rows = industries.filter(level=breakdown).select("code", "name").iter_rows()
        categories |= {(breakdown, str(code)): str(name) for code, name in rows}
        categories[breakdown, UNKNOWN_CATEGORY] = "行业不明"
    sizes = edition.indicators[reserved.SIZE].options if reserved.SIZE in edition.indicators else {}
    categories |= {("size", code): name for code, name in sizes.items()}
    categories["size", UNKNOWN_CATEGORY] = "未划型"
    return Names(short, categories)
