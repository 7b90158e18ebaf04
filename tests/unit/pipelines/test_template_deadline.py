from datetime import datetime

import pytest

from pipelines.templates import printed_deadline
from warehouse.ledger.columns import SHANGHAI


@pytest.mark.parametrize(
    ("hour", "minute", "text"),
    [(0, 0, "2026年12月22日24时前"), (17, 0, "2026年12月23日17时前"), (4, 52, "2026年12月23日4时52分前"), (0, 30, "2026年12月23日0时30分前")],
)  # fmt: skip
def test_the_template_prints_minutes_where_the_hour_is_not_full(hour: int, minute: int, text: str) -> None:
    assert printed_deadline(datetime(2026, 12, 23, hour, minute, tzinfo=SHANGHAI)) == text
