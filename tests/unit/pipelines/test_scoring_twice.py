"""The index engine against a second computation by plain formulas, written from docs/methods/index-engine.md; draws by plain SQL."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.methods.index.benefit_of_doubt import best_case
from pipelines.methods.index.definition import parse_system
from pipelines.methods.index.expert_weights import hierarchy_weights
from pipelines.methods.index.orders import borda_scores, copeland_scores, outranking
from pipelines.methods.index.score import score_years
from pipelines.methods.index.steps import Step
from pipelines.methods.index.table import unit_tables
from pipelines.methods.index.weights import factor_weights
from pipelines.scoring import score
from schemas.errors import DefinitionError

Column = list[float | None]
Group = dict[str, Any]


class RefusedError(Exception):
    """The page says that this has no result."""


def known(x: Column) -> list[float]:
    return [v for v in x if v is not None]


# ── 2 imputation, 3 outliers ────────────────────────────────────────────────────────────────────────────────────────
def filled(x: Column, classes: list[str], method: str, within: bool) -> Column:
    if method == "none":
        return x
    centre = statistics.fmean if method == "mean" else statistics.median
    found = list(x)
    for k, v in enumerate(x):
        mine = known([w for w, c in zip(x, classes, strict=True) if not within or c == classes[k]])
        if v is None and mine:
            found[k] = centre(mine)
    return found


def moments(x: list[float]) -> tuple[float, float]:
    """G1 and G2 from the sums of powers (the formulas of SKEW and KURT in words)."""
    n, s = len(x), statistics.stdev(x)
    m = statistics.fmean(x)
    if s == 0:
        return math.nan, math.nan
    third, fourth = (sum(((v - m) / s) ** p for v in x) for p in (3, 4))
    g1 = n / (n - 1) / (n - 2) * third
    g2 = n * (n + 1) / (n - 1) / (n - 2) / (n - 3) * fourth - 3 * (n - 1) ** 2 / (n - 2) / (n - 3)
    return g1, g2


def treated(x: Column, method: str) -> Column:
    values = known(x)
    low, high = min(values), max(values)
    if method == "winsorise":
        held = list(values)
        while True:
            g1, g2 = moments(held)
            moved = sum(a != b for a, b in zip(held, values, strict=True))
            if not (abs(g1) > 2 and g2 > 3.5) or moved >= 5:
                break
            order = sorted(set(held))
            worst, next_ = (order[-1], order[-2]) if g1 > 0 else (order[0], order[1])
            held = [next_ if v == worst else v for v in held]
        low, high = min(held), max(held)
    elif method == "mad":
        middle = statistics.median(values)
        reach = 3 * 1.4826 * statistics.median([abs(v - middle) for v in values])
        if reach > 0:
            low, high = middle - reach, middle + reach
    elif method == "log_shifted":
        shift = -low + 0.01 * (high - low)
        return x if high == low else [None if v is None else math.log(v + shift) for v in x]
    return [None if v is None else max(low, min(high, v)) for v in x]


# ── 4 normalisation ─────────────────────────────────────────────────────────────────────────────────────────────────
def scored(x: Column, method: str, direction: int) -> Column:
    values = known(x)

    def rank(v: float) -> float:  # from the worst, ties averaged
        worse = sum((w - v) * direction < 0 for w in values)
        return worse + (values.count(v) + 1) / 2

    def one(v: float) -> float:
        match method:
            case "minmax":
                low, high = min(values), max(values)
                return 50.0 if low == high else ((v - low) if direction > 0 else (high - v)) / (high - low) * 100
            case "zscore":
                s = statistics.stdev(values)
                z = 50.0 if s == 0 else 50 + 10 * direction * (v - statistics.fmean(values)) / s
                return max(0.0, min(100.0, z))
            case "goalposts":  # 10 and 60
                share = (v - 10) / 50 if direction > 0 else (60 - v) / 50
                return max(0.0, min(100.0, share * 100))
            case "rank":
                return rank(v)
            case "percentile":
                return (rank(v) - 1) / (len(values) - 1) * 100
            case _:
                return rank(v) - 1

    if method == "zscore" and len(values) < 5:
        raise RefusedError
    return [None if v is None else one(v) for v in x]


# ── 5 weights ───────────────────────────────────────────────────────────────────────────────────────────────────────
def weights(given_: list[float], method: str, children: list[Column]) -> list[float]:
    rows = [row for row in zip(*children, strict=True) if None not in row]
    columns = [[float(v) for v in c if v is not None] for c in zip(*rows, strict=True)] if rows else []
    if method == "given":
        return [w / sum(given_) for w in given_]
    if method == "equal":
        return [1 / len(children)] * len(children)
    if method == "combined":
        own, data = weights(given_, "given", children), weights(given_, "entropy", children)
        return [0.7 * a + 0.3 * b for a, b in zip(own, data, strict=True)]
    if method == "entropy":
        if len(rows) < 5:
            raise RefusedError
        information = []
        for c in columns:
            if max(c) == min(c):
                information.append(0.0)
                continue
            z = [(v - min(c)) / (max(c) - min(c)) + 1e-6 for v in c]
            p = [v / sum(z) for v in z]
            information.append(1 + sum(v * math.log(v) for v in p) / math.log(len(p)))
        if sum(information) < 1e-12:
            raise RefusedError
        return [v / sum(information) for v in information]
    assert method == "pca"
    if len(rows) < 3 or any(len(set(c)) == 1 for c in columns):
        raise RefusedError
    z = np.array([[(v - statistics.fmean(c)) / statistics.pstdev(c) for v in c] for c in columns])
    left, strength, _ = np.linalg.svd(z)
    if len(strength) > 1 and strength[0] ** 2 - strength[1] ** 2 < 1e-6 * strength[0] ** 2:
        raise RefusedError  # two equal components: any direction between them will do
    return [float(v) ** 2 for v in left[:, 0]]


# ── 6 aggregation ───────────────────────────────────────────────────────────────────────────────────────────────────
def mean(group: Group, w: list[float], s: list[float | None], covered: list[float]) -> tuple[float | None, float]:
    """(score, coverage) of one unit in one group."""
    share = sum(a * c for a, c, v in zip(w, covered, s, strict=True) if v is not None) / sum(w)
    there = [(a, v) for a, v in zip(w, s, strict=True) if v is not None]
    least = 1.0 if group["missing"] == "null" else group["minimum"]
    if not there or share < least - 1e-9 or sum(a for a, _ in there) <= 0:
        return None, share
    if group["missing"] == "base":
        return sum(a * v for a, v in there) / sum(w), share
    total, power = sum(a for a, _ in there), group["power"]
    if power == 1:
        return sum(a * v for a, v in there) / total, share
    raised = [(a, max(v, 0.01)) for a, v in there]
    if power == 0:
        return math.prod(v ** (a / total) for a, v in raised), share
    return (sum(a * v**power for a, v in raised) / total) ** (1 / power), share


# ── whole systems on arbitrary tables ───────────────────────────────────────────────────────────────────────────────
FIGURE = st.one_of(st.integers(0, 70).map(float), st.sampled_from([900.0, 5000.0, 0.5]))
LEAF = st.fixed_dictionaries(
    {
        "imputation": st.sampled_from([("none", False), ("mean", False), ("median", True), ("mean", True)]),
        "outliers": st.sampled_from(["none", "winsorise", "mad", "log_shifted"]),
        "normalisation": st.sampled_from(["minmax", "zscore", "goalposts", "rank", "percentile", "borda"]),
        "direction": st.sampled_from([1, -1]),
        "weight": st.sampled_from([1.0, 2.0, 5.0]),
    }
)
GROUP = st.fixed_dictionaries(
    {
        "weights": st.sampled_from(["given", "given", "equal", "entropy", "pca", "combined"]),
        "power": st.sampled_from([1.0, 1.0, 0.0, -1.0, 2.0]),
        "missing": st.sampled_from(["redistribute", "null"]),
        "minimum": st.sampled_from([0.0, 0.5, 0.7]),
        "weight": st.sampled_from([1.0, 3.0]),
    }
).map(lambda g: g | ({"missing": "base"} if g["power"] == 1 and g["minimum"] == 0.5 else {}))
NAMES = {1.0: "arithmetic", 0.0: "geometric", -1.0: "harmonic"}


def definition(root: Group, groups: list[tuple[Group, list[dict[str, Any]]]]) -> dict[str, Any]:
    def entry(id_: str, parent: str, g: Group) -> dict[str, Any]:
        power = g["power"]
        how = {"method": NAMES[power]} if power in NAMES else {"method": "power", "power": power}
        own = {"aggregation": how | {"missing": g["missing"], "minimum_coverage": g["minimum"]}, "weights": {"method": g["weights"]}}  # fmt: skip
        return {"id": id_, "name": id_, "weight": g["weight"], **own} | ({"parent": parent} if parent else {})

    leaves = []
    for n, (_, own) in enumerate(groups):
        for k, leaf in enumerate(own):
            method, within = leaf["imputation"]
            posts = {"worst": 10, "best": 60} if leaf["direction"] > 0 else {"worst": 60, "best": 10}
            leaves.append(
                {
                    "id": f"i{n}{k}", "name": "x", "parent": f"g{n}", "weight": leaf["weight"],
                    "direction": "positive" if leaf["direction"] > 0 else "negative",
                    "imputation": {"method": method} | ({"within": "class"} if within else {}),
                    "outliers": {"method": leaf["outliers"]},
                    "normalisation": {"method": leaf["normalisation"]} | (posts if leaf["normalisation"] == "goalposts" else {}),
                }
            )  # fmt: skip
    head = {"data": {"unit": "unit", "class": "kind"}}
    return head | {
        "group": [entry("T", "", root), *(entry(f"g{n}", "T", g) for n, (g, _) in enumerate(groups))],
        "indicator": leaves,
    }


@settings(max_examples=40, deadline=None)
@given(st.data(), GROUP, st.lists(st.tuples(GROUP, st.lists(LEAF, min_size=2, max_size=3)), min_size=2, max_size=3))
def test_scores_are_what_plain_formulas_make_them(
    data: st.DataObject, root: Group, groups: list[tuple[Group, list[dict[str, Any]]]]
) -> None:
    units = data.draw(st.integers(8, 14))
    classes = [("a", "b")[k % 2] for k in range(units)]
    table: dict[str, Column] = {}
    for n, (_, leaves) in enumerate(groups):
        for k in range(len(leaves)):
            column: Column = list(data.draw(st.lists(FIGURE, min_size=units, max_size=units)))
            for gone in data.draw(st.lists(st.integers(0, units - 1), max_size=2)):
                column[gone] = None
            table[f"i{n}{k}"] = column
    system = parse_system(definition(root, groups), lambda key, value: "")
    texts = {"unit": [f"u{k:02}" for k in range(units)], "kind": classes}
    frame = pl.DataFrame(
        texts | {c: ["" if v is None else repr(v) for v in column] for c, column in table.items()},
        schema_overrides=dict.fromkeys(table, pl.String),
    )
    try:
        scores: list[Column] = []
        covers: list[list[float]] = []
        for n, (group, leaves) in enumerate(groups):
            below = []
            for k, leaf in enumerate(leaves):
                own = filled(table[f"i{n}{k}"], classes, *leaf["imputation"])
                below.append(scored(treated(own, leaf["outliers"]), leaf["normalisation"], leaf["direction"]))
            w = weights([leaf["weight"] for leaf in leaves], group["weights"], below)
            means = [mean(group, w, list(s), [1.0] * len(s)) for s in zip(*below, strict=True)]
            scores.append([m for m, _ in means])
            covers.append([c for _, c in means])
        w = weights([g["weight"] for g, _ in groups], root["weights"], scores)
        total = [mean(root, w, list(s), list(c)) for s, c in zip(zip(*scores, strict=True), zip(*covers, strict=True), strict=True)]  # fmt: skip
    except RefusedError:
        return  # refusals have their own tests; what is judged here is what comes out
    try:
        (made,) = score_years(system, unit_tables(frame, system, "t"), {})
    except DefinitionError as error:
        pytest.fail(f"refused without a reason on the page: {error}")
    for n, column in enumerate(scores):
        found = made.means[f"g{n}"].scores.tolist()
        expected = [math.nan if v is None else v for v in column]
        assert found == pytest.approx(expected, nan_ok=True, rel=1e-6, abs=1e-6), f"g{n}"
    expected = [math.nan if v is None else v for v, _ in total]
    assert made.means["T"].scores.tolist() == pytest.approx(expected, nan_ok=True, rel=1e-6, abs=1e-6)
    assert made.means["T"].coverage.tolist() == pytest.approx([c for _, c in total])


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 5), st.integers(1, 4), st.data())
def test_majorities_are_counted_as_the_page_counts_them(units: int, indicators: int, data: st.DataObject) -> None:
    whole = st.lists(st.integers(0, 3).map(float), min_size=indicators, max_size=indicators)
    rows = data.draw(st.lists(whole, min_size=units, max_size=units))
    w = data.draw(st.lists(st.sampled_from([1.0, 2.0, 4.0]), min_size=indicators, max_size=indicators))
    w = [v / sum(w) for v in w]

    def ahead(a: int, b: int) -> float:
        return sum(v * (1.0 if x > y else 0.5 if x == y else 0.0) for v, x, y in zip(w, rows[a], rows[b], strict=True))

    matrix = outranking(np.array(rows), np.array(w))
    assert [matrix[a, b] for a in range(units) for b in range(units) if a != b] == pytest.approx(
        [ahead(a, b) for a in range(units) for b in range(units) if a != b]
    )
    copeland = [
        sum((ahead(a, b) > 0.5 + 1e-9) - (ahead(a, b) < 0.5 - 1e-9) for b in range(units) if b != a)
        for a in range(units)
    ]
    assert copeland_scores(matrix).tolist() == copeland
    borda = [sum(ahead(a, b) for b in range(units) if b != a) for a in range(units)]
    assert borda_scores(np.array(rows), np.array(w)).tolist() == pytest.approx(borda)


# ── 5 weights that need more than a formula ─────────────────────────────────────────────────────────────────────────
MARK = st.integers(1, 99).map(float)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(MARK, MARK), min_size=3, max_size=7), st.sampled_from([(0.0, 1.0), (0.2, 0.8), (0.4, 0.7)]))
def test_benefit_of_the_doubt_is_the_best_corner(rows: list[tuple[float, float]], ends: tuple[float, float]) -> None:
    """Two weights: the best point of the polygon Σ w x ≤ 1 of all units, with shares of the own total within bounds, is a corner."""
    low, high = ends
    made = best_case(np.array(rows), np.full(2, low), np.full(2, high), "g")
    for unit, (x, y) in enumerate(rows):
        lines = [(a, b, 1.0) for a, b in rows] + [(-1.0, 0.0, 0.0), (0.0, -1.0, 0.0)]
        lines += [
            ((low - 1) * x, low * y, 0.0),
            (low * x, (low - 1) * y, 0.0),
        ]  # low (w x + v y) ≤ w x, the same for v y
        lines += [((1 - high) * x, -high * y, 0.0), (-high * x, (1 - high) * y, 0.0)]
        best = 0.0
        for n, (a, b, c) in enumerate(lines):
            for d, e, f in lines[:n]:
                if abs(determinant := a * e - b * d) > 1e-9:
                    w, v = (c * e - b * f) / determinant, (a * f - c * d) / determinant
                    if all(p * w + q * v <= r + 1e-9 for p, q, r in lines):
                        best = max(best, w * x + v * y)
        assert made.scores[unit] == pytest.approx(best, abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.sampled_from([1 / 3, 1 / 2, 1, 2, 3]), min_size=3, max_size=3), min_size=1, max_size=3))
def test_pairwise_weights_are_the_limit_of_repeated_multiplication(experts: list[list[float]]) -> None:
    matrices = {}
    for n, (ab, ac, bc) in enumerate(experts):
        matrices[str(n)] = np.array([[1, ab, ac], [1 / ab, 1, bc], [1 / ac, 1 / bc, 1]])

    def limit(matrix: list[list[float]]) -> tuple[list[float], float]:
        w, size = [1 / 3] * 3, 3.0
        for _ in range(400):
            product = [sum(a * b for a, b in zip(row, w, strict=True)) for row in matrix]
            size = sum(product)
            w = [v / size for v in product]
        return w, size

    joint = [[math.prod(m[i][j] for m in matrices.values()) ** (1 / len(experts)) for j in range(3)] for i in range(3)]
    ratios = [(limit(m.tolist())[1] - 3) / 2 / 0.58 for m in matrices.values()]  # Saaty's random index of three
    if max(ratios) > 0.10:
        with pytest.raises(DefinitionError):
            hierarchy_weights(matrices, 0.10, "f")
    else:
        assert hierarchy_weights(matrices, 0.10, "f").values.tolist() == pytest.approx(limit(joint)[0])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(MARK, min_size=4, max_size=4), min_size=7, max_size=14))
def test_factor_weights_are_those_of_the_best_plane_rotation(rows: list[list[float]]) -> None:
    """Two factors: Kaiser's criterion is a sine of four times the angle, so a fine search over a quarter turn finds its top."""
    columns = list(zip(*rows, strict=True))
    if any(len(set(c)) == 1 for c in columns):
        return
    z = np.array([[(v - statistics.fmean(c)) / statistics.pstdev(c) for v in c] for c in columns])
    left, strength, _ = np.linalg.svd(z)
    share = strength**2 / len(rows)
    loadings = [[left[i, k] * share[k] ** 0.5 for k in range(2)] for i in range(4)]

    def turned(angle: float) -> list[list[float]]:
        c, s = math.cos(angle), math.sin(angle)
        return [[a * c + b * s, b * c - a * s] for a, b in loadings]

    def criterion(angle: float) -> float:
        return sum(statistics.pvariance([row[k] ** 2 for row in turned(angle)]) for k in range(2))

    best = max((k * math.pi / 720 for k in range(360)), key=criterion)
    for step in (1e-3, 1e-4, 1e-5, 1e-6):
        best = max((best + k * step for k in range(-10, 11)), key=criterion)
    spread = max(criterion(best + k * math.pi / 16) for k in range(8)) - min(criterion(best + k * math.pi / 16) for k in range(8))  # fmt: skip
    squared = [[v * v for v in row] for row in turned(best)]
    explained = [sum(row[k] for row in squared) for k in range(2)]
    owned = [max((row[k] / explained[k], k) for k in range(2)) for row in squared]
    close = any(abs(row[0] / explained[0] - row[1] / explained[1]) < 1e-3 for row in squared)
    if share[0] - share[1] < 1e-6 or share[1] - share[2] < 1e-6 or spread < 1e-3 or close:
        return  # no best rotation, or an indicator that could belong to either factor
    raw = [part * explained[k] for part, k in owned]
    made = factor_weights(np.array(rows), Step("factor", {"factors": 2}), "g").values
    assert made.tolist() == pytest.approx([v / sum(raw) for v in raw], abs=1e-4)


