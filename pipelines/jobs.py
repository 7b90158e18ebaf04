"""The jobs: a quarter, a year, the drop folder, and the daily proof that nothing has been altered."""

from typing import Any

import dagster as dg

from pipelines.assets.stage_names import (
    ACCEPTED,
    EFFECTIVE,
    RELEASE,
    SUBMITTED,
    form_key,
    forms_of_round,
    mart_key,
    marts_of_round,
)
from pipelines.drop_folder import Batch, take
from pipelines.resources import INBOX, WAREHOUSE, Installation
from pipelines.verification import problems_of
from warehouse.ledger.care import VERIFIED, note_care

QUARTERLY, ANNUAL = "quarterly", "annual"
JOB_OF_ROUND = {"Q": QUARTERLY, "A": ANNUAL}


def stage_keys(letter: str) -> list[dg.AssetKey]:
    """Everything due in a round short of publishing."""
    forms = [form_key(stage, code) for stage in (SUBMITTED, ACCEPTED) for code in forms_of_round(letter)]
    return [*forms, EFFECTIVE, *(mart_key(name) for name in marts_of_round(letter))]


def round_job(letter: str, words: str) -> Any:
    """The job of a round: load, compute, check, publish. Sensors start it short of publishing, which is a decision."""
    return dg.define_asset_job(
        JOB_OF_ROUND[letter],
        selection=dg.AssetSelection.assets(*stage_keys(letter), RELEASE),
        description=words,
        tags={"round": letter, "writes": WAREHOUSE},
    )


quarterly = round_job("Q", "季报:入库、计算、检验、发布一个季度(分区选 2025-Q1 这样的报告期)")
annual = round_job("A", "年报:入库、计算、检验、发布一个年度(分区选 2025 这样的报告期)")


class Groups(dg.Config):
    """What the sensor saw at rest in the drop folder (``pipelines.drop_folder.Batch.as_plain``)."""

    groups: list[dict[str, Any]]


@dg.op(pool=INBOX)
def take_in(context: dg.OpExecutionContext, installation: Installation, config: Groups) -> None:
    """Take in one batch of the drop folder. Fails, after the rest is done, where something of ours went wrong."""
    batch = Batch.from_plain(config.groups)
    with installation.step() as (office, home), installation.pool() as pool:
        taken = take(
            office, home, batch, pool, now=installation.now(), actor=installation.actor, progress=context.log.info
        )
    for one in taken.results:
        told = f"隔离:{one.quarantined}" if one.quarantined else f"{one.number} {one.state}"
        context.log.info(f"{len(one.files)} 个文件 → {told}")
    faults = [*taken.faults, *(one.fault for one in taken.results if one.fault)]
    context.add_output_metadata(
        {
            "submissions": sum(1 for r in taken.results if r.number and not r.quarantined),
            "quarantined": sum(1 for r in taken.results if r.quarantined),
            "left": len(taken.left),
            "faults": len(faults),
        }
    )
    if faults:
        raise dg.Failure(description="\n".join(faults), allow_retries=False)


@dg.job(tags={"writes": INBOX}, description="投递箱:把已放稳的文件收为报送,回执和标注工作簿放入发件箱")
def intake() -> None:
    take_in()


@dg.op(pool=WAREHOUSE)
def verify_all(context: dg.OpExecutionContext, installation: Installation) -> None:
    """Prove trail, vault, warehouse and releases; fails with every problem found."""
    with installation.step() as (office, home):
        proof = problems_of(office, home)
        note_care(
            office.ledger,
            VERIFIED,
            problems=len(proof.problems),
            now=installation.now(),
            actor=installation.actor,
            blobs=proof.blobs,
        )
    context.add_output_metadata({"head": f"{proof.head_seq} {proof.head_hash}", "blobs": proof.blobs})
    if proof.problems:
        raise dg.Failure(description="\n".join(proof.problems), allow_retries=False)


@dg.job(tags={"writes": WAREHOUSE}, description="核验:留痕链、文件库哈希、台账与仓库一致、发布文件未变")
def scrub() -> None:
    verify_all()


JOBS: list[Any] = [quarterly, annual, intake, scrub]
