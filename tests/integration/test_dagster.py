"""Dagster end to end on a tiny home: a year and a quarter, filed, accepted, computed, checked, published."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest

from exports.manifest import read_manifest
from pipelines import checks, publishing, stages
from pipelines.assets.stage_names import EFFECTIVE, RELEASE, form_key, mart_key
from pipelines.definitions import defs
from pipelines.expectations_run import Judgement, outside
from pipelines.gate_rules import gate_holds
from pipelines.intake import Office
from pipelines.resources import Installation
from pipelines.review import reopen
from pipelines.sensors import decisions, drop_folder
from pipelines.stages import publish_if_changed
from schemas.catalog import programme
from schemas.marts import MARTS
from schemas.period import Period
from sources.pool import Pool
from tests.tiny_office import SHANGHAI, TinyOffice, tiny_office
from warehouse import facts
from warehouse.home import Home, open_home
from warehouse.ledger.migrate import open_ledger
from warehouse.ledger.releases import releases
from warehouse.ledger.submissions import submissions
from warehouse.ledger.trail import head
from warehouse.vault import Vault

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2015, 4, 20, 9, 0, tzinfo=SHANGHAI)
PARKS = ("LBXQ", "LBGX")
YEAR, QUARTER = Period(2014), Period(2015, 1)


class AtNoon(Installation):
    """The installation with its clock stopped."""

    def now(self) -> datetime:
        return NOW


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> TinyOffice:
    """Two parks that have filed a year and the quarter after it, both accepted."""
    tiny = tiny_office(tmp_path_factory.mktemp("office") / "home")
    with Pool(workers=2, preload=("sources.reader",)) as pool:
        for period, day in ((YEAR, datetime(2015, 2, 2, 9, tzinfo=SHANGHAI)), (QUARTER, NOW - timedelta(days=12))):
            tiny.open_round(period, day)
            for park in PARKS:
                tiny.file_and_accept(park, period, pool, day)
    tiny.office.ledger.engine.dispose()
    return tiny


@pytest.fixture
def home(made: TinyOffice, tmp_path: Path) -> Home:
    """The home before anything was computed."""
    shutil.copytree(made.home.root, tmp_path / "home")
    return open_home(tmp_path / "home")


@pytest.fixture(scope="module")
def done(made: TinyOffice, tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, Any, Any]:
    """Quarter and year run once, with everything; the home and the two results."""
    root = tmp_path_factory.mktemp("done") / "home"
    shutil.copytree(made.home.root, root)
    with dg.DagsterInstance.ephemeral() as instance:
        home = open_home(root)
        return home, run(home, instance, "quarterly", QUARTER), run(home, instance, "annual", YEAR)


@pytest.fixture
def computed(done: tuple[Home, Any, Any], tmp_path: Path) -> Home:
    """A copy of the home in which a quarter and a year stand published."""
    shutil.copytree(done[0].root, tmp_path / "computed")
    return open_home(tmp_path / "computed")


@pytest.fixture
def without_suites(monkeypatch: pytest.MonkeyPatch) -> None:
    """Great Expectations takes seconds a mart: it runs once, in ``done``."""
    monkeypatch.setattr(checks, "judge", lambda _cells, suite, _home: Judgement(len(suite.expectations), (), (), None))


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as found:
        yield found


def run(home: Home, instance: dg.DagsterInstance, job: str, period: Period | None, **more: Any) -> Any:
    return defs.resolve_job_def(job).execute_in_process(
        partition_key=str(period) if period else None,
        resources={"installation": AtNoon(home=str(home.root), actor="测试")},
        instance=instance,
        raise_on_error=False,
        **more,
    )


def office_of(home: Home) -> Office:
    return Office(Vault.open(home.vault), open_ledger(home), programme())


def materialised(result: Any) -> dict[dg.AssetKey, dict[str, Any]]:
    return {
        e.asset_key: {k: v.value for k, v in e.materialization.metadata.items()}
        for e in result.get_asset_materialization_events()
    }


def marts_in(found: dict[dg.AssetKey, dict[str, Any]]) -> set[str]:
    return {key.path[-1] for key in found if key.path[0] == "mart"}


def failed_checks(result: Any) -> list[tuple[str, str]]:
    return [
        (e.asset_key.to_user_string(), e.check_name)
        for e in result.get_asset_check_evaluations()
        if not e.passed and e.severity is dg.AssetCheckSeverity.ERROR
    ]


def issued(home: Home) -> list[str]:
    with open_ledger(home).read() as session:
        return [r.id for r in releases(session)]


def test_definitions_validate(tmp_path: Path) -> None:
    shutil.copyfile(ROOT / "deploy" / "dagster.yaml", tmp_path / "dagster.yaml")
    done = subprocess.run(
        [Path(sys.executable).with_name("dagster"), "definitions", "validate", "-w", "workspace.yaml"],
        cwd=ROOT,
        env={**os.environ, "DAGSTER_HOME": str(tmp_path), "YTB_HOME": str(tmp_path / "nowhere")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_quarter_and_a_year_go_all_the_way(done: tuple[Home, Any, Any]) -> None:
    home, quarter, year = done
    assert quarter.success and year.success
    assert failed_checks(quarter) == [] == failed_checks(year)
    assert issued(home) == ["2014.r1", "2015-Q1.r1"]
    by_quarter, by_year = materialised(quarter), materialised(year)
    assert marts_in(by_quarter) == {n for n, m in MARTS.items() if "Q" in m.rounds}
    assert marts_in(by_year) == {n for n, m in MARTS.items() if "A" in m.rounds}
    counts = ("parks_reported", "submissions_accepted", "loaded_now")
    assert [by_quarter[EFFECTIVE][c] for c in counts] == [2, 2, 4]
    assert by_year[EFFECTIVE]["loaded_now"] == 0
    basic = by_quarter[form_key("accepted", "basic")]
    assert basic["parks"] == 2 and basic["dagster/row_count"] == 8 and 0 < basic["completeness"] <= 1
    assert basic == by_quarter[form_key("submitted", "basic")]
    assert (by_quarter[RELEASE]["release"], by_quarter[RELEASE]["is_new"]) == ("2015-Q1.r1", True)


def test_data_docs_of_every_mart_load_nothing_from_outside(done: tuple[Home, Any, Any]) -> None:
    home, quarter, year = done
    pages = home.root / "warehouse" / "data_docs"
    expected = {f"{n}-{QUARTER}" for n in marts_in(materialised(quarter))}
    expected |= {f"{n}-{YEAR}" for n in marts_in(materialised(year))}
    assert {p.name for p in pages.iterdir()} == expected
    assert all((pages / name / "index.html").is_file() for name in expected)
    assert outside(pages) == []


@pytest.mark.usefixtures("without_suites")
def test_a_second_run_changes_nothing_and_makes_no_revision(
    done: tuple[Home, Any, Any], computed: Home, instance: dg.DagsterInstance
) -> None:
    second = run(computed, instance, "quarterly", QUARTER)
    first, again = materialised(done[1]), materialised(second)
    assert second.success and issued(computed) == ["2014.r1", "2015-Q1.r1"]
    assert again[RELEASE]["is_new"] is False
    before, after = ({k: v.get("content_sha256") for k, v in one.items()} for one in (first, again))
    assert before == after


def test_a_revision_is_made_when_asked_for_or_when_something_changed(
    computed: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, made = office_of(computed), []

    def publish(*_: object, **said: Any) -> tuple[str, None]:
        made.append(said["reason"])
        return "2015-Q1.r2", None

    monkeypatch.setattr(stages, "publish", publish)

    def published(**more: Any) -> bool:
        return publish_if_changed(opened, computed, QUARTER, now=NOW, actor="测试", **more)[1]

    assert not published(reason="没有变化") and made == []
    assert published(again=True, reason="更正说明") and made == ["更正说明"]
    with opened.ledger.read() as session:
        (one, *_) = submissions(session, period=QUARTER)
    reopen(opened, one.number, reason="核对口径", now=NOW, actor="测试")
    assert published(reason="撤销验收") and made == ["更正说明", "撤销验收"]


@pytest.mark.usefixtures("without_suites")
def test_what_is_not_due_is_skipped_and_nothing_is_published(home: Home, instance: dg.DagsterInstance) -> None:
    result = run(home, instance, "quarterly", YEAR)
    assert result.success
    found = materialised(result)
    assert marts_in(found) == {n for n, m in MARTS.items() if m.rounds == "QA"}
    assert form_key("submitted", "tasks") not in found and form_key("submitted", "basic") in found
    assert RELEASE not in found and issued(home) == []


@pytest.mark.usefixtures("without_suites")
def test_a_period_nobody_has_filed_for_leaves_empty_marts_and_refuses_to_publish(
    home: Home, instance: dg.DagsterInstance
) -> None:
    result = run(home, instance, "quarterly", Period(2015, 2))
    assert not result.success and issued(home) == []
    assert materialised(result)[mart_key("monitoring_figures")]["dagster/row_count"] == 0


def test_killed_between_files_and_ledger_the_next_attempt_gives_the_same_bytes(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = office_of(home)

    class KilledError(Exception):
        pass

    def killed(*_: object, **__: object) -> None:
        raise KilledError

    def attempt() -> None:
        publish_if_changed(opened, home, QUARTER, now=NOW, actor="测试")

    with monkeypatch.context() as patched:
        patched.setattr(publishing, "record_release", killed)
        with pytest.raises(KilledError):
            attempt()
    assert issued(home) == []
    stranded = read_manifest(home.releases / "2015-Q1.r1")
    attempt()
    assert issued(home) == ["2015-Q1.r1"]
    assert read_manifest(home.releases / "2015-Q1.r1").files == stranded.files


@pytest.mark.usefixtures("without_suites")
def test_a_mart_that_fails_a_gate_is_not_published(
    home: Home, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = stages.compute

    def one_total_too_high(*args: Any, **kwargs: Any) -> Any:
        found = real(*args, **kwargs)
        figures = found["monitoring_figures"]
        wrong = (pl.col("measure") == "cumulative") & (pl.col("breakdown") == "total") & (pl.col("area") == "LBSYQ")
        cells = figures.cells.with_columns(value=pl.when(wrong).then(pl.col("value") + 1).otherwise("value"))
        return found | {"monitoring_figures": type(figures)(cells, figures.parts)}

    monkeypatch.setattr(stages, "compute", one_total_too_high)
    result = run(home, instance, "quarterly", QUARTER)
    assert not result.success
    assert failed_checks(result) == [("mart/monitoring_figures", "totals_equal_zones")]
    assert issued(home) == []


def test_the_gate_finds_what_does_not_belong_into_accepted(computed: Home) -> None:
    of = programme()
    with facts.writer(computed.live) as con:
        held = {"finance": facts.facts(con, of.edition_for(QUARTER).forms["finance"], str(QUARTER))}
    assert gate_holds(of, QUARTER, held).holds
    negative = held["finance"].with_columns(F07=pl.lit(-1, dtype=held["finance"].schema["F07"]))
    found = gate_holds(of, QUARTER, {"finance": negative})
    assert not found.holds and all("F07" in p for p in found.problems)
    twice = pl.concat([held["finance"], held["finance"].head(1)])
    assert not gate_holds(of, QUARTER, {"finance": twice}).holds


def test_decisions_start_one_run_a_period_and_only_once(home: Home) -> None:
    installation = AtNoon(home=str(home.root))

    def look(cursor: str | None) -> Any:
        context = dg.build_sensor_context(cursor=cursor, definitions=defs, resources={"installation": installation})
        return decisions(context)

    first = look(None)
    assert [r.run_key.split("@")[0] for r in first.run_requests] == ["2014", "2015-Q1"]
    assert isinstance(look(first.cursor), dg.SkipReason)
    opened = office_of(home)
    with opened.ledger.read() as session:
        (one, *_) = submissions(session, period=QUARTER)
    reopen(opened, one.number, reason="核对口径", now=NOW - timedelta(seconds=30), actor="测试")
    assert "等待" in str(look(first.cursor).skip_message)
    with opened.ledger.read() as session:
        last = head(session).seq
    later = type("Later", (Installation,), {"now": lambda _self: NOW + timedelta(minutes=5), "__module__": __name__})(
        home=str(home.root)
    )
    context = dg.build_sensor_context(cursor=first.cursor, definitions=defs, resources={"installation": later})
    again: Any = decisions(context)
    assert [r.run_key for r in again.run_requests] == [f"2015-Q1@{last}"] and again.cursor == str(last)


def test_a_file_in_the_drop_folder_becomes_a_submission(
    home: Home, instance: dg.DagsterInstance, made: TinyOffice
) -> None:
    (home.inbox / "LBBY" / "2015-Q1").mkdir(parents=True)
    book = home.inbox / "LBBY" / "2015-Q1" / "一季度.xlsx"
    book.write_bytes(made.workbook("LBBY", QUARTER))
    past = (NOW - timedelta(hours=1)).timestamp()
    os.utime(book, (past, past))
    cursor, results = None, []
    for clock in (NOW - timedelta(minutes=1), NOW):
        installation = type("At", (Installation,), {"now": lambda _self, at=clock: at, "__module__": __name__})(
            home=str(home.root)
        )
        context = dg.build_sensor_context(cursor=cursor, definitions=defs, resources={"installation": installation})
        results.append(drop_folder(context))
        cursor = results[-1].cursor
    assert not results[0].run_requests and len(results[1].run_requests) == 1
    result = run(home, instance, "intake", None, run_config=results[1].run_requests[0].run_config)
    assert result.success
    with open_ledger(home).read() as session:
        (found,) = submissions(session, park="LBBY")
    assert (found.state.value, found.channel, found.received_by) == ("reported", "inbox", "测试")
    assert not book.exists()


def test_the_nightly_proof_finds_a_flipped_byte(computed: Home, instance: dg.DagsterInstance) -> None:
    assert run(computed, instance, "scrub", None).success
    blob = max(
        (p for p in computed.vault.rglob("*") if p.is_file() and p.parent.name != "tmp"), key=lambda p: p.stat().st_size
    )
    blob.chmod(0o644)
    data = bytearray(blob.read_bytes())
    data[len(data) // 2] ^= 1
    blob.write_bytes(data)
    result = run(computed, instance, "scrub", None)
    assert not result.success
    (failure,) = result.filter_events(lambda e: e.is_step_failure)
    assert "文件库:损坏" in str(failure.event_specific_data.user_failure_data.description)
