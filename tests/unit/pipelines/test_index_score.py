"""The generic engine from definition and table to scores, on published indices and on small tables worked by hand."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipelines.methods.index.aggregate import power_mean
from pipelines.methods.index.definition import ScoringSystem, parse_system
from pipelines.methods.index.results import own_weights_frame
from pipelines.methods.index.score import ScoredYear, effective_weights, ranks, score_years
from pipelines.methods.index.table import unit_tables
from schemas.errors import DefinitionError

GOLDEN = Path("tests/golden/index")


def system(text: str) -> ScoringSystem:
    return parse_system(tomllib.loads(text), lambda key, value: f"t.toml:{value}")


def scored(text: str, frame: pl.DataFrame, **experts: pl.DataFrame) -> tuple[ScoringSystem, tuple[ScoredYear, ...]]:
    own = system(text)
    tables = unit_tables(frame.select(pl.all().cast(pl.String)), own, "data.csv")
    return own, score_years(own, tables, {f"{name}.csv": rows for name, rows in experts.items()})


HDI = """
title = "HDI"
[data]
unit = "country"
[normalisation]
method = "goalposts"
worst = 0
best = 1
high = 1
[weights]
method = "equal"
[[group]]
id = "HDI"
aggregation = { method = "geometric" }
[[group]]
id = "education"
parent = "HDI"
[[indicator]]
id = "life_expectancy"
parent = "HDI"
normalisation = { method = "goalposts", worst = 20, best = 85, high = 1 }
[[indicator]]
id = "expected_years"
parent = "education"
normalisation = { method = "goalposts", worst = 0, best = 18, high = 1 }
[[indicator]]
id = "mean_years"
parent = "education"
normalisation = { method = "goalposts", worst = 0, best = 15, high = 1 }
[[indicator]]
id = "gni"
parent = "HDI"
normalisation = { method = "goalposts", worst = 100, best = 75000, high = 1, log = true }
"""


def test_the_human_development_index_of_2014_comes_out() -> None:
    published = pl.read_csv(GOLDEN / "hdi_2014.csv").sort("country")
    half = {"life_expectancy": 0.05, "expected_years": 0.05, "mean_years": 0.05, "gni": 0.5}

    def index(shift: float) -> np.ndarray:
        frame = published.with_columns(pl.col(c) + shift * h for c, h in half.items())
        _, (year,) = scored(HDI, frame)
        return np.asarray(year.means["HDI"].scores)

    # inputs are printed rounded: the published index lies between those of the lowest and highest figures they can be
    hdi = published["hdi"].to_numpy()
    assert (np.round(index(-1), 3) <= hdi).all()
    assert (hdi <= np.round(index(1), 3)).all()
    assert (np.round(index(0), 3) == hdi).sum() == 17
    assert np.abs(np.round(index(0), 3) - hdi).max() < 0.0011
    # the illustration of the 2020 technical note: (0.6971 · 0.3447 · 0.5506)^(1/3) = 0.510
    assert round(float(power_mean(np.array([0.6971, 0.3447, 0.5506]), np.ones(3) / 3, 0.0)), 3) == 0.510


ASEM = """
title = "ASEM"
[data]
unit = "code"
[weights]
method = "equal"
[normalisation]
method = "none"
[[group]]
id = "Index"
[[group]]
id = "ConnX"
parent = "Index"
[[group]]
id = "SustX"
parent = "Index"
""" + "\n".join(
    f'[[indicator]]\nid = "{pillar}"\nparent = "{above}"'
    for above, below in {
        "ConnX": ["Physical", "ConEcFin", "Political", "Instit", "P2P"],
        "SustX": ["Environ", "Social", "SusEcFin"],
    }.items()
    for pillar in below
)


def test_the_published_asem_index_comes_out_of_its_pillars() -> None:
    published = pl.read_csv(GOLDEN / "asem_scores.csv").sort("code")
    own, (year,) = scored(ASEM, published)
    for column, node in (("index", "Index"), ("Conn", "ConnX"), ("Sust", "SustX")):
        assert np.abs(year.means[node].scores - published[column].to_numpy()).max() < 0.0101
    assert ranks(own, year.table, year.means["Index"].scores)[0] == published["rank"].to_list()
    assert effective_weights(own, year).tolist() == pytest.approx([0.1] * 5 + [1 / 6] * 3)


def test_the_zhongguancun_index_is_the_plain_mean_of_its_five_parts() -> None:
    # 2021: 347.3, 453.0, 246.4, 270.2, 122.1 → 287.8
    frame = pl.DataFrame({"unit": ["ZGC"], "a": [347.3], "b": [453.0], "c": [246.4], "d": [270.2], "e": [122.1]})
    text = (
        'title = "ZGC"\n[weights]\nmethod = "equal"\n[normalisation]\nmethod = "none"\n[[group]]\nid = "T"\n'
        + "".join(f'[[indicator]]\nid = "{c}"\nparent = "T"\n' for c in "abcde")
    )
    _, (year,) = scored(text, frame)
    assert year.means["T"].scores.tolist() == pytest.approx([287.80])


TWO = """
title = "两级"
[data]
class = "kind"
[normalisation]
method = "none"
[ranking]
within = "class"
minimum_class_size = 2
[[group]]
id = "T"
[[group]]
id = "D1"
parent = "T"
weight = 60
[[group]]
id = "D2"
parent = "T"
weight = 40
[[indicator]]
id = "a"
parent = "D1"
weight = 3
[[indicator]]
id = "b"
parent = "D1"
weight = 1
[[indicator]]
id = "c"
parent = "D2"
weight = 1
"""


def test_weights_of_two_levels_and_missing_figures_by_hand() -> None:
    frame = pl.DataFrame(
        {
            "unit": ["U1", "U2", "U3"],
            "kind": ["x", "x", "y"],
            "a": ["10", "", "10"],
            "b": ["50", "50", "—"],
            "c": ["30", "30", ""],
        }
    )
    own, (year,) = scored(TWO, frame)
    # U1: D1 = (3·10 + 50)/4 = 20, T = .6·20 + .4·30 = 24; U2: D1 = 50 alone; U3: D1 = 10, D2 missing, T = 10
    assert year.means["D1"].scores.tolist() == pytest.approx([20, 50, 10])
    assert year.means["T"].scores.tolist() == pytest.approx([24, 42, 10])
    # coverage counts the weight of indicators: U2 has 1/4 of D1 and all of D2; U3 3/4 of D1 and none of D2
    assert year.means["T"].coverage.tolist() == pytest.approx([1, 0.6 / 4 + 0.4, 0.6 * 3 / 4])
    assert ranks(own, year.table, year.means["T"].scores) == ([2, 1, 3], [2, 1, None])


def test_minimum_coverage_null_and_base_rules() -> None:
    frame = pl.DataFrame(
        {"unit": ["U1", "U2"], "kind": ["x", "x"], "a": ["10", ""], "b": ["50", "50"], "c": ["30", "30"]}
    )

    def index(rule: str) -> list[float]:
        _, (year,) = scored(TWO + f'\n[aggregation]\nmethod = "arithmetic"\n{rule}\n', frame)
        return year.means["T"].scores.tolist()

    assert np.isnan(index("minimum_coverage = 0.6")[1])  # D1 has 25 %: missing, and T has 40 %
    assert index("minimum_coverage = 0.25")[1] == pytest.approx(42)
    assert np.isnan(index('missing = "null"')[1])
    # the weight of a counts and earns nothing: D1 = 50/4, T = .6·12.5 + .4·30
    assert index('missing = "base"') == pytest.approx([24, 19.5])


def test_denominators_factors_and_a_zero_denominator() -> None:
    text = """
