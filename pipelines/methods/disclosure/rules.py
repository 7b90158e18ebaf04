"""Primary disclosure rules: which sums and counts would show a single unit (survey_system.md 10.1, 10.2, 10.6 to 10.8).

Source: thresholds of survey_system.md 10; definitions of the minimum frequency, (n,k) dominance and p% rules, of waivers
and of sampled data: Hundepool et al., Handbook on Statistical Disclosure Control, 4.2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

REASONS = {
    "threshold": "单位数不足",
    "dominance": "少数单位占优",
    "p_percent": "可由其他单位推算",
    "zero": "全为零或全部具备,单位数不足",
    "remainder": "合计减已列分项,所余单位数不足",
    "earlier": "以前版次未公布",
    "revision": "与以前版次之差涉及少数单位",
    "complement": "次级抑制",
    "variant": "与全部单位合计之差涉及少数单位",
}


@dataclass(frozen=True)
class Rules:
    """Parameters of the primary rules. They are confidential: they appear in no publication and in no note.

    ``threshold`` is the least number of units behind a sum, ``count_threshold`` behind a count (innovation survey: 5).
    ``dominance_one`` and ``dominance_two`` are shares of the largest and the two largest units (0 switches a rule off),
    ``p_percent`` is how near the second largest unit may come to the largest. ``attacker_range`` is what an outsider is
    taken to know of a hidden cell beforehand: it is not negative (None), or lies within ± that share of the value.
    """

    threshold: int = 3
    count_threshold: int = 3
    dominance_one: float = 0.70
    dominance_two: float = 0.85
    p_percent: float = 15.0
    attacker_range: float | None = None

    @classmethod
    def of_programme(cls, thresholds: Mapping[str, Any], *, innovation: bool = False) -> Rules:
        """The rules of an edition (``programme.toml``, ``[thresholds]``)."""
        least = int(thresholds["disclosure_minimum"])
        return cls(
            threshold=least,
            count_threshold=int(thresholds["disclosure_minimum_innovation"]) if innovation else least,
            dominance_one=float(thresholds["dominance_one"]),
            dominance_two=float(thresholds["dominance_two"]),
            p_percent=float(thresholds["p_percent"]),
        )


def contributions(
    units: pl.DataFrame, value: str, by: Sequence[str], *, weight: str = "", unit: str = ""
) -> pl.DataFrame:
    """Per group: ``n`` (units with a non-zero contribution), ``max1``, ``max2``, ``total`` and ``population``.

    ``max1`` and ``max2`` are the largest absolute unweighted values, ``total`` is weighted where ``weight`` is given: an
    insider is a unit that was observed (Handbook 4.2, sampling weights). With ``unit``, rows of one unit (holding) in a
    group are added up first, and ``max1_unit`` names the largest. Nulls do not contribute; ``population`` counts the rows
    with a value, zero included. Sorted by ``by``.
    """
    weights = pl.col(weight).cast(pl.Float64) if weight else pl.lit(1.0)
    known = units.filter(pl.col(value).is_not_null()).with_columns(
        pl.col(value).cast(pl.Float64).alias("_value"), (pl.col(value).cast(pl.Float64) * weights).alias("_weighted")
    )
    if unit:
        known = known.group_by(*by, unit, maintain_order=True).agg(pl.col("_value", "_weighted").sum())
    size = pl.col("_value").abs()
    largest = size.sort(descending=True)
    named = [pl.col(unit).sort_by(size, descending=True).first().alias("max1_unit")] if unit else []
    aggregates = [
        (pl.col("_value") != 0).sum().cast(pl.Int64).alias("n"),
        largest.first().fill_null(0.0).alias("max1"),
        largest.get(1, null_on_oob=True).fill_null(0.0).alias("max2"),
        pl.col("_weighted").sum().alias("total"),
        pl.len().cast(pl.Int64).alias("population"),
        *named,
    ]
    if not by:
        return known.select(aggregates)
    return known.group_by(by, maintain_order=True).agg(aggregates).sort(by)


CONSENT_COLUMNS = {
    "unit_id": pl.String(),
    "part": pl.String(),  # text of the part, "*" for every part
    "area": pl.String(),  # "*" for every area
    "valid_from": pl.Date(),
    "valid_until": pl.Date(),
    "document": pl.String(),  # the signed paper
}


def consents_in_force(consents: pl.DataFrame, on: date) -> pl.DataFrame:
    """The written consents (register 10.8) that hold on one day; the others have lapsed by themselves."""
    return consents.filter(
        (pl.col("valid_from").is_null() | (pl.col("valid_from") <= on)) & (pl.col("valid_until") >= on)
    )


def primary_reason(rules: Rules) -> pl.Expr:
    """The rule a sum or count breaks, or null; over columns of ``disclosure.atoms`` (see there).

    A share is taken of the absolute total, so that gains and losses that cancel out are judged more strictly, not less.
    Where the largest unit has consented, the second largest is protected against it (Handbook 4.2, waivers):
    total - x1 - x2 < p% of x2, and the threshold asks for a further unit only where there is a second one.
    """
    n, total = pl.col("n"), pl.col("total").abs()
    first, second = pl.col("max1"), pl.col("max2")
    rest = total - first - second
    least = pl.max_horizontal(pl.col("least"), pl.lit(1))
    is_sum = ~pl.col("is_count")
    share = 1e-9  # a share of exactly 70 % is allowed, whatever the last binary digit says
    near = pl.lit(rules.p_percent > 0) & (rest < rules.p_percent / 100 * first - share * total)
    dominant = (pl.lit(rules.dominance_one > 0) & (first > (rules.dominance_one + share) * total)) | (
        pl.lit(rules.dominance_two > 0) & (first + second > (rules.dominance_two + share) * total)
    )
    agreed = pl.col("consented") & is_sum
    exposed_second = (n == 2) | ((n > 2) & (rest < rules.p_percent / 100 * second - share * total))
    return (
        pl.when(pl.col("administrative") | n.is_null())
        .then(None)
        .when(agreed)
        .then(pl.when(exposed_second).then(pl.lit("threshold")))
        .when((n > 0) & (n < least))
        .then(pl.lit("threshold"))
        .when((n == 0) & (pl.col("population") > 0) & (pl.col("population") < least))
        .then(pl.lit("zero"))
        .when(is_sum & (n > 0) & dominant)
        .then(pl.lit("dominance"))
        .when(is_sum & (n > 0) & near)
        .then(pl.lit("p_percent"))
        .otherwise(None)
    )


def protection(rules: Rules) -> pl.Expr:
    """How far an outsider's estimate of a primary cell must stay off on either side.

    p% of the value; for a count at least one unit, since an interval of less than a unit names the number.
    """
    share = (rules.p_percent if rules.p_percent > 0 else 10.0) / 100 * pl.col("total").abs()
    return pl.when(pl.col("is_count")).then(pl.max_horizontal(share, pl.lit(1.0))).otherwise(share)
