"""Early estimates, imputation and structure: published figures, hand-worked cases, coverage that replay proves."""

from __future__ import annotations

import random

import polars as pl
import pytest

from pipelines.methods.series.early import conformal_rank, early_estimate, exact_limits, ratio_estimate
from pipelines.methods.series.imputing import imputed_totals, imputed_units
from pipelines.methods.series.structure import concentration, diffusion, structure_change
from schemas.errors import DefinitionError

# W. G. Cochran, Sampling Techniques, 1977, table 6.1: 49 of 196 cities, inhabitants in thousands in 1920 and 1930.
CITIES_1920 = [
    138, 93, 61, 179, 48, 37, 29, 23, 30, 2, 38, 46, 71, 25, 298, 74, 50, 76, 381, 387, 78, 60, 507, 50, 77, 64, 40, 136, 243, 256,
    94, 36, 45, 67, 120, 172, 66, 46, 121, 44, 64, 56, 40, 116, 87, 43, 43, 161, 36,
]  # fmt: skip
CITIES_1930 = [
    143, 104, 69, 260, 75, 63, 50, 48, 111, 50, 52, 53, 79, 57, 317, 93, 58, 80, 464, 459, 106, 57, 634, 64, 89, 77, 60, 139, 291, 288,
    85, 46, 53, 67, 115, 183, 86, 65, 113, 58, 63, 142, 64, 130, 105, 61, 50, 232, 54,
]  # fmt: skip
ALL_1920 = 22919


def test_cochrans_cities() -> None:
    """The ratio estimate of the 196 cities' inhabitants in 1930 is printed as 28,397."""
    rest = float(ALL_1920 - sum(CITIES_1920))
    base = [*map(float, CITIES_1920), rest]
    units = pl.DataFrame({"stratum": ["all"] * 50, "base": base, "value": [*map(float, CITIES_1930), None]})
    made = ratio_estimate(units)
    assert f"{made.total:,.0f}" == "28,397"
    assert (made.answered, made.missing_base, made.unknown) == (6262, 17865, 0)


def test_exact_limits_as_newcombe_prints_them() -> None:
    """R. G. Newcombe, Statistics in Medicine 17 (1998), 857–872: 81 of 263 is 0.2527 to 0.3676."""
    low, high = exact_limits(81, 263)
    assert (round(low, 4), round(high, 4)) == (0.2527, 0.3676)
    assert exact_limits(0, 5)[0] == 0 and exact_limits(5, 5)[1] == 1


def test_ratios_by_stratum_fall_back_to_all() -> None:
    """Stratum a: (24 + 36) / (20 + 30) = 1.2 on 10 → 12; b has one match only: (60 + 5) / (50 + 5) on 11 → 13."""
    units = pl.DataFrame(
        {
            "stratum": ["a", "a", "a", "b", "b", "b"],
            "base": [20.0, 30.0, 10.0, 5.0, 11.0, None],
            "value": [24.0, 36.0, None, 5.0, None, None],
        }
    )
    made = ratio_estimate(units, donors=2)
    assert made.filled == pytest.approx(12 + 13)
    assert (made.answered, made.unknown, made.pooled) == (65, 1, ("b",))


def quarters(years: range, noise: float, seed: int, units: int = 60) -> pl.DataFrame:
    draw = random.Random(seed)
    size = [draw.lognormvariate(4, 1) for _ in range(units)]
    last = f"{years[-1]}Q4"
    rows = []
    for year in years:
        for q in range(1, 5):
            move = draw.lognormvariate(0, 0.05)
            for k, level in enumerate(size):
                period = f"{year}Q{q}"
                value = level * 1.05 ** (year - 2010) * move * draw.lognormvariate(0, noise)
                rows.append((f"u{k:03}", period, "AB"[k % 2], None if period == last and k % 3 == 0 else value, None))
    names = {"unit": pl.String, "period": pl.String, "stratum": pl.String, "value": pl.Float64, "days": pl.Float64}
    return pl.DataFrame(rows, schema=names, orient="row")


def test_replay_proves_the_coverage() -> None:
    """Over ten invented histories 80 % intervals must hold for about 80 % of past quarters: the exact limits contain it."""
    hits = trials = 0
    for seed in range(10):
        made = early_estimate(quarters(range(2010, 2020), 0.2, seed), "2019Q4")
        hits, trials = hits + made.interval.hits, trials + made.interval.trials
        assert made.interval.nominal is not None and made.interval.nominal >= 0.8
    low, high = exact_limits(hits, trials, 0.99)
    assert low <= 0.82 and high >= 0.8
    assert trials > 250


