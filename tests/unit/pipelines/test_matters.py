"""What matters first: from submissions in the ledger to the order a reviewer works in. Figures small enough to check by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines import review
from pipelines.matters import effect_of_findings, park_effects, what_matters
from schemas.errors import RefusalError
from schemas.period import Period
from tests.paper_office import ACTOR, PaperOffice, firm, paper_office, soft_finding
from ytb.cli.main import main
from ytb.portal import pages

Q1, Q2 = Period(2015, 1), Period(2015, 2)
GX = ["A1", "A2", "A3", "A4", "A5", "A6"]
JJ = ["B1", "B2", "B3"]
LEAP = soft_finding("A6", "AF15", "F01", "F01=9000")
SMALL = soft_finding("B2", "AF15", "F01", "F01=210")
WORDS = soft_finding("B1", "AB29", "B07", "B07=3911", form="basic")


def _made(root: Path, *jj: dict[str, object], third: int | None = None) -> PaperOffice:
    made = paper_office(root, {"LBGX": GX, "LBJJ": JJ})
    for park, units in (("LBGX", GX), ("LBJJ", JJ)):
        made.file(park, Q1, {u: firm(100) for u in units})
    made.file("LBGX", Q2, {u: firm(200) for u in GX[:-1]} | {"A6": firm(9000)}, findings=[LEAP], upto="reported")
    there = {"B1": firm(200), "B2": firm(210)} | ({"B3": firm(third)} if third else {})
    made.file("LBJJ", Q2, there, findings=list(jj), upto="reported")
    return made


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> PaperOffice:
    return _made(tmp_path_factory.mktemp("paper") / "home", SMALL, WORDS)


def test_every_finding_has_its_effect_and_the_largest_comes_first(paper: PaperOffice) -> None:
    """All others doubled, so 200 is predicted for A6, B2 and the missing B3; the reference total is 9 × 200 = 1800."""
    found = what_matters(paper.office, Q2)
    rows = [(r["unit_id"], r["code"], r["predicted"], r["at_stake"], r["effect"]) for r in found.findings.to_dicts()]
    assert rows[0] == ("A6", "F01", 200.0, 8800.0, pytest.approx(8800 / 1800 * 100))
    assert rows[1] == ("B2", "F01", 200.0, 10.0, pytest.approx(10 / 1800 * 100))
    assert rows[2][0] == "B1" and rows[2][4] is None
    assert found.findings["park_total_pct"][0] == pytest.approx(8800 / 1200 * 100)
    assert [(r["unit_id"], r["total_pct"]) for r in found.missing.filter(code="F01").to_dicts()] == [("B3", pytest.approx(-200 / 1800 * 100))]  # fmt: skip
    (gone,) = park_effects(found).to_dicts()
    assert (gone["park"], gone["units"], gone["effect"]) == ("LBJJ", 1, pytest.approx(200 / 1800 * 100))
    assert list(effect_of_findings(found, "2015Q2-LBGX-0001")) == ["AF15|finance|A6|F01"]
    assert found.submissions["number"].to_list() == ["2015Q2-LBGX-0001", "2015Q2-LBJJ-0001"]
    assert found.submissions["unknown"].to_list() == [0, 1]
    assert found.submissions["absent"].to_list() == [0, 1]
    assert found.submissions["gap"].to_list() == [0.0, pytest.approx(200 / 1800 * 100)]


def test_what_is_missing_is_weighed_on_what_most_units_report(tmp_path: Path) -> None:
    """One unit alone has foreign staff (P05), two, and does not report: all of the indicator's total, and no measure of the unit."""
    made = paper_office(tmp_path / "home", {"LBGX": GX})
    made.file("LBGX", Q1, {u: firm(100) for u in GX[:-1]} | {"A6": firm(100, P05=2)})
    made.file("LBGX", Q2, {u: firm(200) for u in GX[:-1]}, upto="reported")
    (row,) = what_matters(made.office, Q2).missing.to_dicts()
    assert (row["unit_id"], row["code"]) == ("A6", "F01") and row["effect"] == pytest.approx(100 / 6)
    (park,) = park_effects(what_matters(made.office, Q2)).to_dicts()
    assert (park["code"], park["effect"]) == ("F01", pytest.approx(100 / 6))


