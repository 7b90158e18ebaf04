"""What stands behind every index figure: weight entered, weight available, and whether the figure may be published."""

from __future__ import annotations

from dataclasses import dataclass

from exports.display import percent
from pipelines.methods.index.chain_entry import ChainState
from pipelines.methods.index.development import AreaChain, Thresholds
from schemas.model import IndexSystem


@dataclass(frozen=True)
class Coverage:
    """The weights behind one figure of one year; ``whole`` is the nominal weight of the dimension or of the system.

    ``entered`` is the weight of the indicators that have ever been in the chain, the denominator of ``share``;
    ``available`` of those with a growth in this year, carried ones included; ``carried`` of the carried ones.
    """

    whole: float
    entered: float
    available: float
    carried: float
    minimum: float
    low: float = 0.0
    is_base: bool = False

    @property
    def share(self) -> float | None:
        """Available weight over entered weight; None before anything has entered."""
        return self.available / self.entered if self.entered > 0 else None

    @property
    def is_published(self) -> bool:
        """Whether the figure may be shown: the year the chain begins in, or enough of the entered weight."""
        return self.is_base or (self.share is not None and self.share >= self.minimum)

    @property
    def is_low(self) -> bool:
        """覆盖不足: published, but less than the stated part of the whole weight is in the chain."""
        return not self.is_base and self.available / self.whole < self.low

    def reason(self) -> str:
        """Why the figure is withheld or marked, as a Chinese sentence; empty where there is nothing to say."""
        if self.is_base:
            return ""
        if self.share is None:
            return "尚无指标进入链。"
        if not self.is_published:
            return f"可用权重 {self.available:g},占已进入链权重 {self.entered:g} 的 {percent(self.share)},低于 {percent(self.minimum)},不发布。"
        if self.is_low:
            return f"覆盖不足:链内指标权重 {self.available:g},占全部权重 {self.whole:g} 的 {percent(self.available / self.whole)}。"
        return ""


def total_coverage(chain: AreaChain, system: IndexSystem, year: int) -> Coverage:
    """Coverage of the total index of an area in the year at this position."""
    thresholds = Thresholds.of(system)
    return _coverage(
        chain, system, year, "", thresholds.total_minimum, thresholds.low_coverage, is_base=year == chain.start
    )


def dimension_coverage(chain: AreaChain, system: IndexSystem, dimension: str, year: int) -> Coverage:
    """Coverage of one dimension; its base is the first year one of its indicators has a figure."""
    position = list(system.dimensions).index(dimension)
    levels = chain.dimension_levels[:, position]
    begins = next((t for t in range(len(levels)) if levels[t] == levels[t]), None)
    return _coverage(
        chain, system, year, dimension, Thresholds.of(system).dimension_minimum, 0.0, is_base=year == begins
    )


def _coverage(
    chain: AreaChain, system: IndexSystem, year: int, dimension: str, minimum: float, low: float, *, is_base: bool
) -> Coverage:
    chosen = [(k, i.weight) for k, i in enumerate(system.indicators) if dimension in ("", i.dimension)]
    return Coverage(
        whole=sum(w for _, w in chosen),
        entered=sum(w for k, w in chosen if chain.entered_by(k, year)),
        available=sum(w for k, w in chosen if chain.state(k, year).in_chain),
        carried=sum(w for k, w in chosen if chain.state(k, year) is ChainState.CARRIED),
        minimum=minimum,
        low=low,
        is_base=is_base,
    )
