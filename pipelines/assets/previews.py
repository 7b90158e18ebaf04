"""What a materialisation shows of itself: counts, hashes and small tables in Markdown, never a figure of a single unit."""

import hashlib

import dagster as dg
import polars as pl

from pipelines.methods.product import Product
from pipelines.stages import PeriodState
from warehouse.ledger.releases import Release
from warehouse.stages import StageProfile

SHOWN = 30
Metadata = dict[str, dg.MetadataValue]


def markdown(frame: pl.DataFrame) -> dg.MetadataValue:
    """The first rows as a Markdown table."""
    if frame.is_empty():
        return dg.MetadataValue.md("(无)")
    head = f"| {' | '.join(frame.columns)} |\n|{'---|' * frame.width}\n"
    rows = "\n".join(f"| {' | '.join(_cell(v) for v in row)} |" for row in frame.head(SHOWN).iter_rows())
    more = f"\n\n……共 {frame.height} 行" if frame.height > SHOWN else ""
    return dg.MetadataValue.md(head + rows + more)


def _cell(value: object) -> str:
    return "" if value is None else str(value).replace("|", "\\|").replace("\n", " ")


def content_hash(frame: pl.DataFrame) -> str:
    """The hash of what a frame says: equal for equal frames, whatever their layout in memory."""
    return hashlib.sha256(frame.write_csv(null_value="\\N", quote_style="necessary").encode()).hexdigest()


def of_stage(profile: StageProfile) -> Metadata:
    """A form in a stage: rows and parks. How many rows a park has is no secret, what stands in them is."""
    shown = profile.by_park.rename({"park": "园区", "submissions": "报送", "rows": "行"})
    found: Metadata = {
        "dagster/row_count": dg.MetadataValue.int(profile.rows),
        "parks": dg.MetadataValue.int(profile.parks),
        "submissions": dg.MetadataValue.int(profile.submissions),
        "content_sha256": dg.MetadataValue.text(profile.sha256),
        "preview": markdown(shown),
    }
    if profile.filled is not None:
        found["completeness"] = dg.MetadataValue.float(round(profile.filled, 4))
    return found


def of_period(state: PeriodState, new: int) -> Metadata:
    """What counts in a period."""
    return {
        "parks_owing": dg.MetadataValue.int(state.owing),
        "parks_reported": dg.MetadataValue.int(state.reported),
        "submissions_accepted": dg.MetadataValue.int(state.accepted),
        "completeness": dg.MetadataValue.float(round(float(state.reported / state.owing), 4) if state.owing else 0.0),
        "loaded_now": dg.MetadataValue.int(new),
        "content_sha256": dg.MetadataValue.text(state.sha256),
        "preview": markdown(state.by_state),
    }


def of_mart(product: Product) -> Metadata:
    """A mart before disclosure control: how many cells of which status, no value."""
    cells = product.cells
    counts = cells.group_by("breakdown", "status").agg(pl.len().alias("cells")).sort("breakdown", "status")
    with_value = int(cells["value"].is_not_null().sum())
    return {
        "dagster/row_count": dg.MetadataValue.int(cells.height),
        "areas": dg.MetadataValue.int(cells["area"].n_unique()),
        "indicators": dg.MetadataValue.int(cells["indicator"].n_unique()),
        "completeness": dg.MetadataValue.float(round(float(with_value / cells.height), 4) if cells.height else 0.0),
        "parts": dg.MetadataValue.int(product.parts.height),
        "content_sha256": dg.MetadataValue.text(content_hash(cells)),
        "preview": markdown(counts.rename({"breakdown": "分组", "status": "状态", "cells": "单元格"})),
    }


def of_release(release: Release, marts: dict[str, pl.DataFrame], is_new: bool) -> Metadata:
    """A release: public, so its marts may be counted by what was hidden."""
    rows = [
        (name, f.height, f.filter(pl.col("status") == "C").height, f.filter(pl.col("value").is_null()).height)
        for name, f in sorted(marts.items())
    ]
    return {
        "release": dg.MetadataValue.text(release.id),
        "is_new": dg.MetadataValue.bool(is_new),
        "released_at": dg.MetadataValue.text(release.released_at.isoformat()),
        "manifest_sha256": dg.MetadataValue.text(release.manifest),
        "dagster/row_count": dg.MetadataValue.int(sum(r[1] for r in rows)),
        "preview": markdown(pl.DataFrame(rows, schema=["表", "单元格", "不公布", "无数"], orient="row")),
    }
