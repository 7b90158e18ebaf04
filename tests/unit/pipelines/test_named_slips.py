"""Slips named by a unit's own figures of other periods: what each looks like, and what looks like none."""

from __future__ import annotations

import re
from dataclasses import replace

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from pipelines.methods.named_slips import (
    COPIED_QUARTER,
    COPIED_YEAR,
    QUARTER_ALONE,
    SIGN,
    Figures,
    Sheet,
    named_slips,
)
from pipelines.naming_slips import with_slips_named
from schemas.catalog import programme
from schemas.findings import as_findings
from schemas.observations import Observations
from schemas.period import Period
from sources.audit import Operands, audit
from sources.causes import SLIP, causes_of

UNITS = ("A", "B", "C", "D", "E", "F")
OWN = [1_000.0, 52_000.0, 310.0, 8_700.0, 94_000.0, 2_300.0]


def one(now: float, year: float | None = None, quarter: float | None = None, *, of: int = 3, flow: bool = True) -> str:
    figures = Figures([now], [year], [quarter], [quarter], "千元", is_flow=flow)
    return named_slips(Sheet(["A"], {"F01": figures}, of), [("A", "F01")]).get(("A", "F01"), "")


def column(now: list[float]) -> dict[str, str]:
    sheet = Sheet(UNITS, {"F01": Figures(now, OWN, unit_measure="千元")})
    return {unit: said for (unit, _), said in named_slips(sheet, [(u, "F01") for u in UNITS]).items()}


def test_one_cell() -> None:
    assert one(5_230, year=5_230) == COPIED_YEAR
    assert one(3_400, year=5_230, quarter=3_400) == COPIED_QUARTER
    assert one(1_800, year=5_230, quarter=3_400) == QUARTER_ALONE  # two quarters were 3 400, one is 1 700
    assert one(-5_100, year=5_230) == SIGN
    assert one(5_100_000, year=5_230) == "像是按元填报,应按千元填报"
    assert one(523, year=5_230) == "像是按万元填报,应按千元填报"
    assert one(52.3, year=5_230) == "像是少了两位数,请核对计量单位和小数点"


def test_what_looks_like_nothing_is_not_named() -> None:
    assert one(7_000, year=5_230) == ""
    assert one(20_000, year=5_230) == ""  # four times as much is growth, no slip
    assert one(0, year=5_230) == ""
    assert one(5_230) == ""
    assert one(40, year=40) == ""  # small figures are equal by chance
    assert one(1_800, year=5_230, quarter=3_400, flow=False) == ""  # a stock may fall
    assert one(100, year=5_230, quarter=3_400) == ""  # far less than a quarter ever was
    assert one(1_800, quarter=3_400, of=1) == ""


def test_a_column_that_slid_by_one_row() -> None:
    slid = [OWN[0] * 1.05, *(value * 1.1 for value in OWN[:-1])]
    assert column(slid) == dict.fromkeys("ABCDEF", "像是整列下移了一行,与单位对不上")
    assert column([*(v * 0.9 for v in OWN[1:]), 2_350.0]) == dict.fromkeys("ABCDEF", "像是整列上移了一行,与单位对不上")
    part = [OWN[0] * 1.05, *(value * 1.1 for value in OWN[:3]), *(value * 1.1 for value in OWN[4:])]
    assert column(part) == dict.fromkeys("BCD", "像是整列下移了一行,与单位对不上")
    assert column([value * 1.1 for value in OWN]) == {}


def test_a_column_that_slid_although_some_firms_grew() -> None:
    slid = [OWN[0] * 1.05, *(value * growth for value, growth in zip(OWN, (1.1, 1.6, 1.05, 1.0, 1.2), strict=False))]
    assert column(slid)["C"] == "像是整列下移了一行,与单位对不上"  # 52 000 grew to 83 200, in the row of 310


def test_neighbours_exchanged() -> None:
    assert column([52_500.0, 1_020.0, *(v + 9 for v in OWN[2:])]) == {
        "A": "像是与下一行的单位填反",
        "B": "像是与上一行的单位填反",
    }
    now = {"F01": Figures([410.0], [9_000.0]), "F02": Figures([9_300.0], [400.0]), "F03": Figures([77.0], [70.0])}
    found = named_slips(Sheet(["A"], now, names={"F02": "主营业务收入"}), [("A", "F01"), ("A", "F03")])
    assert found == {("A", "F01"): "像是与相邻的“主营业务收入(F02)”填反"}


