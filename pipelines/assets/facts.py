"""``submitted/<form>``, ``accepted/<form>`` and ``meta/effective``: one load, since a load is one step for all periods."""

from collections.abc import Iterator

import dagster as dg

from pipelines.assets.previews import of_period, of_stage
from pipelines.assets.stage_names import ACCEPTED, EFFECTIVE, OWNERS, SUBMITTED, form_key, form_titles
from pipelines.partitions import PERIODS
from pipelines.resources import WAREHOUSE, Installation
from pipelines.stages import load_period
from schemas.period import Period
from warehouse.facts import STAGES

SAYS = {
    SUBMITTED: "已报送的全部修订,逐字来自工作簿。\n\nEvery revision ever reported, as it stood in the workbook.",
    ACCEPTED: "通过入库检验(pandera)的已验收报送,含曾经验收的修订。\n\nAccepted submissions, past the generated gate.",
}
KINDS = {SUBMITTED: {"excel", "duckdb"}, ACCEPTED: {"pandera", "duckdb"}}


def specs_of(stage: str) -> list[dg.AssetSpec]:
    """The assets of a stage, one a form."""
    before = {ACCEPTED: SUBMITTED}.get(stage)
    return [
        dg.AssetSpec(
            form_key(stage, code),
            deps=[form_key(before, code)] if before else [],
            description=f"{title}\n\n{SAYS[stage]}",
            group_name=stage,
            kinds=KINDS[stage],
            owners=OWNERS,
            skippable=True,
            metadata={"dagster/table_name": f"{stage}.{code}"},
        )
        for code, title in form_titles().items()
    ]


def effective_spec() -> dg.AssetSpec:
    """The list of what counts: through it all marts read facts, so it is the one line between them in the graph."""
    return dg.AssetSpec(
        EFFECTIVE,
        deps=[form_key(ACCEPTED, code) for code in form_titles()],
        description="每个园区本期起作用的报送:已验收的,否则最近一次已报送的。\n\nWhat counts: of each park the accepted "
        "submission, else the newest reported one; the views in_force.* and effective.* go by it.",
        group_name=ACCEPTED,
        kinds={"duckdb"},
        owners=OWNERS,
        skippable=True,
        metadata={"dagster/table_name": "meta.effective"},
    )


@dg.multi_asset(
    name="facts",
    specs=[*specs_of(SUBMITTED), *specs_of(ACCEPTED), effective_spec()],
    partitions_def=PERIODS,
    can_subset=True,
    pool=WAREHOUSE,
)
def facts(context: dg.AssetExecutionContext, installation: Installation) -> Iterator[dg.MaterializeResult[None]]:
    """Load what the ledger has and the warehouse lacks, then tell what there is of this period."""
    period, selected = Period.parse(context.partition_key), context.selected_asset_keys
    wanted = {(k.path[0], k.path[1]) for k in selected if k != EFFECTIVE}
    with installation.step() as (office, home):
        found = load_period(office, home, period, wanted, context.log.info)
    for key in sorted(selected - {EFFECTIVE}, key=lambda k: (STAGES.index(k.path[0]), k.path[1])):
        profile = found.profiles.get((key.path[0], key.path[1]))
        if profile is None:
            context.log.info(f"{key.to_user_string()}:{period} 不收这张表,跳过")
            continue
        yield dg.MaterializeResult(asset_key=key, metadata=of_stage(profile))
    if EFFECTIVE in selected:
        yield dg.MaterializeResult(asset_key=EFFECTIVE, metadata=of_period(found.state, found.loaded.new))
