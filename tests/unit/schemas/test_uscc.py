"""GB 32100 and GB 11714: the worked examples of the domain notes, letters in front, and every single-character slip."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.uscc import (
    CHARACTERS,
    DEPARTMENTS,
    check_character,
    is_valid_uscc,
    organisation_check_character,
    valid_organisation_code,
    valid_uscc,
)

PUBLISHED = [
    "91440300192317458F",
    "91440400192548256N",
    "914403001922038216",
    "91440300192181490G",
    "91370200264574251E",
    "91350900587527783P",
    "91100000100003962T",
]


@pytest.mark.parametrize("code", PUBLISHED)
def test_published_codes_are_valid(code: str) -> None:
    assert is_valid_uscc(code)
    assert check_character(code[:17]) == code[17]
    assert organisation_check_character(code[8:16]) == code[16]


def test_the_worked_sums_of_the_standard() -> None:
    assert check_character("91440300192317458") == "F"  # S = 1194, 1194 mod 31 = 16, 31 - 16 = 15
    assert check_character("91440400192548256") == "N"  # S = 1218, 1218 mod 31 = 9, 31 - 9 = 22
    assert organisation_check_character("19231745") == "8"
    assert organisation_check_character("19254825") == "6"


codes = st.builds(
    lambda department, kind, division, body: _code(department, kind, division, body),
    st.sampled_from(DEPARTMENTS),
    st.sampled_from("1239"),
    st.integers(100000, 999999),
    st.text(st.sampled_from(CHARACTERS), min_size=8, max_size=8),
)


def _code(department: str, kind: str, division: int, body: str) -> str:
    first = f"{department}{kind}{division}{body}{organisation_check_character(body)}"
    return first + check_character(first)


@given(codes)
def test_codes_of_every_department_are_valid(code: str) -> None:
    assert is_valid_uscc(code)


@pytest.mark.parametrize("department", ["A", "N", "Y"])
def test_letters_in_front_are_departments(department: str) -> None:
    assert is_valid_uscc(_code(department, "1", 620000, "12345678"))


@given(codes, st.integers(0, 17), st.sampled_from(CHARACTERS))
def test_one_wrong_character_is_found(code: str, at: int, other: str) -> None:
    changed = code[:at] + other + code[at + 1 :]
    assert is_valid_uscc(changed) == (changed == code)


@given(st.lists(st.one_of(st.none(), codes, st.text(max_size=20), st.from_regex(r"[0-9A-Z]{18}", fullmatch=True))))
def test_the_vectorised_check_is_the_same(texts: list[str | None]) -> None:
    frame = pl.DataFrame({"code": texts}, schema={"code": pl.String})
    found = frame.select(valid_uscc(pl.col("code"))).to_series().to_list()
    assert found == [None if t is None else is_valid_uscc(t) for t in texts]


@pytest.mark.parametrize(
    "text", ["", " 91440300192317458F", "91440300192317458f", "91440300192317458F\n", "9144030019231745"]
)
def test_anything_else_is_invalid(text: str) -> None:
    assert not is_valid_uscc(text)


def test_organisation_codes() -> None:
    frame = pl.DataFrame({"code": ["192317458", "19231745-8", "192317459", "91440300192317458F", None]})
    assert frame.select(valid_organisation_code(pl.col("code"))).to_series().to_list() == [
        True,
        True,
        False,
        False,
        None,
    ]


def test_an_a_is_no_check_character_of_an_organisation_code_although_it_counts_ten() -> None:
    body = next(b for n in range(100) if organisation_check_character(b := f"100000{n:02d}") == "X")
    first = f"91100000{body}A"
    code = first + check_character(first)
    assert not is_valid_uscc(code)
    assert pl.select(valid_uscc(pl.lit(code)).alias("holds"))["holds"].to_list() == [False]
