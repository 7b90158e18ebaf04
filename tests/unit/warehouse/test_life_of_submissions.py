"""Random histories of two parks against a model of a few lines: the states, the revisions, and what is in force."""

import shutil
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.errors import RefusalError
from schemas.period import Period
from warehouse.ledger import steps, submissions
from warehouse.ledger.states import CLOSED, STANDING, TRANSITIONS, State
from warehouse.ledger.verify import verify_ledger

Q1 = Period(2025, quarter=1)
PARKS = ("LBXQ", "LBGX")

acts = st.one_of(
    st.tuples(st.just("upload"), st.sampled_from(PARKS), st.sampled_from([b"A", b"B", b"C"])),
    st.tuples(st.just("file"), st.sampled_from(PARKS), st.sampled_from([b"A", b"B", b"C"])),
    st.tuples(st.sampled_from(["accept", "return", "reopen"]), st.sampled_from(PARKS), st.integers(0, 3)),
)


class Model:
    """Of each park its revisions: (files, state)."""

    def __init__(self) -> None:
        self.filed: dict[str, list[tuple[bytes, State]]] = {park: [] for park in PARKS}

    def upload(self, park: str, files: bytes) -> int:
        revisions = self.filed[park]
        if not revisions or revisions[-1][0] != files or revisions[-1][1] in CLOSED:
            revisions.append((files, State.RECEIVED))
        return len(revisions)

    def decide(self, park: str, revision: int, wanted: State) -> bool:
        revisions = self.filed[park]
        files, state = revisions[revision - 1]
        newer_stands = any(later in STANDING for _, later in revisions[revision:])
        if wanted not in TRANSITIONS[state] or (wanted == State.ACCEPTED and newer_stands):
            return False
        revisions[revision - 1] = (files, wanted)
        if wanted == State.ACCEPTED:
            for n, (earlier, was) in enumerate(revisions[: revision - 1]):
                replaced = State.SUPERSEDED in TRANSITIONS[was]
                revisions[n] = (earlier, State.SUPERSEDED if replaced else was)
        return True

    def newest(self, states: Any) -> dict[str, int]:
        found = {}
        for park, revisions in self.filed.items():
            standing = [n for n, (_, state) in enumerate(revisions, 1) if state in states]
            if standing:
                found[park] = standing[-1]
        return found


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=st.lists(acts, max_size=14))
def test_any_history_ends_as_the_model_says(
    office_in: Any, blank_home: Path, tmp_path_factory: Any, history: list[tuple[str, str, Any]]
) -> None:
    root = tmp_path_factory.mktemp("life") / "home"
    shutil.copytree(blank_home, root)
    office, model = office_in(root), Model()
    decide = {"accept": office.accept, "return": office.return_, "reopen": office.reopen}
    wanted = {"accept": State.ACCEPTED, "return": State.RETURNED, "reopen": State.REOPENED}
    for act, park, what in history:
        if act in ("upload", "file"):
            received = office.receive(what, park=park).submission
            assert received.revision == model.upload(park, what)
            if act == "file" and received.state == State.RECEIVED:
                office.check(received.number, office.clean)
                with office.ledger.write() as session:
                    steps.report(session, received.number, now=office.now, actor="liu")
                model.filed[park][-1] = (what, State.REPORTED)
        elif model.filed[park]:
            revision = what % len(model.filed[park]) + 1
            expected = model.decide(park, revision, wanted[act])
            try:
                decide[act](submissions.submission_number_of(park, Q1, revision))
                assert expected
            except RefusalError:
                assert not expected
    with office.ledger.read() as session:
        kept = {park: [one.state for one in submissions.submissions(session, period=Q1, park=park)] for park in PARKS}
        assert kept == {park: [state for _, state in revisions] for park, revisions in model.filed.items()}
        assert all(states.count(State.ACCEPTED) <= 1 for states in kept.values())
        assert revisions_of(submissions.in_force(session, Q1)) == model.newest({State.ACCEPTED})
        assert revisions_of(submissions.latest_reported(session, Q1)) == model.newest(STANDING)
        assert revisions_of(submissions.as_of(session, Q1, office.now)) == model.newest({State.ACCEPTED})
        assert verify_ledger(session).problems == ()
    office.ledger.engine.dispose()


def revisions_of(found: Any) -> dict[str, int]:
    return {one.park: one.revision for one in found}
