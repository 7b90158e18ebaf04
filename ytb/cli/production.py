"""Products, releases, tracing, and the care of the store."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import duckdb
import polars as pl
import typer

from exports.manifest import read_manifest, standing_text
from exports.revision import revision_table
from pipelines import loading
from pipelines.inputs import Inputs, live_inputs
from pipelines.intake import COLLATED, HISTORY
from pipelines.known_on import computed_as_known, end_of_day
from pipelines.methods.series.imputing import METHODS
from pipelines.methods.warning_history import warning_episodes
from pipelines.previewing import make_preview
from pipelines.production import DUE, PRODUCTS, compute, store, undeclared
from pipelines.publishing import publish, published_again, released_marts, reproduce
from pipelines.release_checklist import is_ready, release_checklist
from pipelines.rereading import reread_all
from pipelines.tracing import CELLS_SHOWN, trace
from pipelines.verification import kept_head, problems_of
from schemas.errors import RefusalError, StorageError
from schemas.marts import MARTS
from schemas.period import Period
from warehouse import facts
from warehouse.backup import damaged_in_backup, make_backup, restore_backup
from warehouse.ledger.care import BACKED_UP, BACKUP_CHECKED, VERIFIED, note_care
from warehouse.ledger.release_dates import announce_release, release_dates
from warehouse.ledger.releases import releases, withdraw_release
from warehouse.ledger.submissions import submission, submissions
from warehouse.snapshots import publish_snapshot, reader
from ytb.cli.output import beijing, emit, plain, progress, table
from ytb.cli.session import BEIJING, CALL

YEARLY = "年度产品只用已验收的年报;请先审核验收(ytb review list)。"
PERIODS_LISTED = 20
QUARTERLY = "请先接收本期的报送(ytb period status 看谁未报)。"
ROWS_SHOWN, COLUMNS_SHOWN = 200, 14  # of a query, for people; --json gives all


def register(root: typer.Typer) -> None:
    """Hang the commands on the root."""
    for name, command in (
        ("run", run), ("publish", publish_command), ("releases", releases_command), ("withdraw", withdraw), ("diff", diff), ("reproduce", reproduce_command),
        ("trace", trace_command), ("warnings", warnings_command), ("sql", sql), ("verify", verify), ("rebuild", rebuild), ("backup", backup), ("restore", restore), ("status", status), ("dagster", dagster),
    ):  # fmt: skip
        root.command(name)(command)


def run(
    product: Annotated[
        str,
        typer.Argument(
            help="monitoring、index、evaluation、innovation、targets、projects、contribution、quality 或 all"
        ),
    ],
    period: Annotated[str, typer.Option()],
    as_of: Annotated[
        str, typer.Option("--as-of", help="按这一天终了时所知的报送和名录计算,如 2015-08-01;要有 -o")
    ] = "",
    output: Annotated[Path | None, typer.Option("-o", "--output", help="另存为 CSV 的目录")] = None,
) -> None:
    """计算一期的产品(内部结果,未经披露控制)。"""
    if product not in (*PRODUCTS, "all"):
        raise typer.BadParameter(f"没有产品 {product};可用:{'、'.join(PRODUCTS)}、all")
    p = Period.parse(period)
    wanted = PRODUCTS if product == "all" else (product,)
    if product != "all" and not any(MARTS[m].product == product for m in DUE.get(p.round, ())):
        raise RefusalError(f"{product} 在{'季' if p.round == 'Q' else '年'}报轮次不产出;请换报告期。")
    edition = CALL.programme.edition_for(p)
    if product != "all" and (file := undeclared(edition, product)):
        raise RefusalError(f"{edition.id} 版制度没有定义 {product},算不出;要有这个产品,请在制度中加上 {file}。")
    if as_of and output is None:
        raise typer.BadParameter("--as-of 的结果不写入数据仓库,请用 -o 指明目录")
    if as_of:
        found = computed_as_known(CALL.office, p, wanted, end_of_day(as_of), progress)
    else:
        with facts.writer(CALL.home.live) as con:
            loading.load_all(CALL.office, con, progress=progress)
            inputs = live_inputs(CALL.office, con)
            _require_reports(inputs, p)
            found = compute(inputs, p, wanted, progress)
            with facts.transaction(con):
                store(con, p, found)
            publish_snapshot(con, CALL.home.snapshots)
    if output is not None:
        output.mkdir(parents=True, exist_ok=True)
        for name, made in found.items():
            (output / f"{name}.csv").write_bytes(b"\xef\xbb\xbf" + made.cells.write_csv().encode())
    empty = [name for name, made in found.items() if made.cells.is_empty()]
    rows = [
        (name, MARTS[name].title, made.cells.height, made.cells.filter(pl.col("value").is_null()).height)
        for name, made in found.items()
    ]
    emit(
        {"period": str(p), "as_of": as_of or None, "marts": {r[0]: {"cells": r[2], "empty": r[3]} for r in rows}},
        table(f"{p} 已计算{f'(按 {as_of} 所知)' if as_of else ''}", ["表", "名称", "单元格", "其中无数"], rows),
    )
    if len(empty) == len(found):
        progress(f"提醒:{p} 没有算出任何结果。{YEARLY if p.round == 'A' else QUARTERLY}")
        raise typer.Exit(1)
    if missing := [
        MARTS[name].title for name in empty if not MARTS[name].is_internal
    ]:  # a list of units may well be empty
        progress(f"提醒:以下表没有结果:{'、'.join(missing)}。")


def _require_reports(inputs: Inputs, period: Period) -> None:
    """Refuse a period nobody has reported: its products would all be empty, and what was computed before would be lost."""
    if not any(s.period == period for s in inputs.submissions):
        known = sorted({str(s.period) for s in inputs.submissions})
        raise RefusalError(f"{period} 没有在册的报送,算不出任何产品。请先接收本期的报送,或换报告期;{_reported(known)}")


def _reported(known: Sequence[str]) -> str:
    """The periods with reports in words, oldest first; a list that is cut says so."""
    if not known:
        return "还没有任何报告期的报送。"
    earlier = len(known) - PERIODS_LISTED
    cut = f"(只列最近 {PERIODS_LISTED} 个,更早的还有 {earlier} 个)" if earlier > 0 else ""
    return f"有报送的报告期{cut}:{'、'.join(known[-PERIODS_LISTED:])}。"


def publish_command(
    period: Annotated[str, typer.Option()],
    reason: Annotated[str, typer.Option(help="修订发布的原因")] = "",
    check: Annotated[bool, typer.Option("--check", help="只列发布前核对表,不发布;有未完成项时退出码 1")] = False,
    preview: Annotated[bool, typer.Option("--preview", help="只计算预览(含披露控制),不发布、不记入台账")] = False,
) -> None:
    """发布一期:披露控制、发布工作簿、Parquet、CSV、SDMX、看板、清单。"""
    wanted = Period.parse(period)
    if preview:
        shown = make_preview(CALL.office, CALL.home, wanted, now=CALL.now, actor=CALL.who, progress=progress)
        if not (check and CALL.json):  # one document on stdout
            emit(
                shown,
                f"{wanted} 预览:{shown.figures} 个数,{shown.hidden} 个不公布,{shown.exposed} 个仍可被推算;没有发布。",
            )
    if check:
        items = release_checklist(CALL.office, CALL.home, wanted, now=CALL.now)
        signs = {"done": "✓", "open": "✕", "note": "·"}
        emit(items, [f"{signs[i.standing.value]} {i.title}:{i.detail}" for i in items])
        raise typer.Exit(0 if is_ready(items) else 1)
    if preview:
        return
    made, manifest = publish(
        CALL.office, CALL.home, wanted, now=CALL.now, actor=CALL.who, reason=reason, progress=progress
    )
    folder = CALL.home.releases / made.id
    emit({"release": made.id, "folder": folder, "files": len(manifest.files), "content_sha256": manifest.content_sha256},
         [f"已发布 {made.id}:{len(manifest.files)} 个文件,{folder}", f"看板:{folder / 'site' / 'index.html'}"])  # fmt: skip


def releases_command(
    calendar: Annotated[bool, typer.Option("--calendar", help="列出预告的发布时间")] = False,
    announce: Annotated[str, typer.Option("--announce", help="预告这一期的发布")] = "",
    at: Annotated[str, typer.Option("--at", help="与 --announce 同用:北京时间,如 2025-04-20T10:00")] = "",
    reason: Annotated[str, typer.Option("--reason", help="改期的原因")] = "",
) -> None:
    """列出发布;--calendar 列发布日程,--announce 预告或改期。"""
    if announce:
        with CALL.office.ledger.write() as session:
            announce_release(session, Period.parse(announce), _instant(at), reason=reason, now=CALL.now, actor=CALL.who)
    if calendar or announce:
        with CALL.office.ledger.read() as session:
            dates = list(release_dates(session).values())
        rows = [(str(d.period), beijing(d.due), d.changes, d.reason, d.by) for d in dates]
        data = [{"period": str(d.period), "due": d.due, "changes": d.changes, "reason": d.reason} for d in dates]
        emit(data, table("", ["报告期", "预告发布", "改期", "原因", "预告人"], rows) if rows else "没有预告的发布。")
        return
    with CALL.office.ledger.read() as session:
        found = releases(session)
    standing = {r.id: _standing(r.id) for r in found}
    told = [
        (r.id, beijing(r.released_at), standing_text(standing[r.id]), r.released_by, r.note, r.withdrawal_reason or "") for r in found
    ]  # fmt: skip
    listed = [{**plain(r), "standing": standing[r.id] or None} for r in found]
    emit(listed, table("", ["发布", "时间", "状态", "发布人", "说明", "撤回"], told))


def _standing(release_id: str) -> Mapping[str, Any]:
    """How firm a release says it is; nothing where its files are not here."""
    folder = CALL.home.releases / release_id
    found = read_manifest(folder).document["parameters"].get("standing", {}) if folder.is_dir() else {}
    return dict(found)


def _instant(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter("--at 要写成 2025-04-20T10:00。") from None
    return found if found.tzinfo else found.replace(tzinfo=BEIJING)


def withdraw(release_id: str, reason: Annotated[str, typer.Option()]) -> None:
    """撤回发布,写明原因;文件保留并标记。"""
    with CALL.office.ledger.write() as session:
        made = withdraw_release(session, release_id, reason=reason, now=CALL.now, actor=CALL.who)
    folder = CALL.home.releases / release_id
    if folder.is_dir():
        (folder / "WITHDRAWN.txt").write_text(f"{release_id} 已撤回:{reason}\n", encoding="utf-8")
    emit(made, f"{release_id} 已撤回。")


def diff(old: str, new: str) -> None:
    """两个发布之间的差异(修订表)。"""
    found = revision_table(released_marts(_folder(old)), released_marts(_folder(new)))
    shown = [
        c
        for c in (
            "mart",
            "row_key",
            "area_name",
            "indicator_name",
            "measure_name",
            "display_before",
            "display_after",
            "difference",
        )
        if c in found.columns
    ] or found.columns[:8]
    emit(found, table(f"{old} → {new}:{found.height} 处", shown, found.head(60).select(shown).iter_rows()))


def _folder(release_id: str) -> Path:
    folder = CALL.home.releases / release_id
    if not folder.is_dir():
        raise RefusalError(f"没有发布 {release_id};见 ytb releases。")
    return folder


def reproduce_command(
    release_id: str,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="把重做的文件留在这个目录")] = None,
) -> None:
    """只凭清单把一个发布重做一遍,逐字节比较。"""
    with tempfile.TemporaryDirectory() as scratch:
        target = output or Path(scratch) / release_id
        differing = reproduce(CALL.office, CALL.home, release_id, target, progress)
    was = str(read_manifest(_folder(release_id)).document["programme_sha256"])
    changed = was != CALL.programme.fingerprint
    lines = [f"{len(differing)} 个文件不一致:", *differing]
    if changed:
        lines.append(f"制度定义在发布以后改动过(发布时 {was[:16]},现在 {CALL.programme.fingerprint[:16]})。")
    emit(
        {"release": release_id, "identical": not differing, "differing": differing, "programme_changed": changed},
        f"{release_id} 重做一致。" if not differing else lines,
    )
    raise typer.Exit(1 if differing else 0)


def trace_command(
    release_id: str,
    mart: Annotated[str, typer.Argument(metavar="TABLE")],
    cell: Annotated[str, typer.Argument(help="A1 地址,或 row_key:列名")],
) -> None:
    """从发布的一个数追到报送、工作表和单元格。"""
    with reader(CALL.home.snapshots) as con:
        found = trace(con, CALL.programme, _folder(release_id), mart, cell)
    with CALL.office.ledger.read() as session:
        listed = [submission(session, number) for number in found.submissions]
    files = [f for one in listed for f in one.files]
    imported = [one.number for one in listed if one.channel == HISTORY]
    named = {f.sha256: f.name for f in files}
    owners = {f.sha256: f.role for one in listed if one.channel == COLLATED for f in one.files if f.role}
    sources = found.sources.with_columns(
        file_name=pl.col("file").replace_strict(named, default="", return_dtype=pl.String),
        owner=pl.col("file").replace_strict(owners, default=None, return_dtype=pl.String),
        is_history=pl.col("submission").is_in(imported),
    )
    shown = found.cell
    lines = [
        f"{shown['area_name']} {shown['period']} {shown['indicator_name']} {shown['measure_name']} = {shown['display']}({shown['unit_measure']})",
        f"公式:{shown['formula'] or shown['indicator']}  指标:{'、'.join(found.codes)}  报告期:{'、'.join(found.periods)}",
        f"来自 {len(found.submissions)} 份报送的 {sources.height} 个单元格:",
    ]
    lines += [
        f"  {r['submission']} {'企业自填 ' if r['owner'] else '历史导入 ' if r['is_history'] else ''}{r['file_name']} “{r['sheet']}”{r['cell']} {r['unit_id']} "
        f"{r['column']}={r['value']}"
        for r in sources.head(CELLS_SHOWN).iter_rows(named=True)
    ]
    if sources.height > CELLS_SHOWN:
        lines.append(f"  ……共 {sources.height} 个,全部见 --json。")
    if found.imputed.height:
        lines.append(f"另含 {found.imputed.height} 个估算值,不是任何单位填报的:")
        lines += [
            f"  估算 {r['period']} {r['park']} {r['unit_id']} {r['indicator']}={r['value']:.15g}({METHODS[r['method']]},{r['base_of']}为底)"
            for r in found.imputed.head(CELLS_SHOWN).iter_rows(named=True)
        ]
    emit(
        {
            "cell": dict(shown),
            "codes": found.codes,
            "periods": found.periods,
            "submissions": found.submissions,
            "sources": sources,
            "imputed": found.imputed,
        },
        lines,
    )


def warnings_command(
    area: Annotated[str, typer.Argument(help="区域代码,缺省为全部")] = "",
    indicator: Annotated[str, typer.Option(help="预警指标,如 W01;W 为综合等级")] = "",
) -> None:
    """历次预警的来龙去脉:何时起、最高几级、何时解除或仍在(内部,按已计算的各季)。"""
    with reader(CALL.home.snapshots) as con:
        cells = facts.query(con, "SELECT * FROM mart.monitoring_warnings") if _has_warnings(con) else None
    if cells is None:
        raise RefusalError("还没有计算过预警;请先运行 ytb run monitoring。")
    found = warning_episodes(cells)
    for said, column, given in (("区域", "area", area), ("预警指标", "indicator", indicator)):
        if given and given not in (known := cells[column].unique().sort().to_list()):
            raise RefusalError(f"算出的预警里没有{said}“{given}”,可写 {'、'.join(known)}。")
    if area:
        found = found.filter(pl.col("area") == area)
    if indicator:
        found = found.filter(pl.col("indicator") == indicator)
    heads = ["区域", "指标", "自", "至", "各季等级", "结局", "解除于", "原因"]
    columns = ["area_name", "indicator_name", "began", "last", "levels", "outcome", "lifted", "reason"]
    emit(found, table(f"预警 {found.height} 次", heads, found.select(columns).iter_rows()))


def _has_warnings(con: duckdb.DuckDBPyConnection) -> bool:
    query = "SELECT count(*) AS n FROM information_schema.tables WHERE table_schema = 'mart' AND table_name = 'monitoring_warnings'"
    return bool(facts.query(con, query)["n"][0])


def sql(query: str) -> None:
    """对只读快照执行 SQL(in_force、published、mart、meta 各模式)。"""
    if not query.strip():
        raise typer.BadParameter("SQL 是空的。")
    with reader(CALL.home.snapshots) as con:
        found = facts.query(con, query)
    shown = found.head(ROWS_SHOWN)
    if found.width > COLUMNS_SHOWN:  # too wide for a table: comma-separated, whole
        emit(found, shown.write_csv().rstrip())
    else:
        emit(found, table("", found.columns, shown.iter_rows()))
    if found.height > ROWS_SHOWN:
        progress(f"共 {found.height} 行,只列前 {ROWS_SHOWN} 行;--json 给出全部。")


def verify(
    head: Annotated[list[str] | None, typer.Option(help="另存的链头 序号:校验值(至少前 16 位),可多次")] = None,
) -> None:
    """核验:留痕链、文件库哈希、台账与仓库一致、发布文件未变。"""
    proof = problems_of(CALL.office, CALL.home, [kept_head(one) for one in head or ()])
    _note(VERIFIED, len(proof.problems), blobs=proof.blobs)
    last = {"seq": proof.head_seq, "hash": proof.head_hash}
    said = f"核验{'未通过' if proof.problems else '通过'}:链头 {proof.head_seq} {proof.head_hash[:16]},文件 {proof.blobs} 个。"
    emit(
        {"ok": not proof.problems, "problems": list(proof.problems), "head": last, "blobs": proof.blobs},
        [*proof.problems, said],
    )
    raise typer.Exit(1 if proof.problems else 0)


def rebuild(
    reread: Annotated[bool, typer.Option("--reread", help="重新读取并审核原件,列出与当时的差异")] = False,
) -> None:
    """删去仓库,从记录的观测重建,比较内容哈希。"""
    before = loading.live_hashes(CALL.home) if CALL.home.live.exists() else {}
    put_back: list[str] = []
    after = loading.rebuild(
        CALL.office,
        CALL.home,
        progress=progress,
        besides=lambda con: put_back.extend(published_again(CALL.office, CALL.home, con, progress=progress)),
    )
    differing = loading.differences(before, after) if before else []
    lines = [
        f"已重建 {len(after)} 张表。",
        "内容与重建前一致。" if not differing else f"与重建前不同:{'、'.join(differing)}",
        *([f"发布表(published)已从发布文件放回:{'、'.join(put_back)}。"] if put_back else []),
        "内部产品表(mart)不在其内,需要时用 ytb run 重新计算。",
    ]
    rereadings: list[str] = []
    if reread:
        rereadings = reread_all(CALL.office, workers=CALL.workers, progress=progress)
        lines += rereadings or ["重新读取、审核的结果与当时一致。"]
    emit({"hashes": after, "differing": differing, "releases": put_back, "reread": rereadings}, lines)
    raise typer.Exit(1 if differing or rereadings else 0)


def _note(action: str, problems: int, **counts: int) -> None:
    try:
        note_care(CALL.office.ledger, action, problems=problems, now=CALL.now, actor=CALL.who, **counts)
    except StorageError as fault:  # the result stands all the same: a copy on a read-only disk can be verified
        progress(f"没有记入留痕:{fault}")


def backup(
    folder: Path, check: Annotated[bool, typer.Option("--check", help="不备份,核对已有备份的每个文件")] = False
) -> None:
    """备份台账、文件库、密钥与发布(仓库可重建,不备份)。"""
    if check:
        damaged = damaged_in_backup(folder)
        _note(BACKUP_CHECKED, len(damaged))
        said = [*(f"缺失或损坏:{name}" for name in damaged), "备份有问题。" if damaged else "备份完好。"]
        emit({"ok": not damaged, "damaged": damaged}, said)
        raise typer.Exit(1 if damaged else 0)
    made = make_backup(CALL.home, folder)
    _note(BACKED_UP, 0, files=made.files, head=made.head_seq)
    emit(made, f"已备份到 {folder}:{made.files} 个文件,链头 {made.head_seq}。")


def restore(folder: Path) -> None:
    """从备份恢复到 --home 指明的空目录,并重建仓库。"""
    home = restore_backup(folder, CALL.root)
    for cached in ("home", "office", "programme"):
        CALL.__dict__.pop(cached, None)
    loading.refresh(
        CALL.office,
        home,
        progress=progress,
        besides=lambda con: published_again(CALL.office, home, con, progress=progress),
    )
    named = CALL.programme_named
    lines = [f"已恢复到 {home.root},请执行 ytb verify。"]
    if Path(named).is_absolute():
        lines.append(f"制度用备份里的副本 {named};要改用别处的,请运行 ytb upgrade --programme 制度目录。")
    emit({"home": home.root, "programme": named}, lines)


def status() -> None:
    """这个数据目录里有什么。"""
    with CALL.office.ledger.read() as session:
        found = submissions(session)
        issued = releases(session)
    by_state: dict[str, int] = {}
    for one in found:
        by_state[one.state.label] = by_state.get(one.state.label, 0) + 1
    size = sum(p.stat().st_size for p in CALL.home.vault.rglob("*") if p.is_file())
    data = {
        "home": CALL.home.root, "programme": CALL.programme_named, "submissions": by_state,
        "releases": [r.id for r in issued], "vault_bytes": size,
    }  # fmt: skip
    emit(
        data,
        [
            f"数据目录 {CALL.home.root}",
            f"制度 {CALL.programme.title}({CALL.programme_named})",
            f"报送:{'、'.join(f'{k} {v}' for k, v in by_state.items()) or '无'}",
            f"发布:{'、'.join(r.id for r in issued) or '无'}",
            f"文件库 {size // 1024} KB",
        ],
    )


def dagster(port: Annotated[int, typer.Option()] = 3000) -> None:
    """在本机打开 Dagster(没有登录,只监听 127.0.0.1)。"""
    home = CALL.home
    write_dagster_yaml(home.dagster)
    environment = {**os.environ, "DAGSTER_HOME": str(home.dagster), "YTB_HOME": str(home.root)}
    command = [
        str(Path(sys.executable).with_name("dagster")),
        "dev",
        "-w",
        "workspace.yaml",
        "-h",
        "127.0.0.1",
        "-p",
        str(port),
    ]
    progress(f"http://127.0.0.1:{port}")
    raise typer.Exit(
        subprocess.run(command, env=environment, cwd=Path(__file__).resolve().parents[2], check=False).returncode
    )


def write_dagster_yaml(folder: Path) -> None:
    """The instance settings of a home: telemetry off, one run at a time on the warehouse, runs that hang are ended."""
    folder.mkdir(parents=True, exist_ok=True)
    source = Path(__file__).resolve().parents[2] / "deploy" / "dagster.yaml"
    shutil.copyfile(source, folder / "dagster.yaml")
