"""The audit on frames of a few rows: three outcomes, what absorbs what, what is owed, and the cell each finding is put on."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from schemas.catalog import programme
from schemas.findings import as_findings
from schemas.observations import CELL_MAP_COLUMNS, KEY_COLUMNS, Observations
from schemas.period import Period
from sources.audit import AuditResult, Operands, audit, rosters_of, rule_set_hash
from sources.problems import problem_and_remedy

PROGRAMME = programme()
YEAR, QUARTER = Period.parse("2014"), Period.parse("2015-Q2")
A, B, C = "91620100224369270Y", "91620100MA72PQRT0X", "91620100MA71ABCD6U"
Rows = Mapping[str, Mapping[str, object]]


def observed(period: Period = YEAR, **forms: Rows) -> Observations:
    """Form → unit → code → value as the reader gives it: units from row 8 down, codes from column C on."""
    edition = PROGRAMME.edition_for(period)
    frames: dict[str, pl.DataFrame] = {}
    places: list[tuple[object, ...]] = []
    for code, rows in forms.items():
        form = edition.forms[code]
        types = {i.code: i.dtype for i in form.indicators}
        columns = list(dict.fromkeys(c for row in rows.values() for c in row))
        schema = KEY_COLUMNS | {c: types[c.split("_")[0]] for c in columns}
        is_sheet = form.kind == "sheet"
        frames[code] = pl.DataFrame(
            [
                {
                    "park": "LBGX",
                    "unit_id": unit,
                    "_file": "hash",
                    "_sheet": form.title,
                    "_row": None if is_sheet else n,
                }
                | {c: row.get(c) for c in columns}
                for n, (unit, row) in enumerate(rows.items(), 8)
            ],
            schema=schema,
        )
        places += [
            ("hash", form.title, code, c, "D" if is_sheet else "CDEFGHIJKLMN"[n], 3 + n if is_sheet else None)
            for n, c in enumerate(columns)
        ]
    return Observations(frames, pl.DataFrame(places, schema=CELL_MAP_COLUMNS, orient="row"))


def audited(period: Period = YEAR, *, filer: str = "LBGX", **given: Any) -> AuditResult:
    options = {k: given.pop(k) for k in ("operands_of_other_periods", "register", "known", "file_names") if k in given}
    return audit(observed(period, **given), PROGRAMME, period, park=filer, **options)


def of_rule(result: AuditResult, rule: str) -> list[tuple[object, ...]]:
    return result.findings.filter(rule=rule).select("unit_id", "column", "outcome", "severity").rows()


def outcome(result: AuditResult, rule: str) -> tuple[int, int, int, int]:
    """(holds, failed, undetermined, not applicable)."""
    (row,) = result.outcomes.filter(rule=rule).drop("rule").rows()
    return row


# ── rules ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_rule_holds_fails_or_stays_undetermined_unit_by_unit() -> None:
    staff = {
        A: {"P01": 100, "P06": 60, "P09": 30, "P10": 10},
        B: {"P01": 100, "P06": 60, "P09": 30, "P10": 11},
        C: {"P01": 100, "P06": None, "P09": 30, "P10": 11},
    }
    result = audited(personnel=staff)
    assert outcome(result, "AP01") == (1, 1, 1, 0)
    assert of_rule(result, "AP01") == [(B, "P06", "failed", "hard")]
    finding = result.findings.filter(rule="AP01").row(0, named=True)
    # P06 is the second column of figures, B the second unit
    assert (finding["sheet"], finding["cell"], finding["row"], finding["file"]) == ("从业人员情况", "D9", 9, "hash")
    assert finding["found"] == "P01=100,P06=60,P09=30,P10=11"
    assert finding["message"].startswith("工作表“从业人员情况” D9“") and "”(P06):填报 P01=100" in finding["message"]
    assert finding["message"].endswith("。")


def test_a_finding_says_what_the_figure_was_held_against() -> None:
    result = audited(QUARTER, finance={A: {"F01": 5_000_000, "F01_yoy": 4000}, B: {"F01": 5000, "F01_yoy": 4000}})
    (found,) = result.findings.filter(rule="AF15")["found"]
    assert found == "F01=5000000,上年同期F01=4000"


EXPECTED = [
    # one figure against another
    ({"finance": {"F01": 100, "F02": 120}}, "AF02", "F02", "应不大于 100(营业收入)"),
    # a total against its parts, with the difference that rounding may leave
    ({"finance": {"F22": 140, "F25": 100, "F26": 50}}, "AF06", "F22", "应等于 150(=负债合计 + 所有者权益合计,容许相差 5)"),
    # blank parts count as 0 where the rule says so
    ({"basic": {"B07": "3921"}, "rd": {"R17": 100, "R18": 30, "R19": 20}}, "AR06", "R17", "应等于 50(=基础研究支出 + 应用研究支出 + 试验发展支出,容许相差 5)"),
    # eight parts are not called by their names
    ({"rd": {"R04": 100} | dict.fromkeys(("R05", "R06", "R07", "R08", "R09", "R10", "R11", "R16"), 10)}, "AR01", "R04",
     "应等于 80(=8 项分项之和,容许相差 5)"),
    # several figures against one: named, and what they come to now
    ({"personnel": {"P06": 10, "P07": 4, "P08": 7}}, "AP02", "P07", "博士 + 硕士应不大于 10(研究生学历(位)人员),现为 11"),
    ({"innovation": {"N01": True, "N05": Decimal("30.0"), "N06": Decimal("40.5")}, "personnel": {"P02": 10}, "finance": {"F01": 1}}, "AN01", "N05",
     "市场新产品销售占比 + 企业新产品销售占比 + 未变或略改产品销售占比应等于 100(容许相差 0.5),现为 70.50"),
    ({"finance": {"F01": -5}}, "AF01", "F01", "应不小于 0"),
    # of two parts joined by "and" the one that fails; the other cell is named
    ({"personnel": {"P01": 10, "P14": 12, "P15": 3}}, "AP07", "P15", "专业技术人员应不大于 10(从业人员期末人数)"),
    # a cell by itself, and the same finding on the other
    ({"personnel": {"P02": 10}, "innovation": {"N32": "7", "N33": "8", "N34": "1"}}, "AN09", "N33", "应为 0无、1低、2中、3高 之一"),
    ({"basic": {"B01": "91620100224369270X"}}, "AB01", "B01", "应为 18 位统一社会信用代码,末位与前 17 位算出的校验码相符"),
    ({"basic": {"B12": date(2015, 3, 1)}}, "AB14", "B12", "注册(成立)时间 的年份应不大于 2014(报告年),现为 2015"),
    # several ways out of a contradiction: nothing single is expected
    ({"ip": {"I16": 3, "I17": 0}}, "AI09", "I16", ""),
]  # fmt: skip


@pytest.mark.parametrize(("figures", "rule", "column", "expected"), EXPECTED, ids=[f"{e[1]}-{e[2]}" for e in EXPECTED])
def test_a_finding_says_what_is_expected(
    figures: Mapping[str, Mapping[str, object]], rule: str, column: str, expected: str
) -> None:
    result = audited(**{form: {A: row} for form, row in figures.items()})
    (found,) = result.findings.filter(rule=rule, column=column).iter_rows(named=True)
    assert found["expected"] == expected
    problem, remedy = problem_and_remedy(found["message"], found["found"])
    assert problem.endswith(expected) and remedy.startswith("请")


def test_what_is_only_asked_about_tells_no_bound() -> None:
    result = audited(basic={A: {"B15": "1"}}, finance={A: {"F22": 10_000, "F25": 20_000}})
    soft = result.findings.filter(severity="soft", outcome="failed")
    assert soft.height and set(soft["expected"].fill_null("")) == {""}
    assert not soft["message"].str.contains("应不|应等于").any()


def test_a_rule_does_not_apply_to_units_that_are_not_on_its_form() -> None:
    result = audited(personnel={A: {"P01": 1, "P06": 2, "P09": 0}}, finance={A: {"F01": 1}, B: {"F01": 2}})
    assert outcome(result, "AP01") == (0, 1, 0, 1)


def test_a_condition_of_the_rule_limits_it_and_unknown_is_not_met() -> None:
    basic = {A: {"B15": "1"}, B: {"B15": "2"}, C: {"B15": None}}
    money = {unit: {"F22": 10_000, "F25": 20_000} for unit in (A, B, C)}
    result = audited(basic=basic, finance=money)
    assert outcome(result, "AF11") == (0, 1, 0, 2)  # only units in operation are asked
    assert of_rule(result, "AF11") == [(A, "F25", "failed", "soft")]


def test_a_form_owed_on_condition_asks_only_those_who_owe_it() -> None:
    # rd: owed by industry (section C), and by others only where they report R&D
    basic = {A: {"B07": "3921", "B16": False, "B19": False}, B: {"B07": "6513", "B16": False, "B19": False}}
    result = audited(basic=basic, rd={A: {"R01": 5, "R02": 6}, B: {"R01": 5, "R02": 6}})
    assert of_rule(result, "AR08") == [(A, "R02", "failed", "hard")]
    assert outcome(result, "AR08") == (0, 1, 0, 1)


def test_a_hard_rule_left_open_although_an_operand_is_reported_is_a_soft_finding() -> None:
    result = audited(park={"LBGX": {"K18": Decimal("5.00"), "K19": None, "K04": None}})
    assert outcome(result, "AK04") == (0, 0, 1, 0)
    finding = result.findings.filter(rule="AK04").row(0, named=True)
    assert (finding["severity"], finding["code"], finding["outcome"]) == ("soft", "undetermined", "undetermined")
    assert "无法审核" in finding["message"] and "(K04)" in finding["message"] and "(K19)" in finding["message"]
    assert finding["cell"] == "D3"


def test_nothing_is_said_about_a_rule_none_of_whose_operands_is_reported() -> None:
    result = audited(park={"LBGX": {"K18": None, "K04": None, "K05": 1}})
    assert of_rule(result, "AK04") == []


def test_a_rule_left_open_by_a_blank_that_is_a_finding_itself_is_not_told_twice() -> None:
    result = audited(personnel={A: {"P01": 100, "P06": None, "P09": 30}})
    assert of_rule(result, "AP01") == []
    assert (A, "P06", "failed", "hard") in of_rule(result, "required")


def test_nor_by_a_cell_the_reader_complained_about() -> None:
    complaint = {"rule": "type", "code": "type", "severity": "hard", "form": "personnel", "unit_id": A, "column": "P10"}
    staff = {A: {"P01": None, "P06": 60, "P09": 30, "P10": None}}
    known = as_findings([complaint, complaint | {"column": "P01"}])
    result = audited(personnel=staff, known=known)
    assert of_rule(result, "AP01") == []
    assert (A, "P01", "failed", "hard") not in of_rule(result, "required")


def test_one_cause_gives_one_finding() -> None:
    staff, money = {A: {"P01": 10, "P02": 0}}, {A: {"F01": 500, "F21": 300}}
    result = audited(QUARTER, personnel=staff, finance=money)
    # revenue without staff (AP10) is why there are wages without staff (AP11)
    assert of_rule(result, "AP10") == [(A, "P02", "failed", "soft")]
    assert of_rule(result, "AP11") == [(A, "P02", "absorbed", "soft")]
    assert result.findings.filter(rule="AP11")["absorbed_by"].to_list() == ["AP10"]


def test_a_rule_absorbs_only_on_the_unit_it_failed_for() -> None:
    staff = {A: {"P01": 10, "P02": 0}, B: {"P01": 10, "P02": 0}}
    money = {A: {"F01": 500, "F21": 300}, B: {"F01": 0, "F21": 300}}
    result = audited(QUARTER, personnel=staff, finance=money)
    assert of_rule(result, "AP11") == [(A, "P02", "absorbed", "soft"), (B, "P02", "failed", "soft")]


def test_a_unit_in_two_rows_is_judged_by_its_first() -> None:
    twice = observed(personnel={A: {"P01": 100, "P06": 60, "P09": 30}, B: {"P01": 1, "P06": 60, "P09": 30}})
    frame = twice.frames["personnel"].with_columns(unit_id=pl.lit(A))
    result = audit(Observations({"personnel": frame}, twice.cell_map), PROGRAMME, YEAR, park="LBGX")
    assert outcome(result, "AP01") == (1, 0, 0, 0)


# ── sums over the roster ───────────────────────────────────────────────────────────────────────────────────────────
def test_the_parks_own_figures_are_held_against_its_roster() -> None:
    basic = {A: {"B11": True}, B: {"B11": True}, C: {"B11": False}}
    invested = {A: {"V01": 600}, B: {"V01": 400}, C: {"V01": None}}
    park = {"LBGX": {"K07": 3, "K24": Decimal("90.00")}}
    result = audited(QUARTER, basic=basic, investment=invested, park=park)
    assert of_rule(result, "AK07") == [("LBGX", "K07", "failed", "soft")]  # 3 said, 2 listed
    assert of_rule(result, "AK09") == [("LBGX", "K24", "failed", "soft")]  # 90 × 10 < 0.95 × 1,000
    at_the_edge = {"LBGX": {"K07": 2, "K24": Decimal("95.00")}}
    right = audited(QUARTER, basic=basic, investment=invested, park=at_the_edge)
    assert of_rule(right, "AK07") == [] == of_rule(right, "AK09")


def test_each_indicator_of_the_park_form_has_its_own_cell() -> None:
    result = audited(park={"LBGX": {"K05": 10, "K06": 12, "K07": 3, "K21": Decimal(5), "K22": Decimal(6)}})
    cells = dict(result.findings.filter(pl.col("rule").is_in(["AK01", "AK03"])).select("rule", "cell").rows())
    assert cells == {"AK01": "D5", "AK03": "D7"}  # K07 stands in row 5, K22 in row 7


# ── completeness and bounds ────────────────────────────────────────────────────────────────────────────────────────
def test_required_cells_are_asked_where_the_form_and_the_indicator_are_owed() -> None:
    result = audited(QUARTER, personnel={A: {"P01": None, "P02": 5}, B: {"P01": 6, "P02": None}})
    asked = result.findings.filter(rule="required", form="personnel")
    assert asked.select("unit_id", "column", "severity").rows() == [(A, "P01", "hard"), (B, "P02", "hard")]
    first = asked.row(0, named=True)
    assert first["cell"] == "C8" and "没有发生额的填 0" in first["message"]


def test_an_indicator_owed_on_condition_is_asked_only_there() -> None:
    in_parts = PROGRAMME.edition_for(YEAR).forms["basic"].indicators
    condition = next(i.applies_if for i in in_parts if i.code == "B05")
    assert condition == "in_codelist(B04, 'park_with_sub')"
    result = audited(basic={A: {"B04": "LBGX", "B05": None}, B: {"B04": "XXXX", "B05": None}})
    assert [u for u, c, *_ in of_rule(result, "required") if c == "B05"] == [A]


def test_a_sign_no_rule_checks_is_a_finding_of_its_own_and_one_a_rule_checks_is_not() -> None:
    result = audited(personnel={A: {"P01": 100, "P05": -1}}, finance={A: {"F01": -3}})
    assert of_rule(result, "sign") == [(A, "P05", "failed", "hard")]
    assert of_rule(result, "AF01") == [(A, "F01", "failed", "hard")]
    assert result.findings.filter(rule="sign")["found"].to_list() == ["-1"]


def test_a_code_outside_its_list_is_told_with_the_list() -> None:
    result = audited(basic={A: {"B28": "Z", "B09": "8"}})
    assert of_rule(result, "domain") == [(A, "B28", "failed", "hard")]  # B09 is for AB09 to say
    assert of_rule(result, "AB09") == [(A, "B09", "failed", "hard")]
    message = result.findings.filter(rule="domain")["message"][0]
    assert "填报 Z" in message and "请从下列代码中选填" in message


def test_a_unit_on_one_form_without_a_row_on_another_it_owes() -> None:
    result = audited(QUARTER, finance={A: {"F01": 1}}, personnel={B: {"P01": 1, "P02": 1}})
    missing = [
        (u, result_form)
        for u, result_form in result.findings.filter(rule="missing_row").select("unit_id", "form").rows()
    ]
    assert (A, "personnel") in missing and (B, "finance") in missing
    assert (A, "basic") in missing and (B, "basic") in missing
    assert not [u for u, form in missing if form == "investment"]  # asks for nothing of everybody
    assert result.findings.filter(rule="missing_row")["cell"].null_count() == len(missing)


# ── other periods and the register ─────────────────────────────────────────────────────────────────────────────────
MONEY = {A: {"F01": 5000, "F01_yoy": 4000, "F22": 6000}}


def test_without_a_home_rules_on_other_periods_are_counted_as_not_run() -> None:
    result = audited(QUARTER, finance=MONEY)
    assert {"AF18", "AF19", "AO16", "AB29"} <= set(result.not_run)
    assert {"AB03", "AB27"} <= set(result.not_run)  # these need the register
    assert not {"AF15", "AF20"} & set(result.not_run)  # 上年同期 stands on the form itself
    assert set(result.not_run).isdisjoint(result.outcomes["rule"])


def test_figures_of_other_periods_are_put_beside_the_units() -> None:
    before = pl.DataFrame({"unit_id": [B, A], "F01_prev": [1, 6000]})
    operands = Operands({"enterprise": before}, "snapshot", known=True)
    result = audited(QUARTER, finance=MONEY, operands_of_other_periods=operands)
    assert of_rule(result, "AF18") == [(A, "F01", "failed", "soft")]  # cumulative revenue fell from 6,000 to 5,000
    assert "AF18" not in result.not_run and "AB03" in result.not_run


def test_what_stands_in_the_cell_of_the_year_before_counts_before_last_years_figure() -> None:
    filed = pl.DataFrame({"unit_id": [A, B], "F01_yoy": [1, 1]})
    edition = PROGRAMME.edition_for(QUARTER)
    rows: Rows = {A: {"F01": 5000, "F01_yoy": 4000}, B: {"F01": 5000, "F01_yoy": None}}
    wide = rosters_of(observed(QUARTER, finance=rows), edition, QUARTER, Operands({"enterprise": filed}, known=True))
    assert wide["enterprise"].select("unit_id", "F01_yoy", "_in_finance", "_in_personnel").rows() == [
        (A, 4000, True, False),
        (B, 1, True, False),
    ]


def register(**statuses: str | None) -> pl.DataFrame:
    rows = [(unit, name, statuses.get(name)) for unit, name in ((A, "甲"), (B, "乙"), (C, "丙"))]
    return pl.DataFrame(
        rows, schema={"unit_id": pl.String, "name": pl.String, "answer_status": pl.String}, orient="row"
    )


def test_units_of_the_register_without_figures_or_a_recorded_answer_are_missing() -> None:
    basic = {A: {"B01": A, "B07": "3921"}}
    result = audited(QUARTER, basic=basic, register=register(丙="2"))
    assert of_rule(result, "AB27") == [(B, "B01", "failed", "soft")]
    # Nothing was filled in, so nothing was found: the name of the unit is no figure.
    assert result.findings.filter(rule="AB27")["found"].to_list() == [""]
    assert of_rule(result, "AB03") == []


def test_a_unit_that_is_not_in_the_register_is_told() -> None:
    stranger = "91620100MA6STRNG1X"
    result = audited(QUARTER, basic={stranger: {"B01": stranger}}, register=register(甲="2", 乙="2", 丙="2"))
    assert of_rule(result, "AB03") == [(stranger, "B01", "failed", "hard")]
    # the same plan serves a check with another register
    listed = register().with_columns(unit_id=pl.lit(stranger)).head(1)
    again = audited(QUARTER, basic={stranger: {"B01": stranger}}, register=listed)
    assert of_rule(again, "AB03") == []


# ── the run as a whole ─────────────────────────────────────────────────────────────────────────────────────────────
def test_findings_stand_in_the_order_of_forms_rows_and_columns_with_the_names_of_their_files() -> None:
    staff = {B: {"P01": -1, "P02": None}, A: {"P01": None, "P02": -2}}
    result = audited(QUARTER, personnel=staff, finance={A: {"F01": None}}, file_names={"hash": "甲.xlsx"})
    placed = result.findings.filter(pl.col("rule").is_in(["required", "sign"])).select("form", "cell", "column").rows()
    personnel = [p[1:] for p in placed if p[0] == "personnel"]
    assert personnel == [("C8", "P01"), ("D8", "P02"), ("C9", "P01"), ("D9", "P02")]
    assert [p[0] for p in placed].index("personnel") > [p[0] for p in placed].index("finance")
    assert set(result.findings.filter(pl.col("sheet").is_not_null())["file"]) == {"甲.xlsx"}


def test_an_empty_submission_has_no_findings_on_units() -> None:
    result = audit(Observations({}), PROGRAMME, QUARTER, park="LBGX")
    assert result.findings.filter(pl.col("unit_id") != "LBGX").is_empty()
    enterprise = [f.code for f in PROGRAMME.edition_for(QUARTER).forms.values() if f.roster == "enterprise"]
    rules = {r.id for r in PROGRAMME.edition_for(QUARTER).rules_for(QUARTER) if r.form in enterprise}
    assert result.outcomes.filter(pl.col("rule").is_in(list(rules)))["failed"].sum() == 0


@pytest.mark.parametrize(("park", "has_context"), [("LBGX", False), ("620000", True)])
def test_areas_are_asked_for_the_background_form_and_parks_for_all_others(park: str, has_context: bool) -> None:
    context = {f"{park}|2014": {"Y01": park, "Y02": 2030, "Y03": "统计公报"}}
    result = audited(context=context, personnel={A: {"P01": 1, "P06": 2, "P09": 0}}, filer=park)
    assert bool(result.outcomes.filter(rule="AC02").height) is has_context
    assert bool(result.outcomes.filter(rule="AP01").height) is not has_context
    assert bool(of_rule(result, "AC02")) is has_context  # 2030 has not come yet


def test_dates_and_flags_are_shown_as_the_clerk_knows_them() -> None:
    basic = {A: {"B16": True, "B17": None, "B12": date(2015, 1, 1)}}
    result = audited(basic=basic)
    found = dict(result.findings.filter(pl.col("rule").is_in(["AB14", "AB16"])).select("rule", "found").rows())
    assert found == {"AB14": "B12=2015-01-01", "AB16": "B16=1,B17=空"}


def test_the_hash_of_the_rules_says_which_rules_were_applied() -> None:
    edition = PROGRAMME.edition_for(YEAR)
    assert audited().rule_set_hash == rule_set_hash(edition, YEAR) == audited(personnel={A: {"P01": 1}}).rule_set_hash
    assert rule_set_hash(edition, QUARTER) != rule_set_hash(edition, YEAR)


def test_a_sheet_without_a_single_figure_still_has_its_cells() -> None:
    cell_map = pl.DataFrame([("f1", "园区综合情况", "park", "K05", "D", 12)], schema=CELL_MAP_COLUMNS, orient="row")
    found = audit(Observations({}, cell_map), programme(), Period(2014), park="LBGX").findings
    place = found.filter(pl.col("column") == "K05").row(0, named=True)
    assert (place["file"], place["sheet"], place["cell"], place["code"]) == ("f1", "园区综合情况", "D12", "required")
