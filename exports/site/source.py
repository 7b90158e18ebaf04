"""The marts of a release as the pages of the dashboard read them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import polars as pl

from exports.layout import Figure, Table, tables_of
from exports.manifest import ReleaseMeta
from exports.missing_units import missing_units
from exports.ordering import TOTAL, Ordering, ordering_of, publication
from exports.site.cube import labelled
from exports.site.figures import Mart, figure_of
from schemas.dictionary import of_which
from schemas.marts import CELL_COLUMNS

FIGURES: Final = "monitoring_figures"
REVISIONS: Final = "monitoring_revisions"
SERIES: Final = "monitoring_series"
WARNINGS: Final = "monitoring_warnings"
SCORES: Final = "index_scores"
HEADLINES: Final = 8
FOREMOST: Final = 8
EVALUATION: Final = "evaluation_scores"
TARGETS: Final = "targets_progress"
BREAKDOWN: Final = "targets_breakdown"
INNOVATION: Final = "innovation_tables"
PROGRESS: Final = ("target", "actual", "completion", "expected", "standing")
AREA: Final = "area"


@dataclass(frozen=True)
class Page:
    """One page: file, title in the navigation, template, what the template gets, what the browser gets."""

    file: str
    title: str
    template: str
    context: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    has_figures: bool = True


@dataclass(frozen=True)
class Source:
    """The marts of a release with what is needed to read them."""

    marts: Mapping[str, pl.DataFrame]
    meta: ReleaseMeta
    ordering: Ordering
    parents: Mapping[str, str]
    kinds: Mapping[str, str]  # area → area, zone, sub_park, base
    spec: Mapping[str, Any]

    @classmethod
    def of(cls, marts: Mapping[str, pl.DataFrame], meta: ReleaseMeta) -> Source:
        """A source over the published marts; the register tells an aggregate area from a park."""
        parks = meta.programme.codelists["parks"].rows
        return cls(
            marts,
            meta,
            ordering_of(meta.programme),
            of_which(meta.edition),
            dict(parks.select("code", "kind").iter_rows()),
            publication()["site"],
        )

    def mart(self, name: str) -> Mart:
        """The mart ``name``, without a cell where the release does not have it."""
        return Mart(name, self.marts.get(name, pl.DataFrame(schema={**CELL_COLUMNS, "display": pl.String()})))

    def tables(self, name: str) -> tuple[Table, ...]:
        """The mart laid out as in the publication workbook."""
        mart = self.mart(name)
        return () if mart.frame.is_empty() else tables_of(name, mart.frame, self.ordering, self.parents)

    def measure(self, mart: Mart, purpose: str) -> str:
        """The first measure of ``[site]`` that the mart has for this purpose; empty where it has none."""
        present = set(mart.frame["measure"].unique())
        return next((m for m in self.spec[purpose] if m in present), "")

    def incomplete(self) -> list[tuple[str, Figure]]:
        """Area and number of due units that are missing from its quarterly totals, where some are."""
        return [(row["area_name"], figure_of(row)) for row in missing_units(self.mart(FIGURES).frame, self.ordering)]

    def main(self) -> tuple[Mart, str, str]:
        """Where the headline figures come from, with the measures of level and growth: monitoring, or in a release of a
        year the annual figures beside the preliminary ones, which have no growth."""
        quarterly = self.mart(FIGURES)
        if not quarterly.frame.is_empty():
            return quarterly, self.measure(quarterly, "level"), self.measure(quarterly, "growth")
        annual = self.mart(REVISIONS)
        return annual, self.measure(annual, "annual_level"), ""

    def top_area(self, mart: Mart) -> str:
        """The area a reader starts with: the first aggregate of the register, else the first area."""
        codes = [code for code, _ in labelled(mart.frame, "area", self.ordering)]
        return next((c for c in codes if self.kinds.get(c) == AREA), codes[0] if codes else "")


def headlines(source: Source, mart: Mart, area: str, level: str) -> list[str]:
    """The indicators shown first: those of ``[roles] headline`` that the area has, filled up in printed order."""
    own = mart.frame.filter(area=area, breakdown="total", category=TOTAL, measure=level)
    present = [code for code, _ in labelled(own, "indicator", source.ordering)]
    first = [code for code in source.ordering.roles.headline if code in present]
    others = (code for code in present if code not in first and code not in source.parents)
    return [*first, *others][:HEADLINES]


def figure_or_none(row: dict[str, Any] | None) -> Figure | None:
    """A cell of a mart as a figure; None for no cell."""
    return figure_of(row) if row else None
