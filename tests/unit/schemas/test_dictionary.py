from __future__ import annotations

from schemas.catalog import programme
from schemas.dictionary import codelist_rows, computed_list, indicator_list, mart_columns, mart_list, of_which
from schemas.marts import PUBLISHED_COLUMNS, PUBLISHED_MARTS

PARK = programme()
EDITION = PARK.editions["2015"]


def test_every_indicator_target_and_column_is_in_the_dictionary() -> None:
    assert indicator_list(EDITION)["code"].to_list() == list(EDITION.indicators)
    computed = computed_list(EDITION)
    assert computed.filter(kind="规划目标").height == len(EDITION.targets)
    assert set(computed.filter(kind="预警指标")["code"]) == {w.id for w in EDITION.warnings}
    public = [s.data for s in EDITION.schemes.values() if not s.data.get("internal")]
    assert all(computed.filter(kind=s["title"]).height == len(s["indicator"]) for s in public)
    assert mart_columns()["column"].to_list() == list(PUBLISHED_COLUMNS)
    assert mart_list()["mart"].to_list() == list(PUBLISHED_MARTS)


def test_no_entry_of_a_mart_column_is_without_words() -> None:
    for row in mart_columns().iter_rows(named=True):
        assert row["title"] and row["meaning"]


def test_of_which_items_follow_the_definitions_and_the_printed_form() -> None:
    parents = of_which(EDITION)
    assert parents["F17"] == "F16"  # 其中:增值税, its definition names F16
    assert parents["F02"] == "F01"  # named plainly, its definition says F01其中项
    assert all(
        known in EDITION.indicators and child != known and EDITION.indicators[child].form
        for child, known in parents.items()
    )
    named = [i.code for i in EDITION.indicators.values() if i.name.startswith("其中")]
    assert set(named) <= parents.keys()


def test_long_code_lists_are_left_to_their_files() -> None:
    assert codelist_rows(PARK, limit=0).is_empty()
    assert "parks" in set(codelist_rows(PARK)["codelist"])
