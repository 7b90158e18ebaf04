"""``datapackage.json``: the tidy tables of a release described in the Frictionless format."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import polars as pl

from exports.manifest import ReleaseMeta, dump_json, file_sha256
from exports.ordering import mart_title
from schemas.dictionary import COLUMN_MEANINGS
from schemas.marts import MARTS, STATUSES

DATAPACKAGE: Final = "datapackage.json"
_TYPES: Final = {pl.Float64: "number", pl.Int8: "integer", pl.Int64: "integer", pl.Boolean: "boolean", pl.Date: "date"}
# Extra tables of a release and what their columns mean, beyond those of the marts.
EXTRA_MEANINGS: Final[dict[str, tuple[str, str]]] = {
    "mart": ("结果表", "数字所在的结果表"),
    "kind": ("修订种类", "changed 数字改变,added 新增,dropped 不再公布,status 状态改变"),
    "display_before": ("修订前", "上一次发布的显示值"),
    "display_after": ("修订后", "本次发布的显示值"),
    "status_before": ("修订前状态", "上一次发布的数据状态"),
    "status_after": ("修订后状态", "本次发布的数据状态"),
    "difference": ("差额", "两次显示值之差"),
    "release_before": ("上一发布号", "被修订的发布"),
    "release_after": ("本发布号", "修订后的发布"),
    "workbook": ("工作簿", "出版工作簿在发布目录内的路径"),
    "sheet": ("工作表", "工作表名"),
    "sheet_no": ("工作表序", "该结果表的第几张工作表;不写工作表的 A1 地址指第 1 张"),
    "cell": ("单元格", "A1 地址"),
    "column": ("列", "单元格所示的结果表列"),
}


def write_datapackage(
    folder: Path, tables: Mapping[str, tuple[pl.DataFrame, tuple[Path, Path]]], meta: ReleaseMeta
) -> None:
    """Describe ``tables`` (name → frame and its Parquet and CSV files below ``folder``) in ``datapackage.json``."""
    resources = [_resource(folder, name, frame, *files) for name, (frame, files) in sorted(tables.items())]
    dump_json(
        {
            "profile": "data-package",
            "name": f"yitaobiao-{meta.release.lower()}",
            "id": meta.release,
            "title": f"{meta.heading} {meta.release}",
            "description": f"{meta.period.title},{meta.edition.title} {meta.edition.id} 版。缺数见 status 列。",
            "version": meta.release,
            "created": meta.released_at.isoformat(),
            "licenses": [{"name": meta.licence_name, "title": meta.licence_title}],
            "sources": [{"title": f"{meta.edition.title}({meta.edition.document_number})"}],
            "contributors": [{"title": meta.issuer, "role": "publisher"}],
            "missing_codes": {code: {"mark": mark, "meaning": title} for code, (mark, title) in STATUSES.items()},
            "resources": resources,
        },
        folder / DATAPACKAGE,
    )


def _resource(folder: Path, name: str, frame: pl.DataFrame, parquet: Path, csv: Path) -> dict[str, Any]:
    # The CSV is the resource: validators cannot count the bytes of Parquet. The twin is named with its hash beside it.
    keys = ["workbook", "sheet", "cell"] if "cell" in frame.columns else ["row_key"]
    return {
        "name": name.replace("_", "-"),
        "path": csv.relative_to(folder).as_posix(),
        "title": mart_title(name),
        "description": MARTS[name].definition if name in MARTS else "",
        "profile": "tabular-data-resource",
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8-sig",
        "dialect": {"delimiter": ",", "lineTerminator": "\r\n", "quoteChar": '"', "doubleQuote": True, "header": True},
        "bytes": csv.stat().st_size,
        "hash": f"sha256:{file_sha256(csv)}",
        "parquet": {
            "path": parquet.relative_to(folder).as_posix(),
            "mediatype": "application/vnd.apache.parquet",
            "bytes": parquet.stat().st_size,
            "hash": f"sha256:{file_sha256(parquet)}",
        },
        "schema": {
            "fields": [_field(column, dtype) for column, dtype in frame.schema.items()],
            "missingValues": [""],
            "primaryKey": ["mart", "row_key"] if keys == ["row_key"] and "mart" in frame.columns else keys,
        },
    }


def _field(name: str, dtype: pl.DataType) -> dict[str, Any]:
    title, meaning = COLUMN_MEANINGS.get(name) or EXTRA_MEANINGS.get(name, (name, ""))
    field: dict[str, Any] = {
        "name": name,
        "title": title,
        "description": meaning,
        "type": next((text for kind, text in _TYPES.items() if dtype == kind), "string"),
    }
    if name == "value":
        field["unit_from"] = "unit_measure"
    if name == "status":
        field["constraints"] = {"required": True, "enum": list(STATUSES)}
    return field
