"""Shares, contributions, pulls and multiples 占比、贡献率、拉动、倍数: the arithmetic, on plain numbers.

Source: index_system 8; notes ② and ③ to the yearbook table 三大需求对生产总值增长的贡献率和拉动: 贡献率 is the part's increment
over the whole's increment, 拉动 is the whole's growth times the 贡献率. Null in, null out; nothing is divided by zero.
"""

from __future__ import annotations

from typing import Final

PERCENT: Final = 100.0


def share_pct(own: float | None, whole: float | None) -> float | None:
    """占比: the part in percent of the whole; None where the whole is not positive."""
    return None if own is None or whole is None or whole <= 0 else own / whole * PERCENT


def growth_pct(now: float | None, before: float | None) -> float | None:
    """增速: growth in percent; None where the base is not positive."""
    return None if now is None or before is None or before <= 0 else (now / before - 1) * PERCENT


def is_determined(whole: float, before: float, minimum_pct: float) -> bool:
    """Whether the whole moved enough (``minimum_pct`` of last year's figure) for a share of its increment to mean anything."""
    return before > 0 and abs(whole - before) >= abs(before) * minimum_pct / PERCENT and whole != before


def contribution_pct(
    own: float | None,
    own_before: float | None,
    whole: float | None,
    whole_before: float | None,
    minimum_pct: float = 0.0,
) -> float | None:
    """贡献率: the part's increment in percent of the whole's; None where the whole hardly moved (``is_determined``)."""
    if own is None or own_before is None or whole is None or whole_before is None:
        return None
    if not is_determined(whole, whole_before, minimum_pct):
        return None
    return (own - own_before) / (whole - whole_before) * PERCENT


def pull_points(own: float | None, own_before: float | None, whole_before: float | None) -> float | None:
    """拉动: percentage points of the whole's growth that come from the part: its increment over last year's whole.

    The same as 贡献率 × growth of the whole, and has a meaning where the whole did not move too.
    """
    if own is None or own_before is None or whole_before is None or whole_before <= 0:
        return None
    return (own - own_before) / whole_before * PERCENT


def at_last_years_prices(value: float | None, index: float | None) -> float | None:
    """This year's figure at last year's prices, by a price index with last year = 100."""
    return None if value is None or index is None or index <= 0 else value / (index / PERCENT)


def multiple(own: float | None, average: float | None) -> float | None:
    """为平均的倍数: how many times the average; None where the average is not positive."""
    return None if own is None or average is None or average <= 0 else own / average
