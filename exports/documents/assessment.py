"""Yearly assessment 年度评估: index, evaluation, targets and contribution of a year in words, from the published marts alone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from exports.documents.published import (
    Document,
    Figure,
    Grid,
    Published,
    Row,
    Section,
    Sentence,
    figure_of,
    growth_text,
    is_shown,
    is_zero,
    text_of,
)
from exports.manifest import ReleaseMeta
from exports.ordering import publication

INDEX: Final = "index_scores"
EVALUATION: Final = "evaluation_scores"
TARGETS: Final = "targets_progress"
CONTRIBUTION: Final = "contribution_figures"
TOTAL: Final = "TOTAL"
WORST_STANDING: Final = 1


def assessment(published: Published, meta: ReleaseMeta) -> Document | None:
    """The assessment of a year; None for quarters and where none of its products is published."""
    if meta.period.round != "A":
        return None
    sections = (
        Section("发展指数", tuple(_index(published, meta))),
        Section("综合评价与单项榜", (), tuple(_evaluation(published))),
        Section("规划目标完成情况", *_targets(published)),
        Section("对全省和所在市的贡献", tuple(_contribution(published))),
    )
    kept = tuple(s for s in sections if not s.is_empty)
    notes = (
        "本评估由发布数据自动生成,各数与出版工作簿所印相同;“—”为无数据,“…”为不适用,“*”为保护单个单位资料而不公布。",
        "发展指数只与本区过去比较,不作横向排名;名次只在同类之内排列,应连同区间使用。定性材料与专家意见另附。",
        "目标进展按规划原文口径;规划内部互不一致的目标照录,不作统一。",
    )
    return Document("年度评估", "园区统计监测年度评估", meta.period.title, kept, notes) if kept else None


def _index(published: Published, meta: ReleaseMeta) -> Iterable[Sentence]:
    """Total index of every area: this year against the year before, and the dimensions that moved it most."""
    year = str(meta.period)
    for area, name in published.areas(INDEX):
        now = published.one(INDEX, area=area, indicator=TOTAL, measure="index", period=year)
        if now is None or not is_shown(now):
            continue
        figures, text = [figure_of(INDEX, now)], f"{name}发展指数为{text_of(now)}"
        before = published.one(INDEX, area=area, indicator=TOTAL, measure="index", period=str(meta.period.year - 1))
        if before is not None and is_shown(before):
            figures.append(figure_of(INDEX, before))
            text += f"(上年{text_of(before)})"
        bounds = [
            published.one(INDEX, area=area, indicator=TOTAL, measure=m, period=year)
            for m in ("index_lower", "index_upper")
        ]
        low, high = bounds
        if low is not None and high is not None and is_shown(low) and is_shown(high):
            figures += [figure_of(INDEX, low), figure_of(INDEX, high)]
            text += f",不确定性区间{low['display']}至{high['display']}"
        moved = _dimensions(published, area, year)
        if moved:
            figures += [figure_of(INDEX, r) for r in moved]
            listed = "、".join(f"{r['indicator_name']}({growth_text(r, '拉高', '拉低')})" for r in moved)
            text += f";对变动影响最大的维度是{listed}"
        yield Sentence(f"{text}。", tuple(figures))


def _dimensions(published: Published, area: str, year: str) -> list[Row]:
    """The two dimensions with the largest contributions; none unless all of them are shown."""
    rows = published.rows(INDEX, area=area, measure="contribution", period=year)
    dimensions = [r for r in rows if str(r["indicator"]).startswith("D")]
    if len(dimensions) < 2 or not all(is_shown(r) for r in dimensions):
        return []
    ordered = sorted(dimensions, key=lambda r: (-abs(float(r["value"])), r["row_key"]))
    return [r for r in ordered if not is_zero(r)][:2]


def _evaluation(published: Published) -> Iterable[Grid]:
    """One table a scheme: score, grade, rank in the class with its interval, change; as published."""
    if EVALUATION not in published.marts:
        return
    wanted = ("total", "grade", "rank", "rank_lower", "rank_upper", "rank_change", "score_change")
    words = publication()["words"]["grade"]
    for table in sorted(set(published.marts[EVALUATION]["table"]), key=lambda t: published.ordering.rank("table", t)):
        rows: list[tuple[str, dict[str, Row]]] = []
        figures: list[Figure] = []
        heads: dict[str, str] = {}
        for area, name in published.areas(EVALUATION):
            found = {r["measure"]: r for r in published.rows(EVALUATION, area=area, table=table, measure=wanted)}
            if "total" not in found:
                continue
            heads |= {m: r["measure_name"] for m, r in found.items()}
            figures += [figure_of(EVALUATION, r) for r in found.values() if is_shown(r)]
            rows.append((name, found))
        columns = [m for m in wanted if m in heads]
        lines = tuple((name, *(_shown(found.get(m), m, words) for m in columns)) for name, found in rows)
        if lines:
            yield Grid(
                published.ordering.label("table", table), ("园区", *(heads[m] for m in columns)), lines, tuple(figures)
            )


def _shown(row: Row | None, measure: str, words: list[str]) -> str:
    if row is None:
        return "—"
    display = str(row["display"])
    return str(words[int(display)]) if measure == "grade" and display.isdigit() else display


def _targets(published: Published) -> tuple[tuple[Sentence, ...], tuple[Grid, ...]]:
    """How many targets of each area stand how, and those far behind by name."""
    words = publication()["words"]["standing"]
    standings = [r for r in published.rows(TARGETS, measure="standing") if is_shown(r)]
    if not standings:
        return (), ()
    said = []
    for area, name in published.areas(TARGETS):
        own = [r for r in standings if (r["area"], r["area_name"]) == (area, name)]
        if not own:
            continue
        counts = [(words[n], sum(str(r["display"]) == str(n) for r in own)) for n in range(len(words) - 1, 0, -1)]
        listed = "、".join(f"{word}{count}项" for word, count in counts if count)
        said.append(Sentence(f"{name}可判定的目标{len(own)}项:{listed}。", tuple(figure_of(TARGETS, r) for r in own)))
    behind = [r for r in standings if str(r["display"]) == str(WORST_STANDING)]
    rows, figures = [], []
    for row in behind:
        found = [
            published.one(TARGETS, area=row["area"], indicator=row["indicator"], measure=m)
            for m in ("target", "actual", "completion", "expected", "gap")
        ]
        unit = next((str(c["unit_measure"]) for c in found[:2] if c is not None), "")
        rows.append(
            (str(row["area_name"]), str(row["indicator_name"]), unit, *(str(c["display"]) if c else "—" for c in found))
        )
        figures += [figure_of(TARGETS, c) for c in found if c is not None and is_shown(c)]
    head = ("区域", "目标", "单位", "目标值", "完成值", "完成率(%)", "应达进度(%)", "进度差(百分点)")
    return tuple(said), (Grid("严重滞后的目标", head, tuple(rows), tuple(figures)),) if rows else ()


def _contribution(published: Published) -> Iterable[Sentence]:
    """Share, contribution and pull of every amount of every area above the zones; zones stand in the workbook."""
    if CONTRIBUTION not in published.marts:
        return
    zones = {r["area"] for r in published.rows(CONTRIBUTION, measure="multiple_group")}
    shares = published.rows(CONTRIBUTION, measure="share")
    for row in [r for r in shares if r["area"] not in zones] or shares:
        if not is_shown(row):
            continue
        place, figures = (
            str(row["measure_name"]).removeprefix("占").removesuffix("比重"),
            [figure_of(CONTRIBUTION, row)],
        )
        text = f"{row['area_name']}{row['indicator_name']}占{place}的{text_of(row)}"
        for measure, words in (("contribution_rate", f"对{place}增长的贡献率为"), ("contribution_points", None)):
            more = published.one(CONTRIBUTION, area=row["area"], indicator=row["indicator"], measure=measure)
            if more is not None and is_shown(more) and not is_zero(more):
                figures.append(figure_of(CONTRIBUTION, more))
                text += (
                    f",{words}{text_of(more)}"
                    if words
                    else f",{growth_text(more, f'拉动{place}增长', f'下拉{place}增长')}"
                )
        yield Sentence(f"{text}。", tuple(figures))


def figures_of(document: Document) -> list[Figure]:
    """Every figure a document prints, in reading order."""
    found: list[Figure] = []
    for section in document.sections:
        for sentence in section.sentences:
            found += sentence.figures
        for grid in section.grids:
            found += grid.figures
    return found
