"""The life of a submission: its states and every permitted step between them. Nowhere else."""

from __future__ import annotations

from enum import StrEnum

from schemas.errors import RefusalError


class State(StrEnum):
    """Where a submission stands; the value is what the ledger keeps."""

    RECEIVED = "received"
    UNREADABLE = "unreadable"
    CHECKED = "checked"
    FAILED = "failed"
    EXPLAINED = "explained"
    REPORTED = "reported"
    RETURNED = "returned"
    ACCEPTED = "accepted"
    REOPENED = "reopened"
    SUPERSEDED = "superseded"

    @property
    def label(self) -> str:
        """As a clerk reads it."""
        return _LABELS[self]


_LABELS = {
    State.RECEIVED: "已接收",
    State.UNREADABLE: "无法读取",
    State.CHECKED: "已审核,待说明",
    State.FAILED: "审核未通过",
    State.EXPLAINED: "已说明,待报送",
    State.REPORTED: "已报送",
    State.RETURNED: "已退回",
    State.ACCEPTED: "已验收",
    State.REOPENED: "已撤销验收",
    State.SUPERSEDED: "已被新修订替代",
}

# The arrows back to RECEIVED are a new check of the same files (mended register, newer reader); earlier checks stay.
TRANSITIONS: dict[State, frozenset[State]] = {
    State.RECEIVED: frozenset({State.CHECKED, State.UNREADABLE, State.SUPERSEDED}),
    State.UNREADABLE: frozenset({State.RECEIVED}),
    State.CHECKED: frozenset({State.FAILED, State.EXPLAINED, State.RECEIVED, State.SUPERSEDED}),
    State.FAILED: frozenset({State.RECEIVED}),
    State.EXPLAINED: frozenset({State.REPORTED, State.RECEIVED, State.SUPERSEDED}),
    State.REPORTED: frozenset({State.RETURNED, State.ACCEPTED, State.SUPERSEDED}),
    State.RETURNED: frozenset(),
    State.ACCEPTED: frozenset({State.REOPENED, State.SUPERSEDED}),
    State.REOPENED: frozenset({State.ACCEPTED, State.RETURNED, State.SUPERSEDED}),
    State.SUPERSEDED: frozenset(),
}

#: The same files again are the same submission, unless it was returned or replaced.
CLOSED = frozenset({State.RETURNED, State.SUPERSEDED})
#: The park has reported and nothing has taken the figures back.
STANDING = frozenset({State.REPORTED, State.REOPENED, State.ACCEPTED})


def require_step(number: str, current: State, wanted: State) -> None:
    """Raise RefusalError unless ``current`` → ``wanted`` is permitted."""
    if wanted not in TRANSITIONS[current]:
        following = "、".join(f"“{state.label}”" for state in State if state in TRANSITIONS[current])
        choice = f"只能转为{following}" if following else "这一状态不再变动,请报送新的修订"
        raise RefusalError(f"{number} 当前状态为“{current.label}”,不能转为“{wanted.label}”;{choice}。")
