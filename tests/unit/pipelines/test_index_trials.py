"""Trials with the values of parks, and the enterprises behind a value: worked by hand on an office of three firms."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.index_movers import index_movers, movers_for
from pipelines.index_production import index_chains, index_marts
from pipelines.index_what_if import park_what_if, trial_for, write_trial
from pipelines.inputs import Inputs, live_inputs
from pipelines.loading import load_listed
from pipelines.methods.index.movers import Side, linear_terms, moved_by
from pipelines.methods.index.parts import ratio_parts
from schemas.errors import DefinitionError, RefusalError
from schemas.period import Period
from tests.paper_office import firm, paper_office
from warehouse import facts
from warehouse.ledger.submissions import submissions
from warehouse.ledger.trail import events
from warehouse.ledger.users import add_user

YEAR = Period(2016)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inputs]:
    made = paper_office(tmp_path_factory.mktemp("trials") / "home", {"LBGX": ["A1", "A2"], "LBJJ": ["C1"]})
    figures: dict[
        int, list[tuple[int, int, int | None, int | None]]
    ] = {  # F01 revenue, F13 profit, R04 development expenses, F27 venture capital
        2013: [(200, 20, None, 1), (100, 10, None, 2)],
        2014: [(250, 20, 5, 2), (100, 10, 2, 4)],
        2015: [(300, 30, 6, 0), (100, 10, None, 3)],
        2016: [(320, 48, 8, 6), (80, 12, 2, None)],
    }
    for year, rows in figures.items():
        own = {
            unit: firm(f01, F13=f13, **{c: v for c, v in (("R04", r04), ("F27", f27)) if v is not None})
            for unit, (f01, f13, r04, f27) in zip(("A1", "A2"), rows, strict=True)
        }
        made.file("LBGX", Period(year), own)
        made.file("LBJJ", Period(year), {"C1": firm(50, F13=5, R04=1)})
    with facts.in_memory() as con:
        with made.office.ledger.read() as session:
            listed = submissions(session)
        load_listed(made.office, con, listed)
        yield live_inputs(made.office, con)


def test_the_enterprises_behind_a_ratio_by_hand(inputs: Inputs) -> None:
    found = index_movers(inputs, YEAR, "LBGX", ["X02"])
    # 2015: A1 alone reports both sides (three quarters of the revenue): 6/300; 2016: 10/400
    total = found.totals.row(0, named=True)
    assert (total["value_before"], total["value_after"]) == pytest.approx((2.0, 2.5))
    assert total["sum_of_effects"] == pytest.approx(0.5) and total["note"] == ""
    rows = {r["unit_id"]: r for r in found.units.to_dicts()}
    # ½(1/300 + 1/400) · 200 = 0.58333; −½ · 1600/(300 · 400) · 20 = −0.13333, · 80 = −0.53333
    assert rows["A1"]["effect"] == pytest.approx(0.45) and rows["A1"]["kind"] == "留存"
    assert rows["A2"]["effect"] == pytest.approx(0.05) and rows["A2"]["kind"] == "新进"
    assert (rows["A1"]["by_numerator"], rows["A2"]["by_denominator"]) == pytest.approx((0.583333, -0.533333), abs=1e-6)
    assert sum(r["index_points"] for r in rows.values()) == pytest.approx(total["index_points"])


def test_a_window_of_three_years_adds_up_as_well(inputs: Inputs) -> None:
    found = index_movers(inputs, YEAR, "LBGX", ["X23"])
    total = found.totals.row(0, named=True)
    # 2013–15: 12/1050; 2016 counts its whole revenue of 400 at the rate of A1 alone: 6/320 · 400 = 7.5, so (6 + 3 + 7.5)/1150
    assert total["value_before"] == pytest.approx(12 / 1050 * 1000)
    assert total["value_after"] == pytest.approx(16.5 / 1150 * 1000)
    assert total["sum_of_effects"] == pytest.approx(total["change"])
    assert dict(found.units.select("unit_id", "numerator_after").iter_rows()) == pytest.approx(
        {"A1": 9500.0, "A2": 7000.0}
    )


def test_what_is_no_sum_over_enterprises_is_said(inputs: Inputs) -> None:
    found = index_movers(inputs, YEAR, "LBGX")
    notes = dict(found.totals.select("indicator", "note").iter_rows())
    assert set(found.units["indicator"]) == {n for n, note in notes.items() if not note}
    assert "没有值" in notes["X01"]
    with pytest.raises(RefusalError, match="没有指标 X99"):
        index_movers(inputs, YEAR, "LBGX", ["X99"])
    with pytest.raises(RefusalError, match="LBXQ 没有 2016"):
        index_movers(inputs, YEAR, "LBXQ")


AMOUNT = st.floats(0, 1e6).map(lambda v: round(v, 2))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from("abcd"), AMOUNT), min_size=4, max_size=4))
def test_effects_of_all_units_sum_to_the_change_of_the_ratio(parts: list[dict[str, float]]) -> None:
    n0, d0, n1, d1 = (Side(p) for p in parts)
    found = moved_by((n0, d0), (n1, d1))
    if d0.total == 0 or d1.total == 0:
        assert found is None
        return
    assert found is not None
    expected = n1.total / d1.total - n0.total / d0.total
    scale = max(1.0, abs(n1.total / d1.total), abs(n0.total / d0.total), (n0.total + n1.total) * abs(d1.total - d0.total) / (d0.total * d1.total))  # fmt: skip
    assert sum(m.effect for m in found) == pytest.approx(expected, rel=1e-9, abs=1e-9 * scale)


def test_linear_sides_of_a_formula() -> None:
    above, below = ratio_parts("(SUM(P06)-SUM(P09))/(SUM(R04)/100)*50")
    assert (linear_terms(above), linear_terms(below)) == ({"SUM(P06)": 5000.0, "SUM(P09)": -5000.0}, {"SUM(R04)": 1.0})
    assert linear_terms("SUM(F01) * SUM(F02)") is None and linear_terms("10 * K04") is None


def changes(folder: Path, text: str) -> Path:
    (folder / "c.csv").write_text("unit,indicator,value,year,product,reason\n" + text, encoding="utf-8")
    return folder / "c.csv"


def test_a_changed_value_moves_the_index_as_the_formula_says(inputs: Inputs, tmp_path: Path) -> None:
    usual = index_chains(inputs.population("in_force"), inputs.programme, YEAR)
    trial = park_what_if(
        inputs, YEAR, changes(tmp_path, "LBGX,X02,2.1,2016,index,试\nLBGX,X02,9,,parks,\nQQ,X02,1,,,\nLBGX,X77,1,,,\n")
    )
    own = trial.results.filter(product="index", area="LBGX")
    level = {(r["node"], t): r[t] for r in own.to_dicts() for t in ("before", "after")}
    chain = next(c for c in usual.chains if c.area == "LBGX")
    assert level["TOTAL", "before"] == pytest.approx(chain.levels[-1])
    # 2 → 2.1 instead of 2 → 2.5: V = 0.1/2.05 · 100; nothing else of the indicator's own chain has changed
    k = [i.id for i in usual.system.indicators].index("X02")
    v = 0.1 / 2.05 * 100
    assert level["X02", "after"] == pytest.approx(chain.indicator_levels[-2, k] * (200 + v) / (200 - v))
    parts = trial.parts.filter(product="index", area="LBGX")
    assert parts["points"].sum() == pytest.approx(level["TOTAL", "after"] - level["TOTAL", "before"])
    assert trial.results.filter(product="index", area="LBJJ")["change"].drop_nulls().to_list() == pytest.approx(
        [0.0] * trial.results.filter(product="index", area="LBJJ")["change"].drop_nulls().len()
    )
    assert [c.products for c in trial.changes] == [("index",), ("parks",), (), ()]
    assert trial.findings == ("第 4 行未采用:没有“QQ”的 2016 年。", "第 5 行未采用:没有指标“X77”。")
    scored = trial.results.filter(product="parks", area="LBGX", node="X02").row(0, named=True)
    assert scored["after"] > scored["before"]
    write_trial(tmp_path / "out", trial)
    assert set(pl.read_csv(tmp_path / "out" / "what_if.csv")["mark"]) == {"试算"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("LBGX,X02,多,,,\n", r"c\.csv:2.*不是数"),
        ("LBGX,X02,1,16,,\n", r"c\.csv:2.*四位数字"),
        ("LBGX,X02,1,,,\nLBGX,X02,2,2016,,\n", r"c\.csv:3.*与第 2 行"),
        ("LBGX,X02,1,,nix,\n", r"没有一行改动能用.*没有产品“nix”"),
    ],
)
def test_files_that_cannot_be_used_are_refused(inputs: Inputs, tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DefinitionError, match=said):
        park_what_if(inputs, YEAR, changes(tmp_path, text))


def test_revisions_of_last_years_level_stand_beside_this_years_points(inputs: Inputs) -> None:
    population = inputs.population("in_force")
    made = index_marts(population, inputs.programme, Period(2015))["index_scores"].cells
    same = index_movers(inputs, YEAR, "LBGX", ["X02"], made).parts
    assert same.filter(kind="revised")["points"].abs().max() < 1e-9  # type: ignore[operator]
    # as if published with two points more of X14 and one hidden indicator
    key = (pl.col("area") == "LBGX") & (pl.col("period") == "2015")
    other = made.with_columns(
        value=pl.when(key & (pl.col("row_key").str.ends_with("X14|contribution"))).then(pl.col("value") + 2)
        .when(key & (pl.col("row_key").str.ends_with("TOTAL|index"))).then(pl.col("value") + 2)
        .when(key & (pl.col("row_key").str.ends_with("X02|contribution"))).then(None)
        .otherwise("value")
    )  # fmt: skip
    parts = index_movers(inputs, YEAR, "LBGX", ["X02"], other).parts
    chain = next(c for c in index_chains(population, inputs.programme, YEAR).chains if c.area == "LBGX")
    assert parts["total"][0] == pytest.approx(chain.levels[-1] - chain.levels[-2] - 2)
    assert parts["points"].sum() == pytest.approx(parts["total"][0])
    revised = {r["part"]: r["points"] for r in parts.filter(kind="revised").to_dicts()}
    assert revised["X14"] == pytest.approx(-2.0)
    assert "X02" not in revised and revised[""] == pytest.approx(0.0, abs=1e-9)  # hidden then, and not revised
    unpublished = other.filter(~pl.col("row_key").str.ends_with("TOTAL|index"))
    told = index_movers(inputs, YEAR, "LBGX", ["X02"], unpublished).parts
    assert "不能单列" in told["note"][0]


def test_only_people_of_the_province_see_them_and_the_trail_says_so(tmp_path: Path) -> None:
    made = paper_office(tmp_path / "home", {"LBGX": ["A1"]})
    made.file("LBGX", Period(2015), {"A1": firm(100, F13=5)})
    made.file("LBGX", YEAR, {"A1": firm(100, F13=6)})
    with made.office.ledger.write() as session:
        for name, role, park in (("sheng", "province_statistician", None), ("yuan", "park_reporter", "LBGX")):
            add_user(session, name, title=name, role=role, park=park, now=made.at, actor="测试")
    with facts.in_memory() as con:
        with made.office.ledger.read() as session:
            listed = submissions(session)
        load_listed(made.office, con, listed)
        own = live_inputs(made.office, con)
        ask = (made.office, own, tmp_path / "releases", YEAR, "LBGX", ["X14"])
        with pytest.raises(RefusalError, match="省级统计人员"):
            movers_for(*ask, now=made.at, actor="yuan")
        with pytest.raises(RefusalError, match="省级统计人员"):
            trial_for(made.office, own, YEAR, tmp_path / "none.csv", actor="yuan")
        found = movers_for(*ask, now=made.at, actor="sheng")
    assert found.totals["sum_of_effects"].item() == pytest.approx(-1.0)  # 95 of 100 → 94 of 100
    with made.office.ledger.read() as session:
        assert [(e.actor, e.action) for e in events(session, "index/2016/LBGX")] == [("sheng", "index_movers_served")]