def test_growth_counts_where_there_is_a_year_before(tmp_path: Path) -> None:
    """Six units 100 → 110, one 100 → 300: predicted 110, total base 700, so 190 / 700 = 27.14 points of growth."""
    made = paper_office(tmp_path / "home", {"LBGX": GX})
    made.file("LBGX", Period(2014, 2), {u: firm(100) for u in [*GX, "A7"]})
    figures = {u: firm(110) for u in GX} | {"A7": firm(300)}
    made.file("LBGX", Q2, figures, findings=[soft_finding("A7", "AF15", "F01", "F01=300")], upto="reported")
    (row,) = what_matters(made.office, Q2).findings.to_dicts()
    assert (row["basis"], row["growth_points"]) == ("year_earlier", pytest.approx(190 / 700 * 100))
    assert row["effect"] == pytest.approx(190 / 700 * 100)
    assert what_matters(made.office, Q2).outliers()["unit_id"].to_list() == ["A7"]


def test_what_is_accepted_awaits_nothing(tmp_path: Path) -> None:
    made = _made(tmp_path / "home", SMALL)
    review.accept(made.office, "2015Q2-LBGX-0001", now=made.at, actor=ACTOR)
    found = what_matters(made.office, Q2)
    assert found.findings["unit_id"].to_list() == ["B2"]
    # The accepted figure counts as it stands: 9000 and seven others of 200, B2 and B3 as predicted.
    assert found.findings["total_pct"][0] == pytest.approx(10 / (9000 + 8 * 200) * 100)


def test_one_stroke_accepts_what_lies_below_and_nothing_else(tmp_path: Path) -> None:
    made = _made(tmp_path / "home", SMALL, third=200)
    with pytest.raises(RefusalError, match="大于 0"):
        review.accept_below(made.office, Q2, 0, now=made.at, actor=ACTOR)
    done = review.accept_below(made.office, Q2, 1.0, now=made.at, actor=ACTOR)
    assert (list(done.accepted), dict(done.refused)) == (["2015Q2-LBJJ-0001"], {})
    assert [s.number for s in review.queue(made.office, Q2)] == ["2015Q2-LBGX-0001"]
    assert "低于 1" in review.dossier(made.office, "2015Q2-LBJJ-0001").decisions[-1].reason


def test_what_has_not_come_weighs_as_much_as_what_is_wrong(tmp_path: Path) -> None:
    """LBJJ sends one of three units, with a finding on the two that are absent: 2 × 200 of 9 × 200 are missing."""
    made = paper_office(tmp_path / "home", {"LBGX": GX, "LBJJ": JJ})
    for park, units in (("LBGX", GX), ("LBJJ", JJ)):
        made.file(park, Q1, {u: firm(100) for u in units})
    made.file("LBGX", Q2, {u: firm(200) for u in GX}, upto="reported")
    absent = [soft_finding(unit, "AB27", "B01", "", form="basic") for unit in ("B2", "B3")]
    made.file("LBJJ", Q2, {"B1": firm(200)}, findings=absent, upto="reported")
    found = what_matters(made.office, Q2)
    assert [(r["unit_id"], r["effect"]) for r in found.findings.to_dicts()] == [
        ("B2", pytest.approx(200 / 1800 * 100)), ("B3", pytest.approx(200 / 1800 * 100))
    ]  # fmt: skip
    first, second = found.submissions.to_dicts()
    assert (first["number"], first["absent"], first["unknown"]) == ("2015Q2-LBJJ-0001", 2, 0)
    assert first["gap"] == pytest.approx(400 / 1800 * 100) and (second["absent"], second["gap"]) == (0, 0.0)
    done = review.accept_below(made.office, Q2, 15.0, now=made.at, actor=ACTOR)
    assert list(done.accepted) == ["2015Q2-LBGX-0001"]


