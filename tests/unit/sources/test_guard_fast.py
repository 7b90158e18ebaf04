"""The fast scan and the exact one tell the same about every sheet, ordinary or odd."""

from __future__ import annotations

from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import SubmissionError
from sources import guard_chunk, guard_package, guard_zip
from sources.guard import inspect
from sources.guard_facts import SheetFacts, address
from tests.unit.sources.books import AWAITING, ordinary, package, sheet_xml, strings_xml

STRINGS = ("甲", "乙" * 40, "", "a&amp;b")
PLAIN_VALUES = (
    "<v>1</v>", "<v>0</v>", "<v></v>", "<v/>", "<v>3</v>", "<v>2</v>", "<f>A1+B1</f><v>1</v>", "<f>A1</f>", "<f>A1</f><v></v>",
    '<f t="shared" ref="A1:B2" si="0">A1</f><v>2</v>', '<f>"|"</f><v>1</v>', "", "<is><t>文</t></is>",
    '<is><t xml:space="preserve"> a </t></is>', "<f>1 &lt; 2 &amp; 3</f><v>1</v>",
    '<f t="shared" si="0"/><v></v>', '<f t="shared" si="12345"/><v></v>', '<f t="shared" ref="A1:B2" si="0">A1</f><v></v>',
)  # fmt: skip
ODD_VALUES = (
    "<v>12.5</v>", "<v>#REF!</v>", "<v>9</v>", "<v>-1</v>", '<f t="shared" si="0"/><v>0</v>', "<f>cmd|x!A1</f><v>1</v>",
    "<f>cmd&#124;x!A1</f><v>1</v>", "<f>cmd&#x7c;x!A1</f><v></v>",
    "<is><r><t>文</t></r></is>", "<v>1</v><v>2</v>", "<v>1&#10;</v>", "<!-- c --><v>1</v>", "<v><![CDATA[1]]></v>",
    "\n<v>1</v>\n", "<f>1</f><v>&lt;</v>",
    '<f t="shared" si=""/><v></v>', '<f t="shared" si="0"/><v/>', '<f t="shared" si="0" ca="1"/><v></v>', '<f t="shared" si="0"/><v></v><v>1</v>',
)  # fmt: skip
PLAIN_TAGS = (
    "", ' s="1"', ' s="12"', ' t="s"', ' s="1" t="s"', ' t="e"', ' s="3" t="e"', ' t="n"', ' s="1" t="n"', ' t="b"', ' t="str"',
    ' s="4" t="str"', ' t="inlineStr"', ' s="1234" t="n"',
)  # fmt: skip
ODD_TAGS = (
    ' t="s" s="1"', " t='e'", ' t = "s"', ' cm="1"', ' t="s" vm="2"', ' s=""', ' xml:space="preserve" t="e"', ' t="e" s="1"',
)  # fmt: skip
ROWS = ("", ' spans="1:9"', ' hidden="1"', ' ht="20" customHeight="1" hidden="true"', ' hidden="0"', " hidden='1'")


@st.composite
def sheets(draw: st.DrawFn) -> str:
    """Rows of cells, most of them ordinary; some sheets have one thing or another that is not."""
    oddity = draw(st.sampled_from([0, 0, 0, 20, 4]))

    def pick(plain: tuple[str, ...], odd: tuple[str, ...]) -> str:
        is_odd = oddity and draw(st.integers(0, oddity)) == 0
        return draw(st.sampled_from(odd if is_odd else plain))

    rows = []
    row = int(pick(("0", "0", "8", "98", "9997"), ("120000", "1048570")))
    for _ in range(draw(st.integers(1, 4))):
        cells = []
        column = int(pick(("0", "0", "24"), ("700", "16380")))
        for _ in range(draw(st.integers(0, 6))):
            at = address(row, column)
            place = pick(
                (f' r="{at}"',), (f' r="{at.lower()}"', ' r="A0"', ' r="$A$1"', ' r="@1"', ' r="A:1"', "", f" r='{at}'")
            )
            tag = f"c{place}{pick(PLAIN_TAGS, ODD_TAGS)}"
            value = pick(PLAIN_VALUES, ODD_VALUES)
            cells.append(f"<{tag}>{value}</c>" if value or draw(st.booleans()) else f"<{tag}/>")
            column += draw(st.integers(1, 3))
        number = pick((f' r="{row + 1}"',), ("", f" r='{row + 1}'"))
        rows.append(f"<row{number}{pick(ROWS, ROWS)}>{''.join(cells)}</row>")
        row += draw(st.integers(1, 2))
    return "".join(rows)


