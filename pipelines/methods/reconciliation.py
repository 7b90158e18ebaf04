"""Administrative records against the forms 部门行政记录与报表比对: enterprise by enterprise, difference by difference; nothing is changed.

Source: requirement C10 (records imported by credit code, compared unit by unit, differences listed for verification, never over a figure).
Documented in docs/methods/reconciliation.md.
"""

from __future__ import annotations

from typing import Final

import polars as pl

RECORD_COLUMNS: Final[dict[str, pl.DataType]] = {
    "import": pl.Int64(), "kind": pl.String(), "authority": pl.String(), "period": pl.String(), "unit_id": pl.String(), "unit_name": pl.String(),
    "indicator": pl.String(), "value": pl.Float64(), "text": pl.String(), "sheet": pl.String(), "cell": pl.String(),
    "tolerance_percent": pl.Float64(), "tolerance_amount": pl.Float64(),
}  # fmt: skip
FORM_COLUMNS: Final[dict[str, pl.DataType]] = {
    "unit_id": pl.String(), "park": pl.String(), "answered": pl.Boolean(), "indicator": pl.String(), "value": pl.Float64(), "text": pl.String(),
}  # fmt: skip
"""The forms of one period, a row a unit of the register and indicator; ``text`` of codes and flags, ``value`` of numbers."""
RECONCILED: Final[dict[str, pl.DataType]] = {
    "kind": pl.String(), "authority": pl.String(), "park": pl.String(), "unit_id": pl.String(), "unit_name": pl.String(), "indicator": pl.String(),
    "record_value": pl.Float64(), "form_value": pl.Float64(), "record_text": pl.String(), "form_text": pl.String(), "difference": pl.Float64(),
    "difference_percent": pl.Float64(), "tolerance": pl.Float64(), "outcome": pl.String(), "import": pl.Int64(), "sheet": pl.String(), "cell": pl.String(),
}  # fmt: skip
OUTCOMES: Final = {
    "equal": "一致",
    "within": "容差内",
    "beyond": "超出容差",
    "silent": "有记录,单位未报",
    "blank": "有记录,该项未填",
    "not_on_record": "已报,记录中没有",
    "not_in_register": "名录中没有该单位",
}
TO_VERIFY: Final = ("beyond", "silent", "blank", "not_on_record", "not_in_register")


def newest_records(records: pl.DataFrame) -> pl.DataFrame:
    """Of every kind, period, unit and indicator the record of the last import."""
    keys = ["kind", "period", "unit_id", "indicator"]
    return records.sort(*keys, "import").unique(keys, keep="last", maintain_order=True)


def reconciled(records: pl.DataFrame, forms: pl.DataFrame) -> pl.DataFrame:
    """``RECONCILED`` for the records of one period against its forms, what is to be verified first, by size of the difference.

    difference = form − record; it is within where |difference| ≤ max(amount, percent of |record|). ``not_on_record`` is said only of
    units of the parks, and of indicators, that the kind of record speaks of at all, and not of a reported zero or no.
    """
    newest = newest_records(records).rename({"value": "record_value", "text": "record_text"}).drop("period")
    own = forms.rename({"value": "form_value", "text": "form_text"})
    known = own.select("unit_id", "park", "answered").unique("unit_id", keep="first")
    both = (
        newest.join(known, on="unit_id", how="left", maintain_order="left")
        .join(own.drop("park", "answered"), on=["unit_id", "indicator"], how="left", maintain_order="left")
        .with_columns(difference=pl.col("form_value") - pl.col("record_value"))
        .with_columns(
            tolerance=pl.max_horizontal(
                pl.col("tolerance_amount"), pl.col("record_value").abs() * pl.col("tolerance_percent") / 100
            ),
            difference_percent=pl.when(pl.col("record_value") != 0).then(
                pl.col("difference") / pl.col("record_value").abs() * 100
            ),
        )
    )
    reported = pl.col("form_value").is_not_null() | pl.col("form_text").is_not_null()
    alike = (pl.col("difference") == 0) | (pl.col("form_text") == pl.col("record_text"))
    outcome = (
        pl.when(pl.col("park").is_null())
        .then(pl.lit("not_in_register"))
        .when(~pl.col("answered").fill_null(False))
        .then(pl.lit("silent"))
        .when(~reported)
        .then(pl.lit("blank"))
        .when(alike.fill_null(False))
        .then(pl.lit("equal"))
        .when((pl.col("difference").abs() <= pl.col("tolerance")).fill_null(False))
        .then(pl.lit("within"))
        .otherwise(pl.lit("beyond"))
    )
    found = pl.concat([both.with_columns(outcome=outcome), _not_on_record(newest, both, own)], how="diagonal")
    order = pl.col("outcome").replace_strict({o: k for k, o in enumerate((*TO_VERIFY, "within", "equal"))})
    return (
        found.select(pl.col(c).cast(t) if c in found.columns else pl.lit(None, dtype=t).alias(c) for c, t in RECONCILED.items())
        .with_columns(order.alias("_order"), pl.col("difference").abs().fill_null(0).alias("_size"))
        .sort("_order", "_size", "park", "unit_id", "indicator", "kind", descending=[False, True, False, False, False, False], nulls_last=True)
        .drop("_order", "_size")
    )  # fmt: skip


def _not_on_record(newest: pl.DataFrame, both: pl.DataFrame, own: pl.DataFrame) -> pl.DataFrame:
    """Units that reported something of which the kind of record, in their park, has nothing for them."""
    spoken = both.filter(pl.col("park").is_not_null()).select("kind", "authority", "indicator", "park").unique()
    there = newest.select("kind", "unit_id", "indicator")
    said = ((pl.col("form_value") != 0) | ~pl.col("form_text").is_in(["", "0", "false"])).fill_null(False)
    return (
        own.filter(said & pl.col("answered"))
        .join(spoken, on=["indicator", "park"], how="inner")
        .join(there, on=["kind", "unit_id", "indicator"], how="anti")
        .with_columns(outcome=pl.lit("not_on_record"))
    )


def summary(found: pl.DataFrame) -> pl.DataFrame:
    """kind, indicator, park, then the number of units of every outcome, and record and form sums over units with both."""
    paired = pl.col("record_value").is_not_null() & pl.col("form_value").is_not_null()
    return (
        found.with_columns(park=pl.col("park").fill_null(""))
        .group_by("kind", "indicator", "park")
        .agg(
            *(pl.col("outcome").eq(o).sum().cast(pl.Int64).alias(o) for o in OUTCOMES),
            record_sum=pl.col("record_value").filter(paired).sum(),
            form_sum=pl.col("form_value").filter(paired).sum(),
        )
        .sort("kind", "indicator", "park")
    )