def test_a_park_that_sends_no_enterprise_weighs_by_its_last_accepted_figures(tmp_path: Path) -> None:
    """The last accepted quarter is no base of this one: 2 × 300 of LBJJ's last figures stand beside 6 × 200 now."""
    made = paper_office(tmp_path / "home", {"LBGX": GX, "LBJJ": JJ[:2]})
    made.file("LBJJ", Period(2013, 4), {u: firm(300) for u in JJ[:2]})
    made.file("LBGX", Q2, {u: firm(200) for u in GX})
    made.file("LBJJ", Q2, {}, upto="reported")
    found = what_matters(made.office, Q2)
    assert {(r["unit_id"], r["basis"], r["predicted"]) for r in found.missing.to_dicts()} == {
        ("B1", "latest", 300.0), ("B2", "latest", 300.0)
    }  # fmt: skip
    (only,) = found.submissions.to_dicts()
    assert (only["absent"], only["gap"]) == (2, pytest.approx(600 / 1800 * 100))


def test_an_effect_that_cannot_be_computed_is_not_below(paper: PaperOffice) -> None:
    done = review.accept_below(paper.office, Q2, 1.0, now=paper.at, actor=ACTOR)
    assert not done.accepted and not done.refused


@pytest.fixture
def ytb(paper: PaperOffice, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    def call(*words: str) -> tuple[int, str]:
        code = main(["--home", str(paper.home.root), *words])
        return code, capsys.readouterr().out

    return call


def test_the_commands_are_ordered_by_effect(ytb: Callable[..., tuple[int, str]]) -> None:
    _, out = ytb("--json", "review", "list", "2015-Q2")
    told = json.loads(out)
    assert [t["number"] for t in told] == ["2015Q2-LBGX-0001", "2015Q2-LBJJ-0001"]
    assert told[1]["effect"]["unknown"] == 1 and told[0]["effect"]["effect"] > 400
    code, out = ytb("review", "list", "2015-Q2")
    assert code == 0 and "488.89" in out
    _, out = ytb("review", "show", "2015Q2-LBJJ-0001", "--above", "1")
    assert "无法估计" in out and "另有 1 处影响低于 1" in out
    _, out = ytb("--json", "review", "matters", "2015-Q2")
    assert [f["unit_id"] for f in json.loads(out)["findings"]] == ["A6", "B2", "B1"]
    code, out = ytb("review", "matters", "2015-Q2")
    assert code == 0 and "占总量 +488.89%" in out and "未报 LBJJ B3" in out
    assert ytb("review", "outliers", "2015-Q2")[0] == 0
    assert ytb("review", "accept")[0] == 2 and ytb("review", "accept", "--below", "1")[0] == 2


def test_the_park_whose_figures_are_missed_most_is_reminded_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    made = paper_office(tmp_path / "home", {"LBGX": GX, "LBJJ": JJ})
    made.file("LBGX", Q1, {u: firm(100) for u in GX})
    made.file("LBJJ", Q1, {u: firm(1000) for u in JJ})
    made.open(Q2)
    assert main(["--home", str(made.home.root), "--json", "remind", "2015-Q2"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [(t["park"], t["units"]) for t in told] == [("LBJJ", 3), ("LBGX", 6)]
    assert told[0]["effect"] == pytest.approx(3000 / 3600 * 100)
    assert not any("83" in t["text"] or "3000" in t["text"] for t in told)


def test_the_table_of_the_portal_shows_every_row(paper: PaperOffice) -> None:
    found = what_matters(paper.office, Q2)
    table = pages.environment().get_template("parts.html.j2").module.effects_table  # type: ignore[attr-defined]
    page = table(found.findings.to_dicts(), {"F01": "营业收入"}) + table(found.missing.to_dicts(), {})
    assert "营业收入 F01" in page and "+488.89" in page and "无法估计" in page and "-11.11" in page
