"""What became of warnings 预警的来龙去脉: every episode from the quarter it began to the quarter it was lifted, from kept levels.

An episode is a run of quarters with a standing level of 1 or more of one area and indicator; a quarter on file in which the level is
undetermined or kept back does not end it, a quarter that is not on file does (docs/methods/warnings.md).
"""

from __future__ import annotations

from typing import Any, Final

import polars as pl

from schemas.period import Period

EPISODES: Final[dict[str, pl.DataType]] = {
    "area": pl.String(), "area_name": pl.String(), "indicator": pl.String(), "indicator_name": pl.String(), "began": pl.String(),
    "last": pl.String(), "quarters": pl.Int64(), "first_level": pl.Int64(), "highest": pl.Int64(), "last_level": pl.Int64(),
    "levels": pl.String(), "outcome": pl.String(), "lifted": pl.String(), "reason": pl.String(),
}  # fmt: skip
OUTCOMES: Final = {"lifted": "已解除", "standing": "仍在预警", "unfollowed": "其后一季没有数据"}
COMBINED: Final = "W"
LEVELS: Final = ("正常", "蓝", "黄", "橙", "红")


def warning_episodes(cells: pl.DataFrame) -> pl.DataFrame:
    """``EPISODES``, newest first, of the cells of ``monitoring_warnings`` of any number of quarters (one version of each).

    ``reason``: the sentence with figures of the quarter in which the highest level was first reached; of the combined level, which has
    no such sentence, what its level rests on."""
    levels = cells.filter(pl.col("measure") == "level").sort("area", "indicator", "period")
    values = cells.filter(pl.col("measure") == "value")
    # A combined level has no value of its own: its note says what fired.
    said = {
        (r["area"], r["indicator"], r["period"]): r["note"]
        for r in levels.iter_rows(named=True)
        if r["indicator"] == COMBINED
    }
    said |= {(r["area"], r["indicator"], r["period"]): r["note"] for r in values.iter_rows(named=True)}
    on_file = sorted({Period.parse(p) for p in levels["period"]})
    found: list[dict[str, Any]] = []
    for _, own in levels.group_by(["area", "indicator"], maintain_order=True):
        by_period = {Period.parse(r["period"]): r for r in own.iter_rows(named=True)}
        episode: list[dict[str, Any]] = []
        before: Period | None = None
        for period in on_file:
            row = by_period.get(period)
            level = None if row is None or row["value"] is None else int(row["value"])
            if episode and before is not None and not _follows(before, period):
                found.append(_told(episode, said, "unfollowed", ""))
                episode = []
            if level:
                assert row is not None
                episode.append(row)
            elif level == 0 and episode:
                found.append(_told(episode, said, "lifted", str(period)))
                episode = []
            before = period
        if episode:
            found.append(_told(episode, said, "standing", ""))
    frame = pl.DataFrame(found, schema=EPISODES, orient="row")
    return frame.sort("began", "area", "indicator", descending=[True, False, False])


def _follows(before: Period, period: Period) -> bool:
    return (period.previous() or Period(period.year - 1, 4)) == before


def _told(
    episode: list[dict[str, Any]], said: dict[tuple[str, str, str], str], outcome: str, lifted: str
) -> dict[str, Any]:
    levels = [int(r["value"]) for r in episode]
    first, last, peak = episode[0], episode[-1], episode[levels.index(max(levels))]
    return {
        "area": first["area"], "area_name": first["area_name"], "indicator": first["indicator"], "indicator_name": first["indicator_name"],
        "began": first["period"], "last": last["period"], "quarters": len(episode), "first_level": levels[0], "highest": max(levels),
        "last_level": levels[-1], "levels": "→".join(LEVELS[n] for n in levels), "outcome": OUTCOMES[outcome], "lifted": lifted,
        "reason": said.get((peak["area"], peak["indicator"], peak["period"]), ""),
    }  # fmt: skip
