"""Weights and estimates for units that did not answer: one set for the innovation tables and the development index.

Certain units (above-scale industry, the largest of every park) stand for themselves, always weight 1; where one of them
did not answer it is estimated for itself. The others are represented by the answered units of their stratum.

Source: survey_system.md 2.1, innovation_survey.md 3; standard errors: Cochran, Sampling Techniques, 3rd ed., 5.9, 6.11
(stratified random sampling with finite population correction, ratio estimates by linearisation).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import polars as pl

from schemas.expression import operand_column
from schemas.period_data import ENTERPRISE, PeriodData

POPULATION: Final = ("0", "1", "2", "3", "4")  # in the population and due
VALID: Final = "0"
REPRESENTED: Final = ("1", "2", "3")  # did not answer validly: stand behind the weights
IDLE: Final = "4"  # stopped: counts with amounts of zero, stands for itself
CERTAIN: Final = "certain"
POOLED: Final = "*"

UNIT_COLUMNS: Final[dict[str, pl.DataType]] = {
    "unit_id": pl.String(),
    "park": pl.String(),
    "answer_status": pl.String(),
    "industry": pl.String(),
    "size": pl.String(),
    "above_scale": pl.Boolean(),
    "revenue_before": pl.Float64(),
}


@dataclass(frozen=True)
class WeightRules:
    """``largest``: how many units of a park are certain by last period's revenue; ``least``: valid units a stratum needs."""

    largest: int = 20
    least: int = 5


@dataclass(frozen=True)
class Weights:
    """``units``: unit_id, certain, stratum, weight (null for a unit that did not answer), sorted by unit.

    ``strata``: stratum, industry, sizes, population (N), valid (n), weight, merged (what was joined and why, in Chinese).
    ``summary``: due, reported, valid, certain, certain_missing, effective_rate (valid of due), weight_cv, design_effect
    (Kish: 1 + cv²).
    """

    units: pl.DataFrame
    strata: pl.DataFrame
    summary: dict[str, float]


def weigh(units: pl.DataFrame, rules: WeightRules = WeightRules()) -> Weights:
    """Weights of one period. ``units`` is the register of the period with ``UNIT_COLUMNS``, one row a unit.

    w = N / n in a stratum (industry × size), N and n over status 0 to 3: stopped units (4) are in the population but stand
    for themselves. Units outside the population have no weight. A stratum with fewer than ``least`` valid units joins its
    neighbour in size, the smaller one first; what is left over in an industry is pooled over industries.
    """
    inside = units.select(*(pl.col(c).cast(t) for c, t in UNIT_COLUMNS.items())).filter(
        pl.col("answer_status").is_in(POPULATION)
    )
    ranked = inside.with_columns(certain=_certain(rules))
    others = ranked.filter(~pl.col("certain") & (pl.col("answer_status") != IDLE))
    strata, members = _strata(others, rules.least)
    joined = ranked.join(members, on=["industry", "size"], how="left", maintain_order="left", nulls_equal=True)
    own = pl.col("certain") | (pl.col("answer_status") == IDLE)
    joined = joined.with_columns(
        stratum=pl.when("certain").then(pl.lit(CERTAIN)).when(own).then(pl.lit("idle")).otherwise("stratum")
    ).join(strata.select("stratum", "weight"), on="stratum", how="left", maintain_order="left")
    answered = pl.col("answer_status") == VALID
    weight = pl.when(own & (answered | (pl.col("answer_status") == IDLE))).then(1.0).when(answered).then("weight")
    found = joined.with_columns(weight=weight).select("unit_id", "certain", "stratum", "weight", "answer_status")
    return Weights(found.drop("answer_status").sort("unit_id"), strata, _summary(found))


def _certain(rules: WeightRules) -> pl.Expr:
    # Ties in revenue are settled by the code, so that the same register always gives the same stratum.
    rank = (
        pl.struct(-pl.col("revenue_before"), "unit_id").rank("ordinal").over("park").cast(pl.Int64)
        if rules.largest
        else pl.lit(1, dtype=pl.Int64)
    )
    large = (pl.col("revenue_before") > 0) & (rank <= rules.largest)
    return pl.col("above_scale").fill_null(False) | large.fill_null(False)


