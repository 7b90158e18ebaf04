"""Long names of parks, enterprises and files: whole where they stand first on a page, shortened by the style sheet where they, or
names that begin alike, stand again.

The words stay whole in the page, for who listens, searches, copies or prints; a pointer that rests on them shows them. The end of
a name is always seen, because that is where long names differ (…第4分区).
"""

from __future__ import annotations

import re
from itertools import takewhile
from typing import Any

from markupsafe import Markup, escape

LONG = 20
"""Names of more characters are long."""
HEAD = 12
"""Names that have so many characters at the beginning in common are alike."""
TAIL, LONGEST_TAIL = 6, 10
"""So many characters at the end are always shown; a name that differs in more of them is left whole."""

_MARKED = re.compile(r'<span class="long" title="([^"]*)">.*?</span>', re.DOTALL)


def long_name(name: Any) -> Markup:
    """A name, marked where it is long."""
    text = str(name)
    if len(text) <= LONG:
        return escape(text)
    return Markup('<span class="long" title="{}">{}</span>').format(text, text)


def with_repeats_shortened(page: str) -> str:
    """A rendered page in which a long name that has stood there before, or one that begins as it does and differs at the end, is
    put so that the style sheet can shorten its head."""
    seen: dict[str, list[str]] = {}

    def put(found: re.Match[str]) -> str:
        name = Markup(found[1]).unescape()
        like = seen.setdefault(name[:HEAD], [])
        shared = max((_shared(name, other) for other in like), default=0)
        # The first and the last of those that begin alike are enough to tell, however long a list is.
        like[1:] = [name]
        tail = max(TAIL, len(name) - shared)
        if shared < HEAD or tail > LONGEST_TAIL:
            return found[0]
        whole = Markup('<span class="again" title="{}"><span>{}</span><span>{}</span></span>')
        return str(whole.format(name, name[:-tail], name[-tail:]))

    return _MARKED.sub(put, page)


def _shared(name: str, other: str) -> int:
    """How many characters two names have in common at the beginning."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(name, other, strict=False)))
