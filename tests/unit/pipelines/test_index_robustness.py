from __future__ import annotations

import tomllib
from functools import partial

import numpy as np
import polars as pl
import pytest

from pipelines.methods.index.definition import parse_system
from pipelines.methods.index.rank_spread import rank_spread, ranks_of
from pipelines.methods.index.robustness import (
    Inputs,
    Laboratory,
    RobustnessPlan,
    choices_of,
    laboratory,
    leave_one_out,
    random_inputs,
    scores_of,
)
from pipelines.methods.index.score import prepare, score_years
from pipelines.methods.index.sobol import sample_indices, sobol_indices
from pipelines.methods.index.steps import Step
from pipelines.methods.index.table import unit_tables
from schemas.errors import DefinitionError

TEXT = """
title = "抽样"
[normalisation]
method = "minmax"
[[group]]
id = "T"
[[group]]
id = "D"
parent = "T"
weight = 1
[[indicator]]
id = "a"
parent = "D"
weight = 1
[[indicator]]
id = "b"
parent = "D"
weight = 1
[[indicator]]
id = "c"
parent = "T"
weight = 1
"""
FRAME = pl.DataFrame(
    {
        "unit": ["A", "B", "C", "D", "E"],
        "a": ["10", "8", "1", "5", ""],
        "b": ["10", "2", "9", "5", "4"],
        "c": ["10", "6", "6", "1", "3"],
    }
)


def lab(text: str = TEXT, frame: pl.DataFrame = FRAME) -> Laboratory:
    own = parse_system(tomllib.loads(text), lambda key, value: "t.toml")
    tables = unit_tables(frame, own, "d.csv")
    (year,) = score_years(own, tables, {})
    plan = RobustnessPlan.of(own)
    alternatives = {name: prepare(own, tables, Step(name))[0] for name in plan.imputation if name != "nominal"}
    return laboratory(own, year, alternatives, plan)


def draw(own: Laboratory, draws: int, seed: int = 1) -> np.ndarray:
    return scores_of(own, random_inputs(own, draws, np.random.default_rng(seed)))


def nominal(own: Laboratory) -> np.ndarray:
    return own.year.means[own.system.root.id].scores


def test_without_variation_every_draw_is_the_index() -> None:
    own = lab(TEXT + '[uncertainty]\nweights = "none"\n')
    assert own.active == ()
    assert np.allclose(draw(own, 7), nominal(own))


def test_draws_repeat_with_the_seed_and_only_with_it() -> None:
    own = lab()
    assert np.array_equal(draw(own, 50), draw(own, 50))
    assert not np.array_equal(draw(own, 50), draw(own, 50, seed=2))


def test_a_dominant_unit_stays_first_and_probabilities_are_complementary() -> None:
    own = lab()
    scores = draw(own, 2000)
    spread = rank_spread(scores, ranks_of(scores), 0.9)
    assert spread.first[0] == 1.0
    assert (spread.rank_low[0], spread.rank_high[0]) == (1, 1)
    assert spread.ahead[0, 1:].tolist() == [1.0] * 4
    assert np.allclose(spread.ahead + spread.ahead.T, 1.0)
    assert (spread.score_low <= nominal(own)).all() and (nominal(own) <= spread.score_high).all()


def test_the_fast_way_equals_scoring_each_draw_by_itself() -> None:
    text = TEXT + '[uncertainty]\nnormalisation = ["nominal", "rank"]\naggregation = ["nominal", "geometric"]\n'
    text += 'imputation = ["nominal", "median"]\nerrors = { A = 0.1, imputed = 0.2 }\n'
    own = lab(text)
    assert own.active == ("weights", "normalisation", "aggregation", "imputation", "errors")
    inputs = random_inputs(own, 40, np.random.default_rng(5))
    together = scores_of(own, inputs)
    for k in (0, 13, 39):
        single = Inputs(
            {g: w[k : k + 1] for g, w in inputs.weights.items()},
            *(getattr(inputs, f)[k : k + 1] for f in ("normalisation", "aggregation", "imputation", "weighting")),
            errors=partial(lambda k, rows: inputs.errors(rows + k), k),
        )
        assert np.allclose(scores_of(own, single)[0], together[k], equal_nan=True)


