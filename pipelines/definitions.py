"""The one Definitions object: what ``dagster`` loads. Everything here can also be called without it."""

import dagster as dg

from pipelines.assets.facts import facts
from pipelines.assets.marts import marts
from pipelines.assets.published import release
from pipelines.checks import CHECKS
from pipelines.jobs import JOBS
from pipelines.resources import Installation
from pipelines.schedules import SCHEDULES
from pipelines.sensors import SENSORS

defs = dg.Definitions(
    assets=[facts, marts, release],
    asset_checks=CHECKS,
    jobs=JOBS,
    sensors=SENSORS,
    schedules=SCHEDULES,
    resources={"installation": Installation()},
    # Short steps on one warehouse: a process for each would cost a second apiece and could not write at the same time anyway.
    executor=dg.in_process_executor,
)
