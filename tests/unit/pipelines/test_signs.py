"""Signs of invented data: what was planted is found with its evidence, honest figures bring none."""

from __future__ import annotations

import json
import random
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.methods.signs import (
    LateChange,
    binomial_tail,
    copied_history,
    heaping,
    identical_growth,
    last_hour_edits,
    poisson_tail,
    target_hits,
    twins,
)
from pipelines.signs_of_round import signs_of
from schemas.period import Period
from tests.paper_office import firm, paper_office
from ytb.cli.main import main
from ytb.portal.routes import ROUTES


def figures(rows: list[tuple[str, float, float]], park: str = "P", code: str = "F01") -> pl.DataFrame:
    frame = pl.DataFrame(rows, schema={"unit_id": pl.String, "base": pl.Float64, "now": pl.Float64}, orient="row")
    return frame.with_columns(park=pl.lit(park), code=pl.lit(code))


def honest(n: int, seed: int) -> list[tuple[str, float, float]]:
    draw = random.Random(seed)
    bases = [draw.randint(2_000, 900_000) for _ in range(n)]
    return [(f"h{i}", float(b), float(round(b * draw.gauss(1.08, 0.15)))) for i, b in enumerate(bases)]


def test_tails_by_hand() -> None:
    assert poisson_tail(0, 2) == 1.0 and poisson_tail(1, 2) == pytest.approx(1 - 2.718281828**-2)
    assert poisson_tail(3, 0) == 0.0 and poisson_tail(30, 1.0) == pytest.approx(1.4344e-33, rel=1e-3)
    assert binomial_tail(2, 2, 0.01) == pytest.approx(0.0001) and binomial_tail(0, 3, 0.5) == pytest.approx(1.0)


def test_one_rate_put_on_many_figures_of_the_year_before() -> None:
    """Six of thirty units are last year's figure × 1.123, rounded; the others grew as they did."""
    invented = [(f"i{n}", float(b), float(round(b * 1.123))) for n, b in enumerate([5_321, 18_774, 99_013, 7_777, 250_001, 64_123])]  # fmt: skip
    (sign,) = identical_growth(figures([*honest(24, 1), *invented]))
    assert set(sign.units) >= {f"i{n}" for n in range(6)} and "1.12" in sign.evidence
    assert sign.chance is not None and sign.chance < 1e-4


def test_one_rate_for_nearly_everybody() -> None:
    """All forty by 1.1, rounded: no spread is left to compute chance from, and none is needed."""
    (sign,) = identical_growth(figures([(n, b, float(round(b * 1.1))) for n, b, _ in honest(40, 4)]))
    assert "1.10000" in sign.evidence and sign.chance is None and len(sign.units) > 25


def test_units_that_all_move_alike_or_do_not_move_are_no_sign() -> None:
    alike = [(f"a{n}", b, float(round(b * (2.136 + n * 1e-5)))) for n, b in enumerate([5e3, 8e3, 9e3, 1e4, 2e4, 3e4, 4e4])]  # fmt: skip
    assert identical_growth(figures(alike)) == []
    assert identical_growth(figures([(f"s{n}", 5e3 + n, 5e3 + n) for n in range(10)])) == []


@given(st.integers(0, 10_000))
def test_honest_figures_bring_no_sign(seed: int) -> None:
    frame = figures(honest(40, seed))
    assert identical_growth(frame) == [] or identical_growth(frame)[0].chance is not None
    assert all(s.chance is not None and s.chance < 1e-4 for s in identical_growth(frame) + heaping(frame))


def test_honest_figures_bring_a_sign_less_than_once_in_a_hundred_rounds() -> None:
    assert sum(bool(identical_growth(figures(honest(40, s))) or heaping(figures(honest(40, s)))) for s in range(200)) <= 2  # fmt: skip


def test_round_numbers_beyond_chance() -> None:
    """8 of 40 figures end in 00 where 0.4 are to be expected: P(X ≥ 8) under 1e-8."""
    rows = [(n, b, float(round(v, -2)) if i < 8 else v) for i, (n, b, v) in enumerate(honest(40, 3))]
    (sign,) = heaping(figures(rows))
    assert sign.code == "F01" and set(sign.units) >= {f"h{n}" for n in range(8)}
    assert sign.evidence.startswith("40 个不小于 1000 的数中有") and sign.chance is not None and sign.chance < 1e-8
    assert heaping(figures([(f"u{n}", 1.0, 100.0) for n in range(30)])) == []  # small figures are often round


