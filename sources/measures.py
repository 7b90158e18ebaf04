"""Units of measure 计量单位 of foreign tables → those of the programme, as exact factors.

A factor is a fraction: figures are converted without rounding, or not at all. Between currencies, or between things of different
kinds, there is none. Source: GB 3100; 1 公顷 = 15 亩; 亿 = 10^8.
"""

from __future__ import annotations

import re
import unicodedata
from fractions import Fraction
from functools import lru_cache

_PREFIXES = {
    "万亿": 10**12, "亿": 10**8, "千万": 10**7, "百万": 10**6, "十万": 10**5, "万": 10**4, "千": 10**3, "百": 10**2, "十": 10,
}  # fmt: skip
_SQUARE = "平方米"
_BASES: dict[str, tuple[str, Fraction]] = {
    **{name: ("元", Fraction(1)) for name in ("元", "元人民币", "人民币元", "RMB")},
    **{name: ("美元", Fraction(1)) for name in ("美元", "USD")},
    **{name: ("人", Fraction(1)) for name in ("人", "名")},
    **{name: ("家", Fraction(1)) for name in ("家", "户")},
    **{name: (name, Fraction(1)) for name in ("个", "件", "项", "位", "年", "人年", "人次")},
    **{name: ("台(套)", Fraction(1)) for name in ("台(套)", "台套", "台/套")},
    **{name: ("吨", Fraction(1)) for name in ("吨", "T")},
    **{name: ("吨", Fraction(1, 1000)) for name in ("千克", "公斤", "KG")},
    **{name: ("吨标准煤", Fraction(1)) for name in ("吨标准煤", "吨标煤", "TCE")},
    **{name: ("千瓦时", Fraction(1)) for name in ("千瓦时", "度", "KWH")},
    **{name: (_SQUARE, Fraction(1)) for name in ("平方米", "M2")},
    "亩": (_SQUARE, Fraction(2000, 3)),
    **{name: (_SQUARE, Fraction(10**4)) for name in ("公顷", "HA")},
    **{name: (_SQUARE, Fraction(10**6)) for name in ("平方公里", "平方千米", "KM2")},
    **{name: ("%", Fraction(1)) for name in ("%", "百分比", "百分点")},
    "‰": ("%", Fraction(1, 10)),
}
_BRACKETED = re.compile(r"[(\[]\s*(?:单位[::]?)?\s*([^()\[\]]*(?:\([^()]*\))?)\s*[)\]]\s*$")


def plain_text(text: object) -> str:
    """A label without blanks and line breaks, full-width characters as half-width ones: what labels are compared by."""
    return _plain(str(text))


# A label stands above or beside hundreds of figures.
@lru_cache(maxsize=1 << 14)
def _plain(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).split()).replace(":", ":")


@lru_cache(maxsize=1 << 12)
def factor(foreign: str, ours: str) -> Fraction | None:
    """What a figure in ``foreign`` is multiplied by to be one in ``ours``; None where the two cannot be compared."""
    left, right = _measured(foreign), _measured(ours)
    if plain_text(foreign) == plain_text(ours):
        return Fraction(1)
    if left is None or right is None or left[0] != right[0]:
        return None
    return left[1] / right[1]


def is_measure(text: str) -> bool:
    """Whether a text is a unit of measure that is known here."""
    return _measured(text) is not None


@lru_cache(maxsize=1 << 12)
def without_measure(label: str) -> tuple[str, str]:
    """A label without the unit of measure in brackets behind it, and that unit; empty where there is none."""
    text = plain_text(label)
    found = _BRACKETED.search(text)
    if found is None or not is_measure(found[1]):
        return text, ""
    return text[: found.start()], found[1]


def _measured(text: str) -> tuple[str, Fraction] | None:
    """(what is measured, in how many of its base unit)."""
    name = plain_text(text).removeprefix("单位:").upper()
    if name in _BASES:
        return _BASES[name]
    for prefix, times in _PREFIXES.items():
        rest = name.removeprefix(prefix)
        if rest != name and rest in _BASES:
            base, size = _BASES[rest]
            return base, size * times
    return None
