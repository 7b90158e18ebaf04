"""Disclosure control: published examples, hand-worked tables, and properties that hold for any table."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.methods.disclosure import (
    Identity,
    Layout,
    Rules,
    Spec,
    Term,
    attack,
    attacked,
    complement,
    consents_in_force,
    contributions,
    protect,
    protect_jointly,
)
from pipelines.methods.disclosure.rules import CONSENT_COLUMNS, primary_reason
from pipelines.methods.disclosure.table import AdditiveTable, Equation, alone, flags
from schemas.errors import DefinitionError
from schemas.marts import CELL_COLUMNS, PART_COLUMNS, conform

ONLY_P = Rules(threshold=1, dominance_one=0, dominance_two=0, p_percent=10)


def reason(rules: Rules, n: int, max1: float, max2: float, total: float, **more: object) -> str | None:
    """What rule one cell breaks."""
    row = {"n": n, "max1": max1, "max2": max2, "total": total, "least": rules.threshold, "population": n}
    row |= {"administrative": False, "is_count": False, "consented": False} | more
    return pl.DataFrame([row]).select(primary_reason(rules)).item()


# Handbook on Statistical Disclosure Control, chapter 4.2 (Hundepool et al.)
def test_handbook_example_1_the_one_unit_dominance_rule_misses_a_close_estimate() -> None:
    only_one = Rules(threshold=1, dominance_one=0.9, dominance_two=0, p_percent=0)
    assert reason(only_one, 10, 50_000, 49_000, 100_000) is None
    assert reason(ONLY_P, 10, 50_000, 49_000, 100_000) == "p_percent"  # 51,000 is 2 % above 50,000


def test_handbook_example_2_safe_by_p_percent_and_unsafe_by_two_unit_dominance() -> None:
    assert reason(ONLY_P, 10, 52_000, 50_000, 110_000) is None  # 60,000 is 15.4 % above 52,000
    two = Rules(threshold=1, dominance_one=0, dominance_two=1 / 1.1, p_percent=0)
    assert reason(two, 10, 52_000, 50_000, 110_000) == "dominance"  # 102,000 > 100,000
    assert reason(Rules(1, 1, 0, 0, 15.4), 10, 52_000, 50_000, 110_000) == "p_percent"  # 15.3846… is less than 15.4


def test_handbook_weighted_sample_compares_observed_values_with_the_estimated_total() -> None:
    units = pl.DataFrame({"g": ["a", "a"], "x": [100, 10], "w": [4.0, 7.0]})
    found = contributions(units, "x", ["g"], weight="w").row(0, named=True)
    assert (found["total"], found["max1"], found["max2"], found["n"]) == (470.0, 100.0, 10.0, 2)


def test_rows_of_one_holding_count_as_one_contribution() -> None:
    units = pl.DataFrame({"x": [5, 4, 3, None, 0], "u": ["a", "a", "b", "c", "d"]})
    found = contributions(units, "x", [], unit="u").row(0, named=True)
    assert (found["n"], found["max1"], found["max2"], found["population"]) == (2, 9.0, 3.0, 3)
    assert found["max1_unit"] == "a"


@pytest.mark.parametrize(
    ("n", "max1", "max2", "total", "expected"),
    [
        (2, 5, 5, 10, "threshold"),
        (3, 4, 3, 10, None),
        (5, 70, 5, 100, None),  # exactly 70 % is allowed
        (5, 70.1, 5, 100, "dominance"),
        (5, 45, 40.1, 100, "dominance"),  # the two largest hold more than 85 %
        (0, 0, 0, 0, None),
    ],
)
def test_the_programmes_rules(n: int, max1: float, max2: float, total: float, expected: str | None) -> None:
    assert reason(Rules(), n, max1, max2, total) == expected


def test_a_total_of_gains_and_losses_is_judged_by_amounts_without_sign() -> None:
    cells, parts = mart({"C": (5, 60.0, 30.0, 20.0)}, total=None)
    parts = parts.with_columns(absolute_total=pl.lit(100.0))
    assert protect(cells, parts, Spec(Rules())).atoms["reason"].to_list() == [
        "dominance"
    ]  # 90 of 100, whatever the sum


def test_all_zero_for_few_units_shows_each_of_them() -> None:
    assert reason(Rules(), 0, 0, 0, 0, population=2) == "zero"
    assert reason(Rules(), 0, 0, 0, 0, population=3) is None


def test_an_administrative_total_has_one_provider_and_is_exempt() -> None:
    assert reason(Rules(), 1, 9, 0, 9, administrative=True) is None


def test_consent_of_the_largest_unit_still_protects_the_second() -> None:
    rules = Rules()
    assert reason(rules, 1, 9, 0, 9, consented=True) is None
    assert reason(rules, 2, 9, 1, 10, consented=True) == "threshold"
    assert reason(rules, 9, 90, 4, 100, consented=True) is None  # rest 6 ≥ 15 % of 4
    assert reason(rules, 9, 90, 9.5, 100, consented=True) == "threshold"  # rest 0.5 < 15 % of 9.5


def test_a_consent_lapses_by_itself() -> None:
    register = pl.DataFrame(
        [("U", "*", "*", date(2025, 1, 1), date(2025, 6, 30), "f")], schema=CONSENT_COLUMNS, orient="row"
    )
    assert consents_in_force(register, date(2025, 6, 30)).height == 1
    assert consents_in_force(register, date(2025, 7, 1)).height == 0


# Tables of the marts
def mart(
    by_category: dict[str, tuple[int, float, float, float]],
    *,
    total: float | None = 0.0,
    part: str = "SUM(F01)",
    breakdown: str = "industry",
    period: str = "2025",
    area: str = "P",
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Cells and parts of one row of categories (n, max1, max2, total) with their total; ``total=None``: without."""
    groups = dict(by_category)
    rows = [(breakdown, c, v) for c, v in groups.items()]
    if total is not None:
        whole = sum(v[3] for v in groups.values()) + total
        rows.append(("total", "T", (sum(v[0] for v in groups.values()) + 9 * bool(total), 1.0, 1.0, whole)))
    cells = pl.DataFrame(
        [
            {
                "row_key": f"{part}|{period}|{area}|{b}|{c}",
                "period": period,
                "area": area,
                "breakdown": b,
                "category": c,
            }
            | {"value": v[3], "status": "A", "indicator": part}
            for b, c, v in rows
        ]
    )
    parts = pl.DataFrame(
        [
            {"row_key": f"{part}|{period}|{area}|{b}|{c}", "part": part, "role": "level", "n": v[0], "max1": v[1]}
            | {"max2": v[2], "total": v[3], "administrative": False}
            for b, c, v in rows
        ],
        schema=PART_COLUMNS,
    )
    return conform(cells), parts


