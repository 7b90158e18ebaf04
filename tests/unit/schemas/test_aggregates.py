"""Area level: sums and ratios against hand loops, the same-unit rule, coverage, parts, other years, context figures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.environment import Environment
from schemas.errors import DefinitionError
from schemas.model import ValueType
from schemas.period import Period
from schemas.period_data import PeriodData
from schemas.polars_target import aggregate, aggregate_many
from schemas.sql_target import to_sql_aggregate
from schemas.typed_expression import Variable

N, B, C = ValueType.NUMBER, ValueType.BOOLEAN, ValueType.CODE
INNOVATION = "P02 >= 10"
VARIABLES = {
    v.code: v
    for v in (
        Variable("B01", C, "enterprise"),
        Variable("B11", B, "enterprise"),
        Variable("F01", N, "enterprise"),
        Variable("F13", N, "enterprise"),
        Variable("P02", N, "enterprise"),
        Variable("R03", N, "enterprise", decimals=2),
        Variable("R04", N, "enterprise"),
        Variable("N22", N, "enterprise", applies_if=INNOVATION, absent="outside", form="innovation"),
        Variable("N05", N, "enterprise", applies_if=INNOVATION, absent="outside", form="innovation"),
        Variable("J05", N, "projects"),
        Variable("J06", N, "projects"),
        Variable("K01", C, "park", additive=False),
        Variable("K04", N, "park"),
        Variable("K26", N, "park"),
        Variable("K42", N, "park", decimals=1, additive=False),
        Variable("K35", N, "context", additive=False),
        Variable("K41", N, "context", additive=False),
    )
}
YEAR = Period(2020)
ENV = Environment(YEAR, VARIABLES, size="F01")
WIDE = {"park": pl.String, "unit_id": pl.String, "B01": pl.String, "B11": pl.Boolean, "answer_status": pl.String}
NUMBERS = {"F01": pl.Int64, "F01_yoy": pl.Int64, "F13": pl.Int64, "P02": pl.Int64, "R04": pl.Int64, "N22": pl.Int64}
SCHEMA: dict[str, Any] = {**WIDE, **NUMBERS, "R03": pl.Decimal(18, 2), "weight": pl.Float64}


def enterprises(rows: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame([{name: row.get(name) for name in SCHEMA} for row in rows], schema=SCHEMA)


def period(
    rows: list[dict[str, Any]], parks: pl.DataFrame | None = None, year: Period = YEAR, **rest: Any
) -> PeriodData:
    parks = (
        pl.DataFrame({"park": sorted({r["park"] for r in rows})}, schema={"park": pl.String})
        if parks is None
        else parks
    )
    return PeriodData(year, {"enterprise": enterprises(rows)}, parks, **rest)


def figures(text: str, data: PeriodData, by: list[str], env: Environment = ENV, **options: Any) -> dict[Any, Any]:
    found = aggregate(text, data, by, env, **options).values
    return {row[:-1] if len(by) > 1 else (row[0] if by else "all"): row[-1] for row in found.iter_rows()}


FOUR = [
    {"park": "A", "F01": 100, "R04": 5, "B11": True, "F01_yoy": 80, "weight": 1.0},
    {"park": "A", "F01": 300, "R04": None, "B11": False, "F01_yoy": 300, "weight": 2.0},
    {"park": "B", "F01": None, "R04": 7, "B11": None, "F01_yoy": 40, "weight": 1.0},
    {"park": "B", "F01": 50, "R04": 0, "B11": True, "F01_yoy": None, "weight": 4.0},
]


def test_sums_skip_blanks_and_counts_skip_what_is_unknown() -> None:
    data = period(FOUR)
    assert figures("SUM(F01)", data, ["park"]) == {"A": 400.0, "B": 50.0}
    assert figures("SUM(F01, B11 == 1)", data, ["park"]) == {"A": 100.0, "B": 50.0}
    assert figures("COUNT(B11 == 1)", data, ["park"]) == {"A": 1.0, "B": 1.0}
    assert figures("COUNT(F01 > 60)", data, ["park"]) == {"A": 2.0, "B": 0.0}
    assert figures("SUM(F01) + COUNT(B11 == 1)", data, []) == {"all": 452.0}
    assert figures("SUM(F13)", data, ["park"]) == {"A": None, "B": None}  # nobody reported it
    assert figures("nz(SUM(F13)) + SUM(F01)", data, []) == {"all": 450.0}
    assert figures("SUM(F01) > 60", data, ["park"]) == {"A": True, "B": False}


def test_an_area_without_units_counts_none_and_sums_nothing() -> None:
    data = period(FOUR, pl.DataFrame({"park": ["A", "B", "C"]}))
    assert figures("COUNT(B11 == 1)", data, ["park"])["C"] == 0.0
    assert figures("SUM(F01)", data, ["park"])["C"] is None
    assert figures("COUNT(J05 > 1)", data, ["park"]) == {
        "A": None,
        "B": None,
        "C": None,
    }  # no roster of projects at all


def test_both_sides_of_a_ratio_run_over_the_same_units() -> None:
    found = aggregate("SUM(R04) / SUM(F01) * 100", period(FOUR), ["park"], ENV)
    # A: only the first unit has both, 5 / 100; of the 400 reported it holds 100. B: 0 / 50.
    assert found.values.rows() == [("A", 5.0), ("B", 0.0)]
    assert found.coverage.rows()[0] == ("A", 0.25)
    parts = found.parts.filter(park="A").select("text", "n", "total").rows()
    assert parts == [("SUM(R04)", 1, 5.0), ("SUM(F01)", 1, 100.0)]


def test_growth_runs_over_units_with_both_years() -> None:
    data = period(FOUR)
    assert figures("SUM(F01) / yoy(SUM(F01)) - 1", data, ["park"]) == {"A": 400 / 380 - 1, "B": None}
    assert figures("SUM(F01) - yoy(SUM(F01))", data, ["park"]) == {"A": 20.0, "B": 10.0}


def test_a_ratio_of_ratios_has_one_set_of_units() -> None:
    rows = [
        {"park": "A", "F01": 10, "F13": 1, "R04": 2, "P02": 4},
        {"park": "A", "F01": 30, "F13": 9, "R04": None, "P02": 4},
    ]
    text = "(SUM(F13) / SUM(F01)) / (SUM(R04) / SUM(P02))"
    assert figures(text, period(rows), []) == {"all": (1 / 10) / (2 / 4)}


def test_a_difference_of_ratios_has_two_sets() -> None:
    rows = [{"park": "A", "F01": 10, "F13": 1, "R04": 2}, {"park": "A", "F01": 30, "F13": 9, "R04": None}]
    assert figures("SUM(F13) / SUM(F01) - SUM(R04) / SUM(F01)", period(rows), []) == {"all": 10 / 40 - 2 / 10}


def test_nz_says_that_a_blank_is_fine() -> None:
    rows = [{"park": "A", "F01": 10, "F13": None, "R04": 4}, {"park": "A", "F01": 30, "F13": 9, "R04": 6}]
    assert figures("(SUM(R04) - nz(SUM(F13))) / SUM(F01)", period(rows), []) == {"all": (10 - 9) / 40}
    assert figures("SUM(nz(F13)) / SUM(F01)", period(rows), []) == {"all": 9 / 40}


def test_a_condition_must_be_known_for_both_sides() -> None:
    rows = [
        {"park": "A", "F01": 10, "B11": True},
        {"park": "A", "F01": 30, "B11": False},
        {"park": "A", "F01": 60, "B11": None},
    ]
    assert figures("SUM(F01, B11 == 1) / SUM(F01)", period(rows), []) == {"all": 10 / 40}
    # Where the author wrote two counts, nothing is restricted.
    assert figures("COUNT(B11 == 1) / COUNT(notnull(F01))", period(rows), []) == {"all": 1 / 3}
    # A mean runs over the units that reported what is averaged.
    more = [*rows, {"park": "A", "F01": None, "B11": True}]
    assert figures("SUM(F01, B11 == 1) / COUNT(B11 == 1)", period(more), []) == {"all": 10.0}


def test_division_by_a_sum_of_zero_is_unknown() -> None:
    assert figures("SUM(R04) / SUM(F01)", period([{"park": "A", "F01": 0, "R04": 3}]), []) == {"all": None}


def test_sums_stay_exact_where_floats_would_not() -> None:
    rows = [{"park": "A", "R03": Decimal("0.10"), "F01": 2**62}, {"park": "A", "R03": Decimal("0.20"), "F01": 2**62}]
    assert figures("SUM(R03) == 0.3", period(rows), []) == {"all": True}
    assert figures("SUM(F01) > 0", period(rows), []) == {"all": True}


def test_weights_multiply_sums_and_counts() -> None:
    data = period(FOUR)
    assert figures("SUM(F01)", data, ["park"], weighted=True) == {"A": 700.0, "B": 200.0}
    assert figures("COUNT(B11 == 1)", data, ["park"], weighted=True) == {"A": 1.0, "B": 4.0}
    assert figures("SUM(F01) - COUNT(B11 == 1)", data, [], weighted=True) == {"all": 895.0}
    assert figures("SUM(F01) == COUNT(B11 == 1)", data, [], weighted=True) == {"all": False}
    assert figures("SUM(F13)", data, [], weighted=True) == {"all": None}
    plain = aggregate("SUM(F01)", data, [], ENV).parts.row(0, named=True)
    assert (plain["total"], plain["weighted_total"], plain["n"]) == (450.0, 900.0, 3)


def test_parts_tell_disclosure_control_who_contributes() -> None:
    rows = [{"park": "A", "F13": v} for v in (-90, 20, 0, None, 50)]
    part = aggregate("SUM(F13) / COUNT(notnull(F13))", period(rows), ["park"], ENV).parts
    assert part.select("text", "n", "max1", "max2", "total", "absolute_total").rows() == [
        ("SUM(F13)", 3, 90.0, 50.0, -20.0, 160.0),
        ("COUNT(notnull(F13))", 4, 1.0, 1.0, 4.0, 4.0),
    ]


@given(st.lists(st.none() | st.integers(-5, 5), max_size=9))
def test_the_two_largest_contributions(values: list[int | None]) -> None:
    part = aggregate("SUM(F13)", period([{"park": "A", "F13": v} for v in values]), [], ENV).parts
    sizes = sorted((abs(v) for v in values if v is not None), reverse=True)
    found = part.select("n", "max1", "max2").row(0) if values else (0, None, None)
    assert found == (sum(s != 0 for s in sizes), *[float(s) for s in sizes[:2]], *[None] * (2 - len(sizes[:2])))


# ── coverage ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def covered(text: str, rows: list[dict[str, Any]], data: PeriodData | None = None) -> float | None:
    return aggregate(text, data or period(rows), [], ENV).coverage.item(0, "value")  # type: ignore[no-any-return]


def test_coverage_by_denominator_by_last_revenue_by_number() -> None:
    ratio = "SUM(R04) / SUM(F01)"
    both_known = [{"park": "A", "F01": 60, "R04": 1}, {"park": "A", "F01": 40, "R04": None}]
    assert covered(ratio, both_known) == 0.6
    refused = [{"park": "A", "F01": 60, "R04": 1, "F01_yoy": 30}, {"park": "A", "answer_status": "2", "F01_yoy": 90}]
    assert covered(ratio, refused) == 0.25
    nothing_known = [
        {"park": "A", "F01": 60, "R04": 1},
        {"park": "A", "answer_status": "2"},
        {"park": "A"},
        {"park": "A"},
    ]
    assert covered(ratio, nothing_known) == 0.25
    closed = [{"park": "A", "F01": 60, "R04": 1}, {"park": "A", "answer_status": "5"}]
    assert covered(ratio, closed) == 1.0
    assert covered("SUM(F01)", both_known) is None
    assert covered("COUNT(F01 > 1) / COUNT(notnull(F01))", both_known) is None


def test_units_out_of_scope_do_not_lower_coverage() -> None:
    rows = [{"park": "A", "F01": 60, "N22": 1, "P02": 10}, {"park": "A", "F01": 40, "P02": 9}]
    assert figures("SUM(N22) / SUM(F01)", period(rows), []) == {"all": 1 / 60}
    assert covered("SUM(N22) / SUM(F01)", rows) == 1.0


def test_the_condition_of_the_denominator_bounds_its_scope() -> None:
    rows = [{"park": "A", "F01": 60, "R04": 1, "B11": True}, {"park": "A", "F01": 40, "R04": None, "B11": False}]
    assert covered("SUM(R04, B11 == 1) / SUM(F01, B11 == 1)", rows) == 1.0


# ── parks, context, years ────────────────────────────────────────────────────────────────────────────────────────────
PARKS = pl.DataFrame(
    {
        "park": ["A", "B", "A1"],
        "area": ["X", "X", "X"],
        "kind": ["zone", "zone", "sub_park"],
        "K01": ["1", "2", "1"],
        "K04": [1000, 2000, 0],
        "K26": [10, None, 0],
        "K42": [Decimal("30.5"), Decimal("20.0"), None],
    },
    schema_overrides={"K42": pl.Decimal(18, 1)},
)


def test_park_figures_add_up_only_if_additive_and_complete() -> None:
    data = period(FOUR, PARKS)
    assert figures("K26 / K04 * 100", data, ["park"]) == {"A": 1.0, "A1": None, "B": None}
    found = aggregate_many({"gdp": "K04", "rd": "K26", "green": "K42", "level": "K01 == 1"}, data, ["area"], ENV).values
    assert found.rows() == [("X", 3000.0, None, None, None)]
    assert figures("K42", data, ["park"]) == {"A": 30.5, "A1": None, "B": 20.0}
    assert figures("K04 - SUM(F01)", data, ["B11"]) == {True: None, False: None, None: None}


def test_zones_are_counted_each_for_itself() -> None:
    data = period([*FOUR, {"park": "A1", "F01": 10**6}], PARKS)
    assert figures("COUNT_PARK(SUM(F01) >= 60)", data, []) == {"all": 1.0}
    assert figures("COUNT_PARK(K01 == 1)", data, ["area"]) == {"X": 1.0}
    assert figures("COUNT_PARK(K26 > 1)", data, ["area"]) == {"X": 1.0}
    assert figures("COUNT_PARK(K04 > 1500)", data, ["park"]) == {"A": 0.0, "A1": 0.0, "B": 1.0}


def test_context_is_looked_up_from_near_to_far() -> None:
    context = pl.DataFrame(
        {
            "Y01": ["62", "6201", "A", "62"],
            "Y02": [2020, 2020, 2020, 2019],
            "K35": [100, None, None, 90],
            "K41": [None, 7, 8, 1],
        }
    )
    data = period(FOUR, PARKS, context=context)
    env = replace(ENV, areas={"A": ("A", "6201", "62"), "B": ("B", "6201", "62")}, area="62")
    assert figures("K35", data, ["park"], env) == {"A": 100.0, "B": 100.0, "A1": None}
    assert figures("K41", data, ["park"], env) == {"A": 8.0, "B": 7.0, "A1": None}
    assert figures("K35 - yoy(K35)", data, [], env) == {"all": 10.0}
    assert figures("K35 - prev(K35)", data, [], env) == {"all": None}


def years(known: dict[int, int]) -> Callable[[int], PeriodData | None]:
    def at(year: int) -> PeriodData | None:
        parks = PARKS.head(1).with_columns(K04=pl.lit(known.get(year), dtype=pl.Int64))
        rows = [{"park": "A", "F01": known[year], "R04": 1}] if year in known else []
        return period(rows, parks, Period(year)) if year in known else None

    return at


def test_functions_over_years() -> None:
    known = {2014: 100, 2015: 110, 2018: 130, 2019: 150, 2020: 200}
    at = years(known)
    data = at(2020)
    assert data is not None
    env = replace(ENV, at=at, plan_start=2018, stage=(2019, 2021))
    texts = {
        "cum": "CUM(SUM(F01))",
        "base": "SUM(F01) / BASE(SUM(F01), 2014)",
        "stage": "STAGE(K04)",
        "delta": "STAGE_DELTA(K04)",
        "cagr": "CAGR(K04, 2015)",
        "gap": "CUM(K04) + BASE(K04, 2016)",
        "now": "CAGR(K04, 2020)",
    }
    found = aggregate_many(texts, data, [], env)
    values = found.values.row(0, named=True)
    assert values["cum"] == 480.0
    assert values["base"] == 2.0
    assert values["stage"] == 350.0  # 2019 and 2020: the stage is not over
    assert values["delta"] == 70.0
    assert values["cagr"] == pytest.approx(((200 / 110) ** (1 / 5) - 1) * 100, rel=1e-14)
    assert (values["gap"], values["now"]) == (None, None)
    assert found.missing_years == {"gap": (2016,)}
    assert found.parts.filter(expression="cum")["period"].to_list() == ["2018", "2019", "2020"]
    assert found.parts.filter(expression="base").select("text", "period", "total").rows() == [
        ("SUM(F01)", "2020", 200.0),
        ("SUM(F01)", "2014", 100.0),
    ]
    early = replace(env, plan_start=2017)
    assert aggregate("CUM(K04)", data, ["park"], early).values.rows() == [("A", None)]
    assert aggregate("CUM(K04)", data, [], early).missing_years == {"value": (2017,)}
    with pytest.raises(DefinitionError, match="计划起始年"):
        aggregate("CUM(K04)", data, [], replace(env, plan_start=None))


def test_what_cannot_be_asked_of_an_area() -> None:
    data = period(FOUR)
    for text, complaint in (
        ("F01 / SUM(F01)", "要放在 SUM、COUNT 之内"),
        ("COUNT_PARK(F01 > 1)", "要放在 SUM、COUNT 之内"),
        ("SUM(F01) > answer_status", "代码或文字"),
        ("nz(answer_status) == 1", "区域没有回答状态"),
    ):
        with pytest.raises(DefinitionError, match=complaint):
            aggregate(text, data, [], ENV)
    with pytest.raises(DefinitionError, match="没有一个名册有分组列"):
        aggregate("SUM(F01)", data, ["sector"], ENV)


# ── against hand loops ───────────────────────────────────────────────────────────────────────────────────────────────
small = st.none() | st.integers(-3, 9)
unit = st.fixed_dictionaries(
    {
        "park": st.sampled_from(["A", "B", "C"]),
        "B11": st.none() | st.booleans(),
        **dict.fromkeys(("F01", "F01_yoy", "F13", "R04"), small),
        "R03": st.none() | st.integers(-300, 300).map(lambda i: Decimal(i).scaleb(-2)),
        "weight": st.sampled_from([1.0, 1.5, 2.25, 3.0]),
    }
)
populations = st.lists(unit, max_size=12)
Row = dict[str, Any]


def total(rows: list[Row], name: str, weighted: bool, condition: Callable[[Row], bool | None] = lambda r: True) -> Any:
    chosen = [r for r in rows if condition(r) and r[name] is not None]
    return sum(r[name] * (Decimal(r["weight"]) if weighted else 1) for r in chosen) if chosen else None


def over(a: Any, b: Any) -> float | None:
    return None if a is None or b is None or b == 0 else float(a) / float(b)


def have(rows: list[Row], *names: str) -> list[Row]:
    return [r for r in rows if all(r[name] is not None for name in names)]


HAND: dict[str, Callable[[list[Row], bool], Any]] = {
    "SUM(F01)": lambda rows, w: total(rows, "F01", w),
    "SUM(R03)": lambda rows, w: total(rows, "R03", w),
    "SUM(F01, B11 == 1)": lambda rows, w: total(rows, "F01", w, lambda r: r["B11"]),
    "COUNT(F13 < 0)": lambda rows, w: sum(
        (r["weight"] if w else 1) for r in rows if r["F13"] is not None and r["F13"] < 0
    ),
    "SUM(R03) / SUM(F01)": lambda rows, w: over(
        total(have(rows, "R03", "F01"), "R03", w), total(have(rows, "R03", "F01"), "F01", w)
    ),
    "SUM(F01, B11 == 1) / SUM(F01)": lambda rows, w: over(
        total(have(rows, "B11", "F01"), "F01", w, lambda r: r["B11"]), total(have(rows, "B11", "F01"), "F01", w)
    ),
    "SUM(F13) / SUM(F01) - yoy(SUM(F01)) / SUM(R04)": lambda rows, w: minus(
        over(total(have(rows, "F13", "F01"), "F13", w), total(have(rows, "F13", "F01"), "F01", w)),
        over(total(have(rows, "F01_yoy", "R04"), "F01_yoy", w), total(have(rows, "F01_yoy", "R04"), "R04", w)),
    ),
    "nz(SUM(R04)) / SUM(F01)": lambda rows, w: over(total(have(rows, "F01"), "R04", w) or 0, total(rows, "F01", w)),
}


def minus(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else a - b


@settings(max_examples=60, deadline=None)
@given(populations, st.booleans())
def test_areas_against_hand_loops(rows: list[Row], weighted: bool) -> None:
    data = period(rows, pl.DataFrame({"park": ["A", "B", "C"]}))
    for by in ([], ["park"]):
        found = aggregate_many({t: t for t in HAND}, data, by, ENV, weighted=weighted).values
        for text, by_hand in HAND.items():
            for key, group in (("all", rows),) if not by else ((k, [r for r in rows if r["park"] == k]) for k in "ABC"):
                expected = by_hand(group, weighted)
                value = found.item(0, text) if not by else found.filter(park=key).item(0, text)
                assert value == (None if expected is None else pytest.approx(float(expected), rel=1e-12)), (text, key)


@settings(max_examples=30, deadline=None)
@given(populations, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_changes_no_bit(rows: list[Row], random: Any) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)
    texts = {t: t for t in (*HAND, "SUM(F01 / 7)", "SUM(F01 * R03 / 3)")}
    first, second = (aggregate_many(texts, period(r), [], ENV, weighted=True) for r in (rows, shuffled))
    assert first.values.equals(second.values)
    assert first.parts.equals(second.parts)
    assert first.coverage.equals(second.coverage)


@settings(max_examples=12, deadline=None)
@given(populations.filter(bool))
def test_duckdb_sums_are_the_same(rows: list[Row]) -> None:
    frame = enterprises(rows)
    with duckdb.connect() as con:
        con.register("enterprise", frame)
        for text in HAND:
            query = f"select {to_sql_aggregate(text, ENV)} as v from enterprise group by park order by park"
            found = [None if v is None else float(v) for (v,) in con.sql(query).fetchall()]
            assert found == list(figures(text, period(rows), ["park"]).values()), text


def test_sql_aggregates_say_what_they_cannot_do() -> None:
    for text in ("K04 / SUM(F01)", "SUM(F01) / SUM(J05)", "COUNT_PARK(K04 > 1)"):
        with pytest.raises(DefinitionError, match="请用 polars"):
            to_sql_aggregate(text, ENV)
