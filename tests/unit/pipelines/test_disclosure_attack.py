"""The attacker and the pattern over many parts at once, against one plain linear programme a cell and side."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
import scipy.optimize
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from pipelines.methods.disclosure import Layout, Rules, Spec, attack, attacked, complement, protect, solver
from pipelines.methods.disclosure.movable import chunks, movable_cells, move
from pipelines.methods.disclosure.table import AdditiveTable, Equation, Flags, alone, flags, opened_by_singletons
from schemas.marts import PART_COLUMNS, conform

linprog: Any = scipy.optimize.linprog


def table_of(
    values: list[float], equations: list[Equation], primary: list[int], *, unbounded: bool = False, **more: object
) -> AdditiveTable:
    """A table in which nothing is known of the cells but that they are not negative (or nothing at all)."""
    value, none = np.array(values, dtype=float), flags(len(values))
    asked = flags(len(values), primary)
    plain = AdditiveTable(
        values=value, primary=asked, free=none, fixed=none, kept=none, owner=np.full(len(values), -1),
        need=np.where(asked, 0.15 * np.abs(value), 0.0), cost=np.abs(value),
        below=np.full(len(values), np.inf) if unbounded else np.abs(value), above=np.full(len(values), np.inf),
        empty=none, equations=tuple(equations),
    )  # fmt: skip
    return replace(plain, **more)  # type: ignore[arg-type]


def beside(*tables: AdditiveTable) -> AdditiveTable:
    """Tables as parts of one that do not touch."""
    starts = np.cumsum([0, *(t.size for t in tables)])
    names = ("values", "primary", "free", "fixed", "kept", "owner", "need", "cost", "below", "above", "empty")
    arrays = {name: np.concatenate([getattr(t, name) for t in tables]) for name in names}
    equal = [
        Equation(int(e.total + start), tuple(int(i + start) for i in e.parts))
        for t, start in zip(tables, starts, strict=False)
        for e in t.equations
    ]
    return AdditiveTable(**arrays, equations=tuple(equal))


def areas_by_categories(inner: np.ndarray, counts: np.ndarray, halves: int) -> AdditiveTable:
    """Zones by categories with both margins, and the first categories added up to one of their own (section, division)."""
    zones, categories = inner.shape
    whole = np.vstack([inner, inner.sum(axis=0)])
    number = np.vstack([counts, counts.sum(axis=0)])
    upper = whole[:, :halves].sum(axis=1, keepdims=True)
    values = np.hstack([whole, upper, whole.sum(axis=1, keepdims=True)])
    n = np.hstack([number, number[:, :halves].sum(axis=1, keepdims=True), number.sum(axis=1, keepdims=True)])
    at = np.arange(values.size).reshape(values.shape)
    equal = [Equation(int(row[categories]), tuple(map(int, row[:halves]))) for row in at]
    equal += [
        Equation(int(row[categories + 1]), (int(row[categories]), *map(int, row[halves:categories]))) for row in at
    ]
    equal += [Equation(int(column[zones]), tuple(map(int, column[:zones]))) for column in at.T]
    primary = np.flatnonzero((n.ravel() > 0) & (n.ravel() < 3) & (values.ravel() > 0))
    table = table_of(values.ravel().tolist(), equal, primary.tolist(), empty=values.ravel() == 0)
    return replace(table, owner=np.where(n.ravel() == 1, np.arange(values.size), -1))


@st.composite
def tables(draw: st.DrawFn) -> AdditiveTable:
    """A table of zones and categories; figures spread over nine powers of ten, or without a known least value."""
    zones, categories = draw(st.integers(2, 4)), draw(st.integers(3, 5))
    size = zones * categories
    amounts = st.one_of(st.just(0), st.integers(1, 50), st.integers(1, 9).map(lambda d: d * 10**8))
    inner = np.array(draw(st.lists(amounts, min_size=size, max_size=size)), dtype=float).reshape(zones, categories)
    counts = np.array(draw(st.lists(st.integers(1, 6), min_size=size, max_size=size))).reshape(zones, categories)
    table = areas_by_categories(inner, counts * (inner > 0), draw(st.integers(1, categories - 1)))
    free = table.empty if draw(st.booleans()) else flags(table.size)
    far = np.full(table.size, np.inf) if draw(st.booleans()) else table.below
    return replace(table, below=far, free=free & ~table.primary, empty=table.empty & ~free)


@st.composite
def hidden_tables(draw: st.DrawFn) -> tuple[AdditiveTable, Flags]:
    """A table and any cells hidden besides those that must be."""
    table = draw(tables())
    more = draw(st.lists(st.integers(0, table.size - 1), max_size=8))
    return table, table.hidden_at_first() | (flags(table.size, more) & table.candidates)


def reach(table: AdditiveTable, hidden: Flags, cell: int, direction: float) -> float:
    """How far a cell can move: one linear programme over the whole table, in units of what the cell needs."""
    unit = float(table.need[cell])
    able = hidden & ~table.fixed & ~table.empty
    lower = np.where(able, -table.below / unit, 0.0)
    upper = np.where(able, table.above / unit, 0.0)
    objective = np.zeros(table.size)
    objective[cell] = -direction
    bounds = np.column_stack([lower, upper])
    bounds[cell] = np.clip(bounds[cell], -10, 10)  # further than ten times its need is as good as any distance
    matrix = table.matrix
    found = linprog(objective, A_eq=matrix, b_eq=np.zeros(matrix.shape[0]), bounds=bounds, method="highs")
    assert found.status == 0
    return float(-found.fun)


def narrowed(table: AdditiveTable, hidden: Flags, margin: float) -> set[int]:
    """Hidden primary cells that cannot move ``margin`` times their protection on one side."""
    asked = np.flatnonzero(table.primary & (table.need > 0) & hidden)
    return {int(c) for c in asked if min(reach(table, hidden, int(c), s) for s in (1.0, -1.0)) < margin}


# What the quick methods say holds in the plain programme
@settings(max_examples=25, deadline=None)
@given(hidden_tables())
def test_a_joint_movement_never_clears_what_a_programme_of_its_own_finds_exposed(
    case: tuple[AdditiveTable, Flags],
) -> None:
    table, hidden = case
    open_ = attack.not_cleared(table, hidden)
    for cell in np.flatnonzero(table.primary & (table.need > 0) & hidden):
        if not open_.up[cell]:
            assert reach(table, hidden, int(cell), 1.0) >= 1 - 1e-4
        if not open_.down[cell]:
            assert reach(table, hidden, int(cell), -1.0) >= 1 - 1e-4


@settings(max_examples=25, deadline=None)
@given(hidden_tables())
def test_the_attacker_exposes_what_the_plain_programmes_expose(case: tuple[AdditiveTable, Flags]) -> None:
    table, hidden = case
    found = set(attack.exposed(table, hidden))
    assert narrowed(table, hidden, 1 - 1e-4) <= found <= narrowed(table, hidden, 1 + 1e-4)


@settings(max_examples=25, deadline=None)
@given(tables(), st.sampled_from([None, False]))
def test_a_pattern_protects_by_the_plain_programmes_and_leaves_none_alone(
    table: AdditiveTable, exact: bool | None
) -> None:
    found = complement.suppress(table, exact=exact)
    assert found.hidden[table.primary].all()
    assert narrowed(table, found.hidden, 1 - 1e-4) <= set(found.exposed)
    for number in (*alone(table, found.hidden), *opened_by_singletons(table, found.hidden)):
        assert set(table.equations[number].cells) & set(found.exposed)


@settings(max_examples=12, deadline=None)
@given(st.lists(hidden_tables(), min_size=2, max_size=4))
def test_parts_that_do_not_touch_are_attacked_as_if_alone(cases: list[tuple[AdditiveTable, Flags]]) -> None:
    both = beside(*(table for table, _ in cases))
    hidden = np.concatenate([h for _, h in cases])
    starts = np.cumsum([0, *(table.size for table, _ in cases)])
    each = [cell + start for (table, h), start in zip(cases, starts, strict=False) for cell in attack.exposed(table, h)]
    assert attack.exposed(both, hidden) == [int(i) for i in each]


@pytest.mark.parametrize(("second", "up"), [(14.999, True), (14.5, True), (15.0, False), (16.0, False)])
def test_a_cell_that_falls_a_little_short_of_its_protection_is_exposed(second: float, up: bool) -> None:
    # 100 + second is shown: the first can rise by what the second can fall, and fall by what it has.
    table = table_of([100.0 + second, 100, second, 1e9, 1e9 - 1, 1], [Equation(0, (1, 2)), Equation(3, (4, 5))], [1])
    hidden = flags(6, [1, 2, 4, 5])
    open_ = attack.not_cleared(table, hidden)
    assert (bool(open_.up[1]), bool(open_.down[1])) == (up, False)
    assert attack.exposed(table, hidden) == ([1] if up else [])
    shown = complement.suppress(replace(table, fixed=flags(6, [0])), exact=False)
    assert set(shown.exposed) == ({1} if up else set())


# Intervals
def test_intervals_of_a_published_example() -> None:
    # 20 = a + b, 30 = c + d, 25 = a + c, 25 = b + d: a lies in 0 to 20 and the others follow.
    values = [8.0, 12, 17, 13, 20, 30, 25, 25]
    equal = [Equation(4, (0, 1)), Equation(5, (2, 3)), Equation(6, (0, 2)), Equation(7, (1, 3))]
    table = table_of(values, equal, [0])
    seen = [(round(i.low, 6), round(i.high, 6)) for i in attack.intervals(table, flags(8, [0, 1, 2, 3]))]
    assert seen == [(0, 20), (0, 20), (5, 25), (5, 25)]


def test_a_side_without_limit_is_infinite_and_a_shown_cell_is_known() -> None:
    table = table_of([10.0, 4, 6], [Equation(0, (1, 2))], [1])
    total_hidden, shown = attack.intervals(table, flags(3, [0, 1]), np.array([0, 2]))
    assert total_hidden.low == pytest.approx(6) and total_hidden.high == float("inf")
    assert (shown.low, shown.high) == (6, 6)
    lost = attack.intervals(table_of([1.0, 4, -3], [Equation(0, (1, 2))], [1], unbounded=True), flags(3, [1, 2]))
    assert [(i.low, i.high) for i in lost] == [(float("-inf"), float("inf"))] * 2


def test_a_cell_no_equation_ties_is_limited_by_what_is_known_beforehand() -> None:
    table = table_of([10.0], [], [0], above=np.array([2.0]))
    (seen,) = attack.intervals(table, flags(1, [0]))
    assert (seen.low, seen.high) == (0, 12)
    assert attack.exposed(table, flags(1, [0])) == []
    narrow = replace(table, above=np.array([1.0]))
    assert attack.exposed(narrow, flags(1, [0])) == [0]


# Many parts a call
def test_a_part_without_a_least_movement_does_not_spoil_the_others() -> None:
    pair = table_of([10.0, 4, 6], [Equation(0, (1, 2))], [1])
    both = beside(pair, pair)
    movable = movable_cells(both, flags(6, [0, 1, 4, 5]))
    bounds = np.column_stack([-movable.below, movable.above])
    objective = np.where(np.isin(movable.cells, [0, 4]), -1.0, 0.0)  # the first total has no limit, the second part has
    found = dict(zip(movable.cells.tolist(), move(movable, np.array([0, 1]), objective, bounds).tolist(), strict=True))
    assert found == {0: 0.0, 1: 0.0, 4: 6.0, 5: -6.0}


def test_stretches_of_parts_stay_under_the_limit_where_they_can() -> None:
    assert list(chunks(np.array([3, 3, 9, 1, 1]), 6)) == [slice(0, 2), slice(2, 3), slice(3, 5)]
    assert list(chunks(np.array([], dtype=np.int64), 6)) == []


@given(st.integers(0, 10_000))
def test_reaches_from_the_last_optimum_are_those_of_programmes_solved_alone(seed: int) -> None:
    random = np.random.default_rng(seed)
    rows, columns = int(random.integers(1, 6)), int(random.integers(2, 12))
    equal = sparse.csr_matrix(random.choice([-1.0, 0.0, 1.0], p=[0.3, 0.4, 0.3], size=(rows, columns)))
    bounds = np.column_stack([-random.integers(0, 20, columns), random.integers(0, 20, columns)]).astype(float)
    targets = np.arange(columns)
    alone = np.zeros((columns, 2))
    for k in targets:
        for side, sign in enumerate((1.0, -1.0)):
            found = solver.least(np.where(targets == k, sign, 0.0), equal, bounds)
            assert found is not None
            alone[k, side] = abs(found.values[k])
    assert solver.reaches(equal, bounds, targets) == pytest.approx(alone, abs=1e-6)


def release(zones: int, categories: int, parts: int) -> AdditiveTable:
    """Many indicators of one shape, as in a release."""
    random = np.random.default_rng(zones * categories)
    shape = (zones, categories)
    made = []
    for _ in range(parts):
        counts = random.integers(0, 7, shape)
        amounts = np.round(np.exp(random.normal(6, 2, shape))) * (counts > 0)
        made.append(areas_by_categories(amounts, counts, categories // 2))
    return beside(*made)


def test_calls_of_the_solver_grow_with_the_busiest_part_not_with_the_number_of_parts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    called: list[int] = []
    least = solver.least

    def counted(objective: np.ndarray, equal: object, bounds: np.ndarray) -> solver.Solution | None:
        called.append(len(objective))
        return least(objective, equal, bounds)  # type: ignore[arg-type]

    monkeypatch.setattr(solver, "least", counted)
    table = release(5, 9, 60)
    found = complement.suppress(table, exact=False)
    assert found.heuristic == 60 and not found.exposed
    primaries = int((table.primary & (table.need > 0)).sum())
    assert primaries > 700  # a programme a cell and side would be some 1,400
    assert len(called) < 120


def test_the_same_release_has_the_same_pattern_in_every_run() -> None:
    table = release(4, 6, 12)
    first, second = complement.suppress(table), complement.suppress(table)
    assert first.hidden.tobytes() == second.hidden.tobytes() and first.exposed == second.exposed


# A single unit that left a group
def test_what_cancels_out_in_a_group_is_one_units_own() -> None:
    # now 0 = kept 0 + gone -7 + before 7: the unit that left sees itself twice.
    table = table_of([0.0, 0, -7, 7], [Equation(0, (1, 2, 3))], [2, 3], unbounded=True)
    table = replace(table, empty=flags(4, [0, 1]))
    one = replace(table, owner=np.array([-1, -1, 5, 5]))
    two = replace(table, owner=np.array([-1, -1, 5, 6]))
    assert opened_by_singletons(one, flags(4, [2, 3])) == []
    assert opened_by_singletons(two, flags(4, [2, 3])) == [0]
    same_sign = replace(one, values=np.array([14.0, 0, 7, 7]))
    assert opened_by_singletons(same_sign, flags(4, [2, 3])) == [0]
    assert not complement.suppress(one).exposed and set(complement.suppress(two).exposed) == {2, 3}


# Over time
def mart(groups: dict[str, tuple[int, float]], total: float) -> tuple[pl.DataFrame, pl.DataFrame]:
    """One row of categories: units and value, and their total."""
    rows = [("industry", c, n, v) for c, (n, v) in groups.items()] + [("total", "T", 99, total)]
    cells = [
        {"row_key": c, "period": "2025", "area": "P", "breakdown": b, "category": c, "value": v, "status": "A"}
        for b, c, _, v in rows
    ]
    parts = [
        {"row_key": c, "part": "SUM(F01)", "role": "level", "n": n, "max1": v / n, "max2": v / n, "total": v}
        | {"administrative": False}
        for _, c, n, v in rows
    ]
    return conform(pl.DataFrame(cells)), pl.DataFrame(parts, schema=PART_COLUMNS)


GROUPS = {"A": (1, 10.0), "B": (20, 40.0), "C": (20, 4.0), "D": (20, 90.0)}


def test_a_release_made_again_hides_the_same_cells_and_can_go_out() -> None:
    # C hides A only together with B: a complement need not be protected itself when it is hidden again.
    first = protect(*mart(GROUPS, 144.0), Spec(Rules(dominance_one=0, dominance_two=0)))
    again = protect(*mart(GROUPS, 144.0), Spec(Rules(dominance_one=0, dominance_two=0), earlier=first.published_atoms))
    assert first.exposed.height == again.exposed.height == 0
    assert again.cells.equals(first.cells) and again.report.equals(first.report)
    third = Spec(
        Rules(dominance_one=0, dominance_two=0), earlier=pl.concat([first.published_atoms, again.published_atoms])
    )
    assert protect(*mart(GROUPS, 144.0), third).cells.equals(first.cells)


def test_a_complement_stays_hidden_while_its_value_stands_whatever_becomes_of_the_cell_it_hides() -> None:
    first = protect(*mart(GROUPS, 144.0), Spec(Rules()))
    kept = set(first.report.filter(kind="complement")["category"])
    now = mart({**GROUPS, "A": (6, 60.0)}, 194.0)  # A has six units now and may be shown
    found = protect(*now, Spec(Rules(), earlier=first.published_atoms))
    assert kept <= set(found.cells.filter(status="C")["category"]) and found.exposed.height == 0
    assert not attacked(found, Spec(Rules()))["recovered"].any()


def test_what_no_release_published_binds_no_later_one() -> None:
    cells, parts = mart(GROUPS, 144.0)
    unshown = cells.with_columns(value=pl.when(pl.col("category") == "D").then(None).otherwise("value"))
    first = protect(unshown, parts, Spec(Rules(), Layout()))
    assert first.published_atoms.filter(category="D").select("hidden", "reason").row(0) == (True, None)
    found = protect(cells, parts, Spec(Rules(), earlier=first.published_atoms))
    assert "earlier" not in set(found.report["reason"])
