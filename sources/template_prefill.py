"""What a template states before anybody types: the units of the register, last period's figures, 上年同期."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import polars as pl

from schemas import reserved
from schemas.errors import DefinitionError
from schemas.layout import Role, SheetLayout, printed_period
from schemas.model import FormKind, Indicator, ValueType
from sources.cell_values import day
from sources.writer import Value

SPARE_ROWS: Mapping[str, int] = {"enterprise": 100, "projects": 50, "incubators": 20, "tasks": 40, "context": 60}
OTHER_SPARE_ROWS = 40
"""Empty rows for new units. Enterprises get them only where no register is given: 先进库,后有数."""


@dataclass(frozen=True)
class Prefill:
    """Anchor → values from the first data row down; ``listed`` rows name a known unit, ``spare`` ones are empty.

    On a form of kind sheet there are no rows of units: ``listed`` counts indicators.
    """

    listed: int
    spare: int = 0
    columns: Mapping[str, Sequence[Value]] = field(default_factory=dict)
    locked: frozenset[str] = frozenset()
    issued: Mapping[str, Sequence[Value]] = field(default_factory=dict)
    """The 上年同期 columns as the system states them, whatever a park filed over them."""

    @property
    def rows(self) -> int:
        """Data rows in all."""
        return self.listed + self.spare

    def values(self, anchor: str) -> Sequence[Value]:
        """The prefilled values of a column, blank down to the last row."""
        stated = self.columns.get(anchor, ())
        return [*stated, *[None] * (self.rows - len(stated))]


@dataclass(frozen=True)
class Known:
    """What the register and the warehouse know about one park before the period.

    ``units``: unit_id, name, sub_park and any B codes; None for a template without a register. ``previous`` and
    ``year_earlier``: form code → frame with unit_id (park code on sheet forms) and plain codes, unique on unit_id.
    ``owing``: form code → unit ids that owe the form; a form that is absent is owed by all. ``values``: form frames of a
    submission, put back into the input cells when a park gets a fresh template instead of its own workbook.
    """

    units: pl.DataFrame | None = None
    previous: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    year_earlier: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    owing: Mapping[str, Collection[str]] = field(default_factory=dict)
    values: Mapping[str, pl.DataFrame] = field(default_factory=dict)


def prefill(layout: SheetLayout, park_code: str, known: Known) -> Prefill:
    """The prefilled cells of one form. Rows are ordered by sub-park and unit, so equal input gives equal sheets."""
    if layout.form.kind is FormKind.SHEET:
        return _sheet(layout, park_code, known)
    if layout.is_enterprise and known.units is not None:
        return _enterprises(layout, park_code, known, known.units)
    return _known_rows(layout, known)


def _enterprises(layout: SheetLayout, park_code: str, known: Known, units: pl.DataFrame) -> Prefill:
    ordered = units.sort([c for c in ("sub_park", "unit_id") if c in units.columns], nulls_last=True)
    if ordered["unit_id"].n_unique() != ordered.height:
        raise DefinitionError("单位名录有重复的统一社会信用代码", remedy="请先在名录库中合并。")
    if layout.form.code in known.owing:
        ordered = ordered.filter(pl.col("unit_id").is_in(list(known.owing[layout.form.code])))
    filed = known.values.get(layout.form.code)
    if filed is not None:
        # Units that the park filed without being on the register keep their figures; the finding says what to do.
        extra = filed.filter(~pl.col("unit_id").is_in(ordered["unit_id"].to_list()) & pl.col("unit_id").is_not_null())
        ordered = pl.concat([ordered, extra.select("unit_id").unique(maintain_order=True)], how="diagonal")
    ids = ordered["unit_id"].to_list()
    stated: dict[str, list[Value]] = {reserved.UNIT: ids}
    if "name" in ordered.columns:
        stated[reserved.NAME] = ordered["name"].to_list()
    asked = {i.code: i for i in layout.asked}
    is_first_form = reserved.UNIT in asked
    if is_first_form:
        stated[reserved.PERIOD] = [printed_period(layout.period)] * len(ids)
        stated[reserved.PARK] = [park_code] * len(ids)
        if "sub_park" in ordered.columns:
            stated[reserved.SUB_PARK] = ordered["sub_park"].to_list()
    for code in ordered.columns:
        if code in asked and code not in (reserved.UNIT, reserved.PERIOD, reserved.PARK):
            stated[code] = _cells(ordered[code], asked[code])
    locked = frozenset(
        {reserved.UNIT, reserved.PERIOD, reserved.PARK} if is_first_form else {reserved.UNIT, reserved.NAME}
    )
    columns = {anchor: values for anchor, values in stated.items() if anchor in layout.by_anchor}
    lagged = _lagged(layout, known, ids)
    stated_columns = _over({**columns, **lagged}, _filed(layout, filed, ids), keep=locked)
    return Prefill(len(ids), 0, stated_columns, locked, _year_earlier(layout, lagged))


def _known_rows(layout: SheetLayout, known: Known) -> Prefill:
    # Projects, carriers and tasks live on: their names and codes are stated again, their figures stand beside as 上期.
    spare = SPARE_ROWS.get(layout.form.roster, OTHER_SPARE_ROWS)
    filed = known.values.get(layout.form.code)
    if filed is not None and not filed.is_empty():
        filed = filed.filter(pl.col("unit_id").is_not_null()).unique("unit_id", keep="first", maintain_order=True)
        ids = filed["unit_id"].to_list()
        lagged = _lagged(layout, known, ids)
        columns = _over(lagged, _filed(layout, filed, ids))
        return Prefill(len(ids), spare, columns, issued=_year_earlier(layout, lagged))
    earlier = known.previous.get(layout.form.code)
    if earlier is None or layout.is_enterprise or layout.form.kind is FormKind.CONTEXT or earlier.is_empty():
        return Prefill(0, spare)
    earlier = earlier.sort("unit_id")
    stated = {
        i.code: _cells(earlier[i.code], i)
        for i in layout.asked
        if i.code in earlier.columns and i.type is not ValueType.NUMBER
    }
    lagged = _lagged(layout, known, earlier["unit_id"].to_list())
    return Prefill(earlier.height, spare, {**stated, **lagged}, issued=_year_earlier(layout, lagged))


def _year_earlier(layout: SheetLayout, lagged: Mapping[str, Sequence[Value]]) -> dict[str, Sequence[Value]]:
    anchors = {column.anchor for column in layout.columns if column.role is Role.YEAR_EARLIER}
    return {anchor: values for anchor, values in lagged.items() if anchor in anchors}


def _filed(layout: SheetLayout, filed: pl.DataFrame | None, ids: Sequence[str]) -> dict[str, Sequence[Value]]:
    """What a submission said, anchor by anchor, in the order of ``ids``."""
    if filed is None:
        return {}
    once = filed.unique("unit_id", keep="first", maintain_order=True)
    aligned = _aligned(once, ids)
    read_back = (Role.KEY, Role.VALUE, Role.YEAR_EARLIER)
    return {
        column.anchor: _cells(aligned[column.anchor], column.indicator)
        for column in layout.columns
        if column.role in read_back and column.indicator and column.anchor in aligned.columns
    }


def _over(
    stated: Mapping[str, Sequence[Value]], filed: Mapping[str, Sequence[Value]], keep: Collection[str] = ()
) -> dict[str, Sequence[Value]]:
    """What was filed, over what the system states; a blank in the submission is a blank."""
    return {**stated, **{anchor: values for anchor, values in filed.items() if anchor not in keep}}


def _sheet(layout: SheetLayout, park_code: str, known: Known) -> Prefill:
    def row_of(frames: Mapping[str, pl.DataFrame], suffix: str = "") -> dict[str, Value]:
        frame = frames.get(layout.form.code)
        own = frame.filter(unit_id=park_code) if frame is not None else None
        if own is None or own.is_empty():
            return {}
        columns = [(i, f"{i.code}{suffix}") for i in layout.asked if f"{i.code}{suffix}" in own.columns]
        return {i.code: _cells(own[column], i)[0] for i, column in columns}

    before = row_of(known.previous)
    described = {i.code: before.get(i.code) for i in layout.asked if i.type is not ValueType.NUMBER}
    value = {**described, **row_of(known.values)}
    issued = row_of(known.year_earlier)
    year_before = {**issued, **row_of(known.values, "_yoy")}
    with_year_earlier = {i.code for i in layout.form.with_year_earlier(layout.period)}
    columns: dict[str, list[Value]] = {
        "code": [i.code for i in layout.asked],
        "name": [i.name for i in layout.asked],
        "unit_measure": [i.unit_measure for i in layout.asked],
        "value": [value.get(i.code) for i in layout.asked],
        "value_yoy": [year_before.get(i.code) if i.code in with_year_earlier else None for i in layout.asked],
        "value_last": [before.get(i.code) for i in layout.asked],
    }
    with_issued = [issued.get(i.code) if i.code in with_year_earlier else None for i in layout.asked]
    return Prefill(
        len(layout.asked),
        0,
        {anchor: values for anchor, values in columns.items() if anchor in layout.by_anchor},
        issued={"value_yoy": with_issued},
    )


def _lagged(layout: SheetLayout, known: Known, ids: Sequence[str]) -> dict[str, Sequence[Value]]:
    found: dict[str, Sequence[Value]] = {}
    for role, frames in ((Role.LAST, known.previous), (Role.YEAR_EARLIER, known.year_earlier)):
        frame = frames.get(layout.form.code)
        if frame is None:
            continue
        if frame["unit_id"].n_unique() != frame.height:
            raise DefinitionError(f"表 {layout.form.code} 的前期数中同一单位有多行", remedy="请只给出有效的一行。")
        aligned = _aligned(frame, ids)
        for column in layout.columns:
            if column.role is role and column.indicator and column.indicator.code in aligned.columns:
                found[column.anchor] = _cells(aligned[column.indicator.code], column.indicator)
    return found


def _aligned(frame: pl.DataFrame, ids: Sequence[str]) -> pl.DataFrame:
    """The rows of ``frame`` in the order of ``ids``, blank where it has none."""
    ordered = pl.DataFrame({"unit_id": ids}, schema={"unit_id": pl.String()})
    return ordered.join(frame, on="unit_id", how="left", maintain_order="left")


def _cells(values: pl.Series, indicator: Indicator) -> list[Value]:
    """Values as they stand in cells: booleans as 是 and 否, dates as dates, everything else as it is.

    The register keeps dates as the text they were entered in. A text in a date cell would leave the audit cell open and
    be told to the park as its own fault; what cannot be read as a date stays as it is, for the park to mend.
    """
    if indicator.type is ValueType.BOOLEAN:
        return [None if v is None else ("是" if _is_true(v) else "否") for v in values.to_list()]
    if indicator.type is ValueType.DATE and values.dtype == pl.String:
        return [v if v is None else _date_or_text(v) for v in values.to_list()]
    return values.to_list()


def _date_or_text(text: str) -> Value:
    found = day(text).value
    return found if isinstance(found, date) else text


def _is_true(value: object) -> bool:
    return value in (True, 1, "1", "是")
