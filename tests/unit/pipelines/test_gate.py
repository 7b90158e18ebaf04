"""The gate into ``accepted`` refuses, by a second engine, whatever the audit would have found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import polars as pl
import pytest

from pipelines.gate import require_gate
from pipelines.intake import observations_of
from schemas.catalog import programme
from schemas.errors import StorageError
from schemas.observations import Observations
from schemas.period import Period
from sources.pool import Pool
from tests.tiny_office import tiny_office
from warehouse.ledger.columns import SHANGHAI
from warehouse.ledger.submissions import Submission, submissions

YEAR = Period(2014)
Accepted = list[tuple[Submission, Observations]]


@pytest.fixture(scope="module")
def accepted(tmp_path_factory: pytest.TempPathFactory) -> Accepted:
    """The accepted annual submissions of two parks."""
    tiny = tiny_office(tmp_path_factory.mktemp("office") / "home")
    now = datetime(2015, 2, 1, 9, 0, tzinfo=SHANGHAI)
    tiny.open_round(YEAR, now)
    with Pool(workers=1, preload=("sources.reader",)) as pool:
        for park in ("LBXQ", "LBGX"):
            tiny.file_and_accept(park, YEAR, pool, now + timedelta(hours=1))
    with tiny.office.ledger.read() as session:
        return [(s, observations_of(tiny.office.vault, s)) for s in submissions(session)]


def changed(accepted: Accepted, form: str, change: Callable[[pl.DataFrame], pl.DataFrame]) -> Accepted:
    """The same submissions, one form of the second one altered."""
    (submission, observations) = accepted[1]
    altered = replace(observations, frames={**observations.frames, form: change(observations.frames[form])})
    return [accepted[0], (submission, altered)]


def first(code: str, value: object) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """Put ``value`` into the first row of a column."""
    return lambda frame: frame.with_columns(
        pl.when(pl.int_range(pl.len()) == 0).then(pl.lit(value, dtype=frame[code].dtype)).otherwise(code).alias(code)
    )


def test_what_was_accepted_passes(accepted: Accepted) -> None:
    require_gate(programme(), YEAR, accepted)


@pytest.mark.parametrize(
    ("form", "change", "named"),
    [
        ("finance", first("F22", -1), "F22 greater_than_or_equal_to"),
        ("basic", first("B07", "9999"), "B07 isin"),
        ("basic", lambda frame: pl.concat([frame, frame.head(1)]), "uniq"),
        ("finance", first("F02", 10**12), "rule:AF"),
        ("park", first("K02", Decimal(-1)), "K02|rule:AK"),
    ],
)
def test_what_breaks_a_hard_rule_is_not_loaded(
    accepted: Accepted, form: str, change: Callable[[pl.DataFrame], pl.DataFrame], named: str
) -> None:
    with pytest.raises(StorageError, match=f"{accepted[1][0].number}.*{form} 表没有通过入库检验.*({named})"):
        require_gate(programme(), YEAR, changed(accepted, form, change))


def test_a_unit_in_two_parks_is_for_the_audit_to_find(accepted: Accepted) -> None:
    """Uniqueness is within a submission: whether a unit may stand in two parks is decided by rules, not here."""
    (one, observations) = accepted[0]
    require_gate(programme(), YEAR, [(one, observations), (replace(one, number="2014-TWIN-0001"), observations)])
