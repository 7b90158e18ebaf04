"""A rule tried on what was accepted: hits by park and period, what a new wording finds and loses; nobody is blocked."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from pipelines.rehearsing import rehearse, rule_named
from schemas.catalog import rules_in_file
from schemas.errors import DefinitionError
from schemas.findings import BLOCKING, NEEDS_EXPLANATION
from schemas.model import AuditRule, Programme, Severity
from schemas.observations import Observations
from schemas.period import Period
from sources.audit import audit
from sources.causes import causes_of
from tests.paper_office import PaperOffice, firm, paper_office
from ytb.cli.main import main

Q1, Q2 = Period(2015, 1), Period(2015, 2)
HIGH = AuditRule("AX01", "finance", Severity.TRIAL, "ratio_range", "F13 <= 0.2 * F01", "利润率偏高,请核实", "", "AQ")


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> PaperOffice:
    made = paper_office(tmp_path_factory.mktemp("paper") / "home", {"LBGX": ["A1", "A2"], "LBJJ": ["B1"]})
    made.file("LBGX", Q1, {"A1": firm(1000, F13=300), "A2": firm(1000, F13=100)})
    made.file("LBJJ", Q1, {"B1": firm(1000)})
    made.file("LBGX", Q2, {"A1": firm(2000, F13=600), "A2": firm(2000, F13=100)})
    made.file("LBJJ", Q2, {"B1": firm(2000, F13=1900)}, upto="reported")
    return made


def test_hits_by_park_and_period_over_what_was_accepted(paper: PaperOffice) -> None:
    found = rehearse(paper.office, HIGH)
    rows = found.table.select("period", "park", "units", "hits", "undetermined", "holds").rows()
    assert rows == [("2015-Q1", "LBGX", 2, 1, 0, 1), ("2015-Q1", "LBJJ", 1, 0, 1, 0), ("2015-Q2", "LBGX", 2, 1, 0, 1)]
    assert (found.totals["hits"], found.share) == (2, 0.5)
    assert found.hits.select("period", "unit_id", "found").rows() == [
        ("2015-Q1", "A1", "F01=1000,F13=300"),
        ("2015-Q2", "A1", "F01=2000,F13=600"),
    ]
    assert not found.is_changed and found.new.is_empty()


def test_a_first_and_last_period_limit_the_rehearsal(paper: PaperOffice) -> None:
    assert set(rehearse(paper.office, HIGH, first=Q2).table["period"]) == {"2015-Q2"}
    assert set(rehearse(paper.office, HIGH, last=Q1).table["period"]) == {"2015-Q1"}


def test_a_new_wording_says_what_it_finds_and_what_it_loses(paper: PaperOffice, tmp_path: Path) -> None:
    path = tmp_path / "new.toml"
    path.write_text('[[rule]]\nid = "AF01"\nexpression = "F01 >= 1500"\n', encoding="utf-8")
    changed = rule_named(paper.office.programme, "AF01", path)
    assert (changed.severity, changed.form) == (Severity.HARD, "finance")
    found = rehearse(paper.office, changed, from_file=True)
    assert found.is_changed and found.new["unit_id"].to_list() == ["A1", "A2", "B1"] and found.gone.is_empty()


def test_what_cannot_be_rehearsed_says_why(paper: PaperOffice) -> None:
    found = rehearse(paper.office, rule_named(paper.office.programme, "AB28"))
    assert found.table.is_empty() and "验收时" in found.not_run["2015-Q1"]


def test_a_rule_of_the_other_round_and_a_range_from_back_to_front_are_said(paper: PaperOffice) -> None:
    found = rehearse(paper.office, replace(HIGH, rounds="A"))
    assert found.not_run == dict.fromkeys(("2015-Q1", "2015-Q2"), "这条规则只用于年报(rounds = A)")
    with pytest.raises(DefinitionError, match="2015-Q2 在 2015-Q1 之后"):
        rehearse(paper.office, HIGH, first=Q2, last=Q1)


def test_a_rule_on_the_answer_status_counts_the_units_of_the_register(paper: PaperOffice) -> None:
    found = rehearse(paper.office, rule_named(paper.office.programme, "AB27"), last=Q1)
    assert [(r["park"], r["units"], r["hits"], r["holds"]) for r in found.table.to_dicts()] == [("LBGX", 2, 0, 2), ("LBJJ", 1, 0, 1)]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[[rule]]\nid = "ZZ9"\nseverity = "soft"\nrounds = "Q"\nexpression = "F01 > 0"\nmessage = "请核实"\n', "form"),
        ('[[rule]]\nid = "AF01"\nseverity = "strict"\n', "strict"),
    ],
)
def test_a_wrong_file_names_what_is_wrong(paper: PaperOffice, tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DefinitionError, match=said):
        rules_in_file(path, paper.office.programme.editions["2015"])
    with pytest.raises(DefinitionError, match="NOPE"):
        rule_named(paper.office.programme, "NOPE")


def test_the_command(paper: PaperOffice, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--home", str(paper.home.root), "--json", "rules", "rehearse", "AF01"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["totals"]["units"] == 5 and told["totals"]["hits"] == 0 and told["share"] == 0.0
    assert main(["--home", str(paper.home.root), "rules", "rehearse", "AF01"]) == 0
    assert "命中 0 个" in capsys.readouterr().out


# ── the life of a rule ─────────────────────────────────────────────────────────────────────────────────────────────
def _with(programme: Programme, *rules: AuditRule) -> Programme:
    edition = programme.editions["2015"]
    return replace(programme, editions={**programme.editions, "2015": replace(edition, rules=rules)})


def _found(programme: Programme, **figures: object) -> pl.DataFrame:
    key = {"park": "LBGX", "unit_id": "A1", "_file": "f", "_sheet": "s", "_row": 8}
    types = {c: programme.editions["2015"].indicators[c].dtype for c in figures}
    frame = pl.DataFrame([key | figures]).cast(types)  # type: ignore[arg-type]
    return audit(Observations({"finance": frame}), programme, Q1, park="LBGX").findings.filter(
        pl.col("code").is_in(["rule", "sign"])
    )


def test_trial_is_counted_and_asks_nothing_soft_asks_hard_blocks(paper: PaperOffice) -> None:
    told = {}
    for severity in Severity:
        programme = _with(paper.office.programme, replace(HIGH, severity=severity))
        found = _found(programme, F01=1000, F13=300)
        told[severity] = (found.height, found.filter(NEEDS_EXPLANATION).height, found.filter(BLOCKING).height, len(causes_of(found)))  # fmt: skip
    assert told == {Severity.TRIAL: (1, 0, 0, 0), Severity.SOFT: (1, 1, 0, 1), Severity.HARD: (1, 0, 1, 1)}


def test_a_trial_rule_neither_silences_others_nor_takes_the_place_of_a_bound(paper: PaperOffice) -> None:
    louder = replace(HIGH, id="AX02", severity=Severity.SOFT, absorbed_by=("AX01",))
    found = _found(_with(paper.office.programme, HIGH, louder), F01=1000, F13=300)
    assert dict(found.select("rule", "outcome").iter_rows()) == {"AX01": "failed", "AX02": "failed"}
    sign = replace(HIGH, kind="sign", expression="F01 >= 0")
    found = _found(_with(paper.office.programme, sign), F01=-5)
    assert dict(found.select("code", "severity").iter_rows()) == {"rule": "trial", "sign": "hard"}


def test_a_rule_runs_from_the_period_it_holds_from(paper: PaperOffice) -> None:
    later = _with(paper.office.programme, replace(HIGH, valid_from="2015-Q2"))
    assert _found(later, F01=1000, F13=300).is_empty()
    assert rehearse(paper.office, replace(HIGH, valid_from="2016-Q1")).totals["hits"] == 2
