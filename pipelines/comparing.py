"""What changed between two uploads 与上一次相比: findings fixed, left and new; figures cell by cell. Nothing is judged here."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from pipelines.intake import Office, findings_of, observations_of
from schemas.observations import Observations
from sources.marked_list import to_be_listed
from warehouse.ledger.explanations import finding_key
from warehouse.ledger.submissions import Submission, submissions

FIXED, LEFT, NEW = "fixed", "left", "new"
ADDED, CHANGED, REMOVED = "added", "changed", "removed"
CELL_COLUMNS = {
    "form": pl.String, "unit_id": pl.String, "column": pl.String, "before": pl.String, "after": pl.String,
    "change": pl.String, "sheet": pl.String, "cell": pl.String,
}  # fmt: skip
_KEYS = ("park", "unit_id", "_file", "_sheet", "_row")


@dataclass(frozen=True)
class Compared:
    """An upload beside the one before it. ``findings``: the listed columns and ``change`` (fixed, left, new);
    ``cells``: as ``cell_changes``, empty where one of the two could not be read."""

    before: Submission
    after: Submission
    findings: pl.DataFrame
    cells: pl.DataFrame

    def counted(self) -> dict[str, int]:
        """How many findings are fixed, left, new."""
        found = dict(self.findings.group_by("change").len().iter_rows())
        return {change: found.get(change, 0) for change in (FIXED, LEFT, NEW)}


def compared(office: Office, found: Submission, *, with_cells: bool = True) -> Compared | None:
    """An upload compared with the newest one before it that could be read; None for the first, and for one that cannot be read:
    what is not said of an unreadable file is not mended. ``with_cells``: False where only the findings are asked for, which are few
    beside the figures of a large park."""
    with office.ledger.read() as session:
        earlier = [
            one
            for one in submissions(session, park=found.park, period=found.period)
            if one.revision < found.revision and _could_be_read(one)
        ]
    if not earlier or not _could_be_read(found):
        return None
    before = earlier[-1]
    with_both = before.check and before.check.observations_blob and found.check and found.check.observations_blob
    cells = (
        cell_changes(observations_of(office.vault, before), observations_of(office.vault, found))
        if with_cells and with_both
        else pl.DataFrame(schema=CELL_COLUMNS)
    )
    findings = finding_changes(findings_of(office.vault, before), findings_of(office.vault, found))
    return Compared(before, found, findings, cells)


def _could_be_read(one: Submission) -> bool:
    return one.check is not None and one.check.findings_blob is not None and one.check.unreadable is None


def finding_changes(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """The findings a park has to act on in either list, each once with ``change``: new and left ones as they stand now, fixed
    ones as they stood. A finding is the same while rule, form, unit and column are, wherever its row has moved to."""
    old, new = (_keyed(to_be_listed(frame)) for frame in (before, after))
    kept = new.with_columns(
        change=pl.when(pl.col("key").is_in(old["key"].implode())).then(pl.lit(LEFT)).otherwise(pl.lit(NEW))
    )
    fixed = old.filter(~pl.col("key").is_in(new["key"].implode())).with_columns(change=pl.lit(FIXED))
    return pl.concat([kept, fixed])


def _keyed(frame: pl.DataFrame) -> pl.DataFrame:
    keys = [finding_key(row) for row in frame.iter_rows(named=True)]
    keyed = frame.with_columns(key=pl.Series(keys, dtype=pl.String))
    return keyed.unique("key", keep="first", maintain_order=True)


def cell_changes(before: Observations, after: Observations) -> pl.DataFrame:
    """Cells that differ: form, unit_id, column, before, after (text; null is not reported), ``change`` (added, changed,
    removed), and where the cell stands now, or stood. Sorted by form, unit and column."""
    parts = []
    for code in sorted(before.frames.keys() | after.frames.keys()):
        old, new = (_long(one.frames.get(code)) for one in (before, after))
        joined = old.join(new, on=["unit_id", "column"], how="full", coalesce=True, suffix="_after")
        differing = joined.filter(pl.col("value").ne_missing(pl.col("value_after"))).select(
            pl.lit(code).alias("form"), "unit_id", "column", before="value", after="value_after"
        )
        if differing.height:
            parts.append(_placed(differing, code, before, after))
    if not parts:
        return pl.DataFrame(schema=CELL_COLUMNS)
    return pl.concat(parts).select(*CELL_COLUMNS).sort("form", "unit_id", "column")


def _placed(differing: pl.DataFrame, code: str, before: Observations, after: Observations) -> pl.DataFrame:
    change = (
        pl.when(pl.col("before").is_null())
        .then(pl.lit(ADDED))
        .when(pl.col("after").is_null())
        .then(pl.lit(REMOVED))
        .otherwise(pl.lit(CHANGED))
    )
    marked = differing.with_columns(change=change)
    is_gone = pl.col("change") == REMOVED
    sides = ((marked.filter(~is_gone), after), (marked.filter(is_gone), before))
    return pl.concat([_with_place(rows, code, one) for rows, one in sides])


def _with_place(rows: pl.DataFrame, code: str, one: Observations) -> pl.DataFrame:
    """Rows with the sheet and cell of their column; a form without addresses (collated anew, history) leaves them null."""
    frame = one.frames.get(code)
    if frame is None or frame.is_empty():
        return rows.with_columns(sheet=pl.lit(None, pl.String), cell=pl.lit(None, pl.String))
    places = frame.unique("unit_id", keep="first").select("unit_id", "_file", "_sheet", "_row")
    columns = one.cell_map.filter(form=code).unique(["_file", "_sheet", "column"], keep="first")
    found = rows.join(places, on="unit_id", how="left").join(
        columns.select("_file", "_sheet", "column", "letter", "row"), on=["_file", "_sheet", "column"], how="left"
    )
    row = pl.coalesce(pl.col("row"), pl.col("_row")).cast(pl.String)
    return found.with_columns(sheet=pl.col("_sheet"), cell=pl.concat_str(pl.col("letter"), row)).select(
        *rows.columns, "sheet", "cell"
    )


def _long(frame: pl.DataFrame | None) -> pl.DataFrame:
    schema = {"unit_id": pl.String, "column": pl.String, "value": pl.String}
    if frame is None or frame.is_empty():
        return pl.DataFrame(schema=schema)
    values = [column for column in frame.columns if column not in _KEYS]
    text = frame.unique("unit_id", keep="first", maintain_order=True).select(
        "unit_id", *(pl.col(column).cast(pl.String) for column in values)
    )
    return (
        text.unpivot(index="unit_id", on=values, variable_name="column", value_name="value")
        .drop_nulls("value")
        .select(*schema)
    )