def statuses(cells: pl.DataFrame) -> dict[str, str]:
    return dict(zip(cells["category"], cells["status"], strict=True))


MANY = (20, 10.0, 9.0)


def test_a_hidden_cell_is_never_alone_in_its_row_and_the_smallest_is_taken() -> None:
    cells, parts = mart({"A": (1, 10.0, 0.0, 10.0), "B": (*MANY, 400.0), "C": (*MANY, 90.0), "D": (*MANY, 100.0)})
    found = protect(cells, parts, Spec(Rules()))
    assert statuses(found.cells) == {"A": "C", "B": "A", "C": "C", "D": "A", "T": "A"}
    assert found.cells.filter(status="C")["value"].null_count() == 2
    kept = found.cells.filter(status="A").join(cells, on="row_key")
    assert (kept["value"] == kept["value_right"]).all()
    assert dict(found.report.select("category", "kind").iter_rows()) == {"A": "primary", "C": "complement"}


def test_the_complement_is_large_enough_to_keep_the_estimate_off() -> None:
    # C = 1 could only move the interval of A = 100 by 1: hiding it would still give A within 1 %.
    cells, parts = mart({"A": (1, 100.0, 0.0, 100.0), "B": (*MANY, 400.0), "C": (20, 0.1, 0.1, 1.0)})
    found = protect(cells, parts, Spec(Rules(dominance_one=0, dominance_two=0)))
    assert statuses(found.cells) == {"A": "C", "B": "C", "C": "A", "T": "A"}
    assert not attacked(found, Spec(Rules()))["recovered"].any()


