"""Trials with the values of parks, and the enterprises behind a value: worked by hand on an office of three firms."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.index_movers import Movers, index_movers, movers_for
from pipelines.index_production import IndexChains, index_chains, index_marts
from pipelines.index_revisions import index_parts
from pipelines.index_what_if import park_what_if, trial_for, write_trial
from pipelines.inputs import Inputs, live_inputs
from pipelines.loading import load_listed
from pipelines.methods.index.movers import Side, linear_terms, moved_by
from pipelines.methods.index.parts import ratio_parts
from schemas.errors import DefinitionError, RefusalError
from schemas.period import Period
from tests.paper_office import PaperOffice, firm, paper_office
from warehouse import facts
from warehouse.ledger.submissions import submissions
from warehouse.ledger.trail import events
from warehouse.ledger.users import add_user

YEAR = Period(2016)


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> PaperOffice:
    """One office for all: an index takes a second or two, however small it is."""
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
    with made.office.ledger.write() as session:
        for name, role, park in (("sheng", "province_statistician", None), ("yuan", "park_reporter", "LBGX")):
            add_user(session, name, title=name, role=role, park=park, now=made.at, actor="测试")
    return made


@pytest.fixture(scope="module")
def inputs(paper: PaperOffice) -> Iterator[Inputs]:
    with facts.in_memory() as con:
        with paper.office.ledger.read() as session:
            listed = submissions(session)
        load_listed(paper.office, con, listed)
        yield live_inputs(paper.office, con)


@pytest.fixture(scope="module")
def chains(inputs: Inputs) -> IndexChains:
    return index_chains(inputs.population("in_force"), inputs.programme, YEAR)


@pytest.fixture(scope="module")
def found(paper: PaperOffice, inputs: Inputs) -> Movers:
    return movers_for(paper.office, inputs, Path("nowhere"), YEAR, "LBGX", [], now=paper.at, actor="sheng")


def one(frame: pl.DataFrame, indicator: str) -> pl.DataFrame:
    return frame.filter(indicator=indicator)


def test_the_enterprises_behind_a_ratio_by_hand(found: Movers) -> None:
    # 2015: A1 alone reports both sides (three quarters of the revenue): 6/300; 2016: 10/400
    total = one(found.totals, "X02").row(0, named=True)
    assert (total["value_before"], total["value_after"]) == pytest.approx((2.0, 2.5))
    assert total["sum_of_effects"] == pytest.approx(0.5) and total["note"] == ""
    rows = {r["unit_id"]: r for r in one(found.units, "X02").to_dicts()}
    # ½(1/300 + 1/400) · 200 = 0.58333; −½ · 1600/(300 · 400) · 20 = −0.13333, · 80 = −0.53333
    assert rows["A1"]["effect"] == pytest.approx(0.45) and rows["A1"]["kind"] == "留存"
    assert rows["A2"]["effect"] == pytest.approx(0.05) and rows["A2"]["kind"] == "新进"
    assert (rows["A1"]["by_numerator"], rows["A2"]["by_denominator"]) == pytest.approx((0.583333, -0.533333), abs=1e-6)
    assert sum(r["index_points"] for r in rows.values()) == pytest.approx(total["index_points"])


def test_a_window_of_three_years_adds_up_as_well(found: Movers) -> None:
    total = one(found.totals, "X23").row(0, named=True)
    # 2013–15: 12/1050; 2016 counts its whole revenue of 400 at the rate of A1 alone: 6/320 · 400 = 7.5, so (6 + 3 + 7.5)/1150
    assert total["value_before"] == pytest.approx(12 / 1050 * 1000)
    assert total["value_after"] == pytest.approx(16.5 / 1150 * 1000)
    assert total["sum_of_effects"] == pytest.approx(total["change"])
    assert dict(one(found.units, "X23").select("unit_id", "numerator_after").iter_rows()) == pytest.approx(
        {"A1": 9500.0, "A2": 7000.0}
    )


def test_what_is_no_sum_over_enterprises_is_said(found: Movers) -> None:
    notes = dict(found.totals.select("indicator", "note").iter_rows())
    assert set(found.units["indicator"]) == {n for n, note in notes.items() if not note}
    assert "没有值" in notes["X01"]


def test_what_is_not_there_is_refused(inputs: Inputs) -> None:
    with pytest.raises(RefusalError, match="没有已验收的年报"):
        index_movers(inputs, Period(2016, 1), "LBGX")


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


def test_a_changed_value_moves_the_index_as_the_formula_says(
    inputs: Inputs, chains: IndexChains, tmp_path: Path
) -> None:
    usual = chains
    trial = park_what_if(
        inputs,
        YEAR,
        changes(
            tmp_path, "LBGX,X02,2.1,2016,index,试\nLBGX,X02,9,,parks,\nQQ,X02,1,,,\nLBGX,X77,1,,,\nLBGX,X03,1,,nix,\n"
        ),
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
    assert [c.products for c in trial.changes] == [("index",), ("parks",), (), (), ()]
    assert trial.findings[:2] == ("第 4 行未采用:没有“QQ”的 2016 年。", "第 5 行未采用:没有指标“X77”。")
    assert trial.findings[2].startswith("第 6 行未采用:没有产品“nix”,可写 index、")
    assert trial.findings[3:] == (
        "兰白试验区(LBSYQ)的汇总数中含 LBGX:所改的是指标值(比率),分子、分母各变了多少并不知道,本区域的数不能跟着重算;"
        "要看其影响,请改填报数(product 写 figures,如 K04、F01),或在文件中同时写本区域的指标值。",
    )
    assert set(trial.results.filter(pl.col("note") != "")["area"]) == {"LBSYQ"}
    scored = trial.results.filter(product="parks", area="LBGX", node="X02").row(0, named=True)
    assert scored["after"] > scored["before"]
    write_trial(tmp_path / "out", trial)
    assert set(pl.read_csv(tmp_path / "out" / "what_if.csv")["mark"]) == {"试算"}


def test_a_changed_figure_is_added_up_anew_at_every_level(inputs: Inputs, chains: IndexChains, tmp_path: Path) -> None:
    """A1's R&D 8 → 9: X02 of the park 10/400 → 11/400, of the combined area (with C1, 1 of 50) 11/450 → 12/450."""
    usual = chains
    firm = "A1"
    trial = park_what_if(inputs, YEAR, changes(tmp_path, f"{firm},R04,9,,,\nLBGX,K04,5,,,\n{firm},B07,1,,,\nA1,R04,1,2099,,\nA1,F01,1.5,,,\nA9,R04,1,,figures,\n"))  # fmt: skip
    assert [c.products for c in trial.changes[:1]] == [("figures",)] and trial.changes[0].before == 8
    said = {c.line: c.problem for c in trial.changes if c.problem}
    assert (
        "不是数值" in said[4]
        and "没有 2099 年的年报" in said[5]
        and "最多 0 位小数" in said[6]
        and "没有“A9”填报的 R04" in said[7]
    )
    k = [i.id for i in usual.system.indicators].index("X02")
    for area, before, after in (("LBGX", 10 / 400, 11 / 400), ("LBSYQ", 11 / 450, 12 / 450)):
        chain = next(c for c in usual.chains if c.area == area)
        level = trial.results.filter(product="index", area=area, node="X02").row(0, named=True)
        last = usual.values.filter(area=area, indicator="X02", year=2015)["value"][0] / 100

        def grown(value: float, start: float = last, base: float = float(chain.indicator_levels[-2, k])) -> float:
            v = (value - start) / (value + start) * 200
            return base * (200 + v) / (200 - v)

        assert usual.values.filter(area=area, indicator="X02", year=2016)["value"][0] == pytest.approx(before * 100)
        assert level["after"] == pytest.approx(grown(after)) and level["before"] == pytest.approx(grown(before))
        parts = trial.parts.filter(product="index", area=area)
        assert parts["points"].sum() == pytest.approx(parts["total"][0])
    assert set(trial.results["note"]) == {""} and not any("汇总数" in f for f in trial.findings)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("LBGX,X02,多,,,\n", r"c\.csv:2.*不是数"),
        ("LBGX,X02,1,16,,\n", r"c\.csv:2.*四位数字"),
        ("LBGX,X02,2.5,,index,\n", r"没有一行改动能用.*与原值相同,不算改动"),
        ("LBGX,X02,1,,,\nLBGX,X02,2,2016,,\n", r"c\.csv:3.*与第 2 行"),
    ],
)
def test_files_that_cannot_be_used_are_refused(inputs: Inputs, tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DefinitionError, match=said):
        park_what_if(inputs, YEAR, changes(tmp_path, text))