ESTIMATED = """
title = "由数据定权"
[normalisation]
method = "minmax"
[weights]
method = "{method}"
[[group]]
id = "T"
[[group]]
id = "D"
parent = "T"
weight = 2
[[indicator]]
id = "a"
parent = "D"
weight = 1
[[indicator]]
id = "b"
parent = "D"
weight = 3
[[indicator]]
id = "c"
parent = "D"
weight = 1
[[indicator]]
id = "d"
parent = "T"
weight = 1
"""
SEVEN = pl.DataFrame(
    {
        "unit": list("ABCDEFG"),
        "a": ["10", "8", "1", "5", "", "3", "7"],
        "a.status": ["E"] * 4 + [""] + ["E"] * 2,
        "b": ["10", "2", "9", "5", "4", "8", "1"],
        "c": ["3", "6", "6", "1", "3", "2", "9"],
        "c.status": ["A", "E"] + ["A"] * 5,
        "d": ["7", "6", "2", "1", "3", "9", "4"],
    }
)


def disturbed(own: Laboratory, inputs: Inputs, draw: int, imputation: str) -> pl.DataFrame:
    """The table of one draw, as a statistician would write it: every uncertain figure times its log-normal error."""
    filled = own.prepared[own.plan.imputation.index(imputation)].imputed.values
    figures = {"unit": SEVEN["unit"].to_list()} | {x: filled[:, k].tolist() for k, x in enumerate("abcd")}
    spread = own.spread[own.plan.imputation.index(imputation)]
    noise = inputs.errors(np.array([draw]))[0]
    for (row, column), z in zip(own.cells.tolist(), noise.tolist(), strict=True):
        sigma = np.sqrt(np.log(1 + spread[row, column] ** 2))
        figures["abcd"[column]][row] *= float(np.exp(sigma * z - sigma**2 / 2))
    texts = {k: [v if isinstance(v, str) else "" if np.isnan(v) else repr(v) for v in c] for k, c in figures.items()}
    return pl.DataFrame(texts)


@pytest.mark.parametrize("method", ["entropy", "pca", "factor", "combined", "given", "equal"])
def test_a_draw_is_the_index_of_its_own_table_with_the_weights_of_its_own_scores(method: str) -> None:
    schemes = ["nominal", "entropy", "pca", "factor", "equal"]
    plan = f"""[uncertainty]
weights = "none"
weighting = {schemes}
normalisation = ["nominal", "percentile"]
aggregation = ["nominal", "geometric"]
imputation = ["nominal", "median"]
errors = {{ E = 0.3, imputed = 0.2 }}
"""
    own = lab(ESTIMATED.format(method=method) + plan, SEVEN)
    assert own.active == ("weighting", "normalisation", "aggregation", "imputation", "errors")
    inputs = random_inputs(own, 24, np.random.default_rng(3))
    drawn, chosen = scores_of(own, inputs), choices_of(own, inputs)
    assert set(chosen["weighting"]) == set(schemes)
    for k in range(24):
        by = {name: options[k] for name, options in chosen.items()}
        text = ESTIMATED.format(method=method if by["weighting"] == "nominal" else by["weighting"])
        text = text if by["normalisation"] == "nominal" else text.replace('"minmax"', '"percentile"')
        text += "" if by["aggregation"] == "nominal" else '[aggregation]\nmethod = "geometric"\n'
        alone = nominal(lab(text, disturbed(own, inputs, k, by["imputation"])))
        assert drawn[k] == pytest.approx(alone, rel=1e-9, nan_ok=True), by


def test_scores_that_give_no_weights_leave_those_of_the_definition() -> None:
    plan = '[uncertainty]\nweights = "none"\nerrors = {}\nweighting = ["METHOD"]\n'
    text = ESTIMATED.format(method="given") + plan
    few = lab(text.replace("METHOD", "entropy"), SEVEN[:4])  # fewer than five units
    assert draw(few, 1)[0] == pytest.approx(nominal(few))
    flat = lab(text.replace("METHOD", "pca"), SEVEN.with_columns(b=pl.lit("4")))  # b does not differ: no correlation
    # two correlated parts have loadings √½ each, so the top weighs ½ and ½; below it the given weights stay
    halves = (flat.year.means["D"].scores + flat.year.scores[:, 3]) / 2
    assert draw(flat, 1)[0] == pytest.approx(halves)


