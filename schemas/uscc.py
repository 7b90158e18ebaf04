"""Unified social credit code 统一社会信用代码: GB 32100-2015 with its amendment, and the organisation code in it, GB 11714.

Source: survey_system.md 3. The registering department (first character) may be a letter (A, N, Y); positions 9 to 17 are
the organisation code, whose last character is a check character of its own (10 is X).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

import numpy as np
import numpy.typing as npt
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
    return code.map_batches(partial(_holding, SHAPE, _uscc_holds), return_dtype=pl.Boolean, is_elementwise=True)


def valid_organisation_code(code: pl.Expr) -> pl.Expr:
    """Whether a text column holds organisation codes (9 characters, a hyphen before the last allowed); null stays null."""
    plain = code.str.replace(r"^(.{8})-(.)$", "${1}${2}")
    holding = partial(_holding, ORGANISATION_SHAPE, _organisation_holds)
    return plain.map_batches(holding, return_dtype=pl.Boolean, is_elementwise=True)


Octets = npt.NDArray[np.uint8]
Holds = npt.NDArray[np.bool_]


def _holding(shape: str, check: Callable[[Octets], Holds], codes: pl.Series) -> pl.Series:
    """Which codes have the shape and pass ``check`` on their characters, one row of octets a code; null stays null."""
    has_shape = codes.str.contains(f"^{shape}$").fill_null(False)
    shaped = codes.filter(has_shape)
    holds = np.zeros(codes.len(), np.bool_)
    if shaped.len():
        octets = np.frombuffer("".join(shaped).encode("ascii"), np.uint8).reshape(shaped.len(), -1)
        holds[has_shape.to_numpy()] = check(octets)
    found = pl.Series(codes.name, holds)
    return found.set(codes.is_null(), None) if codes.null_count() else found


def _uscc_holds(octets: Octets) -> Holds:
    total = _VALUES[octets] @ np.array([*WEIGHTS, 1])
    holds: Holds = (total % 31 == 0) & _organisation_holds(octets[:, 8:17])
    return holds


def _organisation_holds(octets: Octets) -> Holds:
    last = octets[:, 8]
    # A check character is a digit or X for 10; an A, which also stands for 10 among 36 characters, is none.
    check = np.where(last == ord("X"), 10, _BASE_36[last])
    holds: Holds = (
        (check <= 10)
        & (last != ord("A"))
        & ((_BASE_36[octets[:, :8]] @ np.array(ORGANISATION_WEIGHTS) + check) % 11 == 0)
    )
    return holds


def _positions(characters: str) -> npt.NDArray[np.int64]:
    """Octet → place of the character in a set; 0 where it does not stand, which the shape has excluded."""
    table = np.zeros(256, np.int64)
    table[[ord(c) for c in characters]] = range(len(characters))
    return table


_VALUES, _BASE_36 = _positions(CHARACTERS), _positions("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")
