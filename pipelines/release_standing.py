"""How firm a release is 发布状态: 快报, 初步数 or 最终数, from which parks had filed, whether the round was closed, and who answered."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from exports.display import figure, number_of
from pipelines.inputs import Inputs
from pipelines.methods.response import answer_counts
from schemas.catalog import register_of_parks
from schemas.period import Period
from schemas.period_data import ENTERPRISE
from warehouse.ledger.states import State

FILED: Final = (State.REPORTED, State.REOPENED, State.ACCEPTED)


def standing_of(inputs: Inputs, period: Period, now: datetime) -> dict[str, Any]:
    """What the manifest says under ``standing``; plain JSON values, the same whenever it is made again.

    flash 快报: a park that owes has not filed. preliminary 初步数: all have filed, but not everything is accepted. final 最终数: everything
    is accepted. ``deadlines_past``: whether a park that owes could still be in time; a round that was never opened has none to wait for.
    """
    zones = set(register_of_parks(inputs.programme).filter(kind="zone")["code"])
    register = inputs.register.get(str(period))
    of_period = [s for s in inputs.submissions if s.period == period]
    filed = {s.park for s in of_period if s.state in FILED}
    owing = (set(register["park"].to_list()) & zones if register is not None else set()) | (filed & zones)
    accepted = {s.park for s in of_period if s.state is State.ACCEPTED} & owing
    deadlines = inputs.deadlines.get(str(period), {})
    closed = all(at <= now for park, at in deadlines.items() if park in owing)
    stage = "flash" if filed & owing != owing else "final" if accepted == owing else "preliminary"
    counts = answer_counts(inputs.population("effective").bare(period).rosters[ENTERPRISE], [])
    units = counts.row(0, named=True) if counts.height else {"units_due": 0, "units_reported": 0, "response_rate": None}
    rate = units["response_rate"]
    return {
        "stage": stage,
        "parks_due": len(owing),
        "parks_filed": len(filed & owing),
        "parks_accepted": len(accepted),
        "deadlines_past": closed,
        "units_due": units["units_due"],
        "units_reported": units["units_reported"],
        "response_rate": None if rate is None else number_of(figure(rate, 1)),
    }
