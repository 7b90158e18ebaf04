"""``ytb demo``: a believable province, end to end, through the user's own commands."""

from __future__ import annotations

import os
from typing import Annotated

import polars as pl
import typer

from schemas.catalog import programme
from schemas.errors import RefusalError
from ytb.cli.output import emit, progress
from ytb.cli.session import CALL
from ytb.demo.run import AREA, SIZES, Story, run_demo
from ytb.portal.demo_accounts import seed_demo_accounts

BOX_ROWS = range(108, 118)
TITLE = "兰白试验区 2014 年(规划专栏1)"


def register(root: typer.Typer) -> None:
    """Hang the command on the root."""
    root.command("demo")(demo)


def demo(size: Annotated[str, typer.Option(help=f"{'、'.join(SIZES)}")] = "small") -> None:
    """造一个可信的省份,从模板到发布走一遍:填报、埋错、查错、改正、验收、监测、指数、发布。"""
    if size not in SIZES:
        raise typer.BadParameter(f"没有规模 {size};可用:{'、'.join(SIZES)}")
    if CALL.programme_option:
        raise RefusalError("演示只用所附的制度,不能与 --programme 同用。")
    os.environ.pop("YTB_PROGRAMME", None)
    root, as_json, lang = CALL.root, CALL.json, CALL.lang
    if root.exists() and any(root.iterdir()):
        raise RefusalError(f"{root} 不是空目录,演示不覆盖已有数据;请用 --home 指明新目录,或先删除它。")
    clock = CALL.clock
    story = run_demo(root, size, progress)
    CALL.clock, CALL.json, CALL.lang, CALL.home_option = clock, as_json, lang, root
    box = box_figures(story)
    accounts = seed_demo_accounts(CALL.office, CALL.now)
    data = {
        "home": root, "books": story.books, "accepted": story.accepted, "planted": len(story.planted), "found": len(story.found),
        "beyond": story.beyond, "releases": story.releases, "box_1": box,
        "accounts": [{"role": r, "name": n, "password": p} for r, n, p in accounts],
    }  # fmt: skip
    lines = [
        f"演示完成:{story.books} 本工作簿报送,{story.accepted} 份验收;埋下 {len(story.planted)} 处差错,查出 {len(story.found)} 处(单元格全部相符),此外多查出 {len(story.beyond)} 处。",
        f"发布:{'、'.join(story.releases)}",
        "",
        f"{TITLE}:规划数 → 系统由工作簿算出",
        *(f"  {row['name']}({row['unit']}):{row['plan']} → {row['computed']}" for row in box),
        "",
        "接下来可以:",
        f"  打开看板      {root}/releases/{story.releases[-1]}/site/index.html" if story.releases else "",
        f"  看发布工作簿  {root}/releases/{story.releases[-1]}/publication/" if story.releases else "",
        f"  溯源一个数    ytb --home {root} trace {story.releases[-1]} monitoring_figures 行键:value"
        if story.releases
        else "",
        f"  查 SQL        ytb --home {root} sql 'select park, count(*) from in_force.finance group by 1'",
        f"  核验          ytb --home {root} verify",
        f"  打开门户      ytb --home {root} serve    (演示账号如下,只用于演示)",
        *(f"    {role}:{name} / {password}" for role, name, password in accounts),
    ]
    emit(data, [line for line in lines if line is not None])
    raise typer.Exit(0 if len(story.found) == len(story.planted) and all(r["agrees"] for r in box) else 1)


def box_figures(story: Story) -> list[dict[str, object]]:
    """Box 1 of the plan for 2014: the published baseline beside the figure the first annual release computed."""
    release = next((r for r in story.releases if r.startswith("2014.")), None)
    targets = {t.row_no: t for t in programme().editions["2015"].targets}
    path = CALL.root / "releases" / str(release) / "tables" / "targets_progress.parquet"
    if release is None or not path.exists():
        return []
    cells = pl.read_parquet(path).filter(area=AREA)
    rows: list[dict[str, object]] = []
    for number in BOX_ROWS:
        target = targets[number]
        found = cells.filter(pl.col("indicator").str.ends_with(f".{number}") & (pl.col("measure") == "actual"))
        value = found["value"][0] if found.height else None
        plan = target.baseline_value
        decimals = len(f"{plan:g}".partition(".")[2])
        computed = None if value is None else f"{value:.{decimals}f}"
        rows.append(
            {
                "row": number,
                "name": target.name,
                "unit": target.unit_measure,
                "plan": f"{plan:g}",
                "computed": computed,
                "agrees": computed is not None and plan is not None and float(computed) == plan,
            }
        )
    return rows
