"""Which areas of a release have due units without a report and without an estimate: said once on every page and document."""

from __future__ import annotations

from typing import Any, Final

import polars as pl

from exports.ordering import Ordering

MEASURE: Final = "units_unknown"


def missing_units(figures: pl.DataFrame, ordering: Ordering) -> list[dict[str, Any]]:
    """Of every area whose totals are incomplete the cell with the most missing units, in the order of the register.

    Empty where everybody answered or everybody who did not was estimated. ``figures``: the mart ``monitoring_figures``.
    """
    if figures.is_empty():
        return []
    cells = figures.filter(measure=MEASURE, breakdown="total").filter(pl.col("value") > 0)
    most = cells.sort("area", pl.col("value") * -1, "row_key").unique("area", keep="first", maintain_order=True)
    return sorted(most.to_dicts(), key=lambda row: (ordering.rank("area", row["area"]), row["area"]))
