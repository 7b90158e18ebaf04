"""The generated pandera schema of a form: the gate into ``accepted.*``.

Own passes report every finding first; this gate only proves, by a second engine, that nothing slipped through.
"""

from __future__ import annotations

import pandera.polars as pa
import polars as pl

from schemas.model import Form, Indicator, ValueType
from schemas.observations import frame_columns
from schemas.period import Period


def _checks(indicator: Indicator, codes: frozenset[str] | None) -> list[pa.Check]:
    checks = []
    if indicator.nonneg:
        checks.append(pa.Check.ge(0, name=f"{indicator.code}:nonneg"))
    if indicator.options:
        checks.append(pa.Check.isin(sorted(indicator.options), name=f"{indicator.code}:options"))
    elif codes is not None:
        checks.append(pa.Check.isin(sorted(codes), name=f"{indicator.code}:codelist"))
    return checks


def frame_schema(
    form: Form,
    period: Period,
    codelists: dict[str, frozenset[str]],
    held: tuple[str, ...] = (),
    *,
    by_submission: bool = False,
) -> pa.DataFrameSchema:
    """The structure and value bounds of ``form`` in ``period``; ``held`` names Boolean columns that must not be false.

    A unit stands once in the frame, or with ``by_submission`` once under each ``submission_id``.

    A hard rule enters as a column ``rule:<id>`` that the caller computed over the same rows: true, or null where the rule
    does not apply or stays undetermined. Validate a DataFrame with ``lazy=True``: given a LazyFrame, pandera looks at names
    and dtypes and skips every check on values.
    """
    by_code = {i.code: i for i in form.indicators}
    columns: dict[str, pa.Column] = {}
    for name, dtype in frame_columns(form, period).items():
        indicator = by_code.get(name)
        checks = (
            _checks(indicator, codelists.get(indicator.codelist) if indicator.codelist else None) if indicator else []
        )
        nullable = name not in ("park", "unit_id")
        columns[name] = pa.Column(dtype, checks=checks, nullable=nullable, title=indicator.name if indicator else name)
    for rule in held:
        columns[f"rule:{rule}"] = pa.Column(pl.Boolean, checks=pa.Check.ne(False, name=rule), nullable=True)
    unit = ["unit_id"]
    if by_submission:
        columns["submission_id"] = pa.Column(pl.String, nullable=False)
        unit = ["submission_id", "unit_id"]
    return pa.DataFrameSchema(columns, name=form.code, strict=True, unique=unit)


def required_missing(form: Form, period: Period) -> list[Indicator]:
    """Indicators a unit owes unconditionally: asked in the round, required and not bound to a condition of their own."""
    return [i for i in form.asked(period) if i.required and i.type is not ValueType.TEXT and not i.applies_if]
