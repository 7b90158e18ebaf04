"""Text files: encodings without guessing, separators, the ="0012" of careful people."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import SubmissionError
from sources.cells import UNCALCULATED, CellError
from sources.delimited import decode, delimiter_of, read_table
from sources.grid import read_grids

TEXT = "企业名称,营业收入\n某公司,12\n"


@pytest.mark.parametrize(
    "data",
    [
        TEXT.encode(),
        codecs.BOM_UTF8 + TEXT.encode(),
        TEXT.encode("gb18030"),
        TEXT.encode("utf-16"),
        codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"),
        TEXT.replace("\n", "\r\n").encode("gbk"),
    ],
)
def test_every_accepted_encoding_gives_the_same_cells(data: bytes) -> None:
    assert read_table(data).rows == [["企业名称", "营业收入"], ["某公司", "12"]]


def test_fifteen_bytes_of_gbk_are_not_korean() -> None:
    assert decode("营业收入合计千元万".encode("gbk")) == "营业收入合计千元万"


def test_a_rare_character_of_gb18030_comes_through() -> None:
    assert decode("㐀𠮷".encode("gb18030")) == "㐀𠮷"


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "，"])
def test_the_separator_is_found(delimiter: str) -> None:
    data = f"甲{delimiter}乙{delimiter}丙\n1{delimiter}2{delimiter}3\n".encode()
    assert read_table(data).rows == [["甲", "乙", "丙"], ["1", "2", "3"]]


def test_separators_inside_quotation_marks_do_not_count() -> None:
    assert delimiter_of('"a,b,c";1\n"d,e,f";2\n') == ";"
    assert read_table('名称;数\n"甲,乙;丙";"1"\n'.encode()).rows[1] == ["甲,乙;丙", "1"]


def test_a_separator_line_of_excel_is_obeyed() -> None:
    assert read_table(b"sep=;\r\na;b\r\n1,5;2\r\n").rows == [["a", "b"], ["1,5", "2"]]


def test_a_field_may_hold_lines_and_quotes_and_rows_are_padded() -> None:
    table = read_table('甲,乙,丙\n"一\n二","说""是""",\n3\n'.encode())
    assert table.rows == [["甲", "乙", "丙"], ["一\n二", '说"是"', ""], ["3", "", ""]]


def test_text_formulas_formulas_and_errors_are_told_apart() -> None:
    table = read_table(b'="0012","=""0013""",=A1+B1,#REF!,-5,+3,-,=\n')
    assert table.rows == [["0012", "0013", UNCALCULATED, CellError("#REF!"), "-5", "+3", "-", "="]]
    assert table.errors == {(0, 3): "#REF!"}


def test_a_text_file_is_one_grid_named_after_the_file() -> None:
    (grid,) = read_grids(TEXT.encode("gbk"), "报送/一季度.csv")
    assert (grid.sheet, grid.visible, grid.is_text_file) == ("一季度", True, True)
    assert grid.column(1) == ["营业收入", "12"]


@pytest.mark.parametrize("data", [b" ,\n,\n", b"\n\n", codecs.BOM_UTF8])
def test_a_file_without_a_word_is_empty(data: bytes) -> None:
    with pytest.raises(SubmissionError) as refused:
        read_grids(data, "a.csv")
    assert refused.value.code == "empty"


@given(st.binary(max_size=300))
def test_any_bytes_end_in_cells_or_a_refusal(data: bytes) -> None:
    try:
        rows = read_table(data).rows
    except SubmissionError as refused:
        assert refused.code
    else:
        assert len({len(row) for row in rows}) == 1