def verdict(data: bytes, small: int) -> tuple[str, SheetFacts | None]:
    """The refusal, or nothing and what was found."""
    with patch.object(guard_package, "SMALL", small):
        try:
            return "", inspect(data, "a.xlsx").sheets[0]
        except SubmissionError as error:
            return error.code, None


@settings(max_examples=200, deadline=None)
@given(rows=sheets(), awaits=st.booleans())
def test_both_scans_agree(rows: str, awaits: bool) -> None:
    workbook = package(sheet_xml(rows), strings_xml(*STRINGS), **({"workbook": AWAITING} if awaits else {}))
    exact_code, exact = verdict(workbook, 1 << 40)
    fast_code, fast = verdict(workbook, 0)
    # of two reasons in one sheet either may come first
    assert bool(fast_code) == bool(exact_code)
    if exact is not None and fast is not None:
        assert fast.rows >= exact.rows
        assert fast.columns >= exact.columns
        fast.rows, fast.columns = exact.rows, exact.columns
        assert fast == exact


@pytest.mark.parametrize("bar", ["|", "&#124;", "&#x7C;"])
@pytest.mark.parametrize("result", ["<v>1</v>", "<v></v>", ""])
def test_a_call_of_another_program_is_seen_however_its_bar_is_written(bar: str, result: str) -> None:
    workbook = package(sheet_xml(f'<row r="1"><c r="A1"><f>cmd{bar}x!A1</f>{result}</c></row>'))
    assert [verdict(workbook, small)[0] for small in (1 << 40, 0)] == ["dde", "dde"]


@given(st.integers(7, 400))
@settings(max_examples=20, deadline=None)
def test_a_part_may_be_cut_into_any_pieces(size: int) -> None:
    data = ordinary(8, 6)
    whole = inspect(data, "a.xlsx").sheets
    with patch.object(guard_zip, "CHUNK", size), patch.object(guard_package, "SMALL", 0):
        assert [(s.cells, s.formulas, s.errors) for s in inspect(data, "a.xlsx").sheets] == [
            (s.cells, s.formulas, s.errors) for s in whole
        ]


def test_an_ordinary_workbook_needs_no_exact_scan() -> None:
    """The speed of the guard hangs on this: a workbook of Excel, WPS or xlsxwriter is understood by the fast scan."""
    with (
        patch.object(guard_package, "SMALL", 0),
        patch.object(guard_package.Package, "_scan_exactly", side_effect=AssertionError("scanned exactly")),
    ):
        assert inspect(ordinary(200), "a.xlsx").sheets[0].cells > 2000


def test_words_of_digits_and_letters() -> None:
    def word(text: bytes) -> int:
        return int.from_bytes(text.ljust(8, b"\0"), "little")

    words = np.array([word(b'AB12"'), word(b'A1"'), word(b'ABC1"'), word(b"AB12<")], np.uint64)
    assert guard_chunk.shaped(words, 2, 2, ord('"')).tolist() == [True, False, False, False]
    for nearly in (b'@B12"', b'A[12"', b'AB1:"', b'AB/2"'):
        near = np.array([word(nearly)], np.uint64)
        try:
            assert not guard_chunk.shaped(near, 2, 2, ord('"')).any()
        except guard_chunk.NotPlainError:
            continue
    with pytest.raises(guard_chunk.NotPlainError):
        guard_chunk.shaped(np.array([word(b'@B12"')], np.uint64), 2, 2, ord('"'))
    assert guard_chunk.number_of(np.array([word(b"0421<")], np.uint64), 4).tolist() == [421]
