"""Long names: whole where they stand first, to be shortened where they stand again; their words are never cut from the page."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from ytb.portal.long_names import LONG, TAIL, long_name, with_repeats_shortened

NAME = "甘肃省兰州市国家级高新技术产业开发区管理委员会第4分区"


def words(page: str) -> str:
    return str(Markup(re.sub(r"<[^>]+>", "", page)).unescape())


def test_a_short_name_is_left_alone_and_escaped() -> None:
    assert long_name("兰州高新区") == "兰州高新区"
    assert long_name("<b>") == "&lt;b&gt;" and long_name(None) == "None"


def test_the_second_time_a_long_name_stands_it_can_be_shortened_and_keeps_its_end() -> None:
    page = f"<p>{long_name(NAME)}</p><p>{long_name(NAME)}</p>"
    made = with_repeats_shortened(page)
    assert made.count('class="long"') == 1
    assert f'<span class="again" title="{NAME}"><span>{NAME[:-TAIL]}</span><span>{NAME[-TAIL:]}</span></span>' in made
    assert words(made) == words(page) == NAME * 2


def test_names_that_begin_alike_keep_what_tells_them_apart() -> None:
    other, longer = NAME.replace("第4分区", "综合保税区第12分区"), NAME[:-10] + "统计监测与经济运行分析中心联合办公室"
    made = with_repeats_shortened("".join(f"<p>{long_name(name)}</p>" for name in (NAME, other, longer)))
    assert "<span>综合保税区第12分区</span></span>" in made
    assert f'<span class="long" title="{longer}">' in made, "what differs in most of its words stays whole"
    assert words(made) == NAME + other + longer


@given(st.text(min_size=LONG - 2, max_size=LONG + 30), st.integers(1, 4))
def test_nothing_of_a_name_is_lost_or_comes_alive(name: str, times: int) -> None:
    made = with_repeats_shortened("".join(f"<p>{long_name(name)}</p>" for _ in range(times)))
    assert words(made) == name * times
    assert set(re.findall(r"<(\w+)", made)) <= {"p", "span"}
