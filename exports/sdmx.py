"""SDMX for programs: one structure for all marts (SDMX-JSON 2.0.0) and one SDMX-CSV 2.0.0 file a mart.

Sources: SDMX 3.0 technical specifications, SDMX-JSON 2.0.0 structure message, SDMX-CSV 2.0.0 data message. Statuses are
mapped to the cross-domain list CL_OBS_STATUS 2.2; a suppressed figure is also CONF_STATUS C. Observations are the printed
figures, not unrounded ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import polars as pl

from exports.display import number_of
from exports.manifest import ReleaseMeta, dump_json
from exports.ordering import Ordering, mart_title, ordering_of
from exports.safe_text import safe_csv_columns
from schemas.dictionary import COLUMN_MEANINGS
from schemas.errors import DefinitionError

AGENCY: Final = "YTB"
VERSION: Final = "1.0.0"
SCHEMA: Final = "https://json.sdmx.org/2.0.0/sdmx-json-structure-schema.json"
FOLDER: Final = "sdmx"
STRUCTURE: Final = "structure.json"

DIMENSIONS: Final[dict[str, str]] = {
    # SDMX dimension: column of the mart, in the order of the key
    "TABLE_ID": "table",
    "REF_AREA": "area",
    "BREAKDOWN": "breakdown",
    "CATEGORY": "category",
    "INDICATOR": "indicator",
    "MEASURE": "measure",
}
FREQUENCIES: Final = {"A": "年度", "S": "半年度", "Q": "季度"}
OBS_STATUS: Final[dict[str, tuple[str, str]]] = {
    # status of the mart: (CL_OBS_STATUS, name)
    "A": ("A", "正常"),
    "E": ("E", "含估算"),
    "P": ("P", "初步数"),
    "M": ("O", "缺数:未报或无数据"),
    "Z": ("M", "缺数:不适用,不可能有数"),
    "C": ("Q", "缺数:为保护单个单位资料而不公布"),
}
CONF_STATUS: Final = {"F": "可公布", "C": "保密"}
ATTRIBUTES: Final = {"UNIT_MEASURE": "计量单位", "DECIMALS": "小数位", "OBS_STATUS": "数据状态", "CONF_STATUS": "保密状态", "NOTE": "说明"}  # fmt: skip
_NOT_IN_ID: Final = re.compile(r"[^A-Za-z0-9_@$\-]")


def code_id(code: str) -> str:
    """``code`` as an SDMX identifier: a dot becomes ``_``, any other character outside the allowed set ``@`` and its number."""
    return _NOT_IN_ID.sub(lambda m: "_" if m[0] == "." else f"@{ord(m[0]):X}", code) or "_Z"


def dataflow_id(mart: str) -> str:
    """The dataflow of a mart: MONITORING_FIGURES."""
    return code_id(mart).upper()


def write_sdmx(marts: Mapping[str, pl.DataFrame], folder: Path, meta: ReleaseMeta) -> None:
    """Write ``sdmx/structure.json`` and ``sdmx/<mart>.csv`` for every mart with cells."""
    target = folder / FOLDER
    target.mkdir()
    filled = {name: frame for name, frame in sorted(marts.items()) if not frame.is_empty()}
    dump_json(structure_message(filled, meta), target / STRUCTURE)
    for name, frame in filled.items():
        observations(name, frame).write_csv(target / f"{name}.csv", line_terminator="\r\n", quote_style="necessary")


def observations(mart: str, cells: pl.DataFrame) -> pl.DataFrame:
    """The rows of one SDMX-CSV 2.0.0 file, all text. Raises DefinitionError where two cells share one key."""
    keys = [pl.col(column).map_elements(code_id, return_dtype=pl.String).alias(d) for d, column in DIMENSIONS.items()]
    rows = cells.select(
        pl.lit("dataflow").alias("STRUCTURE"),
        pl.lit(f"{AGENCY}:{dataflow_id(mart)}({VERSION})").alias("STRUCTURE_ID"),
        pl.lit("I").alias("ACTION"),
        pl.col("period").map_elements(_frequency, return_dtype=pl.String).alias("FREQ"),
        *keys,
        pl.col("period").str.replace("-H", "-S", literal=True).alias("TIME_PERIOD"),
        pl.when(pl.col("display").map_elements(_is_number, return_dtype=pl.Boolean))
        .then(pl.col("display"))
        .otherwise(pl.lit(None, dtype=pl.String))
        .alias("OBS_VALUE"),
        pl.col("unit_measure").alias("UNIT_MEASURE"),
        pl.col("decimals").cast(pl.String).alias("DECIMALS"),
        pl.col("status").replace_strict({s: code for s, (code, _) in OBS_STATUS.items()}).alias("OBS_STATUS"),
        pl.when(pl.col("status") == "C").then(pl.lit("C")).otherwise(pl.lit("F")).alias("CONF_STATUS"),
        pl.col("note").alias("NOTE"),
    )
    key = ["FREQ", *DIMENSIONS, "TIME_PERIOD"]
    if rows.select(key).is_duplicated().any():
        twice = rows.filter(rows.select(key).is_duplicated()).row(0, named=True)
        raise DefinitionError(
            f"结果表 {mart} 有两个数的维度完全相同:{'|'.join(str(twice[k]) for k in key)}",
            remedy="请让 table、area、breakdown、category、indicator、measure、period 一起唯一确定一个数。",
        )
    text = safe_csv_columns(rows.select("UNIT_MEASURE", "NOTE"))
    empty_to_null = [pl.when(pl.col(c) != "").then(pl.col(c)).alias(c) for c in ("UNIT_MEASURE", "NOTE")]
    return rows.with_columns(text).with_columns(empty_to_null).sort(key)


def _is_number(display: str) -> bool:
    return number_of(display) is not None


def _frequency(period: str) -> str:
    return "Q" if "-Q" in period else "S" if "-H" in period else "A"


def structure_message(marts: Mapping[str, pl.DataFrame], meta: ReleaseMeta) -> dict[str, Any]:
    """Code lists of what occurs, concepts, the data structure definition and one dataflow a mart."""
    ordering = ordering_of(meta.programme)
    return {
        "meta": {
            "schema": SCHEMA,
            "id": code_id(meta.release),
            "test": False,
            "prepared": meta.released_at.isoformat(),
            "contentLanguages": ["zh"],
            "sender": {"id": AGENCY, "name": meta.issuer, "names": {"zh": meta.issuer}},
        },
        "data": {
            "codelists": list(_codelists(marts, ordering)),
            "conceptSchemes": [_concepts()],
            "dataStructures": [_data_structure()],
            "dataflows": [
                _artefact(dataflow_id(name), mart_title(name)) | {"structure": _urn("datastructure.DataStructure", "MART")}
                for name in marts
            ],
        },
    }  # fmt: skip


def _artefact(identifier: str, name: str) -> dict[str, Any]:
    return {"id": identifier, "agencyID": AGENCY, "version": VERSION, "name": name, "names": {"zh": name}}


def _urn(kind: str, identifier: str, item: str = "") -> str:
    return f"urn:sdmx:org.sdmx.infomodel.{kind}={AGENCY}:{identifier}({VERSION}){f'.{item}' if item else ''}"


def _codelists(marts: Mapping[str, pl.DataFrame], ordering: Ordering) -> Iterator[dict[str, Any]]:
    for dimension, column in DIMENSIONS.items():
        names: dict[str, str] = {}
        label = f"{column}_name"
        for frame in marts.values():
            wanted = [column, label] if label in frame.columns else [column]
            for code, *name in frame.select(wanted).unique().sort(wanted).iter_rows():
                names.setdefault(code, ordering.label(column, code, name[0] if name else ""))
        ordered = sorted(names, key=lambda code: ordering.rank(column, code))
        yield _codelist(dimension, COLUMN_MEANINGS[column][0], {code: names[code] for code in ordered})
    yield _codelist("FREQ", "频率", FREQUENCIES)
    yield _codelist("OBS_STATUS", "数据状态", dict(OBS_STATUS.values()))
    yield _codelist("CONF_STATUS", "保密状态", CONF_STATUS)


def _codelist(identifier: str, title: str, names: Mapping[str, str]) -> dict[str, Any]:
    codes: dict[str, dict[str, Any]] = {}
    for code, name in names.items():
        if code_id(code) in codes:
            raise DefinitionError(
                f"代码 {code} 与另一代码在 SDMX 中相同", remedy="请改用只含字母、数字、下划线的代码。"
            )
        codes[code_id(code)] = {"id": code_id(code), "name": name or code, "names": {"zh": name or code}}
    return _artefact(f"CL_{identifier}", title) | {"codes": list(codes.values())}


def _concepts() -> dict[str, Any]:
    named = {
        "FREQ": "频率",
        **{dimension: COLUMN_MEANINGS[column][0] for dimension, column in DIMENSIONS.items()},
        "TIME_PERIOD": "报告期",
        "OBS_VALUE": "数值",
        **ATTRIBUTES,
    }
    concepts = [{"id": key, "name": name, "names": {"zh": name}} for key, name in named.items()]
    return _artefact("CONCEPTS", "概念") | {"concepts": concepts}


def _data_structure() -> dict[str, Any]:
    def component(identifier: str, representation: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "id": identifier,
            "conceptIdentity": _urn("conceptscheme.Concept", "CONCEPTS", identifier),
            "localRepresentation": dict(representation),
        }

    def coded(identifier: str) -> dict[str, Any]:
        return component(identifier, {"enumeration": _urn("codelist.Codelist", f"CL_{identifier}")})

    def attribute(identifier: str) -> dict[str, Any]:
        found = (
            coded(identifier)
            if identifier.endswith("STATUS")
            else component(identifier, {"format": {"dataType": "Integer" if identifier == "DECIMALS" else "String"}})
        )
        required = identifier.endswith("STATUS")
        return found | {
            "usage": "mandatory" if required else "optional",
            "attributeRelationship": {"observation": {}},
        }

    return _artefact("MART", "统计结果表") | {
        "dataStructureComponents": {
            "dimensionList": {
                "id": "DimensionDescriptor",
                "dimensions": [
                    coded(identifier) | {"position": position}
                    for position, identifier in enumerate(("FREQ", *DIMENSIONS))
                ],
                "timeDimension": component("TIME_PERIOD", {"format": {"dataType": "ObservationalTimePeriod"}}),
            },
            "measureList": {
                "id": "MeasureDescriptor",
                "measures": [component("OBS_VALUE", {"format": {"dataType": "Decimal"}}) | {"usage": "optional"}],
            },
            "attributeList": {"id": "AttributeDescriptor", "attributes": [attribute(key) for key in ATTRIBUTES]},
        }
    }
