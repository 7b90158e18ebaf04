"""Which indicators stand in the chain in which year: late entry, one year carried, leaving and coming back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class ChainState(StrEnum):
    """The place of one indicator in one year; the value is what the coverage table prints."""

    ABSENT = "未进入"  # no figure so far
    BASE = "作底数"  # first figure, or the first after leaving: next year's growth is measured on it
    LINKED = "入链"  # growth on the year before is in the index
    CARRIED = "结转"  # missing once: last year's value stands in, growth 0
    LEFT = "退出"  # missing again: out of the chain until it has a base once more
    REFUSED = "拒用"  # negative values: bounded growth is not defined

    @property
    def in_chain(self) -> bool:
        """Whether the indicator has a growth in this year."""
        return self in (ChainState.LINKED, ChainState.CARRIED)


@dataclass(frozen=True)
class ChainLink:
    """One year of one indicator: ``now`` and ``before`` are the values its growth is taken from, None outside the chain."""

    state: ChainState
    now: float | None = None
    before: float | None = None


def chain_links(values: Sequence[float | None], carry_periods: int = 1) -> tuple[ChainLink, ...]:
    """The links of one series over consecutive years.

    Entry is in the second year with a figure; the first only serves as base. A gap of up to ``carry_periods`` years is
    carried, and the next figure is compared with the carried one, so nothing is lost; a longer gap leaves the chain in
    the year it becomes longer (years already published with a carried value stay as they are), and the first figure
    afterwards is a base again. A base that has not entered yet is carried in the same way, without a growth.
    Source: index_system 4.3.
    """
    links: list[ChainLink] = []
    last: float | None = None
    gap = 0
    entered = seen = False
    for value in values:
        if value is not None:
            links.append(
                ChainLink(ChainState.BASE, now=value)
                if last is None
                else ChainLink(ChainState.LINKED, now=value, before=last)
            )
            entered, seen, gap, last = last is not None, True, 0, value
            continue
        gap += 1
        if last is not None and gap <= carry_periods:
            links.append(
                ChainLink(ChainState.CARRIED, now=last, before=last)
                if entered
                else ChainLink(ChainState.BASE, now=last)
            )
            continue
        last, entered = None, False
        links.append(ChainLink(ChainState.LEFT if seen else ChainState.ABSENT))
    return tuple(links)
