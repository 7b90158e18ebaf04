"""What a product hands on: cells for a mart, and the parts of every cell for disclosure control."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import polars as pl

from schemas.marts import PART_COLUMNS, conform

# Beyond ``PART_COLUMNS``: where a part is about another group than its cell (the whole of a share), and the sum of the
# contributions without sign. Empty text means "as the cell".
PART_FIELDS: Final[dict[str, pl.DataType]] = {
    **PART_COLUMNS,
    "absolute_total": pl.Float64(),
    "area": pl.String(),
    "breakdown": pl.String(),
    "category": pl.String(),
}


@dataclass(frozen=True)
class Product:
    """``cells`` as ``schemas.marts.CELL_COLUMNS``, ``parts`` as ``PART_FIELDS``, both sorted by ``row_key``."""

    cells: pl.DataFrame
    parts: pl.DataFrame


def product_of(cells: Iterable[pl.DataFrame], parts: Iterable[pl.DataFrame]) -> Product:
    """Cells conformed to the one shape of marts, with their parts; a part that belongs to no cell is left out."""
    tables = [c for c in cells if c.height]
    body = conform(pl.concat(tables, how="diagonal_relaxed") if tables else pl.DataFrame({"row_key": []}))
    pieces = [shaped_parts(p) for p in parts]
    table = pl.concat(pieces) if pieces else pl.DataFrame(schema=PART_FIELDS)
    owned = table.join(body.select("row_key"), on="row_key", how="semi")
    return Product(body, owned.unique().sort(*PART_FIELDS, nulls_last=True))


def shaped_parts(parts: pl.DataFrame) -> pl.DataFrame:
    """Parts with exactly ``PART_FIELDS``; what is not said is null, for text empty."""
    fill = [
        (pl.col(name).cast(dtype) if name in parts.columns else pl.lit(None, dtype=dtype).alias(name))
        for name, dtype in PART_FIELDS.items()
    ]
    return parts.select(fill).with_columns(pl.col("area", "breakdown", "category").fill_null(""))


def administrative_parts(cells: pl.DataFrame, part: str) -> pl.DataFrame:
    """One part a cell for figures an authority knows without any answer: register counts, decisions, plan values."""
    return shaped_parts(
        cells.select(
            "row_key", pl.lit(part).alias("part"), pl.lit("level").alias("role"), pl.lit(True).alias("administrative")
        )
    )


def composite_parts(cells: pl.DataFrame) -> pl.DataFrame:
    """Parts for figures no unit's figure can be read from (weights, counts of rules, composite indices)."""
    return administrative_parts(cells, "composite").select(*PART_COLUMNS)
