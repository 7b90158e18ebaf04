"""``mart/<name>``: the products of a period before disclosure control, computed together from one reading of the facts."""

from collections.abc import Iterator

import dagster as dg

from pipelines.assets.previews import of_mart
from pipelines.assets.stage_names import EFFECTIVE, MART, OWNERS, ROUNDS, mart_key
from pipelines.partitions import PERIODS
from pipelines.resources import WAREHOUSE, Installation
from pipelines.stages import compute_period
from schemas.marts import MARTS
from schemas.period import Period


def mart_specs() -> list[dg.AssetSpec]:
    """The assets of all marts, from ``schemas.marts``."""
    return [
        dg.AssetSpec(
            mart_key(name),
            deps=[EFFECTIVE],
            description=f"{mart.title}:{mart.definition}。\n\n{'、'.join(ROUNDS[r] for r in mart.rounds)}产出;未经披露控制,"
            "只供内部。\n\nInternal: not yet through disclosure control.",
            group_name=MART,
            kinds={"polars", "duckdb"},
            owners=OWNERS,
            skippable=True,
            tags={"product": mart.product},
            metadata={"dagster/table_name": f"{MART}.{name}"},
        )
        for name, mart in MARTS.items()
    ]


@dg.multi_asset(name="marts", specs=mart_specs(), partitions_def=PERIODS, can_subset=True, pool=WAREHOUSE)
def marts(context: dg.AssetExecutionContext, installation: Installation) -> Iterator[dg.MaterializeResult[None]]:
    """Compute the selected marts that are due in this period, keep them, publish a snapshot for everybody who reads."""
    period, names = Period.parse(context.partition_key), {k.path[-1] for k in context.selected_asset_keys}
    with installation.step() as (office, home):
        found = compute_period(office, home, period, names, context.log.info)
    for name in sorted(names):
        if name not in found:
            context.log.info(f"{MART}/{name}:{period} 不产出,跳过")
            continue
        if found[name].cells.is_empty():
            context.log.info(f"{MART}/{name}:{period} 还没有可计算的数据,表为空")
        yield dg.MaterializeResult(asset_key=mart_key(name), metadata=of_mart(found[name]))
