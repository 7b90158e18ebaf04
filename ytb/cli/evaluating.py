"""``ytb evaluation …``: proposals with evidence, decisions of people, rectification, appeals, provided figures."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import polars as pl
import typer

from exports.display import displayed
from pipelines import evaluating, ladder_decisions
from pipelines.evaluation_production import UNITS, evaluated_schemes
from pipelines.inputs import live_inputs
from pipelines.methods.ladder import Kind, Standing, cities_concerned
from pipelines.methods.ladder_definition import Ladder
from pipelines.production import evaluation_sources
from schemas.errors import RefusalError
from schemas.marts import CELL_COLUMNS
from schemas.period import Period
from warehouse import facts
from warehouse.ledger.evaluations import LadderRecord, ladder_records, permitted
from warehouse.ledger.ladder_drafts import pending_draft
from warehouse.snapshots import reader
from ytb.cli.output import emit, table
from ytb.cli.session import CALL

app = typer.Typer(no_args_is_help=True, help="评价:建议与证据、等级处置、整改、申诉、升级条件、文件提供的数据。")
PeriodOption = Annotated[str, typer.Option(help="评价年度,如 2016")]
Reason = Annotated[str, typer.Option(help="理由")]
Document = Annotated[str, typer.Option(help="文号")]


def register(root: typer.Typer) -> None:
    """Hang the commands on the root."""
    root.add_typer(app, name="evaluation")


def _ladder(year: int) -> Ladder:
    return evaluating.ladder_of(CALL.programme.edition_for(Period(year)))


def _current() -> Ladder:
    return evaluating.ladder_of(list(CALL.programme.editions.values())[-1])


def _judgement(period: str) -> evaluating.Judgement:
    with reader(CALL.home.snapshots) as con:
        return evaluating.judge(CALL.office, con, Period.parse(period), CALL.now)


@app.command()
def propose(period: PeriodOption) -> None:
    """按证据给出各园区的处置建议;只是建议,不改变任何园区的等级。"""
    found = _judgement(period)
    lines = []
    for p in found.proposals:
        change = f"建议转为“{p.to.name}”" if p.is_change else "不建议变动"
        lines.append(f"{found.names[p.park]}({p.park}) 现为“{p.now.name}”,{change}。")
        lines += [f"  依据:{r}" for r in p.reasons]
        lines += [f"  无数据,未判定:{e.criterion.name}" for e in p.undetermined]
    emit(
        [
            {
                "park": p.park, "name": found.names[p.park], "year": p.year, "now": p.now.id, "to": p.to.id,
                "change": p.is_change, "reasons": p.reasons, "undetermined": [e.criterion.id for e in p.undetermined],
                "evidence": [
                    {"trigger": e.criterion.id, "facts": [{"year": y, "fact": c.fact, "value": v, "op": c.op, "bound": c.value} for y, c, v in e.facts]}
                    for e in p.fired
                ],
            }
            for p in found.proposals
        ],
        lines,
    )  # fmt: skip


@app.command()
def standing(park: Annotated[str | None, typer.Argument()] = None) -> None:
    """园区现在的等级、期限、整改事项和申诉。"""
    ladder = _current()
    with CALL.office.ledger.read() as session:
        found = evaluating.standings_on_file(session, ladder)
    if park is not None:
        if park not in CALL.programme.codelists["parks"].rows["code"]:
            raise RefusalError(f"没有园区 {park};见 ytb park list。")
        found = {park: found.get(park, Standing(park, ladder.normal))}
    with CALL.office.ledger.read() as session:
        asked = [park] if park is not None else CALL.programme.codelists["parks"].rows["code"].to_list()
        waiting = {code: pending_draft(session, code) for code in asked}
    found = {
        code: found.get(code, Standing(code, ladder.normal))
        for code in sorted(found.keys() | {code for code, draft in waiting.items() if draft})
    }
    lines = []
    for code, s in found.items():
        lines += _said(s)
        if (draft := waiting.get(code)) is not None:
            lines.append(f"  待另一人复核:转为“{ladder.rung(draft.to_rung).name}”({draft.by} 提出,{draft.document})")
    emit(
        [_plain(s) | {"waiting": waiting.get(code)} for code, s in found.items()],
        lines or ["还没有任何处置,各园区均为“正常”。"],
    )


def _said(s: Standing) -> list[str]:
    term = f",期限 {s.due}" if s.due else ""
    lines = [f"{s.park}:{s.rung.name}{term}"]
    lines += [f"  整改事项 {t.id}:{t.text}({t.responsible},{t.due or '无期限'}){_STATES[t.state]}" for t in s.tasks]
    return lines + ([f"  申诉未办结:{s.appeal.text}"] if s.appeal else [])


_STATES = {"open": "未完成", "reported": "已报完成,待核实", "verified": "已销号"}


def _plain(s: Standing) -> dict[str, object]:
    return {
        "park": s.park, "rung": s.rung.id, "name": s.rung.name, "due": s.due,
        "tasks": [t.__dict__ for t in s.tasks], "appeal": s.appeal.id if s.appeal else None,
    }  # fmt: skip


@app.command()
def history(park: str) -> None:
    """一个园区的全部处置、整改和申诉记录,含当时的证据。"""
    with CALL.office.ledger.read() as session:
        found = ladder_records(session, park)
    lines = []
    for r in found:
        lines.append(
            f"{r.id} {r.step.day} {_KINDS[Kind(r.step.kind)]} {r.step.from_rung}→{r.step.to_rung} {r.step.text} {r.step.document} {r.recorded_by}"
        )
        lines += [f"    {line}" for line in r.step.evidence]
    emit(found, lines or [f"{park} 没有记录。"])


_KINDS = {
    Kind.MOVE: "等级变动", Kind.TASK: "整改事项", Kind.REPORT: "报完成", Kind.VERIFY: "销号", Kind.REJECT: "退回整改",
    Kind.APPEAL: "申诉", Kind.UPHELD: "申诉成立,撤销处置", Kind.DISMISSED: "申诉驳回",
}  # fmt: skip


@app.command()
def decide(park: str, rung: str, period: PeriodOption, reason: Reason, document: Document) -> None:
    """提出处置(只限有权角色;须写理由和文号,当时的证据一并留存);另一人复核(confirm)后生效。"""
    made = ladder_decisions.draft(
        CALL.office, _judgement(period), park, rung, year=Period.parse(period).year, reason=reason, document=document,
        now=CALL.now, actor=CALL.who,
    )  # fmt: skip
    ladder = _ladder(made.year)
    moved = f"{park} 由“{ladder.rung(made.from_rung).name}”转为“{ladder.rung(made.to_rung).name}”"
    emit(made.__dict__, f"已提出:{moved}。须由另一人复核后生效。")


@app.command()
def confirm(park: str) -> None:
    """复核另一人提出的处置,即日生效。"""
    ladder = _current()
    made = ladder_decisions.confirm(CALL.office, ladder, park, now=CALL.now, actor=CALL.who)
    term = f",期限 {made.step.due}" if made.step.due else ""
    _recorded(
        made, f"{park} 由“{ladder.rung(made.step.from_rung).name}”转为“{ladder.rung(made.step.to_rung).name}”{term}。"
    )


@app.command()
def drop(park: str, reason: Reason) -> None:
    """撤下等待复核的处置,或不同意,须写原因。"""
    made = ladder_decisions.drop(CALL.office, _current(), park, reason=reason, now=CALL.now, actor=CALL.who)
    emit(made.__dict__, f"已撤下 {park} 等待复核的处置。")


def _recorded(made: LadderRecord, text: str) -> None:
    emit({"id": made.id, **made.step.__dict__}, f"第 {made.id} 号:{text}")


@app.command()
def task(
    park: str,
    text: str,
    responsible: Annotated[str, typer.Option(help="责任单位")],
    due: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="期限,不写则同处置期限")] = None,
) -> None:
    """登记一项整改事项。"""
    day: date | None = due.date() if due else None
    made = ladder_decisions.set_task(
        CALL.office, _current(), park, text, due=day, responsible=responsible, now=CALL.now, actor=CALL.who
    )
    _recorded(made, f"已登记整改事项“{text}”,期限 {made.step.due or '未定'}。")


@app.command("task-report")
def task_report(park: str, number: int, result: Annotated[str, typer.Option()], document: Document = "") -> None:
    """园区报告整改事项完成。"""
    _handle(park, number, Kind.REPORT, result, document, "已报完成,待核实")


@app.command("task-verify")
def task_verify(park: str, number: int, result: Annotated[str, typer.Option()], document: Document = "") -> None:
    """核实并销号。"""
    _handle(park, number, Kind.VERIFY, result, document, "已销号")


@app.command("task-reject")
def task_reject(park: str, number: int, result: Annotated[str, typer.Option()], document: Document = "") -> None:
    """核实不通过,退回继续整改。"""
    _handle(park, number, Kind.REJECT, result, document, "已退回整改")


def _handle(park: str, number: int, kind: Kind, text: str, document: str, said: str) -> None:
    made = ladder_decisions.handle_task(
        CALL.office, _current(), park, number, kind, text=text, document=document, now=CALL.now, actor=CALL.who
    )
    _recorded(made, f"整改事项 {number} {said}。")


@app.command()
def appeal(park: str, reason: Reason, document: Document = "") -> None:
    """园区对最近一次处置提出申诉。"""
    made = ladder_decisions.appeal(
        CALL.office, _current(), park, text=reason, document=document, now=CALL.now, actor=CALL.who
    )
    _recorded(made, f"{park} 对第 {made.step.about} 号处置的申诉已受理。")


@app.command("appeal-decide")
def appeal_decide(
    park: str,
    outcome: Annotated[str, typer.Argument(help="uphold 成立,dismiss 驳回")],
    reason: Reason,
    document: Document,
) -> None:
    """办结申诉(不得由作出处置的人办理);成立即撤销该处置。"""
    if outcome not in ("uphold", "dismiss"):
        raise typer.BadParameter("outcome 只能是 uphold 或 dismiss")
    made = ladder_decisions.decide_appeal(
        CALL.office,
        _current(),
        park,
        upheld=outcome == "uphold",
        reason=reason,
        document=document,
        now=CALL.now,
        actor=CALL.who,
    )
    _recorded(made, f"{park} 的申诉{'成立,处置已撤销' if outcome == 'uphold' else '已驳回'}。")


@app.command()
def cities(year: int) -> None:
    """当年因园区受警告以上处置、不得评为成效明显的市(州)。"""
    ladder = _ladder(year)
    rows = {r["code"]: str(r["city"]) for r in CALL.programme.codelists["parks"].rows.iter_rows(named=True)}
    with CALL.office.ledger.read() as session:
        found = cities_concerned(evaluating.standings_on_file(session, ladder).values(), rows, ladder, year)
    emit(
        [{"city": c, "parks": [{"park": m.park, "rung": m.to_rung, "document": m.document} for m in moves]} for c, moves in found.items()],
        [f"{c}:{'、'.join(f'{m.park} {ladder.rung(m.to_rung).name}({m.document})' for m in moves)},{year}年不得评为成效明显。" for c, moves in found.items()]
        or [f"{year}年没有。"],
    )  # fmt: skip


@app.command()
def upgrade(period: PeriodOption, park: Annotated[str | None, typer.Argument()] = None) -> None:
    """升级认定条件逐条判定:符合、不符合、无数据;不自动认定。"""
    found = evaluating.upgrade_table(_judgement(period), Period.parse(period).year)
    if park is not None:
        found = found.filter(pl.col("park") == park)
    emit(found, table("升级条件", ["园区", "名称", "条件", "判定", "依据"], found.iter_rows()))


@app.command()
def provide(file: Path, period: PeriodOption) -> None:
    """登记由文件提供的指标(CSV:scheme、unit、year、indicator、value、basis);value 留空为撤回。"""
    edition = CALL.programme.edition_for(Period.parse(period))
    number = evaluating.provide(CALL.office, file, edition, now=CALL.now, actor=CALL.who)
    emit({"recorded": number}, f"已登记 {number} 个数(与已有相同的不重复登记)。")


@app.command()
def goalposts(scheme: str, period: PeriodOption) -> None:
    """一个方案各指标按类的 10、90 分位数,供规划期初定目标柱用。"""
    p = Period.parse(period)
    with reader(CALL.home.snapshots) as con:
        inputs = live_inputs(CALL.office, con)
        population = inputs.population("in_force")
        found = evaluated_schemes(population, p, evaluation_sources(inputs, population))
    if scheme not in found:
        raise RefusalError(f"{p} 没有方案 {scheme} 的结果;可用:{'、'.join(sorted(found))}。")
    rows = evaluating.goalposts(found[scheme].evaluated)
    shown = [tuple(displayed(v, 4, "A") if isinstance(v, float) else v for v in row) for row in rows.iter_rows()]
    emit(rows, table(f"{scheme} {p}", ["指标", "名称", "类别", "个数", "不容许值", "满意值"], shown))


@app.command()
def lists(period: PeriodOption, name: Annotated[str | None, typer.Argument(help="名单代码,不写为全部")] = None) -> None:
    """企业积分的培育名单(个体数据,只供内部;先执行 ytb run evaluation)。"""
    with CALL.office.ledger.read() as session:
        permitted(session, CALL.who, (*_current().roles, "analyst"), "查看企业名单")
    with reader(CALL.home.snapshots) as con:
        cells = facts.read_mart(con, "mart", UNITS, CELL_COLUMNS, str(Period.parse(period)))
    found = cells.filter(measure="listed").select(
        "indicator", "indicator_name", "area", unit_id="category", note="note"
    )
    found = found.sort("indicator", "area", "unit_id")
    if name is not None:
        found = found.filter(pl.col("indicator") == name)
    emit(found, table("培育名单(内部)", ["名单", "名称", "园区", "单位", "依据"], found.iter_rows()))


@app.command()
def ladder() -> None:
    """等级、期限、触发条件和评价周期。"""
    found = _current()
    lines = [f"{found.title} 第 {found.version} 版;{found.source}"]
    lines += [
        f"  {r.id} {r.name}"
        + (f",期限 {r.term_months} 个月" if r.term_months else "")
        + (",所在市(州)当年不得评为成效明显" if r.city else "")
        for r in found.rungs
    ]
    lines += [f"  触发 {t.id}:{t.name} → {found.rung(t.proposes).name}" for t in found.triggers]
    lines += [f"  周期 {c.name}:{c.years} 年,可减免 {c.exemptions} 次" for c in found.cycles]
    emit(found, lines)
