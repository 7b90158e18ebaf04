"""Frames as bytes that follow from their values alone: equal frames, equal bytes, however they came about.

An Arrow column is more than its values: what lies in a slot that is null, the bits of the validity map past the last row, whether
there is such a map where nothing is null, text that no row shows any more, the list that an empty row still points at. Slicing,
filtering and joining leave different remains, and the file format writes them. So every column is built anew from its values
before it is written; a vault that names a frame by its hash then names its content.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping

import numpy as np
import polars as pl


def frame_bytes(frame: pl.DataFrame) -> bytes:
    """A frame as an Arrow file (zstd): equal bytes for equal frames."""
    buffer = io.BytesIO()
    canonical(frame).write_ipc(buffer, compression="zstd")
    return buffer.getvalue()


def read_frame(data: bytes) -> pl.DataFrame:
    """What ``frame_bytes`` wrote."""
    return pl.read_ipc(io.BytesIO(data), use_pyarrow=False)


def canonical(frame: pl.DataFrame) -> pl.DataFrame:
    """The same frame in memory that depends on its values only. NaN has one spelling, and zero no sign."""
    return pl.DataFrame([_rebuilt(column) for column in frame.get_columns()])


def _rebuilt(column: pl.Series) -> pl.Series:
    dtype = column.dtype
    if dtype in (pl.Date, pl.Time, pl.Duration) or isinstance(dtype, pl.Datetime):
        return _numbers(column.to_physical()).cast(dtype)
    if dtype.is_integer() or dtype.is_float() or dtype == pl.Boolean():
        return _numbers(column)
    values = column.to_list()
    return pl.Series(
        column.name, [_plain(v) for v in values] if dtype.is_nested() else values, dtype=dtype, strict=True
    )


def _numbers(column: pl.Series) -> pl.Series:
    """Numbers by way of numpy, which knows values and nothing else: far faster than one object a cell."""
    filled = column.fill_null(False) if column.dtype == pl.Boolean() else column.fill_null(0)
    figures = np.array(filled.to_numpy(), copy=True)
    if column.dtype.is_float():
        figures = np.where(np.isnan(figures), np.nan, figures + 0.0).astype(figures.dtype)
    values = pl.Series(column.name, figures, dtype=column.dtype)
    if not column.null_count():
        return values
    given = pl.Series(np.array(column.is_not_null().to_numpy(), copy=True))
    return pl.select(pl.when(given).then(values).alias(column.name)).to_series()


def _plain(value: object) -> object:
    """A nested value with one spelling of NaN and zero."""
    match value:
        case float():
            return float("nan") if value != value else value + 0.0
        case Mapping():
            return {name: _plain(v) for name, v in value.items()}
        case str() | bytes() | None:
            return value
        case Iterable():
            return [_plain(v) for v in value]
    return value
