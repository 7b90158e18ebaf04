"""Templates, checks, submissions, receipts: what a park's clerk or a script does."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from exports.receipt import receipt_text
from pipelines.checking import Checked, IncomingBook, check, read_books
from pipelines.handing_back import marked_book, marked_books, names_in, typed_explanations
from pipelines.intake import Outcome, submit
from pipelines.operands import History
from pipelines.templates import template_for, unit_templates
from schemas.errors import RefusalError, SubmissionError
from schemas.findings import BLOCKING
from schemas.period import Period
from sources.causes import Cause, causes_of
from warehouse.home import load_config, receipt_key
from warehouse.ledger.receipts import receipt, verify_receipt
from warehouse.ledger.register import register_as_of
from warehouse.ledger.signatories import Signatories, typed_signatories
from warehouse.ledger.states import STANDING
from ytb.cli.incoming import books_of, is_same, taken_in
from ytb.cli.output import emit, progress
from ytb.cli.remote import Server, submit_to
from ytb.cli.session import BEIJING, CALL

receipt_app = typer.Typer(no_args_is_help=True, help="回执:查看与核验。")
SHOWN_FINDINGS = 30
SHOWN_OF_A_CAUSE = 5
SHOWN_NOTES = 8


def register(root: typer.Typer) -> None:
    """Hang the commands on the root."""
    root.command("template")(template)
    root.command("check")(check_command)
    root.command("submit")(submit_command)
    root.add_typer(receipt_app, name="receipt")


def template(
    period: Annotated[str, typer.Option(help="报告期,如 2025-Q1 或 2025")],
    output: Annotated[Path, typer.Option("-o", "--output", help="文件;用 --each 时为目录")],
    park: Annotated[str, typer.Option(help="园区代码;区域或省代码得到背景资料表")] = "",
    unit: Annotated[str, typer.Option(help="只给这一家企业:它自己填报的工作簿")] = "",
    each: Annotated[bool, typer.Option("--each", help="园区的每家企业各一个工作簿")] = False,
    force: Annotated[bool, typer.Option("--force", help="覆盖已有的文件(缺省不覆盖:可能已经填了数)")] = False,
) -> None:
    """生成预填的填报模板:园区的,一家企业的,或每家企业各一个。"""
    when, as_of = Period.parse(period), CALL.now.astimezone(BEIJING).date()
    office = CALL.office if CALL.has_home else None
    if each and not unit and park:
        if office is None:
            raise RefusalError("还没有数据目录,不知道园区有哪些企业;请先 ytb init 并导入名录。")
        made = {
            code: (output / f"{when}_{park}_{code}.xlsx", data)
            for code, data in unit_templates(office, CALL.programme, when, park, as_of=as_of)
        }
        _require_free(dict(made.values()), force)
        output.mkdir(parents=True, exist_ok=True)
        for path, data in made.values():
            path.write_bytes(data)
        written = [{"unit_id": code, "file": path} for code, (path, _) in made.items()]
        emit({"units": written}, f"已为 {park} 的 {len(written)} 家企业各写一个工作簿,在 {output}。")
        return
    park = park or _park_of(unit, when)
    data = template_for(office, CALL.programme, when, park, unit=unit, as_of=as_of)
    _require_free({output: data}, force)
    output.write_bytes(data)
    emit({"file": output, "bytes": len(data)}, f"模板已写入 {output}({len(data) // 1024} KB)。")


def _require_free(wanted: Mapping[Path, bytes], force: bool) -> None:
    """Raise RefusalError where another file stands in a place: somebody may have filled it in."""
    taken = [path for path, data in wanted.items() if not force and path.is_file() and not is_same(path, data)]
    if taken:
        more = f" 等 {len(taken)} 个文件" if len(taken) > 1 else ""
        raise RefusalError(f"{taken[0]}{more}已经存在,可能已经填了数,没有覆盖;请换一个位置,或确认不要后用 --force。")


def _park_of(unit: str, period: Period) -> str:
    """The park an enterprise belongs to by the register. Raises where none is known."""
    if not unit:
        raise typer.BadParameter("请写明 --park。")
    if not CALL.has_home:
        raise typer.BadParameter("没有数据目录,不知道企业属于哪个园区;请写明 --park。")
    with CALL.office.ledger.read() as session:
        found = register_as_of(session, period.end).filter(unit_id=unit)
    if found.is_empty():
        raise RefusalError(f"{unit} 在 {period} 期末不在名录库;先进库,后有数。")
    return str(found["park"][0])


def as_json(path: Path | None, checked: Checked) -> dict[str, object]:
    """One checked file in the documented form (docs/formats/check.md)."""
    reading = checked.readings[0] if checked.readings else None
    names = {r.sha256: r.name for r in checked.readings}
    causes = causes_in(checked)
    cause_of = {m: number for number, cause in enumerate(causes, start=1) for m in cause.members}
    findings = [
        {
            "rule": f["rule"], "severity": f["severity"], "form": f["form"], "sheet": f["sheet"], "cell": f["cell"], "row": f["row"], "unit_id": f["unit_id"],
            "indicator": f["column"], "indicator_name": f["indicator"], "found": f["found"], "expected": f["expected"] or "", "message": f["message"], "code": f["code"], "outcome": f["outcome"],
            "file": names.get(f["file"] or "", f["file"]), "cause": cause_of.get(n),
        }
        for n, f in enumerate(checked.findings.iter_rows(named=True)) if f["outcome"] != "absorbed"
    ]  # fmt: skip
    return {
        "file": str(path) if path else reading.name if reading else None,
        "sha256": reading.sha256 if reading else None,
        "park": checked.park,
        "period": str(checked.period) if checked.period else None,
        "edition": checked.edition,
        "forms": list(checked.forms),
        "status": checked.status,
        "hard": checked.findings.filter(BLOCKING).height,
        "soft": checked.to_explain,
        "not_run": list(checked.not_run),
        "normalised": checked.normalised,
        "forensics": checked.forensics,
        "causes": [
            {
                "cause": number,
                "kind": cause.kind,
                "title": cause.title,
                "remedy": cause.remedy,
                "rules": list(cause.rules),
                "findings": cause.count,
                "units": cause.units,
                "silenced": cause.silenced,
            }
            for number, cause in enumerate(causes, start=1)
        ],
        "findings": findings,
    }


def causes_in(checked: Checked) -> list[Cause]:
    """The findings of a check by cause."""
    edition = CALL.programme.edition_for(checked.period) if checked.period else None
    return causes_of(checked.findings, edition)


STATUS_TEXT = {
    "clean": "没有问题",
    "to_explain": "只有核实性问题,说明后可以报送",
    "failed": "有强制性问题,须改正",
    "unreadable": "无法读取",
}


def lines_of(checked: Checked, name: str) -> list[str]:
    """A check for people: summary, then the findings, worst first."""
    lines = [f"《{name}》 {checked.park or '园区未知'} {checked.period or '报告期未知'}:{STATUS_TEXT[checked.status]}"]
    if checked.normalised.height:
        lines.append(f"  读取时规整了 {checked.normalised.height} 格(全角、千分位、空格等),原值未改。")
    if checked.forensics.height:
        lines.append("  读取说明:")
        lines += [f"    {message}" for message in checked.forensics["message"].head(SHOWN_NOTES)]
        if checked.forensics.height > SHOWN_NOTES:
            lines.append(f"    ……共 {checked.forensics.height} 条,其余见 --json。")
    if checked.not_run:
        lines.append(f"  有 {len(checked.not_run)} 条规则没有执行:要用其他报告期、名录库或没有读到的表。")
    findings = checked.findings.to_dicts()
    shown = 0
    for number, cause in enumerate(causes_in(checked), start=1):
        lines.append(f"  {number}. [{cause.kind}] {cause.title}({cause.size}){cause.remedy}")
        # Of every cause one place at least: who looks for a rule finds it.
        places = cause.members[: max(min(SHOWN_OF_A_CAUSE, SHOWN_FINDINGS - shown), 1)]
        lines += [f"       {findings[m]['message']}({findings[m]['rule']})" for m in places]
        shown += len(places)
        if cause.count > len(places):
            lines.append(f"       ……另有 {cause.count - len(places)} 处,见标注工作簿(--annotate 目录)或 --json。")
    trial = checked.findings.filter(severity="trial").height
    if trial:
        lines.append(f"  试行规则命中 {trial} 处,只作统计,不影响报送;见 --json。")
    return lines


def check_command(
    files: list[Path],
    annotate: Annotated[Path | None, typer.Option(help="把标注了问题的工作簿写到这个目录")] = None,
    park: Annotated[str | None, typer.Option()] = None,
    period: Annotated[str | None, typer.Option()] = None,
) -> None:
    """审核工作簿,不留任何记录。有数据目录时一并核对历史数据与名录库。"""
    books = books_of(files)
    readings = read_books(books, CALL.programme, CALL.pool)
    results: list[Checked] = []
    the_period = Period.parse(period) if period else None
    if CALL.has_home:
        with CALL.office.ledger.read() as session:
            history = History(CALL.office.vault, session, CALL.programme)
            results = [
                check([r], CALL.programme, history, park=park, period=the_period, units=[r.unit] if r.unit else None)
                for r in readings
            ]
    else:
        results = [check([r], CALL.programme, park=park, period=the_period) for r in readings]
    if annotate:
        annotate.mkdir(parents=True, exist_ok=True)
        for book, checked in zip(books, results, strict=True):
            original = book.data if checked.status != "unreadable" else b""
            path, data = marked_book(
                book.name,
                original,
                checked.findings,
                CALL.programme,
                checked.period,
                names_in(checked.observations.frames),
            )
            (annotate / path).write_bytes(data)
    emit(
        {"files": [as_json(p, c) for p, c in zip(files, results, strict=True)]},
        [line for b, c in zip(books, results, strict=True) for line in lines_of(c, b.name)],
    )
    raise typer.Exit(max((2 if c.status == "unreadable" else 1 if c.status == "failed" else 0) for c in results))


def read_explanations(path: Path) -> dict[str, tuple[str, str]]:
    """Explanations from a CSV with the columns rule, form, unit_id, column, reason_code, text (docs/formats/explanations.md)."""
    with path.open(encoding="utf-8-sig", newline="") as handle:
        rows = csv.DictReader(handle)
        needed = {"rule", "form", "unit_id", "column", "reason_code", "text"}
        missing = needed - set(rows.fieldnames or [])
        if missing:
            raise SubmissionError(
                "explanations", f"说明文件缺列 {'、'.join(sorted(missing))};请按 docs/formats/explanations.md 补上。"
            )
        return {
            "|".join(row[k] or "" for k in ("rule", "form", "unit_id", "column")): (row["reason_code"], row["text"])
            for row in rows
        }


def submit_command(
    files: list[Path],
    explain: Annotated[Path | None, typer.Option(help="情况说明 CSV")] = None,
    park: Annotated[str | None, typer.Option()] = None,
    period: Annotated[str | None, typer.Option()] = None,
    leave_out: Annotated[bool, typer.Option("--leave-out", help="有强制性问题的企业不报,按未报列名")] = False,
    server: Annotated[str, typer.Option(help="报送到这个门户(https 地址),不用本机数据目录")] = "",
    unit: Annotated[str, typer.Option(help="企业用自己的账户交自己的工作簿:统一社会信用代码,与 --server 同用")] = "",
    token: Annotated[str, typer.Option(envvar="YTB_TOKEN", help="门户令牌")] = "",
    signed: Annotated[str, typer.Option(help="签署人:单位负责人,统计负责人,填表人,联系电话;印在回执上")] = "",
    gaps_reason: Annotated[str, typer.Option(help="缺报原因:有没有填的表或没有报的企业时须写明,否则不报送")] = "",
) -> None:
    """报送一个园区一期的工作簿(可多个文件),取得回执。"""
    if server and leave_out:
        raise RefusalError("--leave-out 不能与 --server 同用:请登录门户,在这份报送的页面上勾选“有错误的企业本次不报”。")
    if unit and not server:
        raise typer.BadParameter("--unit 须与 --server 同用;园区收来的企业工作簿请用 ytb collate 汇集。")
    books = books_of(files) if server else taken_in(files)
    given = typed_explanations([(b.name, b.data) for b in books], CALL.pool)
    given |= read_explanations(explain) if explain else {}
    names = typed_signatories(signed) if signed else None
    if server:
        _submit_to_server(Server(server, token), books, given, park, period, names, unit, gaps_reason)
    outcome = submit(
        CALL.office, books, CALL.pool, now=CALL.now, actor=CALL.who, park=park, period=Period.parse(period) if period else None,
        explanations=given, leave_out=leave_out, signatories=names, gaps_reason=gaps_reason, progress=progress,
    )  # fmt: skip
    returned = hand_back(outcome)
    with CALL.office.ledger.read() as session:
        slip = receipt(session, outcome.submission.number, receipt_key(CALL.home))
    data = {
        "submission": outcome.submission.number,
        "receipt": slip.receipt_number,
        "code": slip.code,
        "state": outcome.submission.state.value,
        "is_new": outcome.is_new,
        "unexplained": outcome.unexplained,
        "weak_explanations": outcome.weak,
        "gap": outcome.gap,
        "marked": [str(p) for p in returned],
        "check": as_json(None, outcome.checked) if outcome.checked else None,
    }
    lines = [receipt_text(slip)]
    if outcome.checked and outcome.submission.state not in STANDING:
        lines += lines_of(outcome.checked, "、".join(b.name for b in books))
    lines += [f"说明没有采用({key}):{why}" for key, why in outcome.weak.items()]
    if outcome.unexplained:
        lines.append(f"还有 {outcome.unexplained} 条核实性问题没有情况说明;请填写说明文件后用 --explain 再报送一次。")
    if outcome.gap and gaps_reason.strip():
        lines.append(f"没有报送:{outcome.gap}改好后把同样的文件再报送一次。")
    elif outcome.gap:
        lines.append(f"提醒:{outcome.gap}原因可在报送时用 --gaps-reason 写明。")
    lines += [f"标注工作簿:{p}" for p in returned]
    emit(data, lines)
    raise typer.Exit(
        0 if outcome.submission.state in STANDING else 2 if outcome.submission.state.value == "unreadable" else 1
    )


def _submit_to_server(
    server: Server,
    books: Sequence[IncomingBook],
    given: dict[str, tuple[str, str]],
    park: str | None,
    period: str | None,
    names: Signatories | None,
    unit: str,
    gaps_reason: str,
) -> None:
    """Submit over the portal; park and period are read from the books where they are not said, and whose own one it is."""
    server.require_sound()
    if not (park and period and (unit or len(books) > 1)):
        readings = read_books(books, CALL.programme, CALL.pool)
        park = park or next((r.park for r in readings if r.park), None)
        period = period or next((str(r.period) for r in readings if r.period), None)
        unit = unit or (readings[0].unit or "" if len(books) == 1 else "")
    if not park or not period:
        raise SubmissionError("unattributed", "文件里找不到园区或报告期;请写明 --park 与 --period。")
    found = submit_to(
        server, books, park=park, period=period, unit=unit, explanations=given, signatories=names, gaps_reason=gaps_reason,
        progress=progress,
    )  # fmt: skip
    if unit:
        emit(found, _of_return(found, server))
        raise typer.Exit(0 if found["confirmed"] else 2 if found["unreadable"] else 1)
    lines = [str(found["receipt"]["text"])]
    if found["state"] == "received":
        lines.append(f"文件已收到,审核还没有轮到;结果请稍后登录门户 {server.url} 查看。")
    elif found["state"] == "explained":
        lines.append(
            f"审核通过,还没有报送:有缺报的请用 --gaps-reason 写明原因再报一次;本园区有审核人的,等其在门户 {server.url} 同意。"
        )
    elif not found["reported"]:
        lines.append(f"尚未报送:错误 {found['blocking']},待说明 {found['to_explain']};请登录门户 {server.url} 查看。")
    emit(found, lines)
    raise typer.Exit(0 if found["reported"] else 2 if found["state"] == "unreadable" else 1)


def _of_return(found: dict[str, Any], server: Server) -> list[str]:
    """How an enterprise's workbook stands, and what is left to do."""
    lines = [f"{found['return']}:{found['state_label']}。"]
    if found["state"] == "received":
        lines.append(f"文件已收到,审核还没有轮到;结果请稍后登录门户 {server.url} 查看。")
    elif found["state"] == "faulty":
        lines.append(f"错误 {found['blocking']} 处,改正后再交一次;逐条说明请登录门户 {server.url} 查看。")
    elif not found["confirmed"]:
        left = f"还有 {found['unexplained']} 处待说明;" if found["unexplained"] else ""
        lines.append(f"{left}企业还没有确认:请登录门户确认,或用 --signed 写明签署人再交一次。")
    return lines


