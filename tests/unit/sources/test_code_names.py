"""Names typed for codes: taken where one code can be meant, asked about where several can, left alone else."""

from __future__ import annotations

from sources.code_names import Names, codes_for_names, needs_a_look

NAMES = Names.of((("10", "内资"), ("20", "港澳台投资"), ("21", "其他"), ("31", "其他"), ("30", "外商投资")))


def test_a_name_alone_or_with_its_code_is_that_code() -> None:
    column = ["内资", "20 港澳台投资", "外商投资(30)", "３０－外商投资", "10", None]
    taken, problems, normalised = codes_for_names(column, NAMES)
    assert taken == ["10", "20", "30", "30", "10", None]
    assert not problems
    assert [(n.position, n.code, n.value) for n in normalised] == [
        (0, "code_name", "10"),
        (1, "code_name", "20"),
        (2, "code_name", "30"),
        (3, "code_name", "30"),
    ]


def test_a_name_of_two_codes_is_asked_about_and_with_its_code_it_is_clear() -> None:
    taken, problems, normalised = codes_for_names(["其他", "31其他"], NAMES)
    assert taken == [None, "31"]
    assert [(p.position, p.code) for p in problems] == [(0, "code_ambiguous")]
    assert "21、31" in problems[0].message
    assert [n.position for n in normalised] == [1]


def test_part_of_a_name_or_a_code_with_another_name_is_no_code() -> None:
    column = ["外商", "10 外商投资", "内资企业"]
    assert codes_for_names(column, NAMES) == (column, [], [])


def test_a_quoted_code_keeps_its_zeros() -> None:
    taken, _, normalised = codes_for_names(['="0012"', 12.0], None)
    assert taken == ["0012", 12.0]
    assert normalised[0].code == "quoted_text"


def test_plain_codes_need_no_look() -> None:
    assert not needs_a_look(["0012", None, 3.0, "91620100MA72PQRT0X"])
    assert needs_a_look(["内资"]) and needs_a_look(['="0012"'])
