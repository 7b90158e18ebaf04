"""A growth that is hidden cannot be worked out from the total, the dimensions, the contributions or the levels of the index."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.methods.evaluation_disclosure import stated_sums
from pipelines.methods.evaluation_scheme import parse_scheme
from pipelines.methods.index.cells import score_cells
from pipelines.methods.index.development import development_chains
from pipelines.methods.index_disclosure import Scores, with_index_sums_kept_back
from schemas.catalog import programme
from schemas.model import IndexIndicator, IndexSystem

FIRST = 2014
ONE = IndexIndicator("A1", "D1 资源", "甲", "%", "K01", "positive", 1.0, "A", "growth", None, 0, 1, 50.0, "")
# D1: A1 (weight 3), A2 (1); D2: B1 (4), B2 (2); D3: C1 (5)
ITEMS = {"A1": ("D1 资源", 3.0), "A2": ("D1 资源", 1.0), "B1": ("D2 产出", 4.0), "B2": ("D2 产出", 2.0), "C1": ("D3 环境", 5.0)}  # fmt: skip
SYSTEM = IndexSystem(
    "t", "试", FIRST, tuple(replace(ONE, id=i, dimension=d, weight=w) for i, (d, w) in ITEMS.items()), {}
)
DISTINCT = replace(SYSTEM, indicators=tuple(replace(i, formula=f"SUM({i.id})") for i in SYSTEM.indicators))
SUMS = {"TOTAL": tuple(ITEMS), "D1": ("A1", "A2"), "D2": ("B1", "B2"), "D3": ("C1",)}
Key = tuple[str, int, str]


def released(hidden: Mapping[int, set[str]], years: int = 4, starts: Mapping[str, int] | None = None) -> pl.DataFrame:
    """The mart with the growth, contribution and level of ``hidden`` (year → indicators) kept back, then the sums."""
    rng = np.random.default_rng(5)
    rows = [
        (area, FIRST + t, code, float(x))
        for area, start in (starts or {"LB": FIRST}).items()
        for code in ITEMS
        for t, x in enumerate(rng.uniform(1, 2, years))
        if FIRST + t >= start
    ]
    schema = {"area": pl.String, "year": pl.Int64, "indicator": pl.String, "value": pl.Float64}
    system = replace(SYSTEM, splice={"P1": "LB"})
    chains = development_chains(pl.DataFrame(rows, schema=schema, orient="row"), system)
    cells = score_cells(chains, system, {})
    gone = pl.lit(False)
    for year, codes in hidden.items():
        gone |= (
            (pl.col("area") == "LB")
            & (pl.col("period") == str(year))
            & pl.col("indicator").is_in(sorted(codes))
            & pl.col("measure").is_in(["growth", "contribution", "index"])
        )
    cells = cells.with_columns(value=pl.when(~gone).then("value"), status=pl.when(gone).then(pl.lit("C")).otherwise("status"))  # fmt: skip
    return with_index_sums_kept_back(cells, system)


def shown(cells: pl.DataFrame, area: str = "LB") -> set[Key]:
    own = cells.filter(pl.col("area") == area, pl.col("value").is_not_null())
    return {(i, int(p), m) for i, p, m in own.select("indicator", "period", "measure").iter_rows()}


def test_one_hidden_growth_takes_its_sums_with_it_and_the_levels_after_it() -> None:
    found = shown(released({2015: {"B1"}}))
    for year in (2015, 2016, 2017):
        assert ("TOTAL", year, "index") not in found and ("D2", year, "index") not in found
        assert not [k for k in found if k[1:] == (year, "contribution")]  # they carry V of the total in their scale
        assert ("D1", year, "index") in found and ("D1", year, "growth") in found
    assert ("TOTAL", 2015, "growth") not in found and ("D2", 2015, "growth") not in found
    assert ("TOTAL", 2016, "growth") in found and ("D2", 2016, "growth") in found
    assert ("TOTAL", 2014, "index") in found


def test_two_unknowns_protect_each_other_in_the_sums_they_share() -> None:
    same = shown(released({2016: {"A1", "A2"}}))
    assert {("TOTAL", 2016, "index"), ("D1", 2016, "growth"), ("D1", 2016, "contribution"), ("TOTAL", 2017, "index")} <= same  # fmt: skip
    apart = shown(released({2016: {"A1", "B1"}}))
    assert {("TOTAL", 2016, "index"), ("TOTAL", 2016, "growth"), ("C1", 2016, "contribution")} <= apart
    assert not {("D1", 2016, "growth"), ("D1", 2016, "contribution"), ("D2", 2016, "contribution")} & apart
    assert not {("D1", 2017, "index"), ("D2", 2017, "index")} & apart
    assert {("D1", 2015, "index"), ("D1", 2017, "growth"), ("D1", 2017, "contribution")} <= apart


def test_nothing_hidden_hides_nothing_and_a_dimension_of_one_goes_with_its_indicator() -> None:
    whole = released({})
    assert whole.filter(pl.col("status") == "C").is_empty()
    assert not {("D3", 2015, "growth"), ("D3", 2016, "index"), ("TOTAL", 2015, "growth")} & shown(
        released({2015: {"C1"}})
    )


def test_a_zone_that_starts_from_a_hidden_level_does_not_show_it() -> None:
    cells = released({2015: {"B1"}}, starts={"LB": FIRST, "P1": 2016})
    zone = shown(cells, "P1")
    assert not [k for k in zone if k[0] in ("TOTAL", "D2") and k[2] == "index"]
    assert {("TOTAL", 2017, "growth"), ("D1", 2016, "index")} <= zone
    assert not [k for k in zone if k[2] == "contribution" and k[1] > 2016]
    early = shown(released({2017: {"B1"}}, starts={"LB": FIRST, "P1": 2016}), "P1")
    assert ("TOTAL", 2016, "index") in early and ("TOTAL", 2017, "index") in early


def equations(found: set[Key], year: int) -> list[list[float]]:
    """What an outsider can write down of one year: a sum whose V is shown, or follows from contributions or levels."""
    rows = []
    for name, members in SUMS.items():
        weight = {c: ITEMS[c][1] for c in members}
        known = (name, year, "growth") in found
        known |= name != "TOTAL" and (name, year, "contribution") in found
        known |= name == "TOTAL" and any(
            k[1:] == (year, "contribution") for k in found
        )  # their scale is 2 I / (200 − V)
        for last in range(year, FIRST + 4):  # levels before and after, all growths between them but this one
            between = [y for y in range(FIRST + 1, last + 1) if y != year]
            known |= (name, last, "index") in found and all((name, y, "growth") in found for y in between)
        if known:
            rows.append([weight.get(c, 0.0) / sum(weight.values()) for c in ITEMS])
    return rows


@settings(max_examples=80, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from([2015, 2016, 2017]), st.sets(st.sampled_from(sorted(ITEMS)), min_size=1), max_size=3
    )
)
def test_no_hidden_growth_follows_from_what_is_shown(hidden: dict[int, set[str]]) -> None:
    found = shown(released(hidden))
    for year, codes in hidden.items():
        unknown = [k for k, code in enumerate(ITEMS) if code in codes]
        rows = np.array(equations(found, year))[:, unknown] if equations(found, year) else np.zeros((1, len(unknown)))
        rows = rows[np.abs(rows).max(axis=1) > 0]
        if rows.size:
            onto = np.linalg.pinv(rows) @ rows
            assert (np.diag(onto) < 1 - 1e-9).all(), (year, codes)


# ── values that stand behind two years, and behind an evaluation ───────────────────────────────────────────────────
YEARS = range(FIRST, FIRST + 5)


def series() -> dict[tuple[str, int], float]:
    rng = np.random.default_rng(11)
    return {(code, year): float(rng.uniform(1, 1.4)) for code in ITEMS for year in YEARS}


FIGURES = series()


def with_hidden_values(
    values: set[tuple[str, int]], scores: Scores | None = None, year: int = 0, stated: Scores | None = None
) -> pl.DataFrame:
    """The mart with hidden values and, as disclosure control leaves it, the two growths, points and levels of each."""
    rows = [("LB", y, code, x) for (code, y), x in FIGURES.items()]
    schema = {"area": pl.String, "year": pl.Int64, "indicator": pl.String, "value": pl.Float64}
    cells = score_cells(development_chains(pl.DataFrame(rows, schema=schema, orient="row"), DISTINCT), DISTINCT, {})
    gone = pl.lit(False)
    for code, y in values:
        own = pl.col("indicator") == code
        gone |= own & (pl.col("period") == str(y)) & (pl.col("measure") == "value")
        gone |= own & pl.col("period").is_in([str(y), str(y + 1)]) & pl.col("measure").is_in(["growth", "contribution", "index"])  # fmt: skip
    cells = cells.with_columns(value=pl.when(~gone).then("value"), status=pl.when(gone).then(pl.lit("C")).otherwise("status"))  # fmt: skip
    return with_index_sums_kept_back(cells, DISTINCT, None, scores, year, stated)


def v_of(name: str, year: int, figures: Mapping[tuple[str, int], float]) -> float:
    """V of the total or of a dimension by the page, 2 and 4."""
    weight = {c: ITEMS[c][1] for c in SUMS[name]}
    growth = {c: (figures[c, year] - figures[c, year - 1]) / (figures[c, year] + figures[c, year - 1]) * 200 for c in weight}  # fmt: skip
    return sum(w * growth[c] for c, w in weight.items()) / sum(weight.values())


def told(cells: pl.DataFrame) -> list[tuple[str, int]]:
    """The sums whose V an outsider has, year by year: shown, or out of points and levels (``equations``)."""
    found = shown(cells)
    of = {name: {k for k in found if k[0] == name or name == "TOTAL"} for name in SUMS}
    rows = {name: [ITEMS[c][1] / sum(ITEMS[m][1] for m in members) if c in members else 0.0 for c in ITEMS] for name, members in SUMS.items()}  # fmt: skip
    return [(name, year) for year in YEARS[1:] for name in SUMS if rows[name] in equations(of[name], year)]


def recovered(values: list[tuple[str, int]], sums: list[tuple[str, int]], more: list[dict[str, float]], year: int) -> list[bool]:  # fmt: skip
    """Which hidden values the shown sums fix, seen from the true values: unit vectors in the space of the derivatives."""
    step = 1e-6

    def moved(n: int, by: float) -> dict[tuple[str, int], float]:
        return {**FIGURES, values[n]: FIGURES[values[n]] * (1 + by)}

    rows = [
        [(v_of(name, y, moved(n, step)) - v_of(name, y, moved(n, -step))) / (2 * step) for n in range(len(values))]
        for name, y in sums
    ]
    rows += [[one.get(code, 0.0) * FIGURES[code, y] if y == year else 0.0 for code, y in values] for one in more]
    matrix = np.array(rows).reshape(len(rows), len(values))
    matrix = matrix[np.abs(matrix).max(axis=1, initial=0.0) > 1e-7] if rows else matrix
    if not matrix.size:
        return [False] * len(values)
    matrix = matrix / np.abs(matrix).max(axis=1, keepdims=True)
    onto = np.linalg.pinv(matrix, rcond=1e-7) @ matrix
    told = [bool(d >= 1 - 1e-6) for d in np.diag(onto)]
    for n, (code, y) in enumerate(values):  # a growth both of whose values are hidden must not follow either
        if (code, y - 1) in values:
            growth = np.zeros(len(values))
            growth[n], growth[values.index((code, y - 1))] = 1.0, -1.0
            told.append(bool(growth @ onto @ growth >= (1 - 1e-6) * 2))
    return told


def test_two_values_hidden_in_one_year_follow_from_the_totals_of_two_years() -> None:
    """Why years are looked at together: V of 2016 and of 2017 are two equations in A1 and A2 of 2016."""
    hidden = [("A1", 2016), ("A2", 2016)]
    assert recovered(hidden, [("TOTAL", 2016), ("TOTAL", 2017)], [], 0) == [True, True]
    assert recovered(hidden, [("TOTAL", 2016), ("D1", 2016)], [], 0) == [False, False]
    found = shown(with_hidden_values(set(hidden)))
    assert ("TOTAL", 2016, "growth") in found and ("D1", 2016, "growth") in found
    assert not {("TOTAL", 2017, "growth"), ("D1", 2017, "growth"), ("TOTAL", 2017, "index")} & found
    assert ("TOTAL", 2018, "growth") in found


def test_a_growth_between_two_hidden_values_is_hidden_too() -> None:
    """A1 hidden in 2015 and 2016: neither value follows from V of 2016, but their ratio would."""
    found = shown(with_hidden_values({("A1", 2015), ("A1", 2016)}))
    assert not {("TOTAL", 2016, "growth"), ("D1", 2016, "growth"), ("TOTAL", 2016, "index")} & found
    assert ("D2", 2016, "growth") in found


def test_a_total_of_the_evaluation_over_the_same_values_counts_as_one_more_equation() -> None:
    hidden = {("A1", 2018), ("A2", 2018)}
    assert ("TOTAL", 2018, "index") in shown(with_hidden_values(hidden))
    formulas = {i.id: (i.formula, i.window, i.deflator or "") for i in DISTINCT.indicators}
    scores = {"LB": [{formulas["A1"]: 2.0, formulas["A2"]: 1.0}]}
    assert recovered(sorted(hidden), [("TOTAL", 2018)], [{"A1": 2.0, "A2": 1.0}], 2018) == [True, True]
    assert ("TOTAL", 2018, "index") not in shown(with_hidden_values(hidden, scores, 2018))
    # in the release of a later year the evaluation of 2017 is not at hand, but it has been published
    earlier = shown(with_hidden_values({("A1", 2017), ("A2", 2017), ("A1", 2018), ("A2", 2018)}, {}, 2018, scores))
    assert ("TOTAL", 2017, "index") not in earlier
    other = {"LB": [{("SUM(X99)", 1, ""): 2.0, formulas["A2"]: 1.0}]}  # with an unknown of its own it says nothing
    assert ("TOTAL", 2018, "index") in shown(with_hidden_values(hidden, other, 2018))


HIDDEN = st.sets(st.tuples(st.sampled_from(sorted(ITEMS)), st.sampled_from(list(YEARS))), min_size=1, max_size=9)
SUMS_OF_SCORES = st.lists(st.dictionaries(st.sampled_from(sorted(ITEMS)), st.sampled_from([1.0, 2.0, 5.0]), min_size=2), max_size=2)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(HIDDEN, SUMS_OF_SCORES)
def test_no_hidden_value_follows_from_all_years_and_the_evaluation_together(
    hidden: set[tuple[str, int]], sums: list[dict[str, float]]
) -> None:
    values = sorted(hidden)
    year = YEARS[-1]
    inside = [{c: w for c, w in one.items() if (c, year) in hidden} for one in sums]
    if any(recovered(values, [], inside, year)):
        return  # such sums the evaluation keeps back itself
    formulas = {i.id: (i.formula, i.window, i.deflator or "") for i in DISTINCT.indicators}
    scores = {"LB": [{formulas[c]: w for c, w in one.items()} for one in inside if one]}
    cells = with_hidden_values(hidden, scores, year)
    assert not any(recovered(values, told(cells), inside, year)), (values, told(cells))


def test_every_value_of_the_index_stands_in_the_evaluation_of_zones() -> None:
    """Why a second indicator cannot be hidden in the index alone (docs/methods/index.md, 8)."""
    for edition in programme().editions.values():
        index = {(i.formula, i.window, i.deflator or "") for i in edition.indexes["development"].indicators}
        parks = parse_scheme(edition.schemes["parks"])
        assert not parks.is_internal
        stated = {v for one in stated_sums(pl.DataFrame({"area": ["LBGX"], "table": ["parks"]}), [parks])["LBGX"] for v in one}  # fmt: skip
        assert {formula for formula, _, _ in index} <= {formula for formula, _, _ in stated}
        assert len(index & stated) >= 20