def test_targets_reached_by_a_hair() -> None:
    rows = pl.DataFrame(
        {"park": ["P"] * 5, "code": list("abcde"), "name": list("abcde"), "value": [1000.0, 1000.9, 1002.0, 999.0, None], "target": [1000.0] * 5}
    )  # fmt: skip
    found = target_hits(rows)
    assert [s.code for s in found] == ["a", "b"] and "共比对 4 项" in found[0].evidence


def long(unit: str, now: list[float | None], before: list[float | None], park: str = "P") -> list[dict[str, object]]:
    return [{"unit_id": unit, "park": park, "code": f"C{n:02d}", "now": a, "year_earlier": b} for n, (a, b) in enumerate(zip(now, before, strict=True))]  # fmt: skip


def test_copied_history_and_twins() -> None:
    old: list[float | None] = [10, 20, 30, 40, 50, 60, 70, 80, 0, None]
    changed: list[float | None] = [10, 20, 30, 40, 50, 60, 70, 81, 0, 5]
    fresh: list[float | None] = [11, 22, 30, 44, 55, 66, 77, 88, 0, 1]
    frame = pl.DataFrame([*long("copy", changed, old), *long("new", fresh, old), *long("few", [1, 2], [1, 2])])
    (sign,) = copied_history(frame, "year_earlier", "上年同期")
    assert sign.units == ("copy",) and "8 个非零数中有 7 个与上年同期完全相同" in sign.evidence
    (pair,) = twins(pl.DataFrame([*long("x", fresh, old), *long("y", fresh, old, "Q"), *long("z", changed, old)]))
    assert (pair.units, pair.park) == (("x", "y"), "P、Q")


def test_edits_of_the_last_hours() -> None:
    late = LateChange("P", "n2", 2.5, 40, ("u",), {"F01": (100.0, 180.0), "P02": (10.0, 10.0)})
    (sign,) = last_hour_edits([late, LateChange("P", "n3", 30.0, 40, (), {}), LateChange("P", "n4", 2.0, 3, (), {})])
    assert sign.evidence == "n2:截止前 2.5 小时改动 40 格;F01 合计 100 → 180" and sign.code == "F01"


def test_a_round_with_planted_signs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    units = [f"A{n:02d}" for n in range(30)]
    made = paper_office(tmp_path / "home", {"LBGX": units})
    draw = random.Random(5)
    bases = {u: draw.randint(5_000, 900_000) for u in units}
    growth = {u: 1.171 if n < 7 else draw.gauss(1.05, 0.2) for n, u in enumerate(units)}
    made.file("LBGX", Period(2014, 1), {u: firm(bases[u]) for u in units})
    period = Period(2015, 1)
    now = {u: round(bases[u] * growth[u]) for u in units}
    made.file("LBGX", period, {u: firm(now[u]) for u in units}, upto="checked")
    made.at += timedelta(days=14, hours=15)
    made.file("LBGX", period, {u: firm(now[u] + (n >= 7) * 17) for n, u in enumerate(units)}, upto="reported")
    found = signs_of(made.office, period)
    assert {s.kind for s in found} == {"identical_growth", "last_hour"}
    grown = next(s for s in found if s.kind == "identical_growth")
    assert set(grown.units) >= set(units[:7]) and grown.code == "F01"
    assert main(["--home", str(made.home.root), "--json", "review", "signs", "2015-Q1"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told[0]["title"] == "多家单位增速完全一致"
    assert main(["--home", str(made.home.root), "review", "signs", "2015-Q1"]) == 0
    assert "不作为认定依据" in capsys.readouterr().out


def test_no_page_of_the_portal_shows_effects_or_signs_to_a_park() -> None:
    for route in ROUTES:
        if route.name in ("queue", "matters", "review", "accept_below", "reminders") or "sign" in route.path.split("/"):
            assert not {"park_reporter"} & route.roles
