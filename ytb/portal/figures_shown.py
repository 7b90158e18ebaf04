"""Figures of a finding as pages show them: names with the codes, and no figure broken across two lines."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

from schemas.model import Edition

LONGEST_WHOLE = 24
"""Longer values are texts, not figures, and may be broken."""

_PAIR = re.compile(r"(?<![A-Za-z0-9_(])([A-Z]\d{2,3})((?:_\w+)?=)")
_PART = re.compile(r"(?:[^,,\s]|,(?=\d{3}(?!\d)))+[,,]?")
_CODED = re.compile(r"\(?[A-Z]\d{2,3}\)?(?:_\w+)?=")


def with_names(found: str, edition: Edition) -> str:
    """``F21=90,P02=88`` with what the codes are called; codes the edition does not know stand for themselves."""

    def named(pair: re.Match[str]) -> str:
        known = edition.indicators.get(pair[1])
        return f"{known.name}({pair[1]}){pair[2]}" if known else pair[0]

    return _PAIR.sub(named, found)


def figures(found: str) -> Markup:
    """The text with every ``code=value`` kept on one line; a line may end between two of them, and inside a name."""
    shown, at = Markup(""), 0
    for part in _PART.finditer(found):
        coded = _CODED.search(part[0])
        start = part.start() + (coded.start() if coded else 0)
        whole = found[start : part.end()]
        if len(whole) > LONGEST_WHOLE or not any(sign.isdigit() for sign in whole):
            continue
        shown += escape(found[at:start]) + Markup('<wbr><span class="whole">{}</span><wbr>').format(whole)
        at = part.end()
    return shown + escape(found[at:])
