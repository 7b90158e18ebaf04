"""Sensors: decisions in the ledger and files in the drop folder start runs, one a batch and period, never one a file."""

import hashlib
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import dagster as dg

from pipelines.affected import affected_periods, decisions_in
from pipelines.drop_folder import Batch, Look, scan
from pipelines.jobs import JOB_OF_ROUND, annual, intake, quarterly, stage_keys
from pipelines.resources import Installation
from schemas.errors import StorageError
from schemas.period import Period
from warehouse.ledger.states import STANDING
from warehouse.ledger.submissions import submission, submissions
from warehouse.ledger.trail import events

ANSWER = dg.SensorResult | dg.SkipReason


@dg.sensor(
    jobs=[quarterly, annual],
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="验收、撤销验收之后重新入库、计算、检验受影响的报告期(不发布)。游标为留痕序号。",
)
def decisions(context: dg.SensorEvaluationContext, installation: Installation) -> ANSWER:
    """After the decisions since the last look: one run for each period they touch."""
    try:
        return requests_after(int(context.cursor or 0), installation)
    except StorageError as missing:
        return dg.SkipReason(str(missing))


def requests_after(cursor: int, installation: Installation) -> ANSWER:
    """Runs for the decisions after link ``cursor``; the cursor moves on only with the runs."""
    with installation.office() as (office, _), office.ledger.read() as session:
        batch = decisions_in(events(session, after=cursor))
        if batch is None:
            return dg.SkipReason("没有新的验收")
        if not batch.is_settled(installation.now()):
            return dg.SkipReason(f"{len(batch.submissions)} 份报送刚刚验收,等待同一批的其余报送")
        changed = {submission(session, number).period for number in batch.submissions}
        on_file = {s.period for s in submissions(session, states=STANDING)}
    runs = [run_of(period, batch.last_seq) for period in affected_periods(changed, on_file)]
    return dg.SensorResult(run_requests=runs, cursor=str(batch.last_seq))


def run_of(period: Period, seq: int) -> dg.RunRequest:
    """The run that brings one period up to link ``seq``, short of publishing."""
    return dg.RunRequest(
        run_key=f"{period}@{seq}",
        job_name=JOB_OF_ROUND[period.round],
        partition_key=str(period),
        asset_selection=stage_keys(period.round),
        tags={"period": str(period), "trigger": "decisions", "trail_seq": str(seq)},
    )


@dg.sensor(
    job=intake,
    minimum_interval_seconds=15,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="投递箱:文件放稳后一批收取一次。游标为上一次看到的文件。",
)
def drop_folder(context: dg.SensorEvaluationContext, installation: Installation) -> ANSWER:
    """One run for everything that has come to rest in the inbox."""
    try:
        home, now = installation.home_of(), installation.now()
    except StorageError as missing:
        return dg.SkipReason(str(missing))
    batch = scan(home, now, Look.from_plain(json.loads(context.cursor)) if context.cursor else None)
    cursor = json.dumps(batch.look.as_plain(), ensure_ascii=False)
    for reason, files in waiting_by_reason(batch):
        context.log.info(f"{reason}:{files}")
    if not batch.groups:
        return dg.SensorResult(
            cursor=cursor, skip_reason=dg.SkipReason(f"没有可收的文件,{len(batch.waiting)} 个在等待")
        )
    return dg.SensorResult(run_requests=[intake_run(batch, now)], cursor=cursor)


def intake_run(batch: Batch, now: datetime) -> dg.RunRequest:
    """The run for a batch. The same files are asked for once; where they still lie there an hour later, once more."""
    plain: list[dict[str, Any]] = batch.as_plain()
    files = [[f[:3] for f in g["files"]] for g in plain]
    digest = hashlib.sha256(json.dumps(files, ensure_ascii=False).encode()).hexdigest()[:16]
    hour = int(now.timestamp() // timedelta(hours=1).total_seconds())
    return dg.RunRequest(
        run_key=f"inbox-{digest}-{hour}",
        run_config={"ops": {"take_in": {"config": {"groups": plain}}}},
        tags={"trigger": "drop_folder", "files": str(batch.files)},
    )


def waiting_by_reason(batch: Batch) -> Iterator[tuple[str, int]]:
    """How many files wait for what."""
    reasons = sorted(batch.waiting.values())
    return ((reason, reasons.count(reason)) for reason in sorted(set(reasons)))


SENSORS = [decisions, drop_folder]
