"""Tables of any origin: encodings, separators, lines, and what is no figure."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from pipelines.csv_tables import LINE, csv_text, plain_number, typed_table
from schemas.errors import DefinitionError

TABLE = "unit,value\n甲,1\n乙,2\n"


@pytest.mark.parametrize(
    "raw",
    [
        TABLE.encode(),
        TABLE.encode("utf-8-sig"),
        TABLE.encode("gb18030"),
        TABLE.encode("utf-16"),
        TABLE.replace(",", ";").encode(),
        TABLE.replace("\n", "\r\n").encode(),
        TABLE.replace(",", "\t").encode(),
        TABLE.replace("value\n", "value\n\n,\n").encode(),
    ],
)
def test_one_table_in_many_guises(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "t.csv").write_bytes(raw)
    assert csv_text(tmp_path / "t.csv").drop(LINE).rows() == [("甲", "1"), ("乙", "2")]


def test_a_complaint_names_the_line_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('unit,value\n"two\nlines",1\n\nb,x\n')
    with pytest.raises(DefinitionError, match=r"t\.csv:5"):
        typed_table(tmp_path / "t.csv", {"value": pl.Float64()}, {})


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "文件是空的"),
        (b"a,a\n1,2\n", "列名重复:a"),
        (b"a,b\n1\n", "只有 1 格"),
        (b"a,b\n1,2,3\n", "有 3 格"),
        (b'a,b\n"1,2\n', "引号没有成对"),
        (b"a,b\n\x00,2\n", "空字符"),
        (bytes(range(1, 256)), "控制字符|编码"),
    ],
)
def test_what_is_no_table_is_said(tmp_path: Path, raw: bytes, said: str) -> None:
    (tmp_path / "t.csv").write_bytes(raw)
    with pytest.raises(DefinitionError, match=said):
        csv_text(tmp_path / "t.csv")


def test_missing_files_and_folders_are_said(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match="不存在"):
        csv_text(tmp_path / "none.csv")
    with pytest.raises(DefinitionError, match="文件夹"):
        csv_text(tmp_path)


@pytest.mark.parametrize("text", ["inf", "-inf", "nan", "1e400", "1e200", "1_000", "12%", "abc", ""])
def test_what_is_no_ordinary_number(text: str) -> None:
    assert plain_number(text) is None


def test_numbers() -> None:
    assert [plain_number(t) for t in ("1", "-2.5", "1e3")] == [1.0, -2.5, 1000.0]
