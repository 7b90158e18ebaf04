"""The environment of a period, and on which rows an expression may be asked."""

from __future__ import annotations

import polars as pl
import pytest

from schemas.catalog import programme
from schemas.environment import environment_for
from schemas.errors import DefinitionError
from schemas.period import Period
from schemas.polars_target import evaluate_rows
from schemas.typed_expression import require_aggregate_level, require_row_level, variables_of

PARK = programme("park")
ENV = environment_for(PARK, Period.parse("2025-Q1"))


def test_the_register_belongs_to_one_environment_only() -> None:
    frame = pl.DataFrame({"B01": ["a", "b", None]})
    asked = "in_codelist(B01, 'unit_register')"
    known = environment_for(PARK, ENV.period, units=pl.Series(["a", None]))
    assert evaluate_rows(asked, frame, known).to_list() == [True, False, None]
    assert evaluate_rows(asked, frame, environment_for(PARK, ENV.period)).to_list() == [None, None, None]


def test_code_lists_are_those_of_the_last_day() -> None:
    frame = pl.DataFrame({"B08": ["110", "111"]})  # 国有企业 of 2011, 国有独资公司 of 2023
    asked = "in_codelist(B08, 'reg_category')"
    assert evaluate_rows(asked, frame, ENV).to_list() == [False, True]
    assert evaluate_rows(asked, frame, environment_for(PARK, Period(2014))).to_list() == [True, False]


def test_organisation_codes_pass_until_credit_codes_came() -> None:
    frame = pl.DataFrame({"B01": ["19231745-8", "91440300192317458F"]})
    assert evaluate_rows("valid_uscc(B01)", frame, environment_for(PARK, Period(2015))).to_list() == [True, True]
    assert evaluate_rows("valid_uscc(B01)", frame, ENV).to_list() == [False, True]


def test_variables_know_form_roster_and_applicability() -> None:
    variables = variables_of(PARK.editions["2025"])
    assert (variables["F01"].roster, variables["K04"].roster, variables["K41"].roster) == (
        "enterprise",
        "park",
        "context",
    )
    assert (variables["R04"].absent, variables["O01"].absent, variables["O03"].absent) == ("zero", "zero", "")
    assert (variables["N01"].absent, variables["L01"].absent, variables["L07"].absent) == ("outside", "outside", "")
    assert not variables["K42"].additive


@pytest.mark.parametrize(
    ("text", "roster"),
    [("F01 > K04", ""), ("K04 > 1", "enterprise"), ("SUM(F01) > 1", "enterprise"), ("CUM(K04) > 1", "park")],
)
def test_a_row_is_not_asked_for_what_it_has_not(text: str, roster: str) -> None:
    with pytest.raises(DefinitionError):
        require_row_level(ENV.typed(text), roster, text)


def test_what_rows_and_areas_may_be_asked() -> None:
    require_row_level(ENV.typed("K07 == COUNT(B11 == 1)"), "park")
    require_row_level(ENV.typed("COUNT_PARK(in_roster(B01)) <= 1"), "enterprise")
    require_aggregate_level(ENV.typed("K09 / K35 * 100"))
    require_aggregate_level(ENV.typed("SUM(F01) / BASE(SUM(F01), 2014)"))
    with pytest.raises(DefinitionError, match="要放在 SUM、COUNT 之内"):
        require_aggregate_level(ENV.typed("F01 / SUM(F01)"), "X")