def test_a_ratio_is_judged_by_numerator_and_denominator() -> None:
    cells, parts = mart({"A": (*MANY, 400.0), "B": (*MANY, 500.0), "C": (*MANY, 600.0)}, part="SUM(F01)")
    venture = pl.DataFrame(
        [("SUM(F01)|2025|P|industry|A", "SUM(V01)", "numerator", 1, 30.0, 0.0, 30.0, False)],
        schema=PART_COLUMNS,
        orient="row",
    )
    found = protect(cells, pl.concat([parts, venture]), Spec(Rules()))
    assert statuses(found.cells) == {"A": "C", "B": "A", "C": "A", "T": "A"}  # the numerators of B and C are not shown


def test_the_same_cell_is_hidden_in_every_product_with_the_strictest_threshold() -> None:
    lax = mart({"A": (4, 30.0, 30.0, 100.0), "B": (*MANY, 900.0), "C": (*MANY, 800.0)}, part="COUNT(N01 == 1)")
    found = protect_jointly(
        {"monitoring": lax, "innovation": lax},
        {"monitoring": Rules(), "innovation": Rules(count_threshold=5)},
        Spec(Rules()),
    )
    hidden = found.cells.filter(status="C").group_by("mart").agg(pl.col("category").sort())
    assert dict(hidden.iter_rows()) == {"monitoring": ["A", "B"], "innovation": ["A", "B"]} or dict(
        hidden.iter_rows()
    ) == {"monitoring": ["A", "C"], "innovation": ["A", "C"]}


def test_a_row_of_zones_and_the_zones_own_page_are_one_cell() -> None:
    rows, row_parts = mart({"LBGX": (1, 9.0, 0.0, 9.0), "LBXQ": (*MANY, 90.0), "LBBY": (*MANY, 80.0)}, breakdown="zone")
    own, own_parts = mart({}, part="SUM(F01)", area="LBGX", total=9.0)
    own_parts = own_parts.with_columns(n=pl.lit(1, dtype=pl.Int64), max1=pl.lit(9.0), max2=pl.lit(0.0))
    layout = Layout(area_parents={"LBGX": ("P",), "LBXQ": ("P",), "LBBY": ("P",)})
    found = protect(pl.concat([rows, own]), pl.concat([row_parts, own_parts]), Spec(Rules(), layout))
    shown = {(r["area"], r["category"]): r["status"] for r in found.cells.iter_rows(named=True)}
    assert shown == {("P", "LBGX"): "C", ("LBGX", "T"): "C", ("P", "LBXQ"): "A", ("P", "LBBY"): "C", ("P", "T"): "A"}


def test_subtraction_along_the_area_hierarchy_is_closed() -> None:
    # Industry A of zone Z1 is one unit; its sister zone's A or the area's A must be hidden as well.
    frames = [
        mart({"A": (1, 9.0, 0.0, 9.0), "B": (*MANY, 50.0), "D": (*MANY, 70.0)}, area="Z1"),
        mart({"A": (*MANY, 40.0), "B": (*MANY, 60.0), "D": (*MANY, 80.0)}, area="Z2"),
        mart({"A": (21, 10.0, 9.0, 49.0), "B": (*MANY, 110.0), "D": (*MANY, 150.0)}, area="P"),
    ]
    cells, parts = pl.concat([f[0] for f in frames]), pl.concat([f[1] for f in frames])
    spec = Spec(Rules(), Layout(area_parents={"Z1": ("P",), "Z2": ("P",)}))
    found = protect(cells, parts, spec)
    hidden = {(r["area"], r["category"]) for r in found.cells.filter(status="C").iter_rows(named=True)}
    assert ("Z1", "A") in hidden and {("Z2", "A"), ("P", "A")} & hidden and found.exposed.height == 0
    assert not attacked(found, spec)["recovered"].any()


def test_what_a_total_holds_beyond_its_listed_parts_is_a_cell_too() -> None:
    # 12 units in all, 11 of them listed: total less parts is the twelfth unit's figure.
    cells, parts = mart({"A": (6, 10.0, 9.0, 40.0), "B": (5, 10.0, 9.0, 30.0)}, total=8.0)
    parts = parts.with_columns(n=pl.when(pl.col("total") == 78).then(12).otherwise("n"))
    found = protect(cells, parts, Spec(Rules()))
    assert found.cells["status"].to_list().count("C") >= 1


