"""One submission for its reviewer. Figures small enough to check by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.casefile import against_last_year, evidence, first_code, is_weighed, on_site, points, unit_history
from pipelines.matters import Matters, what_matters
from pipelines.methods.signs import Sign
from schemas.period import Period
from tests.paper_office import PaperOffice, firm, paper_office, soft_finding

LAST, Q2 = Period(2014, 2), Period(2015, 2)
GX = ["A1", "A2", "A3", "A4", "A5", "A6"]


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> PaperOffice:
    """Six units 100 → 110, a seventh 100 → 300; A8 is new with 50, A9 was there and is not."""
    made = paper_office(tmp_path_factory.mktemp("case") / "home", {"LBGX": [*GX, "A7", "A8", "A9"]})
    made.file("LBGX", LAST, {u: firm(100) for u in [*GX, "A7", "A9"]})
    figures = {u: firm(110) for u in GX} | {"A7": firm(300), "A8": firm(50)}
    made.file("LBGX", Q2, figures, findings=[soft_finding("A7", "AF15", "F01", "F01=300")], upto="reported")
    return made


@pytest.fixture(scope="module")
def matters(paper: PaperOffice) -> Matters:
    return what_matters(paper.office, Q2)


def test_growth_is_of_units_with_both_figures(matters: Matters) -> None:
    """6 × 110 + 300 + 50 now; without A8 960 against 700: 37.14 %."""
    row = against_last_year(matters, "LBGX").filter(code="F01").row(0, named=True)
    assert (row["units"], row["now"], row["both"], row["matched"], row["base"]) == (8, 1010.0, 7, 960.0, 700.0)
    assert row["growth_pct"] == pytest.approx(260 / 700 * 100)
    assert against_last_year(matters, "LBJJ").is_empty()


def test_the_scatter_has_units_with_both_figures_and_marks_what_lies_out(matters: Matters) -> None:
    found = points(matters, "LBGX", "F01")
    assert found["unit_id"].to_list() == ["A7", *GX]
    assert found.filter("is_outlier")["unit_id"].to_list() == ["A7"]
    assert found.filter("is_suspicious")["unit_id"].to_list() == ["A7"]
    assert found["ratio"][0] == pytest.approx(3.0)
    assert first_code(matters, "LBGX") == "F01" and first_code(matters, "LBJJ") == ""


def test_a_unit_is_followed_through_its_rounds(paper: PaperOffice) -> None:
    (found,) = _latest(paper)
    assert is_weighed(paper.office, found)
    history = unit_history(paper.office, "A7", found)
    assert history is not None and list(history.periods) == [LAST, Q2]
    assert {p: int(v) for p, v in history.values["F01"].items() if isinstance(v, int)} == {LAST: 100, Q2: 300}
    assert history.sources[LAST] == ("2014Q2-LBGX-0001", "LBGX")
    new = unit_history(paper.office, "A8", found)
    assert new is not None and list(new.periods) == [Q2]
    assert unit_history(paper.office, "nobody", found) is None


def test_a_unit_is_followed_into_the_park_it_came_from(tmp_path: Path) -> None:
    made = paper_office(tmp_path / "home", {"LBGX": ["A1"], "LBJJ": ["B1"]})
    made.file("LBJJ", LAST, {"B1": firm(7)})
    made.file("LBGX", Q2, {"A1": firm(8)}, upto="reported")
    (found,) = _latest(made)
    history = unit_history(made.office, "A1", found)
    assert history is not None and list(history.periods) == [Q2]


def _latest(made: PaperOffice) -> list[object]:
    from warehouse.ledger.submissions import latest_reported

    with made.office.ledger.read() as session:
        return list(latest_reported(session, Q2))


def test_the_visit_starts_where_most_is_at_stake_and_names_papers_but_no_prediction(
    paper: PaperOffice, matters: Matters
) -> None:
    edition = paper.office.programme.edition_for(Q2)
    sign = Sign("heaping", "LBGX", "P01", ("A1",), "八家中七家为整数")
    found = on_site(matters, edition, "LBGX", [sign, Sign("twins", "LBJJ", "F01", ("A2",), "x")])
    assert [u.unit_id for u in found] == ["A7", "A9", "A1"]
    first, gone, odd = found
    (cell,) = first.cells
    assert (cell["code"], cell["now"], cell["base"]) == ("F01", 300.0, 100.0)
    assert len(cell["why"]) == 2 and "AF15" in cell["why"][0] and "变动较大" in cell["why"][1]
    assert "科目余额表与主要收入凭证" in first.evidence and gone.is_missing and not gone.cells
    assert odd.signs == [sign] and any("社会保险" in paper for paper in odd.evidence)
    assert all("predicted" not in c for u in found for c in u.cells)


@pytest.mark.parametrize("edition", ["2015", "2025"])
def test_there_is_evidence_for_every_form(paper: PaperOffice, edition: str) -> None:
    forms = paper.office.programme.editions[edition].forms
    assert set(forms) <= set(evidence()) and all(evidence()[form] for form in forms)
