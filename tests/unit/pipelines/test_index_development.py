"""The annual development index on small systems worked by hand, and on the system the programme ships."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.methods.index.cells import coverage_cells, score_cells
from pipelines.methods.index.chain_entry import ChainState
from pipelines.methods.index.coverage import dimension_coverage, total_coverage
from pipelines.methods.index.development import (
    check_bounded,
    development_chains,
    indicator_contributions,
    refusals,
)
from schemas.catalog import programme
from schemas.errors import DefinitionError
from schemas.model import IndexIndicator, IndexSystem

CII_ENVIRONMENT = np.loadtxt(Path("tests/golden/index/cii_environment.csv"), delimiter=",", skiprows=1)[:, 2:].T

ONE = IndexIndicator("A1", "D1 资源", "甲", "%", "K01", "positive", 1.0, "A", "growth", None, 10, 1, 200.0, "")


def system(*indicators: IndexIndicator, **more: object) -> IndexSystem:
    return replace(IndexSystem("t", "试", 2014, indicators, {}), **more)  # type: ignore[arg-type]


def table(values: Mapping[str, Sequence[float | None]], area: str = "LB", first: int = 2014) -> pl.DataFrame:
    rows = [(area, first + t, code, x) for code, series in values.items() for t, x in enumerate(series)]
    schema = {"area": pl.String, "year": pl.Int64, "indicator": pl.String, "value": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def four() -> IndexSystem:
    """Two dimensions: D1 with A1 (weight 3) and A2 (1), D2 with B1 (4) and B2 (2)."""
    rows = [("A1", "D1 资源", 3.0), ("A2", "D1 资源", 1.0), ("B1", "D2 产出", 4.0), ("B2", "D2 产出", 2.0)]
    return system(*(replace(ONE, id=i, dimension=d, weight=w) for i, d, w in rows))


def test_the_published_innovation_environment_index_comes_out_of_the_whole_engine() -> None:
    cii = system(*(replace(ONE, id=f"E{k}", weight=0.2) for k in range(5)), base_year=2005)
    values = table({f"E{k}": row.tolist() for k, row in enumerate(CII_ENVIRONMENT)}, first=2005)
    (chain,) = development_chains(values, cii)
    assert np.round(chain.levels, 1).tolist() == [100, 106.4, 112.1, 114.5, 121.7, 131.0, 138.1, 144.1]
    assert np.round(chain.dimension_levels[:, 0], 1).tolist() == np.round(chain.levels, 1).tolist()
    assert chain.indicator_levels[-1].tolist() == pytest.approx(CII_ENVIRONMENT[:, -1].tolist())


def test_two_dimensions_by_hand() -> None:
    # A1 1→3: V = 100; A2 unchanged; B1 3→1: V = -100; B2 unchanged.
    # V_D1 = 3·100/4 = 75, V_D2 = -400/6 = -66.67, V = (300 - 400)/10 = -10; I = 100·190/210
    (chain,) = development_chains(table({"A1": [1, 3], "A2": [5, 5], "B1": [3, 1], "B2": [2, 2]}), four())
    assert chain.dimension_levels[1].tolist() == pytest.approx(
        [100 * 275 / 125, 100 * (200 - 200 / 3) / (200 + 200 / 3)]
    )
    assert chain.levels.tolist() == pytest.approx([100, 100 * 190 / 210])
    points = indicator_contributions(chain)[1]
    assert points.tolist() == pytest.approx([100 * 60 / 210, 0, -100 * 80 / 210, 0])
    assert points.sum() == pytest.approx(chain.levels[1] - 100)


def test_a_late_indicator_gives_its_weight_to_its_dimension_until_its_second_year() -> None:
    values = table({"A1": [1, 3, 3], "A2": [None, 4, 8], "B1": [3, 3, 3], "B2": [2, 2, 2]})
    (chain,) = development_chains(values, four())
    assert chain.weights[1].tolist() == pytest.approx([0.4, 0, 0.4, 0.2])  # A1 carries all of D1
    assert chain.weights[2].tolist() == pytest.approx([0.3, 0.1, 0.4, 0.2])
    assert [chain.state(1, t) for t in range(3)] == [ChainState.ABSENT, ChainState.BASE, ChainState.LINKED]
    assert total_coverage(chain, four(), 1).share == 1.0  # of what has entered, all is there


def test_a_dimension_without_any_indicator_yet_leaves_its_weight_to_the_others_and_starts_at_its_own_base() -> None:
    values = table({"A1": [1, 3, 3], "A2": [4, 4, 4], "B1": [None, 3, 6]})
    (chain,) = development_chains(values, four())
    assert chain.weights[1].tolist() == pytest.approx([0.75, 0.25, 0, 0])
    assert np.isnan(chain.dimension_levels[0, 1])
    assert chain.dimension_levels[1:, 1].tolist() == pytest.approx([100.0, 200.0])


def test_one_missing_year_is_carried_flagged_and_caught_up() -> None:
    values = table({"A1": [1, None, 4], "A2": [1, 1, 1], "B1": [1, 1, 1], "B2": [1, 1, 1]})
    (chain,) = development_chains(values, four())
    assert chain.state(0, 1) is ChainState.BASE  # it had not entered yet: carried as base
    entered = table({"A1": [1, 2, None, 4], "A2": [1] * 4, "B1": [1] * 4, "B2": [1] * 4})
    (chain,) = development_chains(entered, four())
    assert chain.state(0, 2) is ChainState.CARRIED
    assert chain.growth[2, 0] == 0.0
    assert chain.indicator_levels[:, 0].tolist() == pytest.approx([100, 200, 200, 400])
    cells = score_cells([chain], four(), {})
    assert cells.filter(row_key="LB|2016|A1|value")["status"].item() == "E"
    assert cells.filter(row_key="LB|2016|TOTAL|index")["status"].item() == "E"
    assert "结转" in cells.filter(row_key="LB|2016|A1|value")["note"].item()


def test_a_value_with_structural_zeros_says_so_and_only_that_one() -> None:
    values = table({"A1": [1, 2, None], "A2": [1, 1, 1], "B1": [1, 1, 1], "B2": [1, 1, 1]})
    marked = values.with_columns(zeros=(pl.col("indicator") == "A1") & (pl.col("year") > 2014))
    cells = score_cells(development_chains(marked, four()), four(), {})
    said = cells.filter(pl.col("note").str.contains("按零计的企业"))["row_key"].to_list()
    assert said == ["LB|2015|A1|index", "LB|2015|A1|value"]  # 2016 is carried, whoever answered then
    assert (
        score_cells(development_chains(values, four()), four(), {})
        .filter(pl.col("note").str.contains("按零计"))
        .is_empty()
    )


def test_a_dimension_below_sixty_percent_is_withheld_and_so_is_a_total_below_eighty() -> None:
    # A1 (3 of 4 in D1) leaves in 2017: D1 has 25 %, the total 7 of 10 = 70 %
    values = table({"A1": [1, 2, None, None], "A2": [1] * 4, "B1": [1] * 4, "B2": [1] * 4})
    (chain,) = development_chains(values, four())
    assert dimension_coverage(chain, four(), "D1 资源", 3).share == 0.25
    assert not total_coverage(chain, four(), 3).is_published
    cells = score_cells([chain], four(), {"LB": "兰白试验区"})
    row = cells.filter(row_key="LB|2017|TOTAL|index").row(0, named=True)
    assert (row["value"], row["status"], row["area_name"]) == (None, "M", "兰白试验区")
    assert "70%" in row["note"] and "不发布" in row["note"]
    assert cells.filter(row_key="LB|2017|D1|index")["value"].item() is None
    assert cells.filter(row_key="LB|2017|D2|index")["value"].item() == 100.0
    assert cells.filter(row_key="LB|2017|B1|contribution")["value"].item() is None
    assert not any("|2017|TOTAL|growth" in k for k in cells.drop_nulls("value")["row_key"])


def test_less_than_half_of_all_weight_is_published_but_marked() -> None:
    (chain,) = development_chains(table({"A1": [1, 2], "A2": [1, 1]}), four())  # 4 of 10
    cells = score_cells([chain], four(), {})
    row = cells.filter(row_key="LB|2015|TOTAL|index").row(0, named=True)
    assert row["value"] is not None
    assert row["note"].startswith("覆盖不足")
    covered = coverage_cells([chain], four(), {}).filter(row_key="LB|2015|TOTAL|covered_share")
    assert covered["value"].item() == 40.0


def test_negative_values_are_refused_and_said_never_silently_left_out() -> None:
    values = table({"A1": [2.0, -1.0, 1.0], "A2": [1, 2, 3], "B1": [1, 1, 1], "B2": [1, 1, 1]})
    found = refusals(values, four())
    assert found.select("area", "indicator", "year", "value").rows() == [("LB", "A1", 2015, -1.0)]
    assert "norm=diff" in found["message"][0]
    with pytest.raises(DefinitionError, match=r"A1.*负数"):
        check_bounded(values, four())
    (chain,) = development_chains(values, four())
    assert chain.weights[1].tolist() == pytest.approx([0, 0.4, 0.4, 0.2])
    cell = score_cells([chain], four(), {}).filter(row_key="LB|2015|A1|value").row(0, named=True)
    assert (cell["value"], cell["status"]) == (None, "Z")
    assert "负数" in cell["note"]


def test_a_difference_indicator_may_be_negative_and_takes_its_scale() -> None:
    own = system(
        replace(ONE, norm="diff", scale=10.0), replace(ONE, id="A2", norm="diff", scale=10.0, direction="negative")
    )
    (chain,) = development_chains(table({"A1": [2, -1], "A2": [3, 5]}), own)
    assert chain.growth[1].tolist() == pytest.approx([-30.0, -20.0])
    with pytest.raises(DefinitionError, match="scale"):
        development_chains(table({"A1": [2, -1]}), system(replace(ONE, norm="diff")))


def test_falling_cost_is_progress_and_caps_hold_either_way() -> None:
    own = system(replace(ONE, direction="negative", cap=50.0))
    (chain,) = development_chains(table({"A1": [90, 80, 0]}), own)
    assert chain.growth[1:, 0].tolist() == pytest.approx([1000 / 85, 50.0])
    cells = score_cells([chain], own, {})
    assert "截断前为 200.00" in cells.filter(row_key="LB|2016|A1|growth")["note"].item()


def test_how_few_contributors_there_are_is_not_said() -> None:
    """Of a share of firms the number of contributors is the very count that disclosure control hides in the survey's tables."""
    two = system(ONE, replace(ONE, id="B1"))
    told = []
    for few in (1, 9):
        values = pl.concat([table({"A1": [1, 2]}, "S1").with_columns(contributors=pl.lit(few)), table({"B1": [1, 2]}, "S1").with_columns(contributors=pl.lit(20))])  # fmt: skip
        chains = development_chains(values, two, sub_parks={"S1"})
        cells = pl.concat([score_cells(chains, two, {}), coverage_cells(chains, two, {})], how="diagonal_relaxed")
        told.append(cells.filter(indicator="A1")["note"].to_list())
    assert told[0] == told[1] and any("少于 10 个" in note for note in told[0])


