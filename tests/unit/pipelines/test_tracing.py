"""What a published figure rests on is what counted when it was printed, whatever has become of it since."""

from __future__ import annotations

from pipelines.tracing import counted
from schemas.period import Period


def ref(number: str, park: str, revision: int, state: str, period: str = "2016-Q1") -> dict[str, object]:
    return {"id": number, "park": park, "period": period, "revision": revision, "state": state}


REFS = [
    ref("A1", "A", 1, "accepted"), ref("A2", "A", 2, "reported"), ref("B1", "B", 1, "superseded"), ref("B2", "B", 2, "accepted"),
    ref("C1", "C", 1, "reported"), ref("C2", "C", 2, "reopened"), ref("D1", "D", 1, "accepted", "2016"), ref("E1", "E", 1, "reported", "2016"),
]  # fmt: skip


def test_of_each_park_the_accepted_one_else_for_a_quarter_the_newest_reported() -> None:
    assert counted(REFS, Period.parse("2016-Q1")) == {"A1", "B2", "C2"}
    assert counted(REFS, Period.parse("2016")) == {"D1"}
    assert counted(REFS, Period.parse("2015-Q1")) == set()
