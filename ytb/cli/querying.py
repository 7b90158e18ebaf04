"""``ytb query …``: questions on cells, answers, how each ended; statistics of findings."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated

import typer

from pipelines import querying
from schemas.errors import RefusalError
from schemas.period import Period
from warehouse.ledger import queries
from ytb.cli.output import beijing, emit, plain, table
from ytb.cli.session import BEIJING, CALL

app = typer.Typer(no_args_is_help=True, help="查询:审核人员就某一格发问,园区书面答复,写明如何了结。")
DAYS_TO_ANSWER = 5
BY = ("rule", "park", "period", "severity")


def register(root: typer.Typer) -> None:
    """Hang the commands on the root."""
    root.add_typer(app, name="query")


@app.command()
def ask(
    number: Annotated[str, typer.Argument(help="报送编号")],
    about: Annotated[str, typer.Argument(help="规则|表|单位代码|指标代码,或 表|单位代码|指标代码")],
    question: Annotated[str, typer.Argument(help="要问什么;不得写要填报的数值")],
    due: Annotated[str, typer.Option(help=f"答复期限,如 2025-04-20;不写为 {DAYS_TO_ANSWER} 天")] = "",
) -> None:
    """就一份报送的一格向园区发问。"""
    today = CALL.now.astimezone(BEIJING).date()
    try:
        until = date.fromisoformat(due) if due else today + timedelta(days=DAYS_TO_ANSWER)
    except ValueError:
        raise RefusalError(f"日期“{due}”无效,请写成 2025-04-20。") from None
    made = querying.ask(CALL.office, number, about, question, due=until, now=CALL.now, actor=CALL.who)
    emit(_told(made), f"查询 {made.id} 已发出,请园区在 {made.due} 前答复。")


@app.command()
def answer(query: int, text: str) -> None:
    """园区答复一条查询。"""
    with CALL.office.ledger.write() as session:
        found = queries.answer(session, query, text, now=CALL.now, actor=CALL.who)
    emit(_told(found), f"查询 {query} 已答复。")


@app.command()
def again(query: int, text: str) -> None:
    """对答复追问。"""
    with CALL.office.ledger.write() as session:
        found = queries.ask_again(session, query, text, now=CALL.now, actor=CALL.who)
    emit(_told(found), f"查询 {query} 已追问。")


@app.command()
def close(
    query: int,
    outcome: Annotated[str, typer.Argument(help="、".join(f"{k} {v}" for k, v in queries.OUTCOMES.items()))],
    text: Annotated[str, typer.Option(help="补充说明")] = "",
) -> None:
    """了结一条查询,写明结果。"""
    with CALL.office.ledger.write() as session:
        found = queries.close(session, query, outcome, now=CALL.now, actor=CALL.who, text=text)
    emit(_told(found), f"查询 {query} 已了结:{queries.OUTCOMES[outcome]}。")


@app.command("list")
def list_(
    park: Annotated[str, typer.Option()] = "",
    period: Annotated[str, typer.Option()] = "",
    going: Annotated[bool, typer.Option("--open", help="只列没有了结的")] = False,
) -> None:
    """查询和答复:问了谁、哪一期、哪一格,怎样了结。"""
    with CALL.office.ledger.read() as session:
        found = queries.queries(session, park=park or None, period=Period.parse(period) if period else None)
    if going:
        found = [q for q in found if q.state is not queries.QueryState.CLOSED]
    lines = []
    today = CALL.now.astimezone(BEIJING).date()
    for q in found:
        late = ",已逾期" if q.is_overdue(today) else ""
        ended = f"({queries.OUTCOMES[q.outcome]})" if q.outcome else ""
        lines.append(
            f"{q.id} {q.park} {q.period} {q.unit_id} {q.column} {q.state.label}{ended} 期限 {q.due}{late}:{q.question}"
        )
        lines += [f"    {beijing(m.at)} {m.by}:{m.text}" for m in q.messages]
    emit([_told(q) for q in found], lines or ["没有查询。"])


@app.command()
def statistics(
    by: Annotated[str, typer.Option(help="、".join(BY) + ",可用逗号连写")] = "rule",
    period: Annotated[str, typer.Option()] = "",
    park: Annotated[str, typer.Option()] = "",
) -> None:
    """问题统计:按规则、园区、报告期,各有多少,怎样了结(更正、说明、未报、未了结)。"""
    names = [name.strip() for name in by.split(",") if name.strip()]
    if not names or set(names) - set(BY):
        raise typer.BadParameter(f"--by 只能是 {'、'.join(BY)}。")
    endings = querying.finding_endings(CALL.office, Period.parse(period) if period else None, park or None)
    counts = querying.ending_counts(endings, names)
    heads = [*names, "问题", "单位", *querying.ENDING_TITLES.values()]
    emit(counts, table(f"问题 {endings.height} 处", heads, counts.rows()))


def _told(q: queries.Query) -> dict[str, object]:
    return {
        **plain(q),
        "period": str(q.period),
        "state": q.state.value,
        "state_label": q.state.label,
        "outcome": q.outcome,
    }