def test_an_interval_is_judged_by_earlier_periods_only() -> None:
    frame = quarters(range(2010, 2020), 0.2, 1)
    whole = early_estimate(frame, "2019Q4").replays
    upset = frame.with_columns(pl.when(pl.col("period") == "2019Q3").then(pl.col("value") ** 2).otherwise("value"))
    assert whole["covered"][:4].null_count() == 4
    assert early_estimate(upset, "2019Q4").replays[:-1].equals(whole[:-1])
    assert not early_estimate(upset, "2019Q4").replays["covered"][-1]


def test_no_error_where_everybody_grows_alike() -> None:
    made = early_estimate(quarters(range(2010, 2020), 0.0, 1), "2019Q4")
    assert made.replays["score"].max() == pytest.approx(0, abs=1e-9)
    assert made.interval.upper == pytest.approx(made.estimate.total)


def test_too_little_history_gives_an_estimate_without_interval() -> None:
    made = early_estimate(quarters(range(2018, 2020), 0.2, 3), "2019Q4")
    assert made.interval.lower is None and "不给区间" in made.interval.note
    wide = early_estimate(quarters(range(2015, 2020), 0.2, 3), "2019Q4", coverage=0.95)
    assert wide.interval.nominal == pytest.approx(15 / 16) and "最多支持" in wide.interval.note


def test_who_answered_by_then_is_taken_from_the_days() -> None:
    frame = quarters(range(2010, 2020), 0.2, 1).with_columns(
        days=pl.when(pl.col("unit") < "u040").then(10.0).otherwise(40.0)
    )
    made = early_estimate(frame, "2019Q3", within_days=20)
    assert made.estimate.answered_units == 40
    assert early_estimate(frame, "2019Q3", within_days=60).estimate.filled == 0


def test_units_that_left_are_not_estimated_where_the_due_are_listed() -> None:
    rows = [("a", "2024", 10.0), ("b", "2024", 20.0), ("c", "2024", 30.0), ("a", "2025", 11.0), ("b", "2025", None)]
    frame = pl.DataFrame(rows, schema=["unit", "period", "value"], orient="row").with_columns(
        stratum=pl.lit("x"), days=pl.lit(None, dtype=pl.Float64)
    )
    assert early_estimate(frame, "2025", donors=1).estimate.total == pytest.approx(11 + 22)
    unlisted = frame.filter(pl.col("value").is_not_null())
    assert early_estimate(unlisted, "2025", donors=1).estimate.total == pytest.approx(11 + 22 + 33)
    everybody = early_estimate(unlisted, "2025", donors=1, lists_due=True)  # b and c have left, and a has answered
    assert (everybody.estimate.total, everybody.estimate.units) == (11, 1)
    with pytest.raises(DefinitionError, match="没有"):
        early_estimate(frame, "2024")


def test_ranks_of_a_split_conformal_interval() -> None:
    """With 9 scores 80 % needs the 8th, 90 % the 9th; 95 % needs 19 scores."""
    assert [conformal_rank(9, 0.8), conformal_rank(9, 0.9), conformal_rank(9, 0.95), conformal_rank(19, 0.95)] == [
        8,
        9,
        10,
        19,
    ]


UNITS = pl.DataFrame(
    {
        "unit": ["a", "b", "c", "d", "e"], "industry": ["C"] * 5, "size": ["1", "1", "1", "2", "2"],
        "value": [110.0, None, 360.0, None, 50.0], "base": [100.0, 200.0, 300.0, 42.0, 40.0],
        "earlier": [None, 160.0, None, None, None],
    }
)  # fmt: skip


def test_imputation_by_hand() -> None:
    """b: ratio (110 + 360) / 400 of its class × 200 = 235, trend 200 × 200 / 160 = 250, donor a (nearest base, first by name)
    200 × 1.1 = 220. d: its class has one giver only, the industry 520 / 440 × 42."""
    made = imputed_units(UNITS, top=0, donors=2)
    b, d = made.row(1, named=True), made.row(3, named=True)
    assert (b["by_ratio"], b["by_trend"], b["by_donor"]) == pytest.approx((235, 250, 220))
    assert (b["value"], b["method"], b["level"], b["imputed"]) == (pytest.approx(235), "ratio", "行业×规模", True)
    assert (d["value"], d["level"], d["by_donor"]) == (
        pytest.approx(520 / 440 * 42),
        "行业",
        pytest.approx(42 * 50 / 40),
    )
    assert made["value"].to_list()[::2] == [110, 360, 50]
    one = imputed_totals(made).row(0, named=True)
    assert one["total"] == pytest.approx(520 + 235 + 520 / 440 * 42)
    assert (one["status"], one["units_imputed"], one["units_unknown"]) == ("E", 2, 0)