def test_a_whole_column_and_a_whole_form_in_another_unit() -> None:
    assert set(column([v * 1_000 for v in OWN]).values()) == {"整列像是按元填报,应按千元填报"}
    two = {c: Figures([v * 1_000 for v in OWN], OWN, unit_measure="千元") for c in ("F01", "F09")}
    assert named_slips(Sheet(UNITS, two), [("A", "F01")]) == {("A", "F01"): "整表像是按元填报,应按千元填报"}
    assert column([OWN[0] * 1_000, *(v + 9 for v in OWN[1:])]) == {"A": "像是按元填报,应按千元填报"}


FIGURE = st.one_of(st.none(), st.floats(-1e9, 1e9, allow_subnormal=False))


@given(st.lists(st.tuples(FIGURE, FIGURE, FIGURE), min_size=1, max_size=6), st.integers(0, 4))
def test_words_never_carry_a_value_and_only_asked_cells_get_any(rows: list[tuple[float | None, ...]], of: int) -> None:
    now, year, quarter = (list(values) for values in zip(*rows, strict=True))
    sheet = Sheet(UNITS[: len(rows)], {"F01": Figures(now, year, quarter, quarter, "千元", is_flow=True)}, of)
    found = named_slips(sheet, [("A", "F01")])
    assert found.keys() <= {("A", "F01")}
    assert not any(re.search(r"\d", said) for said in found.values())


# ── on findings ────────────────────────────────────────────────────────────────────────────────────────────────────
PROGRAMME = programme()
PERIOD = Period(2025, 3)


def _findings(rule: str, units: tuple[str, ...], severity: str = "soft") -> pl.DataFrame:
    row = {
        "rule": rule,
        "severity": severity,
        "form": "finance",
        "column": "F01",
        "indicator": "营业收入",
        "code": "rule",
    }
    said = "工作表“财务状况”“营业收入”(F01):填报 F01=1,营业收入异常,请核实。"
    return as_findings([row | {"unit_id": u, "found": "F01=1", "message": said, "outcome": "failed"} for u in units])


def _observations(revenue: list[int]) -> Observations:
    frame = pl.DataFrame(
        {
            "park": ["LBGX"] * 6, "unit_id": UNITS, "_file": ["f"] * 6, "_sheet": ["财务状况"] * 6,
            "_row": [13, 12, 11, 10, 9, 8], "F01": revenue,
        },
        schema_overrides={"_row": pl.Int64, "F01": pl.Int64},
    )  # fmt: skip
    return Observations({"finance": frame})


def _named(findings: pl.DataFrame, observations: Observations, before: Operands | None) -> pl.DataFrame:
    run = audit(observations, PROGRAMME, PERIOD, park="LBGX", operands_of_other_periods=before)
    edition = PROGRAMME.edition_for(PERIOD)
    return with_slips_named(replace(run, findings=findings), observations, edition, PERIOD)


def test_findings_say_the_slip_behind_their_message_and_are_grouped_by_it() -> None:
    before = Operands({"enterprise": pl.DataFrame({"unit_id": UNITS, "F01_yoy": [int(v) for v in OWN]})}, known=True)
    edition = PROGRAMME.edition_for(PERIOD)
    # The rows of the book run from F to A: seen from there, the column slid down.
    slid = [*(int(v * 1.1) for v in OWN[1:]), 2_400]
    found = _findings("AF99", ("A", "C", "D"))
    named = _named(found, _observations(slid), before)
    assert named["message"].str.ends_with(f"请核实。{SLIP}像是整列下移了一行,与单位对不上。").all()
    assert named.drop("message").equals(found.drop("message"))
    (cause,) = causes_of(named, edition)
    assert cause.title == "“财务状况”的“营业收入(F01)”像是整列下移了一行,与单位对不上(3 家单位)" and cause.count == 3


def test_a_slip_in_another_operand_of_the_rule_is_said_of_that_operand() -> None:
    before = Operands({"enterprise": pl.DataFrame({"unit_id": UNITS, "F01_yoy": [int(v) for v in OWN]})}, known=True)
    found = _findings("AF99", UNITS[:4]).with_columns(column=pl.lit("F02"), found=pl.lit("F02=3,F01=1"))
    edition = PROGRAMME.edition_for(PERIOD)
    named = _named(found, _observations([int(v) * 1000 for v in OWN]), before)
    assert named["message"].str.ends_with(f"{SLIP}“营业收入(F01)”整列像是按元填报,应按千元填报。").all()
    (cause,) = causes_of(named, edition)
    assert cause.title == "“财务状况”的“营业收入(F01)”整列像是按元填报,应按千元填报(4 家单位)"


def test_without_figures_of_other_periods_nothing_is_named() -> None:
    found = _findings("AF99", ("A",), "hard")
    same = _named(found, _observations([int(v) for v in OWN]), None)
    assert same.equals(found)
    nothing = found.clear()
    assert _named(nothing, _observations([1] * 6), None).equals(nothing)
