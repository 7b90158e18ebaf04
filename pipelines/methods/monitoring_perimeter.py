"""Perimeter effects 范围变动分解: what entries, exits, moves and answers that came or stayed away do to a total. Internal.

Between two quarters of a year, and between this quarter and the same one of last year as published: the difference of the totals is
what continuing units did, and what the register and the answers did. Who entered, left or moved is read from the registers of the two
periods as they stand in the rosters; who merged or split, from the register's events. Source: survey_system.md 8.6; docs/methods/monitoring.md, "Perimeter effects".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import polars as pl

from pipelines.methods.area_figures import OUTSIDE_POPULATION, TOTAL
from pipelines.methods.areas import Area, areas_of, memberships
from pipelines.methods.monitoring import areas_present
from pipelines.methods.monitoring_names import names_of
from pipelines.methods.monitoring_sides import MonitoringRound, portions_of, sides_of
from pipelines.methods.product import Product, administrative_parts, product_of
from pipelines.methods.successions import FOR_NOBODY
from schemas.environment import environment_for
from schemas.marts import row_key
from schemas.model import Indicator, Programme
from schemas.period_data import PeriodData

TABLES: Final = {"quarter": "previous", "year": "published"}  # table → the other period's amounts
CAUSES: Final = {
    "continuing": "持续单位增减",
    "entry": "新增单位",
    "exit": "退出单位",
    "moved_in": "迁入单位",
    "moved_out": "迁出单位",
    "answered": "上次未报、本次报送",
    "unanswered": "上次报送、本次未报",
    "restructured": "合并分立、未全部报送",
}
BY: Final = ("area", "indicator", "cause")


def monitoring_perimeter(round_: MonitoringRound, programme: Programme) -> Product:
    """Cells of the internal mart ``monitoring_perimeter``: by area and zone, indicator and cause the amount and the units.

    Table ``quarter``: flows against the quarter before of the same year (as revised); the causes but ``continuing`` add up to the
    published perimeter. Table ``year``: against last year as published; all causes add up to the difference behind nominal growth.
    Units that merged or split continue: their earlier figures stand under the units that report now (``successions``).
    """
    edition = programme.edition_for(round_.now.period)
    areas = areas_of(programme.codelists["parks"].valid(round_.now.period.end))
    chosen = [areas[c] for c in areas_present(round_.now, programme)]
    env = environment_for(programme, round_.now.period)
    others = {"quarter": round_.previous, "year": round_.year_earlier_published}
    found = []
    for portion in portions_of(round_.now, edition):
        sides = sides_of(round_, edition, env, portion)
        for table, term in TABLES.items():
            before = others[table]
            if before is None or term not in sides.compared:
                continue
            now = sides.units if table == "year" else sides.units.filter("flow")
            handed = sides.compared[term]
            earlier = handed.amounts if table == "year" else handed.amounts.filter("flow")
            rows = effects(now, earlier, round_.now, before, chosen, handed.apart)
            found.append(rows.with_columns(pl.lit(table).alias("table")))
    if not found:
        return product_of([], [])
    cells = _cells(pl.concat(found), edition.indicators.values(), str(round_.now.period))
    named = names_of(programme, edition, areas, round_.now.period).named(cells)
    return product_of([named], [administrative_parts(named, "internal")])


def effects(
    now: pl.DataFrame,
    earlier: pl.DataFrame,
    data: PeriodData,
    before: PeriodData,
    areas: Sequence[Area],
    apart: pl.DataFrame = FOR_NOBODY,
) -> pl.DataFrame:
    """``BY``, amount (whole last decimals) and units, of the amounts ``now`` against ``earlier`` (unit_id, park, indicator, sheet,
    amount) by area. Within an area a unit counts once, wherever in it it stood; figures of sheets are left out. One that moved in
    brings its earlier figure (moved_in), what it did since is continuing: as the discrete quarter has it; so does a merged unit the
    figures of predecessors elsewhere. ``apart``: unit_id, indicator of merged or split units that cannot be compared."""
    member = memberships(areas).select("park", "area")

    def of_area(frame: pl.DataFrame, name: str) -> pl.DataFrame:
        known = frame.filter(pl.col("amount").is_not_null() & ~pl.col("sheet"))
        keyed = known.select("unit_id", "park", "indicator", "amount").join(member, on="park", how="inner")
        return keyed.group_by("area", "indicator", "unit_id").agg(pl.col("amount").sum().alias(name))

    both = of_area(now, "now").join(
        of_area(earlier, "then"), on=["area", "indicator", "unit_id"], how="full", coalesce=True
    )
    elsewhere = (
        earlier.filter(pl.col("amount").is_not_null() & ~pl.col("sheet"))
        .group_by("indicator", "unit_id")
        .agg(pl.col("amount").sum().alias("brought"))
    )
    both = both.join(elsewhere, on=["indicator", "unit_id"], how="left")
    for column, source in (("park_now", data), ("park_then", before)):
        both = both.join(_parks(source).rename({"park": column}), on="unit_id", how="left")
        inside = member.select("area", pl.col("park").alias(column), pl.lit(True).alias(f"{column}_inside"))
        both = both.join(inside, on=["area", column], how="left")
    here = {c: pl.col(f"{c}_inside").fill_null(False) for c in ("park_now", "park_then")}
    both = both.join(apart.with_columns(apart=True), on=["unit_id", "indicator"], how="left")
    is_apart = pl.col("apart").fill_null(False)
    cause = (
        pl.when(is_apart)
        .then(pl.lit("restructured"))
        .when(pl.col("now").is_not_null() & pl.col("then").is_not_null())
        .then(pl.lit("continuing"))
        .when(pl.col("now").is_not_null())
        .then(_cause("park_then", here["park_then"], "answered", "moved_in", "entry"))
        .otherwise(_cause("park_now", here["park_now"], "unanswered", "moved_out", "exit"))
    )
    from_elsewhere = pl.col("brought") - pl.col("then").fill_null(0)
    brought = pl.when(
        pl.col("now").is_not_null() & ~is_apart & (pl.col("then").is_null() | (from_elsewhere != 0))
    ).then(from_elsewhere)
    caused = both.with_columns(
        cause=cause, change=pl.col("now").fill_null(0) - pl.col("then").fill_null(0), brought=brought
    )
    moved = caused.filter(pl.col("brought").is_not_null())
    parts = [
        caused.filter(pl.col("brought").is_null()).select(*BY, "unit_id", amount="change"),
        moved.select("area", "indicator", pl.lit("moved_in").alias("cause"), "unit_id", amount="brought"),
        moved.select(
            "area", "indicator", pl.lit("continuing").alias("cause"), pl.lit(None, dtype=pl.String).alias("unit_id"),
            amount=pl.col("change") - pl.col("brought"),
        ),  # its change is the present figure less what it had here
    ]  # fmt: skip
    counted = pl.col("unit_id").drop_nulls().n_unique()
    return pl.concat(parts).group_by(BY).agg(pl.col("amount").sum(), units=counted).sort(BY)


def _cause(column: str, inside: pl.Expr, response: str, moved: str, register: str) -> pl.Expr:
    """A unit with a figure on one side only: still in the register of the area, in that of another, or in none."""
    return (
        pl.when(inside)
        .then(pl.lit(response))
        .when(pl.col(column).is_not_null())
        .then(pl.lit(moved))
        .otherwise(pl.lit(register))
    )


def _parks(data: PeriodData) -> pl.DataFrame:
    """unit_id, park of every unit of the rosters that belongs to the population."""
    tables = []
    for frame in data.rosters.values():
        if {"unit_id", "park"} <= set(frame.columns):
            gone = (
                pl.col("answer_status").is_in(OUTSIDE_POPULATION).fill_null(False)
                if "answer_status" in frame.columns
                else pl.lit(False)
            )
            tables.append(frame.filter(~gone).select("unit_id", "park"))
    empty = pl.DataFrame(schema={"unit_id": pl.String, "park": pl.String})
    return pl.concat([empty, *tables]).unique("unit_id", keep="first", maintain_order=True)


def _cells(rows: pl.DataFrame, indicators: Iterable[Indicator], period: str) -> pl.DataFrame:
    described = pl.DataFrame(
        [(i.code, i.name, i.unit_measure, i.decimals) for i in indicators],
        schema=["indicator", "indicator_name", "indicator_unit", "places"], orient="row",
    )  # fmt: skip
    known = rows.join(described, on="indicator", how="inner", maintain_order="left")
    scale = pl.lit(10.0).pow(pl.col("places"))
    common: list[str | pl.Expr] = [
        "table", "area", "indicator", "indicator_name",
        pl.lit(period).alias("period"), pl.lit("total").alias("breakdown"), pl.lit(TOTAL).alias("category"),
        pl.lit("P").alias("status"),
    ]  # fmt: skip
    name = pl.col("cause").replace_strict(CAUSES)
    amounts = known.select(
        *common, pl.col("cause").alias("measure"), name.alias("measure_name"),
        pl.col("indicator_unit").alias("unit_measure"), (pl.col("amount").cast(pl.Float64) / scale).alias("value"),
        pl.col("places").cast(pl.Int8).alias("decimals"), pl.format("{}户", "units").alias("note"),
    )  # fmt: skip
    units = known.select(
        *common, pl.format("{}_units", "cause").alias("measure"), pl.format("{}户数", name).alias("measure_name"),
        pl.lit("户").alias("unit_measure"), pl.col("units").cast(pl.Float64).alias("value"),
        pl.lit(0, dtype=pl.Int8).alias("decimals"), pl.lit("").alias("note"),
    )  # fmt: skip
    return pl.concat([amounts, units]).with_columns(row_key("table", "area", "indicator", "measure"))
