"""Clusters and leading industries on a handful of enterprises, by hand."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from pipelines.methods.clusters import cluster_figures, clusters_of, monitoring_clusters
from pipelines.methods.product import Product
from schemas.catalog import programme
from schemas.period import Period
from schemas.period_data import PeriodData

PROGRAMME = programme()
PERIOD = Period(2016, 2)
# LBXQ: drugs (C27) 60 + 40, steel 100; LBGX: drugs 50, other 350. Drugs grew from 80 to 100 in LBXQ, the rest stood still.
UNITS = [
    ("a", "LBXQ", "2710", 60, 50), ("b", "LBXQ", "2720", 40, 30), ("c", "LBXQ", "3110", 100, 100),
    ("d", "LBGX", "2710", 50, 50), ("e", "LBGX", "6510", 350, 350),
]  # fmt: skip


def product() -> Product:
    frame = pl.DataFrame(UNITS, schema=["unit_id", "park", "B07", "F01", "F01_yoy"], orient="row").with_columns(
        answer_status=pl.lit("0"), weight=pl.lit(1.0), imputed=pl.lit(False), B10=pl.lit("3")
    )
    return monitoring_clusters(
        PeriodData(PERIOD, {"enterprise": frame}, pl.DataFrame({"park": ["LBXQ", "LBGX"]})), PROGRAMME
    )


def value(made: Product, measure: str, area: str = "LBXQ") -> Any:
    return made.cells.filter(area=area, category="drugs", measure=measure)["value"][0]


def test_a_cluster_by_hand() -> None:
    """100 of 200 in the zone (50 %), 150 of 600 in the area (25 %): a quotient of 2. Growth 100 / 80; pull 20 / 180."""
    made = product()
    assert [value(made, m) for m in ("cluster_units", "cumulative", "share", "location_quotient")] == [2, 100, 50, 2]
    assert value(made, "growth_restated") == pytest.approx(25)
    assert value(made, "contribution_points") == pytest.approx(20 / 180 * 100)
    assert value(made, "contribution_rate") == pytest.approx(100)
    assert [value(made, f"concentration_cr{n}") for n in (1, 4)] == [60, 100]
    assert value(made, "concentration_hhi") == pytest.approx(3600 + 1600)
    assert value(made, "share", "LBSYQ") == 25 and value(made, "location_quotient", "LBSYQ") is None
    name = made.cells.filter(area="LBXQ", category="drugs")["category_name"][0]
    assert name == "生物医药(产业集群)"
    assert made.cells.filter(area="LBXQ", category="petrochemical").is_empty()


def test_shipped_clusters_can_be_read_and_computed() -> None:
    code, found = clusters_of(PROGRAMME.edition_for(PERIOD))
    assert code == "F01" and {c.kind for c in found} <= {"leading", "potential", "cluster"} and len(found) >= 4


def test_losses_have_no_concentration() -> None:
    units = pl.DataFrame(
        {"now": [-1.0, 5.0], "base": [None, None], "in x": [True, True]}, schema_overrides={"base": pl.Float64}
    )
    found = cluster_figures(units, "in x")
    assert found["concentration_cr1"] is None and found["growth_restated"] is None and found["cumulative"] == 4
