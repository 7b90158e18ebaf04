"""Glyphs out of a CFF font: subroutines written out, numbers read, and the subset read again as what it was made of."""

from __future__ import annotations

import struct

import pytest

from exports.cff_subset import CidFont, Index, UnfitFontError, entries, subset, written_out
from exports.font_file import system_font


def index(*items: bytes) -> Index:
    ends, at = [1], 1
    for item in items:
        at += len(item)
        ends.append(at)
    head = struct.pack(">H", len(items)) + (bytes((1, *ends)) if items else b"")
    return Index(memoryview(head + b"".join(items)), 0)


NONE = index()
#: As charstrings write small numbers: value + 139.
ONE, TWO, FIVE = bytes((140,)), bytes((141,)), bytes((144,))
FIRST = bytes((139 - 107,))  # the number of subroutine 0 where there are few
RLINETO, RMOVETO, HSTEMHM, HINTMASK, CALL, CALL_GLOBAL, RETURN, END = (
    bytes((n,)) for n in (5, 21, 18, 19, 10, 29, 11, 14)
)


def test_calls_are_replaced_by_what_they_call_down_to_the_end() -> None:
    local = index(ONE + TWO + RLINETO + FIRST + CALL_GLOBAL + RETURN)
    shared = index(FIVE + FIVE + RLINETO + END)
    code = ONE + TWO + RMOVETO + FIRST + CALL + FIVE + FIVE + RLINETO + END
    flat = ONE + TWO + RMOVETO + ONE + TWO + RLINETO + FIVE + FIVE + RLINETO + END
    assert written_out(code, shared, local) == flat  # what stands behind the end in the subroutine is never reached
    assert written_out(flat, NONE, None) == flat


def test_the_length_of_a_mask_hangs_on_the_stems_counted_across_calls() -> None:
    stems = index(ONE * 8 + HSTEMHM + RETURN)  # four
    # five more on the stack of the mask: nine stems, two bytes of mask, of which one looks like a call
    code = FIRST + CALL + ONE * 10 + HINTMASK + CALL + CALL + END
    assert written_out(code, NONE, stems) == ONE * 8 + HSTEMHM + ONE * 10 + HINTMASK + CALL + CALL + END


@pytest.mark.parametrize(
    "code", [CALL, FIRST + CALL, ONE + ONE + bytes((12, 10)), bytes((255, 0, 1, 0, 0)) + CALL, bytes((9,)), bytes((150,)) + CALL]
)  # fmt: skip
def test_what_is_no_outline_of_a_character_is_refused(code: bytes) -> None:
    with pytest.raises(UnfitFontError):
        written_out(code, NONE, NONE)


def test_a_subroutine_that_calls_itself_is_refused() -> None:
    with pytest.raises(UnfitFontError, match="too deep"):
        written_out(FIRST + CALL, NONE, index(FIRST + CALL))


def test_the_entries_of_a_dictionary_are_read_as_they_stand() -> None:
    number = b"\x1c\xff\x00" + b"\x1d\x00\x01\x00\x00" + bytes((247, 0, 251, 0))
    raw = number + b"\x0f" + b"\x1e\x2a\x5f" + b"\x0c\x07"
    assert list(entries(raw)) == [
        (15, [-256, 65536, 108, -108], number + b"\x0f"), ((12, 7), [], b"\x1e\x2a\x5f\x0c\x07"),
    ]  # fmt: skip


@pytest.mark.skipif(system_font() is None, reason="no fonts-noto-cjk")
def test_a_subset_holds_the_same_outlines_under_the_same_numbers_and_calls_nothing() -> None:
    file = system_font()
    assert file is not None
    glyphs = [file.glyphs[ord(c)] for c in "报送回执A1%,𠮷"]
    whole, made = file._cff, subset(file._cff, glyphs)
    assert made == subset(file._cff, list(reversed(glyphs))) and len(made) < 20_000
    again = CidFont(memoryview(made))
    kept = sorted({0, *glyphs})
    assert (again.charstrings.count, again.global_subrs.count) == (len(kept), 0)
    at = again.top[15][0][0]
    assert made[at] == 0 and list(struct.unpack_from(f">{len(kept) - 1}H", made, at + 1)) == kept[1:]
    for n, glyph in enumerate(kept):
        own, private, subrs = whole.private(whole.font_dict_of(glyph))
        assert again.charstrings[n] == written_out(whole.charstrings[glyph], whole.global_subrs, subrs)
        kept_own, kept_private, none = again.private(again.font_dict_of(n))
        assert none is None and (kept_own, kept_private) == (own, private)