def test_sub_parks_need_enough_contributors_and_areas_do_not() -> None:
    values = table({"A1": [1, 2]}, "S1").with_columns(contributors=pl.lit(9))
    assert development_chains(values, system(ONE), sub_parks={"S1"}) == ()
    (chain,) = development_chains(values, system(ONE))
    assert chain.levels.tolist() == pytest.approx([100, 200])


def test_a_ratio_over_too_few_matching_units_is_missing() -> None:
    values = table({"A1": [1, 2, 3]}).with_columns(coverage=pl.Series([0.9, 0.69, 0.7]))
    (chain,) = development_chains(values, system(ONE))
    assert [chain.state(0, t).value for t in range(3)] == ["作底数", "作底数", "入链"]
    assert "69%" in chain.withheld["A1", 2015]


def test_a_zone_starts_at_the_index_its_area_has_in_that_year() -> None:
    own = system(ONE, splice={"Z1": "LB"})
    values = pl.concat([table({"A1": [1, 2, 4]}), table({"A1": [5, 10]}, "Z1", 2015)])
    area, zone = development_chains(values, own)
    assert area.levels.tolist() == pytest.approx([100, 200, 400])
    assert np.isnan(zone.levels[0])
    assert zone.levels[1:].tolist() == pytest.approx([200, 400])
    cells = score_cells([area, zone], own, {})
    assert "拼接" in cells.filter(row_key="Z1|2015|TOTAL|index")["note"].item()
    assert cells.filter(area="Z1", period="2014").is_empty()


