"""Figures of findings on pages: names with codes, no figure broken."""

from __future__ import annotations

from schemas.catalog import programme
from ytb.portal.figures_shown import figures, with_names

EDITION = programme().editions["2015"]


def test_codes_stand_with_their_names() -> None:
    assert with_names("F01=90,F22=8", EDITION) == "营业收入(F01)=90,资产总计(F22)=8"
    assert with_names("Z99=1", EDITION) == "Z99=1"
    assert with_names("某某公司", EDITION) == "某某公司"


def test_a_line_ends_between_figures_and_inside_names_only() -> None:
    whole = '<wbr><span class="whole">{}</span><wbr>'
    assert figures("F21=90,P02=88") == whole.format("F21=90,") + whole.format("P02=88")
    assert figures("营业收入(F01)=1,234,567") == "营业收入" + whole.format("(F01)=1,234,567")
    assert figures("甘肃<某>公司") == "甘肃&lt;某&gt;公司"
