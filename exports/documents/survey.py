"""Key findings of the innovation survey 创新调查要点: sentences by ``findings.toml`` from the published tables alone."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

from exports.documents.published import (
    Document,
    Figure,
    Published,
    Row,
    Section,
    Sentence,
    figure_of,
    is_shown,
    is_zero,
    text_of,
)
from exports.manifest import ReleaseMeta

MART: Final = "innovation_tables"
_SLOT: Final = re.compile(r"\{([A-Za-z0-9.]+)\}")
_ENDINGS: Final = ("企业占比", "占比")


@cache
def definitions() -> Mapping[str, Any]:
    """``findings.toml``: sections with sentences, each a list of clauses with slots ``{T02.c3}``."""
    return tomllib.loads((Path(__file__).parent / "findings.toml").read_text(encoding="utf-8"))


def survey_document(published: Published, meta: ReleaseMeta) -> Document | None:
    """The findings for every area of the tables; None where the release has no innovation tables."""
    areas = published.areas(MART)
    if not areas:
        return None
    sections = []
    for area, name in areas:
        for section in definitions()["section"]:
            title = section["title"] if len(areas) == 1 else f"{name}:{section['title']}"
            sentences = tuple(s for entry in section["finding"] if (s := _finding(published, area, entry)) is not None)
            sections.append(Section(title, sentences))
    notes = (
        "各句数字取自本发布的企业创新调查表,与出版工作簿所印相同;为保护单个单位资料而不公布的数不写入正文。",
        "占比未注明总体的,均为占有效回答企业的比重;加权与估算方法见各表脚注。",
    )
    return Document(
        "创新调查要点", "企业创新调查主要结果", meta.period.title, tuple(s for s in sections if not s.is_empty), notes
    )


def _finding(published: Published, area: str, entry: Mapping[str, Any]) -> Sentence | None:
    match entry.get("kind", "clauses"):
        case "largest":
            return _largest(published, area, entry)
        case "spread":
            return _spread(published, area, entry)
    return _clauses(published, area, entry["clauses"])


def _clauses(published: Published, area: str, clauses: Sequence[str]) -> Sentence | None:
    """Clauses all of whose figures are shown, joined; a clause with a hidden figure is left out, never guessed."""
    said: list[str] = []
    figures: list[Figure] = []
    for clause in clauses:
        rows = {code: _total(published, area, code) for code in _SLOT.findall(clause)}
        if not all(is_shown(row) for row in rows.values()):
            continue
        known: dict[str, Row] = {code: row for code, row in rows.items() if row is not None}
        said.append(_filled(clause, known))
        figures += [figure_of(MART, row) for row in known.values()]
    return Sentence(",".join(said) + "。", tuple(figures)) if said else None


def _filled(clause: str, known: Mapping[str, Row]) -> str:
    return _SLOT.sub(lambda slot: text_of(known[slot[1]]), clause)


def _total(published: Published, area: str, code: str) -> Row | None:
    return published.one(MART, area=area, breakdown="total", indicator=code, measure="value")


def _largest(published: Published, area: str, entry: Mapping[str, Any]) -> Sentence | None:
    """The columns of a table with the largest figures. Only said when every column is shown: the largest may be hidden."""
    rows = published.rows(MART, area=area, table=entry["table"], breakdown="total", measure="value")
    rows = [r for r in rows if r["indicator"] not in entry.get("without", ())]
    if not rows or not all(is_shown(r) for r in rows):
        return None
    ordered = sorted(rows, key=lambda r: (-float(r["value"]), r["row_key"]))
    named = [r for r in ordered if not is_zero(r)]
    if not named:
        return None
    last = named[: int(entry.get("most", 3))][-1]["display"]
    # As printed, ties share the last place: none of them is left out.
    most = [r for r in named if float(r["value"]) >= min(float(n["value"]) for n in named if n["display"] == last)]
    listed = "、".join(f"{_plain(r['indicator_name'])}({text_of(r)})" for r in most)
    return Sentence(entry["text"].format(listed=listed) + "。", tuple(figure_of(MART, r) for r in most))


def _spread(published: Published, area: str, entry: Mapping[str, Any]) -> Sentence | None:
    """Highest and lowest category of a breakdown, said only when all categories are shown and they differ as printed."""
    rows = published.rows(
        MART, area=area, indicator=entry["indicator"], breakdown=entry["breakdown"], measure="value"
    )  # fmt: skip
    if len(rows) < 2 or not all(is_shown(r) for r in rows):
        return None
    ordered = sorted(rows, key=lambda r: (-float(r["value"]), r["row_key"]))
    high, low = ordered[0], ordered[-1]
    if high["display"] == low["display"]:
        return None
    text = entry["text"].format(
        high=f"{high['category_name']}({text_of(high)})", low=f"{low['category_name']}({text_of(low)})"
    )
    return Sentence(text + "。", (figure_of(MART, high), figure_of(MART, low)))


def _plain(name: str) -> str:
    for ending in _ENDINGS:
        if name.endswith(ending):
            return name.removesuffix(ending).lstrip("#")
    return name.lstrip("#")
