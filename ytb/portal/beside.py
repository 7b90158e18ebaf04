"""Read-only pages beside the forms: where parks stand on the ladder and why, and what authorities have on record."""

from __future__ import annotations

import polars as pl
from starlette.responses import Response

from exports.charts_svg import Point, scatter_chart
from pipelines.administrative_records import listed, reconciliation
from pipelines.evaluating import ladder_of, standings_on_file
from pipelines.methods.ladder import Kind, Standing
from pipelines.methods.reconciliation import OUTCOMES, TO_VERIFY
from schemas.errors import DefinitionError, StatisticsError
from schemas.period import Period
from warehouse.ledger.evaluations import ladder_records
from warehouse.ledger.ladder_drafts import pending_draft
from warehouse.ledger.parks import parks
from warehouse.ledger.periods import rounds
from warehouse.ledger.register import register_as_of
from warehouse.snapshots import reader
from ytb.portal import pages
from ytb.portal.collection import chosen_period
from ytb.portal.visit import Visit

ROWS_SHOWN = 300
KINDS = {
    Kind.MOVE: "等级变动", Kind.TASK: "整改事项", Kind.REPORT: "报完成", Kind.VERIFY: "销号", Kind.REJECT: "退回整改",
    Kind.APPEAL: "申诉", Kind.UPHELD: "申诉成立,撤销处置", Kind.DISMISSED: "申诉驳回",
}  # fmt: skip
TASK_STATES = {"open": "未完成", "reported": "已报完成,待核实", "verified": "已销号"}


def ladder(visit: Visit) -> Response:
    """Where every park stands, and every step that was taken with its reason, document and evidence."""
    try:
        definition = ladder_of(visit.office.programme.edition_for(Period(visit.now.year)))
    except DefinitionError:
        return pages.page(
            visit, "ladder", definition=None, rows=[], records={}, kinds=KINDS, states=TASK_STATES, waiting={}
        )
    with visit.office.ledger.read() as session:
        on_file = standings_on_file(session, definition)
        steps = ladder_records(session)
        units = register_as_of(session, visit.now.date())
        # The register of parks also names parks of other provinces, which targets are compared with.
        ours = {*on_file, *(units["park"].to_list() if units.height else ())}
        zones = [one for one in parks(session, visit.now.date()) if one.kind == "zone" and one.code in ours]
        # What one statistician has put forward is for the others; nobody else sees it before it counts.
        drafts = [pending_draft(session, one.code) for one in zones] if visit.who.role in definition.roles else []
    order = {rung.id: n for n, rung in enumerate(definition.rungs)}
    rows = [(one, on_file.get(one.code, Standing(one.code, definition.normal))) for one in zones]
    rows.sort(key=lambda pair: (-order[pair[1].rung.id], pair[0].code))
    records = {one.code: [r for r in steps if r.step.park == one.code] for one in zones}
    rungs = {rung.id: rung.name for rung in definition.rungs}
    return pages.page(
        visit, "ladder", definition=definition, rows=rows, records=records, kinds={k.value: v for k, v in KINDS.items()},
        states=TASK_STATES, rungs=rungs, today=visit.now.date(), waiting={one.park: one for one in drafts if one},
    )  # fmt: skip


def records(visit: Visit) -> Response:
    """Records of authorities against the forms, unit by unit; what is to be verified first."""
    with visit.office.ledger.read() as session:
        every = rounds(session)
        names = {one.code: one.name for one in parks(session)}
    period = chosen_period(visit, every)
    found, why = None, ""
    if period is not None:
        try:
            with reader(visit.portal.home.snapshots) as con:
                found = reconciliation(visit.office, con, period)
        except StatisticsError as error:
            why = error.on_a_page
    frame = found if found is not None else pl.DataFrame(schema={"indicator": pl.String, "outcome": pl.String})
    indicators = frame["indicator"].unique().sort().to_list()
    code = visit.query("indicator") if visit.query("indicator") in indicators else ""
    shown = frame.filter(indicator=code) if code else frame
    counts = {name: shown.filter(outcome=key).height for key, name in OUTCOMES.items()}
    to_verify = shown.filter(pl.col("outcome").is_in(TO_VERIFY))
    labels = {}
    if period is not None:
        labels = {c: i.name for c, i in visit.office.programme.edition_for(period).indicators.items()}
    return pages.page(
        visit, "records", period=period, periods=sorted(every, reverse=True), imports=list(listed(visit.office)), why=why,
        indicators=indicators, code=code, counts=counts, rows=to_verify.head(pages.most_rows(visit, ROWS_SHOWN)).to_dicts(), count=to_verify.height,
        outcomes=OUTCOMES, names=names, labels=labels, chart=_chart(shown, labels.get(code, code)) if code else "",
    )  # fmt: skip


def _chart(rows: pl.DataFrame, title: str) -> str:
    """What the authority has on record against what the forms say."""
    both = rows.filter(pl.col("record_value").is_not_null() & pl.col("form_value").is_not_null())
    points = [
        Point(r["record_value"], r["form_value"], r["unit_name"] or r["unit_id"], r["outcome"] == "beyond")
        for r in both.to_dicts()
    ]
    return scatter_chart("records", f"{title}:部门记录与报表", points, "部门记录", "报表")
