"""Explanations that say something: empty words, copies, repeats, and what the unit's own figures contradict."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.explaining import Evidence, evidence_of, weak_explanations, weakness
from pipelines.reporting import explain
from schemas.catalog import programme
from schemas.claims import Claims
from schemas.lint import lint
from schemas.period import Period
from tests.paper_office import ACTOR, PaperOffice, firm, paper_office, soft_finding
from warehouse.ledger.explanations import Explanation
from warehouse.ledger.states import State

PROGRAMME = programme()
EDITION = PROGRAMME.editions["2015"]
Q1, LAST = Period(2015, 1), Period(2014, 1)
KEY = "AF15|finance|A1|F01"
NOTHING = Evidence({}, {}, {}, {})


def why(text: str, evidence: Evidence = NOTHING, key: str = KEY, code: str = "07") -> str:
    return weak_explanations(PROGRAMME, EDITION, evidence, {key: (code, text)}).get(key, "")


@pytest.mark.parametrize(
    "text",
    ["核实无误", "情况属实", "经核实,数据无误,情况属实。", "经与企业核对,数据真实准确,特此说明", "同上", "无", "啊啊啊啊啊啊啊啊啊啊啊啊", "1234567890123", ""],
)  # fmt: skip
def test_words_that_say_nothing(text: str) -> None:
    assert "没有写明原因" in why(text)


@pytest.mark.parametrize(
    "text",
    ["上年同期停产检修三个月,本年恢复正常生产", "一季度集中交付两个大订单,收入提前确认", "企业主动冲减上年多记的研发支出,有审计报告"],
)  # fmt: skip
def test_words_that_say_something(text: str) -> None:
    assert why(text) == ""


def test_a_reason_code_has_to_be_one() -> None:
    assert "原因码“77”无效" in weakness(PROGRAMME, "77", "一季度集中交付两个大订单,收入提前确认")
    both = weakness(PROGRAMME, "", "情况属实")
    assert "没有写明原因" in both and "没有选原因" in both


def test_repeating_the_finding_or_the_last_explanation_does_not_do() -> None:
    said = "营业收入与上年同期相差悬殊,疑似元与千元错填"
    assert "只是重复" in why(said, Evidence({KEY: said}, {}, {}, {}))
    told = Explanation(KEY, "07", "一季度集中交付两个大订单。", "园区", PaperOffice.at)
    assert "完全相同" in why("一季度集中交付两个大订单", Evidence({}, {}, {}, {KEY: told}))
    assert why("一季度又交付一个大订单,二季度回落", Evidence({}, {}, {}, {KEY: told})) == ""


def test_one_text_for_many_units_and_rules_is_a_copy_for_one_cause_it_is_not() -> None:
    text = ("07", "一季度集中交付两个大订单,收入提前确认")
    same_rule = {f"AF15|finance|A{n}|F01": text for n in range(6)}
    assert weak_explanations(PROGRAMME, EDITION, NOTHING, same_rule) == {}
    same_unit = {f"AF{n}|finance|A1|F01": text for n in range(15, 21)}
    assert weak_explanations(PROGRAMME, EDITION, NOTHING, same_unit) == {}
    both = {f"AF{15 + n % 2}|finance|A{n}|F01": text for n in range(4)}
    found = weak_explanations(PROGRAMME, EDITION, NOTHING, both)
    assert len(found) == 4 and "逐家、逐项" in found["AF15|finance|A0|F01"]
    later = {k: v for k, v in both.items() if "A3" in k}
    assert weak_explanations(PROGRAMME, EDITION, NOTHING, later, on_record=both).keys() == later.keys()


def test_direction_is_held_against_the_figure_unless_the_words_speak_of_something_else() -> None:
    rose = Evidence({}, {}, {("A1", "F01"): 1}, {})
    assert "说明写的是减少,填报数与往期相比却是增加" in why("主要客户订单减少,产量下滑明显", rose)
    assert why("主要客户订单增加,新签合同集中交付", rose) == ""
    assert why("上年同期订单减少基数低,今年已经交付", rose) == "" and why("产品单价下降而销量放大,薄利多销", rose) == ""
    assert why("主要客户订单减少,产量下滑明显", NOTHING) == ""


def test_the_shipped_claims_compile_and_an_edition_takes_them_over() -> None:
    for edition in PROGRAMME.editions.values():
        assert edition.claims.items.keys() >= {"EX01", "EX02", "EX03"} and edition.claims.up
        assert lint(PROGRAMME, edition).ok
    assert Claims().direction("增加") == 0


# ── with figures from the ledger ───────────────────────────────────────────────────────────────────────────────────
FINDING = soft_finding("A1", "AF15", "F01", "F01=900")


def office_with(root: Path, before: dict[str, object], now: dict[str, object]) -> tuple[PaperOffice, str]:
    made = paper_office(root / "home", {"LBGX": ["A1"]})
    made.file("LBGX", LAST, {"A1": before})
    return made, made.file("LBGX", Q1, {"A1": now}, findings=[FINDING], upto="checked").number


BEFORE = firm(100, P01=10, F22=5000)
NEW_PLANT = ("07", "新建二号厂房投产,产能增长一倍")


@pytest.mark.parametrize(
    ("now", "told", "said"),
    [
        (firm(900, P01=10, F22=5000), NEW_PLANT, "没有比上年同期增加,也没有填固定资产投资"),
        (firm(900, P01=10, F22=9000), NEW_PLANT, ""),
        (firm(900, P01=30, F22=5000), NEW_PLANT, ""),
        (firm(900, P01=10, F22=5000, V01=300), NEW_PLANT, ""),
        (firm(900, P01=10), NEW_PLANT, ""),  # assets not reported: undetermined, the claim stands
        (firm(900, P01=10, F22=5000), ("11", "主要生产线停产搬迁,等待环评验收"), "停产、停业"),
        (firm(50, P01=10, F22=5000), ("11", "主要生产线停产搬迁,等待环评验收"), ""),
        (firm(900, P01=12, F22=5000), ("08", "一季度裁员并外包后勤,订单转由外协"), "人员减少"),
        (firm(900, P01=10, F22=5000), ("08", "吸收合并同城子公司,三月完成工商变更"), "完全相同"),
        (firm(900, P01=10, F22=5000), ("19", "尚未经营,没有收入,处于筹建阶段"), "营业收入不为 0"),
    ],
)
def test_claims_are_held_against_assets_staff_and_investment(
    tmp_path: Path, now: dict[str, object], told: tuple[str, str], said: str
) -> None:
    made, number = office_with(tmp_path, BEFORE, now)
    result = explain(made.office, number, {KEY: told}, now=made.at, actor=ACTOR)
    if said:
        assert said in result.weak[KEY] and result.submission.state is State.CHECKED and result.left == 1
        assert not any(figure in result.weak[KEY] for figure in ("900", "5000", "9000"))
    else:
        assert result.weak == {} and result.submission.state is State.EXPLAINED


def test_the_evidence_knows_the_direction_and_the_last_explanation(tmp_path: Path) -> None:
    made = paper_office(tmp_path / "home", {"LBGX": ["A1"]})
    made.file("LBGX", LAST, {"A1": BEFORE}, findings=[FINDING], told=("07", "二号订单延期交付到一季度"))
    found = made.file("LBGX", Q1, {"A1": firm(900)}, findings=[FINDING], upto="checked")
    with made.office.ledger.read() as session:
        evidence = evidence_of(made.office.vault, session, PROGRAMME, found)
    assert evidence.moves == {("A1", "F01"): 1}
    assert evidence.earlier[KEY].text == "二号订单延期交付到一季度"
    assert evidence.problems[KEY] == "变动过大"
