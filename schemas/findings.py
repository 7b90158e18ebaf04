"""The columns every list of findings 审核问题 has, whoever produced it."""

from __future__ import annotations

import polars as pl

FINDING_COLUMNS: dict[str, pl.DataType] = {
    "rule": pl.String(),
    "severity": pl.String(),
    "form": pl.String(),
    "unit_id": pl.String(),
    "park": pl.String(),
    "file": pl.String(),
    "sheet": pl.String(),
    "cell": pl.String(),
    "row": pl.Int64(),
    "column": pl.String(),
    "indicator": pl.String(),
    "found": pl.String(),
    "message": pl.String(),
    "code": pl.String(),
    "outcome": pl.String(),
    "absorbed_by": pl.String(),
}

BLOCKING = (pl.col("severity") == "hard") & (pl.col("outcome") == "failed")
NEEDS_EXPLANATION = (pl.col("severity") == "soft") & pl.col("outcome").is_in(["failed", "undetermined"])


def no_findings() -> pl.DataFrame:
    """An empty list of findings."""
    return pl.DataFrame(schema=FINDING_COLUMNS)


def as_findings(rows: list[dict[str, object]]) -> pl.DataFrame:
    """Rows with some of the columns, as a findings frame; missing columns are null."""
    complete = [{name: row.get(name) for name in FINDING_COLUMNS} for row in rows]
    return pl.DataFrame(complete, schema=FINDING_COLUMNS) if rows else no_findings()
