"""The observations of one submission: a frame a form, and where each column stands in the workbook."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from schemas import reserved
from schemas.canonical import frame_bytes, read_frame
from schemas.model import Edition, Form
from schemas.period import Period

ADDRESS_COLUMNS: dict[str, pl.DataType] = {"_file": pl.String(), "_sheet": pl.String(), "_row": pl.Int64()}
KEY_COLUMNS: dict[str, pl.DataType] = {"park": pl.String(), "unit_id": pl.String(), **ADDRESS_COLUMNS}
CELL_MAP_COLUMNS: dict[str, pl.DataType] = {
    "_file": pl.String(),
    "_sheet": pl.String(),
    "form": pl.String(),
    "column": pl.String(),
    "letter": pl.String(),
    "row": pl.Int64(),
}


def shown_unit(unit_id: str) -> str:
    """A unit's key as people read it: the codes it is made of side by side, those that are blank left out (``122|`` is 122)."""
    return " ".join(part for part in unit_id.split("|") if part)


ENTERPRISE_ROSTER = "enterprise"
_STAMP = (1980, 1, 1, 0, 0, 0)


def frame_columns(form: Form, period: Period | None = None) -> dict[str, pl.DataType]:
    """Columns of a form frame in order: keys, addresses, codes, restated columns. Without a period: of all rounds."""
    shown = form.shown(period) if period else form.indicators
    restated = form.with_year_earlier(period) if period else tuple(i for i in form.indicators if i.year_earlier)
    return KEY_COLUMNS | {i.code: i.dtype for i in shown} | {f"{i.code}_yoy": i.dtype for i in restated}


def from_text(column: str, dtype: pl.DataType) -> pl.Expr:
    """A register attribute (always text there) as the type its code has on forms; null where it does not read so."""
    text = pl.col(column).cast(pl.String)
    if dtype == pl.Boolean():
        return text.str.to_lowercase().is_in(["1", "true", "是"]).alias(column)
    if dtype == pl.Date():
        return text.str.to_date(strict=False).alias(column)
    return text.cast(dtype, strict=False).alias(column)


@dataclass(frozen=True)
class Observations:
    """``frames``: form code → form frame (docs/architecture.md, contract 3); ``cell_map``: addresses of the columns."""

    frames: Mapping[str, pl.DataFrame]
    cell_map: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=CELL_MAP_COLUMNS))

    def to_bytes(self) -> bytes:
        """One archive of Arrow files, equal bytes for equal observations."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
            for name, frame in [*sorted(self.frames.items()), ("cell_map", self.cell_map)]:
                archive.writestr(zipfile.ZipInfo(f"{name}.arrow", _STAMP), frame_bytes(frame))
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Observations:
        """What ``to_bytes`` wrote."""
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            frames = {name.removesuffix(".arrow"): read_frame(archive.read(name)) for name in archive.namelist()}
        cell_map = frames.pop("cell_map")
        return cls(frames, cell_map)

    def with_all_columns(self, edition: Edition, period: Period) -> Observations:
        """Every form of the edition due in ``period``, with every column; what was not there is null or an empty frame."""
        due = (form for form in edition.forms.values() if form.shown(period))
        return Observations({form.code: self.complete(form, period) for form in due}, self.cell_map)

    def complete(self, form: Form, period: Period) -> pl.DataFrame:
        """One form with every column of the round, in order; what was not there is null, or an empty frame."""
        columns = frame_columns(form, period)
        frame = self.frames.get(form.code)
        if frame is None:
            return pl.DataFrame(schema=columns)
        present = set(frame.columns)
        if frame.columns == list(columns):
            return frame
        return pl.DataFrame(
            [
                frame[n] if n in present else pl.Series(n, [None], dtype=t).new_from_index(0, frame.height)
                for n, t in columns.items()
            ]
        )


def merge(parts: list[Observations]) -> Observations:
    """The observations of several files of one submission, one below the other."""
    frames: dict[str, list[pl.DataFrame]] = {}
    for part in parts:
        for code, frame in part.frames.items():
            frames.setdefault(code, []).append(frame)
    merged = {code: pl.concat(list_, how="diagonal") for code, list_ in frames.items()}
    maps = [part.cell_map for part in parts] or [pl.DataFrame(schema=CELL_MAP_COLUMNS)]
    return Observations(merged, pl.concat(maps))


def wide_roster(observations: Observations, edition: Edition, roster: str, period: Period) -> pl.DataFrame:
    """All forms of one roster joined on ``unit_id``: one row a unit, every code of the round a column, no addresses.

    A unit that stands in several rows of one form keeps its first row; the duplicate is a finding of the audit.
    """
    forms = [f for f in edition.forms.values() if f.roster == roster and f.shown(period)]
    frames = [_each_unit_once(observations.complete(form, period)) for form in forms]
    keys = _units(frames)
    columns = keys.get_columns()
    for frame in frames:
        own = frame[[c for c in frame.columns if c != "park" and c not in ADDRESS_COLUMNS]]
        # Forms of a template list the same units in the same order: nothing to look up.
        if not own["unit_id"].equals(keys["unit_id"]):
            own = keys[["unit_id"]].join(own, on="unit_id", how="left", maintain_order="left")
        columns += [column for column in own.get_columns() if column.name != "unit_id"]
    return pl.DataFrame(columns)


def _each_unit_once(frame: pl.DataFrame) -> pl.DataFrame:
    """The first row of each unit that is named."""
    units = frame["unit_id"]
    if units.null_count():
        frame = frame.filter(pl.col("unit_id").is_not_null())
    return frame if units.n_unique() == units.len() else frame.unique("unit_id", keep="first", maintain_order=True)


def _units(frames: list[pl.DataFrame]) -> pl.DataFrame:
    """Park and code of every unit, in the order in which the forms name them first."""
    some = [frame for frame in frames if frame.height]
    if not some:
        return pl.DataFrame(schema={"park": pl.String(), "unit_id": pl.String()})
    first = some[0][["park", "unit_id"]]
    if all(frame["unit_id"].equals(first["unit_id"]) for frame in some[1:]):
        return first
    return pl.concat([frame[["park", "unit_id"]] for frame in some]).unique(
        "unit_id", keep="first", maintain_order=True
    )


def names_of_units(listed: pl.DataFrame | None) -> dict[str, str]:
    """Unit → its name in a register or a basic form (``unit_id`` and the reserved code of the name); without a name it is absent."""
    if listed is None or reserved.NAME not in listed.columns:
        return {}
    return dict(listed.select("unit_id", reserved.NAME).drop_nulls().iter_rows())