def test_a_circle_of_splices_is_an_error() -> None:
    with pytest.raises(DefinitionError, match="成环"):
        development_chains(table({"A1": [1, 2]}), system(ONE, splice={"LB": "Z", "Z": "LB"}))


def test_faulty_tables_are_refused() -> None:
    values = table({"A1": [1, 2]})
    with pytest.raises(DefinitionError, match="两行"):
        development_chains(pl.concat([values, values]), system(ONE))
    with pytest.raises(DefinitionError, match="没有的指标"):
        development_chains(table({"Q": [1]}), system(ONE))
    with pytest.raises(DefinitionError, match="非有限"):
        development_chains(table({"A1": [float("inf")]}), system(ONE))


def test_inflation_left_in_would_raise_the_programmes_index_to_106() -> None:
    development = programme().editions["2015"].indexes["development"]
    priced = {"X13", "X17", "X18", "X19", "X20"}
    values = table(
        {
            i.id: [
                100 * (1.05**t if i.direction == "positive" else 1.05**-t) if i.id in priced else 7.0 for t in range(7)
            ]
            for i in development.indicators
        }
    )
    (chain,) = development_chains(values, development)
    green = list(development.dimensions).index("D4 绿色集约")
    assert round(float(chain.dimension_levels[6, green])) == 134
    assert round(float(chain.levels[6])) == 106


