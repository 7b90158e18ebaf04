"""Formulas of the result workbook: outlier treatment and normalisation of one cell as plain spreadsheet functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from pipelines.methods.index.definition import Leaf
from pipelines.methods.index.outliers import Treatment


@dataclass(frozen=True)
class Place:
    """The addresses a score is computed from: value, its two parameters, the column of values, the classes."""

    x: str
    first: str
    second: str
    column: str
    classes: str
    unit_class: str


def number_text(number: float) -> str:
    """A number in a formula: all its digits, in brackets where negative."""
    text = repr(float(number))
    return f"({text})" if number < 0 else text


def treatment_formula(treatment: Treatment, x: str) -> str:
    """The treated value of the cell ``x``."""
    if np.isfinite(treatment.high):
        x = f"MIN({x},{number_text(treatment.high)})"
    if np.isfinite(treatment.low):
        x = f"MAX({x},{number_text(treatment.low)})"
    if treatment.kind == "none":
        return x
    if treatment.kind in ("log", "log_shifted") or treatment.power == 0.0:
        return f"LN({x}+{number_text(treatment.shift)})"
    return f"(({x}+{number_text(treatment.shift)})^{number_text(treatment.power)}-1)/{number_text(treatment.power)}"


Formula = Callable[[Leaf, Place], str]


def _bounded(leaf: Leaf, text: str) -> str:
    floor, ceiling = leaf.normalisation.effective["floor"], leaf.normalisation.effective["ceiling"]
    if ceiling is not None:
        text = f"MIN({text},{number_text(ceiling)})"
    return text if floor is None else f"MAX({text},{number_text(floor)})"


def _on_a_line(x: str, worst: str, best: str, low: float, high: float) -> str:
    width = number_text(high - low)
    return (
        f"IF({worst}={best},{number_text((low + high) / 2)},{number_text(low)}+({x}-{worst})/({best}-{worst})*{width})"
    )


def _minmax(leaf: Leaf, at: Place) -> str:
    step = leaf.normalisation
    return _on_a_line(at.x, at.first, at.second, step.number("low"), step.number("high"))


def _goalposts(leaf: Leaf, at: Place) -> str:
    step = leaf.normalisation
    low, high = step.number("low"), step.number("high")
    x, first, second = at.x, at.first, at.second
    if step.effective["log"]:
        x, first, second = (f"LN({part})" for part in (x, first, second))
    return _bounded(leaf, _on_a_line(x, first, second, low, high))


def _efficacy(leaf: Leaf, at: Place) -> str:
    line = _on_a_line(at.x, at.first, at.second, leaf.normalisation.number("base"), 100.0)
    return _bounded(leaf, line)


def _zscore(leaf: Leaf, at: Place) -> str:
    step = leaf.normalisation
    centre, spread = step.number("centre"), step.number("spread") * leaf.direction
    text = f"IF({at.second}=0,{number_text(centre)},{number_text(centre)}+{number_text(spread)}*({at.x}-{at.first})/{at.second})"
    return _bounded(leaf, text)


def _distance(leaf: Leaf, at: Place) -> str:
    above, below = (at.x, at.first) if leaf.direction > 0 else (at.first, at.x)
    text = f"{above}/{below}*100"
    return text if leaf.normalisation.method == "distance_to_best" else _bounded(leaf, text)


def _rank(leaf: Leaf, at: Place) -> str:
    column, peers = at.column, _peers(leaf, at)
    sign = "<" if leaf.direction > 0 else ">"
    return f"SUMPRODUCT({peers}*({column}{sign}{at.x}))+(SUMPRODUCT({peers}*({column}={at.x}))+1)/2"


def _peers(leaf: Leaf, at: Place) -> str:
    known = f"ISNUMBER({at.column})"
    return f"{known}*({at.classes}={at.unit_class})" if leaf.normalisation.effective["within"] == "class" else known


def _percentile(leaf: Leaf, at: Place) -> str:
    count = f"SUMPRODUCT({_peers(leaf, at)}*1)"
    place = _rank(leaf, at)
    return f"IF({count}=1,50,({place}-1)/({count}-1)*100)"


def _borda(leaf: Leaf, at: Place) -> str:
    return f"{_rank(leaf, at)}-1"


def _growth(leaf: Leaf, at: Place) -> str:
    cap, x, before = number_text(leaf.normalisation.number("cap")), at.x, at.first
    return f"IF({x}+{before}=0,0,MAX(-{cap},MIN({cap},{leaf.direction}*({x}-{before})/(({x}+{before})/2)*100)))"


def _difference(leaf: Leaf, at: Place) -> str:
    text = f"{leaf.direction}*({at.x}-{at.first})/{number_text(leaf.normalisation.number('scale'))}*100"
    cap = leaf.normalisation.effective["cap"]
    return text if cap is None else f"MAX(-{number_text(float(cap))},MIN({number_text(float(cap))},{text}))"


def _none(leaf: Leaf, at: Place) -> str:
    return f"{leaf.direction}*{at.x}"


SCORE_FORMULAS: Final[dict[str, Formula]] = {
    "minmax": _minmax,
    "goalposts": _goalposts,
    "efficacy": _efficacy,
    "zscore": _zscore,
    "distance_to_target": _distance,
    "distance_to_best": _distance,
    "base_growth": _distance,
    "rank": _rank,
    "percentile": _percentile,
    "borda": _borda,
    "bounded_growth": _growth,
    "difference": _difference,
    "none": _none,
}
