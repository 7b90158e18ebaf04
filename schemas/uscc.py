"""Unified social credit code 统一社会信用代码: GB 32100-2015 with its amendment, and the organisation code in it, GB 11714.

Source: survey_system.md 3. The registering department (first character) may be a letter (A, N, Y); positions 9 to 17 are
the organisation code, whose last character is a check character of its own (10 is X).
"""

from __future__ import annotations

import re
from functools import reduce

import polars as pl

CHARACTERS = "0123456789ABCDEFGHJKLMNPQRTUWXY"
WEIGHTS = tuple(pow(3, i, 31) for i in range(17))
DEPARTMENTS = "123456789ANY"
ORGANISATION_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)

# Complete shapes, for engines that match the whole text.
SHAPE = rf"[{DEPARTMENTS}][{CHARACTERS}][0-9]{{6}}[{CHARACTERS}]{{10}}"
ORGANISATION_SHAPE = "[0-9A-Z]{8}[0-9X]"
_PATTERN = re.compile(SHAPE)


def check_character(body: str) -> str:
    """The 18th character for the first 17: (31 − Σ C·W mod 31) mod 31. Raises ValueError for a character outside the set."""
    if len(body) != 17:
        raise ValueError("17 characters are needed")
    total = sum(CHARACTERS.index(character) * weight for character, weight in zip(body, WEIGHTS, strict=True))
    return CHARACTERS[-total % 31]


def organisation_check_character(body: str) -> str:
    """The 9th character of an organisation code 组织机构代码 for its first 8: 11 − Σ mod 11; 10 is X, 11 is 0."""
    if len(body) != 8:
        raise ValueError("8 characters are needed")
    total = sum(int(character, 36) * weight for character, weight in zip(body, ORGANISATION_WEIGHTS, strict=True))
    return "0123456789X"[-total % 11]


def is_valid_uscc(text: str) -> bool:
    """Whether the text has the shape of a code and both its check characters are right."""
    return (
        _PATTERN.fullmatch(text) is not None
        and check_character(text[:17]) == text[17]
        and organisation_check_character(text[8:16]) == text[16]
    )


def valid_uscc(code: pl.Expr) -> pl.Expr:
    """``is_valid_uscc`` over a text column, null where the code is null; no Python a row."""
    characters = [code.str.slice(i, 1) for i in range(18)]
    values = [_position(c, CHARACTERS) for c in characters]
    total = reduce(lambda a, b: a + b, (v * w for v, w in zip(values, WEIGHTS, strict=False)))
    base36 = [_position(c, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") for c in characters[8:16]]
    organisation = reduce(lambda a, b: a + b, (v * w for v, w in zip(base36, ORGANISATION_WEIGHTS, strict=True)))
    holds = (
        code.str.contains(f"^{SHAPE}$")
        & ((total + values[17]) % 31 == 0).fill_null(False)
        & ((organisation + _position(characters[16], "0123456789X")) % 11 == 0).fill_null(False)
    )
    return pl.when(code.is_not_null()).then(holds)


def valid_organisation_code(code: pl.Expr) -> pl.Expr:
    """Whether a text column holds organisation codes (9 characters, a hyphen before the last allowed); null stays null."""
    plain = code.str.replace(r"^(.{8})-(.)$", "${1}${2}")
    characters = [_position(plain.str.slice(i, 1), "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") for i in range(8)]
    total = reduce(lambda a, b: a + b, (v * w for v, w in zip(characters, ORGANISATION_WEIGHTS, strict=True)))
    last = _position(plain.str.slice(8, 1), "0123456789X")
    holds = plain.str.contains(f"^{ORGANISATION_SHAPE}$") & ((total + last) % 11 == 0).fill_null(False)
    return pl.when(code.is_not_null()).then(holds)


def _position(character: pl.Expr, characters: str) -> pl.Expr:
    """Where a character stands in a set, null where it does not."""
    order = pl.Series(range(len(characters)), dtype=pl.Int64)
    return character.replace_strict(pl.Series(list(characters)), order, default=None, return_dtype=pl.Int64)
