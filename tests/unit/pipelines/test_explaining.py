"""Explanations that say something: empty words, copies, repeats, and what the unit's own figures contradict."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.explaining import Evidence, evidence_of, leaves_open, not_said_why, weak_explanations, weakness
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


SAYS_WHY = (
    "上年同期停产检修三个月,本年恢复正常生产", "一季度集中交付两个大订单,收入提前确认", "企业主动冲减上年多记的研发支出,有审计报告",
    "主要客户订单减少,产量下滑明显", "主要客户订单增加,新签合同集中交付", "主要生产线停产搬迁,等待环评验收", "二号订单延期交付到一季度",
    "产品单价下降而销量放大,薄利多销", "全年停产检修设备,九月恢复生产", "吸收合并同城子公司,三月完成工商变更", "尚未经营,没有收入,处于筹建阶段",
    "新建二号厂房投产,产能增长一倍", "上年同期订单减少基数低,今年已经交付", "两家企业的租金收入记在营业外", "两家分厂并入本企业核算,手续已办",
    "一季度裁员并外包后勤,订单转由外协", "收到省级专项补助后归还银行贷款", "原材料铜价上涨,产品随行就市调价", "受春节假期影响开工不足",
    "本期一次性确认土地处置收益2300万元", "经开区限电四十天,产量减少", "两个研发项目结题,新项目尚未立项", "上年漏报一台进口设备折旧",
    "按新收入准则改按净额法核算", "与兰州某某集团签订供货协议", "甘发改〔2025〕12号文件批准后陆续到位", "退休人员多于新进人员",
    "企业改为劳务派遣用工,不再列为从业人员", "高新技术企业资格重新认定中", "出口订单受关税影响取消", "夏季错峰用电,能耗下降", "拆迁补偿款到账",
    "疫情封控后物流中断", "科研样机完成试制并销售", "2025-03-18 与买方终止协议", "厂区洪水受灾,设备维修中", "2024年底已注销一条产品线",
)  # fmt: skip
LEAVES_OPEN = (
    "今天天空很蓝我们去公园散步了", "感谢各位领导长期以来的关心支持", "请审核老师高抬贵手予以通过谢谢", "企业生产经营一切正常没有异常", "附件中已有详细材料请自行查阅",
    "按照上级要求已经按时完成填报", "这个波动属于正常的波动范围之内", "本园区一贯重视统计工作的质量", "填表人员已经和负责人反复沟通过", "由于种种原因造成目前这种状况",
    "abcdefg 这是一段随便写写的文字", "行业整体情况就是如此不足为奇",
    "麻烦审核老师尽快通过报表",
    "我们填报人员今天已经加班到很晚",
    "该数据由财务人员提供没有问题",
    "以上数据来源于企业财务报表",
    "本单位对统计工作高度重视",
    "请参考往年的填报情况进行审核",
    "电话联系过企业负责人都说是对的",
    "系统提示不合理规则应该修改",
    "这家企业每年都这样不用管它",
    "情况比较复杂一时难以说清楚",
    "特殊情况特殊处理请予以理解",
    "园区已经向企业了解过情况属实",
    "数据与企业台账和凭证完全一致",
    "企业发展势头良好形势喜人",
    "比上年同期增加较多属于合理增长",
)  # fmt: skip


#: What clerks write, put down without looking at the words of causes; some of them were added for these.
MORE_THAT_SAYS_WHY = [
    "本季大客户集中提货,应收账款上升",
    "新产品上市后销售大幅增长",
    "去年同期因环保停产整治基数较低",
    "公司业务调整,逐步退出贸易板块",
    "企业一季度接到军工任务",
    "上年度数据含已剥离的子公司",
    "锂盐行情下跌",
    "公司合并了三家门店",
    "部分员工转入兄弟公司缴纳社保",
    "因工程款尚未结算",
    "本期未开展研发活动",
    "企业法人变更导致经营停滞",
    "煤改气工程完成,用煤减少",
    "厂区光伏发电自用",
    "收到政府奖励资金",
    "企业处于亏损状态,无应纳税所得",
    "土地使用权出让收入",
    "该项目资金尚未到位",
    "技术合同登记集中在三月",
    "今年接了几个新活,人手多了",
    "车间扩大招人了",
    "订货量增加较多",
    "公司搬到新区",
    "原法人去世,企业停摆",
    "与甲方有纠纷未付款",
    "按总产值法核算",
    "统计口径由发货制改为开票制",
    "老板出国考察,年初没有接单",
    "电商平台大促带动销售",
    "受下游光伏企业开工率低影响",
    "锅炉改烧天然气",
    "引进战略投资者增资扩股",
    "外籍专家任期届满回国",
    "合伙人撤资",
    "园区招商新进企业较多",
    "清欠历史欠税入库",
    "留抵退税款在本季入账",
    "房地产项目集中网签",
    "采暖期供热量增加",
    "药品集采落标",
    "原上报数为含税数",
    "设备调试期,没有满负荷",
    "博士后工作站新进人员",
    "样本企业改制",
    "砂石料场被责令关停",
    "今年雨水多,旅游人数下降",
    "产品被列入国家医保目录",
    "子公司独立核算后不再并表",
    "一季度接待游客翻番",
    "培育期企业享受三免三减半",
    "春耕化肥需求旺盛",
    "电力市场化交易电价下浮",
    "水泥行业错峰停窑",
    "甲方变更设计,工期顺延",
    "租户退租腾退",
    "新能源车购置税减征带动",
]


def test_an_explanation_with_a_cause_a_figure_a_day_or_a_document_is_not_marked() -> None:
    assert [text for text in (*SAYS_WHY, *MORE_THAT_SAYS_WHY) if leaves_open(EDITION, KEY, text)] == []
    assert not leaves_open(PROGRAMME.editions["2025"], KEY, SAYS_WHY[0])


def test_words_beside_the_matter_pass_but_are_marked_for_the_reviewer() -> None:
    assert [text for text in LEAVES_OPEN if not leaves_open(EDITION, KEY, text)] == []
    assert [text for text in LEAVES_OPEN if why(text)] == []


def test_only_figures_are_marked_and_only_where_an_edition_declares_causes() -> None:
    beside = LEAVES_OPEN[0]
    assert not leaves_open(EDITION, "AB29|basic|A1|B02", beside)  # a name
    assert not leaves_open(EDITION, "AB29|basic|A1|", beside)  # of no single cell
    assert Claims().says_why(beside)


def test_the_mark_is_on_findings_of_rules_that_failed() -> None:
    told = {KEY: Explanation(KEY, "07", LEAVES_OPEN[0], "园区", PaperOffice.at)}
    row = dict(zip(("rule", "form", "unit_id", "column"), KEY.split("|"), strict=True))
    failed = row | {"code": "rule", "outcome": "failed"}
    assert not_said_why(EDITION, [failed], told) == {KEY}
    assert not_said_why(EDITION, [row | {"code": "rule", "outcome": "undetermined"}], told) == frozenset()
    assert not_said_why(EDITION, [failed], {}) == frozenset()
