"""What explanations claim 情况说明的核对: words, and what must then be seen in the unit's own figures. Data of an edition.

Format: docs/formats/claims.schema.json. A claim is contradicted only where its expression is false.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
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


#: A figure with what it counts, a share, a day or period, the number of a document, a named body or paper.
_NAMED = re.compile(
    r"\d[\d,.]*\s*(?:[%%‰倍万亿千百元人户家个台套件吨项份笔宗亩号月日年天]|季度|公顷|平方|立方|度电|千瓦|小时)|\d{4}[-./]\d"
    r"|[一二三四五六七八九十]+(?:月|季度|号|期|成|倍)|[两二三四五六七八九十百千几]+(?:[家个台套件项份笔宗条批户]|分之)|[一二三四五六七八九十]+(?:批|条线)"
    r"|[〔《]|有限公司|集团|研究院|大学|学院|银行"
)


@dataclass(frozen=True)
class Claims:
    """The claims of an edition by id, and the words that say a figure rose or fell."""

    items: Mapping[str, Claim] = field(default_factory=dict)
    up: tuple[str, ...] = ()
    down: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    causes: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()

    def says_why(self, text: str) -> bool:
        """Whether an explanation names a cause, a figure, a day, a document or another body; True where no causes are declared."""
        if not self.causes or _NAMED.search(text) is not None:
            return True
        for phrase in sorted(self.beside, key=len, reverse=True):
            text = text.replace(phrase, "、")
        return any(w in text for w in self.causes)

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
    words, causes = definition.data.get("direction"), definition.data.get("causes")
    found = replace(before, items={**before.items, **own})
    if causes is not None:
        found = replace(found, causes=tuple(causes["words"]), beside=tuple(causes.get("beside", ())))
    if words is None:
        return found
    return replace(found, up=tuple(words["up"]), down=tuple(words["down"]), unless=tuple(words.get("unless", ())))
