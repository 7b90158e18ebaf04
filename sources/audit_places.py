"""Findings with their place: file, sheet, cell and the full Chinese sentence a park can act on."""

from __future__ import annotations

import polars as pl

from schemas.findings import FINDING_COLUMNS, no_findings
from sources.audit_run import Run


def located(run: Run, raw: pl.DataFrame) -> pl.DataFrame:
    """Raw findings as findings, sorted by form, row, unit, column and rule."""
    if raw.is_empty():
        return no_findings()
    units = raw["unit_id"].unique().implode()
    rows = pl.concat(
        [
            frame[["park", "unit_id", "_file", "_sheet", "_row"]]
            .lazy()
            .filter(pl.col("unit_id").is_in(units))
            .with_columns(form=pl.lit(code))
            for code, frame in run.observations.frames.items()
        ]
    ).unique(["form", "unit_id"], keep="first", maintain_order=True)
    placed = raw.lazy().join(rows, on=["form", "unit_id"], how="left", maintain_order="left")
    # A sheet that stands in the workbook without a single figure has no row, but every indicator has its cell.
    cell_map = run.observations.cell_map.lazy()
    blank = (
        cell_map.filter(pl.col("row").is_not_null())
        .select("form", file="_file", sheet="_sheet")
        .unique("form", keep="first")
    )
    placed = placed.join(blank, on="form", how="left", maintain_order="left").with_columns(
        _file=pl.coalesce("_file", "file"), _sheet=pl.coalesce("_sheet", "sheet")
    )
    placed = placed.drop("file", "sheet").join(
        cell_map.unique(["_file", "_sheet", "form", "column"], keep="first"),
        on=["_file", "_sheet", "form", "column"],
        how="left",
        maintain_order="left",
    )
    placed = placed.with_columns(row=pl.coalesce("row", "_row"))
    placed = placed.with_columns(
        cell=pl.when(pl.col("letter").is_not_null() & pl.col("row").is_not_null()).then(
            pl.col("letter") + pl.col("row").cast(pl.String)
        )
    )
    names = {c: i.name for c, i in run.plan.edition.indicators.items()}
    titles = {c: f.title for c, f in run.plan.edition.forms.items()}
    finished = placed.with_columns(
        file=pl.col("_file").replace(dict(run.file_names)) if run.file_names else pl.col("_file"),
        sheet=pl.col("_sheet"),
        indicator=pl.col("column").replace_strict(names, default=None),
        title=pl.col("form").replace_strict(titles, default=""),
    ).with_columns(
        message=pl.concat_str(
            pl.lit("工作表“"), pl.coalesce("sheet", "title"), pl.lit("”"), pl.coalesce(pl.concat_str(pl.lit(" "), "cell"), pl.lit("")),
            pl.lit("“"), pl.coalesce("indicator", "column"), pl.lit("”("), "column", pl.lit("):"),
            pl.when(pl.col("found").fill_null("") != "").then(pl.concat_str(pl.lit("填报 "), "found", pl.lit(","))).otherwise(pl.lit("")),
            "problem",
        )
    )  # fmt: skip
    order = {code: n for n, code in enumerate(run.plan.edition.forms)}
    return (
        finished.with_columns(_order=pl.col("form").replace_strict(order, default=99, return_dtype=pl.Int64))
        .sort("_order", "row", "unit_id", "column", "rule", nulls_last=True)
        .select(pl.col(n).cast(t) for n, t in FINDING_COLUMNS.items())
        .collect()
    )
