"""Proposals to parks: for failing identities only, from the unit's own cells, on record before they are shown, never applied."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path

import openpyxl
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.handing_back import marked_books
from pipelines.intake import findings_of, observations_of
from pipelines.methods.identities import Identity
from pipelines.methods.identity_proposals import DEDUCED, identity_in, proposals
from pipelines.methods.rules_audit_logic import Form
from pipelines.proposing import choices_to_look_at, proposal_texts, proposed_values
from schemas.catalog import programme
from schemas.expression import parse
from schemas.findings import as_findings
from schemas.model import Severity
from schemas.observations import Observations
from schemas.period import Period
from sources.audit import audit
from tests.paper_office import ACTOR, paper_office, soft_finding
from warehouse.ledger.proposed_values import ProposedValue, proposed_values_of, record_proposed_values
from warehouse.ledger.trail import events
from warehouse.ledger.verify import verify_ledger

PROGRAMME = programme()
EDITION = PROGRAMME.editions["2015"]
YEAR = Period(2014)


def identity(text: str, *blank: str) -> Identity | None:
    return identity_in("R", parse(text), frozenset(blank))


def terms(text: str, *blank: str) -> dict[str, int]:
    found = identity(text, *blank)
    assert found is not None
    return {n: int(c) for n, c in found.form.terms.items()}


def test_which_rules_state_an_identity() -> None:
    assert terms("abs(F15 - (F13 - F14)) <= 5") == {"F15": 1, "F13": -1, "F14": 1}
    assert terms("isnull(R18) or abs(nz(R17) - (nz(R18) + nz(R19))) <= 5", "R19") == {"R17": 1, "R18": -1}
    assert terms("abs(F01 - 2 * F02) <= 0") == {"F01": 1, "F02": -2}
    for text in ("F02 <= F01", "abs(F01 / F02) <= 5", "abs(F01 - yoy(F01)) <= 5", "abs(F01 - 3) <= 5", "F01 > 0 and F02 > 0", "abs(F10 - F01) <= 0.05 * F01 + 500"):  # fmt: skip
        assert identity(text) is None


def sum_of(rule: str, **coefficients: int) -> Identity:
    return Identity(rule, Form({n: Fraction(c) for n, c in coefficients.items()}), Fraction(5))


PROFIT = sum_of("AF05", F15=1, F13=-1, F14=1)
TOTAL = sum_of("AF04", F13=1, F10=-1, F11=-1, F12=1)


def made(identities: list[Identity], **figures: int) -> list[tuple[str, int, str]]:
    found = proposals(identities, {n: Fraction(v) for n, v in figures.items()}, {})
    return [(p.field, int(p.value), p.kind) for p in found]


WITH_TOTAL = {"F13": 18440, "F14": 1000, "F10": 18000, "F11": 500, "F12": 60}


def test_transposed_digits_are_undone() -> None:
    """17 440 written 17 404. Not F13, which stands in a sound identity; F14 would be 1 036, two digits away."""
    assert made([PROFIT, TOTAL], F15=17404, **WITH_TOTAL) == [("F15", 17440, "typo")]
    # Without the sound identity F13 written 18 440 for 18 404 explains as much: nothing is proposed.
    assert made([PROFIT], F15=17404, F13=18440, F14=1000) == []


def test_a_sign_and_a_unit_are_undone() -> None:
    assert made([PROFIT, TOTAL], F15=-17440, **WITH_TOTAL) == [("F15", 17440, "sign")]
    assert made([PROFIT, TOTAL], F15=17_440_000, **WITH_TOTAL) == [("F15", 17440, "magnitude")]


def test_where_two_explanations_are_equally_good_nothing_is_proposed() -> None:
    """16 674 for 15 674 and 1 766 for 2 766 are both one digit."""
    assert made([PROFIT], F15=16674, F13=18440, F14=2766) == []


def test_without_a_slip_only_the_one_figure_that_can_be_wrong() -> None:
    """F13 stands in a sound identity; of F15 and F14 either may be wrong. With F14 sound as well, only F15 is left."""
    figures = {"F15": 99, "F13": 18440, "F14": 2766, "F10": 18000, "F11": 500, "F12": 60}
    assert made([PROFIT, TOTAL], **figures) == []
    tax = sum_of("X", F14=1, F16=-1)
    assert made([PROFIT, TOTAL, tax], **figures, F16=2766) == [("F15", 15674, DEDUCED)]


def test_within_tolerance_nothing_fails_and_nothing_is_proposed() -> None:
    assert made([PROFIT], F15=15676, F13=18440, F14=2766) == []
    assert made([PROFIT], F13=18440, F14=2766) == []


FIGURE = st.integers(-99_999, 99_999).map(Fraction)


@given(
    st.fixed_dictionaries(dict.fromkeys(("F15", "F13", "F14", "F10", "F11", "F12"), FIGURE)),
    st.integers(-99_999, 99_999),
)
def test_a_proposal_always_satisfies_every_identity(figures: dict[str, Fraction], written: int) -> None:
    sound = figures | {"F13": figures["F10"] + figures["F11"] - figures["F12"]}
    sound |= {"F15": sound["F13"] - sound["F14"]}
    for record in (figures, sound | {"F15": Fraction(written)}, sound | {"F13": Fraction(written)}):
        found = proposals([PROFIT, TOTAL], record, {})
        after = record | {p.field: p.value for p in found}
        assert not found or not (PROFIT.fails(after) or TOTAL.fails(after))


# ── a submission ───────────────────────────────────────────────────────────────────────────────────────────────────
SOUND = {"F10": 18000, "F11": 500, "F12": 60, "F13": 18440, "F14": 1000, "F15": 17440, "F22": 900, "F25": 400, "F26": 500}  # fmt: skip


def checked(**figures: object) -> tuple[Observations, pl.DataFrame]:
    row = {"park": "LBGX", "unit_id": "A1", "_file": "f", "_sheet": "财务状况", "_row": 8, **SOUND, **figures}
    frame = pl.DataFrame([row]).cast({c: EDITION.indicators[c].dtype for c in (*SOUND, *figures)})
    observations = Observations({"finance": frame})
    return observations, audit(observations, PROGRAMME, YEAR, park="LBGX").findings


def values_for(**figures: object) -> list[tuple[str, str, str, tuple[str, ...]]]:
    observations, findings = checked(**figures)
    found = proposed_values(PROGRAMME, observations, findings, YEAR, "LBGX")
    return [(p.column, p.current, p.proposed, p.rules) for p in found]


def test_a_submission_with_a_slip_gets_a_proposal_for_its_cell() -> None:
    assert values_for(F15=17404) == [("F15", "17404", "17440", ("AF05",))]
    assert values_for(F13=18404) == [("F13", "18404", "18440", ("AF04", "AF05"))]
    assert values_for() == []


def test_no_value_for_anything_but_a_failing_hard_identity() -> None:
    """Part greater than whole, soft plausibility, growth: whatever stands there, nothing is proposed."""
    observations, findings = checked(F01=100, F02=200, F16=1, F17=900)
    assert findings.filter((pl.col("rule") == "AF02") & (pl.col("severity") == "hard")).height == 1
    assert proposed_values(PROGRAMME, observations, findings, YEAR, "LBGX") == []
    soft = as_findings([soft_finding("A1", "AF05", "F15", "F15=17404")])
    observations, _ = checked(F15=17404)
    assert proposed_values(PROGRAMME, observations, soft, YEAR, "LBGX") == []
    gentle = {r.id for r in EDITION.rules if r.severity is not Severity.HARD}
    _, findings = checked(F15=17404, F01=10**9)
    observations, _ = checked(F15=17404, F01=10**9)
    shown = proposed_values(PROGRAMME, observations, findings, YEAR, "LBGX")
    assert not {rule for p in shown for rule in p.rules} & gentle


def test_a_proposal_that_would_break_another_hard_rule_is_dropped() -> None:
    """Assets 900 written 9000: undone, unless current assets of 5,000 stand beside, which may not exceed them (AF07)."""
    assert values_for(F22=9000) == [("F22", "9000", "900", ("AF06",))]
    assert values_for(F22=9000, F23=5000) == []
    # What the form does not let be negative is not proposed to be.
    assert all(not p[2].startswith("-") for p in values_for(F22=100, F25=400, F26=500))


def test_what_is_shown_is_on_record_and_only_that_is_shown(tmp_path: Path) -> None:
    made = paper_office(tmp_path / "home", {"LBGX": ["A1"]})
    hard = {
        **soft_finding("A1", "AF05", "F15", "F15=15764"),
        "severity": "hard",
        "message": "净利润≠利润总额-所得税费用;请核对",
    }
    soft = soft_finding("A1", "AF15", "F01", "F01=9")
    found = made.file("LBGX", YEAR, {"A1": {**SOUND, "F15": 17404, "F01": 9}}, findings=[hard, soft], upto="checked")  # fmt: skip
    office = made.office

    def lines() -> list[str]:
        ((_, data),) = marked_books(office, found).items()
        page = openpyxl.load_workbook(io.BytesIO(data)).worksheets[0]
        return [" ".join(str(c.value or "") for c in row) for row in page.iter_rows(min_row=6)]

    assert not any("建议核对" in line for line in lines())
    fresh = proposed_values(
        office.programme, observations_of(office.vault, found), findings_of(office.vault, found), YEAR, "LBGX"
    )
    with office.ledger.write() as session:
        assert record_proposed_values(session, found.number, fresh, now=made.at, actor=ACTOR) == 1
        assert record_proposed_values(session, found.number, fresh, now=made.at, actor=ACTOR) == 0
    with office.ledger.read() as session:
        assert proposed_values_of(session, found.number) == fresh
        (link,) = [e for e in events(session, found.number) if e.action == "values_proposed"]
        assert link.payload["rows"] == 1 and "17440" not in str(link.payload)
        assert verify_ledger(session).problems == ()
    (with_proposal,) = [line for line in lines() if "建议核对" in line]
    assert "若为 17440 则审核关系成立" in with_proposal and "错误" in with_proposal
    assert observations_of(office.vault, found).frames["finance"]["F15"].to_list() == [17404]


def test_choices_are_on_record_before_they_stand_in_the_list(tmp_path: Path) -> None:
    made = paper_office(tmp_path / "home", {"LBGX": ["A1"]})
    hard = {
        **soft_finding("A1", "AF05", "F15", "F15=99"),
        "severity": "hard",
        "message": "净利润≠利润总额-所得税费用;请核对",
    }
    found = made.file("LBGX", YEAR, {"A1": {**SOUND, "F15": 99}}, findings=[hard], upto="checked")
    office = made.office
    of = (office.programme, observations_of(office.vault, found), findings_of(office.vault, found), YEAR, "LBGX")
    assert proposed_values(*of) == []
    choices = choices_to_look_at(*of, [])
    with office.ledger.write() as session:
        assert record_proposed_values(session, found.number, choices, now=made.at, actor=ACTOR) == 2
    ((_, data),) = marked_books(office, found).items()
    page = openpyxl.load_workbook(io.BytesIO(data)).worksheets[0]
    said = " ".join(str(c.value or "") for row in page.iter_rows() for c in row)
    assert "改动最少的可能有 2 种" in said and "“所得税费用(F14)”" in said and "17440" not in said


def test_the_words_name_cell_value_and_reason() -> None:
    one = ProposedValue("finance", "A1", "F15", "15764", "15674", "typo", "相邻两位数字换位", ("AF05",))
    (text,) = proposal_texts([one], EDITION).values()
    assert (
        text
        == "建议核对:“净利润(F15)”现填 15764,若为 15674 则审核关系成立(相邻两位数字换位)。系统不改数,以原始资料为准。"
    )


def choices_for(**figures: object) -> list[tuple[str, str, str, str]]:
    observations, findings = checked(**figures)
    of = (PROGRAMME, observations, findings, YEAR, "LBGX")
    return [(p.kind, p.column, p.proposed, p.reason) for p in choices_to_look_at(*of, proposed_values(*of))]


def test_where_several_figures_may_be_wrong_all_are_named_and_none_gets_a_value() -> None:
    """Net profit 17 440 = total profit 18 440 - tax 1 000, and total profit is sound: profit or tax."""
    assert choices_for(F15=99) == [("choice 1/2", "F14", "", ""), ("choice 2/2", "F15", "", "")]
    # Assets 55 = debts 400 + equity 500: not the debts, which would have to be negative; equity may be.
    assert [c[1] for c in choices_for(F22=55)] == ["F22", "F26"]
    slips = {column: reason for _, column, _, reason in choices_for(F22=800)}
    assert slips == {"F22": "一位数字录错", "F25": "一位数字录错", "F26": "一位数字录错"}


def test_no_choices_where_a_value_is_proposed_or_nothing_fails() -> None:
    assert choices_for(F15=17404) == []
    assert choices_for() == []


def test_the_choices_in_words_carry_no_figure() -> None:
    observations, findings = checked(F15=99)
    of = (PROGRAMME, observations, findings, YEAR, "LBGX")
    (text,) = proposal_texts(choices_to_look_at(*of, []), EDITION).values()
    assert text == (
        "改动最少的可能有 2 种,请逐一对照原始资料:1. “所得税费用(F14)”;2. “净利润(F15)”。系统不改数,也不断定错在哪一格。"
    )


@pytest.mark.parametrize("figures", [{"F15": 99}, {"F22": 55}])
def test_ambiguous_records_get_none(figures: dict[str, int]) -> None:
    """Net profit or tax, assets or debts or equity: any of them may be wrong."""
    assert values_for(**figures) == []
