"""Slips: the worked examples of Scholtus (2008, 2009) and of R deducorrect (van der Loo, de Jonge, Scholtus 2011)."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.methods.identities import Identity, fixed_values, identity_of
from pipelines.methods.rules_audit_universe import Universe
from pipelines.methods.slips import (
    MAGNITUDE,
    Slip,
    distance,
    figure_text,
    recognised,
    rounding_slips,
    sign_slips,
    typing_slips,
    unit_slips,
)
from tests.unit.schemas.rule_tables import rules_of

BALANCES = ("x1 + x2 == x3", "x2 == x4", "x5 + x6 + x7 == x8", "x3 + x8 == x9", "x9 - x10 == x11")


def identities(*expressions: str) -> list[Identity]:
    rules = rules_of(*({"id": f"e{n + 1}", "expression": e} for n, e in enumerate(expressions))).rules
    return [i for r in rules if (i := identity_of(r, Universe({}))) is not None]


def figures(**values: float | str) -> dict[str, Fraction]:
    return {n: Fraction(str(v)) for n, v in values.items()}


def numbered(*values: float) -> dict[str, Fraction]:
    return figures(**{f"x{n + 1}": v for n, v in enumerate(values)})


def said(slip: Slip) -> dict[str, float]:
    return {c.field: float(c.value) for c in slip.changes}


# ── correctSigns: z = x - y, six records of the vignette ────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("record", "slack", "flips", "expected"),
    [
        ((3, 13, 10), 0, "xyz", [{"z": -10.0}]),
        ((14, -4, 10), 0, "xyz", [{"y": 4.0}]),
        ((15, 5, -10), 0, "xyz", [{"z": 10.0}]),
        ((17, 7, 10), 0, "xyz", []),
        (("12.3", "-2.1", 10), 0, "xyz", []),
        (("12.3", "-2.1", 10), 2, "xyz", [{"y": 2.1}]),
        ((3, 13, 10), 2, "xy", [{"x": -3.0, "y": -13.0}]),
        ((15, 5, -10), 2, "xy", [{"x": -15.0, "y": -5.0}]),
    ],
)
def test_lost_signs(record: tuple[float | str, ...], slack: int, flips: str, expected: list[dict[str, float]]) -> None:
    found = sign_slips(
        identities("z == x - y"),
        figures(**dict(zip("xyz", record, strict=True))),
        flips=list(flips),
        swaps=[],
        slack=Fraction(slack),
    )
    assert [said(s) for s in found] == expected


def test_a_swap_is_one_action() -> None:
    swapped = sign_slips(identities("z == x - y"), figures(x=3, y=13, z=10), flips=[], swaps=[("x", "y")])
    assert [said(s) for s in swapped] == [{"x": 13.0, "y": 3.0}]


# Scholtus (2008), table 1 and 2: a profit-and-loss account, four cases
ACCOUNT = ("x0 == x0r - x0c", "x1 == x1r - x1c", "x2 == x2r - x2c", "x3 == x3r - x3c", "x4 == x0 + x1 + x2 + x3")
COLUMNS = ("x0r", "x0c", "x0", "x1r", "x1c", "x1", "x2r", "x2c", "x2", "x3r", "x3c", "x3", "x4")
CASES = {
    "a": (2100, 1950, 150, 0, 10, 10, 20, 5, 15, 50, 10, 40, 195),
    "b": (5100, 4650, 450, 0, 130, 130, 20, 0, 20, 15, 25, 10, 610),
    "c": (3250, 3550, 300, 110, 10, 100, 50, 90, 40, 30, 10, 20, -140),
    "d": (5726, 5449, 276, 17, 26, 10, 0, 46, 46, 0, 0, 0, 221),
}


@pytest.mark.parametrize(
    ("case", "slack", "expected"),
    [
        ("a", 0, [{"x1": -10.0}]),
        ("b", 0, [{"x1r": 130.0, "x1c": 0.0, "x3r": 25.0, "x3c": 15.0}]),
        ("c", 0, [{"x0": -300.0, "x2r": 90.0, "x2c": 50.0}]),
        ("d", 0, []),
        ("d", 2, [{"x1": -10.0, "x2": -46.0}]),
    ],
)
def test_the_profit_and_loss_account(case: str, slack: int, expected: list[dict[str, float]]) -> None:
    found = sign_slips(
        identities(*ACCOUNT),
        figures(**dict(zip(COLUMNS, CASES[case], strict=True))),
        flips=["x0", "x1", "x2", "x3", "x4"],
        swaps=[("x1r", "x1c"), ("x2r", "x2c"), ("x3r", "x3c")],
        slack=Fraction(slack),
    )
    assert [said(s) for s in found] == expected


# ── correctTypos: Scholtus (2009), examples 4.0 to 4.4 ──────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("record", "expected", "complete"),
    [
        ((1452, 116, 1568, 116, 323, 76, 12, 411, 1979, 1842, 137), {}, None),
        ((1452, 116, 1568, 161, 323, 76, 12, 411, 1979, 1842, 137), {"x4": 116.0}, True),
        ((1452, 116, 1568, 161, 323, 76, 12, 411, 19979, 1842, 137), {"x4": 116.0, "x9": 1979.0}, True),
        ((1452, 116, 1568, 161, 0, 0, 0, 411, 19979, 1842, 137), {"x4": 116.0, "x9": 1979.0}, False),
    ],
)
def test_typing_errors(record: tuple[int, ...], expected: dict[str, float], complete: bool | None) -> None:
    found = typing_slips(identities(*BALANCES), numbered(*record), {})
    assert ([said(s) for s in found], [s.complete for s in found]) == (
        ([expected], [complete]) if expected else ([], [])
    )


def test_of_several_explanations_only_the_common_part_is_sure() -> None:
    # example 4.4: two ways resolve as many identities; both transpose x4
    found = typing_slips(identities(*BALANCES), numbered(1452, 116, 1568, 161, 323, 76, 12, 0, 19979, 1842, 137), {})
    assert sorted(sorted(said(s).items()) for s in found) == [
        [("x10", 19842.0), ("x4", 116.0)],
        [("x4", 116.0), ("x9", 1979.0)],
    ]


def test_a_transposition_is_found_and_no_inequality_is_broken_for_it() -> None:
    (slip,) = typing_slips(identities("z == x + y"), figures(x=123, y=192, z=252), {})
    assert said(slip) == {"y": 129.0}
    assert slip.changes[0].what == "相邻两位数字换位"
    refused = typing_slips(
        identities("z == x + y"), figures(x=123, y=192, z=252), {}, acceptable=lambda a: a["y"] > 150
    )
    assert refused == []


def test_what_does_not_agree_is_not_decided() -> None:
    # testCorrectTypos.R: status invalid, since two corrections resolve as much and have nothing in common
    found = typing_slips(identities("x1 == x2", "9 * x1 == x2"), numbered(10, 99), {})
    assert sorted(tuple(said(s).items()) for s in found) == [(("x1", 11.0),), (("x2", 90.0),)]
    wide = figures(x1=42280000, x2=11289000, x3=4328000, x4=361300, x5=11201000, x6=11849000)
    assert typing_slips(identities("x1 == x2 + x3 + x5 + x6"), wide, {}) == []


# ── units and rounding ──────────────────────────────────────────────────────────────────────────────────────────────
def test_a_figure_in_the_wrong_unit() -> None:
    (slip,) = typing_slips(identities("t == a + b"), figures(a=1607, b=33, t=1640432), {})
    assert (said(slip), slip.kind) == ({"t": 1640.0}, MAGNITUDE)
    assert slip.changes[0].what == "大 1000 倍,像是计量单位填错"


def test_several_figures_in_the_wrong_unit_and_what_hangs_on_them() -> None:
    # costs, profit and staff costs in yuan, the rest in thousands
    record = figures(rev=3120, costs=3052340, profit=68120, staff=214870)

    def conflicts(after: dict[str, Fraction]) -> frozenset[str]:
        return frozenset({"staff", "costs"}) if after["staff"] > after["costs"] else frozenset()

    found = unit_slips(identities("rev - costs == profit"), record, {}, conflicts=conflicts)  # type: ignore[arg-type]
    assert [said(s) for s in found] == [{"costs": 3052.0, "profit": 68.0, "staff": 215.0}]


def test_rounding_is_put_on_the_largest_figures() -> None:
    # Scholtus (2008), 5.3.2; R deducorrect adapts the same figures, x3, x8 and x9
    record = numbered(12, 4, 15, 4, 3, 1, 8, 11, 27, 41, -13)
    (slip,) = rounding_slips(identities(*BALANCES), record, {}, slack=Fraction(2))
    assert said(slip) == {"x9": 28.0, "x3": 16.0, "x8": 12.0}
    assert slip.complete
    assert rounding_slips(identities(*BALANCES), record, {}, slack=Fraction(0)) == []
    assert said(rounding_slips(identities("a == 1"), figures(a=2), {}, slack=Fraction(2))[0]) == {"a": 1.0}
    fixed = rounding_slips(identities("a + b == 2"), figures(a=2, b=1), {}, slack=Fraction(2), fixate=frozenset("b"))
    assert said(fixed[0]) == {"a": 1.0}


# ── parts ───────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [("60", "123", 3), ("129", "192", 1), ("315", "252", 3), ("", "ab", 2), ("12", "-12", 1), ("19979", "1979", 1), ("abc", "abc", 0)],
)  # fmt: skip
def test_distances(first: str, second: str, expected: int) -> None:
    assert distance(first, second) == expected == distance(second, first)


def brute_distance(a: str, b: str) -> int:
    """Restricted Damerau–Levenshtein by its recursion."""
    if not a or not b:
        return len(a) + len(b)
    best = min(
        brute_distance(a[:-1], b) + 1, brute_distance(a, b[:-1]) + 1, brute_distance(a[:-1], b[:-1]) + (a[-1] != b[-1])
    )
    if len(a) > 1 and len(b) > 1 and a[-1] == b[-2] and a[-2] == b[-1]:
        best = min(best, brute_distance(a[:-2], b[:-2]) + 1)
    return best


@given(st.text("01-", max_size=5), st.text("01-", max_size=5))
def test_distances_by_recursion(a: str, b: str) -> None:
    assert distance(a, b) == brute_distance(a, b)


@pytest.mark.parametrize(
    ("written", "wanted", "what"),
    [
        (-5, 5, "正负号填反"), (5000, 5, "大 1000 倍,像是计量单位填错"), (5, 50000, "小 10000 倍,像是计量单位填错"),
        (1234, 1243, "相邻两位数字换位"), (1234, 1334, "一位数字录错"), (12334, 1234, "多录一位数字"), (123, 1234, "少录一位数字"),
        (1234, 4321, None),
    ],
)  # fmt: skip
def test_slips_have_names(written: int, wanted: int, what: str | None) -> None:
    found = recognised("x", Fraction(written), Fraction(wanted), 0)
    assert (found.what if found else None) == what


def test_figures_are_written_with_their_decimals() -> None:
    assert figure_text(Fraction("-0.5"), 2) == "-0.50"
    assert figure_text(Fraction(1, 3), 2) is None


def test_identities_fix_what_they_fix() -> None:
    found = identities("a + b == c", "c - d == e")
    assert fixed_values(found, figures(a=1, b=2), ["c", "d", "e"]) == {"c": 3}
    assert fixed_values(found, figures(a=1, b=2, d=1), ["c", "e"]) == {"c": 3, "e": 2}
    assert fixed_values(found, figures(a=1), ["b", "c"]) == {}
    assert fixed_values(identities("a == 1", "a == 2"), {}, ["a"]) == {}
    assert fixed_values(identities("2 * a == b"), figures(b=3), ["a"]) == {"a": Fraction(3, 2)}
