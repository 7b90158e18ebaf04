"""Charts as SVG text for pages that run no script: line, bar, dots with intervals, scatter. Pure: same input, same bytes.

Everybody can read them: a title and a description for those who hear the page, series told apart by dash and mark beside
the colour, nothing but presentation attributes (no ``style``, so that a strict content security policy holds). A chart
shows, the table below it says: pages print both. A value that is missing is a gap, never a zero.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

WIDTH: Final = 760
INK, QUIET, GRID = "#1b2733", "#556472", "#d6dee6"
COLOURS: Final = ("#143d66", "#a3231b", "#1b6248", "#7d5a00", "#5b3a86", "#17559a")
DASHES: Final = ("", "7 4", "2 3", "10 3 2 3", "5 5", "1 4")
SHAPES: Final = ("circle", "square", "triangle", "diamond", "circle", "square")
MOST_LABELS: Final = 12
ROW: Final = 26
LABEL_LETTERS: Final = 15


@dataclass(frozen=True)
class Series:
    """One line: a value for each category, None where there is none."""

    name: str
    values: Sequence[float | None]


@dataclass(frozen=True)
class Bar:
    """One bar; ``display`` is the figure as published. ``is_marked`` draws it filled differently, with a mark in words."""

    label: str
    value: float | None
    display: str = ""
    mark: str = ""


@dataclass(frozen=True)
class Interval:
    """A value and the interval it lies in; either end may be missing."""

    label: str
    value: float | None
    low: float | None
    high: float | None
    display: str = ""


@dataclass(frozen=True)
class Point:
    """One point of a scatter; a marked one is drawn as another shape with its label beside it."""

    x: float
    y: float
    label: str
    is_marked: bool = False


def line_chart(key: str, title: str, categories: Sequence[str], series: Sequence[Series], unit: str = "") -> str:
    """Lines over categories in order. ``key`` makes the ids of one page differ. Empty text where there is no value."""
    found = [v for one in series for v in one.values if v is not None]
    if not found:
        return ""
    ticks = nice_ticks(min(found), max(found))
    height, left, right, top = 300, 70, 48, 34 + 20 * ((len(series) - 1) // 4)
    bottom = height - 46
    y = _scale(ticks[0], ticks[-1], bottom, top)
    step = (WIDTH - left - right) / max(len(categories) - 1, 1)
    x = [left + step * n if len(categories) > 1 else (left + WIDTH - right) / 2 for n in range(len(categories))]
    parts = [*_legend([one.name for one in series], left), *_value_axis(ticks, y, left, WIDTH - right, unit, top)]
    every = math.ceil(len(categories) / MOST_LABELS)
    for n, name in enumerate(categories):
        if n % every == 0 or n == len(categories) - 1:
            parts.append(_text(x[n], bottom + 20, name, anchor="middle", size=12))
    for n, one in enumerate(series):
        parts += _line([(x[i], y(v)) if v is not None else None for i, v in enumerate(one.values)], n)
    return _svg(key, title, _describe_lines(categories, series, unit), height, parts)


def bar_chart(key: str, title: str, bars: Sequence[Bar], unit: str = "") -> str:
    """Horizontal bars from zero, since names in Chinese are long. Empty text where there is no value."""
    found = [b.value for b in bars if b.value is not None]
    if not found:
        return ""
    ticks = nice_ticks(min(0.0, *found), max(0.0, *found))
    left, right, top = 210, 90, 26
    height = top + ROW * len(bars) + 30
    x = _scale(ticks[0], ticks[-1], left, WIDTH - right)
    parts = _across(ticks, x, top, height - 26, unit)
    for n, bar in enumerate(bars):
        middle = top + ROW * n + ROW / 2
        parts.append(_text(left - 8, middle + 4, _short(bar.label), anchor="end", size=13))
        if bar.value is None:
            parts.append(_text(x(0) + 6, middle + 4, bar.display or "—", size=12, colour=QUIET))
            continue
        start, end = sorted((x(0), x(bar.value)))
        fill = f'fill="#fff" stroke="{COLOURS[1]}" stroke-width="2"' if bar.mark else f'fill="{COLOURS[0]}"'
        parts.append(
            f'<rect x="{_n(start)}" y="{_n(middle - 8)}" width="{_n(max(end - start, 1))}" height="16" {fill}/>'
        )
        words = f"{bar.display or _n(bar.value)}{' ' + bar.mark if bar.mark else ''}"
        parts.append(_text(end + 6, middle + 4, words, size=12))
    told = "、".join(
        f"{b.label} {b.display or (_n(b.value) if b.value is not None else '—')}" for b in bars[:MOST_LABELS]
    )
    rest = f",其余 {len(bars) - MOST_LABELS} 项见下表" if len(bars) > MOST_LABELS else ""
    return _svg(key, title, f"条形图,共 {len(bars)} 项{_of(unit)}:{told}{rest}。", height, parts)


def interval_chart(key: str, title: str, rows: Sequence[Interval], unit: str = "") -> str:
    """A dot a row with its interval as a bar with ends. Empty text where there is no value."""
    found = [v for r in rows for v in (r.value, r.low, r.high) if v is not None]
    if not found:
        return ""
    ticks = nice_ticks(min(found), max(found))
    left, right, top = 210, 90, 26
    height = top + ROW * len(rows) + 30
    x = _scale(ticks[0], ticks[-1], left, WIDTH - right)
    parts = _across(ticks, x, top, height - 26, unit)
    for n, row in enumerate(rows):
        middle = top + ROW * n + ROW / 2
        parts.append(_text(left - 8, middle + 4, _short(row.label), anchor="end", size=13))
        if row.low is not None and row.high is not None:
            parts.append(_stroke(x(row.low), middle, x(row.high), middle, COLOURS[0], 2))
            parts += [_stroke(x(end), middle - 5, x(end), middle + 5, COLOURS[0], 2) for end in (row.low, row.high)]
        if row.value is not None:
            parts.append(_mark(x(row.value), middle, 3, COLOURS[1]))
        right_end = max(x(v) for v in (row.value, row.high, ticks[0]) if v is not None)
        parts.append(
            _text(right_end + 9, middle + 4, row.display or (_n(row.value) if row.value is not None else "—"), size=12)
        )
    told = "、".join(_interval_words(r) for r in rows[:MOST_LABELS])
    return _svg(key, title, f"点与区间图,共 {len(rows)} 项{_of(unit)}:{told}。", height, parts)


def scatter_chart(key: str, title: str, points: Sequence[Point], x_title: str, y_title: str) -> str:
    """Points on logarithmic axes with the line of no change; marked ones stand out by shape and label.

    Points that are not positive cannot stand on such axes and are left out; the description says how many.
    """
    shown = [p for p in points if p.x > 0 and p.y > 0]
    if not shown:
        return ""
    low = math.floor(math.log10(min(min(p.x, p.y) for p in shown)))
    high = max(math.ceil(math.log10(max(max(p.x, p.y) for p in shown))), low + 1)
    height, left, right, top, bottom = 420, 86, 24, 20, 370
    x, y = _scale(low, high, left, WIDTH - right), _scale(low, high, bottom, top)
    parts = []
    for power in range(low, high + 1):
        at, name = float(power), _power(power)
        parts += [_stroke(x(at), top, x(at), bottom, GRID, 1), _stroke(left, y(at), WIDTH - right, y(at), GRID, 1)]
        parts += [
            _text(x(at), bottom + 17, name, anchor="middle", size=12),
            _text(left - 8, y(at) + 4, name, anchor="end", size=12),
        ]
    parts.append(_stroke(x(low), y(low), x(high), y(high), QUIET, 1, dash="6 4"))
    parts.append(_text((left + WIDTH - right) / 2, height - 10, x_title, anchor="middle", size=13))
    middle = (top + bottom) / 2
    parts.append(
        f'<text x="18" y="{_n(middle)}" font-size="13" fill="{INK}" text-anchor="middle" transform="rotate(-90 18 {_n(middle)})">{escape(y_title)}</text>'
    )
    for point in sorted(shown, key=lambda p: p.is_marked):
        at_x, at_y = x(math.log10(point.x)), y(math.log10(point.y))
        shape = _mark(at_x, at_y, 3 if point.is_marked else 0, COLOURS[1] if point.is_marked else COLOURS[0])
        parts.append(f"<g><title>{escape(point.label)}</title>{shape}</g>")
    parts += _labels([(x(math.log10(p.x)), y(math.log10(p.y)), p.label) for p in shown if p.is_marked])
    marked = [p.label for p in shown if p.is_marked]
    left_out = len(points) - len(shown)
    told = f"散点图,横轴{x_title},纵轴{y_title},对数刻度,虚线为不变。共 {len(shown)} 点"
    told += f",其中标出 {len(marked)} 点:{'、'.join(marked[:MOST_LABELS])}" if marked else ",没有标出的点"
    told += f";另有 {left_out} 点为零或负,不能画在对数刻度上。" if left_out else "。"
    return _svg(key, title, told, height, parts)


def _labels(places: Sequence[tuple[float, float, str]]) -> list[str]:
    """Names beside points as far as there is room: one that would stand on another is left to the title of its point."""
    taken: list[tuple[float, float, float]] = []
    parts: list[str] = []
    for x, y, name in places:
        words = _short(name)
        width = 12.0 * len(words)
        anchor, start, at = ("end", x - 9 - width, x - 9) if x > WIDTH - width - 40 else ("start", x + 9, x + 9)
        if len(parts) < MOST_LABELS and all(
            abs(y - other) > 14 or start + width < left or start > right for left, right, other in taken
        ):
            taken.append((start, start + width, y))
            parts.append(_text(at, y + 4, words, anchor=anchor, size=11))
    return parts


def nice_ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    """Round numbers that enclose low to high, about ``wanted`` of them. Source: P. Heckbert, Nice numbers for graph
    labels, Graphics Gems (1990), 61–63."""
    size = max(abs(low), abs(high))
    if high - low <= 1e-9 * max(size, 1.0):
        spread = size * 0.1 if size > 1e-6 else 1.0
        low, high = low - spread, low + spread
    rough = (high - low) / max(wanted - 1, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    share = rough / power
    step = power * (1 if share < 1.5 else 2 if share < 3 else 5 if share < 7 else 10)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [round(n * step, 10) for n in range(first, last + 1)]


# ── parts ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def _svg(key: str, title: str, description: str, height: int, parts: Sequence[str]) -> str:
    name = escape(key)
    return (
        f'<svg class="chart" role="img" aria-labelledby="{name}-title {name}-desc" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" height="{height}" preserveAspectRatio="xMinYMin meet" xmlns="http://www.w3.org/2000/svg">'
        f'<title id="{name}-title">{escape(title)}</title><desc id="{name}-desc">{escape(description)}</desc>'
        f"{''.join(parts)}</svg>"
    )


def _scale(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    return lambda value: start + (value - low) / (high - low) * (end - start)


def _n(value: float) -> str:
    """A number as short as it can be: coordinates and tick labels."""
    text = f"{value:,.2f}" if abs(value) >= 1000 else f"{value:.4g}" if abs(value) < 1 else f"{value:.2f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text).replace(",", "") or "0"


def _label(value: float) -> str:
    """A tick for people: 1,200 or 3.5 万."""
    if abs(value) >= 1e8:
        return f"{_n(value / 1e8)}亿"
    return f"{_n(value / 1e4)}万" if abs(value) >= 1e5 else f"{value:,.0f}" if abs(value) >= 1000 else _n(value)


def _power(power: int) -> str:
    return _label(float(10**power)) if power >= 0 else _n(10.0**power)


def _text(x: float, y: float, words: str, *, anchor: str = "start", size: int = 12, colour: str = INK) -> str:
    return f'<text x="{_n(x)}" y="{_n(y)}" font-size="{size}" fill="{colour}" text-anchor="{anchor}">{escape(words)}</text>'


def _stroke(x1: float, y1: float, x2: float, y2: float, colour: str, width: int, dash: str = "") -> str:
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    return f'<line x1="{_n(x1)}" y1="{_n(y1)}" x2="{_n(x2)}" y2="{_n(y2)}" stroke="{colour}" stroke-width="{width}"{dashed}/>'


def _mark(x: float, y: float, shape: int, colour: str) -> str:
    match SHAPES[shape % len(SHAPES)]:
        case "square":
            return f'<rect x="{_n(x - 3.5)}" y="{_n(y - 3.5)}" width="7" height="7" fill="{colour}"/>'
        case "triangle":
            return f'<path d="M{_n(x)} {_n(y - 4.5)}L{_n(x + 4.5)} {_n(y + 4)}L{_n(x - 4.5)} {_n(y + 4)}Z" fill="{colour}"/>'
        case "diamond":
            return f'<path d="M{_n(x)} {_n(y - 5.5)}L{_n(x + 5.5)} {_n(y)}L{_n(x)} {_n(y + 5.5)}L{_n(x - 5.5)} {_n(y)}Z" fill="{colour}"/>'
    return f'<circle cx="{_n(x)}" cy="{_n(y)}" r="3.5" fill="{colour}"/>'


def _legend(names: Sequence[str], left: float) -> list[str]:
    if len(names) < 2:
        return []
    parts = []
    for n, name in enumerate(names):
        x, y, colour = left + 165 * (n % 4), 14 + 20 * (n // 4), COLOURS[n % len(COLOURS)]
        parts += [_stroke(x, y - 4, x + 26, y - 4, colour, 2, DASHES[n % len(DASHES)]), _mark(x + 13, y - 4, n, colour)]
        parts.append(_text(x + 32, y, _short(name, 10), size=12))
    return parts


def _line(points: Sequence[tuple[float, float] | None], n: int) -> list[str]:
    """One series: a polyline for each stretch without a gap, a mark at each value."""
    colour, dash = COLOURS[n % len(COLOURS)], DASHES[n % len(DASHES)]
    stretches: list[list[tuple[float, float]]] = [[]]
    for point in points:
        if point is None:
            stretches.append([])
        else:
            stretches[-1].append(point)
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    parts = []
    for stretch in stretches:
        if len(stretch) > 1:
            at = " ".join(f"{_n(x)},{_n(y)}" for x, y in stretch)
            parts.append(f'<polyline points="{at}" fill="none" stroke="{colour}" stroke-width="2"{dashed}/>')
        parts += [_mark(x, y, n, colour) for x, y in stretch]
    return parts


def _value_axis(
    ticks: Sequence[float], y: Callable[[float], float], left: float, right: float, unit: str, top: float
) -> list[str]:
    parts = []
    for tick in ticks:
        parts.append(_stroke(left, y(tick), right, y(tick), QUIET if tick == 0 else GRID, 1))
        parts.append(_text(left - 8, y(tick) + 4, _label(tick), anchor="end", size=12))
    if unit:
        parts.append(_text(left - 8, top - 14, unit, anchor="end", size=12, colour=QUIET))
    return parts


def _across(ticks: Sequence[float], x: Callable[[float], float], top: float, bottom: float, unit: str) -> list[str]:
    parts = []
    for tick in ticks:
        parts.append(_stroke(x(tick), top, x(tick), bottom, QUIET if tick == 0 else GRID, 1))
        parts.append(_text(x(tick), bottom + 18, _label(tick), anchor="middle", size=12))
    if unit:
        parts.append(_text(WIDTH - 6, top - 10, unit, anchor="end", size=12, colour=QUIET))
    return parts


def _short(name: str, letters: int = LABEL_LETTERS) -> str:
    return name if len(name) <= letters else f"{name[: letters - 1]}…"


def _of(unit: str) -> str:
    return f",单位 {unit}" if unit else ""


def _interval_words(row: Interval) -> str:
    value = row.display or (_n(row.value) if row.value is not None else "—")
    return f"{row.label} {value}" + (
        f"({_n(row.low)} 至 {_n(row.high)})" if row.low is not None and row.high is not None else ""
    )


def _describe_lines(categories: Sequence[str], series: Sequence[Series], unit: str) -> str:
    told = []
    for one in series:
        there = [(c, v) for c, v in zip(categories, one.values, strict=True) if v is not None]
        if not there:
            told.append(f"{one.name}没有数据")
            continue
        (first, start), (last, end) = there[0], there[-1]
        top_at, top = max(there, key=lambda pair: pair[1])
        told.append(
            f"{one.name}从 {first} 的 {_label(start)} 到 {last} 的 {_label(end)},最高在 {top_at},为 {_label(top)}"
        )
    return f"折线图,{categories[0]} 至 {categories[-1]}{_of(unit)}:{';'.join(told)}。"
