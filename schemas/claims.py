"""What explanations claim 情况说明的核对: words, and what must then be seen in the unit's own figures. Data of an edition.

Format: docs/formats/claims.schema.json. A claim is contradicted only where its expression is false.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from schemas.definitions import read_toml


@dataclass(frozen=True)
class Claim:
    """One claim: made by an explanation with any of ``words`` and none of ``unless``; ``expression`` must not be false."""

    id: str
    form: str
    rounds: str
    words: tuple[str, ...]
    expression: str
    message: str
    unless: tuple[str, ...] = ()
    where: str = ""

    def is_made(self, text: str) -> bool:
        """Whether an explanation says so."""
        return any(w in text for w in self.words) and not any(w in text for w in self.unless)


@dataclass(frozen=True)
class Claims:
    """The claims of an edition by id, and the words that say a figure rose or fell."""

    items: Mapping[str, Claim] = field(default_factory=dict)
    up: tuple[str, ...] = ()
    down: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()

    def direction(self, text: str) -> int:
        """1 where an explanation says the figure rose, −1 where it fell, 0 where it says both, neither or something else."""
        if any(w in text for w in self.unless):
            return 0
        return any(w in text for w in self.up) - any(w in text for w in self.down)


def read_claims(path: Path, parent: Claims | None) -> Claims:
    """The claims of an edition over those it extends. Raises DefinitionError with file and line."""
    before = parent or Claims()
    if not path.exists():
        return before
    definition = read_toml(path, "claims")
    own = {
        entry["id"]: Claim(
            entry["id"], entry["form"], entry["rounds"], tuple(entry["words"]), entry["expression"], entry["message"],
            tuple(entry.get("unless", ())), definition.line_of("id", entry["id"]),
        )
        for entry in definition.data.get("claim", [])
    }  # fmt: skip
    words = definition.data.get("direction")
    if words is None:
        return Claims({**before.items, **own}, before.up, before.down, before.unless)
    return Claims({**before.items, **own}, tuple(words["up"]), tuple(words["down"]), tuple(words.get("unless", ())))
