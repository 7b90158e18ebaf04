"""Chain-linked series of published growth 链式指数: what any reader could multiply up, so it tells nothing that was kept back.

Links are the growth rates over the year of the same quarter, as each release published them; the year before the first link is 100.
Source: IMF, Quarterly National Accounts Manual (2017), chapter 8 (over-the-year links); docs/methods/series.md.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from schemas.marts import CELL_COLUMNS, row_key
from schemas.period import Period

DECIMALS: Final = 1
CHAINS: Final = {
    "chained_index": ("growth_restated", "同口径链式指数"),
    "chained_real": ("growth_real", "不变价链式指数"),
}
KEYS: Final = ("area", "breakdown", "category", "indicator")


def published_chains(now: pl.DataFrame, earlier: pl.DataFrame | None, period: Period) -> pl.DataFrame:
    """Cells of ``CHAINS`` for the totals of one quarter, from its own published cells and those of earlier releases.

    ``earlier``: cells of ``monitoring_figures`` of earlier quarters, one release each. The chain runs back without a gap: a year whose
    growth was not published, or was hidden, ends it. No cell without growth now.
    """
    made = []
    for measure, (link, name) in CHAINS.items():
        cells = _links(now, link)
        before = _links(earlier, link) if earlier is not None else cells.clear()
        values = {(r["period"], *(r[k] for k in KEYS)): r for r in before.iter_rows(named=True)}
        for row in cells.iter_rows(named=True):
            index, first, estimated, at = 1 + row["value"] / 100, period.year - 1, row["status"] == "E", period
            while (known := values.get((str(at := at.year_earlier()), *(row[k] for k in KEYS)))) is not None:
                index, first, estimated = (
                    index * (1 + known["value"] / 100),
                    at.year - 1,
                    estimated or known["status"] == "E",
                )
            made.append(
                {
                    **row, "measure": measure, "measure_name": name, "unit_measure": "点", "value": index * 100, "decimals": DECIMALS,
                    "status": "E" if estimated else "P", "note": f"{first}年同季为100", "formula": "",
                }
            )  # fmt: skip
    if not made:
        return pl.DataFrame(schema=CELL_COLUMNS)
    frame = pl.DataFrame(made, infer_schema_length=None).with_columns(row_key(*KEYS, "measure"))
    return frame.select(pl.col(c).cast(t) for c, t in CELL_COLUMNS.items())


def _links(cells: pl.DataFrame, measure: str) -> pl.DataFrame:
    """Published growth of totals: hidden and missing figures have no value."""
    wanted = (pl.col("measure") == measure) & (pl.col("breakdown") == "total") & pl.col("value").is_not_null()
    return cells.filter(wanted & (pl.col("value") > -100)).select(*CELL_COLUMNS).sort(KEYS)
