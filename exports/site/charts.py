"""Charts of the dashboard as data: the browser draws them from displays, and the words for those who do not see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from exports.display import number_of


@dataclass(frozen=True)
class Series:
    """One series; ``shown`` are displays, one a category."""

    name: str
    shown: tuple[str, ...]


@dataclass(frozen=True)
class Chart:
    """One chart. ``kind``: line, bar (upright) or hbar (lying, for long names). ``from_zero``: whether the axis needs 0."""

    id: str
    kind: str
    title: str
    unit: str
    categories: tuple[str, ...]
    series: tuple[Series, ...]
    from_zero: bool = True

    @property
    def alt(self) -> str:
        """What the chart says, in a sentence."""
        return " ".join((f"{'折线图' if self.kind == 'line' else '条形图'}:{self.title}。", *self._sentences()))

    def _sentences(self) -> Sequence[str]:
        unit = self.unit
        said = []
        for series in self.series[:8]:
            known = [(c, s) for c, s in zip(self.categories, series.shown, strict=True) if number_of(s) is not None]
            if not known:
                said.append(f"{series.name}没有可公布的数字。")
            elif self.kind == "line":
                (first, a), (last, b) = known[0], known[-1]
                said.append(f"{series.name}:{first}为{a}{unit},{last}为{b}{unit}。")
            else:
                said.append(f"{series.name}:{'、'.join(f'{c}{s}{unit}' for c, s in known[:12])}。")
        return said

    @property
    def has_figures(self) -> bool:
        """Whether there is anything to draw."""
        return any(number_of(s) is not None for series in self.series for s in series.shown)

    def to_json(self) -> dict[str, Any]:
        """For the browser."""
        return asdict(self)