def test_an_identity_between_figures_is_an_equation() -> None:
    frames = [
        mart({"A": (*MANY, 100.0)}, total=None, part="SUM(R04)"),
        mart({"A": (1, 40.0, 0.0, 40.0)}, total=None, part="SUM(R05)"),
        mart({"A": (*MANY, 45.0)}, total=None, part="SUM(R06)"),
        mart({"A": (20, 2.0, 1.0, 15.0)}, total=None, part="SUM(R07)"),
    ]
    cells, parts = pl.concat([f[0] for f in frames]), pl.concat([f[1] for f in frames])
    whole = Identity(Term("SUM(R04)"), (Term("SUM(R05)"), Term("SUM(R06)"), Term("SUM(R07)")))
    hidden = protect(cells, parts, Spec(Rules(), Layout(identities=(whole,)))).cells.filter(status="C")["indicator"]
    assert hidden.to_list() == ["SUM(R05)", "SUM(R07)"]
    alone_hidden = protect(cells, parts, Spec(Rules())).cells.filter(status="C")["indicator"]
    assert alone_hidden.to_list() == ["SUM(R05)"]


def test_a_quarter_published_before_cannot_give_away_the_discrete_quarter() -> None:
    first = protect(*mart({}, total=100.0, period="2025-Q1"), Spec(Rules()))
    cumulative = mart({}, total=109.0, period="2025-Q2")
    discrete = mart({}, total=9.0, period="2025-Q2", part="SUM(F01 - prev(F01))")
    one = discrete[1].with_columns(n=pl.lit(1, dtype=pl.Int64), max1=pl.lit(9.0), max2=pl.lit(0.0))
    steps = Identity(Term("SUM(F01)"), (Term("SUM(F01)", "previous"), Term("SUM(F01 - prev(F01))")))
    spec = Spec(Rules(dominance_one=0, dominance_two=0), Layout(identities=(steps,)), earlier=first.published_atoms)
    found = protect(pl.concat([cumulative[0], discrete[0]]), pl.concat([cumulative[1], one]), spec)
    assert found.cells["status"].to_list() == ["C", "C"]  # the first quarter is out, so the cumulative figure stays in
    assert found.exposed.height == 0


def test_what_was_hidden_stays_hidden_while_its_value_stands() -> None:
    before = protect(*mart({"A": (1, 10.0, 0.0, 10.0), "B": (*MANY, 40.0), "C": (*MANY, 90.0)}), Spec(Rules()))
    now = mart({"A": (5, 3.0, 2.0, 10.0), "B": (*MANY, 40.0), "C": (*MANY, 90.0)})
    found = protect(*now, Spec(Rules(), earlier=before.published_atoms))
    assert {"A", "B"} == set(found.cells.filter(status="C")["category"])
    # C and the total are out already: the pattern cannot move there.
    assert found.exposed.height == 0 and found.summary["earlier_atoms"] == 0


def test_a_revision_by_one_unit_is_not_shown() -> None:
    before = protect(*mart({"A": (*MANY, 100.0), "B": (*MANY, 200.0), "C": (*MANY, 300.0)}), Spec(Rules()))
    now = mart({"A": (*MANY, 117.0), "B": (*MANY, 200.0), "C": (*MANY, 320.0)})
    changes = pl.DataFrame(
        {
            "part": ["SUM(F01)"] * 2, "period": ["2025"] * 2, "area": ["P"] * 2, "breakdown": ["industry"] * 2,
            "category": ["A", "C"], "n": [1, 8], "max1": [17.0, 4.0], "max2": [0.0, 3.0], "total": [17.0, 20.0],
        }
    )  # fmt: skip
    found = protect(*now, Spec(Rules(), earlier=before.published_atoms, changes=changes))
    assert "A" in found.cells.filter(status="C")["category"]
    assert found.report.filter(category="A")["reason"].to_list() == ["revision"]


def test_a_value_without_parts_is_refused() -> None:
    cells, parts = mart({"A": (*MANY, 400.0)})
    with pytest.raises(DefinitionError, match="没有说明由哪些合计构成"):
        protect(cells, parts.head(1), Spec(Rules()))
    assert protect(cells, parts.head(1), Spec(Rules(), without_parts="publish")).summary["hidden"] == 0


