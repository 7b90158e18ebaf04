from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exports.display import (
    displayed,
    figure,
    grouped,
    number_format,
    number_of,
    percent,
    signed,
    significant,
    with_display,
)
from pipelines.growth_accounts import _told
from pipelines.series_tables import structure
from schemas.errors import DefinitionError
from schemas.marts import STATUSES
from ytb.cli.reviewing import shown_effect
from ytb.portal.pages import environment


@pytest.mark.parametrize(
    ("value", "decimals", "shown"),
    [
        (2.675, 2, "2.68"),  # half up on what was written, not on the binary neighbour below it
        (-2.675, 2, "-2.68"),
        (0.285 * 100, 0, "29"),  # 28.499999999999996 is noise of the last digit
        (12.0, 1, "12.0"),
        (1173287650.0, 0, "1173287650"),
        (0.0, 1, "0"),  # a true zero
        (-0.0, 2, "0"),
        (18.7 - 18.6 - 0.1, 1, "0"),  # 1e-15: equal figures, not a small difference
        (0.04, 1, "0.0"),  # rounds to zero, but is none
        (-0.04, 1, "0.0"),
        (99.95, 1, "100.0"),
        (5.0, None, "5"),
        (123456789012345680.0, 0, "123456789012345680"),
        (549755813888.2578, 4, "549755813888.2578"),  # more digits than 15: as it is, no digit lost
        (1e30, 1, "1" + "0" * 30 + ".0"),
    ],
)
def test_figures_are_rounded_half_up_once(value: float, decimals: int | None, shown: str) -> None:
    assert displayed(value, decimals, "A") == shown


@pytest.mark.parametrize(("status", "mark"), [("M", "—"), ("Z", "…"), ("C", "*")])
def test_marks_hide_the_value(status: str, mark: str) -> None:
    assert displayed(3.0, 1, status) == mark


@pytest.mark.parametrize("status", ["A", "E", "P"])
@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_a_figure_that_is_not_there_prints_the_mark_of_a_missing_one(value: float | None, status: str) -> None:
    assert displayed(value, 1, status) == "—"


def test_an_unknown_status_is_refused() -> None:
    with pytest.raises(DefinitionError, match="状态"):
        displayed(1.0, 0, "X")


def test_with_display_adds_one_column() -> None:
    cells = pl.DataFrame({"value": [1.25, None, None], "decimals": [1, 1, 1], "status": ["A", "C", "M"]})
    assert with_display(cells)["display"].to_list() == ["1.3", "*", "—"]


@given(st.decimals(-(10**9), 10**9, allow_nan=False, places=4), st.integers(0, 4))
def test_decimal_input_is_rounded_as_by_hand(number: Decimal, decimals: int) -> None:
    expected = number.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_UP)
    assert Decimal(displayed(float(number), decimals, "A")) == expected


@given(st.floats(-1e10, 1e10), st.integers(0, 4))
def test_what_is_shown_reads_back_as_the_number_of_a_workbook(value: float, decimals: int) -> None:
    shown = displayed(value, decimals, "A")
    number = number_of(shown)
    assert number is not None
    digits = len(number_format(shown).partition(".")[2])
    assert f"{number:.{digits}f}" == shown


def test_marks_are_no_numbers() -> None:
    assert [number_of(mark) for mark, _ in STATUSES.values()] == [None] * len(STATUSES)
    assert number_of("-") is None


def test_figures_within_sentences_follow_the_same_rounding() -> None:
    assert [figure(v, 2) for v in (30.625, 2.675, 1.005, None)] == ["30.63", "2.68", "1.01", "—"]
    assert [signed(v, 2) for v in (1.005, -0.125, 0.0, 0.001)] == ["+1.01", "-0.13", "0", "+0.00"]
    assert [significant(v) for v in (12345.67, 1234.5, 1.00005, 0.00123456, -2.5)] == ["12346", "1235", "1.000", "0.001235", "-2.500"]  # fmt: skip
    assert [percent(v) for v in (0.625, 0.6, 0.596, 1.0, 0.0005)] == ["62.5%", "60%", "59.6%", "100%", "0.1%"]


def test_a_grouped_figure_is_the_same_figure_with_separators() -> None:
    assert [grouped(v, 2) for v in (1234567.125, -1234.005, 999.995, 0.0, None)] == [
        "1,234,567.13", "-1,234.01", "1,000.00", "0", "—",
    ]  # fmt: skip
    assert (grouped(2.5), grouped(-1000.5), grouped(12)) == ("3", "-1,001", "12")


ROUNDS_ITSELF = re.compile(r":[+,]*\.[0-9]+[f%]|%[+]?\.[0-9]+f")
NO_FIGURES = {  # sizes in bytes; coordinates and ticks of charts; whole numbers written in full; the rounding itself
    "ytb/portal/pages.py", "sources/guard_refusals.py", "exports/charts_svg.py", "sources/cells.py",
}  # fmt: skip


def test_no_figure_is_rounded_half_to_even_on_its_way_to_a_reader() -> None:
    """Python's formats and polars' default round 0.125 to 0.12; what people see goes through ``exports.display``."""
    files = [p for f in ("ytb", "pipelines", "exports", "sources") for p in Path(f).rglob("*") if p.suffix in (".py", ".j2")]  # fmt: skip
    found = {
        f"{path}:{number}"
        for path in files
        if path.as_posix() not in NO_FIGURES and "demo" not in path.parts
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if ROUNDS_ITSELF.search(line)
    }
    assert found == set()


def test_ties_in_lists_of_the_office_and_in_tables_of_series(tmp_path: Path) -> None:
    assert shown_effect({"effect": 0.125, "unknown": 0, "absent": 2, "gap": 2.675}) == "0.13;未报 2 家 2.68"
    assert environment().from_string("{{ 0.125|figure(2) }} {{ 0.125|signed(2) }} {{ 1234.5|grouped }}").render() == (
        "0.13 +0.13 1,235"
    )
    (tmp_path / "d.csv").write_text("group,value,before\na,401,400\nb,399,400\n", encoding="utf-8")
    assert structure(tmp_path / "d.csv", named={}, same_pct=0.5).lines == (
        "结构变动 0.13 个百分点(0 为不变,100 为全变)",
    )
    accounts = [
        {"series": "x", "output_growth": 6.125, "residual": r, "residual_share": s} for r, s in ((0.125, 2.25), (1.005, 4.35))
    ]  # fmt: skip
    assert _told(accounts, []).lines[1] == "x:产出年均增长 6.13%,余值 0.13 — 1.01 个百分点,占 2.3% — 4.4%(2 种假定)"
