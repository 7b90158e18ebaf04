"""Clusters and leading industries 首位产业、潜力产业、集群: how much of a zone they are, how specialised it is in them, on how few they rest.

Definitions are data (``[clusters]`` of the edition): a name, a kind and a test on the enterprise. Internal: figures of few units.
Location quotient: P. Sargant Florence 1929/1948; concentration as in docs/methods/structure.md. Documented in docs/methods/clusters.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from pipelines.methods import growth
from pipelines.methods.area_figures import classified, surveyed
from pipelines.methods.areas import Area, areas_of, memberships
from pipelines.methods.monitoring import areas_present
from pipelines.methods.monitoring_names import names_of
from pipelines.methods.monitoring_sides import sub_park_codes
from pipelines.methods.product import Product, administrative_parts, product_of
from pipelines.methods.series.structure import concentration
from schemas.environment import environment_for
from schemas.errors import DefinitionError
from schemas.expression import operand_column
from schemas.marts import row_key
from schemas.model import Edition, Programme
from schemas.period_data import ENTERPRISE, PeriodData
from schemas.polars_target import prepare_rows, row_expr
from schemas.roles import roles_of

TABLE: Final = "clusters"
KINDS: Final = {"leading": "首位产业", "potential": "潜力产业", "cluster": "产业集群"}
NO_WHOLE: Final = "没有可比的上级区域"
MEASURES: Final = {
    "cluster_units": ("单位数", "户", 0),
    "cumulative": ("本年累计", "", None),
    "share": ("占本区比重", "%", 1),
    "location_quotient": ("区位商", "倍", 2),
    "growth_restated": ("同比(同口径)", "%", 1),
    "contribution_points": ("拉动", "百分点", 2),
    "contribution_rate": ("对增长的贡献率", "%", 1),
    "concentration_cr1": ("最大单位占比", "%", 1),
    "concentration_cr4": ("前四户占比", "%", 1),
    "concentration_hhi": ("赫芬达尔指数", "点", 0),
}


@dataclass(frozen=True)
class Cluster:
    """One cluster. ``zones``: where it is one, empty: everywhere; ``test``: which enterprises belong to it."""

    id: str
    name: str
    kind: str
    test: str
    zones: tuple[str, ...] = ()


def clusters_of(edition: Edition) -> tuple[str, tuple[Cluster, ...]]:
    """(indicator, clusters) of the edition; none where it names none. Raises DefinitionError for an unknown kind."""
    given: Mapping[str, Any] = edition.parameters.get("clusters", {})
    found = []
    for name, one in given.get("list", {}).items():
        if one.get("kind", "cluster") not in KINDS:
            raise DefinitionError(f"集群 {name} 的类别 {one['kind']} 不认识", remedy=f"可用:{'、'.join(KINDS)}。")
        found.append(Cluster(name, one["name"], one.get("kind", "cluster"), one["test"], tuple(one.get("zones", ()))))
    return str(given.get("indicator", roles_of(edition).size)), tuple(found)


def monitoring_clusters(data: PeriodData, programme: Programme) -> Product:
    """Cells of the internal mart ``monitoring_clusters`` for one quarter: every cluster in every zone, and in the areas above.

    A zone is compared with the first area it is a member of. Units that did not answer are not in it.
    """
    edition = programme.edition_for(data.period)
    code, clusters = clusters_of(edition)
    roster = data.rosters.get(ENTERPRISE)
    if not clusters or code not in edition.indicators or roster is None or code not in roster.columns:
        return product_of([], [])
    env = environment_for(programme, data.period)
    frame = classified(surveyed(data, env), env, sub_park_codes(edition)).rosters[ENTERPRISE]
    base = operand_column(code, "yoy")
    ready = prepare_rows(frame, [c.test for c in clusters], env)
    units = ready.select(
        "unit_id", "park",
        now=pl.col(code).cast(pl.Float64),
        base=pl.col(base).cast(pl.Float64) if base in ready.columns else pl.lit(None, dtype=pl.Float64),
        **{f"in {c.id}": row_expr(c.test, env).fill_null(False) for c in clusters},
    ).filter(pl.col("now").is_not_null())  # fmt: skip
    areas = areas_of(programme.codelists["parks"].valid(data.period.end))
    chosen = [areas[c] for c in areas_present(data, programme)]
    keyed = units.join(memberships(chosen).select("park", "area"), on="park", how="inner")
    rows = [
        row
        for area in chosen
        for cluster in clusters
        if not cluster.zones or area.kind == "area" or area.code in cluster.zones
        for row in _rows(keyed, area, _above(area, chosen), cluster)
    ]
    if not rows:
        return product_of([], [])
    indicator = edition.indicators[code]
    cells = pl.DataFrame(rows, infer_schema_length=None).with_columns(
        pl.lit(TABLE).alias("table"), pl.lit(str(data.period)).alias("period"), pl.lit("cluster").alias("breakdown"),
        pl.lit(code).alias("indicator"), pl.lit(indicator.name).alias("indicator_name"),
        pl.when(pl.col("unit_measure") == "").then(pl.lit(indicator.unit_measure)).otherwise("unit_measure").alias("unit_measure"),
        pl.col("value").cast(pl.Float64), pl.col("decimals").fill_null(indicator.decimals).cast(pl.Int8),
        pl.when(pl.col("value").is_null()).then(pl.lit("M")).otherwise(pl.lit("P")).alias("status"),
    ).with_columns(row_key("area", "category", "measure"))  # fmt: skip
    named = names_of(programme, edition, areas, data.period).named(cells.drop("category_name"))
    shown = named.drop("category_name").join(
        cells.select("row_key", "category_name"), on="row_key", how="left", maintain_order="left"
    )
    return product_of([shown], [administrative_parts(shown, "internal")])


def _above(area: Area, chosen: Sequence[Area]) -> str | None:
    return next((a.code for a in chosen if area.kind == "zone" and a.kind == "area" and area.code in a.zones), None)


def _rows(keyed: pl.DataFrame, area: Area, above: str | None, cluster: Cluster) -> list[dict[str, Any]]:
    own = keyed.filter(area=area.code)
    figures = cluster_figures(own, f"in {cluster.id}")
    if figures["cluster_units"] == 0:
        return []
    if above is not None:
        wide = cluster_figures(keyed.filter(area=above), f"in {cluster.id}")
        if figures["share"] is not None and wide["share"]:
            figures["location_quotient"] = figures["share"] / wide["share"]
    return [
        {
            "area": area.code, "category": cluster.id, "category_name": f"{cluster.name}({KINDS[cluster.kind]})", "measure": measure,
            "measure_name": name, "unit_measure": unit, "value": figures.get(measure), "decimals": decimals,
            "note": NO_WHOLE if measure == "location_quotient" and above is None else "",
        }
        for measure, (name, unit, decimals) in MEASURES.items()
    ]  # fmt: skip


def cluster_figures(units: pl.DataFrame, flag: str) -> dict[str, float | None]:
    """The measures of one cluster among ``units`` (now, base and ``flag``), the location quotient aside."""
    members = units.filter(pl.col(flag))
    pairs, all_pairs = (f.filter(pl.col("base").is_not_null()) for f in (members, units))
    sums = pl.DataFrame(
        {
            "level": [members["now"].sum()], "whole": [units["now"].sum()], "now": [pairs["now"].sum()], "base": [pairs["base"].sum()],
            "now_all": [all_pairs["now"].sum()], "base_all": [all_pairs["base"].sum()],
        }
    )  # fmt: skip
    c = pl.col
    found = sums.select(
        cumulative="level",
        share=growth.share_pct(c("level"), c("whole")),
        growth_restated=growth.growth_pct(c("now"), c("base")),
        contribution_points=growth.contribution_points(c("now"), c("base"), c("base_all")),
        contribution_rate=growth.contribution_rate_pct(c("now"), c("base"), c("now_all"), c("base_all")),
    ).row(0, named=True)
    shares = concentration(members["now"].to_list(), (1, 4))
    return {
        **found, "cluster_units": float(members.height), "location_quotient": None,
        "concentration_cr1": shares["cr1"], "concentration_cr4": shares["cr4"], "concentration_hhi": shares["hhi"],
    }  # fmt: skip
