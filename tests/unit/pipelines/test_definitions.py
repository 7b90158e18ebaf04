"""The one Definitions object: everything generated, everything named as its table, the graph readable."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
import yaml

from pipelines.affected import AT_MOST, SETTLED, Decisions, affected_periods, decisions_in
from pipelines.assets.stage_names import EFFECTIVE, RELEASE, form_key, forms_of_round, mart_key
from pipelines.definitions import defs
from pipelines.drop_folder import Batch
from pipelines.drop_scan import Look, Seen, group_of
from pipelines.jobs import stage_keys
from pipelines.partitions import PERIODS, all_periods
from pipelines.production import DUE
from pipelines.resources import Installation
from pipelines.sensors import intake_run, run_of
from schemas.catalog import programme
from schemas.marts import MARTS
from schemas.period import Period
from warehouse.facts import form_codes
from warehouse.ledger.columns import SHANGHAI
from warehouse.ledger.trail import Event

ROOT = Path(__file__).resolve().parents[3]
NOW = datetime(2025, 4, 20, 10, 0, tzinfo=SHANGHAI)
GRAPH = defs.resolve_asset_graph()


def test_every_form_and_every_mart_is_an_asset_and_nothing_else() -> None:
    codes = form_codes(programme("park"))
    expected = {form_key(stage, code) for stage in ("submitted", "accepted") for code in codes}
    expected |= {mart_key(name) for name in MARTS} | {EFFECTIVE, RELEASE}
    assert set(GRAPH.get_all_asset_keys()) == expected


def test_all_assets_have_the_same_periods() -> None:
    assert {GRAPH.get(key).partitions_def for key in GRAPH.get_all_asset_keys()} == {PERIODS}
    keys = PERIODS.get_partition_keys()
    assert keys[:6] == ["2013-Q1", "2013-Q2", "2013-Q3", "2013-Q4", "2013", "2014-Q1"]
    assert keys[-1] == "2035" and len(keys) == 5 * 23 == len(set(keys))
    assert [Period.parse(k) for k in keys] == all_periods()


def test_groups_are_the_stages_and_descriptions_are_chinese() -> None:
    for key in GRAPH.get_all_asset_keys():
        node = GRAPH.get(key)
        assert node.group_name == ("accepted" if key == EFFECTIVE else key.path[0])
        assert node.description and any("一" <= ch <= "鿿" for ch in node.description), key
        assert node.owners == ["team:statistics"] and node.kinds


def test_lines_between_stages_stay_few_enough_to_read() -> None:
    """Marts hang on one node, not on every form: 14 forms and 9 marts would make 126 crossing lines."""
    lines = [(up, key) for key in GRAPH.get_all_asset_keys() for up in GRAPH.get(key).parent_keys]
    assert len(lines) <= 2 * len(form_codes(programme("park"))) + 2 * len(MARTS)
    assert all(GRAPH.get(mart_key(name)).parent_keys == {EFFECTIVE} for name in MARTS)


def test_marts_due_agree_with_what_production_computes() -> None:
    for letter, due in DUE.items():
        assert {name for name, mart in MARTS.items() if letter in mart.rounds} == set(due)


@pytest.mark.parametrize(("job", "letter"), [("quarterly", "Q"), ("annual", "A")])
def test_a_round_job_is_what_its_round_collects_and_computes(job: str, letter: str) -> None:
    found = set(defs.resolve_job_def(job).asset_layer.selected_asset_keys)
    assert found == {*stage_keys(letter), RELEASE}
    assert mart_key("index_scores") in found if letter == "A" else mart_key("index_scores") not in found
    assert ("innovation" in forms_of_round("A")) and "innovation" not in forms_of_round("Q")


def test_checks_are_few_and_errors_before_publication_block_it() -> None:
    checks = list(GRAPH.asset_check_keys)
    assert len(checks) <= 2 * len(MARTS) + 6  # rules and expectations of a mart, and what holds for a round as a whole
    before = [c for c in checks if c.asset_key != RELEASE]
    assert all(GRAPH.get(c).blocking for c in before)
    assert {c.asset_key for c in checks} == {EFFECTIVE, RELEASE, *(mart_key(name) for name in MARTS)}


def test_one_process_one_writer_no_telemetry() -> None:
    assert defs.executor is dg.in_process_executor
    settings = yaml.safe_load((ROOT / "deploy" / "dagster.yaml").read_text(encoding="utf-8"))
    assert settings["telemetry"] == {"enabled": False}
    assert settings["concurrency"]["pools"] == {"granularity": "run", "default_limit": 1}
    limits = {(t["key"], t["value"]): t["limit"] for t in settings["concurrency"]["runs"]["tag_concurrency_limits"]}
    for job in ("quarterly", "annual", "intake", "scrub"):
        assert limits["writes", defs.resolve_job_def(job).tags["writes"]] == 1
    assert settings["run_monitoring"]["enabled"] and settings["run_monitoring"]["max_runtime_seconds"]
    writers = {GRAPH.get(k).pools == {"warehouse"} for k in GRAPH.get_all_asset_keys()}
    assert writers == {True}


def test_the_home_is_looked_for_only_when_it_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YTB_HOME", str(tmp_path / "nowhere"))
    with pytest.raises(dg.Failure, match="不是一套表的数据目录"), Installation().step():
        raise AssertionError("no home, no office")


# ── decisions and the periods they touch ───────────────────────────────────────────────────────────────────────────
def event(seq: int, to_state: str | None, from_state: str | None = "reported", at: datetime = NOW) -> Event:
    return Event(seq, at, "wang", "step", f"S{seq}", from_state, to_state, "", {}, "")


def test_only_steps_into_and_out_of_force_count() -> None:
    steps = [
        event(3, "reported", "explained"),
        event(4, "accepted"),
        event(5, "returned"),
        event(6, "reopened", "accepted"),
        event(7, None, None),
    ]
    found = decisions_in(steps)
    assert found is not None and (found.submissions, found.last_seq) == (("S4", "S6"), 6)
    assert decisions_in(steps[:1]) is None


@pytest.mark.parametrize(
    ("first", "last", "settled"),
    [
        (timedelta(0), timedelta(0), False),
        (SETTLED, SETTLED, True),
        (AT_MOST - timedelta(seconds=1), timedelta(seconds=1), False),
        (AT_MOST, timedelta(seconds=1), True),  # a reviewer who goes on and on does not put the round off
        (timedelta(days=-3), timedelta(days=-3), True),  # nor does a clock that was set back
    ],
)
def test_a_batch_waits_for_what_is_likely_to_follow(first: timedelta, last: timedelta, settled: bool) -> None:
    assert Decisions(("S1",), 1, NOW - first, NOW - last).is_settled(NOW) is settled


def test_what_rests_on_a_changed_period_is_computed_again() -> None:
    def affected(changed: str, *on_file: str) -> list[str]:
        return [str(p) for p in affected_periods([Period.parse(changed)], [Period.parse(p) for p in on_file])]

    assert affected("2015-Q1") == ["2015-Q1"]
    assert affected("2015-Q1", "2014-Q4", "2015-Q2", "2016-Q3", "2016-Q4", "2015", "2016") == [
        "2015-Q1",
        "2015-Q2",
        "2016-Q3",
    ]
    assert affected("2015-Q4", "2015", "2016") == ["2015-Q4", "2015"]
    assert affected("2014", "2013", "2014-Q4", "2015-Q1", "2016-Q1", "2015", "2016") == [
        "2014",
        "2015-Q1",
        "2015",
        "2016",
    ]


def test_a_run_for_decisions_stops_short_of_publishing() -> None:
    run = run_of(Period.parse("2015-Q1"), 42)
    assert (run.run_key, run.job_name, run.partition_key) == ("2015-Q1@42", "quarterly", "2015-Q1")
    assert run.asset_selection is not None and RELEASE not in run.asset_selection
    assert set(run.asset_selection) <= set(defs.resolve_job_def("quarterly").asset_layer.selected_asset_keys)
    assert run.tags["period"] == "2015-Q1"
    assert run_of(Period(2015), 42).job_name == "annual"


def test_a_batch_of_files_is_one_run_and_the_same_files_the_same_run() -> None:
    def batch(since: datetime) -> Batch:
        files = tuple(Seen(f"LBXQ/2025-Q1/{n}.xlsx", 10, 20, since) for n in "ab")
        return Batch((group_of("LBXQ/2025-Q1", files),), {}, Look())

    first, again = intake_run(batch(NOW), NOW), intake_run(batch(NOW + timedelta(seconds=5)), NOW)
    assert first.run_key == again.run_key
    assert intake_run(batch(NOW), NOW + timedelta(hours=1)).run_key != first.run_key
    config = json.loads(json.dumps(first.run_config))["ops"]["take_in"]["config"]["groups"]
    assert Batch.from_plain(config).groups == batch(NOW).groups
    assert dg.validate_run_config(defs.resolve_job_def("intake"), first.run_config)