def plain_index(
    values: list[list[float | None]], weights: list[float], dimensions: list[str], cap: float
) -> list[float]:
    """The total index once more, written down naively year by year from the rules of the method page."""
    level, levels = 100.0, [100.0]
    base: list[float | None] = [series[0] for series in values]
    entered, gaps = [False] * len(values), [0] * len(values)
    for year in range(1, len(values[0])):
        growth: dict[int, float] = {}
        for k, series in enumerate(values):
            x = series[year]
            if x is None:
                gaps[k] += 1
                if gaps[k] > 1:
                    base[k], entered[k] = None, False
                elif entered[k]:
                    growth[k] = 0.0
                continue
            before = base[k]
            if before is not None:
                v = 0.0 if x + before == 0 else (x - before) / ((x + before) / 2) * 100
                growth[k] = max(-cap, min(cap, v))
                entered[k] = True
            base[k], gaps[k] = x, 0
        total = weight = 0.0
        for d in sorted(set(dimensions)):
            inside = [k for k in growth if dimensions[k] == d]
            if inside:
                whole = sum(w for w, name in zip(weights, dimensions, strict=True) if name == d)
                own = sum(weights[k] * growth[k] for k in inside) / sum(weights[k] for k in inside)
                total, weight = total + whole * own, weight + whole
        if weight:
            level *= (200 + total / weight) / (200 - total / weight)
        levels.append(level)
    return levels


figures = st.none() | st.floats(min_value=0, max_value=100).map(lambda x: round(x, 1))


@settings(max_examples=80, deadline=None)
@given(st.lists(st.lists(figures, min_size=6, max_size=6), min_size=4, max_size=4))
def test_the_engine_and_a_naive_computation_agree(values: list[list[float | None]]) -> None:
    values[0][0] = 7.0  # the chain begins in the base year
    own = replace(four(), indicators=tuple(replace(i, cap=60.0) for i in four().indicators))
    chain = development_chains(table(dict(zip(["A1", "A2", "B1", "B2"], values, strict=True))), own)[0]
    naive = plain_index(values, [3, 1, 4, 2], ["D1", "D1", "D2", "D2"], 60.0)
    assert chain.levels.tolist() == pytest.approx(naive[: len(chain.years)])
    points = np.nansum(indicator_contributions(chain), axis=1)[1:]
    assert points.tolist() == pytest.approx(np.diff(chain.levels).tolist(), abs=1e-7)


def test_cells_are_complete_and_keys_unique() -> None:
    values = table({"A1": [1, 3, 3], "A2": [None, 4, 8], "B1": [3, 3, 3]})
    chains = development_chains(values, four())
    scores, coverage = score_cells(chains, four(), {}), coverage_cells(chains, four(), {})
    assert not scores["row_key"].is_duplicated().any()
    assert not coverage["row_key"].is_duplicated().any()
    by_hand = scores.filter(indicator="TOTAL", measure="index").sort("period")["value"].to_list()
    assert by_hand == pytest.approx(chains[0].levels.tolist())
    used = coverage.filter(measure="weight_used", period="2016")["value"].sum()
    assert used == pytest.approx(100.0)
    # contributions of the dimensions and of the indicators both add up to the change of the total
    for codes in (["D1", "D2"], ["A1", "A2", "B1"]):
        points = scores.filter(pl.col("indicator").is_in(codes), measure="contribution", period="2015")["value"].sum()
        assert points == pytest.approx(chains[0].levels[1] - 100.0)
