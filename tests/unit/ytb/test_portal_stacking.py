"""Tables on a narrow screen: each cell says which column it is of, and the table stays one for those who hear the page."""

from __future__ import annotations

from markupsafe import Markup

from ytb.portal.stacking import stacked


def test_each_cell_says_its_column_and_the_rows_keep_their_roles() -> None:
    made = stacked(
        '<table class="findings"><thead><tr><th scope="col">位置</th><th scope="col">问题 <small>几处</small></th></tr></thead>'
        '<tbody><tr class="a"><th scope="row">E8</th><td class="v">大于 &lt;td&gt;</td></tr></tbody></table>'
    )
    assert made == (
        '<table role="table" class="findings stacked"><thead role="rowgroup"><tr role="row">'
        '<th role="columnheader" scope="col">位置</th><th role="columnheader" scope="col">问题 <small>几处</small></th></tr></thead>'
        '<tbody role="rowgroup"><tr role="row" class="a"><th role="rowheader" data-label="位置" scope="row">E8</th>'
        '<td role="cell" data-label="问题 几处" class="v">大于 &lt;td&gt;</td></tr></tbody></table>'
    )
    assert isinstance(made, Markup)


def test_a_cell_over_several_columns_moves_the_next_one_on() -> None:
    heads = "".join(f"<th>{one}</th>" for one in "甲乙丙丁")
    made = stacked(
        f'<table><thead><tr>{heads}</tr></thead><tbody><tr><td>1</td><td colspan="2">2</td><td>3</td><td>4</td></tr></tbody></table>'
    )
    assert [part.split('"')[0] for part in made.split('data-label="')[1:]] == ["甲", "乙", "丁", ""]


def test_a_heading_with_signs_stays_an_attribute_and_a_table_without_a_head_stays_as_it_is() -> None:
    made = stacked(
        "<table><thead><tr><th>&#34;甲&#34; &lt; 乙</th></tr></thead><tbody><tr><td>1</td></tr></tbody></table>"
    )
    assert 'data-label="&#34;甲&#34; &lt; 乙"' in made
    plain = "<table><tbody><tr><td>1</td></tr></tbody></table><p>x</p>"
    assert stacked(plain) == plain