title = "比"
[normalisation]
method = "none"
[[group]]
id = "T"
[[indicator]]
id = "rd"
parent = "T"
weight = 1
column = "R04"
denominator = "F01"
factor = 100
"""
    frame = pl.DataFrame({"unit": ["B", "A", "C"], "R04": ["3", "1", "1"], "F01": ["60", "50", "0"]})
    _, (year,) = scored(text, frame)
    assert year.table.units == ("A", "B", "C")
    assert year.scores[:2, 0].tolist() == pytest.approx([2, 5])
    assert np.isnan(year.scores[2, 0])


def test_weights_by_experts_and_by_the_data_reach_the_scores() -> None:
    text = """
title = "专家"
[normalisation]
method = "none"
[[group]]
id = "T"
weights = { method = "budget", file = "budget.csv" }
[[group]]
id = "D"
parent = "T"
weights = { method = "ahp", file = "ahp.csv" }
[[indicator]]
id = "a"
parent = "D"
[[indicator]]
id = "b"
parent = "D"
[[indicator]]
id = "c"
parent = "T"
"""
    frame = pl.DataFrame({"unit": ["U"], "a": [10], "b": [40], "c": [100]})
    budget = pl.DataFrame({"expert": ["甲"], "D": ["75"], "c": ["25"]})
    ahp = pl.DataFrame({"expert": ["甲"], "left": ["a"], "right": ["b"], "ratio": ["1/2"]})
    _, (year,) = scored(text, frame, budget=budget, ahp=ahp)
    assert year.means["D"].scores.tolist() == pytest.approx([30])
    assert year.means["T"].scores.tolist() == pytest.approx([0.75 * 30 + 25])


def test_benefit_of_the_doubt_scores_the_group_itself() -> None:
    text = """
