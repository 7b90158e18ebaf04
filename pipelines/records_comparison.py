"""Records of authorities beside the forms of a period: what is kept, what was reported, and the internal mart of the comparison."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Final

import polars as pl
from sqlalchemy.orm import Session

from pipelines.methods.areas import areas_of
from pipelines.methods.monitoring_names import names_of
from pipelines.methods.product import Product, administrative_parts, product_of
from pipelines.methods.reconciliation import FORM_COLUMNS, OUTCOMES, RECORD_COLUMNS, reconciled, summary
from pipelines.population import Population
from schemas.marts import row_key
from schemas.model import ValueType
from schemas.period import Period
from schemas.period_data import ENTERPRISE
from warehouse.ledger.administrative import imports
from warehouse.vault import Vault

UNITS, COUNTS = "units", "counts"
MEASURES: Final = {
    "record_value": "行政记录数",
    "form_value": "报表数",
    "record_difference": "差额(报表−记录)",
}


def kept_records(vault: Vault, session: Session) -> pl.DataFrame:
    """``RECORD_COLUMNS`` of all imports that stand, by import."""
    frames = [pl.DataFrame(schema=RECORD_COLUMNS)]
    for one in reversed(imports(session)):
        frame = pl.read_ipc(io.BytesIO(vault.read(one.records)))
        frames.append(frame.with_columns(pl.lit(one.id, dtype=pl.Int64).alias("import")).select(*RECORD_COLUMNS))
    return pl.concat(frames)


def form_values(population: Population, period: Period, codes: Sequence[str]) -> pl.DataFrame:
    """``FORM_COLUMNS`` of the enterprises of a period: every unit of the register, and what it reported."""
    roster = population.bare(period).rosters[ENTERPRISE]
    indicators = population.edition(period).indicators
    answered = (pl.col("answer_status") == "0") if "answer_status" in roster.columns else pl.lit(True)
    frames = [pl.DataFrame(schema=FORM_COLUMNS)]
    for code in codes:
        column = pl.col(code) if code in roster.columns else pl.lit(None, dtype=pl.String)
        is_number = code in indicators and indicators[code].type is ValueType.NUMBER
        none = pl.lit(None)
        frames.append(
            roster.select(
                "unit_id", "park", answered.alias("answered"), pl.lit(code).alias("indicator"),
                (column.cast(pl.Float64) if is_number else none.cast(pl.Float64)).alias("value"),
                (none.cast(pl.String) if is_number else column.cast(pl.String)).alias("text"),
            )
        )  # fmt: skip
    return pl.concat(frames)


def records_reconciliation(records: pl.DataFrame, population: Population, period: Period) -> Product:
    """Cells of the internal mart ``records_reconciliation``: table ``units``, a unit and indicator that is not equal (``category`` is
    the unit, the note says what stands where), and table ``counts``, units by outcome for each park."""
    own = records.filter(period=str(period))
    if own.is_empty():
        return product_of([], [])
    found = reconciled(own, form_values(population, period, own["indicator"].unique().sort().to_list()))
    edition = population.edition(period)
    described = pl.DataFrame(
        [(i.code, i.name, i.unit_measure, i.decimals) for i in edition.indicators.values()],
        schema=["indicator", "indicator_name", "unit_measure", "decimals"], orient="row",
    )  # fmt: skip
    cells = pl.concat([_unit_cells(found), _count_cells(found)], how="diagonal")
    cells = cells.join(described, on="indicator", how="left", maintain_order="left").with_columns(
        pl.when(pl.col("table") == COUNTS).then(pl.lit("户")).otherwise("unit_measure").alias("unit_measure"),
        pl.when(pl.col("table") == COUNTS).then(0).otherwise("decimals").cast(pl.Int8).alias("decimals"),
        pl.lit(str(period)).alias("period"),
        pl.when(pl.col("value").is_null()).then(pl.lit("M")).otherwise(pl.lit("A")).alias("status"),
        row_key("table", "area", "breakdown", "category", "indicator", "measure"),
    )
    areas = areas_of(population.programme.codelists["parks"].valid(period.end))
    named = names_of(population.programme, edition, areas, period).named(cells)
    return product_of([named], [administrative_parts(named, "internal")])


def _unit_cells(found: pl.DataFrame) -> pl.DataFrame:
    rows = found.filter(pl.col("outcome") != "equal").with_columns(
        record_difference="difference",
        note=pl.concat_str(
            pl.col("outcome").replace_strict(OUTCOMES),
            pl.when(pl.col("cell").is_not_null())
            .then(pl.format(",{}:{}!{}", "authority", "sheet", "cell"))
            .otherwise(pl.lit("")),
        ),
    )
    return pl.concat(
        rows.select(
            pl.lit(UNITS).alias("table"), pl.col("park").fill_null("").alias("area"), pl.col("kind").alias("breakdown"),
            pl.col("unit_id").alias("category"), "indicator", pl.lit(measure).alias("measure"), pl.lit(name).alias("measure_name"),
            pl.col(measure).alias("value"), "note",
        )
        for measure, name in MEASURES.items()
    )  # fmt: skip


def _count_cells(found: pl.DataFrame) -> pl.DataFrame:
    counts = summary(found)
    return pl.concat(
        counts.select(
            pl.lit(COUNTS).alias("table"), pl.col("park").alias("area"), pl.col("kind").alias("breakdown"), pl.lit("T").alias("category"),
            "indicator", pl.lit(outcome).alias("measure"), pl.lit(name).alias("measure_name"), pl.col(outcome).cast(pl.Float64).alias("value"),
            pl.lit("").alias("note"),
        )
        for outcome, name in OUTCOMES.items()
    )  # fmt: skip