# ── 9 uncertainty: from the exported draws by plain SQL ─────────────────────────────────────────────────────────────
SYSTEM = """
title = "试验"
[data]
unit = "unit"
class = "kind"
[ranking]
within = "class"
[uncertainty]
normalisation = ["nominal", "rank"]
aggregation = ["nominal", "geometric"]
errors = { imputed = 0.2, E = 0.3 }
level = 0.8
[imputation]
method = "mean"
[[group]]
id = "T"
name = "总"
[[indicator]]
id = "x"
name = "x"
parent = "T"
weight = 2
[[indicator]]
id = "y"
name = "y"
parent = "T"
weight = 1
[[indicator]]
id = "z"
name = "z"
parent = "T"
weight = 1
direction = "negative"
"""
DATA = """unit,kind,x,y,z,x.status
A,a,10,4,3,E
B,a,10,4,3,A
C,a,8,6,1,A
D,b,3,9,,A
E,b,7,7,2,E
F,b,,2,6,A
"""
DRAWS = "draws.parquet"
LONG = """
CREATE TEMP TABLE long AS SELECT draw, unit, kind, on_scale, round(score, 6) AS score, score AS exact FROM
    (UNPIVOT (SELECT row_number() OVER () AS draw, * FROM '{folder}/draws.parquet') ON COLUMNS(* EXCLUDE draw) INTO NAME unit VALUE score)
    JOIN read_csv('{folder}/data.csv') USING (unit)
    JOIN (SELECT row_number() OVER () AS draw, normalisation = 'nominal' AS on_scale FROM '{folder}/draw_choices.parquet') USING (draw)
"""
INTERVALS = """
WITH placed AS (SELECT *, rank() OVER (PARTITION BY draw, kind ORDER BY score DESC) AS place FROM long)
SELECT unit, quantile_disc(place, 0.1), quantile_disc(place, 0.5), list_sort(list(place))[1 + CAST(ceil((count(*) - 1) * 0.9) AS INT)],
    quantile_cont(exact, 0.1) FILTER (on_scale), quantile_cont(exact, 0.5) FILTER (on_scale), quantile_cont(exact, 0.9) FILTER (on_scale), avg(CASE WHEN place = 1 THEN 1.0 ELSE 0 END)
FROM placed GROUP BY unit ORDER BY unit
"""
AHEAD = """
SELECT a.unit, b.unit, avg(CASE WHEN round(a.exact, 9) > round(b.exact, 9) THEN 1 WHEN round(a.exact, 9) = round(b.exact, 9) THEN 0.5 ELSE 0 END)
FROM long a JOIN long b ON a.draw = b.draw AND a.kind = b.kind AND a.unit <> b.unit GROUP BY ALL ORDER BY ALL
"""


