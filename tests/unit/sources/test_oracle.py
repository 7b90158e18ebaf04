"""The oracle by construction: faults of every kind at known places are found there, repairs are listed, clean books are quiet."""

from __future__ import annotations

import pytest

from pipelines.checking import check
from schemas.catalog import programme
from sources.reader import read_file
from tests.oracle.faults import FAULTS
from tests.oracle.follower import follow
from tests.oracle.honest import figures_for, holds, measured, uneven_quarters
from tests.oracle.judge import Tally, book_number, judged, run
from tests.oracle.structure import STRUCTURE
from ytb.demo import figures as demo_figures


def assert_all_found(tally: Tally) -> None:
    assert (tally.recall, tally.exact, tally.confused) == (1.0, 1.0, 0), "\n".join(tally.notes)
    assert (tally.false_on_clean, tally.false_beside_faults, tally.misread) == (0, 0, 0), "\n".join(tally.notes)


def test_a_few_books_with_faults_of_any_kind() -> None:
    tally = run(range(6))
    assert tally.clean and tally.planted > 12
    assert_all_found(tally)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [*FAULTS, *STRUCTURE])
def test_each_kind_of_fault_alone(kind: str) -> None:
    tally = Tally()
    for seed in range(40):
        tally.add(judged(seed, kind))
        if tally.planted:
            break
    assert tally.planted, f"nowhere to plant {kind}"
    assert_all_found(tally)


def test_of_a_sheet_nobody_could_read_that_alone_is_said() -> None:
    book = book_number(0, "删除代码行")
    checked = check([read_file(book.to_bytes(), book.name)], programme())
    assert checked.findings.select("code", "form").rows() == [("no_code_row", "basic")]


def test_a_book_without_meta_and_basic_form_is_still_read() -> None:
    assert_all_found(judged(1208))


@pytest.mark.slow
def test_a_hundred_books_and_more() -> None:
    tally = run(range(1000, 1120))
    assert tally.recall >= 0.995 and tally.exact == 1 and tally.confused == 0, "\n".join(tally.notes)
    assert tally.false_a_clean_book <= 0.1 and tally.misread == 0, "\n".join(tally.notes)


def test_a_clerk_who_follows_only_our_words_gets_a_book_accepted() -> None:
    done = follow(2)
    assert done.faults and done.accepted and done.rounds >= 1, done.left


@pytest.mark.slow
def test_nineteen_of_twenty_faulty_books_are_mended_by_our_words_in_two_rounds() -> None:
    done = [follow(seed) for seed in range(101, 141) if seed % 5]
    accepted = sum(one.accepted for one in done)
    assert accepted >= 0.95 * len(done), [(one.faults, one.left[:2]) for one in done if not one.accepted]


def test_honest_firms_that_move_as_firms_do_are_asked_little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_figures, "_quarterly", uneven_quarters)
    rates = measured(figures_for(120, 2016, 7, noisy=True), [2016], parks=["LBGX"])
    assert holds(rates), rates
    assert rates["quarterly"].findings, "a panel so smooth that nothing is ever asked measures nothing"
    assert not rates["quarterly"].hard + rates["annual"].hard
