"""How instants and structured values stand in the ledger: as text that is the same in SQLite and PostgreSQL."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Any

from sqlalchemy import Dialect, String
from sqlalchemy.types import TypeDecorator

# China keeps one time without summer time; a fixed offset needs no time zone data on the machine.
SHANGHAI = timezone(timedelta(hours=8), "Asia/Shanghai")


_STORED_LENGTH = len("2025-04-01T01:00:00.000000Z")
_ENCODER = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


@lru_cache(maxsize=256)  # one batch of rows carries one instant a hundred thousand times
def stored_instant(at: datetime) -> str:
    """An instant as kept: UTC, microseconds, sortable as text. Raises ValueError for a time without a zone."""
    if at.utcoffset() is None:
        raise ValueError("an instant needs a time zone")
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def read_instant(text: str) -> datetime:
    """The instant of ``stored_instant``, in Asia/Shanghai."""
    if len(text) != _STORED_LENGTH or not text.endswith(
        "Z"
    ):  # a text without a zone would be taken for this machine's time
        raise ValueError(f"not a stored instant: {text!r}")
    return datetime.fromisoformat(text).astimezone(SHANGHAI)


def shown_instant(at: datetime) -> str:
    """An instant as people read it: 2025-04-10 17:03:05 (北京时间)."""
    return at.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")


def shown_deadline(deadline: datetime) -> str:
    """A deadline as the programme writes it: midnight is 24:00 of the day before. 2025-04-15 24:00."""
    local = deadline.astimezone(SHANGHAI)
    if (local.hour, local.minute) == (0, 0):
        return f"{local - timedelta(days=1):%Y-%m-%d} 24:00"
    return f"{local:%Y-%m-%d %H:%M}"


def canonical_json(value: object) -> str:
    """The one spelling of a value: sorted keys, no spaces, no NaN."""
    return _ENCODER.encode(value)


class Instant(TypeDecorator[datetime]):
    """An aware datetime, kept as ``stored_instant``."""

    impl = String(27)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        return None if value is None else stored_instant(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> datetime | None:
        return None if value is None else read_instant(value)


class CanonicalJson(TypeDecorator[Any]):
    """A value of lists, mappings and scalars, kept as ``canonical_json``."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: object, dialect: Dialect) -> str:
        return canonical_json(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else json.loads(value)
