"""What a product hands on: cells for a mart, and the parts of every cell for disclosure control."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from schemas.marts import PART_COLUMNS, conform


@dataclass(frozen=True)
class Product:
    """``cells`` as ``schemas.marts.CELL_COLUMNS``, ``parts`` as ``PART_COLUMNS``, both sorted by ``row_key``."""

    cells: pl.DataFrame
    parts: pl.DataFrame


def product_of(cells: Iterable[pl.DataFrame], parts: Iterable[pl.DataFrame]) -> Product:
    """Cells conformed to the one shape of marts, with the parts that belong to them; parts of no cell are refused."""
    tables = [c for c in cells if c.height]
    body = conform(pl.concat(tables, how="diagonal_relaxed") if tables else pl.DataFrame())
    pieces = [p.select(pl.col(c).cast(t) for c, t in PART_COLUMNS.items()) for p in parts]
    table = pl.concat(pieces) if pieces else pl.DataFrame(schema=PART_COLUMNS)
    owned = table.join(body.select("row_key"), on="row_key", how="semi")
    return Product(body, owned.unique().sort("row_key", "role", "part", "n", "total"))
