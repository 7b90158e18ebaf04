"""The ratios monitoring publishes beside the totals: profit rate, debt ratio … as the programme lists them.

Source: ``tables/monitoring.toml``; the same-unit rule and its coverage of survey_system.md 8.4.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import polars as pl

from pipelines.methods.area_figures import KEYS, AreaFigures, area_figures
from pipelines.methods.areas import Area
from pipelines.methods.monitoring_measures import LOW_COVERAGE, MOSTLY_IMPUTED, NO_YEAR_EARLIER, ROW_KEY, TABLE
from pipelines.methods.monitoring_notes import SILENT
from schemas.environment import Environment
from schemas.expression import expand, operands, parse
from schemas.marts import row_key
from schemas.model import PublicationTable
from schemas.period_data import PeriodData
from schemas.structural_zeros import NON_RESPONSE

NOT_COMPUTABLE: Final = "分子或分母未报,或分母为零"
EARLIER: Final = "@earlier"
BOTH: Final = ("share", "share_earlier")
WHOLE: Final = 1 - 1e-9
ONLY_BOTH: Final = "只含分子、分母都有数的单位"


def ratio_product(
    table: PublicationTable,
    data: PeriodData,
    areas: Mapping[str, Area],
    chosen: Sequence[str],
    env: Environment,
    coverage_minimum: float,
    estimated: pl.DataFrame,
    silent: pl.DataFrame,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Cells and parts of one table of ratios: the value, last year's on its own common units, and the change.

    ``estimated``: as ``monitoring_terms.estimated_cells``; a ratio over a level that is withheld is withheld. ``silent``: as
    ``monitoring_terms.silent_cells``; a ratio says who is missing from it, and that answering units without both sides are left out:
    silence, which is said already, is no second reason. A ratio whose common units hold less than ``coverage_minimum`` of the denominator is not published.
    """
    cells, parts = [], []
    heard = _heard(data)
    for rows in dict.fromkeys(_rows(table, column) for column in table.columns):
        columns = [c for c in table.columns if _rows(table, c) == rows]
        nodes = {str(c["indicator"]): str(c["formula"]) for c in columns}
        nodes |= {f"{c['indicator']}{EARLIER}": str(c.get("earlier") or f"yoy({c['formula']})") for c in columns}
        found = area_figures(nodes, data, areas, chosen, rows, env)
        among = found if heard is None else area_figures(nodes, heard, areas, chosen, rows, env)
        for column in columns:
            codes = {c for c, _ in _operands(str(column["formula"]), env)}
            own = _cells(
                column,
                found,
                among.coverage,
                str(data.period),
                coverage_minimum,
                _estimates_of(estimated, codes),
                _silent_of(silent, codes),
            )
            cells.append(own)
            parts.append(_parts(own, str(column["indicator"]), found))
    return pl.concat(cells), pl.concat(parts)


def _heard(data: PeriodData) -> PeriodData | None:
    """The observations of the units that answered; None where all did."""
    rosters = {
        name: frame.filter(~pl.col("answer_status").is_in(NON_RESPONSE).fill_null(False))
        if "answer_status" in frame.columns
        else frame
        for name, frame in data.rosters.items()
    }
    same = all(rosters[name].height == frame.height for name, frame in data.rosters.items())
    return None if same else replace(data, rosters=rosters)


def _operands(text: str, env: Environment) -> frozenset[tuple[str, str]]:
    return operands(expand(parse(text), env.derivations))


def _estimates_of(estimated: pl.DataFrame, codes: Collection[str]) -> pl.DataFrame:
    """area, breakdown, category, plain (E), withheld of the cells in which one of ``codes`` is estimated."""
    own = estimated.filter(pl.col("indicator").is_in(sorted(codes)))
    return own.group_by(KEYS).agg(pl.col("withheld").any(), plain=pl.lit("E")).sort(KEYS)


def _silent_of(silent: pl.DataFrame, codes: Collection[str]) -> pl.DataFrame:
    """area, breakdown, category, silent: the most units missing from one of ``codes``."""
    own = silent.filter(pl.col("indicator").is_in(sorted(codes)))
    return own.group_by(KEYS).agg(pl.col("silent").max()).sort(KEYS)


