"""Half-yearly bulletin 半年检查通报 (survey of the second and the fourth quarter), from the published marts alone."""

from __future__ import annotations

from collections.abc import Sequence
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
from exports.missing_units import missing_units
from exports.ordering import publication

FIGURES: Final = "monitoring_figures"
WARNINGS: Final = "monitoring_warnings"
RESPONSE: Final = "monitoring_response"
QUARTERS: Final = (2, 4)
CALM: Final = "0"
HALVES: Final = {2: "上半年", 4: "全年"}


def bulletin(published: Published, meta: ReleaseMeta) -> Document | None:
    """The bulletin of a half-year; None for other quarters and where nothing is published."""
    if meta.period.quarter not in QUARTERS or FIGURES not in published.marts:
        return None
    sections = (
        Section("总体运行情况", _overall(published)),
        Section("各园区主要指标", (), _by_area(published)),
        Section("预警信号", *_warnings(published)),
        Section("报送情况", *_response(published)),
    )
    notes = (
        "本通报由发布数据自动生成,各数与出版工作簿所印相同;季度数为初步数,“*”为保护单个单位资料而不公布。",
        "同比为同口径同比:分母为各单位上年同期栏。预警只作提示,处置以有关规定和书面决定为准。",
    )
    half = HALVES[meta.period.quarter or 4]
    return Document(
        "半年检查通报",
        "园区统计监测半年检查通报",
        f"{meta.period.year}年{half}",
        tuple(s for s in sections if not s.is_empty),
        notes,
    )


def _headline(published: Published) -> list[tuple[str, str]]:
    """(code, name) of the headline indicators the release has, in the order of the programme (``[roles] headline``)."""
    names = {
        r["indicator"]: r["indicator_name"] for r in published.rows(FIGURES, breakdown="total", measure="cumulative")
    }
    wanted = [code for code in published.ordering.roles.headline if code in names]
    return [(code, names[code]) for code in wanted or sorted(names)[:6]]


def _cell(published: Published, area: str, code: str, measure: str) -> Row | None:
    return published.one(FIGURES, area=area, breakdown="total", indicator=code, measure=measure)


def _overall(published: Published) -> tuple[Sentence, ...]:
    """For every area above the zones: level and growth of each headline indicator, one sentence an indicator."""
    said = []
    zones = {r["category"] for r in published.rows(FIGURES, breakdown="zone")}
    listed = [(a, n) for a, n in published.areas(FIGURES) if a not in zones] or published.areas(FIGURES)
    for area, name in listed:
        for code, indicator in _headline(published):
            level, growth = _cell(published, area, code, "cumulative"), _cell(published, area, code, "growth_restated")
            if level is None or not is_shown(level):
                continue
            kind = str(level["measure_name"])
            told = "" if kind.removesuffix("数") in indicator else kind  # 从业人员期末人数 says it already
            figures, text = [figure_of(FIGURES, level)], f"{name}{indicator}{told}{text_of(level)}"
            if growth is not None and is_shown(growth):
                figures.append(figure_of(FIGURES, growth))
                text += f",同比{growth_text(growth)}"
            pull = _leading(published, area, code)
            if pull is not None:
                figures.append(figure_of(FIGURES, pull))
                text += f",其中{pull['category_name']}{growth_text(pull, '拉动', '下拉')}"
            said.append(Sentence(f"{text}。", tuple(figures)))
    lacking = missing_units(published.marts[FIGURES], published.ordering)
    if lacking:
        told = "、".join(f"{row['area_name']}{row['display']}户" for row in lacking)
        text = f"有应报单位未报送、也没有作估算,以上合计数未含其资料:{told}。"
        said.append(Sentence(text, tuple(figure_of(FIGURES, row) for row in lacking)))
    return tuple(said)


def _leading(published: Published, area: str, code: str) -> Row | None:
    """The zone that pulls most in the direction of the whole; said only when the pulls of all zones are shown."""
    pulls = published.rows(FIGURES, area=area, breakdown="zone", indicator=code, measure="contribution_points")
    if len(pulls) < 2 or not all(is_shown(p) for p in pulls):
        return None
    found = max(pulls, key=lambda p: (abs(float(p["value"])), p["row_key"]))
    return None if is_zero(found) else found


def _by_area(published: Published) -> tuple[Grid, ...]:
    headline = _headline(published)[:6]
    head = ("园区", *(f"{name}同比(%)" for _, name in headline))
    rows: list[tuple[str, ...]] = []
    figures: list[Figure] = []
    for area, name in published.areas(FIGURES):
        cells = [_cell(published, area, code, "growth_restated") for code, _ in headline]
        if any(c is not None for c in cells):
            rows.append((name, *(str(c["display"]) if c is not None else "—" for c in cells)))
            figures += [figure_of(FIGURES, c) for c in cells if is_shown(c) and c is not None]
    return (Grid("主要指标同口径同比", head, tuple(rows), tuple(figures)),) if rows and headline else ()


def _warnings(published: Published) -> tuple[tuple[Sentence, ...], tuple[Grid, ...]]:
    """Areas with warnings, worst first, with the reason as published."""
    words = publication()["words"]["level"]
    levels = [r for r in published.rows(WARNINGS, measure="level") if is_shown(r)]
    fired = [r for r in levels if str(r["display"]) != CALM]
    fired.sort(key=lambda r: (-float(r["value"]), r["area"], r["indicator"]))
    if not levels:
        return (), ()
    if not fired:
        return (Sentence("公布的预警指标均在正常区间。"),), ()
    rows = tuple(
        (str(r["area_name"]), str(r["indicator_name"]), words[int(float(r["value"]))], str(r["note"])) for r in fired
    )
    parts = [
        f"{words[n]}{count}项"
        for n in range(len(words) - 1, 0, -1)
        if (count := sum(float(r["value"]) == n for r in fired))
    ]
    grid = Grid("预警信号与原因", ("园区", "指标", "等级", "原因"), rows, tuple(figure_of(WARNINGS, r) for r in fired))
    return (Sentence(f"公布的预警信号共{len(fired)}项,其中{'、'.join(parts)}。", grid.figures),), (grid,)


def _response(published: Published) -> tuple[tuple[Sentence, ...], tuple[Grid, ...]]:
    said: list[Sentence] = []
    for area, name in published.areas(RESPONSE):
        wanted = ("parks_due", "parks_reported", "park_response_rate", "parks_late", "response_rate")
        cells = {m: published.one(RESPONSE, area=area, breakdown="total", measure=m) for m in wanted}
        known: dict[str, Row] = {m: c for m, c in cells.items() if c is not None and is_shown(c)}
        said.extend(_one_response(name, known))
    return tuple(said), ()


def _one_response(name: str, known: dict[str, Row]) -> Sequence[Sentence]:
    clauses, figures = [], []
    for measure, words in (
        ("parks_due", "应报园区{x}"), ("parks_reported", "已报送{x}"), ("parks_late", "迟报{x}"), ("response_rate", "单位报送率{x}"),
    ):  # fmt: skip
        if measure in known:
            clauses.append(words.format(x=text_of(known[measure])))
            figures.append(figure_of(RESPONSE, known[measure]))
    return [Sentence(f"{name}:{','.join(clauses)}。", tuple(figures))] if clauses else []
