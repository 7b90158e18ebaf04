"""The frames an audit looks at: one wide frame a roster, one row for the park itself, with figures of other periods beside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from schemas.model import Edition, FormKind
from schemas.observations import ADDRESS_COLUMNS, Observations, wide_roster
from schemas.period import Period

FROM_FILE = "_from_file"


@dataclass(frozen=True)
class Operands:
    """Figures of other periods: roster → one row a unit with ``unit_id`` and columns such as ``F01_prev``.

    ``snapshot`` hashes where they came from (submission numbers and observation blobs), so that a check can be repeated.
    """

    frames: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    snapshot: str = ""
    known: bool = False


def rosters_of(
    observations: Observations, edition: Edition, period: Period, other: Operands | None = None
) -> dict[str, pl.DataFrame]:
    """Roster → wide frame of a submission, with operands where given, and ``_in_<form>``: whether the unit stands on it."""
    shown = [f for f in edition.forms.values() if f.kind is not FormKind.SHEET and f.shown(period)]
    operands = (other or Operands()).frames
    found = {}
    for name in dict.fromkeys(form.roster for form in shown):
        wide = wide_roster(observations, edition, name, period)
        codes = [form.code for form in shown if form.roster == name]
        present = [_stands_on(wide["unit_id"], observations.frames.get(code)).alias(f"_in_{code}") for code in codes]
        found[name] = _with_operands(wide.with_columns(present), operands.get(name))
    return found


def _stands_on(units: pl.Series, frame: pl.DataFrame | None) -> pl.Series:
    if frame is None or frame.is_empty():
        return pl.Series([False], dtype=pl.Boolean).new_from_index(0, units.len())
    if frame["unit_id"].equals(units):
        return pl.Series([True], dtype=pl.Boolean).new_from_index(0, units.len())
    return units.is_in(frame["unit_id"].drop_nulls().implode())


def park_sheet(
    observations: Observations, edition: Edition, period: Period, other: Operands, park: str
) -> pl.DataFrame:
    """The park's own forms as one row; ``observations`` are complete (``with_all_columns``)."""
    frame = pl.DataFrame({"park": [park], "unit_id": [park]})
    for form in edition.forms.values():
        if form.kind is FormKind.SHEET and form.shown(period):
            own = observations.frames[form.code]
            own = own.filter(pl.col("unit_id").is_not_null()).drop("park", *ADDRESS_COLUMNS)
            frame = frame.join(own.unique("unit_id", keep="first"), on="unit_id", how="left")
    return _with_operands(frame, other.frames.get("park"))


def _with_operands(wide: pl.DataFrame, operands: pl.DataFrame | None) -> pl.DataFrame:
    """Lagged columns; where the form has its own 上年同期 cell, what stands there counts before last year's figure."""
    if operands is not None and operands.height:
        wide = wide.join(operands, on="unit_id", how="left", suffix=FROM_FILE, maintain_order="left")
        own = [c.removesuffix(FROM_FILE) for c in wide.columns if c.endswith(FROM_FILE)]
        wide = wide.with_columns(
            pl.coalesce(pl.col(c), pl.col(f"{c}{FROM_FILE}").cast(wide.schema[c])).alias(c) for c in own
        ).drop(f"{c}{FROM_FILE}" for c in own)
    extra = {"answer_status": pl.String, "sub_park": pl.String}
    missing = [
        pl.Series(n, [None], dtype=t).new_from_index(0, wide.height) for n, t in extra.items() if n not in wide.columns
    ]
    return wide.with_columns(missing) if missing else wide
