"""The system's font: only fonts that fit, and of those a subset with the same outlines under the same numbers."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from fontTools.cffLib import CFFFontSet
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.recordingPen import RecordingPen
from fontTools.ttLib import TTFont, TTLibError

from exports.font_file import UnfitFontError, open_font, system_font

FONT = system_font()


@pytest.mark.skipif(FONT is None, reason="no fonts-noto-cjk")
def test_a_subset_holds_the_same_outlines_under_the_same_numbers_and_no_others() -> None:
    assert FONT is not None
    glyphs = [FONT.glyphs[ord(c)] for c in "报送回执A1%,𠮷"]
    made = FONT.outlines(glyphs)
    assert made == FONT.outlines(list(reversed(glyphs))) and len(made) < 20_000
    subset, again = TTFont(), CFFFontSet()
    again.decompile(io.BytesIO(made), subset)
    top = again.topDictIndex[0]
    assert top.charset == [".notdef", *(f"cid{n:05d}" for n in sorted(glyphs))]
    with TTFont(FONT.path, fontNumber=FONT.face, lazy=True) as whole:
        for name in top.charset:
            of_whole, of_subset = RecordingPen(), RecordingPen()
            whole["CFF "].cff.topDictIndex[0].CharStrings[name].draw(of_whole)
            top.CharStrings[name].draw(of_subset)
            assert of_subset.value == of_whole.value


@pytest.mark.skipif(FONT is None, reason="no fonts-noto-cjk")
def test_widths_are_those_of_the_file() -> None:
    assert FONT is not None
    assert FONT.width(FONT.glyphs[ord("报")]) == 1000
    assert 200 < FONT.width(FONT.glyphs[ord("1")]) < 700


def test_fonts_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    broken = tmp_path / "broken.ttc"
    broken.write_bytes(b"no font")
    with pytest.raises(TTLibError):
        open_font(broken)
    builder = FontBuilder(1000, isTTF=False)
    builder.setupGlyphOrder([".notdef", "A"])
    builder.setupCharacterMap({65: "A"})
    builder.setupNameTable({"familyName": "Plain", "styleName": "Regular", "psName": "Plain-sc-Regular"})
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupPost()
    builder.save(tmp_path / "plain.otf")
    with pytest.raises(UnfitFontError, match="CID"):
        open_font(tmp_path / "plain.otf")
    with pytest.raises(UnfitFontError, match="face"):
        open_font(tmp_path / "plain.otf", face="tc-Bold")
