"""Which of a programme's own indicators play a part that methods ask for: ``[roles]`` of ``programme.toml``.

Unlike ``schemas.reserved`` the codes are the programme's choice. What is not named has no such part: nothing is ranked by size, no
task register is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from schemas.errors import DefinitionError
from schemas.model import Edition


@dataclass(frozen=True)
class Roles:
    """``size``: what the size of a unit is measured by (the largest of a park, the weight of an unanswered denominator).
    ``task``, ``task_value``, ``task_unit``: the row of a plan, its cumulative figure and its unit in the task register.
    ``project_company``: the enterprise of the unit register that carries a project.
    ``stated``: what a park states of an enterprise when it applies for an entry in the unit register.
    ``compared``: answers of the basic form that are held against the register when a report is accepted.
    ``headline``: what readers of a release look for first; ``highlights``: tables whose shares the dashboard begins with."""

    size: str = ""
    task: str = ""
    task_value: str = ""
    task_unit: str = ""
    project_company: str = ""
    stated: tuple[str, ...] = ()
    compared: tuple[str, ...] = ()
    headline: tuple[str, ...] = ()
    highlights: tuple[str, ...] = ()

    @property
    def codes(self) -> Iterator[tuple[str, str]]:
        """(role, code) of every indicator named."""
        for one in (f for f in fields(self) if f.name != "highlights"):
            named = getattr(self, one.name)
            yield from ((one.name, code) for code in (named if isinstance(named, tuple) else (named,)) if code)

    @property
    def has_tasks(self) -> bool:
        """Whether there is a task register that can be read."""
        return bool(self.task and self.task_value)


def roles_of(edition: Edition) -> Roles:
    """The roles an edition names. Raises DefinitionError for one nobody asks for."""
    given: Mapping[str, Any] = edition.parameters.get("roles", {})
    if unknown := sorted(given.keys() - {one.name for one in fields(Roles)}):
        raise DefinitionError(
            f"[roles] 没有 {'、'.join(unknown)}",
            where=f"{edition.id}/programme.toml",
            remedy=f"可用:{'、'.join(one.name for one in fields(Roles))}。",
        )
    named: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in given.items()}
    return Roles(**named)
