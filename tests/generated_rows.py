"""Rows of a roster with gaps and mistakes: small figures so that relations hold as often as they fail, codes right and wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from schemas.model import Edition, Indicator, ValueType
from schemas.uscc import CHARACTERS, check_character, organisation_check_character

FIRST_DAY = date(2008, 1, 1)
DAYS = 19 * 365


def credit_code(random: Random) -> str:
    """A valid code, or one with a wrong character."""
    body = "91620100" + "".join(random.choice(CHARACTERS) for _ in range(8))
    body += organisation_check_character(body[8:16])
    code = body + check_character(body) if set(body) <= set(CHARACTERS) else body + "0"
    if random.random() < 0.5:
        at = random.randrange(18)
        code = code[:at] + random.choice(CHARACTERS) + code[at + 1 :]
    return code


def value(indicator: Indicator, codes: Mapping[str, Sequence[str]], random: Random, gaps: float = 0.2) -> Any:
    """One value of the type of an indicator, None for a gap."""
    if random.random() < gaps:
        return None
    match indicator.type:
        case ValueType.NUMBER:
            figure = random.choice([0, 0, 1, 2, 3, 5, 8, 100, 2014, 2025, random.randrange(-20, 10**6)])
            return Decimal(figure).scaleb(-random.randrange(indicator.decimals + 1)) if indicator.decimals else figure
        case ValueType.BOOLEAN:
            return random.random() < 0.5
        case ValueType.DATE:
            return FIRST_DAY + timedelta(days=random.randrange(DAYS))
        case ValueType.TEXT:
            return random.choice(["甲", "乙", "A-1"])
    if indicator.code in ("B01", "J15"):
        return credit_code(random)
    known = list(indicator.options) or list(codes.get(indicator.codelist, ()))
    return random.choice(["0", "3", "9", "39", "3911", "X", *random.sample(known, min(len(known), 12))])


def records(
    edition: Edition,
    columns: Sequence[str],
    codes: Mapping[str, Sequence[str]],
    count: int,
    seed: int,
) -> list[dict[str, Any]]:
    """``count`` rows of these operand columns. Keys are never blank: a row without one is no record."""
    random = Random(seed)
    keys = {code for form in edition.forms.values() for code in form.key}
    found = []
    for _ in range(count):
        gaps = random.choice([0.0, 0.1, 0.4])
        row = {}
        for column in columns:
            code = column.split("_")[0]
            row[column] = value(edition.indicators[code], codes, random, 0.0 if code in keys else gaps)
        found.append(row)
    return found