def test_a_donor_serves_where_no_ratio_can_and_large_units_are_named() -> None:
    made = imputed_units(UNITS, top=1, donors=9)
    b = made.row(1, named=True)
    assert (b["method"], b["donor"], b["value"]) == ("donor", "a", pytest.approx(220))
    assert made.filter("is_single")["unit"].to_list() == ["c"]
    single = imputed_units(UNITS, top=2, donors=9).row(1, named=True)
    assert (single["is_single"], single["method"], single["value"]) == (True, "trend", pytest.approx(250))
    confirmed = imputed_units(UNITS.with_columns(confirmed=pl.lit(240.0)), top=2).row(1, named=True)
    assert (confirmed["method"], confirmed["value"]) == ("confirmed", 240)


def test_what_no_method_reaches_stays_unknown() -> None:
    made = imputed_units(UNITS.with_columns(base=pl.lit(None, dtype=pl.Float64)))
    assert made["value"].null_count() == 2 and not made["imputed"].any()
    assert imputed_totals(made)["units_unknown"].item() == 2


def test_concentration_as_printed() -> None:
    """HHI of 30, 30, 20, 20: 2,600 (U.S. Department of Justice); Gini of the ten classes of R's ineq: 0.4620911."""
    assert concentration([30, 30, 20, 20])["hhi"] == pytest.approx(2600)
    eight = [10, 9, 12, 15, 12, 11, 15, 16]
    assert concentration(eight)["hhi"] == pytest.approx(1296)
    ten = [541, 1463, 2445, 3438, 4437, 5401, 6392, 8304, 11904, 22261]
    gini = concentration(ten)["gini"]
    assert gini is not None and round(gini, 7) == 0.4620911
    even = concentration([5, 5, 5, 5])
    assert (even["gini"], even["theil"], even["equivalent"], even["cr1"]) == pytest.approx((0, 0, 4, 25))
    assert concentration([3, -1])["hhi"] is None


def test_diffusion_and_structure_by_hand() -> None:
    """Two up, one level, one down of four: 50 + 25 / 2 = 62.5. Shares 50/50 to 60/40: ten points changed place."""
    moves = diffusion([12, 11, 100.3, 4, None], [10, 10, 100, 5, 1])
    assert (moves["up"], moves["level"], moves["down"], moves["diffusion"], moves["units"]) == (50, 25, 25, 62.5, 4)
    parts = pl.DataFrame({"category": ["C", "I"], "now": [60.0, 40.0], "before": [25.0, 25.0]})
    shares, change = structure_change(parts)
    assert change["change"] == pytest.approx(10)
    assert shares["shift"].to_list() == pytest.approx([10, -10])


# Lehtonen and Pahkinen, Practical Methods for Design and Analysis of Complex Surveys, 2nd ed. (2004), section 4.3: a sample of eight of
# the 32 municipalities of Province'91, UE91 (unemployed) with HOU85 (households) known of all; Kuhmoinen and Toivakka did not answer.
PROVINCE: list[tuple[str, float | None, float]] = [
    ("Kuhmoinen", None, 1463), ("Toivakka", None, 834), ("Jyväskylä", 4123, 26881), ("Keuruu", 760, 4896), ("Saarijärvi", 721, 3730),
    ("Konginkangas", 142, 556), ("Pihtipudas", 331, 1946), ("Uurainen", 219, 932),
]  # fmt: skip


def test_ratio_and_nearest_donors_of_province_91() -> None:
    """Printed: the total by ratio imputation, 26,669 (26,669.5 before the last step, cut and not rounded). The nearest neighbours are Pihtipudas (1,946) and Uurainen (932); where the
    book takes the neighbour's figure (331, 219), ours takes its ratio to its base."""
    table = pl.DataFrame(PROVINCE, schema={"unit": pl.String, "value": pl.Float64, "base": pl.Float64}, orient="row")
    by_ratio = imputed_units(table, one_by_one=("ratio",), others=("ratio",))
    assert int(by_ratio["value"].sum() * 32 / 8) == 26_669
    by_donor = imputed_units(table, one_by_one=("donor",), others=("donor",)).filter("imputed")
    assert by_donor["donor"].to_list() == ["Pihtipudas", "Uurainen"]
    assert by_donor["value"].to_list() == [pytest.approx(1463 * 331 / 1946), pytest.approx(834 * 219 / 932)]
