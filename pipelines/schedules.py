"""Schedules: only the nightly proof. Rounds are opened and closed by people; figures move when something was decided."""

import dagster as dg

from pipelines.jobs import scrub

nightly_scrub = dg.ScheduleDefinition(
    name="nightly_scrub",
    job=scrub,
    cron_schedule="30 2 * * *",
    execution_timezone="Asia/Shanghai",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="每日 2:30 核验留痕链、文件库、仓库和发布",
)

SCHEDULES = [nightly_scrub]
