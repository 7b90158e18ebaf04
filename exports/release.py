"""Everything that leaves in a release, written into one fresh directory; the caller renames it into place."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import polars as pl

from exports.addresses import cell_index
from exports.datapackage import write_datapackage
from exports.dictionary import write_dictionary
from exports.documents.write import write_documents
from exports.manifest import Manifest, ReleaseMeta, write_manifest
from exports.ordering import publication
from exports.publication import write_publication
from exports.revision import REVISIONS, revision_table
from exports.revision_book import write_revision_book
from exports.sdmx import write_sdmx
from exports.site.build import write_site
from exports.tables import write_table
from schemas.errors import DefinitionError
from schemas.marts import PUBLISHED_COLUMNS, STATUSES

TABLES: Final = "tables"
CELLS: Final = "cells"
SERIES: Final = "monitoring_series"
SERIES_OF: Final = "monitoring_figures"


def write_release(
    marts: Mapping[str, pl.DataFrame],
    target: Path,
    meta: ReleaseMeta,
    *,
    previous: Mapping[str, pl.DataFrame] | None = None,
    earlier: pl.DataFrame | None = None,
) -> Manifest:
    """Write all files of release ``meta.release`` into ``target``, which must not exist or be empty.

    ``marts``: name → frame with PUBLISHED_COLUMNS, after disclosure control; nothing else reaches a file. ``previous``:
    the marts of the release this one revises; a revision table then comes along. ``earlier``: published
    ``monitoring_figures`` of other periods, as released then, for the series over quarters. Same arguments, same bytes.
    Raises DefinitionError for a frame that is not a published mart and for a target that holds files.
    """
    if target.exists() and any(target.iterdir()):
        raise DefinitionError(f"发布目录 {target.name} 不是空的", remedy="请写入新目录,完成后再改名。")
    complete = {name: _checked(name, marts[name]) for name in sorted(marts)}
    series = _series(complete.get(SERIES_OF), earlier)
    if series is not None:
        complete[SERIES] = series
    target.mkdir(parents=True, exist_ok=True)
    (target / TABLES).mkdir()
    written: dict[str, tuple[pl.DataFrame, tuple[Path, Path]]] = {}
    for name, frame in complete.items():
        written[name] = (frame, write_table(frame, target / TABLES, name))
    revisions = None if previous is None else revision_table(previous, marts)
    if revisions is not None:
        written[REVISIONS] = (revisions, write_table(revisions, target / TABLES, REVISIONS))
    index = cell_index(write_publication(complete, target, meta))
    if revisions is not None:
        write_revision_book(revisions, target, meta)
    written[CELLS] = (index, write_table(index, target, CELLS))
    write_dictionary(target, meta)
    write_sdmx(complete, target, meta)
    write_site(complete, target, meta, revisions)
    write_documents(complete, target, meta)
    write_datapackage(target, written, meta)
    shown = [] if series is None else sorted(set(series["release"]) - {meta.release})
    return write_manifest(target, meta, {name: _entry(name, frame) for name, frame in complete.items()}, shown)


def _checked(name: str, frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with exactly the published columns, sorted; refuses what disclosure control cannot have passed."""
    if dict(frame.schema) != PUBLISHED_COLUMNS:
        lacking = [c for c, dtype in PUBLISHED_COLUMNS.items() if frame.schema.get(c) != dtype]
        extra = [c for c in frame.columns if c not in PUBLISHED_COLUMNS]
        if lacking or extra:
            raise DefinitionError(
                f"{name} 不是发布表:列 {'、'.join(lacking + extra)} 缺少、多余或类型不符",
                remedy="只发布 published 中的表。",
            )
    unknown = set(frame["status"].unique()) - STATUSES.keys()
    hidden = frame.filter(pl.col("status").is_in([s for s, (mark, _) in STATUSES.items() if mark]))
    if unknown or hidden["value"].is_not_null().any():
        raise DefinitionError(
            f"{name} 有状态无效的数,或不公布的数仍带数值", remedy="请先经披露控制(pipelines 的 disclosure)。"
        )
    if frame["row_key"].is_duplicated().any():
        raise DefinitionError(f"{name} 的 row_key 重复", remedy="row_key 须唯一标识一个数。")
    return frame.select(list(PUBLISHED_COLUMNS)).sort("row_key")


def _series(now: pl.DataFrame | None, earlier: pl.DataFrame | None) -> pl.DataFrame | None:
    """Levels and growth of the totals, each period as its own release published it; this release for its own period."""
    if now is None or now.is_empty() or earlier is None or earlier.is_empty():
        return None
    others = earlier.filter(~pl.col("period").is_in(now["period"].unique().implode()))
    # The key of a monitoring figure need not say its period; over several periods it must.
    keyed = [
        f.with_columns(
            pl.concat_str("period", "row_key", separator="|").alias("row_key"), pl.lit("series").alias("table")
        )
        for f in (now, others)
    ]
    measures = [m for purpose in ("level", "quarter", "growth") for m in publication()["site"][purpose]]
    both = pl.concat(_checked(SERIES, frame) for frame in keyed)
    return _checked(SERIES, both.filter(pl.col("breakdown") == "total", pl.col("measure").is_in(measures)))


def _entry(name: str, frame: pl.DataFrame) -> dict[str, Any]:
    return {"rows": frame.height, "parquet": f"{TABLES}/{name}.parquet", "csv": f"{TABLES}/{name}.csv"}