def test_errors_touch_only_the_cells_that_carry_them() -> None:
    frame = FRAME.with_columns(pl.Series("c.status", ["A", "A", "E", "A", "A"]))
    own = lab(TEXT.replace('"minmax"', '"none"') + '[uncertainty]\nweights = "none"\nerrors = { E = 0.2 }\n', frame)
    assert own.cells.tolist() == [[2, 2]]
    scores = draw(own, 20000)
    assert (scores[:, [0, 1, 3, 4]] == nominal(own)[[0, 1, 3, 4]]).all()
    # T = (D + c)/2 with c = 6: mean 5.5, standard deviation 0.5 · 0.2 · 6
    assert scores[:, 2].mean() == pytest.approx(5.5, abs=0.02)
    assert scores[:, 2].std() == pytest.approx(0.6, rel=0.05)


def test_ranks_stay_within_classes_and_skip_missing_scores() -> None:
    scores = np.array([[3.0, 1, 2, np.nan], [1, 1, 5, np.nan]])
    assert ranks_of(scores).tolist()[0][:3] == [1, 3, 2]
    assert ranks_of(scores).tolist()[1][:3] == [2, 2, 1]
    assert ranks_of(scores, "aabb").tolist()[0][:3] == [1, 2, 1]
    assert np.isnan(ranks_of(scores)[:, 3]).all()


def test_leaving_one_out_gives_its_weight_to_the_others() -> None:
    own = lab()
    found = leave_one_out(own.system, own.year)
    assert set(found) == {"a", "b", "c", "D"}
    assert found["c"] == pytest.approx(own.year.means["D"].scores)
    assert found["D"] == pytest.approx(own.year.scores[:, 2])


def ishigami(u: np.ndarray) -> np.ndarray:
    x = np.pi * (2 * u - 1)
    return np.asarray(np.sin(x[:, 0]) + 7 * np.sin(x[:, 1]) ** 2 + 0.1 * x[:, 2] ** 4 * np.sin(x[:, 0]))


def test_the_ishigami_function_has_its_known_indices() -> None:
    # a = 7, b = 0.1: S = (0.3139, 0.4424, 0), T = (0.5576, 0.4424, 0.2437)
    found = sample_indices(ishigami, ["x1", "x2", "x3"], 40000, seed=11)
    assert found.first[:, 0].tolist() == pytest.approx([0.3139, 0.4424, 0.0], abs=0.02)
    assert found.total[:, 0].tolist() == pytest.approx([0.5576, 0.4424, 0.2437], abs=0.02)
    assert (found.first_low <= found.first).all() and (found.first <= found.first_high).all()
    assert found.total_low[0, 0] <= 0.5576 <= found.total_high[0, 0]


def test_of_two_additive_inputs_each_takes_its_share_of_the_variance() -> None:
    # f = 2u + v: variances 4/12 and 1/12
    found = sample_indices(lambda u: 2 * u[:, 0] + u[:, 1], ["u", "v"], 20000, seed=3)
    assert found.first[:, 0].tolist() == pytest.approx([0.8, 0.2], abs=0.02)
    assert found.total[:, 0].tolist() == pytest.approx([0.8, 0.2], abs=0.02)


def test_an_output_that_never_varies_has_no_indices() -> None:
    still = np.ones((10, 1))
    found = sobol_indices(still, still, {"x": still}, 0.9, 5, np.random.default_rng(0))
    assert np.isnan(found.first).all()


def test_the_blocks_of_a_laboratory_can_be_swapped_one_by_one() -> None:
    own = lab(TEXT + '[uncertainty]\nnormalisation = ["nominal", "rank"]\n')
    random = np.random.default_rng(2)
    a, b = random_inputs(own, 30, random), random_inputs(own, 30, random)
    swapped = a.with_block("weights", b)
    assert swapped.weights is b.weights
    assert swapped.normalisation is a.normalisation
    both = swapped.with_block("normalisation", b)
    assert np.allclose(scores_of(own, both), scores_of(own, b), equal_nan=True)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("drows = 3", "drows"),
        ('normalisation = ["bounded_growth"]', "bounded_growth"),
        ("weight_share = 1.5", "超出范围"),
        ('weighting = ["ahp"]', "ahp"),
    ],
)
def test_a_senseless_plan_is_refused(entry: str, message: str) -> None:
    with pytest.raises(DefinitionError, match=message):
        lab(TEXT + f"[uncertainty]\n{entry}\n")
