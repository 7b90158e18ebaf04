"""What stands behind every cell of monitoring: the sums that disclosure control judges."""

from __future__ import annotations

import polars as pl

from pipelines.methods.area_figures import TOTAL
from pipelines.methods.monitoring_measures import COUNTS, MEASURES, Frame
from pipelines.methods.monitoring_terms import DIMENSIONS, Terms
from pipelines.methods.product import administrative_parts, shaped_parts


def parts_of_indicators(cells: pl.DataFrame, terms: Terms, frame: Frame) -> pl.DataFrame:
    """The parts of every cell: its own sums, for shares and contributions the total's, and one administrative row for
    counts of units, which the register and the ledger know without any answer."""
    tables = []
    for code, measure in MEASURES.items():
        own = cells.filter(pl.col("measure") == code).select("row_key", *DIMENSIONS)
        keys = own.rename({"breakdown": "cell_breakdown", "category": "cell_category"})
        behind = (("level", "level"),) if code == "discrete_quarter" and frame.first_quarter else measure.behind
        for term, role in behind:
            found = terms.parts.filter(pl.col("term") == term)
            tables.append(own.join(found, on=DIMENSIONS).with_columns(pl.lit(role).alias("role")))
        totals = terms.parts.filter((pl.col("breakdown") == "total") & (pl.col("category") == TOTAL))
        for term, role in measure.whole:
            # About the area's total, not about the category of the cell: the group stands with the part.
            found = totals.filter(pl.col("term") == term)
            tables.append(keys.join(found, on=["area", "indicator"]).with_columns(pl.lit(role).alias("role")))
        if code in COUNTS:
            tables.append(administrative_parts(own, code))
    return pl.concat([shaped_parts(t) for t in tables])
