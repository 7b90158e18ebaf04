"""How a published figure appears on the dashboard: its display, its mark, its trace, and nothing computed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import polars as pl
from markupsafe import Markup, escape

from exports.display import number_of
from exports.layout import Figure, word_of
from schemas.marts import STATUSES

_GROUP: Final = 3


def grouped(display: str) -> Markup:
    """``display`` with thin gaps every three digits by style alone: the text a reader copies stays the display."""
    if number_of(display) is None:
        return escape(display)
    sign, digits = ("-", display[1:]) if display.startswith("-") else ("", display)
    whole, dot, fraction = digits.partition(".")
    if len(whole) <= _GROUP + 1:
        return escape(display)
    first = len(whole) % _GROUP or _GROUP
    parts = [whole[:first], *(whole[n : n + _GROUP] for n in range(first, len(whole), _GROUP))]
    return Markup(f"{sign}{'<i></i>'.join(parts)}{dot}{fraction}")


def status_title(status: str) -> str:
    """What a mark or an estimate means, for a hint beside the figure; empty for a plain one."""
    return "" if status == "A" else STATUSES[status][1]


def value(mart: str, figure: Figure | None, tag: str = "td", also: str = "") -> Markup:
    """One figure as an element that says where it comes from (``data-k`` the row_key); ``also``: further classes.

    No figure gives an empty element.
    """
    if figure is None:
        return Markup(f"<{tag}></{tag}>")
    hint = "。".join(filter(None, (status_title(figure.status), figure.note if figure.status != "C" else "")))
    title = f' title="{escape(hint)}"' if hint else ""
    title += f' data-w="{escape(figure.word)}"' if figure.word else ""
    classes = escape(" ".join(filter(None, ("v", f"s{figure.status}", also))))
    return Markup(
        f'<{tag} class="{classes}" data-m="{escape(mart)}" data-k="{escape(figure.row_key)}"{title}>'
        f"{grouped(figure.display)}</{tag}>"
    )


@dataclass(frozen=True)
class Mart:
    """A published mart with fast access by dimension."""

    name: str
    frame: pl.DataFrame

    def rows(self, **dimensions: str) -> list[dict[str, Any]]:
        """Cells with the given dimension values, in the order of the mart."""
        return self.frame.filter(**dimensions).to_dicts() if dimensions else self.frame.to_dicts()

    def one(self, **dimensions: str) -> Figure | None:
        """The only cell with the given dimension values; None where there is none."""
        found = self.rows(**dimensions)
        return figure_of(found[0]) if len(found) == 1 else None


def figure_of(row: dict[str, Any]) -> Figure:
    """A cell of a mart as a figure."""
    word = word_of(row["measure"], row["display"])
    return Figure(row["row_key"], row["display"], row["status"], row["unit_measure"], word, row["note"] or "")
