from __future__ import annotations

import pytest

from schemas.catalog import programme
from schemas.errors import DefinitionError
from schemas.layout import (
    CODE_ROW,
    FIRST_ROW,
    Anchor,
    Role,
    column_letter,
    forms_due,
    is_code_row,
    printed_period,
    sheet_layout,
    workbook_layout,
)
from schemas.model import FormKind
from schemas.period import Period

EDITION = programme().editions["2025"]
QUARTER, YEAR = Period.parse("2025-Q1"), Period.parse("2025")


@pytest.mark.parametrize(
    ("index", "letter"), [(0, "A"), (25, "Z"), (26, "AA"), (701, "ZZ"), (702, "AAA"), (16383, "XFD")]
)
def test_columns_are_named_as_excel_names_them(index: int, letter: str) -> None:
    assert column_letter(index) == letter


@pytest.mark.parametrize(
    ("text", "anchor"),
    [("F01", Anchor("F01")), (" F01_yoy ", Anchor("F01", "yoy")), ("F01_last", Anchor("F01", "last"))],
)
def test_an_anchor_is_read_from_the_code_row(text: str, anchor: Anchor) -> None:
    assert Anchor.parse(text) == anchor


@pytest.mark.parametrize("text", ["f01", "F1", "F01_prev", "yoy_reason", "audit", "", None, 1.0])
def test_other_cells_are_no_anchors(text: object) -> None:
    assert Anchor.parse(text) is None


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["B01", "B02", "", None, "F01", "F01_yoy", "yoy_reason", "audit"], True),
        (["code", "name", "unit_measure", "value", "value_last", "audit"], True),
        (["B01"], False),
        (["B01", "单位名称"], False),
        (["yoy_reason", "audit"], False),
        (["code", "value", "F01"], False),
        ([" ", "\t", None], False),
        (["B01", 3.0], False),
    ],
)
def test_the_code_row_is_recognised_by_its_anchors(cells: list[object], expected: bool) -> None:
    assert is_code_row(cells) is expected


def test_only_forms_asked_in_the_round_appear_and_the_province_keeps_its_own() -> None:
    quarterly = [form.code for form in forms_due(EDITION, QUARTER)]
    annual = [form.code for form in forms_due(EDITION, YEAR)]
    assert "rd" not in quarterly and "projects" in quarterly and "context" not in quarterly
    assert "rd" in annual and "projects" not in annual and "context" not in annual
    assert [form.code for form in forms_due(EDITION, YEAR, (FormKind.CONTEXT,))] == ["context"]


def test_a_year_earlier_column_follows_its_indicator() -> None:
    layout = sheet_layout(EDITION, EDITION.forms["finance"], QUARTER)
    anchors = [column.anchor for column in layout.columns]
    assert anchors[:4] == ["B01", "B02", "F01", "F01_yoy"]
    assert anchors.index("yoy_reason") == anchors.index("F01_last") - 1
    assert anchors[-1] == "audit" and "F02" not in anchors
    assert layout.cell("F01", 12) == "C12" and layout.cell("F01", 12, "yoy") == "D12"


def test_a_sheet_form_has_one_row_an_indicator_and_does_not_ask_what_is_derived() -> None:
    layout = sheet_layout(EDITION, EDITION.forms["park"], YEAR)
    assert layout.cell("K01") == f"D{FIRST_ROW}" and layout.cell("K02", lag="yoy") == f"E{FIRST_ROW + 1}"
    assert "K15" not in layout.indicator_rows
    assert is_code_row([column.anchor for column in layout.columns])


@pytest.mark.parametrize("edition", ["2015", "2025"])
@pytest.mark.parametrize("period", ["2014", "2014-Q2"])
def test_every_sheet_has_a_code_row_and_unique_anchors(edition: str, period: str) -> None:
    layouts = workbook_layout(programme().editions[edition], Period.parse(period), tuple(FormKind))
    for layout in layouts.values():
        anchors = [column.anchor for column in layout.columns]
        assert is_code_row(anchors) and len(set(anchors)) == len(anchors)
        assert [c.index for c in layout.columns] == list(range(len(anchors)))
        assert layout.columns[0].role in (Role.KEY, Role.LABEL)
        read = {a.code for c in layout.columns if (a := Anchor.parse(c.anchor))} | set(layout.indicator_rows)
        assert {i.code for i in layout.asked} <= read
        assert len(layout.name) <= 31


def test_an_unknown_column_is_a_definition_error() -> None:
    layout = sheet_layout(EDITION, EDITION.forms["finance"], QUARTER)
    with pytest.raises(DefinitionError, match="F02"):
        layout.address("F02", 8)


def test_the_period_is_printed_without_the_hyphen() -> None:
    assert (printed_period(QUARTER), printed_period(YEAR), CODE_ROW + 1) == ("2025Q1", "2025", FIRST_ROW)
