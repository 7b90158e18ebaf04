"""A growth that is hidden cannot be worked out from the total, the dimensions, the contributions or the levels of the index."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.methods.index.cells import score_cells
from pipelines.methods.index.development import development_chains
from pipelines.methods.index_disclosure import with_index_sums_kept_back
from schemas.model import IndexIndicator, IndexSystem

FIRST = 2014
ONE = IndexIndicator("A1", "D1 资源", "甲", "%", "K01", "positive", 1.0, "A", "growth", None, 0, 1, 50.0, "")
# D1: A1 (weight 3), A2 (1); D2: B1 (4), B2 (2); D3: C1 (5)
ITEMS = {"A1": ("D1 资源", 3.0), "A2": ("D1 资源", 1.0), "B1": ("D2 产出", 4.0), "B2": ("D2 产出", 2.0), "C1": ("D3 环境", 5.0)}  # fmt: skip
SYSTEM = IndexSystem(
    "t", "试", FIRST, tuple(replace(ONE, id=i, dimension=d, weight=w) for i, (d, w) in ITEMS.items()), {}
)
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
