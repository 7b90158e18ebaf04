"""``ytb review …`` and ``ytb remind``: the reviewer's side, what matters most first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import polars as pl
import typer

from exports.display import figure, grouped, signed
from pipelines import review
from pipelines.explaining import NOT_SAID_WHY, earlier_explanations, not_said_why
from pipelines.matters import effect_of_findings, what_matters
from pipelines.methods.signs import SIGNS
from pipelines.signs_of_round import signs_of
from schemas.errors import RefusalError
from schemas.findings import NEEDS_EXPLANATION
from schemas.period import Period
from warehouse.ledger import queries
from warehouse.ledger.assignments import assignments
from warehouse.ledger.explanations import finding_key
from warehouse.ledger.restatements import restatements_of
from warehouse.ledger.second_checks import first_opinion
from warehouse.ledger.sent_reminders import WAYS, sent_reminders
from warehouse.ledger.states import State
from ytb.cli import sharing
from ytb.cli.administration import owing_parks
from ytb.cli.output import beijing, emit, plain, table
from ytb.cli.session import BEIJING, CALL

app = typer.Typer(no_args_is_help=True, help="验收:待审、查看、验收、退回、撤销验收;按对发布数的影响排序。")
SHOWN = 40
UNKNOWN = "无法估计"
WAITING = "已记初审意见;须另一人复核后才验收。"


def register(root: typer.Typer) -> None:
    """Hang the commands on the root."""
    sharing.register(app)
    root.add_typer(app, name="review")
    root.command("remind")(remind)


@app.command("list")
def review_list(period: Annotated[str | None, typer.Argument()] = None) -> None:
    """待审的报送,影响大的在前。影响:若把存疑的数换成预测值,总量变动的百分比或增速变动的百分点,取大者。"""
    found = review.queue(CALL.office, Period.parse(period) if period else None)
    weighed: dict[str, dict[str, Any]] = {}
    for one in sorted({s.period for s in found}):
        weighed |= {row["number"]: row for row in what_matters(CALL.office, one).submissions.to_dicts()}
    with CALL.office.ledger.read() as session:
        held = {key: a.reviewer for key, a in assignments(session).items()}
        opinions = {s.number: o.by for s in found if (o := first_opinion(session, s.number))}
    found.sort(key=lambda s: _first(weighed.get(s.number)))
    rows = [
        (
            s.number, s.park, str(s.period), s.revision, s.state.label, beijing(s.state_at),
            s.check.to_explain if s.check else 0, shown_effect(weighed.get(s.number)), held.get((s.park, s.period), ""),
            opinions.get(s.number, ""),
        )
        for s in found
    ]  # fmt: skip
    data = [
        plain(s)
        | {
            "effect": _only_effect(weighed.get(s.number)),
            "reviewer": held.get((s.park, s.period)),
            "first_opinion_by": opinions.get(s.number),
        }
        for s in found
    ]
    head = ["编号", "园区", "报告期", "修订", "状态", "时间", "已说明问题", "影响", "分派给", "初审"]
    emit(data, table("", head, rows))


def _first(row: Mapping[str, Any] | None) -> tuple[float, int]:
    """The largest effect first; among equals, those with more that could not be computed."""
    return (0.0, 0) if row is None else (-max(row["effect"] or 0.0, row["gap"] or 0.0), -int(row["unknown"]))


def _only_effect(row: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return {k: row[k] for k in ("effect", "park_effect", "soft", "unknown", "absent", "gap")} if row else None


def shown_effect(row: Mapping[str, Any] | None) -> str:
    """An effect for people: 0.12, with what could not be computed beside."""
    if row is None:
        return "—"
    text = "" if row["effect"] is None else figure(row["effect"], 2)
    said = f"{text}{'+' if text else ''}{UNKNOWN} {row['unknown']}" if row.get("unknown") else text or UNKNOWN
    if not row.get("absent"):
        return said
    gap = UNKNOWN if row["gap"] is None else figure(row["gap"], 2)
    return f"{said};未报 {row['absent']} 家 {gap}"


@app.command()
def show(
    number: str,
    above: Annotated[float, typer.Option("--above", help="只列影响不低于这个数的问题,其余只计数")] = 0.0,
) -> None:
    """一份报送:问题按影响排序,附说明、与上一修订的差异、历次处理。"""
    file = review.dossier(CALL.office, number)
    weighed = effect_of_findings(what_matters(CALL.office, file.submission.period), number)
    soft = file.findings.filter(NEEDS_EXPLANATION).to_dicts()
    known = {finding_key(row): weighed.get(finding_key(row), {}) for row in soft}
    soft.sort(key=lambda row: _largest(known[finding_key(row)].get("effect")))
    s = file.submission
    with CALL.office.ledger.read() as session:
        earlier = earlier_explanations(session, s.park, s.period)
        opinion = first_opinion(session, number)
        asked = queries.queries(session, park=s.park, period=s.period)
        restated = restatements_of(session, number)
    lines = [f"{number} {s.park} {s.period} 第 {s.revision} 次:{s.state.label}"]
    unsaid = not_said_why(CALL.programme.edition_for(s.period), soft, file.explanations)
    below = 0
    for row in soft:
        effect = known[finding_key(row)]
        size = effect.get("effect")
        if isinstance(size, float) and size < above:
            below += 1
            continue
        given = file.explanations.get(finding_key(row))
        lines.append(f"  [核实] {row['message']}")
        lines.append(f"         影响:{_said(effect)}" if effect else "         影响:—(已验收或未报送)")
        lines.append(f"         说明:{given.reason_code} {given.text}({given.by})" if given else "         没有说明")
        if finding_key(row) in unsaid:
            lines.append(f"         [{NOT_SAID_WHY}]")
        if before := earlier.get(finding_key(row)):
            lines.append(f"         以前的说明:{before.reason_code} {before.text}({beijing(before.at)})")
    if below:
        lines.append(f"  另有 {below} 处影响低于 {above:g},未列出。")
    if file.changes.height:
        lines.append(f"与上一修订相比改动 {file.changes.height} 格:")
        lines += [
            f"  {r['form']} {r['unit_id']} {r['column']}:{r['before'] or '空'} → {r['after'] or '空'}"
            for r in file.changes.head(30).iter_rows(named=True)
        ]
    if restated:
        lines.append(f"上年同期改动 {len(restated)} 格:")
        lines += [
            f"  {r.form} {r.unit_id} {r.column}:{r.issued or '空'} → {r.stated or '空'}(原因码 {r.reason_code})"
            for r in restated[:30]
        ]
    lines += [f"查询 {q.id} {q.unit_id} {q.column}({q.state.label}):{q.question}" for q in asked]
    lines += [f"{beijing(d.at)} {d.by} {d.action} {d.reason}" for d in file.decisions]
    if opinion:
        lines.append(f"{beijing(opinion.at)} {opinion.by} 初审通过,待另一人复核 {opinion.text}")
    effects = [{**known[finding_key(row)], "key": finding_key(row)} for row in soft]
    emit(
        {
            "submission": s,
            "findings": file.findings.filter(pl.col("outcome") != "absorbed"),
            "effects": effects,
            "explanations": file.explanations,
            "explanations_without_cause": sorted(unsaid),
            "earlier_explanations": {k: e for k, e in earlier.items() if k in known},
            "queries": asked,
            "restatements": restated,
            "changes": file.changes,
            "decisions": file.decisions,
            "first_opinion": opinion,
        },
        lines,
    )


def _largest(effect: object) -> tuple[bool, float]:
    """The largest first, those that could not be computed last."""
    return (False, -effect) if isinstance(effect, float) else (True, 0.0)


def _said(row: Mapping[str, Any]) -> str:
    """The effect of one finding in words."""
    if row.get("effect") is None:
        return UNKNOWN
    parts = [f"{row['code']} 差额 {grouped(row['at_stake'])}"]
    for name, text in (("total_pct", "占总量 {}%"), ("growth_points", "增速 {} 个百分点")):
        if row.get(name) is not None:
            parts.append(text.format(signed(row[name], 2)))
    if row.get("park_total_pct") is not None:
        parts.append(f"占本园区 {signed(row['park_total_pct'], 2)}%")
    if not row["basis"]:
        parts.append("没有可比的往期数,按全数计")
    return ",".join(parts)


@app.command()
def matters(
    period: str,
    index: Annotated[
        bool, typer.Option("--index", help="年报:最要紧的几家对本园区发展指数的影响(要算几遍指数,较慢)")
    ] = False,
    most: Annotated[int, typer.Option("--most", min=1, help="与 --index 同用:算几家")] = 10,
) -> None:
    """一期里最要紧的:每处待审的核实性问题、每家未报单位,按对总量和增速的影响排序。只供统计机构使用。"""
    found = what_matters(CALL.office, Period.parse(period))
    lines = [f"{period}:待审问题 {found.findings.height} 处,未报单位 {found.missing.height} 家。"]
    lines += [
        f"  {row['number']} {row['unit_id']} {row['indicator'] or row['column']}({row['rule']}):{_said(row)}"
        for row in found.findings.head(SHOWN).to_dicts()
    ]
    lines += [f"  未报 {row['park']} {row['unit_id']}:{_said(row)}" for row in found.missing.head(SHOWN).to_dicts()]
    if max(found.findings.height, found.missing.height) > SHOWN:
        lines.append(f"  各列前 {SHOWN} 条,全部见 --json。")
    told: dict[str, Any] = {
        "period": period,
        "findings": found.findings,
        "missing": found.missing,
        "submissions": found.submissions,
    }
    if index:
        from pipelines.index_effect import index_effects  # the index needs what no other list does

        of_index = index_effects(CALL.office, found, most)
        told["index"] = of_index
        lines += [
            f"  指数 {r['park']} {r['unit_id']}{'(未报)' if r['is_missing'] else ''}:{_points(r)}"
            for r in of_index.to_dicts()
        ]
    emit(told, lines)


def _points(row: Mapping[str, Any]) -> str:
    if row["index_effect"] is None:
        return "本园区指数不发布,无法估计"
    return f"{figure(row['index'], 2)},换成预测值 {figure(row['index_predicted'], 2)},影响 {signed(row['index_effect'], 3)} 点"


@app.command()
def outliers(period: str) -> None:
    """与往期相比变动离群的数:Hidiroglou–Berthelot 法,附稳健 z 值。不是差错的结论,只供统计机构排查。"""
    found = what_matters(CALL.office, Period.parse(period)).outliers()
    rows = [
        (r["park"], r["unit_id"], r["code"], r["industry"], grouped(r["before"]), grouped(r["now"]), figure(r["ratio"], 3),
         figure(r["effect"], 2), "" if r["z"] is None else figure(r["z"], 1))
        for r in found.head(SHOWN).to_dicts()
    ]  # fmt: skip
    emit(
        found,
        table(
            f"{period} 离群 {found.height} 处", ["园区", "单位", "指标", "行业", "往期", "本期", "比", "E", "z"], rows
        ),
    )


@app.command()
def signs(period: str) -> None:
    """数据质量线索:增速雷同、整数堆积、恰好达标、照抄往期、截止前集中改数。只列依据,不是结论;不得告知填报单位。"""
    found = signs_of(CALL.office, Period.parse(period))
    lines = [f"{period}:线索 {len(found)} 条。线索只说明值得核对,多有正常原因(docs/methods/signs.md),不作为认定依据。"]
    for s in found[:SHOWN]:
        units = "、".join(s.units[:3]) + (f" 等 {len(s.units)} 家" if len(s.units) > 3 else "")
        lines.append(f"  [{SIGNS[s.kind]}] {s.park} {s.code} {s.evidence}{f' {units}' if units else ''}")
    if len(found) > SHOWN:
        lines.append(f"  ……其余 {len(found) - SHOWN} 条见 --json。")
    emit([{**plain(s), "title": SIGNS[s.kind]} for s in found], lines)


@app.command()
def accept(
    numbers: Annotated[list[str] | None, typer.Argument(help="报送编号")] = None,
    reason: Annotated[str, typer.Option()] = "",
    below: Annotated[
        float | None, typer.Option("--below", help="一次验收影响低于这个数的全部报送(百分比或百分点)")
    ] = None,
    period: Annotated[str, typer.Option("--period", help="与 --below 同用:哪一期")] = "",
) -> None:
    """验收一份或几份报送;或用 --below 一次验收影响都在某个界限以下的。影响无法估计的不在其内。须两人审核的,第一人的记为初审意见。"""
    if below is not None:
        if numbers or not period:
            raise typer.BadParameter("--below 要与 --period 同用,不写编号。")
        together = review.accept_below(CALL.office, Period.parse(period), below, now=CALL.now, actor=CALL.who)
        lines = [f"{n} 已验收。" for n in together.accepted] + [f"{n} {WAITING}" for n in together.waiting]
        lines += [f"{n} 没有验收:{w}" for n, w in together.refused.items()]
        told = {"accepted": together.accepted, "waiting_second": together.waiting, "refused": together.refused}
        emit(told, lines or ["没有影响低于这个界限的报送。"])
        if together.refused or together.waiting:
            raise typer.Exit(1)
        return
    if not numbers:
        raise typer.BadParameter("请写报送编号,或用 --below 与 --period。")
    done = [review.accept(CALL.office, number, now=CALL.now, actor=CALL.who, reason=reason) for number in numbers]
    waiting = [s.number for s in done if s.state is not State.ACCEPTED]
    emit(
        {"accepted": [s.number for s in done if s.number not in waiting], "waiting_second": waiting},
        [f"{s.number} {WAITING if s.number in waiting else '已验收。'}" for s in done],
    )
    if waiting:
        raise typer.Exit(1)


@app.command("return")
def return_(
    number: str,
    reason: Annotated[str, typer.Option(help="原因,不得写任何数值")] = "",
    codes: Annotated[
        list[str] | None, typer.Option("--code", help=f"编码的原因,可写几次:{'、'.join(review.RETURN_REASONS)}")
    ] = None,
) -> None:
    """退回,写明原因(--reason、--code 至少一项)。"""
    found = review.return_to_park(CALL.office, number, reason=reason, codes=codes or (), now=CALL.now, actor=CALL.who)
    emit({"returned": found.number}, f"{number} 已退回。")


@app.command()
def reopen(number: str, reason: Annotated[str, typer.Option()]) -> None:
    """撤销验收。"""
    found = review.reopen(CALL.office, number, reason=reason, now=CALL.now, actor=CALL.who)
    emit({"reopened": found.number}, f"{number} 已撤销验收。")


def remind(
    period: str,
    parks: Annotated[list[str] | None, typer.Option("--park", help="只催这些园区,可写几次")] = None,
    sent: Annotated[
        str, typer.Option("--sent", help=f"由本系统通知(system),或登记为已用这种方式发出:{'、'.join(WAYS)}")
    ] = "",
) -> None:
    """催报:列出没有完成报送的园区和催报文字,缺报影响大的在前。文字里没有任何数值。--sent system 由本系统通知园区账户,其余方式是登记已经发出的。"""
    p, now = Period.parse(period), CALL.now.astimezone(BEIJING)
    owing = owing_parks(CALL.office, p)
    if strange := [park for park in parks or () if park not in owing]:
        raise RefusalError(f"{'、'.join(strange)} 不在 {p} 应报的园区之内,应报的有 {'、'.join(owing)}。")
    found = [r for r in review.reminders(CALL.office, p, now=now, owing=owing) if not parks or r[0].park in parks]
    if sent:
        chosen = parks or [one.park for one, _ in found]
        review.record_reminders(CALL.office, p, chosen, sent, owing=owing, now=now, actor=CALL.who)
    effects = review.missing_effects(CALL.office, p) if found else {}
    ordered = review.by_effect(found, effects)
    with CALL.office.ledger.read() as session:
        before = {park: all_[0] for park, all_ in sent_reminders(session, p).items()}
    emit(
        [
            {
                "park": t.park, "deadline": t.deadline, "overdue": t.is_overdue, "text": text,
                "effect": effects.get(t.park, {}).get("effect"), "units": effects.get(t.park, {}).get("units"),
                "last_sent": before[t.park].at if t.park in before else None,
            }
            for t, text in ordered
        ],
        [
            text + (f"(上次催报 {beijing(before[t.park].at)},{WAYS[before[t.park].way]})" if t.park in before else "")
            for t, text in ordered
        ]
        or ["全部园区已报送。"],
    )  # fmt: skip
