"""``published/release``: disclosure control, files, manifest, ledger. Only ever asked for by a person."""

import dagster as dg

from pipelines.assets.previews import of_release
from pipelines.assets.stage_names import OWNERS, PUBLISHED, RELEASE, mart_key
from pipelines.partitions import PERIODS
from pipelines.publishing import released_marts
from pipelines.resources import WAREHOUSE, Installation
from pipelines.stages import publish_if_changed
from schemas.marts import PUBLISHED_MARTS
from schemas.period import Period


class Publishing(dg.Config):
    """``reason``: why a revision is made, printed in it. ``again``: also where nothing has changed."""

    reason: str = ""
    again: bool = False


@dg.asset(
    key=RELEASE,
    deps=[mart_key(name) for name in PUBLISHED_MARTS],
    partitions_def=PERIODS,
    group_name=PUBLISHED,
    kinds={"excel", "parquet", "html"},
    owners=OWNERS,
    pool=WAREHOUSE,
    description="发布:披露控制、发布工作簿、Parquet、CSV、SDMX、看板、清单。依据没有变化时沿用现有发布,不产生新的修订。\n\n"
    "A release; the standing one is kept where nothing it rests on has changed.",
)
def release(
    context: dg.AssetExecutionContext, installation: Installation, config: Publishing
) -> dg.MaterializeResult[None]:
    """Publish the period, unless the standing release already says what is known."""
    period = Period.parse(context.partition_key)
    with installation.step() as (office, home):
        made, is_new = publish_if_changed(
            office, home, period, now=installation.now(), actor=installation.actor, reason=config.reason, again=config.again,
            progress=context.log.info,
        )  # fmt: skip
        found = released_marts(home.releases / made.id)
    context.log.info(f"{'已发布' if is_new else '没有变化,沿用'} {made.id}")
    return dg.MaterializeResult(metadata=of_release(made, found, is_new))
