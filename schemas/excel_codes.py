"""Codes in worksheet formulas: check characters of the credit code, industry sections, membership of a code list."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from schemas.excel_cells import not_expressible
from schemas.excel_values import UNKNOWN, one_of, text_literal
from schemas.uscc import CHARACTERS, DEPARTMENTS, ORGANISATION_WEIGHTS, WEIGHTS

BASE36 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
CHECK11 = "0123456789X"


def valid_uscc(text: str, *, organisation_codes: bool) -> str:
    """Whether a text is a credit code (or, up to 2015, an organisation code) with right check characters: TRUE or FALSE.

    Character by character: an array constant cannot stand in a formula that is filled down.
    """
    organisation = f"{_weighted(text, 9, ORGANISATION_WEIGHTS, BASE36)}+{_value(text, 17, CHECK11)}"
    tests = [
        f"LEN({text})=18",
        f'ISNUMBER(FIND(LEFT({text},1),"{DEPARTMENTS}"))',
        f'TEXT(VALUE(MID({text},3,6)),"000000")=MID({text},3,6)',
        f"MOD({_weighted(text, 1, (*WEIGHTS, 1), CHARACTERS)},31)=0",
        f"MOD({organisation},11)=0",
    ]
    whole = f"IFERROR(AND({','.join(tests)}),FALSE)"
    if not organisation_codes:
        return whole
    shape = f'OR(LEN({text})=9,AND(LEN({text})=10,MID({text},9,1)="-"))'
    check = f"{_weighted(text, 1, ORGANISATION_WEIGHTS, BASE36)}+FIND(RIGHT({text},1),{text_literal(CHECK11)})-1"
    return f"OR({whole},IFERROR(AND({shape},MOD({check},11)=0),FALSE))"


def _weighted(text: str, first: int, weights: Sequence[int], characters: str) -> str:
    return "+".join(f"{weight}*({_value(text, first + n, characters)})" for n, weight in enumerate(weights))


def _value(text: str, at: int, characters: str) -> str:
    return f'FIND(MID({text},{at},1),"{characters}")-1'


def section_in(text: str, letters: Iterable[str], industries: Mapping[str, str]) -> str:
    """Whether the industry class is of one of these sections: 1, 0, or unknown where its division is of no section."""
    wanted = frozenset(letters)
    inside = [division for division, letter in industries.items() if letter in wanted]
    outside = [division for division, letter in industries.items() if letter not in wanted]
    division = f"LEFT({text},2)"
    otherwise = f"IF({one_of(division, outside)},0,{UNKNOWN})" if outside else UNKNOWN
    return f"IF({one_of(division, inside)},1,{otherwise})" if inside else otherwise


def in_industries(text: str, prefixes: Sequence[str], industries: Mapping[str, str]) -> str:
    """Whether the class belongs to one of the sections with digits (``C39``), the text being known."""
    found: list[str] = []
    whole = [prefix for prefix in prefixes if len(prefix) == 1]
    if whole:
        found.append(section_in(text, whole, industries))
    by_length: dict[int, list[str]] = {}
    for prefix in prefixes:
        digits = prefix[1:]
        if len(digits) == 1:
            raise not_expressible(f"行业前缀 {prefix} 只有一位数字")
        if digits and industries.get(digits[:2]) == prefix[0]:
            by_length.setdefault(len(digits), []).append(digits)
    found += [f"--{one_of(f'LEFT({text},{length})', digits)}" for length, digits in sorted(by_length.items())]
    return f"MAX({','.join(found)})" if len(found) > 1 else found[0] if found else "0"


def section_letter(text: str, industries: Mapping[str, str]) -> str:
    """The section letter of an industry class, empty where its division is of none."""
    table = text_literal("".join(f"|{division}{letter}" for division, letter in industries.items()))
    return f'IF(LEN({text})<2,"",IFERROR(MID({table},FIND("|"&LEFT({text},2),{table})+3,1),""))'


def listed(text: str, area: str) -> str:
    """Whether a text stands in a range of codes, as TRUE or FALSE. MATCH alone takes wildcards and ignores case."""
    return f"IFERROR(EXACT(INDEX({area},MATCH({text},{area},0)),{text}),FALSE)" if area else "FALSE"
