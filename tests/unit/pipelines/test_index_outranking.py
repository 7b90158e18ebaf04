"""Pairwise outranking: the six hydroelectric projects of Brans, Vincke and Mareschal (1986), and plain loops on arbitrary scores."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.methods.index.preference_flows import preference_flows
from pipelines.methods.index.steps import Step
from pipelines.scoring import score
from schemas.errors import DefinitionError

PROJECTS = """unit,manpower,power,construction,maintenance,villages,security
x1,80,90,6,5.4,8,5
x2,65,58,2,9.7,1,1
x3,83,60,4,7.2,4,7
x4,40,80,10,7.5,7,10
x5,52,72,6,2.0,3,8
x6,94,96,7,3.6,5,6
"""
SYSTEM = """
title = "六个水电项目"
[normalisation]
method = "none"
[weights]
method = "equal"
[ranking]
orders = ["outranking"]
[[group]]
id = "T"
""" + "\n".join(
    f'[[indicator]]\nid = "{name}"\nparent = "T"\ndirection = "{direction}"\npreference = {preference}\n'
    for name, direction, preference in [
        ("manpower", "negative", '{ method = "u_shape", indifference = 10 }'),
        ("power", "positive", '{ method = "v_shape", preference = 30 }'),
        ("construction", "negative", '{ method = "linear", indifference = 0.5, preference = 5 }'),
        ("maintenance", "negative", '{ method = "level", indifference = 1, preference = 6 }'),
        ("villages", "negative", '{ method = "usual" }'),
        ("security", "positive", '{ method = "gaussian", deviation = 5 }'),
    ]
)
PRINTED = [
    [0, 0.296, 0.250, 0.268, 0.100, 0.185],
    [0.462, 0, 0.389, 0.333, 0.296, 0.500],
    [0.236, 0.180, 0, 0.333, 0.056, 0.429],
    [0.399, 0.505, 0.305, 0, 0.223, 0.212],
    [0.444, 0.515, 0.487, 0.380, 0, 0.448],
    [0.286, 0.399, 0.250, 0.432, 0.133, 0],
]


def test_the_six_hydroelectric_projects(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text(SYSTEM, encoding="utf-8")
    (tmp_path / "d.csv").write_text(PROJECTS, encoding="utf-8")
    score(tmp_path / "s.toml", tmp_path / "d.csv", out=tmp_path / "out")
    pairs = {(r["a"], r["b"]): r["preference"] for r in pl.read_csv(tmp_path / "out" / "outranking.csv").to_dicts()}
    for i, row in enumerate(PRINTED, start=1):
        for j, printed in enumerate(row, start=1):
            if i != j:
                assert abs(pairs[f"x{i}", f"x{j}"] - printed) < 0.001, (
                    i,
                    j,
                )  # the last printed digit is cut or rounded
    order = pl.read_csv(tmp_path / "out" / "orders.csv").sort("unit")
    assert np.abs(order["leaving"].to_numpy() - [0.220, 0.396, 0.247, 0.329, 0.455, 0.300]).max() < 0.001
    assert np.abs(order["entering"].to_numpy() - [0.365, 0.379, 0.336, 0.349, 0.162, 0.355]).max() < 0.001
    assert order.sort("rank")["unit"].to_list() == ["x5", "x2", "x4", "x6", "x3", "x1"]
    told = pl.read_csv(tmp_path / "out" / "parameters.csv").filter(step="preference", node="construction")
    assert dict(told.select("parameter", "value").iter_rows()) == {
        "function": None,
        "indifference": 0.5,
        "preference": 5.0,
    }


SCORE = st.one_of(st.none(), st.integers(-6, 6).map(float))
FUNCTION = st.sampled_from(
    [
        Step("usual"), Step("u_shape", {"indifference": 2}), Step("v_shape", {"preference": 4}),
        Step("level", {"indifference": 1, "preference": 3}), Step("linear", {"indifference": 1, "preference": 5}),
        Step("gaussian", {"deviation": 2}),
    ]
)  # fmt: skip


def preferred(d: float, step: Step) -> float:
    q, p, s = (step.options.get(n, 0.0) for n in ("indifference", "preference", "deviation"))
    match step.method:
        case "usual":
            return float(d > 0)
        case "u_shape":
            return float(d > q)
        case "v_shape":
            return max(0.0, min(1.0, d / p))
        case "level":
            return 0.0 if d <= q else 0.5 if d <= p else 1.0
        case "linear":
            return 0.0 if d <= q else 1.0 if d > p else (d - q) / (p - q)
    return 1 - math.exp(-d * d / (2 * s * s)) if d > 0 else 0.0


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 5), st.lists(FUNCTION, min_size=1, max_size=4), st.data())
def test_flows_are_those_of_plain_loops(units: int, functions: list[Step], data: st.DataObject) -> None:
    rows = data.draw(
        st.lists(st.lists(SCORE, min_size=len(functions), max_size=len(functions)), min_size=units, max_size=units)
    )
    w = data.draw(st.lists(st.sampled_from([1.0, 2.0, 4.0]), min_size=len(functions), max_size=len(functions)))

    def pi(a: int, b: int) -> float:
        common = [
            (v, preferred(x - y, f))
            for v, f, x, y in zip(w, functions, rows[a], rows[b], strict=True)
            if x is not None and y is not None
        ]
        return sum(v * d for v, d in common) / sum(v for v, _ in common) if common else 0.0

    scores = np.array([[math.nan if v is None else v for v in row] for row in rows])
    made = preference_flows(scores, np.array(w), functions)
    for a in range(units):
        others = [b for b in range(units) if b != a]
        assert made.preference[a, others].tolist() == pytest.approx([pi(a, b) for b in others])
        ahead, behind = sum(pi(a, b) for b in others), sum(pi(b, a) for b in others)
        assert made.net[a] == pytest.approx((ahead - behind) / max(1, units - 1))
    assert made.net.sum() == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(
    ("preference", "said"),
    [
        ('{ method = "linear", indifference = 6, preference = 5 }', "indifference 应小于 preference"),
        ('{ method = "gaussian" }', "缺 deviation"),
        ('{ method = "usual", deviation = 2 }', "没有选项 deviation"),
        ('{ method = "curved" }', "curved”不存在"),
    ],
)
def test_faulty_preferences_are_refused_with_their_place(tmp_path: Path, preference: str, said: str) -> None:
    (tmp_path / "s.toml").write_text(SYSTEM.replace('{ method = "usual" }', preference), encoding="utf-8")
    (tmp_path / "d.csv").write_text(PROJECTS, encoding="utf-8")
    with pytest.raises(DefinitionError, match=rf"s\.toml:\d+.*{said}"):
        score(tmp_path / "s.toml", tmp_path / "d.csv", out=tmp_path / "out")
