"""The deadline in small: uploads at once and connections that stall, against ``ytb serve`` as it is. Counts, no times."""

from __future__ import annotations

from pathlib import Path

from bench.portal import rush, stall


def test_uploads_at_once_get_a_number_each_and_retries_the_same_one(tmp_path: Path) -> None:
    found = rush(tmp_path, 40, wait=0)
    assert found["statuses"] == {"303": 40} and found["distinct_numbers"] == 40
    assert found["retries"] == {"303": 24} and found["numbers_new_on_retry"] == 0
    assert found["receipts"] == {"200": 40}
    assert found["broken"] == []


def test_connections_that_stall_keep_nobody_from_filing(tmp_path: Path) -> None:
    found = stall(tmp_path, 160, honest=2)
    assert found["connections"] > 100 and found["statuses"] == {"303": 2}
    assert found["broken"] == []