def test_revisions_of_last_years_level_stand_beside_this_years_points(inputs: Inputs, chains: IndexChains) -> None:
    made = index_marts(inputs.population("in_force"), inputs.programme, Period(2015))["index_scores"].cells
    chain = next(c for c in chains.chains if c.area == "LBGX")
    same = index_parts(chains, chain, 2016, made)
    assert same.filter(kind="revised")["points"].abs().max() < 1e-9  # type: ignore[operator]
    # as if published with two points more of X14 and one hidden indicator
    key = (pl.col("area") == "LBGX") & (pl.col("period") == "2015")
    other = made.with_columns(
        value=pl.when(key & (pl.col("row_key").str.ends_with("X14|contribution"))).then(pl.col("value") + 2)
        .when(key & (pl.col("row_key").str.ends_with("TOTAL|index"))).then(pl.col("value") + 2)
        .when(key & (pl.col("row_key").str.ends_with("X02|contribution"))).then(None)
        .otherwise("value")
    )  # fmt: skip
    parts = index_parts(chains, chain, 2016, other)
    assert parts["total"][0] == pytest.approx(chain.levels[-1] - chain.levels[-2] - 2)
    assert parts["points"].sum() == pytest.approx(parts["total"][0])
    revised = {r["part"]: r["points"] for r in parts.filter(kind="revised").to_dicts()}
    assert revised["X14"] == pytest.approx(-2.0)
    assert "X02" not in revised and revised[""] == pytest.approx(0.0, abs=1e-9)  # hidden then, and not revised
    told = index_parts(chains, chain, 2016, other.filter(~pl.col("row_key").str.ends_with("TOTAL|index")))
    assert "不能单列" in told["note"][0]


def test_only_people_of_the_province_see_them_and_the_trail_says_so(
    paper: PaperOffice, inputs: Inputs, found: Movers, tmp_path: Path
) -> None:
    with pytest.raises(RefusalError, match="省级统计人员"):
        movers_for(paper.office, inputs, tmp_path, YEAR, "LBGX", [], now=paper.at, actor="yuan")
    with pytest.raises(RefusalError, match="省级统计人员"):
        trial_for(paper.office, inputs, YEAR, tmp_path / "none.csv", now=paper.at, actor="yuan")
    with paper.office.ledger.read() as session:
        assert [(e.actor, e.action) for e in events(session, "index/2016/LBGX")] == [("sheng", "index_movers_served")]
    assert found.parts.filter(kind="revised").is_empty()  # nothing was released
