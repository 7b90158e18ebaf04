from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import NormalDist

import numpy as np
import polars as pl
import pytest

from pipelines.methods.index.chain_uncertainty import UncertaintyPlan, index_intervals, interval_cells, total_draws
from pipelines.methods.index.development import development_chains
from schemas.errors import DefinitionError
from schemas.model import IndexIndicator, IndexSystem

ONE = IndexIndicator("A1", "D1 资源", "甲", "%", "K01", "positive", 1.0, "A", "growth", None, 0, 1, 50.0, "")
TWO = IndexSystem("t", "试", 2014, (ONE, replace(ONE, id="A2", direction="negative")), {}, {"Z": "LB"})
PLAN = UncertaintyPlan(draws=400, seed=7)


def table(values: Mapping[str, Sequence[float | None]], area: str = "LB", first: int = 2014) -> pl.DataFrame:
    rows = [(area, first + t, code, x) for code, series in values.items() for t, x in enumerate(series)]
    schema = {"area": pl.String, "year": pl.Int64, "indicator": pl.String, "value": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


VALUES = pl.concat([table({"A1": [1, 1.2, 1.3], "A2": [1, 1, 0.9]}), table({"A1": [4, 5], "A2": [2, 1]}, "Z", 2015)])


def test_the_same_seed_gives_the_same_draws_whoever_else_is_drawn() -> None:
    chains = development_chains(VALUES, TWO)
    both, alone = total_draws(chains, TWO, PLAN), total_draws(chains[:1], TWO, PLAN)
    assert np.array_equal(both["LB"], alone["LB"], equal_nan=True)
    other = total_draws(chains, TWO, replace(PLAN, seed=8))
    assert not np.array_equal(both["LB"], other["LB"], equal_nan=True)


def test_without_any_source_every_draw_is_the_index_itself() -> None:
    for chain in development_chains(VALUES, TWO):
        drawn = total_draws(development_chains(VALUES, TWO), TWO, PLAN, ())[chain.area]
        assert np.allclose(drawn, chain.levels, equal_nan=True)


def test_indicators_that_all_grow_alike_leave_nothing_to_the_weights() -> None:
    same = replace(TWO, indicators=(ONE, replace(ONE, id="A2")))
    chains = development_chains(table({"A1": [1, 1.2], "A2": [5, 6.0]}), same)
    drawn = total_draws(chains, same, PLAN, ("weights",))["LB"]
    assert np.allclose(drawn[:, 1], 120.0)


def test_weights_within_their_share_keep_the_index_between_its_extremes() -> None:
    # V = (18.18, 0): with weights in 1 ± 0.25 the first has between 0.375 and 0.625 of the sum
    chains = development_chains(table({"A1": [1, 1.2], "A2": [1, 1]}), TWO)
    drawn = total_draws(chains, TWO, replace(PLAN, draws=4000), ("weights",))["LB"][:, 1]
    v = 200 / 11 * np.array([0.375, 0.625])
    low, high = 100 * (200 + v) / (200 - v)
    assert low <= drawn.min() < drawn.max() <= high
    assert drawn.mean() == pytest.approx(chains[0].levels[1], abs=0.05)


def test_only_uncertain_values_carry_error_and_its_size_is_the_stated_one() -> None:
    single = IndexSystem("t", "试", 2014, (replace(ONE, cap=200.0),), {})
    values = table({"A1": [1, 2]}).with_columns(status=pl.Series(["A", "E"]))
    chains = development_chains(values, single)
    plan = replace(PLAN, draws=20000, errors={"A": 0.0, "E": 0.1})
    drawn = total_draws(chains, single, plan, ("input",))["LB"]
    assert np.all(drawn[:, 0] == 100.0)
    assert drawn[:, 1].mean() == pytest.approx(200.0, rel=0.005)  # a single indicator chains to its own ratio
    assert drawn[:, 1].std() / 200.0 == pytest.approx(0.1, rel=0.05)


def test_intervals_hold_the_index_and_zones_inherit_their_areas() -> None:
    chains = development_chains(VALUES, TWO)
    found = index_intervals(chains, TWO, PLAN).filter(area="LB", year=2016).row(0, named=True)
    assert found["lower"] < chains[0].levels[2] < found["upper"]
    drawn = total_draws(chains, TWO, PLAN)
    assert np.array_equal(drawn["Z"][:, 1], drawn["LB"][:, 1])
    cells = interval_cells(chains, TWO, {"LB": "兰白"}, PLAN)
    assert "LB|2014|TOTAL|index_lower" not in cells["row_key"].to_list()
    assert cells.filter(row_key="LB|2016|TOTAL|index_upper")["value"].item() == pytest.approx(found["upper"])
    assert "种子 7" in cells["note"][0]


def test_dirichlet_weights_have_the_nominal_mean_and_allow_a_weight_of_zero() -> None:
    system = replace(TWO, indicators=(ONE, replace(ONE, id="A2", weight=0.0)))
    chains = development_chains(table({"A1": [1, 1.2], "A2": [1, 9]}), system)
    drawn = total_draws(chains, system, replace(PLAN, weights="dirichlet"), ("weights",))["LB"]
    assert np.allclose(drawn[:, 1], 120.0)


def test_a_plan_with_unknown_or_senseless_parameters_is_refused() -> None:
    with pytest.raises(DefinitionError, match="drows"):
        UncertaintyPlan.of(replace(TWO, parameters={"uncertainty": {"drows": 5}}))
    with pytest.raises(DefinitionError, match="超出范围"):
        UncertaintyPlan.of(replace(TWO, parameters={"uncertainty": {"level": 1.5}}))
    assert UncertaintyPlan.of(replace(TWO, parameters={"uncertainty": {"errors": {"E": 0.2}}})).errors["P"] == 0.05


def test_ends_of_the_interval_are_those_of_the_stated_distributions() -> None:
    """One source at a time, worked out from index.md 7: a uniform cap, the normal points of an error, weights on a fine grid."""
    plan = replace(PLAN, draws=40_000, errors={"A": 0.0, "E": 0.1})
    single = IndexSystem("t", "试", 2014, (ONE,), {})
    capped_ = development_chains(table({"A1": [1, 9]}), single)  # V = 160, always beyond the cap of 50
    drawn = total_draws(capped_, single, plan, ("cap",))["LB"][:, 1]
    ends = [100 * (200 + 50 * f) / (200 - 50 * f) for f in (0.82, 1.18)]  # 5 % and 95 % of 0.8 … 1.2
    assert np.quantile(drawn, [0.05, 0.95]) == pytest.approx(ends, rel=2e-3)

    free = replace(single, indicators=(replace(ONE, cap=200.0),))
    values = table({"A1": [1, 2]}).with_columns(status=pl.Series(["A", "E"]))
    drawn = total_draws(development_chains(values, free), free, plan, ("input",))["LB"][:, 1]
    spread = math.log(1.01) ** 0.5  # a log-normal of mean 1 and relative error 10 %
    ends = [200 * math.exp(NormalDist().inv_cdf(p) * spread - spread**2 / 2) for p in (0.05, 0.95)]
    assert np.quantile(drawn, [0.05, 0.95]) == pytest.approx(ends, rel=3e-3)

    chains = development_chains(table({"A1": [1, 1.2], "A2": [1, 1]}), TWO)
    drawn = total_draws(chains, TWO, plan, ("weights",))["LB"][:, 1]
    grid = [0.75 + (k + 0.5) / 400 for k in range(200)]
    levels = sorted(100 * (200 + v) / (200 - v) for v in (200 / 11 * a / (a + b) for a in grid for b in grid))
    assert np.quantile(drawn, [0.05, 0.95]) == pytest.approx([levels[2000], levels[38000]], rel=3e-4)
