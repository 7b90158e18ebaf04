"""Values in worksheet formulas, and when they are known.

A condition is a number: 1 holds, 0 fails, 0.5 unknown. So ``and`` is MIN, ``or`` is MAX and ``not x`` is 1 − x, which is
Kleene logic, each operand stands in the text once, and no condition is ever an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby

UNKNOWN = "0.5"
LONGEST_TEXT = 250
MOST_ARGUMENTS = 250
_PLACE = re.compile(r"(\$?)([A-Z]{1,3})(\$?)([0-9]+)")


@dataclass(frozen=True)
class Amount:
    """A number as formula text, with what must be so for it to be known.

    ``needs``: cells that must hold numbers. ``clean``: cells that must hold a number or nothing. ``tests``: further
    conditions as text. ``risky``: the text may still be an error (a division by zero). ``strength``: 1 a sum, 2 a
    product, 3 needs no parentheses.
    """

    text: str
    needs: frozenset[str] = frozenset()
    clean: frozenset[str] = frozenset()
    tests: tuple[str, ...] = ()
    risky: bool = False
    strength: int = 3

    def within(self, least: int) -> str:
        """The text as an operand that must bind at least this strongly."""
        return self.text if self.strength >= least else f"({self.text})"

    @property
    def is_plain(self) -> bool:
        """One cell or one number as it stands."""
        return self.strength == 3 and "(" not in self.text


@dataclass(frozen=True)
class Words:
    """A text as formula text; an empty result means unknown, unless ``always`` is set."""

    text: str
    always: bool = False
    parts: tuple[str, ...] = field(default_factory=tuple)


def joined(amounts: Iterable[Amount], text: str, *, risky: bool = False, strength: int = 3) -> Amount:
    """An amount made of others: it is known where all of them are."""
    found = list(amounts)
    needs = frozenset[str]().union(*(a.needs for a in found))
    clean = frozenset[str]().union(*(a.clean for a in found)) - needs
    tests = tuple(dict.fromkeys(t for a in found for t in a.tests))
    return Amount(text, needs, clean, tests, risky or any(a.risky for a in found), strength)


def guards(amount: Amount) -> list[str]:
    """The conditions under which an amount is known, but for what only its text can tell."""
    found: list[str] = []
    if len(amount.needs) == 1:
        found.append(f"ISNUMBER({next(iter(amount.needs))})")
    elif amount.needs:
        found.append(f"{calls('COUNT', amount.needs)}={len(amount.needs)}")
    if amount.clean:
        found.append(f"{calls('COUNT', amount.clean)}={calls('COUNTA', amount.clean)}")
    return [*found, *amount.tests]


def guarded(amount: Amount, text: str, otherwise: str = UNKNOWN) -> str:
    """``text`` where the amount is known, else ``otherwise``."""
    found = guards(amount)
    if amount.risky:
        text = f"IFERROR({text},{otherwise})"
    if not found:
        return text
    return f"IF({found[0] if len(found) == 1 else calls_of('AND', found)},{text},{otherwise})"


def calls(function: str, cells: Iterable[str]) -> str:
    """A function over cells, neighbours joined into ranges."""
    return calls_of(function, ranges(cells), joining="+")


def calls_of(function: str, arguments: Sequence[str], joining: str = ",") -> str:
    """A call that never has more arguments than a worksheet takes: nested (``AND``, ``MIN``) or added up (``COUNT``)."""
    if len(arguments) <= MOST_ARGUMENTS:
        return f"{function}({','.join(arguments)})"
    parts = [arguments[at : at + MOST_ARGUMENTS] for at in range(0, len(arguments), MOST_ARGUMENTS)]
    if joining == "+":
        return "(" + "+".join(f"{function}({','.join(part)})" for part in parts) + ")"
    return f"{function}({','.join(f'{function}({chr(44).join(part)})' for part in parts)})"


def ranges(cells: Iterable[str]) -> list[str]:
    """Cells as few references: neighbours in one row or column become a range; what is no plain address stays."""
    places = {cell: m for cell in cells if (m := _PLACE.fullmatch(cell))}
    rest = sorted(cell for cell in cells if cell not in places)
    spots = {cell: (number_of(m[2]), int(m[4])) for cell, m in places.items()}
    along_row = len({row for _, row in spots.values()}) <= len({column for column, _ in spots.values()})

    def track(cell: str) -> tuple[int, str, str]:
        column, row = spots[cell]
        return row if along_row else column, places[cell][1], places[cell][3]

    def position(cell: str) -> int:
        return spots[cell][0 if along_row else 1]

    ordered = sorted(spots, key=lambda cell: (track(cell), position(cell)))
    # In a run of neighbours, position minus place in the order stays the same.
    runs = groupby(enumerate(ordered), key=lambda item: (track(item[1]), position(item[1]) - item[0]))
    listed = [[cell for _, cell in run] for _, run in runs]
    return [*(run[0] if len(run) == 1 else f"{run[0]}:{run[-1]}" for run in listed), *rest]


def number_of(letters: str) -> int:
    """The number of a column: A is 1, AA is 27."""
    number = 0
    for letter in letters:
        number = 26 * number + ord(letter) - 64
    return number


def text_literal(text: str) -> str:
    """A text constant of a formula; long ones are joined, for a constant holds 255 characters at most."""
    pieces = [text[at : at + LONGEST_TEXT] for at in range(0, len(text), LONGEST_TEXT)] or [""]
    quoted = ['"' + piece.replace('"', '""') + '"' for piece in pieces]
    return quoted[0] if len(quoted) == 1 else f"({'&'.join(quoted)})"


def one_of(text: str, choices: Iterable[str]) -> str:
    """Whether a text is one of some constants, as TRUE or FALSE; case counts and nothing is a wildcard."""
    listed = list(choices)
    if len(listed) == 1:
        return f"EXACT({text},{text_literal(listed[0])})"
    separator = next(s for s in "|;~^\x1f" if not any(s in choice for choice in listed))
    whole = text_literal(separator + separator.join(listed) + separator)
    edge = text_literal(separator)
    return f"ISNUMBER(FIND({edge}&{text}&{edge},{whole}))"