def test_nothing_to_hide_leaves_every_cell_as_it_was() -> None:
    cells, parts = mart({"A": (*MANY, 400.0), "B": (*MANY, 300.0)})
    found = protect(cells, parts, Spec(Rules()))
    assert found.cells.select(*CELL_COLUMNS).equals(cells) and found.report.height == 0


def test_a_published_administrative_total_that_gives_one_unit_away_is_reported_not_released() -> None:
    cells, parts = mart({"A": (1, 10.0, 0.0, 10.0)})
    parts = parts.with_columns(administrative=pl.col("row_key").str.ends_with("T"))
    found = protect(cells, parts, Spec(Rules()))
    assert found.exposed.select("category", "reason").rows() == [("A", "threshold")]


def test_a_zero_of_gains_and_losses_is_a_figure_and_can_be_hidden() -> None:
    # One unit lost 1 in zone X, two gained 1 in Y: the area's 0 would tell X's unit what Y's gained.
    frames = [
        mart({"26": (2, 2.0, 1.0, 1.0)}, total=None, area="X"),
        mart({"26": (1, 1.0, 0.0, -1.0)}, total=None, area="Y"),
        mart({"26": (3, 2.0, 1.0, 0.0)}, total=None, area="P"),
    ]
    cells = pl.concat([f[0] for f in frames])
    parts = pl.concat([f[1] for f in frames]).with_columns(absolute_total=pl.Series([3.0, 1.0, 4.0]))
    rules = Rules(dominance_one=0, dominance_two=0, p_percent=0)
    found = protect(cells, parts, Spec(rules, Layout(area_parents={"X": ("P",), "Y": ("P",)})))
    assert found.cells["status"].to_list() == ["C", "C", "C"] and found.exposed.height == 0


# Properties
def crossed(values: np.ndarray, counts: np.ndarray, rules: Rules) -> AdditiveTable:
    """A two-way table with margins as an additive table."""

    def with_margins(inner: np.ndarray) -> np.ndarray:
        rows = np.hstack([inner, inner.sum(axis=1, keepdims=True)])
        return np.vstack([rows, rows.sum(axis=0)])

    value, n = with_margins(values).ravel().astype(float), with_margins(counts).ravel()
    height, width = values.shape[0] + 1, values.shape[1] + 1
    at = np.arange(height * width).reshape(height, width)
    equal = [Equation(int(row[-1]), tuple(map(int, row[:-1]))) for row in at]
    equal += [Equation(int(column[-1]), tuple(map(int, column[:-1]))) for column in at.T]
    primary = (n > 0) & (n < rules.threshold) & (value > 0)
    none = flags(len(value))
    return AdditiveTable(
        values=value, primary=primary, free=none, fixed=none, kept=none, owner=np.where(n == 1, np.arange(len(n)), -1),
        need=np.where(primary, rules.p_percent / 100 * value, 0.0), cost=value, below=value,
        above=np.full(len(value), np.inf), empty=(value == 0) & ~primary, equations=tuple(equal),
    )  # fmt: skip


@st.composite
def tables(draw: st.DrawFn) -> AdditiveTable:
    shape = draw(st.tuples(st.integers(2, 4), st.integers(2, 4)))
    cells = shape[0] * shape[1]
    values = draw(st.lists(st.integers(0, 500), min_size=cells, max_size=cells))
    counts = draw(st.lists(st.integers(1, 6), min_size=cells, max_size=cells))
    value = np.array(values).reshape(shape)
    return crossed(value, np.array(counts).reshape(shape) * (value > 0), Rules())


@settings(max_examples=12, deadline=None)
@given(tables())
def test_no_attacker_pins_a_primary_cell_and_none_is_alone(table: AdditiveTable) -> None:
    for exact in (False, True):
        found = complement.suppress(table, exact=exact)
        assert found.hidden[table.primary].all()
        for seen in attack.intervals(table, found.hidden, np.flatnonzero(table.primary)):
            if seen.cell in found.exposed:
                continue
            need = table.need[seen.cell] * (1 - 1e-4)
            assert seen.high - table.values[seen.cell] >= need and table.values[seen.cell] - seen.low >= need
        rows_alone = (table.equations[i] for i in alone(table, found.hidden))
        assert all(set(e.cells) & set(found.exposed) for e in rows_alone)