def _rows(table: PublicationTable, column: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(column.get("rows", table.rows))


def _cells(
    column: Mapping[str, Any],
    found: AreaFigures,
    heard: pl.DataFrame,
    period: str,
    coverage_minimum: float,
    estimated: pl.DataFrame,
    silent: pl.DataFrame,
) -> pl.DataFrame:
    code = str(column["indicator"])
    earlier = f"{code}{EARLIER}"
    shares = found.coverage.select(
        *KEYS, pl.col(code).fill_null(1.0).alias("share"), pl.col(earlier).fill_null(1.0).alias("share_earlier")
    )
    rows = found.values.select(*KEYS, pl.col(code).alias("now"), pl.col(earlier).alias("then"))
    rows = rows.join(shares, on=KEYS, how="left", maintain_order="left")
    among = heard.select(
        *KEYS, *(pl.col(c).fill_null(1.0).alias(f"{s}_heard") for c, s in ((code, "share"), (earlier, "share_earlier")))
    )
    rows = rows.join(among, on=KEYS, how="left", maintain_order="left")
    rows = rows.join(estimated, on=KEYS, how="left", maintain_order="left").with_columns(
        pl.col("plain").fill_null("P"), pl.col("withheld").fill_null(False)
    )
    rows = rows.join(silent, on=KEYS, how="left", maintain_order="left")
    rows = rows.filter(pl.col("now").is_not_null() | (pl.col("breakdown") == "total"))
    enough, enough_then = ((pl.col(c) >= coverage_minimum) & ~pl.col("withheld") for c in ("share", "share_earlier"))
    now, then = pl.when(enough).then("now"), pl.when(enough_then).then("then")
    unit = str(column["unit_measure"])
    change_unit = "百分点" if unit == "%" else unit
    measures = (
        ("ratio", "比率", now, enough, NOT_COMPUTABLE, unit, str(column["formula"]), ("share",)),
        ("ratio_year_earlier", "上年同期比率", then, enough_then, NO_YEAR_EARLIER, unit, "", ("share_earlier",)),
        ("ratio_change", "比上年同期增减", now - then, enough & enough_then, NO_YEAR_EARLIER, change_unit, "", BOTH),
    )
    tables = []
    for measure, name, value, covered, missing, unit_measure, formula, sides in measures:
        thin = pl.when("withheld").then(pl.lit(MOSTLY_IMPUTED)).otherwise(pl.lit(LOW_COVERAGE))
        why = pl.when(covered).then(pl.lit(missing)).otherwise(thin)
        tables.append(
            rows.with_columns(value=value, why=why).select(
                *KEYS,
                pl.lit(code).alias("indicator"),
                pl.lit(str(column["name"])).alias("indicator_name"),
                pl.lit(TABLE).alias("table"),
                pl.lit(period).alias("period"),
                pl.lit(measure).alias("measure"),
                pl.lit(name).alias("measure_name"),
                pl.lit(unit_measure).alias("unit_measure"),
                pl.lit(int(column.get("decimals", 1))).cast(pl.Int8).alias("decimals"),
                pl.col("value").cast(pl.Float64),
                pl.when(pl.col("value").is_null()).then(pl.lit("M")).otherwise("plain").alias("status"),
                pl.when(pl.col("value").is_null()).then("why").otherwise(_note(sides)).alias("note"),
                pl.lit(formula).alias("formula"),
            )
        )
    return pl.concat(tables).with_columns(row_key(*ROW_KEY))


def _note(sides: Sequence[str]) -> pl.Expr:
    """Who is missing from a ratio, and that it is not the quotient of the totals beside it, for units that answered have one side only."""
    missing = pl.when(pl.col("silent") > 0).then(pl.format(SILENT, "silent"))
    apart = pl.when(pl.any_horizontal(pl.col(f"{s}_heard") < WHOLE for s in sides)).then(pl.lit(ONLY_BOTH))
    return pl.concat_str(missing, apart, separator="。", ignore_nulls=True)


def _parts(cells: pl.DataFrame, code: str, found: AreaFigures) -> pl.DataFrame:
    sides = {"ratio": (code,), "ratio_year_earlier": (f"{code}{EARLIER}",), "ratio_change": (code, f"{code}{EARLIER}")}
    tables = [
        cells.filter(pl.col("measure") == measure)
        .select("row_key", *KEYS)
        .join(found.parts.filter(pl.col("name").is_in(names)), on=KEYS)
        for measure, names in sides.items()
    ]
    return pl.concat(tables)
