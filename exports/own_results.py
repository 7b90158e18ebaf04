"""What is published of one park 本园区的发布结果: read from the tables of a release, never from the warehouse.

Every figure is shown as the release shows it (``display``): what disclosure control took out stays out here too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import polars as pl

from exports.manifest import file_sha256, read_manifest
from schemas.errors import StorageError

FIGURES, SERIES, WARNINGS, REVISIONS = "monitoring_figures", "monitoring_series", "monitoring_warnings", "monitoring_revisions"  # fmt: skip
INDEX, EVALUATION, TARGETS = "index_scores", "evaluation_scores", "targets_progress"
QUARTERLY, ANNUAL = (FIGURES, WARNINGS), (INDEX, EVALUATION, TARGETS, REVISIONS)
FIGURE_MEASURES = (
    "cumulative",
    "growth_restated",
    "growth_matched",
    "discrete_quarter",
    "share",
    "contribution_points",
)
RATIO_MEASURES = ("ratio", "ratio_change")
ANNUAL_MEASURES = ("final", "preliminary", "revision_pct")
STANDING_MEASURES = ("total", "grade", "rank", "rank_lower", "rank_upper", "class_size", "rank_change")
TARGET_MEASURES = ("target", "actual", "completion", "expected", "gap", "standing")
TOTAL = "TOTAL"
Tables: TypeAlias = Mapping[str, pl.DataFrame]
"""Published tables by name."""


@dataclass(frozen=True)
class Figure:
    """A published cell; ``value`` is None where nothing is to be drawn (not reported, not applicable, suppressed)."""

    display: str
    value: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Row:
    """One indicator with some of its measures; a measure the release does not have is absent."""

    code: str
    name: str
    unit: str
    cells: Mapping[str, Figure]

    def shown(self, measure: str) -> str:
        """A measure as published; … where the release says nothing of it."""
        return self.cells[measure].display if measure in self.cells else "…"

    def value(self, measure: str) -> float | None:
        """A measure to draw or to sort by."""
        return self.cells[measure].value if measure in self.cells else None

    def note(self, measure: str) -> str:
        """What the release notes on a measure."""
        return self.cells[measure].note if measure in self.cells else ""


@dataclass(frozen=True)
class IndexYear:
    """The development index of one year: the total, its interval, its dimensions."""

    year: str
    total: Row
    dimensions: Sequence[Row]

    def of(self, code: str) -> str:
        """The index of a dimension as published; … for a year that does not have it."""
        return next((row.shown("index") for row in self.dimensions if row.code == code), "…")


@dataclass(frozen=True)
class Moved:
    """What moved the index in its last year: points of each dimension and indicator, the largest first; what is not
    published stands at the end."""

    year: str
    dimensions: Sequence[Row]
    indicators: Sequence[Row]


@dataclass(frozen=True)
class Evaluated:
    """How a park stands in one evaluation; ``dimensions`` with their scores."""

    table: str
    title: str
    overall: Row
    dimensions: Sequence[Row]


def released_tables(folder: Path, names: Sequence[str]) -> dict[str, pl.DataFrame]:
    """The published tables of a release by name, of those it has. Raises StorageError for a file that was changed since."""
    found = {}
    for entry in read_manifest(folder).files:
        name = entry.path.removeprefix("tables/").removesuffix(".parquet")
        if entry.path != f"tables/{name}.parquet" or name not in names:
            continue
        path = folder / entry.path
        if not path.is_file() or file_sha256(path) != entry.sha256:
            raise StorageError(f"发布 {folder.name} 的文件 {entry.path} 缺失或已被改动。")
        found[name] = pl.read_parquet(path)
    return found


def has_any(folder: Path, names: Sequence[str]) -> bool:
    """Whether a release has one of these tables."""
    listed = {entry.path for entry in read_manifest(folder).files}
    return any(f"tables/{name}.parquet" in listed for name in names)


def figures(tables: Tables, area: str) -> list[Row]:
    """The totals of a quarter, amounts first as the release orders them."""
    return _rows(_own(tables, FIGURES, area), FIGURE_MEASURES, needs="cumulative")


def ratios(tables: Tables, area: str) -> list[Row]:
    """The ratios of a quarter and how they changed."""
    return _rows(_own(tables, FIGURES, area), RATIO_MEASURES, needs="ratio")


def annual_figures(tables: Tables, area: str) -> list[Row]:
    """The final figures of a year beside the preliminary ones."""
    return _rows(_own(tables, REVISIONS, area), ANNUAL_MEASURES, needs="final")


def series(tables: Tables, area: str, indicator: str) -> list[tuple[str, Row]]:
    """One indicator over the quarters published so far: (period, its measures), the oldest first."""
    own = _own(tables, SERIES, area)
    if own.is_empty():
        return []
    own = own.filter(indicator=indicator)
    measures = own["measure"].unique().to_list()
    return [
        (period, row)
        for period in sorted(own["period"].unique())
        for row in _rows(own.filter(period=period), measures, needs="")
    ]


def warnings(tables: Tables, area: str) -> list[Row]:
    """The warnings of a quarter: level, score and value of each; the overall level last, as the release has it."""
    return _rows(_own(tables, WARNINGS, area), ("value", "level", "score"), needs="level")


def index_years(tables: Tables, area: str) -> list[IndexYear]:
    """The development index year by year with the interval of the total and the dimensions."""
    own = _own(tables, INDEX, area)
    years = []
    for year in sorted(own["period"].unique()) if own.height else []:
        rows = _rows(own.filter(period=year), ("index", "index_lower", "index_upper", "growth"), needs="index")
        total = [row for row in rows if row.code == TOTAL]
        if total:
            years.append(IndexYear(year, total[0], [row for row in rows if row.code.startswith("D")]))
    return years


def moved(tables: Tables, area: str) -> Moved | None:
    """What moved the index in the last year that has contributions; None where none has."""
    own = _own(tables, INDEX, area)
    with_points = own.filter(measure="contribution") if own.height else own
    if with_points.is_empty():
        return None
    year = max(with_points["period"])
    rows = _rows(own.filter(period=year), ("contribution", "growth", "value", "index"), needs="contribution")
    ordered = sorted(
        rows, key=lambda row: (row.value("contribution") is None, -abs(row.value("contribution") or 0.0), row.code)
    )
    is_dimension = [row for row in rows if row.code.startswith("D")]
    return Moved(year, is_dimension, [row for row in ordered if not row.code.startswith("D") and row.code != TOTAL])


def evaluations(tables: Tables, area: str) -> list[Evaluated]:
    """Every evaluation the park stands in: total, grade, rank with its interval where published, dimensions."""
    own = _own(tables, EVALUATION, area)
    found = []
    for name in own["table"].unique(maintain_order=True) if own.height else []:
        mine = own.filter(table=name)
        overall = _rows(mine, STANDING_MEASURES, needs="total")
        if not overall:
            continue
        parts = [row for row in _rows(mine, ("score",), needs="score") if not row.code.startswith(("X", "E", "Q"))]
        found.append(
            Evaluated(name, overall[0].name, overall[0], [row for row in parts if row.code != overall[0].code])
        )
    # The general one first, lists and special evaluations after it.
    return sorted(found, key=lambda one: (one.table not in ("parks", "sub_parks"), one.table))


def targets(tables: Tables, area: str) -> list[Row]:
    """The targets of an area with how far they are."""
    return _rows(_own(tables, TARGETS, area), TARGET_MEASURES, needs="target")


def _own(tables: Tables, name: str, area: str) -> pl.DataFrame:
    """The total lines of an area; an empty frame where the release does not have the table."""
    frame = tables.get(name)
    if frame is None:
        return pl.DataFrame()
    return frame.filter(area=area, breakdown="total", category="T")


def _rows(frame: pl.DataFrame, measures: Sequence[str], *, needs: str) -> list[Row]:
    """Indicators in the order of the table, with those measures; only those that have ``needs`` (all where it is empty)."""
    if frame.is_empty():
        return []
    found: dict[str, tuple[str, dict[str, str], dict[str, Figure]]] = {}
    for row in frame.filter(pl.col("measure").is_in(list(measures))).iter_rows(named=True):
        _, units, cells = found.setdefault(row["indicator"], (row["indicator_name"], {}, {}))
        units[row["measure"]] = row["unit_measure"] or ""
        cells[row["measure"]] = Figure(row["display"], row["value"], row["note"] or "")
    return [
        Row(code, name, units.get(needs) or next(iter(units.values()), ""), cells)
        for code, (name, units, cells) in found.items()
        if not needs or needs in cells
    ]