def _strata(others: pl.DataFrame, least: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(strata, industry × size → stratum)."""
    cells = (
        others.group_by("industry", "size")
        .agg(population=pl.len().cast(pl.Int64), valid=(pl.col("answer_status") == VALID).sum().cast(pl.Int64))
        .sort("industry", "size", nulls_last=True)
    )
    groups: list[_Group] = []
    left: list[_Group] = []
    for industry in cells["industry"].unique(maintain_order=True):
        own = cells.filter(pl.col("industry").eq_missing(industry))
        merged = _merged([_Group(((industry, r["size"]),), r["population"], r["valid"]) for r in own.to_dicts()], least)
        (groups if merged and all(g.valid >= least for g in merged) else left).extend(merged)
    if left:
        pool = _Group(
            tuple(c for g in left for c in g.cells), sum(g.population for g in left), sum(g.valid for g in left)
        )
        if pool.valid < least and groups:
            # Even pooled there are too few: they join the largest stratum, rather than weigh on a handful of units.
            big = max(range(len(groups)), key=lambda i: (groups[i].population, -i))
            groups[big] = groups[big].with_(pool)
        else:
            groups.append(pool)
    rows = [_row(g) for g in groups]
    members = [(industry, size, _name(g)) for g in groups for industry, size in g.cells]
    text = pl.String()
    return (
        pl.DataFrame(
            rows,
            schema={
                "stratum": text, "industry": text, "sizes": text, "population": pl.Int64(), "valid": pl.Int64(),
                "weight": pl.Float64(), "merged": text,
            },
            orient="row",
        ).sort("stratum"),
        pl.DataFrame(members, schema={"industry": text, "size": text, "stratum": text}, orient="row"),
    )  # fmt: skip


@dataclass(frozen=True)
class _Group:
    cells: tuple[tuple[str | None, str | None], ...]
    population: int
    valid: int

    def with_(self, other: _Group) -> _Group:
        return _Group((*self.cells, *other.cells), self.population + other.population, self.valid + other.valid)


def _merged(groups: list[_Group], least: int) -> list[_Group]:
    """Neighbouring size classes of one industry joined until each has enough valid units, the smallest units first."""
    groups = list(groups)
    while len(groups) > 1:
        short = [i for i, g in enumerate(groups) if g.valid < least]
        if not short:
            break
        at = short[-1]
        # Codes run from large (1) to micro (4): the neighbour is the next smaller class, or the next larger at the end.
        other = at + 1 if at + 1 < len(groups) else at - 1
        first, second = min(at, other), max(at, other)
        groups[first : second + 1] = [groups[first].with_(groups[second])]
    return groups


def _name(group: _Group) -> str:
    industries = list(dict.fromkeys(i or "_" for i, _ in group.cells))
    sizes = sorted({s or "_" for _, s in group.cells})
    return f"{industries[0] if len(industries) == 1 else POOLED}|{'+'.join(sizes)}"


def _row(group: _Group) -> tuple[str, str, str, int, int, float | None, str]:
    industries = list(dict.fromkeys(i or "_" for i, _ in group.cells))
    sizes = sorted({s or "_" for _, s in group.cells})
    merged = ""
    if len(industries) > 1:
        merged = f"行业 {'、'.join(industries)} 有效单位过少,合并为一层"
    elif len(sizes) > 1:
        merged = f"规模 {'、'.join(sizes)} 有效单位过少,与相邻规模合并"
    weight = group.population / group.valid if group.valid else None
    return (_name(group), "、".join(industries), "、".join(sizes), group.population, group.valid, weight, merged)


def _summary(units: pl.DataFrame) -> dict[str, float]:
    status = units["answer_status"]
    valid = units.filter(answer_status=VALID)
    weights = valid["weight"].drop_nulls()
    mean, deviation = weights.mean(), weights.std(ddof=0)
    cv = float(deviation) / float(mean) if weights.len() and mean and isinstance(deviation, float) else 0.0  # type: ignore[arg-type]
    return {
        "due": float(units.height),
        "reported": float(status.is_in([VALID, "1"]).sum()),
        "valid": float(valid.height),
        "certain": float(units["certain"].sum()),
        "certain_missing": float(units.filter(pl.col("certain") & pl.col("answer_status").is_in(REPRESENTED)).height),
        "effective_rate": valid.height / units.height if units.height else 0.0,
        "weight_cv": cv,
        "design_effect": 1 + cv * cv,
    }


def sampling(weights: Weights) -> pl.DataFrame:
    """(unit_id, stratum, population, sample) of every unit: what standard errors go by."""
    sizes = weights.strata.select("stratum", "population", pl.col("valid").alias("sample"))
    return weights.units.select("unit_id", "stratum").join(sizes, on="stratum", how="left", maintain_order="left")


def imputed(
    frame: pl.DataFrame, missing: pl.DataFrame, codes: Sequence[str], *, by: Sequence[str], lag: str = "yoy"
) -> pl.DataFrame:
    """One row for every certain unit that did not answer, its amounts estimated one by one.

    value = the unit's figure of the same period last year × growth of the matched units of its group (sum now / sum then
    over units with both, not imputed themselves); the group's growth needs a positive base, else the growth of all units.
    ``frame``: answered units with the codes, their lagged columns and ``by``. ``missing``: unit_id, park, ``by`` and lagged
    columns. Null where last year's figure is unknown. Answers to questions are not estimated. ``imputed`` is true.
    """
    usable = [c for c in codes if c in frame.columns and operand_column(c, lag) in missing.columns]
    if not usable or missing.is_empty():
        return missing.clear().with_columns(imputed=pl.lit(True))
    own = [c for c in by if c in missing.columns]
    of_group = _growth(frame, usable, own, lag)
    of_all = _growth(frame, usable, [], lag)
    joined = missing.join(of_group, on=own, how="left", maintain_order="left", nulls_equal=True) if own else missing
    estimates = []
    for code in usable:
        growth = (
            pl.coalesce(f"{code} growth", pl.lit(of_all[f"{code} growth"][0]))
            if own
            else pl.lit(of_all[f"{code} growth"][0])
        )
        exact = frame.schema[code]
        value = pl.col(operand_column(code, lag)).cast(pl.Float64) * growth.cast(pl.Float64)
        digits = exact.scale if isinstance(exact, pl.Decimal) else 0 if exact.is_integer() else None
        estimates.append(
            (value if digits is None else value.round(digits, mode="half_away_from_zero")).cast(exact).alias(code)
        )
    return (
        joined.with_columns(estimates)
        .drop([f"{c} growth" for c in usable], strict=False)
        .with_columns(imputed=pl.lit(True), weight=pl.lit(1.0))
    )


def _growth(frame: pl.DataFrame, codes: Sequence[str], by: Sequence[str], lag: str) -> pl.DataFrame:
    sides = []
    for code in codes:
        then = pl.col(operand_column(code, lag)) if operand_column(code, lag) in frame.columns else pl.lit(None)
        both = pl.col(code).is_not_null() & then.is_not_null()
        now = pl.col(code).filter(both).sum().cast(pl.Float64)
        base = then.filter(both).sum().cast(pl.Float64)
        sides.append(pl.when(base > 0).then(now / base).alias(f"{code} growth"))
    return frame.group_by(list(by)).agg(sides) if by else frame.select(sides)


def with_weights(data: PeriodData, units: pl.DataFrame, weights: Weights, codes: Sequence[str]) -> PeriodData:
    """The observations with the column ``weight`` set and the missing certain units added as estimates.

    ``units``: the register of the period (``UNIT_COLUMNS``) with the attributes estimated rows need (B-codes, sub_park) and
    last year's figures (``F01_yoy``). ``codes``: amounts to estimate, by the growth of industry × size. A unit of the
    roster that the register does not know keeps weight 1.
    """
    roster = data.rosters[ENTERPRISE]
    known = weights.units.select("unit_id", pl.col("weight").alias("_weight"), "certain")
    weighted = (
        roster.join(known, on="unit_id", how="left", maintain_order="left")
        # A unit that filed but did not pass is represented by others: it must not count beside them.
        .with_columns(weight=pl.when(pl.col("certain").is_null()).then(1.0).otherwise(pl.col("_weight").fill_null(0.0)))
        .drop("_weight", "certain")
    )
    silent = units.filter(pl.col("answer_status").is_in(REPRESENTED)).join(
        weights.units.filter(pl.col("certain") & pl.col("weight").is_null()).select("unit_id"), on="unit_id", how="semi"
    )
    groups = ["industry", "size"]
    valid = weighted.filter(pl.col("answer_status") == VALID).drop(groups, strict=False)
    valid = valid.join(units.select("unit_id", *groups), on="unit_id", how="left", maintain_order="left")
    estimates = imputed(valid, silent, codes, by=groups)
    if estimates.height:
        kept = weighted.join(estimates.select("unit_id"), on="unit_id", how="anti", maintain_order="left")
        # Of the register only who and where the unit is; what it would have answered is not in it.
        attributes = {"unit_id", "park", "sub_park", "answer_status", "weight", "imputed", *codes}
        own = [c for c in roster.columns if c in estimates.columns and (c in attributes or c[0] == "B" or "_" in c[1:])]
        rows = estimates.select(pl.col(c).cast(weighted.schema[c]) for c in own)
        weighted = pl.concat([kept, rows], how="diagonal")
    return replace(data, rosters={**data.rosters, ENTERPRISE: weighted.sort("unit_id")})
