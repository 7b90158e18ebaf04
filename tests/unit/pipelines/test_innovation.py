"""The innovation tables: hand-worked rows, bases and routing, a published example of precision, consistency between tables."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import cache
from typing import Any

import polars as pl
import pytest

from pipelines.methods.disclosure import Rules, Spec, attacked, protect
from pipelines.methods.disclosure.layouts import programme_layout
from pipelines.methods.innovation import InnovationTables, innovation_tables, precision_cells
from pipelines.methods.innovation_definition import Column, RowGroup, columns_of, innovation_definitions, part_texts
from pipelines.methods.innovation_precision import precision_of
from pipelines.methods.weighting import UNIT_COLUMNS, sampling, weigh
from schemas.catalog import programme
from schemas.environment import environment_for
from schemas.errors import DefinitionError
from schemas.period import Period
from schemas.period_data import PeriodData
from schemas.polars_target import aggregate_many

PERIOD = Period(2015)
PARKS = ("LBXQ", "LBGX", "LBJJ", "LBBY")
EDITION = programme().edition_for(PERIOD)


def roster(rows: list[dict[str, Any]]) -> pl.DataFrame:
    """Answered units: what a row leaves out was not reported."""
    codes = {code: i.dtype for code, i in EDITION.indicators.items()}
    fixed: dict[str, Any] = {
        "unit_id": pl.String(), "park": pl.String(), "sub_park": pl.String(), "answer_status": pl.String(),
        "weight": pl.Float64(), "imputed": pl.Boolean(), "F01_yoy": pl.Int64(),
    }  # fmt: skip
    start = {"park": "LBGX", "answer_status": "0", "weight": 1.0, "imputed": False, "B10": "3", "P02": 20}
    filled = [{**start, "unit_id": f"U{i}", **row} for i, row in enumerate(rows)]
    used = {name for row in filled for name in row}
    schema = {n: t for n, t in {**fixed, **codes}.items() if n in used | set(fixed)}
    return pl.DataFrame([{n: row.get(n) for n in schema} for row in filled], schema=schema, orient="row", strict=False)


def tables(frame: pl.DataFrame, *only: str, **more: Any) -> InnovationTables:
    return innovation_tables(PeriodData(PERIOD, {"enterprise": frame}), programme(), only=only, **more)


def figure(found: InnovationTables, indicator: str, breakdown: str = "total", category: str = "T") -> dict[str, Any]:
    rows = found.product.cells.filter(
        pl.col("indicator") == indicator, pl.col("breakdown") == breakdown, pl.col("category") == category
    )
    assert rows.height == 1, (indicator, breakdown, category, rows.height)
    return rows.row(0, named=True)


def value(found: InnovationTables, indicator: str, *at: str) -> float | None:
    result: float | None = figure(found, indicator, *at)["value"]
    return result


NO_PROCESS = dict.fromkeys(("N09", "N10", "N11", "N12", "N13", "N14", "N15"), False)
NOTHING = {"N01": False, "N02": False, **NO_PROCESS, "N17": False, "N18": False, "N23": False, "R04": 0}


# The definitions
def test_there_are_34_tables_with_rows_columns_and_a_formula_each() -> None:
    found = innovation_definitions(EDITION)
    assert [t.id for t in found.tables] == [f"T{n:02d}" for n in range(1, 35)]
    env = environment_for(programme(), PERIOD)
    for column in columns_of(found):
        if column.formula and "{" not in column.formula:
            env.typed(column.formula)
    assert {r for t in found.tables for r in t.rows} <= found.rows.keys()


def test_a_wrong_kind_and_an_unknown_row_group_are_refused() -> None:
    table = next(t for t in EDITION.tables if t.id == "T03")
    others = tuple(t for t in EDITION.tables if t.id != "T03")
    wrong = replace(table, columns=({"id": "c1", "name": "x", "kind": "median"},))
    with pytest.raises(DefinitionError, match="median"):
        innovation_definitions(replace(EDITION, tables=(*others, wrong)))
    with pytest.raises(DefinitionError, match="R-NONE"):
        innovation_definitions(replace(EDITION, tables=(*others, replace(table, rows=("R-NONE",)))))


# Flags, bases, routing
def test_not_answered_is_not_no() -> None:
    found = tables(roster([{**NOTHING, "N01": True}, {**NOTHING}, {**NOTHING, "N01": None}]), "T02", "T03")
    assert value(found, "T03.c1") == 50.0  # the third unit neither yes nor no
    assert value(found, "T02.c1") == 2.0
    assert value(found, "T03.c2") == 0.0


def test_one_yes_settles_a_flag_although_another_answer_is_missing() -> None:
    found = tables(roster([{**NOTHING, "N01": True, "N02": None}, NOTHING]), "T02", "T03")
    assert value(found, "T03.c1") == 50.0 and value(found, "T02.c1") == 2.0


def test_the_combinations_of_technical_and_other_innovation_exclude_each_other_and_add_up() -> None:
    rows = [
        {**NOTHING, "N01": True},
        {**NOTHING, "N13": True},
        {**NOTHING, "N09": True, "N15": True},
        NOTHING,
        {**NOTHING, "N13": None},  # technical: no; other: open; in no denominator
    ]
    found = tables(roster(rows), "T04")
    assert [value(found, f"T04.c{i}") for i in range(1, 5)] == [25.0, 25.0, 25.0, 25.0]


def test_partner_questions_are_asked_of_cooperators_and_the_others_are_no() -> None:
    rows = [
        {**NOTHING, "N01": True, "N23": True, "N25": True, "N26": False, "N31": False},
        {**NOTHING, "N01": True},  # active, does not cooperate: no partner by routing
        {**NOTHING},  # not active: in no denominator of the last three columns
        {**NOTHING, "N09": True, "N23": True, "N24": True},  # active, cooperates, university and institute open
    ]
    found = tables(roster(rows), "T21", "T22")
    assert value(found, "T21.c1") == 4.0 and value(found, "T21.c2") == 50.0
    assert value(found, "T21.c3") == pytest.approx(200 / 3)
    assert value(found, "T21.c4") == 50.0  # one of the two whose answer is known
    assert value(found, "T22.c2") == 100.0  # of the cooperators that answered


def test_the_international_table_counts_from_ten_persons() -> None:
    found = tables(roster([{**NOTHING, "N01": True, "P02": 9}, {**NOTHING, "P02": 10}]), "T03", "T05")
    assert value(found, "T05.c1") == 0.0 and value(found, "T03.c1") == 50.0


def test_shares_of_new_products_run_over_the_revenue_of_all_that_answered() -> None:
    rows = [
        {**NOTHING, "N01": True, "F01": 1000, "N05": 20, "N06": 10},
        {**NOTHING, "F01": 3000},  # no product innovation: zero by routing
        {**NOTHING, "N01": True, "F01": 500},  # did not answer the share: on neither side
    ]
    found = tables(roster(rows), "T08")
    assert value(found, "T08.c1") == pytest.approx(100 * 200 / 4000)
    assert value(found, "T08.c3") == pytest.approx(100 * 300 / 4000)


def test_the_parts_of_innovation_expenditure_add_up_to_a_hundred() -> None:
    rows = [{**NOTHING, "R04": 50, "N19": 30, "N20": 20, "N22": 100}, {**NOTHING, "R04": 10, "N22": 10}]
    found = tables(roster(rows), "T13")
    assert value(found, "T13.c1") == pytest.approx(110 / 100000)
    assert [value(found, f"T13.c{i}") for i in range(2, 6)] == pytest.approx([60 / 1.1, 30 / 1.1, 20 / 1.1, 0])


def test_answers_in_degrees_and_the_factor_table() -> None:
    found = tables(roster([{**NOTHING, "N32": d} for d in ("0", "1", "2", "3")]), "T24", "T26")
    assert value(found, "T24.c1") == 50.0
    assert [value(found, f"T26.c{i}", "factor", "N32") for i in range(1, 5)] == [25.0] * 4
    assert figure(found, "T26.c1", "factor", "N32")["category_name"] == "缺乏内部资金"


def test_innovators_and_others_are_set_side_by_side() -> None:
    rows = [{**NOTHING, "N01": True, "N32": "3"}, {**NOTHING, "N32": "0"}, {**NOTHING, "N32": "2"}]
    found = tables(roster(rows), "T25")
    assert value(found, "T25.c1", "innovator", "1") == 100.0 and value(found, "T25.c1", "innovator", "0") == 50.0


def test_row_groups_and_the_crossed_table() -> None:
    rows = [
        {**NOTHING, "N01": True, "B07": "3911", "B10": "2", "B08": "173", "B16": True, "B27": "1"},
        {**NOTHING, "B07": "3911", "B10": "3", "B08": "310", "B16": False, "B27": "1"},
        {**NOTHING, "B07": "6510", "B10": "3", "B08": "173", "B16": False, "B27": "0", "park": "LBBY"},
    ]
    found = tables(roster(rows), "T03", "T33", "T34")
    assert value(found, "T34.c1", "section×size", "C|2") == 100.0
    assert value(found, "T34.c1", "section×size", "C|3") == 0.0
    assert value(found, "T03.c1", "section", "C") == 50.0 and value(found, "T03.c1", "registration", "1") == 50.0
    assert value(found, "T33.c2", "hnte", "1") == 100.0 and value(found, "T03.c1", "zone", "LBBY") == 0.0
    named = figure(found, "T34.c1", "section×size", "C|2")
    assert (
        named["category_name"] == "制造业·中型"
        and figure(found, "T03.c1", "zone", "LBBY")["category_name"] == "白银高新区"
    )


def test_a_base_nobody_has_is_not_applicable_and_money_not_reported_is_missing() -> None:
    found = tables(roster([NOTHING, NOTHING]), "T02", "T09", "T29")
    assert figure(found, "T09.c1")["status"] == "Z"
    assert figure(found, "T29.c1")["status"] in ("M", "Z") and value(found, "T29.c1") is None
    assert figure(found, "T02.c2")["status"] == "A" and value(found, "T02.c2") == 0.0


# Weights, response, estimates
def test_counts_are_weighted_and_the_response_is_not() -> None:
    frame = roster([{**NOTHING, "N01": True, "weight": 3.0}, NOTHING, {**NOTHING, "answer_status": "1", "weight": 0.0}])
    register = pl.DataFrame(
        {"unit_id": ["U0", "U1", "U2", "V1", "V2"], "park": ["LBGX"] * 5, "answer_status": ["0", "0", "1", "2", "6"]}
    )
    found = tables(frame, "T01", "T02", register=register)
    assert value(found, "T02.c4") == 3.0 and value(found, "T02.c5") == 75.0
    assert [value(found, f"T01.c{i}") for i in range(1, 6)] == [4.0, 3.0, 2.0, 50.0, pytest.approx(200 / 3)]
    assert value(found, "T01.c6") == pytest.approx(0.5)  # weights 3 and 1: deviation 1, mean 2
    part = found.product.parts.filter(pl.col("row_key") == "T02.c4|LBSYQ|total|T").row(0, named=True)
    assert (part["n"], part["total"], part["max1"]) == (1, 3.0, 1.0)


def test_estimates_are_marked_in_amounts_and_kept_out_of_answers() -> None:
    frame = roster([{**NOTHING, "R04": 100}, {"answer_status": "2", "imputed": True, "R04": 50}])
    found = tables(frame, "T02", "T15")
    money = figure(found, "T15.c1")
    assert money["value"] == pytest.approx(150 / 100000) and money["status"] == "E"
    assert value(found, "T02.c1") == 1.0 and figure(found, "T02.c1")["status"] == "A"


# Precision
def test_published_example_of_stratified_sampling() -> None:
    # Scheaffer, Mendenhall, Ott, Elementary Survey Sampling: hours of television in towns A, B and the rural area;
    # also Penn State STAT 506, example 6-1: mean 27.7, estimated variance 1.97.
    hours = {
        ("A", 155): [35, 43, 36, 39, 28, 28, 29, 25, 38, 27, 26, 32, 29, 40, 35, 41, 37, 31, 45, 34],
        ("B", 62): [27, 15, 4, 41, 49, 25, 10, 30],
        ("R", 93): [8, 14, 12, 15, 30, 32, 21, 20, 34, 7, 11, 24],
    }
    rows, strata = [], []
    for (name, population), sample in hours.items():
        for i, hour in enumerate(sample):
            rows.append({"unit_id": f"{name}{i}", "F01": hour, "weight": population / len(sample)})
            strata.append((f"{name}{i}", name, population, len(sample)))
    frame = roster(rows).with_columns(area=pl.lit("X"))
    column = Column("T", "c1", "", "sum", "", 0, "", "F01", "", "", "", 1.0)
    found = precision_of(
        [column], frame, pl.DataFrame(strata, schema=["unit_id", "stratum", "population", "sample"], orient="row"),
        ["area"], pl.lit("T"), RowGroup("R", "", "total"), environment_for(programme(), PERIOD),
    ).row(0, named=True)  # fmt: skip
    total = (frame["F01"].cast(pl.Float64) * frame["weight"]).sum()
    assert round(total / 310, 1) == 27.7
    assert round((found["standard_error"] / 310) ** 2, 2) == 1.97


def test_a_proportion_under_sampling_without_replacement_by_hand() -> None:
    # 5 of 10 answered, 2 of 5 yes: residuals ±, s² = 1.2/4 = 0.3; variance 100 × 0.5 × 0.3 / 5 = 3; 100 × √3 / 10.
    frame = roster([{**NOTHING, "N01": i < 2, "weight": 2.0} for i in range(5)])
    strata = pl.DataFrame(
        {"unit_id": frame["unit_id"], "stratum": ["s"] * 5, "population": [10] * 5, "sample": [5] * 5}
    )
    found = tables(frame, "T03", strata=strata)
    row = found.precision.filter(row_key="T03.c1|LBSYQ|total|T").row(0, named=True)
    assert row["standard_error"] == pytest.approx(100 * 3**0.5 / 10, rel=1e-6)
    assert row["cv_pct"] == pytest.approx(100 * 3**0.5 / 10 / 0.4, rel=1e-6) and row["grade"] == "E"
    assert "谨慎使用" in figure(found, "T03.c1")["note"]
    shown = precision_cells(found).filter(indicator="T03.c1", breakdown="total")
    assert shown["measure"].to_list() == ["standard_error"]


def test_a_census_has_no_sampling_error_and_one_answer_an_unknown_one() -> None:
    frame = roster([{**NOTHING, "N01": True}, NOTHING])
    census = pl.DataFrame({"unit_id": ["U0", "U1"], "stratum": ["s", "s"], "population": [2, 2], "sample": [2, 2]})
    one = pl.DataFrame({"unit_id": ["U0", "U1"], "stratum": ["s", "t"], "population": [4, 2], "sample": [1, 2]})
    for strata, expected in ((census, 0.0), (one, None)):
        found = tables(frame, "T03", strata=strata).precision.filter(row_key="T03.c1|LBSYQ|total|T")
        assert found["standard_error"].to_list() == [expected]


# Consistency between tables, on a survey of some size
@cache
def survey() -> tuple[pl.DataFrame, InnovationTables]:
    rng = random.Random(11)
    classes = ["3911", "3922", "2710", "1310", "4411", "6510", "5110", "7310"]
    rows = []
    for i in range(160):
        innovator = rng.random() < 0.5
        revenue = int(rng.lognormvariate(9, 1.5))
        row: dict[str, Any] = {
            "unit_id": f"U{i:03d}", "park": rng.choice(PARKS), "B07": rng.choice(classes), "B08": rng.choice(["173", "210"]),
            "B10": rng.choice("2334"), "B16": rng.random() < 0.3, "B27": rng.choice("01"), "B11": rng.random() < 0.1,
            "F01": revenue, "F01_yoy": revenue, "P01": 10 + revenue // 500, "O05": revenue // 5 if innovator else 0,
            "weight": rng.choice([1.0, 1.0, 1.25]), "N23": innovator and rng.random() < 0.5,
        }  # fmt: skip
        for code in ("N01", "N02", "N09", "N13", "N15"):
            row[code] = innovator and rng.random() < 0.5
        for code in ("N10", "N11", "N12", "N14", "N17", "N18"):
            row[code] = rng.random() < 0.1
        for code in ("N32", "N33"):
            row[code] = rng.choice("0123")
        row["R04"] = revenue // 20 if innovator else 0
        if any(row[c] for c in ("N01", "N02")):
            row["N08"] = rng.choice("1234")
        rows.append(row)
    frame = roster(rows)
    return frame, tables(frame, "T02", "T03", "T09", "T15", "T21", "T26", "T29", "T34")


def numerators(found: InnovationTables, indicator: str, role: str) -> pl.DataFrame:
    cells = found.product.cells.filter(pl.col("indicator") == indicator)
    parts = found.product.parts.filter(pl.col("role") == role)
    return cells.join(parts, on="row_key").select("breakdown", "category", "total", "n")


@pytest.mark.parametrize("indicator", ["T02.c4", "T03.c1", "T15.c1", "T21.c2", "T29.c3"])
def test_rows_add_up_to_the_margin(indicator: str) -> None:
    _, found = survey()
    for role in ("numerator", "denominator", "level"):
        parts = numerators(found, indicator, role)
        whole = parts.filter(breakdown="total")
        for breakdown in ("section", "size", "registration", "zone", "hnte", "high_tech"):
            rows = parts.filter(breakdown=breakdown)
            if rows.height:
                assert rows["total"].sum() == pytest.approx(whole["total"].sum())
                assert rows["n"].sum() == whole["n"].sum()


def test_the_crossed_table_adds_up_to_both_margins() -> None:
    _, found = survey()
    crossed, sections = numerators(found, "T34.c1", "numerator"), numerators(found, "T02.c5", "numerator")
    left = (
        crossed.with_columns(category=pl.col("category").str.split("|").list.first())
        .group_by("category")
        .agg(pl.col("total").sum())
    )
    whole = dict(sections.filter(breakdown="section").select("category", "total").iter_rows())
    assert dict(left.iter_rows()) == pytest.approx(whole)


def test_every_ratio_is_the_quotient_of_its_parts() -> None:
    _, found = survey()
    parts = found.product.parts
    sides = {
        r: parts.filter(pl.col("role") == r).select("row_key", pl.col("total").alias(r))
        for r in ("numerator", "denominator")
    }
    joined = found.product.cells.join(sides["numerator"], on="row_key").join(sides["denominator"], on="row_key")
    percent = joined.filter(pl.col("unit_measure") == "%", pl.col("value").is_not_null())
    assert percent.height > 200
    assert (percent["value"] - 100 * percent["numerator"] / percent["denominator"]).abs().max() < 1e-9


def test_the_index_and_the_table_of_cooperation_are_one_figure() -> None:
    frame, found = survey()
    formulas = {i.id: i.formula for i in EDITION.indexes["development"].indicators if i.id in ("X08", "X24")}
    env = environment_for(programme(), PERIOD)
    data = PeriodData(PERIOD, {"enterprise": frame})
    index = aggregate_many(formulas, data, [], env, weighted=True).values.row(0, named=True)
    assert value(found, "T21.c2") == index["X24"] and value(found, "T29.c3") == pytest.approx(index["X08"])


def test_the_index_and_the_table_of_cooperation_are_hidden_together() -> None:
    """Four of six cooperate: enough for an index (3), too few for a table of the survey (5); equal texts are one cell."""
    column = next(c for c in columns_of(innovation_definitions(EDITION)) if c.indicator == "T21.c2")
    index = next(i.formula for i in EDITION.indexes["development"].indicators if i.id == "X24")
    env = environment_for(programme(), PERIOD)
    assert part_texts(column.formula, env) == part_texts(index, env) == ("COUNT(N23 == 1)", "COUNT(notnull(N23))")


def test_a_condition_the_share_implies_is_not_said_twice() -> None:
    texts = {c.indicator: c.numerator for c in columns_of(innovation_definitions(EDITION))}
    assert "notnull" not in texts["T09.c1"] and "N08 == 1" in texts["T09.c1"]
    # here it is not implied: a firm that answered N01 but not N02 is in neither side
    assert "notnull(N02)" in texts["T06.c1"]


def test_the_choices_of_one_question_add_up_to_a_hundred() -> None:
    _, found = survey()
    assert sum(value(found, f"T09.c{i}") or 0 for i in range(1, 5)) == pytest.approx(100)
    assert sum(value(found, f"T26.c{i}", "factor", "N33") or 0 for i in range(1, 5)) == pytest.approx(100)


def test_the_order_of_the_units_does_not_change_a_byte() -> None:
    frame, found = survey()
    again = tables(
        frame.sample(fraction=1.0, shuffle=True, seed=3), "T02", "T03", "T09", "T15", "T21", "T26", "T29", "T34"
    )
    assert again.product.cells.equals(found.product.cells) and again.product.parts.equals(found.product.parts)


def test_the_tables_are_protected_and_no_primary_cell_is_recovered() -> None:
    _, found = survey()
    rules = Rules.of_programme(EDITION.parameters["thresholds"], innovation=True)
    spec = Spec(rules, programme_layout(programme(), PERIOD, found.identities), exact=False)
    few = found.product.cells.filter(pl.col("table").is_in(["T02", "T09", "T15", "T21", "T34"]))
    parts = found.product.parts.join(few.select("row_key"), on="row_key", how="semi")
    protected = protect(few, parts, spec)
    assert protected.summary["hidden"] > 0 and protected.exposed.height == 0
    seen = attacked(protected, spec)
    assert not seen.filter(pl.col("reason") != "complement")["recovered"].any()
    small = parts.filter(pl.col("part").str.starts_with("COUNT"), pl.col("n") > 0, pl.col("n") < 5)
    assert set(small["row_key"]) <= set(protected.cells.filter(pl.col("status").is_in(["C", "Z", "M"]))["row_key"])
    kept = protected.cells.filter(pl.col("status") != "C").join(few, on="row_key")
    assert kept["value"].equals(kept["value_right"], null_equal=True)


def test_weights_from_the_register_flow_into_precision() -> None:
    frame, _ = survey()
    units = frame.with_columns(
        industry=pl.col("B07").str.slice(0, 1), size=pl.col("B10"), above_scale=pl.col("B11"),
        revenue_before=pl.col("F01_yoy").cast(pl.Float64),
    ).select(*UNIT_COLUMNS)  # fmt: skip
    found = tables(frame, "T03", "T14", strata=sampling(weigh(units)))
    assert (found.precision["standard_error"].drop_nulls() == 0.0).all()  # everybody answered: no sampling error


def test_all_tables_come_out_for_every_area_with_units() -> None:
    frame, _ = survey()
    found = tables(frame.head(40))
    assert found.product.cells["table"].unique().sort().to_list() == [f"T{n:02d}" for n in range(1, 35)]
    assert set(found.product.cells["area"]) == {"LBSYQ"}
    shown = found.product.cells.filter(pl.col("value").is_not_null())
    assert shown.join(found.product.parts, on="row_key", how="anti").height == 0  # every figure says what it is made of
    assert (found.product.cells["category_name"] != "未归类").all()