@settings(max_examples=12, deadline=None)
@given(tables())
def test_the_exact_pattern_never_costs_more_than_the_heuristic_one(table: AdditiveTable) -> None:
    rough, best = complement.suppress(table, exact=False), complement.suppress(table, exact=True)
    if not rough.exposed and not best.exposed:
        assert table.cost[best.hidden].sum() <= table.cost[rough.hidden].sum() * (1 + 1e-4) + 1.0


@settings(max_examples=12, deadline=None)
@given(tables())
def test_hiding_more_never_narrows_an_interval(table: AdditiveTable) -> None:
    found = complement.suppress(table, exact=False)
    more = found.hidden.copy()
    more[np.flatnonzero(~more)[:2]] = True
    targets = np.flatnonzero(found.hidden)
    for one, other in zip(
        attack.intervals(table, found.hidden, targets), attack.intervals(table, more, targets), strict=True
    ):
        assert other.low <= one.low + 1e-6 and other.high >= one.high - 1e-6


@settings(max_examples=12, deadline=None)
@given(tables())
def test_the_quick_test_of_exposure_agrees_with_the_intervals(table: AdditiveTable) -> None:
    hidden = table.hidden_at_first()
    slow = {
        seen.cell
        for seen in attack.intervals(table, hidden, np.flatnonzero(table.primary))
        if min(seen.high - table.values[seen.cell], table.values[seen.cell] - seen.low)
        < table.need[seen.cell] * (1 - 1e-5)
    }
    assert set(attack.exposed(table, hidden)) == slow


def test_the_same_input_gives_the_same_pattern() -> None:
    random = np.random.default_rng(5)
    table = crossed(random.integers(1, 900, (6, 5)), random.integers(1, 6, (6, 5)), Rules())
    first, second = complement.suppress(table), complement.suppress(table)
    assert (first.hidden == second.hidden).all()


def test_consent_in_the_register_opens_the_cells_of_that_unit_only() -> None:
    cells, parts = mart(
        {"A": (1, 10.0, 0.0, 10.0), "B": (1, 40.0, 0.0, 40.0), "C": (20, 1.0, 0.9, 8.0), "D": (*MANY, 99.0)}
    )
    parts = parts.with_columns(
        max1_unit=pl.when(pl.col("total") == 10).then(pl.lit("U")).when(pl.col("total") == 40).then(pl.lit("V"))
    )
    register = pl.DataFrame(
        [("U", "SUM(F01)", "P", None, date(2025, 6, 30), "f"), ("V", "SUM(F01)", "Q", None, date(2025, 6, 30), "g")],
        schema=CONSENT_COLUMNS,
        orient="row",
    )
    spec = Spec(Rules(), consents=consents_in_force(register, date(2025, 6, 1)))
    assert statuses(protect(cells, parts, spec).cells) == {"A": "A", "B": "C", "C": "C", "D": "A", "T": "A"}


@pytest.mark.parametrize(("missing", "is_hidden"), [(1, True), (2, True), (3, False)])
def test_a_growth_that_lacks_a_few_units_of_a_published_sum_is_hidden(missing: int, is_hidden: bool) -> None:
    """Base × growth is the sum of the units with both years; less the published sum it leaves what the others reported."""
    total, both = 2451.0, 2451.0 - 4.0 * missing
    cells = pl.DataFrame(
        [(key, "2025", "P", "total", "T", 1.0, "A") for key in ("sum", "growth", "level")],
        schema=["row_key", "period", "area", "breakdown", "category", "value", "status"],
        orient="row",
    )
    parts = pl.DataFrame(
        [
            ("sum", "SUM(F07)", "level", 20, 400.0, 300.0, total, False),
            ("growth", "SUM(F07)", "numerator", 20 - missing, 400.0, 300.0, both, False),
            ("growth", "SUM(yoy(F07))", "base", 20 - missing, 400.0, 300.0, 2242.0, False),
            ("level", "SUM(F07)", "band", 20 - missing, 400.0, 300.0, both, False),
        ],
        schema=PART_COLUMNS,
        orient="row",
    )
    found = protect(conform(cells), parts, Spec(Rules()))
    hidden = found.cells.filter(status="C")["row_key"].to_list()
    assert hidden == (["growth"] if is_hidden else [])
    assert found.report["reason"].to_list() == (["variant"] if is_hidden else [])