def test_intervals_and_odds_are_what_plain_sql_makes_of_the_exported_draws(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text(SYSTEM, encoding="utf-8")
    (tmp_path / "data.csv").write_text(DATA, encoding="utf-8")
    score(tmp_path / "s.toml", tmp_path / "data.csv", draws=401, seed=7, out=tmp_path)
    told = {r["unit"]: r for r in pl.read_csv(tmp_path / "uncertainty.csv").to_dicts()}
    odds = {(r["a"], r["b"]): r["probability"] for r in pl.read_csv(tmp_path / "ahead.csv").to_dicts()}
    with duckdb.connect() as con:
        con.execute(LONG.format(folder=tmp_path))
        assert con.sql("SELECT count(*) FROM long").fetchall() == [(6 * 401,)]
        for unit, *expected in con.sql(INTERVALS).fetchall():
            names = ("rank_low", "rank_median", "rank_high", "score_low", "score_median", "score_high", "first")
            assert [told[unit][n] for n in names] == pytest.approx([float(v) for v in expected]), unit
        shares = {(a, b): float(p) for a, b, p in con.sql(AHEAD).fetchall()}
    assert odds == pytest.approx(shares)
    assert Counter(p in (0.0, 1.0) for p in odds.values())[False] > 2  # the draws really cross
