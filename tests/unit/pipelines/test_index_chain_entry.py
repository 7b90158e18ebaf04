from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pipelines.methods.index.chain_entry import ChainState, chain_links


def states(values: list[float | None]) -> str:
    letters = {
        ChainState.ABSENT: "-",
        ChainState.BASE: "b",
        ChainState.LINKED: "L",
        ChainState.CARRIED: "c",
        ChainState.LEFT: "x",
    }
    return "".join(letters[link.state] for link in chain_links(values))


def test_an_indicator_enters_in_its_second_year_with_data() -> None:
    assert states([1.0, 2.0, 3.0]) == "bLL"
    assert states([None, None, 3.0, 4.0]) == "--bL"


def test_one_missing_year_is_carried_and_the_next_growth_is_measured_on_the_carried_value() -> None:
    links = chain_links([1.0, 2.0, None, 4.0])
    assert states([1.0, 2.0, None, 4.0]) == "bLcL"
    assert (links[2].now, links[2].before) == (2.0, 2.0)
    assert (links[3].now, links[3].before) == (4.0, 2.0)


def test_a_second_missing_year_leaves_the_chain_and_a_later_figure_is_a_base_again() -> None:
    assert states([1.0, 2.0, None, None, 5.0, 6.0]) == "bLcxbL"
    assert states([1.0, 2.0, None, None, None, 5.0]) == "bLcxxb"


def test_a_base_that_never_entered_is_carried_without_growth() -> None:
    assert states([1.0, None, 3.0]) == "bbL"
    assert states([1.0, None, None, 3.0, 4.0]) == "bbxbL"


@given(st.lists(st.none() | st.floats(min_value=0, max_value=10), max_size=15))
def test_a_link_always_starts_where_the_year_before_ended(values: list[float | None]) -> None:
    links = chain_links(values)
    assert len(links) == len(values)
    for before, now in pairwise(links):
        if now.state.in_chain:
            assert now.before == before.now is not None
    for value, step in zip(values, links, strict=True):
        assert step.now == value or value is None
