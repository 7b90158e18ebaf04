"""The ladder of praise and warning: standing from events, proposals from facts, what a decision may do. Worked by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.evaluation_production import schemes_of
from pipelines.methods.ladder import (
    Kind,
    LadderEvent,
    Standing,
    checked_appeal,
    checked_move,
    cities_concerned,
    judged,
    months_later,
    proposal,
    standing_of,
    task_of,
)
from pipelines.methods.ladder_definition import Condition, Cycle, Facts, parse_ladder
from pipelines.methods.ladder_facts import decision_facts, fact_labels, quantile
from schemas.catalog import programme
from schemas.definitions import Definition
from schemas.errors import DefinitionError, RefusalError

EDITION = programme().editions["2015"]
assert EDITION.ladder is not None
DEFINITION = EDITION.ladder
LADDER = parse_ladder(DEFINITION)
DAY = date(2017, 5, 31)
# every fact of a sound year, so that no trigger fires and none is undetermined
SOUND = {
    "parks.quantile": 0.5, "parks.grade": 3.0, "parks.rank_change": 0.0, "parks.score_change": 0.5, "parks.total": 80.0,
    "land.A2": 80.0, "parks.X17": 80.0, "parks.X18": 80.0,
}  # fmt: skip


def facts(*years: dict[str, float], last: int = 2016) -> Facts:
    return {last - n: {**SOUND, **own} for n, own in enumerate(reversed(years))}


def move(number: int, year: int, start: str, to: str, on: date = DAY, due: date | None = None) -> LadderEvent:
    return LadderEvent(number, Kind.MOVE, "P1", year, on, "wang", start, to, due=due, document="文1")


def event(number: int, kind: Kind, about: int | None = None, **more: str) -> LadderEvent:
    return LadderEvent(number, kind, "P1", 2016, DAY, "wang", about=about, **more)


def at(*events: LadderEvent) -> Standing:
    return standing_of("P1", events, LADDER)


# -- definition -------------------------------------------------------------------------------------------------------------
def test_every_fact_of_the_shipped_ladder_is_one_that_is_made() -> None:
    known = fact_labels(schemes_of(EDITION), LADDER).keys()
    asked = {c.fact for t in (*LADDER.triggers, *LADDER.upgrades) for c in t.conditions}
    assert asked <= known


def test_a_proposal_to_where_no_decision_may_lead_is_refused_when_read() -> None:
    rungs = [dict(r) for r in DEFINITION.data["rung"]]
    rungs[3]["escalate"] = "leave"
    with pytest.raises(DefinitionError, match="to 不允许"):
        parse_ladder(Definition(DEFINITION.path, DEFINITION.text, {**DEFINITION.data, "rung": rungs}))


def test_cycles_of_one_three_and_five_years_and_one_exemption() -> None:
    assert {c.subject: c.years for c in LADDER.cycles} == {"park": 1, "person": 3, "team": 5, "platform": 5}
    person = Cycle("person", "", 3, 1)
    assert person.is_due(None, 2015)
    assert next(y for y in range(2016, 2023) if person.is_due(2015, y)) == 2018
    assert next(y for y in range(2016, 2023) if person.is_due(2015, y, exempted=1)) == 2021
    assert next(y for y in range(2016, 2026) if person.is_due(2015, y, exempted=2)) == 2021  # only once


@pytest.mark.parametrize(("op", "value", "found", "holds"), [
    (">=", 0.9, 0.9 - 1e-12, True), ("<", 60.0, 60.0, False), ("<", 60.0, None, None), ("==", "省级", "省级", True), ("==", "省级", "国家级", False),
])  # fmt: skip
def test_a_condition_on_a_bound_and_on_nothing(
    op: str, value: float | str, found: float | str | None, holds: bool | None
) -> None:
    assert Condition("f", op, value).holds(found) is holds


# -- proposals ----------------------------------------------------------------------------------------------------------------
def test_a_sound_year_proposes_nothing() -> None:
    made = proposal(at(), facts({}, {}, {}), LADDER, 2016, DAY)
    assert not made.is_change and not made.fired


@pytest.mark.parametrize(("found", "to"), [
    ({"parks.quantile": 1.0}, "warning"), ({"parks.rank_change": -5.0}, "warning"), ({"parks.rank_change": -4.0}, "normal"),
    ({"parks.score_change": -10.0}, "warning"), ({"parks.total": 69.9}, "watch"), ({"land.A2": 59.9}, "warning"),
    ({"parks.X17": 59.0}, "normal"), ({"parks.X17": 59.0, "parks.X18": 59.0}, "warning"),
    ({"parks.quantile": 0.1, "parks.grade": 2.0}, "praise"), ({"parks.rank_change": 3.0}, "praise"),
    ({"parks.quantile": 0.0, "parks.grade": 1.0, "land.A2": 50.0}, "warning"),
])  # fmt: skip
def test_each_trigger_from_a_normal_standing(found: dict[str, float], to: str) -> None:
    made = proposal(at(), facts({}, {}, found), LADDER, 2016, DAY)
    assert made.to.id == to
    assert made.is_change == bool(made.reasons)


def test_what_cannot_be_judged_is_named_and_proposes_nothing() -> None:
    bare = {2016: {k: v for k, v in SOUND.items() if not k.startswith("parks.rank") and k != "parks.quantile"}}
    made = proposal(at(), bare, LADDER, 2016, DAY)
    assert not made.is_change
    assert {e.criterion.id for e in made.undetermined} == {"bottom_tenth", "rank_fall", "long_lag", "progress"}


def test_three_years_behind_need_three_years_on_file() -> None:
    low = {"parks.quantile": 0.8}
    three = proposal(at(), facts(low, low, low), LADDER, 2016, DAY)
    assert [e.criterion.id for e in three.fired] == ["long_lag"]
    assert three.to.id == "warning"  # 通报 is not reached from 正常 in one decision
    assert not proposal(at(), facts(low, {}, low), LADDER, 2016, DAY).fired
    assert "long_lag" in {e.criterion.id for e in proposal(at(), facts(low, low), LADDER, 2016, DAY).undetermined}


def test_the_same_fault_again_escalates_only_in_a_later_year() -> None:
    warned = at(move(1, 2016, "normal", "warning"))
    bad = facts({"land.A2": 50.0}, {"land.A2": 50.0}, last=2017)
    assert not proposal(warned, bad, LADDER, 2016, DAY).is_change
    assert proposal(warned, bad, LADDER, 2017, DAY).to.id == "notice"


def test_recovery_takes_the_years_of_the_rung() -> None:
    noticed = at(move(1, 2014, "warning", "notice"))
    assert not proposal(noticed, facts({}, last=2015), LADDER, 2015, DAY).is_change
    assert proposal(noticed, facts({}, {}, last=2016), LADDER, 2016, DAY).to.id == "watch"
    assert not proposal(noticed, facts({"land.A2": 50.0}, {}, last=2016), LADDER, 2016, DAY).is_change


def test_praise_is_for_its_year() -> None:
    praised = at(move(1, 2015, "normal", "praise"))
    assert proposal(praised, facts({}, last=2016), LADDER, 2016, DAY).to.id == "normal"


def test_an_overdue_term_proposes_leaving_and_verified_tasks_propose_the_way_back() -> None:
    term = date(2018, 5, 31)
    rectify = move(1, 2016, "warning", "rectify", due=term)
    task = event(2, Kind.TASK, 1, text="盘活用地", responsible="管委会")
    assert proposal(at(rectify, task), facts({}, last=2017), LADDER, 2017, date(2018, 6, 1)).to.id == "leave"
    assert not proposal(
        at(rectify, task), facts({}, last=2017), LADDER, 2017, term
    ).is_change  # the last day is in time
    done = [rectify, task, event(3, Kind.REPORT, 2, text="完成"), event(4, Kind.VERIFY, 2, text="属实")]
    assert proposal(at(*done), facts({}, last=2017), LADDER, 2017, date(2018, 6, 1)).to.id == "watch"
    waiting = proposal(at(rectify, task), facts({}, last=2017), LADDER, 2017, DAY)
    assert not waiting.is_change and "销号" in waiting.reasons[0]


def test_evidence_is_a_sentence_with_figures_and_bounds() -> None:
    found = {
        e.criterion.id: e
        for e in judged(LADDER.triggers, facts({"land.A2": 49.0126}), 2016, fact_labels(schemes_of(EDITION), LADDER))
    }
    assert (
        found["land"].sentence == "土地低效:产出强度得分低于60:2016年土地集约利用评价“产出强度”得分 49.01(条件:低于60)"
    )
    for value, shown in ((48.9, "48.90"), (30.625, "30.63"), (49.0, "49.00")):  # scores: two decimals, rounded half up
        (land,) = (e for e in judged(LADDER.triggers, facts({"land.A2": value}), 2016) if e.criterion.id == "land")
        assert f" {shown}(条件:低于60)" in land.sentence


# -- decisions ----------------------------------------------------------------------------------------------------------------
def allowed(standing: Standing, to: str, on: date = DAY, reason: str = "低效", document: str = "文2") -> date | None:
    return checked_move(standing, LADDER.rung(to), LADDER, reason=reason, document=document, on=on)


def test_a_decision_needs_reason_document_and_a_way() -> None:
    assert allowed(at(), "warning") is None
    with pytest.raises(RefusalError, match="文号"):
        allowed(at(), "warning", document=" ")
    with pytest.raises(RefusalError, match="可转为:通报表扬、关注提醒、警告"):
        allowed(at(), "leave")


def test_rectification_sets_a_term_and_holds_the_park_until_tasks_are_verified() -> None:
    warned = at(move(1, 2016, "normal", "warning"))
    assert allowed(warned, "rectify") == date(2018, 5, 31)
    rectify = [move(1, 2016, "warning", "rectify", due=date(2018, 5, 31))]
    with pytest.raises(RefusalError, match="没有全部销号"):
        allowed(at(*rectify), "watch")
    with pytest.raises(RefusalError, match="期限未过"):
        allowed(at(*rectify), "leave", on=date(2018, 5, 31))
    assert allowed(at(*rectify), "leave", on=date(2018, 6, 1)) is None
    task = event(2, Kind.TASK, 1, text="盘活", responsible="管委会")
    reported = [*rectify, task, event(3, Kind.REPORT, 2, text="完成")]
    with pytest.raises(RefusalError, match="没有可以办理的第 2 号"):
        task_of(at(*rectify, task), 2, "reported")
    assert task_of(at(*reported), 2, "reported").state == "reported"
    assert at(*reported, event(4, Kind.REJECT, 2, text="未见成效")).tasks[0].state == "open"
    assert allowed(at(*reported, event(4, Kind.VERIFY, 2, text="属实")), "watch") is None


def test_an_appeal_stops_decisions_and_undoes_the_move_if_it_is_right() -> None:
    warned = [move(1, 2016, "normal", "warning")]
    assert checked_appeal(at(*warned), LADDER, date(2017, 6, 30)).id == 1
    with pytest.raises(RefusalError, match="已过期"):
        checked_appeal(at(*warned), LADDER, date(2017, 7, 1))
    appealed = [*warned, event(2, Kind.APPEAL, 1, text="数据有误")]
    with pytest.raises(RefusalError, match="未办结"):
        allowed(at(*appealed), "normal")
    assert not proposal(at(*appealed), facts({"land.A2": 50.0}), LADDER, 2017, DAY).is_change
    undone = at(*appealed, event(3, Kind.UPHELD, 1, text="更正"))
    assert undone.rung.id == "normal" and undone.moves == () and undone.appeal is None
    dismissed = at(*appealed, event(3, Kind.DISMISSED, 1, text="维持"))
    assert dismissed.rung.id == "warning"
    with pytest.raises(RefusalError, match="已经申诉过"):
        checked_appeal(dismissed, LADDER, DAY)


def test_an_appeal_that_is_right_gives_the_park_back_the_tasks_and_term_it_had() -> None:
    term = date(2018, 5, 31)
    events = [
        move(1, 2016, "warning", "rectify", due=term), event(2, Kind.TASK, 1, text="盘活用地", responsible="管委会"),
        event(3, Kind.REPORT, 2, text="完成"), event(4, Kind.VERIFY, 2, text="属实"), event(5, Kind.TASK, 1, text="补缴税款", responsible="税务局"),
        move(6, 2017, "rectify", "leave", on=date(2018, 6, 1)), event(7, Kind.APPEAL, 6, text="已补缴"), event(8, Kind.UPHELD, 6, text="更正"),
    ]  # fmt: skip
    back = at(*events)
    assert (back.rung.id, back.due) == ("rectify", term)
    assert [(t.id, t.state) for t in back.tasks] == [(2, "verified"), (5, "open")]
    assert task_of(back, 5, "open").text == "补缴税款"


def test_praise_cannot_be_appealed_against() -> None:
    with pytest.raises(RefusalError, match="没有可以申诉"):
        checked_appeal(at(move(1, 2016, "normal", "praise")), LADDER, DAY)


def test_the_city_is_concerned_in_the_year_of_a_warning_and_not_after_an_upheld_appeal() -> None:
    warned = at(move(1, 2016, "normal", "watch"), move(2, 2016, "watch", "warning"))
    raised = at(move(1, 2015, "notice", "watch"), move(2, 2016, "rectify", "watch"))
    cities = {"P1": "贵阳市"}
    assert [m.id for m in cities_concerned([warned], cities, LADDER, 2016)["贵阳市"]] == [2]
    assert cities_concerned([warned], cities, LADDER, 2017) == {}
    assert cities_concerned([raised], cities, LADDER, 2016) == {}
    undone = at(move(2, 2016, "normal", "warning"), event(3, Kind.APPEAL, 2), event(4, Kind.UPHELD, 2))
    assert cities_concerned([undone], cities, LADDER, 2016) == {}


# -- upgrade conditions and facts -----------------------------------------------------------------------------------------------
def test_upgrade_conditions_are_met_not_met_or_without_data() -> None:
    own = {"register.class": "省级", "register.years": 3.0, "parks.quantile": 0.3, "parks.share": 0.79}
    found = {
        e.criterion.id: e.outcome for e in judged(LADDER.upgrades, {2016: own, 2015: {"parks.quantile": 0.2}}, 2016)
    }
    assert (found["provincial"], found["listed"], found["top_third"], found["coverage"]) == (True, True, True, False)
    assert found["targets"] is None


def test_the_lowest_rung_of_the_last_two_years_counts() -> None:
    standing = at(move(1, 2014, "normal", "warning"), move(2, 2015, "warning", "watch"))
    assert decision_facts(standing, LADDER, 2015) == {"ladder.lowest": -2.0}
    assert decision_facts(standing, LADDER, 2016) == {"ladder.lowest": -1.0}


def test_the_place_in_a_class() -> None:
    assert [quantile(r, 5) for r in (1, 3, 5)] == [0.0, 0.5, 1.0]
    assert quantile(None, 5) is None and quantile(1, 1) is None


def test_months_end_with_the_month() -> None:
    assert months_later(date(2016, 1, 31), 1) == date(2016, 2, 29)
    assert months_later(date(2016, 11, 30), 12) == date(2017, 11, 30)


# -- properties -----------------------------------------------------------------------------------------------------------------
FACT = st.one_of(st.none(), st.floats(-20, 110))


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from([r.id for r in LADDER.rungs]), st.dictionaries(st.sampled_from(sorted(SOUND)), FACT), st.booleans()
)
def test_a_proposal_is_always_a_way_a_decision_may_go(rung: str, found: dict[str, float | None], overdue: bool) -> None:
    known = {k: v for k, v in {**SOUND, **found}.items() if v is not None}
    due = date(2018, 1, 1) if rung == "rectify" else None
    standing = replace(at(), rung=LADDER.rung(rung), move=move(1, 2015, "normal", rung, due=due), due=due)
    on = date(2018, 2, 1) if overdue else DAY
    made = proposal(standing, {2016: known}, LADDER, 2016, on)
    if made.is_change:
        assert made.reasons
        checked_move(standing, made.to, LADDER, reason="依建议", document="文", on=on)