title = "BoD"
[normalisation]
method = "none"
[[group]]
id = "T"
weights = { method = "benefit_of_doubt" }
[[indicator]]
id = "a"
parent = "T"
[[indicator]]
id = "b"
parent = "T"
"""
    frame = pl.DataFrame({"unit": ["A", "B", "C", "D"], "a": ["100", "50", "60", ""], "b": ["50", "100", "60", "90"]})
    _, (year,) = scored(text, frame)
    # D has b alone, and A, B, C are held to what they have of it: 90 of at most 100
    assert year.means["T"].scores.tolist() == pytest.approx([100, 100, 80, 90])
    assert year.means["T"].coverage.tolist() == pytest.approx([1, 1, 1, 0.5])


def test_two_years_are_scored_with_growth_on_the_first() -> None:
    text = """
title = "增速"
[data]
year = "year"
[normalisation]
method = "bounded_growth"
cap = 50
[[group]]
id = "T"
[[indicator]]
id = "a"
parent = "T"
weight = 1
"""
    frame = pl.DataFrame({"unit": ["U", "U", "V"], "year": [2015, 2016, 2016], "a": [10, 12, 5]})
    _, (year,) = scored(text, frame)
    assert year.table.year == "2016"
    assert year.means["T"].scores[0] == pytest.approx(200 / 11)
    assert np.isnan(year.means["T"].scores[1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('[normalisation]\nmethod = "none"', '[normalisation]\nmethod = "minmx"'), "minmx"),
        (("weight = 3", ""), "没有 weight"),
        (('parent = "D2"\n', 'parent = "D9"\n'), "D9 不存在"),
        (('id = "b"', 'id = "a"'), "代码重复"),
        (('parent = "T"\nweight = 40', "weight = 40"), "恰有一个"),
        (('method = "none"', 'method = "none"\nlow = 3'), "没有选项 low"),
        (('parent = "D2"\n', 'parent = "D1"\n'), "没有指标"),
    ],
)
def test_a_faulty_definition_is_named(change: tuple[str, str], message: str) -> None:
    assert change[0] in TWO
    with pytest.raises(DefinitionError, match=message):
        system(TWO.replace(*change))


def test_a_goalpost_against_the_direction_is_refused() -> None:
    with pytest.raises(DefinitionError, match="不合方向"):
        system(HDI.replace("worst = 20, best = 85", "worst = 85, best = 20"))


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        ({"unit": ["A"], "kind": ["x"], "a": ["1,200"], "b": ["1"], "c": ["1"]}, r"data\.csv:2 列 a"),
        ({"unit": ["A", "A"], "kind": ["x"] * 2, "a": ["1"] * 2, "b": ["1"] * 2, "c": ["1"] * 2}, "多次"),
        ({"unit": ["A"], "kind": ["x"], "a": ["1"], "b": ["nan"], "c": ["1"]}, "不是数"),
        ({"unit": ["A"], "kind": ["x"], "a": ["1"], "b": ["1"]}, "缺列 c"),
        ({"unit": [""], "kind": ["x"], "a": ["1"], "b": ["1"], "c": ["1"]}, "单位代码为空"),
    ],
)
def test_a_faulty_table_is_named_by_line_and_column(frame: dict[str, list[str]], message: str) -> None:
    with pytest.raises(DefinitionError, match=message):
        scored(TWO, pl.DataFrame(frame))


def test_own_weights_stand_beside_the_common_ones_and_stay_near_them() -> None:
    frame = pl.DataFrame({"unit": ["U1", "U2"], "kind": ["x", "y"], "a": [10, 10], "b": [50, 50], "c": [30, 30]})
    text = TWO + "\n[own_weights.by_class.x]\nD1 = 50\nD2 = 50\n"
    own, (year,) = scored(text, frame)
    found = own_weights_frame(own, year)
    assert found.select("unit", "score", "score_own").rows() == [("U1", pytest.approx(24), pytest.approx(25))]
    with pytest.raises(DefinitionError, match="超过 10"):
        system(text.replace("D1 = 50\nD2 = 50", "D1 = 49\nD2 = 51"))
    with pytest.raises(DefinitionError, match="合计应为 100"):
        system(text.replace("D2 = 50", "D2 = 49"))
