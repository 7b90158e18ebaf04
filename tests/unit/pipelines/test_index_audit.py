"""The audit against a published item analysis, and on tables where the answer is known."""

from __future__ import annotations

import tomllib

import numpy as np
import polars as pl
import pytest

from pipelines.methods.index.audit import (
    children_audit,
    components,
    correlation_ratio,
    correlations,
    in_words,
    reliability,
    reliability_of,
)
from pipelines.methods.index.definition import ScoringSystem, parse_system
from pipelines.methods.index.score import ScoredYear, score_years
from pipelines.methods.index.table import unit_tables


def test_cronbachs_alpha_of_a_published_item_analysis() -> None:
    # D. Denis, Applied Univariate, Bivariate and Multivariate Statistics (SPSS output): five items, ten persons
    deviations = np.array([2.71006, 5.05085, 4.74810, 2.71621, 3.80058])
    upper = [[0.679, 0.351, 0.827, 0.022], [0.612, 0.743, -0.463], [0.462, -0.129], [-0.011]]
    r = np.eye(5)
    for row, values in enumerate(upper):
        r[row, row + 1 :] = r[row + 1 :, row] = values
    found = reliability_of(r * np.outer(deviations, deviations))
    assert (round(found.alpha, 3), round(found.standardised, 3)) == (0.633, 0.691)
    # scale variance without item 1 is printed as 108.900
    without = np.delete(np.delete(r * np.outer(deviations, deviations), 0, 0), 0, 1)
    assert without.sum() == pytest.approx(108.9, abs=0.05)
    assert 0.4 <= found.without[0] < 0.5  # printed 0.4…
    assert found.without[0] == pytest.approx(4 / 3 * (1 - np.trace(without) / without.sum()))


def test_alpha_by_hand() -> None:
    # two items (1,2), (2,4), (3,6): variances 1 and 4, of the sum 9: 2 (1 - 5/9)
    assert reliability(np.array([[1.0, 2], [2, 4], [3, 6]])).alpha == pytest.approx(8 / 9)
    assert np.isnan(reliability(np.array([[1.0], [2]])).alpha)


def test_a_curve_explains_what_a_line_cannot() -> None:
    x = np.linspace(-1, 1, 41)
    assert correlation_ratio(x, x**2) == pytest.approx(1.0)
    assert correlation_ratio(x, 3 - 2 * x) == pytest.approx(1.0)


def scored(columns: dict[str, np.ndarray], parents: dict[str, str]) -> tuple[ScoringSystem, ScoredYear]:
    text = 'title = "审"\n[weights]\nmethod = "equal"\n[[group]]\nid = "T"\n'
    text += "".join(f'[[group]]\nid = "{g}"\nparent = "T"\n' for g in sorted(set(parents.values())))
    text += "".join(f'[[indicator]]\nid = "{c}"\nname = "指标{c}"\nparent = "{parents[c]}"\n' for c in columns)
    own = parse_system(tomllib.loads(text), lambda key, value: "t.toml")
    units = [f"U{k:03}" for k in range(len(next(iter(columns.values()))))]
    frame = pl.DataFrame({"unit": units, **{c: [str(v) for v in x] for c, x in columns.items()}})
    (year,) = score_years(own, unit_tables(frame, own, "d.csv"), {})
    return own, year


def table() -> tuple[ScoringSystem, ScoredYear]:
    random = np.random.default_rng(8)
    base, other = random.standard_normal(60), random.standard_normal(60)
    columns = {
        "a": base + 0.2 * random.standard_normal(60),
        "b": base + 0.2 * random.standard_normal(60),
        "c": -base + 0.4 * random.standard_normal(60),
        "d": other,
        "e": other + 0.05 * random.standard_normal(60),
    }
    return scored(columns, {"a": "G", "b": "G", "c": "G", "d": "H", "e": "H"})


def test_the_audit_names_what_works_against_its_group_and_what_is_said_twice() -> None:
    own, year = table()
    pairs, children = correlations(own, year), children_audit(own, year)
    sentences = in_words(own, year, children, pairs)
    assert any(s.startswith("c 指标c与 G 组内其余指标反向") for s in sentences)
    assert any("d 指标d与 e 指标e几乎重复" in s for s in sentences)
    assert any("去掉 c 指标c后" in s for s in sentences)
    assert pairs.filter(a="d", b="e")["r"].item() > 0.95
    shares = children.group_by("group").agg(pl.col("importance_linear").sum(), pl.col("weight").sum())
    assert shares["importance_linear"].to_list() == pytest.approx([1.0] * 3)
    assert shares["weight"].to_list() == pytest.approx([1.0] * 3)


def test_components_of_a_group_sum_to_its_size() -> None:
    own, year = table()
    found = components(own, year).group_by("group").agg(pl.col("eigenvalue").sum(), pl.col("cumulative").max())
    assert dict(found.select("group", "eigenvalue").iter_rows()) == pytest.approx({"G": 3, "H": 2, "T": 2})
    assert found["cumulative"].to_list() == pytest.approx([1.0] * 3)


def test_a_clean_index_is_said_to_be_clean_and_few_units_are_mentioned() -> None:
    random = np.random.default_rng(2)
    base = random.standard_normal(200)
    own, year = scored(
        {c: base + 0.9 * random.standard_normal(200) for c in "abcd"}, {"a": "G", "b": "G", "c": "G", "d": "G"}
    )
    assert in_words(own, year, children_audit(own, year), correlations(own, year))[0].startswith("未发现")
    small, few = scored({"a": np.arange(6.0), "b": np.array([1.0, 3, 2, 5, 4, 6])}, {"a": "G", "b": "G"})
    assert "只有 6 个单位" in in_words(small, few, children_audit(small, few), correlations(small, few))[0]
