"""Asset checks: the gate rules, about thirty in all. Errors block what follows; the marts of a failed gate are not published.

Findings about submissions are not here: they live in our own tables, by thousands. What a check says is kept by Dagster for
everybody who may look at it, so it names rows and counts, never a figure.
"""

from collections.abc import Callable, Iterator

import dagster as dg
import polars as pl

from exports.manifest import changed_files, read_manifest
from pipelines.assets.stage_names import EFFECTIVE, RELEASE, form_titles, mart_key
from pipelines.expectations_run import judge
from pipelines.gate_rules import (
    Verdict,
    cells_are_sound,
    gate_holds,
    published_cells_are_sound,
    response_is_stated,
    totals_equal_zones,
)
from pipelines.publishing import released_marts
from pipelines.resources import WAREHOUSE, Installation
from pipelines.stages import asked_forms
from schemas.expectations import suite_of
from schemas.marts import CELL_COLUMNS, MARTS
from schemas.period import Period
from warehouse import facts
from warehouse.home import Home
from warehouse.ledger.releases import current_release
from warehouse.snapshots import reader

MART_RULES: dict[str, tuple[str, Callable[[pl.DataFrame], Verdict], str]] = {
    # name: (mart, rule, words); a mart "" means every mart
    "cells_are_sound": ("", cells_are_sound, "row_key 唯一,没有 NaN 或无穷大,有无数值与状态一致"),
    "totals_equal_zones": ("monitoring_figures", totals_equal_zones, "可加指标的合计等于各园区之和"),
    "response_is_stated": ("monitoring_response", response_is_stated, "每个区域都有总体报送率"),
}


def as_result(verdict: Verdict) -> dg.AssetCheckResult:
    """A verdict as Dagster keeps it."""
    listed = "\n".join(f"- {p}" for p in verdict.problems) or "(无)"
    return dg.AssetCheckResult(
        passed=verdict.holds,
        severity=dg.AssetCheckSeverity.ERROR,
        metadata={
            "checked": verdict.checked,
            "problems": verdict.count,
            "listed": dg.MetadataValue.md(listed),
            **{f"rows_{name}": count for name, count in verdict.facts.items()},
        },
    )


def cells_of(home: Home, mart: str, period: Period) -> pl.DataFrame:
    """The cells of a mart as the snapshot has them."""
    with reader(home.snapshots) as con:
        return facts.read_mart(con, "mart", mart, CELL_COLUMNS, str(period))


@dg.asset_check(
    asset=EFFECTIVE,
    name="gate_holds",
    blocking=True,
    pool=WAREHOUSE,
    description="已验收数据仍符合由表式生成的 pandera 模式:类型、取值、代码、每单位一行",
)
def gate(context: dg.AssetCheckExecutionContext, installation: Installation) -> dg.AssetCheckResult:
    """The accepted facts of the period, by form, through the generated schemas."""
    period = Period.parse(context.partition_key)
    with installation.step() as (office, home):
        forms = {c: f for c, f in asked_forms(office.programme, period).items() if c in form_titles()}
        with facts.writer(home.live) as con:
            found = {code: facts.facts(con, form, str(period)) for code, form in forms.items()}
        return as_result(gate_holds(office.programme, period, found) if forms else Verdict(0, 0))


def rule_check(name: str, mart: str) -> dg.AssetChecksDefinition:
    """One rule on one mart."""
    _, rule, words = MART_RULES[name]

    @dg.asset_check(asset=mart_key(mart), name=name, blocking=True, description=words)
    def check(context: dg.AssetCheckExecutionContext, installation: Installation) -> dg.AssetCheckResult:
        with installation.step() as (_, home):
            return as_result(rule(cells_of(home, mart, Period.parse(context.partition_key))))

    return check


def expectations_check(mart: str) -> dg.AssetChecksDefinition:
    """The Great Expectations suite of one mart; what is only suspicious warns, what is wrong blocks."""

    @dg.asset_check(
        asset=mart_key(mart),
        name="great_expectations",
        blocking=True,
        description=f"{MARTS[mart].title}作为整体的检验(Great Expectations);结果页在 HOME/warehouse/data_docs",
    )
    def check(context: dg.AssetCheckExecutionContext, installation: Installation) -> dg.AssetCheckResult:
        period = Period.parse(context.partition_key)
        with installation.step() as (_, home):
            judgement = judge(cells_of(home, mart, period), suite_of(MARTS[mart], period), home)
        listed = [f"- [错误] {e}" for e in judgement.errors] + [f"- [提示] {w}" for w in judgement.warnings]
        return dg.AssetCheckResult(
            passed=not listed,
            severity=dg.AssetCheckSeverity.WARN if judgement.holds else dg.AssetCheckSeverity.ERROR,
            metadata={
                "expectations": judgement.expectations,
                "errors": len(judgement.errors),
                "warnings": len(judgement.warnings),
                "listed": dg.MetadataValue.md("\n".join(listed) or "(无)"),
                "data_docs": dg.MetadataValue.path(str(judgement.docs)),
            },
        )

    return check


RELEASE_RULES = {
    "every_cell_is_displayed": "每个单元格都有显示文本",
    "suppressed_cells_are_empty": "不公布的单元格没有数值,只显示 *",
    "files_are_as_listed": "发布目录中的文件与清单的哈希一致",
}


@dg.multi_asset_check(
    name="release_rules",
    specs=[dg.AssetCheckSpec(name, asset=RELEASE, description=words) for name, words in RELEASE_RULES.items()],
    can_subset=True,
)
def release_rules(context: dg.AssetCheckExecutionContext, installation: Installation) -> Iterator[dg.AssetCheckResult]:
    """What lies in the files of the standing release of the period."""
    period = Period.parse(context.partition_key)
    with installation.step() as (office, home):
        with office.ledger.read() as session:
            standing = current_release(session, period)
        if standing is None:
            raise dg.Failure(description=f"{period} 没有有效的发布", allow_retries=False)
        folder = home.releases / standing.id
        verdicts = published_cells_are_sound(released_marts(folder))
        manifest = read_manifest(folder)
        changed = [f"{path}:与清单不符" for path in changed_files(folder, manifest)]
    verdicts["files_are_as_listed"] = Verdict(len(changed), len(manifest.files), tuple(changed))
    for key in sorted(context.selected_asset_check_keys):
        yield as_result(verdicts[key.name])._replace(check_name=key.name, asset_key=RELEASE)


CHECKS: list[dg.AssetChecksDefinition] = [
    gate,
    *(rule_check("cells_are_sound", mart) for mart in MARTS),
    *(rule_check(name, mart) for name, (mart, _, _) in MART_RULES.items() if mart),
    *(expectations_check(mart) for mart in MARTS),
    release_rules,
]