def hand_back(outcome: Outcome) -> list[Path]:
    """Put the marked workbooks of a submission that did not get through into the outbox."""
    folder = CALL.home.outbox / outcome.submission.number
    written = []
    for name, data in marked_books(CALL.office, outcome.submission).items():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
        written.append(folder / name)
    return written


@receipt_app.command("verify")
def receipt_verify(number: str, code: str) -> None:
    """核验回执真伪。"""
    with CALL.office.ledger.read() as session:
        found = verify_receipt(session, number, code, receipt_key(CALL.home))
    emit({"genuine": found.is_genuine, "message": found.message, "state": found.attested}, found.message)
    raise typer.Exit(0 if found.is_genuine else 1)


@receipt_app.command("show")
def receipt_show(
    number: str,
    pdf: Annotated[Path | None, typer.Option(help="同时写成 PDF,带核验二维码")] = None,
    verify_at: Annotated[str, typer.Option(help="核验页的网址,印在 PDF 上,如 https://统计机构网址/verify")] = "",
) -> None:
    """打印回执。"""
    if pdf and not verify_at:
        raise typer.BadParameter("--pdf 须同时写明 --verify-at(核验页的网址)。")
    with CALL.office.ledger.read() as session:
        slip = receipt(session, number, receipt_key(CALL.home))
    if pdf:
        from exports.receipt_pdf import receipt_pdf  # the PDF writer takes a while to load, for this alone

        forms = CALL.programme.edition_for(slip.period).forms
        titles = {code: form.title for code, form in forms.items()}
        organisation = load_config(CALL.home).organisation
        pdf.write_bytes(receipt_pdf(slip, organisation=organisation, titles=titles, verify_at=verify_at))
    emit(slip, receipt_text(slip))
